//! What every rule must give, against counting arguments that know nothing of its code.

mod fixed_numbers;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use proptest::prelude::*;
use rheobase_engine::port::{Candidate, ConnectivityRule, RuleStreams, Sides};

use crate::rule;

fn make(name: &str, arguments: &[(&str, &str)]) -> Arc<dyn ConnectivityRule> {
    let arguments: Vec<(&str, String)> =
        arguments.iter().map(|&(k, v)| (k, v.to_owned())).collect();
    rule(name, &arguments).unwrap()
}

fn message(name: &str, arguments: &[(&str, &str)]) -> String {
    let arguments: Vec<(&str, String)> =
        arguments.iter().map(|&(k, v)| (k, v.to_owned())).collect();
    rule(name, &arguments).err().unwrap().to_string()
}

fn sides(n_source: u32, n_target: u32, same: bool) -> Sides {
    Sides {
        n_source,
        n_target,
        same,
    }
}

fn row(rule: &dyn ConnectivityRule, sides: Sides, seed: u64, target: u32) -> Vec<Candidate> {
    let streams = RuleStreams::new(seed, 0);
    let mut row = Vec::new();
    let mut rows = rule.rows(sides, target..target + 1, streams);
    rows.row(target, &mut streams.row(target), &mut row);
    row
}

fn sources(rule: &dyn ConnectivityRule, sides: Sides, seed: u64, target: u32) -> Vec<u32> {
    row(rule, sides, seed, target)
        .iter()
        .map(|c| c.source)
        .collect()
}

/// Upper bound of χ² that a sound test exceeds with probability 1e-3 (Wilson and Hilferty).
fn critical_chi2(dof: usize) -> f64 {
    let d = dof as f64;
    let z = 3.0902;
    d * (1.0 - 2.0 / (9.0 * d) + z * (2.0 / (9.0 * d)).sqrt()).powi(3)
}

/// χ² and degrees of freedom of counts; cells with an expectation below 5 are pooled with the next.
fn chi2(observed: &[f64], expected: &[f64]) -> (f64, usize) {
    let (mut total, mut cells) = (0.0, 0);
    let (mut o, mut e) = (0.0, 0.0);
    let mut left: f64 = expected.iter().sum();
    for (&x, &m) in observed.iter().zip(expected) {
        o += x;
        e += m;
        left -= m;
        if e >= 5.0 && left >= 5.0 {
            total += (o - e).powi(2) / e;
            cells += 1;
            (o, e) = (0.0, 0.0);
        }
    }
    total += (o - e).powi(2) / e;
    (total, cells)
}

fn binomial(n: usize, p: f64) -> Vec<f64> {
    let mut pmf = vec![(1.0 - p).powi(n as i32)];
    for k in 1..=n {
        pmf.push(pmf[k - 1] * (n - k + 1) as f64 / k as f64 * p / (1.0 - p));
    }
    pmf
}

fn histogram(values: impl Iterator<Item = usize>, len: usize) -> Vec<f64> {
    let mut counts = vec![0.0; len];
    for v in values {
        counts[v] += 1.0;
    }
    counts
}

fn assert_chi2(what: &str, observed: &[f64], expected: &[f64]) {
    let (statistic, dof) = chi2(observed, expected);
    let critical = critical_chi2(dof);
    println!("{what}: chi2 {statistic:.1} at {dof} degrees of freedom (critical {critical:.1})");
    assert!(statistic < critical, "{what}");
}

