//! The proof while it grows.

use super::part::Part;
use std::collections::BTreeMap;
use unmoved_check::{End, LinearForm, Multipliers, Step};
use unmoved_ir::NodeId;
use unmoved_property::Conjunction;

/// A place in the tree.
pub(super) type Place = u32;

/// A sum of what is at most zero wherever the disjunct holds in the box.
#[derive(Debug, Clone)]
pub(super) enum Mix {
    /// One constraint.
    One(u32),
    /// Weighted constraints and phases.
    Several { weights: Box<[f64]>, phases: Box<[Multiplier]> },
}

/// The multiplier of a ReLU, given outright: one whose phase is fixed, or one that reads nothing but zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Multiplier {
    /// The node that the ReLU reads, and the element.
    pub(super) node: usize,
    pub(super) index: usize,
    pub(super) mu: f64,
}

/// What was done in one box.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) before: Vec<Before>,
    pub(super) then: Then,
}

/// What narrows a box without splitting it.
#[derive(Debug)]
pub(super) enum Before {
    Refresh,
    Clip { mix: Mix, ends: Vec<End> },
}

#[derive(Debug)]
pub(super) enum Then {
    /// No point obeys the splits.
    Empty,
    /// One constraint of the only disjunct never holds.
    Leaf(Mix),
    /// The same of every disjunct, but for those that are split further.
    Disjuncts(Vec<Option<Mix>>, Place),
    Split {
        index: u32,
        at: f64,
        parts: Place,
    },
    Relu {
        node: u32,
        index: u32,
        parts: Place,
    },
}

/// Grows at its open places.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Option<Node>>,
}

impl Tree {
    pub(super) fn open(&mut self) -> Place {
        self.nodes.push(None);
        (self.nodes.len() - 1) as Place
    }

    /// Puts a node at an open place; the parts that it leaves become open places.
    pub(super) fn grow(&mut self, place: Place, mut node: Node, parts: Vec<Part>, mut open: impl FnMut(Part)) {
        let first = self.nodes.len() as Place;
        match &mut node.then {
            Then::Empty | Then::Leaf(_) => {}
            Then::Disjuncts(_, at) | Then::Split { parts: at, .. } | Then::Relu { parts: at, .. } => *at = first,
        }
        self.nodes[place as usize] = Some(node);
        // The first part is taken from the stack first.
        self.nodes.resize_with(self.nodes.len() + parts.len(), || None);
        let numbered = parts.into_iter().enumerate().rev();
        numbered.for_each(|(k, part)| open(Part { place: first + k as Place, ..part }));
    }

    /// The steps in preorder; `None` if something is still open. `relus` gives the ReLU that reads a node.
    pub(super) fn steps(
        &self,
        root: Place,
        tabled: &[NodeId],
        relus: &BTreeMap<usize, NodeId>,
        unsafe_set: &[Conjunction],
    ) -> Option<Vec<Step>> {
        let mut steps = Vec::new();
        let form = |disjunct: usize, mix: &Mix| match mix {
            Mix::One(constraint) => {
                let mut lambda = vec![0.0; unsafe_set[disjunct].0.len()];
                lambda[*constraint as usize] = 1.0;
                LinearForm::with_lambda(lambda)
            }
            Mix::Several { weights, phases } => {
                LinearForm { lambda: weights.to_vec(), multipliers: multipliers(phases, relus) }
            }
        };
        let only = (unsafe_set.len() == 1).then_some(0);
        enum Next<'t> {
            At(Place, Option<usize>),
            Leaf(usize, &'t Mix),
        }
        let mut waiting = vec![Next::At(root, only)];
        while let Some(next) = waiting.pop() {
            let (place, disjunct) = match next {
                Next::Leaf(disjunct, mix) => {
                    steps.push(Step::Linear(form(disjunct, mix)));
                    continue;
                }
                Next::At(place, disjunct) => (place, disjunct),
            };
            let node = self.nodes[place as usize].as_ref()?;
            for before in &node.before {
                steps.push(match before {
                    Before::Refresh => Step::Recompute { nodes: tabled.to_vec() },
                    Before::Clip { mix, ends } => Step::Clip { form: form(disjunct?, mix), ends: ends.clone() },
                });
            }
            match &node.then {
                Then::Empty => steps.push(Step::Empty),
                Then::Leaf(mix) => steps.push(Step::Linear(form(disjunct?, mix))),
                Then::Split { index, at, parts } => {
                    steps.push(Step::SplitInput { index: *index, at: *at });
                    waiting.push(Next::At(parts + 1, disjunct));
                    waiting.push(Next::At(*parts, disjunct));
                }
                Then::Relu { node, index, parts } => {
                    steps.push(Step::SplitRelu { node: NodeId(*node as usize), index: *index });
                    waiting.push(Next::At(parts + 1, disjunct));
                    waiting.push(Next::At(*parts, disjunct));
                }
                Then::Disjuncts(leaves, first) => {
                    steps.push(Step::SplitDisjuncts);
                    let mut place = *first;
                    let mut nexts = Vec::new();
                    for (d, mix) in leaves.iter().enumerate() {
                        nexts.push(match mix {
                            Some(mix) => Next::Leaf(d, mix),
                            None => {
                                place += 1;
                                Next::At(place - 1, Some(d))
                            }
                        });
                    }
                    waiting.extend(nexts.into_iter().rev());
                }
            }
        }
        Some(steps)
    }
}

/// By ascending ReLU; `relus` gives the one that reads a node.
fn multipliers(phases: &[Multiplier], relus: &BTreeMap<usize, NodeId>) -> Vec<Multipliers> {
    let mut of_relu: BTreeMap<usize, BTreeMap<u32, f64>> = BTreeMap::new();
    for phase in phases {
        if let Some(relu) = relus.get(&phase.node) {
            of_relu.entry(relu.0).or_default().insert(phase.index as u32, phase.mu);
        }
    }
    let with = |(relu, raw): (usize, BTreeMap<u32, f64>)| Multipliers {
        relu: NodeId(relu),
        slopes: Vec::new(),
        raw: raw.into_iter().collect(),
    };
    of_relu.into_iter().map(with).collect()
}
