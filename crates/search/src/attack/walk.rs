//! Sixteen points that go down the constraints of the unsafe set together.

use unmoved_bounds::engine::{Compact, LANES, Lanes, Probe};
use unmoved_ir::Rational;
use unmoved_property::{Conjunction, FloatBox, Norm, Point, Query, RegionKind};

/// How far a step goes that would take a constraint to zero.
const PAST: f32 = 1.5;
/// Each step of a short attack is this share of the one before.
const DECAY: f64 = 0.97;

/// How a descent goes.
pub(super) struct Pace {
    pub(super) steps: usize,
    /// The first step of each lane as a share of the region's extent.
    pub(super) lengths: [f64; LANES],
    /// Each step is this share of the one before.
    pub(super) decay: f64,
    /// How soft slopes are at first ([`Probe::soften`]); in the last quarter they jump.
    pub(super) soft: f32,
    /// The share of the last direction that is kept (Dong et al., CVPR 2018).
    pub(super) momentum: f32,
}

impl Pace {
    /// Plain gradients.
    pub(super) fn plain(steps: usize, length: f64) -> Self {
        Self { steps, lengths: [length; LANES], decay: DECAY, soft: 0.0, momentum: 0.0 }
    }

    fn soft_at(&self, step: usize) -> f32 {
        self.soft * (1.0 - step as f32 / (0.75 * self.steps as f32)).max(0.0)
    }
}

/// The best point of a lane; none yet where the value is infinite.
#[derive(Debug, Clone)]
pub(super) struct Best {
    pub(super) value: f32,
    pub(super) x: Vec<f64>,
}

impl Best {
    pub(super) const NONE: Self = Self { value: f32::INFINITY, x: Vec::new() };
}

/// A constraint `outputs . y + inputs . x + constant <= 0` in floats.
struct Target {
    outputs: Vec<(usize, f32)>,
    inputs: Vec<(usize, f32)>,
    constant: f32,
}

impl Target {
    fn all(conjunction: &Conjunction) -> Vec<Self> {
        let floats = |terms: &[(usize, Rational)]| terms.iter().map(|(k, c)| (*k, c.to_f64() as f32)).collect();
        let target = |c: &unmoved_property::Constraint| Self {
            outputs: floats(&c.outputs),
            inputs: floats(&c.inputs),
            constant: c.constant.to_f64() as f32,
        };
        conjunction.0.iter().map(target).collect()
    }
}

pub(crate) struct Walk<'a> {
    query: &'a Query,
    probe: Probe<'a>,
    pub(crate) x: Vec<Lanes>,
    pub(crate) slope: Vec<Lanes>,
    coefficients: Vec<Lanes>,
    targets: Vec<Vec<Target>>,
    /// Lanes that go no farther than a little past the constraint that leads: between two constraints there may be little room.
    pub(super) careful: [bool; LANES],
}

impl<'a> Walk<'a> {
    pub(crate) fn new(query: &'a Query, compact: &'a Compact) -> Self {
        let inputs = vec![Lanes::splat(0.0); query.region().len()];
        Self {
            query,
            probe: Probe::new(compact),
            x: inputs.clone(),
            slope: inputs,
            coefficients: vec![Lanes::splat(0.0); query.network().output_len()],
            targets: (0..LANES).map(|_| Vec::new()).collect(),
            careful: [false; LANES],
        }
    }

    pub(crate) fn start(&mut self, lane: usize, conjunction: &Conjunction, x: &[f64]) {
        self.targets[lane] = Target::all(conjunction);
        self.x.iter_mut().zip(x).for_each(|(to, x)| to.0[lane] = *x as f32);
    }

    pub(crate) fn lane(&self, lane: usize) -> Vec<f64> {
        self.x.iter().map(|x| f64::from(x.0[lane])).collect()
    }

    /// Gradients from now on are those of ReLUs with soft slopes ([`Probe::soften`]).
    pub(crate) fn soften(&mut self, share: f32) {
        self.probe.soften(share);
    }

