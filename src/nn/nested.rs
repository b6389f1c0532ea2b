//! A layer that is made of layers, as a layer by itself.
//!
//! A network does not come here: it lays out the parts among its own. Whoever calls the passes of a
//! [`Composite`] as of any layer does: a gradient check, or a layer of another crate that hands its
//! arguments on. Each pass has buffers of its own then, and computes the forward pass anew where it
//! goes back.

use crate::error::Result;
use crate::nn::activation::{Activation, OutputRange};
use crate::nn::flatten::{self, Flat};
use crate::nn::layer::{
    BackwardArgs, BackwardTangentArgs, Block, Composite, ForwardArgs, GradientArgs, InferArgs,
    InitParamsArgs, Layer, Parts, Scratch, TangentArgs,
};
use crate::nn::layout::Layout;
use crate::nn::passes::{Rows, Walk};
use crate::nn::tape::{Room, TangentRoom};
use crate::numeric::compiled::compiled_here;
use crate::numeric::random::{Purpose, derive};
use crate::numeric::real::Real;
use crate::numeric::view::View;
use alloc::{string::String, sync::Arc, vec, vec::Vec};
use core::ops::Range;

/// A pass back needs the seed of the forward pass, of which each sample keeps the bits, some in
/// each number.
const SEED_BITS: usize = 16;
const SEED_LEN: usize = 64 / SEED_BITS;

/// Every composite is a layer. Blocks have the names that they have in files.
impl<C: Composite> Layer<C::Scalar> for C {
    fn name(&self) -> String {
        Composite::name(self)
    }

    fn describe(&self) -> String {
        Composite::describe(self)
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(Flat::of(inputs, &self.parts())?.layout.outputs())
    }

    fn blocks(&self, inputs: usize) -> Vec<Block> {
        let flat = Flat::of(inputs, &self.parts());
        let named = |flat: Flat<_>| {
            let blocks = flat.layout.blocks();
            let named = blocks.map(|placed| Block {
                name: String::from(placed.name).into(),
                ..placed.block.clone()
            });
            named.collect()
        };
        flat.map_or_else(|_| Vec::new(), named)
    }

    fn init_params(&self, p: InitParamsArgs<'_, C::Scalar>) {
        let Ok(flat) = Flat::of(p.inputs, &self.parts()) else {
            return;
        };
        for (leaf, span) in flat.layout.leaves(1) {
            flat.leaves[leaf].init_params(InitParamsArgs {
                inputs: span.inputs,
                params: &mut p.params[span.params],
                rng: p.rng,
            });
        }
    }

    fn check_params(&self, inputs: usize, params: &[C::Scalar]) -> Result<()> {
        let flat = Flat::of(inputs, &self.parts())?;
        flat.layout.leaves(1).try_for_each(|(leaf, span)| {
            let checked = flat.leaves[leaf].check_params(span.inputs, &params[span.params]);
            checked.map_err(|error| error.within(flat.layout.place_of_node(span.node)))
        })
    }

    fn cache_len(&self, inputs: usize) -> usize {
        let _ = inputs;
        SEED_LEN
    }

    fn range(&self, input: OutputRange) -> OutputRange {
        flatten::range(&self.parts(), input)
    }

    fn bounds(&self, input: (f64, f64)) -> (f64, f64) {
        flatten::bounds(&self.parts(), input)
    }

    fn is_trainable(&self) -> bool {
        let parts = self.parts().parts;
        let mut layers = parts.iter().filter_map(|part| part.layer.as_ref());
        layers.all(|layer| layer.is_trainable())
    }

    fn check_inputs(&self, x: View<'_, C::Scalar>) -> Result<()> {
        let flat = Flat::of(x.rows(), &self.parts())?;
        let layout = Arc::new(flat.layout);
        let walk = Walk {
            leaves: &flat.leaves,
            layout: &layout,
            params: &[],
        };
        walk.check_inputs(x)
    }

    fn checks_inputs(&self) -> bool {
        let parts = self.parts().parts;
        let mut layers = parts.iter().filter_map(|part| part.layer.as_ref());
        layers.any(|layer| layer.checks_inputs())
    }

    fn infer(&self, p: InferArgs<'_, C::Scalar>) {
        infer(self.parts(), p);
    }

    fn forward(&self, p: ForwardArgs<'_, C::Scalar>) {
        forward(self.parts(), p);
    }

    fn backward(&self, p: BackwardArgs<'_, C::Scalar>) {
        backward(self.parts(), p);
    }

