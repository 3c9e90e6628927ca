//! How much memory a plan will take, before any of it is allocated.

use std::collections::BTreeSet;
use std::fmt;

use rheobase_equations::native::LANES;
use rheobase_equations::real::Precision;

use super::values::support;
use crate::anchored::{Arithmetic, LEAST_NEURONS};
use crate::build::bundles::{Bundle, Groups, bundles};
use crate::build::emits_real;
use crate::build::shards::shards_per_worker;
use crate::plan::{
    Edge, EdgeKind, Monitor, Node, NodeId, NodeKind, Plan, Population, Synapses, WeightStorage,
};
use crate::port::{LayerType, Sides};
use crate::rows::{MAX_DELAY_STEPS, estimated_table_bytes};
use crate::schedule::MAX_SLICE;
use crate::time::steps_rounded;
use crate::value::{Shape, Value};

/// Expected size of a network in memory.
#[derive(Clone, PartialEq, Debug)]
pub struct MemoryEstimate {
    /// Neurons of populations, times the batch.
    pub neurons: u64,
    /// Expected number of synapses.
    pub synapses: f64,
    /// Expected number of bytes.
    pub bytes: u64,
    /// What they are made of, in the order of the description.
    pub parts: Vec<MemoryPart>,
}

/// Part of an estimate.
#[derive(Clone, PartialEq, Debug)]
pub struct MemoryPart {
    /// A population, an edge, a layer, a recording, the past that delays reach back to.
    pub name: String,
    /// Expected number of bytes.
    pub bytes: u64,
}

/// A network is expected to need more memory than allowed.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error(
    "the network needs about {} ({neurons} neurons, {synapses:.3e} synapses) but only {} may be \
     used; the largest part is {largest}", readable_bytes(*.bytes), readable_bytes(*.limit_bytes)
)]
pub struct MemoryError {
    /// Expected number of bytes.
    pub bytes: u64,
    /// Allowed number of bytes.
    pub limit_bytes: u64,
    /// Neurons.
    pub neurons: u64,
    /// Expected number of synapses.
    pub synapses: f64,
    /// The largest part, with its size.
    pub largest: String,
}

impl MemoryEstimate {
    /// Refuses an estimate above `limit_bytes`.
    ///
    /// # Errors
    /// With the figures, if it is above.
    pub fn check(&self, limit_bytes: u64) -> Result<(), MemoryError> {
        if self.bytes <= limit_bytes {
            return Ok(());
        }
        let largest = self.parts.iter().max_by_key(|p| p.bytes);
        Err(MemoryError {
            bytes: self.bytes,
            limit_bytes,
            neurons: self.neurons,
            synapses: self.synapses,
            largest: largest.map_or_else(String::new, ToString::to_string),
        })
    }
}

impl fmt::Display for MemoryPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, readable_bytes(self.bytes))
    }
}

/// Bytes with a unit that people read: `1.5 KiB`.
#[must_use]
pub fn readable_bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    #[allow(clippy::cast_precision_loss, reason = "a few digits are shown")]
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// Spikes per neuron and second assumed for recordings. An estimate, not a limit.
const ASSUMED_RATE_HZ: f64 = 20.0;

/// Bytes of a synapse in continuous time: its target, and delay and weight where they differ.
fn exact_synapse_bytes(s: &Synapses) -> f64 {
    let differ = |constant: bool, bytes: f64| if constant { 0.0 } else { bytes };
    let delay = s.delay.constant().is_some() && !s.rule.fixes_weights();
    4.0 + differ(delay, 12.0) + differ(s.constant_weight().is_some(), 8.0)
}

/// Bytes of one recorded spike: its step and its neuron.
const SPIKE_BYTES: f64 = 12.0;

impl Plan {
    /// Expected memory of the network on one thread.
    ///
    /// Counted: states, inputs, outputs, random draws and derived quantities of populations;
    /// targets, weights and row tables of synapses; parameters and activations of layers;
    /// recordings at 20 Hz; the window of the past that delays reach back to. Not counted: the
    /// program itself, the spikes in that window.
    #[must_use]
    pub fn estimate(&self) -> MemoryEstimate {
        self.estimate_for(1)
    }

