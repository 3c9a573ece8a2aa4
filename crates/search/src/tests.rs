//! Verdicts against dense sampling and against each other, on random networks of all operators.

use crate::attack::centre;
use crate::gradient::gradient;
use crate::{DecidedBy, Options, decide};
use std::sync::Arc;
use unmoved_check::{Arithmetic, check, replay};
use unmoved_ir::testing::{Recipe, Rng, random_network};
use unmoved_ir::{Exact, Network, Rational};
use unmoved_property::{Conjunction, Constraint, InputRegion, Norm, Query, Verdict};

fn query(rng: &mut Rng, network: &Arc<Network>, eps: &str) -> Query {
    let centre = (0..network.input().shape.len()).map(|_| f64::from(rng.unit() as f32)).collect::<Vec<_>>();
    let norm = [Norm::Linf, Norm::L1, Norm::L2][rng.below(3)];
    let label = network.forward(&centre).map(|y| (0..y.len()).fold(0, |b, k| if y[k] > y[b] { k } else { b })).unwrap();
    let range = Some((Rational::ZERO, Rational::ONE));
    let region = InputRegion::ball(centre, norm, eps.parse().unwrap(), range).unwrap();
    Query::robustness(network.clone(), region, label).unwrap()
}

#[test]
fn no_sample_contradicts_a_verdict() {
    let mut rng = Rng(1);
    let mut seen = [0; 3];
    for case in 0..120 {
        let recipe = Recipe { slack: (case % 4 == 0).then_some(1e-6), ..Recipe::default() };
        let network = Arc::new(random_network(&mut rng, &recipe));
        let query = query(&mut rng, &network, ["1/100", "1/8", "1"][case % 3]);
        let outcome = decide(&query, &Options::default()).unwrap();
        match &outcome.verdict {
            Verdict::Robust => {
                seen[0] += 1;
                let certificate = outcome.certificate.as_ref().expect("robust comes with its proof");
                check(&query, certificate, Arithmetic::Exact).expect("the exact checker agrees");
                for _ in 0..50 {
                    let x = query.region().sample(|| rng.unit());
                    let Some(x) = query.region().to_f32_inside(&x) else { continue };
                    let x: Vec<Exact> = x.iter().map(|&v| Exact::from_f64(f64::from(v))).collect();
                    let y = network.forward(&x).unwrap();
                    assert_eq!(query.violated_at(&x, &y), None, "case {case}");
                }
            }
            Verdict::Violated(found) => {
                seen[1] += 1;
                assert_eq!(replay(&query, &found.input).as_ref(), Ok(found), "case {case}");
            }
            Verdict::Unknown(_) => seen[2] += 1,
        }
    }
    assert!(seen[0] > 20 && seen[1] > 20, "{seen:?}: one of the verdicts is hardly tested");
}

#[test]
fn a_tie_at_the_centre_is_a_boundary_counterexample() {
    let mut rng = Rng(2);
    let network = Arc::new(random_network(&mut rng, &Recipe::default()));
    // y_0 <= y_0 holds with equality everywhere; written as two constraints that cancel.
    let region = InputRegion::ball(vec![0.5; 24], Norm::Linf, Rational::ZERO, None).unwrap();
    let tie = Constraint { outputs: vec![], inputs: vec![], constant: Rational::ZERO, strict: false };
    let query = Query::new(network.clone(), region.clone(), vec![Conjunction(vec![tie.clone()])]).unwrap();
    let outcome = decide(&query, &Options::default()).unwrap();
    assert!(matches!(&outcome.verdict, Verdict::Violated(c) if c.boundary), "{:?}", outcome.verdict);
    assert_eq!(outcome.decided_by, DecidedBy::Centre);
    // Strictly, nothing violates it, and no bound can be positive to prove it.
    let strict = Constraint { strict: true, ..tie };
    let query = Query::new(network, region, vec![Conjunction(vec![strict])]).unwrap();
    assert!(matches!(decide(&query, &Options::default()).unwrap().verdict, Verdict::Unknown(_)));
}

#[test]
fn nothing_unsafe_is_robust_and_everything_unsafe_is_violated() {
    let mut rng = Rng(3);
    let network = Arc::new(random_network(&mut rng, &Recipe::default()));
    let region = InputRegion::ball(vec![0.5; 24], Norm::Linf, Rational::ONE, None).unwrap();
    let nothing = Query::new(network.clone(), region.clone(), vec![]).unwrap();
    assert_eq!(decide(&nothing, &Options::default()).unwrap().verdict, Verdict::Robust);
    let everything = Query::new(network, region, vec![Conjunction::default()]).unwrap();
    assert!(matches!(decide(&everything, &Options::default()).unwrap().verdict, Verdict::Violated(_)));
}

#[test]
fn the_gradient_is_the_slope_of_forward() {
    let mut rng = Rng(4);
    for _ in 0..60 {
        let network = random_network(&mut rng, &Recipe::default());
        let x: Vec<f64> = (0..24).map(|_| rng.signed()).collect();
        let weights: Vec<f64> = (0..network.output_len()).map(|_| rng.signed()).collect();
        let value = |x: &[f64]| -> f64 { network.forward(x).unwrap().iter().zip(&weights).map(|(y, w)| y * w).sum() };
        let slope = gradient(&network, &network.trace(&x).unwrap(), &weights);
        let direction: Vec<f64> = (0..24).map(|_| rng.signed()).collect();
        let expected: f64 = slope.iter().zip(&direction).map(|(s, d)| s * d).sum();
        // Small enough that no kink lies between, most of the time; one-sided slopes differ at kinks.
        let step = |t: f64| value(&x.iter().zip(&direction).map(|(x, d)| x + t * d).collect::<Vec<_>>());
        let (left, right) = ((step(0.0) - step(-1e-7)) / 1e-7, (step(1e-7) - step(0.0)) / 1e-7);
        let near = |slope: f64| (slope - expected).abs() <= 1e-4 * (1.0 + expected.abs());
        assert!(near(left) || near(right), "{left} {right} {expected}");
    }
}

#[test]
fn the_attack_starts_inside() {
    let mut rng = Rng(5);
    let network = Arc::new(random_network(&mut rng, &Recipe::default()));
    let query = query(&mut rng, &network, "1/8");
    assert!(query.region().to_f32_inside(&centre(&query)).is_some());
}
