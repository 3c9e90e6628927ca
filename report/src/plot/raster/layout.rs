//! Where each population's band lies and how many of its neurons it shows.

use super::band::{Band, LEAST_PITCH};
use super::gather::Gathered;
use super::{LEFT, RASTER, RIGHT, float, floor};
use crate::plot::color;

/// Least height of a band whose height tells its size \[pixels\].
const LEAST_BAND: f64 = 5.0;

/// Spikes that fill the panel well.
const AMPLE_SPIKES: f64 = 12_000.0;

/// The bands from the top.
pub(super) struct Layout<'a> {
    pub(super) bands: Vec<Band<'a>>,
    /// Heights, and neurons drawn, are the same share of every population.
    proportional: bool,
}

impl<'a> Layout<'a> {
    /// Divides the panel among the populations: by their sizes, or by the square roots of their
    /// sizes where some would vanish beside others. Then chooses how many neurons of each are
    /// drawn.
    pub(super) fn new(drawn: &'a [Gathered], max_neurons: Option<u32>, max_spikes: u64) -> Self {
        let count = drawn.len();
        let gap = match count {
            0..=4 => 16.0,
            5..=12 => 9.0,
            _ => 8.0,
        };
        let height = RASTER.1 - RASTER.0 - gap * float(count - 1);
        let (heights, proportional) = heights(drawn, height);
        let mut top = RASTER.0;
        let mut bands = Vec::with_capacity(count);
        for (index, (population, tall)) in drawn.iter().zip(heights).enumerate() {
            bands.push(Band {
                population,
                top,
                bottom: top + tall,
                rows: 1,
                color: color::of(index),
            });
            top += tall + gap;
        }
        let mut layout = Self {
            bands,
            proportional,
        };
        layout.choose_rows(max_neurons);
        layout.thin(max_spikes);
        layout
    }

    fn choose_rows(&mut self, max_neurons: Option<u32>) {
        let spikes: u64 = self.bands.iter().map(|band| band.population.spikes).sum();
        let limited = max_neurons.is_some();
        let max_neurons = max_neurons.unwrap_or(500);
        let most = |band: &Band<'_>| {
            let room = floor((band.bottom - band.top) / LEAST_PITCH).max(1);
            max_neurons.min(band.population.size).min(room)
        };
        // Bands are as tall as they are large: one share suits all of them.
        let share = self
            .bands
            .iter()
            .map(|band| f64::from(most(band)) / f64::from(band.population.size))
            .fold(1.0, f64::min);
        // Rows may come closer than pixels where few of them hold marks.
        #[expect(clippy::cast_precision_loss, reason = "a share of what is drawn")]
        let sparse = (AMPLE_SPIKES / spikes.max(1) as f64).min(1.0);
        let share = if limited { share } else { share.max(sparse) };
        for band in &mut self.bands {
            let shared = floor((share * f64::from(band.population.size)).round());
            band.rows = if self.proportional {
                shared.clamp(1, band.population.size)
            } else {
                most(band)
            };
        }
    }

    /// Chooses fewer neurons until the spikes to draw are few enough.
    fn thin(&mut self, max_spikes: u64) {
        loop {
            let spikes: u64 = self.bands.iter().map(Band::spikes_drawn).sum();
            if spikes <= max_spikes || self.bands.iter().all(|band| band.rows == 1) {
                return;
            }
            #[expect(clippy::cast_precision_loss, reason = "a share of what is drawn")]
            let share = max_spikes as f64 / spikes as f64;
            for band in &mut self.bands {
                let fewer = floor(f64::from(band.rows) * share).min(band.rows - 1);
                band.rows = fewer.max(1);
            }
        }
    }

    /// Width and height of the marks of each band: large where marks are few, a row's height where
    /// rows are apart, never so large that a dense band closes up. Where bands show the same share
    /// of their neurons, their marks are alike.
    pub(super) fn mark_sizes(&self, marks: &[usize]) -> Vec<(f64, f64)> {
        let size = |tall: f64, rows: f64, marks: usize| {
            let room = (tall * (RIGHT - LEFT) / float(marks.max(1))).sqrt();
            let pitch = tall / rows;
            let height = (0.45 * room).clamp(1.5, 5.0).max((0.7 * pitch).min(9.0));
            ((0.3 * room).clamp(1.3, 2.0), height)
        };
        let tall = |band: &Band<'_>| band.bottom - band.top;
        if self.proportional {
            let all: f64 = self.bands.iter().map(tall).sum();
            let rows: f64 = self.bands.iter().map(|band| f64::from(band.rows)).sum();
            return vec![size(all, rows, marks.iter().sum()); self.bands.len()];
        }
        let bands = self.bands.iter().zip(marks);
        bands
            .map(|(band, &marks)| size(tall(band), f64::from(band.rows), marks))
            .collect()
    }

    /// The middle of each label: that of its band, or as near as its neighbours allow.
    pub(super) fn label_places(&self) -> Vec<f64> {
        let heights: Vec<f64> = self.bands.iter().map(Band::label_height).collect();
        let mut places: Vec<f64> = self
            .bands
            .iter()
            .map(|band| (band.top + band.bottom) / 2.0)
            .collect();
        let apart = |k: usize| (heights[k - 1] + heights[k]) / 2.0;
        for k in 1..places.len() {
            places[k] = places[k].max(places[k - 1] + apart(k));
        }
        if let Some(last) = places.len().checked_sub(1) {
            places[last] = places[last].min(RASTER.1 + 6.0 - heights[last] / 2.0);
        }
        for k in (1..places.len()).rev() {
            places[k - 1] = places[k - 1].min(places[k] - apart(k));
        }
        places
    }

    /// The title of the neuron axis says how neurons were chosen.
    pub(super) fn axis_title(&self) -> String {
        let thinned = |band: &Band<'_>| band.rows < band.population.size;
        if !self.bands.iter().any(thinned) {
            return "Neuron index".to_owned();
        }
        if self.proportional {
            return "Neuron index (the same share of each population drawn)".to_owned();
        }
        let most = self.bands.iter().map(|band| band.rows).max().unwrap_or(0);
        format!("Neuron index (at most {most} per population drawn, evenly chosen)")
    }
}

