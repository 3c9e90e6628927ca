//! Kernels for what passes between nodes of an unrolled network: copies, sums, spikes from bits.
//!
//! The uniform buffer is [`crate::Rows`]: `rows` elements, from `x_first` in [`Role::X`] to `y_first` in
//! [`Role::Y`], counted in elements.

use crate::module::{Access, Assembly, Element, Entry, Role, ShaderModule, UniformLayout};

/// What is done for each element.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SequenceKernel {
    /// y = x; where `batch` is not 0, x repeats after so many elements.
    Assign,
    /// y += x; likewise.
    Add,
    /// y += Σ x over `repeats` steps of `rows` elements each, the first first.
    AddSteps,
    /// y = 1 where a bit is set, else 0: x holds rows of whole 64-bit words, `batch` elements a row.
    Bits,
    /// y = Σ x² over the elements i, i + `rows`, … of `batch` elements x.
    Squares,
    /// Elements of x that are not 0, as bits: rows of `batch` elements become words of 32, `repeats` words
    /// from one row to the next; one element of y for each word.
    Pack,
    /// y += the number of an element, for pairs of a place and a number in x; no place stands twice.
    Scatter,
    /// y = 1 where an element i, i + `rows`, … of `batch` elements x is not finite, else 0.
    NotFinite,
}

/// The kernel.
#[must_use]
pub fn sequence_kernel(kernel: SequenceKernel) -> ShaderModule {
    use Element::{F32, U32};
    let (name, body, from, to) = match kernel {
        SequenceKernel::Assign => ("assign", ASSIGN, F32, F32),
        SequenceKernel::Add => ("add", ADD, F32, F32),
        SequenceKernel::AddSteps => ("add_steps", ADD_STEPS, F32, F32),
        SequenceKernel::Bits => ("bits", BITS, U32, F32),
        SequenceKernel::Squares => ("squares", SQUARES, F32, F32),
        SequenceKernel::Pack => ("pack", PACK, F32, U32),
        SequenceKernel::Scatter => ("scatter", SCATTER, U32, F32),
        SequenceKernel::NotFinite => ("not_finite", NOT_FINITE, F32, U32),
    };
    Assembly {
        name,
        entry_point: &format!("{name}_kernel"),
        heading: &format!("`{name}` for each element."),
        entry: Entry::PerIndex {
            body: "element",
            limit: "params.rows",
        },
        functions: body,
        uniform: UniformLayout::Rows,
        storage: &[
            (Role::X, Access::Read, from, 0),
            (Role::Y, Access::ReadWrite, to, 0),
        ],
        has_guard: false,
    }
    .finish()
}

const ASSIGN: &str = "\
fn element(i: u32) {
    let k = select(i, i % max(params.batch, 1u), params.batch > 0u);
    y[params.y_first + i] = x[params.x_first + k];
}
";

const ADD: &str = "\
fn element(i: u32) {
    let k = select(i, i % max(params.batch, 1u), params.batch > 0u);
    y[params.y_first + i] += x[params.x_first + k];
}
";

const ADD_STEPS: &str = "\
fn element(i: u32) {
    var sum = y[params.y_first + i];
    for (var step = 0u; step < params.repeats; step++) {
        sum += x[params.x_first + step * params.rows + i];
    }
    y[params.y_first + i] = sum;
}
";

const BITS: &str = "\
fn element(i: u32) {
    let width = params.batch;
    let row = i / width;
    let column = i % width;
    let words = 2u * ((width + 63u) / 64u);
    let word = x[params.x_first + row * words + column / 32u];
    y[params.y_first + i] = f32((word >> (column % 32u)) & 1u);
}
";

const SQUARES: &str = "\
fn element(i: u32) {
    var sum = 0.0f;
    for (var k = i; k < params.batch; k += params.rows) {
        let value = x[params.x_first + k];
        sum += value * value;
    }
    y[params.y_first + i] = sum;
}
";

const PACK: &str = "\
fn element(i: u32) {
    let width = params.batch;
    let words = (width + 31u) / 32u;
    let row = i / words;
    let first = 32u * (i % words);
    var bits = 0u;
    for (var k = first; k < min(first + 32u, width); k++) {
        bits |= select(0u, 1u << (k % 32u), x[params.x_first + row * width + k] != 0.0f);
    }
    y[params.y_first + row * params.repeats + i % words] = bits;
}
";

const SCATTER: &str = "\
fn element(i: u32) {
    y[params.y_first + x[2u * i]] += f32(x[2u * i + 1u]);
}
";

const NOT_FINITE: &str = "\
fn element(i: u32) {
    var found = 0u;
    for (var k = i; k < params.batch; k += params.rows) {
        let exponent = bitcast<u32>(x[params.x_first + k]) & 0x7f800000u;
        found = select(found, 1u, exponent == 0x7f800000u);
    }
    y[params.y_first + i] = found;
}
";
