//! What can go wrong.

use std::path::PathBuf;
use unmoved_ir::{DType, Digest, Shape};
use unmoved_safetensors::arch::{SyntaxError, Unwritable};

/// Why a network could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system: a file that is missing, is no plain file or is larger than [`crate::MAX_FILE`].
    #[error(transparent)]
    File(#[from] unmoved_safetensors::Error),
    /// The text does not say what it should. The message shows the line.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// The network does not fit the format.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
}

/// Why a tensor that stands in another file could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// The text was not read from a file.
    #[error("a text without a folder cannot refer to files")]
    NoFolder,
    /// Absolute, `..`, or something that only some systems read as a path.
    #[error("a file must be named by a relative path of plain names, without `..` and `\\`")]
    Path,
    /// The path runs through a symbolic link.
    #[error("{0} is or runs through a symbolic link")]
    Link(PathBuf),
    /// The files referred to are too large together.
    #[error("the files that one text refers to have at most {} bytes together", crate::MAX_REFERENCED)]
    TooLarge,
    /// The file, or the tensor in it.
    #[error(transparent)]
    File(#[from] unmoved_safetensors::Error),
    /// The tensor has another type than declared.
    #[error("the tensor is declared {}, but the file has {}", declared.name(), found.name())]
    DType {
        /// In the text.
        declared: DType,
        /// In the file.
        found: DType,
    },
    /// The tensor has another shape than declared.
    #[error("the tensor is declared {declared}, but the file has {found}")]
    Shape {
        /// In the text.
        declared: Shape,
        /// In the file.
        found: Shape,
    },
    /// The digest does not consist of 64 hexadecimal digits.
    #[error("a digest has 64 hexadecimal digits in lower case")]
    BadDigest,
    /// The tensor is not the one that was meant.
    #[error("the digest does not match: the tensor has {found}")]
    Digest {
        /// Of the tensor in the file.
        found: Digest,
    },
}
