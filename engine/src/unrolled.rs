//! Training: a network unrolled in time, all steps and all samples of a batch at once.
//!
//! An [`UnrolledNetwork`] runs the same description as a [`Simulation`](crate::simulation::Simulation).
//! Nodes run in the order of the graph, each for all its steps: layers see steps × batch as rows of one
//! matrix, populations keep their states in the cache from step to step. Only nodes on a cycle run step
//! by step. Then the schedule is run in reverse: back-propagation through time.
//!
//! # Synapses
//! The synapses onto a port are a node of their own between sources and population, as a layer would be:
//! its output is what arrives at the port in each step, summed in the order of a simulation. So populations
//! in stepwise arithmetic fire as in a [`Simulation`](crate::simulation::Simulation) of the same plan, bit
//! for bit, in the first pass and with a batch of one. The weights of a projection are trained unless it
//! says `learnable = false`: an array `weight` `[synapses]` under the name of the projection
//! ([`UnrolledNetwork::synapses`] tells which is which). [`Plan::set_weights`] puts them into a plan.
//!
//! # What is kept between forward and backward
//! What layers emitted and what arrived by synapses (the input of populations), and spikes, a bit each;
//! those of stimuli as numbers. States are not kept: a
//! population runs forward again, block by block, before it runs backward. Where all that is more than
//! [`UnrolledOptions::max_bytes`], the steps are cut into segments, states are kept at their beginnings,
//! and each segment is run again before it is reversed; what is emitted has the same bits.
//!
//! # Order of sums
//! Gradients of parameters add their terms in ascending order of (step, sample) within a segment, the
//! last segment first; sums over several edges go in the order of the description. What is emitted shortly
//! before a segment, and heard of in it, has the cotangents of that segment added first: over a projection
//! the last arrival first. Nothing depends on the number of threads.
//!
//! An input that is the same in all steps ([`Sequence::Constant`]) is run through the layers behind it
//! once.
//!
//! # Limits
//! Populations on the grid that are described by equations; layers; identity edges and projections with any
//! delays; every cycle holds at least one step of delay. Weights of synapses are kept in the precision of
//! the network, whatever `weight_storage` says. Stimuli are kept constant in back-propagation. Those that
//! draw go on drawing from pass to pass; given trains (`spike_times`) begin anew in each.

mod backward;
pub(crate) mod device;
mod emission;
mod graph;
mod inputs;
mod layer;
mod make;
mod memory;
mod pass;
mod places;
mod population;
mod source;
mod synapses;
mod update;
mod worker;

use std::sync::Arc;

use rheobase_equations::real::Real;

use crate::build::BuildError;
use crate::plan::{NodeId, Plan};
use crate::port::{Drive, Tensor};
use crate::rows::Synapse;

use emission::{Emission, History};
use layer::LayerNode;
use population::PopulationNode;
use source::SourceNode;
use synapses::SynapsesNode;
use update::Newer;
pub use update::{DeviceStep, Trained, UpdateEquations};

/// How a network is unrolled.
#[derive(Clone, PartialEq, Debug)]
pub struct UnrolledOptions {
    /// Steps of a pass, T.
    pub steps: usize,
    /// Most samples of a batch, N.
    pub batch: usize,
    /// Threads; results do not depend on it.
    pub threads: usize,
    /// Most bytes that are kept for back-propagation; as many as needed where `None`.
    pub max_bytes: Option<u64>,
    /// Back-propagation is cut at every multiple of so many steps.
    pub truncate_steps: Option<usize>,
    /// Nodes whose emissions are wanted, by name. Empty: those that nothing is joined to.
    pub outputs: Vec<String>,
    /// Whether the cotangents of inputs are wanted.
    pub input_cotangents: bool,
}

impl Default for UnrolledOptions {
    /// One step, one sample, one thread.
    fn default() -> Self {
        Self {
            steps: 1,
            batch: 1,
            threads: 1,
            max_bytes: None,
            truncate_steps: None,
            outputs: Vec::new(),
            input_cotangents: false,
        }
    }
}

