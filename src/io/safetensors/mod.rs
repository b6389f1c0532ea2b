//! Model files and state dicts in the safetensors format: the options, and what needs none.

mod header;
mod nested;
mod read;
mod tensors;
mod write;

use crate::error::{Error, ErrorKind, Result};
use crate::nn::layer::Layer;
use crate::nn::layers::BuiltIn;
use crate::nn::sequential::Sequential;
use crate::numeric::real::Real;
use crate::train::Model;
use crate::uncertainty::Ensemble;
use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::any::Any;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
use std::path::Path;

/// How model files and state dicts are written and read, in the format of
/// [safetensors](https://huggingface.co/docs/safetensors), which many tools know.
///
/// What has no options is there as [`Model::save`], [`Model::load`], [`Sequential::load_params`]
/// and their kin; with options, such as the layers of another crate, it is done by the methods
/// here.
///
/// **Tensors** are the parameters and nothing else, under the names and in the layout that PyTorch
/// gives them in an `nn.Sequential` of the same layers: `load_state_dict(strict=True)` takes a file
/// of ours, and a state dict loads into a network that is built alike.
///
/// | layer | in PyTorch | tensors, for module i |
/// |---|---|---|
/// | [`Dense`](crate::Dense) | `Linear`, and a module for its activation unless it is linear | `i.weight` (outputs, inputs), `i.bias` |
/// | [`Activation`](crate::Activation), [`Softmax`](crate::nn::Softmax), the dropouts | a module | |
/// | [`GaussianNoise`](crate::nn::GaussianNoise) | counts as a module | |
/// | [`LayerNorm`](crate::nn::LayerNorm), [`RmsNorm`](crate::nn::RmsNorm) | `LayerNorm`, `RMSNorm` | `i.weight`, `i.bias` |
/// | [`BatchNorm`](crate::nn::BatchNorm) | `BatchNorm1d` | `i.weight`, `i.bias`, `i.running_mean`, `i.running_var` |
/// | [`Prelu`](crate::nn::Prelu) | `PReLU` | `i.weight` |
/// | [`Embedding`](crate::nn::Embedding) | `Embedding` | `i.weight` (categories, dim) |
/// | [`Select`](crate::nn::Select) | counts as a module | |
/// | of another crate | counts as a module | its blocks by their names: weights (rows, columns), others with one column as vectors |
///
/// So a `Dense` with ReLU, a `Dropout` and a linear `Dense` have `0.weight`, `0.bias`, `3.weight`
/// and `3.bias`. PyTorch's count of batches, `i.num_batches_tracked`, is passed over. Numbers are
/// `F32` or `F64`, as the network's; `F16`, `BF16` and `F32` are read into either, `F64` into `f64`
/// alone.
///
/// **Everything else** of a [`Model`] stands in the metadata of the header: `chainrule.version`,
/// which is 1, `chainrule.model`, which is the scalar, inputs, layers, scalers, output function,
/// names of classes and, if there is one, the encoder as JSON, `chainrule.checksum`, and the
/// model's own notes as they are. Of an [`Ensemble`], whose tensors begin with the number of their
/// member, `chainrule.ensemble` has all that for each. The same model gives the same bytes. The
/// checksum is the CRC-64/XZ of all notes and tensors. It is compared wherever it is present, also
/// when parameters alone are read. (A program that changes tensors and keeps the notes should leave
/// it out.) Files of this version can be read by all later ones; one of a later version is refused.
///
/// A layer of another crate takes part under a name of its choice, with what serde makes of it:
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::Real;
/// use chainrule::io::Safetensors;
/// use chainrule::nn::layer::{BackwardArgs, InferArgs, Layer};
/// use serde::{Deserialize, Serialize};
///
/// /// y = c·x.
/// #[derive(Debug, Serialize, Deserialize)]
/// struct Times(f64);
///
/// impl<T: Real> Layer<T> for Times {
///     // …
/// #   fn name(&self) -> String { "Times".into() }
/// #   fn outputs(&self, inputs: usize) -> Result<usize> { Ok(inputs) }
/// #   fn infer(&self, mut p: InferArgs<'_, T>) {
/// #       for (y, x) in p.y.as_mut_slice().iter_mut().zip(p.x.as_slice()) {
/// #           *y = T::of(self.0) * *x
/// #       }
/// #   }
/// #   fn backward(&self, p: BackwardArgs<'_, T>) {
/// #       let Some(mut dx) = p.dx else { return };
/// #       for (dx, dy) in dx
/// #           .as_mut_slice()
/// #           .iter_mut()
/// #           .zip(p.delta.as_view().as_slice())
/// #       {
/// #           *dx = T::of(self.0) * *dy
/// #       }
/// #   }
/// }
///
/// let net = Sequential::<f32>::builder(2)
///     .layer(Times(0.5))
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// let model = Model::from(net);
/// // layer 0 (Times): got Times, expected a layer of this crate, or …
/// assert!(model.to_safetensors().is_err());
///
/// let files = Safetensors::new().layer::<Times>("my_crate::Times")?;
/// let read = files.read(&files.write(&model)?)?;
/// let x = DMatrix::from_element(2, 1, 3.0);
/// assert_eq!(read.predict(&x)?, model.predict(&x)?);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias("state_dict", "pytorch", "torch.save"))]
pub struct Safetensors<T: Real> {
    kinds: Vec<Kind<T>>,
    prefix: String,
    /// Names, or the parts of names before a dot: in the file, and in the network.
    names: Vec<(String, String)>,
    finite: bool,
}

