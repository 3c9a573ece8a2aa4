//! What is bounded here the checker bounds alike.

use super::part::Judge;
use super::*;
use std::sync::Arc;
use unmoved_ir::testing::{Recipe, Rng, random_network};
use unmoved_ir::{Network, Rational};
use unmoved_property::{Conjunction, Constraint, InputRegion};

/// A random box.
fn region(rng: &mut Rng, inputs: usize) -> InputRegion {
    let mut number = || Rational::from_f64(f64::from((2.0 * rng.unit() - 1.0) as f32)).unwrap();
    let (mut lower, mut upper) = (Vec::new(), Vec::new());
    for _ in 0..inputs {
        let (a, b) = (number(), number());
        lower.push(if a < b { a.clone() } else { b.clone() });
        upper.push(if a < b { b } else { a });
    }
    InputRegion::boxed(lower, upper).unwrap()
}

fn query(network: &Arc<Network>, region: InputRegion) -> Query {
    let zero =
        || Constraint { outputs: vec![(0, Rational::ONE)], inputs: vec![], constant: Rational::ZERO, strict: false };
    Query::new(network.clone(), region, vec![Conjunction(vec![zero()])]).unwrap()
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
}

fn compare(query: &Query) {
    let mut examiner = Examiner::new(query).unwrap();
    let input = examiner.bounds()[0].clone().unwrap();
    let Some(layers) = Layers::new(examiner.lowered()) else { return };
    let mut table = Table::new(&layers, &input.lower, &input.upper);
    let mut walker = Walker::new(&layers);
    walker.refresh(&mut table);
    let nodes = examiner.tabled();
    examiner.extend(vec![Step::Recompute { nodes }]).unwrap();
    for (node, bounds) in examiner.bounds().iter().enumerate() {
        let Some(bounds) = bounds else { continue };
        let own = table.bounds(&layers, node).unwrap();
        for k in 0..bounds.lower.len() {
            assert!(near(bounds.lower[k], own.0[k]), "node {node}, {k}: {} and {}", bounds.lower[k], own.0[k]);
            assert!(near(bounds.upper[k], own.1[k]), "node {node}, {k}: {} and {}", bounds.upper[k], own.1[k]);
        }
    }
    let minimum = examiner.minima(&[(0, vec![1.0])])[0];
    let own = walker.bound(&table, &Judge::new(query, 1e-9).disjuncts[0])[0].minimum;
    assert!(near(minimum, own), "{minimum} and {own}");
}

#[test]
fn bounds_are_the_checkers() {
    let mut rng = Rng(4);
    for case in 0..200 {
        let recipe = Recipe { slack: (case % 4 == 0).then_some(1e-12), ..Recipe::default() };
        let network = Arc::new(random_network(&mut rng, &recipe));
        compare(&query(&network, region(&mut rng, network.input().shape.len())));
    }
}

/// What is compared with itself is bounded alike from both sides, and only the rule of the checker says which line is taken then.
#[test]
fn ties_are_decided_as_the_checker_does() {
    let text = "net 1
input x f32 [2]
tensor v f32 [6 2] = 1 1  -1 -1  1 1  -1 -1  0.5 -0.25  1 -2
tensor w f32 [4 6] = 1 1 -1 -1 0 0  -1 -1 1 1 0 0  1 0 -1 0 1 0  -1 0 1 0 0 1
tensor o f32 [1 4] = 1 1 -1 0.5
layer d = dense x v .
layer r = relu d
layer e = dense r w .
layer s = relu e
layer y = dense s o .
output y
end
";
    let network = Arc::new(unmoved_text::parse(text).unwrap());
    let mut rng = Rng(5);
    for _ in 0..50 {
        compare(&query(&network, region(&mut rng, 2)));
    }
    let whole = |v: i64| vec![Rational::from_f64(v as f64).unwrap(); 2];
    compare(&query(&network, InputRegion::boxed(whole(-1), whole(1)).unwrap()));
}
