//! A few samples in the units of the network.

use super::run::Units;
use crate::data::slopes::transform;
use crate::data::{Batch, Scaler};
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View, ViewMut};
use alloc::{format, vec::Vec};

/// Buffers for inputs, targets and slopes, which are reused.
pub(super) struct ScaledSamples<T> {
    inputs: Vec<T>,
    targets: Vec<T>,
    slopes: Vec<T>,
}

impl<T> Default for ScaledSamples<T> {
    fn default() -> Self {
        Self {
            inputs: Vec::new(),
            targets: Vec::new(),
            slopes: Vec::new(),
        }
    }
}

impl<T: Real> ScaledSamples<T> {
    /// The samples in the units of the network: a side without a scaler as it is.
    pub(super) fn batch<'s>(
        &'s mut self,
        units: Units<'_, T>,
        Batch { x, target }: Batch<'s, T>,
    ) -> Result<Batch<'s, T>> {
        let Self {
            inputs,
            targets,
            slopes,
        } = self;
        let sizes = (target.values().rows(), x.rows());
        let x = scale(units.inputs, x, inputs).map_err(|error| error.within("inputs x"))?;
        let values = scale(units.outputs, target.values(), targets)
            .map_err(|error| error.within("targets"))?;
        let known = target.slopes().map(|known| known.as_slice());
        let known = match known {
            Some(known) if units.inputs.is_some() || units.outputs.is_some() => {
                slopes.clear();
                slopes.extend_from_slice(known);
                check_slopes(sizes, known.len() / target.values().cols().max(1))?;
                transform(slopes, sizes, units.inputs, units.outputs);
                Some(slopes.as_slice())
            }
            known => known,
        };
        let target = Targets::from_parts(values, target.weights()).and_slopes(known);
        Ok(Batch { x, target })
    }
}

/// Each sample must have a slope of each output by each input, for each to have its scales.
fn check_slopes((outputs, inputs): (usize, usize), given: usize) -> Result<()> {
    if given == outputs * inputs {
        return Ok(());
    }
    let expected = format!("{outputs}·{inputs} numbers a sample (outputs·inputs)");
    Err(Error::new(ErrorKind::Shape, "slopes", expected, given))
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
