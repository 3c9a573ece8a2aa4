//! All engines against enumeration in exact rationals, on random tiny networks of all operators.
//!
//! A failure prints the seed and the whole case; `UNMOVED_SEED=17 cargo test -p unmoved-search --test enumeration` runs that
//! case alone.

mod oracle;
mod tiny;

use oracle::affine::{Affine, exact};
use oracle::polytope::Polytope;
use oracle::{contains, holds, polytope, values_at};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::time::Duration;
use tiny::{CONJUNCTIONS, Case};
use unmoved_bounds::{Propagation, Tier};
use unmoved_check::{Arithmetic, check};
use unmoved_core::{GoodLp, Limits, Objective, Solver, Status, encode};
use unmoved_ir::testing::Rng;
use unmoved_ir::{Exact, Rational, lower_max_pool};
use unmoved_property::{Counterexample, InputRegion, Norm, Verdict};
use unmoved_search::{Engine, Options, Relaxation, decide};

/// Drawn once for all tests.
static FEW: LazyLock<Vec<Case>> = LazyLock::new(|| (0..200).map(Case::new).collect());
/// Boxes with conjunctions.
static BOXES: LazyLock<Vec<Case>> = LazyLock::new(|| (CONJUNCTIONS..CONJUNCTIONS + 150).map(Case::new).collect());
static MANY: LazyLock<Vec<Case>> = LazyLock::new(|| (200..2200).map(Case::new).collect());

/// What lies farther from the boundary than this share of its scale must be decided.
const DEPTH: f64 = 1e-4;

/// The search proves a conjunction impossible by its first constraint alone; what that leaves open is counted, and is at most this
/// share. The programs combine them.
const IN_PIECES: f64 = 0.05;
const TOGETHER: &str = "unknown: its constraints would have to be combined";
const SECOND: &str = "unknown: its first constraint is not enough";

/// Cases that the search alone should decide and does not, by cause. Those that it learns to decide must leave the list. The
/// programs have no such list.
const UNDECIDED: [(&str, &[u64]); 1] = [(
    // Where all phases that matter are fixed a bound is the optimum of a linear program. The ascent can end below it, and
    // one such leaf ends the search.
    "unknown: a leaf is not bounded tightly",
    &[424],
)];

/// How often what was seen.
type Tally = BTreeMap<String, usize>;

fn count(tally: &mut Tally, what: impl Into<String>) {
    *tally.entry(what.into()).or_default() += 1;
}

/// Runs the cases and complains of all that fail at once.
fn over(cases: &LazyLock<Vec<Case>>, mut examine: impl FnMut(&Case, &mut Tally) -> Result<(), String>) -> Tally {
    let only = std::env::var("UNMOVED_SEED").ok();
    let only = only.map(|seed| vec![Case::new(seed.parse().expect("UNMOVED_SEED is a number"))]);
    let mut tally = Tally::new();
    let mut failures = Vec::new();
    for case in only.as_ref().unwrap_or_else(|| cases) {
        let examined = catch_unwind(AssertUnwindSafe(|| examine(case, &mut tally)));
        if let Err(what) = examined.unwrap_or_else(|_| Err("a panic".into())) {
            failures.push(format!("{what}\n{case}"));
        }
    }
    println!("{tally:#?}");
    assert!(failures.is_empty(), "{} cases fail\n{}", failures.len(), failures.join("\n"));
    tally
}

