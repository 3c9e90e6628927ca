//! How figures grow: logarithmic axes, points and the power law through them.

use super::axis::{Axis, TICK_SIZE};
use super::color::{self, AXIS, GREY, GRID, INK};
use super::scene::{Align, Scene, Text, Weight};
use super::text::Fonts;
use super::{Figure, HEIGHT, PlotError, WIDTH};
use crate::PowerLaw;

const LEFT: f64 = 40.0;
const RIGHT: f64 = WIDTH as f64 - 30.0;
const TOP: f64 = 96.0;
const BOTTOM: f64 = 880.0;
/// Room for the labels left of a panel.
const LABELS: f64 = 92.0;
/// Height of a line of the legend.
const ROW: f64 = 24.0;

/// Points that belong together.
#[derive(Debug, Clone)]
pub struct ScalingSeries {
    /// What it is, for the legend.
    pub label: String,
    /// (x, y); those without a logarithm are left out.
    pub points: Vec<(f64, f64)>,
    /// The law drawn through them, its exponent in the legend.
    pub law: Option<PowerLaw>,
}

/// One pair of axes.
#[derive(Debug, Clone)]
pub struct ScalingPanel {
    /// Title of the horizontal axis.
    pub x: String,
    /// Title of the vertical axis.
    pub y: String,
    /// What is drawn.
    pub series: Vec<ScalingSeries>,
}

/// Panels side by side, each with logarithmic axes over whole decades. At most three are readable.
///
/// # Example
/// ```
/// use rheobase_report::PowerLaw;
/// use rheobase_report::plot::{ScalingPanel, ScalingPlot, ScalingSeries};
///
/// let points = vec![(1e6, 0.02), (1e7, 0.2), (1e8, 2.1)];
/// let law = PowerLaw::fit(&points);
/// let series = ScalingSeries { label: "exact".to_owned(), points, law };
/// let panel = ScalingPanel { x: "Synapses".to_owned(), y: "Time (s)".to_owned(), series: vec![series] };
/// let plot = ScalingPlot { title: "Growth", panels: &[panel] };
/// assert!(plot.draw()?.svg().contains("exact, exponent 1.01"));
/// # Ok::<(), rheobase_report::plot::PlotError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ScalingPlot<'a> {
    /// Title.
    pub title: &'a str,
    /// The panels, from the left.
    pub panels: &'a [ScalingPanel],
}

impl ScalingPlot<'_> {
    /// Lays out the figure. O(points).
    ///
    /// # Errors
    /// When there is no panel, or a panel without any point that has a logarithm.
    pub fn draw(&self) -> Result<Figure, PlotError> {
        if self.panels.is_empty() {
            return Err(PlotError::Empty("no panel"));
        }
        let fonts = Fonts::load()?;
        let mut scene = Scene::new(WIDTH, HEIGHT, self.title);
        let title = fonts.fitted(self.title, 26.0, Weight::Bold, RIGHT - LEFT);
        scene.text(Text::new(LEFT, 50.0, title, 26.0, INK).bold());
        #[expect(clippy::cast_precision_loss, reason = "few panels")]
        let width = (RIGHT - LEFT) / self.panels.len() as f64;
        let mut left = LEFT;
        for panel in self.panels {
            draw_panel(&mut scene, &fonts, panel, (left + LABELS, left + width))?;
            left += width;
        }
        Ok(Figure { scene })
    }
}

fn draw_panel(
    scene: &mut Scene,
    fonts: &Fonts,
    panel: &ScalingPanel,
    (left, right): (f64, f64),
) -> Result<(), PlotError> {
    let x = decades(panel, |p| p.0, (left, right))?;
    let y = decades(panel, |p| p.1, (BOTTOM, TOP))?;
    draw_axes(scene, &x, &y);
    for (index, series) in panel.series.iter().enumerate() {
        draw_series(scene, &x, &y, series, index);
    }
    for (row, series) in panel.series.iter().enumerate() {
        draw_legend(scene, fonts, (left, right), series, row);
    }
    let middle = f64::midpoint(left, right);
    let label = fonts.fitted(&panel.x, 17.0, Weight::Regular, right - left);
    scene.text(Text::new(middle, BOTTOM + 62.0, label, 17.0, INK).align(Align::Middle));
    let label = fonts.fitted(&panel.y, 17.0, Weight::Regular, BOTTOM - TOP);
    let text = Text::new(left - 62.0, f64::midpoint(TOP, BOTTOM), label, 17.0, INK);
    scene.text(text.align(Align::Middle).upright());
    Ok(())
}

/// The axis of the logarithms, from a whole decade to a whole decade.
fn decades(
    panel: &ScalingPanel,
    coordinate: impl Fn(&(f64, f64)) -> f64,
    (start, end): (f64, f64),
) -> Result<Axis, PlotError> {
    let logs = panel
        .series
        .iter()
        .flat_map(|s| s.points.iter().filter(|p| drawable(p)))
        .map(|p| libm::log10(coordinate(p)));
    let (low, high) = logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
        (l.min(v), h.max(v))
    });
    if low > high {
        return Err(PlotError::Empty("no point with positive coordinates"));
    }
    // A point on a decade stays there.
    let (low, high) = ((low + 1e-9).floor(), (high - 1e-9).ceil());
    let high = if high > low { high } else { low + 1.0 };
    Ok(Axis {
        low,
        high,
        start,
        end,
    })
}

