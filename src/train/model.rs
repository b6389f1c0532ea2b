//! Networks in the units of their data, as they are kept.

use super::evaluate::Evaluation;
use super::history::History;
use super::observer::Step;
use super::run::{Fit, Units};
use super::trainer::Trainer;
use crate::data::{Batch, Dataset, Encoder, Rows, Scaler, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::metrics;
use crate::nn::activation::OutputRange;
use crate::nn::loss::OutputFunction;
use crate::nn::sequential::Sequential;
use crate::nn::tape::Tape;
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::{Real, zeros};
use crate::numeric::view::{Targets, View, ViewMut, check_each};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};
use core::mem;
use nalgebra::DMatrix;

/// A network with all that predictions need: scalers for its inputs and outputs, the output
/// function of its loss, and the names of its classes. It learns and predicts in the units of the
/// data: p = s₂⁻¹(g(f(s₁(x)))), with the network f, the scalers s₁ and s₂, and the
/// [`OutputFunction`] g. With notes of its own it is what goes into a file.
///
/// A model of tables has an [`Encoder`] in place of the first scaler: it is made by
/// [`with_encoder`](Self::with_encoder), and [`predict_table`](Self::predict_table) takes rows with
/// words and holes.
///
/// | method | regression | classification |
/// |---|---|---|
/// | [`predict`](Self::predict) | numbers in the units of the data | probabilities |
/// | [`scores`](Self::scores) | the same | raw outputs: logits, margins |
/// | [`predict_classes`](Self::predict_classes) | | names |
///
/// [`fit`](Self::fit) sets the output function. A network that was trained in another way gets it
/// from [`with_output_function`](Self::with_output_function).
///
/// Numbers of very different size:
///
/// ```
/// use chainrule::prelude::*;
/// // Metres and kilograms to newtons.
/// let x = DMatrix::from_fn(2, 60, |i, j| {
///     if i == 0 {
///         (j % 8) as f64 * 1e-3
///     } else {
///         1e4 + (j % 5) as f64 * 1e2
///     }
/// });
/// let force = DMatrix::from_fn(1, 60, |_, j| x[(0, j)] * x[(1, j)]);
/// let data = Dataset::new(x, force)?;
///
/// let net = Sequential::builder(2)
///     .layer(Dense::new(10, Activation::Tanh))
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(2)
///     .build()?;
/// let mut model = Model::new(
///     net,
///     Scaler::standard(data.inputs())?,
///     Scaler::standard(data.targets())?,
/// )?;
/// let mut trainer = Trainer::new(MeanSquaredError, Adam::new()).epochs(200).learning_rate(0.01);
/// model.fit(&mut trainer, &data)?;
/// let predicted = model.predict(data.inputs())?;
/// assert!(metrics::max_error(&predicted, &data)? < 2.0); // newtons, of up to 72
/// # Ok::<(), chainrule::Error>(())
/// ```
///
/// Classes with names:
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::View;
/// // kilograms
/// let weights = Dataset::from_rows(
///     &[3.0, 4.0, 5.0, 60.0, 70.0, 90.0],
///     1,
///     &[0.0, 0.0, 0.0, 1.0, 1.0, 1.0],
///     1,
/// )?;
/// let net = Sequential::builder(1)
///     .layer(Dense::new(1, Activation::Linear)) // a logit: the sigmoid belongs to the loss
///     .seed(1)
///     .build()?;
/// let mut model = Model::new(net, Scaler::standard(weights.inputs())?, None)?
///     .with_classes(["cat", "human"])?;
/// model.fit(
///     &mut Trainer::new(SigmoidCrossEntropy::new(), Adam::new())
///         .epochs(200)
///         .learning_rate(0.1),
///     &weights,
/// )?;
///
/// let new = View::new(&[4.5, 80.0], 1)?;
/// assert_eq!(model.predict_classes(new)?, ["cat", "human"]);
/// assert!(model.predict(new)?[1] > 0.9); // a probability
/// assert!(model.scores(new)?[1] > 2.0); // its logit
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
#[doc(alias("Pipeline", "estimator"))]
pub struct Model<T: Real> {
    net: Sequential<T>,
    inputs: Option<Scaler<T>>,
    outputs: Option<Scaler<T>>,
    output_function: OutputFunction,
    classes: Option<Vec<String>>,
    metadata: BTreeMap<String, String>,
    encoder: Option<Encoder>,
}

