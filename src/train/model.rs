//! Networks in the units of their data, as they are kept.

use super::history::History;
use super::trainer::Trainer;
use crate::data::{Dataset, Scaler};
use crate::error::{Error, ErrorKind, Result};
use crate::real::Real;
use crate::sequential::Sequential;
use crate::view::View;
use alloc::{collections::BTreeMap, format, string::String};
use nalgebra::DMatrix;

/// A network with scalers for its inputs and outputs, which learns and predicts in the units of the data: y = s⁻¹(f(s(x))).
/// With notes of its own it is what goes into a file.
///
/// Costs and metrics of training are in scaled units, where no feature outweighs the others; predictions are not.
///
/// ```
/// use chainrule::prelude::*;
/// // Metres and kilograms to newtons: numbers of very different size.
/// let x = DMatrix::from_fn(2, 60, |i, j| if i == 0 { (j % 8) as f64 * 1e-3 } else { 1e4 + (j % 5) as f64 * 1e2 });
/// let force = DMatrix::from_fn(1, 60, |_, j| x[(0, j)] * x[(1, j)]);
/// let data = Dataset::new(x, force)?;
///
/// let net = Sequential::builder(2)
///     .layer(Dense::new(10, Activation::Tanh))
///     .layer(Dense::new(1, Activation::Linear))
///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(2))?;
/// let mut model = Model::new(net, Scaler::standard(data.inputs())?, Scaler::standard(data.targets())?)?;
/// let mut trainer = Trainer::new(MeanSquaredError, Adam::new()).epochs(200).rate(0.01);
/// model.fit(&mut trainer, &data)?;
/// let predicted = model.predict(data.inputs())?;
/// assert!(metrics::max_error((&predicted).into(), (&data).into())? < 2.0); // newtons, of up to 72
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
pub struct Model<T: Real> {
    net: Sequential<T>,
    inputs: Option<Scaler<T>>,
    outputs: Option<Scaler<T>>,
    metadata: BTreeMap<String, String>,
}

impl<T: Real> Model<T> {
    /// `net` between two scalers; `None` leaves a side as it is, as outputs of classes must be.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when a scaler has another number of features than the network inputs or outputs.
    pub fn new(net: Sequential<T>, inputs: impl Into<Option<Scaler<T>>>, outputs: impl Into<Option<Scaler<T>>>) -> Result<Self> {
        let (inputs, outputs) = (inputs.into(), outputs.into());
        let check = |what: &str, scaler: &Option<Scaler<T>>, width: usize| match scaler.as_ref().map(Scaler::features) {
            Some(features) if features != width => {
                Err(Error::new(ErrorKind::Shape, format!("scaler of {what}"), format!("{width} features"), features))
            }
            _ => Ok(()),
        };
        check("inputs", &inputs, net.inputs())?;
        check("outputs", &outputs, net.outputs())?;
        Ok(Self { net, inputs, outputs, metadata: BTreeMap::new() })
    }

    /// The network, which works in scaled units.
    pub fn net(&self) -> &Sequential<T> {
        &self.net
    }

    /// The network, to be changed.
    pub fn net_mut(&mut self) -> &mut Sequential<T> {
        &mut self.net
    }

    /// The network alone.
    pub fn into_net(self) -> Sequential<T> {
        self.net
    }

    /// The scaler of the inputs.
    pub fn inputs(&self) -> Option<&Scaler<T>> {
        self.inputs.as_ref()
    }

    /// The scaler of the outputs.
    pub fn outputs(&self) -> Option<&Scaler<T>> {
        self.outputs.as_ref()
    }

    /// Notes that are kept with the model: where its data came from, what its classes are called.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The notes, to be changed.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let net = Sequential::<f64>::builder(4).layer(Dense::new(3, Activation::Linear)).build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// let mut model = Model::from(net);
    /// model.metadata_mut().insert("classes".into(), "setosa, versicolor, virginica".into());
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn metadata_mut(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.metadata
    }

    /// `data` in scaled units: what [`Trainer::validation`] needs.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when the data have another number of features or outputs.
    pub fn scale(&self, data: &Dataset<T>) -> Result<Dataset<T>> {
        let mut scaled = data.clone();
        if let Some(scaler) = &self.inputs {
            scaled = scaled.with_inputs(scaler.transform(data.inputs())?)?;
        }
        if let Some(scaler) = &self.outputs {
            scaled = scaled.with_targets(scaler.transform(data.targets())?)?;
        }
        Ok(scaled)
    }

    /// [`Trainer::fit`] on `data` in their own units.
    ///
    /// # Errors
    /// Those of [`scale`](Self::scale) and [`Trainer::fit`].
    pub fn fit(&mut self, trainer: &mut Trainer<'_, T>, data: &Dataset<T>) -> Result<History> {
        let data = self.scale(data)?;
        trainer.fit(&mut self.net, &data)
    }

    /// Predictions for a batch, in the units of the data.
    ///
    /// # Errors
    /// As [`Sequential::predict`].
    pub fn predict<'x>(&self, x: impl Into<View<'x, T>>) -> Result<DMatrix<T>> {
        let x = x.into();
        let y = match &self.inputs {
            None => self.net.predict(x)?,
            Some(scaler) => self.net.predict(&scaler.transform(x)?)?,
        };
        match &self.outputs {
            None => Ok(y),
            Some(scaler) => scaler.inverse(&y),
        }
    }
}

/// A network whose data have no scale.
impl<T: Real> From<Sequential<T>> for Model<T> {
    fn from(net: Sequential<T>) -> Self {
        Self { net, inputs: None, outputs: None, metadata: BTreeMap::new() }
    }
}

#[cfg(feature = "serde")]
impl<'de, T: Real> serde::Deserialize<'de> for Model<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> core::result::Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(bound = "T: Real", deny_unknown_fields)]
        struct Model<T: Real> {
            net: Sequential<T>,
            #[serde(deserialize_with = "serde::Deserialize::deserialize")]
            inputs: Option<Scaler<T>>,
            #[serde(deserialize_with = "serde::Deserialize::deserialize")]
            outputs: Option<Scaler<T>>,
            metadata: BTreeMap<String, String>,
        }
        crate::serial::checked(deserializer, |Model { net, inputs, outputs, metadata }| {
            let mut model = Self::new(net, inputs, outputs)?;
            *model.metadata_mut() = metadata;
            Ok(model)
        })
    }
}
