//! Forward through a pass, segment by segment.

use std::ops::Range;
use std::sync::Arc;

use super::emission::Emission;
use super::inputs::load;
use super::layer::{self, Kernel, Moment, Way};
use super::population::{Arrivals, Span};
use super::update::Newer;
use super::{Carry, Sequence, UnrolledError, UnrolledNetwork, UnrolledNode, Work};
use crate::instantiate::Instantiate;
use crate::plan::NodeId;

/// A segment of a pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// Its number.
    pub(super) index: usize,
    /// Its steps.
    pub(super) steps: usize,
    pub(super) training: bool,
    /// It was run before.
    pub(super) again: bool,
}

impl<R: Instantiate> UnrolledNetwork<R> {
    /// Runs all steps, from the initial state. `inputs` holds what each input node emits, in the order of
    /// the description, for the same number of samples, at most that of the options. `training` turns on
    /// what differs between training and evaluation (statistics of the batch, dropout), and is needed for
    /// [`Self::backward`].
    ///
    /// # Errors
    /// If an input does not fit, or a trained parameter has become impossible; if a device fails: parameters
    /// are as they were last fetched then.
    pub fn forward(
        &mut self,
        inputs: &[Sequence<'_, R>],
        training: bool,
    ) -> Result<(), UnrolledError> {
        let batch = self.check_inputs(inputs)?;
        self.settle()?;
        self.is_taped = false;
        if batch != self.batch {
            self.set_batch(batch);
        }
        self.refresh()?;
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        self.passes += 1;
        if let Some(mut device) = self.device.take() {
            let outcome = device.forward(self, inputs, training);
            self.device = Some(device);
            self.is_taped = training && outcome.is_ok();
            if outcome.is_err() {
                self.passes -= 1;
                // Whatever it had is lost.
                self.newer = Newer::default();
            }
            return outcome;
        }
        self.clear(inputs);
        let pool = Arc::clone(&self.pool);
        pool.install(|| self.run_forward(training));
        self.is_taped = training;
        Ok(())
    }

    /// Nodes that emit the same in every step.
    pub(crate) fn constants(&self, inputs: &[Sequence<'_, R>]) -> Vec<bool> {
        let mut constant = vec![false; self.nodes.len()];
        for (&id, sequence) in self.inputs.iter().zip(inputs) {
            let node = &self.nodes[id];
            constant[id] = matches!(sequence, Sequence::Constant(_))
                && node.emission.is_real()
                && node.emission.history == 0;
        }
        for group in self.groups.iter().filter(|g| !g.is_cycle) {
            let id = group.nodes[0];
            let node = &self.nodes[id];
            if let Work::Layer(layer) = &node.work {
                constant[id] = !layer.depends_on_step
                    && node.emission.history == 0
                    && node
                        .routes
                        .iter()
                        .all(|r| constant[r.source] && r.delay == 0);
            }
        }
        constant
    }

    /// Back to the beginning, with new inputs.
    fn clear(&mut self, inputs: &[Sequence<'_, R>]) {
        let constant = self.constants(inputs);
        self.carries.clear();
        for output in &mut self.outputs {
            let n = self.steps * self.batch * self.nodes[output.node].width;
            output.values.resize(n, R::ZERO);
        }
        let (steps, segment) = (self.steps, self.segment);
        for (node, constant) in self.nodes.iter_mut().zip(constant) {
            let stored = if matches!(node.work, Work::Input) {
                steps
            } else {
                segment
            };
            node.emission.first = 0;
            node.emission.clear(stored, constant);
            if let Work::Population(p) = &mut node.work {
                p.restart();
            }
        }
        for (&id, sequence) in self.inputs.iter().zip(inputs) {
            load(&mut self.nodes[id].emission, steps, sequence);
        }
    }

    pub(super) fn n_segments(&self) -> usize {
        self.steps.div_ceil(self.segment)
    }

    pub(super) fn segment(&self, index: usize, training: bool, again: bool) -> Segment {
        let first = index * self.segment;
        Segment {
            index,
            steps: self.segment.min(self.steps - first),
            training,
            again,
        }
    }

    fn run_forward(&mut self, training: bool) {
        for index in 0..self.n_segments() {
            let segment = self.segment(index, training, false);
            if index > 0 {
                for node in &mut self.nodes {
                    if !matches!(node.work, Work::Input) {
                        node.emission.next_segment(self.segment);
                    }
                }
            }
            if training && self.n_segments() > 1 {
                let carry = self.carry();
                self.carries.push(carry);
            }
            self.run(segment);
            for output in &mut self.outputs {
                let emission = &self.nodes[output.node].emission;
                let lanes = emission.width * self.batch;
                let first = index * self.segment * lanes;
                let to = &mut output.values[first..first + segment.steps * lanes];
                emission.write_dense(&(0..segment.steps), to);
            }
        }
    }

    fn carry(&self) -> Carry<R> {
        let states = |node: &UnrolledNode<R>| match &node.work {
            Work::Population(p) => p.states.clone(),
            _ => Vec::new(),
        };
        let is_input = |node: &UnrolledNode<R>| matches!(node.work, Work::Input);
        Carry {
            states: self.nodes.iter().map(states).collect(),
            history: self
                .nodes
                .iter()
                .map(|node| {
                    if is_input(node) {
                        super::History::Nothing
                    } else {
                        node.emission.save_history()
                    }
                })
                .collect(),
        }
    }

    pub(super) fn restore(&mut self, index: usize) {
        let carry = &self.carries[index];
        for ((node, states), history) in
            self.nodes.iter_mut().zip(&carry.states).zip(&carry.history)
        {
            node.emission.restore_history(history);
            if let Work::Population(p) = &mut node.work {
                p.states.clone_from(states);
            }
        }
    }

    /// Runs a segment: groups one after the other, each for all its steps.
    pub(super) fn run(&mut self, segment: Segment) {
        for &id in &self.inputs {
            self.nodes[id].emission.first = segment.index * self.segment;
        }
        self.drive(segment);
        self.emit(segment);
        for g in 0..self.groups.len() {
            let is_cycle = self.groups[g].is_cycle;
            for k in 0..self.groups[g].nodes.len() {
                let id = self.groups[g].nodes[k];
                self.begin(id, segment, is_cycle);
                if !is_cycle {
                    self.advance(id, segment, 0..segment.steps, false);
                }
            }
            if is_cycle {
                for step in 0..segment.steps {
                    for k in 0..self.groups[g].nodes.len() {
                        let id = self.groups[g].nodes[k];
                        self.advance(id, segment, step..step + 1, true);
                    }
                }
            }
        }
    }

    /// Writes what stimuli add to ports.
    fn drive(&mut self, segment: Segment) {
        for driven in &self.drives {
            if let Work::Population(p) = &mut self.nodes[driven.node].work {
                let n = segment.steps * p.lanes();
                p.driven[driven.port].clear();
                p.driven[driven.port].resize(n, R::ZERO);
            }
        }
        let before = self.steps_before(segment);
        for driven in &self.drives {
            let Work::Population(p) = &mut self.nodes[driven.node].work else {
                continue;
            };
            let (mut drive, lanes) = ((driven.make)(), p.lanes());
            let rows = p.driven[driven.port].chunks_exact_mut(lanes.max(1));
            for (step, row) in (before + 1..).zip(rows) {
                drive.drive(step, 0, row);
            }
        }
    }

    /// Writes what stimuli emit.
    fn emit(&mut self, segment: Segment) {
        let drawn = self.steps_before(segment) + 1;
        let given = (segment.index * self.segment) as u64 + 1;
        for node in &mut self.nodes {
            if let Work::Source(source) = &mut node.work {
                let first = if source.is_given { given } else { drawn };
                source.emit(&(0..segment.steps), first, &mut node.emission);
            }
        }
    }

    /// Steps of this pass and of those before it, before the segment.
    pub(super) fn steps_before(&self, segment: Segment) -> u64 {
        let passes = self.passes.saturating_sub(1);
        passes * self.steps as u64 + (segment.index * self.segment) as u64
    }

    pub(super) fn moment(&self, id: NodeId, segment: Segment) -> Moment {
        let constant = self.nodes[id].emission.is_constant();
        Moment {
            training: segment.training,
            again: segment.again,
            batch: self.batch,
            first_step: segment.index * self.segment,
            repeats: if constant { self.steps } else { 1 },
            pass: self.passes,
            version: self.version,
        }
    }

    /// How what arrives at a layer is handed to it.
    pub(super) fn way(&self, id: NodeId) -> Way {
        let node = &self.nodes[id];
        let constant = node.emission.is_constant();
        match node.routes.as_slice() {
            [one] => {
                let source = &self.nodes[one.source].emission;
                if !source.is_real() {
                    Way::Lists
                } else if source.is_constant() == constant && one.source != id {
                    Way::Values
                } else {
                    Way::Sum
                }
            }
            _ => Way::Sum,
        }
    }

    /// A node that emits the same in all steps has done so in the first segment.
    fn is_done(&self, id: NodeId, segment: Segment) -> bool {
        self.nodes[id].emission.is_constant() && (segment.index > 0 || segment.again)
    }

    /// Prepares a node for a segment.
    fn begin(&mut self, id: NodeId, segment: Segment, is_cycle: bool) {
        if self.is_done(id, segment) {
            return;
        }
        let moment = self.moment(id, segment);
        let node = &mut self.nodes[id];
        match &mut node.work {
            Work::Layer(layer) => {
                layer.arrived.clear();
                if is_cycle {
                    let none = crate::port::LayerInput::Real {
                        values: &[],
                        width: layer.n_in,
                    };
                    let of_layer = (&layer.parameters[..], layer.stream);
                    layer::begin(layer.layer.as_mut(), of_layer, moment, none);
                }
            }
            Work::Population(p) if segment.training => {
                let kept = if is_cycle { segment.steps } else { 1 };
                p.before.resize_with(kept, Vec::new);
            }
            Work::Population(_) | Work::Synapses(_) | Work::Source(_) | Work::Input => {}
        }
    }

    /// Runs a node for some steps of a segment.
    fn advance(&mut self, id: NodeId, segment: Segment, steps: Range<usize>, is_cycle: bool) {
        if self.is_done(id, segment) {
            return;
        }
        let mut work = std::mem::replace(&mut self.nodes[id].work, Work::Input);
        match &mut work {
            Work::Input | Work::Source(_) => {}
            Work::Synapses(synapses) => {
                let mut emission = self.take_emission(id);
                let rows = emission.own(&steps);
                let sources: Vec<&Emission<R>> = synapses
                    .projections
                    .iter()
                    .map(|p| &self.nodes[p.source].emission)
                    .collect();
                synapses.forward(&steps, &sources, self.batch, emission.values_mut(&rows));
                self.nodes[id].emission = emission;
            }
            Work::Layer(layer) => {
                let way = self.way(id);
                let moment = self.moment(id, segment);
                // What is the same in all steps is computed for one.
                let steps = if self.nodes[id].emission.is_constant() {
                    0..1
                } else {
                    steps
                };
                self.gather(id, way, &steps, &mut layer.arrived, layer.n_in);
                let mut emission = self.take_emission(id);
                let route = self.nodes[id].routes[0];
                let source = &self.nodes[route.source].emission;
                // On a cycle that is the layer itself, its sum has been gathered.
                let input = layer::input(
                    &layer.arrived,
                    way,
                    source,
                    (&steps, route.delay),
                    layer.n_in,
                );
                if !is_cycle {
                    let of_layer = (&layer.parameters[..], layer.stream);
                    layer::begin(layer.layer.as_mut(), of_layer, moment, input);
                }
                let kernel = Kernel {
                    layer: layer.layer.as_ref(),
                    parameters: &layer.parameters,
                    stream: layer.stream,
                    moment,
                    first_row: steps.start * self.batch,
                };
                let rows = emission.own(&steps);
                kernel.forward(input, emission.values_mut(&rows), &mut layer.scratch);
                self.nodes[id].emission = emission;
            }
            Work::Population(p) => {
                let span = Span {
                    steps_before: self.steps_before(segment),
                    stepwise: is_cycle,
                    steps,
                };
                if segment.training {
                    let place = if is_cycle { span.steps.start } else { 0 };
                    p.before[place].clone_from(&p.states);
                }
                let mut emission = self.take_emission(id);
                // A population that hears of itself reads what it emitted before: a copy of it.
                let own = self
                    .hears_itself(id)
                    .then(|| emission.copy_before(&span.steps));
                let arrivals = self.arrivals(id, p.n_ports, own.as_ref());
                p.forward(&span, &arrivals, &mut emission);
                drop(arrivals);
                self.nodes[id].emission = emission;
            }
        }
        self.nodes[id].work = work;
    }

    pub(super) fn hears_itself(&self, id: NodeId) -> bool {
        self.nodes[id].routes.iter().any(|r| r.source == id)
    }

    fn take_emission(&mut self, id: NodeId) -> Emission<R> {
        let emission = &mut self.nodes[id].emission;
        let nothing = Emission::new(0, emission.batch, 0, true);
        std::mem::replace(emission, nothing)
    }

    /// What arrives at each port of a population.
    pub(super) fn arrivals<'a>(
        &'a self,
        id: NodeId,
        n_ports: usize,
        own: Option<&'a Emission<R>>,
    ) -> Arrivals<'a, R> {
        let mut arrivals: Arrivals<'a, R> = vec![Vec::new(); n_ports];
        for route in &self.nodes[id].routes {
            let source = match own {
                Some(own) if route.source == id => own,
                _ => &self.nodes[route.source].emission,
            };
            arrivals[route.port].push((source, route.delay));
        }
        arrivals
    }

    /// Collects what arrives at a layer in some steps, where it is not the values of one source.
    fn gather(
        &self,
        id: NodeId,
        way: Way,
        steps: &Range<usize>,
        arrived: &mut layer::Arrived<R>,
        width: usize,
    ) {
        let routes = &self.nodes[id].routes;
        match way {
            Way::Values => {}
            Way::Lists => {
                let source = &self.nodes[routes[0].source].emission;
                let rows = source.arriving(steps, routes[0].delay);
                let parts = rayon::current_num_threads();
                source.list(&rows, parts, &mut arrived.offsets, &mut arrived.indices);
            }
            Way::Sum => {
                let n = steps.len() * self.batch * width;
                arrived
                    .values
                    .resize(steps.start * self.batch * width, R::ZERO);
                arrived
                    .values
                    .resize(steps.end * self.batch * width, R::ZERO);
                let values = &mut arrived.values[steps.start * self.batch * width..][..n];
                for route in routes {
                    let source = &self.nodes[route.source].emission;
                    source.add_to(&source.arriving(steps, route.delay), values);
                }
            }
        }
    }
}
