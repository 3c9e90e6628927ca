//! What a node emitted, step after step, and the cotangents of that.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use rheobase_equations::real::Real;

use super::places::places;

/// Emissions of a node over a segment, after those of some steps before it. Rows are steps × batch.
#[derive(Debug)]
pub(super) struct Emission<R> {
    /// Elements of a row.
    pub(super) width: usize,
    pub(super) batch: usize,
    /// Steps kept from before the segment: as many as the longest delay.
    pub(super) history: usize,
    /// First step of the segment among those that are stored; above 0 for inputs, which are stored whole.
    pub(super) first: usize,
    pub(super) rows: Rows<R>,
}

/// Too few rows to be worth another thread.
const FEW: usize = 256;

/// Values of rows.
#[derive(Debug)]
pub(super) enum Rows<R> {
    /// One row for each sample, the same in every step.
    Constant(Vec<R>),
    Real(Vec<R>),
    Spikes(SpikeRows),
}

/// A bit for every element.
#[derive(Debug, Default)]
pub(super) struct SpikeRows {
    /// Words of a row.
    pub(super) words_per_row: usize,
    /// Written by the thread that owns the neurons of a word, without locking: no two share one.
    pub(super) words: Vec<AtomicU64>,
}

impl<R: Real> Emission<R> {
    pub(super) fn new(width: usize, batch: usize, history: usize, is_real: bool) -> Self {
        let rows = if is_real {
            Rows::Real(Vec::new())
        } else {
            Rows::Spikes(SpikeRows {
                words_per_row: width.div_ceil(64),
                words: Vec::new(),
            })
        };
        Self {
            width,
            batch,
            history,
            first: 0,
            rows,
        }
    }

    pub(super) fn is_constant(&self) -> bool {
        matches!(self.rows, Rows::Constant(_))
    }

    pub(super) fn is_real(&self) -> bool {
        !matches!(self.rows, Rows::Spikes(_))
    }

    /// Makes room for `steps` steps after the history, all silent; or for one step that stands for all.
    pub(super) fn clear(&mut self, steps: usize, constant: bool) {
        let lanes = self.width * self.batch;
        let rows = (self.history + steps) * self.batch;
        match &mut self.rows {
            Rows::Real(values) | Rows::Constant(values) => {
                // Values of the segment are written before they are read; those before it are 0.
                let mut values = std::mem::take(values);
                let n = if constant { lanes } else { rows * self.width };
                values.resize(n, R::ZERO);
                values[..(self.history * lanes).min(n)].fill(R::ZERO);
                self.rows = if constant {
                    Rows::Constant(values)
                } else {
                    Rows::Real(values)
                };
            }
            Rows::Spikes(spikes) => {
                let n = rows * spikes.words_per_row;
                spikes.words.truncate(n);
                spikes.words.iter_mut().for_each(|w| *w.get_mut() = 0);
                spikes.words.resize_with(n, AtomicU64::default);
            }
        }
    }

    /// Rows that arrive in the steps `steps` of the segment, after `delay` steps.
    pub(super) fn arriving(&self, steps: &Range<usize>, delay: usize) -> Range<usize> {
        if self.is_constant() {
            return 0..self.batch;
        }
        let shift = self.history + self.first - delay;
        (shift + steps.start) * self.batch..(shift + steps.end) * self.batch
    }

    /// Values of rows; none for spikes.
    pub(super) fn values(&self, rows: &Range<usize>) -> &[R] {
        match &self.rows {
            Rows::Constant(values) | Rows::Real(values) => {
                &values[rows.start * self.width..rows.end * self.width]
            }
            Rows::Spikes(_) => &[],
        }
    }

    /// As [`Self::values`], to be written.
    pub(super) fn values_mut(&mut self, rows: &Range<usize>) -> &mut [R] {
        match &mut self.rows {
            Rows::Constant(values) | Rows::Real(values) => {
                &mut values[rows.start * self.width..rows.end * self.width]
            }
            Rows::Spikes(_) => &mut [],
        }
    }

