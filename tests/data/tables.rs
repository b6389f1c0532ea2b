//! Tables and encoders: against scikit-learn, and what goes wrong with words and holes.

use chainrule::data::{Encoder, EncoderBuilder, Encoding, Fill, HeldOut, Rows, Scaling, Table};
use chainrule::nalgebra::DMatrix;
use chainrule::prelude::*;
use chainrule::{ErrorKind, Real};
use std::collections::BTreeMap;

/// A column of each kind, with holes.
fn small() -> Result<Table> {
    Table::new()
        .with_numbers("x", [Some(1.0), None, Some(3.0), Some(8.0)])?
        .with_categories("word", [Some("b"), Some("a"), None, Some("b")])?
        .with_numbers("y", [10.0, 20.0, 30.0, 40.0])
}

fn text(error: impl std::borrow::Borrow<Error>) -> String {
    error.borrow().to_string()
}

fn error<V: std::fmt::Debug>(result: Result<V>) -> String {
    text(result.expect_err("an error"))
}

/// The numbers of a row of an encoded table.
fn row<T: Real>(x: &DMatrix<T>, row: usize) -> Vec<f64> {
    x.row(row).iter().map(|v| v.as_f64()).collect()
}

// -------------------------------------------------------------------------------------------------
// Tables

#[test]
fn columns_in_memory() -> Result<()> {
    let table = small()?;
    assert_eq!(table.len(), 4);
    assert_eq!(table.columns().collect::<Vec<_>>(), ["x", "word", "y"]);
    let words = [Some("b"), Some("a"), None, Some("b")];
    assert_eq!(table.categories("word")?.collect::<Vec<_>>(), words);
    let picked = table.select(&[3, 0, 3])?;
    assert_eq!(picked.numbers("x")?, [8.0, 1.0, 8.0]);
    assert_eq!(
        picked.categories("word")?.collect::<Vec<_>>(),
        [Some("b"); 3]
    );

    // Equal by words and holes, whatever rows they were picked from.
    let again = Table::new()
        .with_numbers("x", [8.0, 1.0, 8.0])?
        .with_categories("word", ["b"; 3])?
        .with_numbers("y", [40.0, 10.0, 40.0])?;
    assert_eq!(picked, again);
    assert_eq!(small()?, table);
    assert_ne!(picked, table);

    // A column of the same name is replaced, where it stands.
    let other = table.with_categories("x", ["1", "2", "3", "4"])?;
    assert_eq!(other.columns().collect::<Vec<_>>(), ["x", "word", "y"]);
    assert_eq!(other.categories("x")?.next(), Some(Some("1")));
    Ok(())
}

#[test]
fn columns_that_are_none() -> Result<()> {
    let table = small()?;
    assert_eq!(
        error(table.clone().with_numbers("z", [1.0])),
        "column \"z\" of Table: got 1, expected 4 rows, as in the other columns"
    );
    assert_eq!(
        error(Table::new().with_numbers("z", [1.0, -f64::INFINITY])),
        "column \"z\" of Table, row 1: got -inf, expected a finite number, or NaN for a hole"
    );
    assert_eq!(
        error(Table::new().with_numbers("", [1.0])),
        "column \"\" of Table: got \"\", expected a name"
    );
    assert_eq!(
        error(Table::new().with_categories("z", [""; 0])),
        "column \"z\" of Table: got 0, expected at least 1 row"
    );
    assert_eq!(
        error(table.numbers("z")),
        "Table::numbers: got \"z\", expected one of the columns x, word, y"
    );
    assert_eq!(
        error(table.numbers("word")),
        "column \"word\" of Table::numbers: got categories, expected numbers"
    );
    let error = table.categories("x").map(|_| ()).expect_err("numbers");
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert_eq!(
        table.select(&[]).expect_err("no row").kind(),
        ErrorKind::Empty
    );
    assert_eq!(
        table.select(&[4]).expect_err("no such row").kind(),
        ErrorKind::Value
    );
    assert_eq!(
        table.clone().without(["z"]).expect_err("no column").kind(),
        ErrorKind::Value
    );
    assert_eq!(
        table.drop_missing(table.columns())?.numbers("y")?,
        [10.0, 40.0]
    );
    let holes = table.with_numbers("x", [f64::NAN; 4])?;
    assert_eq!(
        holes.drop_missing(["x"]).expect_err("no row").kind(),
        ErrorKind::Empty
    );
    Ok(())
}

/// The same samples as those of a data set.
#[test]
fn parts_are_those_of_data_sets() -> Result<()> {
    let n = 37;
    let labels: Vec<usize> = (0..n).map(|j| [2, 0, 1, 2, 2][j % 5]).collect();
    let names = ["10", "9", "100"]; // 9, 10, 100 in order
    let class = [1, 0, 2];
    let table = Table::new()
        .with_numbers("x", (0..n).map(|j| j as f64))?
        .with_categories("class", labels.iter().map(|label| names[*label]))?
        .with_numbers("number", labels.iter().map(|label| class[*label] as f64))?;
    let sorted: Vec<usize> = labels.iter().map(|label| class[*label]).collect();
    let data = Dataset::<f64>::new(
        DMatrix::from_fn(1, n, |_, j| j as f64),
        chainrule::one_hot(&sorted, 3)?,
    )?;
    for seed in 0..5 {
        for fraction in [0.1, 0.5, 0.77] {
            let (one, other) = data.split(fraction, seed)?;
            let (train, test) = table.split(fraction, seed)?;
            assert_eq!(train.numbers("x")?, one.inputs().as_slice());
            assert_eq!(test.numbers("x")?, other.inputs().as_slice());
            let (one, other) = data.stratified_split(fraction, seed)?;
            for column in ["class", "number"] {
                let (train, test) = table.stratified_split(column, fraction, seed)?;
                assert_eq!(train.numbers("x")?, one.inputs().as_slice());
                assert_eq!(test.numbers("x")?, other.inputs().as_slice());
            }
        }
    }
    let (past, future) = table.split_in_order(0.5)?;
    assert_eq!((past.len(), future.numbers("x")?[0]), (19, 19.0));
    assert_eq!(
        error(table.stratified_split("x", 0.5, 1)),
        "0 of Table::stratified_split: got 1, expected at least 2 samples"
    );
    assert_eq!(
        error(table.split(1.0, 1)),
        error(table.split_in_order(1.0)).replace("_in_order", "")
    );
    Ok(())
}

