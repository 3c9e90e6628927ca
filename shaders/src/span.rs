//! A population over many steps of an unrolled network as kernels: forward, keeping states on a tape,
//! and in reverse from the last step to the first.

use std::fmt::Write as _;

use rheobase_equations::ir::{Program, Slot, Type};
use rheobase_equations::native::prepare::SpikeAs;

use crate::body::{self, Memory};
use crate::error::EmitError;
use crate::guard::Contraction;
use crate::module::{Access, Assembly, Element, Entry, Place, Role, ShaderModule, UniformLayout};
use crate::slice::{Afferent, additions, derived_at, draw_functions, draws, has_draws};
use crate::step::StepShape;

/// Most ports of a population.
pub const MAX_PORTS: usize = 4;

/// The uniform buffer: which steps, and where their arrays lie (elements from the beginning of a buffer).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    /// Number of the first step, as random draws count it.
    pub first: u64,
    /// Steps.
    pub len: u32,
    /// Lanes: neurons × batch.
    pub lanes: u32,
    /// Place of the first step on the tape.
    pub tape: u32,
    /// Place of the first step among the times.
    pub time: u32,
    /// What is emitted in the first step.
    pub y: u32,
    /// What arrives at each port in the first step.
    pub ports: [u32; MAX_PORTS],
}

impl Span {
    const FIELDS: [&'static str; 12] = [
        "first_low",
        "first_high",
        "len",
        "lanes",
        "tape",
        "y",
        "port_0",
        "port_1",
        "port_2",
        "port_3",
        "zero",
        "time",
    ];

    /// Bytes of the buffer.
    pub const BYTES: usize = 4 * Self::FIELDS.len();

    /// The buffer's bytes.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "the two halves of a step")]
    pub fn encode(&self) -> Vec<u8> {
        let [a, b, c, d] = self.ports;
        let words: [u32; Span::FIELDS.len()] = [
            self.first as u32,
            (self.first >> 32) as u32,
            self.len,
            self.lanes,
            self.tape,
            self.y,
            a,
            b,
            c,
            d,
            0,
            self.time,
        ];
        words.into_iter().flat_map(u32::to_le_bytes).collect()
    }

    pub(crate) fn declaration() -> String {
        let mut text = String::from("struct Params {\n");
        for field in Self::FIELDS {
            let _ = writeln!(text, "    {field}: u32,");
        }
        text.push_str("}\n");
        text
    }
}

/// What arrives at a port.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PortShape {
    /// Nothing but stimuli.
    Silent,
    /// A value for each step.
    Steps,
    /// The same values in every step.
    Constant,
}

/// All that the kernels of a population depend on.
#[derive(Clone, PartialEq, Debug)]
pub struct SpanShape {
    /// Arrays of a step.
    pub step: StepShape,
    /// Where each derived quantity lies; by lane where it differs.
    pub derived: Vec<Place>,
    /// What arrives at each port.
    pub ports: Vec<PortShape>,
    /// Stimuli that act on ports.
    pub drives: Vec<Afferent>,
    /// Key of the stream of its own draws.
    pub key: [u32; 2],
    /// The output that is emitted instead of spikes.
    pub emits: Option<u32>,
    /// Ports whose cotangent is wanted.
    pub wanted: Vec<bool>,
    /// Derived quantities whose cotangent is wanted, ascending.
    pub learned: Vec<u32>,
}

/// The kernel that runs the steps of a span. `program` is the population's step, expanded for f32.
///
/// # Errors
/// If the program holds something a shader cannot do.
pub fn emit_forward(
    name: &str,
    program: &Program,
    shape: &SpanShape,
) -> Result<ShaderModule, EmitError> {
    let n_states = shape.step.states.len();
    let memory = SpanMemory {
        shape,
        is_reverse: false,
    };
    let statements = body::emit(program, SpikeAs::Float, Contraction::Prevent, &memory)?;
    let mut text = draw_functions(&shape.step, &shape.drives)?;
    text.push_str("\nfn advance(i: u32) {\n");
    for (k, state) in shape.step.states.iter().enumerate() {
        let at = tape("params.tape", n_states, k);
        let _ = writeln!(text, "    var s{k} = {at}; // {state}");
    }
    let mut inner = arrivals(&statements, shape)?;
    inner.push_str("    var emitted = 0.0f;\n");
    inner.push_str(&statements);
    inner.push_str("    y[params.y + k * params.lanes + i] = emitted;\n");
    for k in 0..n_states {
        let at = tape("params.tape + k + 1u", n_states, k);
        let _ = writeln!(inner, "    {at} = s{k};");
    }
    text.push_str("    for (var k = 0u; k < params.len; k++) {\n");
    indent(&mut text, &inner);
    text.push_str("    }\n}\n");
    let mut storage = vec![(Role::Y, Access::ReadWrite, Element::F32, 0)];
    if n_states > 0 {
        storage.push((Role::Tape, Access::ReadWrite, Element::F32, 0));
    }
    storage.extend(read(&text, shape));
    Ok(assemble(
        name,
        "forward_kernel",
        "Steps of",
        &text,
        &storage,
    ))
}

