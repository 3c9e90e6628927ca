//! The same number of synapses onto every target.
//!
//! # Equations
//! Each target receives K = `indegree` synapses. With multapses the K sources are drawn
//! independently and uniformly. Without, every set of K different sources is equally likely.
//!
//! # Update scheme
//! With multapses one draw per synapse. Without, Floyd's algorithm: for m = n − K … n − 1 draw i
//! uniformly from 0 … m and take source i, or source m where i is taken already. O(K) per row; a
//! set of n bits is kept between rows.
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
//! use rheobase_engine::port::{RuleStreams, Sides};
//!
//! let rule = rheobase_components::rule(
//!     "fixed_indegree",
//!     &[("indegree", "10".into()), ("multapses", "false".into())],
//! )?;
//! let sides = Sides { n_source: 10, n_target: 4, same: false };
//! let mut row = Vec::new();
//! let streams = RuleStreams::new(1, 0);
//! rule.rows(sides, 0..4, streams).row(0, &mut streams.row(0), &mut row);
//! let mut sources: Vec<u32> = row.iter().map(|c| c.source).collect();
//! sources.sort_unstable();
//! assert_eq!(sources, (0..10).collect::<Vec<_>>());
//! # Ok::<(), rheobase_components::MakeError>(())
//! ```

use std::ops::Range;
use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase_engine::port::{ConnectivityRule, Entry, RowDrawer, RuleStreams, Sides, each_row};

use super::row_draw::RowDraw;
use super::{AUTAPSES, Choices, MULTAPSES, n_sources};

pub(super) const ENTRY: Entry<Arc<dyn ConnectivityRule>> = Entry {
    summary: "the same number of synapses onto every target",
    arguments: &[
        ArgumentSpec {
            name: "indegree",
            kind: ArgumentKind::Integer,
            default: None,
            doc: "synapses onto each target",
        },
        MULTAPSES,
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

    fn rows(&self, sides: Sides, _: Range<u32>, _: RuleStreams) -> Box<dyn RowDrawer + '_> {
        let mut draw = RowDraw::new(self.multapses);
        each_row(move |target, random, row| {
            let sources = Choices::sources(sides, target, self.autapses);
            draw.append(sources, u64::from(self.indegree), random, row);
        })
    }
}