const EVERY: [(&str, &[(&str, &str)]); 17] = [
    ("all_to_all", &[]),
    ("all_to_all", &[("autapses", "false")]),
    ("one_to_one", &[]),
    ("pairwise_bernoulli", &[("p", "0.2")]),
    ("pairwise_bernoulli", &[("p", "0.2"), ("autapses", "false")]),
    ("fixed_indegree", &[("indegree", "9")]),
    (
        "fixed_indegree",
        &[("indegree", "9"), ("multapses", "false")],
    ),
    (
        "fixed_indegree",
        &[
            ("indegree", "9"),
            ("multapses", "false"),
            ("autapses", "false"),
        ],
    ),
    (
        "fixed_indegree",
        &[("indegree", "9"), ("autapses", "false")],
    ),
    ("fixed_total_number", &[("n", "360")]),
    ("fixed_total_number", &[("n", "360"), ("autapses", "false")]),
    (
        "fixed_total_number",
        &[("n", "360"), ("multapses", "false")],
    ),
    (
        "fixed_total_number",
        &[("n", "360"), ("multapses", "false"), ("autapses", "false")],
    ),
    ("fixed_outdegree", &[("outdegree", "9")]),
    (
        "fixed_outdegree",
        &[("outdegree", "9"), ("autapses", "false")],
    ),
    (
        "fixed_outdegree",
        &[("outdegree", "9"), ("multapses", "false")],
    ),
    (
        "fixed_outdegree",
        &[
            ("outdegree", "9"),
            ("multapses", "false"),
            ("autapses", "false"),
        ],
    ),
];

/// The rows of all targets, drawn in one range.
fn all_rows(rule: &dyn ConnectivityRule, sides: Sides, seed: u64) -> Vec<Vec<Candidate>> {
    range_rows(rule, sides, seed, 0..sides.n_target)
}

fn range_rows(
    rule: &dyn ConnectivityRule,
    sides: Sides,
    seed: u64,
    range: Range<u32>,
) -> Vec<Vec<Candidate>> {
    let streams = RuleStreams::new(seed, 0);
    let mut rows = rule.rows(sides, range.clone(), streams);
    range
        .map(|target| {
            let mut row = Vec::new();
            rows.row(target, &mut streams.row(target), &mut row);
            row
        })
        .collect()
}

/// Rows, and what is left of their streams for weights, are the same however targets are cut.
#[test]
fn rows_do_not_depend_on_how_targets_are_cut() {
    let list: &[(&str, &str)] = &[("sources", "[3, 0, 3]"), ("targets", "[39, 7, 39]")];
    let drawn = |rule: &dyn ConnectivityRule, cuts: &[u32]| {
        let streams = RuleStreams::new(3, 1);
        let mut all = Vec::new();
        for cut in cuts.windows(2) {
            let mut rows = rule.rows(sides(40, 40, true), cut[0]..cut[1], streams);
            for target in cut[0]..cut[1] {
                let (mut random, mut row) = (streams.row(target), Vec::new());
                rows.row(target, &mut random, &mut row);
                all.push((row, random.bits()));
            }
        }
        all
    };
    for (name, arguments) in EVERY.into_iter().chain([("explicit", list)]) {
        let rule = make(name, arguments);
        let whole = drawn(&*rule, &[0, 40]);
        let single: Vec<u32> = (0..=40).collect();
        for cuts in [&[0, 20, 40][..], &[0, 1, 13, 14, 39, 40], &single] {
            assert_eq!(drawn(&*rule, cuts), whole, "{name} {arguments:?} {cuts:?}");
        }
    }
}

#[test]
fn rows_do_not_depend_on_the_order_they_are_built_in() {
    let sides = sides(40, 40, true);
    for (name, arguments) in EVERY {
        let rule = make(name, arguments);
        let forward: Vec<_> = (0..40).map(|j| row(&*rule, sides, 3, j)).collect();
        let mut backward: Vec<_> = (0..40).rev().map(|j| row(&*rule, sides, 3, j)).collect();
        backward.reverse();
        assert_eq!(forward, backward, "{name}");
        let other_seed: Vec<_> = (0..40).map(|j| row(&*rule, sides, 4, j)).collect();
        let is_drawn = !matches!(name, "all_to_all" | "one_to_one");
        assert_eq!(forward != other_seed, is_drawn, "{name}");
    }
}

