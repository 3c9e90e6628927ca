//! Back-propagation through a pass, segment by segment.

use std::ops::Range;
use std::sync::Arc;

use rheobase_equations::real::Real;

use super::layer::{self, Kernel, Moment, Way};
use super::pass::Segment;
use super::population::Span;
use super::update::Newer;
use super::{PopulationNode, Route, UnrolledError, UnrolledNetwork, UnrolledNode, Work};
use crate::instantiate::Instantiate;
use crate::plan::NodeId;
use crate::port::{Layer, LayerInput, Tensor};
use crate::random::Philox;

impl<R: Instantiate> UnrolledNetwork<R> {
    /// Back-propagation through the last pass: from ∂loss/∂output, `[T, N, *]` for each of some outputs,
    /// to the gradients of all trained arrays, which it adds to, and the cotangents of inputs.
    ///
    /// # Errors
    /// Without a forward pass in training; if a cotangent does not fit.
    pub fn backward(&mut self, outputs: &[(&str, &[R])]) -> Result<(), UnrolledError> {
        if !self.is_taped {
            return Err(UnrolledError::NoPass);
        }
        for (name, cotangent) in outputs {
            let found = self.output(name)?.len();
            if cotangent.len() != found {
                return Err(UnrolledError::Values {
                    name: (*name).to_owned(),
                    message: format!("{} cotangents for {found} values", cotangent.len()),
                });
            }
        }
        self.settle()?;
        if self.newer.gradients {
            // This pass writes over them.
            self.fetch_parameters()?;
        }
        if let Some(mut device) = self.device.take() {
            let outcome = device.backward(self, outputs);
            self.device = Some(device);
            match outcome {
                Ok(()) => self.newer.gradients = true,
                Err(_) => self.newer = Newer::default(),
            }
            return outcome;
        }
        for output in &mut self.outputs {
            let node = &self.nodes[output.node];
            output.is_seeded = outputs.iter().any(|(name, _)| *name == node.name);
        }
        let pool = Arc::clone(&self.pool);
        pool.install(|| self.run_backward(outputs));
        self.add_population_gradients();
        Ok(())
    }

    fn run_backward(&mut self, outputs: &[(&str, &[R])]) {
        self.clear_cotangents();
        let n = self.n_segments();
        for index in (0..n).rev() {
            let segment = self.segment(index, true, true);
            if n > 1 {
                self.restore(index);
                self.run(segment);
            }
            self.seed(segment, outputs);
            for g in (0..self.groups.len()).rev() {
                self.reverse_group(g, segment);
            }
            if index > 0 {
                let first = index * self.segment;
                let is_cut = self.truncate.is_some_and(|t| first.is_multiple_of(t));
                self.previous_segment(is_cut);
            }
        }
    }

    fn clear_cotangents(&mut self) {
        let (steps, segment, batch) = (self.steps, self.segment, self.batch);
        let overwritten: Vec<bool> = (0..self.nodes.len())
            .map(|id| self.is_overwritten(id))
            .collect();
        for (node, overwritten) in self.nodes.iter_mut().zip(overwritten) {
            if !overwritten || !node.is_wanted {
                node.cotangent.clear();
            }
            if !node.is_wanted {
                continue;
            }
            let lanes = node.width * batch;
            let stored = match (&node.work, node.emission.is_constant()) {
                (_, true) => 1,
                (Work::Input, false) => node.emission.history + steps,
                (_, false) => node.emission.history + segment,
            };
            node.cotangent.resize(stored * lanes, R::ZERO);
            if let Work::Population(p) = &mut node.work {
                p.state_cotangents.resize_with(p.n_states, Vec::new);
                for array in &mut p.state_cotangents {
                    array.clear();
                    array.resize(lanes, R::ZERO);
                }
                let n = p.reverse.as_ref().map_or(0, |r| r.derived().len());
                p.derived_cotangents.resize_with(n, Vec::new);
                for array in &mut p.derived_cotangents {
                    array.clear();
                    array.resize(lanes, 0.0);
                }
            }
        }
    }

    /// Adds what was given for outputs.
    fn seed(&mut self, segment: Segment, outputs: &[(&str, &[R])]) {
        let batch = self.batch;
        for (k, (name, cotangent)) in outputs.iter().enumerate() {
            let mut nodes = self.nodes.iter();
            let found = nodes.position(|node| node.name == *name && node.is_wanted);
            let Some(id) = found else { continue };
            let is_first = !outputs[..k].iter().any(|(n, _)| n == name);
            let replaces = is_first && self.is_overwritten(id);
            let node = &mut self.nodes[id];
            let lanes = node.width * batch;
            let first = segment.index * self.segment;
            let seed = &cotangent[first * lanes..(first + segment.steps) * lanes];
            let rows = node.emission.own(&(0..segment.steps));
            if replaces {
                node.cotangent[rows.start * node.width..rows.end * node.width]
                    .copy_from_slice(seed);
            } else {
                add_rows(&mut node.cotangent, &rows, node.width, seed);
            }
        }
    }

