//! How a linear form passes a Relu: a multiplier for each element, and what is lost by it.

use crate::adjoint::{Adjoint, Incoming};
use crate::lane::{Entry, Special};
use crate::layers::Image;
use crate::real::{Real, Sums, inflate, mul_up};
use crate::table::Bounds;
use crate::window::Window;
use std::ops::Range;

/// `constant -= sum t_k`, `A[in] += mu`, with `mu` by the default rule but where others are given.
#[inline(always)]
pub(crate) fn through_relu<R: Real, const B: usize>(
    bounds: &Bounds,
    mut special: Special<'_, B>,
    own: &mut Adjoint<R, B>,
    image: Image,
    target: &mut Adjoint<R, B>,
    constant: &mut Sums<R, B>,
) {
    // Multipliers may be given for elements that no adjoint has reached.
    let nothing = Incoming { roundings: 0, size: [0.0; B], carried: [0.0; B] };
    if special.is_given() {
        own.open(image, &Window::full(image), &nothing);
    }
    // Slopes lie between 0 and 1, so |mu| <= |a| but where it is given outright.
    let (mut size, raw) = (own.size(image), special.largest_raw());
    for b in 0..B {
        size[b] = size[b].max(raw[b]);
    }
    target.open(image, &own.window, &Incoming { size, ..nothing });
    // What the table says of all forms is no less than what it is for one.
    let (mut positive, mut count) = (0.0, 0);
    for span in own.spans(image) {
        count += span.len();
        while special.next < span.start {
            special.take();
        }
        let mut start = span.start;
        loop {
            let end = special.next.min(span.end);
            positive += relax(bounds, start..end, own, target, constant);
            if end == span.end {
                break;
            }
            positive += bounds.upper[end].max(0.0);
            relax_one(bounds, end, &special.take(), own, target, constant);
            start = end + 1;
        }
    }
    let positive = inflate(positive, count);
    constant.lose(&own.error.map(|e| mul_up(e, positive)));
}

/// Elements that all forms treat alike. Returns the sum of their positive upper bounds.
#[inline(always)]
fn relax<R: Real, const B: usize>(
    bounds: &Bounds,
    stretch: Range<usize>,
    own: &Adjoint<R, B>,
    target: &mut Adjoint<R, B>,
    constant: &mut Sums<R, B>,
) -> f64 {
    let mut positive = 0.0;
    let ends = bounds.lower[stretch.clone()].iter().zip(&bounds.upper[stretch.clone()]);
    let adjoints = own.values[stretch.clone()].iter().zip(&mut target.values[stretch]);
    for ((&l, &u), (a, t)) in ends.zip(adjoints) {
        if u <= 0.0 {
            continue;
        }
        positive += u;
        if a.iter().all(Real::is_zero) {
            continue;
        }
        if l >= 0.0 && R::UNIT > 0.0 {
            // In floats the multiplier is the adjoint itself, and nothing is lost.
            for b in 0..B {
                t[b] = t[b].plus(&a[b]);
            }
            continue;
        }
        let (rising, falling) = (rising(l, u), falling(l, u));
        let mu: [f64; B] = std::array::from_fn(|b| {
            let a = a[b].nearest();
            a * if a >= 0.0 { rising } else { falling }
        });
        constant.add(|b| R::zero().minus(&loss(mu[b], &a[b], l, u)));
        for b in 0..B {
            t[b] = t[b].plus(&R::from_f64(mu[b]));
        }
    }
    positive
}

/// An element for which some forms have bounds or multipliers of their own.
#[inline(always)]
fn relax_one<R: Real, const B: usize>(
    bounds: &Bounds,
    k: usize,
    entries: &[Entry; B],
    own: &Adjoint<R, B>,
    target: &mut Adjoint<R, B>,
    constant: &mut Sums<R, B>,
) {
    let a = &own.values[k];
    let mut ends = [(bounds.lower[k], bounds.upper[k]); B];
    let mut mu = [0.0; B];
    for (b, entry) in entries.iter().enumerate() {
        let (l, u) = entry.bounds.unwrap_or(ends[b]);
        ends[b] = (l, u);
        let a = a[b].nearest();
        mu[b] = match (entry.raw, entry.slope) {
            (Some(raw), _) => raw,
            // A slope that is given holds for decided elements too: whether one is decided may hang on rounding.
            (None, Some(slope)) if a >= 0.0 => a * (f64::from(slope) / 255.0),
            // Nothing is lost: where no point is left, either.
            (None, None) if u <= 0.0 => {
                ends[b] = (0.0, 0.0);
                0.0
            }
            (None, _) => a * if a >= 0.0 { rising(l, u) } else { falling(l, u) },
        };
    }
    constant.add(|b| R::zero().minus(&loss(mu[b], &a[b], ends[b].0, ends[b].1)));
    for (t, mu) in target.values[k].iter_mut().zip(mu) {
        *t = t.plus(&R::from_f64(mu));
    }
}

/// How much less than `u` the bound `-l` must be for the lower line to rise. Not at `u = -l`: networks that compare a value with itself, or with its
/// negative, have ties there, which rounding would decide.
const LEANING: f64 = 1.0 - 1.0 / 1024.0;

/// The slope of the lower line where none is given. What is both dead and active (it can only be zero) counts as dead.
#[inline(always)]
fn rising(l: f64, u: f64) -> f64 {
    f64::from(u8::from(u > 0.0 && (l >= 0.0 || LEANING * u > -l)))
}

/// The slope of the upper line.
#[inline(always)]
fn falling(l: f64, u: f64) -> f64 {
    match () {
        () if u <= 0.0 => 0.0,
        () if l >= 0.0 => 1.0,
        () => u / (u - l),
    }
}

/// The most that `mu v - a relu(v)` is for `l <= v <= u`: at an end, or at the kink.
#[inline(always)]
fn loss<R: Real>(mu: f64, a: &R, l: f64, u: f64) -> R {
    let at = |v: f64| {
        let factor = if v > 0.0 { R::from_f64(mu).minus(a) } else { R::from_f64(mu) };
        factor.times(&R::from_f64(v))
    };
    let most = at(l).larger(&at(u));
    if l < 0.0 && u > 0.0 { most.larger(&R::zero()) } else { most }
}
