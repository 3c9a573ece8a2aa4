//! `cargo xtask bench evaluate`: what a run folder costs. `unmoved robust` and `unmoved evaluate` decide the same images in
//! turns; their times are compared, and their verdicts have to be alike.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use wait4::Wait4;

/// Arguments of `cargo xtask bench evaluate`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The network
    #[arg(long, value_name = "FILE", default_value = "test-models/mnist-conv.onnx")]
    model: PathBuf,
    /// The data set
    #[arg(long, default_value = "mnist")]
    dataset: String,
    /// The folder with the data set's files
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Which images
    #[arg(long, value_name = "A..B", default_value = "0..1000")]
    index: String,
    /// How far they may be perturbed
    #[arg(long, default_value = "0.02")]
    eps: String,
    /// How often each is run
    #[arg(long, value_name = "N", default_value = "5")]
    rounds: std::num::NonZeroUsize,
    /// The program to run; built in release mode if left out
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// More options for both, as `-- --threads 1`
    #[arg(last = true)]
    more: Vec<OsString>,
}

/// Runs both in turns and prints how they compare.
pub(super) fn run(args: &Args) -> Result<()> {
    let binary = match &args.binary {
        Some(binary) => binary.canonicalize().with_context(|| format!("there is no {}", binary.display()))?,
        None => super::build()?,
    };
    let (mut robust, mut evaluate) = (Vec::new(), Vec::new());
    let mut folder = Folder::default();
    for round in 0..args.rounds.get() {
        let temporary = tempfile::tempdir()?;
        let place = temporary.path().join("run");
        // Whoever comes second finds files in memory and a warm processor.
        for turn in [round % 2 == 0, round % 2 != 0] {
            if turn {
                robust.push(args.decide(&binary, "robust", &["--format".as_ref(), "json".as_ref()])?);
            } else {
                let run = ["--format".as_ref(), "jsonl".as_ref(), "--run".as_ref(), place.as_path()];
                evaluate.push(args.decide(&binary, "evaluate", &run)?);
            }
        }
        folder = Folder::measure(&place)?;
        let seconds = |runs: &[Run]| runs.last().map_or(0.0, |run| run.seconds);
        println!("round {round}: robust {:.3} s, evaluate {:.3} s", seconds(&robust), seconds(&evaluate));
    }
    let verdicts = &robust.first().context("there is a round")?.verdicts;
    for other in robust.iter().chain(&evaluate) {
        let indices = verdicts.keys().chain(other.verdicts.keys());
        let differs: Vec<u64> = indices.filter(|i| verdicts.get(i) != other.verdicts.get(i)).copied().collect();
        ensure!(differs.is_empty(), "verdicts differ about the images {differs:?}");
    }
    let (before, after) = (tell("robust", &robust), tell("evaluate", &evaluate));
    println!("ratio     {:.4}", after / before);
    let count = |word: &str| verdicts.values().filter(|v| *v == word).count();
    let counts = ["robust", "violated", "unknown"].map(|word| format!("{} {word}", count(word))).join(", ");
    println!("{} images, the same verdicts in {} rounds: {counts}", verdicts.len(), args.rounds);
    println!("run folder: {folder}");
    Ok(())
}

/// What one process did.
struct Run {
    /// By the index of the image.
    verdicts: BTreeMap<u64, String>,
    seconds: f64,
    /// In millions of bytes.
    peak: f64,
}

