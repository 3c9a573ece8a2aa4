//! One attempt at the questions about an image.

use super::queue::{Queue, Task, Turn};
use super::{Work, images, since};
use crate::run::{Asked, Keeper, KeptKind, Kind, MISCLASSIFIED, Record, Run, RunError, Word, picture_name};
use crate::{Example, Question};
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use unmoved_check::{Certificate, replay};
use unmoved_ir::{Digest, Rational};
use unmoved_property::{Counterexample, Reason, Verdict};
use unmoved_search::{DecidedBy, Distortion, Options, Outcome, Prepared, SearchError, decide_prepared, distortion};

/// How long the first attempt may take.
const FIRST: Duration = Duration::from_secs(1);
/// And where it measures.
const FIRST_DISTORTION: Duration = Duration::from_secs(10);

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
    verdict: Word,
    reason: Option<String>,
    /// A radius, and the certificate that nothing within it is unsafe.
    proved: Option<(Rational, Certificate)>,
    /// An unsafe input, and how far it is.
    found: Option<(Counterexample, Rational)>,
    /// Whether that is the image itself.
    is_misclassified: bool,
    /// An input that is unsafe in float32 alone.
    in_f32: Option<Vec<f32>>,
    decided_by: String,
}

impl Answer {
    fn of_verdict(question: &Question, verdict: Verdict, by: &str) -> Self {
        let (word, reason) = match &verdict {
            Verdict::Robust => (Word::Robust, None),
            Verdict::Violated(_) => (Word::Violated, Some("counterexample")),
            Verdict::Unknown(reason) => (Word::Unknown, Some(reason.word())),
        };
        let (mut found, mut in_f32) = (None, None);
        match verdict {
            Verdict::Violated(c) => {
                let within = || question.perturbations.eps.clone();
                let distance = question.query.region().distance_up(&c.input).unwrap_or_else(within);
                found = Some((c, distance));
            }
            Verdict::Unknown(Reason::F32Only(input)) => in_f32 = Some(input),
            _ => {}
        }
        let reason = reason.map(Into::into);
        Self { verdict: word, reason, proved: None, found, is_misclassified: false, in_f32, decided_by: by.into() }
    }

    fn of_outcome(question: &Question, outcome: Outcome) -> Self {
        let is_misclassified = outcome.decided_by == DecidedBy::Centre;
        let eps = &question.perturbations.eps;
        let proved = outcome.certificate.map(|certificate| (eps.clone(), certificate));
        let answer = Self::of_verdict(question, outcome.verdict, outcome.decided_by.word());
        Self { proved, is_misclassified, ..answer }
    }

