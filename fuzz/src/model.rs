//! Model files: what is read is written and predicts.

use chainrule::Real;
use chainrule::prelude::*;

fn read<T: Real>(read: impl Fn(&[u8]) -> Result<Model<T>>, bytes: &[u8]) {
    let Ok(model) = read(bytes) else { return };
    let inputs = model.net().inputs();
    if inputs < 1000 {
        let _ = model.predict(&DMatrix::from_element(inputs, 3, T::of(0.5)));
    }
    // Numbers that JSON does not hold, in the settings of a layer, are an error.
    if let Ok(written) = model.to_safetensors() {
        let again = read(&written)
            .expect("what was written is read")
            .to_safetensors();
        assert_eq!(again.ok(), Some(written));
    }
}

pub(crate) fn run(bytes: &[u8]) {
    read(Model::<f32>::from_safetensors, bytes);
    read(Model::<f64>::from_safetensors, bytes);
}
