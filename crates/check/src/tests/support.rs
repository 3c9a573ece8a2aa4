//! Networks, queries and proofs for the tests.

use super::quadratic;
use crate::backward::Backward;
use crate::check::Checker;
use crate::lane::Lane;
use crate::queue::Queue;
use crate::real::Real;
use crate::*;
use std::sync::Arc;
use unmoved_ir::testing::{Recipe, Rng, random_network};
use unmoved_ir::{Builder, DType, Dense, Exact, Network, NodeId, Op, Rational, Tensor};
use unmoved_property::{Conjunction, Constraint, InputRegion, Norm, Query};

/// One step at a time, each with its bound.
impl<R: Real, const B: usize> Checker<'_, R, B> {
    /// Checks one step and enters its first subtree. True if it has none.
    pub(super) fn step(&mut self, step: &Step) -> Result<bool, WrongStep> {
        if let Step::Linear(form) = step {
            let job = self.leaf(0, form)?;
            let [bound] = self.prover.bounds(&[job])[..] else { panic!("one leaf, one bound") };
            self.judge(bound)?;
        } else if let Step::Quadratic(form) = step {
            let bound = self.quadratic(form)?;
            self.judge(bound)?;
        }
        self.enter(step)
    }

    /// Enters the next subtree that waits. False if there is none.
    pub(super) fn up(&mut self) -> bool {
        self.resume(&mut Queue::default()).expect("no leaf waits")
    }
}

/// `w` by rows.
pub(super) fn dense(inputs: usize, w: &[f32], bias: &[f32]) -> Op {
    let weight = Tensor::f32(&[bias.len(), inputs], w.to_vec()).unwrap();
    Op::Dense(Dense::new(weight, Tensor::f32(&[bias.len()], bias.to_vec()).unwrap()).unwrap())
}

/// Two inputs, two hidden Relus (node 2 reads node 1), two outputs.
pub(super) fn tiny() -> Arc<Network> {
    let mut b = Builder::new();
    let x = b.input("x", &[2], DType::F32).unwrap();
    let h = b.push("h", dense(2, &[1.0, -1.0, 0.5, 0.25], &[0.0, -0.125]), &[x]).unwrap();
    let a = b.push("a", Op::Relu, &[h]).unwrap();
    let y = b.push("y", dense(2, &[1.0, 1.0, -1.0, 0.5], &[0.0, 0.0]), &[a]).unwrap();
    Arc::new(b.finish(y).unwrap())
}

pub(super) fn rational(text: &str) -> Rational {
    text.parse().unwrap()
}

pub(super) fn exactly(v: f64) -> Rational {
    Rational::from_f64(v).unwrap()
}

/// An l-inf ball around (0.5, 0.25).
pub(super) fn tiny_region(eps: &str) -> InputRegion {
    InputRegion::ball(vec![0.5, 0.25], Norm::Linf, rational(eps), Some((Rational::ZERO, Rational::ONE))).unwrap()
}

/// That output 0 of the tiny network exceeds output 1.
pub(super) fn tiny_query(eps: &str) -> Query {
    Query::robustness(tiny(), tiny_region(eps), 0).unwrap()
}

/// A leaf with all weights one and default multipliers.
pub(super) fn leaf(constraints: usize) -> Step {
    Step::Linear(LinearForm::with_lambda(vec![1.0; constraints]))
}

pub(super) fn network(rng: &mut Rng, slack: bool) -> Arc<Network> {
    let recipe = Recipe { nodes: 4 + rng.below(6), slack: slack.then_some(1e-3), ..Recipe::default() };
    Arc::new(random_network(rng, &recipe))
}

/// Three inputs, two hidden layers: small enough for branch and bound to go to the end.
pub(super) fn small(rng: &mut Rng) -> Arc<Network> {
    let mut b = Builder::new();
    let mut value = b.input("x", &[3], DType::F32).unwrap();
    for (layer, [inputs, outputs]) in [[3, 5], [5, 4], [4, 2]].into_iter().enumerate() {
        let mut random = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.signed() as f32).collect() };
        let op = dense(inputs, &random(inputs * outputs), &random(outputs));
        value = b.push(&format!("h{layer}"), op, &[value]).unwrap();
        if layer < 2 {
            value = b.push(&format!("a{layer}"), Op::Relu, &[value]).unwrap();
        }
    }
    Arc::new(b.finish(value).unwrap())
}

