//! A proof that is cut into pieces gets the answer that it gets in one piece.

use super::support::*;
use super::trees::{draw, is_fragile, query, same};
use crate::check::{Checker, MAX_CHANGES, MAX_DEPTH};
use crate::pieces::cut_into;
use crate::real::Real;
use crate::*;
use std::ops::Range;
use unmoved_ir::testing::Rng;
use unmoved_ir::{Exact, NodeId};
use unmoved_property::Query;

/// What a checker says of a proof with these pieces cut out.
fn run<R: Real, const B: usize>(
    mut checker: Checker<'_, R, B>,
    steps: &[Step],
    cuts: &[Range<usize>],
) -> Result<Accepted, Refusal> {
    match checker.walk_cut(0, steps, cuts)? {
        None => Err(Refusal::MissingStep(steps.len())),
        Some(taken) if taken < steps.len() => Err(Refusal::ExtraStep(taken)),
        Some(taken) => Ok(Accepted { steps: taken, ..checker.accepted }),
    }
}

/// The same answer but for the last digits of bounds: which leaves share a walk depends on the cuts.
fn agree(one: &Result<Accepted, Refusal>, other: &Result<Accepted, Refusal>) -> bool {
    let kind = std::mem::discriminant::<WrongStep>;
    match (one, other) {
        (Ok(a), Ok(b)) => (a.steps, a.leaves) == (b.steps, b.leaves) && same(a.margin, b.margin),
        (Err(Refusal::Step { step: a, wrong: v }), Err(Refusal::Step { step: b, wrong: w })) => {
            a == b && kind(v) == kind(w)
        }
        (Err(a), Err(b)) => a == b,
        _ => false,
    }
}

/// Whether some step is taken where an answer may hang on the last digit.
fn hangs_on_rounding(query: &Query, steps: &[Step]) -> bool {
    let mut checker = Checker::<f64, 8>::new(query).unwrap();
    steps.iter().any(|step| {
        let fragile = is_fragile(&checker);
        if checker.enter(step).unwrap_or(true) {
            checker.up();
        }
        fragile
    })
}

/// One or several things wrong, anywhere.
fn spoilt(rng: &mut Rng, mut steps: Vec<Step>) -> Vec<Step> {
    for _ in 0..rng.below(3) {
        let at = rng.below(steps.len());
        match rng.below(10) {
            0 => drop(steps.remove(at)),
            1 => steps.insert(at, leaf(0)),
            2 => steps.truncate(at.max(1)),
            3 => steps.push(Step::Empty),
            4 => steps[at] = Step::Empty,
            5 => steps.insert(at, Step::Recompute { nodes: vec![NodeId(99)] }),
            6 => steps[at] = Step::SplitDisjuncts,
            _ => {
                // Not positive, but no other step is moved.
                if let Some(leaf_at) = (at..steps.len()).find(|&k| matches!(steps[k], Step::Linear(_))) {
                    steps[leaf_at] = leaf(if rng.below(3) == 0 { 9 } else { 0 });
                }
            }
        }
        if steps.is_empty() {
            steps.push(leaf(0));
        }
    }
    steps
}

