//! Model files and state dicts in the safetensors format.

use super::notes::check_notes;
use crate::data::{Scaler, foreign};
use crate::error::{Error, ErrorKind, Result};
use crate::ground::checksum::Checksum;
use crate::ground::file;
use crate::nn::layer::{Block, Layer, Role};
use crate::nn::layers::BuiltIn;
use crate::nn::layout::{Layout, PlacedBlock, place};
use crate::nn::loss::OutputFunction;
use crate::nn::saved::unknown;
use crate::nn::sequential::Sequential;
use crate::numeric::real::{Real, half, zeros};
use crate::train::Model;
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    sync::Arc,
    vec,
    vec::Vec,
};
use core::any::{Any, type_name};
use core::fmt;
use core::ops::Range;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use std::io::{self, Read};
use std::path::Path;

/// The version of the model files that are written here, and the only one so far.
const VERSION: &str = "1";
const VERSION_NOTE: &str = "chainrule.version";
const MODEL_NOTE: &str = "chainrule.model";
const CHECKSUM_NOTE: &str = "chainrule.checksum";
/// Our notes, which are none of the user's.
const OUR_NOTES: [&str; 3] = [VERSION_NOTE, MODEL_NOTE, CHECKSUM_NOTE];
/// The largest header that readers of the format take.
const LARGEST_HEADER: u64 = 100_000_000;

