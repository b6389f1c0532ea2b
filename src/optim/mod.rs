//! Optimizers: how parameters follow a gradient.

mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod adan;
mod clip;
mod constraint;
mod group;
mod lion;
mod nadam;
mod norm;
mod penalty;
mod radam;
mod rmsprop;
mod rprop;
pub(crate) mod schedule;
mod sgd;

pub use clip::Clip;
pub(crate) use clip::gradient_norm;
pub use constraint::Constraint;
pub use group::Group;
pub use penalty::Penalty;
pub use schedule::{ReduceOnPlateau, Schedule};

/// Every rule of this crate, in the one list that there is: calls the macro `then` with it.
///
/// A line is `file::Rule { the rule as it is made, and with options }`. The rules are exported
/// by it, and every test of rules goes through it.
#[doc(hidden)]
#[macro_export]
macro_rules! every_rule {
    ($then:ident) => {
        $then! {
            adadelta::Adadelta { Adadelta::new(), Adadelta::new().rho(0.95).eps(1e-2) }
            adagrad::Adagrad { Adagrad::new(), Adagrad::new().initial(0.1).eps(1e-2) }
            adam::Adam {
                Adam::new(),
                Adam::new().beta1(0.5).beta2(0.9).eps(1e-2),
                Adam::new().beta2(0.5).amsgrad()
            }
            adamax::Adamax { Adamax::new(), Adamax::new().beta1(0.5).beta2(0.75).eps(1e-2) }
            adan::Adan {
                Adan::new(),
                Adan::new().beta1(0.5).beta2(0.75).beta3(0.9).eps(1e-2)
            }
            lion::Lion { Lion::new(), Lion::new().beta1(0.5).beta2(0.75) }
            nadam::NAdam {
                NAdam::new(),
                NAdam::new().beta1(0.8).beta2(0.9).eps(1e-2).momentum_decay(0.5),
                NAdam::new().momentum_decay(0.0)
            }
            radam::RAdam {
                RAdam::new(),
                RAdam::new().beta1(0.8).beta2(0.9).eps(1e-2),
                RAdam::new().beta2(0.6)
            }
            rmsprop::RmsProp {
                RmsProp::new(),
                RmsProp::new().rho(0.9).eps(1e-2),
                RmsProp::new().momentum(0.9),
                RmsProp::new().centered(),
                RmsProp::new().rho(0.9).centered().momentum(0.8)
            }
            rprop::Rprop {
                Rprop::new(),
                Rprop::new().eta_minus(0.25).eta_plus(1.5).bounds(1e-2, 0.2)
            }
            sgd::Sgd {
                Sgd::new(),
                Sgd::new().momentum(0.9),
                Sgd::new().momentum(0.9).dampening(0.5),
                Sgd::new().momentum(0.8).nesterov()
            }
        }
    };
}

macro_rules! export {
    ($($file:ident::$rule:ident { $($made:expr),+ })+) => { $(pub use $file::$rule;)+ };
}
every_rule!(export);

use crate::error::{Error, ErrorKind, Result};
use crate::nn::layer::Block;
use crate::nn::layout::Layout;
use crate::numeric::kernel::{
    Pass,
    workers::{Divide, Workers, spread},
};
use crate::numeric::real::{Real, is_nan};
use alloc::{boxed::Box, format, string::String, vec, vec::Vec};
use core::array::from_fn;
use core::fmt::Debug;
use core::mem::take;
use core::ops::Range;

/// The state of an optimizer, as data: what must be kept to go on exactly where it stopped.
///
/// ```
/// use chainrule::{Adam, Optimizer};
/// use chainrule::optim::Group;
/// let mut adam = Adam::<f64>::new();
/// let mut p = [1.0];
/// adam.step(0.1, &mut p, &[0.5], &Group::all(1))?;
/// let saved = (p, adam.state().clone());
///
/// let mut resumed = Adam::<f64>::new();
/// resumed.restore(&saved.1)?;
/// assert_eq!(resumed.state().step, 1);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
pub struct OptimizerState<T> {
    /// The rule that the state is of.
    pub rule: String,
    /// The number of steps taken, one for the whole vector.
    pub step: u64,
    /// The rule's vectors, each as long as the parameters, or all empty before the first step.
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serial"))]
    pub slots: Vec<Vec<T>>,
}

