//! Distortions against what is exactly true: by hand, by enumeration in exact rationals, and by the mixed integer program whose
//! objective is the distance.

// Each test binary uses a part of these.
#[allow(dead_code)]
mod oracle;
#[allow(dead_code)]
mod tiny;

use oracle::{cells, polytope, truth};
use std::sync::Arc;
use std::time::Duration;
use tiny::Case;
use unmoved_bounds::{Propagation, Tier};
use unmoved_check::{Arithmetic, Prepared, check, replay_point};
use unmoved_core::{GoodLp, Limits, Objective, Solver, Status, encode};
use unmoved_ir::{Builder, DType, Dense, Network, Op, Rational, Tensor, lower_max_pool};
use unmoved_property::{Conjunction, Constraint, InputRegion, Norm, Query, Reason, RegionKind};
use unmoved_search::{DecidedBy, Distortion, Options, SearchError, distortion};

const NORMS: [Norm; 3] = [Norm::Linf, Norm::L1, Norm::L2];

fn rational(text: &str) -> Rational {
    text.parse().unwrap()
}

fn options() -> Options {
    Options { threads: 1, time_limit: Some(Duration::from_secs(20)), ..Options::default() }
}

fn measure(query: &Query, options: &Options, gap: &str) -> Distortion {
    let network = Prepared::new(query.network()).unwrap();
    let found = distortion(query, &network, options, &rational(gap), &|_| {}).unwrap();
    examine(query, &found, gap);
    found
}

/// Whatever is true, each end stands on what it should.
fn examine(query: &Query, found: &Distortion, gap: &str) {
    match &found.proof {
        Some(proof) => {
            let region = query.region().with_radius(found.lower.clone()).unwrap();
            assert_eq!(proof.query.to_text(), query.about(region).unwrap().to_text());
            check(&proof.query, &proof.certificate, Arithmetic::Exact).expect("the exact checker agrees");
        }
        None => assert_eq!(found.lower, Rational::ZERO),
    }
    assert_eq!(found.upper.is_some(), found.counterexample.is_some());
    if let (Some(upper), Some(c)) = (&found.upper, &found.counterexample) {
        assert_eq!(query.region().distance_up(&c.input).as_ref(), Some(upper));
        let region = query.region().with_radius(upper.clone()).unwrap();
        assert_eq!(replay_point(&query.about(region).unwrap(), &c.input).as_ref(), Ok(c));
        assert!(found.lower < *upper || *upper == Rational::ZERO);
    }
    let is_narrow = found.gap().is_some_and(|found| found <= rational(gap));
    let RegionKind::Ball { eps, .. } = query.region().kind() else { panic!("a ball") };
    assert_eq!(found.is_robust(), found.lower == *eps && found.proof.is_some());
    assert_eq!(found.reason.is_none(), is_narrow || found.is_robust(), "{found:?}");
}

/// Two inputs; each hidden neuron and each output is the weights of what it reads, and a bias.
fn network(hidden: &[[f32; 3]], outputs: &[&[f32]]) -> Arc<Network> {
    let dense = |rows: Vec<&[f32]>| {
        let inputs = rows[0].len() - 1;
        let weight = rows.iter().flat_map(|r| r[..inputs].to_vec()).collect();
        let bias = rows.iter().map(|r| r[inputs]).collect();
        let weight = Tensor::f32(&[rows.len(), inputs], weight).unwrap();
        Op::Dense(Dense::new(weight, Tensor::f32(&[rows.len()], bias).unwrap()).unwrap())
    };
    let mut builder = Builder::new();
    let mut value = builder.input("x", &[2], DType::F32).unwrap();
    if !hidden.is_empty() {
        value = builder.push("h", dense(hidden.iter().map(|r| &r[..]).collect()), &[value]).unwrap();
        value = builder.push("a", Op::Relu, &[value]).unwrap();
    }
    value = builder.push("y", dense(outputs.to_vec()), &[value]).unwrap();
    Arc::new(builder.finish(value).unwrap())
}

fn query(network: &Arc<Network>, centre: [f64; 2], norm: Norm, eps: &str, label: usize) -> Query {
    let range = Some((rational("-1"), rational("2")));
    let region = InputRegion::ball(centre.to_vec(), norm, rational(eps), range).unwrap();
    Query::robustness(network.clone(), region, label).unwrap()
}

/// Whether the interval is as narrow as was asked for and encloses this number.
fn encloses(found: &Distortion, truth: f64) -> bool {
    let upper = found.upper.as_ref().expect("there is a counterexample");
    found.reason.is_none() && found.lower.round_down() <= truth && truth <= upper.round_up()
}

