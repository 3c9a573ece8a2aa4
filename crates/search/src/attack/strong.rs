//! The attack on what bounds and the short attack leave open.
//!
//! Sixteen descents at a time again, but longer, with a first step as long as the region, momentum, and ReLUs whose
//! slopes are soft at first: what is nearest downhill is seldom what is deepest. Half of the starts are bred from the
//! best points so far, element by element from two of them; where the network is [shallow](Shallow), each end is then
//! moved on input by input. It goes on while that pays.

use super::centre;
use super::shallow::{Form, Shallow};
use super::walk::{Best, Pace, Walk};
use unmoved_bounds::engine::{Compact, LANES};
use unmoved_property::{Point, Query};

/// Steps of a descent.
const STEPS: usize = 50;
/// Each step is this share of the one before.
const DECAY: f64 = 0.95;
/// First steps as shares of the region's extent: from random points, and from points that were bred.
const LENGTH: f64 = 1.0;
const LENGTH_BRED: f64 = 0.3;
const MOMENTUM: f32 = 0.75;
/// How soft slopes are at first, round by round.
const SOFT: [f32; 2] = [0.3, 0.1];
/// Points of a disjunct that are kept to breed from.
const POOL: usize = 8;
/// At most this share of the elements of a bred point is new.
const NEW: f64 = 0.1;
/// Values closer to each other than this, relatively, belong to one point.
const SAME: f32 = 1e-6;
/// The attack is over where in so many rounds the value that is nearest to unsafe has not come nearer by this share.
const PATIENCE: usize = 6;
const GAIN: f32 = 0.02;
/// And after so many rounds at the latest: in tiny networks operations are not what takes time.
const MOST_ROUNDS: usize = 400;

/// An attack, and how long it may be.
pub(crate) struct Strong<'a> {
    pub(crate) query: &'a Query,
    pub(crate) compact: &'a Compact,
    /// The disjuncts that are open.
    pub(crate) open: &'a [usize],
    /// Points that are thought to be good, each with its disjunct.
    pub(crate) starts: &'a [(usize, Vec<f64>)],
    /// About so many floating-point operations, of which the round that begins is finished.
    pub(crate) operations: f64,
    pub(crate) seed: u64,
}

/// A disjunct under attack.
struct Aim {
    disjunct: usize,
    form: Option<Form>,
    /// The best points, the best first.
    pool: Vec<Best>,
}

impl Aim {
    fn least(&self) -> f32 {
        self.pool.first().map_or(f32::INFINITY, |best| best.value)
    }

    fn keep(&mut self, best: Best) {
        let is_same = |other: &Best| (other.value - best.value).abs() <= SAME * best.value.abs();
        if best.value == f32::INFINITY || self.pool.iter().any(is_same) {
            return;
        }
        let place = self.pool.partition_point(|other| other.value < best.value);
        self.pool.insert(place, best);
        self.pool.truncate(POOL);
    }
}

impl Strong<'_> {
    /// Looks for inputs that satisfy one of the open disjuncts. `accept` is shown every input that seems to and ends the
    /// attack by returning true; then so does this. Depends on nothing but the query, the seed, and when `stop` says so.
    pub(crate) fn run(&self, stop: impl Fn() -> bool, mut accept: impl FnMut(&Point) -> bool) -> bool {
        let shallow = Shallow::new(self.query);
        let aim = |&disjunct: &usize| {
            let form = shallow.as_ref().and_then(|shallow| shallow.form(&self.query.unsafe_set()[disjunct]));
            Aim { disjunct, form, pool: Vec::new() }
        };
        let mut aims: Vec<Aim> = self.open.iter().map(aim).collect();
        if aims.is_empty() {
            return false;
        }
        let mut random = fastrand::Rng::with_seed(self.seed);
        let mut walk = Walk::new(self.query, self.compact);
        let mut given = self.starts.iter().filter_map(|(disjunct, x)| {
            let aim = self.open.iter().position(|open| open == disjunct)?;
            Some((aim, x.clone(), LENGTH_BRED))
        });
        // In the first turn every disjunct is attacked from the centre.
        let mut turn = 0;
        let mut least = (f32::INFINITY, 0);
        for round in 0..self.rounds().max(aims.len().div_ceil(LANES)) {
            let leader = (0..aims.len()).min_by(|&a, &b| aims[a].least().total_cmp(&aims[b].least())).unwrap_or(0);
            let mut lengths = [LENGTH; LANES];
            let mut of = [0; LANES];
            for lane in 0..LANES {
                let (aim, x, length) = given.next().unwrap_or_else(|| {
                    let is_first = turn < aims.len();
                    let aim = if is_first || lane % 2 == 0 { turn % aims.len() } else { leader };
                    turn += usize::from(is_first || lane % 2 == 0);
                    match &aims[aim].pool[..] {
                        _ if is_first => (aim, centre(self.query), LENGTH),
                        pool if lane % 4 < 2 && pool.len() > 1 => (aim, self.bred(pool, &mut random), LENGTH_BRED),
                        _ => (aim, self.drawn(&mut random), LENGTH),
                    }
                });
                walk.start(lane, &self.query.unsafe_set()[aims[aim].disjunct], &x);
                walk.careful[lane] = lane % 2 == 1;
                (of[lane], lengths[lane]) = (aim, length);
            }
            let soft = SOFT[round % SOFT.len()];
            let pace = Pace { steps: STEPS, lengths, decay: DECAY, soft, momentum: MOMENTUM };
            let mut best = [Best::NONE; LANES];
            if walk.descend(LANES, &pace, Some(&mut best), &stop, &mut accept) {
                return true;
            }
            for (best, of) in best.into_iter().zip(of) {
                if stop() {
                    return false;
                }
                let aim = &mut aims[of];
                let best = match (&shallow, &aim.form) {
                    (Some(shallow), Some(form)) => shallow.sweep(form, best, &mut random),
                    _ => best,
                };
                let moved = || self.query.region().nearest_inside(&best.x);
                if best.value <= 0.0 && aim.form.is_some() && moved().is_some_and(|input| accept(&input)) {
                    return true;
                }
                aim.keep(best);
            }
            let now = aims.iter().map(Aim::least).fold(f32::INFINITY, f32::min);
            if now < least.0 - GAIN * least.0.abs() || least.0 == f32::INFINITY {
                least = (now, round);
            } else if round >= least.1 + PATIENCE {
                return false;
            }
        }
        false
    }

    fn rounds(&self) -> usize {
        ((self.operations / (STEPS * self.compact.operations()).max(1) as f64) as usize).min(MOST_ROUNDS)
    }

    /// A vertex of the box or a point of the region, alike often.
    fn drawn(&self, random: &mut fastrand::Rng) -> Vec<f64> {
        let region = self.query.region();
        if random.bool() {
            return region.sample(|| random.f64());
        }
        let ends = region.enclosing_box();
        let mut x: Vec<f64> =
            ends.lower.iter().zip(&ends.upper).map(|(&l, &u)| if random.bool() { l } else { u }).collect();
        region.project(&mut x);
        x
    }

    /// Each element from one of two points of the pool, some as they are where the point began.
    fn bred(&self, pool: &[Best], random: &mut fastrand::Rng) -> Vec<f64> {
        let [one, other] = [0; 2].map(|_| &pool[random.usize(..pool.len())].x);
        let new = NEW * random.f64();
        let mut x = self.drawn(random);
        for (i, x) in x.iter_mut().enumerate() {
            if random.f64() >= new {
                *x = if random.bool() { one[i] } else { other[i] };
            }
        }
        self.query.region().project(&mut x);
        x
    }
}
