//! How far the nearest unsafe input is, as a proved interval.
//!
//! The upper end is an input: an attack looks for a near one, exact replay confirms it, and its distance is exact. The lower end is
//! a radius at which [`decide`](crate::decide()) says `Robust`, with the certificate that the checker accepted for it. The strategy only
//! chooses the radii: first the one at which the interval is as narrow as was asked for, and where that is not decided
//! in its share of the time, smaller ones.

use crate::attack;
use crate::candidates::Candidates;
use crate::clock::Clock;
use crate::decide::decide_prepared;
use crate::nearest::{self, Near, Start};
use crate::outcome::{DecidedBy, Options, Progress, SearchError, Watch};
use std::time::Duration;
use unmoved_bounds::engine::LANES;
use unmoved_check::{Certificate, Examiner, Prepared};
use unmoved_ir::Rational;
use unmoved_property::{Counterexample, Query, Reason, RegionKind, Verdict};

/// The distance of the nearest unsafe input, enclosed: the least `d` such that the ball of radius `d`, within the valid range, holds an
/// unsafe input, over the real numbers.
#[derive(Debug, Clone)]
pub struct Distortion {
    /// No allowed input within this distance is unsafe, says `proof`. Where there is none, 0, which says nothing.
    pub lower: Rational,
    /// The certificate of the lower end.
    pub proof: Option<Proved>,
    /// What found the lower end.
    pub lower_by: DecidedBy,
    /// The distance of `counterexample` (for l2 rounded up to a float64), if there is one.
    pub upper: Option<Rational>,
    /// An unsafe input, replayed.
    pub counterexample: Option<Counterexample>,
    /// What found the upper end.
    pub upper_by: DecidedBy,
    /// Why the interval is wider than was asked for; `None` if it is not, or if nothing within the whole ball is unsafe.
    pub reason: Option<Reason>,
    /// Subproblems that were bounded, over all radii.
    pub subproblems: usize,
    /// What the checker took, over all radii.
    pub check_time: Duration,
}

/// A query that an accepted certificate is about.
#[derive(Debug, Clone)]
pub struct Proved {
    /// The question that was put at first, about the ball of radius [`Distortion::lower`].
    pub query: Query,
    /// That nothing in it is unsafe.
    pub certificate: Certificate,
}

impl Distortion {
    /// Whether the whole ball that was looked at was proved to hold nothing unsafe.
    pub fn is_robust(&self) -> bool {
        self.upper.is_none() && self.reason.is_none()
    }

    /// Whether the input itself is unsafe: misclassified.
    pub fn is_at_centre(&self) -> bool {
        self.upper_by == DecidedBy::Centre
    }

    /// The width of the interval as a share of its upper end; `None` without one, 0 if both are 0.
    pub fn gap(&self) -> Option<Rational> {
        let upper = self.upper.as_ref()?;
        Some((upper - &self.lower).checked_div(upper).unwrap_or(Rational::ZERO))
    }
}

/// Measures how far the nearest unsafe input is from the centre of the query's region, a ball, whose radius is the largest that is looked
/// at. It is done when the width of the interval is at most `gap` of its upper end. [`Options::time_limit`] is for all
/// of it; what is known by then comes back, with a reason. `trust_solver` is not heeded.
///
/// # Errors
/// As [`decide`](crate::decide()); where the region is no ball, or the gap does not lie between 0 and 1.
pub fn distortion(
    query: &Query,
    network: &Prepared,
    options: &Options,
    gap: &Rational,
    watch: Watch<'_>,
) -> Result<Distortion, SearchError> {
    let RegionKind::Ball { eps, .. } = query.region().kind() else { return Err(SearchError::NoBall) };
    if *gap <= Rational::ZERO || *gap >= Rational::ONE {
        return Err(SearchError::Gap(gap.clone()));
    }
    let clock = Clock::new(options);
    let found = Distortion {
        lower: Rational::ZERO,
        proof: None,
        lower_by: DecidedBy::Nothing,
        upper: None,
        counterexample: None,
        upper_by: DecidedBy::Nothing,
        reason: None,
        subproblems: 0,
        check_time: Duration::ZERO,
    };
    let random = fastrand::Rng::with_seed(options.attack.seed);
    let kept = &Rational::ONE - gap;
    let mut search = Search { query, network, options, clock: &clock, watch, eps, kept, random, found };
    let mut centre = Candidates::default();
    attack::at_centre(query, &mut centre)?;
    if let Some(counterexample) = centre.counterexample {
        search.violated(counterexample, DecidedBy::Centre);
    }
    if !search.is_done() && options.attack.restarts > 0 {
        search.attack()?;
    }
    search.prove()?;
    Ok(search.found)
}

