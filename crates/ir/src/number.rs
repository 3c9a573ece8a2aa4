//! The arithmetic in which a network can be evaluated.

use crate::{Data, Exact, Tensor};

/// A number in which [`crate::Network::forward`] can compute: `f32` (the deployed arithmetic), `f64`, or [`Exact`].
pub trait Number: Clone + PartialOrd {
    /// Zero.
    fn zero() -> Self;
    /// Converts a stored weight; rounds where the type is narrower than the weight.
    fn from_f64(value: f64) -> Self;
    /// The sum.
    fn plus(&self, other: &Self) -> Self;
    /// `self += a * b`.
    fn add_product(&mut self, a: &Self, b: &Self);
    /// The larger of the two.
    fn larger(&self, other: &Self) -> Self {
        if other > self { other.clone() } else { self.clone() }
    }
    /// All weights of a tensor in this arithmetic.
    fn from_tensor(tensor: &Tensor) -> Vec<Self> {
        match tensor.data() {
            Data::F32(v) => v.iter().map(|&v| Self::from_f64(f64::from(v))).collect(),
            Data::F64(v) => v.iter().map(|&v| Self::from_f64(v)).collect(),
        }
    }
}

impl Number for f32 {
    fn zero() -> Self {
        0.0
    }
    fn from_f64(value: f64) -> Self {
        value as f32
    }
    fn plus(&self, other: &Self) -> Self {
        self + other
    }
    fn add_product(&mut self, a: &Self, b: &Self) {
        *self += a * b;
    }
}

impl Number for f64 {
    fn zero() -> Self {
        0.0
    }
    fn from_f64(value: f64) -> Self {
        value
    }
    fn plus(&self, other: &Self) -> Self {
        self + other
    }
    fn add_product(&mut self, a: &Self, b: &Self) {
        *self += a * b;
    }
}

impl Number for Exact {
    fn zero() -> Self {
        Exact::ZERO
    }
    fn from_f64(value: f64) -> Self {
        Exact::from_f64(value)
    }
    fn plus(&self, other: &Self) -> Self {
        self + other
    }
    fn add_product(&mut self, a: &Self, b: &Self) {
        *self = &*self + &(a * b);
    }
}
