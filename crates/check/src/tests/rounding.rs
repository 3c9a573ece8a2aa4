//! Bounds in floats against the same bounds in exact numbers, where rounding is at its worst: numbers of very different
//! sizes that cancel, products that underflow.

use super::quadratic;
use super::support::*;
use crate::check::Checker;
use crate::*;
use std::sync::Arc;
use unmoved_ir::testing::Rng;
use unmoved_ir::{Builder, Conv2d, DType, Dense, Exact, Gather, Network, NodeId, Op, Rational, Slack, Tensor};
use unmoved_property::{Conjunction, Constraint, InputRegion, Norm, Query};

/// The sizes of the numbers of one test: `2^middle`, give or take `spread` powers of two.
#[derive(Clone, Copy)]
struct Sizes {
    middle: i32,
    spread: usize,
}

impl Sizes {
    fn number(self, rng: &mut Rng) -> f64 {
        let exponent = self.middle - self.spread as i32 + rng.below(2 * self.spread + 1) as i32;
        // In two steps: 2^-1074 is a float, but powi takes the inverse of an infinity.
        rng.signed() * 2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2)
    }
}

/// Shared values, copies, a sum of a value with itself, and a slack: everything that an adjoint passes through.
fn network(rng: &mut Rng, sizes: Sizes, slack: bool) -> Arc<Network> {
    let layer = |rng: &mut Rng, inputs: usize, outputs: usize| {
        let mut list = |n: usize| -> Vec<f64> { (0..n).map(|_| sizes.number(rng)).collect() };
        let weight = Tensor::f64(&[outputs, inputs], list(inputs * outputs)).unwrap();
        let mut dense = Dense::new(weight, Tensor::f64(&[outputs], list(outputs)).unwrap()).unwrap();
        if slack && rng.below(3) == 0 {
            let mut errors = || (0..outputs).map(|_| 1e-9 * rng.unit()).collect();
            dense.slack = Some(Slack { weight: errors(), bias: errors() });
        }
        Op::Dense(dense)
    };
    let mut b = Builder::new();
    let x = b.input("x", &[5], DType::F64).unwrap();
    let h = b.push("h", layer(rng, 5, 6), &[x]).unwrap();
    let a = b.push("a", Op::Relu, &[h]).unwrap();
    let index = (0..8).map(|_| (rng.below(4) > 0).then(|| rng.below(6) as u32)).collect();
    let g = b.push("g", Op::Gather(Gather::new(index, &[8]).unwrap()), &[a]).unwrap();
    let twice = b.push("twice", Op::Add, &[g, g]).unwrap();
    let k = b.push("k", layer(rng, 8, 6), &[twice]).unwrap();
    let sum = b.push("sum", Op::Add, &[k, h]).unwrap();
    let c = b.push("c", Op::Relu, &[sum]).unwrap();
    let y = b.push("y", layer(rng, 6, 3), &[c]).unwrap();
    Arc::new(b.finish(y).unwrap())
}

fn region(rng: &mut Rng, sizes: Sizes) -> InputRegion {
    let centre: Vec<f64> = (0..5).map(|_| sizes.number(rng)).collect();
    let eps = exactly(sizes.number(rng).abs());
    let third = &eps * &rational("1/3");
    let norm = match rng.below(3) {
        0 => Norm::L1,
        1 => Norm::L2,
        _ => {
            let ends = |add: &Rational| centre.iter().map(|&c| &exactly(c) + add).collect();
            return InputRegion::boxed(ends(&-&third), ends(&eps)).unwrap();
        }
    };
    InputRegion::ball(centre, norm, third, None).unwrap()
}

fn query(rng: &mut Rng, sizes: Sizes) -> Query {
    let network = network(rng, sizes, true);
    let third = |rng: &mut Rng| &exactly(sizes.number(rng)) * &rational("1/3");
    let constraints = (0..2).map(|_| Constraint {
        outputs: (0..3).map(|k| (k, third(rng))).collect(),
        inputs: (0..5).map(|i| (i, third(rng))).collect(),
        constant: third(rng),
        strict: false,
    });
    let conjunction = Conjunction(constraints.collect());
    Query::new(network, region(rng, sizes), vec![conjunction]).unwrap()
}

/// Multipliers for every element of every Relu: then both arithmetics bound by the same ones.
fn all_multipliers<const B: usize>(rng: &mut Rng, checker: &Checker<'_, f64, B>, sizes: Sizes) -> Vec<Multipliers> {
    let relus = checker.prover.layers.nodes.iter().enumerate().filter(|(_, layer)| layer.is_relu());
    relus
        .map(|(node, layer)| {
            let raw = (0..layer.image.len() as u32).map(|k| (k, sizes.number(rng))).collect();
            Multipliers { relu: NodeId(node), slopes: Vec::new(), raw }
        })
        .collect()
}

