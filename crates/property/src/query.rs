//! The question.

use crate::{Conjunction, Constraint, InputRegion, PropertyError};
use std::sync::Arc;
use unmoved_ir::{Digest, Exact, Network, Rational};

/// Whether some input of the region leads into the unsafe set, over the real numbers, weights taken as stored.
#[derive(Debug, Clone)]
pub struct Query {
    network: Arc<Network>,
    region: InputRegion,
    unsafe_set: Vec<Conjunction>,
}

impl Query {
    /// A query from its parts. Errors if region or constraints do not fit the network, or need the values of a Softmax
    /// that was dropped.
    pub fn new(
        network: Arc<Network>,
        region: InputRegion,
        unsafe_set: Vec<Conjunction>,
    ) -> Result<Self, PropertyError> {
        let (inputs, outputs) = (network.input().shape.len(), network.output_len());
        if region.len() != inputs {
            return Err(PropertyError::InputLength { network: inputs, region: region.len() });
        }
        let canonical = |c: Conjunction| Conjunction(c.0.into_iter().map(Constraint::canonical).collect());
        let unsafe_set: Vec<Conjunction> = unsafe_set.into_iter().map(canonical).collect();
        for (disjunct, conjunction) in unsafe_set.iter().enumerate() {
            for (constraint, c) in conjunction.0.iter().enumerate() {
                if let Some(&(index, _)) = c.outputs.iter().find(|(k, _)| *k >= outputs) {
                    return Err(PropertyError::NoSuchOutput { index, outputs });
                }
                if let Some(&(index, _)) = c.inputs.iter().find(|(i, _)| *i >= inputs) {
                    return Err(PropertyError::NoSuchInput { index, inputs });
                }
                if network.ordering_only() && !c.compares_two_outputs() {
                    return Err(PropertyError::NeedsSoftmax { disjunct, constraint });
                }
            }
        }
        Ok(Self { network, region, unsafe_set })
    }

    /// Robustness of class `label`: unsafe is any other class `t` with `logit_t >= logit_label`.
    pub fn robustness(network: Arc<Network>, region: InputRegion, label: usize) -> Result<Self, PropertyError> {
        let outputs = network.output_len();
        if label >= outputs {
            return Err(PropertyError::NoSuchOutput { index: label, outputs });
        }
        if outputs == 1 {
            return Err(PropertyError::OneOutput);
        }
        let others = (0..outputs).filter(|&t| t != label);
        let unsafe_set = others.map(|t| Conjunction(vec![Constraint::at_most(label, t)])).collect();
        Self::new(network, region, unsafe_set)
    }

    /// The same question about another region. Errors if that does not fit the network.
    pub fn about(&self, region: InputRegion) -> Result<Self, PropertyError> {
        Self::new(self.network.clone(), region, self.unsafe_set.clone())
    }

    /// The network.
    pub fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// The allowed inputs.
    pub fn region(&self) -> &InputRegion {
        &self.region
    }

    /// The disjuncts of the unsafe set; none means that nothing is unsafe.
    pub fn unsafe_set(&self) -> &[Conjunction] {
        &self.unsafe_set
    }

    /// The first disjunct that holds at a point, decided exactly, with the values of its constraints.
    pub fn violated_at(&self, input: &[Exact], output: &[Exact]) -> Option<(usize, Vec<Rational>)> {
        self.unsafe_set.iter().enumerate().find_map(|(i, conjunction)| {
            let values: Vec<Rational> = conjunction.0.iter().map(|c| c.value(input, output)).collect();
            conjunction.0.iter().zip(&values).all(|(c, g)| c.holds_at(g)).then_some((i, values))
        })
    }

    /// The SHA-256 of the region and the unsafe set in their canonical text (see [`Query::to_text`]).
    pub fn digest(&self) -> Digest {
        use sha2::Digest as _;
        Digest(sha2::Sha256::digest(self.to_text().as_bytes()).into())
    }
}
