//! Projection, rounding into the region, sampling.

use super::*;
use unmoved_ir::testing::Rng;

fn distance(norm: Norm, a: &[f64], b: &[f64]) -> f64 {
    let d = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    match norm {
        Norm::Linf => d.fold(0.0, f64::max),
        Norm::L1 => d.sum(),
        Norm::L2 => d.map(|d| d * d).sum::<f64>().sqrt(),
    }
}

#[test]
fn projections_are_inside_and_nearest() {
    let mut rng = Rng(4);
    for case in 0..200 {
        let n = 1 + rng.below(5);
        let norm = NORMS[case % 3];
        let centre: Vec<f64> = (0..n).map(|_| rng.unit()).collect();
        let eps = ["1/10", "1", "1e-9", "0"][rng.below(4)];
        let region = InputRegion::ball(centre.clone(), norm, rational(eps), unit()).unwrap();
        let far = 10f64.powi(rng.below(12) as i32 - 3);
        let x: Vec<f64> = (0..n).map(|i| centre[i] + far * rng.signed()).collect();
        let mut p = x.clone();
        region.project(&mut p);
        let FloatBox { lower, upper } = region.enclosing_box();
        assert!((0..n).all(|i| lower[i] <= p[i] && p[i] <= upper[i]));
        assert!(distance(norm, &p, &centre) <= rational(eps).to_f64() + 1e-14, "case {case}");
        // The angle at the nearest point: (x - p) . (y - p) <= 0 for every y inside.
        for _ in 0..20 {
            let y = region.sample(|| rng.unit());
            let angle: f64 = (0..n).map(|i| (x[i] - p[i]) * (y[i] - p[i])).sum();
            // Rounding in x - p moves p by about 1e-16 of the step.
            let allowed = 1e-9 * (1.0 + far) * (1e-3 + rational(eps).to_f64()) + 1e-14 * far * far;
            assert!(angle <= allowed, "case {case}: {angle}");
        }
    }
    let mut inside = [0.5, 0.52];
    let region = InputRegion::ball(vec![0.5, 0.5], Norm::L2, rational("1/10"), None).unwrap();
    region.project(&mut inside);
    assert_eq!(inside, [0.5, 0.52], "what is inside stays");
    let mut wild = [f64::INFINITY, f64::NAN];
    region.project(&mut wild);
    assert!(wild[0] <= 0.6000001);
}

#[test]
fn rounding_to_float32_stays_inside_and_near() {
    let mut rng = Rng(5);
    for case in 0..300 {
        let n = 1 + rng.below(40);
        let norm = NORMS[case % 3];
        let centre: Vec<f64> = (0..n).map(|_| f64::from(rng.below(256) as f32 / 255.0)).collect();
        let eps = ["0.1", "8/255", "1/1000", "3", "0"][rng.below(5)];
        let region = InputRegion::ball(centre.clone(), norm, rational(eps), unit()).unwrap();
        // Corners of l-inf balls, points of the surface of others.
        let mut x: Vec<f64> =
            centre.iter().map(|c| if rng.below(2) == 0 { c - 10.0 } else { c + 10.0 * rng.unit() }).collect();
        region.project(&mut x);
        let rounded = region.to_f32_inside(&x).unwrap_or_else(|| panic!("case {case}: {norm:?} {eps}"));
        assert!(region.contains(&rounded));
        for i in 0..n {
            let ulp = f64::from(f32::EPSILON) * x[i].abs() + 1e-44;
            // l1 and l2 may have to come 1e-9 of the way closer besides.
            let near = ulp + if norm == Norm::Linf { 0.0 } else { 1e-8 };
            assert!((f64::from(rounded[i]) - x[i]).abs() <= near, "case {case}, {norm:?}");
        }
    }
}

#[test]
fn rounding_where_there_is_little_room() {
    let one = |l: &str, u: &str| InputRegion::boxed(vec![rational(l)], vec![rational(u)]).unwrap();
    // No float32 in between, then exactly one, reached from both ends.
    assert_eq!(one("0.1", "0.1").to_f32_inside(&[0.1]), None);
    let (l, u) = (&float(f64::from(0.1f32)) - &rational("1e-20"), &float(f64::from(0.1f32)) + &rational("1e-20"));
    let region = InputRegion::boxed(vec![l], vec![u]).unwrap();
    for x in [-1.0, 0.1, 5.0] {
        assert_eq!(region.to_f32_inside(&[x]), Some(vec![0.1f32]));
    }
    assert_eq!(one("1e39", "1e40").to_f32_inside(&[1e39]), None);
    assert_eq!(one("0", "1e40").to_f32_inside(&[1e40]), Some(vec![f32::MAX]));
    assert_eq!(one("0", "1").to_f32_inside(&[0.5, 0.5]), None);
    assert_eq!(one("0", "1").to_f32_inside(&[f64::NAN]).map(|v| v.len()), Some(1));
    // A centre that is no float32.
    let region = InputRegion::ball(vec![0.1, 0.1], Norm::L2, rational("1e-3"), None).unwrap();
    assert!(region.to_f32_inside(&[0.2, 0.1]).is_some());
    let region = InputRegion::ball(vec![0.1, 0.1], Norm::L2, Rational::ZERO, None).unwrap();
    assert_eq!(region.to_f32_inside(&[0.1, 0.1]), None);
}

#[test]
fn samples_reach_the_corners() {
    let region = InputRegion::ball(vec![0.5, 0.5], Norm::Linf, rational("1/10"), None).unwrap();
    assert_eq!(region.sample(|| 0.0), [region.enclosing_box().lower[0]; 2]);
    assert!(region.sample(|| 1.0 - f64::EPSILON).iter().all(|v| (0.599..0.601).contains(v)));
}

#[test]
fn a_point_is_float32_where_the_region_allows_that() {
    let number = |text: &str| text.parse::<Rational>().unwrap();
    let boxed = |ends: &[[&str; 2]]| {
        let side = |k: usize| ends.iter().map(|e| number(e[k])).collect();
        InputRegion::boxed(side(0), side(1)).unwrap()
    };
    let region = boxed(&[["0", "1"], ["0.3", "0.3"], ["0.1", "0.1000000001"]]);
    let point = region.nearest_inside(&[0.7, 0.0, 9.0]).unwrap();
    assert_eq!(point.nearest, [0.7, 0.3, 0.1]);
    assert_eq!(point.exact, [(1, number("3/10")), (2, number("0.1000000001"))]);
    assert!(region.contains_point(&point) && !region.contains(&point.nearest));
    assert_eq!(region.nearest_inside(&[0.7, 0.0, -9.0]).unwrap().exact[1].1, number("1/10"));
    // Nothing is exact that need not be.
    assert_eq!(boxed(&[["0.1", "0.2"]]).nearest_inside(&[0.0]).unwrap().exact, []);
    assert_eq!(boxed(&[["1e39", "1e40"]]).nearest_inside(&[1e39]), None);
    assert_eq!(region.nearest_inside(&[0.5, 0.3]), None);
    assert_eq!(region.nearest_inside(&[f64::NAN, 0.3, 0.1]), None);
    let ball = |norm| InputRegion::ball(vec![0.1, 0.2], norm, number("1/1000000000000"), None).unwrap();
    let point = ball(Norm::Linf).nearest_inside(&[0.1, 0.2]).unwrap();
    assert!(point.exact.len() == 2 && ball(Norm::Linf).contains_point(&point));
    assert_eq!(ball(Norm::L2).nearest_inside(&[0.1, 0.2]), None);
    assert!(!ball(Norm::L2).contains_point(&point));
}
