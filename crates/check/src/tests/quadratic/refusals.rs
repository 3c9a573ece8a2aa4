//! Wrong leaves, each refused with its own error in both arithmetics.

use super::*;

/// What is wrong with the leaf of the corner when something is changed in it.
fn wrong(change: impl FnOnce(&mut QuadraticForm)) -> WrongStep {
    let mut form = corner_leaf();
    change(&mut form);
    let [float, exact] = both(&corner_query(&["5/2"]), &form).map(Result::unwrap_err);
    assert_eq!(float.to_string(), exact.to_string());
    exact
}

#[test]
fn multipliers_of_the_wrong_sign() {
    assert_eq!(wrong(|f| f.constant = -0.5), WrongStep::Diagonal { value: -0.5 });
    assert_eq!(wrong(|f| f.inputs[1] = -1e-45), WrongStep::Diagonal { value: -1e-45 });
    assert_eq!(wrong(|f| f.lifted[0].elements[1].kappa = -1.0), WrongStep::Diagonal { value: -1.0 });
    assert_eq!(wrong(|f| f.ball = -1.0), WrongStep::Diagonal { value: -1.0 });
}

#[test]
fn numbers_that_are_not_finite() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let is = |found: WrongStep, expected: WrongStep| assert_eq!(format!("{found:?}"), format!("{expected:?}"));
        is(wrong(|f| f.constant = value), WrongStep::Diagonal { value });
        is(wrong(|f| f.inputs[0] = value), WrongStep::Diagonal { value });
        is(wrong(|f| f.ball = value), WrongStep::Diagonal { value });
        is(wrong(|f| f.lifted[0].elements[0].kappa = value), WrongStep::Diagonal { value });
        let (node, index) = (NodeId(2), 1);
        is(wrong(|f| f.lifted[0].elements[1].nu = value), WrongStep::LiftedMultiplier { node, index, value });
        is(wrong(|f| f.lifted[0].elements[1].d = value), WrongStep::LiftedMultiplier { node, index, value });
    }
    assert!(matches!(wrong(|f| f.form.lambda[0] = -1.0), WrongStep::Lambda { .. }));
}

#[test]
fn lists_that_do_not_fit() {
    assert_eq!(wrong(|f| f.inputs.truncate(1)), WrongStep::DiagonalCount { expected: 2, found: 1 });
    assert_eq!(wrong(|f| f.inputs.push(1.0)), WrongStep::DiagonalCount { expected: 2, found: 3 });
    assert_eq!(wrong(|f| f.lifted[0].elements[1].index = 2), WrongStep::LiftedIndex { node: NodeId(2), index: 2 });
    assert_eq!(wrong(|f| f.lifted[0].elements[1].index = 0), WrongStep::LiftedIndex { node: NodeId(2), index: 0 });
    assert_eq!(wrong(|f| f.lifted[0].relu = NodeId(1)), WrongStep::NotRelu { node: NodeId(1) });
    assert_eq!(wrong(|f| f.lifted[0].relu = NodeId(usize::MAX)), WrongStep::NotRelu { node: NodeId(usize::MAX) });
    assert_eq!(wrong(|f| f.lifted.push(f.lifted[0].clone())), WrongStep::NotRelu { node: NodeId(2) });
    assert!(matches!(wrong(|f| f.form.multipliers = vec![raw(7)]), WrongStep::NotRelu { .. }));
    let many = vec![corner_leaf().lifted[0].elements[0]; 4097];
    assert_eq!(wrong(|f| f.lifted[0].elements = many), WrongStep::TooLarge { lifted: 4097, variables: 4099 });
}

fn raw(relu: usize) -> Multipliers {
    Multipliers { relu: NodeId(relu), slopes: vec![], raw: vec![(0, 1.0)] }
}

#[test]
fn a_ball_that_the_region_is_not() {
    assert_eq!(wrong(|f| f.ball = 0.5), WrongStep::NoBall);
}

#[test]
fn matrices_that_are_not_definite() {
    assert_eq!(wrong(|f| f.constant = 0.6), WrongStep::NotDefinite);
    assert_eq!(wrong(|f| f.inputs[0] = 0.0), WrongStep::NotDefinite);
    assert_eq!(wrong(|f| f.lifted[0].elements[0].d = -0.71), WrongStep::NotDefinite);
    // The same without a lifted element: a slope, and no diagonal under it.
    assert_eq!(wrong(|f| (f.lifted, f.constant) = (vec![], 0.0)), WrongStep::NotDefinite);
}

/// As long as the factorisation goes to its end, the bound stays below what the form can be, however close the matrix is to one that is
/// not definite.
#[test]
fn matrices_at_the_edge() {
    let query = corner_query(&["5/2"]);
    for which in 0..5 {
        let bound = |bits: u32| {
            let mut form = corner_leaf();
            let at = f32::from_bits(bits);
            *diagonal(&mut form).nth(which).unwrap() = at;
            both(&query, &form)
        };
        // By bisection over the floats: the first that is accepted, if any is refused.
        let [mut refused, mut accepted] = [0, 4f32.to_bits()];
        while accepted - refused > 1 {
            let middle = refused.midpoint(accepted);
            if bound(middle)[0].is_ok() { accepted = middle } else { refused = middle }
        }
        for bits in (accepted..accepted + 40).chain(refused.saturating_sub(40)..refused) {
            let [float, exact] = bound(bits);
            if let (Ok(float), Ok(exact)) = (float, exact) {
                assert!(float <= exact && exact < 2.5 - 2.0 - 0.41, "{float} {exact}");
            }
        }
    }
}

#[test]
fn bytes_damaged_one_by_one() {
    let query = corner_query(&["5/2"]);
    let bytes = Certificate::new(&query, vec![step(&corner_leaf())]).to_bytes();
    let tight = corner_query(&["2"]);
    let mut refused = 0;
    for at in 75..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            let Ok(damaged) = Certificate::from_bytes(&damaged) else {
                refused += 1;
                continue;
            };
            assert_eq!(Certificate::from_bytes(&damaged.to_bytes()).map(|c| c.to_bytes()), Ok(damaged.to_bytes()));
            // What is left is another proof or none; never one that the sum stays below what it reaches.
            let damaged = Certificate { query: tight.digest(), ..damaged };
            for arithmetic in BOTH {
                assert!(check(&tight, &damaged, arithmetic).is_err(), "{at} {bit}");
            }
            let damaged = Certificate { query: query.digest(), ..damaged };
            refused += usize::from(check(&query, &damaged, Arithmetic::Float).is_err());
        }
    }
    assert!(refused > 150, "{refused}");
}
