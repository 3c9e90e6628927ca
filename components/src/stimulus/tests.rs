//! What stimuli draw: its statistics, and that it does not depend on how it is asked for.

use std::sync::Arc;

use proptest::prelude::*;
use rheobase_engine::port::{DriveType, SpikeSourceType, StimulusContext, StimulusType};
use rheobase_engine::random::{Philox, Purpose};
use rheobase_equations::unit::{Unit, parse_unit};

use crate::stimulus;

fn context(seed: u64, size: u32) -> StimulusContext {
    StimulusContext {
        dt_ms: 0.1,
        stream: Philox::new(seed, Purpose::Stimulus, 4),
        size,
    }
}

fn drive(name: &str, arguments: &[(&str, &str)]) -> Arc<dyn DriveType> {
    match make(name, arguments, Some(Unit::one())).unwrap() {
        StimulusType::Drive(drive) => drive,
        StimulusType::Source(_) => panic!("{name} is a source"),
    }
}

fn source(name: &str, arguments: &[(&str, &str)]) -> Arc<dyn SpikeSourceType> {
    match make(name, arguments, None).unwrap() {
        StimulusType::Source(source) => source,
        StimulusType::Drive(_) => panic!("{name} is a drive"),
    }
}

fn make(
    name: &str,
    arguments: &[(&str, &str)],
    port: Option<Unit>,
) -> Result<StimulusType, crate::MakeError> {
    let arguments: Vec<(&str, String)> =
        arguments.iter().map(|&(k, v)| (k, v.to_owned())).collect();
    stimulus(name, &arguments, port)
}

/// Event counts of `size` lanes over `steps` steps.
fn background(rate: &str, seed: u64, size: usize, steps: u64) -> Vec<f64> {
    let drive = drive("poisson_background", &[("rate", rate), ("weight", "1")]);
    let mut drive = drive.instantiate_f64(context(seed, size as u32));
    let mut lanes = vec![0.0; size];
    let mut counts = Vec::new();
    for step in 1..=steps {
        lanes.fill(0.0);
        drive.drive(step, 0, &mut lanes);
        counts.extend_from_slice(&lanes);
    }
    counts
}

/// Mean and variance over seeds 1 to 10, 2·10⁵ draws each: both within 4.5 standard errors per seed
/// and within 4 over all.
#[test]
fn background_has_poisson_mean_and_variance() {
    for (rate, mean) in [
        ("5 Hz", 5e-4),
        ("8 kHz", 0.8),
        ("20 kHz", 2.0),
        ("700 kHz", 70.0),
    ] {
        let n = 2e5;
        let (mut sum_mean, mut sum_variance) = (0.0, 0.0);
        let se_mean = f64::sqrt(mean / n);
        // Var(s²) = (μ₄ − σ⁴)/n with μ₄ = λ + 3λ².
        let se_variance = f64::sqrt((mean + 2.0 * mean * mean) / n);
        for seed in 1..=10 {
            let counts = background(rate, seed, 1000, 200);
            let m = counts.iter().sum::<f64>() / n;
            let v = counts.iter().map(|k| (k - m).powi(2)).sum::<f64>() / (n - 1.0);
            let (zm, zv) = ((m - mean) / se_mean, (v - mean) / se_variance);
            println!(
                "{rate} seed {seed}: mean {m:.5} ({zm:+.2} SE), variance {v:.5} ({zv:+.2} SE)"
            );
            assert!(zm.abs() < 4.5 && zv.abs() < 4.5);
            sum_mean += zm / f64::sqrt(10.0);
            sum_variance += zv / f64::sqrt(10.0);
        }
        println!("{rate}: mean {sum_mean:+.2} SE, variance {sum_variance:+.2} SE over all seeds");
        assert!(sum_mean.abs() < 4.0 && sum_variance.abs() < 4.0);
    }
}

/// Neighbouring lanes and steps are uncorrelated: each coefficient within 4.5/√n of 0.
#[test]
fn background_is_independent_between_neurons_and_steps() {
    let (size, steps) = (500_usize, 400_u64);
    for seed in 1..=5 {
        let counts = background("10 kHz", seed, size, steps);
        for (what, lag) in [
            ("next neuron", 1),
            ("next step", size),
            ("four neurons on", 4),
        ] {
            let pairs = counts.iter().zip(&counts[lag..]);
            let n = (counts.len() - lag) as f64;
            let r = pairs.map(|(a, b)| (a - 1.0) * (b - 1.0)).sum::<f64>() / n;
            println!("seed {seed}, {what}: correlation {r:+.5}");
            assert!(r.abs() < 4.5 / n.sqrt());
        }
    }
}

