//! Spikes of several populations, and their rates below.

mod band;
mod gather;
mod layout;
mod rates;

use super::axis::{self, Axis};
use super::color::{AXIS, GREY, INK};
use super::scene::{Align, Marks, Scene, Text, Weight};
use super::text::Fonts;
use super::{Figure, HEIGHT, PlotError, WIDTH};
use crate::table::grouped;
use crate::{PopulationSpikes, SpikeSource, TimeStep};
use band::Band;
use gather::Gathered;
use layout::Layout;

const LEFT: f64 = 112.0;
const RIGHT: f64 = 1382.0;
const LEGEND: f64 = RIGHT + 18.0;
const LEGEND_WIDTH: f64 = WIDTH as f64 - LEGEND - 12.0;
const RASTER: (f64, f64) = (98.0, 688.0);
const RATE: (f64, f64) = (724.0, 918.0);
/// Populations drawn at most; the subtitle tells of the others.
const MOST_POPULATIONS: usize = 24;

/// A raster plot: each spike a mark, time to the right, neurons upwards, populations stacked
/// from the top in their order; below, the rate of each population.
///
/// Where there are more neurons than can be told apart, evenly chosen ones are drawn, the same
/// share of every population where sizes allow it, and the labels say how many.
///
/// # Example
/// ```
/// use rheobase_report::{PopulationSpikes, Spikes, plot::Raster};
///
/// let e = PopulationSpikes { name: "E", size: 4, spikes: Spikes::new(&[7, 9], &[3, 0])? };
/// let figure = Raster::new("Two spikes", 0.1, 0, 100).draw(&[e])?;
/// assert!(figure.svg().contains("Time (ms)"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Raster<'a> {
    title: &'a str,
    dt_ms: f64,
    start_step: u64,
    end_step: u64,
    max_neurons: Option<u32>,
    max_spikes: u64,
}

impl<'a> Raster<'a> {
    /// A plot of the spikes with `start_step < step ≤ end_step`; steps are `dt_ms` ms long.
    #[must_use]
    pub fn new(title: &'a str, dt_ms: f64, start_step: u64, end_step: u64) -> Self {
        let (max_neurons, max_spikes) = (None, 60_000);
        Self {
            title,
            dt_ms,
            start_step,
            end_step,
            max_neurons,
            max_spikes,
        }
    }

    /// Neurons drawn of one population at most. Unless set: 500, and more where they are so silent
    /// that marks stay apart.
    #[must_use]
    pub fn max_neurons(self, max_neurons: u32) -> Self {
        Self {
            max_neurons: Some(max_neurons.max(1)),
            ..self
        }
    }

    /// Spikes drawn at most, by choosing fewer neurons (one of each population stays); 60,000
    /// unless set.
    #[must_use]
    pub fn max_spikes(self, max_spikes: u64) -> Self {
        Self {
            max_spikes: max_spikes.max(1),
            ..self
        }
    }

