//! Back-propagation through a pass.

use std::collections::BTreeMap;
use std::ops::Range;

use rheobase_shaders::{PortShape, Role, Rows};

use super::super::error::GpuError;
use super::super::step::word;
use super::GpuPass;
use super::forward::{Arrival, population_arrays};
use super::machine::{ArrayId, Submitted};
use super::nodes::{DeviceLayer, DevicePopulation, DeviceWork};
use crate::plan::NodeId;
use crate::unrolled::{Route, UnrolledError, UnrolledNetwork};

impl GpuPass {
    pub(super) fn run_backward(
        &mut self,
        network: &mut UnrolledNetwork<f32>,
        outputs: &[(&str, &[f32])],
    ) -> Result<(), UnrolledError> {
        self.clear_cotangents();
        let seeds = self.seeds(outputs)?;
        let n = self.n_segments();
        for index in (0..n).rev() {
            self.enter(index);
            if n > 1 {
                self.again = true;
                self.restore(index);
                self.run()?;
            }
            self.seed(&seeds)?;
            self.reverse_segment()?;
            if index > 0 {
                let cut = network.truncate_steps();
                self.previous_segment(cut.is_some_and(|t| self.first.is_multiple_of(t)));
            }
        }
        self.submit_backward(network)?;
        if network.takes_input_cotangents() {
            self.read_backward(network)?;
        }
        Ok(())
    }

    fn reverse_segment(&mut self) -> Result<(), UnrolledError> {
        for g in (0..self.graph.groups.len()).rev() {
            let (members, is_cycle) = {
                let group = &self.graph.groups[g];
                (group.nodes.clone(), group.is_cycle)
            };
            let all = 0..self.here;
            for &id in &members {
                self.layer_kernels(id, &all, Stage::BeginReverse)?;
            }
            if is_cycle {
                for step in (0..self.here).rev() {
                    for &id in members.iter().rev() {
                        self.reverse(id, &(step..step + 1))?;
                    }
                }
            } else {
                self.reverse(members[0], &all)?;
            }
            for &id in &members {
                self.layer_kernels(id, &all, Stage::Gradients)?;
            }
        }
        Ok(())
    }

    /// Whether a node has no part in back-propagation of the segment: what was the same in all steps is
    /// reversed once, when all cotangents are there.
    fn is_idle(&self, id: NodeId) -> bool {
        !self.graph.nodes[id].is_wanted || self.constants[id] && self.first > 0
    }

    fn clear_cotangents(&mut self) {
        for id in 0..self.nodes.len() {
            let node = &self.graph.nodes[id];
            let steps = match self.is_whole(id) {
                true => self.steps,
                false => self.segment,
            };
            let n = match self.constants[id] {
                true => self.lanes(id),
                false => (node.history + steps) * self.lanes(id),
            };
            if let Some(cotangent) = self.nodes[id].cotangent {
                self.machine.clear(cotangent, 0, n);
            }
            match &self.nodes[id].work {
                DeviceWork::Nothing => {}
                DeviceWork::Layer(layer) => {
                    for &array in &layer.gradient_arrays {
                        let n = self.machine.len(array);
                        self.machine.clear(array, 0, n);
                    }
                }
                DeviceWork::Population(p) => {
                    let n = (p.n_states + p.learned.len()) * self.lanes(id);
                    self.machine.clear(p.sums, 0, n);
                }
                DeviceWork::Synapses(projections) => {
                    for array in projections.iter().filter_map(|p| p.gradient) {
                        let n = self.machine.len(array);
                        self.machine.clear(array, 0, n);
                    }
                }
            }
        }
    }

