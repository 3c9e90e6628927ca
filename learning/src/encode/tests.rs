//! Encoders against closed forms, and what holds for all of them.

use proptest::prelude::*;
use rheobase_engine::port::LayerInput;

use super::*;

fn all() -> Vec<Box<dyn Encoder<f32>>> {
    vec![
        Box::new(Poisson { scale: 0.9 }),
        Box::new(Latency::Linear),
        Box::new(Latency::Logarithmic),
        Box::new(Latency::Activity),
        Box::new(WeightedPhase { phases: 5 }),
        Box::new(Integrate::default()),
    ]
}

/// Samples of 301 elements: more than two chunks, the last one odd; the middle one blank.
fn values(numbers: &[u32]) -> Vec<f32> {
    let value = |n: u32, e: u32| match e {
        128..256 => 0.0,
        _ => f32::from(u8::try_from((n * 31 + e * 17) % 31).unwrap()) / 32.0,
    };
    let sample = |&n: &u32| (0..301).map(move |e| value(n, e));
    numbers.iter().flat_map(sample).collect()
}

fn encode(encoder: &dyn Encoder<f32>, numbers: &[u32], steps: usize) -> (Vec<f32>, SpikeLists) {
    let values = values(numbers);
    let samples = Samples::new(&values, 301, numbers).unwrap();
    let draws = Draws::new(3, 1);
    let (mut array, mut lists) = (vec![9.0; 5], SpikeLists::default());
    dense(encoder, steps, samples, draws, &mut array).unwrap();
    spikes(encoder, steps, samples, draws, &mut lists).unwrap();
    (array, lists)
}

#[test]
fn lists_and_arrays_hold_the_same_spikes() {
    for encoder in all() {
        let (array, lists) = encode(encoder.as_ref(), &[4, 0, 9], 7);
        assert_eq!((array.len(), lists.n_rows()), (7 * 3 * 301, 21));
        for (r, row) in array.chunks_exact(301).enumerate() {
            let fired = (0..).zip(row).filter(|&(_, &x)| x == 1.0);
            let fired: Vec<u32> = fired.map(|(e, _)| e).collect();
            assert_eq!(lists.row(r), fired);
            assert!(row.iter().all(|&x| x == 0.0 || x == 1.0));
        }
        assert!(lists.indices.len() > 100);
        assert!(lists.row(21).is_empty());
        let LayerInput::Spikes { offsets, width, .. } = lists.input::<f32>() else {
            panic!("spikes")
        };
        assert_eq!((offsets.len(), width), (22, 301));
    }
}

#[test]
fn nothing_is_left_of_an_earlier_batch() {
    let (mut array, mut lists) = (Vec::new(), SpikeLists::default());
    for (values, elements) in [(vec![1.0_f32; 12], 6), (vec![0.0, 1.0], 2)] {
        let numbers: Vec<u32> = (0..2).take(values.len() / elements).collect();
        let samples = Samples::new(&values, elements, &numbers).unwrap();
        let draws = Draws::new(1, 0);
        dense(&Poisson::default(), 2, samples, draws, &mut array).unwrap();
        spikes(&Poisson::default(), 2, samples, draws, &mut lists).unwrap();
    }
    assert_eq!(array, [0.0, 1.0, 0.0, 1.0]);
    assert_eq!((lists.offsets, lists.indices), (vec![0, 1, 2], vec![1, 1]));
    assert_eq!(lists.width, 2);
}

#[test]
fn a_sample_does_not_depend_on_its_batch() {
    for encoder in all() {
        let (_, batch) = encode(encoder.as_ref(), &[4, 0, 9], 6);
        for (place, number) in [4, 0, 9].into_iter().enumerate() {
            let (_, alone) = encode(encoder.as_ref(), &[number], 6);
            for step in 0..6 {
                assert_eq!(alone.row(step), batch.row(3 * step + place));
            }
        }
    }
}

#[test]
fn epochs_seeds_samples_and_steps_draw_apart() {
    let values = [0.5_f32; 2 * 64];
    let rows = |seed, epoch| {
        let samples = Samples::new(&values, 64, &[0, 1]).unwrap();
        let mut lists = SpikeLists::default();
        let draws = Draws::new(seed, epoch);
        spikes(&Poisson::default(), 2, samples, draws, &mut lists).unwrap();
        (0..4).map(|r| lists.row(r).to_vec()).collect::<Vec<_>>()
    };
    let all = [rows(1, 0), rows(1, 1), rows(2, 0)].concat();
    for (k, row) in all.iter().enumerate() {
        assert!(!all[..k].contains(row), "{k}");
    }
    assert_eq!(rows(1, 0), rows(1, 0));
}

