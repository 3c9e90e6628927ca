//! Training where a device keeps parameters.

use rheobase_engine::Instantiate;
use rheobase_engine::unrolled::{Trained, UnrolledError};

use super::{TrainError, Trainer};
use crate::optimizer::GradientNorm;

impl<R: Instantiate> Trainer<R> {
    /// Takes a copy of the trainer's state, to which it returns if a device fails. Without a call the first
    /// batch takes one.
    ///
    /// # Errors
    /// If a device fails.
    pub fn keep(&mut self) -> Result<(), TrainError> {
        let state = self.state()?;
        self.kept = Some(Box::new(state));
        Ok(())
    }

    /// Brings parameters and what the optimiser keeps up to date with the device that has them.
    pub(super) fn fetch(&mut self) -> Result<(), TrainError> {
        let outcome = self.try_to_fetch();
        self.or_back(outcome)
    }

    fn try_to_fetch(&mut self) -> Result<(), TrainError> {
        self.network.fetch_parameters()?;
        if self.optimizer.is_on_device() {
            let kept = self.network.fetch_kept()?;
            self.optimizer.take_kept(kept);
        }
        Ok(())
    }

    /// Returns to what was kept if a device has failed.
    pub(super) fn or_back<T>(&mut self, outcome: Result<T, TrainError>) -> Result<T, TrainError> {
        if let Err(TrainError::Network(UnrolledError::Device(_))) = &outcome
            && let Some(kept) = &self.kept
        {
            let kept = kept.as_ref().clone();
            // It came from this trainer: it fits, unless a parameter is not finite, and then what the
            // processor has is as good.
            if self.restore(kept).is_err() {
                self.optimizer.forget_device();
            }
        }
        outcome
    }

    /// Updates parameters where they lie, if they lie on a device and the rule has equations; the norm of
    /// all gradients before. `None`: the processor is to do it.
    pub(super) fn update_on_device(&mut self) -> Result<Option<f64>, TrainError> {
        let Some(equations) = self.optimizer.equations() else {
            return Ok(None);
        };
        if !self.network.keeps_gradients() || !self.network.updates_by(&equations) {
            return Ok(None);
        }
        let mut norm = GradientNorm::default();
        norm.add_squares(self.network.sum_of_squares()?);
        let value = norm.value();
        if !value.is_finite() {
            // The processor looks which gradient it is; or adds up in a wider format.
            return Ok(None);
        }
        let clip = self.training.clip_norm.map(|most| norm.clip(most));
        let clip = clip.transpose()?;
        let scale = clip.map_or(1.0, |clip| clip.factor());
        let mut pass = self.optimizer.pass();
        self.network
            .update_parameters(&equations, scale, |node, array| match array {
                Trained::Here(parameter, gradient) => {
                    if let Some(clip) = clip {
                        clip.apply(&mut gradient.values);
                    }
                    pass.update(node, parameter, gradient);
                    None
                }
                Trained::OnDevice(name, n) => pass.on_device(node, name, n),
            })?;
        pass.finish_on_device()?;
        Ok(Some(value))
    }
}
