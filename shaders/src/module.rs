//! What a shader is to the host: text, entry point, bindings, uniform layout.

use std::fmt::Write as _;

/// Invocations per workgroup: one neuron each.
pub const WORKGROUP_SIZE: u32 = 64;

/// Bind group of every binding.
pub const GROUP: u32 = 0;

/// Most places a uniform buffer of the smallest guaranteed size (16 KiB on downlevel devices) holds.
pub const MAX_PLACES: usize = (16 * 1024 - UniformLayout::HEAD_BYTES) / UniformLayout::PLACE_BYTES;

/// A compute shader with all a host needs to run it.
///
/// The entry point runs its body once for every index below `n` of the uniform; the host starts
/// [`workgroups`] of [`ShaderModule::workgroup_size`] invocations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShaderModule {
    /// What it computes, for labels and messages.
    pub name: String,
    /// The WGSL text.
    pub source: String,
    /// Name of the entry point.
    pub entry_point: String,
    /// Every binding of group [`GROUP`], ascending by index, without gaps.
    pub bindings: Vec<Binding>,
    /// Layout of the uniform buffer.
    pub uniform: UniformLayout,
    /// Invocations per workgroup.
    pub workgroup_size: u32,
}

impl ShaderModule {
    /// The binding with that role, if the shader has one.
    #[must_use]
    pub fn binding(&self, role: Role) -> Option<&Binding> {
        self.bindings.iter().find(|b| b.role == role)
    }
}

/// One buffer a shader binds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Binding {
    /// Index within the group.
    pub index: u32,
    /// What it holds.
    pub role: Role,
    /// How it is used.
    pub access: Access,
    /// Type of its elements.
    pub element: Element,
    /// Arrays of `stride` elements in it, one after the other. 0 where the uniform's places say
    /// where each array lies.
    pub rows: u32,
}

/// What a buffer holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Role {
    /// The uniform buffer ([`UniformLayout`]).
    Uniform,
    /// State variables; updated in place.
    States,
    /// Sums of what arrived at each input port; zero on return.
    Inputs,
    /// Derived quantities, each at its [`Place`].
    Derived,
    /// Random draws: uniforms, then normals.
    Random,
    /// Real-valued outputs.
    Outputs,
    /// One word per neuron: 1 where it fired, else 0.
    Fired,
    /// What a program reads, each slot at its [`Place`].
    Sources,
    /// What a program writes, each slot at its [`Place`].
    Results,
    /// What arrives at the lanes of a circuit in the steps to come: a ring of slots, one per step.
    Arrivals,
    /// Numbers stimuli look up.
    Tables,
    /// State variables that are recorded.
    Traces,
    /// Column of each neuron in [`Role::Traces`], counted from 1; 0 for those not recorded.
    Columns,
    /// Of each population, 1 if a state is no longer finite.
    Status,
    /// Spikes of a submission, ascending.
    Spikes,
    /// How many spikes there are, where those of the chunk begin, and how many groups deliver them.
    Counters,
    /// First synapse of each source.
    Rows,
    /// Target and delay of each synapse.
    Synapses,
    /// What each synapse adds.
    Weights,
    /// What arrives at a layer, `[rows, in]`.
    X,
    /// What a layer emits, `[rows, out]`.
    Y,
    /// Cotangent of [`Role::X`].
    Dx,
    /// Cotangent of [`Role::Y`].
    Dy,
    /// The trained array at that place.
    Parameter(u8),
    /// Its gradient.
    Gradient(u8),
    /// What an optimiser keeps of an array, by number.
    Kept(u8),
    /// An array that belongs to a layer but is not trained.
    Buffer(u8),
    /// What a layer keeps from one kernel to the next.
    Scratch,
    /// What arrives at the port of that number.
    Port(u8),
    /// Its cotangent.
    PortCotangent(u8),
    /// States before each step, `[steps + 1, states, lanes]`.
    Tape,
    /// Cotangents of states, then of derived quantities, each `[lanes]`.
    Sums,
    /// Time at the end of each step \[ms\].
    Times,
}