/// Counts of 16,384 elements over 64 steps at six probabilities: mean within 4 standard errors,
/// variance within 4 of its own; counts of neighbours and of successive steps uncorrelated. Seeds 1 to
/// 3. With 72 figures, a chance of 0.5 % that one of them is beyond 4. Probabilities are such that the
/// rarest coincidence counted, two spikes or two silences of an element in a row, is expected 400 times.
#[test]
fn counts_are_binomial() {
    const N: usize = 16_384;
    let (steps, n) = (64, 16_384.0);
    for seed in 1..=3 {
        for p in [0.02, 0.1, 0.3, 0.5, 0.9, 0.98] {
            let values = vec![p; N];
            let samples = Samples::new(&values, N, &[5]).unwrap();
            let mut out = Vec::new();
            dense(
                &Poisson::default(),
                steps,
                samples,
                Draws::new(seed, 0),
                &mut out,
            )
            .unwrap();
            let counts = crate::decode::spike_counts(&out, [steps, 1, N]).unwrap();
            let mean = counts.iter().sum::<f64>() / n;
            let variance = counts.iter().map(|c| (c - mean) * (c - mean)).sum::<f64>() / n;
            let one = p * (1.0 - p);
            let expected = 64.0 * one;
            let z_mean = (mean - 64.0 * p) / (expected / n).sqrt();
            // Variance of the sample variance: (m₄ − σ⁴)/n, m₄ of the binomial.
            let m4 = expected * (1.0 + (3.0 * 64.0 - 6.0) * one);
            let z_variance = (variance - expected) / ((m4 - expected * expected) / n).sqrt();
            let neighbours: f64 = counts
                .chunks_exact(2)
                .map(|c| (c[0] - mean) * (c[1] - mean))
                .sum();
            let z_neighbours = neighbours / (expected * (n / 2.0).sqrt());
            let successive = out.iter().zip(&out[N..]);
            let successive: f64 = successive.map(|(a, b)| (a - p) * (b - p)).sum();
            let z_steps = successive / (one * (63.0 * n).sqrt());
            let figures = [z_mean, z_variance, z_neighbours, z_steps];
            println!("seed {seed}, p {p}: {figures:.2?}");
            assert!(figures.iter().all(|z| z.abs() < 4.0));
        }
    }
}

#[test]
fn probabilities_of_0_and_1_are_exact() {
    let values: Vec<f64> = (0..4096).map(|k| f64::from(k % 2)).collect();
    let samples = Samples::new(&values, 4096, &[0]).unwrap();
    let mut out = Vec::new();
    dense(
        &Poisson::default(),
        500,
        samples,
        Draws::new(1, 0),
        &mut out,
    )
    .unwrap();
    assert!(out.chunks_exact(4096).all(|row| row == values));
}

/// Every x of a grid hits the step that the formulas of the source give, computed as they stand there.
#[test]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "steps"
)]
fn latencies_hit_the_steps_of_the_formulas() {
    let grid: Vec<f64> = (0..=1000).map(|k| f64::from(k) / 1000.0).collect();
    let samples = Samples::new(&grid, grid.len(), &[0]).unwrap();
    for steps in [1_u16, 2, 10, 50, 300] {
        let last = f64::from(steps) - 1.0;
        let alpha = last.exp() - 1.0;
        let formulas: [(Latency, &dyn Fn(f64) -> f64); 3] = [
            (Latency::Linear, &|x| last * (1.0 - x)),
            (Latency::Logarithmic, &|x| last - (alpha * x + 1.0).ln()),
            (Latency::Activity, &|x| (last + 1.0) * (1.0 - x)),
        ];
        for (latency, formula) in formulas {
            let mut out = Vec::new();
            let n = usize::from(steps);
            dense(&latency, n, samples, Draws::new(1, 0), &mut out).unwrap();
            let times = crate::decode::first_spike(&out, [n, 1, grid.len()]).unwrap();
            for (&x, t) in grid.iter().zip(times) {
                assert_eq!(t, formula(x).round_ties_even() as usize, "{latency:?} {x}");
            }
            let n_spikes = out.iter().sum::<f64>();
            let silent = grid
                .iter()
                .filter(|&&x| formula(x).round_ties_even() > last);
            assert_eq!(n_spikes as usize, grid.len() - silent.count());
        }
    }
}

