//! Any shader module, ready to run.

use rheobase_shaders::{Access, Role, ShaderModule, Uniform, workgroups};

use super::device::GpuDevice;
use super::error::GpuError;

/// One storage buffer of a run.
#[derive(Debug)]
pub struct Storage<'a> {
    /// Which binding.
    pub role: Role,
    /// Its contents.
    pub words: Words<'a>,
}

/// Contents of a storage buffer, as 32-bit words (floats by their bits).
#[derive(Debug)]
pub enum Words<'a> {
    /// Uploaded.
    Read(&'a [u32]),
    /// Uploaded, and read back when the run is done.
    Update(&'a mut [u32]),
    /// Only read back; zero before the run.
    Write(&'a mut [u32]),
}

impl Words<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Read(w) => w.len(),
            Self::Update(w) | Self::Write(w) => w.len(),
        }
    }

    fn upload(&self) -> Option<&[u32]> {
        match self {
            Self::Read(w) => Some(w),
            Self::Update(w) => Some(w),
            Self::Write(_) => None,
        }
    }

    fn readback(&mut self) -> Option<&mut [u32]> {
        match self {
            Self::Read(_) => None,
            Self::Update(w) | Self::Write(w) => Some(w),
        }
    }

    fn is_read_back(&self) -> bool {
        !matches!(self, Self::Read(_))
    }

    fn n_bytes(&self) -> u64 {
        bytes_of(self.len())
    }
}

fn bytes_of(words: usize) -> u64 {
    u64::try_from(words).unwrap_or(u64::MAX / 4) * 4
}

/// A shader module compiled for a device.
///
/// A run uploads what the shader reads, starts it once, and reads back what it writes.
#[derive(Debug)]
pub struct Kernel {
    device: GpuDevice,
    module: ShaderModule,
    layout: wgpu::BindGroupLayout,
    pipeline: wgpu::ComputePipeline,
}

impl Kernel {
    /// Compiles `module`.
    ///
    /// # Errors
    /// If the shader binds more than the device allows, or the device rejects it.
    pub fn new(device: &GpuDevice, module: ShaderModule) -> Result<Self, GpuError> {
        let (layout, pipeline) = compile(device, &module, false)?;
        Ok(Self {
            device: device.clone(),
            module,
            layout,
            pipeline,
        })
    }

    /// The module it was compiled from.
    #[must_use]
    pub fn module(&self) -> &ShaderModule {
        &self.module
    }

    /// The device it runs on.
    #[must_use]
    pub fn device(&self) -> &GpuDevice {
        &self.device
    }