    /// Cotangents of the steps before the segment become those of the last steps of the segment before.
    fn previous_segment(&mut self, is_cut: bool) {
        let (segment, batch) = (self.segment, self.batch);
        for node in &mut self.nodes {
            if is_cut && let Work::Population(p) = &mut node.work {
                p.state_cotangents.iter_mut().for_each(|a| a.fill(R::ZERO));
            }
            if matches!(node.work, Work::Input) || node.emission.is_constant() {
                continue;
            }
            if node.cotangent.is_empty() {
                continue;
            }
            let lanes = node.width * batch;
            let history = node.emission.history * lanes;
            if is_cut {
                node.cotangent.fill(R::ZERO);
                continue;
            }
            node.cotangent.copy_within(..history, segment * lanes);
            node.cotangent[..segment * lanes].fill(R::ZERO);
        }
    }

    fn reverse_group(&mut self, g: usize, segment: Segment) {
        let (members, is_cycle) = (self.groups[g].nodes.len(), self.groups[g].is_cycle);
        if !is_cycle {
            let id = self.groups[g].nodes[0];
            self.begin_reverse(id, segment);
            self.reverse(id, segment, 0..segment.steps, false);
            self.add_gradients(id, segment);
            return;
        }
        for k in 0..members {
            self.begin_reverse(self.groups[g].nodes[k], segment);
        }
        for step in (0..segment.steps).rev() {
            for k in (0..members).rev() {
                let id = self.groups[g].nodes[k];
                self.reverse(id, segment, step..step + 1, true);
            }
        }
        for k in 0..members {
            self.add_gradients(self.groups[g].nodes[k], segment);
        }
    }

    /// Whether a node has no part in back-propagation of this segment.
    fn is_idle(&self, id: NodeId, segment: Segment) -> bool {
        let node = &self.nodes[id];
        // What was the same in all steps is reversed once, when all cotangents are there.
        !node.is_wanted || node.emission.is_constant() && segment.index > 0
    }

    fn layer_steps(&self, id: NodeId, steps: Range<usize>) -> Range<usize> {
        if self.nodes[id].emission.is_constant() {
            0..1
        } else {
            steps
        }
    }

    fn begin_reverse(&mut self, id: NodeId, segment: Segment) {
        self.with_layer(id, segment, |layer, parameters, moment, input, dy, _| {
            layer::begin_reverse(layer, parameters, moment, input, dy);
        });
    }

    /// Adds the gradients of what a node keeps for all its rows.
    fn add_gradients(&mut self, id: NodeId, segment: Segment) {
        if !self.is_idle(id, segment) && matches!(self.nodes[id].work, Work::Synapses(_)) {
            self.add_synapse_gradients(id, &(0..segment.steps));
        }
        self.with_layer(
            id,
            segment,
            |layer, parameters, moment, input, dy, gradients| {
                layer::add_gradients(layer, parameters, moment, input, dy, gradients);
            },
        );
    }

    fn add_synapse_gradients(&mut self, id: NodeId, steps: &Range<usize>) {
        let mut work = std::mem::replace(&mut self.nodes[id].work, Work::Input);
        if let Work::Synapses(synapses) = &mut work {
            let node = &self.nodes[id];
            let rows = node.emission.own(steps);
            let arrived = &node.cotangent[rows.start * node.width..rows.end * node.width];
            let projections = synapses.projections.iter_mut();
            for projection in projections.filter(|p| p.is_learnable) {
                let source = &self.nodes[projection.source].emission;
                projection.add_gradient(source, steps, arrived);
            }
        }
        self.nodes[id].work = work;
    }

    /// Calls `f` with all rows of a layer's input and of the cotangent of its output.
    fn with_layer(
        &mut self,
        id: NodeId,
        segment: Segment,
        f: impl FnOnce(
            &mut dyn Layer<R>,
            (&[Tensor<R>], Philox),
            Moment,
            LayerInput<'_, R>,
            &[R],
            &mut [Tensor<R>],
        ),
    ) {
        if self.is_idle(id, segment) || !matches!(self.nodes[id].work, Work::Layer(_)) {
            return;
        }
        let mut work = std::mem::replace(&mut self.nodes[id].work, Work::Input);
        if let Work::Layer(layer) = &mut work {
            let (way, moment) = (self.way(id), self.moment(id, segment));
            let steps = self.layer_steps(id, 0..segment.steps);
            let node = &self.nodes[id];
            let route = node.routes[0];
            let source = &self.nodes[route.source].emission;
            let input = layer::input(
                &layer.arrived,
                way,
                source,
                (&steps, route.delay),
                layer.n_in,
            );
            let rows = node.emission.own(&steps);
            let dy = &node.cotangent[rows.start * node.width..rows.end * node.width];
            let of_layer = (&layer.parameters[..], layer.stream);
            let gradients = &mut layer.gradients;
            f(layer.layer.as_mut(), of_layer, moment, input, dy, gradients);
        }
        self.nodes[id].work = work;
    }

