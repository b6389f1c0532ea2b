//! Successive halving: how many trials get how much.

use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::ensure;
use alloc::{format, vec, vec::Vec};

/// Trials that each get the same budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rung {
    pub(super) trials: usize,
    pub(super) budget: usize,
}

/// How the hopeless are sorted out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Halving {
    /// The best 1/`factor` go on, with `factor` times the budget.
    pub(super) factor: usize,
    /// No trial gets less.
    pub(super) least: usize,
}

/// A rung with all trials, or with halving several: the last one with the whole budget, each before
/// with 1/η of the budget and η times the trials, as far down as trials and budget go.
pub(super) fn rungs(trials: usize, budget: usize, halving: Option<Halving>) -> Result<Vec<Rung>> {
    let place = "Search::halving";
    ensure(budget > 0, "Search::budget", "at least 1", budget)?;
    let Some(Halving { factor, least }) = halving else {
        return Ok(vec![Rung { trials, budget }]);
    };
    ensure(factor >= 2, place, "a factor of at least 2", factor)?;
    ensure(least > 0, "Search::least_budget", "at least 1", least)?;
    // The powers of the factor, of which the rungs divide.
    let mut powers = vec![1_usize];
    while let Some(power) = powers[powers.len() - 1].checked_mul(factor)
        && trials / power >= 1
        && budget / power >= least
    {
        powers.push(power);
    }
    if powers.len() == 1 {
        let expected = format!(
            "at least {factor} trials, and for each a budget of {factor} times the least, so that \
             there is something to divide"
        );
        let given = format!("{trials} trials, a budget of {budget}, at least {least}");
        return Err(Error::new(ErrorKind::Incompatible, place, expected, given));
    }
    let rung = |(down, up): (&usize, &usize)| Rung {
        trials: trials / down,
        budget: budget / up,
    };
    Ok(powers.iter().zip(powers.iter().rev()).map(rung).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halved(trials: usize, budget: usize, factor: usize, least: usize) -> Vec<(usize, usize)> {
        rungs(trials, budget, Some(Halving { factor, least }))
            .expect("something to halve")
            .iter()
            .map(|rung| (rung.trials, rung.budget))
            .collect()
    }

    /// The brackets of Li, Jamieson, DeSalvo, Rostamizadeh & Talwalkar, *Hyperband* (JMLR 18,
    /// 2018), table 1: at most 81 a trial, thirds. (Its last bracket halves nothing.)
    #[test]
    fn brackets_of_hyperband() {
        for (trials, bracket) in [
            (81, &[(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)][..]),
            (27, &[(27, 3), (9, 9), (3, 27), (1, 81)]),
            (9, &[(9, 9), (3, 27), (1, 81)]),
            (6, &[(6, 27), (2, 81)]),
        ] {
            assert_eq!(halved(trials, 81, 3, 1), bracket);
        }
    }

    #[test]
    fn by_hand() {
        // Halves, as in Jamieson & Talwalkar 2016: 8, 4, 2 arms, and the one that is left.
        let eight = [(8, 12), (4, 25), (2, 50), (1, 100)];
        assert_eq!(halved(8, 100, 2, 1), eight);
        // No multiples: floors of both, ⌊⌊n/η⌋/η⌋ = ⌊n/η²⌋.
        assert_eq!(
            halved(50, 100, 3, 1),
            [(50, 3), (16, 11), (5, 33), (1, 100)]
        );
        // The least budget ends the descent before the trials do.
        assert_eq!(halved(50, 100, 3, 10), [(50, 11), (16, 33), (5, 100)]);
        assert_eq!(
            halved(usize::MAX, usize::MAX, usize::MAX, 1),
            [(usize::MAX, 1), (1, usize::MAX)]
        );
        let all = [Rung {
            trials: 5,
            budget: 7,
        }];
        assert_eq!(rungs(5, 7, None).as_deref(), Ok(&all[..]));
    }

    #[test]
    fn nothing_to_halve() {
        for (trials, budget, factor, least) in [
            (2, 100, 3, 1),
            (100, 2, 3, 1),
            (100, 29, 3, 10),
            (9, 9, 1, 1),
            (9, 9, 3, 0),
            (9, 0, 3, 1),
        ] {
            assert!(rungs(trials, budget, Some(Halving { factor, least })).is_err());
        }
        assert!(rungs(9, 0, None).is_err());
    }
}
