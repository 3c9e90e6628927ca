//! Texts made from a description are read back as that description, however they are laid out.

use std::fmt::Write;

use proptest::collection::vec;
use proptest::prelude::*;
use rheobase_equations::ir::{Binary, Op, Slot, Unary, Value};
use rheobase_equations::model::Model;
use rheobase_equations::parse_one;
use rheobase_equations::unit::{Dimension, parse_quantity};

/// An expression over the states v, w and the parameters a, b, all pure numbers.
#[derive(Clone, Debug)]
enum Tree {
    Number(u32, i32),
    Name(usize),
    Unary(usize, Box<Tree>),
    Binary(usize, Box<Tree>, Box<Tree>),
    Select(Box<Tree>, Box<Tree>, Box<Tree>),
}

const NAMES: [&str; 4] = ["v", "w", "a", "b"];
const UNARY: [&str; 4] = ["-", "abs", "sqrt", "floor"];
const BINARY: [&str; 6] = ["+", "-", "*", "/", "min", "max"];

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        (1_u32..1000, -3_i32..4).prop_map(|(m, e)| Tree::Number(m, e)),
        (0_usize..4).prop_map(Tree::Name),
    ];
    leaf.prop_recursive(6, 40, 3, |inner| {
        prop_oneof![
            (0_usize..4, inner.clone()).prop_map(|(o, x)| Tree::Unary(o, Box::new(x))),
            (0_usize..6, inner.clone(), inner.clone()).prop_map(|(o, x, y)| Tree::Binary(
                o,
                Box::new(x),
                Box::new(y)
            )),
            (inner.clone(), inner.clone(), inner).prop_map(|(c, x, y)| Tree::Select(
                Box::new(c),
                Box::new(x),
                Box::new(y)
            )),
        ]
    })
}

/// How tightly the outermost operator of a tree binds.
fn strength(tree: &Tree) -> u8 {
    match tree {
        Tree::Binary(0 | 1, ..) => 1,
        Tree::Binary(2 | 3, ..) => 2,
        Tree::Unary(0, _) => 3,
        _ => 4,
    }
}

/// The tokens of a tree, with only the parentheses that are needed.
fn print(tree: &Tree, floor: u8, out: &mut Vec<String>) {
    if strength(tree) < floor {
        out.push("(".to_owned());
        print(tree, 0, out);
        out.push(")".to_owned());
        return;
    }
    match tree {
        Tree::Number(m, e) => out.push(format!("{m}e{e}")),
        Tree::Name(i) => out.push(NAMES[*i].to_owned()),
        Tree::Unary(0, x) => {
            out.push("-".to_owned());
            print(x, 3, out);
        }
        Tree::Unary(o, x) => call(UNARY[*o], &[x], out),
        Tree::Binary(o @ 0..=3, x, y) => {
            let own = strength(tree);
            print(x, own, out);
            out.push(BINARY[*o].to_owned());
            print(y, own + 1, out);
        }
        Tree::Binary(o, x, y) => call(BINARY[*o], &[x, y], out),
        Tree::Select(c, x, y) => {
            out.extend(["select", "("].map(str::to_owned));
            print(c, 0, out);
            out.extend([">", "0", ","].map(str::to_owned));
            print(x, 0, out);
            out.push(",".to_owned());
            print(y, 0, out);
            out.push(")".to_owned());
        }
    }
}

fn call(function: &str, arguments: &[&Tree], out: &mut Vec<String>) {
    out.extend([function, "("].map(str::to_owned));
    for (i, argument) in arguments.iter().enumerate() {
        if i > 0 {
            out.push(",".to_owned());
        }
        print(argument, 0, out);
    }
    out.push(")".to_owned());
}

/// The value of a tree, computed from the tree.
fn value(tree: &Tree, names: &[f64; 4]) -> f64 {
    match tree {
        Tree::Number(m, e) => format!("{m}e{e}").parse().unwrap(),
        Tree::Name(i) => names[*i],
        Tree::Unary(o, x) => {
            let x = value(x, names);
            [-x, x.abs(), x.sqrt(), x.floor()][*o]
        }
        Tree::Binary(o, x, y) => {
            let (x, y) = (value(x, names), value(y, names));
            let min = if y < x { y } else { x };
            let max = if x < y { y } else { x };
            [x + y, x - y, x * y, x / y, min, max][*o]
        }
        Tree::Select(c, x, y) => {
            if value(c, names) > 0.0 {
                value(x, names)
            } else {
                value(y, names)
            }
        }
    }
}

