//! Presets against what the frameworks themselves computed (`tests/golden`), or their formulas.

use std::path::PathBuf;
use std::sync::Arc;

use rheobase::compat::{
    Clif, ComplementaryLifNode, CubaLifNode, Expon, IfNode, KlifNode, Leaky, Lif, LifCell, LifNode,
    ParametricLifNode, ResetMechanism, Synaptic, Test, brainstate, norse, snntorch, spaic,
    spikingjelly,
};
use rheobase::engine::network::{Edge, Input, Network, Population};
use rheobase::engine::unrolled::{Sequence, UnrolledNetwork, UnrolledOptions};
use rheobase::equations::real::Precision;
use safetensors::SafeTensors;
use serde_json::Value as Json;

/// A set of cases, as `NAME.json` and `NAME.f64.safetensors` hold them.
struct Golden {
    bytes: Vec<u8>,
    cases: Vec<Json>,
    /// What comes back to a spike is rounded to f32, as snnTorch does whose spikes are f32.
    is_rounded: bool,
}

impl Golden {
    fn open(folder: &str, name: &str) -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let read = |end: &str| std::fs::read(root.join(folder).join(format!("{name}{end}")));
        let document: Json = serde_json::from_slice(&read(".json").unwrap()).unwrap();
        Self {
            bytes: read(".f64.safetensors").unwrap(),
            cases: document["cases"].as_array().unwrap().clone(),
            is_rounded: folder == "snntorch",
        }
    }

    fn array(&self, case: &Json, name: &str) -> (Vec<usize>, Vec<f64>) {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let key = format!("{}/{name}", case["case"].as_str().unwrap());
        let view = file.tensor(&key).unwrap();
        let words = view.data().as_chunks::<8>().0;
        let values = words.iter().map(|w| f64::from_le_bytes(*w)).collect();
        (view.shape().to_vec(), values)
    }

    /// Spikes are the same, gradients by the input within `tolerance` of the largest.
    fn check(&self, case: &Json, population: impl Fn(u64) -> Population, tolerance: f64) {
        let name = case["case"].as_str().unwrap();
        let (shape, x) = self.array(case, "x");
        let n = shape[1];
        let (_, mut g) = self.array(case, "g");
        if self.is_rounded {
            g.iter_mut().for_each(|g| *g = f64::from(*g as f32));
        }
        let (s, gx) = run(population(n as u64), n, &x, &g);
        assert_eq!(s, self.array(case, "s").1, "{name}");
        let expected = self.array(case, "gx").1;
        let largest = expected.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        let pairs = gx.iter().zip(&expected);
        let widest = pairs.fold(0.0_f64, |m, (a, b)| m.max((a - b).abs())) / largest;
        assert!(widest <= tolerance, "{name}: {widest}");
    }
}

/// What the population emits for the input `[T, N]`, and the gradient of sum(g·output) by the input.
fn run(population: Population, n: usize, x: &[f64], g: &[f64]) -> (Vec<f64>, Vec<f64>) {
    run_in("1 ms", population, n, x, g)
}

fn run_in(
    dt: &str,
    population: Population,
    n: usize,
    x: &[f64],
    g: &[f64],
) -> (Vec<f64>, Vec<f64>) {
    let network = Network::builder("preset")
        .dt(dt)
        .precision(Precision::F64)
        .input("x", Input::real([n as u64]))
        .population("p", population)
        .edge(Edge::new("x", "p"))
        .build()
        .unwrap();
    let plan = Arc::new(network.resolve(&rheobase::registry()).unwrap());
    let options = UnrolledOptions {
        steps: x.len() / n,
        input_cotangents: true,
        ..UnrolledOptions::default()
    };
    let mut unrolled = UnrolledNetwork::<f64>::new(plan, &options).unwrap();
    unrolled.forward(&[Sequence::Steps(x)], true).unwrap();
    let output = unrolled.output("p").unwrap().to_vec();
    unrolled.backward(&[("p", g)]).unwrap();
    (output, unrolled.input_cotangent("x").unwrap().to_vec())
}