    /// Reverses a node for some steps: from the cotangent of what it emitted to those of what arrived.
    fn reverse(&mut self, id: NodeId, segment: Segment, steps: Range<usize>, is_cycle: bool) {
        if self.is_idle(id, segment) {
            return;
        }
        let mut work = std::mem::replace(&mut self.nodes[id].work, Work::Input);
        let cotangent = std::mem::take(&mut self.nodes[id].cotangent);
        let width = self.nodes[id].width;
        // Whatever goes back to the node itself is added when its own cotangent has been read.
        let mut to_itself = Vec::new();
        match &mut work {
            Work::Input | Work::Source(_) => {}
            Work::Synapses(synapses) => {
                let rows = self.nodes[id].emission.own(&steps);
                let arrived = &cotangent[rows.start * width..rows.end * width];
                for projection in &synapses.projections {
                    let source = &mut self.nodes[projection.source];
                    if source.is_wanted {
                        let emitted = &mut source.cotangent;
                        projection.reverse(&source.emission, &steps, arrived, emitted);
                    }
                }
            }
            Work::Layer(layer) => {
                let steps = self.layer_steps(id, steps);
                let rows = self.nodes[id].emission.own(&steps);
                let dy = &cotangent[rows.start * width..rows.end * width];
                self.reverse_layer(id, segment, layer, &steps, dy, &mut to_itself);
            }
            Work::Population(p) => {
                let span = Span {
                    steps_before: self.steps_before(segment),
                    stepwise: is_cycle,
                    steps,
                };
                let rows = self.nodes[id].emission.own(&span.steps);
                let emitted = &cotangent[rows.start * width..rows.end * width];
                self.reverse_population(id, p, &span, emitted, &mut to_itself);
            }
        }
        let node = &mut self.nodes[id];
        node.cotangent = cotangent;
        node.work = work;
        for (rows, values) in to_itself {
            add_rows(&mut node.cotangent, &rows, width, &values);
        }
    }

    fn reverse_layer(
        &mut self,
        id: NodeId,
        segment: Segment,
        layer: &mut layer::LayerNode<R>,
        steps: &Range<usize>,
        dy: &[R],
        to_itself: &mut Vec<(Range<usize>, Vec<R>)>,
    ) {
        let routes = self.nodes[id].routes.clone();
        if !routes.iter().any(|r| self.nodes[r.source].is_wanted) {
            return;
        }
        let (way, moment) = (self.way(id), self.moment(id, segment));
        let route = routes[0];
        let mut direct = std::mem::take(&mut self.nodes[route.source].cotangent);
        let source = &self.nodes[route.source].emission;
        let input = layer::input(
            &layer.arrived,
            way,
            source,
            (steps, route.delay),
            layer.n_in,
        );
        let kernel = Kernel {
            layer: layer.layer.as_ref(),
            parameters: &layer.parameters,
            stream: layer.stream,
            moment,
            first_row: steps.start * self.batch,
        };
        if way != Way::Sum {
            let rows = source.arriving(steps, route.delay);
            let dx = &mut direct[rows.start * layer.n_in..rows.end * layer.n_in];
            kernel.reverse(input, dy, dx, &mut layer.scratch);
            self.nodes[route.source].cotangent = direct;
            return;
        }
        let mut arrived = std::mem::take(&mut layer.arrived_cotangent);
        arrived.clear();
        arrived.resize(steps.len() * self.batch * layer.n_in, R::ZERO);
        kernel.reverse(input, dy, &mut arrived, &mut layer.scratch);
        self.nodes[route.source].cotangent = direct;
        for route in &routes {
            self.pass_on(id, route.source, (steps, route.delay), &arrived, to_itself);
        }
        layer.arrived_cotangent = arrived;
    }

    /// Adds the cotangent of what arrived over an edge to that of what was emitted.
    fn pass_on(
        &mut self,
        id: NodeId,
        source: NodeId,
        (steps, delay): (&Range<usize>, usize),
        arrived: &[R],
        to_itself: &mut Vec<(Range<usize>, Vec<R>)>,
    ) {
        let node = &mut self.nodes[source];
        if !node.is_wanted {
            return;
        }
        let rows = node.emission.arriving(steps, delay);
        if source == id {
            to_itself.push((rows, arrived.to_vec()));
        } else if node.emission.is_constant() {
            for step in arrived.chunks_exact(node.cotangent.len().max(1)) {
                add(&mut node.cotangent, step);
            }
        } else {
            add_rows(&mut node.cotangent, &rows, node.width, arrived);
        }
    }

