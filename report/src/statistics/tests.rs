//! Hand-computed cases, and a plain float implementation that shares no code with the judged one.

use super::*;
use crate::bytes::{Decoder, Encoder};
use proptest::prelude::*;

fn of(spikes: &[(u64, u32)], n: u32, dt_ms: f64, start: u64, end: u64) -> Statistics {
    let steps: Vec<u64> = spikes.iter().map(|s| s.0).collect();
    let neurons: Vec<u32> = spikes.iter().map(|s| s.1).collect();
    summarise(Spikes::new(&steps, &neurons).unwrap(), n, dt_ms, start, end).unwrap()
}

#[test]
fn rate_counts_only_the_window() {
    // dt 0.5 ms, steps 3..=8 are 3 ms; spikes at 3 and 8 are in, 2 and 9 are out; 2 neurons.
    let s = of(&[(2, 0), (3, 0), (8, 1), (9, 1)], 2, 0.5, 2, 8);
    assert_eq!(s.spikes, 2);
    assert_eq!(s.window_s, 0.003);
    assert!((s.rate_hz - 2.0 / 2.0 / 0.003).abs() < 1e-9);
}

#[test]
fn cv_of_intervals_one_and_three_is_a_half() {
    // Neuron 0: intervals 10 and 30, mean 20, sd 10, CV 0.5. Neuron 1: regular, CV 0.
    // Neuron 2: two spikes, does not count.
    let spikes = [
        (10, 0),
        (15, 2),
        (20, 0),
        (20, 1),
        (30, 1),
        (40, 1),
        (50, 0),
        (55, 2),
    ];
    assert_eq!(of(&spikes, 3, 0.1, 0, 100).cv_isi, Some(0.25));
}

#[test]
fn cv_needs_three_spikes_inside_the_window() {
    let spikes = [(10, 0), (20, 0), (50, 0)];
    assert_eq!(of(&spikes, 1, 0.1, 0, 100).cv_isi, Some(0.5));
    assert_eq!(of(&spikes, 1, 0.1, 10, 100).cv_isi, None);
    assert_eq!(of(&[], 4, 0.1, 0, 100).cv_isi, None);
}

#[test]
fn synchrony_of_counts_four_and_zero_is_two() {
    // dt 1 ms: bins are steps 1–3 and 4–6; step 7 lies in a bin that is not whole.
    let spikes = [(1, 0), (1, 1), (2, 0), (3, 1), (7, 0), (7, 1)];
    let s = of(&spikes, 2, 1.0, 0, 8);
    assert_eq!(s.spikes, 6);
    assert_eq!(s.synchrony, Some(2.0)); // mean 2, variance 4
}

#[test]
fn synchrony_of_equal_counts_is_zero_and_of_nothing_is_none() {
    let spikes = [(3, 0), (6, 0), (9, 0)];
    assert_eq!(of(&spikes, 1, 1.0, 0, 9).synchrony, Some(0.0));
    assert_eq!(of(&[], 1, 1.0, 0, 9).synchrony, None);
    assert_eq!(of(&[(8, 0)], 1, 1.0, 0, 8).synchrony, None); // only in the bin cut off
    assert_eq!(of(&[(1, 0)], 1, 1.0, 0, 2).synchrony, None); // no whole bin at all
}

#[test]
fn bins_start_at_the_window() {
    // Behind step 1, bins are 2–4 and 5–7: counts 1 and 1. From step 0 they would be 0 and 2.
    let spikes = [(4, 0), (5, 0)];
    assert_eq!(of(&spikes, 1, 1.0, 1, 7).synchrony, Some(0.0));
    assert_eq!(of(&spikes, 1, 1.0, 0, 6).synchrony, Some(1.0));
}

#[test]
fn bad_input_is_named() {
    use StatisticsError::{BehindWindow, EmptyWindow, NoNeurons, NoSuchNeuron, OutOfOrder};
    assert_eq!(PopulationStatistics::new(0, 0.1, 0).unwrap_err(), NoNeurons);
    assert!(matches!(
        PopulationStatistics::new(1, f64::NAN, 0).unwrap_err(),
        StatisticsError::TimeStep(_)
    ));
    let mut s = PopulationStatistics::new(2, 0.1, 10).unwrap();
    assert_eq!(
        s.push(5, &[0, 2]).unwrap_err(),
        NoSuchNeuron { neuron: 2, n: 2 }
    );
    s.push(20, &[0]).unwrap();
    assert_eq!(
        s.push(19, &[0]).unwrap_err(),
        OutOfOrder {
            step: 19,
            previous: 20
        }
    );
    assert_eq!(
        s.finish(10).unwrap_err(),
        EmptyWindow {
            start_step: 10,
            end_step: 10
        }
    );
    assert_eq!(
        s.finish(19).unwrap_err(),
        BehindWindow {
            step: 20,
            end_step: 19
        }
    );
    assert_eq!(s.finish(20).unwrap().spikes, 1);
}

/// The definitions, in floats and with every interval and bin in memory.
struct Naive {
    rate_hz: f64,
    cv_isi: Option<f64>,
    synchrony: Option<f64>,
}