#[test]
fn draws_do_not_depend_on_shards() {
    for rate in ["50 Hz", "20 kHz", "900 kHz"] {
        let drive = drive("poisson_background", &[("rate", rate), ("weight", "1")]);
        let n = 3000;
        let mut whole = vec![0.0_f64; n];
        drive
            .instantiate_f64(context(1, n as u32))
            .drive(77, 0, &mut whole);
        for cuts in [
            vec![0, 64, 1024, n],
            vec![0, 1, 2, 1027, 2053, n],
            vec![0, 1030, n],
        ] {
            let mut parts = vec![0.0_f64; n];
            for cut in cuts.windows(2) {
                let mut shard = drive.instantiate_f64(context(1, n as u32));
                shard.drive(77, cut[0] as u32, &mut parts[cut[0]..cut[1]]);
            }
            assert_eq!(parts, whole, "{rate} {cuts:?}");
        }

        let source = source("poisson", &[("rate", rate)]);
        let mut all = Vec::new();
        source
            .instantiate(context(1, 500))
            .emit(77, 0..500, &mut all);
        let mut parts = Vec::new();
        for range in [0..3, 3..64, 64..193, 193..500] {
            source
                .instantiate(context(1, 500))
                .emit(77, range, &mut parts);
        }
        assert_eq!(parts, all, "{rate}");
        assert!(all.is_sorted());
    }
}

#[test]
fn sources_and_drives_draw_the_same_numbers_in_both_precisions() {
    for rate in ["50 Hz", "20 kHz", "900 kHz"] {
        let size = 700;
        let drive = drive("poisson_background", &[("rate", rate), ("weight", "1")]);
        let (mut single, mut double) = (vec![0.0_f32; 700], vec![0.0_f64; 700]);
        drive
            .instantiate_f32(context(9, size))
            .drive(12, 0, &mut single);
        drive
            .instantiate_f64(context(9, size))
            .drive(12, 0, &mut double);
        assert!(single.iter().zip(&double).all(|(&a, &b)| f64::from(a) == b));
        let mut spikes = Vec::new();
        source("poisson", &[("rate", rate)])
            .instantiate(context(9, size))
            .emit(12, 0..size, &mut spikes);
        let mut counts = vec![0.0; 700];
        spikes.iter().for_each(|&i| counts[i as usize] += 1.0);
        assert_eq!(counts, double);
    }
}

#[test]
fn weight_times_count_is_added() {
    let one = drive("poisson_background", &[("rate", "30 kHz"), ("weight", "1")]);
    let weighted = drive(
        "poisson_background",
        &[("rate", "30 kHz"), ("weight", "-0.3")],
    );
    let (mut counts, mut sums) = (vec![0.0_f64; 100], vec![5.0_f64; 100]);
    one.instantiate_f64(context(1, 100))
        .drive(3, 0, &mut counts);
    weighted
        .instantiate_f64(context(1, 100))
        .drive(3, 0, &mut sums);
    assert!(counts.iter().any(|&k| k > 2.0));
    assert!(counts.iter().zip(&sums).all(|(k, s)| *s == 5.0 + -0.3 * k));
}

/// Spikes of a source over seeds 1 to 10: each total within 4.5 standard deviations.
#[test]
fn source_has_its_rate() {
    let source = source("poisson", &[("rate", "80 Hz")]);
    for seed in 1..=10 {
        let mut neurons = source.instantiate(context(seed, 100));
        let mut spikes = Vec::new();
        (1..=10_000).for_each(|step| neurons.emit(step, 0..100, &mut spikes));
        let z = (spikes.len() as f64 - 8000.0) / 8000_f64.sqrt();
        println!("seed {seed}: {} spikes ({z:+.2} SD)", spikes.len());
        assert!(z.abs() < 4.5);
    }
}

