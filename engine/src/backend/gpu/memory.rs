//! Buffers: checked against limits before they are allocated, read back through one that is kept.

use super::device::GpuDevice;
use super::error::GpuError;

/// A buffer that gives back what it took of the memory allowed.
#[derive(Debug)]
pub(super) struct Buffer {
    buffer: wgpu::Buffer,
    device: GpuDevice,
}

impl std::ops::Deref for Buffer {
    type Target = wgpu::Buffer;

    fn deref(&self) -> &wgpu::Buffer {
        &self.buffer
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.device.give_back(self.buffer.size());
    }
}

/// A storage buffer of so many words, zero.
pub(super) fn storage(
    device: &GpuDevice,
    what: &'static str,
    words: u64,
    more: wgpu::BufferUsages,
) -> Result<Buffer, GpuError> {
    // A binding is never empty.
    let bytes = words.max(1).saturating_mul(4);
    let limits = device.limits();
    let limit = limits
        .max_storage_buffer_binding_size
        .min(limits.max_buffer_size);
    if bytes > limit {
        let needed = bytes;
        return Err(GpuError::Limit {
            what,
            needed,
            limit,
        });
    }
    let usage = wgpu::BufferUsages::STORAGE
        | wgpu::BufferUsages::COPY_DST
        | wgpu::BufferUsages::COPY_SRC
        | more;
    allocate(device, what, bytes, usage)
}

/// A storage buffer that holds these words.
pub(super) fn storage_of(
    device: &GpuDevice,
    what: &'static str,
    words: &[u32],
) -> Result<Buffer, GpuError> {
    let buffer = storage(
        device,
        what,
        words.len() as u64,
        wgpu::BufferUsages::empty(),
    )?;
    write(device, &buffer, 0, bytemuck::cast_slice(words))?;
    Ok(buffer)
}

/// Any buffer, zero.
pub(super) fn allocate(
    device: &GpuDevice,
    what: &'static str,
    bytes: u64,
    usage: wgpu::BufferUsages,
) -> Result<Buffer, GpuError> {
    device.reserve(what, bytes)?;
    let created = device.scoped(what, |d| {
        d.create_buffer(&wgpu::BufferDescriptor {
            label: Some(what),
            size: bytes,
            usage,
            mapped_at_creation: false,
        })
    });
    match created {
        Ok(buffer) => Ok(Buffer {
            buffer,
            device: device.clone(),
        }),
        Err(e) => {
            device.give_back(bytes);
            Err(e)
        }
    }
}

/// Bytes that are uploaded at a time: what waits for the device takes as much memory again.
const UPLOAD_BYTES: usize = 64 << 20;

/// Writes bytes at an offset.
pub(super) fn write(
    device: &GpuDevice,
    buffer: &wgpu::Buffer,
    offset: u64,
    bytes: &[u8],
) -> Result<(), GpuError> {
    for (k, piece) in bytes.chunks(UPLOAD_BYTES).enumerate() {
        let at = offset + (k * UPLOAD_BYTES) as u64;
        device.scoped("uploading", |_| {
            device.queue().write_buffer(buffer, at, piece)
        })?;
        if bytes.len() > UPLOAD_BYTES {
            let submission = device.scoped("uploading", |_| device.queue().submit([]))?;
            device.wait(submission)?;
        }
    }
    Ok(())
}

/// What is read back: a buffer the processor can map, as large as was needed so far.
pub(super) struct Staging {
    buffer: Option<Buffer>,
}

/// A part of a buffer to be read back.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) buffer: &'a wgpu::Buffer,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

impl Staging {
    pub(super) fn new() -> Self {
        Self { buffer: None }
    }

    /// Room for so many bytes.
    pub(super) fn reserve(&mut self, device: &GpuDevice, bytes: u64) -> Result<(), GpuError> {
        if self.buffer.as_ref().is_none_or(|b| b.size() < bytes) {
            self.buffer = None;
            let size = bytes.next_power_of_two().max(4096);
            let limit = device.limits().max_buffer_size;
            if bytes > limit {
                return Err(GpuError::Limit {
                    what: "bytes read back at once",
                    needed: bytes,
                    limit,
                });
            }
            let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
            self.buffer = Some(allocate(device, "readback", size.min(limit), usage)?);
        }
        Ok(())
    }

    /// Copies the pieces, one after the other, into the buffer; room was reserved.
    pub(super) fn copy(&self, encoder: &mut wgpu::CommandEncoder, pieces: &[Piece<'_>]) {
        let Some(staging) = &self.buffer else { return };
        let mut at = 0;
        for piece in pieces {
            if piece.bytes > 0 {
                let (from, bytes) = (piece.offset, Some(piece.bytes));
                encoder.copy_buffer_to_buffer(piece.buffer, from, staging, at, bytes);
                at += piece.bytes;
            }
        }
    }

    /// Waits for the submission that copied, and hands over the first bytes.
    pub(super) fn take<T>(
        &self,
        device: &GpuDevice,
        submission: wgpu::SubmissionIndex,
        bytes: u64,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, GpuError> {
        let Some(buffer) = self.buffer.as_ref().filter(|_| bytes > 0) else {
            device.wait(submission)?;
            return Ok(read(&[]));
        };
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        device.scoped("mapping results", |_| {
            buffer.map_async(wgpu::MapMode::Read, ..bytes, move |result| {
                // The receiver is gone only if waiting failed, which is reported already.
                let _ = sender.send(result);
            });
        })?;
        device.wait(submission)?;
        let failed = |reason: String| GpuError::Internal {
            during: "mapping results",
            reason,
        };
        let mapped = device.wait_for(&receiver)?;
        mapped.map_err(|e| failed(e.to_string()))?;
        let result = {
            let view = buffer
                .get_mapped_range(..bytes)
                .map_err(|e| failed(e.to_string()))?;
            read(&view)
        };
        buffer.unmap();
        Ok(result)
    }
}

/// Reads parts of buffers back, one after the other.
pub(super) fn read(
    device: &GpuDevice,
    staging: &mut Staging,
    pieces: &[Piece<'_>],
) -> Result<Vec<u32>, GpuError> {
    let bytes = pieces.iter().map(|p| p.bytes).sum();
    staging.reserve(device, bytes)?;
    let submission = device.scoped("reading back", |d| {
        let mut encoder = d.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        staging.copy(&mut encoder, pieces);
        device.queue().submit([encoder.finish()])
    })?;
    staging.take(device, submission, bytes, |bytes| {
        bytemuck::pod_collect_to_vec(bytes)
    })
}