fn number(case: &Json, name: &str) -> f64 {
    let value = case["params"][name].as_f64();
    value.unwrap_or_else(|| panic!("{}: {name}", case["case"]))
}

fn flag(case: &Json, name: &str) -> bool {
    case["params"][name].as_bool().unwrap_or(false)
}

/// The golden vectors' names of surrogates.
fn surrogate(case: &Json) -> String {
    match case["params"]["surrogate"].as_str().unwrap() {
        "sigmoid4" => "sigmoid(4)",
        "atan2" => "atan(2)",
        "rect1" => "rect(1)",
        "pwquad1" => "piecewise_quadratic(1)",
        "softsign2" => "soft_sign(2)",
        "erf2" => "erf(2)",
        "pwlrelu" => "piecewise_leaky_relu(1, 0.01)",
        "fourier" => "squarewave_fourier_series(2, 8)",
        "s2nn" => "s2nn(4, 1)",
        "qpseudo2" => "q_pseudo_spike(2)",
        "leakyk" => "leaky_k_relu(0, 1)",
        "logtail" => "log_tailed_relu(0)",
        "detpass" => "pass_through",
        other => panic!("no counterpart of {other}"),
    }
    .to_owned()
}

#[test]
fn spikingjelly_nodes_do_what_they_do_there() {
    let golden = Golden::open("spikingjelly", "neurons");
    let mut seen = 0;
    for case in &golden.cases {
        let known = [
            "IFNode",
            "LIFNode",
            "ParametricLIFNode",
            "KLIFNode",
            "CUBALIFNode",
            "ComplementaryLIFNode",
        ];
        // A run from a given membrane is tried with the components.
        if case["arrays"].get("v0").is_some()
            || !known.contains(&case["params"]["neuron"].as_str().unwrap())
        {
            continue;
        }
        let v_threshold = number(case, "v_threshold");
        let v_reset = case["params"]["v_reset"].as_f64();
        let (surrogate, detach_reset) = (surrogate(case), flag(case, "detach_reset"));
        let decay_input = flag(case, "decay_input");
        let made = |n: u64| match case["params"]["neuron"].as_str().unwrap() {
            "IFNode" => IfNode {
                v_threshold,
                v_reset,
                surrogate: surrogate.clone(),
                detach_reset,
            }
            .population(n),
            "LIFNode" => LifNode {
                tau: number(case, "tau"),
                decay_input,
                v_threshold,
                v_reset,
                surrogate: surrogate.clone(),
                detach_reset,
            }
            .population(n),
            "ParametricLIFNode" => ParametricLifNode {
                init_tau: 1.0 + (-golden.array(case, "p_w").1[0]).exp(),
                decay_input,
                v_threshold,
                v_reset,
                surrogate: surrogate.clone(),
                detach_reset,
            }
            .population(n),
            "KLIFNode" => KlifNode {
                scale_reset: flag(case, "scale_reset"),
                tau: number(case, "tau"),
                decay_input,
                v_threshold,
                v_reset,
                surrogate: surrogate.clone(),
                detach_reset,
            }
            .population(n)
            .map(|p| p.parameter("k", number(case, "k"))),
            "CUBALIFNode" => CubaLifNode {
                c_decay: number(case, "c_decay"),
                v_decay: number(case, "v_decay"),
                v_threshold,
                v_reset,
                surrogate: surrogate.clone(),
                detach_reset,
            }
            .population(n),
            _ => ComplementaryLifNode {
                tau: number(case, "tau"),
                v_threshold,
                surrogate: surrogate.clone(),
            }
            .population(n),
        };
        golden.check(case, |n| made(n).unwrap(), 1e-9);
        seen += 1;
    }
    println!("{seen} cases");
    assert!(seen >= 50, "{seen}");
}

