//! Optimisers, schedules and losses against PyTorch 2.15.0 (`tests/golden/pytorch/`).

#![allow(clippy::print_stdout, reason = "tests print their figures")]

use rheobase_equations::real::Real;
use rheobase_learning::loss::{
    Logits, Loss, Tet, cross_entropy, mse, mse_rate, mse_rate_target, tet,
};
use rheobase_learning::optimizer::{
    Adagrad, Adam, AdamW, GradientNorm, Optimizer, RmsProp, Sgd, clip_value,
};
use rheobase_learning::schedule::{Aim, Plateau, Schedule, Threshold};
use serde_json::Value;

const OPTIMIZERS: &str = include_str!("../../tests/golden/pytorch/optimizers.json");
const SCHEDULES: &str = include_str!("../../tests/golden/pytorch/schedules.json");
const LOSSES: &str = include_str!("../../tests/golden/pytorch/losses.json");

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn floats(value: &Value) -> Vec<f64> {
    let float = |x: &Value| x.as_f64().unwrap();
    list(value).iter().map(float).collect()
}

fn integers(value: &Value) -> Vec<usize> {
    let integer = |x: &Value| usize::try_from(x.as_u64().unwrap()).unwrap();
    list(value).iter().map(integer).collect()
}

/// Largest difference, as a share of the largest value.
fn difference<R: Real>(found: &[R], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    let pairs = found.iter().zip(expected);
    let error = pairs.fold(0.0_f64, |m, (a, b)| m.max((a.to_f64() - b).abs()));
    error / largest
}

/// An option of PyTorch, or its default.
fn option(options: &Value, name: &str, default: f64) -> f64 {
    options.get(name).map_or(default, |x| x.as_f64().unwrap())
}

fn flag(options: &Value, name: &str) -> bool {
    options.get(name).is_some_and(|x| x.as_bool().unwrap())
}

fn optimizer<R: Real>(rule: &str, o: &Value) -> Optimizer<R> {
    let betas = o.get("betas").map_or(vec![0.9, 0.999], floats);
    match rule {
        "sgd" => {
            let d = Sgd::default();
            Optimizer::new(Sgd {
                learning_rate: option(o, "lr", d.learning_rate),
                momentum: option(o, "momentum", d.momentum),
                dampening: option(o, "dampening", d.dampening),
                weight_decay: option(o, "weight_decay", d.weight_decay),
                nesterov: flag(o, "nesterov"),
            })
        }
        "adam" => {
            let d = Adam::default();
            assert!((d.beta1, d.beta2) == (0.9, 0.999));
            Optimizer::new(Adam {
                learning_rate: option(o, "lr", d.learning_rate),
                beta1: betas[0],
                beta2: betas[1],
                epsilon: option(o, "eps", d.epsilon),
                weight_decay: option(o, "weight_decay", d.weight_decay),
                amsgrad: flag(o, "amsgrad"),
            })
        }
        "adamw" => {
            let d = AdamW::default();
            Optimizer::new(AdamW {
                learning_rate: option(o, "lr", d.learning_rate),
                epsilon: option(o, "eps", d.epsilon),
                weight_decay: option(o, "weight_decay", d.weight_decay),
                amsgrad: flag(o, "amsgrad"),
                ..d
            })
        }
        "rmsprop" => {
            let d = RmsProp::default();
            Optimizer::new(RmsProp {
                learning_rate: option(o, "lr", d.learning_rate),
                alpha: option(o, "alpha", d.alpha),
                epsilon: option(o, "eps", d.epsilon),
                weight_decay: option(o, "weight_decay", d.weight_decay),
                momentum: option(o, "momentum", d.momentum),
                centered: flag(o, "centered"),
            })
        }
        "adagrad" => {
            let d = Adagrad::default();
            Optimizer::new(Adagrad {
                learning_rate: option(o, "lr", d.learning_rate),
                rate_decay: option(o, "lr_decay", d.rate_decay),
                weight_decay: option(o, "weight_decay", d.weight_decay),
                initial_sum: option(o, "initial_accumulator_value", d.initial_sum),
                epsilon: option(o, "eps", d.epsilon),
            })
        }
        other => panic!("{other}"),
    }
    .unwrap()
}