/// Holes are a class, −0 is 0, and NaN of either sign is a hole.
#[test]
fn strata_with_holes() -> Result<()> {
    let numbers = [
        0.0,
        -0.0,
        f64::NAN,
        -f64::NAN,
        0.0,
        f64::NAN,
        f64::NAN,
        1.0,
        1.0,
    ];
    let table = Table::new().with_numbers("x", numbers)?;
    let (train, test) = table.stratified_split("x", 0.5, 1)?;
    let holes = |numbers: &[f64]| numbers.iter().filter(|v| v.is_nan()).count();
    assert_eq!(
        (holes(train.numbers("x")?), holes(test.numbers("x")?)),
        (2, 2)
    );
    let table = table.with_categories("w", ["a", "a", "a", "a", "b", "b", "b", "b", "c"])?;
    assert_eq!(
        error(table.stratified_split("w", 0.5, 1)),
        "\"c\" of Table::stratified_split: got 1, expected at least 2 samples"
    );
    Ok(())
}

#[test]
fn held_out_rows_stay_so() -> Result<()> {
    let table = Table::new().with_numbers("x", (0..20).map(f64::from))?;
    let (train, rest): (Table, HeldOut) = table.split(0.5, 3)?;
    let (validation, test): (HeldOut, HeldOut) = rest.split(0.5, 4)?;
    let mut all: Vec<f64> = [
        train.numbers("x")?,
        validation.numbers("x")?,
        test.numbers("x")?,
    ]
    .concat();
    all.sort_by(f64::total_cmp);
    assert_eq!(all, table.numbers("x")?);
    let one: HeldOut = test.select(&[0])?;
    assert_eq!((Rows::from(&one).len(), one.columns().count()), (1, 1));
    assert_eq!(test.drop_missing(["x"])?, test);
    assert_eq!(test.clone().into_table().to_csv(), test.to_csv());
    let (first, later) = test.split_in_order(0.4)?;
    assert_eq!((first.len(), later.len()), (2, 3));
    Ok(())
}

#[cfg(feature = "csv")]
mod csv {
    use super::*;
    use chainrule::data::Csv;

    #[test]
    fn tables_from_text() -> Result<()> {
        let text = "id;when;x;word\n1;2012/01/01;1,5;a b\n2;2012/01/02;NA; c\n3;x;True;?\n";
        let csv = Csv::new()
            .delimiter(';')
            .decimal_comma()
            .categorical(["when", "word"]);
        let table = csv.read_table(text.as_bytes())?;
        assert_eq!(
            table.columns().collect::<Vec<_>>(),
            ["id", "when", "x", "word"]
        );
        assert!(table.numbers("x")?[1].is_nan());
        assert_eq!((table.numbers("x")?[0], table.numbers("x")?[2]), (1.5, 1.0));
        assert_eq!(
            table.categories("word")?.collect::<Vec<_>>(),
            [Some("a b"), Some("c"), None]
        );
        let some = csv.clone().columns(["word", "x"]).categorical(["word"]);
        let some = some.read_table(text.as_bytes())?;
        assert_eq!(
            some,
            table
                .without(["id", "when"])?
                .select(&[0, 1, 2])?
                .reversed()?
        );
        let numbered = Csv::new().no_header().categorical([1]);
        let table = numbered.read_table("1,a\n2,\n".as_bytes())?;
        assert_eq!(table.columns().collect::<Vec<_>>(), ["0", "1"]);
        assert_eq!(
            table.categories("1")?.collect::<Vec<_>>(),
            [Some("a"), None]
        );
        Ok(())
    }

    trait Reversed: Sized {
        fn reversed(&self) -> Result<Self>;
    }

    impl Reversed for Table {
        fn reversed(&self) -> Result<Self> {
            let table = Self::new().with_categories("word", self.categories("word")?)?;
            table.with_numbers("x", self.numbers("x")?.iter().copied())
        }
    }

    #[test]
    fn text_that_is_no_table() {
        let read = |csv: Csv, text: &str| error(csv.read_table(text.as_bytes()));
        assert_eq!(
            read(Csv::new(), "x,city\n1,2\n3,Köln"),
            "CSV, line 3, column \"city\": got \"Köln\", expected a number (a column of words is \
             read by Csv::categorical)"
        );
        assert_eq!(
            read(Csv::new(), "x,x\n1,2"),
            "CSV: got \"x\" twice, expected each column once"
        );
        assert_eq!(
            read(Csv::new().categorical(["z"]), "x,y\n1,2"),
            "CSV: got \"z\", expected one of the columns x, y"
        );
        assert_eq!(
            read(Csv::new().categorical(["y", "y"]), "x,y\n1,2"),
            "CSV: got column \"y\" twice, expected each column once"
        );
        assert_eq!(
            read(Csv::new().columns(["x"]).categorical(["y"]), "x,y\n1,2"),
            "CSV: got column \"y\", expected categories among the columns that Csv::columns chooses"
        );
        assert_eq!(
            read(Csv::new(), "x,y\n"),
            "CSV: column \"x\" of Table: got 0, expected at least 1 row"
        );
        assert_eq!(
            read(Csv::new(), "x,y\n1,inf"),
            "CSV, line 2, column \"y\": got \"inf\", expected a finite number"
        );
        for (csv, name) in [
            (Csv::new().targets(["y"]), "targets"),
            (Csv::new().labels("y"), "labels"),
            (Csv::new().features(["y"]), "features"),
            (Csv::new().drop_missing(), "drop_missing"),
        ] {
            let error = read(csv, "x,y\n1,2");
            assert!(
                error.starts_with(&format!("CSV: got Csv::{name}, expected ")),
                "{error}"
            );
        }
        for csv in [Csv::new().categorical(["x"]), Csv::new().columns(["x"])] {
            let error = csv
                .targets(["y"])
                .read::<f64>("x,y\n1,2".as_bytes())
                .expect_err("words");
            assert_eq!(error.kind(), ErrorKind::Incompatible);
            assert!(error.expected().contains("Csv::read_table"));
        }
        let error = Csv::new().targets(["y"]).read::<f64>("x,y\na,2".as_bytes());
        let error = error.expect_err("a word");
        assert!(error.expected().contains("Csv::categorical"), "{error}");
        let error = Csv::new()
            .targets(["y"])
            .read::<f64>("x,y\nNA,2".as_bytes());
        let error = error.expect_err("a hole");
        assert!(error.expected().contains("Csv::read_table"), "{error}");
    }

