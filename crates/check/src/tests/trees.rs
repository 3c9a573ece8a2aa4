//! Random trees, whatever they begin with: leaves that wait for one another get the bounds that they have alone, and no tree
//! proves what is false.

use super::batches::convolutional;
use super::support::*;
use super::tampering;
use crate::check::Checker;
use crate::real::Real;
use crate::*;
use std::sync::Arc;
use unmoved_ir::testing::Rng;
use unmoved_ir::{Builder, DType, Exact, NodeId, Op, Rational};
use unmoved_property::{Conjunction, Constraint, InputRegion, Query};

/// `y = relu(x)`, `x` in [-1, 1], unsafe: `y <= 1/10`, which half of the region is.
fn half_unsafe() -> Query {
    let mut b = Builder::new();
    let x = b.input("x", &[1], DType::F32).unwrap();
    let h = b.push("h", dense(1, &[1.0], &[0.0]), &[x]).unwrap();
    let a = b.push("a", Op::Relu, &[h]).unwrap();
    let y = b.push("y", dense(1, &[1.0], &[0.0]), &[a]).unwrap();
    let network = Arc::new(b.finish(y).unwrap());
    let region = InputRegion::boxed(vec![-&Rational::ONE], vec![Rational::ONE]).unwrap();
    let g =
        Constraint { outputs: vec![(0, Rational::ONE)], inputs: vec![], constant: rational("-1/10"), strict: false };
    Query::new(network, region, vec![Conjunction(vec![g])]).unwrap()
}

/// A fixed bug: with no subtree left to enter, a leaf that still waited was bounded upon what the next steps made of the table.
#[test]
fn a_leaf_does_not_wait_past_the_last_subtree() {
    let query = half_unsafe();
    assert!(replay(&query, &[-1.0]).is_ok());
    let zero = |k| {
        Step::Linear(LinearForm {
            lambda: vec![1.0],
            multipliers: vec![Multipliers { relu: NodeId(2), slopes: vec![], raw: vec![(k, 0.0)] }],
        })
    };
    let steps =
        vec![Step::SplitInput { index: 0, at: 0.5 }, zero(0), Step::Recompute { nodes: vec![NodeId(1)] }, zero(0)];
    let certificate = Certificate::new(&query, steps);
    let answers = [Arithmetic::Float, Arithmetic::Exact].map(|a| check(&query, &certificate, a));
    assert!(answers.iter().all(Result::is_err), "{answers:?}");
}

/// A tree of random steps that is right but for the bounds of its leaves: the table is followed while it is drawn.
pub(super) fn draw(rng: &mut Rng, checker: &mut Checker<'_, f64, 8>, budget: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    let lemmas = rng.below(3) > 0;
    let wide = rng.below(4) == 0;
    let mut tries = 0;
    loop {
        let leaves_due = steps.len() >= budget;
        let step = match rng.below(if leaves_due { 1 } else { 12 }) {
            _ if checker.prover.table.is_empty() && rng.below(2) == 0 => Step::Empty,
            0..=4 => Step::Linear(form(rng, checker)),
            5 if checker.constraints().is_none() || (checker.query.unsafe_set().len() == 1 && rng.below(8) == 0) => {
                Step::SplitDisjuncts
            }
            6 if wide => {
                let nodes = checker.prover.layers.tabled_nodes();
                Step::Recompute { nodes }
            }
            7 => {
                let (node, index) = element(rng, checker);
                Step::SplitRelu { node, index }
            }
            _ => random_step(rng, checker),
        };
        if matches!(step, Step::Lemma { .. }) && !lemmas {
            continue;
        }
        // The bound is not asked for: a wrong leaf is part of the game, but an infinite bound is not.
        let ok = match &step {
            Step::Linear(form) => match checker.leaf(0, form) {
                Err(_) => false,
                Ok(job) => {
                    let [bound] = checker.prover.bounds(&[job])[..] else { panic!() };
                    if checker.goal.is_none() && (bound.is_nan() || bound <= 0.0) && rng.below(300) > 0 && tries < 2000
                    {
                        tries += 1;
                        continue;
                    }
                    if bound.is_finite() && checker.goal.is_some() {
                        checker.judge(bound).unwrap();
                    }
                    bound.is_finite() && checker.enter(&step).unwrap()
                }
            },
            _ => false,
        };
        if ok {
            steps.push(step);
            if !checker.up() {
                return steps;
            }
            continue;
        }
        if matches!(step, Step::Linear(_)) {
            continue;
        }
        if let Ok(finished) = checker.enter(&step) {
            steps.push(step);
            if finished && !checker.up() {
                return steps;
            }
        }
    }
}

