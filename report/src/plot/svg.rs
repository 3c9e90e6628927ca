//! Writes a scene as an SVG document.

use super::color::{Color, WHITE};
use super::scene::{Align, Line, Marks, Rectangle, Scene, Shape, Text, Weight};
use super::text::FAMILY;
use std::fmt::Write;

pub(super) fn document(scene: &Scene) -> String {
    let (width, height) = (scene.width, scene.height);
    let mut svg = String::new();
    push(
        &mut svg,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"{FAMILY}\">\n<title>{}</title>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"{}\"/>\n",
            escaped(&scene.title),
            hex(WHITE),
        ),
    );
    for shape in &scene.shapes {
        match shape {
            Shape::Rectangle(rectangle) => push_rectangle(&mut svg, rectangle),
            Shape::Line(line) => push_line(&mut svg, line),
            Shape::Marks(marks) => push_marks(&mut svg, marks),
            Shape::Text(text) => push_text(&mut svg, text),
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// Writing to a string cannot fail.
fn push(svg: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = svg.write_fmt(arguments);
}

fn push_rectangle(svg: &mut String, r: &Rectangle) {
    let (x, y) = (number(r.x), number(r.y));
    let (width, height) = (number(r.width), number(r.height));
    push(
        svg,
        format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{}\"/>\n",
            hex(r.color)
        ),
    );
}

fn push_line(svg: &mut String, line: &Line) {
    push(
        svg,
        format_args!(
            "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\" \
             stroke-linecap=\"round\" points=\"",
            hex(line.color),
            number(line.width)
        ),
    );
    for (i, &(x, y)) in line.points.iter().enumerate() {
        let gap = if i == 0 { "" } else { " " };
        push(svg, format_args!("{gap}{},{}", number(x), number(y)));
    }
    svg.push_str("\"/>\n");
}

/// All marks as one path: a sixth of the size of an element each. Moves are absolute, since
/// renderers that round relative ones to their own grid let long paths drift.
fn push_marks(svg: &mut String, marks: &Marks) {
    if marks.points.is_empty() {
        return;
    }
    let (color, width) = (hex(marks.color), number(marks.width));
    let bar = number(marks.height);
    push(
        svg,
        format_args!("<path fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\" d=\""),
    );
    for &(x, y) in &marks.points {
        let (x, y) = (number(x), number(y - marks.height / 2.0));
        push(svg, format_args!("M{x} {y}v{bar}"));
    }
    svg.push_str("\"/>\n");
}

fn push_text(svg: &mut String, text: &Text) {
    let (x, y) = (number(text.x), number(text.y));
    let place = if text.upright {
        format!("transform=\"translate({x} {y}) rotate(-90)\"")
    } else {
        format!("x=\"{x}\" y=\"{y}\"")
    };
    let anchor = match text.align {
        Align::Start => "",
        Align::Middle => " text-anchor=\"middle\"",
        Align::End => " text-anchor=\"end\"",
    };
    let weight = if text.weight == Weight::Bold {
        " font-weight=\"bold\""
    } else {
        ""
    };
    push(
        svg,
        format_args!(
            "<text {place} font-size=\"{}\" fill=\"{}\"{anchor}{weight}>{}</text>\n",
            number(text.size),
            hex(text.color),
            escaped(&text.text)
        ),
    );
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "positions in a picture; the cast saturates"
)]
fn tenths(x: f64) -> i64 {
    (x * 10.0).round() as i64
}

fn number(x: f64) -> String {
    decimal(tenths(x))
}

/// Tenths as a decimal without needless characters: `-12` is `-1.2`, `30` is `3`, `5` is `.5`.
fn decimal(tenths: i64) -> String {
    let sign = if tenths < 0 { "-" } else { "" };
    let (whole, tenth) = (tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10);
    match (whole, tenth) {
        (_, 0) => format!("{sign}{whole}"),
        (0, _) => format!("{sign}.{tenth}"),
        _ => format!("{sign}{whole}.{tenth}"),
    }
}

fn hex([r, g, b]: Color) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Text for XML: its five special characters as entities, control characters left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_right() {
        let texts = [-12, -5, 0, 5, 30, 1234].map(decimal);
        assert_eq!(texts, ["-1.2", "-.5", "0", ".5", "3", "123.4"]);
        assert_eq!(number(-0.04), "0");
    }

    #[test]
    fn names_cannot_break_the_document() {
        assert_eq!(
            escaped("<b a='\"'>&\u{0}\n"),
            "&lt;b a=&apos;&quot;&apos;&gt;&amp;"
        );
    }

    #[test]
    fn marks_are_bars_around_their_points() {
        let mut svg = String::new();
        let points = vec![(10.0, 20.0), (12.5, 20.0), (0.25, 0.0)];
        push_marks(
            &mut svg,
            &Marks {
                points,
                width: 1.0,
                height: 2.0,
                color: [0, 0, 0],
            },
        );
        assert!(svg.contains("d=\"M10 19v2M12.5 19v2M.3 -1v2\""), "{svg}");
    }
}