/// What the complete engine says is true, it says what it must be able to find out, and both come with what proves them.
fn decided_rightly(case: &Case, engine: Engine, tally: &mut Tally) -> Result<(), String> {
    let mut options = Options { engine, time_limit: Some(Duration::from_secs(5)), threads: 1, ..Options::default() };
    if case.seed % 2 == 1 {
        // Networks are too small for it to be tried otherwise.
        options.relaxation = Relaxation::Semidefinite;
    }
    if engine == Engine::Milp && !case.is_polyhedral() {
        let error = decide(&case.query, &options).expect_err("a Euclidean ball is no polyhedron");
        return if error.to_string().contains("l2") { Ok(()) } else { Err(error.to_string()) };
    }
    if matches!(engine, Engine::Milp | Engine::Boxes) {
        // What an attack finds these need not.
        options.attack.restarts = 0;
    }
    let outcome = decide(&case.query, &options).map_err(|e| e.to_string())?;
    count(tally, outcome.verdict.word());
    count(tally, format!("by {}", outcome.decided_by.word()));
    let searched_only = engine == Engine::Search || !case.is_polyhedral();
    let listed = UNDECIDED.iter().find(|(_, seeds)| searched_only && seeds.contains(&case.seed));
    match &outcome.verdict {
        Verdict::Robust => {
            if let Some(x) = case.inner.iter().find_map(|t| t.unsafe_at.as_ref()) {
                return Err(format!("said to be robust, but unsafe at {x:?}"));
            }
            let certificate = outcome.certificate.as_ref().ok_or("robust without a certificate")?;
            let checked = check(&case.query, certificate, Arithmetic::Exact);
            checked.map_err(|e| format!("refused in exact arithmetic: {e}"))?;
        }
        Verdict::Violated(found) => confirm(case, found)?,
        Verdict::Unknown(reason) => {
            count(tally, format!("unknown, {}", reason.word()));
            return match (excuse(case, engine, tally), listed) {
                (Err(must), None) => Err(format!("{must}, but unknown: {reason}")),
                (Err(_), Some((cause, _))) => {
                    count(tally, *cause);
                    Ok(())
                }
                (Ok(()), _) => Ok(()),
            };
        }
    }
    listed.map_or(Ok(()), |_| Err("decided: strike its seed from UNDECIDED".into()))
}

/// Confirms a counterexample by the oracle's own evaluation.
fn confirm(case: &Case, found: &Counterexample) -> Result<(), String> {
    if case.outer.iter().all(|t| t.unsafe_at.is_none()) {
        return Err(format!("said to be violated at {:?}, but no point is unsafe", found.input));
    }
    let mut x: Vec<Rational> = found.input.nearest.iter().map(|&v| exact(f64::from(v))).collect();
    found.input.exact.iter().for_each(|(i, v)| x[*i] = v.clone());
    let disjunct = &case.query.unsafe_set()[found.disjunct];
    let values = values_at(case.query.network(), &x, disjunct);
    let all_hold = disjunct.0.iter().zip(&values).all(|(c, g)| holds(c, g));
    if !contains(case.query.region(), &x) || !all_hold || found.boundary != values.contains(&Rational::ZERO) {
        return Err(format!("{found:?} is no such counterexample: its constraints are {values:?}"));
    }
    Ok(())
}

/// Why a case may stay unknown; an error says what it must be.
fn excuse(case: &Case, engine: Engine, tally: &mut Tally) -> Result<(), &'static str> {
    let depth = exact(DEPTH * case.scale);
    // Of other regions nothing is split, and what the attack misses is left.
    if engine == Engine::Boxes && !case.is_box() {
        count(tally, "unknown: no box");
        return Ok(());
    }
    if case.inner.iter().any(|t| t.margin < -&depth) {
        return Err("must be violated");
    }
    if case.outer.iter().any(|t| t.margin <= depth) {
        count(tally, if case.is_polyhedral() { "unknown: too near the boundary" } else { "unknown: l2" });
        return Ok(());
    }
    // The search proves disjuncts by one of their constraints, and so far does not combine them.
    if engine != Engine::Search && case.is_polyhedral() {
        return Err("must be robust");
    }
    let open = case.outer.iter().filter(|t| t.alone.iter().all(|least| *least <= depth)).count();
    if open > 0 {
        count(tally, TOGETHER);
        return Ok(());
    }
    if case.outer.iter().any(|t| t.alone[0] <= depth) {
        count(tally, SECOND);
        return Ok(());
    }
    Err("must be robust")
}

