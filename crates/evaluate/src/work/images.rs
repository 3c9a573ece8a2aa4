//! The images of a run.

use crate::run::{Asked, Record, RunError};
use crate::{Example, Examples, Images};
use sha2::{Digest as _, Sha256};
use std::sync::Mutex;
use unmoved_ir::Digest;

/// The SHA-256, in hexadecimal, of the images at the indices that are asked about, whatever the shard: of each its label, its shape and
/// its values.
pub(crate) fn digest(images: &Images, asked: &Asked) -> Result<String, RunError> {
    let mut hash = Sha256::new();
    for example in images.read(asked.indices.clone())? {
        let Example { values, shape, label } = example?;
        hash.update(label.map_or(u64::MAX, |label| label as u64).to_le_bytes());
        hash.update((shape.len() as u64).to_le_bytes());
        shape.iter().for_each(|&extent| hash.update((extent as u64).to_le_bytes()));
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        hash.update(bytes);
    }
    Ok(Digest(hash.finalize().into()).to_string())
}

/// Reads images whose indices mostly ascend: one after another where they follow each other.
pub(crate) struct Reader {
    at: usize,
    examples: Option<Examples>,
    last: Option<(usize, Example)>,
}

/// Images are passed over, not sought, if they are no more than this.
const NEAR: usize = 256;

impl Reader {
    pub(crate) fn new() -> Self {
        Self { at: 0, examples: None, last: None }
    }

    pub(crate) fn read(&mut self, images: &Images, index: usize) -> Result<Example, RunError> {
        if index < self.at || index - self.at > NEAR {
            self.examples = None;
        }
        let examples = match &mut self.examples {
            Some(examples) => examples,
            empty => {
                self.at = index;
                empty.insert(images.read(index..images.len().max(index + 1))?)
            }
        };
        let example = examples.nth(index - self.at).unwrap_or(Err(crate::DataSetError::NoSuchImage {
            path: images.path().to_owned(),
            index,
            count: images.len(),
        }));
        self.at = index + 1;
        Ok(example?)
    }

    /// As [`Self::read`], several times of one image.
    pub(crate) fn again(&mut self, images: &Images, index: usize) -> Result<Example, RunError> {
        if let Some((_, example)) = self.last.as_ref().filter(|(last, _)| *last == index) {
            return Ok(example.clone());
        }
        let example = self.read(images, index)?;
        self.last = Some((index, example.clone()));
        Ok(example)
    }
}

/// Works on records and their images on several threads, until one of them fails.
pub(crate) fn each<'r, E: From<RunError> + Send>(
    images: &Images,
    records: impl Iterator<Item = &'r Record> + Send,
    threads: usize,
    work: impl Fn(&'r Record, &Example) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let next = Mutex::new((records, Reader::new()));
    let failed = Mutex::new(None);
    let take = || {
        let (records, reader) = &mut *next.lock().unwrap_or_else(|e| e.into_inner());
        records.next().map(|record| Ok((record, reader.again(images, record.index)?))).transpose()
    };
    let go = || -> Result<(), E> {
        while failed.lock().unwrap_or_else(|e| e.into_inner()).is_none()
            && let Some((record, example)) = take()?
        {
            work(record, &example)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                if let Err(error) = go() {
                    failed.lock().unwrap_or_else(|e| e.into_inner()).get_or_insert(error);
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(|e| e.into_inner()).map_or(Ok(()), Err)
}
