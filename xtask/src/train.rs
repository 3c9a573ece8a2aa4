//! `cargo xtask train`: runs the training program, which is a workspace of its own because it needs candle.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Arguments of `cargo xtask train`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which network.
    #[arg(value_parser = ["mnist-mlp", "mnist-conv", "mnist-residual", "cifar-conv"])]
    name: String,
    /// Folder with the data set; data/mnist or data/cifar10 if left out.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Folder for the network; test-models if left out.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Decides the initial weights and the order of the images.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Passes over the training images; the recipe's own number if left out.
    #[arg(long)]
    epochs: Option<usize>,
}

/// Builds and runs the training program.
pub(crate) fn run(args: &Args) -> Result<()> {
    let root = crate::root();
    let set = if args.name.starts_with("cifar") { "cifar10" } else { "mnist" };
    let data = args.data.clone().unwrap_or_else(|| root.join("data").join(set));
    ensure!(data.is_dir(), "there is no folder {}: run `cargo xtask download {set}`", data.display());
    let out = args.out.clone().unwrap_or_else(|| root.join("test-models"));

    let mut cargo = Command::new(crate::cargo());
    cargo.args(["run", "--release", "--locked", "--manifest-path"]).arg(root.join("xtask/train/Cargo.toml"));
    cargo.arg("--").arg(&args.name).arg("--data").arg(data).arg("--out").arg(out);
    cargo.args(["--seed", &args.seed.to_string()]);
    if let Some(epochs) = args.epochs {
        cargo.args(["--epochs", &epochs.to_string()]);
    }
    // candle asks this variable how many threads to use; one is fastest for networks this small, and repeatable.
    cargo.env("RAYON_NUM_THREADS", "1");
    let status = cargo.status().context("cannot run cargo")?;
    ensure!(status.success(), "training {} failed ({status})", args.name);
    Ok(())
}
