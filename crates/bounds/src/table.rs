//! Lower and upper bounds of the elements of one value.

/// What is known of a ReLU from the bounds of its pre-activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Passes its input on: `l >= 0`.
    Active,
    /// Gives zero: `u <= 0`.
    Inactive,
    /// `l < 0 < u`.
    Unstable,
}

/// Lower and upper bounds, element by element; `lower <= upper` unless the region is empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    /// Lower bounds.
    pub lower: Vec<f64>,
    /// Upper bounds.
    pub upper: Vec<f64>,
}

impl Bounds {
    /// The number of elements.
    #[allow(clippy::len_without_is_empty)] // values are never empty
    pub fn len(&self) -> usize {
        self.lower.len()
    }

    /// What these bounds, as those of a pre-activation, say of ReLU `k`.
    pub fn phase(&self, k: usize) -> Phase {
        if self.lower[k] >= 0.0 {
            Phase::Active
        } else if self.upper[k] <= 0.0 {
            Phase::Inactive
        } else {
            Phase::Unstable
        }
    }

    /// The positions of unstable elements.
    pub fn unstable(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.len()).filter(|&k| self.phase(k) == Phase::Unstable)
    }

    /// The largest magnitude of element `k`.
    pub fn magnitude(&self, k: usize) -> f64 {
        self.lower[k].abs().max(self.upper[k].abs())
    }

    /// The largest magnitude of any element.
    pub(crate) fn largest(&self) -> f64 {
        (0..self.len()).fold(0.0, |m, k| self.magnitude(k).max(m))
    }

    /// Keeps the tighter of two sound bounds on each side.
    pub fn intersect(&mut self, k: usize, lower: f64, upper: f64) {
        self.lower[k] = self.lower[k].max(lower);
        self.upper[k] = self.upper[k].min(upper);
    }
}
