//! The networks, the data and the trainers of the items, through chainrule's public API.

use crate::common::{self, Act, Loss, Spec};
use chainrule::nn::loss::SumSquaredError;
use chainrule::prelude::*;

pub(crate) fn network(spec: &Spec) -> Result<Sequential<f32>> {
    let last = spec.sizes.len() - 2;
    let mut builder = Sequential::builder(spec.sizes[0]);
    for (l, width) in spec.sizes[1..].iter().enumerate() {
        let activation = match spec.act {
            _ if l == last && spec.loss != Loss::Sse => Activation::Linear,
            Act::Sigmoid => Activation::Sigmoid,
            Act::Tanh => Activation::Tanh,
            Act::Relu => Activation::Relu,
        };
        builder = builder.layer(Dense::new(*width, activation));
    }
    builder.seed(1).build()
}

pub(crate) fn trainer<'a>(spec: &Spec) -> Trainer<'a, f32> {
    let trainer = match (spec.loss, spec.adam) {
        (Loss::Sse, false) => Trainer::new(SumSquaredError, Sgd::new()),
        (Loss::Mse, true) => Trainer::new(MeanSquaredError, Adam::new()),
        (Loss::Ce, false) => Trainer::new(SoftmaxCrossEntropy::new(), Sgd::new()),
        (Loss::Ce, true) => Trainer::new(SoftmaxCrossEntropy::new(), Adam::new()),
        (Loss::Bce, true) => Trainer::new(SigmoidCrossEntropy::new(), Adam::new()),
        other => unreachable!("no item has {other:?}"),
    };
    trainer.batch_size(spec.batch).learning_rate(spec.lr)
}

/// The samples of an item, as often as `repeats` says.
pub(crate) fn dataset(item: &str, spec: &Spec, repeats: usize) -> Result<Dataset<f32>> {
    let (x, targets, labels) = common::data(item);
    if labels.is_empty() {
        let (x, targets) = (x.repeat(repeats), targets.repeat(repeats));
        Dataset::from_rows(&x, spec.sizes[0], &targets, 1)
    } else {
        classes(x, spec, &labels)
    }
}

pub(crate) fn classes(x: Vec<f32>, spec: &Spec, labels: &[u32]) -> Result<Dataset<f32>> {
    let labels: Vec<usize> = labels.iter().map(|label| *label as usize).collect();
    Dataset::new(
        DMatrix::from_vec(spec.sizes[0], labels.len(), x),
        one_hot(&labels, spec.sizes[spec.sizes.len() - 1])?,
    )
}
