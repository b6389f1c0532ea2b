//! Every activation, layer, loss and rule, in both scalars. `run` reads what it is compiled to;
//! nothing runs it.

use chainrule::Real;
use chainrule::nn::loss::*;
use chainrule::nn::*;
use chainrule::optim::*;
use chainrule::prelude::*;
use chainrule::train::{Lbfgs, LevenbergMarquardt, ScaledConjugateGradient};

macro_rules! layers {
    ($($file:ident::$layer:ident $(<$scalar:ident>)? { $($made:expr),+ })+) => {
        vec![$($(Sequential::builder(4).layer($made)),+),+]
    };
}

macro_rules! losses {
    ($($file:ident::$loss:ident { $($made:expr),+ })+) => {
        vec![$($(Box::new($made)),+),+]
    };
}

macro_rules! rules {
    ($($file:ident::$rule:ident { $($made:expr),+ })+) => {
        vec![$($(Box::new($made)),+),+]
    };
}

fn main() -> Result<()> {
    all::<f32>()?;
    all::<f64>()
}

fn all<T: Real>() -> Result<()> {
    let layers: Vec<Builder<T>> = chainrule::every_layer!(layers);
    let losses: Vec<Box<dyn Loss<T>>> = chainrule::every_loss!(losses);
    let rules: Vec<Box<dyn Optimizer<T>>> = chainrule::every_rule!(rules);

    let (x, t) = (DMatrix::zeros(4, 9), DMatrix::zeros(3, 9));
    let scaled = Scaler::standard(&x)?.transform(&x)?;
    let data = Dataset::new(scaled, t.clone())?;
    let mut tape = Tape::new().threads(2)?;
    for builder in layers {
        let mut net = builder.build()?;
        for activation in Activation::every() {
            activation.value(T::one());
            activation.derivative(T::one());
        }
        for loss in &losses {
            let v = vec![T::one(); net.params().len()];
            let mut product = v.clone();
            net.cost(&x, &t, &**loss, &mut tape)?;
            net.gradient(&x, &t, &**loss, &mut tape)?;
            net.hessian_product(&x, &t, &**loss, &v, &mut product, &mut tape)?;
        }
        LevenbergMarquardt::new().fit(&mut net, &data)?;
        Lbfgs::new(MeanSquaredError).fit(&mut net, &data)?;
        ScaledConjugateGradient::new(MeanSquaredError).fit(&mut net, &data)?;
        let mut y = net.predict(&x)?;
        OutputFunction::Softmax.apply(&mut y);
    }
    let mut net = Sequential::builder(4)
        .layer(Dense::new(3, Activation::Tanh))
        .build()?;
    for rule in rules {
        Trainer::new(MeanSquaredError, rule)
            .penalty(Penalty::new().l2(0.1))
            .clip(Clip::Norm(1.0))
            .threads(2)
            .fit(&mut net, &data)?;
    }
    Ok(())
}
