//! A normalisation in front of a network: exact where it can be, bounded where it is not.

use crate::testing::{Recipe, Rng, random_network};
use crate::*;

fn rational(v: f64) -> Rational {
    Rational::from_f64(v).unwrap()
}

fn numbers(texts: &[&str]) -> Vec<Rational> {
    texts.iter().map(|t| t.parse().unwrap()).collect()
}

#[test]
fn the_normalisation_is_within_its_slack() {
    let mut rng = Rng(31);
    let network = random_network(&mut rng, &Recipe::default());
    for (mean, std) in [
        (&["0.1307"][..], &["0.3081"][..]),
        (&["0"], &["255"]),
        (&["1/3", "-1e-3"], &["7/3", "1/4"]),
        (&["1/2"], &["1e-30", "3e30"]),
    ] {
        let normalized = network.with_normalized_input(&numbers(mean), &numbers(std)).unwrap();
        let Op::Conv2d(conv) = &normalized.nodes()[1].op else { panic!("a scale per channel") };
        let slack = conv.slack.as_ref().expect("none of these is exact");
        for c in 0..2 {
            let (mean, std) = (&numbers(mean)[c % mean.len()], &numbers(std)[c % std.len()]);
            let (w, b) = (rational(conv.weight.get(c)), rational(conv.bias.get(c)));
            let (eta, beta) = (rational(slack.weight[c]), rational(slack.bias[c]));
            let factor = Rational::ONE.checked_div(std).unwrap();
            assert!((&factor - &w).abs() <= &eta * &w.abs(), "{std}");
            assert!((&-&(&factor * mean) - &b).abs() <= beta, "{mean} {std}");
        }
    }
}

#[test]
fn what_can_be_divided_exactly_has_no_slack() {
    let mut rng = Rng(32);
    let network = random_network(&mut rng, &Recipe::default());
    let normalized = network.with_normalized_input(&numbers(&["0.5", "-3"]), &numbers(&["0.25"])).unwrap();
    assert!(!normalized.has_slack() && normalized.rewrites().iter().all(|r| !r.rounds));
    let x: Vec<f64> = (0..24).map(|_| (256.0 * rng.unit()).round() / 256.0).collect();
    let scaled: Vec<f64> = (0..24).map(|i| (x[i] - if i < 12 { 0.5 } else { -3.0 }) / 0.25).collect();
    let exact = |v: &[f64]| -> Vec<Exact> { v.iter().map(|&v| Exact::from_f64(v)).collect() };
    assert_eq!(normalized.forward(&exact(&x)).unwrap(), network.forward(&exact(&scaled)).unwrap());
}

#[test]
fn normalisations_that_mean_nothing_are_refused() {
    let network = random_network(&mut Rng(33), &Recipe::default());
    let with = |mean: &[&str], std: &[&str]| network.with_normalized_input(&numbers(mean), &numbers(std));
    for (mean, std) in [
        (&["0"][..], &["0"][..]),
        (&["0"], &["1", "-1"]),
        (&["0", "0", "0"], &["1"]),
        (&[], &["1"]),
        (&["0"], &[]),
        // The quotient underflows, or overflows.
        (&["0"], &["1e400"]),
        (&["0"], &["1e-400"]),
        (&["1e400"], &["1"]),
    ] {
        assert!(with(mean, std).is_err(), "{mean:?} {std:?}");
    }
}
