//! From a plan to workers: shards, rows, actors, schedule.

mod quantities;
mod shard_rows;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossbeam::channel::bounded;
use rheobase_equations::native::LANES;

use crate::actor::Actor;
use crate::instantiate::Instantiate;
use crate::layer::{Gathered, LayerActor};
use crate::packet::History;
use crate::plan::{Edge, EdgeKind, Monitor, Node, NodeId, NodeKind, Plan, Population};
use crate::population::{
    Afferent, Identity, PopulationActor, PopulationParts, Shape, StateRecorder, stride_of,
};
use crate::port::{SpikeSource, StimulusContext, Tensor};
use crate::random::{Philox, Purpose, construction_stream};
use crate::record::{Spikes, Trace};
use crate::rows::RowsError;
use crate::schedule::{DelayedEdge, Schedule, ZeroDelayCycle, schedule};
use crate::source::{InputActor, InputHandle, SourceActor};
use crate::tape::PopulationAdjoint;
use crate::worker::{MAILBOX_CAPACITY, Mailboxes, Placed, Worker};

use quantities::Quantities;
use shard_rows::{ShardRows, all_rows, report_rows};

/// How a plan is built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BuildOptions {
    /// Worker threads; results do not depend on it.
    pub threads: usize,
    /// Keep a tape of so many steps, for [`crate::simulation::Simulation::backward`].
    pub tape_steps: Option<usize>,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self {
            threads: 1,
            tape_steps: None,
        }
    }
}

/// Most worker threads.
pub const MAX_THREADS: usize = 1024;

/// Why a plan cannot be built.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A projection cannot be drawn.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// A cycle without delay.
    #[error(
        "`{source_node}` -> `{target}`: delay 0 on a cycle; every edge on a cycle needs at least one step"
    )]
    ZeroDelayCycle {
        /// Source node.
        source_node: String,
        /// Target node.
        target: String,
    },
    /// A parameter or state is not finite.
    #[error("population `{population}`: {what} of neuron {neuron} is {value}")]
    NotFinite {
        /// The population.
        population: String,
        /// Which quantity.
        what: String,
        /// The neuron.
        neuron: usize,
        /// Its value.
        value: f64,
    },
    /// The number of threads is out of range.
    #[error("threads: {0} is outside 1 ..= {MAX_THREADS}")]
    Threads(usize),
    /// A layer has no incoming edge, or several.
    #[error("layer `{layer}` has {edges} incoming edges; it needs exactly one")]
    LayerEdges {
        /// The layer.
        layer: String,
        /// How many.
        edges: usize,
    },
    /// A component panicked while the network was built.
    #[error("building the network failed: {0}")]
    Panicked(String),
}

