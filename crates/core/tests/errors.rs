//! What cannot be encoded is refused by name.

mod common;

use common::Case;
use std::sync::Arc;
use unmoved_bounds::{Propagation, Tier};
use unmoved_core::{EncodeError, Objective, encode};
use unmoved_ir::{NodeId, lower_max_pool};
use unmoved_property::{Conjunction, InputRegion, Norm, Query};

fn case(name: &str) -> Case {
    Case::read(format!("tests/cases/{name}.unm").as_ref())
}

fn message(case: &Case) -> String {
    case.try_milp().unwrap_err().to_string()
}

#[test]
fn l2_needs_another_engine() {
    let network = case("dense_relu").query.network().clone();
    let ball = InputRegion::ball(vec![0.5, 0.25], Norm::L2, "1/4".parse().unwrap(), None).unwrap();
    let l2 = Case::new(Query::robustness(network, ball, 0).unwrap(), Objective::Worst);
    insta::assert_snapshot!(message(&l2), @"an l2 ball is not linear: a MILP takes l-inf, l1 and boxes only; branch and bound decides l2 queries");
    let mut closest = case("closest_linf");
    closest.objective = Objective::Closest(Norm::L2);
    insta::assert_snapshot!(message(&closest), @"an l2 distance is not linear: a MILP takes l-inf, l1 and boxes only; branch and bound decides l2 queries");
}

#[test]
fn a_box_has_no_centre() {
    for norm in [Norm::Linf, Norm::L1] {
        let mut case = case("box");
        case.objective = Objective::Closest(norm);
        assert_eq!(case.try_milp().unwrap_err(), EncodeError::NoCentre);
    }
}

#[test]
fn disjuncts_must_exist() {
    let mut case = case("feasibility");
    case.disjuncts = Some(vec![0, 2]);
    insta::assert_snapshot!(message(&case), @"disjunct 2 does not exist: the query has 2");
    case.disjuncts = Some(Vec::new());
    assert_eq!(case.try_milp().unwrap_err(), EncodeError::NothingUnsafe);
    let (network, region) = (case.query.network().clone(), case.query.region().clone());
    let query = Query::new(network, region, vec![Conjunction(Vec::new())]).unwrap();
    // Everything is unsafe: any point is one, but there is no margin.
    assert!(Case::new(query.clone(), Objective::Feasibility).try_milp().is_ok());
    assert_eq!(Case::new(query, Objective::Worst).try_milp().unwrap_err(), EncodeError::NoConstraint(0));
}

#[test]
fn bounds_must_be_those_of_the_network() {
    let (a, b) = (case("dense_relu"), case("residual_add"));
    let p = Propagation::new(&a.lowered, a.query.region(), Tier::Interval);
    let error = encode(&b.query, &p, Objective::Worst, None).unwrap_err();
    insta::assert_snapshot!(error, @"the bounds are those of another network: 4 nodes, not 6");
    let c = case("stable_inactive");
    let error = encode(&c.query, &p, Objective::Worst, None).unwrap_err();
    insta::assert_snapshot!(error, @r#"the bounds are those of another network: node "h1" has 2 elements"#);
}

#[test]
fn overflow_and_contradiction_are_named() {
    let huge = "net 1
input x f64 [1]
tensor w f64 [2 1] = 1e300 -1e300
tensor v f64 [2 2] = 1e300 1 1 1
tensor b f64 [2] = -1 -1
layer g = dense x w .
layer a = relu g
layer h = dense a v b
layer y = relu h
output y
end";
    let network = Arc::new(unmoved_text::parse(huge).unwrap());
    let region = InputRegion::ball(vec![0.0], Norm::Linf, "1".parse().unwrap(), None).unwrap();
    let case = Case::new(Query::robustness(network, region, 0).unwrap(), Objective::Worst);
    let error = message(&case);
    assert!(error.contains("has no finite bounds"), "{error}");

    let case = self::case("dense_relu");
    let lowered = lower_max_pool(case.query.network()).unwrap();
    let mut p = Propagation::new(&lowered, case.query.region(), Tier::Interval);
    p.intersect(NodeId(1), 0, 0.5, 0.25);
    let error = encode(&case.query, &p, Objective::Worst, None).unwrap_err();
    assert_eq!(error, EncodeError::Empty("h1.0".into()));
}
