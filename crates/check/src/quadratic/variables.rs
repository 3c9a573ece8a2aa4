//! What a quadratic leaf is a form in: inputs and lifted elements, each within an interval.

use crate::layers::Layers;
use crate::real::Real;
use crate::table::{Bounds, Table};
use crate::{Lifted, LiftedElement, QuadraticForm, WrongStep};
use std::ops::Range;

/// The most lifted elements times variables: as many coefficients as their rows may have, and entries the matrix.
const MAX_COEFFICIENTS: usize = 1 << 23;

/// The variables: first the inputs, then the lifted elements, each ascending. What has only one value is none.
pub(crate) struct Variables {
    pub(crate) inputs: Vec<Input>,
    pub(crate) lifted: Vec<Element>,
    /// Of every input, whether it is a variable or not.
    pub(crate) centres: Vec<f64>,
}

/// A number within `radius` of `centre`.
#[derive(Clone, Copy)]
pub(crate) struct Variable {
    pub(crate) centre: f64,
    /// Rounded up.
    pub(crate) radius: f64,
    /// What is added to the diagonal.
    pub(crate) kappa: f64,
}

pub(crate) struct Input {
    pub(crate) index: usize,
    pub(crate) variable: Variable,
}

/// The value of a Relu element.
pub(crate) struct Element {
    pub(crate) relu: usize,
    /// What the Relu reads.
    pub(crate) node: usize,
    pub(crate) index: usize,
    pub(crate) nu: f64,
    pub(crate) d: f64,
    /// At least the value.
    pub(crate) upper: f64,
    pub(crate) variable: Variable,
}

/// Near the middle of two bounds; what has only one value is that.
fn middle(lower: f64, upper: f64) -> f64 {
    if lower < upper { lower / 2.0 + upper / 2.0 } else { lower }
}

impl Variable {
    /// A variable between two bounds; none if they do not differ.
    fn between(lower: f64, upper: f64, kappa: f32) -> Option<Self> {
        let centre = middle(lower, upper);
        let radius = (upper - centre).max(centre - lower).next_up();
        (lower < upper).then_some(Self { centre, radius, kappa: f64::from(kappa) })
    }
}

impl Variables {
    /// Of a leaf at a table. Everything in the leaf but its linear form and its multiplier of the ball is examined.
    pub(crate) fn new<R: Real>(layers: &Layers<R>, table: &Table, form: &QuadraticForm) -> Result<Self, WrongStep> {
        let Bounds { lower, upper } = table.input();
        let differ: Vec<usize> = (0..lower.len()).filter(|&i| lower[i] < upper[i]).collect();
        if form.inputs.len() != differ.len() {
            return Err(WrongStep::DiagonalCount { expected: differ.len(), found: form.inputs.len() });
        }
        let count = form.lifted.iter().map(|lifted| lifted.elements.len()).fold(0, usize::saturating_add);
        let variables = count.saturating_add(differ.len());
        if count.saturating_mul(variables) > MAX_COEFFICIENTS {
            return Err(WrongStep::TooLarge { lifted: count, variables });
        }
        let of_lifted = form.lifted.iter().flat_map(|l| &l.elements).map(|e| e.kappa);
        let mut diagonal = form.inputs.iter().copied().chain(of_lifted).chain([form.constant, form.ball]);
        if let Some(value) = diagonal.find(|kappa| !(kappa.is_finite() && *kappa >= 0.0)) {
            return Err(WrongStep::Diagonal { value });
        }
        let input = |(&index, &kappa): (&usize, &f32)| {
            let variable = Variable::between(lower[index], upper[index], kappa)?;
            Some(Input { index, variable })
        };
        Ok(Self {
            inputs: differ.iter().zip(&form.inputs).filter_map(input).collect(),
            lifted: elements(layers, table, &form.lifted)?,
            centres: lower.iter().zip(upper).map(|(l, u)| middle(*l, *u)).collect(),
        })
    }

    /// All of them, in order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Variable> {
        self.inputs.iter().map(|input| &input.variable).chain(self.lifted.iter().map(|element| &element.variable))
    }

    /// The numbers of the elements of one Relu.
    pub(crate) fn of_relu(&self, relu: usize) -> Range<usize> {
        let start = self.lifted.partition_point(|element| element.relu < relu);
        start..start + self.lifted[start..].partition_point(|element| element.relu == relu)
    }
}

/// The lifted elements that may have several values.
fn elements<R: Real>(layers: &Layers<R>, table: &Table, lifted: &[Lifted]) -> Result<Vec<Element>, WrongStep> {
    let mut all = Vec::new();
    let mut above = 0;
    for Lifted { relu, elements } in lifted {
        let layer = layers.nodes.get(relu.0).filter(|l| l.is_relu() && relu.0 >= above);
        let node = layer.ok_or(WrongStep::NotRelu { node: *relu })?.inputs[0];
        let bounds = table.rows[node].as_ref().ok_or(WrongStep::NotRelu { node: *relu })?;
        above = relu.0 + 1;
        let mut next = 0;
        for &LiftedElement { index, nu, d, kappa } in elements {
            let k = index as usize;
            if k < next || k >= bounds.lower.len() {
                return Err(WrongStep::LiftedIndex { node: *relu, index });
            }
            next = k + 1;
            if let Some(value) = [nu, d].into_iter().find(|v| !v.is_finite()) {
                return Err(WrongStep::LiftedMultiplier { node: *relu, index, value });
            }
            let upper = bounds.upper[k].max(0.0);
            if let Some(variable) = Variable::between(bounds.lower[k].max(0.0), upper, kappa) {
                let (nu, d) = (f64::from(nu), f64::from(d));
                all.push(Element { relu: relu.0, node, index: k, nu, d, upper, variable });
            }
        }
    }
    Ok(all)
}