/// A box or a ball of any norm, with or without a valid range.
pub(super) fn region(rng: &mut Rng, len: usize) -> InputRegion {
    let centre: Vec<f64> = (0..len).map(|_| f64::from(rng.unit() as f32)).collect();
    let eps = exactly(0.02 + 0.3 * rng.unit());
    let range = (rng.below(2) == 0).then_some((Rational::ZERO, Rational::ONE));
    let norm = match rng.below(4) {
        0 => {
            let lower: Vec<Rational> = centre.iter().map(|&c| exactly(c - 0.2 * rng.unit())).collect();
            let upper = lower.iter().map(|l| l + &exactly(0.4 * rng.unit())).collect();
            return InputRegion::boxed(lower, upper).unwrap();
        }
        1 => Norm::Linf,
        2 => Norm::L1,
        _ => Norm::L2,
    };
    InputRegion::ball(centre, norm, eps, range).unwrap()
}

/// A point of the region that float32 holds, and what the network makes of it.
pub(super) fn sample(rng: &mut Rng, region: &InputRegion) -> Option<Vec<f32>> {
    // Half of the elements at an end: extreme points are where bounds go wrong.
    let mut draw = || if rng.below(2) == 0 { rng.below(2) as f64 } else { rng.unit() };
    region.to_f32_inside(&region.sample(&mut draw))
}

pub(super) fn exact_vec(x: &[f32]) -> Vec<Exact> {
    x.iter().map(|&v| Exact::from_f64(f64::from(v))).collect()
}

/// A constraint with random coefficients on up to all outputs and, rarely, some inputs.
pub(super) fn constraint(rng: &mut Rng, inputs: usize, outputs: usize) -> Constraint {
    let coefficient = |rng: &mut Rng| match rng.below(4) {
        0 => Rational::ONE,
        1 => -&Rational::ONE,
        // A third is no float.
        2 => &rational("1/3") * &exactly(1.0 + rng.below(5) as f64),
        _ => exactly(rng.signed()),
    };
    let pick = |rng: &mut Rng, len: usize, rarity: usize| -> Vec<(usize, Rational)> {
        let chosen: Vec<usize> = (0..len).filter(|_| rng.below(rarity) == 0).collect();
        chosen.into_iter().map(|k| (k, coefficient(rng))).filter(|(_, c)| *c != Rational::ZERO).collect()
    };
    let mut terms = pick(rng, outputs, 2);
    if terms.is_empty() {
        terms = vec![(rng.below(outputs), Rational::ONE)];
    }
    let inputs = if rng.below(4) == 0 { pick(rng, inputs, 4) } else { Vec::new() };
    Constraint { outputs: terms, inputs, constant: Rational::ZERO, strict: rng.below(3) == 0 }
}

/// An unsafe set that holds at an input by a margin (zero: a tie, which only `<=` forgives), or, for a negative margin,
/// that misses it by that much.
pub(super) fn planted(rng: &mut Rng, network: &Network, at: &[f32], margin: f64) -> Vec<Conjunction> {
    let x = exact_vec(at);
    let y = network.forward(&x).unwrap();
    let disjuncts = 1 + rng.below(3);
    let chosen = rng.below(disjuncts);
    let conjunction = |i: usize| {
        let one = |rng: &mut Rng| {
            let mut g = constraint(rng, x.len(), y.len());
            // Other disjuncts are far from holding.
            let offset = if i == chosen { -margin } else { 10.0 };
            g.strict &= margin > 0.0;
            g.constant = &exactly(offset) - &g.value(&x, &y);
            g
        };
        Conjunction((0..1 + rng.below(2)).map(|_| one(rng)).collect())
    };
    (0..disjuncts).map(conjunction).collect()
}

