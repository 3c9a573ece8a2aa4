//! Hand-made wrong steps, each refused with its own error.

use super::support::*;
use crate::check::MAX_DEPTH;
use crate::*;
use unmoved_ir::{Builder, DType, Digest, NodeId, Rational};
use unmoved_property::{Conjunction, Constraint, InputRegion, Query};

/// The refusal of these steps as a proof about the tiny network at radius 1/8; the same in both arithmetics.
fn refused(steps: Vec<Step>) -> Refusal {
    refused_for(&tiny_query("1/8"), steps)
}

fn refused_for(query: &Query, steps: Vec<Step>) -> Refusal {
    let certificate = Certificate::new(query, steps);
    let float = check(query, &certificate, Arithmetic::Float).unwrap_err();
    let exact = check(query, &certificate, Arithmetic::Exact).unwrap_err();
    assert_eq!(float.to_string().split(':').next(), exact.to_string().split(':').next());
    exact
}

fn wrong(steps: Vec<Step>) -> (usize, WrongStep) {
    match refused(steps) {
        Refusal::Step { step, wrong } => (step, wrong),
        other => panic!("{other:?}"),
    }
}

fn node(n: usize) -> NodeId {
    NodeId(n)
}

fn with_multipliers(multipliers: Vec<Multipliers>) -> Vec<Step> {
    vec![Step::Linear(LinearForm { lambda: vec![1.0], multipliers })]
}

fn raw(relu: usize, raw: Vec<(u32, f64)>) -> Multipliers {
    Multipliers { relu: node(relu), slopes: Vec::new(), raw }
}

#[test]
fn another_network() {
    let query = tiny_query("1/8");
    let mut certificate = Certificate::new(&query, vec![leaf(1)]);
    certificate.network = Digest([7; 32]);
    let refusal = check(&query, &certificate, Arithmetic::Float).unwrap_err();
    let network = query.network().digest();
    assert_eq!(refusal, Refusal::WrongNetwork { network, certificate: Digest([7; 32]) });
}

#[test]
fn another_query() {
    let certificate = Certificate::new(&tiny_query("1/16"), vec![leaf(1)]);
    let query = tiny_query("1/8");
    let refusal = check(&query, &certificate, Arithmetic::Float).unwrap_err();
    assert_eq!(refusal, Refusal::WrongQuery { query: query.digest(), certificate: certificate.query });
}

#[test]
fn a_network_that_overflows() {
    let mut b = Builder::new();
    let mut x = b.input("x", &[1], DType::F64).unwrap();
    for k in 0..12 {
        x = b.push(&format!("h{k}"), dense(1, &[1e30], &[0.0]), &[x]).unwrap();
    }
    let network = std::sync::Arc::new(b.finish(x).unwrap());
    let region = InputRegion::boxed(vec![Rational::ZERO], vec![Rational::ONE]).unwrap();
    let query = Query::new(network, region, vec![]).unwrap();
    assert_eq!(refused_for(&query, vec![]), Refusal::Overflow { node: node(10) });
}

#[test]
fn a_missing_child() {
    assert_eq!(refused(vec![]), Refusal::MissingStep(0));
    assert_eq!(refused(vec![Step::SplitRelu { node: node(1), index: 0 }, leaf(1)]), Refusal::MissingStep(2));
    let lemma = Step::Lemma { node: node(1), index: 0, side: Side::Lower };
    assert_eq!(refused(vec![lemma, leaf(1)]), Refusal::MissingStep(2));
    assert_eq!(refused(vec![Step::SplitDisjuncts]), Refusal::MissingStep(1));
}

#[test]
fn steps_after_the_end() {
    assert_eq!(refused(vec![leaf(1), leaf(1)]), Refusal::ExtraStep(1));
}

#[test]
fn a_bound_that_is_not_positive() {
    let query = tiny_query("1/2");
    let Refusal::Step { step: 0, wrong: WrongStep::NotPositive { bound } } = refused_for(&query, vec![leaf(1)]) else {
        panic!()
    };
    assert!(bound < 0.0);
    // Zero is not positive.
    let zero = Step::Linear(LinearForm::default());
    assert_eq!(wrong(vec![zero]), (0, WrongStep::NotPositive { bound: 0.0 }));
}

#[test]
fn a_tie_is_not_excluded() {
    // One input, x <= 0 is unsafe, the region begins at 0.
    let mut b = Builder::new();
    let x = b.input("x", &[1], DType::F32).unwrap();
    let y = b.push("y", dense(1, &[1.0], &[0.0]), &[x]).unwrap();
    let network = std::sync::Arc::new(b.finish(y).unwrap());
    let region = InputRegion::boxed(vec![Rational::ZERO], vec![Rational::ONE]).unwrap();
    let g =
        |strict| Constraint { outputs: vec![(0, Rational::ONE)], inputs: Vec::new(), constant: Rational::ZERO, strict };
    for strict in [false, true] {
        let query = Query::new(network.clone(), region.clone(), vec![Conjunction(vec![g(strict)])]).unwrap();
        let refusal = refused_for(&query, vec![leaf(1)]);
        assert_eq!(refusal, Refusal::Step { step: 0, wrong: WrongStep::NotPositive { bound: 0.0 } });
    }
}

