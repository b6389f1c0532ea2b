//! dfdx peer: compile-time shapes, Adam / Sgd; CE takes one-hot targets.
#[path = "../../rust_common/common.rs"]
mod common;
use common::{args, data, emit, emit_a1, infer, measure, mnist, permutation, spec};
use dfdx::optim::{Adam, AdamConfig, Sgd, SgdConfig};
use dfdx::prelude::*;
use std::time::Instant;

type N1 = ((Linear<2, 3>, Sigmoid), (Linear<3, 1>, Sigmoid));
type N2 = (
    (Linear<13, 64>, ReLU),
    (Linear<64, 64>, ReLU),
    Linear<64, 1>,
);
type N3 = (
    (Linear<64, 64>, ReLU),
    (Linear<64, 64>, ReLU),
    Linear<64, 10>,
);
type N4 = ((Linear<784, 128>, ReLU), Linear<128, 10>);
type N5 = (
    (Linear<784, 512>, ReLU),
    (Linear<512, 512>, ReLU),
    Linear<512, 10>,
);
type N6 = (
    (Linear<1024, 1024>, ReLU),
    (Linear<1024, 1024>, ReLU),
    (Linear<1024, 1024>, ReLU),
    Linear<1024, 10>,
);

type S1 = ((Linear<4, 8>, Tanh), (Linear<8, 1>, Tanh));
type S2 = ((Linear<4, 8>, Tanh), Linear<8, 3>);
type S3 = ((Linear<2, 8>, Tanh), (Linear<8, 8>, Tanh), Linear<8, 1>);
type S4 = (
    (Linear<13, 16>, ReLU),
    (Linear<16, 16>, ReLU),
    Linear<16, 1>,
);

const PEER: &str = "dfdx";

fn adam(lr: f64) -> AdamConfig {
    AdamConfig {
        lr,
        ..Default::default()
    }
}
fn sgd(lr: f64) -> SgdConfig {
    SgdConfig {
        lr,
        ..Default::default()
    }
}
fn onehot(y: &[u32], classes: u32) -> Vec<f32> {
    y.iter()
        .flat_map(|&c| (0..classes).map(move |j| (j == c) as u8 as f32))
        .collect()
}

macro_rules! train {
    (
        $a:expr, $item:expr, $net:ty, $in:literal, $out:literal, $b:literal, $rows:literal,
        $opt:ident, $cfg:expr, $loss:expr
    ) => {{
        let dev = Cpu::default();
        let (x, yr, yc) = data($item);
        let y = if yr.is_empty() { onehot(&yc, $out) } else { yr };
        let bs: Vec<_> = (0..$rows / $b)
            .map(|i| {
                (
                    dev.tensor_from_vec(
                        x[i * $b * $in..(i + 1) * $b * $in].to_vec(),
                        (Const::<$b>, Const::<$in>),
                    ),
                    dev.tensor_from_vec(
                        y[i * $b * $out..(i + 1) * $b * $out].to_vec(),
                        (Const::<$b>, Const::<$out>),
                    ),
                )
            })
            .collect();
        let mut m = dev.build_module::<$net, f32>();
        let mut grads = Some(m.alloc_grads());
        let mut opt = $opt::new(&m, $cfg(spec($item).lr));
        let mut i = 0;
        let loss = $loss;
        let sec = measure($a.seconds, $a.warm, |n| {
            for _ in 0..n {
                let (x, y) = &bs[i % bs.len()];
                let l = loss(
                    m.forward_mut(x.clone().traced(grads.take().unwrap())),
                    y.clone(),
                );
                let mut g = l.backward();
                opt.update(&mut m, &g).unwrap();
                m.zero_grads(&mut g);
                grads = Some(g);
                i += 1;
            }
        });
        let l: f32 = bs
            .iter()
            .map(|(x, y)| loss(m.forward(x.clone().traced(m.alloc_grads())), y.clone()).array())
            .sum::<f32>()
            / bs.len() as f32;
        emit(PEER, $item, $a.threads, sec, Some(l));
    }};
}