#[test]
fn rates_are_checked() {
    for name in ["poisson", "poisson_background"] {
        let weight = [("weight", "1")];
        let extra = if name == "poisson" {
            &[][..]
        } else {
            &weight[..]
        };
        let with = |rate: &'static str| [&[("rate", rate)], extra].concat();
        let error = |rate| make(name, &with(rate), None).err().unwrap().to_string();
        assert!(
            error("-1 Hz").contains("`rate`: -1 Hz is negative"),
            "{}",
            error("-1 Hz")
        );
        assert!(error("5 mV").contains("`rate`"));
        assert!(error("5").contains("`rate`"));
        let check = |rate| match make(name, &with(rate), None).unwrap() {
            StimulusType::Drive(drive) => drive.check(0.1),
            StimulusType::Source(source) => source.check(0.1),
        };
        assert!(check("99000 kHz").is_ok());
        assert!(
            check("101000 kHz")
                .unwrap_err()
                .contains("10100 events per neuron and step")
        );
    }
}

fn emitted(
    times: &str,
    steps: impl Iterator<Item = u64>,
    range: std::ops::Range<u32>,
) -> Vec<(u64, u32)> {
    let source = source("spike_times", &[("times", times)]);
    let mut trains = source.instantiate(context(1, source.size().unwrap()));
    let mut all = Vec::new();
    for step in steps {
        let mut spikes = Vec::new();
        trains.emit(step, range.clone(), &mut spikes);
        all.extend(spikes.into_iter().map(|i| (step, i)));
    }
    all
}

#[test]
fn given_times_come_back_at_the_end_of_their_step() {
    let times = r#"[["0.05 ms", "0.3 ms", "1.03 ms"], [], ["0.3 ms", "0.3 ms", "1.1 ms"]]"#;
    let expected = [(1, 0), (3, 0), (3, 2), (3, 2), (11, 0), (11, 2)];
    assert_eq!(emitted(times, 1..20, 0..3), expected);
    assert_eq!(emitted(times, [3, 11].into_iter(), 0..3), expected[1..]);
    assert_eq!(emitted(times, 1..20, 1..3), [(3, 2), (3, 2), (11, 2)]);
}

#[test]
fn impossible_times_are_named() {
    for (times, expected) in [
        (
            r#"[["1 ms"], ["2 ms", "1 ms"]]"#,
            "`times[1][1]`: 1 ms comes after 2 ms",
        ),
        (r#"[["0 ms"]]"#, "`times[0][0]`: 0 ms is not after time 0"),
        (r#"[["-3 ms"]]"#, "`times[0][0]`: -3 ms is not after time 0"),
        (r#"[[3]]"#, "times[0][0]"),
        (r#"["3 ms"]"#, "times[0]"),
    ] {
        let error = make("spike_times", &[("times", times)], None)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
}

proptest! {
    /// Grid times survive whatever steps and ranges they are asked for in.
    #[test]
    fn spike_times_round_trip(
        mut trains in prop::collection::vec(prop::collection::vec(1_u64..60, 0..20), 1..9),
        cut in 0_u32..9,
        stride in 1_u64..5,
    ) {
        trains.iter_mut().for_each(|t| t.sort_unstable());
        let list = |t: &Vec<u64>| {
            let times: Vec<String> =
                t.iter().map(|s| format!("\"{} ms\"", *s as f64 * 0.1)).collect();
            format!("[{}]", times.join(","))
        };
        let text = format!("[{}]", trains.iter().map(list).collect::<Vec<_>>().join(","));
        let mut expected: Vec<(u64, u32)> = (0_u32..)
            .zip(&trains)
            .flat_map(|(i, t)| t.iter().map(move |&s| (s, i)))
            .filter(|(s, i)| *i >= cut && s % stride == 0)
            .collect();
        expected.sort_unstable();
        let steps = (1..60).filter(|s| s % stride == 0);
        prop_assert_eq!(emitted(&text, steps, cut..9), expected);
    }
}

#[test]
fn constant_current_is_added_in_every_step() {
    let StimulusType::Drive(drive) = make(
        "constant_current",
        &[("amplitude", "-0.5 nA")],
        Some(parse_unit("pA").unwrap()),
    )
    .unwrap() else {
        panic!("a drive")
    };
    let mut lanes = [1.0_f32, 2.0];
    let mut constant = drive.instantiate_f32(context(1, 2));
    constant.drive(1, 0, &mut lanes);
    constant.drive(2, 0, &mut lanes);
    assert_eq!(lanes, [-999.0, -998.0]);
    let error = make(
        "constant_current",
        &[("amplitude", "3 mV")],
        Some(parse_unit("pA").unwrap()),
    );
    assert!(
        error
            .err()
            .unwrap()
            .to_string()
            .contains("expected a quantity in pA")
    );
}