/// Random multipliers: slopes, raw values, for some of the Relus.
pub(super) fn multipliers<R: Real, const B: usize>(rng: &mut Rng, checker: &Checker<'_, R, B>) -> Vec<Multipliers> {
    let mut all = Vec::new();
    for (node, layer) in checker.prover.layers.nodes.iter().enumerate().filter(|(_, l)| l.is_relu()) {
        if rng.below(3) == 0 {
            continue;
        }
        let mut m = Multipliers { relu: NodeId(node), slopes: Vec::new(), raw: Vec::new() };
        for k in 0..layer.image.len() as u32 {
            match rng.below(6) {
                0 | 1 => m.slopes.push((k, rng.bits() as u8)),
                2 => m.raw.push((k, f64::from(rng.signed() as f32))),
                3 => m.raw.push((k, 0.3 * rng.signed())),
                _ => {}
            }
        }
        all.push(m);
    }
    all
}

/// A node and an element of it that have bounds, undecided if there is one.
pub(super) fn element<R: Real, const B: usize>(rng: &mut Rng, checker: &Checker<'_, R, B>) -> (NodeId, u32) {
    let rows = checker.prover.table.rows.iter().enumerate().skip(1);
    let rows = rows.filter_map(|(n, row)| Some((n, row.as_ref()?)));
    let undecided: Vec<(usize, usize)> =
        rows.flat_map(|(n, row)| (0..row.lower.len()).filter(|&k| row.undecided(k)).map(move |k| (n, k))).collect();
    match undecided.as_slice() {
        [] => (NodeId(0), rng.below(checker.prover.table.input().lower.len()) as u32),
        some => {
            let (n, k) = some[rng.below(some.len())];
            (NodeId(n), k as u32)
        }
    }
}

/// What a random step may be.
pub(super) fn random_step<R: Real, const B: usize>(rng: &mut Rng, checker: &Checker<'_, R, B>) -> Step {
    let (node, index) = element(rng, checker);
    let input = checker.prover.table.input();
    let i = rng.below(input.lower.len());
    let at = input.lower[i] + (input.upper[i] - input.lower[i]) * rng.unit();
    let side = if rng.below(2) == 0 { Side::Lower } else { Side::Upper };
    match rng.below(5) {
        0 => Step::Lemma { node, index, side },
        1 => {
            let tabled = (0..checker.prover.layers.nodes.len()).filter(|&n| checker.prover.layers.tabled[n]);
            Step::Recompute { nodes: tabled.filter(|_| rng.below(2) == 0).map(NodeId).collect() }
        }
        2 => Step::SplitInput { index: i as u32, at: at.min(input.upper[i]).max(input.lower[i]) },
        3 => {
            // Near the end that is to move: that is where there may be nothing unsafe.
            let bound = if side == Side::Upper { input.upper[i] } else { input.lower[i] };
            let end = End { index: i as u32, side, at: 0.8 * bound + 0.2 * at };
            Step::Clip { form: form(rng, checker), ends: vec![end] }
        }
        _ => Step::SplitRelu { node, index },
    }
}

/// The bound of a form of the constraints and an element of a node, in both arithmetics.
pub(super) fn bound<R: Real, const B: usize>(
    checker: &mut Checker<'_, R, B>,
    form: &LinearForm,
    node: NodeId,
    k: u32,
    c: f64,
) -> f64 {
    let (scene, walk) = checker.prover.single();
    walk.seed(scene.layers, node.0, k as usize, 0, c, 0.0);
    checker.descend(form).unwrap();
    let (scene, walk): (_, &mut Backward<R, 1>) = checker.prover.single();
    walk.minimum(&scene, &[Lane::default()])[0]
}

/// A form of the current disjunct's constraints.
pub(super) fn form<R: Real, const B: usize>(rng: &mut Rng, checker: &Checker<'_, R, B>) -> LinearForm {
    let constraints = checker.constraints().map_or(0, <[_]>::len);
    let lambda = (0..constraints).map(|_| if rng.below(3) == 0 { 0.0 } else { rng.unit() }).collect();
    LinearForm { lambda, multipliers: if rng.below(2) == 0 { multipliers(rng, checker) } else { Vec::new() } }
}

