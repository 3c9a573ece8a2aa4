//! Leaves that wait are bounded side by side, each with its own splits and multipliers: that changes no bound and no answer.

use super::batches::convolutional;
use super::support::*;
use crate::check::{Checker, Goal};
use crate::queue::Job;
use crate::real::Real;
use crate::*;
use unmoved_ir::testing::Rng;
use unmoved_ir::{Exact, NodeId};
use unmoved_property::{Conjunction, Query};

/// A query with so many disjuncts, each of two constraints that hold nowhere by far.
fn query(rng: &mut Rng, seed: u64, disjuncts: usize) -> Query {
    let network = match seed % 3 {
        0 => network(rng, seed.is_multiple_of(2)),
        1 => convolutional(rng),
        _ => small(rng),
    };
    let inputs = network.input().shape.len();
    let region = region(rng, inputs);
    let mut one = || {
        let mut g = constraint(rng, inputs, network.output_len());
        g.constant = exactly(300.0);
        g
    };
    let unsafe_set = (0..disjuncts).map(|_| Conjunction(vec![one(), one()])).collect();
    Query::new(network.clone(), region, unsafe_set).unwrap()
}

/// Some element of some tabled node, decided or not.
fn any(rng: &mut Rng, checker: &Checker<'_, f64, 8>) -> (NodeId, u32) {
    let nodes = checker.prover.layers.tabled_nodes();
    let node = if nodes.is_empty() { NodeId(0) } else { nodes[rng.below(nodes.len())] };
    (node, rng.below(checker.prover.layers.nodes[node.0].image.len()) as u32)
}

/// The bounds of leaves side by side, and one by one upon tables that are theirs alone.
fn both_ways<R: Real, const B: usize>(checker: &mut Checker<'_, R, B>, jobs: &[Job<'_>]) -> [Vec<f64>; 2] {
    let together = checker.prover.bounds(jobs);
    let alone = jobs.iter().map(|job| {
        let before = checker.prover.table.changes();
        for case in &job.cases {
            checker.prover.table.tighten(case.node as usize, case.index as usize, case.lower, case.upper);
        }
        let alone = Job { combined: job.combined.clone(), cases: Vec::new(), ..*job };
        let [bound] = checker.prover.bounds(&[alone])[..] else { panic!("one leaf, one bound") };
        checker.prover.table.restore(before);
        bound
    });
    let alone = alone.collect();
    [together, alone]
}

#[test]
fn leaves_with_their_own_splits_and_multipliers_share_a_walk() {
    let (mut compared, mut special) = (0, 0);
    for seed in 0..150 {
        let mut rng = Rng(12_000 + seed);
        let query = query(&mut rng, seed, 1);
        let mut float = Checker::<f64, 8>::new(&query).unwrap().with_threads(1 + seed as usize % 3);
        let mut exact = Checker::<Exact, 3>::new(&query).unwrap();
        let nodes = float.prover.layers.tabled_nodes();
        if seed % 2 == 0 && !nodes.is_empty() {
            float.step(&Step::Recompute { nodes: nodes.clone() }).unwrap();
        }
        float.prover.table.settle();
        exact.prover.table.rows = float.prover.table.rows.clone();
        let forms: Vec<LinearForm> = (0..1 + rng.below(20)).map(|_| form(&mut rng, &float)).collect();
        let mut jobs = Vec::new();
        for form in &forms {
            for _ in 0..rng.below(6) {
                // Mostly undecided elements; else the table may be empty.
                let (node, index) = if rng.below(6) == 0 { any(&mut rng, &float) } else { element(&mut rng, &float) };
                let row = float.prover.table.rows[node.0].as_ref().unwrap();
                let (l, u) = (row.lower[index as usize], row.upper[index as usize]);
                let at = if node == NodeId(0) || rng.below(4) == 0 { l + (u - l) * rng.unit() } else { 0.0 };
                let ends = if rng.below(2) == 0 { (at, f64::INFINITY) } else { (f64::NEG_INFINITY, at) };
                float.prover.table.tighten(node.0, index as usize, ends.0, ends.1);
            }
            let mut job = float.leaf(0, form).unwrap();
            job.cases = float.prover.table.since(0);
            if rng.below(3) == 0 {
                let (node, index) = any(&mut rng, &float);
                let side = if rng.below(2) == 0 { Side::Lower } else { Side::Upper };
                job.goal = Some(Goal { node: node.0, index: index as usize, side, least: f64::INFINITY });
            }
            special += job.cases.len();
            float.prover.table.restore(0);
            jobs.push(job);
        }
        let [together, alone] = both_ways(&mut exact, &jobs);
        for (together, alone) in together.iter().zip(&alone) {
            // Nothing rounds but the coefficients, and what that may have done is measured on the table that all share.
            let lost = alone - together;
            assert!((0.0..=1e-13 * (1.0 + alone.abs())).contains(&lost), "seed {seed}: {together} {alone}");
        }
        let floats = both_ways(&mut float, &jobs);
        for (bound, exact) in floats.iter().flat_map(|bounds| bounds.iter().zip(&together)) {
            assert!((bound - exact).abs() < 1e-9 * (1.0 + exact.abs()), "seed {seed}: {bound} {exact}");
            compared += 1;
        }
        assert_eq!(float.prover.bounds(&jobs), floats[0], "seed {seed}: a walk leaves no trace");
    }
    assert!(compared > 2000 && special > 1000, "{compared} {special}");
}