impl Args {
    fn decide(&self, binary: &Path, command: &str, format: &[&Path]) -> Result<Run> {
        let start = Instant::now();
        let mut child = Command::new(binary)
            .arg(command)
            .arg(&self.model)
            .args(["--dataset", &self.dataset, "--index", &self.index, "--eps", &self.eps, "--quiet", "--data"])
            .arg(&self.data)
            .args(format)
            .args(&self.more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", binary.display()))?;
        let mut text = String::new();
        child.stdout.take().context("it is piped")?.read_to_string(&mut text)?;
        let used = child.wait4().context("a process is lost")?;
        let seconds = start.elapsed().as_secs_f64();
        // 1 and 3 are answers.
        ensure!(matches!(used.status.code(), Some(0 | 1 | 3)), "unmoved {command}: {}", used.status);
        Ok(Run { verdicts: verdicts(&text)?, seconds, peak: used.rusage.maxrss as f64 / 1e6 })
    }
}

/// Out of one object a line.
fn verdicts(text: &str) -> Result<BTreeMap<u64, String>> {
    let mut verdicts = BTreeMap::new();
    for line in text.lines() {
        let said: Value = serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
        // What has no index is a summary.
        let (Some(index), Some(verdict)) = (said["index"].as_u64(), said["verdict"].as_str()) else { continue };
        if verdicts.insert(index, verdict.to_owned()).is_some() {
            bail!("two answers about image {index}");
        }
    }
    ensure!(!verdicts.is_empty(), "there is no answer");
    Ok(verdicts)
}

/// Prints what the runs took and returns the median of their seconds.
fn tell(name: &str, runs: &[Run]) -> f64 {
    let mut seconds: Vec<f64> = runs.iter().map(|run| run.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    let (least, most) = (seconds[0], seconds[seconds.len() - 1]);
    let median = (seconds[(seconds.len() - 1) / 2] + seconds[seconds.len() / 2]) / 2.0;
    let peak = runs.iter().map(|run| run.peak).fold(0.0, f64::max);
    println!("{name:9} {median:.3} s (median; {least:.3} to {most:.3}), peak memory {peak:.1} MB");
    median
}

/// Bytes and files of a run folder, by what stands in it.
#[derive(Default)]
struct Folder(BTreeMap<String, (u64, u64)>);

impl Folder {
    fn measure(path: &Path) -> Result<Self> {
        let mut parts = BTreeMap::new();
        for entry in fs::read_dir(path).with_context(|| format!("there is no run in {}", path.display()))? {
            let entry = entry?;
            parts.insert(entry.file_name().to_string_lossy().into_owned(), size(&entry)?);
        }
        Ok(Self(parts))
    }
}

/// Bytes and files below a path.
fn size(entry: &fs::DirEntry) -> Result<(u64, u64)> {
    let metadata = entry.metadata()?;
    if !metadata.is_dir() {
        return Ok((metadata.len(), 1));
    }
    fs::read_dir(entry.path())?.try_fold((0, 0), |(bytes, files), entry| {
        let (more_bytes, more_files) = size(&entry?)?;
        Ok((bytes + more_bytes, files + more_files))
    })
}

impl std::fmt::Display for Folder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (bytes, files) = self.0.values().fold((0, 0), |(b, f), (bytes, files)| (b + bytes, f + files));
        write!(f, "{:.3} MB in {files} files", bytes as f64 / 1e6)?;
        for (name, (bytes, files)) in &self.0 {
            write!(f, "\n  {name:20} {:>10.3} MB {files:>7} files", *bytes as f64 / 1e6)?;
        }
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// Compares two made-up commands.
    fn compare(robust: &str, evaluate: &str) -> Result<()> {
        let _alone = crate::ONE_PROGRAM.lock().unwrap_or_else(|e| e.into_inner());
        let folder = tempfile::tempdir()?;
        let binary = folder.path().join("program");
        let record = r#"for run; do :; done; mkdir -p "$run/certificates"; echo x > "$run/certificates/0""#;
        crate::script(&binary, &format!("if test $1 = robust; then {robust}\nelse {record}; {evaluate}\nfi"));
        let rounds = std::num::NonZeroUsize::new(2).context("two")?;
        let [dataset, index, eps] = ["mnist", "0..2", "0.1"].map(String::from);
        run(&Args {
            model: "m".into(),
            dataset,
            data: "d".into(),
            index,
            eps,
            rounds,
            binary: Some(binary),
            more: Vec::new(),
        })
    }

    #[test]
    fn verdicts_are_compared_whatever_their_order() {
        let answer = |index: u64, word: &str| format!(r#"echo '{{"index":{index},"verdict":"{word}"}}'"#);
        let [zero, one, other] = [answer(0, "robust"), answer(1, "violated"), answer(1, "unknown")];
        let both = format!("{zero}; {one}; exit 1");
        compare(&both, &format!("{one}; {zero}; echo '{{\"unknown\":0}}'; exit 1")).unwrap();
        let error = |evaluate: &str| compare(&both, evaluate).unwrap_err().to_string();
        assert!(error(&format!("{zero}; {other}; exit 3")).contains("differ about the images [1"));
        assert!(error(&zero).contains("differ about the images [1"));
        assert!(error(&format!("{zero}; {zero}; {one}")).contains("two answers about image 0"));
        assert!(error(&format!("{zero}; exit 2")).contains("exit status: 2"));
    }
}