    /// Uploads what was given for outputs.
    fn seeds(
        &mut self,
        outputs: &[(&str, &[f32])],
    ) -> Result<Vec<(NodeId, ArrayId)>, UnrolledError> {
        let mut sums: BTreeMap<NodeId, Vec<f32>> = BTreeMap::new();
        for (name, cotangent) in outputs {
            let mut nodes = self.graph.nodes.iter();
            let Some(id) = nodes.position(|n| n.name == *name && n.is_wanted) else {
                continue;
            };
            match sums.get_mut(&id) {
                Some(sum) => sum.iter_mut().zip(*cotangent).for_each(|(s, &x)| *s += x),
                None => {
                    sums.insert(id, cotangent.to_vec());
                }
            }
        }
        let mut seeds = Vec::with_capacity(sums.len());
        for (id, cotangent) in sums {
            let n = cotangent.len();
            let array = match self.seeds.get(&id) {
                Some(&array) if self.machine.len(array) >= n => array,
                _ => self.machine.array("cotangents of outputs", n)?,
            };
            self.seeds.insert(id, array);
            self.machine
                .write(array, 0, bytemuck::cast_slice(&cotangent))?;
            seeds.push((id, array));
        }
        Ok(seeds)
    }

    /// Adds what was given for outputs in the segment.
    fn seed(&mut self, seeds: &[(NodeId, ArrayId)]) -> Result<(), UnrolledError> {
        for &(id, array) in seeds {
            let Some(to) = self.nodes[id].cotangent else {
                continue;
            };
            let (from, at) = (self.first * self.lanes(id), self.element(id, 0));
            self.pass_values(array, from, (to, at), (id, self.here))?;
        }
        Ok(())
    }

    /// Adds `steps` steps of values to the cotangent of a node.
    fn pass_values(
        &mut self,
        from: ArrayId,
        first: usize,
        (to, at): (ArrayId, usize),
        (id, steps): (NodeId, usize),
    ) -> Result<(), GpuError> {
        let lanes = self.lanes(id);
        let arrays = [(Role::X, from), (Role::Y, to)];
        let constant = self.constants[id];
        let rows = Rows {
            rows: word("elements", if constant { lanes } else { steps * lanes })?,
            x_first: word("elements", first)?,
            y_first: word("elements", at)?,
            repeats: word("steps", steps)?,
            ..Rows::default()
        };
        let kernel = match constant {
            true => self.sequences.add_steps,
            false => self.sequences.add,
        };
        self.elements(kernel, rows, &arrays)
    }

    /// Runs the kernels of a layer that look at all rows.
    fn layer_kernels(
        &mut self,
        id: NodeId,
        steps: &Range<usize>,
        stage: Stage,
    ) -> Result<(), UnrolledError> {
        if self.is_idle(id) {
            return Ok(());
        }
        let work = std::mem::replace(&mut self.nodes[id].work, DeviceWork::Nothing);
        let outcome = match &work {
            DeviceWork::Layer(layer) => {
                let kernels = match stage {
                    Stage::BeginReverse => &layer.begin_reverse,
                    Stage::Gradients => &layer.gradients,
                };
                let steps = self.layer_steps(id, steps);
                let x = self.arrived(id, None, layer.arrived.map(|a| a.0), &steps);
                self.layer_rows(id, layer, &steps, x)
                    .and_then(|rows| self.launch(id, layer, kernels, (x.array, None), rows))
            }
            DeviceWork::Synapses(p) => match stage {
                Stage::BeginReverse => Ok(()),
                Stage::Gradients => self.add_synapse_gradients(id, p, steps),
            },
            DeviceWork::Nothing | DeviceWork::Population(_) => Ok(()),
        };
        self.nodes[id].work = work;
        Ok(outcome?)
    }

    /// What arrived in the forward pass; sums are still where they were formed.
    fn arrived(
        &self,
        id: NodeId,
        port: Option<usize>,
        room: Option<ArrayId>,
        steps: &Range<usize>,
    ) -> Arrival {
        let routes = self.of_port(id, port);
        let silent = Arrival {
            array: self.nodes[id].emission,
            first: 0,
            shape: PortShape::Silent,
        };
        let Some(&first) = routes.first() else {
            return silent;
        };
        if let Some(route) = self.direct(id, port) {
            return Arrival {
                array: self.nodes[route.source].emission,
                first: self.arriving(route.source, route.delay, steps.start),
                shape: match self.constants[route.source] {
                    true => PortShape::Constant,
                    false => PortShape::Steps,
                },
            };
        }
        let lanes = self.lanes(first.source);
        room.map_or(silent, |array| Arrival {
            array,
            first: steps.start * lanes,
            shape: PortShape::Steps,
        })
    }

