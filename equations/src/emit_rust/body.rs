//! The kernel of one precision.

use std::fmt::Write as _;

use super::Shape;
use crate::ir::{Binary, Op, Program, Slot, Type, Unary, Value};
use crate::real::Precision;

/// Names of the types of one precision.
pub(super) struct Types {
    precision: Precision,
    pub(super) float: &'static str,
    int: &'static str,
}

impl Types {
    pub(super) fn of(precision: Precision) -> Self {
        let (float, int) = match precision {
            Precision::F32 => ("f32", "i32"),
            Precision::F64 => ("f64", "i64"),
        };
        Self {
            precision,
            float,
            int,
        }
    }

    fn name(&self, ty: Type) -> &'static str {
        match ty {
            Type::Float => self.float,
            Type::Bool => "bool",
            Type::Int => self.int,
        }
    }

    /// A literal with exactly these bits.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "constants are rounded to the precision"
    )]
    fn literal(&self, x: f64) -> String {
        match self.precision {
            Precision::F32 => format!("f32::from_bits({:#x})", (x as f32).to_bits()),
            Precision::F64 => format!("f64::from_bits({:#x})", x.to_bits()),
        }
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "integers are as wide as the float"
    )]
    fn int_literal(&self, x: i64) -> String {
        match self.precision {
            Precision::F32 => format!("({}_i32)", x as i32),
            Precision::F64 => format!("({x}_i64)"),
        }
    }
}

pub(super) const LINTS: &str = "#[allow(unused_variables, unused_mut, unused_parens, clippy::all, \
                     clippy::pedantic, reason = \"generated from equations\")]";

/// `impl Kernel<…> for Step`.
pub(super) fn kernel(out: &mut String, program: &Program, shape: &Shape, precision: Precision) {
    let types = Types::of(precision);
    let t = types.float;
    let _ = writeln!(
        out,
        "{LINTS}\nimpl n::Kernel<{t}> for Step {{\n#[inline(always)]"
    );
    let _ = writeln!(
        out,
        "fn step<I: n::Isa>(args: &mut n::StepArgs<'_, {t}>) {{"
    );
    block(out, program, shape, &types);
    driver(out, shape, &types);
    out.push_str("}\n}\n");
}

/// Loops over blocks; the first loop has every derived quantity in a register.
fn driver(out: &mut String, shape: &Shape, types: &Types) {
    let t = types.float;
    let _ = writeln!(
        out,
        "let (neurons, stride, time) = (args.n, args.stride, args.time);"
    );
    out.push_str("let blocks = neurons.div_ceil(n::LANES);\n");
    let randoms = shape.uniforms + shape.normals;
    for (group, prefix, count, borrow) in [
        ("states", "s", shape.states, "&mut *"),
        ("inputs", "i", shape.inputs, "&mut *"),
        ("outputs", "o", shape.outputs, "&mut *"),
        ("random", "r", randoms, ""),
    ] {
        let windows = if borrow.is_empty() {
            "windows"
        } else {
            "windows_mut"
        };
        let names = list(prefix, count, "", "");
        let stride = if group == "inputs" {
            "args.input_stride"
        } else {
            "stride"
        };
        let _ = writeln!(
            out,
            "let [{names}] = n::{windows}::<{t}, {count}>({borrow}args.{group}, {stride}, blocks);"
        );
    }
    let _ = writeln!(out, "let mut fired = [0; n::LANES];");
    let arrays = [
        list("s", shape.states, "&mut ", "[b]"),
        list("i", shape.inputs, "&mut ", "[b]"),
        list("o", shape.outputs, "&mut ", "[b]"),
        list("r", randoms, "&", "[b]"),
    ]
    .concat();
    let derived = list("d", shape.derived, "", "");
    let call = |derived: &str| {
        format!(
            "for b in 0..blocks {{\nif block::<I, _>({arrays}{derived}time, &mut fired) != 0 {{\n\
             n::append_fired(&fired, b, neurons, args.spikes, &mut args.bits);\n}}\n}}\n"
        )
    };
    if shape.derived == 0 {
        let plain = call("").replacen("<I, _>", &format!("<I, {t}>"), 1);
        out.push_str(&plain);
        return;
    }
    let _ = writeln!(
        out,
        "if let Some([{derived}]) = n::shared::<{t}, {}>(args.derived) {{",
        shape.derived
    );
    out.push_str(&call(&derived));
    out.push_str("} else {\n");
    let blocks: String = (0..shape.derived)
        .map(|k| format!("n::derived_block(&args.derived[{k}], b), "))
        .collect();
    out.push_str(&call(&blocks));
    out.push_str("}\n");
}

/// `s0, s1, …, ` with something before and after each.
pub(super) fn list(prefix: &str, count: usize, before: &str, after: &str) -> String {
    (0..count)
        .map(|k| format!("{before}{prefix}{k}{after}, "))
        .collect()
}

/// The function over one block. Its arrays are separate parameters, so that the compiler knows
/// that they do not overlap.
fn block(out: &mut String, program: &Program, shape: &Shape, types: &Types) {
    let (t, int) = (types.float, types.int);
    out.push_str("#[inline(always)]\nfn block<I: n::Isa, D: n::PerLane<");
    let _ = writeln!(out, "{t}>>(");
    for (prefix, count) in [
        ("s", shape.states),
        ("i", shape.inputs),
        ("o", shape.outputs),
    ] {
        for k in 0..count {
            let _ = writeln!(out, "{prefix}{k}: &mut n::Block<{t}>,");
        }
    }
    for k in 0..shape.uniforms + shape.normals {
        let _ = writeln!(out, "r{k}: &n::Block<{t}>,");
    }
    for k in 0..shape.derived {
        let _ = writeln!(out, "d{k}: D,");
    }
    let _ = writeln!(out, "time: {t}, fired: &mut n::Block<{int}>) -> {int} {{");
    out.push_str("let mut any = 0;\nfor l in 0..n::LANES {\n");
    lane(out, program, shape, types);
    out.push_str("}\nany\n}\n");
}

