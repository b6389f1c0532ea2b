//! From a model to a file.

use super::Safetensors;
use super::header::{
    CHECKSUM_NOTE, Described, Header, LARGEST_HEADER, MODEL_NOTE, VERSION, VERSION_NOTE, digits,
    not_json,
};
use super::tensors::{rows, shape};
use crate::error::{Error, ErrorKind, Result};
use crate::ground::file;
use crate::io::notes::check_notes;
use crate::nn::layer::Layer;
use crate::nn::layers::BuiltIn;
use crate::nn::layout::{PlacedBlock, place};
use crate::nn::serde::unknown;
use crate::numeric::bounds::in_files;
use crate::numeric::real::Real;
use crate::train::Model;
use alloc::{boxed::Box, collections::BTreeMap, format, string::String, sync::Arc, vec::Vec};
use safetensors::tensor::{Dtype, TensorInfo};
use serde_json::value::{RawValue, to_raw_value};
use std::path::Path;

impl<T: Real> Safetensors<T> {
    /// Writes a model to a file, so that whatever happens the old or the new one is there.
    ///
    /// # Errors
    /// Those of [`write`](Self::write), and [`ErrorKind::Io`] when the file cannot be written.
    pub fn save(&self, model: &Model<T>, path: impl AsRef<Path>) -> Result<()> {
        file::write(path.as_ref(), &self.write(model)?)
    }

    /// A model as the bytes of a file.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] for a layer that is not known, two parameter blocks of one name,
    /// or scalars other than `f32` and `f64`; [`ErrorKind::Value`] for a note that begins with
    /// `chainrule.` and for a running variance below 0; [`ErrorKind::NotFinite`] where only
    /// [`finite`](Self::finite) parameters may be.
    pub fn write(&self, model: &Model<T>) -> Result<Vec<u8>> {
        let net = model.net();
        in_files::<T>("Safetensors")?;
        let dtype = if T::BYTES == 4 {
            Dtype::F32
        } else {
            Dtype::F64
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
            for (row, places) in rows(block).enumerate() {
                for number in places.map(|at| &params[at]) {
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

    /// Everything but the parameters and the notes, as JSON.
    fn describe(&self, model: &Model<T>) -> Result<String> {
        let layer =
            |(index, layer): (usize, &Arc<dyn Layer<T>>)| self.write_layer(&[index], &**layer);
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
            encoder: model.encoder().cloned(),
            head_classes: model.all_head_classes().clone(),
        };
        serde_json::to_string(&described).map_err(|e| not_json(MODEL_NOTE, e))
    }

    /// A layer as JSON: `{name: configuration}`.
    pub(super) fn write_layer(
        &self,
        path: &[usize],
        layer: &dyn Layer<T>,
    ) -> Result<Box<RawValue>> {
        let json = if let Some(layer) = BuiltIn::of(layer) {
            match self.write_nested(path, &layer)? {
                Some(json) => json,
                None => to_raw_value(&layer),
            }
        } else {
            let own = self
                .kinds
                .iter()
                .find_map(|kind| Some((kind, (kind.write)(layer)?)));
            let (kind, json) = own.ok_or_else(|| unknown(path, &layer.name()))?;
            // What could not be read back is not written.
            json.and_then(|json| {
                (kind.read)(json.get())
                    .and_then(|_| to_raw_value(&BTreeMap::from([(&kind.name, json)])))
            })
        };
        json.map_err(|e| not_json(&place(path, &layer.name()), e))
    }
}
