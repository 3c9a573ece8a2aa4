//! What is computed side by side is what is computed one by one: forms in lanes, outputs by site, leaves ahead of time.

use super::support::*;
use crate::check::Checker;
use crate::real::Real;
use crate::*;
use std::sync::Arc;
use unmoved_ir::testing::Rng;
use unmoved_ir::{Builder, Conv2d, DType, Dense, Exact, Network, NodeId, Op, Rational, Tensor};
use unmoved_property::{Conjunction, Constraint, InputRegion, Query};

/// A convolution with groups, dilation, stride and uneven padding, some of its windows partly or wholly in the padding.
fn conv(rng: &mut Rng, channels: usize) -> Conv2d {
    let divisors: Vec<usize> = (1..=channels).filter(|g| channels.is_multiple_of(*g)).collect();
    let groups = divisors[rng.below(divisors.len())];
    let dims = [groups * (1 + rng.below(3)), channels / groups, 1 + rng.below(3), 1 + rng.below(3)];
    let mut list =
        |n: usize| -> Vec<f32> { (0..n).map(|_| if rng.below(5) == 0 { 0.0 } else { rng.signed() as f32 }).collect() };
    let weight = Tensor::f32(&dims, list(dims.iter().product())).unwrap();
    let mut conv = Conv2d::new(weight, Tensor::f32(&[dims[0]], list(dims[0])).unwrap()).unwrap();
    let mut pair = |most: usize| [1 + rng.below(most), 1 + rng.below(most)];
    (conv.groups, conv.stride, conv.dilation) = (groups, pair(3), pair(3));
    conv.padding = std::array::from_fn(|_| rng.below(4));
    conv
}

/// Convolutions with Relus between them, and a Dense upon all.
pub(super) fn convolutional(rng: &mut Rng) -> Arc<Network> {
    let mut b = Builder::new();
    let dims = [1 + rng.below(4), 2 + rng.below(4), 1 + rng.below(5)];
    let mut value = b.input("x", &dims, DType::F32).unwrap();
    for layer in 0..3 {
        let pushed = loop {
            let conv = conv(rng, b.shape(value).dims()[0]);
            let Ok(sliding) = conv.sliding(b.shape(value)) else { continue };
            if conv.outputs() * sliding.output[0] * sliding.output[1] > 80 {
                continue;
            }
            break b.push(&format!("c{layer}"), Op::Conv2d(conv), &[value]).unwrap();
        };
        value = b.push(&format!("a{layer}"), Op::Relu, &[pushed]).unwrap();
    }
    let len = b.shape(value).len();
    let flat = b.reshape("flat", value, &[len]).unwrap();
    let weights: Vec<f32> = (0..4 * len).map(|_| rng.signed() as f32).collect();
    let y = b.push("y", dense(len, &weights, &[0.1, -0.2, 0.3, 0.0]), &[flat]).unwrap();
    Arc::new(b.finish(y).unwrap())
}

fn boxed(rng: &mut Rng, len: usize) -> InputRegion {
    let lower: Vec<Rational> = (0..len).map(|_| exactly(rng.signed())).collect();
    let upper = lower.iter().map(|l| l + &exactly(2.0 * rng.unit())).collect();
    InputRegion::boxed(lower, upper).unwrap()
}

/// The table after a recomputation of everything.
fn table<R: Real, const B: usize>(query: &Query) -> Vec<Option<Bounds>> {
    let mut checker = Checker::<R, B>::new(query).unwrap();
    let nodes = checker.prover.layers.tabled_nodes();
    checker.step(&Step::Recompute { nodes }).unwrap();
    checker.prover.table.rows
}