fn lane(out: &mut String, program: &Program, shape: &Shape, types: &Types) {
    values(out, program, shape, types);
    for store in &program.stores {
        let v = store.value.0;
        let _ = match store.slot {
            Slot::State(k) => writeln!(out, "s{k}[l] = v{v};"),
            Slot::Output(k) => writeln!(out, "o{k}[l] = v{v};"),
            Slot::Spike => writeln!(
                out,
                "let flag: {} = n::select(v{v}, 1, 0);\nfired[l] = flag;\nany |= flag;",
                types.int
            ),
            other => unreachable!("a step does not store {other:?}"),
        };
    }
    let zero = types.literal(0.0);
    for k in 0..shape.inputs {
        let _ = writeln!(out, "i{k}[l] = {zero};");
    }
}

/// One `let` per op.
pub(super) fn values(out: &mut String, program: &Program, shape: &Shape, types: &Types) {
    let value_types = program.types();
    for (i, op) in program.ops.iter().enumerate() {
        let ty = types.name(value_types[i]);
        let _ = writeln!(
            out,
            "let v{i}: {ty} = {};",
            expression(op, program, shape, types)
        );
    }
}

fn expression(op: &Op, program: &Program, shape: &Shape, types: &Types) -> String {
    match op {
        Op::Const(bits) => types.literal(f64::from_bits(*bits)),
        Op::Bool(b) => b.to_string(),
        Op::Int(x) => types.int_literal(*x),
        Op::Load(slot) => load(*slot, shape),
        Op::Unary(u, x) => unary(*u, *x, types),
        Op::Binary(o, x, y) => binary(*o, *x, *y, program),
        Op::Select(c, x, y) => format!("n::select(v{}, v{}, v{})", c.0, x.0, y.0),
        Op::Heaviside { .. } | Op::ExpDifference(_) => {
            unreachable!("{op:?} does not outlive preparation")
        }
    }
}

fn load(slot: Slot, shape: &Shape) -> String {
    match slot {
        Slot::State(k) => format!("s{k}[l]"),
        Slot::Input(k) => format!("i{k}[l]"),
        Slot::Derived(k) => format!("d{k}.lane(l)"),
        Slot::Uniform(k) => format!("r{k}[l]"),
        Slot::Normal(k) => format!("r{}[l]", shape.uniforms + k as usize),
        Slot::Time => "time".to_owned(),
        Slot::StateCotangent(k) => format!("c{k}[l]"),
        Slot::SpikeCotangent => "f[l]".to_owned(),
        Slot::OutputCotangent(k) => format!("o{k}[l]"),
        other => unreachable!("neither a step nor its reverse reads {other:?}"),
    }
}

fn unary(u: Unary, x: Value, types: &Types) -> String {
    let (x, t) = (x.0, types.float);
    match u {
        Unary::Neg => format!("-v{x}"),
        Unary::Abs => format!("v{x}.abs()"),
        Unary::Sqrt => format!("v{x}.sqrt()"),
        Unary::Floor => format!("n::Lane::lane_floor::<I>(v{x})"),
        Unary::Round => format!("n::Lane::lane_round::<I>(v{x})"),
        Unary::ToInt => format!("n::Lane::lane_to_int(v{x})"),
        Unary::ToFloat => format!("<{t} as n::Lane>::lane_from_int(v{x})"),
        Unary::ToBits => format!("n::Lane::lane_bits(v{x})"),
        Unary::FromBits => format!("<{t} as n::Lane>::lane_from_bits(v{x})"),
        Unary::Not => format!("!v{x}"),
        Unary::Indicator => {
            format!(
                "n::select(v{x}, {}, {})",
                types.literal(1.0),
                types.literal(0.0)
            )
        }
        other => unreachable!("{other:?} does not outlive expansion"),
    }
}

fn binary(o: Binary, x: Value, y: Value, program: &Program) -> String {
    let shift = match program.ops[y.index()] {
        Op::Int(by) => by,
        _ => 0,
    };
    let (x, y) = (x.0, y.0);
    match o {
        Binary::Add => format!("v{x} + v{y}"),
        Binary::Sub => format!("v{x} - v{y}"),
        Binary::Mul => format!("v{x} * v{y}"),
        Binary::Div => format!("v{x} / v{y}"),
        Binary::Min => format!("n::Lane::lane_min(v{x}, v{y})"),
        Binary::Max => format!("n::Lane::lane_max(v{x}, v{y})"),
        Binary::Lt | Binary::IntLt => format!("v{x} < v{y}"),
        Binary::Le => format!("v{x} <= v{y}"),
        Binary::Eq => format!("v{x} == v{y}"),
        Binary::And | Binary::IntAnd => format!("v{x} & v{y}"),
        Binary::Or | Binary::IntOr => format!("v{x} | v{y}"),
        Binary::IntAdd => format!("v{x}.wrapping_add(v{y})"),
        Binary::IntSub => format!("v{x}.wrapping_sub(v{y})"),
        Binary::Shl => format!("v{x}.wrapping_shl({shift})"),
        Binary::Shr => format!("v{x}.wrapping_shr({shift})"),
        Binary::Pow => unreachable!("Pow does not outlive expansion"),
    }
}
