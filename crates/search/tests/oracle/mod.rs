//! The exact answer to a query about a tiny network, by enumeration: the region falls into polytopes on each of which the network
//! is affine, and a linear function is least at a vertex. Rational arithmetic throughout, and nothing shared with what it is
//! there to judge: no bounds, no lowering of max-pools, no forward pass, no encoding, no solver.

pub(crate) mod affine;
mod layers;
pub(crate) mod polytope;

use affine::{Affine, exact};
use layers::Value;
use polytope::Polytope;
use unmoved_ir::{Network, Rational};
use unmoved_property::{Conjunction, Constraint, InputRegion, Norm, RegionKind};

pub(crate) type Point = Vec<Rational>;

/// A part of the region and the outputs, affine there.
pub(crate) struct Cell {
    part: Polytope,
    outputs: Vec<Affine>,
}

/// The parts that make up the region; they overlap in their boundaries alone.
pub(crate) fn cells(network: &Network, region: Polytope) -> Vec<Cell> {
    let mut cells = Vec::new();
    explore(network, region, &mut Vec::new(), &mut cells);
    cells
}

/// Evaluates the next node on a part, and then what follows on every piece into which it falls.
fn explore(network: &Network, part: Polytope, values: &mut Vec<Vec<Affine>>, cells: &mut Vec<Cell>) {
    let Some(node) = network.nodes().get(values.len()) else {
        cells.push(Cell { part, outputs: values[network.output().0].clone() });
        return;
    };
    let pieces = match layers::apply(network, node, values) {
        Value::Affine(value) => vec![(part, value)],
        Value::Largest(elements) => elements.iter().fold(vec![(part, Vec::new())], |pieces, candidates| {
            let with_next = |(part, value): (Polytope, Vec<Affine>)| {
                let split = largest(part, candidates);
                split.into_iter().map(move |(part, next)| (part, [&value[..], &[next]].concat()))
            };
            pieces.into_iter().flat_map(with_next).collect()
        }),
    };
    for (part, value) in pieces {
        values.push(value);
        explore(network, part, values, cells);
        values.pop();
    }
}

/// Splits a part until on each piece one of the candidates is the largest throughout.
fn largest(part: Polytope, candidates: &[Affine]) -> Vec<(Polytope, Affine)> {
    let (first, others) = candidates.split_first().expect("a maximum is of something");
    others.iter().fold(vec![(part, first.clone())], |pieces, next| {
        let split = |(part, best): (Polytope, Affine)| {
            let [kept, changed] = part.sides(&next.minus(&best));
            kept.map(|p| (p, best)).into_iter().chain(changed.map(|p| (p, next.clone())))
        };
        pieces.into_iter().flat_map(split).collect()
    })
}

/// What is true of one disjunct of the unsafe set.
#[derive(Debug, Clone)]
pub(crate) struct Truth {
    /// The least that the largest `g` of its constraints gets.
    pub(crate) margin: Rational,
    /// Where.
    pub(crate) at: Point,
    /// The least of each `g` alone; a proof by a single constraint needs one that is positive.
    pub(crate) alone: Vec<Rational>,
    /// A point that satisfies all constraints, strict ones strictly.
    pub(crate) unsafe_at: Option<Point>,
}

/// The truth about a disjunct with at least one constraint.
pub(crate) fn truth(cells: &[Cell], conjunction: &Conjunction) -> Truth {
    let constraints = &conjunction.0;
    let mut best: Option<(Rational, Point)> = None;
    let mut alone: Vec<Option<Rational>> = vec![None; constraints.len()];
    let mut unsafe_at = None;
    for cell in cells {
        let functions: Vec<Affine> = constraints.iter().map(|c| function(c, &cell.outputs)).collect();
        for (least, g) in alone.iter_mut().zip(&functions) {
            let (value, _) = cell.part.least(g);
            *least = Some(least.take().map_or(value.clone(), |l| l.min(value)));
        }
        let (margin, at) = least_largest(&cell.part, &functions);
        if unsafe_at.is_none() && margin <= Rational::ZERO {
            unsafe_at = unsafe_point(&cell.part, constraints, &functions);
        }
        if best.as_ref().is_none_or(|b| margin < b.0) {
            best = Some((margin, at));
        }
    }
    let (margin, at) = best.expect("a region is not empty");
    Truth { margin, at, alone: alone.into_iter().flatten().collect(), unsafe_at }
}

