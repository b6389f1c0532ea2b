//! Laplace's approximation: a Gaussian about the parameters that training has found.

use super::curvature::{Curvature, Factors, Prior, scratch};
use super::evidence::{Data, Fit};
use super::likelihood::Likelihood;
use super::predictive::Predictive;
use crate::data::{Batch, Dataset};
use crate::error::{Error, ErrorKind, Result};
use crate::nn::builder::Builder;
use crate::nn::layer::Role;
use crate::nn::loss::OutputFunction;
use crate::nn::sequential::{NamedParameter, Sequential};
use crate::nn::tape::Tape;
use crate::numeric::bounds::{POSITIVE, not_empty, some};
use crate::numeric::compiled::compiled_here;
use crate::numeric::random::{Purpose, derive, uniform};
use crate::numeric::real::{Real, zeros};
use crate::numeric::view::View;
use crate::train::Model;
use alloc::{borrow::Cow, format, vec, vec::Vec};
use core::marker::PhantomData;
use core::ops::Range;
use nalgebra::DMatrix;

/// Numbers of gradients that are held at once: enough for products to be fast.
const NUMBERS: usize = 1 << 18;

/// A trained network with a Gaussian over its parameters: its predictions have a variance, and its
/// class probabilities are less sure where there were no data (D. J. C. MacKay, *A practical
/// Bayesian framework for backpropagation networks*, 1992; E. Daxberger et al., *Laplace Redux*,
/// 2021, whose package laplace-torch computes the same numbers).
///
/// Training finds the parameters θ* of greatest probability, for a Gaussian prior of precision δ
/// and a [`Likelihood`]. About θ*, the logarithm of that probability is a parabola, so that the
/// parameters have a Gaussian with mean θ* and covariance H⁻¹:
///
/// ```text
/// H = Σ vᵢ·JᵢᵀΛᵢJᵢ + δI,  J = ∂y/∂θ,  Λ = −∂²ln p(t | y)/∂y²
/// ```
///
/// which is the Gauss–Newton matrix, with the weights v of the samples: numbers of weight v have
/// the noise σ²/v, and a class of weight v is one that was seen v times. Where the network is taken
/// as linear in θ about θ*, its outputs are Gaussian, too:
///
/// ```text
/// y(x) ~ N(f(x; θ*), J(x)·H⁻¹·J(x)ᵀ)
/// ```
///
/// Numbers have a noise of variance σ² beside that; [`predict`](Self::predict) gives both. Class
/// [`probabilities`](Self::probabilities) are the mean of σ(y) or softmax(y).
///
/// The [evidence](Self::log_marginal_likelihood) says how probable the data are, all parameters
/// considered. What is not given is chosen by it: one precision δ of the prior
/// ([`prior_precision`](LaplaceBuilder::prior_precision) gives it), or one per layer
/// ([`precision_per_layer`](LaplaceBuilder::precision_per_layer)), and σ
/// ([`noise`](LaplaceBuilder::noise)). Train with the penalty that is the prior where you know it:
/// ½δ‖θ‖² beside the sum of the costs, of means so many times less. In inference: without dropout,
/// running statistics as they are; these are no parameters.
///
/// | | parameters | numbers held | multiplications to fit N samples of K outputs |
/// |---|---|---|---|
/// | [`full`](LaplaceBuilder::full) | all P | P² | N·K·P² + P³ |
/// | [`last_layer`](LaplaceBuilder::last_layer) | of the last layer that has some, P′ | P′² | N·K·P′² + P′³ |
/// | [`diagonal`](LaplaceBuilder::diagonal) | all, or the last layer's, taken as independent | P | N·K·P |
///
/// Curvature, prior and evidence are computed in `f64` for any scalar, on one thread, to the same
/// bits in every run.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::train::LevenbergMarquardt;
/// use chainrule::uncertainty::{Laplace, Likelihood};
///
/// // A sine on both sides of a gap, with some noise.
/// let x = DMatrix::from_fn(1, 40, |_, j| j as f64 / 10.0 + if j < 20 { -4.0 } else { 0.0 });
/// let t = DMatrix::from_fn(1, 40, |_, j| x[j].sin() + 0.1 * ((7 * j % 11) as f64 / 5.0 - 1.0));
/// let data = Dataset::new(x, t)?;
/// let mut net = Sequential::builder(1)
///     .layer(Dense::new(8, Activation::Tanh))
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// LevenbergMarquardt::new().epochs(30).fit(&mut net, &data)?;
///
/// let laplace = Laplace::builder(Likelihood::Gaussian).fit(net, &data)?;
/// let predicted = laplace.predict(&DMatrix::from_row_slice(1, 2, &[-3.0, 0.0]))?;
/// let deviation = predicted.deviation();
/// assert!(deviation[1] > 1.5 * deviation[0]); // in the gap it does not know
/// # Ok::<(), Error>(())
/// ```
///
/// Classes, with the last layer alone:
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::uncertainty::{Laplace, Likelihood};
/// let x = DMatrix::from_fn(1, 40, |_, j| j as f64 / 10.0 - 2.0);
/// let data = Dataset::new(x.clone(), one_hot(&(0..40).map(|j| j / 20).collect::<Vec<_>>(), 2)?)?;
/// let net = Sequential::builder(1)
///     .layer(Dense::new(8, Activation::Relu))
///     .layer(Dense::new(2, Activation::Linear))
///     .seed(1)
///     .build()?;
/// let mut model = Model::from(net);
/// model.fit(&mut Trainer::new(SoftmaxCrossEntropy::new(), Adam::new()).epochs(300), &data)?;
///
/// let laplace = Laplace::builder(Likelihood::Categorical).last_layer().fit(model, &data)?;
/// let far = DMatrix::from_element(1, 1, 30.0);
/// let (sure, less) = (laplace.model().predict(&far)?[1], laplace.probabilities(&far)?[1]);
/// assert!(0.5 < less && less < sure);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias(
    "laplace-torch",
    "Laplace Redux",
    "Bayesian",
    "posterior",
    "linearized Laplace"
))]
pub struct Laplace<T: Real> {
    model: Model<T>,
    subject: Subject<T>,
    likelihood: Likelihood,
    prior: Prior,
    noise: f64,
    factors: Factors,
    effective: Vec<f64>,
    evidence: f64,
}

