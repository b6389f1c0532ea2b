//! The walks over the nodes of a network: inference, forward, backward, along a tangent, and back
//! along it.
//!
//! Each takes its numbers as slices in which every node has its [`Span`]. What a layer does on the
//! way, and the four equations, stand in `layers/`, in `dense.rs` first of all; what forks and
//! joins do, in `joins.rs`.

use crate::error::Result;
use crate::nn::chain;
use crate::nn::joins;
use crate::nn::layer::{
    BackwardArgs, BackwardTangentArgs, ForwardArgs, GradientArgs, InferArgs, Layer, Scratch,
    TangentArgs,
};
use crate::nn::layout::{Kind, Layout, Link, Span};
use crate::nn::loss::{CostsArgs, Loss, Reduction, SlopesArgs, reduce, scale};
use crate::nn::tape::{Motion, Room, Stage, TangentRoom, Tape, Top};
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View, ViewMut};
use alloc::{sync::Arc, vec::Vec};
use core::mem::swap;

/// The innermost layers of a network and their parameters, to be walked over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk<'a, T: Real> {
    pub(crate) leaves: &'a [Arc<dyn Layer<T>>],
    pub(crate) layout: &'a Arc<Layout>,
    pub(crate) params: &'a [T],
}

/// Gradients by all parameters, one after the other, each of so many samples.
#[derive(Debug)]
pub(crate) struct Rows<'a, T> {
    pub(crate) grads: &'a mut [T],
    /// At least 1, and a divisor of the batch.
    pub(crate) samples: usize,
}

/// The five walks.
impl<'a, T: Real> Walk<'a, T> {
    /// A layer with its parameters.
    #[inline]
    fn leaf(self, leaf: usize, span: &Span) -> (&'a dyn Layer<T>, &'a [T]) {
        (&*self.leaves[leaf], &self.params[span.params.clone()])
    }

    /// y ← f(x) for a few samples, layer by layer through two buffers in turn; where there are
    /// branches, with the outputs of all nodes in one.
    pub(crate) fn infer(
        self,
        x: View<'_, T>,
        y: &mut [T],
        [here, there]: &mut [Vec<T>; 2],
        scratch: &mut Scratch<T>,
    ) {
        let batch = x.cols();
        if let Some(links) = chain::of(self.layout, batch) {
            here.resize(self.layout.outputs_len(batch), T::zero());
            chain::Forward {
                links,
                params: self.params,
                x: x.as_slice(),
                samples: batch,
                activations: here,
                cache: &mut [],
            }
            .run();
            return y.copy_from_slice(&here[self.layout.top(batch)]);
        }
        if self.layout.is_joined() {
            return self.infer_joined(x, y, here, scratch);
        }
        let (mut here, mut there) = (here, there);
        let last = self.leaves.len() - 1;
        for (leaf, span) in self.layout.leaves(batch) {
            let (layer, params) = self.leaf(leaf, &span);
            let x = match span.x {
                None => x,
                Some(_) => View::from_parts(&here[..span.inputs * batch], span.inputs, batch),
            };
            if leaf == last {
                let y = ViewMut::from_parts(y, span.outputs, batch);
                return layer.infer(InferArgs {
                    params,
                    x,
                    y,
                    scratch,
                });
            }
            let len = span.outputs * batch;
            if there.len() < len {
                there.resize(len, T::zero());
            }
            let y = ViewMut::from_parts(&mut there[..len], span.outputs, batch);
            layer.infer(InferArgs {
                params,
                x,
                y,
                scratch,
            });
            swap(&mut here, &mut there);
        }
    }

