//! Devices that run the passes of an unrolled network.

#[cfg(feature = "gpu")]
mod plan;

use rheobase_equations::real::Real;

use super::emission::Rows;
use super::{Sequence, UnrolledError, UnrolledNetwork};
use crate::plan::NodeId;

#[cfg(feature = "gpu")]
pub(crate) use plan::{GraphPlan, NodePlan, PopulationPlan, ProjectionPlan, WorkPlan};

/// Runs passes in place of the processor.
pub(crate) trait DevicePass<R: Real>: Send {
    /// Runs all steps, from the initial state, and writes the outputs.
    fn forward(
        &mut self,
        network: &mut UnrolledNetwork<R>,
        inputs: &[Sequence<'_, R>],
        training: bool,
    ) -> Result<(), UnrolledError>;

    /// What populations emitted in the last pass, by node, `[T, N, *]`.
    fn emissions(&mut self) -> Result<Vec<(NodeId, Vec<R>)>, UnrolledError>;

    /// Steps of a segment.
    fn segment_steps(&self) -> usize;

    /// Bytes of everything on the device, weights included.
    fn kept_bytes(&self) -> u64;

    /// Submissions so far.
    fn submissions(&self) -> u64;

    /// Adds to the gradients of all trained arrays.
    fn backward(
        &mut self,
        network: &mut UnrolledNetwork<R>,
        outputs: &[(&str, &[R])],
    ) -> Result<(), UnrolledError>;
}

impl<R: Real> UnrolledNetwork<R> {
    /// Submissions to the device that runs the passes, if one does.
    #[must_use]
    pub fn device_submissions(&self) -> Option<u64> {
        self.device.as_ref().map(|device| device.submissions())
    }

    /// Fetches what populations emitted from the device that runs the passes, if one does: what
    /// [`Self::firing`] looks at.
    ///
    /// # Errors
    /// If the device fails.
    pub fn fetch_emissions(&mut self) -> Result<(), UnrolledError> {
        let Some(device) = &mut self.device else {
            return Ok(());
        };
        for (id, values) in device.emissions()? {
            let emission = &mut self.nodes[id].emission;
            let width = emission.width.max(1);
            // Those of the segment that was run last.
            let steps = values.len() / (width * self.batch).max(1);
            emission.clear(steps, false);
            let rows = emission.own(&(0..steps));
            if let Rows::Spikes(spikes) = &emission.rows {
                for (row, values) in rows.zip(values.chunks_exact(width)) {
                    for (i, _) in values.iter().enumerate().filter(|(_, x)| **x != R::ZERO) {
                        spikes.set(row, i);
                    }
                }
            }
        }
        Ok(())
    }
}