    /// Runs the shader once for every index below `uniform.n`. `storage` names every storage
    /// binding once, in any order. Nothing of it is changed unless the run succeeds.
    ///
    /// # Errors
    /// If the storage does not match the bindings, exceeds a limit of the device, or the device
    /// fails.
    pub fn run(&self, uniform: &Uniform<'_>, storage: &mut [Storage<'_>]) -> Result<(), GpuError> {
        let uniform_bytes = self.module.uniform.encode(uniform)?;
        let sources = self.match_storage(storage)?;
        self.check_lengths(uniform, storage)?;
        self.check_sizes(storage)?;
        let limit = self.device.limits().max_compute_workgroups_per_dimension;
        let groups = workgroups(uniform.n, limit).ok_or(GpuError::Limit {
            what: "neurons in one kernel",
            needed: u64::from(uniform.n),
            limit: u64::from(limit).pow(2) * u64::from(self.module.workgroup_size),
        })?;
        let buffers = self.device.scoped("creating buffers", |d| {
            self.create_buffers(d, &uniform_bytes, storage)
        })?;
        let submission = self.device.scoped("running a kernel", |d| {
            self.submit(d, &buffers, &sources, &uniform_bytes, storage, groups)
        })?;
        self.read_back(&buffers, storage, submission)
    }

    /// For every storage binding, the position in `storage` of what it binds.
    fn match_storage(&self, storage: &[Storage<'_>]) -> Result<Vec<usize>, GpuError> {
        let bindings = self
            .module
            .bindings
            .iter()
            .filter(|b| b.access != Access::Uniform);
        let sources: Vec<usize> = bindings
            .filter_map(|b| storage.iter().position(|s| s.role == b.role))
            .collect();
        let expected = self.module.bindings.len() - 1;
        if sources.len() != expected || storage.len() != expected {
            let got = storage.len();
            return Err(GpuError::Shape {
                what: "storage buffers",
                expected,
                got,
            });
        }
        Ok(sources)
    }

    /// Lengths against what the shader indexes, where the module says it.
    fn check_lengths(
        &self,
        uniform: &Uniform<'_>,
        storage: &[Storage<'_>],
    ) -> Result<(), GpuError> {
        let (n, stride) = (uniform.n as usize, uniform.stride as usize);
        if n > stride {
            return Err(GpuError::Shape {
                what: "stride",
                expected: n,
                got: stride,
            });
        }
        for s in storage {
            let rows = self.module.binding(s.role).map_or(0, |b| b.rows as usize);
            let expected = rows.saturating_mul(stride);
            if rows > 0 && s.words.len() != expected {
                let what = s.role.variable();
                return Err(GpuError::Shape {
                    what,
                    expected,
                    got: s.words.len(),
                });
            }
        }
        Ok(())
    }

    /// Sizes against the limits, before anything is allocated.
    fn check_sizes(&self, storage: &[Storage<'_>]) -> Result<(), GpuError> {
        let limits = self.device.limits();
        let binding = limits
            .max_storage_buffer_binding_size
            .min(limits.max_buffer_size);
        for s in storage {
            if s.words.len() == 0 {
                return Err(GpuError::Shape {
                    what: "a storage buffer",
                    expected: 1,
                    got: 0,
                });
            }
            if s.words.n_bytes() > binding {
                let needed = s.words.n_bytes();
                return Err(GpuError::Limit {
                    what: "bytes in one binding",
                    needed,
                    limit: binding,
                });
            }
        }
        let needed = readback_bytes(storage);
        if needed > limits.max_buffer_size {
            let limit = limits.max_buffer_size;
            return Err(GpuError::Limit {
                what: "bytes read back at once",
                needed,
                limit,
            });
        }
        Ok(())
    }

    fn create_buffers(
        &self,
        device: &wgpu::Device,
        uniform: &[u8],
        storage: &[Storage<'_>],
    ) -> Buffers {
        let create = |label, size, usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage,
                mapped_at_creation: false,
            })
        };
        use wgpu::BufferUsages as Usage;
        Buffers {
            uniform: create(
                "params",
                uniform.len() as u64,
                Usage::UNIFORM | Usage::COPY_DST,
            ),
            storage: storage
                .iter()
                .map(|s| {
                    let usage = Usage::STORAGE | Usage::COPY_DST | Usage::COPY_SRC;
                    create(s.role.variable(), s.words.n_bytes(), usage)
                })
                .collect(),
            readback: match readback_bytes(storage) {
                0 => None,
                size => Some(create("readback", size, Usage::MAP_READ | Usage::COPY_DST)),
            },
        }
    }

    fn submit(
        &self,
        device: &wgpu::Device,
        buffers: &Buffers,
        sources: &[usize],
        uniform: &[u8],
        storage: &[Storage<'_>],
        groups: [u32; 3],
    ) -> wgpu::SubmissionIndex {
        let queue = self.device.queue();
        queue.write_buffer(&buffers.uniform, 0, uniform);
        for (buffer, s) in buffers.storage.iter().zip(storage) {
            if let Some(words) = s.words.upload() {
                queue.write_buffer(buffer, 0, bytemuck::cast_slice(words));
            }
        }
        let group = self.bind(device, buffers, sources);
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor {
            label: Some(&self.module.name),
        });
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some(&self.module.name),
                timestamp_writes: None,
            });
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(rheobase_shaders::GROUP, &group, &[]);
            pass.dispatch_workgroups(groups[0], groups[1], groups[2]);
        }
        if let Some(readback) = &buffers.readback {
            let mut offset = 0;
            for (buffer, s) in buffers.storage.iter().zip(storage) {
                if s.words.is_read_back() {
                    let size = s.words.n_bytes();
                    encoder.copy_buffer_to_buffer(buffer, 0, readback, offset, Some(size));
                    offset += size;
                }
            }
        }
        queue.submit([encoder.finish()])
    }

    fn bind(&self, device: &wgpu::Device, buffers: &Buffers, sources: &[usize]) -> wgpu::BindGroup {
        let storage = sources.iter().map(|&k| &buffers.storage[k]);
        let entries: Vec<_> = self
            .module
            .bindings
            .iter()
            .zip(std::iter::once(&buffers.uniform).chain(storage))
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding: binding.index,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(&self.module.name),
            layout: &self.layout,
            entries: &entries,
        })
    }

    fn read_back(
        &self,
        buffers: &Buffers,
        storage: &mut [Storage<'_>],
        submission: wgpu::SubmissionIndex,
    ) -> Result<(), GpuError> {
        let Some(readback) = &buffers.readback else {
            return self.device.wait(submission);
        };
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.device.scoped("mapping results", |_| {
            readback.map_async(wgpu::MapMode::Read, .., move |result| {
                // The receiver is gone only if waiting failed, which is reported already.
                let _ = sender.send(result);
            });
        })?;
        self.device.wait(submission)?;
        let failed = |reason: String| GpuError::Internal {
            during: "mapping results",
            reason,
        };
        let mapped = self.device.wait_for(&receiver)?;
        mapped.map_err(|e| failed(e.to_string()))?;
        let view = readback
            .get_mapped_range(..)
            .map_err(|e| failed(e.to_string()))?;
        let mut rest = &view[..];
        for s in storage.iter_mut() {
            if let Some(words) = s.words.readback() {
                let bytes: &mut [u8] = bytemuck::cast_slice_mut(words);
                let (part, after) = rest.split_at(bytes.len());
                bytes.copy_from_slice(part);
                rest = after;
            }
        }
        Ok(())
    }
}