/// The layers whose parameters are uncertain, and what comes before them.
#[derive(Clone, Debug)]
struct Subject<T: Real> {
    /// What makes the inputs of `top`.
    below: Option<Sequential<T>>,
    top: Sequential<T>,
    /// The parameters of `top` that are no statistics.
    free: Vec<Range<usize>>,
}

/// How a [`Laplace`] is made; by [`Laplace::builder`].
#[derive(Clone, Debug, PartialEq)]
pub struct LaplaceBuilder<T: Real> {
    likelihood: Likelihood,
    last_layer: bool,
    diagonal: bool,
    precision: Precision,
    noise: Option<f64>,
    scalar: PhantomData<T>,
}

/// The precision of the prior.
#[derive(Clone, Debug, PartialEq)]
enum Precision {
    Given(Vec<f64>),
    OfEvidence { per_layer: bool },
}

impl<T: Real> LaplaceBuilder<T> {
    /// All parameters, and how any two of them go together; without another choice.
    #[must_use]
    #[doc(alias("FullLaplace"))]
    pub fn full(self) -> Self {
        Self {
            last_layer: false,
            diagonal: false,
            ..self
        }
    }

    /// Only the parameters of the last layer that has some; what comes before it makes fixed
    /// features. For networks of more than some thousand parameters.
    #[must_use]
    #[doc(alias("LLLaplace", "subset_of_weights", "neural linear model"))]
    pub fn last_layer(self) -> Self {
        Self {
            last_layer: true,
            ..self
        }
    }

    /// The parameters as if they were independent: only the diagonal of H. The variances are
    /// rougher, and often too large.
    #[must_use]
    #[doc(alias("DiagLaplace", "hessian_structure"))]
    pub fn diagonal(self) -> Self {
        Self {
            diagonal: true,
            ..self
        }
    }

