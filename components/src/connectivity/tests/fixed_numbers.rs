//! `fixed_total_number` and `fixed_outdegree` against counting arguments. Every χ² here has a false
//! alarm rate of 1e-3; seeds are 1 … n.

use std::collections::BTreeMap;

use super::*;

fn pairs(rule: &dyn ConnectivityRule, sides: Sides, seed: u64) -> Vec<(u32, u32)> {
    let rows = all_rows(rule, sides, seed);
    let row = |(j, row): (usize, &Vec<Candidate>)| -> Vec<(u32, u32)> {
        row.iter().map(|c| (c.source, j as u32)).collect()
    };
    rows.iter().enumerate().flat_map(row).collect()
}

fn with<'a>(
    number: (&'a str, &'a str),
    multapses: &'a str,
    autapses: &'a str,
) -> [(&'a str, &'a str); 3] {
    [number, ("multapses", multapses), ("autapses", autapses)]
}

const CHOICES: [(&str, &str); 4] = [
    ("true", "true"),
    ("true", "false"),
    ("false", "true"),
    ("false", "false"),
];

#[test]
fn totals_are_exact() {
    for (n_source, n_target, same) in [
        (1, 1, false),
        (7, 3, false),
        (64, 65, false),
        (130, 130, true),
    ] {
        let sides = sides(n_source, n_target, same);
        for (multapses, autapses) in CHOICES {
            let possible = (n_source - u32::from(same && autapses == "false")) * n_target;
            for n in [0, 1, 5, possible / 2, possible] {
                let text = n.min(possible).to_string();
                let rule = make(
                    "fixed_total_number",
                    &with(("n", &text), multapses, autapses),
                );
                assert!(rule.check(sides).is_ok());
                assert_eq!(rule.expected_synapses(sides), f64::from(n.min(possible)));
                let found = pairs(&*rule, sides, 1).len();
                assert_eq!(
                    found,
                    n.min(possible) as usize,
                    "{sides:?} {multapses} {autapses}"
                );
            }
        }
    }
}

#[test]
fn out_degrees_are_exact() {
    for (n_source, n_target, same) in [
        (1, 1, false),
        (7, 3, false),
        (64, 65, false),
        (60, 60, true),
    ] {
        let sides = sides(n_source, n_target, same);
        for (multapses, autapses) in CHOICES {
            let possible = n_target - u32::from(same && autapses == "false");
            for k in [0, 1, possible / 2, possible] {
                let text = k.to_string();
                let number = ("outdegree", text.as_str());
                let rule = make("fixed_outdegree", &with(number, multapses, autapses));
                assert!(rule.check(sides).is_ok());
                let mut out = vec![0; n_source as usize];
                for (i, _) in pairs(&*rule, sides, 1) {
                    out[i as usize] += 1;
                }
                assert_eq!(
                    out,
                    vec![k; n_source as usize],
                    "{sides:?} {multapses} {autapses}"
                );
                let expected = f64::from(k) * f64::from(n_source);
                assert_eq!(rule.expected_synapses(sides), expected);
            }
        }
    }
}

/// With multapses every pair is equally likely for every synapse.
#[test]
fn pairs_are_uniform_with_multapses() {
    let cases = [
        ("fixed_total_number", ("n", "60")),
        ("fixed_outdegree", ("outdegree", "12")),
    ];
    for (name, number) in cases {
        for (same, autapses) in [(false, "true"), (true, "true"), (true, "false")] {
            let rule = make(name, &with(number, "true", autapses));
            let mut counts: BTreeMap<(u32, u32), f64> = BTreeMap::new();
            for seed in 1..=500 {
                for pair in pairs(&*rule, sides(5, 5, same), seed) {
                    *counts.entry(pair).or_default() += 1.0;
                }
            }
            let cells = if same && autapses == "false" { 20 } else { 25 };
            assert_eq!(counts.len(), cells);
            let observed: Vec<f64> = counts.into_values().collect();
            let expected = vec![30_000.0 / cells as f64; cells];
            assert_chi2(
                &format!("{name}, autapses {autapses}"),
                &observed,
                &expected,
            );
        }
    }
}

/// Without multapses every set of pairs (for an out-degree: of targets) is equally likely.
#[test]
fn sets_are_uniform_without_multapses() {
    let seeds = 40_000;
    for (autapses, n_sets) in [("true", 84), ("false", 20)] {
        let rule = make("fixed_total_number", &with(("n", "3"), "false", autapses));
        let mut sets: BTreeMap<Vec<(u32, u32)>, f64> = BTreeMap::new();
        for seed in 1..=seeds {
            let mut set = pairs(&*rule, sides(3, 3, true), seed);
            set.sort_unstable();
            *sets.entry(set).or_default() += 1.0;
        }
        assert_eq!(sets.len(), n_sets);
        let observed: Vec<f64> = sets.into_values().collect();
        let expected = vec![seeds as f64 / n_sets as f64; n_sets];
        assert_chi2(
            &format!("sets of pairs, autapses {autapses}"),
            &observed,
            &expected,
        );
    }

    let n = 30_000;
    let rule = make(
        "fixed_outdegree",
        &with(("outdegree", "2"), "false", "true"),
    );
    let mut targets = vec![Vec::new(); n as usize];
    for (i, j) in pairs(&*rule, sides(n, 6, false), 1) {
        targets[i as usize].push(j);
    }
    let mut sets: BTreeMap<Vec<u32>, f64> = BTreeMap::new();
    for set in targets {
        *sets.entry(set).or_default() += 1.0;
    }
    assert_eq!(sets.len(), 15);
    let observed: Vec<f64> = sets.into_values().collect();
    assert_chi2("sets of targets", &observed, &[f64::from(n) / 15.0; 15]);
}

