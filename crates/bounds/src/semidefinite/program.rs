//! One quadratic program: a form over the part of the region that some splits leave.
//!
//! Variables are scaled to `w` in `[-1, 1]`: inputs are `x = centre + radius s`, lifted ReLUs `y = (u / 2)(1 + t)`. ReLUs that a split
//! has fixed are no variables: `y = z` or `y = 0` is put in wherever `y` stands, and the sign of `z` is one more constraint.

use super::blocks::{Blocks, WIDTH};
use super::rows::{Row, Rows};
use crate::engine::{Side, Split};

/// A quadratic program.
#[derive(Debug)]
pub struct Program<'a> {
    pub(super) rows: &'a Rows<'a>,
    /// The numbers of the unstable ReLUs that are variables, and of those fixed, with their phase.
    pub(super) lifted: Vec<u32>,
    pub(super) fixed: Vec<(u32, Side)>,
    /// For each group its lifted ones; group `g` has the columns from `starts[g]` on.
    pub(super) groups: Vec<std::ops::Range<usize>>,
    pub(super) starts: Vec<usize>,
    /// The column of each lifted ReLU.
    pub(super) column: Vec<usize>,
    /// How many columns inputs take up, and all variables; multiples of [`WIDTH`], filled up with zeros.
    pub(super) inputs: usize,
    pub(super) columns: usize,
    /// The rows of the lifted, then of the fixed, times the radii of the variables.
    pub(super) matrix: Blocks,
    /// Each row's value at the centre of all variables.
    pub(super) centre: Vec<f32>,
    /// The form as it was, before splits.
    pub(super) form: &'a Row,
    /// The form: its value at the centre, and its coefficients times the radii.
    pub(super) constant: f64,
    pub(super) linear: Vec<f32>,
    /// Bounds of each lifted pre-activation.
    pub(super) lower: Vec<f32>,
    pub(super) upper: Vec<f32>,
    /// The radius of each column's variable; zero where there is none.
    pub(super) radius: Vec<f32>,
    /// For an l2 ball, the way from its centre to the variable's.
    pub(super) offset: Vec<f32>,
}

impl<'a> Program<'a> {
    /// The program of a form ([`Rows::of`]) under splits.
    pub fn new(rows: &'a Rows<'a>, form: &'a Row, splits: &[Split]) -> Self {
        let compact = rows.compact;
        let unstable = compact.unstable();
        let mut phases: Vec<Option<Side>> = vec![None; unstable.len()];
        for split in splits {
            let mut twin = split.relu;
            loop {
                phases[twin as usize] = Some(split.side);
                twin = compact.twins[twin as usize];
                if twin == split.relu {
                    break;
                }
            }
        }
        let inputs = compact.lower.len().next_multiple_of(WIDTH);
        let (mut lifted, mut groups, mut starts, mut columns) = (Vec::new(), Vec::new(), Vec::new(), inputs);
        for group in &rows.groups {
            let first = lifted.len();
            lifted.extend(group.clone().filter(|&k| phases[k].is_none()).map(|k| k as u32));
            if lifted.len() > first {
                groups.push(first..lifted.len());
                starts.push(columns);
                columns = (columns + lifted.len() - first).next_multiple_of(WIDTH);
            }
        }
        let fixed: Vec<(u32, Side)> = (0..).zip(&phases).filter_map(|(k, phase)| Some((k, (*phase)?))).collect();
        let mut program = Self {
            rows,
            lower: lifted.iter().map(|&k| unstable[k as usize].lower).collect(),
            upper: lifted.iter().map(|&k| unstable[k as usize].upper).collect(),
            matrix: Blocks::new(columns),
            centre: vec![0.0; lifted.len() + fixed.len()],
            column: Vec::new(),
            form,
            constant: 0.0,
            linear: vec![0.0; columns],
            radius: vec![0.0; columns],
            offset: vec![0.0; columns],
            lifted,
            fixed,
            groups,
            starts,
            inputs,
            columns,
        };
        program.place_variables();
        program.fill(&phases);
        program
    }