    /// This precision δ of the prior for all parameters: one over their variance before there were
    /// data. Finite and above 0.
    #[must_use]
    #[doc(alias("weight_decay", "prior_prec"))]
    pub fn prior_precision(self, precision: f64) -> Self {
        Self {
            precision: Precision::Given(vec![precision]),
            ..self
        }
    }

    /// A precision of the prior for each of the layers that have parameters, first to last.
    #[must_use]
    pub fn prior_precisions(self, precisions: impl IntoIterator<Item = f64>) -> Self {
        Self {
            precision: Precision::Given(precisions.into_iter().collect()),
            ..self
        }
    }

    /// A precision of the prior for each layer that has parameters, by the greatest evidence.
    #[must_use]
    #[doc(alias("automatic relevance determination", "optimize_prior_precision"))]
    pub fn precision_per_layer(self) -> Self {
        Self {
            precision: Precision::OfEvidence { per_layer: true },
            ..self
        }
    }

    /// The deviation σ of the noise in the targets of [`Likelihood::Gaussian`], in the units that
    /// the network is trained in: that of the targets over the scale of their scaler. Finite and
    /// above 0.
    #[must_use]
    #[doc(alias("sigma_noise"))]
    pub fn noise(self, deviation: f64) -> Self {
        Self {
            noise: Some(deviation),
            ..self
        }
    }

    /// The approximation about a network, or a [`Model`] in the units of the data, that has been
    /// trained on `data`.
    ///
    /// What was not given has the greatest evidence, where MacKay's equations hold. With γ = n −
    /// δ·tr(H⁻¹) of n parameters, and N numbers in targets that have a weight,
    ///
    /// ```text
    /// δ = γ/‖θ‖²,  σ² = Σ v(y − t)²/(N − γ)
    /// ```
    ///
    /// They are solved by δ ← √(δγ/‖θ‖²) and σ² ← (Σ v(y − t)² + γσ²)/N from δ = 1 and the mean
    /// square of the residuals on, until nothing changes by more than 10⁻¹¹ of itself.
    ///
    /// # Errors
    /// Those of [`Sequential::cost`] on the data; [`ErrorKind::Incompatible`] for a model whose
    /// output function is not that of the likelihood; [`ErrorKind::Untrainable`] for layers without
    /// a derivative; [`ErrorKind::Empty`] without parameters; [`ErrorKind::Shape`] for another
    /// number of precisions than of layers; [`ErrorKind::Value`] for precisions and noise out of
    /// range, and where the evidence has no maximum or memory does not suffice;
    /// [`ErrorKind::NotFinite`] where numbers overflow, and where H is not positive definite to
    /// rounding.
    pub fn fit(&self, model: impl Into<Model<T>>, data: &Dataset<T>) -> Result<Laplace<T>> {
        compiled_here!(T: |builder: &LaplaceBuilder<T>,
                           model: Model<T>,
                           data: &Dataset<T>| -> Result<Laplace<T>> {
            builder.approximate(model, data)
        })(self, model.into(), data)
    }

