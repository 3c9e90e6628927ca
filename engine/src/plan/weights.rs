//! Weights of synapses that were learned or come from elsewhere.

use std::ops::Range;
use std::sync::Arc;

use super::{EdgeKind, Plan};
use crate::port::{Candidate, ConnectivityRule, RowDrawer, RuleStreams, Sides, each_row};
use crate::rows::{RowsError, Synapse, Wiring};

/// Why weights do not fit a projection. The plan is as before.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// There is no such projection.
    #[error("there is no projection `{name}`; there are {names}")]
    Name {
        /// The name.
        name: String,
        /// Those there are.
        names: String,
    },
    /// Not as many as there are synapses.
    #[error("projection `{name}` has {synapses} synapses; {found} weights were given")]
    Number {
        /// The projection.
        name: String,
        /// Its synapses.
        synapses: usize,
        /// The weights.
        found: usize,
    },
    /// A weight that is not finite.
    #[error("projection `{name}`: weight {place} is {value}")]
    NotFinite {
        /// The projection.
        name: String,
        /// Place of the weight.
        place: usize,
        /// Its value.
        value: f64,
    },
    /// Its delays are not those of the grid.
    #[error(
        "projection `{name}` leads to a population in continuous time: its synapses have no order on the grid"
    )]
    Continuous {
        /// The projection.
        name: String,
    },
    /// The synapses cannot be drawn.
    #[error(transparent)]
    Rows(#[from] RowsError),
}

/// Synapses as a list, row by row.
struct Listed {
    /// First synapse of each target, and their number at the end.
    firsts: Vec<usize>,
    candidates: Vec<Candidate>,
}

impl ConnectivityRule for Listed {
    fn check(&self, _: Sides) -> Result<(), String> {
        Ok(())
    }

    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    fn expected_synapses(&self, _: Sides) -> f64 {
        self.candidates.len() as f64
    }

    fn fixes_weights(&self) -> bool {
        true
    }

    fn rows<'a>(&'a self, _: Sides, _: Range<u32>, _: RuleStreams) -> Box<dyn RowDrawer + 'a> {
        each_row(move |target, _, row| {
            let ends = &self.firsts[target as usize..][..2];
            row.extend_from_slice(&self.candidates[ends[0]..ends[1]]);
        })
    }
}

impl Listed {
    fn new(
        n_target: usize,
        synapses: impl Iterator<Item = Synapse> + Clone,
        weights: &[f64],
        dt_ms: f64,
    ) -> Self {
        let mut firsts = vec![0; n_target + 1];
        for synapse in synapses.clone() {
            firsts[synapse.target as usize + 1] += 1;
        }
        for k in 1..firsts.len() {
            firsts[k] += firsts[k - 1];
        }
        let nothing = Candidate {
            source: 0,
            fixed: None,
        };
        let mut candidates = vec![nothing; weights.len()];
        let mut next = firsts.clone();
        for (synapse, &weight) in synapses.zip(weights) {
            let at = &mut next[synapse.target as usize];
            candidates[*at] = Candidate {
                source: synapse.source,
                fixed: Some((weight, f64::from(synapse.delay_steps) * dt_ms)),
            };
            *at += 1;
        }
        Self { firsts, candidates }
    }
}

