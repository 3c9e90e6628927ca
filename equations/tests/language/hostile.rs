//! No text makes the parser crash, hang or answer with anything but a model or errors.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use rheobase_equations::limits::{MAX_DIAGNOSTICS, MAX_OPS, MAX_TEXT_BYTES};
use rheobase_equations::unit::parse_quantity;
use rheobase_equations::{ir, parse, parse_one};

/// What must hold for any text. The same properties as `fuzz/fuzz_targets/parse.rs`.
fn hold_properties(text: &str) {
    match parse(text, "hostile.rheo") {
        Ok(models) => {
            assert!(!models.is_empty());
            for model in &models {
                assert!(model.ops.len() <= MAX_OPS);
                let program = ir::Program {
                    ops: model.ops.clone(),
                    stores: Vec::new(),
                };
                assert_eq!(program.types().len(), model.ops.len());
                let again = parse(&model.text, "hostile.rheo").expect("its own text");
                assert_eq!(format!("{:?}", again[0]), format!("{model:?}"));
            }
        }
        Err(errors) => {
            assert!((1..=MAX_DIAGNOSTICS).contains(&errors.as_slice().len()));
            for error in errors.as_slice() {
                assert!(error.line >= 1 && error.column >= 1);
                assert!(error.span.start <= error.span.end && error.span.end <= text.len());
                assert!(!error.message.is_empty());
            }
            let rendered = errors.to_string();
            assert!(rendered.starts_with("error: "));
            assert!(
                rendered.chars().all(|c| c == '\n' || !c.is_control()),
                "{rendered:?}"
            );
        }
    }
    let _ = parse_one(text, "hostile.rheo").map_err(|e| e.to_string());
    let _ = parse_quantity(text).map_err(|e| e.to_string());
}

fn corpus() -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/parse");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| fs::read(path).unwrap())
        .collect()
}

#[test]
fn corpus_is_replayed() {
    let corpus = corpus();
    assert!(corpus.len() >= 20, "{} files", corpus.len());
    for bytes in corpus {
        hold_properties(&String::from_utf8_lossy(&bytes));
    }
}

/// Pieces that mean something, so that random texts get past the lexer.
const PIECES: &[&str] = &[
    "neuron n\n",
    "parameter ",
    "state ",
    "update ",
    "input ",
    "output ",
    "spike when ",
    "reset ",
    "refractory ",
    "surrogate ",
    "detached",
    "integrator ",
    "unless refractory",
    "(",
    ")",
    "[",
    "]",
    ",",
    ":",
    "+",
    "-",
    "*",
    "/",
    "^",
    "**",
    "=",
    "+=",
    "<",
    ">=",
    "==",
    "!=",
    "and ",
    "or ",
    "not ",
    "crosses ",
    "downward",
    "a",
    "v",
    "w",
    "dv/dt",
    "dw/dt",
    "tau",
    "1",
    "0",
    "10",
    "2.5e3",
    "1e308",
    "ms",
    "mV",
    "pA",
    "nS",
    "MΩ",
    "m",
    "s",
    "select",
    "previous",
    "exp",
    "sqrt",
    "min",
    "clip",
    "uniform()",
    "normal()",
    "pi",
    "dt",
    "t",
    "true",
    "\"doc\"",
    "\"",
    "\n",
    " ",
    "#",
    "in ",
    "learnable ",
    "per neuron ",
    "before",
    ": 1",
    ": mV",
    "= 0",
    "µ",
    "\u{feff}",
    "'",
    "&&",
];