/// A layer as JSON.
type Json = serde_json::Result<Box<RawValue>>;

/// A kind of layers of another crate.
#[derive(Clone, Debug)]
struct Kind<T> {
    name: String,
    /// `None` of a layer of another kind.
    write: fn(&dyn Layer<T>) -> Option<Json>,
    read: fn(&str) -> serde_json::Result<Arc<dyn Layer<T>>>,
}

impl<T: Real> Safetensors<T> {
    /// Knows the layers of this crate.
    pub fn new() -> Self {
        Self {
            kinds: Vec::new(),
            prefix: String::new(),
            names: Vec::new(),
            finite: false,
        }
    }

    /// Knows layers of another crate, too, under a name that must stay the same as long as there
    /// are files with them. Under a second name a layer is only read.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] when the name is taken.
    pub fn layer<L: Layer<T> + Serialize + DeserializeOwned>(mut self, name: &str) -> Result<Self> {
        let write = |layer: &dyn Layer<T>| {
            let layer: &dyn Any = layer;
            layer.downcast_ref::<L>().map(to_raw_value)
        };
        if BuiltIn::<T>::NAMES.contains(&name) || self.kinds.iter().any(|known| known.name == name)
        {
            return Err(Error::new(
                ErrorKind::Value,
                "Safetensors::layer",
                "a name that is not taken",
                format!("{name:?}"),
            ));
        }
        self.kinds.push(Kind {
            name: name.into(),
            write,
            read: |json| Ok(Arc::new(serde_json::from_str::<L>(json)?)),
        });
        Ok(self)
    }

    /// Takes only finite parameters: files with NaN or ±∞ are neither written nor read.
    #[must_use]
    pub fn finite(self) -> Self {
        Self {
            finite: true,
            ..self
        }
    }

