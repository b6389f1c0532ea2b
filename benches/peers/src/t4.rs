//! The T4 network alone, in its shortest form: for the build time and the size of a program that
//! uses the crate.

use chainrule::prelude::*;

fn main() -> Result<()> {
    let x = DMatrix::from_fn(784, 4096, |i, j| ((i * 31 + j * 17) % 97) as f32 / 97.0);
    let data = Dataset::new(x, one_hot(&[0; 4096], 10)?)?;
    let mut net = Sequential::builder(784)
        .layer(Dense::new(128, Activation::Relu))
        .layer(Dense::new(10, Activation::Linear))
        .seed(1)
        .build()?;
    let history = Trainer::new(SoftmaxCrossEntropy::new(), Sgd::new())
        .epochs(1)
        .batch_size(32)
        .learning_rate(0.01)
        .fit(&mut net, &data)?;
    println!("{:?}", history.last());
    Ok(())
}
