//! Random queries about tiny networks, with what is exactly true of them; a function of the seed alone.

mod draw;

use super::oracle::affine::exact;
use super::oracle::polytope::Polytope;
use super::oracle::{Cell, Truth, cells, polytope, truth};
use std::fmt;
use std::sync::Arc;
use unmoved_ir::Rational;
use unmoved_ir::testing::Rng;
use unmoved_property::{InputRegion, Norm, Query, RegionKind};

/// Where the least margin of a query is put, as a share of its scale; `None` leaves it where it is. Zero is a tie, the smallest
/// are below what is asked of floats, the next just above.
const AIMS: [Option<f64>; 12] = [
    None,
    None,
    Some(0.0),
    Some(4e-6),
    Some(-4e-6),
    Some(5e-4),
    Some(5e-4),
    Some(5e-4),
    Some(-5e-4),
    Some(-5e-4),
    Some(5e-3),
    Some(-5e-3),
];

/// From here on seeds stand for boxes of up to four inputs with conjunctions of up to four constraints.
pub(crate) const CONJUNCTIONS: u64 = 1_000_000;

/// A query and the truth about it.
pub(crate) struct Case {
    pub(crate) seed: u64,
    pub(crate) query: Query,
    /// How large the terms of a constraint get: what roundings are in proportion to.
    pub(crate) scale: f64,
    /// The truth about each disjunct over the region; for a Euclidean ball, over the l1 ball within it.
    pub(crate) inner: Vec<Truth>,
    /// The same; for a Euclidean ball, over the l-inf ball around it.
    pub(crate) outer: Vec<Truth>,
}

impl Case {
    pub(crate) fn new(seed: u64) -> Self {
        let rng = &mut Rng(seed);
        // Left to chance, most networks would be affine on their region.
        let wanted = [1, 4, 8, 12][rng.below(4)];
        let (network, region, outer) = loop {
            let dense = seed >= CONJUNCTIONS && rng.below(3) > 0;
            let network = if dense { draw::dense(rng) } else { draw::network(rng) };
            let inputs = network.input().shape.len();
            let region = if seed < CONJUNCTIONS { draw::region(rng, inputs) } else { draw::sides(rng, inputs) };
            let outer = cells(&network, outer_polytope(&region));
            if outer.len() >= wanted {
                break (Arc::new(network), region, outer);
            }
        };
        let inner = inner_polytope(&region).map(|part| cells(&network, part));
        let inner = inner.as_ref().unwrap_or(&outer);
        let query = if seed < CONJUNCTIONS {
            draw::query(rng, network, region)
        } else {
            draw::conjunctions(rng, network, region)
        };
        let scale = scale(&query);
        let query = match AIMS[rng.below(AIMS.len())] {
            // Of what can be known for a Euclidean ball, that which decides.
            Some(aim) => {
                let margin = least(&truths(if aim > 0.0 { &outer } else { inner }, &query));
                shifted(&query, &(&exact(aim * scale) - &margin))
            }
            None => query,
        };
        Self { seed, scale, inner: truths(inner, &query), outer: truths(&outer, &query), query }
    }

    /// Whether the region is a polytope, so that its truth is known and not only enclosed.
    pub(crate) fn is_polyhedral(&self) -> bool {
        polytope(self.query.region()).is_some()
    }

    /// Whether the region is a box.
    pub(crate) fn is_box(&self) -> bool {
        !matches!(self.query.region().kind(), RegionKind::Ball { norm: Norm::L1 | Norm::L2, .. })
    }

    /// The least margin over the region and all disjuncts; for a Euclidean ball a lower bound of it.
    pub(crate) fn margin(&self) -> Rational {
        least(&self.outer)
    }
}

impl fmt::Display for Case {
    /// The case as a file that holds the network, and the query behind it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let network = unmoved_text::to_string(self.query.network()).expect("every network can be written");
        let margins = [least(&self.inner), least(&self.outer)].map(|m| m.to_f64());
        write!(
            f,
            "seed {}, least margin {:?}, scale {}\n{network}{}",
            self.seed,
            margins,
            self.scale,
            self.query.to_text()
        )
    }
}

fn least(truths: &[Truth]) -> Rational {
    truths.iter().map(|t| t.margin.clone()).min().expect("there is a disjunct")
}

fn truths(cells: &[Cell], query: &Query) -> Vec<Truth> {
    query.unsafe_set().iter().map(|disjunct| truth(cells, disjunct)).collect()
}

/// The region, or the l-inf ball around a Euclidean one.
fn outer_polytope(region: &InputRegion) -> Polytope {
    polytope(region).unwrap_or_else(|| in_norm(region, Norm::Linf))
}

/// The l1 ball within a Euclidean one; `None` for other regions, which are polytopes themselves.
fn inner_polytope(region: &InputRegion) -> Option<Polytope> {
    polytope(region).is_none().then(|| in_norm(region, Norm::L1))
}

/// The ball of the same radius in another norm.
fn in_norm(region: &InputRegion, norm: Norm) -> Polytope {
    let RegionKind::Ball { centre, eps, range, .. } = region.kind() else { panic!("a box has no norm") };
    let ball = InputRegion::ball(centre.clone(), norm, eps.clone(), range.clone());
    polytope(&ball.expect("it was one in its own norm")).expect("not a Euclidean ball")
}

/// The query with as much added to every constraint.
fn shifted(query: &Query, by: &Rational) -> Query {
    let mut unsafe_set = query.unsafe_set().to_vec();
    for constraint in unsafe_set.iter_mut().flat_map(|c| &mut c.0) {
        constraint.constant = &constraint.constant + by;
    }
    Query::new(query.network().clone(), query.region().clone(), unsafe_set).expect("it fitted before")
}

/// The largest value of any node at the corners of the region, times the largest sum of a constraint's coefficients.
fn scale(query: &Query) -> f64 {
    let b = query.region().enclosing_box();
    let corner = |c: u32| (0..b.lower.len()).map(|k| if c >> k & 1 == 0 { b.lower[k] } else { b.upper[k] }).collect();
    let corners = (0..1u32 << b.lower.len()).map(corner);
    let values = corners.flat_map(|x: Vec<f64>| query.network().trace(&x).expect("it fits"));
    let largest = values.flatten().fold(1.0f64, |m, v| m.max(v.abs()));
    let constraints = query.unsafe_set().iter().flat_map(|c| &c.0);
    let sums = constraints.map(|c| c.outputs.iter().chain(&c.inputs).map(|(_, a)| a.to_f64().abs()).sum::<f64>());
    largest * sums.fold(1.0, f64::max)
}
