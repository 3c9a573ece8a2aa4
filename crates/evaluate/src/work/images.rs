//! The images of a run, read in pieces.

use crate::run::{Asked, RunError, hex};
use crate::{DataSet, DataSetError, Example};
use sha2::{Digest as _, Sha256};
use std::ops::Range;
use std::path::PathBuf;

/// A data set and where it is.
#[derive(Debug, Clone)]
pub struct Images {
    /// Its kind.
    pub set: DataSet,
    /// Its folder or file.
    pub path: PathBuf,
}

/// The most images that are held at once.
const PIECE: usize = 1024;
/// And the most numbers.
const NUMBERS: usize = 1 << 22;

impl Images {
    /// How many there are.
    pub fn count(&self) -> Result<usize, DataSetError> {
        match self.read(usize::MAX - 1..usize::MAX) {
            Err(DataSetError::NoSuchImage { count, .. }) => Ok(count),
            Err(error) => Err(error),
            Ok(_) => Ok(usize::MAX),
        }
    }

    pub(crate) fn read(&self, range: Range<usize>) -> Result<Vec<Example>, DataSetError> {
        self.set.read_test(&self.path, range)
    }

    /// The SHA-256, in hexadecimal, of the images at the indices that are asked about, whatever the shard: of each its label, its shape and its
    /// values.
    pub(crate) fn digest(&self, asked: &Asked) -> Result<String, RunError> {
        let mut hash = Sha256::new();
        self.each(asked.indices.clone(), |_, example| {
            hash.update(example.label.map_or(u64::MAX, |label| label as u64).to_le_bytes());
            hash.update((example.shape.len() as u64).to_le_bytes());
            example.shape.iter().for_each(|&extent| hash.update((extent as u64).to_le_bytes()));
            let bytes: Vec<u8> = example.values.iter().flat_map(|v| v.to_le_bytes()).collect();
            hash.update(bytes);
            Ok(())
        })?;
        Ok(hex(&hash.finalize()))
    }

    /// Reads all of a range, a piece at a time.
    pub(crate) fn each(
        &self,
        range: Range<usize>,
        mut each: impl FnMut(usize, Example) -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        let mut next = range.start;
        let mut piece = 1;
        while next < range.end {
            let end = range.end.min(next.saturating_add(piece));
            let examples = self.read(next..end)?;
            piece = piece_of(&examples);
            for (index, example) in (next..end).zip(examples) {
                each(index, example)?;
            }
            next = end;
        }
        Ok(())
    }
}

/// How many images like these make a piece.
pub(crate) fn piece_of(examples: &[Example]) -> usize {
    let numbers = examples.first().map_or(1, |example| example.values.len().max(1));
    (NUMBERS / numbers).clamp(1, PIECE)
}