    fn gradient(&self, p: GradientArgs<'_, C::Scalar>) {
        gradient(self.parts(), p);
    }

    fn tangent(&self, p: TangentArgs<'_, C::Scalar>) -> Result<()> {
        tangent(self.parts(), p)
    }

    fn backward_tangent(&self, p: BackwardTangentArgs<'_, C::Scalar>) -> Result<()> {
        backward_tangent(self.parts(), p)
    }

    fn nested(&self) -> Option<Parts<C::Scalar>> {
        Some(self.parts())
    }
}

/// One composite, laid out.
struct Net<T: Real> {
    leaves: Vec<Arc<dyn Layer<T>>>,
    layout: Arc<Layout>,
}

/// What its passes work on: outputs, derivatives by them, and caches; or, of a pass along a
/// tangent, how these change.
struct Own<T> {
    activations: Vec<T>,
    deltas: Vec<T>,
    cache: Vec<T>,
}

impl<T: Real> Net<T> {
    fn of(parts: &Parts<T>, inputs: usize) -> Self {
        let flat = Flat::of(inputs, parts).expect("as many inputs as Layer::outputs accepts");
        // What only hands on its input has no place for the output.
        let flat = if flat.leaves.is_empty() {
            let linear = Layer::<T>::shared(Activation::Linear);
            Flat::of(inputs, &Parts::chain(&[linear])).expect("a layer for any inputs")
        } else {
            flat
        };
        Self {
            leaves: flat.leaves,
            layout: Arc::new(flat.layout),
        }
    }

    fn walk<'a>(&'a self, params: &'a [T]) -> Walk<'a, T> {
        Walk {
            leaves: &self.leaves,
            layout: &self.layout,
            params,
        }
    }

    fn own(&self, batch: usize, caches: usize) -> Own<T> {
        Own {
            activations: vec![T::zero(); self.layout.outputs_len(batch)],
            deltas: vec![T::zero(); self.layout.deltas_len(batch)],
            cache: vec![T::zero(); caches],
        }
    }

    fn dots(&self, batch: usize) -> Own<T> {
        self.own(batch, self.layout.tangent_caches_len(batch))
    }

    /// What the forward pass leaves.
    fn forward(
        &self,
        params: &[T],
        x: View<'_, T>,
        seed: u64,
        training: bool,
        scratch: &mut Scratch<T>,
    ) -> Own<T> {
        let mut own = self.own(x.cols(), self.layout.caches_len(x.cols()));
        // Layers beside the composite have the seeds that follow its own.
        let seed = derive(seed, Purpose::Pass, 0);
        let walk = self.walk(params);
        walk.forward_by_layers(x, own.room(scratch), seed, |_| training);
        own
    }

    /// The outputs among those of all nodes.
    fn top(&self, batch: usize) -> Range<usize> {
        self.layout.top(batch)
    }

    /// The place of ∂C/∂y among the derivatives.
    fn top_delta(&self, batch: usize) -> Range<usize> {
        self.layout.top_delta(batch)
    }
}

impl<T> Own<T> {
    fn room<'a>(&'a mut self, scratch: &'a mut Scratch<T>) -> Room<'a, T> {
        Room {
            activations: &mut self.activations,
            deltas: &mut self.deltas,
            cache: &mut self.cache,
            scratch,
        }
    }

    fn tangent_room<'a>(
        &'a mut self,
        x_dot: View<'a, T>,
        moving: bool,
        params_dot: &'a [T],
    ) -> TangentRoom<'a, T> {
        TangentRoom {
            inputs: x_dot.as_slice(),
            moving,
            params: params_dot,
            activations: &mut self.activations,
            deltas: &mut self.deltas,
            cache: &mut self.cache,
        }
    }
}

/// The numbers that keep a seed, of which each is exact in any scalar.
fn keep<T: Real>(seed: u64, cache: &mut [T]) {
    for kept in cache.chunks_exact_mut(SEED_LEN) {
        for (index, bits) in kept.iter_mut().enumerate() {
            *bits = T::of(f64::from((seed >> (SEED_BITS * index)) as u16));
        }
    }
}

/// The seed that was kept.
fn kept<T: Real>(cache: &[T]) -> u64 {
    let bits = cache[..SEED_LEN].iter().rev();
    bits.fold(0, |seed, bits| (seed << SEED_BITS) | bits.as_f64() as u64)
}

