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

    /// A number below the exact sum of `n` terms, each of which was itself rounded at most eight times.
    pub(crate) fn down(&self, n: usize) -> f64 {
        let error = (self.error + gamma(n + 8) * self.size) * (1.0 + 1e-9) + (n + 8) as f64 * f64::MIN_POSITIVE;
        (self.value - error).next_down()
    }
}
