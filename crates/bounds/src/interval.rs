//! Interval arithmetic through one node.

use crate::affine::Affine;
use crate::rounding::{Watched, gamma};
use crate::table::Bounds;
use unmoved_ir::Gather;

/// Bounds of an affine node, and per output `sum |w| max|x| + |b|`, rounded up: what errors are measured against. An end
/// whose every product and sum is exact, as in networks made by hand, is not moved outward.
pub(crate) fn affine(layer: &Affine, outputs: usize, x: &Bounds) -> (Bounds, Vec<f64>) {
    let mut y = Bounds { lower: Vec::with_capacity(outputs), upper: Vec::with_capacity(outputs) };
    let mut sizes = Vec::with_capacity(outputs);
    let terms = layer.terms_per_output() + 4;
    for k in 0..outputs {
        let bias = layer.bias(k);
        let (mut lower, mut upper, mut size) = (Watched::new(bias), Watched::new(bias), bias.abs());
        layer.row(k, |first, weights| {
            for ((&w, &l), &u) in weights.iter().zip(&x.lower[first..]).zip(&x.upper[first..]) {
                let (at_least, at_most) = if w >= 0.0 { (l, u) } else { (u, l) };
                lower.add_product(w, at_least);
                upper.add_product(w, at_most);
                size += (w * l).abs().max((w * u).abs());
            }
        });
        let size = size * (1.0 + gamma(terms)) + terms as f64 * f64::MIN_POSITIVE;
        let slack = layer.slack(k);
        let (eta, beta) = slack.unwrap_or((0.0, 0.0));
        let error = (gamma(terms) + eta) * size * (1.0 + 1e-9) + beta * (1.0 + 1e-9) + terms as f64 * f64::MIN_POSITIVE;
        let exact = |sum: &Watched| sum.exact && slack.is_none();
        y.lower
            .push(or(if exact(&lower) { lower.value } else { (lower.value - error).next_down() }, f64::NEG_INFINITY));
        y.upper.push(or(if exact(&upper) { upper.value } else { (upper.value + error).next_up() }, f64::INFINITY));
        sizes.push(size);
    }
    (y, sizes)
}

/// Where an overflow left no number, `nothing` is known.
fn or(bound: f64, nothing: f64) -> f64 {
    if bound.is_nan() { nothing } else { bound }
}

pub(crate) fn relu(x: &Bounds) -> Bounds {
    let positive = |v: &[f64]| v.iter().map(|v| v.max(0.0)).collect();
    Bounds { lower: positive(&x.lower), upper: positive(&x.upper) }
}

pub(crate) fn add(a: &Bounds, b: &Bounds) -> Bounds {
    let sum = |a: f64, b: f64| {
        let mut sum = Watched::new(a);
        sum.add_product(1.0, b);
        sum
    };
    let ends = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| sum(*a, *b)).collect::<Vec<_>>();
    let (lower, upper) = (ends(&a.lower, &b.lower), ends(&a.upper, &b.upper));
    let (down, up) = (|v: f64| or(v.next_down(), f64::NEG_INFINITY), |v: f64| or(v.next_up(), f64::INFINITY));
    Bounds {
        lower: lower.iter().map(|s| if s.exact { s.value } else { down(s.value) }).collect(),
        upper: upper.iter().map(|s| if s.exact { s.value } else { up(s.value) }).collect(),
    }
}

pub(crate) fn gather(g: &Gather, x: &Bounds) -> Bounds {
    let pick = |v: &[f64]| g.index.iter().map(|i| i.map_or(0.0, |i| v[i as usize])).collect();
    Bounds { lower: pick(&x.lower), upper: pick(&x.upper) }
}

/// Bounds of a maximum whose candidates are absent where `present` gathers nothing.
pub(crate) fn maximum(before: &Bounds, candidate: &Bounds, present: &Gather) -> Bounds {
    let largest = |a: &[f64], b: &[f64]| {
        (0..a.len()).map(|k| if present.index[k].is_some() { a[k].max(b[k]) } else { a[k] }).collect()
    };
    Bounds { lower: largest(&before.lower, &candidate.lower), upper: largest(&before.upper, &candidate.upper) }
}
