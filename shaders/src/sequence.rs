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
}

/// The kernel.
#[must_use]
pub fn sequence_kernel(kernel: SequenceKernel) -> ShaderModule {
    let (name, body, words) = match kernel {
        SequenceKernel::Assign => ("assign", ASSIGN, false),
        SequenceKernel::Add => ("add", ADD, false),
        SequenceKernel::AddSteps => ("add_steps", ADD_STEPS, false),
        SequenceKernel::Bits => ("bits", BITS, true),
        SequenceKernel::Squares => ("squares", SQUARES, false),
    };
    let element = if words { Element::U32 } else { Element::F32 };
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
            (Role::X, Access::Read, element, 0),
            (Role::Y, Access::ReadWrite, Element::F32, 0),
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