impl Role {
    /// Name of the variable in the shader.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::Uniform => "params",
            Self::States => "states",
            Self::Inputs => "inputs",
            Self::Derived => "derived",
            Self::Random => "random",
            Self::Outputs => "outputs",
            Self::Fired => "fired",
            Self::Sources => "sources",
            Self::Results => "results",
            Self::Arrivals => "arrivals",
            Self::Tables => "tables",
            Self::Traces => "traces",
            Self::Columns => "columns",
            Self::Status => "status",
            Self::Spikes => "spikes",
            Self::Counters => "counters",
            Self::Rows => "rows",
            Self::Synapses => "synapses",
            Self::Weights => "weights",
            Self::X => "x",
            Self::Y => "y",
            Self::Dx => "dx",
            Self::Dy => "dy",
            Self::Parameter(0) => "parameter_0",
            Self::Parameter(1) => "parameter_1",
            Self::Parameter(_) => "parameter_2",
            Self::Gradient(0) => "gradient_0",
            Self::Gradient(1) => "gradient_1",
            Self::Gradient(_) => "gradient_2",
            Self::Kept(0) => "kept_0",
            Self::Kept(1) => "kept_1",
            Self::Kept(2) => "kept_2",
            Self::Kept(3) => "kept_3",
            Self::Kept(4) => "kept_4",
            Self::Kept(_) => "kept_5",
            Self::Buffer(0) => "buffer_0",
            Self::Buffer(_) => "buffer_1",
            Self::Scratch => "scratch",
            Self::Port(0) => "port_0",
            Self::Port(1) => "port_1",
            Self::Port(2) => "port_2",
            Self::Port(_) => "port_3",
            Self::PortCotangent(0) => "port_cotangent_0",
            Self::PortCotangent(1) => "port_cotangent_1",
            Self::PortCotangent(2) => "port_cotangent_2",
            Self::PortCotangent(_) => "port_cotangent_3",
            Self::Tape => "tape",
            Self::Sums => "sums",
            Self::Times => "times",
        }
    }
}

/// How a shader uses a buffer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// A uniform buffer.
    Uniform,
    /// A storage buffer that is only read.
    Read,
    /// A storage buffer that is read and written.
    ReadWrite,
}

/// Type of the elements of a buffer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Element {
    /// The `Params` struct.
    Params,
    /// 32-bit float.
    F32,
    /// 32-bit unsigned integer.
    U32,
    /// 32-bit signed integer.
    I32,
    /// 32-bit unsigned integer that several invocations change.
    AtomicU32,
    /// 32-bit signed integer that several invocations change.
    AtomicI32,
}

/// Where a quantity lies in its buffer: neuron `i` finds it at `offset + i · multiplier`.
/// A multiplier of 0 makes it the same for all, 1 gives each neuron its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Place {
    /// Index of the first element.
    pub offset: u32,
    /// 0 or 1.
    pub multiplier: u32,
}

/// Layout of the uniform buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UniformLayout {
    /// Four scalars, then so many places, two to a vector (arrays in uniform buffers are strided by 16
    /// bytes): [`Uniform`].
    Places(usize),
    /// [`crate::Chunk`].
    Chunk,
    /// [`crate::Rows`].
    Rows,
    /// [`crate::Span`].
    Span,
    /// [`crate::Update`], with so many derived quantities.
    Update(usize),
}

/// Contents of the uniform buffer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Uniform<'a> {
    /// Number of neurons (invocations that do something).
    pub n: u32,
    /// Elements from one array of a buffer to the next.
    pub stride: u32,
    /// Time at the end of the step \[ms\].
    pub time_ms: f32,
    /// Where each placed quantity lies.
    pub places: &'a [Place],
}

/// The number of places given is not the number the shader has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the shader places {expected} quantities, {got} places were given")]
pub struct UniformError {
    /// What the shader has.
    pub expected: usize,
    /// What was given.
    pub got: usize,
}

impl UniformLayout {
    const HEAD_BYTES: usize = 16;
    const PLACE_BYTES: usize = 8;

