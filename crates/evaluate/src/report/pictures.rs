//! The small pictures of the table: originals out of the data set, counterexamples out of the run folder.

use crate::picture::{ImageShape, thumbnail};
use crate::run::{KeptKind, Record, Run, Word, kept_path};
use crate::work::image_digest;
use crate::{Example, Images, read_image};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// All pictures together take up no more than so many bytes of the page.
const BUDGET: usize = 3 << 20;

pub(super) struct Pictures {
    folder: PathBuf,
    images: Option<Images>,
    /// Those that were read, with their URIs.
    originals: HashMap<usize, Option<(ImageShape, String)>>,
    left: usize,
    notes: Vec<String>,
}

impl Pictures {
    /// Opens the data set where the run had it, if that is still there and the same.
    pub(super) fn new(run: &Run, folder: &Path) -> Self {
        let asked = &run.asked;
        let opened = match asked.data.set() {
            None => Err("its kind is not known".to_owned()),
            Some(set) => set.open(&asked.data.path).map_err(|e| e.to_string()).and_then(|images| {
                match image_digest(&images, asked).map_err(|e| e.to_string())? {
                    digest if digest == asked.data.sha256 => Ok(images),
                    _ => Err("they have changed since".into()),
                }
            }),
        };
        let (images, notes) = match opened {
            Ok(images) => (Some(images), Vec::new()),
            Err(why) => (None, vec![format!("The original images are not shown: {why}.")]),
        };
        Self { folder: folder.into(), images, originals: HashMap::new(), left: BUDGET, notes }
    }

    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        self.notes.iter().cloned()
    }

    /// The original and the counterexample of an answer, as data URIs.
    pub(super) fn of(&mut self, record: &Record) -> [Option<String>; 2] {
        if self.left == 0 {
            return [None, None];
        }
        let original = self.original(record.index);
        let shape = original.as_ref().map(|(shape, _)| *shape);
        let is_shown = |_: &_| record.verdict != Word::Robust;
        let adversarial = record.counterexample.as_ref().filter(is_shown).and_then(|kept| {
            let example = read_image(&kept_path(&self.folder, kept, KeptKind::Counterexample)).ok()?;
            // The network may read as a list what the data set has as an image.
            uri(shape.or_else(|| ImageShape::of(&example.shape))?, &example.values)
        });
        let pictures = [original.map(|(_, uri)| uri), adversarial];
        let bytes: usize = pictures.iter().flatten().map(String::len).sum();
        self.left = self.left.saturating_sub(bytes);
        if self.left == 0 {
            self.notes.push("Later rows have no pictures, so that the page stays small.".into());
        }
        pictures
    }

    fn original(&mut self, index: usize) -> Option<(ImageShape, String)> {
        let images = self.images.as_ref()?;
        let read = || {
            let Example { values, shape, .. } = images.read(index..index.checked_add(1)?).ok()?.next()?.ok()?;
            let shape = ImageShape::of(&shape)?;
            Some((shape, uri(shape, &values)?))
        };
        self.originals.entry(index).or_insert_with(read).clone()
    }
}

fn uri(shape: ImageShape, values: &[f32]) -> Option<String> {
    Some(format!("data:image/png;base64,{}", STANDARD.encode(thumbnail(shape, values).ok()?)))
}