/// The kernel that reverses the steps of a span. `program` is the reverse of the step
/// (`rheobase_equations::gradient::Reverse::step`), expanded for f32. Cotangents of what arrives are
/// added; those of states and derived quantities are taken from and left in [`Role::Sums`].
///
/// # Errors
/// If the program holds something a shader cannot do.
pub fn emit_reverse(
    name: &str,
    program: &Program,
    shape: &SpanShape,
) -> Result<ShaderModule, EmitError> {
    let (n_states, n_learned) = (shape.step.states.len(), shape.learned.len());
    let memory = SpanMemory {
        shape,
        is_reverse: true,
    };
    let statements = body::emit(program, SpikeAs::Float, Contraction::Prevent, &memory)?;
    let mut text = draw_functions(&shape.step, &shape.drives)?;
    text.push_str("\nfn advance(i: u32) {\n");
    let sum = |k: usize| format!("sums[{k}u * params.lanes + i]");
    for k in 0..n_states {
        let _ = writeln!(text, "    var c{k} = {};", sum(k));
    }
    for k in 0..n_learned {
        // A compensated sum: the processor adds these up in f64.
        let _ = writeln!(
            text,
            "    var d{k} = {};\n    var e{k} = 0.0f;",
            sum(n_states + k)
        );
    }
    let wanted = |kind: PortShape| {
        let ports = shape.ports.iter().zip(&shape.wanted).enumerate();
        ports.filter_map(move |(p, (shape, wanted))| (*wanted && *shape == kind).then_some(p))
    };
    for p in wanted(PortShape::Constant) {
        let _ = writeln!(text, "    var a{p} = 0.0f;");
    }
    let mut inner = String::from("    let k = n - 1u;\n");
    for (k, state) in shape.step.states.iter().enumerate() {
        if statements.contains(&format!("= s{k};")) {
            let at = tape("params.tape + k", n_states, k);
            let _ = writeln!(inner, "    let s{k} = {at}; // {state}");
        }
    }
    inner.push_str(&arrivals(&statements, shape)?);
    for p in 0..shape.ports.len() {
        let _ = writeln!(inner, "    var h{p} = 0.0f;");
    }
    inner.push_str("    let emitted = dy[params.y + k * params.lanes + i];\n");
    inner.push_str(&statements);
    for p in wanted(PortShape::Steps) {
        let _ = writeln!(
            inner,
            "    port_cotangent_{p}[params.port_{p} + k * params.lanes + i] += h{p};"
        );
    }
    for p in wanted(PortShape::Constant) {
        let _ = writeln!(inner, "    a{p} = rounded(a{p} + h{p});");
    }
    text.push_str("    for (var n = params.len; n > 0u; n--) {\n");
    indent(&mut text, &inner);
    text.push_str("    }\n");
    for k in 0..n_states {
        let _ = writeln!(text, "    {} = c{k};", sum(k));
    }
    for k in 0..n_learned {
        let _ = writeln!(text, "    {} = d{k};", sum(n_states + k));
    }
    for p in wanted(PortShape::Constant) {
        let _ = writeln!(text, "    port_cotangent_{p}[params.port_{p} + i] += a{p};");
    }
    text.push_str("}\n");
    let mut storage = vec![(Role::Dy, Access::Read, Element::F32, 0)];
    if n_states + n_learned > 0 {
        storage.push((Role::Sums, Access::ReadWrite, Element::F32, 0));
    }
    if text.contains("tape[") {
        storage.push((Role::Tape, Access::Read, Element::F32, 0));
    }
    storage.extend(read(&text, shape));
    for (p, role) in (0..)
        .map(Role::PortCotangent)
        .take(shape.ports.len())
        .enumerate()
    {
        if text.contains(&format!("port_cotangent_{p}[")) {
            storage.push((role, Access::ReadWrite, Element::F32, 0));
        }
    }
    Ok(assemble(
        name,
        "reverse_kernel",
        "Steps in reverse of",
        &text,
        &storage,
    ))
}

fn assemble(
    name: &str,
    entry_point: &str,
    what: &str,
    text: &str,
    storage: &[(Role, Access, Element, u32)],
) -> ShaderModule {
    Assembly {
        name,
        entry_point,
        heading: &format!("{what} `{name}`."),
        entry: Entry::PerIndex {
            body: "advance",
            limit: "params.lanes",
        },
        functions: text,
        uniform: UniformLayout::Span,
        storage,
        has_guard: text.contains("rounded("),
    }
    .finish()
}

