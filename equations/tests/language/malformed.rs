//! Every way to get a text wrong has its message, kept in `tests/snapshots/NAME.txt`. After an
//! intended change: `RHEOBASE_BLESS=1 cargo test -p rheobase-equations --test language`, and read
//! the difference.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// Name of the snapshot, and the text. A text without `neuron` is the body of one.
const CASES: &[(&str, &str)] = &[
    // Lexing.
    (
        "foreign_and",
        " update v = v : 1\n spike when v > 1 && v < 2",
    ),
    ("foreign_semicolon", " parameter a = 1;\n dv/dt = -v/ms : 1"),
    ("foreign_prime", " v' = -v/ms : mV"),
    ("foreign_minus", " dv/dt = −v/ms : mV"),
    (
        "control_character",
        " parameter a\u{7} = 1\n dv/dt = -v/ms : 1",
    ),
    ("hidden_character", " parameter a\u{202e} = 1"),
    ("greek_name", " parameter τ = 1 ms"),
    (
        "long_name",
        concat!(
            " parameter abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
            "abcdefghijklmnopqrstuvwxyz = 1",
        ),
    ),
    (
        "open_string",
        "neuron n \"never closed\n dv/dt = -v/ms : mV",
    ),
    ("huge_number", " parameter a = 1e999"),
    // Structure.
    ("empty", ""),
    ("only_a_comment", "# nothing yet\n"),
    ("no_component", "parameter tau = 10 ms\ndv/dt = -v/tau : mV"),
    ("misspelt_component", "nueron lif\n dv/dt = -v/ms : mV"),
    ("no_name", "neuron\n dv/dt = -v/ms : mV"),
    ("reserved_name", "neuron reset\n dv/dt = -v/ms : mV"),
    ("nothing_described", "neuron n \"does nothing\""),
    (
        "same_name_twice",
        "neuron n\n dv/dt = -v/ms : 1\nneuron n\n dv/dt = -v/ms : 1",
    ),
    (
        "misspelt_statement",
        " paramter tau = 10 ms\n dv/dt = -v/(1 ms) : mV",
    ),
    ("stray_clause", " dv/dt = -v/ms : mV\n reset v = 0 mV"),
    ("loose_update", " dv/dt = -v/ms : mV\n v += 1 mV"),
    ("two_on_a_line", " parameter a = 1 parameter b = 2"),
    (
        "unclosed_parenthesis",
        " dv/dt = -(v/ms : mV\n spike when v > 1 mV, reset v = 0",
    ),
    ("trailing_operator", " dv/dt = -v/ms + : mV"),
    ("missing_operand", " update v = * 2 : 1"),
    // Parameters.
    (
        "parameter_without_default",
        " parameter tau : ms\n dv/dt = -v/tau : mV",
    ),
    ("parameter_with_colon", " parameter tau = 10 : ms"),
    ("parameter_of_parameter", " parameter a = 1 mV, b = 2*a"),
    ("parameter_bounds", " parameter a = 5 ms in [10 ms, 20 ms]"),
    (
        "parameter_bound_unit",
        " parameter a = 5 ms in [1 mV, 20 ms]",
    ),
    ("parameter_per", " parameter a = 5 ms per cell"),
    (
        "parameter_learnable_twice",
        " parameter a = 1 learnable learnable",
    ),
    ("parameter_infinite", " parameter a = 1/0"),
    ("unknown_unit", " parameter tau = 10 msec"),
    ("unknown_unit_case", " parameter v_th = -50 mv"),
    ("brian_unit", " parameter v_th = -50*mvolt"),
    ("number_times_name", " parameter g = 2\n update v = 2 g : 1"),
    // Options.
    (
        "option_single",
        " option reset_by = hard\n update v = 1 : 1",
    ),
    (
        "option_twice",
        " option kind = hard or soft or hard\n update v = 1 : 1",
    ),
    (
        "option_of_truth",
        " option kind = true or soft\n update v = 1 : 1",
    ),
    (
        "option_unknown_choice",
        " option kind = hard or soft\n update v = select(kind is sfot, v, 0) : 1",
    ),
    (
        "option_as_number",
        " option soft_reset = false\n update v = 2*soft_reset : 1",
    ),
    (
        "option_without_is",
        " option kind = hard or soft\n update v = select(kind, v, 0) : 1",
    ),
    (
        "is_of_parameter",
        " parameter kind = 1\n update v = select(kind is soft, v, 0) : 1",
    ),
    (
        "is_of_unknown",
        " option kind = hard or soft\n update v = select(knd is soft, v, 0) : 1",
    ),
    ("option_assigned", " option soft = true\n update soft = 1"),
    (
        "detached_by_state",
        " dv/dt = -v/ms : mV\n spike when v > 1 mV, reset v = 0, detached when v > 2 mV",
    ),
    (
        "spike_in_update",
        " dv/dt = -v/ms : mV\n update w = spike : 1\n spike when v > 1 mV, reset v = 0",
    ),
    (
        "then_unit",
        " dv/dt = -v/ms : mV\n spike when v > 1 mV, then v = v - spike",
    ),
    (
        "own_surrogate_unit",
        " dv/dt = -v/ms : mV\n spike when v > 1 mV, surrogate (u) = v",
    ),
    (
        "own_surrogate_name",
        " dv/dt = -v/ms : mV\n spike when v > 1 mV, surrogate (v) = 1/(1 + v)",
    ),
    (
        "own_surrogate_of_nothing",
        " dv/dt = -v/ms : mV\n spike when v == 1 mV, surrogate (u) = exp(-abs(u))",
    ),
    // Names.
    (
        "unknown_name",
        " parameter tau_m = 10 ms\n dv/dt = -v/tau_n : mV",
    ),
    ("unknown_function", " dv/dt = -v/ms*sigmoidal(v/mV) : mV"),
    (
        "brian_function",
        " update v = rand() : 1\n update w = log(v) : 1",
    ),
    ("function_as_name", " update v = exp + 1 : 1"),
    ("arity", " update v = min(v) : 1"),
    ("declared_twice", " parameter v = 1\n dv/dt = -v/ms : mV"),
    ("two_equations", " dv/dt = -v/ms : mV\n dv/dt = v/ms : mV"),
    ("name_is_unit", " parameter mV = 1"),
    ("name_is_function", " dexp/dt = 1/ms : 1"),
    ("name_is_time", " parameter t = 1 ms"),
    (
        "letter_unit_ambiguity",
        " dm/dt = -m/ms : 1\n update m = 2 m",
    ),
    (
        "used_before_definition",
        " dv/dt = drive/ms : mV\n drive = 2*v",
    ),
    ("assign_parameter", " parameter a = 1\n update a = 2"),
    (
        "assign_unknown",
        " dv/dt = -v/ms : mV\n spike when v > 1 mV, reset u = 0",
    ),
    ("update_undeclared", " update v = 1"),
    (
        "initial_of_state",
        " dv/dt = -v/ms : mV\n du/dt = -u/ms : mV = v",
    ),
    (
        "previous_of_expression",
        " dv/dt = -v/ms : mV\n update v = previous(2*v)",
    ),
    // Dimensions.
    (
        "sum_of_units",
        " parameter tau = 10 ms, e_l = -65 mV\n dv/dt = (e_l - tau)/tau : mV",
    ),
    (
        "rate_without_time",
        " parameter e_l = -65 mV\n dv/dt = e_l - v : mV",
    ),
    (
        "rate_unit",
        " parameter g = 3 nS, tau = 2 ms\n dv/dt = -g*v/tau : mV",
    ),
    ("initial_unit", " dv/dt = -v/ms : mV = 3 ms"),
    ("exp_of_voltage", " dv/dt = -exp(v)*mV/ms : mV"),
    (
        "comparison_of_units",
        " parameter t_ref = 2 ms\n dv/dt = -v/ms : mV\n spike when v >= t_ref",
    ),
    ("select_of_units", " dv/dt = select(v > 0, v, 1 ms)/ms : mV"),
    ("select_condition", " dv/dt = select(v, v, v)/ms : mV"),
    ("condition_as_number", " dv/dt = (v > 1 mV)*v/ms : mV"),
    ("root_of_root", " dv/dt = sqrt(sqrt(v))/ms : mV"),
    (
        "variable_exponent",
        " parameter k = 2\n dv/dt = v^k/ms : mV",
    ),
    (
        "input_unit",
        " dv/dt = -v/ms : mV\n input syn(w : pA): v += w",
    ),
    (
        "reset_unit",
        " dv/dt = -v/ms : mV\n spike when v > 1 mV, reset v = 1 ms",
    ),
    (
        "factor_unit",
        " dv/dt = -v/ms : mV\n spike when v > 1 mV, reset v *= 2 mV",
    ),
    (
        "refractory_unit",
        " dv/dt = -v/ms : mV\n spike when v > 1 mV, refractory 3 mV",
    ),
    ("subexpression_unit", " x = v*v : mV\n dv/dt = x/ms : mV"),
    ("output_unit", " dv/dt = -v/ms : mV\n output rate = v : Hz"),
    ("unit_is_number", " dv/dt = -v/ms : 5"),
    ("missing_unit", " dv/dt = -v/ms"),
    // Inputs, spikes, the rest.
    (
        "input_without_effect",
        " dv/dt = -v/ms : mV\n input syn(w : mV)",
    ),
    (
        "input_shadow",
        " dw/dt = -w/ms : pA\n input syn(w : pA): w += w",
    ),
    (
        "input_twice",
        " dv/dt = -v/ms : mV\n input a(x : mV): v += x\n input a(x : mV): v -= x",
    ),
    (
        "input_dropped",
        " input x : 1 (unless refractory)\n update v = x : 1",
    ),
    (
        "spike_twice",
        " dv/dt = -v/ms : mV\n spike when v > 1 mV\n spike when v < 0 mV",
    ),
    ("spike_without_when", " dv/dt = -v/ms : mV\n spike v > 1 mV"),
    ("spike_number", " dv/dt = -v/ms : mV\n spike when v"),
    (
        "spike_missing_comma",
        " dv/dt = -v/ms : mV\n spike when v > 1 mV reset v = 0",
    ),
    (
        "spike_unknown_clause",
        " dv/dt = -v/ms : mV\n spike when v > 1 mV, rest v = 0",
    ),
    (
        "spike_chained",
        " dv/dt = -v/ms : mV\n spike when 0 mV < v < 1 mV",
    ),
    (
        "spike_refractory_of_state",
        " dv/dt = -v/ms : ms\n spike when v > 1 ms, refractory v",
    ),
    (
        "spike_negative_refractory",
        " dv/dt = -v/ms : mV\n spike when v > 1 mV, refractory -1 ms",
    ),
    (
        "surrogate_unknown",
        " update v = v : 1\n spike when v > 1, surrogate atn(2)",
    ),
    (
        "surrogate_arguments",
        " update v = v : 1\n spike when v > 1, surrogate atan(1, 2)",
    ),
    (
        "surrogate_of_nothing",
        " update v = v : 1\n spike when v > 1 or v < 0, surrogate atan",
    ),
    (
        "unless_without_time",
        " dv/dt = -v/ms : mV (unless refractory)\n spike when v > 1 mV",
    ),
    (
        "unless_without_parentheses",
        " dv/dt = -v/ms : mV unless refractory",
    ),
    ("integrator_unknown", " dv/dt = -v/ms : mV\n integrator rk5"),
    ("constant_overflow", " dv/dt = v*(1e300*1e300)/ms : mV"),
    ("random_initial", " dv/dt = -v/ms : 1 = uniform()"),
    (
        "brian_style_model",
        concat!(
            "neuron cuba\n",
            " parameter taum = 20*ms, Vt = -50*mV\n",
            " dv/dt = (ge + gi - (v - El))/taum : volt (unless refractory)\n",
            " dge/dt = -ge/taue : volt\n",
            " threshold v > Vt\n",
            " reset v = Vr",
        ),
    ),
    (
        "several_errors",
        concat!(
            " parameter tau = 10 ms, c = 1 pf\n",
            " dv/dt = -v/tau + : mV\n",
            " dw/dt = w : pA\n",
            " spike when v >= 1 mV, reset w = v",
        ),
    ),
];

