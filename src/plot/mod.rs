//! Pictures of training, as SVG and PNG:
//!
//! - [`Runs`]: costs and metrics over epochs,
//! - [`Curves`]: any other series, points and bands; ROC, precision–recall and calibration curves,
//!   predicted against actual numbers, residuals, partial dependence,
//! - [`Subplots`]: several such pictures side by side, over the same axes,
//! - [`Bars`]: numbers by name, with whiskers; the importance of columns,
//! - [`Confusion`]: confusion matrices,
//! - [`Boundary`]: decision boundaries over two inputs,
//! - [`Weights`]: the weights of neurons as images.
//!
//! Each is put together by a builder, whose `draw` returns a [`Figure`]. Pictures can be read
//! without color: curves differ in stroke and marker as well, and scales of colors get lighter or
//! darker all the way. The font comes with this crate; none of the system is needed. It has Latin,
//! Greek and Cyrillic letters; any other is an error that names it, and never an empty box. An
//! empty title takes no room, and a text that is too long ends in "…". [`Figure::scale`] makes all
//! of a picture larger, for print. [`Figure::light_dark`] is for web pages and READMEs that are
//! read in the dark, too.
//!
//! ```no_run
//! use chainrule::prelude::*;
//! use chainrule::plot;
//! # let data = Dataset::new(DMatrix::<f64>::zeros(784, 2), one_hot(&[0, 1], 2)?)?;
//! # let validation = data.clone();
//! # let mut net = Sequential::builder(784)
//! #     .layer(Dense::new(2, Activation::Linear))
//! #     .seed(1).build()?;
//! let mut trainer =
//!     Trainer::new(SoftmaxCrossEntropy::new(), Adam::new()).validation_data(&validation);
//! let history = trainer.fit(&mut net, &data)?;
//! plot::Runs::new("My network", &[("", &history)]).log().draw()?.save("run.svg")?;
//! plot::Weights::new("First layer", net.weights(0)?, 28, 28)
//!     .size(1200, 900)
//!     .draw()?
//!     .save("weights.png")?;
//! # Ok::<(), chainrule::Error>(())
//! ```

mod axes;
mod bars;
mod boundary;
mod canvas;
mod confusion;
mod curves;
mod figure;
mod font;
mod judging;
mod panel;
mod parts;
mod png;
mod raster;
mod runs;
mod shape;
mod style;
mod subplots;
mod svg;
mod weights;

pub use bars::Bars;
pub use boundary::Boundary;
pub use confusion::Confusion;
pub use curves::Curves;
pub use figure::Figure;
pub use runs::Runs;
pub use subplots::Subplots;
pub use weights::Weights;
