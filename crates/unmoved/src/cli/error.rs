//! Errors as a user reads them: what, where, and what to do.

use std::fmt;
use unmoved::ModelError;

/// An error with a stable code, notes and help.
#[derive(Debug)]
pub(crate) struct CliError {
    code: &'static str,
    message: String,
    notes: Vec<String>,
    help: Option<String>,
}

impl CliError {
    pub(crate) fn new(code: &'static str, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string(), notes: Vec::new(), help: None }
    }

    pub(crate) fn note(mut self, note: impl fmt::Display) -> Self {
        self.notes.push(note.to_string());
        self
    }

    pub(crate) fn help(mut self, help: impl fmt::Display) -> Self {
        self.help = Some(help.to_string());
        self
    }

    /// A file that cannot be written.
    pub(crate) fn write(path: &std::path::Path, error: impl fmt::Display) -> Self {
        Self::new("U0002", format!("cannot write {}: {error}", path.display()))
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error[{}]: {}", self.code, self.message)?;
        for note in &self.notes {
            writeln!(f, "  note: {note}")?;
        }
        self.help.iter().try_for_each(|help| writeln!(f, "  help: {help}"))
    }
}

impl From<ModelError> for CliError {
    fn from(error: ModelError) -> Self {
        let code = match &error {
            ModelError::UnknownFormat { .. } => "U0100",
            ModelError::Onnx { .. } => "U0107",
            ModelError::Safetensors { .. } => "U0108",
            ModelError::Text(_) => "U0109",
            ModelError::NeedlessArchitecture { .. } => "U0101",
        };
        Self::new(code, error)
    }
}

impl From<unmoved::property::PropertyError> for CliError {
    fn from(error: unmoved::property::PropertyError) -> Self {
        Self::new("U0200", error)
    }
}

impl From<unmoved::ir::IrError> for CliError {
    fn from(error: unmoved::ir::IrError) -> Self {
        Self::new("U0110", error)
    }
}

impl From<unmoved::search::SearchError> for CliError {
    fn from(error: unmoved::search::SearchError) -> Self {
        Self::new("U0300", error)
    }
}

impl From<unmoved::evaluate::ImageError> for CliError {
    fn from(error: unmoved::evaluate::ImageError) -> Self {
        Self::new("U0400", error)
    }
}

impl From<unmoved::evaluate::DataSetError> for CliError {
    fn from(error: unmoved::evaluate::DataSetError) -> Self {
        Self::new("U0401", error).help("cargo xtask download mnist|cifar10 fetches the data sets")
    }
}