    /// Adds rows to `to`.
    pub(super) fn add_to(&self, rows: &Range<usize>, to: &mut [R]) {
        match &self.rows {
            Rows::Constant(values) => {
                for to in to.chunks_exact_mut(values.len()) {
                    to.iter_mut().zip(values).for_each(|(t, &x)| *t += x);
                }
            }
            Rows::Real(_) => {
                let values = self.values(rows);
                to.iter_mut().zip(values).for_each(|(t, &x)| *t += x);
            }
            Rows::Spikes(spikes) => {
                for (row, to) in rows.clone().zip(to.chunks_exact_mut(self.width)) {
                    spikes.for_each(row, 0..self.width, |i| to[i] += R::ONE);
                }
            }
        }
    }

    /// Adds what the lanes `lanes` (sample · width + element) of one step emitted to `to`.
    pub(super) fn add_lanes(&self, step: usize, delay: usize, lanes: &Range<usize>, to: &mut [R]) {
        let rows = self.arriving(&(step..step + 1), delay);
        match &self.rows {
            Rows::Constant(_) | Rows::Real(_) => {
                let values = &self.values(&rows)[lanes.clone()];
                to.iter_mut().zip(values).for_each(|(t, &x)| *t += x);
            }
            Rows::Spikes(spikes) => {
                let samples = lanes.start / self.width..=(lanes.end - 1) / self.width;
                for n in samples {
                    let first = n * self.width;
                    let from = lanes.start.max(first) - first;
                    let until = lanes.end.min(first + self.width) - first;
                    let shift = first + from - lanes.start;
                    spikes.for_each(rows.start + n, from..until, |i| {
                        to[shift + i - from] += R::ONE;
                    });
                }
            }
        }
    }