/// The height of each band, and whether heights tell sizes.
fn heights(drawn: &[Gathered], height: f64) -> (Vec<f64>, bool) {
    let sizes = || drawn.iter().map(|p| f64::from(p.size));
    let all: f64 = sizes().sum();
    let shares: Vec<f64> = sizes().map(|size| height * size / all).collect();
    if shares.iter().all(|&tall| tall >= LEAST_BAND) {
        return (shares, true);
    }
    let count = float(drawn.len());
    let least = (0.5 * height / count).min(64.0);
    let shared = height - least * count;
    let roots: f64 = sizes().map(f64::sqrt).sum();
    let tall = sizes().map(|size| least + shared * size.sqrt() / roots);
    (tall.collect(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(sizes: &[u32]) -> Vec<Gathered> {
        let population = |&size: &u32| Gathered {
            name: "P".to_owned(),
            size,
            spikes: u64::from(size),
            counts: vec![1; size as usize],
            rates: Vec::new(),
        };
        sizes.iter().map(population).collect()
    }

    /// The sizes of the layers of a cortical column differ twentyfold.
    #[test]
    fn layers_of_a_column_are_drawn_in_proportion_and_their_labels_do_not_touch() {
        let sizes = [20_683, 5_834, 21_915, 5_479, 4_850, 1_065, 14_395, 2_948];
        let gathered = gathered(&sizes);
        let layout = Layout::new(&gathered, Some(500), 60_000);
        assert!(layout.proportional);
        let share = |band: &Band<'_>| f64::from(band.rows) / f64::from(band.population.size);
        let first = share(&layout.bands[0]);
        for band in &layout.bands {
            assert!((share(band) / first - 1.0).abs() < 0.05, "{}", share(band));
        }
        let places = layout.label_places();
        for k in 1..places.len() {
            let apart = (layout.bands[k - 1].label_height() + layout.bands[k].label_height()) / 2.0;
            assert!(places[k] - places[k - 1] >= apart - 1e-9);
        }
        let bottom = layout.bands.last().unwrap().bottom;
        assert!((bottom - RASTER.1).abs() < 1e-6);
    }

    #[test]
    fn of_silent_neurons_more_are_drawn() {
        let gathered = gathered(&[20_000, 5_000]);
        let layout = Layout::new(&gathered, None, 60_000);
        let rows: Vec<u32> = layout.bands.iter().map(|band| band.rows).collect();
        assert_eq!(rows, [9_600, 2_400], "12,000 of 25,000 spikes");
    }

    #[test]
    fn a_few_neurons_beside_many_keep_a_band() {
        let gathered = gathered(&[10, 100_000]);
        let layout = Layout::new(&gathered, Some(500), 60_000);
        assert!(!layout.proportional);
        assert_eq!(layout.bands[0].rows, 10);
        assert_eq!(layout.bands[1].rows, 500);
        assert!(layout.bands[0].bottom - layout.bands[0].top > 50.0);
    }
}
