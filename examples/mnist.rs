//! The classical experiment: MNIST, by the network of M. Nielsen, *Neural Networks and Deep Learning*, chapter 1.
//!
//! 784-30-10 sigmoid neurons, weights and biases from the normal distribution, quadratic cost, plain stochastic gradient
//! descent with η = 3.0 and mini-batches of 10, 30 epochs. The book prints 95.42 % of the test images as its best epoch.
//! `--modern` trains what one would take today instead: 784-128-10, ReLU, softmax with cross-entropy, Adam.
//!
//! ```text
//! cargo run --release --example mnist -- FOLDER [--modern] [--epochs N]
//! ```
//!
//! FOLDER holds the four files of the data set; without it the program says which, and where to get them. Any set in the
//! same format with images of the same size will do, such as Fashion-MNIST.

use chainrule::prelude::*;
use flate2::read::GzDecoder;
use std::error;
use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "\
usage: cargo run --release --example mnist -- FOLDER [--modern] [--epochs N]

FOLDER must hold these four files, as they are or compressed (.gz):
    train-images-idx3-ubyte    train-labels-idx1-ubyte
    t10k-images-idx3-ubyte     t10k-labels-idx1-ubyte
They are the MNIST database of Y. LeCun, C. Cortes and C. Burges (http://yann.lecun.com/exdb/mnist/, licence
CC BY-SA 3.0), which does not come with this crate. Copies are at
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
        let (mut folder, mut modern, mut epochs) = (None, false, None);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--modern" => modern = true,
                "--epochs" => {
                    let number = arguments.next().unwrap_or_default();
                    epochs = Some(number.parse().map_err(|_| format!("--epochs wants a number, not {number:?}"))?);
                }
                flag if flag.starts_with('-') => return Err(format!("unknown option {flag}\n\n{USAGE}").into()),
                path if folder.is_none() => folder = Some(PathBuf::from(path)),
                other => return Err(format!("one folder only, what is {other:?}?\n\n{USAGE}").into()),
            }
        }
        let folder = folder.ok_or_else(|| format!("no folder given\n\n{USAGE}"))?;
        Ok(Self { folder, modern, epochs })
    }
}

fn run(options: &Options) -> Result<(), Box<dyn error::Error>> {
    let train = read_set(&options.folder, "train")?;
    let test = read_set(&options.folder, "t10k")?;
    println!("{} images to train on, {} for the test", train.len(), test.len());

    let start = Instant::now();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let (mut net, trainer) = if options.modern {
        let net = Sequential::<f32>::builder(PIXELS)
            .layer(Dense::new(128, Activation::Relu))
            .layer(Dense::new(CLASSES, Activation::Linear))
            .build(&mut rng)?;
        (net, Trainer::new(SoftmaxCrossEntropy::new(), Adam::new()).epochs(options.epochs.unwrap_or(10)).batch(64).rate(1e-3))
    } else {
        let normal = Init::Normal { mean: 0.0, std: 1.0 };
        let net = Sequential::<f32>::builder(PIXELS)
            .layer(Dense::new(30, Activation::Sigmoid).init(normal).bias_init(normal))
            .layer(Dense::new(CLASSES, Activation::Sigmoid).init(normal).bias_init(normal))
            .build(&mut rng)?;
        (net, Trainer::new(QuadraticCost, Sgd::new()).epochs(options.epochs.unwrap_or(30)).batch(10).rate(3.0))
    };
    println!("\n{net}\n");

    println!("epoch   training cost   test cost   test accuracy   seconds");
    // As in the book, the test images are looked at after every epoch. Nothing is chosen by them but the best epoch to
    // print; to choose anything else, keep a part of the training images apart for validation.
    let mut trainer = trainer.validation(&test).metric("accuracy", metrics::accuracy).on_epoch(|epoch| {
        let (cost, accuracy) = (epoch.validation.unwrap_or(f64::NAN), epoch.metric("accuracy").unwrap_or(f64::NAN));
        let (number, seconds) = (epoch.epoch + 1, start.elapsed().as_secs_f64());
        println!("{number:>5}   {:>13.5}   {cost:>9.5}   {accuracy:>13.4}   {seconds:>7.1}", epoch.cost);
        ControlFlow::Continue(())
    });
    let history = trainer.fit(&mut net, &train)?;

    let accuracies = history.epochs.iter().filter_map(|epoch| epoch.metric("accuracy"));
    if let Some((epoch, best)) = accuracies.enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b)) {
        println!("\nbest test accuracy: {best:.4}, after epoch {}", epoch + 1);
    }
    Ok(())
}

