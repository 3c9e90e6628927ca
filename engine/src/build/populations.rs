//! Shards of populations: parameters and states of the whole population, cut into shards.

use std::ops::Range;

use rheobase_equations::native::{Aligned, Derived};

use super::shards::{Layouts, Shards};
use super::{
    BuildError, BuildOptions, BuildReport, NodeContext, emits_real, records_spikes, to_u32,
};
use crate::anchored::choice::Chooser;
use crate::anchored::{Anchored, Decision, decide};
use crate::instantiate::Instantiate;
use crate::plan::{EdgeKind, Monitor, NodeId, NodeKind, Plan, Population};
use crate::population::{
    Afferent, Identity, Inputs, Neurons, PopulationParts, PopulationShard, Shape, StateRecorder,
    stride_of,
};
use crate::port::{Drive, StimulusContext};
use crate::random::{Philox, Purpose, construction_stream};
use crate::record::Trace;
use crate::stepwise::{Stepwise, StepwiseParts};

/// `[shards]`: the populations of each, in the order of the description.
pub(super) fn population_shards<R: Instantiate>(
    plan: &Plan,
    options: BuildOptions,
    (shards, layouts): (&Shards, &Layouts),
    on_device: &[bool],
    report: &mut BuildReport,
) -> Result<Vec<Vec<PopulationShard<R>>>, BuildError> {
    let mut all: Vec<Vec<PopulationShard<R>>> = (0..shards.n()).map(|_| Vec::new()).collect();
    for (id, node) in plan.nodes.iter().enumerate() {
        let NodeKind::Population(population) = &node.kind else {
            continue;
        };
        if population.time.is_continuous() || on_device[id] {
            continue;
        }
        let context = NodeContext {
            plan,
            id,
            node,
            options,
        };
        let quantities = Quantities::draw(&context, population)?;
        let decision = decision(&context, population)?;
        report.arithmetic.push((id, decision.report()));
        let kernel = match &decision {
            Decision::Stepwise { .. } => R::kernel(population.neuron.as_ref()).name(),
            Decision::Anchored { .. } => "modes",
        };
        report.kernels.push((node.name.clone(), kernel));
        for (shard, populations) in all.iter_mut().enumerate() {
            let range = shards.range(id, shard);
            if !range.is_empty() {
                let first_lane = layouts.of_shard[shard].first_lane[id];
                populations.push(population_shard(
                    &context,
                    population,
                    (&quantities, &decision),
                    &range,
                    first_lane,
                ));
            }
        }
    }
    Ok(all)
}

fn population_shard<R: Instantiate>(
    context: &NodeContext<'_>,
    population: &Population,
    (quantities, decision): (&Quantities, &Decision),
    range: &Range<u32>,
    first_lane: usize,
) -> PopulationShard<R> {
    let shape = shape(context, population, range);
    let neurons = neurons(context, population, (quantities, decision), &shape);
    PopulationShard::new(PopulationParts {
        first_lane,
        neurons,
        afferents: afferents(context),
        record_spikes: records_spikes(context.plan, context.id),
        recorders: recorders(context, population, range),
        shape,
    })
}

fn shape(context: &NodeContext<'_>, population: &Population, range: &Range<u32>) -> Shape {
    let ports = population.neuron.ports();
    Shape {
        node: context.id,
        name: context.node.name.clone(),
        range: range.clone(),
        state_names: ports.states.iter().map(|s| s.name.clone()).collect(),
        n_inputs: ports.inputs.len(),
        n_outputs: ports.outputs.len(),
        n_uniforms: ports.n_uniforms,
        n_normals: ports.n_normals,
        emits: population.emits,
        last_step: context.plan.steps,
        dt_ms: context.plan.dt_ms,
    }
}

/// The quantities of the population `id` of a plan.
pub(crate) fn quantities(plan: &Plan, id: NodeId) -> Result<Quantities, BuildError> {
    let node = &plan.nodes[id];
    let NodeKind::Population(population) = &node.kind else {
        return Err(BuildError::Panicked("not a population".to_owned()));
    };
    let context = NodeContext {
        plan,
        id,
        node,
        options: BuildOptions::default(),
    };
    Quantities::draw(&context, population)
}

/// One copy of a population, in one piece.
pub(crate) struct WholePopulation<R: Instantiate> {
    pub(crate) shape: Shape,
    pub(crate) neurons: Neurons<R>,
    pub(crate) inputs: Inputs<R>,
    /// Stimuli that act on its ports.
    pub(crate) drives: Vec<(usize, Box<dyn Drive<R>>)>,
}