fn infer<T: Real>(parts: Parts<T>, p: InferArgs<'_, T>) {
    compiled_here!(T: |parts: Parts<T>, p: InferArgs<'_, T>| {
        let (net, mut p) = (Net::of(&parts, p.x.rows()), p);
        let mut buffers = [const { Vec::new() }; 2];
        net.walk(p.params).infer(p.x, p.y.as_mut_slice(), &mut buffers, p.scratch);
    })(parts, p)
}

fn forward<T: Real>(parts: Parts<T>, p: ForwardArgs<'_, T>) {
    compiled_here!(T: |parts: Parts<T>, p: ForwardArgs<'_, T>| {
        let (net, mut p) = (Net::of(&parts, p.x.rows()), p);
        keep(p.seed, p.cache);
        let own = net.forward(p.params, p.x, p.seed, p.training, p.scratch);
        p.y.as_mut_slice().copy_from_slice(&own.activations[net.top(p.x.cols())]);
    })(parts, p)
}

fn backward<T: Real>(parts: Parts<T>, p: BackwardArgs<'_, T>) {
    compiled_here!(T: |parts: Parts<T>, p: BackwardArgs<'_, T>| {
        if p.dx.is_none() {
            return;
        }
        let net = Net::of(&parts, p.x.rows());
        let mut own = net.forward(p.params, p.x, kept(p.cache), p.training, p.scratch);
        own.deltas[net.top_delta(p.x.cols())].copy_from_slice(p.delta.as_view().as_slice());
        let none = Rows {
            grads: &mut [],
            samples: 1,
        };
        let room = own.room(p.scratch);
        net.walk(p.params).backward(p.x, room, p.dx, none, p.training);
    })(parts, p)
}

fn gradient<T: Real>(parts: Parts<T>, p: GradientArgs<'_, T>) {
    compiled_here!(T: |parts: Parts<T>, p: GradientArgs<'_, T>| {
        if p.grads.is_empty() {
            return;
        }
        let net = Net::of(&parts, p.x.rows());
        let mut own = net.forward(p.params, p.x, kept(p.cache), p.training, p.scratch);
        own.deltas[net.top_delta(p.x.cols())].copy_from_slice(p.delta.as_slice());
        let rows = Rows {
            grads: p.grads,
            samples: p.x.cols(),
        };
        let room = own.room(p.scratch);
        net.walk(p.params).backward(p.x, room, None, rows, p.training);
    })(parts, p)
}

fn tangent<T: Real>(parts: Parts<T>, p: TangentArgs<'_, T>) -> Result<()> {
    compiled_here!(T: |parts: Parts<T>, p: TangentArgs<'_, T>| -> Result<()> {
        let (net, mut p) = (Net::of(&parts, p.x.rows()), p);
        let mut own = net.forward(p.params, p.x, 0, false, p.scratch);
        let mut dots = net.dots(p.x.cols());
        let room = own.room(p.scratch);
        let tangents = dots.tangent_room(p.x_dot, p.moving, p.params_dot);
        let v = p.params_moving.then_some(p.params_dot);
        net.walk(p.params).tangent(p.x, v, room, tangents)?;
        p.y_dot.as_mut_slice().copy_from_slice(&dots.activations[net.top(p.x.cols())]);
        Ok(())
    })(parts, p)
}

fn backward_tangent<T: Real>(parts: Parts<T>, p: BackwardTangentArgs<'_, T>) -> Result<()> {
    compiled_here!(T: |parts: Parts<T>, p: BackwardTangentArgs<'_, T>| -> Result<()> {
        let (net, batch) = (Net::of(&parts, p.x.rows()), p.x.cols());
        let walk = net.walk(p.params);
        let mut own = net.forward(p.params, p.x, 0, false, p.scratch);
        let mut dots = net.dots(batch);
        let room = own.room(p.scratch);
        let tangents = dots.tangent_room(p.x_dot, p.moving, p.params_dot);
        let v = p.params_moving.then_some(p.params_dot);
        walk.tangent(p.x, v, room, tangents)?;
        let top = net.top_delta(batch);
        own.deltas[top.clone()].copy_from_slice(p.delta.as_view().as_slice());
        dots.deltas[top].copy_from_slice(p.delta_dot.as_view().as_slice());
        let room = own.room(p.scratch);
        let tangents = dots.tangent_room(p.x_dot, p.moving, p.params_dot);
        walk.backward_tangent(p.x, v, room, tangents, p.dx, p.grads_dot)
    })(parts, p)
}
