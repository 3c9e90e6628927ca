//! From a plan to an unrolled network.

use std::sync::Arc;

use super::emission::Emission;
use super::graph::{groups, routes, wanted};
use super::layer::{Arrived, LayerNode};
use super::memory::segment;
use super::population::{Learned, PopulationNode, blocks, reverse_of};
use super::source::SourceNode;
use super::synapses::synapses_nodes;
use super::update::Newer;
use super::worker::Worker;
use super::{
    DrivenPort, Output, Route, UnrolledError, UnrolledNetwork, UnrolledNode, UnrolledOptions, Work,
};
use crate::build::{BuildError, emits_real, layer_parameters, layer_stream, quantities};
use crate::instantiate::Instantiate;
use crate::plan::{NodeId, NodeKind, Plan, Population};
use crate::port::{SpikeSourceType, StimulusContext, Tensor};
use crate::random::{Philox, Purpose};

impl<R: Instantiate> UnrolledNetwork<R> {
    /// Unrolls the network. The batch size and the duration of the description do not count.
    ///
    /// # Errors
    /// If the description holds something that cannot be unrolled (see the module), an option cannot be,
    /// or memory does not suffice.
    pub fn new(plan: Arc<Plan>, options: &UnrolledOptions) -> Result<Self, UnrolledError> {
        check(options)?;
        let synapses = synapses_nodes::<R>(&plan)?;
        let routes = routes(&plan, &synapses)?;
        let groups = groups(&plan, &synapses, &routes)?;
        let wanted = wanted(&plan, &synapses, &routes, options.input_cotangents);
        let threads = options.threads;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|k| format!("rheobase-{k}"))
            .build()
            .map_err(|e| UnrolledError::Option {
                option: "threads",
                found: threads.to_string(),
                expected: format!("as many as the system starts ({e})"),
            })?;
        let on_cycle = |id: NodeId| groups.iter().any(|g| g.is_cycle && g.nodes.contains(&id));
        let mut nodes = Vec::with_capacity(plan.nodes.len());
        for (id, node) in plan.nodes.iter().enumerate() {
            let outgoing = routes.iter().flatten().filter(|r| r.source == id);
            let history = outgoing.map(|r| r.delay).max().unwrap_or(0);
            let width = node.size();
            let is_source = matches!(node.kind, NodeKind::Source(_));
            let work = match &node.kind {
                NodeKind::Input(_) => Work::Input,
                NodeKind::Layer(_) => Work::Layer(Box::new(layer_node(
                    &plan,
                    id,
                    &routes[id],
                    on_cycle(id),
                    threads,
                )?)),
                NodeKind::Population(p) => {
                    if wanted[id] && p.neuron.component().is_none() {
                        let what = "a neuron without equations, behind something that is trained,";
                        return Err(unsupported(&node.name, what));
                    }
                    Work::Population(Box::new(population_node(&plan, id, p, options)?))
                }
                NodeKind::Source(source) => {
                    Work::Source(Box::new(source_node(&plan, id, source, options)?))
                }
                NodeKind::Actor(_) => return Err(unsupported(&node.name, "a user's own actor")),
            };
            nodes.push(UnrolledNode {
                name: node.name.clone(),
                width,
                work,
                routes: routes[id].clone(),
                emission: Emission::new(
                    width,
                    options.batch,
                    history,
                    emits_real(node) || is_source,
                ),
                cotangent: Vec::new(),
                is_wanted: wanted[id],
            });
        }
        for (id, node) in (plan.nodes.len()..).zip(synapses) {
            let width = plan.nodes[node.target].size();
            nodes.push(UnrolledNode {
                name: format!("synapses onto {}", plan.nodes[node.target].name),
                width,
                work: Work::Synapses(Box::new(node)),
                routes: routes[id].clone(),
                emission: Emission::new(width, options.batch, 0, true),
                cotangent: Vec::new(),
                is_wanted: wanted[id],
            });
        }
        let outputs = outputs(&plan, &options.outputs)?;
        let segment = segment(&nodes, &groups, options)?;
        let mut network = Self {
            inputs: (0..nodes.len())
                .filter(|&id| matches!(nodes[id].work, Work::Input))
                .collect(),
            outputs,
            drives: drives(&plan, options.batch),
            plan,
            nodes,
            groups,
            pool: Arc::new(pool),
            batch: options.batch,
            max_batch: options.batch,
            steps: options.steps,
            segment,
            truncate: options.truncate_steps,
            passes: 0,
            version: 1,
            is_taped: false,
            carries: Vec::new(),
            options: options.clone(),
            device: None,
            newer: Newer::default(),
            left: Vec::new(),
            fault: None,
        };
        network.set_batch(options.batch);
        network.refresh()?;
        Ok(network)
    }

    /// Cuts populations into blocks for so many samples.
    pub(super) fn set_batch(&mut self, batch: usize) {
        self.batch = batch;
        let groups = &self.groups;
        for (id, node) in self.nodes.iter_mut().enumerate() {
            node.emission.batch = batch;
            let Work::Population(p) = &mut node.work else {
                continue;
            };
            p.batch = batch;
            let is_cycle = groups.iter().any(|g| g.is_cycle && g.nodes.contains(&id));
            let steps = if is_cycle { 1 } else { self.segment };
            p.blocks = blocks::<R>(p.size, batch, p.n_states + p.n_ports, steps);
        }
    }

    /// Brings what follows from the parameters of populations up to date.
    pub(super) fn refresh(&mut self) -> Result<(), UnrolledError> {
        let batch = self.batch;
        for (id, (node, planned)) in self.nodes.iter_mut().zip(&self.plan.nodes).enumerate() {
            let (Work::Population(p), NodeKind::Population(population)) =
                (&mut node.work, &planned.kind)
            else {
                continue;
            };
            let lanes = p.lanes();
            let is_current = p.learned.parameters.is_empty()
                && p.initial.iter().all(|a| a.len() == lanes)
                && !p.initial.is_empty();
            if is_current {
                continue;
            }
            let mut all = p.learned.all.clone();
            for tensor in &mut p.learned.parameters {
                let ports = population.neuron.ports();
                let index = ports.parameters.iter().position(|q| q.name == tensor.name);
                if let Some(k) = index {
                    population.keep_within_bounds(k, &mut tensor.values);
                    all[k] = tensor.values.iter().map(|x| x.to_f64()).collect();
                }
            }
            let quantities = crate::build::Quantities::of(&self.plan, id, population, all.clone())?;
            p.learned.all = all;
            let range = 0..u32::try_from(p.size * batch).unwrap_or(u32::MAX);
            p.initial = quantities.initial(&range);
            p.derived = quantities.derived(&range, p.lanes());
            p.states.clone_from(&p.initial);
        }
        Ok(())
    }
}

