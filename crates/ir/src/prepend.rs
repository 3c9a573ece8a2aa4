//! Puts the usual preprocessing of images in front of a network.

use crate::{Builder, IrError, Network, NodeId, NodeProblem, Rational, Scale, Shift};

impl Network {
    /// The network that reads `x` and computes this one on `(x - mean) / std`. One value for all elements, or one per channel of an
    /// image. The quotients are rounded and the rounding is bounded by [`crate::Slack`].
    ///
    /// # Errors
    /// A wrong number of values, or a `std` that is not positive.
    pub fn with_normalized_input(&self, mean: &[Rational], std: &[Rational]) -> Result<Self, IrError> {
        let input = self.input();
        let at = || IrError::at(&input.name);
        let channels = input.shape.image().map_or(input.shape.len(), |[c, ..]| c);
        for (what, values) in [("mean", mean), ("std", std)] {
            if values.len() != 1 && (values.len() != channels || input.shape.image().is_none()) {
                let expected =
                    if input.shape.image().is_some() { format!("1 or {channels} values") } else { "1 value".into() };
                return Err(at()(NodeProblem::mismatch(what, expected, values.len())));
            }
        }
        let of = |values: &[Rational], c: usize| values[c % values.len()].clone();
        let (mut scale, mut shift) = (Scale::exact(Vec::new()), Shift::exact(Vec::new()));
        for c in 0..channels {
            let std = of(std, c);
            if std <= Rational::ZERO {
                return Err(at()(NodeProblem::Attribute("std must be positive".into())));
            }
            let quotient = |v: Rational| v.checked_div(&std).expect("std is positive");
            let (factor, summand) = (quotient(Rational::ONE), quotient(-&of(mean, c)));
            let rounded = factor.to_f64();
            let distance = factor.distance_up(rounded);
            if distance > 0.0 {
                // Relative to the rounded factor, and the division itself rounded up.
                scale.error = scale.error.max((distance / rounded.abs()).next_up());
            }
            scale.values.push(rounded);
            shift.errors.push(summand.distance_up(summand.to_f64()));
            shift.values.push(summand.to_f64());
        }
        let mut b = Builder::new();
        let x = b.input(&input.name, input.shape.dims(), self.input_dtype())?;
        let rounds = scale.error > 0.0 || shift.errors.iter().any(|&e| e > 0.0);
        let normalized = b.affine(&self.unused_name(&format!("{}.normalized", input.name)), x, scale, shift)?;
        // The affine may have become several nodes; everything of this network follows after them.
        let moved = |id: &NodeId| if *id == Self::INPUT { normalized } else { NodeId(id.0 + normalized.0) };
        for node in &self.nodes[1..] {
            b.push(&node.name, node.op.clone(), &node.inputs.iter().map(moved).collect::<Vec<_>>())?;
        }
        b.note(&input.name, "mean and std", "a scale and shift in front of the network", rounds);
        let mut network = b.finish(moved(&self.output))?;
        network.ordering_only = self.ordering_only;
        network.rewrites.extend(self.rewrites.iter().cloned());
        network.metadata = self.metadata.clone();
        Ok(network)
    }

    fn unused_name(&self, name: &str) -> String {
        let mut unused = name.to_owned();
        while self.nodes.iter().any(|n| n.name == unused) {
            unused.push('_');
        }
        unused
    }
}
