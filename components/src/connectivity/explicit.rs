//! A list of synapses.
//!
//! # Equations
//! Synapse k joins `sources[k]` to `targets[k]`, with `weights[k]` and `delays[k]` if given.
//!
//! # Update scheme
//! The list is sorted by target once. O(log n + row) per row, no random number.
//!
//! # Parameters
//! | name | unit | default | range |
//! |---|---|---|---|
//! | `sources` | 1 | required | indices of source neurons |
//! | `targets` | 1 | required | indices of target neurons |
//! | `weights` | that of the port | the projection's | one per synapse, or one for all |
//! | `delays` | ms | the projection's | ≥ 0, whole steps, one per synapse, or one for all |
//!
//! # State
//! None.
//!
//! # Shapes
//! `sources`, `targets`, `weights` and `delays` have one length.
//!
//! # Semantics
//! A row is in the order of the list. A pair may stand in the list more than once: each is a synapse
//! of its own. `weights` and `delays` are given together or not at all. Delays are taken at their
//! word: one that is no whole number of steps is rounded only where the projection says
//! `round_delay`, and none is raised to the least that a cycle needs.
//!
//! # Errors
//! Lists of different length; a negative delay; a delay off the grid; a delay of 0 on a cycle;
//! weights without delays or the reverse; an index beyond its population.
//!
//! # Source
//! `Connect` with arrays of nodes, NEST 3.10.
//!
//! # Example
//! ```
//! use rheobase_engine::port::Sides;
//!
//! let rule = rheobase_components::rule(
//!     "explicit",
//!     &[("sources", "[0, 2]".into()), ("targets", "[1, 1]".into())],
//! )?;
//! let error = rule.check(Sides { n_source: 2, n_target: 2, same: false }).unwrap_err();
//! assert!(error.contains("sources[1]"));
//! # Ok::<(), rheobase_components::MakeError>(())
//! ```

use std::ops::Range;
use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase_engine::port::{
    Candidate, ConnectivityRule, Entry, RowDrawer, RuleStreams, Sides, each_row,
};

pub(super) const ENTRY: Entry<Arc<dyn ConnectivityRule>> = Entry {
    summary: "a list of synapses",
    arguments: &[
        ArgumentSpec {
            name: "sources",
            kind: ArgumentKind::IntegerList,
            default: None,
            doc: "source neuron of each synapse",
        },
        ArgumentSpec {
            name: "targets",
            kind: ArgumentKind::IntegerList,
            default: None,
            doc: "target neuron of each synapse",
        },
        ArgumentSpec {
            name: "weights",
            kind: ArgumentKind::PortQuantityList,
            default: Some(""),
            doc: "weight of each synapse, or one for all; the projection's if absent",
        },
        ArgumentSpec {
            name: "delays",
            kind: ArgumentKind::QuantityList("ms"),
            default: Some(""),
            doc: "delay of each synapse, or one for all; the projection's if absent",
        },
    ],
    make,
};

struct Explicit {
    /// Target of each synapse, ascending.
    targets: Vec<u32>,
    /// The synapses in that order; within a target in the order of the list.
    synapses: Vec<Candidate>,
    fixes_weights: bool,
    /// As given, for [`ConnectivityRule::fixed_delays`].
    delays: Vec<f64>,
    /// Largest indices, and where in the lists they stand: for [`ConnectivityRule::check`].
    largest_source: Option<(usize, u32)>,
    largest_target: Option<(usize, u32)>,
}

