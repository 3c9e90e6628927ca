//! Building rows: count, then store. Synapses are drawn anew in each pass, so that there is never a
//! second copy of them.

use std::collections::BTreeMap;

use rheobase_equations::real::Real;

use super::draw::{Draw, Part, Row, for_each_row, round_to_whole};
use super::segment::{Stored, Targets, Weights, pack};
use super::table::{CountError, Counter, Table, check_synapses, sparse_pays};
use super::{RowCounts, Rows, RowsError, RowsRequest};
use crate::pages::Pages;
use crate::plan::WeightStorage;

/// Rows of which all is known but the synapses themselves.
pub(crate) struct Counted {
    delays: Vec<u64>,
    table: Table,
    /// Every source reaches every lane once, in order, with one delay.
    all: bool,
    /// Of each part.
    pub(crate) counts: Vec<RowCounts>,
    /// Largest absolute weight; 0 unless weights are quantised.
    pub(crate) largest_weight: f64,
}

impl Counted {
    /// Distinct delays in steps, ascending.
    pub(crate) fn delays(&self) -> &[u64] {
        &self.delays
    }
}

/// First pass: delays, table and counts. Time O(synapses), memory O(sources · delays), or
/// O(synapses) where there are many delays for few synapses.
///
/// # Errors
/// If a drawn delay cannot be used, or a rule does not fit.
pub(crate) fn count(request: &RowsRequest<'_>) -> Result<Counted, RowsError> {
    count_as(request, None)
}

/// [`count`] with a dense or a sparse table, instead of the smaller.
pub(super) fn count_as(
    request: &RowsRequest<'_>,
    sparse: Option<bool>,
) -> Result<Counted, RowsError> {
    if sparse != Some(true)
        && let Some(counted) = count_dense(request, sparse.is_some())?
    {
        return Ok(counted);
    }
    count_sparse(request)
}

/// What is gathered while rows are drawn.
struct Tally {
    n_source: usize,
    counts: Vec<RowCounts>,
    largest_weight: f64,
    all: bool,
}

impl Tally {
    fn new(request: &RowsRequest<'_>) -> Self {
        let lanes: u32 = request
            .parts
            .iter()
            .map(|p| p.range.end - p.range.start)
            .sum();
        Self {
            n_source: request.n_source as usize,
            counts: vec![RowCounts::default(); request.parts.len()],
            largest_weight: known_largest(request).unwrap_or(0.0),
            all: request.parts.len() == 1 && lanes == request.n_target,
        }
    }

    fn add(&mut self, part: usize, row: &Row) {
        let counts = &mut self.counts[part];
        counts.synapses += row.sources.len() as u64;
        counts.rounded_delays += row.rounded;
        counts.raised_delays += row.raised;
        for w in &row.weights {
            self.largest_weight = self.largest_weight.max(w.abs());
        }
        self.all = self.all
            && row.sources.len() == self.n_source
            && row.sources.iter().zip(0..).all(|(&s, k)| s == k);
    }

    fn check(&self, request: &RowsRequest<'_>) -> Result<(), RowsError> {
        let synapses = self.counts.iter().map(|c| c.synapses).sum();
        check_synapses(request.parts[0].projection, synapses)
    }

    fn counted(self, delays: Vec<u64>, table: Table) -> Counted {
        Counted {
            all: self.all && delays.len() == 1 && matches!(table, Table::Dense(_)),
            delays,
            table,
            counts: self.counts,
            largest_weight: self.largest_weight,
        }
    }
}

/// Weights are drawn in the first pass only where nothing else tells how large they get.
fn first_draw(request: &RowsRequest<'_>) -> Draw {
    let differ = request.parts[0].synapses.constant_weight().is_none();
    match request.storage {
        WeightStorage::Quantised if differ && known_largest(request).is_none() => {
            Draw::DelaysAndWeights
        }
        _ => Draw::Delays,
    }
}

/// What no weight of the bundle exceeds, where the description tells.
fn known_largest(request: &RowsRequest<'_>) -> Option<f64> {
    let of_parts = request.parts.iter().map(Part::largest_weight);
    of_parts.reduce(|a, b| Some(a?.max(b?))).flatten()
}

