//! One attempt at the questions about an image.

use super::queue::{Queue, Task, Turn};
use super::{Work, since};
use crate::run::{Asked, Keeper, KeptKind, Kind, MISCLASSIFIED, Record, Run, RunError, Word, hex};
use crate::{Example, Question};
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use unmoved_check::{Certificate, replay};
use unmoved_property::{Query, Reason, Verdict};
use unmoved_search::{DecidedBy, Options, Prepared, decide_prepared};

/// How long the first attempt may take.
const FIRST: Duration = Duration::from_secs(1);

/// What all threads share.
#[derive(Clone)]
pub(crate) struct Worker(Arc<Shared>);

struct Shared {
    work: Work,
    /// What the folder was asked; the questions are counted in its radii.
    asked: Asked,
    prepared: Prepared,
    keeper: Option<Keeper>,
    queue: Arc<Queue>,
}

/// An answer to a question.
struct Answer {
    verdict: Verdict,
    decided_by: &'static str,
    is_misclassified: bool,
    certificate: Option<Certificate>,
}

impl Worker {
    pub(crate) fn new(work: Work, asked: Asked, keeper: Option<Keeper>, queue: Arc<Queue>) -> Result<Self, RunError> {
        let prepared = Prepared::new(&work.network)?;
        Ok(Self(Arc::new(Shared { work, asked, prepared, keeper, queue })))
    }

    /// Works until there is nothing left to do.
    pub(crate) fn work(&self, results: &mpsc::Sender<Result<Record, RunError>>) {
        let queue = &*self.0.queue;
        let _alarm = Alarm(queue);
        loop {
            let done = queue.take().and_then(|turn| {
                let Some(turn) = turn else { return Ok(false) };
                let is_first = turn.is_first;
                let left = self.turn(turn, results)?;
                queue.give_back(is_first, left);
                Ok(true)
            });
            match done {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    // Whoever listens stops the others.
                    let _ = results.send(Err(error));
                    return;
                }
            }
        }
    }

    /// Tries the questions about an image; those that the first attempt leaves open are left.
    fn turn(&self, turn: Turn, results: &mpsc::Sender<Result<Record, RunError>>) -> Result<Option<Task>, RunError> {
        let Turn { mut task, example, is_first, threads } = turn;
        let whole = self.0.work.options;
        let is_short = is_first && whole.time_limit.is_none_or(|limit| limit >= 2 * FIRST);
        let time_limit = if is_short { Some(FIRST) } else { whole.time_limit };
        let options = Options { time_limit, threads, ..whole };
        let mut left = Vec::new();
        let spent = std::mem::take(&mut task.spent).as_secs_f64() / task.open.len().max(1) as f64;
        let begin = Instant::now();
        for (position, attempt) in std::mem::take(&mut task.open) {
            let start = Instant::now();
            let index = task.index;
            let question = self.question(&example, index, position)?;
            let answer = self.answer(&question, task.found.as_deref(), &options);
            let answer = answer.map_err(|source| RunError::Search { index, source })?;
            if is_short && matches!(answer.verdict, Verdict::Unknown(_)) && start.elapsed() >= FIRST {
                left.push((position, attempt));
                continue;
            }
            if let (Verdict::Violated(c), false) = (&answer.verdict, answer.is_misclassified) {
                task.found = Some(c.input.nearest.clone());
            }
            // Leave to write is kept until those who listen have the record.
            let Some(_leave) = self.0.queue.may_write() else { return Ok(None) };
            let seconds = spent + since(start);
            let record = self.record(&question, index, position, attempt, answer, seconds)?;
            let _ = results.send(Ok(record));
        }
        task.spent = begin.elapsed();
        task.open = left;
        Ok((!task.open.is_empty()).then_some(task))
    }

    fn question(&self, example: &Example, index: usize, position: usize) -> Result<Question, RunError> {
        question(&self.0.work, &self.0.asked, example, index, position)
    }

    fn answer(
        &self,
        question: &Question,
        found: Option<&[f32]>,
        options: &Options,
    ) -> Result<Answer, unmoved_search::SearchError> {
        // What lies in a ball lies in a larger one; that it does, and is unsafe, is decided once more.
        if let Some(Ok(counterexample)) = found.map(|input| replay(&question.query, input)) {
            let verdict = Verdict::Violated(counterexample);
            return Ok(Answer { verdict, decided_by: "replay", is_misclassified: false, certificate: None });
        }
        let outcome = decide_prepared(&question.query, &self.0.prepared, options, &|_| {})?;
        Ok(Answer {
            verdict: outcome.verdict,
            decided_by: outcome.decided_by.word(),
            is_misclassified: outcome.decided_by == DecidedBy::Centre,
            certificate: outcome.certificate,
        })
    }

    /// Writes what stands behind an answer, and the record that names it.
    fn record(
        &self,
        question: &Question,
        index: usize,
        position: usize,
        attempt: u32,
        answer: Answer,
        time_s: f64,
    ) -> Result<Record, RunError> {
        let Shared { asked, keeper, work, .. } = &*self.0;
        let eps = &question.perturbations.eps;
        let mut record = Record {
            index,
            label: question.label,
            predicted: question.predicted,
            verdict: Word::Unknown,
            reason: None,
            certified: false,
            target: None,
            norm: asked.norm.name().into(),
            eps: asked.radius(position),
            lower: 0.0,
            upper: None,
            time_s,
            decided_by: answer.decided_by.into(),
            attempt,
            limit_s: work.asked.time_limit_s,
            key: String::new(),
            certificate: None,
            counterexample: None,
        };
        let name = |kind| file_name(&record, kind);
        let (proof, point) = (name(KeptKind::Certificate), name(KeptKind::Counterexample));
        let query = answer.certificate.as_ref().map_or_else(|| question.query.digest(), |c| c.query);
        record.key = key(&asked.model.sha256, &query.to_string(), &asked.kind);
        let mut input = None;
        match &answer.verdict {
            Verdict::Robust => {
                (record.verdict, record.certified, record.lower) = (Word::Robust, true, eps.round_down());
            }
            Verdict::Violated(c) if answer.is_misclassified => {
                record.verdict = Word::Violated;
                (record.reason, record.target) = (Some(MISCLASSIFIED.into()), Some(question.taken_for(c)));
                record.upper = Some(0.0);
            }
            Verdict::Violated(c) => {
                record.verdict = Word::Violated;
                (record.reason, record.target) = (Some("counterexample".into()), Some(question.taken_for(c)));
                record.upper = Some(eps.round_up());
                input = Some(&c.input.nearest);
            }
            Verdict::Unknown(reason) => {
                record.reason = Some(reason.word().into());
                if let Reason::F32Only(found) = reason {
                    input = Some(found);
                }
            }
        }
        let Some(keeper) = keeper else { return Ok(record) };
        if let Some(certificate) = &answer.certificate {
            record.certificate = Some(keeper.keep(KeptKind::Certificate, proof, &certificate.to_bytes())?);
        }
        if let Some(input) = input {
            record.counterexample = Some(keeper.keep_input(point, input, work.network.input().shape.dims())?);
            // A picture of it goes here.
        }
        Ok(record)
    }
}

