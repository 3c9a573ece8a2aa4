//! Which weighted sum of what must hold at once has the largest least value in a box.
//!
//! Unsafe is where all constraints hold, so any weighted sum of them that is positive throughout a box proves it safe, and near the edges
//! where two of them meet no single one is. The weights `v >= 0` that sum to 1 and maximise `min over x of sum v_j (c_j + a_j x)` solve a linear
//! program; its dual is the point at which the largest of the functions is least, which is unsafe if anything is.

use unmoved_bounds::boxes::{Bounded, Form};

/// Pivots after which the best so far has to do.
const MOST_PIVOTS: usize = 200;
/// What counts as zero beside 1.
const ZERO: f64 = 1e-11;

/// The best weights of functions, and the point of the dual.
pub(super) struct Best {
    pub(super) weights: Vec<f64>,
    pub(super) point: Vec<f64>,
}

/// Solves the program for linear functions `constant + slopes . x` over a box.
///
/// With `y = (x - l) / (u - l)` and functions scaled to one size, it is `max sum c_j v_j - sum s_i` with `sum v_j = 1` and
/// `sum_j a_ji v_j + s_i - r_i = 0`, all variables nonnegative: `s_i` and `r_i` are the negative and positive part of the sum's slope. Any one
/// function is a vertex to begin with.
pub(super) fn best(bounded: &[&Bounded], lower: &[f64], upper: &[f64]) -> Option<Best> {
    let (functions, inputs) = (bounded.len(), lower.len());
    let first = (0..functions).max_by(|&a, &b| bounded[a].minimum.total_cmp(&bounded[b].minimum))?;
    // Each function's slopes, then its value where y = 0.
    let scaled = |b: &&Bounded| {
        let slopes = b.slopes.iter().zip(lower.iter().zip(upper)).map(|(a, (l, u))| a * (u - l));
        let base = b.constant + b.slopes.iter().zip(lower).map(|(a, l)| a * l).sum::<f64>();
        let function: Vec<f64> = slopes.chain([base]).collect();
        let size = function.iter().map(|v| v.abs()).sum::<f64>().max(f64::MIN_POSITIVE);
        (function.into_iter().map(|v| v / size).collect::<Vec<_>>(), size)
    };
    let scaled: Vec<(Vec<f64>, f64)> = bounded.iter().map(scaled).collect();
    let mut tableau = Tableau::new(&scaled, first, inputs);
    tableau.solve();
    let mut weights = vec![0.0; functions];
    for (&column, row) in tableau.basis.iter().zip(&tableau.rows) {
        if column < functions {
            weights[column] = row[tableau.width - 1].max(0.0) / scaled[column].1;
        }
    }
    let total: f64 = weights.iter().sum();
    if !(total.is_finite() && total > 0.0) {
        return None;
    }
    weights.iter_mut().for_each(|w| *w /= total);
    // What the positive part of a slope would cost is how far the point lies from the lower end.
    let share = |i: usize| (-tableau.costs[functions + inputs + i]).clamp(0.0, 1.0);
    let point = (0..inputs).map(|i| lower[i] + share(i) * (upper[i] - lower[i])).collect();
    Some(Best { weights, point })
}

/// Columns: the weights, the `s`, the `r`, the right-hand side.
struct Tableau {
    width: usize,
    rows: Vec<Vec<f64>>,
    basis: Vec<usize>,
    /// What the objective gains by one unit of each column.
    costs: Vec<f64>,
}

impl Tableau {
    fn new(functions: &[(Vec<f64>, f64)], first: usize, inputs: usize) -> Self {
        let count = functions.len();
        let width = count + 2 * inputs + 1;
        let start = &functions[first].0;
        let mut rows = Vec::with_capacity(inputs + 1);
        let mut basis = Vec::with_capacity(inputs + 1);
        let mut costs = vec![0.0; width];
        for (cost, function) in costs.iter_mut().zip(functions) {
            *cost = function.0[inputs] - start[inputs];
        }
        (0..inputs).for_each(|i| costs[count + i] = -1.0);
        for i in 0..inputs {
            // The weight of the first is 1 less the others.
            let mut row = vec![0.0; width];
            let sign = if start[i] >= 0.0 { -1.0 } else { 1.0 };
            for (entry, function) in row.iter_mut().zip(functions) {
                *entry = sign * (function.0[i] - start[i]);
            }
            (row[count + i], row[count + inputs + i]) = (sign, -sign);
            row[width - 1] = start[i].abs();
            let column = if start[i] >= 0.0 { count + inputs + i } else { count + i };
            // The costs of basic columns are zero.
            let cost = costs[column];
            costs.iter_mut().zip(&row).for_each(|(c, v)| *c -= cost * v);
            rows.push(row);
            basis.push(column);
        }
        let mut sum = vec![0.0; width];
        sum[..count].fill(1.0);
        sum[width - 1] = 1.0;
        rows.push(sum);
        basis.push(first);
        Self { width, rows, basis, costs }
    }

    fn solve(&mut self) {
        for pivot in 0..MOST_PIVOTS {
            // The steepest first; where that might go round in circles, the first.
            let gains = (0..self.width - 1).filter(|&c| self.costs[c] > ZERO);
            let entering = match pivot < MOST_PIVOTS / 2 {
                true => gains.max_by(|&a, &b| self.costs[a].total_cmp(&self.costs[b])),
                false => gains.min(),
            };
            let Some(entering) = entering else { return };
            let ratio = |row: usize| self.rows[row][self.width - 1] / self.rows[row][entering];
            let candidates = (0..self.rows.len()).filter(|&row| self.rows[row][entering] > ZERO);
            let leaving = candidates
                .min_by(|&a, &b| ratio(a).total_cmp(&ratio(b)).then_with(|| self.basis[a].cmp(&self.basis[b])));
            let Some(leaving) = leaving else { return };
            self.pivot(leaving, entering);
        }
    }

    fn pivot(&mut self, leaving: usize, entering: usize) {
        let factor = self.rows[leaving][entering];
        self.rows[leaving].iter_mut().for_each(|v| *v /= factor);
        let row = self.rows[leaving].clone();
        for (k, other) in self.rows.iter_mut().enumerate() {
            let factor = other[entering];
            if k != leaving && factor != 0.0 {
                other.iter_mut().zip(&row).for_each(|(o, v)| *o -= factor * v);
            }
        }
        let factor = self.costs[entering];
        self.costs.iter_mut().zip(&row).for_each(|(c, v)| *c -= factor * v);
        self.basis[leaving] = entering;
    }
}

/// The weighted sum of forms.
pub(super) fn sum<'f>(forms: impl Iterator<Item = &'f Form>, weights: &[f64]) -> Form {
    let mut sum = Form::default();
    for (form, &w) in forms.zip(weights).filter(|(_, w)| **w > 0.0) {
        // The walk adds up what one element has several of.
        sum.outputs.extend(form.outputs.iter().map(|&(k, c)| (k, w * c)));
        sum.inputs.extend(form.inputs.iter().map(|&(i, p)| (i, w * p)));
        sum.neurons.extend(form.neurons.iter().map(|&(node, k, s)| (node, k, w * s)));
        sum.constant += w * form.constant;
    }
    sum
}
