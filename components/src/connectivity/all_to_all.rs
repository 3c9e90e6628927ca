//! Every source to every target.
//!
//! # Equations
//! Synapses of target j: sources 0, 1, … n_source − 1, without j itself where `autapses = false`
//! and both sides are the same population.
//!
//! # Update scheme
//! No random number is drawn. O(n_source) per row.
//!
//! # Parameters
//! | name | unit | default | range |
//! |---|---|---|---|
//! | `autapses` | – | true | – |
//!
//! # State
//! None.
//!
//! # Shapes
//! Any source, any target.
//!
//! # Semantics
//! A row is in ascending order of sources.
//!
//! # Errors
//! None.
//!
//! # Source
//! Rule `all_to_all` of NEST 3.10 and its default for `allow_autapses`.
//!
//! # Example
//! ```
//! use rheobase_engine::port::{RuleStreams, Sides};
//!
//! let rule = rheobase_components::rule("all_to_all", &[])?;
//! let mut row = Vec::new();
//! let sides = Sides { n_source: 3, n_target: 5, same: false };
//! let streams = RuleStreams::new(1, 0);
//! rule.rows(sides, 4..5, streams).row(4, &mut streams.row(4), &mut row);
//! assert_eq!(row.iter().map(|c| c.source).collect::<Vec<_>>(), [0, 1, 2]);
//! # Ok::<(), rheobase_components::MakeError>(())
//! ```

use std::ops::Range;
use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, Arguments};
use rheobase_engine::port::{ConnectivityRule, Entry, RowDrawer, RuleStreams, Sides, each_row};

use super::{AUTAPSES, Choices, free, n_sources};

pub(super) const ENTRY: Entry<Arc<dyn ConnectivityRule>> = Entry {
    summary: "every source to every target",
    arguments: &[AUTAPSES],
    make,
};

struct AllToAll {
    autapses: bool,
}

fn make(arguments: &Arguments) -> Result<Arc<dyn ConnectivityRule>, ArgumentError> {
    Ok(Arc::new(AllToAll {
        autapses: arguments.boolean("autapses")?,
    }))
}

impl ConnectivityRule for AllToAll {
    fn check(&self, _: Sides) -> Result<(), String> {
        Ok(())
    }

    fn expected_synapses(&self, sides: Sides) -> f64 {
        f64::from(n_sources(sides, self.autapses)) * f64::from(sides.n_target)
    }

    fn rows(&self, sides: Sides, _: Range<u32>, _: RuleStreams) -> Box<dyn RowDrawer + '_> {
        each_row(move |target, _, row| {
            let sources = Choices::sources(sides, target, self.autapses);
            row.extend((0..sources.n).map(|i| free(sources.get(i))));
        })
    }
}
