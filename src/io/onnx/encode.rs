//! The encoder of tables before a network: an input per column.

use super::proto::{self, ATTRIBUTE_INT, ATTRIBUTE_INTS, ATTRIBUTE_STRINGS};
use super::writer::{Writer, int};
use crate::data::{Encoder, Fitted, Index, OneHot, ScaledNumbers, Unknown, Words};
use crate::error::{Error, ErrorKind, Result};
use alloc::{format, string::String, vec, vec::Vec};

/// The operators of ONNX for classical machine learning, of which `LabelEncoder` is one.
pub(super) const MACHINE_LEARNING: &str = "ai.onnx.ml";

/// What the codes of words say beside their place.
const UNKNOWN: i64 = -1;
const HOLE: i64 = -2;

/// An encoder that has been written.
pub(super) struct Encoded {
    /// The inputs of the graph, with their types.
    pub(super) inputs: Vec<(String, i32)>,
    /// Values that are true for rows that the encoder refuses.
    refused: Vec<String>,
}

/// Writes the encoder, whose outputs are then the last value.
pub(super) fn encode(writer: &mut Writer, encoder: &Encoder) -> Result<Encoded> {
    let mut encoded = Encoded {
        inputs: Vec::new(),
        refused: Vec::new(),
    };
    let mut outputs = Vec::new();
    for (index, (name, fitted)) in encoder.fitted().enumerate() {
        writer.scope = format!("encoder{index}");
        let mut column = Column {
            writer,
            name,
            outputs: &mut outputs,
            refused: &mut encoded.refused,
        };
        let kind = match fitted {
            Fitted::Numbers(numbers) => {
                let holes = column.writer.node("IsNaN", vec![], vec![name.into()]);
                column.numbers(name.into(), &holes, numbers)?;
                column.writer.kind()
            }
            Fitted::OneHot(one_hot) => {
                column.one_hot(one_hot)?;
                proto::STRING
            }
            Fitted::Index(index) => {
                column.index(index)?;
                proto::STRING
            }
        };
        encoded.inputs.push((name.into(), kind));
    }
    writer.scope = "encoder".into();
    writer.value = writer.node("Concat", vec![int("axis", 1)], outputs);
    Ok(encoded)
}

impl Encoded {
    /// Goes on with NaN for the rows that the encoder refuses.
    pub(super) fn refuse(&self, writer: &mut Writer) {
        writer.scope = "refused".into();
        let any = self
            .refused
            .iter()
            .cloned()
            .reduce(|any, more| writer.node("Or", vec![], vec![any, more]));
        if let Some(any) = any {
            let nan = writer.number(f64::NAN);
            let value = writer.value.clone();
            writer.value = writer.node("Where", vec![], vec![any, nan, value]);
        }
    }

    /// The name of a column must not be that of another value.
    pub(super) fn check_names(&self, graph: &proto::Graph) -> Result<()> {
        let made = graph.node.iter().flat_map(|node| &node.output);
        let mut taken = graph
            .initializer
            .iter()
            .map(|tensor| &tensor.name)
            .chain(made);
        match taken.find(|taken| self.inputs.iter().any(|(name, _)| name == *taken)) {
            None => Ok(()),
            Some(name) => Err(Error::new(
                ErrorKind::Incompatible,
                "Onnx::write",
                "columns whose names are those of no value in the graph",
                format!("{name:?}"),
            )),
        }
    }
}

/// A column that is being written.
struct Column<'w> {
    writer: &'w mut Writer,
    name: &'w str,
    outputs: &'w mut Vec<String>,
    refused: &'w mut Vec<String>,
}

