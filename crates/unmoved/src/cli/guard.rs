//! Sees to it that there is an answer within the limits of time and memory, whatever the work is at just then.
//!
//! The search itself looks at the clock, but a certificate that is being checked or a file that is being read does not. So a thread
//! waits for the limit, answers in the name of the command, and ends the process. Who answers is decided once.

use super::Exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use unmoved::property::Reason;
use unmoved::search::Options;

/// How long the search may take to come to an end by itself.
const GRACE: Duration = Duration::from_millis(300);
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Who answers.
pub(crate) struct Guard(Arc<AtomicU8>);

const NOBODY: u8 = 0;
const CALLER: u8 = 1;
const GUARD: u8 = 2;

impl Guard {
    /// Watches over the limits since `start`; beyond them `give_up` answers with the reason, and the process ends.
    pub(crate) fn new(
        options: &Options,
        start: Instant,
        give_up: impl FnOnce(Reason) -> Exit + Send + 'static,
    ) -> Self {
        let answers = Arc::new(AtomicU8::new(NOBODY));
        let deadline = options.time_limit.and_then(|limit| start.checked_add(limit)?.checked_add(GRACE));
        let (memory, taken) = (options.memory_limit, answers.clone());
        let watch = move || {
            let Some(reason) = wait(deadline, memory, &taken) else { return };
            if taken.compare_exchange(NOBODY, GUARD, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                std::process::exit(give_up(reason).code());
            }
        };
        if deadline.is_some() || memory.is_some() {
            // Without the thread the search still stops by itself.
            let _ = std::thread::Builder::new().name("guard".into()).spawn(watch);
        }
        Self(answers)
    }

    /// From here on the caller answers. Does not return if the guard already does.
    pub(crate) fn take(&self) {
        if self.0.compare_exchange(NOBODY, CALLER, Ordering::AcqRel, Ordering::Acquire) == Err(GUARD) {
            loop {
                std::thread::park();
            }
        }
    }
}

/// An error is an answer, too.
impl Drop for Guard {
    fn drop(&mut self) {
        self.take();
    }
}

/// The limit that was reached; `None` once it does not matter any more.
fn wait(deadline: Option<Instant>, memory: Option<u64>, taken: &AtomicU8) -> Option<Reason> {
    loop {
        if taken.load(Ordering::Acquire) != NOBODY {
            return None;
        }
        let now = Instant::now();
        let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
        if left == Some(Duration::ZERO) {
            return Some(Reason::TimeLimit);
        }
        let Some(most) = memory else {
            std::thread::sleep(left?);
            continue;
        };
        if memory_stats::memory_stats().is_some_and(|used| used.physical_mem as u64 >= most) {
            return Some(Reason::MemoryLimit);
        }
        std::thread::sleep(left.map_or(LOOK, |left| left.min(LOOK)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_an_answer_keeps_it() {
        let options = Options { time_limit: Some(Duration::ZERO), memory_limit: Some(1), ..Options::default() };
        let start = Instant::now() + Duration::from_millis(50);
        let guard =
            Guard::new(&Options { memory_limit: None, ..options }, start, |_| unreachable!("it would end the tests"));
        guard.take();
        guard.take();
        std::thread::sleep(2 * GRACE);
    }
}
