//! The classical experiment: MNIST, by the network of M. Nielsen, *Neural Networks and Deep
//! Learning*, chapter 1.
//!
//! 784-30-10 sigmoid neurons, weights and biases from the normal distribution, quadratic cost,
//! plain stochastic gradient descent with η = 3.0 and mini-batches of 10, 30 epochs. The book
//! prints 95.42 % of the test images as its best epoch. `--modern` trains what one would take today
//! instead: 784-128-10, ReLU, softmax with cross-entropy, Adam.
//!
//! ```text
//! cargo run --release --features deflate --example mnist -- FOLDER [--modern] [--epochs N]
//! ```
//!
//! FOLDER holds the four files of the data set; without it the program says which, and where to get
//! them. Any set in the same format with images of the same size will do, such as Fashion-MNIST.

use chainrule::data::read_idx;
use chainrule::nn::loss::QuadraticCost;
use chainrule::prelude::*;
use std::error;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "\
usage: cargo run --release --features deflate --example mnist -- FOLDER [--modern] [--epochs N]

FOLDER must hold these four files, as they are or compressed (.gz, with the feature deflate):
    train-images-idx3-ubyte    train-labels-idx1-ubyte
    t10k-images-idx3-ubyte     t10k-labels-idx1-ubyte
They are the MNIST database of Y. LeCun, C. Cortes and C. Burges, which does not come with this
crate (http://yann.lecun.com/exdb/mnist/, license CC BY-SA 3.0). Copies are at
    https://ossci-datasets.s3.amazonaws.com/mnist/
    https://storage.googleapis.com/cvdf-datasets/mnist/";

const PIXELS: usize = 28 * 28;
const CLASSES: usize = 10;

fn main() -> ExitCode {
    let result = Options::read(std::env::args().skip(1)).and_then(|options| run(&options));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mnist: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    folder: PathBuf,
    modern: bool,
    epochs: Option<usize>,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn error::Error>> {
        let mut folder = None;
        let mut modern = false;
        let mut epochs = None;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--modern" => modern = true,
                "--epochs" => {
                    let number = arguments.next().unwrap_or_default();
                    epochs = Some(
                        number
                            .parse()
                            .map_err(|_| format!("--epochs wants a number, not {number:?}"))?,
                    );
                }
                flag if flag.starts_with('-') => {
                    return Err(format!("unknown option {flag}\n\n{USAGE}").into());
                }
                path if folder.is_none() => folder = Some(PathBuf::from(path)),
                other => {
                    return Err(format!("one folder only, what is {other:?}?\n\n{USAGE}").into());
                }
            }
        }
        let folder = folder.ok_or_else(|| format!("no folder given\n\n{USAGE}"))?;
        Ok(Self {
            folder,
            modern,
            epochs,
        })
    }
}

fn run(options: &Options) -> Result<(), Box<dyn error::Error>> {
    let train = read_set(&options.folder, "train")?;
    let test = read_set(&options.folder, "t10k")?;
    println!(
        "{} images to train on, {} for the test",
        train.len(),
        test.len()
    );

    let start = Instant::now();
    let (mut net, trainer) = if options.modern {
        let net = Sequential::<f32>::builder(PIXELS)
            .layer(Dense::new(128, Activation::Relu))
            .layer(Dense::new(CLASSES, Activation::Linear))
            .seed(1)
            .build()?;
        (
            net,
            Trainer::new(SoftmaxCrossEntropy::new(), Adam::new())
                .epochs(options.epochs.unwrap_or(10))
                .batch_size(64)
                .learning_rate(1e-3),
        )
    } else {
        let normal = Init::Normal {
            mean: 0.0,
            std: 1.0,
        };
        let net = Sequential::<f32>::builder(PIXELS)
            .layer(
                Dense::new(30, Activation::Sigmoid)
                    .init(normal)
                    .bias_init(normal),
            )
            .layer(
                Dense::new(CLASSES, Activation::Sigmoid)
                    .init(normal)
                    .bias_init(normal),
            )
            .seed(1)
            .build()?;
        (
            net,
            Trainer::new(QuadraticCost, Sgd::new())
                .epochs(options.epochs.unwrap_or(30))
                .batch_size(10)
                .learning_rate(3.0),
        )
    };
    println!("\n{net}\n");

    println!("epoch   training cost   test cost   test accuracy   seconds");
    // As in the book, the test images are looked at after every epoch. Nothing is chosen by them
    // but the best epoch to print; to choose anything else, keep a part of the training images
    // apart for validation.
    let mut trainer = trainer
        .validation_data(&test)
        .metric("accuracy", |y, t| metrics::accuracy(y, t))
        .on_epoch(|epoch, _| {
            let (cost, accuracy) = (
                epoch.validation_cost.unwrap_or(f64::NAN),
                epoch.metric("accuracy").unwrap_or(f64::NAN),
            );
            let (number, seconds) = (epoch.epoch + 1, start.elapsed().as_secs_f64());
            println!(
                "{number:>5}   {:>13.5}   {cost:>9.5}   {accuracy:>13.4}   {seconds:>7.1}",
                epoch.cost
            );
            ControlFlow::Continue(())
        });
    let history = trainer.fit(&mut net, &train)?;

    let accuracies = history
        .epochs
        .iter()
        .filter_map(|epoch| epoch.metric("accuracy"));
    if let Some((epoch, best)) = accuracies
        .enumerate()
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
    {
        println!("\nbest test accuracy: {best:.4}, after epoch {}", epoch + 1);
    }
    Ok(())
}

/// The images and labels of one part of the data set.
fn read_set(folder: &Path, part: &str) -> Result<Dataset<f32>, Box<dyn error::Error>> {
    let read = |name: &str| -> Result<DMatrix<f32>, Box<dyn error::Error>> {
        let path = folder.join(format!("{part}-{name}"));
        Ok(read_idx(&read_file(&path)?).map_err(|error| format!("{}: {error}", path.display()))?)
    };
    let (images, labels) = (read("images-idx3-ubyte")?, read("labels-idx1-ubyte")?);
    if images.nrows() != PIXELS {
        return Err(format!(
            "images of {part}: got {}, expected {PIXELS} pixels",
            images.nrows()
        )
        .into());
    }
    let labels: Vec<usize> = labels.iter().map(|label| *label as usize).collect();

    // 0 is white and 1 is black.
    let data = Dataset::new(images / 255.0, one_hot(&labels, CLASSES)?)
        .map_err(|error| format!("images and labels of {part}: {error}"))?;
    Ok(data)
}

/// Reads a file, or the compressed one of the same name.
fn read_file(path: &Path) -> Result<Vec<u8>, Box<dyn error::Error>> {
    let compressed = path.with_extension("gz");
    let Some(path) = [path, &compressed].into_iter().find(|path| path.exists()) else {
        return Err(format!("neither {0} nor {0}.gz is there\n\n{USAGE}", path.display()).into());
    };
    Ok(fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?)
}
