//! From a plan to a session.

use std::sync::Arc;

use rheobase_equations::real::Real;

use super::work::{LayerWork, PopulationWork, SourceWork, SynapseWork, Work};
use super::{Ring, Route, Session, SessionNode};
use crate::build::{
    BuildError, emits_real, layer_input, layer_parameters, source_context, whole_population,
    whole_projections,
};
use crate::instantiate::Instantiate;
use crate::packet::Packet;
use crate::plan::{Edge, EdgeKind, NodeId, NodeKind, Plan, WeightFormat};
use crate::port::{LayerType, SpikeSource, Tensor};
use crate::rows::Rows;

/// How a session is made.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// How the weights of layers are kept.
    pub weights: WeightFormat,
    /// Nodes whose emissions are wanted, by name. Empty: those that nothing is joined to.
    pub outputs: Vec<String>,
    /// Parameters and buffers (running statistics) of layers and learned parameters of populations (in base
    /// units, one value or one for each neuron) by node and name, `(node, tensor)`, instead of those of the
    /// description. Learned parameters outside the bounds of their text are moved to them, as training does.
    pub parameters: Vec<(String, Tensor<f64>)>,
}

/// Why a session cannot be made.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// Parameters or states cannot be had.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Something in the description does not run step by step.
    #[error("`{name}`: {what} does not run step by step; use a simulation")]
    Unsupported {
        /// Name of the node or edge.
        name: String,
        /// What it is.
        what: &'static str,
    },
    /// An output does not exist.
    #[error("there is no node `{name}` to take outputs from; the nodes are {nodes}")]
    Output {
        /// Its name.
        name: String,
        /// The nodes there are.
        nodes: String,
    },
    /// A parameter does not fit.
    #[error("parameter `{parameter}` of `{node}`: {message}")]
    Parameter {
        /// The node.
        node: String,
        /// The parameter.
        parameter: String,
        /// What is wrong.
        message: String,
    },
    /// A layer cannot keep its weights in this form.
    #[error("layer `{layer}`: {message}")]
    Weights {
        /// The layer.
        layer: String,
        /// What is wrong.
        message: String,
    },
}

/// An edge, its projection drawn.
struct Joint<R> {
    target: NodeId,
    port: usize,
    source: NodeId,
    /// Steps.
    shortest: u64,
    longest: u64,
    rows: Option<Rows<R>>,
}

impl<R: Instantiate> Session<R> {
    /// A session of the network, for one sample: the batch size of the description does not count.
    ///
    /// # Errors
    /// If the description holds users' actors or continuous time, or a parameter does not fit.
    pub fn new(plan: &Plan, options: &SessionOptions) -> Result<Self, SessionError> {
        supported(plan)?;
        check_names(plan, options)?;
        let mut joints = joints::<R>(plan)?;
        let order = order(plan, &joints)?;
        let outputs = outputs(plan, &joints, &options.outputs)?;
        let mut nodes = Vec::with_capacity(plan.nodes.len());
        for (id, node) in plan.nodes.iter().enumerate() {
            let longest = joints.iter().filter(|j| j.source == id).map(|j| j.longest);
            let ring = Ring::new(emits_real(node), node.size(), longest.max().unwrap_or(0));
            nodes.push(SessionNode {
                name: node.name.clone(),
                size: node.size(),
                emitted: ring,
                is_unchanged: false,
                work: work(plan, id, options, &mut joints)?,
            });
        }
        for &id in &order {
            if may_relay(&nodes, id, &joints, &outputs) {
                relay(&mut nodes[id]);
            }
        }
        let is_input = |id: &NodeId| matches!(plan.nodes[*id].kind, NodeKind::Input(_));
        Ok(Self {
            order: order.into_iter().filter(|id| !is_input(id)).collect(),
            inputs: (0..nodes.len()).filter(is_input).collect(),
            outputs,
            nodes,
            now: 0,
            is_fresh: true,
            dt_ms: plan.dt_ms,
        })
    }
}

