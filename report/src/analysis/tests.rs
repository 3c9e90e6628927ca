//! Analyses against definitions written out, and against what is known of Poisson trains.

use super::spectrum::Fourier;
use super::*;
use crate::{PopulationSpikes, Spikes};
use proptest::prelude::*;

struct Trains {
    steps: Vec<u64>,
    neurons: Vec<u32>,
    size: u32,
}

impl Trains {
    fn population(&self) -> PopulationSpikes<'_> {
        PopulationSpikes {
            name: "E",
            size: self.size,
            spikes: Spikes::new(&self.steps, &self.neurons).unwrap(),
        }
    }

    /// Bernoulli trains: `p` per neuron and step, from a linear congruential generator; with
    /// `shared`, all neurons fire at the steps of neuron 0.
    fn random(size: u32, steps: u64, one_in: u64, shared: bool) -> Self {
        let mut state = 7_u64;
        let mut trains = Self {
            steps: Vec::new(),
            neurons: Vec::new(),
            size,
        };
        let mut draw = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33).is_multiple_of(one_in)
        };
        for step in 1..=steps {
            let all = draw();
            for neuron in 0..size {
                if if shared { all } else { draw() } {
                    trains.steps.push(step);
                    trains.neurons.push(neuron);
                }
            }
        }
        trains
    }
}

fn options(end_step: u64, bin_steps: u64) -> AnalysisOptions {
    AnalysisOptions {
        dt_ms: 0.5,
        start_step: 0,
        end_step,
        bin_steps,
        memory_limit: u64::MAX,
    }
}

#[test]
fn independent_trains_are_uncorrelated_and_white_and_shared_ones_are_not() {
    let independent = Trains::random(50, 100_000, 50, false);
    let result = analyse(&mut independent.population(), &options(100_000, 4)).unwrap();
    // 25,000 bins and 1225 pairs: the mean has a standard error of 1/√(25,000·1225) = 2·10⁻⁴.
    let correlation = result.correlation.unwrap();
    assert!(correlation.abs() < 1e-3, "{correlation}");
    assert_eq!(result.pairs, 1225);
    // One in fifty at 0.5 ms: 40 Hz; 2ν/n = 1.6, a little less since steps hold one spike at most.
    let spectrum = result.spectrum.unwrap();
    let mean = spectrum.density[1..512].iter().sum::<f64>() / 511.0;
    println!("density {mean}, expected {}", 1.6 * 0.98);
    assert!((mean / (1.6 * 0.98) - 1.0).abs() < 0.03, "{mean}");
    assert_eq!(spectrum.density.len(), 513);
    assert!((spectrum.step_hz - 1000.0 / 1024.0).abs() < 1e-12);
    assert_eq!(spectrum.segments, 96);

    let shared = Trains::random(50, 10_000, 50, true);
    let result = analyse(&mut shared.population(), &options(10_000, 4)).unwrap();
    assert!((result.correlation.unwrap() - 1.0).abs() < 1e-12);
}

#[test]
fn a_rhythm_is_a_peak_with_the_power_of_its_sine() {
    // Counts 100 + 50·sin(2π·125 Hz·t) in bins of 1 ms, neurons one after the other.
    let (mut steps, mut neurons) = (Vec::new(), Vec::new());
    for bin in 0..4096_u64 {
        let phase = (bin % 8) as f64 / 8.0;
        let count = (100.0 + 50.0 * (2.0 * std::f64::consts::PI * phase).sin()).round() as u32;
        for neuron in 0..count {
            steps.push(2 * bin + 1);
            neurons.push(neuron);
        }
    }
    let rhythm = Trains {
        steps,
        neurons,
        size: 1000,
    };
    let result = analyse(&mut rhythm.population(), &options(8192, 2)).unwrap();
    let spectrum = result.spectrum.unwrap();
    assert_eq!(spectrum.peak_hz(), Some(125.0));
    // The rate swings by 50 Hz: its variance, the integral of the density, is 50²/2 = 1250 Hz².
    let power = spectrum.density.iter().sum::<f64>() * spectrum.step_hz;
    assert!((power / 1250.0 - 1.0).abs() < 0.02, "{power}");
}

#[test]
fn the_transform_is_the_sum_it_stands_for() {
    for n in [2_usize, 16, 64] {
        let input: Vec<(f64, f64)> = (0..n)
            .map(|k| ((k * k % 7) as f64, (k % 3) as f64 - 1.0))
            .collect();
        let mut fast = input.clone();
        Fourier::new(n).transform(&mut fast);
        for (j, value) in fast.iter().enumerate() {
            let mut sum = (0.0, 0.0);
            for (k, x) in input.iter().enumerate() {
                let angle = -2.0 * std::f64::consts::PI * (j * k % n) as f64 / n as f64;
                sum.0 += x.0 * angle.cos() - x.1 * angle.sin();
                sum.1 += x.0 * angle.sin() + x.1 * angle.cos();
            }
            assert!((value.0 - sum.0).abs() < 1e-9 && (value.1 - sum.1).abs() < 1e-9);
        }
    }
}