/// What building found out.
#[derive(Clone, Debug, Default)]
pub struct BuildReport {
    /// Synapses, of each edge of the plan.
    pub synapses: Vec<u64>,
    /// Delays moved to the grid.
    pub rounded_delays: u64,
    /// Delays raised to the smallest allowed.
    pub raised_delays: u64,
    /// Bytes of synapses.
    pub synapse_bytes: usize,
    /// Kernel of each population (`native`, `block`, `rust`), by node name.
    pub kernels: Vec<(String, &'static str)>,
}

/// Workers and all that belongs to them.
pub(crate) struct Built<R> {
    pub(crate) workers: Vec<Worker<R>>,
    pub(crate) schedule: Schedule,
    pub(crate) inputs: Vec<(NodeId, InputHandle<R>)>,
    pub(crate) report: BuildReport,
}

pub(crate) fn build<R: Instantiate>(
    plan: &Plan,
    options: BuildOptions,
) -> Result<Built<R>, BuildError> {
    if !(1..=MAX_THREADS).contains(&options.threads) {
        return Err(BuildError::Threads(options.threads));
    }
    let shards: Vec<Vec<Range<u32>>> = plan
        .nodes
        .iter()
        .map(|n| shard_ranges(n, plan.batch, options.threads))
        .collect();
    let mut rows = all_rows::<R>(plan, &shards, options.threads)?;
    let schedule = make_schedule(plan, &rows)?;
    let mut report = report_rows(plan, &rows);
    let inputs: Vec<(NodeId, InputHandle<R>)> = plan
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, n)| matches!(n.kind, NodeKind::Input(_)))
        .map(|(id, _)| (id, InputHandle::default()))
        .collect();
    let mut actors: Vec<Vec<Placed<R>>> = (0..options.threads).map(|_| Vec::new()).collect();
    for (id, node) in plan.nodes.iter().enumerate() {
        let context = NodeContext {
            plan,
            id,
            node,
            options,
        };
        match &node.kind {
            NodeKind::Population(p) => {
                for (shard, actor) in
                    population_actors(&context, p, &shards[id], &mut rows, &mut report)?
                {
                    actors[shard].push(context.place(actor));
                }
            }
            NodeKind::Source(source) => {
                for (shard, range) in shards[id].iter().enumerate() {
                    let stimulus = StimulusContext {
                        dt_ms: plan.dt_ms,
                        stream: Philox::new(plan.seed, Purpose::Stimulus, id as u64),
                        size: to_u32(node.size()),
                    };
                    let source = Arc::clone(source);
                    let make: Box<dyn Fn() -> Box<dyn SpikeSource> + Send> =
                        Box::new(move || source.instantiate(stimulus));
                    let actor = SourceActor {
                        node: id,
                        range: range.clone(),
                        source: make(),
                        make,
                        record_spikes: records_spikes(plan, id),
                        spikes: Spikes::default(),
                        n_spikes: 0,
                    };
                    actors[shard].push(context.place(Box::new(actor)));
                }
            }
            NodeKind::Layer(_) => {
                let actor = layer_actor(&context)?;
                actors[0].push(context.place(Box::new(actor)));
            }
            NodeKind::Input(kind) => {
                let data = inputs
                    .iter()
                    .find(|(n, _)| *n == id)
                    .map(|(_, h)| Arc::clone(h));
                let actor = InputActor {
                    node: id,
                    name: node.name.clone(),
                    lanes: node.size() * plan.batch,
                    kind: *kind,
                    data: data.unwrap_or_default(),
                };
                actors[0].push(context.place(Box::new(actor)));
            }
        }
    }
    let workers = make_workers(plan, actors, &schedule, options);
    Ok(Built {
        workers,
        schedule,
        inputs,
        report,
    })
}

struct NodeContext<'p> {
    plan: &'p Plan,
    id: NodeId,
    node: &'p Node,
    options: BuildOptions,
}

impl NodeContext<'_> {
    fn place<R>(&self, actor: Box<dyn Actor<R>>) -> Placed<R> {
        Placed {
            node: self.id,
            name: self.node.name.clone(),
            actor,
        }
    }
}

/// Contiguous lanes of each shard, whole blocks. Nodes with a batch axis, layers and inputs stay on
/// the first worker.
fn shard_ranges(node: &Node, batch: usize, threads: usize) -> Vec<Range<u32>> {
    let lanes = node.size() * batch;
    let splits = matches!(node.kind, NodeKind::Population(_) | NodeKind::Source(_)) && batch == 1;
    let blocks = lanes.div_ceil(LANES);
    (0..threads)
        .map(|k| {
            if !splits {
                return if k == 0 {
                    0..to_u32(lanes)
                } else {
                    to_u32(lanes)..to_u32(lanes)
                };
            }
            let at = |k: usize| to_u32((k * blocks / threads * LANES).min(lanes));
            at(k)..at(k + 1)
        })
        .collect()
}

fn make_schedule<R: Instantiate>(
    plan: &Plan,
    rows: &[ShardRows<R>],
) -> Result<Schedule, BuildError> {
    let mut edges = Vec::new();
    for (index, edge) in plan.edges.iter().enumerate() {
        let (source, target) = (edge.source, edge.target);
        match &edge.kind {
            EdgeKind::Identity { delay_steps } => edges.push(DelayedEdge {
                source,
                target,
                min_delay: *delay_steps,
                max_delay: *delay_steps,
            }),
            EdgeKind::Synapses(_) => {
                for (drawn, _) in rows.iter().filter_map(|shard| shard[index].as_ref()) {
                    if let (Some(min_delay), max_delay) = (drawn.min_delay(), drawn.max_delay()) {
                        edges.push(DelayedEdge {
                            source,
                            target,
                            min_delay,
                            max_delay,
                        });
                    }
                }
            }
        }
    }
    schedule(plan.nodes.len(), &edges).map_err(
        |ZeroDelayCycle {
             source_node,
             target,
         }| {
            BuildError::ZeroDelayCycle {
                source_node: plan.nodes[source_node].name.clone(),
                target: plan.nodes[target].name.clone(),
            }
        },
    )
}

