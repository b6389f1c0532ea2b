//! ONNX files that are damaged or made to harm: an error each, no panic, and memory within bounds.
#![cfg(feature = "onnx")]

use crate::common::rng;
use crate::counting::peak;
use crate::zoo::file::{File, attribute, bytes, float, int};
use crate::zoo::{self, layers};
use chainrule::io::Onnx;
use chainrule::nn::{BatchNorm, LayerNorm, RmsNorm, Softmax};
use chainrule::prelude::*;
use chainrule::rand::RngExt;

/// Reads a file within 512 times its length and 1 MB. A node takes two bytes in a file and 168 in
/// memory, twice that while a list grows.
#[track_caller]
fn read(file: &[u8]) -> Result<Model<f64>> {
    let (model, taken) = peak(|| Onnx::new().read(file));
    assert!(
        taken <= (1 << 20) + 512 * file.len(),
        "{taken} bytes for a file of {}",
        file.len()
    );
    model
}

#[test]
fn hostile_files() -> Result<()> {
    large_numbers();
    long_graphs();
    many_branches();
    damaged()
}

/// Sizes that no memory holds, in every place that has one.
fn large_numbers() {
    const HUGE: i64 = 1 << 40;
    let wide = || {
        File::bare()
            .input("x", 1, &[None, Some(HUGE)])
            .output("y")
            .tensor("k", &[], &[2.0])
    };
    for file in [
        File::new(2)
            .tensor("w", &[HUGE, HUGE], &[1.0])
            .node("MatMul: x w -> y", &[]),
        File::new(2)
            .tensor("w", &[HUGE, 0], &[])
            .node("MatMul: x w -> y", &[]),
        File::new(HUGE)
            .tensor("w", &[HUGE, 0], &[])
            .node("MatMul: x w -> y", &[]),
        File::new(2)
            .tensor("w", &[-1, -1], &[1.0])
            .node("MatMul: x w -> y", &[]),
        File::new(2)
            .tensor("w", &[1 << 32, 1 << 32], &[])
            .node("MatMul: x w -> y", &[]),
        File::new(2)
            .tensor("w", &[2, 1, 1, 1, 1, 1, 1, 1, 1], &[1.0, 2.0])
            .node("Mul: x w -> y", &[]),
        wide().node("Mul: x k -> z", &[]).node("Tanh: z -> y", &[]),
        wide().node("Sub: k x -> z", &[]).node("Tanh: z -> y", &[]),
        wide().node("BatchNormalization: x k k k k -> y", &[]),
        wide().node("LayerNormalization: x k k -> y", &[]),
        File::bare()
            .input("x", 1, &[None, Some(HUGE), Some(HUGE)])
            .output("y")
            .node("Flatten: x -> f", &[])
            .node("Mul: f f -> y", &[]),
        wide().node(
            "ai.onnx.ml.LinearRegressor: x -> y",
            &[attribute("targets", 2, int(3, HUGE))],
        ),
        File::new(2)
            .tensor("a", &[], &[f32::NAN])
            .node("LeakyRelu: x -> y", &[float("alpha", f32::NAN)]),
        File::new(2).node("Elu: x -> y", &[float("alpha", f32::INFINITY)]),
        File::new(2)
            .tensor("k", &[], &[0.0])
            .node("Div: x k -> z", &[])
            .node("Tanh: z -> y", &[]),
        File::new(2).node(
            "HardSigmoid: x -> y",
            &[float("alpha", 1e-45), float("beta", 3e38)],
        ),
        File::new(2)
            .tensor("w", &[2], &[f32::INFINITY; 2])
            .node("Clip: x w w -> y", &[]),
    ] {
        read(&file.bytes()).expect_err("a model of no size");
    }
    // The same in constants that nodes compute, and in shapes.
    let small = || {
        File::new(2)
            .shape("huge", &[HUGE])
            .tensor("one", &[1], &[1.0])
            .shape("zeros", &[0; 8])
    };
    let wide_shape = |node: &str| small().node(node, &[]).node("Add: x c -> y", &[]);
    for file in [
        wide_shape("Expand: one huge -> c"),
        wide_shape("ConstantOfShape: huge -> c"),
        wide_shape("Reshape: one huge -> c"),
        wide_shape("Slice: one huge huge huge huge -> c"),
        wide_shape("Gather: one huge -> c"),
        wide_shape("Squeeze: one huge -> c"),
        wide_shape("Unsqueeze: one huge -> c"),
        wide_shape("Unsqueeze: one zeros -> c"),
        wide_shape("Transpose: nothing -> c"),
        wide_shape("MatMul: one one -> c"),
        wide_shape("Div: huge zeros -> c"),
        small()
            .shape("most", &[i64::MAX])
            .node("Mul: most most -> c", &[])
            .node("Reshape: x c -> y", &[]),
        small()
            .shape("least", &[i64::MIN])
            .shape("minus", &[-1])
            .node("Div: least minus -> c", &[])
            .node("Reshape: x c -> y", &[]),
        small()
            .shape("s", &[HUGE, HUGE, HUGE, HUGE])
            .node("Reshape: x s -> y", &[]),
        small().shape("s", &[-1, -1]).node("Reshape: x s -> y", &[]),
        small()
            .shape("s", &[i64::MIN, 2])
            .node("Reshape: x s -> y", &[]),
        small().node("Unsqueeze: x zeros -> y", &[]),
        small().node("Squeeze: x huge -> y", &[]),
        small().node("Flatten: x -> y", &[attribute("axis", 2, int(3, i64::MIN))]),
        small().node("Softmax: x -> y", &[attribute("axis", 2, int(3, i64::MIN))]),
        // A number of the samples times itself, and times one that the file knows.
        small()
            .node("Shape: x -> s", &[])
            .node("Mul: s s -> t", &[])
            .node("Reshape: x t -> y", &[]),
        small()
            .node("Shape: x -> s", &[])
            .node("Add: s huge -> t", &[])
            .node("Reshape: x t -> y", &[]),
        File::bare()
            .input("x", 1, &[None, Some(HUGE), Some(2)])
            .output("y")
            .tensor("k", &[2], &[1.0, 2.0])
            .node("Mul: x k -> y", &[]),
        small()
            .node("PRelu: x s -> y", &[])
            .node("Expand: one huge -> s", &[]),
        // As many as no memory holds, times 0.
        small()
            .shape("s", &[0, 1 << 33, 1 << 33])
            .node("ConstantOfShape: s -> c", &[])
            .node("Add: x c -> y", &[]),
        small()
            .tensor("e", &[0, 1 << 33, 1 << 33], &[])
            .node("Transpose: e -> c", &[])
            .node("Add: x c -> y", &[]),
        small()
            .tensor("e", &[0, 1 << 33, 1 << 33], &[])
            .node("Flatten: e -> c", &[])
            .node("Add: x c -> y", &[]),
        small()
            .tensor("e", &[1, 0], &[])
            .shape("s", &[1 << 33, 1 << 33, 0])
            .node("Reshape: e s -> c", &[])
            .node("Add: x c -> y", &[]),
        // Backward through nothing.
        small()
            .tensor("e", &[0], &[])
            .shape("first", &[0])
            .shape("back", &[-1])
            .node("Slice: e back huge first back -> c", &[])
            .node("Add: x c -> y", &[]),
    ] {
        let _ = read(&file.bytes()).expect_err("a model of no size");
    }
    // Twice as many in each node.
    for op in ["Concat: {} {} -> {}", "Concat: {} {} {} {} -> {}"] {
        let mut file = File::new(2).tensor("c0", &[2], &[1.0, 2.0]);
        for i in 0..100 {
            let (before, next) = (format!("c{i}"), format!("c{}", i + 1));
            let node = op
                .replace("-> {}", &format!("-> {next}"))
                .replace("{}", &before);
            file = file.node(&node, &[attribute("axis", 2, int(3, 0))]);
        }
        let error = read(&file.node("Add: x c100 -> y", &[]).bytes()).expect_err("2¹⁰⁰ numbers");
        assert!(
            error
                .expected()
                .starts_with("computed constants of no more numbers"),
            "{error}"
        );
    }
    // Many times so much as a small file could ask for.
    let mut file = File::bare()
        .input("x", 1, &[None, Some(100_000)])
        .output("y")
        .tensor("k", &[], &[2.0]);
    for i in 0..1000 {
        file = file.node(
            &format!(
                "Mul: {} k -> v{}",
                if i == 0 { "x".into() } else { format!("v{i}") },
                i + 1
            ),
            &[],
        );
    }
    let error =
        read(&file.node("Tanh: v1000 -> y", &[]).bytes()).expect_err("100 000 000 numbers of one");
    assert!(
        error
            .expected()
            .starts_with("single numbers for no more features"),
        "{error}"
    );
    // Many uses of the same large constant, as it is and of a part of it.
    let large = |width: i64| {
        File::new(width)
            .tensor("w", &[10_000], &[1.0; 10_000])
            .shape("zero", &[0])
            .shape("one", &[1])
    };
    let mut file = large(10_000);
    for i in 0..2000 {
        file = file.node(
            &format!(
                "Add: {} w -> v{}",
                if i == 0 { "x".into() } else { format!("v{i}") },
                i + 1
            ),
            &[],
        );
    }
    let error = read(&file.node("Tanh: v2000 -> y", &[]).bytes()).expect_err("20 000 000 numbers");
    assert!(
        error
            .expected()
            .starts_with("constants that are not used by so many nodes"),
        "{error}"
    );
    for op in ["Gather: w zero", "Slice: w zero one"] {
        let mut file = large(1);
        for i in 0..2000 {
            file = file.node(&format!("{op} -> c{i}"), &[]);
        }
        let error = read(
            &file
                .node("Add: x c0 -> z", &[])
                .node("Add: z c1999 -> y", &[])
                .bytes(),
        )
        .expect_err("20 000 000 numbers");
        assert!(
            error
                .expected()
                .starts_with("computed constants of no more numbers"),
            "{error}"
        );
    }
}

