//! Synapses of a projection over the rows of an unrolled network as kernels: forward, reverse, gradient.
//!
//! Synapses are triples of words in [`Role::Synapses`]. Forward they are ordered by target, and hold the
//! number of the weight, the source, the delay in steps; in reverse they are ordered as weights are, by
//! source, and hold source, target, delay. [`Role::Rows`] tells where those of each target, or source,
//! begin. The uniform buffer is [`crate::Rows`]: rows of targets; `x_first` is the row of the source that
//! arrives without delay.

use crate::module::{Access, Assembly, Element, Entry, Role, ShaderModule, UniformLayout};

/// A projection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WiringShape {
    /// Source neurons.
    pub n_source: u32,
    /// Target neurons.
    pub n_target: u32,
    /// Synapses.
    pub n_synapses: u32,
    /// Longest delay in steps.
    pub longest: u32,
    /// Numbers that the source emits are numbers of spikes.
    pub counts: bool,
}

impl WiringShape {
    fn assemble(
        self,
        name: &str,
        limit: &str,
        text: &str,
        storage: &[(Role, Access, Element, u32)],
    ) -> ShaderModule {
        let functions = format!(
            "const N_SOURCE = {}u;\nconst N_TARGET = {}u;\nconst N_SYNAPSES = {}u;\nconst LONGEST = {}u;\n\
             const COUNTS = {};\n{text}",
            self.n_source, self.n_target, self.n_synapses, self.longest, self.counts
        );
        Assembly {
            name,
            entry_point: &format!("{name}_kernel"),
            heading: &format!("`{name}` of a projection."),
            entry: Entry::PerIndex {
                body: "element",
                limit,
            },
            has_guard: functions.contains("rounded("),
            functions: &functions,
            uniform: UniformLayout::Rows,
            storage,
        }
        .finish()
    }

    /// Adds to y what arrives; an invocation for each target and row. Sums have the order of the
    /// processor where synapses of a target are ordered by delay, the longest first, then source.
    #[must_use]
    pub fn forward(self) -> ShaderModule {
        self.assemble(
            "synapses_forward",
            "params.rows * N_TARGET",
            include_str!("wgsl/wiring/forward.wgsl"),
            &[
                (Role::X, Access::Read, Element::F32, 0),
                (Role::Rows, Access::Read, Element::U32, 0),
                (Role::Synapses, Access::Read, Element::U32, 0),
                (Role::Parameter(0), Access::Read, Element::F32, 0),
                (Role::Y, Access::ReadWrite, Element::F32, 0),
            ],
        )
    }

    /// Adds to dx; an invocation for each source and row that is heard in the rows.
    #[must_use]
    pub fn reverse(self) -> ShaderModule {
        self.assemble(
            "synapses_reverse",
            "(params.rows + LONGEST * params.batch) * N_SOURCE",
            include_str!("wgsl/wiring/reverse.wgsl"),
            &[
                (Role::Dy, Access::Read, Element::F32, 0),
                (Role::Rows, Access::Read, Element::U32, 0),
                (Role::Synapses, Access::Read, Element::U32, 0),
                (Role::Parameter(0), Access::Read, Element::F32, 0),
                (Role::Dx, Access::ReadWrite, Element::F32, 0),
            ],
        )
    }

    /// Adds to the gradient of the weights; an invocation for each synapse.
    #[must_use]
    pub fn gradients(self) -> ShaderModule {
        self.assemble(
            "synapses_gradients",
            "N_SYNAPSES",
            include_str!("wgsl/wiring/gradients.wgsl"),
            &[
                (Role::X, Access::Read, Element::F32, 0),
                (Role::Dy, Access::Read, Element::F32, 0),
                (Role::Synapses, Access::Read, Element::U32, 0),
                (Role::Gradient(0), Access::ReadWrite, Element::F32, 0),
            ],
        )
    }
}
