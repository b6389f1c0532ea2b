//! A classifier that leaves home: trained here, run by onnxruntime.
//!
//! Flowers told apart by four lengths. The file holds the scaler of the inputs and the softmax of
//! the loss, so that whoever runs it gives centimetres and gets probabilities, and the names of the
//! classes as metadata. The other half, in Python, runs it and prints the same numbers:
//!
//! ```text
//! cargo run --release --features csv,onnx --example to_onnx
//! pip install onnxruntime numpy
//! python examples/to_onnx.py
//! ```
//!
//! The data are R. A. Fisher's irises (1936), from the UCI Machine Learning Repository.

use chainrule::View;
use chainrule::data::Csv;
use chainrule::io::Onnx;
use chainrule::prelude::*;
use std::path::Path;
use std::{error, fs};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/iris.onnx");
/// Three flowers of the test part, one of each species; the Python half has the same.
const FLOWERS: [[f32; 4]; 3] = [
    [5.1, 3.5, 1.4, 0.2],
    [6.1, 2.9, 4.7, 1.4],
    [6.3, 3.3, 6.0, 2.5],
];

fn main() -> Result<(), Box<dyn error::Error>> {
    let table = Csv::new()
        .labels("species")
        .read::<f32>(include_bytes!("data/iris.csv").as_slice())?;
    let (train, test) = table.data.stratified_split(0.7, 1)?;

    let net = Sequential::builder(train.features())
        .layer(Dense::new(16, Activation::Gelu))
        .layer(Dropout::new(0.2))
        .layer(Dense::new(3, Activation::Linear))
        .seed(1)
        .build()?;
    let mut model =
        Model::new(net, Scaler::standard(train.inputs())?, None)?.with_classes(&table.outputs)?;
    model.fit(
        &mut Trainer::new(SoftmaxCrossEntropy::new(), Adam::new())
            .epochs(100)
            .learning_rate(0.005),
        &train,
    )?;
    let accuracy = metrics::accuracy(&model.predict(test.inputs())?, test.targets())?;
    println!("accuracy on flowers not seen before: {accuracy:.3}\n");

    fs::create_dir_all(Path::new(FILE).with_file_name(""))?;
    Onnx::new().save(&model, FILE)?;

    let flowers = View::new(FLOWERS.as_flattened(), 4)?;
    println!("{:>27}", table.outputs.join("  "));
    for (sample, class) in model
        .predict(flowers)?
        .column_iter()
        .zip(model.predict_classes(flowers)?)
    {
        println!(
            "{}  {class}",
            sample
                .iter()
                .map(|p| format!("{p:9.6}"))
                .collect::<String>()
        );
    }
    println!("\nThe same from Python: python examples/to_onnx.py");
    Ok(())
}