#[test]
fn logarithmic_latencies_survive_many_steps() {
    let samples = Samples::new(&[0.0, 1e-300, 1.0], 3, &[0]).unwrap();
    let mut lists = SpikeLists::default();
    let draws = Draws::new(1, 0);
    spikes(&Latency::Logarithmic, 5000, samples, draws, &mut lists).unwrap();
    // −ln 1e-300 = 690.8; ln e^4999 = 4999.
    assert_eq!(
        (lists.row(0), lists.row(691)),
        ([2].as_slice(), [1].as_slice())
    );
    assert_eq!(lists.row(4999), [0]);
}

#[test]
fn integrate_and_fire_by_hand() {
    let mut out = Vec::new();
    let samples = Samples::new(&[0.25, 1.5, -1.0], 3, &[0]).unwrap();
    let encoder = Integrate { threshold: 0.75 };
    dense(&encoder, 4, samples, Draws::new(1, 0), &mut out).unwrap();
    let of =
        |element: usize| -> Vec<f64> { out.iter().skip(element).step_by(3).copied().collect() };
    assert_eq!(of(0), [0.0, 0.0, 1.0, 0.0]);
    assert_eq!(of(1), [1.0; 4]);
    assert_eq!(of(2), [0.0; 4]);
}

#[test]
fn tunings_stand_where_the_formulas_say() {
    let tuning = Tuning::overlapping(-1.0, 3.0, 6).unwrap();
    assert_eq!(tuning.centres(), [-1.5, -0.5, 0.5, 1.5, 2.5, 3.5]);
    assert!((tuning.sigma() - 4.0 / 6.0).abs() < 1e-15);
    let tuning = Tuning::even(-1.0, 3.0, 5, 0.5).unwrap();
    assert_eq!(tuning.centres(), [-1.0, 0.0, 1.0, 2.0, 3.0]);
    let samples = Samples::new(&[0.25, 3.0], 1, &[0, 1]).unwrap();
    let activities = tuning.activities(samples).unwrap();
    assert_eq!((activities.len(), tuning.width(1)), (10, 5));
    for (k, a) in (0_i32..).zip(&activities) {
        let off = [0.25, 3.0][usize::from(k >= 5)] - (f64::from(k % 5) - 1.0);
        let expected = (-2.0 * off * off).exp();
        assert!((a - expected).abs() < 1e-15);
    }
}

#[test]
fn current_passes_through_bit_by_bit() {
    let values = [0.1_f32, -3.7e-12, f32::MAX, 0.0];
    let samples = Samples::new(&values, 2, &[0, 1]).unwrap();
    let (mut out, mut lists) = (Vec::new(), SpikeLists::default());
    let encoder = ConstantCurrent::default();
    let draws = Draws::new(1, 0);
    dense(&encoder, 3, samples, draws, &mut out).unwrap();
    assert_eq!(out, values.repeat(3));
    let error = spikes(&encoder, 3, samples, draws, &mut lists).unwrap_err();
    assert_eq!(error, EncodeError::NotSpikes);
}

#[test]
fn what_cannot_be_encoded_is_an_error() {
    assert!(Samples::new(&[0.0; 6], 4, &[0]).is_err());
    assert!(Samples::<f32>::new(&[], 4, &[]).is_err());
    assert!(Samples::new(&[0.0; 6], usize::MAX, &[0, 1]).is_err());
    let refuse = |encoder: &dyn Encoder<f64>, steps, value: f64| {
        let values = [0.5, value];
        let samples = Samples::new(&values, 1, &[3, 8]).unwrap();
        match encoder.begin(steps, samples, Draws::new(1, 0)) {
            Ok(_) => panic!("{value} was encoded"),
            Err(error) => error.to_string(),
        }
    };
    let text = "element 0 of sample 8 is 1.5: expected 0 … 1";
    assert_eq!(refuse(&Poisson::default(), 1, 1.5), text);
    assert_eq!(refuse(&Poisson { scale: 2.0 }, 1, 0.75), text);
    assert_eq!(refuse(&Latency::Linear, 1, 1.5), text);
    let phase = WeightedPhase { phases: 2 };
    let text = "element 0 of sample 8 is 0.76: expected 0 … 0.75";
    assert_eq!(refuse(&phase, 1, 0.76), text);
    for encoder in [
        &Poisson::default() as &dyn Encoder<f64>,
        &Latency::Linear,
        &phase,
        &Integrate::default(),
        &ConstantCurrent::default(),
    ] {
        for value in [f64::NAN, f64::INFINITY] {
            assert!(refuse(encoder, 1, value).starts_with("element 0 of sample 8 is"));
        }
        assert_eq!(refuse(encoder, 0, 0.5), "0 steps: expected 1 to 2^32 − 1");
    }
    refuse(&Poisson { scale: f64::NAN }, 1, 0.5);
    refuse(&WeightedPhase { phases: 0 }, 1, 0.5);
    refuse(&WeightedPhase { phases: 33 }, 1, 0.5);
    refuse(&Integrate { threshold: 0.0 }, 1, 0.5);
    refuse(&ConstantCurrent { scale: f64::NAN }, 1, 0.5);
    assert!(Tuning::new(vec![], 1.0).is_err());
    assert!(Tuning::new(vec![f64::NAN], 1.0).is_err());
    assert!(Tuning::new(vec![1.0], 0.0).is_err());
    assert!(Tuning::even(0.0, 1.0, 1, 1.0).is_err());
    assert!(Tuning::overlapping(0.0, 1.0, 2).is_err());
    assert!(Tuning::overlapping(1.0, 1.0, 4).is_err());
}

