//! The steps of a chunk of one population as a kernel: a neuron's state is read once, advanced by all
//! of them, and written once.

use std::fmt::Write as _;

use rheobase_equations::expand::normal_from_uniform;
use rheobase_equations::ir::{Builder, Program, Slot, Type};
use rheobase_equations::native::prepare::SpikeAs;
use rheobase_equations::real::Precision;

use crate::body::{self, Memory};
use crate::circuit::Circuit;
use crate::error::EmitError;
use crate::guard::Contraction;
use crate::literal;
use crate::module::{
    Access, Assembly, Element, Entry, Place, Role, ShaderModule, UniformLayout, WORKGROUP_SIZE,
};
use crate::philox;
use crate::step::StepShape;

/// What acts on a port, in the order of its sum.
#[derive(Clone, PartialEq, Debug)]
pub struct Afferent {
    /// The port.
    pub port: usize,
    /// What acts.
    pub kind: AfferentKind,
}

/// What acts on a port.
#[derive(Clone, PartialEq, Debug)]
pub enum AfferentKind {
    /// Synapses of one weight, counted: the weight is added as often as spikes arrive.
    Counted {
        /// Arrivals of neuron 0.
        first: u32,
        /// The weight.
        weight: f32,
    },
    /// Synapses of any weights, summed as multiples of a unit.
    Summed {
        /// Arrivals of neuron 0.
        first: u32,
        /// The unit.
        unit: f32,
    },
    /// The same in every step.
    Constant(f32),
    /// One Poisson number for each neuron and step, times the weight.
    Poisson(PoissonTrain),
}

/// Poisson numbers by thresholds: a random word gives `base` and one more for each threshold that it
/// reaches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PoissonTrain {
    /// Bits of the weight (f32).
    pub weight: u32,
    /// Key of the stream of Philox.
    pub key: [u32; 2],
    /// The smallest number.
    pub base: u32,
    /// First of the thresholds in [`Role::Tables`].
    pub first: u32,
    /// How many there are.
    pub n: u32,
}

/// All that the kernel of a population depends on.
#[derive(Clone, PartialEq, Debug)]
pub struct SliceShape {
    /// What the whole circuit agrees on.
    pub circuit: Circuit,
    /// Its neurons.
    pub n: u32,
    /// Elements from one state to the next.
    pub stride: u32,
    /// First word of its spike bits.
    pub first_word: u32,
    /// Place of its word of [`Role::Status`].
    pub status: u32,
    /// Where each derived quantity lies.
    pub derived: Vec<Place>,
    /// What acts on its ports, in the order of the sums.
    pub afferents: Vec<Afferent>,
    /// Key of the stream of its own draws.
    pub key: [u32; 2],
    /// States that are recorded.
    pub recorded: Vec<u32>,
    /// Neurons that are recorded.
    pub n_columns: u32,
}

/// The kernel that advances a population by the steps of a chunk. `program` is its step, expanded for
/// f32, under the contract of `rheobase_equations::native::StepArgs`; sums, draws and results are
/// those of the processor, bit for bit where the program holds no division and no square root.
///
/// # Errors
/// If the program holds something a shader cannot do.
pub fn emit_slice(
    name: &str,
    program: &Program,
    step: &StepShape,
    shape: &SliceShape,
) -> Result<ShaderModule, EmitError> {
    let memory = SliceMemory {
        step,
        derived: &shape.derived,
    };
    let statements = body::emit(program, SpikeAs::Flag, Contraction::Prevent, &memory)?;
    let mut text = format!(
        "{}const NEURONS = {}u;\nconst STRIDE = {}u;\n",
        shape.circuit.constants(),
        shape.n,
        shape.stride
    );
    text.push_str(&draw_functions(step, &shape.afferents)?);
    let _ = write!(text, "\nfn advance(i: u32) {{\n{}", loads(step));
    text.push_str("    for (var k = 0u; k < params.len; k++) {\n");
    let mut inner = String::new();
    inner.push_str(&clock(&statements, step, shape));
    inner.push_str(&arrivals(step, shape)?);
    inner.push_str(&draws(step, shape.key));
    inner.push_str("    var has_fired = false;\n");
    inner.push_str(&statements);
    inner.push_str(&spike_bit(shape));
    inner.push_str(&records(step, shape));
    for line in inner.lines() {
        let _ = writeln!(text, "    {line}");
    }
    text.push_str("    }\n");
    text.push_str(&stores(step, shape));
    text.push_str("}\n");
    Ok(Assembly {
        name,
        entry_point: "slice_kernel",
        heading: &format!("The steps of a chunk of `{name}`."),
        entry: Entry::PerIndex {
            body: "advance",
            limit: "NEURONS",
        },
        functions: &text,
        uniform: UniformLayout::Chunk,
        storage: &storage(&text, step, shape),
        has_guard: text.contains("rounded("),
    }
    .finish())
}