/// `None` if a dense table would be a waste.
fn count_dense(request: &RowsRequest<'_>, any_size: bool) -> Result<Option<Counted>, RowsError> {
    let mut counter = Counter::new(request.n_source, table_limit(request, any_size))?;
    let mut tally = Tally::new(request);
    let mut too_many = false;
    for (k, part) in request.parts.iter().enumerate() {
        for_each_row(part, first_draw(request), |_, row| {
            if too_many {
                return Ok(());
            }
            tally.add(k, row);
            match counter.count(&row.sources, &row.delays) {
                Err(CountError::Memory(error)) => Err(error.into()),
                counted => {
                    too_many = counted.is_err();
                    Ok(())
                }
            }
        })?;
        if too_many {
            return Ok(None);
        }
        tally.check(request)?;
    }
    let (delays, table) = counter.finish()?;
    Ok(Some(tally.counted(delays, table)))
}

/// Entries of a dense table from which on the sparse one is smaller.
fn table_limit(request: &RowsRequest<'_>, any_size: bool) -> usize {
    if any_size {
        return usize::MAX;
    }
    let expected: f64 = request.parts.iter().map(Part::expected_synapses).sum();
    let n_source = f64::from(request.n_source);
    let mut n_delays = 1.0;
    while !sparse_pays(n_source, 2.0 * n_delays, expected) && n_delays < 1e9 {
        n_delays *= 2.0;
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates"
    )]
    let entries = (n_source * n_delays) as usize;
    entries
}

fn count_sparse(request: &RowsRequest<'_>) -> Result<Counted, RowsError> {
    let mut tally = Tally::new(request);
    let mut per_delay: BTreeMap<u32, u64> = BTreeMap::new();
    for (k, part) in request.parts.iter().enumerate() {
        for_each_row(part, first_draw(request), |_, row| {
            tally.add(k, row);
            for &delay in &row.delays {
                *per_delay.entry(delay).or_insert(0) += 1;
            }
            Ok(())
        })?;
        tally.check(request)?;
    }
    let delays: Vec<u64> = per_delay.keys().map(|&d| u64::from(d)).collect();
    let mut table = Table::sparse(per_delay.values().copied());
    for part in &request.parts {
        for_each_row(part, Draw::Delays, |_, row| {
            for (&source, &delay) in row.sources.iter().zip(&row.delays) {
                let column = delays.partition_point(|&d| d < u64::from(delay));
                table.count(source, column);
            }
            Ok(())
        })?;
    }
    table.counted();
    Ok(tally.counted(delays, table))
}

/// Second pass: every synapse to its place. `largest_weight` is that of the whole bundle, all shards
/// together, where weights are quantised. Time O(synapses), memory that of the result.
///
/// # Errors
/// If a drawn weight cannot be used, or memory runs out.
pub(crate) fn store<R: Real>(
    request: &RowsRequest<'_>,
    counted: Counted,
    largest_weight: f64,
) -> Result<Rows<R>, RowsError> {
    let Counted {
        delays,
        mut table,
        all,
        ..
    } = counted;
    let n = table.synapses();
    let mut synapses = empty::<R>(request, n, all, largest_weight)?;
    let last = delays
        .last()
        .map_or(0, |&d| usize::try_from(d).unwrap_or(0));
    let mut columns = vec![0_u32; last + 1];
    for (column, &delay) in (0..).zip(&delays) {
        columns[usize::try_from(delay).unwrap_or(0)] = column;
    }
    let draw = match synapses {
        Stored::Apart {
            weights: Weights::Constant(_),
            ..
        } => Draw::Delays,
        _ => Draw::DelaysAndWeights,
    };
    let mut places: Vec<u32> = Vec::new();
    for part in &request.parts {
        for_each_row(part, draw, |lane, row| {
            // The lane is below n_target: the loops of delivery rely on it.
            check_lane(request, part, lane)?;
            places.clear();
            table.place(&row.sources, &row.delays, &columns, &mut places);
            let stored = match &mut synapses {
                Stored::Apart { targets, weights } => {
                    store_targets(targets, &places, lane);
                    store_weights(weights, &places, &row.weights)
                }
                Stored::Packed { words, unit } => {
                    store_words(words, *unit, &places, lane, &row.weights)
                }
            };
            stored.map_err(|(k, weight)| part.bad_weight(weight, row.sources[k], lane))
        })?;
    }
    table.placed();
    Ok(Rows {
        source: request.source,
        n_source: request.n_source,
        n_target: request.n_target,
        delays,
        table,
        synapses,
    })
}

