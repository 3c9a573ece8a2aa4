//! From a query and bounds to a mixed integer linear program (Tjeng, Xiao and Tedrake, ICLR 2019, sections 3 and 4.1).

mod affine;
mod layers;
mod needed;
mod program;
mod property;
mod region;

pub(crate) use affine::Affine;
pub(crate) use layers::Layers;

use crate::milp::Milp;
use program::Program;
use unmoved_bounds::{Bounds, Propagation};
use unmoved_ir::{Network, NodeId};
use unmoved_property::{InputRegion, Norm, Query};

/// What is minimised. In each case the point of the region, and with several disjuncts the disjunct, is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// Nothing: is there an unsafe point?
    Feasibility,
    /// The distance to the centre of an unsafe point, in the l-inf or l1 norm (paper, section 3).
    Closest(Norm),
    /// The largest `g` among the constraints `g <= 0` of a disjunct. For robustness that is the margin `y_label - y_target`,
    /// and the least over all targets if there are several; negative where some point is unsafe.
    Worst,
}

/// A query that no mixed integer linear program is made of.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EncodeError {
    /// A Euclidean ball is no polyhedron.
    #[error("an l2 {0} is not linear: a MILP takes l-inf, l1 and boxes only; branch and bound decides l2 queries")]
    L2(&'static str),
    /// A distance to nothing.
    #[error("\"closest\" needs a ball, which has a centre; this region is a box")]
    NoCentre,
    /// The bounds belong to another network.
    #[error("the bounds are those of another network: {0}")]
    OtherNetwork(String),
    /// A bound that has overflowed: no big-M exists.
    #[error("{0} has no finite bounds, which its encoding needs")]
    Unbounded(String),
    /// A lower bound above an upper bound: nothing is left of the region.
    #[error("the bounds of {0} exclude each other: the region is empty under the splits made so far")]
    Empty(String),
    /// A query, or a selection of its disjuncts, without any.
    #[error("nothing is unsafe: the query has no disjunct among those asked for")]
    NothingUnsafe,
    /// A disjunct that the query does not have.
    #[error("disjunct {index} does not exist: the query has {disjuncts}")]
    NoSuchDisjunct {
        /// The one asked for.
        index: usize,
        /// How many there are.
        disjuncts: usize,
    },
    /// A worst margin over no constraint.
    #[error("disjunct {0} has no constraint, so everything is unsafe and there is no margin")]
    NoConstraint(usize),
}

/// Encodes a query over the bounds of its network.
///
/// `disjuncts` selects those of the unsafe set (the target classes) that are still open; `None` takes all. With more than
/// one, a binary per disjunct chooses which is to hold.
///
/// The program is an outer description over the reals: every point of the region gives a point of the program
/// that satisfies all rows and bounds exactly. Weights are f64 and taken as they are. Wherever something has to be
/// rounded (a decimal radius, a big-M, a coefficient that two paths share, the slack of an inexact import), a bound or the
/// right-hand side moves outward by as much. Only the cost is rounded to nearest. Solvers compute in floating point all the
/// same: what they say of the program is a hint.
///
/// # Errors
/// [`EncodeError`]; most of all for l2 balls.
pub fn encode(
    query: &Query,
    propagation: &Propagation<'_>,
    objective: Objective,
    disjuncts: Option<&[usize]>,
) -> Result<Milp, EncodeError> {
    let network = query.network();
    encode_network(query, network, &original_bounds(network, propagation)?, objective, disjuncts)
}

/// [`encode`] over the lowered network, in which max-pools are ReLUs.
///
/// # Errors
/// As for [`encode`].
pub fn encode_lowered(
    query: &Query,
    propagation: &Propagation<'_>,
    objective: Objective,
    disjuncts: Option<&[usize]>,
) -> Result<Milp, EncodeError> {
    original_bounds(query.network(), propagation)?;
    let network = &propagation.lowered().network;
    encode_network(query, network, &all_bounds(propagation), objective, disjuncts)
}

/// The bounds of every node of the lowered network.
pub(crate) fn all_bounds<'a>(propagation: &'a Propagation<'_>) -> Vec<&'a Bounds> {
    (0..propagation.lowered().network.nodes().len()).map(|k| propagation.bounds(NodeId(k))).collect()
}

fn encode_network(
    query: &Query,
    network: &Network,
    bounds: &[&Bounds],
    objective: Objective,
    disjuncts: Option<&[usize]>,
) -> Result<Milp, EncodeError> {
    let disjuncts = property::select(query, disjuncts)?;
    let mut program = Program::new(network);
    let mut needed = needed::Needed::new(network);
    for constraint in disjuncts.iter().flat_map(|&i| &query.unsafe_set()[i].0) {
        constraint.outputs.iter().for_each(|(k, _)| needed.add(network.output(), *k));
    }
    let moved = region::encode(&mut program, network, query.region(), objective == Objective::Closest(Norm::L1))?;
    let layers = Layers::encode(&mut program, network, bounds, needed)?;
    match objective {
        Objective::Feasibility => property::unsafe_set(&mut program, query, &layers, &disjuncts),
        Objective::Closest(norm) => {
            region::closest(&mut program, query.region(), norm, &moved)?;
            property::unsafe_set(&mut program, query, &layers, &disjuncts);
        }
        Objective::Worst => property::worst(&mut program, query, &layers, &disjuncts)?,
    }
    program.finish()
}

/// Encodes the part of a network that elements of one node depend on; the cost is left empty. The columns of the elements
/// are returned beside the program, `None` for an element that is always zero.
pub(crate) fn encode_below(
    network: &Network,
    bounds: &[&Bounds],
    region: &InputRegion,
    node: NodeId,
    elements: &[usize],
) -> Result<(Milp, Vec<Option<usize>>), EncodeError> {
    let mut program = Program::new(network);
    let mut needed = needed::Needed::new(network);
    elements.iter().for_each(|&k| needed.add(node, k));
    region::encode(&mut program, network, region, false)?;
    let layers = Layers::encode(&mut program, network, bounds, needed)?;
    let columns = elements.iter().map(|&k| layers.column(node, k)).collect();
    Ok((program.finish()?, columns))
}

/// The bounds of each node of the original network, which the propagation knows under the nodes of the lowered one.
fn original_bounds<'a>(network: &Network, propagation: &'a Propagation<'_>) -> Result<Vec<&'a Bounds>, EncodeError> {
    let origin = &propagation.lowered().origin;
    if origin.len() != network.nodes().len() {
        let counts = format!("{} nodes, not {}", origin.len(), network.nodes().len());
        return Err(EncodeError::OtherNetwork(counts));
    }
    network
        .iter()
        .map(|(id, node)| {
            let bounds = propagation.bounds(origin[id.0]);
            match bounds.len() == node.shape.len() {
                true => Ok(bounds),
                false => {
                    Err(EncodeError::OtherNetwork(format!("node \"{}\" has {} elements", node.name, bounds.len())))
                }
            }
        })
        .collect()
}