pub(super) fn unsupported(name: &str, what: &'static str) -> UnrolledError {
    UnrolledError::Unsupported {
        name: name.to_owned(),
        what,
    }
}

fn check(options: &UnrolledOptions) -> Result<(), UnrolledError> {
    /// More than any machine holds.
    const MOST: usize = 1 << 31;
    let sizes = [
        ("steps", options.steps),
        ("batch", options.batch),
        ("truncate_steps", options.truncate_steps.unwrap_or(1)),
    ];
    for (option, n) in sizes.into_iter().chain([("threads", options.threads)]) {
        let most = if option == "threads" { 1024 } else { MOST };
        if !(1..=most).contains(&n) {
            return Err(UnrolledError::Option {
                option,
                found: n.to_string(),
                expected: format!("1 to {most}"),
            });
        }
    }
    Ok(())
}

fn layer_node<R: Instantiate>(
    plan: &Plan,
    id: NodeId,
    routes: &[Route],
    on_cycle: bool,
    threads: usize,
) -> Result<LayerNode<R>, UnrolledError> {
    let node = &plan.nodes[id];
    let NodeKind::Layer(layer) = &node.kind else {
        return Err(unsupported(&node.name, "what is no layer"));
    };
    let Some(first) = routes.first() else {
        return Err(BuildError::LayerWithoutInput {
            layer: node.name.clone(),
        }
        .into());
    };
    if on_cycle && layer.mixes_rows() {
        return Err(unsupported(
            &node.name,
            "a layer that takes statistics over all steps, on a cycle,",
        ));
    }
    let source = &plan.nodes[first.source];
    let parameters = layer_parameters::<R>(plan, id)?;
    Ok(LayerNode {
        layer: R::layer(layer.as_ref(), &source.shape),
        gradients: zeros(&parameters),
        parameters,
        stream: layer_stream(plan, id),
        mixes_rows: layer.mixes_rows(),
        depends_on_step: layer.depends_on_step(),
        n_in: source.size(),
        arrived: Arrived::default(),
        scratch: (0..threads).map(|_| Vec::new()).collect(),
        arrived_cotangent: Vec::new(),
    })
}

fn zeros<R: Instantiate>(like: &[Tensor<R>]) -> Vec<Tensor<R>> {
    like.iter()
        .map(|t| Tensor {
            values: vec![R::ZERO; t.values.len()],
            ..t.clone()
        })
        .collect()
}

