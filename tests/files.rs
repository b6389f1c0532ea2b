//! Model files and state dicts: what is written is read with the same bits, files of the first version and of PyTorch are read for ever, and
//! whatever else a file may hold is an error that takes no memory and changes nothing.
#![cfg(feature = "safetensors")]

use chainrule::prelude::*;
use chainrule::{Breakpoints, Safetensors};
use serde::{Deserialize, Serialize};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Counts the bytes that are alive on this thread, and the most that ever were.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    LIVE.set(LIVE.get() + bytes);
    PEAK.set(PEAK.get().max(LIVE.get()));
}

// SAFETY: hands everything to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `run` returns, and how much memory it took at its peak beside what was there.
fn peak<R>(run: impl FnOnce() -> R) -> (R, usize) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = run();
    (result, (PEAK.get() - before) as usize)
}

fn rng() -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(1)
}

/// A folder of a test alone, which goes when the test does.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("chainrule-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for temporary files");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// Every layer, every activation, and options that are not the defaults.
fn all_layers<T: Real>() -> Result<Sequential<T>> {
    let names = "step sign piecewise_linear sigmoid tanh relu relu6 selu gelu gelu_tanh silu mish softplus softsign hard_sigmoid hard_tanh hard_swish";
    let mut activations = names.split_whitespace().map(str::parse).collect::<Result<Vec<Activation>>>()?;
    activations.extend([
        Activation::LeakyRelu { slope: 0.1 + 0.2 },
        Activation::Elu { alpha: 1.0 / 3.0 },
        Breakpoints::new(&[(-1.0, -1.0 / 3.0), (0.1, 0.2), (2.0, 0.7)])?.slopes(0.01, 0.1)?.into(),
        Activation::Step.surrogate(Activation::Elu { alpha: 0.7 }),
    ]);
    let mut builder = Sequential::builder(3)
        .layer(GaussianNoise::new(0.01))
        .layer(Dense::new(5, Activation::Linear).without_bias().init(Init::Orthogonal { gain: 1.1 }))
        .layer(BatchNorm::new().momentum(0.2).eps(1e-4))
        .layer(Dropout::new(0.25))
        .layer(LayerNorm::new().without_bias())
        .layer(AlphaDropout::new(0.1))
        .layer(RmsNorm::new().eps(1e-7))
        .layer(BatchNorm::new().without_scale());
    for activation in activations {
        builder = builder.layer(Dense::new(3, activation.clone()).bias_init(Init::Normal { mean: 0.0, std: 0.5 })).layer(activation);
    }
    builder.layer(LayerNorm::new()).layer(Dense::new(4, Activation::Linear)).layer(Softmax).build(&mut rng())
}

/// A model of it with everything that a file can hold.
fn model<T: Real>() -> Result<Model<T>> {
    let mut net = all_layers::<T>()?;
    // Running statistics that are not 0 and 1.
    for (i, p) in net.params_mut().iter_mut().enumerate() {
        *p += T::of((i % 7) as f64 / 100.0);
    }
    let scaler = |n: usize| Scaler::new((0..n).map(|i| T::of(i as f64 / 3.0)).collect(), (0..n).map(|i| T::of(0.1 + i as f64)).collect());
    let mut model = Model::new(net, scaler(3)?, scaler(4)?)?;
    let notes = [("classes", "one, two, three, four"), ("format", "pt"), ("ünicode", "line\n\"quoted\"\\\u{1}"), ("", "")];
    model.metadata_mut().extend(notes.map(|(name, text)| (name.into(), text.into())));
    Ok(model)
}

fn inputs<T: Real>() -> DMatrix<T> {
    DMatrix::from_fn(3, 5, |i, j| T::of(((7 * i + 3 * j) as f64).sin()))
}

fn bits<T: Real>(numbers: &[T]) -> String {
    // Every f32 is an f64.
    numbers.iter().map(|x| format!("{:016x}", x.as_f64().to_bits())).collect::<Vec<_>>().join(" ")
}

