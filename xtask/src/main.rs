//! The project's own automation: `cargo xtask --help` lists what there is.

mod bench;
mod digits;
mod download;
mod fuzz;
mod test;
mod tidy;
mod train;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own automation")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

/// One variant per module; each module has its own arguments and a `run` that takes them.
#[derive(Subcommand)]
enum Task {
    /// Fetch a data set and check it against its published digest.
    Download(download::Args),
    /// Train one of the networks in test-models.
    Train(train::Args),
    /// Run the whole test suite, fetching what it needs.
    Test(test::Args),
    /// Run cases in VNN-COMP form and compare with the verdicts that are known.
    Bench(bench::Args),
    /// Fuzz every reader, and report executions, coverage and findings.
    Fuzz(fuzz::Args),
    /// Check what must hold of the whole repository.
    Tidy,
    /// Draw the ten digits in test-models.
    Digits(digits::Args),
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Download(args) => download::run(&args),
        Task::Train(args) => train::run(&args),
        Task::Test(args) => test::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Tidy => tidy::run(),
        Task::Digits(args) => digits::run(&args),
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    // Cargo sets the variable when it runs us, so that a binary moved elsewhere does not look at an old checkout.
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    xtask.parent().map(Path::to_owned).unwrap_or(xtask)
}

/// The cargo that runs us.
fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Held by tests that write a program and run it: while it is open for writing in a child of another thread, it cannot be run.
#[cfg(all(test, unix))]
static ONE_PROGRAM: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Writes a shell script that can be run.
#[cfg(all(test, unix))]
fn script(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
}
