//! The matrix of a quadratic leaf.

use super::rows::Row;
use super::variables::{Element, Variables};
use crate::real::{Real, gamma, inflate, tiny};

/// The symmetric matrix `M` of `w^T M w`, where `w` holds the distances of the input variables and of the lifted variables from their
/// centres, and then one.
pub(crate) struct Matrix<R> {
    /// The diagonal at the inputs; there is nothing else among them.
    pub(crate) inputs: Vec<R>,
    /// For each lifted variable, then for the constant: its entries with all inputs, with those before it, and with itself.
    pub(crate) rows: Vec<Vec<R>>,
    /// At least the magnitudes of the elements of `w`.
    pub(crate) reach: Vec<f64>,
    /// At least what the errors of the entries can change in `w^T M w`, but for one rounding each.
    pub(crate) error: f64,
}

impl<R: Real> Matrix<R> {
    /// Of the rows and the linear coefficients `gradient` of all variables.
    pub(crate) fn new(
        variables: &Variables,
        rows: Vec<Row<R>>,
        mut gradient: Vec<R>,
        theta: f64,
        pull: &[R],
        constant: f64,
    ) -> Self {
        let reach: Vec<f64> = variables.all().map(|variable| variable.radius).chain([1.0]).collect();
        let count = variables.inputs.len();
        let mut size: Vec<f64> = gradient.iter().map(Real::size).collect();
        // What is multiplied by factors that underflow may have changed by as much as `tiny`.
        let mut spread = vec![0.0; gradient.len()];
        let mut add = |variable: usize, factor: &R, by: &R| {
            let term = factor.times(by);
            size[variable] += term.size();
            spread[variable] += by.size();
            gradient[variable] = gradient[variable].plus(&term);
        };
        let twice = R::from_f64(2.0 * theta);
        pull.iter().enumerate().for_each(|(i, way)| add(i, &twice, way));
        for (k, (element, row)) in variables.lifted.iter().zip(&rows).enumerate() {
            let (d, centre) = (R::from_f64(element.d), R::from_f64(element.variable.centre));
            add(count + k, &d, &centre.plus(&centre).minus(&row.centre));
            let factor = R::zero().minus(&d.times(&centre));
            row.coefficients.iter().enumerate().for_each(|(j, c)| add(j, &factor, c));
        }
        let terms = variables.lifted.len() + 3;
        let weighted = |sizes: &[f64]| -> f64 { sizes.iter().zip(&reach).map(|(s, r)| s * r).sum() };
        let widths: f64 = reach.iter().sum();
        let relative = gamma::<R>(2 * terms + 16) * weighted(&size);
        let error = relative + tiny::<R>(terms) * widths + tiny::<R>(1) * weighted(&spread);
        let (theta, half) = (R::from_f64(theta), R::from_f64(0.5));
        let quadratic = |(element, row): (&Element, Row<R>)| {
            let factor = R::from_f64(-element.d / 2.0);
            let mut entries = row.coefficients;
            entries.iter_mut().for_each(|entry| *entry = entry.times(&factor));
            entries.push(R::from_f64(element.d).plus(&R::from_f64(element.variable.kappa)));
            entries
        };
        let mut rows: Vec<Vec<R>> = variables.lifted.iter().zip(rows).map(quadratic).collect();
        rows.push(gradient.iter().map(|g| g.times(&half)).chain([R::from_f64(constant)]).collect());
        let inputs = variables.inputs.iter().map(|input| theta.plus(&R::from_f64(input.variable.kappa))).collect();
        Self { inputs, rows, error: inflate(error, reach.len() + 4), reach }
    }
}
