//! The minimum of a linear functional: below every point, close to the optimum, honest about rounding.

use super::*;
use proptest::prelude::*;
use unmoved_ir::testing::Rng;

fn dot(q: &[f64], x: &[f64]) -> Rational {
    q.iter().zip(x).fold(Rational::ZERO, |s, (q, x)| &s + &(&float(*q) * &float(*x)))
}

/// The exact value at the point of an l2 ball without box that is farthest against `q`, squared to avoid the root.
fn random(rng: &mut Rng, n: usize, magnitude: i32) -> Vec<f64> {
    let wild = magnitude.max(1) as usize;
    (0..n).map(|_| rng.signed() * 10f64.powi(rng.below(2 * wild) as i32 - wild as i32)).collect()
}

/// A search that knows nothing of duality: coordinates of the optimum `clip(centre - q / lambda)` for many multipliers,
/// pulled into the ball.
fn optimum(region: &InputRegion, q: &[f64]) -> f64 {
    let RegionKind::Ball { centre, norm, eps, .. } = region.kind() else { unreachable!() };
    let (FloatBox { lower, upper }, eps) = (region.enclosing_box(), eps.to_f64());
    let value = |x: &[f64]| q.iter().zip(x).map(|(q, x)| q * x).sum::<f64>();
    if *norm == Norm::L1 {
        // Spend the radius greedily on the largest coefficients: the vertices of the polytope.
        let mut x = centre.clone();
        let mut left = eps;
        let mut order: Vec<usize> = (0..q.len()).collect();
        order.sort_by(|a, b| q[*b].abs().total_cmp(&q[*a].abs()));
        for i in order {
            let room = if q[i] > 0.0 { centre[i] - lower[i] } else { upper[i] - centre[i] };
            let step = room.min(left);
            x[i] -= step * q[i].signum();
            left -= step;
        }
        return value(&x);
    }
    let mut best = value(centre);
    for k in 0..20_000 {
        let lambda = 10f64.powf(k as f64 / 1000.0 - 10.0);
        let x: Vec<f64> = (0..q.len()).map(|i| (centre[i] - q[i] / lambda).clamp(lower[i], upper[i])).collect();
        let distance = x.iter().zip(centre).map(|(x, c)| (x - c) * (x - c)).sum::<f64>().sqrt();
        if distance <= eps * (1.0 + 1e-12) {
            best = best.min(value(&x));
        }
    }
    best
}

