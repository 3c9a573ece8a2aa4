//! Reads ONNX into [`unmoved_ir::Network`] and writes it back.
//!
//! What is read is what the file says: no optimiser, no runtime's view of it. Every operator, attribute, type and opset
//! that is not understood is an [`Error`] that names the node; nothing is ignored and nothing approximated. The batch
//! dimension must be 1 (or open) and is removed.
//!
//! ```no_run
//! let network = unmoved_onnx::read("model.onnx".as_ref())?;
//! println!("{} nodes", network.nodes().len());
//! unmoved_onnx::write(&network, "copy.onnx".as_ref())?;
//! # Ok::<(), unmoved_onnx::Error>(())
//! ```
//!
//! Writing gives the same bytes for the same network. A network that was read from a file written here is equal to the
//! one written, names included, but for what a file cannot hold: rewrites and slack of an earlier import.

mod attributes;
mod broadcast;
mod budget;
mod call;
mod constant;
mod error;
mod export;
mod file;
mod graph;
mod import;
mod operators;
mod skim;
mod value;
mod wire;

#[rustfmt::skip]
#[allow(missing_docs, unreachable_pub, clippy::all, dead_code)]
#[path = "generated/onnx.rs"]
mod schema;

#[cfg(feature = "tract")]
mod tract;
#[cfg(feature = "tract")]
pub use tract::{CompareError, compare_with_tract};

#[cfg(test)]
mod tests;

pub use error::{Error, Problem};
pub use export::Exported;
pub use import::{Imported, Translation, Unsupported, unsupported};

use std::ops::RangeInclusive;
use std::path::Path;
use unmoved_ir::Network;

/// The names of the operators that are read, in alphabetical order. Some only with attributes or inputs that make them piecewise
/// linear.
pub fn operators() -> impl Iterator<Item = &'static str> {
    operators::names()
}

/// The versions of the default operator set that are read.
pub fn opsets() -> RangeInclusive<i64> {
    graph::OPSETS
}

/// Reads `.onnx` or `.onnx.gz`. External data are looked for in the model's folder only.
///
/// # Errors
/// See [`Error`]; never panics, whatever the file holds.
pub fn read(path: &Path) -> Result<Network, Error> {
    Ok(import(path, None)?.network)
}

/// Reads the part of a model that the tensor `output` needs: one of several outputs, or any other value of the graph
/// (say, what a final Sigmoid reads).
///
/// # Errors
/// As [`read`], and [`Error::NoSuchOutput`].
pub fn read_output(path: &Path, output: &str) -> Result<Network, Error> {
    Ok(import(path, Some(output))?.network)
}

/// As [`read`], or as [`read_output`] where an output is named; says what became of every node.
///
/// # Errors
/// As those.
pub fn import(path: &Path, output: Option<&str>) -> Result<Imported, Error> {
    let file::Content { bytes, large, size } = file::open_model(path)?;
    let sources = constant::Sources { origin: constant::Origin::beside(path), large, size };
    import::import(&wire::decode(bytes)?, &sources, output)
}

/// Reads a model without touching the file system: external data are an error. `bytes` may be compressed with gzip.
pub fn from_bytes(bytes: &[u8]) -> Result<Network, Error> {
    let file::Content { bytes, large, size } = file::Content::whole(file::decompressed(bytes)?);
    let sources = constant::Sources { origin: constant::Origin::NoFiles, large, size };
    Ok(import::import(&wire::decode(bytes)?, &sources, None)?.network)
}

/// The network as an ONNX model of opset 17, deterministic.
///
/// A network whose input is f32 is written in f32; weights that no f32 holds are then rounded, and
/// [`Exported::rounded`] says so. One whose input is f64 is written in f64, exactly.
pub fn to_bytes(network: &Network) -> Result<Exported, Error> {
    export::to_bytes(network)
}

/// Writes the network to a file, compressed if its name ends in `.gz`. The file appears whole or not at all.
pub fn write(network: &Network, path: &Path) -> Result<Exported, Error> {
    let exported = export::to_bytes(network)?;
    file::write_model(path, &exported.bytes)?;
    Ok(exported)
}
