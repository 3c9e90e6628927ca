//! Draws a scene into pixels, with anti-aliasing, and encodes it as PNG.

use super::PlotError;
use super::color::{Color, WHITE};
use super::scene::{Align, Line, Marks, Point, Rectangle, Scene, Shape, Text};
use super::text::Fonts;

pub(super) fn file(scene: &Scene) -> Result<Vec<u8>, PlotError> {
    let canvas = paint(scene)?;
    let mut bytes = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut bytes, scene.width, scene.height);
    encoder.set_color(::png::ColorType::Rgb);
    encoder.set_depth(::png::BitDepth::Eight);
    // Flat ground with small marks: unfiltered, rasters come out smaller, and a harder search gains
    // a hundredth of their size for thrice the time.
    encoder.set_compression(::png::Compression::Balanced);
    encoder.set_filter(::png::Filter::NoFilter);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(canvas.pixels.as_flattened())?;
    writer.finish()?;
    Ok(bytes)
}

fn paint(scene: &Scene) -> Result<Canvas, PlotError> {
    let fonts = Fonts::load()?;
    let mut canvas = Canvas::new(scene.width as usize, scene.height as usize);
    for shape in &scene.shapes {
        match shape {
            Shape::Rectangle(rectangle) => canvas.rectangle(rectangle),
            Shape::Line(line) => canvas.line(line),
            Shape::Marks(marks) => canvas.marks(marks),
            Shape::Text(text) => canvas.text(text, &fonts),
        }
    }
    Ok(canvas)
}

struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Color>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            pixels: vec![WHITE; width * height],
        }
    }

    /// Covers a fraction of a pixel with a colour.
    fn blend(&mut self, x: usize, y: usize, color: Color, coverage: f64) {
        let pixel = &mut self.pixels[y * self.width + x];
        for (under, over) in pixel.iter_mut().zip(color) {
            let mixed = f64::from(*under) + (f64::from(over) - f64::from(*under)) * coverage;
            *under = byte(mixed);
        }
    }

    /// Covers pixels by the exact area they share with the rectangle.
    fn rectangle(&mut self, r: &Rectangle) {
        let (x0, x1) = (r.x, r.x + r.width);
        let (y0, y1) = (r.y, r.y + r.height);
        for y in pixels(y0, y1, self.height) {
            let tall = shared(y, y0, y1);
            for x in pixels(x0, x1, self.width) {
                self.blend(x, y, r.color, tall * shared(x, x0, x1));
            }
        }
    }

    fn marks(&mut self, marks: &Marks) {
        let Marks {
            points,
            width,
            height,
            color,
        } = marks;
        for &(x, y) in points {
            let (x, y) = (x - width / 2.0, y - height / 2.0);
            self.rectangle(&Rectangle {
                x,
                y,
                width: *width,
                height: *height,
                color: *color,
            });
        }
    }

    /// Covers pixels by their distance from the line. The segments share one mask, so that
    /// joints and crossings are no darker than the line.
    fn line(&mut self, line: &Line) {
        let mut mask = vec![0.0_f32; self.width * self.height];
        for ends in line.points.windows(2) {
            self.segment(&mut mask, ends[0], ends[1], line.width / 2.0);
        }
        for y in 0..self.height {
            for x in 0..self.width {
                let coverage = mask[y * self.width + x];
                if coverage > 0.0 {
                    self.blend(x, y, line.color, f64::from(coverage));
                }
            }
        }
    }

    fn segment(&self, mask: &mut [f32], from: Point, to: Point, half: f64) {
        let reach = half + 0.5;
        let (left, right) = (from.0.min(to.0) - reach, from.0.max(to.0) + reach);
        let (top, bottom) = (from.1.min(to.1) - reach, from.1.max(to.1) + reach);
        for y in pixels(top, bottom, self.height) {
            for x in pixels(left, right, self.width) {
                let centre = (index(x) + 0.5, index(y) + 0.5);
                let coverage = (reach - distance(centre, from, to)).clamp(0.0, 1.0);
                #[expect(clippy::cast_possible_truncation, reason = "a coverage from 0 to 1")]
                let coverage = coverage as f32;
                let pixel = &mut mask[y * self.width + x];
                *pixel = pixel.max(coverage);
            }
        }
    }

    fn text(&mut self, text: &Text, fonts: &Fonts) {
        let width = fonts.width(&text.text, text.size, text.weight);
        let shift = match text.align {
            Align::Start => 0.0,
            Align::Middle => width / 2.0,
            Align::End => width,
        };
        // Along the line text starts anywhere; across it, on a pixel border, for sharp letters.
        let (along, across) = if text.upright {
            (-text.y, text.x)
        } else {
            (text.x, text.y)
        };
        let baseline = whole(across);
        for glyph in fonts.outlines(text, along - shift) {
            let bounds = glyph.px_bounds();
            let (left, top) = (
                whole(f64::from(bounds.min.x)),
                whole(f64::from(bounds.min.y)),
            );
            glyph.draw(|x, y, coverage| {
                let (u, v) = (left + i64::from(x), top + i64::from(y) + baseline);
                let (x, y) = if text.upright { (v, -u - 1) } else { (u, v) };
                self.blend_inside(x, y, text.color, f64::from(coverage).min(1.0));
            });
        }
    }

    fn blend_inside(&mut self, x: i64, y: i64, color: Color, coverage: f64) {
        if let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y))
            && x < self.width
            && y < self.height
        {
            self.blend(x, y, color, coverage);
        }
    }
}

