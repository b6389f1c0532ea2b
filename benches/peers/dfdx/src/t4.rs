//! The T4 program alone (binary size, shortest form).
use dfdx::optim::{Sgd, SgdConfig};
use dfdx::prelude::*;

type Net = ((Linear<784, 128>, ReLU), Linear<128, 10>);

fn main() {
    let dev = Cpu::default();
    let mut net = dev.build_module::<Net, f32>();
    let mut grads = net.alloc_grads();
    let mut opt = Sgd::new(
        &net,
        SgdConfig {
            lr: 0.01,
            ..Default::default()
        },
    );
    for i in 0..128 {
        let x: Tensor<Rank2<32, 784>, f32, _> = dev.sample_uniform();
        let mut y: Tensor<Rank2<32, 10>, f32, _> = dev.zeros();
        for r in 0..32 {
            y[[r, r % 10]] = 1.0;
        }
        let l = cross_entropy_with_logits_loss(net.forward_mut(x.traced(grads)), y);
        if i % 32 == 0 {
            println!("{}", l.array());
        }
        grads = l.backward();
        opt.update(&mut net, &grads).unwrap();
        net.zero_grads(&mut grads);
    }
}