/// How model files and state dicts are written and read, in the format of
/// [safetensors](https://huggingface.co/docs/safetensors), which many tools know.
///
/// What has no options is there as [`Model::save`], [`Model::load`], [`Sequential::load_params`] and their kin; with options, such as the
/// layers of another crate, it is done by the methods here.
///
/// **Tensors** are the parameters and nothing else, under the names and in the layout that PyTorch gives them in an `nn.Sequential` of the
/// same layers: `load_state_dict(strict=True)` takes a file of ours, and a state dict loads into a network that is built alike.
///
/// | layer | in PyTorch | tensors, for module i |
/// |---|---|---|
/// | [`Dense`](crate::Dense) | `Linear`, and a module for its activation unless it is linear | `i.weight` (outputs, inputs), `i.bias` |
/// | [`Activation`](crate::Activation), [`Softmax`](crate::nn::Softmax), the dropouts | a module | |
/// | [`GaussianNoise`](crate::nn::GaussianNoise) | counts as a module | |
/// | [`LayerNorm`](crate::nn::LayerNorm), [`RmsNorm`](crate::nn::RmsNorm) | `LayerNorm`, `RMSNorm` | `i.weight`, `i.bias` |
/// | [`BatchNorm`](crate::nn::BatchNorm) | `BatchNorm1d` | `i.weight`, `i.bias`, `i.running_mean`, `i.running_var` |
/// | [`Prelu`](crate::nn::Prelu) | `PReLU` | `i.weight` |
/// | of another crate | counts as a module | its blocks by their names: weights (rows, columns), others with one column as vectors |
///
/// So a `Dense` with ReLU, a `Dropout` and a linear `Dense` have `0.weight`, `0.bias`, `3.weight` and `3.bias`. PyTorch's count of batches,
/// `i.num_batches_tracked`, is passed over. Numbers are `F32` or `F64`, as the network's; `F16`, `BF16` and `F32` are read into either, `F64` into
/// `f64` alone.
///
/// **Everything else** of a [`Model`] stands in the metadata of the header: `chainrule.version`, which is 1, `chainrule.model`, which is the
/// scalar, inputs, layers, scalers, output function and names of classes as JSON, `chainrule.checksum`, and the model's own notes as they
/// are. The same model gives the same bytes. The checksum is the CRC-64/XZ of all notes and tensors. It is compared wherever it is
/// present, also when parameters alone are read. (A program that changes tensors and keeps the notes should leave it out.) Files of this
/// version can be read by all later ones; one of a later version is refused.
///
/// A layer of another crate takes part under a name of its choice, with what serde makes of it:
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::Real;
/// use chainrule::io::Safetensors;
/// use chainrule::nn::layer::{BackwardArgs, InferArgs, Layer};
/// use chainrule::rand::SeedableRng;
/// use chainrule::rand::rngs::Xoshiro256PlusPlus;
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
/// #       for (y, x) in p.y.as_mut_slice().iter_mut().zip(p.x.as_slice()) { *y = T::of(self.0) * *x }
/// #   }
/// #   fn backward(&self, p: BackwardArgs<'_, T>) {
/// #       let Some(mut dx) = p.dx else { return };
/// #       for (dx, dy) in dx.as_mut_slice().iter_mut().zip(p.delta.as_view().as_slice()) { *dx = T::of(self.0) * *dy }
/// #   }
/// }
///
/// let net = Sequential::<f32>::builder(2)
///     .layer(Times(0.5))
///     .layer(Dense::new(1, Activation::Linear))
///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
/// let model = Model::from(net);
/// assert!(model.to_safetensors().is_err()); // layer 0 (Times): got Times, expected a layer of this crate, or …
///
/// let files = Safetensors::new().layer::<Times>("my_crate::Times")?;
/// let read = files.read(&files.write(&model)?)?;
/// let x = DMatrix::from_element(2, 1, 3.0);
/// assert_eq!(read.predict(&x)?, model.predict(&x)?);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
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

    /// Knows layers of another crate, too, under a name that must stay the same as long as there are files with them. Under a second name
    /// a layer is only read.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] when the name is taken.
    pub fn layer<L: Layer<T> + Serialize + DeserializeOwned>(mut self, name: &str) -> Result<Self> {
        let write = |layer: &dyn Layer<T>| {
            let layer: &dyn Any = layer;
            layer.downcast_ref::<L>().map(to_raw_value)
        };
        if BuiltIn::NAMES.contains(&name) || self.kinds.iter().any(|known| known.name == name) {
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

    /// Begins all names of tensors with `prefix`, as those of a module within a larger one do in PyTorch: `"policy."`. Tensors whose
    /// names begin otherwise are passed over in reading.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::io::Safetensors;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    /// let policy = Sequential::<f32>::builder(2).layer(Dense::new(1, Activation::Tanh)).build(&mut rng)?;
    /// let bytes = Safetensors::new().prefix("policy.").write(&policy.clone().into())?; // policy.0.weight, policy.0.bias
    ///
    /// let mut other = Sequential::<f32>::builder(2).layer(Dense::new(1, Activation::Tanh)).build(&mut rng)?;
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

    /// Calls a tensor `file` in files that is `network` in the table above: how the state dict of a PyTorch
    /// module with named parts is read and written. Both are whole names or parts of names that a dot
    /// follows, so that `rename("fc1", "0")` maps `fc1.weight` to `0.weight` and `fc1.bias` to `0.bias`. If
    /// several calls fit a tensor, the one with the longest `network` counts. An empty `file` leaves the part
    /// out, as in the state dict of a single `nn.Linear`. The [`prefix`](Self::prefix) comes before `file`.
    ///
    /// A `network` that no parameter is called by, or that is given twice, is an error in reading and writing.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::io::Safetensors;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    /// let mut build = || {
    ///     Sequential::<f32>::builder(2)
    ///         .layer(Dense::new(3, Activation::Relu))
    ///         .layer(Dense::new(1, Activation::Linear))
    ///         .build(&mut rng)
    /// };
    /// // class Net(nn.Module):
    /// //     def __init__(self):
    /// //         super().__init__()
    /// //         self.fc1 = nn.Linear(2, 3)
    /// //         self.fc2 = nn.Linear(3, 1)
    /// let files = Safetensors::new().rename("fc1", "0").rename("fc2", "2");
    /// let (trained, mut net) = (build()?, build()?);
    /// let bytes = files.write(&trained.clone().into())?; // fc1.weight, fc1.bias, fc2.weight, fc2.bias
    /// files.read_params(&mut net, &bytes)?;
    /// assert_eq!(net, trained);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn rename(mut self, file: &str, network: &str) -> Self {
        self.names.push((file.into(), network.into()));
        self
    }

    /// Writes a model to a file, so that whatever happens the old or the new one is there.
    ///
    /// # Errors
    /// Those of [`write`](Self::write), and [`ErrorKind::Io`] when the file cannot be written.
    pub fn save(&self, model: &Model<T>, path: impl AsRef<Path>) -> Result<()> {
        file::write(path.as_ref(), &self.write(model)?)
    }

    /// Reads a model from a file.
    ///
    /// # Errors
    /// Those of [`read`](Self::read), and [`ErrorKind::Io`] when the file cannot be read.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Model<T>> {
        from_file(path.as_ref(), |source| self.read_model(source))
    }

    /// A model as the bytes of a file.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] for a layer that is not known, two parameter blocks of one name, or scalars other than `f32` and `f64`;
    /// [`ErrorKind::Value`] for a note that begins with `chainrule.` and for a running variance below 0; [`ErrorKind::NotFinite`] where only [`finite`](Self::finite)
    /// parameters may be.
    pub fn write(&self, model: &Model<T>) -> Result<Vec<u8>> {
        let net = model.net();
        let dtype = match T::BYTES {
            4 => Dtype::F32,
            8 => Dtype::F64,
            _ => return Err(no_scalar::<T>()),
        };
        model.check()?;
        net.check_values(net.params())?;
        check_notes(model)?;
        let mut notes = model.metadata().clone();
        notes.insert(VERSION_NOTE.into(), VERSION.into());
        notes.insert(MODEL_NOTE.into(), self.describe(model)?);

        let (places, mut size) = (self.places(net.layout())?, 0);
        let info = |(name, placed): (&String, &PlacedBlock<'_>)| {
            let begin = size;
            size += placed.range.len() * T::BYTES;
            let data_offsets = (begin, size);
            (
                name.clone(),
                TensorInfo {
                    dtype,
                    shape: shape(placed.block),
                    data_offsets,
                },
            )
        };
        let tensors = places.iter().map(info).collect();
        notes.insert(CHECKSUM_NOTE.into(), digits(0));
        let mut header = Header { notes, tensors };
        let json = |header: &Header| {
            let mut json = serde_json::to_vec(header).map_err(|e| not_json("header", e))?;
            // So that what follows is aligned.
            json.resize(json.len().next_multiple_of(8), b' ');
            Ok::<_, Error>(json)
        };
        let mut sum = header.checksum();
        let place = json(&header)?;
        if place.len() as u64 > LARGEST_HEADER {
            let expected = format!("a header of at most {LARGEST_HEADER} bytes");
            return Err(Error::new(
                ErrorKind::Value,
                "metadata of Model",
                expected,
                place.len(),
            ));
        }
        let mut bytes = Vec::with_capacity(8 + place.len() + size);
        bytes.extend_from_slice(&(place.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&place);
        for (name, PlacedBlock { block, range, .. }) in &places {
            let params = &net.params()[range.clone()];
            for row in rows(block) {
                for number in params.iter().skip(row).step_by(block.rows) {
                    self.check(name, row, block, *number)?;
                    bytes.extend_from_slice(&number.to_bytes()[..T::BYTES]);
                }
            }
        }
        // The checksum takes the place that was left for it.
        let (place, data) = bytes[8..].split_at_mut(place.len());
        sum.add(data);
        header
            .notes
            .insert(CHECKSUM_NOTE.into(), digits(sum.value()));
        place.copy_from_slice(&json(&header)?);
        Ok(bytes)
    }

    /// A model from the bytes of a file.
    ///
    /// Memory is taken only once the header fits the length of the file and the tensors those that the model's layers ask for.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] for what is no such file, is damaged or of a later version, naming the tensor or the note; [`ErrorKind::Value`]
    /// for parameters that a layer can never have, such as a negative variance; [`ErrorKind::Shape`] and
    /// [`ErrorKind::Incompatible`] for a tensor of the wrong shape or type, for one too few or too many, for a layer that is not known, and for
    /// a model of `f64` where `T` is `f32`; those of [`Builder::build`](crate::nn::Builder::build); [`ErrorKind::NotFinite`] where only
    /// [`finite`](Self::finite) parameters may be.
    pub fn read(&self, bytes: &[u8]) -> Result<Model<T>> {
        from_bytes(bytes, |source| self.read_model(source))
    }

    /// [`Sequential::load_params`] with options.
    ///
    /// # Errors
    /// Those of [`read_params`](Self::read_params), and [`ErrorKind::Io`] when the file cannot be read.
    pub fn load_params(&self, net: &mut Sequential<T>, path: impl AsRef<Path>) -> Result<()> {
        from_file(path.as_ref(), |source| self.read_state(net, source))
    }

    /// [`Sequential::read_params`] with options.
    ///
    /// # Errors
    /// As [`read`](Self::read), but that layers are not asked for; nothing is changed then.
    pub fn read_params(&self, net: &mut Sequential<T>, bytes: &[u8]) -> Result<()> {
        from_bytes(bytes, |source| self.read_state(net, source))
    }

    fn read_state(&self, net: &mut Sequential<T>, source: &mut Source<'_>) -> Result<()> {
        let header = source.header()?;
        header.version()?;
        let places = self.fit(net.layout(), &header)?;
        let mut params = zeros("parameters of Sequential", &[net.params().len()])?;
        self.fill(&mut params, &header, &places, source)?;
        source.check()?;
        net.set_params(&params)
    }

    fn read_model(&self, source: &mut Source<'_>) -> Result<Model<T>> {
        let header = source.header()?;
        let (Some(_), Some(json)) = (header.version()?, header.notes.get(MODEL_NOTE)) else {
            let expected = "a model file (a state dict has no architecture: build the network and use Sequential::load_params)";
            return Err(Error::new(
                ErrorKind::Parse,
                "metadata",
                expected,
                format!("none of {VERSION_NOTE} and {MODEL_NOTE}"),
            ));
        };
        let described: Described<T> =
            serde_json::from_str(json).map_err(|e| not_json(MODEL_NOTE, e))?;
        // Each f32 is an f64, but not the other way round.
        if described.scalar != T::NAME && (described.scalar.as_str(), T::BYTES) != ("f32", 8) {
            let expected = format!("a model of {}", T::NAME);
            return Err(Error::new(
                ErrorKind::Incompatible,
                MODEL_NOTE,
                expected,
                format!("one of {}", described.scalar),
            ));
        }
        let mut builder = Sequential::builder(described.inputs);
        for (index, json) in described.layers.iter().enumerate() {
            builder = builder.shared(self.read_layer(index, json.get())?);
        }
        let layout = builder.layout()?;
        let places = self.fit(&layout, &header)?;
        let mut net = builder.build_at_zero()?;
        self.fill(net.params_mut(), &header, &places, source)?;
        source.check()?;
        net.check_values(net.params())?;
        let mut model = Model::new(net, described.input_scaler, described.output_scaler)?
            .with_output_function(described.output_function)?;
        if let Some(classes) = described.classes {
            model = model.with_classes(classes)?;
        }
        *model.metadata_mut() = header.notes;
        model
            .metadata_mut()
            .retain(|note, _| !OUR_NOTES.contains(&note.as_str()));
        check_notes(&model)?;
        Ok(model)
    }

    /// Everything but the parameters and the notes, as JSON.
    fn describe(&self, model: &Model<T>) -> Result<String> {
        let layer = |(index, layer): (usize, &Arc<dyn Layer<T>>)| self.write_layer(index, &**layer);
        let layers = model
            .net()
            .layers()
            .iter()
            .enumerate()
            .map(layer)
            .collect::<Result<_>>()?;
        let (input_scaler, output_scaler) = (
            model.input_scaler().cloned(),
            model.output_scaler().cloned(),
        );
        let described = Described {
            scalar: T::NAME.into(),
            inputs: model.net().inputs(),
            layers,
            input_scaler,
            output_scaler,
            output_function: model.output_function(),
            classes: model.classes().map(Into::into),
        };
        serde_json::to_string(&described).map_err(|e| not_json(MODEL_NOTE, e))
    }

    /// A layer as JSON: `{name: configuration}`.
    fn write_layer(&self, index: usize, layer: &dyn Layer<T>) -> Result<Box<RawValue>> {
        let json = if let Some(layer) = BuiltIn::of(layer) {
            to_raw_value(&layer)
        } else {
            let own = self
                .kinds
                .iter()
                .find_map(|kind| Some((kind, (kind.write)(layer)?)));
            let (kind, json) = own.ok_or_else(|| unknown(index, &layer.name()))?;
            // What could not be read back is not written.
            json.and_then(|json| {
                (kind.read)(json.get())
                    .and_then(|_| to_raw_value(&BTreeMap::from([(&kind.name, json)])))
            })
        };
        json.map_err(|e| not_json(&place(index, &layer.name()), e))
    }

    fn read_layer(&self, index: usize, json: &str) -> Result<Arc<dyn Layer<T>>> {
        let here = |e: serde_json::Error| {
            let expected = "a layer of this crate, or one that is made known by Safetensors::layer";
            let text = e.to_string();
            // Without serde's list of all layers.
            let given = text
                .split_once(", expected one of")
                .map_or(&*text, |(given, _)| given);
            Error::new(
                ErrorKind::Incompatible,
                format!("layer {index}"),
                expected,
                given,
            )
            .with_source(e)
        };
        let named: BTreeMap<String, &RawValue> = serde_json::from_str(json).map_err(here)?;
        match self
            .kinds
            .iter()
            .find_map(|kind| Some((kind, named.get(&kind.name)?)))
        {
            Some((kind, json)) if named.len() == 1 => (kind.read)(json.get()).map_err(here),
            _ => serde_json::from_str::<BuiltIn>(json)
                .map(BuiltIn::layer)
                .map_err(here),
        }
    }

    /// The blocks of a network by the names of their tensors.
    fn places<'l>(&self, layout: &'l Layout) -> Result<BTreeMap<String, PlacedBlock<'l>>> {
        self.check_names(layout)?;
        let mut places = BTreeMap::new();
        for placed in layout.blocks() {
            let name = format!("{}{}", self.prefix, self.in_file(placed.name));
            if places.contains_key(&name) {
                let expected = "parameter blocks with names of their own";
                let place = layout.place(placed.layer);
                let given = format!("two of {:?}", placed.block.name);
                return Err(Error::new(ErrorKind::Incompatible, place, expected, given));
            }
            places.insert(name, placed);
        }
        Ok(places)
    }

    /// What a tensor of the network is called in files, after the prefix.
    fn in_file(&self, name: &str) -> String {
        let fitting = self
            .names
            .iter()
            .filter_map(|(file, network)| Some((network.len(), file, part(name, network)?)));
        match fitting.max_by_key(|(len, ..)| *len) {
            Some((_, file, rest)) if file.is_empty() => rest.trim_start_matches('.').into(),
            Some((_, file, rest)) => format!("{file}{rest}"),
            None => name.into(),
        }
    }

    /// Each name of the network that is given another must be there, and given one other.
    fn check_names(&self, layout: &Layout) -> Result<()> {
        let error = |expected: String, network: &str| {
            Err(Error::new(
                ErrorKind::Value,
                "Safetensors::rename",
                expected,
                format!("{network:?}"),
            ))
        };
        let names = || layout.blocks().map(|placed| placed.name);
        for (index, (_, network)) in self.names.iter().enumerate() {
            if !names().any(|name| part(name, network).is_some()) {
                let known = list(names());
                return error(
                    format!(
                        "a name of the network, or the part of one before a dot (there are {known})"
                    ),
                    network,
                );
            }
            if self.names[..index]
                .iter()
                .any(|(_, other)| other == network)
            {
                return error("each name of the network once".into(), network);
            }
        }
        Ok(())
    }

    /// Where the tensors of a file belong, one after the other; `None` for those that are passed over.
    fn fit<'l>(&self, layout: &'l Layout, header: &Header) -> Result<Vec<Option<PlacedBlock<'l>>>> {
        if T::BYTES == 0 {
            return Err(no_scalar::<T>());
        }
        let places = self.places(layout)?;
        let names: BTreeSet<&str> = header
            .tensors
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        if let Some((name, PlacedBlock { block, .. })) = places
            .iter()
            .find(|(name, _)| !names.contains(name.as_str()))
        {
            let there = list(names.iter().copied());
            let expected = format!(
                "one of shape {:?} (there are {there}; Safetensors::rename and prefix map names)",
                shape(block)
            );
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!("tensor {name}"),
                expected,
                "none",
            ));
        }
        let fit = |(name, info): &(String, TensorInfo)| {
            let error = |kind, expected: String, given: String| {
                Err(Error::new(kind, format!("tensor {name}"), expected, given))
            };
            let Some(placed) = places.get(name) else {
                // PyTorch's batch norm counts its batches.
                let counts = name
                    .strip_suffix("num_batches_tracked")
                    .is_some_and(|rest| places.contains_key(&format!("{rest}running_mean")));
                if !name.starts_with(&self.prefix)
                    || (counts && info.dtype == Dtype::I64 && info.shape.is_empty())
                {
                    return Ok(None);
                }
                return error(
                    ErrorKind::Incompatible,
                    "none, because the network has no such parameters".into(),
                    "one".into(),
                );
            };
            let wanted = shape(placed.block);
            if info.shape != wanted {
                let given = format!("{:?}", info.shape);
                return error(ErrorKind::Shape, format!("shape {wanted:?}"), given);
            }
            match info.dtype {
                Dtype::F16 | Dtype::BF16 | Dtype::F32 => Ok(Some(placed.clone())),
                Dtype::F64 if T::BYTES == 8 => Ok(Some(placed.clone())),
                Dtype::F64 => error(
                    ErrorKind::Incompatible,
                    "numbers that f32 holds (a network of f64 takes them all)".into(),
                    "F64".into(),
                ),
                other => error(
                    ErrorKind::Incompatible,
                    format!("numbers that {} holds", T::NAME),
                    other.to_string(),
                ),
            }
        };
        header.tensors.iter().map(fit).collect()
    }

    /// Reads the tensors of a file, of which it is known where they belong.
    fn fill(
        &self,
        params: &mut [T],
        header: &Header,
        places: &[Option<PlacedBlock<'_>>],
        source: &mut Source<'_>,
    ) -> Result<()> {
        let mut buffer = Vec::new();
        for ((name, info), place) in header.tensors.iter().zip(places) {
            let Some(PlacedBlock { block, range, .. }) = place else {
                source.skip(info.data_offsets.1 - info.data_offsets.0)?;
                continue;
            };
            let size = info.dtype.bitsize() / 8;
            let params = &mut params[range.clone()];
            for row in rows(block) {
                buffer.resize(block.cols * size, 0);
                source.fill(&mut buffer)?;
                for (param, bytes) in params
                    .iter_mut()
                    .skip(row)
                    .step_by(block.rows)
                    .zip(buffer.chunks_exact(size))
                {
                    *param = number(info.dtype, bytes);
                    self.check(name, row, block, *param)?;
                }
            }
        }
        Ok(())
    }

    /// Where it is asked for, a parameter must be finite.
    fn check(&self, tensor: &str, row: usize, block: &Block, number: T) -> Result<()> {
        if self.finite && !number.is_finite() {
            let place = format!("tensor {tensor}, row {row} of {}", block.rows);
            return Err(Error::new(
                ErrorKind::NotFinite,
                place,
                "finite numbers",
                number,
            ));
        }
        Ok(())
    }
}

