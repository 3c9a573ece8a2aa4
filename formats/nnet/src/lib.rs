//! Reads and writes `.nnet`, the text format of the ACAS Xu networks (<https://github.com/sisl/NNet>): a chain of dense
//! layers with ReLU between them, and the normalisation of inputs and outputs. What is read, and how, stands in
//! `README.md` beside this crate.
//!
//! ```
//! let text = "// one layer, two inputs, one output
//! 1,2,1,2,
//! 2,1,
//! 0,
//! -1.0,-1.0,
//! 1.0,1.0,
//! 0.5,0.0,10.0,
//! 2.0,1.0,4.0,
//! 1.0,-0.5,
//! 0.25,
//! ";
//! let network = unmoved_nnet::parse(text)?;
//! // (0.5 - 0.5) / 2 - 0.5 * 1 + 0.25 = -0.25, times the range 4 plus the mean 10
//! assert_eq!(network.forward(&[0.5f64, 1.0])?, [9.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod file;
mod header;
mod lines;
mod normalisation;
mod parse;
mod print;

pub use error::{Error, Problem, SyntaxError};

use error::Fault;
use std::path::Path;
use unmoved_ir::Network;

/// The largest text that is read or written, in bytes.
pub const MAX_FILE: u64 = 1 << 32;
/// The most characters of a number.
pub const MAX_NUMBER: usize = 512;
/// The most layers of a network.
pub const MAX_LAYERS: usize = 10_000;

/// Reads a network.
///
/// # Errors
/// Besides those of [`parse`] those of the file system, and a file that is no plain file or larger than [`MAX_FILE`]
/// bytes.
pub fn read(path: &Path) -> Result<Network, Error> {
    decode(&file::read(path, MAX_FILE)?, &path.display().to_string())
}

/// Reads a network from text.
///
/// # Errors
/// A [`SyntaxError`] with line, column and caret for whatever `README.md` does not allow.
pub fn parse(text: &str) -> Result<Network, Error> {
    decode(text.as_bytes(), "text")
}

/// [`parse`] of bytes that may not be UTF-8.
pub fn from_bytes(bytes: &[u8]) -> Result<Network, Error> {
    decode(bytes, "text")
}

fn decode(bytes: &[u8], file: &str) -> Result<Network, Error> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        SyntaxError::new(file, &valid, Fault::new(valid.len()..valid.len(), Problem::NotUtf8))
    })?;
    parse::parse(text).map_err(|fault| SyntaxError::new(file, text, fault).into())
}

/// The canonical text of a network: the same network gives the same bytes. Every weight stands in it exactly. Names,
/// the types of the numbers, the shape of the input and [`unmoved_ir::Slack`] have no place in the format and are left
/// out.
///
/// # Errors
/// A network that is not dense layers with ReLU between them, at most with a scale and shift in front and behind that
/// are exactly means and ranges; one whose final Softmax was dropped; metadata `nnet.*` that do not fit it.
pub fn to_string(network: &Network) -> Result<String, Error> {
    print::print(network)
}

/// Writes [`to_string`] to a temporary file beside `path` and renames it.
pub fn write(network: &Network, path: &Path) -> Result<(), Error> {
    file::write(path, to_string(network)?.as_bytes())
}
