//! Networks of two inputs, cut into the cells in which they are linear: the least that a form can be is known exactly, and no leaf's
//! bound may exceed it.

use super::soundness::climb;
use super::*;
use std::cmp::Ordering;
use unmoved_ir::testing::{Recipe, random_network};
use unmoved_ir::{Node, lower_max_pool};
use unmoved_property::RegionKind;

/// `[p, q, c]`: `p x + q y + c` of a point, or a point `(p / c, q / c)` with `c > 0`.
type Triple = [Rational; 3];

fn at(form: &Triple, point: &Triple) -> Rational {
    let sum = &(&form[0] * &point[0]) + &(&form[1] * &point[1]);
    &sum + &(&form[2] * &point[2])
}

/// The weighted sum of two triples.
fn mix(a: &Triple, v: &Rational, b: &Triple, w: &Rational) -> Triple {
    std::array::from_fn(|i| &(&a[i] * v) + &(&b[i] * w))
}

fn plus(a: &Triple, b: &Triple) -> Triple {
    mix(a, &Rational::ONE, b, &Rational::ONE)
}

fn zero() -> Triple {
    std::array::from_fn(|_| Rational::ZERO)
}

/// What of a convex polygon has a form of at least zero.
fn above(polygon: &[Triple], form: &Triple) -> Vec<Triple> {
    let mut kept = Vec::new();
    for (i, p) in polygon.iter().enumerate() {
        let q = &polygon[(i + 1) % polygon.len()];
        let (v, w) = (at(form, p), at(form, q));
        if v >= Rational::ZERO {
            kept.push(p.clone());
        }
        match (v.cmp(&Rational::ZERO), w.cmp(&Rational::ZERO)) {
            (Ordering::Less, Ordering::Greater) => kept.push(mix(p, &w, q, &-&v)),
            (Ordering::Greater, Ordering::Less) => kept.push(mix(p, &-&w, q, &v)),
            _ => {}
        }
    }
    kept
}

fn minus(form: &Triple) -> Triple {
    mix(form, &-&Rational::ONE, form, &Rational::ZERO)
}

/// A polygon on which all nodes so far are linear, and what they are.
#[derive(Clone)]
struct Cell {
    polygon: Vec<Triple>,
    values: Vec<Vec<Triple>>,
}

/// The affine forms of a node that is no Relu.
fn linear(network: &Network, node: &Node, values: &[Vec<Triple>]) -> Vec<Triple> {
    let input = &values[node.inputs[0].0];
    let weighted = |sum: &mut Triple, w: f64, x: &Triple| *sum = mix(sum, &Rational::ONE, x, &exactly(w));
    let constant = |b: f64| [Rational::ZERO, Rational::ZERO, exactly(b)];
    match &node.op {
        Op::Dense(dense) => {
            let row = |k: usize| {
                let mut sum = constant(dense.bias.get(k));
                input
                    .iter()
                    .enumerate()
                    .for_each(|(j, x)| weighted(&mut sum, dense.weight.get(k * input.len() + j), x));
                sum
            };
            (0..dense.outputs()).map(row).collect()
        }
        Op::Conv2d(conv) => {
            let [_, channels, kh, kw] = *conv.weight.shape().dims() else { panic!() };
            let [_, height, width] = network.node(node.inputs[0]).shape.image().unwrap();
            let [outputs, rows, columns] = node.shape.image().unwrap();
            let mut all = Vec::new();
            for o in 0..outputs {
                let group = o / (outputs / conv.groups);
                for r in 0..rows {
                    for s in 0..columns {
                        let mut sum = constant(conv.bias.get(o));
                        for (c, i, j) in (0..channels * kh * kw).map(|t| (t / (kh * kw), t / kw % kh, t % kw)) {
                            let y = (r * conv.stride[0] + i * conv.dilation[0]).wrapping_sub(conv.padding[0]);
                            let x = (s * conv.stride[1] + j * conv.dilation[1]).wrapping_sub(conv.padding[1]);
                            if y < height && x < width {
                                let w = conv.weight.get(((o * channels + c) * kh + i) * kw + j);
                                weighted(&mut sum, w, &input[((group * channels + c) * height + y) * width + x]);
                            }
                        }
                        all.push(sum);
                    }
                }
            }
            all
        }
        Op::Flatten => input.clone(),
        Op::Add => input.iter().zip(&values[node.inputs[1].0]).map(|(a, b)| plus(a, b)).collect(),
        Op::Gather(gather) => gather.index.iter().map(|k| k.map_or_else(zero, |k| input[k as usize].clone())).collect(),
        other => panic!("{}", other.name()),
    }
}