    /// Bytes of the buffer; a multiple of 16.
    #[must_use]
    pub fn size_bytes(self) -> usize {
        match self {
            Self::Places(n) => Self::HEAD_BYTES + n.div_ceil(2) * 16,
            Self::Chunk => crate::Chunk::BYTES,
            Self::Rows => crate::Rows::BYTES,
            Self::Span => crate::Span::BYTES,
            Self::Update(n) => crate::Update::bytes(n),
        }
    }

    /// Number of places.
    #[must_use]
    pub fn n_places(self) -> usize {
        match self {
            Self::Places(n) => n,
            Self::Chunk | Self::Rows | Self::Span | Self::Update(_) => 0,
        }
    }

    /// The buffer's bytes.
    ///
    /// # Errors
    /// If `uniform` does not have one place per placed quantity.
    pub fn encode(self, uniform: &Uniform<'_>) -> Result<Vec<u8>, UniformError> {
        if !matches!(self, Self::Places(_)) || uniform.places.len() != self.n_places() {
            return Err(UniformError {
                expected: self.n_places(),
                got: uniform.places.len(),
            });
        }
        let zero = 0;
        let head = [uniform.n, uniform.stride, zero, uniform.time_ms.to_bits()];
        let places = uniform.places.iter().flat_map(|p| [p.offset, p.multiplier]);
        let mut bytes: Vec<u8> = head
            .into_iter()
            .chain(places)
            .flat_map(u32::to_le_bytes)
            .collect();
        bytes.resize(self.size_bytes(), 0);
        Ok(bytes)
    }

    fn declaration(self) -> String {
        let n = match self {
            Self::Places(n) => n,
            Self::Chunk => return crate::Chunk::declaration(),
            Self::Rows => return crate::Rows::declaration(),
            Self::Span => return crate::Span::declaration(),
            Self::Update(n) => return crate::Update::declaration(n),
        };
        let mut text = String::from(
            "struct Params {\n    n: u32,\n    stride: u32,\n    zero: u32,\n    time: f32,\n",
        );
        if n > 0 {
            let _ = writeln!(text, "    places: array<vec4<u32>, {}>,", n.div_ceil(2));
        }
        text.push_str("}\n");
        text
    }

    /// The index expression of element `i` of placed quantity `k`.
    pub(crate) fn index_expression(k: usize) -> String {
        let (offset, multiplier) = if k.is_multiple_of(2) {
            ("x", "y")
        } else {
            ("z", "w")
        };
        let vector = format!("params.places[{}]", k / 2);
        format!("{vector}.{offset} + i * {vector}.{multiplier}")
    }
}

/// Workgroups to start, per dimension, so that every index below `n` gets an invocation, when a
/// dimension holds at most `limit` of them. `None` if two dimensions are not enough.
///
/// ```
/// use rheobase_shaders::workgroups;
/// assert_eq!(workgroups(1000, 65_535), Some([16, 1, 1]));
/// assert_eq!(workgroups(64 * 65_536, 65_535), Some([65_535, 2, 1]));
/// ```
#[must_use]
pub fn workgroups(n: u32, limit: u32) -> Option<[u32; 3]> {
    let groups = n.div_ceil(WORKGROUP_SIZE);
    if groups == 0 || limit == 0 {
        return (groups == 0).then_some([0, 1, 1]);
    }
    let rows = groups.div_ceil(limit);
    (rows <= limit).then_some([groups.min(limit), rows, 1])
}

/// How the entry point of a module is made.
#[derive(Clone, Copy)]
pub(crate) enum Entry<'a> {
    /// `fn <body>(i: u32)` runs for every index below the expression `limit`.
    PerIndex { body: &'a str, limit: &'a str },
    /// It is among the functions, with workgroups of that size.
    Own { workgroup_size: u32 },
}

/// Assembles a module around `functions`.
pub(crate) struct Assembly<'a> {
    pub(crate) name: &'a str,
    pub(crate) entry_point: &'a str,
    pub(crate) heading: &'a str,
    pub(crate) entry: Entry<'a>,
    pub(crate) functions: &'a str,
    pub(crate) uniform: UniformLayout,
    /// Role, access, element, rows; the uniform is added.
    pub(crate) storage: &'a [(Role, Access, Element, u32)],
    /// Declare the guard function.
    pub(crate) has_guard: bool,
}

