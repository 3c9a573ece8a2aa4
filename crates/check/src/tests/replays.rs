//! Counterexamples, real and almost.

use super::support::*;
use crate::*;
use std::sync::Arc;
use unmoved_ir::testing::Rng;
use unmoved_ir::{Builder, DType, IrError, Network, Op, Rational, Slack};
use unmoved_property::{Conjunction, Constraint, InputRegion, Point, Query};

/// `y = sum of w_i x_i`, unsafe where `y <= 0`, on a box from 0 to 4.
fn sum(weights: &[f32], slack: Option<Slack>, strict: bool) -> Query {
    let mut b = Builder::new();
    let x = b.input("x", &[weights.len()], DType::F32).unwrap();
    let mut op = dense(weights.len(), weights, &[0.0]);
    if let Op::Dense(dense) = &mut op {
        dense.slack = slack;
    }
    let y = b.push("y", op, &[x]).unwrap();
    let network: Arc<Network> = Arc::new(b.finish(y).unwrap());
    let n = weights.len();
    let region = InputRegion::boxed(vec![Rational::ZERO; n], vec![Rational::from(4); n]).unwrap();
    let g = Constraint { outputs: vec![(0, Rational::ONE)], inputs: vec![], constant: Rational::ZERO, strict };
    Query::new(network, region, vec![Conjunction(vec![g])]).unwrap()
}

#[test]
fn a_counterexample() {
    let found = replay(&sum(&[1.0, -1.0], None, true), &[1.0, 2.0]).unwrap();
    assert_eq!((found.disjunct, found.real_only, found.boundary), (0, false, false));
    assert_eq!((found.input, found.output), (vec![1.0, 2.0].into(), vec![-1.0]));
}

#[test]
fn a_tie_violates_at_most_but_not_less() {
    let found = replay(&sum(&[1.0, -1.0], None, false), &[1.0, 1.0]).unwrap();
    assert!(found.boundary && !found.real_only);
    assert_eq!(replay(&sum(&[1.0, -1.0], None, true), &[1.0, 1.0]), Err(ReplayError::Safe));
}

#[test]
fn inputs_outside() {
    let query = sum(&[1.0, -1.0], None, false);
    for outside in [[-1e-30, 1.0], [0.0, 4.0f32.next_up()], [f32::NAN, 0.0], [f32::INFINITY, 0.0]] {
        assert_eq!(replay(&query, &outside), Err(ReplayError::Outside));
    }
    let length = IrError::InputLength { expected: 2, found: 1 };
    assert_eq!(replay(&query, &[0.0]), Err(ReplayError::Network(length)));
}

#[test]
fn float32_and_the_reals_may_disagree() {
    // In float32 1 + 2^-25 - 1 is 0; over the reals it is positive.
    let tail = 2.0f32.powi(-25);
    let query = sum(&[1.0, tail, -1.0], None, false);
    assert_eq!(replay(&query, &[1.0, 1.0, 1.0]), Err(ReplayError::F32Only));
    // And negative: strictly unsafe over the reals only.
    let query = sum(&[1.0, -tail, -1.0], None, true);
    let found = replay(&query, &[1.0, 1.0, 1.0]).unwrap();
    assert!(found.real_only && !found.boundary);
}

#[test]
fn float32_may_overflow() {
    let query = sum(&[3e38, 3e38, -3e38], None, true);
    let found = replay(&query, &[1.0, 1.0, 4.0]).unwrap();
    assert!(found.real_only);
    assert_eq!(replay(&query, &[4.0, 4.0, 1.0]), Err(ReplayError::Safe));
}

#[test]
fn rounded_weights_need_a_margin() {
    // eta |w| |x| + beta = 1/8 (1 + 2) + 1/8 = 1/2 around y = x0 - x1.
    let slack = || Some(Slack { weight: vec![0.125], bias: vec![0.125] });
    let query = sum(&[1.0, -1.0], slack(), false);
    assert!(!replay(&query, &[1.0, 2.0]).unwrap().boundary);
    assert_eq!(replay(&query, &[1.0, 1.25]), Err(ReplayError::WithinSlack));
    assert_eq!(replay(&query, &[1.25, 1.0]), Err(ReplayError::Safe));
    // 1/8 (1 + 5/3) + 1/8 with x1 - x0 just as large: a tie of the worst weights.
    let slack = Slack { weight: vec![0.0], bias: vec![0.5] };
    assert!(replay(&sum(&[1.0, -1.0], Some(slack.clone()), false), &[1.0, 1.5]).unwrap().boundary);
    assert_eq!(replay(&sum(&[1.0, -1.0], Some(slack), true), &[1.0, 1.5]), Err(ReplayError::WithinSlack));
}