    /// What is written is read back: awkward words, holes, and numbers to the last bit.
    #[test]
    fn there_and_back() -> Result<()> {
        let numbers = [0.1 + 0.2, 1e300, -5e-324, f64::NAN, -0.0, 123456.0];
        let words = ["a,b", "\"", "two\nlines", "NA", "ü", "1.50"];
        let table = Table::new()
            .with_numbers("n,1", numbers)?
            .with_categories("w", words)?
            .with_categories("h", [Some("x"), None, None, Some("y"), None, Some("x")])?;
        let csv = Csv::new().missing([""]).categorical(["w", "h"]);
        assert_eq!(csv.read_table(table.to_csv().as_bytes())?, table);
        let single = Table::new().with_numbers("x", [Some(1.0), None, Some(2.0)])?;
        assert_eq!(single.to_csv(), "x\n1\n\"\"\n2\n");
        assert_eq!(Csv::new().read_table(single.to_csv().as_bytes())?, single);
        let years = Table::new()
            .with_numbers("1990", [5.0])?
            .with_numbers("1991", [6.0])?;
        assert_eq!(years.to_csv(), "\"1990\",1991\n5,6\n");
        assert_eq!(Csv::new().read_table(years.to_csv().as_bytes())?, years);
        Ok(())
    }

    #[test]
    fn files() -> Result<()> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/penguins.csv");
        let csv = Csv::new().categorical(["species", "island", "sex"]);
        let penguins = csv.read_table_file(path)?;
        assert_eq!((penguins.len(), penguins.columns().count()), (344, 8));
        assert_eq!(penguins.drop_missing(penguins.columns())?.len(), 333);
        let error = csv.read_table_file("no such file").expect_err("no file");
        assert_eq!(error.kind(), ErrorKind::Io);
        Ok(())
    }

    // ---------------------------------------------------------------------------------------------
    // scikit-learn

    /// Written by `reference/tables.py`: case, name of an output, values.
    const REFERENCE: &str = include_str!("../reference/tables.tsv");

    /// More holes, as the script makes them.
    fn punched(file: &str, words: &[&str]) -> Result<Table> {
        let path = format!("{}/examples/data/{file}", env!("CARGO_MANIFEST_DIR"));
        let csv = Csv::new().categorical(words.iter().copied());
        let mut table = csv.read_table_file(path)?;
        let names: Vec<String> = table.columns().map(String::from).collect();
        for (number, name) in names.iter().enumerate() {
            let hole = |row: &usize| {
                (7 * row + 3 * number).is_multiple_of(13)
                    && !["mpg", "species", "year"].contains(&name.as_str())
            };
            let all = 0..table.len();
            table = if words.contains(&name.as_str()) {
                let old = table.clone();
                let words = all.zip(old.categories(name)?);
                table.with_categories(name, words.map(|(row, w)| w.filter(|_| !hole(&row))))?
            } else {
                let numbers: Vec<f64> = all
                    .zip(table.numbers(name)?)
                    .map(|(row, v)| if hole(&row) { f64::NAN } else { *v })
                    .collect();
                table.with_numbers(name, numbers)?
            };
        }
        Ok(table)
    }

    fn encoder(case: &[&str]) -> EncoderBuilder {
        let numbers: &[&str] = match case[0] {
            "cars" => &[
                "cylinders",
                "displacement",
                "horsepower",
                "weight",
                "acceleration",
                "year",
            ],
            _ => &[
                "bill_length_mm",
                "bill_depth_mm",
                "flipper_length_mm",
                "body_mass_g",
                "year",
            ],
        };
        let fill = |name: &str, number: f64| match name {
            "mean" => Fill::Mean,
            "median" => Fill::Median,
            "constant" => Fill::Constant(number),
            other => panic!("the fill {other}"),
        };
        let scaling = |name: &str| match name {
            "none" => Scaling::None,
            "standard" => Scaling::Standard,
            "min_max" => Scaling::MinMax,
            "max_abs" => Scaling::MaxAbs,
            other => panic!("the scaling {other}"),
        };
        let count = |text: &str| text.parse::<usize>().ok();
        let builder = Encoder::builder();
        match case[1..] {
            ["all"] => {
                let words: &[&str] = match case[0] {
                    "cars" => &["origin", "name"],
                    _ => &["island", "sex"],
                };
                let inputs = [numbers, words].concat();
                let builder = builder.inputs(inputs).fill(Fill::Median).indicators();
                if case[0] == "cars" {
                    let name = Encoding::new().rare(4);
                    builder
                        .column("name", name)
                        .column("origin", Encoding::new().ignore_unknown())
                } else {
                    builder.ignore_unknown()
                }
            }
            ["index", column, rare, by, scaled] => {
                let encoding = Encoding::new()
                    .index()
                    .ignore_unknown()
                    .fill(fill(by, -1.0))
                    .scaling(scaling(scaled));
                let encoding = match count(rare) {
                    Some(count) => encoding.rare(count),
                    None => encoding,
                };
                builder.inputs([column]).column(column, encoding)
            }
            [column, rare, unknown] => {
                let builder = builder.inputs([column]);
                let builder = match count(rare) {
                    Some(count) => builder.rare(count),
                    None => builder.indicators().ignore_unknown(),
                };
                match unknown {
                    "ignore" => builder.ignore_unknown(),
                    _ => builder,
                }
            }
            [by, scaled] => {
                let builder = builder.inputs(numbers.iter().copied()).indicators();
                builder.fill(fill(by, -1.5)).scaling(scaling(scaled))
            }
            _ => panic!("the case {case:?}"),
        }
    }

    #[test]
    fn as_scikit_learn() -> Result<()> {
        let cars = punched("cars.csv", &["name", "origin"])?;
        let penguins = punched("penguins.csv", &["species", "island", "sex"])?;
        let mut cases: BTreeMap<&str, BTreeMap<&str, Vec<f64>>> = BTreeMap::new();
        for line in REFERENCE.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let numbers = fields[2]
                .split(' ')
                .map(|number| number.parse().expect("a number"));
            cases
                .entry(fields[0])
                .or_default()
                .insert(fields[1], numbers.collect());
        }
        assert!(cases.len() > 60);
        for (name, expected) in cases {
            let case: Vec<&str> = name.split(' ').collect();
            let table = if case[0] == "cars" { &cars } else { &penguins };
            let (test, train): (Vec<usize>, Vec<usize>) =
                (0..table.len()).partition(|row| row % 4 == 3);
            let (mut train, mut test) = (table.select(&train)?, table.select(&test)?);
            // Where the script leaves out rows without a word.
            match case[1..] {
                ["all"] if case[0] == "cars" => {
                    train = train.drop_missing(["name"])?;
                    test = test.drop_missing(["name"])?;
                }
                ["index", "sex" | "name" | "origin", "3", ..] => {
                    train = train.drop_missing([case[2]])?;
                    test = test.drop_missing([case[2]])?;
                }
                _ => {}
            }
            let encoder = encoder(&case).fit(&train)?;
            let x = encoder.transform::<f64>(&test)?;
            let names = encoder.feature_names();
            let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
            sorted.sort_unstable();
            assert_eq!(
                sorted,
                expected.keys().copied().collect::<Vec<_>>(),
                "{name}"
            );
            for (index, output) in names.iter().enumerate() {
                let (ours, theirs) = (row(&x, index), &expected[output.as_str()]);
                assert_eq!(ours.len(), theirs.len(), "{name}, {output}");
                for (ours, theirs) in ours.iter().zip(theirs) {
                    let off = (ours - theirs).abs() / theirs.abs().max(1.0);
                    assert!(off <= 1e-12, "{name}, {output}: {ours}, not {theirs}");
                }
                let source = encoder.source(index).expect("a column");
                assert!(output.starts_with(source));
            }
            assert_eq!(encoder.source(names.len()), None);
            // Rounded once.
            let single = encoder.transform::<f32>(&test)?;
            assert_eq!(single, x.map(|v| v as f32), "{name}");
        }
        Ok(())
    }
}