#[test]
fn lanes_and_sites_change_nothing_in_exact_arithmetic() {
    let mut undecided = 0;
    for seed in 0..150 {
        let mut rng = Rng(9100 + seed);
        let network = if seed % 3 == 0 { network(&mut rng, seed % 2 == 0) } else { convolutional(&mut rng) };
        let region = if seed % 4 == 0 {
            region(&mut rng, network.input().shape.len())
        } else {
            boxed(&mut rng, network.input().shape.len())
        };
        let query = Query::new(network, region, vec![]).unwrap();
        let one = table::<Exact, 1>(&query);
        assert!(one == table::<Exact, 3>(&query), "seed {seed}");
        for row in one.iter().flatten() {
            undecided += (0..row.lower.len()).filter(|&k| row.undecided(k)).count();
        }
        // In floats the order of summation differs, and what the rounding may have done with it.
        let (single, eight) = (table::<f64, 1>(&query), table::<f64, 8>(&query));
        let rows =
            single.iter().zip(&eight).zip(&one).filter_map(|((s, e), x)| Some((s.as_ref()?, e.as_ref()?, x.as_ref()?)));
        for (single, eight, exact) in rows {
            for k in (0..exact.lower.len()).filter(|&k| exact.undecided(k)) {
                for float in [single, eight] {
                    assert!(float.lower[k] <= exact.lower[k] && exact.upper[k] <= float.upper[k], "seed {seed}");
                    let width = 1.0 + exact.upper[k] - exact.lower[k];
                    assert!(exact.lower[k] - float.lower[k] < 1e-9 * width, "seed {seed}");
                    assert!(float.upper[k] - exact.upper[k] < 1e-9 * width, "seed {seed}");
                }
            }
        }
    }
    assert!(undecided > 1000, "{undecided}");
}

#[test]
fn intervals_reach_as_far_as_rounding_may_have_gone() {
    // 500 times -0.1 and 250 times 0.2 is zero, but not in floats; and a bias swallows terms that are too small for it.
    let drifting: Vec<f64> = (0..750).map(|k| if k < 500 { -0.1 } else { 0.2 }).collect();
    for (list, bias) in [(drifting, 0.0), (vec![1e-17; 750], 1.0)] {
        for sign in [-1.0, 1.0] {
            let list: Vec<f64> = list.iter().map(|w| sign * w).collect();
            let sum = list.iter().fold(exactly(sign * bias), |sum, &w| &sum + &exactly(w));
            let bias = || Tensor::f64(&[1], vec![sign * bias]).unwrap();
            let dense = Dense::new(Tensor::f64(&[1, 750], list.clone()).unwrap(), bias()).unwrap();
            let conv = Conv2d::new(Tensor::f64(&[1, 750, 1, 1], list.clone()).unwrap(), bias()).unwrap();
            for (op, dims) in [(Op::Dense(dense), &[750][..]), (Op::Conv2d(conv), &[750, 1, 1])] {
                let mut b = Builder::new();
                let x = b.input("x", dims, DType::F64).unwrap();
                let h = b.push("h", op, &[x]).unwrap();
                let a = b.push("a", Op::Relu, &[h]).unwrap();
                let region = InputRegion::boxed(vec![Rational::ONE; 750], vec![Rational::ONE; 750]).unwrap();
                let query = Query::new(Arc::new(b.finish(a).unwrap()), region, vec![]).unwrap();
                let checker = Checker::<f64, 8>::new(&query).unwrap();
                let row = checker.prover.table.rows[1].as_ref().unwrap();
                assert!(exactly(row.lower[0]) <= sum && sum <= exactly(row.upper[0]), "{row:?} {}", sum.to_f64());
            }
        }
    }
}

#[test]
fn intervals_read_what_the_table_knows() {
    // Of what is not named only the interval is computed, from what the split says of the Relu below it.
    let mut b = Builder::new();
    let mut value = b.input("x", &[1], DType::F32).unwrap();
    for (k, (weight, bias)) in [(1.0, 0.0), (-1.0, 0.5), (1.0, -0.25)].into_iter().enumerate() {
        value = b.push(&format!("h{k}"), dense(1, &[weight], &[bias]), &[value]).unwrap();
        value = b.push(&format!("a{k}"), Op::Relu, &[value]).unwrap();
    }
    let region = InputRegion::boxed(vec![exactly(-1.0)], vec![exactly(1.0)]).unwrap();
    let query = Query::new(Arc::new(b.finish(value).unwrap()), region, vec![]).unwrap();
    let mut checker = Checker::<Exact, 1>::new(&query).unwrap();
    let of = |checker: &Checker<'_, Exact, 1>| checker.prover.table.rows[3].clone().unwrap();
    assert_eq!(of(&checker), Bounds { lower: vec![-0.5], upper: vec![0.5] });
    checker.step(&Step::SplitRelu { node: NodeId(1), index: 0 }).unwrap();
    checker.step(&Step::Recompute { nodes: vec![NodeId(5)] }).unwrap();
    assert_eq!(of(&checker), Bounds { lower: vec![0.5], upper: vec![0.5] });
}

