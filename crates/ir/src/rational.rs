//! Exact fractions: radii such as `8/255` and the decimals of a property, which no float holds.

use dashu_base::{BitTest, UnsignedAbs};
use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;
use std::fmt;
use std::ops::{Add, Mul, Neg, Sub};
use std::str::FromStr;

/// An exact fraction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rational(RBig);

/// A number that could not be read exactly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a number: {reason}")]
pub struct ParseRationalError {
    /// What was to be read, shortened.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// More digits, or a larger decimal exponent, than any property needs; a bound on the work of one number. It holds for
/// numerator and denominator each, so that what is written can be read again.
const MAX_DIGITS: usize = 1000;

impl Rational {
    /// Zero.
    pub const ZERO: Self = Self(RBig::ZERO);
    /// One.
    pub const ONE: Self = Self(RBig::ONE);

    /// `numerator / denominator`, reduced.
    pub(crate) fn from_ratio(numerator: IBig, denominator: UBig) -> Self {
        Self(RBig::from_parts(numerator, denominator))
    }

    /// The exact value of a float; `None` if it is not finite.
    pub fn from_f64(value: f64) -> Option<Self> {
        RBig::try_from(value).ok().map(Self)
    }

    /// The magnitude.
    pub fn abs(&self) -> Self {
        if *self < Self::ZERO { -self } else { self.clone() }
    }

    /// The quotient; `None` if the divisor is zero.
    pub fn checked_div(&self, divisor: &Self) -> Option<Self> {
        (*divisor != Self::ZERO).then(|| Self(&self.0 / &divisor.0))
    }

    /// All its digits, with a point: `-0.125`, `3.0`. `None` if no finite decimal of at most 1000 places has this value.
    pub fn decimal(&self) -> Option<String> {
        let mut rest = self.0.denominator().clone();
        let twos = rest.trailing_zeros().unwrap_or(0);
        rest >>= twos;
        let five = UBig::from(5u8);
        let mut fives = 0;
        while &rest % &five == UBig::ZERO {
            rest /= &five;
            fives += 1;
        }
        // One place at least, so that integers have a point too.
        let places = twos.max(fives).max(1);
        if rest != UBig::ONE || places > MAX_DIGITS {
            return None;
        }
        let scaled = &self.0 * &RBig::from(UBig::from(10u8).pow(places));
        let digits = scaled.numerator().clone().unsigned_abs().to_string();
        let digits = format!("{digits:0>width$}", width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        Some(format!("{}{whole}.{fraction}", if *self < Self::ZERO { "-" } else { "" }))
    }

    /// What the value must be multiplied by to become an integer.
    pub fn denominator(&self) -> Self {
        Self(RBig::from(self.0.denominator().clone()))
    }

    /// A nearby float, for display and for search.
    pub fn to_f64(&self) -> f64 {
        self.0.to_f64().value()
    }

    /// Whether numerator or denominator has more digits than [`Rational::from_str`] reads.
    pub fn is_too_long(&self) -> bool {
        // log2(10) > 3.32, so these many bits are never more than MAX_DIGITS digits.
        let most = MAX_DIGITS * 332 / 100;
        self.0.numerator().bit_len() > most || self.0.denominator().bit_len() > most
    }

    /// The largest float that is not above.
    pub fn round_down(&self) -> f64 {
        let mut v = self.to_f64();
        while v > f64::NEG_INFINITY && Self::from_f64(v).is_none_or(|r| r > *self) {
            v = v.next_down();
        }
        v
    }

    /// The smallest float that is not below.
    pub fn round_up(&self) -> f64 {
        // Not a negation, which would turn 0 into -0.
        0.0 - (-self).round_down()
    }

    /// An upper bound of the distance to the float `approximation`, rounded up; zero exactly when they are equal.
    pub fn distance_up(&self, approximation: f64) -> f64 {
        match Self::from_f64(approximation) {
            Some(a) => (self - &a).abs().round_up(),
            None => f64::INFINITY,
        }
    }
}

impl FromStr for Rational {
    type Err = ParseRationalError;

    /// Reads `8/255`, `0.05`, `-1.5e-3` exactly.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |reason| {
            let text = if text.chars().count() > 40 {
                text.chars().take(40).chain("...".chars()).collect()
            } else {
                text.to_owned()
            };
            Err(ParseRationalError { text, reason })
        };
        if text.len() > 2 * MAX_DIGITS + 2 {
            return fail("it has too many digits");
        }
        let value = if let Some((numerator, denominator)) = text.split_once('/') {
            let (Some(n), Some(d)) = (decimal(numerator), decimal(denominator)) else {
                return fail("expected a fraction such as 8/255");
            };
            match n.checked_div(&d) {
                Some(value) => value,
                None => return fail("its denominator is zero"),
            }
        } else {
            match decimal(text) {
                Some(value) => value,
                None => return fail("expected a decimal such as 0.05 or a fraction such as 8/255"),
            }
        };
        if value.is_too_long() { fail("it has too many digits") } else { Ok(value) }
    }
}

fn decimal(text: &str) -> Option<Rational> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((m, e)) => (m, e.parse::<i32>().ok().filter(|e| e.unsigned_abs() as usize <= MAX_DIGITS)?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: UBig = all.parse().ok()?;
    let scale = i64::from(exponent) - fraction.len() as i64;
    let ten = UBig::from(10u8).pow(scale.unsigned_abs() as usize);
    let value = IBig::from(value);
    let value = if negative { -value } else { value };
    Some(if scale >= 0 { Rational::from_ratio(value * ten, UBig::ONE) } else { Rational::from_ratio(value, ten) })
}

impl fmt::Display for Rational {
    /// As a fraction in lowest terms; reads back to the same number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<i64> for Rational {
    fn from(value: i64) -> Self {
        Self(RBig::from(value))
    }
}

impl Add for &Rational {
    type Output = Rational;
    fn add(self, other: &Rational) -> Rational {
        Rational(&self.0 + &other.0)
    }
}
impl Sub for &Rational {
    type Output = Rational;
    fn sub(self, other: &Rational) -> Rational {
        Rational(&self.0 - &other.0)
    }
}
impl Mul for &Rational {
    type Output = Rational;
    fn mul(self, other: &Rational) -> Rational {
        Rational(&self.0 * &other.0)
    }
}
impl Neg for &Rational {
    type Output = Rational;
    fn neg(self) -> Rational {
        Rational(-self.0.clone())
    }
}
