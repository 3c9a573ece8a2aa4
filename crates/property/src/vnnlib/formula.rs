//! Formulas and their disjunctive form.

use super::{MAX_SIZE, VnnlibError};
use crate::Constraint;
use unmoved_ir::Rational;

/// What a text asserts.
pub(super) enum Formula {
    Atom(Atom),
    And(Vec<Formula>),
    Or(Vec<Formula>),
}

/// A comparison that has no `and` or `or` in it.
pub(super) enum Atom {
    /// Of one input with a constant.
    Bound {
        input: usize,
        side: Side,
        at: Rational,
        strict: bool,
    },
    Constraint(Constraint),
}

/// From below or from above.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Lower,
    Upper,
}

/// Atoms that must all hold.
pub(super) type Disjunct<'f> = Vec<&'f Atom>;

impl Formula {
    pub(super) const TRUE: Self = Self::And(Vec::new());
    pub(super) const FALSE: Self = Self::Or(Vec::new());

    /// The disjuncts of which one must hold.
    pub(super) fn disjuncts(&self) -> Result<Vec<Disjunct<'_>>, VnnlibError> {
        match self {
            Self::Atom(atom) => Ok(vec![vec![atom]]),
            Self::Or(parts) => {
                let (mut all, mut total) = (Vec::new(), 0);
                for part in parts {
                    let disjuncts = part.disjuncts()?;
                    total += size(&disjuncts);
                    if total > MAX_SIZE {
                        return Err(VnnlibError::TooLarge);
                    }
                    all.extend(disjuncts);
                }
                Ok(all)
            }
            Self::And(parts) => {
                parts.iter().try_fold(vec![Vec::new()], |product, part| times(product, part.disjuncts()?))
            }
        }
    }
}

/// The disjuncts of `left and right`.
pub(super) fn times<'f>(
    mut left: Vec<Disjunct<'f>>,
    right: Vec<Disjunct<'f>>,
) -> Result<Vec<Disjunct<'f>>, VnnlibError> {
    // Known before anything is allocated.
    let total = size(&left).saturating_mul(right.len()).saturating_add(size(&right).saturating_mul(left.len()));
    if total > MAX_SIZE {
        return Err(VnnlibError::TooLarge);
    }
    if let [one] = right.as_slice() {
        // By far the most frequent; copying would make long conjunctions quadratic.
        left.iter_mut().for_each(|disjunct| disjunct.extend(one));
        return Ok(left);
    }
    Ok(left.iter().flat_map(|l| right.iter().map(move |r| [l.as_slice(), r].concat())).collect())
}

fn size(disjuncts: &[Disjunct<'_>]) -> usize {
    disjuncts.iter().map(|d| d.len() + 1).sum()
}