impl<T: Real> Default for Safetensors<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> Model<T> {
    /// Writes the model to one file: layers, parameters, scalers, output function, names of classes and notes, in the format of [`Safetensors`]. Whatever happens, the old or the
    /// new file is there.
    ///
    /// # Errors
    /// As [`Safetensors::save`] without options.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// # let path = std::env::temp_dir().join(format!("chainrule-doc-{}.safetensors", std::process::id()));
    /// let x = DMatrix::from_row_slice(2, 3, &[1.0, 2.0, 3.0, 50.0, 60.0, 80.0]);
    /// let net = Sequential::<f64>::builder(2)
    ///     .layer(Dense::new(4, Activation::Tanh))
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
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
    /// A file of `f32` is read as a model of `f64`, too, in which every number is the same; an ε that an [`RmsNorm`](crate::nn::RmsNorm) takes from
    /// its scalar is then that of `f64`.
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

impl<T: Real> Sequential<T> {
    /// Reads all parameters from a state dict of PyTorch in the format of safetensors, or from a model file of ours.
    ///
    /// The network must be built like the `nn.Sequential` that the file is of; which tensors it wants is told by [`Safetensors`], and which
    /// of them are missing, too many or of another shape by the error.
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
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let mut net = Sequential::<f32>::builder(2)
    ///     .layer(Dense::new(3, Activation::Tanh))
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
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
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    /// let mut build = || Sequential::<f64>::builder(2).layer(Dense::new(1, Activation::Tanh)).build(&mut rng);
    /// let (mut net, other) = (build()?, build()?);
    /// net.read_params(&Model::from(other.clone()).to_safetensors()?)?;
    /// assert_eq!(net.params(), other.params());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn read_params(&mut self, bytes: &[u8]) -> Result<()> {
        Safetensors::new().read_params(self, bytes)
    }
}