/// What an input node emits.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Sequence<'a, R> {
    /// `[N, *]`, the same in every step.
    Constant(&'a [R]),
    /// `[T, N, *]`. For a node that carries spikes: zeros and ones.
    Steps(&'a [R]),
    /// Spikes as index lists: row t·N + n holds `indices[offsets[row] .. offsets[row + 1]]`, ascending.
    Spikes {
        /// `T·N + 1` offsets.
        offsets: &'a [u32],
        /// Elements that fire.
        indices: &'a [u32],
    },
    /// Spikes as bits: row t·N + n has whole words of its own, element i is bit i mod 64 of word i/64.
    Bits(&'a [u64]),
}

/// Why a network cannot be unrolled, or a pass cannot be run. Nothing has changed then.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnrolledError {
    /// Parameters or states cannot be had.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Something in the description cannot be unrolled.
    #[error("`{name}`: {what} cannot be unrolled for training")]
    Unsupported {
        /// Name of the node or edge.
        name: String,
        /// What it is.
        what: &'static str,
    },
    /// An option that cannot be.
    #[error("{option} is {found}: expected {expected}")]
    Option {
        /// Its name.
        option: &'static str,
        /// The value given.
        found: String,
        /// What would be accepted.
        expected: String,
    },
    /// More memory than allowed, however short the segments.
    #[error("back-propagation needs {needed} bytes, {allowed} are allowed: {advice}")]
    Memory {
        /// Least bytes that do.
        needed: u64,
        /// Bytes allowed.
        allowed: u64,
        /// What to do.
        advice: &'static str,
    },
    /// There is no node of that name, or it was not asked for as an output.
    #[error("there is no {what} `{name}`; there are {names}")]
    Name {
        /// Input or output.
        what: &'static str,
        /// The name.
        name: String,
        /// Those there are.
        names: String,
    },
    /// Values do not fit.
    #[error("`{name}`: {message}")]
    Values {
        /// The node.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// A device cannot run the network, or has failed.
    #[error("on the device: {0}")]
    Device(String),
    /// Back-propagation before a forward pass in training.
    #[error("there is nothing to go back through: run a forward pass in training first")]
    NoPass,
}

/// A network unrolled in time.
///
/// ```
/// use std::sync::Arc;
/// use rheobase_engine::network::Network;
/// use rheobase_engine::port::Registry;
/// use rheobase_engine::unrolled::{Sequence, UnrolledNetwork, UnrolledOptions};
///
/// let text = r#"
///     name = "one neuron"
///     dt = "1 ms"
///     duration = "1 ms"
///     [models]
///     counts = """
///     neuron counts
///       input x : 1
///       state v = 0 : 1
///       update v = v + x
///       spike when v >= 1, reset v = 0
///     """
///     [inputs.x]
///     shape = [1]
///     [populations.n]
///     model = "counts"
///     size = 1
///     [[edges]]
///     source = "x"
///     target = "n"
/// "#;
/// let plan = Arc::new(Network::from_toml(text, "doc")?.resolve(&Registry::default())?);
/// let options = UnrolledOptions { steps: 2, input_cotangents: true, ..UnrolledOptions::default() };
/// let mut network = UnrolledNetwork::<f64>::new(plan, &options)?;
/// network.forward(&[Sequence::Constant(&[0.6])], true)?;
/// assert_eq!(network.output("n")?, [0.0, 1.0]);
/// network.backward(&[("n", &[0.0, 1.0])])?;
/// assert!(network.input_cotangent("x")?[0] > 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct UnrolledNetwork<R: Real> {
    plan: Arc<Plan>,
    nodes: Vec<UnrolledNode<R>>,
    groups: Vec<Group>,
    inputs: Vec<NodeId>,
    outputs: Vec<Output<R>>,
    drives: Vec<DrivenPort<R>>,
    pool: Arc<rayon::ThreadPool>,
    /// Samples of the pass, at most those of the options.
    batch: usize,
    steps: usize,
    /// Steps of a segment.
    segment: usize,
    truncate: Option<usize>,
    /// Passes begun.
    passes: u64,
    /// Counts how often parameters may have been changed.
    version: u64,
    /// The last pass can be reversed.
    is_taped: bool,
    carries: Vec<Carry<R>>,
    max_batch: usize,
    options: UnrolledOptions,
    /// Runs the passes, if not the processor does.
    device: Option<Box<dyn device::DevicePass<R>>>,
    newer: Newer,
    /// What updates had left on a device that runs passes no more.
    left: Vec<Vec<Vec<R>>>,
    /// Of a device, when somebody looked who could not be told.
    fault: Option<UnrolledError>,
}

struct UnrolledNode<R: Real> {
    name: String,
    width: usize,
    work: Work<R>,
    routes: Vec<Route>,
    emission: Emission<R>,
    /// Of what the node emitted in the history and the segment; of inputs, in the whole pass.
    cotangent: Vec<R>,
    /// A cotangent is wanted here: something is trained here or before.
    is_wanted: bool,
}

/// What a node does.
enum Work<R: Real> {
    Input,
    Source(Box<SourceNode>),
    Layer(Box<LayerNode<R>>),
    Synapses(Box<SynapsesNode<R>>),
    Population(Box<PopulationNode<R>>),
}

/// An incoming edge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) port: usize,
    pub(crate) source: NodeId,
    pub(crate) delay: usize,
}

