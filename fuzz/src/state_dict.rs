//! PyTorch's state dicts, into a network that is there: read as a whole, or left as it was.

use chainrule::nn::BatchNorm;
use chainrule::prelude::*;

fn net() -> Sequential<f32> {
    Sequential::builder(2)
        .layer(Dense::new(3, Activation::Tanh))
        .layer(BatchNorm::new())
        .layer(Dense::new(1, Activation::Linear))
        .seed(1)
        .build()
        .expect("a sound network")
}

pub(crate) fn run(bytes: &[u8]) {
    let mut read = net();
    if read.read_params(bytes).is_err() {
        assert_eq!(read, net());
    }
}
