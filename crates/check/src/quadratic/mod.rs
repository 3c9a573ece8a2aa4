//! Quadratic leaves: what the linear rule loses at Relus that are kept as variables is won back from `y (y - z) = 0`.
//!
//! `SPEC.md` has the rule. The form becomes `constant + w^T M w`, with `w` one and the distances of the variables from their
//! centres; what that can be below zero is all that is left to bound.

mod factor;
mod matrix;
mod rows;
mod variables;

use crate::backward::Scene;
use crate::check::Checker;
use crate::queue::Job;
use crate::real::{Real, Sums, mul_up, tiny};
use crate::{QuadraticForm, WrongStep};
pub(crate) use matrix::Matrix;
pub(crate) use rows::Lifting;
use rows::Row;
use variables::Input;
pub(crate) use variables::Variables;

impl<R: Real, const B: usize> Checker<'_, R, B> {
    /// The lower bound of a quadratic leaf at the table as it stands; NaN where something overflowed.
    pub(crate) fn quadratic(&mut self, leaf: &QuadraticForm) -> Result<f64, WrongStep> {
        let job = self.leaf(0, &leaf.form)?;
        let variables = Variables::new(&self.prover.layers, &self.prover.table, leaf)?;
        if leaf.ball != 0.0 && self.prover.region.l2_ball().is_none() {
            return Err(WrongStep::NoBall);
        }
        let (mut constant, gradient) = self.centred(&job, &variables);
        let rows = self.prover.rows(&variables);
        let (scene, _) = self.prover.single();
        add_products(&mut constant, &variables, &rows);
        let diagonal = f64::from(leaf.constant);
        constant.lose(&[diagonal]);
        for variable in variables.all() {
            constant.lose(&[mul_up(variable.kappa, mul_up(variable.radius, variable.radius))]);
        }
        let theta = f64::from(leaf.ball);
        let pull = ball(&scene, theta, &variables, &mut constant);
        let matrix = Matrix::new(&variables, rows, gradient, theta, &pull, diagonal);
        let loss = matrix.loss().ok_or(WrongStep::NotDefinite)?;
        constant.lose(&[loss]);
        Ok(constant.lower(0))
    }

    /// The linear part: the form less `nu . y` by the linear rule, plus `nu . y`. Its value at the centres, and its coefficients.
    fn centred(&mut self, job: &Job<'_>, variables: &Variables) -> (Sums<R, 1>, Vec<R>) {
        let (scene, walk) = self.prover.single();
        job.begin(&scene, walk, 0);
        for element in &variables.lifted {
            walk.seed(scene.layers, element.relu, element.index, 0, -element.nu, 0.0);
        }
        walk.descend(&scene, [job.lane()]);
        walk.centre(&scene, &variables.centres);
        for element in &variables.lifted {
            walk.constant.add(|_| R::from_f64(element.nu).times(&R::from_f64(element.variable.centre)));
        }
        let inputs = variables.inputs.iter().map(|input| walk.coefficient(input.index, 0));
        let gradient = inputs.chain(variables.lifted.iter().map(|element| R::from_f64(element.nu))).collect();
        let constant = walk.constant.clone();
        walk.reset(scene.layers);
        (constant, gradient)
    }
}

/// Adds `d_k y_k (y_k - z_k)`, which is zero, at the centres, less what the rows' errors can do.
fn add_products<R: Real>(constant: &mut Sums<R, 1>, variables: &Variables, rows: &[Row<R>]) {
    for (element, row) in variables.lifted.iter().zip(rows) {
        let centre = R::from_f64(element.variable.centre);
        let (scaled, way) = (R::from_f64(element.d).times(&centre), centre.minus(&row.centre));
        constant.add(|_| scaled.times(&way));
        // Where the first product underflows, the second makes more of what that changes.
        constant.lose(&[mul_up(tiny::<R>(1), way.size())]);
        constant.lose(&[mul_up(mul_up(element.d.abs(), element.upper), row.error)]);
    }
}

/// Adds `theta (|x - x0|^2 - eps^2)`, which is at most zero, at the centres. Returns half its derivatives by the inputs that are variables, over
/// `theta`.
fn ball<R: Real>(scene: &Scene<R>, theta: f64, variables: &Variables, constant: &mut Sums<R, 1>) -> Vec<R> {
    let Some((centre, eps)) = scene.region.l2_ball().filter(|_| theta != 0.0) else {
        return vec![R::zero(); variables.inputs.len()];
    };
    let from_centre = |i: usize| R::from_f64(variables.centres[i]).minus(&R::from_f64(centre[i]));
    let factor = R::from_f64(theta);
    for i in 0..centre.len() {
        let way = from_centre(i);
        constant.add(|_| factor.times(&way.times(&way)));
    }
    constant.lose(&[mul_up(theta, mul_up(eps, eps))]);
    // The squares may underflow.
    constant.lose(&[mul_up(theta, tiny::<R>(centre.len()))]);
    variables.inputs.iter().map(|Input { index, .. }| from_centre(*index)).collect()
}
