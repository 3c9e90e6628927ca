//! How long kernels take, by the device's own clock.

use super::super::device::GpuDevice;
use super::super::error::GpuError;
use super::super::memory::{self, Buffer, Piece, Staging};
use super::DeviceCounts;

/// What a kernel does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Advance,
    List,
    Deliver,
}

/// Most kernels of a submission that are measured; what comes later is not.
const MOST: u32 = wgpu::QUERY_SET_MAX_QUERIES / 2;

/// Two moments for each kernel of a submission.
pub(super) struct Clock {
    queries: wgpu::QuerySet,
    moments: Buffer,
    kinds: Vec<Kind>,
}

impl Clock {
    pub(super) fn new(device: &GpuDevice) -> Result<Self, GpuError> {
        let bytes = u64::from(2 * MOST) * 8;
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        Ok(Self {
            queries: device.scoped("timestamps", |d| {
                d.create_query_set(&wgpu::QuerySetDescriptor {
                    label: Some("timestamps"),
                    ty: wgpu::QueryType::Timestamp,
                    count: 2 * MOST,
                })
            })?,
            moments: memory::allocate(device, "timestamps", bytes, usage)?,
            kinds: Vec::new(),
        })
    }

    /// The moments of the next kernel, if there is room.
    pub(super) fn next(&mut self, kind: Kind) -> Option<wgpu::ComputePassTimestampWrites<'_>> {
        let place = u32::try_from(self.kinds.len()).ok().filter(|&k| k < MOST)?;
        self.kinds.push(kind);
        Some(wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(2 * place),
            end_of_pass_write_index: Some(2 * place + 1),
        })
    }

    /// Makes the moments readable.
    pub(super) fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        let n = u32::try_from(2 * self.kinds.len()).unwrap_or(2 * MOST);
        encoder.resolve_query_set(&self.queries, 0..n, &self.moments, 0);
    }

    /// Adds up what the submission took.
    pub(super) fn add_to(
        &self,
        device: &GpuDevice,
        counts: &mut DeviceCounts,
    ) -> Result<(), GpuError> {
        let piece = Piece {
            buffer: &self.moments,
            offset: 0,
            bytes: 16 * self.kinds.len() as u64,
        };
        let words = memory::read(device, &mut Staging::new(), &[piece])?;
        let period_ns = device.queue().get_timestamp_period();
        let moment = |pair: &[u32]| u64::from(pair[0]) | u64::from(pair[1]) << 32;
        for (kind, four) in self.kinds.iter().zip(words.chunks_exact(4)) {
            let ticks = moment(&four[2..]).saturating_sub(moment(&four[..2]));
            #[allow(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a duration, for people"
            )]
            let ns = (ticks as f64 * f64::from(period_ns)) as u64;
            match kind {
                Kind::Advance => counts.advance_ns += ns,
                Kind::List => counts.list_ns += ns,
                Kind::Deliver => counts.deliver_ns += ns,
            }
        }
        Ok(())
    }
}