#[test]
fn distances_known_by_hand_are_enclosed() {
    let (half, root) = (0.5f64, 2f64.sqrt());
    // x0 + x1 against 1, from the origin.
    let linear = network(&[], &[&[1.0, 1.0, 0.0], &[0.0, 0.0, 1.0]]);
    // relu(x0) + relu(x1) against 1, from (-1/2, -1/2): in l1 one element alone moves as far as two together.
    let bent = network(&[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], &[&[1.0, 1.0, 0.0], &[0.0, 0.0, 1.0]]);
    // x0 + x1 against 3 1/4, where the range ends at 2: from (2, 3/4) only one element is left to move.
    let clipped = network(&[], &[&[1.0, 1.0, 0.0], &[0.0, 0.0, 3.25]]);
    for (network, centre, truths) in [
        (&linear, [0.0, 0.0], [0.5, 1.0, half.sqrt()]),
        (&bent, [-0.5, -0.5], [1.0, 1.5, root]),
        (&clipped, [2.0, 0.75], [0.5, 0.5, 0.5]),
    ] {
        for (norm, truth) in NORMS.into_iter().zip(truths) {
            for gap in ["1/10", "1/100", "1/10000"] {
                let found = measure(&query(network, centre, norm, "8", 1), &options(), gap);
                assert!(encloses(&found, truth), "{norm:?} {truth}: {found:?}");
            }
        }
    }
}

#[test]
fn the_nearest_class_decides_unless_another_is_asked_for() {
    // From the origin the classes 1, 2 and 3 are 1/2, 1 and 3/2 away in x0.
    let network = network(&[], &[&[0.0, 0.0, 0.0], &[2.0, 0.0, -1.0], &[-1.0, 0.0, -1.0], &[0.0, 1.0, -1.5]]);
    let all = query(&network, [0.0, 0.0], Norm::Linf, "2", 0);
    assert!(encloses(&measure(&all, &options(), "1/100"), 0.5));
    for (targets, truth) in [(&[1][..], 0.5), (&[2], 1.0), (&[3], 1.5), (&[2, 3], 1.0)] {
        let unsafe_set = targets.iter().map(|&t| Conjunction(vec![Constraint::at_most(0, t)])).collect();
        let some = Query::new(network.clone(), all.region().clone(), unsafe_set).unwrap();
        assert!(encloses(&measure(&some, &options(), "1/100"), truth), "{targets:?}");
    }
}

#[test]
fn a_misclassified_input_is_no_distance_away() {
    let network = network(&[], &[&[1.0, 1.0, 0.0], &[0.0, 0.0, 1.0]]);
    for norm in NORMS {
        let found = measure(&query(&network, [0.0, 0.0], norm, "2", 0), &options(), "1/100");
        assert!(found.is_at_centre() && found.upper_by == DecidedBy::Centre && found.proof.is_none());
        assert_eq!((found.lower.clone(), found.upper.clone()), (Rational::ZERO, Some(Rational::ZERO)));
        assert_eq!(found.gap(), Some(Rational::ZERO));
    }
}

#[test]
fn where_nothing_is_unsafe_the_whole_ball_is_certified() {
    let network = network(&[], &[&[1.0, 1.0, 0.0], &[0.0, 0.0, 1.0]]);
    for norm in NORMS {
        let found = measure(&query(&network, [0.0, 0.0], norm, "4/9", 1), &options(), "1/100");
        assert!(found.is_robust() && found.lower == rational("4/9") && found.gap().is_none(), "{found:?}");
    }
}

#[test]
fn questions_that_mean_nothing_are_refused() {
    let network = network(&[], &[&[1.0, 1.0, 0.0], &[0.0, 0.0, 1.0]]);
    let query = query(&network, [0.0, 0.0], Norm::Linf, "1", 1);
    let prepared = Prepared::new(&network).unwrap();
    for gap in ["0", "1", "-1/2"] {
        let error = distortion(&query, &prepared, &options(), &rational(gap), &|_| {}).unwrap_err();
        assert!(matches!(error, SearchError::Gap(_)), "{error}");
    }
    let boxed = InputRegion::boxed(vec![Rational::ZERO; 2], vec![Rational::ONE; 2]).unwrap();
    let about_a_box = query.about(boxed).unwrap();
    let error = distortion(&about_a_box, &prepared, &options(), &rational("1/100"), &|_| {}).unwrap_err();
    assert!(matches!(error, SearchError::NoBall), "{error}");
}

/// Cases whose centre the network sees as safe, with a radius that reaches beyond what the case was made for.
fn balls(seeds: std::ops::Range<u64>) -> impl Iterator<Item = (u64, Query)> {
    seeds.filter_map(|seed| {
        let case = Case::new(seed);
        let RegionKind::Ball { eps, .. } = case.query.region().kind() else { return None };
        let region = case.query.region().with_radius(&(eps + eps) + eps).ok()?;
        Some((seed, case.query.about(region).ok()?))
    })
}

/// Whether some point of a polyhedral region is unsafe.
fn is_unsafe(query: &Query) -> bool {
    let cells = cells(query.network(), polytope(query.region()).expect("a polyhedron"));
    query.unsafe_set().iter().any(|disjunct| truth(&cells, disjunct).unsafe_at.is_some())
}

