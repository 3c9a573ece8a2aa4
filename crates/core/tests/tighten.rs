//! Progressive tightening: sound, each tier at least as tight as the one before, and LP duals that the checker accepts.

mod common;

use common::{Case, random::random_case};
use unmoved_bounds::{Propagation, Tier};
use unmoved_core::{Budget, TightenError, Tightening, tighten};

fn case(name: &str) -> Case {
    Case::read(format!("tests/cases/{name}.unm").as_ref())
}

#[test]
#[cfg(not(feature = "highs"))]
fn without_highs_programs_are_refused_and_nothing_falls_back() {
    use unmoved_core::SolverError;
    let case = case("dense_relu");
    let region = case.query.region();
    let mut p = Propagation::new(&case.lowered, region, Tier::Interval);
    for method in [Tightening::Lp, Tightening::Milp { trust_solver: false }, Tightening::Milp { trust_solver: true }] {
        let error = tighten(&mut p, region, method, Budget::default()).unwrap_err();
        assert!(matches!(error, TightenError::Solver(SolverError::NeedsHighs { .. })), "{error}");
        assert!(error.to_string().contains("--features highs"));
    }
    tighten(&mut p, region, Tightening::Linear, Budget::default()).unwrap();
}

#[test]
fn the_linear_tier_is_that_of_the_propagation() {
    for seed in 0..20 {
        let case = random_case(seed);
        let region = case.query.region();
        let mut p = Propagation::new(&case.lowered, region, Tier::Interval);
        tighten(&mut p, region, Tightening::Interval, Budget::default()).unwrap();
        let before = p.unstable();
        let report = tighten(&mut p, region, Tightening::Linear, Budget::default()).unwrap();
        assert!(report.neurons.is_empty() && !report.trusts_solver && !report.out_of_time);
        assert_eq!(p.unstable(), Propagation::new(&case.lowered, region, Tier::Linear).unstable(), "seed {seed}");
        assert!(p.unstable() <= before);
    }
}

#[cfg(feature = "highs")]
mod highs {
    use super::*;
    use std::time::Duration;
    use unmoved_core::{EncodeError, Objective};
    use unmoved_ir::{Exact, NodeId};
    use unmoved_property::{InputRegion, Norm, Query};

    /// Every bound of every tier holds at every sampled point, exactly.
    fn assert_sound(case: &Case, p: &Propagation<'_>, tier: &str) {
        for input in common::samples(case, 20) {
            let exact: Vec<Exact> = input.iter().map(|&x| Exact::from_f64(f64::from(x))).collect();
            for (node, values) in case.lowered.network.trace(&exact).unwrap().iter().enumerate() {
                let b = p.bounds(NodeId(node));
                for (k, v) in values.iter().enumerate() {
                    let inside = *v >= Exact::from_f64(b.lower[k]) && *v <= Exact::from_f64(b.upper[k]);
                    assert!(inside, "{tier}: node {node}.{k} is {} outside {:?}", v.to_f64(), (b.lower[k], b.upper[k]));
                }
            }
        }
    }

    #[test]
    fn each_tier_is_sound_and_at_least_as_tight() {
        let (mut asked, mut gained, mut claimed) = (0, 0, 0);
        for seed in 0..150 {
            let case = random_case(seed);
            let region = case.query.region();
            let mut linear = Propagation::new(&case.lowered, region, Tier::Linear);
            tighten(&mut linear, region, Tightening::Linear, Budget::default()).unwrap();
            let run = |method| {
                let mut p = Propagation::new(&case.lowered, region, Tier::Linear);
                let report = tighten(&mut p, region, method, Budget::default()).unwrap();
                (p, report)
            };
            let (lp, lp_report) = run(Tightening::Lp);
            let (untrusted, report) = run(Tightening::Milp { trust_solver: false });
            let (trusted, trusted_report) = run(Tightening::Milp { trust_solver: true });
            assert_sound(&case, &lp, "LP");
            assert!(lp.unstable() <= linear.unstable() && trusted.unstable() <= lp.unstable());
            assert!(!lp_report.trusts_solver && !report.trusts_solver);
            // What is not trusted is reported, not used.
            for node in 0..case.lowered.network.nodes().len() {
                assert_eq!(untrusted.bounds(NodeId(node)), lp.bounds(NodeId(node)));
            }
            let claims = |n: &unmoved_core::Tightened| n.claimed.is_some();
            assert_eq!(trusted_report.trusts_solver, trusted_report.neurons.iter().any(claims));
            for n in &report.neurons {
                asked += 1;
                gained += usize::from(n.proved[0] > n.before[0] + 1e-6 || n.proved[1] < n.before[1] - 1e-6);
                let Some([low, high]) = n.claimed else { continue };
                claimed += usize::from(low > n.proved[0] + 1e-6 || high < n.proved[1] - 1e-6);
            }
        }
        assert!(asked > 50 && gained > 10 && claimed > 10, "{asked} asked, LP tightened {gained}, MILP {claimed}");
    }

    #[test]
    fn no_time_changes_nothing_and_says_so() {
        let case = case("residual_add");
        let region = case.query.region();
        let mut p = Propagation::new(&case.lowered, region, Tier::Linear);
        let before = p.unstable();
        let budget = Budget { total: Some(Duration::ZERO), each: None };
        let report = tighten(&mut p, region, Tightening::Lp, budget).unwrap();
        assert_eq!(p.unstable(), before);
        assert!(report.out_of_time || report.neurons.is_empty());
    }

    #[test]
    fn l2_balls_are_refused_by_name() {
        let network = case("gather_zeros").query.network().clone();
        let region = InputRegion::ball(vec![0.0, 0.5], Norm::L2, "1/2".parse().unwrap(), None).unwrap();
        let case = Case::new(Query::robustness(network, region, 0).unwrap(), Objective::Worst);
        let mut p = Propagation::new(&case.lowered, case.query.region(), Tier::Interval);
        let error = tighten(&mut p, case.query.region(), Tightening::Lp, Budget::default()).unwrap_err();
        assert!(matches!(error, TightenError::Encode(EncodeError::L2(_))), "{error}");
    }
}
