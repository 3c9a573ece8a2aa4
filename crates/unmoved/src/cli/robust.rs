//! `unmoved robust`

use super::answer::{KeepArgs, PictureArgs, SearchArgs};
use super::images::{self, Asked};
use super::{CliError, Exit, Output};
use std::time::Instant;
use unmoved::search::{Options, decide, decide_watched};

/// `robust`
#[derive(clap::Args)]
#[command(after_help = "Example:\n  unmoved robust model.onnx --image seven.png --eps 8/255 --certificate seven.proof")]
pub(crate) struct Args {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    keep: KeepArgs,
    #[command(flatten)]
    picture: PictureArgs,
    #[command(flatten)]
    search: SearchArgs,
    /// Also ask a MILP solver and report its word, which is no proof
    #[arg(long)]
    trust_solver: bool,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let options = Options { trust_solver: args.trust_solver, ..args.search.options() };
    let keep = &args.keep;
    if args.asked.is_many() {
        if keep.certificate.is_some() || keep.counterexample.is_some() || args.picture.picture.is_some() {
            let problem = "--certificate, --counterexample and --picture take one image at a time";
            return Err(CliError::new("U0001", problem));
        }
        let alone = Options { threads: 1, ..options };
        return images::many(&args.asked, options.threads, output, |question| Ok(decide(&question.query, &alone)?));
    }
    let start = Instant::now();
    images::one(&args.asked, output, |question| {
        args.picture.expect_image(question)?;
        let outcome = decide_watched(&question.query, &options, &output.watch(start))?;
        args.picture.save_of(question, &outcome.verdict)?;
        keep.save(&question.query, &outcome)?;
        Ok(outcome)
    })
}
