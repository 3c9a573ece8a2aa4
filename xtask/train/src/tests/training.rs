use candle_core::{Device, Tensor};

use super::{tiny_images, tiny_recipe};
use crate::export;
use crate::net::Net;
use crate::rng::Rng;
use crate::train::{ball, loss, measure, train};

#[test]
fn training_lowers_the_loss_and_certifies() {
    let images = tiny_images(400, &mut Rng::new(1));
    let test = tiny_images(200, &mut Rng::new(2));
    let recipe = tiny_recipe();
    let mut losses = Vec::new();
    let net = train(&recipe, &images, 7, |_, progress| {
        losses.push(progress.loss);
        assert_eq!(progress.steps, 240);
        assert_eq!(progress.epoch_ends, progress.step % 20 == 0);
        Ok(())
    })
    .unwrap();
    assert_eq!(losses.len(), 240);
    assert!(losses[220..].iter().sum::<f32>() < 0.5 * losses[..20].iter().sum::<f32>(), "{losses:?}");
    let figures = measure(&net, &test, 200, recipe.measured_eps).unwrap();
    assert!(figures.accuracy > 0.5 && figures.certified > 0.2, "{figures:?}");
    assert!(figures.certified <= figures.accuracy);
}

#[test]
fn the_same_seed_gives_the_same_file_and_another_seed_another() {
    let images = tiny_images(100, &mut Rng::new(1));
    let mut recipe = tiny_recipe();
    recipe.epochs = 2;
    recipe.augment.mirror = true;
    let folder = tempfile::tempdir().unwrap();
    let files = |seed| {
        let net = train(&recipe, &images, seed, |_, _| Ok(())).unwrap();
        export::write(&export::network(&net).unwrap(), folder.path(), "net").unwrap();
        ["safetensors", "onnx", "unm"].map(|kind| std::fs::read(folder.path().join(format!("net.{kind}"))).unwrap())
    };
    let first = files(3);
    assert!(first == files(3));
    assert!((first.iter().zip(&files(4))).all(|(left, right)| left != right));
}

#[test]
fn interval_bounds_contain_sampled_values() {
    let mut rng = Rng::new(5);
    let images = tiny_images(6, &mut rng);
    let net = Net::new(tiny_recipe().arch, &mut rng).unwrap();
    let (x, labels) = images.batch(&[0, 1, 2, 3, 4, 5]).unwrap();
    let (lower, upper) = ball(&x, 0.05).unwrap();
    let margins = net.margins(&lower, &upper, &labels).unwrap().to_vec2::<f32>().unwrap();
    for _ in 0..200 {
        // Corners of the box as often as points inside: bounds that are wrong are wrong there first.
        let shares: Vec<f32> =
            (0..6 * 64).map(|_| if rng.below(2) == 0 { rng.unit() as f32 } else { rng.below(2) as f32 }).collect();
        let shares = Tensor::from_vec(shares, x.shape(), &Device::Cpu).unwrap();
        let point = (&lower + ((&upper - &lower).unwrap() * shares).unwrap()).unwrap();
        let scores = net.scores(&point).unwrap().to_vec2::<f32>().unwrap();
        for (image, scores) in scores.iter().enumerate() {
            let label = images.labels[image] as usize;
            for class in 0..10 {
                assert!(scores[class] - scores[label] <= margins[image][class] + 1e-4, "image {image} class {class}");
            }
        }
    }
    assert!((0..6).all(|image| margins[image][images.labels[image] as usize].abs() < 1e-5));
}

#[test]
fn a_ball_of_radius_zero_has_the_margins_of_its_centre() {
    let mut rng = Rng::new(6);
    let images = tiny_images(4, &mut rng);
    let net = Net::new(tiny_recipe().arch, &mut rng).unwrap();
    let (x, labels) = images.batch(&[0, 1, 2, 3]).unwrap();
    let scores = net.scores(&x).unwrap();
    let own = (&scores * &labels).unwrap().sum_keepdim(1).unwrap();
    let difference = (net.margins(&x, &x, &labels).unwrap() - scores.broadcast_sub(&own).unwrap()).unwrap();
    assert!(difference.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap() < 1e-4);
    let (plain, worst) = (loss(&net, &x, &labels, 0.0, 0.5).unwrap(), loss(&net, &x, &labels, 1e-9, 0.5).unwrap());
    assert!((plain.to_scalar::<f32>().unwrap() - worst.to_scalar::<f32>().unwrap()).abs() < 1e-4);
}

#[test]
fn the_files_hold_the_network_that_was_trained() {
    let mut rng = Rng::new(8);
    let images = tiny_images(5, &mut rng);
    let net = Net::new(tiny_recipe().arch, &mut rng).unwrap();
    let folder = tempfile::tempdir().unwrap();
    export::write(&export::network(&net).unwrap(), folder.path(), "net").unwrap();
    let path = |kind: &str| folder.path().join(format!("net.{kind}"));
    let read = [
        unmoved_safetensors::read(&path("safetensors"), None).unwrap().network,
        unmoved_onnx::read(&path("onnx")).unwrap(),
        unmoved_text::read(&path("unm")).unwrap(),
    ];
    for image in 0..5 {
        let (x, _) = images.batch(&[image]).unwrap();
        let expected = net.scores(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let pixels = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for network in &read {
            let scores = network.forward(&pixels).unwrap();
            assert!(scores.iter().zip(&expected).all(|(left, right)| (left - right).abs() < 1e-4));
        }
    }
}