    /// Appends rows as index lists, in as many parts at a time as there are threads. The last offset is the
    /// number of indices so far; what stands behind them has no meaning.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a segment's spikes are counted against 2^32 when memory is planned"
    )]
    pub(super) fn list(
        &self,
        rows: &Range<usize>,
        parts: usize,
        offsets: &mut Vec<u32>,
        indices: &mut Vec<u32>,
    ) {
        let Rows::Spikes(spikes) = &self.rows else {
            return;
        };
        let first = offsets.last().map_or(0, |&end| end as usize);
        let mut end = first;
        let start = offsets.len();
        for row in rows.clone() {
            end += spikes.count(row);
            offsets.push(end as u32);
        }
        // What is left from before is overwritten, not cleared.
        if indices.len() < end {
            indices.resize(end, 0);
        }
        let fill = |rows: Range<usize>, to: &mut [u32]| {
            let mut n = 0;
            for row in rows {
                n += places(spikes.row(row), &mut to[n..]);
            }
        };
        let own = &mut indices[first..end];
        if parts <= 1 || rows.len() < FEW {
            fill(rows.clone(), own);
            return;
        }
        let per_part = rows.len().div_ceil(parts);
        rayon::scope(|scope| {
            let (mut rest, mut taken, fill) = (own, first, &fill);
            for part in rows.clone().step_by(per_part) {
                let until = (part + per_part).min(rows.end);
                let end = offsets[start + until - rows.start - 1] as usize;
                let (here, after) = rest.split_at_mut(end - taken);
                (rest, taken) = (after, end);
                scope.spawn(move |_| fill(part..until, here));
            }
        });
    }

    /// A copy of all that was emitted before the given steps, for a node that hears of itself.
    pub(super) fn copy_before(&self, steps: &Range<usize>) -> Self {
        let mut copy = Self::new(self.width, self.batch, self.history, self.is_real());
        copy.first = self.first;
        let rows = 0..self.own(&(steps.start..steps.start)).end + steps.len() * self.batch;
        match (&self.rows, &mut copy.rows) {
            (Rows::Real(values), Rows::Real(to)) => {
                to.extend_from_slice(&values[..rows.end * self.width]);
            }
            (Rows::Spikes(spikes), Rows::Spikes(to)) => {
                let words = spikes.words[..rows.end * spikes.words_per_row].iter();
                to.words = words
                    .map(|w| AtomicU64::new(w.load(Ordering::Relaxed)))
                    .collect();
            }
            _ => {}
        }
        copy
    }

    /// Rows of the segment itself.
    pub(super) fn own(&self, steps: &Range<usize>) -> Range<usize> {
        self.arriving(steps, 0)
    }

    /// Writes the rows of some steps of the segment out as numbers.
    pub(super) fn write_dense(&self, steps: &Range<usize>, to: &mut [R]) {
        let rows = self.own(steps);
        match &self.rows {
            Rows::Constant(values) => {
                let rows = to.chunks_exact_mut(values.len().max(1));
                rows.for_each(|to| to.copy_from_slice(values));
            }
            Rows::Real(_) => to.copy_from_slice(self.values(&rows)),
            Rows::Spikes(spikes) => {
                let width = self.width;
                to.par_chunks_mut(width.max(1))
                    .with_min_len(FEW)
                    .zip(rows)
                    .for_each(|(to, row)| spikes.write(row, to));
            }
        }
    }

    /// Forgets the segment of `steps` steps: its last steps become the history of the next.
    pub(super) fn next_segment(&mut self, steps: usize) {
        let (from, n) = (steps * self.batch, self.history * self.batch);
        match &mut self.rows {
            Rows::Constant(_) => {}
            Rows::Real(values) => {
                values.copy_within(from * self.width..(from + n) * self.width, 0);
            }
            Rows::Spikes(spikes) => {
                let w = spikes.words_per_row;
                for k in 0..n * w {
                    let word = *spikes.words[from * w + k].get_mut();
                    *spikes.words[k].get_mut() = word;
                }
                let rest = &mut spikes.words[n * w..];
                rest.iter_mut().for_each(|word| *word.get_mut() = 0);
            }
        }
    }

    /// The history, to come back to it.
    pub(super) fn save_history(&self) -> History<R> {
        let n = self.history * self.batch;
        match &self.rows {
            Rows::Constant(_) => History::Nothing,
            Rows::Real(values) => History::Real(values[..n * self.width].to_vec()),
            Rows::Spikes(spikes) => {
                let words = spikes.words[..n * spikes.words_per_row].iter();
                History::Spikes(words.map(|w| w.load(Ordering::Relaxed)).collect())
            }
        }
    }

    /// Back to a saved history; spikes of the segment are cleared.
    pub(super) fn restore_history(&mut self, saved: &History<R>) {
        match (&mut self.rows, saved) {
            (Rows::Real(values), History::Real(saved)) => {
                values[..saved.len()].copy_from_slice(saved);
            }
            (Rows::Spikes(spikes), History::Spikes(saved)) => {
                spikes.words.iter_mut().for_each(|w| *w.get_mut() = 0);
                for (word, &saved) in spikes.words.iter_mut().zip(saved) {
                    *word.get_mut() = saved;
                }
            }
            _ => {}
        }
    }
}

/// Emissions before a segment.
#[derive(Debug)]
pub(super) enum History<R> {
    Nothing,
    Real(Vec<R>),
    Spikes(Vec<u64>),
}

impl SpikeRows {
    /// Marks an element. Only one thread may write the words of a row's part.
    #[inline]
    pub(super) fn set(&self, row: usize, element: usize) {
        let word = &self.words[row * self.words_per_row + element / 64];
        let bits = word.load(Ordering::Relaxed) | 1 << (element % 64);
        word.store(bits, Ordering::Relaxed);
    }

    /// Marks the lanes (sample · size + element) of a step whose bit is set, bit 0 being that of the first;
    /// the step's rows begin at `row`. Lanes are whole samples, or begin at a whole word of a sample. Only
    /// one thread may write them.
    pub(super) fn set_lanes(&self, row: usize, size: usize, lanes: &Range<usize>, bits: &[u64]) {
        let (sample, element) = (lanes.start / size, lanes.start % size);
        if size.is_multiple_of(64) || element + lanes.len() <= size {
            let first = (row + sample) * self.words_per_row + element / 64;
            for (word, &bits) in self.words[first..].iter().zip(bits) {
                word.store(bits, Ordering::Relaxed);
            }
            return;
        }
        let (mut row, mut first) = (row + sample, 0);
        for (k, &bits) in bits.iter().enumerate() {
            let mut bits = bits;
            while bits != 0 {
                let lane = k * 64 + bits.trailing_zeros() as usize;
                while lane >= first + size {
                    (row, first) = (row + 1, first + size);
                }
                self.set(row, lane - first);
                bits &= bits - 1;
            }
        }
    }