// -------------------------------------------------------------------------------------------------
// What goes wrong elsewhere

#[test]
fn unknown_categories() -> Result<()> {
    let train = Table::new().with_categories("w", ["a", "a", "b", "a", "c", "c"])?;
    let test = Table::new().with_categories("w", [Some("z"), Some("a"), Some("b"), None])?;
    let builder = Encoder::builder();
    assert_eq!(
        error(builder.fit(&train)?.transform::<f64>(&test)),
        "column \"w\" of Encoder, row 0: got \"z\", which no training row has, expected one of the \
         categories a, b, c (Encoder::builder().rare gives others a place, ignore_unknown takes \
         them for holes)"
    );
    let encode = |builder: &EncoderBuilder| {
        let encoder = builder.fit(&train)?;
        let x = encoder.transform::<f64>(&test)?;
        Ok::<_, Error>((encoder.feature_names(), x))
    };
    let (names, x) = encode(&builder.clone().ignore_unknown())?;
    assert_eq!(names, ["w=a", "w=b", "w=c"]);
    assert_eq!(
        x,
        DMatrix::from_row_slice(3, 4, &[0., 1., 0., 0., 0., 0., 1., 0., 0., 0., 0., 0.])
    );
    let (names, x) = encode(&builder.clone().rare(2))?;
    assert_eq!(names, ["w=a", "w=c", "w (rare)"]);
    assert_eq!(
        x,
        DMatrix::from_row_slice(3, 4, &[0., 1., 0., 0., 0., 0., 0., 0., 1., 0., 1., 0.])
    );
    // Unknown ones apart from the rare ones.
    let (_, x) = encode(&builder.clone().rare(2).ignore_unknown())?;
    assert_eq!(row(&x, 2), [0.0, 0.0, 1.0, 0.0]);
    // No category is rare: there is no place for them.
    let (names, x) = encode(&builder.rare(1))?;
    assert_eq!(
        (names.len(), row(&x, 0)[0], x.column(0).sum()),
        (3, 0.0, 0.0)
    );
    Ok(())
}

/// A code of zeros is a hole, and so is that of rare categories.
#[test]
fn codes_that_name_no_category() -> Result<()> {
    let train = Table::new().with_categories("w", ["a", "a", "b", "c", "c"])?;
    let encoder = Encoder::builder().rare(2).fit(&train)?;
    let codes = DMatrix::from_row_slice(
        3,
        6,
        &[
            0.0,
            0.0,
            1.0,
            0.2,
            -0.1,
            f64::NAN, //
            0.0,
            1.0,
            0.0,
            0.9,
            -2.0,
            f64::NAN, //
            0.0,
            0.0,
            0.0,
            0.3,
            -0.3,
            f64::NAN,
        ],
    );
    let back = encoder.inverse_transform(&codes)?;
    let words: Vec<_> = back.categories("w")?.collect();
    assert_eq!(words, [None, Some("c"), Some("a"), Some("c"), None, None]);
    let rare = DMatrix::from_column_slice(3, 1, &[0.0, 0.0, 1.0]);
    assert_eq!(
        encoder.inverse_transform(&rare)?.categories("w")?.next(),
        Some(None)
    );
    assert_eq!(
        encoder
            .inverse_transform(&[1.0, 0.0])
            .expect_err("shape")
            .kind(),
        ErrorKind::Shape
    );
    Ok(())
}

