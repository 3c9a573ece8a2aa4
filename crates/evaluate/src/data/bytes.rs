//! MNIST as IDX files and CIFAR-10 in its binary form.

use super::source::Source;
use super::{DataSetError, Examples, Set};
use crate::Example;
use crate::npy::Element;
use std::ops::Range;
use std::path::{Path, PathBuf};

const MNIST_SIDE: usize = 28;
const CIFAR_SIDE: usize = 32;
const CIFAR_RECORD: usize = 1 + 3 * CIFAR_SIDE * CIFAR_SIDE;

/// `t10k-images-idx3-ubyte[.gz]` and `t10k-labels-idx1-ubyte[.gz]`.
pub(super) struct Mnist {
    images: PathBuf,
    labels: PathBuf,
    count: usize,
}

impl Mnist {
    pub(super) fn open(folder: &Path) -> Result<Self, DataSetError> {
        let images = find(folder, "t10k-images-idx3-ubyte", &["", ".gz"])?;
        let labels = find(folder, "t10k-labels-idx1-ubyte", &["", ".gz"])?;
        let (pictures, [count, rows, columns]) = idx(&images)?;
        let (classes, [labelled]) = idx(&labels)?;
        if (rows, columns) != (MNIST_SIDE, MNIST_SIDE) {
            return Err(pictures.problem(format!("images are {rows} by {columns}; expected 28 by 28")));
        }
        if labelled != count {
            return Err(classes.problem(format!("{labelled} labels for {count} images")));
        }
        Ok(Self { images, labels, count })
    }
}

impl Set for Mnist {
    fn len(&self) -> usize {
        self.count
    }

    fn files(&self) -> Result<Vec<PathBuf>, DataSetError> {
        Ok(vec![self.images.clone(), self.labels.clone()])
    }

    fn read(&self, range: Range<usize>) -> Result<Examples, DataSetError> {
        let (mut images, [..]) = idx::<3>(&self.images)?;
        let (mut labels, [..]) = idx::<1>(&self.labels)?;
        let size = MNIST_SIDE * MNIST_SIDE;
        images.skip(range.start, size)?;
        labels.skip(range.start, 1)?;
        Ok(Box::new(range.map(move |_| {
            let values = images.values(Element::BYTE, size)?;
            let label = Some(class(&mut labels)?);
            Ok(Example { values, shape: vec![1, MNIST_SIDE, MNIST_SIDE], label })
        })))
    }
}

/// `test_batch.bin`.
pub(super) struct Cifar10 {
    batch: PathBuf,
    count: usize,
}

impl Cifar10 {
    pub(super) fn open(folder: &Path) -> Result<Self, DataSetError> {
        let batch = find(folder, "test_batch", &[".bin", "_first1017.bin"])?;
        let source = Source::open(&batch)?;
        let length = std::fs::metadata(&batch).map_err(|e| source.io(e))?.len() as usize;
        if length == 0 || !length.is_multiple_of(CIFAR_RECORD) {
            let problem = format!("{length} bytes are no whole number of {CIFAR_RECORD}-byte records");
            return Err(source.problem(problem));
        }
        Ok(Self { batch, count: length / CIFAR_RECORD })
    }
}

impl Set for Cifar10 {
    fn len(&self) -> usize {
        self.count
    }

    fn files(&self) -> Result<Vec<PathBuf>, DataSetError> {
        Ok(vec![self.batch.clone()])
    }

    fn read(&self, range: Range<usize>) -> Result<Examples, DataSetError> {
        let mut batch = Source::open(&self.batch)?;
        batch.skip(range.start, CIFAR_RECORD)?;
        Ok(Box::new(range.map(move |_| {
            let label = Some(class(&mut batch)?);
            let values = batch.values(Element::BYTE, CIFAR_RECORD - 1)?;
            Ok(Example { values, shape: vec![3, CIFAR_SIDE, CIFAR_SIDE], label })
        })))
    }
}

/// The file of this name, with one of the endings.
fn find(folder: &Path, name: &'static str, endings: &[&str]) -> Result<PathBuf, DataSetError> {
    let found = endings.iter().map(|e| folder.join(format!("{name}{e}"))).find(|p| p.is_file());
    found.ok_or_else(|| DataSetError::Missing { folder: folder.into(), name: name.into() })
}

fn class(source: &mut Source) -> Result<usize, DataSetError> {
    match source.class(Element::BYTE)? {
        class @ 0..=9 => Ok(class),
        other => Err(source.problem(format!("label {other}; expected 0 to 9"))),
    }
}

/// An IDX file of bytes with `RANK` dimensions, and these.
fn idx<const RANK: usize>(path: &Path) -> Result<(Source, [usize; RANK]), DataSetError> {
    let mut source = Source::open(path)?;
    let [zero, nought, bytes, rank] = source.bytes()?;
    if [zero, nought, bytes, rank] != [0, 0, 8, RANK as u8] {
        return Err(source.problem(format!("not an IDX file of bytes with {RANK} dimensions")));
    }
    let mut extents = [0; RANK];
    for extent in &mut extents {
        *extent = u32::from_be_bytes(source.bytes()?) as usize;
    }
    Ok((source, extents))
}
