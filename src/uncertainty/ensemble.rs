//! Several models that predict together.

use super::predictions::{Predictions, average, root_of_squares, spread};
use crate::data::{Dataset, Encoder, Rows, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::ground::divide::divide;
use crate::metrics;
use crate::numeric::bounds::{not_empty, some};
use crate::numeric::random::{Purpose, derive, one_of};
use crate::numeric::real::Real;
use crate::numeric::view::View;
use crate::train::Model;
use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use core::ops::ControlFlow;
use nalgebra::DMatrix;

/// Several models of the same task, each trained from another seed or on another sample of the
/// data, which predict together. Their mean is better than most of them, and their disagreement
/// says where not to trust it (Lakshminarayanan, Pritzel & Blundell 2017: "deep ensembles"). Five
/// are enough for most purposes.
///
/// Members may be of different layers, but have the same inputs, outputs, output function, names of
/// classes and [encoder](Model::encoder). Each has scalers of its own.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::uncertainty::Ensemble;
/// // A sine, seen on the left and on the right.
/// let x = DMatrix::from_fn(1, 40, |_, j| j as f64 * 0.05 + if j < 20 { -2.0 } else { 0.0 });
/// let data = Dataset::new(x.clone(), x.map(|x| (2.0 * x).sin()))?;
/// let ensemble = Ensemble::train(5, 2, |seed| {
///     let net = Sequential::builder(1)
///         .layer(Dense::new(20, Activation::Tanh))
///         .layer(Dense::new(1, Activation::Linear))
///         .seed(seed)
///         .build()?;
///     let mut model = Model::from(net);
///     let mut trainer = Trainer::new(MeanSquaredError, Adam::new())
///         .learning_rate(0.01)
///         .epochs(300)
///         .seed(seed);
///     model.fit(&mut trainer, &data)?;
///     Ok(model)
/// })?;
/// let y = ensemble.predict(&DMatrix::from_row_slice(1, 2, &[-1.5, 4.0]))?;
/// let deviation = y.deviation();
/// // Among the data, and far from them.
/// assert!(deviation[0] < 0.2 && deviation[1] > 2.0 * deviation[0]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
#[doc(alias(
    "DeepEnsemble",
    "BaggingRegressor",
    "BaggingClassifier",
    "VotingClassifier",
    "committee"
))]
pub struct Ensemble<T: Real> {
    /// At least one.
    members: Vec<Model<T>>,
}

impl<T: Real> Ensemble<T> {
    /// These models as one.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without a member; [`ErrorKind::Shape`] and
    /// [`ErrorKind::Incompatible`] when a member has other inputs, outputs, output function, names
    /// of classes or another encoder than the first.
    pub fn new(members: impl IntoIterator<Item = Model<T>>) -> Result<Self> {
        Self::of("Ensemble::new", members.into_iter().collect())
    }

    fn of(place: &str, members: Vec<Model<T>>) -> Result<Self> {
        not_empty(place, "at least 1 member", members.len())?;
        let first = &members[0];
        let error = |kind, member: usize, what: &str, expected: String, given: String| {
            let place = format!("{what} of member {member} of {place}");
            let expected = format!("{expected}, as the first has");
            Err(Error::new(kind, place, expected, given))
        };
        for (index, member) in members.iter().enumerate() {
            for (what, expected, given) in [
                ("inputs", first.net().inputs(), member.net().inputs()),
                ("outputs", first.net().outputs(), member.net().outputs()),
            ] {
                if given != expected {
                    let given = format!("{given}");
                    return error(ErrorKind::Shape, index, what, format!("{expected}"), given);
                }
            }
            let (expected, given) = (first.output_function(), member.output_function());
            let kind = ErrorKind::Incompatible;
            if given != expected {
                let given = format!("{given}");
                return error(kind, index, "output function", format!("{expected}"), given);
            }
            if member.classes() != first.classes() {
                let classes = |model: &Model<T>| match model.classes() {
                    Some(names) => format!("{names:?}"),
                    None => "no names".into(),
                };
                return error(kind, index, "classes", classes(first), classes(member));
            }
            if member.encoder() != first.encoder() {
                let given = match member.encoder() {
                    Some(_) => "an encoder",
                    None => "none",
                };
                let expected = match first.encoder() {
                    Some(_) => "the same encoder (fitted once, on all data)",
                    None => "no encoder",
                };
                return error(kind, index, "encoder", expected.into(), given.into());
            }
        }
        Ok(Self { members })
    }

    /// Trains `count` members on `threads` threads, of which the caller's is one. `fit` is given a
    /// seed, which is the number of the member, 0, 1, …, for initial weights and shuffles, and
    /// returns a trained model. The members have the same bits for any number of threads.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for a count of 0 and a number of threads that cannot be; what `fit`
    /// returns, with the number of its member; those of [`new`](Self::new).
    pub fn train(
        count: usize,
        threads: usize,
        fit: impl Fn(u64) -> Result<Model<T>> + Sync,
    ) -> Result<Self> {
        let place = "Ensemble::train";
        let members = members(place, count, threads, |index| fit(index as u64))?;
        Self::of(place, members)
    }