/// The cells of a polygon.
fn cells(network: &Network, polygon: Vec<Triple>) -> Vec<Cell> {
    let axis = |i: usize| std::array::from_fn(|k| if i == k { Rational::ONE } else { Rational::ZERO });
    let mut cells = vec![Cell { polygon, values: vec![vec![axis(0), axis(1)]] }];
    for node in &network.nodes()[1..] {
        if !matches!(node.op, Op::Relu) {
            cells.iter_mut().for_each(|cell| cell.values.push(linear(network, node, &cell.values)));
            continue;
        }
        let read = node.inputs[0].0;
        cells.iter_mut().for_each(|cell| cell.values.push(Vec::new()));
        for k in 0..node.shape.len() {
            let parts = |mut cell: Cell| {
                let z = cell.values[read][k].clone();
                let values: Vec<Rational> = cell.polygon.iter().map(|point| at(&z, point)).collect();
                let (positive, negative) =
                    (values.iter().any(|v| *v > Rational::ZERO), values.iter().any(|v| *v < Rational::ZERO));
                let below = negative.then(|| {
                    let mut below = cell.clone();
                    if positive {
                        below.polygon = above(&cell.polygon, &minus(&z));
                        cell.polygon = above(&cell.polygon, &z);
                    }
                    below.values.last_mut().unwrap().push(zero());
                    below
                });
                cell.values.last_mut().unwrap().push(z);
                let above = (positive || !negative).then_some(cell);
                [below, above].into_iter().flatten()
            };
            cells = cells.into_iter().flat_map(parts).collect();
        }
    }
    cells
}

/// A polygon within the region, all of it but for balls in the 2-norm.
fn polygon<R: Real, const B: usize>(checker: &Checker<'_, R, B>) -> Vec<Triple> {
    let Bounds { lower, upper } = checker.prover.table.input();
    let point = |x: f64, y: f64| [exactly(x), exactly(y), Rational::ONE];
    let ends = [(lower[0], lower[1]), (upper[0], lower[1]), (upper[0], upper[1]), (lower[0], upper[1])];
    let mut polygon = ends.map(|(x, y)| point(x, y)).to_vec();
    if let Some((centre, eps)) = checker.prover.region.l2_ball() {
        let on = |i: i32| {
            let (sin, cos) = (std::f64::consts::PI / 32.0 * f64::from(i)).sin_cos();
            let inner = eps * (1.0 - 1e-12);
            point(centre[0] + inner * cos, centre[1] + inner * sin)
        };
        polygon = (0..64).map(on).collect();
        for i in 0..2 {
            let side = |sign: i64, end: f64| {
                let mut form = zero();
                form[i] = Rational::from(sign);
                form[2] = &Rational::from(-sign) * &exactly(end);
                form
            };
            polygon = above(&above(&polygon, &side(1, lower[i])), &side(-1, upper[i]));
        }
    }
    if let RegionKind::Ball { centre, norm: Norm::L1, eps, .. } = checker.query.region().kind() {
        for (v, w) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)].map(|(v, w)| (exactly(v), exactly(w))) {
            let across = &(&v * &exactly(centre[0])) + &(&w * &exactly(centre[1]));
            polygon = above(&polygon, &[-&v, -&w, eps + &across]);
        }
    }
    polygon
}

