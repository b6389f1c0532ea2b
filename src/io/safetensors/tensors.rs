//! The tensors that a network has in a file: their names, their places in the flat vector, their
//! shapes.

use super::Safetensors;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::layer::{Block, Role};
use crate::nn::layers::EMBEDDINGS;
use crate::nn::layout::{Layout, PlacedBlock};
use crate::numeric::real::Real;
use alloc::{collections::BTreeMap, format, string::String, vec, vec::Vec};
use core::iter::StepBy;
use core::ops::Range;

impl<T: Real> Safetensors<T> {
    /// The blocks of a network by the names of their tensors.
    pub(super) fn places<'l>(
        &self,
        layout: &'l Layout,
    ) -> Result<BTreeMap<String, PlacedBlock<'l>>> {
        let mut places = BTreeMap::new();
        self.add_places(layout, "", 0, &mut places)?;
        Ok(places)
    }

    /// The blocks of several networks, whose parameters lie one after the other, by the names of
    /// their tensors, which begin with the number of the network.
    pub(super) fn places_of_members<'l>(
        &self,
        layouts: impl Iterator<Item = &'l Layout>,
    ) -> Result<BTreeMap<String, PlacedBlock<'l>>> {
        let (mut places, mut start) = (BTreeMap::new(), 0_usize);
        for (index, layout) in layouts.enumerate() {
            self.add_places(layout, &format!("{index}."), start, &mut places)?;
            start = start.saturating_add(layout.param_count());
        }
        Ok(places)
    }

    fn add_places<'l>(
        &self,
        layout: &'l Layout,
        member: &str,
        start: usize,
        places: &mut BTreeMap<String, PlacedBlock<'l>>,
    ) -> Result<()> {
        self.check_names(layout)?;
        for mut placed in layout.blocks() {
            let name = format!("{}{member}{}", self.prefix, self.in_file(placed.name));
            if places.contains_key(&name) {
                let expected = "parameter blocks with names of their own";
                let place = layout.place(placed.layer);
                let given = format!("two of {:?}", placed.block.name);
                return Err(Error::new(ErrorKind::Incompatible, place, expected, given));
            }
            let Range { start: from, end } = placed.range;
            placed.range = start.saturating_add(from)..start.saturating_add(end);
            places.insert(name, placed);
        }
        Ok(())
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

    /// Where it is asked for, a parameter must be finite.
    pub(super) fn check(&self, tensor: &str, row: usize, block: &Block, number: T) -> Result<()> {
        if self.finite && !number.is_finite() {
            let place = format!("tensor {tensor}, row {row} of {}", shape(block)[0]);
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

/// What follows `part` in a name that it is the whole of, or that has a dot after it.
fn part<'n>(name: &'n str, part: &str) -> Option<&'n str> {
    name.strip_prefix(part)
        .filter(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The first of some names, for messages.
pub(super) fn list<'n>(names: impl Iterator<Item = &'n str> + Clone) -> String {
    let first = names.clone().take(12).collect::<Vec<_>>().join(" ");
    match names.count() {
        0 => "none".into(),
        count if count > 12 => format!("{first} … ({count} in all)"),
        _ => first,
    }
}

/// The shape of a block's tensor: weights are matrices, what has one column besides is a vector,
/// and embeddings are rows.
pub(super) fn shape(block: &Block) -> Vec<usize> {
    if are_rows(block) {
        vec![block.cols, block.rows]
    } else if block.role == Role::Weight || block.cols != 1 {
        vec![block.rows, block.cols]
    } else {
        vec![block.rows]
    }
}

/// The rows of a block's tensor, of each the places in the block; none where they are empty.
pub(super) fn rows(block: &Block) -> impl Iterator<Item = StepBy<Range<usize>>> {
    let Block { rows, cols, .. } = *block;
    let (count, len) = if are_rows(block) {
        (cols, rows)
    } else {
        (rows, cols)
    };
    let as_rows = are_rows(block);
    (0..if block.is_empty() { 0 } else { count }).map(move |row| {
        if as_rows {
            (row * len..(row + 1) * len).step_by(1)
        } else {
            (row..count * len).step_by(count)
        }
    })
}

/// Whether the columns of a block are the rows of its tensor, as of `nn.Embedding`.
fn are_rows(block: &Block) -> bool {
    block.name == EMBEDDINGS
}
