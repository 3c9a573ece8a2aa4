//! Small tests; the largest trains a few steps on 400 made-up images of 8x8 pixels.

mod files;
mod network;
mod training;

use crate::arch::Arch;
use crate::data::{Augment, Images, Source};
use crate::recipes::Recipe;
use crate::rng::Rng;

/// Every operation once, and small.
fn tiny_arch() -> Arch {
    (Arch::new([1, 8, 8]).conv("conv1", 4, 3, 1, 1).relu("relu1").maxpool("pool1", 2))
        .conv("conv2", 4, 3, 1, 1)
        .add("sum", "pool1")
        .relu("relu2")
        .conv("conv3", 6, 4, 2, 1)
        .relu("relu3")
        .flatten("flat")
        .dense("fc1", 12)
        .relu("relu4")
        .dense("fc2", 10)
}

/// Noise with a bright bar; the class says where: rows 0 to 4, columns 0 to 4.
fn tiny_images(count: usize, rng: &mut Rng) -> Images {
    let mut images = Images::empty([1, 8, 8]);
    for _ in 0..count {
        let class = rng.below(10);
        let bright = |at: usize| if class < 5 { at / 8 == class } else { at % 8 == class - 5 };
        let pixels: Vec<u8> = (0..64).map(|at| rng.below(60) as u8 + if bright(at) { 150 } else { 0 }).collect();
        images.push(class as u8, &pixels).unwrap();
    }
    images
}

fn tiny_recipe() -> Recipe {
    Recipe {
        arch: tiny_arch(),
        source: Source::Mnist,
        epochs: 12,
        batch: 20,
        rate: 5e-3,
        eps: 0.03,
        measured_eps: 0.02,
        kappa: 0.5,
        augment: Augment::default(),
    }
}