    /// [`infer`](Self::infer) where there are branches.
    fn infer_joined(self, x: View<'_, T>, y: &mut [T], all: &mut Vec<T>, scratch: &mut Scratch<T>) {
        let batch = x.cols();
        let len = self.layout.outputs_len(batch);
        if all.len() < len {
            all.resize(len, T::zero());
        }
        for (kind, span) in self.layout.nodes(batch) {
            let (lower, upper) = all.split_at_mut(span.y.start);
            let y = &mut upper[..span.y.len()];
            match kind {
                Kind::Fork => {}
                Kind::Join(joined) => joins::join(joined, x.as_slice(), lower, y, batch),
                Kind::Leaf(leaf) => {
                    let (layer, params) = self.leaf(*leaf, &span);
                    layer.infer(InferArgs {
                        params,
                        x: input(&span, x, lower, batch),
                        y: ViewMut::from_parts(y, span.outputs, batch),
                        scratch,
                    });
                }
            }
        }
        y.copy_from_slice(&all[self.layout.top(batch)]);
    }

    /// The forward pass of a chain.
    #[inline(always)]
    fn forward_by_chain(self, links: &[Link], x: View<'_, T>, room: Room<'_, T>) {
        chain::Forward {
            links,
            params: self.params,
            x: x.as_slice(),
            samples: x.cols(),
            activations: room.activations,
            cache: room.cache,
        }
        .run();
    }

    /// The forward pass, in which a layer trains or does what [`infer`](Self::infer) computes.
    pub(crate) fn forward_by_layers(
        self,
        x: View<'_, T>,
        room: Room<'_, T>,
        seed: u64,
        trains: impl Fn(&dyn Layer<T>) -> bool,
    ) {
        let batch = x.cols();
        let Room {
            activations,
            cache,
            scratch,
            ..
        } = room;
        for (kind, span) in self.layout.nodes(batch) {
            let (lower, upper) = activations.split_at_mut(span.y.start);
            let y = &mut upper[..span.y.len()];
            match kind {
                Kind::Fork => {}
                Kind::Join(joined) => joins::join(joined, x.as_slice(), lower, y, batch),
                Kind::Leaf(leaf) => {
                    let (layer, params) = self.leaf(*leaf, &span);
                    layer.forward(ForwardArgs {
                        params,
                        x: input(&span, x, lower, batch),
                        y: ViewMut::from_parts(y, span.outputs, batch),
                        cache: &mut cache[span.cache],
                        seed: seed.wrapping_add(span.node as u64),
                        training: trains(layer),
                        scratch,
                    });
                }
            }
        }
    }

    /// The backward pass, from ∂C/∂y on top: ∂C/∂x where it is asked for, and gradients by all
    /// parameters.
    pub(crate) fn backward(
        self,
        x: View<'_, T>,
        room: Room<'_, T>,
        dx: Option<ViewMut<'_, T>>,
        rows: Rows<'_, T>,
        training: bool,
    ) {
        match chain::of(self.layout, x.cols()) {
            Some(links) if dx.is_none() && rows.samples == x.cols() => {
                self.backward_by_chain(links, x, room, rows.grads);
            }
            _ => self.backward_by_layers(x, room, dx, rows, training),
        }
    }

    #[inline(always)]
    fn backward_by_chain(self, links: &[Link], x: View<'_, T>, room: Room<'_, T>, grads: &mut [T]) {
        chain::Backward {
            links,
            params: self.params,
            x: x.as_slice(),
            samples: x.cols(),
            activations: room.activations,
            cache: room.cache,
            deltas: room.deltas,
            grads,
            turned: room.scratch.pack(),
        }
        .run();
    }

