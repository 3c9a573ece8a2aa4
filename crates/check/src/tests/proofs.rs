//! Proofs that must be accepted.

use super::support::*;
use crate::check::Checker;
use crate::*;
use std::sync::Arc;
use unmoved_ir::testing::Rng;
use unmoved_ir::{Builder, DType, Network, NodeId, Rational};
use unmoved_property::{Conjunction, Constraint, InputRegion, Query};

const BOTH: [Arithmetic; 2] = [Arithmetic::Float, Arithmetic::Exact];

#[test]
fn a_leaf_proves_a_tiny_network() {
    let query = tiny_query("1/8");
    let certificate = Certificate::new(&query, vec![leaf(1)]);
    let [float, exact] = BOTH.map(|a| check(&query, &certificate, a).unwrap());
    assert_eq!(exact, Accepted { steps: 1, leaves: 1, margin: 0.078125 });
    assert!(float.margin <= exact.margin && float.margin > 0.078125 - 1e-12);
}

#[test]
fn nothing_unsafe_needs_one_step() {
    let query = Query::new(tiny(), tiny_region("1"), vec![]).unwrap();
    let certificate = Certificate::new(&query, vec![Step::SplitDisjuncts]);
    let accepted = check(&query, &certificate, Arithmetic::Float).unwrap();
    assert_eq!(accepted, Accepted { steps: 1, leaves: 0, margin: f64::INFINITY });
}

/// A query that seems to hold, but not by so much that one bound could tell.
fn holding(rng: &mut Rng, network: Arc<Network>, region: InputRegion) -> Query {
    let samples: Vec<_> = (0..40).filter_map(|_| sample(rng, &region)).map(|x| exact_vec(&x)).collect();
    let points: Vec<_> = samples.iter().map(|x| (x, network.forward(x).unwrap())).collect();
    let mut disjunct = || {
        let mut g = constraint(rng, network.input().shape.len(), network.output_len());
        let alone = Query::new(network.clone(), region.clone(), vec![Conjunction(vec![g.clone()])]).unwrap();
        let mut checker = Checker::<f64, 8>::new(&alone).unwrap();
        let plain = bound(&mut checker, &LinearForm::with_lambda(vec![1.0]), NodeId(0), 0, 0.0);
        let least = points.iter().map(|(x, y)| g.value(x, y).to_f64()).fold(f64::INFINITY, f64::min);
        g.constant = exactly(-(plain + 0.1 * rng.unit() * (least - plain)));
        Conjunction(vec![g])
    };
    let mut unsafe_set: Vec<Conjunction> = (0..2).map(|_| disjunct()).collect();
    // A second constraint that tells nothing new.
    let g = &unsafe_set[0].0[0];
    let weaker = Constraint { constant: &g.constant - &Rational::ONE, ..g.clone() };
    unsafe_set[0].0.push(weaker);
    Query::new(network, region, unsafe_set).unwrap()
}

#[test]
fn branch_and_bound_proves_what_holds() {
    let (mut proved, mut kinds) = (0, [0; 9]);
    for seed in 0..200 {
        let mut rng = Rng(4000 + seed);
        let network = if seed % 3 == 0 { network(&mut rng, seed % 2 == 0) } else { small(&mut rng) };
        let region = region(&mut rng, network.input().shape.len());
        let query = holding(&mut rng, network, region);
        let Some(certificate) = prove(&query, &mut rng, 600) else { continue };
        let bytes = certificate.to_bytes();
        assert_eq!(Certificate::from_bytes(&bytes).unwrap(), certificate);
        let [float, exact] = BOTH.map(|a| check(&query, &certificate, a));
        let (float, exact) = (float.expect("float"), exact.expect("exact"));
        assert!(float.margin <= exact.margin, "seed {seed}");
        assert_eq!((float.steps, float.leaves), (exact.steps, exact.leaves));
        proved += 1;
        for step in &certificate.steps {
            kinds[match step {
                Step::Linear(_) => 0,
                Step::Empty => 1,
                Step::SplitRelu { .. } => 2,
                Step::SplitInput { .. } => 3,
                Step::SplitDisjuncts => 4,
                Step::Clip { .. } => 5,
                Step::Lemma { .. } => 6,
                Step::Recompute { .. } => 7,
                Step::Quadratic(_) => 8,
            }] += 1;
        }
    }
    assert!(proved > 20 && kinds.iter().all(|&count| count > 2), "{proved} {kinds:?}");
}

