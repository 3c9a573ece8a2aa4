//! What must hold of the repository as a whole; every complaint says its cure.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::root;

/// Which of our crates each of ours may use. The binary of `check` reads model files, so the formats stand there too,
/// but only as optional dependencies.
const ARROWS: &[(&str, &[&str])] = &[
    ("unmoved-ir", &[]),
    ("unmoved-property", &["unmoved-ir"]),
    ("unmoved-safetensors", &["unmoved-ir"]),
    ("unmoved-text", &["unmoved-ir", "unmoved-safetensors"]),
    ("unmoved-nnet", &["unmoved-ir"]),
    ("unmoved-onnx", &["unmoved-ir"]),
    (
        "unmoved-check",
        &[
            "unmoved-ir",
            "unmoved-property",
            "optional unmoved-nnet",
            "optional unmoved-onnx",
            "optional unmoved-safetensors",
            "optional unmoved-text",
        ],
    ),
    ("unmoved-bounds", &["unmoved-ir", "unmoved-property"]),
    ("unmoved-core", &["unmoved-ir", "unmoved-property", "unmoved-bounds", "unmoved-check"]),
    ("unmoved-search", &["unmoved-ir", "unmoved-property", "unmoved-bounds", "unmoved-check", "unmoved-core"]),
    ("unmoved-evaluate", &["unmoved-ir", "unmoved-property", "unmoved-check", "unmoved-search"]),
];

/// May use everything.
const FREE: &[&str] = &["unmoved", "xtask"];

/// Foreign crates that only one of ours may use.
const RESERVED: &[(&str, &str)] = &[("good_lp", "unmoved-core"), ("highs", "unmoved-core")];

/// Foreign crates that nothing may build unasked, and so only as optional dependencies.
const OPTIONAL: &[&str] = &["candle-core", "candle-nn"];

/// A longer file has a room of its own in it.
const MAX_LINES: usize = 600;

/// Runs every rule; the first that is broken is the error.
pub(crate) fn run() -> Result<()> {
    arrows()?;
    let files = tracked_files()?;
    file_length(&files)?;
    no_machine_paths(&files)?;
    no_orphan_snapshots(&files)?;
    for manifest in ["Cargo.toml", "fuzz/Cargo.toml", "xtask/train/Cargo.toml"] {
        cargo(&["fmt", "--all", "--check", "--manifest-path", manifest], "run `cargo fmt`")?;
    }
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], "mend what clippy shows")?;
    cargo(&["doc", "--workspace", "--no-deps"], "mend what rustdoc shows")?;
    println!("tidy");
    Ok(())
}

fn cargo(args: &[&str], cure: &str) -> Result<()> {
    let status =
        Command::new(crate::cargo()).args(args).env("RUSTDOCFLAGS", "-D warnings").current_dir(root()).status()?;
    ensure!(status.success(), "`cargo {}` failed; {cure}", args.join(" "));
    Ok(())
}

fn arrows() -> Result<()> {
    let output = Command::new(crate::cargo())
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root())
        .output()
        .context("cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists packages")?;
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let rule = allowed.get(name);
        if rule.is_none() && !FREE.contains(&name) {
            bail!("package {name} has no arrows; add it to ARROWS in xtask/src/tidy.rs and to ARCHITECTURE.md");
        }
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let used = dependency["name"].as_str().unwrap_or_default();
            if let Some((_, owner)) = RESERVED.iter().find(|(krate, owner)| *krate == used && *owner != name) {
                bail!("{name} uses {used}, which only {owner} may; go through {owner}");
            }
            ensure!(
                !OPTIONAL.contains(&used) || dependency["optional"].as_bool() == Some(true),
                "{name} always builds {used}; make it an optional dependency behind a feature"
            );
            let (Some(rule), true, true) = (rule, used.starts_with("unmoved"), dependency["kind"].is_null()) else {
                continue;
            };
            let optional =
                dependency["optional"].as_bool() == Some(true) && rule.contains(&format!("optional {used}").as_str());
            ensure!(
                rule.contains(&used) || optional,
                "{name} must not use {used}: data flows file -> format -> ir -> query -> bounds -> search -> certificate -> verdict; \
                 move the code to the crate that may"
            );
        }
    }
    Ok(())
}

fn tracked_files() -> Result<Vec<String>> {
    let output = Command::new("git").args(["ls-files"]).current_dir(root()).output().context("git ls-files")?;
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).filter(|f| root().join(f).is_file()).collect())
}

fn file_length(files: &[String]) -> Result<()> {
    for file in files.iter().filter(|f| f.ends_with(".rs") && !f.contains("/generated/")) {
        let lines = std::fs::read_to_string(root().join(file))?.lines().count();
        ensure!(lines <= MAX_LINES, "{file} has {lines} lines, over {MAX_LINES}; give a part of it a file of its own");
    }
    Ok(())
}

/// The repository speaks of itself alone, never of the machine on which it was written.
fn no_machine_paths(files: &[String]) -> Result<()> {
    let homes = ["home", "root", "work", "Users"].map(|name| format!("/{name}/"));
    for file in files.iter().filter(|f| !f.ends_with(".lock")) {
        let Ok(text) = std::fs::read_to_string(root().join(file)) else { continue };
        for (number, line) in text.lines().enumerate() {
            let found = homes.iter().any(|home| {
                line.match_indices(home.as_str()).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || "_.-}>)*".contains(c))
                })
            });
            ensure!(!found, "{file}:{}: an absolute path of some machine; make it relative or an argument", number + 1);
        }
    }
    Ok(())
}

/// A snapshot whose case is gone proves nothing.
fn no_orphan_snapshots(files: &[String]) -> Result<()> {
    for file in files {
        ensure!(!file.ends_with(".snap.new"), "{file} was never reviewed; read it, then accept or delete it");
        if !file.ends_with(".snap") {
            continue;
        }
        let text = std::fs::read_to_string(root().join(file))?;
        for field in ["source: ", "input_file: "] {
            let Some(path) = text.lines().take(10).find_map(|l| l.strip_prefix(field)) else { continue };
            let exists = [root(), root().join(crate_of(file))].iter().any(|base| base.join(path).exists());
            ensure!(exists, "{file} belongs to {path}, which is gone; delete the snapshot");
        }
    }
    Ok(())
}

/// `crates/core` of `crates/core/tests/...`.
fn crate_of(file: &str) -> &Path {
    Path::new(file).ancestors().find(|p| root().join(p).join("Cargo.toml").exists()).unwrap_or(Path::new(""))
}
