//! Forward through a pass.

use std::ops::Range;

use rheobase_shaders::{PortShape, Role, Rows, Span, workgroups};

use super::super::error::GpuError;
use super::super::step::word;
use super::GpuPass;
use super::machine::{ArrayId, KernelId};
use super::nodes::{DeviceLayer, DevicePopulation, DeviceWork, Launch, is_direct};
use crate::plan::NodeId;
use crate::unrolled::device::WorkPlan;
use crate::unrolled::{Sequence, UnrolledError, UnrolledNetwork};

/// What arrives somewhere: an array, and its first element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) array: ArrayId,
    pub(super) first: usize,
    pub(super) shape: PortShape,
}

impl GpuPass {
    pub(super) fn run_forward(
        &mut self,
        network: &mut UnrolledNetwork<f32>,
        inputs: &[Sequence<'_, f32>],
        training: bool,
    ) -> Result<(), UnrolledError> {
        (self.steps, self.batch) = (network.steps(), network.batch());
        (self.steps_before, self.pass) = (network.steps_before_pass(), network.passes());
        self.training = training;
        self.constants = network.constants(inputs);
        self.upload(network)?;
        self.again = false;
        self.enter(0);
        for id in 0..self.nodes.len() {
            let node = &self.graph.nodes[id];
            let n = node.history * node.width * self.batch;
            self.machine.clear(self.nodes[id].emission, 0, n);
        }
        for (&id, sequence) in self.graph.inputs.clone().iter().zip(inputs) {
            self.load(id, sequence)?;
        }
        for id in 0..self.nodes.len() {
            if matches!(self.graph.nodes[id].work, WorkPlan::Source) {
                let values = network.emit_source(id);
                let first = self.element(id, 0);
                let words = bytemuck::cast_slice(&values);
                self.machine.write(self.nodes[id].emission, first, words)?;
            }
        }
        let outputs = network.output_nodes();
        for index in 0..self.n_segments() {
            if index > 0 {
                self.carry(index);
            }
            self.enter(index);
            self.restore(index);
            self.run()?;
            self.keep_outputs(&outputs);
        }
        self.read_forward(network)
    }

    /// Runs the steps of a segment.
    pub(super) fn run(&mut self) -> Result<(), UnrolledError> {
        for g in 0..self.graph.groups.len() {
            let (members, is_cycle) = {
                let group = &self.graph.groups[g];
                (group.nodes.clone(), group.is_cycle)
            };
            if !is_cycle {
                self.advance(members[0], 0..self.here)?;
                continue;
            }
            for step in 0..self.here {
                for &id in &members {
                    self.advance(id, step..step + 1)?;
                }
            }
        }
        Ok(())
    }

    /// Brings parameters and what follows from them up to date.
    pub(super) fn upload(&mut self, network: &mut UnrolledNetwork<f32>) -> Result<(), GpuError> {
        for node in &mut self.nodes {
            if let DeviceWork::Population(p) = &mut node.work {
                p.upload(&self.machine, network)?;
            }
        }
        self.upload_times(network.plan().dt_ms)?;
        self.upload_trained(network)
    }

    /// The time at the end of every step, where somebody asks for it.
    pub(super) fn upload_times(&self, dt_ms: f64) -> Result<(), GpuError> {
        for node in &self.nodes {
            if let DeviceWork::Population(p) = &node.work
                && let Some(times) = p.times
            {
                let times_ms = times_ms(self.steps_before, self.steps, dt_ms);
                let words = bytemuck::cast_slice(&times_ms);
                self.machine.write(times, 0, words)?;
            }
        }
        Ok(())
    }

    /// Parameters and buffers of layers, weights of synapses, if they may have been changed.
    pub(super) fn upload_trained(
        &mut self,
        network: &mut UnrolledNetwork<f32>,
    ) -> Result<(), GpuError> {
        if self.version == network.version() {
            return Ok(());
        }
        for (id, node) in self.nodes.iter().enumerate() {
            if let DeviceWork::Layer(layer) = &node.work {
                for (tensor, &array) in network.layer_parameters(id).iter().zip(&layer.parameters) {
                    self.machine
                        .write(array, 0, bytemuck::cast_slice(&tensor.values))?;
                }
                for (tensor, &array) in network.layer_buffers(id).iter().zip(&layer.buffers) {
                    self.machine
                        .write(array, 0, bytemuck::cast_slice(&tensor.values))?;
                }
            }
        }
        for id in 0..self.nodes.len() {
            self.upload_synapses(id, network)?;
        }
        self.version = network.version();
        Ok(())
    }

    /// Uploads what an input emits.
    fn load(&mut self, id: NodeId, sequence: &Sequence<'_, f32>) -> Result<(), UnrolledError> {
        let (emission, first) = (self.nodes[id].emission, self.element(id, 0));
        let width = self.graph.nodes[id].width;
        match sequence {
            Sequence::Constant(values) if self.constants[id] => {
                self.machine
                    .write(emission, 0, bytemuck::cast_slice(values))?;
            }
            Sequence::Constant(values) => {
                let values = values.repeat(self.steps);
                self.machine
                    .write(emission, first, bytemuck::cast_slice(&values))?;
            }
            Sequence::Steps(values) => {
                self.machine
                    .write(emission, first, bytemuck::cast_slice(values))?;
            }
            Sequence::Bits(words) => self.load_bits(id, (emission, first), words)?,
            Sequence::Spikes { offsets, indices } => {
                let of_row = width.div_ceil(64);
                let mut words = vec![0_u64; (offsets.len() - 1) * of_row];
                for (row, span) in words
                    .chunks_exact_mut(of_row.max(1))
                    .zip(offsets.windows(2))
                {
                    for &i in &indices[span[0] as usize..span[1] as usize] {
                        row[i as usize / 64] |= 1 << (i % 64);
                    }
                }
                self.load_bits(id, (emission, first), &words)?;
            }
        }
        Ok(())
    }

    fn load_bits(
        &mut self,
        id: NodeId,
        (emission, first): (ArrayId, usize),
        words: &[u64],
    ) -> Result<(), UnrolledError> {
        let n = 2 * words.len();
        let array = match self.seeds.get(&id) {
            Some(&array) if self.machine.len(array) >= n => array,
            _ => self.machine.array("spikes of an input", n)?,
        };
        self.seeds.insert(id, array);
        // Little-endian: the low half of a word comes first.
        self.machine.write(array, 0, bytemuck::cast_slice(words))?;
        let rows = Rows {
            rows: word("elements of an input", self.steps * self.lanes(id))?,
            y_first: word("elements of an input", first)?,
            batch: word("elements of a row", self.graph.nodes[id].width)?,
            ..Rows::default()
        };
        let arrays = [(Role::X, array), (Role::Y, emission)];
        self.elements(self.sequences.bits, rows, &arrays)?;
        Ok(())
    }

    /// Neurons of a node in all samples.
    pub(super) fn lanes(&self, id: NodeId) -> usize {
        self.graph.nodes[id].width * self.batch
    }

    /// First element of what a node emits in a step.
    pub(super) fn element(&self, id: NodeId, step: usize) -> usize {
        if self.constants[id] {
            return 0;
        }
        let before = if self.is_whole(id) { self.first } else { 0 };
        (self.graph.nodes[id].history + before + step) * self.lanes(id)
    }

    /// A kernel that runs for each of `rows.rows` elements.
    pub(super) fn elements(
        &mut self,
        kernel: KernelId,
        rows: Rows,
        arrays: &[(Role, ArrayId)],
    ) -> Result<(), GpuError> {
        self.for_each(kernel, rows.rows as usize, rows, arrays)
    }

    /// A kernel that runs for each of `n` elements.
    pub(super) fn for_each(
        &mut self,
        kernel: KernelId,
        n: usize,
        rows: Rows,
        arrays: &[(Role, ArrayId)],
    ) -> Result<(), GpuError> {
        let limit = self.machine.most_groups();
        let n = word("elements of one kernel", n)?;
        let groups = workgroups(n, limit).ok_or(GpuError::Limit {
            what: "elements of one kernel",
            needed: u64::from(n),
            limit: u64::from(limit).pow(2),
        })?;
        self.machine
            .dispatch(kernel, &rows.encode(), groups, arrays);
        Ok(())
    }

    /// Runs a node for some steps.
    fn advance(&mut self, id: NodeId, steps: Range<usize>) -> Result<(), UnrolledError> {
        if self.constants[id] && (self.first > 0 || self.again) {
            // It has emitted the same before.
            return Ok(());
        }
        let work = std::mem::replace(&mut self.nodes[id].work, DeviceWork::Nothing);
        let outcome = match &work {
            DeviceWork::Nothing => Ok(()),
            DeviceWork::Layer(layer) => self.advance_layer(id, layer, &steps),
            DeviceWork::Population(p) => self.advance_population(id, p, &steps),
            DeviceWork::Synapses(p) => self.advance_synapses(id, p, &steps),
        };
        self.nodes[id].work = work;
        Ok(outcome?)
    }

    fn advance_layer(
        &mut self,
        id: NodeId,
        layer: &DeviceLayer,
        steps: &Range<usize>,
    ) -> Result<(), GpuError> {
        let steps = self.layer_steps(id, steps);
        let x = self.arrive(id, None, layer.arrived.map(|a| a.0), &steps)?;
        let rows = self.layer_rows(id, layer, &steps, x)?;
        self.launch(id, layer, &layer.forward, (x.array, None), rows)
    }

    /// The one step that stands for all, where a layer emits the same in every step.
    pub(super) fn layer_steps(&self, id: NodeId, steps: &Range<usize>) -> Range<usize> {
        if self.constants[id] {
            0..1
        } else {
            steps.clone()
        }
    }

    /// Which rows a layer works on.
    pub(super) fn layer_rows(
        &self,
        id: NodeId,
        layer: &DeviceLayer,
        steps: &Range<usize>,
        x: Arrival,
    ) -> Result<Rows, GpuError> {
        let width = self.graph.nodes[id].width.max(1);
        let constant = self.constants[id];
        Ok(Rows {
            rows: word("rows", steps.len() * self.batch)?,
            x_first: word("rows", x.first / layer.n_in.max(1))?,
            y_first: word("rows", self.element(id, steps.start) / width)?,
            batch: word("samples", self.batch)?,
            first_step: word("steps", self.first + steps.start)?,
            repeats: if constant {
                word("steps", self.steps)?
            } else {
                1
            },
            training: u32::from(self.training),
            pass: u32::try_from(self.pass).unwrap_or(u32::MAX),
            key: layer.key,
            again: u32::from(self.again),
        })
    }

    /// Runs kernels of a layer; `(x, dx)` are what arrives and its cotangent.
    pub(super) fn launch(
        &mut self,
        id: NodeId,
        layer: &DeviceLayer,
        kernels: &[Launch],
        (x, dx): (ArrayId, Option<ArrayId>),
        rows: Rows,
    ) -> Result<(), GpuError> {
        let node = &self.nodes[id];
        let (y, dy) = (node.emission, node.cotangent);
        let limit = self.machine.most_groups();
        for (kernel, grid, roles) in kernels {
            let mut arrays = Vec::with_capacity(roles.len());
            for &role in roles {
                let array = match role {
                    Role::X => Some(x),
                    Role::Y => Some(y),
                    Role::Dx => dx,
                    Role::Dy => dy,
                    Role::Parameter(k) => layer.parameters.get(usize::from(k)).copied(),
                    Role::Gradient(k) => layer.gradient_arrays.get(usize::from(k)).copied(),
                    Role::Buffer(k) => layer.buffers.get(usize::from(k)).copied(),
                    Role::Scratch => Some(layer.scratch),
                    _ => None,
                };
                let array = array.ok_or(GpuError::Shape {
                    what: role.variable(),
                    expected: 1,
                    got: 0,
                })?;
                arrays.push((role, array));
            }
            let groups = grid.groups(rows.rows, limit).ok_or(GpuError::Limit {
                what: "workgroups of a layer",
                needed: u64::from(rows.rows),
                limit: u64::from(limit),
            })?;
            self.machine
                .dispatch(*kernel, &rows.encode(), groups, &arrays);
        }
        Ok(())
    }

    /// What arrives at a layer, or at a port of a population, in some steps: where it lies. What comes
    /// from several sources is added up in `room` first.
    pub(super) fn arrive(
        &mut self,
        id: NodeId,
        port: Option<usize>,
        room: Option<ArrayId>,
        steps: &Range<usize>,
    ) -> Result<Arrival, GpuError> {
        let routes = self.graph.nodes[id].routes.iter();
        let routes: Vec<_> = routes
            .filter(|r| port.is_none_or(|p| r.port == p))
            .copied()
            .collect();
        let silent = Arrival {
            array: self.nodes[id].emission,
            first: 0,
            shape: PortShape::Silent,
        };
        let Some(&first) = routes.first() else {
            return Ok(silent);
        };
        let source = first.source;
        let same_kind = port.is_some() || self.constants[source] == self.constants[id];
        if is_direct(&self.graph, id, port) && same_kind {
            return Ok(Arrival {
                array: self.nodes[source].emission,
                first: self.arriving(source, first.delay, steps.start),
                shape: match self.constants[source] {
                    true => PortShape::Constant,
                    false => PortShape::Steps,
                },
            });
        }
        let Some(room) = room else { return Ok(silent) };
        let lanes = self.lanes(source);
        let at = steps.start * lanes;
        for (k, route) in routes.iter().enumerate() {
            let rows = Rows {
                rows: word("elements", steps.len() * lanes)?,
                x_first: word(
                    "elements",
                    self.arriving(route.source, route.delay, steps.start),
                )?,
                y_first: word("elements", at)?,
                batch: match self.constants[route.source] {
                    true => word("elements", lanes)?,
                    false => 0,
                },
                ..Rows::default()
            };
            let kernel = match k {
                0 => self.sequences.assign,
                _ => self.sequences.add,
            };
            let arrays = [
                (Role::X, self.nodes[route.source].emission),
                (Role::Y, room),
            ];
            self.elements(kernel, rows, &arrays)?;
        }
        Ok(Arrival {
            array: room,
            first: at,
            shape: PortShape::Steps,
        })
    }

    /// First element of what arrives from a node in a step, after a delay.
    pub(super) fn arriving(&self, source: NodeId, delay: usize, step: usize) -> usize {
        if self.constants[source] {
            return 0;
        }
        let before = if self.is_whole(source) { self.first } else { 0 };
        (self.graph.nodes[source].history + before + step - delay) * self.lanes(source)
    }

    fn advance_population(
        &mut self,
        id: NodeId,
        p: &DevicePopulation,
        steps: &Range<usize>,
    ) -> Result<(), GpuError> {
        let mut arrivals = Vec::with_capacity(p.n_ports);
        for port in 0..p.n_ports {
            let room = p.arrived[port].map(|a| a.0);
            arrivals.push(self.arrive(id, Some(port), room, steps)?);
        }
        let kernel = self.population_kernels(id, p, &arrivals)?.forward;
        let span = self.span(id, steps, &arrivals)?;
        let mut arrays = vec![(Role::Y, self.nodes[id].emission), (Role::Tape, p.tape)];
        arrays.extend(population_arrays(p, &arrivals));
        self.run_span(kernel, span, &arrays)
    }

    pub(super) fn run_span(
        &mut self,
        kernel: KernelId,
        span: Span,
        arrays: &[(Role, ArrayId)],
    ) -> Result<(), GpuError> {
        let limit = self.machine.most_groups();
        let groups = workgroups(span.lanes, limit).ok_or(GpuError::Limit {
            what: "neurons of a population",
            needed: u64::from(span.lanes),
            limit: u64::from(limit).pow(2),
        })?;
        self.machine
            .dispatch(kernel, &span.encode(), groups, arrays);
        Ok(())
    }

    pub(super) fn span(
        &self,
        id: NodeId,
        steps: &Range<usize>,
        arrivals: &[Arrival],
    ) -> Result<Span, GpuError> {
        let mut span = Span {
            first: self.steps_before + (self.first + steps.start) as u64 + 1,
            len: word("steps", steps.len())?,
            lanes: word("neurons", self.lanes(id))?,
            tape: word("steps", steps.start)?,
            time: word("steps", self.first + steps.start)?,
            y: word("elements", self.element(id, steps.start))?,
            ..Span::default()
        };
        for (place, arrival) in span.ports.iter_mut().zip(arrivals) {
            *place = word("elements", arrival.first)?;
        }
        Ok(span)
    }

    /// The kernels for what arrives in this way, compiled once.
    pub(super) fn population_kernels(
        &mut self,
        id: NodeId,
        p: &DevicePopulation,
        arrivals: &[Arrival],
    ) -> Result<super::nodes::PopulationKernels, GpuError> {
        let shapes: Vec<PortShape> = arrivals.iter().map(|a| a.shape).collect();
        let key = (id, shapes, p.places.clone());
        if let Some(kernels) = self.populations.get(&key) {
            return Ok(*kernels);
        }
        let node = &self.graph.nodes[id];
        let WorkPlan::Population(plan) = &node.work else {
            return Err(GpuError::Shape {
                what: "a population",
                expected: 1,
                got: 0,
            });
        };
        let wanted = node.is_wanted.then(|| {
            let is_wanted = |port: usize| {
                let mut routes = node.routes.iter().filter(|r| r.port == port);
                routes.any(|r| self.graph.nodes[r.source].is_wanted)
            };
            (0..p.n_ports).map(is_wanted).collect()
        });
        let kernels = p.kernels(&mut self.machine, (&node.name, plan), &key.1, wanted)?;
        self.populations.insert(key, kernels);
        Ok(kernels)
    }

    /// Reads outputs back, and statistics that training has changed.
    fn read_forward(&mut self, network: &mut UnrolledNetwork<f32>) -> Result<(), UnrolledError> {
        let outputs = network.output_nodes();
        let mut pieces = Vec::new();
        for (place, &id) in outputs.iter().enumerate() {
            pieces.push(self.whole_output(place, id));
        }
        let mut statistics = Vec::new();
        for (id, node) in self.nodes.iter().enumerate().filter(|_| self.training) {
            if let DeviceWork::Layer(layer) = &node.work {
                for &array in &layer.buffers {
                    statistics.push(id);
                    pieces.push((array, 0, self.machine.len(array)));
                }
            }
        }
        let mut read = self.machine.run(&pieces)?.into_iter();
        for (place, &id) in outputs.iter().enumerate() {
            let values = read.next().unwrap_or_default();
            let values = match self.constants[id] {
                true => values.repeat(self.steps),
                false => values,
            };
            network.set_output(place, values);
        }
        statistics.dedup();
        for id in statistics {
            for tensor in network.layer_buffers(id) {
                if let Some(values) = read.next() {
                    let n = tensor.values.len();
                    tensor.values.copy_from_slice(&values[..n]);
                }
            }
        }
        Ok(())
    }
}

/// Arrays that both kernels of a population read.
pub(super) fn population_arrays(
    p: &DevicePopulation,
    arrivals: &[Arrival],
) -> Vec<(Role, ArrayId)> {
    let mut arrays = vec![(Role::Derived, p.derived), (Role::Tables, p.tables)];
    arrays.extend(p.times.map(|times| (Role::Times, times)));
    for (port, arrival) in (0..).zip(arrivals) {
        if arrival.shape != PortShape::Silent {
            arrays.push((Role::Port(port), arrival.array));
        }
    }
    arrays
}

#[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
#[allow(
    clippy::cast_possible_truncation,
    reason = "as the processor rounds it"
)]
fn times_ms(before: u64, steps: usize, dt_ms: f64) -> Vec<f32> {
    let time = |k: u64| ((before + k + 1) as f64 * dt_ms) as f32;
    (0..steps as u64).map(time).collect()
}
