//! What to try in which order, and how much of it.

use crate::bab::Effort;
use crate::outcome::{Options, Relaxation};
use crate::refine::{self, Refined, Refinement};
use crate::semidefinite;
use unmoved_bounds::engine::{Compact, LANES};
use unmoved_check::Examiner;

/// Searches take turns with refinements, each longer than the one before; the last search has no end.
///
/// Lengths are counted in operations and not in seconds, so that with one thread nothing depends on the machine.
pub(crate) struct Plan {
    threads: usize,
    most: usize,
    /// Subproblems per bound of the refinements to come, the last first.
    refinements: Vec<usize>,
    refined: bool,
    relaxation: Relaxation,
    /// Whether semidefinite bounds were tried upon the bounds as they are.
    tried: bool,
    attacked: bool,
    enough: f32,
    steps: Steps,
}

/// Steps of the ascent, at the roots and at every other subproblem.
struct Steps {
    search: [usize; 2],
    refinement: [usize; 2],
}

const STEPS: Steps = Steps { search: [20, 8], refinement: [20, 10] };
/// Where max-pools compare elements one after the other, multipliers take longer to come through.
const STEPS_OF_MAXIMA: Steps = Steps { search: [200, 16], refinement: [100, 16] };
/// Operations of the first search: about a quarter of a second's worth on two cores.
const FIRST: f64 = 2e10;
/// The share of it before semidefinite bounds, which close in one go most of what takes longer.
const BEFORE_SEMIDEFINITE: f64 = 0.125;
/// The same before the strong attack.
const BEFORE_ATTACK: f64 = 0.25;
/// Operations of that attack; most end sooner.
const ATTACK: f64 = FIRST;
/// What subproblems that wait may take up, about; beyond, the search dives.
const MOST_OPEN_BYTES: usize = 1 << 30;
/// How often a search that closes subproblems may go on for twice as long before a refinement.
const EXTENSIONS: usize = 4;
/// Each search is longer than the one before by this factor.
const GROWTH: f64 = 4.0;
/// Bounds that are taken for proved in f32, at first and at last.
const ENOUGH: [f32; 2] = [1e-5, 1e-2];

impl Plan {
    pub(crate) fn new(examiner: &Examiner<'_>, options: &Options) -> Self {
        let refinements = if refine::is_possible(examiner.lowered()) { vec![2000, 200] } else { Vec::new() };
        let steps = if examiner.lowered().maxima.is_empty() { STEPS } else { STEPS_OF_MAXIMA };
        Self {
            threads: options.threads,
            most: options.subproblems,
            refinements,
            refined: false,
            relaxation: options.relaxation,
            tried: false,
            attacked: false,
            enough: ENOUGH[0],
            steps,
        }
    }

    /// The next search.
    pub(crate) fn effort(&self, compact: &Compact) -> Effort {
        let [root_steps, steps] = self.steps.search;
        let node = (compact.operations() * steps / LANES).max(1) as f64;
        let turn = match () {
            // Whoever asks for them wants to see what they gain, and not what little branching can do without.
            () if self.is_semidefinite(compact) && self.relaxation == Relaxation::Semidefinite => 0.0,
            () if self.is_semidefinite(compact) => BEFORE_SEMIDEFINITE,
            () if !self.attacked => BEFORE_ATTACK,
            () if self.refined => GROWTH,
            () => 1.0,
        };
        let planned = if self.is_last(compact) { usize::MAX } else { (FIRST * turn / node) as usize + LANES };
        // Where only so many subproblems are allowed some are left for what comes next.
        let most = if self.is_semidefinite(compact) { self.most / 2 } else { self.most };
        let is_fixed = !self.attacked || self.refinements.is_empty() || most <= planned;
        Effort {
            root_steps,
            steps,
            enough: self.enough,
            threads: self.threads,
            most: most.min(planned),
            extensions: if is_fixed { 0 } else { EXTENSIONS },
            most_open: MOST_OPEN_BYTES / (4 * compact.unstable().len() + 256),
            all: true,
        }
    }

    /// Whether semidefinite bounds come next.
    fn is_semidefinite(&self, compact: &Compact) -> bool {
        !self.tried && semidefinite::is_promising(compact, self.relaxation)
    }

    /// Whether they are to be tried now, which they are then.
    pub(crate) fn semidefinite(&mut self, compact: &Compact) -> bool {
        let comes = self.is_semidefinite(compact);
        self.tried |= comes;
        comes
    }

    /// What a bound must exceed to be taken for proved.
    pub(crate) fn enough(&self) -> f64 {
        f64::from(self.enough)
    }

    /// Operations of an attack on what a first search has left open, once: what comes next may be long.
    pub(crate) fn attack(&mut self) -> Option<f64> {
        (!std::mem::replace(&mut self.attacked, true)).then_some(ATTACK)
    }

    /// The refinement that comes next, if there is one.
    pub(crate) fn refinement(&mut self) -> Option<Refinement> {
        let nodes = self.refinements.pop()?;
        self.refined = true;
        self.tried = false;
        Some(Refinement { nodes, steps: self.steps.refinement, threads: self.threads })
    }

    /// Refines no more if the last time has not paid.
    pub(crate) fn judge(&mut self, refined: &Refined) {
        if !refined.has_paid() {
            self.refinements.clear();
        }
    }

    /// Whether nothing comes after the next search.
    pub(crate) fn is_last(&self, compact: &Compact) -> bool {
        self.attacked && self.refinements.is_empty() && !self.is_semidefinite(compact)
    }

    pub(crate) fn is_refined(&self) -> bool {
        self.refined
    }

    /// Asks for larger bounds after the checker has refused some; false if they are large already.
    pub(crate) fn demand_more(&mut self) -> bool {
        self.enough *= 10.0;
        self.tried = false;
        self.enough <= ENOUGH[1]
    }
}
