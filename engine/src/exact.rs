//! Populations in continuous time: spikes are solved for, not stepped over.

pub mod adaptive;
mod basis;
mod crossing;
mod dormand_prince;
pub mod flow;
pub mod linear;
pub mod make;
mod modes;
pub mod quadratic;
