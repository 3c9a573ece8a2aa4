//! The work in one box.

use super::clip::clip;
use super::tree::{Before, Mix, Multiplier, Node, Place, Then};
use super::weights::{self, Best};
use unmoved_bounds::boxes::{Bounded, Form, Table, Walker, Worst};
use unmoved_property::Query;

/// A clipped box with less than this share of the volume is bounded afresh before it is split.
const SHRUNK: f64 = 0.5;
const ROUNDS: usize = 8;
/// Not in the middle, which often is where ReLUs turn: what is exactly zero the checker's two arithmetics may take differently.
const CUT_AT: f64 = 0.487;
/// No side is cut that has become this share of the region's: there are not many more float32 numbers between its ends.
const FINEST: f64 = 1.0 / (1 << 26) as f64;
/// A ReLU by which more than this share is lost is split, rather than the box.
const MOST_OF_IT: f64 = 0.3;

/// A box that waits.
pub(super) struct Part {
    pub(super) place: Place,
    pub(super) table: Table,
    /// The disjunct that it is about, if it is about one.
    pub(super) disjunct: Option<usize>,
    /// The ReLUs that were split.
    pub(super) phases: Vec<Phase>,
    /// How much of the region it stands for, a share of its parent's.
    pub(super) share: f64,
    /// How near to unsafe the best point was that was tried in its parent: the largest value of a constraint there.
    pub(super) near: f64,
}

/// A ReLU in one phase.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phase {
    /// The node that it reads, and the element.
    node: usize,
    index: usize,
    active: bool,
}

impl Phase {
    /// What is at most zero in this phase: the value that the ReLU reads, or minus it.
    fn form(self) -> Form {
        Form { neurons: vec![(self.node, self.index, if self.active { -1.0 } else { 1.0 })], ..Form::default() }
    }
}

pub(super) enum Worked {
    Done(Node, Vec<Part>),
    /// The box is a point, or nearly so, or touches what is unsafe, or a counterexample was found.
    Stuck,
}

/// The unsafe set in floats.
pub(super) struct Judge {
    pub(super) disjuncts: Vec<Vec<Form>>,
    /// Bounds beyond this share of the numbers that they are made of are taken for proved.
    enough: f64,
    /// The widths of the sides that are too short to be cut.
    finest: Vec<f64>,
}

/// What is at most zero wherever a disjunct holds in a box, bounded.
pub(super) struct Known {
    pub(super) bounded: Bounded,
    pub(super) mix: Mix,
}

impl Judge {
    pub(super) fn new(query: &Query, enough: f64) -> Self {
        let terms = |terms: &[(usize, unmoved_ir::Rational)]| {
            terms.iter().map(|(k, c)| (*k as u32, c.to_f64())).collect::<Vec<_>>()
        };
        let form = |c: &unmoved_property::Constraint| Form {
            outputs: terms(&c.outputs),
            inputs: terms(&c.inputs),
            constant: c.constant.to_f64(),
            neurons: Vec::new(),
        };
        let region = query.region().enclosing_box();
        let finest = region.lower.iter().zip(&region.upper).map(|(l, u)| FINEST * (u - l)).collect();
        Self { enough, finest, disjuncts: query.unsafe_set().iter().map(|c| c.0.iter().map(form).collect()).collect() }
    }

