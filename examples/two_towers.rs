//! Species and weight of a penguin at once: a tower for words, one for numbers, and two heads.
//!
//! Words are indices, of which each `Embedding` learns a vector per word; one that is missing has a
//! vector, too. Numbers go through a layer with a skip around it. Both towers are branches of one
//! network, whose last layer answers two questions: which of three species the bird is of, and how
//! heavy it is. The weight is not among the inputs. Birds without a weight are left out.
//!
//! ```text
//! cargo run --release --features csv --example two_towers
//! ```

use chainrule::data::{Csv, Encoder, Encoding, Fill, Scaling, Table};
use chainrule::nn::loss::Heads;
use chainrule::nn::{Chain, Embedding, LayerNorm, Parallel, Residual, Select};
use chainrule::prelude::*;

/// Islands and sexes that there are, and one place for a hole.
const ISLANDS: usize = 3;
const SEXES: usize = 2;

fn main() -> Result<()> {
    let penguins = Csv::new()
        .categorical(["species", "island", "sex"])
        .read_table_file("examples/data/penguins.csv")?
        .drop_missing(["body_mass_g"])?;
    let (train, test) = penguins.stratified_split("species", 0.7, 1)?;

    // Indices stay as they are; holes get the index behind the last.
    let index = |holes: usize| {
        let fill = Fill::Constant(holes as f64);
        Encoding::new().index().fill(fill).scaling(Scaling::None)
    };
    let encoder = Encoder::builder()
        .target("species")
        .target("body_mass_g")
        .inputs([
            "island",
            "sex",
            "bill_length_mm",
            "bill_depth_mm",
            "flipper_length_mm",
        ])
        .fill(Fill::Median)
        .column("island", index(ISLANDS))
        .column("sex", index(SEXES))
        .fit(&train)?;

    let words = Parallel::new()
        .branch(
            Chain::new()
                .layer(Select::rows([0]))
                .layer(Embedding::new(ISLANDS + 1, 2)),
        )
        .branch(
            Chain::new()
                .layer(Select::rows([1]))
                .layer(Embedding::new(SEXES + 1, 2)),
        );
    let body = Chain::new()
        .layer(LayerNorm::new())
        .layer(Dense::new(16, Activation::Relu))
        .layer(Dense::new(8, Activation::Linear));
    let numbers = Chain::new()
        .layer(Select::rows(2..5))
        .layer(Dense::new(8, Activation::Linear))
        .layer(Residual::new(body));
    let net = Sequential::<f32>::builder(encoder.inputs())
        .layer(Parallel::new().branch(words).branch(numbers))
        .layer(Dense::new(encoder.outputs(), Activation::Linear))
        .seed(1)
        .build()?;
    println!("{net}\n");

    let loss = Heads::new()
        .head("species", 3, SoftmaxCrossEntropy::new())
        .head("body_mass_g", 1, MeanSquaredError);
    let mut trainer = Trainer::new(loss, Adam::new())
        .epochs(100)
        .learning_rate(0.01)
        .seed(1);
    let mut model = Model::with_encoder(net, encoder)?;
    let data = model.dataset(&train)?;
    model.fit(&mut trainer, &data)?;

    let held_out = model.dataset(&test)?;
    let species = model.predict_head("species", held_out.inputs())?;
    let mass = model.predict_head("body_mass_g", held_out.inputs())?;
    let (classes, masses) = (held_out.targets().rows(0, 3), held_out.targets().rows(3, 1));
    println!(
        "{} birds held out: species right of {:.1} %, weight off by {:.0} g on average\n",
        test.len(),
        100.0 * metrics::accuracy(&species, &classes.clone_owned())?,
        metrics::mean_absolute_error(&mass, &masses.clone_owned())?
    );

    // A bird of which no sex is known.
    let bird = Table::new()
        .with_categories("island", ["Biscoe"])?
        .with_categories("sex", [None])?
        .with_numbers("bill_length_mm", [46.0])?
        .with_numbers("bill_depth_mm", [14.5])?
        .with_numbers("flipper_length_mm", [215.0])?;
    print!("{}", model.predict_table(&bird)?.to_csv());
    Ok(())
}
