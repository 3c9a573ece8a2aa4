//! Distances from a centre.

use super::*;
use proptest::prelude::*;

fn distance(norm: Norm, x: &[f32], centre: &[f64]) -> Option<Rational> {
    norm.distance_up(&x.to_vec().into(), centre)
}

#[test]
fn distances_are_those_of_their_norms() {
    let (x, centre) = ([3.5, 0.0, -3.0], [0.5, 0.0, 1.0]);
    let of = |norm| distance(norm, &x, &centre).unwrap().to_string();
    assert_eq!(NORMS.map(of), ["4", "7", "5"]);
    for norm in NORMS {
        assert_eq!(distance(norm, &[0.5], &[0.5]), Some(Rational::ZERO));
        assert_eq!(distance(norm, &[], &[]), Some(Rational::ZERO));
        assert_eq!(distance(norm, &[0.0], &[1e-300]), Some(float(1e-300)));
        assert_eq!(distance(norm, &[0.0], &[5e-324]), Some(float(5e-324)));
        assert_eq!(distance(norm, &[0.0], &[1.0, 2.0]), None);
        assert_eq!(distance(norm, &[f32::NAN], &[1.0]), None);
    }
}

#[test]
fn elements_that_are_no_float32_count_as_what_they_are() {
    let point = Point { nearest: vec![0.3, 1.0], exact: vec![(0, rational("3/10"))] };
    assert_eq!(Norm::Linf.distance_up(&point, &[0.0, 1.0]), Some(rational("3/10")));
    assert_eq!(Norm::L1.distance_up(&point, &[0.0, 0.0]), Some(rational("13/10")));
    let beyond = Point { nearest: vec![0.5], exact: vec![(1, rational("3/10"))] };
    assert_eq!(Norm::L1.distance_up(&beyond, &[0.0]), None);
}

#[test]
fn a_range_has_a_radius() {
    let range = (rational("-1/2"), rational("3/2"));
    let of = |elements| NORMS.map(|norm| norm.of_range(elements, &range).to_string());
    assert_eq!(of(0), ["0", "0", "0"]);
    assert_eq!(of(1), ["2", "2", "2"]);
    assert_eq!(of(4), ["2", "8", "4"]);
    assert_eq!(of(5), ["2", "10", "6"]);
}

#[test]
fn a_box_has_no_centre_and_no_radius() {
    let region = InputRegion::boxed(vec![Rational::ZERO], vec![Rational::ONE]).unwrap();
    assert_eq!(region.distance_up(&vec![0.5].into()), None);
    assert_eq!(region.with_radius(Rational::ONE), Err(PropertyError::NoRadius));
    let ball = InputRegion::ball(vec![0.5], Norm::L2, rational("1/8"), unit()).unwrap();
    assert_eq!(ball.distance_up(&vec![0.25].into()), Some(rational("1/4")));
    let wider = ball.with_radius(rational("1/3")).unwrap();
    assert_eq!(wider, InputRegion::ball(vec![0.5], Norm::L2, rational("1/3"), unit()).unwrap());
}

proptest! {
    /// A point lies in the ball of its distance, and in no smaller one but for what the root was rounded up.
    #[test]
    fn a_point_lies_just_within_its_distance(
        points in prop::collection::vec((-2.0f32..2.0, -2.0f32..2.0), 1..6), s in -60i32..60,
    ) {
        let factor = 2f32.powi(s);
        let x: Vec<f32> = points.iter().map(|p| p.0 * factor).collect();
        let centre: Vec<f64> = points.iter().map(|p| f64::from(p.1 * factor)).collect();
        for norm in NORMS {
            let eps = distance(norm, &x, &centre).unwrap();
            let ball = InputRegion::ball(centre.clone(), norm, eps.clone(), None).unwrap();
            prop_assert!(ball.contains(&x));
            if eps > Rational::ZERO {
                let less = eps.to_f64().next_down().max(0.0);
                prop_assert!(!ball.with_radius(float(less)).unwrap().contains(&x));
            }
        }
    }
}