const FRAGILE: &str = "hangs on rounding";

/// Whether the table has intervals as narrow as rounding or as far above zero as below, where the default rule hangs on
/// the last digit; or ends as large as a lemma without cases leaves them, where what is lost to rounding hangs on the table's common part.
pub(super) fn is_fragile<R: Real, const B: usize>(checker: &Checker<'_, R, B>) -> bool {
    let near = |v: f64, at: f64| v != 0.0 && v.abs() < at;
    let fragile = |(&l, &u): (&f64, &f64)| {
        l != u && ((u - l).abs() < 1e-9 || (u + l).abs() < 1e-9 || near(l, 1e-12) || near(u, 1e-12))
    };
    let rows = checker.prover.table.rows.iter().enumerate().filter_map(|(k, row)| Some((k, row.as_ref()?)));
    rows.into_iter().any(|(k, row)| {
        row.lower.iter().chain(&row.upper).any(|v| v.abs() > 1e300)
            || k > 0 && row.lower.iter().zip(&row.upper).any(fragile)
    })
}

/// Every step by itself: leaves do not wait.
fn one_by_one<R: Real, const B: usize>(checker: &mut Checker<'_, R, B>, steps: &[Step]) -> Result<(), String> {
    for (number, step) in steps.iter().enumerate() {
        if is_fragile(checker) {
            return Err(FRAGILE.into());
        }
        let finished = checker.step(step).map_err(|w| format!("{number} {:?}", std::mem::discriminant(&w)))?;
        if finished && !checker.up() {
            return if number + 1 == steps.len() { Ok(()) } else { Err("extra".into()) };
        }
    }
    Err("missing".into())
}

/// How many trees of each kind.
const SEEDS: u64 = 200;
/// Bytes before the steps.
const HEADER: usize = 75;

pub(super) fn said(result: Result<Accepted, Refusal>) -> Result<(), String> {
    match result {
        Ok(_) => Ok(()),
        Err(Refusal::Step { step, wrong }) => Err(format!("{step} {:?}", std::mem::discriminant(&wrong))),
        Err(Refusal::MissingStep(_)) => Err("missing".into()),
        Err(Refusal::ExtraStep(_)) => Err("extra".into()),
        Err(other) => Err(other.to_string()),
    }
}

pub(super) fn query(rng: &mut Rng, seed: u64) -> Query {
    let network = match seed % 4 {
        0 => network(rng, seed.is_multiple_of(8)),
        1 => convolutional(rng),
        2 => twins(rng),
        _ => small(rng),
    };
    let inputs = network.input().shape.len();
    let region = region(rng, inputs);
    let offset = [300.0, 30.0, 3.0][rng.below(3)];
    let disjuncts = [1, 1, 1, 2, 3][rng.below(5)];
    let mut unsafe_set = Vec::new();
    for _ in 0..disjuncts {
        let n = 1 + rng.below(2);
        unsafe_set.push(Conjunction(
            (0..n)
                .map(|_| {
                    let mut g = constraint(rng, inputs, network.output_len());
                    g.constant = exactly(offset);
                    g
                })
                .collect(),
        ));
    }
    Query::new(network.clone(), region, unsafe_set).unwrap()
}

