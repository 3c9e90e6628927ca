//! What many rounds say: median and quartiles.

use serde::Serialize;
use serde_json::Value;

/// Median and quartiles, by nearest rank towards the ends: of three values the extremes.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    /// Rounds.
    pub(super) n: usize,
}

impl Spread {
    /// Of no values: NaN.
    pub(super) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let n = values.len();
        let at = |i: usize| values.get(i).copied().unwrap_or(f64::NAN);
        let quarter = n.saturating_sub(1) / 4;
        let last = n.saturating_sub(1);
        Self {
            median: f64::midpoint(at(last / 2), at(n / 2)),
            low: at(quarter),
            high: at(last - quarter),
            n,
        }
    }

    pub(super) fn json(self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_quartiles() {
        let of = |values: &[f64]| {
            let s = Spread::of(values.to_vec());
            (s.low, s.median, s.high)
        };
        assert_eq!(of(&[2.0]), (2.0, 2.0, 2.0));
        assert_eq!(of(&[3.0, 1.0]), (1.0, 2.0, 3.0));
        assert_eq!(of(&[3.0, 1.0, 2.0]), (1.0, 2.0, 3.0));
        assert_eq!(of(&[5.0, 1.0, 4.0, 2.0, 3.0]), (2.0, 3.0, 4.0));
        assert!(Spread::of(vec![]).median.is_nan());
    }
}