    /// Bounds, clips, and splits what is left. `candidate` is shown points that seem unsafe, and ends the work by returning true.
    pub(super) fn work(
        &self,
        walker: &mut Walker<'_>,
        part: Part,
        candidate: &mut dyn FnMut(&[f64]) -> bool,
    ) -> Worked {
        let Part { place, mut table, disjunct, phases, share, .. } = part;
        let mut before = Vec::new();
        let mut rounds = 0;
        loop {
            rounds += 1;
            walker.refresh(&mut table);
            before.push(Before::Refresh);
            if table.is_empty(self.enough) {
                return Worked::Done(Node { before, then: Then::Empty }, Vec::new());
            }
            let all: Vec<usize> = disjunct.map_or_else(|| (0..self.disjuncts.len()).collect(), |d| vec![d]);
            let mut points = Vec::new();
            let mut known: Vec<Vec<Known>> =
                all.iter().map(|&d| self.known(walker, &table, d, &phases, &mut points)).collect();
            let mut closed: Vec<Option<Mix>> = known.iter().map(|known| positive(known, self.enough)).collect();
            if closed.iter().all(Option::is_some) {
                let then = match disjunct {
                    Some(_) => Then::Leaf(closed.swap_remove(0).unwrap_or(Mix::One(0))),
                    None => Then::Disjuncts(closed, 0),
                };
                return Worked::Done(Node { before, then }, Vec::new());
            }
            let mut near = f64::INFINITY;
            for (&d, known) in all.iter().zip(&known).zip(&closed).filter(|(_, c)| c.is_none()).map(|(k, _)| k) {
                let Some(value) = self.attack(walker, d, known, &points, &table, candidate) else {
                    return Worked::Stuck;
                };
                near = near.min(value);
            }
            if disjunct.is_none() && closed.iter().filter(|c| c.is_none()).count() == 1 {
                let d = closed.iter().position(Option::is_none);
                let part = Part { place, table, disjunct: d, phases, share, near };
                return Worked::Done(Node { before, then: Then::Disjuncts(closed, 0) }, vec![part]);
            }
            if disjunct.is_some() {
                let once = walker.layers().bends_input();
                let (left, closed) = clip(&mut known[0], &mut table, &mut before, self.enough, once);
                if let Some(mix) = closed {
                    return Worked::Done(Node { before, then: Then::Leaf(mix) }, Vec::new());
                }
                if left < SHRUNK && rounds <= ROUNDS {
                    continue;
                }
            }
            if known.iter().zip(&closed).all(|(known, closed)| closed.is_some() || is_tie(known, self.enough)) {
                return Worked::Stuck;
            }
            let open: Vec<&Bounded> =
                known.iter().zip(&closed).filter(|(_, c)| c.is_none()).filter_map(|(known, _)| guide(known)).collect();
            if let Some(worst) = worst(&open) {
                let Worst { node, index, .. } = worst;
                let then = Then::Relu { node: node as u32, index: index as u32, parts: 0 };
                let parts = [false, true].map(|active| {
                    let (mut table, mut phases) = (table.clone(), phases.clone());
                    table.fix(walker.layers(), node, index, active);
                    phases.push(Phase { node, index, active });
                    Part { place, table, disjunct, phases, share: share / 2.0, near }
                });
                return Worked::Done(Node { before, then }, parts.into());
            }
            let Some((index, at)) = cut(&open, &table, &self.finest) else { return Worked::Stuck };
            let mut above = table.clone();
            table.cut_above(index, at);
            above.cut_below(index, at);
            let then = Then::Split { index: index as u32, at, parts: 0 };
            let half = |table| Part { place, table, disjunct, phases: phases.clone(), share: share / 2.0, near };
            let parts = [table, above].map(half);
            return Worked::Done(Node { before, then }, parts.into());
        }
    }

    /// Everything that is at most zero wherever the disjunct holds: its constraints, the phases, and the best sum of them all.
    fn known(
        &self,
        walker: &mut Walker<'_>,
        table: &Table,
        disjunct: usize,
        phases: &[Phase],
        points: &mut Vec<Vec<f64>>,
    ) -> Vec<Known> {
        let constraints = &self.disjuncts[disjunct];
        let mut forms: Vec<Form> = constraints.clone();
        forms.extend(phases.iter().map(|phase| phase.form()));
        let bounded = walker.bound(table, &forms);
        let unit = |k: usize| {
            let mut weights = vec![0.0; forms.len()];
            weights[k] = 1.0;
            weights
        };
        let mix = |k, bounded: &Bounded| match k < constraints.len() {
            true if bounded.moot.is_empty() => Mix::One(k as u32),
            _ => several(&unit(k), constraints.len(), phases, bounded),
        };
        let mut known: Vec<Known> =
            bounded.into_iter().enumerate().map(|(k, bounded)| Known { mix: mix(k, &bounded), bounded }).collect();
        if known.len() > 1 && positive(&known, self.enough).is_none() {
            let (lower, upper) = table.input();
            let bounded: Vec<&Bounded> = known.iter().map(|k| &k.bounded).collect();
            if let Some(Best { weights, point }) = weights::best(&bounded, lower, upper) {
                points.push(point);
                let sum = weights::sum(forms.iter(), &weights);
                known.extend(
                    walker
                        .bound(table, &[sum])
                        .into_iter()
                        .map(|bounded| Known { mix: several(&weights, constraints.len(), phases, &bounded), bounded }),
                );
            }
        }
        known
    }