fn naive(spikes: &[(u64, u32)], n: u32, dt_ms: f64, bin_steps: u64, start: u64, end: u64) -> Naive {
    let inside: Vec<_> = spikes
        .iter()
        .filter(|s| s.0 > start && s.0 <= end)
        .collect();
    let mut cvs = Vec::new();
    for neuron in 0..n {
        let times: Vec<f64> = inside
            .iter()
            .filter(|s| s.1 == neuron)
            .map(|s| s.0 as f64 * dt_ms)
            .collect();
        if times.len() < 3 {
            continue;
        }
        let isi: Vec<f64> = times.windows(2).map(|w| w[1] - w[0]).collect();
        let (mean, variance) = moments(&isi);
        cvs.push(variance.sqrt() / mean);
    }
    let bins = (end - start) / bin_steps;
    let counts: Vec<f64> = (0..bins)
        .map(|k| {
            let (from, to) = (start + k * bin_steps, start + (k + 1) * bin_steps);
            inside.iter().filter(|s| s.0 > from && s.0 <= to).count() as f64
        })
        .collect();
    let synchrony = (counts.iter().sum::<f64>() > 0.0).then(|| {
        let (mean, variance) = moments(&counts);
        variance / mean
    });
    Naive {
        rate_hz: inside.len() as f64 / f64::from(n) / ((end - start) as f64 * dt_ms * 1e-3),
        cv_isi: (!cvs.is_empty()).then(|| moments(&cvs).0),
        synchrony,
    }
}

fn moments(x: &[f64]) -> (f64, f64) {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    (
        mean,
        x.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / x.len() as f64,
    )
}

fn close(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-7 * b.abs().max(1.0),
        (None, None) => true,
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_plain_implementation(
        spikes in prop::collection::btree_set((1_u64..400, 0_u32..6), 0..200),
        n in 6_u32..9,
        grid in prop::sample::select(vec![(0.1, 30_u64), (0.25, 12), (0.5, 6), (1.0, 3), (0.01, 300)]),
        start in 0_u64..150,
        length in 1_u64..400,
    ) {
        let spikes: Vec<_> = spikes.into_iter().collect();
        let (dt_ms, bin_steps) = grid;
        let end = start + length;
        let judged = of(&spikes, n, dt_ms, start, end);
        let expected = naive(&spikes, n, dt_ms, bin_steps, start, end);
        prop_assert!(close(Some(judged.rate_hz), Some(expected.rate_hz)));
        prop_assert!(close(judged.cv_isi, expected.cv_isi), "{:?} {:?}", judged.cv_isi, expected.cv_isi);
        prop_assert!(
            close(judged.synchrony, expected.synchrony),
            "{:?} {:?}", judged.synchrony, expected.synchrony
        );
    }

    #[test]
    fn pushing_step_by_step_gives_the_bits_of_the_batch(
        spikes in prop::collection::btree_set((1_u64..300, 0_u32..5), 0..150),
        start in 0_u64..100,
    ) {
        let spikes: Vec<_> = spikes.into_iter().collect();
        let mut streaming = PopulationStatistics::new(5, 0.1, start).unwrap();
        for step in 1..=300_u64 {
            let neurons: Vec<u32> = spikes.iter().filter(|s| s.0 == step).map(|s| s.1).collect();
            streaming.push(step, &neurons).unwrap();
        }
        prop_assert_eq!(streaming.finish(300).unwrap(), of(&spikes, 5, 0.1, start, 300));
    }

    /// Saved at any moment and restored elsewhere, statistics go on as if they had stayed; saved
    /// bytes that are cut or belong to others are errors.
    #[test]
    fn saved_and_restored_they_continue(
        spikes in prop::collection::btree_set((1_u64..300, 0_u32..5), 0..150),
        start in 0_u64..100,
        cut in 0_u64..300,
    ) {
        let spikes: Vec<_> = spikes.into_iter().collect();
        let (steps, neurons): (Vec<u64>, Vec<u32>) = spikes.iter().copied().unzip();
        let columns = Spikes::new(&steps, &neurons).unwrap();
        let mut before = PopulationStatistics::new(5, 0.1, start).unwrap();
        before.extend(columns.window(0, cut)).unwrap();
        let mut out = Encoder::default();
        before.save(&mut out);
        let bytes = out.into_bytes();
        let mut after = PopulationStatistics::new(5, 0.1, start).unwrap();
        let mut from = Decoder::new(&bytes);
        after.restore(&mut from).unwrap();
        prop_assert_eq!(from.finish(), Ok(()));
        after.extend(columns.window(cut, 300)).unwrap();
        prop_assert_eq!(after.finish(300).unwrap(), of(&spikes, 5, 0.1, start, 300));
        let short = &bytes[..usize::try_from(cut).unwrap() % bytes.len()];
        prop_assert!(after.clone().restore(&mut Decoder::new(short)).is_err());
        let mut other = PopulationStatistics::new(6, 0.1, start).unwrap();
        prop_assert!(other.restore(&mut Decoder::new(&bytes)).is_err());
        let mut later = PopulationStatistics::new(5, 0.1, start + 1).unwrap();
        prop_assert!(later.restore(&mut Decoder::new(&bytes)).is_err());
    }
}