fn round<T: Real>() -> Result<()> {
    let model = model::<T>()?;
    let bytes = model.to_safetensors()?;
    assert_eq!(model.clone().to_safetensors()?, bytes);
    let read = Model::<T>::from_safetensors(&bytes)?;
    assert_eq!(read, model);
    assert_eq!(bits(read.net().params()), bits(model.net().params()));
    assert_eq!(bits(read.predict(&inputs())?.as_slice()), bits(model.predict(&inputs())?.as_slice()));
    assert_eq!(format!("{:?}", read.net().layers()), format!("{:?}", model.net().layers()));
    assert_eq!(read.to_safetensors()?, bytes);

    // As any reader of the format sees it, and with its data aligned.
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("a file of the format");
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes"));
    assert_eq!((header % 8, bytes[8]), (0, b'{'));
    let first = tensors.tensor("1.weight").expect("the first weights");
    assert_eq!(first.shape(), [5, 3]);
    let number = |index: usize| {
        let mut own = [0; 8];
        own[..T::BYTES].copy_from_slice(&first.data()[index * T::BYTES..][..T::BYTES]);
        T::from_bytes(own)
    };
    let weights = model.net().weights(1)?;
    assert!((0..5).all(|i| (0..3).all(|j| number(3 * i + j) == weights[(i, j)])));
    // The notes are those of the user, and two of ours.
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).expect("a header");
    let notes = metadata.metadata().as_ref().expect("notes");
    assert_eq!((notes.len(), notes["chainrule.version"].as_str()), (6, "1"));
    assert!(model.metadata().iter().all(|(name, text)| notes[name] == *text));

    // With NaN and ±∞, which are numbers of the network as all others.
    let mut wild = model.clone();
    wild.net_mut().params_mut()[..4].copy_from_slice(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0].map(T::of));
    let read = Model::<T>::from_safetensors(&wild.to_safetensors()?)?;
    assert_eq!(bits(read.net().params()), bits(wild.net().params()));
    let finite = Safetensors::new().finite();
    assert_eq!(finite.write(&wild).unwrap_err().kind(), ErrorKind::NotFinite);
    let error = finite.read(&wild.to_safetensors()?).unwrap_err();
    assert_eq!((error.kind(), error.place()), (ErrorKind::NotFinite, "safetensors: tensor 1.weight, row 0 of 5"));
    assert_eq!(finite.read(&bytes)?, model);
    Ok(())
}

#[test]
fn what_is_written_is_read_with_the_same_bits() -> Result<()> {
    round::<f32>()?;
    round::<f64>()
}

#[test]
fn names_are_those_of_pytorch() -> Result<()> {
    let net = Sequential::<f32>::builder(3)
        .layer(Dense::new(5, Activation::Relu))
        .layer(Dropout::new(0.5))
        .layer(Dense::new(4, Activation::Linear).without_bias())
        .layer(BatchNorm::new())
        .layer(Activation::Tanh)
        .layer(LayerNorm::new())
        .layer(RmsNorm::new())
        .layer(Prelu::new().per_feature())
        .layer(Prelu::new().slope(0.1))
        .layer(Activation::Celu { alpha: 1.0 / 3.0 })
        .layer(Activation::ThresholdedRelu { theta: 0.1 })
        .layer(Dense::new(1, Activation::Linear))
        .build(&mut rng())?;
    let bytes = Model::from(net.clone()).to_safetensors()?;
    assert_eq!(Model::<f32>::from_safetensors(&bytes)?.net(), &net);
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("a file");
    let mut shapes: Vec<(&str, &[usize])> = tensors.iter().map(|(name, _)| name).map(|name| (name, &[][..])).collect();
    shapes.sort_unstable();
    let names: Vec<&str> = shapes.iter().map(|(name, _)| *name).collect();
    let expected = "0.bias 0.weight 12.bias 12.weight 3.weight 4.bias 4.running_mean 4.running_var 4.weight 6.bias 6.weight 7.weight 8.weight 9.weight";
    assert_eq!(names.join(" "), expected);
    let shape = |name: &str| tensors.tensor(name).expect("there").shape().to_vec();
    assert_eq!((shape("12.weight"), shape("12.bias"), shape("4.running_var")), (vec![1, 4], vec![1], vec![4]));
    assert_eq!((shape("8.weight"), shape("9.weight")), (vec![4], vec![1]));
    Ok(())
}

fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file)
}

/// Whether the kernels use fused multiply-add, whose bits are the same on all machines that have it.
fn fused() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    return cfg!(target_arch = "aarch64");
}

/// A golden file, which holds `model` at the parameters that its table has, and makes of some inputs what the table says. With `UPDATE_GOLDEN`
/// set, writes both anew: that is for a new version of the format, in a folder of its own; the files of a version that has been released stay.
fn check_golden<T: Real>(name: &str, model: Model<T>, tolerance: f64) -> Result<()> {
    let (path, table) = (golden(&format!("v1/{name}.safetensors")), golden(&format!("v1/{name}.tsv")));
    if env::var_os("UPDATE_GOLDEN").is_some() {
        model.save(&path)?;
        let mut text = String::new();
        writeln!(text, "params\t{}", bits(model.net().params())).expect("a text");
        writeln!(text, "inputs\t{}", bits(inputs::<T>().as_slice())).expect("a text");
        writeln!(text, "outputs\t{}", bits(model.predict(&inputs())?.as_slice())).expect("a text");
        fs::write(&table, text).expect("a file that can be written");
    }
    let text = fs::read_to_string(table).expect("the table");
    let [params, inputs, outputs]: [Vec<T>; 3] = ["params", "inputs", "outputs"].map(|what| {
        let line = text.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix('\t')).expect("a line");
        line.split(' ').map(|bits| T::of(f64::from_bits(u64::from_str_radix(bits, 16).expect("bits")))).collect()
    });
    let mut expected = model;
    expected.net_mut().set_params(&params)?;
    let read = Model::<T>::load(&path)?;
    assert_eq!(read, expected, "{name}");
    assert_eq!(bits(read.net().params()), bits(&params), "{name}");
    let y = read.predict(View::new(&inputs, read.net().inputs())?)?;
    if fused() {
        assert_eq!(bits(y.as_slice()), bits(&outputs), "{name}");
    }
    assert!(y.iter().zip(&outputs).all(|(y, t)| (y.as_f64() - t.as_f64()).abs() <= tolerance * (1.0 + t.as_f64().abs())), "{name}");
    Ok(())
}

