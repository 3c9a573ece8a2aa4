//! Exact values of points inside never leave the bounds.

use super::*;
use crate::{Bounds, LinearForm, Phase, Propagation, Tier};
use unmoved_ir::testing::{Recipe, random_network};
use unmoved_ir::{Builder, Conv2d, Data, Dense, Lowered, Network, NodeId, Op, Tensor, lower_max_pool};

fn assert_contains(p: &Propagation<'_>, values: &[Vec<Exact>], what: &str) {
    for (k, values) in values.iter().enumerate() {
        let bounds = p.bounds(NodeId(k));
        for (i, v) in values.iter().enumerate() {
            let (l, u) = (bounds.lower[i], bounds.upper[i]);
            assert!(within(l, v, u), "{what}, node {k}, element {i}: {} not in {l} .. {u}", v.to_f64());
        }
    }
}

/// Terms at any nodes, often several at one, and often along one path.
fn random_form(rng: &mut Rng, network: &Network) -> LinearForm {
    let mut form = LinearForm { constant: rng.signed(), ..LinearForm::default() };
    for _ in 0..1 + rng.below(4) {
        let node = NodeId(rng.below(network.nodes().len()));
        form.terms.push((node, rng.below(network.node(node).shape.len()), rng.signed()));
    }
    form
}

fn value(form: &LinearForm, values: &[Vec<Exact>]) -> Exact {
    let terms = form.terms.iter().map(|&(n, k, c)| &Exact::from_f64(c) * &values[n.0][k]);
    terms.fold(Exact::from_f64(form.constant), |s, t| &s + &t)
}

fn check_network(seed: u64, recipe: &Recipe, points: usize) {
    let mut rng = Rng(seed);
    let network = random_network(&mut rng, recipe);
    let lowered = lower_max_pool(&network).unwrap();
    let region = random_region(&mut rng, network.input().shape.len());
    let interval = Propagation::new(&lowered, &region, Tier::Interval);
    let mut linear = Propagation::new(&lowered, &region, Tier::Linear);
    for k in 0..lowered.network.nodes().len() {
        let (a, b): (&Bounds, &Bounds) = (interval.bounds(NodeId(k)), linear.bounds(NodeId(k)));
        assert!((0..a.len()).all(|i| a.lower[i] <= b.lower[i] && b.upper[i] <= a.upper[i]), "seed {seed}: looser");
    }
    let forms: Vec<LinearForm> = (0..11).map(|_| random_form(&mut rng, &lowered.network)).collect();
    let minima = linear.minima(&forms);
    assert_eq!(linear.minima(&forms), minima, "a pass leaves nothing behind");
    if recipe.scale < 1.0 {
        // Only the error terms know which others were in the batch.
        let alone = linear.minima(&forms[9..]);
        let same = alone.iter().zip(&minima[9..]).all(|(a, b)| (a - b).abs() <= 1e-9 * (1.0 + a.abs()));
        assert!(same, "seed {seed}: lanes mix");
    }
    for _ in 0..points {
        let values = lowered.network.trace(&random_point(&mut rng, &region)).unwrap();
        assert_contains(&interval, &values, &format!("seed {seed}, intervals"));
        assert_contains(&linear, &values, &format!("seed {seed}, linear"));
        for (form, &minimum) in forms.iter().zip(&minima) {
            assert!(within(minimum, &value(form, &values), f64::INFINITY), "seed {seed}: {form:?} >= {minimum}");
        }
    }
}

#[test]
fn random_networks() {
    for seed in 0..150 {
        check_network(seed, &Recipe { nodes: 3 + seed as usize % 8, ..Recipe::default() }, 6);
    }
}

#[test]
fn magnitudes_far_apart() {
    for seed in 0..60 {
        let scale = [1e30, 1e-30, 1e10, 1e-37][seed as usize % 4];
        check_network(1000 + seed, &Recipe { scale, ..Recipe::default() }, 4);
    }
}

