//! Networks in the units of their data, as they are kept.

use super::evaluate::{Evaluation, no_such_head};
use super::history::History;
use super::observer::Step;
use super::predictions::{self, check_heads};
use super::run::{Fit, Units};
use super::trainer::Trainer;
use crate::data::slopes::transform;
use crate::data::{Batch, Dataset, Encoder, Rows, Scaler, Table, TargetColumn};
use crate::error::{Error, ErrorKind, Result};
use crate::metrics;
use crate::nn::activation::OutputRange;
use crate::nn::loss::{Head, OutputFunction};
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
use core::{mem, ops::Range};
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
/// A network whose loss has [`Heads`](crate::nn::loss::Heads) predicts several things at once:
/// [`heads`](Self::heads) says which, [`predict_head`](Self::predict_head) and
/// [`predict_head_classes`](Self::predict_head_classes) predict one of them.
///
/// Where the loss takes several outputs for each target, the scaler of the outputs has a feature a
/// target: quantiles and means come back to the units of the data, deviations are multiplied by
/// the scale.
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
    /// The names of the classes of heads, by the names of these.
    head_classes: BTreeMap<String, Vec<String>>,
}

impl<T: Real> Model<T> {
    /// `net` between two scalers; `None` leaves a side as it is, as outputs of classes must be.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when a scaler has another number of features than the network inputs,
    /// or one of which the number of outputs is no multiple.
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