impl<T: Clone> Clone for OptimizerState<T> {
    fn clone(&self) -> Self {
        Self {
            rule: self.rule.clone(),
            step: self.step,
            slots: self.slots.clone(),
        }
    }

    /// Into the memory that is there.
    fn clone_from(&mut self, other: &Self) {
        self.rule.clone_from(&other.rule);
        self.step = other.step;
        self.slots.clone_from(&other.slots);
    }
}

impl<T: Real> OptimizerState<T> {
    /// Whether all numbers in the slots are finite. They are not once the square of a gradient has overflowed, in
    /// `f32` from about 10²⁰ on: Adam and similar rules then divide by ∞ and never move again.
    /// [`Trainer`](crate::Trainer) checks it after each epoch; in a loop of your own, do the same.
    ///
    /// ```
    /// use chainrule::{Adam, Optimizer};
    /// use chainrule::optim::Group;
    /// let mut adam = Adam::<f32>::new();
    /// adam.step(0.1, &mut [1.0], &[1e30], &Group::all(1))?;
    /// assert!(!adam.state().is_finite());
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn is_finite(&self) -> bool {
        self.slots.iter().flatten().all(|number| number.is_finite())
    }

    fn new(rule: &str, slots: usize) -> Self {
        Self {
            rule: rule.into(),
            step: 0,
            slots: vec![Vec::new(); slots],
        }
    }

    /// Fits it to other options of the rule; a state that fits stays.
    fn reshape(&mut self, rule: &str, slots: usize) {
        if self.rule != rule || self.slots.len() != slots {
            *self = Self::new(rule, slots);
        }
    }

    /// Takes over `other` where it is of the same rule.
    fn replace(&mut self, other: &Self) -> Result<()> {
        let lengths: Vec<_> = other.slots.iter().map(Vec::len).collect();
        let uneven = lengths.windows(2).any(|pair| pair[0] != pair[1]);
        let unlike = lengths
            .first()
            .is_some_and(|length| (*length == 0) != (other.step == 0));
        if other.rule != self.rule || lengths.len() != self.slots.len() || uneven || unlike {
            let expected = format!(
                "a state of {} with {} vectors of one length",
                self.rule,
                self.slots.len()
            );
            return Err(Error::new(
                ErrorKind::Incompatible,
                "Optimizer::restore",
                expected,
                format!(
                    "{} after {} steps with vectors of {lengths:?}",
                    other.rule, other.step
                ),
            ));
        }
        self.clone_from(other);
        Ok(())
    }

    /// Checks the arguments of a step of `rule`, which multiplies lr by at most `stretch`.
    fn check(
        &self,
        rule: &str,
        stretch: f64,
        lr: f64,
        params: &[T],
        grads: &[T],
        groups: &[Group],
    ) -> Result<()> {
        let place = |what: &str| format!("{what} of {rule}::step");
        if !(lr.is_finite() && lr >= 0.0) {
            return Err(Error::new(
                ErrorKind::Value,
                place("lr"),
                "a finite rate ≥ 0",
                lr,
            ));
        }
        check_len(|| place("grads"), params.len(), grads)?;
        Group::check(groups, params.len())?;
        Group::check_rates::<T>(groups, lr)?;
        if let Err(error) = Group::check_rates::<T>(groups, lr * stretch) {
            let expected = format!(
                "a rate of which {stretch} times as much is finite, for so much may a step take"
            );
            return Err(
                Error::new(ErrorKind::Value, place("lr"), expected, lr).within(error.place())
            );
        }
        if let Some(known) = self.other_length(params.len()) {
            let expected = format!("{known} parameters, as in the steps before");
            return Err(Error::new(
                ErrorKind::Shape,
                place("params"),
                expected,
                params.len(),
            ));
        }
        Ok(())
    }

    /// The number of parameters of the steps before, where it was not `params`.
    fn other_length(&self, params: usize) -> Option<usize> {
        self.slots
            .first()
            .map(Vec::len)
            .filter(|known| self.step > 0 && *known != params)
    }

    /// What of [`check`](Self::check) a step must know so as not to reach beyond a slice, nor to multiply by ∞.
    fn fits(&self, stretch: f64, lr: f64, params: &[T], grads: &[T], groups: &[Group]) -> bool {
        let within =
            |group: &Group| group.range.start <= group.range.end && group.range.end <= params.len();
        let lengths = grads.len() == params.len()
            && self.other_length(params.len()).is_none()
            && groups.iter().all(within);
        lengths && lr >= 0.0 && Group::check_rates::<T>(groups, lr * stretch).is_ok()
    }

