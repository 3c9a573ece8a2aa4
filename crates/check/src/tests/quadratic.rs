//! Quadratic leaves: what they prove, that they are never above the truth, and what is refused.

mod cells;
mod refusals;
mod soundness;

use super::support::*;
use crate::check::Checker;
use crate::real::Real;
use crate::*;
use std::sync::Arc;
use unmoved_ir::testing::Rng;
use unmoved_ir::{Builder, DType, Exact, Network, NodeId, Op, Rational};
use unmoved_property::{Conjunction, Constraint, InputRegion, Norm, Query};

/// Two inputs, two hidden Relus, of `x0 + x1` and `x0 - x1` (node 2 reads node 1), and their sum.
fn corner() -> Arc<Network> {
    let mut b = Builder::new();
    let x = b.input("x", &[2], DType::F32).unwrap();
    let h = b.push("h", dense(2, &[1.0, 1.0, 1.0, -1.0], &[0.0, 0.0]), &[x]).unwrap();
    let a = b.push("a", Op::Relu, &[h]).unwrap();
    let y = b.push("y", dense(2, &[1.0, 1.0], &[0.0]), &[a]).unwrap();
    Arc::new(b.finish(y).unwrap())
}

/// Inputs in `[-1, 1]`: the sum is at most 2, by the best linear bound at most 3, by the best quadratic one at most 1 + sqrt 2. Each of these
/// levels is unsafe.
fn corner_query(levels: &[&str]) -> Query {
    let above = |level: &&str| {
        let terms = vec![(0, -&Rational::ONE)];
        Conjunction(vec![Constraint { outputs: terms, inputs: vec![], constant: rational(level), strict: false }])
    };
    let region = InputRegion::ball(vec![0.0, 0.0], Norm::Linf, Rational::ONE, None).unwrap();
    Query::new(corner(), region, levels.iter().map(above).collect()).unwrap()
}

/// The multipliers of the corner, but for some more diagonal than need be.
fn corner_leaf() -> QuadraticForm {
    let element = |index| LiftedElement { index, nu: -1.0, d: 0.71, kappa: 0.0 };
    QuadraticForm {
        form: LinearForm::with_lambda(vec![1.0]),
        lifted: vec![Lifted { relu: NodeId(2), elements: vec![element(0), element(1)] }],
        constant: 0.66,
        inputs: vec![0.86, 0.36],
        ball: 0.0,
    }
}

fn step(form: &QuadraticForm) -> Step {
    Step::Quadratic(Box::new(form.clone()))
}

/// The bound in both arithmetics.
fn both(query: &Query, form: &QuadraticForm) -> [Result<f64, WrongStep>; 2] {
    [Checker::<f64, 8>::new(query).unwrap().quadratic(form), Checker::<Exact, 1>::new(query).unwrap().quadratic(form)]
}

const BOTH: [Arithmetic; 2] = [Arithmetic::Float, Arithmetic::Exact];

#[test]
fn two_relus_that_cannot_both_be_at_their_relaxed_corner() {
    let query = corner_query(&["5/2"]);
    // No linear leaf proves it: the triangles of both Relus touch this level.
    for slope in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let raw = vec![(0, -slope), (1, -slope)];
        let form =
            LinearForm { lambda: vec![1.0], multipliers: vec![Multipliers { relu: NodeId(2), slopes: vec![], raw }] };
        assert!(check(&query, &Certificate::new(&query, vec![Step::Linear(form)]), Arithmetic::Exact).is_err());
    }
    let certificate = Certificate::new(&query, vec![step(&corner_leaf())]);
    let [float, exact] = BOTH.map(|arithmetic| check(&query, &certificate, arithmetic).unwrap());
    assert!(0.039 < float.margin && float.margin <= exact.margin && exact.margin < 0.086, "{float:?} {exact:?}");
    assert!(exact.margin - float.margin < 1e-13, "{float:?} {exact:?}");
    assert_eq!((float.steps, float.leaves), (1, 1));
    let bytes = certificate.to_bytes();
    assert_eq!(Certificate::from_bytes(&bytes), Ok(certificate));
    assert_eq!(check_bytes(&query, &bytes, Arithmetic::Float), Ok(Ok(float)));
}