/// Graphs that take long, or a deep stack, where each part looks at all others.
fn long_graphs() {
    const MANY: usize = 20_000;
    let chain = |file: File, node: &dyn Fn(usize) -> String, last: &str| {
        let nodes: Vec<u8> = (0..MANY)
            .flat_map(|i| File::bare().node(&node(i), &[]).nodes())
            .collect();
        file.raw(nodes)
            .node(&format!("{last}: v{MANY} -> y"), &[])
            .bytes()
    };
    let step = |i: usize| {
        if i == 0 {
            "x".to_string()
        } else {
            format!("v{i}")
        }
    };
    let long = chain(
        File::new(2),
        &|i| format!("Identity: {} -> v{}", step(i), i + 1),
        "Relu",
    );
    assert_eq!(read(&long).expect("a rectifier").net().layers().len(), 1);
    let deep = chain(
        File::new(2),
        &|i| format!("Tanh: {} -> v{}", step(i), i + 1),
        "Relu",
    );
    assert_eq!(
        read(&deep).expect("a deep network").net().layers().len(),
        MANY + 1
    );
    // Sums and products of the same value twice, which fit every expression halfway.
    for op in ["Mul", "Add", "Div", "Sub", "Max"] {
        read(&chain(
            File::new(2),
            &|i| format!("{op}: {0} {0} -> v{1}", step(i), i + 1),
            "Mul",
        ))
        .expect_err("no network");
    }
    // Constants behind a long row of names, and functions of as many pieces.
    let names = File::new(2).tensor("v0", &[], &[2.0]);
    let nodes: Vec<u8> = (0..MANY)
        .flat_map(|i| {
            File::bare()
                .node(&format!("Identity: v{i} -> v{}", i + 1), &[])
                .nodes()
        })
        .collect();
    read(
        &names
            .raw(nodes)
            .node(&format!("Mul: x v{MANY} -> y"), &[])
            .bytes(),
    )
    .expect("a constant behind many names");
    let pieces = File::new(2)
        .tensor("k", &[], &[2.0])
        .node("Less: x k -> l", &[]);
    read(&chain(
        pieces,
        &|i| {
            format!(
                "Where: l k {} -> v{}",
                if i == 0 { "k".into() } else { step(i) },
                i + 1
            )
        },
        "Relu",
    ))
    .expect_err("steps back");

    // Constants and shapes behind a long row of computations, and in a circle.
    let sums: Vec<u8> = (0..MANY)
        .flat_map(|i| {
            File::bare()
                .node(&format!("Add: v{i} v{i} -> v{}", i + 1), &[])
                .nodes()
        })
        .collect();
    let constants = || {
        File::new(2)
            .tensor("v0", &[2], &[0.0, -0.0])
            .raw(sums.clone())
    };
    read(
        &constants()
            .node(&format!("Add: x v{MANY} -> z"), &[])
            .node("Tanh: z -> y", &[])
            .bytes(),
    )
    .expect("a scaler");
    let shapes = || File::new(2).shape("zero", &[0]);
    let sums: Vec<u8> = (0..MANY)
        .flat_map(|i| {
            File::bare()
                .node(&format!("Add: v{i} zero -> v{}", i + 1), &[])
                .nodes()
        })
        .collect();
    let chain = || {
        shapes()
            .raw(sums.clone())
            .node(&format!("Reshape: x v{MANY} -> z"), &[])
            .node("Tanh: z -> y", &[])
    };
    read(&chain().node("Shape: x -> v0", &[]).bytes()).expect("a reshape to its own shape");
    read(
        &chain()
            .node(&format!("Identity: v{MANY} -> v0"), &[])
            .bytes(),
    )
    .expect_err("a circle");
    // Each of many shapes looks at all of one row.
    let mut file = chain().node("Shape: x -> v0", &[]);
    for i in 0..1000 {
        file = file.node(
            &format!(
                "Reshape: {} v{} -> r{i}",
                if i == 0 {
                    "y".into()
                } else {
                    format!("r{}", i - 1)
                },
                MANY - i
            ),
            &[],
        );
    }
    assert!(
        Onnx::new()
            .output("r999")
            .read::<f64>(&file.bytes())
            .is_ok()
    );

    // Nested without end, as far as it is read and where it is passed over.
    let mut nested = Vec::new();
    for _ in 0..MANY {
        nested = bytes(6, bytes(5, bytes(1, nested)));
    }
    read(
        &File::new(2)
            .field(
                1,
                [bytes(2, "y"), bytes(4, "If"), bytes(5, nested)].concat(),
            )
            .bytes(),
    )
    .expect_err("no network");
    read(&[0x1b; MANY]).expect_err("groups without an end");
    // Empty parts, of which a byte takes the most.
    for tag in [1_u8, 5, 11, 12] {
        let many: Vec<u8> = (0..MANY).flat_map(|_| bytes(tag, [])).collect();
        read(&bytes(7, many)).expect_err("no network");
    }
    let strings: Vec<u8> = (0..MANY).flat_map(|_| bytes(1, [])).collect();
    read(&File::new(2).field(1, strings).bytes()).expect_err("no network");
    let packed = [
        int(2, 7),
        bytes(7, vec![1; MANY]),
        bytes(8, "k"),
        int(1, MANY as i64),
    ]
    .concat();
    read(
        &File::new(2)
            .field(5, packed)
            .node("Add: x k -> y", &[])
            .bytes(),
    )
    .expect_err("integers");
}

