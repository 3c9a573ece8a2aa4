//! Projected gradient descent on the constraints of the unsafe set (Madry et al., ICLR 2018), sixteen starts at a time.
//!
//! An attack proposes; [`unmoved_check::replay`] disposes. Nothing found here is reported before it was replayed exactly.

use crate::candidates::{Candidates, seems_unsafe};
use crate::outcome::{DecidedBy, Outcome, SearchError};
use unmoved_bounds::engine::{Compact, Known, LANES, Lanes, Probe};
use unmoved_check::Examiner;
use unmoved_ir::{IrError, NodeId, Rational};
use unmoved_property::{Conjunction, FloatBox, Norm, Point, Query, Reason, RegionKind, Verdict};

/// How hard to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttackOptions {
    /// Gradient steps from each start.
    pub steps: usize,
    /// Starts per disjunct: the centre first, then random points.
    pub restarts: usize,
    /// Seed of the random starts.
    pub seed: u64,
}

impl Default for AttackOptions {
    fn default() -> Self {
        Self { steps: 30, restarts: 16, seed: 0 }
    }
}

impl AttackOptions {
    /// Many times the effort, from other points.
    pub(crate) fn harder(self) -> Self {
        Self { steps: 4 * self.steps, restarts: 4 * self.restarts, seed: self.seed.wrapping_add(1) }
    }
}

/// The first step as a share of the region's extent: from random points, and from points that are thought to be good.
const LENGTH: f64 = 0.5;
const LENGTH_NEAR: f64 = 0.1;
/// How far a step goes that would take a constraint to zero.
const PAST: f32 = 1.5;
/// Each step is this share of the one before.
const DECAY: f64 = 0.97;

/// Looks for a counterexample and for nothing else: the answer is `Violated`, replayed exactly, or `Unknown`.
///
/// # Errors
/// Only for what makes the question itself unworkable.
pub fn attack(query: &Query, options: &AttackOptions) -> Result<Outcome, SearchError> {
    let outcome = Outcome::open(query.unsafe_set().len());
    let mut found = Candidates::default();
    if at_centre(query, &mut found)? {
        return Ok(found.into_outcome(outcome, DecidedBy::Centre));
    }
    let compact = compact(&Examiner::new(query)?, query);
    let disjuncts: Vec<usize> = (0..query.unsafe_set().len()).collect();
    seek(query, &compact, &disjuncts, *options, || false, |input| found.accept(query, input));
    let starts = options.restarts.saturating_mul(disjuncts.len());
    let nothing = Reason::NotFound { starts, steps: options.steps };
    let reason = found.f32_only.take().map_or(nothing, Reason::F32Only);
    Ok(found.into_outcome(Outcome { verdict: Verdict::Unknown(reason), ..outcome }, DecidedBy::Attack))
}

/// Whether the centre of the region is a counterexample.
pub(crate) fn at_centre(query: &Query, found: &mut Candidates) -> Result<bool, IrError> {
    let Some(input) = query.region().nearest_inside(&centre(query)) else { return Ok(false) };
    Ok(seems_unsafe(query, &input.nearest)? && found.accept(query, &input))
}

/// The network cut down by the bounds that the examiner has.
pub(crate) fn compact(examiner: &Examiner<'_>, query: &Query) -> Compact {
    Compact::new(examiner.lowered(), query.region(), known(examiner))
}

/// The bounds that the examiner has.
pub(crate) fn known<'e>(examiner: &'e Examiner<'_>) -> impl Fn(NodeId) -> Option<Known<'e>> + Copy {
    let bounds = examiner.bounds();
    move |id: NodeId| bounds[id.0].as_ref().map(|b| Known { lower: &b.lower, upper: &b.upper })
}