    /// Trains as [`train`](Self::train), each member on a sample of the data of its own: as many
    /// samples as there are, drawn at random, of which some are there several times and some never
    /// (Breiman 1996: "bagging"). `fit` is given the sample and a seed, both functions of `seed`
    /// and the number of the member. What is learned from data, scalers among it, may be learned
    /// from the sample.
    ///
    /// Networks that start from other weights differ already. Samples make them differ more, and
    /// each has 37 % less of the data to learn from: [`train`](Self::train) predicts better, as a
    /// rule.
    ///
    /// # Errors
    /// As [`train`](Self::train).
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::uncertainty::Ensemble;
    /// let x = DMatrix::from_fn(1, 30, |_, j| j as f64 / 10.0);
    /// let data = Dataset::new(x.clone(), x.map(|x| 2.0 * x + (9.0 * x).sin()))?;
    /// let lines = Ensemble::bootstrap(&data, 10, 1, 1, |sample, seed| {
    ///     let net = Sequential::builder(1).layer(Dense::new(1, Activation::Linear));
    ///     let mut model = Model::from(net.seed(seed).build()?);
    ///     let mut trainer = Trainer::new(MeanSquaredError, Adam::new());
    ///     model.fit(&mut trainer.learning_rate(0.1).epochs(100).seed(seed), &sample)?;
    ///     Ok(model)
    /// })?;
    /// let slopes = lines.members().iter().map(|line| line.net().params()[0]);
    /// assert!(slopes.clone().all(|slope| (1.0..3.0).contains(&slope)));
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias("bagging"))]
    pub fn bootstrap(
        data: &Dataset<T>,
        count: usize,
        seed: u64,
        threads: usize,
        fit: impl Fn(Dataset<T>, u64) -> Result<Model<T>> + Sync,
    ) -> Result<Self> {
        let place = "Ensemble::bootstrap";
        let samples = data.len() as u64;
        let one = |index: usize| {
            let seed = derive(seed, Purpose::Member, index as u64);
            let draws = derive(seed, Purpose::Sample, 0);
            let drawn: Vec<usize> = (0..samples)
                .map(|draw| one_of(draws, draw, samples) as usize)
                .collect();
            fit(data.pick(&drawn), seed)
        };
        Self::of(place, members(place, count, threads, one)?)
    }

    /// The members.
    pub fn members(&self) -> &[Model<T>] {
        &self.members
    }

    /// The members, to be changed or kept elsewhere.
    pub fn into_members(self) -> Vec<Model<T>> {
        self.members
    }

    /// What each member predicts for a batch, by [`Model::predict`].
    ///
    /// # Errors
    /// As [`Model::predict`].
    pub fn predict<'x>(&self, x: impl Into<View<'x, T>>) -> Result<Predictions<T>> {
        let x = x.into();
        let predict = |member: &Model<T>| member.predict(x);
        let members = self.members.iter().map(predict).collect::<Result<_>>()?;
        Ok(Predictions::new(&self.members[0], members))
    }

    /// The name of the class of each sample that is most probable in the mean of the members.
    ///
    /// # Errors
    /// As [`Model::predict_classes`].
    pub fn predict_classes<'x>(&self, x: impl Into<View<'x, T>>) -> Result<Vec<&str>> {
        let place = "Ensemble::predict_classes";
        let names = self.members[0].class_names(place)?;
        let classes = metrics::classes(&self.predict(x)?.mean());
        let classes = classes.map_err(|error| error.within(place))?;
        Ok(classes.into_iter().map(|class| &*names[class]).collect())
    }

    /// What makes inputs of the rows of a table, if the members [have it](Model::with_encoder).
    pub fn encoder(&self) -> Option<&Encoder> {
        self.members[0].encoder()
    }

    /// Predictions for the rows of a table, from those of the members by [`Model::predict_table`].
    /// Of each column of numbers there is the mean, and as `y (deviation)` the standard deviation:
    /// among the members, and where they predict deviations of their own, of the
    /// [mixture](Predictions::gaussian). Of classes there are the means of the probabilities, and
    /// the most probable.
    ///
    /// # Errors
    /// As [`Model::predict_table`].
    ///
    /// ```
    /// use chainrule::data::{Encoder, Table};
    /// use chainrule::prelude::*;
    /// use chainrule::uncertainty::Ensemble;
    /// let cars = Table::new()
    ///     .with_numbers("weight", [3504.0, 2372.0, 2130.0, 4341.0])?
    ///     .with_numbers("mpg", [18.0, 24.0, 27.0, 15.0])?;
    /// let encoder = Encoder::builder().target("mpg").fit(&cars)?;
    /// let data = encoder.dataset(&cars)?;
    /// let ensemble = Ensemble::<f64>::train(3, 1, |seed| {
    ///     let net = Sequential::builder(encoder.inputs())
    ///         .layer(Dense::new(4, Activation::Tanh))
    ///         .layer(Dense::new(encoder.outputs(), Activation::Linear))
    ///         .seed(seed)
    ///         .build()?;
    ///     let mut model = Model::with_encoder(net, encoder.clone())?;
    ///     let mut trainer = Trainer::new(MeanSquaredError, Adam::new()).seed(seed);
    ///     model.fit(&mut trainer.epochs(200).learning_rate(0.05), &data)?;
    ///     Ok(model)
    /// })?;
    /// let found = ensemble.predict_table(&Table::new().with_numbers("weight", [3000.0])?)?;
    /// assert_eq!(found.columns().collect::<Vec<_>>(), ["mpg", "mpg (deviation)"]);
    /// assert!((15.0..27.0).contains(&found.numbers("mpg")?[0]));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn predict_table<'r>(&self, rows: impl Into<Rows<'r>>) -> Result<Table> {
        let rows = rows.into();
        let tables = self.members.iter().map(|member| member.predict_table(rows));
        let tables = tables.collect::<Result<Vec<_>>>()?;
        // Of two classes of one probability, the second is the one from ½ on.
        let single = self.members[0].net().outputs() == 1;
        together(&tables, single)
    }

    /// The same members for another scalar, by [`Model::cast`].
    ///
    /// # Errors
    /// As [`Model::cast`].
    pub fn cast<U: Real>(&self) -> Result<Ensemble<U>> {
        let members = self.members.iter().map(Model::cast);
        let members = members.collect::<Result<_>>()?;
        Ok(Ensemble { members })
    }
}