/// Relus that read one value, Relus of the input, of gathered values and of sums, and sums of a value with itself.
fn twins(rng: &mut Rng) -> Arc<unmoved_ir::Network> {
    use unmoved_ir::Gather;
    let mut b = Builder::new();
    let x = b.input("x", &[4], DType::F32).unwrap();
    let mut made = 0;
    let mut values = vec![x];
    while values.len() < 9 {
        made += 1;
        // Mostly recent values, so that it is deep.
        let recent = |rng: &mut Rng, v: &Vec<NodeId>| v[v.len() - 1 - rng.below(v.len().min(3))];
        let (a, c) = (recent(rng, &values), recent(rng, &values));
        let name = format!("n{made}");
        let value = match rng.below(6) {
            0 | 1 => b.push(&name, Op::Relu, &[a]),
            2 => b.push(&name, Op::Add, &[a, c]),
            3 => {
                let index = (0..4).map(|_| (rng.below(5) > 0).then(|| rng.below(4) as u32)).collect();
                b.push(&name, Op::Gather(Gather::new(index, &[4]).unwrap()), &[a])
            }
            _ => {
                let w: Vec<f32> = (0..16).map(|_| if rng.below(4) == 0 { 0.0 } else { rng.signed() as f32 }).collect();
                let bias: Vec<f32> = (0..4).map(|_| 0.3 * rng.signed() as f32).collect();
                b.push(&name, dense(4, &w, &bias), &[a])
            }
        };
        values.push(value.unwrap());
        if rng.below(3) == 0 {
            // A twin: another Relu of the same value, and what it adds.
            let one = b.push(&format!("t{made}"), Op::Relu, &[a]).unwrap();
            let other = b.push(&format!("u{made}"), Op::Relu, &[a]).unwrap();
            values.push(one);
            let last = *values.last().unwrap();
            values.push(b.push(&format!("v{made}"), Op::Add, &[other, last]).unwrap());
        }
    }
    let last = values[values.len() - 1];
    let w: Vec<f32> = (0..12).map(|_| rng.signed() as f32).collect();
    let y = b.push("y", dense(4, &w, &[0.1, 0.0, -0.2]), &[last]).unwrap();
    Arc::new(b.finish(y).unwrap())
}

pub(super) fn same(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() < 1e-9 * (1.0 + a.abs())
}

#[test]
fn waiting_leaves_get_the_bounds_that_they_have_alone() {
    let mut seen = [0; 2];
    for seed in 0..SEEDS {
        let mut rng = Rng(77_000 + seed);
        let query = query(&mut rng, seed);
        let new = || Checker::<f64, 8>::new(&query).unwrap();
        let budget = [5, 20, 60, 200][rng.below(4)];
        let mut steps = draw(&mut rng, &mut new(), budget);
        match rng.below(30) {
            0 => drop(steps.pop()),
            1 => steps.push(Step::Empty),
            2 => {
                let k = rng.below(steps.len());
                steps[k] = Step::Empty;
            }
            _ => {}
        }
        let mut alone = new();
        let answer = one_by_one(&mut alone, &steps);
        if answer == Err(FRAGILE.into()) {
            continue;
        }
        for threads in [1, 2, 5] {
            let mut queued = new().with_threads(threads);
            let result = queued.run(0, &steps);
            assert_eq!(said(result), answer, "seed {seed}, {threads} threads\n{}\n{steps:?}", query.to_text());
            let margins = [alone.accepted.margin, queued.accepted.margin];
            assert!(answer.is_err() || same(margins[0], margins[1]), "seed {seed}: {margins:?}");
        }
        let finished = Examiner::new(&query).unwrap().finish(steps.clone());
        assert_eq!(finished.is_ok(), answer.is_ok(), "seed {seed}");
        let checked = check(&query, &Certificate::new(&query, steps.clone()), Arithmetic::Float);
        assert_eq!(checked.is_ok(), answer.is_ok(), "seed {seed}");
        if steps.len() < 40 {
            let exact = one_by_one(&mut Checker::<Exact, 1>::new(&query).unwrap(), &steps);
            let queued = Checker::<Exact, 3>::new(&query).unwrap().with_threads(2).run(0, &steps);
            assert!(exact == Err(FRAGILE.into()) || exact == said(queued), "seed {seed}, exactly");
        }
        seen[usize::from(answer.is_ok())] += 1;
    }
    assert!(seen.iter().all(|&n| n > 10), "{seen:?}");
}