    /// Tries a few points: how near to unsafe the best of them is, and nothing if one of them is a counterexample.
    fn attack(
        &self,
        walker: &mut Walker<'_>,
        disjunct: usize,
        known: &[Known],
        points: &[Vec<f64>],
        table: &Table,
        candidate: &mut dyn FnMut(&[f64]) -> bool,
    ) -> Option<f64> {
        let (lower, upper) = table.input();
        let corner: Vec<f64> = match best(known) {
            Some(b) => (0..lower.len()).map(|i| if b.slopes[i] > 0.0 { lower[i] } else { upper[i] }).collect(),
            None => return Some(f64::INFINITY),
        };
        let centre = table.centre();
        let mut near = f64::INFINITY;
        for x in [&corner, &centre].into_iter().chain(points) {
            let y = walker.output(x);
            let value = |f: &Form| {
                let outputs: f64 = f.outputs.iter().map(|&(k, c)| c * y[k as usize]).sum();
                outputs + f.inputs.iter().map(|&(i, p)| p * x[i as usize]).sum::<f64>() + f.constant
            };
            let largest = self.disjuncts[disjunct].iter().map(value).fold(f64::NEG_INFINITY, f64::max);
            if largest <= 0.0 && candidate(x) {
                return None;
            }
            near = near.min(largest);
        }
        Some(near)
    }
}

/// A sum by weights of the constraints, then the phases. In the certificate a phase's share is part of its ReLU's multiplier: minus or plus that
/// share beside what the form reads the ReLU with, if it is active.
fn several(weights: &[f64], constraints: usize, phases: &[Phase], bounded: &Bounded) -> Mix {
    let (weights, shares) = weights.split_at(constraints);
    let used = phases.iter().zip(shares).filter(|(_, share)| **share > 0.0);
    let multiplier = |((phase, share), adjoint): ((&Phase, &f64), &f64)| Multiplier {
        node: phase.node,
        index: phase.index,
        mu: if phase.active { adjoint - share } else { *share },
    };
    let moot = bounded.moot.iter().map(|&(node, index, mu)| Multiplier { node, index, mu });
    // Of two for one ReLU the later counts, which has the phase's share in it.
    Mix::Several { weights: weights.into(), phases: moot.chain(used.zip(&bounded.adjoints).map(multiplier)).collect() }
}

/// The bound that comes nearest to proving something.
fn best(known: &[Known]) -> Option<&Bounded> {
    known.iter().map(|k| &k.bounded).max_by(|a, b| a.minimum.total_cmp(&b.minimum))
}

/// The bound that tells where to split: one that loses something, for a sum of phases alone may lose nothing and prove nothing.
fn guide(known: &[Known]) -> Option<&Bounded> {
    let loses = |k: &&Known| k.bounded.worst.lost > 0.0;
    let minimum = |k: &&Known| k.bounded.minimum;
    let losing = known.iter().filter(loses).max_by(|a, b| minimum(a).total_cmp(&minimum(b)));
    losing.map(|k| &k.bounded).or_else(|| best(known))
}

/// What never holds.
pub(super) fn positive(known: &[Known], enough: f64) -> Option<Mix> {
    let positive = |k: &&Known| k.bounded.minimum > enough * k.bounded.size;
    known.iter().find(positive).map(|k| k.mix.clone())
}

/// Whether all bounds are exact and none is negative, but for rounding: then no part is any better than the whole.
fn is_tie(known: &[Known], enough: f64) -> bool {
    let exact = |b: &Bounded| b.blame.iter().sum::<f64>() <= enough * b.size;
    known.iter().all(|k| exact(&k.bounded)) && best(known).is_some_and(|b| b.minimum >= -enough * b.size)
}

/// Where to cut: the input that the relaxation loses most by.
fn cut(open: &[&Bounded], table: &Table, finest: &[f64]) -> Option<(usize, f64)> {
    let (lower, upper) = table.input();
    let mut score = vec![0.0; lower.len()];
    for best in open {
        for (i, s) in score.iter_mut().enumerate() {
            *s += best.blame[i] + 1e-3 * best.slopes[i].abs() * (upper[i] - lower[i]);
        }
    }
    let long = (0..score.len()).filter(|&i| upper[i] - lower[i] > finest[i]);
    let index = long.max_by(|&a, &b| score[a].total_cmp(&score[b]))?;
    let (l, u) = (lower[index], upper[index]);
    let at = l + CUT_AT * (u - l);
    (at > l && at < u).then_some((index, at))
}

/// The ReLU to split, where one has a large share in what is lost.
fn worst(open: &[&Bounded]) -> Option<Worst> {
    let [best] = open else { return None };
    let lost: f64 = best.blame.iter().sum();
    (best.worst.lost > MOST_OF_IT * lost && lost > 0.0).then_some(best.worst)
}
