//! Spikes of an archive, block by block.

use super::{Element, NpzError, NpzReader};
use crate::source::{BLOCK, Order, SourceError, SpikeSource};
use crate::{Spikes, TimeStep};
use std::path::{Path, PathBuf};

/// The spikes of one population in a file [`write_spikes`](super::write_spikes) wrote, not in
/// memory.
///
/// # Example
/// ```
/// use rheobase_report::{PopulationSpikes, SpikeSource, Spikes, npz};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("spikes.npz");
/// let e = PopulationSpikes { name: "E", size: 10, spikes: Spikes::new(&[7, 9], &[3, 0])? };
/// npz::write_spikes(&path, 0.1, &[e], npz::Stamp::Step)?;
///
/// let (dt_ms, mut populations) = npz::NpzSpikes::open(&path)?;
/// let mut steps = Vec::new();
/// populations[0].visit(0, 100, &mut |spikes| steps.extend_from_slice(spikes.steps()))?;
/// assert_eq!((dt_ms, steps), (0.1, vec![7, 9]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct NpzSpikes {
    path: PathBuf,
    name: String,
    size: u32,
    dt: TimeStep,
    /// Stamped with steps, not with times.
    stepped: bool,
}

impl NpzSpikes {
    /// The time step \[ms\] and the populations, in the order they were written.
    ///
    /// # Errors
    /// When the file cannot be read or holds no spikes.
    pub fn open(path: &Path) -> Result<(f64, Vec<Self>), NpzError> {
        let mut archive = NpzReader::open(path)?;
        let dt_ms = archive.scalar::<f64>("dt_ms")?;
        let dt = TimeStep::from_ms(dt_ms)?;
        let names = archive.names();
        let mut populations = Vec::new();
        for name in names.iter().filter_map(|array| array.strip_suffix(".size")) {
            populations.push(Self {
                path: path.to_owned(),
                name: name.to_owned(),
                size: archive.scalar(&format!("{name}.size"))?,
                dt,
                stepped: names.contains(&format!("{name}.step")),
            });
        }
        Ok((dt_ms, populations))
    }

    /// Reads both columns side by side; `step` makes a step of a stamp.
    fn visit_stamps<T: Element>(
        &self,
        column: &str,
        step: impl Fn(T) -> Option<u64>,
        window: (u64, u64),
        visit: &mut dyn FnMut(Spikes<'_>),
    ) -> Result<(), SourceError> {
        let neuron_column = format!("{}.neuron", self.name);
        let mut archives = (NpzReader::open(&self.path)?, NpzReader::open(&self.path)?);
        let (mut stamps, count) = archives.0.column::<T>(column)?;
        let (mut indices, neurons) = archives.1.column::<u32>(&neuron_column)?;
        if count != neurons {
            let reason =
                format!("{count} steps but {neurons} neurons: the two columns differ in length");
            return Err(self.content(column, reason).into());
        }
        let mut order = Order::new(&self.name, self.size);
        let (mut steps, mut neurons) = (Vec::new(), Vec::new());
        loop {
            steps.clear();
            neurons.clear();
            let mut bad = false;
            let more = stamps
                .block(BLOCK, &mut |stamp| match step(stamp) {
                    Some(step) => steps.push(step),
                    None => bad = true,
                })
                .map_err(|e| self.content(column, e.to_string()))?;
            indices
                .block(BLOCK, &mut |neuron| neurons.push(neuron))
                .map_err(|e| self.content(&neuron_column, e.to_string()))?;
            if bad {
                let reason = "a time below zero or beyond all steps".to_owned();
                return Err(self.content(column, reason).into());
            }
            let block = order.block(&steps, &neurons)?.window(window.0, window.1);
            if !block.is_empty() {
                visit(block);
            }
            if !more {
                return Ok(());
            }
        }
    }

    fn content(&self, array: &str, reason: String) -> NpzError {
        NpzError::Content {
            path: self.path.clone(),
            name: array.to_owned(),
            reason,
        }
    }
}

impl SpikeSource for NpzSpikes {
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
        let window = (start_step, end_step);
        if self.stepped {
            let column = format!("{}.step", self.name);
            self.visit_stamps(&column, |s: i64| u64::try_from(s).ok(), window, visit)
        } else {
            let column = format!("{}.time_ms", self.name);
            let dt = self.dt;
            self.visit_stamps(&column, |t: f64| dt.nearest_step(t), window, visit)
        }
    }
}