    fn backward_by_layers(
        self,
        x: View<'_, T>,
        room: Room<'_, T>,
        mut dx: Option<ViewMut<'_, T>>,
        rows: Rows<'_, T>,
        training: bool,
    ) {
        let batch = x.cols();
        let Room {
            activations,
            deltas,
            cache,
            scratch,
        } = room;
        let asked = dx.is_some();
        for (kind, span) in self.layout.nodes(batch).rev() {
            let (lower, upper) = deltas.split_at_mut(span.delta.start);
            let delta = &mut upper[..span.delta.len()];
            if let Kind::Join(joined) = kind {
                joins::split(joined, delta, lower, batch, asked);
                continue;
            }
            let dx = below(&span, lower, &mut dx, asked, batch);
            let Kind::Leaf(leaf) = kind else {
                if let Some(dx) = dx {
                    joins::sum(delta, dx);
                }
                continue;
            };
            let (layer, params) = self.leaf(*leaf, &span);
            let x = input(&span, x, activations, batch);
            let y = View::from_parts(&activations[span.y.clone()], span.outputs, batch);
            let cache = &cache[span.cache.clone()];
            let mut delta = ViewMut::from_parts(delta, span.outputs, batch);
            let delta_in = delta.reborrow();
            layer.backward(BackwardArgs {
                params,
                x,
                y,
                cache,
                delta: delta_in,
                dx,
                training,
                scratch,
            });
            let delta = delta.as_view();
            // Split off one after the other: `chunks_exact_mut` divides first, which a small
            // network would notice.
            let mut rest = &mut *rows.grads;
            let mut first = 0;
            while !rest.is_empty() {
                let (row, others) = rest.split_at_mut(self.params.len());
                let last = first + rows.samples;
                layer.gradient(GradientArgs {
                    params,
                    x: x.range(first, last),
                    y: y.range(first, last),
                    cache: &cache[first * span.cache_len..last * span.cache_len],
                    delta: delta.range(first, last),
                    grads: &mut row[span.params.clone()],
                    training,
                    scratch,
                });
                rest = others;
                first = last;
            }
        }
    }

    /// The pass along v, or without it along the tape's direction of the inputs, after a forward
    /// pass that was none of training.
    pub(crate) fn tangent(
        self,
        x: View<'_, T>,
        v: Option<&[T]>,
        room: Room<'_, T>,
        tangents: TangentRoom<'_, T>,
    ) -> Result<()> {
        let batch = x.cols();
        let (params_moving, v) = (v.is_some(), v.unwrap_or(tangents.params));
        let Room {
            activations,
            cache,
            scratch,
            ..
        } = room;
        let x_dot = View::from_parts(tangents.inputs, x.rows(), batch);
        for (kind, span) in self.layout.nodes(batch) {
            let (lower, upper) = tangents.activations.split_at_mut(span.y.start);
            let y_dot = &mut upper[..span.y.len()];
            let leaf = match kind {
                Kind::Leaf(leaf) => *leaf,
                Kind::Fork => continue,
                Kind::Join(joined) => {
                    joins::join(joined, x_dot.as_slice(), lower, y_dot, batch);
                    continue;
                }
            };
            let (layer, params) = self.leaf(leaf, &span);
            let result = layer.tangent(TangentArgs {
                params,
                params_dot: &v[span.params.clone()],
                params_moving,
                x: input(&span, x, activations, batch),
                x_dot: input(&span, x_dot, lower, batch),
                moving: tangents.moving || span.moving,
                y: View::from_parts(&activations[span.y.clone()], span.outputs, batch),
                y_dot: ViewMut::from_parts(y_dot, span.outputs, batch),
                cache: &cache[span.cache],
                tangent_cache: &mut tangents.cache[span.tangent_cache],
                scratch,
            });
            result.map_err(|error| error.within(self.layout.place_of_node(span.node)))?;
        }
        Ok(())
    }

