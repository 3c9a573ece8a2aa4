//! Reports of a run: one page of HTML that needs nothing else, and a table for other programs.
//!
//! The same records, images and counterexamples give the same bytes.

mod chart;
mod charts;
mod page;
mod pictures;

use crate::run::{Record, Run, Word};
use askama::Template as _;
use page::Page;
use pictures::Pictures;
use serde::Serialize;
use std::path::Path;

/// A report that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The page.
    #[error("cannot lay out the page: {0}")]
    Page(#[from] askama::Error),
    /// The table.
    #[error("cannot write the table: {0}")]
    Table(#[from] csv::Error),
}

/// The page about a run that was read from `folder`. Counterexamples are read there, the original images where `run.json` says; what
/// is not there is not shown.
pub fn page(run: &Run, folder: &Path) -> Result<String, ReportError> {
    let mut pictures = Pictures::new(run, folder);
    Ok(Page::new(run, &mut pictures).render()?)
}

/// All records as comma-separated values with a header, numbers as they are in `results.jsonl`. Of certificate and counterexample
/// it has the names of the files.
pub fn table(run: &Run) -> Result<Vec<u8>, ReportError> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    // A header even where there is no record.
    if run.answers.iter().next().is_none() {
        writer.write_record(COLUMNS)?;
    }
    for (_, record) in run.answers.iter() {
        writer.serialize(Line::of(record))?;
    }
    Ok(writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?)
}

const COLUMNS: [&str; 18] = [
    "index",
    "label",
    "predicted",
    "verdict",
    "reason",
    "certified",
    "target",
    "norm",
    "eps",
    "lower",
    "upper",
    "time_s",
    "decided_by",
    "attempt",
    "limit_s",
    "key",
    "certificate",
    "counterexample",
];

/// A record without what is nested.
#[derive(Serialize)]
struct Line<'a> {
    index: usize,
    label: usize,
    predicted: usize,
    verdict: Word,
    reason: Option<&'a str>,
    certified: bool,
    target: Option<usize>,
    norm: &'a str,
    eps: Option<f64>,
    lower: f64,
    upper: Option<f64>,
    time_s: f64,
    decided_by: &'a str,
    attempt: u32,
    limit_s: Option<f64>,
    key: &'a str,
    certificate: Option<&'a str>,
    counterexample: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn of(record: &'a Record) -> Self {
        Self {
            index: record.index,
            label: record.label,
            predicted: record.predicted,
            verdict: record.verdict,
            reason: record.reason.as_deref(),
            certified: record.certified,
            target: record.target,
            norm: &record.norm,
            eps: record.eps,
            lower: record.lower,
            upper: record.upper,
            time_s: record.time_s,
            decided_by: &record.decided_by,
            attempt: record.attempt,
            limit_s: record.limit_s,
            key: &record.key,
            certificate: record.certificate.as_ref().map(|kept| &*kept.file),
            counterexample: record.counterexample.as_ref().map(|kept| &*kept.file),
        }
    }
}

#[cfg(test)]
mod tests;
