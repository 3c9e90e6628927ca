//! How one figure grows with another: y = factor · xᵉˣᵖᵒⁿᵉⁿᵗ.

/// A power law fitted to points by least squares of the logarithms.
///
/// # Example
/// ```
/// use rheobase_report::PowerLaw;
///
/// let law = PowerLaw::fit(&[(1.0, 3.0), (2.0, 12.0), (4.0, 48.0)]).unwrap();
/// assert!((law.exponent - 2.0).abs() < 1e-12 && (law.factor - 3.0).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerLaw {
    /// y at x = 1.
    pub factor: f64,
    /// 1 where y grows in proportion to x.
    pub exponent: f64,
    /// Standard error of the exponent; 0 for two points.
    pub exponent_error: f64,
}

impl PowerLaw {
    /// The law through `points`. `None` where fewer than two x differ, or where a coordinate is
    /// not a positive finite number. O(points).
    #[must_use]
    pub fn fit(points: &[(f64, f64)]) -> Option<Self> {
        let usable = |v: f64| v.is_finite() && v > 0.0;
        if points.iter().any(|&(x, y)| !usable(x) || !usable(y)) {
            return None;
        }
        let logs: Vec<(f64, f64)> = points
            .iter()
            .map(|&(x, y)| (libm::log(x), libm::log(y)))
            .collect();
        #[expect(clippy::cast_precision_loss, reason = "few points")]
        let n = logs.len() as f64;
        let mean_x = logs.iter().map(|p| p.0).sum::<f64>() / n;
        let mean_y = logs.iter().map(|p| p.1).sum::<f64>() / n;
        let xx: f64 = logs.iter().map(|p| (p.0 - mean_x) * (p.0 - mean_x)).sum();
        let xy: f64 = logs.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum();
        if logs.len() < 2 || xx <= 0.0 {
            return None;
        }
        let exponent = xy / xx;
        let residual = |p: &(f64, f64)| p.1 - mean_y - exponent * (p.0 - mean_x);
        let squares: f64 = logs.iter().map(|p| residual(p) * residual(p)).sum();
        let exponent_error = if logs.len() > 2 {
            (squares / (n - 2.0) / xx).sqrt()
        } else {
            0.0
        };
        Some(Self {
            factor: libm::exp(mean_y - exponent * mean_x),
            exponent,
            exponent_error,
        })
    }

    /// y at `x`, which is positive.
    #[must_use]
    pub fn at(&self, x: f64) -> f64 {
        self.factor * libm::pow(x, self.exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_the_exponent_is_that_of_the_regression() {
        // In logarithms to base e: x = 0, 1, 2; y = 0, 1, 3. Slope 3/2, residuals 1/6, -1/3, 1/6.
        let e = std::f64::consts::E;
        let law = PowerLaw::fit(&[(1.0, 1.0), (e, e), (e * e, e * e * e)]).unwrap();
        assert!((law.exponent - 1.5).abs() < 1e-12);
        let squares: f64 = 1.0 / 36.0 + 1.0 / 9.0 + 1.0 / 36.0;
        assert!((law.exponent_error - (squares / 2.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn what_has_no_logarithm_or_no_range_has_no_law() {
        assert_eq!(PowerLaw::fit(&[]), None);
        assert_eq!(PowerLaw::fit(&[(1.0, 2.0)]), None);
        assert_eq!(PowerLaw::fit(&[(3.0, 2.0), (3.0, 4.0)]), None);
        assert_eq!(PowerLaw::fit(&[(1.0, 0.0), (2.0, 1.0)]), None);
        assert_eq!(PowerLaw::fit(&[(-1.0, 1.0), (2.0, 1.0)]), None);
        assert_eq!(PowerLaw::fit(&[(1.0, f64::NAN), (2.0, 1.0)]), None);
    }
}