fn hypergeometric(left: usize, right: usize, n: usize) -> Vec<f64> {
    let log_choose =
        |n: usize, k: usize| -> f64 { (1..=k).map(|i| ((n - k + i) as f64 / i as f64).ln()).sum() };
    let all = log_choose(left + right, n);
    (0..=n.min(left))
        .map(|k| {
            if n - k > right {
                return 0.0;
            }
            (log_choose(left, k) + log_choose(right, n - k) - all).exp()
        })
        .collect()
}

/// In- and out-degrees of 200 networks against their laws. Degrees of one network sum to a constant,
/// which makes χ² a little smaller than independent ones would.
fn compare_degrees(
    what: &str,
    rule: &dyn ConnectivityRule,
    sides: Sides,
    indegree: &[f64],
    outdegree: Option<&[f64]>,
) {
    let seeds = 200;
    let mut ins = vec![0.0; indegree.len()];
    let mut outs = vec![0.0; outdegree.map_or(0, <[f64]>::len)];
    for seed in 1..=seeds {
        let mut ends = (
            vec![0; sides.n_source as usize],
            vec![0; sides.n_target as usize],
        );
        for (i, j) in pairs(rule, sides, seed) {
            ends.0[i as usize] += 1;
            ends.1[j as usize] += 1;
        }
        ends.1.iter().for_each(|&k: &usize| ins[k] += 1.0);
        if outdegree.is_some() {
            ends.0.iter().for_each(|&k: &usize| outs[k] += 1.0);
        }
    }
    let scaled = |law: &[f64], n: u32| -> Vec<f64> {
        law.iter()
            .map(|p| p * seeds as f64 * f64::from(n))
            .collect()
    };
    assert_chi2(
        &format!("{what}: in-degree"),
        &ins,
        &scaled(indegree, sides.n_target),
    );
    if let Some(law) = outdegree {
        assert_chi2(
            &format!("{what}: out-degree"),
            &outs,
            &scaled(law, sides.n_source),
        );
    }
}

#[test]
fn degrees_follow_their_laws() {
    let sides = sides(40, 70, false);
    let total = |multapses| make("fixed_total_number", &with(("n", "900"), multapses, "true"));
    compare_degrees(
        "total with multapses",
        &*total("true"),
        sides,
        &binomial(900, 1.0 / 70.0),
        Some(&binomial(900, 1.0 / 40.0)),
    );
    compare_degrees(
        "total without",
        &*total("false"),
        sides,
        &hypergeometric(40, 40 * 69, 900),
        Some(&hypergeometric(70, 70 * 39, 900)),
    );
    let fixed = |multapses| {
        make(
            "fixed_outdegree",
            &with(("outdegree", "20"), multapses, "true"),
        )
    };
    compare_degrees(
        "out-degree with multapses",
        &*fixed("true"),
        sides,
        &binomial(800, 1.0 / 70.0),
        None,
    );
    compare_degrees(
        "out-degree without",
        &*fixed("false"),
        sides,
        &binomial(40, 20.0 / 70.0),
        None,
    );
}

#[test]
fn impossible_numbers_are_refused() {
    let message = |name: &str, number, multapses, autapses, sides| {
        make(name, &with(number, multapses, autapses)).check(sides)
    };
    let total = |n, multapses, autapses, sides| {
        message("fixed_total_number", ("n", n), multapses, autapses, sides)
    };
    assert!(total("12", "false", "true", sides(3, 4, false)).is_ok());
    assert_eq!(
        total("13", "false", "true", sides(3, 4, false)).unwrap_err(),
        "fixed_total_number asks for 13 synapses between 12 pairs; ask for fewer, or allow multapses"
    );
    assert!(total("13", "true", "true", sides(3, 4, false)).is_ok());
    assert!(total("7", "false", "false", sides(3, 3, true)).is_err());
    assert!(total("1", "true", "false", sides(1, 1, true)).is_err());
    assert!(total("0", "true", "false", sides(1, 1, true)).is_ok());
    let out = |k, multapses, autapses, sides| {
        message(
            "fixed_outdegree",
            ("outdegree", k),
            multapses,
            autapses,
            sides,
        )
    };
    assert!(out("4", "false", "true", sides(3, 4, false)).is_ok());
    assert_eq!(
        out("5", "false", "true", sides(3, 4, false)).unwrap_err(),
        "fixed_outdegree asks for 5 synapses onto 4 targets; ask for fewer, or allow multapses"
    );
    assert!(out("4", "false", "false", sides(4, 4, true)).is_err());
    assert!(out("1", "true", "false", sides(1, 1, true)).is_err());
    assert!(out("0", "true", "false", sides(1, 1, true)).is_ok());
    for (name, arguments) in [
        ("fixed_total_number", [("n", "1e15")]),
        ("fixed_total_number", [("n", "2000000000000")]),
        ("fixed_outdegree", [("outdegree", "5000000000")]),
    ] {
        let message = super::message(name, &arguments);
        assert!(
            message.contains(&format!("`{}`", arguments[0].0)),
            "{message}"
        );
    }
}
