//! candle peer: candle-nn Linear, AdamW (weight decay 0) / SGD.
#[path = "../../rust_common/common.rs"]
mod common;
use candle_core::{DType, Device, Module, Result, Tensor, D};
use candle_nn::{linear, loss, AdamW, Linear, Optimizer, ParamsAdamW, VarBuilder, VarMap, SGD};
use common::*;
use std::time::Instant;

const DEV: Device = Device::Cpu;

struct Mlp {
    layers: Vec<Linear>,
    spec: Spec,
}

impl Mlp {
    fn new(spec: Spec) -> Result<(Self, VarMap)> {
        let vm = VarMap::new();
        let vb = VarBuilder::from_varmap(&vm, DType::F32, &DEV);
        let layers = spec
            .sizes
            .windows(2)
            .enumerate()
            .map(|(i, w)| linear(w[0], w[1], vb.pp(i)))
            .collect::<Result<_>>()?;
        Ok((Self { layers, spec }, vm))
    }
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let last = self.layers.len() - 1;
        let mut h = x.clone();
        for (i, l) in self.layers.iter().enumerate() {
            h = l.forward(&h)?;
            if self.spec.act == Act::Sigmoid {
                h = candle_nn::ops::sigmoid(&h)?;
            } else if i < last {
                h = h.relu()?;
            }
        }
        Ok(h)
    }
    fn loss(&self, x: &Tensor, y: &Tensor) -> Result<Tensor> {
        let p = self.forward(x)?;
        match self.spec.loss {
            Loss::Sse => (p - y)?.sqr()?.sum_all()? * 0.5,
            Loss::Mse => loss::mse(&p, y),
            Loss::Ce => loss::cross_entropy(&p, y),
            Loss::Bce => unreachable!("no item of candle has it"),
        }
    }
}

enum Opt {
    Adam(AdamW),
    Sgd(SGD),
}

impl Opt {
    fn new(spec: Spec, vm: &VarMap) -> Result<Self> {
        let p = ParamsAdamW {
            lr: spec.lr,
            weight_decay: 0.0,
            ..Default::default()
        };
        Ok(if spec.adam {
            Opt::Adam(AdamW::new(vm.all_vars(), p)?)
        } else {
            Opt::Sgd(SGD::new(vm.all_vars(), spec.lr)?)
        })
    }
    fn backward_step(&mut self, l: &Tensor) -> Result<()> {
        match self {
            Opt::Adam(o) => o.backward_step(l),
            Opt::Sgd(o) => o.backward_step(l),
        }
    }
}

fn peer() -> &'static str {
    if cfg!(feature = "x86-v4") {
        "candle"
    } else {
        "candle-default"
    }
}

fn tensors(item: &str) -> Result<(Tensor, Tensor)> {
    let s = spec(item);
    let (x, yr, yc) = data(item);
    let x = Tensor::from_vec(x, (s.rows, s.sizes[0]), &DEV)?;
    let y = if s.loss == Loss::Ce {
        Tensor::from_vec(yc, s.rows, &DEV)?
    } else {
        Tensor::from_vec(yr, (s.rows, 1), &DEV)?
    };
    Ok((x, y))
}

fn main() -> Result<()> {
    let a = args();
    for item in &a.items {
        if item == "A1" {
            a1(&a)?;
            continue;
        }
        if let Some((base, b)) = infer(item) {
            let (m, _vm) = Mlp::new(spec(base))?;
            // weights detached from the graph, as a user would do for serving
            let m = Mlp {
                layers: m
                    .layers
                    .iter()
                    .map(|l| Linear::new(l.weight().detach(), l.bias().map(|b| b.detach())))
                    .collect(),
                spec: m.spec,
            };
            let (x, _) = tensors(base)?;
            let xs: Vec<Tensor> = (0..64.max(4 * b) / b)
                .map(|i| x.narrow(0, i * b, b))
                .collect::<Result<_>>()?;
            let mut i = 0;
            let sec = measure(a.seconds, a.warm, |n| {
                for _ in 0..n {
                    std::hint::black_box(m.forward(&xs[i % xs.len()]).unwrap());
                    i += 1;
                }
            });
            emit(peer(), item, a.threads, sec, None);
            continue;
        }
        let s = spec(item);
        let (x, y) = tensors(item)?;
        let bs: Vec<(Tensor, Tensor)> = (0..s.rows / s.batch)
            .map(|i| {
                Ok((
                    x.narrow(0, i * s.batch, s.batch)?,
                    y.narrow(0, i * s.batch, s.batch)?,
                ))
            })
            .collect::<Result<_>>()?;
        let (m, vm) = Mlp::new(s)?;
        let mut opt = Opt::new(s, &vm)?;
        let mut i = 0;
        let sec = measure(a.seconds, a.warm, |n| {
            for _ in 0..n {
                let (x, y) = &bs[i % bs.len()];
                let l = m.loss(x, y).unwrap();
                opt.backward_step(&l).unwrap();
                i += 1;
            }
        });
        emit(
            peer(),
            item,
            a.threads,
            sec,
            Some(m.loss(&x, &y)?.to_scalar()?),
        );
    }
    Ok(())
}

fn a1(a: &Args) -> Result<()> {
    let s = spec("T5");
    let (xt, yt, xv, yv) = mnist(&a.data);
    let n = yt.len();
    let (x, y) = (
        Tensor::from_vec(xt, (n, 784), &DEV)?,
        Tensor::from_vec(yt, n, &DEV)?,
    );
    let (xv, yv) = (
        Tensor::from_vec(xv, (yv.len(), 784), &DEV)?,
        Tensor::from_vec(yv.clone(), yv.len(), &DEV)?,
    );
    let (m, vm) = Mlp::new(s)?;
    let mut opt = Opt::new(s, &vm)?;
    let mut ep = vec![];
    for e in 0..5 {
        let t = Instant::now();
        let p = Tensor::from_vec(permutation(n, e), n, &DEV)?;
        let (xs, ys) = (x.index_select(&p, 0)?, y.index_select(&p, 0)?);
        for i in (0..n).step_by(s.batch) {
            let b = s.batch.min(n - i);
            opt.backward_step(&m.loss(&xs.narrow(0, i, b)?, &ys.narrow(0, i, b)?)?)?;
        }
        ep.push(t.elapsed().as_secs_f64());
    }
    let ok = m
        .forward(&xv)?
        .argmax(D::Minus1)?
        .eq(&yv)?
        .to_dtype(DType::F32)?
        .mean_all()?
        .to_scalar::<f32>()?;
    emit_a1(peer(), a.threads, ok as f64, &ep);
    Ok(())
}