#[test]
fn files_of_version_1_are_read() -> Result<()> {
    check_golden("all_layers_f32", model::<f32>()?, 1e-5)?;
    check_golden("all_layers_f64", model::<f64>()?, 1e-13)?;
    let plain = Sequential::builder(3).layer(Dense::new(2, Activation::Tanh)).build(&mut rng())?;
    check_golden::<f32>("plain_f32", plain.into(), 1e-6)?;
    // A file of f32 is one of f64, too.
    let (narrow, wide) = (Model::<f32>::load(golden("v1/plain_f32.safetensors"))?, Model::<f64>::load(golden("v1/plain_f32.safetensors"))?);
    assert_eq!(bits(narrow.net().params()), bits(wide.net().params()));
    Ok(())
}

/// Reads a state dict that PyTorch has written and compares what the network makes of some inputs with what PyTorch did.
fn check_pytorch<T: Real>(name: &str, mut net: Sequential<T>, tolerance: f64) -> Result<()> {
    net.load_params(golden(&format!("pytorch/{name}.safetensors")))?;
    let table = fs::read_to_string(golden(&format!("pytorch/{name}.tsv"))).expect("the table");
    for line in table.lines() {
        let numbers = |text: &str| text.split(' ').map(|x| x.parse().expect("a number")).collect::<Vec<f64>>();
        let (x, t) = line.split_once('\t').map(|(x, t)| (numbers(x), numbers(t))).expect("inputs and outputs");
        let x: Vec<T> = x.into_iter().map(T::of).collect();
        let y = net.predict(View::new(&x, x.len())?)?;
        assert_eq!(y.len(), t.len());
        for (y, t) in y.iter().zip(t) {
            assert!((y.as_f64() - t).abs() <= tolerance * (1.0 + t.abs()), "{name}: {y}, expected {t}");
        }
    }
    Ok(())
}

fn mlp<T: Real>() -> Result<Sequential<T>> {
    Sequential::builder(3)
        .layer(Dense::new(5, Activation::Relu))
        .layer(Dropout::new(0.5))
        .layer(Dense::new(4, Activation::Tanh))
        .layer(Dense::new(2, Activation::Linear))
        .build(&mut rng())
}

fn norms<T: Real>() -> Result<Sequential<T>> {
    Sequential::builder(4)
        .layer(Dense::new(6, Activation::Linear).without_bias())
        .layer(BatchNorm::new())
        .layer(Activation::Silu)
        .layer(LayerNorm::new())
        .layer(AlphaDropout::new(0.1))
        .layer(RmsNorm::new().eps(1e-6))
        .layer(Dense::new(3, Activation::Linear))
        .layer(Softmax)
        .build(&mut rng())
}

