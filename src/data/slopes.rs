//! Slopes in other units.

use super::Scaler;
use crate::numeric::real::Real;
use crate::numeric::view::ViewMut;

/// ∂y/∂x of samples, `rows` outputs and a column for each input of each sample, in the units of
/// scalers of x and y: with their scales s, ∂yᵢ/∂xₖ becomes ∂yᵢ/∂xₖ·sₖ/sᵢ.
pub(crate) fn transform<T: Real>(
    slopes: &mut [T],
    (outputs, features): (usize, usize),
    inputs: Option<&Scaler<T>>,
    targets: Option<&Scaler<T>>,
) {
    let columns = slopes.len() / outputs.max(1);
    let mut slopes = ViewMut::from_parts(slopes, outputs, columns);
    for (column, slopes) in slopes.iter_mut().enumerate() {
        let by_input = inputs.map_or(T::one(), |scaler| scaler.scale()[column % features]);
        for (output, slope) in slopes.iter_mut().enumerate() {
            let by_output = targets.map_or(T::one(), |scaler| scaler.scale()[output]);
            let scaled = *slope * by_input / by_output;
            // The product may overflow where its quotient does not.
            *slope = if scaled.is_finite() {
                scaled
            } else {
                *slope / by_output * by_input
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Result;

    #[test]
    fn each_slope_has_its_scales() -> Result<()> {
        let inputs = Scaler::new(vec![5.0, 6.0, 7.0], vec![2.0, 4.0, 8.0])?;
        let targets = Scaler::new(vec![1.0, 1.0], vec![16.0, 0.5])?;
        // two samples of two outputs and three inputs
        let ones = [1.0; 12];
        for (x, y, expected) in [
            (Some(&inputs), None, [2.0, 2.0, 4.0, 4.0, 8.0, 8.0]),
            (
                None,
                Some(&targets),
                [0.0625, 2.0, 0.0625, 2.0, 0.0625, 2.0],
            ),
            (
                Some(&inputs),
                Some(&targets),
                [0.125, 4.0, 0.25, 8.0, 0.5, 16.0],
            ),
        ] {
            let mut slopes = ones;
            transform(&mut slopes, (2, 3), x, y);
            assert_eq!(slopes, [expected, expected].concat()[..]);
        }
        let (huge, tiny) = (
            Scaler::new(vec![0.0], vec![1e300])?,
            Scaler::new(vec![0.0], vec![1e200])?,
        );
        let mut slopes = [1e100];
        transform(&mut slopes, (1, 1), Some(&huge), Some(&tiny));
        assert!((slopes[0] / 1e200 - 1.0_f64).abs() < 1e-15);
        Ok(())
    }
}
