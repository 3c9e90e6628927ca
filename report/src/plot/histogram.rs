//! How a quantity is distributed over the neurons of each population: one panel each.

use super::axis::{self, Axis};
use super::color::{self, AXIS, GREY, INK};
use super::scene::{Align, Scene, Text, Weight};
use super::text::Fonts;
use super::{Figure, HEIGHT, PlotError, WIDTH};
use crate::analysis::Distribution;
use crate::table::grouped;

const LEFT: f64 = 100.0;
const RIGHT: f64 = 1560.0;
const TOP: f64 = 108.0;
const BOTTOM: f64 = 910.0;
/// Room between panels, for their axes and titles.
const GAP: (f64, f64) = (84.0, 76.0);
/// Panels drawn at most.
const MOST: usize = 24;

/// One panel per population: how many neurons have which value. Axes run from 0 to the largest
/// value of the population, so that panels differ in scale.
#[derive(Debug, Clone, Copy)]
pub struct Histograms<'a> {
    /// Title.
    pub title: &'a str,
    /// The quantity and its unit: "Rate (Hz)".
    pub quantity: &'a str,
    /// Name and distribution of each population.
    pub populations: &'a [(&'a str, &'a Distribution)],
}

impl Histograms<'_> {
    /// Lays out the figure.
    ///
    /// # Errors
    /// When there is no population.
    pub fn draw(&self) -> Result<Figure, PlotError> {
        if self.populations.is_empty() {
            return Err(PlotError::Empty("no population"));
        }
        let fonts = Fonts::load()?;
        let mut scene = Scene::new(WIDTH, HEIGHT, self.title);
        let title = fonts.fitted(self.title, 26.0, Weight::Bold, f64::from(WIDTH) - 140.0);
        scene.text(Text::new(LEFT, 46.0, title, 26.0, INK).bold());
        let drawn = &self.populations[..self.populations.len().min(MOST)];
        if drawn.len() < self.populations.len() {
            let note = format!("the first {MOST} of {} populations", self.populations.len());
            scene.text(Text::new(LEFT, 72.0, note, 16.0, GREY));
        }
        let (rows, columns) = grid(drawn.len());
        let width = (RIGHT - LEFT - GAP.0 * float(columns - 1)) / float(columns);
        let height = (BOTTOM - TOP - GAP.1 * float(rows - 1)) / float(rows);
        for (k, (name, distribution)) in drawn.iter().enumerate() {
            let left = LEFT + float(k % columns) * (width + GAP.0);
            let top = TOP + float(k / columns) * (height + GAP.1);
            let panel = (left, left + width, top, top + height);
            draw_panel(&mut scene, &fonts, name, distribution, panel, k);
        }
        let middle = (LEFT + RIGHT) / 2.0;
        let text = Text::new(middle, 974.0, self.quantity, 17.0, INK);
        scene.text(text.align(Align::Middle));
        let text = Text::new(34.0, (TOP + BOTTOM) / 2.0, "Neurons", 17.0, INK);
        scene.text(text.align(Align::Middle).upright());
        Ok(Figure { scene })
    }
}

/// Rows and columns for so many panels: four columns at most, six beyond twelve panels.
fn grid(panels: usize) -> (usize, usize) {
    let columns = match panels {
        1..=3 => panels,
        4 => 2,
        5..=6 => 3,
        7..=12 => 4,
        _ => 6,
    };
    (panels.div_ceil(columns), columns)
}

fn draw_panel(
    scene: &mut Scene,
    fonts: &Fonts,
    name: &str,
    distribution: &Distribution,
    (left, right, top, bottom): (f64, f64, f64, f64),
    index: usize,
) {
    let bins = distribution.counts.len().max(1);
    let value = Axis {
        low: 0.0,
        high: float(bins) * distribution.width,
        start: left,
        end: right,
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "a number of neurons, to be drawn"
    )]
    let count = |n: u64| n as f64;
    let most = distribution.counts.iter().copied().max().unwrap_or(0);
    let neurons = Axis {
        low: 0.0,
        high: axis::round_end(count(most.max(1)), bottom - top, 42.0),
        start: bottom,
        end: top,
    };
    axis::left(scene, &neurons, (left - 1.0, right), 42.0, true);
    for (bin, &n) in distribution.counts.iter().enumerate() {
        let from = value.at(float(bin) * distribution.width);
        let to = value.at(float(bin + 1) * distribution.width);
        let y = neurons.at(count(n));
        scene.rectangle(from + 0.5, y, to - from - 1.0, bottom - y, color::of(index));
    }
    scene.vertical(left - 1.0, top, bottom, AXIS);
    scene.horizontal(left - 1.0, right, bottom, AXIS);
    axis::below_spaced(scene, &value, bottom, 70.0);
    let note = match distribution.mean {
        Some(mean) => format!("mean {mean:.3} of {}", grouped(distribution.neurons())),
        None => "no neuron has one".to_owned(),
    };
    let note_width = fonts.width(&note, 13.0, Weight::Regular);
    let room = (right - left - note_width - 12.0).max(20.0);
    let name = fonts.fitted(name, 17.0, Weight::Bold, room);
    scene.text(Text::new(left, top - 12.0, name, 17.0, INK).bold());
    let text = Text::new(right, top - 12.0, note, 13.0, GREY);
    scene.text(text.align(Align::End));
}

#[expect(clippy::cast_precision_loss, reason = "counts of what is drawn")]
fn float(x: usize) -> f64 {
    x as f64
}
