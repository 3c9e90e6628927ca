//! Numbers and sums of a projection, before its synapses are kept.

use super::draw::{Draw, Part, for_each_row};
use super::table::check_synapses;
use super::{RowCounts, RowsError};

/// What is known of a projection before its synapses are kept.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Synapses of each source.
    pub(crate) lengths: Vec<u32>,
    /// The largest sum of the sizes of the weights onto one target.
    pub(crate) largest_sum: f64,
    /// Shortest and longest delay in steps; `None` without synapses.
    pub(crate) delays: Option<(u32, u32)>,
    /// Synapses and moved delays.
    pub(crate) counts: RowCounts,
}

impl Survey {
    /// Draws all synapses once, and keeps none. Time O(synapses).
    ///
    /// # Errors
    /// If something drawn cannot be used.
    pub(crate) fn of(part: &Part<'_>) -> Result<Self, RowsError> {
        let equal = part.synapses.constant_weight().is_some();
        let what = if equal {
            Draw::Delays
        } else {
            Draw::DelaysAndWeights
        };
        let mut survey = Self {
            lengths: vec![0; part.sides.n_source as usize],
            largest_sum: 0.0,
            delays: None,
            counts: RowCounts::default(),
        };
        for_each_row(part, what, |_, row| {
            for &source in &row.sources {
                survey.lengths[source as usize] += 1;
            }
            for &delay in &row.delays {
                let (least, most) = survey.delays.unwrap_or((delay, delay));
                survey.delays = Some((least.min(delay), most.max(delay)));
            }
            let sum: f64 = row.weights.iter().map(|w| w.abs()).sum();
            survey.largest_sum = survey.largest_sum.max(sum);
            survey.counts.synapses += row.sources.len() as u64;
            survey.counts.rounded_delays += row.rounded;
            survey.counts.raised_delays += row.raised;
            check_synapses(part.projection, survey.counts.synapses)
        })?;
        Ok(survey)
    }
}