#[test]
fn cuts_do_not_change_the_answer() {
    let (mut answers, mut pieces, mut refused_inside) = ([0; 2], 0, 0);
    for seed in 0..400 {
        let mut rng = Rng(31_000 + seed);
        let query = query(&mut rng, seed);
        let disjuncts = query.unsafe_set().len();
        let new = || Checker::<f64, 8>::new(&query).unwrap();
        let budget = [10, 30, 80, 200][rng.below(4)];
        let drawn = draw(&mut rng, &mut new(), budget);
        let steps = spoilt(&mut rng, drawn);
        if hangs_on_rounding(&query, &steps) {
            continue;
        }
        let whole = run(new(), &steps, &[]);
        let exactly = (steps.len() < 50).then(|| run(Checker::<Exact, 3>::new(&query).unwrap(), &steps, &[]));
        for _ in 0..6 {
            let cuts = cut_into(1 + rng.below(40), 1 + rng.below(12), &steps, disjuncts);
            let threads = 1 + rng.below(4);
            let cut = run(new().with_threads(threads), &steps, &cuts);
            assert!(agree(&whole, &cut), "seed {seed}: {whole:?}, cut {cut:?} at {cuts:?}\n{steps:?}");
            assert_eq!(run(new(), &steps, &cuts), cut, "seed {seed}: threads change nothing at all");
            if let Some(whole) = &exactly {
                let cut = run(Checker::<Exact, 3>::new(&query).unwrap().with_threads(threads), &steps, &cuts);
                assert!(agree(whole, &cut), "seed {seed}, exactly: {whole:?}, cut {cut:?} at {cuts:?}");
            }
            pieces += cuts.len();
            if let Err(Refusal::Step { step, .. }) = cut {
                refused_inside += usize::from(cuts.iter().any(|c| c.contains(&step)));
            }
        }
        answers[usize::from(whole.is_ok())] += 1;
    }
    assert!(
        answers.iter().all(|&n| n > 30) && pieces > 1000 && refused_inside > 100,
        "{answers:?} {pieces} {refused_inside}"
    );
}

/// What was accepted earlier moves no cut, so that a proof in instalments is bounded to the last digit as the whole is.
#[test]
fn cuts_are_where_they_are_without_what_comes_before_the_first_branch() {
    let (lemma, nodes) = (Step::Lemma { node: NodeId(1), index: 0, side: Side::Lower }, vec![NodeId(1)]);
    let split = Step::SplitInput { index: 0, at: 0.5 };
    let before = [lemma, split.clone(), leaf(0), leaf(0), Step::Recompute { nodes }];
    let mut proof: Vec<Step> = std::iter::repeat_n(split, 70).collect();
    proof.extend(std::iter::repeat_n(leaf(1), 71));
    let cuts = cut_into(8, 3, &proof, 1);
    assert!(!cuts.is_empty());
    let whole: Vec<Step> = before.iter().cycle().take(200).cloned().chain(proof).collect();
    let moved: Vec<_> = cuts.iter().map(|c| c.start + 200..c.end + 200).collect();
    assert_eq!(cut_into(8, 3, &whole, 1), moved);
}

/// Subtrees that wait outside of a piece count, and so do the changes that were made there.
#[test]
fn limits_are_those_of_the_whole() {
    let query = tiny_query("1/8");
    for (splits, threads) in [(MAX_DEPTH, 2), (MAX_DEPTH + 1, 1)] {
        let mut steps: Vec<Step> = std::iter::repeat_n(Step::SplitInput { index: 0, at: 0.5 }, splits).collect();
        steps.extend(std::iter::repeat_n(leaf(1), splits + 1));
        let said = Checker::<f64, 8>::new(&query).unwrap().with_threads(threads).run(0, &steps).map(|a| a.leaves);
        let too_deep = Refusal::Step { step: MAX_DEPTH, wrong: WrongStep::TooDeep(MAX_DEPTH) };
        assert_eq!(said, if splits > MAX_DEPTH { Err(too_deep) } else { Ok(splits + 1) });
    }
    let mut steps = Vec::new();
    for k in 0..40 {
        steps.push(Step::SplitInput { index: 0, at: 0.5 - 0.001 * f64::from(k) });
    }
    steps.extend(std::iter::repeat_n(leaf(1), 41));
    let cuts = cut_into(4, 2, &steps, 1);
    assert!(!cuts.is_empty() && cuts[0].start > 10);
    for room in 1..=42 {
        let run = |cuts| {
            let mut checker = Checker::<f64, 8>::new(&query).unwrap().with_threads(2);
            checker.kept = MAX_CHANGES - room;
            run(checker, &steps, cuts)
        };
        let whole = run(&[]);
        assert_eq!(whole.is_ok(), room >= 40, "{whole:?}");
        assert!(agree(&whole, &run(&cuts)), "{room}: {whole:?} {:?}", run(&cuts));
    }
}
