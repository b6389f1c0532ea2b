//! Where everything of a network lies: the one file that adds up addresses. Parameters lie layer
//! after layer, in a layer block after block (`Dense`: W, column after column, and then b).

use crate::error::{Error, ErrorKind, Result};
use crate::nn::activation::Activation;
use crate::nn::layer::{Block, Role};
use alloc::{format, string::String, vec::Vec};
use core::ops::Range;

/// Numbers behind a layer that belong to nobody: its columns may be written in whole vectors.
pub(crate) const SPARE: usize = 16;

/// The plan of a network, fixed when it is built and shared with its tapes.
///
/// Passes keep three vectors beside the parameters: the outputs, the caches and the tangent caches
/// of all layers. In each the layers lie one after the other, and of a layer the samples. Behind
/// each layer there is some [room to spare](SPARE).
#[derive(Debug, PartialEq)]
pub(crate) struct Layout {
    inputs: usize,
    layers: Vec<Place>,
    /// The first layers, as long as all are small dense ones.
    links: Vec<Link>,
    /// The length of the largest block, which each pass on threads asks for.
    largest: usize,
}

/// What a layer takes and makes, and where that lies: in the flat vector of parameters, and for one
/// sample in the vectors of a pass.
#[derive(Debug, PartialEq)]
struct Place {
    name: String,
    inputs: usize,
    blocks: Vec<Block>,
    /// What files call the blocks.
    names: Vec<String>,
    params: Range<usize>,
    /// Its inputs, among the outputs of all layers; `None` of the network's own inputs.
    x: Option<Range<usize>>,
    y: Range<usize>,
    cache: Range<usize>,
    tangent_cache: Range<usize>,
}

/// What a layer says of itself when a network is built.
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) outputs: usize,
    pub(crate) blocks: Vec<Block>,
    /// What files call the blocks.
    pub(crate) names: Vec<String>,
    pub(crate) params: Range<usize>,
    pub(crate) cache_len: usize,
    pub(crate) tangent_cache_len: usize,
    /// The activation, and whether there are biases, of a small dense layer.
    pub(crate) small: Option<(Activation, bool)>,
}

/// A small dense layer of a network of nothing but those.
#[derive(Debug, PartialEq)]
pub(crate) struct Link {
    layer: usize,
    pub(crate) activation: Activation,
    pub(crate) bias: bool,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) params: Range<usize>,
    y: Range<usize>,
    cache: Range<usize>,
}

impl Link {
    /// Where its outputs begin, among those of all layers.
    #[inline]
    pub(crate) fn y(&self, samples: usize) -> usize {
        place_of(&self.y, self.layer, samples).start
    }

    /// Where its cache begins.
    #[inline]
    pub(crate) fn cache(&self, samples: usize) -> usize {
        place_of(&self.cache, self.layer, samples).start
    }

    /// Numbers of a sample in the cache.
    #[inline]
    pub(crate) fn cache_len(&self) -> usize {
        self.cache.len()
    }
}

/// A block of parameters, and where it lies in the flat vector.
#[derive(Clone, Debug)]
pub(crate) struct PlacedBlock<'a> {
    pub(crate) layer: usize,
    /// What files call the block.
    pub(crate) name: &'a str,
    pub(crate) block: &'a Block,
    pub(crate) range: Range<usize>,
}

/// Where a layer's share of a pass lies.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) layer: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) params: Range<usize>,
    /// Its inputs, among the outputs of all layers; `None` of the network's own inputs.
    pub(crate) x: Option<Range<usize>>,
    pub(crate) y: Range<usize>,
    pub(crate) cache: Range<usize>,
    pub(crate) tangent_cache: Range<usize>,
    /// Numbers of one sample in the cache.
    pub(crate) cache_len: usize,
}