/// Proofs that the examiner takes piece by piece are those that a check of the whole takes.
#[test]
fn pieces_are_the_whole() {
    let mut seen = [0; 2];
    for seed in 0..SEEDS {
        let mut rng = Rng(55_000 + seed);
        let query = query(&mut rng, seed);
        let budget = [5, 20, 60, 200][rng.below(4)];
        let steps = draw(&mut rng, &mut Checker::<f64, 8>::new(&query).unwrap(), budget);
        let whole = Checker::<f64, 8>::new(&query).unwrap().run(0, &steps);
        let mut examiner = Examiner::new(&query).unwrap().with_threads(1 + rng.below(3));
        let mut at = 0;
        while at < steps.len() {
            let take = 1 + rng.below((steps.len() - at).min(12));
            let before = examiner.bounds().to_vec();
            if examiner.extend(steps[at..at + take].to_vec()).is_ok() {
                at += take;
                continue;
            }
            assert_eq!(before, examiner.bounds(), "seed {seed}: an error keeps nothing");
            if rng.below(8) == 0 {
                break;
            }
        }
        let finished = examiner.finish(steps[at..].to_vec());
        match (&whole, &finished) {
            (Ok(_), Ok(certificate)) => assert_eq!(certificate.steps, steps),
            (Err(a), Err(b)) => assert_eq!(a, b, "seed {seed}"),
            _ => panic!("seed {seed}: whole {whole:?}, in pieces {finished:?} at {at}"),
        }
        seen[usize::from(whole.is_ok())] += 1;
    }
    assert!(seen.iter().all(|&n| n > 10), "{seen:?}");
}

/// A query upon a network with twins that some input violates.
fn violated_twins(rng: &mut Rng) -> Option<Query> {
    let network = if rng.below(3) > 0 { twins(rng) } else { convolutional(rng) };
    let region = region(rng, network.input().shape.len());
    let x = sample(rng, &region)?;
    let margin = if rng.below(3) == 0 { 0.0 } else { 0.01 * rng.unit() };
    let set = planted(rng, &network, &x, margin);
    let query = Query::new(network, region, set).unwrap();
    replay(&query, &x).ok()?;
    Some(query)
}

/// Trees upon queries that are violated are never accepted, nor is what is left of proofs of their neighbours once a byte is changed.
#[test]
fn random_trees_prove_nothing_false() {
    let mut good = 0;
    for seed in 0..SEEDS {
        let mut rng = Rng(99_000 + seed);
        let Some((query, neighbour)) = tampering::violated(&mut rng, seed % 4 == 0) else { continue };
        for _ in 0..4 {
            let Ok(mut checker) = Checker::<f64, 8>::new(&query) else { break };
            let budget = [3, 8, 30][rng.below(3)];
            let steps = draw(&mut rng, &mut checker, budget);
            tampering::never_accepted(&query, &Certificate::new(&query, steps.clone()), seed);
            let certificate = Certificate::new(&neighbour, steps);
            if check(&neighbour, &certificate, Arithmetic::Float).is_err() {
                continue;
            }
            good += 1;
            let mut bytes = certificate.to_bytes();
            for _ in 0..20 {
                let at = HEADER + rng.below(bytes.len() - HEADER);
                let before = std::mem::replace(&mut bytes[at], rng.bits() as u8);
                if let Ok(damaged) = Certificate::from_bytes(&bytes) {
                    assert_eq!(damaged.to_bytes(), bytes, "there is one encoding");
                    tampering::never_accepted(&query, &Certificate { query: query.digest(), ..damaged }, seed);
                }
                bytes[at] = before;
            }
        }
    }
    assert!(good > 10, "{good}");
}

#[test]
fn random_trees_prove_nothing_false_of_twins() {
    for seed in 0..SEEDS {
        let mut rng = Rng(44_000 + seed);
        let Some(query) = violated_twins(&mut rng) else { continue };
        for _ in 0..6 {
            let Ok(mut checker) = Checker::<f64, 8>::new(&query) else { break };
            let budget = [3, 8, 30][rng.below(3)];
            let steps = draw(&mut rng, &mut checker, budget);
            let certificate = Certificate::new(&query, steps);
            if certificate.steps.len() > 20 {
                assert!(check(&query, &certificate, Arithmetic::Float).is_err(), "seed {seed}");
            } else {
                tampering::never_accepted(&query, &certificate, seed);
            }
        }
        assert_eq!(prove(&query, &mut rng, 60), None, "seed {seed}");
    }
}
