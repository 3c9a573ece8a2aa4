//! A folder of PNGs, listed with their classes in `labels.csv`.

use super::{DataSetError, Examples, Set};
use crate::{Example, ImageError, read_image};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

const LIST: &str = "labels.csv";

/// The columns `file` and `label`, in this order; the header is required.
pub(super) struct Pngs {
    /// Without symbolic links.
    folder: PathBuf,
    list: PathBuf,
    entries: Arc<[Entry]>,
}

struct Entry {
    file: Box<str>,
    label: usize,
}

impl Pngs {
    pub(super) fn open(folder: &Path) -> Result<Self, DataSetError> {
        let list = folder.join(LIST);
        if !list.is_file() {
            return Err(DataSetError::Missing { folder: folder.into(), name: LIST.into() });
        }
        let problem = |problem: String| DataSetError::Format { path: list.clone(), problem };
        let damaged = |error: csv::Error| problem(error.to_string());
        let folder = folder.canonicalize().map_err(|source| DataSetError::Io { path: folder.into(), source })?;
        let mut reader = csv::Reader::from_path(&list).map_err(damaged)?;
        if reader.headers().map_err(damaged)? != ["file", "label"].as_slice() {
            return Err(problem("the first line must be file,label".into()));
        }
        let mut entries = Vec::new();
        for record in reader.records() {
            let record = record.map_err(damaged)?;
            let line = record.position().map_or(0, csv::Position::line);
            let (Some(file), Some(label)) = (record.get(0), record.get(1)) else {
                return Err(problem(format!("line {line}: expected a file and a label")));
            };
            let label =
                label.parse().map_err(|_| problem(format!("line {line}: the label {label:?} is no number from 0")))?;
            let path = Path::new(file);
            // Names are shown, and a terminal obeys what is no letter.
            if file.chars().any(char::is_control) {
                return Err(problem(format!("line {line}: {file:?} is no name of a file")));
            }
            if !path.components().all(|c| matches!(c, Component::Normal(_))) {
                return Err(problem(format!("line {line}: {file:?} may lead out of the folder")));
            }
            if !path.extension().is_some_and(|e| e.eq_ignore_ascii_case("png")) {
                return Err(problem(format!("line {line}: {file:?} is no name of a PNG")));
            }
            entries.push(Entry { file: file.into(), label });
        }
        Ok(Self { folder, list, entries: entries.into() })
    }
}

impl Set for Pngs {
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn files(&self) -> Result<Vec<PathBuf>, DataSetError> {
        let images = self.entries.iter().map(|entry| entry.path(&self.folder));
        std::iter::once(Ok(self.list.clone())).chain(images).collect()
    }

    fn read(&self, range: Range<usize>) -> Result<Examples, DataSetError> {
        let (folder, entries) = (self.folder.clone(), self.entries.clone());
        Ok(Box::new(range.map(move |index| entries[index].read(&folder))))
    }
}

impl Entry {
    /// Where the file is, links followed; not outside of the folder.
    fn path(&self, folder: &Path) -> Result<PathBuf, DataSetError> {
        let path = folder.join(&*self.file);
        let found = path.canonicalize().map_err(|source| DataSetError::Io { path: path.clone(), source })?;
        // What is no file, as a pipe, might never end.
        if !found.starts_with(folder) || !found.is_file() {
            return Err(DataSetError::Format { path, problem: "no file inside of the folder".into() });
        }
        Ok(found)
    }

    fn read(&self, folder: &Path) -> Result<Example, DataSetError> {
        // Read under its own name: that of a link's target may end in anything.
        self.path(folder)?;
        let path = folder.join(&*self.file);
        let example = read_image(&path).map_err(|error| match error {
            ImageError::Io(source) => DataSetError::Io { path: path.clone(), source },
            error => DataSetError::Format { path: path.clone(), problem: error.to_string() },
        })?;
        Ok(Example { label: Some(self.label), ..example })
    }
}