/// The values of a network's elements, in all cells that a table leaves something of.
fn left<R: Real, const B: usize>(checker: &Checker<'_, R, B>, network: &Network, cases: &[Case]) -> Vec<Cell> {
    let mut cells = cells(network, polygon(checker));
    for &Case { node, index, sign } in cases {
        for cell in &mut cells {
            let z = &cell.values[node][index];
            cell.polygon = above(&cell.polygon, &if sign > 0 { z.clone() } else { minus(z) });
        }
    }
    cells.retain(|cell| !cell.polygon.is_empty());
    cells
}

/// A Relu that is split.
#[derive(Clone, Copy)]
struct Case {
    node: usize,
    index: usize,
    sign: i32,
}

/// The constraints, weighted.
fn weighted(query: &Query, lambda: &[f64], cell: &Cell, output: usize) -> Triple {
    let mut sum = zero();
    for (g, &l) in query.unsafe_set()[0].0.iter().zip(lambda) {
        let mut form = [Rational::ZERO, Rational::ZERO, g.constant.clone()];
        for (k, c) in &g.outputs {
            form = mix(&form, &Rational::ONE, &cell.values[output][*k], c);
        }
        for (i, c) in &g.inputs {
            form = mix(&form, &Rational::ONE, &cell.values[0][*i], c);
        }
        sum = mix(&sum, &Rational::ONE, &form, &exactly(l));
    }
    sum
}

/// A network of all operators, or of two or three hidden layers, of two inputs.
fn two_inputs(rng: &mut Rng) -> Network {
    let input = [vec![2], vec![1, 2, 1], vec![2, 1, 1]][rng.below(3)].clone();
    let step = (rng.below(2) == 0).then_some(0.25);
    let recipe = Recipe { input, nodes: 5 + rng.below(8), outputs: 2, width: 5, relus: 12, step, ..Recipe::default() };
    if rng.below(2) == 0 {
        return random_network(rng, &recipe);
    }
    let mut b = Builder::new();
    let mut value = b.input("x", &[2], DType::F32).unwrap();
    let mut inputs = 2;
    for layer in 0..=1 + rng.below(3) {
        let outputs = 2 + rng.below(3);
        let mut random = |n: usize| -> Vec<f32> { (0..n).map(|_| 1.5 * rng.signed() as f32).collect() };
        let op = dense(inputs, &random(inputs * outputs), &random(outputs));
        value = b.push(&format!("h{layer}"), op, &[value]).unwrap();
        value = b.push(&format!("a{layer}"), Op::Relu, &[value]).unwrap();
        inputs = outputs;
    }
    let out: Vec<f32> = (0..2 * inputs).map(|_| rng.signed() as f32).collect();
    let y = b.push("y", dense(inputs, &out, &[0.0; 2]), &[value]).unwrap();
    b.finish(y).unwrap()
}

