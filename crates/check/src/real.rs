//! The two arithmetics of the checker, and sums that know how far rounding may have moved them.
//!
//! All rules are written once, over [`Real`]. In `f64` every result carries a bound of its rounding error; in [`Exact`]
//! the same code runs with a unit roundoff of zero, so that all these bounds vanish.

use unmoved_ir::{Exact, Number};

/// A number the checker computes in.
pub(crate) trait Real: Number + Send + Sync {
    /// Half an ulp of 1; zero if nothing rounds.
    const UNIT: f64;
    /// The difference.
    fn minus(&self, other: &Self) -> Self;
    /// The product.
    fn times(&self, other: &Self) -> Self;
    /// A float nearby, never infinite unless the number is.
    fn nearest(&self) -> f64;
    /// The largest float that is not above.
    fn floor(&self) -> f64;
    /// What a rounding error is relative to: the magnitude, or zero if nothing rounds.
    fn size(&self) -> f64;
    /// Whether the number is zero.
    fn is_zero(&self) -> bool;
}

impl Real for f64 {
    const UNIT: f64 = f64::EPSILON / 2.0;
    fn minus(&self, other: &Self) -> Self {
        self - other
    }
    fn times(&self, other: &Self) -> Self {
        self * other
    }
    fn nearest(&self) -> f64 {
        *self
    }
    fn floor(&self) -> f64 {
        *self
    }
    fn size(&self) -> f64 {
        self.abs()
    }
    fn is_zero(&self) -> bool {
        *self == 0.0
    }
}

impl Real for Exact {
    const UNIT: f64 = 0.0;
    fn minus(&self, other: &Self) -> Self {
        self - other
    }
    fn times(&self, other: &Self) -> Self {
        self * other
    }
    fn nearest(&self) -> f64 {
        self.to_f64().clamp(f64::MIN, f64::MAX)
    }
    fn floor(&self) -> f64 {
        self.to_rational().round_down()
    }
    fn size(&self) -> f64 {
        0.0
    }
    fn is_zero(&self) -> bool {
        self.signum() == 0
    }
}

/// Whether a size is so far from overflow that no intermediate result can have been infinite; false for NaN.
pub(crate) fn sane(size: f64) -> bool {
    size.abs() < 1e300
}

/// An upper bound of `n u / (1 - n u)`, the relative error of `n` roundings.
pub(crate) fn gamma<R: Real>(n: usize) -> f64 {
    let nu = n as f64 * R::UNIT;
    nu / (1.0 - nu) * (1.0 + 4.0 * f64::EPSILON)
}

/// The absolute error of `n` roundings in the subnormal range, generously.
pub(crate) fn tiny<R: Real>(n: usize) -> f64 {
    if R::UNIT == 0.0 { 0.0 } else { n as f64 * f64::MIN_POSITIVE }
}

/// `a + b` for bounds, rounded up.
pub(crate) fn add_up(a: f64, b: f64) -> f64 {
    // Sums with zero are exact; keeping them so keeps the error bounds of exact arithmetic at zero.
    if a == 0.0 || b == 0.0 { a + b } else { (a + b).next_up() }
}

/// `a * b` for bounds `>= 0`, rounded up.
pub(crate) fn mul_up(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 { 0.0 } else { (a * b).next_up() }
}

/// The smallest float that is not below.
pub(crate) fn ceil<R: Real>(v: &R) -> f64 {
    // Not a negation, which would turn 0 into -0.
    0.0 - R::zero().minus(v).floor()
}

/// The absolute value.
pub(crate) fn magnitude<R: Real>(v: R) -> R {
    if v < R::zero() { R::zero().minus(&v) } else { v }
}

/// An upper bound of a sum of floats `>= 0`.
pub(crate) fn sum_up(terms: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = terms.fold((0.0, 0), |(sum, count), term| (sum + term, count + 1));
    inflate(sum, count)
}

/// An upper bound of what a rounded sum of so many floats `>= 0` stands for.
pub(crate) fn inflate(sum: f64, terms: usize) -> f64 {
    mul_up(sum, 1.0 + gamma::<f64>(terms + 1))
}

/// `B` sums side by side, each of which can be bounded from below.
#[derive(Clone)]
pub(crate) struct Sums<R, const B: usize> {
    value: [R; B],
    /// What was subtracted although it need not be lost.
    lost: [R; B],
    size: [f64; B],
    terms: usize,
}

impl<R: Real, const B: usize> Sums<R, B> {
    pub(crate) fn zero() -> Self {
        let zeros = || std::array::from_fn(|_| R::zero());
        Self { value: zeros(), lost: zeros(), size: [0.0; B], terms: 0 }
    }

    /// Adds a term to every sum, each computed with at most four roundings.
    #[inline(always)]
    pub(crate) fn add(&mut self, term: impl Fn(usize) -> R) {
        self.terms += 1;
        for b in 0..B {
            let term = term(b);
            self.value[b] = self.value[b].plus(&term);
            self.size[b] += term.size();
        }
    }

    /// Subtracts terms `>= 0`, each computed with at most four roundings, that the sums may have lost, gained, or neither.
    #[inline(always)]
    pub(crate) fn lose_terms(&mut self, term: impl Fn(usize) -> R) {
        self.terms += 1;
        for b in 0..B {
            let term = term(b);
            self.value[b] = self.value[b].minus(&term);
            self.lost[b] = self.lost[b].plus(&term);
            self.size[b] += term.size();
        }
    }

    /// Subtracts upper bounds of what may be lost. One that is not finite spoils its sum for good.
    pub(crate) fn lose(&mut self, amounts: &[f64; B]) {
        for b in 0..B {
            if !sane(amounts[b]) {
                self.size[b] = f64::INFINITY;
            }
        }
        self.lose_terms(|b| R::from_f64(if sane(amounts[b]) { amounts[b] } else { 0.0 }));
    }

    /// A float that is not above sum `b`; NaN if the sum overflowed.
    pub(crate) fn lower(&self, b: usize) -> f64 {
        if !sane(self.size[b]) {
            return f64::NAN;
        }
        let value = self.value[b].floor();
        if R::UNIT == 0.0 {
            return value;
        }
        (value - self.rounding(b)).next_down()
    }

    /// A number near sum `b`, if what may be lost were just as well gained, and how far off it may be; infinitely if the sum overflowed.
    pub(crate) fn around(&self, b: usize) -> (R, f64) {
        if !sane(self.size[b]) {
            return (R::zero(), f64::INFINITY);
        }
        let lost = ceil(&self.lost[b]);
        // Both sums are rounded, and so is their sum.
        (self.value[b].plus(&self.lost[b]), add_up(lost, 4.0 * self.rounding(b)))
    }

    /// At least what rounding can have changed in either sum.
    fn rounding(&self, b: usize) -> f64 {
        // Twice the roundings that each term passes through: the size itself was summed with rounding.
        gamma::<R>(2 * self.terms + 16) * self.size[b] + tiny::<R>(self.terms + 1)
    }
}
