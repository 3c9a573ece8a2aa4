//! Bounds that are known: by hand, where everything is stable, and where convolutions are written out as matrices.

use super::*;
use crate::{LinearForm, Propagation, Tier};
use unmoved_ir::testing::{Recipe, random_network};
use unmoved_ir::{Builder, DType, Dense, Network, NodeId, Op, Tensor, lower_max_pool};

fn dense(weight: &[f32], bias: &[f32]) -> Op {
    let dims = [bias.len(), weight.len() / bias.len()];
    let weight = Tensor::f32(&dims, weight.to_vec()).unwrap();
    Op::Dense(Dense::new(weight, Tensor::f32(&[bias.len()], bias.to_vec()).unwrap()).unwrap())
}

fn close(found: f64, expected: f64) {
    assert!(found <= expected && found >= expected - 1e-12, "{found}, not just below {expected}");
}

/// `y0 = relu(x0 + x1 + 1) - relu(x0 - x1)` and `y1 = relu(..) + relu(..)` on `[-1, 1]^2`.
#[test]
fn crown_by_hand() {
    let mut b = Builder::new();
    let x = b.input("x", &[2], DType::F32).unwrap();
    let z = b.push("z", dense(&[1.0, 1.0, 1.0, -1.0], &[1.0, 0.0]), &[x]).unwrap();
    let h = b.push("h", Op::Relu, &[z]).unwrap();
    let y = b.push("y", dense(&[1.0, -1.0, 1.0, 1.0], &[0.0, 0.25]), &[h]).unwrap();
    let lowered = lower_max_pool(&b.finish(y).unwrap()).unwrap();
    let ends = |v: i64| vec![Rational::from(v); 2];
    let region = InputRegion::boxed(ends(-1), ends(1)).unwrap();
    let mut p = Propagation::new(&lowered, &region, Tier::Linear);
    assert_eq!((&p.bounds(z).lower, &p.bounds(z).upper), (&vec![-1.0, -2.0], &vec![3.0, 2.0]));
    assert_eq!((&p.bounds(y).lower, &p.bounds(y).upper), (&vec![-2.0, 0.25], &vec![3.0, 5.25]));
    let form = |k, c| LinearForm::element(y, k, c);
    let found = p.minima(&[form(0, 1.0), form(0, -1.0), form(1, 1.0), form(1, -1.0)]);
    // y0 >= z0 - (z1 / 2 + 1) = x0 / 2 + 3 x1 / 2, since z0 may reach further up than down, and -2 .. 2 has chord 1/2.
    close(found[0], -2.0);
    // y0 <= (3 z0 + 3) / 4 - 0 = 3/4 x0 + 3/4 x1 + 3/2.
    close(found[1], -3.0);
    // y1 >= z0 + 0 + 1/4 = x0 + x1 + 5/4.
    close(found[2], -0.75);
    // y1 <= (3 z0 + 3) / 4 + (z1 / 2 + 1) + 1/4 = 5/4 x0 + 1/4 x1 + 11/4.
    close(found[3], -4.25);
    // A form over several values: y0 - z0 + z1 >= -1/2 z1 - 1 + z1, and z1 >= -2.
    let path = LinearForm { terms: vec![(y, 0, 1.0), (z, 0, -1.0), (z, 1, 1.0)], ..LinearForm::default() };
    close(p.minima(&[path])[0], -2.0);
}

