//! Networks out of candle compute what candle computes.
#![cfg(feature = "candle")]

use candle_core::{DType, Device, Module, ModuleT, Result, Tensor};
use candle_nn::{
    BatchNorm, Conv1d, Conv1dConfig, Conv2d, Conv2dConfig, Linear, VarBuilder, VarMap, conv2d, linear, linear_no_bias,
};
use std::collections::HashMap;
use unmoved_ir::{Network, Op};
use unmoved_safetensors::candle::{CandleError, NetworkBuilder, NetworkExt};

/// Numbers between -0.5 and 0.5 that are the same in every run; candle's own cannot be seeded on the CPU.
fn random(dims: &[usize], dtype: DType, seed: u64) -> Tensor {
    let mut random = fastrand::Rng::with_seed(seed);
    let values: Vec<f64> = (0..dims.iter().product()).map(|_| random.f64() - 0.5).collect();
    Tensor::from_vec(values, dims, &Device::Cpu).and_then(|t| t.to_dtype(dtype)).expect("a tensor")
}

fn dense(inputs: usize, outputs: usize, dtype: DType, seed: u64) -> Linear {
    Linear::new(random(&[outputs, inputs], dtype, seed), Some(random(&[outputs], dtype, seed + 1)))
}

fn conv(dims: [usize; 4], config: Conv2dConfig, seed: u64) -> Conv2d {
    let bias = random(&dims[..1], DType::F32, seed + 1);
    Conv2d::new(random(&dims, DType::F32, seed), Some(bias), config)
}

fn norm(channels: usize, seed: u64) -> BatchNorm {
    let of = |seed| random(&[channels], DType::F32, seed);
    let variance = (of(seed + 1) + 0.75).expect("a tensor");
    BatchNorm::new(channels, of(seed), variance, of(seed + 2), of(seed + 3), 1e-5).expect("shapes fit")
}

/// Variables by their names, as a file or a map holds them.
fn variables(tensors: &[(&str, &[usize])], dtype: DType) -> HashMap<String, Tensor> {
    (1..).zip(tensors).map(|(seed, (name, dims))| (name.to_string(), random(dims, dtype, seed))).collect()
}

fn builder(variables: HashMap<String, Tensor>, dtype: DType) -> VarBuilder<'static> {
    VarBuilder::from_tensors(variables, dtype, &Device::Cpu)
}

const MLP: &str = "net 1
input x f32 [4]
layer h = dense x fc1.weight fc1.bias
layer a = relu h
layer y = dense a fc2.weight .
output y
end";
const MLP_TENSORS: &[(&str, &[usize])] = &[("fc1.weight", &[6, 4]), ("fc1.bias", &[6]), ("fc2.weight", &[3, 6])];

fn mlp(vb: VarBuilder<'static>) -> Result<impl Fn(&Tensor) -> Result<Tensor>> {
    let (fc1, fc2) = (linear(4, 6, vb.pp("fc1"))?, linear_no_bias(6, 3, vb.pp("fc2"))?);
    Ok(move |x: &Tensor| fc2.forward(&fc1.forward(x)?.relu()?))
}

#[test]
fn dense_layers_of_either_type() {
    for (dtype, word) in [(DType::F32, "f32"), (DType::F64, "f64")] {
        let vb = builder(variables(MLP_TENSORS, dtype), dtype);
        let network = Network::from_varbuilder(&MLP.replace("f32", word), vb.clone()).expect("reads");
        assert_eq!(network.input_dtype().name(), word);
        let model = mlp(vb.clone()).expect("a model");
        let difference = network.check_against(&model, 32).expect("agrees");
        assert!(difference < if dtype == DType::F32 { 1e-6 } else { 1e-14 }, "{difference:e}");

        let (fc1, fc2) = (linear(4, 6, vb.pp("fc1")), linear_no_bias(6, 3, vb.pp("fc2")));
        let built = NetworkBuilder::new(&[4], dtype).linear(&fc1.expect("fits")).relu().linear(&fc2.expect("fits"));
        assert_eq!(built.finish().expect("fits").forward(&[1.0f64; 4]), network.forward(&[1.0f64; 4]));
    }
}

#[test]
fn variables_of_a_map_in_training() {
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu).pp("net");
    let model = mlp(vb.clone()).expect("a model");
    let before = map.all_vars().len();
    let network = Network::from_varbuilder(MLP, vb.clone()).expect("reads");
    network.check_against(&model, 32).expect("agrees");

    let error = Network::from_varbuilder(&MLP.replace("fc2.weight", "fc3.weight"), vb).expect_err("no fc3");
    assert!(error.to_string().starts_with("there is no tensor with the key \"net.fc3.weight\""), "{error}");
    assert_eq!(map.all_vars().len(), before, "no variable was invented");
}

