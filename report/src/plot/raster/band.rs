//! One population's part of a raster plot.

use super::super::axis::Axis;
use super::super::color::{Color, GREY, INK};
use super::super::scene::{Align, Scene, Text, Weight};
use super::super::text::Fonts;
use super::{LEFT, LEGEND, LEGEND_WIDTH, RIGHT, float};
use crate::PopulationSpikes;
use crate::table::grouped;

/// Least distance of two rows of marks \[pixels\]; neighbours may overlap, spikes are rare.
pub(super) const LEAST_PITCH: f64 = 0.5;

/// One population's part of the panel.
pub(super) struct Band<'a> {
    pub(super) population: PopulationSpikes<'a>,
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

    /// Width and height of a mark: large where marks are few, a row's height where rows are
    /// apart, never so large that a dense band closes up.
    pub(super) fn mark_size(&self, marks: usize) -> (f64, f64) {
        let tall = self.bottom - self.top;
        let room = (tall * (RIGHT - LEFT) / float(marks.max(1))).sqrt();
        let pitch = tall / f64::from(self.rows);
        let height = (0.45 * room).clamp(1.5, 5.0).max((0.7 * pitch).min(9.0));
        ((0.3 * room).clamp(1.3, 2.0), height)
    }

    /// Name and number of neurons, to the right of the band.
    pub(super) fn label(&self, scene: &mut Scene, fonts: &Fonts) {
        let size = grouped(u64::from(self.population.size));
        let note = if self.rows < self.population.size {
            format!("{} of {size} neurons", grouped(u64::from(self.rows)))
        } else {
            format!("{size} neurons")
        };
        let middle = (self.top + self.bottom) / 2.0;
        let two_lines = self.bottom - self.top >= 42.0;
        let y = if two_lines { middle - 10.0 } else { middle };
        let swatch = 12.0;
        scene.rectangle(LEGEND, y - swatch / 2.0, swatch, swatch, self.color);
        let width = LEGEND_WIDTH - swatch - 8.0;
        let (name_width, size) = if two_lines {
            (width, 17.0)
        } else {
            (0.45 * width, 13.0)
        };
        let name = fonts.fitted(self.population.name, size, Weight::Bold, name_width);
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
