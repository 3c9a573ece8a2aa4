//! The checker as those use it who write certificates.

use crate::check::{BATCH, Checker};
use crate::layers::Layers;
use crate::table::Bounds;
use crate::{Certificate, Refusal, Step};
use std::sync::Arc;
use unmoved_ir::{IrError, Lowered, Network, NodeId};
use unmoved_property::Query;

/// A checker of one query in [`Arithmetic::Float`](crate::Arithmetic::Float) for those who write certificates: it tells the bound table as it stands after the
/// steps accepted so far, with which the rest of the proof begins.
pub struct Examiner<'q> {
    pub(crate) checker: Checker<'q, f64, BATCH>,
    /// Lemmas and recomputations in force for everything that follows.
    accepted: Vec<Step>,
}

/// A network made ready for the checker, once for many queries.
pub struct Prepared {
    of: Arc<Network>,
    layers: Arc<Layers<f64>>,
}

impl Prepared {
    /// Errors if the network would be too large once max-pools are lowered.
    pub fn new(network: &Arc<Network>) -> Result<Self, IrError> {
        Ok(Self { of: network.clone(), layers: Arc::new(Layers::new(network)?) })
    }
}

impl<'q> Examiner<'q> {
    /// Computes the table with which every check of the query begins.
    pub fn new(query: &'q Query) -> Result<Self, Refusal> {
        Ok(Self { checker: Checker::new(query)?, accepted: Vec::new() })
    }

    /// The same, for a query about a network that is prepared.
    pub fn prepared(query: &'q Query, network: &Prepared) -> Result<Self, Refusal> {
        if !Arc::ptr_eq(query.network(), &network.of) {
            return Self::new(query);
        }
        Ok(Self { checker: Checker::prepared(query, network.layers.clone())?, accepted: Vec::new() })
    }

    /// Lets so many threads work; at first it is one. What comes of it does not depend on how many they are.
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Self {
        Self { checker: self.checker.with_threads(threads), ..self }
    }

    /// The bound table: one entry per node of the lowered network, `None` where it has none.
    pub fn bounds(&self) -> &[Option<Bounds>] {
        &self.checker.prover.table.rows
    }

    /// The lowered network that the table is about.
    pub fn lowered(&self) -> &Lowered {
        &self.checker.prover.layers.lowered
    }

    /// The nodes of the lowered network that ReLUs read: those of which a [`Step::Recompute`] may give linear bounds.
    pub fn tabled(&self) -> Vec<NodeId> {
        self.checker.prover.layers.tabled_nodes()
    }

    /// Lower bounds, by the default rule, of weighted sums of the constraints of disjuncts; `-inf` where there is none.
    pub fn minima(&mut self, forms: &[(usize, Vec<f64>)]) -> Vec<f64> {
        let bounds = self.checker.minima(forms).into_iter();
        bounds.map(|bound| bound.unwrap_or(f64::NEG_INFINITY)).collect()
    }

    /// Checks lemmas, each with its proof, and recomputations, and keeps what they give. An error keeps nothing.
    pub fn extend(&mut self, steps: Vec<Step>) -> Result<(), Refusal> {
        let before = self.accepted.len();
        let refused = match self.checker.walk(before, &steps) {
            // What is not in a lemma's proof may not end the proof of the query here.
            Ok(Some(taken)) => Some(Refusal::MissingStep(before + taken - 1)),
            Ok(None) if !self.checker.open.is_empty() => Some(Refusal::MissingStep(before + steps.len())),
            Ok(None) => None,
            Err(refusal) => Some(refusal),
        };
        if let Some(refusal) = refused {
            self.checker.reset();
            return Err(refusal);
        }
        self.checker.keep();
        self.accepted.extend(steps);
        Ok(())
    }

    /// Checks the rest of the proof. What was accepted before and this together are a certificate that [`check`](crate::check()) accepts.
    pub fn finish(&mut self, steps: Vec<Step>) -> Result<Certificate, Refusal> {
        let result = self.checker.run(self.accepted.len(), &steps);
        self.checker.reset();
        result?;
        let steps = self.accepted.iter().cloned().chain(steps).collect();
        Ok(Certificate::new(self.checker.query, steps))
    }
}