/// A thread that panics leaves its task undone, for which the others would wait.
struct Alarm<'q>(&'q Queue);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}

/// `12-linf-0.1.proof`; of a later attempt `12-linf-0.1.2.proof`, so that no file is written again that a record names.
fn file_name(record: &Record, kind: KeptKind) -> String {
    let eps = record.eps.map(|eps| format!("-{eps}")).unwrap_or_default();
    let attempt = if record.attempt > 1 { format!(".{}", record.attempt) } else { String::new() };
    let ending = match kind {
        KeptKind::Certificate => "proof",
        KeptKind::Counterexample => "npy",
    };
    format!("{}-{}{eps}{attempt}.{ending}", record.index, record.norm)
}

fn question(
    work: &Work,
    asked: &Asked,
    example: &Example,
    index: usize,
    position: usize,
) -> Result<Question, RunError> {
    let perturbations = asked.perturbations(position).ok_or(RunError::Thread)?;
    Question::new(&work.network, example, None, perturbations, asked.targets.as_deref())
        .map_err(|source| RunError::Question { index, source })
}

/// The digest by which a record tells which question it answers.
fn key(network: &str, query: &str, kind: &Kind) -> String {
    let kind = match kind {
        Kind::Radii => "radii".into(),
        Kind::Distortion { gap } => format!("distortion {}", gap.0),
    };
    hex(&Sha256::digest(format!("{network}\n{query}\n{kind}\nreal\n")))
}

/// Tests that the records found answer the questions that are asked.
pub(crate) fn expect_own(work: &Work, path: &Path, run: &Run) -> Result<(), RunError> {
    let Some((last, _)) = run.answers.iter().last().map(|(position, r)| (r.index, position)) else { return Ok(()) };
    let network = &run.asked.model.sha256;
    for (index, example) in
        (run.asked.indices.start..last + 1).zip(work.images.read(run.asked.indices.start..last + 1)?)
    {
        let example = example?;
        for position in 0..run.asked.per_image() {
            let Some(record) = run.answers.get(index, position) else { continue };
            let question: Query = question(work, &run.asked, &example, index, position)?.query;
            if key(network, &question.digest().to_string(), &run.asked.kind) != record.key {
                return Err(RunError::Foreign { path: path.into(), index });
            }
        }
    }
    Ok(())
}