/// The pixels an interval touches, within `0..limit`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the picture; the cast saturates and sends NaN to 0"
)]
fn pixels(from: f64, to: f64, limit: usize) -> std::ops::Range<usize> {
    let clamped = |x: f64| (x.max(0.0) as usize).min(limit);
    clamped(from.floor())..clamped(to.ceil())
}

/// The part of pixel `i` inside an interval.
fn shared(i: usize, from: f64, to: f64) -> f64 {
    (to.min(index(i) + 1.0) - from.max(index(i))).clamp(0.0, 1.0)
}

fn distance(point: Point, from: Point, to: Point) -> f64 {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (px, py) = (point.0 - from.0, point.1 - from.1);
    let length_squared = dx * dx + dy * dy;
    let along = if length_squared > 0.0 {
        ((px * dx + py * dy) / length_squared).clamp(0.0, 1.0)
    } else {
        0.0
    };
    let (rx, ry) = (px - along * dx, py - along * dy);
    (rx * rx + ry * ry).sqrt()
}

#[expect(clippy::cast_precision_loss, reason = "an index of a pixel")]
fn index(i: usize) -> f64 {
    i as f64
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a position in pixels; the cast saturates"
)]
fn whole(x: f64) -> i64 {
    x.round() as i64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a mixture of two bytes lies between them"
)]
fn byte(x: f64) -> u8 {
    x.round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn painted(draw: impl FnOnce(&mut Scene)) -> Canvas {
        let mut scene = Scene::new(20, 10, "");
        draw(&mut scene);
        paint(&scene).unwrap()
    }

    /// Darkness of a pixel, 1 for black.
    fn ink(canvas: &Canvas, x: usize, y: usize) -> f64 {
        1.0 - f64::from(canvas.pixels[y * canvas.width + x][0]) / 255.0
    }

    fn total(canvas: &Canvas) -> f64 {
        canvas
            .pixels
            .iter()
            .map(|p| 1.0 - f64::from(p[0]) / 255.0)
            .sum()
    }

    const BLACK: Color = [0, 0, 0];

    #[test]
    fn a_rectangle_covers_its_area() {
        let canvas = painted(|scene| scene.rectangle(2.5, 1.0, 3.0, 2.0, BLACK));
        assert!((ink(&canvas, 2, 1) - 0.5).abs() < 0.01);
        assert!((ink(&canvas, 3, 2) - 1.0).abs() < 0.01);
        assert!((ink(&canvas, 5, 2) - 0.5).abs() < 0.01);
        assert_eq!(ink(&canvas, 6, 2), 0.0);
        assert_eq!(ink(&canvas, 3, 3), 0.0);
        assert!((total(&canvas) - 6.0).abs() < 0.05);
    }

    #[test]
    fn what_lies_outside_is_cut_off() {
        let canvas = painted(|scene| {
            scene.rectangle(-5.0, -5.0, 7.0, 7.0, BLACK);
            scene.rectangle(19.0, 9.0, 1e9, 1e9, BLACK);
            scene.line(vec![(-50.0, 5.5), (500.0, 5.5)], 1.0, BLACK);
            scene.text(Text::new(-30.0, 300.0, "outside", 12.0, BLACK));
        });
        assert!(
            (total(&canvas) - 4.0 - 1.0 - 20.0).abs() < 0.1,
            "{}",
            total(&canvas)
        );
    }

    #[test]
    fn a_line_crossing_itself_is_not_darker() {
        let there = painted(|scene| scene.line(vec![(2.0, 5.5), (18.0, 5.5)], 0.5, BLACK));
        let back = painted(|scene| {
            scene.line(vec![(2.0, 5.5), (18.0, 5.5), (2.0, 5.5)], 0.5, BLACK);
        });
        assert_eq!(there.pixels, back.pixels);
        assert!(ink(&there, 10, 5) > 0.4);
    }

    #[test]
    fn upright_text_is_the_same_text_turned() {
        let flat = painted(|scene| scene.text(Text::new(1.0, 8.0, "L", 8.0, BLACK)));
        let turned = painted(|scene| scene.text(Text::new(8.0, 9.0, "L", 8.0, BLACK).upright()));
        assert!(total(&flat) > 3.0);
        // Start 1 from the left and baseline 8 become start 1 from the bottom and baseline 8.
        for x in 0..10 {
            for y in 0..10 {
                assert_eq!(ink(&flat, x, y), ink(&turned, y, 9 - x), "{x} {y}");
            }
        }
    }
}
