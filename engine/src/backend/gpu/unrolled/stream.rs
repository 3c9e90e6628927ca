//! Passes that never end: a network with layers, some steps at a time, from the state it was left in.

use std::sync::Arc;

use hashbrown::HashMap;
use rheobase_equations::native::Derived;
use rheobase_shaders::{
    COUNTERS, Chunk, Circuit, Role, Rows, SequenceKernel, WORD_LANES, compaction, sequence_kernel,
};

use super::super::device::GpuDevice;
use super::super::error::GpuError;
use super::super::step::word;
use super::GpuPass;
use super::machine::{ArrayId, KernelId};
use super::nodes::DeviceWork;
use crate::plan::{NodeId, Plan};
use crate::unrolled::device::WorkPlan;
use crate::unrolled::{UnrolledError, UnrolledNetwork, UnrolledOptions};

/// Invocations that look for states that are not finite, of each population.
const LOOKERS: usize = 64;

/// Spikes that are read back beyond those of the last time, per step.
const SPARE_SPIKES: usize = 8;

/// What a node outside has emitted, in the steps before (as many as somebody hears later) and in those that
/// are to be run, one row after the other.
pub(in super::super) enum Heard {
    /// Places, each once, and how many spikes there are.
    Spikes(Vec<[u32; 2]>),
    Values(Vec<f32>),
}

/// A state that is asked for: of a population, in a step counted from the first; some lanes.
#[derive(Clone)]
pub(in super::super) struct Asked {
    pub(in super::super) node: NodeId,
    pub(in super::super) row: usize,
    pub(in super::super) state: usize,
    pub(in super::super) lanes: std::ops::Range<usize>,
}

/// What some steps gave.
pub(in super::super) struct Streamed {
    /// Step, counted from the first, and lane; ascending.
    pub(in super::super) spikes: Vec<u32>,
    /// Of each population, whether a state is no longer finite.
    pub(in super::super) not_finite: Vec<bool>,
    /// What was asked for, one after the other.
    pub(in super::super) traces: Vec<Vec<f32>>,
    /// What nodes have emitted that are shown, `[steps, width]`.
    pub(in super::super) values: Vec<Vec<f32>>,
}

/// What a node is left with.
#[derive(Default)]
struct Carried {
    states: Option<ArrayId>,
    /// What it emitted last, as far as somebody hears it later.
    history: Option<ArrayId>,
}

struct StreamKernels {
    pack: KernelId,
    scatter: KernelId,
    not_finite: KernelId,
    compaction: Option<KernelId>,
}

/// A network that runs on and on.
pub(in super::super) struct Stream {
    pass: GpuPass,
    network: UnrolledNetwork<f32>,
    carried: Vec<Carried>,
    /// Those that run here, and the first lane of those that fire.
    populations: Vec<(NodeId, Option<u32>)>,
    kernels: StreamKernels,
    /// Words of spike bits of a step.
    words: u32,
    fired: ArrayId,
    spikes: ArrayId,
    counters: ArrayId,
    found: ArrayId,
    /// Lists of spikes from outside.
    lists: HashMap<NodeId, ArrayId>,
    last_spikes: usize,
    longest: usize,
    pub(in super::super) bytes_read: u64,
    pub(in super::super) bytes_written: u64,
}

