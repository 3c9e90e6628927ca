//! What texts become.

use super::{parse, parse_one};
use crate::ir::{Binary, Op, Slot, Unary, Value};
use crate::model::{InputTiming, Integrator, Model};

const IAF: &str = r#"neuron iaf_psc_exp "Leaky integrate-and-fire, exponential synaptic currents"
  parameter tau_m = 10 ms, c_m = 250 pF, e_l = -65 mV, v_th = -50 mV, v_reset = -65 mV
  parameter tau_ex = 0.5 ms, tau_in = 0.5 ms, t_ref = 2 ms, i_e = 0 pA
  dv/dt    = (e_l - v)/tau_m + (i_ex + i_in + i_e)/c_m : mV = e_l (unless refractory)
  di_ex/dt = -i_ex/tau_ex : pA
  di_in/dt = -i_in/tau_in : pA
  input ex(w : pA): i_ex += w
  input in(w : pA): i_in += w
  spike when v >= v_th, reset v = v_reset, refractory t_ref
"#;

const LIF: &str = r#"neuron lif "Charge, fire, reset"
  parameter tau = 2, v_threshold = 1, v_reset = 0
  input x : 1
  update v = v + (x - (v - v_reset))/tau : 1 = v_reset
  spike when v >= v_threshold, reset v = v_reset, surrogate atan(2)
"#;

const IZHIKEVICH: &str = r#"neuron izhikevich "Simple model of spiking neurons"
  parameter a = 0.02/ms, b = 0.2, c = -65 mV, d = 8 mV
  dv/dt = (0.04*v*v/mV + 5*v + 140*mV - u)/ms + i : mV = -65 mV
  du/dt = a*(b*v - u) : mV = b*c
  input i : mV/ms
  spike when v >= 30 mV, reset v = c, u += d
"#;

fn one(text: &str) -> Model {
    match parse_one(text, "test.rheo") {
        Ok(model) => model,
        Err(errors) => panic!("{errors}"),
    }
}

fn op(model: &Model, v: Value) -> &Op {
    &model.ops[v.index()]
}

