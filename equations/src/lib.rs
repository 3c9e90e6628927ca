//! The component language of Rheobase and its passes.
//!
//! What lives here: the lexer, parser, units and dimension check with spanned diagnostics; the
//! [`ir`] and the passes over it (folding, integrators, closed form, expansion of transcendental
//! functions, reverse mode); surrogates; the f64 interpreter, which is the reference semantics; the
//! block interpreter; and, in `equations/macros`, the proc macro that turns the same text into
//! native Rust.
//!
//! What may not: networks, time, threads, files.

pub mod adjoint;
pub mod block;
mod check;
pub mod choice;
pub mod closed_form;
pub mod diagnostic;
pub mod emit_rust;
pub mod events;
pub mod expand;
mod fold;
pub mod gradient;
pub mod gradient_check;
pub mod integrate;
pub mod interpret;
pub mod ir;
pub mod limits;
pub mod linear_system;
pub mod lower;
pub mod model;
pub mod native;
pub mod primitive;
pub mod quadratic;
pub mod real;
pub mod surrogate;
mod syntax;
#[cfg(test)]
mod testing;
pub mod unit;
pub mod unroll;

pub use check::{parse, parse_one};
