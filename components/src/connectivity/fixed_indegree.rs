//! The same number of synapses onto every target.
//!
//! # Equations
//! Each target receives K = `indegree` synapses. With multapses the K sources are drawn
//! independently and uniformly. Without, every set of K different sources is equally likely.
//!
//! # Update scheme
//! With multapses one draw per synapse. Without, Floyd's algorithm: for m = n − K … n − 1 draw i
//! uniformly from 0 … m and take source i, or source m where i is taken already; O(K + n/64) per
//! row.
//!
//! # Parameters
//! | name | unit | default | range |
//! |---|---|---|---|
//! | `indegree` | 1 | required | ≥ 0 |
//! | `multapses` | – | true | – |
//! | `autapses` | – | true | – |
//!
//! # State
//! None.
//!
//! # Shapes
//! Any source, any target.
//!
//! # Semantics
//! A row is in the order in which its sources were drawn.
//!
//! # Errors
//! Without multapses, more synapses than sources; with them, synapses but no source.
//!
//! # Source
//! Rule `fixed_indegree` of NEST 3.10 and its defaults for `allow_multapses`, `allow_autapses`;
//! Floyd's algorithm: Bentley and Floyd 1987, doi:10.1145/30401.315746.
//!
//! # Example
//! ```
//! use rheobase_engine::port::Sides;
//! use rheobase_engine::random::{Purpose, construction_stream};
//!
//! let rule = rheobase_components::rule(
//!     "fixed_indegree",
//!     &[("indegree", "10".into()), ("multapses", "false".into())],
//! )?;
//! let sides = Sides { n_source: 10, n_target: 4, same: false };
//! let mut row = Vec::new();
//! rule.row(sides, 0, &mut construction_stream(1, Purpose::Projection, 0, 0), &mut row);
//! let mut sources: Vec<u32> = row.iter().map(|c| c.source).collect();
//! sources.sort_unstable();
//! assert_eq!(sources, (0..10).collect::<Vec<_>>());
//! # Ok::<(), rheobase_components::MakeError>(())
//! ```

use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase_engine::port::{Candidate, ConnectivityRule, Entry, Sides};
use rheobase_engine::random::Construction;

use super::{AUTAPSES, Sources, free, n_sources};

pub(super) const ENTRY: Entry<Arc<dyn ConnectivityRule>> = Entry {
    summary: "the same number of synapses onto every target",
    arguments: &[
        ArgumentSpec {
            name: "indegree",
            kind: ArgumentKind::Integer,
            default: None,
            doc: "synapses onto each target",
        },
        ArgumentSpec {
            name: "multapses",
            kind: ArgumentKind::Boolean,
            default: Some("true"),
            doc: "a pair may be joined more than once",
        },
        AUTAPSES,
    ],
    make,
};

struct FixedIndegree {
    indegree: u32,
    multapses: bool,
    autapses: bool,
}

fn make(arguments: &Arguments) -> Result<Arc<dyn ConnectivityRule>, ArgumentError> {
    let indegree = arguments.integer("indegree")?;
    let indegree = u32::try_from(indegree).map_err(|_| {
        ArgumentError::new("indegree", format!("{indegree} is more than {}", u32::MAX))
    })?;
    Ok(Arc::new(FixedIndegree {
        indegree,
        multapses: arguments.boolean("multapses")?,
        autapses: arguments.boolean("autapses")?,
    }))
}

impl ConnectivityRule for FixedIndegree {
    fn check(&self, sides: Sides) -> Result<(), String> {
        let n = n_sources(sides, self.autapses);
        if self.indegree == 0 || (self.multapses && n > 0) || self.indegree <= n {
            return Ok(());
        }
        let advice = if self.multapses {
            ""
        } else {
            ", or allow multapses"
        };
        Err(format!(
            "fixed_indegree asks for {} synapses from {n} sources; ask for fewer{advice}",
            self.indegree
        ))
    }

    fn expected_synapses(&self, sides: Sides) -> f64 {
        f64::from(self.indegree) * f64::from(sides.n_target)
    }

    fn row(&self, sides: Sides, target: u32, random: &mut Construction, row: &mut Vec<Candidate>) {
        let sources = Sources::of(sides, target, self.autapses);
        if self.indegree == 0 || sources.n == 0 {
            return;
        }
        if self.multapses {
            row.extend((0..self.indegree).map(|_| free(sources.get(random.below(sources.n)))));
        } else {
            draw_set(sources, self.indegree.min(sources.n), random, row);
        }
    }
}

/// Appends `k ≤ sources.n` different sources.
fn draw_set(sources: Sources, k: u32, random: &mut Construction, row: &mut Vec<Candidate>) {
    let mut taken = vec![0_u64; (sources.n as usize).div_ceil(64)];
    for last in sources.n - k..sources.n {
        let drawn = random.below(last + 1);
        let new = if contains(&taken, drawn) { last } else { drawn };
        taken[new as usize / 64] |= 1 << (new % 64);
        row.push(free(sources.get(new)));
    }
}

fn contains(set: &[u64], i: u32) -> bool {
    set[i as usize / 64] >> (i % 64) & 1 == 1
}
