//! The one error type.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::error::Error as StdError;
use core::fmt;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// What kind of thing went wrong; the text of an [`Error`] says where, what was found and what was
/// expected.
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
    /// A file or a stream cannot be read or written.
    Io,
    /// In training, the cost of a mini-batch, a parameter, or a number in the optimizer's state
    /// became NaN or infinite.
    Diverged {
        /// The epoch, counted from 0.
        epoch: usize,
        /// The mini-batch within the epoch, counted from 0.
        batch: usize,
    },
}

/// Everything that can go wrong in this crate.
///
/// The text reads `place: got …, expected …`: where it happened, what was found there, and what is
/// accepted. The last part ends with the next step in parentheses, where there is one. Functions
/// that return an error leave their arguments unchanged; exceptions are documented.
///
/// ```
/// use chainrule::{Activation, Dense, ErrorKind, Sequential};
///
/// let error = Sequential::<f64>::builder(2)
///     .layer(Dense::new(0, Activation::Tanh))
///     .seed(1)
///     .build()
///     .unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Value);
/// assert_eq!(error.to_string(), "layer 0 (Dense tanh): got 0, expected at least 1 output");
/// ```
///
/// [`std::io::Error`] converts, so that a function that returns [`Result`] can use `?` on both:
///
/// ```
/// use chainrule::{ErrorKind, Result};
/// use chainrule::data::read_npy;
///
/// fn columns(path: &str) -> Result<usize> {
///     Ok(read_npy::<f64>(&std::fs::read(path)?)?.ncols())
/// }
/// assert_eq!(columns("no such file").unwrap_err().kind(), ErrorKind::Io);
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Error {
    kind: ErrorKind,
    place: String,
    expected: String,
    given: String,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` at `place`, where `expected` was wanted and `given` was found.
    /// Layers, losses and optimizers of other crates make theirs with it. Lists and the next step
    /// belong at the end of `expected`. Numbers of many digits are written with an exponent.
    ///
    /// ```
    /// use chainrule::{Error, ErrorKind};
    /// let error = Error::new(ErrorKind::Value, "Swish", "a finite slope", f64::NAN);
    /// assert_eq!(error.to_string(), "Swish: got NaN, expected a finite slope");
    /// let error = Error::new(ErrorKind::Value, "Swish", "a slope below 1", 1e300);
    /// assert_eq!(error.given(), "1e300");
    /// ```
    pub fn new(
        kind: ErrorKind,
        place: impl Into<String>,
        expected: impl Into<String>,
        given: impl ToString,
    ) -> Self {
        Self::of(kind, place.into(), expected.into(), given.to_string())
    }

    fn of(kind: ErrorKind, place: String, expected: String, given: String) -> Self {
        Self {
            kind,
            place: shortened(in_few_digits(place), 1000),
            expected: shortened(in_few_digits(expected), 1000),
            given: shortened(in_few_digits(given), 240),
            source: None,
        }
    }

    /// The same error with what caused it, for [`source`](core::error::Error::source).
    ///
    /// ```
    /// use chainrule::{Error, ErrorKind};
    /// use std::error::Error as _;
    ///
    /// let cause = "1,5".parse::<f64>().unwrap_err();
    /// let error = Error::new(ErrorKind::Parse, "slope of Swish", "a number", &cause)
    ///     .with_source(cause.clone());
    /// assert_eq!(error.source().and_then(|cause| cause.downcast_ref()), Some(&cause));
    /// ```
    #[must_use]
    pub fn with_source(self, source: impl StdError + Send + Sync + 'static) -> Self {
        Self {
            source: Some(Arc::new(source)),
            ..self
        }
    }

    /// The kind of the error, for code that handles one kind in its own way.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Where it happened: a function, a layer with its index, a parameter.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What was expected there, and the next step.
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// What was given instead.
    pub fn given(&self) -> &str {
        &self.given
    }

    /// The same error with `outer` put before its place: how a layer's error learns the layer's
    /// index.
    pub(crate) fn within(mut self, outer: impl fmt::Display) -> Self {
        let outer = in_few_digits(outer.to_string());
        self.place = if self.place.is_empty() {
            outer
        } else {
            alloc::format!("{outer}: {}", self.place)
        };
        self
    }
}