    fn approximate(&self, model: Model<T>, data: &Dataset<T>) -> Result<Laplace<T>> {
        self.check()?;
        let likelihood = self.likelihood;
        let model = with_output_function(model, likelihood.output_function())?;
        let net = model.net();
        net.walk().check_trainable()?;
        let subject = Subject::new(net, self.last_layer)?;
        let groups = subject.groups();
        let units = data.scaled(model.input_scaler(), model.output_scaler())?;
        let batch = units.batch();

        let (loss, times) = likelihood.loss::<T>(net.outputs());
        let cost = times
            * net
                .cost(batch.x, batch.target, &*loss, &mut Tape::new())?
                .as_f64();
        if !cost.is_finite() {
            return Err(not_finite("a finite cost on the data", cost));
        }
        let fit = match likelihood {
            Likelihood::Gaussian => residuals(batch, 2.0 * cost),
            _ => Fit::LogLikelihood(-cost),
        };
        let curvature = subject.curvature(likelihood, self.diagonal, batch)?;
        let squares = subject.squares(&groups);

        let (count, fixed) = match &self.precision {
            Precision::Given(precisions) => (precisions.len(), Some(precisions)),
            Precision::OfEvidence { per_layer: true } => (groups.len(), None),
            Precision::OfEvidence { per_layer: false } => (1, None),
        };
        let (groups, squares) = match (count, groups.len()) {
            (1, _) => (
                core::iter::once(0..subject.len()).collect(),
                vec![squares.iter().sum()],
            ),
            (count, layers) if count == layers => (groups, squares),
            (count, layers) => {
                return Err(Error::new(
                    ErrorKind::Shape,
                    "prior_precisions of Laplace",
                    format!("{layers}, one per layer that has parameters"),
                    count,
                ));
            }
        };
        let mut prior = Prior {
            precisions: fixed.cloned().unwrap_or_else(|| vec![1.0; count]),
            groups,
        };
        let known = Data {
            curvature: &curvature,
            fit,
            squares: &squares,
        };
        let noise = known.maximize(&mut prior, fixed.is_some(), self.noise)?;
        let factors = curvature.factors(fit.beta(noise), &prior)?;
        let effective = known.effective(&factors, &prior);
        let evidence = fit.log_likelihood(noise)
            - 0.5 * (factors.log_det() - prior.log_det() + prior.scatter(&squares));
        if !evidence.is_finite() {
            return Err(not_finite("a finite evidence", evidence));
        }
        Ok(Laplace {
            subject,
            likelihood,
            prior,
            noise,
            factors,
            effective,
            evidence,
            model,
        })
    }

    fn check(&self) -> Result<()> {
        if let Precision::Given(precisions) = &self.precision {
            not_empty(
                "prior_precisions of Laplace",
                "at least 1 number",
                precisions.len(),
            )?;
            for precision in precisions {
                POSITIVE.check("prior_precision of Laplace", *precision)?;
            }
        }
        let Some(noise) = self.noise else {
            return Ok(());
        };
        if self.likelihood == Likelihood::Gaussian {
            return POSITIVE.check("noise of Laplace", noise);
        }
        Err(Error::new(
            ErrorKind::Incompatible,
            "noise of Laplace",
            "Likelihood::Gaussian, which alone has one",
            format!("{:?}", self.likelihood),
        ))
    }
}

impl<T: Real> Laplace<T> {
    /// A builder for the approximation with this likelihood: that of all parameters, with the
    /// precision of the prior and the noise by the greatest evidence.
    pub fn builder(likelihood: Likelihood) -> LaplaceBuilder<T> {
        LaplaceBuilder {
            likelihood,
            last_layer: false,
            diagonal: false,
            precision: Precision::OfEvidence { per_layer: false },
            noise: None,
            scalar: PhantomData,
        }
    }

    /// The network that it is about.
    pub fn model(&self) -> &Model<T> {
        &self.model
    }

    /// The precisions δ of the prior: one, or one for each layer that has parameters.
    #[doc(alias("prior_prec"))]
    pub fn prior_precisions(&self) -> &[f64] {
        &self.prior.precisions
    }

    /// The deviation σ of the noise in the units that the network is trained in; `None` but for
    /// [`Likelihood::Gaussian`].
    #[doc(alias("sigma_noise"))]
    pub fn noise(&self) -> Option<f64> {
        (self.likelihood == Likelihood::Gaussian).then_some(self.noise)
    }

    /// The number γ of parameters that the data determine, of n with the precision δ of the prior:
    ///
    /// ```text
    /// γ = Σ n − δ·tr(H⁻¹) = Σᵢ λᵢ/(λᵢ + δ)
    /// ```
    ///
    /// with the eigenvalues λ of H − δI for a single precision. Between 0 and the number of
    /// parameters.
    #[doc(alias("gamma", "degrees of freedom"))]
    pub fn effective_parameters(&self) -> f64 {
        self.effective.iter().sum()
    }

