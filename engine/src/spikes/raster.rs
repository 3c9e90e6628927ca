//! The activation-based representation.

use super::events::{check_starts, expect_length};
use super::{Row, Shape, SpikesError};

/// Most bytes of a raster: 16 GiB.
pub(super) const MAX_BYTES: u128 = 1 << 34;

/// Spikes as the neurons that fire in each step, `[T, N, neurons]`: a row for each step of each batch
/// item, all rows as index lists or all as bit masks.
///
/// A list holds a neuron as often as it fires in the step; a mask holds it once. A list takes
/// 4 bytes a spike and 8 a row, a mask 8 for every 64 neurons of a row ([`Shape::mask_pays`]); no
/// raster takes more than 16 GiB.
///
/// # Example
/// ```
/// use rheobase_engine::spikes::{Multiplicity, Raster, Shape};
///
/// // Two steps, two batch items, five neurons.
/// let shape = Shape::new(2, 2, 5)?;
/// let lists = Raster::from_lists(shape, vec![0, 2, 2, 3, 6], vec![0, 4, 1, 2, 2, 3])?;
/// assert_eq!(lists.row(2, 1).iter().collect::<Vec<_>>(), [2, 2, 3]);
/// assert!(lists.to_masks(Multiplicity::Refuse).is_err());
/// let (masks, lost) = lists.to_masks(Multiplicity::Saturate)?;
/// assert_eq!((masks.len(), lost), (5, 1));
/// # Ok::<(), rheobase_engine::spikes::SpikesError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Raster {
    pub(super) shape: Shape,
    pub(super) rows: Rows,
}

/// Rows in the order of (step, batch item).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Rows {
    /// Where each row begins and the number of spikes; the neurons of all rows.
    Lists {
        starts: Vec<usize>,
        neurons: Vec<u32>,
    },
    /// `neurons / 64` words for each row, rounded up; bits beyond the neurons are 0.
    Masks { words: Vec<u64> },
}

impl Raster {
    /// Takes index lists: `starts` tells where the row of each (step, batch item) begins among
    /// `neurons`, and the number of spikes: T·N + 1 entries. O(spikes + T·N).
    ///
    /// # Errors
    /// [`SpikesError`] where starts do not ascend to the number of spikes, or a row is not ascending or
    /// names a neuron that is not there.
    pub fn from_lists(
        shape: Shape,
        starts: Vec<usize>,
        neurons: Vec<u32>,
    ) -> Result<Self, SpikesError> {
        check_starts(&starts, n_rows(shape)? + 1, neurons.len())?;
        if let Some(index) = neurons.iter().position(|&n| n >= shape.neurons) {
            return Err(SpikesError::Neuron {
                index,
                neuron: u64::from(neurons[index]),
                neurons: shape.neurons,
            });
        }
        for row in starts.windows(2) {
            let unsorted = (row[0] + 1..row[1]).find(|&k| neurons[k - 1] > neurons[k]);
            if let Some(index) = unsorted {
                return Err(SpikesError::Unsorted { index });
            }
        }
        let rows = Rows::Lists { starts, neurons };
        Ok(Self { shape, rows })
    }

    /// Takes bit masks: for each (step, batch item) `neurons / 64` words, rounded up, neuron n being
    /// bit n mod 64 of word n / 64. O(words).
    ///
    /// # Errors
    /// [`SpikesError`] where there are too few or too many words, or a bit beyond the neurons is set.
    pub fn from_masks(shape: Shape, words: Vec<u64>) -> Result<Self, SpikesError> {
        let per_row = words_per_row(shape);
        expect_length("words", words.len(), n_rows(shape)?.saturating_mul(per_row))?;
        let used = shape.neurons % 64;
        if used != 0 {
            let mut last = words.iter().skip(per_row - 1).step_by(per_row);
            if let Some(row) = last.position(|word| word >> used != 0) {
                let word = words[(row + 1) * per_row - 1];
                let bit = 63 - word.leading_zeros();
                return Err(SpikesError::Neuron {
                    index: row,
                    neuron: (per_row as u64 - 1) * 64 + u64::from(bit),
                    neurons: shape.neurons,
                });
            }
        }
        let rows = Rows::Masks { words };
        Ok(Self { shape, rows })
    }

    /// Extent.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Whether rows are bit masks.
    #[must_use]
    pub fn is_mask(&self) -> bool {
        matches!(self.rows, Rows::Masks { .. })
    }

