//! `unmoved evaluate`

use super::answer::SearchArgs;
use super::distortion::Share;
use super::progress::Bar;
use super::question::{DataSetName, Indices, LayoutName, ModelArgs, NormArgs, TargetArgs};
use super::{CliError, Exit, Output, print};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use unmoved::evaluate::run::{Asked, AskedData, AskedModel, Counts, Distortions, Fraction, Kind, Shard, Summary};
use unmoved::evaluate::work::{Ended, Event, Rerun, Work, evaluate};
use unmoved::ir::Rational;

/// `evaluate`
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  unmoved evaluate model.onnx --dataset mnist --data mnist/ --eps 0.05,0.1 --run runs/model"
)]
pub(crate) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Which data set
    #[arg(long)]
    dataset: DataSetName,
    /// The folder with the data set's files, or an .npz archive
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// Where an array of images has its channels [default: refused where it is not clear]
    #[arg(long, value_name = "ORDER")]
    layout: Option<LayoutName>,
    /// Which images, from 0: A..B for all from A up to B, without B [default: all]
    #[arg(long, value_name = "A..B")]
    index: Option<Indices>,
    /// How far an input may be perturbed, in the units of the pixels: 0.05, 8/255; several with commas between them
    #[arg(long, value_delimiter = ',', required_unless_present = "distortion", allow_hyphen_values = true)]
    eps: Vec<Rational>,
    /// Measure of each image how far the nearest input is that changes the class; --eps is then the largest distance that is looked
    /// at [default: what covers the range]
    #[arg(long)]
    distortion: bool,
    /// How wide the interval may be, as a share of its upper end: 1%, 0.01
    #[arg(long, value_name = "SHARE", default_value = "1%", requires = "distortion", allow_hyphen_values = true)]
    gap: Share,
    #[command(flatten)]
    norm: NormArgs,
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    search: SearchArgs,
    /// Keep results, certificates and counterexamples in this folder, and go on where an earlier call on it stopped
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Only every N-th image, from the I-th on: the I-th of N parts, which `collect` puts together
    #[arg(long, value_name = "I/N")]
    shard: Option<ShardArg>,
    /// Which questions to try again that have an answer in the folder; one that is not decided is in any case, if it has more time now
    #[arg(long, default_value = "never", requires = "run")]
    rerun: RerunName,
}

#[derive(Debug, Clone, Copy)]
struct ShardArg(Shard);

impl FromStr for ShardArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (part, of) = text.split_once('/').ok_or("expected I/N such as 1/4")?;
        let number = |t: &str| t.parse::<usize>().map_err(|e| e.to_string());
        let shard = Shard { part: number(part)?, of: number(of)? };
        if shard.part == 0 || shard.part > shard.of {
            return Err("parts are counted from 1 up to N".into());
        }
        Ok(Self(shard))
    }
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum RerunName {
    /// None
    Never,
    /// Those that are not decided
    Unknown,
    /// Those with a counterexample
    Violated,
    /// All
    All,
}

/// Set by Ctrl-C.
static STOP: AtomicBool = AtomicBool::new(false);

pub(crate) fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let start = Instant::now();
    let work = args.work(output)?;
    let asked = work.asked.clone();
    // Where there can be no handler, Ctrl-C ends the process, which costs no more than what was not yet reported.
    let _ = ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed));
    let mut bar = Bar::new(output, &work);
    let ended = evaluate(work, args.run.as_deref(), &STOP, &mut |event| {
        bar.tell(&event);
        if let (Event::Recorded { record, .. }, true) = (&event, output.is_jsonl())
            && let Ok(line) = serde_json::to_string(record)
        {
            bar.aside(|| print(&line));
        }
    });
    bar.finish();
    let Ended { summary, is_stopped, .. } = ended?;
    let seconds = start.elapsed().as_secs_f64();
    if output.is_json() && !output.is_jsonl() {
        print(&object(&asked, &summary, is_stopped, seconds).to_string());
    } else if !output.is_json() {
        lines(&asked, &summary).iter().for_each(|line| print(line));
    }
    if is_stopped {
        output.note(match (&args.run, summary.untried()) {
            (Some(_), untried) => format!("stopped: {untried} questions not tried yet; the same command goes on"),
            (None, _) => "stopped; with --run DIR the same command would go on".into(),
        });
    }
    output.note(format_args!("{seconds:.3} s"));
    Ok(if summary.unknown() > 0 { Exit::Unknown } else { Exit::Holds })
}

