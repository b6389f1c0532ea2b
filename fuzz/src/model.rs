//! Model files: what is read is written and predicts.

use chainrule::Real;
use chainrule::data::{Encoder, Table};
use chainrule::prelude::*;

fn read<T: Real>(read: impl Fn(&[u8]) -> Result<Model<T>>, bytes: &[u8]) {
    let Ok(model) = read(bytes) else { return };
    let inputs = model.net().inputs();
    if inputs < 1000 {
        let _ = model.predict(&DMatrix::from_element(inputs, 3, T::of(0.5)));
    }
    if let Some(encoder) = model.encoder()
        && let Ok(table) = table(encoder)
        && let Ok(predicted) = model.predict_table(&table)
    {
        assert_eq!(predicted.len(), table.len());
    }
    // Numbers that JSON does not hold, in the settings of a layer, are an error.
    if let Ok(written) = model.to_safetensors() {
        let again = read(&written)
            .expect("what was written is read")
            .to_safetensors();
        assert_eq!(again.ok(), Some(written));
    }
}

/// Rows for an encoder, with holes and with words that it may know.
fn table(encoder: &Encoder) -> Result<Table> {
    let words: Vec<&str> = encoder.categorical().collect();
    let mut table = Table::new();
    for column in encoder.columns() {
        table = if words.contains(&column) {
            table.with_categories(column, [None, Some("good"), Some("Köln")])?
        } else {
            table.with_numbers(column, [None, Some(0.5), Some(-1e300)])?
        };
    }
    Ok(table)
}

pub(crate) fn run(bytes: &[u8]) {
    read(Model::<f32>::from_safetensors, bytes);
    read(Model::<f64>::from_safetensors, bytes);
}