    /// Counts a step, and makes room for so many parameters on the first one.
    fn begin(&mut self, params: usize, start: f64) {
        for slot in &mut self.slots {
            slot.resize(params, T::of(start));
        }
        self.step = self.step.saturating_add(1);
    }
}

/// A rule by which parameters follow a gradient, over one flat vector.
///
/// The clock [`OptimizerState::step`] advances once a step for the whole vector, whatever the number of groups.
/// Hyper-parameters are `f64` for every scalar type and rounded once.
///
/// | rule | vectors that it remembers |
/// |---|---|
/// | [`Sgd`] | 0, with momentum 1 |
/// | [`Adagrad`], [`Lion`] | 1 |
/// | [`RmsProp`] | 1, centered 2, with momentum one more |
/// | [`Adam`] | 2, AMSGrad 3 |
/// | [`Adadelta`], [`Adamax`], [`NAdam`], [`RAdam`], [`Rprop`] | 2 |
/// | [`Adan`] | 4 |
///
/// A loop of one's own, with everything that may stand around the rule, in its order:
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::optim::{Clip, Constraint, NAdam, Penalty, Schedule};
/// use chainrule::rand::SeedableRng;
/// use chainrule::rand::rngs::Xoshiro256PlusPlus;
/// let mut net = Sequential::<f64>::builder(2)
///     .layer(Dense::new(4, Activation::Tanh))
///     .layer(Dense::new(1, Activation::Linear))
///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
/// let x = DMatrix::from_column_slice(2, 4, &[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
/// let target = DMatrix::from_row_slice(1, 4, &[0.0, 1.0, 1.0, 0.0]);
///
/// let (mut rule, groups, mut tape) = (NAdam::new(), net.default_groups(), Tape::new());
/// let schedule = Schedule::Cosine { rate: 0.1, min: 0.0, steps: 200 }.warm_up(10);
/// let (penalty, clip, constraint) = (Penalty::new().l2(1e-4), Clip::GlobalNorm(1.0), Constraint::MaxNorm(5.0));
/// let mut cost = f64::INFINITY;
/// for step in 0..210 {
///     cost = net.gradient(&x, &target, &MeanSquaredError, &mut tape)? + penalty.cost(&net);
///     penalty.add_gradient(&net, tape.grads_mut())?;
///     clip.apply(&net, tape.grads_mut())?;
///     rule.step(schedule.rate(step), net.params_mut(), tape.grads(), &groups)?;
///     constraint.apply(&mut net)?;
/// }
/// assert!(cost < 0.01);
/// # Ok::<(), Error>(())
/// ```
pub trait Optimizer<T: Real>: Debug + Send {
    /// One step: changes `params` within each group by `grads`, at the rate `lr` times the group's, and running statistics
    /// ([`Group::statistic`]) by p ← p − g. Parameters in no group, and those of a group whose rate is 0, stay as they are, and
    /// so does what the rule knows of them.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for a rate or a hyper-parameter out of range, [`ErrorKind::Empty`] without a group,
    /// [`ErrorKind::Shape`] when the lengths differ from each other, or from earlier steps of a rule that remembers
    /// them, or a group reaches beyond them; nothing is changed then.
    fn step(&mut self, lr: f64, params: &mut [T], grads: &[T], groups: &[Group]) -> Result<()>;

    /// [`step`](Optimizer::step) on several threads, for a rule that can, by a caller that has checked the hyper-parameters,
    /// the groups and their rates, and need not again: only what could reach beyond a slice or overflow is looked at.
    ///
    /// # Errors
    /// As [`step`](Optimizer::step), of what is looked at.
    #[doc(hidden)]
    fn step_on(
        &mut self,
        workers: &Workers,
        lr: f64,
        params: &mut [T],
        grads: &[T],
        groups: &[Group],
    ) -> Result<()> {
        let _ = workers;
        self.step(lr, params, grads, groups)
    }

    /// Checks the hyper-parameters; [`step`](Optimizer::step) does, too.
    ///
    /// # Errors
    /// [`ErrorKind::Value`], naming the one that is out of range.
    fn check(&self) -> Result<()>;

    /// The state, to be saved.
    fn state(&self) -> &OptimizerState<T>;