    /// The derivative of the backward pass along v or without it along the tape's direction of the
    /// inputs, from ∂C/∂y and its derivative on top; what is derived by the parameters goes to
    /// `grads_dot`. With it ∂C/∂x and its derivative where they are asked for.
    pub(crate) fn backward_tangent(
        self,
        x: View<'_, T>,
        v: Option<&[T]>,
        room: Room<'_, T>,
        tangents: TangentRoom<'_, T>,
        dx: Option<(ViewMut<'_, T>, ViewMut<'_, T>)>,
        grads_dot: &mut [T],
    ) -> Result<()> {
        let (mut dx, mut dx_dot) = dx.unzip();
        let batch = x.cols();
        let (params_moving, v) = (v.is_some(), v.unwrap_or(tangents.params));
        let Room {
            activations,
            deltas,
            cache,
            scratch,
        } = room;
        let x_dot = View::from_parts(tangents.inputs, x.rows(), batch);
        let asked = dx.is_some();
        for (kind, span) in self.layout.nodes(batch).rev() {
            let (lower, upper) = deltas.split_at_mut(span.delta.start);
            let (lower_dot, upper_dot) = tangents.deltas.split_at_mut(span.delta.start);
            let delta = &mut upper[..span.delta.len()];
            let delta_dot = &mut upper_dot[..span.delta.len()];
            if let Kind::Join(joined) = kind {
                joins::split(joined, delta, lower, batch, asked);
                joins::split(joined, delta_dot, lower_dot, batch, asked);
                continue;
            }
            let dx = below(&span, lower, &mut dx, asked, batch);
            let dx = dx.zip(below(&span, lower_dot, &mut dx_dot, asked, batch));
            let Kind::Leaf(leaf) = kind else {
                if let Some((dx, dx_dot)) = dx {
                    joins::sum(delta, dx);
                    joins::sum(delta_dot, dx_dot);
                }
                continue;
            };
            let (layer, params) = self.leaf(*leaf, &span);
            let result = layer.backward_tangent(BackwardTangentArgs {
                params,
                params_dot: &v[span.params.clone()],
                params_moving,
                x: input(&span, x, activations, batch),
                x_dot: input(&span, x_dot, tangents.activations, batch),
                moving: tangents.moving || span.moving,
                y: View::from_parts(&activations[span.y.clone()], span.outputs, batch),
                y_dot: View::from_parts(&tangents.activations[span.y.clone()], span.outputs, batch),
                cache: &cache[span.cache],
                tangent_cache: &tangents.cache[span.tangent_cache],
                delta: ViewMut::from_parts(delta, span.outputs, batch),
                delta_dot: ViewMut::from_parts(delta_dot, span.outputs, batch),
                dx,
                grads_dot: &mut grads_dot[span.params],
                scratch,
            });
            result.map_err(|error| error.within(self.layout.place_of_node(span.node)))?;
        }
        Ok(())
    }
}

/// Where the derivative by the inputs goes: among those by all outputs, or to the caller. Nowhere
/// if it is one by the network's inputs that is not asked for.
#[inline]
fn below<'d, 'x: 'd, T: Real>(
    span: &Span,
    deltas: &'d mut [T],
    dx: &mut Option<ViewMut<'x, T>>,
    asked: bool,
    batch: usize,
) -> Option<ViewMut<'d, T>> {
    if span.x.is_none() && !asked {
        return None;
    }
    match &span.dx {
        None => dx.take(),
        Some(below) => {
            let below = &mut deltas[below.clone()];
            Some(ViewMut::from_parts(below, span.inputs, batch))
        }
    }
}

/// A layer's inputs: the network's, `x`, or what lies among the outputs of all layers.
#[inline]
pub(super) fn input<'x, T: Real>(
    span: &Span,
    x: View<'x, T>,
    outputs: &'x [T],
    batch: usize,
) -> View<'x, T> {
    match &span.x {
        None => x,
        Some(range) => View::from_parts(&outputs[range.clone()], span.inputs, batch),
    }
}

