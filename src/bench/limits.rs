//! What the machine allows: the yardstick of every other figure.

use std::hint::black_box;
use std::time::Instant;

use rheobase_engine::random::{Purpose, construction_stream};
use serde_json::json;

use super::spread::Spread;
use super::{Answers, BenchError, Measurement, Setting, float, thread_counts};

const KIB: usize = 1 << 10;
/// Sizes of the array that is added to or loaded from \[KiB\].
const TARGETS_KIB: [usize; 7] = [16, 64, 256, 1024, 4 * 1024, 16 * 1024, 40 * 1024];

pub(super) fn ask(setting: &Setting, answers: Answers<'_>) -> Result<(), BenchError> {
    let (rounds, shift) = if setting.quick { (2, 6) } else { (11, 0) };
    for threads in thread_counts(setting.threads) {
        let length = (1 << 24) >> shift;
        let rates = triad(threads, length, rounds);
        let case = json!({"what": "triad", "array_kib": 8 * length / KIB});
        let figures = json!({"gb_per_s": rates.json()});
        answers(Measurement::new("limits", threads, case, figures))?;
    }
    for kib in TARGETS_KIB {
        let n = kib * KIB / 4;
        let synapses = (1 << 24) >> shift;
        for (what, bytes, ns) in [
            ("index and weight", 8, weighted(n, synapses, rounds)),
            ("index, one weight", 4, constant::<u32>(n, synapses, rounds)),
        ] {
            answers(scatter(kib, what, bytes, ns))?;
        }
        if n <= 1 << 16 {
            let ns = constant::<u16>(n, synapses, rounds);
            answers(scatter(kib, "short index, one weight", 2, ns))?;
        }
    }
    for kib in TARGETS_KIB {
        let ns = chase(kib * KIB / 4, (1 << 21) >> shift, rounds);
        let case = json!({"what": "dependent load", "array_kib": kib});
        let figures = json!({"ns_per_load": ns.json()});
        answers(Measurement::new("limits", 1, case, figures))?;
    }
    Ok(())
}

fn scatter(kib: usize, list: &str, bytes: usize, ns: Spread) -> Measurement {
    let case = json!({
        "what": "scatter-add", "array_kib": kib, "list": list, "bytes_per_addition": bytes,
    });
    let figures = json!({"ns_per_addition": ns.json(), "additions_per_s": 1e9 / ns.median});
    Measurement::new("limits", 1, case, figures)
}

/// a = b + 3 c over arrays of `length` doubles, shared by `threads`: 24 bytes per element \[GB/s\].
fn triad(threads: usize, length: usize, rounds: usize) -> Spread {
    let mut a = vec![0.0_f64; length];
    let b: Vec<f64> = vec![1.0; length];
    let c: Vec<f64> = vec![2.0; length];
    let share = length.div_ceil(threads);
    let mut round = || {
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let parts = a
                .chunks_mut(share)
                .zip(b.chunks(share).zip(c.chunks(share)));
            for (a, (b, c)) in parts {
                scope.spawn(move || {
                    for ((a, b), c) in a.iter_mut().zip(b).zip(c) {
                        *a = b + 3.0 * c;
                    }
                });
            }
        });
        black_box(&mut a);
        float(24 * length as u64) / begun.elapsed().as_secs_f64() * 1e-9
    };
    round();
    Spread::of((0..rounds).map(|_| round()).collect())
}

/// Random indices below `n`.
fn indices(n: usize, count: usize) -> Vec<u32> {
    let mut stream = construction_stream(1, Purpose::Rule, 0, 0);
    let n = u32::try_from(n).unwrap_or(u32::MAX);
    (0..count).map(|_| stream.below(n)).collect()
}

/// Each synapse an index and a weight, 8 bytes \[ns per addition\].
fn weighted(n: usize, synapses: usize, rounds: usize) -> Spread {
    let list: Vec<(u32, f32)> = indices(n, synapses)
        .into_iter()
        .map(|i| (i, 1e-3))
        .collect();
    timed(n, synapses, rounds, |sums| {
        for &(index, weight) in &list {
            if let Some(sum) = sums.get_mut(index as usize) {
                *sum += weight;
            }
        }
    })
}

/// Each synapse an index, all of one weight \[ns per addition\].
fn constant<I: Copy + TryFrom<u32> + Into<u32>>(
    n: usize,
    synapses: usize,
    rounds: usize,
) -> Spread {
    let list: Vec<I> = indices(n, synapses)
        .into_iter()
        .filter_map(|i| I::try_from(i).ok())
        .collect();
    let weight = black_box(1e-3_f32);
    timed(n, synapses, rounds, |sums| {
        for &index in &list {
            if let Some(sum) = sums.get_mut(index.into() as usize) {
                *sum += weight;
            }
        }
    })
}

fn timed(n: usize, synapses: usize, rounds: usize, add: impl Fn(&mut [f32])) -> Spread {
    let mut sums = vec![0.0_f32; n];
    let mut round = || {
        let begun = Instant::now();
        add(&mut sums);
        black_box(&mut sums);
        begun.elapsed().as_secs_f64() * 1e9 / float(synapses as u64)
    };
    round();
    Spread::of((0..rounds).map(|_| round()).collect())
}

/// Follows a cycle through an array in random order: each load waits for the one before \[ns\].
fn chase(n: usize, loads: usize, rounds: usize) -> Spread {
    let next = cycle(n);
    let mut at = 0_u32;
    let mut round = || {
        let begun = Instant::now();
        for _ in 0..loads {
            at = next.get(at as usize).copied().unwrap_or(0);
        }
        black_box(at);
        begun.elapsed().as_secs_f64() * 1e9 / float(loads as u64)
    };
    round();
    Spread::of((0..rounds).map(|_| round()).collect())
}

/// A permutation of 0 … n − 1 that is one cycle (Sattolo's shuffle).
fn cycle(n: usize) -> Vec<u32> {
    let mut next: Vec<u32> = (0..u32::try_from(n).unwrap_or(u32::MAX)).collect();
    let mut stream = construction_stream(1, Purpose::Rule, 0, 1);
    for i in (1..next.len()).rev() {
        let below = stream.below(u32::try_from(i).unwrap_or(u32::MAX));
        next.swap(i, below as usize);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cycle_visits_every_place() {
        let next = cycle(1000);
        let (mut at, mut seen) = (0, 0);
        loop {
            at = next[at] as usize;
            seen += 1;
            if at == 0 {
                break;
            }
        }
        assert_eq!(seen, 1000);
    }

    #[test]
    fn indices_cover_the_array() {
        let indices = indices(100, 10_000);
        assert_eq!(indices.iter().max(), Some(&99));
        assert_eq!(indices.iter().min(), Some(&0));
    }
}
