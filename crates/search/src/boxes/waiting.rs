//! Boxes that wait, and which of them is next.

use super::part::Part;
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};

/// Of so many turns one is the box's in which a point came nearest to unsafe, and one the nearest's of a few drawn at random, as long as no
/// more than so many wait.
const TURNS: usize = 4;
const DRAWN: usize = 32;
const MOST_WAITING: usize = 1 << 16;
/// Names in the order of nearness are cleared of boxes given out when they are more than twice as many as wait, and so many.
const SPARE: usize = 1 << 10;

/// Mostly the last is worked on first, so that few wait. In between comes one that may be on the way to a counterexample; the
/// nearest of all may be so in the wrong corner, hence the draw.
pub(super) struct Waiting {
    parts: HashMap<usize, Part>,
    /// Each order also names boxes that another has given out.
    last: Vec<usize>,
    random: fastrand::Rng,
    nearest: BinaryHeap<Reverse<(Near, usize)>>,
    pushed: usize,
    turns: usize,
}

impl Waiting {
    pub(super) fn new() -> Self {
        Self {
            parts: HashMap::new(),
            last: Vec::new(),
            nearest: BinaryHeap::new(),
            random: fastrand::Rng::with_seed(0),
            pushed: 0,
            turns: 0,
        }
    }

    pub(super) fn push(&mut self, part: Part) {
        let id = self.pushed;
        self.pushed += 1;
        self.last.push(id);
        self.nearest.push(Reverse((Near(part.near), id)));
        self.parts.insert(id, part);
        // Boxes far from unsafe never come to the top: a long proof would leave millions of names, and `some` goes through them.
        if self.nearest.len() > 2 * self.parts.len() + SPARE {
            self.nearest.retain(|Reverse((_, id))| self.parts.contains_key(id));
        }
    }

    pub(super) fn next(&mut self) -> Option<Part> {
        self.turns += 1;
        let few = self.len() <= MOST_WAITING;
        loop {
            let id = match self.turns % TURNS {
                1 if few => self.nearest.pop().map(|Reverse((_, id))| id),
                3 if few => self.nearest_drawn(),
                _ => self.last.pop(),
            }?;
            if let Some(part) = self.parts.remove(&id) {
                return Some(part);
            }
        }
    }

    /// The nearest of a few anywhere.
    fn nearest_drawn(&mut self) -> Option<usize> {
        let some = (0..DRAWN).filter_map(|_| self.last.get(self.random.usize(..self.last.len().max(1))).copied());
        let live = some.filter_map(|id| Some((id, self.parts.get(&id)?.near)));
        live.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(id, _)| id).or_else(|| self.last.pop())
    }

    /// Some of those that look most like a counterexample, and as many from everywhere.
    pub(super) fn some(&self, count: usize) -> impl Iterator<Item = &Part> {
        let near = self.nearest.iter().filter_map(|Reverse((_, id))| self.parts.get(id)).take(count / 2);
        let step = (2 * self.last.len()).div_ceil(count).max(1);
        near.chain(self.last.iter().step_by(step).filter_map(|id| self.parts.get(id))).take(count)
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

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;
    use std::collections::HashSet;
    use unmoved_bounds::boxes::{Layers, Table};
    use unmoved_ir::testing::{Recipe, Rng, random_network};

    /// Long depth first searches: each box is given out once, and what is kept of them stays in proportion to those that wait.
    #[test]
    fn every_box_comes_once_and_leaves_nothing_behind() {
        let network = random_network(&mut Rng(4), &Recipe::default());
        let inputs = network.input().shape.len();
        let layers = Layers::new(&unmoved_ir::lower_max_pool(&network).unwrap()).unwrap();
        let table = Table::new(&layers, &vec![0.0; inputs], &vec![1.0; inputs]);
        let place = Tree::default().open();
        let mut random = fastrand::Rng::with_seed(1);
        let mut waiting = Waiting::new();
        // Each is known by its share.
        let (mut pushed, mut given) = (0usize, HashSet::new());
        let mut push = |waiting: &mut Waiting, near| {
            let share = pushed as f64;
            pushed += 1;
            waiting.push(Part { place, table: table.clone(), disjunct: None, phases: Vec::new(), share, near });
            pushed
        };
        let (mut total, mut most) = (push(&mut waiting, 1.0), 1);
        while let Some(part) = waiting.next() {
            assert!(given.insert(part.share as usize));
            if total < 40_000 && (waiting.len() < 20 || random.bool()) {
                for _ in 0..2 {
                    total = push(&mut waiting, 100.0 * random.f64());
                }
            }
            most = most.max(waiting.len());
            assert!(waiting.nearest.len() <= 2 * most + SPARE, "{} of {most}", waiting.nearest.len());
            assert!(waiting.some(16).count() <= 16);
        }
        assert_eq!((given.len(), waiting.len()), (total, 0));
        assert!(waiting.next().is_none() && waiting.some(16).next().is_none());
    }
}
