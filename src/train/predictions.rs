//! From a network's outputs to predictions in the units of the data.

use crate::data::Scaler;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::loss::OutputFunction;
use crate::numeric::real::{Real, magnitude};
use crate::numeric::view::ViewMut;
use alloc::format;
#[cfg(feature = "onnx")]
use alloc::vec::Vec;
use core::ops::Range;

/// Makes predictions of outputs: `function`, and the way back to the units of the data.
pub(super) fn predict<T: Real>(
    function: &OutputFunction,
    scaler: Option<&Scaler<T>>,
    mut y: ViewMut<'_, T>,
) -> Result<()> {
    check_heads(function, y.rows())?;
    function.apply(y.reborrow());
    let deviations = |scale: T, deviation: T| magnitude(scale) * deviation;
    to_units(function, scaler, y, deviations)
}

/// Takes outputs to the units of the data, before any function.
pub(super) fn score<T: Real>(
    function: &OutputFunction,
    scaler: Option<&Scaler<T>>,
    y: ViewMut<'_, T>,
) -> Result<()> {
    check_heads(function, y.rows())?;
    let logarithms = |scale: T, s: T| s + T::of(2.0) * magnitude(scale).ln();
    to_units(function, scaler, y, logarithms)
}

/// What outputs of so many are of which targets, by which function.
#[cfg(feature = "onnx")]
fn parts(
    function: &OutputFunction,
    outputs: usize,
    targets: usize,
) -> Vec<(Range<usize>, Range<usize>, &OutputFunction)> {
    match function.heads() {
        [] => alloc::vec![(0..outputs, 0..targets, function)],
        heads => heads
            .iter()
            .map(|head| {
                let (outputs, targets) = (head.outputs.clone(), head.targets.clone());
                (outputs, targets, &head.output_function)
            })
            .collect(),
    }
}

/// The scaler of so many outputs that [`score`] applies by one of targets.
#[cfg(feature = "onnx")]
pub(super) fn by_output<T: Real>(
    function: &OutputFunction,
    scaler: &Scaler<T>,
    outputs: usize,
) -> Result<Scaler<T>> {
    let (mut shift, mut scale) = (alloc::vec![T::zero(); outputs], Vec::new());
    score(
        function,
        Some(scaler),
        ViewMut::from_parts(&mut shift, outputs, 1),
    )?;
    for (outputs, targets, function) in parts(function, outputs, scaler.features()) {
        let logarithms =
            |place: usize| *function == OutputFunction::Normal && place >= targets.len();
        let scaled = matches!(function, OutputFunction::Identity | OutputFunction::Normal);
        scale.extend((0..outputs.len()).map(|place| {
            if scaled && !logarithms(place) {
                scaler.scale()[targets.start + place % targets.len()]
            } else {
                T::one()
            }
        }));
    }
    Scaler::new(shift, scale)
}

/// The scaler of targets of which `scaler` is that of the outputs.
#[cfg(feature = "onnx")]
pub(super) fn by_target<T: Real>(
    function: &OutputFunction,
    scaler: Scaler<T>,
) -> Result<Scaler<T>> {
    let outputs = scaler.features();
    check_heads(function, outputs)?;
    let targets = match function {
        OutputFunction::Normal => outputs / 2,
        _ => function
            .heads()
            .last()
            .map_or(outputs, |head| head.targets.end),
    };
    if targets == outputs {
        return Ok(scaler);
    }
    let (mut shift, mut scale) = (Vec::new(), Vec::new());
    for (outputs, targets, _) in parts(function, outputs, targets) {
        let end = outputs.start.saturating_add(targets.len());
        let first = outputs.start..outputs.end.min(end);
        shift.extend_from_slice(&scaler.shift()[first.clone()]);
        scale.extend_from_slice(&scaler.scale()[first]);
    }
    if shift.len() == targets {
        let own = Scaler::new(shift, scale)?;
        if by_output(function, &own, outputs)? == scaler {
            return Ok(own);
        }
    }
    Err(Error::new(
        ErrorKind::Incompatible,
        "scaler of outputs",
        "one that says the same of all outputs of a target",
        "another",
    ))
}

/// The heads must be those of so many outputs.
pub(super) fn check_heads(function: &OutputFunction, outputs: usize) -> Result<()> {
    match function.heads().last().map(|head| head.outputs.end) {
        Some(end) if end != outputs => Err(Error::new(
            ErrorKind::Shape,
            "heads of Model",
            format!("{end} outputs, as the heads have together"),
            outputs,
        )),
        _ => Ok(()),
    }
}

/// The way back to the units of the data; `spread` is that of what says how uncertain a number is,
/// told the scale.
fn to_units<T: Real>(
    function: &OutputFunction,
    scaler: Option<&Scaler<T>>,
    mut y: ViewMut<'_, T>,
    spread: impl Fn(T, T) -> T + Copy,
) -> Result<()> {
    let Some(scaler) = scaler else {
        return Ok(());
    };
    let normal = *function == OutputFunction::Normal;
    if function.heads().is_empty() && !normal && y.rows() == scaler.features() {
        return scaler.inverse_mut(y);
    }
    let (all, outputs) = (0..scaler.features(), y.rows());
    if function.heads().is_empty() && !outputs.is_multiple_of(all.end) {
        let expected = format!("a multiple of {}, the features of their scaler", all.end);
        return Err(Error::new(
            ErrorKind::Shape,
            "outputs of Model",
            expected,
            outputs,
        ));
    }
    for y in y.iter_mut() {
        if function.heads().is_empty() {
            part_to_units(function, scaler, &all, y, spread);
        }
        for head in function.heads() {
            let y = &mut y[head.outputs.clone()];
            part_to_units(&head.output_function, scaler, &head.targets, y, spread);
        }
    }
    Ok(())
}

/// The same of the outputs of a sample that are of these targets: a number of each, and perhaps
/// others of each behind.
fn part_to_units<T: Real>(
    function: &OutputFunction,
    scaler: &Scaler<T>,
    targets: &Range<usize>,
    y: &mut [T],
    spread: impl Fn(T, T) -> T,
) {
    for (block, y) in y.chunks_mut(targets.len().max(1)).enumerate() {
        match function {
            OutputFunction::Normal if block == 1 => {
                for (y, scale) in y.iter_mut().zip(&scaler.scale()[targets.clone()]) {
                    *y = spread(*scale, *y);
                }
            }
            OutputFunction::Identity | OutputFunction::Normal => {
                scaler.inverse_part(targets.start, y);
            }
            // Probabilities and rates have no other units.
            _ => {}
        }
    }
}
