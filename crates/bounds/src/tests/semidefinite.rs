//! Semidefinite bounds against what networks do.

use super::shallow::{Case, Seen};
use super::*;
use crate::engine::{Ascent, Descent, Split, Subproblem};
use crate::semidefinite::{self, Program, Rows};
use unmoved_property::RegionKind;

/// The least value seen on the part that splits leave: from many points, then from better and better ones. Never below the minimum.
fn least(rng: &mut Rng, case: &Case, splits: &[Split], known: &Seen) -> f64 {
    let (mut best, mut at) = (case.value(known), known.trace[0].clone());
    for k in 0..400 {
        let other = case.point(rng);
        // Regions are convex: between two of its points are others.
        let share = if k < 100 { 1.0 } else { [0.5, 0.1, 0.02, -0.01][k % 4] * rng.unit() };
        let x: Vec<f64> = at.iter().zip(&other.trace[0]).map(|(a, o)| a + share * (o - a)).collect();
        let seen = case.at(&x);
        let is_inside = share > 0.0
            || case.region.to_f32_inside(&x).is_some_and(|y| y.iter().zip(&x).all(|(y, x)| f64::from(*y) == *x));
        if is_inside && case.obeys(&seen, splits) && case.value(&seen) < best {
            (best, at) = (case.value(&seen), x);
        }
    }
    best
}

fn linear(case: &Case, splits: &[Split]) -> f64 {
    let slopes = vec![128; case.compact.unstable().len()];
    let mut descent = Descent::new(&case.compact);
    let problem = Subproblem { form: &case.form, splits, slopes: &slopes, shifts: &[] };
    descent.run(&[problem], &Ascent { steps: 60, enough: f32::INFINITY });
    f64::from(descent.bound(0))
}

#[test]
fn bounds_hold_and_are_mostly_better_than_linear_ones() {
    let mut rng = Rng(91);
    let (mut split, mut better, mut worse, mut tight) = (0, 0, 0, 0);
    for number in 0..300 {
        let case = Case::new(&mut rng);
        let known = case.point(&mut rng);
        let splits = case.splits(&mut rng, &known);
        let rows = Rows::new(&case.compact).expect("it is small");
        let form = rows.of(&case.form);
        let root = Program::new(&rows, &form, &[]);
        let mut above = semidefinite::Ascent::new(&root);
        above.climb(60, 1.0, || false);
        let value = least(&mut rng, &case, &[], &known);
        let bound = above.bound(|| false);
        assert!(bound <= value + 1e-4 * (1.0 + value.abs()), "case {number}: {bound} above {value}");
        let program = Program::new(&rows, &form, &splits);
        let mut ascent = semidefinite::Ascent::below(&program, &above.found());
        let value = least(&mut rng, &case, &splits, &known);
        for _ in 0..2 {
            ascent.climb(100, 0.5, || false);
            let bound = ascent.bound(|| false);
            assert!(
                bound <= value + 1e-4 * (1.0 + value.abs()),
                "case {number}: {bound} above {value} with {splits:?}"
            );
        }
        let bound = ascent.bound(|| false);
        // What an l1 ball cuts off the box is known to linear bounds alone.
        let is_l1 = matches!(case.region.kind(), RegionKind::Ball { norm: Norm::L1, .. });
        let linear = if is_l1 { f64::NEG_INFINITY } else { linear(&case, &splits) };
        split += usize::from(!splits.is_empty());
        better += usize::from(!is_l1 && bound > linear + 0.01);
        worse += usize::from(bound < linear - 0.01);
        tight += usize::from(bound > value - 0.02);
    }
    assert!(
        split > 100 && better > 60 && worse < 16 && tight > 100,
        "{split} split, {better} better, {worse} worse, {tight} tight"
    );
}