    /// The logarithm of the evidence: of the probability density of all targets, whatever the
    /// parameters. Networks and settings can be compared by it, on the same data in the same units,
    /// and without any held out.
    ///
    /// ```text
    /// ln p(t) = ln p(t | θ*) − ½(ln det H − ln det A + θ*ᵀAθ*),  A = diag(δ)
    /// ```
    ///
    /// In the units that the network is trained in.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::uncertainty::{Laplace, Likelihood};
    /// // A constant as the model of a single number t: t ~ N(0, 1/δ + σ²).
    /// let mut net = Sequential::<f64>::builder(1)
    ///     .layer(Dense::new(1, Activation::Linear).without_bias())
    ///     .build()?;
    /// let (delta, sigma, t) = (4.0, 0.5, 0.9);
    /// // Of greatest probability: t/σ² = w·(1/σ² + δ).
    /// net.set_params(&[t / (1.0 + delta * sigma * sigma)])?;
    /// let data = Dataset::new(DMatrix::from_element(1, 1, 1.0), DMatrix::from_element(1, 1, t))?;
    /// let laplace = Laplace::builder(Likelihood::Gaussian)
    ///     .prior_precision(delta)
    ///     .noise(sigma)
    ///     .fit(net, &data)?;
    /// let variance = 1.0 / delta + sigma * sigma;
    /// let exact = -0.5 * (t * t / variance + (2.0 * core::f64::consts::PI * variance).ln());
    /// assert!((laplace.log_marginal_likelihood() - exact).abs() < 1e-14);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("evidence", "marglik", "marginal likelihood"))]
    pub fn log_marginal_likelihood(&self) -> f64 {
        self.evidence
    }