#[test]
fn there_and_back() -> Result<()> {
    let table = small()?;
    for builder in [
        Encoder::builder().fill(Fill::Mean).indicators(),
        Encoder::builder()
            .fill(Fill::Median)
            .indicators()
            .scaling(Scaling::MinMax),
        Encoder::builder()
            .fill(Fill::Constant(-1e9))
            .indicators()
            .scaling(Scaling::None)
            .column("word", Encoding::new().ordered(["b", "a", "z"])),
    ] {
        let encoder = builder.fit(&table)?;
        let back = encoder.inverse_transform(&encoder.transform::<f64>(&table)?)?;
        assert_eq!(back.drop_missing(["x"])?.len(), 3);
        for name in ["x", "y"] {
            for (back, v) in back.numbers(name)?.iter().zip(table.numbers(name)?) {
                let same = if v.is_nan() {
                    back.is_nan()
                } else {
                    (back - v).abs() < 1e-6
                };
                assert!(same, "{builder:?}");
            }
        }
        let back = encoder.inverse_transform(&encoder.transform::<f32>(&table)?)?;
        let words = |table: &Table| -> Vec<_> {
            table
                .categories("word")
                .expect("words")
                .map(|w| w.map(String::from))
                .collect()
        };
        assert_eq!(words(&back), words(&table));
    }
    Ok(())
}

#[test]
fn columns_without_a_value() -> Result<()> {
    let table = small()?.with_numbers("x", [None::<f64>; 4])?;
    for fill in [Fill::Mean, Fill::Median] {
        assert_eq!(
            error(Encoder::builder().fill(fill).fit(&table)),
            "column \"x\" of Encoder: got nothing but holes, expected at least 1 number to fill \
             holes by (Fill::Constant fills a column without any, Table::without leaves it out)"
        );
    }
    // The width stays.
    for scaling in [
        Scaling::None,
        Scaling::Standard,
        Scaling::MinMax,
        Scaling::MaxAbs,
    ] {
        let encoder = Encoder::builder()
            .inputs(["x"])
            .fill(Fill::Constant(7.0))
            .indicators()
            .scaling(scaling)
            .fit(&table)?;
        let value = match scaling {
            Scaling::None => 7.0,
            Scaling::MaxAbs => 1.0,
            _ => 0.0,
        };
        let x = encoder.transform::<f64>(&table)?;
        assert_eq!((row(&x, 0), row(&x, 1)), (vec![value; 4], vec![1.0; 4]));
    }
    let table = table.with_categories("word", [None::<&str>; 4])?;
    assert_eq!(
        error(Encoder::builder().inputs(["word"]).indicators().fit(&table)),
        "column \"word\" of Encoder: got 0, expected at least 1 category (Table::without leaves a \
         column out)"
    );
    Ok(())
}

/// Where a fill was asked for, also in a column that had no hole in training; an indicator is only
/// where there was one.
#[test]
fn a_single_row_of_holes() -> Result<()> {
    let train = small()?.with_numbers("z", [1.0, 2.0, 4.0, 9.0])?;
    let encoder = Encoder::builder()
        .target("y")
        .fill(Fill::Median)
        .indicators()
        .fit(&train)?;
    assert_eq!(
        encoder.feature_names(),
        [
            "x",
            "x (missing)",
            "word=a",
            "word=b",
            "word (missing)",
            "z"
        ]
    );
    let one = Table::new()
        .with_numbers("z", [f64::NAN])?
        .with_categories("unrelated", ["?"])?
        .with_categories("word", [None::<&str>])?
        .with_numbers("x", [None::<f64>])?;
    let x = encoder.transform::<f64>(&one)?;
    let filled = Table::new()
        .with_numbers("x", [3.0])?
        .with_numbers("z", [3.0])?
        .with_categories("word", [None::<&str>])?;
    let other = encoder.transform::<f64>(&filled)?;
    assert_eq!((x[1], other[1], x[4], x.ncols()), (1.0, 0.0, 1.0, 1));
    assert_eq!((x[0], x[5]), (other[0], other[5]));

    let strict = Encoder::builder().inputs(["z"]).fit(&train)?;
    assert_eq!(
        error(strict.transform::<f64>(&one)),
        "column \"z\" of Encoder, row 0: got a hole, expected a number (Encoder::builder().fill \
         says what takes the place of holes)"
    );
    assert_eq!(
        error(Encoder::builder().fit(&train)),
        "column \"x\" of Encoder, row 1: got a hole, expected a number (Encoder::builder().fill \
         says what takes the place of holes)"
    );
    Ok(())
}

/// Order and other columns do not matter, names and kinds do.
#[test]
fn other_columns_than_in_training() -> Result<()> {
    let train = small()?;
    let encoder = Encoder::builder()
        .target("y")
        .fill(Fill::Mean)
        .fit(&train)?;
    let x = encoder.transform::<f64>(&train)?;
    let other = Table::new()
        .with_categories("new", ["?"; 4])?
        .with_categories("word", train.categories("word")?)?
        .with_numbers("x", train.numbers("x")?.iter().copied())?;
    assert_eq!(encoder.transform::<f64>(&other)?, x);
    assert_eq!(
        error(encoder.dataset::<f64>(&other)),
        "Encoder::dataset: got \"y\", expected one of the columns new, word, x"
    );
    assert_eq!(
        error(encoder.transform::<f64>(&other.clone().without(["x"])?)),
        "Encoder::transform: got \"x\", expected one of the columns new, word"
    );
    assert_eq!(
        error(encoder.transform::<f64>(&other.clone().with_numbers("word", [0.0; 4])?)),
        "column \"word\" of Encoder: got numbers, expected categories (Csv::categorical and \
         Table::with_categories make such columns)"
    );
    assert_eq!(
        error(encoder.transform::<f64>(&other.with_categories("x", ["1"; 4])?)),
        "column \"x\" of Encoder: got categories, expected numbers (as in the training rows)"
    );
    assert_eq!(
        error(encoder.transform::<f64>(&Table::new())),
        "Encoder::transform: got \"x\", expected one of the columns "
    );
    Ok(())
}

