//! Colors, strokes and markers that can be told apart, in gray as well; and how numbers look.

use super::canvas::{BLACK, WHITE};
use super::shape::{Point, Rgb};
use crate::ground::table::short;

/// The colors of Okabe and Ito (Color Universal Design, 2008) without yellow, which is too pale for
/// lines.
const COLORS: [Rgb; 7] = [
    [0, 114, 178],
    [213, 94, 0],
    [0, 158, 115],
    [204, 121, 167],
    [230, 159, 0],
    [86, 180, 233],
    BLACK,
];

/// Lengths of strokes and gaps.
const DASHES: [&[f64]; 5] = [
    &[],
    &[7.0, 4.0],
    &[2.0, 3.0],
    &[10.0, 3.0, 2.0, 3.0],
    &[14.0, 5.0],
];

/// Corners from the middle, in units of the marker's radius, the y axis upwards; empty for a
/// circle.
const MARKERS: [&[Point]; 6] = [
    &[],
    &[(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
    &[(-1.1, -0.75), (1.1, -0.75), (0.0, 1.15)],
    &[(-1.2, 0.0), (0.0, -1.2), (1.2, 0.0), (0.0, 1.2)],
    &[(-1.1, 0.75), (0.0, -1.15), (1.1, 0.75)],
    &[
        (-0.4, -1.1),
        (0.4, -1.1),
        (0.4, -0.4),
        (1.1, -0.4),
        (1.1, 0.4),
        (0.4, 0.4),
        (0.4, 1.1),
        (-0.4, 1.1),
        (-0.4, 0.4),
        (-1.1, 0.4),
        (-1.1, -0.4),
        (-0.4, -0.4),
    ],
];

/// A number in a picture: in four significant digits, with a minus sign as wide as a digit.
pub(super) fn number(value: f64) -> String {
    short(value).replace('-', "−")
}

/// The same without zeros at its end.
pub(super) fn brief(value: f64) -> String {
    match number(value) {
        text if text.contains('.') && !text.contains('e') => {
            text.trim_end_matches('0').trim_end_matches('.').into()
        }
        text => text,
    }
}

pub(super) fn color(index: usize) -> Rgb {
    COLORS[index % COLORS.len()]
}

pub(super) fn dash(index: usize) -> &'static [f64] {
    DASHES[index % DASHES.len()]
}

/// The corners of a marker of radius 1 from its middle, the y axis upwards; none for a circle.
pub(super) fn marker(index: usize) -> &'static [Point] {
    MARKERS[index % MARKERS.len()]
}

/// Whether all forms of markers have been used before.
pub(super) fn is_hollow(index: usize) -> bool {
    !(index / MARKERS.len()).is_multiple_of(2)
}

/// The outline of a star of five points.
pub(super) fn star(center: Point, radius: f64) -> Vec<Point> {
    let corner = |k: usize| {
        let (sin, cos) = (k as f64 * std::f64::consts::PI / 5.0).sin_cos();
        let radius = if k.is_multiple_of(2) {
            radius
        } else {
            0.4 * radius
        };
        (center.0 + radius * sin, center.1 - radius * cos)
    };
    (0..10).map(corner).collect()
}

/// A color between two.
pub(super) fn mix(from: Rgb, to: Rgb, share: f64) -> Rgb {
    std::array::from_fn(|k| {
        (f64::from(from[k]) + (f64::from(to[k]) - f64::from(from[k])) * share).round() as u8
    })
}

/// The color at `share` of the way through a list of colors, in 0..1; white for NaN.
fn between(colors: &[Rgb], share: f64) -> Rgb {
    if share.is_nan() {
        return WHITE;
    }
    let place = share.clamp(0.0, 1.0) * (colors.len() - 1) as f64;
    let first = (place as usize).min(colors.len() - 2);
    mix(colors[first], colors[first + 1], place - first as f64)
}

/// White to dark blue: how much there is of something.
pub(super) fn amount(share: f64) -> Rgb {
    between(
        &[
            WHITE,
            [198, 219, 239],
            [107, 174, 214],
            [33, 113, 181],
            [8, 48, 107],
        ],
        share,
    )
}

/// Dark blue over gray to yellow, evenly lighter: less than nothing, nothing (½) and more. Nine
/// points of cividis (Nuñez, Anderton and Renslow 2018, PLoS ONE 13(7)).
pub(super) fn signed(share: f64) -> Rgb {
    const CIVIDIS: [Rgb; 9] = [
        [0, 34, 78],
        [18, 53, 112],
        [59, 73, 108],
        [87, 93, 109],
        [112, 113, 115],
        [138, 134, 120],
        [165, 156, 116],
        [195, 179, 105],
        [254, 232, 56],
    ];
    between(&CIVIDIS, share)
}

/// Pale yellow to blue, evenly darker: one of two classes, and the other.
pub(super) fn two(share: f64) -> Rgb {
    between(
        &[
            [255, 247, 214],
            [222, 226, 214],
            [160, 186, 208],
            [94, 139, 191],
        ],
        share,
    )
}

/// The pale color of a class's region among several.
pub(super) fn region(class: usize) -> Rgb {
    // Lighter and darker by turns, for those who see gray.
    mix(WHITE, color(class), [0.25, 0.45, 0.35, 0.55][class % 4])
}

/// Black or white, whichever can be read on a color: by its relative luminance (WCAG 2), contrasts
/// being equal at 0.179.
pub(super) fn ink(paper: Rgb) -> Rgb {
    let linear = paper.map(|channel| {
        let c = f64::from(channel) / 255.0;
        if c <= 0.04045 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    });
    let luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    if luminance > 0.179 { BLACK } else { WHITE }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray([r, g, b]: Rgb) -> f64 {
        0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b)
    }

    /// A map of colors that is read in gray gets darker or lighter all the way.
    #[test]
    fn maps_are_monotone_in_gray() {
        for (map, sign) in [(amount as fn(f64) -> Rgb, -1.0), (signed, 1.0), (two, -1.0)] {
            let grays: Vec<_> = (0..=32)
                .map(|k| sign * gray(map(f64::from(k) / 32.0)))
                .collect();
            assert!(grays.windows(2).all(|pair| pair[0] < pair[1]), "{grays:?}");
        }
    }

    /// The middle of the signed map is gray.
    #[test]
    fn zero_is_gray() {
        let [r, g, b] = signed(0.5);
        assert!(r.abs_diff(g) < 4 && g.abs_diff(b) < 4);
    }

    #[test]
    fn brief_numbers_keep_their_value() {
        let numbers = [100.0, 0.0, -2.5, 0.105, 1e-7, 2e9, 120.0];
        assert_eq!(
            numbers.map(brief),
            ["100", "0", "−2.5", "0.105", "1.000e−7", "2.000e9", "120"]
        );
    }

    #[test]
    fn ink_is_readable() {
        assert_eq!(
            (ink(WHITE), ink([8, 48, 107]), ink(BLACK)),
            (BLACK, WHITE, WHITE)
        );
    }
}
