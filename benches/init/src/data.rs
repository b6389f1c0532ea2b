//! The data sets: small parts of real ones, and three that are computed.

use crate::AnyResult;
use chainrule::data::{Csv, NamedDataset, read_idx};
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{RngExt, SeedableRng};
use flate2::read::GzDecoder;
use std::f32::consts::PI;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Samples of one set that take part, for training and test together.
const SAMPLES: usize = 400;

pub struct Set {
    pub name: &'static str,
    pub classes: bool,
    data: Dataset<f32>,
}

impl Set {
    /// The training part (70 %) and the test part, standardized by the training part.
    pub fn split(&self, seed: u64) -> Result<(Dataset<f32>, Dataset<f32>)> {
        let fraction = SAMPLES as f64 / self.data.len() as f64;
        let some = if fraction < 1.0 {
            self.data.split(fraction, seed)?.0
        } else {
            self.data.clone()
        };
        let (train, test) = if self.classes {
            some.stratified_split(0.7, seed)?
        } else {
            some.split(0.7, seed)?
        };
        let inputs = Scaler::standard(train.inputs())?;
        let targets = if self.classes {
            None
        } else {
            Some(Scaler::standard(train.targets())?)
        };
        let standardize = |part: Dataset<f32>| -> Result<Dataset<f32>> {
            let part = part.map_inputs(|x| inputs.transform(&x))?;
            match &targets {
                None => Ok(part),
                Some(scaler) => part.map_targets(|t| scaler.transform(&t)),
            }
        };
        Ok((standardize(train)?, standardize(test)?))
    }
}

/// Ten sets of 2 to 784 inputs; `mnist` is a folder with MNIST's four files, gzipped.
pub fn sets(mnist: &Path) -> AnyResult<Vec<Set>> {
    let classes = |name, data| Set {
        name,
        classes: true,
        data,
    };
    let numbers = |name, data| Set {
        name,
        classes: false,
        data,
    };
    let data = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data"));
    let read = |file: &str, csv: Csv| -> Result<Dataset<f32>> {
        let table: NamedDataset<f32> = csv.read_file(data.join(file))?;
        Ok(table.data)
    };
    let labels = |column: &str| Csv::new().labels(column);
    Ok(vec![
        classes("spirals", spirals()?),
        numbers("waves", waves()?),
        classes("iris", read("iris.csv", labels("species"))?),
        numbers(
            "diabetes",
            read("diabetes.csv", Csv::new().targets(["progression"]))?,
        ),
        numbers("friedman", friedman()?),
        numbers(
            "wine quality",
            read("winequality-red.csv", Csv::new().targets(["quality"]))?,
        ),
        classes("wine", read("wine.csv", Csv::new().labels(13))?),
        classes(
            "breast cancer",
            read("breast_cancer.csv", Csv::new().labels(30))?,
        ),
        classes(
            "digits",
            read("digits.csv", Csv::new().no_header().labels(64))?,
        ),
        classes("mnist", digits(mnist)?),
    ])
}

/// Two arms that wind once around each other.
fn spirals() -> Result<Dataset<f32>> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let labels: Vec<usize> = (0..400).map(|i| i % 2).collect();
    let mut inputs = DMatrix::zeros(2, labels.len());
    for (label, mut point) in labels.iter().zip(inputs.column_iter_mut()) {
        let t: f32 = rng.random();
        let angle = 2.0 * PI * t + PI * *label as f32;
        let mut noise = || 0.1 * (rng.random::<f32>() - 0.5);
        point[0] = (0.1 + t) * angle.cos() + noise();
        point[1] = (0.1 + t) * angle.sin() + noise();
    }
    Dataset::new(inputs, one_hot(&labels, 2)?)
}

/// sin 3x · cos 2y on [−1, 1]², with noise.
fn waves() -> Result<Dataset<f32>> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
    let x = DMatrix::from_fn(2, 400, |_, _| rng.random_range(-1.0_f32..1.0));
    let y = DMatrix::from_fn(1, 400, |_, j| {
        (3.0 * x[(0, j)]).sin() * (2.0 * x[(1, j)]).cos() + rng.random_range(-0.1..0.1)
    });
    Dataset::new(x, y)
}

/// Friedman's first: 10 sin πx₁x₂ + 20(x₃ − ½)² + 10x₄ + 5x₅ of ten inputs on [0, 1], with noise
/// (Friedman 1991).
fn friedman() -> Result<Dataset<f32>> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    let x = DMatrix::from_fn(10, 400, |_, _| rng.random::<f32>());
    let y = DMatrix::from_fn(1, 400, |_, j| {
        let bends = 10.0 * (PI * x[(0, j)] * x[(1, j)]).sin() + 20.0 * (x[(2, j)] - 0.5).powi(2);
        bends + 10.0 * x[(3, j)] + 5.0 * x[(4, j)] + rng.random_range(-1.0..1.0)
    });
    Dataset::new(x, y)
}

/// The first 3,000 digits of MNIST's training part.
fn digits(folder: &Path) -> AnyResult<Dataset<f32>> {
    let read = |name: &str| -> AnyResult<DMatrix<f32>> {
        let path = folder.join(format!("train-{name}.gz"));
        let mut bytes = Vec::new();
        let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        GzDecoder::new(file).read_to_end(&mut bytes)?;
        Ok(read_idx(&bytes)?)
    };
    let (images, labels) = (read("images-idx3-ubyte")?, read("labels-idx1-ubyte")?);
    let labels: Vec<usize> = labels
        .iter()
        .take(3000)
        .map(|label| *label as usize)
        .collect();
    Ok(Dataset::new(
        images.columns(0, labels.len()).into_owned(),
        one_hot(&labels, 10)?,
    )?)
}
