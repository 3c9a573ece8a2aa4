//! Constructors, enclosing boxes, exact membership.

use super::*;
use proptest::prelude::*;

#[test]
fn regions_that_mean_nothing_are_refused() {
    let ball = |centre: Vec<f64>, eps: &str, range: Option<(&str, &str)>| {
        InputRegion::ball(centre, Norm::L2, rational(eps), range.map(|(l, u)| (rational(l), rational(u))))
            .unwrap_err()
            .to_string()
    };
    let boxed = |lower: &[&str], upper: &[&str]| {
        let list = |v: &[&str]| v.iter().map(|t| rational(t)).collect();
        InputRegion::boxed(list(lower), list(upper)).unwrap_err().to_string()
    };
    let messages = [
        ball(vec![0.5], "-1/10", Some(("0", "1"))),
        ball(vec![0.5, f64::NAN], "1", None),
        ball(vec![f64::INFINITY], "1", None),
        ball(vec![0.5, 1.5], "1/10", Some(("0", "1"))),
        // The float 0.1 is above the fraction 1/10, and the float 0.3 below 3/10.
        ball(vec![0.1], "1", Some(("0", "1/10"))),
        ball(vec![0.3], "1", Some(("3/10", "1"))),
        ball(vec![0.5], "1", Some(("1", "0"))),
        ball(vec![0.5], "1e400", None),
        boxed(&["0", "1/3"], &["1", "333/1000"]),
        boxed(&["0"], &["1", "2"]),
        boxed(&["-1e400"], &["0"]),
    ];
    insta::assert_snapshot!(messages.join("\n"));
    // With a range, a radius of any size is a region.
    let all = InputRegion::ball(vec![0.5], Norm::L1, rational("1e400"), unit()).unwrap();
    assert_eq!(all.enclosing_box(), &FloatBox { lower: vec![0.0], upper: vec![1.0] });
    let point = InputRegion::ball(vec![0.1], Norm::L2, Rational::ZERO, None).unwrap();
    assert_eq!(point.enclosing_box(), &FloatBox { lower: vec![0.1], upper: vec![0.1] });
}

/// The distance of a bound from the exact one, at most so many units in the last place of the numbers involved.
fn off_by(found: f64, exact: &Rational, size: f64) -> bool {
    (&float(found) - exact).abs() <= float(2.0 * f64::EPSILON * size + 1e-323)
}

proptest! {
    #[test]
    fn the_box_encloses_and_is_tight(c in -2.0f64..2.0, n in 0i64..1000, d in 1i64..1000, s in -40i32..40) {
        let c = c * 2f64.powi(s);
        let eps = Rational::from(n).checked_div(&Rational::from(d)).unwrap();
        let region = InputRegion::ball(vec![c], Norm::Linf, eps.clone(), None).unwrap();
        let FloatBox { lower, upper } = region.enclosing_box().clone();
        let (l, u) = (&float(c) - &eps, &float(c) + &eps);
        prop_assert!(float(lower[0]) <= l && u <= float(upper[0]));
        let size = c.abs() + eps.to_f64();
        prop_assert!(off_by(lower[0], &l, size) && off_by(upper[0], &u, size));
        let (l, u) = (&l - &rational("1/7"), &u + &rational("1/7"));
        let exactly = InputRegion::boxed(vec![l.clone()], vec![u.clone()]).unwrap();
        let FloatBox { lower, upper } = exactly.enclosing_box();
        prop_assert!(lower[0] == l.round_down() && upper[0] == u.round_up());
    }

    #[test]
    fn membership_is_exact(steps in proptest::collection::vec(-3i32..4, 3), norm in 0usize..3, k in 0i64..9) {
        // Points a float32 step or so away from the surface, where the distance is 1/2 - k 2^-60 of a step.
        let centre = vec![0.5, 0.25, 0.75];
        let x: Vec<f32> = [0.75f32, 0.25, 0.625].iter().zip(&steps)
            .map(|(&v, &s)| (0..s.abs()).fold(v, |v, _| if s > 0 { v.next_up() } else { v.next_down() })).collect();
        let d: Vec<Rational> = x.iter().zip(&centre).map(|(&x, &c)| (&float(f64::from(x)) - &float(c)).abs()).collect();
        let tiny = &Rational::from(k - 4) * &float(2f64.powi(-60));
        let sum = |values: &mut dyn Iterator<Item = Rational>| values.fold(Rational::ZERO, |a, b| &a + &b);
        let (norm, distance, eps) = match norm {
            0 => (Norm::Linf, d.iter().max().unwrap().clone(), &rational("1/4") + &tiny),
            1 => (Norm::L1, sum(&mut d.iter().cloned()), &rational("3/8") + &tiny),
            _ => {
                let eps = &rational("0.2795084971874737") + &tiny;
                let square = sum(&mut d.iter().map(|d| d * d));
                let region = InputRegion::ball(centre.clone(), Norm::L2, eps.clone(), None).unwrap();
                prop_assert_eq!(region.contains(&x), square <= &eps * &eps);
                return Ok(());
            }
        };
        let region = InputRegion::ball(centre, norm, eps.clone(), unit()).unwrap();
        prop_assert_eq!(region.contains(&x), distance <= eps);
    }
}

#[test]
fn membership_at_the_surface() {
    let on = |norm, eps: &str, x: [f32; 2]| {
        InputRegion::ball(vec![0.0, 0.0], norm, rational(eps), None).unwrap().contains(&x)
    };
    assert!(on(Norm::L2, "5", [3.0, 4.0]) && !on(Norm::L2, "4.99999999999999999999", [3.0, 4.0]));
    assert!(!on(Norm::L2, "5", [3.0, 4.0f32.next_up()]) && on(Norm::L2, "5", [-3.0, -4.0]));
    assert!(on(Norm::L1, "7", [3.0, -4.0]) && !on(Norm::L1, "7", [3.0f32.next_up(), -4.0]));
    // The float32 0.1 is above 1/10.
    assert!(!on(Norm::Linf, "1/10", [0.1, 0.0]) && on(Norm::Linf, "1/10", [0.1f32.next_down(), 0.0]));
    let region = InputRegion::ball(vec![0.95], Norm::L2, Rational::ONE, unit()).unwrap();
    assert!(region.contains(&[1.0]) && !region.contains(&[1.0f32.next_up()]) && !region.contains(&[-1e-30]));
    assert!(!region.contains(&[f32::NAN]) && !region.contains(&[f32::INFINITY]) && !region.contains(&[0.5, 0.5]));
    let third = InputRegion::boxed(vec![rational("1/3")], vec![rational("2/3")]).unwrap();
    assert!(third.contains(&[0.5]));
    for v in [1.0f32 / 3.0, (1.0f32 / 3.0).next_up(), (1.0f32 / 3.0).next_down(), 2.0 / 3.0, (2.0f32 / 3.0).next_down()]
    {
        let exact = float(f64::from(v));
        assert_eq!(third.contains(&[v]), rational("1/3") <= exact && exact <= rational("2/3"), "{v}");
    }
}