    /// Evaluates the lanes and tells of each the constraint that is farthest from holding, which leads, and its value; `None` where
    /// there is no constraint.
    pub(crate) fn lead(&mut self, used: usize) -> [Option<(usize, f32)>; LANES] {
        let outputs = self.probe.outputs(&self.x);
        self.coefficients.fill(Lanes::splat(0.0));
        let mut leaders = [None; LANES];
        for lane in 0..used {
            let value = |t: &Target| {
                let outputs: f32 = t.outputs.iter().map(|&(k, c)| c * outputs[k].0[lane]).sum();
                t.inputs.iter().map(|&(i, c)| c * self.x[i].0[lane]).sum::<f32>() + outputs + t.constant
            };
            let values = self.targets[lane].iter().map(value).enumerate();
            leaders[lane] = values.max_by(|a, b| a.1.total_cmp(&b.1));
            if let Some((leader, _)) = leaders[lane] {
                self.targets[lane][leader].outputs.iter().for_each(|&(k, c)| self.coefficients[k].0[lane] = c);
            }
        }
        leaders
    }

    /// The gradients of the constraints that lead, in `slope`.
    pub(crate) fn gradients(&mut self, leaders: &[Option<(usize, f32)>; LANES]) {
        self.probe.gradients(&self.coefficients, &mut self.slope);
        for (lane, leader) in leaders.iter().enumerate() {
            let inputs = leader.map_or(&[][..], |(k, _)| &self.targets[lane][k].inputs);
            inputs.iter().for_each(|&(i, c)| self.slope[i].0[lane] += c);
        }
    }

    /// Steps downwards; true when `accept` is content with what a lane has reached. The least value of each lane and
    /// where it was are kept in `best`.
    pub(super) fn descend(
        &mut self,
        used: usize,
        pace: &Pace,
        mut best: Option<&mut [Best; LANES]>,
        out_of_time: &impl Fn() -> bool,
        accept: &mut impl FnMut(&Point) -> bool,
    ) -> bool {
        let mut moving = vec![Lanes::splat(0.0); if pace.momentum > 0.0 { self.x.len() } else { 0 }];
        let mut lengths = pace.lengths;
        for step in 0..=pace.steps {
            let leaders = self.lead(used);
            let mut excess = [f32::INFINITY; LANES];
            let mut reached = Vec::new();
            for lane in 0..used {
                if leaders[lane].is_none_or(|(_, g)| g <= 0.0) {
                    reached.push(lane);
                }
                let Some((_, value)) = leaders[lane] else { continue };
                if self.careful[lane] && self.targets[lane].len() > 1 {
                    excess[lane] = value;
                }
                if let Some(best) = best.as_deref_mut()
                    && value < best[lane].value
                {
                    best[lane] = Best { value, x: self.lane(lane) };
                }
            }
            for lane in reached {
                if self.query.region().nearest_inside(&self.lane(lane)).is_some_and(|input| accept(&input)) {
                    return true;
                }
            }
            if step == pace.steps || out_of_time() {
                break;
            }
            self.soften(pace.soft_at(step));
            self.gradients(&leaders);
            if pace.momentum > 0.0 {
                self.keep_moving(&mut moving, pace.momentum, &excess);
            }
            self.advance(used, &lengths, &excess);
            lengths.iter_mut().for_each(|length| *length *= pace.decay);
        }
        false
    }

    /// Makes the slopes of lanes that need not be careful what they were, times `share`, plus what they are, each brought
    /// to the same size.
    fn keep_moving(&mut self, moving: &mut [Lanes], share: f32, excess: &[f32; LANES]) {
        let mut sizes = [f32::MIN_POSITIVE; LANES];
        for slope in &self.slope {
            sizes.iter_mut().zip(&slope.0).for_each(|(size, s)| *size += s.abs());
        }
        let free = excess.map(|e| e == f32::INFINITY);
        for (moving, slope) in moving.iter_mut().zip(&mut self.slope) {
            for lane in (0..LANES).filter(|&lane| free[lane]) {
                moving.0[lane] = share * moving.0[lane] + slope.0[lane] / sizes[lane];
                slope.0[lane] = moving.0[lane];
            }
        }
    }

