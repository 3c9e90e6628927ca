//! Surrogate derivatives of the spike.
//!
//! The spike is a Heaviside step; training replaces its derivative by a smooth one. Each surrogate
//! is an expression σ'(x) and its primitive σ(x), both built as IR, so that every product of the
//! language can use them.

use crate::ir::{Builder, SurrogateId, Value};

mod arctangent;
mod pen;
mod piecewise;
mod smooth;
mod table;

pub use table::SURROGATES;

/// One surrogate.
#[derive(Debug)]
pub struct Surrogate {
    /// Name used in texts: `surrogate atan(2)`.
    pub name: &'static str,
    /// Names and defaults of its shape arguments.
    pub arguments: &'static [(&'static str, f64)],
    /// σ'(x): what the gradient is multiplied by.
    pub derivative: fn(&mut Builder, Value, &[Value]) -> Value,
    /// σ(x), whose derivative is σ': replaces the step in primitive (non-spiking) mode.
    pub primitive: fn(&mut Builder, Value, &[Value]) -> Value,
    /// Where it comes from.
    pub source: &'static str,
}

/// The surrogate of that name.
#[must_use]
pub fn find(name: &str) -> Option<SurrogateId> {
    let index = SURROGATES.iter().position(|s| s.name == name)?;
    u16::try_from(index).ok().map(SurrogateId)
}

/// The surrogate with that id.
///
/// # Panics
/// If the id does not come from [`find`].
#[must_use]
pub fn get(id: SurrogateId) -> &'static Surrogate {
    &SURROGATES[usize::from(id.0)]
}

#[cfg(test)]
mod tests;
