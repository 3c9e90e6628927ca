//! Optimisers: from gradients to new parameters.
//!
//! An [`Optimizer`] applies an [`UpdateRule`] to arrays that come in the same order in every
//! [`Pass`], as `UnrolledNetwork::visit_parameters` hands them out. What a rule keeps of an array (a
//! momentum, a mean of squares) is made when the array is first seen, and can be saved and restored:
//! [`Optimizer::slots`], [`Optimizer::restore`].
//!
//! | rule | defaults (PyTorch's) |
//! |---|---|
//! | [`Sgd`] | rate 10⁻³, no momentum |
//! | [`Adam`] | rate 10⁻³, β 0.9 and 0.999, ε 10⁻⁸ |
//! | [`AdamW`] | the same, weight decay 10⁻² |
//! | [`RmsProp`] | rate 10⁻², α 0.99, ε 10⁻⁸ |
//! | [`Adagrad`] | rate 10⁻², ε 10⁻¹⁰ |
//! | [`EquationRule`] | any text of an `optimizer` |
//!
//! Updates are made in the precision of the parameters, in PyTorch's order of operations; its
//! coefficients are computed in f64. Before a pass, gradients can be clipped: [`GradientNorm`],
//! [`clip_value`].
//!
//! # Example
//! ```
//! use rheobase_engine::port::Tensor;
//! use rheobase_learning::optimizer::{Optimizer, Sgd};
//!
//! let mut optimizer = Optimizer::new(Sgd { learning_rate: 0.5, ..Sgd::default() })?;
//! let mut weight = Tensor { name: "weight".into(), shape: vec![2], values: vec![1.0_f32, 2.0] };
//! let gradient = Tensor { values: vec![1.0, -1.0], ..weight.clone() };
//!
//! // With a network: `network.visit_parameters(|node, p, g| pass.update(node, p, g))`.
//! let mut pass = optimizer.pass();
//! pass.update("fc1", &mut weight, &gradient);
//! pass.finish()?;
//! assert_eq!(weight.values, [0.5, 2.5]);
//! # Ok::<(), rheobase_learning::optimizer::OptimizerError>(())
//! ```

mod adagrad;
mod adam;
mod clip;
mod equation;
mod pass;
mod rmsprop;
mod sgd;
mod text;

pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use clip::{Clip, ClipError, GradientNorm, clip_value};
pub use equation::EquationRule;
pub use pass::Pass;
pub use rmsprop::RmsProp;
pub use sgd::Sgd;

use std::borrow::Cow;
use std::sync::Arc;

use rheobase_engine::port::Tensor;
use rheobase_engine::unrolled::{UnrolledError, UpdateEquations};
use rheobase_equations::real::Real;

/// How one array is updated.
pub trait UpdateRule<R: Real>: Send {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Whether its parameters can be.
    ///
    /// # Errors
    /// [`OptimizerError::Parameter`] for one that cannot.
    fn check(&self) -> Result<(), OptimizerError>;

    /// The learning rate to begin with.
    fn learning_rate(&self) -> f64;

    /// Names of the arrays it keeps for every array of parameters, and what they are filled with.
    fn arrays(&self) -> Vec<(Cow<'static, str>, R)>;

    /// The same as the text of an `optimizer` ([`UpdateEquations`]), which keeps what [`Self::arrays`]
    /// names: devices update by it the arrays that lie there. A rule without one (the default) is applied
    /// on the processor, wherever the network runs.
    fn equations(&self) -> Option<String> {
        None
    }

    /// One update. `state` holds what [`Self::arrays`] names, each as long as `parameter`, which is as
    /// long as `gradient`. O(parameters).
    fn update(&self, at: Moment, parameter: &mut [R], gradient: &[R], state: &mut [Tensor<R>]);
}

/// Which update of an array this is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Moment {
    /// Its number, from 1.
    pub step: u64,
    /// The learning rate.
    pub learning_rate: f64,
}

impl Moment {
    /// The number, for formulas.
    #[allow(clippy::cast_precision_loss, reason = "numbers of updates")]
    fn step_float(self) -> f64 {
        self.step as f64
    }
}