impl Plan {
    /// Gives the synapses of a projection weights of their own, in base units of the port: those that an
    /// [`UnrolledNetwork`](crate::unrolled::UnrolledNetwork) of the same plan has learned, or saved ones.
    /// They are in its order: by source, delay in steps, target, and the order of the rule.
    ///
    /// Who is connected with whom, and after how long, stays as the plan draws it; it is kept as a list of
    /// 32 bytes a synapse. Weights as they were give the same bits as before.
    ///
    /// ```
    /// # use std::ops::Range;
    /// use std::sync::Arc;
    /// # use rheobase_engine::arguments::Arguments;
    /// use rheobase_engine::network::Network;
    /// # use rheobase_engine::port::{Candidate, ConnectivityRule, Entry, RowDrawer, RuleStreams, Sides, each_row};
    /// use rheobase_engine::port::Registry;
    /// use rheobase_engine::unrolled::{UnrolledNetwork, UnrolledOptions};
    /// # struct All;
    /// # impl ConnectivityRule for All {
    /// #     fn check(&self, _: Sides) -> Result<(), String> { Ok(()) }
    /// #     fn expected_synapses(&self, sides: Sides) -> f64 { f64::from(sides.n_source) }
    /// #     fn rows<'a>(&'a self, sides: Sides, _: Range<u32>, _: RuleStreams) -> Box<dyn RowDrawer + 'a> {
    /// #         each_row(move |_, _, row| {
    /// #             row.extend((0..sides.n_source).map(|source| Candidate { source, fixed: None }));
    /// #         })
    /// #     }
    /// # }
    /// # fn all(_: &Arguments) -> Result<Arc<dyn ConnectivityRule>, rheobase_engine::arguments::ArgumentError> {
    /// #     Ok(Arc::new(All))
    /// # }
    /// # let mut registry = Registry::default();
    /// # registry.rules.insert("all_to_all".to_owned(), Entry { summary: "", arguments: &[], make: all });
    ///
    /// let text = r#"
    ///     dt = "1 ms"
    ///     [models]
    ///     counts = """
    ///     neuron counts
    ///       input x : 1
    ///       state v = 0 : 1
    ///       update v = v + x
    ///       spike when v >= 1, reset v = 0
    ///     """
    ///     [populations.n]
    ///     model = "counts"
    ///     size = 3
    ///     [[projections]]
    ///     source = "n"
    ///     target = "n"
    ///     rule = "all_to_all"
    ///     weight = 0.1
    ///     delay = "2 ms"
    /// "#;
    /// let mut plan = Network::from_toml(text, "doc")?.resolve(&registry)?;
    /// let mut network = UnrolledNetwork::<f32>::new(Arc::new(plan.clone()), &UnrolledOptions::default())?;
    /// let mut learned = Vec::new();
    /// network.visit_parameters(|name, weight, _| learned.push((name.to_owned(), weight.values.clone())));
    /// for (name, weights) in learned {
    ///     let weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
    ///     plan.set_weights(&name, &weights)?;
    /// }
    /// assert!(plan.set_weights("n -> n (projections[0])", &[0.5; 9]).is_ok());
    /// assert!(plan.set_weights("n -> n (projections[0])", &[0.5; 8]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such projection, or the weights do not fit it.
    pub fn set_weights(&mut self, projection: &str, weights: &[f64]) -> Result<(), WeightsError> {
        let name = || projection.to_owned();
        let is_it = |e: &super::Edge| e.name == projection && !e.is_identity();
        let Some(index) = self.edges.iter().position(is_it) else {
            let edges = self.edges.iter().filter(|e| !e.is_identity());
            let names: Vec<&str> = edges.map(|e| e.name.as_str()).collect();
            return Err(WeightsError::Name {
                name: name(),
                names: names.join(", "),
            });
        };
        let target = self.edges[index].target;
        if self.is_continuous(target) {
            return Err(WeightsError::Continuous { name: name() });
        }
        if let Some(place) = weights.iter().position(|w| !w.is_finite()) {
            return Err(WeightsError::NotFinite {
                name: name(),
                place,
                value: weights[place],
            });
        }
        let Some((wiring, drawn)) = Wiring::draw::<f64>(self, index)? else {
            return Ok(());
        };
        if drawn.len() != weights.len() {
            return Err(WeightsError::Number {
                name: name(),
                synapses: drawn.len(),
                found: weights.len(),
            });
        }
        let n_target = self.nodes[target].size();
        let listed = Listed::new(n_target, wiring.synapses(), weights, self.dt_ms);
        if let EdgeKind::Synapses(synapses) = &mut self.edges[index].kind {
            synapses.rule = Arc::new(listed);
        }
        Ok(())
    }
}
