//! The built-in font: measuring, shortening and outlining text.

use super::PlotError;
use super::scene::{Text, Weight};
use ab_glyph::{Font, FontRef, Glyph, OutlinedGlyph, PxScale, ScaleFont};

/// How browsers shall call the font; Verdana runs about as wide.
pub(super) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// DejaVu Sans, cut down to Latin, Greek and some signs.
pub(super) struct Fonts {
    regular: FontRef<'static>,
    bold: FontRef<'static>,
}

impl Fonts {
    pub(super) fn load() -> Result<Self, PlotError> {
        Ok(Self {
            regular: FontRef::try_from_slice(include_bytes!("../../assets/DejaVuSans.ttf"))?,
            bold: FontRef::try_from_slice(include_bytes!("../../assets/DejaVuSans-Bold.ttf"))?,
        })
    }

    fn font(&self, weight: Weight) -> &FontRef<'static> {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        }
    }

    /// Width of a text \[pixels\].
    pub(super) fn width(&self, text: &str, size: f64, weight: Weight) -> f64 {
        f64::from(layout(self.font(weight), text, size).1)
    }

    /// The text, or its beginning with an ellipsis where it is wider than `width`.
    pub(super) fn fitted(&self, text: &str, size: f64, weight: Weight, width: f64) -> String {
        if self.width(text, size, weight) <= width {
            return text.to_owned();
        }
        let mut kept: String = text.to_owned();
        while kept.pop().is_some() {
            let candidate = format!("{}…", kept.trim_end());
            if self.width(&candidate, size, weight) <= width {
                return candidate;
            }
        }
        String::new()
    }

    /// The outlines of a text that starts at x = `start` on the baseline y = 0.
    pub(super) fn outlines(&self, text: &Text, start: f64) -> Vec<OutlinedGlyph> {
        let font = self.font(text.weight);
        let (glyphs, _) = layout(font, &text.text, text.size);
        glyphs
            .into_iter()
            .filter_map(|mut glyph| {
                #[expect(clippy::cast_possible_truncation, reason = "a position in pixels")]
                let start = start as f32;
                glyph.position.x += start;
                font.outline_glyph(glyph)
            })
            .collect()
    }
}

/// Places glyphs one after the other; also gives the width of the whole.
fn layout(font: &FontRef<'static>, text: &str, size: f64) -> (Vec<Glyph>, f32) {
    let scaled = font.as_scaled(scale(font, size));
    let (mut x, mut previous, mut glyphs) = (0.0, None, Vec::new());
    for character in text.chars() {
        let mut glyph = scaled.scaled_glyph(character);
        if let Some(previous) = previous {
            x += scaled.kern(previous, glyph.id);
        }
        previous = Some(glyph.id);
        glyph.position = ab_glyph::point(x, 0.0);
        x += scaled.h_advance(glyph.id);
        glyphs.push(glyph);
    }
    (glyphs, x)
}

/// The library scales by the height of a line, designs and SVG by the em.
fn scale(font: &FontRef<'static>, size: f64) -> PxScale {
    let em = font.units_per_em().unwrap_or(2048.0);
    #[expect(clippy::cast_possible_truncation, reason = "a size in pixels")]
    let size = size as f32;
    PxScale::from(size * font.height_unscaled() / em)
}
