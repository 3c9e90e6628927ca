//! SONATA configurations in place of a network description.

use std::path::Path;

use rheobase::engine::plan::{Monitor, NodeId};
use rheobase::engine::record::{Spikes, Trace};
use rheobase::equations::real::Precision;
use rheobase::equations::unit::{Dimension, parse_quantity};
use rheobase::formats::sonata::{Imported, Options, Outputs, SonataError, is_config, load};
use rheobase::report::stream::PartFiles;
use rheobase::report::{FileError, ResultFolder, SourceError, SpikeSource};
use rheobase::run::Run;

use super::{Failure, NetworkArguments};

/// Largest file that is looked into \[bytes\]; a configuration is a few kilobytes.
const MAX_CONFIG_BYTES: u64 = 16 << 20;

impl From<SonataError> for Failure {
    fn from(error: SonataError) -> Self {
        Self::Input(error.to_string())
    }
}

impl NetworkArguments {
    /// The network, if the file is a SONATA configuration.
    pub(super) fn sonata(&self) -> Result<Option<Imported>, Failure> {
        let path = Path::new(&self.file);
        let is_json = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("json"));
        let short =
            std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() <= MAX_CONFIG_BYTES);
        if self.file == "-" || !is_json || !short {
            return Ok(None);
        }
        match std::fs::read_to_string(path) {
            Ok(text) if is_config(&text) => {}
            // What is wrong with the file is said by what reads it next.
            _ => return Ok(None),
        }
        let options = self.sonata_options()?;
        Ok(Some(load(path, &options, &rheobase::registry())?))
    }

    fn sonata_options(&self) -> Result<Options, Failure> {
        let mut options = Options::default();
        for entry in &self.set {
            let wrong = |what: &str| Failure::Input(format!("--set {entry}: {what}"));
            let (key, value) = entry
                .split_once('=')
                .ok_or_else(|| wrong("expected PATH=VALUE"))?;
            let (key, value) = (key.trim(), value.trim().trim_matches('"'));
            match key {
                "dt" => options.dt_ms = Some(time_ms(key, value)?),
                "duration" => options.duration_ms = Some(time_ms(key, value)?),
                "discard" => options.discard_ms = Some(time_ms(key, value)?),
                "seed" => {
                    let seed = value
                        .parse()
                        .map_err(|_| wrong("expected a whole number"))?;
                    options.seed = Some(seed);
                }
                "precision" => options.precision = Some(precision(value)?),
                _ => {
                    let known = "dt, duration, discard, seed or precision";
                    let what = format!("of a SONATA network {known} can be replaced");
                    return Err(wrong(&what));
                }
            }
        }
        let time = |name, text: &Option<String>| match text {
            Some(text) => time_ms(name, text).map(Some),
            None => Ok(None),
        };
        options.dt_ms = time("dt", &self.dt)?.or(options.dt_ms);
        options.duration_ms = time("duration", &self.duration)?.or(options.duration_ms);
        options.discard_ms = time("discard", &self.discard)?.or(options.discard_ms);
        options.seed = self.seed.or(options.seed);
        if let Some(text) = &self.precision {
            options.precision = Some(precision(text)?);
        }
        Ok(options)
    }
}

fn time_ms(name: &str, text: &str) -> Result<f64, Failure> {
    let wrong = |what: String| Failure::Input(format!("{name}: {what}"));
    let quantity = parse_quantity(text).map_err(|e| wrong(e.to_string()))?;
    quantity
        .in_base(Dimension::TIME)
        .map_err(|e| wrong(e.to_string()))
}

fn precision(text: &str) -> Result<Precision, Failure> {
    match text {
        "f32" => Ok(Precision::F32),
        "f64" => Ok(Precision::F64),
        other => Err(Failure::Input(format!(
            "precision: expected f32 or f64, found {other}"
        ))),
    }
}

/// Writes spikes and reports beside the other results, from the columns of the run.
pub(super) fn write(
    outputs: &Outputs,
    run: &Run,
    parts: &mut PartFiles,
    folder: &ResultFolder,
) -> Result<(), Failure> {
    let fail = |e: &dyn std::fmt::Display| Failure::Run(format!("results: {e}"));
    let spikes = spikes(run, parts).map_err(|e| fail(&e))?;
    let traces = traces(run, parts).map_err(|e| fail(&e))?;
    for (name, bytes) in outputs.files(&spikes, &traces).map_err(|e| fail(&e))? {
        folder.write(&name, &bytes).map_err(|e| fail(&e))?;
    }
    Ok(())
}

fn spikes(run: &Run, parts: &mut PartFiles) -> Result<Vec<(NodeId, Spikes)>, SourceError> {
    let mut all = Vec::new();
    for mut source in parts.spike_sources()? {
        let node = run.plan.nodes.iter().position(|n| n.name == source.name());
        let mut spikes = Spikes::default();
        source.visit(0, u64::MAX, &mut |block| {
            spikes.steps.extend_from_slice(block.steps());
            spikes.neurons.extend_from_slice(block.neurons());
        })?;
        all.extend(node.map(|node| (node, spikes)));
    }
    Ok(all)
}

/// Every monitor of states in a SONATA network is of one variable: one trace each.
fn traces(run: &Run, parts: &mut PartFiles) -> Result<Vec<Trace>, FileError> {
    let mut all = Vec::new();
    let states = run.plan.monitors.iter().enumerate();
    let states = states.filter_map(|(k, m)| match m {
        Monitor::State { node, .. } => Some((k, *node)),
        Monitor::Spikes { .. } => None,
    });
    for (k, (monitor, node)) in states.enumerate() {
        let Some(layout) = parts.layout().traces.get(k).cloned() else {
            break;
        };
        let values = parts.trace_values(k)?;
        let rows = values.len() / layout.neurons.len().max(1);
        all.push(Trace {
            monitor,
            node,
            variable: layout.variable,
            unit: layout.unit,
            steps: (1..=rows as u64)
                .map(|row| row * layout.every_steps)
                .collect(),
            neurons: layout.neurons,
            values,
        });
    }
    Ok(all)
}
