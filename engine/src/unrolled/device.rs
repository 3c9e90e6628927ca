//! Devices that run the passes of an unrolled network.

#[cfg(feature = "gpu")]
mod plan;

use rheobase_equations::real::Real;

use super::emission::Rows;
use super::update::Newer;
use super::{DeviceStep, Sequence, UnrolledError, UnrolledNetwork, UpdateEquations};
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

    /// Computes the gradients of this pass for the arrays it keeps, and adds to those of all others once
    /// [`Self::settle`] is called.
    fn backward(
        &mut self,
        network: &mut UnrolledNetwork<R>,
        outputs: &[(&str, &[R])],
    ) -> Result<(), UnrolledError>;

    /// Waits for the last backward pass.
    fn settle(&mut self, network: &mut UnrolledNetwork<R>) -> Result<(), UnrolledError>;

    /// The sum of the squares of the gradients it keeps.
    fn sum_of_squares(&self) -> f64;

    /// Updates the arrays it keeps, in their order.
    fn update(
        &mut self,
        equations: &UpdateEquations,
        scale: f64,
        steps: Vec<Option<DeviceStep<R>>>,
    ) -> Result<(), UnrolledError>;

    /// Copies the parameters it keeps, adds the gradients it keeps.
    fn fetch(
        &mut self,
        network: &mut UnrolledNetwork<R>,
        parameters: bool,
        gradients: bool,
    ) -> Result<(), UnrolledError>;

    /// Whether it can update by these equations.
    fn takes(&self, equations: &UpdateEquations) -> bool;

    /// Does what is still to be done.
    fn flush(&mut self) -> Result<(), UnrolledError>;

    /// What updates have left is not needed any more.
    fn forget_kept(&mut self);

    /// What updates have left, for each array it keeps; nothing if there is nothing.
    fn kept(&mut self) -> Result<Vec<Vec<Vec<R>>>, UnrolledError>;
}

impl<R: Real> UnrolledNetwork<R> {
    /// Whether a device runs the passes.
    #[must_use]
    pub fn is_on_device(&self) -> bool {
        self.device.is_some()
    }

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
        self.settle()?;
        let Some(device) = &mut self.device else {
            return Ok(());
        };
        // Apart from reading: no update is lost if there is no room for what is read.
        if let Err(fault) = device.flush() {
            self.newer = Newer::default();
            self.fault = Some(fault.clone());
            return Err(fault);
        }
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
