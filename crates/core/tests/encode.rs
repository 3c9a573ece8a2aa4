//! Every case as a snapshot of its listing, and its trace test: the snapshot freezes the encoding, the trace shows that it
//! loses no point of the region.

mod common;

use common::random::random_case;
use common::{Case, Random, cost, rebuilt, samples, violations};
use unmoved_bounds::{LinearForm, Propagation, Tier};
use unmoved_core::{Objective, dual_bound};
use unmoved_ir::{Exact, NodeId, Op, Rational, Tensor};

#[test]
fn listing() {
    insta::glob!("cases/*.unm", |path| {
        let text = std::fs::read_to_string(path).unwrap();
        let why = text.lines().next().unwrap().trim_start_matches("# ");
        let milp = Case::parse(&text).milp();
        let listing = milp.listing();
        assert!(listing.lines().count() <= 60, "a listing has at most 60 lines");
        insta::with_settings!({ description => why, omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(listing);
        });
    });
}

#[test]
fn every_input_is_a_point_of_the_program() {
    insta::glob!("cases/*.unm", |path| {
        let case = Case::read(path);
        let milp = case.milp();
        let (mut points, mut unsafe_points) = (0, 0);
        for input in samples(&case, 200) {
            points += 1;
            case.check_trace(&milp, case.query.network(), &input).unwrap();
            let worst = case.worst(&input);
            unsafe_points += usize::from(worst <= Rational::ZERO);
            if case.objective == Objective::Worst {
                let point = case.point(&milp, case.query.network(), &input);
                assert_eq!(cost(&milp, &point), worst, "the cost is not the margin");
            }
        }
        assert!(points > 100, "few samples lie in the region of {}", path.display());
        assert!(case.objective == Objective::Worst || unsafe_points > 0, "no sample is unsafe: {}", path.display());
    });
}

/// The network of a slack case is not known exactly: every one within the slack must fit the program.
#[test]
fn slack_covers_the_networks_that_the_file_may_mean() {
    let case = Case::read("tests/cases/slack.unm".as_ref());
    let milp = case.milp();
    for (weight, bias) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0), (0.5, -0.25)] {
        let network = rebuilt(case.query.network(), |_, op| {
            let Op::Dense(d) = op else { return };
            let Some(slack) = &d.slack else { return };
            let moved = |t: &Tensor, by: &dyn Fn(usize, f64) -> f64| {
                let values = t.to_f64().iter().enumerate().map(|(k, &v)| v + by(k, v)).collect();
                Tensor::f64(t.shape().dims(), values).unwrap()
            };
            let columns = d.inputs();
            d.weight = moved(&d.weight, &|k, w| weight * slack.weight[k / columns] * w);
            d.bias = moved(&d.bias, &|k, _| bias * slack.bias[k]);
        });
        for input in samples(&case, 50) {
            case.check_trace(&milp, &network, &input).unwrap();
        }
    }
}

/// A test of the test: an unsound right-hand side may leave the optimum as it is, the trace names the row all the same.
#[test]
fn trace_finds_an_unsound_cap() {
    let case = Case::read("tests/cases/dense_relu.unm".as_ref());
    let mut milp = case.milp();
    let row = milp.rows.iter_mut().find(|r| r.name == "a1.0:cap_on").unwrap();
    assert_eq!(row.rhs, 0.25);
    row.rhs = 0.0;
    let faults: Vec<String> = samples(&case, 100)
        .iter()
        .flat_map(|x| violations(&milp, &case.point(&milp, case.query.network(), x)))
        .map(|(_, what)| what)
        .collect();
    assert!(!faults.is_empty());
    assert!(faults.iter().all(|f| f.starts_with("a1.0:cap_on")), "{faults:?}");
}

proptest::proptest! {
    /// The same of random networks with weights that are not dyadic, over all kinds of region and objective: every row and
    /// bound must hold exactly, so a coefficient rounded the wrong way shows.
    #[test]
    fn random_networks_lose_no_input(seed: u64) {
        let case = random_case(seed);
        let milp = case.milp();
        for input in samples(&case, 20) {
            case.check_trace(&milp, case.query.network(), &input).unwrap();
        }
    }

    /// The lower bound of a linear form holds for any multipliers, at every point.
    #[test]
    fn any_multipliers_are_sound(seed: u64, scale in 0.0..2.0f64) {
        let case = random_case(seed);
        let region = case.query.region();
        let propagation = Propagation::new(&case.lowered, region, Tier::Linear);
        let network = &case.lowered.network;
        let mut random = Random(seed);
        let element = random.below(network.output_len());
        let sign = if random.below(2) == 0 { 1.0 } else { -1.0 };
        let form = LinearForm::element(network.output(), element, sign);
        let salt = random.below(1000) as f64;
        let any = |node: NodeId, k: usize| {
            let wild = ((node.0 * 31 + k) as f64 * 12.9898 + salt).sin() * scale;
            (!k.is_multiple_of(3)).then_some(wild)
        };
        let bound = dual_bound(&propagation, region, &form, any);
        let proved = Rational::from_f64(bound.value).unwrap();
        for input in samples(&case, 20) {
            let exact: Vec<Exact> = input.iter().map(|&x| Exact::from_f64(f64::from(x))).collect();
            let y = network.forward(&exact).unwrap()[element].to_rational();
            let y = if sign > 0.0 { y } else { -&y };
            assert!(proved <= y, "{proved} is above {y}");
        }
        // Without multipliers of its own it is the linear tier's pass.
        let default = dual_bound(&propagation, region, &form, |_, _| None).value;
        let mut propagation = propagation;
        let linear = propagation.minima(&[form])[0];
        // (Which charges the slack of an inexact import a little more generously.)
        let exact = !network.has_slack();
        assert!(default > linear - 1e-9 && (!exact || default < linear + 1e-9), "{default} against {linear}");
    }
}
