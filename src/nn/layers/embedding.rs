//! Learned vectors in place of indices.

use crate::error::{Error, ErrorKind, Result};
use crate::nn::init::Init;
use crate::nn::layer::{
    BackwardArgs, BackwardTangentArgs, Block, GradientArgs, InferArgs, InitParamsArgs, Layer, Role,
    Scratch, TangentArgs,
};
use crate::numeric::bounds::some;
use crate::numeric::real::{Real, SAMPLES};
use crate::numeric::view::View;
use alloc::{format, string::String, vec, vec::Vec};

/// The name of the table, which other libraries hold vector by vector as rows.
pub(crate) const EMBEDDINGS: &str = "embeddings";

/// A learned vector for each category: every feature of the input is the index of a category, and
/// the output has its vector in the place of the index.
///
/// ```text
/// y = (e of x₁, e of x₂, …),   e of i = column i of the table E, dim × categories
/// ∂C/∂E, column i = Σ of the dim numbers of ∂C/∂y over all places where x is i,   ∂C/∂x = 0
/// ```
///
/// That is E times a one-hot vector, without the vector. n features become n·dim; all share one
/// table. Columns with tables of their own are branches of their own, each behind a
/// [`Select`](crate::nn::Select). By the definition of PyTorch's `nn.Embedding`, the vectors start
/// as standard normal numbers (Keras draws from ±0.05).
///
/// The indices are inputs of the network, directly or by way of `Select`, chains and branches; they
/// are no function of anything, and no gradient goes through them. They are whole numbers from 0 to
/// categories − 1 in the network's scalar. Before a pass each is looked at, and a number that is no
/// index is an error. So no scaler may change them:
/// [`Encoding::index`](crate::data::Encoding::index) makes them of words, with
/// [`Scaling::None`](crate::data::Scaling::None).
///
/// ```
/// use chainrule::{Activation, Dense, Sequential};
/// use chainrule::nalgebra::DMatrix;
/// use chainrule::nn::Embedding;
/// // Three words of five, as indices.
/// let net = Sequential::<f64>::builder(3)
///     .layer(Embedding::new(5, 2))
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// assert_eq!(net.weights(0)?.shape(), (2, 5));
/// net.predict(&DMatrix::from_column_slice(3, 2, &[4.0, 0.0, 0.0, 1.0, 2.0, 3.0]))?;
///
/// let error = net.predict(&DMatrix::from_column_slice(3, 1, &[4.0, 0.0, 5.0])).unwrap_err();
/// assert!(error.to_string().contains("row 2 of sample 0: got 5, expected an index from 0 to 4"));
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("nn.Embedding", "lookup table", "embeddings", "wordEmbeddingLayer"))]
pub struct Embedding {
    categories: usize,
    dim: usize,
    init: Init,
    // Said, even where there is none: a field that is missing is an error.
    #[cfg_attr(
        feature = "serde",
        serde(deserialize_with = "serde::Deserialize::deserialize")
    )]
    padding_idx: Option<usize>,
}

impl Embedding {
    /// Vectors of `dim` numbers (at least 1) for so many categories (at least 1, and as many as the
    /// scalar counts: 2²⁴ in `f32`).
    #[doc(alias("num_embeddings", "embedding_dim", "input_dim", "output_dim"))]
    pub fn new(categories: usize, dim: usize) -> Self {
        Self {
            categories,
            dim,
            init: Init::Normal {
                mean: 0.0,
                std: 1.0,
            },
            padding_idx: None,
        }
    }

    /// The same layer with vectors that start by `init`, for which the categories are inputs and
    /// the numbers of a vector outputs.
    #[must_use]
    #[doc(alias("embeddings_initializer"))]
    pub fn init(self, init: Init) -> Self {
        Self { init, ..self }
    }

    /// The same layer with a category that stands for nothing, such as the end of a text that is
    /// too short. Its vector starts at 0 and is a constant: its gradient is 0. As PyTorch's.
    ///
    /// ```
    /// use chainrule::Sequential;
    /// use chainrule::nn::Embedding;
    /// let layer = Embedding::new(3, 2).padding_idx(0);
    /// let net = Sequential::<f64>::builder(1).layer(layer).build()?;
    /// assert_eq!(net.params()[..2], [0.0, 0.0]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[must_use]
    pub fn padding_idx(self, index: usize) -> Self {
        Self {
            padding_idx: Some(index),
            ..self
        }
    }

    /// The category that a number says; `None` if it says none.
    #[inline]
    fn index<T: Real>(&self, x: T) -> Option<usize> {
        let x = x.as_f64();
        // NaN is in no range; −0 is 0.
        let index = (0.0..self.categories as f64)
            .contains(&x)
            .then_some(x as usize)?;
        (index as f64 == x).then_some(index)
    }

