//! What the examiner accepts piece by piece, the checker accepts as a whole, and the other way round.

use super::support::*;
use crate::check::Checker;
use crate::*;
use unmoved_ir::NodeId;
use unmoved_ir::testing::Rng;
use unmoved_property::{Conjunction, Query};

/// Steps that make sense one after the other, some of them wrong, some of them missing.
fn pieces(rng: &mut Rng, query: &Query) -> Vec<Step> {
    let checker = Checker::<f64, 8>::new(query).unwrap();
    let mut steps = Vec::new();
    for _ in 0..1 + rng.below(3) {
        match (rng.below(10), random_step(rng, &checker)) {
            (0, step) => steps.push(step),
            (1, _) => steps.extend([Step::SplitDisjuncts, leaf(1)]),
            (2, _) => steps.push(Step::Empty),
            (3, _) => steps.push(leaf(rng.below(3))),
            (4, _) => {
                let nodes = checker.prover.layers.tabled_nodes();
                steps.push(Step::Recompute { nodes });
            }
            _ => {
                let (node, index) = element(rng, &checker);
                let side = if rng.below(2) == 0 { Side::Lower } else { Side::Upper };
                steps.push(Step::Lemma { node, index, side });
                for split in 0..rng.below(3) {
                    let (node, index) = element(rng, &checker);
                    steps.push(Step::SplitRelu { node, index });
                    // One leaf more than splits.
                    if split == 0 {
                        steps.push(Step::Linear(LinearForm::default()));
                    }
                    steps.push(Step::Linear(LinearForm::default()));
                }
                if !matches!(steps.last(), Some(Step::Linear(_))) {
                    steps.push(Step::Linear(LinearForm::default()));
                }
                // Now and then a lemma whose proof splits the disjuncts.
                if rng.below(6) == 0 {
                    let last = steps.pop().unwrap();
                    steps.push(Step::SplitDisjuncts);
                    steps.extend(vec![last; query.unsafe_set().len()]);
                }
            }
        }
    }
    if rng.below(8) == 0 {
        steps.pop();
    }
    steps
}

#[test]
fn the_examiner_says_what_the_checker_says() {
    let (mut kept, mut dropped, mut accepted, mut refused) = (0, 0, 0, 0);
    for seed in 0..300 {
        let mut rng = Rng(9900 + seed);
        let network = if seed % 3 == 0 { network(&mut rng, seed % 2 == 0) } else { small(&mut rng) };
        let region = region(&mut rng, network.input().shape.len());
        // Nothing that a bound could not tell, most of the time.
        let mut disjunct = || {
            let mut g = constraint(&mut rng, network.input().shape.len(), network.output_len());
            g.constant = exactly(if rng.below(12) == 0 { 0.5 } else { 40.0 });
            Conjunction(vec![g])
        };
        let unsafe_set: Vec<Conjunction> = (0..1 + seed as usize % 3).map(|_| disjunct()).collect();
        let query = Query::new(network, region, unsafe_set).unwrap();
        let mut examiner = Examiner::new(&query).unwrap();
        let mut so_far: Vec<Step> = Vec::new();
        for _ in 0..6 {
            let before = examiner.bounds().to_vec();
            let steps = pieces(&mut rng, &query);
            // What a checker makes of all of it.
            let mut checker = Checker::<f64, 8>::new(&query).unwrap();
            assert_eq!(checker.walk(0, &so_far), Ok(None));
            let sound = checker.walk(so_far.len(), &steps) == Ok(None) && checker.open.is_empty();
            match examiner.extend(steps.clone()) {
                Ok(()) => {
                    assert!(sound, "seed {seed}: {steps:?}");
                    so_far.extend(steps);
                    assert!(checker.prover.table.rows == examiner.bounds(), "seed {seed}");
                    // The limit is that of the whole proof.
                    assert_eq!(examiner.checker.kept, checker.prover.table.changes(), "seed {seed}");
                    kept += 1;
                }
                Err(_) => {
                    assert!(!sound, "seed {seed}: {steps:?}");
                    assert!(before == examiner.bounds(), "seed {seed}");
                    dropped += 1;
                }
            }
            // A proof, and things that are none, upon the same table.
            let mut rest = vec![Step::SplitDisjuncts];
            rest.extend(vec![leaf(1); query.unsafe_set().len()]);
            match rng.below(6) {
                0 => rest.truncate(rest.len() - 1),
                1 => rest.push(leaf(1)),
                2 => rest = pieces(&mut rng, &query),
                3 => rest.insert(0, Step::SplitInput { index: 0, at: 1e9 }),
                _ => {}
            }
            let whole = Certificate::new(&query, so_far.iter().chain(&rest).cloned().collect());
            let said = check(&query, &whole, Arithmetic::Float);
            match examiner.finish(rest) {
                Ok(certificate) => {
                    assert_eq!(certificate, whole);
                    assert_eq!(Certificate::from_bytes(&certificate.to_bytes()).as_ref(), Ok(&whole));
                    assert!(said.is_ok(), "seed {seed}: {said:?}");
                    let exact = check(&query, &certificate, Arithmetic::Exact);
                    assert!(exact.is_ok(), "seed {seed}: {exact:?}");
                    accepted += 1;
                }
                Err(refusal) => {
                    assert_eq!(said, Err(refusal), "seed {seed}");
                    refused += 1;
                }
            }
        }
    }
    assert!(kept > 300 && dropped > 100 && accepted > 100 && refused > 300, "{kept} {dropped} {accepted} {refused}");
}

#[test]
fn minima_leave_no_trace() {
    let query = tiny_query("1/8");
    let mut examiner = Examiner::new(&query).unwrap();
    let proof = vec![Step::SplitDisjuncts, leaf(1)];
    let first = examiner.finish(proof.clone()).unwrap();
    let minima = examiner.minima(&[(0, vec![1.0]), (0, vec![1.0, 1.0]), (0, vec![-1.0]), (0, vec![])]);
    assert!(minima[0] > 0.0 && minima[1..3] == [f64::NEG_INFINITY; 2] && minima[3] <= 0.0, "{minima:?}");
    assert_eq!(examiner.finish(proof).unwrap(), first);
    // Nor does a lemma that is refused, wherever the refusal is.
    let lemma = Step::Lemma { node: NodeId(1), index: 0, side: Side::Lower };
    examiner.extend(vec![Step::Recompute { nodes: vec![NodeId(1)] }]).unwrap();
    // A refusal names the step as the whole proof numbers it.
    let refused = examiner.extend(vec![lemma.clone(), Step::Empty]);
    assert_eq!(refused, Err(Refusal::Step { step: 2, wrong: WrongStep::NotEmpty }));
    let before = examiner.bounds().to_vec();
    for steps in [
        vec![lemma.clone()],
        vec![lemma.clone(), Step::Empty],
        vec![Step::SplitDisjuncts, lemma.clone(), leaf(0), leaf(1)],
        vec![Step::SplitRelu { node: NodeId(1), index: 0 }, lemma.clone(), leaf(0)],
        vec![lemma, leaf(0), leaf(1)],
    ] {
        examiner.extend(steps).unwrap_err();
        assert!(before == examiner.bounds());
    }
}