/// Nodes that run together: one by one for all steps, or, on a cycle, all of them step by step.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// In the order of a step.
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) is_cycle: bool,
}

struct Output<R> {
    node: NodeId,
    /// `[T, N, *]`.
    values: Vec<R>,
    /// A cotangent was given for the backward pass.
    is_seeded: bool,
}

/// A stimulus that acts on a port.
struct DrivenPort<R: Real> {
    node: NodeId,
    port: usize,
    make: Box<dyn Fn() -> Box<dyn Drive<R>> + Send>,
}

/// What a segment begins with.
struct Carry<R> {
    /// By node.
    states: Vec<Vec<Vec<R>>>,
    history: Vec<History<R>>,
}

impl<R: Real> UnrolledNetwork<R> {
    /// The description.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Threads.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.options.threads
    }

    /// Steps of a pass, T.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Samples of the pass, N: those of the input last given.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Steps of a segment: fewer than T where memory is short.
    #[must_use]
    pub fn segment_steps(&self) -> usize {
        let device = self.device.as_ref();
        device.map_or(self.segment, |device| device.segment_steps())
    }

    /// Bytes kept between forward and backward at the largest batch, weights left out; on a device,
    /// bytes of everything there.
    #[must_use]
    pub fn kept_bytes(&self) -> u64 {
        if let Some(device) = &self.device {
            return device.kept_bytes();
        }
        memory::bytes(&self.nodes, &self.groups, &self.options, self.segment)
    }

    /// Names of the inputs, in the order in which their sequences are given.
    pub fn input_names(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().map(|&id| self.nodes[id].name.as_str())
    }

    /// Names of the outputs.
    pub fn output_names(&self) -> impl Iterator<Item = &str> {
        self.outputs
            .iter()
            .map(|o| self.nodes[o.node].name.as_str())
    }

    /// Passes run so far. A pass has random draws of its own, which its number determines.
    #[must_use]
    pub fn passes(&self) -> u64 {
        self.passes
    }

    /// Continues as if so many passes had been run.
    pub fn set_passes(&mut self, passes: u64) {
        self.passes = passes;
        self.is_taped = false;
    }

    /// What an output emitted in the last pass, `[T, N, *]`; spikes as 0 and 1.
    ///
    /// # Errors
    /// If it is no output.
    pub fn output(&self, name: &str) -> Result<&[R], UnrolledError> {
        let mut outputs = self.outputs.iter();
        match outputs.find(|o| self.nodes[o.node].name == name) {
            Some(output) => Ok(&output.values),
            None => Err(UnrolledError::Name {
                what: "output",
                name: name.to_owned(),
                names: self.output_names().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// The cotangent of an input, `[T, N, *]`, or `[N, *]` of a constant one.
    ///
    /// # Errors
    /// If it is no input, or cotangents of inputs were not asked for.
    pub fn input_cotangent(&self, name: &str) -> Result<&[R], UnrolledError> {
        let mut inputs = self.inputs.iter().map(|&id| &self.nodes[id]);
        match inputs.find(|n| n.name == name && n.is_wanted) {
            Some(node) if node.emission.is_constant() => Ok(&node.cotangent),
            Some(node) => {
                let history = node.emission.history * self.batch * node.width;
                Ok(&node.cotangent[history..])
            }
            None => Err(UnrolledError::Name {
                what: "input with a cotangent",
                name: name.to_owned(),
                names: self.input_names().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// Trained arrays and their gradients, with the name of their node, always in the same order.
    ///
    /// Where a device keeps them they are fetched first; if it fails, they are shown as they were last
    /// fetched, and the next pass returns the error ([`Self::fetch_parameters`] does at once).
    pub fn visit_parameters(
        &mut self,
        mut visit: impl FnMut(&str, &mut Tensor<R>, &mut Tensor<R>),
    ) {
        self.look();
        self.version += 1;
        for node in &mut self.nodes {
            let (parameters, gradients) = match &mut node.work {
                Work::Input | Work::Source(_) => continue,
                Work::Synapses(synapses) => {
                    let projections = synapses.projections.iter_mut();
                    for p in projections.filter(|p| p.is_learnable) {
                        visit(&p.name, &mut p.weight, &mut p.gradient);
                    }
                    continue;
                }
                Work::Layer(layer) => (&mut layer.parameters, &mut layer.gradients),
                Work::Population(p) => (&mut p.learned.parameters, &mut p.learned.gradients),
            };
            for (p, g) in parameters.iter_mut().zip(gradients) {
                visit(&node.name, p, g);
            }
        }
    }

    /// The synapses of a projection, in the order of its weights: by source, delay, target, and the order of
    /// the rule. [`Self::visit_parameters`] shows the weights under the same name.
    ///
    /// # Errors
    /// If there is no such projection.
    pub fn synapses(
        &self,
        projection: &str,
    ) -> Result<impl Iterator<Item = Synapse>, UnrolledError> {
        let projections = || {
            self.nodes.iter().flat_map(|n| match &n.work {
                Work::Synapses(synapses) => synapses.projections.as_slice(),
                _ => &[],
            })
        };
        let found = projections().find(|p| p.name == projection);
        let names = || projections().map(|p| p.name.as_str());
        found
            .map(synapses::Projection::synapses)
            .ok_or_else(|| UnrolledError::Name {
                what: "projection",
                name: projection.to_owned(),
                names: names().collect::<Vec<_>>().join(", "),
            })
    }

    /// Arrays that are not trained but belong to the network, with the name of their node.
    pub fn visit_buffers(&mut self, mut visit: impl FnMut(&str, &mut Tensor<R>)) {
        self.look();
        self.version += 1;
        for node in &mut self.nodes {
            if let Work::Layer(layer) = &mut node.work {
                let buffers = layer.layer.buffers().iter_mut();
                buffers.for_each(|buffer| visit(&node.name, buffer));
            }
        }
    }

    /// Sets all gradients to 0: backward passes add to them.
    pub fn clear_gradients(&mut self) {
        if let Err(fault) = self.settle() {
            self.fault = Some(fault);
        }
        for node in &mut self.nodes {
            let gradients = match &mut node.work {
                Work::Input | Work::Source(_) => continue,
                Work::Synapses(synapses) => {
                    let projections = synapses.projections.iter_mut();
                    projections.for_each(|p| p.gradient.values.fill(R::ZERO));
                    continue;
                }
                Work::Layer(layer) => &mut layer.gradients,
                Work::Population(p) => &mut p.learned.gradients,
            };
            gradients.iter_mut().for_each(|g| g.values.fill(R::ZERO));
        }
        self.newer.gradients = false;
        self.newer.cleared = true;
    }

    /// What populations that emit spikes did in the segment that was last run: of the last pass the last
    /// one, and after back-propagation the first.
    pub fn firing(&self) -> impl Iterator<Item = Firing<'_>> {
        let populations = self.nodes.iter();
        populations
            .filter(|n| matches!(n.work, Work::Population(_)))
            .filter_map(|n| {
                n.emission
                    .firing()
                    .map(|(silent, saturated, activity)| Firing {
                        name: &n.name,
                        neurons: n.width,
                        silent,
                        saturated,
                        activity,
                    })
            })
    }
}

/// How neurons of a population fired.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Firing<'a> {
    /// The population.
    pub name: &'a str,
    /// Its neurons.
    pub neurons: usize,
    /// Neurons that fired in no step of any sample.
    pub silent: usize,
    /// Neurons that fired in every step of every sample.
    pub saturated: usize,
    /// Share of neurons that fire in a step.
    pub activity: f64,
}
