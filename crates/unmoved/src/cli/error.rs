//! Errors as a user reads them: what, where, and what to do.

use std::fmt;
use std::path::Path;
use unmoved::core::{EncodeError, SolverError};
use unmoved::evaluate::run::RunError;
use unmoved::evaluate::{DataSetError, QuestionError};
use unmoved::property::vnnlib::{VnnlibError, VnnlibProblem, WriteError};
use unmoved::search::SearchError;
use unmoved::{ModelError, VnnlibFileError, onnx};

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
    pub(crate) fn write(path: &Path, error: impl fmt::Display) -> Self {
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
            ModelError::Needless { .. } | ModelError::NotOnnx { .. } => "U0101",
            ModelError::Onnx { path, source } => match &**source {
                onnx::Error::Node { operator, node, opset, problem } => {
                    return Self::node(path, operator, node, *opset, problem);
                }
                onnx::Error::Outputs { .. } | onnx::Error::NoSuchOutput { .. } => {
                    return Self::new("U0106", &error)
                        .help("--output NAME chooses one; any other value of the graph will do too");
                }
                _ => "U0106",
            },
            ModelError::Safetensors { .. } => "U0108",
            ModelError::Text(_) => "U0109",
            ModelError::Nnet(_) => "U0111",
        };
        Self::new(code, error)
    }
}

impl CliError {
    /// A node of an ONNX file that cannot be encoded.
    fn node(path: &Path, operator: &str, node: &str, opset: i64, problem: &onnx::Problem) -> Self {
        let error = Self::new("U0107", format_args!("cannot encode {operator} (node \"{node}\", opset {opset})"))
            .note(problem)
            .note(format_args!("in {}", path.display()));
        match problem {
            onnx::Problem::NotPiecewiseLinear | onnx::Problem::NotContinuous | onnx::Problem::UnsupportedOperator => {
                error.help(format_args!("unmoved inspect {} --unsupported lists every such node", path.display()))
            }
            _ => error,
        }
    }
}

impl From<unmoved::property::PropertyError> for CliError {
    fn from(error: unmoved::property::PropertyError) -> Self {
        Self::new("U0200", error)
    }
}

impl From<VnnlibFileError> for CliError {
    fn from(error: VnnlibFileError) -> Self {
        let VnnlibFileError::Vnnlib { source, .. } = &error else { return Self::new("U0003", error) };
        match &**source {
            VnnlibError::Property(_) => Self::new("U0200", error),
            VnnlibError::Text { problem: VnnlibProblem::NotBuilt(_), .. } => Self::new("U0202", error),
            VnnlibError::Text { problem: VnnlibProblem::Unsupported { .. }, .. } => Self::new("U0201", &error)
                .note("VNN-LIB 1.0 and 2.0 with linear constraints are read; docs/vnnlib.md describes them"),
            _ => Self::new("U0201", error),
        }
    }
}

impl From<WriteError> for CliError {
    fn from(error: WriteError) -> Self {
        Self::new("U0203", error)
    }
}

impl From<unmoved::ir::IrError> for CliError {
    fn from(error: unmoved::ir::IrError) -> Self {
        Self::new("U0110", error)
    }
}

impl From<SearchError> for CliError {
    fn from(error: SearchError) -> Self {
        let shown = Self::new("U0300", &error);
        match error {
            SearchError::Solver(SolverError::NeedsHighs { .. }) | SearchError::Encode(EncodeError::L2(_)) => {
                shown.help("--engine search decides without a solver")
            }
            _ => shown,
        }
    }
}

impl From<unmoved::evaluate::ImageError> for CliError {
    fn from(error: unmoved::evaluate::ImageError) -> Self {
        Self::new("U0400", error)
    }
}

impl From<QuestionError> for CliError {
    fn from(error: QuestionError) -> Self {
        match error {
            QuestionError::Shape { .. } => Self::new("U0402", error).note("shapes are channels, height, width"),
            QuestionError::Target { .. } => Self::new("U0001", error),
            QuestionError::Property(error) => error.into(),
            QuestionError::Network(error) => error.into(),
        }
    }
}

impl From<DataSetError> for CliError {
    fn from(error: DataSetError) -> Self {
        let missing = matches!(error, DataSetError::Missing { .. });
        let shown = Self::new("U0401", error);
        if missing { shown.help("cargo xtask download mnist|cifar10 fetches those data sets") } else { shown }
    }
}

impl From<RunError> for CliError {
    fn from(error: RunError) -> Self {
        let shown = |code| Self::new(code, &error);
        match &error {
            RunError::Write { .. } => {
                shown("U0002").help("what was reported is kept; the same command goes on from there")
            }
            RunError::Read { .. } => shown("U0003"),
            RunError::Locked { .. } => shown("U0600").help("wait for it, or give another folder with --run"),
            RunError::Differs { differences, .. } => differences
                .iter()
                .fold(shown("U0601"), Self::note)
                .help("a folder holds one question about one list of images; give another one with --run"),
            RunError::Foreign { .. } => shown("U0601").help("give another folder with --run"),
            RunError::Asked { .. } => shown("U0602"),
            RunError::Contradiction { .. } => shown("U0603"),
            RunError::Thread => shown("U0301"),
            RunError::Question { .. } => shown("U0402"),
            RunError::Search { .. } => shown("U0300"),
            RunError::Data(_) | RunError::Network(_) => match error {
                RunError::Data(error) => error.into(),
                RunError::Network(error) => error.into(),
                _ => shown("U0301"),
            },
        }
    }
}
