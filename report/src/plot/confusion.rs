//! How often samples of each class were given each class.

use super::color::{self, AXIS, Color, GREY, INK, WHITE};
use super::scene::{Align, Scene, Text, Weight};
use super::text::Fonts;
use super::{Figure, HEIGHT, PlotError, WIDTH};
use crate::table::grouped;

/// Classes a picture may have: beyond, cells are too small to be seen.
pub const MAX_CLASSES: usize = 200;

const TOP: f64 = 108.0;
const SIDE: f64 = 800.0;
const LEFT: f64 = 300.0;
/// Where the scale of colours stands.
const SCALE: (f64, f64) = (LEFT + SIDE + 80.0, 26.0);

/// Rows are labels, columns predictions; the colour of a cell is its share of the samples of its label,
/// so that classes of different size compare.
///
/// # Example
/// ```
/// use rheobase_report::plot::ConfusionMatrix;
///
/// let figure = ConfusionMatrix {
///     title: "Cats and dogs",
///     classes: 2,
///     names: &["cat", "dog"],
///     counts: &[18, 2, 5, 15],
/// };
/// assert!(figure.draw()?.svg().contains("33 of 40 right (82.5 %)"));
/// # Ok::<(), rheobase_report::plot::PlotError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ConfusionMatrix<'a> {
    /// Title.
    pub title: &'a str,
    /// Number of classes, 1 to [`MAX_CLASSES`].
    pub classes: usize,
    /// Their names; where there are fewer, the rest is numbered from 0.
    pub names: &'a [&'a str],
    /// Samples by \[label, prediction\], row-major.
    pub counts: &'a [u64],
}

impl ConfusionMatrix<'_> {
    /// Lays out the figure. O(counts).
    ///
    /// # Errors
    /// When the counts are no square of the classes, or there are none or too many of these.
    pub fn draw(&self) -> Result<Figure, PlotError> {
        let n = self.classes;
        if !(1..=MAX_CLASSES).contains(&n) || self.counts.len() != n * n {
            return Err(PlotError::Matrix {
                classes: n,
                counts: self.counts.len(),
            });
        }
        let fonts = Fonts::load()?;
        let mut scene = Scene::new(WIDTH, HEIGHT, self.title);
        let title = fonts.fitted(self.title, 26.0, Weight::Bold, f64::from(WIDTH) - 140.0);
        scene.text(Text::new(60.0, 50.0, title, 26.0, INK).bold());
        scene.text(Text::new(60.0, 78.0, self.note(), 16.0, GREY));
        let cell = SIDE / float(n);
        for (label, row) in self.counts.chunks_exact(n).enumerate() {
            draw_row(&mut scene, &fonts, row, TOP + cell * float(label), cell);
        }
        self.draw_names(&mut scene, &fonts, cell);
        draw_frame(&mut scene);
        draw_scale(&mut scene);
        Ok(Figure { scene })
    }

    fn note(&self) -> String {
        // Saturating: counts near 2^64 are no counts, but no reason to fail either.
        let add = |sum: u64, &count: &u64| sum.saturating_add(count);
        let all = self.counts.iter().fold(0, add);
        let right = self.counts.iter().step_by(self.classes + 1).fold(0, add);
        match share(right, all) {
            Some(share) => format!(
                "{} of {} right ({:.1} %)",
                grouped(right),
                grouped(all),
                100.0 * share
            ),
            None => "no samples".to_owned(),
        }
    }

    /// Names beside rows and below columns, as many as there is room for.
    fn draw_names(&self, scene: &mut Scene, fonts: &Fonts, cell: f64) {
        const SIZE: f64 = 14.0;
        let every = every(18.0 / cell);
        for class in (0..self.classes).step_by(every) {
            let name = self.names.get(class).map(|name| (*name).to_owned());
            let name = name.unwrap_or_else(|| class.to_string());
            let middle = cell * (float(class) + 0.5);
            let beside = fonts.fitted(&name, SIZE, Weight::Regular, 200.0);
            let text = Text::new(LEFT - 12.0, TOP + middle, beside, SIZE, GREY);
            scene.text(text.align(Align::End).centred());
            let below = fonts.fitted(&name, SIZE, Weight::Regular, cell * float(every) - 4.0);
            let text = Text::new(LEFT + middle, TOP + SIDE + 23.0, below, SIZE, GREY);
            scene.text(text.align(Align::Middle));
        }
    }
}

/// The cells of a label, with their counts where these fit.
fn draw_row(scene: &mut Scene, fonts: &Fonts, row: &[u64], y: f64, cell: f64) {
    let all = row
        .iter()
        .fold(0_u64, |sum, &count| sum.saturating_add(count));
    for (prediction, &count) in row.iter().enumerate().filter(|(_, count)| **count > 0) {
        let x = LEFT + cell * float(prediction);
        let share = share(count, all).unwrap_or(0.0);
        scene.rectangle(x, y, cell, cell, shade(share));
        let text = grouped(count);
        let size = (0.4 * cell).min(18.0);
        if size >= 9.0 && fonts.width(&text, size, Weight::Regular) <= cell - 4.0 {
            let ink = if share > 0.5 { WHITE } else { INK };
            let text = Text::new(x + cell / 2.0, y + cell / 2.0, text, size, ink);
            scene.text(text.align(Align::Middle).centred());
        }
    }
}

fn draw_frame(scene: &mut Scene) {
    for edge in [0.0, SIDE] {
        scene.horizontal(LEFT, LEFT + SIDE, TOP + edge, AXIS);
        scene.vertical(LEFT + edge, TOP, TOP + SIDE, AXIS);
    }
    let middle = SIDE / 2.0;
    let text = Text::new(LEFT + middle, TOP + SIDE + 58.0, "Prediction", 17.0, INK);
    scene.text(text.align(Align::Middle));
    let text = Text::new(84.0, TOP + middle, "Label", 17.0, INK);
    scene.text(text.align(Align::Middle).upright());
}

/// What the colours mean.
fn draw_scale(scene: &mut Scene) {
    const STEPS: usize = 50;
    let (x, width) = SCALE;
    let height = SIDE / 2.0;
    let step = height / float(STEPS);
    for k in 0..STEPS {
        let share = (float(k) + 0.5) / float(STEPS);
        let y = TOP + height - step * float(k + 1);
        scene.rectangle(x, y, width, step, shade(share));
    }
    for per_cent in [0_u8, 25, 50, 75, 100] {
        let y = TOP + height * (1.0 - f64::from(per_cent) / 100.0);
        scene.horizontal(x + width, x + width + 6.0, y, AXIS);
        let text = Text::new(x + width + 12.0, y, per_cent.to_string(), 14.0, GREY);
        scene.text(text.centred());
    }
    let text = Text::new(
        x,
        TOP + height + 34.0,
        "% of the samples of a label",
        14.0,
        INK,
    );
    scene.text(text);
}

/// From white to the first colour of the palette.
fn shade(share: f64) -> Color {
    color::of(0).map(|full| {
        let value = 255.0 - (255.0 - f64::from(full)) * share.clamp(0.0, 1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 255"
        )]
        let byte = value.round() as u8;
        byte
    })
}

#[expect(clippy::cast_precision_loss, reason = "a share to be drawn")]
fn share(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

/// One of how many rows is named, so that names do not overlap.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small positive number"
)]
fn every(rows: f64) -> usize {
    rows.ceil().max(1.0) as usize
}

#[expect(clippy::cast_precision_loss, reason = "counts of what is drawn")]
fn float(x: usize) -> f64 {
    x as f64
}
