//! Forward and backward.

use std::ops::Range;
use std::sync::Arc;

use rheobase_equations::real::Real;

use super::emission::{Emission, Rows};
use super::layer::{self, Kernel, Moment, Way};
use super::population::{Arrivals, Span};
use super::{Carry, Sequence, UnrolledError, UnrolledNetwork, UnrolledNode, Work};
use crate::instantiate::Instantiate;
use crate::plan::NodeId;

/// A segment of a pass.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Its number.
    index: usize,
    /// Its steps.
    steps: usize,
    training: bool,
    /// It was run before.
    again: bool,
}

impl<R: Instantiate> UnrolledNetwork<R> {
    /// Runs all steps, from the initial state. `inputs` holds what each input node emits, in the order of
    /// the description, for the same number of samples, at most that of the options. `training` turns on
    /// what differs between training and evaluation (statistics of the batch, dropout), and is needed for
    /// [`Self::backward`].
    ///
    /// # Errors
    /// If an input does not fit, or a trained parameter has become impossible.
    pub fn forward(
        &mut self,
        inputs: &[Sequence<'_, R>],
        training: bool,
    ) -> Result<(), UnrolledError> {
        let batch = self.check_inputs(inputs)?;
        self.is_taped = false;
        if batch != self.batch {
            self.set_batch(batch);
        }
        self.refresh()?;
        self.passes += 1;
        self.clear(inputs);
        let pool = Arc::clone(&self.pool);
        pool.install(|| self.run_forward(training));
        self.is_taped = training;
        Ok(())
    }

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
        for output in &mut self.outputs {
            output.seed.clear();
            let name = &self.nodes[output.node].name;
            for (_, cotangent) in outputs.iter().filter(|(n, _)| n == name) {
                if output.seed.is_empty() {
                    output.seed.extend_from_slice(cotangent);
                } else {
                    add(&mut output.seed, cotangent);
                }
            }
        }
        let pool = Arc::clone(&self.pool);
        pool.install(|| self.run_backward());
        self.add_population_gradients();
        Ok(())
    }

