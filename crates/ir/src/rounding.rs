//! f64 arithmetic that says how far it rounded, so that folded constants carry a bound.
//!
//! The bounds hold barring overflow, which shows as an infinite value or bound and is refused when the numbers become
//! part of the network.

use crate::{Scale, Shift};

/// A number and how far the real one may be from it; zero means exact.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rounded {
    /// The number as computed.
    pub value: f64,
    /// A bound of its distance from the real one.
    pub error: f64,
}

/// At least this large, the rounding error of a product or quotient is representable and a fused multiply-add finds it.
const SAFE: f64 = f64::MIN_POSITIVE * 4.0 / f64::EPSILON;

impl Rounded {
    /// A number without error.
    pub fn exact(value: f64) -> Self {
        Self { value, error: 0.0 }
    }

    /// `self * factor`, the factor exact.
    pub fn times(self, factor: f64) -> Self {
        let value = self.value * factor;
        let rounding = if self.value == 0.0 || factor == 0.0 {
            0.0
        } else if value.abs() >= SAFE {
            self.value.mul_add(factor, -value).abs()
        } else {
            // Half a unit in the last place of SAFE, twice over.
            4.0 * f64::MIN_POSITIVE
        };
        Self { value, error: up(self.error * factor.abs() + rounding) }
    }

    /// `self / divisor`, the divisor exact; infinite if that is zero.
    pub fn over(self, divisor: f64) -> Self {
        let value = self.value / divisor;
        let rounding = if self.value == 0.0 {
            0.0
        } else if value.abs() >= SAFE && self.value.abs() >= SAFE {
            // The residual is representable, and the quotient's error is the residual's over the divisor.
            (value.mul_add(divisor, -self.value) / divisor).abs()
        } else {
            4.0 * f64::MIN_POSITIVE + f64::EPSILON * value.abs()
        };
        Self { value, error: up(self.error / divisor.abs() + rounding) }
    }

    /// `self + term`, the term exact.
    pub fn plus(self, term: f64) -> Self {
        let value = self.value + term;
        // Knuth's two-sum: the rounding error of a sum is always representable.
        let other = value - self.value;
        let rounding = (self.value - (value - other)) + (term - other);
        Self { value, error: up(self.error + rounding.abs()) }
    }
}

/// A little more than `error`, but zero for zero: covers the roundings in computing the bound itself.
fn up(error: f64) -> f64 {
    if error == 0.0 { 0.0 } else { error * (1.0 + 1e-9) + f64::MIN_POSITIVE }
}

/// Summands with their bounds, none if all are exact.
pub fn shift(terms: &[Rounded]) -> Shift {
    let values = terms.iter().map(|t| t.value).collect();
    let any = terms.iter().any(|t| t.error != 0.0);
    Shift { values, errors: if any { terms.iter().map(|t| t.error).collect() } else { Vec::new() } }
}

/// Factors with a bound of all their relative errors; that of a zero that is not exact is infinite, which is refused.
pub fn scale(factors: &[Rounded]) -> Scale {
    let relative = |f: &Rounded| if f.error == 0.0 { 0.0 } else { up(f.error / f.value.abs()) };
    Scale { values: factors.iter().map(|f| f.value).collect(), error: factors.iter().map(relative).fold(0.0, f64::max) }
}

/// `scale / sqrt(variance + epsilon)` and a bound of its relative error: zero if exact, else `2 * EPSILON`.
///
/// With `u = EPSILON / 2` the unit of rounding, the sum is within a factor `1 +- u`, its root within `1 +- u / 2` of the
/// true one and then rounded by `1 +- u`, and the quotient rounded by another: `(1 +- u)^2.5`, of which `2 * EPSILON = 4 u`
/// is a bound relative to the computed value too. That needs normal numbers; otherwise the bound is infinite.
///
/// `None` if the root is of no positive number.
pub fn inverse_root(scale: f64, variance: f64, epsilon: f64) -> Option<(f64, f64)> {
    let sum = Rounded::exact(variance).plus(epsilon);
    if sum.value.is_nan() || sum.value <= 0.0 {
        return None;
    }
    let root = sum.value.sqrt();
    let value = scale / root;
    if scale == 0.0 {
        return Some((value, 0.0));
    }
    if sum.value < SAFE || value.abs() < SAFE || scale.abs() < SAFE {
        return Some((value, f64::INFINITY));
    }
    let exact = sum.error == 0.0 && root.mul_add(root, -sum.value) == 0.0 && value.mul_add(root, -scale) == 0.0;
    Some((value, if exact { 0.0 } else { 2.0 * f64::EPSILON }))
}