type ShardActors<R> = Vec<(usize, Box<dyn Actor<R>>)>;

fn population_actors<R: Instantiate>(
    context: &NodeContext<'_>,
    population: &Population,
    shards: &[Range<u32>],
    rows: &mut [ShardRows<R>],
    report: &mut BuildReport,
) -> Result<ShardActors<R>, BuildError> {
    let quantities = Quantities::draw(context, population)?;
    let mut actors: ShardActors<R> = Vec::new();
    for (shard, range) in shards.iter().enumerate() {
        let kernel = R::kernel(population.neuron.as_ref());
        if shard == 0 {
            report
                .kernels
                .push((context.node.name.clone(), kernel.name()));
        }
        let ports = population.neuron.ports();
        let shape = Shape {
            node: context.id,
            name: context.node.name.clone(),
            range: range.clone(),
            state_names: ports.states.iter().map(|s| s.name.clone()).collect(),
            n_inputs: ports.inputs.len(),
            n_outputs: ports.outputs.len(),
            n_uniforms: ports.n_uniforms,
            n_normals: ports.n_normals,
            emits: population.emits,
            batch: context.plan.batch,
            dt_ms: context.plan.dt_ms,
        };
        let stride = stride_of::<R>(range.len());
        let parts = PopulationParts {
            kernel,
            initial: quantities.initial(range),
            derived: quantities.derived(range, stride),
            stream: Philox::new(context.plan.seed, Purpose::Neuron, context.id as u64),
            afferents: afferents(context, shard, &mut rows[shard]),
            record_spikes: records_spikes(context.plan, context.id),
            recorders: recorders(context, population, range),
            adjoint: context
                .options
                .tape_steps
                .and_then(|_| population.neuron.component())
                .map(|component| PopulationAdjoint::new(component, stride)),
            shape,
        };
        actors.push((shard, Box::new(PopulationActor::new(parts))));
    }
    Ok(actors)
}

fn afferents<R: Instantiate>(
    context: &NodeContext<'_>,
    _shard: usize,
    rows: &mut ShardRows<R>,
) -> Vec<(usize, Afferent<R>)> {
    let plan = context.plan;
    let mut afferents = Vec::new();
    for (index, edge) in plan
        .edges
        .iter()
        .enumerate()
        .filter(|(_, e)| e.target == context.id)
    {
        let afferent = match &edge.kind {
            EdgeKind::Identity { delay_steps } => Afferent::Identity(Identity {
                source: edge.source,
                delay: *delay_steps,
                real: emits_real(&plan.nodes[edge.source]),
                lanes: plan.nodes[edge.source].size() * plan.batch,
            }),
            EdgeKind::Synapses(_) => match rows[index].take() {
                Some((rows, _)) => Afferent::Rows(rows),
                None => continue,
            },
        };
        afferents.push((edge.port, afferent));
    }
    for (index, drive) in plan
        .drives
        .iter()
        .enumerate()
        .filter(|(_, d)| d.target == context.id)
    {
        let stimulus = StimulusContext {
            dt_ms: plan.dt_ms,
            stream: Philox::new(
                plan.seed,
                Purpose::Stimulus,
                (plan.nodes.len() + index) as u64,
            ),
            size: to_u32(context.node.size() * plan.batch),
        };
        afferents.push((
            drive.port,
            Afferent::Drive(R::drive(drive.drive.as_ref(), stimulus)),
        ));
    }
    afferents
}

/// Whether a node emits real values rather than spikes.
pub(crate) fn emits_real(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Population(p) => p.emits.is_some(),
        NodeKind::Source(_) => false,
        NodeKind::Layer(_) => true,
        NodeKind::Input(kind) => *kind == crate::plan::InputKind::Real,
    }
}

fn records_spikes(plan: &Plan, id: NodeId) -> bool {
    plan.monitors
        .iter()
        .any(|m| *m == Monitor::Spikes { node: id })
}