    /// One step of steepest descent in the region's own norm, of the given lengths as shares of its extent, or where that is less as far as
    /// takes the constraint to a little below zero.
    fn advance(&mut self, used: usize, lengths: &[f64; LANES], excess: &[f32; LANES]) {
        let region = self.query.region();
        let limits = region.enclosing_box();
        let RegionKind::Ball { norm: norm @ (Norm::L1 | Norm::L2), eps, .. } = region.kind() else {
            let width = |(l, u): (&f64, &f64)| (u - l) as f32;
            let mut fall = [0.0; LANES];
            for (slope, ends) in self.slope.iter().zip(limits.lower.iter().zip(&limits.upper)) {
                let width = width(ends);
                fall.iter_mut().zip(&slope.0).for_each(|(fall, s)| *fall += width * s.abs());
            }
            let mut lengths = lengths.map(|length| length as f32);
            for (lane, length) in lengths.iter_mut().enumerate() {
                *length = length.min(PAST * excess[lane] / fall[lane].max(f32::MIN_POSITIVE));
            }
            for ((x, slope), (&l, &u)) in self.x.iter_mut().zip(&self.slope).zip(limits.lower.iter().zip(&limits.upper))
            {
                let (l, u) = (l as f32, u as f32);
                for lane in 0..LANES {
                    let s = slope.0[lane];
                    let sign = if s > 0.0 {
                        1.0
                    } else if s < 0.0 {
                        -1.0
                    } else {
                        0.0
                    };
                    x.0[lane] = (x.0[lane] - lengths[lane] * (u - l) * sign).clamp(l, u);
                }
            }
            return;
        };
        for lane in 0..used {
            let slope: Vec<f64> = self.slope.iter().map(|s| f64::from(s.0[lane])).collect();
            let fall = match norm {
                Norm::L1 => slope.iter().fold(0.0, |most: f64, s| most.max(s.abs())),
                _ => slope.iter().map(|s| s * s).sum::<f64>().sqrt(),
            };
            let radius =
                (lengths[lane] * eps.to_f64()).min(f64::from(PAST * excess[lane]) / fall.max(f64::MIN_POSITIVE));
            let mut x = self.lane(lane);
            match norm {
                Norm::L1 => move_l1(&mut x, &slope, limits, radius),
                _ => move_l2(&mut x, &slope, radius),
            }
            region.project(&mut x);
            self.x.iter_mut().zip(&x).for_each(|(to, x)| to.0[lane] = *x as f32);
        }
    }
}

pub(crate) fn move_l2(x: &mut [f64], slope: &[f64], radius: f64) {
    let norm = slope.iter().map(|s| s * s).sum::<f64>().sqrt();
    if norm > 0.0 {
        x.iter_mut().zip(slope).for_each(|(x, s)| *x -= radius / norm * s);
    }
}

/// Steepest for l1 is one element alone; sharing the step among the steepest few finds better corners.
pub(crate) fn move_l1(x: &mut [f64], slope: &[f64], limits: &FloatBox, mut radius: f64) {
    let room = |x: f64, i: usize| if slope[i] > 0.0 { x - limits.lower[i] } else { limits.upper[i] - x };
    let mut order: Vec<usize> = (0..x.len()).filter(|&i| slope[i] != 0.0 && room(x[i], i) > 0.0).collect();
    order.sort_by(|&i, &j| slope[j].abs().total_cmp(&slope[i].abs()));
    for i in order {
        let step = room(x[i], i).min(radius);
        x[i] -= step * slope[i].signum();
        radius -= step;
        if radius <= 0.0 {
            break;
        }
    }
}