/// What a model is beside its parameters and notes.
#[derive(Serialize, Deserialize)]
#[serde(bound = "T: Real", deny_unknown_fields)]
struct Described<T: Real> {
    scalar: String,
    inputs: usize,
    layers: Vec<Box<RawValue>>,
    #[serde(deserialize_with = "Deserialize::deserialize")]
    input_scaler: Option<Scaler<T>>,
    #[serde(deserialize_with = "Deserialize::deserialize")]
    output_scaler: Option<Scaler<T>>,
    output_function: OutputFunction,
    #[serde(deserialize_with = "Deserialize::deserialize")]
    classes: Option<Vec<String>>,
}

/// What follows `part` in a name that it is the whole of, or that has a dot after it.
fn part<'n>(name: &'n str, part: &str) -> Option<&'n str> {
    name.strip_prefix(part)
        .filter(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The first of some names, for messages.
fn list<'n>(names: impl Iterator<Item = &'n str> + Clone) -> String {
    let first = names.clone().take(12).collect::<Vec<_>>().join(" ");
    match names.count() {
        0 => "none".into(),
        count if count > 12 => format!("{first} … ({count} in all)"),
        _ => first,
    }
}

/// The shape of a block's tensor: weights are matrices, what has one column besides is a vector.
fn shape(block: &Block) -> Vec<usize> {
    if block.role == Role::Weight || block.cols != 1 {
        vec![block.rows, block.cols]
    } else {
        vec![block.rows]
    }
}

