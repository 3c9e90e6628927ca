//! Times as decimal numbers, taken apart into step and offset without rounding.

use rheobase_engine::spikes::MAX_STEPS;

/// A step of time as the decimal it is written as: `units` · 10^−`places` ms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub(super) dt_ms: f64,
    units: u128,
    places: usize,
}

/// Most decimal digits before the point and in the places of dt, together: they fit into 128 bits.
const MAX_DIGITS: usize = 36;

/// Largest power of ten behind an `e`.
const MAX_EXPONENT: i32 = 400;

impl Grid {
    /// `None` outside 1e-6 ms to 1e6 ms. Within, dt has at most 23 places and 17 digits, and a time
    /// of 2^53 steps fits into 128 bits.
    pub(super) fn new(dt_ms: f64) -> Option<Self> {
        if !(1e-6..=1e6).contains(&dt_ms) {
            return None;
        }
        let text = dt_ms.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        Some(Self {
            dt_ms,
            units: format!("{whole}{fraction}").parse().ok()?,
            places: fraction.len(),
        })
    }

    /// The time (step − 1)·dt + offset \[ms\], exactly, for a step from 1 on and an offset in (0, dt].
    pub(super) fn time(self, step: u64, offset_ms: f64) -> String {
        let offset = offset_ms.to_string();
        let (whole, fraction) = offset.split_once('.').unwrap_or((&offset, ""));
        let (units, tail) = self.split_digits(whole, fraction).unwrap_or((0, ""));
        let text = self.text(u128::from(step - 1) * self.units + units, tail);
        if text.contains('.') {
            return text.trim_end_matches('0').trim_end_matches('.').to_owned();
        }
        text
    }

    /// The step a time falls in, from 1, and the offset in it, in (0, dt] \[ms\].
    pub(super) fn step_and_offset(self, text: &str) -> Result<(u64, f64), &'static str> {
        let (whole, fraction) = digits(text).ok_or("a number of milliseconds above 0")?;
        let late = "a time of at most 2^53 steps";
        let (total, tail) = self.split_digits(&whole, &fraction).ok_or(late)?;
        let tail = tail.trim_end_matches('0');
        // A grid point belongs to the step that ends there.
        let steps_before = match (total, tail) {
            (0, "") => return Err("a time above 0"),
            (total, "") => (total - 1) / self.units,
            (total, _) => total / self.units,
        };
        let rest = self.text(total - steps_before * self.units, tail);
        let offset_ms: f64 = rest.parse().map_err(|_| late)?;
        let steps_before = u64::try_from(steps_before).map_err(|_| late)?;
        if steps_before >= MAX_STEPS {
            return Err(late);
        }
        // An offset below the smallest float is none.
        match (steps_before, offset_ms > 0.0) {
            (_, true) => Ok((steps_before + 1, offset_ms)),
            (0, false) => Err("a time above 0"),
            (step, false) => Ok((step, self.dt_ms)),
        }
    }

    /// Digits before and after the point as a number of the last place of dt, and the digits behind.
    fn split_digits<'a>(self, whole: &str, fraction: &'a str) -> Option<(u128, &'a str)> {
        let places = self.places;
        let (head, tail) = fraction.split_at(fraction.len().min(places));
        let text = format!("{whole}{head:0<places$}");
        let text = text.trim_start_matches('0');
        match text.len() {
            0 => Some((0, tail)),
            n if n > MAX_DIGITS => None,
            _ => Some((text.parse().ok()?, tail)),
        }
    }

    /// `total` last places of dt, with further digits behind.
    fn text(self, total: u128, tail: &str) -> String {
        let places = self.places;
        let digits = format!("{total:0>width$}", width = places + 1);
        let (whole, head) = digits.split_at(digits.len() - places);
        match (head, tail) {
            ("", "") => whole.to_owned(),
            _ => format!("{whole}.{head}{tail}"),
        }
    }
}

/// The digits of a number without sign before and after its point.
fn digits(text: &str) -> Option<(String, String)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let none = whole.is_empty() && fraction.is_empty();
    if none || !all_digits(whole) || !all_digits(fraction) || exponent.abs() > MAX_EXPONENT {
        return None;
    }
    let shift = exponent.unsigned_abs() as usize;
    if exponent >= 0 {
        let fraction = format!("{fraction:0<shift$}");
        let (more, fraction) = fraction.split_at(shift);
        return Some((format!("{whole}{more}"), fraction.to_owned()));
    }
    let whole = format!("{whole:0>shift$}");
    let (whole, more) = whole.split_at(whole.len() - shift);
    Some((whole.to_owned(), format!("{more}{fraction}")))
}