/// A tree of random steps; few of them are wrong.
fn tree(rng: &mut Rng, checker: &Checker<'_, f64, 8>, depth: usize, steps: &mut Vec<Step>) {
    let nodes = checker.prover.layers.tabled_nodes();
    let (node, index) = any(rng, checker);
    let input = checker.prover.table.input();
    match if depth == 0 { 9 } else { rng.below(12) } {
        0 => {
            let i = rng.below(input.lower.len());
            // Outside the bounds if it has been cut elsewhere.
            let at =
                input.lower[i] + (input.upper[i] - input.lower[i]) * [0.5, 0.25, 0.75][rng.below(3).min(depth % 3)];
            steps.push(Step::SplitInput { index: i as u32, at });
            tree(rng, checker, depth - 1, steps);
            tree(rng, checker, depth - 1, steps);
        }
        1 => {
            steps.push(Step::Lemma { node, index, side: if rng.below(2) == 0 { Side::Lower } else { Side::Upper } });
            tree(rng, checker, depth - 1, steps);
            tree(rng, checker, depth - 1, steps);
        }
        2 => {
            steps.push(Step::Recompute { nodes: nodes.into_iter().filter(|_| rng.below(2) == 0).collect() });
            tree(rng, checker, depth - 1, steps);
        }
        3..=7 => {
            steps.push(Step::SplitRelu { node, index });
            tree(rng, checker, depth - 1, steps);
            tree(rng, checker, depth - 1, steps);
        }
        _ => {
            let mut lambda = vec![rng.unit(), 0.01 + rng.unit()];
            match rng.below(300) {
                0 => lambda.push(1.0),
                1 => lambda = vec![0.0, 0.0],
                2 => lambda[0] = -1.0,
                3 => return steps.push(Step::Empty),
                _ => {}
            }
            let multipliers = if rng.below(2) == 0 { multipliers(rng, checker) } else { Vec::new() };
            steps.push(Step::Linear(LinearForm { lambda, multipliers }));
        }
    }
}

/// Every step with its bound before the next.
fn one_by_one<R: Real, const B: usize>(
    mut checker: Checker<'_, R, B>,
    steps: &[Step],
) -> Result<(usize, usize, f64), Refusal> {
    for (number, step) in steps.iter().enumerate() {
        let finished = checker.step(step).map_err(|wrong| Refusal::Step { step: number, wrong })?;
        if finished && !checker.up() {
            let Accepted { leaves, margin, .. } = checker.accepted;
            return if number + 1 == steps.len() {
                Ok((number + 1, leaves, margin))
            } else {
                Err(Refusal::ExtraStep(number + 1))
            };
        }
    }
    Err(Refusal::MissingStep(steps.len()))
}

/// The same answer but for the last digits of bounds.
fn same(one: &Result<Accepted, Refusal>, other: &Result<(usize, usize, f64), Refusal>, seed: u64) {
    match (one, other) {
        (Ok(Accepted { steps, leaves, margin }), Ok(other)) => {
            assert_eq!((*steps, *leaves), (other.0, other.1), "seed {seed}");
            assert!(*margin == other.2 || (margin - other.2).abs() < 1e-9, "seed {seed}: {margin} {}", other.2);
        }
        (Err(one), Err(other)) => {
            let name = |refusal: &Refusal| match refusal {
                Refusal::Step { step, wrong } => format!("{step} {:?}", std::mem::discriminant(wrong)),
                other => other.to_string(),
            };
            assert_eq!(name(one), name(other), "seed {seed}");
        }
        _ => panic!("seed {seed}: {one:?} {other:?}"),
    }
}

#[test]
fn answers_do_not_depend_on_who_waits_for_whom() {
    let (mut accepted, mut refused, mut leaves) = (0, 0, 0);
    for seed in 0..200 {
        let mut rng = Rng(12_500 + seed);
        let disjuncts = 1 + rng.below(4);
        let query = query(&mut rng, seed, disjuncts);
        let new = || Checker::<f64, 8>::new(&query).unwrap();
        let mut steps = vec![Step::SplitDisjuncts];
        for _ in 0..disjuncts {
            tree(&mut rng, &new(), 5, &mut steps);
        }
        match rng.below(40) {
            0 => drop(steps.pop()),
            1 => steps.push(Step::Empty),
            _ => {}
        }
        let one = new().run(0, &steps);
        for threads in [2, 5] {
            assert_eq!(new().with_threads(threads).run(0, &steps), one, "seed {seed}");
        }
        same(&one, &one_by_one(new(), &steps), seed);
        match &one {
            Ok(one) => (accepted, leaves) = (accepted + 1, leaves + one.leaves),
            Err(_) => refused += 1,
        }
        if steps.len() < 60 {
            let alone = one_by_one(Checker::<Exact, 1>::new(&query).unwrap(), &steps);
            same(&Checker::<Exact, 1>::new(&query).unwrap().run(0, &steps), &alone, seed);
            same(&Checker::<Exact, 3>::new(&query).unwrap().run(0, &steps), &alone, seed);
        }
    }
    assert!(accepted > 50 && refused > 30 && leaves > 2000, "{accepted} {refused} {leaves}");
}

