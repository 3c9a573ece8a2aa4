//! The linear forms of a proof: weighted constraints, and whether multipliers are what they should be.

use crate::layers::Layers;
use crate::real::{Real, sane};
use crate::{Multipliers, WrongStep};
use std::collections::BTreeMap;
use unmoved_ir::{NodeId, Rational};
use unmoved_property::Constraint;

/// An element with its coefficient and how far that may be from the exact one.
pub(crate) type Term = (usize, f64, f64);

/// Weighted constraints, in floats.
#[derive(Default)]
pub(crate) struct Combined {
    pub(crate) outputs: Vec<Term>,
    pub(crate) inputs: Vec<Term>,
    /// Rounded down.
    pub(crate) constant: f64,
}

/// The constraints of a disjunct, weighted and added; no weights stand for all zero.
pub(crate) fn combine(constraints: Option<&[Constraint]>, lambda: &[f64]) -> Result<Combined, WrongStep> {
    if lambda.is_empty() {
        return Ok(Combined::default());
    }
    let constraints = constraints.ok_or(WrongStep::NoDisjunct)?;
    if lambda.len() != constraints.len() {
        return Err(WrongStep::LambdaCount { expected: constraints.len(), found: lambda.len() });
    }
    let mut constant = Rational::ZERO;
    let (mut outputs, mut inputs) = (BTreeMap::new(), BTreeMap::new());
    for (constraint, (g, &value)) in constraints.iter().zip(lambda).enumerate() {
        let wrong = WrongStep::Lambda { constraint, value };
        let weight = Rational::from_f64(value).filter(|w| *w >= Rational::ZERO).ok_or(wrong)?;
        constant = &constant + &(&weight * &g.constant);
        for (sum, terms) in [(&mut outputs, &g.outputs), (&mut inputs, &g.inputs)] {
            for (k, c) in terms {
                let sum: &mut Rational = sum.entry(*k).or_insert(Rational::ZERO);
                *sum = &*sum + &(&weight * c);
            }
        }
    }
    let rounded = |sums: BTreeMap<usize, Rational>| -> Result<Vec<Term>, WrongStep> {
        let term = |(k, c): (usize, Rational)| {
            let value = c.to_f64();
            sane(value).then(|| (k, value, c.distance_up(value))).ok_or(WrongStep::Coefficients)
        };
        sums.into_iter().map(term).collect()
    };
    let constant = constant.round_down();
    if !sane(constant) {
        return Err(WrongStep::Coefficients);
    }
    Ok(Combined { outputs: rounded(outputs)?, inputs: rounded(inputs)?, constant })
}

/// Multipliers are for Relus and elements that exist, in ascending order, and finite.
pub(crate) fn check_multipliers<R: Real>(layers: &Layers<R>, multipliers: &[Multipliers]) -> Result<(), WrongStep> {
    let mut above = 0;
    for Multipliers { relu: node, slopes, raw } in multipliers {
        let layer = layers.nodes.get(node.0).filter(|l| l.is_relu() && node.0 >= above);
        let len = layer.ok_or(WrongStep::NotRelu { node: *node })?.image.len();
        above = node.0 + 1;
        ascending(*node, slopes.iter().map(|s| s.0), len)?;
        ascending(*node, raw.iter().map(|r| r.0), len)?;
        if let Some(&(index, value)) = raw.iter().find(|(_, v)| !v.is_finite()) {
            return Err(WrongStep::Multiplier { node: *node, index, value });
        }
    }
    Ok(())
}

fn ascending(node: NodeId, indices: impl Iterator<Item = u32>, len: usize) -> Result<(), WrongStep> {
    let mut next = 0;
    for index in indices {
        if (index as usize) < next || index as usize >= len {
            return Err(WrongStep::MultiplierIndex { node, index });
        }
        next = index as usize + 1;
    }
    Ok(())
}