impl<T: Real> Model<T> {
    /// `net` between two scalers; `None` leaves a side as it is, as outputs of classes must be.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when a scaler has another number of features than the network inputs or
    /// outputs.
    pub fn new(
        net: Sequential<T>,
        inputs: impl Into<Option<Scaler<T>>>,
        outputs: impl Into<Option<Scaler<T>>>,
    ) -> Result<Self> {
        Self {
            inputs: inputs.into(),
            outputs: outputs.into(),
            ..Self::from(net)
        }
        .checked()
    }

    /// `net` behind an encoder: a model of tables. The scaler of the outputs and the names of the
    /// classes are the encoder's.
    ///
    /// [`predict_table`](Self::predict_table) takes rows as they are. All other methods take
    /// [encoded](Encoder::transform) inputs.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when the network has other inputs or outputs than the encoder;
    /// [`ErrorKind::NotFinite`] or [`ErrorKind::Value`] when the numbers of the scaler are beyond
    /// those of `T`.
    ///
    /// ```
    /// use chainrule::data::{Encoder, Table};
    /// use chainrule::prelude::*;
    /// let cars = Table::new()
    ///     .with_numbers("weight", [3504.0, 2372.0, 2130.0, 4341.0])?
    ///     .with_categories("origin", ["USA", "Japan", "Japan", "USA"])?
    ///     .with_numbers("mpg", [18.0, 24.0, 27.0, 15.0])?;
    /// let encoder = Encoder::builder().target("mpg").fit(&cars)?;
    /// let net = Sequential::<f64>::builder(encoder.inputs())
    ///     .layer(Dense::new(encoder.outputs(), Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let data = encoder.dataset(&cars)?;
    /// let mut model = Model::with_encoder(net, encoder)?;
    /// model.fit(
    ///     &mut Trainer::new(MeanSquaredError, Adam::new()).epochs(200).learning_rate(0.05),
    ///     &data,
    /// )?;
    /// let new = Table::new()
    ///     .with_numbers("weight", [4000.0])?
    ///     .with_categories("origin", ["USA"])?;
    /// let mpg = model.predict_table(&new)?.numbers("mpg")?[0];
    /// assert!(14.0 < mpg && mpg < 18.0);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn with_encoder(net: Sequential<T>, encoder: Encoder) -> Result<Self> {
        Self {
            outputs: encoder.target_scaler()?,
            classes: encoder.classes().map(Into::into),
            ..Self::from(net)
        }
        .encoded(encoder)
    }

    /// The same model with an encoder before it, and no other change.
    pub(crate) fn encoded(self, encoder: Encoder) -> Result<Self> {
        Self {
            encoder: Some(encoder),
            ..self
        }
        .checked()
    }

    /// The same model, whose [`predict`](Self::predict) applies this function to the raw outputs:
    /// for a network that was not trained by [`fit`](Self::fit), which sets the function of its
    /// loss.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] for another function than the identity when the outputs have a
    /// scaler or are probabilities already, and for the softmax of a single output, which is always
    /// 1.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::View;
    /// use chainrule::nn::loss::OutputFunction;
    /// let net = Sequential::builder(1)
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let mut model = Model::from(net).with_output_function(OutputFunction::Sigmoid)?;
    /// model.net_mut().set_params(&[2.0, 0.0])?;
    /// let x = View::new(&[0.0], 1)?;
    /// assert_eq!((model.scores(x)?[0], model.predict(x)?[0]), (0.0, 0.5));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn with_output_function(self, output_function: OutputFunction) -> Result<Self> {
        Self {
            output_function,
            ..self
        }
        .checked()
    }

    /// The same model with names of its classes, one per output; for a single output two, of which
    /// the second is the class whose probability it gives.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] for another number of names, [`ErrorKind::Value`] for a name that is
    /// empty or there twice, [`ErrorKind::Incompatible`] when the outputs have a scaler.
    pub fn with_classes<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Result<Self> {
        Self {
            classes: Some(names.into_iter().map(Into::into).collect()),
            ..self
        }
        .checked()
    }

    fn checked(self) -> Result<Self> {
        self.check()?;
        Ok(self)
    }

    /// Whether all parts fit each other.
    pub(crate) fn check(&self) -> Result<()> {
        compiled_here!(T: |model: &Model<T>| -> Result<()> {
            let scaler = |what: &str, scaler: &Option<Scaler<T>>, width: usize| match scaler
                .as_ref()
                .map(Scaler::features)
            {
                Some(features) if features != width => Err(Error::new(
                    ErrorKind::Shape,
                    format!("scaler of {what}"),
                    format!("{width} features"),
                    features,
                )),
                _ => Ok(()),
            };
            if let Some(encoder) = &model.encoder {
                let widths = [
                    ("inputs", encoder.inputs(), model.net.inputs()),
                    ("outputs", encoder.outputs(), model.net.outputs()),
                ];
                for (side, expected, given) in widths {
                    if given != expected {
                        return Err(Error::new(
                            ErrorKind::Shape,
                            format!("{side} of Model"),
                            format!("{expected}, as the encoder has"),
                            given,
                        ));
                    }
                }
            }
            scaler("inputs", &model.inputs, model.net.inputs())?;
            scaler("outputs", &model.outputs, model.net.outputs())?;
            model.check_output_function("Model", model.output_function)?;
            model.check_classes()
        })(self)
    }

    /// Whether the outputs are scores that `function` makes predictions of.
    pub(crate) fn check_output_function(
        &self,
        place: &str,
        function: OutputFunction,
    ) -> Result<()> {
        let range = self.net.range();
        let given = match function {
            OutputFunction::Identity => return Ok(()),
            _ if self.outputs.is_some() => "a scaler of outputs".into(),
            // The softmax of logarithms of probabilities are these probabilities.
            OutputFunction::Softmax if range == OutputRange::LogSimplex => return Ok(()),
            _ if range != OutputRange::Real => format!("outputs in {range:?}"),
            OutputFunction::Softmax if self.net.outputs() == 1 => {
                "a single output, whose softmax is always 1".into()
            }
            _ => return Ok(()),
        };
        let expected = format!("a network that ends on scores, for {function:?}");
        Err(Error::new(ErrorKind::Incompatible, place, expected, given))
    }

    fn check_classes(&self) -> Result<()> {
        let Some(names) = &self.classes else {
            return Ok(());
        };
        let place = "classes of Model";
        if self.outputs.is_some() {
            let expected = "outputs without a scaler: probabilities or scores of classes";
            return Err(Error::new(
                ErrorKind::Incompatible,
                place,
                expected,
                "a scaler of outputs",
            ));
        }
        self.check_class_count(names)?;
        let mut seen = BTreeSet::new();
        match names
            .iter()
            .find(|name| name.is_empty() || !seen.insert(name.as_str()))
        {
            None => Ok(()),
            Some(name) if name.is_empty() => Err(Error::new(
                ErrorKind::Value,
                place,
                "names that are not empty",
                "\"\"",
            )),
            Some(name) => Err(Error::new(
                ErrorKind::Value,
                place,
                "each name once",
                format!("{name:?} twice"),
            )),
        }
    }

    fn check_class_count(&self, names: &[String]) -> Result<()> {
        let expected = match self.net.outputs() {
            1 if names.len() == 2 => return Ok(()),
            1 => "2 names, the second of the class whose probability the only output is".into(),
            outputs if names.len() == outputs => return Ok(()),
            outputs => format!("{outputs} names, one per output"),
        };
        Err(Error::new(
            ErrorKind::Shape,
            "classes of Model",
            expected,
            names.len(),
        ))
    }

    /// The network, which works in scaled units. Its derivatives do, too: with the
    /// [scales](crate::Scaler::scale) s of inputs and outputs, ∂yⱼ/∂xₖ = sⱼ·Jⱼₖ/sₖ, J being the
    /// [Jacobian](Sequential::jacobian) at the scaled inputs.
    pub fn net(&self) -> &Sequential<T> {
        &self.net
    }

    /// The network, to be changed. Training it apart from [`fit`](Self::fit) leaves the output
    /// function as it is.
    pub fn net_mut(&mut self) -> &mut Sequential<T> {
        &mut self.net
    }

    /// The network alone.
    pub fn into_net(self) -> Sequential<T> {
        self.net
    }

    /// The scaler of the inputs.
    pub fn input_scaler(&self) -> Option<&Scaler<T>> {
        self.inputs.as_ref()
    }

    /// The scaler of the outputs.
    pub fn output_scaler(&self) -> Option<&Scaler<T>> {
        self.outputs.as_ref()
    }

    /// The function that [`predict`](Self::predict) applies to the raw outputs.
    pub fn output_function(&self) -> OutputFunction {
        self.output_function
    }

    /// The names of the classes, if they were [given](Self::with_classes).
    pub fn classes(&self) -> Option<&[String]> {
        self.classes.as_deref()
    }

    /// What makes inputs of the rows of a table, if the model was [made with
    /// it](Self::with_encoder).
    pub fn encoder(&self) -> Option<&Encoder> {
        self.encoder.as_ref()
    }

    /// Notes that are kept with the model: where its data came from, when it was trained.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The notes, to be changed.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let net = Sequential::<f64>::builder(4)
    ///     .layer(Dense::new(3, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let mut model = Model::from(net);
    /// model.metadata_mut().insert("source".into(), "R. A. Fisher, 1936".into());
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn metadata_mut(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.metadata
    }

    /// `data` in scaled units, for work on [`net`](Self::net) itself; [`fit`](Self::fit) scales by
    /// itself. The numbers are mapped in place.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when the data have another number of features or outputs,
    /// [`ErrorKind::NotFinite`] when a number overflows.
    pub fn scale(&self, data: Dataset<T>) -> Result<Dataset<T>> {
        let scale = |scaler: &Scaler<T>, mut numbers: DMatrix<T>| {
            scaler.transform_mut((&mut numbers).into())?;
            Ok(numbers)
        };
        let data = match &self.inputs {
            None => data,
            Some(scaler) => data.map_inputs(|inputs| scale(scaler, inputs))?,
        };
        match &self.outputs {
            None => Ok(data),
            Some(scaler) => data.map_targets(|targets| scale(scaler, targets)),
        }
    }

    /// Trains on data in their own units, by a [`Trainer`] or another way to [`Fit`], whose
    /// [validation data](crate::Trainer::validation_data) are in the same units. Both are scaled
    /// here: inputs or targets that have a scaler are copied once, others not at all.
    ///
    /// [Metrics](crate::Trainer::metric) see predictions and targets in the units of the data.
    /// Costs are in scaled units, in which training makes them small and in which no output
    /// outweighs the others.
    ///
    /// The model then has the [`OutputFunction`] of the trainer's loss.
    ///
    /// # Errors
    /// Those of [`scale`](Self::scale) and [`Trainer::fit`]; [`ErrorKind::Incompatible`] as
    /// [`with_output_function`](Self::with_output_function), for the loss's function.
    ///
    /// [`Trainer`]: crate::Trainer
    /// [`Trainer::fit`]: crate::Trainer::fit
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// // Degrees Fahrenheit of degrees Celsius.
    /// let celsius = DMatrix::from_fn(1, 50, |_, j| 2.0 * j as f64 - 20.0);
    /// let (train, judge) =
    ///     Dataset::new(celsius.clone(), celsius.map(|c| 1.8 * c + 32.0))?.split(0.7, 1)?;
    /// let net = Sequential::builder(1)
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let mut model = Model::new(
    ///     net,
    ///     Scaler::standard(train.inputs())?,
    ///     Scaler::standard(train.targets())?,
    /// )?;
    /// let mut trainer = Trainer::new(MeanSquaredError, Adam::new())
    ///     .epochs(200)
    ///     .learning_rate(0.05)
    ///     .validation_data(&judge) // as it is
    ///     .metric("largest error", |y, t| metrics::max_error(y, t));
    /// let history = model.fit(&mut trainer, &train)?;
    /// let degrees = history.last().and_then(|epoch| epoch.metric("largest error"));
    /// assert!(degrees.is_some_and(|degrees| degrees < 0.5));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn fit(&mut self, trainer: &mut impl Fit<T>, data: &Dataset<T>) -> Result<History> {
        let function = trainer.output_function();
        self.check()?;
        self.check_output_function("Model::fit", function)?;
        let Self {
            net,
            inputs,
            outputs,
            ..
        } = self;
        let units = Units {
            inputs: inputs.as_ref(),
            outputs: outputs.as_ref(),
        };
        let result = trainer.fit_in(units, net, data);
        // After an error, too, the network may be one that this loss has trained.
        if result.is_ok() || trainer.has_trained(&self.net) {
            self.output_function = function;
        }
        result
    }

    /// Takes one step of the trainer on samples in their own units, and returns its cost before the
    /// step, in scaled units: [`Trainer::step`](crate::Trainer::step), for learning as data come.
    /// The scalers stay as they are. Once warm, it allocates nothing.
    ///
    /// The model then has the [`OutputFunction`] of the trainer's loss.
    ///
    /// # Errors
    /// As [`Trainer::step`](crate::Trainer::step), those of [`Scaler::transform`], and
    /// [`ErrorKind::Incompatible`] as [`with_output_function`](Self::with_output_function), for the
    /// loss's function. Nothing has changed then.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::View;
    /// // The scales are those of the first hundred measurements.
    /// let celsius = DMatrix::from_fn(1, 100, |_, j| 0.4 * j as f64 - 10.0);
    /// let fahrenheit = celsius.map(|c| 1.8 * c + 32.0);
    /// let net = Sequential::builder(1)
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let scalers = (Scaler::standard(&celsius)?, Scaler::standard(&fahrenheit)?);
    /// let mut model = Model::new(net, scalers.0, scalers.1)?;
    /// let mut trainer = Trainer::new(MeanSquaredError, Sgd::new()).learning_rate(0.1);
    /// for c in celsius.iter().cycle().take(2000) {
    ///     model.step(&mut trainer, View::from(&[*c]), View::from(&[1.8 * c + 32.0]))?;
    /// }
    /// assert!((model.predict(&[20.0])?[0] - 68.0).abs() < 1e-6);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("partial_fit", "train_on_batch", "online learning"))]
    pub fn step<'x, 't>(
        &mut self,
        trainer: &mut Trainer<'_, T>,
        x: impl Into<View<'x, T>>,
        target: impl Into<Targets<'t, T>>,
    ) -> Result<Step> {
        let function = trainer.output_function();
        self.check_output_function("Model::step", function)?;
        let units = Units {
            inputs: self.inputs.as_ref(),
            outputs: self.outputs.as_ref(),
        };
        let batch = Batch {
            x: x.into(),
            target: target.into(),
        };
        let step = trainer.step_in(units, &mut self.net, batch)?;
        self.output_function = function;
        Ok(step)
    }

    /// The cost and the metrics of what the model predicts for `data`, by the trainer's loss and
    /// its metrics: what [`fit`](Self::fit) computes on validation data after each epoch. Metrics
    /// are in the units of the data, the cost is in scaled units.
    ///
    /// # Errors
    /// Those of [`scale`](Self::scale) and of [`Trainer::evaluate`]; [`ErrorKind::Incompatible`] as
    /// [`with_output_function`](Self::with_output_function), for the loss's function.
    ///
    /// [`Trainer::evaluate`]: crate::Trainer::evaluate
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::train::LevenbergMarquardt;
    /// let celsius = DMatrix::from_fn(1, 50, |_, j| 2.0 * j as f64 - 20.0);
    /// let (train, test) =
    ///     Dataset::new(celsius.clone(), celsius.map(|c| 1.8 * c + 32.0))?.split(0.7, 1)?;
    /// let net = Sequential::builder(1)
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let mut model = Model::new(
    ///     net,
    ///     Scaler::standard(train.inputs())?,
    ///     Scaler::standard(train.targets())?,
    /// )?;
    /// let mut trainer =
    ///     LevenbergMarquardt::new().metric("largest error", |y, t| metrics::max_error(y, t));
    /// model.fit(&mut trainer, &train)?;
    /// let degrees = model.evaluate(&mut trainer, &test)?.metric("largest error");
    /// assert!(degrees.is_some_and(|degrees| degrees < 1e-6));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn evaluate(&self, trainer: &mut impl Fit<T>, data: &Dataset<T>) -> Result<Evaluation> {
        self.check()?;
        self.check_output_function("Model::evaluate", trainer.output_function())?;
        let units = Units {
            inputs: self.inputs.as_ref(),
            outputs: self.outputs.as_ref(),
        };
        trainer.evaluate_in(units, &self.net, data)
    }

    /// Predictions for a batch, outputs × samples: of classes probabilities, of numbers those in
    /// the units of the data. A slice or an array is one sample.
    ///
    /// # Errors
    /// As [`Sequential::predict`].
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let net = Sequential::builder(3).layer(Dense::new(2, Activation::Linear)).build()?;
    /// let model = Model::from(net);
    /// let y = model.predict(&[1.0, 0.5, -1.0])?; // one sample of three features
    /// assert_eq!(y.shape(), (2, 1));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn predict<'x>(&self, x: impl Into<View<'x, T>>) -> Result<DMatrix<T>> {
        let mut y = self.scores(x)?;
        self.output_function.apply(&mut y);
        Ok(y)
    }

    /// Predictions for a batch into `y`, without allocation once the tape is warm.
    ///
    /// # Errors
    /// As [`Sequential::predict_into`].
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::nn::loss::OutputFunction;
    /// let net = Sequential::builder(2)
    ///     .layer(Dense::new(3, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let model = Model::from(net).with_output_function(OutputFunction::Softmax)?;
    /// let x = DMatrix::from_element(2, 5, 0.5);
    /// let (mut tape, mut y) = (Tape::new(), DMatrix::zeros(3, 5));
    /// model.predict_into(&x, &mut y, &mut tape)?;
    /// assert_eq!(y, model.predict(&x)?);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn predict_into<'x, 'y>(
        &self,
        x: impl Into<View<'x, T>>,
        y: impl Into<ViewMut<'y, T>>,
        tape: &mut Tape<T>,
    ) -> Result<()> {
        let mut y = y.into();
        self.scores_into(x.into(), y.reborrow(), tape)?;
        self.output_function.apply(y);
        Ok(())
    }

    /// The prediction for one sample into `y`, without allocation once the tape is warm. The same
    /// bits as in any batch.
    ///
    /// # Errors
    /// As [`Sequential::predict_one`].
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::nn::loss::OutputFunction;
    /// let net = Sequential::<f32>::builder(3)
    ///     .layer(Dense::new(2, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let model = Model::from(net).with_output_function(OutputFunction::Softmax)?;
    /// let (mut tape, mut y) = (Tape::new(), [0.0; 2]);
    /// model.predict_one(&[0.1, 0.2, 0.3], &mut y, &mut tape)?;
    /// assert!((y[0] + y[1] - 1.0).abs() < 1e-6);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn predict_one(&self, x: &[T], y: &mut [T], tape: &mut Tape<T>) -> Result<()> {
        let (inputs, outputs) = (x.len(), y.len());
        self.predict_into(
            View::from_parts(x, inputs, 1),
            ViewMut::from_parts(y, outputs, 1),
            tape,
        )
    }

    /// Raw outputs for a batch, outputs × samples: logits where the loss has an [`OutputFunction`],
    /// else the same as [`predict`](Self::predict).
    ///
    /// # Errors
    /// As [`Sequential::predict`].
    #[doc(alias("decision_function", "logits"))]
    pub fn scores<'x>(&self, x: impl Into<View<'x, T>>) -> Result<DMatrix<T>> {
        let x = x.into();
        self.net.walk().check_inputs(x)?;
        let outputs = self.net.outputs();
        let mut y = DMatrix::from_vec(
            outputs,
            x.cols(),
            zeros("outputs of Model", &[outputs, x.cols()])?,
        );
        self.scores_into(x, (&mut y).into(), &mut Tape::new())?;
        Ok(y)
    }

    fn scores_into(&self, x: View<'_, T>, y: ViewMut<'_, T>, tape: &mut Tape<T>) -> Result<()> {
        compiled_here!(T: |model: &Model<T>,
                           x: View<'_, T>,
                           y: ViewMut<'_, T>,
                           tape: &mut Tape<T>| -> Result<()> {
            let mut y = y;
            match &model.inputs {
                None => model.net.predict_into(x, y.reborrow(), tape)?,
                Some(scaler) => {
                    model.net.walk().check_inputs(x)?;
                    let mut scaled = mem::take(tape.scaled_mut());
                    scaled.clear();
                    scaled.extend_from_slice(x.as_slice());
                    let fitted =
                        scaler.transform_mut(ViewMut::from_parts(&mut scaled, x.rows(), x.cols()));
                    let x = View::from_parts(&scaled, x.rows(), x.cols());
                    let result =
                        fitted.and_then(|()| model.net.predict_into(x, y.reborrow(), tape));
                    *tape.scaled_mut() = scaled;
                    result?;
                }
            }
            model.outputs
                .as_ref()
                .map_or(Ok(()), |scaler| scaler.inverse_mut(y))
        })(self, x, y, tape)
    }

    /// The name of the most probable class of each sample; for a single output the second name from
    /// ½ on. The first of equals wins. Numbers of classes instead of names:
    /// [`metrics::classes`]`(&model.predict(x)?)`. Independent classes, of which a sample may have
    /// several, are those whose probability in [`predict`](Self::predict) is at least ½.
    /// [Judging](crate::guide::judging) shows another threshold than ½.
    ///
    /// # Errors
    /// As [`predict`](Self::predict); [`ErrorKind::Empty`] without [names](Self::with_classes);
    /// [`ErrorKind::Incompatible`] for a single output that is not a probability;
    /// [`ErrorKind::NotFinite`] for predictions that are NaN.
    #[doc(alias("predict_class", "argmax"))]
    pub fn predict_classes<'x>(&self, x: impl Into<View<'x, T>>) -> Result<Vec<&str>> {
        let place = "Model::predict_classes";
        self.class_names(place)?;
        self.name_classes(place, &self.predict(x)?)
    }

    /// The names of the classes, if the outputs tell the most probable one.
    pub(crate) fn class_names(&self, place: &str) -> Result<&[String]> {
        let Some(names) = &self.classes else {
            let expected = "names of the classes (Model::with_classes gives them; metrics::classes \
                of Model::predict needs none)";
            return Err(Error::new(ErrorKind::Empty, place, expected, "none"));
        };
        self.check_class_count(names)?;
        let scores = match self.output_function {
            OutputFunction::Identity => {
                matches!(
                    self.net.range(),
                    OutputRange::Real | OutputRange::LogSimplex
                )
            }
            OutputFunction::Sigmoid | OutputFunction::Softmax => false,
            OutputFunction::Exp => true,
        };
        if self.net.outputs() == 1 && scores {
            let expected = "a probability as the only output (Model::fit with SigmoidCrossEntropy, \
                or Model::with_output_function; of margins, metrics::margin_classes)";
            return Err(Error::new(
                ErrorKind::Incompatible,
                place,
                expected,
                "a number of any size",
            ));
        }
        Ok(names)
    }

    /// The name of the most probable class of each of these predictions.
    fn name_classes(&self, place: &str, y: &DMatrix<T>) -> Result<Vec<&str>> {
        let names = self.class_names(place)?;
        let classes = metrics::classes(y).map_err(|error| error.within(place))?;
        Ok(classes
            .into_iter()
            .map(|class| names[class].as_str())
            .collect())
    }

    /// The rows of a table as inputs and targets, by [`Encoder::dataset`]: for metrics, for
    /// [`fit`](Self::fit) and [`evaluate`](Self::evaluate).
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without an [encoder](Self::with_encoder), and as [`Encoder::dataset`].
    ///
    /// ```
    /// use chainrule::data::{Encoder, Table};
    /// use chainrule::prelude::*;
    /// let table = Table::new()
    ///     .with_categories("fuel", ["gas", "oil", "gas", "oil", "gas"])?
    ///     .with_numbers("cost", [2.0, 3.0, 2.5, 3.5, 2.0])?;
    /// let (train, test) = table.split(0.8, 1)?;
    /// let encoder = Encoder::builder().target("cost").fit(&train)?;
    /// let net = Sequential::<f64>::builder(encoder.inputs())
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let mut model = Model::with_encoder(net, encoder)?;
    /// let data = model.dataset(&train)?;
    /// model.fit(&mut Trainer::new(MeanSquaredError, Adam::new()), &data)?;
    /// let test = model.dataset(&test)?;
    /// let error = metrics::mean_absolute_error(&model.predict(test.inputs())?, &test)?;
    /// assert!(error < 5.0);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn dataset<'r>(&self, rows: impl Into<Rows<'r>>) -> Result<Dataset<T>> {
        self.encoder_for("Model::dataset")?.dataset(rows)
    }

    fn encoder_for(&self, place: &str) -> Result<&Encoder> {
        self.encoder.as_ref().ok_or_else(|| {
            let expected = "an encoder (Model::with_encoder; Model::predict takes numbers)";
            Error::new(ErrorKind::Empty, place, expected, "none")
        })
    }

    /// Predictions for the rows of a table, a row each. For numbers a column per target, in its
    /// units. For classes a column with the name of the most probable one, under the name of the
    /// target, and one per class with what [`predict`](Self::predict) gives for it, its
    /// probability, such as `species=Adelie`.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without an [encoder](Self::with_encoder); as [`Encoder::transform`] and
    /// [`predict_classes`](Self::predict_classes); [`ErrorKind::NotFinite`] for predictions that
    /// are NaN or ±∞.
    ///
    /// ```
    /// use chainrule::data::{Encoder, Table};
    /// use chainrule::prelude::*;
    /// let animals = Table::new()
    ///     .with_numbers("weight", [3.0, 4.0, 5.0, 60.0, 70.0, 90.0])?
    ///     .with_categories("animal", ["cat", "cat", "cat", "pig", "pig", "pig"])?;
    /// let encoder = Encoder::builder().target("animal").fit(&animals)?;
    /// let net = Sequential::<f64>::builder(encoder.inputs())
    ///     .layer(Dense::new(encoder.outputs(), Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let data = encoder.dataset(&animals)?;
    /// let mut model = Model::with_encoder(net, encoder)?;
    /// let mut trainer =
    ///     Trainer::new(SoftmaxCrossEntropy::new(), Adam::new()).epochs(200).learning_rate(0.1);
    /// model.fit(&mut trainer, &data)?;
    ///
    /// let predicted = model.predict_table(&Table::new().with_numbers("weight", [4.5])?)?;
    /// assert_eq!(predicted.columns().collect::<Vec<_>>(), ["animal", "animal=cat", "animal=pig"]);
    /// assert_eq!(predicted.categories("animal")?.next(), Some(Some("cat")));
    /// assert!(predicted.numbers("animal=cat")?[0] > 0.9);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn predict_table<'r>(&self, rows: impl Into<Rows<'r>>) -> Result<Table> {
        compiled_here!(T: |model: &Model<T>, rows: Rows<'_>| -> Result<Table> {
            let place = "Model::predict_table";
            let encoder = model.encoder_for(place)?;
            let y = model.predict(&encoder.transform::<T>(rows)?)?;
            check_each(|| place.into(), (&y).into(), "a finite number", |v| v.is_finite())?;
            let targets: Vec<&str> = encoder.targets().collect();
            let numbers = |row: usize| y.row(row).iter().map(|v| v.as_f64()).collect::<Vec<f64>>();
            let mut table = Table::new();
            match (&targets[..], &model.classes) {
                ([target], Some(names)) => {
                    table = table.with_categories(*target, model.name_classes(place, &y)?)?;
                    for (class, name) in names.iter().enumerate() {
                        let numbers = match y.nrows() {
                            1 if class == 0 => numbers(0).iter().map(|p| 1.0 - p).collect(),
                            1 => numbers(0),
                            _ => numbers(class),
                        };
                        table = table.with_numbers(format!("{target}={name}"), numbers)?;
                    }
                }
                _ => {
                    for (row, target) in targets.into_iter().enumerate() {
                        table = table.with_numbers(target, numbers(row))?;
                    }
                }
            }
            Ok(table)
        })(self, rows.into())
    }

    /// Makes predictions of what the network gave for inputs in its units, in place.
    pub(crate) fn finish(&self, mut y: ViewMut<'_, T>) -> Result<()> {
        if let Some(scaler) = &self.outputs {
            scaler.inverse_mut(y.reborrow())?;
        }
        self.output_function.apply(y);
        Ok(())
    }

    /// The same model for another scalar: [`Sequential::cast`], with the scalers rounded likewise.
    ///
    /// # Errors
    /// As [`Sequential::cast`]; [`ErrorKind::NotFinite`] or [`ErrorKind::Value`] when a number of a
    /// scaler becomes ±∞, or a scale 0.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let x = DMatrix::from_row_slice(1, 3, &[1.0, 2.0, 4.0]);
    /// let net = Sequential::<f64>::builder(1)
    ///     .layer(Dense::new(1, Activation::Tanh))
    ///     .seed(1)
    ///     .build()?;
    /// let model = Model::new(net, Scaler::standard(&x)?, None)?;
    /// let small: Model<f32> = model.cast()?; // trained in f64, deployed in f32
    /// let (y, expected) = (small.predict(&x.map(|v| v as f32))?, model.predict(&x)?);
    /// assert!((f64::from(y[2]) - expected[2]).abs() < 1e-6);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn cast<U: Real>(&self) -> Result<Model<U>> {
        let scaler = |what: &str, scaler: &Option<Scaler<T>>| {
            let cast = scaler.as_ref().map(Scaler::cast).transpose();
            cast.map_err(|error| error.within(format!("scaler of {what}")))
        };
        Ok(Model {
            net: self.net.cast()?,
            inputs: scaler("inputs", &self.inputs)?,
            outputs: scaler("outputs", &self.outputs)?,
            output_function: self.output_function,
            classes: self.classes.clone(),
            metadata: self.metadata.clone(),
            encoder: self.encoder.clone(),
        })
    }
}