/// What an optimiser keeps of one array of parameters.
#[derive(Clone, PartialEq, Debug)]
pub struct Slot<R> {
    /// The node it belongs to.
    pub node: String,
    /// Its name there.
    pub parameter: String,
    /// Updates made.
    pub steps: u64,
    /// What the rule keeps, by name.
    pub arrays: Vec<Tensor<R>>,
}

/// Why an optimiser cannot do what it is asked.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptimizerError {
    /// A parameter of a rule that cannot be.
    #[error("{rule}: {name} is {value}, expected {expected}")]
    Parameter {
        /// The rule.
        rule: &'static str,
        /// The parameter.
        name: &'static str,
        /// The refused value.
        value: f64,
        /// What would be accepted.
        expected: &'static str,
    },
    /// A gradient that is not as long as its parameters, or an array that has changed its length.
    #[error("`{node}.{parameter}` holds {found} values, expected {expected}")]
    Length {
        /// The node.
        node: String,
        /// The array.
        parameter: String,
        /// Values given.
        found: usize,
        /// Values expected.
        expected: usize,
    },
    /// Arrays that do not come in the order of the first pass.
    #[error(
        "array {index} of this pass is {found}, but was {expected} in the first: every pass takes the same arrays in the same order"
    )]
    Order {
        /// Its place, from 0.
        index: usize,
        /// The array given.
        found: String,
        /// The array expected.
        expected: String,
    },
    /// The equations of a rule cannot be read.
    #[error(transparent)]
    Equations(#[from] UnrolledError),
    /// The equations of a rule keep something else than the rule.
    #[error("the equations of {rule} keep {found}, the rule keeps {expected}")]
    Kept {
        /// The rule.
        rule: &'static str,
        /// What the equations keep.
        found: String,
        /// What the rule keeps.
        expected: String,
    },
    /// A saved state that is not of this rule.
    #[error("`{node}.{parameter}` was saved with {found}, but {rule} keeps {expected}")]
    State {
        /// The node.
        node: String,
        /// The array.
        parameter: String,
        /// The rule.
        rule: &'static str,
        /// Arrays saved.
        found: String,
        /// Arrays expected.
        expected: String,
    },
}

/// Updates parameters by a rule.
pub struct Optimizer<R> {
    rule: Box<dyn UpdateRule<R>>,
    learning_rate: f64,
    slots: Vec<Slot<R>>,
    equations: Option<Arc<UpdateEquations>>,
    /// Slots of which a device has what is kept, where updates were made there.
    on_device: Vec<usize>,
    is_on_device: bool,
}

impl<R: Real> Optimizer<R> {
    /// An optimiser that has seen nothing yet.
    ///
    /// # Errors
    /// If a parameter of the rule cannot be, or its equations cannot be read or do not keep what it keeps.
    pub fn new(rule: impl UpdateRule<R> + 'static) -> Result<Self, OptimizerError> {
        rule.check()?;
        let equations = equations(&rule)?.map(Arc::new);
        let mut optimizer = Self {
            learning_rate: 0.0,
            rule: Box::new(rule),
            slots: Vec::new(),
            equations,
            on_device: Vec::new(),
            is_on_device: false,
        };
        optimizer.set_learning_rate(optimizer.rule.learning_rate())?;
        Ok(optimizer)
    }

