//! What a figure needs to know of all spikes before it draws some of them.

use super::{Raster, float};
use crate::plot::PlotError;
use crate::{SpikeSource, TimeStep};

/// One population in the window.
pub(super) struct Gathered {
    pub(super) name: String,
    pub(super) size: u32,
    /// Spikes of all its neurons.
    pub(super) spikes: u64,
    /// Spikes of each neuron.
    pub(super) counts: Vec<u32>,
    /// Rate per neuron \[Hz\] in each whole bin.
    pub(super) rates: Vec<f64>,
}

impl Raster<'_> {
    pub(super) fn gather(
        &self,
        source: &mut dyn SpikeSource,
        dt: TimeStep,
        bin_ms: u32,
    ) -> Result<Gathered, PlotError> {
        let (name, size) = (source.name().to_owned(), source.size());
        let bins = dt.whole_bins(self.end_step - self.start_step, bin_ms);
        let mut binned = vec![0_u64; usize::try_from(bins).unwrap_or(0)];
        let mut counts = vec![0_u32; size as usize];
        let (mut spikes, mut absent) = (0, None);
        source.visit(self.start_step, self.end_step, &mut |block| {
            spikes += block.len() as u64;
            for (step, neuron) in block.iter() {
                match counts.get_mut(neuron as usize) {
                    Some(count) => *count = count.saturating_add(1),
                    None => absent = Some(neuron),
                }
                let bin = dt.bin(step - self.start_step, bin_ms);
                let bin = usize::try_from(bin).ok();
                if let Some(count) = bin.and_then(|bin| binned.get_mut(bin)) {
                    *count += 1;
                }
            }
        })?;
        if let Some(neuron) = absent {
            return Err(PlotError::NoSuchNeuron {
                population: name,
                neuron,
                size,
            });
        }
        let neuron_seconds = f64::from(size) * f64::from(bin_ms) / 1000.0;
        let rates = binned
            .into_iter()
            .map(|count| float(usize::try_from(count).unwrap_or(usize::MAX)) / neuron_seconds)
            .collect();
        Ok(Gathered {
            name,
            size,
            spikes,
            counts,
            rates,
        })
    }
}
