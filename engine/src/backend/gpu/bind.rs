//! Buffers of a kernel, found by what they hold.

use rheobase_shaders::{Access, Role, ShaderModule};

use super::device::GpuDevice;
use super::error::GpuError;

/// Distance of two uniform buffers that lie in one: what every device can bind at.
pub(super) const UNIFORM_ALIGNMENT: u64 = 256;

/// Binds `buffers` by role. The uniform buffer is bound at an offset that every dispatch chooses.
pub(super) fn bind(
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
                size: wgpu::BufferSize::new(module.uniform.size_bytes() as u64),
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
