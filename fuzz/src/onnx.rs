//! ONNX files: what is read predicts, and is written.

use chainrule::Real;
use chainrule::io::Onnx;
use chainrule::prelude::*;

fn read<T: Real>(bytes: &[u8]) {
    let Ok(model) = Onnx::new().read::<T>(bytes) else {
        return;
    };
    let inputs = model.net().inputs();
    if inputs < 1000 {
        let _ = model.predict(&DMatrix::from_element(inputs, 3, T::of(0.5)));
    }
    let _ = Onnx::new().write(&model);
}

pub(crate) fn run(bytes: &[u8]) {
    read::<f32>(bytes);
    read::<f64>(bytes);
}
