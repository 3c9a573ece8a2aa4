//! What can go wrong.

use crate::arch::{SyntaxError, Unwritable};
use safetensors::SafeTensorError;
use std::path::PathBuf;
use unmoved_ir::NodeProblem;

/// Why a network could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// A file beyond the limit.
    #[error("{path}: the file is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// Something that is not a plain file, such as a link beside a model or a device.
    #[error("{0}: not a plain file")]
    NotAFile(PathBuf),
    /// The header, or how it fits the data.
    #[error("the safetensors header is invalid: {0}")]
    Header(String),
    /// A tensor that the architecture names and the file lacks.
    #[error("there is no tensor with the key \"{0}\"")]
    MissingTensor(String),
    /// A type that would have to be converted.
    #[error(
        "tensor \"{key}\" is {dtype}; only F32 and F64 are read. Converting it to F32 or F64 first is exact if it is F16 or BF16"
    )]
    DType {
        /// The tensor.
        key: String,
        /// Its type.
        dtype: String,
    },
    /// A tensor that no network can hold: too large, or not finite.
    #[error("tensor \"{key}\": {problem}")]
    Tensor {
        /// The tensor.
        key: String,
        /// What is wrong with it.
        problem: NodeProblem,
    },
    /// The architecture does not say what it should.
    #[error(transparent)]
    Arch(#[from] SyntaxError),
    /// No architecture was given and none could be inferred.
    #[error(
        "the file has no architecture and is not a bare chain of 2-D weights: {0}. Write the architecture beside the \
         file as NAME.arch, or name it with --arch"
    )]
    NoArchitecture(String),
    /// The network does not fit the format.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    /// Metadata under the key in which the architecture stands.
    #[error("the metadata key \"{}\" is taken by the architecture", crate::ARCH_KEY)]
    ReservedMetadata,
}

impl From<SafeTensorError> for Error {
    fn from(error: SafeTensorError) -> Self {
        Self::Header(error.to_string())
    }
}