#[test]
fn linear_bounds_come_from_above_first_and_only_while_undecided() {
    for (bias, lower, upper) in [(-0.125, -2.125, -0.125), (0.125, 0.125, 0.125)] {
        // x - x + bias, which intervals do not see through.
        let mut b = Builder::new();
        let x = b.input("x", &[1], DType::F32).unwrap();
        let [p, q] = [1.0, -1.0].map(|w| b.push(&format!("{w}"), dense(1, &[w], &[0.0]), &[x]).unwrap());
        let s = b.push("s", Op::Add, &[p, q]).unwrap();
        let k = b.push("k", dense(1, &[1.0], &[bias]), &[s]).unwrap();
        let a = b.push("a", Op::Relu, &[k]).unwrap();
        let region = InputRegion::boxed(vec![exactly(-1.0)], vec![exactly(1.0)]).unwrap();
        let query = Query::new(Arc::new(b.finish(a).unwrap()), region, vec![]).unwrap();
        let bias = f64::from(bias);
        let initial = Checker::<Exact, 1>::new(&query).unwrap().prover.table.rows[k.0].clone();
        assert_eq!(initial, Some(Bounds { lower: vec![-2.0 + bias], upper: vec![2.0 + bias] }));
        assert_eq!(table::<Exact, 1>(&query)[k.0], Some(Bounds { lower: vec![lower], upper: vec![upper] }));
    }
}

/// The least and the most of `b + w . x` for every output, by nothing but the definition.
fn extremes(conv: &Conv2d, image: [usize; 3], output: [usize; 3], bounds: &Bounds) -> Vec<[Rational; 2]> {
    let [outputs, per_group, kh, kw] = *conv.weight.shape().dims() else { panic!("four dimensions") };
    let mut all = Vec::new();
    for o in 0..outputs {
        for r in 0..output[1] {
            for s in 0..output[2] {
                let mut ends = [exactly(conv.bias.get(o)), exactly(conv.bias.get(o))];
                for (c, i, j) in (0..per_group).flat_map(|c| (0..kh).flat_map(move |i| (0..kw).map(move |j| (c, i, j))))
                {
                    let place = |out: usize, tap: usize, axis: usize| {
                        let at = (out * conv.stride[axis] + tap * conv.dilation[axis]) as isize;
                        usize::try_from(at - conv.padding[axis] as isize).ok().filter(|&p| p < image[1 + axis])
                    };
                    let (Some(y), Some(x)) = (place(r, i, 0), place(s, j, 1)) else { continue };
                    let channel = o / (outputs / conv.groups) * per_group + c;
                    let k = (channel * image[1] + y) * image[2] + x;
                    let w = exactly(conv.weight.get(((o * per_group + c) * kh + i) * kw + j));
                    let (l, u) = (&w * &exactly(bounds.lower[k]), &w * &exactly(bounds.upper[k]));
                    ends[0] = &ends[0] + if l < u { &l } else { &u };
                    ends[1] = &ends[1] + if l < u { &u } else { &l };
                }
                all.push(ends);
            }
        }
    }
    all
}