/// Batch normalisation as `s x + t`, with `s = gamma / sqrt(variance + epsilon)` and `t = beta - mean s`, one each per
/// channel. Neither the root nor the quotient is a float in general, so both come with bounds ([`inverse_root`]).
///
/// # Errors
/// The first channel whose `variance + epsilon` is not positive.
pub fn batch_norm(
    gamma: &[f64],
    beta: &[f64],
    mean: &[f64],
    variance: &[f64],
    epsilon: f64,
) -> Result<(Scale, Vec<Rounded>), usize> {
    let mut scale = Scale::exact(Vec::with_capacity(gamma.len()));
    let mut terms = Vec::with_capacity(gamma.len());
    for (k, (((gamma, beta), mean), variance)) in gamma.iter().zip(beta).zip(mean).zip(variance).enumerate() {
        let (value, error) = inverse_root(*gamma, *variance, epsilon).ok_or(k)?;
        scale.values.push(value);
        scale.error = scale.error.max(error);
        let s = Rounded { value, error: if error == 0.0 { 0.0 } else { error * value.abs() + f64::MIN_POSITIVE } };
        terms.push(s.times(-mean).plus(*beta));
    }
    Ok((scale, terms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rational;
    use proptest::prelude::*;

    #[test]
    fn exact_stays_exact() {
        assert_eq!(Rounded::exact(3.0).times(0.5).plus(1.0), Rounded::exact(2.5));
        assert_eq!(inverse_root(6.0, 3.5, 0.5), Some((3.0, 0.0)));
        assert_eq!(inverse_root(0.0, 2.0, 0.0), Some((0.0, 0.0)));
        assert_eq!(inverse_root(1.0, 0.0, 0.0), None);
        assert_eq!(inverse_root(1.0, f64::MIN_POSITIVE, 0.0).map(|s| s.1), Some(f64::INFINITY));
    }

    #[test]
    fn the_worst_factor_bounds_all() {
        let inexact = Rounded::exact(1.0).plus(-1e-20);
        let error = scale(&[Rounded::exact(2.0), inexact]).error;
        assert!((1e-20..1e-16).contains(&error), "{error}");
        assert_eq!(scale(&[Rounded::exact(0.0)]).error, 0.0);
        assert_eq!(scale(&[Rounded { value: 0.0, error: 1e-300 }]).error, f64::INFINITY);
    }

    #[test]
    fn batch_norms() {
        let got = batch_norm(&[6.0, 1.0], &[1.0, 0.5], &[2.0, 0.25], &[3.5, 15.5], 0.5);
        let terms = vec![Rounded::exact(-5.0), Rounded::exact(0.4375)];
        assert_eq!(got, Ok((Scale::exact(vec![3.0, 0.25]), terms)));
        assert_eq!(batch_norm(&[1.0; 2], &[0.0; 2], &[0.0; 2], &[1.0, -0.5], 0.5), Err(1));
        let (scale, terms) = batch_norm(&[1.0], &[0.0], &[1.0], &[3.0], 0.0).expect("positive");
        assert!(scale.error > 0.0 && terms[0].error >= scale.error * scale.values[0]);
    }

    proptest! {
        #[test]
        fn bounds_hold(a in -1e3f64..1e3, b in -1e3f64..1e3, c in -1e3f64..1e3) {
            let r = |v| Rational::from_f64(v).expect("finite");
            let got = Rounded::exact(a).times(b).plus(c);
            let truth = &(&r(a) * &r(b)) + &r(c);
            prop_assert!((&truth - &r(got.value)).abs() <= r(got.error));
            if let Some(truth) = truth.checked_div(&r(b)) {
                let got = got.over(b);
                prop_assert!((&truth - &r(got.value)).abs() <= r(got.error));
            }
        }

        #[test]
        fn the_root_is_within_its_bound(scale in -1e3f64..1e3, variance in 1e-6f64..1e3, epsilon in 1e-6f64..1.0) {
            let r = |v| Rational::from_f64(v).expect("finite");
            let (value, error) = inverse_root(scale, variance, epsilon).expect("positive");
            // s in v (1 +- e)  <=>  s^2 = scale^2 / sum within v^2 (1 +- e)^2
            let square = (&r(scale) * &r(scale)).checked_div(&(&r(variance) + &r(epsilon))).expect("positive");
            let within = |e: f64| { let edge = &r(value) * &(&r(1.0) + &r(e)); &edge * &edge };
            prop_assert!(within(-error) <= square && square <= within(error));
        }
    }
}