impl Column<'_> {
    /// Fills and scales these numbers, of which `holes` says where there is none.
    fn numbers(&mut self, numbers: String, holes: &str, scaled: &ScaledNumbers) -> Result<()> {
        let filled = match scaled.fill {
            Some(fill) => {
                let fill = self.number(fill)?;
                self.writer
                    .node("Where", vec![], vec![holes.into(), fill, numbers])
            }
            None => {
                self.refused.push(holes.into());
                numbers
            }
        };
        let (shift, scale) = (self.number(scaled.shift)?, self.number(scaled.scale)?);
        let shifted = self.writer.node("Sub", vec![], vec![filled, shift]);
        let output = self.writer.node("Div", vec![], vec![shifted, scale]);
        self.outputs.push(output);
        if scaled.indicator {
            self.output(holes.into());
        }
        Ok(())
    }

    fn one_hot(&mut self, one_hot: &OneHot) -> Result<()> {
        let codes = self.codes(&one_hot.categories)?;
        let places = one_hot.categories.places() as i64;
        let places: Vec<i64> = (0..places).collect();
        let hot = self.equal(&codes, &places);
        self.output(hot);
        if one_hot.indicator {
            let holes = self.equal(&codes, &[HOLE]);
            self.output(holes);
        }
        Ok(())
    }

    fn index(&mut self, index: &Index) -> Result<()> {
        let codes = self.codes(&index.categories)?;
        let zero = self.integers(&[0]);
        let holes = self.writer.node("Less", vec![], vec![codes.clone(), zero]);
        let numbers = self.cast(codes);
        self.numbers(numbers, &holes, &index.number)
    }

    /// The places of words; what the encoder refuses is noted.
    fn codes(&mut self, words: &Words) -> Result<String> {
        let rare = words.words.len() as i64;
        let known = (0..).zip(&words.words).map(|(place, word)| (word, place));
        let known = known.chain(words.rare.iter().map(|word| (word, rare)));
        let (mut keys, mut values): (Vec<Vec<u8>>, Vec<i64>) = known
            .map(|(word, place)| (word.clone().into_bytes(), place))
            .unzip();
        if keys.iter().any(Vec::is_empty) {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!("column {:?} of Onnx::write", self.name),
                "categories that are no empty texts, for these are holes",
                "\"\"",
            ));
        }
        keys.push(Vec::new());
        values.push(HOLE);
        let default = if words.unknown == Unknown::Rare {
            rare
        } else {
            UNKNOWN
        };
        let attributes = vec![
            proto::Attribute {
                name: "keys_strings".into(),
                strings: keys,
                r#type: ATTRIBUTE_STRINGS,
                ..Default::default()
            },
            proto::Attribute {
                name: "values_int64s".into(),
                ints: values,
                r#type: ATTRIBUTE_INTS,
                ..Default::default()
            },
            proto::Attribute {
                name: "default_int64".into(),
                i: default,
                r#type: ATTRIBUTE_INT,
                ..Default::default()
            },
        ];
        let codes = self
            .writer
            .node("LabelEncoder", attributes, vec![self.name.into()]);
        if let Some(node) = self.writer.graph.node.last_mut() {
            node.domain = MACHINE_LEARNING.into();
        }
        if words.unknown == Unknown::Error {
            let unknown = self.equal(&codes, &[UNKNOWN]);
            self.refused.push(unknown);
        }
        Ok(codes)
    }

    fn equal(&mut self, codes: &str, others: &[i64]) -> String {
        let others = self.integers(others);
        self.writer
            .node("Equal", vec![], vec![codes.into(), others])
    }

    fn integers(&mut self, numbers: &[i64]) -> String {
        let first = numbers.first().copied().unwrap_or_default();
        let name = format!("integers/{first}+{}", numbers.len());
        self.writer.integers(name, numbers)
    }

    fn cast(&mut self, value: String) -> String {
        let to = int("to", self.writer.kind().into());
        self.writer.node("Cast", vec![to], vec![value])
    }

    /// These truth values as numbers are outputs.
    fn output(&mut self, truth: String) {
        let numbers = self.cast(truth);
        self.outputs.push(numbers);
    }

    /// A constant, which the scalar must hold.
    fn number(&mut self, v: f64) -> Result<String> {
        let held = if self.writer.double {
            v
        } else {
            f64::from(v as f32)
        };
        if held.is_finite() && (held != 0.0 || v == 0.0) {
            return Ok(self.writer.number(v));
        }
        Err(Error::new(
            ErrorKind::NotFinite,
            format!("column {:?} of Onnx::write", self.name),
            "numbers that f32 holds",
            v,
        ))
    }
}
