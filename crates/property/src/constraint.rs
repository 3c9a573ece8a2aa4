//! Linear constraints over outputs and inputs.

use unmoved_ir::{Exact, Rational};

/// `g <= 0` (or `g < 0`), with `g = sum a_k y_k + sum p_i x_i + constant`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// Output positions with their coefficients, ascending, none twice, none zero.
    pub outputs: Vec<(usize, Rational)>,
    /// Input positions with their coefficients, likewise.
    pub inputs: Vec<(usize, Rational)>,
    /// The constant term.
    pub constant: Rational,
    /// True for `<`.
    pub strict: bool,
}

/// Constraints that must all hold. An empty conjunction always holds: everything is unsafe.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conjunction(pub Vec<Constraint>);

impl Constraint {
    /// `y_smaller <= y_larger`, that is, `y_smaller - y_larger <= 0`.
    pub fn at_most(smaller: usize, larger: usize) -> Self {
        let mut outputs = vec![(smaller, Rational::ONE), (larger, -&Rational::ONE)];
        outputs.sort_by_key(|(k, _)| *k);
        Self { outputs, inputs: Vec::new(), constant: Rational::ZERO, strict: false }
    }

    /// The same constraint with ascending positions, none twice, no zeros.
    pub(crate) fn canonical(mut self) -> Self {
        for terms in [&mut self.outputs, &mut self.inputs] {
            terms.sort_by_key(|(k, _)| *k);
            terms.dedup_by(|next, first| {
                let same = next.0 == first.0;
                if same {
                    first.1 = &first.1 + &next.1;
                }
                same
            });
            terms.retain(|(_, c)| *c != Rational::ZERO);
        }
        self
    }

    /// True if the constraint only compares two outputs: `c (y_i - y_j) <= 0`.
    pub fn compares_two_outputs(&self) -> bool {
        let [(_, a), (_, b)] = self.outputs.as_slice() else { return false };
        self.inputs.is_empty() && self.constant == Rational::ZERO && *a == -b
    }

    /// The exact value of `g`.
    pub fn value(&self, input: &[Exact], output: &[Exact]) -> Rational {
        let mut g = self.constant.clone();
        for (terms, values) in [(&self.outputs, output), (&self.inputs, input)] {
            for (k, c) in terms {
                g = &g + &(c * &values[*k].to_rational());
            }
        }
        g
    }

    /// Whether the constraint holds for a value of `g`.
    pub fn holds_at(&self, g: &Rational) -> bool {
        if self.strict { *g < Rational::ZERO } else { *g <= Rational::ZERO }
    }
}