/// Looks for inputs that satisfy one of the given disjuncts. `accept` is shown every input that seems to, float32 where the region allows it,
/// and ends the attack by returning true.
pub(crate) fn seek(
    query: &Query,
    compact: &Compact,
    disjuncts: &[usize],
    options: AttackOptions,
    out_of_time: impl Fn() -> bool,
    mut accept: impl FnMut(&Point) -> bool,
) {
    let mut random = fastrand::Rng::with_seed(options.seed);
    let mut starts = (0..options.restarts).flat_map(|restart| disjuncts.iter().map(move |&d| (restart, d)));
    let mut walk = Walk::new(query, compact);
    loop {
        let starts: Vec<(usize, usize)> = starts.by_ref().take(LANES).collect();
        if starts.is_empty() {
            return;
        }
        for (lane, &(restart, disjunct)) in starts.iter().enumerate() {
            let x = if restart == 0 { centre(query) } else { query.region().sample(|| random.f64()) };
            walk.start(lane, &query.unsafe_set()[disjunct], &x);
            walk.careful[lane] = restart % 2 == 1;
        }
        if walk.descend(starts.len(), LENGTH, options.steps, &out_of_time, &mut accept) || out_of_time() {
            return;
        }
    }
}

/// The same from given points, at most [`LANES`], each with the disjunct that it is to satisfy.
pub(crate) fn seek_from(
    query: &Query,
    compact: &Compact,
    starts: &[(usize, Vec<f64>)],
    steps: usize,
    mut accept: impl FnMut(&Point) -> bool,
) {
    let mut walk = Walk::new(query, compact);
    for (lane, (disjunct, x)) in starts.iter().enumerate() {
        walk.start(lane, &query.unsafe_set()[*disjunct], x);
    }
    walk.descend(starts.len(), LENGTH_NEAR, steps, &|| false, &mut accept);
}

/// The middle of the region.
pub(crate) fn centre(query: &Query) -> Vec<f64> {
    match query.region().kind() {
        RegionKind::Ball { centre, .. } => centre.clone(),
        RegionKind::Box { .. } => {
            let b = query.region().enclosing_box();
            b.lower.iter().zip(&b.upper).map(|(l, u)| l + (u - l) / 2.0).collect()
        }
    }
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
    careful: [bool; LANES],
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

    fn descend(
        &mut self,
        used: usize,
        mut length: f64,
        steps: usize,
        out_of_time: &impl Fn() -> bool,
        accept: &mut impl FnMut(&Point) -> bool,
    ) -> bool {
        for step in 0..=steps {
            let leaders = self.lead(used);
            let mut excess = [f32::INFINITY; LANES];
            let mut reached = Vec::new();
            for lane in 0..used {
                if leaders[lane].is_none_or(|(_, g)| g <= 0.0) {
                    reached.push(lane);
                }
                if let Some((_, value)) = leaders[lane]
                    && self.careful[lane]
                    && self.targets[lane].len() > 1
                {
                    excess[lane] = value;
                }
            }
            for lane in reached {
                if self.query.region().nearest_inside(&self.lane(lane)).is_some_and(|input| accept(&input)) {
                    return true;
                }
            }
            if step == steps || out_of_time() {
                break;
            }
            self.gradients(&leaders);
            self.advance(used, length, &excess);
            length *= DECAY;
        }
        false
    }

    /// One step of steepest descent in the region's own norm, `length` as a share of its extent, or where that is less as far as
    /// takes the constraint to a little below zero.
    fn advance(&mut self, used: usize, length: f64, excess: &[f32; LANES]) {
        let region = self.query.region();
        let limits = region.enclosing_box();
        let RegionKind::Ball { norm: norm @ (Norm::L1 | Norm::L2), eps, .. } = region.kind() else {
            let width = |(l, u): (&f64, &f64)| (u - l) as f32;
            let mut fall = [0.0; LANES];
            for (slope, ends) in self.slope.iter().zip(limits.lower.iter().zip(&limits.upper)) {
                let width = width(ends);
                fall.iter_mut().zip(&slope.0).for_each(|(fall, s)| *fall += width * s.abs());
            }
            let mut lengths = [length as f32; LANES];
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
            let radius = (length * eps.to_f64()).min(f64::from(PAST * excess[lane]) / fall.max(f64::MIN_POSITIVE));
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