#[test]
fn no_bound_exceeds_the_minimum_over_all_cells() {
    let (mut compared, mut near, mut goals, mut lemmas, mut balls, mut deep) = (0, 0, 0, 0, 0, 0);
    for seed in 70_000..70_600 {
        let mut rng = Rng(seed);
        let network = Arc::new(two_inputs(&mut rng));
        let region = region(&mut rng, 2);
        let Some(x) = sample(&mut rng, &region) else { continue };
        let set = vec![planted(&mut rng, &network, &x, 0.0).remove(0)];
        let lowered = lower_max_pool(&network).unwrap().network;
        let Ok(query) = Query::new(network.clone(), region, set) else { continue };
        let Ok(mut float) = Checker::<f64, 8>::new(&query) else { continue };
        let mut exact = Checker::<Exact, 1>::new(&query).unwrap();
        let mut steps = vec![Step::Recompute { nodes: float.prover.layers.tabled_nodes() }];
        let mut cases = Vec::new();
        let (mut unsafe_only, mut outside) = (false, 0);
        for _ in 0..1 + rng.below(4) {
            for step in steps.drain(..) {
                float.step(&step).unwrap();
                exact.step(&step).unwrap();
                let up = matches!(step, Step::SplitRelu { .. } | Step::SplitInput { .. }) && rng.below(2) == 0;
                if up && float.up() {
                    assert!(exact.up());
                }
                if matches!(step, Step::Lemma { .. }) {
                    outside = cases.len();
                }
                if let Step::SplitRelu { node, index } = step {
                    cases.push(Case { node: node.0, index: index as usize, sign: if up { 1 } else { -1 } });
                }
            }
            if float.prover.table.is_empty() {
                break;
            }
            let cells = left(&float, &lowered, &cases);
            let cells: Vec<Cell> = cells
                .into_iter()
                .filter_map(|mut cell| {
                    for j in 0..query.unsafe_set()[0].0.len() * usize::from(unsafe_only) {
                        let lambda: Vec<f64> = (0..=j).map(|k| f64::from(u8::from(k == j))).collect();
                        let g = weighted(&query, &lambda, &cell, float.prover.layers.output);
                        cell.polygon = above(&cell.polygon, &minus(&g));
                    }
                    (!cell.polygon.is_empty()).then_some(cell)
                })
                .collect();
            let size = [0.5, 2.0, 1e-6, 1e12][rng.below(4).min(rng.below(4))];
            let mut form = random(&mut rng, &float, size);
            if !make_convex(&mut float, &mut form) {
                break;
            }
            let effort = [20, 300][rng.below(2)];
            climb(&mut rng, &mut float, &mut form, effort);
            let (f, e) = (float.quadratic(&form), exact.quadratic(&form));
            let mut least: Option<f64> = None;
            for cell in &cells {
                let mut value = weighted(&query, &form.form.lambda, cell, float.prover.layers.output);
                if let Some(goal) = float.goal {
                    let z = &cell.values[goal.node][goal.index];
                    value = plus(&value, &if goal.side == Side::Lower { z.clone() } else { minus(z) });
                }
                for point in &cell.polygon {
                    let value = at(&value, point);
                    for bound in [&f, &e].into_iter().flatten() {
                        assert!(&exactly(*bound) * &point[2] <= value, "seed {seed}: {bound}");
                        compared += 1;
                    }
                    let value = value.to_f64() / point[2].to_f64();
                    least = Some(least.map_or(value, |least| least.min(value)));
                }
            }
            if let Ok(f) = &f {
                near += usize::from(least.is_some_and(|least| least - f < 0.1));
            }
            let lifted: usize = form.lifted.iter().filter(|l| !l.elements.is_empty()).count();
            deep += usize::from(lifted > 1 && f.is_ok());
            balls += usize::from(form.ball > 0.0);
            goals += usize::from(float.goal.is_some());
            if float.goal.is_some() && f.is_ok() && e.is_ok() {
                // A lemma that the leaf proves, in force from now on.
                let step = Step::Quadratic(Box::new(form.clone()));
                float.step(&step).unwrap();
                exact.step(&step).unwrap();
                unsafe_only |= form.form.lambda.iter().any(|l| *l > 0.0);
                assert!(float.up() && exact.up());
                if float.goal.is_some() {
                    // Its proof has another part.
                    break;
                }
                cases.truncate(outside);
                lemmas += 1;
                continue;
            }
            let step = random_step(&mut rng, &float);
            if float.goal.is_none() && !matches!(step, Step::Clip { .. }) {
                steps.push(step);
            }
        }
    }
    let counts = [compared, near, goals, lemmas, balls, deep];
    assert!(counts.into_iter().zip([10_000, 200, 50, 50, 50, 200]).all(|(count, least)| count > least), "{counts:?}");
}
