//! Sixteen subproblems at a time: each a linear form over the region, some ReLUs fixed in one phase, bounded from below by
//! a backward pass whose multipliers are then improved along their gradient.
//!
//! Every ReLU with adjoint `a` hands down `mu = slope * a + shift`. For an unstable one the slope is that of the chord
//! where `a < 0` and any number between 0 and 1 where `a > 0` (alpha; Xu et al., ICLR 2021); for one that a split has
//! fixed it is 1 or 0. The shift is the multiplier of a bound of the pre-activation, of the upper one where it is positive, of the lower
//! one where it is negative: of those that a split gives (beta; Wang et al., NeurIPS 2021) and of those that are known, which other
//! means may have made tighter than these lines are. Any such numbers give a sound bound, up to the rounding of f32: what is
//! found here is a proposal, which the checker examines in its own arithmetic.

use super::compact::Compact;
use super::kernel::{LANES, Lanes};
use pulp::{Arch, Simd, WithSimd};

/// The phase that a split gives a ReLU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `z >= 0`.
    Active,
    /// `z <= 0`.
    Inactive,
}

/// A split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    /// The ReLU's number in [`Compact::unstable`].
    pub relu: u32,
    /// The phase.
    pub side: Side,
}

/// One linear form over one part of the region.
#[derive(Debug, Clone, Copy)]
pub struct Subproblem<'a> {
    /// Coefficients of elements of a node: the node, then pairs of a position and its coefficient.
    pub form: &'a Form,
    /// What is fixed.
    pub splits: &'a [Split],
    /// Slopes in 255ths, one per unstable ReLU.
    pub slopes: &'a [u8],
    /// The shifts that are not zero, each with the ReLU's number.
    pub shifts: &'a [(u32, f32)],
}

/// `constant + sum c_k v_k` over elements of one node, and of the input.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Form {
    /// The node.
    pub node: usize,
    /// Positions in its value, with coefficients.
    pub terms: Vec<(u32, f32)>,
    /// Positions in the input, with coefficients.
    pub inputs: Vec<(u32, f32)>,
    /// The constant.
    pub constant: f32,
}

/// How far to go.
#[derive(Debug, Clone, Copy)]
pub struct Ascent {
    /// Steps; 1 is a bound with the given multipliers.
    pub steps: usize,
    /// A lane is done when its bound exceeds this.
    pub enough: f32,
}

/// Room for [`LANES`] subproblems of one network; reused from batch to batch.
pub struct Descent<'a> {
    pub(super) compact: &'a Compact,
    pub(super) used: usize,
    pub(super) top: usize,
    pub(super) adjoints: Vec<Vec<Lanes>>,
    pub(super) values: Vec<Vec<Lanes>>,
    pub(super) slope: Vec<Lanes>,
    pub(super) shift: Vec<Lanes>,
    pub(super) best_slope: Vec<Lanes>,
    pub(super) best_shift: Vec<Lanes>,
    /// The direction of the last step, by slope and by shift.
    pub(super) way_slope: Vec<Lanes>,
    pub(super) way_shift: Vec<Lanes>,
    /// The adjoint of each unstable ReLU's output, and its pre-activation at the minimiser of the relaxation.
    pub(super) adjoint: Vec<Lanes>,
    pub(super) value: Vec<Lanes>,
    pub(super) chord: Vec<Lanes>,
    pub(super) offset: Vec<Lanes>,
    /// The pre-activations, averaged over the last steps: closer to what the relaxation's optimum has than those of one step.
    pub(super) mean: Vec<Lanes>,
    pub(super) lower: Vec<Lanes>,
    pub(super) upper: Vec<Lanes>,
    /// 1 for active by a split, -1 for inactive by a split, 0 for free.
    pub(super) fixed: Vec<Lanes>,
    pub(super) constant: Lanes,
    pub(super) bound: Lanes,
    pub(super) best_bound: Lanes,
    /// How much more than the best bound each lane's next step aims at.
    pub(super) aim: Lanes,
}

