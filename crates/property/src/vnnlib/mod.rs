//! Reads properties in VNN-LIB 1.0, the SMT-LIB subset of the verification competitions.
//!
//! ```text
//! (declare-const X_0 Real)                      ; inputs, row-major
//! (declare-const Y_0 Real) (declare-const Y_1 Real)
//! (assert (>= X_0 -0.5)) (assert (<= X_0 0.5))
//! (assert (or (and (<= Y_0 Y_1)) (and (>= Y_0 3.5) (< (+ Y_1 (* -2 X_0)) 1))))
//! ```
//!
//! What a file asserts is what a counterexample satisfies. All its numbers are exact: the region of a [`Query`] is the box
//! of the file, decimals and all, and what bounds an input strictly becomes its end and a strict constraint.
//! Where disjuncts bound the inputs differently, each box is a query of its own; the property holds if all of them do.

mod declare;
mod error;
mod formula;
mod parse;
mod scan;

pub use declare::{Declarations, NetworkDeclaration, TensorDeclaration, Version, declarations};
pub use error::{VnnlibError, VnnlibProblem};

use crate::{Conjunction, Constraint, InputRegion, Query};
use formula::{Atom, Disjunct, Side, times};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use unmoved_ir::{Network, Rational};

/// The longest text worth reading, in bytes; for those who read files, this module does not.
pub const MAX_BYTES: u64 = 1 << 27;
/// How deep formulas may be nested; competition files need four levels.
const MAX_DEPTH: usize = 200;
/// The most constraints, and the most bounds of all boxes, that a property may come to.
const MAX_SIZE: usize = 1 << 21;
/// The most constraints that a text may spell out, beside bounds of inputs: each takes twenty times its bytes in memory.
const MAX_CONSTRAINTS: usize = 1 << 17;
/// The most boxes: each is a query of its own.
const MAX_BOXES: usize = 1 << 16;

/// Reads a property of a network as queries, one per box of inputs, in the order of the text; at least one.
///
/// # Errors
/// Text that is not VNN-LIB 1.0 or not linear, variables that the network does not have, inputs without bounds, boxes
/// without points, and properties that are too large.
pub fn read(text: &str, network: &Arc<Network>) -> Result<Vec<Query>, VnnlibError> {
    let asserted = parse::parse(text, network.input().shape.len(), network.output_len())?;
    let mut common = Disjunct::new();
    let mut disjuncts = vec![Disjunct::new()];
    for formula in &asserted {
        let mut of_formula = formula.disjuncts()?;
        match of_formula.as_mut_slice() {
            // What holds in all disjuncts is kept once: the bounds of thousands of inputs, usually.
            [one] => common.append(one),
            _ => disjuncts = times(disjuncts, of_formula)?,
        }
    }
    queries(&common, &disjuncts, network)
}

/// One query per box, with the disjuncts that share it.
fn queries(
    common: &Disjunct<'_>,
    disjuncts: &[Disjunct<'_>],
    network: &Arc<Network>,
) -> Result<Vec<Query>, VnnlibError> {
    let mut hull = Bounds::default();
    common.iter().for_each(|atom| hull.add(atom));
    let shared: Vec<Constraint> = common.iter().filter_map(|atom| constraint(atom)).collect();
    if shared.len().saturating_mul(disjuncts.len()) > MAX_CONSTRAINTS.max(shared.len()) {
        return Err(VnnlibError::TooLarge);
    }
    let mut boxes: Vec<(Rc<Bounds>, Vec<Conjunction>)> = Vec::new();
    let mut places: HashMap<Rc<Bounds>, usize> = HashMap::new();
    for disjunct in disjuncts {
        let mut own = Bounds::default();
        disjunct.iter().for_each(|atom| own.add(atom));
        own.drop_implied(&hull);
        let mut constraints = shared.clone();
        constraints.extend(disjunct.iter().filter_map(|atom| constraint(atom)));
        // Those on outputs decide; what only cuts off a part of the box comes last.
        constraints.sort_by_key(|c| c.outputs.is_empty());
        let own = Rc::new(own);
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
        // Nothing is unsafe.
        boxes.push(Default::default());
    }
    drop(places);
    let inputs = network.input().shape.len();
    if boxes.len().saturating_mul(inputs) > MAX_SIZE.max(inputs) {
        return Err(VnnlibError::TooLarge);
    }
    let query = |(own, unsafe_set): (Rc<Bounds>, Vec<Conjunction>)| {
        let end = |side: Side, name| {
            let bound = |input| own.get(input, side).or(hull.get(input, side)).cloned();
            let missing = |input| VnnlibError::Unbounded { input, inputs, side: name };
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

/// The tightest bounds of inputs: lower and upper, where there are any.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Bounds(BTreeMap<usize, [Option<Rational>; 2]>);

impl Bounds {
    fn add(&mut self, atom: &Atom) {
        let Atom::Bound { input, side, at, .. } = atom else { return };
        let bound = &mut self.0.entry(*input).or_default()[*side as usize];
        if bound.as_ref().is_none_or(|old| is_tighter(*side, at, old)) {
            *bound = Some(at.clone());
        }
    }

    fn get(&self, input: usize, side: Side) -> Option<&Rational> {
        self.0.get(&input)?[side as usize].as_ref()
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

#[cfg(test)]
mod tests;
