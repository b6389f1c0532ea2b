//! Numbers and tables as people read them.

use alloc::{borrow::Cow, format, string::String, vec::Vec};
use core::fmt;

/// Appends a line of fields that are separated by commas (RFC 4180).
pub(crate) fn push_csv<'a>(csv: &mut String, fields: impl Iterator<Item = Cow<'a, str>>) {
    let start = csv.len();
    for (index, field) in fields.enumerate() {
        if index > 0 {
            csv.push(',');
        }
        if field.contains(['"', ',', '\n', '\r']) {
            csv.push('"');
            csv.push_str(&field.replace('"', "\"\""));
            csv.push('"');
        } else {
            csv.push_str(&field);
        }
    }
    if csv.len() == start {
        // A blank line is no row.
        csv.push_str("\"\"");
    }
    csv.push('\n');
}

/// Rows of cells, printed with columns as wide as their widest cell, and no line break at the end.
///
/// A row with fewer cells than the first one ends in free text, which is as long as it likes.
pub(crate) struct TextTable<'a> {
    pub(crate) rows: &'a [Vec<String>],
    /// What stands between two columns.
    pub(crate) gap: &'a str,
    /// The columns that are aligned on the left; all others are aligned on the right.
    pub(crate) left: &'a [usize],
}

impl fmt::Display for TextTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.rows.first() else {
            return Ok(());
        };
        // Without the free text at the end of a short row.
        let columns = |row: &Vec<String>| {
            if row.len() < first.len() {
                row.len().saturating_sub(1)
            } else {
                row.len()
            }
        };
        let mut widths = alloc::vec![0; first.len()];
        for row in self.rows {
            for (width, cell) in widths.iter_mut().zip(&row[..columns(row)]) {
                *width = cell.chars().count().max(*width);
            }
        }
        for (line, row) in self.rows.iter().enumerate() {
            if line > 0 {
                f.write_str("\n")?;
            }
            for (column, cell) in row.iter().enumerate() {
                let gap = if column > 0 { self.gap } else { "" };
                match widths[column] {
                    _ if column >= columns(row) => write!(f, "{gap}{cell}")?,
                    width if self.left.contains(&column) => write!(f, "{gap}{cell:<width$}")?,
                    width => write!(f, "{gap}{cell:>width$}")?,
                }
            }
        }
        Ok(())
    }
}

/// A number in four significant digits, with an exponent if it is below 10⁻⁴ or not below 10⁶.
pub(crate) fn short(number: f64) -> String {
    let scientific = format!("{number:.3e}");
    let exponent = scientific
        .split_once('e')
        .and_then(|(_, exponent)| exponent.parse::<i32>().ok());
    match exponent {
        _ if number == 0.0 => "0".into(),
        Some(exponent @ -4..6) => {
            format!("{number:.*}", usize::try_from(3 - exponent).unwrap_or(0))
        }
        // NaN and ±∞, too.
        _ => scientific,
    }
}

#[cfg(test)]
mod tests {
    use super::{TextTable, short};
    use alloc::{string::ToString, vec::Vec};

    #[test]
    fn columns_line_up() {
        let rows = [
            &["", "name", "σ"][..],
            &["10", "a", "0.5"],
            &["free text"],
            &["1", "free text"],
        ];
        let rows: Vec<Vec<_>> = rows
            .iter()
            .map(|row| row.iter().map(ToString::to_string).collect())
            .collect();
        let table = TextTable {
            rows: &rows,
            gap: "  ",
            left: &[1],
        };
        assert_eq!(
            table.to_string(),
            "    name    σ\n10  a     0.5\nfree text\n 1  free text"
        );
        assert_eq!(TextTable { rows: &[], ..table }.to_string(), "");
    }

    #[test]
    fn numbers_have_four_digits() {
        for (number, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1.000"),
            (-0.25, "-0.2500"),
            (0.000_123_456, "0.0001235"),
            (0.000_099_994, "9.999e-5"),
            (0.000_099_999_9, "0.0001000"),
            (9.9999, "10.00"),
            (999.96, "1000"),
            (123_456.7, "123457"),
            (999_999.0, "1.000e6"),
            (1e300, "1.000e300"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(short(number), expected, "{number:?}");
        }
    }
}
