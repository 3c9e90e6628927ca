//! A number of synapses in all, between pairs drawn at random.
//!
//! # Equations
//! N = `n` pairs (source, target) are drawn. With multapses independently and uniformly, so that the
//! in-degrees are multinomial. Without, every set of N different pairs is equally likely, and the
//! in-degrees are multivariate hypergeometric.
//!
//! # Update scheme
//! In-degrees by halving: the synapses of a range of targets are divided between its halves by one
//! binomial (without multapses hypergeometric) number, down to single targets. Then each row draws
//! its sources as `fixed_indegree` does. O(targets · √in-degree + synapses) in all, O(log targets) to
//! reach any target, no memory beyond a row.
//!
//! # Parameters
//! | name | unit | default | range |
//! |---|---|---|---|
//! | `n` | 1 | required | 0 … 2⁴⁰ |
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
//! The number of synapses is exact. A row is in the order in which its sources were drawn. Without
//! autapses the pairs (j, j) are no pairs; the others stay equally likely.
//!
//! # Errors
//! Without multapses, more synapses than pairs; with them, synapses but no pair.
//!
//! # Source
//! Rule `fixed_total_number` of NEST 3.10 and its defaults for `allow_multapses`, `allow_autapses`.
//!
//! # Example
//! ```
//! use rheobase_engine::port::{RuleStreams, Sides};
//!
//! let rule = rheobase_components::rule("fixed_total_number", &[("n", "1000".into())])?;
//! let sides = Sides { n_source: 80, n_target: 20, same: false };
//! let streams = RuleStreams::new(1, 0);
//! let mut rows = rule.rows(sides, 0..20, streams);
//! let mut synapses = Vec::new();
//! for target in 0..20 {
//!     rows.row(target, &mut streams.row(target), &mut synapses);
//! }
//! assert_eq!(synapses.len(), 1000);
//! # Ok::<(), rheobase_components::MakeError>(())
//! ```

use std::ops::Range;
use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase_engine::port::{ConnectivityRule, Entry, RowDrawer, RuleStreams, Sides, each_row};

use super::row_draw::RowDraw;
use super::split::Split;
use super::{AUTAPSES, Choices, MULTAPSES, n_sources};

pub(super) const ENTRY: Entry<Arc<dyn ConnectivityRule>> = Entry {
    summary: "a number of synapses in all, between random pairs",
    arguments: &[
        ArgumentSpec {
            name: "n",
            kind: ArgumentKind::Integer,
            default: None,
            doc: "synapses in all",
        },
        MULTAPSES,
        AUTAPSES,
    ],
    make,
};

/// More synapses than any machine holds.
const MAX_SYNAPSES: u64 = 1 << 40;

struct FixedTotalNumber {
    n: u64,
    multapses: bool,
    autapses: bool,
}

fn make(arguments: &Arguments) -> Result<Arc<dyn ConnectivityRule>, ArgumentError> {
    let n = arguments.integer("n")?;
    if n > MAX_SYNAPSES {
        let message = format!("{n} is more than {MAX_SYNAPSES}");
        return Err(ArgumentError::new("n", message));
    }
    Ok(Arc::new(FixedTotalNumber {
        n,
        multapses: arguments.boolean("multapses")?,
        autapses: arguments.boolean("autapses")?,
    }))
}

impl ConnectivityRule for FixedTotalNumber {
    fn check(&self, sides: Sides) -> Result<(), String> {
        let per_target = u64::from(n_sources(sides, self.autapses));
        let pairs = per_target * u64::from(sides.n_target);
        if self.n == 0 || (self.multapses && pairs > 0) || self.n <= pairs {
            return Ok(());
        }
        let advice = if self.multapses {
            ""
        } else {
            ", or allow multapses"
        };
        Err(format!(
            "fixed_total_number asks for {} synapses between {pairs} pairs; ask for fewer{advice}",
            self.n
        ))
    }

    #[allow(clippy::cast_precision_loss, reason = "at most 2^40")]
    fn expected_synapses(&self, _: Sides) -> f64 {
        self.n as f64
    }

    fn rows<'a>(
        &'a self,
        sides: Sides,
        range: Range<u32>,
        streams: RuleStreams,
    ) -> Box<dyn RowDrawer + 'a> {
        let per_target = u64::from(n_sources(sides, self.autapses));
        let mut indegrees = Split::new(
            self.n,
            sides.n_target,
            per_target,
            self.multapses,
            &range,
            streams,
        );
        let mut draw = RowDraw::new(self.multapses);
        each_row(move |target, random, row| {
            let k = indegrees.synapses(target);
            draw.append(
                Choices::sources(sides, target, self.autapses),
                k,
                random,
                row,
            );
        })
    }
}