    /// The category, unless its vector is a constant.
    #[inline]
    fn learned<T: Real>(&self, x: T) -> Option<usize> {
        self.index(x)
            .filter(|index| Some(*index) != self.padding_idx)
    }

    /// Writes a vector of `table` for each number of `x`, or `none` where `find` finds none.
    fn look_up<T: Real>(
        &self,
        table: &[T],
        x: &[T],
        y: &mut [T],
        find: impl Fn(T) -> Option<usize>,
        none: T,
    ) {
        for (y, x) in y.chunks_exact_mut(self.dim).zip(x) {
            match find(*x) {
                Some(index) => y.copy_from_slice(&table[index * self.dim..][..self.dim]),
                None => y.fill(none),
            }
        }
    }

    /// Σ of `dy` over all places of each category.
    fn add_up<T: Real>(&self, x: &[T], dy: &[T], sums: &mut [T], scratch: &mut Scratch<T>) {
        sums.fill(T::zero());
        let places = || {
            let dy = dy.chunks_exact(self.dim);
            let place = |(x, dy)| Some((self.learned(x)? * self.dim, dy));
            x.iter().copied().zip(dy).filter_map(place)
        };
        if x.len() <= SAMPLES {
            for (start, dy) in places() {
                for (sum, dy) in sums[start..].iter_mut().zip(dy) {
                    *sum += *dy;
                }
            }
            return;
        }
        // Blocks of samples would go through the table again and again. So each sum carries what it
        // has gained by rounding (W. Kahan 1965).
        let gained = scratch.pack();
        if gained.len() < sums.len() {
            gained.resize(sums.len(), T::zero());
        }
        let gained = &mut gained[..sums.len()];
        gained.fill(T::zero());
        for (start, dy) in places() {
            for ((sum, gained), dy) in sums[start..].iter_mut().zip(&mut gained[start..]).zip(dy) {
                let more = *dy - *gained;
                let next = *sum + more;
                let by = (next - *sum) - more;
                // An infinite sum has gained nothing.
                *gained = if by.is_finite() { by } else { T::zero() };
                *sum = next;
            }
        }
    }
}

impl<T: Real> Layer<T> for Embedding {
    shared!(Embedding);

    fn name(&self) -> String {
        "Embedding".into()
    }

    fn describe(&self) -> String {
        let Self {
            categories, dim, ..
        } = self;
        let padding = match self.padding_idx {
            Some(index) => format!(", padding_idx={index}"),
            None => String::new(),
        };
        format!("Embedding(categories={categories}, dim={dim}{padding})")
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        some("", "at least 1 category", self.categories as u64)?;
        some("", "vectors of at least 1 number", self.dim as u64)?;
        self.init.check::<T>()?;
        let error =
            |expected: String, given: usize| Err(Error::new(ErrorKind::Value, "", expected, given));
        // From 2/ε on, not every whole number is there.
        if self.categories as f64 * T::default_epsilon().as_f64() > 2.0 {
            return error("categories that the scalar counts".into(), self.categories);
        }
        if let Some(index) = self.padding_idx.filter(|index| *index >= self.categories) {
            return error(format!("padding_idx below {}", self.categories), index);
        }
        match inputs.checked_mul(self.dim) {
            Some(outputs) => Ok(outputs),
            None => error("vectors that fit into memory".into(), self.dim),
        }
    }

    fn blocks(&self, inputs: usize) -> Vec<Block> {
        let _ = inputs;
        vec![Block::new(
            EMBEDDINGS,
            Role::Weight,
            self.dim,
            self.categories,
        )]
    }

    fn init_params(&self, p: InitParamsArgs<'_, T>) {
        self.init
            .fill_unchecked(p.params, self.categories, self.dim, p.rng);
        if let Some(index) = self.padding_idx {
            p.params[index * self.dim..][..self.dim].fill(T::zero());
        }
    }

    fn checks_inputs(&self) -> bool {
        true
    }

    fn check_inputs(&self, x: View<'_, T>) -> Result<()> {
        let wrong = |x: &T| self.index(*x).is_none();
        let Some(at) = x.as_slice().iter().position(wrong) else {
            return Ok(());
        };
        let (row, sample) = (at % x.rows(), at / x.rows());
        Err(Error::new(
            ErrorKind::Value,
            format!("row {row} of sample {sample}"),
            format!(
                "an index from 0 to {} (no scaler may change it: Scaling::None for a column of a \
                 table, shift 0 and scale 1 in a Scaler)",
                self.categories - 1
            ),
            x.as_slice()[at],
        ))
    }