/// The expression as text, fully parenthesised.
fn show(model: &Model, v: Value) -> String {
    match op(model, v) {
        Op::Const(bits) => format!("{}", f64::from_bits(*bits)),
        Op::Bool(b) => b.to_string(),
        Op::Load(Slot::State(i)) => model.states[*i as usize].name.clone(),
        Op::Load(Slot::Previous(i)) => format!("{}'", model.states[*i as usize].name),
        Op::Load(Slot::Parameter(i)) => model.parameters[*i as usize].name.clone(),
        Op::Load(Slot::Input(i)) => format!("<{}>", model.inputs[*i as usize].name),
        Op::Load(other) => format!("{other:?}"),
        Op::Unary(u, x) => format!("{u:?}({})", show(model, *x)),
        Op::Binary(o, x, y) => {
            let symbol = match o {
                Binary::Add => "+",
                Binary::Sub => "-",
                Binary::Mul => "*",
                Binary::Div => "/",
                Binary::Lt => "<",
                Binary::Le => "<=",
                other => return format!("{other:?}({}, {})", show(model, *x), show(model, *y)),
            };
            format!("({} {symbol} {})", show(model, *x), show(model, *y))
        }
        Op::Select(c, x, y) => {
            format!(
                "({} ? {} : {})",
                show(model, *c),
                show(model, *x),
                show(model, *y)
            )
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn iaf_psc_exp_is_read_as_written() {
    let m = one(IAF);
    assert_eq!(
        (m.name.as_str(), m.text.as_str()),
        ("iaf_psc_exp", IAF.trim_end())
    );
    assert_eq!(
        m.doc,
        "Leaky integrate-and-fire, exponential synaptic currents"
    );
    let parameters: Vec<_> = m
        .parameters
        .iter()
        .map(|p| (p.name.as_str(), p.default, p.unit.name.as_str()))
        .collect();
    assert_eq!(
        parameters,
        [
            ("tau_m", 10.0, "ms"),
            ("c_m", 250.0, "pF"),
            ("e_l", -65.0, "mV"),
            ("v_th", -50.0, "mV"),
            ("v_reset", -65.0, "mV"),
            ("tau_ex", 0.5, "ms"),
            ("tau_in", 0.5, "ms"),
            ("t_ref", 2.0, "ms"),
            ("i_e", 0.0, "pA"),
        ]
    );
    let states: Vec<_> = m
        .states
        .iter()
        .map(|s| (s.name.as_str(), show(&m, s.initial)))
        .collect();
    assert_eq!(
        states,
        [
            ("v", "e_l".to_owned()),
            ("i_ex", "0".to_owned()),
            ("i_in", "0".to_owned())
        ]
    );
    let rates: Vec<_> = m
        .equations
        .iter()
        .map(|e| (e.state, show(&m, e.rate), e.unless_refractory))
        .collect();
    assert_eq!(
        rates[0].1,
        "(((e_l - v) / tau_m) + (((i_ex + i_in) + i_e) / c_m))"
    );
    assert_eq!(rates[1], (1, "(Neg(i_ex) / tau_ex)".to_owned(), false));
    assert!(rates[0].2 && rates.len() == 3);
    let input = &m.inputs[1];
    assert_eq!(
        (input.name.as_str(), input.timing),
        ("in", InputTiming::After)
    );
    assert_eq!(show(&m, input.effects[0].value), "(i_in + <in>)");
    let spike = m.spike.as_ref().unwrap();
    assert_eq!(show(&m, spike.margin.unwrap()), "(v - v_th)");
    assert_eq!(
        (spike.strict, spike.guard, spike.detach_reset),
        (false, None, false)
    );
    assert_eq!(
        (spike.reset[0].state, show(&m, spike.reset[0].value)),
        (0, "v_reset".to_owned())
    );
    assert_eq!(show(&m, spike.refractory.unwrap()), "t_ref");
    assert_eq!(m.integrator, Integrator::Auto);
}

#[test]
fn lif_is_read_as_written() {
    let m = one(LIF);
    assert_eq!(
        (m.inputs[0].timing, m.inputs[0].effects.len()),
        (InputTiming::Before, 0)
    );
    assert_eq!(m.updates.len(), 1);
    assert_eq!(
        show(&m, m.updates[0].value),
        "(v + ((<x> - (v - v_reset)) / tau))"
    );
    assert_eq!(show(&m, m.states[0].initial), "v_reset");
    let spike = m.spike.as_ref().unwrap();
    assert_eq!(crate::surrogate::get(spike.surrogate).name, "atan");
    assert_eq!(show(&m, spike.surrogate_arguments[0]), "2");
}

#[test]
fn izhikevich_is_read_as_written() {
    let m = one(IZHIKEVICH);
    assert_eq!(
        show(&m, m.equations[0].rate),
        "(((((v * (0.04 * v)) + (v * 5)) + 140) - u) + <i>)",
        "units of scale 1 leave no trace"
    );
    assert_eq!(
        (m.parameters[0].default, m.parameters[0].unit.name.as_str()),
        (0.02, "1/ms")
    );
    let spike = m.spike.as_ref().unwrap();
    assert_eq!(show(&m, spike.reset[1].value), "(u + d)");
    assert_eq!(show(&m, m.states[1].initial), "(b * c)");
    one("neuron z
        parameter a = 0.02, b = 0.2, c = -65, d = 8
        dv/dt = (0.04*v^2 + 5*v + 140 - u + i)/ms : 1 = -65
        du/dt = a*(b*v - u)/ms : 1 = -13
        input i : 1
        spike when v >= 30, reset v = c, u += d");
}

#[test]
fn conditions_are_taken_apart() {
    let spike = |condition: &str| {
        let text = format!(
            "neuron n\n parameter th = 1\n update v = v : 1 = 0\n update w = w : 1\n spike when {condition}"
        );
        let m = one(&text);
        let s = m.spike.clone().unwrap();
        (
            s.margin.map(|v| show(&m, v)).unwrap_or_default(),
            s.strict,
            s.guard.map(|v| show(&m, v)).unwrap_or_default(),
        )
    };
    let is = |condition: &str, margin: &str, strict: bool, guard: &str| {
        assert_eq!(
            spike(condition),
            (margin.to_owned(), strict, guard.to_owned()),
            "{condition}"
        );
    };
    is("v >= th", "(v - th)", false, "");
    is("v > th", "(v - th)", true, "");
    is("th < v", "(v - th)", true, "");
    is("th <= v", "(v - th)", false, "");
    is("v < th", "(th - v)", true, "");
    is("v >= th and w < 2", "(v - th)", false, "(w < 2)");
    is(
        "w == 2 and (v > th and w < 3)",
        "(v - th)",
        true,
        "And(Eq(w, 2), (w < 3))",
    );
    is("v >= th or w < 2", "", false, "Or((th <= v), (w < 2))");
    is("not v >= th", "", false, "Not((th <= v))");
    is("v crosses th", "(v - th)", false, "(v' < th)");
    is("v crosses th downward", "(th - v)", false, "(th < v')");
    is(
        "w > 1 and v crosses th",
        "(w - 1)",
        true,
        "And((v' < th), (th <= v))",
    );
    is("true", "", false, "true");
    is("v > th and true", "(v - th)", true, "");
}

#[test]
fn draws_are_counted_call_by_call() {
    let m = one("neuron n
        z = normal()
        update v = z + z + normal() + uniform() : 1");
    assert_eq!((m.n_normals, m.n_uniforms), (2, 1));
    assert_eq!(
        show(&m, m.updates[0].value),
        "(((Normal(0) + Normal(0)) + Normal(1)) + Uniform(0))"
    );
}

#[test]
fn functions_and_quantities_of_the_step() {
    let m = one("neuron n
        parameter tau = 10 ms
        x = clip(v, 0, 1) + select(v > 0 and not w < 0, min(v, w), max(v, w))
        update v = sqrt(dt/tau)*previous(v) + exprel(v) + (t/ms)^2 + sigmoid(x) : 1
        update w = heaviside(v) + pi : 1");
    let update = show(&m, m.updates[0].value);
    assert!(
        update.starts_with("((((Sqrt((Dt / tau)) * v') + Exprel(v))"),
        "{update}"
    );
    let Op::Binary(Binary::Add, _, _) = op(&m, m.updates[1].value) else {
        panic!()
    };
    assert!(
        m.ops
            .iter()
            .any(|o| matches!(o, Op::Heaviside { strict: false, .. }))
    );
    assert!(
        m.ops
            .iter()
            .any(|o| matches!(o, Op::Unary(Unary::Sigmoid, _)))
    );
}

#[test]
fn a_letter_may_be_a_variable_although_it_is_a_unit() {
    let m = one("neuron n
        parameter tau = 3 m/m*ms
        dm/dt = (1 - m)/tau : 1
        ds/dt = -s/(2 ms) : 1");
    assert_eq!(show(&m, m.equations[0].rate), "((1 - m) / tau)");
    assert_eq!(show(&m, m.equations[1].rate), "(Neg(s) / 2)");
}

#[test]
fn layout_carries_no_meaning_but_lines() {
    let m = one("# leading comment\n\n\tneuron n   # trailing
        parameter a = 1,   # goes on
                  b = (2 +
                       3)
        dv/dt = a -
                b*v/ms : ms");
    assert_eq!(m.parameters[1].default, 5.0);
    assert!(m.text.starts_with("neuron n"));
    let crlf = one(&IAF.replace('\n', "\r\n"));
    assert_eq!(crlf.ops, one(IAF).ops);
}

#[test]
fn several_components_stand_in_one_text() {
    let text = format!("{IAF}\n{LIF}\n# end\n{IZHIKEVICH}");
    let models = parse(&text, "zoo.rheo").unwrap();
    let names: Vec<_> = models.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["iaf_psc_exp", "lif", "izhikevich"]);
    for model in &models {
        let again = one(&model.text);
        assert_eq!(
            format!("{again:?}"),
            format!("{model:?}"),
            "its text is all of it"
        );
    }
    let error = parse_one(&text, "zoo.rheo").unwrap_err();
    assert_eq!(
        (error.as_slice()[0].line, error.as_slice()[0].column),
        (11, 8)
    );
    let error = parse_one(&format!("# µµµµµµµµµ\n{text}"), "zoo.rheo").unwrap_err();
    assert_eq!(error.as_slice()[0].line, 12);
}

#[test]
fn parameters_carry_their_modifiers() {
    let m = one(r#"neuron n
        parameter tau = 20 ms in [1 ms, 0.1 s] learnable "time \"constant\"", g = 0.5 nS per neuron
        parameter k = 2*3, r = 5/ms, q = -(1 + 2)*mV in [-4 mV, 0]
        dv/dt = -v/tau : mV"#);
    let tau = &m.parameters[0];
    assert_eq!(
        (tau.learnable, tau.per_neuron, tau.bounds),
        (true, false, Some((1.0, 100.0)))
    );
    assert_eq!(tau.doc, "time \"constant\"");
    assert!(m.parameters[1].per_neuron);
    assert_eq!(
        (m.parameters[2].default, m.parameters[2].unit.name.as_str()),
        (6.0, "1")
    );
    assert_eq!(
        (m.parameters[3].default, m.parameters[3].unit.name.as_str()),
        (5.0, "1/ms")
    );
    assert_eq!(m.parameters[4].bounds, Some((-4.0, 0.0)));
}

#[test]
fn inputs_have_a_time_and_may_be_dropped() {
    let m = one("neuron n
        dv/dt = -v/(10 ms) : mV (unless refractory)
        dg/dt = -g/(5 ms) : nS
        input v(w : mV): v += w (unless refractory)
        input g(w : nS) before: g += 2*w, v = v + w*1 mV/nS
        output rate = v/mV : 1
        output both = g*v
        integrator exponential_euler
        spike when v > 1 mV, refractory 2 ms, detached, reset v -= 1 mV");
    assert!(m.inputs[0].unless_refractory && m.inputs[0].timing == InputTiming::After);
    assert_eq!(
        (m.inputs[1].timing, m.inputs[1].effects.len()),
        (InputTiming::Before, 2)
    );
    assert_eq!(show(&m, m.inputs[1].effects[0].value), "(g + (2 * <g>))");
    assert_eq!(m.outputs[1].unit.name, "pA");
    assert_eq!(m.integrator, Integrator::ExponentialEuler);
    let spike = m.spike.as_ref().unwrap();
    assert!(spike.detach_reset && spike.strict);
    assert_eq!(show(&m, spike.refractory.unwrap()), "2");
}

#[test]
fn shared_subexpressions_do_not_blow_up() {
    let mut text = "neuron n\n update x0 = 1 : 1\n".to_owned();
    text.push_str(" a0 = x0\n");
    for i in 1..=200 {
        text.push_str(&format!(" a{i} = a{}*a{} + a{}\n", i - 1, i - 1, i - 1));
    }
    text.push_str(" update x0 = a200\n");
    assert!(one(&text).ops.len() < 500);
}

#[test]
fn every_surrogate_can_be_named() {
    for surrogate in crate::surrogate::SURROGATES {
        let name = surrogate.name;
        let text = |arguments: &str| {
            format!("neuron n\n update v = v : 1\n spike when v > 1, surrogate {name}{arguments}")
        };
        let spike = one(&text("")).spike.unwrap();
        assert_eq!(crate::surrogate::get(spike.surrogate).name, name);
        assert_eq!(spike.surrogate_arguments.len(), surrogate.arguments.len());
        for (i, (argument, _)) in surrogate.arguments.iter().enumerate() {
            let m = one(&text(&format!("({argument} = 0.125)")));
            let given = m.spike.as_ref().unwrap().surrogate_arguments[i];
            assert_eq!(show(&m, given), "0.125", "{name}");
        }
    }
}