/// Branches without end: one behind the other, within one another, and shared ones.
fn many_branches() {
    const MANY: usize = 20_000;
    let value = |i: usize| {
        if i == 0 {
            "x".to_string()
        } else {
            format!("v{i}")
        }
    };
    let file = |node: &dyn Fn(usize) -> String, many: usize| {
        let nodes: Vec<u8> = (0..many)
            .flat_map(|i| File::bare().node(&node(i), &[]).nodes())
            .collect();
        File::new(2)
            .raw(nodes)
            .node(&format!("Tanh: {} -> y", value(many)), &[])
    };
    // Skips over nothing, each behind the last one.
    let skips = file(
        &|i| format!("Add: {0} {0} -> {1}", value(i), value(i + 1)),
        2000,
    );
    assert_eq!(
        read(&skips.bytes()).expect("skips").net().layers().len(),
        2001
    );
    // A skip over all from each: a sum of as many values.
    let long = file(
        &|i| format!("Add: {} x -> {}", value(i), value(i + 1)),
        MANY,
    );
    read(&long.bytes()).expect("a sum");
    // Within one another: some, and too many.
    let within = |many: usize| {
        let mut file = File::new(2);
        for i in 0..many {
            file = file.node(&format!("Relu: {} -> {}", value(i), value(i + 1)), &[]);
        }
        let mut last = value(many);
        for i in (0..many).rev() {
            file = file.node(&format!("Add: {} {last} -> s{i}", value(i)), &[]);
            last = format!("s{i}");
        }
        file.node(&format!("Tanh: {last} -> y"), &[])
    };
    read(&within(60).bytes()).expect("branches within branches");
    read(&within(MANY).bytes()).expect_err("too deep");
    // Each value twice in the next one, by ways that meet nowhere: as a tree it has no end.
    let mut file = File::new(2);
    let (mut a, mut b) = ("x".to_string(), "x".to_string());
    for i in 0..2000 {
        file = file
            .node(&format!("Add: {a} {b} -> s{i}"), &[])
            .node(&format!("Relu: s{i} -> a{i}"), &[])
            .node(&format!("Add: {b} {a} -> t{i}"), &[])
            .node(&format!("Tanh: t{i} -> b{i}"), &[]);
        (a, b) = (format!("a{i}"), format!("b{i}"));
    }
    read(&file.node(&format!("Add: {a} {b} -> y"), &[]).bytes()).expect_err("a ladder");
    // Shares of a width that no memory holds, and copies of one row.
    for node in ["Slice: x zero far one -> z", "Split: x -> z rest"] {
        let file = File::bare()
            .input("x", 1, &[None, Some(1 << 40)])
            .output("y")
            .shape("zero", &[1])
            .shape("far", &[1 << 39])
            .shape("one", &[1])
            .node(node, &[attribute("axis", 2, int(3, 1))])
            .node("Tanh: z -> y", &[]);
        read(&file.bytes()).expect_err("no memory");
    }
    let mut file = File::new(2).shape("both", &[0, 1, 0, 1, 0, 1, 0, 1]);
    for i in 0..40 {
        let node = format!("Gather: {} both -> {}", value(i), value(i + 1));
        file = file.node(&node, &[attribute("axis", 2, int(3, 1))]);
    }
    read(&file.node("Tanh: v40 -> y", &[]).bytes()).expect("rows of rows");
    let mut file = File::new(2);
    for i in 0..60 {
        let node = format!("Concat: {0} {0} {0} {0} -> {1}", value(i), value(i + 1));
        file = file.node(&node, &[attribute("axis", 2, int(3, 1))]);
    }
    read(&file.node("Tanh: v60 -> y", &[]).bytes()).expect_err("too wide");
}