#[test]
fn a_bound_that_overflows() {
    let huge = with_multipliers(vec![raw(2, vec![(0, 1e308)])]);
    let query = tiny_query("1/8");
    let refusal = check(&query, &Certificate::new(&query, huge), Arithmetic::Float).unwrap_err();
    assert_eq!(refusal, Refusal::Step { step: 0, wrong: WrongStep::Overflow });
    // Where nothing is left, a lemma gives the largest float, from which no intervals can be computed.
    let steps = vec![
        Step::SplitRelu { node: node(1), index: 1 },
        Step::Lemma { node: node(0), index: 0, side: Side::Lower },
        Step::Empty,
        Step::Recompute { nodes: vec![node(1)] },
    ];
    assert_eq!(wrong(steps), (3, WrongStep::Overflow));
}

#[test]
fn a_table_that_is_not_empty() {
    assert_eq!(wrong(vec![Step::Empty]), (0, WrongStep::NotEmpty));
}

#[test]
fn wrong_weights() {
    for value in [-1.0, -f64::MIN_POSITIVE, f64::NEG_INFINITY, f64::INFINITY] {
        let step = Step::Linear(LinearForm::with_lambda(vec![value]));
        assert_eq!(wrong(vec![step]), (0, WrongStep::Lambda { constraint: 0, value }));
    }
    let (0, WrongStep::Lambda { value, .. }) = wrong(vec![Step::Linear(LinearForm::with_lambda(vec![f64::NAN]))])
    else {
        panic!()
    };
    assert!(value.is_nan());
}

#[test]
fn a_wrong_number_of_weights() {
    assert_eq!(wrong(vec![leaf(2)]), (0, WrongStep::LambdaCount { expected: 1, found: 2 }));
}

#[test]
fn weights_before_the_disjuncts_are_split() {
    let mut set = tiny_query("1/8").unsafe_set().to_vec();
    set.push(set[0].clone());
    let query = Query::new(tiny(), tiny_region("1/8"), set).unwrap();
    let refusal = refused_for(&query, vec![leaf(1)]);
    assert_eq!(refusal, Refusal::Step { step: 0, wrong: WrongStep::NoDisjunct });
    assert!(
        check(&query, &Certificate::new(&query, vec![Step::SplitDisjuncts, leaf(1), leaf(1)]), Arithmetic::Float)
            .is_ok()
    );
}

#[test]
fn weights_after_a_lemma_that_split_the_disjuncts() {
    // Below the lemma all disjuncts are possible again; with the last one only, everything would follow.
    let mut set = tiny_query("1/2").unsafe_set().to_vec();
    let never = Constraint { constant: Rational::from(9), ..set[0].0[0].clone() };
    set.push(Conjunction(vec![never]));
    let query = Query::new(tiny(), tiny_region("1/2"), set).unwrap();
    let zero = Step::Linear(LinearForm::default());
    let lemma = Step::Lemma { node: node(1), index: 0, side: Side::Lower };
    let steps = vec![lemma, Step::SplitDisjuncts, zero.clone(), zero, leaf(1)];
    assert_eq!(refused_for(&query, steps), Refusal::Step { step: 4, wrong: WrongStep::NoDisjunct });
}

#[test]
fn weights_that_overflow() {
    let step = Step::Linear(LinearForm::with_lambda(vec![1e301]));
    assert_eq!(wrong(vec![step]), (0, WrongStep::Coefficients));
}

#[test]
fn multipliers_of_what_is_no_relu() {
    for relu in [0, 1, 3, 4, usize::MAX] {
        let steps = with_multipliers(vec![raw(relu, vec![])]);
        assert_eq!(wrong(steps), (0, WrongStep::NotRelu { node: node(relu) }));
    }
    let twice = with_multipliers(vec![raw(2, vec![]), raw(2, vec![])]);
    assert_eq!(wrong(twice), (0, WrongStep::NotRelu { node: node(2) }));
}

#[test]
fn multipliers_of_elements_out_of_order() {
    for (list, index) in [(vec![(2, 0.0)], 2), (vec![(1, 0.0), (0, 0.0)], 0), (vec![(1, 0.0), (1, 0.0)], 1)] {
        let steps = with_multipliers(vec![raw(2, list.clone())]);
        assert_eq!(wrong(steps), (0, WrongStep::MultiplierIndex { node: node(2), index }));
        let slopes = list.into_iter().map(|(k, _)| (k, 9)).collect();
        let steps = with_multipliers(vec![Multipliers { relu: node(2), slopes, raw: Vec::new() }]);
        assert_eq!(wrong(steps), (0, WrongStep::MultiplierIndex { node: node(2), index }));
    }
}

