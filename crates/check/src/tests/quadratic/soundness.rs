//! Bounds are below what samples give, and rows near what they stand for.

use super::super::soundness::{query, traces};
use super::*;
use crate::quadratic::{Matrix, Variables};

/// Whether all steps can be entered, one after the other.
fn descend<R: Real, const B: usize>(checker: &mut Checker<'_, R, B>, steps: &[Step]) -> bool {
    steps.iter().all(|step| checker.step(step).is_ok())
}

/// The rows of a leaf hold at points of the table, whatever the weights are within their slack.
fn rows_hold<R: Real, const B: usize>(
    checker: &mut Checker<'_, R, B>,
    form: &QuadraticForm,
    traces: &[&Vec<Vec<Exact>>],
) {
    let variables = Variables::new(&checker.prover.layers, &checker.prover.table, form).unwrap();
    let rows = checker.prover.rows(&variables);
    for trace in traces {
        let way = |node: usize, index: usize, centre: f64| &trace[node][index].to_rational() - &exactly(centre);
        let inputs = variables.inputs.iter().map(|input| way(0, input.index, input.variable.centre));
        let lifted = variables.lifted.iter().map(|e| way(e.relu, e.index, e.variable.centre));
        let ways: Vec<Rational> = inputs.chain(lifted).collect();
        for (element, row) in variables.lifted.iter().zip(&rows) {
            let mut value = rational_of(&row.centre);
            for (c, way) in row.coefficients.iter().zip(&ways) {
                value = &value + &(&rational_of(c) * way);
            }
            let off = &trace[element.node][element.index].to_rational() - &value;
            let error = exactly(row.error);
            assert!(off <= error && -&off <= error, "{} {}", off.to_f64(), row.error);
        }
    }
}

/// An `f64` or an exact number as a fraction.
fn rational_of<R: Real>(v: &R) -> Rational {
    let (mut sum, mut rest) = (Rational::ZERO, v.clone());
    while !rest.is_zero() {
        let near = rest.nearest();
        sum = &sum + &exactly(near);
        rest = rest.minus(&R::from_f64(near));
    }
    sum
}

/// Looks for a better leaf in small random steps.
pub(super) fn climb<R: Real, const B: usize>(
    rng: &mut Rng,
    checker: &mut Checker<'_, R, B>,
    form: &mut QuadraticForm,
    steps: usize,
) {
    let Ok(mut best) = checker.quadratic(form) else { return };
    for step in 0..steps {
        let mut other = form.clone();
        let size = 0.5 / (1.0 + 8.0 * step as f64 / steps as f64);
        let mut factor = || (size * rng.signed()).exp2() as f32;
        let all = factor();
        diagonal(&mut other).for_each(|kappa| *kappa *= all * factor());
        let elements = other.lifted.iter_mut().flat_map(|l| &mut l.elements);
        elements.for_each(|e| (e.nu, e.d) = (e.nu * factor() + factor() - 1.0, e.d * factor() + factor() - 1.0));
        if let Ok(bound) = checker.quadratic(&other)
            && bound > best
        {
            (*form, best) = (other, bound);
        }
    }
}

#[test]
fn bounds_are_below_what_samples_give() {
    let (mut compared, mut close, mut goals, mut balls, mut refused) = (0, 0, 0, 0, 0);
    for seed in 0..400 {
        let mut rng = Rng(40_000 + seed);
        let Some((query, samples)) = query(&mut rng, seed % 3 == 0) else { continue };
        let set = vec![query.unsafe_set()[0].clone()];
        let query = Query::new(query.network().clone(), query.region().clone(), set).unwrap();
        let mut float = Checker::<f64, 8>::new(&query).unwrap();
        let mut exact = Checker::<Exact, 1>::new(&query).unwrap();
        let mut steps = vec![Step::Recompute { nodes: float.prover.layers.tabled_nodes() }];
        for _ in 0..rng.below(4) {
            let step = random_step(&mut rng, &float);
            steps.extend((!matches!(step, Step::Clip { .. })).then_some(step));
        }
        if !(descend(&mut float, &steps) && descend(&mut exact, &steps)) {
            continue;
        }
        let traces = traces(&mut rng, &query, &samples);
        let inside: Vec<_> = traces.iter().filter(|trace| contains(&exact.prover.table.rows, trace)).collect();
        let size = [0.5, 2.0, 1e-6, 1e12][rng.below(4)];
        let mut form = random(&mut rng, &float, size);
        if !make_convex(&mut float, &mut form) {
            refused += 1;
            continue;
        }
        if size == 0.5 && rng.below(2) == 0 {
            climb(&mut rng, &mut float, &mut form, 40);
        }
        rows_hold(&mut float, &form, &inside);
        rows_hold(&mut exact, &form, &inside);
        let (f, e) = match (float.quadratic(&form), exact.quadratic(&form)) {
            (Ok(f), Ok(e)) => (f, e),
            // At the edge of rounding one may come to the end of its factorisation where the other does not.
            _ => continue,
        };
        for trace in &inside {
            let mut value = Rational::ZERO;
            for (g, &l) in query.unsafe_set()[0].0.iter().zip(&form.form.lambda) {
                value = &value + &(&exactly(l) * &g.value(&trace[0], &trace[float.prover.layers.output]));
            }
            if let Some(goal) = float.goal {
                let z = trace[goal.node][goal.index].to_rational();
                value = if goal.side == Side::Lower { &value + &z } else { &value - &z };
            }
            assert!(exactly(e) <= value && exactly(f) <= value, "seed {seed}: {f} {e} {}", value.to_f64());
            compared += 1;
        }
        let scale = 1.0 + f.abs();
        assert!(f <= e + 1e-13 * scale, "seed {seed}: {f} {e}");
        close += usize::from(e - f < 1e-9 * scale);
        goals += usize::from(float.goal.is_some());
        balls += usize::from(form.ball > 0.0);
    }
    assert!(compared > 1500 && close > 100 && goals > 30 && balls > 30, "{compared} {close} {goals} {balls} {refused}");
}

