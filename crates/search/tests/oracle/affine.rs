//! Affine functions of the network's input, exactly.

use unmoved_ir::Rational;

/// `slope . x + constant`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Affine {
    pub(crate) slope: Vec<Rational>,
    pub(crate) constant: Rational,
}

impl Affine {
    /// The same number everywhere.
    pub(crate) fn constant(inputs: usize, constant: Rational) -> Self {
        Self { slope: vec![Rational::ZERO; inputs], constant }
    }

    /// Element `k` of the input.
    pub(crate) fn input(inputs: usize, k: usize) -> Self {
        let mut f = Self::constant(inputs, Rational::ZERO);
        f.slope[k] = Rational::ONE;
        f
    }

    /// Adds `by` times another function.
    pub(crate) fn add(&mut self, by: &Rational, other: &Self) {
        if *by == Rational::ZERO {
            return;
        }
        for (a, b) in self.slope.iter_mut().zip(&other.slope) {
            *a = &*a + &(by * b);
        }
        self.constant = &self.constant + &(by * &other.constant);
    }

    /// The difference to another function.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        let mut f = self.clone();
        f.add(&-&Rational::ONE, other);
        f
    }

    /// The value at a point.
    pub(crate) fn at(&self, x: &[Rational]) -> Rational {
        self.slope.iter().zip(x).fold(self.constant.clone(), |sum, (a, x)| &sum + &(a * x))
    }
}

/// The exact value of a float.
pub(crate) fn exact(value: f64) -> Rational {
    Rational::from_f64(value).expect("a finite number")
}
