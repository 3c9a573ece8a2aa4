//! Whatever the checker computes holds at sampled points.

use super::support::*;
use crate::check::Checker;
use crate::real::Real;
use crate::*;
use std::sync::Arc;
use unmoved_ir::testing::Rng;
use unmoved_ir::{Builder, Conv2d, Exact, Network, NodeId, Op, Rational, Slack, Tensor, lower_max_pool};
use unmoved_property::{Conjunction, Constraint, InputRegion, Query};

/// The network with other weights within its slack.
fn moved(network: &Network, rng: &mut Rng) -> Network {
    let mut shift = |tensor: &Tensor, row: usize, relative: &[f64], absolute: &[f64]| {
        let values = tensor.to_f64().into_iter().enumerate().map(|(i, v)| {
            let reach = relative.get(i / row).map_or(0.0, |e| e * v.abs()) + absolute.get(i / row).unwrap_or(&0.0);
            v + 0.99 * reach * if rng.below(2) == 0 { 1.0 } else { -1.0 }
        });
        Tensor::f64(tensor.shape().dims(), values.collect()).unwrap()
    };
    let mut apply = |weight: &mut Tensor, bias: &mut Tensor, slack: &Option<Slack>| {
        let Some(slack) = slack else { return };
        let row = weight.shape().len() / bias.shape().len();
        *weight = shift(weight, row, &slack.weight, &[]);
        *bias = shift(bias, 1, &[], &slack.bias);
    };
    let mut b = Builder::new();
    let input = network.input();
    b.input(&input.name, input.shape.dims(), network.input_dtype()).unwrap();
    for node in &network.nodes()[1..] {
        let mut op = node.op.clone();
        match &mut op {
            Op::Dense(d) => apply(&mut d.weight, &mut d.bias, &d.slack),
            Op::Conv2d(c) => apply(&mut c.weight, &mut c.bias, &c.slack),
            _ => {}
        }
        b.push(&node.name, op, &node.inputs).unwrap();
    }
    let moved = b.finish(network.output()).unwrap();
    assert_eq!(moved.nodes().len(), network.nodes().len());
    moved
}

/// A query whose unsafe set holds at some but not all of the region.
pub(super) fn query(rng: &mut Rng, slack: bool) -> Option<(Query, Vec<Vec<f32>>)> {
    let network = network(rng, slack);
    let region = region(rng, network.input().shape.len());
    let samples: Vec<Vec<f32>> = (0..24).filter_map(|_| sample(rng, &region)).collect();
    let unsafe_set = planted(rng, &network, samples.first()?, 0.05);
    Some((Query::new(network, region, unsafe_set).ok()?, samples))
}

/// The value of every node of the lowered network, for the stored weights or others within the slack.
pub(super) fn traces(rng: &mut Rng, query: &Query, samples: &[Vec<f32>]) -> Vec<Vec<Vec<Exact>>> {
    let one = |x: &Vec<f32>| {
        let network = if query.network().has_slack() && rng.below(4) > 0 {
            lower_max_pool(&moved(query.network(), rng)).unwrap().network
        } else {
            lower_max_pool(query.network()).unwrap().network
        };
        network.trace(&exact_vec(x)).unwrap()
    };
    samples.iter().map(one).collect()
}

#[test]
fn the_initial_table_contains_what_samples_give() {
    let (mut points, mut undecided) = (0, 0);
    for seed in 0..250 {
        let mut rng = Rng(seed);
        let Some((query, samples)) = query(&mut rng, seed % 2 == 0) else { continue };
        let float = linear_bounds(&query, Arithmetic::Float).unwrap();
        let exact = linear_bounds(&query, Arithmetic::Exact).unwrap();
        for trace in traces(&mut rng, &query, &samples) {
            assert!(contains(&float, &trace) && contains(&exact, &trace), "seed {seed}");
            points += 1;
        }
        for (float, exact) in float.iter().zip(&exact).filter_map(|(f, e)| Some((f.as_ref()?, e.as_ref()?))) {
            for k in 0..float.lower.len() {
                // What is decided exactly may be undecided in floats, and only then get linear bounds.
                if !exact.undecided(k) {
                    continue;
                }
                undecided += usize::from(float.undecided(k));
                assert!(float.lower[k] <= exact.lower[k] && exact.upper[k] <= float.upper[k], "seed {seed}");
                let width = 1.0 + float.upper[k] - float.lower[k];
                assert!(exact.lower[k] - float.lower[k] < 1e-9 * width, "seed {seed}");
                assert!(float.upper[k] - exact.upper[k] < 1e-9 * width, "seed {seed}");
            }
        }
    }
    assert!(points > 3000 && undecided > 500, "{points} {undecided}");
}