/// One hidden layer over two inputs: the form is least at a vertex of the cells that its Relus cut the box into, and good multipliers come
/// close to that.
#[test]
fn tight_bounds_are_below_the_minimum() {
    let mut near = 0;
    for seed in 0..40 {
        let mut rng = Rng(50_000 + seed);
        let mut b = Builder::new();
        let x = b.input("x", &[2], DType::F32).unwrap();
        let width = 2 + rng.below(3);
        let mut numbers =
            |n: usize| -> Vec<f32> { (0..n).map(|_| (rng.signed() * 8.0).round() as f32 / 8.0).collect() };
        let (w, bias, out) = (numbers(2 * width), numbers(width), numbers(width));
        let h = b.push("h", dense(2, &w, &bias), &[x]).unwrap();
        let a = b.push("a", Op::Relu, &[h]).unwrap();
        let y = b.push("y", dense(width, &out, &[0.0]), &[a]).unwrap();
        let network = Arc::new(b.finish(y).unwrap());
        let norm = if seed % 2 == 0 { Norm::Linf } else { Norm::L2 };
        let region = InputRegion::ball(vec![0.0, 0.0], norm, Rational::ONE, None).unwrap();
        let g =
            Constraint { outputs: vec![(0, Rational::ONE)], inputs: vec![], constant: Rational::ZERO, strict: false };
        let query = Query::new(network.clone(), region, vec![Conjunction(vec![g])]).unwrap();
        let mut checker = Checker::<f64, 8>::new(&query).unwrap();
        let mut form = random(&mut rng, &checker, 1.0);
        form.form = LinearForm::with_lambda(vec![1.0]);
        if !make_convex(&mut checker, &mut form) {
            continue;
        }
        climb(&mut rng, &mut checker, &mut form, 3000);
        let bound = checker.quadratic(&form).unwrap();
        let [_, exact] = both(&query, &form);
        let value = |x: [f64; 2]| {
            let inputs = x.map(Exact::from_f64);
            network.forward(&inputs).unwrap()[0].to_rational()
        };
        // Crossings of the lines that bound the cells, and points of the ball.
        let lines = (0..width).map(|k| [w[2 * k], w[2 * k + 1], bias[k]].map(f64::from));
        let ends = [[1.0, 0.0, 1.0], [1.0, 0.0, -1.0], [0.0, 1.0, 1.0], [0.0, 1.0, -1.0]];
        let lines: Vec<[f64; 3]> = lines.chain(ends).collect();
        let cross = |p: &[f64; 3], q: &[f64; 3]| {
            let det = p[0] * q[1] - p[1] * q[0];
            [(p[1] * q[2] - p[2] * q[1]) / det, (p[2] * q[0] - p[0] * q[2]) / det]
        };
        let crossings = lines.iter().flat_map(|p| lines.iter().map(move |q| cross(p, q)));
        let circle = (0..2000).map(|i| [(0.00314159 * f64::from(i)).cos(), (0.00314159 * f64::from(i)).sin()]);
        let within = |x: &[f64; 2]| {
            let norm = if norm == Norm::L2 { x[0] * x[0] + x[1] * x[1] } else { x[0].abs().max(x[1].abs()) };
            x.iter().all(|v| v.is_finite()) && norm <= 1.0
        };
        let least = crossings.chain(circle.map(|x| x.map(|v| v * (1.0 - 1e-15)))).filter(within).map(value).min();
        let least = least.unwrap();
        assert!(exactly(bound) <= least && exactly(exact.unwrap()) <= least, "seed {seed}: {bound} {}", least.to_f64());
        near += usize::from(least.to_f64() - bound < 0.1);
    }
    assert!(near > 10, "{near}");
}