/// The rows of a block, or none where they are empty.
fn rows(block: &Block) -> Range<usize> {
    0..if block.is_empty() { 0 } else { block.rows }
}

/// A number of a type that `T` holds.
fn number<T: Real>(dtype: Dtype, bytes: &[u8]) -> T {
    let mut own = [0; 8];
    own[..bytes.len()].copy_from_slice(bytes);
    let bits = u64::from_le_bytes(own) as u32;
    match dtype {
        Dtype::F16 => T::of(half(bits as u16)),
        Dtype::BF16 => T::of(f32::from_bits(bits << 16).into()),
        Dtype::F32 if T::BYTES == 8 => T::of(f32::from_bits(bits).into()),
        _ => T::from_bytes(own),
    }
}

fn no_scalar<T>() -> Error {
    Error::new(
        ErrorKind::Incompatible,
        "Safetensors",
        "f32 or f64",
        type_name::<T>(),
    )
}

fn not_json(place: &str, error: serde_json::Error) -> Error {
    Error::new(
        ErrorKind::Parse,
        place,
        "what this version writes there",
        &error,
    )
    .with_source(error)
}

/// The header of a file: notes, and tensors in the order in which they lie.
struct Header {
    notes: BTreeMap<String, String>,
    tensors: Vec<(String, TensorInfo)>,
}

