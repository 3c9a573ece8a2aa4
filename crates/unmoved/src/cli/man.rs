//! `unmoved man`: the manual, out of what `--help` says.

use super::{CliError, Exit, Output, help, print};
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::io;
use std::path::PathBuf;

/// `man`
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  unmoved man > unmoved.1\n  unmoved man --into ~/.local/share/man/man1")]
pub(crate) struct Args {
    /// Write a page for each command into this folder [default: the first page alone, to standard output]
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let mut root = help::command().disable_help_subcommand(true);
    root.build();
    let rendered = |command: &Command| page(command).map_err(|e| CliError::new("U0002", format!("no page: {e}")));
    let Some(folder) = &args.into else {
        print(String::from_utf8_lossy(&rendered(&root)?).trim_end());
        return Ok(Exit::Holds);
    };
    std::fs::create_dir_all(folder).map_err(|e| CliError::write(folder, e))?;
    let commands: Vec<&Command> = std::iter::once(&root).chain(root.get_subcommands()).collect();
    for command in &commands {
        let path = folder.join(format!("{}.1", name(command)));
        std::fs::write(&path, rendered(command)?).map_err(|e| CliError::write(&path, e))?;
    }
    output.note(format_args!("{}: {} pages", folder.display(), commands.len()));
    Ok(Exit::Holds)
}

/// `unmoved` or `unmoved-robust`.
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// The page of a command that is built.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone())
        .title(name(command).to_uppercase())
        .source(concat!("Unmoved ", env!("CARGO_PKG_VERSION")))
        .manual("Unmoved");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut rest = Roff::new();
    rest.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in help::EXIT_CODES {
        rest.control("TP", []);
        rest.text([bold(code)]);
        rest.text([roman(meaning)]);
    }
    rest.control("SH", ["EXAMPLES"]);
    rest.control("nf", []);
    let first = command.get_subcommands().filter_map(|c| help::examples(c).into_iter().next());
    for example in help::examples(command).into_iter().chain(first) {
        rest.text([roman(example)]);
    }
    rest.control("fi", []);
    rest.control("SH", ["SEE ALSO"]);
    if !command.has_subcommands() {
        rest.text([bold("unmoved"), roman("(1)")]);
        rest.control("br", []);
    }
    rest.text([roman(help::READ_ON)]);
    rest.to_writer(&mut page)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_name_every_option_and_every_example() {
        let mut root = help::command();
        root.build();
        for command in std::iter::once(&root).chain(root.get_subcommands()).filter(|c| c.get_name() != "help") {
            let page = String::from_utf8(page(command).expect("memory does not fail")).expect("text");
            let page = page.replace(r"\-", "-");
            for option in command.get_arguments().filter_map(|a| a.get_long()) {
                assert!(page.contains(&format!("--{option}")), "{}: --{option}", name(command));
            }
            let first = command.get_subcommands().filter_map(|c| help::examples(c).into_iter().next());
            for example in help::examples(command).into_iter().chain(first) {
                assert!(page.contains(&example), "{}: {example}", name(command));
            }
        }
    }
}