/// Workgroups of a population.
#[must_use]
pub fn slice_groups(n: u32) -> u32 {
    n.div_ceil(WORKGROUP_SIZE)
}

fn storage(text: &str, step: &StepShape, shape: &SliceShape) -> Vec<(Role, Access, Element, u32)> {
    let uses = |role: Role| text.contains(&format!("{}[", role.variable()));
    let mut storage = vec![(Role::Fired, Access::ReadWrite, Element::AtomicU32, 0)];
    if !step.states.is_empty() {
        storage.push((Role::States, Access::ReadWrite, Element::F32, 0));
        storage.push((Role::Status, Access::ReadWrite, Element::AtomicU32, 0));
    }
    let others = [
        (Role::Derived, Access::Read, Element::F32, 0),
        (Role::Arrivals, Access::ReadWrite, Element::I32, 0),
        (Role::Tables, Access::Read, Element::U32, 0),
    ];
    storage.extend(others.into_iter().filter(|(role, ..)| uses(*role)));
    if !shape.recorded.is_empty() {
        storage.push((Role::Columns, Access::Read, Element::U32, 0));
        storage.push((Role::Traces, Access::ReadWrite, Element::F32, 0));
    }
    storage
}

fn loads(step: &StepShape) -> String {
    let mut text = String::new();
    for (k, name) in step.states.iter().enumerate() {
        let _ = writeln!(text, "    var s{k} = {}; // {name}", state(k));
    }
    text
}

fn stores(step: &StepShape, shape: &SliceShape) -> String {
    let mut text = String::new();
    for k in 0..step.states.len() {
        let _ = writeln!(text, "    {} = s{k};", state(k));
    }
    if !step.states.is_empty() {
        let infinite = |k: usize| format!("(bitcast<u32>(s{k}) & 0x7f800000u) == 0x7f800000u");
        let any: Vec<String> = (0..step.states.len()).map(infinite).collect();
        let _ = writeln!(
            text,
            "    if (params.check != 0u && ({})) {{\n        atomicMax(&status[{}u], 1u);\n    }}",
            any.join(" || "),
            shape.status
        );
    }
    text
}

fn state(k: usize) -> String {
    match k {
        0 => "states[i]".to_owned(),
        1 => "states[STRIDE + i]".to_owned(),
        _ => format!("states[{k}u * STRIDE + i]"),
    }
}

/// What depends on the step alone, where it is used.
fn clock(statements: &str, step: &StepShape, shape: &SliceShape) -> String {
    let mut text = String::new();
    if statements.contains("time") {
        text.push_str("    let time = params.times[k >> 2u][k & 3u];\n");
    }
    let arrives = |a: &Afferent| {
        matches!(
            a.kind,
            AfferentKind::Counted { .. } | AfferentKind::Summed { .. }
        )
    };
    if shape.afferents.iter().any(arrives) {
        text.push_str("    let slot = ((params.slot + k) % RING) * ARRIVALS + i;\n");
    }
    if has_draws(step, &shape.afferents) {
        text.push_str(
            "    let low = params.first_low + k;\n    \
             let high = params.first_high + select(0u, 1u, low < k);\n",
        );
    }
    text
}

pub(crate) fn has_draws(step: &StepShape, afferents: &[Afferent]) -> bool {
    let draws = |a: &Afferent| matches!(a.kind, AfferentKind::Poisson(_));
    step.n_uniforms + step.n_normals > 0 || afferents.iter().any(draws)
}

