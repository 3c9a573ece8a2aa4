//! What shows a bound: the numbers that a certificate keeps.

use super::multipliers::Multipliers;
use super::program::Program;
use crate::engine::Side;

/// The multipliers of a quadratic leaf, in units of the network's own values (see the checker's SPEC.md, section 6).
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf {
    /// Those of the ReLUs that are variables.
    pub lifted: Vec<Lifted>,
    /// ReLUs that splits have fixed: the number of each, and its `mu` where that is not its adjoint (or zero).
    pub fixed: Vec<(u32, f32)>,
    /// `kappa_0`.
    pub constant: f32,
    /// The `kappa` of each input, by position in the network's input; zero where it may not move.
    pub inputs: Vec<(u32, f32)>,
    /// That of the l2 ball.
    pub ball: f32,
}

/// Of one ReLU that is a variable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lifted {
    /// The ReLU's number in [`crate::engine::Compact::unstable`].
    pub relu: u32,
    /// What is handed down to the pre-activation.
    pub mu: f32,
    /// What stays with the variable.
    pub nu: f32,
    /// The multiplier of `y (y - z) = 0`.
    pub product: f32,
    /// The multiplier of the variable's range.
    pub kappa: f32,
}

impl Leaf {
    pub(super) fn new(program: &Program<'_>, multipliers: &Multipliers, kappa: &[f32], constant: f32) -> Self {
        let (compact, unstable) = (program.rows.compact, program.rows.rows.len());
        let inputs = compact.lower.len();
        // From the last ReLU to the first: its adjoint, and what it hands down.
        let mut adjoint = program.form.coefficients[inputs..].to_vec();
        let (mut lifted, mut fixed) = (Vec::with_capacity(program.lifted.len()), Vec::new());
        let (mut k, mut f) = (program.lifted.len(), program.fixed.len());
        for number in (0..unstable as u32).rev() {
            let a = adjoint[number as usize];
            let mu = if k > 0 && program.lifted[k - 1] == number {
                k -= 1;
                let (zero, line, chord) = (multipliers.zero[k], multipliers.line[k], multipliers.chord[k]);
                let (mu, nu) = (line - chord * program.slope(k), a + chord - zero - line);
                let (column, product) = (program.column[k], multipliers.product[k]);
                let kappa = kappa[column] / (program.radius[column] * program.radius[column]);
                lifted.push(Lifted { relu: number, mu, nu, product, kappa });
                mu
            } else {
                f -= 1;
                let sign = multipliers.sign[f];
                let mu = if program.fixed[f].1 == Side::Active { a - sign } else { sign };
                fixed.extend((sign != 0.0).then_some((number, mu)));
                mu
            };
            let row = &program.rows.rows[number as usize].coefficients[inputs..];
            adjoint[..number as usize].iter_mut().zip(row).for_each(|(a, c)| *a += mu * c);
        }
        lifted.reverse();
        fixed.reverse();
        let of_input = |(i, &position): (usize, &u32)| {
            let radius = program.radius[i];
            (position, if radius > 0.0 { kappa[i] / (radius * radius) } else { 0.0 })
        };
        let inputs = compact.nodes[0].elements.iter().enumerate().map(of_input).collect();
        Self { lifted, fixed, constant, inputs, ball: multipliers.ball[0] }
    }
}