#[test]
fn intervals_of_convolutions_are_those_of_the_definition() {
    let mut elements = 0;
    for seed in 0..200 {
        let mut rng = Rng(9400 + seed);
        let network = convolutional(&mut rng);
        let region = boxed(&mut rng, network.input().shape.len());
        let query = Query::new(network.clone(), region, vec![]).unwrap();
        let float = Checker::<f64, 8>::new(&query).unwrap().prover.table.rows;
        let exact = Checker::<Exact, 1>::new(&query).unwrap().prover.table.rows;
        for (node, n) in network.nodes().iter().enumerate() {
            let Op::Conv2d(conv) = &n.op else { continue };
            let (image, output) = (network.node(n.inputs[0]).shape.image().unwrap(), n.shape.image().unwrap());
            // What the convolution reads: the box, or a Relu of what the table has.
            let input = |rows: &[Option<Bounds>]| match network.node(n.inputs[0]).op {
                Op::Relu => {
                    let row = rows[network.node(n.inputs[0]).inputs[0].0].clone().unwrap();
                    let cut = |v: Vec<f64>| v.into_iter().map(|v| v.max(0.0)).collect();
                    Bounds { lower: cut(row.lower), upper: cut(row.upper) }
                }
                _ => rows[0].clone().unwrap(),
            };
            let of_exact = extremes(conv, image, output, &input(&exact));
            let of_float = extremes(conv, image, output, &input(&float));
            let (exact, float) = (exact[node].as_ref().unwrap(), float[node].as_ref().unwrap());
            assert_eq!(of_exact.len(), exact.lower.len());
            for k in 0..of_exact.len() {
                let [l, u] = &of_exact[k];
                assert_eq!((exact.lower[k], exact.upper[k]), (l.round_down(), u.round_up()), "seed {seed}");
                let [l, u] = &of_float[k];
                assert!(exactly(float.lower[k]) <= *l && *u <= exactly(float.upper[k]), "seed {seed}");
                assert!(u.to_f64() - l.to_f64() > float.upper[k] - float.lower[k] - 1e-9, "seed {seed}");
                elements += 1;
            }
        }
    }
    assert!(elements > 5000, "{elements}");
}

#[test]
fn multipliers_are_those_of_the_table_in_the_specification() {
    let mut b = Builder::new();
    let x = b.input("x", &[1], DType::F64).unwrap();
    let h = b.push("h", dense(1, &[1.0], &[0.0]), &[x]).unwrap();
    let a = b.push("a", Op::Relu, &[h]).unwrap();
    let query = {
        let region = InputRegion::boxed(vec![exactly(-3.0)], vec![exactly(5.0)]).unwrap();
        Query::new(Arc::new(b.finish(a).unwrap()), region, vec![]).unwrap()
    };
    let ends = [-2.0, -1.0, -0.5, -f64::MIN_POSITIVE, -0.0, 0.0, f64::MIN_POSITIVE, 0.3, 1.0, 2.0];
    let form = |slopes: &[(u32, u8)], raw: &[(u32, f64)]| LinearForm {
        lambda: vec![],
        multipliers: vec![Multipliers { relu: NodeId(2), slopes: slopes.to_vec(), raw: raw.to_vec() }],
    };
    let mut exact = Checker::<Exact, 1>::new(&query).unwrap();
    let mut float = Checker::<f64, 8>::new(&query).unwrap();
    let mut tried = 0;
    for (l, u) in ends.iter().flat_map(|&l| ends.iter().map(move |&u| (l, u))).filter(|(l, u)| l <= u) {
        let row = Bounds { lower: vec![l], upper: vec![u] };
        exact.prover.table.rows[1] = Some(row.clone());
        float.prover.table.rows[1] = Some(row);
        for (a, slope) in [-1.5, -0.1, 0.1, 1.0, 7.0]
            .into_iter()
            .flat_map(|a| [None, Some(0), Some(77), Some(255)].map(move |s| (a, s)))
        {
            let mu = match slope {
                Some(s) if a >= 0.0 => a * (f64::from(s) / 255.0),
                _ if u <= 0.0 => 0.0,
                _ if l >= 0.0 => a,
                _ if a >= 0.0 && (1.0 - 1.0 / 1024.0) * u > -l => a,
                _ if a >= 0.0 => 0.0,
                _ => a * (u / (u - l)),
            };
            let given = form(&slope.map(|s| (0, s)).into_iter().collect::<Vec<_>>(), &[]);
            let outright = form(&[], &[(0, mu)]);
            let of = |checker: &mut Checker<'_, Exact, 1>, form| bound(checker, form, NodeId(2), 0, a);
            assert_eq!(of(&mut exact, &given), of(&mut exact, &outright), "{l} {u} {a} {slope:?}");
            let of = |checker: &mut Checker<'_, f64, 8>, form| bound(checker, form, NodeId(2), 0, a);
            let [given, outright] = [of(&mut float, &given), of(&mut float, &outright)];
            assert!((given - outright).abs() < 1e-12, "{l} {u} {a} {slope:?}: {given} {outright}");
            tried += 1;
        }
    }
    assert!(tried > 1000, "{tried}");
}

