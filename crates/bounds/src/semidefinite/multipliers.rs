//! The multipliers of the constraints that tie a ReLU to its pre-activation, and the steps by which they grow better.

use super::kernel::Transposed;
use super::leaf::Adjoints;
use super::program::Program;
use super::vectors::Vectors;
use crate::engine::Side;

/// For each lifted ReLU those of `y >= 0`, `y >= z`, `y <= u (z - l) / (u - l)` and `y (y - z) = 0`; for each fixed one that of its sign; that of the ball.
#[derive(Debug, Clone)]
pub(super) struct Multipliers {
    pub(super) zero: Vec<f32>,
    pub(super) line: Vec<f32>,
    pub(super) chord: Vec<f32>,
    pub(super) product: Vec<f32>,
    pub(super) sign: Vec<f32>,
    pub(super) ball: [f32; 1],
}

/// The multipliers of a program that is no longer there, for those whose region is a part of its region.
#[derive(Debug, Clone)]
pub struct Found {
    lifted: Vec<u32>,
    fixed: Vec<u32>,
    multipliers: Multipliers,
}

impl Found {
    pub(super) fn new(program: &Program<'_>, multipliers: &Multipliers) -> Self {
        let fixed = program.fixed.iter().map(|f| f.0).collect();
        Self { lifted: program.lifted.clone(), fixed, multipliers: multipliers.clone() }
    }
}

/// What the multipliers make of the form: a quadratic function of the variables.
#[derive(Debug, Clone)]
pub(super) struct Coefficients {
    /// At the centre.
    pub(super) constant: f64,
    /// By row, of the pre-activation, less what its product brings.
    pub(super) row: Vec<f32>,
    /// By row, of the product of the ReLU's variable and the pre-activation, but for the sign.
    pub(super) product: Vec<f32>,
    /// By column, of the variable, beside the form's and what rows bring.
    pub(super) own: Vec<f32>,
    /// By column, of the variable's square.
    pub(super) square: Vec<f32>,
}

impl Coefficients {
    /// Half of all linear coefficients, by column.
    pub(super) fn linear(&self, program: &Program<'_>) -> Vec<f32> {
        let rows: Vec<[f32; 1]> = self.row.iter().map(|r| [*r]).collect();
        let mut pull = [vec![0.0; program.columns]];
        let matrix = &program.matrix;
        Transposed { matrix, rows: 0..rows.len(), columns: 0..program.columns, from: &rows, to: &mut pull }.run();
        let all = pull[0].iter().zip(&program.linear).zip(&self.own);
        all.map(|((pull, linear), own)| 0.5 * (pull + linear + own)).collect()
    }
}

impl Multipliers {
    fn zeros(program: &Program<'_>) -> Self {
        let lifted = || vec![0.0; program.lifted.len()];
        Self {
            zero: lifted(),
            line: lifted(),
            chord: lifted(),
            product: lifted(),
            sign: vec![0.0; program.fixed.len()],
            ball: [0.0],
        }
    }

    /// The multipliers of the linear relaxation by the default rule, and for each kind the size of a step.
    pub(super) fn start(program: &Program<'_>) -> (Self, Self) {
        let mut start = Self::zeros(program);
        let mut scale = Self::zeros(program);
        let mut linear = program.linear.clone();
        for group in program.groups.iter().rev() {
            let mut size = 1e-20;
            for k in group.clone() {
                let (l, u) = (program.lower[k], program.upper[k]);
                let adjoint = linear[program.column[k]] * 2.0 / u;
                size += adjoint.abs();
                match () {
                    () if adjoint < 0.0 => start.chord[k] = -adjoint,
                    () if u > -l => start.line[k] = adjoint,
                    () => start.zero[k] = adjoint,
                }
            }
            let count = group.len() as f32;
            let size = size / count;
            let width = program.upper[group.clone()].iter().sum::<f32>() / count;
            for k in group.clone() {
                let mu = start.line[k] - start.chord[k] * program.slope(k);
                program.matrix.add(k, mu, &mut linear);
            }
            for scale in [&mut scale.zero, &mut scale.line, &mut scale.chord] {
                scale[group.clone()].fill(size);
            }
            scale.product[group.clone()].fill(size / width);
            start.product[group.clone()].fill(FIRST_PRODUCT * size / width);
        }
        // What is fixed has its share of the form, even where nothing else is left.
        let Adjoints { adjoint, .. } = Adjoints::new(program, &start);
        scale.sign.fill(adjoint.iter().map(|a| a.abs()).sum::<f32>() / adjoint.len() as f32);
        if let Some(ball) = &program.rows.ball {
            // The linear bound over the ball is that of its quadratic with this multiplier.
            let inputs = linear[..program.inputs].iter().zip(&program.radius).filter(|(_, r)| **r > 0.0);
            let square: f32 = inputs.map(|(a, r)| (a / r) * (a / r)).sum();
            start.ball = [square.sqrt() / (2.0 * ball.eps).max(1e-20)];
            scale.ball = start.ball;
        }
        (start, scale)
    }

