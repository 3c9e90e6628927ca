//! The kernel of a reverse.

use std::fmt::Write as _;

use super::Shape;
use super::body::{LINTS, Types, list, values};
use crate::expand::expand;
use crate::gradient::Reverse;
use crate::ir::{Program, Slot};
use crate::lower::Component;
use crate::native::prepare::{SpikeAs, prepare};
use crate::real::Precision;

/// Most ops of a reverse that is compiled: a longer one costs more time to compile in every build than
/// interpreting it costs in a training run.
const MOST_OPS: usize = 120;

/// Writes `impl ReverseKernel<…> for Step` where the reverse is short, and returns an expression of type
/// `Option<NativeReverse>`.
pub(super) fn emit(out: &mut String, component: &Component, shape: &Shape) -> String {
    let reverse = Reverse::of_learnable(component);
    let program = |precision| prepare(&expand(reverse.step(), precision), SpikeAs::Float);
    if program(Precision::F32).ops.len() > MOST_OPS {
        return "None".to_owned();
    }
    for precision in [Precision::F32, Precision::F64] {
        kernel(out, &program(precision), &reverse, shape, precision);
    }
    format!(
        "Some(n::NativeReverse::new::<Step>({:#x}))",
        reverse.fingerprint()
    )
}

fn kernel(
    out: &mut String,
    program: &Program,
    reverse: &Reverse,
    shape: &Shape,
    precision: Precision,
) {
    let types = Types::of(precision);
    let t = types.float;
    let n_derived = reverse.derived().len();
    let _ = writeln!(
        out,
        "{LINTS}\nimpl n::ReverseKernel<{t}> for Step {{\n#[inline(always)]\n\
         fn reverse<I: n::Isa>(args: &mut n::ReverseArgs<'_, {t}>) {{"
    );
    block(out, program, reverse, shape, &types);
    let _ = writeln!(
        out,
        "let (stride, time) = (args.stride, args.time);\nlet blocks = args.n.div_ceil(n::LANES);"
    );
    let randoms = shape.uniforms + shape.normals;
    for (group, prefix, count, mutable) in [
        ("states", "s", shape.states, false),
        ("random", "r", randoms, false),
        ("output_cotangents", "o", shape.outputs, false),
        ("state_cotangents", "c", shape.states, true),
        ("derived_cotangents", "p", n_derived, true),
    ] {
        let (windows, borrow) = if mutable {
            ("windows_mut", "&mut *")
        } else {
            ("windows", "")
        };
        let names = list(prefix, count, "", "");
        let _ = writeln!(
            out,
            "let [{names}] = n::{windows}::<{t}, {count}>({borrow}args.{group}, stride, blocks);"
        );
    }
    let (i, x, n_in) = (
        list("i", shape.inputs, "", ""),
        list("x", shape.inputs, "", ""),
        shape.inputs,
    );
    let _ = writeln!(
        out,
        "let [{i}] = n::ports::<{t}, {n_in}>(args.inputs, blocks);\n\
         let [{x}] = n::ports_mut::<{t}, {n_in}>(args.input_cotangents, blocks);\n\
         let [f] = n::windows::<{t}, 1>(args.spike_cotangent, stride, blocks);"
    );
    let arrays = [
        list("s", shape.states, "&", "[b]"),
        list("r", randoms, "&", "[b]"),
        list("o", shape.outputs, "&", "[b]"),
        list("c", shape.states, "&mut ", "[b]"),
        list("p", n_derived, "&mut ", "[b]"),
        list("i", shape.inputs, "&", "[b]"),
        list("x", shape.inputs, "&mut ", "[b]"),
    ]
    .concat();
    let call = |derived: &str| {
        format!("for b in 0..blocks {{\nblock::<I, _>({arrays}&f[b], {derived}time);\n}}\n")
    };
    if shape.derived == 0 {
        out.push_str(&call("").replacen("<I, _>", &format!("<I, {t}>"), 1));
    } else {
        let _ = writeln!(
            out,
            "if let Some([{}]) = n::shared::<{t}, {}>(args.derived) {{",
            list("d", shape.derived, "", ""),
            shape.derived
        );
        out.push_str(&call(&list("d", shape.derived, "", "")));
        out.push_str("} else {\n");
        let blocks: String = (0..shape.derived)
            .map(|k| format!("n::derived_block(&args.derived[{k}], b), "))
            .collect();
        out.push_str(&call(&blocks));
        out.push_str("}\n");
    }
    out.push_str("}\n}\n");
}

/// The function over one block, its arrays separate parameters as in a step.
fn block(out: &mut String, program: &Program, reverse: &Reverse, shape: &Shape, types: &Types) {
    let t = types.float;
    let _ = writeln!(
        out,
        "#[inline(always)]\nfn block<I: n::Isa, D: n::PerLane<{t}>>("
    );
    let n_derived = reverse.derived().len();
    for (prefix, count, borrow) in [
        ("s", shape.states, "&"),
        ("r", shape.uniforms + shape.normals, "&"),
        ("o", shape.outputs, "&"),
        ("c", shape.states, "&mut "),
        ("p", n_derived, "&mut "),
        ("i", shape.inputs, "&"),
        ("x", shape.inputs, "&mut "),
    ] {
        for k in 0..count {
            let _ = writeln!(out, "{prefix}{k}: {borrow}n::Block<{t}>,");
        }
    }
    let _ = writeln!(out, "f: &n::Block<{t}>,");
    for k in 0..shape.derived {
        let _ = writeln!(out, "d{k}: D,");
    }
    let _ = writeln!(out, "time: {t}) {{\nfor l in 0..n::LANES {{");
    values(out, program, shape, types);
    for store in &program.stores {
        let v = store.value.0;
        let (prefix, k) = match store.slot {
            Slot::StateCotangent(k) => ("c", k as usize),
            Slot::InputCotangent(k) => ("x", k as usize),
            Slot::DerivedCotangent(k) => {
                let place = reverse.derived().iter().position(|&d| d == k);
                ("p", place.unwrap_or_default())
            }
            other => unreachable!("a reverse does not store {other:?}"),
        };
        let _ = writeln!(out, "{prefix}{k}[l] = v{v};");
    }
    out.push_str("}\n}\n");
}
