//! A network over a data set: which questions are open, who works on them, and who is told.
//!
//! Every thread takes images by itself. What a short first attempt does not decide waits until every image has had
//! one, so that easy images never wait behind a hard one. The thread that called writes the records down, in groups, and tells
//! of a record only once it is on disk.

mod attempt;
mod images;
mod queue;
mod recheck;

pub use recheck::{Recheck, Rechecked};

pub(crate) use images::digest as image_digest;

use crate::Images;
use crate::run::{Answers, Asked, Folder, Record, Run, RunError, Summary, Word};
use attempt::Worker;
use queue::{Queue, Task};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use unmoved_ir::Network;
use unmoved_search::Options;

/// What is to be done.
#[derive(Clone)]
pub struct Work {
    /// The network that is asked about.
    pub network: Arc<Network>,
    /// Where the images come from.
    pub images: Arc<Images>,
    /// The questions.
    pub asked: Asked,
    /// How to decide; the threads are shared by all images.
    pub options: Options,
    /// Which questions are asked again.
    pub rerun: Rerun,
}

/// Which answered questions are asked again. Undecided ones are in any case that had less time than there is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rerun {
    /// None.
    #[default]
    Never,
    /// Those that are not decided.
    Unknown,
    /// Those with a counterexample.
    Violated,
    /// All.
    All,
}

impl Rerun {
    /// Whether a record does not answer its question.
    fn asks_again(self, record: &Record, limit_s: Option<f64>) -> bool {
        match (self, record.verdict) {
            (Self::All, _) | (Self::Unknown, Word::Unknown) | (Self::Violated, Word::Violated) => true,
            (_, Word::Unknown) => !record.had(limit_s),
            _ => false,
        }
    }
}

/// What happens in a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// Work begins: so many questions there are, so many of them are open.
    Begins {
        /// All.
        questions: usize,
        /// To be tried now.
        open: usize,
    },
    /// Something to know.
    Note(&'a str),
    /// A record, which is on disk if there is a folder; and so many questions that have had their first attempt wait for more.
    Recorded {
        /// The record.
        record: &'a Record,
        /// The questions that wait, or are worked on after that.
        hard: usize,
    },
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// What is known now.
    pub run: Run,
    /// What this call has asked for, counted.
    pub summary: Summary,
    /// Whether it was stopped before every question had been tried.
    pub is_stopped: bool,
}

/// How soon a wish to stop is seen.
const LOOK: Duration = Duration::from_millis(20);
/// The most records that are written down at once.
const GROUP: usize = 256;

/// Answers what is open of the questions, in a run folder or without one, until `stop` says that it is enough. Threads that are in the
/// midst of something then are left alone: they end when it ends, and write nothing.
///
/// # Errors
/// If the folder cannot be used ([`RunError`]), if images or questions do not fit. What was told of before is on disk.
pub fn evaluate(
    mut work: Work,
    folder: Option<&Path>,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Ended, RunError> {
    // Files claim how many images they hold; now all were there once.
    work.asked.data.sha256 = images::digest(&work.images, &work.asked)?;
    let (mut folder, mut run) = match folder {
        Some(path) => {
            let (folder, run) = Folder::open(path, work.asked.clone())?;
            run.notes.iter().for_each(|note| tell(Event::Note(note)));
            attempt::expect_own(&work, path, &run)?;
            (Some(folder), run)
        }
        None => {
            if let Some(problem) = work.asked.problem() {
                return Err(RunError::Asked { path: work.asked.model.path, problem });
            }
            (None, Run { asked: work.asked.clone(), answers: Answers::default(), notes: Vec::new() })
        }
    };
    // Only what this call asks for is worked on; the folder may hold more radii.
    let tasks = open(&work, &run);
    let questions = work.asked.images() * work.asked.per_image();
    tell(Event::Begins { questions, open: tasks.iter().map(|t| t.open.len()).sum() });

    let threads = work.options.threads.min(tasks.len());
    let queue = Arc::new(Queue::new(work.images.clone(), tasks, work.options.threads));
    let asked = work.asked.clone();
    let worker = Worker::new(work, run.asked.clone(), folder.as_ref().map(Folder::keeper), queue.clone())?;
    let (sender, results) = mpsc::channel();
    for _ in 0..threads {
        let (worker, sender) = (worker.clone(), sender.clone());
        // They outlive this call where it is stopped: a search cannot be.
        std::thread::spawn(move || worker.work(&sender));
    }
    drop(sender);
    let ended = write_down(&mut run, folder.as_mut(), &queue, &results, stop, tell);
    // Whoever is about to write a file of the folder has done so, or never will.
    queue.stop();
    let is_stopped = !ended?;
    if !is_stopped && !queue.is_done() {
        return Err(RunError::Thread);
    }
    let summary = Summary::new(&asked, &run.answers);
    Ok(Ended { run, summary, is_stopped })
}

/// Takes records in until there are no more, or it is enough: whether it came to the end.
fn write_down(
    run: &mut Run,
    mut folder: Option<&mut Folder>,
    queue: &Queue,
    results: &mpsc::Receiver<Result<Record, RunError>>,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<bool, RunError> {
    loop {
        let is_enough = stop.load(Ordering::Relaxed);
        if is_enough {
            queue.stop();
        }
        let first = match results.recv_timeout(if is_enough { Duration::ZERO } else { LOOK }) {
            Ok(first) => first,
            Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(!is_enough || queue.is_done()),
            Err(mpsc::RecvTimeoutError::Timeout) if is_enough => return Ok(false),
            Err(mpsc::RecvTimeoutError::Timeout) => continue,
        };
        let mut failed = None;
        let mut group = Vec::new();
        for result in std::iter::once(first).chain(results.try_iter()) {
            match result {
                Ok(record) => group.push(record),
                Err(error) => drop(failed.get_or_insert(error)),
            }
            if group.len() >= GROUP {
                break;
            }
        }
        if let Some(folder) = &mut folder {
            folder.append(&group)?;
        }
        let hard = queue.hard();
        for record in group {
            tell(Event::Recorded { record: &record, hard });
            run.answers.insert(&run.asked, record, false)?;
        }
        if let Some(error) = failed {
            return Err(error);
        }
    }
}

/// What is open of what this call asks, image by image, the radii ascending.
fn open(work: &Work, run: &Run) -> Vec<Task> {
    let radii = (0..work.asked.per_image()).map(|k| work.asked.radius(k));
    let positions: Vec<usize> = radii.filter_map(|eps| run.asked.position(eps)).collect();
    let is_open = |index, position| {
        let record = run.answers.get(index, position);
        record.is_none_or(|record| work.rerun.asks_again(record, work.asked.time_limit_s))
    };
    let task = |index| {
        let open = positions.iter().copied().filter(|&p| is_open(index, p));
        let open: Vec<_> = open.map(|position| (position, run.answers.attempts(index, position) + 1)).collect();
        (!open.is_empty()).then_some(Task { index, open, spent: Duration::ZERO, found: None })
    };
    work.asked.indices().filter_map(task).collect()
}

/// Seconds since then.
fn since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64()
}

#[cfg(test)]
mod tests;
