//! Arrays and kernels of a device, by number, and lists of what it is to do with them.

use hashbrown::HashMap;
use rheobase_shaders::{GROUP, Role, ShaderModule};

use super::super::bind::{UNIFORM_ALIGNMENT, bind};
use super::super::device::GpuDevice;
use super::super::error::GpuError;
use super::super::kernel::compile;
use super::super::memory::{self, Buffer, Piece, Staging};

/// An array on the device.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct ArrayId(usize);

/// A kernel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct KernelId(usize);

struct Compiled {
    module: ShaderModule,
    layout: wgpu::BindGroupLayout,
    pipeline: wgpu::ComputePipeline,
}

/// One thing to do.
enum Command {
    Dispatch {
        kernel: KernelId,
        arrays: Vec<(Role, ArrayId)>,
        /// Place of its uniform buffer.
        uniform: u32,
        groups: [u32; 3],
    },
    /// Words from the first on.
    Clear(ArrayId, usize, usize),
    /// From, first word; to, first word; words.
    Copy((ArrayId, usize), (ArrayId, usize), usize),
}

/// A device with its arrays, its kernels, and what it is to do next.
pub(super) struct Machine {
    device: GpuDevice,
    arrays: Vec<Buffer>,
    kernels: Vec<Compiled>,
    groups: HashMap<(KernelId, Vec<ArrayId>), wgpu::BindGroup>,
    uniforms: Option<Buffer>,
    commands: Vec<Command>,
    /// Contents of the uniform buffers, one after the other.
    contents: Vec<u8>,
    staging: Staging,
    /// Bytes of all arrays.
    pub(super) bytes: u64,
    pub(super) submissions: u64,
}

/// A list under way.
pub(super) struct Submitted {
    submission: wgpu::SubmissionIndex,
    staging: Staging,
    bytes: u64,
    /// Words of each piece.
    lengths: Vec<usize>,
}

fn words(n: usize) -> u64 {
    4 * n as u64
}

/// Distance of uniform buffers.
#[allow(clippy::cast_possible_truncation, reason = "256")]
const ALIGNMENT: usize = UNIFORM_ALIGNMENT as usize;

/// What a kernel is bound to.
fn key(kernel: KernelId, arrays: &[(Role, ArrayId)]) -> (KernelId, Vec<ArrayId>) {
    (kernel, arrays.iter().map(|(_, array)| *array).collect())
}

impl Machine {
    pub(super) fn new(device: &GpuDevice) -> Self {
        Self {
            device: device.clone(),
            arrays: Vec::new(),
            kernels: Vec::new(),
            groups: HashMap::new(),
            uniforms: None,
            commands: Vec::new(),
            contents: Vec::new(),
            staging: Staging::new(),
            bytes: 0,
            submissions: 0,
        }
    }

    /// An array of so many words, zero.
    pub(super) fn array(&mut self, what: &'static str, n: usize) -> Result<ArrayId, GpuError> {
        let buffer = memory::storage(&self.device, what, n as u64, wgpu::BufferUsages::empty())?;
        self.bytes += buffer.size();
        self.arrays.push(buffer);
        Ok(ArrayId(self.arrays.len() - 1))
    }

    /// Words of an array.
    pub(super) fn len(&self, array: ArrayId) -> usize {
        usize::try_from(self.arrays[array.0].size() / 4).unwrap_or(usize::MAX)
    }

    pub(super) fn kernel(&mut self, module: ShaderModule) -> Result<KernelId, GpuError> {
        let (layout, pipeline) = compile(&self.device, &module, true)?;
        self.kernels.push(Compiled {
            module,
            layout,
            pipeline,
        });
        Ok(KernelId(self.kernels.len() - 1))
    }

    /// Most workgroups along a dimension.
    pub(super) fn most_groups(&self) -> u32 {
        self.device.limits().max_compute_workgroups_per_dimension
    }

    /// Writes words before the next list is run.
    pub(super) fn write(&self, array: ArrayId, first: usize, data: &[u32]) -> Result<(), GpuError> {
        let bytes = bytemuck::cast_slice(data);
        memory::write(&self.device, &self.arrays[array.0], words(first), bytes)
    }

    /// Puts a kernel on the list.
    pub(super) fn dispatch(
        &mut self,
        kernel: KernelId,
        uniform: &[u8],
        groups: [u32; 3],
        arrays: &[(Role, ArrayId)],
    ) {
        if groups[0] == 0 {
            return;
        }
        let place = self.contents.len();
        self.contents.extend_from_slice(uniform);
        let end = self.contents.len().next_multiple_of(ALIGNMENT);
        self.contents.resize(end, 0);
        self.commands.push(Command::Dispatch {
            kernel,
            arrays: arrays.to_vec(),
            uniform: u32::try_from(place).unwrap_or(u32::MAX),
            groups,
        });
    }

    /// Uploads the uniform buffers of the list.
    fn upload(&mut self, contents: &[u8]) -> Result<(), GpuError> {
        if contents.is_empty() {
            return Ok(());
        }
        let size = self.uniforms.as_ref().map_or(0, |b| b.size());
        if size < contents.len() as u64 {
            let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
            let size = (contents.len() as u64).next_power_of_two().max(1 << 14);
            self.uniforms = Some(memory::allocate(&self.device, "params", size, usage)?);
            // They are bound to the old one.
            self.groups.clear();
        }
        match &self.uniforms {
            Some(uniforms) => memory::write(&self.device, uniforms, 0, contents),
            None => Ok(()),
        }
    }