    fn place_variables(&mut self) {
        let compact = self.rows.compact;
        for (i, (l, u)) in compact.lower.iter().zip(&compact.upper).enumerate() {
            self.radius[i] = 0.5 * (u - l);
            if let Some(ball) = &self.rows.ball {
                self.offset[i] = 0.5 * (l + u) - ball.centre[i];
            }
        }
        for (group, &start) in self.groups.iter().zip(&self.starts) {
            self.column.extend(start..start + group.len());
        }
        for (&column, u) in self.column.iter().zip(&self.upper) {
            self.radius[column] = 0.5 * u;
        }
    }

    fn fill(&mut self, phases: &[Option<Side>]) {
        let mut form = self.form.clone();
        let inputs = self.rows.compact.lower.len();
        // Of those rows that change: a fixed ReLU is put into what is above it.
        let mut changed: Vec<Option<Row>> = vec![None; phases.len()];
        for (k, phase) in phases.iter().enumerate().filter_map(|(k, phase)| Some((k, (*phase)?))) {
            let own = match phase {
                Side::Active => Some(changed[k].clone().unwrap_or_else(|| self.rows.rows[k].clone())),
                Side::Inactive => None,
            };
            put_in(&mut form, inputs + k, own.as_ref());
            for above in k + 1..phases.len() {
                if self.rows.rows[above].coefficients[inputs + k] != 0.0
                    || changed[above].as_ref().is_some_and(|row| row.coefficients[inputs + k] != 0.0)
                {
                    let row = changed[above].get_or_insert_with(|| self.rows.rows[above].clone());
                    put_in(row, inputs + k, own.as_ref());
                }
            }
        }
        let centres: Vec<f32> = {
            let compact = self.rows.compact;
            compact.lower.iter().zip(&compact.upper).map(|(l, u)| 0.5 * (l + u)).collect()
        };
        let mut scaled = vec![0.0; self.columns];
        let all = self.lifted.iter().copied().chain(self.fixed.iter().map(|f| f.0));
        for (r, k) in all.enumerate() {
            let row = changed[k as usize].as_ref().unwrap_or(&self.rows.rows[k as usize]);
            self.centre[r] = scale(row, &centres, &self.lifted, &self.column, &self.radius, &mut scaled) as f32;
            self.matrix.push(&scaled);
        }
        self.constant = scale(&form, &centres, &self.lifted, &self.column, &self.radius, &mut self.linear);
    }

    /// The slope of the chord above a lifted ReLU.
    #[inline(always)]
    pub(super) fn slope(&self, k: usize) -> f32 {
        self.upper[k] / (self.upper[k] - self.lower[k])
    }

    /// How many ReLUs are variables.
    pub fn lifted(&self) -> usize {
        self.lifted.len()
    }
}

/// Replaces a variable by its row, or by zero.
fn put_in(row: &mut Row, variable: usize, by: Option<&Row>) {
    let c = std::mem::take(&mut row.coefficients[variable]);
    if let Some(by) = by.filter(|_| c != 0.0) {
        row.constant += c * by.constant;
        row.coefficients.iter_mut().zip(&by.coefficients).for_each(|(a, b)| *a += c * b);
    }
}

/// Writes a row's coefficients times the radii; returns its value at the centre.
fn scale(row: &Row, centres: &[f32], lifted: &[u32], places: &[usize], radius: &[f32], scaled: &mut [f32]) -> f64 {
    let mut centre = f64::from(row.constant);
    for (i, (&c, &x)) in row.coefficients.iter().zip(centres).enumerate() {
        centre += f64::from(c) * f64::from(x);
        scaled[i] = c * radius[i];
    }
    for (&k, &place) in lifted.iter().zip(places) {
        let c = row.coefficients[centres.len() + k as usize];
        centre += f64::from(c) * f64::from(radius[place]);
        scaled[place] = c * radius[place];
    }
    centre
}
