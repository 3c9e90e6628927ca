//! State variables over time.

use super::axis::{self, Axis};
use super::color::{self, AXIS, GREY, INK};
use super::scene::{Align, Point, Scene, Text, Weight};
use super::text::Fonts;
use super::{Figure, HEIGHT, PlotError, WIDTH};

const LEFT: f64 = 112.0;
const RIGHT: f64 = 1382.0;
const LEGEND: f64 = RIGHT + 18.0;
const LEGEND_WIDTH: f64 = WIDTH as f64 - LEGEND - 12.0;
const PANELS: (f64, f64) = (84.0, 918.0);
const GAP: f64 = 26.0;

/// One line of a panel.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    /// What it is, for the legend: "neuron 17".
    pub label: &'a str,
    /// A value for each time; one that is not finite leaves a gap.
    pub values: &'a [f64],
}

/// One variable: a panel with its own vertical axis.
#[derive(Debug, Clone)]
pub struct TracePanel<'a> {
    /// Title of the axis with its unit: "v (mV)".
    pub label: &'a str,
    /// The lines.
    pub series: Vec<Series<'a>>,
}

/// Variables over time, one panel each, over one time axis. At most eight panels are readable;
/// more are drawn ever smaller.
///
/// # Example
/// ```
/// use rheobase_report::plot::{Series, TracePanel, TracePlot};
///
/// let v = Series { label: "neuron 0", values: &[-65.0, -60.0, -55.0] };
/// let panel = TracePanel { label: "v (mV)", series: vec![v] };
/// let plot = TracePlot { title: "Membrane potential", time_ms: &[0.1, 0.2, 0.3], panels: &[panel] };
/// assert!(plot.draw()?.svg().contains("v (mV)"));
/// # Ok::<(), rheobase_report::plot::PlotError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct TracePlot<'a> {
    /// Title.
    pub title: &'a str,
    /// When the values were taken \[ms\], ascending.
    pub time_ms: &'a [f64],
    /// The panels, from the top.
    pub panels: &'a [TracePanel<'a>],
}

impl TracePlot<'_> {
    /// Lays out the figure. A line with more points than pixels is drawn by its extremes in each
    /// half pixel, so that no spike is lost. O(values).
    ///
    /// # Errors
    /// When there is nothing to draw, a series and the times differ in length, or the times do
    /// not ascend.
    pub fn draw(&self) -> Result<Figure, PlotError> {
        self.check()?;
        let fonts = Fonts::load()?;
        let mut scene = Scene::new(WIDTH, HEIGHT, self.title);
        let title = fonts.fitted(
            self.title,
            26.0,
            Weight::Bold,
            f64::from(WIDTH) - 2.0 * 40.0,
        );
        scene.text(Text::new(LEFT, 50.0, title, 26.0, INK).bold());
        let (low_ms, high_ms) = self.range();
        let (unit, divisor) = axis::time_unit(high_ms - low_ms);
        let (low, high) = (low_ms / divisor, high_ms / divisor);
        let time = Axis {
            low,
            high,
            start: LEFT,
            end: RIGHT,
        };
        let count = float(self.panels.len());
        let height = ((PANELS.1 - PANELS.0 - GAP * (count - 1.0)) / count).max(20.0);
        for (index, panel) in self.panels.iter().enumerate() {
            let top = PANELS.0 + (height + GAP) * float(index);
            self.draw_panel(
                &mut scene,
                &fonts,
                &time,
                divisor,
                panel,
                (top, top + height),
            );
        }
        axis::below(&mut scene, &time, PANELS.1);
        let text = Text::new(
            (LEFT + RIGHT) / 2.0,
            974.0,
            format!("Time ({unit})"),
            17.0,
            INK,
        );
        scene.text(text.align(Align::Middle));
        Ok(Figure { scene })
    }

    fn check(&self) -> Result<(), PlotError> {
        if self.panels.is_empty() || self.time_ms.is_empty() {
            return Err(PlotError::Empty("no panel or no time"));
        }
        let bad = |i: &usize| {
            let time = self.time_ms[*i];
            !time.is_finite() || (*i > 0 && time <= self.time_ms[i - 1])
        };
        if let Some(index) = (0..self.time_ms.len()).find(bad) {
            return Err(PlotError::Times { index });
        }
        for series in self.panels.iter().flat_map(|panel| &panel.series) {
            let (values, times) = (series.values.len(), self.time_ms.len());
            if values != times {
                return Err(PlotError::Length {
                    series: series.label.to_owned(),
                    values,
                    times,
                });
            }
        }
        Ok(())
    }

    /// First and last time, from 0 where the first comes right behind it; a single moment gets a
    /// millisecond around it.
    fn range(&self) -> (f64, f64) {
        let (first, last) = (self.time_ms[0], self.time_ms[self.time_ms.len() - 1]);
        let first = if (0.0..0.02 * last).contains(&first) {
            0.0
        } else {
            first
        };
        if last > first {
            (first, last)
        } else {
            (first - 0.5, first + 0.5)
        }
    }

    fn draw_panel(
        &self,
        scene: &mut Scene,
        fonts: &Fonts,
        time: &Axis,
        divisor: f64,
        panel: &TracePanel<'_>,
        (top, bottom): (f64, f64),
    ) {
        let (low, high) = value_range(panel.series.iter().flat_map(|s| s.values));
        let value = Axis {
            low,
            high,
            start: bottom,
            end: top,
        };
        axis::time_grid(scene, time, (top, bottom));
        axis::left(scene, &value, (LEFT - 1.0, RIGHT), 44.0, true);
        for (index, series) in panel.series.iter().enumerate() {
            let times = self.time_ms.iter().map(|ms| time.at(ms / divisor));
            let points = times.zip(series.values.iter().map(|&v| value.at(v)));
            for run in finite_runs(points) {
                scene.line(extremes(&run), LINE, color::of(index));
            }
        }
        scene.vertical(LEFT - 1.0, top, bottom, AXIS);
        scene.horizontal(LEFT - 1.0, RIGHT, bottom, AXIS);
        let label = fonts.fitted(panel.label, 17.0, Weight::Regular, bottom - top + GAP);
        let text = Text::new(36.0, (top + bottom) / 2.0, label, 17.0, INK);
        scene.text(text.align(Align::Middle).upright());
        let labels: Vec<&str> = panel.series.iter().map(|s| s.label).collect();
        draw_legend(scene, fonts, &labels, (LEGEND, LEGEND_WIDTH), (top, bottom));
    }
}

