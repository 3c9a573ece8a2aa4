//! The worst margin by enumeration: for each assignment of phases to all ReLUs the network is affine, and a small linear program
//! over the input alone finds its minimum. Shares nothing with the encoding: no big-M, no bounds, no layers.
#![cfg(feature = "microlp")]

mod common;

use common::{Case, random::random_case};
use unmoved_core::{Column, Cost, GoodLp, Limits, Milp, Objective, Quantity, Row, Sense, Solver, Status};
use unmoved_ir::{Builder, DType, Network, NodeId, Op};
use unmoved_property::{Norm, RegionKind};

/// An affine function of the input: coefficients, then the constant.
type Affine = Vec<f64>;

/// An affine operator applied to affine functions: to their constants as it is, to their coefficients without its own
/// constant, which is its value at zero.
fn apply(network: &Network, id: NodeId, inputs: &[&Vec<Affine>], constant: usize) -> Vec<Affine> {
    let column = |j: usize| -> Vec<f64> {
        let part = |v: &Vec<Affine>| v.iter().map(|f| f[j]).collect::<Vec<f64>>();
        if network.node(id).op == Op::Add {
            return part(inputs[0]).iter().zip(part(inputs[1])).map(|(a, b)| a + b).collect();
        }
        let x = part(inputs[0]);
        let at_zero = node_forward(network, id, &vec![0.0; x.len()]);
        let y = node_forward(network, id, &x);
        if j == constant { y } else { y.iter().zip(at_zero).map(|(y, c)| y - c).collect() }
    };
    let columns: Vec<Vec<f64>> = (0..=constant).map(column).collect();
    (0..columns[0].len()).map(|k| columns.iter().map(|c| c[k]).collect()).collect()
}

/// One node as a network of its own.
fn node_forward(network: &Network, id: NodeId, x: &[f64]) -> Vec<f64> {
    let node = network.node(id);
    let mut b = Builder::new();
    let input = b.input("x", network.node(node.inputs[0]).shape.dims(), DType::F64).unwrap();
    let y = b.push("y", node.op.clone(), &[input]).unwrap();
    b.finish(y).unwrap().forward(x).unwrap()
}

/// The least `max_j g_j` over the inputs at which every ReLU has the phase that `pattern` says, or `None` if there are none.
fn minimum(case: &Case, disjunct: usize, pattern: u64) -> Option<f64> {
    let network = &case.lowered.network;
    let n = network.input().shape.len();
    let unit = |i: usize| (0..=n).map(|j| f64::from(u8::from(i == j))).collect::<Affine>();
    let mut values: Vec<Vec<Affine>> = vec![(0..n).map(unit).collect()];
    let mut rows: Vec<(Affine, Sense)> = Vec::new();
    let mut bit = 0;
    for (id, node) in network.iter().skip(1) {
        let inputs: Vec<&Vec<Affine>> = node.inputs.iter().map(|i| &values[i.0]).collect();
        let value = if node.op == Op::Relu {
            let phase = |z: &Affine| {
                bit += 1;
                let active = pattern >> (bit - 1) & 1 == 1;
                rows.push((z.clone(), if active { Sense::AtLeast } else { Sense::AtMost }));
                if active { z.clone() } else { vec![0.0; n + 1] }
            };
            inputs[0].iter().map(phase).collect()
        } else {
            apply(network, id, &inputs, n)
        };
        values.push(value);
    }
    let region = case.query.region();
    let b = region.enclosing_box();
    let column = |name: String, lower, upper| Column { name, lower, upper, integer: false, quantity: Quantity::Margin };
    let mut milp = Milp::default();
    milp.columns.extend((0..n).map(|i| column(format!("x{i}"), b.lower[i], b.upper[i])));
    milp.columns.push(column("margin".into(), -1e4, 1e4));
    for c in &case.query.unsafe_set()[disjunct].0 {
        let mut g = vec![0.0; n + 1];
        g[n] = c.constant.to_f64();
        let outputs = c.outputs.iter().map(|(k, a)| (&values[network.output().0][*k], a));
        for (v, a) in outputs.chain(c.inputs.iter().map(|(k, a)| (&values[0][*k], a))) {
            g.iter_mut().zip(v).for_each(|(g, v)| *g += a.to_f64() * v);
        }
        // The margin is column n, where the constant of a function stands.
        rows.push((g, Sense::Equal));
    }
    for (k, (f, sense)) in rows.into_iter().enumerate() {
        let mut terms: Vec<(usize, f64)> = (0..n).map(|i| (i, f[i])).collect();
        let sense = if sense == Sense::Equal {
            terms.push((n, -1.0));
            Sense::AtMost
        } else {
            sense
        };
        milp.rows.push(Row { name: format!("r{k}"), terms, sense, rhs: -f[n] });
    }
    if let RegionKind::Ball { centre, norm: Norm::L1, eps, .. } = region.kind() {
        // All sign patterns of the l1 ball: no auxiliary columns.
        for signs in 0..1u32 << n {
            let sign = |i: usize| if signs >> i & 1 == 1 { 1.0 } else { -1.0 };
            let terms: Vec<(usize, f64)> = (0..n).map(|i| (i, sign(i))).collect();
            let rhs = eps.to_f64() + (0..n).map(|i| sign(i) * centre[i]).sum::<f64>();
            milp.rows.push(Row { name: format!("l1.{signs}"), terms, sense: Sense::AtMost, rhs });
        }
    }
    milp.cost = Cost { terms: vec![(n, 1.0)], constant: 0.0 };
    let solution = GoodLp::microlp().solve(&milp, &Limits::default()).unwrap();
    match solution.status {
        Status::Optimal => solution.cost,
        Status::Infeasible => None,
        other => panic!("{other:?}"),
    }
}

fn worst(case: &Case) -> f64 {
    let all: Vec<usize> = (0..case.query.unsafe_set().len()).collect();
    let disjuncts = case.disjuncts.clone().unwrap_or(all);
    let patterns = 1u64 << case.lowered.network.relus();
    let minima = disjuncts.iter().flat_map(|&i| (0..patterns).filter_map(move |p| minimum(case, i, p)));
    minima.fold(f64::INFINITY, f64::min)
}

#[test]
fn the_worst_margin_is_that_of_the_enumeration() {
    let mut compared = 0;
    for seed in 0..200 {
        let mut case = random_case(seed);
        if case.query.network().has_slack() || case.lowered.network.relus() > 7 {
            continue;
        }
        case.objective = Objective::Worst;
        let solution = GoodLp::microlp().solve(&case.milp(), &Limits::default()).unwrap();
        assert_eq!(solution.status, Status::Optimal, "seed {seed}");
        let (cost, expected) = (solution.cost.unwrap(), worst(&case));
        assert!((cost - expected).abs() < 1e-6, "seed {seed}: {cost}, enumeration {expected}");
        compared += 1;
    }
    assert!(compared > 20, "only {compared} networks were small enough");
    for name in ["dense_relu", "gather_zeros", "l1_ball", "max_pool", "residual_add", "worst_over_targets"] {
        let case = Case::read(format!("tests/cases/{name}.unm").as_ref());
        let cost = GoodLp::microlp().solve(&case.milp(), &Limits::default()).unwrap().cost.unwrap();
        assert!((cost - worst(&case)).abs() < 1e-7, "{name}: {cost}, enumeration {}", worst(&case));
    }
}
