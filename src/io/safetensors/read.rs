//! From a file to a model, or to the parameters of a network.

use super::Safetensors;
use super::header::{
    CHECKSUM_NOTE, Described, Header, LARGEST_HEADER, MODEL_NOTE, OUR_NOTES, VERSION_NOTE, digits,
    not_json,
};
use super::nested::NESTED;
use super::tensors::{list, rows, shape};
use crate::data::foreign;
use crate::error::{Error, ErrorKind, Result};
use crate::ground::checksum::Checksum;
use crate::ground::file;
use crate::io::notes::check_notes;
use crate::nn::layer::Layer;
use crate::nn::layers::BuiltIn;
use crate::nn::layout::{Layout, PlacedBlock, dotted};
use crate::nn::sequential::Sequential;
use crate::numeric::bounds::in_files;
use crate::numeric::real::{Real, half, zeros};
use crate::train::Model;
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    sync::Arc,
    vec,
    vec::Vec,
};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde_json::value::RawValue;
use std::io::{self, Read};
use std::path::Path;

impl<T: Real> Safetensors<T> {
    /// Reads a model from a file.
    ///
    /// # Errors
    /// Those of [`read`](Self::read), and [`ErrorKind::Io`] when the file cannot be read.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Model<T>> {
        from_file(path.as_ref(), |source| self.read_model(source))
    }

    /// A model from the bytes of a file.
    ///
    /// Memory is taken only once the header fits the length of the file and the tensors those that
    /// the model's layers ask for.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] for what is no such file, is damaged or of a later version, naming the
    /// tensor or the note; [`ErrorKind::Value`] for parameters that a layer can never have, such as
    /// a negative variance; [`ErrorKind::Shape`] and [`ErrorKind::Incompatible`] for a tensor of
    /// the wrong shape or type, for one too few or too many, for a layer that is not known, and for
    /// a model of `f64` where `T` is `f32`; those of [`Builder::build`](crate::nn::Builder::build);
    /// [`ErrorKind::NotFinite`] where only [`finite`](Self::finite) parameters may be.
    pub fn read(&self, bytes: &[u8]) -> Result<Model<T>> {
        from_bytes(bytes, |source| self.read_model(source))
    }

    /// [`Sequential::load_params`] with options.
    ///
    /// # Errors
    /// Those of [`read_params`](Self::read_params), and [`ErrorKind::Io`] when the file cannot be
    /// read.
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
            let expected = "a model file (a state dict has no architecture: build the network \
                and use Sequential::load_params)";
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
            builder = builder.shared(self.read_layer(&[index], json.get())?);
        }
        let layout = builder.layout()?;
        let places = self.fit(&layout, &header)?;
        let mut net = builder.build_at_zero()?;
        self.fill(net.params_mut(), &header, &places, source)?;
        source.check()?;
        net.check_values(net.params())?;
        let mut model = Model::from(net)
            .with_output_function(described.output_function)?
            .with_scalers(described.input_scaler, described.output_scaler)?;
        for (head, classes) in described.head_classes {
            model = model.with_head_classes(head, classes)?;
        }
        if let Some(classes) = described.classes {
            model = model.with_classes(classes)?;
        }
        if let Some(encoder) = described.encoder {
            model = model.encoded(encoder)?;
        }
        *model.metadata_mut() = header.notes;
        model
            .metadata_mut()
            .retain(|note, _| !OUR_NOTES.contains(&note.as_str()));
        check_notes(&model)?;
        Ok(model)
    }

    pub(super) fn read_layer(&self, path: &[usize], json: &str) -> Result<Arc<dyn Layer<T>>> {
        let here = |e: serde_json::Error| {
            let expected = "a layer of this crate, or one that is made known by Safetensors::layer";
            let text = e.to_string();
            // Without serde's list of all layers.
            let given = text
                .split_once(", expected one of")
                .map_or(&*text, |(given, _)| given);
            Error::new(
                ErrorKind::Incompatible,
                format!("layer {}", dotted(path)),
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
            _ if NESTED.iter().any(|name| named.contains_key(*name)) => {
                let nested = serde_json::from_str(json).map_err(here)?;
                self.read_nested(path, &nested)
            }
            _ => serde_json::from_str::<BuiltIn<T>>(json)
                .map(BuiltIn::layer)
                .map_err(here),
        }
    }

    /// Where the tensors of a file belong, one after the other; `None` for those that are passed
    /// over.
    fn fit<'l>(&self, layout: &'l Layout, header: &Header) -> Result<Vec<Option<PlacedBlock<'l>>>> {
        in_files::<T>("Safetensors")?;
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
                "one of shape {:?} (there are {there}; an activation and a Dropout are modules, too; \
                 Safetensors::rename and prefix map names)",
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
            for (row, places) in rows(block).enumerate() {
                buffer.resize(places.len() * size, 0);
                source.fill(&mut buffer)?;
                for (place, bytes) in places.zip(buffer.chunks_exact(size)) {
                    params[place] = number(info.dtype, bytes);
                    self.check(name, row, block, params[place])?;
                }
            }
        }
        Ok(())
    }
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
                    "{} (the file is damaged; a program that changes it on purpose must leave this \
                     note out)",
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
