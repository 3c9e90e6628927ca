//! Limits of the component language: a text beyond one is refused with an error that names it.

/// Length of a text \[bytes\].
pub const MAX_TEXT_BYTES: usize = 256 * 1024;
/// Length of a quantity or expression of a network file \[bytes\].
pub const MAX_EXPRESSION_BYTES: usize = 4096;
/// Depth of nested parentheses, calls, signs and exponents.
pub const MAX_NESTING: u32 = 64;
/// Length of a name \[bytes\].
pub const MAX_NAME_BYTES: usize = 64;
/// Statements in a text.
pub const MAX_STATEMENTS: usize = 4096;
/// State variables of one component.
pub const MAX_STATES: usize = 64;
/// Parameters of one component.
pub const MAX_PARAMETERS: usize = 256;
/// Options of one component.
pub const MAX_OPTIONS: usize = 16;
/// Input ports of one component.
pub const MAX_INPUTS: usize = 32;
/// Output ports of one component.
pub const MAX_OUTPUTS: usize = 32;
/// Uniform draws, and normal draws, of one component per step.
pub const MAX_DRAWS: usize = 32;
/// Operations of one component, after sharing.
pub const MAX_OPS: usize = 65_536;
/// Diagnostics reported in one run.
pub const MAX_DIAGNOSTICS: usize = 20;
