//! Layers that are made of layers, laid out as if the innermost were the network's own.

use crate::error::{Error, Result};
use crate::nn::activation::OutputRange;
use crate::nn::chain;
use crate::nn::layer::{Join, Layer, Part, Parts};
use crate::nn::layout::{Described, Layout, Member, Value, place};
use crate::nn::names;
use crate::numeric::bounds::{not_empty, some};
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::Real;
use alloc::{format, sync::Arc, vec, vec::Vec};

/// A plan, and the innermost layers that it lays out.
pub(crate) struct Flat<T: Real> {
    pub(crate) layout: Layout,
    pub(crate) leaves: Vec<Arc<dyn Layer<T>>>,
}

impl<T: Real> Flat<T> {
    /// Fixes every width, without memory for parameters.
    ///
    /// # Errors
    /// When a layer refuses its inputs or its own configuration, or branches do not fit together;
    /// the error names the layer.
    pub(crate) fn of(inputs: usize, parts: &Parts<T>) -> Result<Self> {
        compiled_here!(T: |inputs: usize, parts: &Parts<T>| -> Result<Flat<T>> {
            let mut flat = Flat {
                layout: Layout::new(inputs),
                leaves: Vec::new(),
            };
            let input = flat.layout.top_value().clone();
            let (top, members) = flat.parts(parts, &input, &mut Vec::new(), "")?;
            let ranges = ranges(parts, &members, OutputRange::Real);
            flat.layout.finish(top, ranges, members);
            Ok(flat)
        })(inputs, parts)
    }

    /// Puts the parts behind `x`, and returns their output.
    fn parts(
        &mut self,
        parts: &Parts<T>,
        x: &Value,
        path: &mut Vec<usize>,
        prefix: &str,
    ) -> Result<(Value, Vec<Member>)> {
        let mut members = Vec::with_capacity(parts.parts.len());
        let dot = if prefix.is_empty() { "" } else { "." };
        let Some(join) = parts.join else {
            let (mut x, mut module) = (x.clone(), 0);
            for (index, part) in parts.parts.iter().enumerate() {
                path.push(index);
                let member = self.part(part, &x, path, &format!("{prefix}{dot}{module}"))?;
                path.pop();
                module += part
                    .layer
                    .as_ref()
                    .map_or(1, |layer| names::modules(&**layer));
                x = member.out.clone();
                members.push(member);
            }
            return Ok((x, members));
        };
        not_empty("", "at least 1 branch", parts.parts.len())?;
        let branches = self.layout.fork(x, parts.parts.len());
        for (index, (part, x)) in parts.parts.iter().zip(branches).enumerate() {
            path.push(index);
            members.push(self.part(part, &x, path, &format!("{prefix}{dot}{}", part.name))?);
            path.pop();
        }
        let outputs = members.iter().map(|member| member.out.clone()).collect();
        Ok((self.layout.join(join, outputs, parts.cure)?, members))
    }

    fn part(
        &mut self,
        part: &Part<T>,
        x: &Value,
        path: &mut Vec<usize>,
        prefix: &str,
    ) -> Result<Member> {
        let (params, blocks) = (self.layout.param_count(), self.layout.block_count());
        let before = self.layout.len();
        let (name, out, parts) = match &part.layer {
            None => (part.name.clone().into_owned(), x.clone(), Vec::new()),
            Some(layer) => {
                let name = layer.name();
                let (out, parts) = match layer.nested() {
                    Some(parts) => {
                        let laid = self.parts(&parts, x, path, prefix);
                        laid.map_err(|error| match error.place() {
                            "" => error.within(place(path, &name)),
                            _ => error,
                        })?
                    }
                    None => (self.leaf(layer, &name, x, path, prefix)?, Vec::new()),
                };
                (name, out, parts)
            }
        };
        Ok(Member {
            name,
            params: params..self.layout.param_count(),
            blocks: blocks..self.layout.block_count(),
            computes: self.layout.len() > before,
            out,
            parts,
        })
    }

