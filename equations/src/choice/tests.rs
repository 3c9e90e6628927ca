use super::*;
use crate::model::Model;
use crate::parse_one;

const TEXT: &str = "neuron n \"two ways to reset\"
  option soft_reset = false
  option detach_reset = true
  option kind = alpha or beta or none
  parameter tau = 2
  input x : 1
  update v = select(kind is alpha, v + x, select(kind is beta, v - x, x)) : 1
  spike when v >= 1, reset v = select(soft_reset, v - 1, 0), surrogate sigmoid(tau),
    detached when detach_reset and not kind is none";

fn model() -> Model {
    parse_one(TEXT, "n").expect("a good text")
}

fn chosen(choices: &Choices) -> Model {
    model().choose(choices).expect("good choices")
}

#[test]
fn the_first_choice_is_the_default() {
    let model = model();
    let chosen: Vec<&str> = model.options.iter().map(|o| &*o.values[o.chosen]).collect();
    assert_eq!(chosen, ["false", "true", "alpha"]);
    assert_eq!(model.options[0].values, ["false", "true"]);
    assert!(model.spike.expect("a spike").detach_reset);
}

#[test]
fn choices_change_the_equations() {
    let plain = model();
    let other = chosen(&Choices::new().option("kind", "beta"));
    let same = chosen(&Choices::new());
    let step = |m: &Model| {
        let lowered = crate::lower::lower(&std::sync::Arc::new(m.clone()), None);
        lowered.expect("lowers").step.to_string()
    };
    assert_eq!(step(&plain), step(&same));
    assert_ne!(step(&plain), step(&other));
    assert!(!step(&plain).contains("Bool"), "options cost nothing");
    let none = chosen(&Choices::new().option("kind", "none"));
    assert!(!none.spike.expect("a spike").detach_reset);
}

#[test]
fn the_surrogate_can_be_chosen() {
    let model = chosen(&Choices::new().surrogate("erf(alpha = 1/2)"));
    let spike = model.spike.expect("a spike");
    assert_eq!(crate::surrogate::get(spike.surrogate).name, "erf");
    let shape = &model.ops[spike.surrogate_arguments[0].index()];
    assert_eq!(*shape, crate::ir::Op::constant(0.5));
}

fn refusal(choices: &Choices) -> String {
    let refused = model().choose(choices);
    refused.err().map_or_else(String::new, |e| e.to_string())
}

#[test]
fn wrong_choices_say_what_is_known() {
    let said = [
        (
            Choices::new().option("soft_rest", "true"),
            "`n` has no option `soft_rest`; did you mean `soft_reset`?",
        ),
        (
            Choices::new().option("colour", "true"),
            "`n` has no option `colour`; known are soft_reset, detach_reset, kind",
        ),
        (
            Choices::new().option("kind", "alhpa"),
            "option `kind` of `n` cannot be `alhpa`; did you mean `alpha`?",
        ),
        (
            Choices::new().option("soft_reset", "yes"),
            "option `soft_reset` of `n` cannot be `yes`; known are false, true",
        ),
    ];
    for (choices, message) in said {
        assert_eq!(refusal(&choices), message);
    }
    let unknown = refusal(&Choices::new().surrogate("sigmod(4)"));
    assert!(unknown.contains("did you mean `sigmoid`?"), "{unknown}");
    assert!(unknown.contains("surrogate:1:1"), "{unknown}");
    let state = refusal(&Choices::new().surrogate("atan(v)"));
    assert!(state.contains("unknown name `v`"), "{state}");
    let two = refusal(&Choices::new().surrogate("atan(2) 3"));
    assert!(two.contains("expected the end of the text"), "{two}");
    let own = refusal(&Choices::new().surrogate("(u) = 1/u"));
    assert!(own.contains("only a surrogate with a name"), "{own}");
    let silent = parse_one("neuron s\n update v = 1 : 1", "s").expect("a good text");
    let refused = silent.choose(&Choices::new().surrogate("atan(2)"));
    let message = refused.err().map_or_else(String::new, |e| e.to_string());
    assert!(message.contains("no threshold"), "{message}");
}
