//! Shared by the Rust peers (included with `#[path]`): specs, deterministic data, timing, output.
#![allow(dead_code)]
use std::time::Instant;

/// Of the hidden layers, and with `Loss::Sse` of the last one, too, which else is linear.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Act {
    Sigmoid,
    Tanh,
    Relu,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Loss {
    Sse,
    Mse,
    Ce,
    Bce,
}

#[derive(Clone, Copy)]
pub struct Spec {
    pub sizes: &'static [usize],
    pub act: Act,
    pub loss: Loss,
    pub adam: bool,
    pub lr: f64,
    pub batch: usize,
    pub rows: usize,
}

pub fn spec(item: &str) -> Spec {
    use {Act::*, Loss::*};
    let s = |sizes, act, loss, adam, lr, batch, rows| Spec {
        sizes,
        act,
        loss,
        adam,
        lr,
        batch,
        rows,
    };
    match item {
        "T1" => s(&[2, 3, 1], Sigmoid, Sse, false, 0.5, 3, 3),
        "T2" => s(&[13, 64, 64, 1], Relu, Mse, true, 1e-3, 32, 4096),
        "T3" => s(&[64, 64, 64, 10], Relu, Ce, true, 1e-3, 32, 4096),
        "T4" => s(&[784, 128, 10], Relu, Ce, false, 0.01, 32, 4096),
        "T5" => s(&[784, 512, 512, 10], Relu, Ce, true, 1e-3, 128, 8192),
        "T6" => s(
            &[1024, 1024, 1024, 1024, 10],
            Relu,
            Ce,
            true,
            1e-3,
            256,
            4096,
        ),
        "S1" => s(&[4, 8, 1], Tanh, Sse, false, 0.1, 1, 4096),
        "S2" => s(&[4, 8, 3], Tanh, Ce, true, 1e-3, 16, 4096),
        "S3" => s(&[2, 8, 8, 1], Tanh, Bce, true, 1e-3, 32, 4096),
        "S4" => s(&[13, 16, 16, 1], Relu, Mse, true, 1e-3, 32, 4096),
        _ => panic!("no such item {item}"),
    }
}

/// (net, batch) of an inference item.
pub fn infer(item: &str) -> Option<(&'static str, usize)> {
    Some(match item {
        "I1a" => ("T4", 1),
        "I1b" => ("T2", 1),
        "I2" => ("T5", 1024),
        _ => return None,
    })
}

/// n uniform f32 in [0,1): splitmix64 outputs 1..n of `seed`, top 24 bits.
pub fn splitmix(seed: u64, n: usize) -> Vec<f32> {
    (1..=n as u64)
        .map(|i| {
            let mut z = seed.wrapping_add(i.wrapping_mul(0x9E3779B97F4A7C15));
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58476D1CE4E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D049BB133111EB);
            z ^= z >> 31;
            (z >> 40) as f32 * (1.0 / (1u64 << 24) as f32)
        })
        .collect()
}

/// Row-major X [rows*in], regression targets [rows] (empty for CE), labels [rows] (empty
/// otherwise).
pub fn data(item: &str) -> (Vec<f32>, Vec<f32>, Vec<u32>) {
    if item == "T1" {
        return (
            vec![0.3, 0.5, 0.5, 0.1, 1.0, 0.2],
            vec![0.75, 0.82, 0.93],
            vec![],
        );
    }
    let s = spec(item);
    let d = s.sizes[0];
    let x = splitmix(42, s.rows * d);
    let rows = x.chunks(d);
    match s.loss {
        Loss::Ce => {
            let classes = *s.sizes.last().unwrap();
            let y = rows
                .map(|r| (0..classes).fold(0, |b, j| if r[j] > r[b] { j } else { b }) as u32)
                .collect();
            (x, vec![], y)
        }
        Loss::Bce => {
            let y = rows
                .map(|r| ((r[0] > 0.5) != (r[1] > 0.5)) as u8 as f32)
                .collect();
            (x, y, vec![])
        }
        _ => {
            let y = rows.map(|r| r[0] - r[1] + 0.5 * r[2]).collect();
            (x, y, vec![])
        }
    }
}

