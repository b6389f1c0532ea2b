//! The values of a column of a table.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::cmp::Ordering;

/// Numbers or words, each of which may be missing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Values {
    Numbers(Numbers),
    Categories(Categories),
}

/// Finite numbers; a hole is NaN.
#[derive(Clone, Debug)]
pub(crate) struct Numbers(pub(crate) Vec<f64>);

/// Words as codes: the word of row j is `words[codes[j]]`.
#[derive(Clone, Debug)]
pub(crate) struct Categories {
    words: Arc<[String]>,
    codes: Vec<u32>,
}

/// The code of a hole.
const HOLE: u32 = u32::MAX;

impl Values {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Numbers(Numbers(numbers)) => numbers.len(),
            Self::Categories(categories) => categories.codes.len(),
        }
    }

    /// How errors call what the column holds.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Numbers(_) => "numbers",
            Self::Categories(_) => "categories",
        }
    }

    pub(crate) fn is_hole(&self, row: usize) -> bool {
        match self {
            Self::Numbers(Numbers(numbers)) => numbers[row].is_nan(),
            Self::Categories(categories) => categories.codes[row] == HOLE,
        }
    }

    /// The values of these rows, in this order; a row may come again.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Numbers(Numbers(numbers)) => {
                Self::Numbers(Numbers(rows.iter().map(|row| numbers[*row]).collect()))
            }
            Self::Categories(Categories { words, codes }) => Self::Categories(Categories {
                words: words.clone(),
                codes: rows.iter().map(|row| codes[*row]).collect(),
            }),
        }
    }

    /// The value of a row as text; `None` of a hole.
    pub(crate) fn text(&self, row: usize) -> Option<String> {
        match self {
            Self::Numbers(Numbers(numbers)) => {
                let number = numbers[row];
                (!number.is_nan()).then(|| exact(number))
            }
            Self::Categories(categories) => categories.word(row).map(String::from),
        }
    }

    /// The rows by class, one for each value that there is and a last one for holes: the class of
    /// each row, and what errors call the classes.
    pub(crate) fn classes(&self) -> (Vec<usize>, Vec<String>) {
        match self {
            Self::Numbers(Numbers(numbers)) => {
                // Adding 0 makes 0 of −0.
                let present = numbers.iter().filter(|number| !number.is_nan());
                let mut values: Vec<f64> = present.map(|number| number + 0.0).collect();
                values.sort_by(f64::total_cmp);
                values.dedup();
                let class = |number: &f64| {
                    let found = values.binary_search_by(|value| value.total_cmp(&(number + 0.0)));
                    found.unwrap_or(values.len())
                };
                let named = values.iter().map(ToString::to_string);
                (
                    numbers.iter().map(class).collect(),
                    named.chain(["a hole".into()]).collect(),
                )
            }
            Self::Categories(categories) => {
                let words = categories.present();
                let place: BTreeMap<&str, usize> =
                    (0..).zip(&words).map(|(k, w)| (*w, k)).collect();
                let class = |word: Option<&str>| match word {
                    Some(word) => place[word],
                    None => words.len(),
                };
                let classes = categories.iter().map(class).collect();
                let named = words.iter().map(|word| format!("{word:?}"));
                (classes, named.chain(["a hole".into()]).collect())
            }
        }
    }
}

/// Digits that are read back as the same number.
fn exact(number: f64) -> String {
    let plain = number.to_string();
    let short = format!("{number:e}");
    if plain.len() <= short.len() + 3 {
        plain
    } else {
        short
    }
}

/// Holes are equal.
impl PartialEq for Numbers {
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): (&f64, &f64)| a == b || a.is_nan() && b.is_nan();
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(same)
    }
}

impl Categories {
    /// The column of these words.
    pub(crate) fn new<'w>(words: impl Iterator<Item = Option<&'w str>>) -> Self {
        let mut known: BTreeMap<&str, u32> = BTreeMap::new();
        let mut list = Vec::new();
        let code = |word: Option<&'w str>| {
            let Some(word) = word else { return HOLE };
            *known.entry(word).or_insert_with(|| {
                list.push(String::from(word));
                (list.len() - 1) as u32
            })
        };
        let codes = words.map(code).collect();
        Self {
            words: list.into(),
            codes,
        }
    }

    pub(crate) fn word(&self, row: usize) -> Option<&str> {
        match self.codes[row] {
            HOLE => None,
            code => Some(&self.words[code as usize]),
        }
    }

    /// The words, row by row.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Option<&str>> {
        (0..self.codes.len()).map(|row| self.word(row))
    }

    /// How often each word that some row has is there, in the order of [`compare`].
    pub(crate) fn counts(&self) -> Vec<(&str, usize)> {
        let mut counts = alloc::vec![0; self.words.len()];
        for code in self.codes.iter().filter(|code| **code != HOLE) {
            counts[*code as usize] += 1;
        }
        let mut present: Vec<_> = self
            .words
            .iter()
            .map(String::as_str)
            .zip(counts)
            .filter(|(_, count)| *count > 0)
            .collect();
        let numbers = present.iter().all(|(word, _)| number(word).is_some());
        present.sort_by(|(a, _), (b, _)| compare(a, b, numbers));
        present
    }

    /// The words that some row has, in the order of [`compare`].
    pub(crate) fn present(&self) -> Vec<&str> {
        self.counts().into_iter().map(|(word, _)| word).collect()
    }
}

/// The number that a word is.
fn number(word: &str) -> Option<f64> {
    word.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The order of words: by value if all are `numbers`, else by text.
fn compare(a: &str, b: &str, numbers: bool) -> Ordering {
    let values = if numbers {
        number(a).partial_cmp(&number(b))
    } else {
        None
    };
    values.unwrap_or(Ordering::Equal).then_with(|| a.cmp(b))
}

/// Compares words, whatever codes they have.
impl PartialEq for Categories {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}
