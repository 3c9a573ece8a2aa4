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

/// The adjoint of every unstable ReLU, and what it hands down to its pre-activation.
pub(super) struct Adjoints {
    pub(super) adjoint: Vec<f32>,
    mu: Vec<f32>,
}

impl Adjoints {
    pub(super) fn new(program: &Program<'_>, multipliers: &Multipliers) -> Self {
        let inputs = program.rows.compact.lower.len();
        let mut adjoint = program.form.coefficients[inputs..].to_vec();
        let mut mu = vec![0.0; adjoint.len()];
        let (mut k, mut f) = (program.lifted.len(), program.fixed.len());
        for number in (0..adjoint.len()).rev() {
            mu[number] = if k > 0 && program.lifted[k - 1] as usize == number {
                k -= 1;
                multipliers.line[k] - multipliers.chord[k] * program.slope(k)
            } else {
                f -= 1;
                let sign = multipliers.sign[f];
                if program.fixed[f].1 == Side::Active { adjoint[number] - sign } else { sign }
            };
            let row = &program.rows.rows[number].coefficients[inputs..];
            adjoint[..number].iter_mut().zip(row).for_each(|(a, c)| *a += mu[number] * c);
        }
        Self { adjoint, mu }
    }
}

impl Leaf {
    pub(super) fn new(program: &Program<'_>, multipliers: &Multipliers, kappa: &[f32], constant: f32) -> Self {
        let Adjoints { adjoint, mu } = Adjoints::new(program, multipliers);
        let lifted = program.lifted.iter().enumerate().map(|(k, &relu)| {
            let number = relu as usize;
            let nu = adjoint[number] + multipliers.chord[k] - multipliers.zero[k] - multipliers.line[k];
            let column = program.column[k];
            let kappa = unscaled(kappa[column], program.radius[column]);
            Lifted { relu, mu: mu[number], nu, product: multipliers.product[k], kappa }
        });
        let signed = program.fixed.iter().zip(&multipliers.sign).filter(|(_, sign)| **sign != 0.0);
        let of_input = |(i, &position): (usize, &u32)| {
            let radius = program.radius[i];
            (position, if radius > 0.0 { unscaled(kappa[i], radius) } else { 0.0 })
        };
        Self {
            lifted: lifted.collect(),
            fixed: signed.map(|((number, _), _)| (*number, mu[*number as usize])).collect(),
            constant,
            inputs: program.rows.compact.nodes[0].elements.iter().enumerate().map(of_input).collect(),
            ball: multipliers.ball[0],
        }
    }
}

/// The multiplier of a variable's own range. Where that is so narrow that its square is lost the largest is large enough.
fn unscaled(kappa: f32, radius: f32) -> f32 {
    (kappa / (radius * radius)).min(f32::MAX)
}