/// Width of a line \[pixels\].
pub(super) const LINE: f64 = 1.7;

/// Least and greatest value of a panel with a little room around; constant ones get a range.
pub(super) fn value_range<'a>(values: impl Iterator<Item = &'a f64>) -> (f64, f64) {
    let finite = values.copied().filter(|v| v.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
        (l.min(v), h.max(v))
    });
    if low > high {
        return (0.0, 1.0);
    }
    let room = if high > low {
        0.05 * (high - low)
    } else {
        0.5_f64.max(0.05 * low.abs())
    };
    (low - room, high + room)
}

/// Splits a line where a value is not finite.
pub(super) fn finite_runs(points: impl Iterator<Item = Point>) -> Vec<Vec<Point>> {
    let mut runs = vec![Vec::new()];
    for point in points {
        if point.1.is_finite() {
            if let Some(run) = runs.last_mut() {
                run.push(point);
            }
        } else if runs.last().is_some_and(|run| !run.is_empty()) {
            runs.push(Vec::new());
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// Replaces the points within each half pixel by the first, the two extremes and the last, in
/// their order, where that makes them fewer.
pub(super) fn extremes(points: &[Point]) -> Vec<Point> {
    let column = |p: &Point| (2.0 * p.0).floor();
    let mut kept = Vec::new();
    let same = |a: &Point, b: &Point| column(a).total_cmp(&column(b)).is_eq();
    for group in points.chunk_by(same) {
        let by_height = |a: &usize, b: &usize| group[*a].1.total_cmp(&group[*b].1);
        let lowest = (0..group.len()).min_by(by_height).unwrap_or(0);
        let highest = (0..group.len()).max_by(by_height).unwrap_or(0);
        let mut chosen = [0, lowest, highest, group.len() - 1];
        chosen.sort_unstable();
        for (k, &index) in chosen.iter().enumerate() {
            if k == 0 || chosen[k - 1] != index {
                kept.push(group[index]);
            }
        }
    }
    kept
}

/// Lists the lines of a panel beside it; those for which there is no room are counted.
pub(super) fn draw_legend(
    scene: &mut Scene,
    fonts: &Fonts,
    labels: &[&str],
    (left, width): (f64, f64),
    (top, bottom): (f64, f64),
) {
    const ROW: f64 = 22.0;
    let room = floor((bottom - top + 8.0) / ROW).max(1);
    let count = labels.len();
    let shown = if count > room { room - 1 } else { count };
    let y = |row: usize| top + 8.0 + ROW * float(row);
    for (row, label) in labels[..shown].iter().enumerate() {
        scene.line(
            vec![(left + 2.0, y(row)), (left + 22.0, y(row))],
            3.0,
            color::of(row),
        );
        let label = fonts.fitted(label, 14.0, Weight::Regular, width - 32.0);
        scene.text(Text::new(left + 32.0, y(row), label, 14.0, INK).centred());
    }
    if shown < count {
        let text = format!("and {} more", count - shown);
        scene.text(Text::new(left + 32.0, y(shown), text, 14.0, GREY).centred());
    }
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
fn floor(x: f64) -> usize {
    x as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_keep_what_is_seen() {
        let points: Vec<Point> = (0..10_000)
            .map(|i| (f64::from(i) / 100.0, f64::from(i % 77)))
            .collect();
        let kept = extremes(&points);
        assert!(kept.len() <= 4 * 201, "{}", kept.len());
        assert!(kept.is_sorted_by(|a, b| a.0 < b.0));
        let high = |p: &[Point]| p.iter().map(|p| p.1).fold(0.0, f64::max);
        assert_eq!(high(&kept), high(&points));
        assert_eq!((kept.first(), kept.last()), (points.first(), points.last()));
    }

    #[test]
    fn few_points_stay_as_they_are() {
        let points = [(0.0, 1.0), (3.0, 2.0), (9.0, -1.0)];
        assert_eq!(extremes(&points), points);
    }

    #[test]
    fn a_value_that_is_not_finite_leaves_a_gap() {
        let values = [f64::NAN, 1.0, 2.0, f64::INFINITY, f64::NAN, 3.0];
        let runs = finite_runs(values.into_iter().map(|v| (0.0, v)));
        let lengths: Vec<usize> = runs.iter().map(Vec::len).collect();
        assert_eq!(lengths, [2, 1]);
    }
}
