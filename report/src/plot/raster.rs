//! Spikes of several populations, and their rates below.

mod band;

use super::axis::{self, Axis};
use super::color::{self, AXIS, GREY, INK};
use super::scene::{Align, Marks, Scene, Text, Weight};
use super::text::Fonts;
use super::{Figure, HEIGHT, PlotError, WIDTH};
use crate::table::grouped;
use crate::{PopulationSpikes, TimeStep};
use band::{Band, LEAST_PITCH};

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
/// Where a population has more neurons than can be told apart, evenly chosen ones are drawn and
/// the label says how many.
///
/// # Example
/// ```
/// use rheobase_report::{PopulationSpikes, Spikes, plot::Raster};
///
/// let e = PopulationSpikes { name: "E", size: 4, spikes: Spikes::new(&[7, 9], &[3, 0])? };
/// let figure = Raster::new("Two spikes", 0.1, 0, 100, &[e]).draw()?;
/// assert!(figure.svg().contains("Time (ms)"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Raster<'a> {
    title: &'a str,
    dt_ms: f64,
    start_step: u64,
    end_step: u64,
    populations: &'a [PopulationSpikes<'a>],
    max_neurons: u32,
    max_spikes: usize,
}

impl<'a> Raster<'a> {
    /// A plot of the spikes with `start_step < step ≤ end_step`; steps are `dt_ms` ms long.
    #[must_use]
    pub fn new(
        title: &'a str,
        dt_ms: f64,
        start_step: u64,
        end_step: u64,
        populations: &'a [PopulationSpikes<'a>],
    ) -> Self {
        let (max_neurons, max_spikes) = (500, 60_000);
        Self {
            title,
            dt_ms,
            start_step,
            end_step,
            populations,
            max_neurons,
            max_spikes,
        }
    }

    /// Neurons drawn of one population at most; 500 unless set.
    #[must_use]
    pub fn max_neurons(self, max_neurons: u32) -> Self {
        Self {
            max_neurons: max_neurons.max(1),
            ..self
        }
    }

    /// Spikes drawn at most, by choosing fewer neurons (one of each population stays); 60,000
    /// unless set.
    #[must_use]
    pub fn max_spikes(self, max_spikes: usize) -> Self {
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
    pub fn draw(&self) -> Result<Figure, PlotError> {
        let dt = TimeStep::from_ms(self.dt_ms)?;
        self.check()?;
        let fonts = Fonts::load()?;
        let bands = self.bands();
        let mut scene = Scene::new(WIDTH, HEIGHT, self.title);
        let time = self.time_axis(dt);
        self.draw_head(&mut scene, &fonts, dt);
        axis::time_grid(&mut scene, &time.axis, RASTER);
        axis::time_grid(&mut scene, &time.axis, RATE);
        for band in &bands {
            self.draw_band(&mut scene, &fonts, &time, band, dt);
        }
        draw_raster_title(&mut scene, &fonts, &bands);
        self.draw_rates(&mut scene, &fonts, &time, dt);
        Ok(Figure { scene })
    }

    fn check(&self) -> Result<(), PlotError> {
        let (start_step, end_step) = (self.start_step, self.end_step);
        if self.populations.is_empty() {
            return Err(PlotError::Empty("no population"));
        }
        if end_step <= start_step {
            return Err(PlotError::EmptyWindow {
                start_step,
                end_step,
            });
        }
        for population in self.populations {
            if population.size == 0 {
                return Err(PlotError::Empty("a population of no neurons"));
            }
            let size = population.size;
            if let Some(&neuron) = population.spikes.neurons().iter().find(|&&n| n >= size) {
                let population = population.name.to_owned();
                return Err(PlotError::NoSuchNeuron {
                    population,
                    neuron,
                    size,
                });
            }
        }
        Ok(())
    }

    fn drawn(&self) -> &'a [PopulationSpikes<'a>] {
        &self.populations[..self.populations.len().min(MOST_POPULATIONS)]
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

    fn draw_head(&self, scene: &mut Scene, fonts: &Fonts, dt: TimeStep) {
        let title = fonts.fitted(
            self.title,
            26.0,
            Weight::Bold,
            f64::from(WIDTH) - 2.0 * 40.0,
        );
        scene.text(Text::new(LEFT, 46.0, title, 26.0, INK).bold());
        let neurons: u64 = self.populations.iter().map(|p| u64::from(p.size)).sum();
        let spikes: usize = self.populations.iter().map(|p| self.spikes_of(p)).sum();
        let mut subtitle = format!(
            "{} neurons, {} spikes in {}",
            grouped(neurons),
            grouped(spikes as u64),
            duration(dt.time_ms(self.end_step - self.start_step))
        );
        let hidden = self.populations.len() - self.drawn().len();
        if hidden > 0 {
            subtitle.push_str(&format!(
                "; the first {MOST_POPULATIONS} populations, {hidden} more not drawn"
            ));
        }
        scene.text(Text::new(LEFT, 74.0, subtitle, 16.0, GREY));
    }

    fn spikes_of(&self, population: &PopulationSpikes<'_>) -> usize {
        population
            .spikes
            .window(self.start_step, self.end_step)
            .len()
    }

    /// Divides the panel among the populations by the square roots of their sizes, and chooses
    /// how many neurons of each are drawn.
    fn bands(&self) -> Vec<Band<'a>> {
        let populations = self.drawn();
        let count = populations.len();
        let gap = if count > 12 { 8.0 } else { 16.0 };
        let height = RASTER.1 - RASTER.0 - gap * float(count - 1);
        let least = (0.5 * height / float(count)).min(64.0);
        let shared = height - least * float(count);
        let roots: f64 = populations.iter().map(|p| f64::from(p.size).sqrt()).sum();
        let mut top = RASTER.0;
        let mut bands: Vec<Band<'a>> = Vec::with_capacity(count);
        for (index, population) in populations.iter().enumerate() {
            let tall = least + shared * f64::from(population.size).sqrt() / roots;
            let rows = self
                .max_neurons
                .min(population.size)
                .min(floor(tall / LEAST_PITCH));
            let color = color::of(index);
            bands.push(Band {
                population: *population,
                top,
                bottom: top + tall,
                rows,
                color,
            });
            top += tall + gap;
        }
        self.thin(&mut bands);
        bands
    }

    /// Chooses fewer neurons until the spikes to draw are few enough.
    fn thin(&self, bands: &mut [Band<'_>]) {
        loop {
            let spikes: usize = bands.iter().map(|band| self.spikes_drawn(band)).sum();
            if spikes <= self.max_spikes || bands.iter().all(|band| band.rows == 1) {
                return;
            }
            let share = float(self.max_spikes) / float(spikes);
            for band in bands.iter_mut() {
                let fewer = floor(f64::from(band.rows) * share).min(band.rows - 1);
                band.rows = fewer.max(1);
            }
        }
    }

    fn spikes_drawn(&self, band: &Band<'_>) -> usize {
        let spikes = band
            .population
            .spikes
            .window(self.start_step, self.end_step);
        spikes
            .neurons()
            .iter()
            .filter(|&&neuron| band.row(neuron).is_some())
            .count()
    }

    fn draw_band(
        &self,
        scene: &mut Scene,
        fonts: &Fonts,
        time: &Time,
        band: &Band<'_>,
        dt: TimeStep,
    ) {
        let (top, bottom) = (band.top, band.bottom);
        scene.vertical(LEFT - 1.0, top, bottom, AXIS);
        if bottom - top >= 30.0 {
            axis::left(scene, &band.axis(), (LEFT - 1.0, RIGHT), 44.0, false);
        }
        let points = self.points(time, band, dt);
        if points.is_empty() {
            let text = Text::new(
                (LEFT + RIGHT) / 2.0,
                (top + bottom) / 2.0,
                "no spikes",
                14.0,
                GREY,
            );
            scene.text(text.align(Align::Middle).centred());
        }
        let (width, height) = band.mark_size(points.len());
        scene.marks(Marks {
            points,
            width,
            height,
            color: band.color,
        });
        band.label(scene, fonts);
    }

    /// Where the marks of a band are; marks of one neuron closer than half a pixel are one.
    fn points(&self, time: &Time, band: &Band<'_>, dt: TimeStep) -> Vec<(f64, f64)> {
        let spikes = band
            .population
            .spikes
            .window(self.start_step, self.end_step);
        let neurons = band.axis();
        let mut latest = vec![f64::NEG_INFINITY; band.rows as usize];
        let mut points = Vec::new();
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
        points
    }

    fn draw_rates(&self, scene: &mut Scene, fonts: &Fonts, time: &Time, dt: TimeStep) {
        let window = self.end_step - self.start_step;
        let bin_ms = bin_width(dt, window);
        let rates: Vec<Vec<f64>> = self
            .drawn()
            .iter()
            .map(|p| self.rates(p, dt, bin_ms))
            .collect();
        let highest = rates.iter().flatten().copied().fold(0.0, f64::max);
        let height = RATE.1 - RATE.0;
        let high = if highest > 0.0 {
            axis::round_end(highest, height, 42.0)
        } else {
            1.0
        };
        let rate = Axis {
            low: 0.0,
            high,
            start: RATE.1,
            end: RATE.0,
        };
        axis::left(scene, &rate, (LEFT - 1.0, RIGHT), 42.0, true);
        let bin = f64::from(bin_ms) / time.divisor;
        for (index, rates) in rates.iter().enumerate() {
            let x = |k: usize| time.axis.at(time.axis.low + (float(k) + 0.5) * bin);
            let points = rates
                .iter()
                .enumerate()
                .map(|(k, &hz)| (x(k), rate.at(hz)))
                .collect();
            scene.line(points, 1.7, color::of(index));
        }
        scene.vertical(LEFT - 1.0, RATE.0, RATE.1, AXIS);
        scene.horizontal(LEFT - 1.0, RIGHT, RATE.1, AXIS);
        axis::below(scene, &time.axis, RATE.1);
        let label = format!("Rate (Hz, {bin_ms} ms bins)");
        axis_title(scene, fonts, (RATE.0 + RATE.1) / 2.0, height + 60.0, &label);
        let middle = (LEFT + RIGHT) / 2.0;
        let text = Text::new(middle, 974.0, format!("Time ({})", time.unit), 17.0, INK);
        scene.text(text.align(Align::Middle));
        self.draw_legend(scene, fonts, dt);
    }

    /// Rate per neuron \[Hz\] in each whole bin of the window.
    fn rates(&self, population: &PopulationSpikes<'_>, dt: TimeStep, bin_ms: u32) -> Vec<f64> {
        let bins = dt.whole_bins(self.end_step - self.start_step, bin_ms);
        let mut counts = vec![0_u64; usize::try_from(bins).unwrap_or(0)];
        for &step in population
            .spikes
            .window(self.start_step, self.end_step)
            .steps()
        {
            let bin = dt.bin(step - self.start_step, bin_ms);
            if let Some(count) = usize::try_from(bin)
                .ok()
                .and_then(|bin| counts.get_mut(bin))
            {
                *count += 1;
            }
        }
        let neuron_seconds = f64::from(population.size) * f64::from(bin_ms) / 1000.0;
        #[expect(clippy::cast_precision_loss, reason = "a count of spikes, to be drawn")]
        counts
            .into_iter()
            .map(|count| count as f64 / neuron_seconds)
            .collect()
    }

    /// Line, name and mean rate of each population, as far as there is room.
    fn draw_legend(&self, scene: &mut Scene, fonts: &Fonts, dt: TimeStep) {
        const ROW: f64 = 22.0;
        let room = floor((RATE.1 - RATE.0 + 4.0) / ROW) as usize;
        let populations = self.drawn();
        let shown = if populations.len() > room {
            room - 1
        } else {
            populations.len()
        };
        let seconds = dt.seconds(self.end_step - self.start_step);
        let y = |row: usize| RATE.0 + 8.0 + ROW * float(row);
        for (row, population) in populations[..shown].iter().enumerate() {
            let spikes = float(self.spikes_of(population));
            let rate = format!("{:.1} Hz", spikes / (f64::from(population.size) * seconds));
            let color = color::of(row);
            let rate_width = fonts.width(&rate, 14.0, Weight::Regular);
            let width = LEGEND_WIDTH - 32.0 - 10.0 - rate_width;
            let name = fonts.fitted(population.name, 14.0, Weight::Regular, width);
            scene.line(
                vec![(LEGEND + 2.0, y(row)), (LEGEND + 22.0, y(row))],
                3.0,
                color,
            );
            scene.text(Text::new(LEGEND + 32.0, y(row), name, 14.0, INK).centred());
            let text = Text::new(LEGEND + LEGEND_WIDTH, y(row), rate, 14.0, GREY);
            scene.text(text.align(Align::End).centred());
        }
        if shown < populations.len() {
            let text = format!("and {} more", populations.len() - shown);
            scene.text(Text::new(LEGEND + 32.0, y(shown), text, 14.0, GREY).centred());
        }
    }
}

struct Time {
    axis: Axis,
    unit: &'static str,
    /// Milliseconds per unit.
    divisor: f64,
}

/// The title of the neuron axis says how neurons were chosen.
fn draw_raster_title(scene: &mut Scene, fonts: &Fonts, bands: &[Band<'_>]) {
    let thinned = bands.iter().any(|band| band.rows < band.population.size);
    let most = bands.iter().map(|band| band.rows).max().unwrap_or(0);
    let label = if thinned {
        format!("Neuron index (at most {most} per population drawn, evenly chosen)")
    } else {
        "Neuron index".to_owned()
    };
    axis_title(
        scene,
        fonts,
        (RASTER.0 + RASTER.1) / 2.0,
        RASTER.1 - RASTER.0,
        &label,
    );
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