    /// Takes over what another program about the same rows has found.
    pub(super) fn inherit(&mut self, program: &Program<'_>, found: &Found) {
        let mut place = vec![usize::MAX; program.rows.rows.len()];
        found.lifted.iter().enumerate().for_each(|(k, &number)| place[number as usize] = k);
        let known = |number: u32| Some(place[number as usize]).filter(|at| *at != usize::MAX);
        for (k, at) in program.lifted.iter().enumerate().filter_map(|(k, &number)| Some((k, known(number)?))) {
            self.zero[k] = found.multipliers.zero[at];
            self.line[k] = found.multipliers.line[at];
            self.chord[k] = found.multipliers.chord[at];
            self.product[k] = found.multipliers.product[at];
        }
        for ((number, _), sign) in program.fixed.iter().zip(&mut self.sign) {
            if let Some(at) = found.fixed.iter().position(|f| f == number) {
                *sign = found.multipliers.sign[at];
            }
        }
        self.ball = found.multipliers.ball;
    }

    pub(super) fn coefficients(&self, program: &Program<'_>) -> Coefficients {
        let lifted = program.lifted.len();
        let rows = program.matrix.rows();
        let mut with = Coefficients {
            constant: program.constant,
            row: vec![0.0; rows],
            product: vec![0.0; rows],
            own: vec![0.0; program.columns],
            square: vec![0.0; program.columns],
        };
        for k in 0..lifted {
            let (radius, centre, slope) = (0.5 * program.upper[k], program.centre[k], program.slope(k));
            let c = program.column[k];
            let (zero, line, chord, product) = (self.zero[k], self.line[k], self.chord[k], self.product[k]);
            let (of_y, of_z) = (chord - zero - line, line - chord * slope);
            with.row[k] = of_z - product * radius;
            with.product[k] = product * radius;
            with.own[c] = of_y * radius + product * (2.0 * radius * radius - radius * centre);
            with.square[c] = product * radius * radius;
            with.constant += f64::from(chord * slope * program.lower[k])
                + f64::from(of_y * radius)
                + f64::from(of_z * centre)
                + f64::from(product * radius * (radius - centre));
        }
        for (f, (_, side)) in program.fixed.iter().enumerate() {
            let of_z = if *side == Side::Active { -self.sign[f] } else { self.sign[f] };
            with.row[lifted + f] = of_z;
            with.constant += f64::from(of_z * program.centre[lifted + f]);
        }
        if let Some(ball) = &program.rows.ball {
            let theta = self.ball[0];
            let mut away = -ball.eps * ball.eps;
            for c in 0..program.inputs {
                let (radius, offset) = (program.radius[c], program.offset[c]);
                with.own[c] = 2.0 * theta * offset * radius;
                with.square[c] = theta * radius * radius;
                away += offset * offset;
            }
            with.constant += f64::from(theta * away);
        }
        with
    }

