//! A population on the device: its kernel and its buffers.

use rheobase_equations::lower::Component;
use rheobase_equations::native::Derived;
use rheobase_equations::real::Precision;
use rheobase_shaders::{Place, Role, SliceShape, StepShape, WORD_LANES, emit_slice, workgroups};

use super::super::device::GpuDevice;
use super::super::error::GpuError;
use super::super::memory::{self, Buffer};
use super::super::step::{place_derived, word};
use super::kernels::BoundKernel;
use super::layout::{Layout, PopulationLayout};

/// What a population is on the device.
pub(super) struct PopulationParts<'a> {
    pub(super) name: &'a str,
    pub(super) component: &'a Component,
    pub(super) derived: Vec<Derived<f32>>,
    /// `[states][stride]`.
    pub(super) states: Vec<f32>,
    pub(super) key: [u32; 2],
    /// States and neurons that are recorded.
    pub(super) recorded: Vec<u32>,
    pub(super) columns: Vec<u32>,
}

/// Buffers of one population.
pub(super) struct PopulationBuffers {
    pub(super) kernel: BoundKernel,
    pub(super) groups: [u32; 3],
    pub(super) states: Buffer,
    pub(super) n_states: usize,
    pub(super) stride: u32,
    pub(super) traces: Option<Buffer>,
    /// Words of a step of traces.
    pub(super) trace_words: usize,
}

impl PopulationBuffers {
    pub(super) fn new(
        device: &GpuDevice,
        layout: &Layout,
        (place, status): (&PopulationLayout, u32),
        parts: &PopulationParts<'_>,
        longest: usize,
        (params, shared): (&wgpu::Buffer, &[(Role, &wgpu::Buffer)]),
    ) -> Result<Self, GpuError> {
        let (places, values): (Vec<Place>, Vec<f32>) = place_derived(&parts.derived)?;
        let n_states = parts.component.states.len();
        let stride = match n_states {
            0 => place.n,
            n => word("neurons", parts.states.len() / n)?,
        };
        let n_columns = parts.columns.iter().copied().max().unwrap_or(0);
        let shape = SliceShape {
            circuit: layout.circuit,
            n: place.n,
            stride,
            first_word: place.first_lane / WORD_LANES,
            status,
            derived: places,
            afferents: place.afferents.clone(),
            key: parts.key,
            recorded: parts.recorded.clone(),
            n_columns,
        };
        let program = parts.component.expanded_step(Precision::F32);
        let module = emit_slice(
            parts.name,
            &program,
            &StepShape::of(parts.component),
            &shape,
        )?;
        let states = memory::storage_of(device, "states", bytemuck::cast_slice(&parts.states))?;
        let derived = memory::storage_of(device, "derived", bytemuck::cast_slice(&values))?;
        let trace_words = parts.recorded.len() * n_columns as usize;
        let mut buffers = shared.to_vec();
        buffers.push((Role::States, &states));
        buffers.push((Role::Derived, &derived));
        let recording = if trace_words > 0 {
            let columns = memory::storage_of(device, "columns", &parts.columns)?;
            let words = (trace_words * longest) as u64;
            let traces = memory::storage(device, "traces", words, wgpu::BufferUsages::empty())?;
            Some((columns, traces))
        } else {
            None
        };
        if let Some((columns, traces)) = &recording {
            buffers.push((Role::Columns, columns));
            buffers.push((Role::Traces, traces));
        }
        let limit = device.limits().max_compute_workgroups_per_dimension;
        let groups = workgroups(place.n, limit).ok_or(GpuError::Limit {
            what: "neurons of a population",
            needed: u64::from(place.n),
            limit: u64::from(limit).pow(2),
        })?;
        Ok(Self {
            kernel: BoundKernel::new(device, &module, params, &buffers)?,
            groups,
            states,
            n_states,
            stride,
            traces: recording.map(|(_, traces)| traces),
            trace_words,
        })
    }
}