pub struct Args {
    pub items: Vec<String>,
    pub threads: usize,
    pub seconds: f64,
    pub warm: f64,
    pub data: String,
}

pub fn args() -> Args {
    let mut a = Args {
        items: "T1,T2,T3,T4,T5,T6,S1,S2,S3,S4,I1a,I1b,I2"
            .split(',')
            .map(Into::into)
            .collect(),
        threads: 1,
        seconds: 0.8,
        warm: 0.3,
        data: "mnist".into(),
    };
    let mut it = std::env::args().skip(1);
    while let (Some(k), Some(v)) = (it.next(), it.next()) {
        match k.as_str() {
            "--items" => a.items = v.split(',').map(Into::into).collect(),
            "--threads" => a.threads = v.parse().unwrap(),
            "--seconds" => a.seconds = v.parse().unwrap(),
            "--warm" => a.warm = v.parse().unwrap(),
            "--data" => a.data = v,
            _ => panic!("unknown flag {k}"),
        }
    }
    a
}

/// `steps(n)` runs n steps and returns when they are done. Returns seconds per step.
pub fn measure(seconds: f64, warm: f64, mut steps: impl FnMut(usize)) -> f64 {
    steps(3);
    let t0 = Instant::now();
    let mut n = 1usize;
    let per = loop {
        let t = Instant::now();
        steps(n);
        let el = t.elapsed().as_secs_f64();
        if t0.elapsed().as_secs_f64() >= warm {
            break (el / n as f64).max(1e-9);
        }
        if el < 0.02 {
            n *= 2;
        }
    };
    let n = ((0.1 * seconds / per) as usize).max(1);
    let mut done = 0;
    let t0 = Instant::now();
    loop {
        steps(n);
        done += n;
        let el = t0.elapsed().as_secs_f64();
        if el >= seconds {
            return el / done as f64;
        }
    }
}

pub fn emit(peer: &str, item: &str, threads: usize, sec: f64, loss: Option<f32>) {
    let (v, u) = match item {
        "T1" | "S1" | "S2" | "S3" | "S4" => (sec * 1e9, "ns/step"),
        "I2" => (1024.0 / sec, "samples/s"),
        "I1a" | "I1b" => (sec * 1e6, "us/call"),
        _ => (spec(item).batch as f64 / sec, "samples/s"),
    };
    let l = loss.map_or(String::new(), |l| {
        if l.is_finite() {
            format!(", \"loss\": {l:e}")
        } else {
            ", \"loss\": null".into()
        }
    });
    println!(
        "{{\"peer\": \"{peer}\", \"item\": \"{item}\", \"threads\": {threads}, \"value\": \
         {v}, \"unit\": \"{u}\"{l}}}"
    );
}

pub fn emit_a1(peer: &str, threads: usize, acc: f64, ep: &[f64]) {
    println!(
        "{{\"peer\": \"{peer}\", \"item\": \"A1\", \"threads\": {threads}, \"value\": \
         {acc:.4}, \"unit\": \"test acc\", \"epoch_s\": {ep:.3?}}}"
    );
}

/// (train x, train y, test x, test y), pixels /255.
pub fn mnist(dir: &str) -> (Vec<f32>, Vec<u32>, Vec<f32>, Vec<u32>) {
    let rd = |f: &str, skip: usize| std::fs::read(format!("{dir}/{f}")).unwrap()[skip..].to_vec();
    let img = |f: &str| rd(f, 16).into_iter().map(|b| b as f32 / 255.0).collect();
    let lab = |f: &str| rd(f, 8).into_iter().map(u32::from).collect();
    (
        img("train-images-idx3-ubyte"),
        lab("train-labels-idx1-ubyte"),
        img("t10k-images-idx3-ubyte"),
        lab("t10k-labels-idx1-ubyte"),
    )
}

/// Fisher-Yates permutation of 0..n from a splitmix stream.
pub fn permutation(n: usize, seed: u64) -> Vec<u32> {
    let r = splitmix(seed, n);
    let mut p: Vec<u32> = (0..n as u32).collect();
    for i in (1..n).rev() {
        p.swap(i, (r[i] * (i + 1) as f32) as usize % (i + 1));
    }
    p
}
