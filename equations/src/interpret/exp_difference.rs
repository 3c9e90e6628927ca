//! Divided differences of exp, accurate for any nodes, with the same bits on every machine.

/// Widest span of nodes summed as a series; beyond, the recursion loses at most a few bits.
const SERIES_SPAN: f64 = 16.0;
/// Terms after which the series has converged to f64 for that span and at least one node.
const MAX_TERMS: u32 = 120;
/// ln 2 in two parts; the first has 21 trailing zero bits, so that k·`LN2_HIGH` is exact.
const LN2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
const LN2_LOW: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);

/// exp\[z₀, …, zₙ\], the divided difference of eˣ over `nodes`, which are sorted in place.
///
/// With m the smallest node, exp\[z\] = eᵐ·Σₖ hₖ(z − m)/(k + n)!, where hₖ is the complete homogeneous
/// symmetric polynomial: all terms are positive, so nothing cancels, however close the nodes lie.
/// Nodes far apart use exp\[z₀, …, zₙ\] = (exp\[z₁, …\] − exp\[…, zₙ₋₁\])/(zₙ − z₀), which is accurate
/// there. Only add, subtract, multiply, divide and bit operations are used. No nodes give 0.
///
/// ```
/// use rheobase_equations::interpret::exp_difference;
///
/// let close = exp_difference(&mut [-0.1, -0.1 - 1e-12]);
/// assert!((close - (-0.1_f64).exp()).abs() < 1e-12);
/// assert!((exp_difference(&mut [0.0, 0.0, 0.0]) - 0.5).abs() < 1e-15);
/// ```
pub fn exp_difference(nodes: &mut [f64]) -> f64 {
    nodes.sort_unstable_by(f64::total_cmp);
    sorted(nodes)
}

/// The triangular table of differences, level by level; `table[i]` holds exp\[zᵢ, …, zᵢ₊ₖ\].
fn sorted(z: &[f64]) -> f64 {
    let (Some(&first), Some(&last)) = (z.first(), z.last()) else {
        return 0.0;
    };
    if !(last - first).is_finite() {
        return f64::NAN;
    }
    if last - first <= SERIES_SPAN {
        return series(z);
    }
    let mut table: Vec<f64> = z.iter().map(|&node| exp(node)).collect();
    for k in 1..z.len() {
        for i in 0..z.len() - k {
            let span = z[i + k] - z[i];
            table[i] = if span <= SERIES_SPAN {
                series(&z[i..=i + k])
            } else {
                (table[i + 1] - table[i]) / span
            };
        }
    }
    table[0]
}

/// eᵐ·Σₖ hₖ(z − m)/(k + n)!.
fn series(z: &[f64]) -> f64 {
    let m = z[0];
    let n = z.len() - 1;
    let factorial: f64 = (1_u32..).take(n).map(f64::from).product();
    // h[j] = hₖ(z₀ − m, …, zⱼ − m)/((k + n)!/n!), from hₖ(…, zⱼ) = hₖ(…, zⱼ₋₁) + zⱼ·hₖ₋₁(…, zⱼ).
    let mut h = vec![1.0; n + 1];
    let mut sum = 1.0;
    let order = u32::try_from(n).map_or(f64::INFINITY, f64::from);
    for k in 1..=MAX_TERMS {
        let divisor = f64::from(k) + order;
        let mut below = 0.0;
        for (h, &node) in h.iter_mut().zip(z) {
            *h = below + (node - m) * *h / divisor;
            below = *h;
        }
        sum += below;
        if below <= sum * 1e-18 {
            break;
        }
    }
    exp(m) * (sum / factorial)
}

/// eˣ by range reduction and a Taylor polynomial: the same bits everywhere.
pub(super) fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    // Outside, the result is 0 or infinite however it is computed.
    let x = x.clamp(-800.0, 800.0);
    let k = (x * std::f64::consts::LOG2_E).round_ties_even();
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    let mut p = 1.0 / 6_227_020_800.0;
    let mut factorial = 6_227_020_800.0_f64;
    for divisor in (1..=13).rev() {
        factorial /= f64::from(divisor);
        p = p * r + 1.0 / factorial;
    }
    let half = (k * 0.5).floor();
    p * power_of_two(half) * power_of_two(k - half)
}

/// 2ᵏ for an integer k within ±1022.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "k + 1023 is an integer within 1..=2045"
)]
fn power_of_two(k: f64) -> f64 {
    f64::from_bits(((k + 1023.0) as u64) << 52)
}
