//! All that a trainer has to remember.

use rheobase_engine::Instantiate;
use rheobase_engine::port::Tensor;
use rheobase_equations::real::Real;

use super::{TrainError, Trainer};
use crate::optimizer::{OptimizerError, Slot};

/// State of a trainer: with the same parts, it continues from here with the same bits.
#[derive(Clone, PartialEq, Debug)]
pub struct TrainerState<R> {
    /// Trained arrays, with the name of their node.
    pub parameters: Vec<(String, Tensor<R>)>,
    /// Arrays that are not trained but belong to the network.
    pub buffers: Vec<(String, Tensor<R>)>,
    /// What the optimiser keeps.
    pub slots: Vec<Slot<R>>,
    /// Its learning rate.
    pub learning_rate: f64,
    /// Batches trained on.
    pub batches: u64,
    /// Passes of the network.
    pub passes: u64,
}

/// Why a state does not fit. The trainer is as before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Not the arrays of this network.
    #[error("array {place} is `{found}`, the network expects `{expected}`")]
    Array {
        /// Its place.
        place: usize,
        /// What there is.
        found: String,
        /// What should be there.
        expected: String,
    },
    /// A value that is not finite.
    #[error("`{array}`: value {place} is {value}")]
    NotFinite {
        /// The array.
        array: String,
        /// Place in it.
        place: usize,
        /// The value.
        value: f64,
    },
    /// Not the state of this optimiser.
    #[error(transparent)]
    Optimizer(#[from] OptimizerError),
}

/// Name and shape of an array, for comparison and messages.
fn label<R>((node, tensor): &(String, Tensor<R>)) -> String {
    format!("{node}.{} {:?}", tensor.name, tensor.shape)
}

fn check<R: Real>(
    given: &[(String, Tensor<R>)],
    own: &[(String, Tensor<R>)],
) -> Result<(), StateError> {
    let nothing = || "nothing".to_owned();
    for place in 0..given.len().max(own.len()) {
        let found = given.get(place).map_or_else(nothing, label);
        let expected = own.get(place).map_or_else(nothing, label);
        let lengths =
            given.get(place).map(|g| g.1.values.len()) == own.get(place).map(|o| o.1.values.len());
        if found != expected || !lengths {
            return Err(StateError::Array {
                place,
                found,
                expected,
            });
        }
    }
    for (node, tensor) in given {
        if let Some(place) = tensor.values.iter().position(|x| !x.is_finite()) {
            return Err(StateError::NotFinite {
                array: format!("{node}.{}", tensor.name),
                place,
                value: tensor.values[place].to_f64(),
            });
        }
    }
    Ok(())
}

impl<R: Instantiate> Trainer<R> {
    /// Trained arrays, with the name of their node.
    pub fn parameters(&mut self) -> Vec<(String, Tensor<R>)> {
        let mut parameters = Vec::new();
        self.network
            .visit_parameters(|node, p, _| parameters.push((node.to_owned(), p.clone())));
        parameters
    }

    fn buffers(&mut self) -> Vec<(String, Tensor<R>)> {
        let mut buffers = Vec::new();
        self.network
            .visit_buffers(|node, b| buffers.push((node.to_owned(), b.clone())));
        buffers
    }

    /// All that has to be kept to continue.
    ///
    /// # Errors
    /// If a device fails that has it.
    pub fn state(&mut self) -> Result<TrainerState<R>, TrainError> {
        self.fetch()?;
        Ok(TrainerState {
            parameters: self.parameters(),
            buffers: self.buffers(),
            slots: self.optimizer.slots().to_vec(),
            learning_rate: self.optimizer.learning_rate(),
            batches: self.batches,
            passes: self.network.passes(),
        })
    }

    /// Continues from a state.
    ///
    /// # Errors
    /// If it is not of this network and optimiser.
    pub fn restore(&mut self, state: TrainerState<R>) -> Result<(), StateError> {
        self.check_arrays(&state)?;
        self.optimizer.restore(state.slots.clone())?;
        self.optimizer.set_learning_rate(state.learning_rate)?;
        self.batches = state.batches;
        self.network.set_passes(state.passes);
        self.network.forget_kept();
        self.kept = None;
        self.load_arrays(state);
        Ok(())
    }

    /// Takes over the parameters and buffers of a state, and nothing else.
    ///
    /// # Errors
    /// If they are not of this network.
    pub fn restore_network(&mut self, state: TrainerState<R>) -> Result<(), StateError> {
        self.check_arrays(&state)?;
        self.kept = None;
        self.load_arrays(state);
        Ok(())
    }

    fn check_arrays(&mut self, state: &TrainerState<R>) -> Result<(), StateError> {
        check(&state.parameters, &self.parameters())?;
        check(&state.buffers, &self.buffers())
    }

    fn load_arrays(&mut self, state: TrainerState<R>) {
        let mut parameters = state.parameters.into_iter();
        self.network.visit_parameters(|_, p, _| {
            if let Some((_, given)) = parameters.next() {
                p.values = given.values;
            }
        });
        let mut buffers = state.buffers.into_iter();
        self.network.visit_buffers(|_, b| {
            if let Some((_, given)) = buffers.next() {
                b.values = given.values;
            }
        });
    }
}