impl<'a> Descent<'a> {
    /// Room for subproblems of this network.
    pub fn new(compact: &'a Compact) -> Self {
        let room = || compact.nodes.iter().map(|n| vec![Lanes::ZERO; n.elements.len()]).collect::<Vec<_>>();
        let list = || vec![Lanes::ZERO; compact.unstable.len()];
        Self {
            compact,
            used: 0,
            top: compact.output,
            adjoints: room(),
            values: room(),
            slope: list(),
            shift: list(),
            best_slope: list(),
            best_shift: list(),
            way_slope: list(),
            way_shift: list(),
            adjoint: list(),
            value: list(),
            chord: list(),
            offset: list(),
            mean: list(),
            lower: list(),
            upper: list(),
            fixed: list(),
            constant: Lanes::ZERO,
            bound: Lanes::ZERO,
            best_bound: Lanes::ZERO,
            aim: Lanes::ZERO,
        }
    }

    /// Improves the multipliers of up to [`LANES`] subproblems, all about the same node.
    pub fn run(&mut self, problems: &[Subproblem<'_>], ascent: &Ascent) {
        Arch::new().dispatch(Run { descent: self, problems, ascent });
    }

    #[inline(always)]
    fn run_in<S: Simd>(&mut self, simd: S, problems: &[Subproblem<'_>], ascent: &Ascent) {
        self.load(problems);
        for step in 1..ascent.steps {
            self.down(simd, problems);
            self.minimise_input();
            self.up(simd);
            self.judge(step == 1, ascent);
            // With something to spare for the rounding of slopes.
            if (0..self.used).all(|lane| self.best_bound.0[lane] > 2.0 * ascent.enough) {
                break;
            }
            self.step(step == 1);
        }
        // Once more with the best multipliers, as they will be written.
        if ascent.steps > 1 {
            std::mem::swap(&mut self.slope, &mut self.best_slope);
            std::mem::swap(&mut self.shift, &mut self.best_shift);
        }
        for slope in &mut self.slope {
            slope.0.iter_mut().for_each(|s| *s = (*s * 255.0 + 0.5).floor() / 255.0);
        }
        self.down(simd, problems);
        self.minimise_input();
        self.up(simd);
    }

    /// The bound of a subproblem.
    pub fn bound(&self, lane: usize) -> f32 {
        self.bound.0[lane]
    }

    /// Its slopes, in 255ths.
    pub fn slopes(&self, lane: usize) -> Box<[u8]> {
        self.slope.iter().map(|s| (s.0[lane] * 255.0).round() as u8).collect()
    }

    /// An unstable ReLU of it.
    pub fn at(&self, relu: usize, lane: usize) -> At {
        At {
            slope: self.slope[relu].0[lane],
            shift: self.shift[relu].0[lane],
            adjoint: self.adjoint[relu].0[lane],
            chord: self.chord[relu].0[lane],
            value: self.value[relu].0[lane],
            side: match self.fixed[relu].0[lane] {
                0.0 => None,
                side => Some(if side > 0.0 { Side::Active } else { Side::Inactive }),
            },
        }
    }

    /// The shifts with which the cases of a split, inactive and active, hand down the same multiplier as this subproblem: they begin
    /// with a bound that is no less than its own.
    pub fn inherited(&self, relu: usize, lane: usize) -> [f32; 2] {
        let At { adjoint, slope, chord, shift, .. } = self.at(relu, lane);
        let line = if adjoint < 0.0 { chord } else { slope };
        [line * adjoint + shift, (line - 1.0) * adjoint + shift]
    }

    /// Its shifts that are not zero.
    pub fn shifts(&self, lane: usize) -> Box<[(u32, f32)]> {
        let shifts = self.shift.iter().enumerate().map(|(j, s)| (j as u32, s.0[lane]));
        shifts.filter(|s| s.1 != 0.0).collect()
    }

    /// The input at which the relaxation attains the bound, by position; elements that were left out are absent.
    pub fn minimiser(&self, lane: usize) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.compact.nodes[0].elements.iter().zip(&self.values[0]).map(move |(&e, x)| (e, x.0[lane]))
    }

    /// The free ReLUs, each with an estimate of what its split promises: the gap that its relaxation leaves at the minimiser, times
    /// the square root of the gap's largest size.
    pub fn promises(&self, lane: usize) -> impl Iterator<Item = (usize, f32)> + '_ {
        let free = self.compact.unstable.iter().enumerate().filter(move |(j, _)| self.fixed[*j].0[lane] == 0.0);
        free.map(move |(j, u)| {
            let a = self.adjoint[j].0[lane];
            let z = self.mean[j].0[lane];
            let offset = -u.lower * u.upper / (u.upper - u.lower);
            let relaxed = if a > 0.0 { self.slope[j].0[lane] * z } else { u.upper / (u.upper - u.lower) * z + offset };
            let gap = a * (z.max(0.0) - relaxed);
            let score = gap.max(1e-7) * (a.abs() * offset).max(1e-9).sqrt();
            // One that the bound does not feel is better than none.
            (j, if a != 0.0 { score } else { 1e-30 * offset.max(1e-6) })
        })
    }