    /// How the bound grows with each multiplier where these are the vectors, and the value of the form less all constraints.
    pub(super) fn gradient(&self, program: &Program<'_>, vectors: &Vectors, gradient: &mut Self) -> f64 {
        let lifted = program.lifted.len();
        let mut value = program.constant;
        value += program.linear.iter().zip(&vectors.v[0]).map(|(a, v)| f64::from(a * v)).sum::<f64>();
        for k in 0..lifted {
            let (radius, centre, slope) = (0.5 * program.upper[k], program.centre[k], program.slope(k));
            let c = program.column[k];
            let (square, product) = vectors.products(c, k);
            let t = vectors.v[0][c];
            let (y, z) = (radius * (1.0 + t), centre + vectors.z[k][0]);
            let yy = radius * radius * (1.0 + 2.0 * t + square);
            let yz = radius * (z + t * centre + product);
            gradient.zero[k] = -y;
            gradient.line[k] = z - y;
            gradient.chord[k] = y - slope * (z - program.lower[k]);
            gradient.product[k] = yy - yz;
            value += f64::from(
                self.zero[k] * gradient.zero[k]
                    + self.line[k] * gradient.line[k]
                    + self.chord[k] * gradient.chord[k]
                    + self.product[k] * gradient.product[k],
            );
        }
        for (f, (_, side)) in program.fixed.iter().enumerate() {
            let z = program.centre[lifted + f] + vectors.z[lifted + f][0];
            gradient.sign[f] = if *side == Side::Active { -z } else { z };
            value += f64::from(self.sign[f] * gradient.sign[f]);
        }
        if let Some(ball) = &program.rows.ball {
            let mut away = -ball.eps * ball.eps;
            for c in 0..program.inputs {
                let (radius, offset) = (program.radius[c], program.offset[c]);
                let square: f32 = vectors.v.iter().map(|v| v[c] * v[c]).sum();
                away += offset * offset + 2.0 * offset * radius * vectors.v[0][c] + radius * radius * square;
            }
            gradient.ball = [away];
            value += f64::from(self.ball[0] * away);
        }
        value
    }

    pub(super) fn lists(&self) -> [&[f32]; 6] {
        let Self { zero, line, chord, product, sign, ball } = self;
        [zero, line, chord, product, sign, ball]
    }

    pub(super) fn lists_mut(&mut self) -> [&mut [f32]; 6] {
        let Self { zero, line, chord, product, sign, ball } = self;
        [zero, line, chord, product, sign, ball]
    }
}

/// The mean of some multipliers.
#[derive(Default)]
pub(super) struct Mean {
    sum: Option<Multipliers>,
    count: f32,
}

impl Mean {
    pub(super) fn add(&mut self, multipliers: &Multipliers) {
        self.count += 1.0;
        match &mut self.sum {
            None => self.sum = Some(multipliers.clone()),
            Some(sum) => {
                for (sum, list) in sum.lists_mut().into_iter().zip(multipliers.lists()) {
                    sum.iter_mut().zip(list).for_each(|(sum, m)| *sum += *m);
                }
            }
        }
    }

    pub(super) fn take(mut self) -> Option<Multipliers> {
        let lists = self.sum.as_mut().map(Multipliers::lists_mut);
        lists.into_iter().flatten().for_each(|list| list.iter_mut().for_each(|m| *m /= self.count));
        self.sum
    }
}

/// The first multiplier of a product, as a share of a step's size.
const FIRST_PRODUCT: f32 = 0.1;

/// What the last gradient weighs in the averages of gradients and of their squares.
const MEMORY: [f32; 2] = [0.1, 0.01];

/// Steps by averaged gradients over the root of their averaged squares (Kingma and Ba, 2015), cut to what a multiplier may be.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    mean: Multipliers,
    square: Multipliers,
    taken: i32,
}

impl Steps {
    pub(super) fn new(program: &Program<'_>) -> Self {
        Self { mean: Multipliers::zeros(program), square: Multipliers::zeros(program), taken: 0 }
    }

    pub(super) fn take(
        &mut self,
        multipliers: &mut Multipliers,
        gradient: &Multipliers,
        scale: &Multipliers,
        length: f32,
    ) {
        self.taken += 1;
        let [mean, square] = MEMORY.map(|share| 1.0 / (1.0 - (1.0 - share).powi(self.taken)));
        let lists = multipliers.lists_mut().into_iter().zip(gradient.lists());
        let own = scale.lists().into_iter().zip(self.mean.lists_mut()).zip(self.square.lists_mut());
        for ((values, gradients), ((scales, means), squares)) in lists.zip(own) {
            for k in 0..values.len() {
                let g = gradients[k] * scales[k];
                means[k] += MEMORY[0] * (g - means[k]);
                squares[k] += MEMORY[1] * (g * g - squares[k]);
                let way = means[k] * mean / ((squares[k] * square).sqrt() + 1e-12);
                values[k] = (values[k] + length * scales[k] * way).max(0.0);
            }
        }
    }
}