struct Search<'a> {
    query: &'a Query,
    network: &'a Prepared,
    options: &'a Options,
    clock: &'a Clock,
    watch: Watch<'a>,
    eps: &'a Rational,
    /// The share of the upper end that the lower one must reach.
    kept: Rational,
    random: fastrand::Rng,
    found: Distortion,
}

/// Classes whose nearest inputs are farther than the nearest of all by this factor are attacked no more.
const NEAR: f64 = 1.25;
/// Attacks in smaller and smaller balls: at most so many, and so many without success.
const ATTACKS: usize = 8;
const FAILURES: usize = 2;
/// Attacks that follow upon each other take at most this share of the time that is left.
const SHARE: f64 = 0.25;
/// Gradient steps, as multiples of those of an attack in one ball: for every class, and for the nearest ones.
const STEPS: [usize; 2] = [2, 4];
/// Subproblems that a proof may take in the second round, after one with none, and by which factor that grows from round to round.
const SECOND: usize = 200;
const GROWTH: usize = 4;

/// A radius that was not decided, and why.
struct Failed {
    radius: Rational,
    reason: Reason,
    /// Whether it took all the effort that it was given.
    is_spent: bool,
}

impl<'a> Search<'a> {
    fn is_done(&self) -> bool {
        self.found.upper.as_ref().is_some_and(|upper| self.found.lower >= &self.kept * upper)
    }

    /// Takes a replayed counterexample, if it is nearer than what is known.
    fn violated(&mut self, counterexample: Counterexample, by: DecidedBy) -> bool {
        let Some(distance) = self.query.region().distance_up(&counterexample.input) else { return false };
        if self.found.upper.as_ref().is_some_and(|upper| distance >= *upper) {
            return false;
        }
        (self.found.upper, self.found.counterexample) = (Some(distance), Some(counterexample));
        self.found.upper_by = by;
        self.report();
        true
    }

    /// The same of an input that an attack has found, from where it is nearest on the way to it.
    fn settle(&mut self, near: &Near) -> bool {
        nearest::settle(self.query, near).is_some_and(|c| self.violated(c, DecidedBy::Attack))
    }

    fn report(&self) {
        let Distortion { lower, upper, .. } = &self.found;
        let upper = upper.as_ref().map(Rational::round_up);
        (self.watch)(&Progress::Distortion { lower: lower.round_down(), upper });
    }

