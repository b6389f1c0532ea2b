//! Values in serde's formats: as JSON and in postcard's bytes, what is read is written and read
//! again.

use chainrule::nn::{Breakpoints, RmsNorm};
use chainrule::optim::{OptimizerState, Penalty, Schedule};
use chainrule::prelude::*;
use chainrule::train::History;
use serde::{Serialize, de::DeserializeOwned};

fn read<V: Serialize + DeserializeOwned>(bytes: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<V>(bytes) {
        let text = serde_json::to_string(&value).expect("what was read is written");
        let again: V = serde_json::from_str(&text).expect("what was written is read");
        assert_eq!(serde_json::to_string(&again).ok(), Some(text));
    }
    if let Ok(value) = postcard::from_bytes::<V>(bytes) {
        let written = postcard::to_allocvec(&value).expect("what was read is written");
        let again: V = postcard::from_bytes(&written).expect("what was written is read");
        assert_eq!(postcard::to_allocvec(&again).ok(), Some(written));
    }
}

pub(crate) fn run(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    match which % 16 {
        0 => read::<Sequential<f32>>(bytes),
        1 => read::<Sequential<f64>>(bytes),
        2 => read::<Model<f64>>(bytes),
        3 => read::<Scaler<f32>>(bytes),
        4 => read::<OptimizerState<f64>>(bytes),
        5 => read::<History>(bytes),
        6 => read::<Activation>(bytes),
        7 => read::<Breakpoints>(bytes),
        8 => read::<Schedule>(bytes),
        9 => read::<Init>(bytes),
        10 => read::<Stop>(bytes),
        11 => read::<Penalty>(bytes),
        12 => read::<Adam<f32>>(bytes),
        13 => read::<Sgd<f64>>(bytes),
        14 => read::<RmsNorm>(bytes),
        _ => read::<Dense>(bytes),
    }
}