    fn leaf(
        &mut self,
        layer: &Arc<dyn Layer<T>>,
        name: &str,
        x: &Value,
        path: &[usize],
        prefix: &str,
    ) -> Result<Value> {
        let (place, inputs) = (place(path, name), x.width);
        let describe = || {
            let outputs = layer.outputs(inputs)?;
            some("", "at least 1 output", outputs as u64)?;
            let blocks = layer.blocks(inputs);
            let most = isize::MAX as usize / size_of::<T>();
            let params = self.layout.next_params(&blocks, most)?;
            Ok(Described {
                place: place.clone(),
                layer: path.first().copied().unwrap_or(0),
                outputs,
                names: names::of_blocks(&**layer, prefix, &blocks),
                blocks,
                params,
                cache_len: layer.cache_len(inputs),
                tangent_cache_len: layer.tangent_cache_len(inputs),
                small: chain::small(&**layer, inputs, outputs),
                trainable: layer.is_trainable(),
                checks: layer.checks_inputs(),
                selects: layer.selects().map(Into::into),
            })
        };
        let described = describe().map_err(|error: Error| error.within(&place))?;
        self.leaves.push(layer.clone());
        self.layout.leaf(described, x)
    }
}

/// The set in which the outputs of parts lie when the inputs lie in `input`.
pub(crate) fn range<T: Real>(parts: &Parts<T>, input: OutputRange) -> OutputRange {
    let of = |input, part: &Part<T>| {
        let layer = part.layer.as_ref();
        layer.map_or(input, |layer| layer.range(input))
    };
    let Some(join) = parts.join else {
        return parts.parts.iter().fold(input, of);
    };
    let mut ranges = parts.parts.iter().map(|part| of(input, part));
    match join {
        Join::Stack => ranges.reduce(OutputRange::beside).unwrap_or(input),
        Join::Add if ranges.len() == 1 => ranges.next().unwrap_or(input),
        Join::Add => OutputRange::Real,
    }
}

/// The same of a network's outputs, one set for each branch whose outputs are stacked last.
fn ranges<T: Real>(
    parts: &Parts<T>,
    members: &[Member],
    input: OutputRange,
) -> Vec<(usize, OutputRange)> {
    let of = |part: &Part<T>, member: &Member, input| match &part.layer {
        Some(layer) => match layer.nested() {
            Some(parts) if !member.parts.is_empty() => ranges(&parts, &member.parts, input),
            _ => vec![(member.out.width, layer.range(input))],
        },
        None => vec![(member.out.width, input)],
    };
    let pairs = parts.parts.iter().zip(members);
    match (parts.join, members) {
        (Some(Join::Stack), _) => pairs
            .flat_map(|(part, member)| of(part, member, input))
            .collect(),
        (Some(Join::Add), [first, _, ..]) => vec![(first.out.width, OutputRange::Real)],
        _ => {
            let mut found = Vec::new();
            let mut input = input;
            for (part, member) in pairs {
                found = of(part, member, input);
                input = part
                    .layer
                    .as_ref()
                    .map_or(input, |layer| layer.range(input));
            }
            found
        }
    }
}

/// An interval that holds every output of parts when every input lies in `input`.
pub(crate) fn bounds<T: Real>(parts: &Parts<T>, input: (f64, f64)) -> (f64, f64) {
    let of = |input, part: &Part<T>| {
        let layer = part.layer.as_ref();
        layer.map_or(input, |layer| layer.bounds(input))
    };
    let Some(join) = parts.join else {
        return parts.parts.iter().fold(input, of);
    };
    let bounds = parts.parts.iter().map(|part| of(input, part));
    let bounds = bounds.reduce(|(low, high), (least, most)| match join {
        Join::Stack => (low.min(least), high.max(most)),
        Join::Add => (low + least, high + most),
    });
    bounds.unwrap_or(input)
}