    /// Goes on from a saved state: the steps that follow give the same bits as if there had been no interruption.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] when the state is not of this rule; nothing is changed then.
    fn restore(&mut self, state: &OptimizerState<T>) -> Result<()>;
}

/// A rule that is chosen at run time.
impl<T: Real, O: Optimizer<T> + ?Sized> Optimizer<T> for Box<O> {
    fn step(&mut self, lr: f64, params: &mut [T], grads: &[T], groups: &[Group]) -> Result<()> {
        (**self).step(lr, params, grads, groups)
    }

    fn step_on(
        &mut self,
        workers: &Workers,
        lr: f64,
        params: &mut [T],
        grads: &[T],
        groups: &[Group],
    ) -> Result<()> {
        (**self).step_on(workers, lr, params, grads, groups)
    }

    fn check(&self) -> Result<()> {
        (**self).check()
    }

    fn state(&self) -> &OptimizerState<T> {
        (**self).state()
    }

    fn restore(&mut self, state: &OptimizerState<T>) -> Result<()> {
        (**self).restore(state)
    }
}

/// What one rule is, within the frame that all of them share.
trait Rule<T: Real> {
    /// How errors call it.
    const NAME: &'static str;

    /// Checks the hyper-parameters.
    fn check_numbers(&self) -> Result<()>;

    /// The largest factor by which a step multiplies lr.
    fn stretch(&self) -> f64 {
        1.0
    }

    /// What is remembered of each parameter before the first step.
    fn start(&self) -> f64 {
        0.0
    }

    /// With a state for what these options remember.
    fn remembering(self) -> Self
    where
        Self: Sized,
    {
        self
    }

    /// Takes a step whose arguments fit.
    fn descend(&mut self, step: Step<'_, T>);
}

/// `Optimizer` for a [`Rule`] with a `state`, `Default` by its `new`, and `Deserialize` of its numbers and a state that fits them.
macro_rules! optimizer {
    ($rule:ident { $($number:ident: $kind:ty),* }) => {
        impl<T: Real> Default for $rule<T> {
            fn default() -> Self {
                Self::new()
            }
        }

        impl<T: Real> $crate::optim::Optimizer<T> for $rule<T> {
            fn step(&mut self, lr: f64, params: &mut [T], grads: &[T], groups: &[$crate::optim::Group]) -> $crate::error::Result<()> {
                self.check_numbers()?;
                self.state.check(Self::NAME, self.stretch(), lr, params, grads, groups)?;
                self.step_on(&$crate::numeric::kernel::workers::Workers::default(), lr, params, grads, groups)
            }

            fn step_on(
                &mut self,
                workers: &$crate::numeric::kernel::workers::Workers,
                lr: f64,
                params: &mut [T],
                grads: &[T],
                groups: &[$crate::optim::Group],
            ) -> $crate::error::Result<()> {
                if !self.state.fits(self.stretch(), lr, params, grads, groups) {
                    self.state.check(Self::NAME, self.stretch(), lr, params, grads, groups)?;
                }
                self.state.begin(params.len(), self.start());
                let t = self.state.step;
                self.descend($crate::optim::Step { workers, t, lr, params, grads, groups });
                Ok(())
            }

            fn check(&self) -> $crate::error::Result<()> {
                self.check_numbers()
            }

            fn state(&self) -> &$crate::optim::OptimizerState<T> {
                &self.state
            }

            fn restore(&mut self, state: &$crate::optim::OptimizerState<T>) -> $crate::error::Result<()> {
                self.state.replace(state)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de, T: Real> serde::Deserialize<'de> for $rule<T> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> core::result::Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                #[serde(bound = "T: Real", deny_unknown_fields)]
                struct $rule<T> {
                    $($number: $kind,)*
                    #[serde(default, deserialize_with = "crate::numeric::serial::given")]
                    state: Option<$crate::optim::OptimizerState<T>>,
                }
                $crate::numeric::serial::checked(deserializer, |read: $rule<T>| {
                    let mut rule = Self { $($number: read.$number,)* ..Self::new() }.remembering();
                    rule.check_numbers()?;
                    read.state.map_or(Ok(()), |state| rule.state.replace(&state))?;
                    Ok(rule)
                })
            }
        }
    };
}
use optimizer;

/// The arguments of a step, of which it is known that they fit.
struct Step<'a, T> {
    workers: &'a Workers,
    /// The number of the step, counted from 1.
    t: u64,
    lr: f64,
    params: &'a mut [T],
    grads: &'a [T],
    groups: &'a [Group],
}