impl Place {
    #[inline]
    fn span(&self, layer: usize, batch: usize) -> Span {
        let times = |range: &Range<usize>| place_of(range, layer, batch);
        Span {
            layer,
            inputs: self.inputs,
            outputs: self.y.len(),
            params: self.params.clone(),
            x: self.x.as_ref().map(|x| place_of(x, layer - 1, batch)),
            y: times(&self.y),
            cache: times(&self.cache),
            tangent_cache: times(&self.tangent_cache),
            cache_len: self.cache.len(),
        }
    }
}

/// Where what a layer has at `range` for one sample lies in a pass of `batch` samples.
#[inline]
fn place_of(range: &Range<usize>, layer: usize, batch: usize) -> Range<usize> {
    let before = SPARE * layer;
    // Widths may have saturated: such a network can be built, though no pass of it fits into
    // memory.
    let at = |numbers: usize| (numbers * batch).saturating_add(before);
    at(range.start)..at(range.end)
}

impl Layout {
    /// The plan of a network without layers.
    pub(crate) fn new(inputs: usize) -> Self {
        Self {
            inputs,
            layers: Vec::new(),
            links: Vec::new(),
            largest: 0,
        }
    }

    /// Where the parameters of a next layer would lie, if all together are at most `most` numbers.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] when there are more.
    pub(crate) fn next_params(&self, blocks: &[Block], most: usize) -> Result<Range<usize>> {
        let start = self.param_count();
        let end = blocks.iter().try_fold(start, |sum, block| {
            let len = block.rows.checked_mul(block.cols)?;
            sum.checked_add(len).filter(|sum| *sum <= most)
        });
        end.map(|end| start..end).ok_or_else(|| {
            let expected = "parameters that fit into memory";
            Error::new(ErrorKind::Value, "", expected, format!("{blocks:?}"))
        })
    }

    /// Puts a layer on top, whose parameters have been given their place.
    pub(crate) fn push(&mut self, layer: Described) {
        let Described {
            name,
            outputs,
            blocks,
            names,
            params,
            cache_len,
            tangent_cache_len,
            small,
        } = layer;
        let last = self.layers.last();
        // No pass of widths whose sum saturates fits into memory.
        let after = |range: fn(&Place) -> &Range<usize>, len: usize| {
            let start = last.map_or(0, |last| range(last).end);
            start..start.saturating_add(len)
        };
        let place = Place {
            name,
            inputs: self.outputs(),
            blocks,
            names,
            params,
            x: last.map(|last| last.y.clone()),
            y: after(|last| &last.y, outputs),
            cache: after(|last| &last.cache, cache_len),
            tangent_cache: after(|last| &last.tangent_cache, tangent_cache_len),
        };
        if let Some((activation, bias)) = small
            && self.links.len() == self.layers.len()
        {
            self.links.push(Link {
                layer: self.layers.len(),
                activation,
                bias,
                inputs: place.inputs,
                outputs,
                params: place.params.clone(),
                y: place.y.clone(),
                cache: place.cache.clone(),
            });
        }
        let largest = place.blocks.iter().map(Block::len).max();
        self.largest = self.largest.max(largest.unwrap_or(0));
        self.layers.push(place);
    }

    /// The layers, if all are small dense ones.
    #[inline]
    pub(crate) fn links(&self) -> Option<&[Link]> {
        (self.links.len() == self.layers.len()).then_some(&self.links)
    }