/// Files cut off anywhere, with bits changed, with parts taken out and put elsewhere.
fn damaged() -> Result<()> {
    let x = zoo::inputs::<f32>(3, 9);
    let elu = Activation::Elu { alpha: 0.5 };
    let net = layers!(3;
        Dense::new(2, Activation::Gelu),
        LayerNorm::new().without_scale(),
        BatchNorm::new(),
        Dense::new(2, elu),
        Softmax
    )?;
    let ours = Onnx::new().write(&Model::new(net, Scaler::standard(&x)?, None)?)?;
    let points = chainrule::nn::Breakpoints::new(&[(-1.0, 0.5), (2.0, 1.0)])?.slopes(0.1, 0.2)?;
    let double = Onnx::new().write(&Model::<f64>::from(
        layers!(2; Dense::new(2, Activation::Softplus), RmsNorm::new(), Activation::from(points))?,
    ))?;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/onnx");
    let golden = |name: &str| std::fs::read(folder.join(name)).expect("a file");
    let files = [
        ours,
        double,
        golden("sklearn_linear1@variable.onnx"),
        golden("sklearn_logistic3@probabilities.onnx"),
        golden("torch_script_opset9_mlp.onnx"),
        golden("torch_script_opset13_norms.onnx"),
        golden("torch_script_rows.onnx"),
        golden("torch_script_residual.onnx"),
        golden("torch_dynamo_towers.onnx"),
        golden("ops_gathered.onnx"),
        golden("ops_constants.onnx"),
        golden("ops_keras_flatten.onnx"),
        golden("ops_gemm_left.onnx"),
        golden("ops_half_inside.onnx"),
        golden("ops_one_sample_unsqueezed.onnx"),
    ];
    for (number, file) in files.into_iter().enumerate() {
        // Every bit of some, and some bits of all.
        let step = if file.len() > 2000 || number > 5 {
            3
        } else {
            1
        };
        for end in 0..file.len() {
            // A file that is cut between two of its parts may still be one.
            let _ = read(&file[..end]);
        }
        let mut random = rng(file.len() as u64);
        for at in 0..file.len() {
            for bit in (0..8).step_by(step) {
                let mut changed = file.clone();
                changed[at] ^= 1 << bit;
                let _ = read(&changed);
            }
            let mut changed = file.clone();
            let (from, len) = (
                random.random_range(0..file.len()),
                random.random_range(0..24),
            );
            let piece: Vec<u8> = file[from..(from + len).min(file.len())].to_vec();
            changed.splice(at..(at + random.random_range(0..24)).min(file.len()), piece);
            let _ = read(&changed);
        }
    }
    Ok(())
}
