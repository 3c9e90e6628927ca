//! Optimisers that a device runs where it keeps the trained arrays.
//!
//! While a device runs the passes ([`UnrolledNetwork::run_on`]), gradients stay there, and updates can be
//! made there too: [`UnrolledNetwork::update_parameters`]. What the processor sees of parameters, gradients
//! and the optimiser's own arrays is then older, until it looks:
//! [`UnrolledNetwork::visit_parameters`] and [`UnrolledNetwork::fetch_parameters`] bring it up to date.

use std::sync::Arc;

use rheobase_equations::lower::{Component, lower};
use rheobase_equations::model::Kind;
use rheobase_equations::parse_one;
use rheobase_equations::real::Real;

use super::{UnrolledError, UnrolledNetwork, Work};
use crate::port::Tensor;

/// An optimiser as equations: how every element of a trained array moves along its gradient.
///
/// The text is that of an `optimizer`: its one input is the gradient, its first state the element; its other
/// states are kept from update to update. The parameters `learning_rate` and `k` (the number of the update,
/// from 1), if there are such, are set for every update; all others keep their defaults.
///
/// ```
/// use rheobase_engine::unrolled::UpdateEquations;
///
/// let momentum = UpdateEquations::new(
///     "optimizer momentum
///        parameter learning_rate = 0.1
///        input g : 1
///        state p = 0 : 1
///        state b = 0 : 1
///        update b = 0.9*b + g
///        update p = p - learning_rate*b",
/// )?;
/// assert_eq!(momentum.kept(), ["b"]);
/// # Ok::<(), rheobase_engine::unrolled::UnrolledError>(())
/// ```
#[derive(Clone, Debug)]
pub struct UpdateEquations {
    pub(crate) component: Component,
    defaults: Vec<f64>,
    learning_rate: Option<usize>,
    number: Option<usize>,
}

impl UpdateEquations {
    /// Reads the text of an optimiser.
    ///
    /// # Errors
    /// If it cannot be read, or is that of something else.
    pub fn new(text: &str) -> Result<Self, UnrolledError> {
        let wrong = |message: String| UnrolledError::Values {
            name: "optimizer".to_owned(),
            message,
        };
        let model = parse_one(text, "optimizer").map_err(|e| wrong(e.to_string()))?;
        if model.kind != Kind::Optimizer {
            let message = format!("`{}` is no optimizer", model.name);
            return Err(wrong(message));
        }
        let component = lower(&Arc::new(model), None).map_err(|e| wrong(e.to_string()))?;
        let mut parameters = component.model.parameters.iter();
        let learning_rate = parameters.clone().position(|p| p.name == "learning_rate");
        let number = parameters.position(|p| p.name == "k");
        Ok(Self {
            defaults: component.default_parameters(),
            learning_rate,
            number,
            component,
        })
    }

    /// The component.
    #[must_use]
    pub fn component(&self) -> &Component {
        &self.component
    }

    /// Names of the states besides the first.
    #[must_use]
    pub fn kept(&self) -> Vec<&str> {
        let states = self.component.states.iter().skip(1);
        states.map(|s| s.name.as_str()).collect()
    }

    /// What those states begin with.
    #[must_use]
    pub fn initial(&self) -> Vec<f64> {
        let states = self.component.initial_states(&self.defaults, 1.0);
        states.into_iter().skip(1).collect()
    }

    /// Whether there is a parameter `learning_rate`.
    #[must_use]
    pub fn has_learning_rate(&self) -> bool {
        self.learning_rate.is_some()
    }

    /// The default of the parameter `learning_rate`, 1 if there is none.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate.map_or(1.0, |k| self.defaults[k])
    }

    /// Derived quantities in the update of that number.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "numbers of updates")]
    pub fn derived(&self, learning_rate: f64, number: u64) -> Vec<f64> {
        let mut parameters = self.defaults.clone();
        if let Some(k) = self.learning_rate {
            parameters[k] = learning_rate;
        }
        if let Some(k) = self.number {
            parameters[k] = number as f64;
        }
        // No update has a time step.
        self.component.derive(&parameters, 1.0)
    }
}

/// A trained array that is to be updated.
#[derive(Debug)]
pub enum Trained<'a, R> {
    /// Here: it, and its gradient.
    Here(&'a mut Tensor<R>, &'a mut Tensor<R>),
    /// On the device: its name, and how many values it has.
    OnDevice(&'a str, usize),
}

/// The update of an array on the device.
#[derive(Clone, PartialEq, Debug)]
pub struct DeviceStep<R> {
    /// The learning rate.
    pub learning_rate: f64,
    /// Number of the update, from 1.
    pub number: u64,
    /// What [`UpdateEquations::kept`] names; `None`: what the update before left on the device.
    pub kept: Option<Vec<Vec<R>>>,
}

/// Which of the trained arrays are newer on the device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Newer {
    /// Gradients there have not been added to those here.
    pub(super) gradients: bool,
    pub(super) parameters: bool,
    /// Gradients here are zero.
    pub(super) cleared: bool,
}

impl<R: Real> UnrolledNetwork<R> {
    /// Whether the device holds all gradients of the arrays it keeps, so that
    /// [`Self::update_parameters`] can be called: after one backward pass there since
    /// [`Self::clear_gradients`], before anything was looked at.
    #[must_use]
    pub fn keeps_gradients(&self) -> bool {
        let is_known = self.left.is_empty();
        self.device.is_some() && self.newer.gradients && self.newer.cleared && is_known
    }

    /// Whether the device that runs the passes, if one does, can update by these equations.
    #[must_use]
    pub fn updates_by(&self, equations: &UpdateEquations) -> bool {
        self.device.as_ref().is_some_and(|d| d.takes(equations))
    }