/// The network with every weight as far from the stored one as its slack allows, but for rounding.
fn at_the_end_of_its_slack(network: &Network, rng: &mut Rng) -> Network {
    let mut b = Builder::new();
    b.input("x", network.input().shape.dims(), network.input_dtype()).unwrap();
    let mut moved = |t: &Tensor, rows: usize, by: &dyn Fn(usize, f64) -> f64| {
        let (v, per_row) = (t.to_f64(), t.shape().len() / rows);
        let v = v.iter().enumerate().map(|(k, v)| v + 0.999 * rng.signed().signum() * by(k / per_row, *v)).collect();
        Tensor::new(t.shape().dims(), Data::F64(std::sync::Arc::new(v))).unwrap()
    };
    for node in &network.nodes()[1..] {
        let op = match &node.op {
            Op::Dense(d @ Dense { slack: Some(s), .. }) => {
                let weight = moved(&d.weight, d.outputs(), &|row, w| s.weight[row] * w.abs());
                let bias = moved(&d.bias, d.outputs(), &|row, _| s.bias[row]);
                Op::Dense(Dense { weight, bias, slack: None })
            }
            Op::Conv2d(c @ Conv2d { slack: Some(s), .. }) => {
                let weight = moved(&c.weight, c.outputs(), &|row, w| s.weight[row] * w.abs());
                let bias = moved(&c.bias, c.outputs(), &|row, _| s.bias[row]);
                Op::Conv2d(Conv2d { weight, bias, slack: None, ..c.clone() })
            }
            op => op.clone(),
        };
        b.push(&node.name, op, &node.inputs).unwrap();
    }
    b.finish(network.output()).unwrap()
}

#[test]
fn slack_covers_all_networks_that_the_file_may_mean() {
    let mut with_slack = 0;
    for seed in 0..60 {
        let mut rng = Rng(2000 + seed);
        let network = random_network(&mut rng, &Recipe { slack: Some(0.02), ..Recipe::default() });
        with_slack += usize::from(network.has_slack());
        let lowered = lower_max_pool(&network).unwrap();
        let region = random_region(&mut rng, network.input().shape.len());
        let p = [Tier::Interval, Tier::Linear].map(|tier| Propagation::new(&lowered, &region, tier));
        for _ in 0..4 {
            let meant = lower_max_pool(&at_the_end_of_its_slack(&network, &mut rng)).unwrap();
            assert_eq!(meant.network.nodes().len(), lowered.network.nodes().len());
            let values = meant.network.trace(&random_point(&mut rng, &region)).unwrap();
            p.iter().for_each(|p| assert_contains(p, &values, &format!("seed {seed}")));
        }
    }
    assert!(with_slack > 30);
}

/// The first few unstable pre-activations.
fn unstable(lowered: &Lowered, p: &Propagation<'_>) -> Vec<(NodeId, usize)> {
    let relus = lowered.network.nodes().iter().filter(|n| n.op == Op::Relu);
    let all = relus.flat_map(|n| p.bounds(n.inputs[0]).unstable().map(|k| (n.inputs[0], k)).collect::<Vec<_>>());
    all.take(3).collect()
}

#[test]
fn splits_hold_for_the_points_on_their_side() {
    let mut checked = 0;
    for seed in 0..80 {
        let mut rng = Rng(3000 + seed);
        let network = random_network(&mut rng, &Recipe::default());
        let lowered = lower_max_pool(&network).unwrap();
        let region = random_region(&mut rng, network.input().shape.len());
        let splits = unstable(&lowered, &Propagation::new(&lowered, &region, Tier::Linear));
        for active in [false, true] {
            let mut p = Propagation::new(&lowered, &region, Tier::Linear);
            for &(id, k) in &splits {
                let (l, u) = if active { (0.0, f64::INFINITY) } else { (f64::NEG_INFINITY, 0.0) };
                p.intersect(id, k, l, u);
                assert_ne!(p.bounds(id).phase(k), Phase::Unstable);
                p.refresh_after(id);
            }
            let forms: Vec<LinearForm> = (0..8).map(|_| random_form(&mut rng, &lowered.network)).collect();
            let minima = p.minima(&forms);
            for _ in 0..15 {
                let values = lowered.network.trace(&random_point(&mut rng, &region)).unwrap();
                let on_side = |&(id, k): &(NodeId, usize)| {
                    (values[id.0][k].signum() >= 0) == active || values[id.0][k].signum() == 0
                };
                if splits.iter().all(on_side) {
                    checked += usize::from(!splits.is_empty());
                    assert_contains(&p, &values, &format!("seed {seed}"));
                    for (form, &minimum) in forms.iter().zip(&minima) {
                        assert!(within(minimum, &value(form, &values), f64::INFINITY), "seed {seed}");
                    }
                }
            }
        }
    }
    assert!(checked > 50, "{checked}");
}
