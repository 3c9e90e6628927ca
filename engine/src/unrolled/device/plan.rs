//! What a device needs of an unrolled network to run its passes, and gives back.

use rheobase_equations::gradient::Reverse;
use rheobase_equations::lower::Component;
use rheobase_equations::native::Derived;
use rheobase_shaders::LayerShape;

use super::DevicePass;
use crate::instantiate::Instantiate;
use crate::plan::{NodeId, NodeKind, Plan};
use crate::port::Tensor;
use crate::rows::Synapse;
use crate::unrolled::update::Newer;
use crate::unrolled::{Group, Route, UnrolledError, UnrolledNetwork, Work};

/// A node as devices see it.
pub(crate) struct NodePlan {
    pub(crate) name: String,
    /// Elements of a row.
    pub(crate) width: usize,
    /// Steps kept from before the first.
    pub(crate) history: usize,
    /// A cotangent is wanted here.
    pub(crate) is_wanted: bool,
    pub(crate) routes: Vec<Route>,
    pub(crate) work: WorkPlan,
}

/// What a node does.
pub(crate) enum WorkPlan {
    Input,
    Source,
    Layer {
        shape: LayerShape,
        key: [u32; 2],
        depends_on_step: bool,
        mixes_rows: bool,
    },
    Population(Box<PopulationPlan>),
    /// Projections, in the order of their sums.
    Synapses(Vec<ProjectionPlan>),
}

/// A projection.
pub(crate) struct ProjectionPlan {
    pub(crate) source: NodeId,
    /// Numbers that the source emits are numbers of spikes.
    pub(crate) counts: bool,
    pub(crate) is_learnable: bool,
    /// In the order of the weights.
    pub(crate) synapses: Vec<Synapse>,
}

/// A population.
pub(crate) struct PopulationPlan {
    pub(crate) component: Component,
    pub(crate) reverse: Option<Reverse>,
    pub(crate) emits: Option<usize>,
    pub(crate) key: [u32; 2],
}

/// Who hears of whom, and in which order nodes run.
pub(crate) struct GraphPlan {
    pub(crate) nodes: Vec<NodePlan>,
    pub(crate) groups: Vec<Group>,
    pub(crate) inputs: Vec<NodeId>,
}

impl<R: Instantiate> UnrolledNetwork<R> {
    /// The network as devices see it. Nodes they cannot run are an error that names them.
    pub(crate) fn device_plan(&self) -> Result<GraphPlan, UnrolledError> {
        let mut nodes = Vec::with_capacity(self.nodes.len());
        for (id, node) in self.nodes.iter().enumerate() {
            let work = match &node.work {
                Work::Input => WorkPlan::Input,
                Work::Source(_) => WorkPlan::Source,
                Work::Synapses(synapses) => {
                    let plan = |p: &super::super::synapses::Projection<R>| ProjectionPlan {
                        source: p.source,
                        counts: p.counts(),
                        is_learnable: p.is_learnable,
                        synapses: p.synapses().collect(),
                    };
                    WorkPlan::Synapses(synapses.projections.iter().map(plan).collect())
                }
                Work::Layer(layer) => WorkPlan::Layer {
                    shape: layer_shape(&self.plan, id, &node.routes)
                        .ok_or_else(|| on_processor(&node.name, "such a layer"))?,
                    key: layer.stream.key(),
                    depends_on_step: layer.depends_on_step,
                    mixes_rows: layer.mixes_rows,
                },
                Work::Population(p) => {
                    let NodeKind::Population(population) = &self.plan.nodes[id].kind else {
                        return Err(on_processor(&node.name, "what is no population"));
                    };
                    let Some(component) = population.neuron.component() else {
                        return Err(on_processor(&node.name, "a neuron written in Rust"));
                    };
                    WorkPlan::Population(Box::new(PopulationPlan {
                        component: component.clone(),
                        reverse: p.reverse.clone(),
                        emits: p.emits,
                        key: p.stream.key(),
                    }))
                }
            };
            nodes.push(NodePlan {
                name: node.name.clone(),
                width: node.width,
                history: node.emission.history,
                is_wanted: node.is_wanted,
                routes: node.routes.clone(),
                work,
            });
        }
        Ok(GraphPlan {
            nodes,
            groups: self.groups.clone(),
            inputs: self.inputs.clone(),
        })
    }

    /// Lets `device` run passes from now on; the processor does without one.
    pub(crate) fn attach(&mut self, device: Option<Box<dyn DevicePass<R>>>) {
        // What the device before this one has is taken over.
        self.look();
        match self.fetch_kept() {
            Ok(left) => self.left = left,
            Err(fault) => self.fault = Some(fault),
        }
        self.newer = Newer::default();
        self.is_taped = false;
        self.device = device;
    }

    /// Back-propagation is cut at every multiple of so many steps.
    pub(crate) fn truncate_steps(&self) -> Option<usize> {
        self.truncate
    }

    /// Most bytes that are kept for back-propagation.
    pub(crate) fn max_bytes(&self) -> Option<u64> {
        self.options.max_bytes
    }

    /// Most samples of a pass.
    pub(crate) fn max_batch(&self) -> usize {
        self.max_batch
    }

    /// Counts how often parameters may have been changed.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Steps of the passes before the last.
    pub(crate) fn steps_before_pass(&self) -> u64 {
        self.passes.saturating_sub(1) * self.steps as u64
    }

