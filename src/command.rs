//! The subcommands, one file each, and what they share.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command talks to its terminal"
)]

pub(crate) mod analyze;
pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod doctor;
pub(crate) mod infer;
pub(crate) mod models;
pub(crate) mod run;
#[cfg(feature = "hdf5")]
mod sonata;
pub(crate) mod train;

use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use rheobase::engine::arguments::quantity_of;
use rheobase::engine::build::BuildError;
use rheobase::engine::network::{Network, NetworkErrors};
use rheobase::engine::plan::Plan;
use rheobase::equations::unit::{Scope, parse_unit};
use rheobase::run::RunFailure;

/// Why a command ends with an exit code other than 0.
pub(crate) enum Failure {
    /// Exit code 1.
    Run(String),
    /// Exit code 2.
    Input(String),
    /// The reader of our output has gone: no more to say, exit code 0.
    PipeClosed,
}

impl Failure {
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::Run(message) => {
                eprintln!("error: {message}");
                ExitCode::from(1)
            }
            Self::Input(message) => {
                eprintln!("error: {message}");
                ExitCode::from(2)
            }
            Self::PipeClosed => ExitCode::SUCCESS,
        }
    }
}

impl From<NetworkErrors> for Failure {
    fn from(errors: NetworkErrors) -> Self {
        Self::Input(errors.to_string())
    }
}

impl From<RunFailure> for Failure {
    fn from(failure: RunFailure) -> Self {
        let message = failure.to_string();
        match failure {
            RunFailure::Build(BuildError::Panicked(_)) => Self::Run(message),
            RunFailure::Network(_)
            | RunFailure::Input(_)
            | RunFailure::Memory(_)
            | RunFailure::Build(_) => Self::Input(message),
            RunFailure::Checkpoint(failure) if failure.is_input() => Self::Input(message),
            _ => Self::Run(message),
        }
    }
}

/// Writes to standard output; a closed pipe ends the command quietly.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Err(Failure::PipeClosed),
        Err(e) => Err(Failure::Run(format!("standard output: {e}"))),
    }
}

/// A time given on the command line \[ms\].
pub(crate) fn time_ms(option: &str, text: &str) -> Result<f64, Failure> {
    let fail = |e: &dyn std::fmt::Display| Failure::Input(e.to_string());
    let unit = parse_unit("ms").map_err(|e| fail(&e))?;
    let json = serde_json::Value::from(text);
    quantity_of(option, &json, &unit, &Scope::default()).map_err(|e| fail(&e))
}

/// Largest description read from standard input.
const MAX_STDIN_BYTES: u64 = 64 << 20;

/// Which part of a network description the options of the command replace.
#[derive(clap::Args)]
pub(crate) struct NetworkArguments {
    /// Network description: TOML, or JSON by its extension; `-` reads TOML or JSON from standard
    /// input. A JSON file may also be the configuration of a SONATA network.
    pub(crate) file: String,
    /// Replaces an entry, e.g. --set populations.E.size=400 --set 'projections.0.weight="2 nS"'.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Seed of every random stream.
    #[arg(long)]
    seed: Option<u64>,
    /// Biological time to simulate, e.g. "1 s".
    #[arg(long)]
    duration: Option<String>,
    /// Length of a step, e.g. "0.1 ms".
    #[arg(long)]
    dt: Option<String>,
    /// Time from the start left out of the statistics, e.g. "0.5 s".
    #[arg(long)]
    discard: Option<String>,
    /// Precision of populations.
    #[arg(long, value_parser = ["f32", "f64"])]
    precision: Option<String>,
}

/// A network ready to run.
pub(crate) struct Loaded {
    /// What is run.
    pub(crate) plan: Plan,
    /// All that is described but the duration.
    pub(crate) text: String,
    /// What writes the results of a SONATA network.
    #[cfg(feature = "hdf5")]
    pub(crate) sonata: Option<rheobase::formats::sonata::Outputs>,
}