/// Compares the texts and the kinds; sources count by their texts.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        let source = |error: &Self| error.source.as_ref().map(ToString::to_string);
        let parts = |error: &Self| {
            (
                error.kind,
                error.place.clone(),
                error.expected.clone(),
                error.given.clone(),
            )
        };
        parts(self) == parts(other) && source(self) == source(other)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: got {}, expected {}",
            self.place, self.given, self.expected
        )
    }
}

/// The text of `Display` and the kind, readable where `main` returns the error.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} [{:?}]", self.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// [`ErrorKind::Io`] with the error as its source; an [`Error`] that was made an I/O error comes
/// back as it was.
#[cfg(feature = "std")]
impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        error.downcast::<Self>().unwrap_or_else(|error| {
            Self::new(
                ErrorKind::Io,
                "std::io",
                "input and output without an error",
                &error,
            )
            .with_source(error)
        })
    }
}

/// The beginning and the end of a text of more than `most` characters: what is expected ends with
/// the next step.
fn shortened(text: String, most: usize) -> String {
    if text.len() <= most {
        return text;
    }
    let count = text.chars().count();
    if count <= most {
        return text;
    }
    let (head, tail) = (most * 3 / 4, most / 4);
    text.chars()
        .take(head)
        .chain(" … ".chars())
        .chain(text.chars().skip(count - tail))
        .collect()
}

/// A longer number is written with an exponent. `usize::MAX` has 20 digits, and 17 tell two `f64`
/// apart.
const DIGITS: usize = 24;