/// Whether all that arrives at a node are spikes of one population, each element once, and nobody needs
/// what it emits as an array or after its step.
fn may_relay<R: Real>(
    nodes: &[SessionNode<R>],
    id: NodeId,
    joints: &[Joint<R>],
    outputs: &[NodeId],
) -> bool {
    let Work::Layer(layer) = &nodes[id].work else {
        return false;
    };
    let [route] = *layer.routes.as_slice() else {
        return false;
    };
    let source = &nodes[route.source];
    let hears_spikes = match &source.work {
        Work::Population(_) => !source.emitted.is_real,
        Work::Layer(layer) => layer.is_relay,
        Work::Input | Work::Source(_) => false,
    };
    let is_awaited = joints.iter().any(|j| j.source == id && j.longest > 0);
    hears_spikes && !is_awaited && !outputs.contains(&id)
}

/// Lets a layer pass spikes on as a list, if it can.
fn relay<R: Real>(node: &mut SessionNode<R>) {
    if let Work::Layer(layer) = &mut node.work {
        layer.is_relay = layer.layer.relay(&[], &mut Vec::new());
        if layer.is_relay {
            node.emitted = Ring::new(false, node.size, 0);
        }
    }
}

fn supported(plan: &Plan) -> Result<(), SessionError> {
    for node in &plan.nodes {
        let what = match &node.kind {
            NodeKind::Population(p) if p.time.is_continuous() => "a population in continuous time",
            NodeKind::Actor(_) => "a user's own actor",
            _ => continue,
        };
        return Err(SessionError::Unsupported {
            name: node.name.clone(),
            what,
        });
    }
    Ok(())
}

/// Every edge, in the order of the description.
fn joints<R: Instantiate>(plan: &Plan) -> Result<Vec<Joint<R>>, SessionError> {
    let rows = whole_projections::<R>(plan)?;
    let edges = plan.edges.iter().zip(rows);
    let joint = |(edge, rows): (&Edge, Option<Rows<R>>)| {
        let (shortest, longest) = match (&edge.kind, &rows) {
            (EdgeKind::Identity { delay_steps }, _) => (*delay_steps, *delay_steps),
            // What drew no synapse hands on nothing.
            (EdgeKind::Synapses(_), rows) => {
                let shortest = rows.as_ref().and_then(Rows::min_delay);
                (
                    shortest.unwrap_or(1),
                    rows.as_ref().map_or(0, Rows::max_delay),
                )
            }
        };
        Joint {
            target: edge.target,
            port: edge.port,
            source: edge.source,
            shortest,
            longest,
            rows,
        }
    };
    Ok(edges.map(joint).collect())
}

/// What leads to a node from element to element: port, and where from.
fn afferents<R>(joints: &[Joint<R>], id: NodeId) -> Vec<(usize, Route)> {
    let route = |j: &Joint<R>| {
        let route = Route {
            source: j.source,
            delay: j.shortest,
        };
        (j.port, route)
    };
    let joints = joints.iter().filter(|j| j.target == id && j.rows.is_none());
    joints.map(route).collect()
}

fn work<R: Instantiate>(
    plan: &Plan,
    id: NodeId,
    options: &SessionOptions,
    joints: &mut [Joint<R>],
) -> Result<Work<R>, SessionError> {
    let node = &plan.nodes[id];
    match &node.kind {
        NodeKind::Input(_) | NodeKind::Actor(_) => Ok(Work::Input),
        NodeKind::Layer(layer) => {
            let afferents = afferents(joints, id);
            layer_work(plan, id, layer.as_ref(), options, &afferents)
        }
        NodeKind::Population(_) => {
            let learned = learned::<R>(plan, id, options)?;
            population_work(plan, id, learned, joints)
        }
        NodeKind::Source(source) => {
            let (context, source) = (source_context(plan, id), Arc::clone(source));
            let is_timed = source.is_timed();
            let make: Box<dyn Fn() -> Box<dyn SpikeSource> + Send> =
                Box::new(move || source.instantiate(context));
            Ok(Work::Source(Box::new(SourceWork {
                source: make(),
                make,
                size: context.size,
                is_timed,
                offsets_ms: Vec::with_capacity(node.size()),
            })))
        }
    }
}

