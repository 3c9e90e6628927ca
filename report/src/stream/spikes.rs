//! Spikes in columns on disk, block by block.

use super::column::Column;
use crate::source::{BLOCK, Order, SourceError, SpikeSource};
use crate::{FileError, Spikes};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The spikes of one population in columns that a run writes.
#[derive(Debug, Clone)]
pub struct PartSpikes {
    name: String,
    size: u32,
    steps: PathBuf,
    neurons: PathBuf,
    /// Number of spikes.
    count: u64,
}

impl PartSpikes {
    pub(super) fn new(name: &str, size: u32, steps: &Column, neurons: &Column) -> Self {
        Self {
            name: name.to_owned(),
            size,
            steps: steps.path().to_owned(),
            neurons: neurons.path().to_owned(),
            count: neurons.bytes() / 4,
        }
    }

    /// How many spikes come at or before `step`. O(log spikes) reads.
    fn before(&self, step: u64) -> Result<u64, FileError> {
        let search = || {
            let mut file = File::open(&self.steps)?;
            let (mut low, mut high) = (0, self.count);
            while low < high {
                let middle = low + (high - low) / 2;
                file.seek(SeekFrom::Start(8 * middle))?;
                let mut bytes = [0; 8];
                file.read_exact(&mut bytes)?;
                if u64::from_le_bytes(bytes) <= step {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            Ok(low)
        };
        search().map_err(|e| FileError::io("read", &self.steps, e))
    }
}

impl SpikeSource for PartSpikes {
    fn name(&self) -> &str {
        &self.name
    }

    fn size(&self) -> u32 {
        self.size
    }

    fn visit(
        &mut self,
        start_step: u64,
        end_step: u64,
        visit: &mut dyn FnMut(Spikes<'_>),
    ) -> Result<(), SourceError> {
        let (first, last) = (self.before(start_step)?, self.before(end_step)?);
        let mut steps = Numbers::open(&self.steps, 8 * first)?;
        let mut neurons = Numbers::open(&self.neurons, 4 * first)?;
        let mut order = Order::new(&self.name, self.size);
        let (mut step_block, mut neuron_block) = (Vec::new(), Vec::new());
        let mut left = last.saturating_sub(first);
        while left > 0 {
            let n = usize::try_from(left).unwrap_or(usize::MAX).min(BLOCK);
            steps.block(n, &mut step_block, u64::from_le_bytes)?;
            neurons.block(n, &mut neuron_block, u32::from_le_bytes)?;
            visit(order.block(&step_block, &neuron_block)?);
            left -= n as u64;
        }
        Ok(())
    }
}

/// Numbers of a column from some place on.
pub(super) struct Numbers<'a> {
    path: &'a Path,
    reader: BufReader<File>,
}

impl<'a> Numbers<'a> {
    pub(super) fn open(path: &'a Path, from: u64) -> Result<Self, FileError> {
        let open = || -> io::Result<_> {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(from))?;
            Ok(BufReader::with_capacity(1 << 16, file))
        };
        let reader = open().map_err(|e| FileError::io("read", path, e))?;
        Ok(Self { path, reader })
    }

    /// Reads `n` numbers into `block`, which is emptied before.
    pub(super) fn block<T, const N: usize>(
        &mut self,
        n: usize,
        block: &mut Vec<T>,
        number: impl Fn([u8; N]) -> T,
    ) -> Result<(), FileError> {
        block.clear();
        for _ in 0..n {
            let mut bytes = [0; N];
            self.reader
                .read_exact(&mut bytes)
                .map_err(|e| FileError::io("read", self.path, e))?;
            block.push(number(bytes));
        }
        Ok(())
    }
}