proptest! {
    /// Σ 2⁻ᵏ sₖ gives x back to within 2⁻ᴷ, from below.
    #[test]
    fn weighted_phases_add_up(x in 0.0_f64..=1.0, phases in 1_u32..=32) {
        let unit = (-f64::from(phases)).exp2();
        let x = x * (1.0 - unit);
        let values = [x];
        let samples = Samples::new(&values, 1, &[0]).unwrap();
        let mut out = Vec::new();
        let encoder = WeightedPhase { phases };
        dense(&encoder, 2 * phases as usize, samples, Draws::new(1, 0), &mut out).unwrap();
        let (first, again) = out.split_at(phases as usize);
        prop_assert_eq!(first, again);
        let sum: f64 = (1_u32..).zip(first).map(|(k, s)| s * (-f64::from(k)).exp2()).sum();
        prop_assert!(sum <= x && x - sum < unit);
    }

    /// As many spikes as the drive has crossed thresholds, as long as it is no larger than one.
    #[test]
    fn integrated_spikes_count_the_drive(x in 0.0_f64..=1.0) {
        let values = [x];
        let samples = Samples::new(&values, 1, &[0]).unwrap();
        let mut out = Vec::new();
        let encoder = Integrate { threshold: 1.0 };
        dense(&encoder, 50, samples, Draws::new(1, 0), &mut out).unwrap();
        let sum: f64 = out.iter().sum();
        prop_assert!((sum - 50.0 * x).abs() < 1.0 + 1e-9);
    }
}

/// Bits, lists and zeros and ones are the same spikes; threads do not matter.
#[test]
fn bits_are_the_spikes_of_lists() {
    let encoders: [Box<dyn Encoder<f32>>; 3] = [
        Box::new(Poisson::default()),
        Box::new(Latency::Linear),
        Box::new(WeightedPhase { phases: 5 }),
    ];
    for elements in [5, 64, 131] {
        let values: Vec<f32> = (0..3 * elements).map(|k| (k % 31) as f32 / 31.0).collect();
        let samples = Samples::new(&values, elements, &[7, 1, 3]).unwrap();
        let draws = Draws::new(3, 2);
        for encoder in &encoders {
            let mut lists = SpikeLists::default();
            spikes(encoder.as_ref(), 11, samples, draws, &mut lists).unwrap();
            let words = elements.div_ceil(64);
            for threads in [1, 2, 3, 20] {
                let mut found = Vec::new();
                bits(encoder.as_ref(), 11, samples, draws, threads, &mut found).unwrap();
                assert_eq!(found.len(), 33 * words);
                for (row, bits) in found.chunks(words).enumerate() {
                    let set = (0..elements as u32)
                        .filter(|&i| bits[i as usize / 64] >> (i % 64) & 1 == 1);
                    assert!(set.eq(lists.row(row).iter().copied()), "{threads} {row}");
                }
            }
        }
    }
    let constant = bits(
        &ConstantCurrent::default(),
        2,
        Samples::new(&[1.0_f32], 1, &[0]).unwrap(),
        Draws::new(1, 0),
        2,
        &mut Vec::new(),
    );
    assert_eq!(constant, Err(EncodeError::NotSpikes));
}
