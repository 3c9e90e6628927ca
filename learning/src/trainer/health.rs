//! Signs that training cannot work.

use rheobase_engine::Instantiate;
use rheobase_engine::unrolled::UnrolledNetwork;

/// What the last batch tells about a network.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Health {
    /// Of every population that emits spikes.
    pub populations: Vec<PopulationHealth>,
    /// Trained arrays, as `node.name`, all of whose gradients are 0: nothing reaches them.
    pub without_gradient: Vec<String>,
}

/// Activity of a population in a batch.
#[derive(Clone, PartialEq, Debug)]
pub struct PopulationHealth {
    /// Its name.
    pub name: String,
    /// Neurons.
    pub neurons: usize,
    /// Neurons that fired in no step of any sample.
    pub silent: usize,
    /// Neurons that fired in every step of every sample.
    pub saturated: usize,
    /// Share of neurons that fire in a step.
    pub activity: f64,
}

impl Health {
    pub(super) fn of<R: Instantiate>(network: &mut UnrolledNetwork<R>) -> Self {
        let populations = network
            .firing()
            .map(|f| PopulationHealth {
                name: f.name.to_owned(),
                neurons: f.neurons,
                silent: f.silent,
                saturated: f.saturated,
                activity: f.activity,
            })
            .collect();
        let mut without_gradient = Vec::new();
        network.visit_parameters(|node, parameter, gradient| {
            if gradient.values.iter().all(|g| *g == R::ZERO) {
                without_gradient.push(format!("{node}.{}", parameter.name));
            }
        });
        Self {
            populations,
            without_gradient,
        }
    }

    /// A sentence for everything that asks for attention.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for p in &self.populations {
            if p.silent == p.neurons {
                warnings.push(format!(
                    "`{}` is silent: larger weights, a lower threshold or a stronger input wake it",
                    p.name
                ));
            }
            if p.saturated == p.neurons {
                warnings.push(format!(
                    "`{}` fires in every step: it tells nothing",
                    p.name
                ));
            }
        }
        for array in &self.without_gradient {
            warnings.push(format!(
                "the gradient of `{array}` is 0: neurons behind it are far from threshold, or the loss does not depend on it"
            ));
        }
        warnings
    }
}