#[test]
fn bounds_with_any_multipliers_are_below_what_samples_give() {
    let (mut compared, mut tight, mut close) = (0, 0, 0);
    for seed in 0..400 {
        let mut rng = Rng(1000 + seed);
        let Some((query, samples)) = query(&mut rng, seed % 3 == 0) else { continue };
        // One disjunct, so that its constraints can be used.
        let set = vec![query.unsafe_set()[0].clone()];
        let query = Query::new(query.network().clone(), query.region().clone(), set).unwrap();
        let mut float = Checker::<f64, 8>::new(&query).unwrap();
        let mut exact = Checker::<Exact, 1>::new(&query).unwrap();
        let traces = traces(&mut rng, &query, &samples);
        let rows = float.prover.table.rows.iter().flatten().zip(exact.prover.table.rows.iter().flatten());
        let borderline = rows
            .flat_map(|(f, e)| (0..f.lower.len()).map(move |k| f.undecided(k) != e.undecided(k)))
            .any(|differs| differs);
        for _ in 0..4 {
            let form = form(&mut rng, &float);
            let (node, k) = element(&mut rng, &float);
            let c = rng.signed();
            let (f, e) = (bound(&mut float, &form, node, k, c), bound(&mut exact, &form, node, k, c));
            let mut least = f64::INFINITY;
            for (x, trace) in samples.iter().zip(&traces) {
                let mut value = &exactly(c) * &trace[node.0][k as usize].to_rational();
                let output = &trace[float.prover.layers.output];
                for (g, &l) in query.unsafe_set()[0].0.iter().zip(&form.lambda) {
                    value = &value + &(&exactly(l) * &g.value(&exact_vec(x), output));
                }
                assert!(exactly(e) <= value && exactly(f) <= value, "seed {seed}: {f} {e} {}", value.to_f64());
                least = least.min(value.to_f64());
                compared += 1;
            }
            let scale = 1.0 + f.abs();
            // A slope given for what only rounding leaves undecided makes a difference, one way or the other.
            if !borderline {
                assert!(f <= e && e - f < 1e-9 * scale, "seed {seed}: {f} {e}");
                close += 1;
            }
            tight += usize::from(least - f < 0.05 * scale);
        }
    }
    // Bounds of minus infinity would be sound too.
    assert!(compared > 10_000 && tight > 100 && close > 1000, "{compared} {tight} {close}");
}

/// A condition that a split or clip has put on points.
type Condition = (NodeId, u32, Side, f64);

fn meets(trace: &[Vec<Exact>], &(node, k, side, at): &Condition) -> bool {
    let (z, at) = (&trace[node.0][k as usize], Exact::from_f64(at));
    if side == Side::Lower { *z >= at } else { *z <= at }
}