impl Stream {
    /// A network of which `members` run here; every other node is a source to it. `lanes` are the first
    /// lanes of populations that fire, `n_lanes` their end.
    pub(in super::super) fn new(
        device: &GpuDevice,
        plan: Arc<Plan>,
        members: &[NodeId],
        (lanes, n_lanes): (&[(NodeId, u32)], u32),
        longest: usize,
    ) -> Result<Self, UnrolledError> {
        let outputs = members.first().map(|&id| plan.nodes[id].name.clone());
        let options = UnrolledOptions {
            steps: longest,
            outputs: outputs.into_iter().collect(),
            ..UnrolledOptions::default()
        };
        let is_member: Vec<bool> = (0..plan.nodes.len())
            .map(|n| members.contains(&n))
            .collect();
        let mut network = UnrolledNetwork::<f32>::new(plan, &options)?;
        let mut graph = network.device_plan()?;
        for node in &mut graph.nodes {
            node.is_wanted = false;
            if let WorkPlan::Synapses(projections) = &mut node.work {
                for p in projections {
                    // Whoever is outside may fire more than once a step.
                    p.counts |= !is_member[p.source];
                    p.is_learnable = false;
                }
            }
        }
        let mut pass = GpuPass::of(device, &mut network, graph)?;
        pass.constants = vec![false; pass.nodes.len()];
        let mut carried = Vec::with_capacity(pass.nodes.len());
        for (id, node) in pass.nodes.iter().enumerate() {
            let plan = &pass.graph.nodes[id];
            let states = match &node.work {
                DeviceWork::Population(p) => p.n_states * plan.width,
                _ => 0,
            };
            let history = match plan.work {
                WorkPlan::Input | WorkPlan::Source => 0,
                _ => plan.history * plan.width,
            };
            let machine = &mut pass.machine;
            let mut array = |what, n: usize| (n > 0).then(|| machine.array(what, n)).transpose();
            carried.push(Carried {
                states: array("states", states)?,
                history: array("what is under way", history)?,
            });
        }
        let first_lane = |id: NodeId| lanes.iter().find(|(n, _)| *n == id).map(|(_, lane)| *lane);
        let is_population = |&id: &NodeId| matches!(pass.nodes[id].work, DeviceWork::Population(_));
        let populations = members.iter().copied().filter(is_population);
        let populations: Vec<_> = populations.map(|id| (id, first_lane(id))).collect();
        let words = n_lanes.div_ceil(WORD_LANES);
        let machine = &mut pass.machine;
        let circuit = Circuit {
            arrivals: 1,
            ring: 1,
            words,
        };
        let kernels = StreamKernels {
            pack: machine.kernel(sequence_kernel(SequenceKernel::Pack))?,
            scatter: machine.kernel(sequence_kernel(SequenceKernel::Scatter))?,
            not_finite: machine.kernel(sequence_kernel(SequenceKernel::NotFinite))?,
            compaction: match words {
                0 => None,
                _ => Some(machine.kernel(compaction(circuit, 1))?),
            },
        };
        let fired = machine.array("fired", words as usize * longest)?;
        let spikes = machine.array("spikes", n_lanes as usize * longest)?;
        let counters = machine.array("counters", COUNTERS)?;
        let found = machine.array("status", LOOKERS * populations.len())?;
        let mut stream = Self {
            pass,
            network,
            carried,
            populations,
            kernels,
            words,
            fired,
            spikes,
            counters,
            found,
            lists: HashMap::new(),
            last_spikes: 0,
            longest,
            bytes_read: 0,
            bytes_written: 0,
        };
        stream.pass.upload(&mut stream.network)?;
        stream.forget()?;
        Ok(stream)
    }

    /// Steps that can be run at once.
    pub(in super::super) fn longest(&self) -> usize {
        self.longest
    }

    /// Steps before the first that are heard of a node outside.
    pub(in super::super) fn history(&self, node: NodeId) -> usize {
        self.pass.graph.nodes[node].history
    }

    /// Submissions so far.
    pub(in super::super) fn submissions(&self) -> u64 {
        self.pass.machine.submissions
    }

    /// Runs the `steps` steps from `first` on, and waits for what they gave.
    pub(in super::super) fn advance(
        &mut self,
        (first, steps): (u64, usize),
        heard: &[(NodeId, Heard)],
        asked: &[Asked],
        shown: &[NodeId],
    ) -> Result<Streamed, UnrolledError> {
        let pass = &mut self.pass;
        (pass.steps, pass.here, pass.first) = (steps, steps, 0);
        pass.steps_before = first - 1;
        pass.upload_times(self.network.plan().dt_ms)?;
        pass.upload_trained(&mut self.network)?;
        self.load(heard)?;
        self.begin();
        self.pass.run()?;
        self.end();
        let prefix = self.list_spikes(steps)?;
        self.look()?;
        let pieces = self.pieces(asked, shown, prefix)?;
        let words: u64 = pieces.iter().map(|p| p.2 as u64).sum();
        self.bytes_read += 4 * words;
        let mut read = self.pass.machine.run(&pieces)?.into_iter();
        let mut next = || read.next().unwrap_or_default();
        let n_spikes = next().first().map_or(0, |x| x.to_bits()) as usize;
        let found = next();
        let traces = asked.iter().map(|_| next()).collect();
        let values = shown.iter().map(|_| next()).collect();
        let mut spikes: Vec<u32> = next().into_iter().map(f32::to_bits).collect();
        spikes.truncate(n_spikes);
        if n_spikes > prefix {
            let more = (self.spikes, prefix, n_spikes - prefix);
            self.bytes_read += 4 * more.2 as u64;
            for values in self.pass.machine.run(&[more])? {
                spikes.extend(values.into_iter().map(f32::to_bits));
            }
        }
        self.last_spikes = n_spikes;
        let of_population = found.chunks_exact(LOOKERS);
        Ok(Streamed {
            spikes,
            not_finite: of_population
                .map(|found| found.iter().any(|x| x.to_bits() != 0))
                .collect(),
            traces,
            values,
        })
    }