    fn reverse_population(
        &mut self,
        id: NodeId,
        p: &mut PopulationNode<R>,
        span: &Span,
        emitted: &[R],
        to_itself: &mut Vec<(Range<usize>, Vec<R>)>,
    ) {
        let routes = self.nodes[id].routes.clone();
        let lanes = p.lanes();
        let of_port = |port: usize| routes.iter().filter(move |r| r.port == port);
        let summed: Vec<bool> = (0..p.n_ports)
            .map(|port| {
                let constant = |r: &Route| self.nodes[r.source].emission.is_constant();
                of_port(port).next().is_some() && of_port(port).all(constant)
            })
            .collect();
        // A source that nothing else hears of takes its cotangent without a copy.
        let mut direct: Vec<Option<Vec<R>>> = Vec::new();
        let mut buffers = std::mem::take(&mut p.arrived_cotangents);
        for (port, buffer) in buffers.iter_mut().enumerate() {
            let mut of_port = of_port(port);
            let first = of_port.next();
            let only = first.filter(|_| of_port.next().is_none());
            let alone = only.filter(|r| self.is_heard_once(r.source) && r.source != id);
            direct.push(alone.map(|r| std::mem::take(&mut self.nodes[r.source].cotangent)));
            buffer.clear();
            let is_asked = routes
                .iter()
                .any(|r| r.port == port && self.nodes[r.source].is_wanted);
            if is_asked && alone.is_none() {
                let steps = if summed[port] { 1 } else { span.steps.len() };
                buffer.resize(steps * lanes, R::ZERO);
            }
        }
        let own = self
            .hears_itself(id)
            .then(|| self.nodes[id].emission.copy_before(&span.steps));
        let arrivals = self.arrivals(id, p.n_ports, own.as_ref());
        let mut places: Vec<&mut [R]> = Vec::new();
        for (port, (direct, buffer)) in direct.iter_mut().zip(&mut buffers).enumerate() {
            places.push(match direct {
                Some(values) if !values.is_empty() => {
                    let (source, delay) = arrivals[port][0];
                    let rows = source.arriving(&span.steps, delay);
                    &mut values[rows.start * source.width..rows.end * source.width]
                }
                _ => buffer,
            });
        }
        p.reverse(span, &arrivals, emitted, &mut places, &summed);
        drop(arrivals);
        for (port, direct) in direct.into_iter().enumerate() {
            if let (Some(values), Some(route)) = (direct, of_port(port).next()) {
                self.nodes[route.source].cotangent = values;
                continue;
            }
            if buffers[port].is_empty() {
                continue;
            }
            for route in of_port(port) {
                let edge = (&span.steps, route.delay);
                self.pass_on(id, route.source, edge, &buffers[port], to_itself);
            }
        }
        p.arrived_cotangents = buffers;
    }

    /// Whether exactly one edge leaves a node, and nothing is given for it from outside.
    fn is_heard_once(&self, id: NodeId) -> bool {
        let edges = self.nodes.iter().flat_map(|n| &n.routes);
        edges.filter(|r| r.source == id).count() == 1
            && !self.outputs.iter().any(|o| o.node == id && o.is_seeded)
    }

    /// Whether the cotangent of a node is written as a whole before it is added to: by the one population
    /// that hears of it, or by what was given for it.
    fn is_overwritten(&self, id: NodeId) -> bool {
        let node = &self.nodes[id];
        if node.emission.history > 0 || node.emission.is_constant() {
            return false;
        }
        let hears = |n: &&UnrolledNode<R>| n.routes.iter().any(|r| r.source == id);
        match self.nodes.iter().find(hears) {
            Some(listener) => {
                let port = |r: &&Route| r.source == id;
                let port = listener.routes.iter().find(port).map(|r| r.port);
                let edges = listener.routes.iter().filter(|r| Some(r.port) == port);
                matches!(listener.work, Work::Population(_))
                    && edges.count() == 1
                    && self.is_heard_once(id)
            }
            None => self.outputs.iter().any(|o| o.node == id && o.is_seeded),
        }
    }

    /// From the cotangents of derived quantities and initial states to the gradients of parameters.
    fn add_population_gradients(&mut self) {
        for node in &mut self.nodes {
            if let Work::Population(p) = &mut node.work {
                p.add_gradients();
            }
        }
    }
}

fn add<R: Real>(to: &mut [R], from: &[R]) {
    to.iter_mut().zip(from).for_each(|(t, &x)| *t += x);
}

fn add_rows<R: Real>(to: &mut [R], rows: &Range<usize>, width: usize, from: &[R]) {
    add(&mut to[rows.start * width..rows.end * width], from);
}