/// What the format calls its notes.
const NOTES: &str = "__metadata__";

impl Header {
    /// The version of our own files; `None` of others.
    fn version(&self) -> Result<Option<&str>> {
        match self.notes.get(VERSION_NOTE).map(String::as_str) {
            Some(version) if version != VERSION => Err(Error::new(
                ErrorKind::Parse,
                VERSION_NOTE,
                format!("version {VERSION}, the only one so far"),
                format!("{version:?}"),
            )),
            version => Ok(version),
        }
    }
}

impl Header {
    /// The checksum of all but the numbers, with which it goes on.
    fn checksum(&self) -> Checksum {
        let mut sum = Checksum::crc64();
        let mut add = |bytes: &[u8]| {
            sum.add(&(bytes.len() as u64).to_le_bytes());
            sum.add(bytes);
        };
        for (note, text) in self.notes.iter().filter(|(note, _)| *note != CHECKSUM_NOTE) {
            add(note.as_bytes());
            add(text.as_bytes());
        }
        for (name, info) in &self.tensors {
            add(name.as_bytes());
            add(info.dtype.to_string().as_bytes());
            let sizes = info
                .shape
                .iter()
                .chain([&info.data_offsets.0, &info.data_offsets.1]);
            add(&sizes
                .flat_map(|size| (*size as u64).to_le_bytes())
                .collect::<Vec<_>>());
        }
        sum
    }