    /// When an attack that begins now is to end.
    fn deadline(&self) -> impl Fn() -> bool + use<'a> {
        let clock = self.clock;
        let least = clock.remaining().map(|left| left.mul_f64(1.0 - SHARE));
        move || clock.is_out() || clock.remaining().is_some_and(|left| least.is_some_and(|least| left < least))
    }

    /// Looks for near counterexamples: of every class once, then of the nearest ones from many starts.
    fn attack(&mut self) -> Result<(), SearchError> {
        let Search { query, options, .. } = *self;
        let is_late = self.deadline();
        let compact = attack::compact(&Examiner::prepared(query, self.network)?, query);
        let centre = attack::centre(query);
        let start = |disjunct| Start { disjunct, x: centre.clone(), radius: None };
        let starts: Vec<Start> = (0..query.unsafe_set().len()).map(start).collect();
        let steps = STEPS[0] * options.attack.steps;
        let near = sorted(nearest::seek(query, &compact, &starts, steps, is_late));
        near.iter().any(|near| self.settle(near));
        self.attack_near(near)
    }

    /// Attacks from what was found, and from other points of the ball in which that lies, for as long as something nearer is found.
    fn attack_near(&mut self, mut near: Vec<Near>) -> Result<(), SearchError> {
        let is_late = self.deadline();
        let mut failures = 0;
        for _ in 0..ATTACKS {
            let Some(upper) = self.found.upper.clone() else { return Ok(()) };
            let radius = upper.to_f64();
            near.retain(|near| near.distance <= NEAR * radius);
            if failures == FAILURES || near.is_empty() || radius == 0.0 || is_late() {
                return Ok(());
            }
            let query = &self.query.about(self.query.region().with_radius(upper)?)?;
            let compact = attack::compact(&Examiner::prepared(query, self.network)?, query);
            let start = |lane: usize| {
                let Near { disjunct, x, .. } = &near[lane % near.len()];
                let again = lane < near.len() && failures == 0;
                let x = if again { x.clone() } else { query.region().sample(|| self.random.f64()) };
                Start { disjunct: *disjunct, x, radius: Some(radius) }
            };
            let starts: Vec<Start> = (0..LANES.max(near.len())).map(start).collect();
            let steps = STEPS[1] * self.options.attack.steps;
            let again = sorted(nearest::seek(query, &compact, &starts, steps, &is_late));
            failures = if again.first().is_some_and(|near| self.settle(near)) { 0 } else { failures + 1 };
            for found in again {
                if let Some(known) =
                    near.iter_mut().find(|n| n.disjunct == found.disjunct && n.distance > found.distance)
                {
                    *known = found;
                }
            }
        }
        Ok(())
    }

    /// Decides at one radius after another until the interval is narrow enough. The first is where that would be so at once; from
    /// what bounds do not decide there it goes down by halves, and where what is proved comes within the gap of it, up again in growing steps with more effort.
    fn prove(&mut self) -> Result<(), SearchError> {
        let mut effort = 0;
        let mut step = self.eps.clone();
        // Where even that is not decided it is of no use to go farther down.
        let least = self.eps * &part(&Rational::ONE, (1, 1 << 40));
        // The last round that began with a short search where the interval would be closed: relaxations lead to counterexamples.
        let mut searched = 0;
        // The least radius that so much effort does not decide.
        let mut failed: Option<Failed> = None;
        // A ball that is the centre alone is proved, too, before it is called robust.
        while !self.is_done() && (self.found.proof.is_none() || self.found.lower != *self.eps) {
            self.found.reason = self.clock.reason();
            if self.found.reason.is_some() {
                return Ok(());
            }
            let wanted = match &self.found.upper {
                Some(upper) => self.above(&(&self.kept * upper), upper),
                None => self.eps.clone(),
            };
            let left = self.options.subproblems.saturating_sub(self.found.subproblems);
            if searched < effort {
                self.decide(&wanted, SECOND.min(left))?;
                searched = effort;
                continue;
            }
            failed = failed.filter(|failed| failed.radius <= wanted);
            let lower = &self.found.lower;
            let radius = match &failed {
                Some(failed) => self.between(lower, &failed.radius),
                _ if lower + &step < wanted => short(&(lower + &part(&step, (9, 10))), &(lower + &step)),
                _ => wanted.clone(),
            };
            let most = effort.min(left);
            match self.decide(&radius, most)? {
                None if failed.is_none() => step = &step + &step,
                None => {}
                Some(open) => failed = Some(open),
            }
            let Some(Failed { radius, reason, is_spent }) = &failed else { continue };
            if self.is_done() {
                break;
            }
            if self.found.lower < &self.kept * radius && *radius > least {
                continue;
            }
            if !*is_spent || most >= left {
                self.found.reason = Some(self.clock.reason().unwrap_or(reason.clone()));
                return Ok(());
            }
            // Other means come with more effort, and may reach much farther.
            step = radius - &self.found.lower;
            if self.found.lower > Rational::ZERO {
                step = step.max(part(&(&wanted - &self.found.lower), (1, 4)));
            }
            (effort, failed) = (effort.saturating_mul(GROWTH).max(SECOND), None);
        }
        self.found.reason = None;
        Ok(())
    }

    /// Decides at one radius, takes what comes of it, and says why nothing does.
    fn decide(&mut self, radius: &Rational, most: usize) -> Result<Option<Failed>, SearchError> {
        // A certificate is about a query that can be read again.
        if radius.is_too_long() {
            return Ok(Some(Failed { radius: radius.clone(), reason: Reason::Open, is_spent: false }));
        }
        let query = self.query.about(self.query.region().with_radius(radius.clone())?)?;
        let mut options =
            Options { time_limit: self.clock.remaining(), trust_solver: false, subproblems: most, ..*self.options };
        // There was an attack.
        options.attack.restarts = 0;
        let outcome = decide_prepared(&query, self.network, &options, self.watch)?;
        self.found.subproblems += outcome.subproblems;
        self.found.check_time += outcome.check_time;
        let is_spent = outcome.subproblems >= most;
        let failed = |reason| Some(Failed { radius: radius.clone(), reason, is_spent });
        Ok(match (outcome.verdict, outcome.certificate) {
            (Verdict::Robust, Some(certificate)) => {
                self.found.lower = radius.clone();
                self.found.lower_by = outcome.decided_by;
                self.found.proof = Some(Proved { query, certificate });
                self.report();
                None
            }
            (Verdict::Violated(counterexample), _) => {
                let x = counterexample.input.nearest.iter().map(|&v| f64::from(v)).collect();
                let near = Near { distance: radius.to_f64(), disjunct: counterexample.disjunct, x };
                let is_nearer = self.violated(counterexample, outcome.decided_by);
                if !(self.settle(&near) || is_nearer) {
                    // Nearer by less than float64 tells: what is wanted would stay the same for ever.
                    return Ok(failed(Reason::Open));
                }
                self.attack_near(vec![near])?;
                None
            }
            (Verdict::Unknown(reason), _) => failed(reason),
            // Without its certificate nothing is claimed.
            (Verdict::Robust, None) => failed(Reason::Open),
        })
    }

    /// A radius with few digits in the lowest part of the gap from `least` to `upper`.
    fn above(&self, least: &Rational, upper: &Rational) -> Rational {
        let gap = upper - least;
        let most = least + &part(&gap, (1, 20));
        short(least, &most)
    }

    /// A radius with few digits near the middle.
    fn between(&self, lower: &Rational, upper: &Rational) -> Rational {
        let width = upper - lower;
        short(&(lower + &part(&width, (9, 20))), &(lower + &part(&width, (11, 20))))
    }
}

fn sorted(mut near: Vec<Near>) -> Vec<Near> {
    near.sort_by(|a, b| a.distance.total_cmp(&b.distance));
    near
}

/// `numerator / denominator` of a number.
fn part(of: &Rational, (numerator, denominator): (i64, i64)) -> Rational {
    let product = of * &Rational::from(numerator);
    product.checked_div(&Rational::from(denominator)).unwrap_or(product)
}

/// The largest decimal between two positive numbers among those with the fewest digits; where that has many, a float64 if there is one.
fn short(least: &Rational, most: &Rational) -> Rational {
    let mut unit = Rational::ONE;
    for _ in 0..18 {
        let whole = (most * &unit).round_down().floor();
        // Integers that a float64 holds.
        if whole < 9e15
            && let Some(short) = Rational::from(whole as i64).checked_div(&unit)
            && short >= *least
            && short <= *most
        {
            return short;
        }
        unit = &unit * &Rational::from(10);
    }
    Rational::from_f64(least.round_up()).filter(|float| float <= most).unwrap_or_else(|| least.clone())
}
