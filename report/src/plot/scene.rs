//! What a figure consists of, in pixels from the upper left corner, before it is written as SVG
//! or PNG.

use super::color::Color;

/// A position \[pixels\].
pub(super) type Point = (f64, f64);

/// A figure as a list of shapes, later ones on top.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Title for readers that cannot see the figure.
    pub(super) title: String,
    pub(super) shapes: Vec<Shape>,
}

#[derive(Debug, Clone)]
pub(super) enum Shape {
    Rectangle(Rectangle),
    Line(Line),
    Marks(Marks),
    Text(Text),
}

/// A filled rectangle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rectangle {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) color: Color,
}

/// A line through points with round joints.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) points: Vec<Point>,
    pub(super) width: f64,
    pub(super) color: Color,
}

/// Many equal upright bars, centred on their points.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    pub(super) points: Vec<Point>,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) color: Color,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Start,
    Middle,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

/// One line of text. `y` is the baseline; upright text runs upwards with `x` its baseline.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) text: String,
    /// Size of the em \[pixels\].
    pub(super) size: f64,
    pub(super) weight: Weight,
    pub(super) color: Color,
    pub(super) align: Align,
    pub(super) upright: bool,
}

/// From the baseline to the middle of a capital letter, in em (DejaVu: capitals are 0.729 em).
pub(super) const HALF_CAPITAL: f64 = 0.3645;

impl Text {
    pub(super) fn new(x: f64, y: f64, text: impl Into<String>, size: f64, color: Color) -> Self {
        let (weight, align) = (Weight::Regular, Align::Start);
        Self {
            x,
            y,
            text: text.into(),
            size,
            weight,
            color,
            align,
            upright: false,
        }
    }

    pub(super) fn bold(self) -> Self {
        Self {
            weight: Weight::Bold,
            ..self
        }
    }

    pub(super) fn align(self, align: Align) -> Self {
        Self { align, ..self }
    }

    /// Moves the text down so that its capitals are centred on `y`.
    pub(super) fn centred(self) -> Self {
        Self {
            y: self.y + HALF_CAPITAL * self.size,
            ..self
        }
    }

    /// Turns the text a quarter to the left.
    pub(super) fn upright(self) -> Self {
        Self {
            upright: true,
            ..self
        }
    }
}

impl Scene {
    pub(super) fn new(width: u32, height: u32, title: &str) -> Self {
        Self {
            width,
            height,
            title: title.to_owned(),
            shapes: Vec::new(),
        }
    }

    pub(super) fn rectangle(&mut self, x: f64, y: f64, width: f64, height: f64, color: Color) {
        self.shapes.push(Shape::Rectangle(Rectangle {
            x,
            y,
            width,
            height,
            color,
        }));
    }

    /// A line one pixel wide, centred on the pixel row `y` lies in, so that it stays sharp.
    pub(super) fn horizontal(&mut self, x0: f64, x1: f64, y: f64, color: Color) {
        self.rectangle(x0, y.floor(), x1 - x0, 1.0, color);
    }

    /// A line one pixel wide, as [`horizontal`](Self::horizontal).
    pub(super) fn vertical(&mut self, x: f64, y0: f64, y1: f64, color: Color) {
        self.rectangle(x.floor(), y0, 1.0, y1 - y0, color);
    }

    pub(super) fn line(&mut self, points: Vec<Point>, width: f64, color: Color) {
        self.shapes.push(Shape::Line(Line {
            points,
            width,
            color,
        }));
    }

    pub(super) fn marks(&mut self, marks: Marks) {
        self.shapes.push(Shape::Marks(marks));
    }

    pub(super) fn text(&mut self, text: Text) {
        self.shapes.push(Shape::Text(text));
    }
}
