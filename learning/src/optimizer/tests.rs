//! Order of arrays, states and errors of optimisers. Trajectories are compared with PyTorch's in
//! `learning/tests/pytorch.rs`.

use super::*;

fn tensor(name: &str, values: Vec<f64>) -> Tensor<f64> {
    Tensor {
        name: name.to_owned(),
        shape: vec![values.len()],
        values,
    }
}

/// A pass over two arrays with gradients that differ from step to step.
fn advance(optimizer: &mut Optimizer<f64>, parameters: &mut [Tensor<f64>], step: u32) {
    let mut pass = optimizer.pass();
    for (k, p) in (0..).zip(parameters.iter_mut()) {
        let gradient = |i: usize| p.values[i] * 0.5 + f64::from((step + k) % 5) * 0.1 - 0.2;
        let gradient = tensor("gradient", (0..p.values.len()).map(gradient).collect());
        pass.update("fc", p, &gradient);
    }
    pass.finish().unwrap();
}

fn parameters() -> Vec<Tensor<f64>> {
    vec![
        tensor("weight", (0..19_u8).map(f64::from).collect()),
        tensor("bias", vec![-0.5, 0.25]),
    ]
}

type MakeOptimizer = fn() -> Optimizer<f64>;

const ALL: [MakeOptimizer; 7] = [
    || Optimizer::new(Sgd::default()).unwrap(),
    || {
        let momentum = 0.9;
        Optimizer::new(Sgd {
            momentum,
            dampening: 0.5,
            ..Sgd::default()
        })
        .unwrap()
    },
    || Optimizer::new(Adam::default()).unwrap(),
    || {
        let amsgrad = true;
        Optimizer::new(AdamW {
            amsgrad,
            ..AdamW::default()
        })
        .unwrap()
    },
    || Optimizer::new(RmsProp::default()).unwrap(),
    || {
        let centered = true;
        Optimizer::new(RmsProp {
            centered,
            momentum: 0.9,
            ..RmsProp::default()
        })
        .unwrap()
    },
    || {
        let rate_decay = 0.1;
        Optimizer::new(Adagrad {
            rate_decay,
            ..Adagrad::default()
        })
        .unwrap()
    },
];

#[test]
fn a_restored_state_gives_the_same_bits() {
    for make in ALL {
        let (mut whole, mut expected) = (make(), parameters());
        for step in 0..20 {
            advance(&mut whole, &mut expected, step);
        }
        let (mut first, mut found) = (make(), parameters());
        for step in 0..7 {
            advance(&mut first, &mut found, step);
        }
        let mut second = make();
        second.restore(first.slots().to_vec()).unwrap();
        for step in 7..20 {
            advance(&mut second, &mut found, step);
        }
        assert_eq!(found, expected, "{}", whole.name());
        assert_eq!(second.slots(), whole.slots());
    }
}

#[test]
fn states_have_names() {
    let names = |make: MakeOptimizer| {
        let mut optimizer = make();
        advance(&mut optimizer, &mut parameters(), 0);
        let [weight, bias] = optimizer.slots() else {
            panic!("two slots")
        };
        assert_eq!((weight.steps, bias.steps), (1, 1));
        assert_eq!(
            (weight.node.as_str(), weight.parameter.as_str()),
            ("fc", "weight")
        );
        assert!(weight.arrays.iter().all(|a| a.values.len() == 19));
        let names = weight.arrays.iter().map(|a| a.name.clone());
        names.collect::<Vec<_>>().join(" ")
    };
    let expected = [
        "",
        "momentum_buffer",
        "m v",
        "m v v_max",
        "v",
        "v mean momentum_buffer",
        "v",
    ];
    assert_eq!(ALL.map(names), expected);
}

#[test]
fn the_learning_rate_can_be_changed() {
    let mut optimizer = Optimizer::new(Sgd::default()).unwrap();
    optimizer.set_learning_rate(0.5).unwrap();
    let mut weight = [1.0];
    let mut pass = optimizer.pass();
    pass.update_array("fc", "weight", &mut weight, &[1.0]);
    pass.finish().unwrap();
    assert_eq!((weight, optimizer.learning_rate()), ([0.5], 0.5));
    assert!(optimizer.set_learning_rate(-0.1).is_err());
    assert!(optimizer.set_learning_rate(f64::NAN).is_err());
    assert_eq!(optimizer.learning_rate(), 0.5);
}

