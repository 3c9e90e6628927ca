//! Kernels bound to the buffers they work on.

use rheobase_shaders::{Chunk, GROUP, Role, ShaderModule};

use super::super::bind::{UNIFORM_ALIGNMENT, bind};
use super::super::device::GpuDevice;
use super::super::error::GpuError;
use super::super::kernel::compile;

/// Distance of the uniform buffers of two rounds.
pub(super) const CHUNK_STRIDE: u64 = (Chunk::BYTES as u64).next_multiple_of(UNIFORM_ALIGNMENT);

/// A kernel and the buffers it works on. Which chunk it runs is an offset into the uniform buffer.
pub(super) struct BoundKernel {
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
}

impl BoundKernel {
    /// Compiles `module` and binds `buffers` by role.
    pub(super) fn new(
        device: &GpuDevice,
        module: &ShaderModule,
        uniform: &wgpu::Buffer,
        buffers: &[(Role, &wgpu::Buffer)],
    ) -> Result<Self, GpuError> {
        let (layout, pipeline) = compile(device, module, true)?;
        let group = bind(device, module, &layout, uniform, buffers)?;
        Ok(Self { pipeline, group })
    }

    /// The same kernel on other buffers.
    pub(super) fn rebound(
        &self,
        device: &GpuDevice,
        module: &ShaderModule,
        uniform: &wgpu::Buffer,
        buffers: &[(Role, &wgpu::Buffer)],
    ) -> Result<Self, GpuError> {
        let layout = self.pipeline.get_bind_group_layout(GROUP);
        Ok(Self {
            pipeline: self.pipeline.clone(),
            group: bind(device, module, &layout, uniform, buffers)?,
        })
    }

    /// Makes it the one the next dispatch of the pass runs, on the chunk at that place.
    pub(super) fn set(&self, pass: &mut wgpu::ComputePass<'_>, chunk: u32) {
        pass.set_pipeline(&self.pipeline);
        #[allow(clippy::cast_possible_truncation, reason = "a few hundred bytes")]
        let offset = chunk * CHUNK_STRIDE as u32;
        pass.set_bind_group(GROUP, &self.group, &[offset]);
    }
}