struct Buffers {
    uniform: wgpu::Buffer,
    storage: Vec<wgpu::Buffer>,
    readback: Option<wgpu::Buffer>,
}

fn readback_bytes(storage: &[Storage<'_>]) -> u64 {
    storage
        .iter()
        .filter(|s| s.words.is_read_back())
        .map(|s| s.words.n_bytes())
        .sum()
}

/// Compiles a module. With `chunked`, its uniform buffer is bound at an offset that every dispatch chooses.
pub(super) fn compile(
    device: &GpuDevice,
    module: &ShaderModule,
    chunked: bool,
) -> Result<(wgpu::BindGroupLayout, wgpu::ComputePipeline), GpuError> {
    check_limits(device, module)?;
    let layout = device.scoped("bind group layout", |d| create_layout(d, module, chunked))?;
    let pipeline = device.scoped("compute pipeline", |d| create_pipeline(d, module, &layout))?;
    Ok((layout, pipeline))
}

fn check_limits(device: &GpuDevice, module: &ShaderModule) -> Result<(), GpuError> {
    let limits = device.limits();
    let storage = module.bindings.len() as u64 - 1;
    let uniform = module.uniform.size_bytes() as u64;
    for (what, needed, limit) in [
        (
            "storage buffers of one shader",
            storage,
            u64::from(limits.max_storage_buffers_per_shader_stage),
        ),
        (
            "bytes of a uniform buffer",
            uniform,
            limits.max_uniform_buffer_binding_size,
        ),
        (
            "invocations of a workgroup",
            u64::from(module.workgroup_size),
            u64::from(limits.max_compute_invocations_per_workgroup),
        ),
    ] {
        if needed > limit {
            return Err(GpuError::Limit {
                what,
                needed,
                limit,
            });
        }
    }
    Ok(())
}

fn create_layout(
    device: &wgpu::Device,
    module: &ShaderModule,
    chunked: bool,
) -> wgpu::BindGroupLayout {
    let entries: Vec<_> = module
        .bindings
        .iter()
        .map(|binding| wgpu::BindGroupLayoutEntry {
            binding: binding.index,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: match binding.access {
                    Access::Uniform => wgpu::BufferBindingType::Uniform,
                    Access::Read => wgpu::BufferBindingType::Storage { read_only: true },
                    Access::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
                },
                has_dynamic_offset: chunked && binding.access == Access::Uniform,
                min_binding_size: None,
            },
            count: None,
        })
        .collect();
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(&module.name),
        entries: &entries,
    })
}

fn create_pipeline(
    device: &wgpu::Device,
    module: &ShaderModule,
    layout: &wgpu::BindGroupLayout,
) -> wgpu::ComputePipeline {
    let shader = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(&module.name),
        source: wgpu::ShaderSource::Wgsl(module.source.as_str().into()),
    });
    let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(&module.name),
        bind_group_layouts: &[Some(layout)],
        immediate_size: 0,
    });
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(&module.name),
        layout: Some(&pipeline_layout),
        module: &shader,
        entry_point: Some(&module.entry_point),
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    })
}
