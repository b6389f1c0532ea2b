//! burn peer: nn::Linear, Adam / Sgd, backend by cargo feature (flex | ndarray | cpu).
#[path = "../../rust_common/common.rs"]
mod common;
use burn::module::Module;
use burn::nn::loss::{CrossEntropyLossConfig, MseLoss, Reduction};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::prelude::*;
use burn::tensor::activation::{relu, sigmoid};
use common::*;
use std::time::Instant;

#[derive(Module, Debug)]
struct Mlp {
    layers: Vec<Linear>,
}

impl Mlp {
    fn new(s: &Spec, dev: &Device) -> Self {
        Self {
            layers: s
                .sizes
                .windows(2)
                .map(|w| LinearConfig::new(w[0], w[1]).init(dev))
                .collect(),
        }
    }
    fn forward(&self, s: &Spec, mut h: Tensor<2>) -> Tensor<2> {
        let last = self.layers.len() - 1;
        for (i, l) in self.layers.iter().enumerate() {
            h = l.forward(h);
            if s.act == Act::Sigmoid {
                h = sigmoid(h);
            } else if i < last {
                h = relu(h);
            }
        }
        h
    }
}

enum Y {
    Reg(Tensor<2>),
    Cls(Tensor<1, Int>),
}

impl Y {
    fn batch(&self, i: usize, b: usize) -> Y {
        match self {
            Y::Reg(y) => Y::Reg(y.clone().narrow(0, i, b)),
            Y::Cls(y) => Y::Cls(y.clone().narrow(0, i, b)),
        }
    }
}

struct LossFn {
    ce: burn::nn::loss::CrossEntropyLoss,
    mse: MseLoss,
}

impl LossFn {
    fn new(dev: &Device) -> Self {
        Self {
            ce: CrossEntropyLossConfig::new().init(dev),
            mse: MseLoss::new(),
        }
    }
    fn eval(&self, s: &Spec, p: Tensor<2>, y: &Y) -> Tensor<1> {
        match y {
            Y::Cls(y) => self.ce.forward(p, y.clone()),
            Y::Reg(y) if s.loss == Loss::Sse => {
                self.mse.forward(p, y.clone(), Reduction::Sum) * 0.5
            }
            Y::Reg(y) => self.mse.forward(p, y.clone(), Reduction::Mean),
        }
    }
}

fn optim(s: &Spec) -> ModuleOptimizer {
    if s.adam {
        AdamConfig::new().with_epsilon(1e-8).init()
    } else {
        SgdConfig::new().init()
    }
}

fn peer() -> &'static str {
    if cfg!(feature = "cpu") {
        "burn-cpu"
    } else if cfg!(feature = "ndarray") {
        "burn-ndarray"
    } else if cfg!(feature = "x86-v4") {
        "burn-flex"
    } else {
        "burn-flex-default"
    }
}

fn device() -> Device {
    #[cfg(feature = "cpu")]
    return Device::cpu();
    #[cfg(all(feature = "ndarray", not(feature = "cpu")))]
    return Device::ndarray();
    #[cfg(not(any(feature = "ndarray", feature = "cpu")))]
    return Device::flex();
}

fn tensors(item: &str, dev: &Device) -> (Tensor<2>, Y) {
    let s = spec(item);
    let (x, yr, yc) = data(item);
    let x = Tensor::<2>::from_data(TensorData::new(x, [s.rows, s.sizes[0]]), dev);
    let y = if s.loss == Loss::Ce {
        Y::Cls(Tensor::from_data(
            TensorData::new(yc.iter().map(|&c| c as i32).collect::<Vec<_>>(), [s.rows]),
            dev,
        ))
    } else {
        Y::Reg(Tensor::from_data(TensorData::new(yr, [s.rows, 1]), dev))
    };
    (x, y)
}