fn recorders(
    context: &NodeContext<'_>,
    population: &Population,
    range: &Range<u32>,
) -> Vec<StateRecorder> {
    let mut recorders = Vec::new();
    for monitor in &context.plan.monitors {
        let Monitor::State {
            node,
            states,
            neurons,
            every_steps,
        } = monitor
        else {
            continue;
        };
        if *node != context.id {
            continue;
        }
        let here: Vec<u32> = neurons
            .iter()
            .copied()
            .filter(|n| range.contains(n))
            .collect();
        for &state in states {
            let quantity = &population.neuron.ports().states[state];
            recorders.push(StateRecorder {
                state,
                lanes: here.iter().map(|n| n - range.start).collect(),
                every_steps: *every_steps,
                scale: 1.0 / quantity.unit.scale,
                trace: Trace {
                    node: context.id,
                    variable: quantity.name.clone(),
                    unit: quantity.unit.name.clone(),
                    neurons: here.clone(),
                    steps: Vec::new(),
                    values: Vec::new(),
                },
            });
        }
    }
    recorders
}

fn layer_actor<R: Instantiate>(context: &NodeContext<'_>) -> Result<LayerActor<R>, BuildError> {
    let plan = context.plan;
    let NodeKind::Layer(layer) = &context.node.kind else {
        return Err(BuildError::Panicked("not a layer".to_owned()));
    };
    let incoming: Vec<&Edge> = plan
        .edges
        .iter()
        .filter(|e| e.target == context.id)
        .collect();
    let [edge] = incoming.as_slice() else {
        return Err(BuildError::LayerEdges {
            layer: context.node.name.clone(),
            edges: incoming.len(),
        });
    };
    let EdgeKind::Identity { delay_steps } = edge.kind else {
        return Err(BuildError::LayerEdges {
            layer: context.node.name.clone(),
            edges: 0,
        });
    };
    let source = &plan.nodes[edge.source];
    let mut random = construction_stream(plan.seed, Purpose::Layer, context.id as u64, 0);
    let parameters: Vec<Tensor<R>> = layer
        .parameters(&source.shape, &mut random)
        .into_iter()
        .map(|t| Tensor {
            name: t.name,
            shape: t.shape,
            values: t.values.into_iter().map(R::from_f64).collect(),
        })
        .collect();
    let gradients = parameters
        .iter()
        .map(|t| Tensor {
            values: vec![R::ZERO; t.values.len()],
            ..t.clone()
        })
        .collect();
    Ok(LayerActor {
        node: context.id,
        layer: R::layer(layer.as_ref(), &source.shape),
        parameters,
        gradients,
        source: edge.source,
        delay: delay_steps,
        real: emits_real(source),
        batch: plan.batch,
        width: source.size(),
        out: context.node.size(),
        gathered: Gathered::default(),
        output: Vec::new(),
    })
}

fn make_workers<R: Instantiate>(
    plan: &Plan,
    actors: Vec<Vec<Placed<R>>>,
    schedule: &Schedule,
    options: BuildOptions,
) -> Vec<Worker<R>> {
    let threads = options.threads;
    let abort = Arc::new(AtomicBool::new(false));
    let max_delay = usize::try_from(schedule.max_delay).unwrap_or(usize::MAX);
    let window = options.tape_steps.unwrap_or(0).max(max_delay) + 1;
    let channels: Vec<Vec<_>> = (0..threads)
        .map(|_| (0..threads).map(|_| bounded(MAILBOX_CAPACITY)).collect())
        .collect();
    actors
        .into_iter()
        .enumerate()
        .map(|(index, placed)| {
            let mut phases: Vec<Vec<Placed<R>>> =
                schedule.phases.iter().map(|_| Vec::new()).collect();
            for p in placed {
                let phase = schedule
                    .phases
                    .iter()
                    .position(|nodes| nodes.contains(&p.node));
                phases[phase.unwrap_or(0)].push(p);
            }
            Worker {
                index,
                phases,
                history: History::new(plan.nodes.len(), threads, window, schedule.slice_len),
                mailboxes: Mailboxes {
                    to: (0..threads)
                        .map(|other| channels[index][other].0.clone())
                        .collect(),
                    from: (0..threads)
                        .map(|other| channels[other][index].1.clone())
                        .collect(),
                },
                abort: Arc::clone(&abort),
                dt_ms: plan.dt_ms,
                completed: 0,
            }
        })
        .collect()
}

/// Sizes were checked against 2³¹ when the plan was made.
fn to_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
