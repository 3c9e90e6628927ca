//! Each pair with probability p, independently.
//!
//! # Equations
//! Pair (i, j) is joined with probability p, at most once. The gap G between one source of a row
//! and the next is geometric, P(G ≥ g) = (1 − p)^g, so G = ⌊E / −ln(1 − p)⌋ with E exponential of
//! mean 1.
//!
//! # Update scheme
//! One exponential number per synapse, and one that ends the row: O(p · n_source) per row, exact for
//! every p in \[0, 1\] up to the 2⁻⁵² resolution of a uniform number.
//!
//! # Parameters
//! | name | unit | default | range |
//! |---|---|---|---|
//! | `p` | 1 | required | 0 … 1 |
//! | `autapses` | – | true | – |
//!
//! # State
//! None.
//!
//! # Shapes
//! Any source, any target.
//!
//! # Semantics
//! A row is in ascending order of sources. Without autapses the pair (j, j) is never drawn, and the
//! others keep their probability p.
//!
//! # Errors
//! p outside 0 … 1.
//!
//! # Source
//! Rule `pairwise_bernoulli` of NEST 3.10; geometric skipping: Batagelj and Brandes 2005,
//! doi:10.1103/PhysRevE.71.036113.
//!
//! # Example
//! ```
//! use rheobase_engine::port::Sides;
//!
//! let rule = rheobase_components::rule("pairwise_bernoulli", &[("p", "0.02".into())])?;
//! let sides = Sides { n_source: 4000, n_target: 4000, same: true };
//! assert_eq!(rule.expected_synapses(sides), 320_000.0);
//! # Ok::<(), rheobase_components::MakeError>(())
//! ```

use std::ops::Range;
use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase_engine::port::{
    Candidate, ConnectivityRule, Entry, RowDrawer, RuleStreams, Sides, each_row,
};
use rheobase_engine::random::Construction;

use super::{AUTAPSES, Choices, free, n_sources};

pub(super) const ENTRY: Entry<Arc<dyn ConnectivityRule>> = Entry {
    summary: "each pair with probability p, independently",
    arguments: &[
        ArgumentSpec {
            name: "p",
            kind: ArgumentKind::Number,
            default: None,
            doc: "probability of a pair, 0 to 1",
        },
        AUTAPSES,
    ],
    make,
};

struct PairwiseBernoulli {
    p: f64,
    /// −ln(1 − p): 0 for p = 0, infinite for p = 1.
    hazard: f64,
    autapses: bool,
}

fn make(arguments: &Arguments) -> Result<Arc<dyn ConnectivityRule>, ArgumentError> {
    let p = arguments.number("p")?;
    if !(0.0..=1.0).contains(&p) {
        return Err(ArgumentError::new(
            "p",
            format!("expected a probability, found {p}"),
        ));
    }
    let autapses = arguments.boolean("autapses")?;
    Ok(Arc::new(PairwiseBernoulli {
        p,
        hazard: -libm::log1p(-p),
        autapses,
    }))
}

impl ConnectivityRule for PairwiseBernoulli {
    fn check(&self, _: Sides) -> Result<(), String> {
        Ok(())
    }

    fn expected_synapses(&self, sides: Sides) -> f64 {
        self.p * f64::from(n_sources(sides, self.autapses)) * f64::from(sides.n_target)
    }

    fn rows(&self, sides: Sides, _: Range<u32>, _: RuleStreams) -> Box<dyn RowDrawer + '_> {
        each_row(move |target, random, row| {
            self.row(Choices::sources(sides, target, self.autapses), random, row);
        })
    }
}

impl PairwiseBernoulli {
    fn row(&self, sources: Choices, random: &mut Construction, row: &mut Vec<Candidate>) {
        let mut at = 0_u32;
        while at < sources.n {
            let gap = (random.exponential() / self.hazard).floor();
            if gap >= f64::from(sources.n - at) {
                return;
            }
            at += truncate(gap);
            row.push(free(sources.get(at)));
            at += 1;
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a gap is whole, not negative, and below the number of sources"
)]
fn truncate(gap: f64) -> u32 {
    gap as u32
}
