//! A tensor of the file while it is imported: a constant, or a value of the network under its ONNX shape.

use crate::constant::Constant;
use unmoved_ir::NodeId;

/// A tensor of the file.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// The same for every input.
    Constant(Constant),
    /// Depends on the input.
    Computed(Computed),
}

/// A value of the network under its ONNX shape, batch included. The node has as many elements; its shape may differ
/// until an operator needs it.
///
/// Transposing changes `order` and nothing else. Operators that work element by element hand it on, so the two
/// transpositions that exporters of NHWC put around every convolution meet and cancel.
#[derive(Debug, Clone)]
pub(crate) struct Computed {
    pub(crate) id: NodeId,
    pub(crate) dims: Vec<usize>,
    /// Axis `k` of the value is axis `order[k]` of what the node holds; none if the node holds the value row-major.
    order: Option<Vec<usize>>,
}

impl Value {
    pub(crate) fn dims(&self) -> &[usize] {
        match self {
            Self::Constant(c) => &c.dims,
            Self::Computed(x) => &x.dims,
        }
    }
}

impl From<Computed> for Value {
    fn from(x: Computed) -> Self {
        Self::Computed(x)
    }
}

impl From<Constant> for Value {
    fn from(c: Constant) -> Self {
        Self::Constant(c)
    }
}

impl Computed {
    /// A value that its node holds row-major.
    pub(crate) fn new(id: NodeId, dims: Vec<usize>) -> Self {
        Self { id, dims, order: None }
    }

    /// The node `id` holds a value of shape `held`; axis `k` of it is axis `order[k]` of the new one's node.
    fn ordered(id: NodeId, held: &[usize], order: Vec<usize>) -> Self {
        let dims: Vec<usize> = order.iter().map(|&axis| held[axis]).collect();
        // Moving axes of extent 1 moves no element.
        let wide: Vec<usize> = order.iter().copied().filter(|&axis| held[axis] != 1).collect();
        Self { id, dims, order: (!wide.is_sorted()).then_some(order) }
    }

    /// Axis `k` of the result is axis `perm[k]` of this, a permutation of all axes.
    pub(crate) fn transposed(&self, perm: &[usize]) -> Self {
        let order = perm.iter().map(|&axis| self.axis(axis)).collect();
        Self::ordered(self.id, &self.held(), order)
    }

    /// Where the node holds axis `axis` of the value.
    pub(crate) fn axis(&self, axis: usize) -> usize {
        self.order.as_ref().map_or(axis, |order| order[axis])
    }

    pub(crate) fn is_row_major(&self) -> bool {
        self.order.is_none()
    }

    /// The shape that the node holds, row-major.
    pub(crate) fn held(&self) -> Vec<usize> {
        self.inverse().iter().map(|&axis| self.dims[axis]).collect()
    }

    /// Axis `k` of what the node holds is axis `inverse[k]` of the value.
    pub(crate) fn inverse(&self) -> Vec<usize> {
        let mut inverse = vec![0; self.dims.len()];
        (0..self.dims.len()).for_each(|axis| inverse[self.axis(axis)] = axis);
        inverse
    }

    /// What the node holds, as a value of its own.
    pub(crate) fn in_memory(&self) -> Self {
        Self::new(self.id, self.held())
    }

    /// A value of the same shape and order that another node holds.
    pub(crate) fn held_by(&self, id: NodeId) -> Self {
        Self { id, ..self.clone() }
    }

    /// What the node of this holds row-major, taken as a value whose axes are ordered as those of `like`.
    pub(crate) fn in_order_of(&self, like: &Self) -> Self {
        let order = (0..like.dims.len()).map(|axis| like.axis(axis)).collect();
        Self::ordered(self.id, &self.held(), order)
    }

    pub(crate) fn same_order(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transpositions_compose_and_cancel() {
        let x = Computed::new(NodeId(0), vec![1, 4, 5, 3]);
        let y = x.transposed(&[0, 3, 1, 2]);
        assert_eq!((y.dims.as_slice(), y.is_row_major()), (&[1, 3, 4, 5][..], false));
        assert_eq!(y.held(), x.dims);
        assert_eq!(y.inverse(), [0, 2, 3, 1]);
        let z = y.transposed(&[0, 2, 3, 1]);
        assert_eq!((z.dims.as_slice(), z.is_row_major()), (&[1, 4, 5, 3][..], true));
        let w = y.transposed(&[3, 2, 1, 0]);
        assert_eq!((w.dims.as_slice(), w.held().as_slice()), (&[5, 4, 3, 1][..], x.dims.as_slice()));
    }

    #[test]
    fn axes_of_extent_one_move_nothing() {
        let x = Computed::new(NodeId(0), vec![1, 3, 1, 5]).transposed(&[1, 2, 0, 3]);
        assert_eq!((x.dims.as_slice(), x.is_row_major()), (&[3, 1, 1, 5][..], true));
    }
}