/// Many of them, on several threads, under disjuncts, splits and lemmas, and through the examiner.
#[test]
fn quadratic_leaves_anywhere_in_a_proof() {
    let query = corner_query(&["5/2", "13/5", "3", "27/10", "14/5"]);
    let split = Step::SplitRelu { node: NodeId(1), index: 0 };
    let one = LiftedElement { index: 1, nu: 0.0, d: 0.01, kappa: 0.1 };
    let below = QuadraticForm {
        lifted: vec![Lifted { relu: NodeId(2), elements: vec![one] }],
        constant: 0.3,
        inputs: vec![0.5; 2],
        ..corner_leaf()
    };
    let mut steps = vec![Step::SplitDisjuncts];
    for disjunct in 0..5 {
        match disjunct {
            // What a split decides need not be lifted, but may be.
            1 => steps.extend([split.clone(), step(&below), step(&corner_leaf())]),
            // The bound of an element by a leaf that holds anyway.
            2 => steps.extend([
                Step::Lemma { node: NodeId(1), index: 0, side: Side::Upper },
                step(&QuadraticForm {
                    form: LinearForm::default(),
                    lifted: vec![],
                    constant: 1e-3,
                    inputs: vec![1e3; 2],
                    ball: 0.0,
                }),
                step(&corner_leaf()),
            ]),
            _ => steps.push(step(&corner_leaf())),
        }
    }
    let certificate = Certificate::new(&query, steps.clone());
    let [float, exact] = BOTH.map(|arithmetic| check(&query, &certificate, arithmetic).unwrap());
    assert!(float.margin <= exact.margin && float.leaves == exact.leaves && float.leaves == 7);
    for threads in [1, 3] {
        let accepted = Checker::<f64, 8>::new(&query).unwrap().with_threads(threads).run(0, &steps);
        assert_eq!(accepted, Ok(float));
        let mut examiner = Examiner::new(&query).unwrap().with_threads(threads);
        assert_eq!(examiner.finish(steps.clone()), Ok(certificate.clone()));
    }
    // A lemma that such a leaf proves may come first.
    let mut examiner = Examiner::new(&query).unwrap();
    examiner.extend(steps[5..7].to_vec()).unwrap();
    let whole = examiner.finish(steps.clone()).unwrap();
    assert!(BOTH.into_iter().all(|arithmetic| check(&query, &whole, arithmetic).is_ok()));
    // The first that is wrong is named, whichever thread comes to it first.
    let mut wrong = steps;
    for at in [3, 7] {
        wrong[at] = step(&QuadraticForm { constant: 0.0, ..corner_leaf() });
    }
    let expected = Err(Refusal::Step { step: 3, wrong: WrongStep::NotDefinite });
    assert_eq!(check(&query, &Certificate::new(&query, wrong), Arithmetic::Float), expected);
}

/// For `|x| <= 1` the sum is at most 2, and with the ball as one more constraint the bound is no more than that.
#[test]
fn the_ball_is_a_constraint() {
    let of = |norm| {
        let region = InputRegion::ball(vec![0.0, 0.0], norm, Rational::ONE, None).unwrap();
        Query::new(corner(), region, corner_query(&["21/10"]).unsafe_set().to_vec()).unwrap()
    };
    let mut form = QuadraticForm { constant: 1.0, inputs: vec![0.0; 2], ball: 1.01, ..corner_leaf() };
    form.lifted[0].elements.iter_mut().for_each(|element| element.d = 1.0);
    for bound in both(&of(Norm::L2), &form) {
        let bound = bound.unwrap();
        assert!(0.089 < bound && bound < 0.1, "{bound}");
    }
    for norm in [Norm::L1, Norm::Linf] {
        assert_eq!(both(&of(norm), &form), [Err(WrongStep::NoBall), Err(WrongStep::NoBall)]);
    }
}

/// All undecided elements, and some others.
fn lifted<R: Real, const B: usize>(rng: &mut Rng, checker: &Checker<'_, R, B>, size: f64) -> Vec<Lifted> {
    let mut all = Vec::new();
    for (relu, layer) in checker.prover.layers.nodes.iter().enumerate().filter(|(_, layer)| layer.is_relu()) {
        let bounds = checker.prover.table.rows[layer.inputs[0]].as_ref().unwrap();
        let chosen = (0..bounds.lower.len()).filter(|&k| bounds.undecided(k) || rng.below(4) == 0);
        let chosen: Vec<usize> = chosen.collect();
        let mut number = || if rng.below(4) == 0 { 0.0 } else { (size * rng.signed()) as f32 };
        let element = |k: usize| {
            let (nu, d) = (number(), number());
            LiftedElement { index: k as u32, nu, d, kappa: d.abs() + number().abs() }
        };
        all.push(Lifted { relu: NodeId(relu), elements: chosen.into_iter().map(element).collect() });
    }
    all
}

/// A random leaf at the table as it stands.
pub(super) fn random<R: Real, const B: usize>(rng: &mut Rng, checker: &Checker<'_, R, B>, size: f64) -> QuadraticForm {
    let lifted = lifted(rng, checker, size);
    let input = checker.prover.table.input();
    let count = (0..input.lower.len()).filter(|&i| input.lower[i] < input.upper[i]).count();
    let mut number = || (size * rng.unit()) as f32 + 1e-3;
    let ball = if checker.prover.region.l2_ball().is_some() { number() } else { 0.0 };
    let inputs = (0..count).map(|_| number()).collect();
    QuadraticForm { constant: number(), inputs, ball, lifted, form: form(rng, checker) }
}

/// The whole diagonal, but for what the ball adds to it.
fn diagonal(form: &mut QuadraticForm) -> impl Iterator<Item = &mut f32> {
    let lifted = form.lifted.iter_mut().flat_map(|l| &mut l.elements).map(|e| &mut e.kappa);
    lifted.chain(&mut form.inputs).chain([&mut form.constant])
}

/// The least multiple of the diagonal, by powers of four, with which a leaf is convex; it has that afterwards.
pub(super) fn make_convex<R: Real, const B: usize>(checker: &mut Checker<'_, R, B>, form: &mut QuadraticForm) -> bool {
    diagonal(form).for_each(|kappa| *kappa /= 64.0);
    for _ in 0..20 {
        match checker.quadratic(form) {
            Err(WrongStep::NotDefinite) => diagonal(form).for_each(|kappa| *kappa *= 4.0),
            other => return other.is_ok(),
        }
    }
    false
}
