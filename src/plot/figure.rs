//! A drawn picture, and how it leaves.

use super::png;
use super::raster::Pixels;
use super::shape::Shape;
use super::svg;
use crate::error::{Error, ErrorKind, Result};
use crate::ground::file;
use std::path::Path;

/// A picture that has been drawn, to be saved or handed on as SVG text or PNG bytes.
///
/// The same picture gives the same bytes on every run. Text in SVG is text, which a viewer draws in
/// DejaVu Sans, Verdana or its sans-serif font; PNG needs no font of the system.
///
/// ```
/// use chainrule::plot::Curves;
/// let figure = Curves::new("Decay", "step", "rate")
///     .series("1/t", &[(1.0, 1.0), (2.0, 0.5), (4.0, 0.25)])
///     .draw()?;
/// assert!(figure.to_svg().starts_with("<svg"));
/// assert_eq!(figure.to_png()[1..4], *b"PNG");
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Later ones lie over earlier ones.
    pub(super) shapes: Vec<Shape>,
    pub(super) light_dark: bool,
    pub(super) scale: f64,
}

impl Figure {
    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        let scaled = |side: u32| (f64::from(side) * self.scale).round() as u32;
        (scaled(self.width), scaled(self.height))
    }

    /// The same picture with everything `factor` times as large, texts and lines, too: 2 or 3 for
    /// print and for screens of many pixels. PNG has so many more pixels each way, SVG is shown in
    /// that size.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] unless the factor is a number above 0 that makes both sides 50 to 8192
    /// pixels long.
    ///
    /// ```
    /// use chainrule::plot::Bars;
    /// let figure = Bars::new("Wins", "games", &["Ada", "Emmy"]).series("", &[3.0, 4.0]).draw()?;
    /// assert_eq!(figure.scale(2.0)?.size(), (1600, 1200));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("dpi", "device_pixel_ratio"))]
    pub fn scale(self, factor: f64) -> Result<Self> {
        let scale = self.scale * factor;
        let side = |side: u32| (50.0..=8192.0).contains(&(f64::from(side) * scale));
        if side(self.width) && side(self.height) {
            return Ok(Self { scale, ..self });
        }
        let (width, height) = self.size();
        Err(Error::new(
            ErrorKind::Value,
            "factor of Figure::scale",
            format!("one that makes {width} × {height} pixels 50 to 8192 each way"),
            factor,
        ))
    }

    /// The same picture, whose SVG turns dark where the viewer prefers that: black on white becomes
    /// white on black, and colors keep their hue. For web pages and READMEs; PNG stays light.
    ///
    /// ```
    /// use chainrule::plot::Bars;
    /// let figure = Bars::new("Wins", "games", &["Ada", "Emmy"]).series("", &[3.0, 4.0]).draw()?;
    /// assert!(!figure.to_svg().contains("prefers-color-scheme"));
    /// assert!(figure.light_dark().to_svg().contains("prefers-color-scheme: dark"));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[must_use]
    #[doc(alias("dark_mode", "dark_background", "theme"))]
    pub fn light_dark(self) -> Self {
        Self {
            light_dark: true,
            ..self
        }
    }

    /// The picture as the text of an SVG file.
    pub fn to_svg(&self) -> String {
        svg::text(
            (self.width, self.height),
            self.scale,
            &self.shapes,
            self.light_dark,
        )
    }

    /// The picture as the bytes of a PNG file, 24 bit a pixel.
    pub fn to_png(&self) -> Vec<u8> {
        let (width, height) = self.size();
        let mut pixels = Pixels::white(width, height);
        for shape in &self.shapes {
            if self.scale == 1.0 {
                pixels.draw(shape);
            } else {
                pixels.draw(&shape.scaled(self.scale));
            }
        }
        png::encode(width, height, &pixels.rgb)
    }

    /// Writes the picture to a file, as SVG or PNG by the extension of its name. Whatever happens,
    /// the old or the new file is there.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] for an extension other than `.svg` and `.png`, before the file is
    /// touched; [`ErrorKind::Io`] when it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let extension = path
            .extension()
            .and_then(|extension| extension.to_str())
            .unwrap_or("")
            .to_ascii_lowercase();
        let bytes = match extension.as_str() {
            "svg" => self.to_svg().into_bytes(),
            "png" => self.to_png(),
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