fn population_node<R: Instantiate>(
    plan: &Plan,
    id: NodeId,
    population: &Population,
    options: &UnrolledOptions,
) -> Result<PopulationNode<R>, UnrolledError> {
    let node = &plan.nodes[id];
    if population.time.is_continuous() {
        return Err(unsupported(&node.name, "a population in continuous time"));
    }
    let neuron = population.neuron.as_ref();
    let ports = neuron.ports();
    let quantities = quantities(plan, id)?;
    let reverse = neuron.component().map(reverse_of);
    let learned_indices: Vec<usize> = reverse
        .iter()
        .flat_map(|r| r.learned().iter().map(|&k| k as usize))
        .collect();
    let parameters: Vec<Tensor<R>> = learned_indices
        .iter()
        .map(|&k| {
            let values = &quantities.parameters()[k];
            Tensor {
                name: ports.parameters[k].name.clone(),
                shape: vec![values.len()],
                values: values.iter().map(|&x| R::from_f64(x)).collect(),
            }
        })
        .collect();
    let given = |state: usize| population.initial.iter().any(|(k, _)| *k == state);
    Ok(PopulationNode {
        size: node.size(),
        batch: options.batch,
        n_ports: ports.inputs.len(),
        n_states: ports.states.len(),
        emits: population.emits,
        dt_ms: plan.dt_ms,
        stream: Philox::new(plan.seed, Purpose::Neuron, id as u64),
        blocks: Vec::new(),
        initial: Vec::new(),
        states: Vec::new(),
        before: Vec::new(),
        derived: Vec::new(),
        state_cotangents: Vec::new(),
        arrived_cotangents: vec![Vec::new(); ports.inputs.len()],
        driven: vec![Vec::new(); ports.inputs.len()],
        derived_cotangents: Vec::new(),
        workers: (0..options.threads)
            .map(|_| Worker::new(neuron, reverse.as_ref()))
            .collect(),
        learned: Learned {
            all: quantities.parameters().to_vec(),
            gradients: zeros(&parameters),
            parameters,
            given: (0..ports.states.len()).map(given).collect(),
        },
        reverse,
    })
}

fn outputs<R>(plan: &Plan, names: &[String]) -> Result<Vec<Output<R>>, UnrolledError> {
    let output = |node| Output {
        node,
        values: Vec::new(),
        is_seeded: false,
    };
    if names.is_empty() {
        let is_heard = |id: NodeId| {
            let mut edges = plan.edges.iter();
            edges.any(|e| e.source == id && e.target != id)
        };
        let ends = (0..plan.nodes.len()).filter(|&id| !is_heard(id));
        return Ok(ends.map(output).collect());
    }
    let find = |name: &String| {
        let found = plan.nodes.iter().position(|n| n.name == *name);
        found.map(output).ok_or_else(|| UnrolledError::Name {
            what: "node",
            name: name.clone(),
            names: plan
                .nodes
                .iter()
                .map(|n| n.name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        })
    };
    names.iter().map(find).collect()
}

fn source_node(
    plan: &Plan,
    id: NodeId,
    source: &Arc<dyn SpikeSourceType>,
    options: &UnrolledOptions,
) -> Result<SourceNode, UnrolledError> {
    let is_given = source.size().is_some();
    let size = plan.nodes[id].size();
    let copies = if is_given { 1 } else { options.batch };
    // The neurons of all samples are numbered together.
    if u32::try_from(size.saturating_mul(copies)).is_err() {
        return Err(UnrolledError::Option {
            option: "batch",
            found: options.batch.to_string(),
            expected: format!(
                "fewer samples of the {size} neurons of `{}`",
                plan.nodes[id].name
            ),
        });
    }
    let context = StimulusContext {
        dt_ms: plan.dt_ms,
        stream: Philox::new(plan.seed, Purpose::Stimulus, id as u64),
        size: u32::try_from(size).unwrap_or(u32::MAX),
    };
    let source = Arc::clone(source);
    Ok(SourceNode {
        make: Box::new(move || source.instantiate(context)),
        is_given,
        spikes: Vec::new(),
    })
}

fn drives<R: Instantiate>(plan: &Plan, batch: usize) -> Vec<DrivenPort<R>> {
    let of_drive = |(index, edge): (usize, &crate::plan::DriveEdge)| {
        let lanes = plan.nodes[edge.target].size() * batch;
        let context = StimulusContext {
            dt_ms: plan.dt_ms,
            stream: Philox::new(
                plan.seed,
                Purpose::Stimulus,
                (plan.nodes.len() + index) as u64,
            ),
            size: u32::try_from(lanes).unwrap_or(u32::MAX),
        };
        let drive = Arc::clone(&edge.drive);
        DrivenPort {
            node: edge.target,
            port: edge.port,
            make: Box::new(move || R::drive(drive.as_ref(), context)),
        }
    };
    plan.drives.iter().enumerate().map(of_drive).collect()
}