    /// Name of the rule.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.rule.name()
    }

    /// The rate of the next pass.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// Sets the rate of the passes to come.
    ///
    /// # Errors
    /// If it is negative or not finite.
    pub fn set_learning_rate(&mut self, rate: f64) -> Result<(), OptimizerError> {
        expect_not_negative(self.rule.name(), "learning_rate", rate)?;
        self.learning_rate = rate;
        Ok(())
    }

    /// Begins an update of all parameters.
    pub fn pass(&mut self) -> Pass<'_, R> {
        if !self.is_on_device {
            self.on_device.clear();
        }
        Pass::new(self)
    }

    /// What is kept of every array, in the order of passes: with the learning rate, all that a
    /// checkpoint has to hold.
    #[must_use]
    pub fn slots(&self) -> &[Slot<R>] {
        &self.slots
    }

    /// Continues from what [`Self::slots`] gave: the next pass gives the same bits as it would have
    /// then, at the same learning rate.
    ///
    /// # Errors
    /// If a slot does not hold the arrays that the rule keeps, or they differ in length; nothing is
    /// changed then.
    pub fn restore(&mut self, slots: Vec<Slot<R>>) -> Result<(), OptimizerError> {
        let arrays = self.rule.arrays();
        let expected: Vec<&str> = arrays.iter().map(|(name, _)| name.as_ref()).collect();
        for slot in &slots {
            let names: Vec<&str> = slot.arrays.iter().map(|a| a.name.as_str()).collect();
            if names != expected {
                return Err(OptimizerError::State {
                    node: slot.node.clone(),
                    parameter: slot.parameter.clone(),
                    rule: self.rule.name(),
                    found: list(&names),
                    expected: list(&expected),
                });
            }
            let length = |array: &Tensor<R>| array.values.len();
            let first = slot.arrays.first().map_or(0, length);
            if let Some(other) = slot.arrays.iter().map(length).find(|&n| n != first) {
                return Err(OptimizerError::Length {
                    node: slot.node.clone(),
                    parameter: slot.parameter.clone(),
                    found: other,
                    expected: first,
                });
            }
        }
        self.slots = slots;
        self.forget_device();
        Ok(())
    }

    /// The rule as equations, if it has them.
    pub(crate) fn equations(&self) -> Option<Arc<UpdateEquations>> {
        self.equations.clone()
    }

    /// Whether a device has what is kept of the arrays that lie there.
    pub(crate) fn is_on_device(&self) -> bool {
        self.is_on_device
    }

    /// Whatever a device has is not needed any more.
    pub(crate) fn forget_device(&mut self) {
        self.on_device.clear();
        self.is_on_device = false;
    }

    /// Takes over what a device has kept of its arrays.
    pub(crate) fn take_kept(&mut self, kept: Vec<Vec<Vec<R>>>) {
        let places = std::mem::take(&mut self.on_device);
        self.forget_device();
        for (place, arrays) in places.into_iter().zip(kept) {
            if let Some(slot) = self.slots.get_mut(place) {
                for (array, values) in slot.arrays.iter_mut().zip(arrays) {
                    array.values = values;
                }
            }
        }
    }
}

/// The equations of a rule, which have to keep what it keeps.
fn equations<R: Real>(rule: &dyn UpdateRule<R>) -> Result<Option<UpdateEquations>, OptimizerError> {
    let Some(text) = rule.equations() else {
        return Ok(None);
    };
    let equations = UpdateEquations::new(&text)?;
    let arrays = rule.arrays();
    let expected: Vec<&str> = arrays.iter().map(|(name, _)| name.as_ref()).collect();
    if equations.kept() != expected {
        return Err(OptimizerError::Kept {
            rule: rule.name(),
            found: list(&equations.kept()),
            expected: list(&expected),
        });
    }
    Ok(Some(equations))
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    names.join(", ")
}

fn expect(
    holds: bool,
    rule: &'static str,
    name: &'static str,
    value: f64,
    expected: &'static str,
) -> Result<(), OptimizerError> {
    let error = OptimizerError::Parameter {
        rule,
        name,
        value,
        expected,
    };
    if holds { Ok(()) } else { Err(error) }
}

fn expect_not_negative(
    rule: &'static str,
    name: &'static str,
    value: f64,
) -> Result<(), OptimizerError> {
    let holds = value >= 0.0 && value.is_finite();
    expect(holds, rule, name, value, "a finite number of 0 or more")
}

/// For factors of moving means.
fn expect_share(rule: &'static str, name: &'static str, value: f64) -> Result<(), OptimizerError> {
    let holds = (0.0..1.0).contains(&value);
    expect(holds, rule, name, value, "at least 0 and below 1")
}

#[cfg(test)]
mod tests;