/// The error of a second pass over other arrays than those of the first, "a" and "b" of length 2.
fn second_pass(node: &str, arrays: &[(&str, usize, usize)]) -> String {
    let mut optimizer = Optimizer::new(Adam::default()).unwrap();
    let mut pass = optimizer.pass();
    pass.update_array("fc", "a", &mut [0.0, 0.0], &[1.0, 1.0]);
    pass.update_array("fc", "b", &mut [0.0, 0.0], &[1.0, 1.0]);
    pass.finish().unwrap();
    let mut pass = optimizer.pass();
    for &(name, length, of_gradient) in arrays {
        pass.update_array(node, name, &mut vec![0.0; length], &vec![0.0; of_gradient]);
    }
    match pass.finish() {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn other_arrays_than_in_the_first_pass_are_errors() {
    assert_eq!(second_pass("fc", &[("a", 2, 2), ("b", 2, 2)]), "");
    let same = "every pass takes the same arrays in the same order";
    let cases = [
        (
            second_pass("lif", &[("a", 2, 2), ("b", 2, 2)]),
            format!("array 0 of this pass is `lif.a`, but was `fc.a` in the first: {same}"),
        ),
        (
            second_pass("fc", &[("b", 2, 2), ("a", 2, 2)]),
            format!("array 0 of this pass is `fc.b`, but was `fc.a` in the first: {same}"),
        ),
        (
            second_pass("fc", &[("a", 2, 2)]),
            format!("array 1 of this pass is absent, but was `fc.b` in the first: {same}"),
        ),
        (
            second_pass("fc", &[("a", 2, 2), ("b", 2, 2), ("c", 1, 1)]),
            format!("array 2 of this pass is `fc.c`, but was absent in the first: {same}"),
        ),
        (
            second_pass("fc", &[("a", 3, 3)]),
            "`fc.a` holds 3 values, expected 2".to_owned(),
        ),
        (
            second_pass("fc", &[("a", 2, 1)]),
            "`fc.a` holds 1 values, expected 2".to_owned(),
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}

#[test]
fn a_failed_pass_leaves_what_comes_after_alone() {
    let mut optimizer = Optimizer::new(Sgd::default()).unwrap();
    let mut pass = optimizer.pass();
    pass.update_array("fc", "a", &mut [0.0, 0.0], &[1.0]);
    let mut b = [0.0];
    pass.update_array("fc", "b", &mut b, &[1.0]);
    assert!(pass.finish().is_err());
    assert_eq!((b, optimizer.slots().len()), ([0.0], 0));
}

#[test]
fn a_state_of_another_rule_is_refused() {
    let mut adam = Optimizer::new(Adam::default()).unwrap();
    advance(&mut adam, &mut parameters(), 0);
    let mut sgd = Optimizer::new(Sgd::default()).unwrap();
    let error = sgd.restore(adam.slots().to_vec()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`fc.weight` was saved with m, v, but sgd keeps nothing"
    );
    assert!(sgd.slots().is_empty());
    let mut slots = adam.slots().to_vec();
    slots[1].arrays[1].values.pop();
    let error = adam.restore(slots).unwrap_err();
    assert_eq!(error.to_string(), "`fc.bias` holds 1 values, expected 2");
}

#[test]
fn wrong_parameters_are_errors() {
    fn refused(rule: impl UpdateRule<f32> + 'static) -> String {
        match Optimizer::new(rule) {
            Ok(optimizer) => panic!("{} was made", optimizer.name()),
            Err(error) => error.to_string(),
        }
    }
    let (sgd, adam, adamw) = (Sgd::default(), Adam::default(), AdamW::default());
    let (rmsprop, adagrad) = (RmsProp::default(), Adagrad::default());
    let messages = [
        refused(Sgd {
            learning_rate: -1.0,
            ..sgd
        }),
        refused(Sgd {
            momentum: f64::NAN,
            ..sgd
        }),
        refused(Sgd {
            weight_decay: -1.0,
            ..sgd
        }),
        refused(Sgd {
            dampening: f64::INFINITY,
            ..sgd
        }),
        refused(Sgd {
            nesterov: true,
            ..sgd
        }),
        refused(Sgd {
            nesterov: true,
            momentum: 0.9,
            dampening: 0.1,
            ..sgd
        }),
        refused(Adam { beta1: 1.0, ..adam }),
        refused(Adam {
            beta2: -0.1,
            ..adam
        }),
        refused(AdamW {
            epsilon: -1.0,
            ..adamw
        }),
        refused(RmsProp {
            alpha: 1.5,
            ..rmsprop
        }),
        refused(Adagrad {
            initial_sum: -1.0,
            ..adagrad
        }),
    ];
    assert_eq!(
        messages[0],
        "sgd: learning_rate is -1, expected a finite number of 0 or more"
    );
    assert_eq!(
        messages[4],
        "sgd: momentum is 0, expected above 0 for Nesterov's momentum"
    );
    assert_eq!(
        messages[8],
        "adamw: epsilon is -1, expected a finite number of 0 or more"
    );
}

/// What devices run is what the processor runs: quotients by what is known before are products with a
/// reciprocal there.
#[test]
fn the_equations_of_a_rule_are_the_rule() {
    for make in ALL {
        let (mut own, mut expected) = (make(), parameters());
        let text = own.equations().unwrap().component().model.text.clone();
        let mut equations = Optimizer::new(EquationRule::<f64>::new(&text).unwrap()).unwrap();
        let mut found = parameters();
        let rate = own.learning_rate();
        equations.set_learning_rate(rate).unwrap();
        for step in 0..20 {
            advance(&mut own, &mut expected, step);
            advance(&mut equations, &mut found, step);
        }
        let of_slots = |o: &Optimizer<f64>| -> Vec<Tensor<f64>> {
            o.slots().iter().flat_map(|s| s.arrays.clone()).collect()
        };
        expected.extend(of_slots(&own));
        found.extend(of_slots(&equations));
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.name, expected.name);
            for (x, y) in found.values.iter().zip(&expected.values) {
                let near = (x - y).abs() <= 1e-14 * y.abs().max(1e-3);
                assert!(near, "{}, {}: {x} {y}", own.name(), found.name);
            }
        }
    }
}

#[test]
fn a_text_that_is_no_optimizer_is_an_error() {
    let error = |text: &str| match EquationRule::<f64>::new(text) {
        Err(e) => e.to_string(),
        Ok(_) => String::new(),
    };
    let neuron = "neuron n\n state v = 0 : 1\n update v = v";
    assert!(error(neuron).contains("`n` is no optimizer"));
    for (text, expected) in [
        ("state p = 0 : 1\n update p = p", "one input: the gradient"),
        ("input g : 1", "a state"),
        (
            "input g : 1\n dp/dt = g/s : 1",
            "updates, no differential equations",
        ),
        (
            "input g : 1\n state p = 0 : 1\n spike when p > g",
            "no spikes",
        ),
        (
            "input g : 1\n state p = 0 : 1\n update p = p + g*normal()",
            "no random numbers",
        ),
        (
            "input g : 1\n state p = 0 : 1\n update p = p - g*exp(-t/(1 ms))",
            "no `t`",
        ),
    ] {
        let told = error(&format!("optimizer x\n {text}"));
        assert!(told.contains(expected), "{told}");
    }
}

/// A rule whose equations keep something else.
struct Forgetful;

impl UpdateRule<f64> for Forgetful {
    fn name(&self) -> &'static str {
        "forgetful"
    }

    fn check(&self) -> Result<(), OptimizerError> {
        Ok(())
    }

    fn learning_rate(&self) -> f64 {
        1.0
    }

    fn arrays(&self) -> Vec<(Cow<'static, str>, f64)> {
        vec![("m".into(), 0.0)]
    }

    fn equations(&self) -> Option<String> {
        Some("optimizer x\n input g : 1\n state p = 0 : 1\n update p = p - g".to_owned())
    }

    fn update(&self, _: Moment, _: &mut [f64], _: &[f64], _: &mut [Tensor<f64>]) {}
}

#[test]
fn equations_that_keep_something_else_are_an_error() {
    let error = Optimizer::new(Forgetful).err().unwrap();
    let expected = "the equations of forgetful keep nothing, the rule keeps m";
    assert_eq!(error.to_string(), expected);
}
