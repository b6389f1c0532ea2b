//! The embedded font: how wide a text is, and the outlines of its letters.

use ttf_parser::Face;

/// DejaVu Sans, reduced to the characters of titles and numbers; see the note beside it.
const FONT: &[u8] = include_bytes!("font/DejaVuSans-subset.ttf");

/// How SVG viewers are asked for it; Verdana's letters are as wide.
pub(super) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// What letters rise above the base line, as a fraction of the font size.
pub(super) const ASCENT: f64 = 0.76;

/// What letters reach below it.
pub(super) const DESCENT: f64 = 0.24;

/// Half the height of a capital letter: where a line of text has its middle.
pub(super) const MIDDLE: f64 = 0.365;

pub(super) fn face() -> Face<'static> {
    Face::parse(FONT, 0).expect("the embedded font is a font")
}

/// How far a letter moves the pen, in font units.
pub(super) fn advance(face: &Face<'_>, letter: char) -> u16 {
    face.glyph_hor_advance(face.glyph_index(letter).unwrap_or_default()).unwrap_or(0)
}

/// The width of a text in pixels at a font size in pixels.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let face = face();
    let units: f64 = text.chars().map(|letter| f64::from(advance(&face, letter))).sum();
    units * size / f64::from(face.units_per_em())
}

/// The text, or where it is wider than `limit` pixels as much of its beginning as fits, with "…".
pub(super) fn fit(text: &str, size: f64, limit: f64) -> String {
    if width(text, size) <= limit {
        return text.into();
    }
    let (dots, mut used, mut kept) = (width("…", size), 0.0, String::new());
    for letter in text.chars() {
        used += width(letter.encode_utf8(&mut [0; 4]), size);
        if used + dots > limit {
            break;
        }
        kept.push(letter);
    }
    kept.push('…');
    kept
}
