//! A circuit on the device: buffers that stay there, and the submissions that advance it.

mod readback;

use rheobase_shaders::{
    COUNTERS, COUNTERS_GROUPS, Chunk, MAX_CHUNK, Role, ShaderModule, compaction, delivery,
};

use super::super::device::GpuDevice;
use super::super::error::GpuError;
use super::super::memory::{self, Buffer, Staging};
use super::super::step::word;
use super::DeviceCounts;
use super::clock::{Clock, Kind};
use super::kernels::{BoundKernel, CHUNK_STRIDE};
use super::layout::Layout;
use super::population::{PopulationBuffers, PopulationParts};
use super::rounds::{Round, What, encode};
use super::synapses::{Part, is_heard};
use crate::time::Slice;

/// Spikes that are read back beyond those of the last time, per step.
const SPARE_SPIKES: usize = 8;

/// Synapses of some sources.
struct PartBuffers {
    module: ShaderModule,
    buffers: Vec<(Role, Buffer)>,
    /// Of spikes of the device, if any of its populations is a source.
    inner: Option<BoundKernel>,
    outer: Option<BoundKernel>,
}

/// Spikes of nodes on the processor.
#[derive(Default)]
pub(super) struct OuterSpikes {
    /// Those that have become known since the last submission, of steps before it: their lanes, with
    /// steps counted from `late_from`.
    pub(super) late: Vec<u32>,
    pub(super) late_from: u64,
    /// Those of the submission: step within it, and lane.
    pub(super) spikes: Vec<u32>,
    /// End of the spikes of each step.
    pub(super) ends: Vec<u32>,
}

impl OuterSpikes {
    fn all(&self) -> Vec<u32> {
        [self.late.as_slice(), &self.spikes].concat()
    }
}

/// What a submission brought back.
#[derive(Default)]
pub(super) struct Emitted {
    /// Step within the submission, and lane; ascending by step for each population.
    pub(super) spikes: Vec<u32>,
    /// Of each population, 1 if a state is no longer finite; else 0.
    pub(super) status: Vec<u32>,
    /// Of each population, the rows of traces asked for.
    pub(super) traces: Vec<Vec<f32>>,
}

/// A circuit on the device.
pub(super) struct Resident {
    device: GpuDevice,
    dt_ms: f64,
    chunk: usize,
    phases: Vec<std::ops::Range<usize>>,
    words: Vec<(u32, u32)>,
    ring: u64,
    pieces: u32,
    params: Buffer,
    arrivals: Buffer,
    fired: Buffer,
    status: Buffer,
    spikes: Buffer,
    counters: Buffer,
    outer_spikes: Buffer,
    outer_counters: Buffer,
    populations: Vec<PopulationBuffers>,
    compaction: BoundKernel,
    parts: Vec<PartBuffers>,
    staging: Staging,
    /// Steps of a submission.
    longest: usize,
    /// Spikes of the last submission.
    last_spikes: usize,
    pub(super) counts: DeviceCounts,
}

