//! The fast engine against the plain definitions of what it computes.

use super::*;
use crate::engine::{Ascent, Descent, Form, LANES, Lanes, Probe, Side, Split, Subproblem, phase};
use unmoved_ir::testing::{Recipe, random_network};
use unmoved_ir::{Lowered, Network, lower_max_pool};

struct Case {
    lowered: Lowered,
    region: InputRegion,
    compact: Compact,
}

fn case(rng: &mut Rng) -> Case {
    let lowered = lower_max_pool(&random_network(rng, &Recipe::default())).unwrap();
    let region = random_region(rng, lowered.network.input().shape.len());
    let compact = cut(&lowered, &region);
    Case { lowered, region, compact }
}

/// Points of the region, one a lane, and the values of all nodes there.
fn points(rng: &mut Rng, case: &Case) -> (Vec<Lanes>, Vec<Vec<Vec<f64>>>) {
    let mut lanes = vec![Lanes::splat(0.0); case.region.len()];
    let mut traces = Vec::new();
    for lane in 0..LANES {
        let x: Vec<f64> = random_point(rng, &case.region).iter().map(Exact::to_f64).collect();
        lanes.iter_mut().zip(&x).for_each(|(to, x)| to.0[lane] = *x as f32);
        traces.push(case.lowered.network.trace(&x).unwrap());
    }
    (lanes, traces)
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-4 * (1.0 + a.abs().max(b.abs()))
}

#[test]
fn what_is_left_of_a_network_has_its_outputs() {
    let mut rng = Rng(71);
    for _ in 0..100 {
        let case = case(&mut rng);
        let (x, traces) = points(&mut rng, &case);
        let mut probe = Probe::new(&case.compact);
        let outputs = probe.outputs(&x);
        for (lane, trace) in traces.iter().enumerate() {
            let expected = &trace[case.lowered.network.output().0];
            assert!(outputs.iter().zip(expected).all(|(y, e)| near(f64::from(y.0[lane]), *e)));
        }
    }
}

#[test]
fn gradients_are_the_slopes_of_forward() {
    let mut rng = Rng(72);
    for _ in 0..60 {
        let case = case(&mut rng);
        let (x, traces) = points(&mut rng, &case);
        let weights: Vec<f64> = (0..case.lowered.network.output_len()).map(|_| rng.signed()).collect();
        let mut probe = Probe::new(&case.compact);
        probe.outputs(&x);
        let coefficients: Vec<Lanes> = weights.iter().map(|w| Lanes::splat(*w as f32)).collect();
        let mut slope = vec![Lanes::splat(0.0); x.len()];
        probe.gradients(&coefficients, &mut slope);
        let network: &Network = &case.lowered.network;
        let value = |y: &[f64]| y.iter().zip(&weights).map(|(y, w)| y * w).sum::<f64>();
        for (lane, trace) in traces.iter().enumerate() {
            // Towards another point of the region: what is dead there is dead all the way.
            let other = &traces[(lane + 1) % LANES][0];
            let direction: Vec<f64> = other.iter().zip(&trace[0]).map(|(a, b)| a - b).collect();
            let expected: f64 = slope.iter().zip(&direction).map(|(s, d)| f64::from(s.0[lane]) * d).sum();
            let at = |t: f64| {
                let x: Vec<f64> = trace[0].iter().zip(&direction).map(|(x, d)| x + t * d).collect();
                value(&network.forward(&x).unwrap())
            };
            // One-sided slopes differ at kinks.
            let (right, left) = ((at(1e-6) - at(0.0)) / 1e-6, (at(0.0) - at(-1e-6)) / 1e-6);
            let close = |s: f64| (s - expected).abs() <= 1e-2 * (1.0 + expected.abs());
            assert!(close(right) || close(left), "{expected} is neither {left} nor {right}");
        }
    }
}