/// `text` with an exponent in place of long rows of digits, which lose none that matters: 1e300 has
/// 301 digits as `Display` writes it. What stands in quotes is somebody's text and stays, and so do
/// digits that are a part of a name or a path.
fn in_few_digits(text: String) -> String {
    let is_digit = |c: &char| c.is_ascii_digit();
    if text.len() <= DIGITS
        || !text
            .as_bytes()
            .windows(DIGITS - 2)
            .any(|row| row.iter().all(|c| c.is_ascii_digit() || *c == b'.'))
    {
        return text;
    }
    let mut short = String::new();
    let mut rest = &*text;
    let mut quoted = false;
    while let Some(c) = rest.chars().next() {
        if quoted || !c.is_ascii_digit() {
            let escaped = quoted && c == '\\';
            quoted ^= c == '"';
            let length = rest
                .chars()
                .take(if escaped { 2 } else { 1 })
                .map(char::len_utf8)
                .sum();
            short.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        let whole = rest.chars().take_while(is_digit).count();
        let part = rest[whole..]
            .strip_prefix('.')
            .map_or(0, |part| part.chars().take_while(is_digit).count());
        let length = if part > 0 { whole + 1 + part } else { whole };
        let (number, after) = rest.split_at(length);
        if ends_within_name(&short) || begins_within_name(after) {
            short.push_str(number);
        } else {
            short.push_str(&with_exponent(&number[..whole], &number[length - part..]));
        }
        rest = after;
    }
    short
}

/// Whether digits after this text belong to a name: `run_1`, `run-1`, `runs/1`. A sign alone is
/// none.
fn ends_within_name(text: &str) -> bool {
    let mut back = text.chars().rev();
    match back.next() {
        Some('-') => back
            .next()
            .is_some_and(|c| c.is_ascii_alphanumeric() || c == '_'),
        Some(c) => c.is_ascii_alphabetic() || "_/\\".contains(c),
        None => false,
    }
}

/// Whether digits before this text belong to a name: `1_run`, `1-run`, `1/run`, `1.onnx`.
fn begins_within_name(text: &str) -> bool {
    let mut front = text.chars();
    match front.next() {
        Some('.') => front.next().is_some_and(|c| c.is_ascii_alphabetic()),
        Some(c) => c.is_ascii_alphabetic() || "_-/\\".contains(c),
        None => false,
    }
}

/// The number `whole.part`, with an exponent where it has many digits.
fn with_exponent<'a>(whole: &'a str, part: &'a str) -> Cow<'a, str> {
    if whole.len() + part.len() <= DIGITS {
        let point = if part.is_empty() { "" } else { "." };
        return alloc::format!("{whole}{point}{part}").into();
    }
    let digits = alloc::format!("{whole}{part}");
    let Some(first) = digits.find(|c| c != '0') else {
        return "0".into();
    };
    let digits_that_count = digits[first..].trim_end_matches('0');
    let (lead, more) = digits_that_count.split_at(1);
    let point = if more.is_empty() { "" } else { "." };
    let exponent = whole.len() as i64 - 1 - first as i64;
    alloc::format!("{lead}{point}{more}e{exponent}").into()
}

#[cfg(test)]
mod tests {
    use super::{Error, ErrorKind, in_few_digits};
    use alloc::{format, string::ToString};

    /// What `Display` writes in hundreds of digits is written with an exponent, to the same number.
    #[test]
    fn huge_numbers_print_in_few_digits() {
        for number in [
            1e308,
            -1e308,
            f64::MAX,
            f64::MIN_POSITIVE,
            5e-324,
            -1.2345678901234567e-200,
            1e24,
            9.87654321e25,
        ] {
            let text = Error::new(ErrorKind::Value, "", "", number)
                .given()
                .to_string();
            assert!(text.len() < 26, "{text}");
            assert_eq!(text.parse(), Ok(number), "{text}");
            let text = in_few_digits(format!("({number}, {number}) and φ{number}."));
            assert!(
                text.len() < 90 && text.starts_with('(') && text.ends_with('.'),
                "{text}"
            );
        }
        for number in [0.0, 0.1, 1e15, 123456.789, 1e-7, 0.1 + 0.2, -2.0 / 3.0] {
            assert_eq!(in_few_digits(format!("{number}")), format!("{number}"));
        }
        assert_eq!(
            in_few_digits(usize::MAX.to_string()),
            usize::MAX.to_string()
        );
        assert_eq!(
            in_few_digits(format!("{} × {}", usize::MAX, u64::MAX)),
            format!("{} × {}", usize::MAX, u64::MAX)
        );
        assert_eq!(in_few_digits(format!("{:0<30}.", 1)), "1e29.");
        assert_eq!(in_few_digits(format!("0.{:0>30}", 0)), "0");
    }

    /// Names and paths keep theirs, wherever they stand.
    #[test]
    fn names_and_paths_keep_their_digits() {
        let digits = "1234567890123456789012345678";
        for text in [
            format!("run_{digits}.onnx"),
            format!("{digits}.onnx"),
            format!("{digits}.5.csv"),
            format!("runs/{digits}/model"),
            format!("/tmp/{digits}"),
            format!("C:\\{digits}\\model"),
            format!("run-{digits}"),
            format!("2026-{digits}-run"),
            format!("a{digits}b, {digits}_, .chainrule-{digits}.tmp"),
        ] {
            let error = Error::new(ErrorKind::Io, &*text, &*text, &text).within(&text);
            assert_eq!(
                error.to_string(),
                format!("{text}: {text}: got {text}, expected {text}")
            );
        }
        let number = 1e300;
        let text = format!(
            "run_{digits}: -{number}, (-{number}; {number}). alpha={number}, {number} × {number}."
        );
        let short = format!("run_{digits}: -1e300, (-1e300; 1e300). alpha=1e300, 1e300 × 1e300.");
        assert_eq!(in_few_digits(text), short);
    }

    /// A text from a file is shown as it is, and what follows it in few digits.
    #[test]
    fn quoted_texts_keep_their_digits() {
        let text = format!(r#""a\"{:0<40}" and {}"#, 1, 1e300);
        assert_eq!(in_few_digits(text), format!(r#""a\"{:0<40}" and 1e300"#, 1));
    }
}