    /// Begins all names of tensors with `prefix`, as those of a module within a larger one do in
    /// PyTorch: `"policy."`. Tensors whose names begin otherwise are passed over in reading.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::io::Safetensors;
    /// let net = Sequential::<f32>::builder(2).layer(Dense::new(1, Activation::Tanh));
    /// let policy = net.clone().seed(1).build()?;
    /// // policy.0.weight, policy.0.bias
    /// let bytes = Safetensors::new().prefix("policy.").write(&policy.clone().into())?;
    ///
    /// let mut other = net.seed(2).build()?;
    /// assert!(other.read_params(&bytes).is_err()); // there is no 0.weight
    /// Safetensors::new().prefix("policy.").read_params(&mut other, &bytes)?;
    /// assert_eq!(other, policy);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn prefix(self, prefix: &str) -> Self {
        Self {
            prefix: prefix.into(),
            ..self
        }
    }

    /// Calls a tensor `file` in files that is `network` in the table above: how the state dict of a
    /// PyTorch module with named parts is read and written. Both are whole names or parts of names
    /// that a dot follows, so that `rename("fc1", "0")` maps `fc1.weight` to `0.weight` and
    /// `fc1.bias` to `0.bias`. If several calls fit a tensor, the one with the longest `network`
    /// counts. An empty `file` leaves the part out, as in the state dict of a single `nn.Linear`.
    /// The [`prefix`](Self::prefix) comes before `file`.
    ///
    /// A `network` that no parameter is called by, or that is given twice, is an error in reading
    /// and writing.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::io::Safetensors;
    /// let build = |seed| {
    ///     Sequential::<f32>::builder(2)
    ///         .layer(Dense::new(3, Activation::Relu))
    ///         .layer(Dense::new(1, Activation::Linear))
    ///         .seed(seed)
    ///         .build()
    /// };
    /// // class Net(nn.Module):
    /// //     def __init__(self):
    /// //         super().__init__()
    /// //         self.fc1 = nn.Linear(2, 3)
    /// //         self.fc2 = nn.Linear(3, 1)
    /// let files = Safetensors::new().rename("fc1", "0").rename("fc2", "2");
    /// let (trained, mut net) = (build(1)?, build(2)?);
    /// // fc1.weight, fc1.bias, fc2.weight, fc2.bias
    /// let bytes = files.write(&trained.clone().into())?;
    /// files.read_params(&mut net, &bytes)?;
    /// assert_eq!(net, trained);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn rename(mut self, file: &str, network: &str) -> Self {
        self.names.push((file.into(), network.into()));
        self
    }
}

impl<T: Real> Default for Safetensors<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> Model<T> {
    /// Writes the model to one file: layers, parameters, encoder, scalers, output function, names
    /// of classes and notes, in the format of [`Safetensors`]. Whatever happens, the old or the new
    /// file is there.
    ///
    /// # Errors
    /// As [`Safetensors::save`] without options.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// # let path = std::env::temp_dir()
    /// #     .join(format!("chainrule-doc-{}.safetensors", std::process::id()));
    /// let x = DMatrix::from_row_slice(2, 3, &[1.0, 2.0, 3.0, 50.0, 60.0, 80.0]);
    /// let net = Sequential::<f64>::builder(2)
    ///     .layer(Dense::new(4, Activation::Tanh))
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let mut model = Model::new(net, Scaler::standard(&x)?, None)?;
    /// model.metadata_mut().insert("inputs".into(), "meters, kilograms".into());
    /// model.save(&path)?;
    ///
    /// let loaded = Model::<f64>::load(&path)?;
    /// assert_eq!(loaded, model);
    /// assert_eq!(loaded.predict(&x)?, model.predict(&x)?);
    /// # std::fs::remove_file(&path).ok();
    /// # Ok::<(), Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        Safetensors::new().save(self, path)
    }

    /// Reads a model from a file that [`save`](Self::save) has written.
    ///
    /// A file of `f32` is read as a model of `f64`, too, in which every number is the same. An ε
    /// that an [`RmsNorm`](crate::nn::RmsNorm) takes from its scalar is then that of `f64`.
    ///
    /// # Errors
    /// As [`Safetensors::load`] without options.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Safetensors::new().load(path)
    }

    /// The bytes of the file that [`save`](Self::save) writes.
    ///
    /// # Errors
    /// As [`Safetensors::write`] without options.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        Safetensors::new().write(self)
    }

    /// [`load`](Self::load) from bytes.
    ///
    /// # Errors
    /// As [`Safetensors::read`] without options.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self> {
        Safetensors::new().read(bytes)
    }
}