    /// Writes a row as zeros and ones.
    fn write<R: Real>(&self, row: usize, to: &mut [R]) {
        let words = &self.words[row * self.words_per_row..][..self.words_per_row];
        for (to, word) in to.chunks_mut(64).zip(words) {
            let word = word.load(Ordering::Relaxed);
            for (l, x) in to.iter_mut().enumerate() {
                *x = if word >> l & 1 == 1 { R::ONE } else { R::ZERO };
            }
        }
    }

    /// Marked elements of a row.
    fn count(&self, row: usize) -> usize {
        let ones = |w: &AtomicU64| w.load(Ordering::Relaxed).count_ones() as usize;
        self.row(row).iter().map(ones).sum()
    }

    fn row(&self, row: usize) -> &[AtomicU64] {
        &self.words[row * self.words_per_row..][..self.words_per_row]
    }

    /// Calls `f` with every marked element of a part of a row, ascending.
    #[inline]
    pub(super) fn for_each(&self, row: usize, part: Range<usize>, mut f: impl FnMut(usize)) {
        if part.is_empty() {
            return;
        }
        let words = &self.words[row * self.words_per_row..][..self.words_per_row];
        for (k, word) in words
            .iter()
            .enumerate()
            .take((part.end - 1) / 64 + 1)
            .skip(part.start / 64)
        {
            let mut bits = word.load(Ordering::Relaxed);
            if k == part.start / 64 {
                bits &= u64::MAX << (part.start % 64);
            }
            if k == part.end / 64 {
                bits &= (1 << (part.end % 64)) - 1;
            }
            while bits != 0 {
                f(k * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }
}

/// Cuts rows of `lanes` values at the given bounds: `[block][row]`.
pub(super) fn cut<'a, R>(
    rows: &'a mut [R],
    lanes: usize,
    blocks: &[Range<usize>],
) -> Vec<Vec<&'a mut [R]>> {
    let n_rows = rows.len().checked_div(lanes).unwrap_or(0);
    let mut parts: Vec<Vec<&mut [R]>> = blocks.iter().map(|_| Vec::with_capacity(n_rows)).collect();
    for row in rows.chunks_exact_mut(lanes.max(1)) {
        let mut rest = row;
        for (block, parts) in blocks.iter().zip(&mut parts) {
            let (part, after) = rest.split_at_mut(block.len());
            parts.push(part);
            rest = after;
        }
    }
    parts
}

impl<R> Emission<R> {
    /// Elements that are marked in no row, in every row, and the share that is marked; history is left out.
    /// `None` for real values.
    #[allow(clippy::cast_precision_loss, reason = "a share")]
    pub(super) fn firing(&self) -> Option<(usize, usize, f64)> {
        let Rows::Spikes(spikes) = &self.rows else {
            return None;
        };
        let w = spikes.words_per_row;
        let mut any = vec![0_u64; w];
        let mut all = vec![u64::MAX; w];
        let mut n = 0_u64;
        let own = &spikes.words[(self.history * self.batch * w).min(spikes.words.len())..];
        for row in own.chunks_exact(w.max(1)) {
            for ((word, any), all) in row.iter().zip(&mut any).zip(&mut all) {
                let bits = word.load(Ordering::Relaxed);
                *any |= bits;
                *all &= bits;
                n += u64::from(bits.count_ones());
            }
        }
        let count = |words: &[u64]| words.iter().map(|w| w.count_ones() as usize).sum::<usize>();
        let elements = own.len() / w.max(1) * self.width;
        let saturated = if own.is_empty() { 0 } else { count(&all) };
        let share = n as f64 / elements.max(1) as f64;
        Some((self.width - count(&any), saturated, share))
    }
}