#[test]
fn all_disjuncts_are_tried() {
    let query = tiny_query("1/2");
    let mut set = query.unsafe_set().to_vec();
    set.insert(0, Conjunction(vec![Constraint { strict: true, ..set[0].0[0].clone() }, Constraint::at_most(1, 0)]));
    let query = Query::new(tiny(), query.region().clone(), set).unwrap();
    // h = (0, 1/16), a = h, y = (1/16, 1/32): safe. h = (-1/4, 0): both outputs 0, a tie.
    assert_eq!(replay(&query, &[0.25, 0.25]), Err(ReplayError::Safe));
    let tie = replay(&query, &[0.0, 0.25]).unwrap();
    assert_eq!((tie.disjunct, tie.boundary), (1, true));
    // An empty conjunction is unsafe everywhere.
    let query = Query::new(tiny(), query.region().clone(), vec![Conjunction(vec![])]).unwrap();
    assert!(!replay(&query, &[0.25, 0.25]).unwrap().boundary);
}

/// `y = x0 - x1`, unsafe where it is negative, with `x1` fixed at three tenths.
fn fixed() -> Query {
    let free = sum(&[1.0, -1.0], None, true);
    let tenths: Rational = "3/10".parse().unwrap();
    let region = InputRegion::boxed(vec![Rational::ZERO, tenths.clone()], vec![Rational::from(4), tenths]).unwrap();
    Query::new(free.network().clone(), region, free.unsafe_set().to_vec()).unwrap()
}

fn point(nearest: [f32; 2], exact: &[(usize, &str)]) -> Point {
    Point { nearest: nearest.to_vec(), exact: exact.iter().map(|(i, v)| (*i, v.parse().unwrap())).collect() }
}

#[test]
fn where_no_float32_lies_in_the_region_its_point_is_replayed() {
    let found = replay_point(&fixed(), &point([0.25, 0.3], &[(1, "3/10")])).unwrap();
    assert!(found.real_only && !found.boundary && found.disjunct == 0);
    assert_eq!(found.output, [0.25 - 0.3]);
    assert_eq!(replay_point(&fixed(), &point([0.5, 0.3], &[(1, "3/10")])), Err(ReplayError::Safe));
    assert_eq!(replay(&fixed(), &[0.25, 0.3]), Err(ReplayError::Outside));
}

#[test]
fn what_decides_is_the_point_and_not_the_float_next_to_it() {
    let at = |x0: &str| replay_point(&fixed(), &point([0.3, 0.3], &[(0, x0), (1, "3/10")])).map(|_| ());
    // Seen in float64 all of these are ties.
    assert_eq!(at("0.2999999999999999999999999"), Ok(()));
    assert_eq!(at("0.3000000000000000000000001"), Err(ReplayError::Safe));
    // Nearer to the tie than the enclosure is wide nothing is claimed.
    assert!(at("3/10").is_err());
    assert!(at(&format!("0.2{}", "9".repeat(60))).is_err());
    // Its own constraint on inputs moves as well.
    let g = |strict| Constraint {
        outputs: vec![],
        inputs: vec![(1, Rational::ONE)],
        constant: "-3/10".parse().unwrap(),
        strict,
    };
    let with = |c| Query::new(fixed().network().clone(), fixed().region().clone(), vec![Conjunction(vec![c])]).unwrap();
    let x = point([0.25, 0.3], &[(1, "3/10")]);
    assert!(replay_point(&with(g(true)), &x).is_err() && replay_point(&with(g(false)), &x).is_err());
    let below = Constraint { constant: "-0.3000000000000000000000001".parse().unwrap(), ..g(true) };
    assert!(replay_point(&with(below), &x).is_ok());
}

