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
//! use rheobase_engine::port::Sides;
//! use rheobase_engine::random::{Purpose, construction_stream};
//!
//! let rule = rheobase_components::rule("all_to_all", &[])?;
//! let mut row = Vec::new();
//! let sides = Sides { n_source: 3, n_target: 5, same: false };
//! rule.row(sides, 4, &mut construction_stream(1, Purpose::Projection, 0, 4), &mut row);
//! assert_eq!(row.iter().map(|c| c.source).collect::<Vec<_>>(), [0, 1, 2]);
//! # Ok::<(), rheobase_components::MakeError>(())
//! ```

use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, Arguments};
use rheobase_engine::port::{Candidate, ConnectivityRule, Entry, Sides};
use rheobase_engine::random::Construction;

use super::{AUTAPSES, Sources, free, n_sources};

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

    fn row(&self, sides: Sides, target: u32, _: &mut Construction, row: &mut Vec<Candidate>) {
        let sources = Sources::of(sides, target, self.autapses);
        row.extend((0..sources.n).map(|i| free(sources.get(i))));
    }
}
