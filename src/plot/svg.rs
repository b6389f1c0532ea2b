//! Shapes as the text of an SVG file.

use super::font;
use super::png;
use super::shape::{Anchor, Point, Rgb, Shape};

/// What turns light pictures dark: black and white change places, and half a turn of the circle of
/// hues takes colors back to theirs. White does not become all black, to tire eyes less.
const DARK: &str = "<style>@media (prefers-color-scheme: dark) \
    {svg {filter: invert(0.93) hue-rotate(180deg)}}</style>\n";

/// The text of an SVG file with these shapes on white, later ones over earlier ones, shown `scale`
/// times as large; `light_dark` where the viewer prefers that on black.
pub(super) fn text(
    (width, height): (u32, u32),
    scale: f64,
    shapes: &[Shape],
    light_dark: bool,
) -> String {
    let mut svg = format!(
        concat!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{4}" height="{5}" "#,
            r#"viewBox="0 0 {0} {1}" font-family="{2}">"#,
            "\n{3}",
            r##"<rect width="{0}" height="{1}" fill="#ffffff"/>"##,
            "\n"
        ),
        width,
        height,
        font::FAMILY,
        if light_dark { DARK } else { "" },
        number(f64::from(width) * scale),
        number(f64::from(height) * scale)
    );
    for shape in shapes {
        svg.push_str(&element(shape));
        svg.push('\n');
    }
    svg.push_str("</svg>\n");
    svg
}

/// A shape as an SVG element.
fn element(shape: &Shape) -> String {
    match shape {
        Shape::Line {
            points,
            color,
            width,
            dash,
        } => {
            let points = list(points);
            let color = hex(*color);
            let width = number(*width);
            let dash = if dash.is_empty() {
                String::new()
            } else {
                let lengths: Vec<_> = dash.iter().map(|length| number(*length)).collect();
                format!(r#" stroke-dasharray="{}""#, lengths.join(" "))
            };
            let line =
                format!(r#"stroke="{color}" stroke-width="{width}" stroke-linejoin="round""#);
            format!(r#"<polyline points="{points}" fill="none" {line}{dash}/>"#)
        }
        Shape::Area {
            points,
            fill,
            opacity,
            outline,
            width,
        } => format!(
            r#"<polygon points="{}" fill="{}"{} stroke="{}" stroke-width="{}"/>"#,
            list(points),
            hex(*fill),
            if *opacity < 1.0 {
                format!(r#" fill-opacity="{}""#, number(*opacity))
            } else {
                String::new()
            },
            hex(*outline),
            number(*width)
        ),
        Shape::Circle {
            center,
            radius,
            fill,
            outline,
            width,
        } => format!(
            r#"<circle cx="{}" cy="{}" r="{}" fill="{}" stroke="{}" stroke-width="{}"/>"#,
            number(center.0),
            number(center.1),
            number(*radius),
            hex(*fill),
            hex(*outline),
            number(*width)
        ),
        Shape::Text {
            text,
            at,
            size,
            color,
            anchor,
            turned,
        } => {
            let (x, y) = (number(at.0), number(at.1));
            let turn = if *turned {
                format!(r#" transform="rotate(-90 {x} {y})""#)
            } else {
                String::new()
            };
            let anchor = match anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            let size = number(*size);
            let color = hex(*color);
            let text = escape(text);
            let font = format!(r#"font-size="{size}" fill="{color}" text-anchor="{anchor}""#);
            format!(r#"<text x="{x}" y="{y}" {font}{turn}>{text}</text>"#)
        }
        Shape::Image {
            at,
            size,
            cols,
            colors,
        } => {
            // Cells of several pixels each, because some viewers smooth what they stretch.
            let rows = colors.len() / cols;
            let (wide, high) = (
                (size.0 / *cols as f64).ceil().max(1.0) as usize,
                (size.1 / rows as f64).ceil().max(1.0) as usize,
            );
            let (across, down) = (cols * wide, rows * high);
            let pixels: Vec<Rgb> = (0..across * down)
                .map(|k| colors[k / across / high * cols + k % across / wide])
                .collect();
            let (across, down) = (across as u32, down as u32);
            let bytes = png::encode_indexed(across, down, &pixels)
                .unwrap_or_else(|| png::encode(across, down, pixels.as_flattened()));
            format!(
                concat!(
                    r#"<image x="{}" y="{}" width="{}" height="{}" preserveAspectRatio="none" "#,
                    r#"href="data:image/png;base64,{}"/>"#
                ),
                number(at.0),
                number(at.1),
                number(size.0),
                number(size.1),
                base64(&bytes)
            )
        }
    }
}

/// A number with at most two decimals.
fn number(value: f64) -> String {
    // + 0.0, because −0 would keep its sign.
    ((value * 100.0).round() / 100.0 + 0.0).to_string()
}

fn list(points: &[Point]) -> String {
    let points: Vec<_> = points
        .iter()
        .map(|(x, y)| format!("{},{}", number(*x), number(*y)))
        .collect();
    points.join(" ")
}

fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// The text as XML may hold it.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// Base 64 as in RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three
            .iter()
            .fold(0, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        for digit in 0..4 {
            text.push(if digit <= three.len() {
                DIGITS[(bits >> (18 - 6 * digit) & 63) as usize] as char
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 4648, section 10.
    #[test]
    fn base64_of_the_rfc() {
        for (text, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }

    #[test]
    fn numbers_are_short() {
        for (value, expected) in [(1.0, "1"), (-0.001, "0"), (12.345, "12.35"), (-3.5, "-3.5")] {
            assert_eq!(number(value), expected);
        }
    }
}