#[test]
fn the_table_stays_true_below_splits_lemmas_clips_and_recomputation() {
    let (mut points, mut steps, mut clips, mut lemmas) = (0, 0, 0, 0);
    for seed in 0..250 {
        let mut rng = Rng(2000 + seed);
        let Some((query, mut samples)) = query(&mut rng, seed % 3 == 0) else { continue };
        let violates = |x: &Vec<f32>| replay(&query, x).is_ok();
        // Where constraints are used, the table speaks about unsafe points only; the planted one, at least, is.
        samples.extend((0..100).filter_map(|_| sample(&mut rng, query.region())));
        samples.retain(violates);
        let set = query.unsafe_set().to_vec();
        let mut checker = Checker::<f64, 8>::new(&query).unwrap();
        let traces = traces(&mut rng, &query, &samples);
        let mut here: Vec<(&Vec<f32>, Vec<Vec<Exact>>)> = samples.iter().zip(traces).collect();
        if set.len() > 1 {
            checker.step(&Step::SplitDisjuncts).unwrap();
            checker.up();
            // The first disjunct; only its points count from here on.
            let conjunction: &Conjunction = &set[0];
            let output = checker.prover.layers.output;
            here.retain(|(x, trace)| conjunction.0.iter().all(|g| g.holds_at(&g.value(&exact_vec(x), &trace[output]))));
        }
        for _ in 0..10 {
            let step = random_step(&mut rng, &checker);
            let Ok(_) = checker.step(&step) else { continue };
            steps += 1;
            match &step {
                Step::SplitRelu { node, index } => {
                    let side = descend_randomly(&mut rng, &mut checker);
                    here.retain(|(_, trace)| meets(trace, &(*node, *index, side, 0.0)));
                }
                Step::SplitInput { index, at } => {
                    let side = descend_randomly(&mut rng, &mut checker);
                    here.retain(|(_, trace)| meets(trace, &(NodeId(0), *index, side, *at)));
                }
                Step::Lemma { .. } => {
                    // Its proof: a leaf, or a split with two.
                    if rng.below(2) == 0 {
                        let (node, index) = element(&mut rng, &checker);
                        checker.step(&Step::SplitRelu { node, index }).unwrap();
                        let leaf = Step::Linear(form(&mut rng, &checker));
                        checker.step(&leaf).unwrap();
                        checker.up();
                    }
                    let leaf = Step::Linear(form(&mut rng, &checker));
                    checker.step(&leaf).unwrap();
                    assert!(checker.up());
                    lemmas += 1;
                }
                Step::Clip { .. } => clips += 1,
                _ => {}
            }
            for (x, trace) in &here {
                assert!(contains(&checker.prover.table.rows, trace), "seed {seed}, {step:?}, {x:?}");
                points += 1;
            }
        }
    }
    assert!(points > 2000 && steps > 1000 && clips > 20 && lemmas > 100, "{points} {steps} {clips} {lemmas}");
}

/// Stays in the lower part of the split just made, or goes on to the upper one.
fn descend_randomly<R: Real, const B: usize>(rng: &mut Rng, checker: &mut Checker<'_, R, B>) -> Side {
    if rng.below(2) == 0 {
        return Side::Upper;
    }
    assert!(checker.up());
    Side::Lower
}

#[test]
fn the_minimum_over_a_ball_is_sound_and_nearly_attained() {
    for seed in 0..200 {
        let mut rng = Rng(3000 + seed);
        let region = region(&mut rng, 5);
        let weights: Vec<f32> = (0..5).map(|_| rng.signed() as f32).collect();
        let mut b = Builder::new();
        let x = b.input("x", &[5], unmoved_ir::DType::F32).unwrap();
        let y = b.push("y", dense(5, &weights, &[0.0]), &[x]).unwrap();
        let network = Arc::new(b.finish(y).unwrap());
        let one = Constraint {
            outputs: vec![(0, Rational::ONE)],
            inputs: Vec::new(),
            constant: Rational::ZERO,
            strict: false,
        };
        let query = Query::new(network, region, vec![Conjunction(vec![one])]).unwrap();
        let zero = LinearForm::default();
        let node = NodeId(1);
        let f = bound(&mut Checker::<f64, 8>::new(&query).unwrap(), &zero, node, 0, 1.0);
        let e = bound(&mut Checker::<Exact, 1>::new(&query).unwrap(), &zero, node, 0, 1.0);
        assert!(f <= e && e - f < 1e-12, "{f} {e}");
        // Projected gradient descent finds the minimiser of a linear form.
        let mut x: Vec<f64> = query.region().sample(|| 0.5);
        for _ in 0..2000 {
            x.iter_mut().zip(&weights).for_each(|(x, w)| *x -= 0.05 * f64::from(*w));
            query.region().project(&mut x);
        }
        let value: f64 = x.iter().zip(&weights).map(|(x, w)| x * f64::from(*w)).sum();
        assert!(e <= value + 1e-9 && value - e < 1e-3, "seed {seed}: {e} {value}");
    }
}

