//! A few samples in the units of the network.

use super::run::Units;
use crate::data::{Batch, Scaler};
use crate::error::Result;
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View, ViewMut};
use alloc::vec::Vec;

/// Buffers for inputs and targets, which are reused.
pub(super) struct ScaledSamples<T> {
    inputs: Vec<T>,
    targets: Vec<T>,
}

impl<T> Default for ScaledSamples<T> {
    fn default() -> Self {
        let (inputs, targets) = (Vec::new(), Vec::new());
        Self { inputs, targets }
    }
}

impl<T: Real> ScaledSamples<T> {
    /// The samples in the units of the network: a side without a scaler as it is.
    pub(super) fn batch<'s>(
        &'s mut self,
        units: Units<'_, T>,
        Batch { x, target }: Batch<'s, T>,
    ) -> Result<Batch<'s, T>> {
        let Self { inputs, targets } = self;
        let x = scale(units.inputs, x, inputs).map_err(|error| error.within("inputs x"))?;
        let values = scale(units.outputs, target.values(), targets)
            .map_err(|error| error.within("targets"))?;
        let target = Targets::from_parts(values, target.weights());
        Ok(Batch { x, target })
    }
}

fn scale<'s, T: Real>(
    scaler: Option<&Scaler<T>>,
    numbers: View<'s, T>,
    buffer: &'s mut Vec<T>,
) -> Result<View<'s, T>> {
    let Some(scaler) = scaler else {
        return Ok(numbers);
    };
    buffer.clear();
    buffer.extend_from_slice(numbers.as_slice());
    let (rows, cols) = numbers.shape();
    scaler.transform_mut(ViewMut::from_parts(buffer, rows, cols))?;
    Ok(View::from_parts(buffer, rows, cols))
}