impl Assembly<'_> {
    pub(crate) fn finish(self) -> ShaderModule {
        let bindings = self.bindings();
        let entry_point = self.entry_point;
        let mut source = String::new();
        for line in self.heading.lines() {
            let _ = writeln!(source, "// {line}");
        }
        source.push_str(&self.uniform.declaration());
        source.push('\n');
        for binding in &bindings {
            source.push_str(&declare(binding));
        }
        source.push('\n');
        if self.has_guard {
            source.push_str(GUARD);
        }
        source.push_str(self.functions);
        let workgroup_size = match self.entry {
            Entry::PerIndex { body, limit } => {
                source.push_str(&per_index(entry_point, body, limit));
                WORKGROUP_SIZE
            }
            Entry::Own { workgroup_size } => workgroup_size,
        };
        ShaderModule {
            name: self.name.to_owned(),
            source,
            entry_point: entry_point.to_owned(),
            bindings,
            uniform: self.uniform,
            workgroup_size,
        }
    }

    fn bindings(&self) -> Vec<Binding> {
        let uniform = (Role::Uniform, Access::Uniform, Element::Params, 0);
        std::iter::once(&uniform)
            .chain(self.storage)
            .zip(0..)
            .map(|(&(role, access, element, rows), index)| Binding {
                index,
                role,
                access,
                element,
                rows,
            })
            .collect()
    }
}

fn per_index(entry_point: &str, body: &str, limit: &str) -> String {
    format!(
        "
@compute @workgroup_size({WORKGROUP_SIZE})
fn {entry_point}(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {{
    let i = (group.y * groups.x + group.x) * {WORKGROUP_SIZE}u + lane;
    if (i < {limit}) {{
        {body}(i);
    }}
}}
"
    )
}

/// See [`crate::guard`] for why this stops contraction.
const GUARD: &str = "\
// Rounds here and now: no compiler knows that `zero` is 0.
fn rounded(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ params.zero);
}

";

fn declare(binding: &Binding) -> String {
    let space = match binding.access {
        Access::Uniform => "uniform",
        Access::Read => "storage, read",
        Access::ReadWrite => "storage, read_write",
    };
    let ty = match binding.element {
        Element::Params => "Params",
        Element::F32 => "array<f32>",
        Element::U32 => "array<u32>",
        Element::I32 => "array<i32>",
        Element::AtomicU32 => "array<atomic<u32>>",
        Element::AtomicI32 => "array<atomic<i32>>",
    };
    let (index, variable) = (binding.index, binding.role.variable());
    format!("@group({GROUP}) @binding({index}) var<{space}> {variable}: {ty};\n")
}

#[cfg(test)]
mod tests {
    use super::{Place, Uniform, UniformLayout, workgroups};

    #[test]
    fn the_uniform_is_padded_to_whole_vectors() {
        let layout = UniformLayout::Places(3);
        let place = |offset| Place {
            offset,
            multiplier: 1,
        };
        let uniform = Uniform {
            n: 7,
            stride: 64,
            time_ms: 0.5,
            places: &[place(10), place(20), place(30)],
        };
        let bytes = layout.encode(&uniform).expect("three places");
        assert_eq!(bytes.len(), layout.size_bytes());
        assert_eq!(bytes.len() % 16, 0);
        let words: Vec<u32> = bytes
            .chunks_exact(4)
            .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        assert_eq!(
            words,
            [7, 64, 0, 0.5_f32.to_bits(), 10, 1, 20, 1, 30, 1, 0, 0]
        );
        assert!(
            layout
                .encode(&Uniform {
                    places: &[],
                    ..uniform
                })
                .is_err()
        );
    }

    #[test]
    fn workgroups_cover_every_index_and_keep_the_limit() {
        for limit in [1, 3, 65_535] {
            for n in [0, 1, 63, 64, 65, 577, 100_000] {
                match workgroups(n, limit) {
                    Some([x, y, z]) => {
                        assert!(x <= limit && y <= limit && z == 1);
                        assert!(u64::from(x) * u64::from(y) * 64 >= u64::from(n));
                    }
                    None => assert!(u64::from(n) > u64::from(limit) * u64::from(limit) * 64),
                }
            }
        }
    }
}
