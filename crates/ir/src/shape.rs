//! Shapes without batch dimension, whose element count is known to be sane.

use crate::error::NodeProblem;
use std::fmt;

/// The most elements that a tensor or an activation may have. A file can claim any shape in a few bytes; nothing is
/// allocated for a claim beyond this.
pub const MAX_ELEMENTS: usize = 1 << 27;

/// The most elements that all values of a network may have together: a chain of a few bytes per node must not fill the
/// memory either.
pub const MAX_TOTAL: usize = 1 << 30;

/// The extents of a tensor, outermost first; never empty dimensions, never more than [`MAX_ELEMENTS`] elements.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Shape {
    dims: Vec<usize>,
    len: usize,
}

impl Shape {
    /// Checks that no extent is zero and that the product stays within [`MAX_ELEMENTS`].
    pub fn new(dims: &[usize]) -> Result<Self, NodeProblem> {
        let mut len = 1usize;
        for &d in dims {
            if d == 0 {
                return Err(NodeProblem::EmptyDimension(dims.to_vec()));
            }
            len = len
                .checked_mul(d)
                .filter(|&n| n <= MAX_ELEMENTS)
                .ok_or_else(|| NodeProblem::TooLarge(dims.to_vec()))?;
        }
        Ok(Self { dims: dims.to_vec(), len })
    }

    /// The shape `[n]`.
    pub fn flat(n: usize) -> Result<Self, NodeProblem> {
        Self::new(&[n])
    }

    /// The extents.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// The number of elements.
    #[allow(clippy::len_without_is_empty)] // a shape is never empty
    pub fn len(&self) -> usize {
        self.len
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.dims.len()
    }

    /// `[channels, height, width]`, if that is what the shape is.
    pub fn image(&self) -> Option<[usize; 3]> {
        self.dims.as_slice().try_into().ok()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[")?;
        for (i, d) in self.dims.iter().enumerate() {
            write!(f, "{}{d}", if i == 0 { "" } else { " " })?;
        }
        write!(f, "]")
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
