//! Leaves that wait for their bounds, so that many can be bounded side by side and on several threads.
//!
//! A leaf's bound depends on its form, its goal and the table where it stands, and the steps after it depend on the bound only at the end of a
//! lemma's proof. So the walk over the proof goes on and leaves wait, each with what its table has that a common one has not.

use crate::backward::{Backward, Scene};
use crate::check::{Checker, Goal};
use crate::form::{Combined, check_multipliers, combine};
use crate::lane::Lane;
use crate::propagate::{Prover, Walker};
use crate::real::Real;
use crate::table::Case;
use crate::{LinearForm, Multipliers, Refusal, Side, WrongStep};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many batches of leaves wait at most, per thread.
const WAITING: usize = 32;
/// How many numbers they may hold before they are bounded although there are fewer of them.
const MAX_HELD: usize = 1 << 22;
/// How many elements of a leaf's table may differ from the one that it shares with others.
const MAX_CASES: usize = 256;

/// Leaves in the order of their steps. All have the goal that the checker has.
#[derive(Default)]
pub(crate) struct Queue<'s> {
    jobs: Vec<Job<'s>>,
    /// The cases and coefficients of them all.
    held: usize,
    /// After so many changes the table was as all these leaves have it, but for their cases.
    pub(crate) base: usize,
}

/// A leaf.
pub(crate) struct Job<'s> {
    pub(crate) step: usize,
    pub(crate) combined: Arc<Combined>,
    pub(crate) goal: Option<Goal>,
    pub(crate) multipliers: &'s [Multipliers],
    /// Bounds of its table that differ from the common ones.
    pub(crate) cases: Vec<Case>,
}

impl Job<'_> {
    /// Adds the form to form `b` of a walk.
    pub(crate) fn begin<R: Real, const B: usize>(&self, scene: &Scene<'_, R>, walk: &mut Backward<R, B>, b: usize) {
        walk.begin(scene.layers, b, &self.combined);
        if let Some(goal) = self.goal {
            let sign = if goal.side == Side::Lower { 1.0 } else { -1.0 };
            walk.seed(scene.layers, goal.node, goal.index, b, sign, 0.0);
        }
    }

    pub(crate) fn lane(&self) -> Lane<'_> {
        Lane { multipliers: self.multipliers, cases: &self.cases }
    }
}

impl<R: Real, const B: usize> Checker<'_, R, B> {
    /// A leaf as it waits for its bound.
    pub(crate) fn leaf<'s>(&mut self, step: usize, form: &'s LinearForm) -> Result<Job<'s>, WrongStep> {
        check_multipliers(&self.prover.layers, &form.multipliers)?;
        let combined = self.combine(&form.lambda)?;
        Ok(Job { step, combined, goal: self.goal, multipliers: &form.multipliers, cases: Vec::new() })
    }

    /// Lets a leaf wait, with the table as it stands.
    pub(crate) fn wait_for<'s>(&mut self, mut job: Job<'s>, queue: &mut Queue<'s>) -> Result<(), Refusal> {
        if self.prover.table.changes() - queue.base > MAX_CASES {
            self.flush(queue)?;
            queue.base = self.base();
        }
        job.cases = self.prover.table.since(queue.base);
        queue.held += job.cases.len() + job.combined.outputs.len() + job.combined.inputs.len();
        queue.jobs.push(job);
        let enough = queue.jobs.len() >= WAITING * B * self.prover.threads() || queue.held > MAX_HELD;
        // In full batches: which leaves share one does not depend on the threads.
        if enough && queue.jobs.len().is_multiple_of(B) { self.flush(queue) } else { Ok(()) }
    }

    /// Bounds all leaves that wait. The first that is wrong is refused.
    pub(crate) fn flush(&mut self, queue: &mut Queue<'_>) -> Result<(), Refusal> {
        let jobs = std::mem::take(&mut queue.jobs);
        queue.held = 0;
        if jobs.is_empty() {
            return Ok(());
        }
        self.prover.table.set_aside(queue.base);
        let bounds = self.prover.bounds(&jobs);
        self.prover.table.put_back(queue.base);
        for (job, bound) in jobs.iter().zip(bounds) {
            self.judge(bound).map_err(|wrong| Refusal::Step { step: job.step, wrong })?;
        }
        Ok(())
    }

    /// The fewest changes that a waiting subtree begins with and from which the present table is not far.
    pub(crate) fn base(&self) -> usize {
        let changes = self.prover.table.changes();
        let near = self.open.partition_point(|open| changes - open.changes > MAX_CASES);
        self.open.get(near).map_or(changes, |open| open.changes)
    }

    /// Lower bounds, by the default rule, of weighted constraints of disjuncts over the table as it stands.
    pub(crate) fn minima(&mut self, forms: &[(usize, Vec<f64>)]) -> Vec<Result<f64, WrongStep>> {
        let unsafe_set = self.query.unsafe_set();
        let mut jobs = Vec::new();
        let combined = forms.iter().map(|(disjunct, lambda)| combine(Some(&unsafe_set[*disjunct].0), lambda));
        let errors: Vec<Option<WrongStep>> = combined
            .map(|combined| {
                let combined = Arc::new(combined?);
                jobs.push(Job { step: 0, combined, goal: None, multipliers: &[], cases: Vec::new() });
                Ok(())
            })
            .map(Result::err)
            .collect();
        let mut bounds = self.prover.bounds(&jobs).into_iter();
        errors.into_iter().map(|error| error.map_or_else(|| Ok(bounds.next().unwrap_or(f64::NAN)), Err)).collect()
    }
}

impl<R: Real, const B: usize> Prover<R, B> {
    /// The lower bounds of leaves over the table as it stands, but for their own cases; NaN where something overflowed.
    pub(crate) fn bounds(&mut self, jobs: &[Job<'_>]) -> Vec<f64> {
        let batches: Vec<&[Job<'_>]> = jobs.chunks(B).collect();
        let (scene, walkers) = self.walkers(batches.len());
        let bounds = share(walkers, batches.len(), |Walker { single, batch }, k| {
            let mut bounds = [f64::NAN; B];
            if let [job] = batches[k] {
                job.begin(&scene, single, 0);
                [bounds[0]] = single.bound(&scene, [job.lane()]);
            } else {
                batches[k].iter().enumerate().for_each(|(b, job)| job.begin(&scene, batch, b));
                bounds = batch
                    .bound(&scene, std::array::from_fn(|b| batches[k].get(b).map_or_else(Lane::default, Job::lane)));
            }
            bounds
        });
        bounds.into_iter().flatten().take(jobs.len()).collect()
    }
}

/// Does so many pieces of work, each by whichever worker is free, and returns what came of them in order.
pub(crate) fn share<W: Send, T: Send>(
    workers: &mut [W],
    pieces: usize,
    work: impl Fn(&mut W, usize) -> T + Sync,
) -> Vec<T> {
    let count = workers.len().min(pieces);
    let [first, others @ ..] = &mut workers[..count] else { return Vec::new() };
    let next = AtomicUsize::new(0);
    let run = |worker: &mut W| {
        let mut done = Vec::new();
        loop {
            let piece = next.fetch_add(1, Ordering::Relaxed);
            if piece >= pieces {
                return done;
            }
            done.push((piece, work(worker, piece)));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let others: Vec<_> = others.iter_mut().map(|worker| scope.spawn(|| run(worker))).collect();
        let mut done = run(first);
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(piece, _)| *piece);
    done.into_iter().map(|(_, result)| result).collect()
}
