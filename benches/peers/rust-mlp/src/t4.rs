//! The T4 program alone (binary size, shortest form).
use rust_mlp::{Activation, Dataset, FitConfig, Loss, MlpBuilder, Result};

fn main() -> Result<()> {
    let x = (0..784 * 4096).map(|i| (i * 31 % 97) as f32 / 97.0);
    let t = (0..10 * 4096).map(|i| (i % 10 == 0) as u8 as f32);
    let data = Dataset::from_flat(x.collect(), t.collect(), 784, 10)?;
    let mut net = MlpBuilder::new(784)?
        .add_layer(128, Activation::ReLU)?
        .add_layer(10, Activation::Identity)?
        .build_with_seed(1)?;
    let config = FitConfig {
        epochs: 1,
        lr: 0.1,
        batch_size: 32,
        loss: Loss::SoftmaxCrossEntropy,
        ..FitConfig::default()
    };
    println!("{:?}", net.fit(&data, None, config)?.epochs);
    Ok(())
}