    #[inline(always)]
    fn load(&mut self, problems: &[Subproblem<'_>]) {
        assert!(problems.len() <= LANES && problems.windows(2).all(|p| p[0].form.node == p[1].form.node));
        self.used = problems.len();
        self.top = problems[0].form.node;
        for (j, u) in self.compact.unstable.iter().enumerate() {
            let width = u.upper - u.lower;
            self.chord[j] = Lanes::splat(u.upper / width);
            self.offset[j] = Lanes::splat(-u.lower * u.upper / width);
            for (lane, problem) in problems.iter().enumerate() {
                self.slope[j].0[lane] = f32::from(problem.slopes[j]) / 255.0;
            }
            (self.lower[j], self.upper[j]) = (Lanes::splat(u.lower), Lanes::splat(u.upper));
            self.fixed[j] = Lanes::ZERO;
            self.shift[j] = Lanes::ZERO;
        }
        for (lane, problem) in problems.iter().enumerate() {
            problem.shifts.iter().for_each(|&(j, shift)| self.shift[j as usize].0[lane] = shift);
            for split in problem.splits {
                let j = split.relu as usize;
                self.fix(j, lane, split.side);
                // Every other ReLU that reads the same value follows.
                let mut twin = self.compact.twins[j] as usize;
                while twin != j {
                    self.fix(twin, lane, split.side);
                    twin = self.compact.twins[twin] as usize;
                }
            }
        }
        self.best_bound = Lanes::splat(f32::NEG_INFINITY);
    }

    fn fix(&mut self, j: usize, lane: usize, side: Side) {
        let slope = if side == Side::Active { 1.0 } else { 0.0 };
        let bound = if side == Side::Active { &mut self.lower } else { &mut self.upper };
        bound[j].0[lane] = 0.0;
        self.slope[j].0[lane] = slope;
        self.chord[j].0[lane] = slope;
        self.offset[j].0[lane] = 0.0;
        self.fixed[j].0[lane] = if side == Side::Active { 1.0 } else { -1.0 };
    }
}

struct Run<'r, 'd, 'p> {
    descent: &'r mut Descent<'d>,
    problems: &'r [Subproblem<'p>],
    ascent: &'r Ascent,
}

impl WithSimd for Run<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.descent.run_in(simd, self.problems, self.ascent);
    }
}

/// An unstable ReLU in a bounded subproblem.
#[derive(Debug, Clone, Copy)]
pub struct At {
    /// The slope of its lower line.
    pub slope: f32,
    /// The slope of its upper line.
    pub chord: f32,
    /// The multiplier of a bound.
    pub shift: f32,
    /// The adjoint of its output.
    pub adjoint: f32,
    /// Its pre-activation at the minimiser.
    pub value: f32,
    /// The phase in which a split has fixed it.
    pub side: Option<Side>,
}
