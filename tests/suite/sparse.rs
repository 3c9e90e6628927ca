//! Sparse steps: on populations in anchored arithmetic, dense, sparse and mixed advance give the same
//! bits, and in f64 the same spikes as stepwise arithmetic.

use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;
use rheobase::engine::Instantiate;
use rheobase::engine::anchored::{Arithmetic, ModeChoice, ModeReport};
use rheobase::engine::build::{BuildError, BuildOptions};
use rheobase::engine::network::Network;
use rheobase::engine::record::Spikes;
use rheobase::engine::simulation::Simulation;

use crate::harness;

/// A kind of neuron, the weight that takes it a good part of the way to its threshold, and whether it
/// rests below it.
struct Kind {
    model: &'static str,
    text: &'static str,
    port: &'static str,
    /// Weight and its unit.
    weight: (f64, &'static str),
    /// A drive that fires the neuron by itself: parameters.
    drive: &'static str,
}

/// Everything that can be anchored: those of the zoo, and neurons that have what those lack.
const KINDS: [Kind; 10] = [
    Kind {
        model: "iaf_psc_delta",
        text: "",
        port: "delta",
        weight: (8.0, "mV"),
        drive: "i_e = \"380 pA\"",
    },
    Kind {
        model: "iaf_psc_exp",
        text: "",
        port: "ex",
        weight: (1400.0, "pA"),
        drive: "i_e = \"380 pA\", tau_in = \"10 ms\"",
    },
    Kind {
        model: "iaf_psc_alpha",
        text: "",
        port: "in",
        weight: (600.0, "pA"),
        drive: "i_e = \"380 pA\", tau_in = \"9.5 ms\"",
    },
    Kind {
        model: "adaptive",
        text: "neuron adaptive
  parameter tau = 10 ms, tau_theta = 80 ms, drive = 0 mV/ms
  dv/dt     = -v/tau + drive : mV (unless refractory)
  dtheta/dt = (15 mV - theta)/tau_theta : mV = 15 mV
  input x(w : mV): v += w (unless refractory)
  spike when v >= theta, reset v = 0.3*v, theta += 2 mV, refractory 2 ms",
        port: "x",
        weight: (8.0, "mV"),
        drive: "drive = \"1.9 mV/ms\"",
    },
    Kind {
        model: "perfect",
        text: "neuron perfect
  parameter drive = 0 mV/ms, tau = 5 ms
  dv/dt = i + drive : mV (unless refractory)
  di/dt = -i/tau : mV/ms
  input x(w : mV/ms): i += w
  spike when v >= 15 mV, reset v = v - 15 mV, refractory 1 ms",
        port: "x",
        weight: (1.5, "mV/ms"),
        drive: "drive = \"0.9 mV/ms\"",
    },
    Kind {
        model: "dual",
        text: "neuron dual
  parameter tau_m = 20 ms, tau_r = 1.5 ms, tau_d = 6 ms, drive = 0 mV/ms
  dv/dt = -v/tau_m + g + drive : mV
  dg/dt = h - g/tau_d : mV/ms
  dh/dt = -h/tau_r : mV/ms^2
  input x(w : mV/ms^2): h += w
  spike when v > 15 mV, reset v = 0",
        port: "x",
        weight: (1.1, "mV/ms^2"),
        drive: "drive = \"0.9 mV/ms\"",
    },
    Kind {
        model: "three",
        text: "neuron three
  parameter tau = 12 ms, drive = 0 mV/ms
  dv/dt = -v/tau + a + b + c + drive : mV (unless refractory)
  da/dt = -a/(2 ms) : mV/ms
  db/dt = -b/(5 ms) : mV/ms
  dc/dt = -c/(9 ms) : mV/ms
  input x(w : mV/ms): a += w
  input y(w : mV/ms): b += w
  input z(w : mV/ms): c += w
  spike when v >= 15 mV, reset v = 0, refractory 2 ms",
        port: "z",
        weight: (2.2, "mV/ms"),
        drive: "drive = \"1.4 mV/ms\"",
    },
    Kind {
        model: "chain",
        text: "neuron chain
  parameter tau = 8 ms, drive = 0 mV/ms
  dv/dt = -v/tau + a/tau + drive : mV (unless refractory)
  da/dt = (b - a)/tau : mV
  db/dt = (c - b)/tau : mV
  dc/dt = -c/tau : mV
  input x(w : mV): c += w
  spike when v >= 15 mV, reset v = 0, refractory 2.5 ms",
        port: "x",
        weight: (26.0, "mV"),
        drive: "drive = \"2 mV/ms\"",
    },
    // Its margin falls by itself: a crossing not seen in its step is never seen.
    Kind {
        model: "falling",
        text: "neuron falling
  parameter drive = -0.29173 mV/ms
  dv/dt = drive : mV (unless refractory)
  input x(w : mV): v += w (unless refractory)
  spike when v >= 15 mV, reset v = 0, refractory 1 ms",
        port: "x",
        weight: (9.0, "mV"),
        // No whole number of steps leads exactly to the threshold.
        drive: "drive = \"0.71317 mV/ms\"",
    },
    Kind {
        model: "deep",
        text: "neuron deep
  parameter tau = 12 ms, drive = 0 mV/ms
  dv/dt = -v/tau + e + drive : mV (unless refractory)
  da/dt = -a/(1 ms) : mV/ms
  db/dt = (a - b)/(2 ms) : mV/ms
  dc/dt = (b - c)/(3 ms) : mV/ms
  dd/dt = (c - d)/(4.5 ms) : mV/ms
  de/dt = (d - e)/(6 ms) : mV/ms
  input x(w : mV/ms): a += w
  spike when v >= 15 mV, reset v = 0, refractory 2 ms",
        port: "x",
        weight: (28.0, "mV/ms"),
        drive: "drive = \"1.4 mV/ms\"",
    },
];

/// A random network of one kind.
#[derive(Clone, Debug)]
struct Case {
    kind: usize,
    size: usize,
    seed: u32,
    /// Share of the neurons that fire without input.
    driven: bool,
    indegree: usize,
    /// Recurrent weight relative to that of the source, and its sign.
    recurrent: f64,
    delay_steps: (u32, u32),
    threads: usize,
}

impl Case {
    fn text(&self, duration_ms: u32) -> String {
        let kind = &KINDS[self.kind];
        let mut text = format!(
            "name = \"sparse\"\nseed = {}\nduration = \"{duration_ms} ms\"\narithmetic = \"anchored\"\n",
            self.seed
        );
        if !kind.text.is_empty() {
            write!(
                text,
                "[models]\n{} = \"\"\"\n{}\n\"\"\"\n",
                kind.model, kind.text
            )
            .unwrap();
        }
        let drive = if self.driven { kind.drive } else { "" };
        let (weight, unit) = kind.weight;
        let (a, b) = self.delay_steps;
        write!(
            text,
            "[populations.n]\nmodel = \"{}\"\nsize = {}\nparameters = {{ {drive} }}\n\
             [stimuli.s]\nmodel = \"poisson\"\nsize = 60\nrate = \"12 Hz\"\n\
             [[projections]]\nsource = \"s\"\ntarget = \"n\"\nport = \"{port}\"\n\
             rule = {{ fixed_indegree = {{ indegree = {} }} }}\n\
             weight = {{ normal = {{ mean = \"{weight} {unit}\", sd = \"{} {unit}\" }} }}\n\
             delay = {{ uniform = [\"{:.1} ms\", \"{:.1} ms\"] }}\n\
             [[projections]]\nsource = \"n\"\ntarget = \"n\"\nport = \"{port}\"\n\
             rule = {{ fixed_indegree = {{ indegree = 4 }} }}\nweight = \"{} {unit}\"\n\
             delay = \"{:.1} ms\"\n",
            kind.model,
            self.size,
            self.indegree,
            weight / 4.0,
            f64::from(a) / 10.0,
            f64::from(b) / 10.0,
            weight * self.recurrent,
            f64::from(a) / 10.0,
            port = kind.port,
        )
        .unwrap();
        text
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let delays = (1_u32..20, 0_u32..60).prop_map(|(a, more)| (a, a + more));
    (
        0..KINDS.len(),
        96_usize..400,
        any::<u32>(),
        any::<bool>(),
        4_usize..8,
        -0.6..0.2_f64,
        delays,
        2_usize..5,
    )
        .prop_map(
            |(kind, size, seed, driven, indegree, recurrent, delay_steps, threads)| Case {
                kind,
                size,
                seed,
                driven,
                indegree,
                recurrent,
                delay_steps,
                threads,
            },
        )
}

struct Outcome {
    fingerprint: u64,
    spikes: Spikes,
    modes: ModeReport,
    synaptic_events: u64,
}

fn run<R: Instantiate>(text: &str, mode: ModeChoice, threads: usize) -> Outcome {
    let plan = harness::plan(&Network::from_toml(text, "sparse").unwrap());
    let options = BuildOptions {
        threads,
        mode,
        ..BuildOptions::default()
    };
    let mut simulation = Simulation::<R>::build(Arc::new(plan), options).unwrap();
    let end = simulation.plan().steps;
    // In three calls: whoever asks for a slice in the middle sees the same.
    for step in [end / 3, end / 3 + 1, end] {
        simulation.advance_to(step).unwrap();
    }
    let recording = simulation.take_recording();
    let node = simulation.plan().nodes.iter().position(|n| n.name == "n");
    let node = node.unwrap();
    let of_node = |(n, s): &(usize, Spikes)| (*n == node).then(|| s.clone());
    Outcome {
        fingerprint: simulation.fingerprint(&recording),
        spikes: recording.spikes.iter().find_map(of_node).unwrap(),
        modes: recording.modes[0].1.clone(),
        synaptic_events: recording.synaptic_events,
    }
}

fn same_bits<R: Instantiate>(case: &Case) -> Result<Found, TestCaseError> {
    let text = case.text(300);
    let dense = run::<R>(&text, ModeChoice::Dense, 1);
    let sparse = run::<R>(&text, ModeChoice::Sparse, 1);
    let steps = (sparse.modes.executed, sparse.modes.skipped);
    prop_assert_eq!(steps.0 + steps.1, 3000 * case.size as u64);
    prop_assert_eq!(dense.modes.skipped, 0);
    prop_assert!(dense.spikes.len() >= 100, "{} spikes", dense.spikes.len());
    prop_assert!(dense.spikes == sparse.spikes, "spikes differ");
    prop_assert_eq!(dense.fingerprint, sparse.fingerprint);
    for (mode, threads) in [
        (ModeChoice::Auto, 1),
        (ModeChoice::Sparse, case.threads),
        (ModeChoice::Dense, case.threads),
    ] {
        let other = run::<R>(&text, mode, threads);
        prop_assert_eq!(
            other.fingerprint,
            dense.fingerprint,
            "{:?} {}",
            mode,
            threads
        );
    }
    let steps = (steps.0 + steps.1, steps.1);
    let skipped = steps.1 as f64 / steps.0 as f64;
    // Share of the blocks of eight that no event falls on, if events fall at random.
    let quiet = (-8.0 * sparse.synaptic_events as f64 / steps.0 as f64).exp();
    Ok(Found {
        spikes: dense.spikes.len(),
        skipped,
        quiet,
    })
}

/// What a case did.
struct Found {
    spikes: usize,
    /// Share of the neuron-steps that sparse steps skipped, and that they might have skipped if only
    /// events counted.
    skipped: f64,
    quiet: f64,
}

/// Cases that count: every kind often enough.
const CASES: u32 = 48;

fn many<R: Instantiate>() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let asserted = std::cell::RefCell::new(0);
    let seen = std::cell::RefCell::new(vec![(0_u32, 0_usize, 1.0_f64); KINDS.len()]);
    runner
        .run(&cases(), |case| {
            let found = same_bits::<R>(&case)?;
            let kind = &mut seen.borrow_mut()[case.kind];
            kind.0 += 1;
            kind.1 += found.spikes;
            // Neurons that cannot fire by themselves leave most steps alone, where events do.
            if !case.driven && found.quiet >= 0.8 {
                let skipped = found.skipped;
                prop_assert!(skipped >= 0.5, "only {skipped} of neuron-steps skipped");
                kind.2 = kind.2.min(skipped);
                *asserted.borrow_mut() += 1;
            }
            Ok(())
        })
        .unwrap_or_else(|e| panic!("{e}"));
    let asserted = asserted.into_inner();
    println!("{asserted} of {CASES} networks are quiet enough to tell what is skipped");
    assert!(asserted >= CASES / 8, "{asserted}");
    for (kind, (cases, spikes, skipped)) in KINDS.iter().zip(seen.into_inner()) {
        println!(
            "{}: {cases} networks, {spikes} spikes, undriven at least {skipped:.3} of neuron-steps skipped",
            kind.model
        );
    }
}

#[test]
fn random_networks_give_the_same_bits_dense_and_sparse_in_f32() {
    many::<f32>();
}

#[test]
fn random_networks_give_the_same_bits_dense_and_sparse_in_f64() {
    many::<f64>();
}

#[test]
fn stepwise_and_anchored_give_the_same_spikes_in_f64() {
    for kind in 0..KINDS.len() {
        for driven in [false, true] {
            let case = Case {
                kind,
                size: 150,
                seed: 5,
                driven,
                indegree: 8,
                recurrent: -0.3,
                delay_steps: (7, 31),
                threads: 1,
            };
            let text = case.text(500);
            let anchored = run::<f64>(&text, ModeChoice::Sparse, 1).spikes;
            let text = text.replace("\"anchored\"", "\"stepwise\"");
            let plan = harness::plan(&Network::from_toml(&text, "stepwise").unwrap());
            let (_, recording) = harness::run::<f64>(plan, 1);
            let stepwise = &recording.spikes.iter().find(|(n, _)| *n == 0).unwrap().1;
            println!(
                "{} (driven: {driven}): {} spikes",
                KINDS[kind].model,
                stepwise.len()
            );
            assert!(stepwise.len() >= 100);
            assert_eq!(&anchored, stepwise, "{}", KINDS[kind].model);
        }
    }
}

/// A checkpoint in the middle of a run, looked at and saved again before it goes on, in another mode and
/// on other threads.
#[test]
fn a_restored_state_goes_on_with_the_same_bits() {
    for kind in 0..KINDS.len() {
        let case = Case {
            kind,
            size: 200,
            seed: 9,
            driven: true,
            indegree: 8,
            recurrent: -0.3,
            delay_steps: (7, 31),
            threads: 1,
        };
        let plan = Network::from_toml(&case.text(200), "resumed").unwrap();
        let plan = Arc::new(harness::plan(&plan));
        let build = |threads, mode| {
            let options = BuildOptions {
                threads,
                mode,
                ..BuildOptions::default()
            };
            Simulation::<f32>::build(Arc::clone(&plan), options).unwrap()
        };
        let mut whole = build(1, ModeChoice::Dense);
        whole.advance_to(777).unwrap();
        let mut first = Vec::new();
        whole.save(&mut first).unwrap();
        let at_777 = whole.fingerprint(&Default::default());
        whole.take_recording();
        whole.advance_to(2000).unwrap();
        let expected = whole.take_recording();
        let expected = (whole.fingerprint(&expected), expected.n_spikes);
        for (threads, mode) in [(1, ModeChoice::Sparse), (3, ModeChoice::Auto)] {
            let mut resumed = build(threads, mode);
            resumed.load(&mut first.as_slice()).unwrap();
            assert_eq!(resumed.fingerprint(&Default::default()), at_777);
            let mut second = Vec::new();
            resumed.save(&mut second).unwrap();
            assert!(
                first == second,
                "{}: saved again, it differs",
                KINDS[kind].model
            );
            resumed.load(&mut second.as_slice()).unwrap();
            resumed.advance_to(1500).unwrap();
            // Looking changes nothing.
            assert!(resumed.state("n", "v").is_some());
            resumed.advance_to(2000).unwrap();
            let found = resumed.take_recording();
            let found = (resumed.fingerprint(&found), found.n_spikes);
            assert_eq!(found, expected, "{}", KINDS[kind].model);
        }
    }
}

#[test]
fn a_million_steps_keep_the_bits() {
    let case = Case {
        kind: 1,
        size: 100,
        seed: 3,
        driven: false,
        indegree: 6,
        recurrent: -0.5,
        delay_steps: (5, 20),
        threads: 1,
    };
    let text = case.text(100_000);
    let dense = run::<f32>(&text, ModeChoice::Dense, 1);
    let sparse = run::<f32>(&text, ModeChoice::Sparse, 2);
    println!(
        "1,000,000 steps: {} spikes, {:.3} of neuron-steps skipped",
        dense.spikes.len(),
        sparse.modes.skipped as f64 / (sparse.modes.skipped + sparse.modes.executed) as f64
    );
    assert!(dense.spikes.len() > 10_000);
    assert_eq!(dense.fingerprint, sparse.fingerprint);
}

#[test]
fn what_cannot_be_anchored_is_refused_with_the_reason() {
    let base = "duration = \"10 ms\"\n[populations.n]\nmodel = \"MODEL\"\nsize = 2000\narithmetic = \"anchored\"\n";
    let drive = "[stimuli.b]\nmodel = \"poisson_background\"\ntarget = \"n\"\nport = \"ex\"\nrate = \"1 kHz\"\nweight = \"10 pA\"\n";
    let growing = "[models]\ngrowing = \"\"\"\nneuron growing\n  dv/dt = v/(40 ms) : mV = -5 mV\n  \
                   spike when v >= 15 mV, reset v = -5 mV\n\"\"\"\n";
    let cases = [
        (
            base.replace("MODEL", "growing") + growing,
            "a state grows by itself",
        ),
        (
            base.replace("MODEL", "iaf_psc_exp") + "initial = { refractory_steps = 20 }\n",
            "`refractory_steps` of its own",
        ),
        (
            base.replace("MODEL", "iaf_psc_exp")
                + "parameters = { tau_m = \"1 s\", i_e = \"20 nA\" }\n",
            "f32 would lose too much",
        ),
        (base.replace("MODEL", "iaf_cond_exp"), "not linear"),
        (base.replace("MODEL", "izhikevich"), "not linear"),
        (
            base.replace("MODEL", "iaf_psc_exp") + drive,
            "stimulus `b` acts in every step",
        ),
        (
            base.replace("MODEL", "iaf_psc_exp")
                + "parameters = { tau_m = { uniform = [\"8 ms\", \"12 ms\"] } }\n",
            "`tau_m` differs between neurons",
        ),
    ];
    for (text, expected) in cases {
        let plan = harness::plan(&Network::from_toml(&text, "refused").unwrap());
        let built = Simulation::<f32>::build(Arc::new(plan), BuildOptions::default());
        let error = built.err().unwrap();
        assert!(matches!(error, BuildError::NotAnchored { .. }));
        let message = error.to_string();
        println!("{message}");
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn the_rule_anchors_large_quiet_populations() {
    let text = |size: u32, indegree: u32| {
        format!(
            "duration = \"1 ms\"\n[populations.n]\nmodel = \"iaf_psc_exp\"\nsize = {size}\n\
             [[projections]]\nsource = \"n\"\ntarget = \"n\"\nport = \"ex\"\n\
             rule = {{ fixed_indegree = {{ indegree = {indegree} }} }}\nweight = \"1 pA\"\ndelay = \"1 ms\"\n"
        )
    };
    let arithmetic = |size, indegree| {
        let plan = harness::plan(&Network::from_toml(&text(size, indegree), "rule").unwrap());
        let (simulation, _) = harness::run::<f32>(plan, 1);
        simulation.report().arithmetic[0].1.clone()
    };
    assert_eq!(arithmetic(2000, 10).arithmetic, Arithmetic::Anchored);
    let busy = arithmetic(2000, 100);
    assert_eq!(busy.arithmetic, Arithmetic::Stepwise);
    assert!(busy.reason.contains("synaptic events"), "{}", busy.reason);
    assert_eq!(arithmetic(200, 10).arithmetic, Arithmetic::Stepwise);
}
