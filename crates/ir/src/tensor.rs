//! Finite constants of a network, in the type in which the file stores them.

use crate::{NodeProblem, Shape};
use std::sync::Arc;

/// The type of stored numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DType {
    /// IEEE binary32.
    F32,
    /// IEEE binary64.
    F64,
}

impl DType {
    /// `f32` or `f64`, as the text format spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

/// Row-major numbers; shared, because networks are rewritten often and their weights seldom.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Single precision.
    F32(Arc<Vec<f32>>),
    /// Double precision.
    F64(Arc<Vec<f64>>),
}

/// A constant tensor. Every element is finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: Shape,
    data: Data,
}

impl Tensor {
    /// A single-precision tensor. Errors on a wrong count or a number that is not finite.
    pub fn f32(dims: &[usize], values: Vec<f32>) -> Result<Self, NodeProblem> {
        Self::new(dims, Data::F32(Arc::new(values)))
    }

    /// A double-precision tensor. Errors on a wrong count or a number that is not finite.
    pub fn f64(dims: &[usize], values: Vec<f64>) -> Result<Self, NodeProblem> {
        Self::new(dims, Data::F64(Arc::new(values)))
    }

    /// A tensor of numbers that are shared, not copied. Errors on a wrong count or a number that is not finite.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use unmoved_ir::{Data, Tensor};
    /// let numbers = Data::F32(Arc::new(vec![1.0, 2.0]));
    /// assert!(Tensor::new(&[2, 1], numbers.clone()).is_ok());
    /// assert!(Tensor::new(&[3], numbers).is_err());
    /// assert!(Tensor::new(&[1], Data::F32(Arc::new(vec![f32::NAN]))).is_err());
    /// ```
    pub fn new(dims: &[usize], data: Data) -> Result<Self, NodeProblem> {
        let (found, infinite) = match &data {
            Data::F32(v) => (v.len(), v.iter().position(|v| !v.is_finite())),
            Data::F64(v) => (v.len(), v.iter().position(|v| !v.is_finite())),
        };
        let tensor = Self { shape: Self::fitting(dims, found)?, data };
        match infinite {
            Some(index) => Err(NodeProblem::NotFinite { index, value: tensor.get(index) }),
            None => Ok(tensor),
        }
    }

    /// Single precision where that holds every value exactly, double precision elsewhere.
    pub fn narrowest(dims: &[usize], values: Vec<f64>) -> Result<Self, NodeProblem> {
        if values.iter().all(|&v| f64::from(v as f32).to_bits() == v.to_bits()) {
            Self::f32(dims, values.iter().map(|&v| v as f32).collect())
        } else {
            Self::f64(dims, values)
        }
    }

    /// The type `dtype` where that holds every value exactly, double precision elsewhere. What a rewrite makes is of the
    /// type of the network's input where it can be, as it is in a file, so that it comes back from one unchanged.
    pub fn in_type(dtype: DType, dims: &[usize], values: Vec<f64>) -> Result<Self, NodeProblem> {
        match dtype {
            DType::F32 => Self::narrowest(dims, values),
            DType::F64 => Self::f64(dims, values),
        }
    }

    /// All zero, in single precision.
    pub fn zeros(dims: &[usize]) -> Result<Self, NodeProblem> {
        let shape = Shape::new(dims)?;
        let data = Data::F32(Arc::new(vec![0.0; shape.len()]));
        Ok(Self { shape, data })
    }

    fn fitting(dims: &[usize], found: usize) -> Result<Shape, NodeProblem> {
        let shape = Shape::new(dims)?;
        if shape.len() == found { Ok(shape) } else { Err(NodeProblem::ElementCount { shape, found }) }
    }

    /// The same numbers under another shape of as many elements.
    pub fn reshaped(&self, dims: &[usize]) -> Result<Self, NodeProblem> {
        let shape = Self::fitting(dims, self.shape.len())?;
        Ok(Self { shape, data: self.data.clone() })
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The numbers as stored.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The stored type.
    pub fn dtype(&self) -> DType {
        match self.data {
            Data::F32(_) => DType::F32,
            Data::F64(_) => DType::F64,
        }
    }

    /// The element at a row-major position, exactly.
    pub fn get(&self, index: usize) -> f64 {
        match &self.data {
            Data::F32(v) => f64::from(v[index]),
            Data::F64(v) => v[index],
        }
    }

    /// All elements, exactly.
    pub fn to_f64(&self) -> Vec<f64> {
        match &self.data {
            Data::F32(v) => v.iter().map(|&v| f64::from(v)).collect(),
            Data::F64(v) => v.to_vec(),
        }
    }
}
