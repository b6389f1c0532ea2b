//! The one error type.

use alloc::string::{String, ToString};
use core::fmt;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// What kind of thing went wrong; the text of an [`Error`] says where, what was expected and what was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A matrix, slice or list has the wrong number of rows, columns or elements.
    Shape,
    /// There is nothing to work on: no samples, no layers, no classes.
    Empty,
    /// A number is outside its range: a hyper-parameter, a probability, a width, a label, an index.
    Value,
    /// A number that must be finite is NaN or ±∞.
    NotFinite,
    /// Two parts do not go together, such as a softmax layer and a loss on logits.
    Incompatible,
    /// Gradient descent cannot pass a layer whose derivative is zero everywhere.
    Untrainable,
    /// What was asked for has not been computed yet, such as δ before a backward pass.
    NotReady,
    /// A text is not the name of anything known, or a file not in its format.
    Parse,
    /// A file or a stream cannot be read.
    Io,
    /// The cost of a mini-batch became NaN or infinite during training.
    Diverged {
        /// The epoch, counted from 0.
        epoch: usize,
        /// The mini-batch within the epoch, counted from 0.
        batch: usize,
    },
}

/// Everything that can go wrong in this crate.
///
/// Each error names the place, what was expected there and what was given, and each function that
/// returns one leaves its arguments as they were (where it cannot, its documentation says what remains).
///
/// ```
/// use chainrule::{Activation, Dense, ErrorKind, Sequential, rand::rngs::Xoshiro256PlusPlus, rand::SeedableRng};
///
/// let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
/// let error = Sequential::<f64>::builder(2)
///     .layer(Dense::new(0, Activation::Tanh))
///     .build(&mut rng)
///     .unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Value);
/// assert_eq!(error.to_string(), "layer 0 (Dense tanh): expected at least 1 output, got 0");
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Error {
    kind: ErrorKind,
    place: String,
    expected: String,
    given: String,
}

impl Error {
    /// An error of `kind` at `place`, where `expected` was wanted and `given` was found.
    /// Layers, losses and optimisers of other crates make theirs with it.
    ///
    /// ```
    /// use chainrule::{Error, ErrorKind};
    /// let error = Error::new(ErrorKind::Value, "Swish", "a finite slope", f64::NAN);
    /// assert_eq!(error.to_string(), "Swish: expected a finite slope, got NaN");
    /// ```
    pub fn new(kind: ErrorKind, place: impl Into<String>, expected: impl Into<String>, given: impl ToString) -> Self {
        Self { kind, place: place.into(), expected: expected.into(), given: given.to_string() }
    }

    /// The kind of the error, for code that handles one kind in its own way.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Where it happened: a function, a layer with its index, a parameter.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What was expected there.
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// What was given instead.
    pub fn given(&self) -> &str {
        &self.given
    }

    /// The same error with `outer` put before its place: how a layer's error learns the layer's index.
    pub(crate) fn within(mut self, outer: impl fmt::Display) -> Self {
        self.place = alloc::format!("{outer}{}{}", if self.place.is_empty() { "" } else { ": " }, self.place);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, got {}", self.place, self.expected, self.given)
    }
}

/// The text of `Display` and the kind, readable where `main` returns the error.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} [{:?}]", self.kind)
    }
}

impl core::error::Error for Error {}
