//! How much time and memory is left.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use unmoved_property::Reason;

use crate::Options;

/// Runs from when it is made.
pub(crate) struct Clock {
    start: Instant,
    limit: Option<Duration>,
    /// What the process may take up, in bytes.
    memory: Option<u64>,
    /// When memory is looked at next, in milliseconds from the start.
    next_look: AtomicU64,
    is_full: AtomicBool,
}

/// How often memory is looked at: a process cannot take up very much more in so short a time.
const EVERY_MS: u64 = 5;

impl Clock {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            start: Instant::now(),
            limit: options.time_limit,
            // What comes after the search needs some room, too.
            memory: options.memory_limit.map(|limit| limit - limit / 8),
            next_look: AtomicU64::new(0),
            is_full: AtomicBool::new(false),
        }
    }

    /// What is left; `None` for no limit.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        self.limit.map(|limit| limit.saturating_sub(self.start.elapsed()))
    }

    /// Whether there is nothing left of either.
    pub(crate) fn is_out(&self) -> bool {
        self.limit.is_some_and(|limit| self.start.elapsed() >= limit) || self.is_full()
    }

    /// Which limit was reached.
    pub(crate) fn reason(&self) -> Option<Reason> {
        if self.is_full.load(Ordering::Relaxed) {
            return Some(Reason::MemoryLimit);
        }
        self.is_out().then_some(Reason::TimeLimit)
    }

    /// Once too much is taken up it stays so, though some of it may be given back.
    fn is_full(&self) -> bool {
        let Some(most) = self.memory else { return false };
        let now = self.start.elapsed().as_millis() as u64;
        if now >= self.next_look.load(Ordering::Relaxed) {
            self.next_look.store(now + EVERY_MS, Ordering::Relaxed);
            // Where the system does not tell, there is no limit.
            if memory_stats::memory_stats().is_some_and(|used| used.physical_mem as u64 >= most) {
                self.is_full.store(true, Ordering::Relaxed);
            }
        }
        self.is_full.load(Ordering::Relaxed)
    }
}
