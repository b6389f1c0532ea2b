//! The embedded font: how wide a text is, and the outlines of its letters.

use super::shape::Point;

mod outlines;

pub(super) use outlines::UNITS;

/// How SVG viewers are asked for it; Verdana's letters are as wide.
pub(super) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Half the height of a capital letter: where a line of text has its middle.
pub(super) const MIDDLE: f64 = 0.365;

/// How far a letter moves the pen, in font units, and its outline; `None` of one that the font has
/// not.
pub(super) fn letter(letter: char) -> Option<(u16, impl Iterator<Item = Segment>)> {
    let found = outlines::LETTERS.binary_search_by_key(&letter, |(known, _)| *known);
    let (advance, path) = outlines::LETTERS[found.ok()?].1;
    Some((advance, segments(path)))
}

/// A part of an outline, in font units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Segment {
    Move(Point),
    Line(Point),
    /// A parabola: its control point and its end.
    Curve(Point, Point),
    /// Back to the last [`Move`](Self::Move).
    Close,
}

/// A path of SVG in half units: M, L, Q and Z.
fn segments(path: &str) -> impl Iterator<Item = Segment> {
    path.split_inclusive(|c: char| !c.is_ascii_digit() && !" -".contains(c))
        .scan('Z', |operator, text| {
            // What comes before a letter are the numbers of the last one.
            let (numbers, next) = text
                .char_indices()
                .next_back()
                .map_or((text, 'Z'), |(end, next)| (&text[..end], next));
            let mut halves = numbers
                .split_ascii_whitespace()
                .filter_map(|number| number.parse::<f64>().ok());
            let mut point = || Some((halves.next()? / 2.0, halves.next()? / 2.0));
            let segment = match core::mem::replace(operator, next) {
                'M' => point().map(Segment::Move),
                'L' => point().map(Segment::Line),
                'Q' => point()
                    .zip(point())
                    .map(|(control, end)| Segment::Curve(control, end)),
                _ => None,
            };
            Some(
                segment
                    .into_iter()
                    .chain((next == 'Z').then_some(Segment::Close)),
            )
        })
        .flatten()
}

/// The width of a text in pixels at a font size in pixels.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let units: f64 = text
        .chars()
        .filter_map(|c| Some(f64::from(letter(c)?.0)))
        .sum();
    units * size / UNITS
}

/// The text, or where it is wider than `limit` pixels as much of its beginning as fits, with "…".
pub(super) fn fit(text: &str, size: f64, limit: f64) -> String {
    if width(text, size) <= limit {
        return text.into();
    }
    let dots = width("…", size);
    let mut used = 0.0;
    let mut kept = String::new();
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Every outline can be read: no number and no sign of a path is passed over.
    #[test]
    fn outlines_are_sound() {
        for (c, (advance, path)) in outlines::LETTERS.iter() {
            let mut written = String::new();
            for segment in segments(path) {
                let half = |(x, y): Point| format!("{} {}", 2.0 * x, 2.0 * y);
                written += &match segment {
                    Segment::Move(to) => format!("M{}", half(to)),
                    Segment::Line(to) => format!("L{}", half(to)),
                    Segment::Curve(control, to) => format!("Q{} {}", half(control), half(to)),
                    Segment::Close => "Z".into(),
                };
            }
            assert_eq!(written, *path, "{c:?}");
            assert!(*advance > 0 || path.is_empty(), "{c:?}");
        }
        assert!(outlines::LETTERS.is_sorted_by_key(|(c, _)| *c));
        assert_eq!(
            segments("M2 -4L6 8Q1 3 -5 7Z").collect::<Vec<_>>(),
            [
                Segment::Move((1.0, -2.0)),
                Segment::Line((3.0, 4.0)),
                Segment::Curve((0.5, 1.5), (-2.5, 3.5)),
                Segment::Close,
            ]
        );
        let advance = |c| letter(c).map(|(advance, _)| advance);
        assert_eq!(advance('\u{1f600}'), None);
        assert!(advance('i') < advance('m') && advance('ж') > advance('г'));
    }
}
