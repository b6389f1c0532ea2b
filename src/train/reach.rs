//! Targets that the last layer cannot reach.

use super::history::Warning;
use crate::data::Dataset;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::loss::Loss;
use crate::nn::sequential::Sequential;
use crate::numeric::real::Real;
use alloc::format;

/// Refuses data of which no output can reach any target, and warns of those of which some are out of reach.
pub(super) fn check_reach<T: Real>(
    net: &Sequential<T>,
    data: &Dataset<T>,
    loss: &dyn Loss<T>,
) -> Result<Option<Warning>> {
    let (low, high) = net.bounds();
    if !loss.measures_distance() || (low, high) == (f64::NEG_INFINITY, f64::INFINITY) {
        return Ok(None);
    }
    let reached = |t: &&T| **t >= T::of(low) && **t <= T::of(high);
    let targets = data.targets().len();
    let outside = targets - data.targets().iter().filter(reached).count();
    if outside == targets {
        let top = net.layout().place(net.layers().len() - 1);
        let expected = format!(
            "numbers in [{low}, {high}], which {top} can give (scale the targets, or end on a linear layer)"
        );
        let given = format!(
            "none of {targets} in there; the first is {}",
            data.targets()[0]
        );
        return Err(Error::new(
            ErrorKind::Incompatible,
            "targets",
            expected,
            given,
        ));
    }
    Ok((outside > 0).then_some(Warning::TargetsOutOfReach {
        outside,
        targets,
        low,
        high,
    }))
}