/// Cuts of the first input of the tiny network, one within the other, so that all waits for the innermost (`inward`) or each for its leaf.
fn cuts(count: usize, inward: bool) -> Vec<Step> {
    let at = |k: usize| 0.5 + 0.125 * (1.0 - 2.0 * k as f64 / (count + 1) as f64) * if inward { 1.0 } else { -1.0 };
    let mut steps = vec![Step::SplitDisjuncts];
    for k in 1..=count {
        steps.push(Step::SplitInput { index: 0, at: at(k) });
        if !inward {
            steps.push(leaf(1));
        }
    }
    let left = if inward { count + 1 } else { 1 };
    steps.extend(std::iter::repeat_with(|| leaf(1)).take(left));
    steps
}

#[test]
fn the_first_wrong_leaf_is_the_one_that_is_named() {
    let query = tiny_query("1/8");
    for (count, inward) in [(3, true), (20, false), (700, true), (700, false)] {
        let good = cuts(count, inward);
        let new = || Checker::<f64, 8>::new(&query).unwrap();
        let said = new().run(0, &good).unwrap();
        assert_eq!((said.steps, said.leaves), (good.len(), count + 1));
        assert_eq!(one_by_one(new(), &good).unwrap().1, count + 1);
        for threads in [2, 3] {
            assert_eq!(new().with_threads(threads).run(0, &good), Ok(said));
        }
        let leaves: Vec<usize> = (0..good.len()).filter(|&k| matches!(good[k], Step::Linear(_))).collect();
        for wrong in [0, 1, leaves.len() / 2, leaves.len() - 2, leaves.len() - 1].map(|k| leaves[k]) {
            let mut steps = good.clone();
            // Not positive; and later worse things, of which nothing is said.
            steps[wrong] = leaf(0);
            for later in 0..3 {
                match later {
                    0 => {}
                    1 => steps.truncate(wrong + 2),
                    _ => steps.insert(wrong + 1, Step::SplitInput { index: 9, at: 0.0 }),
                }
                for arithmetic in [Arithmetic::Float, Arithmetic::Exact] {
                    if arithmetic == Arithmetic::Exact && count > 20 {
                        continue;
                    }
                    let refused = check(&query, &Certificate::new(&query, steps.clone()), arithmetic);
                    assert!(
                        matches!(refused, Err(Refusal::Step { step, wrong: WrongStep::NotPositive { .. } }) if step == wrong),
                        "{count} {inward} {wrong} {later}: {refused:?}"
                    );
                }
            }
        }
        // A step that is wrong by itself comes before leaves after it, and after those before it that are right.
        let middle = leaves[leaves.len() / 2];
        let mut steps = good.clone();
        steps[middle] = leaf(2);
        steps[leaves[leaves.len() - 1]] = leaf(0);
        let wrong = WrongStep::LambdaCount { expected: 1, found: 2 };
        assert_eq!(new().with_threads(2).run(0, &steps), Err(Refusal::Step { step: middle, wrong }));
    }
}

#[test]
fn a_lemma_is_worth_the_least_of_many_leaves() {
    let query = tiny_query("1/8");
    let (node, index) = (NodeId(1), 0);
    for side in [Side::Lower, Side::Upper] {
        for inward in [true, false] {
            let mut steps = vec![Step::Lemma { node, index, side }];
            let cuts = cuts(600, inward);
            // The same tree; leaves without weights.
            steps.extend(cuts[1..].iter().map(|s| if matches!(s, Step::Linear(_)) { leaf(0) } else { s.clone() }));
            let bounds = |threads: usize| {
                let mut checker = Checker::<f64, 8>::new(&query).unwrap().with_threads(threads);
                checker.prover.table.rows[1].as_mut().unwrap().lower[0] = -9.0;
                checker.prover.table.rows[1].as_mut().unwrap().upper[0] = 9.0;
                assert_eq!(checker.walk(0, &steps), Ok(None));
                let row = checker.prover.table.rows[1].clone().unwrap();
                (row.lower[0], row.upper[0])
            };
            let (l, u) = bounds(1);
            assert_eq!(bounds(4), (l, u));
            // x0 - x1 around (1/2, 1/4).
            let (least, most) = if side == Side::Lower { (0.0, 9.0) } else { (-9.0, 0.5) };
            assert!((l - least).abs() < 1e-12 && (u - most).abs() < 1e-12, "{l} {u}");
            assert!(l <= least && u >= most);
        }
    }
}