    /// Uploads what nodes outside have emitted.
    fn load(&mut self, heard: &[(NodeId, Heard)]) -> Result<(), GpuError> {
        for (id, heard) in heard {
            let emission = self.pass.nodes[*id].emission;
            match heard {
                Heard::Values(values) => {
                    self.bytes_written += 4 * values.len() as u64;
                    let words = bytemuck::cast_slice(values);
                    self.pass.machine.write(emission, 0, words)?;
                }
                Heard::Spikes(spikes) => {
                    let node = &self.pass.graph.nodes[*id];
                    let n = (node.history + self.pass.steps) * node.width;
                    self.pass.machine.clear(emission, 0, n);
                    if !spikes.is_empty() {
                        self.scatter(*id, spikes)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn scatter(&mut self, id: NodeId, spikes: &[[u32; 2]]) -> Result<(), GpuError> {
        let words = spikes.as_flattened();
        let list = match self.lists.get(&id) {
            Some(&list) if self.pass.machine.len(list) >= words.len() => list,
            _ => {
                let n = words.len().next_power_of_two();
                self.pass.machine.array("spikes from the processor", n)?
            }
        };
        self.lists.insert(id, list);
        self.bytes_written += 4 * words.len() as u64;
        self.pass.machine.write(list, 0, words)?;
        let rows = Rows {
            rows: word("spikes", spikes.len())?,
            ..Rows::default()
        };
        let arrays = [(Role::X, list), (Role::Y, self.pass.nodes[id].emission)];
        self.pass.elements(self.kernels.scatter, rows, &arrays)
    }

    /// Goes on from what was left.
    fn begin(&mut self) {
        let pass = &mut self.pass;
        for (id, carried) in self.carried.iter().enumerate() {
            if let (Some(from), DeviceWork::Population(p)) = (carried.states, &pass.nodes[id].work)
            {
                let n = p.n_states * pass.lanes(id);
                let to = (p.tape, 0);
                pass.machine.copy((from, 0), to, n);
            }
            if let Some(from) = carried.history {
                let n = pass.graph.nodes[id].history * pass.lanes(id);
                let to = (pass.nodes[id].emission, 0);
                pass.machine.copy((from, 0), to, n);
            }
        }
    }

    /// Leaves what the next steps go on from.
    fn end(&mut self) {
        let pass = &mut self.pass;
        for (id, carried) in self.carried.iter().enumerate() {
            let lanes = pass.lanes(id);
            if let (Some(to), DeviceWork::Population(p)) = (carried.states, &pass.nodes[id].work) {
                let n = p.n_states * lanes;
                let from = (p.tape, pass.here * n);
                pass.machine.copy(from, (to, 0), n);
            }
            if let Some(to) = carried.history {
                let n = pass.graph.nodes[id].history * lanes;
                let from = (pass.nodes[id].emission, pass.here * lanes);
                pass.machine.copy(from, (to, 0), n);
            }
        }
    }

    /// Lists all spikes; how many are read at once.
    fn list_spikes(&mut self, steps: usize) -> Result<usize, GpuError> {
        let Some(compaction) = self.kernels.compaction else {
            return Ok(0);
        };
        for k in 0..self.populations.len() {
            let (id, Some(lane)) = self.populations[k] else {
                continue;
            };
            let pass = &mut self.pass;
            let width = pass.lanes(id);
            let own_words = width.div_ceil(WORD_LANES as usize);
            let rows = Rows {
                rows: word("words of spikes", steps * own_words)?,
                x_first: word("elements", pass.element(id, 0))?,
                y_first: lane / WORD_LANES,
                batch: word("neurons", width)?,
                repeats: self.words,
                ..Rows::default()
            };
            let arrays = [(Role::X, pass.nodes[id].emission), (Role::Y, self.fired)];
            pass.elements(self.kernels.pack, rows, &arrays)?;
        }
        let times = vec![0.0; steps];
        let chunk = Chunk {
            words: (0, self.words),
            times_ms: &times,
            ..Chunk::default()
        };
        let arrays = [
            (Role::Fired, self.fired),
            (Role::Spikes, self.spikes),
            (Role::Counters, self.counters),
        ];
        let machine = &mut self.pass.machine;
        machine.clear(self.counters, 0, COUNTERS);
        machine.dispatch(compaction, &chunk.encode(), [1, 1, 1], &arrays);
        let most = machine.len(self.spikes);
        Ok((self.last_spikes + SPARE_SPIKES * steps).min(most))
    }

    /// Looks for states that are not finite.
    fn look(&mut self) -> Result<(), GpuError> {
        for (k, &(id, _)) in self.populations.iter().enumerate() {
            let Some(states) = self.carried[id].states else {
                continue;
            };
            let rows = Rows {
                rows: word("invocations", LOOKERS)?,
                y_first: word("invocations", k * LOOKERS)?,
                batch: word("states", self.pass.machine.len(states))?,
                ..Rows::default()
            };
            let arrays = [(Role::X, states), (Role::Y, self.found)];
            self.pass.elements(self.kernels.not_finite, rows, &arrays)?;
        }
        Ok(())
    }

    /// What is read back: the number of spikes, what was found, traces, values, spikes.
    fn pieces(
        &self,
        asked: &[Asked],
        shown: &[NodeId],
        prefix: usize,
    ) -> Result<Vec<(ArrayId, usize, usize)>, GpuError> {
        let mut pieces = vec![
            (self.counters, 0, 1),
            (self.found, 0, LOOKERS * self.populations.len()),
        ];
        for a in asked {
            let DeviceWork::Population(p) = &self.pass.nodes[a.node].work else {
                return Err(GpuError::Shape {
                    what: "a population",
                    expected: 1,
                    got: 0,
                });
            };
            let row = (a.row + 1) * p.n_states + a.state;
            let first = row * self.pass.lanes(a.node) + a.lanes.start;
            pieces.push((p.tape, first, a.lanes.len()));
        }
        for &id in shown {
            let n = self.pass.here * self.pass.lanes(id);
            pieces.push((self.pass.nodes[id].emission, self.pass.element(id, 0), n));
        }
        pieces.push((self.spikes, 0, prefix));
        Ok(pieces)
    }

    /// Replaces the derived quantities of a population.
    pub(in super::super) fn set_derived(
        &mut self,
        id: NodeId,
        derived: &[Derived<f32>],
    ) -> Result<(), GpuError> {
        let pass = &mut self.pass;
        match &mut pass.nodes[id].work {
            DeviceWork::Population(p) => p.upload_derived(&pass.machine, derived),
            _ => Ok(()),
        }
    }

    /// States of all populations, `[states, neurons]` each.
    pub(in super::super) fn states(&mut self) -> Result<Vec<Vec<f32>>, GpuError> {
        let pieces = self.populations.iter().map(|&(id, _)| {
            let states = self.carried[id].states;
            states.map(|array| (array, 0, self.pass.machine.len(array)))
        });
        let pieces: Vec<_> = pieces.collect();
        let asked: Vec<_> = pieces.iter().flatten().copied().collect();
        let mut read = self.pass.machine.run(&asked)?.into_iter();
        let each = pieces.into_iter();
        let each = each.map(|piece| piece.and_then(|_| read.next()).unwrap_or_default());
        Ok(each.collect())
    }

    /// Replaces the states of a population.
    pub(in super::super) fn set_states(
        &mut self,
        id: NodeId,
        states: &[f32],
    ) -> Result<(), GpuError> {
        match self.carried[id].states {
            Some(array) => {
                let words = bytemuck::cast_slice(states);
                self.pass.machine.write(array, 0, words)
            }
            None => Ok(()),
        }
    }

    /// Replaces what a node has emitted last, `[steps, width]`, as much as [`Self::history`] says.
    pub(in super::super) fn set_history(
        &mut self,
        id: NodeId,
        values: &[f32],
    ) -> Result<(), GpuError> {
        match self.carried[id].history {
            Some(array) => {
                let words = bytemuck::cast_slice(values);
                self.pass.machine.write(array, 0, words)
            }
            None => Ok(()),
        }
    }

    /// What a node has emitted last, `[steps, width]`, as much as [`Self::history`] says.
    pub(in super::super) fn past(&mut self, id: NodeId) -> Result<Vec<f32>, GpuError> {
        match self.carried[id].history {
            Some(array) => {
                let n = self.pass.machine.len(array);
                let read = self.pass.machine.run(&[(array, 0, n)])?;
                Ok(read.concat())
            }
            None => Ok(Vec::new()),
        }
    }

    /// Nothing is under way any more.
    pub(in super::super) fn forget(&mut self) -> Result<(), GpuError> {
        for array in self.carried.iter().filter_map(|c| c.history) {
            let n = self.pass.machine.len(array);
            self.pass.machine.clear(array, 0, n);
        }
        self.pass.machine.run(&[]).map(|_| ())
    }

    /// Parameters of layers; they may be changed.
    pub(in super::super) fn parameters(
        &mut self,
        visit: &mut dyn FnMut(NodeId, &mut crate::port::Tensor<f32>),
    ) {
        self.network.change_layers(visit);
    }
}
