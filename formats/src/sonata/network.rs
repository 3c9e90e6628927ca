//! From files to a plan.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rheobase_engine::plan::{Monitor, Node, NodeId, NodeKind, Plan, WeightStorage};
use rheobase_engine::port::Registry;
use rheobase_engine::time::steps_on_grid;
use rheobase_equations::real::Precision;

use super::config::{Block, Config, hdf5_name};
use super::digest::Digest;
use super::error::short;
use super::models::{self, Template};
use super::node_sets::NodeSets;
use super::nodes::{self, NodePopulation, ParameterFiles};
use super::outputs::{Outputs, Report};
use super::population::Model;
use super::spikes::{self, Spikes};
use super::trains::Trains;
use super::wiring::Wiring;
use super::{Imported, Options, SonataError, edges};

/// Nodes of a population that share a model: one node of the plan.
pub(super) struct Part {
    /// The node of the plan.
    pub(super) node: NodeId,
    /// Population of nodes.
    pub(super) population: usize,
    /// The model; none for virtual nodes.
    pub(super) template: Option<&'static Template>,
    /// Places in the population, ascending.
    pub(super) members: Vec<u32>,
}

/// Where the nodes of a population are in the plan.
pub(super) enum Places {
    /// All in one part, in order.
    One(usize),
    /// Part and place in it, for each node.
    Each(Vec<(u32, u32)>),
}

impl Places {
    pub(super) fn of(&self, place: u32) -> (usize, u32) {
        match self {
            Self::One(part) => (*part, place),
            Self::Each(places) => {
                let (part, place) = places[place as usize];
                (part as usize, place)
            }
        }
    }
}

/// Start and length of the run.
struct Clock {
    dt_ms: f64,
    steps: u64,
    discard_steps: u64,
}

/// A network being put together.
struct Loader<'r> {
    config: Config,
    registry: &'r Registry,
    clock: Clock,
    populations: Vec<NodePopulation>,
    node_sets: NodeSets,
    parameters: ParameterFiles,
    parts: Vec<Part>,
    places: Vec<Places>,
    nodes: Vec<Node>,
    monitors: Vec<Monitor>,
    reports: Vec<Report>,
    warnings: Vec<String>,
    /// Of parameters and spikes.
    digest: Digest,
}

pub(super) fn load(
    path: &Path,
    options: &Options,
    registry: &Registry,
) -> Result<Imported, SonataError> {
    let mut config = Config::read(path)?;
    let clock = clock(&config, options)?;
    let mut populations = Vec::new();
    for file in &config.nodes {
        populations.extend(nodes::read(file)?);
    }
    for (k, p) in populations.iter().enumerate() {
        if populations[..k].iter().any(|q| q.name == p.name) {
            return Err(SonataError::wrong(
                &p.place,
                "is a second population of this name",
            ));
        }
    }
    let mut loader = Loader {
        node_sets: NodeSets::read(config.node_sets.as_deref())?,
        warnings: std::mem::take(&mut config.warnings),
        config,
        registry,
        clock,
        populations,
        parameters: ParameterFiles::default(),
        parts: Vec::new(),
        places: Vec::new(),
        nodes: Vec::new(),
        monitors: Vec::new(),
        reports: Vec::new(),
        digest: Digest::new(),
    };
    let inputs = loader.inputs()?;
    loader.split()?;
    loader.build_nodes(inputs)?;
    loader.monitors()?;
    loader.finish(options)
}

fn clock(config: &Config, options: &Options) -> Result<Clock, SonataError> {
    let positive = |ms: Option<f64>, entry: &str, option: &str| {
        let place = || format!("{}, run.{entry}", config.file);
        match ms {
            Some(ms) if ms > 0.0 && ms.is_finite() => Ok(ms),
            Some(ms) => Err(SonataError::wrong(
                place(),
                format!("{ms} ms is not above 0"),
            )),
            None => {
                let message = format!("is missing, and {option} was not given");
                Err(SonataError::wrong(place(), message))
            }
        }
    };
    let dt_ms = positive(options.dt_ms.or(config.dt_ms), "dt", "--dt")?;
    let duration = options.duration_ms.or(config.duration_ms);
    let duration_ms = positive(duration, "tstop", "--duration")?;
    let whole = |ms: f64, entry: &str| {
        steps_on_grid(ms, dt_ms).ok_or_else(|| {
            let message = format!("{ms} ms is no whole number of steps of {dt_ms} ms");
            SonataError::wrong(format!("{}, {entry}", config.file), message)
        })
    };
    let steps = whole(duration_ms, "run.tstop")?;
    let discard_steps = match options.discard_ms {
        None => 0,
        Some(ms) if ms < duration_ms => whole(ms, "discard")?,
        Some(ms) => {
            let message = format!("leaving out {ms} ms leaves nothing of {duration_ms} ms");
            return Err(SonataError::wrong(&config.file, message));
        }
    };
    Ok(Clock {
        dt_ms,
        steps,
        discard_steps,
    })
}

