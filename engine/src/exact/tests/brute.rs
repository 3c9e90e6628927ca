//! Random networks against a simulator that keeps a plain list of events and looks at every neuron at
//! every one of them.

use proptest::prelude::*;

use super::{Case, Leaky, times};

/// All spikes up to `end_ms`, by time.
fn simulate(case: &Case, end_ms: f64) -> Vec<(f64, u32)> {
    let n = case.neurons.len();
    let mut v = case.initial.clone();
    let mut free_at = vec![f64::NEG_INFINITY; n];
    let mut events: Vec<(f64, usize, f64)> = Vec::new();
    for &(step, source) in &case.grid_spikes {
        for &(s, target, delay, weight) in &case.from_grid {
            if s == source {
                events.push((step as f64 * case.dt_ms + delay, target as usize, weight));
            }
        }
    }
    let mut spikes = Vec::new();
    let mut now = 0.0;
    loop {
        // The next thing to happen anywhere.
        let mut next = (end_ms, None);
        for i in 0..n {
            let p = case.neurons[i];
            let at = if free_at[i] > now {
                free_at[i]
            } else if v[i] >= p.threshold {
                now
            } else if p.rest > p.threshold {
                now - p.tau_ms * ((p.rest - p.threshold) / (p.rest - v[i])).ln()
            } else {
                continue;
            };
            if at < next.0 {
                next = (at, Some(i));
            }
        }
        let event = events.iter().map(|e| e.0).fold(f64::INFINITY, f64::min);
        let to = next.0.min(event);
        if to >= end_ms {
            return spikes;
        }
        for i in 0..n {
            if free_at[i] <= now {
                let p = case.neurons[i];
                v[i] = p.rest - (p.rest - v[i]) * (-(to - now) / p.tau_ms).exp();
            }
        }
        now = to;
        let mut fires: Vec<usize> = Vec::new();
        if next.0 <= event {
            let i = next.1.unwrap();
            if free_at[i] != now {
                fires.push(i);
            } else {
                // It is free again; nothing else happens.
                free_at[i] = f64::NEG_INFINITY;
            }
        } else {
            let due: Vec<_> = events.iter().copied().filter(|e| e.0 == event).collect();
            events.retain(|e| e.0 != event);
            for (_, i, weight) in due {
                if free_at[i] <= now {
                    v[i] += weight;
                    if v[i] >= case.neurons[i].threshold {
                        fires.push(i);
                    }
                }
            }
            fires.dedup();
        }
        for i in fires {
            spikes.push((now, u32::try_from(i).unwrap()));
            v[i] = case.neurons[i].reset;
            if case.neurons[i].refractory_ms > 0.0 {
                free_at[i] = now + case.neurons[i].refractory_ms;
            }
            for &(s, target, delay, weight) in &case.recurrent {
                if s as usize == i {
                    events.push((now + delay, target as usize, weight));
                }
            }
        }
    }
}

/// Numbers that look random, from a seed.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
    fn below(&mut self, n: u32) -> u32 {
        ((self.next() * f64::from(n)) as u32).min(n - 1)
    }
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }
}

fn network(seed: u64, n: u32, dt_ms: f64) -> Case {
    let mut random = Numbers(seed);
    let neurons: Vec<Leaky> = (0..n)
        .map(|_| Leaky {
            tau_ms: random.between(8.0, 20.0),
            rest: random.between(0.9, 1.6),
            threshold: 1.0,
            reset: random.between(-0.3, 0.3),
            refractory_ms: if random.next() < 0.3 {
                0.0
            } else {
                random.between(0.1, 3.0)
            },
            leak: true,
        })
        .collect();
    let initial = (0..n).map(|_| random.between(-0.5, 0.99)).collect();
    let mut synapse = |n_source: u32, low: f64| {
        let ends = (random.below(n_source), random.below(n));
        (
            ends.0,
            ends.1,
            random.between(low, 4.0),
            random.between(-0.25, 0.3),
        )
    };
    let recurrent = (0..n * 5).map(|_| synapse(n, 1.0)).collect();
    let from_grid = (0..n * 2).map(|_| synapse(100, 0.0)).collect();
    let mut grid_spikes: Vec<(u64, u32)> = (0..100)
        .map(|_| (1 + u64::from(random.below(300)), random.below(100)))
        .collect();
    grid_spikes.sort_unstable();
    Case {
        dt_ms,
        neurons,
        initial,
        recurrent,
        from_grid,
        grid_spikes,
        adaptive: false,
    }
}

fn assert_close(found: &[(f64, u32)], expected: &[(f64, u32)]) {
    assert!(expected.len() > 50, "{}", expected.len());
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!(a.1 == b.1 && (a.0 - b.0).abs() < 1e-9, "{a:?} {b:?}");
    }
}

#[test]
fn networks_fire_as_a_plain_list_of_events_says() {
    for (seed, dt_ms) in [(1, 0.1), (2, 0.25), (3, 0.1), (4, 1.0), (5, 0.03)] {
        let case = network(seed, 30, dt_ms);
        let last = (60.0 / dt_ms) as u64;
        let end_ms = last as f64 * dt_ms;
        let slice = (1.0 / dt_ms + 1e-9) as usize;
        let found = case.run(1, slice, last, &[]).unwrap();
        assert_close(&times(&found, dt_ms), &simulate(&case, end_ms));
    }
}

/// A finite horizon only makes neurons look more often.
#[test]
fn looking_ahead_in_pieces_finds_the_same_spikes() {
    let mut case = network(7, 20, 0.1);
    let whole = case.run(1, 10, 800, &[]).unwrap();
    case.adaptive = true;
    let pieces = case.run(1, 10, 800, &[]).unwrap();
    assert_close(&times(&pieces, 0.1), &times(&whole, 0.1));
}

/// The grid of an exact network only cuts time into slices.
#[test]
fn spike_times_do_not_depend_on_the_step() {
    let mut fine = network(8, 30, 0.05);
    fine.grid_spikes.clear();
    let mut coarse = network(8, 30, 0.8);
    coarse.grid_spikes.clear();
    let a = fine.run(1, 20, 1600, &[]).unwrap();
    let b = coarse.run(2, 1, 100, &[]).unwrap();
    assert_close(&times(&a, 0.05), &times(&b, 0.8));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Bit for bit, however the population is cut into shards and the run into calls.
    #[test]
    fn shards_and_calls_change_no_bit(
        seed in 0_u64..1_000_000,
        n_shards in 2_u32..9,
        slice in 1_usize..10,
        mut cuts in prop::collection::vec(1_u64..300, 0..6),
    ) {
        cuts.sort_unstable();
        let case = network(seed, 24, 0.1);
        let whole = case.run(1, 10, 300, &[]).unwrap();
        let cut = case.run(n_shards, slice, 300, &cuts).unwrap();
        prop_assert!(whole.len() > 10, "{}", whole.len());
        let bits = |s: &crate::record::Spikes| -> Vec<u64> {
            s.offsets_ms.iter().map(|x| x.to_bits()).collect()
        };
        prop_assert_eq!(bits(&whole), bits(&cut));
        prop_assert_eq!((whole.steps, whole.neurons), (cut.steps, cut.neurons));
    }
}
