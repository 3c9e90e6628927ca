//! Source i to target i.
//!
//! # Equations
//! Synapses of target j: source j.
//!
//! # Update scheme
//! No random number is drawn. O(1) per row.
//!
//! # Parameters
//! None.
//!
//! # State
//! None.
//!
//! # Shapes
//! Both sides have the same number of neurons.
//!
//! # Semantics
//! Within one population every neuron projects onto itself.
//!
//! # Errors
//! Sides of different size.
//!
//! # Source
//! Rule `one_to_one` of NEST 3.10.
//!
//! # Example
//! ```
//! use rheobase_engine::port::Sides;
//!
//! let rule = rheobase_components::rule("one_to_one", &[])?;
//! assert!(rule.check(Sides { n_source: 3, n_target: 3, same: false }).is_ok());
//! assert!(rule.check(Sides { n_source: 3, n_target: 4, same: false }).is_err());
//! # Ok::<(), rheobase_components::MakeError>(())
//! ```

use std::ops::Range;
use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, Arguments};
use rheobase_engine::port::{ConnectivityRule, Entry, RowDrawer, RuleStreams, Sides, each_row};

use super::free;

pub(super) const ENTRY: Entry<Arc<dyn ConnectivityRule>> = Entry {
    summary: "source i to target i",
    arguments: &[],
    make,
};

struct OneToOne;

fn make(_: &Arguments) -> Result<Arc<dyn ConnectivityRule>, ArgumentError> {
    Ok(Arc::new(OneToOne))
}

impl ConnectivityRule for OneToOne {
    fn check(&self, sides: Sides) -> Result<(), String> {
        if sides.n_source == sides.n_target {
            return Ok(());
        }
        Err(format!(
            "one_to_one needs as many sources as targets, found {} and {}; use `explicit` for \
             another pairing",
            sides.n_source, sides.n_target
        ))
    }

    fn expected_synapses(&self, sides: Sides) -> f64 {
        f64::from(sides.n_target)
    }

    fn rows(&self, _: Sides, _: Range<u32>, _: RuleStreams) -> Box<dyn RowDrawer + '_> {
        each_row(|target, _, row| row.push(free(target)))
    }
}