/// What a mutation does at a place of the text.
#[derive(Clone, Debug)]
enum Mutation {
    Delete(usize),
    Insert(&'static str),
    Byte(u8),
    Repeat(usize, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (1_usize..20).prop_map(Mutation::Delete),
        proptest::sample::select(PIECES).prop_map(Mutation::Insert),
        any::<u8>().prop_map(Mutation::Byte),
        (1_usize..30, 1_usize..200).prop_map(|(n, times)| Mutation::Repeat(n, times)),
    ]
}

fn mutated(mut bytes: Vec<u8>, mutations: &[(prop::sample::Index, Mutation)]) -> String {
    for (place, mutation) in mutations {
        let at = place.index(bytes.len() + 1);
        let end = |n: usize| (at + n).min(bytes.len());
        match mutation {
            Mutation::Delete(n) => drop(bytes.drain(at..end(*n))),
            Mutation::Insert(piece) => drop(bytes.splice(at..at, piece.bytes())),
            Mutation::Byte(b) => bytes.insert(at, *b),
            Mutation::Repeat(n, times) => {
                let repeated = bytes[at..end(*n)].repeat(*times);
                bytes.splice(at..at, repeated);
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..400)) {
        hold_properties(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_pieces(pieces in vec(proptest::sample::select(PIECES), 0..120)) {
        hold_properties(&pieces.concat());
        hold_properties(&format!("neuron n\n dv/dt = {} : mV", pieces.concat()));
        hold_properties(&format!("neuron n\n dv/dt = -v/ms : mV\n spike when {}", pieces.concat()));
    }

    #[test]
    fn corpus_mutated(
        seed in any::<prop::sample::Index>(),
        mutations in vec((any::<prop::sample::Index>(), mutation()), 1..6),
    ) {
        let corpus = corpus();
        hold_properties(&mutated(corpus[seed.index(corpus.len())].clone(), &mutations));
    }
}

/// A pattern repeated until the text is as long as allowed.
fn filled(before: &str, pattern: &str, after: &str) -> String {
    let room = MAX_TEXT_BYTES - before.len() - after.len();
    format!("{before}{}{after}", pattern.repeat(room / pattern.len()))
}

#[test]
fn longest_texts_end_soon() {
    let equation = "neuron n\n dv/dt = v";
    let texts = [
        filled("", "(", ""),
        filled("neuron n\n", "\n", ""),
        filled("neuron n\n dv/dt = (", "\n", ""),
        filled("neuron n\n dv/dt = (", " \n\t", ""),
        filled("neuron n\n dv/dt = ", "-", "v"),
        filled("neuron n\n spike when ", "not ", "v"),
        filled(equation, "+v", "/ms : 1"),
        filled(equation, "*v", "/ms : 1"),
        filled(equation, "/v", " : 1"),
        filled(equation, "^2", " : 1"),
        filled(equation, "+exp(v)", " : 1"),
        filled(
            "neuron n\n spike when v > 0",
            " and v > 1",
            "\n update v = 1 : 1",
        ),
        filled("neuron n\n update v = 1 : 1\n", " update v = v*v\n", ""),
        filled("", "neuron n\n", ""),
        filled("neuron n\n", "parameter a = 1\n", ""),
        filled("neuron n\n parameter a0 = 1", ", a = 1", ""),
        filled("neuron n\n", "\"", ""),
        filled("neuron n\n", "é", ""),
        filled("neuron n\n update v = ", "9", " : 1"),
        filled("neuron n\n update v = ", "xyz", " : 1"),
        filled("neuron n\n update v = min(", "1,", "1) : 1"),
        filled("neuron n\n update v = 1 : ", "ms*", "ms"),
        filled("neuron n\n update v = 1 : ", "(", ""),
        filled("neuron n\n update v = 1 : 1^", "(", ""),
        filled("#", "x", ""),
        "x".repeat(MAX_TEXT_BYTES + 1),
    ];
    for text in &texts {
        let start = Instant::now();
        hold_properties(text);
        let shown: String = text.chars().take(40).collect();
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{shown:?} took {:?}",
            start.elapsed()
        );
    }
}

#[test]
fn nesting_is_limited_and_the_limit_is_reachable() {
    let nested = |n: usize| {
        format!(
            "neuron n\n update v = {}v{} : 1",
            "(".repeat(n),
            ")".repeat(n)
        )
    };
    assert!(parse(&nested(64), "deep").is_ok());
    let errors = parse(&nested(65), "deep").unwrap_err();
    assert_eq!(errors.as_slice()[0].message, "nested too deeply");
    for (open, close) in [("-", ""), ("exp(", ")"), ("1+(", ")"), ("v^", "")] {
        let text = format!(
            "neuron n\n update v = {}1{} : 1",
            open.repeat(65),
            close.repeat(65)
        );
        let errors = parse(&text, "deep").unwrap_err();
        assert_eq!(errors.as_slice()[0].message, "nested too deeply", "{open}");
        let text = format!(
            "neuron n\n update v = {}1{} : 1",
            open.repeat(64),
            close.repeat(64)
        );
        assert!(parse(&text, "deep").is_ok(), "{open}");
    }
}

/// A text with `n` of something, and the message where that is too many.
fn counted(n: usize, line: impl Fn(usize) -> String) -> Option<String> {
    let body: String = (0..n).map(line).collect();
    let text = format!("neuron n\n dq/dt = -q/ms : 1\n{body}");
    parse(&text, "many")
        .err()
        .map(|e| e.as_slice()[0].message.clone())
}

#[test]
fn counts_are_limited() {
    let parameter = |i: usize| format!(" parameter a{i} = 1\n");
    assert_eq!(counted(256, parameter), None);
    assert_eq!(
        counted(257, parameter).as_deref(),
        Some("too many parameters")
    );
    let state = |i: usize| format!(" da{i}/dt = 1/ms : 1\n");
    assert_eq!(counted(63, state), None);
    assert_eq!(
        counted(64, state).as_deref(),
        Some("too many state variables")
    );
    let input = |i: usize| format!(" input a{i}(w : 1): q += w\n");
    assert_eq!(counted(32, input), None);
    assert_eq!(counted(33, input).as_deref(), Some("too many input ports"));
    let output = |i: usize| format!(" output a{i} = q\n");
    assert_eq!(counted(32, output), None);
    assert_eq!(
        counted(33, output).as_deref(),
        Some("too many output ports")
    );
    let draw = |_: usize| " update q = normal()\n".to_owned();
    assert_eq!(counted(32, draw), None);
    assert_eq!(
        counted(33, draw).as_deref(),
        Some("too many draws of `normal()`")
    );
    let statement = |i: usize| format!(" x{i} = q\n");
    assert_eq!(counted(4094, statement), None);
    assert_eq!(
        counted(4096, statement).as_deref(),
        Some("the text has too many statements")
    );
}

#[test]
fn the_size_of_a_component_is_limited() {
    let mut text = "neuron n\n dv/dt = 1/ms : 1\n".to_owned();
    let mut k = 0;
    while text.len() < MAX_TEXT_BYTES - 400 {
        text.push_str(" update v = v");
        for _ in 0..30 {
            // A power of its own each, so that nothing is shared.
            write!(text, "+({k}^v)^9").unwrap();
            k += 1;
        }
        text.push('\n');
    }
    let errors = parse(&text, "large").unwrap_err();
    assert_eq!(errors.as_slice()[0].message, "the component is too large");
    assert_eq!(errors.as_slice().len(), 1);
}