#[test]
fn targets() -> Result<()> {
    let table = small()?;
    let builder = Encoder::builder().fill(Fill::Mean);
    let encoder = builder.clone().target("y").fit(&table)?;
    let data = encoder.dataset::<f32>(&table)?;
    assert_eq!(data.targets().as_slice(), [10.0, 20.0, 30.0, 40.0]);
    let scaler = encoder.target_scaler::<f32>()?.expect("a scaler");
    assert_eq!(
        (scaler.shift(), scaler.scale()),
        (&[25.0][..], &[125.0_f32.sqrt()][..])
    );
    assert_eq!((encoder.classes(), encoder.outputs()), (None, 1));

    let two = builder.clone().target("y").target("z");
    let both = table.clone().with_numbers("z", [1.0, 2.0, 3.0, 5.0])?;
    let plain = two
        .clone()
        .column("z", Encoding::new().scaling(Scaling::None))
        .fit(&both)?;
    assert_eq!(plain.targets().collect::<Vec<_>>(), ["y", "z"]);
    let scaler = plain.target_scaler::<f64>()?.expect("a scaler");
    assert_eq!((scaler.shift()[1], scaler.scale()[1]), (0.0, 1.0));
    assert_eq!(
        two.scaling(Scaling::None)
            .fit(&both)?
            .target_scaler::<f64>()?,
        None
    );

    let holes = builder.clone().target("word");
    assert_eq!(
        error(holes.fit(&table)),
        "column \"word\" of Encoder, row 2: got a hole, expected a target \
         (Table::drop_missing([\"word\"]) leaves out the rows without one)"
    );
    let whole = table.drop_missing(["word"])?;
    let classes = holes.fit(&whole)?;
    assert_eq!(classes.classes().expect("classes"), ["a", "b"]);
    let one_hot = [0.0, 1.0, 1.0, 0.0, 0.0, 1.0];
    assert_eq!(
        classes.dataset::<f64>(&whole)?.targets().as_slice(),
        one_hot
    );
    assert_eq!(classes.target_scaler::<f64>()?, None);
    assert!(error(classes.dataset::<f64>(&table)).contains("drop_missing"));
    // Unknown, and sorted by value.
    let numbers = Table::new()
        .with_numbers("x", [1.0, 2.0, 3.0])?
        .with_categories("k", ["10", "9", "-1"])?;
    let encoder = Encoder::builder().target("k").fit(&numbers)?;
    assert_eq!(encoder.classes().expect("classes"), ["-1", "9", "10"]);
    let other = numbers.with_categories("k", ["9", "8", "9"])?;
    assert!(error(encoder.dataset::<f64>(&other)).contains("got \"8\", which no training row has"));
    assert_eq!(
        error(
            Encoder::builder()
                .target("k")
                .fit(&other.with_categories("k", ["9"; 3])?)
        ),
        "column \"k\" of Encoder: got only 9, expected at least 2 classes"
    );
    assert_eq!(
        error(
            Encoder::builder()
                .fit(&whole.without(["x"])?)?
                .dataset::<f64>(&table)
        ),
        "Encoder::dataset: got 0, expected a target (Encoder::builder().target names it)"
    );
    Ok(())
}