    /// The same model between two other scalers. A model of heads with other numbers of targets
    /// than of outputs takes them after its [output function](Self::with_output_function), which
    /// says of which target an output is.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`ErrorKind::Incompatible`] for a scaler that changes a target of
    /// which the outputs are probabilities or rates.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::nn::loss::{GaussianNll, Heads, Loss};
    /// let mut net = Sequential::<f64>::builder(2)
    ///     .layer(Dense::new(5, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// net.params_mut().fill(0.0);
    /// let loss = Heads::<f64>::new()
    ///     .head("price", 2, GaussianNll::new()) // a mean and a deviation of one target
    ///     .head("kind", 3, SoftmaxCrossEntropy::new());
    /// let prices = Scaler::new(vec![300.0, 0.0, 0.0, 0.0], vec![50.0, 1.0, 1.0, 1.0])?;
    /// let model = Model::from(net)
    ///     .with_output_function(loss.output_function())?
    ///     .with_scalers(None, prices)?;
    /// assert_eq!(model.predict(&[0.0, 0.0])?.as_slice()[..2], [300.0, 50.0]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn with_scalers(
        self,
        inputs: impl Into<Option<Scaler<T>>>,
        outputs: impl Into<Option<Scaler<T>>>,
    ) -> Result<Self> {
        Self {
            inputs: inputs.into(),
            outputs: outputs.into(),
            ..self
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
    /// [`ErrorKind::Shape`] when the network has other inputs or outputs than the encoder (of
    /// numbers it may have a multiple, as [`Quantile`](crate::nn::loss::Quantile) needs);
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

    /// The same model with names of the classes of one of its heads, as
    /// [`with_classes`](Self::with_classes) gives them to a network of one. A model that is not yet
    /// trained takes any head; [`fit`](Self::fit) then refuses one that the loss has not.
    ///
    /// # Errors
    /// As [`with_classes`](Self::with_classes); [`ErrorKind::Value`] for a head that is not there.
    pub fn with_head_classes<S: Into<String>>(
        mut self,
        head: impl Into<String>,
        names: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        let names = names.into_iter().map(Into::into).collect();
        self.head_classes.insert(head.into(), names);
        self.checked()
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
                let (inputs, outputs) = (model.net.inputs(), model.net.outputs());
                let widths = [
                    ("inputs", encoder.inputs(), inputs, inputs == encoder.inputs()),
                    ("outputs", encoder.outputs(), outputs, model.fits_encoder(encoder)),
                ];
                for (side, expected, given, fits) in widths {
                    if !fits {
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
            let targets = model.outputs.as_ref().map(Scaler::features);
            // Those of an encoder have been looked at above.
            let of_encoder = model.encoder.as_ref().map(Encoder::outputs) == targets;
            if !of_encoder && !targets.is_some_and(|targets| model.fits_targets(targets)) {
                scaler("outputs", &model.outputs, model.net.outputs())?;
            }
            model.check_output_function("Model", &model.output_function)?;
            model.check_classes()
        })(self)
    }

    /// Whether the outputs can be of so many targets.
    fn fits_targets(&self, targets: usize) -> bool {
        let outputs = self.net.outputs();
        match &self.output_function {
            OutputFunction::Identity => targets > 0 && outputs.is_multiple_of(targets),
            OutputFunction::Normal => outputs == 2 * targets,
            OutputFunction::Heads(heads) => {
                heads.last().is_some_and(|head| head.targets.end == targets)
            }
            _ => outputs == targets,
        }
    }

    /// Whether the outputs can be of the targets of this encoder. Of targets of several kinds the
    /// loss says it, once it is known.
    fn fits_encoder(&self, encoder: &Encoder) -> bool {
        let (outputs, targets) = (self.net.outputs(), encoder.outputs());
        let open = self.output_function == OutputFunction::Identity;
        if encoder.classes().is_some() && open {
            outputs == targets
        } else if encoder.has_several_kinds() && open {
            outputs >= targets
        } else {
            outputs == targets || self.fits_targets(targets)
        }
    }

    /// Whether the outputs are scores that `function` makes predictions of.
    pub(crate) fn check_output_function(
        &self,
        place: &str,
        function: &OutputFunction,
    ) -> Result<()> {
        let (range, outputs) = (self.net.range(), self.net.outputs());
        let scaler = self.outputs.as_ref();
        let OutputFunction::Heads(heads) = function else {
            return check_scores(place, function, range, outputs, scaler.is_some());
        };
        check_heads(function, outputs)?;
        self.check_head_classes(heads)?;
        for head in heads.iter() {
            let scaled = scaler.is_some_and(|scaler| scaler.changes(head.targets.clone()));
            let range = self.net.range_of(head.outputs.clone());
            check_scores("", &head.output_function, range, head.outputs.len(), scaled)
                .map_err(|error| error.within(format!("{place}: head {:?}", head.name)))?;
        }
        Ok(())
    }

    /// Whether the model can learn by a loss of this function, which says what heads there are.
    fn check_loss(&self, place: &str, function: &OutputFunction) -> Result<()> {
        self.check_output_function(place, function)?;
        self.check_head_classes(function.heads())
    }

    /// Whether the classes that have names are those of these heads.
    fn check_head_classes(&self, heads: &[Head]) -> Result<()> {
        for (name, classes) in &self.head_classes {
            let place = || format!("classes of head {name:?} of Model");
            let Some(head) = heads.iter().find(|head| head.name == *name) else {
                return Err(no_such_head(place(), heads, name));
            };
            check_class_count("", head.outputs.len(), classes)
                .map_err(|error| error.within(place()))?;
        }
        Ok(())
    }

    /// The heads that the network has, by the loss that [`fit`](Self::fit) had: their names, ranges
    /// and output functions; none where the loss is one of all outputs.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::nn::loss::{Heads, Loss};
    /// let net = Sequential::<f64>::builder(2)
    ///     .layer(Dense::new(4, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let loss = Heads::<f64>::new()
    ///     .head("price", 1, MeanSquaredError)
    ///     .head("kind", 3, SoftmaxCrossEntropy::new());
    /// let model = Model::from(net)
    ///     .with_output_function(loss.output_function())? // trained elsewhere
    ///     .with_head_classes("kind", ["flat", "house", "boat"])?;
    /// let names: Vec<&str> = model.heads().iter().map(|head| &*head.name).collect();
    /// assert_eq!(names, ["price", "kind"]);
    /// assert_eq!(model.predict(&[0.1, 0.2])?.len(), 4);
    /// let kinds = model.predict_head("kind", &[0.1, 0.2])?;
    /// assert!((kinds.sum() - 1.0).abs() < 1e-12); // probabilities
    /// let kinds = model.predict_head_classes("kind", &[0.1, 0.2])?;
    /// assert!(["flat", "house", "boat"].contains(&kinds[0]));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn heads(&self) -> &[Head] {
        self.output_function.heads()
    }

    /// The names of the classes of this head, if they were [given](Self::with_head_classes) or are
    /// the encoder's.
    pub fn head_classes(&self, head: &str) -> Option<&[String]> {
        let given = self.head_classes.get(head).map(Vec::as_slice);
        given.or_else(|| {
            let head = self.heads().iter().find(|known| known.name == head)?;
            let (_, _, classes) = self.encoder.as_ref().and_then(|encoder| {
                let columns = encoder.target_columns().into_iter();
                columns
                    .into_iter()
                    .find(|(_, rows, _)| *rows == head.targets)
            })?;
            classes.filter(|classes| classes.len() == head.outputs.len())
        })
    }

    /// The map of raw outputs that [`scores`](Self::scores) makes, a feature an output.
    #[cfg(feature = "onnx")]
    pub(crate) fn score_scaler(&self) -> Result<Option<Scaler<T>>> {
        let scaler = self.outputs.as_ref();
        let each =
            |scaler| predictions::by_output(&self.output_function, scaler, self.net.outputs());
        scaler.map(each).transpose()
    }

    /// The same model with this output function, whose scaler of outputs has been one for each
    /// output, as [`score_scaler`](Self::score_scaler) gives it.
    #[cfg(feature = "onnx")]
    pub(crate) fn finished_by(self, function: OutputFunction) -> Result<Self> {
        let Self {
            inputs, outputs, ..
        } = self;
        let outputs = outputs
            .map(|scaler| predictions::by_target(&function, scaler))
            .transpose()?;
        Self::from(self.net)
            .with_output_function(function)?
            .with_scalers(inputs, outputs)
    }

    /// The names of the classes of all heads that were given.
    #[cfg(any(feature = "safetensors", feature = "onnx"))]
    pub(crate) fn all_head_classes(&self) -> &BTreeMap<String, Vec<String>> {
        &self.head_classes
    }

    fn head(&self, place: &str, name: &str) -> Result<&Head> {
        check_heads(&self.output_function, self.net.outputs())?;
        let heads = self.heads();
        let found = heads.iter().find(|head| head.name == name);
        found.ok_or_else(|| no_such_head(format!("head of {place}"), heads, name))
    }

    /// The rows of [`predict`](Self::predict) that are of one head.
    ///
    /// # Errors
    /// As [`predict`](Self::predict); [`ErrorKind::Value`] for a name that none of the
    /// [heads](Self::heads) has.
    pub fn predict_head<'x>(&self, head: &str, x: impl Into<View<'x, T>>) -> Result<DMatrix<T>> {
        let rows = self.head("Model::predict_head", head)?.outputs.clone();
        let y = self.predict(x)?;
        let numbers = View::from(&y).rows_of(rows.clone());
        Ok(DMatrix::from_vec(rows.len(), y.ncols(), numbers))
    }

    /// The name of the most probable class of a head for each sample, as
    /// [`predict_classes`](Self::predict_classes) gives those of a network of one.
    ///
    /// # Errors
    /// As [`predict_head`](Self::predict_head) and [`predict_classes`](Self::predict_classes).
    pub fn predict_head_classes<'x>(
        &self,
        head: &str,
        x: impl Into<View<'x, T>>,
    ) -> Result<Vec<&str>> {
        let place = "Model::predict_head_classes";
        let known = self.head(place, head)?;
        let names = self.head_class_names(place, known)?;
        let y = self.predict_head(head, x)?;
        name_classes(place, names, &y)
    }

    /// The names of a head's classes, if its outputs tell the most probable one.
    fn head_class_names(&self, place: &str, head: &Head) -> Result<&[String]> {
        let Some(names) = self.head_classes(&head.name) else {
            let expected = "names of the head's classes (Model::with_head_classes gives them)";
            return Err(Error::new(ErrorKind::Empty, place, expected, "none"));
        };
        check_class_count(place, head.outputs.len(), names)?;
        let range = self.net.range_of(head.outputs.clone());
        check_tells_class(place, &head.output_function, range, head.outputs.len())?;
        Ok(names)
    }
    fn check_classes(&self) -> Result<()> {
        for (head, names) in &self.head_classes {
            check_class_names(&format!("classes of head {head:?} of Model"), names)?;
        }
        let Some(names) = &self.classes else {
            return Ok(());
        };
        if self.outputs.is_some() {
            let expected = "outputs without a scaler: probabilities or scores of classes";
            return Err(Error::new(
                ErrorKind::Incompatible,
                CLASSES,
                expected,
                "a scaler of outputs",
            ));
        }
        check_class_count(CLASSES, self.net.outputs(), names)?;
        check_class_names(CLASSES, names)
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
        self.output_function.clone()
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
    /// itself. The numbers are mapped in place, [slopes](Dataset::with_slopes), too.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when the data have another number of features or outputs,
    /// [`ErrorKind::NotFinite`] when a number overflows.
    pub fn scale(&self, data: Dataset<T>) -> Result<Dataset<T>> {
        let scale = |scaler: &Scaler<T>, mut numbers: DMatrix<T>| {
            scaler.transform_mut((&mut numbers).into())?;
            Ok(numbers)
        };
        let (mut data, (outputs, features)) = (data, (self.net.outputs(), self.net.inputs()));
        let slopes = data.take_slopes();
        let data = match &self.inputs {
            None => data,
            Some(scaler) => data.map_inputs(|inputs| scale(scaler, inputs))?,
        };
        let data = match &self.outputs {
            None => data,
            Some(scaler) => data.map_targets(|targets| scale(scaler, targets))?,
        };
        let Some(mut slopes) = slopes else {
            return Ok(data);
        };
        if slopes.nrows() == outputs * features {
            let (inputs, targets) = (self.inputs.as_ref(), self.outputs.as_ref());
            transform(slopes.as_mut_slice(), (outputs, features), inputs, targets);
        }
        data.with_slopes(slopes)
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
        self.check_loss("Model::fit", &function)?;
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
        self.check_loss("Model::step", &function)?;
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
        self.check_loss("Model::evaluate", &trainer.output_function())?;
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
        self.outputs_by(x.into(), predictions::predict)
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
        self.outputs_into(x.into(), y.into(), tape, predictions::predict)
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
    /// logarithms of variances in the units of the data beside means, else the same as
    /// [`predict`](Self::predict).
    ///
    /// # Errors
    /// As [`Sequential::predict`].
    #[doc(alias("decision_function", "logits"))]
    pub fn scores<'x>(&self, x: impl Into<View<'x, T>>) -> Result<DMatrix<T>> {
        self.outputs_by(x.into(), predictions::score)
    }

    fn outputs_by(&self, x: View<'_, T>, finish: Finish<T>) -> Result<DMatrix<T>> {
        self.net.walk().check_inputs(x)?;
        let outputs = self.net.outputs();
        let mut y = DMatrix::from_vec(
            outputs,
            x.cols(),
            zeros("outputs of Model", &[outputs, x.cols()])?,
        );
        self.outputs_into(x, (&mut y).into(), &mut Tape::new(), finish)?;
        Ok(y)
    }

    fn outputs_into(
        &self,
        x: View<'_, T>,
        y: ViewMut<'_, T>,
        tape: &mut Tape<T>,
        finish: Finish<T>,
    ) -> Result<()> {
        compiled_here!(T: |model: &Model<T>,
                           x: View<'_, T>,
                           y: ViewMut<'_, T>,
                           tape: &mut Tape<T>,
                           finish: Finish<T>| -> Result<()> {
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
            finish(&model.output_function, model.outputs.as_ref(), y)
        })(self, x, y, tape, finish)
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
        let names = self.class_names(place)?;
        name_classes(place, names, &self.predict(x)?)
    }

    /// The names of the classes, if the outputs tell the most probable one.
    pub(crate) fn class_names(&self, place: &str) -> Result<&[String]> {
        let Some(names) = &self.classes else {
            let expected = "names of the classes (Model::with_classes gives them; metrics::classes \
                of Model::predict needs none)";
            return Err(Error::new(ErrorKind::Empty, place, expected, "none"));
        };
        let outputs = self.net.outputs();
        check_class_count(CLASSES, outputs, names)?;
        check_tells_class(place, &self.output_function, self.net.range(), outputs)?;
        Ok(names)
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
    /// units; beside it `price (deviation)` where the loss gives deviations, or `price (1)`,
    /// `price (2)` where it gives several numbers of a target, such as quantiles. For classes a
    /// column with the name of the most probable one, under the name of the target, and one per
    /// class with what [`predict`](Self::predict) gives for it, its probability, such as
    /// `species=Adelie`.
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
            let columns = encoder.target_columns();
            let mut table = Table::new();
            for target in &columns {
                let (column, rows, _) = target;
                let mut heads = model.heads().iter();
                let head = heads.find(|head| {
                    head.targets.start <= rows.start && rows.end <= head.targets.end
                });
                let (part, names) = match head {
                    Some(head) => {
                        let own = *rows == head.targets && model.head_classes(&head.name).is_some();
                        let names = own.then(|| model.head_class_names(place, head)).transpose()?;
                        (Part::of(&y, head), names)
                    }
                    None if model.heads().is_empty() => {
                        let own = columns.len() == 1 && model.classes.is_some();
                        let part = Part {
                            y: &y,
                            outputs: 0..y.nrows(),
                            targets: 0..encoder.outputs(),
                            function: &model.output_function,
                        };
                        (part, own.then(|| model.class_names(place)).transpose()?)
                    }
                    None => {
                        let expected = format!("a head of the target {column:?}");
                        let kind = ErrorKind::Incompatible;
                        return Err(Error::new(kind, place, expected, "several of parts of it"));
                    }
                };
                table = match names {
                    Some(names) => part.classes(table, place, column, names)?,
                    None => part.numbers(table, target)?,
                };
            }
            Ok(table)
        })(self, rows.into())
    }

    /// Makes predictions of what the network gave for inputs in its units, in place.
    pub(crate) fn finish(&self, y: ViewMut<'_, T>) -> Result<()> {
        predictions::predict(&self.output_function, self.outputs.as_ref(), y)
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
            output_function: self.output_function.clone(),
            classes: self.classes.clone(),
            metadata: self.metadata.clone(),
            encoder: self.encoder.clone(),
            head_classes: self.head_classes.clone(),
        })
    }
}

