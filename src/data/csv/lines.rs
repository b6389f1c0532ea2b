//! The lines of a text file, and their fields.

use super::PLACE;
use crate::data::bytes::wrong;
use crate::data::foreign::foreign;
use crate::error::{ErrorKind, Result};
use alloc::{
    borrow::{Cow, ToOwned},
    format,
    string::String,
    vec::Vec,
};

/// The lines of a text, each of which is a row.
#[derive(Clone)]
pub(super) struct Lines<'a> {
    text: &'a str,
    /// How much has been read.
    at: usize,
    /// `None` of runs of spaces and tabs.
    delimiter: Option<u8>,
    comment: Option<u8>,
}

/// A line of the table.
#[derive(Default)]
pub(super) struct Row<'a> {
    /// Where it begins.
    pub(super) start: usize,
    pub(super) fields: Vec<Cow<'a, str>>,
    /// Whether the first field has quotes.
    pub(super) quoted: bool,
    /// Whether the line ends with a delimiter.
    pub(super) open: bool,
}

impl<'a> Lines<'a> {
    /// Those after the first `skip` lines.
    pub(super) fn new(
        text: &'a [u8],
        delimiter: Option<char>,
        comment: Option<char>,
        skip: usize,
    ) -> Result<Self> {
        let sign = |what: &str, sign: char| match u8::try_from(sign) {
            Ok(byte) if byte.is_ascii() && !b"\"\r\n".contains(&byte) => Ok(byte),
            _ => {
                let expected = "an ASCII character, no quote and no end of a line";
                wrong(
                    ErrorKind::Value,
                    &format!("{what} of {PLACE}"),
                    expected,
                    format!("{sign:?}"),
                )
            }
        };
        let delimiter = delimiter
            .map(|delimiter| sign("delimiter", delimiter))
            .transpose()?;
        let comment = comment
            .map(|comment| sign("comment", comment))
            .transpose()?;
        if let (Some(delimiter), true) = (delimiter, delimiter == comment) {
            return wrong(
                ErrorKind::Value,
                "comment of CSV",
                "another character than the delimiter",
                format!("{:?}", char::from(delimiter)),
            );
        }
        match core::str::from_utf8(text) {
            Ok(text) => {
                let at = if text.starts_with('\u{feff}') { 3 } else { 0 };
                let mut lines = Self {
                    text,
                    at,
                    delimiter,
                    comment,
                };
                for _ in 0..skip {
                    lines.pass_line();
                }
                Ok(lines)
            }
            Err(error) => {
                let at = error.valid_up_to();
                match foreign(text) {
                    Some((other, next)) => wrong(
                        ErrorKind::Parse,
                        PLACE,
                        format!("text in UTF-8 ({next})"),
                        other,
                    ),
                    None => wrong(
                        ErrorKind::Parse,
                        &place(text, at),
                        "text in UTF-8",
                        format!("the byte {:#04x}", text[at]),
                    ),
                }
            }
        }
    }

    /// Reads the next row; `false` after the last.
    pub(super) fn next(&mut self, row: &mut Row<'a>) -> Result<bool> {
        row.fields.clear();
        row.open = false;
        loop {
            self.pass(|byte| byte == b'\r' || byte == b'\n');
            row.start = self.at;
            if self.delimiter.is_none() {
                self.pass(is_space);
            }
            match self.peek() {
                None => return Ok(false),
                sign if sign == self.comment => self.pass_line(),
                Some(b'\r' | b'\n') => {}
                _ => break,
            }
        }
        loop {
            let delimiter = self.delimiter;
            self.pass(|byte| is_space(byte) && Some(byte) != delimiter);
            if delimiter.is_none() && self.line_ends() {
                break;
            }
            let quoted = self.peek() == Some(b'"');
            let field = if quoted {
                self.quoted(row.start)?
            } else {
                self.unquoted()
            };
            row.quoted = if row.fields.is_empty() {
                quoted
            } else {
                row.quoted
            };
            row.open = !quoted && field.is_empty();
            row.fields.push(field);
            if self.line_ends() {
                break;
            }
            if delimiter.is_some() {
                self.at += 1;
            }
        }
        row.open &= row.fields.len() > 1;
        Ok(true)
    }

    /// A field up to a delimiter or the end of the line, without the spaces around it.
    fn unquoted(&mut self) -> Cow<'a, str> {
        let begin = self.at;
        let delimiter = self.delimiter;
        self.pass(|byte| !is_delimiter(byte, delimiter) && byte != b'\r' && byte != b'\n');
        self.text[begin..self.at].trim().into()
    }

    /// A field in quotes, within which two are one.
    fn quoted(&mut self, start: usize) -> Result<Cow<'a, str>> {
        let begin = self.at + 1;
        let mut doubled = false;
        let end = loop {
            self.at += 1;
            self.pass(|byte| byte != b'"');
            let end = self.at;
            if self.peek().is_none() {
                return wrong(
                    ErrorKind::Parse,
                    &self.place(start),
                    "a quote that ends",
                    "the end of the text",
                );
            }
            self.at += 1;
            if self.peek() != Some(b'"') {
                break end;
            }
            doubled = true;
        };
        let delimiter = self.delimiter;
        if delimiter.is_some() {
            self.pass(|byte| is_space(byte) && Some(byte) != delimiter);
        }
        if !self.line_ends()
            && !self
                .peek()
                .is_some_and(|byte| is_delimiter(byte, delimiter))
        {
            let rest = self.text[self.at..].chars().next().unwrap_or_default();
            return wrong(
                ErrorKind::Parse,
                &self.place(start),
                "the end of a field after its quote",
                format!("{rest:?}"),
            );
        }
        let field = &self.text[begin..end];
        Ok(if doubled {
            field.replace("\"\"", "\"").trim().to_owned().into()
        } else {
            field.trim().into()
        })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn line_ends(&self) -> bool {
        matches!(self.peek(), None | Some(b'\r' | b'\n'))
    }

    /// Passes over the bytes that come and are `wanted`.
    fn pass(&mut self, wanted: impl Fn(u8) -> bool) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| wanted(**byte)).count();
    }

    /// Passes over the rest of the line and its end.
    fn pass_line(&mut self) {
        self.pass(|byte| byte != b'\r' && byte != b'\n');
        let rest = &self.text.as_bytes()[self.at..];
        self.at += if rest.starts_with(b"\r\n") {
            2
        } else {
            rest.len().min(1)
        };
    }

    pub(super) fn place(&self, start: usize) -> String {
        place(self.text.as_bytes(), start)
    }
}

fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn is_delimiter(byte: u8, delimiter: Option<u8>) -> bool {
    delimiter.map_or_else(|| is_space(byte), |delimiter| byte == delimiter)
}

/// The line of a byte, as editors count: each of `\n`, `\r\n` and `\r` ends one.
fn place(text: &[u8], at: usize) -> String {
    let ends = |index: &usize| {
        text[*index] == b'\n' || text[*index] == b'\r' && text.get(index + 1) != Some(&b'\n')
    };
    format!("{PLACE}, line {}", 1 + (0..at).filter(ends).count())
}
