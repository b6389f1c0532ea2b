//! A drawn picture, and the two formats in which it leaves.

use super::{font, raster::Pixels};
use crate::error::{Error, ErrorKind, Result};
use crate::ground::file;
use std::fmt::Write;
use std::path::Path;

/// A place in pixels, from the left and from the top.
pub(super) type Point = (f64, f64);

/// Red, green, blue.
pub(super) type Rgb = [u8; 3];

/// Where a text lies, seen from the point that it is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// What pictures are made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// A path, with lengths of strokes and gaps, or none for an unbroken one.
    Line {
        points: Vec<Point>,
        color: Rgb,
        width: f64,
        dash: &'static [f64],
    },
    /// A filled polygon with an outline of its own color and width.
    Area {
        points: Vec<Point>,
        fill: Rgb,
        outline: Rgb,
        width: f64,
    },
    /// A text on a base line that begins, has its middle or ends at a point; turned, it reads from bottom to top.
    Text {
        text: String,
        at: Point,
        size: f64,
        color: Rgb,
        anchor: Anchor,
        turned: bool,
    },
    /// A table of colors, row after row, stretched over a rectangle without smoothing.
    Image {
        at: Point,
        size: Point,
        cols: usize,
        colors: Vec<Rgb>,
    },
}

/// A picture that has been drawn, to be saved or handed on as SVG text or PNG bytes.
///
/// The same picture gives the same SVG on every run. Its text is text, which a viewer draws in DejaVu Sans, Verdana or the sans-serif
/// font that it has; PNG needs no font of the system.
///
/// ```
/// use chainrule::plot::Curves;
/// let figure = Curves::new("Decay", "step", "rate").series("1/t", &[(1.0, 1.0), (2.0, 0.5), (4.0, 0.25)]).draw()?;
/// assert!(figure.to_svg().starts_with("<svg"));
/// assert_eq!(figure.to_png()?[1..4], *b"PNG");
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Later ones lie over earlier ones.
    pub(super) shapes: Vec<Shape>,
}

impl Figure {
    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The picture as the text of an SVG file.
    pub fn to_svg(&self) -> String {
        let Self {
            width,
            height,
            shapes,
        } = self;
        let mut svg = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(
            svg,
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="{}">"##,
            font::FAMILY
        );
        let _ = writeln!(
            svg,
            r##"<rect width="{width}" height="{height}" fill="#ffffff"/>"##
        );
        for shape in shapes {
            let _ = writeln!(svg, "{}", element(shape));
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// The picture as the bytes of a PNG file, 24 bit a pixel.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when it cannot be encoded.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let mut pixels = Pixels::white(self.width, self.height);
        for shape in &self.shapes {
            pixels.draw(shape);
        }
        encode(self.width, self.height, &pixels.rgb).map_err(|error| {
            Error::new(
                ErrorKind::Io,
                "Figure::to_png",
                "a picture that PNG can hold",
                &error,
            )
            .with_source(error)
        })
    }

    /// Writes the picture to a file, as SVG or PNG by the extension of its name. Whatever happens, the old or the new file is there.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] for an extension other than `.svg` and `.png`, before the file is touched; [`ErrorKind::Io`] when it
    /// cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let extension = path
            .extension()
            .and_then(|extension| extension.to_str())
            .unwrap_or("")
            .to_ascii_lowercase();
        let bytes = match extension.as_str() {
            "svg" => self.to_svg().into_bytes(),
            "png" => self.to_png()?,
            _ => {
                return Err(Error::new(
                    ErrorKind::Parse,
                    "Figure::save",
                    "a name that ends in .svg or .png",
                    path.display(),
                ));
            }
        };
        file::write(path, &bytes)
    }
}

/// PNG of 24 bit a pixel.
fn encode(width: u32, height: u32, rgb: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(rgb)?;
    writer.finish()?;
    Ok(bytes)
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
            let (points, color, width) = (list(points), hex(*color), number(*width));
            let dash = if dash.is_empty() {
                String::new()
            } else {
                let lengths: Vec<_> = dash.iter().map(|length| number(*length)).collect();
                format!(r#" stroke-dasharray="{}""#, lengths.join(" "))
            };
            format!(
                r#"<polyline points="{points}" fill="none" stroke="{color}" stroke-width="{width}" stroke-linejoin="round"{dash}/>"#
            )
        }
        Shape::Area {
            points,
            fill,
            outline,
            width,
        } => format!(
            r#"<polygon points="{}" fill="{}" stroke="{}" stroke-width="{}"/>"#,
            list(points),
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
            let (size, color, text) = (number(*size), hex(*color), escape(text));
            format!(
                r#"<text x="{x}" y="{y}" font-size="{size}" fill="{color}" text-anchor="{anchor}"{turn}>{text}</text>"#
            )
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
            let pixels: Vec<u8> = (0..across * down)
                .flat_map(|k| colors[k / across / high * cols + k % across / wide])
                .collect();
            let bytes = encode(across as u32, down as u32, &pixels);
            format!(
                concat!(
                    r#"<image x="{}" y="{}" width="{}" height="{}" preserveAspectRatio="none" "#,
                    r#"href="data:image/png;base64,{}"/>"#
                ),
                number(at.0),
                number(at.1),
                number(size.0),
                number(size.1),
                base64(&bytes.unwrap_or_default())
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
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ if letter.is_control() => escaped.push(' '),
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