fn step(s: &Spec, m: Mlp, lf: &LossFn, opt: &mut ModuleOptimizer, x: Tensor<2>, y: &Y) -> Mlp {
    let l = lf.eval(s, m.forward(s, x), y);
    let g = GradientsParams::from_grads(l.backward(), &m);
    opt.step(s.lr, m, g)
}

fn main() {
    let a = args();
    for item in &a.items {
        if item == "A1" {
            a1(&a);
            continue;
        }
        if let Some((base, b)) = infer(item) {
            let dev = device();
            let s = spec(base);
            let m = Mlp::new(&s, &dev);
            let (x, _) = tensors(base, &dev);
            let xs: Vec<_> = (0..64.max(4 * b) / b)
                .map(|i| x.clone().narrow(0, i * b, b))
                .collect();
            let mut i = 0;
            let sec = measure(a.seconds, a.warm, |n| {
                for _ in 0..n {
                    let o = m.forward(&s, xs[i % xs.len()].clone());
                    if cfg!(feature = "cpu") {
                        std::hint::black_box(o.into_data());
                    } else {
                        std::hint::black_box(o);
                    }
                    i += 1;
                }
            });
            emit(peer(), item, a.threads, sec, None);
            continue;
        }
        let dev = device().autodiff();
        let s = spec(item);
        let (x, y) = tensors(item, &dev);
        let bs: Vec<_> = (0..s.rows / s.batch)
            .map(|i| {
                (
                    x.clone().narrow(0, i * s.batch, s.batch),
                    y.batch(i * s.batch, s.batch),
                )
            })
            .collect();
        let lf = LossFn::new(&dev);
        let mut opt = optim(&s);
        let mut m = Some(Mlp::new(&s, &dev));
        let mut i = 0;
        let sec = measure(a.seconds, a.warm, |n| {
            for _ in 0..n {
                let (x, y) = &bs[i % bs.len()];
                m = Some(step(&s, m.take().unwrap(), &lf, &mut opt, x.clone(), y));
                i += 1;
            }
            dev.sync().unwrap();
        });
        let l: f32 = lf
            .eval(&s, m.as_ref().unwrap().forward(&s, x), &y)
            .into_scalar();
        emit(peer(), item, a.threads, sec, Some(l));
    }
}

fn a1(a: &Args) {
    let dev = device().autodiff();
    let s = spec("T5");
    let (xt, yt, xv, yv) = mnist(&a.data);
    let n = yt.len();
    let ints =
        |v: &[u32]| TensorData::new(v.iter().map(|&c| c as i32).collect::<Vec<_>>(), [v.len()]);
    let x = Tensor::<2>::from_data(TensorData::new(xt, [n, 784]), &dev);
    let y = Tensor::<1, Int>::from_data(ints(&yt), &dev);
    let xv = Tensor::<2>::from_data(TensorData::new(xv, [yv.len(), 784]), &dev);
    let lf = LossFn::new(&dev);
    let mut opt = optim(&s);
    let mut m = Mlp::new(&s, &dev);
    let mut ep = vec![];
    for e in 0..5 {
        let t = Instant::now();
        let p = Tensor::<1, Int>::from_data(ints(&permutation(n, e)), &dev);
        let (xs, ys) = (
            x.clone().select(0, p.clone()),
            Y::Cls(y.clone().select(0, p)),
        );
        for i in (0..n).step_by(s.batch) {
            let b = s.batch.min(n - i);
            m = step(
                &s,
                m,
                &lf,
                &mut opt,
                xs.clone().narrow(0, i, b),
                &ys.batch(i, b),
            );
        }
        dev.sync().unwrap();
        ep.push(t.elapsed().as_secs_f64());
    }
    let pred: Vec<i64> = m
        .forward(&s, xv)
        .argmax(1)
        .into_data()
        .iter::<i64>()
        .collect();
    let ok = pred
        .iter()
        .zip(&yv)
        .filter(|(p, y)| **p == **y as i64)
        .count();
    emit_a1(peer(), a.threads, ok as f64 / yv.len() as f64, &ep);
}