#[test]
fn stable_networks_lose_nothing() {
    let mut found = 0;
    for seed in 0..60 {
        let mut rng = Rng(seed);
        let network = random_network(&mut rng, &Recipe { nodes: 5, ..Recipe::default() });
        let lowered = lower_max_pool(&network).unwrap();
        let centre: Vec<f64> = (0..24).map(|_| f64::from(rng.unit() as f32)).collect();
        let norm = [Norm::Linf, Norm::L1, Norm::L2][rng.below(3)];
        let region = InputRegion::ball(centre.clone(), norm, "1e-4".parse().unwrap(), None).unwrap();
        let mut p = Propagation::new(&lowered, &region, Tier::Linear);
        if p.unstable() > 0 {
            continue;
        }
        found += 1;
        // There the network is linear: take its slopes from differences of exact values.
        let at =
            |x: &[f64]| lowered.network.forward(&x.iter().map(|&v| Exact::from_f64(v)).collect::<Vec<_>>()).unwrap();
        let (y, step) = (at(&centre), 2f64.powi(-20));
        for k in 0..network.output_len() {
            let slope: Vec<f64> = (0..24)
                .map(|i| {
                    let mut x = centre.clone();
                    x[i] += step;
                    (&at(&x)[k] - &y[k]).to_f64() / step
                })
                .collect();
            let reach = match norm {
                Norm::Linf => slope.iter().map(|s| s.abs()).sum(),
                Norm::L1 => slope.iter().fold(0.0f64, |m, s| m.max(s.abs())),
                Norm::L2 => slope.iter().map(|s| s * s).sum::<f64>().sqrt(),
            };
            let minimum = p.minima(&[LinearForm::element(lowered.network.output(), k, 1.0)])[0];
            let expected = y[k].to_f64() - 1e-4 * reach;
            assert!((minimum - expected).abs() <= 1e-9 * (1.0 + expected.abs()), "seed {seed}: {minimum}, {expected}");
        }
    }
    assert!(found > 10, "{found}");
}

/// The same network with every convolution as a dense layer: no windows, no taps.
fn without_convolutions(network: &Network) -> Network {
    let mut b = Builder::new();
    let mut ids = vec![b.input("x", network.input().shape.dims(), network.input_dtype()).unwrap()];
    for node in &network.nodes()[1..] {
        let inputs: Vec<NodeId> = node.inputs.iter().map(|i| ids[i.0]).collect();
        if !matches!(node.op, Op::Conv2d(_)) {
            ids.push(b.push(&node.name, node.op.clone(), &inputs).unwrap());
            continue;
        }
        let shape = network.node(node.inputs[0]).shape.clone();
        let mut alone = Builder::new();
        let x = alone.input("x", shape.dims(), DType::F64).unwrap();
        let y = alone.push("y", node.op.clone(), &[x]).unwrap();
        let alone = alone.finish(y).unwrap();
        let bias = alone.forward(&vec![0.0; shape.len()]).unwrap();
        let mut weight = vec![0.0; bias.len() * shape.len()];
        for i in 0..shape.len() {
            let mut unit = vec![Exact::ZERO; shape.len()];
            unit[i] = Exact::from_f64(1.0);
            for (k, (v, b)) in alone.forward(&unit).unwrap().iter().zip(&bias).enumerate() {
                weight[k * shape.len() + i] = (v - &Exact::from_f64(*b)).to_f64();
            }
        }
        let weight = Tensor::f64(&[bias.len(), shape.len()], weight).unwrap();
        let dense = Dense::new(weight, Tensor::f64(&[bias.len()], bias).unwrap()).unwrap();
        let flat = b.reshape(&format!("{}.flat", node.name), inputs[0], &[shape.len()]).unwrap();
        let y = b.push(&format!("{}.dense", node.name), Op::Dense(dense), &[flat]).unwrap();
        ids.push(b.reshape(&node.name, y, node.shape.dims()).unwrap());
    }
    b.finish(ids[network.output().0]).unwrap()
}

#[test]
fn windows_reach_everything_that_matters() {
    for seed in 0..80 {
        let mut rng = Rng(500 + seed);
        let network = random_network(&mut rng, &Recipe { max_pool: seed % 2 == 0, ..Recipe::default() });
        let region = random_region(&mut rng, network.input().shape.len());
        let outputs = |network: &Network| {
            let lowered = lower_max_pool(network).unwrap();
            let mut p = Propagation::new(&lowered, &region, Tier::Linear);
            let y = lowered.network.output();
            let forms: Vec<_> = (0..3).flat_map(|k| [1.0, -1.0].map(|c| LinearForm::element(y, k, c))).collect();
            (p.minima(&forms), p.unstable())
        };
        let ((windows, unstable), (dense, same)) = (outputs(&network), outputs(&without_convolutions(&network)));
        // Max-pools are lowered with convolutions too, so only their outputs are compared, not how they come about.
        assert_eq!(unstable, same, "seed {seed}");
        for (a, b) in windows.iter().zip(&dense) {
            assert!((a - b).abs() <= 1e-9 * (1.0 + a.abs()), "seed {seed}: {a} and {b}");
        }
    }
}
