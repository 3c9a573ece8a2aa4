//! Property files.

use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use unmoved_ir::Network;
use unmoved_property::Query;
use unmoved_property::vnnlib::{self, Declarations, MAX_BYTES, VnnlibError};

/// A property file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum VnnlibFileError {
    /// The file system, or bytes that only begin like gzip.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: std::io::Error,
    },
    /// A file longer than any property, or one that decompresses to much more than it is.
    #[error("{path} has more than {limit} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most bytes that it may have.
        limit: u64,
    },
    /// What it says. The message shows the line, where there is one.
    #[error("{}", in_file(path, source))]
    Vnnlib {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<VnnlibError>,
    },
}

fn in_file(path: &Path, error: &VnnlibError) -> String {
    match error {
        VnnlibError::Text { place, problem } => format!("{problem}\n{}", place.excerpt(path.display())),
        _ => format!("{}: {error}", path.display()),
    }
}

/// Reads a property of a network in VNN-LIB, plain or compressed by gzip: one query per box of inputs, at least one. The
/// property holds if nothing is unsafe in any of them.
pub fn read_vnnlib(path: &Path, network: &Arc<Network>) -> Result<Vec<Query>, VnnlibFileError> {
    VnnlibFile::open(path)?.queries(network)
}

/// The text of a property file, plain or compressed by gzip, before it is known which network it is about.
#[derive(Debug)]
pub struct VnnlibFile {
    path: PathBuf,
    text: String,
}

impl VnnlibFile {
    /// Reads a file.
    pub fn open(path: &Path) -> Result<Self, VnnlibFileError> {
        let (limit, path) = (most(path), path.to_owned());
        match read_text(&path, limit) {
            Ok(Some(text)) => Ok(Self { path, text }),
            Ok(None) => Err(VnnlibFileError::TooLarge { path, limit }),
            Err(source) => Err(VnnlibFileError::Io { path, source }),
        }
    }

    /// The version and the networks that it declares; see [`vnnlib::declarations`].
    pub fn declarations(&self) -> Result<Declarations, VnnlibFileError> {
        vnnlib::declarations(&self.text).map_err(|e| self.error(e))
    }

    /// One query per box of inputs; see [`vnnlib::read`].
    pub fn queries(&self, network: &Arc<Network>) -> Result<Vec<Query>, VnnlibFileError> {
        vnnlib::read(&self.text, network).map_err(|e| self.error(e))
    }

    fn error(&self, error: VnnlibError) -> VnnlibFileError {
        VnnlibFileError::Vnnlib { path: self.path.clone(), source: Box::new(error) }
    }
}

/// How many bytes a file may have, decompressed: 64 MiB and ten times its size, within [`MAX_BYTES`]. A pipe may have none
/// to begin with.
fn most(path: &Path) -> u64 {
    let length = path.metadata().map_or(0, |m| m.len());
    length.saturating_mul(10).saturating_add(1 << 26).min(MAX_BYTES)
}

/// The text of a file, decompressed; `None` if it has more than `most` bytes.
fn read_text(path: &Path, most: u64) -> std::io::Result<Option<String>> {
    let mut file = BufReader::new(File::open(path)?);
    // No text begins like gzip. The length that the file claims says nothing: both ways are cut off.
    let is_gzip = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let mut text = String::new();
    let read = if is_gzip {
        MultiGzDecoder::new(file).take(most + 1).read_to_string(&mut text)?
    } else {
        file.take(most + 1).read_to_string(&mut text)?
    };
    Ok((read as u64 <= most).then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn no_file_grows_beyond_the_limit() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (plain, packed) = (folder.path().join("p.vnnlib"), folder.path().join("p.vnnlib.gz"));
        let text = ";".repeat(10_000);
        std::fs::write(&plain, &text).expect("writable");
        let mut gzip = flate2::GzBuilder::new().write(File::create(&packed).expect("writable"), Default::default());
        gzip.write_all(text.as_bytes()).and_then(|()| gzip.finish()?.flush()).expect("writable");
        assert!(packed.metadata().expect("it is there").len() < 100);
        for path in [plain, packed] {
            assert_eq!(read_text(&path, 10_000).expect("readable").as_ref(), Some(&text));
            assert_eq!(read_text(&path, 9_999).expect("readable"), None);
        }
    }
}