#[test]
fn it_is_below_every_point_exactly() {
    let mut rng = Rng(1);
    for case in 0..600 {
        let n = 1 + rng.below(6);
        let magnitude = [0, 3, 20][case % 3];
        let centre: Vec<f64> = (0..n).map(|_| rng.unit()).collect();
        let eps = rational(["8/255", "1/10", "3", "1e-9", "0"][case % 5]);
        let region = match rng.below(4) {
            3 => {
                let (lower, upper) = (random(&mut rng, n, magnitude), random(&mut rng, n, magnitude));
                let ends: Vec<_> = lower.iter().zip(&upper).map(|(a, b)| (a.min(*b), a.max(*b))).collect();
                InputRegion::boxed(ends.iter().map(|e| float(e.0)).collect(), ends.iter().map(|e| float(e.1)).collect())
            }
            k => InputRegion::ball(centre, NORMS[k], eps, if case % 2 == 0 { unit() } else { None }),
        }
        .unwrap();
        let q: Vec<f64> =
            random(&mut rng, n, magnitude).iter().map(|v| if rng.below(4) == 0 { 0.0 } else { *v }).collect();
        let minimum = region.minimum(&q);
        assert!(minimum.is_finite());
        let inside = |x: &[f64]| {
            // Only points that are surely inside may contradict the bound.
            let RegionKind::Ball { centre, norm, eps, range } = region.kind() else { return true };
            let d: Vec<Rational> = x.iter().zip(centre).map(|(x, c)| (&float(*x) - &float(*c)).abs()).collect();
            let sum = |v: Vec<Rational>| v.iter().fold(Rational::ZERO, |a, b| &a + b);
            let in_range = |v: &f64| range.as_ref().is_none_or(|(l, u)| *l <= float(*v) && float(*v) <= *u);
            x.iter().all(in_range)
                && match norm {
                    Norm::Linf => d.iter().all(|d| d <= eps),
                    Norm::L1 => sum(d) <= *eps,
                    Norm::L2 => sum(d.iter().map(|d| d * d).collect()) <= eps * eps,
                }
        };
        for _ in 0..20 {
            let mut x = region.sample(|| rng.unit());
            if rng.below(2) == 0 {
                // Far against q, then back: near the optimum.
                x.iter_mut().zip(&q).for_each(|(x, q)| *x -= q * 10f64.powi(case as i32 % 7));
                region.project(&mut x);
            }
            assert!(!inside(&x) || float(minimum) <= dot(&q, &x), "case {case}");
        }
        if !matches!(region.kind(), RegionKind::Ball { norm: Norm::L1 | Norm::L2, .. }) {
            // Exact at the corner, with the exact bounds.
            let corner: Rational = (0..n).fold(Rational::ZERO, |s, i| {
                let (l, u) = match region.kind() {
                    RegionKind::Box { lower, upper } => (lower[i].clone(), upper[i].clone()),
                    RegionKind::Ball { centre, eps, range, .. } => {
                        let (l, u) = (&float(centre[i]) - eps, &float(centre[i]) + eps);
                        range.clone().map_or((l.clone(), u.clone()), |(low, high)| (l.max(low), u.min(high)))
                    }
                };
                &s + &(&float(q[i]) * if q[i] > 0.0 { &l } else { &u })
            });
            assert!(float(minimum) <= corner, "case {case}");
            let size: f64 = (0..n)
                .map(|i| {
                    q[i].abs() * (region.enclosing_box().lower[i].abs() + region.enclosing_box().upper[i].abs() + 3.0)
                })
                .sum();
            assert!((&corner - &float(minimum)).abs() <= float(1e-14 * size + 1e-300), "case {case}: tight");
        }
    }
}

#[test]
fn balls_are_tight() {
    let mut rng = Rng(2);
    for case in 0..300 {
        let n = 1 + rng.below(5);
        let norm = NORMS[1 + case % 2];
        let centre: Vec<f64> = (0..n).map(|_| if rng.below(4) == 0 { 0.0 } else { rng.unit() }).collect();
        let eps = rational(["1/10", "1/2", "5", "1/1000"][rng.below(4)]);
        let region = InputRegion::ball(centre, norm, eps, if case % 3 == 0 { None } else { unit() }).unwrap();
        let mut q: Vec<f64> = (0..n).map(|_| rng.signed()).collect();
        if rng.below(3) == 0 {
            q[0] = 0.0;
        }
        let (minimum, optimum) = (region.minimum(&q), optimum(&region, &q));
        // The search of `optimum` has a grid; ours must not be worse than it by more than rounding.
        assert!(minimum <= optimum + 1e-12, "case {case}: {minimum} above {optimum}");
        assert!(
            minimum >= optimum - if norm == Norm::L1 { 1e-13 } else { 5e-3 * (1.0 + optimum.abs()) },
            "case {case}: {minimum} far below {optimum}"
        );
    }
    // Known optima: the whole of an l2 ball, and one that the box cuts.
    let ball = |range| InputRegion::ball(vec![0.0, 0.0], Norm::L2, Rational::from(5), range).unwrap();
    assert!((ball(None).minimum(&[3.0, -4.0]) + 25.0).abs() < 1e-12);
    let cut = ball(Some((Rational::from(-3), Rational::from(3))));
    // The first element stops at -3; the other keeps sqrt(25 - 9) = 4, but the box ends at 3.
    assert!((cut.minimum(&[1.0, 1.0]) + 6.0).abs() < 1e-12);
    assert!((cut.minimum(&[1.0, 0.0]) + 3.0).abs() < 1e-12);
    let cut = ball(Some((Rational::from(-4), Rational::from(4))));
    assert!((cut.minimum(&[10.0, 1.0]) + 43.0).abs() < 1e-12, "x = (-4, -3): {}", cut.minimum(&[10.0, 1.0]));
}