#[test]
fn state_dicts_of_pytorch_are_read() -> Result<()> {
    check_pytorch::<f32>("mlp_f32", mlp()?, 1e-6)?;
    check_pytorch::<f64>("mlp_f32", mlp()?, 1e-14)?;
    check_pytorch::<f64>("mlp_f64", mlp()?, 1e-14)?;
    check_pytorch::<f32>("mlp_f16", mlp()?, 1e-6)?;
    check_pytorch::<f64>("mlp_f16", mlp()?, 1e-14)?;
    check_pytorch::<f32>("mlp_bf16", mlp()?, 1e-6)?;
    check_pytorch::<f64>("mlp_bf16", mlp()?, 1e-14)?;
    check_pytorch::<f32>("norms_f32", norms()?, 1e-6)?;
    check_pytorch::<f64>("norms_f32", norms()?, 1e-14)?;
    let names = "sigmoid tanh relu leaky_relu(slope=0.2) relu6 elu(alpha=0.7) selu gelu gelu_tanh silu mish softplus softsign hard_sigmoid \
                 hard_tanh hard_swish";
    let activations = names.split_whitespace().map(str::parse::<Activation>).collect::<Result<Vec<_>>>()?;
    let builder = activations.into_iter().fold(Sequential::builder(2), |builder, activation| builder.layer(Dense::new(3, activation)));
    check_pytorch::<f64>("activations_f64", builder.layer(Dense::new(3, Activation::Linear)).build(&mut rng())?, 1e-14)?;

    // Everything about a dict that does not fit is said, and changes nothing.
    let mut net = mlp::<f32>()?;
    let before = net.clone();
    let error = net.load_params(golden("pytorch/mlp_f64.safetensors")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(
        error.to_string().ends_with("tensor 0.bias: got F64, expected numbers that f32 holds (a network of f64 takes them all)"),
        "{error}"
    );
    let error = net.load_params(golden("pytorch/norms_f32.safetensors")).unwrap_err();
    assert!(error.to_string().contains("tensor 0.bias: got none, expected one of shape [5] (there are 0.weight 1.bias"), "{error}");
    let error = Model::<f32>::load(golden("pytorch/mlp_f32.safetensors")).unwrap_err();
    assert!(error.to_string().contains("a state dict has no architecture"), "{error}");
    let mut wider = Sequential::<f32>::builder(3)
        .layer(Dense::new(6, Activation::Relu))
        .layer(Dropout::new(0.5))
        .layer(Dense::new(4, Activation::Tanh))
        .layer(Dense::new(2, Activation::Linear))
        .build(&mut rng())?;
    let error = wider.load_params(golden("pytorch/mlp_f32.safetensors")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shape);
    assert!(error.to_string().ends_with("tensor 0.bias: got [5], expected shape [6]"), "{error}");
    assert_eq!(net, before);
    Ok(())
}

/// A file with this header and so many bytes of data, all 0.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

/// y = w·x + b of two inputs.
fn neuron() -> Result<Sequential<f32>> {
    Sequential::builder(2).layer(Dense::new(1, Activation::Linear)).build(&mut rng())
}

const WEIGHT: &str = r#""0.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}"#;
const BIAS: &str = r#""0.bias":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}"#;

/// What a reader says to a file that it must not take: in little memory, and without a change.
fn refused(bytes: &[u8]) -> Result<Error> {
    let mut net = neuron()?;
    let before = net.clone();
    let (read, took) = peak(|| net.read_params(bytes));
    let error = read.expect_err("a file that is no state dict of the network");
    assert!(took < 16 * bytes.len() + 10_000, "{took} bytes for {error}");
    assert_eq!(net, before);
    let (model, took) = peak(|| Model::<f32>::from_safetensors(bytes));
    assert!(took < 16 * bytes.len() + 10_000, "{took} bytes for a model");
    assert!(model.is_err());
    Ok(error)
}

#[test]
fn hostile_headers_are_refused() -> Result<()> {
    let mut net = neuron()?;
    net.read_params(&file(&format!("{{{WEIGHT},{BIAS}}}"), 12))?;
    assert_eq!(net.params(), [0.0; 3]);

    let check = |header: &str, data: usize, part: &str| {
        let error = refused(&file(header, data)).expect("a network");
        assert!(error.to_string().contains(part), "{header}: {error}");
        assert!(error.to_string().starts_with("safetensors: "), "{error}");
    };
    // 2⁴⁰ × 2⁴⁰, and sizes whose product, sum or number of bits overflows.
    let tensor = |shape: &str, from: &str, to: &str| {
        format!(r#"{{"0.weight":{{"dtype":"F32","shape":[{shape}],"data_offsets":[{from},{to}]}},{BIAS}}}"#)
    };
    check(&tensor("1099511627776,1099511627776", "0", "8"), 12, "tensors one after the other");
    check(&tensor("1099511627776,1099511627776", "0", "4835703278458516698824704"), 12, "as JSON");
    check(&tensor("1099511627776,2", "0", "8796093022208"), 12, "tensors one after the other");
    check(&tensor("18446744073709551615,2", "0", "8"), 12, "tensors one after the other");
    check(&tensor("18446744073709551616,2", "0", "8"), 12, "as JSON");
    check(&tensor("-1,2", "0", "8"), 12, "as JSON");
    check(&tensor("1.0,2", "0", "8"), 12, "as JSON");
    check(&tensor("1,2", "4", "12"), 12, "tensors one after the other"); // they overlap
    check(&tensor("1,2", "0", "12"), 12, "tensors one after the other");
    check(&tensor("1,2", "8", "0"), 12, "tensors one after the other");
    check(&tensor("1,1", "0", "4"), 12, "tensors one after the other"); // a gap
    check(&tensor("2,1", "0", "8"), 12, "tensor 0.weight: got [2, 1], expected shape [1, 2]");
    check(&tensor("2", "0", "8"), 12, "got [2], expected shape [1, 2]");
    let huge = (0..8)
        .map(|i| {
            format!(
                r#""{i}":{{"dtype":"U8","shape":[2305843009213693951],"data_offsets":[{},{}]}}"#,
                i * 2305843009213693951_u64,
                (i + 1) * 2305843009213693951
            )
        })
        .collect::<Vec<_>>()
        .join(",");
    check(&format!("{{{huge}}}"), 12, "got 18446744073709551608, expected tensors of 12 bytes, as in the file"); // together 2⁶⁴ − 8
    let sound = format!("{{{WEIGHT},{BIAS}}}");
    check(&sound, 11, "got 12, expected tensors of 11 bytes, as in the file");
    check(&sound, 13, "got 12, expected tensors of 13 bytes, as in the file");
    check("", 0, "as JSON");
    check("{", 0, "as JSON");
    check("[]", 0, "as JSON");
    check("null", 0, "as JSON");
    check("{}", 0, "tensor 0.bias: got none, expected one of shape [1]");
    check(&format!("{{{WEIGHT},{WEIGHT},{BIAS}}}"), 12, "\"0.weight\" is there twice");
    check(&format!(r#"{{"__metadata__":{{}},{WEIGHT},{BIAS},"__metadata__":{{}}}}"#), 12, "\"__metadata__\" is there twice");
    check(&format!(r#"{{"__metadata__":{{"a":"1","a":"2"}},{WEIGHT},{BIAS}}}"#), 12, "\"a\" is there twice");
    check(&format!(r#"{{"__metadata__":{{"a":1}},{WEIGHT},{BIAS}}}"#), 12, "as JSON");
    check(
        &format!(r#"{{"__metadata__":{{"chainrule.version":"2"}},{WEIGHT},{BIAS}}}"#),
        12,
        "got \"2\", expected version 1, the only one so far",
    );
    let typed = |dtype: &str, shape: &str, bytes: usize| {
        format!(r#"{{{WEIGHT},"0.bias":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[8,{bytes}]}}}}"#)
    };
    check(&typed("I32", "[1]", 12), 12, "tensor 0.bias: got I32, expected numbers that f32 holds");
    check(&typed("F8_E4M3", "[1]", 9), 9, "got F8_E4M3, expected numbers that f32 holds");
    check(&typed("F64", "[1]", 16), 16, "a network of f64 takes them all");
    check(&typed("F128", "[1]", 24), 24, "as JSON");
    check(
        &format!(r#"{{{WEIGHT},{BIAS},"1.weight":{{"dtype":"F32","shape":[1,1],"data_offsets":[12,16]}}}}"#),
        16,
        "tensor 1.weight: got one, expected none",
    );
    // PyTorch's count of batches belongs to a batch norm.
    check(
        &format!(r#"{{{WEIGHT},{BIAS},"0.num_batches_tracked":{{"dtype":"I64","shape":[],"data_offsets":[12,20]}}}}"#),
        20,
        "tensor 0.num_batches_tracked: got one, expected none",
    );
    check(&format!(r#"{{"0.weight":{},{BIAS}}}"#, "[".repeat(100_000)), 12, "as JSON");
    check(&format!("{}{}", r#"{"0.weight":{"x":"#.repeat(50_000), "}".repeat(100_000)), 12, "as JSON");

    // A header that is longer than the file, or than any reader takes.
    for size in [0, 1, 12, 1 << 20, 100_000_001, 1 << 40, u64::MAX - 7, u64::MAX] {
        let mut bytes = file(&sound, 12);
        bytes[..8].copy_from_slice(&size.to_le_bytes());
        refused(&bytes)?;
    }
    for bytes in [&[][..], &[0], &[0; 7], &[0; 8]] {
        assert_eq!(refused(bytes)?.kind(), ErrorKind::Parse);
    }
    Ok(())
}

#[test]
fn hostile_architectures_are_refused() -> Result<()> {
    let check = |model: &str, part: &str| {
        let notes = serde_json::json!({ "chainrule.version": "1", "chainrule.model": model });
        let bytes = file(&format!(r#"{{"__metadata__":{notes},{WEIGHT},{BIAS}}}"#), 12);
        let (read, took) = peak(|| Model::<f32>::from_safetensors(&bytes));
        let text = read.map_or_else(|e| e.to_string(), |model| format!("read: {:?}", model.net().layers()));
        assert!(text.contains(part), "{model}: {text}");
        assert!(took < 16 * bytes.len() + 20_000, "{took} bytes for {text}");
    };
    let described = |scalar: &str, inputs: &str, layers: &str, scalers: &str| {
        format!(r#"{{"scalar":"{scalar}","inputs":{inputs},"layers":[{layers}],{scalers}}}"#)
    };
    let dense = |outputs: &str| format!(r#"{{"Dense":{{"outputs":{outputs},"activation":"linear","bias":"Zeros","init":"HeNormal"}}}}"#);
    let none = r#""input_scaler":null,"output_scaler":null"#;
    check(&described("f32", "2", &dense("1"), none), "read: [Dense");
    check(&described("f64", "2", &dense("1"), none), "got one of f64, expected a model of f32");
    check(&described("f16", "2", &dense("1"), none), "got one of f16, expected a model of f32");
    check(&described("f32", "0", &dense("1"), none), "at least 1 input");
    check(&described("f32", "-1", &dense("1"), none), "chainrule.model");
    check(&described("f32", "2", "", none), "at least 1 layer");
    check(&described("f32", "2", &dense("0"), none), "layer 0 (Dense linear): got 0, expected at least 1 output");
    check(&described("f32", "2", &dense("1099511627776"), none), "tensor 0.weight: got [1, 2], expected shape [1099511627776, 2]");
    check(&described("f32", "1099511627776", &dense("1099511627776"), none), "parameters that fit into memory");
    check(&described("f32", "18446744073709551615", &dense("1"), none), "parameters that fit into memory");
    check(&described("f32", "18446744073709551615", r#"{"Softmax":null}"#, none), "tensor 0.weight: got one, expected none");
    check(&described("f32", "2", &[dense("1"), dense("1")].join(","), none), "tensor 1.bias: got none, expected one of shape [1]");
    check(
        &described("f32", "2", r#"{"Swish":null}"#, none),
        "layer 0: got unknown variant `Swish`, expected a layer of this crate, or one that is made known",
    );
    check(&described("f32", "2", r#"{"Dropout":{"p":1.0}}"#, none), "layer 0 (Dropout): got 1, expected a probability");
    check(&described("f32", "2", r#"{"Activation":"elu(alpha=NaN)"}"#, none), "layer 0");
    check(&described("f32", "2", &format!("{},{}", r#""Softmax""#, dense("1")), none), "layer 0");
    check(&described("f32", "2", "{}", none), "layer 0");
    check(&described("f32", "2", &dense("1"), r#""input_scaler":{"shift":[0],"scale":[1]},"output_scaler":null"#), "scaler of inputs");
    check(&described("f32", "2", &dense("1"), r#""input_scaler":{"shift":[0,1],"scale":[1,0]},"output_scaler":null"#), "Scaler::new");
    check(&described("f32", "2", &dense("1"), r#""input_scaler":null"#), "missing field");
    check(&described("f32", "2", &dense("1"), &format!("{none},\"extra\":1")), "unknown field");
    check(&described("f32", "2", &"[".repeat(100_000), none), "chainrule.model");
    check("", "chainrule.model");
    let model = described("f32", "2", &dense("1"), none);
    let notes = serde_json::json!({ "chainrule.version": "1", "chainrule.model": model, "chainrule.more": "" });
    let error = Model::<f32>::from_safetensors(&file(&format!(r#"{{"__metadata__":{notes},{WEIGHT},{BIAS}}}"#), 12)).unwrap_err();
    assert!(error.to_string().contains("got \"chainrule.more\", expected names that do not begin with chainrule."), "{error}");
    let bytes = file(&format!(r#"{{"__metadata__":{{"chainrule.version":"1"}},{WEIGHT},{BIAS}}}"#), 12);
    assert_eq!(Model::<f32>::from_safetensors(&bytes).unwrap_err().kind(), ErrorKind::Parse);
    Ok(())
}

#[test]
fn damaged_files_are_refused_or_sound() -> Result<()> {
    let net = Sequential::<f32>::builder(2)
        .layer(Dense::new(2, Activation::Elu { alpha: 0.5 }))
        .layer(BatchNorm::new())
        .layer(Softmax)
        .build(&mut rng())?;
    let mut net_of_same = net.clone();
    let mut model = Model::new(net, Scaler::new(vec![0.5, 1.0], vec![1.0, 2.0])?, None)?;
    model.metadata_mut().insert("note".into(), "text".into());
    let bytes = model.to_safetensors()?;
    let x = DMatrix::from_element(2, 1, 1.0);
    let mut read = |bytes: &[u8]| -> Result<bool> {
        let (read, took) = peak(|| Model::<f32>::from_safetensors(bytes));
        assert!(took < 16 * bytes.len() + 10_000, "{took} bytes");
        if let Ok(model) = &read {
            // Whatever it is now, it predicts.
            assert_eq!(model.predict(&x)?.ncols(), 1);
        }
        let before = net_of_same.clone();
        if net_of_same.read_params(bytes).is_err() {
            assert_eq!(net_of_same, before);
        }
        net_of_same = before;
        Ok(read.is_ok())
    };
    for end in 0..bytes.len() {
        assert!(!read(&bytes[..end])?, "the first {end} bytes were read");
    }
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
    for bit in 0..8 * bytes.len() {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let sound = read(&damaged)?;
        // The length of the header and the tensors are bits of which each counts, or none is wrong.
        assert!(if bit < 64 { !sound } else { sound || bit < 8 * header }, "bit {bit}");
    }
    Ok(())
}

#[test]
fn reading_takes_the_memory_of_the_parameters() -> Result<()> {
    let net = Sequential::<f32>::builder(300)
        .layer(Dense::new(1000, Activation::Relu))
        .layer(Dense::new(3, Activation::Linear))
        .build(&mut rng())?;
    let (folder, params) = (Folder::new("memory"), net.params().len() * 4);
    let path = folder.0.join("model.safetensors");
    Model::from(net.clone()).save(&path)?;
    let (model, took) = peak(|| Model::<f32>::load(&path));
    assert!((params..params + 100_000).contains(&took), "{took} bytes for {params}");
    let mut net = model?.into_net();
    let (read, took) = peak(|| net.load_params(&path));
    assert!((params..params + 100_000).contains(&took), "{took} bytes for {params}");
    read
}

#[test]
fn files_are_there_whole_or_not_at_all() -> Result<()> {
    let folder = Folder::new("files");
    let path = folder.0.join("model.safetensors");
    let model = model::<f64>()?;
    model.save(&path)?;
    assert_eq!(Model::<f64>::load(&path)?, model);
    // What cannot be written leaves the old file, and nothing beside it.
    let mut other = model.clone();
    other.metadata_mut().insert("chainrule.version".into(), "9".into());
    let error = other.save(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Value);
    assert!(error.to_string().contains("names that do not begin with chainrule."), "{error}");
    assert_eq!(Model::<f64>::load(&path)?, model);
    assert_eq!(fs::read_dir(&folder.0).expect("a folder").count(), 1);

    let error = Model::<f64>::load(folder.0.join("none.safetensors")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.place().ends_with("none.safetensors"));
    assert_eq!(Model::<f64>::load(&folder.0).unwrap_err().kind(), ErrorKind::Io);
    let error = Model::<f32>::load(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(error.to_string().ends_with("got one of f64, expected a model of f32"), "{error}");
    // A model file is a state dict.
    let mut net = all_layers::<f64>()?;
    net.load_params(&path)?;
    assert_eq!(&net, model.net());
    Ok(())
}

/// y = g ⊙ x, a layer of another crate with parameters and an option.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Gain {
    start: f64,
}

impl<T: Real> Layer<T> for Gain {
    fn name(&self) -> String {
        "Gain".into()
    }
    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }
    fn blocks(&self, inputs: usize) -> Vec<Block> {
        vec![Block::new("gain", Role::Scale, inputs, 1), Block::new("mix", Role::Weight, inputs, 2), Block::new("none", Role::Weight, 3, 0)]
    }
    fn start(&self, p: chainrule::Start<'_, T>) {
        for (i, p) in p.params.iter_mut().enumerate() {
            *p = T::of(self.start + i as f64);
        }
    }
    fn infer(&self, mut p: Infer<'_, T>) {
        for (y, x) in p.y.iter_mut().zip(p.x.iter()) {
            for ((y, x), g) in y.iter_mut().zip(x).zip(p.params) {
                *y = *g * *x;
            }
        }
    }
    fn backward(&self, _: Backward<'_, T>) {}
}

/// Another, whose blocks have one name.
#[derive(Debug, Serialize, Deserialize)]
struct Twins;

impl<T: Real> Layer<T> for Twins {
    fn name(&self) -> String {
        "Twins".into()
    }
    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }
    fn blocks(&self, inputs: usize) -> Vec<Block> {
        vec![Block::new("twin", Role::Scale, inputs, 1), Block::new("twin", Role::Bias, inputs, 1)]
    }
    fn infer(&self, _: Infer<'_, T>) {}
    fn backward(&self, _: Backward<'_, T>) {}
}

fn foreign<T: Real>(layer: impl Layer<T>) -> Result<Model<T>> {
    let dense = || Dense::new(3, Activation::Relu);
    Ok(Sequential::builder(2).layer(dense()).layer(layer).layer(dense()).build(&mut rng())?.into())
}

#[test]
fn layers_of_other_crates_are_known_by_name() -> Result<()> {
    let model = foreign::<f64>(Gain { start: 0.1 })?;
    let error = model.to_safetensors().unwrap_err();
    assert!(error.to_string().starts_with("layer 1 (Gain): got Gain, expected a layer of this crate, or"), "{error}");
    let files = Safetensors::new().layer::<Gain>("mine::Gain")?;
    let bytes = files.write(&model)?;
    let read = files.read(&bytes)?;
    assert_eq!(read, model);
    assert_eq!(read.predict(&DMatrix::from_element(2, 1, 0.5))?, model.predict(&DMatrix::from_element(2, 1, 0.5))?);
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("a file");
    let shape = |name: &str| tensors.tensor(name).expect("there").shape().to_vec();
    assert_eq!((shape("2.gain"), shape("2.mix"), shape("2.none"), shape("3.weight")), (vec![3], vec![3, 2], vec![3, 0], vec![3, 3]));

    // Not known, or by another name.
    let error = Model::<f64>::from_safetensors(&bytes).unwrap_err();
    assert!(error.to_string().starts_with("layer 1: got ") && error.to_string().contains(", expected a layer of this crate"), "{error}");
    assert!(error.given().contains("mine::Gain"), "{error}");
    assert!(Safetensors::<f64>::new().layer::<Gain>("other::Gain")?.read(&bytes).is_err());
    // Under both, a new name is written and the old one read.
    let renamed = Safetensors::new().layer::<Gain>("new::Gain")?.layer::<Gain>("mine::Gain")?;
    assert_eq!(renamed.read(&bytes)?, model);
    assert_eq!(renamed.read(&renamed.write(&model)?)?, model);
    assert!(files.read(&renamed.write(&model)?).is_err());
    // Parameters need no name of the layer.
    let mut net = foreign::<f64>(Gain { start: 7.0 })?.into_net();
    net.read_params(&bytes)?;
    assert_eq!(net.params(), model.net().params());

    for taken in ["mine::Gain", "Dense", "Activation"] {
        let error = files.clone().layer::<Gain>(taken).unwrap_err();
        assert_eq!((error.kind(), error.given()), (ErrorKind::Value, format!("{taken:?}").as_str()));
    }
    let error = files.clone().layer::<Twins>("mine::Twins")?.write(&foreign(Twins)?).unwrap_err();
    assert!(
        error.to_string().contains("layer 1 (Twins): got two of \"none\", expected parameter blocks with names of their own"),
        "{error}"
    );
    // What JSON cannot hold could not be read back.
    let error = files.write(&foreign(Gain { start: f64::NAN })?).unwrap_err();
    assert_eq!((error.kind(), error.place()), (ErrorKind::Parse, "layer 1 (Gain)"));
    Ok(())
}

#[test]
fn a_module_within_a_larger_one_has_a_prefix() -> Result<()> {
    let model = model::<f32>()?;
    let (policy, value) = (Safetensors::new().prefix("policy."), Safetensors::new().prefix("value."));
    let bytes = policy.write(&model)?;
    assert_eq!(policy.read(&bytes)?, model);
    let error = value.read(&bytes).unwrap_err();
    assert!(error.to_string().contains("tensor value.1.weight: got none, expected one of shape [5, 3]"), "{error}");
    // Two modules in one dict.
    let two = r#"{"value.0.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"policy.0.weight":{"dtype":"BF16","shape":[1,2],"data_offsets":[8,12]},
            "policy.0.bias":{"dtype":"F16","shape":[1],"data_offsets":[12,14]},"value.0.bias":{"dtype":"F32","shape":[1],"data_offsets":[14,18]}}"#;
    let mut bytes = file(two, 0);
    bytes.extend([1.5_f32, -2.0].iter().flat_map(|x| x.to_le_bytes()));
    bytes.extend([0x3f80_u16, 0xc040, 0x3555].iter().flat_map(|x| x.to_le_bytes()));
    bytes.extend(0.25_f32.to_le_bytes());
    let mut net = neuron()?;
    value.read_params(&mut net, &bytes)?;
    assert_eq!(net.params(), [1.5, -2.0, 0.25]);
    policy.read_params(&mut net, &bytes)?;
    assert_eq!(net.params(), [1.0, -3.0, 0.333_251_95]);
    assert!(net.read_params(&bytes).is_err());
    Ok(())
}

#[test]
fn half_precision_is_read_exactly() -> Result<()> {
    // All numbers of binary16 and bfloat16, against their definitions by powers of two.
    let two = |exponent: i32| 2_f64.powi(exponent);
    let value = |bits: u32, fraction_bits: u32, bias: i32, top: u32| {
        let (exponent, fraction) = (bits >> fraction_bits & top, f64::from(bits & ((1 << fraction_bits) - 1)) / two(fraction_bits as i32));
        let size = match exponent {
            0 => fraction * two(1 - bias),
            e if e == top => {
                if fraction == 0.0 {
                    f64::INFINITY
                } else {
                    f64::NAN
                }
            }
            e => (1.0 + fraction) * two(e as i32 - bias),
        };
        if bits >> 15 == 0 { size } else { -size }
    };
    for (dtype, fraction_bits, bias, top) in [("F16", 10, 15, 31), ("BF16", 7, 127, 255)] {
        let header = format!(r#"{{"0.weight":{{"dtype":"{dtype}","shape":[1,65536],"data_offsets":[0,131072]}}}}"#);
        let mut bytes = file(&header, 0);
        bytes.extend((0..=u16::MAX).flat_map(u16::to_le_bytes));
        let mut wide = Sequential::<f64>::builder(65536).layer(Dense::new(1, Activation::Linear).without_bias()).build(&mut rng())?;
        let mut narrow = Sequential::<f32>::builder(65536).layer(Dense::new(1, Activation::Linear).without_bias()).build(&mut rng())?;
        wide.read_params(&bytes)?;
        narrow.read_params(&bytes)?;
        for (bits, (wide, narrow)) in (0..=u32::from(u16::MAX)).zip(wide.params().iter().zip(narrow.params())) {
            let expected = value(bits, fraction_bits, bias, top);
            if expected.is_nan() {
                assert!(wide.is_nan() && narrow.is_nan());
            } else {
                assert_eq!([wide.to_bits(), f64::from(*narrow).to_bits()], [expected.to_bits(); 2], "{dtype} {bits:x}");
            }
        }
    }
    Ok(())
}

#[cfg(feature = "num-dual")]
#[test]
fn scalars_that_no_file_holds_are_refused() -> Result<()> {
    let mut net = Sequential::<num_dual::Dual64>::builder(2).layer(Dense::new(1, Activation::Linear)).build(&mut rng())?;
    let error = net.read_params(&file(&format!("{{{WEIGHT},{BIAS}}}"), 12)).unwrap_err();
    assert_eq!((error.kind(), error.expected()), (ErrorKind::Incompatible, "f32 or f64"));
    assert_eq!(Model::from(net).to_safetensors().unwrap_err().kind(), ErrorKind::Incompatible);
    Ok(())
}