    pub(crate) fn layers(&self) -> usize {
        self.layers.len()
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(crate) fn outputs(&self) -> usize {
        self.layers.last().map_or(self.inputs, |last| last.y.len())
    }

    pub(crate) fn param_count(&self) -> usize {
        self.layers.last().map_or(0, |last| last.params.end)
    }

    /// The length of the outputs of all layers, of `batch` samples.
    pub(crate) fn outputs_len(&self, batch: usize) -> usize {
        self.len(|last| &last.y, batch)
    }

    /// The length of the caches of all layers.
    pub(crate) fn caches_len(&self, batch: usize) -> usize {
        self.len(|last| &last.cache, batch)
    }

    /// The length of the tangent caches of all layers.
    pub(crate) fn tangent_caches_len(&self, batch: usize) -> usize {
        self.len(|last| &last.tangent_cache, batch)
    }

    fn len(&self, range: fn(&Place) -> &Range<usize>, batch: usize) -> usize {
        let last = self.layers.last().map_or(0, |last| range(last).end);
        (last * batch).saturating_add(SPARE * self.layers.len())
    }

    /// Where the outputs of the network lie.
    pub(crate) fn top(&self, batch: usize) -> Range<usize> {
        let last = self.layers.len().saturating_sub(1);
        self.layers
            .last()
            .map_or(0..0, |place| place_of(&place.y, last, batch))
    }

    /// Where each layer's share of a pass of `batch` samples lies, first to last.
    #[inline]
    pub(crate) fn spans(
        &self,
        batch: usize,
    ) -> impl DoubleEndedIterator<Item = Span> + ExactSizeIterator {
        self.layers
            .iter()
            .enumerate()
            .map(move |(layer, place)| place.span(layer, batch))
    }

    /// [`spans`](Self::spans) of one layer.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] if there is no such layer.
    pub(crate) fn span(&self, function: &str, layer: usize, batch: usize) -> Result<Span> {
        Ok(self.layer(function, layer)?.span(layer, batch))
    }

    /// Every block of parameters, in the order in which they lie.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = PlacedBlock<'_>> + Clone {
        self.layers.iter().enumerate().flat_map(|(layer, place)| {
            let placed = Block::lay(&place.blocks, place.params.start);
            placed
                .zip(&place.names)
                .map(move |((block, range), name)| PlacedBlock {
                    layer,
                    name,
                    block,
                    range,
                })
        })
    }

    /// The blocks of a layer; none if there is no such layer.
    pub(crate) fn layer_blocks(&self, layer: usize) -> &[Block] {
        self.layers.get(layer).map_or(&[], |place| &place.blocks)
    }

    /// The first block of a role in a layer, and where it lies in the flat vector.
    pub(crate) fn block(
        &self,
        function: &str,
        layer: usize,
        role: Role,
    ) -> Result<(&Block, Range<usize>)> {
        let place = self.layer(function, layer)?;
        let mut blocks = Block::lay(&place.blocks, place.params.start);
        blocks.find(|(block, _)| block.role == role).ok_or_else(|| {
            let expected = format!("a layer with a block of role {role:?}");
            Error::new(ErrorKind::Value, function, expected, self.place(layer))
        })
    }

    /// The number of parameters of the largest block, to which most of the work for a sample is
    /// proportional.
    pub(crate) fn largest_block(&self) -> usize {
        self.largest
    }

    /// What the summary calls a layer.
    pub(crate) fn name(&self, layer: usize) -> &str {
        &self.layers[layer].name
    }

    /// What errors call a layer.
    pub(crate) fn place(&self, layer: usize) -> String {
        place(layer, self.name(layer))
    }

    fn layer(&self, function: &str, layer: usize) -> Result<&Place> {
        self.layers.get(layer).ok_or_else(|| {
            let expected = format!("a layer below {}", self.layers());
            Error::new(ErrorKind::Value, function, expected, layer)
        })
    }
}

