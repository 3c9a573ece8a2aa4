//! MNIST as IDX files and CIFAR-10 in its binary form.

use crate::{Example, pixel};
use flate2::read::GzDecoder;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A data set whose test images can be read by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataSet {
    /// Handwritten digits, 28 by 28, grey: `t10k-images-idx3-ubyte[.gz]` and `t10k-labels-idx1-ubyte[.gz]`.
    Mnist,
    /// Ten kinds of things, 32 by 32, colour: `test_batch*.bin`.
    Cifar10,
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
        name: &'static str,
    },
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
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
        /// The file.
        path: PathBuf,
        /// The index asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
}

const MNIST_SIDE: usize = 28;
const CIFAR_SIDE: usize = 32;
const CIFAR_RECORD: usize = 1 + 3 * CIFAR_SIDE * CIFAR_SIDE;

impl DataSet {
    /// Reads the test images of a range of indices from a folder. Errors if one of them does not exist.
    pub fn read_test(self, folder: &Path, range: Range<usize>) -> Result<Vec<Example>, DataSetError> {
        match self {
            Self::Mnist => mnist(folder, range),
            Self::Cifar10 => cifar10(folder, range),
        }
    }
}

fn mnist(folder: &Path, range: Range<usize>) -> Result<Vec<Example>, DataSetError> {
    let mut images = Source::open(folder, "t10k-images-idx3-ubyte", &["", ".gz"])?;
    let mut labels = Source::open(folder, "t10k-labels-idx1-ubyte", &["", ".gz"])?;
    let (count, rows, columns) = match images.idx_header(3)?[..] {
        [n, h, w] => (n, h, w),
        _ => unreachable!("three dimensions were asked for"),
    };
    let labelled = labels.idx_header(1)?[0];
    if (rows, columns) != (MNIST_SIDE, MNIST_SIDE) {
        return Err(images.problem(format!("images are {rows} by {columns}; expected 28 by 28")));
    }
    if labelled != count {
        return Err(labels.problem(format!("{labelled} labels for {count} images")));
    }
    let size = MNIST_SIDE * MNIST_SIDE;
    images.expect_range(&range, count)?;
    images.skip(range.start * size)?;
    labels.skip(range.start)?;
    range
        .map(|_| {
            let bytes = images.bytes(size)?;
            let label = labels.class()?;
            let values = bytes.into_iter().map(pixel).collect();
            Ok(Example { values, shape: vec![1, MNIST_SIDE, MNIST_SIDE], label: Some(label) })
        })
        .collect()
}

fn cifar10(folder: &Path, range: Range<usize>) -> Result<Vec<Example>, DataSetError> {
    let mut batch = Source::open(folder, "test_batch", &[".bin", "_first1017.bin"])?;
    let length = std::fs::metadata(&batch.path).map_err(|e| batch.io(e))?.len() as usize;
    if length == 0 || !length.is_multiple_of(CIFAR_RECORD) {
        return Err(batch.problem(format!("{length} bytes are no whole number of {CIFAR_RECORD}-byte records")));
    }
    batch.expect_range(&range, length / CIFAR_RECORD)?;
    batch.skip(range.start * CIFAR_RECORD)?;
    range
        .map(|_| {
            let label = batch.class()?;
            let values = batch.bytes(CIFAR_RECORD - 1)?.into_iter().map(pixel).collect();
            Ok(Example { values, shape: vec![3, CIFAR_SIDE, CIFAR_SIDE], label: Some(label) })
        })
        .collect()
}

/// A file being read from the front, unpacked on the way if its name says so.
struct Source {
    path: PathBuf,
    reader: Box<dyn Read>,
}

impl Source {
    fn open(folder: &Path, name: &'static str, endings: &[&str]) -> Result<Self, DataSetError> {
        let found = endings.iter().map(|e| folder.join(format!("{name}{e}"))).find(|p| p.is_file());
        let path = found.ok_or_else(|| DataSetError::Missing { folder: folder.into(), name })?;
        let file = File::open(&path).map_err(|source| DataSetError::Io { path: path.clone(), source })?;
        let reader: Box<dyn Read> = if path.extension().is_some_and(|e| e == "gz") {
            Box::new(BufReader::new(GzDecoder::new(file)))
        } else {
            Box::new(BufReader::new(file))
        };
        Ok(Self { path, reader })
    }

    fn io(&self, source: std::io::Error) -> DataSetError {
        if source.kind() == ErrorKind::UnexpectedEof {
            return self.problem("the file is shorter than it says".into());
        }
        DataSetError::Io { path: self.path.clone(), source }
    }

    fn problem(&self, problem: String) -> DataSetError {
        DataSetError::Format { path: self.path.clone(), problem }
    }

    fn expect_range(&self, range: &Range<usize>, count: usize) -> Result<(), DataSetError> {
        if range.end > count {
            return Err(DataSetError::NoSuchImage { path: self.path.clone(), index: range.end - 1, count });
        }
        Ok(())
    }

    fn bytes(&mut self, count: usize) -> Result<Vec<u8>, DataSetError> {
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes).map_err(|e| self.io(e))?;
        Ok(bytes)
    }

    fn skip(&mut self, count: usize) -> Result<(), DataSetError> {
        let skipped = std::io::copy(&mut self.reader.by_ref().take(count as u64), &mut std::io::sink());
        match skipped {
            Ok(n) if n == count as u64 => Ok(()),
            Ok(_) => Err(self.io(ErrorKind::UnexpectedEof.into())),
            Err(e) => Err(self.io(e)),
        }
    }

    fn class(&mut self) -> Result<usize, DataSetError> {
        match self.bytes(1)?[0] {
            class @ 0..=9 => Ok(usize::from(class)),
            other => Err(self.problem(format!("label {other}; expected 0 to 9"))),
        }
    }

    /// The extents of an IDX file of bytes with `rank` dimensions.
    fn idx_header(&mut self, rank: u8) -> Result<Vec<usize>, DataSetError> {
        let magic = self.bytes(4)?;
        if magic != [0, 0, 8, rank] {
            return Err(self.problem(format!("not an IDX file of bytes with {rank} dimensions")));
        }
        (0..rank)
            .map(|_| {
                let b = self.bytes(4)?;
                Ok(u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize)
            })
            .collect()
    }
}
