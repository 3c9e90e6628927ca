//! Poisson numbers from 32-bit words, by inverting the distribution function.
//!
//! A word w, uniform on 0 … 2³² − 1, gives the number of thresholds tⱼ = 2³²·P(K ≤ j), rounded, that
//! do not exceed it. Every probability is met within 2⁻³³; what lies above the last threshold, less
//! than 2⁻³³ of all draws, gives the largest number of the table instead.

/// Largest mean per step that [`check_mean`] lets pass.
const MAX_MEAN: f64 = 10_000.0;

/// Up to this many thresholds a word is compared with all of them, lane by lane in vectors.
const SHORT: usize = 96;

/// Weights this far below the largest are left out when the distribution is summed: 2⁻¹⁰⁰.
const NEGLIGIBLE: f64 = 7.888_609_052_210_118e-31;

/// One more than the largest word.
const WORDS: f64 = 4_294_967_296.0;

/// Refuses means for which a stimulus should be described otherwise.
///
/// # Errors
/// A sentence with the mean and what to do.
pub(super) fn check_mean(mean: f64) -> Result<(), String> {
    if mean <= MAX_MEAN {
        return Ok(());
    }
    Err(format!(
        "{mean} events per neuron and step (rate times dt) are more than {MAX_MEAN}; lower the \
         rate or dt"
    ))
}

/// Samples a Poisson distribution.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Sampler {
    /// The smallest number that occurs.
    base: u32,
    /// A word gives `base` and one more for every threshold it reaches; strictly ascending up to
    /// the resolution of words.
    thresholds: Vec<u32>,
    /// Thresholds reached by all words with a given high byte.
    guide: Vec<u32>,
    /// Thresholds that words are always compared with; the others only where a group of lanes holds
    /// a word that reaches the first of them.
    n_common: usize,
}

/// Groups of lanes that need the rare thresholds: fewer than this part of all.
const RARE: f64 = 1.0 / 32.0;

impl Sampler {
    /// A sampler of mean `mean` ≥ 0. O(√mean).
    pub(super) fn new(mean: f64) -> Self {
        let mut sampler = Self {
            base: 0,
            thresholds: Vec::new(),
            guide: Vec::new(),
            n_common: 0,
        };
        let (first, weights) = weights(mean);
        let total: f64 = weights.iter().sum();
        let mut number = first;
        let mut sum = 0.0;
        for weight in weights {
            sum += weight;
            number += 1;
            match threshold(sum / total) {
                Some(0) => sampler.base = number,
                Some(t) => sampler.thresholds.push(t),
                None => break,
            }
        }
        #[allow(clippy::cast_precision_loss, reason = "64")]
        let lanes = LANES as f64;
        sampler.n_common = sampler
            .thresholds
            .partition_point(|&t| lanes * (WORDS - f64::from(t)) > RARE * WORDS);
        sampler.guide = (0..256_u32)
            .map(|high| narrow(sampler.thresholds.partition_point(|&t| t <= high << 24)))
            .collect();
        sampler
    }

    /// The smallest number that occurs.
    pub(super) fn base(&self) -> u32 {
        self.base
    }

    /// Every threshold that a word reaches adds one; ascending.
    pub(super) fn thresholds(&self) -> &[u32] {
        &self.thresholds
    }

    /// The number of one word.
    pub(super) fn sample(&self, word: u32) -> u32 {
        let mut k = self.guide[(word >> 24) as usize] as usize;
        while self.thresholds.get(k).is_some_and(|&t| word >= t) {
            k += 1;
        }
        self.base + narrow(k)
    }

    /// The numbers of many words, into `counts` of the same length.
    pub(super) fn sample_all(&self, words: &[u32], counts: &mut [u32]) {
        if self.thresholds.len() <= SHORT {
            let (common, rare) = self.thresholds.split_at(self.n_common);
            count_reached(common, rare, self.base, words, counts);
            return;
        }
        for (count, &word) in counts.iter_mut().zip(words) {
            *count = self.sample(word);
        }
    }

