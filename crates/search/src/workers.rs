//! Threads that share the work of one search.

use std::cmp::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Locks, whether or not another thread has panicked meanwhile: then the search is ending, and its panic goes on.
pub(crate) fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a change, likewise.
pub(crate) fn wait<'a, T>(changed: &Condvar, of: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    changed.wait(of).unwrap_or_else(PoisonError::into_inner)
}

/// What was locked, when all threads are done.
pub(crate) fn unlocked<T>(of: Mutex<T>) -> T {
    of.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Works on so many threads, this one among them. Where one panics, `stop` is to end the search: the others might wait for it for ever.
pub(crate) fn on_threads(threads: usize, work: impl Fn() + Sync, stop: impl Fn() + Sync) {
    let guarded = || {
        let _guard = OnPanic(&stop);
        work();
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(guarded);
        }
        guarded();
    });
}

struct OnPanic<'a, F: Fn()>(&'a F);

impl<F: Fn()> Drop for OnPanic<'_, F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            (self.0)();
        }
    }
}

/// What waits in a heap, in the order of its rank alone: the greatest comes first.
pub(crate) trait Rank {
    /// A total order.
    fn rank(&self, other: &Self) -> Ordering;
}

/// A thing that is compared by its rank.
pub(crate) struct Ranked<T>(pub(crate) T);

impl<T: Rank> Ord for Ranked<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.rank(&other.0)
    }
}
impl<T: Rank> PartialOrd for Ranked<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<T: Rank> PartialEq for Ranked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl<T: Rank> Eq for Ranked<T> {}