#[test]
fn leaves_ahead_of_time_are_the_same_leaves() {
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..300 {
        let mut rng = Rng(9700 + seed);
        let network = small(&mut rng);
        let region = region(&mut rng, 3);
        let mut disjunct = || {
            let mut one = || {
                let mut g = constraint(&mut rng, 3, 2);
                g.constant = exactly(12.0 + 12.0 * rng.unit());
                g
            };
            Conjunction(vec![one(), one()])
        };
        let unsafe_set: Vec<Conjunction> = (0..10).map(|_| disjunct()).collect();
        let query = Query::new(network, region, unsafe_set).unwrap();
        let mut steps = vec![Step::SplitDisjuncts];
        for _ in 0..10 {
            // In between what changes the table, or seems to.
            match rng.below(12) {
                0 => steps.push(Step::Recompute { nodes: vec![NodeId(1), NodeId(3)] }),
                1 => steps.extend([
                    Step::Lemma { node: NodeId(3), index: rng.below(4) as u32, side: Side::Lower },
                    Step::Linear(LinearForm::default()),
                ]),
                2 => {
                    steps.push(Step::SplitRelu { node: NodeId(3), index: rng.below(4) as u32 });
                    steps.push(leaf(2));
                }
                _ => {}
            }
            let lambda = match rng.below(if seed % 3 == 0 { 60 } else { 1000 }) {
                0 => vec![],
                1 => vec![1.0],
                2 => vec![-1.0, 1.0],
                3 => vec![1e300, 1e300],
                4 => vec![0.0, 0.0],
                _ => vec![rng.unit(), rng.unit()],
            };
            steps.push(Step::Linear(LinearForm::with_lambda(lambda)));
        }
        let one = Checker::<Exact, 1>::new(&query).unwrap().run(0, &steps);
        assert_eq!(one, Checker::<Exact, 3>::new(&query).unwrap().run(0, &steps), "seed {seed}");
        match one {
            Ok(Accepted { margin, .. }) => {
                accepted += 1;
                let float = Checker::<f64, 8>::new(&query).unwrap().run(0, &steps).unwrap();
                assert!((float.margin - margin).abs() < 1e-9, "seed {seed}");
            }
            Err(_) => refused += 1,
        }
    }
    assert!(accepted > 30 && refused > 30, "{accepted} {refused}");
}

#[test]
fn a_leaf_ahead_of_time_is_not_mistaken_for_another() {
    // Only the disjuncts that hold nowhere are closed by a leaf; the one in between needs another table.
    let mut b = Builder::new();
    let x = b.input("x", &[1], DType::F32).unwrap();
    let y = b.push("y", dense(1, &[1.0], &[0.0]), &[x]).unwrap();
    let region = InputRegion::boxed(vec![Rational::ZERO], vec![Rational::ONE]).unwrap();
    let g = |constant: i64| {
        let outputs = vec![(0, Rational::ONE)];
        Conjunction(vec![Constraint { outputs, inputs: vec![], constant: Rational::from(constant), strict: false }])
    };
    let query = Query::new(Arc::new(b.finish(y).unwrap()), region, vec![g(1), g(0), g(1)]).unwrap();
    let steps = vec![Step::SplitDisjuncts, leaf(1), leaf(1), leaf(1)];
    for arithmetic in [Arithmetic::Float, Arithmetic::Exact] {
        let refused = check(&query, &Certificate::new(&query, steps.clone()), arithmetic);
        assert!(
            matches!(refused, Err(Refusal::Step { step: 2, wrong: WrongStep::NotPositive { bound } }) if bound <= 0.0),
            "{refused:?}"
        );
    }
}