/// Buffers that are read, as far as the text does.
fn read(text: &str, shape: &SpanShape) -> Vec<(Role, Access, Element, u32)> {
    let ports = (0..).map(Role::Port).take(shape.ports.len());
    let others = [
        (Role::Derived, Element::F32),
        (Role::Times, Element::F32),
        (Role::Tables, Element::U32),
    ];
    ports
        .map(|role| (role, Element::F32))
        .chain(others)
        .filter(|(role, _)| text.contains(&format!("{}[", role.variable())))
        .map(|(role, element)| (role, Access::Read, element, 0))
        .collect()
}

fn tape(step: &str, n_states: usize, k: usize) -> String {
    format!("tape[(({step}) * {n_states}u + {k}u) * params.lanes + i]")
}

fn indent(text: &mut String, inner: &str) {
    for line in inner.lines() {
        let _ = writeln!(text, "    {line}");
    }
}

/// What a step reads besides states: time, what arrives, draws.
fn arrivals(statements: &str, shape: &SpanShape) -> Result<String, EmitError> {
    let mut text = String::new();
    if statements.contains("time") {
        text.push_str("    let time = times[params.time + k];\n");
    }
    if has_draws(&shape.step, &shape.drives) {
        text.push_str(
            "    let low = params.first_low + k;\n    \
             let high = params.first_high + select(0u, 1u, low < k);\n",
        );
    }
    for (p, (name, port)) in shape.step.inputs.iter().zip(&shape.ports).enumerate() {
        let value = match port {
            PortShape::Silent => "0.0f".to_owned(),
            PortShape::Steps => format!("port_{p}[params.port_{p} + k * params.lanes + i]"),
            PortShape::Constant => format!("port_{p}[params.port_{p} + i]"),
        };
        let _ = writeln!(text, "    var x{p} = {value}; // {name}");
    }
    text.push_str(&additions(&shape.drives)?);
    text.push_str(&draws(&shape.step, shape.key));
    Ok(text)
}

struct SpanMemory<'a> {
    shape: &'a SpanShape,
    is_reverse: bool,
}

impl Memory for SpanMemory<'_> {
    const IN_PLACE: bool = true;

    fn load(&self, slot: Slot) -> Result<(String, String), EmitError> {
        let (shape, step) = (self.shape, &self.shape.step);
        let zero = || Some(("0.0f".to_owned(), String::new()));
        let emitted = |of: Option<u32>| match of == shape.emits {
            true => Some(("emitted".to_owned(), String::new())),
            false => zero(),
        };
        let named = |prefix: char, k: u32, n: usize, name: &str| {
            ((k as usize) < n).then(|| (format!("{prefix}{k}"), name.to_owned()))
        };
        let name = |names: &[String], k: u32| names.get(k as usize).cloned().unwrap_or_default();
        let found = match slot {
            Slot::State(k) => named('s', k, step.states.len(), &name(&step.states, k)),
            Slot::Input(k) => named('x', k, step.inputs.len(), &name(&step.inputs, k)),
            Slot::Derived(k) => {
                let place = shape.derived.get(k as usize);
                place.map(|place| (derived_at(*place), String::new()))
            }
            Slot::Uniform(k) => named('u', k, step.n_uniforms, ""),
            Slot::Normal(k) => named('g', k, step.n_normals, ""),
            Slot::Time => Some(("time".to_owned(), String::new())),
            Slot::SpikeCotangent if self.is_reverse => emitted(None),
            Slot::OutputCotangent(o) if self.is_reverse => emitted(Some(o)),
            Slot::StateCotangent(k) if self.is_reverse => {
                named('c', k, step.states.len(), &name(&step.states, k))
            }
            _ => None,
        };
        found.ok_or(EmitError::Slot {
            access: "read",
            slot,
        })
    }

    fn store(&self, slot: Slot, value: &str, ty: Type) -> Result<String, EmitError> {
        let shape = self.shape;
        let float = ty == Type::Float;
        match (slot, self.is_reverse) {
            (Slot::State(k), false) if float => Ok(format!("s{k} = rounded({value});")),
            (Slot::Output(o), false) if float => Ok(match shape.emits == Some(o) {
                true => format!("emitted = {value};"),
                // Nobody reads other outputs.
                false => String::new(),
            }),
            (Slot::Spike, false) if float => Ok(match shape.emits {
                None => format!("emitted = {value};"),
                Some(_) => String::new(),
            }),
            (Slot::StateCotangent(k), true) if float => Ok(format!("c{k} = rounded({value});")),
            (Slot::InputCotangent(p), true) if float => Ok(format!("h{p} = rounded({value});")),
            (Slot::DerivedCotangent(k), true) if float => {
                let place = shape.learned.iter().position(|&d| d == k);
                let add = |j: usize| {
                    format!(
                        "let y{j} = rounded(rounded({value}) - e{j});
    let t{j} = rounded(d{j} + y{j});
    e{j} = rounded(rounded(t{j} - d{j}) - y{j});
    d{j} = t{j};"
                    )
                };
                Ok(place.map_or_else(String::new, add))
            }
            _ => Err(EmitError::Slot {
                access: "write",
                slot,
            }),
        }
    }
}