impl<T: Real> Step<'_, T> {
    /// Changes the parameters of every group: `rule` gets a group's lr and 1 − lr·λ and returns what becomes of one
    /// parameter, told its gradient and what the K slots remember of it; that must be `#[inline(always)]`.
    fn each<F, const K: usize>(self, slots: &mut [Vec<T>], rule: impl Fn(f64, T) -> F)
    where
        F: Fn(T, T, [T; K]) -> (T, [T; K]) + Copy + Send,
    {
        for group in self.groups.iter().filter(|group| group.rate != 0.0) {
            let range = group.range.clone();
            let (w, g) = (&mut self.params[range.clone()], &self.grads[range.clone()]);
            if group.statistic {
                update(
                    self.workers,
                    Update {
                        w,
                        g,
                        slots: [],
                        at: follow,
                    },
                );
                continue;
            }
            let lr = self.lr * group.rate;
            let at = rule(lr, T::of(1.0 - lr * group.decay));
            let mut slots = slots.iter_mut();
            let slots = from_fn(|_| {
                slots
                    .next()
                    .map_or(&mut [][..], |slot| &mut slot[range.clone()])
            });
            update(self.workers, Update { w, g, slots, at });
        }
    }
}

/// What becomes of a running statistic.
#[inline(always)]
fn follow<T: Real>(p: T, g: T, _: [T; 0]) -> (T, [T; 0]) {
    ((p - g).flush(), [])
}

/// The loop of a rule.
struct Update<'a, T, F, const K: usize> {
    w: &'a mut [T],
    g: &'a [T],
    slots: [&'a mut [T]; K],
    at: F,
}

impl<T: Real, F: Copy + Send, const K: usize> Divide for Update<'_, T, F, K> {
    fn divide(self, at: usize) -> (Self, Self) {
        let ((w, w_rest), (g, g_rest)) = (self.w.split_at_mut(at), self.g.split_at(at));
        let mut slots = self.slots.map(|slot| slot.split_at_mut(at));
        let (near, far) = (
            slots.each_mut().map(|(near, _)| take(near)),
            slots.each_mut().map(|(_, far)| take(far)),
        );
        (
            Self {
                w,
                g,
                slots: near,
                ..self
            },
            Self {
                w: w_rest,
                g: g_rest,
                slots: far,
                ..self
            },
        )
    }
}

impl<T: Real, F: Fn(T, T, [T; K]) -> (T, [T; K]), const K: usize> Pass for Update<'_, T, F, K> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { w, g, slots, at } = self;
        // All are as long as the group; said once, so that no element is asked.
        let (g, slots) = (&g[..w.len()], slots.map(|slot| &mut slot[..w.len()]));
        for i in 0..w.len() {
            let (next, known) = at(w[i], g[i], from_fn(|k| slots[k][i]));
            w[i] = next;
            for k in 0..K {
                slots[k][i] = known[k];
            }
        }
    }
}

