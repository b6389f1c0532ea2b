//! The T4 program alone (binary size, shortest form).
use burn::nn::{loss::CrossEntropyLossConfig, Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn::tensor::{activation::relu, Distribution};

#[derive(Module, Debug)]
struct Net {
    a: Linear,
    b: Linear,
}

fn main() {
    let dev = Device::default().autodiff();
    let mut net = Net {
        a: LinearConfig::new(784, 128).init(&dev),
        b: LinearConfig::new(128, 10).init(&dev),
    };
    let mut opt = SgdConfig::new().init();
    let ce = CrossEntropyLossConfig::new().init(&dev);
    let x = Tensor::<2>::random([4096, 784], Distribution::Uniform(0.0, 1.0), &dev);
    let y = Tensor::<1, Int>::zeros([4096], &dev);
    for i in (0..4096).step_by(32) {
        let h = relu(net.a.forward(x.clone().narrow(0, i, 32)));
        let l = ce.forward(net.b.forward(h), y.clone().narrow(0, i, 32));
        if i % 1024 == 0 {
            println!("{}", l.clone().into_scalar::<f32>());
        }
        let g = GradientsParams::from_grads(l.backward(), &net);
        net = opt.step(0.01, net, g);
    }
}
