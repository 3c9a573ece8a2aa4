//! Projected gradient descent on the constraints of the unsafe set (Madry et al., ICLR 2018).
//!
//! An attack proposes; [`unmoved_check::replay`] disposes. Nothing found here is reported before it was replayed exactly.

use crate::gradient::gradient;
use unmoved_ir::IrError;
use unmoved_property::{Conjunction, Norm, Query, RegionKind};

/// How hard to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttackOptions {
    /// Gradient steps from each start.
    pub steps: usize,
    /// Starts per disjunct: the centre first, then random points.
    pub restarts: usize,
    /// Seed of the random starts.
    pub seed: u64,
}

impl Default for AttackOptions {
    fn default() -> Self {
        Self { steps: 20, restarts: 10, seed: 0 }
    }
}

/// Looks for inputs that satisfy one of the given disjuncts. `accept` is shown every float32 input that seems to, and ends
/// the attack by returning true.
pub(crate) fn attack(
    query: &Query,
    disjuncts: &[usize],
    options: AttackOptions,
    out_of_time: impl Fn() -> bool,
    mut accept: impl FnMut(&[f32]) -> bool,
) -> Result<(), IrError> {
    let region = query.region();
    let mut random = fastrand::Rng::with_seed(options.seed);
    for restart in 0..options.restarts {
        for &disjunct in disjuncts {
            let conjunction = &query.unsafe_set()[disjunct];
            let start = match restart {
                0 => centre(query),
                _ => region.sample(|| random.f64()),
            };
            if descend(query, conjunction, start, options.steps, &out_of_time, &mut accept)? || out_of_time() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The middle of the region.
pub(crate) fn centre(query: &Query) -> Vec<f64> {
    match query.region().kind() {
        RegionKind::Ball { centre, .. } => centre.clone(),
        RegionKind::Box { .. } => {
            let b = query.region().enclosing_box();
            b.lower.iter().zip(&b.upper).map(|(l, u)| l + (u - l) / 2.0).collect()
        }
    }
}

fn descend(
    query: &Query,
    conjunction: &Conjunction,
    mut x: Vec<f64>,
    steps: usize,
    out_of_time: &impl Fn() -> bool,
    accept: &mut impl FnMut(&[f32]) -> bool,
) -> Result<bool, IrError> {
    let (network, region) = (query.network(), query.region());
    let coefficients = |terms: &[(usize, unmoved_ir::Rational)], len: usize| {
        let mut dense = vec![0.0; len];
        terms.iter().for_each(|(k, c)| dense[*k] = c.to_f64());
        dense
    };
    let constraints: Vec<(Vec<f64>, Vec<f64>, f64)> = conjunction
        .0
        .iter()
        .map(|c| {
            (coefficients(&c.outputs, network.output_len()), coefficients(&c.inputs, x.len()), c.constant.to_f64())
        })
        .collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for step in 0..=steps {
        let trace = network.trace(&x)?;
        let y = &trace[network.output().0];
        let values = constraints.iter().map(|(a, p, c)| dot(a, y) + dot(p, &x) + c);
        // The constraint that is farthest from holding leads.
        let worst = values.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        if worst.is_none_or(|(_, g)| g <= 0.0)
            && let Some(input) = region.to_f32_inside(&x)
            && accept(&input)
        {
            return Ok(true);
        }
        let Some((worst, _)) = worst else { return Ok(false) };
        if step == steps || out_of_time() {
            break;
        }
        let (outputs, inputs, _) = &constraints[worst];
        let mut slope = gradient(network, &trace, outputs);
        slope.iter_mut().zip(inputs).for_each(|(s, p)| *s += p);
        // Large steps first to cross the region, small ones later to settle.
        let length = 0.5 * (1.0 - step as f64 / steps as f64) + 0.02;
        move_against(query, &mut x, &slope, length);
        region.project(&mut x);
    }
    Ok(false)
}

/// One step of steepest descent in the region's own norm, `length` as a share of its radius.
fn move_against(query: &Query, x: &mut [f64], slope: &[f64], length: f64) {
    let b = query.region().enclosing_box();
    match query.region().kind() {
        RegionKind::Ball { norm: Norm::L2, eps, .. } => {
            let norm = slope.iter().map(|s| s * s).sum::<f64>().sqrt();
            if norm > 0.0 {
                let scale = length * eps.to_f64() / norm;
                x.iter_mut().zip(slope).for_each(|(x, s)| *x -= scale * s);
            }
        }
        RegionKind::Ball { norm: Norm::L1, eps, .. } => {
            // Steepest for l1 is one element alone; sharing the step among the steepest few finds better corners.
            let mut order: Vec<usize> =
                (0..x.len()).filter(|&i| room(x[i], slope[i], b.lower[i], b.upper[i]) > 0.0).collect();
            order.sort_by(|&i, &j| slope[j].abs().total_cmp(&slope[i].abs()));
            let mut budget = length * eps.to_f64();
            for i in order {
                let step = room(x[i], slope[i], b.lower[i], b.upper[i]).min(budget);
                x[i] -= step * slope[i].signum();
                budget -= step;
                if budget <= 0.0 {
                    break;
                }
            }
        }
        _ => {
            for i in 0..x.len() {
                let half = (b.upper[i] - b.lower[i]) / 2.0;
                if slope[i] != 0.0 {
                    x[i] -= length * half * slope[i].signum();
                }
            }
        }
    }
}

/// How far an element can move against its slope within the box.
fn room(x: f64, slope: f64, lower: f64, upper: f64) -> f64 {
    if slope > 0.0 {
        x - lower
    } else if slope < 0.0 {
        upper - x
    } else {
        0.0
    }
}