    /// Mean and variance of each output, in the units of the data; of classes those of the logits.
    /// The mean is what [`Model::scores`] gives. With a scaler of outputs s, variances are
    /// multiplied by s².
    ///
    /// # Errors
    /// As [`Sequential::predict`].
    #[doc(alias("return_std"))]
    pub fn predict<'x>(&self, x: impl Into<View<'x, T>>) -> Result<Predictive<T>> {
        compiled_here!(T: |laplace: &Laplace<T>, x: View<'_, T>| -> Result<Predictive<T>> {
            let mean = laplace.model.scores(x)?;
            let mut variances = Vec::with_capacity(mean.len());
            laplace.each_covariance(x, |covariance| {
                variances.extend(covariance.diagonal().iter().map(|v| T::of(*v)));
            })?;
            let epistemic = DMatrix::from_vec(mean.nrows(), mean.ncols(), variances);
            let noise = laplace.noise().map_or(0.0, |noise| noise * noise);
            let noise = laplace.scales().map(|scale| T::of(noise * scale * scale)).collect();
            Ok(Predictive { mean, epistemic, noise })
        })(self, x.into())
    }

    /// How the outputs of each sample vary together because the parameters are not known: J·H⁻¹·Jᵀ,
    /// outputs × outputs, in the units of the data. [`predict`](Self::predict) has the diagonals.
    ///
    /// # Errors
    /// As [`Sequential::predict`].
    #[doc(alias("functional_variance", "f_var"))]
    pub fn covariances<'x>(&self, x: impl Into<View<'x, T>>) -> Result<Vec<DMatrix<T>>> {
        compiled_here!(T: |laplace: &Laplace<T>, x: View<'_, T>| -> Result<Vec<DMatrix<T>>> {
            let mut covariances = Vec::with_capacity(x.cols());
            laplace.each_covariance(x, |covariance| covariances.push(covariance.map(T::of)))?;
            Ok(covariances)
        })(self, x.into())
    }

    /// The probabilities of the classes, outputs × samples, by the probit approximation (MacKay
    /// 1992): with the variance s of each logit
    ///
    /// ```text
    /// p = softmax(y/√(1 + πs/8)), or σ(y/√(1 + πs/8)) of each
    /// ```
    ///
    /// # Errors
    /// As [`Sequential::predict`]; [`ErrorKind::Incompatible`] for [`Likelihood::Gaussian`].
    #[doc(alias("predict_proba", "link_approx"))]
    pub fn probabilities<'x>(&self, x: impl Into<View<'x, T>>) -> Result<DMatrix<T>> {
        compiled_here!(T: |laplace: &Laplace<T>, x: View<'_, T>| -> Result<DMatrix<T>> {
            laplace.check_classes("Laplace::probabilities")?;
            let Predictive { mut mean, epistemic, .. } = laplace.predict(x)?;
            let eighth = T::of(core::f64::consts::FRAC_PI_8);
            for (y, variance) in mean.iter_mut().zip(&epistemic) {
                *y /= (T::one() + eighth * *variance).sqrt();
            }
            laplace.likelihood.output_function().apply(&mut mean);
            Ok(mean)
        })(self, x.into())
    }

    /// The probabilities of the classes, outputs × samples, as the mean over so many draws of the
    /// logits: exact as their number grows, with an error that falls as 1/√draws. The same seed,
    /// the same bits.
    ///
    /// # Errors
    /// As [`probabilities`](Self::probabilities); [`ErrorKind::Value`] without a draw.
    #[doc(alias("mc", "predictive_samples"))]
    pub fn sampled_probabilities<'x>(
        &self,
        x: impl Into<View<'x, T>>,
        draws: usize,
        seed: u64,
    ) -> Result<DMatrix<T>> {
        compiled_here!(T: |laplace: &Laplace<T>,
                           x: View<'_, T>,
                           draws: usize,
                           seed: u64| -> Result<DMatrix<T>> {
            laplace.sample(x, draws, seed)
        })(self, x.into(), draws, seed)
    }

    fn sample(&self, x: View<'_, T>, draws: usize, seed: u64) -> Result<DMatrix<T>> {
        let place = "Laplace::sampled_probabilities";
        self.check_classes(place)?;
        some(place, "at least 1 draw", draws as u64)?;
        let mut mean = self.model.scores(x)?;
        let outputs = mean.nrows();
        let mut sample = 0;
        self.each_covariance(x, |covariance| {
            let seed = derive(seed, Purpose::Draw, sample as u64);
            let drawn = DMatrix::from_fn(outputs, draws, |i, j| normal(seed, i + j * outputs));
            let mut y = semidefinite_root(covariance) * drawn;
            let mut column = mean.column_mut(sample);
            for (mut y, mean) in y.row_iter_mut().zip(&column) {
                y.add_scalar_mut(mean.as_f64());
            }
            self.likelihood.output_function().apply(&mut y);
            for (p, y) in column.iter_mut().zip(y.row_iter()) {
                *p = T::of(y.mean());
            }
            sample += 1;
        })?;
        Ok(mean)
    }

    fn check_classes(&self, place: &str) -> Result<()> {
        if self.likelihood != Likelihood::Gaussian {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Incompatible,
            place,
            "a likelihood of classes (Laplace::predict gives mean and variance of numbers)",
            "Likelihood::Gaussian",
        ))
    }

    /// How many units of the data are one of each output.
    fn scales(&self) -> impl Iterator<Item = f64> {
        let scaler = self.model.output_scaler();
        (0..self.model.net().outputs())
            .map(move |j| scaler.map_or(1.0, |scaler| scaler.scale()[j].as_f64()))
    }

    /// Calls `each` with J·H⁻¹·Jᵀ of each sample, in the units of the data.
    fn each_covariance(&self, x: View<'_, T>, mut each: impl FnMut(&DMatrix<f64>)) -> Result<()> {
        self.model.net().walk().check_inputs(x)?;
        let scaled = match self.model.input_scaler() {
            None => Cow::Borrowed(x.as_slice()),
            Some(scaler) => Cow::Owned(scaler.transform(x)?.as_slice().to_vec()),
        };
        let x = View::from_parts(&scaled, x.rows(), x.cols());
        let scales: Vec<f64> = self.scales().collect();
        self.subject.each_gradients(x, |_, y, rows| {
            let params = rows.len() / y.len();
            let mut rows = DMatrix::from_column_slice(params, y.len(), rows);
            self.factors.whiten(&mut rows);
            for first in (0..y.len()).step_by(scales.len()) {
                let rows = rows.columns(first, scales.len());
                let covariance = DMatrix::from_fn(scales.len(), scales.len(), |i, j| {
                    rows.column(i).dot(&rows.column(j)) * scales[i] * scales[j]
                });
                each(&covariance);
            }
        })
    }
}

