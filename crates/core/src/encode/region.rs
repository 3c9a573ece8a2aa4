//! The rows of the input region, and distances to its centre.

use super::EncodeError;
use super::layers::input_columns;
use super::program::{Program, element_name};
use crate::milp::{Quantity, Sense};
use crate::rounding::sum_up;
use unmoved_ir::Network;
use unmoved_property::{InputRegion, Norm, RegionKind};

/// Writes the input's columns with the valid range in their bounds: all that a box or an l-inf ball needs. For an l1 ball, or
/// where `moved` asks for it, one more column per element bounds how far that element is from the centre; they are returned.
///
/// `|x - c| <= t` is two rows. Bounds are those of the smallest box of floats around the region, so they are outward.
pub(crate) fn encode(
    program: &mut Program,
    network: &Network,
    region: &InputRegion,
    moved: bool,
) -> Result<Vec<usize>, EncodeError> {
    let input = network.input();
    program.section(format!("input {} {}, {}", input.name, input.shape, describe(region)));
    let enclosing = region.enclosing_box();
    input_columns(program, network, &enclosing.lower, &enclosing.upper);
    let (centre, norm, eps) = match region.kind() {
        RegionKind::Box { .. } if moved => return Err(EncodeError::NoCentre),
        RegionKind::Box { .. } => return Ok(Vec::new()),
        RegionKind::Ball { norm: Norm::L2, .. } => return Err(EncodeError::L2("ball")),
        RegionKind::Ball { centre, norm, eps, .. } => (centre, *norm, eps),
    };
    if norm == Norm::Linf && !moved {
        return Ok(Vec::new());
    }
    let mut columns = Vec::with_capacity(centre.len());
    for (k, &c) in centre.iter().enumerate() {
        let name = element_name(&input.name, &input.shape, k);
        let range = [0.0, reach(region, c, k)];
        let t = program.column(format!("{name}:moved"), range, Quantity::Moved { element: k });
        around(program, &name, k, c, t);
        columns.push(t);
    }
    if norm == Norm::L1 {
        let terms = columns.iter().map(|&t| (t, 1.0)).collect();
        program.row(format!("{}:moved", input.name), terms, Sense::AtMost, eps.round_up());
    }
    Ok(columns)
}

/// Makes the distance to the centre the cost: in l1 the sum of the columns that [`encode`] returned, in l-inf a column of its own
/// that no element exceeds.
pub(crate) fn closest(
    program: &mut Program,
    region: &InputRegion,
    norm: Norm,
    moved: &[usize],
) -> Result<(), EncodeError> {
    let RegionKind::Ball { centre, .. } = region.kind() else { return Err(EncodeError::NoCentre) };
    match norm {
        Norm::L2 => return Err(EncodeError::L2("distance")),
        Norm::L1 => program.minimise(moved.iter().map(|&t| (t, 1.0)).collect(), 0.0),
        Norm::Linf => {
            let name = program.fresh("distance");
            program.section(format!("{name} to the centre, linf"));
            let farthest = (0..centre.len()).map(|k| reach(region, centre[k], k)).fold(0.0, f64::max);
            let distance = program.column(name.clone(), [0.0, farthest], Quantity::Distance);
            for (k, &c) in centre.iter().enumerate() {
                around(program, &format!("{name}.{k}"), k, c, distance);
            }
            program.minimise(vec![(distance, 1.0)], 0.0);
        }
    }
    Ok(())
}

/// How far element `k` can be from its centre `c`, rounded up.
fn reach(region: &InputRegion, c: f64, k: usize) -> f64 {
    let b = region.enclosing_box();
    sum_up(c, -b.lower[k]).max(sum_up(b.upper[k], -c))
}

/// `|x_k - c| <= t`. The input's columns are the first, so column `k` is `x_k`.
fn around(program: &mut Program, name: &str, k: usize, c: f64, t: usize) {
    program.row(format!("{name}:below"), vec![(k, 1.0), (t, -1.0)], Sense::AtMost, c);
    program.row(format!("{name}:above"), vec![(k, 1.0), (t, 1.0)], Sense::AtLeast, c);
}

fn describe(region: &InputRegion) -> String {
    match region.kind() {
        RegionKind::Box { .. } => "box".to_owned(),
        RegionKind::Ball { norm, eps, .. } => format!("{} ball of radius {eps}", norm.name()),
    }
}
