//! From a plan to a session.

use super::{PopulationWork, Ring, Route, Session, SessionNode, Work};
use crate::build::{BuildError, emits_real, layer_parameters, whole_population};
use crate::instantiate::Instantiate;
use crate::packet::Packet;
use crate::plan::{EdgeKind, NodeId, NodeKind, Plan, WeightFormat};
use crate::port::Tensor;

/// How a session is made.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// How the weights of layers are kept.
    pub weights: WeightFormat,
    /// Nodes whose emissions are wanted, by name. Empty: those that nothing is joined to.
    pub outputs: Vec<String>,
    /// Parameters of layers by node and name, `(node, tensor)`, instead of initial ones.
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

impl<R: Instantiate> Session<R> {
    /// A session of the network, for one sample: the batch size of the description does not count.
    ///
    /// # Errors
    /// If the description holds projections, spike sources, users' actors or continuous time, or a
    /// parameter does not fit.
    pub fn new(plan: &Plan, options: &SessionOptions) -> Result<Self, SessionError> {
        let routes = routes(plan)?;
        let mut nodes = Vec::with_capacity(plan.nodes.len());
        for (id, node) in plan.nodes.iter().enumerate() {
            let longest = routes
                .iter()
                .filter(|r| r.1.source == id)
                .map(|r| r.1.delay);
            let ring = Ring::new(emits_real(node), node.size(), longest.max().unwrap_or(0));
            nodes.push(SessionNode {
                name: node.name.clone(),
                size: node.size(),
                emitted: ring,
                work: work(plan, id, options, &routes)?,
            });
        }
        check_names(plan, options)?;
        let is_input = |id: &NodeId| matches!(plan.nodes[*id].kind, NodeKind::Input(_));
        Ok(Self {
            order: order(plan, &routes)?
                .into_iter()
                .filter(|id| !is_input(id))
                .collect(),
            inputs: (0..nodes.len()).filter(is_input).collect(),
            outputs: outputs(plan, &routes, &options.outputs)?,
            nodes,
            now: 0,
            dt_ms: plan.dt_ms,
        })
    }
}

/// Target, and where from, of every edge; in the order of the description.
fn routes(plan: &Plan) -> Result<Vec<(NodeId, Route, usize)>, SessionError> {
    let route = |edge: &crate::plan::Edge| match edge.kind {
        EdgeKind::Identity { delay_steps } => {
            let route = Route {
                source: edge.source,
                delay: delay_steps,
            };
            Ok((edge.target, route, edge.port))
        }
        EdgeKind::Synapses(_) => Err(SessionError::Unsupported {
            name: edge.name.clone(),
            what: "a projection of synapses",
        }),
    };
    plan.edges.iter().map(route).collect()
}

fn work<R: Instantiate>(
    plan: &Plan,
    id: NodeId,
    options: &SessionOptions,
    routes: &[(NodeId, Route, usize)],
) -> Result<Work<R>, SessionError> {
    let node = &plan.nodes[id];
    let unsupported = |what| {
        Err(SessionError::Unsupported {
            name: node.name.clone(),
            what,
        })
    };
    match &node.kind {
        NodeKind::Input(_) => Ok(Work::Input),
        NodeKind::Layer(layer) => {
            let (source, initial) = layer_parameters::<R>(plan, id)?;
            let mut incoming = routes.iter().filter(|r| r.0 == id).map(|r| r.1);
            let route = incoming.next().unwrap_or(Route { source, delay: 0 });
            let parameters = given(&node.name, initial, options)?;
            let shape = &plan.nodes[source].shape;
            let layer = R::step_layer(layer.as_ref(), shape, &parameters, options.weights);
            let layer = layer.map_err(|message| SessionError::Weights {
                layer: node.name.clone(),
                message,
            })?;
            Ok(Work::Layer(layer, route))
        }
        NodeKind::Population(population) if population.time.is_continuous() => {
            unsupported("a population in continuous time")
        }
        NodeKind::Population(_) => {
            let whole = whole_population::<R>(plan, id)?;
            // Room for as much as it ever emits.
            let mut packet = Packet::default();
            packet.clear();
            packet.spikes_mut().reserve(node.size());
            packet.real_mut().reserve(node.size());
            let of_node = routes.iter().filter(|r| r.0 == id);
            Ok(Work::Population(Box::new(PopulationWork {
                shape: whole.shape,
                neurons: whole.neurons,
                inputs: whole.inputs,
                afferents: of_node.map(|&(_, route, port)| (port, route)).collect(),
                drives: whole.drives,
                packet,
            })))
        }
        NodeKind::Source(_) => unsupported("a stimulus that emits spikes"),
        NodeKind::Actor(_) => unsupported("a user's own actor"),
    }
}