    /// Words below this give 0; `None` if all do.
    pub(super) fn smallest_hit(&self) -> Option<u32> {
        if self.base > 0 {
            Some(0)
        } else {
            self.thresholds.first().copied()
        }
    }
}

/// First number and weights, up to a common factor, of a Poisson distribution, built outwards from
/// its mode so that nothing overflows and no transcendental function is needed.
fn weights(mean: f64) -> (u32, Vec<f64>) {
    let mode = mean.floor();
    let mut weights = Vec::new();
    let (mut k, mut weight) = (mode, 1.0);
    while k > 0.0 && weight > NEGLIGIBLE {
        weight *= k / mean;
        k -= 1.0;
        weights.push(weight);
    }
    let first = k;
    weights.reverse();
    (k, weight) = (mode, 1.0);
    while weight > NEGLIGIBLE {
        weights.push(weight);
        k += 1.0;
        weight *= mean / k;
    }
    (to_u32(first), weights)
}

/// Number of words below a probability, rounded; `None` if that is all of them.
fn threshold(probability: f64) -> Option<u32> {
    let words = (probability * WORDS).round();
    (words < WORDS).then(|| to_u32(words))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole, not negative; means that check_mean lets pass stay far below 2^32"
)]
fn to_u32(x: f64) -> u32 {
    x as u32
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a table has far fewer than 2^32 entries"
)]
fn narrow(k: usize) -> u32 {
    k as u32
}

/// Lanes compared at a time: as many as fit into registers, so that a threshold is read once for all.
const LANES: usize = 64;

#[inline(always)]
fn count_reached_body(common: &[u32], rare: &[u32], base: u32, words: &[u32], counts: &mut [u32]) {
    let (words, last_words) = words.as_chunks::<LANES>();
    let (counts, last_counts) = counts.as_chunks_mut::<LANES>();
    for (words, counts) in words.iter().zip(counts) {
        let words = *words;
        let mut k = [base; LANES];
        for &t in common {
            count_lanes(t, &words, &mut k);
        }
        if let Some(&first) = rare.first()
            && words.iter().fold(0, |largest, &w| largest.max(w)) >= first
        {
            for &t in rare {
                count_lanes(t, &words, &mut k);
            }
        }
        *counts = k;
    }
    for (count, &word) in last_counts.iter_mut().zip(last_words) {
        let reached = common.iter().chain(rare).filter(|&&t| word >= t).count();
        *count = base + narrow(reached);
    }
}

#[inline(always)]
fn count_lanes(threshold: u32, words: &[u32; LANES], counts: &mut [u32; LANES]) {
    for lane in 0..LANES {
        counts[lane] += u32::from(words[lane] >= threshold);
    }
}

rheobase_engine::simd::dispatch! {
    fn count_reached = count_reached_body(
        common: &[u32], rare: &[u32], base: u32, words: &[u32], counts: &mut [u32],
    );
}

#[inline(always)]
fn reaching_body(words: &[u32], least: u32, places: &mut [u32]) -> usize {
    let mut n = 0;
    for (start, group) in (0..).step_by(LANES).zip(words.chunks(LANES)) {
        if group.iter().fold(0, |largest, &w| largest.max(w)) < least {
            continue;
        }
        for (place, &word) in (start..).zip(group) {
            // Written always, kept where it counts: no branch to mispredict.
            places[n] = place;
            n += usize::from(word >= least);
        }
    }
    n
}

