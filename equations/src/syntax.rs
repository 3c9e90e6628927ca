//! From text to syntax tree: characters → tokens → statements.

pub(crate) mod ast;
mod expression;
mod lexer;
mod parser;
mod statement;
pub(crate) mod token;
mod unit;
pub(crate) mod words;

pub(crate) use parser::{parse_quantity_expression, parse_surrogate, parse_text};
pub(crate) use unit::halves;
