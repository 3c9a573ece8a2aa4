//! What `unmoved --help` says: commands in groups, an example for each, and where to read on.

use super::{Cli, config};
use clap::builder::styling::Styles;
use clap::{Command, CommandFactory};
use std::fmt::Write as _;

/// Which commands stand together.
const GROUPS: &[(&str, &[&str])] = &[
    ("Decide", &["robust", "distortion", "verify", "attack", "check"]),
    ("Whole test sets", &["evaluate", "collect", "report"]),
    ("Look inside", &["bounds", "encode"]),
    ("Models", &["inspect", "convert"]),
    ("Competitions", &["vnncomp", "supports"]),
    ("Shell", &["completions", "man"]),
];

/// What exit codes mean.
pub(crate) const EXIT_CODES: [(&str, &str); 4] = [
    ("0", "the property holds, or the command did what it was asked"),
    ("1", "a counterexample exists, or a certificate is refused"),
    ("2", "an error: usage, a file, an operator that is not supported"),
    ("3", "not decided"),
];

/// Where there is more.
pub(crate) const READ_ON: &str = concat!(env!("CARGO_PKG_REPOSITORY"), " (docs: a page for each command)");

/// The command line as it is read and as it is described.
pub(crate) fn command() -> Command {
    let command = Cli::command().arg(config::arg());
    let (short, long) = (commands(&command, false), commands(&command, true));
    let header = header("Options");
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{{before-help}}{header}\n{{options}}{{after-help}}"
    );
    command.help_template(template).before_help(short).before_long_help(long).after_help(format!(
        "Exit codes: 0 holds, 1 violated, 2 error, 3 unknown.\n\n\
         Start with:\n  unmoved robust model.onnx --image seven.png --eps 0.05\n\n\
         All options of a command: unmoved COMMAND --help\n\
         Read on: {READ_ON}"
    ))
}

/// The commands in their groups, each with its example if that is asked for.
fn commands(command: &Command, with_examples: bool) -> String {
    let mut text = String::new();
    for (group, names) in GROUPS {
        let found: Vec<&Command> = names.iter().filter_map(|name| command.find_subcommand(name)).collect();
        if found.is_empty() {
            continue;
        }
        let gap = if text.is_empty() { "" } else { "\n" };
        let _ = writeln!(text, "{gap}{}", header(group));
        for command in found {
            let _ = writeln!(text, "  {:11}  {}", command.get_name(), command.get_about().unwrap_or_default());
            for example in examples(command).iter().take(usize::from(with_examples)) {
                let _ = writeln!(text, "      $ {example}");
            }
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// A heading as clap writes them.
fn header(text: &str) -> String {
    let style = *Styles::styled().get_header();
    format!("{style}{text}:{style:#}")
}

/// The examples that stand below the help of a command.
pub(crate) fn examples(command: &Command) -> Vec<String> {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    text.lines().map(str::trim_start).filter(|line| line.starts_with("unmoved ")).map(Into::into).collect()
}

#[cfg(test)]
mod tests;
