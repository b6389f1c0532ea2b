//! The T4 program alone (binary size, shortest form).
use candle_core::{DType, Device, Module, Result, Tensor};
use candle_nn::{linear, loss, seq, Activation, Optimizer, VarBuilder, VarMap, SGD};

fn main() -> Result<()> {
    let dev = Device::Cpu;
    let vm = VarMap::new();
    let vb = VarBuilder::from_varmap(&vm, DType::F32, &dev);
    let net = seq()
        .add(linear(784, 128, vb.pp(0))?)
        .add(Activation::Relu)
        .add(linear(128, 10, vb.pp(1))?);
    let mut opt = SGD::new(vm.all_vars(), 0.01)?;
    let x = Tensor::rand(0f32, 1f32, (4096, 784), &dev)?;
    let y = Tensor::zeros(4096, DType::U32, &dev)?;
    for i in (0..4096).step_by(32) {
        let l = loss::cross_entropy(&net.forward(&x.narrow(0, i, 32)?)?, &y.narrow(0, i, 32)?)?;
        opt.backward_step(&l)?;
        if i % 1024 == 0 {
            println!("{}", l.to_scalar::<f32>()?);
        }
    }
    Ok(())
}