    /// Trained arrays of a layer.
    pub(crate) fn layer_parameters(&mut self, id: NodeId) -> &mut [Tensor<R>] {
        match &mut self.nodes[id].work {
            Work::Layer(layer) => &mut layer.parameters,
            _ => &mut [],
        }
    }

    /// Shows the trained arrays of every layer, to be changed.
    pub(crate) fn change_layers(&mut self, visit: &mut dyn FnMut(NodeId, &mut Tensor<R>)) {
        let mut is_changed = false;
        for id in 0..self.nodes.len() {
            for tensor in self.layer_parameters(id) {
                let before = tensor.values.clone();
                visit(id, tensor);
                let mut pairs = before.iter().zip(&tensor.values);
                is_changed |= pairs.any(|(a, b)| a.to_f64().to_bits() != b.to_f64().to_bits());
            }
        }
        if is_changed {
            self.version += 1;
        }
    }

    /// Gradients of a layer.
    pub(crate) fn layer_gradients(&mut self, id: NodeId) -> &mut [Tensor<R>] {
        match &mut self.nodes[id].work {
            Work::Layer(layer) => &mut layer.gradients,
            _ => &mut [],
        }
    }

    /// Arrays of a layer that are not trained.
    pub(crate) fn layer_buffers(&mut self, id: NodeId) -> &mut [Tensor<R>] {
        match &mut self.nodes[id].work {
            Work::Layer(layer) => layer.layer.buffers(),
            _ => &mut [],
        }
    }

    /// Weights of the projections of a node.
    pub(crate) fn synapse_weights(&self, id: NodeId) -> Vec<&Tensor<R>> {
        match &self.nodes[id].work {
            Work::Synapses(s) => s.projections.iter().map(|p| &p.weight).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether a node stands for projections.
    pub(crate) fn has_projections(&self, id: NodeId) -> bool {
        matches!(self.nodes[id].work, Work::Synapses(_))
    }

    /// Weights of the projections of a node that are trained.
    pub(crate) fn trained_synapse_weights(&mut self, id: NodeId) -> Vec<&mut Tensor<R>> {
        match &mut self.nodes[id].work {
            Work::Synapses(s) => {
                let learnable = s.projections.iter_mut().filter(|p| p.is_learnable);
                learnable.map(|p| &mut p.weight).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Gradients of the projections of a node that are trained.
    pub(crate) fn synapse_gradients(&mut self, id: NodeId) -> Vec<&mut Tensor<R>> {
        match &mut self.nodes[id].work {
            Work::Synapses(s) => {
                let learnable = s.projections.iter_mut().filter(|p| p.is_learnable);
                learnable.map(|p| &mut p.gradient).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Derived quantities and initial states of a population, by lane.
    pub(crate) fn population_values(&self, id: NodeId) -> (&[Derived<R>], &[Vec<R>]) {
        match &self.nodes[id].work {
            Work::Population(p) => (&p.derived, &p.initial),
            _ => (&[], &[]),
        }
    }

    /// Adds the gradients of a population's learned parameters, given cotangents of its initial states and
    /// of the derived quantities they reach, by lane.
    pub(crate) fn add_population_gradients_of(
        &mut self,
        id: NodeId,
        states: Vec<Vec<R>>,
        derived: Vec<Vec<f64>>,
    ) {
        if let Work::Population(p) = &mut self.nodes[id].work {
            (p.state_cotangents, p.derived_cotangents) = (states, derived);
            p.add_gradients();
        }
    }

    /// What a stimulus emits in all steps of the pass, `[T, N, *]`.
    pub(crate) fn emit_source(&mut self, id: NodeId) -> Vec<R> {
        let (steps, passed) = (self.steps, self.steps_before_pass());
        let node = &mut self.nodes[id];
        node.emission.clear(steps, false);
        if let Work::Source(source) = &mut node.work {
            let first = if source.is_given { 1 } else { passed + 1 };
            source.emit(&(0..steps), first, &mut node.emission);
        }
        let rows = node.emission.own(&(0..steps));
        node.emission.values(&rows).to_vec()
    }

    /// Nodes whose emissions are wanted.
    pub(crate) fn output_nodes(&self) -> Vec<NodeId> {
        self.outputs.iter().map(|o| o.node).collect()
    }

    /// Takes what an output emitted, `[T, N, *]`.
    pub(crate) fn set_output(&mut self, place: usize, values: Vec<R>) {
        self.outputs[place].values = values;
    }

    /// Whether the cotangent of an input is wanted.
    pub(crate) fn takes_input_cotangents(&self) -> bool {
        self.options.input_cotangents
    }

    /// Takes the cotangent of an input, as the processor would leave it.
    pub(crate) fn set_input_cotangent(&mut self, id: NodeId, constant: bool, values: Vec<R>) {
        let (steps, batch) = (self.steps, self.batch);
        let node = &mut self.nodes[id];
        node.emission
            .clear(if constant { 1 } else { steps }, constant);
        node.cotangent.clear();
        if !constant {
            let history = node.emission.history * batch * node.width;
            node.cotangent.resize(history, R::ZERO);
        }
        node.cotangent.extend(values);
    }
}

fn on_processor(name: &str, what: &str) -> UnrolledError {
    UnrolledError::Device(format!(
        "`{name}`: {what} cannot be trained on a device; use the CPU backend"
    ))
}

fn layer_shape(plan: &Plan, id: NodeId, routes: &[Route]) -> Option<LayerShape> {
    let NodeKind::Layer(layer) = &plan.nodes[id].kind else {
        return None;
    };
    layer.on_device(&plan.nodes[routes.first()?.source].shape)
}
