//! From formulas to queries: one per box of inputs.

use super::formula::{Atom, Disjunct, Formula, Side, times};
use super::{MAX_BOXES, MAX_CONSTRAINTS, MAX_SIZE, VnnlibError};
use crate::{Conjunction, Constraint, InputRegion, Query};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use unmoved_ir::{Network, Rational};

/// The queries of formulas that must all hold; `name` tells how the text calls an input.
pub(super) fn queries(
    asserted: &[Formula],
    network: &Arc<Network>,
    name: impl Fn(usize) -> String,
) -> Result<Vec<Query>, VnnlibError> {
    let mut common = Disjunct::new();
    let mut disjuncts = vec![Disjunct::new()];
    for formula in asserted {
        let mut of_formula = formula.disjuncts()?;
        match of_formula.as_mut_slice() {
            // What holds in all disjuncts is kept once: the bounds of thousands of inputs, usually.
            [one] => common.append(one),
            _ => disjuncts = times(disjuncts, of_formula)?,
        }
    }
    by_box(&common, &disjuncts, network, name)
}

/// One query per box, with the disjuncts that share it.
fn by_box(
    common: &Disjunct<'_>,
    disjuncts: &[Disjunct<'_>],
    network: &Arc<Network>,
    name: impl Fn(usize) -> String,
) -> Result<Vec<Query>, VnnlibError> {
    let mut hull = Bounds::default();
    common.iter().for_each(|atom| hull.add(atom));
    let shared: Vec<Constraint> = common.iter().filter_map(|atom| constraint(atom)).collect();
    if shared.len().saturating_mul(disjuncts.len()) > MAX_CONSTRAINTS.max(shared.len()) {
        return Err(VnnlibError::TooLarge);
    }
    let mut boxes: Vec<(Rc<[InputBounds]>, Vec<Conjunction>)> = Vec::new();
    let mut places: HashMap<Rc<[InputBounds]>, usize> = HashMap::new();
    let mut without_points = None;
    for disjunct in disjuncts {
        let mut own = Bounds::default();
        disjunct.iter().for_each(|atom| own.add(atom));
        own.drop_implied(&hull);
        if own.is_empty_within(&hull) {
            // Never true, and common where disjunctions are multiplied out.
            without_points.get_or_insert_with(|| own.packed());
            continue;
        }
        let mut constraints = shared.clone();
        constraints.extend(disjunct.iter().filter_map(|atom| constraint(atom)));
        // Those on outputs decide; what only cuts off a part of the box comes last.
        constraints.sort_by_key(|c| c.outputs.is_empty());
        let own = own.packed();
        let place = *places.entry(own.clone()).or_insert(boxes.len());
        if place == boxes.len() {
            if place == MAX_BOXES {
                return Err(VnnlibError::TooLarge);
            }
            boxes.push((own, Vec::new()));
        }
        boxes[place].1.push(Conjunction(constraints));
    }
    if boxes.is_empty() {
        // Nothing is unsafe; if for want of a single point, that is a slip, which the region will tell.
        boxes.push((without_points.unwrap_or_else(|| Rc::new([])), Vec::new()));
    }
    drop(places);
    let inputs = network.input().shape.len();
    if boxes.len().saturating_mul(inputs) > MAX_SIZE.max(inputs) {
        return Err(VnnlibError::TooLarge);
    }
    let query = |(own, unsafe_set): (Rc<[InputBounds]>, Vec<Conjunction>)| {
        let own = Bounds(own.iter().cloned().collect());
        let end = |side: Side, word| {
            let bound = |input| own.get(input, side).or(hull.get(input, side)).cloned();
            let missing = |input| VnnlibError::Unbounded { input: name(input), inputs, side: word };
            (0..inputs).map(|input| bound(input).ok_or_else(|| missing(input))).collect::<Result<Vec<_>, _>>()
        };
        let region = InputRegion::boxed(end(Side::Lower, "lower")?, end(Side::Upper, "upper")?)?;
        Ok(Query::new(network.clone(), region, unsafe_set)?)
    };
    boxes.into_iter().map(query).collect()
}

/// What an atom says beyond the box.
fn constraint(atom: &Atom) -> Option<Constraint> {
    match atom {
        Atom::Constraint(constraint) => Some(constraint.clone()),
        Atom::Bound { strict: false, .. } => None,
        Atom::Bound { input, side, at, strict: true } => {
            let (coefficient, constant) = match side {
                Side::Upper => (Rational::ONE, -at),
                Side::Lower => (-&Rational::ONE, at.clone()),
            };
            Some(Constraint { outputs: Vec::new(), inputs: vec![(*input, coefficient)], constant, strict: true })
        }
    }
}

/// An input, and its lower and upper bound, where it has them.
type InputBounds = (usize, [Option<Rational>; 2]);

/// The tightest bounds of inputs.
#[derive(Default)]
struct Bounds(BTreeMap<usize, [Option<Rational>; 2]>);

impl Bounds {
    fn add(&mut self, atom: &Atom) {
        let Atom::Bound { input, side, at, .. } = atom else { return };
        let bound = &mut self.0.entry(*input).or_default()[*side as usize];
        if bound.as_ref().is_none_or(|old| is_tighter(*side, at, old)) {
            *bound = Some(at.clone());
        }
    }

    /// In as little memory as there is for tens of thousands of boxes, where a node of the tree would take ten times as much.
    fn packed(self) -> Rc<[InputBounds]> {
        self.0.into_iter().collect()
    }

    fn get(&self, input: usize, side: Side) -> Option<&Rational> {
        self.0.get(&input)?[side as usize].as_ref()
    }

    /// Whether an input that has bounds here has no value between them and those of others.
    fn is_empty_within(&self, others: &Self) -> bool {
        self.0.keys().any(|&input| {
            let end = |side| self.get(input, side).or(others.get(input, side));
            matches!((end(Side::Lower), end(Side::Upper)), (Some(lower), Some(upper)) if lower > upper)
        })
    }

    /// Forgets what others imply, so that equal boxes are recognised.
    fn drop_implied(&mut self, others: &Self) {
        for (input, ends) in &mut self.0 {
            for side in [Side::Lower, Side::Upper] {
                let end = &mut ends[side as usize];
                if let (Some(at), Some(other)) = (&end, others.get(*input, side))
                    && !is_tighter(side, at, other)
                {
                    *end = None;
                }
            }
        }
        self.0.retain(|_, ends| ends.iter().any(Option::is_some));
    }
}

fn is_tighter(side: Side, at: &Rational, than: &Rational) -> bool {
    match side {
        Side::Lower => at > than,
        Side::Upper => at < than,
    }
}