fn snapshot(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    folder.join(format!("{name}.txt"))
}

/// The text as parsed, and what is said about it.
fn report(name: &str, text: &str) -> String {
    let is_whole = text.is_empty()
        || ["neuron", "nueron", "#", "parameter tau = 10 ms\ndv"]
            .iter()
            .any(|s| text.starts_with(s));
    let text = if is_whole {
        text.to_owned()
    } else {
        format!("neuron n\n{text}")
    };
    match rheobase_equations::parse(&text, &format!("{name}.rheo")) {
        Ok(_) => panic!("`{name}` was accepted:\n{text}"),
        Err(errors) => errors.to_string(),
    }
}

#[test]
fn messages_are_as_recorded() {
    let is_blessing = std::env::var_os("RHEOBASE_BLESS").is_some();
    let mut different = Vec::new();
    for (name, text) in CASES {
        let found = report(name, text);
        if is_blessing {
            fs::write(snapshot(name), &found).unwrap();
        } else {
            let recorded = fs::read_to_string(snapshot(name)).unwrap_or_default();
            if recorded.replace("\r\n", "\n") != found {
                different.push(format!(
                    "--- {name}, recorded\n{recorded}+++ {name}, found\n{found}"
                ));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    every_snapshot_has_its_case();
}

fn every_snapshot_has_its_case() {
    let names: BTreeSet<String> = CASES.iter().map(|c| format!("{}.txt", c.0)).collect();
    assert_eq!(names.len(), CASES.len(), "two cases of one name");
    let folder = snapshot("any").parent().unwrap().to_owned();
    let files: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files, names);
}

#[test]
fn messages_are_the_same_on_every_run() {
    for (name, text) in CASES {
        assert_eq!(report(name, text), report(name, text));
    }
}

#[test]
fn at_most_twenty_errors_are_shown() {
    let text = format!("neuron n\n{}", " dv/dt = 1 : mV\n".repeat(50));
    let errors = rheobase_equations::parse(&text, "many.rheo").unwrap_err();
    assert_eq!(errors.as_slice().len(), 20);
    assert!(errors.is_truncated());
    assert!(
        errors
            .to_string()
            .ends_with("error: too many errors; the first 20 are shown\n")
    );
}
