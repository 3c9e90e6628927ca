//! Kernels bound to the buffers they work on.

use rheobase_shaders::{Access, Chunk, GROUP, Role, ShaderModule};

use super::super::device::GpuDevice;
use super::super::error::GpuError;
use super::super::kernel::compile;

/// Distance of the uniform buffers of two rounds: what every device can bind at.
pub(super) const CHUNK_STRIDE: u64 = (Chunk::BYTES as u64).next_multiple_of(256);

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

fn bind(
    device: &GpuDevice,
    module: &ShaderModule,
    layout: &wgpu::BindGroupLayout,
    uniform: &wgpu::Buffer,
    buffers: &[(Role, &wgpu::Buffer)],
) -> Result<wgpu::BindGroup, GpuError> {
    let mut entries = Vec::with_capacity(module.bindings.len());
    for binding in &module.bindings {
        let resource = if binding.access == Access::Uniform {
            wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: uniform,
                offset: 0,
                size: wgpu::BufferSize::new(Chunk::BYTES as u64),
            })
        } else {
            let found = buffers.iter().find(|(role, _)| *role == binding.role);
            let (_, buffer) = found.ok_or(GpuError::Shape {
                what: binding.role.variable(),
                expected: 1,
                got: 0,
            })?;
            buffer.as_entire_binding()
        };
        entries.push(wgpu::BindGroupEntry {
            binding: binding.index,
            resource,
        });
    }
    device.scoped("binding buffers", |d| {
        d.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(&module.name),
            layout,
            entries: &entries,
        })
    })
}