    /// The sum of the squares of all gradients, those on the device in f32: beyond its range it is
    /// infinite or 0.
    ///
    /// # Errors
    /// If the device has failed.
    pub fn sum_of_squares(&mut self) -> Result<f64, UnrolledError> {
        let mut sum = 0.0;
        self.settle()?;
        if self.keeps_gradients()
            && let Some(device) = &self.device
        {
            sum = device.sum_of_squares();
            for (_, gradient) in self.arrays_here() {
                sum += gradient.1.values.iter().map(|g| square(*g)).sum::<f64>();
            }
            return Ok(sum);
        }
        self.fetch_parameters()?;
        self.visit_parameters(|_, _, gradient| {
            sum += gradient.values.iter().map(|g| square(*g)).sum::<f64>();
        });
        Ok(sum)
    }

    /// Updates all trained arrays: `update` is called for each, in the order of
    /// [`Self::visit_parameters`]. It updates those that are here; those on the device are updated there, by
    /// `equations`, with gradients times `scale` (which stay as they are). An array for which it gives nothing is left as it is.
    ///
    /// # Errors
    /// Unless [`Self::keeps_gradients`]; if the device fails.
    pub fn update_parameters(
        &mut self,
        equations: &UpdateEquations,
        scale: f64,
        mut update: impl FnMut(&str, Trained<'_, R>) -> Option<DeviceStep<R>>,
    ) -> Result<(), UnrolledError> {
        self.settle()?;
        if !self.keeps_gradients() {
            return Err(UnrolledError::NoPass);
        }
        let Some(mut device) = self.device.take() else {
            return Err(UnrolledError::NoPass);
        };
        let mut steps = Vec::new();
        for node in &mut self.nodes {
            match &mut node.work {
                Work::Input | Work::Source(_) => {}
                Work::Synapses(synapses) => {
                    for p in synapses.projections.iter().filter(|p| p.is_learnable) {
                        let array = Trained::OnDevice(&p.weight.name, p.weight.values.len());
                        steps.push(update(&p.name, array));
                    }
                }
                Work::Layer(layer) => {
                    for p in &layer.parameters {
                        let array = Trained::OnDevice(&p.name, p.values.len());
                        steps.push(update(&node.name, array));
                    }
                }
                Work::Population(p) => {
                    let arrays = p.learned.parameters.iter_mut();
                    for (parameter, gradient) in arrays.zip(&mut p.learned.gradients) {
                        update(&node.name, Trained::Here(parameter, gradient));
                    }
                }
            }
        }
        let outcome = device.update(equations, scale, steps);
        self.device = Some(device);
        match outcome {
            Ok(()) => self.newer.parameters = true,
            Err(_) => self.newer = Newer::default(),
        }
        outcome
    }

    /// Brings parameters and gradients here up to date with a device that keeps them.
    ///
    /// # Errors
    /// If the device fails, or has failed before: what it had is lost then, and parameters are as they were
    /// when last fetched.
    pub fn fetch_parameters(&mut self) -> Result<(), UnrolledError> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        self.settle()?;
        let newer = self.newer;
        if !newer.gradients && !newer.parameters {
            return Ok(());
        }
        self.newer = Newer::default();
        match self.device.take() {
            Some(mut device) => {
                let outcome = device.fetch(self, newer.parameters, newer.gradients);
                self.device = Some(device);
                outcome
            }
            None => Ok(()),
        }
    }

    /// Waits for the last backward pass, if a device is still at it: [`Self::backward`] does not, so that
    /// the processor can do something else meanwhile.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn settle(&mut self) -> Result<(), UnrolledError> {
        let Some(mut device) = self.device.take() else {
            return Ok(());
        };
        let outcome = device.settle(self);
        self.device = Some(device);
        if outcome.is_err() {
            self.newer = Newer::default();
        }
        outcome
    }

    /// As [`Self::fetch_parameters`], for those who cannot fail: the next pass tells.
    pub(super) fn look(&mut self) {
        if let Err(fault) = self.fetch_parameters() {
            self.fault = Some(fault);
        }
    }

    /// What the updates so far have left on the device, for each array it keeps, in order, each as
    /// [`UpdateEquations::kept`] names it. Empty if there were none. Of a device that runs the passes no more
    /// it is handed out once.
    ///
    /// # Errors
    /// If the device fails.
    pub fn fetch_kept(&mut self) -> Result<Vec<Vec<Vec<R>>>, UnrolledError> {
        if !self.left.is_empty() {
            return Ok(std::mem::take(&mut self.left));
        }
        match &mut self.device {
            Some(device) => device.kept(),
            None => Ok(Vec::new()),
        }
    }

    /// Whatever [`Self::fetch_kept`] would hand out is not needed any more.
    pub fn forget_kept(&mut self) {
        self.left.clear();
        if let Some(device) = &mut self.device {
            device.forget_kept();
        }
    }

    /// Trained arrays that are never on a device, with their gradients.
    fn arrays_here(&self) -> impl Iterator<Item = (&str, (&Tensor<R>, &Tensor<R>))> {
        self.nodes.iter().flat_map(|node| {
            let (parameters, gradients) = match &node.work {
                Work::Population(p) => (&p.learned.parameters[..], &p.learned.gradients[..]),
                _ => (&[][..], &[][..]),
            };
            let arrays = parameters.iter().zip(gradients);
            arrays.map(|pair| (node.name.as_str(), pair))
        })
    }
}

fn square<R: Real>(x: R) -> f64 {
    let x = x.to_f64();
    x * x
}
