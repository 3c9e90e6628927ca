//! Power spectra of several populations in one panel, density on a logarithmic axis.

use super::axis::{self, Axis};
use super::color::{self, AXIS, GREY, GRID, INK};
use super::scene::{Align, Scene, Text, Weight};
use super::text::Fonts;
use super::{Figure, HEIGHT, PlotError, WIDTH};
use crate::analysis::Spectrum;

const LEFT: f64 = 130.0;
const RIGHT: f64 = 1382.0;
const LEGEND: f64 = RIGHT + 18.0;
const LEGEND_WIDTH: f64 = WIDTH as f64 - LEGEND - 12.0;
const PANEL: (f64, f64) = (84.0, 918.0);
/// Decades shown at most, from the top.
const MOST_DECADES: i32 = 12;

/// Power spectral densities over frequency; the frequency 0 is left out.
#[derive(Debug, Clone, Copy)]
pub struct Spectra<'a> {
    /// Title.
    pub title: &'a str,
    /// Name and spectrum of each population.
    pub populations: &'a [(&'a str, &'a Spectrum)],
}

impl Spectra<'_> {
    /// Lays out the figure.
    ///
    /// # Errors
    /// When there is no population.
    pub fn draw(&self) -> Result<Figure, PlotError> {
        if self.populations.is_empty() {
            return Err(PlotError::Empty("no population has a spectrum"));
        }
        let fonts = Fonts::load()?;
        let mut scene = Scene::new(WIDTH, HEIGHT, self.title);
        let title = fonts.fitted(self.title, 26.0, Weight::Bold, f64::from(WIDTH) - 160.0);
        scene.text(Text::new(LEFT, 50.0, title, 26.0, INK).bold());
        let ends = self.populations.iter().map(|(_, spectrum)| {
            float(spectrum.density.len().saturating_sub(1)) * spectrum.step_hz
        });
        let frequency = Axis {
            low: 0.0,
            high: ends.fold(1e-9, f64::max),
            start: LEFT,
            end: RIGHT,
        };
        let (low, high) = self.decades();
        let decade = Axis {
            low: f64::from(low),
            high: f64::from(high),
            start: PANEL.1,
            end: PANEL.0,
        };
        axis::time_grid(&mut scene, &frequency, PANEL);
        draw_decades(&mut scene, &decade, low, high);
        for (index, (_, spectrum)) in self.populations.iter().enumerate() {
            let points = spectrum.density.iter().enumerate().skip(1);
            let points = points.filter(|(_, density)| **density > 0.0);
            let points = points.map(|(k, density)| {
                let y = libm::log10(*density).clamp(decade.low, decade.high);
                (frequency.at(float(k) * spectrum.step_hz), decade.at(y))
            });
            scene.line(points.collect(), 1.6, color::of(index));
        }
        scene.vertical(LEFT - 1.0, PANEL.0, PANEL.1, AXIS);
        scene.horizontal(LEFT - 1.0, RIGHT, PANEL.1, AXIS);
        axis::below(&mut scene, &frequency, PANEL.1);
        let text = Text::new((LEFT + RIGHT) / 2.0, 974.0, "Frequency (Hz)", 17.0, INK);
        scene.text(text.align(Align::Middle));
        let label = "Power of the population rate (Hz²/Hz)";
        let text = Text::new(36.0, (PANEL.0 + PANEL.1) / 2.0, label, 17.0, INK);
        scene.text(text.align(Align::Middle).upright());
        self.draw_legend(&mut scene, &fonts);
        Ok(Figure { scene })
    }

    /// The decades that hold all densities.
    fn decades(&self) -> (i32, i32) {
        let densities = self
            .populations
            .iter()
            .flat_map(|(_, spectrum)| spectrum.density.iter().skip(1))
            .copied()
            .filter(|&density| density > 0.0 && density.is_finite());
        let (least, largest) =
            densities.fold((f64::INFINITY, 0.0_f64), |(l, h), d| (l.min(d), h.max(d)));
        if largest == 0.0 {
            return (-1, 1);
        }
        #[expect(clippy::cast_possible_truncation, reason = "a logarithm")]
        let whole = |x: f64| x as i32;
        let high = whole(libm::log10(largest).ceil());
        let low = whole(libm::log10(least).floor()).max(high - MOST_DECADES);
        (low.min(high - 1), high)
    }

    fn draw_legend(&self, scene: &mut Scene, fonts: &Fonts) {
        const ROW: f64 = 22.0;
        const ROWS: usize = 36;
        for (row, (name, _)) in self.populations.iter().take(ROWS).enumerate() {
            let y = PANEL.0 + 8.0 + ROW * float(row);
            scene.line(
                vec![(LEGEND + 2.0, y), (LEGEND + 22.0, y)],
                3.0,
                color::of(row),
            );
            let name = fonts.fitted(name, 14.0, Weight::Regular, LEGEND_WIDTH - 32.0);
            scene.text(Text::new(LEGEND + 32.0, y, name, 14.0, INK).centred());
        }
        if self.populations.len() > ROWS {
            let y = PANEL.0 + 8.0 + ROW * float(ROWS);
            let text = format!("and {} more", self.populations.len() - ROWS);
            scene.text(Text::new(LEGEND + 32.0, y, text, 14.0, GREY).centred());
        }
    }
}

fn draw_decades(scene: &mut Scene, decade: &Axis, low: i32, high: i32) {
    for exponent in low..=high {
        let y = decade.at(f64::from(exponent));
        scene.horizontal(LEFT - 1.0, RIGHT, y, GRID);
        scene.horizontal(LEFT - 7.0, LEFT - 1.0, y, AXIS);
        let label = match exponent {
            -3..=3 => {
                let decimals = usize::try_from(-exponent).unwrap_or(0);
                format!("{:.decimals$}", libm::pow(10.0, f64::from(exponent)))
            }
            _ => format!("1e{exponent}").replace('-', "−"),
        };
        let text = Text::new(LEFT - 12.0, y, label, 14.0, GREY);
        scene.text(text.align(Align::End).centred());
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of what is drawn")]
fn float(x: usize) -> f64 {
    x as f64
}