fn agrees(engine: Engine, cases: &LazyLock<Vec<Case>>) {
    let tally = over(cases, |case, tally| decided_rightly(case, engine, tally));
    let conjunctions: usize = [TOGETHER, SECOND].iter().filter_map(|what| tally.get(*what)).sum();
    assert!(conjunctions as f64 <= IN_PIECES * cases.len() as f64, "{conjunctions} conjunctions are left open");
}

#[test]
fn the_search_agrees_on_200_networks() {
    agrees(Engine::Search, &FEW);
}

#[test]
fn the_boxes_agree_on_200_networks() {
    agrees(Engine::Boxes, &FEW);
}

#[test]
fn the_boxes_agree_on_150_conjunctions() {
    agrees(Engine::Boxes, &BOXES);
}

#[test]
fn both_together_agree_on_150_conjunctions() {
    agrees(Engine::Auto, &BOXES);
}

#[test]
fn the_programs_agree_on_200_networks() {
    agrees(Engine::Milp, &FEW);
}

#[test]
fn both_together_agree_on_200_networks() {
    agrees(Engine::Auto, &FEW);
}

#[test]
#[ignore = "half a minute: 2,000 networks"]
fn the_search_agrees_on_2000_networks() {
    agrees(Engine::Search, &MANY);
}

#[test]
#[ignore = "half a minute: 2,000 networks"]
fn the_boxes_agree_on_2000_networks() {
    agrees(Engine::Boxes, &MANY);
}

#[test]
#[ignore = "half a minute: 2,000 networks"]
fn the_programs_agree_on_2000_networks() {
    agrees(Engine::Milp, &MANY);
}

#[test]
#[ignore = "half a minute: 2,000 networks"]
fn both_together_agree_on_2000_networks() {
    agrees(Engine::Auto, &MANY);
}

#[test]
fn the_cases_are_varied() {
    let mut seen = Tally::new();
    for case in FEW.iter() {
        let network = case.query.network();
        let operators: BTreeSet<&str> = network.nodes().iter().map(|n| n.op.name()).collect();
        operators.into_iter().for_each(|name| count(&mut seen, name));
        let is_unsafe = case.inner.iter().any(|t| t.unsafe_at.is_some());
        count(&mut seen, if is_unsafe { "unsafe" } else { "safe" });
        count(&mut seen, if case.margin() == Rational::ZERO { "tie" } else { "no tie" });
        count(&mut seen, if case.is_polyhedral() { "polytope" } else { "l2" });
        assert!(network.input().shape.len() <= 3);
        assert!((3..=8).contains(&lower_max_pool(network).unwrap().network.relus()));
    }
    let operators = ["Dense", "Conv2d", "Relu", "MaxPool", "Flatten", "Add", "Gather"];
    for what in operators.into_iter().chain(["safe", "unsafe", "tie", "l2"]) {
        assert!(seen.get(what).is_some_and(|&n| n >= 10), "{what} is rare: {seen:?}");
    }
}

/// What a solver makes of the encoding is what is true, within its tolerances.
fn program_is_right(case: &Case, solver: &dyn Solver, tally: &mut Tally) -> Result<(), String> {
    if !case.is_polyhedral() {
        return Ok(());
    }
    let lowered = lower_max_pool(case.query.network()).map_err(|e| e.to_string())?;
    let propagation = Propagation::new(&lowered, case.query.region(), Tier::Linear);
    let solve = |objective| {
        let milp = encode(&case.query, &propagation, objective, None).map_err(|e| e.to_string())?;
        let limits = Limits { time: Some(Duration::from_secs(20)) };
        solver.solve(&milp, &limits).map_err(|e| e.to_string())
    };
    let (margin, tolerance) = (case.margin().to_f64(), 1e-6 * case.scale);
    let worst = solve(Objective::Worst)?;
    count(tally, format!("{}: {:?}", solver.name(), worst.status));
    if worst.status != Status::Optimal || worst.cost.is_none_or(|cost| (cost - margin).abs() > tolerance) {
        return Err(format!("{}: worst margin {:?}, {:?}", solver.name(), worst.cost, worst.status));
    }
    let status = solve(Objective::Feasibility)?.status;
    count(tally, format!("{}: {status:?}", solver.name()));
    let right = match status {
        Status::Infeasible => margin > -tolerance,
        Status::Optimal => margin < tolerance,
        _ => false,
    };
    if right { Ok(()) } else { Err(format!("{}: an unsafe point, {status:?}", solver.name())) }
}

