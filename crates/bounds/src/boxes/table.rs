//! What is known in one box.

use super::Layers;

/// Bounds of the input and of every value that a ReLU reads, one after the other.
#[derive(Debug, Clone)]
pub struct Table {
    /// The number of input elements, which come first.
    inputs: usize,
    pub(super) lower: Box<[f64]>,
    pub(super) upper: Box<[f64]>,
}

impl Table {
    /// Nothing is known but the box.
    pub fn new(layers: &Layers, lower: &[f64], upper: &[f64]) -> Self {
        let mut table = Self {
            inputs: lower.len(),
            lower: vec![f64::NEG_INFINITY; layers.tabled].into(),
            upper: vec![f64::INFINITY; layers.tabled].into(),
        };
        table.lower[..lower.len()].copy_from_slice(lower);
        table.upper[..upper.len()].copy_from_slice(upper);
        table
    }

    /// The box: lower and upper bounds of the input.
    pub fn input(&self) -> (&[f64], &[f64]) {
        (&self.lower[..self.inputs], &self.upper[..self.inputs])
    }

    /// The middle of the box.
    pub fn centre(&self) -> Vec<f64> {
        let (lower, upper) = self.input();
        lower.iter().zip(upper).map(|(l, u)| l + (u - l) / 2.0).collect()
    }

    /// Lower and upper bounds of a node's value, if it is tabled.
    pub fn bounds(&self, layers: &Layers, node: usize) -> Option<(&[f64], &[f64])> {
        let layer = &layers.nodes[node];
        let place = layer.place?;
        Some((&self.lower[place..place + layer.len], &self.upper[place..place + layer.len]))
    }

    /// Cuts an input element from above.
    pub fn cut_above(&mut self, index: usize, at: f64) {
        self.upper[..self.inputs][index] = self.upper[index].min(at);
    }

    /// Cuts an input element from below.
    pub fn cut_below(&mut self, index: usize, at: f64) {
        self.lower[..self.inputs][index] = self.lower[index].max(at);
    }

    /// Fixes the phase of a ReLU that reads an element of a node.
    pub fn fix(&mut self, layers: &Layers, node: usize, index: usize, active: bool) {
        let Some(place) = layers.nodes[node].place.map(|place| place + index) else { return };
        if active {
            self.lower[place] = self.lower[place].max(0.0);
        } else {
            self.upper[place] = self.upper[place].min(0.0);
        }
    }

    /// Whether some lower bound exceeds its upper bound by more than this share of them.
    pub fn is_empty(&self, share: f64) -> bool {
        let mut ends = self.lower.iter().zip(&self.upper);
        ends.any(|(l, u)| l - u > share * (1.0 + l.abs() + u.abs()))
    }

    /// ReLUs that may be in either phase.
    pub fn undecided(&self) -> usize {
        let ends = self.lower.iter().zip(&self.upper).skip(self.inputs);
        ends.filter(|(l, u)| **l < 0.0 && **u > 0.0).count()
    }
}