/// The predictions of all members.
fn together(tables: &[Table], single: bool) -> Result<Table> {
    let columns: Vec<&str> = tables[0].columns().collect();
    let all = |column: &str| {
        let of_member = |table: &Table| {
            let numbers = table.numbers(column)?.to_vec();
            Ok(DMatrix::from_vec(1, numbers.len(), numbers))
        };
        tables.iter().map(of_member).collect::<Result<Vec<_>>>()
    };
    let row = |numbers: DMatrix<f64>| numbers.as_slice().to_vec();
    let mut table = Table::new();
    let mut rest = &columns[..];
    while let [column, others @ ..] = rest {
        rest = others;
        if tables[0].numbers(column).is_ok() {
            let deviation = format!("{column} (deviation)");
            let (means, own) = (all(column)?, rest.first() == Some(&&*deviation));
            let spread = if own {
                rest = &rest[1..];
                let noise = root_of_squares(&all(&deviation)?);
                noise.zip_map(&spread(&means), libm::hypot)
            } else {
                spread(&means)
            };
            table = table
                .with_numbers(*column, row(average(&means)))?
                .with_numbers(deviation, row(spread))?;
            continue;
        }
        let classes = format!("{column}=");
        let count = rest.iter().take_while(|name| name.starts_with(&classes));
        let (of_classes, after) = rest.split_at(count.count());
        rest = after;
        let means = of_classes.iter().map(|name| Ok(average(&all(name)?)));
        let means = means.collect::<Result<Vec<_>>>()?;
        let most = |sample: usize| {
            let more = |best: usize, class: usize| {
                let (most, p) = (means[best][sample], means[class][sample]);
                if p > most || (single && p == most) {
                    class
                } else {
                    best
                }
            };
            let best = (1..means.len()).fold(0, more);
            of_classes.get(best).map(|name| &name[classes.len()..])
        };
        table = table.with_categories(*column, (0..tables[0].len()).map(most))?;
        for (name, mean) in of_classes.iter().zip(means) {
            table = table.with_numbers(*name, row(mean))?;
        }
    }
    Ok(table)
}

/// What `fit` makes of 0..count, on threads; of several errors the first.
fn members<T: Real>(
    place: &str,
    count: usize,
    threads: usize,
    fit: impl Fn(usize) -> Result<Model<T>> + Sync,
) -> Result<Vec<Model<T>>> {
    some(
        format_args!("members of {place}"),
        "at least 1",
        count as u64,
    )?;
    let mut members = BTreeMap::new();
    divide(place, threads, count, fit, |index, member| {
        let failed = member.is_err();
        members.insert(index, member);
        if failed {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    let named = |(index, member): (usize, Result<Model<T>>)| {
        member.map_err(|error| error.within(format_args!("member {index} of {place}")))
    };
    members.into_iter().map(named).collect()
}

#[cfg(feature = "serde")]
impl<'de, T: Real> serde::Deserialize<'de> for Ensemble<T> {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> core::result::Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(bound = "T: Real", deny_unknown_fields)]
        struct Ensemble<T: Real> {
            members: Vec<Model<T>>,
        }
        crate::ground::serde::checked(deserializer, |read: Ensemble<T>| Self::new(read.members))
    }
}