impl<T: Real> Subject<T> {
    fn new(net: &Sequential<T>, last_layer: bool) -> Result<Self> {
        let last = uncertain(net).map(|block| block.layer).last();
        let Some(last) = last else {
            let expected = "a network with at least 1 parameter";
            return Err(Error::new(ErrorKind::Empty, "Laplace", expected, 0));
        };
        let (below, top) = match last {
            last if last_layer && last > 0 => {
                let (below, top) = cut(net, last)?;
                (Some(below), top)
            }
            _ => (None, net.clone()),
        };
        let free = uncertain(&top).map(|block| block.range).collect();
        Ok(Self { below, top, free })
    }

    /// The parameters of each layer, among those that are uncertain.
    fn groups(&self) -> Vec<Range<usize>> {
        let mut groups: Vec<(usize, Range<usize>)> = Vec::new();
        let mut end = 0;
        for block in uncertain(&self.top) {
            let start = end;
            end += block.range.len();
            match groups.last_mut() {
                Some((layer, group)) if *layer == block.layer => group.end = end,
                _ => groups.push((block.layer, start..end)),
            }
        }
        groups.into_iter().map(|(_, group)| group).collect()
    }

    fn len(&self) -> usize {
        self.free.iter().map(ExactSizeIterator::len).sum()
    }

    /// θᵀθ of each group.
    fn squares(&self, groups: &[Range<usize>]) -> Vec<f64> {
        let free = self
            .free
            .iter()
            .flat_map(|range| &self.top.params()[range.clone()]);
        let theta: Vec<f64> = free.map(|p| p.as_f64()).collect();
        let square = |group: &Range<usize>| theta[group.clone()].iter().map(|p| p * p).sum();
        groups.iter().map(square).collect()
    }

    /// Σ v·JᵀΛJ over all samples.
    fn curvature(
        &self,
        likelihood: Likelihood,
        diagonal: bool,
        Batch { x, target }: Batch<'_, T>,
    ) -> Result<Curvature> {
        let (params, outputs) = (self.len(), self.top.outputs());
        let mut curvature = Curvature::new("Laplace", params, diagonal)?;
        let (mut scratch, mut mean) = (scratch(), Vec::new());
        self.each_gradients(x, |first, y, rows| {
            let samples = y
                .chunks_exact(outputs)
                .zip(rows.chunks_exact_mut(outputs * params));
            for (sample, (y, rows)) in samples.enumerate() {
                let weights = target.weights();
                let weight = weights.map_or(1.0, |weights| weights[first + sample].as_f64());
                likelihood.root(weight, y, rows, &mut mean);
            }
            curvature.add(rows, &mut scratch);
        })?;
        if curvature.is_finite() {
            Ok(curvature)
        } else {
            Err(not_finite("finite derivatives of the outputs", "NaN or ±∞"))
        }
    }

    /// Calls `each` with some samples after the others: the first of them, their outputs, and for
    /// each output of each sample the gradient by the parameters that are uncertain.
    fn each_gradients(
        &self,
        x: View<'_, T>,
        mut each: impl FnMut(usize, &[f64], &mut [f64]),
    ) -> Result<()> {
        let (outputs, width) = (self.top.outputs(), self.top.params().len());
        let at_once = (NUMBERS / outputs.saturating_mul(width).max(1))
            .max(1)
            .min(x.cols());
        let mut tape = Tape::new();
        let mut gradients: Vec<T> = zeros("Laplace", &[width, outputs, at_once])?;
        let (mut y64, mut rows) = (Vec::new(), Vec::new());
        for first in (0..x.cols()).step_by(at_once) {
            let x = x.range(first, x.cols().min(first + at_once));
            let below = self
                .below
                .as_ref()
                .map(|below| below.predict(x))
                .transpose()?;
            let x = below.as_ref().map_or(x, View::from);
            let y = self.top.predict(x)?;
            let gradients = &mut gradients[..width * y.len()];
            self.top.residual_gradients(x, gradients, &mut tape);
            rows.clear();
            for row in gradients.chunks_exact(width) {
                for range in &self.free {
                    rows.extend(row[range.clone()].iter().map(|g| g.as_f64()));
                }
            }
            y64.clear();
            y64.extend(y.iter().map(|y| y.as_f64()));
            each(first, &y64, &mut rows);
        }
        Ok(())
    }
}