/// Everything that is claimed of random networks is true, and most of it is as narrow as was asked for.
#[test]
fn the_interval_holds_what_is_true_of_random_networks() {
    let (mut measured, mut robust, mut centre, mut open, mut solved) = (0, 0, 0, Vec::new(), 0);
    for (seed, query) in balls(0..160) {
        let found = measure(&query, &options(), "1/100");
        if let Some(proof) = &found.proof
            && polytope(query.region()).is_some()
        {
            assert!(!is_unsafe(&proof.query), "seed {seed}: {found:?}");
        }
        match &found.upper {
            _ if found.reason.is_some() => open.push(seed),
            None => robust += 1,
            Some(upper) if *upper == Rational::ZERO => centre += 1,
            Some(_) => measured += 1,
        }
        solved += usize::from(agrees_with_the_program(seed, &query, &found));
    }
    println!("{measured} measured, {robust} robust, {centre} misclassified, {solved} solved, open {open:?}");
    assert!(measured > 20 && robust > 10 && solved > 20);
    assert!(open.len() < 8, "{open:?}");
}

/// Compares with the optimum of the program, if microlp finds one.
fn agrees_with_the_program(seed: u64, query: &Query, found: &Distortion) -> bool {
    let RegionKind::Ball { norm: norm @ (Norm::Linf | Norm::L1), .. } = query.region().kind() else { return false };
    if query.network().has_slack() || query.unsafe_set().iter().any(|d| d.0.is_empty()) {
        return false;
    }
    let lowered = lower_max_pool(query.network()).unwrap();
    let propagation = Propagation::new(&lowered, query.region(), Tier::Linear);
    let milp = encode(query, &propagation, Objective::Closest(*norm), None).unwrap();
    let solution = GoodLp::microlp().solve(&milp, &Limits { time: Some(Duration::from_secs(5)) }).unwrap();
    match (solution.status, solution.cost) {
        (Status::Optimal, Some(cost)) => {
            let upper = found.upper.as_ref().map_or(f64::INFINITY, Rational::to_f64);
            // The program allows ties where a constraint is strict, and rounds.
            let slack = 1e-6 * (1.0 + cost);
            assert!(found.lower.to_f64() <= cost + slack && cost <= upper + slack, "seed {seed}: {cost} {found:?}");
            true
        }
        (Status::Infeasible, _) => {
            assert!(found.upper.is_none(), "seed {seed}: {found:?}");
            true
        }
        _ => false,
    }
}

/// However early it ends, what comes back is true and says why it is no more.
#[test]
fn a_time_limit_leaves_a_valid_interval() {
    let (mut late, mut narrow) = (0, 0);
    for (_, query) in balls(0..40) {
        for limit in [Duration::from_nanos(1), Duration::from_micros(300), Duration::from_millis(3)] {
            let options = Options { time_limit: Some(limit), ..options() };
            let found = measure(&query, &options, "1/1000");
            match found.reason {
                Some(Reason::TimeLimit) => late += 1,
                None => narrow += 1,
                Some(_) => {}
            }
        }
    }
    assert!(late > 20 && narrow > 5, "{late} {narrow}");
}

/// Without an attack, and with no more than bounds, it ends too.
#[test]
fn whatever_effort_is_allowed_it_ends() {
    for (_, query) in balls(0..30) {
        for (restarts, subproblems) in [(0, usize::MAX), (16, 0), (0, 0), (16, 20)] {
            let mut options = Options { subproblems, ..options() };
            options.attack.restarts = restarts;
            measure(&query, &options, "1/50");
        }
    }
}

#[test]
fn one_thread_measures_the_same_each_time() {
    for (seed, query) in balls(0..20) {
        let [one, other] = [(); 2].map(|()| measure(&query, &Options { time_limit: None, ..options() }, "1/100"));
        assert_eq!(one.lower, other.lower, "seed {seed}");
        assert_eq!(one.counterexample, other.counterexample, "seed {seed}");
    }
}

/// Nothing is called robust without a certificate, not even a ball that is its centre alone.
#[test]
fn a_ball_without_extent_is_certified_too() {
    let network = network(&[], &[&[1.0, 1.0, 0.0], &[0.0, 0.0, 1.0]]);
    for norm in NORMS {
        let found = measure(&query(&network, [0.0, 0.0], norm, "0", 1), &options(), "1/100");
        assert!(found.is_robust() && found.proof.is_some() && found.lower == Rational::ZERO, "{found:?}");
    }
}

/// What is asked for with more digits than a query file may have gets a proof that can be read, and an end without a time limit.
#[test]
fn however_narrow_the_gap_the_proof_can_be_read_again() {
    let network = network(&[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], &[&[1.0, 1.0, 0.0], &[0.0, 0.0, 1.1]]);
    let options = Options { time_limit: None, ..options() };
    for gap in [format!("1/{}", "9".repeat(990)), "1e-17".into()] {
        for norm in [Norm::Linf, Norm::L2] {
            let query = query(&network, [0.1f32, 0.2].map(f64::from), norm, "3", 1);
            let found = measure(&query, &options, &gap);
            let text = found.proof.expect("a certificate").query.to_text();
            let again = Query::from_text(network.clone(), &text).unwrap();
            assert_eq!(again.to_text(), text);
        }
    }
}