    /// Expected memory on `threads` threads: every thread has row tables and a window of the past of
    /// its own.
    #[must_use]
    pub fn estimate_for(&self, threads: usize) -> MemoryEstimate {
        let mut estimate = MemoryEstimate {
            neurons: 0,
            synapses: 0.0,
            bytes: 0,
            parts: Vec::new(),
        };
        let mut add = |name: &str, bytes: f64| {
            estimate.parts.push(MemoryPart {
                name: name.to_owned(),
                bytes: whole(bytes),
            });
        };
        for (id, node) in self.nodes.iter().enumerate() {
            match &node.kind {
                NodeKind::Population(p) => add(&node.name, self.population_bytes(node, p)),
                NodeKind::Layer(layer) => {
                    add(&node.name, self.activation_bytes(node));
                    self.layer_parameters(id, layer.as_ref(), &mut add);
                }
                NodeKind::Input(_) => add(&node.name, self.activation_bytes(node)),
                NodeKind::Source(_) | NodeKind::Actor(_) => {}
            }
        }
        let mut synapses = 0.0;
        for edge in &self.edges {
            match &edge.kind {
                EdgeKind::Synapses(s) => {
                    let n = s.rule.expected_synapses(self.sides(edge));
                    synapses += n;
                    let bytes = if self.is_continuous(edge.target) {
                        exact_synapse_bytes(s)
                    } else {
                        self.synapse_bytes(s, threads.max(1))
                    };
                    add(&edge.name, n * bytes);
                }
                EdgeKind::Identity { .. } => {}
            }
        }
        add("synapse tables", self.table_bytes(threads.max(1)));
        for monitor in &self.monitors {
            let (name, bytes) = self.recording_bytes(monitor);
            add(&name, bytes);
        }
        add("history", self.history_bytes(threads.max(1)));
        let populations = self
            .nodes
            .iter()
            .filter(|n| matches!(n.kind, NodeKind::Population(_)));
        estimate.neurons = populations.map(|n| (n.size() * self.batch) as u64).sum();
        estimate.synapses = synapses;
        estimate.bytes = estimate
            .parts
            .iter()
            .fold(0, |sum, p| sum.saturating_add(p.bytes));
        estimate
    }

    fn real_bytes(&self) -> f64 {
        match self.precision {
            Precision::F32 => 4.0,
            Precision::F64 => 8.0,
        }
    }

    fn lanes(&self, node: &Node) -> f64 {
        float((node.size() * self.batch).next_multiple_of(LANES))
    }

    fn population_bytes(&self, node: &Node, population: &Population) -> f64 {
        let ports = population.neuron.ports();
        if population.time.is_continuous() {
            let bytes = crate::exact::bytes_per_neuron(ports.states.len());
            return self.lanes(node) * float(bytes);
        }
        let shared = population.parameters.iter().all(|p| p.constant().is_some());
        let derived = match population.neuron.component() {
            _ if shared => 0,
            Some(component) => component.n_derived,
            None => ports.parameters.len(),
        };
        let arrays = ports.states.len()
            + ports.inputs.len()
            + ports.outputs.len()
            + ports.n_uniforms
            + ports.n_normals
            + derived;
        // Anchored: when each neuron is looked at again and its share of marks, the gate, and the
        // initial amplitudes.
        let anchored = match population.arithmetic {
            Arithmetic::Stepwise => 0.0,
            Arithmetic::Auto if node.size() < LEAST_NEURONS => 0.0,
            Arithmetic::Auto | Arithmetic::Anchored => {
                3.25 + (float(ports.states.len()) + 2.0) * self.real_bytes()
            }
        };
        (float(arrays) * self.real_bytes() + anchored) * self.lanes(node)
    }

    fn activation_bytes(&self, node: &Node) -> f64 {
        let slice = as_float(MAX_SLICE);
        self.lanes(node) * self.real_bytes() * slice
    }

    fn sides(&self, edge: &Edge) -> Sides {
        let count = |n: usize| u32::try_from(self.nodes[n].size()).unwrap_or(u32::MAX);
        Sides {
            n_source: count(edge.source),
            n_target: count(edge.target),
            same: edge.source == edge.target,
        }
    }

    /// Bytes of a synapse: its target, and its weight where weights differ.
    fn synapse_bytes(&self, s: &Synapses, threads: usize) -> f64 {
        let lanes: usize = self
            .nodes
            .iter()
            .filter(|n| matches!(n.kind, NodeKind::Population(_)))
            .map(Node::size)
            .sum();
        let shards = threads * shards_per_worker(self, threads);
        let target = if lanes.div_ceil(shards) < 1 << 16 {
            2.0
        } else {
            4.0
        };
        let weight = match self.weight_storage {
            _ if s.constant_weight().is_some() => 0.0,
            WeightStorage::Exact => self.real_bytes(),
            WeightStorage::Quantised => 2.0,
        };
        target + weight
    }

    /// The tables that find synapses by source and delay, and the lists of what is under way: one of
    /// each for every bundle and shard.
    fn table_bytes(&self, threads: usize) -> f64 {
        let shards = float(threads * shards_per_worker(self, threads));
        let bundle_bytes = |bundle: &Bundle| {
            let (mut synapses, mut drawn, mut longest) = (0.0, 0.0_f64, 0.0_f64);
            let mut constant = BTreeSet::new();
            for &e in &bundle.edges {
                let edge = &self.edges[e];
                let EdgeKind::Synapses(s) = &edge.kind else {
                    continue;
                };
                let n = s.rule.expected_synapses(self.sides(edge));
                let delays = delays(s, self.dt_ms);
                synapses += n;
                longest = longest.max(delays.longest);
                match s.delay.constant().filter(|_| !s.rule.fixes_weights()) {
                    Some(ms) => {
                        constant.insert(ms.to_bits());
                    }
                    None => drawn = drawn.max(delays.levels.min(n.max(1.0))),
                }
            }
            let levels = drawn + float(constant.len());
            let n_source = u32::try_from(self.nodes[bundle.source].size()).unwrap_or(u32::MAX);
            estimated_table_bytes(n_source, levels, longest, synapses / shards)
        };
        let bundles = bundles(self, &Groups::of(self), &[]);
        shards * bundles.iter().map(bundle_bytes).sum::<f64>()
    }

