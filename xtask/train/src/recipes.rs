//! The four named networks: what they look like and how they are trained.

use crate::arch::Arch;
use crate::data::{Augment, Source};

/// Everything that decides, together with the seed, what comes out of training.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The layers.
    pub arch: Arch,
    /// What it learns from.
    pub source: Source,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images per step.
    pub batch: usize,
    /// Learning rate at the start.
    pub rate: f64,
    /// Radius of the l-infinity ball in training, at its largest.
    pub eps: f64,
    /// Radius that progress and the final figures are measured at.
    pub measured_eps: f64,
    /// Weight of the unperturbed images in the loss at the end; the worst case has the rest.
    pub kappa: f64,
    /// Changes to training images.
    pub augment: Augment,
}

/// The names that [`recipe`] knows.
pub const NAMES: [&str; 4] = ["mnist-mlp", "mnist-conv", "mnist-residual", "cifar-conv"];

/// The recipe of a named network.
pub fn recipe(name: &str) -> Option<Recipe> {
    let mnist = Recipe {
        arch: Arch::new([1, 28, 28]),
        source: Source::Mnist,
        epochs: 16,
        batch: 50,
        rate: 1e-3,
        eps: 0.097,
        measured_eps: 0.1,
        kappa: 0.7,
        augment: Augment::default(),
    };
    let recipe = match name {
        "mnist-mlp" => Recipe {
            arch: mnist
                .arch
                .flatten("flat")
                .dense("fc1", 100)
                .relu("relu1")
                .dense("fc2", 100)
                .relu("relu2")
                .dense("fc3", 10),
            epochs: 12,
            eps: 0.06,
            measured_eps: 0.05,
            kappa: 0.6,
            ..mnist
        },
        "mnist-conv" => Recipe {
            arch: (mnist.arch.conv("conv1", 16, 4, 2, 1).relu("relu1").maxpool("pool1", 2))
                .conv("conv2", 24, 3, 1, 1)
                .relu("relu2")
                .flatten("flat")
                .dense("fc1", 80)
                .relu("relu3")
                .dense("fc2", 10),
            ..mnist
        },
        "mnist-residual" => Recipe {
            arch: (mnist.arch.conv("conv1", 8, 4, 2, 1).relu("relu1"))
                .conv("conv2", 16, 4, 2, 1)
                .relu("relu2")
                .conv("conv3", 16, 3, 1, 1)
                .relu("relu3")
                .conv("conv4", 16, 3, 1, 1)
                .add("sum", "relu2")
                .relu("relu4")
                .flatten("flat")
                .dense("fc1", 50)
                .relu("relu5")
                .dense("fc2", 10),
            ..mnist
        },
        "cifar-conv" => Recipe {
            arch: (Arch::new([3, 32, 32]).conv("conv1", 16, 4, 2, 1).relu("relu1"))
                .conv("conv2", 16, 4, 2, 1)
                .relu("relu2")
                .flatten("flat")
                .dense("fc1", 100)
                .relu("relu3")
                .dense("fc2", 10),
            source: Source::Cifar10,
            epochs: 50,
            eps: 1.8 / 255.0,
            kappa: 0.6,
            measured_eps: 2.0 / 255.0,
            augment: Augment { shift: 2, mirror: true },
            ..mnist
        },
        _ => return None,
    };
    Some(recipe)
}
