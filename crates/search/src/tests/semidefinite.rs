//! Where linear bounds are far off: the search by semidefinite ones, alone and as a part of the whole.

use super::oracle::Truth;
use super::oracle::affine::exact;
use super::tiny::{CONJUNCTIONS, Case};
use crate::attack;
use crate::candidates::Candidates;
use crate::clock::Clock;
use crate::decide::Work;
use crate::outcome::{DecidedBy, Engine, Options, Outcome, Relaxation};
use crate::proof::Proof;
use crate::workers::lock;
use crate::{decide, semidefinite};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use unmoved_bounds::engine::{Ascent, Descent, Form, Subproblem};
use unmoved_bounds::semidefinite::{Ascent as SemidefiniteAscent, Program, Rows};
use unmoved_check::{Arithmetic, Certificate, Examiner, Step, check, replay_point};
use unmoved_ir::testing::Rng;
use unmoved_ir::{Builder, DType, Dense, Network, Op, Rational, Tensor};
use unmoved_property::{Conjunction, Constraint, Counterexample, InputRegion, Norm, Query, Verdict};

/// One hidden layer without biases around zero: every ReLU is unstable, and what one adds another may take.
fn network(seed: u64, inputs: usize, hidden: usize) -> Arc<Network> {
    let mut rng = Rng(seed);
    let mut b = Builder::new();
    let mut value = b.input("x", &[inputs], DType::F32).unwrap();
    let mut dense = |b: &mut Builder, from, rows: usize, columns: usize| {
        let weights = (0..rows * columns).map(|_| rng.signed() as f32).collect();
        let weight = Tensor::f32(&[rows, columns], weights).unwrap();
        let dense = Dense::new(weight, Tensor::f32(&[rows], vec![0.0; rows]).unwrap()).unwrap();
        let name = b.fresh("n");
        b.push(&name, Op::Dense(dense), &[from]).unwrap()
    };
    value = dense(&mut b, value, hidden, inputs);
    value = b.push("a", Op::Relu, &[value]).unwrap();
    let output = dense(&mut b, value, 2, hidden);
    Arc::new(b.finish(output).unwrap())
}

/// Around zero. Of an l1 ball the semidefinite bound knows only the box around it, so that one hardly cuts the corners off.
fn region(inputs: usize, norm: Norm) -> InputRegion {
    let eps = if norm == Norm::L1 { Rational::from(inputs as i64 - 2) } else { Rational::ONE };
    let range = Some((Rational::from(-1), Rational::ONE));
    InputRegion::ball(vec![0.0; inputs], norm, eps, range).unwrap()
}

/// `y_k - level <= 0`, which is unsafe.
fn at_most(output: usize, level: f64) -> Constraint {
    let constant = Rational::from_f64(-level).unwrap();
    Constraint { outputs: vec![(output, Rational::ONE)], inputs: Vec::new(), constant, strict: false }
}

fn query(network: &Arc<Network>, norm: Norm, unsafe_set: Vec<Vec<Constraint>>) -> Query {
    let region = region(network.input().shape.len(), norm);
    Query::new(network.clone(), region, unsafe_set.into_iter().map(Conjunction).collect()).unwrap()
}

/// With linear bounds in its table.
fn examined(query: &Query) -> Examiner<'_> {
    let mut examiner = Examiner::new(query).unwrap();
    let nodes = examiner.tabled();
    examiner.extend(vec![Step::Recompute { nodes }]).unwrap();
    examiner
}

/// What is known of an output: the linear and the semidefinite bound, and about the least value there is.
struct Levels {
    linear: f64,
    semidefinite: f64,
    least: f64,
}

fn levels(network: &Arc<Network>, norm: Norm, output: u32) -> Levels {
    let query = query(network, norm, vec![]);
    let examiner = examined(&query);
    let compact = attack::compact(&examiner, &query);
    let form = Form { node: compact.output(), terms: vec![(output, 1.0)], ..Form::default() };
    let slopes = vec![128; compact.unstable().len()];
    let mut descent = Descent::new(&compact);
    let problem = Subproblem { form: &form, splits: &[], slopes: &slopes, shifts: &[] };
    descent.run(&[problem], &Ascent { steps: 100, enough: f32::INFINITY });
    let rows = Rows::new(&compact).unwrap();
    let form = rows.of(&form);
    let program = Program::new(&rows, &form, &[]);
    let mut ascent = SemidefiniteAscent::new(&program);
    ascent.climb(300, 1.0, || false);
    ascent.climb(300, 0.5, || false);
    let mut rng = Rng(1);
    let value = |x: &[f64]| network.forward(x).unwrap()[output as usize];
    let mut least = f64::INFINITY;
    for _ in 0..40 {
        let mut x = query.region().sample(|| rng.unit());
        query.region().project(&mut x);
        for _ in 0..400 {
            let mut next = x.clone();
            next[rng.below(x.len())] += rng.signed();
            query.region().project(&mut next);
            if value(&next) < value(&x) {
                x = next;
            }
        }
        least = least.min(value(&x));
    }
    Levels { linear: f64::from(descent.bound(0)), semidefinite: ascent.bound(|| false), least }
}

