use candle_core::{Device, Tensor, Var};

use super::tiny_arch;
use crate::data::CLASSES;
use crate::ops;
use crate::recipes::{NAMES, recipe};
use crate::rng::Rng;

fn random(shape: &[usize], rng: &mut Rng) -> Tensor {
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.normal() as f32).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

#[track_caller]
fn assert_close(left: &Tensor, right: &Tensor) {
    assert_eq!(left.dims(), right.dims());
    let difference = (left - right).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    assert!(difference < 1e-3, "they differ by {difference}");
}

#[test]
fn convolution_and_its_gradients_agree_with_candle() {
    let mut rng = Rng::new(1);
    for (kernel, stride, pad, size) in
        [(3, 1, 1, 6), (4, 2, 1, 8), (5, 1, 0, 7), (3, 2, 2, 7), (1, 3, 0, 7), (2, 1, 3, 4)]
    {
        let x = Var::from_tensor(&random(&[2, 3, size, size], &mut rng)).unwrap();
        let weight = Var::from_tensor(&random(&[4, 2, kernel, kernel], &mut rng)).unwrap();
        let bias = Var::from_tensor(&random(&[4], &mut rng)).unwrap();
        let ours = ops::conv(&x, &weight, &bias, stride, pad).unwrap().transpose(0, 1).unwrap();
        let theirs = x.transpose(0, 1).unwrap().conv2d(&weight, pad, stride, 1, 1).unwrap();
        let theirs = theirs.broadcast_add(&bias.reshape((1, 4, 1, 1)).unwrap()).unwrap();
        assert_close(&ours, &theirs);
        let direction = random(ours.dims(), &mut rng);
        let gradients = |y: &Tensor| (y * &direction).unwrap().sum_all().unwrap().backward().unwrap();
        let (ours, theirs) = (gradients(&ours.contiguous().unwrap()), gradients(&theirs));
        for variable in [&x, &weight, &bias] {
            assert_close(ours.get(variable).unwrap(), theirs.get(variable).unwrap());
        }
    }
}

#[test]
fn max_pooling_gives_its_gradient_to_one_winner() {
    let values = vec![1f32, 5., 2., 2., 3., 4., 2., 2.];
    let x = Var::from_vec(values, (1, 1, 2, 4), &Device::Cpu).unwrap();
    let pooled = ops::max_pool(&x, 2).unwrap();
    assert_eq!(pooled.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [5., 2.]);
    let gradients = (pooled * 3.0).unwrap().sum_all().unwrap().backward().unwrap();
    let gradient = gradients.get(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(gradient, [0., 3., 3., 0., 0., 0., 0., 0.]);
}

#[test]
fn the_architecture_text_is_in_the_grammar_of_the_text_format() {
    let expected = "\
net 1
input x f32 [1 8 8]
layer conv1 = conv x conv1.weight conv1.bias stride 1 1 pad 1 1 1 1
layer relu1 = relu conv1
layer pool1 = maxpool relu1 kernel 2 2 stride 2 2 pad 0 0 0 0
layer conv2 = conv pool1 conv2.weight conv2.bias stride 1 1 pad 1 1 1 1
layer sum = add conv2 pool1
layer relu2 = relu sum
layer conv3 = conv relu2 conv3.weight conv3.bias stride 2 2 pad 1 1 1 1
layer relu3 = relu conv3
layer flat = flatten relu3
layer fc1 = dense flat fc1.weight fc1.bias
layer relu4 = relu fc1
layer fc2 = dense relu4 fc2.weight fc2.bias
output fc2
end
";
    assert_eq!(tiny_arch().to_string(), expected);
}

#[test]
fn every_named_network_is_small_and_ends_in_ten_scores() {
    for name in NAMES {
        let arch = recipe(name).unwrap().arch;
        assert_eq!(arch.layers.last().unwrap().shape, [CLASSES, 1, 1], "{name}");
        let count = |(shape, out): (Vec<usize>, usize)| shape.iter().product::<usize>() + out;
        let numbers: usize = (0..arch.layers.len()).filter_map(|index| arch.parameters(index)).map(count).sum();
        assert!(4 * numbers < 500_000, "{name} has {numbers} numbers");
    }
    assert!(recipe("mnist-transformer").is_none());
}
