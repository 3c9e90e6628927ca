//! Spikes as index lists.

use rheobase_engine::port::LayerInput;

use super::EncodeError;

/// Spikes of a batch over time: a row for each (step, sample), as [`LayerInput::Spikes`] takes them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SpikeLists {
    /// Where each row begins among the indices, and their number: T·N + 1 entries.
    pub offsets: Vec<u32>,
    /// Elements that fire, ascending within a row.
    pub indices: Vec<u32>,
    /// Elements of a sample.
    pub width: usize,
}

impl SpikeLists {
    /// Forgets all rows, keeps their memory.
    pub(super) fn begin(&mut self, width: usize) {
        self.offsets.clear();
        self.indices.clear();
        self.offsets.push(0);
        self.width = width;
    }

    pub(super) fn end_row(&mut self) -> Result<(), EncodeError> {
        let end = u32::try_from(self.indices.len()).map_err(|_| EncodeError::TooManySpikes)?;
        self.offsets.push(end);
        Ok(())
    }

    /// Number of rows, T·N.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// The elements that fire in row t·N + n; none where there is no such row. O(1).
    #[must_use]
    pub fn row(&self, row: usize) -> &[u32] {
        match (self.offsets.get(row), self.offsets.get(row + 1)) {
            (Some(&start), Some(&end)) => &self.indices[start as usize..end as usize],
            _ => &[],
        }
    }

    /// As the input of a layer.
    #[must_use]
    pub fn input<R>(&self) -> LayerInput<'_, R> {
        LayerInput::Spikes {
            offsets: &self.offsets,
            indices: &self.indices,
            width: self.width,
        }
    }
}
