//! The dual program: it reaches the optimum of the relaxation, and the checker accepts what it gives.

mod common;

use common::{Case, random::random_case};
use std::time::{Duration, Instant};
use unmoved_bounds::engine::Known;
use unmoved_bounds::{Propagation, Tier};
use unmoved_check::{Arithmetic, Examiner, Step, check};
use unmoved_core::{DualProgram, EncodeError, GoodLp, Limits, Objective, Phase, Solver};
use unmoved_ir::NodeId;
use unmoved_property::{InputRegion, Norm, Query};

fn solvers() -> Vec<Box<dyn Solver>> {
    vec![
        Box::new(GoodLp::microlp()),
        #[cfg(feature = "highs")]
        Box::new(unmoved_core::Highs),
    ]
}

/// The bound of the program is the optimum of the encoding's relaxation, which is its dual.
#[test]
fn the_dual_reaches_the_optimum() {
    for solver in solvers() {
        let mut compared = 0;
        for seed in 0..200 {
            let mut case = random_case(seed);
            case.objective = Objective::Worst;
            // A max-pool is encoded by its own relaxation, not by that of its ReLUs.
            let pools = case.lowered.network.nodes().len() != case.query.network().nodes().len();
            if case.query.network().has_slack() || pools {
                continue;
            }
            let p = Propagation::new(&case.lowered, case.query.region(), Tier::Interval);
            let known = |id: NodeId| Some(Known { lower: &p.bounds(id).lower, upper: &p.bounds(id).upper });
            for (disjunct, conjunction) in case.query.unsafe_set().iter().enumerate() {
                let program = DualProgram::new(&case.lowered, case.query.region(), known, &conjunction.0).unwrap();
                let mut session = program.load(&*solver).unwrap();
                let dual = session.solve(&[], &Limits::default()).unwrap().expect("it has an optimum");
                case.disjuncts = Some(vec![disjunct]);
                let lp = solver.solve(&case.milp().relaxed(), &Limits::default()).unwrap().cost.unwrap();
                assert!((dual.bound - lp).abs() < 1e-6, "seed {seed}.{disjunct}: {} against {lp}", dual.bound);
                assert_eq!(dual.form.lambda.len(), conjunction.0.len());
                compared += 1;
            }
        }
        assert!(compared > 50);
    }
}

/// What the program promises is what the checker finds: as the proof of a lemma that the form is at least that.
#[test]
fn the_checker_accepts_them_under_splits() {
    for solver in solvers() {
        let (mut accepted, mut split) = (0, 0);
        for seed in 0..150 {
            let case = random_case(seed);
            if case.query.network().has_slack() {
                continue;
            }
            let mut examiner = Examiner::new(&case.query).unwrap();
            let nodes = examiner.tabled();
            examiner.extend(vec![Step::Recompute { nodes }]).unwrap();
            let mut steps = vec![Step::SplitDisjuncts];
            let proved = case.query.unsafe_set().iter().all(|conjunction| {
                let known =
                    |id: NodeId| examiner.bounds()[id.0].as_ref().map(|b| Known { lower: &b.lower, upper: &b.upper });
                let region = case.query.region();
                let program = DualProgram::new(examiner.lowered(), region, known, &conjunction.0).unwrap();
                let mut session = program.load(&*solver).unwrap();
                session.limit(1.0);
                let mut waiting = vec![Vec::new()];
                while let Some(splits) = waiting.pop() {
                    let Some(dual) = session.solve(&splits, &Limits::default()).unwrap() else { return false };
                    match dual.branch {
                        _ if dual.bound > 1e-6 => steps.push(Step::Linear(dual.form)),
                        Some((node, element)) if waiting.len() < 40 => {
                            split += 1;
                            steps.push(Step::SplitRelu { node, index: element as u32 });
                            let case = |active| [&splits[..], &[Phase { node, element, active }]].concat();
                            waiting.extend([case(true), case(false)]);
                        }
                        _ => return false,
                    }
                }
                true
            });
            if proved {
                let certificate = examiner.finish(steps).unwrap_or_else(|refusal| panic!("seed {seed}: {refusal}"));
                check(&case.query, &certificate, Arithmetic::Exact).expect("the exact checker agrees");
                accepted += 1;
            }
        }
        assert!(accepted > 20 && split > 20, "{accepted} accepted, {split} splits");
    }
}

/// A limit is for one run, however long the runs before it took together.
#[test]
fn a_time_limit_is_that_of_one_run() {
    let case = random_case(3);
    let p = Propagation::new(&case.lowered, case.query.region(), Tier::Interval);
    let known = |id: NodeId| Some(Known { lower: &p.bounds(id).lower, upper: &p.bounds(id).upper });
    let constraints = &case.query.unsafe_set()[0].0;
    let program = DualProgram::new(&case.lowered, case.query.region(), known, constraints).unwrap();
    for solver in solvers() {
        let mut session = program.load(&*solver).unwrap();
        let (limit, start) = (Duration::from_millis(250), Instant::now());
        for turn in 0.. {
            session.limit(f64::from(turn % 2));
            assert!(session.solve(&[], &Limits { time: Some(limit) }).unwrap().is_some(), "{}", solver.name());
            if start.elapsed() > 2 * limit {
                break;
            }
        }
    }
}

#[test]
fn what_has_no_dual_program_is_refused_by_name() {
    let network = Case::read("tests/cases/gather_zeros.unm".as_ref()).query.network().clone();
    let region = InputRegion::ball(vec![0.0, 0.5], Norm::L2, "1/2".parse().unwrap(), None).unwrap();
    let case = Case::new(Query::robustness(network, region, 0).unwrap(), Objective::Worst);
    let new = |constraints: &[_]| DualProgram::new(&case.lowered, case.query.region(), |_| None, constraints);
    assert!(matches!(new(&case.query.unsafe_set()[0].0), Err(EncodeError::L2(_))));
}
