//! Boxes that wait, and which of them is next.

use super::part::Part;
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap, VecDeque};

/// Of so many turns one is the box's that looks most like a counterexample, and one the largest's, as long as no more than so many wait.
const TURNS: usize = 4;
const MOST_WAITING: usize = 1 << 16;

/// Mostly the last is worked on first, so that few wait; in between the one in which a point came nearest to unsafe, which may be on
/// the way to a counterexample, and the one that has waited longest, for the others may be in the wrong corner.
#[derive(Default)]
pub(super) struct Waiting {
    parts: HashMap<usize, Part>,
    /// Each order also names boxes that another has given out.
    last: Vec<usize>,
    first: VecDeque<usize>,
    nearest: BinaryHeap<Reverse<(Near, usize)>>,
    pushed: usize,
    turns: usize,
}

impl Waiting {
    pub(super) fn push(&mut self, part: Part) {
        let id = self.pushed;
        self.pushed += 1;
        self.last.push(id);
        self.first.push_back(id);
        self.nearest.push(Reverse((Near(part.near), id)));
        self.parts.insert(id, part);
    }

    pub(super) fn next(&mut self) -> Option<Part> {
        self.turns += 1;
        let few = self.len() <= MOST_WAITING;
        loop {
            let id = match self.turns % TURNS {
                1 if few => self.nearest.pop().map(|Reverse((_, id))| id),
                3 if few => self.first.pop_front(),
                _ => self.last.pop(),
            }?;
            if let Some(part) = self.parts.remove(&id) {
                return Some(part);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }
}

/// A number in its total order.
#[derive(PartialEq)]
struct Near(f64);

impl Eq for Near {}

impl PartialOrd for Near {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Near {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}