/// The sums of what arrives, in the order of the processor.
fn arrivals(step: &StepShape, shape: &SliceShape) -> Result<String, EmitError> {
    let mut text = String::new();
    for (k, name) in step.inputs.iter().enumerate() {
        let _ = writeln!(text, "    var x{k} = 0.0f; // {name}");
    }
    text.push_str(&additions(&shape.afferents)?);
    Ok(text)
}

/// Adds what acts on ports to `x0`, `x1`, ….
pub(crate) fn additions(afferents: &[Afferent]) -> Result<String, EmitError> {
    let mut text = String::new();
    for (index, afferent) in afferents.iter().enumerate() {
        let x = format!("x{}", afferent.port);
        match &afferent.kind {
            AfferentKind::Counted { first, weight } => {
                let weight = literal::float(f64::from(*weight), index)?;
                let _ = write!(
                    text,
                    "    let n{index} = arrivals[slot + {first}u];
    if (n{index} != 0i) {{
        arrivals[slot + {first}u] = 0i;
        for (var j = 0i; j < n{index}; j++) {{
            {x} = rounded({x} + {weight});
        }}
    }}
"
                );
            }
            AfferentKind::Summed { first, unit } => {
                let unit = literal::float(f64::from(*unit), index)?;
                let _ = write!(
                    text,
                    "    let n{index} = arrivals[slot + {first}u];
    if (n{index} != 0i) {{
        arrivals[slot + {first}u] = 0i;
        {x} = rounded({x} + rounded(f32(n{index}) * {unit}));
    }}
"
                );
            }
            AfferentKind::Constant(amplitude) => {
                let amplitude = literal::float(f64::from(*amplitude), index)?;
                let _ = writeln!(text, "    {x} = rounded({x} + {amplitude});");
            }
            AfferentKind::Poisson(train) => {
                let weight = literal::float(f64::from(f32::from_bits(train.weight)), index)?;
                let [a, b] = train.key;
                let _ = writeln!(
                    text,
                    "    let n{index} = poisson(word(i, low, high, 0u, vec2<u32>({a}u, {b}u)), {}u, {}u, {}u);\n    \
                     {x} = rounded({x} + rounded({weight} * f32(n{index})));",
                    train.base, train.first, train.n
                );
            }
        }
    }
    Ok(text)
}

/// The draws of a step.
pub(crate) fn draws(step: &StepShape, key: [u32; 2]) -> String {
    let mut text = String::new();
    let [a, b] = key;
    for draw in 0..step.n_uniforms + step.n_normals {
        let uniform = format!("uniform_of(word(i, low, high, {draw}u, vec2<u32>({a}u, {b}u)))");
        let _ = if draw < step.n_uniforms {
            writeln!(text, "    let u{draw} = {uniform};")
        } else {
            let k = draw - step.n_uniforms;
            writeln!(text, "    let g{k} = normal_of({uniform});")
        };
    }
    text
}

fn spike_bit(shape: &SliceShape) -> String {
    format!(
        "    if (has_fired) {{
        atomicOr(&fired[k * WORDS + {}u + (i >> 5u)], 1u << (i & 31u));
    }}
",
        shape.first_word
    )
}

/// Traces lie as `[steps, states, columns]`, steps counted from the beginning of the submission.
fn records(step: &StepShape, shape: &SliceShape) -> String {
    if shape.recorded.is_empty() {
        return String::new();
    }
    let columns = shape.n_columns;
    let mut text = String::from("    if (columns[i] != 0u) {\n");
    let _ = writeln!(
        text,
        "        let at = (params.offset + k) * {}u + columns[i] - 1u;",
        shape.recorded.len() as u64 * u64::from(columns)
    );
    for (place, &k) in shape.recorded.iter().enumerate() {
        let name = step.states.get(k as usize).map_or("", String::as_str);
        let _ = writeln!(
            text,
            "        traces[at + {}u] = s{k}; // {name}",
            place as u64 * u64::from(columns)
        );
    }
    text.push_str("    }\n");
    text
}

