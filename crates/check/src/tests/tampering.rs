//! Queries with a planted counterexample: nothing may ever be accepted for them.

use super::quadratic;
use super::support::*;
use crate::check::Checker;
use crate::*;
use std::sync::Arc;
use unmoved_ir::testing::Rng;
use unmoved_ir::{Network, NodeId};
use unmoved_property::Query;

/// A query that some input violates, found by exact replay, with a neighbour of it that may well hold.
pub(super) fn violated(rng: &mut Rng, slack: bool) -> Option<(Query, Query)> {
    let network: Arc<Network> = network(rng, slack);
    let region = region(rng, network.input().shape.len());
    let x = sample(rng, &region)?;
    // Every third is a tie.
    let margin = if rng.below(3) == 0 { 0.0 } else { 0.01 * rng.unit() };
    let violated = planted(rng, &network, &x, margin);
    let mut safe = violated.clone();
    for g in safe.iter_mut().flat_map(|c| &mut c.0) {
        g.constant = &g.constant + &exactly(1.5);
    }
    let query = |set| Query::new(network.clone(), region.clone(), set).unwrap();
    let query_with_counterexample = query(violated);
    replay(&query_with_counterexample, &x).ok()?;
    Some((query_with_counterexample, query(safe)))
}

pub(super) fn never_accepted(query: &Query, certificate: &Certificate, seed: u64) {
    for arithmetic in [Arithmetic::Float, Arithmetic::Exact] {
        let refused = check(query, certificate, arithmetic);
        assert!(refused.is_err(), "seed {seed}, {arithmetic:?}: {refused:?}\n{}\n{certificate:?}", query.to_text());
    }
}

/// A certificate with something changed in it.
fn mutated(rng: &mut Rng, certificate: &Certificate) -> Certificate {
    let mut steps = certificate.steps.clone();
    for _ in 0..1 + rng.below(3) {
        if steps.is_empty() {
            break;
        }
        let at = rng.below(steps.len());
        match rng.below(8) {
            0 => drop(steps.remove(at)),
            1 => steps.insert(at, steps[rng.below(steps.len())].clone()),
            2 => steps.truncate(at + 1),
            3 => steps[at] = Step::Empty,
            4 => {
                let other = rng.below(steps.len());
                steps.swap(at, other);
            }
            _ => match &mut steps[at] {
                Step::Linear(form) | Step::Clip { form, .. } => change_form(rng, form),
                Step::Quadratic(form) => match rng.below(3) {
                    0 => change_form(rng, &mut form.form),
                    1 => form.constant *= 2.0 * rng.unit() as f32,
                    _ => form.lifted.iter_mut().flat_map(|l| &mut l.elements).for_each(|e| e.d *= rng.signed() as f32),
                },
                Step::SplitRelu { index, .. } | Step::Lemma { index, .. } => *index = rng.below(4) as u32,
                Step::SplitInput { at, .. } => *at += 0.1 * rng.signed(),
                Step::Recompute { nodes } => nodes.push(NodeId(rng.below(9))),
                Step::SplitDisjuncts | Step::Empty => {}
            },
        }
    }
    Certificate { steps, ..certificate.clone() }
}

fn change_form(rng: &mut Rng, form: &mut LinearForm) {
    match rng.below(3) {
        0 => form.lambda.iter_mut().for_each(|l| *l *= 4.0 * rng.unit()),
        1 => form.lambda.push(1.0),
        _ => {
            for m in &mut form.multipliers {
                m.raw.iter_mut().for_each(|(_, v)| *v *= 3.0 * rng.signed());
                m.slopes.iter_mut().for_each(|(_, s)| *s = rng.bits() as u8);
            }
        }
    }
}

/// The way down to a leaf of random steps, closed everywhere with leaves of random forms.
fn invented(rng: &mut Rng, query: &Query) -> Option<Certificate> {
    let mut checker = Checker::<f64, 8>::new(query).ok()?;
    let mut steps = Vec::new();
    for _ in 0..60 {
        let step = match rng.below(3) {
            0 => random_step(rng, &checker),
            1 if checker.constraints().is_none() => Step::SplitDisjuncts,
            _ if rng.below(3) == 0 => Step::Quadratic(Box::new(quadratic::random(rng, &checker, 0.5))),
            _ => Step::Linear(form(rng, &checker)),
        };
        // What the checker refuses here stays out, so that the whole is refused as late as can be.
        if let Ok(finished) = checker.step(&step) {
            steps.push(step);
            if finished && !checker.up() {
                break;
            }
        }
    }
    while steps.len() < 80 {
        steps.push(if rng.below(2) == 0 { Step::Empty } else { Step::Linear(form(rng, &checker)) });
    }
    Some(Certificate::new(query, steps))
}

#[test]
fn no_certificate_is_accepted_where_there_is_a_counterexample() {
    let (mut networks, mut from_neighbours, mut mutations) = (0, 0, 0);
    let mut seed = 0;
    while networks < 1000 {
        seed += 1;
        assert!(seed < 5000, "too few queries have a counterexample");
        let mut rng = Rng(5000 + seed);
        let Some((query, neighbour)) = violated(&mut rng, seed % 4 == 0) else { continue };
        networks += 1;
        assert_eq!(prove(&query, &mut rng, 40), None, "seed {seed}");
        if let Some(invented) = invented(&mut rng, &query) {
            never_accepted(&query, &invented, seed);
        }
        let Some(valid) = prove(&neighbour, &mut rng, 60) else { continue };
        from_neighbours += 1;
        let transplanted = Certificate { query: query.digest(), ..valid.clone() };
        never_accepted(&query, &transplanted, seed);
        for _ in 0..4 {
            never_accepted(&query, &mutated(&mut rng, &transplanted), seed);
            mutations += 1;
        }
        // Damage in the bytes, past the header.
        let mut bytes = transplanted.to_bytes();
        for _ in 0..8 {
            let at = 75 + rng.below(bytes.len() - 75);
            let before = std::mem::replace(&mut bytes[at], rng.bits() as u8);
            if let Ok(damaged) = Certificate::from_bytes(&bytes) {
                never_accepted(&query, &damaged, seed);
                mutations += 1;
            }
            bytes[at] = before;
        }
    }
    assert!(from_neighbours > 150 && mutations > 1000, "{from_neighbours} {mutations}");
}

#[test]
fn mutations_of_valid_certificates_are_refused_or_prove_the_same() {
    // Where the query holds, a mutation may be another proof; but damage must often be noticed.
    let (mut refused, mut accepted) = (0, 0);
    for seed in 0..60 {
        let mut rng = Rng(9000 + seed);
        let Some((_, neighbour)) = violated(&mut rng, false) else { continue };
        let Some(valid) = prove(&neighbour, &mut rng, 60) else { continue };
        for _ in 0..10 {
            match check(&neighbour, &mutated(&mut rng, &valid), Arithmetic::Float) {
                Ok(_) => accepted += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 50 && accepted > 5, "{refused} {accepted}");
}
