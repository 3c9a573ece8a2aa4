//! The rows of the unsafe set: a disjunction of conjunctions of `g <= 0`.

use super::program::Program;
use super::{EncodeError, Layers};
use crate::milp::{Quantity, Sense};
use crate::rounding::{product_up, sum_up};
use unmoved_ir::{NodeId, Rational};
use unmoved_property::{Constraint, Query};

/// The disjuncts asked for, or all.
pub(crate) fn select(query: &Query, disjuncts: Option<&[usize]>) -> Result<Vec<usize>, EncodeError> {
    let count = query.unsafe_set().len();
    let chosen: Vec<usize> = disjuncts.map_or_else(|| (0..count).collect(), <[usize]>::to_vec);
    match chosen.iter().find(|&&i| i >= count) {
        _ if chosen.is_empty() => Err(EncodeError::NothingUnsafe),
        Some(&index) => Err(EncodeError::NoSuchDisjunct { index, disjuncts: count }),
        None => Ok(chosen),
    }
}

/// `g` of a constraint over columns: `terms + constant`, and how far that may be from the exact `g`.
struct Form {
    terms: Vec<(usize, f64)>,
    constant: f64,
    error: f64,
    /// Bounds of `g`, outward.
    range: [f64; 2],
}

impl Form {
    fn new(constraint: &Constraint, layers: &Layers<'_>) -> Self {
        let output = layers.output();
        let outputs = constraint.outputs.iter().map(|(k, a)| (output, *k, a));
        let inputs = constraint.inputs.iter().map(|(k, a)| (NodeId(0), *k, a));
        // In the order of the constraint. Two outputs may share a column.
        let mut merged: Vec<(usize, Rational, [f64; 2])> = Vec::new();
        for (node, k, a) in outputs.chain(inputs) {
            let Some(column) = layers.column(node, k) else { continue };
            match merged.iter_mut().find(|m| m.0 == column) {
                Some(m) => m.1 = &m.1 + a,
                None => merged.push((column, a.clone(), layers.range(node, k))),
            }
        }
        let constant = constraint.constant.to_f64();
        let mut error = constraint.constant.distance_up(constant);
        let (mut low, mut high) = (-constraint.constant.round_down(), constraint.constant.round_up());
        let mut terms = Vec::with_capacity(merged.len());
        for (column, a, [l, u]) in merged.into_iter().filter(|m| m.1 != Rational::ZERO) {
            let (down, up) = (a.round_down(), a.round_up());
            let nearest = a.to_f64();
            error = sum_up(error, product_up(a.distance_up(nearest), l.abs().max(u.abs())));
            let products =
                |sign: f64| [down * sign, up * sign].into_iter().flat_map(|a| [product_up(a, l), product_up(a, u)]);
            high = sum_up(high, products(1.0).fold(f64::NEG_INFINITY, f64::max));
            low = sum_up(low, products(-1.0).fold(f64::NEG_INFINITY, f64::max));
            terms.push((column, nearest));
        }
        Self { terms, constant, error, range: [-low, high] }
    }
}

/// A binary per disjunct, exactly one of which is 1; `None` for a single disjunct, which needs no choice.
fn choice(program: &mut Program, layer: &str, disjuncts: &[usize]) -> Vec<Option<usize>> {
    if disjuncts.len() == 1 {
        return vec![None];
    }
    let binaries: Vec<usize> = disjuncts
        .iter()
        .map(|&i| program.binary(format!("{layer}.{i}:chosen"), Quantity::Chosen { disjunct: i }))
        .collect();
    program.row(format!("{layer}:one"), binaries.iter().map(|&b| (b, 1.0)).collect(), Sense::Equal, 1.0);
    binaries.into_iter().map(Some).collect()
}

/// Some disjunct holds: each of its constraints as `g + M chosen <= M` with `M` an upper bound of `g`. A strict constraint is
/// relaxed to `<=`; the replay of a solution tells them apart.
pub(crate) fn unsafe_set(program: &mut Program, query: &Query, layers: &Layers<'_>, disjuncts: &[usize]) {
    let layer = program.fresh("unsafe");
    program.section(format!("{layer} set, {}", count(disjuncts.len())));
    let chosen = choice(program, &layer, disjuncts);
    for (&i, chosen) in disjuncts.iter().zip(chosen) {
        for (j, constraint) in query.unsafe_set()[i].0.iter().enumerate() {
            let g = Form::new(constraint, layers);
            let big = chosen.map(|c| (c, g.range[1].max(0.0)));
            let room = sum_up(g.error, -g.constant);
            implied(program, format!("{layer}.{i}:g{j}"), g.terms, room, big);
        }
    }
}

/// The largest `g` of the chosen disjunct as the cost: itself if it is the only one, else a column `margin` that no `g` of
/// that disjunct exceeds.
pub(crate) fn worst(
    program: &mut Program,
    query: &Query,
    layers: &Layers<'_>,
    disjuncts: &[usize],
) -> Result<(), EncodeError> {
    let forms: Vec<Vec<Form>> = disjuncts
        .iter()
        .map(|&i| {
            let constraints = &query.unsafe_set()[i].0;
            constraints.iter().map(|c| Form::new(c, layers)).collect()
        })
        .collect();
    if let Some(k) = forms.iter().position(Vec::is_empty) {
        return Err(EncodeError::NoConstraint(disjuncts[k]));
    }
    if let [only] = &forms[..]
        && let [g] = &only[..]
    {
        program.minimise(g.terms.clone(), g.constant);
        return Ok(());
    }
    let layer = program.fresh("margin");
    program.section(format!("{layer}, {}", count(disjuncts.len())));
    let all = || forms.iter().flatten();
    let least = -all().map(|g| sum_up(-g.range[0], g.error)).fold(f64::NEG_INFINITY, f64::max);
    let most = all().map(|g| sum_up(g.range[1], g.error)).fold(f64::NEG_INFINITY, f64::max);
    let margin = program.column(layer.clone(), [least, most], Quantity::Margin);
    let chosen = choice(program, &layer, disjuncts);
    for ((&i, forms), chosen) in disjuncts.iter().zip(forms).zip(chosen) {
        for (j, mut g) in forms.into_iter().enumerate() {
            g.terms.push((margin, -1.0));
            let big = chosen.map(|c| (c, sum_up(g.range[1], -least).max(0.0)));
            implied(program, format!("{layer}.{i}:g{j}"), g.terms, sum_up(g.error, -g.constant), big);
        }
    }
    program.minimise(vec![(margin, 1.0)], 0.0);
    Ok(())
}

/// `terms <= room`, or only if the binary of `big` is 1: `terms + M b <= room + M`, where `terms - room <= M` anyway.
fn implied(program: &mut Program, name: String, mut terms: Vec<(usize, f64)>, room: f64, big: Option<(usize, f64)>) {
    let mut rhs = room;
    if let Some((binary, big)) = big.filter(|(_, big)| *big > 0.0) {
        terms.push((binary, big));
        rhs = sum_up(room, big);
    }
    program.row(name, terms, Sense::AtMost, rhs);
}

fn count(disjuncts: usize) -> String {
    if disjuncts == 1 { "1 disjunct".into() } else { format!("{disjuncts} disjuncts") }
}
