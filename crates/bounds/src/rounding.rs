//! A-posteriori bounds of floating-point errors (Higham, Accuracy and Stability of Numerical Algorithms, chapter 3).

/// `n u / (1 - n u)`, rounded up: the relative error of a sum of products with at most `n` roundings per term.
pub(crate) fn gamma(n: usize) -> f64 {
    let nu = n as f64 * (f64::EPSILON / 2.0);
    nu / (1.0 - nu) * (1.0 + 4.0 * f64::EPSILON)
}

/// A sum in f64 that knows how far it may be from the exact one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum {
    value: f64,
    /// The sum of the magnitudes of all terms.
    size: f64,
    /// Errors of the terms themselves.
    error: f64,
}

impl Sum {
    pub(crate) fn add(&mut self, term: f64) {
        self.value += term;
        self.size += term.abs();
    }

    pub(crate) fn add_error(&mut self, error: f64) {
        self.error += error;
    }

    /// A number below the exact sum of `n` terms, each of which was itself rounded at most eight times, with at most
    /// `errors` errors. Both `size` and `error` are rounded sums themselves.
    pub(crate) fn down(&self, n: usize, errors: usize) -> f64 {
        let up = |sum: f64, n: usize| sum * (1.0 + 2.0 * gamma(n));
        let error = up(self.error, errors) + gamma(n + 8) * up(self.size, n + 8);
        (self.value - (error * (1.0 + 1e-9) + (n + 8) as f64 * f64::MIN_POSITIVE)).next_down()
    }
}

/// A sum of products that knows whether any rounding happened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watched {
    pub(crate) value: f64,
    pub(crate) exact: bool,
}

impl Watched {
    pub(crate) fn new(value: f64) -> Self {
        Self { value, exact: value.is_finite() }
    }

    pub(crate) fn add_product(&mut self, a: f64, b: f64) {
        let (before, term) = (self.value, a * b);
        self.value = before + term;
        // Real weights round after a few terms; from there on nothing is checked.
        self.exact = self.exact && product_is_exact(a, b, term) && sum_is_exact(before, term, self.value);
    }
}

/// A fused multiply-add reveals the rounding error, unless that is too small for a float itself.
fn product_is_exact(a: f64, b: f64, product: f64) -> bool {
    const SAFE: f64 = f64::MIN_POSITIVE * 4.0 / f64::EPSILON;
    a == 0.0 || b == 0.0 || a.abs() == 1.0 || (product.abs() >= SAFE && a.mul_add(b, -product) == 0.0)
}

/// Knuth's two-sum. An overflow makes the error NaN, which is not zero.
fn sum_is_exact(a: f64, b: f64, sum: f64) -> bool {
    let bb = sum - a;
    (a - (sum - bb)) + (b - bb) == 0.0
}