#[test]
fn variables_of_a_file() {
    let tensors = variables(MLP_TENSORS, DType::F32);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("m.safetensors");
    candle_core::safetensors::save(&tensors, &path).expect("saves");
    let bytes = std::fs::read(&path).expect("reads");
    let vb = VarBuilder::from_buffered_safetensors(bytes.clone(), DType::F32, &Device::Cpu).expect("a header");
    let network = Network::from_varbuilder(MLP, vb.clone()).expect("reads");
    network.check_against(mlp(vb.clone()).expect("a model"), 32).expect("agrees");
    let imported = unmoved_safetensors::from_bytes(&bytes, Some(MLP)).expect("reads").network;
    assert_eq!(imported, network);
}

const CONV: &str = "net 1
input x f32 [4 9 9]
layer c = conv x c1.weight c1.bias stride 2 2 pad 1 1 1 1 dilation 2 2 groups 2
layer a = relu c
layer r = conv a c2.weight . pad 1 1 1 1
layer s = add r a
layer p = maxpool s kernel 2 2 stride 1 1
layer f = flatten p
layer y = dense f fc.weight fc.bias
output y
end";

#[test]
fn convolutions_with_everything() {
    let tensors: &[(&str, &[usize])] = &[
        ("c1.weight", &[6, 2, 3, 3]),
        ("c1.bias", &[6]),
        ("c2.weight", &[6, 6, 3, 3]),
        ("fc.weight", &[5, 54]),
        ("fc.bias", &[5]),
    ];
    let vb = builder(variables(tensors, DType::F32), DType::F32);
    let first = Conv2dConfig { stride: 2, padding: 1, dilation: 2, groups: 2, ..Default::default() };
    let c1 = conv2d(4, 6, 3, first, vb.pp("c1")).expect("fits");
    let second = Conv2dConfig { padding: 1, ..Default::default() };
    let c2 = candle_nn::conv2d_no_bias(6, 6, 3, second, vb.pp("c2")).expect("fits");
    let fc = linear(54, 5, vb.pp("fc")).expect("fits");
    let model = |x: &Tensor| {
        let a = c1.forward(x)?.relu()?;
        let sum = (c2.forward(&a)? + &a)?;
        fc.forward(&sum.max_pool2d_with_stride(2, 1)?.flatten_from(1)?)
    };
    Network::from_varbuilder(CONV, vb.clone()).expect("reads").check_against(model, 32).expect("agrees");

    let network = NetworkBuilder::new(&[4, 9, 9], DType::F32)
        .named("stem")
        .conv2d(&c1)
        .relu()
        .residual(|b| b.conv2d(&c2))
        .max_pool2d_with_stride(2, 1)
        .flatten()
        .linear(&fc)
        .finish()
        .expect("fits");
    network.check_against(model, 32).expect("agrees");
    let names: Vec<&str> = network.nodes().iter().map(|n| n.name.as_str()).collect();
    assert_eq!(names, ["x", "stem", "relu1", "conv1", "add1", "pool1", "flat1", "fc1"]);
}

#[test]
fn batch_norms_fold_with_a_bound() {
    let c = conv([4, 3, 3, 3], Conv2dConfig::default(), 1);
    let down = conv([4, 4, 1, 1], Conv2dConfig { stride: 1, ..Default::default() }, 3);
    let (n1, n2, n3) = (norm(4, 5), norm(4, 10), norm(6, 15));
    let (fc1, fc2) = (dense(16, 6, DType::F32, 20), dense(6, 3, DType::F32, 22));
    let model = |x: &Tensor| {
        let a = n1.forward_t(&c.forward(x)?, false)?.relu()?;
        let a = (n2.forward_t(&a, false)? + down.forward(&a)?)?.relu()?;
        let h = fc1.forward(&a.avg_pool2d_with_stride((3, 3), (2, 2))?.flatten_from(1)?)?;
        fc2.forward(&n3.forward_t(&h, false)?.relu()?)
    };
    let network = NetworkBuilder::new(&[3, 8, 8], DType::F32)
        .conv2d(&c)
        .batch_norm(&n1)
        .relu()
        .residual_with(|b| b.batch_norm(&n2), |b| b.conv2d(&down))
        .relu()
        .avg_pool2d_with_stride((3, 3), (2, 2))
        .flatten()
        .linear(&fc1)
        .batch_norm(&n3)
        .relu()
        .linear(&fc2)
        .finish()
        .expect("fits");
    network.check_against(model, 32).expect("agrees");
    let rounded: Vec<&str> = network.rewrites().iter().filter(|r| r.rounds).map(|r| r.node.as_str()).collect();
    assert_eq!(rounded, ["bn1", "bn2", "pool1", "bn3"]);
    let slack = |name: &str| match &network.nodes().iter().find(|n| n.name == name).expect("a node").op {
        Op::Conv2d(conv) => conv.slack.is_some(),
        Op::Dense(dense) => dense.slack.is_some(),
        _ => false,
    };
    assert!(slack("conv1") && slack("bn2") && slack("fc1") && !slack("conv2") && !slack("fc2"));
}

