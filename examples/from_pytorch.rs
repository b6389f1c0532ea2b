//! A network that PyTorch has begun to train goes on here: read from its state dict, compared,
//! trained to the end and saved.
//!
//! `examples/from_pytorch.py` is the other half. It trains an `nn.Sequential` on handwritten digits
//! for five epochs, writes its state dict, which lies in `examples/data/`, and prints what the
//! network makes of three digits. Here the same numbers come out; then training goes on, with other
//! means, and the result becomes one model file with the scaling of the pixels in it. PyTorch can
//! read that file in turn.
//!
//! ```text
//! cargo run --release --features safetensors --example from_pytorch
//! ```

use chainrule::prelude::*;
use std::error;
use std::path::Path;

/// What the other half printed: the scores of the first three test digits.
const PRINTED: [[f32; 10]; 3] = [
    [
        -1.633727, -0.499178, -0.402142, -0.293824, -0.897993, 0.338223, -3.012283, 2.965724,
        1.409953, 0.799792,
    ],
    [
        -2.114337, -0.630215, -0.667783, -0.338158, -1.071536, 0.752183, -3.392833, 3.657615,
        1.404697, 0.954833,
    ],
    [
        -2.928743, 1.064138, 0.745196, 0.695178, -2.050832, 1.528754, -3.70212, 1.764471, 1.568902,
        0.786128,
    ],
];

fn main() -> Result<(), Box<dyn error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data");
    let digits = read(include_str!("data/digits.csv"))?;
    let (train, test) = (
        digits.select(&(0..1200).collect::<Vec<_>>())?,
        digits.select(&(1200..digits.len()).collect::<Vec<_>>())?,
    );

    // nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10))
    let mut net = Sequential::<f32>::builder(64)
        .layer(Dense::new(32, Activation::Relu))
        .layer(Dropout::new(0.2))
        .layer(Dense::new(10, Activation::Linear))
        .seed(1)
        .build()?;
    net.load_params(folder.join("from_pytorch.safetensors"))?;

    // Pixels from 0 to 16: PyTorch's half divided them in its own code, a model does it itself.
    let mut model = Model::new(net, Scaler::new(vec![0.0; 64], vec![16.0; 64])?, None)?;
    let scores = model.scores(test.inputs())?;
    println!("digit   score in PyTorch   and here");
    let mut worst = 0_f32;
    for (printed, here) in PRINTED.iter().zip(scores.column_iter()) {
        let (best, score) = here.argmax();
        println!("{best:>5}   {:>16.6}   {score:>8.6}", printed[best]);
        worst = printed.iter().zip(&here).fold(worst, |worst, (a, b)| {
            if (a - b).abs() <= worst {
                worst
            } else {
                (a - b).abs()
            }
        });
    }
    println!("\nlargest difference of the thirty scores: {worst:.0e}");
    if worst.is_nan() || worst > 1e-5 {
        return Err("PyTorch computes something else".into());
    }
    let accuracy = |model: &Model<f32>| metrics::accuracy(&model.predict(test.inputs())?, &test);
    println!(
        "accuracy on test digits as it comes: {:.4}",
        accuracy(&model)?
    );

    let mut trainer = Trainer::new(SoftmaxCrossEntropy::new(), Adam::new())
        .epochs(30)
        .batch_size(32)
        .learning_rate(2e-3);
    model.fit(&mut trainer, &train)?;
    println!(
        "after thirty epochs more:            {:.4}",
        accuracy(&model)?
    );

    model.metadata_mut().insert(
        "about".into(),
        "8 × 8 pixels from 0 to 16; probabilities of the digits 0 to 9".into(),
    );
    let path = std::env::temp_dir().join(format!(
        "chainrule-digits-{}.safetensors",
        std::process::id()
    ));
    model.save(&path)?;
    let loaded = Model::<f32>::load(&path)?;
    println!(
        "\nsaved, loaded and the same: {}",
        loaded == model && loaded.predict(test.inputs())? == model.predict(test.inputs())?
    );
    std::fs::remove_file(&path)?;
    Ok(())
}

/// 64 pixels and a digit a line.
fn read(csv: &str) -> Result<Dataset<f32>, Box<dyn error::Error>> {
    let (mut pixels, mut digits) = (Vec::new(), Vec::new());
    for line in csv.lines() {
        let (image, digit) = line.rsplit_once(',').ok_or("a line without a comma")?;
        for pixel in image.split(',') {
            pixels.push(pixel.parse()?);
        }
        digits.push(digit.parse()?);
    }
    let targets = one_hot(&digits, 10)?;
    Ok(Dataset::from_rows(&pixels, 64, targets.as_slice(), 10)?)
}
