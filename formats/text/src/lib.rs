//! Reads and writes the native text format, `.unm`, which is specified in `SPEC.md` beside this crate.
//!
//! ```
//! let text = "net 1
//! input x f32 [2]
//! tensor w f32 [1 2] = 1 -0.5
//! tensor b f32 [1] = 0.25
//! layer y = dense x w b
//! output y
//! end";
//! let network = unmoved_text::parse(text)?;
//! assert_eq!(network.forward(&[1.0f32, 2.0])?, [0.25]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod parse;
mod print;
mod reference;

pub use error::{Error, ReferenceError};

use reference::References;
use std::path::Path;
use unmoved_ir::Network;
use unmoved_safetensors::arch::{Fault, Problem, SyntaxError};
use unmoved_safetensors::files;

/// The largest text that is read or written, in bytes.
pub const MAX_FILE: u64 = 1 << 32;
/// The most bytes that the files which one text refers to have together.
pub const MAX_REFERENCED: u64 = 1 << 32;

/// Reads a network. Tensors may stand in safetensors files in the same folder or below.
///
/// # Errors
/// Besides those of [`parse`] those of the file system, a file that is no plain file or larger than [`MAX_FILE`]
/// bytes, and a referenced tensor that differs from its declaration or lies outside the folder.
pub fn read(path: &Path) -> Result<Network, Error> {
    let bytes = files::read(path, MAX_FILE)?;
    // A bare file name has the empty path as its parent, which joins to paths of the current folder.
    let folder = path.parent().unwrap_or(Path::new(""));
    decode(&bytes, &path.display().to_string(), Some(folder))
}

/// Reads a network from text that refers to no other files.
///
/// # Errors
/// A [`SyntaxError`] with line, column and caret for whatever `SPEC.md` does not allow.
pub fn parse(text: &str) -> Result<Network, Error> {
    decode(text.as_bytes(), "text", None)
}

/// [`parse`] of bytes that may not be UTF-8.
pub fn from_bytes(bytes: &[u8]) -> Result<Network, Error> {
    decode(bytes, "text", None)
}

fn decode(bytes: &[u8], file: &str, folder: Option<&Path>) -> Result<Network, Error> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        SyntaxError::new(file, &valid, Fault::new(valid.len()..valid.len(), Problem::NotUtf8))
    })?;
    parse::parse(text, &mut References::new(folder)).map_err(|fault| SyntaxError::new(file, text, fault).into())
}

/// The canonical text of a network: the same network gives the same bytes. [`unmoved_ir::Slack`] has no place in the
/// format and is left out: the text is then the normalised network itself.
///
/// # Errors
/// Names, shapes and index maps beyond the limits of the format.
pub fn to_string(network: &Network) -> Result<String, Error> {
    Ok(print::print(network)?)
}

/// Writes [`to_string`] to a temporary file beside `path` and renames it.
pub fn write(network: &Network, path: &Path) -> Result<(), Error> {
    Ok(files::write(path, to_string(network)?.as_bytes())?)
}