fn drawable(&(x, y): &(f64, f64)) -> bool {
    x.is_finite() && y.is_finite() && x > 0.0 && y > 0.0
}

fn draw_axes(scene: &mut Scene, x: &Axis, y: &Axis) {
    for decade in whole(x) {
        let at = x.at(decade);
        scene.vertical(at, TOP, BOTTOM, GRID);
        scene.vertical(at, BOTTOM, BOTTOM + 6.0, AXIS);
        power(scene, at + 2.0, BOTTOM + 26.0, decade);
    }
    for decade in whole(y) {
        let at = y.at(decade);
        scene.horizontal(x.start, x.end, at, GRID);
        scene.horizontal(x.start - 6.0, x.start, at, AXIS);
        power(scene, x.start - 24.0, at + 5.0, decade);
    }
    scene.vertical(x.start, TOP, BOTTOM, AXIS);
    scene.horizontal(x.start, x.end, BOTTOM, AXIS);
}

/// The decades of an axis.
fn whole(axis: &Axis) -> impl Iterator<Item = f64> + use<> {
    let (low, high) = (axis.low, axis.high);
    std::iter::successors(Some(low), |d| Some(d + 1.0)).take_while(move |d| *d <= high)
}

/// Writes a power of ten, the foot of its exponent at `x`.
fn power(scene: &mut Scene, x: f64, y: f64, exponent: f64) {
    scene.text(Text::new(x, y, "10", TICK_SIZE, GREY).align(Align::End));
    let exponent = format!("{exponent:.0}").replace('-', "−");
    scene.text(Text::new(x + 1.0, y - 6.0, exponent, 10.5, GREY));
}

fn draw_series(scene: &mut Scene, x: &Axis, y: &Axis, series: &ScalingSeries, index: usize) {
    const MARK: f64 = 9.0;
    let points: Vec<_> = series.points.iter().filter(|p| drawable(p)).collect();
    let xs = points.iter().map(|p| p.0);
    let (low, high) = xs.fold((f64::INFINITY, 0.0), |(l, h): (f64, f64), v| {
        (l.min(v), h.max(v))
    });
    if let Some(law) = series.law.filter(|_| low < high) {
        let end = |v: f64| (x.at(libm::log10(v)), y.at(libm::log10(law.at(v))));
        scene.line(vec![end(low), end(high)], 1.5, color::of(index));
    }
    for point in points {
        let (px, py) = (x.at(libm::log10(point.0)), y.at(libm::log10(point.1)));
        scene.rectangle(
            px - MARK / 2.0,
            py - MARK / 2.0,
            MARK,
            MARK,
            color::of(index),
        );
    }
}

fn draw_legend(
    scene: &mut Scene,
    fonts: &Fonts,
    (left, right): (f64, f64),
    series: &ScalingSeries,
    row: usize,
) {
    #[expect(clippy::cast_precision_loss, reason = "few series")]
    let y = TOP + 16.0 + ROW * row as f64;
    let text = match series.law {
        Some(law) => {
            let exponent = format!("{:.2}", law.exponent).replace('-', "−");
            format!("{}, exponent {exponent}", series.label)
        }
        None => series.label.clone(),
    };
    let text = fonts.fitted(&text, 15.0, Weight::Regular, right - left - 44.0);
    scene.rectangle(left + 16.0, y - 5.0, 10.0, 10.0, color::of(row));
    scene.text(Text::new(left + 36.0, y, text, 15.0, INK).centred());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(points: Vec<(f64, f64)>) -> ScalingPanel {
        ScalingPanel {
            x: "x".to_owned(),
            y: "y".to_owned(),
            series: vec![ScalingSeries {
                label: "s".to_owned(),
                law: PowerLaw::fit(&points),
                points,
            }],
        }
    }

    #[test]
    fn axes_end_on_whole_decades_around_the_points() {
        let ends = |points| {
            let axis = decades(&panel(points), |p| p.0, (0.0, 1.0)).unwrap();
            (axis.low, axis.high)
        };
        assert_eq!(ends(vec![(1e6, 1.0), (2.99e8, 1.0)]), (6.0, 9.0));
        assert_eq!(ends(vec![(1e3, 1.0), (1e4, 1.0)]), (3.0, 4.0));
        assert_eq!(ends(vec![(0.5, 1.0)]), (-1.0, 0.0));
        assert_eq!(ends(vec![(1.0, 1.0)]), (0.0, 1.0));
    }

    #[test]
    fn points_without_a_logarithm_are_left_out() {
        let mixed = panel(vec![(0.0, 1.0), (10.0, -1.0), (10.0, 10.0)]);
        let plot = ScalingPlot {
            title: "t",
            panels: &[mixed],
        };
        assert!(plot.draw().unwrap().svg().contains("</svg>"));
        for panels in [vec![], vec![panel(vec![(0.0, 1.0)])]] {
            let plot = ScalingPlot {
                title: "t",
                panels: &panels,
            };
            assert!(matches!(plot.draw(), Err(PlotError::Empty(_))));
        }
    }

    #[test]
    fn the_picture_is_a_png() {
        let plot = ScalingPlot {
            title: "t",
            panels: &[panel(vec![(1e6, 0.1), (1e7, 1.0), (1e8, 10.0)])],
        };
        let figure = plot.draw().unwrap();
        assert!(figure.svg().contains("s, exponent 1.00"));
        assert_eq!(figure.png().unwrap()[..4], [0x89, b'P', b'N', b'G']);
    }
}