    fn infer(&self, mut p: InferArgs<'_, T>) {
        let none = T::of(f64::NAN);
        let find = |x| self.index(x);
        self.look_up(p.params, p.x.as_slice(), p.y.as_mut_slice(), find, none);
    }

    fn backward(&self, p: BackwardArgs<'_, T>) {
        if let Some(mut dx) = p.dx {
            dx.as_mut_slice().fill(T::zero());
        }
    }

    fn gradient(&self, p: GradientArgs<'_, T>) {
        self.add_up(p.x.as_slice(), p.delta.as_slice(), p.grads, p.scratch);
    }

    /// ẏ is made of columns of Ė; ẋ does not matter.
    fn tangent(&self, mut p: TangentArgs<'_, T>) -> Result<()> {
        let (x, y_dot) = (p.x.as_slice(), p.y_dot.as_mut_slice());
        let find = |x| self.learned(x);
        self.look_up(p.params_dot, x, y_dot, find, T::zero());
        Ok(())
    }

    fn backward_tangent(&self, p: BackwardTangentArgs<'_, T>) -> Result<()> {
        let delta_dot = p.delta_dot.as_view();
        self.add_up(p.x.as_slice(), delta_dot.as_slice(), p.grads_dot, p.scratch);
        if let Some((mut dx, mut dx_dot)) = p.dx {
            dx.as_mut_slice().fill(T::zero());
            dx_dot.as_mut_slice().fill(T::zero());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::sequential::Sequential;

    fn build<T: Real>(layer: Embedding) -> Result<Sequential<T>> {
        Sequential::builder(2).layer(layer).seed(1).build()
    }

    #[test]
    fn settings() -> Result<()> {
        for (layer, text) in [
            (Embedding::new(0, 2), "got 0, expected at least 1 category"),
            (
                Embedding::new(2, 0),
                "got 0, expected vectors of at least 1",
            ),
            (
                Embedding::new(2, 1).padding_idx(2),
                "got 2, expected padding_idx below 2",
            ),
            (
                Embedding::new(2, usize::MAX),
                "expected vectors that fit into memory",
            ),
        ] {
            let error = build::<f64>(layer).expect_err(text).to_string();
            assert!(error.contains(text), "{error}");
        }
        let many = Embedding::new((1 << 24) + 1, 1);
        let error = build::<f32>(many).expect_err("too many").to_string();
        assert!(
            error.contains("categories that the scalar counts"),
            "{error}"
        );
        let net = build::<f64>(
            Embedding::new(4, 3)
                .init(Init::Constant(2.0))
                .padding_idx(1),
        )?;
        assert_eq!(net.params()[..6], [2.0, 2.0, 2.0, 0.0, 0.0, 0.0]);
        Ok(())
    }

    #[test]
    fn what_is_an_index() {
        let layer = Embedding::new(3, 1);
        for (x, index) in [
            (0.0, Some(0)),
            (-0.0, Some(0)),
            (2.0, Some(2)),
            (3.0, None),
            (-1.0, None),
            (0.5, None),
            (2.999_999_999, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
            (f64::MIN_POSITIVE, None),
            (1e300, None),
        ] {
            assert_eq!(layer.index(x), index, "{x}");
            let found = Layer::<f64>::check_inputs(&layer, View::from_parts(&[x], 1, 1));
            assert_eq!(found.is_ok(), index.is_some(), "{x}");
        }
    }

    /// A sum in `f32` that would lose the small terms first to last, and one that is infinite.
    #[test]
    fn sums_of_many() {
        let layer = Embedding::new(2, 1);
        let (n, mut sums) = (100_000, [f32::NAN; 2]);
        let x: Vec<f32> = (0..n).map(|i| (i % 2) as f32).collect();
        let mut dy = vec![0.1_f32; n];
        dy[0] = 3e6;
        layer.add_up(&x, &dy, &mut sums, &mut Scratch::default());
        let exact = (n / 2) as f64 * f64::from(0.1_f32);
        let near = |sum: f32, exact: f64| (f64::from(sum) - exact).abs() <= 1e-7 * exact;
        assert!(near(sums[0], 3e6 + exact - f64::from(0.1_f32)), "{sums:?}");
        assert!(near(sums[1], exact), "{sums:?}");
        dy[2] = f32::INFINITY;
        layer.add_up(&x, &dy, &mut sums, &mut Scratch::default());
        assert_eq!(sums[0], f32::INFINITY);
        assert!(near(sums[1], exact), "{sums:?}");
    }
}