#[test]
fn one_relu_is_bounded_as_tightly_as_its_multiplier_allows() {
    // With mu x subtracted nothing of the form is left at the input, and the bound is the least of a relu(x) - mu x.
    let mut b = Builder::new();
    let x = b.input("x", &[1], unmoved_ir::DType::F32).unwrap();
    let a = b.push("a", Op::Relu, &[x]).unwrap();
    let network = Arc::new(b.finish(a).unwrap());
    let mut undecided = 0;
    for seed in 0..300 {
        let mut rng = Rng(6000 + seed);
        let (l, width) = (rng.signed(), rng.unit());
        let region = InputRegion::boxed(vec![exactly(l)], vec![exactly(l + width)]).unwrap();
        let (a, mu) = (2.0 * rng.signed(), 2.0 * rng.signed());
        let g = Constraint {
            outputs: vec![(0, exactly(a))],
            inputs: vec![(0, exactly(-mu))],
            constant: Rational::ZERO,
            strict: false,
        };
        let query = Query::new(network.clone(), region, vec![Conjunction(vec![g])]).unwrap();
        let raw = Multipliers { relu: NodeId(1), slopes: Vec::new(), raw: vec![(0, mu)] };
        let form = LinearForm { lambda: vec![1.0], multipliers: vec![raw] };
        let found = bound(&mut Checker::<Exact, 1>::new(&query).unwrap(), &form, NodeId(0), 0, 0.0);
        let value = |x: f64| &(&exactly(a) * &exactly(x.max(0.0))) - &(&exactly(mu) * &exactly(x));
        let u = l + width;
        let kink = if l < 0.0 && u > 0.0 { 0.0 } else { l };
        undecided += usize::from(kink == 0.0);
        let least = [l, u, kink].map(value).into_iter().min().unwrap();
        assert_eq!(found, least.round_down(), "seed {seed}");
        let float = bound(&mut Checker::<f64, 8>::new(&query).unwrap(), &form, NodeId(0), 0, 0.0);
        assert!(exactly(float) <= least && found - float < 1e-13, "seed {seed}");
    }
    assert!(undecided > 50);
}

#[test]
fn a_window_in_the_padding_leaves_no_error_behind() {
    // The outermost elements of the second convolution read nothing but padding.
    let conv = |padding: usize| {
        let weight = Tensor::f32(&[1, 1, 1, 1], vec![0.7]).unwrap();
        let mut conv = Conv2d::new(weight, Tensor::f32(&[1], vec![0.1]).unwrap()).unwrap();
        conv.padding = [padding; 4];
        Op::Conv2d(conv)
    };
    let mut b = Builder::new();
    let x = b.input("x", &[1, 2, 2], unmoved_ir::DType::F32).unwrap();
    let inner = b.push("inner", conv(0), &[x]).unwrap();
    let outer = b.push("outer", conv(1), &[inner]).unwrap();
    let a = b.push("a", Op::Relu, &[outer]).unwrap();
    let region = InputRegion::boxed(vec![exactly(-0.3); 4], vec![Rational::ONE; 4]).unwrap();
    let query = Query::new(Arc::new(b.finish(a).unwrap()), region, vec![]).unwrap();
    let mut checker = Checker::<f64, 8>::new(&query).unwrap();
    let mut of = |k: u32| bound(&mut checker, &LinearForm::default(), NodeId(2), k, 1e16);
    let before = of(5);
    for _ in 0..100 {
        of(0);
    }
    assert_eq!(of(5), before);
}

#[test]
fn slack_stays_that_of_the_whole_region() {
    // Below a split the inputs, and what relative errors of weights amount to, are smaller; beside it they are not.
    let mut op = dense(1, &[1.0], &[0.0]);
    if let Op::Dense(dense) = &mut op {
        dense.slack = Some(Slack { weight: vec![0.5], bias: vec![0.0] });
    }
    let mut b = Builder::new();
    let x = b.input("x", &[1], unmoved_ir::DType::F32).unwrap();
    let h = b.push("h", op, &[x]).unwrap();
    let a = b.push("a", Op::Relu, &[h]).unwrap();
    let region = InputRegion::boxed(vec![-&Rational::ONE], vec![Rational::from(4)]).unwrap();
    let query = Query::new(Arc::new(b.finish(a).unwrap()), region, vec![]).unwrap();
    let mut checker = Checker::<Exact, 1>::new(&query).unwrap();
    checker.step(&Step::SplitInput { index: 0, at: 0.0 }).unwrap();
    checker.step(&Step::Recompute { nodes: vec![NodeId(1)] }).unwrap();
    assert!(checker.up());
    // The weight may be 3/2, and 4 is in this part.
    assert!(bound(&mut checker, &LinearForm::default(), NodeId(1), 0, -1.0) <= -6.0);
}
