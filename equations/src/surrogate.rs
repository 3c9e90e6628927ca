//! Surrogate derivatives of the spike.
//!
//! The spike is a Heaviside step; training replaces its derivative by a smooth one. Each surrogate
//! is an expression σ'(x) and its primitive σ(x), both built as IR, so that every product of the
//! language can use them.

use crate::ir::{Builder, Program, Slot, SurrogateId, Value};

mod arctangent;
mod pen;
mod piecewise;
mod smooth;
mod table;

pub use table::SURROGATES;

/// Builds a function of x and the shape.
pub type Curve = fn(&mut Builder, Value, &[Value]) -> Value;

/// One surrogate.
#[derive(Debug)]
pub struct Surrogate {
    /// Name used in texts: `surrogate atan(2)`.
    pub name: &'static str,
    /// Names and defaults of its shape arguments.
    pub arguments: &'static [(&'static str, f64)],
    /// σ'(x): what the gradient is multiplied by.
    pub derivative: Curve,
    /// σ(x), whose derivative is σ': replaces the step in primitive (non-spiking) mode.
    pub primitive: Curve,
    /// Where it comes from.
    pub source: &'static str,
}

/// The surrogate that a text writes as expressions of the distance to the threshold: its arguments
/// are the values of the slope and, where it is given, of the primitive.
pub const OWN: SurrogateId = SurrogateId(u16::MAX);

static OWN_SURROGATE: Surrogate = Surrogate {
    name: "own",
    arguments: &[],
    derivative: |_, _, values| values[0],
    primitive: |b, _, values| match values {
        [_, primitive] => *primitive,
        // Without a primitive there is no such mode; NaN shows where it was asked for.
        _ => b.constant(f64::NAN),
    },
    source: "the text of the component",
};

/// The surrogate of that name.
#[must_use]
pub fn find(name: &str) -> Option<SurrogateId> {
    let index = SURROGATES.iter().position(|s| s.name == name)?;
    u16::try_from(index).ok().map(SurrogateId)
}

/// The surrogate with that id.
///
/// # Panics
/// If the id is neither [`OWN`] nor from [`find`].
#[must_use]
pub fn get(id: SurrogateId) -> &'static Surrogate {
    if id == OWN {
        return &OWN_SURROGATE;
    }
    &SURROGATES[usize::from(id.0)]
}

/// σ'(x) as a program of arguments 0 (x), 1, 2, … (shape), storing output 0.
pub(crate) fn derivative_program(id: SurrogateId, n_shape: usize) -> Program {
    program(get(id).derivative, n_shape)
}

/// σ(x) as a program of the same arguments.
pub(crate) fn primitive_program(id: SurrogateId, n_shape: usize) -> Program {
    program(get(id).primitive, n_shape)
}

fn program(curve: Curve, n_shape: usize) -> Program {
    let mut b = Builder::new();
    let x = b.load(Slot::Argument(0));
    let shape: Vec<Value> = (1_u32..)
        .take(n_shape)
        .map(|k| b.load(Slot::Argument(k)))
        .collect();
    let y = curve(&mut b, x, &shape);
    b.store(Slot::Output(0), y);
    b.finish()
}

#[cfg(test)]
mod tests;