impl Resident {
    /// Allocates everything but synapses, which come by [`Self::add_part`].
    pub(super) fn new(
        device: &GpuDevice,
        dt_ms: f64,
        layout: &Layout,
        tables: &[u32],
        parts: &[PopulationParts<'_>],
        mean_row: u64,
    ) -> Result<Self, GpuError> {
        use wgpu::BufferUsages as Usage;
        let circuit = layout.circuit;
        let storage = |what, words: u64| memory::storage(device, what, words, Usage::empty());
        let longest = longest_submission(device, layout)?;
        let rounds = (MAX_CHUNK * (layout.phases.len() + 1) + 1) as u64;
        let params = memory::allocate(
            device,
            "params",
            rounds * CHUNK_STRIDE,
            Usage::UNIFORM | Usage::COPY_DST,
        )?;
        let arrivals = storage(
            "arrivals",
            u64::from(circuit.arrivals) * u64::from(circuit.ring),
        )?;
        let fired = storage("fired", u64::from(circuit.words) * layout.chunk as u64)?;
        let status = storage("status", parts.len() as u64)?;
        let spikes = storage("spikes", u64::from(layout.lanes()) * longest as u64)?;
        let counters = memory::storage(device, "counters", COUNTERS as u64, Usage::INDIRECT)?;
        let outer_spikes = storage("spikes from the processor", 4096)?;
        let outer_counters = storage("counters", 2 * (MAX_CHUNK as u64 + 1))?;
        let tables = memory::storage_of(device, "tables", tables)?;
        // Rows of a few thousand synapses are delivered by several workgroups.
        let pieces = u32::try_from(mean_row.div_ceil(1024))
            .unwrap_or(u32::MAX)
            .clamp(1, 16);
        let module = compaction(circuit, pieces);
        let compaction = BoundKernel::new(
            device,
            &module,
            &params,
            &[
                (Role::Fired, &fired),
                (Role::Spikes, &spikes),
                (Role::Counters, &counters),
            ],
        )?;
        let shared: [(Role, &wgpu::Buffer); 4] = [
            (Role::Fired, &fired),
            (Role::Status, &status),
            (Role::Arrivals, &arrivals),
            (Role::Tables, &tables),
        ];
        let mut populations = Vec::with_capacity(parts.len());
        for (k, (place, parts)) in layout.populations.iter().zip(parts).enumerate() {
            let status = word("populations", k)?;
            populations.push(PopulationBuffers::new(
                device,
                layout,
                (place, status),
                parts,
                longest,
                (&params, &shared),
            )?);
        }
        Ok(Self {
            device: device.clone(),
            dt_ms,
            chunk: layout.chunk.min(longest),
            phases: layout.phases.clone(),
            words: layout.phases.iter().map(|p| layout.words(p)).collect(),
            ring: u64::from(circuit.ring),
            pieces,
            params,
            arrivals,
            fired,
            status,
            spikes,
            counters,
            outer_spikes,
            outer_counters,
            populations,
            compaction,
            parts: Vec::new(),
            staging: Staging::new(),
            longest,
            last_spikes: 0,
            counts: DeviceCounts::default(),
        })
    }

    /// Most synapses of a part: what one binding holds.
    pub(super) fn most_synapses(device: &GpuDevice) -> usize {
        let limits = device.limits();
        let bytes = limits
            .max_storage_buffer_binding_size
            .min(limits.max_buffer_size);
        usize::try_from(bytes / 4).unwrap_or(usize::MAX)
    }

    /// Uploads synapses.
    pub(super) fn add_part(&mut self, layout: &Layout, part: &Part) -> Result<(), GpuError> {
        let device = &self.device;
        let mut buffers = vec![
            (Role::Rows, memory::storage_of(device, "rows", &part.rows)?),
            (
                Role::Synapses,
                memory::storage_of(device, "synapses", &part.synapses)?,
            ),
        ];
        if part.format.weighted {
            let words = bytemuck::cast_slice(&part.weights);
            buffers.push((Role::Weights, memory::storage_of(device, "weights", words)?));
        }
        let module = delivery(layout.circuit, part.format);
        let lanes = layout.lanes();
        let mut part_buffers = PartBuffers {
            module,
            buffers,
            inner: None,
            outer: None,
        };
        if is_heard(part.format, 0..lanes) {
            let kernel = self.bind_part(&part_buffers, &self.spikes, &self.counters, None)?;
            part_buffers.inner = Some(kernel);
        }
        if is_heard(part.format, lanes..u32::MAX) {
            let (spikes, counters) = (&self.outer_spikes, &self.outer_counters);
            let compiled = part_buffers.inner.as_ref();
            part_buffers.outer = Some(self.bind_part(&part_buffers, spikes, counters, compiled)?);
        }
        self.parts.push(part_buffers);
        Ok(())
    }

    fn bind_part(
        &self,
        part: &PartBuffers,
        spikes: &wgpu::Buffer,
        counters: &wgpu::Buffer,
        compiled: Option<&BoundKernel>,
    ) -> Result<BoundKernel, GpuError> {
        let mut buffers = vec![
            (Role::Spikes, spikes),
            (Role::Counters, counters),
            (Role::Arrivals, &self.arrivals),
        ];
        buffers.extend(part.buffers.iter().map(|(role, buffer)| (*role, &**buffer)));
        let (device, module, params) = (&self.device, &part.module, &self.params);
        match compiled {
            Some(kernel) => kernel.rebound(device, module, params, &buffers),
            None => BoundKernel::new(device, module, params, &buffers),
        }
    }

    /// Steps of a submission, at most.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Runs the steps of `slice`, at most [`Self::longest`], and waits for what they emitted. `rows` are
    /// the steps, counted from the first, of which traces are asked for; of each population.
    pub(super) fn advance(
        &mut self,
        slice: Slice,
        outer: &OuterSpikes,
        rows: &[Vec<usize>],
    ) -> Result<Emitted, GpuError> {
        self.take_outer(outer)?;
        let times: Vec<f32> = slice.steps().map(|step| self.time(step)).collect();
        let rounds = self.rounds(slice, outer, &times);
        memory::write(&self.device, &self.params, 0, &encode(&rounds))?;
        let prefix = (self.last_spikes + SPARE_SPIKES * slice.len).min(self.capacity());
        let mut staging = std::mem::replace(&mut self.staging, Staging::new());
        let pieces = self.pieces(rows, prefix);
        let bytes = pieces.iter().map(|p| p.bytes).sum();
        staging.reserve(&self.device, bytes)?;
        let timed = self.device.is_timed();
        let mut clock = timed.then(|| Clock::new(&self.device)).transpose()?;
        let submission = self.device.scoped("advancing a circuit", |d| {
            let mut encoder = d.create_command_encoder(&wgpu::CommandEncoderDescriptor {
                label: Some("slice"),
            });
            encoder.clear_buffer(&self.counters, 0, None);
            match &mut clock {
                Some(clock) => self.encode_timed(&mut encoder, &rounds, clock),
                None => self.encode_rounds(&mut encoder, &rounds),
            }
            staging.copy(&mut encoder, &pieces);
            self.device.queue().submit([encoder.finish()])
        })?;
        drop(pieces);
        let words: Vec<u32> = staging.take(&self.device, submission, bytes, |bytes| {
            bytemuck::pod_collect_to_vec(bytes)
        })?;
        self.staging = staging;
        if let Some(clock) = &clock {
            clock.add_to(&self.device, &mut self.counts)?;
        }
        self.counts.submissions += 1;
        self.counts.steps += slice.len as u64;
        self.counts.bytes_read += bytes;
        self.unpack(&words, rows, prefix)
    }

    /// Uploads the spikes of the processor.
    fn take_outer(&mut self, outer: &OuterSpikes) -> Result<(), GpuError> {
        let spikes = outer.all();
        if spikes.is_empty() {
            return Ok(());
        }
        let bytes: &[u8] = bytemuck::cast_slice(&spikes);
        if self.outer_spikes.size() < bytes.len() as u64 {
            let words = (spikes.len() as u64).next_power_of_two();
            let (what, usage) = ("spikes from the processor", wgpu::BufferUsages::empty());
            self.outer_spikes = memory::storage(&self.device, what, words, usage)?;
            for k in 0..self.parts.len() {
                if let Some(old) = self.parts[k].outer.take() {
                    let (spikes, counters) = (&self.outer_spikes, &self.outer_counters);
                    let new = self.bind_part(&self.parts[k], spikes, counters, Some(&old))?;
                    self.parts[k].outer = Some(new);
                }
            }
        }
        memory::write(&self.device, &self.outer_spikes, 0, bytes)?;
        self.counts.bytes_written += bytes.len() as u64;
        Ok(())
    }

    #[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "as the processor rounds it"
    )]
    fn time(&self, step: u64) -> f32 {
        (step as f64 * self.dt_ms) as f32
    }

    fn slot(&self, step: u64) -> u32 {
        u32::try_from(step % self.ring).unwrap_or(u32::MAX)
    }

    /// What is run one after the other.
    fn rounds<'t>(&self, slice: Slice, outer: &OuterSpikes, times: &'t [f32]) -> Vec<Round<'t>> {
        let mut rounds = Vec::new();
        let mut ranges = Vec::new();
        let late = u32::try_from(outer.late.len()).unwrap_or(u32::MAX);
        if late > 0 {
            ranges.push([late, 0]);
            rounds.push(Round {
                chunk: Chunk {
                    slot: self.slot(outer.late_from),
                    ..Chunk::default()
                },
                what: What::Outer(late),
            });
        }
        for (at, times) in (0..).step_by(self.chunk).zip(times.chunks(self.chunk)) {
            let first = slice.first + at as u64;
            let chunk = Chunk {
                first,
                offset: u32::try_from(at).unwrap_or(u32::MAX),
                slot: self.slot(first),
                check: at + times.len() == slice.len,
                times_ms: times,
                ..Chunk::default()
            };
            let end = |step: usize| {
                step.checked_sub(1)
                    .map_or(0, |k| outer.ends.get(k).copied().unwrap_or(0))
            };
            let (from, to) = (end(at), end(at + times.len()));
            if to > from {
                let range = u32::try_from(2 * ranges.len()).unwrap_or(u32::MAX);
                ranges.push([late + to, late + from]);
                rounds.push(Round {
                    chunk: Chunk { range, ..chunk },
                    what: What::Outer(to - from),
                });
            }
            for (phase, &words) in self.words.iter().enumerate() {
                rounds.push(Round {
                    chunk: Chunk { words, ..chunk },
                    what: What::Phase(phase),
                });
            }
        }
        if !ranges.is_empty() {
            let words: &[u32] = ranges.as_flattened();
            self.device
                .queue()
                .write_buffer(&self.outer_counters, 0, bytemuck::cast_slice(words));
        }
        rounds
    }

    fn encode_rounds(&self, encoder: &mut wgpu::CommandEncoder, rounds: &[Round<'_>]) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("slice"),
            timestamp_writes: None,
        });
        self.each_kernel(rounds, |_, run| run(&mut pass));
    }

    /// Every kernel in a pass of its own, with the moments when it began and ended.
    fn encode_timed(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        rounds: &[Round<'_>],
        clock: &mut Clock,
    ) {
        self.each_kernel(rounds, |kind, run| {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some("kernel"),
                timestamp_writes: clock.next(kind),
            });
            run(&mut pass);
        });
        clock.resolve(encoder);
    }

    /// Hands over every kernel of the rounds, in order.
    fn each_kernel(
        &self,
        rounds: &[Round<'_>],
        mut each: impl FnMut(Kind, &dyn Fn(&mut wgpu::ComputePass<'_>)),
    ) {
        for (k, round) in (0..).zip(rounds) {
            match round.what {
                What::Outer(n) => {
                    for kernel in self.parts.iter().filter_map(|p| p.outer.as_ref()) {
                        each(Kind::Deliver, &|pass| {
                            kernel.set(pass, k);
                            pass.dispatch_workgroups(n.min(65_535), self.pieces, 1);
                        });
                    }
                }
                What::Phase(phase) => {
                    for population in &self.populations[self.phases[phase].clone()] {
                        each(Kind::Advance, &|pass| {
                            population.kernel.set(pass, k);
                            let [x, y, z] = population.groups;
                            pass.dispatch_workgroups(x, y, z);
                        });
                    }
                    each(Kind::List, &|pass| {
                        self.compaction.set(pass, k);
                        pass.dispatch_workgroups(1, 1, 1);
                    });
                    for kernel in self.parts.iter().filter_map(|p| p.inner.as_ref()) {
                        each(Kind::Deliver, &|pass| {
                            kernel.set(pass, k);
                            let at = COUNTERS_GROUPS as u64 * 4;
                            pass.dispatch_workgroups_indirect(&self.counters, at);
                        });
                    }
                }
            }
        }
    }

    fn capacity(&self) -> usize {
        usize::try_from(self.spikes.size() / 4).unwrap_or(usize::MAX)
    }

    /// Delivers spikes of the past as far as they arrive after step `now`: of each step, spikes of any
    /// source.
    pub(super) fn deliver_past(
        &mut self,
        now: u64,
        steps: &[(u64, Vec<u32>)],
    ) -> Result<(), GpuError> {
        for batch in steps.chunks(MAX_CHUNK) {
            let mut outer = OuterSpikes::default();
            let mut rounds = Vec::new();
            let mut ranges: Vec<[u32; 2]> = Vec::new();
            for (step, lanes) in batch {
                let from = word("spikes under way", outer.spikes.len())?;
                outer.spikes.extend_from_slice(lanes);
                let to = word("spikes under way", outer.spikes.len())?;
                if to == from {
                    continue;
                }
                rounds.push(Round {
                    chunk: Chunk {
                        first: *step,
                        slot: self.slot(*step),
                        range: word("spikes under way", 2 * ranges.len())?,
                        least_delay: u32::try_from(now + 1 - step).unwrap_or(u32::MAX),
                        ..Chunk::default()
                    },
                    what: What::Outer(to - from),
                });
                ranges.push([to, from]);
            }
            if rounds.is_empty() {
                continue;
            }
            self.take_past(&outer)?;
            let counters = bytemuck::cast_slice(ranges.as_flattened());
            memory::write(&self.device, &self.outer_counters, 0, counters)?;
            memory::write(&self.device, &self.params, 0, &encode(&rounds))?;
            let submission = self.device.scoped("delivering the past", |d| {
                let mut encoder =
                    d.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                self.encode_rounds(&mut encoder, &rounds);
                self.device.queue().submit([encoder.finish()])
            })?;
            self.device.wait(submission)?;
        }
        Ok(())
    }

    /// All parts listen to the spikes of the past, those of the device's own populations too.
    fn take_past(&mut self, outer: &OuterSpikes) -> Result<(), GpuError> {
        for k in 0..self.parts.len() {
            if self.parts[k].outer.is_none() {
                let part = &self.parts[k];
                let (spikes, counters) = (&self.outer_spikes, &self.outer_counters);
                let kernel = self.bind_part(part, spikes, counters, part.inner.as_ref())?;
                self.parts[k].outer = Some(kernel);
            }
        }
        self.take_outer(outer)
    }

    /// Nothing is under way any more, and nothing was found wrong.
    pub(super) fn forget(&mut self) -> Result<(), GpuError> {
        let submission = self.device.scoped("clearing a circuit", |d| {
            let mut encoder = d.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            for buffer in [&self.arrivals, &self.fired, &self.status] {
                encoder.clear_buffer(buffer, 0, None);
            }
            self.device.queue().submit([encoder.finish()])
        })?;
        self.device.wait(submission)
    }
}

/// Steps of which the spikes of all neurons fit into one binding.
fn longest_submission(device: &GpuDevice, layout: &Layout) -> Result<usize, GpuError> {
    let limits = device.limits();
    let limit = limits
        .max_storage_buffer_binding_size
        .min(limits.max_buffer_size);
    let step = 4 * u64::from(layout.lanes().max(1));
    match usize::try_from(limit / step).unwrap_or(MAX_CHUNK) {
        0 => Err(GpuError::Limit {
            what: "spikes",
            needed: step,
            limit,
        }),
        steps => Ok(steps.min(MAX_CHUNK).min(device.most_steps() as usize)),
    }
}
