//! Ticks at round numbers, and their labels.

use super::color::{AXIS, GREY, GRID};
use super::scene::{Align, Scene, Text};
use crate::table::grouped;

/// Size of tick labels \[pixels\].
pub(super) const TICK_SIZE: f64 = 14.0;

/// A tick: where, and what is written there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub(super) value: f64,
    pub(super) label: String,
}

/// A linear axis from `low` to `high`, drawn from pixel `start` to pixel `end`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) start: f64,
    pub(super) end: f64,
}

impl Axis {
    /// The pixel of a value.
    pub(super) fn at(&self, value: f64) -> f64 {
        let fraction = (value - self.low) / (self.high - self.low);
        self.start + fraction * (self.end - self.start)
    }

    /// Ticks within the axis, at least `spacing` pixels apart.
    pub(super) fn ticks(&self, spacing: f64) -> Vec<Tick> {
        let most = ((self.end - self.start).abs() / spacing).max(1.0);
        round_ticks(self.low, self.high, most)
    }
}

/// Multiples of 1, 2 or 5 times a power of ten between two values, at most `most` steps apart.
fn round_ticks(low: f64, high: f64, most: f64) -> Vec<Tick> {
    let (step, decimals) = round_step((high - low) / most);
    let slack = 1e-9 * step;
    let first = ((low - slack) / step).ceil();
    let mut ticks = Vec::new();
    let mut multiple = first;
    while multiple * step <= high + slack && ticks.len() < 1000 {
        // Adding 0 turns -0 into 0.
        let value = multiple * step + 0.0;
        ticks.push(Tick {
            value,
            label: label(value, decimals),
        });
        multiple += 1.0;
    }
    ticks
}

/// The smallest round number not below `least`, with the decimals it needs.
fn round_step(least: f64) -> (f64, usize) {
    if !(1e-12..=1e15).contains(&least) {
        return (least.abs().clamp(1e-12, 1e300), 0);
    }
    let (mut power, mut exponent) = (1.0_f64, 0_i32);
    while power > least {
        power /= 10.0;
        exponent -= 1;
    }
    while power * 10.0 <= least {
        power *= 10.0;
        exponent += 1;
    }
    for (factor, carry) in [(1.0, 0), (2.0, 0), (5.0, 0), (10.0, 1)] {
        if factor * power >= least * (1.0 - 1e-12) {
            let decimals = usize::try_from(-(exponent + carry)).unwrap_or(0);
            return (factor * power, decimals);
        }
    }
    (10.0 * power, usize::try_from(-(exponent + 1)).unwrap_or(0))
}

fn label(value: f64, decimals: usize) -> String {
    if decimals > 0 || value.abs() >= 1e15 {
        return format!("{value:.decimals$}").replace('-', "−");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number below 1e15"
    )]
    let whole = value.abs().round() as u64;
    let sign = if value < 0.0 && whole > 0 { "−" } else { "" };
    let digits = if whole < 10_000 {
        whole.to_string()
    } else {
        grouped(whole)
    };
    format!("{sign}{digits}")
}

/// The end of an axis from 0 that holds `value` and lies on a tick.
pub(super) fn round_end(value: f64, pixels: f64, spacing: f64) -> f64 {
    let (step, _) = round_step((value / (pixels / spacing).max(1.0)).max(1e-12));
    ((value / step).ceil() * step).max(step)
}

/// Draws ticks and labels on the left of a frame, with grid lines where asked for.
pub(super) fn left(scene: &mut Scene, axis: &Axis, x: (f64, f64), spacing: f64, grid: bool) {
    for tick in axis.ticks(spacing) {
        let y = axis.at(tick.value);
        if grid {
            scene.horizontal(x.0, x.1, y, GRID);
        }
        scene.horizontal(x.0 - 6.0, x.0, y, AXIS);
        let text = Text::new(x.0 - 11.0, y, tick.label, TICK_SIZE, GREY);
        scene.text(text.align(Align::End).centred());
    }
}

/// Draws grid lines from top to bottom at the ticks of a time axis.
pub(super) fn time_grid(scene: &mut Scene, axis: &Axis, y: (f64, f64)) {
    for tick in axis.ticks(TIME_SPACING) {
        scene.vertical(axis.at(tick.value), y.0, y.1, GRID);
    }
}

/// Draws ticks and labels below a frame.
pub(super) fn below(scene: &mut Scene, axis: &Axis, y: f64) {
    below_spaced(scene, axis, y, TIME_SPACING);
}

/// Draws ticks and labels below a frame, at least `spacing` pixels apart.
pub(super) fn below_spaced(scene: &mut Scene, axis: &Axis, y: f64, spacing: f64) {
    for tick in axis.ticks(spacing) {
        let x = axis.at(tick.value);
        scene.vertical(x, y, y + 6.0, AXIS);
        let text = Text::new(x, y + 23.0, tick.label, TICK_SIZE, GREY);
        scene.text(text.align(Align::Middle));
    }
}

/// Least distance of the ticks of a time axis \[pixels\]; leaves room for seven characters.
const TIME_SPACING: f64 = 110.0;

/// Whether a window is better told in seconds, and the divisor from milliseconds.
pub(super) fn time_unit(window_ms: f64) -> (&'static str, f64) {
    if window_ms >= 2000.0 {
        ("s", 1000.0)
    } else {
        ("ms", 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64, most: f64) -> Vec<String> {
        round_ticks(low, high, most)
            .into_iter()
            .map(|t| t.label)
            .collect()
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(
            labels(0.0, 1.0, 5.0),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(labels(0.0, 3199.0, 4.0), ["0", "1000", "2000", "3000"]);
        assert_eq!(
            labels(-70.0, -49.0, 5.0),
            ["−70", "−65", "−60", "−55", "−50"]
        );
        assert_eq!(labels(0.5, 2.5, 4.0), ["0.5", "1.0", "1.5", "2.0", "2.5"]);
        assert_eq!(labels(-0.2, 0.2, 2.0), ["−0.2", "0.0", "0.2"]);
        assert_eq!(labels(0.0, 40_000.0, 2.0), ["0", "20,000", "40,000"]);
        assert_eq!(
            labels(0.0, 0.007, 4.0),
            ["0.000", "0.002", "0.004", "0.006"]
        );
    }

    #[test]
    fn ends_lie_on_ticks() {
        assert_eq!(round_end(83.0, 200.0, 40.0), 100.0);
        assert_eq!(round_end(100.0, 200.0, 40.0), 100.0);
        assert!(round_end(0.0, 200.0, 40.0) > 0.0);
    }

    #[test]
    fn strange_ranges_end() {
        for (low, high) in [
            (0.0, 1e-300),
            (0.0, 1e300),
            (1e15, 1e15 + 1.0),
            (0.0, f64::NAN),
        ] {
            assert!(round_ticks(low, high, 5.0).len() <= 1000);
        }
    }
}