    /// Lays out the figure. O(spikes in the window + neurons).
    ///
    /// # Errors
    /// When there is no population, the window holds no step, or a spike names a neuron that is
    /// not there.
    pub fn draw(&self, populations: &[PopulationSpikes<'_>]) -> Result<Figure, PlotError> {
        let mut sources = populations.to_vec();
        let mut sources: Vec<&mut dyn SpikeSource> = sources
            .iter_mut()
            .map(|source| source as &mut dyn SpikeSource)
            .collect();
        self.draw_from(&mut sources)
    }

    /// Lays out the figure of spikes that are not in memory; each source is visited twice.
    /// Memory: 4 bytes a neuron and the marks.
    ///
    /// # Errors
    /// Those of [`draw`](Self::draw), and those of the sources.
    pub fn draw_from(&self, sources: &mut [&mut dyn SpikeSource]) -> Result<Figure, PlotError> {
        let dt = TimeStep::from_ms(self.dt_ms)?;
        self.check(sources)?;
        let fonts = Fonts::load()?;
        let bin_ms = bin_width(dt, self.end_step - self.start_step);
        let gathered: Vec<Gathered> = sources
            .iter_mut()
            .map(|source| self.gather(*source, dt, bin_ms))
            .collect::<Result<_, _>>()?;
        let drawn = &gathered[..gathered.len().min(MOST_POPULATIONS)];
        let layout = Layout::new(drawn, self.max_neurons, self.max_spikes);
        let mut scene = Scene::new(WIDTH, HEIGHT, self.title);
        let time = self.time_axis(dt);
        self.draw_head(&mut scene, &fonts, &gathered, dt);
        axis::time_grid(&mut scene, &time.axis, RASTER);
        axis::time_grid(&mut scene, &time.axis, RATE);
        let mut marks = Vec::with_capacity(drawn.len());
        for (band, source) in layout.bands.iter().zip(sources.iter_mut()) {
            marks.push(self.points(&time, band, *source, dt)?);
        }
        draw_bands(&mut scene, &fonts, &layout, marks);
        let title = layout.axis_title();
        let middle = (RASTER.0 + RASTER.1) / 2.0;
        axis_title(&mut scene, &fonts, middle, RASTER.1 - RASTER.0, &title);
        rates::draw(&mut scene, &fonts, &time, drawn, bin_ms);
        let seconds = dt.seconds(self.end_step - self.start_step);
        rates::draw_legend(&mut scene, &fonts, drawn, seconds);
        Ok(Figure { scene })
    }

    fn check(&self, sources: &[&mut dyn SpikeSource]) -> Result<(), PlotError> {
        let (start_step, end_step) = (self.start_step, self.end_step);
        if sources.is_empty() {
            return Err(PlotError::Empty("no population"));
        }
        if end_step <= start_step {
            return Err(PlotError::EmptyWindow {
                start_step,
                end_step,
            });
        }
        if sources.iter().any(|source| source.size() == 0) {
            return Err(PlotError::Empty("a population of no neurons"));
        }
        Ok(())
    }

    fn time_axis(&self, dt: TimeStep) -> Time {
        let (low_ms, high_ms) = (dt.time_ms(self.start_step), dt.time_ms(self.end_step));
        let (unit, divisor) = axis::time_unit(high_ms - low_ms);
        let (low, high) = (low_ms / divisor, high_ms / divisor);
        Time {
            axis: Axis {
                low,
                high,
                start: LEFT,
                end: RIGHT,
            },
            unit,
            divisor,
        }
    }

    fn draw_head(&self, scene: &mut Scene, fonts: &Fonts, gathered: &[Gathered], dt: TimeStep) {
        let title = fonts.fitted(
            self.title,
            26.0,
            Weight::Bold,
            f64::from(WIDTH) - 2.0 * 40.0,
        );
        scene.text(Text::new(LEFT, 46.0, title, 26.0, INK).bold());
        let neurons: u64 = gathered.iter().map(|p| u64::from(p.size)).sum();
        let spikes: u64 = gathered.iter().map(|p| p.spikes).sum();
        let mut subtitle = format!(
            "{} neurons, {} spikes in {}",
            grouped(neurons),
            grouped(spikes),
            duration(dt.time_ms(self.end_step - self.start_step))
        );
        let hidden = gathered.len().saturating_sub(MOST_POPULATIONS);
        if hidden > 0 {
            subtitle.push_str(&format!(
                "; the first {MOST_POPULATIONS} populations, {hidden} more not drawn"
            ));
        }
        scene.text(Text::new(LEFT, 74.0, subtitle, 16.0, GREY));
    }

    /// Where the marks of a band are; marks of one neuron closer than half a pixel are one.
    fn points(
        &self,
        time: &Time,
        band: &Band<'_>,
        source: &mut dyn SpikeSource,
        dt: TimeStep,
    ) -> Result<Vec<(f64, f64)>, PlotError> {
        let neurons = band.axis();
        let mut latest = vec![f64::NEG_INFINITY; band.rows as usize];
        let mut points = Vec::new();
        source.visit(self.start_step, self.end_step, &mut |spikes| {
            for (step, neuron) in spikes.iter() {
                let Some(row) = band.row(neuron) else {
                    continue;
                };
                let x = time.axis.at(dt.time_ms(step) / time.divisor);
                if x - latest[row] >= 0.5 {
                    latest[row] = x;
                    points.push((x, neurons.at(f64::from(neuron) + 0.5)));
                }
            }
        })?;
        Ok(points)
    }
}

fn draw_bands(scene: &mut Scene, fonts: &Fonts, layout: &Layout<'_>, marks: Vec<Vec<(f64, f64)>>) {
    let counts: Vec<usize> = marks.iter().map(Vec::len).collect();
    let sizes = layout.mark_sizes(&counts);
    let labels = layout.label_places();
    for (k, (band, points)) in layout.bands.iter().zip(marks).enumerate() {
        let (top, bottom) = (band.top, band.bottom);
        scene.vertical(LEFT - 1.0, top, bottom, AXIS);
        if bottom - top >= 30.0 {
            axis::left(scene, &band.axis(), (LEFT - 1.0, RIGHT), 44.0, false);
        }
        if points.is_empty() && bottom - top >= 12.0 {
            let (x, y) = ((LEFT + RIGHT) / 2.0, (top + bottom) / 2.0);
            let text = Text::new(x, y, "no spikes", 14.0, GREY);
            scene.text(text.align(Align::Middle).centred());
        }
        let (width, height) = sizes[k];
        scene.marks(Marks {
            points,
            width,
            height,
            color: band.color,
        });
        band.label(scene, fonts, labels[k]);
    }
}

struct Time {
    axis: Axis,
    unit: &'static str,
    /// Milliseconds per unit.
    divisor: f64,
}

fn axis_title(scene: &mut Scene, fonts: &Fonts, middle: f64, room: f64, label: &str) {
    let label = fonts.fitted(label, 17.0, Weight::Regular, room);
    scene.text(
        Text::new(36.0, middle, label, 17.0, INK)
            .align(Align::Middle)
            .upright(),
    );
}

/// The bin of the rates \[ms\]: 5 ms, 1 ms in windows below 100 ms, and wide enough for at most
/// 640 bins and at least one step.
fn bin_width(dt: TimeStep, steps: u64) -> u32 {
    let finest = if dt.time_ms(steps) < 100.0 { 1 } else { 5 };
    let mut widths = [1, 2, 5].into_iter().cycle();
    let (mut scale, mut width) = (1_u32, 0);
    loop {
        let factor = widths.next().unwrap_or(1);
        if factor == 1 && width > 0 {
            scale = scale.saturating_mul(10);
        }
        width = scale.saturating_mul(factor);
        let fits = dt.whole_bins(steps, width) <= 640 && dt.ms() <= f64::from(width);
        if (width >= finest && fits) || scale > 100_000_000 {
            return width;
        }
    }
}

fn duration(ms: f64) -> String {
    let (unit, divisor) = axis::time_unit(ms);
    let number = format!("{:.4}", ms / divisor);
    format!(
        "{} {unit}",
        number.trim_end_matches('0').trim_end_matches('.')
    )
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and positions of what is drawn"
)]
fn float(x: usize) -> f64 {
    x as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small positive number; the cast saturates"
)]
fn floor(x: f64) -> u32 {
    x as u32
}
