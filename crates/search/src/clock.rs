//! How much time is left.

use std::time::{Duration, Instant};

/// Runs from when it is made.
pub(crate) struct Clock {
    start: Instant,
    limit: Option<Duration>,
}

impl Clock {
    pub(crate) fn new(limit: Option<Duration>) -> Self {
        Self { start: Instant::now(), limit }
    }

    /// What is left; `None` for no limit.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        self.limit.map(|limit| limit.saturating_sub(self.start.elapsed()))
    }

    pub(crate) fn is_out(&self) -> bool {
        self.limit.is_some_and(|limit| self.start.elapsed() >= limit)
    }
}
