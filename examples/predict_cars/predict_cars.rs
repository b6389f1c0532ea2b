//! Predicts the consumption of cars by the model file that the example `cars` has written: all that
//! a program needs which only predicts. Cars that were not there in training, with a hole and with
//! an origin that is new.
//!
//! ```text
//! cargo run --release --features csv,plot,safetensors --example cars
//! cargo run --release -p predict_cars
//! ```

use chainrule::data::Csv;
use chainrule::prelude::*;

const CARS: &str = "\
cylinders,displacement,horsepower,weight,acceleration,year,origin
4,98,65,1950,17,1980,Japan
6,225,,3430,16,1975,USA
4,120,90,2400,15,1978,Korea";

fn main() -> Result<()> {
    let model = Model::<f64>::load("target/cars.safetensors")?;
    let cars = Csv::new()
        .categorical(["origin"])
        .read_table(CARS.as_bytes())?;
    print!("{}", model.predict_table(&cars)?.to_csv());
    Ok(())
}