    /// The batch size of inputs that fit.
    fn check_inputs(&self, inputs: &[Sequence<'_, R>]) -> Result<usize, UnrolledError> {
        if inputs.len() != self.inputs.len() {
            let names: Vec<&str> = self.input_names().collect();
            return Err(UnrolledError::Values {
                name: names.join(", "),
                message: format!("{} sequences for {} inputs", inputs.len(), names.len()),
            });
        }
        let mut batch = None;
        for (&id, sequence) in self.inputs.iter().zip(inputs) {
            let node = &self.nodes[id];
            let fail = |message: String| UnrolledError::Values {
                name: node.name.clone(),
                message,
            };
            let n = self.samples(node, sequence).map_err(fail)?;
            if *batch.get_or_insert(n) != n {
                return Err(fail(format!("{n} samples, where another input has others")));
            }
        }
        Ok(batch.unwrap_or(self.max_batch))
    }

    /// Samples of a sequence.
    fn samples(&self, node: &UnrolledNode<R>, sequence: &Sequence<'_, R>) -> Result<usize, String> {
        let width = node.width.max(1);
        let (rows, steps) = match sequence {
            Sequence::Constant(values) => (values.len() / width, 1),
            Sequence::Steps(values) => (values.len() / width, self.steps),
            Sequence::Spikes { offsets, .. } => (offsets.len().saturating_sub(1), self.steps),
            Sequence::Bits(words) => (words.len() / width.div_ceil(64), self.steps),
        };
        let n = rows / steps;
        if n == 0 || n > self.max_batch || n * steps != rows {
            return Err(format!(
                "{rows} rows of {width}: expected {steps} for each of 1 to {} samples",
                self.max_batch
            ));
        }
        match sequence {
            Sequence::Constant(values) | Sequence::Steps(values) => {
                if !values.len().is_multiple_of(width) {
                    return Err(format!("{} values are no rows of {width}", values.len()));
                }
                if let Some(k) = values.iter().position(|x| !x.is_finite()) {
                    return Err(format!("value {k} is {}", values[k]));
                }
                let is_spike = |x: &R| *x == R::ZERO || *x == R::ONE;
                if !node.emission.is_real()
                    && let Some(k) = values.iter().position(|x| !is_spike(x))
                {
                    return Err(format!("value {k} is {}, but spikes are 0 or 1", values[k]));
                }
            }
            Sequence::Bits(words) => {
                if node.emission.is_real() {
                    return Err("carries real values, not spikes".to_owned());
                }
                let of_row = width.div_ceil(64);
                if words.len() != rows * of_row {
                    return Err(format!("{} words are no rows of {of_row}", words.len()));
                }
                let beyond = if width.is_multiple_of(64) {
                    0
                } else {
                    u64::MAX << (width % 64)
                };
                let last = words.iter().skip(of_row - 1).step_by(of_row);
                if let Some(row) = last.clone().position(|word| word & beyond != 0) {
                    return Err(format!(
                        "row {row}: a bit beyond the {width} elements is set"
                    ));
                }
            }
            Sequence::Spikes { offsets, indices } => {
                if node.emission.is_real() {
                    return Err("carries real values, not spikes".to_owned());
                }
                let ascend = |s: &[u32]| s.windows(2).all(|w| w[0] < w[1]);
                if !offsets.windows(2).all(|w| w[0] <= w[1])
                    || offsets.last().is_some_and(|&n| n as usize > indices.len())
                {
                    return Err("offsets ascend, and end with the indices".to_owned());
                }
                for (row, span) in offsets.windows(2).enumerate() {
                    let row_indices = &indices[span[0] as usize..span[1] as usize];
                    let inside = row_indices
                        .last()
                        .is_none_or(|&i| (i as usize) < node.width);
                    if !ascend(row_indices) || !inside {
                        return Err(format!(
                            "row {row}: elements ascend and are below {}",
                            node.width
                        ));
                    }
                }
            }
        }
        Ok(n)
    }

    /// Nodes that emit the same in every step.
    fn constants(&self, inputs: &[Sequence<'_, R>]) -> Vec<bool> {
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
            output.values.clear();
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

    fn n_segments(&self) -> usize {
        self.steps.div_ceil(self.segment)
    }

    fn segment(&self, index: usize, training: bool, again: bool) -> Segment {
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
                emission.write_dense(&(0..segment.steps), &mut output.values);
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

    fn restore(&mut self, index: usize) {
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
    fn run(&mut self, segment: Segment) {
        for &id in &self.inputs {
            self.nodes[id].emission.first = segment.index * self.segment;
        }
        self.drive(segment);
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

    /// Steps of this pass and of those before it, before the segment.
    fn steps_before(&self, segment: Segment) -> u64 {
        let passes = self.passes.saturating_sub(1);
        passes * self.steps as u64 + (segment.index * self.segment) as u64
    }

    fn moment(&self, id: NodeId, segment: Segment) -> Moment {
        let constant = self.nodes[id].emission.is_constant();
        Moment {
            training: segment.training,
            again: segment.again,
            batch: self.batch,
            first_step: segment.index * self.segment,
            repeats: if constant { self.steps } else { 1 },
            pass: self.passes,
        }
    }

    /// How what arrives at a layer is handed to it.
    fn way(&self, id: NodeId) -> Way {
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
            Work::Population(_) | Work::Input => {}
        }
    }

    /// Runs a node for some steps of a segment.
    fn advance(&mut self, id: NodeId, segment: Segment, steps: Range<usize>, is_cycle: bool) {
        if self.is_done(id, segment) {
            return;
        }
        let mut work = std::mem::replace(&mut self.nodes[id].work, Work::Input);
        match &mut work {
            Work::Input => {}
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

    fn hears_itself(&self, id: NodeId) -> bool {
        self.nodes[id].routes.iter().any(|r| r.source == id)
    }

    fn take_emission(&mut self, id: NodeId) -> Emission<R> {
        let emission = &mut self.nodes[id].emission;
        let nothing = Emission::new(0, emission.batch, 0, true);
        std::mem::replace(emission, nothing)
    }

    /// What arrives at each port of a population.
    fn arrivals<'a>(
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

    fn run_backward(&mut self) {
        self.clear_cotangents();
        let n = self.n_segments();
        for index in (0..n).rev() {
            let segment = self.segment(index, true, true);
            if n > 1 {
                self.restore(index);
                self.run(segment);
            }
            self.seed(segment);
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
        for node in &mut self.nodes {
            node.cotangent.clear();
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
    fn seed(&mut self, segment: Segment) {
        let batch = self.batch;
        for output in &self.outputs {
            let node = &mut self.nodes[output.node];
            if output.seed.is_empty() || !node.is_wanted {
                continue;
            }
            let lanes = node.width * batch;
            let first = segment.index * self.segment;
            let seed = &output.seed[first * lanes..(first + segment.steps) * lanes];
            let rows = node.emission.own(&(0..segment.steps));
            add_rows(&mut node.cotangent, &rows, node.width, seed);
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
            self.add_layer_gradients(id, segment);
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
            self.add_layer_gradients(self.groups[g].nodes[k], segment);
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

    fn add_layer_gradients(&mut self, id: NodeId, segment: Segment) {
        self.with_layer(
            id,
            segment,
            |layer, parameters, moment, input, dy, gradients| {
                layer::add_gradients(layer, parameters, moment, input, dy, gradients);
            },
        );
    }

    /// Calls `f` with all rows of a layer's input and of the cotangent of its output.
    fn with_layer(
        &mut self,
        id: NodeId,
        segment: Segment,
        f: impl FnOnce(
            &mut dyn crate::port::Layer<R>,
            (&[crate::port::Tensor<R>], crate::random::Philox),
            Moment,
            crate::port::LayerInput<'_, R>,
            &[R],
            &mut [crate::port::Tensor<R>],
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
            Work::Input => {}
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
        p: &mut super::PopulationNode<R>,
        span: &Span,
        emitted: &[R],
        to_itself: &mut Vec<(Range<usize>, Vec<R>)>,
    ) {
        let routes = self.nodes[id].routes.clone();
        let lanes = p.lanes();
        let of_port = |port: usize| routes.iter().filter(move |r| r.port == port);
        let summed: Vec<bool> = (0..p.n_ports)
            .map(|port| {
                let constant = |r: &super::Route| self.nodes[r.source].emission.is_constant();
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
            && !self
                .outputs
                .iter()
                .any(|o| o.node == id && !o.seed.is_empty())
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

/// Copies an input into its node.
fn load<R: Real>(emission: &mut Emission<R>, steps: usize, sequence: &Sequence<'_, R>) {
    let rows = emission.own(&(0..steps));
    let (width, batch) = (emission.width, emission.batch);
    match (&mut emission.rows, sequence) {
        (Rows::Constant(to), Sequence::Constant(values)) => to.copy_from_slice(values),
        (Rows::Real(to), Sequence::Constant(values)) => {
            for to in to[rows.start * width..].chunks_exact_mut(width * batch) {
                to.copy_from_slice(values);
            }
        }
        (Rows::Real(to), Sequence::Steps(values)) => {
            to[rows.start * width..rows.end * width].copy_from_slice(values);
        }
        (Rows::Spikes(spikes), Sequence::Steps(values) | Sequence::Constant(values)) => {
            for (row, place) in rows.enumerate() {
                let n_rows = values.len() / width;
                let values = &values[row % n_rows * width..][..width];
                for (i, _) in values.iter().enumerate().filter(|(_, x)| **x != R::ZERO) {
                    spikes.set(place, i);
                }
            }
        }
        (Rows::Spikes(spikes), Sequence::Spikes { offsets, indices }) => {
            for (row, span) in rows.zip(offsets.windows(2)) {
                for &i in &indices[span[0] as usize..span[1] as usize] {
                    spikes.set(row, i as usize);
                }
            }
        }
        (Rows::Spikes(spikes), Sequence::Bits(words)) => {
            let own = &mut spikes.words[rows.start * spikes.words_per_row..];
            for (to, &word) in own.iter_mut().zip(*words) {
                *to.get_mut() = word;
            }
        }
        (Rows::Constant(_), _) | (Rows::Real(_), Sequence::Spikes { .. } | Sequence::Bits(_)) => {}
    }
}

fn add<R: Real>(to: &mut [R], from: &[R]) {
    to.iter_mut().zip(from).for_each(|(t, &x)| *t += x);
}

fn add_rows<R: Real>(to: &mut [R], rows: &Range<usize>, width: usize, from: &[R]) {
    add(&mut to[rows.start * width..rows.end * width], from);
}