/// The walks of which a gradient is made, on a tape.
impl<T: Real> Walk<'_, T> {
    /// The forward pass into the tape.
    #[inline(always)]
    pub(crate) fn record(self, x: View<'_, T>, tape: &mut Tape<T>, training: bool) {
        tape.prepare(self.layout, x.cols());
        let seed = tape.draw(training);
        // Chosen before what a walk is lent is put together, of which a chain needs little.
        match chain::of(self.layout, x.cols()) {
            Some(links) => tape.walk(
                Stage::Forward,
                #[inline(always)]
                |lent| self.forward_by_chain(links, x, lent.room),
            ),
            None => self.record_by_layers(x, tape, seed, training),
        }
    }

    #[inline(never)]
    fn record_by_layers(self, x: View<'_, T>, tape: &mut Tape<T>, seed: u64, training: bool) {
        tape.walk(Stage::Forward, |lent| {
            self.forward_by_layers(x, lent.room, seed, |_| training);
        });
    }

    /// The forward pass of a prediction in which dropouts draw, always the same of a tape's seed
    /// and step.
    pub(crate) fn record_with_dropout(self, x: View<'_, T>, tape: &mut Tape<T>) {
        tape.prepare(self.layout, x.cols());
        let seed = tape.draw(false);
        tape.walk(Stage::Forward, |lent| {
            self.forward_by_layers(x, lent.room, seed, |layer| layer.is_dropout());
        });
    }

    /// Whether a dropout is among the layers.
    pub(crate) fn has_dropout(self) -> bool {
        self.leaves.iter().any(|leaf| leaf.is_dropout())
    }

    /// The forward pass and the one along v into the tape.
    pub(crate) fn record_tangent(self, x: View<'_, T>, v: &[T], tape: &mut Tape<T>) -> Result<()> {
        self.record(x, tape, false);
        tape.prepare_tangents(self.layout, Motion::Still);
        tape.walk(Stage::Empty, |lent| {
            self.tangent(x, Some(v), lent.room, lent.tangents)
        })
    }

    /// The backward pass after [`record`](Self::record), from ∂C/∂y in the tape.
    #[inline(always)]
    pub(crate) fn differentiate(self, x: View<'_, T>, tape: &mut Tape<T>, training: bool) {
        match chain::of(self.layout, x.cols()) {
            Some(links) => tape.walk(
                Stage::Backward,
                #[inline(always)]
                |lent| self.backward_by_chain(links, x, lent.room, lent.grads),
            ),
            None => self.differentiate_by_layers(x, tape, training),
        }
    }

    #[inline(never)]
    fn differentiate_by_layers(self, x: View<'_, T>, tape: &mut Tape<T>, training: bool) {
        tape.walk(Stage::Backward, |lent| {
            let rows = Rows {
                grads: lent.grads,
                samples: x.cols(),
            };
            self.backward_by_layers(x, lent.room, None, rows, training);
        });
    }
}

/// The cost of the outputs in the tape.
pub(crate) fn cost<T: Real>(target: Targets<'_, T>, loss: &dyn Loss<T>, tape: &mut Tape<T>) -> T {
    let mut top = tape.top();
    top.cost(target, loss, loss.reduction())
}

/// ∂C/∂y of the cost of the outputs in the tape.
pub(crate) fn slopes<T: Real>(target: Targets<'_, T>, loss: &dyn Loss<T>, tape: &mut Tape<T>) {
    let mut top = tape.top();
    top.slopes(target, loss, loss.reduction());
}

/// The cost of the outputs in the tape, and ∂C/∂y.
#[inline(always)]
pub(crate) fn cost_and_slopes<T: Real>(
    target: Targets<'_, T>,
    loss: &dyn Loss<T>,
    tape: &mut Tape<T>,
) -> T {
    let (mut top, reduction) = (tape.top(), loss.reduction());
    let cost = top.cost(target, loss, reduction);
    top.slopes(target, loss, reduction);
    cost
}

impl<T: Real> Top<'_, T> {
    #[inline(always)]
    fn cost(&mut self, target: Targets<'_, T>, loss: &dyn Loss<T>, reduction: Reduction) -> T {
        self.costs.resize(target.values().cols(), T::zero());
        loss.costs(CostsArgs {
            y: self.y,
            target: target.values(),
            costs: self.costs,
        });
        reduce(reduction, self.costs, target.weights())
    }

    #[inline(always)]
    fn slopes(&mut self, target: Targets<'_, T>, loss: &dyn Loss<T>, reduction: Reduction) {
        loss.slopes(SlopesArgs {
            y: self.y,
            target: target.values(),
            dy: self.dy.reborrow(),
        });
        scale(reduction, self.dy.reborrow(), target.weights());
    }
}

/// ∂C/∂y written by the caller, who is given the outputs in the tape.
pub(crate) fn slopes_by<T: Real, R>(
    tape: &mut Tape<T>,
    slopes: impl FnOnce(View<'_, T>, ViewMut<'_, T>) -> Result<R>,
) -> Result<R> {
    let mut top = tape.top();
    // What the caller leaves out is 0, not what another pass left.
    top.dy.as_mut_slice().fill(T::zero());
    slopes(top.y, top.dy)
}
