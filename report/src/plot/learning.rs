//! Loss and accuracy over the epochs of training.

use super::axis::{self, Axis};
use super::color::{self, AXIS, INK};
use super::scene::{Align, Marks, Point, Scene, Text, Weight};
use super::text::Fonts;
use super::trace::{LINE, draw_legend, extremes, finite_runs, value_range};
use super::{Figure, HEIGHT, PlotError, WIDTH};

const LEFT: f64 = 112.0;
const RIGHT: f64 = 1382.0;
const LEGEND: f64 = RIGHT + 18.0;
const LEGEND_WIDTH: f64 = WIDTH as f64 - LEGEND - 12.0;
const TOP: f64 = 84.0;
const BOTTOM: f64 = 918.0;
const GAP: f64 = 26.0;
/// Side of the square at each value \[pixels\]; drawn where values are at least three of them apart.
const DOT: f64 = 6.0;

/// A quantity over epochs.
#[derive(Debug, Clone, Copy)]
pub struct Curve<'a> {
    /// What it was measured on, for the legend: "train".
    pub label: &'a str,
    /// When it was measured \[epochs\], ascending; need not be every epoch nor a whole one.
    pub epochs: &'a [f64],
    /// A value for each; one that is not finite leaves a gap.
    pub values: &'a [f64],
}

/// Loss above accuracy, over the epochs of training. A panel without curves is left out. Curves at the
/// same place of both lists have the same colour: give train and test in the same order.
///
/// # Example
/// ```
/// use rheobase_report::plot::{Curve, LearningCurves};
///
/// let epochs = [1.0, 2.0, 3.0];
/// let curve = |label, values| Curve { label, epochs: &epochs, values };
/// let figure = LearningCurves {
///     title: "Digits",
///     loss: &[curve("train", &[1.9, 0.8, 0.5]), curve("test", &[2.0, 1.0, 0.8])],
///     accuracy: &[curve("train", &[0.5, 0.8, 0.9]), curve("test", &[0.4, 0.7, 0.85])],
/// };
/// assert!(figure.draw()?.svg().contains("Accuracy (%)"));
/// # Ok::<(), rheobase_report::plot::PlotError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct LearningCurves<'a> {
    /// Title.
    pub title: &'a str,
    /// Loss of each part of the data.
    pub loss: &'a [Curve<'a>],
    /// Accuracy of each part of the data, 0 to 1; drawn in per cent.
    pub accuracy: &'a [Curve<'a>],
}

impl LearningCurves<'_> {
    /// Lays out the figure. O(values).
    ///
    /// # Errors
    /// When there is no value, a curve has not as many epochs as values, or its epochs do not ascend.
    pub fn draw(&self) -> Result<Figure, PlotError> {
        let epochs = self.epochs()?;
        let fonts = Fonts::load()?;
        let mut scene = Scene::new(WIDTH, HEIGHT, self.title);
        let title = fonts.fitted(self.title, 26.0, Weight::Bold, f64::from(WIDTH) - 80.0);
        scene.text(Text::new(LEFT, 50.0, title, 26.0, INK).bold());
        let panels = [
            ("Loss", 1.0, self.loss),
            ("Accuracy (%)", 100.0, self.accuracy),
        ];
        let panels: Vec<_> = panels.into_iter().filter(|p| !p.2.is_empty()).collect();
        let height = if panels.len() == 1 {
            BOTTOM - TOP
        } else {
            (BOTTOM - TOP - GAP) / 2.0
        };
        let mut top = TOP;
        for (label, scale, curves) in panels {
            draw_panel(
                &mut scene,
                &fonts,
                &epochs,
                (label, scale),
                curves,
                (top, top + height),
            );
            top += height + GAP;
        }
        axis::below(&mut scene, &epochs, BOTTOM);
        let text = Text::new((LEFT + RIGHT) / 2.0, 974.0, "Epoch", 17.0, INK);
        scene.text(text.align(Align::Middle));
        Ok(Figure { scene })
    }

    /// Checks all curves and gives the axis that holds their epochs.
    fn epochs(&self) -> Result<Axis, PlotError> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for curve in self.loss.iter().chain(self.accuracy) {
            if curve.epochs.len() != curve.values.len() {
                return Err(PlotError::Length {
                    series: curve.label.to_owned(),
                    values: curve.values.len(),
                    times: curve.epochs.len(),
                });
            }
            for (index, &epoch) in curve.epochs.iter().enumerate() {
                if !epoch.is_finite() || (index > 0 && epoch <= curve.epochs[index - 1]) {
                    let curve = curve.label.to_owned();
                    return Err(PlotError::Epochs { curve, index });
                }
                (low, high) = (low.min(epoch), high.max(epoch));
            }
        }
        if low > high {
            return Err(PlotError::Empty("no curve has a value"));
        }
        if high <= low {
            (low, high) = (low - 0.5, low + 0.5);
        }
        Ok(Axis {
            low,
            high,
            start: LEFT,
            end: RIGHT,
        })
    }
}

fn draw_panel(
    scene: &mut Scene,
    fonts: &Fonts,
    epochs: &Axis,
    (label, scale): (&str, f64),
    curves: &[Curve<'_>],
    (top, bottom): (f64, f64),
) {
    let scaled: Vec<f64> = curves
        .iter()
        .flat_map(|c| c.values)
        .map(|v| v * scale)
        .collect();
    let (low, high) = value_range(scaled.iter());
    // Room around the values, but none where no loss and no accuracy can be.
    let value = Axis {
        low: if scaled.iter().any(|&v| v < 0.0) {
            low
        } else {
            low.max(0.0)
        },
        high,
        start: bottom,
        end: top,
    };
    axis::time_grid(scene, epochs, (top, bottom));
    axis::left(scene, &value, (LEFT - 1.0, RIGHT), 44.0, true);
    for (index, curve) in curves.iter().enumerate() {
        let points = curve.epochs.iter().zip(curve.values);
        let points = points.map(|(&e, &v)| (epochs.at(e), value.at(v * scale)));
        let points: Vec<Point> = points.collect();
        for run in finite_runs(points.iter().copied()) {
            scene.line(extremes(&run), LINE, color::of(index));
        }
        let apart = points.windows(2).all(|p| p[1].0 - p[0].0 >= 3.0 * DOT);
        if apart {
            scene.marks(Marks {
                points: points.into_iter().filter(|p| p.1.is_finite()).collect(),
                width: DOT,
                height: DOT,
                color: color::of(index),
            });
        }
    }
    scene.vertical(LEFT - 1.0, top, bottom, AXIS);
    scene.horizontal(LEFT - 1.0, RIGHT, bottom, AXIS);
    let text = Text::new(36.0, (top + bottom) / 2.0, label, 17.0, INK);
    scene.text(text.align(Align::Middle).upright());
    let labels: Vec<&str> = curves.iter().map(|c| c.label).collect();
    draw_legend(scene, fonts, &labels, (LEGEND, LEGEND_WIDTH), (top, bottom));
}