#[test]
fn bounds_hold_for_any_multipliers_and_improve() {
    let mut rng = Rng(73);
    let (mut inside, mut improved) = (0, 0);
    for _ in 0..200 {
        let case = case(&mut rng);
        let unstable = case.compact.unstable();
        let network = &case.lowered.network;
        let output = network.output();
        let lanes = 1 + rng.below(LANES);
        let forms: Vec<Form> = (0..lanes)
            .map(|_| Form {
                node: output.0,
                terms: (0..network.output_len() as u32).map(|k| (k, rng.signed() as f32)).collect(),
                inputs: vec![(rng.below(case.region.len()) as u32, rng.signed() as f32)],
                constant: rng.signed() as f32,
            })
            .collect();
        let slopes: Vec<Vec<u8>> =
            (0..lanes).map(|_| unstable.iter().map(|_| rng.below(256) as u8).collect()).collect();
        let splits: Vec<Vec<Split>> = (0..lanes)
            .map(|_| {
                let mut splits = Vec::new();
                for relu in 0..unstable.len() as u32 {
                    if rng.below(4) > 0 {
                        continue;
                    }
                    let side = if rng.below(2) == 0 { Side::Active } else { Side::Inactive };
                    splits.push(Split { relu, side });
                }
                splits
            })
            .collect();
        let shift = |relu: u32, rng: &mut Rng| (rng.below(3) == 0).then(|| (relu, rng.signed() as f32));
        let shifts: Vec<Vec<(u32, f32)>> =
            (0..lanes).map(|_| (0..unstable.len() as u32).filter_map(|relu| shift(relu, &mut rng)).collect()).collect();
        let problem =
            |k: usize| Subproblem { form: &forms[k], splits: &splits[k], slopes: &slopes[k], shifts: &shifts[k] };
        let problems: Vec<Subproblem<'_>> = (0..lanes).map(problem).collect();
        let mut descent = Descent::new(&case.compact);
        let ascent = |steps| Ascent { steps, enough: f32::INFINITY };
        descent.run(&problems, &ascent(1));
        let first: Vec<f32> = (0..lanes).map(|lane| descent.bound(lane)).collect();
        descent.run(&problems, &ascent(12));
        for lane in 0..lanes {
            // But for slopes being rounded.
            assert!(descent.bound(lane) >= first[lane] - 0.02 * (1.0 + first[lane].abs()));
            improved += usize::from(descent.bound(lane) > first[lane] + 1e-4);
        }
        for trace in points(&mut rng, &case).1 {
            for lane in 0..lanes {
                let obeys = |s: &Split| {
                    let u = unstable[s.relu as usize];
                    let z = trace[u.node.0][u.position as usize];
                    if s.side == Side::Active { z >= 0.0 } else { z <= 0.0 }
                };
                if !splits[lane].iter().all(obeys) {
                    continue;
                }
                inside += 1;
                let form = &forms[lane];
                let dot = |terms: &[(u32, f32)], v: &[f64]| {
                    terms.iter().map(|&(k, c)| f64::from(c) * v[k as usize]).sum::<f64>()
                };
                let value =
                    dot(&form.terms, &trace[output.0]) + dot(&form.inputs, &trace[0]) + f64::from(form.constant);
                let bound = f64::from(descent.bound(lane));
                assert!(bound <= value + 1e-4 * (1.0 + value.abs()), "{bound} above {value}");
            }
        }
    }
    assert!(inside > 1000 && improved > 200, "{inside} points in their part, {improved} bounds improved");
}

/// A branch's bound is that of its parent or better once its split has a multiplier; a lane does not see its neighbours.
#[test]
fn lanes_do_not_mix() {
    let mut rng = Rng(74);
    for _ in 0..50 {
        let case = case(&mut rng);
        let slopes = vec![128; case.compact.unstable().len()];
        let form = |k: u32| Form { node: case.compact.output(), terms: vec![(k, 1.0)], ..Form::default() };
        let forms: Vec<Form> = (0..3).map(form).collect();
        let problems: Vec<Subproblem<'_>> =
            forms.iter().map(|form| Subproblem { form, splits: &[], slopes: &slopes, shifts: &[] }).collect();
        let ascent = Ascent { steps: 5, enough: f32::INFINITY };
        let mut descent = Descent::new(&case.compact);
        descent.run(&problems, &ascent);
        let together: Vec<f32> = (0..3).map(|lane| descent.bound(lane)).collect();
        for (problem, bound) in problems.iter().zip(together) {
            descent.run(std::slice::from_ref(problem), &ascent);
            assert_eq!(descent.bound(0), bound);
        }
    }
}

#[test]
fn rounding_leaves_no_phase_open() {
    for (lower, upper, expected) in [
        (-1e-16, 1e-16, Some(Side::Inactive)),
        (-2.0, 1e-16, Some(Side::Inactive)),
        (-1e-16, 2.0, Some(Side::Active)),
        (-1e-300, 1e-9, Some(Side::Active)),
        (-1e6, 1e-7, Some(Side::Inactive)),
        (0.0, 1.0, Some(Side::Active)),
        (-1e-9, 1e-9, None),
        (-1e-3, 2.0, None),
    ] {
        assert_eq!(phase(lower, upper), expected, "[{lower}, {upper}]");
    }
}