    fn of_port(&self, id: NodeId, port: Option<usize>) -> Vec<Route> {
        let routes = self.graph.nodes[id].routes.iter();
        routes
            .filter(|r| port.is_none_or(|p| r.port == p))
            .copied()
            .collect()
    }

    /// The one source whose emission is read where it lies.
    pub(super) fn direct(&self, id: NodeId, port: Option<usize>) -> Option<Route> {
        let route = *self.of_port(id, port).first()?;
        let same_kind = port.is_some() || self.constants[route.source] == self.constants[id];
        (super::nodes::is_direct(&self.graph, id, port) && same_kind).then_some(route)
    }

    /// Reverses a node for some steps.
    fn reverse(&mut self, id: NodeId, steps: &Range<usize>) -> Result<(), UnrolledError> {
        if self.is_idle(id) {
            return Ok(());
        }
        let work = std::mem::replace(&mut self.nodes[id].work, DeviceWork::Nothing);
        let outcome = match &work {
            DeviceWork::Nothing => Ok(()),
            DeviceWork::Layer(layer) => self.reverse_layer(id, layer, steps),
            DeviceWork::Population(p) => self.reverse_population(id, p, steps),
            DeviceWork::Synapses(p) => self.reverse_synapses(id, p, steps),
        };
        self.nodes[id].work = work;
        Ok(outcome?)
    }

    fn reverse_layer(
        &mut self,
        id: NodeId,
        layer: &DeviceLayer,
        steps: &Range<usize>,
    ) -> Result<(), GpuError> {
        let routes = self.of_port(id, None);
        if !routes.iter().any(|r| self.graph.nodes[r.source].is_wanted) {
            return Ok(());
        }
        let steps = self.layer_steps(id, steps);
        let x = self.arrived(id, None, layer.arrived.map(|a| a.0), &steps);
        let rows = self.layer_rows(id, layer, &steps, x)?;
        if let Some(route) = self.direct(id, None) {
            let dx = self.nodes[route.source].cotangent;
            return self.launch(id, layer, &layer.reverse, (x.array, dx), rows);
        }
        let Some((_, Some(dx))) = layer.arrived else {
            return Ok(());
        };
        let n = steps.len() * self.batch * layer.n_in;
        self.machine.clear(dx, x.first, n);
        self.launch(id, layer, &layer.reverse, (x.array, Some(dx)), rows)?;
        self.pass_on(&routes, (dx, x.first), &steps)
    }

    /// Adds the cotangent of what arrived over each edge to that of what was emitted.
    fn pass_on(
        &mut self,
        routes: &[Route],
        (from, first): (ArrayId, usize),
        steps: &Range<usize>,
    ) -> Result<(), GpuError> {
        for route in routes {
            if let Some(to) = self.nodes[route.source].cotangent {
                let at = self.arriving(route.source, route.delay, steps.start);
                self.pass_values(from, first, (to, at), (route.source, steps.len()))?;
            }
        }
        Ok(())
    }