/// The population `id` of a plan, with the given values for some of its parameters, by index.
pub(crate) fn whole_population<R: Instantiate>(
    plan: &Plan,
    id: NodeId,
    given: Vec<(usize, Vec<f64>)>,
) -> Result<WholePopulation<R>, BuildError> {
    let node = &plan.nodes[id];
    let NodeKind::Population(population) = &node.kind else {
        return Err(BuildError::Panicked("not a population".to_owned()));
    };
    let context = NodeContext {
        plan,
        id,
        node,
        options: BuildOptions::default(),
    };
    let range = 0..to_u32(node.size());
    let shape = shape(&context, population, &range);
    let mut quantities = Quantities::draw(&context, population)?;
    if !given.is_empty() {
        let mut all = quantities.parameters;
        for (k, values) in given {
            all[k] = values;
        }
        quantities = Quantities::of(plan, id, population, all)?;
    }
    let decision = decision(&context, population)?;
    let mut neurons = neurons(&context, population, (&quantities, &decision), &shape);
    if let Neurons::Anchored(anchored, _) = &mut neurons {
        anchored.reserve();
    }
    let plane = stride_of::<R>(range.len());
    let drives = afferents(&context).into_iter();
    let drives = drives.filter_map(|(port, afferent)| match afferent {
        Afferent::Drive(drive) => Some((port, drive)),
        Afferent::Identity(_) => None,
    });
    Ok(WholePopulation {
        neurons,
        inputs: Inputs {
            lanes: Aligned::zeroed(shape.n_inputs * plane),
            plane,
        },
        drives: drives.collect(),
        shape,
    })
}

/// Which arithmetic a population has.
fn decision(context: &NodeContext<'_>, population: &Population) -> Result<Decision, BuildError> {
    let decision = decide(context.plan, context.id, context.node, population);
    decision.map_err(|reason| BuildError::NotAnchored {
        population: context.node.name.clone(),
        reason,
    })
}

fn neurons<R: Instantiate>(
    context: &NodeContext<'_>,
    population: &Population,
    (quantities, decision): (&Quantities, &Decision),
    shape: &Shape,
) -> Neurons<R> {
    let initial = quantities.initial(&shape.range);
    match Anchored::new(decision, shape.dt_ms, &initial) {
        Some(anchored) => {
            let chooser = Chooser::new(context.options.mode, shape.range.len());
            Neurons::Anchored(Box::new(anchored), Box::new(chooser))
        }
        None => {
            let stepwise = stepwise(context, population, quantities, initial, shape);
            Neurons::Stepwise(Box::new(stepwise))
        }
    }
}

fn stepwise<R: Instantiate>(
    context: &NodeContext<'_>,
    population: &Population,
    quantities: &Quantities,
    initial: Vec<Vec<R>>,
    shape: &Shape,
) -> Stepwise<R> {
    let stride = stride_of::<R>(shape.range.len());
    let parts = StepwiseParts {
        kernel: R::kernel(population.neuron.as_ref()),
        initial,
        derived: quantities.derived(&shape.range, stride),
        stream: Philox::new(context.plan.seed, Purpose::Neuron, context.id as u64),
    };
    Stepwise::new(shape, parts)
}

/// Parameters, initial states and derived quantities of a whole population, in f64.
pub(crate) struct Quantities {
    size: usize,
    /// Of every parameter, one value or one for each neuron.
    parameters: Vec<Vec<f64>>,
    /// One row for all neurons, or one per neuron.
    derived: Vec<Vec<f64>>,
    /// `[states][neurons]`.
    initial: Vec<Vec<f64>>,
}

impl Quantities {
    fn draw(context: &NodeContext<'_>, population: &Population) -> Result<Self, BuildError> {
        let (plan, id, size) = (context.plan, context.id, context.node.size());
        let stream =
            |k: usize| construction_stream(plan.seed, Purpose::Population, id as u64, k as u64);
        let values = population.parameters.iter().enumerate().map(|(k, value)| {
            let n = if value.constant().is_some() { 1 } else { size };
            let mut stream = stream(k);
            (0..n).map(|i| value.get(i, &mut stream)).collect()
        });
        Self::of(plan, id, population, values.collect())
    }

