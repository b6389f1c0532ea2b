//! The layers of this crate, one a file.

/// [`Layer::shared`](crate::nn::layer::Layer::shared) of a layer of this crate: whoever makes an
/// object compiles its methods.
macro_rules! shared {
    ($layer:ident) => {
        fn shared(self) -> alloc::sync::Arc<dyn $crate::nn::layer::Layer<T>> {
            $crate::numeric::compiled::compiled_here!(
                T: |layer: $layer| -> alloc::sync::Arc<dyn $crate::nn::layer::Layer<T>> {
                    alloc::sync::Arc::new(layer)
                }
            )(self)
        }
    };
}

mod activation;
mod alpha_dropout;
mod batch_norm;
mod chain;
mod dense;
mod dropout;
mod embedding;
mod glu;
mod layer_norm;
mod log_softmax;
mod noise;
mod norm;
mod parallel;
mod prelu;
mod residual;
mod select;
mod smooth;
mod softmax;
mod unit_norm;

/// Every layer of this crate, in the one list that there is: calls the macro `then` with it.
///
/// A line is `file::Layer { the layer as it is made, and with options }`; `Layer<T>` is one that
/// holds layers for the scalar `T`. The layers are exported,
/// named in files and cast by it, and every test of layers goes through it. A new one goes last:
/// binary formats keep its place.
#[doc(hidden)]
#[macro_export]
macro_rules! every_layer {
    ($then:ident) => {
        $then! {
            dense::Dense {
                Dense::new(3, Activation::Tanh),
                Dense::new(3, Activation::Elu { alpha: 0.7 }).without_bias()
            }
            activation::Activation { Activation::Gelu, Activation::LeakyRelu { slope: 0.1 } }
            softmax::Softmax { Softmax }
            dropout::Dropout { Dropout::new(0.3) }
            alpha_dropout::AlphaDropout { AlphaDropout::new(0.1) }
            noise::GaussianNoise { GaussianNoise::new(1e-3) }
            layer_norm::LayerNorm { LayerNorm::new(), LayerNorm::new().eps(1e-7).without_bias() }
            layer_norm::RmsNorm { RmsNorm::new(), RmsNorm::new().eps(1e-6) }
            batch_norm::BatchNorm {
                BatchNorm::new(),
                BatchNorm::new().momentum(0.3).without_scale()
            }
            prelu::Prelu { Prelu::new(), Prelu::new().per_feature().slope(0.1 + 0.2) }
            log_softmax::LogSoftmax { LogSoftmax }
            layer_norm::GroupNorm { GroupNorm::new(2), GroupNorm::new(4).eps(0.1).without_bias() }
            unit_norm::UnitNorm { UnitNorm::l2(), UnitNorm::l1().eps(0.5), UnitNorm::max().eps(0.0) }
            glu::Glu { Glu::new(Activation::Sigmoid), Glu::new(Activation::Gelu) }
            chain::Chain<T> {
                Chain::new().layer(Activation::Tanh),
                Chain::new().layer(Dense::new(3, Activation::Tanh)).layer(LayerNorm::new())
            }
            residual::Residual<T> {
                Residual::new(Chain::new().layer(Activation::Gelu)),
                Residual::new(Dense::new(6, Activation::Tanh))
                    .projection(Dense::new(6, Activation::Linear).without_bias())
            }
            parallel::Parallel<T> {
                Parallel::new()
                    .branch(Chain::new().layer(RmsNorm::new()).layer(Activation::Silu))
                    .branch(Chain::new()),
                Parallel::new()
                    .branch(Residual::new(Prelu::new()))
                    .branch(Dropout::new(0.3))
                    .add()
            }
            select::Select { Select::rows([2, 0, 2, 1]), Select::rows(0..3) }
            embedding::Embedding {
                Embedding::new(3, 2),
                Embedding::new(5, 1).init(Init::Constant(0.5)).padding_idx(4)
            }
        }
    };
}

macro_rules! export {
    ($($file:ident::$layer:ident $(<$scalar:ident>)? { $($made:expr),+ })+) => {
        $(pub use $file::$layer;)+
    };
}
every_layer!(export);

mod built_in;
pub(crate) use built_in::BuiltIn;
#[cfg(any(feature = "onnx", feature = "safetensors"))]
pub(crate) use embedding::EMBEDDINGS;
#[cfg(feature = "onnx")]
pub(crate) use unit_norm::Length;
