//! `unmoved completions`

use super::{CliError, Exit, help, print};
use clap_complete::Shell;

/// `completions`
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  unmoved completions bash > ~/.local/share/bash-completion/completions/unmoved\n  \
    unmoved completions fish > ~/.config/fish/completions/unmoved.fish"
)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut help::command(), "unmoved", &mut script);
    print(String::from_utf8_lossy(&script).trim_end());
    Ok(Exit::Holds)
}