#[test]
fn autapses_and_multapses_are_excluded_where_asked() {
    let sides = sides(40, 40, true);
    for (name, arguments) in EVERY {
        let rule = make(name, arguments);
        assert!(rule.check(sides).is_ok());
        let no_autapses = arguments.contains(&("autapses", "false"));
        let no_multapses =
            !name.starts_with("fixed_") || arguments.contains(&("multapses", "false"));
        let (mut autapses, mut multapses) = (0, 0);
        for seed in 1..=20 {
            for j in 0..40 {
                let mut row = sources(&*rule, sides, seed, j);
                assert!(row.iter().all(|&i| i < 40));
                autapses += row.iter().filter(|&&i| i == j).count();
                row.sort_unstable();
                multapses += row.windows(2).filter(|w| w[0] == w[1]).count();
            }
        }
        assert_eq!(
            autapses == 0,
            no_autapses,
            "{name} {arguments:?}: {autapses} autapses"
        );
        assert_eq!(
            multapses == 0,
            no_multapses,
            "{name} {arguments:?}: {multapses} multapses"
        );
    }
}

#[test]
fn a_neuron_with_the_same_index_in_another_population_is_no_autapse() {
    for (name, arguments) in EVERY {
        if arguments.contains(&("autapses", "false")) {
            let rule = make(name, arguments);
            let met = (0..40).any(|j| sources(&*rule, sides(40, 40, false), 1, j).contains(&j));
            assert!(met, "{name}");
        }
    }
}

#[test]
fn degrees_are_exact() {
    for (n_source, n_target) in [(1, 1), (7, 3), (64, 65), (130, 10)] {
        let sides = sides(n_source, n_target, false);
        for j in 0..n_target {
            let all = sources(&*make("all_to_all", &[]), sides, 1, j);
            assert_eq!(all, (0..n_source).collect::<Vec<_>>());
            for indegree in [0, 1, n_source] {
                let text = indegree.to_string();
                for multapses in ["true", "false"] {
                    let arguments = [("indegree", text.as_str()), ("multapses", multapses)];
                    let rule = make("fixed_indegree", &arguments);
                    assert_eq!(row(&*rule, sides, 1, j).len(), indegree as usize);
                }
            }
        }
    }
    let rule = make("one_to_one", &[]);
    assert!((0..9).all(|j| sources(&*rule, sides(9, 9, false), 1, j) == [j]));
}

#[test]
fn probabilities_zero_and_one_are_certain() {
    for (p, expected) in [("0", 0), ("1", 33), ("1e-300", 0)] {
        let rule = make("pairwise_bernoulli", &[("p", p)]);
        assert!((0..100).all(|j| row(&*rule, sides(33, 100, false), 1, j).len() == expected));
    }
}

/// Synapse counts over seeds 1 to 20: each within 4.5 standard deviations, their mean within 4
/// standard errors.
#[test]
fn bernoulli_counts() {
    for (n_source, n_target, p) in [(200_u32, 300_u32, 0.1), (1000, 50, 0.7), (5000, 40, 0.001)] {
        let rule = make("pairwise_bernoulli", &[("p", &p.to_string())]);
        let sides = sides(n_source, n_target, false);
        let pairs = f64::from(n_source) * f64::from(n_target);
        let (mean, sd) = (pairs * p, (pairs * p * (1.0 - p)).sqrt());
        assert!((rule.expected_synapses(sides) - mean).abs() < 1e-9 * mean);
        let counts: Vec<f64> = (1..=20)
            .map(|seed| {
                (0..n_target)
                    .map(|j| row(&*rule, sides, seed, j).len())
                    .sum::<usize>()
            })
            .map(|n| n as f64)
            .collect();
        let average = counts.iter().sum::<f64>() / 20.0;
        println!("p {p}: expected {mean} +- {sd:.1}, mean of seeds 1-20 {average}, {counts:?}");
        assert!(counts.iter().all(|n| (n - mean).abs() < 4.5 * sd));
        assert!((average - mean).abs() < 4.0 * sd / 20_f64.sqrt());
    }
}

