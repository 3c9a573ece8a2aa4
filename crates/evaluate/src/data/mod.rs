//! Data sets whose images are read by index.

mod arrays;
mod bytes;
mod npz;
mod pngs;
mod source;

use crate::Example;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::ops::Range;
use std::path::{Path, PathBuf};
use unmoved_ir::Digest;

/// What the files of a data set are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataSet {
    /// Handwritten digits, 28 by 28, grey: a folder with `t10k-images-idx3-ubyte[.gz]` and `t10k-labels-idx1-ubyte[.gz]`.
    Mnist,
    /// Ten kinds of things, 32 by 32, colour: a folder with `test_batch.bin`.
    Cifar10,
    /// A folder of 8-bit grey or RGB PNGs with `labels.csv`, whose columns are `file,label`.
    Pngs,
    /// An `.npz` archive, or a folder of `.npy` files, with `images` and `labels`, `x` and `y`, or `x_test` and `y_test`. Images
    /// are float32, float64 or bytes of the shape `[n, d]`, `[n, height, width]` or, as the layout says, with channels.
    Arrays(Option<Layout>),
}

/// Where the channels of an array of images are. Without one, four dimensions are `[n, channels, height, width]` if that
/// makes 1 or 3 channels and the last dimension could not be them; else they are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `[n, channels, height, width]`
    Chw,
    /// `[n, height, width, channels]`
    Hwc,
}

/// A data set that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DataSetError {
    /// None of the names under which the file is known.
    #[error("{folder}: no file {name}")]
    Missing {
        /// The folder searched.
        folder: PathBuf,
        /// What was looked for.
        name: String,
    },
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not what its name says.
    #[error("{path}: {problem}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// An index past the end.
    #[error("{path}: there is no image {index}; it holds {count}, counted from 0")]
    NoSuchImage {
        /// The data set.
        path: PathBuf,
        /// The index asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
}

/// Images, one after another; after an error there may be no more.
pub type Examples = Box<dyn Iterator<Item = Result<Example, DataSetError>> + Send>;

/// The images of a data set. Nothing of them is kept in memory but a list of names.
pub struct Images {
    path: PathBuf,
    set: Box<dyn Set>,
}

/// What a kind of data set can do.
trait Set: Send + Sync {
    fn len(&self) -> usize;
    /// All files, in an order of their own.
    fn files(&self) -> Result<Vec<PathBuf>, DataSetError>;
    /// The images of a range that is not past the end.
    fn read(&self, range: Range<usize>) -> Result<Examples, DataSetError>;
}

impl DataSet {
    /// Opens the data set at a path, a folder or an archive. No image is read yet.
    pub fn open(self, path: &Path) -> Result<Images, DataSetError> {
        let set: Box<dyn Set> = match self {
            Self::Mnist => Box::new(bytes::Mnist::open(path)?),
            Self::Cifar10 => Box::new(bytes::Cifar10::open(path)?),
            Self::Pngs => Box::new(pngs::Pngs::open(path)?),
            Self::Arrays(layout) => Box::new(arrays::Arrays::open(path, layout)?),
        };
        Ok(Images { path: path.into(), set })
    }

    /// Reads the images of a range of indices. Errors if one of them does not exist.
    pub fn read_test(self, path: &Path, range: Range<usize>) -> Result<Vec<Example>, DataSetError> {
        self.open(path)?.read(range)?.collect()
    }
}

impl Images {
    /// Where they are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many there are. The files say so; whether they are all there is known when they are read.
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The images of a range of indices in their order, each read when it is asked for. Those before it in a packed file are
    /// unpacked first: one range is read faster than its parts.
    pub fn read(&self, range: Range<usize>) -> Result<Examples, DataSetError> {
        if range.end > self.len() {
            return Err(DataSetError::NoSuchImage { path: self.path.clone(), index: range.end - 1, count: self.len() });
        }
        self.set.read(range)
    }

    /// The SHA-256 of the SHA-256s of all files as they are stored; for a folder of PNGs first of the list, then of the images as
    /// the list has them.
    pub fn digest(&self) -> Result<Digest, DataSetError> {
        let mut all = Sha256::new();
        for path in self.set.files()? {
            all.update(file_digest(&path).map_err(|source| DataSetError::Io { path, source })?);
        }
        Ok(Digest(all.finalize().into()))
    }
}

fn file_digest(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = BufReader::new(File::open(path)?);
    let mut hash = Sha256::new();
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            return Ok(hash.finalize().into());
        }
        hash.update(bytes);
        let read = bytes.len();
        file.consume(read);
    }
}

#[cfg(test)]
mod tests;