#[test]
fn multipliers_that_are_not_finite() {
    let value = f64::INFINITY;
    let steps = with_multipliers(vec![raw(2, vec![(1, value)])]);
    assert_eq!(wrong(steps), (0, WrongStep::Multiplier { node: node(2), index: 1, value }));
    assert!(matches!(wrong(with_multipliers(vec![raw(2, vec![(1, f64::NAN)])])), (0, WrongStep::Multiplier { .. })));
}

#[test]
fn nodes_without_bounds() {
    for n in [2, 3, 4, usize::MAX] {
        let not = (0, WrongStep::NotTabled { node: node(n) });
        assert_eq!(wrong(vec![Step::SplitRelu { node: node(n), index: 0 }]), not);
        assert_eq!(wrong(vec![Step::Lemma { node: node(n), index: 0, side: Side::Upper }]), not);
        assert_eq!(wrong(vec![Step::Recompute { nodes: vec![node(n)] }]), not);
    }
    assert!(matches!(wrong(vec![Step::Recompute { nodes: vec![node(1), node(0)] }]), (0, WrongStep::NotTabled { .. })));
}

#[test]
fn elements_that_do_not_exist() {
    for index in [2, u32::MAX] {
        let none = |n| (0, WrongStep::NoElement { node: node(n), index });
        assert_eq!(wrong(vec![Step::SplitRelu { node: node(1), index }]), none(1));
        assert_eq!(wrong(vec![Step::Lemma { node: node(1), index, side: Side::Upper }]), none(1));
        assert_eq!(wrong(vec![Step::SplitInput { index, at: 0.5 }]), none(0));
        let ends = vec![End { index, side: Side::Upper, at: 0.5 }];
        assert_eq!(wrong(vec![Step::Clip { form: LinearForm::default(), ends }]), none(0));
    }
}

#[test]
fn a_cut_outside_the_box() {
    for at in [0.3, 0.7, f64::INFINITY] {
        let cut = WrongStep::CutOutside { index: 0, at, lower: 0.375, upper: 0.625 };
        assert_eq!(wrong(vec![Step::SplitInput { index: 0, at }]), (0, cut));
    }
    assert!(matches!(wrong(vec![Step::SplitInput { index: 0, at: f64::NAN }]), (0, WrongStep::CutOutside { .. })));
    // In the upper part 0.4 is outside.
    let cut = |at| Step::SplitInput { index: 0, at };
    assert!(matches!(wrong(vec![cut(0.5), leaf(1), cut(0.4)]), (2, WrongStep::CutOutside { .. })));
}

#[test]
fn a_second_split_of_the_disjuncts() {
    assert_eq!(wrong(vec![Step::SplitDisjuncts, Step::SplitDisjuncts]), (1, WrongStep::AlreadySplit));
}

#[test]
fn a_clip_that_cuts_off_unsafe_inputs() {
    let clip = |at, side, lambda: &[f64]| {
        let ends = vec![End { index: 0, side, at }];
        vec![Step::Clip { form: LinearForm::with_lambda(lambda.to_vec()), ends }]
    };
    // At radius 1/2 the tiny network is unsafe somewhere in the middle of the box.
    let query = tiny_query("1/2");
    for (at, side) in [(0.1, Side::Upper), (0.9, Side::Lower), (f64::NAN, Side::Lower), (f64::INFINITY, Side::Upper)] {
        let refusal = refused_for(&query, clip(at, side, &[1.0]));
        let Refusal::Step { step: 0, wrong: WrongStep::ClipNotJustified { index: 0, side: s, .. } } = refusal else {
            panic!("{refusal:?}")
        };
        assert_eq!(s, side);
    }
    // Without constraints nothing at all is excluded.
    let refusal = refused_for(&query, clip(0.99, Side::Upper, &[]));
    assert!(matches!(refusal, Refusal::Step { step: 0, wrong: WrongStep::ClipNotJustified { .. } }));
}

#[test]
fn too_deep_a_tree() {
    let query = tiny_query("1/2");
    let split = Step::SplitRelu { node: node(1), index: 0 };
    let refusal = refused_for(&query, vec![split; MAX_DEPTH + 2]);
    assert_eq!(refusal, Refusal::Step { step: MAX_DEPTH, wrong: WrongStep::TooDeep(MAX_DEPTH) });
}

#[test]
fn a_lemma_that_proves_too_little() {
    // A lemma is never wrong: its bound is what its proof gives. One that gives nothing changes nothing.
    let lemma = Step::Lemma { node: node(1), index: 0, side: Side::Lower };
    let weak = Step::Linear(LinearForm { lambda: vec![], multipliers: vec![] });
    assert_eq!(wrong(vec![lemma, weak, Step::Empty]), (2, WrongStep::NotEmpty));
}