/// Targets of numbers and of categories lie in the order in which they are named.
#[test]
fn targets_of_several_kinds() -> Result<()> {
    let table = Table::new()
        .with_numbers("x", [1.0, 2.0, 4.0])?
        .with_categories("kind", ["b", "a", "c"])?
        .with_numbers("one", [10.0, 20.0, 60.0])?
        .with_numbers("two", [0.5, 0.5, 2.0])?
        .with_categories("sure", ["yes", "no", "yes"])?;
    let builder = ["one", "kind", "two", "sure"]
        .into_iter()
        .fold(Encoder::builder(), EncoderBuilder::target);
    let encoder = builder.fit(&table)?;
    assert_eq!((encoder.inputs(), encoder.outputs()), (1, 7));
    assert_eq!(
        encoder.targets().collect::<Vec<_>>(),
        ["one", "kind", "two", "sure"]
    );
    assert_eq!(
        encoder.target_classes("kind"),
        Some(&["a", "b", "c"].map(String::from)[..])
    );
    assert_eq!(
        encoder.target_classes("sure"),
        Some(&["no", "yes"].map(String::from)[..])
    );
    assert_eq!(
        (encoder.target_classes("one"), encoder.target_classes("x")),
        (None, None)
    );
    assert_eq!(encoder.classes(), None);
    let data = encoder.dataset::<f64>(&table)?;
    let expected = [
        [10.0, 0.0, 1.0, 0.0, 0.5, 0.0, 1.0],
        [20.0, 1.0, 0.0, 0.0, 0.5, 1.0, 0.0],
        [60.0, 0.0, 0.0, 1.0, 2.0, 0.0, 1.0],
    ];
    assert_eq!(data.targets().as_slice(), expected.concat());
    let scaler = encoder.target_scaler::<f64>()?.expect("a scaler");
    assert_eq!(scaler.shift(), [30.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!(scaler.scale()[1..4], [1.0; 3]);
    assert_eq!(scaler.scale()[5..], [1.0; 2]);
    let plain = builder.scaling(Scaling::None).fit(&table)?;
    assert_eq!(plain.target_scaler::<f64>()?, None);
    let twice = Encoder::builder()
        .target("kind")
        .target("one")
        .target("kind");
    let error = twice.fit(&table).expect_err("kind twice");
    assert_eq!(
        (error.kind(), error.place()),
        (ErrorKind::Value, "targets of Encoder")
    );
    Ok(())
}

#[test]
fn settings_that_are_none() -> Result<()> {
    let table = small()?;
    let builder = Encoder::builder().target("y").fill(Fill::Mean);
    let fit = |builder: EncoderBuilder| builder.fit(&table).expect_err("an error");
    let column = |name: &str, encoding| fit(builder.clone().column(name, encoding));
    let new = Encoding::new;
    for (error, kind, part) in [
        (
            column("word", new().fill(Fill::Mean)),
            ErrorKind::Incompatible,
            "Encoding::fill",
        ),
        (
            column("word", new().scaling(Scaling::None)),
            ErrorKind::Incompatible,
            "scaling",
        ),
        (
            column("x", new().rare(3)),
            ErrorKind::Incompatible,
            "Encoding::rare",
        ),
        (
            column("x", new().index()),
            ErrorKind::Incompatible,
            "Encoding::index",
        ),
        (
            column("y", new().indicator()),
            ErrorKind::Incompatible,
            "a target",
        ),
        (column("z", new()), ErrorKind::Value, "one of the columns"),
        (
            column("word", new().rare(0)),
            ErrorKind::Value,
            "at least 1 row",
        ),
        (
            column("x", new().fill(Fill::Constant(f64::NAN))),
            ErrorKind::Value,
            "a finite number",
        ),
        (
            column("word", new().ordered(["a"])),
            ErrorKind::Value,
            "one of the categories a",
        ),
        (
            column("word", new().ordered(["a", "b", "a"])),
            ErrorKind::Value,
            "each category once",
        ),
        (
            fit(builder.clone().target("z")),
            ErrorKind::Value,
            "one of the columns",
        ),
        (
            fit(builder.clone().target("word")),
            ErrorKind::Value,
            "drop_missing",
        ),
        (
            fit(builder.clone().target("y")),
            ErrorKind::Value,
            "each column once",
        ),
        (
            fit(builder.clone().inputs(["x", "x"])),
            ErrorKind::Value,
            "each input once",
        ),
        (
            fit(builder.clone().inputs(["x", "y"])),
            ErrorKind::Value,
            "inputs or targets",
        ),
        (
            fit(builder.clone().inputs([""; 0])),
            ErrorKind::Empty,
            "at least 1 column",
        ),
    ] {
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.expected().contains(part), "{error}");
    }
    let twice = builder.clone().column("x", new()).column("x", new());
    assert_eq!(fit(twice).expected(), "one encoding");
    let unused = builder.clone().inputs(["x"]).column("word", new());
    assert_eq!(
        fit(unused).expected(),
        "a column that is an input or a target"
    );
    let error = builder.fit(&table.select(&[0])?).expect_err("a single row");
    assert_eq!(error.kind(), ErrorKind::Empty);
    Ok(())
}

#[test]
fn numbers_at_the_edge() -> Result<()> {
    let table = Table::new()
        .with_numbers("constant", [5.0; 4])?
        .with_numbers("huge", [-1.7e308, 1.7e308, f64::NAN, 1.7e308])?
        .with_numbers("tiny", [0.0, 5e-324, 0.0, 0.0])?;
    let builder = Encoder::builder().inputs(["constant", "huge"]);
    let encoder = builder.clone().fill(Fill::Median).fit(&table)?;
    let x = encoder.transform::<f64>(&table)?;
    assert!(row(&x, 0).iter().all(|v| *v == 0.0) && row(&x, 1).iter().all(|v| v.abs() < 2.0));
    let even = Encoder::builder()
        .inputs(["huge"])
        .fill(Fill::Median)
        .scaling(Scaling::None);
    let even = even.fit(&table.select(&[1, 2, 3, 0, 0])?)?;
    assert_eq!(even.transform::<f64>(&table)?[2], 0.0);
    let encoder = builder
        .scaling(Scaling::None)
        .fill(Fill::Constant(0.0))
        .fit(&table)?;
    assert_eq!(encoder.transform::<f64>(&table)?.ncols(), 4);
    assert_eq!(
        error(encoder.transform::<f32>(&table)),
        "\"huge\" of Encoder, row 0: got -1.7e308, expected a number that the scalar can hold"
    );
    let error = Encoder::builder()
        .inputs(["tiny"])
        .fit(&table)
        .expect_err("no spread");
    assert_eq!(error.kind(), ErrorKind::Value, "{error}");
    Ok(())
}

/// Nothing of held-out rows is in the encoder: other rows, the same encoder.
#[test]
fn learned_from_the_training_rows_alone() -> Result<()> {
    let table = Table::new()
        .with_numbers("x", (0..20).map(|j| f64::from(j * j)))?
        .with_categories("w", (0..20).map(|j| ["a", "b", "c"][j % 3]))?;
    let (train, test) = table.split(0.7, 1)?;
    let encoder = Encoder::builder().fit(&train)?;
    let all = Encoder::builder().fit(&table)?;
    assert_ne!(encoder, all);
    assert_eq!(encoder.transform::<f64>(&test)?.ncols(), 6);
    assert_eq!(
        encoder,
        Encoder::builder().fit(&train.select(&(0..14).collect::<Vec<_>>())?)?
    );
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Models

fn trained(table: &Table, builder: EncoderBuilder) -> Result<Model<f64>> {
    let encoder = builder.fit(table)?;
    let net = Sequential::builder(encoder.inputs())
        .layer(Dense::new(4, Activation::Tanh))
        .layer(Dense::new(encoder.outputs(), Activation::Linear))
        .seed(1)
        .build()?;
    let data = encoder.dataset(table)?;
    let classes = encoder.classes().is_some();
    let mut model = Model::with_encoder(net, encoder)?;
    if classes {
        let loss = SoftmaxCrossEntropy::new();
        model.fit(&mut Trainer::new(loss, Adam::new()).epochs(20), &data)?;
    } else {
        model.fit(
            &mut Trainer::new(MeanSquaredError, Adam::new()).epochs(20),
            &data,
        )?;
    }
    Ok(model)
}

#[test]
fn predictions_are_tables() -> Result<()> {
    let table = small()?.with_numbers("z", [1.0, 2.0, 4.0, 9.0])?;
    let builder = Encoder::builder().fill(Fill::Mean).indicators();
    let model = trained(&table, builder.clone().target("y").target("z"))?;
    let predicted = model.predict_table(&table)?;
    assert_eq!(predicted.columns().collect::<Vec<_>>(), ["y", "z"]);
    let encoder = model.encoder().expect("an encoder");
    let y = model.predict(&encoder.transform(&table)?)?;
    assert_eq!(predicted.numbers("z")?, row(&y, 1));
    // In the units of the data.
    assert!(
        predicted
            .numbers("y")?
            .iter()
            .all(|y| (0.0..50.0).contains(y))
    );
    // A row alone, as among others.
    let one = model.predict_table(&table.select(&[2])?)?;
    assert_eq!(one, predicted.select(&[2])?);

    let whole = table.drop_missing(["word"])?;
    let model = trained(&whole, builder.target("word"))?;
    let predicted = model.predict_table(&whole)?;
    assert_eq!(
        predicted.columns().collect::<Vec<_>>(),
        ["word", "word=a", "word=b"]
    );
    for (row, word) in predicted.categories("word")?.enumerate() {
        let [a, b] = ["word=a", "word=b"].map(|name| predicted.numbers(name).expect("p")[row]);
        assert!((a + b - 1.0).abs() < 1e-12);
        assert_eq!(word, Some(if b > a { "b" } else { "a" }));
    }
    let x = model.encoder().expect("an encoder").transform(&whole)?;
    let words: Vec<_> = predicted.categories("word")?.flatten().collect();
    assert_eq!(model.predict_classes(&x)?, words);

    assert_eq!(
        error(Model::from(model.net().clone()).predict_table(&whole)),
        "Model::predict_table: got none, expected an encoder (Model::with_encoder; Model::predict \
         takes numbers)"
    );
    assert_eq!(
        error(Model::with_encoder(
            model.net().clone(),
            Encoder::builder().target("y").fit(&whole.without(["x"])?)?
        )),
        "inputs of Model: got 4, expected 3, as the encoder has"
    );
    Ok(())
}

/// A single output for two classes, as numbers.
#[test]
fn a_single_probability() -> Result<()> {
    let table = Table::new()
        .with_numbers("x", [1.0, 2.0, 3.0, 4.0])?
        .with_numbers("passed", [0.0, 0.0, 1.0, 1.0])?;
    let unscaled = Encoding::new().scaling(Scaling::None);
    let encoder = Encoder::builder()
        .target("passed")
        .column("passed", unscaled)
        .fit(&table)?;
    let net = Sequential::<f64>::builder(1)
        .layer(Dense::new(1, Activation::Linear))
        .seed(1)
        .build()?;
    let data = encoder.dataset(&table)?;
    let mut model = Model::with_encoder(net, encoder)?.with_classes(["no", "yes"])?;
    let loss = SigmoidCrossEntropy::new();
    model.fit(
        &mut Trainer::new(loss, Adam::new())
            .epochs(200)
            .learning_rate(0.1),
        &data,
    )?;
    let predicted = model.predict_table(&table)?;
    assert_eq!(
        predicted.columns().collect::<Vec<_>>(),
        ["passed", "passed=no", "passed=yes"]
    );
    let words: Vec<_> = predicted.categories("passed")?.flatten().collect();
    assert_eq!(words, ["no", "no", "yes", "yes"]);
    let no = predicted.numbers("passed=no")?;
    assert!(
        no.iter()
            .zip(predicted.numbers("passed=yes")?)
            .all(|(n, y)| n + y == 1.0)
    );
    Ok(())
}

#[test]
fn another_scalar() -> Result<()> {
    let table = small()?;
    let model = trained(&table, Encoder::builder().target("y").fill(Fill::Mean))?;
    let single: Model<f32> = model.cast()?;
    assert_eq!(single.encoder(), model.encoder());
    let (one, other) = (single.predict_table(&table)?, model.predict_table(&table)?);
    for (a, b) in one.numbers("y")?.iter().zip(other.numbers("y")?) {
        assert!((a - b).abs() < 1e-4 * b.abs());
    }
    assert_ne!(Model::from(model.net().clone()), model);
    Ok(())
}

#[cfg(feature = "safetensors")]
#[test]
fn model_files_have_the_encoder() -> Result<()> {
    let table = small()?;
    let index = Encoding::new().index().fill(Fill::Constant(-1.0));
    for builder in [
        Encoder::builder()
            .target("y")
            .fill(Fill::Median)
            .indicators()
            .rare(2),
        Encoder::builder()
            .target("y")
            .fill(Fill::Mean)
            .column("word", index),
    ] {
        let model = trained(&table, builder)?;
        let bytes = model.to_safetensors()?;
        let read = Model::<f64>::from_safetensors(&bytes)?;
        assert_eq!(read, model);
        assert_eq!(read.predict_table(&table)?, model.predict_table(&table)?);
        assert_eq!(read.to_safetensors()?, bytes);
        let single: Model<f32> = model.cast()?;
        let wide = Model::<f64>::from_safetensors(&single.to_safetensors()?)?;
        assert_eq!(wide.encoder(), model.encoder());
        // An encoder that is none, in a file without a checksum.
        let damaged = |from: &str, to: &str| {
            assert_eq!(from.len(), to.len());
            let text = String::from_utf8_lossy(&bytes[8..]).into_owned();
            let at = text
                .find(from)
                .unwrap_or_else(|| panic!("{from} in {text}"));
            let mut bytes = bytes.clone();
            bytes[8 + at..8 + at + to.len()].copy_from_slice(to.as_bytes());
            let sum = text.find("chainrule.checksum").expect("a checksum");
            bytes[8 + sum..8 + sum + 18].copy_from_slice(b"chainrule_removed_");
            Model::<f64>::from_safetensors(&bytes).expect_err("damaged")
        };
        for (from, to) in [
            (r#"\"indicator\""#, r#"\"indicat0r\""#),
            (r#"[\"x\",{"#, r#"[\"y\",{"#),
        ] {
            assert_eq!(damaged(from, to).kind(), ErrorKind::Parse);
        }
    }
    Ok(())
}

/// What ONNX cannot say of an encoder is an error.
#[cfg(feature = "onnx")]
#[test]
fn encoders_that_onnx_cannot_say() -> Result<()> {
    use chainrule::io::Onnx;
    let table = small()?.with_categories("word", ["", "a", "a", "b"])?;
    let model = trained(&table, Encoder::builder().target("y").fill(Fill::Mean))?;
    let error = Onnx::new().write(&model).expect_err("an empty word");
    assert_eq!(error.place(), "column \"word\" of Onnx::write");
    let table = small()?;
    let output = table.clone().with_numbers("output", [1.0, 2.0, 3.0, 4.0])?;
    let model = trained(&output, Encoder::builder().target("y").fill(Fill::Mean))?;
    let error = Onnx::new().write(&model).expect_err("a name that is taken");
    assert_eq!(
        (error.kind(), error.given()),
        (ErrorKind::Incompatible, "\"output\"")
    );
    let huge = Encoder::builder()
        .target("y")
        .fill(Fill::Constant(1e300))
        .scaling(Scaling::None);
    let encoder = huge.fit(&table)?;
    let net = Sequential::<f32>::builder(encoder.inputs())
        .layer(Dense::new(1, Activation::Linear))
        .build()?;
    let error = Onnx::new()
        .write(&Model::with_encoder(net, encoder)?)
        .expect_err("beyond f32");
    assert_eq!(error.kind(), ErrorKind::NotFinite);
    Ok(())
}
