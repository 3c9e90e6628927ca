//! One population's part of a raster plot.

use super::super::axis::Axis;
use super::super::color::{Color, GREY, INK};
use super::super::scene::{Align, Scene, Text, Weight};
use super::super::text::Fonts;
use super::gather::Gathered;
use super::{LEGEND, LEGEND_WIDTH};
use crate::table::grouped;

/// Least distance of two rows of marks \[pixels\]; neighbours may overlap, spikes are rare.
pub(super) const LEAST_PITCH: f64 = 0.5;

/// One population's part of the panel.
pub(super) struct Band<'a> {
    pub(super) population: &'a Gathered,
    pub(super) top: f64,
    pub(super) bottom: f64,
    /// Number of neurons drawn.
    pub(super) rows: u32,
    pub(super) color: Color,
}

impl Band<'_> {
    /// The row of a neuron, if it is one of those drawn: `floor(row·size/rows)`.
    pub(super) fn row(&self, neuron: u32) -> Option<usize> {
        let (rows, size) = (u64::from(self.rows), u64::from(self.population.size));
        let row = (u64::from(neuron) * rows).div_ceil(size);
        let drawn = row < rows && row * size / rows == u64::from(neuron);
        usize::try_from(row).ok().filter(|_| drawn)
    }

    pub(super) fn axis(&self) -> Axis {
        let high = f64::from(self.population.size);
        Axis {
            low: 0.0,
            high,
            start: self.bottom,
            end: self.top,
        }
    }

    /// Spikes of the neurons drawn.
    pub(super) fn spikes_drawn(&self) -> u64 {
        let (rows, size) = (u64::from(self.rows), u64::from(self.population.size));
        (0..rows)
            .filter_map(|row| usize::try_from(row * size / rows).ok())
            .map(|neuron| u64::from(self.population.counts[neuron]))
            .sum()
    }

    /// Room for name and number of neurons, one below the other, or side by side.
    fn has_two_lines(&self) -> bool {
        self.bottom - self.top >= 42.0
    }

    pub(super) fn label_height(&self) -> f64 {
        if self.has_two_lines() { 40.0 } else { 19.0 }
    }

    /// Name and number of neurons, to the right of the band, around the height `middle`.
    pub(super) fn label(&self, scene: &mut Scene, fonts: &Fonts, middle: f64) {
        let size = grouped(u64::from(self.population.size));
        let note = if self.rows < self.population.size {
            format!("{} of {size} neurons", grouped(u64::from(self.rows)))
        } else {
            format!("{size} neurons")
        };
        let two_lines = self.has_two_lines();
        let y = if two_lines { middle - 10.0 } else { middle };
        let swatch = 12.0;
        scene.rectangle(LEGEND, y - swatch / 2.0, swatch, swatch, self.color);
        let width = LEGEND_WIDTH - swatch - 8.0;
        let (name_width, size) = if two_lines {
            (width, 17.0)
        } else {
            (0.45 * width, 13.0)
        };
        let name = fonts.fitted(&self.population.name, size, Weight::Bold, name_width);
        scene.text(
            Text::new(LEGEND + swatch + 8.0, y, name, size, INK)
                .bold()
                .centred(),
        );
        if two_lines {
            scene.text(Text::new(LEGEND + swatch + 8.0, middle + 12.0, note, 13.0, GREY).centred());
        } else {
            let note = fonts.fitted(
                &note.replace(" neurons", ""),
                12.0,
                Weight::Regular,
                0.5 * width,
            );
            let text = Text::new(LEGEND + LEGEND_WIDTH, y, note, 12.0, GREY);
            scene.text(text.align(Align::End).centred());
        }
    }
}