#[test]
fn the_ends_of_the_floats() {
    for norm in NORMS {
        let ball = |centre: Vec<f64>, eps: &str, range| InputRegion::ball(centre, norm, rational(eps), range).unwrap();
        let region = ball(vec![0.5, 0.5], "1/10", unit());
        assert_eq!(region.minimum(&[0.0, 0.0]), 0.0);
        assert_eq!(region.minimum(&[0.0, -0.0]), 0.0);
        // Products that vanish are still bounded from below.
        assert!(region.minimum(&[-5e-324, 0.0]) < -5e-324);
        assert!(region.minimum(&[1e-320, -1e-320]) < 0.0);
        // What overflows gives no bound rather than a false one.
        assert_eq!(ball(vec![1e300], "1", None).minimum(&[1e300]), f64::NEG_INFINITY);
        assert_eq!(ball(vec![-1e300], "1", None).minimum(&[1e300]), f64::NEG_INFINITY);
        assert_eq!(region.minimum(&[f64::NAN, 1.0]), f64::NEG_INFINITY);
        assert_eq!(region.minimum(&[f64::INFINITY, 1.0]), f64::NEG_INFINITY);
        // Large coefficients lose nothing: their squares must not matter.
        let large = region.minimum(&[1e200, -1e200]);
        let factor = match norm {
            Norm::Linf => 0.2,
            Norm::L1 => 0.1,
            Norm::L2 => 0.1 * 2f64.sqrt(),
        };
        assert!((large / 1e200 + factor).abs() < 1e-12, "{norm:?}: {large}");
        // A radius of zero, and one beyond the floats.
        let point = ball(vec![0.1, 0.7], "0", unit());
        let exact = dot(&[3.0, -1.0], &[0.1, 0.7]);
        assert!(float(point.minimum(&[3.0, -1.0])) <= exact && point.minimum(&[3.0, -1.0]) > exact.to_f64() - 1e-14);
        let all = ball(vec![0.1, 0.7], "1e400", unit());
        assert!((all.minimum(&[3.0, -1.0]) + 1.0).abs() < 1e-14);
        let narrow = ball(vec![0.1, 0.7], "1e-300", unit());
        assert!(float(narrow.minimum(&[3.0, -1.0])) <= exact && narrow.minimum(&[3.0, -1.0]) > exact.to_f64() - 1e-14);
    }
}

#[test]
fn zeros_take_no_part() {
    let mut rng = Rng(3);
    for norm in NORMS {
        let centre: Vec<f64> = (0..784).map(|_| rng.unit()).collect();
        let region = InputRegion::ball(centre.clone(), norm, rational("1/10"), unit()).unwrap();
        let mut q = vec![0.0; 784];
        let few = [3, 100, 700];
        few.iter().for_each(|&i| q[i] = rng.signed());
        let small = few.iter().map(|&i| centre[i]).collect();
        let small = InputRegion::ball(small, norm, rational("1/10"), unit()).unwrap();
        assert_eq!(region.minimum(&q), small.minimum(&few.map(|i| q[i])));
        assert_eq!(region.minimum(&q), region.minimum_of(few.iter().map(|&i| (i, q[i]))));
    }
}

proptest! {
    #[test]
    fn any_coefficients_give_a_sound_bound(
        q in proptest::collection::vec(any::<f64>(), 3), c in proptest::collection::vec(-1e6f64..1e6, 3), norm in 0usize..3,
    ) {
        let region = InputRegion::ball(c.clone(), NORMS[norm], rational("1/3"), None).unwrap();
        let minimum = region.minimum(&q);
        prop_assert!(!minimum.is_nan() && minimum < f64::INFINITY);
        if q.iter().all(|q| q.is_finite()) && minimum.is_finite() {
            prop_assert!(float(minimum) <= dot(&q, &c));
        }
    }
}
