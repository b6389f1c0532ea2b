//! Targets that the last layer cannot reach, or that are far.

use super::history::Warning;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::loss::Loss;
use crate::nn::sequential::Sequential;
use crate::numeric::real::Real;
use crate::numeric::view::View;
use alloc::format;
use core::ops::Range;

/// Targets beyond this take a network that starts near 1 longer than anybody waits.
const LARGE: f64 = 1000.0;

/// Refuses targets of which no output can reach any, and warns of those of which some are out of
/// reach, or far.
pub(super) fn check_reach<T: Real>(
    net: &Sequential<T>,
    targets: View<'_, T>,
    loss: &dyn Loss<T>,
) -> Result<Option<Warning>> {
    let Some(heads) = loss.heads() else {
        return check_rows(net, targets, 0..targets.rows(), loss);
    };
    let mut first = None;
    for (head, loss) in heads.iter() {
        let warning = check_rows(net, targets, head.targets.clone(), loss)
            .map_err(|error| error.within(format!("head {:?}", head.name)))?;
        first = first.or(warning);
    }
    Ok(first)
}

/// The same of some rows of the targets.
fn check_rows<T: Real>(
    net: &Sequential<T>,
    targets: View<'_, T>,
    rows: Range<usize>,
    loss: &dyn Loss<T>,
) -> Result<Option<Warning>> {
    let (low, high) = net.bounds();
    if !loss.measures_distance() {
        return Ok(None);
    }
    let numbers = || targets.iter().flat_map(|column| &column[rows.clone()]);
    let sizes = numbers().map(|t| t.as_f64().abs());
    let largest = sizes.fold(0.0, f64::max);
    let far = (largest > LARGE).then_some(Warning::LargeTargets { largest });
    if (low, high) == (f64::NEG_INFINITY, f64::INFINITY) {
        return Ok(far);
    }
    let reached = |t: &&T| **t >= T::of(low) && **t <= T::of(high);
    let targets = rows.len() * targets.cols();
    let outside = targets - numbers().filter(reached).count();
    if outside == targets {
        let top = net.layout().place(net.layers().len() - 1);
        let expected = format!(
            "numbers in [{low}, {high}], which {top} can give (scale the targets, or end on a \
             linear layer)"
        );
        let first = numbers().next().copied().unwrap_or_else(T::zero);
        let given = format!("none of {targets} in there; the first is {first}");
        return Err(Error::new(
            ErrorKind::Incompatible,
            "targets",
            expected,
            given,
        ));
    }
    let out_of_reach = Warning::TargetsOutOfReach {
        outside,
        targets,
        low,
        high,
    };
    Ok(if outside > 0 { Some(out_of_reach) } else { far })
}
