use super::*;

fn rows(data: &Dataset<f64>, sample: usize) -> Vec<Vec<f64>> {
    let mut row = vec![0.0; data.elements()];
    data.sample(sample, &mut row).unwrap();
    row.chunks(data.shape()[1]).map(<[f64]>::to_vec).collect()
}

fn lag(lags: &[i32], train: usize) -> Task {
    Task::Lag {
        channels: 6,
        probability: 0.2,
        lags: lags.to_vec(),
        train,
        test: 9,
    }
}

fn delayed_match(cues: usize) -> Task {
    Task::DelayedMatch {
        cues,
        channels: 7,
        cue_steps: 4,
        gap_steps: 6,
        probability: 0.9,
        noise: 0.0,
        train: 240,
        test: 60,
    }
}

#[test]
#[allow(clippy::cast_sign_loss, reason = "steps of a sample")]
fn the_late_ear_repeats_the_early_one() {
    let lags = [-5, 0, 3];
    let data = lag(&lags, 30).make::<f64>(40, 7).unwrap().train;
    for sample in 0..30 {
        let lag = lags[data.labels()[sample]];
        let rows = rows(&data, sample);
        let ears: Vec<_> = rows.iter().map(|r| (&r[..6], &r[6..])).collect();
        for t in 0..40_i32 {
            let heard = t - lag;
            if (0..40).contains(&heard) {
                assert_eq!(
                    ears[t as usize].1, ears[heard as usize].0,
                    "lag {lag} at {t}"
                );
            }
        }
    }
}

/// Every ear and step has the same rate in every class, the first and last steps too. Each count is
/// binomial with n = 1000·6, p = 0.2: five standard deviations are 155.
#[test]
fn rates_do_not_tell_the_lag() {
    let data = lag(&[-4, 4], 2000).make::<f64>(12, 1).unwrap().train;
    let mut counts = vec![vec![[0.0; 2]; 12]; 2];
    for sample in 0..2000 {
        for (t, row) in rows(&data, sample).iter().enumerate() {
            let count = &mut counts[data.labels()[sample]][t];
            count[0] += row[..6].iter().sum::<f64>();
            count[1] += row[6..].iter().sum::<f64>();
        }
    }
    for count in counts.iter().flatten().flatten() {
        assert!((count - 1200.0).abs() < 155.0, "{counts:?}");
    }
}

#[test]
fn cues_come_in_their_time_and_match_as_labelled() {
    for cues in [2, 3] {
        let data = delayed_match(cues).make::<f64>(20, 3).unwrap().train;
        let mut first_by_class = vec![[0; 2]; cues];
        for sample in 0..240 {
            let rows = rows(&data, sample);
            let shown = |steps: std::ops::Range<usize>| -> Vec<usize> {
                let active = |cue: &usize| {
                    let group = cue * 7..(cue + 1) * 7;
                    rows[steps.clone()]
                        .iter()
                        .any(|r| r[group.clone()].contains(&1.0))
                };
                (0..cues).filter(active).collect()
            };
            let (first, second) = (shown(0..4), shown(10..14));
            assert_eq!((first.len(), second.len()), (1, 1));
            assert!(shown(4..10).is_empty() && shown(14..20).is_empty());
            assert_eq!(usize::from(first == second), data.labels()[sample]);
            first_by_class[first[0]][data.labels()[sample]] += 1;
        }
        assert!(first_by_class.iter().flatten().all(|&n| n == 120 / cues));
    }
}

#[test]
fn a_sample_depends_on_seed_part_and_number_alone() {
    let few = lag(&[0, 1], 3).make::<f64>(20, 5).unwrap();
    let many = lag(&[0, 1], 50).make::<f64>(20, 5).unwrap();
    for sample in 0..3 {
        assert_eq!(rows(&few.train, sample), rows(&many.train, sample));
    }
    assert_ne!(rows(&few.train, 0), rows(&few.test, 0));
    let other = lag(&[0, 1], 3).make::<f64>(20, 6).unwrap();
    assert_ne!(rows(&few.train, 0), rows(&other.train, 0));
}

/// 256·200·100 trials at 0.005: 25,600 ± 5·160.
#[test]
fn random_patterns_have_their_rate_and_both_classes() {
    let task: Task = serde_json::from_str(r#"{"task": "random_patterns"}"#).unwrap();
    let split = task.make::<f32>(200, 1).unwrap();
    assert_eq!(split.train, split.test);
    assert_eq!(
        (split.train.len(), split.train.shape()),
        (256, &[200, 100][..])
    );
    let Values::Bytes { bytes, .. } = split.train.values() else {
        panic!("spikes are bytes")
    };
    let count: i64 = bytes.iter().map(|&b| i64::from(b)).sum();
    assert!((count - 25_600).abs() < 800, "{count}");
    assert!(split.train.per_class().iter().all(|&n| n > 88));
}

#[test]
fn what_cannot_be_is_named() {
    let fails = |task: Task, steps: usize, expected: &str| {
        let message = task.make::<f32>(steps, 1).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    fails(lag(&[0, 1], 3), 0, "steps of a task is 0");
    fails(lag(&[], 3), 5, "classes of a task is 0");
    fails(lag(&[0, -5], 3), 5, "a lag of a task is -5");
    fails(lag(&[0, 1], 0), 5, "train of a task is 0");
    fails(lag(&[0, 1], 1 << 24), 5000, "values of a task");
    fails(delayed_match(1), 20, "cues of a task is 1");
    fails(
        delayed_match(2),
        13,
        "2·cue_steps + gap_steps of a task is 14",
    );
    let mut task = delayed_match(2);
    if let Task::DelayedMatch { noise, .. } = &mut task {
        *noise = f64::NAN;
    }
    fails(task, 20, "noise of a task is NaN");
}
