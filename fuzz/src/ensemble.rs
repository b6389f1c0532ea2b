//! Files of ensembles: what is read is written and predicts.

use chainrule::Real;
use chainrule::prelude::*;
use chainrule::uncertainty::Ensemble;

fn read<T: Real>(bytes: &[u8]) {
    let Ok(ensemble) = Ensemble::<T>::from_safetensors(bytes) else {
        return;
    };
    let inputs = ensemble.members()[0].net().inputs();
    if inputs < 1000
        && let Ok(predicted) = ensemble.predict(&DMatrix::from_element(inputs, 3, T::of(0.5)))
    {
        assert_eq!(predicted.mean().shape(), predicted.deviation().shape());
        let _ = predicted.quantile(0.3);
        let _ = predicted.gaussian();
        let _ = predicted.entropy();
        let _ = predicted.mutual_information();
    }
    // Numbers that JSON does not hold, in the settings of a layer, are an error.
    if let Ok(written) = ensemble.to_safetensors() {
        let again = Ensemble::<T>::from_safetensors(&written).expect("what was written is read");
        assert_eq!(again.to_safetensors().ok(), Some(written));
    }
}

pub(crate) fn run(bytes: &[u8]) {
    read::<f32>(bytes);
    read::<f64>(bytes);
}