/// What inputs say, for each population.
struct Inputs {
    spikes: Vec<Spikes>,
    /// Constant current of each node \[pA\]; empty where there is none.
    currents: Vec<Vec<f64>>,
}

impl Loader<'_> {
    fn inputs(&mut self) -> Result<Inputs, SonataError> {
        let n = self.populations.len();
        let mut inputs = Inputs {
            spikes: vec![Vec::new(); n],
            currents: vec![Vec::new(); n],
        };
        for input in std::mem::take(&mut self.config.inputs) {
            match input.text("input_type") {
                Some("spikes") => self.spikes(&input, &mut inputs)?,
                Some("current_clamp") => self.current(&input, &mut inputs)?,
                other => {
                    let what = format!("input_type `{}`", short(other.unwrap_or("")));
                    let supported = "spikes, current_clamp";
                    return Err(SonataError::unsupported(&input.place, what, supported));
                }
            }
        }
        Ok(inputs)
    }

    fn spikes(&mut self, input: &Block, inputs: &mut Inputs) -> Result<(), SonataError> {
        let set = input.entries.get("node_set");
        let members = self
            .node_sets
            .members(set, &self.populations, &input.place)?;
        let read = spikes::read(input, &self.populations, &members)?;
        for (all, more) in inputs.spikes.iter_mut().zip(read.spikes) {
            all.extend(more);
        }
        for (n, what) in [
            (read.early, "at or before 0 ms, where the first step begins"),
            (read.outside, "of nodes outside its node_set"),
        ] {
            if n > 0 {
                let place = &input.place;
                self.warnings
                    .push(format!("{place}: {n} spikes {what} are left out"));
            }
        }
        Ok(())
    }

    /// A current clamp that is on all the time adds to the constant current.
    fn current(&self, input: &Block, inputs: &mut Inputs) -> Result<(), SonataError> {
        let place = &input.place;
        let supported = "module IClamp with amp [pA] from the start to the end of the run";
        let module = input.text("module").unwrap_or("");
        if module != "IClamp" || input.file.is_some() {
            let what = format!("module `{}`, or one that reads a file", short(module));
            return Err(SonataError::unsupported(place, what, supported));
        }
        let amplitude = input
            .number("amp")?
            .ok_or_else(|| SonataError::wrong(place, "`amp` is missing"))?;
        let delay_ms = input.number("delay")?.unwrap_or(0.0);
        let end_ms = input.number("dur")?.map_or(f64::INFINITY, |d| delay_ms + d);
        #[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
        let run_ms = self.clock.steps as f64 * self.clock.dt_ms;
        if delay_ms > 0.0 || end_ms < run_ms * (1.0 - 1e-9) {
            let what = "a current that starts or ends during the run";
            return Err(SonataError::unsupported(place, what, supported));
        }
        let set = input.entries.get("node_set");
        let members = self.node_sets.members(set, &self.populations, place)?;
        for ((currents, p), members) in inputs
            .currents
            .iter_mut()
            .zip(&self.populations)
            .zip(members)
        {
            currents.resize(p.n as usize, 0.0);
            for node in members {
                currents[node as usize] += amplitude;
            }
        }
        Ok(())
    }

    /// Cuts populations into parts that share a model.
    fn split(&mut self) -> Result<(), SonataError> {
        for (population, p) in self.populations.iter().enumerate() {
            let models = models_of(p)?;
            let mut kinds: Vec<Option<&'static Template>> = Vec::new();
            let mut places = Vec::with_capacity(p.n as usize);
            let mut members: Vec<Vec<u32>> = Vec::new();
            for (place, &row) in (0..).zip(&p.rows) {
                let model = models.get(&row).copied().flatten();
                let kind = kinds.iter().position(|k| same(*k, model));
                let kind = kind.unwrap_or_else(|| {
                    kinds.push(model);
                    members.push(Vec::new());
                    kinds.len() - 1
                });
                let at = u32::try_from(members[kind].len()).unwrap_or(u32::MAX);
                let part = u32::try_from(self.parts.len() + kind).unwrap_or(u32::MAX);
                places.push((part, at));
                members[kind].push(place);
            }
            self.places.push(if kinds.len() == 1 {
                Places::One(self.parts.len())
            } else {
                Places::Each(places)
            });
            for (template, members) in kinds.into_iter().zip(members) {
                self.parts.push(Part {
                    node: self.parts.len(),
                    population,
                    template,
                    members,
                });
            }
        }
        Ok(())
    }

    fn build_nodes(&mut self, mut inputs: Inputs) -> Result<(), SonataError> {
        let mut parts = std::mem::take(&mut self.parts);
        let mut driven: Vec<bool> = inputs.spikes.iter().map(|s| !s.is_empty()).collect();
        for part in &mut parts {
            part.node = self.nodes.len();
            let p = &self.populations[part.population];
            let several = matches!(self.places[part.population], Places::Each(_));
            let kind = match part.template {
                None => {
                    driven[part.population] = false;
                    let places = &self.places[part.population];
                    let spikes = std::mem::take(&mut inputs.spikes[part.population]);
                    let trains = self.trains(part, places, spikes);
                    trains.digest(&mut self.digest);
                    NodeKind::Source(trains)
                }
                Some(template) => {
                    let currents = &inputs.currents[part.population];
                    let parameters = &mut self.parameters;
                    let model = Model {
                        config: &self.config,
                        registry: self.registry,
                        population: p,
                        members: &part.members,
                        template,
                    };
                    let population = model.build(parameters, currents)?;
                    let initial = population.initial.iter().map(|(_, value)| value);
                    let values = population.parameters.iter().chain(initial);
                    values.for_each(|value| self.digest.add_value(value));
                    NodeKind::Population(population)
                }
            };
            let name = match part.template {
                _ if !several => p.name.clone(),
                Some(template) => format!("{}-{}", p.name, template.neuron),
                None => format!("{}-virtual", p.name),
            };
            let name = node_name(&name, &self.nodes);
            self.digest.add_text(&name);
            self.digest.add(part.members.len() as u64);
            self.nodes.push(Node {
                name,
                shape: vec![part.members.len()],
                kind,
            });
        }
        self.parts = parts;
        match driven.iter().position(|d| *d) {
            None => Ok(()),
            Some(k) => {
                let place = &self.populations[k].place;
                let message = "input spikes need virtual nodes, and there are none";
                Err(SonataError::wrong(place, message))
            }
        }
    }

    fn trains(&self, part: &Part, places: &Places, spikes: Spikes) -> Arc<Trains> {
        let n = u32::try_from(part.members.len()).unwrap_or(u32::MAX);
        let of_part = |(place, time_ms): (u32, f64)| {
            let (owner, at) = places.of(place);
            let virtual_part = match places {
                Places::One(_) => true,
                Places::Each(each) => {
                    let first = part.members.first().map(|&m| each[m as usize].0);
                    first.map(|f| f as usize) == Some(owner)
                }
            };
            virtual_part.then_some((time_ms, at))
        };
        let spikes = spikes.into_iter().filter_map(of_part);
        Arc::new(Trains::new(n, self.clock.dt_ms, spikes))
    }

    fn monitors(&mut self) -> Result<(), SonataError> {
        for part in self.parts.iter().filter(|p| p.template.is_some()) {
            self.monitors.push(Monitor::Spikes { node: part.node });
        }
        for report in std::mem::take(&mut self.config.reports) {
            self.report(&report)?;
        }
        Ok(())
    }

    fn report(&mut self, block: &Block) -> Result<(), SonataError> {
        let place = &block.place;
        match block.text("module") {
            Some("membrane_report" | "multimeter_report") => {}
            module => {
                let what = format!("module `{}` of reports", short(module.unwrap_or("")));
                let supported = "membrane_report; a report with \"enabled\": false is left out";
                return Err(SonataError::unsupported(place, what, supported));
            }
        }
        let variable = block
            .text("variable_name")
            .ok_or_else(|| SonataError::wrong(place, "`variable_name` is missing"))?;
        let every_steps = self.report_steps(block)?;
        let set = block.entries.get("cells").or(block.entries.get("node_set"));
        let members = self.node_sets.members(set, &self.populations, place)?;
        let first = self.monitors.len();
        for part in &self.parts {
            let Some(template) = part.template else {
                continue;
            };
            let chosen = &members[part.population];
            let mut neurons = Vec::new();
            for (at, member) in (0..).zip(&part.members) {
                if chosen.binary_search(member).is_ok() {
                    neurons.push(at);
                }
            }
            if neurons.is_empty() {
                continue;
            }
            let ports = models::neuron(template, self.registry, place)?.ports();
            self.monitors.push(Monitor::State {
                node: part.node,
                states: vec![template.state(variable, ports, place)?],
                neurons,
                every_steps,
            });
        }
        if first == self.monitors.len() {
            return Err(SonataError::wrong(
                place,
                "its cells hold no neuron with state",
            ));
        }
        let name = block.text("file_name").unwrap_or(&block.name);
        let file_name = hdf5_name(name, place)?;
        let taken = self.reports.iter().any(|r| r.file_name == file_name);
        if taken || file_name == self.config.spikes_file {
            let message = format!("`{file_name}` is written already");
            return Err(SonataError::wrong(place, message));
        }
        self.reports.push(Report {
            file_name,
            monitors: first..self.monitors.len(),
            every_steps,
        });
        Ok(())
    }

    fn report_steps(&self, block: &Block) -> Result<u64, SonataError> {
        #[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
        let run_ms = self.clock.steps as f64 * self.clock.dt_ms;
        let starts_late = block.number("start_time")?.is_some_and(|ms| ms > 0.0);
        let ends_early = block.number("end_time")?.is_some_and(|ms| ms < run_ms);
        if starts_late || ends_early {
            let what = "a report of part of the run";
            return Err(SonataError::unsupported(&block.place, what, "all of it"));
        }
        let Some(ms) = block.number("dt")? else {
            return Ok(1);
        };
        match steps_on_grid(ms, self.clock.dt_ms) {
            Some(steps) if steps > 0 => Ok(steps),
            _ => {
                let message = format!(
                    "{ms} ms is no whole number of steps of {} ms, at least 1",
                    self.clock.dt_ms
                );
                Err(SonataError::wrong(format!("{}.dt", block.place), message))
            }
        }
    }

    fn finish(mut self, options: &Options) -> Result<Imported, SonataError> {
        let mut wiring = Wiring::new(
            self.clock.dt_ms,
            &self.populations,
            &self.parts,
            &self.places,
            self.registry,
        );
        for file in &self.config.edges {
            edges::read(&self.config, file, &mut self.parameters, &mut wiring)?;
        }
        let (plan_edges, warnings, mut digest) = wiring.finish();
        digest.add(self.digest.word());
        self.warnings.extend(warnings);
        let plan = Plan {
            name: self.config.name,
            parameters: Vec::new(),
            dt_ms: self.clock.dt_ms,
            seed: options.seed.unwrap_or(1),
            precision: options.precision.unwrap_or(Precision::F64),
            batch: 1,
            weight_storage: WeightStorage::Exact,
            steps: self.clock.steps,
            discard_steps: self.clock.discard_steps,
            nodes: self.nodes,
            edges: plan_edges,
            drives: Vec::new(),
            layer_initial: Vec::new(),
            monitors: self.monitors,
            warnings: self.warnings,
        };
        let outputs = Outputs::new(
            self.clock.dt_ms,
            self.config.spikes_file,
            &self.parts,
            &self.populations,
            self.reports,
        );
        let text = text_of(&plan, digest);
        Ok(Imported {
            plan,
            outputs,
            text,
        })
    }
}