    /// The checksum that the file says it has.
    fn said(&self) -> Result<Option<u64>> {
        let error = |given: &String| {
            Error::new(
                ErrorKind::Parse,
                CHECKSUM_NOTE,
                "sixteen digits of a checksum",
                format!("{given:?}"),
            )
        };
        match self.notes.get(CHECKSUM_NOTE) {
            Some(text) => {
                let value = u64::from_str_radix(text, 16)
                    .ok()
                    .filter(|value| *text == digits(*value));
                value.map(Some).ok_or_else(|| error(text))
            }
            // A name with one wrong letter would leave the file without its checksum.
            None => match self
                .notes
                .keys()
                .find(|note| differ_in_one(note, CHECKSUM_NOTE))
            {
                Some(note) => Err(error(note)),
                None => Ok(None),
            },
        }
    }
}

/// A checksum as a text.
fn digits(sum: u64) -> String {
    format!("{sum:016x}")
}

fn differ_in_one(one: &str, other: &str) -> bool {
    one.len() == other.len()
        && one
            .bytes()
            .zip(other.bytes())
            .filter(|(one, other)| one != other)
            .count()
            == 1
}

impl Serialize for Header {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1 + self.tensors.len()))?;
        map.serialize_entry(NOTES, &self.notes)?;
        for (name, info) in &self.tensors {
            map.serialize_entry(name, info)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tensors by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let (mut notes, mut tensors, mut names) =
                    (Unique::default(), Vec::new(), BTreeSet::new());
                while let Some(name) = map.next_key::<String>()? {
                    if !names.insert(name.clone()) {
                        return Err(twice(&name));
                    }
                    if name == NOTES {
                        notes = map.next_value()?;
                    } else {
                        tensors.push((name, map.next_value::<TensorInfo>()?));
                    }
                }
                // Tensors of no size lie where others begin.
                tensors.sort_by(|(name, info), (other, more)| {
                    (info.data_offsets, name).cmp(&(more.data_offsets, other))
                });
                Ok(Header {
                    notes: notes.0,
                    tensors,
                })
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// Texts by name, in which none is twice: of two a map would silently keep the last.
#[derive(Default)]
struct Unique(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Unique;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("texts by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
                let mut texts = BTreeMap::new();
                while let Some((name, text)) = map.next_entry::<String, String>()? {
                    if texts.contains_key(&name) {
                        return Err(twice(&name));
                    }
                    texts.insert(name, text);
                }
                Ok(Unique(texts))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

fn twice<E: serde::de::Error>(name: &str) -> E {
    E::custom(format_args!("{name:?} is there twice"))
}

/// A file that is read from front to back.
struct Source<'a> {
    rest: &'a mut dyn Read,
    length: u64,
    /// The checksum of what has been read, and the one that the file says it has.
    sum: Option<(Checksum, u64)>,
}

fn from_file<R>(path: &Path, read: impl FnOnce(&mut Source<'_>) -> Result<R>) -> Result<R> {
    let (file, length) = file::open(path)?;
    let rest = &mut io::BufReader::new(file);
    read(&mut Source {
        rest,
        length,
        sum: None,
    })
    .map_err(|error| error.within(path.display()))
}

fn from_bytes<R>(mut bytes: &[u8], read: impl FnOnce(&mut Source<'_>) -> Result<R>) -> Result<R> {
    let length = bytes.len() as u64;
    read(&mut Source {
        rest: &mut bytes,
        length,
        sum: None,
    })
    .map_err(|error| error.within("safetensors"))
}

impl Source<'_> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.rest.read_exact(bytes).map_err(unreadable)?;
        if let Some((sum, _)) = &mut self.sum {
            sum.add(bytes);
        }
        Ok(())
    }

    fn skip(&mut self, mut bytes: usize) -> Result<()> {
        let mut buffer = [0; 4096];
        while bytes > 0 {
            let next = bytes.min(buffer.len());
            self.fill(&mut buffer[..next])?;
            bytes -= next;
        }
        Ok(())
    }

    /// Checks, once all has been read, that it goes with its checksum.
    fn check(&self) -> Result<()> {
        match &self.sum {
            Some((sum, said)) if sum.value() != *said => {
                let expected = format!(
                    "{} (the file is damaged; a program that changes it on purpose must leave this note out)",
                    digits(*said)
                );
                Err(Error::new(
                    ErrorKind::Parse,
                    CHECKSUM_NOTE,
                    expected,
                    digits(sum.value()),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Reads the header, which must fit the length of the file to the byte.
    fn header(&mut self) -> Result<Header> {
        let error = |expected: String, given: String| {
            Error::new(ErrorKind::Parse, "header", expected, given)
        };
        let Some(after) = self.length.checked_sub(8) else {
            return Err(error(
                "a file of at least 8 bytes".into(),
                self.length.to_string(),
            ));
        };
        let mut size = [0; 8];
        self.fill(&mut size)?;
        let size = u64::from_le_bytes(size);
        let other =
            |next: &[u8]| foreign(&[&size.to_le_bytes(), &next[..next.len().min(256)]].concat());
        if size > after.min(LARGEST_HEADER) {
            let mut start = Vec::new();
            Read::take(&mut self.rest, 256)
                .read_to_end(&mut start)
                .map_err(unreadable)?;
            return Err(match other(&start) {
                Some((other, next)) => {
                    error(format!("a file of safetensors ({next})"), other.into())
                }
                None => error(
                    format!("a header of at most {} bytes", after.min(LARGEST_HEADER)),
                    size.to_string(),
                ),
            });
        }
        let mut json = vec![0; size as usize];
        self.fill(&mut json)?;
        let header: Header = serde_json::from_slice(&json).map_err(|e| match other(&json) {
            Some((other, next)) => error(format!("a file of safetensors ({next})"), other.into()),
            None => error("tensors by name, as JSON".into(), e.to_string()),
        })?;
        // Offsets without gaps or overlaps, sizes without overflow that are those of the shapes.
        let checked = Metadata::new(None, header.tensors.clone());
        let data = checked
            .map_err(|e| error("tensors one after the other".into(), e.to_string()))?
            .data_len() as u64;
        if data != after - size {
            return Err(error(
                format!("tensors of {} bytes, as in the file", after - size),
                data.to_string(),
            ));
        }
        self.sum = header.said()?.map(|said| (header.checksum(), said));
        Ok(header)
    }
}

fn unreadable(error: io::Error) -> Error {
    Error::new(ErrorKind::Io, "", "a file that can be read", &error).with_source(error)
}