/// What an op gives, floats and truths alike.
fn run(model: &Model, root: Value, names: &[f64; 4]) -> f64 {
    let mut values: Vec<f64> = Vec::new();
    for op in &model.ops[..=root.index()] {
        let at = |v: &Value| values[v.index()];
        let truth = |b: bool| f64::from(u8::from(b));
        values.push(match op {
            Op::Const(bits) => f64::from_bits(*bits),
            Op::Bool(b) => truth(*b),
            Op::Load(Slot::State(i)) => names[*i as usize],
            Op::Load(Slot::Parameter(i)) => names[2 + *i as usize],
            Op::Unary(Unary::Neg, x) => -at(x),
            Op::Unary(Unary::Abs, x) => at(x).abs(),
            Op::Unary(Unary::Sqrt, x) => at(x).sqrt(),
            Op::Unary(Unary::Floor, x) => at(x).floor(),
            Op::Binary(Binary::Add, x, y) => at(x) + at(y),
            Op::Binary(Binary::Sub, x, y) => at(x) - at(y),
            Op::Binary(Binary::Mul, x, y) => at(x) * at(y),
            Op::Binary(Binary::Div, x, y) => at(x) / at(y),
            Op::Binary(Binary::Min, x, y) => {
                if at(y) < at(x) {
                    at(y)
                } else {
                    at(x)
                }
            }
            Op::Binary(Binary::Max, x, y) => {
                if at(x) < at(y) {
                    at(y)
                } else {
                    at(x)
                }
            }
            Op::Binary(Binary::Lt, x, y) => truth(at(x) < at(y)),
            Op::Select(c, x, y) => {
                if at(c) > 0.0 {
                    at(x)
                } else {
                    at(y)
                }
            }
            other => panic!("unexpected {other:?}"),
        });
    }
    values[root.index()]
}

fn text_of(tokens: &[String]) -> String {
    let mut text = "neuron n\n parameter a = 2, b = 3\n update v = ".to_owned();
    text.push_str(&tokens.join(" "));
    text.push_str(" : 1\n update w = 1 : 1\n");
    text
}

/// The same tokens, apart or not, over several lines, with comments.
fn laid_out(tokens: &[String], layout: &[u8]) -> String {
    let mut text =
        "\n# a comment\nneuron n # another\n\tparameter a = 2,\n b=3\nupdate v=(".to_owned();
    for (i, token) in tokens.iter().enumerate() {
        text.push_str(token);
        text.push_str(match layout.get(i % layout.len().max(1)) {
            Some(0) => "\n",
            Some(1) => " # here\n\t",
            Some(2) => "\r\n",
            Some(3) => "",
            _ => "  ",
        });
    }
    text.push_str("\n):1\nupdate w=1:1");
    text
}

/// Everything about a model but its text.
fn essence(model: &Model) -> String {
    format!(
        "{:?}",
        Model {
            text: String::new(),
            ..model.clone()
        }
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn expressions_mean_what_they_were_made_from(
        tree in tree(),
        names in prop::array::uniform4(-10.0_f64..10.0),
        layout in vec(0_u8..6, 1..9),
    ) {
        let mut tokens = Vec::new();
        print(&tree, 0, &mut tokens);
        let model = match parse_one(&text_of(&tokens), "tree.rheo") {
            Ok(model) => model,
            // Folding meets 1/0 and the like; the message says so.
            Err(errors) => {
                prop_assert!(errors.to_string().contains("is not finite"), "{errors}");
                return Ok(());
            }
        };
        let (found, wanted) = (run(&model, model.updates[0].value, &names), value(&tree, &names));
        // Folding 0·x may lose a sign of zero or a NaN of x; else all bits agree.
        let agree = found.to_bits() == wanted.to_bits() || found == wanted || wanted.is_nan();
        prop_assert!(agree, "{found} is not {wanted}");
        let other = parse_one(&laid_out(&tokens, &layout), "tree.rheo");
        prop_assert_eq!(other.map(|m| essence(&m)).ok(), Some(essence(&model)));
    }

    #[test]
    fn dimensions_are_read_back(exponents in prop::array::uniform5(-20_i8..21)) {
        let dimension = Dimension(exponents);
        let quantity = parse_quantity(&dimension.to_string());
        let quantity = quantity.map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!((quantity.dimension, quantity.value_base), (dimension, 1.0));
        let text = format!("neuron n\n state x = 0 : {dimension}");
        let model = parse_one(&text, "unit.rheo");
        let model = model.map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(model.states[0].unit.dimension, dimension);
        prop_assert_eq!(model.states[0].unit.scale, 1.0);
    }

    #[test]
    fn parameters_are_read_back(
        values in vec((-1000_i32..1000, 0_usize..8, any::<bool>(), any::<bool>()), 1..20),
    ) {
        const UNITS: [(&str, i32); 8] = [
            ("ms", 0), ("s", 3), ("us", -3), ("mV", 0), ("V", 3), ("nA", 3), ("nF", 3), ("1/ms", 0),
        ];
        let mut text = "neuron n\n dq/dt = -q/ms : 1\n".to_owned();
        for (i, (value, unit, learnable, per_neuron)) in values.iter().enumerate() {
            let unit = UNITS[*unit].0;
            let spelled = unit.strip_prefix('1').map_or(format!(" {unit}"), str::to_owned);
            write!(text, " parameter p{i} = {value}{spelled}").unwrap();
            text.push_str(if *learnable { " learnable" } else { "" });
            text.push_str(if *per_neuron { " per neuron" } else { "" });
            writeln!(text, " \"the {i}th\"").unwrap();
        }
        let model = parse_one(&text, "parameters.rheo").map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(model.parameters.len(), values.len());
        for (i, ((value, unit, learnable, per_neuron), p)) in values.iter().zip(&model.parameters).enumerate() {
            let (name, decades) = UNITS[*unit];
            let exact: f64 = format!("{value}e{decades}").parse().unwrap();
            prop_assert_eq!(p.default, exact);
            prop_assert_eq!(&p.unit.name, name);
            prop_assert_eq!((p.learnable, p.per_neuron), (*learnable, *per_neuron));
            prop_assert_eq!(&p.doc, &format!("the {i}th"));
        }
    }
}