#[test]
fn bernoulli_degrees_are_binomial() {
    let (n, p) = (300_u32, 0.05);
    let rule = make("pairwise_bernoulli", &[("p", "0.05")]);
    let (mut indegrees, mut outdegrees) = (vec![0.0; 301], vec![0.0; 301]);
    for seed in 1..=20 {
        let mut out = vec![0; n as usize];
        for j in 0..n {
            let row = sources(&*rule, sides(n, n, false), seed, j);
            assert!(row.is_sorted());
            indegrees[row.len()] += 1.0;
            row.iter().for_each(|&i| out[i as usize] += 1);
        }
        for (sum, count) in outdegrees.iter_mut().zip(histogram(out.into_iter(), 301)) {
            *sum += count;
        }
    }
    let expected: Vec<f64> = binomial(n as usize, p)
        .iter()
        .map(|m| 20.0 * f64::from(n) * m)
        .collect();
    assert_chi2("in-degree", &indegrees, &expected);
    assert_chi2("out-degree", &outdegrees, &expected);
}

/// Every subset of three sources has its exact probability.
#[test]
fn bernoulli_rows_have_the_probability_of_every_subset() {
    for p in [0.03, 0.4, 0.9] {
        let rule = make("pairwise_bernoulli", &[("p", &p.to_string())]);
        let n = 40_000;
        let subset = |j| {
            sources(&*rule, sides(3, n, false), 1, j)
                .iter()
                .map(|&i| 1_usize << i)
                .sum::<usize>()
        };
        let observed = histogram((0..n).map(subset), 8);
        let expected: Vec<f64> = (0..8_u32)
            .map(|s| s.count_ones() as i32)
            .map(|k| f64::from(n) * f64::powi(p, k) * (1.0 - p).powi(3 - k))
            .collect();
        assert_chi2(&format!("subsets at p {p}"), &observed, &expected);
    }
}

/// Without multapses every set is equally likely; with them every sequence is.
#[test]
fn fixed_indegree_is_uniform() {
    let n = 50_000;
    let rule = make(
        "fixed_indegree",
        &[("indegree", "2"), ("multapses", "false")],
    );
    let mut sets: BTreeMap<Vec<u32>, f64> = BTreeMap::new();
    for j in 0..n {
        let mut row = sources(&*rule, sides(6, n, false), 1, j);
        row.sort_unstable();
        *sets.entry(row).or_default() += 1.0;
    }
    assert_eq!(sets.len(), 15);
    let observed: Vec<f64> = sets.into_values().collect();
    assert_chi2("sets", &observed, &[f64::from(n) / 15.0; 15]);

    let rule = make("fixed_indegree", &[("indegree", "2")]);
    let pair = |j| {
        let row = sources(&*rule, sides(5, n, false), 1, j);
        (row[0] * 5 + row[1]) as usize
    };
    let observed = histogram((0..n).map(pair), 25);
    assert_chi2("sequences", &observed, &[f64::from(n) / 25.0; 25]);
}

#[test]
fn fixed_indegree_outdegrees_are_binomial() {
    let (n_source, n_target, k) = (150_u32, 400_u32, 30_u32);
    let rule = make("fixed_indegree", &[("indegree", "30")]);
    let mut out = vec![0_usize; n_source as usize];
    for j in 0..n_target {
        for i in sources(&*rule, sides(n_source, n_target, false), 1, j) {
            out[i as usize] += 1;
        }
    }
    let draws = (k * n_target) as usize;
    let expected: Vec<f64> = binomial(draws, 1.0 / f64::from(n_source))
        .iter()
        .map(|m| f64::from(n_source) * m)
        .collect();
    assert_chi2(
        "out-degree",
        &histogram(out.into_iter(), draws + 1),
        &expected,
    );
}