#[test]
fn a_chain_of_100_000_steps_needs_no_stack() {
    let query = tiny_query("1/8");
    let mut steps = vec![Step::Recompute { nodes: vec![] }; 100_000];
    steps.push(leaf(1));
    let certificate = Certificate::new(&query, steps);
    let again = Certificate::from_bytes(&certificate.to_bytes()).unwrap();
    assert!(check(&query, &again, Arithmetic::Float).is_ok());
}

#[test]
fn constraints_hold_in_a_lemma_but_not_in_a_sibling() {
    // In the disjunct y1 >= y0 the second hidden element is bounded by help of that constraint; the lemma's bound must
    // be gone in the other disjunct.
    let query = tiny_query("1/8");
    let both = vec![query.unsafe_set()[0].clone(), Conjunction(vec![])];
    let region = query.region().clone();
    let query = Query::new(tiny(), region, both).unwrap();
    let lemma = |lambda| {
        let node = NodeId(1);
        [Step::Lemma { node, index: 0, side: Side::Lower }, Step::Linear(LinearForm::with_lambda(lambda))]
    };
    let mut steps = vec![Step::SplitDisjuncts];
    steps.extend(lemma(vec![100.0]));
    steps.push(Step::Empty);
    let certificate = Certificate::new(&query, steps.clone());
    assert_eq!(check(&query, &certificate, Arithmetic::Exact), Err(Refusal::MissingStep(4)));
    steps.push(Step::Empty);
    let certificate = Certificate::new(&query, steps);
    let refused = check(&query, &certificate, Arithmetic::Exact);
    assert_eq!(refused, Err(Refusal::Step { step: 4, wrong: WrongStep::NotEmpty }));
}

#[test]
fn a_clip_may_go_as_far_as_the_constraints_reach() {
    // Unsafe is x <= 1/2: whatever is above can go, and nothing more.
    let mut b = Builder::new();
    let x = b.input("x", &[1], DType::F32).unwrap();
    let y = b.push("y", dense(1, &[1.0], &[-0.5]), &[x]).unwrap();
    let region = InputRegion::boxed(vec![Rational::ZERO], vec![Rational::ONE]).unwrap();
    let g = |constant: &str| Constraint {
        outputs: vec![(0, Rational::ONE)],
        inputs: Vec::new(),
        constant: rational(constant),
        strict: false,
    };
    let network = Arc::new(b.finish(y).unwrap());
    let query = Query::new(network, region, vec![Conjunction(vec![g("0"), g("-1/4")])]).unwrap();
    let clip = |at| {
        let form = LinearForm::with_lambda(vec![1.0, 0.0]);
        vec![Step::Clip { form, ends: vec![End { index: 0, side: Side::Upper, at }] }, Step::Empty]
    };
    let answer = |at, arithmetic| match check(&query, &Certificate::new(&query, clip(at)), arithmetic) {
        Err(Refusal::Step { wrong: WrongStep::NotEmpty, .. }) => true,
        Err(Refusal::Step { wrong: WrongStep::ClipNotJustified { .. }, .. }) => false,
        other => panic!("{other:?}"),
    };
    for (at, exact, float) in
        [(0.75, true, true), (0.5 + 1e-9, true, true), (0.5, true, false), (0.5 - 1e-9, false, false)]
    {
        assert_eq!((answer(at, Arithmetic::Exact), answer(at, Arithmetic::Float)), (exact, float), "{at}");
    }
}
