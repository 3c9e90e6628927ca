//! Why a program cannot become a shader.

use rheobase_equations::ir::Slot;

/// Why a program cannot become a shader.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The program still holds an operation that only an expanded program is free of.
    #[error("op {index}: {op} has no WGSL form; expand the program for f32 first")]
    Unexpanded {
        /// Position of the op.
        index: usize,
        /// Its name.
        op: String,
    },
    /// A constant that is not a finite f32.
    #[error("op {index}: the constant {value:e} is not a finite 32-bit float")]
    Constant {
        /// Position of the op.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// An integer constant that does not fit 32 bits.
    #[error("op {index}: the integer {value} does not fit 32 bits")]
    Integer {
        /// Position of the op.
        index: usize,
        /// Its value.
        value: i64,
    },
    /// A shift by something other than a constant in 0..32.
    #[error("op {index}: shifts need a constant distance from 0 to 31")]
    Shift {
        /// Position of the op.
        index: usize,
    },
    /// The kernel has no place for this slot.
    #[error("the kernel cannot {access} {slot:?}")]
    Slot {
        /// What it was to do.
        access: &'static str,
        /// The slot.
        slot: Slot,
    },
    /// An op refers to itself or to a later one.
    #[error("op {index} refers to value {operand}, which is not defined before it")]
    Order {
        /// Position of the op.
        index: usize,
        /// The operand.
        operand: u32,
    },
    /// More separately placed quantities than a uniform buffer holds.
    #[error("{needed} placed quantities, but a uniform buffer holds at most {limit}")]
    TooManyPlaces {
        /// How many the program has.
        needed: usize,
        /// How many fit.
        limit: usize,
    },
    /// The name cannot be part of a WGSL identifier.
    #[error("`{0}` cannot name a kernel: use ASCII letters, digits and `_`, a letter first")]
    Name(String),
}