fn programs_are_right(case: &Case, tally: &mut Tally) -> Result<(), String> {
    #[cfg(feature = "highs")]
    program_is_right(case, &unmoved_core::Highs, tally)?;
    program_is_right(case, &GoodLp::microlp(), tally)
}

#[test]
fn programs_agree_on_200_networks() {
    over(&FEW, programs_are_right);
}

#[test]
#[ignore = "half a minute: 2,000 networks"]
fn programs_agree_on_2000_networks() {
    over(&MANY, programs_are_right);
}

/// The enumeration itself: it evaluates as the network does, nothing is less than its minimum, and its points are what it says.
#[test]
fn the_enumeration_agrees_with_evaluation() {
    over(&FEW, |case, _| {
        let (query, rng) = (&case.query, &mut Rng(case.seed));
        let mut inputs = (0..20).filter_map(|_| query.region().to_f32_inside(&query.region().sample(|| rng.unit())));
        inputs.try_for_each(|input| {
            let x: Vec<Exact> = input.iter().map(|&v| Exact::from_f64(f64::from(v))).collect();
            let y = query.network().forward(&x).map_err(|e| e.to_string())?;
            let point: Vec<Rational> = x.iter().map(Exact::to_rational).collect();
            for (disjunct, truth) in query.unsafe_set().iter().zip(&case.outer) {
                let values: Vec<Rational> = disjunct.0.iter().map(|c| c.value(&x, &y)).collect();
                let own = values_at(query.network(), &point, disjunct);
                if own != values || values.iter().max() < Some(&truth.margin) || !contains(query.region(), &point) {
                    return Err(format!("at {input:?}: {own:?} instead of {values:?}"));
                }
            }
            Ok(())
        })?;
        for (disjunct, truth) in query.unsafe_set().iter().zip(&case.inner) {
            let values = |x: &[Rational]| values_at(query.network(), x, disjunct);
            let reached = values(&truth.at).iter().max() == Some(&truth.margin) && contains(query.region(), &truth.at);
            let is_unsafe = |x: &Vec<Rational>| disjunct.0.iter().zip(values(x)).all(|(c, g)| holds(c, &g));
            if !reached || !truth.unsafe_at.iter().all(|x| is_unsafe(x) && contains(query.region(), x)) {
                return Err(format!("not so: {truth:?}"));
            }
        }
        Ok(())
    });
}

#[test]
fn cuts_leave_the_right_vertices() {
    let count = |inputs: usize, norm: Norm, eps: i64| {
        let range = Some((Rational::from(-1), Rational::ONE));
        let region = InputRegion::ball(vec![0.0; inputs], norm, Rational::from(eps), range).unwrap();
        polytope(&region).unwrap().vertices()
    };
    // A cube, an octahedron, a cuboctahedron, a cube again.
    assert_eq!([Norm::Linf, Norm::L1].map(|norm| count(3, norm, 1)), [8, 6]);
    assert_eq!([2, 3].map(|eps| count(3, Norm::L1, eps)), [12, 8]);
    assert_eq!([1, 2, 3].map(|inputs| count(inputs, Norm::L1, 0)), [1; 3]);
    // A flat square cut along its diagonal.
    let ends = [(-1, 1), (-1, 1), (0, 0)].map(|(l, u)| (Rational::from(l), Rational::from(u)));
    let mut diagonal = Affine::input(3, 0);
    diagonal.add(&Rational::ONE, &Affine::input(3, 1));
    let [below, above] = Polytope::within(&ends).sides(&diagonal);
    assert_eq!([below, above].map(|side| side.unwrap().vertices()), [3; 2]);
}