/// All that decides what a run does but its duration: what a checkpoint compares.
fn text_of(plan: &Plan, digest: Digest) -> String {
    let mut text = format!(
        "SONATA network {}\nstep {} ms\nprecision {:?}\nseed {}\ndiscarded steps {}\n",
        plan.name, plan.dt_ms, plan.precision, plan.seed, plan.discard_steps
    );
    for node in &plan.nodes {
        text.push_str(&format!("{} nodes of {}\n", node.size(), node.name));
    }
    for monitor in &plan.monitors {
        text.push_str(&format!("{monitor:?}\n"));
    }
    text.push_str(&format!("digest {:016x}\n", digest.word()));
    text
}

/// A name as other networks have them: letters, digits, `_` and `-`, and one that is not taken.
fn node_name(name: &str, taken: &[Node]) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    let name: String = name.chars().take(120).map(plain).collect();
    let mut unique = name.clone();
    for k in 2.. {
        if taken.iter().all(|n| n.name != unique) {
            break;
        }
        unique = format!("{name}-{k}");
    }
    unique
}

fn same(a: Option<&'static Template>, b: Option<&'static Template>) -> bool {
    a.map(|t| t.name) == b.map(|t| t.name)
}

/// The model of every type that nodes of a population have.
fn models_of(
    population: &NodePopulation,
) -> Result<BTreeMap<u16, Option<&'static Template>>, SonataError> {
    let mut models = BTreeMap::new();
    let types = &population.types;
    for &row in &population.rows {
        if models.contains_key(&row) {
            continue;
        }
        let at = row as usize;
        let model = match types.get(at, "model_type") {
            Some("virtual") => None,
            Some("point_neuron" | "point_process" | "point_soma") => {
                let place = types.place(at, "model_template");
                let name = types
                    .get(at, "model_template")
                    .ok_or_else(|| SonataError::wrong(&place, "is missing"))?;
                Some(models::template(name, &place)?)
            }
            other => {
                let what = format!("model_type `{}`", short(other.unwrap_or("")));
                let supported = "virtual, point_neuron, point_process";
                let place = types.place(at, "model_type");
                return Err(SonataError::unsupported(place, what, supported));
            }
        };
        models.insert(row, model);
    }
    Ok(models)
}
