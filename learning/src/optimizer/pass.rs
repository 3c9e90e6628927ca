//! One update of all parameters.

use std::borrow::Cow;

use rheobase_engine::port::Tensor;
use rheobase_engine::unrolled::DeviceStep;
use rheobase_equations::real::Real;

use super::{Moment, Optimizer, OptimizerError, Slot};

/// Takes the arrays of parameters one after the other.
///
/// The first failure stops the pass: arrays before it have been updated, those after it are left as
/// they are, and [`Self::finish`] tells.
#[must_use = "`finish` tells whether all parameters were updated"]
pub struct Pass<'a, R> {
    optimizer: &'a mut Optimizer<R>,
    next: usize,
    /// Slots there were when the pass began.
    known: usize,
    failed: Option<OptimizerError>,
}

impl<'a, R: Real> Pass<'a, R> {
    pub(super) fn new(optimizer: &'a mut Optimizer<R>) -> Self {
        Self {
            known: optimizer.slots.len(),
            next: 0,
            failed: None,
            optimizer,
        }
    }

    /// Updates the next array, a tensor of `node`. O(parameters).
    pub fn update(&mut self, node: &str, parameter: &mut Tensor<R>, gradient: &Tensor<R>) {
        let Tensor { name, values, .. } = parameter;
        self.update_array(node, name, values, &gradient.values);
    }

    /// Updates the next array, `name` of `node`. O(parameters).
    pub fn update_array(&mut self, node: &str, name: &str, parameter: &mut [R], gradient: &[R]) {
        if self.failed.is_some() {
            return;
        }
        match self.slot(node, name, parameter.len(), gradient.len()) {
            Ok(slot) => {
                self.next += 1;
                let optimizer = &mut *self.optimizer;
                let slot = &mut optimizer.slots[slot];
                slot.steps += 1;
                let at = Moment {
                    step: slot.steps,
                    learning_rate: optimizer.learning_rate,
                };
                let state = &mut slot.arrays;
                optimizer.rule.update(at, parameter, gradient, state);
            }
            Err(error) => self.failed = Some(error),
        }
    }

    /// The next array lies on a device: what its update there needs. O(1), in the first pass O(values).
    pub(crate) fn on_device(&mut self, node: &str, name: &str, n: usize) -> Option<DeviceStep<R>> {
        if self.failed.is_some() {
            return None;
        }
        match self.slot(node, name, n, n) {
            Ok(slot) => {
                self.next += 1;
                let optimizer = &mut *self.optimizer;
                let is_known = optimizer.is_on_device;
                if !is_known {
                    optimizer.on_device.push(slot);
                }
                let slot = &mut optimizer.slots[slot];
                slot.steps += 1;
                let arrays = slot.arrays.iter();
                Some(DeviceStep {
                    learning_rate: optimizer.learning_rate,
                    number: slot.steps,
                    kept: (!is_known).then(|| arrays.map(|a| a.values.clone()).collect()),
                })
            }
            Err(error) => {
                self.failed = Some(error);
                None
            }
        }
    }

    /// Ends a pass that a device has taken part in.
    pub(crate) fn finish_on_device(self) -> Result<(), OptimizerError> {
        self.optimizer.is_on_device = true;
        self.finish()
    }

    /// The slot of the next array, made if this is the first pass.
    fn slot(
        &mut self,
        node: &str,
        name: &str,
        length: usize,
        of_gradient: usize,
    ) -> Result<usize, OptimizerError> {
        let wrong_length = |found, expected| OptimizerError::Length {
            node: node.to_owned(),
            parameter: name.to_owned(),
            found,
            expected,
        };
        if of_gradient != length {
            return Err(wrong_length(of_gradient, length));
        }
        let index = self.next;
        if let Some(slot) = self.optimizer.slots.get(index) {
            if slot.node != node || slot.parameter != name {
                return Err(OptimizerError::Order {
                    index,
                    found: format!("`{node}.{name}`"),
                    expected: format!("`{}.{}`", slot.node, slot.parameter),
                });
            }
            let kept = slot.arrays.first().map_or(length, |a| a.values.len());
            if kept != length {
                return Err(wrong_length(length, kept));
            }
            return Ok(index);
        }
        if self.known > 0 {
            return Err(OptimizerError::Order {
                index,
                found: format!("`{node}.{name}`"),
                expected: "absent".to_owned(),
            });
        }
        let array = |(name, initial): (Cow<'static, str>, R)| Tensor {
            name: name.into_owned(),
            shape: vec![length],
            values: vec![initial; length],
        };
        let arrays = self.optimizer.rule.arrays();
        self.optimizer.slots.push(Slot {
            node: node.to_owned(),
            parameter: name.to_owned(),
            steps: 0,
            arrays: arrays.into_iter().map(array).collect(),
        });
        Ok(index)
    }

    /// Ends the pass.
    ///
    /// # Errors
    /// The first failure, if there was one: lengths that differ, or arrays that are not those of the
    /// first pass.
    pub fn finish(self) -> Result<(), OptimizerError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.optimizer.slots.get(self.next) {
            None => Ok(()),
            Some(slot) => Err(OptimizerError::Order {
                index: self.next,
                found: "absent".to_owned(),
                expected: format!("`{}.{}`", slot.node, slot.parameter),
            }),
        }
    }
}