    /// Number of spikes. O(1) of lists, O(T·N·neurons / 64) of masks.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.rows {
            Rows::Lists { neurons, .. } => neurons.len(),
            Rows::Masks { words } => Row::Mask(words).len(),
        }
    }

    /// Whether nothing fires.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.rows {
            Rows::Lists { neurons, .. } => neurons.is_empty(),
            Rows::Masks { words } => Row::Mask(words).is_empty(),
        }
    }

    /// The neurons of a batch item that fire in a step, from 1; none outside the shape. O(1).
    #[must_use]
    pub fn row(&self, step: u64, item: u32) -> Row<'_> {
        if !(1..=self.shape.steps).contains(&step) || item >= self.shape.batch {
            return Row::List(&[]);
        }
        self.row_at(row_index(self.shape, step, item))
    }

    /// The lanes that fire in a step, ascending. O(lanes that fire + N), of masks
    /// O(lanes that fire + N·neurons / 64).
    pub fn lanes(&self, step: u64) -> impl Iterator<Item = u32> + '_ {
        let neurons = self.shape.neurons;
        (0..self.shape.batch)
            .flat_map(move |item| self.row(step, item).iter().map(move |n| item * neurons + n))
    }

    /// Spikes of each lane. O(lanes) and a visit of every row.
    #[must_use]
    pub fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.shape.lanes() as usize];
        for step in 1..=self.shape.steps {
            self.lanes(step).for_each(|lane| counts[lane as usize] += 1);
        }
        counts
    }

    /// The rows with `start < step ≤ end`, as a raster of its own whose first step is `start + 1`.
    /// O(what is taken).
    #[must_use]
    pub fn slice(&self, start_step: u64, end_step: u64) -> Self {
        let shape = self.shape.window(start_step, end_step);
        let row = |step: u64| row_index(self.shape, step.min(self.shape.steps) + 1, 0);
        let from = row(start_step);
        let to = row(end_step).max(from);
        let rows = match &self.rows {
            Rows::Lists { starts, neurons } => Rows::Lists {
                starts: starts[from..=to].iter().map(|s| s - starts[from]).collect(),
                neurons: neurons[starts[from]..starts[to]].to_vec(),
            },
            Rows::Masks { words } => {
                let per_row = words_per_row(self.shape);
                let words = words[from * per_row..to * per_row].to_vec();
                Rows::Masks { words }
            }
        };
        Self { shape, rows }
    }

    fn row_at(&self, row: usize) -> Row<'_> {
        match &self.rows {
            Rows::Lists { starts, neurons } => Row::List(&neurons[starts[row]..starts[row + 1]]),
            Rows::Masks { words } => {
                let per_row = words_per_row(self.shape);
                Row::Mask(&words[row * per_row..(row + 1) * per_row])
            }
        }
    }
}

/// Place of the row of a step (at most one past the last) of a batch item, in a raster that exists.
#[allow(
    clippy::cast_possible_truncation,
    reason = "a raster has fewer rows than memory has bytes"
)]
pub(super) fn row_index(shape: Shape, step: u64, item: u32) -> usize {
    (step - 1) as usize * shape.batch as usize + item as usize
}

/// Words of a row of masks.
pub(super) fn words_per_row(shape: Shape) -> usize {
    shape.neurons.div_ceil(64) as usize
}

/// Rows of a raster; an error where so many starts or words of them would be too large.
pub(super) fn n_rows(shape: Shape) -> Result<usize, SpikesError> {
    let rows = u128::from(shape.steps) * u128::from(shape.batch);
    let bytes = (rows + 1) * 8;
    if bytes > MAX_BYTES {
        return Err(SpikesError::Size {
            bytes,
            limit: MAX_BYTES,
        });
    }
    usize::try_from(rows).map_err(|_| SpikesError::Size {
        bytes,
        limit: usize::MAX as u128,
    })
}

/// `n` zeros, if there is memory for them and the limit allows it.
pub(super) fn zeros<T: Clone + Default>(n: u128) -> Result<Vec<T>, SpikesError> {
    let bytes = n * size_of::<T>() as u128;
    let fail = |limit| SpikesError::Size { bytes, limit };
    if bytes > MAX_BYTES {
        return Err(fail(MAX_BYTES));
    }
    let n = usize::try_from(n).map_err(|_| fail(usize::MAX as u128))?;
    let mut zeros = Vec::new();
    zeros
        .try_reserve_exact(n)
        .map_err(|_| fail(usize::MAX as u128))?;
    zeros.resize(n, T::default());
    Ok(zeros)
}