#[test]
fn a_tie_counts_where_inactive_relus_leave_nothing_else() {
    // h = (x0 - x1, ...) is negative, so both outputs are 0 whatever stands in the last digits of x1.
    let tenths: Rational = "3/10".parse().unwrap();
    let region = InputRegion::boxed(vec![Rational::ZERO, tenths.clone()], vec![Rational::ONE, tenths]).unwrap();
    let query = Query::new(tiny(), region, vec![Conjunction(vec![Constraint::at_most(0, 1)])]).unwrap();
    let tie = replay_point(&query, &point([0.0, 0.3], &[(1, "3/10")])).unwrap();
    assert!(tie.boundary && tie.real_only && tie.output == [0.0, 0.0]);
}

#[test]
fn points_that_name_elements_wrongly() {
    let wrong: [&[(usize, &str)]; 5] = [
        &[(1, "0.30000000000000000001")],
        &[(2, "3/10")],
        &[(1, "3/10"), (1, "3/10")],
        &[(1, "3/10"), (0, "1/3")],
        &[(0, "5"), (1, "3/10")],
    ];
    for exact in wrong {
        assert_eq!(replay_point(&fixed(), &point([0.25, 0.3], exact)), Err(ReplayError::Outside), "{exact:?}");
    }
    let outside = Err(ReplayError::Outside);
    assert_eq!(replay_point(&fixed(), &point([f32::NAN, 0.3], &[(1, "3/10")])), outside);
    assert_eq!(replay_point(&fixed(), &point([0.25, f32::INFINITY], &[(1, "3/10")])), outside);
    assert_eq!(
        replay_point(&sum(&[1.0, -1.0], None, false), &point([0.25, 0.5], &[])),
        replay(&sum(&[1.0, -1.0], None, false), &[0.25, 0.5])
    );
}

/// A fraction: coarse, so that things tie, or with a denominator that no float has.
fn fraction(rng: &mut Rng) -> Rational {
    let over = [1, 2, 4, 3, 7, 10][rng.below(6)];
    let by = 1 + rng.below(3) as i64;
    Rational::from(rng.below(4 * over + 1) as i64 - 2 * over as i64)
        .checked_div(&Rational::from(over as i64 * by))
        .unwrap()
}

/// Values of a network of Dense and Relu, by definition.
fn value_at(layers: &[(Vec<Vec<Rational>>, Vec<Rational>)], x: &[Rational]) -> Vec<Rational> {
    let mut value = x.to_vec();
    for (k, (weight, bias)) in layers.iter().enumerate() {
        if k > 0 {
            value.iter_mut().for_each(|v| *v = v.clone().max(Rational::ZERO));
        }
        let dot = |row: &Vec<Rational>| row.iter().zip(&value).fold(Rational::ZERO, |sum, (w, v)| &sum + &(w * v));
        value = weight.iter().zip(bias).map(|(row, b)| &dot(row) + b).collect();
    }
    value
}