fn make(arguments: &Arguments) -> Result<Arc<dyn ConnectivityRule>, ArgumentError> {
    let sources = indices(arguments, "sources")?;
    let targets = indices(arguments, "targets")?;
    if sources.len() != targets.len() {
        return Err(ArgumentError::new(
            "targets",
            format!("{} entries for {} sources", targets.len(), sources.len()),
        ));
    }
    let fixed = fixed(arguments, sources.len())?;
    let delays = if fixed.is_some() {
        arguments.quantities("delays", "ms")?
    } else {
        Vec::new()
    };
    let mut order: Vec<usize> = (0..targets.len()).collect();
    order.sort_by_key(|&k| targets[k]);
    let synapse = |&k: &usize| Candidate {
        source: sources[k],
        fixed: fixed.as_ref().map(|f| f[k]),
    };
    Ok(Arc::new(Explicit {
        synapses: order.iter().map(synapse).collect(),
        fixes_weights: fixed.is_some(),
        delays,
        largest_source: largest(&sources),
        largest_target: largest(&targets),
        targets: order.iter().map(|&k| targets[k]).collect(),
    }))
}

fn indices(arguments: &Arguments, name: &str) -> Result<Vec<u32>, ArgumentError> {
    let narrow = |(k, i): (usize, u64)| {
        u32::try_from(i).map_err(|_| {
            ArgumentError::new(
                &format!("{name}[{k}]"),
                format!("{i} is no index of a neuron"),
            )
        })
    };
    arguments
        .integers(name)?
        .into_iter()
        .enumerate()
        .map(narrow)
        .collect()
}

/// Weight and delay of each synapse, if given.
fn fixed(arguments: &Arguments, n: usize) -> Result<Option<Vec<(f64, f64)>>, ArgumentError> {
    match (arguments.has("weights"), arguments.has("delays")) {
        (false, false) => return Ok(None),
        (true, true) => {}
        (true, false) => {
            return Err(ArgumentError::new(
                "delays",
                "is required where `weights` is given",
            ));
        }
        (false, true) => {
            return Err(ArgumentError::new(
                "weights",
                "is required where `delays` is given",
            ));
        }
    }
    let weights = for_each_synapse("weights", arguments.port_quantities("weights")?, n)?;
    let delays = for_each_synapse("delays", arguments.quantities("delays", "ms")?, n)?;
    if let Some(k) = delays.iter().position(|&d| d < 0.0) {
        return Err(ArgumentError::new(
            &format!("delays[{k}]"),
            format!("{} ms is negative", delays[k]),
        ));
    }
    Ok(Some(weights.into_iter().zip(delays).collect()))
}

fn for_each_synapse(name: &str, list: Vec<f64>, n: usize) -> Result<Vec<f64>, ArgumentError> {
    match list.as_slice() {
        &[one] => Ok(vec![one; n]),
        _ if list.len() == n => Ok(list),
        _ => Err(ArgumentError::new(
            name,
            format!("{} entries for {n} synapses", list.len()),
        )),
    }
}

/// The first of the largest entries.
fn largest(list: &[u32]) -> Option<(usize, u32)> {
    list.iter()
        .copied()
        .enumerate()
        .rev()
        .max_by_key(|&(_, i)| i)
}

fn check_largest(
    name: &str,
    side: &str,
    largest: Option<(usize, u32)>,
    n: u32,
) -> Result<(), String> {
    match largest {
        Some((k, i)) if i >= n => Err(format!(
            "{name}[{k}] is {i}, but the {side} has {n} neurons; indices start at 0"
        )),
        _ => Ok(()),
    }
}

impl ConnectivityRule for Explicit {
    fn check(&self, sides: Sides) -> Result<(), String> {
        check_largest("sources", "source", self.largest_source, sides.n_source)?;
        check_largest("targets", "target", self.largest_target, sides.n_target)
    }

    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    fn expected_synapses(&self, _: Sides) -> f64 {
        self.synapses.len() as f64
    }

    fn fixes_weights(&self) -> bool {
        self.fixes_weights
    }

    fn fixed_delays(&self) -> &[f64] {
        &self.delays
    }

    fn rows(&self, _: Sides, _: Range<u32>, _: RuleStreams) -> Box<dyn RowDrawer + '_> {
        each_row(|target, _, row| {
            let start = self.targets.partition_point(|&t| t < target);
            let end = start + self.targets[start..].partition_point(|&t| t == target);
            row.extend_from_slice(&self.synapses[start..end]);
        })
    }
}