const SIZES: [Sizes; 5] = [
    Sizes { middle: 0, spread: 1 },
    Sizes { middle: 0, spread: 30 },
    Sizes { middle: 60, spread: 60 },
    // Products of two are subnormal, those of three vanish.
    Sizes { middle: -525, spread: 12 },
    Sizes { middle: -1060, spread: 10 },
];

#[test]
fn no_bound_in_floats_exceeds_the_exact_one() {
    let (mut compared, mut close, mut positive) = (0, 0, 0);
    for seed in 0..600 {
        let mut rng = Rng(7000 + seed);
        let sizes = SIZES[seed as usize % SIZES.len()];
        let query = query(&mut rng, sizes);
        let Ok(mut float) = Checker::<f64, 8>::new(&query) else { continue };
        let Ok(mut exact) = Checker::<Exact, 1>::new(&query) else { continue };
        // What the table alone makes of it is another question; here both read the same.
        exact.prover.table.rows = float.prover.table.rows.clone();
        for _ in 0..3 {
            let lambda = (0..2).map(|_| sizes.number(&mut rng).abs()).collect();
            let form = LinearForm { lambda, multipliers: all_multipliers(&mut rng, &float, sizes) };
            let (node, k) = element(&mut rng, &float);
            let c = sizes.number(&mut rng);
            let (f, e) = (bound(&mut float, &form, node, k, c), bound(&mut exact, &form, node, k, c));
            if f.is_nan() {
                continue;
            }
            compared += 1;
            assert!(f <= e, "seed {seed}: {f:e} exceeds {e:e}");
            close += usize::from(e - f <= 1e-9 * e.abs());
            positive += usize::from(f > 0.0);
        }
    }
    assert!(compared > 1500 && close > 500 && positive > 0, "{compared} {close} {positive}");
}

#[test]
fn no_quadratic_bound_in_floats_exceeds_the_exact_one() {
    let (mut compared, mut close) = (0, 0);
    for seed in 0..600 {
        let mut rng = Rng(9000 + seed);
        let sizes = SIZES[seed as usize % SIZES.len()];
        let query = query(&mut rng, sizes);
        let Ok(mut float) = Checker::<f64, 8>::new(&query) else { continue };
        let Ok(mut exact) = Checker::<Exact, 1>::new(&query) else { continue };
        exact.prover.table.rows = float.prover.table.rows.clone();
        let size = [1e-30, 1e-3, 1.0, 1e10, 1e30][rng.below(5)];
        let mut form = quadratic::random(&mut rng, &float, size);
        form.form.multipliers = all_multipliers(&mut rng, &float, sizes);
        if !quadratic::make_convex(&mut float, &mut form) {
            continue;
        }
        let Ok(f) = float.quadratic(&form) else { continue };
        if let Ok(e) = exact.quadratic(&form)
            && f.is_finite()
        {
            compared += 1;
            assert!(f <= e, "seed {seed}: {f:e} exceeds {e:e}");
            close += usize::from(e - f <= 1e-9 * e.abs());
        }
    }
    assert!(compared > 200 && close > 150, "{compared} {close}");
}

#[test]
fn the_table_in_floats_reaches_to_the_corners_of_the_box() {
    let mut corners = 0;
    for seed in 0..400 {
        let mut rng = Rng(8000 + seed);
        let sizes = SIZES[seed as usize % SIZES.len()];
        let network = network(&mut rng, sizes, false);
        let ends: Vec<[f64; 2]> = (0..5).map(|_| [sizes.number(&mut rng), sizes.number(&mut rng)]).collect();
        let end = |pick: fn(f64, f64) -> f64| ends.iter().map(|[a, b]| exactly(pick(*a, *b))).collect();
        let region = InputRegion::boxed(end(f64::min), end(f64::max)).unwrap();
        let query = Query::new(network.clone(), region, vec![]).unwrap();
        let Ok(table) = linear_bounds(&query, Arithmetic::Float) else { continue };
        let Op::Dense(first) = &network.nodes()[1].op else { panic!("the first layer is dense") };
        for k in 0..first.outputs() {
            for side in [-1.0, 1.0] {
                // The corner where element k of the first layer is smallest, or largest.
                let corner = |(i, [a, b]): (usize, &[f64; 2])| {
                    let up = side * first.weight.get(k * first.inputs() + i) > 0.0;
                    Exact::from_f64(if up { a.max(*b) } else { a.min(*b) })
                };
                let x: Vec<Exact> = ends.iter().enumerate().map(corner).collect();
                let trace = network.trace(&x).unwrap();
                assert!(contains(&table, &trace), "seed {seed}");
                corners += 1;
            }
        }
    }
    assert!(corners > 3000, "{corners}");
}

