//! Step-by-step inference over streams: steps come in one by one, what the network makes of each goes
//! out before the next is read.
//!
//! [`stream`] reads steps as lines of JSON or as binary frames (`docs/inference.md`) and hands them to a
//! [`Session`]. Nothing is kept of a step but the state of the session.

mod frame;
mod json;
mod state;

use std::io::{self, BufRead, Write};

use rheobase_engine::Instantiate;
use rheobase_engine::port::StepInput;
use rheobase_engine::session::{Emitted, Session, StepError};

pub use state::{StateFileError, read_state, write_state};

/// How steps are written down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// Frames with their length before them, little-endian.
    Binary,
}

/// Bytes of a line or a frame, at most.
pub const MAX_BYTES: usize = 1 << 28;

/// Why a stream ends before its end. Steps before have been taken and answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InferError {
    /// What was read is no step of this network.
    #[error("{place}: {message}")]
    Input {
        /// Line or frame, from 1.
        place: Place,
        /// What is wrong.
        message: String,
    },
    /// A step does not fit the network.
    #[error("{place}: {source}")]
    Step {
        /// Line or frame, from 1.
        place: Place,
        /// What is wrong.
        source: StepError,
    },
    /// An output is no number that can be written.
    #[error(
        "{place}: output `{output}`, element {element} is {value}; weights or inputs are too large"
    )]
    NotFinite {
        /// Line or frame, from 1.
        place: Place,
        /// The output.
        output: String,
        /// The element.
        element: usize,
        /// Its value.
        value: f64,
    },
    /// Steps cannot be read.
    #[error("{place}: {source}")]
    Read {
        /// Line or frame, from 1.
        place: Place,
        /// Why.
        source: io::Error,
    },
    /// Answers cannot be written.
    #[error("output: {0}")]
    Write(io::Error),
}

impl InferError {
    /// Whether what was read is to blame.
    #[must_use]
    pub fn is_input(&self) -> bool {
        matches!(self, Self::Input { .. } | Self::Step { .. })
    }
}

/// Where in a stream something stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A line of JSON.
    Line(u64),
    /// A binary frame.
    Frame(u64),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line(n) => write!(f, "line {n}"),
            Self::Frame(n) => write!(f, "frame {n}"),
        }
    }
}

/// An input or output node.
#[derive(Clone, PartialEq, Debug)]
struct Port {
    name: String,
    size: usize,
    is_real: bool,
}

/// What is given to an input node in a step.
#[derive(Clone, PartialEq, Debug)]
enum Given<R> {
    Real(Vec<R>),
    Spikes(Vec<u32>),
}

/// What a line or frame asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Request {
    /// The values for all inputs have been read.
    Step,
    /// Back to the beginning.
    Reset,
    /// Nothing: an empty line.
    Nothing,
    /// The stream has ended.
    End,
}

/// Reads and writes one of the formats.
trait Codec<R: Instantiate> {
    fn place(&self) -> Place;

    /// Reads what comes next; the values of a step go to `given`, one entry for each input.
    fn read(
        &mut self,
        from: &mut dyn BufRead,
        ports: &[Port],
        given: &mut [Given<R>],
    ) -> Result<Request, InferError>;