#[test]
fn sequences() {
    let config = Conv1dConfig { padding: 2, stride: 2, dilation: 2, groups: 2, ..Default::default() };
    let weight = random(&[6, 2, 3], DType::F32, 1);
    let c = Conv1d::new(weight, Some(random(&[6], DType::F32, 2)), config);
    let (n, fc) = (norm(6, 3), dense(30, 2, DType::F32, 8));
    let model = |x: &Tensor| fc.forward(&n.forward_t(&c.forward(x)?, false)?.relu()?.flatten_from(1)?);
    let network = NetworkBuilder::new(&[4, 9], DType::F32).conv1d(&c).batch_norm(&n).relu().flatten().linear(&fc);
    network.finish().expect("fits").check_against(model, 32).expect("agrees");
}

#[test]
fn refusals() {
    let with = |name: &str, tensor: Tensor| {
        let mut tensors = variables(MLP_TENSORS, DType::F32);
        tensors.insert(name.to_owned(), tensor);
        let map = VarMap::new();
        for (name, tensor) in tensors {
            map.data()
                .lock()
                .expect("one thread")
                .insert(name, candle_core::Var::from_tensor(&tensor).expect("a variable"));
        }
        let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
        Network::from_varbuilder(MLP, vb).expect_err("refused").to_string()
    };
    let half = |dtype| random(&[6, 4], DType::F32, 1).to_dtype(dtype).expect("converts");
    let nan = (random(&[6], DType::F32, 1) * f64::NAN).expect("a tensor");
    let c = conv([2, 3, 3, 3], Conv2dConfig::default(), 1);
    let built = |builder: NetworkBuilder| builder.finish().expect_err("refused").to_string();
    let shrunk =
        BatchNorm::new_no_bias(1, random(&[1], DType::F32, 1), Tensor::full(-1f32, 1, &Device::Cpu).expect("one"), 0.5);
    let network =
        Network::from_varbuilder(MLP, builder(variables(MLP_TENSORS, DType::F32), DType::F32)).expect("reads");
    let compared = |forward: fn(&Tensor) -> Result<Tensor>| network.check_against(forward, 4).expect_err("refused");
    let CandleError::Differs { difference, .. } = compared(|x| x.narrow(1, 0, 3)) else { panic!("must differ") };
    assert!(difference > 0.1);
    let refusals = [
        (
            "a missing tensor",
            Network::from_varbuilder(MLP, builder(HashMap::new(), DType::F32)).expect_err("refused").to_string(),
        ),
        ("a wrong shape", with("fc1.bias", random(&[5], DType::F32, 1))),
        ("a wrong rank", with("fc1.weight", random(&[], DType::F32, 1))),
        ("f16", with("fc1.weight", half(DType::F16))),
        ("bf16", with("fc1.weight", half(DType::BF16))),
        (
            "a builder of f16",
            Network::from_varbuilder(MLP, builder(variables(MLP_TENSORS, DType::F32), DType::F16))
                .expect_err("refused")
                .to_string(),
        ),
        ("not finite", with("fc1.bias", nan)),
        (
            "no architecture",
            Network::from_varbuilder("net 2", builder(HashMap::new(), DType::F32)).expect_err("refused").to_string(),
        ),
        ("an input of f16", built(NetworkBuilder::new(&[4], DType::F16))),
        (
            "an image into a dense layer",
            built(NetworkBuilder::new(&[1, 2, 2], DType::F32).linear(&dense(4, 2, DType::F32, 1)).relu()),
        ),
        ("wrong channels", built(NetworkBuilder::new(&[1, 8, 8], DType::F32).named("stem").conv2d(&c))),
        ("a residual of another shape", built(NetworkBuilder::new(&[3, 8, 8], DType::F32).residual(|b| b.conv2d(&c)))),
        ("one name for two layers", built(NetworkBuilder::new(&[4], DType::F32).named("a").relu().named("a").relu())),
        ("a layer of f16", built(NetworkBuilder::new(&[4], DType::F32).linear(&Linear::new(half(DType::F16), None)))),
        ("no positive variance", built(NetworkBuilder::new(&[1], DType::F32).batch_norm(&shrunk.expect("fits")))),
        ("an output of another shape", compared(|x| x.flatten_all()).to_string()),
        ("an output that is no number", compared(|x| x.narrow(1, 0, 3)? * f64::NAN).to_string()),
        (
            "candle's own error",
            compared(|x| x.narrow(1, 0, 5)).to_string().lines().next().unwrap_or_default().to_owned(),
        ),
    ];
    let shown: String =
        refusals.iter().map(|(what, message)| format!("{what}\n    {}\n", message.replace('\n', "\n    "))).collect();
    insta::assert_snapshot!(shown);
}