/// What errors call layer `index` of a network.
pub(crate) fn place(index: usize, name: &str) -> String {
    format!("layer {index} ({name})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::ToString, vec};

    /// Three layers, of which the second has no parameters and the third no cache.
    fn plan() -> Layout {
        let mut layout = Layout::new(4);
        let dense = vec![
            Block::new("weights", Role::Weight, 3, 4),
            Block::new("bias", Role::Bias, 3, 1),
        ];
        let scale = vec![Block::new("scale", Role::Scale, 3, 1)];
        let layers = [(3, dense, 3, 6), (3, vec![], 1, 0), (2, scale, 0, 2)];
        for (layer, (outputs, blocks, cache_len, tangent_cache_len)) in
            layers.into_iter().enumerate()
        {
            let described = Described {
                name: format!("L{layer}"),
                outputs,
                names: blocks
                    .iter()
                    .map(|block| format!("{layer}.{}", block.name))
                    .collect(),
                params: layout.next_params(&blocks, 18).expect("18 parameters"),
                blocks,
                cache_len,
                tangent_cache_len,
                small: None,
            };
            layout.push(described);
        }
        layout
    }

    #[test]
    fn spans_lie_one_after_the_other() {
        let layout = plan();
        for batch in [1, 5] {
            let (mut params, mut y, mut cache, mut tangent_cache) = (0, 0, 0, 0);
            let (mut below, mut inputs) = (None, layout.inputs());
            for (layer, span) in layout.spans(batch).enumerate() {
                assert_eq!(span.layer, layer);
                assert_eq!((span.inputs, &span.x), (inputs, &below));
                assert_eq!(span.y.len(), span.outputs * batch);
                assert_eq!(span.cache.len(), span.cache_len * batch);
                let starts = [&span.params, &span.y, &span.cache, &span.tangent_cache];
                assert_eq!(
                    starts.map(|range| range.start),
                    [params, y, cache, tangent_cache]
                );
                params = span.params.end;
                y = span.y.end + SPARE;
                cache = span.cache.end + SPARE;
                tangent_cache = span.tangent_cache.end + SPARE;
                (below, inputs) = (Some(span.y), span.outputs);
            }
            assert_eq!(Some(layout.top(batch)), below);
            assert_eq!(
                [params, y],
                [layout.param_count(), layout.outputs_len(batch)]
            );
            assert_eq!(cache, layout.caches_len(batch));
            assert_eq!(tangent_cache, layout.tangent_caches_len(batch));
            assert_eq!(inputs, layout.outputs());
        }
    }

    #[test]
    fn blocks_cover_the_parameters() {
        let layout = plan();
        let blocks: Vec<_> = layout
            .blocks()
            .map(|b| (b.layer, b.name, b.range))
            .collect();
        assert_eq!(
            blocks,
            [
                (0, "0.weights", 0..12),
                (0, "0.bias", 12..15),
                (2, "2.scale", 15..18)
            ]
        );
        for (layer, span) in layout.spans(1).enumerate() {
            let blocks: Vec<_> = layout
                .blocks()
                .filter(|block| block.layer == layer)
                .collect();
            assert_eq!(
                blocks.iter().map(|block| block.range.len()).sum::<usize>(),
                span.params.len()
            );
        }
        assert_eq!(layout.block("f", 0, Role::Bias).expect("a bias").1, 12..15);
        let none = layout.block("f", 2, Role::Bias).expect_err("no bias");
        assert_eq!(
            none.to_string(),
            "f: got layer 2 (L2), expected a layer with a block of role Bias"
        );
        assert!(layout.block("f", 3, Role::Bias).is_err());
    }

    #[test]
    fn widths_whose_sum_saturates_have_spans() {
        let mut layout = Layout::new(1);
        for layer in 0..3 {
            layout.push(Described {
                name: format!("L{layer}"),
                outputs: usize::MAX - 1,
                names: vec![],
                params: 0..0,
                blocks: vec![],
                cache_len: usize::MAX - 1,
                tangent_cache_len: usize::MAX - 1,
                small: None,
            });
        }
        assert!(
            layout
                .spans(1)
                .all(|span| span.outputs > 0 || span.layer > 0)
        );
        assert_eq!(layout.spans(1).count(), 3);
        assert_eq!(layout.outputs_len(1), usize::MAX);
        assert_eq!(layout.top(1).end, usize::MAX);
    }

    #[test]
    fn parameters_beyond_the_limit_are_refused() {
        for (rows, cols) in [(1, 1), (usize::MAX, 1), (usize::MAX, 2)] {
            let blocks = [Block::new("b", Role::Bias, rows, cols)];
            assert!(plan().next_params(&blocks, 18).is_err());
        }
    }
}