/// What makes something of outputs, told the output function and the scaler.
type Finish<T> = fn(&OutputFunction, Option<&Scaler<T>>, ViewMut<'_, T>) -> Result<()>;

const CLASSES: &str = "classes of Model";

/// Whether so many outputs in `range` are scores that `function` makes predictions of.
fn check_scores(
    place: &str,
    function: &OutputFunction,
    range: OutputRange,
    outputs: usize,
    scaled: bool,
) -> Result<()> {
    let given = match function {
        OutputFunction::Identity => return Ok(()),
        OutputFunction::Normal if outputs.is_multiple_of(2) => return Ok(()),
        OutputFunction::Normal => {
            let expected = "an even number of outputs: means, then logarithms of variances";
            return Err(Error::new(
                ErrorKind::Incompatible,
                place,
                expected,
                outputs,
            ));
        }
        _ if scaled => "a scaler of outputs".into(),
        // The softmax of logarithms of probabilities are these probabilities.
        OutputFunction::Softmax if range == OutputRange::LogSimplex => return Ok(()),
        _ if range != OutputRange::Real => format!("outputs in {range:?}"),
        OutputFunction::Softmax if outputs == 1 => {
            "a single output, whose softmax is always 1".into()
        }
        _ => return Ok(()),
    };
    let expected = format!("a network that ends on scores, for {function:?}");
    Err(Error::new(ErrorKind::Incompatible, place, expected, given))
}

/// There must be as many names as the outputs have classes.
fn check_class_count(place: &str, outputs: usize, names: &[String]) -> Result<()> {
    let expected = match outputs {
        1 if names.len() == 2 => return Ok(()),
        1 => "2 names, the second of the class whose probability the only output is".into(),
        outputs if names.len() == outputs => return Ok(()),
        outputs => format!("{outputs} names, one per output"),
    };
    Err(Error::new(ErrorKind::Shape, place, expected, names.len()))
}

fn check_class_names(place: &str, names: &[String]) -> Result<()> {
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

/// Whether predictions by `function` tell the most probable class.
fn check_tells_class(
    place: &str,
    function: &OutputFunction,
    range: OutputRange,
    outputs: usize,
) -> Result<()> {
    let scores = match function {
        OutputFunction::Identity => {
            matches!(range, OutputRange::Real | OutputRange::LogSimplex)
        }
        OutputFunction::Sigmoid | OutputFunction::Softmax => false,
        OutputFunction::Exp => true,
        OutputFunction::Normal | OutputFunction::Heads(_) => {
            let expected = "a model of classes (Model::predict_head_classes of one head)";
            let given = if *function == OutputFunction::Normal {
                "means and deviations"
            } else {
                "several heads"
            };
            return Err(Error::new(ErrorKind::Incompatible, place, expected, given));
        }
    };
    if outputs == 1 && scores {
        let expected = "a probability as the only output (Model::fit with SigmoidCrossEntropy, \
            or Model::with_output_function; of margins, metrics::margin_classes)";
        return Err(Error::new(
            ErrorKind::Incompatible,
            place,
            expected,
            "a number of any size",
        ));
    }
    Ok(())
}

/// The name of the most probable class of each of these predictions.
fn name_classes<'n, T: Real>(
    place: &str,
    names: &'n [String],
    y: &DMatrix<T>,
) -> Result<Vec<&'n str>> {
    let classes = metrics::classes(y).map_err(|error| error.within(place))?;
    Ok(classes
        .into_iter()
        .map(|class| names[class].as_str())
        .collect())
}

