//! `cargo xtask fuzz`: every fuzz target in turn, with a table at the end.
//!
//! Each starts from what earlier runs found (`fuzz/corpus`) and from seeds made afresh. Built without a sanitizer: there is
//! no unsafe code of ours, and so the stable toolchain suffices.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::root;

/// What is fuzzed, and the longest input in bytes: enough for every construct, short enough for thousands of runs a second.
const TARGETS: &[(&str, u32)] = &[
    ("onnx", 4096),
    ("safetensors", 4096),
    ("arch", 2048),
    ("text", 2048),
    ("nnet", 2048),
    ("vnnlib", 2048),
    ("query", 1024),
    ("certificate", 1024),
];

/// In MiB and seconds: what ends an input as a finding.
const MAX_MEMORY: u32 = 512;
const MAX_TIME: u32 = 5;

/// Arguments of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// The targets; all of them if left out
    #[arg(value_parser = TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>())]
    targets: Vec<String>,
}

/// Runs the targets and prints what they did; an error if any of them found something.
pub(crate) fn run(args: &Args) -> Result<()> {
    let installed = Command::new(crate::cargo()).args(["fuzz", "--version"]).stderr(Stdio::null()).output();
    ensure!(
        installed.is_ok_and(|o| o.status.success()),
        "cargo-fuzz is missing; `cargo install cargo-fuzz` installs it"
    );
    let fuzz = root().join("fuzz");
    let mut seeds = Command::new(crate::cargo());
    seeds.args(["run", "--quiet", "--example", "seeds", "--", "corpus"]).current_dir(&fuzz);
    ensure!(seeds.status()?.success(), "the seeds could not be made");

    let chosen = TARGETS.iter().filter(|(name, _)| args.targets.is_empty() || args.targets.iter().any(|t| t == name));
    let mut rows = Vec::new();
    for (name, longest) in chosen {
        rows.push((*name, one(&fuzz, name, *longest, args.seconds)?));
    }
    println!(
        "\n{:12} {:>12} {:>10} {:>8} {:>8} {:>9}",
        "target", "executions", "a second", "edges", "findings", "peak MiB"
    );
    for (name, Row { executions, per_second, edges, findings, memory }) in &rows {
        println!("{name:12} {executions:>12} {per_second:>10} {edges:>8} {findings:>8} {memory:>9}");
    }
    let found: Vec<_> = rows.iter().filter(|(_, row)| row.findings > 0).map(|(name, _)| *name).collect();
    if found.is_empty() { Ok(()) } else { bail!("findings in {}; the inputs are in fuzz/artifacts", found.join(", ")) }
}

/// What one target did.
struct Row {
    executions: u64,
    per_second: u64,
    /// Edges of the control flow that some input of the corpus takes.
    edges: u64,
    findings: usize,
    /// In MiB.
    memory: u64,
}

fn one(fuzz: &Path, name: &str, longest: u32, seconds: u32) -> Result<Row> {
    println!("{name}: {seconds} s");
    let artifacts = fuzz.join("artifacts").join(name);
    let count = || std::fs::read_dir(&artifacts).map_or(0, |files| files.count());
    let before = count();
    let mut command = Command::new(crate::cargo());
    // Coverage needs nothing unstable, but cargo-fuzz passes a flag that only nightly knows by itself.
    command.env("RUSTC_BOOTSTRAP", "1").current_dir(fuzz);
    command.args(["fuzz", "run", "--fuzz-dir", ".", "--sanitizer", "none", name, "--", "-print_final_stats=1"]);
    command.args([format!("-max_total_time={seconds}"), format!("-max_len={longest}")]);
    command.args([format!("-timeout={MAX_TIME}"), format!("-rss_limit_mb={MAX_MEMORY}")]);
    let output = command.stdout(Stdio::inherit()).output().context("cannot run cargo fuzz")?;
    let text = String::from_utf8_lossy(&output.stderr);
    let findings = count() - before;
    if !output.status.success() {
        // The build, or what was found; libFuzzer says it last.
        let tail: Vec<&str> = text.lines().rev().take(40).collect();
        tail.into_iter().rev().for_each(|line| eprintln!("{line}"));
        ensure!(text.contains("stat::number_of_executed_units"), "{name} did not run");
    }
    let stat = |key: &str| -> u64 {
        let value = text.lines().rev().find_map(|line| line.strip_prefix(key));
        value.and_then(|v| v.trim().parse().ok()).unwrap_or(0)
    };
    let edges = text.lines().rev().find_map(|line| line.split_once(" cov: ")?.1.split(' ').next()?.parse().ok());
    Ok(Row {
        executions: stat("stat::number_of_executed_units:"),
        per_second: stat("stat::average_exec_per_sec:"),
        edges: edges.unwrap_or(0),
        findings: findings.max(usize::from(!output.status.success())),
        memory: stat("stat::peak_rss_mb:"),
    })
}