impl NetworkArguments {
    /// Whether it is said how long to simulate, or what to leave out.
    pub(crate) fn has_time(&self) -> bool {
        self.duration.is_some() || self.discard.is_some()
    }

    /// Reads the description, applies the options and checks everything.
    pub(crate) fn resolve(&self) -> Result<Plan, Failure> {
        Ok(self.load()?.plan)
    }

    /// Like [`Self::resolve`]; with what belongs to the network.
    pub(crate) fn load(&self) -> Result<Loaded, Failure> {
        #[cfg(feature = "hdf5")]
        if let Some(imported) = self.sonata()? {
            return Ok(Loaded {
                plan: imported.plan,
                text: imported.text,
                sonata: Some(imported.outputs),
            });
        }
        let (plan, text) = self.resolve_with_text()?;
        Ok(Loaded {
            plan,
            text,
            #[cfg(feature = "hdf5")]
            sonata: None,
        })
    }

    fn resolve_with_text(&self) -> Result<(Plan, String), Failure> {
        let mut network = self.read()?;
        let quoted = |text: &String| format!("{text:?}");
        let replaced = [
            ("seed", self.seed.map(|s| s.to_string())),
            ("duration", self.duration.as_ref().map(quoted)),
            ("dt", self.dt.as_ref().map(quoted)),
            ("discard", self.discard.as_ref().map(quoted)),
            ("precision", self.precision.as_ref().map(quoted)),
        ];
        for (path, value) in replaced {
            if let Some(value) = value {
                network.set(path, &value)?;
            }
        }
        let plan = network.resolve(&rheobase::registry())?;
        Ok((plan, text_of(&network)?))
    }

    fn read(&self) -> Result<Network, Failure> {
        let mut network = if self.file == "-" {
            let mut text = String::new();
            std::io::stdin()
                .take(MAX_STDIN_BYTES)
                .read_to_string(&mut text)
                .map_err(|e| Failure::Input(format!("standard input: {e}")))?;
            if text.trim_start().starts_with('{') {
                Network::from_json(&text, "standard input")?
            } else {
                Network::from_toml(&text, "standard input")?
            }
        } else {
            Network::from_path(Path::new(&self.file))?
        };
        for entry in &self.set {
            let (path, value) = entry
                .split_once('=')
                .ok_or_else(|| Failure::Input(format!("--set {entry}: expected PATH=VALUE")))?;
            network.set(path.trim(), value.trim())?;
        }
        Ok(network)
    }
}

/// A network as text, a line for each entry: what a checkpoint compares.
fn text_of(network: &Network) -> Result<String, Failure> {
    let fail = |e: serde_json::Error| Failure::Run(format!("text of the network: {e}"));
    let mut object = serde_json::to_value(network).map_err(fail)?;
    if let Some(entries) = object.as_object_mut() {
        entries.shift_remove("duration");
    }
    serde_json::to_string_pretty(&object).map_err(fail)
}

#[cfg(test)]
mod tests {
    use rheobase::engine::network::MemoryError;
    use rheobase::report::statistics::StatisticsError;

    use super::*;

    #[test]
    fn what_the_user_can_mend_is_wrong_input_and_the_rest_a_failed_run() {
        let memory = MemoryError {
            bytes: 2,
            limit_bytes: 1,
            neurons: 1,
            synapses: 0.0,
            largest: String::new(),
        };
        let input: [RunFailure; 3] = [
            memory.into(),
            BuildError::Threads(0).into(),
            RunFailure::Input("x".to_owned()),
        ];
        for failure in input {
            assert!(matches!(failure.into(), Failure::Input(_)));
        }
        let run: [RunFailure; 3] = [
            BuildError::Panicked("a component".to_owned()).into(),
            StatisticsError::NoNeurons.into(),
            rheobase::report::Spikes::new(&[1], &[]).unwrap_err().into(),
        ];
        for failure in run {
            assert!(matches!(failure.into(), Failure::Run(_)));
        }
    }
}
