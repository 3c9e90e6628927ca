//! The rates of the populations, below the raster.

use super::gather::Gathered;
use super::{LEFT, LEGEND, LEGEND_WIDTH, RATE, RIGHT, Time, axis_title, float, floor};
use crate::plot::axis::{self, Axis};
use crate::plot::color::{self, AXIS, GREY, INK};
use crate::plot::scene::{Align, Scene, Text, Weight};
use crate::plot::text::Fonts;

pub(super) fn draw(scene: &mut Scene, fonts: &Fonts, time: &Time, drawn: &[Gathered], bin_ms: u32) {
    let rates = || drawn.iter().flat_map(|population| &population.rates);
    let highest = rates().copied().fold(0.0, f64::max);
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
    let width = if drawn.len() > 4 { 1.3 } else { 1.7 };
    for (index, population) in drawn.iter().enumerate() {
        let x = |k: usize| time.axis.at(time.axis.low + (float(k) + 0.5) * bin);
        let points = population.rates.iter().enumerate();
        let points = points.map(|(k, &hz)| (x(k), rate.at(hz))).collect();
        scene.line(points, width, color::of(index));
    }
    scene.vertical(LEFT - 1.0, RATE.0, RATE.1, AXIS);
    scene.horizontal(LEFT - 1.0, RIGHT, RATE.1, AXIS);
    axis::below(scene, &time.axis, RATE.1);
    let label = format!("Rate (Hz, {bin_ms} ms bins)");
    axis_title(scene, fonts, (RATE.0 + RATE.1) / 2.0, height + 60.0, &label);
    let middle = (LEFT + RIGHT) / 2.0;
    let text = Text::new(middle, 974.0, format!("Time ({})", time.unit), 17.0, INK);
    scene.text(text.align(Align::Middle));
}

/// Line, name and mean rate of each population, as far as there is room.
pub(super) fn draw_legend(scene: &mut Scene, fonts: &Fonts, drawn: &[Gathered], seconds: f64) {
    const ROW: f64 = 22.0;
    let room = floor((RATE.1 - RATE.0 + 4.0) / ROW) as usize;
    let shown = if drawn.len() > room {
        room - 1
    } else {
        drawn.len()
    };
    let y = |row: usize| RATE.0 + 8.0 + ROW * float(row);
    for (row, population) in drawn[..shown].iter().enumerate() {
        let spikes = float(usize::try_from(population.spikes).unwrap_or(usize::MAX));
        let rate = format!("{:.1} Hz", spikes / (f64::from(population.size) * seconds));
        let rate_width = fonts.width(&rate, 14.0, Weight::Regular);
        let width = LEGEND_WIDTH - 32.0 - 10.0 - rate_width;
        let name = fonts.fitted(&population.name, 14.0, Weight::Regular, width);
        scene.line(
            vec![(LEGEND + 2.0, y(row)), (LEGEND + 22.0, y(row))],
            3.0,
            color::of(row),
        );
        scene.text(Text::new(LEGEND + 32.0, y(row), name, 14.0, INK).centred());
        let text = Text::new(LEGEND + LEGEND_WIDTH, y(row), rate, 14.0, GREY);
        scene.text(text.align(Align::End).centred());
    }
    if shown < drawn.len() {
        let text = format!("and {} more", drawn.len() - shown);
        scene.text(Text::new(LEGEND + 32.0, y(shown), text, 14.0, GREY).centred());
    }
}