/// What the whole makes of it, and whether its certificate has splits of ReLUs.
fn decided(query: &Query, relaxation: Relaxation) -> (Outcome, bool) {
    let options =
        Options { engine: Engine::Search, relaxation, threads: 1, subproblems: 200_000, ..Options::default() };
    let outcome = decide(query, &options).unwrap();
    let has_splits = outcome.certificate.as_ref().is_some_and(|certificate| {
        check(query, certificate, Arithmetic::Float).expect("the checker agrees");
        check(query, certificate, Arithmetic::Exact).expect("the exact checker agrees");
        certificate.steps.iter().any(|step| matches!(step, Step::SplitRelu { .. }))
    });
    (outcome, has_splits)
}

#[test]
fn what_linear_bounds_leave_open_is_decided_with_splits_and_without() {
    let network = network(5, 20, 60);
    for norm in [Norm::Linf, Norm::L1, Norm::L2] {
        let l = levels(&network, norm, 0);
        for share in [-0.05, 0.15] {
            let level = l.semidefinite + share * (l.least - l.semidefinite);
            assert!(l.linear < 1.5 * level && level < l.least, "{norm:?}: {level} lies near {}", l.linear);
            let query = query(&network, norm, vec![vec![at_most(0, level)]]);
            for relaxation in [Relaxation::Semidefinite, Relaxation::Auto] {
                let (outcome, has_splits) = decided(&query, relaxation);
                assert_eq!(outcome.verdict, Verdict::Robust, "{norm:?} {share}");
                assert_eq!(outcome.decided_by, DecidedBy::Semidefinite);
                // Above the ball's own bound the search comes some way without.
                assert!(has_splits == (share > 0.0) || norm == Norm::L2, "{norm:?} {share}");
                assert!(outcome.margins[0] > 0.0);
            }
        }
    }
}

#[test]
fn disjuncts_and_conjunctions_are_decided() {
    let network = network(5, 20, 60);
    let ls = [0, 1].map(|output| levels(&network, Norm::Linf, output));
    let provable = |k: usize, share: f64| at_most(k, ls[k].semidefinite + share * (ls[k].least - ls[k].semidefinite));
    let hopeless = at_most(1, -0.01);
    for unsafe_set in [
        vec![vec![provable(0, -0.1)], vec![provable(1, 0.15)]],
        vec![vec![hopeless.clone(), provable(0, 0.15)]],
        vec![vec![provable(0, 0.15), hopeless.clone()], vec![provable(1, -0.02)], vec![hopeless, provable(0, -0.02)]],
    ] {
        let query = query(&network, Norm::Linf, unsafe_set);
        let (outcome, has_splits) = decided(&query, Relaxation::Semidefinite);
        assert_eq!((outcome.verdict, outcome.decided_by), (Verdict::Robust, DecidedBy::Semidefinite));
        assert!(has_splits && outcome.margins.iter().all(|m| *m > 0.0), "{:?}", outcome.margins);
    }
}

#[test]
fn linear_bounds_alone_are_as_asked() {
    let network = network(5, 20, 60);
    let l = levels(&network, Norm::Linf, 0);
    let query = query(&network, Norm::Linf, vec![vec![at_most(0, l.semidefinite - 1.0)]]);
    let options = Options { relaxation: Relaxation::Linear, subproblems: 500, ..Options::default() };
    let outcome = decide(&query, &options).unwrap();
    assert!(matches!(outcome.verdict, Verdict::Unknown(_)) && outcome.margins[0] < 0.0);
}

/// The search by semidefinite bounds alone, with nothing before it.
struct Alone {
    closed: bool,
    subproblems: usize,
    margins: Vec<f64>,
    certificate: Option<Certificate>,
    counterexample: Option<Counterexample>,
}

fn alone(query: &Query, options: Options) -> Alone {
    let options = Options { relaxation: Relaxation::Semidefinite, ..options };
    let clock = Clock::new(&options);
    let work = Work { query, options: &options, clock: &clock, watch: &|_| {} };
    let mut examiner = examined(query);
    let mut proof = Proof::new(query, Outcome::open(query.unsafe_set().len()));
    let compact = attack::compact(&examiner, query);
    let found = Mutex::new(Candidates::default());
    let closed = semidefinite::close(&work, &examiner, &mut proof, &compact, &found, 1e-4);
    let counterexample = lock(&found).counterexample.take();
    let (subproblems, margins) = (proof.outcome.subproblems, proof.outcome.margins.clone());
    let certificate = closed.then(|| proof.certify(&mut examiner).expect("the checker agrees"));
    Alone { closed, subproblems, margins, certificate, counterexample }
}

/// Fails where it does not come to an end.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(work()));
    receiver.recv_timeout(Duration::from_secs(60)).expect("it ends")
}

