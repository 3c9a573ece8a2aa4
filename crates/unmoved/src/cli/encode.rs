//! `unmoved encode`
use super::{CliError, Exit, Output};
#[derive(clap::Args)]
pub(crate) struct Args {}
pub(crate) fn run(_args: &Args, _output: Output) -> Result<Exit, CliError> {
    Err(CliError::new("U0001", "later"))
}