rheobase_engine::simd::dispatch! {
    /// Writes the places of the words that are `least` or more, ascending, and gives their number.
    /// `places` is longer than `words`.
    pub(super) fn reaching = reaching_body(
        words: &[u32], least: u32, places: &mut [u32],
    ) -> usize;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P(K ≤ k), summed from the definition in logarithms.
    fn cdf(mean: f64, k: u32) -> f64 {
        let log_factorial = |n: u32| (1..=n).map(|i| f64::from(i).ln()).sum::<f64>();
        (0..=k)
            .map(|n| (f64::from(n) * mean.ln() - mean - log_factorial(n)).exp())
            .sum()
    }

    /// The words that give at most k are within one half, plus rounding of the reference, of
    /// 2³²·P(K ≤ k).
    #[test]
    fn thresholds_are_the_distribution_function() {
        for mean in [1e-7, 1e-3, 0.1, 0.8, 2.0, 7.3, 31.0, 480.25] {
            let sampler = Sampler::new(mean);
            for (j, &t) in sampler.thresholds.iter().enumerate() {
                let exact = cdf(mean, sampler.base + narrow(j)) * WORDS;
                let tolerance = 0.5 + 1e-11 * WORDS;
                assert!(
                    (f64::from(t) - exact).abs() <= tolerance,
                    "{mean} {j}: {t} {exact}"
                );
            }
            let beyond = cdf(mean, sampler.base + narrow(sampler.thresholds.len()));
            assert!(1.0 - beyond <= 0.51 / WORDS + 1e-11, "{mean}");
            println!(
                "mean {mean}: {} thresholds from {}",
                sampler.thresholds.len(),
                sampler.base
            );
        }
    }

    /// Mean and variance of the table itself, exactly, not of a sample.
    #[test]
    fn moments_of_the_table() {
        for mean in [1e-3, 0.5, 2.0, 100.0, 10_000.0] {
            let sampler = Sampler::new(mean);
            let (mut m1, mut m2, mut below) = (0.0, 0.0, 0.0);
            for (j, end) in sampler
                .thresholds
                .iter()
                .map(|&t| f64::from(t))
                .chain([WORDS])
                .enumerate()
            {
                let k = f64::from(sampler.base + narrow(j));
                m1 += k * (end - below) / WORDS;
                m2 += k * k * (end - below) / WORDS;
                below = end;
            }
            let variance = m2 - m1 * m1;
            println!("mean {mean}: {m1}, variance {variance}");
            assert!((m1 - mean).abs() < 1e-6 * mean && (variance - mean).abs() < 2e-6 * mean);
        }
    }

    #[test]
    fn all_ways_to_count_agree() {
        for mean in [0.0, 1e-7, 0.01, 1.0, 2.5, 9.0, 60.0, 5000.0] {
            let sampler = Sampler::new(mean);
            let edges = sampler
                .thresholds
                .iter()
                .flat_map(|&t| [t - 1, t, t.saturating_add(1)]);
            let spread = (0..9_999_u32).map(|i| i.wrapping_mul(2_654_435_761));
            let words: Vec<u32> = [0, u32::MAX]
                .into_iter()
                .chain(edges)
                .chain(spread)
                .collect();
            let mut counts = vec![0; words.len()];
            sampler.sample_all(&words, &mut counts);
            for (&w, &count) in words.iter().zip(&counts) {
                let reached = sampler.thresholds.iter().filter(|&&t| w >= t).count();
                assert_eq!(count, sampler.base + narrow(reached));
                assert_eq!(count, sampler.sample(w));
                let hit = sampler.smallest_hit().is_some_and(|least| w >= least);
                assert_eq!(count > 0, hit);
            }
        }
    }

    #[test]
    fn nothing_comes_from_a_mean_of_zero() {
        let sampler = Sampler::new(0.0);
        assert_eq!(
            (sampler.sample(u32::MAX), sampler.smallest_hit()),
            (0, None)
        );
    }

    #[test]
    fn means_beyond_the_limit_are_refused() {
        assert!(check_mean(10_000.0).is_ok());
        assert!(check_mean(10_001.0).unwrap_err().contains("10001 events"));
    }

    #[test]
    fn reaching_finds_every_place() {
        for n in [0_usize, 1, 5, 64, 100, 200] {
            let words: Vec<u32> = (0..narrow(n))
                .map(|i| i.wrapping_mul(2_654_435_761))
                .collect();
            for least in [0, 1, 1 << 30, 1 << 31, u32::MAX] {
                let mut places = vec![0; n + 1];
                let found = reaching(&words, least, &mut places);
                let expected: Vec<u32> = (0..)
                    .zip(&words)
                    .filter(|(_, w)| **w >= least)
                    .map(|(i, _)| i)
                    .collect();
                assert_eq!(places[..found], expected);
            }
        }
    }
}