    fn of_distortion(measured: Distortion) -> Self {
        let verdict = match (&measured.reason, &measured.upper) {
            (Some(_), _) => Word::Unknown,
            (None, Some(_)) => Word::Measured,
            (None, None) => Word::Robust,
        };
        let is_misclassified = measured.is_at_centre();
        let mut words = vec![measured.lower_by.word(), measured.upper_by.word()];
        words.dedup();
        words.retain(|word| *word != DecidedBy::Nothing.word() || measured.proof.is_none() && measured.upper.is_none());
        let in_f32 = match measured.reason.as_ref() {
            Some(Reason::F32Only(input)) => Some(input.clone()),
            _ => None,
        };
        Self {
            verdict,
            reason: measured.reason.map(|reason| reason.word().into()),
            proved: measured.proof.map(|proof| (measured.lower, proof.certificate)),
            found: measured.counterexample.zip(measured.upper),
            is_misclassified,
            in_f32,
            decided_by: words.join("+"),
        }
    }
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
                let hard = if turn.is_first { 0 } else { turn.task.open.len() };
                let left = self.turn(turn, results)?;
                queue.give_back(hard, left);
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
    pub(super) fn turn(
        &self,
        turn: Turn,
        results: &mpsc::Sender<Result<Record, RunError>>,
    ) -> Result<Option<Task>, RunError> {
        let Turn { mut task, example, is_first, threads } = turn;
        let whole = self.0.work.options;
        let first = if self.0.asked.kind == Kind::Radii { FIRST } else { FIRST_DISTORTION };
        let is_short = is_first && whole.time_limit.is_none_or(|limit| limit >= 2 * first);
        let time_limit = if is_short { Some(first) } else { whole.time_limit };
        let options = Options { time_limit, threads, ..whole };
        let mut left = Vec::new();
        let spent = std::mem::take(&mut task.spent).as_secs_f64() / task.open.len().max(1) as f64;
        let begin = Instant::now();
        for (position, attempt) in std::mem::take(&mut task.open) {
            let start = Instant::now();
            let index = task.index;
            let question = self.question(&example, index, position)?;
            let answer = self.answer(&question, task.found.as_deref(), &options);
            let answer = answer.map_err(|source| RunError::Search { index, source: Box::new(source) })?;
            if is_short && answer.verdict == Word::Unknown && may_go_on(start.elapsed(), first) {
                left.push((position, attempt));
                continue;
            }
            if let (Some((c, _)), false) = (&answer.found, answer.is_misclassified) {
                task.found = Some(c.input.nearest.clone());
            }
            // Leave to write is kept until those who listen have the record.
            // Where there is none the task is not done: it stays in the queue.
            let Some(_leave) = self.0.queue.may_write() else { return Ok(Some(task)) };
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

    fn answer(&self, question: &Question, found: Option<&[f32]>, options: &Options) -> Result<Answer, SearchError> {
        let Shared { prepared, asked, .. } = &*self.0;
        if let Kind::Distortion { gap } = &asked.kind {
            return Ok(Answer::of_distortion(distortion(&question.query, prepared, options, &gap.0, &|_| {})?));
        }
        // What lies in a ball lies in a larger one; that it does, and is unsafe, is decided once more.
        if let Some(Ok(counterexample)) = found.map(|input| replay(&question.query, input)) {
            return Ok(Answer::of_verdict(question, Verdict::Violated(counterexample), "replay"));
        }
        Ok(Answer::of_outcome(question, decide_prepared(&question.query, prepared, options, &|_| {})?))
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
        let same = answer.proved.as_ref().filter(|_| asked.kind == Kind::Radii);
        let query = same.map_or_else(|| question.query.digest(), |(_, certificate)| certificate.query);
        let reason = if answer.is_misclassified { Some(MISCLASSIFIED.into()) } else { answer.reason };
        let mut record = Record {
            index,
            label: question.label,
            predicted: question.predicted,
            verdict: answer.verdict,
            reason,
            certified: answer.proved.is_some(),
            target: answer.found.as_ref().map(|(c, _)| question.taken_for(c)),
            norm: asked.norm.name().into(),
            eps: asked.radius(position),
            lower: answer.proved.as_ref().map_or(0.0, |(radius, _)| radius.round_down()),
            upper: answer.found.as_ref().map(|(_, distance)| distance.round_up()),
            time_s,
            decided_by: answer.decided_by,
            attempt,
            limit_s: work.asked.time_limit_s,
            key: key(&asked.model.sha256, &query.to_string(), &asked.kind),
            proved: answer.proved.as_ref().map(|(radius, _)| radius.to_string()),
            certificate: None,
            counterexample: None,
        };
        let Some(keeper) = keeper else { return Ok(record) };
        if let Some((_, certificate)) = &answer.proved {
            let name = record.file_name(KeptKind::Certificate);
            record.certificate = Some(keeper.keep(KeptKind::Certificate, name, &certificate.to_bytes())?);
        }
        let found = answer.found.map(|(c, _)| c.input.nearest).filter(|_| !answer.is_misclassified);
        if let Some(input) = found.or(answer.in_f32) {
            let name = record.file_name(KeptKind::Counterexample);
            record.counterexample = Some(keeper.keep_input(name, &input, work.network.input().shape.dims())?);
            if let Some(Ok(png)) = question.picture(&input, record.target) {
                let name = picture_name(&record.file_name(KeptKind::Counterexample));
                keeper.keep(KeptKind::Counterexample, name, &png)?;
            }
        }
        Ok(record)
    }
}

/// Whether an undecided attempt might have gone on with more time than it was given. Steps of a search get a part of what is left, the
/// least a quarter, and what is left may end before them: only what has ended before any could run out is final.
pub(super) fn may_go_on(took: Duration, given: Duration) -> bool {
    took >= given / 8
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

fn question(
    work: &Work,
    asked: &Asked,
    example: &Example,
    index: usize,
    position: usize,
) -> Result<Question, RunError> {
    let perturbations = asked.perturbations(position).ok_or(RunError::Thread)?;
    Question::new(&work.network, example, None, perturbations, asked.targets.as_deref())
        .map_err(|source| RunError::Question { index, source: Box::new(source) })
}

/// The digest by which a record tells which question it answers.
pub(crate) fn key(network: &str, query: &str, kind: &Kind) -> String {
    let kind = match kind {
        Kind::Radii => "radii".into(),
        Kind::Distortion { gap } => format!("distortion {}", gap.0),
    };
    Digest(Sha256::digest(format!("{network}\n{query}\n{kind}\nreal\n")).into()).to_string()
}

/// Tests that the records found answer the questions that are asked.
pub(crate) fn expect_own(work: &Work, path: &Path, run: &Run) -> Result<(), RunError> {
    let Run { asked, answers, .. } = run;
    let records = answers.iter().map(|(_, record)| record);
    images::each(&work.images, records, work.options.threads, |record, example| {
        let (path, index) = (path.into(), record.index);
        let position = asked.position(record.eps).unwrap_or_default();
        let query = question(work, asked, example, index, position)?.query;
        let is_own = key(&asked.model.sha256, &query.digest().to_string(), &asked.kind) == record.key;
        if is_own { Ok(()) } else { Err(RunError::Foreign { path, index }) }
    })
}