impl Args {
    fn work(&self, output: Output) -> Result<Work, CliError> {
        let network = Arc::new(self.model.read(output)?);
        let options = self.search.options();
        let images = Arc::new(self.dataset.with_layout(self.layout)?.open(&self.data)?);
        let indices = match &self.index {
            Some(Indices(range)) => range.clone(),
            None => 0..images.len(),
        };
        let mut eps: Vec<Fraction> = self.eps.iter().cloned().map(Fraction).collect();
        eps.sort();
        eps.dedup();
        let (norm, range) = self.norm.get();
        let mut kind = Kind::Radii;
        if self.distortion {
            kind = Kind::Distortion { gap: Fraction(self.gap.0.clone()) };
            match (eps.len(), &range) {
                (0, Some(range)) => eps.push(Fraction(norm.of_range(network.input().shape.len(), range))),
                (1, _) => {}
                (0, None) => {
                    return Err(CliError::new("U0001", "--range none leaves no end: give the largest --eps"));
                }
                _ => return Err(CliError::new("U0001", "--eps: of distortions there is one largest")),
            }
        }
        let fractions = |values: &[Rational]| values.iter().cloned().map(Fraction).collect();
        let reading = &self.model.reading;
        let targets = &self.targets.targets;
        let asked = Asked {
            version: Asked::VERSION,
            command: super::command_line(),
            model: AskedModel {
                path: self.model.model.clone(),
                arch: reading.choices.arch.clone(),
                output: reading.choices.output.clone(),
                mean: fractions(&reading.mean),
                std: fractions(&reading.std),
                sha256: network.digest().to_string(),
            },
            data: AskedData {
                name: word(&self.dataset),
                path: self.data.clone(),
                layout: self.layout.as_ref().map(word),
                sha256: String::new(),
            },
            indices,
            shard: self.shard.map(|ShardArg(shard)| shard),
            norm,
            range: range.map(|(low, high)| (Fraction(low), Fraction(high))),
            targets: (!targets.is_empty()).then(|| targets.clone()),
            kind,
            eps,
            time_limit_s: options.time_limit.map(|limit| limit.as_secs_f64()),
            threads: options.threads,
            seed: options.attack.seed,
            engine: options.engine.word().into(),
        };
        let rerun = match self.rerun {
            RerunName::Never => Rerun::Never,
            RerunName::Unknown => Rerun::Unknown,
            RerunName::Violated => Rerun::Violated,
            RerunName::All => Rerun::All,
        };
        Ok(Work { network, images, asked, options, rerun })
    }
}

/// The word of an option's value.
fn word(value: &impl clap::ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// What was found, a line for each radius; its name only where there are several.
pub(crate) fn lines(asked: &Asked, summary: &Summary) -> Vec<String> {
    match summary {
        Summary::Radii(counts) if counts.len() == 1 => counts.iter().map(Counts::to_string).collect(),
        Summary::Radii(counts) => {
            let name = |position| format!("{} {}", asked.norm.name(), asked.radius(position).unwrap_or_default());
            counts.iter().enumerate().map(|(position, counts)| format!("{}: {counts}", name(position))).collect()
        }
        Summary::Distortions(found) => vec![format!("{} {found}", asked.norm.name())],
    }
}

/// What was found, as one object.
pub(crate) fn object(asked: &Asked, summary: &Summary, is_stopped: bool, seconds: f64) -> Value {
    let radii = |counts: &[Counts]| {
        let object = |(position, counts): (usize, &Counts)| {
            json!({
                "eps": asked.radius(position),
                "images": counts.images,
                "robust": counts.robust,
                "misclassified": counts.misclassified,
                "adversarial": counts.adversarial,
                "unknown": counts.unknown(),
                "untried": counts.untried(),
                "adversarial_error": counts.error(),
            })
        };
        counts.iter().enumerate().map(object).collect::<Vec<_>>()
    };
    let found = match summary {
        Summary::Radii(counts) => json!({ "radii": radii(counts) }),
        Summary::Distortions(Distortions { images, measured, robust, misclassified, mean, median, .. }) => json!({
            "eps": asked.radius(0),
            "images": images,
            "measured": measured,
            "robust": robust,
            "misclassified": misclassified,
            "unknown": summary.unknown(),
            "untried": summary.untried(),
            "mean": mean,
            "median": median,
        }),
    };
    let mut object = json!({ "norm": asked.norm.name(), "network": asked.model.sha256 });
    if let (Value::Object(object), Value::Object(found)) = (&mut object, found) {
        object.extend(found);
        object.extend([("stopped".into(), is_stopped.into()), ("time_s".into(), seconds.into())]);
    }
    object
}
