//! What happens at the same moment, and at the ends of refractory times. Steps of 0.25 ms and binary
//! fractions: every number is exact.

use super::{Case, Leaky, times};
use crate::actor::RunError;

/// Rises by 1 per ms; threshold 1.
const RAMP: Leaky = Leaky {
    tau_ms: 1.0,
    rest: 1.0,
    threshold: 1.0,
    reset: 0.0,
    refractory_ms: 0.0,
    leak: false,
};

/// Keeps its value: nothing but events moves it.
const STILL: Leaky = Leaky { rest: 0.0, ..RAMP };

/// A neuron that gets events of these weights at these times, from the grid.
fn with_events(neuron: Leaky, events: &[(f64, f64)]) -> Case {
    let mut case = Case::one(neuron, 0.0, 0.25);
    case.from_grid = (0..)
        .zip(events)
        .map(|(k, &(t, w))| (k, 0, t - 0.25, w))
        .collect();
    case.grid_spikes = (0..u32::try_from(events.len()).unwrap())
        .map(|k| (1, k))
        .collect();
    case
}

fn spike_times(case: &Case, last: u64) -> Vec<f64> {
    let spikes = case.run(1, 4, last, &[]).unwrap();
    times(&spikes, case.dt_ms)
        .into_iter()
        .map(|(t, _)| t)
        .collect()
}

#[test]
fn a_spike_comes_before_an_event_at_the_same_moment() {
    // It would hold the neuron below its threshold; it acts on the neuron as it is after the spike.
    let case = with_events(RAMP, &[(1.0, -0.5), (3.0, 0.0)]);
    assert_eq!(spike_times(&case, 16), [1.0, 2.5, 3.5]);
    // Just before, it does hold it.
    let case = with_events(RAMP, &[(0.875, -0.5)]);
    assert_eq!(spike_times(&case, 12), [1.5, 2.5]);
}

#[test]
fn an_event_fires_a_neuron_at_its_own_moment() {
    let case = with_events(STILL, &[(0.375, 0.5), (1.3125, 0.5), (2.0, 1.5)]);
    assert_eq!(spike_times(&case, 12), [1.3125, 2.0]);
    let below = with_events(STILL, &[(0.375, 0.5), (1.3125, 0.499_999_999_999)]);
    assert!(spike_times(&below, 12).is_empty());
}

#[test]
fn simultaneous_events_act_together_in_a_fixed_order() {
    // Neither sign alone would do: 0.75 fires only if −0.5 does not come with it.
    let case = with_events(STILL, &[(0.5, 1.25), (0.5, -0.5)]);
    assert!(spike_times(&case, 8).is_empty());
    // In the order of the sources 2⁶⁰ swallows the first 1 and the second 1 stays.
    let big = (1_u64 << 60) as f64;
    let case = with_events(STILL, &[(0.5, 1.0), (0.5, big), (0.5, -big), (0.5, 0.5)]);
    assert!(spike_times(&case, 8).is_empty());
    let case = with_events(STILL, &[(0.5, 0.5), (0.5, big), (0.5, -big), (0.5, 1.0)]);
    assert_eq!(spike_times(&case, 8), [0.5]);
}

#[test]
fn a_refractory_time_is_exact_and_half_open() {
    let neuron = Leaky {
        refractory_ms: 0.8125,
        ..RAMP
    };
    // Fires at 1, is free from 1.8125 on, fires 1 ms after that.
    assert_eq!(
        spike_times(&Case::one(neuron, 0.0, 0.25), 16),
        [1.0, 2.8125]
    );
    // What arrives until then is lost; at its end it counts.
    let case = with_events(neuron, &[(1.0, 0.5), (1.5, 0.5), (1.8125, 0.25)]);
    assert_eq!(spike_times(&case, 12), [1.0, 2.5625]);
    let case = with_events(neuron, &[(1.8125, 1.0)]);
    assert_eq!(spike_times(&case, 8), [1.0, 1.8125]);
}

#[test]
fn a_neuron_at_its_threshold_fires_at_once() {
    let mut case = Case::one(RAMP, 1.0, 0.25);
    let found = spike_times(&case, 7);
    assert_eq!(found.len(), 2);
    assert!(
        found[0] > 0.0 && found[0] < 1e-300 && found[1] == 1.0,
        "{found:?}"
    );
    case.initial[0] = 0.5;
    assert_eq!(spike_times(&case, 8), [0.5, 1.5]);
}

#[test]
fn a_neuron_that_fires_without_end_is_named() {
    let neuron = Leaky { reset: 2.0, ..RAMP };
    let error = Case::one(neuron, 0.0, 0.25).run(1, 4, 12, &[]).unwrap_err();
    let RunError::Unending {
        neuron: 0, time_ms, ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(time_ms, 1.0);
    assert!(error.to_string().contains("`E`, neuron 0"), "{error}");
}

/// A spike with delay d reaches its target d later, off the grid, and not a step later.
#[test]
fn delays_are_real_numbers() {
    let mut case = Case::one(RAMP, 0.0, 0.25);
    case.neurons.push(STILL);
    case.initial.push(0.0);
    case.recurrent = vec![(0, 1, 0.3125, 0.5), (0, 1, 0.25, 0.5), (0, 1, 1.5, 1.0)];
    let spikes = case.run(2, 1, 12, &[]).unwrap();
    let of_second: Vec<f64> = times(&spikes, 0.25)
        .into_iter()
        .filter(|(_, n)| *n == 1)
        .map(|(t, _)| t)
        .collect();
    assert_eq!(of_second, [1.3125, 2.3125, 2.5]);
}