/// Functions for draws, as far as they are used.
pub(crate) fn draw_functions(
    step: &StepShape,
    afferents: &[Afferent],
) -> Result<String, EmitError> {
    let mut text = String::new();
    if !has_draws(step, afferents) {
        return Ok(text);
    }
    text.push('\n');
    text.push_str(philox::FUNCTIONS);
    text.push_str(include_str!("wgsl/word.wgsl"));
    let is_poisson = |a: &Afferent| matches!(a.kind, AfferentKind::Poisson(_));
    if afferents.iter().any(is_poisson) {
        text.push_str(include_str!("wgsl/poisson.wgsl"));
    }
    if step.n_uniforms + step.n_normals > 0 {
        text.push_str(include_str!("wgsl/uniform_of.wgsl"));
    }
    if step.n_normals > 0 {
        text.push_str(&normal_function()?);
    }
    Ok(text)
}

/// `normal_of`: a normal number from a uniform one, by the function of the processor.
fn normal_function() -> Result<String, EmitError> {
    let mut b = Builder::new();
    let u = b.load(Slot::Argument(0));
    let x = normal_from_uniform(&mut b, u, Precision::F32);
    b.store(Slot::Output(0), x);
    let program = b.finish();
    let statements = body::emit(&program, SpikeAs::Float, Contraction::Prevent, &OneNumber)?;
    Ok(format!(
        "\nfn normal_of(u: f32) -> f32 {{\n    var normal: f32;\n{statements}    return normal;\n}}\n"
    ))
}

struct OneNumber;

impl Memory for OneNumber {
    const IN_PLACE: bool = false;

    fn load(&self, _: Slot) -> Result<(String, String), EmitError> {
        Ok(("u".to_owned(), String::new()))
    }

    fn store(&self, _: Slot, value: &str, _: Type) -> Result<String, EmitError> {
        Ok(format!("normal = {value};"))
    }
}

/// A derived quantity of neuron `i`.
pub(crate) fn derived_at(place: Place) -> String {
    let index = match (place.offset, place.multiplier) {
        (offset, 0) => format!("{offset}u"),
        (offset, _) => format!("{offset}u + i"),
    };
    format!("{}[{index}]", Role::Derived.variable())
}

/// States in variables, inputs in sums, derived quantities where they lie.
struct SliceMemory<'a> {
    step: &'a StepShape,
    derived: &'a [Place],
}

impl Memory for SliceMemory<'_> {
    const IN_PLACE: bool = true;

    fn load(&self, slot: Slot) -> Result<(String, String), EmitError> {
        let step = self.step;
        let named = |prefix: char, k: u32, names: &[String]| {
            let name = names.get(k as usize)?;
            Some((format!("{prefix}{k}"), name.clone()))
        };
        let drawn = |prefix: char, k: u32, n: usize| {
            ((k as usize) < n).then(|| (format!("{prefix}{k}"), String::new()))
        };
        match slot {
            Slot::State(k) => named('s', k, &step.states),
            Slot::Input(k) => named('x', k, &step.inputs),
            Slot::Derived(k) => self
                .derived
                .get(k as usize)
                .map(|place| (derived_at(*place), String::new())),
            Slot::Uniform(k) => drawn('u', k, step.n_uniforms),
            Slot::Normal(k) => drawn('g', k, step.n_normals),
            Slot::Time => Some(("time".to_owned(), String::new())),
            _ => None,
        }
        .ok_or(EmitError::Slot {
            access: "read",
            slot,
        })
    }

    fn store(&self, slot: Slot, value: &str, ty: Type) -> Result<String, EmitError> {
        match slot {
            // Not through memory: what a step leaves must not be merged into the next.
            Slot::State(k) if (k as usize) < self.step.states.len() => {
                let name = &self.step.states[k as usize];
                Ok(format!("s{k} = rounded({value}); // {name}"))
            }
            // Nobody on the device reads real-valued outputs.
            Slot::Output(_) => Ok(String::new()),
            Slot::Spike if ty == Type::Bool => Ok(format!("has_fired = {value};")),
            _ => Err(EmitError::Slot {
                access: "write",
                slot,
            }),
        }
    }
}