#[test]
fn sides_that_do_not_fit_are_refused() {
    let one = make("one_to_one", &[]);
    assert!(
        one.check(sides(3, 4, false))
            .unwrap_err()
            .contains("found 3 and 4")
    );
    let nine = make(
        "fixed_indegree",
        &[("indegree", "9"), ("multapses", "false")],
    );
    assert!(nine.check(sides(9, 4, false)).is_ok());
    assert!(
        nine.check(sides(8, 4, false))
            .unwrap_err()
            .contains("allow multapses")
    );
    let nine = make(
        "fixed_indegree",
        &[
            ("indegree", "9"),
            ("multapses", "false"),
            ("autapses", "false"),
        ],
    );
    assert!(nine.check(sides(9, 9, true)).is_err());
    assert!(nine.check(sides(9, 9, false)).is_ok());
    let alone = make(
        "fixed_indegree",
        &[("indegree", "1"), ("autapses", "false")],
    );
    assert!(alone.check(sides(1, 1, true)).is_err());
    let list = make(
        "explicit",
        &[("sources", "[0, 5, 5]"), ("targets", "[1, 0, 3]")],
    );
    assert!(list.check(sides(6, 4, false)).is_ok());
    assert!(
        list.check(sides(5, 4, false))
            .unwrap_err()
            .contains("sources[1] is 5")
    );
    assert!(
        list.check(sides(6, 3, false))
            .unwrap_err()
            .contains("targets[2] is 3")
    );
}

#[test]
fn wrong_arguments_are_named() {
    for (name, arguments, expected) in [
        (
            "pairwise_bernoulli",
            &[("p", "1.5")][..],
            "`p`: expected a probability",
        ),
        (
            "pairwise_bernoulli",
            &[("p", "-0.1")],
            "`p`: expected a probability",
        ),
        ("pairwise_bernoulli", &[], "`p`: is required"),
        ("pairwise_bernoulli", &[("q", "1")], "`q`"),
        ("fixed_indegree", &[("indegree", "1e12")], "`indegree`"),
        ("fixed_indegree", &[("indegree", "-1")], "`indegree`"),
        (
            "explicit",
            &[("sources", "[1]"), ("targets", "[]")],
            "`targets`: 0 entries for 1",
        ),
        (
            "explicit",
            &[("sources", "[1]"), ("targets", "[1]"), ("weights", "[1]")],
            "`delays`: is required where `weights`",
        ),
        (
            "explicit",
            &[
                ("sources", "[1, 2]"),
                ("targets", "[1, 2]"),
                ("weights", "[1]"),
                ("delays", "[\"1 ms\", \"-1 ms\"]"),
            ],
            "`delays[1]`: -1 ms is negative",
        ),
        (
            "explicit",
            &[("sources", "[4294967296]"), ("targets", "[0]")],
            "`sources[0]`",
        ),
    ] {
        let message = message(name, arguments);
        assert!(message.contains(expected), "{message}");
    }
    assert_eq!(message("ring", &[]), "unknown connectivity rule `ring`");
}

fn json(elements: impl Iterator<Item = String>) -> String {
    format!("[{}]", elements.collect::<Vec<_>>().join(","))
}

proptest! {
    /// Rows put together again are the list: each synapse once, in its order within a target.
    #[test]
    fn explicit_lists_round_trip(
        list in prop::collection::vec((0_u32..20, 0_u32..12, -9_i32..9, 0_u32..30), 0..80)
    ) {
        let rule = make("explicit", &[
            ("sources", &json(list.iter().map(|s| s.0.to_string()))),
            ("targets", &json(list.iter().map(|s| s.1.to_string()))),
            ("weights", &json(list.iter().map(|s| s.2.to_string()))),
            ("delays", &json(list.iter().map(|s| format!("\"{} ms\"", s.3)))),
        ]);
        let sides = sides(20, 12, false);
        prop_assert!(rule.fixes_weights());
        let delays: Vec<f64> = list.iter().map(|s| f64::from(s.3)).collect();
        prop_assert_eq!(rule.fixed_delays(), delays);
        prop_assert!(rule.check(sides).is_ok());
        prop_assert_eq!(rule.expected_synapses(sides), list.len() as f64);
        for j in 0..12 {
            let expected: Vec<Candidate> = list
                .iter()
                .filter(|s| s.1 == j)
                .map(|s| Candidate {
                    source: s.0,
                    fixed: Some((f64::from(s.2), f64::from(s.3))),
                })
                .collect();
            prop_assert_eq!(row(&*rule, sides, 1, j), expected);
        }
    }
}