#[test]
fn snntorch_neurons_do_what_they_do_there() {
    let mechanism = |case: &Json| match case["params"]["reset_mechanism"].as_str().unwrap() {
        "subtract" => ResetMechanism::Subtract,
        "zero" => ResetMechanism::Zero,
        _ => ResetMechanism::None,
    };
    // The reset that acts at once goes through the rounded spike, too.
    let tolerance = |case: &Json| {
        if flag(case, "reset_delay") {
            1e-9
        } else {
            1e-6
        }
    };
    let golden = Golden::open("snntorch", "snntorch_leaky");
    for case in &golden.cases {
        let leaky = Leaky {
            beta: number(case, "beta"),
            surrogate: "fast_sigmoid(25)".to_owned(),
            reset_mechanism: mechanism(case),
            reset_delay: flag(case, "reset_delay"),
            ..Leaky::default()
        };
        golden.check(case, |n| leaky.population(n).unwrap(), tolerance(case));
    }
    let golden = Golden::open("snntorch", "snntorch_synaptic");
    for case in &golden.cases {
        let synaptic = Synaptic {
            alpha: number(case, "alpha"),
            beta: number(case, "beta"),
            reset_mechanism: mechanism(case),
            reset_delay: flag(case, "reset_delay"),
            ..Synaptic::default()
        };
        golden.check(case, |n| synaptic.population(n).unwrap(), tolerance(case));
    }
    assert_eq!(golden.cases.len(), 6);
}

#[test]
fn norse_cells_do_what_they_do_there() {
    let golden = Golden::open("norse", "norse_lif");
    for case in &golden.cases {
        let cell = LifCell {
            tau_syn_inv: number(case, "tau_syn_inv"),
            tau_mem_inv: number(case, "tau_mem_inv"),
            v_leak: number(case, "v_leak"),
            v_th: number(case, "v_th"),
            v_reset: number(case, "v_reset"),
            dt: number(case, "dt"),
        };
        // The vectors begin at the reset.
        let population = |n| cell.population(n).unwrap().initial("v", cell.v_reset);
        golden.check(case, population, 1e-9);
    }
    assert_eq!(golden.cases.len(), 3);
}

/// Numbers between 0 and 1, the same on every machine.
#[allow(clippy::cast_precision_loss, reason = "24 bits")]
fn numbers(n: usize) -> Vec<f64> {
    let mut word = 1_u64;
    (0..n)
        .map(|_| {
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (word >> 40) as f64 / (1_u64 << 24) as f64
        })
        .collect()
}

/// 500 steps of SPAIC's operations, for both readings of V0.
#[test]
fn spaic_clif_is_its_formula() {
    for (clif, v0, drive) in [
        (Clif::default(), 1.0, 1.2),
        (Clif::default().normalised().unwrap(), 6.75, 0.2),
    ] {
        assert!((clif.v0 - v0).abs() < 1e-12);
        let x: Vec<f64> = numbers(500).into_iter().map(|x| drive * x).collect();
        let (s, _) = run_in(
            "0.1 ms",
            clif.population(1).unwrap(),
            1,
            &x,
            &vec![1.0; 500],
        );
        let decay = |tau: f64| (-0.1 / tau).exp();
        let (mut m, mut syn, mut e, mut o) = (0.0, 0.0, 0.0, 0.0);
        for (step, x) in x.iter().enumerate() {
            m = decay(12.0) * m + v0 * x;
            syn = decay(8.0) * syn + v0 * x;
            e = decay(20.0) * e + o;
            o = f64::from(u8::from(m - syn - e > 1.0));
            assert_eq!(s[step], o, "step {step}");
        }
        let rate = s.iter().sum::<f64>() / 500.0;
        assert!(rate > 0.005 && rate < 0.5, "{rate}");
    }
}