    /// What a thread keeps of the past: where to find the spikes of each step that a delay may reach
    /// back to.
    fn history_bytes(&self, threads: usize) -> f64 {
        const STEP_BYTES: f64 = 8.0;
        let mut reach = vec![0.0_f64; self.nodes.len()];
        for edge in &self.edges {
            let longest = match &edge.kind {
                EdgeKind::Identity { delay_steps } => as_float(*delay_steps),
                EdgeKind::Synapses(s) => delays(s, self.dt_ms).longest,
            };
            reach[edge.source] = reach[edge.source].max(longest);
        }
        let slice = as_float(MAX_SLICE);
        let steps = self.nodes.iter().zip(&reach).map(|(node, r)| {
            let values = if emits_real(node) {
                self.lanes(node) * self.real_bytes()
            } else {
                0.0
            };
            (r + slice) * (STEP_BYTES + values)
        });
        float(threads) * steps.sum::<f64>()
    }

    fn layer_parameters(&self, id: NodeId, layer: &dyn LayerType, add: &mut impl FnMut(&str, f64)) {
        // What arrives over several edges has one shape.
        let Some(edge) = self.edges.iter().find(|e| e.target == id) else {
            return;
        };
        let n = layer.parameter_count(&self.nodes[edge.source].shape);
        add(
            &format!("{} (parameters)", self.nodes[id].name),
            float(n) * self.real_bytes(),
        );
    }

    fn recording_bytes(&self, monitor: &Monitor) -> (String, f64) {
        #[allow(clippy::cast_precision_loss, reason = "an estimate")]
        let steps = self.steps as f64;
        match monitor {
            Monitor::Spikes { node } => {
                let node = &self.nodes[*node];
                let seconds = steps * self.dt_ms / 1000.0;
                let spikes = float(node.size() * self.batch) * seconds * ASSUMED_RATE_HZ;
                (format!("{} (spikes)", node.name), spikes * SPIKE_BYTES)
            }
            Monitor::State {
                node,
                states,
                neurons,
                every_steps,
            } => {
                #[allow(clippy::cast_precision_loss, reason = "an estimate")]
                let rows = steps / (*every_steps).max(1) as f64;
                let columns = float(states.len() * neurons.len() * self.batch);
                (
                    format!("{} (state)", self.nodes[*node].name),
                    rows * columns * 8.0,
                )
            }
        }
    }
}

/// Delays of a projection, in steps.
#[derive(Clone, Copy)]
struct Delays {
    /// About how many different ones.
    levels: f64,
    /// About the longest.
    longest: f64,
}

fn delays(s: &Synapses, dt_ms: f64) -> Delays {
    if s.rule.fixes_weights() {
        let list = s.rule.fixed_delays().iter();
        let distinct: BTreeSet<u64> = list.map(|&ms| steps_rounded(ms, dt_ms)).collect();
        return Delays {
            levels: float(distinct.len()),
            longest: as_float(distinct.last().copied().unwrap_or(0)),
        };
    }
    let (low, high) = support(&s.delay);
    let (low, high) = match &s.delay {
        Value::Drawn(distribution) => match distribution.shape {
            Shape::Normal { mean, sd } => (low.max(mean - 4.0 * sd), high.min(mean + 4.0 * sd)),
            // e⁻⁹ of the draws lie beyond.
            Shape::Exponential { mean } => (low, high.min(9.0 * mean)),
            Shape::Lognormal { mu, sigma, scale } => {
                (low, high.min(scale * libm::exp(mu + 4.0 * sigma)))
            }
            Shape::Uniform { .. } => (low, high),
        },
        Value::Constant(_) | Value::List(_) => (low, high),
    };
    Delays {
        levels: 1.0 + ((high - low.max(0.0)) / dt_ms).max(0.0),
        longest: (high / dt_ms).clamp(0.0, as_float(MAX_DELAY_STEPS)),
    }
}

#[allow(clippy::cast_precision_loss, reason = "an estimate")]
fn as_float(n: u64) -> f64 {
    n as f64
}

#[allow(clippy::cast_precision_loss, reason = "an estimate")]
fn float(n: usize) -> f64 {
    n as f64
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates; sizes are not negative"
)]
fn whole(bytes: f64) -> u64 {
    bytes.ceil() as u64
}
