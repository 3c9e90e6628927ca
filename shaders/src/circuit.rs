//! What a circuit on a device shares: the lanes of its populations, the ring of what is going to
//! arrive, the chunk of steps one round of kernels advances; and the kernels that turn spikes into
//! arrivals.
//!
//! A round is: every population advances by the steps of a chunk ([`crate::emit_slice`]) and sets a bit
//! for each spike; [`compaction`] lists them, ascending; [`delivery`] adds what each brings to the slot
//! of the step at which it arrives. What a projection of equal weights brings is counted, what other
//! projections bring is added as multiples of a unit: sums of integers do not depend on their order.

use std::fmt::Write as _;

use crate::module::{Access, Assembly, Element, Entry, Role, ShaderModule, UniformLayout};

/// Most steps of a chunk, and of all chunks that are submitted together.
pub const MAX_CHUNK: usize = 64;

/// Bits of a spike that hold its lane; those above hold the step within the submission.
pub const LANE_BITS: u32 = 26;

/// Most lanes of a circuit, sources outside the device included.
pub const MAX_LANES: u32 = 1 << LANE_BITS;

/// Spikes that a workgroup of the compaction takes from one word: its lanes.
pub const WORD_LANES: u32 = 32;

/// Words of [`Role::Counters`]: spikes of the submission so far, where those of the chunk begin, and
/// the workgroups of the delivery in three dimensions.
pub const COUNTERS: usize = 5;

/// First of the words of [`Role::Counters`] that say how many workgroups deliver.
pub const COUNTERS_GROUPS: usize = 2;

/// Invocations of a workgroup that deliver one row.
const DELIVERERS: u32 = 64;

/// What all kernels of a circuit agree on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Circuit {
    /// Lanes of arrivals: what is summed apart, for every neuron and projection (or port).
    pub arrivals: u32,
    /// Slots of the ring: longest delay plus the steps of a chunk.
    pub ring: u32,
    /// Words of spike bits, of all populations, for one step.
    pub words: u32,
}

impl Circuit {
    pub(crate) fn constants(self) -> String {
        format!(
            "const ARRIVALS = {}u;\nconst RING = {}u;\nconst WORDS = {}u;\n",
            self.arrivals, self.ring, self.words
        )
    }
}

/// The uniform buffer of a round.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Chunk<'a> {
    /// Its first step.
    pub first: u64,
    /// Steps of the submission before it.
    pub offset: u32,
    /// Slot of its first step in the ring.
    pub slot: u32,
    /// Words the compaction looks at.
    pub words: (u32, u32),
    /// Place among [`Role::Counters`] of the spikes to deliver.
    pub range: u32,
    /// Deliver only what takes at least so many steps.
    pub least_delay: u32,
    /// Look for states that are not finite at its end.
    pub check: bool,
    /// Time at the end of each step \[ms\]; at most [`MAX_CHUNK`].
    pub times_ms: &'a [f32],
}

impl Chunk<'_> {
    const FIELDS: [&'static str; 12] = [
        "first_low",
        "first_high",
        "len",
        "offset",
        "slot",
        "zero",
        "first_word",
        "end_word",
        "range",
        "least_delay",
        "check",
        "unused",
    ];

    /// Bytes of the buffer.
    pub const BYTES: usize = 4 * (Self::FIELDS.len() + MAX_CHUNK);

    /// The buffer's bytes; times beyond [`MAX_CHUNK`] are left out.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "the two halves of a step")]
    pub fn encode(&self) -> Vec<u8> {
        let times = &self.times_ms[..self.times_ms.len().min(MAX_CHUNK)];
        let head: [u32; Chunk::FIELDS.len()] = [
            self.first as u32,
            (self.first >> 32) as u32,
            times.len() as u32,
            self.offset,
            self.slot,
            0,
            self.words.0,
            self.words.1,
            self.range,
            self.least_delay,
            u32::from(self.check),
            0,
        ];
        let times = times.iter().map(|t| t.to_bits());
        let words = head.into_iter().chain(times);
        let mut bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        bytes.resize(Self::BYTES, 0);
        bytes
    }

    pub(crate) fn declaration() -> String {
        let mut text = String::from("struct Params {\n");
        for field in Self::FIELDS {
            let _ = writeln!(text, "    {field}: u32,");
        }
        let _ = writeln!(text, "    times: array<vec4<f32>, {}>,", MAX_CHUNK / 4);
        text.push_str("}\n");
        text
    }
}

/// The kernel that lists the spikes of a chunk: one workgroup, ascending by step and lane; it clears
/// the bits.
#[must_use]
pub fn compaction(circuit: Circuit, pieces: u32) -> ShaderModule {
    let constants = format!(
        "{}const LANE_BITS = {LANE_BITS}u;\nconst PIECES = {pieces}u;\n",
        circuit.constants()
    );
    Assembly {
        name: "compaction",
        entry_point: "compaction_kernel",
        heading: "Lists the spikes of a chunk, ascending by step and lane.",
        entry: Entry::Own {
            workgroup_size: 256,
        },
        functions: &format!("{constants}{}", include_str!("wgsl/compaction.wgsl")),
        uniform: UniformLayout::Chunk,
        storage: &[
            (Role::Fired, Access::ReadWrite, Element::U32, 0),
            (Role::Spikes, Access::ReadWrite, Element::U32, 0),
            (Role::Counters, Access::ReadWrite, Element::U32, 0),
        ],
        has_guard: false,
    }
    .finish()
}

/// Synapses of some sources, as [`delivery`] reads them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SynapseFormat {
    /// First source lane.
    pub first_source: u32,
    /// One past the last.
    pub end_source: u32,
    /// Bits of a synapse that hold its target among the arrivals; those above hold its delay in steps.
    pub target_bits: u32,
    /// Every synapse has a number of its own; without, each counts as one.
    pub weighted: bool,
}

/// The kernel that delivers the spikes of a chunk along the synapses of some sources: a workgroup for
/// each spike, or piece of its row.
#[must_use]
pub fn delivery(circuit: Circuit, format: SynapseFormat) -> ShaderModule {
    let mask = (1_u64 << format.target_bits) - 1;
    let amount = if format.weighted { "weights[k]" } else { "1" };
    let constants = format!(
        "{}const LANE_BITS = {LANE_BITS}u;\nconst FIRST_SOURCE = {}u;\nconst END_SOURCE = {}u;\n\
         const TARGET_BITS = {}u;\nconst TARGET_MASK = {mask}u;\nconst DELIVERERS = {DELIVERERS}u;\n\
         \nfn amount(k: u32) -> i32 {{\n    return {amount};\n}}\n",
        circuit.constants(),
        format.first_source,
        format.end_source,
        format.target_bits,
    );
    let mut storage = vec![
        (Role::Spikes, Access::Read, Element::U32, 0),
        (Role::Counters, Access::Read, Element::U32, 0),
        (Role::Rows, Access::Read, Element::U32, 0),
        (Role::Synapses, Access::Read, Element::U32, 0),
        (Role::Arrivals, Access::ReadWrite, Element::AtomicI32, 0),
    ];
    if format.weighted {
        storage.push((Role::Weights, Access::Read, Element::I32, 0));
    }
    Assembly {
        name: "delivery",
        entry_point: "delivery_kernel",
        heading: "Delivers the spikes of a chunk.",
        entry: Entry::Own {
            workgroup_size: DELIVERERS,
        },
        functions: &format!("{constants}{}", include_str!("wgsl/delivery.wgsl")),
        uniform: UniformLayout::Chunk,
        storage: &storage,
        has_guard: false,
    }
    .finish()
}
