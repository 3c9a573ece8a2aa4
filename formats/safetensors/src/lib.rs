//! Reads and writes networks as safetensors with an architecture.
//!
//! A safetensors file holds tensors and nothing else; what is computed from them is said by an architecture
//! ([`arch`]), which stands in the file's metadata, in a file beside it, or in a file that the user names.
//!
//! ```no_run
//! let imported = unmoved_safetensors::read("m.safetensors".as_ref(), None)?;
//! imported.notices.iter().for_each(|notice| eprintln!("note: {notice}"));
//! unmoved_safetensors::write(&imported.network, "copy.safetensors".as_ref())?;
//! # Ok::<(), unmoved_safetensors::Error>(())
//! ```
#![doc = include_str!("../README.md")]

pub mod arch;
#[cfg(feature = "candle")]
pub mod candle;
mod error;
pub mod files;
mod infer;
mod tensors;
mod write;

pub use error::Error;
pub use tensors::TensorFile;

use arch::{Arch, Problem};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use unmoved_ir::{Network, Tensor};

/// The metadata key of the architecture.
pub const ARCH_KEY: &str = "unmoved.arch";
/// The largest file that is read, in bytes.
pub const MAX_FILE: u64 = 1 << 32;
/// The largest architecture that is read, in bytes.
pub const MAX_ARCH: u64 = 1 << 28;

/// A network and how it was understood.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The network.
    pub network: Network,
    /// Where the architecture came from.
    pub source: ArchSource,
    /// What the user should know: an inferred architecture, tensors that no layer reads, a choice between two
    /// architectures.
    pub notices: Vec<String>,
}

/// Where an architecture came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchSource {
    /// A file that the caller named.
    Named(PathBuf),
    /// The file `m.arch` beside `m.safetensors`.
    Sidecar(PathBuf),
    /// The file's metadata.
    Metadata,
    /// Inferred from a bare chain of 2-D weights.
    Inferred,
}

/// Reads a network. The architecture is `arch` if given, else the file `m.arch` beside `m.safetensors`, else the
/// metadata of the file, else it is inferred from a bare chain of 2-D weights, which is noticed.
///
/// # Errors
/// Besides those of [`from_bytes`] those of the file system, files beyond [`MAX_FILE`] and [`MAX_ARCH`] bytes, and a
/// sidecar that is a symbolic link.
pub fn read(path: &Path, arch: Option<&Path>) -> Result<Imported, Error> {
    let source = match arch {
        Some(path) => Some(ArchSource::Named(path.to_owned())),
        None => sidecar(path)?.map(ArchSource::Sidecar),
    };
    let given = match &source {
        Some(ArchSource::Named(path) | ArchSource::Sidecar(path)) => {
            let bytes = files::read(path, MAX_ARCH)?;
            let name = path.display().to_string();
            let utf8 = |e: std::str::Utf8Error| not_utf8(&name, &bytes, &e);
            Some((name.clone(), std::str::from_utf8(&bytes).map_err(utf8)?.to_owned()))
        }
        _ => None,
    };
    let file = TensorFile::new(files::read(path, MAX_FILE)?)?;
    let given = given.as_ref().map(|(name, text)| (name.as_str(), text.as_str()));
    let mut imported = import(&file, given)?;
    if let Some(source) = source {
        imported.source = source;
    }
    Ok(imported)
}

/// The sidecar of a model file, if there is one. It was not named by the user, so it must not lead elsewhere.
fn sidecar(path: &Path) -> Result<Option<PathBuf>, Error> {
    let path = path.with_extension("arch");
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => Err(Error::NotAFile(path)),
        Ok(_) => Ok(Some(path)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Io { path, source }),
    }
}

fn not_utf8(file: &str, bytes: &[u8], error: &std::str::Utf8Error) -> arch::SyntaxError {
    let (valid, _) = bytes.split_at(error.valid_up_to());
    let text = String::from_utf8_lossy(valid);
    let end = text.len();
    arch::SyntaxError::new(file, &text, arch::Fault::new(end..end, Problem::NotUtf8))
}