/// The images and labels of one part of the data set.
fn read_set(folder: &Path, part: &str) -> Result<Dataset<f32>, Box<dyn error::Error>> {
    let (shape, pixels) = read_idx::<3>(&folder.join(format!("{part}-images-idx3-ubyte")))?;
    if shape[1..] != [28, 28] {
        return Err(format!("images of {part}: expected 28 × 28 pixels, got {} × {}", shape[1], shape[2]).into());
    }
    let (_, labels) = read_idx::<1>(&folder.join(format!("{part}-labels-idx1-ubyte")))?;
    let labels: Vec<usize> = labels.into_iter().map(usize::from).collect();

    // 0 is white and 1 is black. The file has image after image, as a matrix of samples as columns has.
    let inputs = View::new(&pixels, PIXELS)?.matrix().map(|pixel| f32::from(pixel) / 255.0);
    let data = Dataset::new(inputs, one_hot(&labels, CLASSES)?).map_err(|error| format!("images and labels of {part}: {error}"))?;
    Ok(data)
}

/// Reads a file in the IDX format: the bytes 0, 0, 8 (for unsigned bytes) and the number of dimensions, the dimensions as
/// big-endian 32-bit numbers, and the data, the last dimension running fastest.
fn read_idx<const DIMENSIONS: usize>(path: &Path) -> Result<([usize; DIMENSIONS], Vec<u8>), Box<dyn error::Error>> {
    let bytes = read_file(path)?;
    let wrong = |expected: String, given: String| format!("{}: expected {expected}, got {given}", path.display());

    let magic = [0, 0, 8, DIMENSIONS as u8];
    let (header, data) =
        bytes.split_at_checked(4 * (1 + DIMENSIONS)).ok_or_else(|| wrong("an IDX header".into(), format!("{} bytes", bytes.len())))?;
    if header[..4] != magic {
        return Err(wrong(format!("an IDX file that starts with {magic:?}"), format!("{:?}", &header[..4])).into());
    }
    let mut shape = [0; DIMENSIONS];
    for (size, bytes) in shape.iter_mut().zip(header[4..].chunks_exact(4)) {
        *size = usize::try_from(u32::from_be_bytes(bytes.try_into()?))?;
    }
    if shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size)) != Some(data.len()) {
        return Err(wrong(format!("{shape:?} bytes of data"), data.len().to_string()).into());
    }
    Ok((shape, data.to_vec()))
}

/// Reads a file, or the compressed one of the same name.
fn read_file(path: &Path) -> Result<Vec<u8>, Box<dyn error::Error>> {
    let mut compressed = path.as_os_str().to_owned();
    compressed.push(".gz");
    let compressed = PathBuf::from(compressed);
    let mut bytes = Vec::new();
    let result = if path.exists() {
        File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
    } else if compressed.exists() {
        File::open(&compressed).and_then(|file| GzDecoder::new(BufReader::new(file)).read_to_end(&mut bytes))
    } else {
        return Err(format!("neither {0} nor {0}.gz is there\n\n{USAGE}", path.display()).into());
    };
    result.map_err(|error| format!("{}: {error}", if path.exists() { path } else { &compressed }.display()))?;
    Ok(bytes)
}