/// The gradient of the README, in f64.
fn gradient<R: Real>(step: usize, slot: usize, values: &[R]) -> Vec<R> {
    let values = values.iter().enumerate();
    let at = |(i, v): (usize, &R)| {
        let noise = u8::try_from((step * 7 + i * 13 + slot * 5) % 17).unwrap();
        R::from_f64((f64::from(noise) - 8.0) / 8.0 + 0.5 * v.to_f64())
    };
    values.map(at).collect()
}

/// Largest difference of all kept parameters of a case.
fn trajectory<R: Real>(golden: &Value, case: &Value) -> f64 {
    let mut optimizer = optimizer::<R>(case["rule"].as_str().unwrap(), &case["options"]);
    let start = |slot: &Value| floats(slot).into_iter().map(R::from_f64).collect();
    let mut parameters: Vec<Vec<R>> = list(&golden["start"]).iter().map(start).collect();
    let clip = |name: &str| case.get("clip").and_then(|c| c.get(name)?.as_f64());
    let kept = integers(&golden["steps"]);
    let (mut largest, mut norms) = (0.0_f64, Vec::new());
    for step in 1..=100 {
        let slots = parameters.iter().enumerate();
        let mut gradients: Vec<Vec<R>> = slots.map(|(s, p)| gradient(step, s, p)).collect();
        if let Some(most) = clip("norm") {
            let mut norm = GradientNorm::default();
            gradients.iter().for_each(|g| norm.add(g));
            let clip = norm.clip(most).unwrap();
            gradients.iter_mut().for_each(|g| clip.apply(g));
            norms.push(norm.value());
        }
        if let Some(most) = clip("value") {
            gradients
                .iter_mut()
                .for_each(|g| clip_value(g, most).unwrap());
        }
        let mut pass = optimizer.pass();
        for (name, (p, g)) in ["a", "b"].iter().zip(parameters.iter_mut().zip(&gradients)) {
            pass.update_array("node", name, p, g);
        }
        pass.finish().unwrap();
        if let Some(k) = kept.iter().position(|&k| k == step) {
            for (p, expected) in parameters.iter().zip(list(&case["parameters"][k])) {
                largest = largest.max(difference(p, &floats(expected)));
            }
        }
    }
    if let Some(expected) = case.get("norms") {
        let norms: Vec<f64> = kept.iter().map(|k| norms[k - 1]).collect();
        largest = largest.max(difference(&norms, &floats(expected)));
    }
    largest
}

/// Trajectories that are further from PyTorch's than they may be.
fn far<R: Real>(most: f64) -> Vec<String> {
    let golden = parse(OPTIMIZERS);
    let cases = list(&golden["cases"]);
    assert_eq!(cases.len(), 20);
    let mut far = Vec::new();
    for case in cases {
        let error = trajectory::<R>(&golden, case);
        let clip = case.get("clip").unwrap_or(&Value::Null);
        let line = format!("{} {} {clip}: {error:.1e}", case["rule"], case["options"]);
        println!("{line}");
        // NaN is far.
        if error.is_nan() || error >= most {
            far.push(line);
        }
    }
    far
}

/// 100 updates in f64 stay within 1e-12 of PyTorch's, relative to the largest parameter.
#[test]
fn trajectories_of_optimizers() {
    let far = far::<f64>(1e-12);
    assert!(far.is_empty(), "{}", far.join("\n"));
}

/// The same in f32, within what 100 roundings leave.
#[test]
fn trajectories_in_single_precision() {
    let far = far::<f32>(2e-5);
    assert!(far.is_empty(), "{}", far.join("\n"));
}

fn schedule(form: &str, base: f64, arguments: &Value) -> Schedule {
    let float = |k: usize| arguments[k].as_f64().unwrap();
    let integer = |k: usize| arguments[k].as_u64().unwrap();
    match form {
        "step" => Schedule::step(base, integer(0), float(1)),
        "multi_step" => {
            let milestones: Vec<u64> = list(&arguments[0])
                .iter()
                .map(|m| m.as_u64().unwrap())
                .collect();
            Schedule::multi_step(base, &milestones, float(1))
        }
        "exponential" => Schedule::exponential(base, float(0)),
        "cosine" => Schedule::cosine(base, integer(0), float(1)),
        "warm_restarts" => Schedule::warm_restarts(base, integer(0), integer(1), float(2)),
        "cyclic" => Schedule::cyclic(base, float(0), integer(1), integer(2), float(3)),
        "warm_up" => Schedule::constant(base)
            .unwrap()
            .with_warm_up(integer(0), float(1)),
        "lambda" => Schedule::lambda(base, |epoch| {
            1.0 / (1.0 + f64::from(u32::try_from(epoch).unwrap()))
        }),
        other => panic!("{other}"),
    }
    .unwrap()
}