    fn reverse_population(
        &mut self,
        id: NodeId,
        p: &DevicePopulation,
        steps: &Range<usize>,
    ) -> Result<(), GpuError> {
        let mut arrivals = Vec::with_capacity(p.n_ports);
        let mut cotangents = Vec::with_capacity(p.n_ports);
        for port in 0..p.n_ports {
            let room = p.arrived[port];
            let arrival = self.arrived(id, Some(port), room.map(|a| a.0), steps);
            let cotangent = match self.direct(id, Some(port)) {
                Some(route) => self.nodes[route.source].cotangent,
                None => room.and_then(|a| a.1),
            };
            if let (None, Some(array)) = (self.direct(id, Some(port)), cotangent) {
                let n = steps.len() * self.lanes(id);
                self.machine.clear(array, arrival.first, n);
            }
            arrivals.push(arrival);
            cotangents.push(cotangent);
        }
        let kernels = self.population_kernels(id, p, &arrivals)?;
        let (Some(kernel), Some(dy)) = (kernels.reverse, self.nodes[id].cotangent) else {
            return Ok(());
        };
        let span = self.span(id, steps, &arrivals)?;
        let mut arrays = vec![(Role::Dy, dy), (Role::Sums, p.sums), (Role::Tape, p.tape)];
        arrays.extend(population_arrays(p, &arrivals));
        for (port, cotangent) in (0..).zip(&cotangents) {
            arrays.extend(cotangent.map(|array| (Role::PortCotangent(port), array)));
        }
        self.run_span(kernel, span, &arrays)?;
        for (port, cotangent) in cotangents.into_iter().enumerate() {
            if let (None, Some(array)) = (self.direct(id, Some(port)), cotangent) {
                let routes = self.of_port(id, Some(port));
                self.pass_on(&routes, (array, arrivals[port].first), steps)?;
            }
        }
        Ok(())
    }

    /// Submits everything, and what is read back of it: cotangents of populations and of inputs, and the
    /// norm of the gradients that are kept here.
    fn submit_backward(&mut self, network: &UnrolledNetwork<f32>) -> Result<(), GpuError> {
        let squares = self.sum_squares()?;
        let mut pieces: Vec<_> = squares.into_iter().collect();
        for (id, node) in self.nodes.iter().enumerate() {
            if let DeviceWork::Population(p) = &node.work
                && !p.learned.is_empty()
            {
                let n = (p.n_states + p.learned.len()) * self.lanes(id);
                pieces.push((p.sums, 0, n));
            }
        }
        let inputs: Vec<NodeId> = match network.takes_input_cotangents() {
            true => self.graph.inputs.clone(),
            false => Vec::new(),
        };
        for &id in &inputs {
            if let Some(cotangent) = self.nodes[id].cotangent {
                let n = match self.constants[id] {
                    true => self.lanes(id),
                    false => self.steps * self.lanes(id),
                };
                // The first segment was reversed last.
                pieces.push((cotangent, self.element(id, 0), n));
            }
        }
        self.reversed = Some(Reversed {
            submitted: self.machine.submit(&pieces)?,
            has_squares: squares.is_some(),
            inputs,
        });
        Ok(())
    }

    /// Waits for the last backward pass, if nobody has yet.
    pub(super) fn read_backward(
        &mut self,
        network: &mut UnrolledNetwork<f32>,
    ) -> Result<(), UnrolledError> {
        let Some(reversed) = self.reversed.take() else {
            return Ok(());
        };
        let mut read = self.machine.wait(reversed.submitted)?.into_iter();
        let sums = reversed.has_squares.then(|| read.next()).flatten();
        self.trained.squares = sums.into_iter().flatten().map(f64::from).sum();
        for id in 0..self.nodes.len() {
            if let DeviceWork::Population(p) = &self.nodes[id].work
                && !p.learned.is_empty()
            {
                let lanes = self.lanes(id).max(1);
                let values = read.next().unwrap_or_default();
                let mut rows = values.chunks_exact(lanes);
                let states = rows.by_ref().take(p.n_states).map(<[f32]>::to_vec);
                let states = states.collect();
                let widen = |row: &[f32]| row.iter().map(|&x| f64::from(x)).collect();
                let derived = rows.map(widen).collect();
                network.add_population_gradients_of(id, states, derived);
            }
        }
        for id in reversed.inputs {
            if self.nodes[id].cotangent.is_some() {
                let values = read.next().unwrap_or_default();
                network.set_input_cotangent(id, self.constants[id], values);
            }
        }
        Ok(())
    }
}

/// A backward pass under way.
pub(super) struct Reversed {
    submitted: Submitted,
    has_squares: bool,
    /// Inputs whose cotangents are read.
    inputs: Vec<NodeId>,
}

#[derive(Clone, Copy)]
enum Stage {
    BeginReverse,
    Gradients,
}