#[test]
fn the_minimum_over_a_ball_is_not_above_the_exact_one() {
    // Without a range the minimum of w . x around 0 is -eps |w|*; squared, that is a fraction.
    let mut below = 0;
    for seed in 0..400 {
        let mut rng = Rng(8500 + seed);
        let weights: Vec<f64> = (0..4).map(|_| rng.signed()).collect();
        let eps = &exactly(rng.unit()) * &rational(["1", "1/3"][rng.below(2)]);
        let norm = [Norm::L1, Norm::L2][rng.below(2)];
        let square = |v: &Rational| v * v;
        let squares = weights.iter().map(|&w| square(&exactly(w)));
        let dual = match norm {
            Norm::L1 => squares.max().unwrap(),
            _ => squares.fold(Rational::ZERO, |sum, s| &sum + &s),
        };
        let mut b = Builder::new();
        let x = b.input("x", &[4], DType::F64).unwrap();
        let weight = Tensor::f64(&[1, 4], weights).unwrap();
        let y = b.push("y", Op::Dense(Dense::new(weight, Tensor::zeros(&[1]).unwrap()).unwrap()), &[x]).unwrap();
        let region = InputRegion::ball(vec![0.0; 4], norm, eps.clone(), None).unwrap();
        let query = Query::new(Arc::new(b.finish(y).unwrap()), region, vec![]).unwrap();
        let form = LinearForm::default();
        let float = bound(&mut Checker::<f64, 8>::new(&query).unwrap(), &form, NodeId(1), 0, 1.0);
        let exact = bound(&mut Checker::<Exact, 1>::new(&query).unwrap(), &form, NodeId(1), 0, 1.0);
        let least = &square(&eps) * &dual;
        for found in [float, exact] {
            assert!(found < 0.0 && square(&exactly(found)) >= least, "seed {seed}");
        }
        below += usize::from(square(&exactly(exact * (1.0 - 1e-14))) < least);
    }
    assert!(below > 300, "{below}");
}

/// A constraint's coefficients on the outputs of a network over `[4 1 1]` whose adjoints all but cancel: what is left at
/// the input is mostly the rounding of what came before.
fn cancelling(rng: &mut Rng, kind: usize, slack: bool) -> (Arc<Network>, Vec<f64>) {
    let mut b = Builder::new();
    let mut x = b.input("x", &[4, 1, 1], DType::F64).unwrap();
    if slack {
        let one = || Tensor::f64(&[4], vec![1.0; 4]).unwrap();
        let mut same = Conv2d::per_channel(one(), Tensor::zeros(&[4]).unwrap()).unwrap();
        same.slack = Some(Slack { weight: vec![0.0; 4], bias: vec![1.0; 4] });
        x = b.push("same", Op::Conv2d(same), &[x]).unwrap();
    }
    let rows = if kind == 2 { 3 } else { 6 };
    let mut c: Vec<f64> = (0..rows).map(|_| 1.0 + rng.unit()).collect();
    let mut w: Vec<f64> = (0..4 * rows).map(|_| rng.signed()).collect();
    for j in 0..4 {
        let sum: f64 = (0..rows - 1).map(|k| c[k] * w[4 * k + j]).sum();
        w[4 * (rows - 1) + j] = -sum / c[rows - 1];
    }
    let zeros = |n: usize| Tensor::zeros(&[n]).unwrap();
    let y = match kind {
        0 => {
            let flat = b.reshape("flat", x, &[4]).unwrap();
            let op = Op::Dense(Dense::new(Tensor::f64(&[rows, 4], w).unwrap(), zeros(rows)).unwrap());
            b.push("y", op, &[flat]).unwrap()
        }
        1 => {
            let conv = Conv2d::new(Tensor::f64(&[rows, 4, 1, 1], w).unwrap(), zeros(rows)).unwrap();
            let conv = b.push("conv", Op::Conv2d(conv), &[x]).unwrap();
            b.reshape("y", conv, &[rows]).unwrap()
        }
        2 => {
            // One layer for each row; the rows are added up, and the input is read by all of them.
            let flat = b.reshape("flat", x, &[4]).unwrap();
            let mut layer = |k: usize| {
                let row = w[4 * k..4 * (k + 1)].iter().map(|w| c[k] * w).collect();
                let dense = Dense::new(Tensor::f64(&[1, 4], row).unwrap(), zeros(1)).unwrap();
                b.push(&format!("row{k}"), Op::Dense(dense), &[flat]).unwrap()
            };
            let [first, second, third] = [layer(0), layer(1), layer(2)];
            let sum = b.push("sum", Op::Add, &[first, second]).unwrap();
            c = vec![1.0 + rng.unit()];
            b.push("y", Op::Add, &[sum, third]).unwrap()
        }
        _ => {
            // Six copies of each element, with the products as coefficients.
            let index = (0..24).map(|k| Some(k % 4)).collect();
            c = (0..24).map(|k| c[k / 4] * w[k]).collect();
            b.push("y", Op::Gather(Gather::new(index, &[24]).unwrap()), &[x]).unwrap()
        }
    };
    (Arc::new(b.finish(y).unwrap()), c)
}