/// The predictions of some targets: those of a head, or all.
struct Part<'a, T: Real> {
    y: &'a DMatrix<T>,
    outputs: Range<usize>,
    targets: Range<usize>,
    function: &'a OutputFunction,
}

impl<'a, T: Real> Part<'a, T> {
    fn of(y: &'a DMatrix<T>, head: &'a Head) -> Self {
        Self {
            y,
            outputs: head.outputs.clone(),
            targets: head.targets.clone(),
            function: &head.output_function,
        }
    }

    /// An output of all rows of the table.
    fn output(&self, number: usize) -> Vec<f64> {
        let row = self.y.row(self.outputs.start + number);
        row.iter().map(|v| v.as_f64()).collect()
    }

    /// The table with the most probable classes, and the probabilities of all.
    fn classes(
        &self,
        mut table: Table,
        place: &str,
        column: &str,
        names: &[String],
    ) -> Result<Table> {
        let y = self.y.rows_range(self.outputs.clone()).into_owned();
        table = table.with_categories(column, name_classes(place, names, &y)?)?;
        for (class, name) in names.iter().enumerate() {
            let numbers = match self.outputs.len() {
                1 if class == 0 => self.output(0).iter().map(|p| 1.0 - p).collect(),
                1 => self.output(0),
                _ => self.output(class),
            };
            table = table.with_numbers(format!("{column}={name}"), numbers)?;
        }
        Ok(table)
    }

    /// The table with all that is predicted of a target: of numbers, or of classes one by one.
    fn numbers(&self, mut table: Table, target: &TargetColumn<'_>) -> Result<Table> {
        let (column, rows, classes) = target;
        let blocks = self.outputs.len() / self.targets.len();
        for block in 0..blocks {
            let suffix = match block {
                1 if *self.function == OutputFunction::Normal => " (deviation)".into(),
                _ if blocks == 1 || *self.function == OutputFunction::Normal => String::new(),
                _ => format!(" ({})", block + 1),
            };
            for (place, row) in rows.clone().enumerate() {
                let class = classes.and_then(|classes| classes.get(place));
                let class = class.map_or_else(String::new, |class| format!("={class}"));
                let name = format!("{column}{class}{suffix}");
                let output = block * self.targets.len() + row - self.targets.start;
                table = table.with_numbers(name, self.output(output))?;
            }
        }
        Ok(table)
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
            head_classes: BTreeMap::new(),
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
            #[serde(default)]
            head_classes: BTreeMap<String, Vec<String>>,
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
                head_classes,
            } = model;
            Self {
                net,
                inputs,
                outputs,
                output_function,
                classes,
                metadata,
                encoder,
                head_classes,
            }
            .checked()
        })
    }
}