/// Reads a network from the bytes of a safetensors file, with the text of an architecture if it is not in the file.
///
/// # Errors
/// A header that does not fit the data exactly; an architecture that is missing or wrong; tensors that it names and
/// the file lacks, or that have another type than F32 and F64, a wrong shape, or elements that are not finite.
pub fn from_bytes(bytes: &[u8], arch: Option<&str>) -> Result<Imported, Error> {
    import(&TensorFile::new(bytes)?, arch.map(|text| ("architecture", text)))
}

fn import(file: &TensorFile<'_>, given: Option<(&str, &str)>) -> Result<Imported, Error> {
    let mut metadata = file.metadata();
    let inside = metadata.remove(ARCH_KEY);
    let mut notices = Vec::new();
    let (network, read, source) = match (given, inside) {
        (Some((name, text)), inside) => {
            if inside.is_some_and(|inside| inside != text) {
                notices.push(format!("the architecture in the file's metadata differs from {name} and is ignored"));
            }
            let (network, read) = build(text, name, |key| file.tensor(key))?;
            (network, read, ArchSource::Named(name.into()))
        }
        (None, Some(text)) => {
            let (network, read) = build(&text, ARCH_KEY, |key| file.tensor(key))?;
            (network, read, ArchSource::Metadata)
        }
        (None, None) => {
            let text = infer::infer(file)?;
            let (network, read) = build(&text, "inferred architecture", |key| file.tensor(key))?;
            notices.push(format!("the file has no architecture; inferred a chain of dense layers with ReLU:\n{text}"));
            (network, read, ArchSource::Inferred)
        }
    };
    let unread: Vec<String> = file.keys().into_iter().filter(|key| !read.contains(key)).collect();
    if !unread.is_empty() {
        let shown: Vec<String> = unread.iter().take(10).map(|key| arch::quoted(key)).collect();
        let more = if unread.len() > 10 { ", ..." } else { "" };
        notices.push(format!("no layer reads {} of the tensors: {}{more}", unread.len(), shown.join(", ")));
    }
    Ok(Imported { network: network.with_metadata(metadata), source, notices })
}

/// The network of an architecture called `name`, and the keys of the tensors that it was made of, which `tensor` fetches.
fn build<E: std::error::Error + Send + Sync + 'static>(
    text: &str,
    name: &str,
    tensor: impl Fn(&str) -> Result<Tensor, E>,
) -> Result<(Network, HashSet<String>), arch::SyntaxError> {
    // A tensor that many layers share is read once; otherwise a small file could fill the memory.
    let mut read: HashMap<String, Tensor> = HashMap::new();
    let mut lookup = |name: &arch::Name| match read.get(&name.text) {
        Some(tensor) => Ok(tensor.clone()),
        None => {
            let tensor = tensor(&name.text).map_err(|error| Problem::Other(Box::new(error)))?;
            Ok(read.entry(name.text.clone()).or_insert(tensor).clone())
        }
    };
    let network = Arch::network(text, name, &mut lookup)?;
    Ok((network, read.into_keys().collect()))
}

/// The bytes of a safetensors file with the architecture in its metadata. The same network gives the same bytes.
/// [`unmoved_ir::Slack`] has no place in the format and is left out: the file is then the normalised network itself.
///
/// # Errors
/// Names and shapes beyond the limits of the format, and metadata under [`ARCH_KEY`].
pub fn to_bytes(network: &Network) -> Result<Vec<u8>, Error> {
    write::to_bytes(network)
}

/// Writes [`to_bytes`] to a temporary file beside `path` and renames it.
pub fn write(network: &Network, path: &Path) -> Result<(), Error> {
    files::write(path, &to_bytes(network)?)
}
