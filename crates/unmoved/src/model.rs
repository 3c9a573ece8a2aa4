//! Model files of every format, told apart by their names.

use std::path::{Path, PathBuf};
use unmoved_ir::Network;

/// A network and what its file leaves to be said.
#[derive(Debug, Clone)]
pub struct Model {
    /// The network.
    pub network: Network,
    /// Choices that the import made and the user should know.
    pub notices: Vec<String>,
    /// What became of each node of an ONNX file; empty for other formats, which have no other operators.
    pub translations: Vec<unmoved_onnx::Translation>,
}

/// What a model file leaves open.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// The architecture of a safetensors file that does not carry one.
    pub arch: Option<PathBuf>,
    /// Which output of an ONNX file, or which other value of its graph; needed where there are several outputs.
    pub output: Option<String>,
}

/// A model file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A name that ends like no format.
    #[error("{path}: unknown model format; the name must end in .onnx, .onnx.gz, .safetensors, .nnet or .unm")]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// ONNX.
    #[error("{path}: {source}")]
    Onnx {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<unmoved_onnx::Error>,
    },
    /// safetensors.
    #[error("{path}: {source}")]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<unmoved_safetensors::Error>,
    },
    /// `.nnet`, whose errors name the file or the node themselves.
    #[error(transparent)]
    Nnet(Box<unmoved_nnet::Error>),
    /// The native text format, whose errors name the file themselves.
    #[error(transparent)]
    Text(Box<unmoved_text::Error>),
    /// A question about ONNX operators for another format.
    #[error("{path}: only ONNX files can hold unsupported operators; the other formats have words for nothing else")]
    NotOnnx {
        /// The file.
        path: PathBuf,
    },
    /// A choice that this format does not leave open.
    #[error("{path}: {option} is for {format} files; this one leaves no such choice")]
    Needless {
        /// The file.
        path: PathBuf,
        /// The command line's word for the choice.
        option: &'static str,
        /// The format that has it.
        format: &'static str,
    },
}

/// ONNX exports of the same networks, and the properties that go with them, leave the normalisation out.
const UNITS: &str =
    "the means and ranges of the file are part of the network: it reads inputs and gives outputs in their own units";

enum Format {
    Nnet,
    Onnx,
    Safetensors,
    Text,
}

fn format(path: &Path) -> Result<Format, ModelError> {
    let name = path.file_name().map(|n| n.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    if name.ends_with(".onnx") || name.ends_with(".onnx.gz") {
        Ok(Format::Onnx)
    } else if name.ends_with(".safetensors") {
        Ok(Format::Safetensors)
    } else if name.ends_with(".nnet") {
        Ok(Format::Nnet)
    } else if name.ends_with(".unm") {
        Ok(Format::Text)
    } else {
        Err(ModelError::UnknownFormat { path: path.into() })
    }
}

/// Reads a model.
pub fn read_model(path: &Path, choices: &Choices) -> Result<Model, ModelError> {
    let format = format(path)?;
    let needless = |option, format| Err(ModelError::Needless { path: path.into(), option, format });
    if choices.arch.is_some() && !matches!(format, Format::Safetensors) {
        return needless("--arch", "safetensors");
    }
    if choices.output.is_some() && !matches!(format, Format::Onnx) {
        return needless("--output", "ONNX");
    }
    let plain = |network, notices| Model { network, notices, translations: Vec::new() };
    match format {
        Format::Nnet => {
            let network = unmoved_nnet::read(path).map_err(|e| ModelError::Nnet(Box::new(e)))?;
            let notices = if network.rewrites().is_empty() { Vec::new() } else { vec![UNITS.into()] };
            Ok(plain(network, notices))
        }
        Format::Onnx => {
            let imported = unmoved_onnx::import(path, choices.output.as_deref())
                .map_err(|e| ModelError::Onnx { path: path.into(), source: Box::new(e) })?;
            Ok(Model { network: imported.network, notices: Vec::new(), translations: imported.translations })
        }
        Format::Safetensors => {
            let imported = unmoved_safetensors::read(path, choices.arch.as_deref())
                .map_err(|e| ModelError::Safetensors { path: path.into(), source: Box::new(e) })?;
            Ok(plain(imported.network, imported.notices))
        }
        Format::Text => {
            let network = unmoved_text::read(path).map_err(|e| ModelError::Text(Box::new(e)))?;
            Ok(plain(network, Vec::new()))
        }
    }
}

/// Every node of an ONNX file whose operator cannot be read, in the order of the file; of a single or chosen output,
/// those that it needs.
pub fn unsupported_operators(path: &Path, choices: &Choices) -> Result<Vec<unmoved_onnx::Unsupported>, ModelError> {
    match format(path)? {
        Format::Onnx => unmoved_onnx::unsupported(path, choices.output.as_deref())
            .map_err(|e| ModelError::Onnx { path: path.into(), source: Box::new(e) }),
        Format::Nnet | Format::Safetensors | Format::Text => Err(ModelError::NotOnnx { path: path.into() }),
    }
}

/// What writing did to the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Every weight stands in the file as it is.
    Exactly,
    /// Weights were rounded to float32.
    Rounded,
}

/// Writes a model in the format that the name ends in.
pub fn write_model(network: &Network, path: &Path) -> Result<Written, ModelError> {
    match format(path)? {
        Format::Nnet => {
            unmoved_nnet::write(network, path).map_err(|e| ModelError::Nnet(Box::new(e)))?;
            Ok(Written::Exactly)
        }
        Format::Onnx => {
            let exported = unmoved_onnx::write(network, path)
                .map_err(|e| ModelError::Onnx { path: path.into(), source: Box::new(e) })?;
            Ok(if exported.rounded { Written::Rounded } else { Written::Exactly })
        }
        Format::Safetensors => {
            unmoved_safetensors::write(network, path)
                .map_err(|e| ModelError::Safetensors { path: path.into(), source: Box::new(e) })?;
            Ok(Written::Exactly)
        }
        Format::Text => {
            unmoved_text::write(network, path).map_err(|e| ModelError::Text(Box::new(e)))?;
            Ok(Written::Exactly)
        }
    }
}