/// BrainState's loop, with the reset before the next step, and its gradients in forward mode: (value,
/// derivative by one input).
#[test]
fn brainstate_lif_is_its_formula() {
    for (v_th, hard, dt) in [(1.0, false, 1.0), (0.7, false, 0.5), (0.8, true, 1.0)] {
        let lif = Lif {
            tau: 10.0,
            v_th,
            v_rest: 0.1,
            r: 1.5,
            hard,
            dt,
            ..Lif::default()
        };
        let x: Vec<f64> = numbers(60).into_iter().map(|x| 3.0 * x).collect();
        let g: Vec<f64> = numbers(120)[60..].iter().map(|x| x - 0.5).collect();
        let (s, gx) = run(lif.population(1).unwrap(), 1, &x, &g);
        let decay = (-dt / 10.0_f64).exp();
        let slope = |z: f64| (0.3 * (1.0 - z.abs())).max(0.0);
        for k in 0..60 {
            let (mut v, mut dv, mut spike, mut dspike, mut total) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for (step, &x) in x.iter().enumerate() {
                let taken = if hard { v } else { v_th };
                // Hard resets stop the gradient of what is taken.
                dv -= taken * dspike;
                v -= taken * spike;
                let by_input = f64::from(u8::from(step == k));
                v = 0.1 + decay * (v - 0.1) + 1.5 * (1.0 - decay) * x;
                dv = decay * dv + 1.5 * (1.0 - decay) * by_input;
                let z = (v - v_th) / v_th;
                spike = f64::from(u8::from(z >= 0.0));
                dspike = slope(z) * dv / v_th;
                if k == 0 {
                    assert_eq!(s[step], spike, "step {step}");
                }
                total += g[step] * dspike;
            }
            if !hard {
                assert!((gx[k] - total).abs() < 1e-12, "{k}: {} {total}", gx[k]);
            }
        }
        assert!(s.iter().sum::<f64>() > 5.0);
    }
    let x = numbers(20);
    let expon = Expon { tau: 4.0, dt: 1.0 };
    let (g, _) = run(expon.population(1).unwrap(), 1, &x, &[1.0; 20]);
    let mut expected = 0.0;
    for (found, x) in g.iter().zip(&x) {
        expected = expected * (-0.25_f64).exp() + x;
        assert!((found - expected).abs() < 1e-12);
    }
}

/// What each preset says of the threshold is what its neuron does there: a potential of exactly 1.
#[test]
fn thresholds_are_tested_as_said() {
    let fires = |population: Population, x: f64| run(population, 1, &[x], &[1.0]).0[0] == 1.0;
    let cases = [
        (
            spikingjelly().test,
            fires(IfNode::default().population(1).unwrap(), 1.0),
        ),
        (
            snntorch().test,
            fires(Leaky::default().population(1).unwrap(), 1.0),
        ),
        (
            snntorch().test,
            fires(Synaptic::default().population(1).unwrap(), 1.0),
        ),
        (
            norse().test,
            fires(
                LifCell {
                    tau_mem_inv: 500.0,
                    ..LifCell::default()
                }
                .population(1)
                .unwrap(),
                2.0,
            ),
        ),
        (
            brainstate().test,
            fires(
                Lif {
                    // Nothing is left of the potential before.
                    tau: 0.001,
                    ..Lif::default()
                }
                .population(1)
                .unwrap(),
                1.0,
            ),
        ),
    ];
    for (test, fires) in cases {
        assert_eq!(fires, test == Test::AtLeast);
    }
    assert_eq!(spaic().test, Test::Above);
}

#[test]
fn what_cannot_be_is_named() {
    let message = |e: rheobase::compat::CompatError| e.to_string();
    let tau = LifNode {
        tau: 1.0,
        ..LifNode::default()
    };
    assert_eq!(
        message(tau.population(1).unwrap_err()),
        "LIFNode: tau is 1: expected a number of steps above 1"
    );
    let beta = Leaky {
        beta: f64::NAN,
        ..Leaky::default()
    };
    assert!(message(beta.population(1).unwrap_err()).starts_with("Leaky: beta is NaN"));
    let fast = LifCell {
        tau_mem_inv: 1001.0,
        ..LifCell::default()
    };
    assert!(message(fast.population(1).unwrap_err()).contains("tau_mem_inv is 1001"));
    let reset = Lif {
        v_reset: -0.5,
        ..Lif::default()
    };
    assert!(message(reset.population(1).unwrap_err()).contains("0 with a soft reset"));
    let slow = Clif {
        tau_q: 13.0,
        ..Clif::default()
    };
    assert!(message(slow.normalised().unwrap_err()).contains("tau_p/tau_q"));
}