/// At a single point of a ball so small that the squares of distances underflow, times a multiplier as large as there is: the leaf must
/// not make more of the ball than there is.
#[test]
fn squares_that_underflow() {
    let count = 100;
    let mut b = Builder::new();
    let x = b.input("x", &[count], DType::F32).unwrap();
    let y = b.push("y", dense(count, &vec![0.0; count], &[0.0]), &[x]).unwrap();
    let eps = exactly(1.7e-161);
    let region = InputRegion::ball(vec![0.0; count], Norm::L2, eps.clone(), None).unwrap();
    let constant = exactly(-1e-285);
    let g = Constraint { outputs: vec![(0, Rational::ONE)], inputs: vec![], constant: constant.clone(), strict: false };
    let query = Query::new(Arc::new(b.finish(y).unwrap()), region, vec![Conjunction(vec![g])]).unwrap();
    let mut checker = Checker::<f64, 8>::new(&query).unwrap();
    let at = 1.6e-162;
    for index in 0..count as u32 {
        // Below, then below and above.
        checker.step(&Step::SplitInput { index, at }).unwrap();
        checker.step(&Step::SplitInput { index, at }).unwrap();
        assert!(checker.up());
    }
    let square = &exactly(at) * &exactly(at);
    assert!(&Rational::from(count as i64) * &square <= &eps * &eps);
    let form = LinearForm::with_lambda(vec![1.0]);
    let leaf = QuadraticForm { form, ball: f32::MAX, ..QuadraticForm::default() };
    let bound = checker.quadratic(&leaf).unwrap();
    assert!(exactly(bound) <= constant, "{bound}");
}

/// Of boxes as wide as floats reach.
#[test]
fn a_reach_beyond_all_floats_is_an_overflow() {
    let (inputs, rows, reach) = (vec![1.0], vec![vec![0.0, 1.0]], vec![f64::INFINITY, 1.0]);
    let exact = |v: &Vec<f64>| v.iter().map(|&v| Exact::from_f64(v)).collect::<Vec<_>>();
    let exact =
        Matrix { inputs: exact(&inputs), rows: rows.iter().map(exact).collect(), reach: reach.clone(), error: 0.0 };
    assert!(exact.loss().is_some_and(f64::is_nan));
    assert!(Matrix { inputs, rows, reach, error: 0.0 }.loss().is_some_and(f64::is_nan));
}

/// A matrix that is a product and so barely definite, or less than that: what the loss says holds.
#[test]
fn losses_cover_what_matrices_can_be_below_zero() {
    let (mut accepted, mut negative) = (0, 0);
    for seed in 0..3000 {
        let mut rng = Rng(60_000 + seed);
        // The large ones have more rows than are finished at a time, and blocks of zeros.
        let is_large = seed % 30 == 1;
        let (inputs, lifted) = if is_large { (rng.below(36), rng.below(14)) } else { (rng.below(12), rng.below(6)) };
        let order = inputs + lifted + 1;
        let mut number = || rng.signed() * [1.0, 1e-8, 1e8, 1e-160][if seed % 4 == 0 { rng.below(4) } else { 0 }];
        let pivots: Vec<f64> = (0..inputs).map(|_| number()).collect();
        // So few columns that the rest of the matrix has not the full rank.
        let columns = (inputs + lifted / 2).max(1);
        let mut factor: Vec<Vec<f64>> = (0..=lifted).map(|_| (0..columns).map(|_| number()).collect()).collect();
        if is_large {
            factor.iter_mut().flat_map(|row| row[..inputs].chunks_mut(8)).for_each(|block| {
                if rng.below(2) == 0 {
                    block.fill(0.0);
                }
            });
        }
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let rows: Vec<Vec<f64>> = (0..=lifted)
            .map(|k| {
                let cross = (0..inputs).map(|i| factor[k][i] * pivots[i]);
                cross.chain((0..=k).map(|j| dot(&factor[k], &factor[j]))).collect()
            })
            .collect();
        let mut reach: Vec<f64> = (0..order).map(|_| 2.0 * rng.unit()).collect();
        reach[order - 1] = 1.0;
        let diagonal: Vec<f64> = pivots.iter().map(|p| p * p).collect();
        let float = Matrix { inputs: diagonal.clone(), rows: rows.clone(), reach: reach.clone(), error: 0.0 };
        let exact = |v: &Vec<f64>| v.iter().map(|&v| Exact::from_f64(v)).collect::<Vec<_>>();
        let exact = Matrix {
            inputs: exact(&diagonal),
            rows: rows.iter().map(exact).collect(),
            reach: reach.clone(),
            error: 0.0,
        };
        let (Some(float), Some(exact)) = (float.loss(), exact.loss()) else { continue };
        accepted += 1;
        assert!(exact <= float, "seed {seed}: {exact} {float}");
        for _ in 0..20 {
            // The last is 1; the one before it so that little is left.
            let mut w: Vec<f64> = reach.iter().map(|r| r * rng.signed()).collect();
            w[order - 1] = 1.0;
            let entry = |i: usize, j: usize| match (i.max(j), i.min(j)) {
                (i, j) if i < inputs => {
                    if i == j {
                        diagonal[i]
                    } else {
                        0.0
                    }
                }
                (i, j) => rows[i - inputs][j],
            };
            for i in (0..order - 1).rev() {
                let others: f64 = (0..order).filter(|&j| j != i).map(|j| entry(i, j) * w[j]).sum();
                let best = -others / entry(i, i);
                if best.abs() <= reach[i] {
                    w[i] = best;
                }
            }
            let mut value = Rational::ZERO;
            for i in 0..order {
                for j in 0..order {
                    value = &value + &(&exactly(entry(i, j)) * &(&exactly(w[i]) * &exactly(w[j])));
                }
            }
            negative += usize::from(value < Rational::ZERO);
            assert!(value >= -&exactly(exact), "seed {seed}: {} {exact}", value.to_f64());
        }
    }
    assert!(accepted > 500 && negative > 50, "{accepted} {negative}");
}

