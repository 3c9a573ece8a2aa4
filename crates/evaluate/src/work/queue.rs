//! Who works on what.

use super::images::Reader;
use crate::run::RunError;
use crate::{Example, Images};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard};
use std::time::Duration;

/// An image, and the questions about it that are open.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) index: usize,
    /// Which of the questions, ascending by radius, and which attempt it is.
    pub(crate) open: Vec<(usize, u32)>,
    /// What the first attempt took.
    pub(crate) spent: Duration,
    /// A counterexample at a smaller radius.
    pub(crate) found: Option<Vec<f32>>,
}

/// What a thread is to do next.
pub(crate) struct Turn {
    pub(crate) task: Task,
    pub(crate) example: Example,
    /// Whether it is the first attempt, which is short.
    pub(crate) is_first: bool,
    /// On so many threads.
    pub(crate) threads: usize,
}

/// The tasks of a run, images read as they are needed.
pub(crate) struct Queue {
    images: Arc<Images>,
    threads: usize,
    state: Mutex<State>,
    changed: Condvar,
    /// Whether nothing may be written any more; whoever writes holds it open.
    stopped: RwLock<bool>,
}

struct State {
    /// Not tried yet, ascending.
    fresh: VecDeque<Task>,
    /// Their images.
    reader: Reader,
    /// What the first attempt has not decided.
    hard: VecDeque<Task>,
    /// Tasks that somebody works on.
    running: usize,
    /// Questions of these beyond the first attempt.
    running_hard: usize,
}

impl Queue {
    pub(crate) fn new(images: Arc<Images>, tasks: Vec<Task>, threads: usize) -> Self {
        let state =
            State { fresh: tasks.into(), reader: Reader::new(), hard: VecDeque::new(), running: 0, running_hard: 0 };
        Self { images, threads, state: Mutex::new(state), changed: Condvar::new(), stopped: RwLock::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// The next turn; `None` if there is nothing left to do, or it is enough. Waits while what others work on may turn out hard.
    pub(crate) fn take(&self) -> Result<Option<Turn>, RunError> {
        let mut state = self.lock();
        loop {
            if self.is_stopped() {
                return Ok(None);
            }
            if let Some(task) = state.fresh.pop_front() {
                let example = state.reader.read(&self.images, task.index)?;
                state.running += 1;
                return Ok(Some(Turn { task, example, is_first: true, threads: 1 }));
            }
            if let Some(task) = state.hard.pop_front() {
                state.running += 1;
                state.running_hard += task.open.len();
                let left = state.running + state.hard.len();
                drop(state);
                let example = Reader::new().read(&self.images, task.index)?;
                let threads = (self.threads / left).max(1);
                return Ok(Some(Turn { task, example, is_first: false, threads }));
            }
            if state.running == 0 {
                return Ok(None);
            }
            state = self.changed.wait(state).unwrap_or_else(|e| e.into_inner());
        }
    }

    /// A turn is over that tried so many hard questions; what is left of it is hard.
    pub(crate) fn give_back(&self, hard: usize, left: Option<Task>) {
        let mut state = self.lock();
        state.running -= 1;
        state.running_hard -= hard;
        state.hard.extend(left);
        drop(state);
        self.changed.notify_all();
    }

    /// How many questions the first attempt has left open.
    pub(crate) fn hard(&self) -> usize {
        let state = self.lock();
        state.hard.iter().map(|task| task.open.len()).sum::<usize>() + state.running_hard
    }

    /// Whether nothing is left to do.
    pub(crate) fn is_done(&self) -> bool {
        let state = self.lock();
        state.fresh.is_empty() && state.hard.is_empty() && state.running == 0
    }

    /// Lets nobody write any more; returns when all have that were about to.
    pub(crate) fn stop(&self) {
        *self.stopped.write().unwrap_or_else(|e| e.into_inner()) = true;
        // Who has looked before that waits by now, and is woken.
        drop(self.lock());
        self.changed.notify_all();
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.read().unwrap_or_else(|e| e.into_inner())
    }

    /// Leave to write, for as long as the guard lives; `None` if it is enough.
    pub(crate) fn may_write(&self) -> Option<RwLockReadGuard<'_, bool>> {
        Some(self.stopped.read().unwrap_or_else(|e| e.into_inner())).filter(|stopped| !**stopped)
    }
}