macro_rules! inference {
    ($a:expr, $item:expr, $net:ty, $in:literal, $b:literal) => {{
        let dev = Cpu::default();
        let (x, _, _) = data(infer($item).unwrap().0);
        let xs: Vec<_> = (0..64.max(4 * $b) / $b)
            .map(|i| {
                dev.tensor_from_vec(
                    x[i * $b * $in..(i + 1) * $b * $in].to_vec(),
                    (Const::<$b>, Const::<$in>),
                )
            })
            .collect();
        let m = dev.build_module::<$net, f32>();
        let mut i = 0;
        let sec = measure($a.seconds, $a.warm, |n| {
            for _ in 0..n {
                std::hint::black_box(m.forward(xs[i % xs.len()].clone()));
                i += 1;
            }
        });
        emit(PEER, $item, $a.threads, sec, None);
    }};
}

fn main() {
    dfdx::flush_denormals_to_zero();
    let a = args();
    for item in &a.items {
        let item = item.as_str();
        match item {
            "T1" => train!(
                a,
                item,
                N1,
                2,
                1,
                3,
                3,
                Sgd,
                sgd,
                |p: Tensor<_, f32, _, _>, y| (p - y).square().sum::<Rank0, _>() * 0.5
            ),
            "T2" => train!(a, item, N2, 13, 1, 32, 4096, Adam, adam, |p, y| mse_loss(
                p, y
            )),
            "T3" => train!(a, item, N3, 64, 10, 32, 4096, Adam, adam, |p, y| {
                cross_entropy_with_logits_loss(p, y)
            }),
            "T4" => train!(a, item, N4, 784, 10, 32, 4096, Sgd, sgd, |p, y| {
                cross_entropy_with_logits_loss(p, y)
            }),
            "T5" => train!(a, item, N5, 784, 10, 128, 8192, Adam, adam, |p, y| {
                cross_entropy_with_logits_loss(p, y)
            }),
            "T6" => train!(a, item, N6, 1024, 10, 256, 4096, Adam, adam, |p, y| {
                cross_entropy_with_logits_loss(p, y)
            }),
            "S1" => train!(
                a,
                item,
                S1,
                4,
                1,
                1,
                4096,
                Sgd,
                sgd,
                |p: Tensor<_, f32, _, _>, y| (p - y).square().sum::<Rank0, _>() * 0.5
            ),
            "S2" => train!(a, item, S2, 4, 3, 16, 4096, Adam, adam, |p, y| {
                cross_entropy_with_logits_loss(p, y)
            }),
            "S3" => train!(a, item, S3, 2, 1, 32, 4096, Adam, adam, |p, y| {
                binary_cross_entropy_with_logits_loss(p, y)
            }),
            "S4" => train!(a, item, S4, 13, 1, 32, 4096, Adam, adam, |p, y| mse_loss(
                p, y
            )),
            "I1a" => inference!(a, item, N4, 784, 1),
            "I1b" => inference!(a, item, N2, 13, 1),
            "I2" => inference!(a, item, N5, 784, 1024),
            "A1" => a1(&a),
            _ => {}
        }
    }
}

fn a1(a: &common::Args) {
    let dev = Cpu::default();
    let (xt, yt, xv, yv) = mnist(&a.data);
    let mut m = dev.build_module::<N5, f32>();
    let mut grads = Some(m.alloc_grads());
    let mut opt = Adam::new(&m, adam(1e-3));
    let mut ep = vec![];
    for e in 0..5 {
        let t = Instant::now();
        let p = permutation(yt.len(), e);
        for c in p.chunks(128) {
            let x: Vec<f32> = c
                .iter()
                .flat_map(|&i| &xt[i as usize * 784..][..784])
                .copied()
                .collect();
            let y = onehot(&c.iter().map(|&i| yt[i as usize]).collect::<Vec<_>>(), 10);
            let x = dev.tensor_from_vec(x, (c.len(), Const::<784>));
            let y = dev.tensor_from_vec(y, (c.len(), Const::<10>));
            let l =
                cross_entropy_with_logits_loss(m.forward_mut(x.traced(grads.take().unwrap())), y);
            let mut g = l.backward();
            opt.update(&mut m, &g).unwrap();
            m.zero_grads(&mut g);
            grads = Some(g);
        }
        ep.push(t.elapsed().as_secs_f64());
    }
    let o = m
        .forward(dev.tensor_from_vec(xv, (yv.len(), Const::<784>)))
        .as_vec();
    let ok = o
        .chunks(10)
        .zip(&yv)
        .filter(|(r, &y)| (0..10).all(|j| r[j] <= r[y as usize]))
        .count();
    emit_a1(PEER, a.threads, ok as f64 / yv.len() as f64, &ep);
}