fn layer_work<R: Instantiate>(
    plan: &Plan,
    id: NodeId,
    layer: &dyn LayerType,
    options: &SessionOptions,
    afferents: &[(usize, Route)],
) -> Result<Work<R>, SessionError> {
    let name = &plan.nodes[id].name;
    let shape = layer_input(plan, id)?;
    let mut initial = layer_parameters::<R>(plan, id)?;
    initial.extend_from_slice(R::layer(layer, shape).buffers());
    let parameters = given(name, initial, options)?;
    let step = R::step_layer(layer, shape, &parameters, options.weights);
    let step = step.map_err(|message| SessionError::Weights {
        layer: name.clone(),
        message,
    })?;
    let n_summed = match afferents.len() {
        1 => 0,
        _ => shape.iter().product(),
    };
    Ok(Work::Layer(Box::new(LayerWork {
        layer: step,
        routes: afferents.iter().map(|(_, route)| *route).collect(),
        sum: vec![R::ZERO; n_summed],
        is_relay: false,
    })))
}

fn population_work<R: Instantiate>(
    plan: &Plan,
    id: NodeId,
    learned: Vec<(usize, Vec<f64>)>,
    joints: &mut [Joint<R>],
) -> Result<Work<R>, SessionError> {
    let size = plan.nodes[id].size();
    let whole = whole_population::<R>(plan, id, learned)?;
    // Room for as much as it ever emits.
    let mut packet = Packet::default();
    packet.clear();
    packet.spikes_mut().reserve(size);
    packet.real_mut().reserve(size);
    let afferents = afferents(joints, id);
    let mut synapses = Vec::new();
    let mut n_due = 0;
    for joint in joints.iter_mut().filter(|j| j.target == id) {
        let (port, source) = (joint.port, joint.source);
        if let Some(rows) = joint.rows.take() {
            n_due = n_due.max(plan.nodes[source].size());
            synapses.push(SynapseWork { port, source, rows });
        }
    }
    Ok(Work::Population(Box::new(PopulationWork {
        shape: whole.shape,
        neurons: whole.neurons,
        inputs: whole.inputs,
        synapses,
        due: Vec::with_capacity(n_due),
        afferents,
        drives: whole.drives,
        packet,
    })))
}

/// Tensors of a layer, replaced where others are given.
fn given<R: Instantiate>(
    node: &str,
    mut initial: Vec<Tensor<R>>,
    options: &SessionOptions,
) -> Result<Vec<Tensor<R>>, SessionError> {
    for (_, tensor) in options.parameters.iter().filter(|(n, _)| n == node) {
        let names = || initial.iter().map(|t| t.name.as_str()).collect::<Vec<_>>();
        let Some(place) = initial.iter().position(|t| t.name == tensor.name) else {
            return Err(unknown(node, tensor, &names()));
        };
        let values = read::<R>(node, tensor, &initial[place].shape)?;
        initial[place].values = values;
    }
    Ok(initial)
}

/// Learned parameters of a population, by index, in the precision of the session.
fn learned<R: Instantiate>(
    plan: &Plan,
    id: NodeId,
    options: &SessionOptions,
) -> Result<Vec<(usize, Vec<f64>)>, SessionError> {
    let node = &plan.nodes[id];
    let NodeKind::Population(population) = &node.kind else {
        return Ok(Vec::new());
    };
    let parameters = &population.neuron.ports().parameters;
    let mut learned = Vec::new();
    for (_, tensor) in options.parameters.iter().filter(|(n, _)| *n == node.name) {
        let Some(k) = parameters.iter().position(|q| q.name == tensor.name) else {
            let names: Vec<&str> = parameters.iter().map(|q| q.name.as_str()).collect();
            return Err(unknown(&node.name, tensor, &names));
        };
        let size = if tensor.values.len() == 1 {
            1
        } else {
            node.size()
        };
        let mut values = read::<R>(&node.name, tensor, &[size])?;
        // Training does so before it runs: what was saved after an update may lie outside.
        population.keep_within_bounds(k, &mut values);
        learned.push((k, values.iter().map(|x| x.to_f64()).collect()));
    }
    Ok(learned)
}