#[test]
fn a_constraint_proved_by_splits_ends_the_work_on_its_conjunction() {
    let network = network(5, 10, 24);
    let ls = [0, 1].map(|output| levels(&network, Norm::Linf, output));
    let level = |k: usize, share: f64| ls[k].semidefinite + share * (ls[k].least - ls[k].semidefinite);
    // The first is far from a proof, so that its cases wait; the second is proved with splits.
    let unsafe_set = vec![vec![at_most(0, -0.01), at_most(1, level(1, 0.1))]];
    for threads in [1, 2] {
        let query = query(&network, Norm::Linf, unsafe_set.clone());
        let done = in_time(move || (alone(&query, Options { threads, ..Options::default() }), query));
        let (done, query) = done;
        assert!(done.closed && done.margins[0] > 0.0);
        assert!((302..20_000).contains(&done.subproblems), "{}", done.subproblems);
        check(&query, &done.certificate.unwrap(), Arithmetic::Exact).unwrap();
    }
}

/// Cases of a constraint wait whose conjunction another has proved, and the last disjunct is proved by splits: no worker waits
/// for what nobody does.
#[test]
fn what_nobody_wants_any_more_is_not_waited_for() {
    let network = network(5, 10, 24);
    let ls = [0, 1].map(|output| levels(&network, Norm::Linf, output));
    let level = |k: usize, share: f64| ls[k].semidefinite + share * (ls[k].least - ls[k].semidefinite);
    let unsafe_set = vec![vec![at_most(0, -0.01), at_most(0, level(0, -0.1))], vec![at_most(1, level(1, 0.1))]];
    for threads in [1, 3] {
        let query = query(&network, Norm::Linf, unsafe_set.clone());
        let done = in_time(move || alone(&query, Options { threads, ..Options::default() }));
        assert!(done.closed, "{:?}", done.margins);
    }
}

#[test]
fn limits_end_it() {
    let network = network(5, 20, 60);
    let l = levels(&network, Norm::Linf, 0);
    let hard = query(&network, Norm::Linf, vec![vec![at_most(0, l.semidefinite + 0.7 * (l.least - l.semidefinite))]]);
    for (options, most) in [
        (Options { subproblems: 0, ..Options::default() }, 0),
        (Options { subproblems: 500, threads: 2, ..Options::default() }, 700),
        (Options { time_limit: Some(Duration::ZERO), ..Options::default() }, 0),
        (Options { time_limit: Some(Duration::from_millis(200)), threads: 2, ..Options::default() }, usize::MAX),
        (Options { memory_limit: Some(1), ..Options::default() }, 0),
    ] {
        let hard = hard.clone();
        let start = std::time::Instant::now();
        let done = in_time(move || alone(&hard, options));
        assert!(!done.closed && done.subproblems <= most, "{} of {most}", done.subproblems);
        assert!(done.margins[0] < 0.0 && start.elapsed() < Duration::from_secs(5));
    }
}

/// Against enumeration in exact rationals, see `tests/enumeration.rs`: whatever there is to prove, nothing else proves it.
#[test]
fn it_agrees_with_enumeration() {
    let [mut closed, mut split, mut violated, mut missed] = [0; 4];
    for case in (0..150).chain(CONJUNCTIONS..CONJUNCTIONS + 80).map(Case::new) {
        let options = Options { threads: 1, subproblems: 30_000, ..Options::default() };
        let done = alone(&case.query, options);
        let is_unsafe = |truths: &[Truth]| truths.iter().any(|t| t.unsafe_at.is_some());
        if let Some(found) = &done.counterexample {
            assert!(is_unsafe(&case.outer), "{case}");
            assert_eq!(replay_point(&case.query, &found.input).as_ref(), Ok(found), "{case}");
            violated += 1;
        }
        if let Some(certificate) = &done.certificate {
            assert!(!is_unsafe(&case.inner), "{case}");
            check(&case.query, certificate, Arithmetic::Float).expect("the checker agrees");
            check(&case.query, certificate, Arithmetic::Exact).expect("the exact checker agrees");
            closed += 1;
            split += usize::from(certificate.steps.iter().any(|step| matches!(step, Step::SplitRelu { .. })));
        }
        // What a single constraint of each disjunct proves should be proved, where anything is left to be relaxed.
        let depth = exact(1e-3 * case.scale);
        let provable = case.outer.iter().all(|t| t.alone.iter().any(|least| *least > depth));
        missed += usize::from(provable && !done.closed && done.subproblems > 0);
    }
    assert!(missed <= 2, "{missed} of {closed} are missed");
    assert!(closed > 40 && split > 3 && violated > 40, "{closed} closed, {split} with splits, {violated} violated");
}

/// Near the most coefficients that there may be, where a step of the ascent takes long and a factorisation longer.
#[test]
fn limits_end_what_is_large() {
    let network = network(5, 800, 2400);
    let hard = query(&network, Norm::Linf, vec![vec![at_most(0, -2e4)]]);
    let options = Options { time_limit: Some(Duration::from_millis(2500)), threads: 2, ..Options::default() };
    let done = in_time(move || {
        let start = std::time::Instant::now();
        (alone(&hard, options), start.elapsed())
    });
    assert!(!done.0.closed && done.1 < Duration::from_secs(5), "{:?}", done.1);
}
