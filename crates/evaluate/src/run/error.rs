//! What stops a run.

use super::Record;
use crate::{DataSetError, QuestionError};
use std::path::{Path, PathBuf};
use unmoved_search::SearchError;

/// What stops a run, or keeps it from beginning.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file that cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process works on the folder.
    #[error("{path}: another process works on this run")]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The folder was asked something else.
    #[error("{path}: this run was asked something else")]
    Differs {
        /// The folder.
        path: PathBuf,
        /// What differs.
        differences: Vec<String>,
    },
    /// What was asked cannot be read, or cannot be asked.
    #[error("{path}: {problem}")]
    Asked {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A record whose question is none of those asked.
    #[error("{path}: the record of image {index} answers another question")]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// The image.
        index: usize,
    },
    /// Two answers to one question that cannot both be true.
    #[error(
        "image {}: {} (by {}) and {} (by {}) cannot both be true; a defect worth reporting",
        .records[0].index, .records[0].words(), .records[0].decided_by, .records[1].words(), .records[1].decided_by
    )]
    Contradiction {
        /// The answers.
        records: Box<[Record; 2]>,
    },
    /// The data set.
    #[error(transparent)]
    Data(#[from] DataSetError),
    /// A question that cannot be asked.
    #[error("image {index}: {source}")]
    Question {
        /// The image.
        index: usize,
        /// Why.
        source: Box<QuestionError>,
    },
    /// A question that cannot be worked on.
    #[error("image {index}: {source}")]
    Search {
        /// The image.
        index: usize,
        /// Why.
        source: Box<SearchError>,
    },
    /// The network cannot be prepared.
    #[error(transparent)]
    Network(#[from] unmoved_ir::IrError),
    /// A thread ended without an answer.
    #[error("a thread ended without an answer; a defect worth reporting")]
    Thread,
}

impl RunError {
    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        |source| Self::Write { path, source }
    }

    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        |source| Self::Read { path, source }
    }
}