/// Arrays for `n` synapses.
fn empty<R: Real>(
    request: &RowsRequest<'_>,
    n: usize,
    all: bool,
    largest_weight: f64,
) -> Result<Stored<R>, RowsError> {
    let part = &request.parts[0];
    let narrow = request.n_target <= 1 << 16;
    let unit = R::from_f64(largest_weight / f64::from(i16::MAX));
    let quantised = request.storage == WeightStorage::Quantised;
    let weights = if let Some(w) = part.synapses.constant_weight() {
        let weight = R::from_f64(w);
        if !weight.is_finite() {
            return Err(part.bad_weight(w, 0, part.first_lane));
        }
        Weights::Constant(weight)
    } else if quantised && narrow && !all {
        let words = Pages::zeroed(n)?;
        return Ok(Stored::Packed { words, unit });
    } else if quantised {
        let multiples = Pages::zeroed(n)?;
        Weights::Quantised { multiples, unit }
    } else {
        Weights::Each(Pages::zeroed(n)?)
    };
    let targets = if all {
        Targets::All
    } else if narrow {
        Targets::Narrow(Pages::zeroed(n)?)
    } else {
        Targets::Wide(Pages::zeroed(n)?)
    };
    Ok(Stored::Apart { targets, weights })
}

fn check_lane(request: &RowsRequest<'_>, part: &Part<'_>, lane: u32) -> Result<(), RowsError> {
    if lane < request.n_target {
        return Ok(());
    }
    Err(RowsError::Lane {
        projection: part.projection.to_owned(),
        lane,
        n_target: request.n_target,
    })
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "narrow targets are used where lanes are below 2^16"
)]
fn store_targets(targets: &mut Targets, places: &[u32], lane: u32) {
    match targets {
        Targets::All => {}
        Targets::Narrow(t) => {
            let t: &mut [u16] = t;
            for &at in places {
                t[at as usize] = lane as u16;
            }
        }
        Targets::Wide(t) => {
            let t: &mut [u32] = t;
            for &at in places {
                t[at as usize] = lane;
            }
        }
    }
}

/// Fails with the place in the row and the weight that is not finite.
fn store_weights<R: Real>(
    weights: &mut Weights<R>,
    places: &[u32],
    drawn: &[f64],
) -> Result<(), (usize, f64)> {
    match weights {
        Weights::Constant(_) => Ok(()),
        Weights::Each(each) => {
            let each: &mut [R] = each;
            for (&at, &w) in places.iter().zip(drawn) {
                each[at as usize] = R::from_f64(w);
            }
            let bad = drawn.iter().position(|&w| !R::from_f64(w).is_finite());
            bad.map_or(Ok(()), |k| Err((k, drawn[k])))
        }
        Weights::Quantised { multiples, unit } => {
            let multiples: &mut [i16] = multiples;
            quantise(unit.to_f64(), places, drawn, |at, multiple| {
                multiples[at] = multiple;
            })
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "words are used where lanes are below 2^16"
)]
fn store_words<R: Real>(
    words: &mut Pages<u32>,
    unit: R,
    places: &[u32],
    lane: u32,
    drawn: &[f64],
) -> Result<(), (usize, f64)> {
    let words: &mut [u32] = words;
    quantise(unit.to_f64(), places, drawn, |at, multiple| {
        words[at] = pack(lane as u16, multiple);
    })
}

/// Hands the place and the multiple of each weight to `store`.
#[inline(always)]
fn quantise(
    unit: f64,
    places: &[u32],
    drawn: &[f64],
    mut store: impl FnMut(usize, i16),
) -> Result<(), (usize, f64)> {
    let scale = if unit > 0.0 { 1.0 / unit } else { 0.0 };
    let mut fits = true;
    for (&at, &w) in places.iter().zip(drawn) {
        let multiple = round_to_whole(w * scale);
        fits &= multiple.abs() <= f64::from(i16::MAX);
        #[allow(clippy::cast_possible_truncation, reason = "checked below")]
        let multiple = multiple as i16;
        store(at as usize, multiple);
    }
    if fits {
        return Ok(());
    }
    // Not finite, or beyond what a normal distribution gives in 10¹⁸ draws.
    let fits = |w: f64| round_to_whole(w * scale).abs() <= f64::from(i16::MAX);
    let bad = drawn.iter().position(|&w| !fits(w));
    bad.map_or(Ok(()), |k| Err((k, drawn[k])))
}
