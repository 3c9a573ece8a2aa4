//! Exact dyadic numbers: every finite float, and every sum and product of floats, is `mantissa * 2^exponent`.
//!
//! Evaluating a network on a float input needs no division, so general fractions would only cost greatest common
//! divisors. Mantissas live in an `i128` as long as they fit and in a big integer afterwards.

use crate::Rational;
use dashu_base::BitTest;
use dashu_int::{IBig, UBig};
use std::cmp::Ordering;
use std::ops::{Add, Mul, Neg, Sub};

/// An exact dyadic number.
#[derive(Clone, Debug)]
pub struct Exact {
    mantissa: Mantissa,
    exponent: i64,
}

#[derive(Clone, Debug)]
enum Mantissa {
    Small(i128),
    Big(IBig),
}
use Mantissa::{Big, Small};

impl Mantissa {
    /// The number of bits of the magnitude.
    fn bits(&self) -> usize {
        match self {
            Small(m) => 128 - m.unsigned_abs().leading_zeros() as usize,
            Big(m) => m.bit_len(),
        }
    }

    fn is_zero(&self) -> bool {
        match self {
            Small(m) => *m == 0,
            Big(m) => *m == IBig::ZERO,
        }
    }

    fn big(&self) -> IBig {
        match self {
            Small(m) => IBig::from(*m),
            Big(m) => m.clone(),
        }
    }

    fn shifted_left(&self, by: usize) -> Self {
        match self {
            Small(m) if self.bits() + by < 127 => Small(m << by),
            _ => Big(self.big() << by),
        }
    }
}

impl Exact {
    /// Zero.
    pub const ZERO: Self = Self { mantissa: Small(0), exponent: 0 };

    /// The exact value of a float. Floats that are not finite have none.
    ///
    /// # Panics
    /// On NaN and infinities; [`crate::Tensor`]s and checked inputs hold neither.
    pub fn from_f64(value: f64) -> Self {
        assert!(value.is_finite(), "{value} has no exact value");
        let bits = value.to_bits();
        let biased = ((bits >> 52) & 0x7ff) as i64;
        let fraction = (bits & ((1 << 52) - 1)) as i128;
        let (magnitude, exponent) = if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased - 1075) };
        if magnitude == 0 {
            return Self::ZERO;
        }
        // Short mantissas keep the sums of products in machine words for longer.
        let zeros = magnitude.trailing_zeros();
        let magnitude = magnitude >> zeros;
        let mantissa = Small(if value < 0.0 { -magnitude } else { magnitude });
        Self { mantissa, exponent: exponent + i64::from(zeros) }
    }

    /// -1, 0 or 1.
    pub fn signum(&self) -> i32 {
        match &self.mantissa {
            Small(m) => m.signum() as i32,
            Big(m) => match m.cmp(&IBig::ZERO) {
                Ordering::Less => -1,
                Ordering::Equal => 0,
                Ordering::Greater => 1,
            },
        }
    }

    /// The magnitude.
    pub fn abs(&self) -> Self {
        if self.signum() < 0 { -self } else { self.clone() }
    }

    /// The same number as a fraction.
    pub fn to_rational(&self) -> Rational {
        let mantissa = self.mantissa.big();
        if self.exponent >= 0 {
            Rational::from_ratio(mantissa << self.exponent as usize, UBig::ONE)
        } else {
            Rational::from_ratio(mantissa, UBig::ONE << self.exponent.unsigned_abs() as usize)
        }
    }

    /// A nearby float, for display only.
    pub fn to_f64(&self) -> f64 {
        self.to_rational().to_f64()
    }

    /// The position of the leading bit: `2^(top - 1) <= |self| < 2^top`.
    fn top_bit(&self) -> i64 {
        self.exponent + self.mantissa.bits() as i64
    }

    /// Both mantissas at the smaller of the two exponents.
    fn aligned(&self, other: &Self) -> (Mantissa, Mantissa, i64) {
        let exponent = self.exponent.min(other.exponent);
        let shift = |x: &Self| match (x.exponent - exponent) as usize {
            0 => x.mantissa.clone(),
            by => x.mantissa.shifted_left(by),
        };
        (shift(self), shift(other), exponent)
    }
}

impl Add for &Exact {
    type Output = Exact;
    fn add(self, other: &Exact) -> Exact {
        if self.mantissa.is_zero() {
            return other.clone();
        }
        if other.mantissa.is_zero() {
            return self.clone();
        }
        let (a, b, exponent) = self.aligned(other);
        let mantissa = match (&a, &b) {
            (Small(a), Small(b)) => a.checked_add(*b).map_or_else(|| Big(IBig::from(*a) + IBig::from(*b)), Small),
            _ => Big(a.big() + b.big()),
        };
        Exact { mantissa, exponent }
    }
}

impl Mul for &Exact {
    type Output = Exact;
    fn mul(self, other: &Exact) -> Exact {
        if self.mantissa.is_zero() || other.mantissa.is_zero() {
            return Exact::ZERO;
        }
        let mantissa = match (&self.mantissa, &other.mantissa) {
            (Small(a), Small(b)) if self.mantissa.bits() + other.mantissa.bits() < 127 => Small(a * b),
            (a, b) => Big(a.big() * b.big()),
        };
        Exact { mantissa, exponent: self.exponent + other.exponent }
    }
}

impl Neg for &Exact {
    type Output = Exact;
    fn neg(self) -> Exact {
        let mantissa = match &self.mantissa {
            Small(m) => m.checked_neg().map_or_else(|| Big(-IBig::from(*m)), Small),
            Big(m) => Big(-m.clone()),
        };
        Exact { mantissa, exponent: self.exponent }
    }
}

impl Sub for &Exact {
    type Output = Exact;
    fn sub(self, other: &Exact) -> Exact {
        self + &-other
    }
}

impl PartialEq for Exact {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Exact {}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.signum(), other.signum()) {
            (a, b) if a != b => a.cmp(&b),
            (0, _) => Ordering::Equal,
            (sign, _) => match self.top_bit().cmp(&other.top_bit()) {
                Ordering::Equal => (self - other).signum().cmp(&0),
                by_size if sign > 0 => by_size,
                by_size => by_size.reverse(),
            },
        }
    }
}