/// A network whose data have no scale, with the identity as its output function.
impl<T: Real> From<Sequential<T>> for Model<T> {
    fn from(net: Sequential<T>) -> Self {
        let (inputs, outputs) = (None, None);
        Self {
            net,
            inputs,
            outputs,
            output_function: OutputFunction::Identity,
            classes: None,
            metadata: BTreeMap::new(),
            encoder: None,
        }
    }
}

#[cfg(feature = "serde")]
impl<'de, T: Real> serde::Deserialize<'de> for Model<T> {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> core::result::Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(bound = "T: Real", deny_unknown_fields)]
        struct Model<T: Real> {
            net: Sequential<T>,
            #[serde(deserialize_with = "serde::Deserialize::deserialize")]
            inputs: Option<Scaler<T>>,
            #[serde(deserialize_with = "serde::Deserialize::deserialize")]
            outputs: Option<Scaler<T>>,
            output_function: OutputFunction,
            #[serde(deserialize_with = "serde::Deserialize::deserialize")]
            classes: Option<Vec<String>>,
            metadata: BTreeMap<String, String>,
            #[serde(deserialize_with = "serde::Deserialize::deserialize")]
            encoder: Option<Encoder>,
        }
        crate::ground::serde::checked(deserializer, |model| {
            let Model {
                net,
                inputs,
                outputs,
                output_function,
                classes,
                metadata,
                encoder,
            } = model;
            Self {
                net,
                inputs,
                outputs,
                output_function,
                classes,
                metadata,
                encoder,
            }
            .checked()
        })
    }
}