#[test]
fn rates_of_schedules() {
    let golden = parse(SCHEDULES);
    let base = golden["base"].as_f64().unwrap();
    let cases = list(&golden["cases"]);
    assert_eq!(cases.len(), 12);
    for case in cases {
        let form = case["form"].as_str().unwrap();
        let schedule = schedule(form, base, &case["arguments"]);
        let expected = floats(&case["rates"]);
        for (epoch, expected) in (0..).zip(expected) {
            let found = schedule.rate(epoch);
            // What PyTorch accumulates from epoch to epoch in f64, it rounds as often.
            let error = (found - expected).abs() / expected;
            assert!(error < 1e-13, "{form} {epoch}: {found}, {expected}");
        }
    }
}

#[test]
fn rates_of_plateaus() {
    let golden = parse(SCHEDULES);
    let metrics = floats(&golden["metrics"]);
    for case in list(&golden["plateaus"]) {
        let o = &case["options"];
        let text = |name: &str| o.get(name).map(|x| x.as_str().unwrap());
        let d = Plateau::default();
        let threshold = option(o, "threshold", 1e-4);
        let integer = |name: &str, default| o.get(name).map_or(default, |x| x.as_u64().unwrap());
        let plateau = Plateau {
            aim: if text("mode") == Some("max") {
                Aim::Max
            } else {
                Aim::Min
            },
            factor: option(o, "factor", d.factor),
            patience: integer("patience", d.patience),
            threshold: match text("threshold_mode") {
                Some("abs") => Threshold::Absolute(threshold),
                _ => Threshold::Relative(threshold),
            },
            cooldown: integer("cooldown", d.cooldown),
            min: option(o, "min_lr", d.min),
            smallest_change: option(o, "eps", d.smallest_change),
        };
        let sign = if plateau.aim == Aim::Max { -1.0 } else { 1.0 };
        let mut state = plateau.begin(golden["base"].as_f64().unwrap()).unwrap();
        let observe = |m: &f64| plateau.observe(&mut state, sign * m);
        let found: Vec<f64> = metrics.iter().map(observe).collect();
        let expected = floats(&case["rates"]);
        assert!(difference(&found, &expected) < 1e-15, "{o}");
        assert!(found[49] < found[0], "{o}");
    }
}

/// Values and gradients of all losses, to 1e-14 of the largest.
#[test]
fn losses_and_their_gradients() {
    let golden = parse(LOSSES);
    let shape: [usize; 3] = integers(&golden["shape"]).try_into().unwrap();
    let (output, labels) = (floats(&golden["output"]), integers(&golden["labels"]));
    let cases = golden["cases"].as_object().unwrap();
    assert_eq!(cases.len(), 9);
    for (name, case) in cases {
        let entropy = |logits| cross_entropy(&output, shape, &labels, logits);
        let with_error = Tet {
            lambda: 0.05,
            target: 0.5,
        };
        let Loss { value, cotangent } = match name.as_str() {
            "mse_rate" => mse_rate(&output, shape, &labels),
            "mse_rate_target" => mse_rate_target(&output, shape, &floats(&golden["rates"])),
            "mse" => mse(&output, shape, &floats(&golden["target"])),
            "cross_entropy_counts" => entropy(Logits::Counts),
            "cross_entropy_mean" => entropy(Logits::Mean),
            "cross_entropy_last" => entropy(Logits::Last),
            "cross_entropy_max" => entropy(Logits::Max),
            "tet" => tet(&output, shape, &labels, Tet::default()),
            "tet_with_error" => tet(&output, shape, &labels, with_error),
            other => panic!("{other}"),
        }
        .unwrap();
        let of_value = difference(&[value], &[case["loss"].as_f64().unwrap()]);
        let of_gradient = difference(&cotangent, &floats(&case["gradient"]));
        println!("{name}: {of_value:.1e}, {of_gradient:.1e}");
        assert!(of_value < 1e-14 && of_gradient < 1e-14, "{name}");
    }
}