/// Initial parameters, replaced where others are given.
fn given<R: Instantiate>(
    node: &str,
    mut initial: Vec<Tensor<R>>,
    options: &SessionOptions,
) -> Result<Vec<Tensor<R>>, SessionError> {
    for (_, tensor) in options.parameters.iter().filter(|(n, _)| n == node) {
        let error = |message: String| SessionError::Parameter {
            node: node.to_owned(),
            parameter: tensor.name.clone(),
            message,
        };
        let names: Vec<String> = initial.iter().map(|t| t.name.clone()).collect();
        let Some(place) = initial.iter_mut().find(|t| t.name == tensor.name) else {
            let names = names.join(", ");
            return Err(error(format!("there is none of that name; it has {names}")));
        };
        if tensor.shape != place.shape || tensor.values.len() != place.values.len() {
            let (given, needed) = (&tensor.shape, &place.shape);
            return Err(error(format!("its shape is {needed:?}, not {given:?}")));
        }
        for (k, (to, &from)) in place.values.iter_mut().zip(&tensor.values).enumerate() {
            *to = R::from_f64(from);
            if !to.is_finite() {
                return Err(error(format!("value {k} is {from}")));
            }
        }
    }
    Ok(initial)
}

/// Parameters are of layers that exist.
fn check_names(plan: &Plan, options: &SessionOptions) -> Result<(), SessionError> {
    let is_layer = |name: &str| {
        let mut nodes = plan.nodes.iter();
        nodes.any(|n| n.name == name && matches!(n.kind, NodeKind::Layer(_)))
    };
    match options.parameters.iter().find(|(node, _)| !is_layer(node)) {
        None => Ok(()),
        Some((node, tensor)) => Err(SessionError::Parameter {
            node: node.clone(),
            parameter: tensor.name.clone(),
            message: "there is no layer of that name".to_owned(),
        }),
    }
}

/// An order in which every node comes after those it hears of in the same step.
fn order(plan: &Plan, routes: &[(NodeId, Route, usize)]) -> Result<Vec<NodeId>, SessionError> {
    let now = || routes.iter().filter(|r| r.1.delay == 0);
    let mut order: Vec<NodeId> = Vec::with_capacity(plan.nodes.len());
    let mut left: Vec<NodeId> = (0..plan.nodes.len()).collect();
    while !left.is_empty() {
        let is_ready = |id: &NodeId| {
            now()
                .filter(|r| r.0 == *id)
                .all(|r| order.contains(&r.1.source))
        };
        let ready: Vec<NodeId> = left.iter().copied().filter(is_ready).collect();
        if ready.is_empty() {
            let stuck = now().find(|r| left.contains(&r.0) && left.contains(&r.1.source));
            let (target, route, _) = stuck.copied().unwrap_or((
                left[0],
                Route {
                    source: left[0],
                    delay: 0,
                },
                0,
            ));
            return Err(BuildError::ZeroDelayCycle {
                source_node: plan.nodes[route.source].name.clone(),
                target: plan.nodes[target].name.clone(),
            }
            .into());
        }
        left.retain(|id| !ready.contains(id));
        order.extend(ready);
    }
    Ok(order)
}

fn outputs(
    plan: &Plan,
    routes: &[(NodeId, Route, usize)],
    names: &[String],
) -> Result<Vec<NodeId>, SessionError> {
    if names.is_empty() {
        let is_heard = |id: usize| routes.iter().any(|r| r.1.source == id && r.0 != id);
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