fn unknown(node: &str, tensor: &Tensor<f64>, names: &[&str]) -> SessionError {
    SessionError::Parameter {
        node: node.to_owned(),
        parameter: tensor.name.clone(),
        message: format!("there is none of that name; it has {}", names.join(", ")),
    }
}

/// Values of a tensor that must have this shape.
fn read<R: Instantiate>(
    node: &str,
    tensor: &Tensor<f64>,
    shape: &[usize],
) -> Result<Vec<R>, SessionError> {
    let error = |message: String| SessionError::Parameter {
        node: node.to_owned(),
        parameter: tensor.name.clone(),
        message,
    };
    let needed: usize = shape.iter().product();
    if tensor.shape != shape || tensor.values.len() != needed {
        let given = &tensor.shape;
        return Err(error(format!("its shape is {shape:?}, not {given:?}")));
    }
    let values: Vec<R> = tensor.values.iter().map(|&x| R::from_f64(x)).collect();
    match values.iter().position(|x| !x.is_finite()) {
        Some(k) => Err(error(format!("value {k} is {}", tensor.values[k]))),
        None => Ok(values),
    }
}

/// Parameters are of nodes that can have some.
fn check_names(plan: &Plan, options: &SessionOptions) -> Result<(), SessionError> {
    let may_have = |name: &str| {
        let mut nodes = plan.nodes.iter().filter(|n| n.name == name);
        nodes.any(|n| matches!(n.kind, NodeKind::Layer(_) | NodeKind::Population(_)))
    };
    match options.parameters.iter().find(|(node, _)| !may_have(node)) {
        None => Ok(()),
        Some((node, tensor)) => Err(SessionError::Parameter {
            node: node.clone(),
            parameter: tensor.name.clone(),
            message: "there is no layer or population of that name".to_owned(),
        }),
    }
}

/// An order in which every node comes after those it hears of in the same step.
fn order<R>(plan: &Plan, joints: &[Joint<R>]) -> Result<Vec<NodeId>, SessionError> {
    let now = || joints.iter().filter(|j| j.shortest == 0);
    let mut order: Vec<NodeId> = Vec::with_capacity(plan.nodes.len());
    let mut left: Vec<NodeId> = (0..plan.nodes.len()).collect();
    while !left.is_empty() {
        let is_ready = |id: &NodeId| {
            now()
                .filter(|j| j.target == *id)
                .all(|j| order.contains(&j.source))
        };
        let ready: Vec<NodeId> = left.iter().copied().filter(is_ready).collect();
        if ready.is_empty() {
            let stuck = now().find(|j| left.contains(&j.target) && left.contains(&j.source));
            let (source, target) = stuck.map_or((left[0], left[0]), |j| (j.source, j.target));
            return Err(BuildError::ZeroDelayCycle {
                source_node: plan.nodes[source].name.clone(),
                target: plan.nodes[target].name.clone(),
            }
            .into());
        }
        left.retain(|id| !ready.contains(id));
        order.extend(ready);
    }
    Ok(order)
}

fn outputs<R>(
    plan: &Plan,
    joints: &[Joint<R>],
    names: &[String],
) -> Result<Vec<NodeId>, SessionError> {
    if names.is_empty() {
        let is_heard = |id: usize| joints.iter().any(|j| j.source == id && j.target != id);
        return Ok((0..plan.nodes.len()).filter(|&id| !is_heard(id)).collect());
    }
    let find = |name: &String| {
        let found = plan.nodes.iter().position(|n| n.name == *name);
        found.ok_or_else(|| SessionError::Output {
            name: name.clone(),
            nodes: plan
                .nodes
                .iter()
                .map(|n| n.name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        })
    };
    names.iter().map(find).collect()
}
