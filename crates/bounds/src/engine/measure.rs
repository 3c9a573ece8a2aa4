//! The products that every pass is made of, one by one, for those who measure them.

use super::compact::{Compact, Kind};
use super::kernel::{Blocks, LANES, Lanes};

/// A layer's matrix times [`LANES`] vectors, upwards or downwards, with room of its own.
pub struct Product<'a> {
    blocks: &'a Blocks,
    from: Vec<Lanes>,
    to: Vec<Lanes>,
}

impl Compact {
    /// The products of every affine layer: the forward and the backward one.
    pub fn products(&self) -> impl Iterator<Item = [Product<'_>; 2]> {
        self.nodes.iter().filter_map(|part| {
            let Kind::Affine { up, down, .. } = &part.kind else { return None };
            let (inputs, outputs) = (self.nodes[part.inputs[0]].elements.len(), part.elements.len());
            Some([Product::new(up, inputs, outputs), Product::new(down, outputs, inputs)])
        })
    }
}

impl<'a> Product<'a> {
    fn new(blocks: &'a Blocks, from: usize, to: usize) -> Self {
        // Small numbers of both signs, so that nothing overflows however often it is added.
        let value = |k: usize, lane: usize| ((k * 7 + lane * 3) % 11) as f32 * 1e-3 - 5e-3;
        let from = (0..from).map(|k| Lanes(std::array::from_fn(|lane| value(k, lane)))).collect();
        Self { blocks, from, to: vec![Lanes::splat(0.0); to] }
    }

    /// Adds the product to the result.
    pub fn run(&mut self) {
        self.blocks.multiply_add(&self.from, &mut self.to);
    }

    /// The vectors that are multiplied.
    pub fn from(&self) -> &[Lanes] {
        &self.from
    }

    /// The result so far.
    pub fn result(&self) -> &[Lanes] {
        &self.to
    }

    /// Multiplications and additions of one run that are of use: two for each weight and vector.
    pub fn useful(&self) -> usize {
        2 * LANES * self.blocks.nonzeros()
    }

    /// The same with the zeros that fill up blocks.
    pub fn operations(&self) -> usize {
        self.blocks.operations()
    }
}
