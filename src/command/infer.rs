//! `rheobase infer`.

use std::io::{BufReader, ErrorKind};
use std::path::PathBuf;

use rheobase::engine::Instantiate;
use rheobase::engine::plan::{Plan, WeightFormat};
use rheobase::engine::session::{Session, SessionOptions};
use rheobase::equations::real::Precision;
use rheobase::infer::{Format, InferError, StateFileError, read_state, stream, write_state};
use rheobase::train::read_weights;

use super::{Failure, NetworkArguments};

/// Arguments of `rheobase infer`.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  rheobase infer examples/digits.toml --weights results/digits/weights.safetensors < steps.jsonl\n\nReads one step a line from standard input and writes one line a step before it reads on:\n\n  {\"image\": [0, 0.5, …]}    a value for each element of the input `image`\n  {\"events\": [3, 17]}      elements that fire, of an input that carries spikes\n  {\"reset\": true}          begins anew\n\n  {\"step\":1,\"output\":[4]}  elements of the output that fire, or its values\n\nA line holds every input. docs/inference.md describes both formats.\n\nExit codes: 0 end of the input, 1 an output is not finite or a stream fails, 2 wrong input."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    network: NetworkArguments,
    /// Trained weights, as `rheobase train` writes them; without, those of the description.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// How weights of layers are kept: as they are, or as multiples of a unit for each output, in 16 or 8
    /// bits. How far an output may be off is told on standard error.
    #[arg(long, value_enum, default_value = "f32")]
    weights_format: Weights,
    /// How steps are read and written.
    #[arg(long, value_enum, default_value = "json")]
    format: Kind,
    /// Nodes whose emissions are written; by default those that nothing is joined to.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    outputs: Vec<String>,
    /// Go on from this state.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Keep the state at the end of the input in this file.
    #[arg(long, value_name = "FILE")]
    save_state: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Weights {
    /// As they are, in the precision of the network.
    F32,
    /// 16 bits.
    I16,
    /// 8 bits.
    I8,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// One JSON object a line.
    Json,
    /// Frames with their length before them, little-endian.
    Binary,
}

impl From<StateFileError> for Failure {
    fn from(error: StateFileError) -> Self {
        match error {
            StateFileError::File(_) | StateFileError::NotFinite { .. } => {
                Self::Run(error.to_string())
            }
            _ => Self::Input(error.to_string()),
        }
    }
}

impl From<InferError> for Failure {
    fn from(error: InferError) -> Self {
        match &error {
            InferError::Write(e) if e.kind() == ErrorKind::BrokenPipe => Self::PipeClosed,
            _ if error.is_input() => Self::Input(format!("standard input, {error}")),
            InferError::Write(_) => Self::Run(format!("standard {error}")),
            _ => Self::Run(format!("standard input, {error}")),
        }
    }
}

pub(crate) fn infer(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.network.file == "-" {
        let message = "standard input carries the steps; name the file of the network";
        return Err(Failure::Input(message.to_owned()));
    }
    if arguments.network.has_time() {
        let message = "--duration and --discard have no part here: standard input ends the run";
        return Err(Failure::Input(message.to_owned()));
    }
    let plan = arguments.network.resolve()?;
    match plan.precision {
        Precision::F32 => infer_in::<f32>(arguments, plan),
        Precision::F64 => infer_in::<f64>(arguments, plan),
    }
}

fn infer_in<R: Instantiate>(arguments: &Arguments, plan: Plan) -> Result<(), Failure> {
    let mut session = session::<R>(arguments, plan)?;
    let format = match arguments.format {
        Kind::Json => Format::Json,
        Kind::Binary => Format::Binary,
    };
    let mut input = BufReader::new(std::io::stdin().lock());
    let mut output = std::io::stdout().lock();
    let outcome = stream(&mut session, format, &mut input, &mut output);
    let outcome = outcome.map(|_| ()).map_err(Failure::from);
    // Whoever reads no more has had all steps that were taken.
    if let (Some(path), Ok(()) | Err(Failure::PipeClosed)) = (&arguments.save_state, &outcome) {
        write_state(path, &mut session)?;
    }
    outcome
}

fn session<R: Instantiate>(arguments: &Arguments, mut plan: Plan) -> Result<Session<R>, Failure> {
    let input = |e: &dyn std::error::Error| Failure::Input(e.to_string());
    let parameters = match &arguments.weights {
        Some(path) => read_weights(path, &mut plan).map_err(|e| input(&e))?,
        None => Vec::new(),
    };
    let (weights, bits) = match arguments.weights_format {
        Weights::F32 => (WeightFormat::Exact, 32),
        Weights::I16 => (WeightFormat::Int16, 16),
        Weights::I8 => (WeightFormat::Int8, 8),
    };
    let options = SessionOptions {
        weights,
        outputs: arguments.outputs.clone(),
        parameters,
    };
    let mut session = Session::<R>::new(&plan, &options).map_err(|e| input(&e))?;
    for (layer, error) in session.weight_errors() {
        eprintln!(
            "layer `{layer}`: weights in {bits} bits; an output is off by at most {error:.3e} for each \
             active input of size 1"
        );
    }
    if let Some(path) = &arguments.state {
        read_state(path, &mut session)?;
    }
    Ok(session)
}