/// Runs the loop of a rule, side by side where there are enough parameters.
fn update<T, F, const K: usize>(workers: &Workers, pass: Update<'_, T, F, K>)
where
    T: Real,
    F: Fn(T, T, [T; K]) -> (T, [T; K]) + Copy + Send,
{
    /// So many take a thread longer than it takes to wake it.
    const LEAST: usize = 1 << 16;
    let len = pass.w.len();
    let parts = workers.count().min(len / LEAST).max(1);
    if parts == 1 {
        T::vectorize(pass);
    } else {
        workers.run(|| {
            spread(pass, len, &mut vec![(); parts], &|pass, ()| {
                T::vectorize(pass)
            })
        });
    }
}

/// The running means of a gradient and of its square, of Adam and its kin.
#[derive(Clone, Copy)]
struct Moments<T> {
    beta1: T,
    share1: T,
    beta2: T,
    share2: T,
}

impl<T: Real> Moments<T> {
    fn new(beta1: f64, beta2: f64) -> Self {
        Self {
            beta1: T::of(beta1),
            share1: T::of(1.0 - beta1),
            beta2: T::of(beta2),
            share2: T::of(1.0 - beta2),
        }
    }

    /// m ← β₁·m + (1−β₁)·g and v ← β₂·v + (1−β₂)·g².
    #[inline(always)]
    fn next(self, g: T, m: T, v: T) -> (T, T) {
        (
            (self.beta1 * m + self.share1 * g).flush(),
            (self.beta2 * v + self.share2 * g * g).flush(),
        )
    }
}

/// √x in the loop of a rule.
#[inline(always)]
fn root<T: Real>(x: T) -> T {
    x.sqrt()
}

/// −1, 0 or 1, and NaN of NaN.
#[inline(always)]
fn sign<T: Real>(x: T) -> T {
    if x > T::zero() {
        T::one()
    } else if x < T::zero() {
        -T::one()
    } else {
        x * T::zero()
    }
}

/// The larger of two; NaN where one is.
#[inline(always)]
fn larger<T: Real>(a: T, b: T) -> T {
    if b > a || is_nan(b) { b } else { a }
}

/// βᵗ, by squaring.
fn power(beta: f64, t: u64) -> f64 {
    num_traits::pow(beta, usize::try_from(t).unwrap_or(usize::MAX))
}

/// A hyper-parameter must lie in [0, 1).
fn check_fraction(name: &str, value: f64) -> Result<()> {
    check_number(
        || name.into(),
        value,
        "a number in [0, 1)",
        (0.0..1.0).contains(&value),
    )
}

/// A hyper-parameter by which a rule divides must be above 0, in `T` too.
fn check_positive<T: Real>(name: &str, value: f64) -> Result<()> {
    check_number(
        || name.into(),
        value,
        "a finite number above 0",
        T::of(value) > T::zero() && T::of(value).is_finite(),
    )
}

/// A strength must be finite and not negative.
fn check_strength(name: impl FnOnce() -> String, value: f64) -> Result<()> {
    check_number(
        name,
        value,
        "a finite number ≥ 0",
        value.is_finite() && value >= 0.0,
    )
}

/// The error of a number that is not `sound`.
fn check_number(
    name: impl FnOnce() -> String,
    value: f64,
    expected: &str,
    sound: bool,
) -> Result<()> {
    if sound {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::Value, name(), expected, value))
    }
}

/// Gradients must be as many as parameters.
fn check_len<T>(place: impl FnOnce() -> String, params: usize, grads: &[T]) -> Result<()> {
    if grads.len() == params {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Shape,
        place(),
        format!("{params} numbers, as many as parameters"),
        grads.len(),
    ))
}

/// The blocks of a network with their layers, and where they lie in the flat vector.
fn blocks(layout: &Layout) -> impl Iterator<Item = (usize, &Block, Range<usize>)> + Clone {
    let blocks = layout
        .blocks
        .iter()
        .enumerate()
        .flat_map(|(layer, blocks)| blocks.iter().map(move |block| (layer, block)));
    blocks.scan(0, |end, (layer, block)| {
        let start = *end;
        *end += block.len();
        Some((layer, block, start..*end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The step of a caller that has checked, called by one that has not.
    #[test]
    fn unchecked_steps_do_not_reach_beyond() {
        let (workers, one) = (Workers::default(), Group::all(3));
        let mut adam = Adam::new();
        adam.step_on(&workers, 0.1, &mut [1.0; 3], &[0.1; 3], &one)
            .expect("a sound step");
        let before = adam.clone();
        #[allow(clippy::reversed_empty_ranges, reason = "that is what is refused")]
        let cases: [(f64, usize, usize, Vec<Group>, &str); 7] = [
            (f64::NAN, 3, 3, one.clone(), "lr of Adam::step"),
            (-1.0, 3, 3, one.clone(), "lr of Adam::step"),
            (0.1, 3, 2, one.clone(), "grads of Adam::step"),
            (0.1, 4, 4, one.clone(), "params of Adam::step"),
            (0.1, 2, 2, one, "group 0"),
            (
                0.1,
                3,
                3,
                vec![Group::new(1..2), Group::new(2..4)],
                "group 1",
            ),
            (0.1, 3, 3, vec![Group::new(2..1)], "group 0"),
        ];
        for (lr, params, grads, groups, place) in cases {
            let mut w = vec![1.0; params];
            let error = adam
                .step_on(&workers, lr, &mut w, &vec![0.1; grads], &groups)
                .expect_err(place);
            assert_eq!(error.place(), place);
            assert_eq!((w, &adam), (vec![1.0; params], &before));
        }
    }
}
