//! WGSL for the programs of Rheobase.
//!
//! What lives here: the emitter that turns IR into compute shaders ([`emit_step`] for a component,
//! [`emit_program`] for any other program, such as an adjoint), the description of what a shader
//! binds ([`ShaderModule`]), and hand-written WGSL for what is not a component ([`philox`]).
//! Bindings, uniform layout and entry points are generated: the shader text and the host read the
//! same description, nothing is typed twice.
//!
//! What may not: any GPU interface. This crate makes text and tables; `engine/src/backend/gpu` runs
//! them, and naga validates every module in the tests.

mod body;
mod circuit;
mod error;
mod guard;
mod layer;
mod literal;
mod module;
pub mod philox;
mod program;
mod rows;
mod sequence;
mod slice;
mod span;
mod step;
mod update;
mod wiring;

pub use circuit::{
    COUNTERS, COUNTERS_GROUPS, Chunk, Circuit, LANE_BITS, MAX_CHUNK, MAX_LANES, SynapseFormat,
    WORD_LANES, compaction, delivery,
};
pub use error::EmitError;
pub use guard::Contraction;
pub use layer::{Grid, LayerKernel, LayerKernels, LayerShape, layer_kernels};
pub use module::{
    Access, Binding, Element, GROUP, MAX_PLACES, Place, Role, ShaderModule, Uniform, UniformError,
    UniformLayout, WORKGROUP_SIZE, workgroups,
};
pub use program::{ProgramModule, emit_program};
pub use rows::Rows;
pub use sequence::{SequenceKernel, sequence_kernel};
pub use slice::{Afferent, AfferentKind, PoissonTrain, SliceShape, emit_slice, slice_groups};
pub use span::{MAX_PORTS, PortShape, Span, SpanShape, emit_forward, emit_reverse};
pub use step::{StepShape, emit_step, emit_step_program};
pub use update::{MAX_KEPT, Update, emit_update};
pub use wiring::WiringShape;
