//! Help, examples and docs agree with what is parsed.

use super::*;
use crate::cli::{Stop, parse};
use std::collections::BTreeSet;
use std::path::PathBuf;

fn root() -> PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../..").into()
}

/// All commands but the one that clap adds.
fn all(command: &Command) -> Vec<&Command> {
    command.get_subcommands().filter(|c| c.get_name() != "help").collect()
}

/// A command line out of a text, which may hold what a usage does: `[--optional]`, `one|other` and names in capitals.
fn words(line: &str) -> Vec<String> {
    let line = line.split(" #").next().unwrap_or_default().split(" > ").next().unwrap_or_default();
    let plain = line.replace("[NAME=]", "").replace(['[', ']'], "");
    let word = |word: &str| match word.split('|').next().unwrap_or_default() {
        "E" => "0.1".into(),
        "N" => "0".into(),
        "N,M" => "0,1".into(),
        "A..B" | "LOW..HIGH" => "0..1".into(),
        "TIMEOUT" | "SECONDS" => "1".into(),
        "SIZE" => "1G".into(),
        "I/N" => "1/2".into(),
        other => other.to_owned(),
    };
    plain.split_whitespace().filter(|w| *w != "...").map(word).collect()
}

fn assert_parses(line: &str, place: &str) {
    let arguments = words(line).into_iter().map(Into::into).collect();
    // A --config of the docs names a file that is not there.
    if let Err(Stop::Clap(error)) = parse(arguments) {
        assert!(!error.use_stderr(), "{place}: {line}\n{error}");
    }
}

#[test]
fn the_command_line_is_consistent() {
    command().debug_assert();
}

#[test]
fn every_command_stands_in_one_group() {
    let command = command();
    let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let all: BTreeSet<&str> = all(&command).iter().map(|c| c.get_name()).collect();
    let missing: Vec<_> = all.iter().filter(|name| !grouped.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?} stand in no group of GROUPS");
    let count = grouped.len();
    grouped.sort_unstable();
    grouped.dedup();
    assert_eq!(grouped.len(), count, "a command stands in two groups");
}

#[test]
fn every_command_has_examples_that_parse() {
    let command = command();
    for command in all(&command) {
        let name = command.get_name();
        assert!(!examples(command).is_empty(), "the help of {name} has no line \"  unmoved {name} ...\"");
        for example in examples(command) {
            assert_eq!(example.split_whitespace().nth(1), Some(name), "{example}");
            assert_parses(&example, name);
        }
    }
}

#[test]
fn the_list_of_commands_fits_a_terminal() {
    let text = commands(&command(), true);
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn the_commands_in_the_docs_parse() {
    let docs = std::fs::read_dir(root().join("docs")).expect("the folder of docs");
    let pages = docs.map(|entry| entry.expect("readable").path()).filter(|p| p.extension().is_some_and(|e| e == "md"));
    for page in pages.chain([root().join("README.md")]) {
        let text = std::fs::read_to_string(&page).expect("a text");
        for line in text.lines().filter_map(|line| line.strip_prefix("    ")) {
            let line = line.replace("cargo run --release -- ", "unmoved ");
            if line.starts_with("unmoved ") {
                assert_parses(&line, &page.display().to_string());
            }
        }
    }
}

#[test]
fn every_command_has_a_page_that_the_readme_names() {
    let command = command();
    let readme = std::fs::read_to_string(root().join("README.md")).expect("a text");
    for command in all(&command) {
        let entry = format!("[`unmoved {}`](docs/", command.get_name());
        let page = readme.split_once(&entry).and_then(|(_, rest)| rest.split([')', '#']).next());
        let page = page.unwrap_or_else(|| panic!("README.md has no {entry}"));
        assert!(root().join("docs").join(page).is_file(), "there is no docs/{page}");
    }
}
