//! `cargo xtask download`: fetches the data sets. Nothing is put in place before its digest was checked.

mod fetch;
mod table;
#[cfg(test)]
mod tests;
mod unpack;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use fetch::{Client, Patience};
use table::DataSet;

/// Arguments of `cargo xtask download`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which data set.
    set: Name,
    /// Folder to put it in; data/mnist or data/cifar10 if left out.
    #[arg(long)]
    to: Option<PathBuf>,
    /// Take the published files from this folder instead of the network; they are checked all the same.
    #[arg(long)]
    from: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    Mnist,
    Cifar10,
}

/// Fetches a data set.
pub(crate) fn run(args: &Args) -> Result<()> {
    let set = match args.set {
        Name::Mnist => table::MNIST,
        Name::Cifar10 => table::CIFAR10,
    };
    let to = args.to.clone().unwrap_or_else(|| crate::root().join("data").join(set.folder));
    fs::create_dir_all(&to).with_context(|| format!("cannot create the folder {}", to.display()))?;
    get(&set, &to, args.from.as_deref())?;
    if let Name::Cifar10 = args.set {
        let archive = to.join(set.files[0].name);
        let limits = &table::CIFAR10_MEMBERS;
        unpack::unpack(&archive, &to, table::CIFAR10_FOLDER, limits, table::CIFAR10_IGNORED)
            .with_context(|| format!("cannot unpack {}", archive.display()))?;
    }
    println!("{} is in {}", set.folder, to.display());
    Ok(())
}

fn get(set: &DataSet, to: &Path, from: Option<&Path>) -> Result<()> {
    let client = Client::new(Patience::default());
    for file in set.files {
        let template = ProgressStyle::with_template("{msg:28} {bar:30} {bytes}/{total_bytes} eta {eta}")?;
        let bar = ProgressBar::new(file.size).with_style(template).with_message(file.name);
        match from {
            Some(folder) => fetch::copy(file, folder, to, &bar)?,
            None => client.fetch(file, set.mirrors, to, &bar)?,
        }
        bar.finish_and_clear();
    }
    Ok(())
}
