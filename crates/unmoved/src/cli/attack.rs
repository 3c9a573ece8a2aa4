//! `unmoved attack`

use super::answer::{PictureArgs, save_input};
use super::images::{self, Asked};
use super::{CliError, Exit, Output};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use unmoved::evaluate::Question;
use unmoved::search::{AttackOptions, Options, Outcome, attack};

/// `attack`
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  unmoved attack model.onnx --image seven.png --eps 8/255 --counterexample other.npy"
)]
pub(crate) struct Args {
    #[command(flatten)]
    asked: Asked,
    /// Starts per class: the input itself first, then random points
    #[arg(long, value_name = "N", default_value = "100")]
    restarts: NonZeroUsize,
    /// Gradient steps from each start
    #[arg(long, value_name = "N", default_value = "100")]
    steps: NonZeroUsize,
    /// Seed of the random starts
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write the input that changes the answer here, as a float32 .npy array
    #[arg(long, value_name = "FILE")]
    counterexample: Option<PathBuf>,
    #[command(flatten)]
    picture: PictureArgs,
    /// Threads, of which each takes images of its own [default: as many as the processor runs]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let options = AttackOptions { steps: args.steps.get(), restarts: args.restarts.get(), seed: args.seed };
    let attacked = |question: &Question| -> Result<Outcome, CliError> { Ok(attack(&question.query, &options)?) };
    if args.asked.is_many() {
        if args.counterexample.is_some() || args.picture.picture.is_some() {
            return Err(CliError::new("U0001", "--counterexample and --picture take one image at a time"));
        }
        let threads = args.threads.map_or_else(|| Options::default().threads, usize::from);
        return images::many(&args.asked, threads, output, attacked);
    }
    images::one(&args.asked, output, |question| {
        args.picture.expect_image(question)?;
        let outcome = attacked(question)?;
        args.picture.save_of(question, &outcome.verdict)?;
        save_input(args.counterexample.as_deref(), &question.query, &outcome.verdict)?;
        Ok(outcome)
    })
}