/// A small branch and bound: a proof of at most `budget` steps, or nothing.
pub(super) fn prove(query: &Query, rng: &mut Rng, budget: usize) -> Option<Certificate> {
    let mut checker = Checker::<f64, 8>::new(query).ok()?;
    let mut steps = Vec::new();
    while steps.len() < budget {
        let mut tries = Vec::new();
        if checker.constraints().is_none() {
            tries.push(Step::SplitDisjuncts);
        }
        tries.push(Step::Empty);
        let weights = checker.constraints().map_or(0, <[_]>::len);
        let only = |j: usize| (0..weights).map(|k| f64::from(u8::from(k == j))).collect();
        tries.extend((0..weights.max(1)).map(|j| Step::Linear(LinearForm::with_lambda(only(j)))));
        tries.push(Step::Linear(form(rng, &checker)));
        // Lemmas, clips and the like now and then; a split is always possible.
        if rng.below(3) == 0 {
            tries.push(random_step(rng, &checker));
        }
        // After most splits, what they mean for the nodes above.
        if matches!(steps.last(), Some(Step::SplitRelu { .. } | Step::SplitInput { .. })) && rng.below(4) > 0 {
            let tabled = (0..checker.prover.layers.nodes.len()).filter(|&n| checker.prover.layers.tabled[n]);
            tries.push(Step::Recompute { nodes: tabled.map(NodeId).collect() });
        }
        let (node, index) = element(rng, &checker);
        let split = if node == NodeId(0) || rng.below(2) == 0 {
            let Bounds { lower, upper } = checker.prover.table.input();
            let width = |&i: &usize, &j: &usize| (upper[i] - lower[i]).total_cmp(&(upper[j] - lower[j]));
            let widest = (0..lower.len()).max_by(width).unwrap();
            Step::SplitInput { index: widest as u32, at: lower[widest] + (upper[widest] - lower[widest]) / 2.0 }
        } else {
            Step::SplitRelu { node, index }
        };
        // Lemmas are proved by one leaf or by several.
        let first = checker.goal.is_some() && rng.below(3) == 0;
        tries.insert(if first { 0 } else { tries.len() }, split);
        if rng.below(16) == 0 {
            let mut form = quadratic::random(rng, &checker, 0.5);
            if quadratic::make_convex(&mut checker, &mut form) {
                tries.insert(0, Step::Quadratic(Box::new(form)));
            }
        }
        let (step, finished) = tries.into_iter().find_map(|s| Some((s.clone(), checker.step(&s).ok()?)))?;
        steps.push(step);
        if finished && !checker.up() {
            return Some(Certificate::new(query, steps));
        }
    }
    None
}

/// Whether every value lies within the bounds of its element, where it has any.
pub(super) fn contains(rows: &[Option<Bounds>], trace: &[Vec<Exact>]) -> bool {
    rows.iter().zip(trace).filter_map(|(row, values)| Some((row.as_ref()?, values))).all(|(row, values)| {
        let inside =
            |k: usize| Exact::from_f64(row.lower[k]) <= values[k] && values[k] <= Exact::from_f64(row.upper[k]);
        (0..values.len()).all(inside)
    })
}

/// The bound table with linear bounds of all tabled nodes.
pub(crate) fn linear_bounds(query: &Query, arithmetic: Arithmetic) -> Result<Vec<Option<Bounds>>, Refusal> {
    fn rows<R: Real, const B: usize>(mut checker: Checker<'_, R, B>) -> Vec<Option<Bounds>> {
        let nodes = checker.prover.layers.tabled_nodes();
        checker.step(&Step::Recompute { nodes }).expect("all of these are tabled");
        checker.prover.table.rows
    }
    Ok(match arithmetic {
        Arithmetic::Float => rows(Checker::<f64, 8>::new(query)?),
        Arithmetic::Exact => rows(Checker::<Exact, 1>::new(query)?),
    })
}