/// Two hidden layers of which the second is read: what it reads and is not lifted is charged where it is undecided.
#[test]
fn rows_that_meet_an_undecided_element() {
    let mut b = Builder::new();
    let x = b.input("x", &[2], DType::F32).unwrap();
    let h = b.push("h", dense(2, &[1.0, 1.0, 1.0, -1.0], &[0.0, 0.0]), &[x]).unwrap();
    let a = b.push("a", Op::Relu, &[h]).unwrap();
    let g = b.push("g", dense(2, &[1.0, -1.0, 1.0, 0.0], &[0.0, 0.5]), &[a]).unwrap();
    let c = b.push("c", Op::Relu, &[g]).unwrap();
    let y = b.push("y", dense(2, &[1.0, 1.0], &[0.0]), &[c]).unwrap();
    let network = Arc::new(b.finish(y).unwrap());
    let query = corner_query(&["5/2"]);
    let query = Query::new(network, query.region().clone(), query.unsafe_set().to_vec()).unwrap();
    let element = |index| LiftedElement { index, nu: -1.0, d: 0.5, kappa: 1.0 };
    let lifting = |lower: &[u32], upper: &[u32]| {
        let elements = |list: &[u32]| list.iter().map(|&k| element(k)).collect();
        let lifted = vec![
            Lifted { relu: NodeId(2), elements: elements(lower) },
            Lifted { relu: NodeId(4), elements: elements(upper) },
        ];
        QuadraticForm { lifted, constant: 9.0, inputs: vec![9.0; 2], ..corner_leaf() }
    };
    let grid = (0..=20).flat_map(|i| (0..=20).map(move |j| [f64::from(i) / 10.0 - 1.0, f64::from(j) / 10.0 - 1.0]));
    let least = grid.map(|x| 2.5 - query.network().forward(&x).unwrap()[0]).fold(f64::INFINITY, f64::min);
    let value = |lower: &[u32], upper: &[u32]| {
        let [float, exact] = both(&query, &lifting(lower, upper)).map(Result::unwrap);
        assert!(float <= exact && exact <= least, "{lower:?} {upper:?}: {float} {exact} {least}");
        exact
    };
    let lists = [&[][..], &[0], &[1], &[0, 1]];
    lists.iter().for_each(|lower| lists.iter().for_each(|upper| _ = value(lower, upper)));
    // Element 0 above depends on element 1 below, which is as far from dead as from active: by 2. Element 1 does not.
    let row = |lower: &[u32], upper: u32| {
        let d = |d: f32| {
            let mut form = lifting(lower, &[upper]);
            form.lifted.iter_mut().flat_map(|l| &mut l.elements).for_each(|e| e.d = d);
            both(&query, &form)[1].clone().unwrap()
        };
        d(0.0) - d(0.5)
    };
    assert!(row(&[0], 0) > row(&[0, 1], 0) + 1.0 && row(&[0], 1) < row(&[0, 1], 1) + 1.0);
}
