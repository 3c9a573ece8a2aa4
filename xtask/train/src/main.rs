//! The command line of training; see the library.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use clap::builder::PossibleValuesParser;
use indicatif::{ProgressBar, ProgressStyle};
use unmoved_train::{data, export, recipes, train};

#[derive(Parser)]
#[command(about = "Trains a small, provably robust network")]
struct Args {
    /// Which network.
    #[arg(value_parser = PossibleValuesParser::new(recipes::NAMES))]
    name: String,
    /// Folder with the data set.
    #[arg(long)]
    data: PathBuf,
    /// Decides the initial weights and the order of the images.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Passes over the training images; the recipe's own number if left out.
    #[arg(long)]
    epochs: Option<usize>,
    /// Folder for the network.
    #[arg(long, default_value = ".")]
    out: PathBuf,
}

fn main() -> Result<()> {
    let args = Args::parse();
    // One thread: these products are too small to share, and the sums always come in the same order.
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global()?;
    let mut recipe = recipes::recipe(&args.name).context("no such network")?;
    recipe.epochs = args.epochs.unwrap_or(recipe.epochs);
    let (images, test) = data::load(recipe.source, &args.data)?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot create {}", args.out.display()))?;
    eprintln!("{}: {} training images, {} test images", args.name, images.len(), test.len());

    let start = Instant::now();
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} eta {eta} {msg}")?);
    let mut epoch = 0;
    let net = train::train(&recipe, &images, args.seed, |net, progress| {
        bar.set_length(progress.steps as u64);
        bar.set_position(progress.step as u64);
        bar.set_message(format!("eps {:.4} loss {:.4}", progress.eps, progress.loss));
        if progress.epoch_ends {
            epoch += 1;
            let figures = train::measure(net, &test, 1000, recipe.measured_eps)?;
            let line = format!(
                "epoch {epoch}: eps {:.4}, loss {:.4}, accuracy {:.1} %, certified {:.1} %, {:.0} s",
                progress.eps,
                progress.loss,
                100.0 * figures.accuracy,
                100.0 * figures.certified,
                start.elapsed().as_secs_f64()
            );
            // Without a terminal there is no bar, but a log of the epochs is still wanted.
            if bar.is_hidden() { eprintln!("{line}") } else { bar.println(line) }
        }
        Ok(())
    })?;
    bar.finish_and_clear();

    export::write(&export::network(&net)?, &args.out, &args.name)?;
    let figures = train::measure(&net, &test, test.len(), recipe.measured_eps)?;
    println!(
        "{}: accuracy {:.2} %, certified by intervals at eps {:.4} {:.2} %, of {} test images; {:.0} s",
        args.name,
        100.0 * figures.accuracy,
        recipe.measured_eps,
        100.0 * figures.certified,
        test.len(),
        start.elapsed().as_secs_f64()
    );
    Ok(())
}
