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
    // All numbers in one piece where all rows are asked for: there may be many, and one of each
    // sample.
    let (numbers, height) = (targets.as_slice(), targets.rows());
    let (piece, rows) = if rows.len() == height {
        (numbers.len(), 0..numbers.len())
    } else {
        (height, rows)
    };
    let pieces = || {
        numbers
            .chunks_exact(piece.max(1))
            .map(|piece| &piece[rows.clone()])
    };
    let largest = pieces().fold(0.0, |largest, piece| {
        let sizes = piece.iter().map(|t| t.as_f64().abs());
        sizes.fold(largest, f64::max)
    });
    let far = (largest > LARGE).then_some(Warning::LargeTargets { largest });
    if (low, high) == (f64::NEG_INFINITY, f64::INFINITY) {
        return Ok(far);
    }
    let (least, most) = (T::of(low), T::of(high));
    let reached = |t: &&T| **t >= least && **t <= most;
    let targets = pieces().map(<[T]>::len).sum::<usize>();
    let inside = pieces().map(|piece| piece.iter().filter(reached).count());
    let outside = targets - inside.sum::<usize>();
    if outside == targets {
        let top = net.layout().place(net.layers().len() - 1);
        let expected = format!(
            "numbers in [{low}, {high}], which {top} can give (scale the targets, or end on a \
             linear layer)"
        );
        let first = pieces().flatten().next().copied().unwrap_or_else(T::zero);
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
