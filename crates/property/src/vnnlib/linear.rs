//! Linear terms.

use super::formula::{Atom, Formula, Side};
use crate::Constraint;
use unmoved_ir::Rational;

/// A scalar of the network, by its place in row-major order.
#[derive(Clone, Copy)]
pub(super) enum Variable {
    Input(usize),
    Output(usize),
}

/// `sum a_k y_k + sum p_i x_i + constant`, in the order of the text.
#[derive(Clone)]
pub(super) struct Linear {
    outputs: Vec<(usize, Rational)>,
    inputs: Vec<(usize, Rational)>,
    pub(super) constant: Rational,
}

impl From<Rational> for Linear {
    fn from(constant: Rational) -> Self {
        Self { outputs: Vec::new(), inputs: Vec::new(), constant }
    }
}

impl From<Variable> for Linear {
    fn from(variable: Variable) -> Self {
        let mut value = Self::from(Rational::ZERO);
        match variable {
            Variable::Input(i) => value.inputs.push((i, Rational::ONE)),
            Variable::Output(k) => value.outputs.push((k, Rational::ONE)),
        }
        value
    }
}

impl Linear {
    pub(super) fn is_constant(&self) -> bool {
        self.outputs.is_empty() && self.inputs.is_empty()
    }

    pub(super) fn has_outputs(&self) -> bool {
        !self.outputs.is_empty()
    }

    pub(super) fn plus(mut self, other: Self) -> Self {
        self.outputs.extend(other.outputs);
        self.inputs.extend(other.inputs);
        self.constant = &self.constant + &other.constant;
        self
    }

    pub(super) fn times(mut self, factor: &Rational) -> Self {
        self.outputs.iter_mut().chain(&mut self.inputs).for_each(|(_, c)| *c = &*c * factor);
        self.constant = &self.constant * factor;
        self
    }

    pub(super) fn is_too_long(&self) -> bool {
        self.constant.is_too_long() || self.outputs.iter().chain(&self.inputs).any(|(_, c)| c.is_too_long())
    }

    /// `self <= 0`, or `self < 0`; `None` if a constant is too long to be written and read again.
    pub(super) fn at_most_zero(self, strict: bool) -> Option<Formula> {
        let Self { outputs, inputs, constant } = self;
        let constraint = Constraint { outputs, inputs, constant, strict }.canonical();
        let Constraint { outputs, inputs, constant, .. } = &constraint;
        let atom = match (outputs.as_slice(), inputs.as_slice()) {
            ([], []) if constraint.holds_at(constant) => return Some(Formula::TRUE),
            ([], []) => return Some(Formula::FALSE),
            ([], [(input, c)]) => {
                let at = (-constant).checked_div(c)?;
                let side = if *c > Rational::ZERO { Side::Upper } else { Side::Lower };
                if at.is_too_long() {
                    return None;
                }
                Atom::Bound { input: *input, side, at, strict }
            }
            _ => {
                let mut terms = outputs.iter().chain(inputs);
                if constant.is_too_long() || terms.any(|(_, c)| c.is_too_long()) {
                    return None;
                }
                Atom::Constraint(constraint)
            }
        };
        Some(Formula::Atom(atom))
    }
}