    /// Appends the answer to a step.
    fn answer(&mut self, step: u64, emitted: Emitted<'_, R>, ports: &[Port], to: &mut Vec<u8>);

    /// Appends the answer to a reset.
    fn answer_reset(&mut self, to: &mut Vec<u8>);
}

/// Takes a step for each that is read, and writes and flushes what the outputs emitted before it reads
/// on; returns the number of steps at the end of the input.
///
/// ```
/// use rheobase::engine::network::Network;
/// use rheobase::engine::session::{Session, SessionOptions};
/// use rheobase::infer::{Format, stream};
///
/// let text = r#"
///     name = "one neuron"
///     dt = "1 ms"
///     [inputs.x]
///     shape = [1]
///     [populations.n]
///     model = "if"
///     size = 1
///     [[edges]]
///     source = "x"
///     target = "n"
/// "#;
/// let plan = Network::from_toml(text, "doc")?.resolve(&rheobase::registry())?;
/// let mut session = Session::<f32>::new(&plan, &SessionOptions::default())?;
/// let mut input = "{\"x\": [0.6]}\n{\"x\": [0.6]}\n{\"reset\": true}\n".as_bytes();
/// let mut output = Vec::new();
/// let steps = stream(&mut session, Format::Json, &mut input, &mut output)?;
/// assert_eq!(steps, 2);
/// let expected = "{\"step\":1,\"n\":[]}\n{\"step\":2,\"n\":[0]}\n{\"reset\":true}\n";
/// assert_eq!(String::from_utf8(output)?, expected);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If what is read is malformed or does not fit, or reading or writing fails; the session stands after the
/// last step that was answered.
pub fn stream<R: Instantiate>(
    session: &mut Session<R>,
    format: Format,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
) -> Result<u64, InferError> {
    match format {
        Format::Json => answer_all(session, &mut json::Lines::default(), input, output),
        Format::Binary => answer_all(session, &mut frame::Frames::default(), input, output),
    }
}

fn answer_all<R: Instantiate>(
    session: &mut Session<R>,
    codec: &mut dyn Codec<R>,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
) -> Result<u64, InferError> {
    let (inputs, outputs) = ports(session);
    let mut given: Vec<Given<R>> = inputs.iter().map(Given::of).collect();
    let mut answer = Vec::new();
    let mut steps = 0;
    loop {
        answer.clear();
        match codec.read(input, &inputs, &mut given)? {
            Request::End => return Ok(steps),
            Request::Nothing => continue,
            Request::Reset => {
                session.reset();
                codec.answer_reset(&mut answer);
            }
            Request::Step => {
                let values: Vec<StepInput<'_, R>> = given.iter().map(Given::input).collect();
                let now = session.now() + 1;
                let place = codec.place();
                let emitted = session.step(&values);
                let emitted = emitted.map_err(|source| InferError::Step { place, source })?;
                check_finite(&emitted, &outputs, place)?;
                codec.answer(now, emitted, &outputs, &mut answer);
                steps += 1;
            }
        }
        let written = output.write_all(&answer).and_then(|()| output.flush());
        written.map_err(InferError::Write)?;
    }
}

fn check_finite<R: Instantiate>(
    emitted: &Emitted<'_, R>,
    ports: &[Port],
    place: Place,
) -> Result<(), InferError> {
    for (k, port) in ports.iter().enumerate().filter(|(_, port)| port.is_real) {
        let values = emitted.values(k);
        if let Some(element) = values.iter().position(|x| !x.is_finite()) {
            return Err(InferError::NotFinite {
                place,
                output: port.name.clone(),
                element,
                value: values[element].to_f64(),
            });
        }
    }
    Ok(())
}

fn ports<R: Instantiate>(session: &Session<R>) -> (Vec<Port>, Vec<Port>) {
    let port = |name: &str, kind: Option<(usize, bool)>| {
        let (size, is_real) = kind.unwrap_or_default();
        Port {
            name: name.to_owned(),
            size,
            is_real,
        }
    };
    let inputs = session.input_names().enumerate();
    let outputs = session.output_names().enumerate();
    (
        inputs
            .map(|(k, name)| port(name, session.input(k)))
            .collect(),
        outputs
            .map(|(k, name)| port(name, session.output(k)))
            .collect(),
    )
}

impl<R: Instantiate> Given<R> {
    fn of(port: &Port) -> Self {
        if port.is_real {
            Self::Real(Vec::with_capacity(port.size))
        } else {
            Self::Spikes(Vec::with_capacity(port.size))
        }
    }

    fn input(&self) -> StepInput<'_, R> {
        match self {
            Self::Real(values) => StepInput::Real(values),
            Self::Spikes(spikes) => StepInput::Spikes(spikes),
        }
    }
}