/// Points of boxes, in and out, that are unsafe or not by a lot, by a hair or not at all: what is accepted is so in rationals, and what is refused is
/// not so, or by less than the enclosure is wide.
#[test]
fn replay_agrees_with_rationals() {
    let (mut accepted, mut outside, mut safe, mut open) = (0, 0, 0, 0);
    for seed in 0..3000 {
        let mut rng = Rng(83_000 + seed);
        let inputs = 1 + rng.below(3);
        let mut b = Builder::new();
        let mut value = b.input("x", &[inputs], DType::F32).unwrap();
        let (mut layers, mut width) = (Vec::new(), inputs);
        for layer in 0..1 + rng.below(3) {
            let rows = 1 + rng.below(3);
            let mut numbers = |n: usize| -> Vec<f32> {
                (0..n)
                    .map(|_| if rng.below(2) == 0 { rng.signed() as f32 } else { rng.below(5) as f32 - 2.0 })
                    .collect()
            };
            let (w, bias) = (numbers(rows * width), numbers(rows));
            if layer > 0 {
                value = b.push(&format!("a{layer}"), Op::Relu, &[value]).unwrap();
            }
            value = b.push(&format!("n{layer}"), dense(width, &w, &bias), &[value]).unwrap();
            let exact = |v: &[f32]| v.iter().map(|&v| exactly(f64::from(v))).collect::<Vec<_>>();
            layers.push((w.chunks(width).map(exact).collect(), exact(&bias)));
            width = rows;
        }
        let network = Arc::new(b.finish(value).unwrap());
        // The point: floats, and fractions that are none.
        let mut x: Vec<Rational> = (0..inputs).map(|_| fraction(&mut rng)).collect();
        let nearest: Vec<f32> = x.iter().map(|v| v.to_f64() as f32).collect();
        let mut exact = Vec::new();
        for i in 0..inputs {
            let hair = &fraction(&mut rng) * &exactly(2f64.powi(-60 * (1 + rng.below(2) as i32)));
            match rng.below(3) {
                0 => x[i] = exactly(f64::from(nearest[i])),
                1 => exact.push((i, x[i].clone())),
                _ => {
                    x[i] = &x[i] + &hair;
                    exact.push((i, x[i].clone()));
                }
            }
        }
        let hair = |rng: &mut Rng| match rng.below(5) {
            0 | 1 => Rational::ZERO,
            2 => exactly(rng.signed()),
            3 => exactly(rng.signed() * 2f64.powi(-60)),
            _ => exactly(rng.signed() * 2f64.powi(-140)),
        };
        let y = value_at(&layers, &x);
        let mut constraints = Vec::new();
        for _ in 0..1 + rng.below(2) {
            let mut g = constraint(&mut rng, inputs, width);
            g.constant = &hair(&mut rng).abs() * &Rational::from(if rng.below(5) == 0 { 1 } else { -1 });
            let value = terms_at(&g, &x, &y);
            g.constant = &g.constant - &value;
            constraints.push(g);
        }
        let mut end = |i: usize, sign: i64| {
            let way = hair(&mut rng).abs();
            let out = if rng.below(12) == 0 { -sign } else { sign };
            &x[i] + &(&way * &Rational::from(out))
        };
        let (lower, upper): (Vec<_>, Vec<_>) = (0..inputs).map(|i| (end(i, -1), end(i, 1))).unzip();
        let Ok(region) = InputRegion::boxed(lower.clone(), upper.clone()) else { continue };
        let is_inside = (0..inputs).all(|i| lower[i] <= x[i] && x[i] <= upper[i]);
        let holds = |g: &Constraint| {
            let value = &terms_at(g, &x, &y) + &g.constant;
            value < Rational::ZERO || !g.strict && value == Rational::ZERO
        };
        let is_unsafe = constraints.iter().all(holds);
        let by_far = constraints.iter().all(|g| (&terms_at(g, &x, &y) + &g.constant) < exactly(-1e-25));
        let ties = constraints.iter().any(|g| &terms_at(g, &x, &y) + &g.constant == Rational::ZERO);
        let query = Query::new(network, region, vec![Conjunction(constraints)]).unwrap();
        match replay_point(&query, &Point { nearest, exact: exact.clone() }) {
            Ok(found) => {
                assert!(is_inside && is_unsafe, "seed {seed}: {found:?}");
                assert!(ties || !found.boundary, "seed {seed}");
                accepted += 1;
            }
            Err(ReplayError::Outside) => {
                assert!(!is_inside, "seed {seed}");
                outside += 1;
            }
            Err(_) if !is_unsafe => safe += 1,
            Err(refused) => {
                assert!(!exact.is_empty() && !by_far, "seed {seed}: {refused:?}");
                open += 1;
            }
        }
    }
    assert!([accepted, outside, safe, open].iter().all(|&n| n > 100), "{accepted} {outside} {safe} {open}");
}

fn terms_at(g: &Constraint, x: &[Rational], y: &[Rational]) -> Rational {
    let dot = |terms: &[(usize, Rational)], v: &[Rational]| {
        terms.iter().fold(Rational::ZERO, |sum, (k, a)| &sum + &(a * &v[*k]))
    };
    &dot(&g.outputs, y) + &dot(&g.inputs, x)
}
