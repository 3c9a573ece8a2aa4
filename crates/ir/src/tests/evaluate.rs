//! `forward` in three arithmetics, and the lowering of max-pools.

use super::reference;
use crate::testing::{Recipe, Rng, random_network};
use crate::*;

fn random_input(rng: &mut Rng, n: usize) -> Vec<f32> {
    // Half of the elements from a grid, so that max-pools meet ties.
    (0..n).map(|_| if rng.below(2) == 0 { rng.below(3) as f32 - 1.0 } else { rng.signed() as f32 }).collect()
}

fn exact(x: &[f32]) -> Vec<Exact> {
    x.iter().map(|&v| Exact::from_f64(f64::from(v))).collect()
}

#[test]
fn exact_evaluation_is_the_definition() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..150 {
        let mut rng = Rng(seed);
        let network = random_network(&mut rng, &Recipe { nodes: 6, ..Recipe::default() });
        seen.extend(network.nodes().iter().map(|n| n.op.name()));
        let x = random_input(&mut rng, network.input().shape.len());
        let slow = reference::trace(&network, &exact(&x).iter().map(Exact::to_rational).collect::<Vec<_>>());
        let fast = network.trace(&exact(&x)).unwrap();
        for ((node, fast), slow) in network.nodes().iter().zip(&fast).zip(&slow) {
            assert!(fast.iter().map(Exact::to_rational).eq(slow.iter().cloned()), "seed {seed}, node {}", node.name);
        }
        assert_eq!(network.forward(&exact(&x)).unwrap(), fast[network.output().0]);
    }
    assert_eq!(seen.len(), 8, "every operator: {seen:?}");
}

#[test]
fn floats_come_close_to_the_exact_values() {
    for seed in 0..100 {
        let mut rng = Rng(seed);
        let network = random_network(&mut rng, &Recipe::default());
        let x = random_input(&mut rng, network.input().shape.len());
        let wide: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
        let (single, double) = (network.trace(&x).unwrap(), network.trace(&wide).unwrap());
        for (k, exact) in network.trace(&exact(&x)).unwrap().iter().enumerate() {
            // Magnitudes grow through the layers, and with them the roundings.
            let size = double[..=k].iter().flatten().fold(1.0f64, |m, v| m.max(v.abs()));
            for (i, e) in exact.iter().enumerate() {
                assert!((double[k][i] - e.to_f64()).abs() <= 1e-11 * size);
                assert!((f64::from(single[k][i]) - e.to_f64()).abs() <= 1e-3 * size);
            }
        }
    }
}

#[test]
fn forward_wants_the_right_number_of_values() {
    let network = random_network(&mut Rng(1), &Recipe::default());
    let wrong = network.forward(&[0.0f32; 5]);
    assert_eq!(wrong, Err(IrError::InputLength { expected: 24, found: 5 }));
}

#[test]
fn lowered_max_pools_have_the_same_values() {
    let mut maxima = 0;
    for seed in 0..200 {
        let mut rng = Rng(seed);
        let network = random_network(&mut rng, &Recipe { nodes: 7, ..Recipe::default() });
        let lowered = lower_max_pool(&network).unwrap();
        assert!(lowered.network.nodes().iter().all(|n| !matches!(n.op, Op::MaxPool(_))));
        let x = exact(&random_input(&mut rng, network.input().shape.len()));
        let (before, after) = (network.trace(&x).unwrap(), lowered.network.trace(&x).unwrap());
        for (k, value) in before.iter().enumerate() {
            assert_eq!(*value, after[lowered.origin[k].0], "seed {seed}, node {k}");
        }
        assert_eq!(network.forward(&x).unwrap(), lowered.network.forward(&x).unwrap());
        for m in &lowered.maxima {
            let Op::Gather(present) = &lowered.network.node(m.candidate).op else { panic!("candidates are gathered") };
            for (k, value) in after[m.value.0].iter().enumerate() {
                let mut largest = after[m.before.0][k].clone();
                if present.index[k].is_some() {
                    largest = largest.max(after[m.candidate.0][k].clone());
                }
                assert_eq!(*value, largest);
            }
            assert_eq!(lowered.maximum(m.value), Some(m));
            assert_eq!(lowered.maximum(m.candidate), None);
        }
        maxima += lowered.maxima.len();
    }
    assert!(maxima > 100);
}

#[test]
fn a_window_as_large_as_a_huge_image_is_not_lowered() {
    let mut b = Builder::new();
    let x = b.input("x", &[1, 8192, 8192], DType::F32).unwrap();
    let half = 4096;
    let pool = MaxPool { kernel: [half; 2], stride: [1; 2], padding: [0; 4], dilation: [1; 2] };
    let y = b.push("pool", Op::MaxPool(pool), &[x]).unwrap();
    let error = lower_max_pool(&b.finish(y).unwrap()).unwrap_err();
    assert!(matches!(error, IrError::Node { node, problem: NodeProblem::TooLarge(_) } if node == "pool"));
}