    /// Binds the arrays of every kernel on the list that is not bound yet.
    fn bind(&mut self, commands: &[Command]) -> Result<(), GpuError> {
        let Some(uniforms) = &self.uniforms else {
            return Ok(());
        };
        for command in commands {
            let Command::Dispatch { kernel, arrays, .. } = command else {
                continue;
            };
            let key = key(*kernel, arrays);
            if self.groups.contains_key(&key) {
                continue;
            }
            let Compiled { module, layout, .. } = &self.kernels[kernel.0];
            let buffers = arrays.iter().map(|&(role, a)| (role, &*self.arrays[a.0]));
            let buffers: Vec<(Role, &wgpu::Buffer)> = buffers.collect();
            let group = bind(&self.device, module, layout, uniforms, &buffers)?;
            self.groups.insert(key, group);
        }
        Ok(())
    }

    /// Puts zeros on the list.
    pub(super) fn clear(&mut self, array: ArrayId, first: usize, n: usize) {
        if n > 0 {
            self.commands.push(Command::Clear(array, first, n));
        }
    }

    /// Puts a copy on the list.
    pub(super) fn copy(&mut self, from: (ArrayId, usize), to: (ArrayId, usize), n: usize) {
        if n > 0 {
            self.commands.push(Command::Copy(from, to, n));
        }
    }

    /// Runs the list, waits for it, and reads arrays back: of each, words from the first on.
    pub(super) fn run(
        &mut self,
        pieces: &[(ArrayId, usize, usize)],
    ) -> Result<Vec<Vec<f32>>, GpuError> {
        let submitted = self.submit(pieces)?;
        self.wait(submitted)
    }

    /// Submits the list, with what is to be read back of arrays.
    pub(super) fn submit(
        &mut self,
        pieces: &[(ArrayId, usize, usize)],
    ) -> Result<Submitted, GpuError> {
        let bytes = pieces.iter().map(|p| words(p.2)).sum();
        // Before anything of the list is gone.
        self.staging.reserve(&self.device, bytes)?;
        let staging = std::mem::replace(&mut self.staging, Staging::new());
        let commands = std::mem::take(&mut self.commands);
        let contents = std::mem::take(&mut self.contents);
        self.upload(&contents)?;
        self.bind(&commands)?;
        let read: Vec<Piece<'_>> = pieces
            .iter()
            .map(|&(array, first, n)| Piece {
                buffer: &self.arrays[array.0],
                offset: words(first),
                bytes: words(n),
            })
            .collect();
        let submission = self.device.scoped("running kernels", |d| {
            let mut encoder = d.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            self.encode(&mut encoder, &commands);
            staging.copy(&mut encoder, &read);
            self.device.queue().submit([encoder.finish()])
        })?;
        self.submissions += 1;
        Ok(Submitted {
            submission,
            staging,
            bytes,
            lengths: pieces.iter().map(|p| p.2).collect(),
        })
    }

    /// Runs the list, if there is something on it.
    pub(super) fn flush(&mut self) -> Result<(), GpuError> {
        if !self.commands.is_empty() {
            self.run(&[])?;
        }
        Ok(())
    }

    /// Waits for a list, and hands over what was read back.
    pub(super) fn wait(&mut self, submitted: Submitted) -> Result<Vec<Vec<f32>>, GpuError> {
        let Submitted {
            submission,
            staging,
            bytes,
            lengths,
        } = submitted;
        let all: Vec<f32> = staging.take(&self.device, submission, bytes, |bytes| {
            bytemuck::pod_collect_to_vec(bytes)
        })?;
        self.staging = staging;
        let mut rest = all.as_slice();
        let each = lengths.into_iter().map(|n| {
            let (own, others) = rest.split_at(n);
            rest = others;
            own.to_vec()
        });
        Ok(each.collect())
    }

    fn encode(&self, encoder: &mut wgpu::CommandEncoder, commands: &[Command]) {
        let is_kernel = |c: &Command| matches!(c, Command::Dispatch { .. });
        for run in commands.chunk_by(|a, b| is_kernel(a) && is_kernel(b)) {
            match run {
                [Command::Clear(array, first, n)] => {
                    encoder.clear_buffer(&self.arrays[array.0], words(*first), Some(words(*n)));
                }
                [Command::Copy((from, a), (to, b), n)] => encoder.copy_buffer_to_buffer(
                    &self.arrays[from.0],
                    words(*a),
                    &self.arrays[to.0],
                    words(*b),
                    Some(words(*n)),
                ),
                kernels => {
                    let mut pass =
                        encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                    for command in kernels {
                        if let Command::Dispatch {
                            kernel,
                            arrays,
                            uniform,
                            groups,
                        } = command
                        {
                            let Some(group) = self.groups.get(&key(*kernel, arrays)) else {
                                continue;
                            };
                            pass.set_pipeline(&self.kernels[kernel.0].pipeline);
                            pass.set_bind_group(GROUP, group, &[*uniform]);
                            pass.dispatch_workgroups(groups[0], groups[1], groups[2]);
                        }
                    }
                }
            }
        }
    }

    /// Forgets a list that is not to be run.
    pub(super) fn abandon(&mut self) {
        self.commands.clear();
        self.contents.clear();
    }
}