impl<T: Real> Ensemble<T> {
    /// Writes all members to one file, in the format of [`Safetensors`]: tensors as of a PyTorch
    /// `nn.ModuleList` of the members, and in the notes what each is beside its parameters.
    /// Whatever happens, the old or the new file is there.
    ///
    /// # Errors
    /// As [`Safetensors::save_ensemble`] without options.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::uncertainty::Ensemble;
    /// # let path = std::env::temp_dir()
    /// #     .join(format!("chainrule-doc-{}-ensemble.safetensors", std::process::id()));
    /// let ensemble = Ensemble::<f32>::train(3, 1, |seed| {
    ///     let net = Sequential::builder(2).layer(Dense::new(1, Activation::Tanh));
    ///     Ok(Model::from(net.seed(seed).build()?))
    /// })?;
    /// ensemble.save(&path)?; // 0.0.weight, 0.0.bias, 1.0.weight, …
    /// assert_eq!(Ensemble::<f32>::load(&path)?, ensemble);
    /// assert!(Model::<f32>::load(&path).is_err()); // Ensemble::load reads this one
    /// # std::fs::remove_file(&path).ok();
    /// # Ok::<(), Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        Safetensors::new().save_ensemble(self, path)
    }

    /// Reads an ensemble from a file that [`save`](Self::save) has written.
    ///
    /// # Errors
    /// As [`Safetensors::load_ensemble`] without options.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Safetensors::new().load_ensemble(path)
    }

    /// The bytes of the file that [`save`](Self::save) writes.
    ///
    /// # Errors
    /// As [`Safetensors::write_ensemble`] without options.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        Safetensors::new().write_ensemble(self)
    }

    /// [`load`](Self::load) from bytes.
    ///
    /// # Errors
    /// As [`Safetensors::read_ensemble`] without options.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self> {
        Safetensors::new().read_ensemble(bytes)
    }
}

impl<T: Real> Sequential<T> {
    /// Reads all parameters from a state dict of PyTorch in the format of safetensors, or from a
    /// model file of ours.
    ///
    /// The network must be built like the `nn.Sequential` that the file is of. [`Safetensors`]
    /// tells which tensors it wants, the error which of them are missing, too many or of another
    /// shape. A state dict holds numbers alone: it does not say what the activations are, nor how
    /// much a dropout drops, and a network with others reads it without an error.
    ///
    /// The way back is [`Model::save`], whose tensors are the state dict.
    ///
    /// # Errors
    /// As [`Safetensors::load_params`] without options; nothing is changed then.
    ///
    /// ```python
    /// net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    /// safetensors.torch.save_file(net.state_dict(), "net.safetensors")
    /// ```
    /// ```no_run
    /// use chainrule::prelude::*;
    /// let mut net = Sequential::<f32>::builder(2)
    ///     .layer(Dense::new(3, Activation::Tanh))
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// net.load_params("net.safetensors")?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn load_params(&mut self, path: impl AsRef<Path>) -> Result<()> {
        Safetensors::new().load_params(self, path)
    }

    /// [`load_params`](Self::load_params) from bytes.
    ///
    /// # Errors
    /// As [`Safetensors::read_params`] without options; nothing is changed then.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let net = Sequential::<f64>::builder(2).layer(Dense::new(1, Activation::Tanh));
    /// let (other, mut net) = (net.clone().seed(1).build()?, net.seed(2).build()?);
    /// net.read_params(&Model::from(other.clone()).to_safetensors()?)?;
    /// assert_eq!(net.params(), other.params());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn read_params(&mut self, bytes: &[u8]) -> Result<()> {
        Safetensors::new().read_params(self, bytes)
    }
}