#[test]
fn what_cancels_keeps_its_error() {
    let mut off = [0; 4];
    for seed in 0..800 {
        let mut rng = Rng(8900 + seed);
        let kind = seed as usize % 4;
        let slack = rng.below(2) == 0;
        let (network, c) = cancelling(&mut rng, kind, slack);
        // Where the input is 0, all that is left is the slack.
        let region = match rng.below(3) {
            0 => InputRegion::boxed(vec![Rational::ZERO; 4], vec![Rational::ZERO; 4]),
            1 => InputRegion::ball(vec![1000.0; 4], Norm::L2, Rational::ONE, None),
            _ => InputRegion::boxed(vec![Rational::from(1000); 4], vec![Rational::from(1001); 4]),
        };
        let outputs = c.iter().enumerate().map(|(k, &c)| (k, exactly(c))).collect();
        let g = Constraint { outputs, inputs: Vec::new(), constant: Rational::ZERO, strict: false };
        let query = Query::new(network, region.unwrap(), vec![Conjunction(vec![g])]).unwrap();
        let form = LinearForm::with_lambda(vec![1.0]);
        let float = bound(&mut Checker::<f64, 8>::new(&query).unwrap(), &form, NodeId(0), 0, 0.0);
        let exact = bound(&mut Checker::<Exact, 1>::new(&query).unwrap(), &form, NodeId(0), 0, 0.0);
        assert!(float <= exact && exact - float < 1e-9, "seed {seed}: {float:e} {exact:e}");
        off[kind] += usize::from(exact != 0.0);
    }
    assert!(off.iter().all(|&n| n > 100), "{off:?}");
}

#[test]
fn long_sums_drift_no_farther_than_their_error() {
    // 500 times -0.1 and then 250 times 0.2 is zero; in floats the first sum drifts off, and the second does not go back.
    let drift = (0..500).fold(0.0, |s, _| s - 0.1) + 50.0;
    assert!(f64::abs(drift) > 1e-13);
    for sign in [-1.0, 1.0] {
        let list: Vec<f64> = (0..750).map(|k| sign * if k < 500 { -0.1 } else { 0.2 }).collect();
        let zeros = || Tensor::zeros(&[750]).unwrap();
        let dense = Dense::new(Tensor::f64(&[750, 1], list.clone()).unwrap(), zeros()).unwrap();
        let conv = Conv2d::new(Tensor::f64(&[750, 1, 1, 1], list.clone()).unwrap(), zeros()).unwrap();
        let gather = Gather::new(vec![Some(0); 750], &[750]).unwrap();
        let ones = vec![1.0; 750];
        for (op, dims, c) in [
            (Op::Dense(dense), &[1][..], &ones),
            (Op::Conv2d(conv), &[1, 1, 1], &ones),
            (Op::Gather(gather), &[1], &list),
        ] {
            let mut b = Builder::new();
            let x = b.input("x", dims, DType::F64).unwrap();
            let y = b.push("y", op, &[x]).unwrap();
            let region = InputRegion::boxed(vec![Rational::ONE], vec![Rational::ONE]).unwrap();
            let outputs = c.iter().enumerate().map(|(k, &c)| (k, exactly(c))).collect();
            let g = Constraint { outputs, inputs: Vec::new(), constant: Rational::ZERO, strict: false };
            let query = Query::new(Arc::new(b.finish(y).unwrap()), region, vec![Conjunction(vec![g])]).unwrap();
            let form = LinearForm::with_lambda(vec![1.0]);
            let float = bound(&mut Checker::<f64, 8>::new(&query).unwrap(), &form, NodeId(0), 0, 0.0);
            assert!(float <= 0.0, "{:?}: {float:e}", query.network().nodes()[1].op.name());
        }
    }
}