#[test]
fn absurd_sizes_and_windows_are_refused_before_anything_is_allocated() {
    let mut huge = PopulationSpikes {
        name: "E",
        size: u32::MAX,
        spikes: Spikes::default(),
    };
    let limited = AnalysisOptions {
        memory_limit: 1 << 30,
        ..options(100, 4)
    };
    let message = analyse(&mut huge, &limited).unwrap_err().to_string();
    assert!(message.contains("4294967295 neurons"), "{message}");
    huge.size = 1;
    let error = analyse(&mut huge, &options(u64::MAX, 4)).unwrap_err();
    assert!(matches!(error, AnalysisError::TooLong { .. }), "{error}");
}

#[test]
fn few_or_silent_neurons_have_what_can_be_told_of_them() {
    let silent = Trains {
        steps: vec![],
        neurons: vec![],
        size: 3,
    };
    let result = analyse(&mut silent.population(), &options(5000, 4)).unwrap();
    assert_eq!((result.correlation, result.pairs), (None, 0));
    assert_eq!(result.spectrum, None);
    assert_eq!(result.rates.counts, [3]);
    assert_eq!(result.cvs.mean, None);
    let short = Trains::random(3, 20, 2, false);
    let result = analyse(&mut short.population(), &options(20, 4)).unwrap();
    assert_eq!(result.spectrum, None, "10 bins of 1 ms");
}

#[test]
fn distributions_have_round_bins_that_hold_all() {
    let values: Vec<f64> = (0..=100).map(|k| f64::from(k) * 0.73).collect();
    let distribution = Distribution::of(values.iter().copied());
    assert_eq!(distribution.width, 2.0);
    assert_eq!(distribution.neurons(), 101);
    assert!((distribution.mean.unwrap() - 36.5).abs() < 1e-9);
    for largest in [0.0, 1e-300, 1e300, 0.4, 39.999, 40.0] {
        let all = Distribution::of([0.0, largest].into_iter());
        assert_eq!(all.neurons(), 2, "{largest}");
        assert!(all.counts.len() <= 40);
    }
}

proptest! {
    /// Sums over sparse bins are the textbook's coefficients, and the sums kept while spikes come in
    /// are those of the functions over whole columns.
    #[test]
    fn correlation_is_pearsons(
        mut spikes in prop::collection::btree_set((1_u64..200, 0_u32..6), 0..300),
        bin in 1_u64..9,
        start in 0_u64..20,
    ) {
        let end = 190;
        spikes.retain(|&(step, _)| step <= end);
        let (steps, neurons): (Vec<u64>, Vec<u32>) = spikes.into_iter().unzip();
        let trains = Trains { steps, neurons, size: 6 };
        let window = AnalysisOptions { start_step: start, ..options(end, bin) };
        let result = analyse(&mut trains.population(), &window).unwrap();
        let summary = crate::statistics::summarise(
            trains.population().spikes, 6, 0.5, start, end).unwrap();
        prop_assert_eq!(result.statistics, summary);
        let bins = ((end - start) / bin) as usize;
        let mut counts = vec![vec![0.0; bins]; 6];
        for (&step, &neuron) in trains.steps.iter().zip(&trains.neurons) {
            if step > start && ((step - start - 1) / bin) < bins as u64 {
                counts[neuron as usize][((step - start - 1) / bin) as usize] += 1.0;
            }
        }
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let covariance = |x: &[f64], y: &[f64]| {
            let (a, b) = (mean(x), mean(y));
            x.iter().zip(y).map(|(p, q)| (p - a) * (q - b)).sum::<f64>()
        };
        let varies = |x: &[f64]| x.iter().any(|&c| c != x[0]);
        let (mut sum, mut pairs) = (0.0, 0);
        for i in 0..6 {
            for j in 0..i {
                let (x, y) = (&counts[i], &counts[j]);
                if varies(x) && varies(y) {
                    sum += covariance(x, y) / (covariance(x, x) * covariance(y, y)).sqrt();
                    pairs += 1;
                }
            }
        }
        prop_assert_eq!(result.pairs, pairs);
        if let Some(correlation) = result.correlation {
            prop_assert!((correlation - sum / pairs as f64).abs() < 1e-9);
        }
    }
}