/// The parameters that are no statistics.
fn uncertain<T: Real>(net: &Sequential<T>) -> impl Iterator<Item = NamedParameter<'_, T>> {
    net.named_parameters()
        .filter(|block| block.block.role != Role::Statistic && !block.range.is_empty())
}

/// The layers before `layer` as a network, and the others as a second one.
fn cut<T: Real>(net: &Sequential<T>, layer: usize) -> Result<(Sequential<T>, Sequential<T>)> {
    let part = |inputs: usize, layers: Range<usize>, params: &[T]| -> Result<Sequential<T>> {
        let layers = net.layers()[layers].iter().cloned();
        let builder = layers.fold(Sequential::builder(inputs), Builder::shared);
        let mut part = builder.build_at_zero()?;
        part.params_mut().copy_from_slice(params);
        Ok(part)
    };
    let before = net
        .named_parameters()
        .filter(|block| block.layer < layer)
        .map(|block| block.range.end)
        .max();
    let (first, second) = net.params().split_at(before.unwrap_or(0));
    let below = part(net.inputs(), 0..layer, first)?;
    let top = part(below.outputs(), layer..net.layers().len(), second)?;
    Ok((below, top))
}

/// What is known of numbers with so great a Σ v·(y − t)².
fn residuals<T: Real>(batch: Batch<'_, T>, squares: f64) -> Fit {
    let outputs = batch.target.values().rows() as f64;
    let weights = batch.target.weights().unwrap_or_default();
    let positive = || weights.iter().map(|v| v.as_f64()).filter(|v| *v > 0.0);
    let samples = match batch.target.weights() {
        None => batch.x.cols(),
        Some(_) => positive().count(),
    };
    Fit::Residuals {
        squares,
        count: outputs * samples as f64,
        logs: outputs * positive().map(libm::log).sum::<f64>(),
    }
}

/// The model with the output function of a likelihood, if it had none or the same.
fn with_output_function<T: Real>(model: Model<T>, function: OutputFunction) -> Result<Model<T>> {
    let given = model.output_function();
    if given == function {
        return Ok(model);
    }
    if given == OutputFunction::Identity {
        return model
            .with_output_function(function)
            .map_err(|error| error.within("Laplace"));
    }
    Err(Error::new(
        ErrorKind::Incompatible,
        "likelihood of Laplace",
        format!("that of the model's output function, {given}"),
        function,
    ))
}

fn not_finite(expected: &str, given: impl alloc::string::ToString) -> Error {
    let expected = format!("{expected} (scale the inputs and the targets)");
    Error::new(ErrorKind::NotFinite, "Laplace::fit", expected, given)
}

/// R with R·Rᵀ = S, for S positive semidefinite: Cholesky's factor, whose columns are 0 where
/// nothing is left.
fn semidefinite_root(s: &DMatrix<f64>) -> DMatrix<f64> {
    let n = s.nrows();
    let mut root = DMatrix::zeros(n, n);
    for j in 0..n {
        let left = |i: usize, root: &DMatrix<f64>| -> f64 {
            s[(i, j)] - (0..j).map(|k| root[(i, k)] * root[(j, k)]).sum::<f64>()
        };
        let pivot = left(j, &root);
        if pivot <= 1e-14 * s[(j, j)] {
            continue;
        }
        for i in j..n {
            root[(i, j)] = left(i, &root) / libm::sqrt(pivot);
        }
    }
    root
}

/// Number `index` under `seed` of standard normal numbers (Box & Muller 1958).
fn normal(seed: u64, index: usize) -> f64 {
    let index = 2 * index as u64;
    // In (0, 1], of which there is a logarithm.
    let radius = libm::sqrt(-2.0 * libm::log(1.0 - uniform(seed, index)));
    radius * libm::cos(2.0 * core::f64::consts::PI * uniform(seed, index + 1))
}
