//! A file being read from the front, unpacked on the way.

use super::DataSetError;
use crate::npy::Element;
use flate2::read::GzDecoder;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// What is read, and what it is called in errors.
pub(super) struct Source {
    /// The file; for a member of an archive with its name behind.
    pub(super) path: PathBuf,
    reader: Box<dyn Read + Send>,
}

impl Source {
    /// Opens a plain file, or one that is packed by gzip if its name says so.
    pub(super) fn open(path: &Path) -> Result<Self, DataSetError> {
        let file = File::open(path).map_err(|source| DataSetError::Io { path: path.into(), source })?;
        let reader: Box<dyn Read + Send> = if path.extension().is_some_and(|e| e == "gz") {
            Box::new(BufReader::new(GzDecoder::new(file)))
        } else {
            Box::new(BufReader::new(file))
        };
        Ok(Self { path: path.into(), reader })
    }

    /// What `reader` gives.
    pub(super) fn new(path: PathBuf, reader: impl Read + Send + 'static) -> Self {
        Self { path, reader: Box::new(reader) }
    }

    pub(super) fn reader(&mut self) -> &mut dyn Read {
        &mut self.reader
    }

    pub(super) fn io(&self, source: io::Error) -> DataSetError {
        match source.kind() {
            ErrorKind::UnexpectedEof => self.problem("the file is shorter than it says"),
            ErrorKind::InvalidData | ErrorKind::InvalidInput => self.problem(source.to_string()),
            _ => DataSetError::Io { path: self.path.clone(), source },
        }
    }

    pub(super) fn problem(&self, problem: impl Into<String>) -> DataSetError {
        DataSetError::Format { path: self.path.clone(), problem: problem.into() }
    }

    /// So many bytes. Their number is a constant of the format.
    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], DataSetError> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).map_err(|e| self.io(e))?;
        Ok(bytes)
    }

    /// Passes over so many times so many bytes.
    pub(super) fn skip(&mut self, count: usize, size: usize) -> Result<(), DataSetError> {
        let bytes = (count as u64).checked_mul(size as u64).ok_or_else(|| self.problem("the file is too large"))?;
        match io::copy(&mut self.reader.by_ref().take(bytes), &mut io::sink()) {
            Ok(n) if n == bytes => Ok(()),
            Ok(_) => Err(self.io(ErrorKind::UnexpectedEof.into())),
            Err(e) => Err(self.io(e)),
        }
    }

    /// The values of an image.
    pub(super) fn values(&mut self, element: Element, count: usize) -> Result<Vec<f32>, DataSetError> {
        element.values(&mut self.reader, count).map_err(|e| self.io(e))
    }

    /// The label of an image.
    pub(super) fn class(&mut self, element: Element) -> Result<usize, DataSetError> {
        element.next_class(&mut self.reader).map_err(|e| self.io(e))
    }
}