    /// What follows from the given values of the parameters: of each, one value or one for each neuron.
    pub(crate) fn of(
        plan: &Plan,
        id: NodeId,
        population: &Population,
        parameters: Vec<Vec<f64>>,
    ) -> Result<Self, BuildError> {
        let node = &plan.nodes[id];
        let context = NodeContext {
            plan,
            id,
            node,
            options: BuildOptions::default(),
        };
        let size = node.size();
        let neuron = population.neuron.as_ref();
        let ports = neuron.ports();
        let shared = parameters.iter().all(|values| values.len() == 1);
        let n_rows = if shared { 1.min(size) } else { size };
        let mut derived = Vec::with_capacity(n_rows);
        let mut initial = vec![Vec::with_capacity(size); ports.states.len()];
        for neuron_index in 0..n_rows {
            let parameters: Vec<f64> = parameters
                .iter()
                .map(|values| values[neuron_index % values.len()])
                .collect();
            let row = neuron.derive(&parameters, plan.dt_ms);
            for (k, &value) in row.iter().enumerate() {
                finite(&context, value, neuron_index, || {
                    let names = ports.parameters.iter().zip(&parameters);
                    let given: Vec<String> = names
                        .map(|(p, x)| {
                            format!("{} = {} {}", p.name, p.unit.from_base(*x), p.unit.name)
                        })
                        .collect();
                    format!("quantity {k} that follows from {}", given.join(", "))
                })?;
            }
            derived.push(row);
            let states = neuron.initial_states(&parameters, plan.dt_ms);
            let copies = if shared { size } else { 1 };
            for (array, value) in initial.iter_mut().zip(states) {
                array.extend(std::iter::repeat_n(value, copies));
            }
        }
        for (state, value) in &population.initial {
            let k = population.parameters.len() + state;
            let mut stream =
                construction_stream(plan.seed, Purpose::Population, id as u64, k as u64);
            for (i, x) in initial[*state].iter_mut().enumerate() {
                *x = value.get(i, &mut stream);
            }
        }
        for (k, array) in initial.iter().enumerate() {
            for (i, &value) in array.iter().enumerate() {
                finite(&context, value, i, || {
                    format!("initial `{}`", ports.states[k].name)
                })?;
            }
        }
        Ok(Self {
            size,
            parameters,
            derived,
            initial,
        })
    }

    /// Of every parameter, one value or one for each neuron.
    pub(crate) fn parameters(&self) -> &[Vec<f64>] {
        &self.parameters
    }

    pub(crate) fn initial<R: Instantiate>(&self, range: &Range<u32>) -> Vec<Vec<R>> {
        self.initial
            .iter()
            .map(|values| {
                range
                    .clone()
                    .map(|lane| R::from_f64(values[lane as usize % self.size]))
                    .collect()
            })
            .collect()
    }

    pub(crate) fn derived<R: Instantiate>(
        &self,
        range: &Range<u32>,
        stride: usize,
    ) -> Vec<Derived<R>> {
        let Some(first) = self.derived.first() else {
            return Vec::new();
        };
        (0..first.len())
            .map(|k| {
                let same = self
                    .derived
                    .iter()
                    .all(|row| row[k].to_bits() == first[k].to_bits());
                if same {
                    return Derived::shared(R::from_f64(first[k]));
                }
                let mut values: Vec<R> = range
                    .clone()
                    .map(|lane| R::from_f64(self.derived[lane as usize % self.size][k]))
                    .collect();
                values.resize(stride, R::from_f64(first[k]));
                Derived::PerNeuron(values)
            })
            .collect()
    }
}

fn finite(
    context: &NodeContext<'_>,
    value: f64,
    neuron: usize,
    what: impl FnOnce() -> String,
) -> Result<(), BuildError> {
    if value.is_finite() {
        return Ok(());
    }
    Err(BuildError::NotFinite {
        population: context.node.name.clone(),
        what: what(),
        neuron,
        value,
    })
}

fn afferents<R: Instantiate>(context: &NodeContext<'_>) -> Vec<(usize, Afferent<R>)> {
    let plan = context.plan;
    let mut afferents = Vec::new();
    for edge in plan.edges.iter().filter(|e| e.target == context.id) {
        if let EdgeKind::Identity { delay_steps } = &edge.kind {
            let identity = Identity {
                source: edge.source,
                delay: *delay_steps,
                real: emits_real(&plan.nodes[edge.source]),
                lanes: plan.nodes[edge.source].size() * plan.batch,
            };
            afferents.push((edge.port, Afferent::Identity(identity)));
        }
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

/// What monitors record of the whole population `id` of a plan.
#[cfg(feature = "gpu")]
pub(crate) fn whole_recorders(plan: &Plan, id: NodeId) -> Vec<StateRecorder> {
    let node = &plan.nodes[id];
    let NodeKind::Population(population) = &node.kind else {
        return Vec::new();
    };
    let context = NodeContext {
        plan,
        id,
        node,
        options: BuildOptions::default(),
    };
    recorders(&context, population, &(0..to_u32(node.size() * plan.batch)))
}

pub(super) fn recorders(
    context: &NodeContext<'_>,
    population: &Population,
    range: &Range<u32>,
) -> Vec<StateRecorder> {
    let mut recorders = Vec::new();
    let size = to_u32(context.node.size());
    for (index, monitor) in context.plan.monitors.iter().enumerate() {
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
        // Every copy of the batch, one after the other.
        let here: Vec<u32> = (0..to_u32(context.plan.batch))
            .flat_map(|copy| neurons.iter().map(move |n| copy * size + n))
            .filter(|lane| range.contains(lane))
            .collect();
        for &state in states {
            let quantity = &population.neuron.ports().states[state];
            recorders.push(StateRecorder {
                state,
                lanes: here.iter().map(|n| n - range.start).collect(),
                every_steps: *every_steps,
                scale: 1.0 / quantity.unit.scale,
                trace: Trace {
                    monitor: index,
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