/// The values of a disjunct's constraints at a point.
pub(crate) fn values_at(network: &Network, x: &[Rational], conjunction: &Conjunction) -> Vec<Rational> {
    let point = Polytope::within(&x.iter().map(|v| (v.clone(), v.clone())).collect::<Vec<_>>());
    let cells = cells(network, point);
    conjunction.0.iter().map(|c| function(c, &cells[0].outputs).at(x)).collect()
}

/// Whether a constraint holds for a value of its `g`.
pub(crate) fn holds(constraint: &Constraint, g: &Rational) -> bool {
    *g < Rational::ZERO || (!constraint.strict && *g == Rational::ZERO)
}

/// `g` of a constraint as a function of the input.
fn function(constraint: &Constraint, outputs: &[Affine]) -> Affine {
    let inputs = outputs[0].slope.len();
    let mut g = Affine::constant(inputs, constraint.constant.clone());
    constraint.outputs.iter().for_each(|(k, a)| g.add(a, &outputs[*k]));
    constraint.inputs.iter().for_each(|(k, a)| g.add(a, &Affine::input(inputs, *k)));
    g
}

/// The least that the largest of some functions gets on a part: the least of each, where it is the largest.
fn least_largest(part: &Polytope, functions: &[Affine]) -> (Rational, Point) {
    let led_by = |f: &Affine| {
        let smaller = |part: Option<Polytope>, g: &Affine| part.and_then(|p| p.below(&g.minus(f)));
        let part = functions.iter().fold(Some(part.clone()), smaller)?;
        let (value, at) = part.least(f);
        Some((value, at.to_vec()))
    };
    functions.iter().filter_map(led_by).min_by(|a, b| a.0.cmp(&b.0)).expect("one of them is the largest")
}

/// A point of a part at which every constraint holds.
fn unsafe_point(part: &Polytope, constraints: &[Constraint], functions: &[Affine]) -> Option<Point> {
    let unsafe_part = functions.iter().try_fold(part.clone(), |part, g| part.below(g))?;
    let middle = unsafe_part.middle();
    constraints.iter().zip(functions).all(|(c, g)| holds(c, &g.at(&middle))).then_some(middle)
}

/// The region as a polytope; `None` for a Euclidean ball.
pub(crate) fn polytope(region: &InputRegion) -> Option<Polytope> {
    let (centre, norm, eps, range) = match region.kind() {
        RegionKind::Box { lower, upper } => {
            let ends: Vec<_> = lower.iter().cloned().zip(upper.iter().cloned()).collect();
            return Some(Polytope::within(&ends));
        }
        RegionKind::Ball { norm: Norm::L2, .. } => return None,
        RegionKind::Ball { centre, norm, eps, range } => (centre, *norm, eps, range),
    };
    let ends = |c: &f64| {
        let (lower, upper) = (&exact(*c) - eps, &exact(*c) + eps);
        match range {
            Some((least, most)) => (lower.max(least.clone()), upper.min(most.clone())),
            None => (lower, upper),
        }
    };
    let mut part = Polytope::within(&centre.iter().map(ends).collect::<Vec<_>>());
    if norm == Norm::L1 {
        // One half-space for each choice of signs of the differences.
        let n = centre.len();
        for signs in 0..1u32 << n {
            let mut f = Affine::constant(n, -eps);
            for (k, &c) in centre.iter().enumerate() {
                let sign = Rational::from(if signs >> k & 1 == 1 { 1 } else { -1 });
                f.add(&sign, &Affine::input(n, k).minus(&Affine::constant(n, exact(c))));
            }
            part = part.below(&f).expect("the centre is inside");
        }
    }
    Some(part)
}

/// Whether a point lies in the region, by definition.
pub(crate) fn contains(region: &InputRegion, x: &[Rational]) -> bool {
    match region.kind() {
        RegionKind::Box { lower, upper } => x.iter().zip(lower.iter().zip(upper)).all(|(x, (l, u))| l <= x && x <= u),
        RegionKind::Ball { centre, norm, eps, range } => {
            let distances = || x.iter().zip(centre).map(|(x, &c)| (x - &exact(c)).abs());
            let sum = |values: &mut dyn Iterator<Item = Rational>| values.fold(Rational::ZERO, |s, v| &s + &v);
            let near = match norm {
                Norm::Linf => distances().all(|d| d <= *eps),
                Norm::L1 => sum(&mut distances()) <= *eps,
                Norm::L2 => sum(&mut distances().map(|d| &d * &d)) <= eps * eps,
            };
            near && range.as_ref().is_none_or(|(l, u)| x.iter().all(|x| l <= x && x <= u))
        }
    }
}
