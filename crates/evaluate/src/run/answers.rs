//! What is known about each question: the best of its records.

use super::{Asked, Kept, KeptKind, Kind, Record, RunError, Word};
use std::collections::BTreeMap;

/// The best record of each question, in the order of the images and, of each, of the radii.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    best: BTreeMap<(usize, usize), Answer>,
}

#[derive(Debug, Clone)]
struct Answer {
    record: Record,
    attempts: u32,
    /// The files behind it are gone, or were replaced: it counts as an attempt alone.
    is_void: bool,
}

impl Answers {
    /// Takes a record in: whether it is about one of the questions. What is decided beats what is not, of equals the later one
    /// or the one with more time. Errors if the record and an earlier one cannot both be true.
    pub(crate) fn insert(&mut self, asked: &Asked, record: Record, is_void: bool) -> Result<bool, RunError> {
        let Some(position) = asked.position(record.eps) else { return Ok(false) };
        if !asked.has(record.index) || record.norm != asked.norm.name() || !record.fits(&asked.kind) {
            return Ok(false);
        }
        let id = (record.index, position);
        // What is safe within a radius is within all smaller ones, so answers at other radii may not agree, either.
        let about = self.best.range((record.index, 0)..=(record.index, usize::MAX));
        if let Some((_, other)) = about.filter(|_| !is_void).find(|(_, a)| !a.is_void && a.record.is_apart(&record)) {
            return Err(RunError::Contradiction { records: Box::new([other.record.clone(), record]) });
        }
        let Some(known) = self.best.get_mut(&id) else {
            self.best.insert(id, Answer { attempts: record.attempt, record, is_void });
            return Ok(true);
        };
        known.attempts = known.attempts.max(record.attempt);
        if known.record.key == record.key && known.record.contradicts(&record) {
            return Err(RunError::Contradiction { records: Box::new([known.record.clone(), record]) });
        }
        if known.is_void || !is_void && record.is_as_good_as(&known.record) {
            (known.record, known.is_void) = (record, is_void);
        }
        Ok(true)
    }

    /// The record of a question: of which image, and which of the questions about it.
    pub fn get(&self, index: usize, position: usize) -> Option<&Record> {
        self.best.get(&(index, position)).filter(|a| !a.is_void).map(|a| &a.record)
    }

    /// All records, in the order of the images and, of each, of the radii; with which of the questions they answer.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Record)> {
        self.best.iter().filter(|(_, a)| !a.is_void).map(|((_, position), a)| (*position, &a.record))
    }

    /// How often a question has been tried.
    pub(crate) fn attempts(&self, index: usize, position: usize) -> u32 {
        self.best.get(&(index, position)).map_or(0, |a| a.attempts)
    }
}

impl Record {
    /// Whether the question is decided.
    pub fn is_decided(&self) -> bool {
        self.verdict != Word::Unknown
    }

    /// Whether the time that an undecided attempt had was at least this long.
    pub(crate) fn had(&self, limit_s: Option<f64>) -> bool {
        match (self.limit_s, limit_s) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(had), Some(now)) => had >= now,
        }
    }

    /// Whether the question is answered no better by the other record.
    pub(crate) fn is_as_good_as(&self, other: &Self) -> bool {
        self.is_decided() || !other.is_decided() && self.had(other.limit_s)
    }

    /// Whether both cannot be true of one question.
    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        let words = [self.verdict, other.verdict];
        words.contains(&Word::Robust) && words.contains(&Word::Violated) || self.is_apart(other)
    }

    /// Whether one is unsafe at a distance at which the other is safe. That cannot be, whatever the radii asked about.
    fn is_apart(&self, other: &Self) -> bool {
        self.upper.is_some_and(|upper| other.lower > upper) || other.upper.is_some_and(|upper| self.lower > upper)
    }

    /// Whether a question of this kind can be answered so.
    fn fits(&self, kind: &Kind) -> bool {
        match kind {
            Kind::Radii => self.verdict != Word::Measured,
            Kind::Distortion { .. } => self.verdict != Word::Violated,
        }
    }

    /// `12-linf-0.1.proof`; of a later attempt `12-linf-0.1.2.proof`, so that no file is written again that a record names.
    pub(crate) fn file_name(&self, kind: KeptKind) -> String {
        let eps = self.eps.map(|eps| format!("-{}", short(eps))).unwrap_or_default();
        let attempt = if self.attempt > 1 { format!(".{}", self.attempt) } else { String::new() };
        let ending = match kind {
            KeptKind::Certificate => "proof",
            KeptKind::Counterexample => "npy",
        };
        format!("{}-{}{eps}{attempt}.{ending}", self.index, self.norm)
    }

    pub(crate) fn kept_mut(&mut self, kind: KeptKind) -> Option<&mut Kept> {
        match kind {
            KeptKind::Certificate => self.certificate.as_mut(),
            KeptKind::Counterexample => self.counterexample.as_mut(),
        }
    }

    /// What it says, in words.
    pub fn words(&self) -> String {
        let eps = self.eps.map(|eps| format!(" at {} {eps}", self.norm)).unwrap_or_default();
        match (self.verdict, self.upper) {
            (Word::Robust, _) => format!("robust{eps}"),
            (Word::Violated, _) => format!("violated{eps}"),
            (Word::Unknown | Word::Measured, Some(upper)) => format!("distortion in [{}, {upper}]", self.lower),
            (Word::Unknown | Word::Measured, None) if self.lower > 0.0 => format!("distortion above {}", self.lower),
            (Word::Unknown | Word::Measured, None) => format!("unknown{eps}"),
        }
    }
}

/// A radius in few letters, and always the same ones.
fn short(eps: f64) -> String {
    if eps == 0.0 || (1e-9..1e9).contains(&eps) { eps.to_string() } else { format!("{eps:e}") }
}
