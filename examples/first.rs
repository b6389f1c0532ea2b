//! The first program of the README: it recognizes handwritten digits.
//!
//! ```text
//! cargo run --release --features csv --example first
//! ```
//!
//! `examples/data/NOTICE.md` says where the digits come from.

use chainrule::data::Csv;
use chainrule::prelude::*;

fn main() -> Result<()> {
    let path = "examples/data/digits.csv"; // 1797 images: 64 pixels, then the digit
    let digits = Csv::new().no_header().labels(64).read_file::<f32>(path)?;
    let (train, test) = digits.data.split(0.7, 1)?;
    let net = Sequential::builder(64)
        .layer(Dense::new(128, Activation::Relu))
        .layer(Dense::new(10, Activation::Linear)) // scores: the softmax belongs to the loss
        .seed(1)
        .build()?;
    let mut model = Model::new(net, Scaler::standard(train.inputs())?, None)?;
    let mut trainer = Trainer::new(SoftmaxCrossEntropy::new(), Adam::new()).epochs(30);
    model.fit(&mut trainer, &train)?;

    let probabilities = model.predict(test.inputs())?; // a column for each image
    let accuracy = metrics::accuracy(&probabilities, &test)?;
    println!("accuracy on {} new images: {accuracy:.3}", test.len());
    let class = metrics::classes(&probabilities)?[0];
    let first = probabilities.column(0);
    println!("the first is a {class}: {:.3?}", first.as_slice());
    Ok(())
}
