use super::shallow::Shallow;
use super::walk::Best;
use super::*;
use std::sync::Arc;
use unmoved_check::replay_point;
use unmoved_ir::testing::{Recipe, Rng, random_network};
use unmoved_ir::{Builder, DType, Dense, Network, Op, Rational, Tensor};
use unmoved_property::{Conjunction, Constraint, InputRegion, Norm};

/// Dense layers with ReLUs between them, each as rows of weights and biases.
fn layers(inputs: usize, layers: &[(Vec<Vec<f32>>, Vec<f32>)]) -> Arc<Network> {
    let mut b = Builder::new();
    let mut x = b.input("x", &[inputs], DType::F32).unwrap();
    for (k, (rows, bias)) in layers.iter().enumerate() {
        if k > 0 {
            x = b.push(&format!("a{k}"), Op::Relu, &[x]).unwrap();
        }
        let weight = Tensor::f32(&[rows.len(), rows[0].len()], rows.concat()).unwrap();
        let dense = Dense::new(weight, Tensor::f32(&[bias.len()], bias.clone()).unwrap()).unwrap();
        x = b.push(&format!("h{k}"), Op::Dense(dense), &[x]).unwrap();
    }
    Arc::new(b.finish(x).unwrap())
}

/// Unsafe where the only output is not positive.
fn not_positive(network: Arc<Network>, region: InputRegion) -> Query {
    let output = vec![(0, Rational::ONE)];
    let constraint = Constraint { outputs: output, inputs: vec![], constant: Rational::ZERO, strict: false };
    Query::new(network, region, vec![Conjunction(vec![constraint])]).unwrap()
}

fn ball(norm: Norm, inputs: usize) -> InputRegion {
    InputRegion::ball(vec![0.0; inputs], norm, Rational::ONE, None).unwrap()
}

fn strongly(query: &Query, accept: impl FnMut(&Point) -> bool) {
    let compact = compact(&Examiner::new(query).unwrap(), query);
    let open: Vec<usize> = (0..query.unsafe_set().len()).collect();
    let strong = Strong { query, compact: &compact, open: &open, starts: &[], operations: 1e7, seed: 1 };
    strong.run(|| false, accept);
}

/// One corner of 256 is unsafe, and the slopes everywhere else lead away from it.
fn corners() -> [Query; 2] {
    let signs = [1.0, -1.0, -1.0, 1.0, 1.0, -1.0, 1.0, -1.0];
    let away = signs.map(|s| 0.01 * s).to_vec();
    let hidden = (vec![signs.to_vec(), away], vec![-7.0, 1.0]);
    let shallow = layers(8, &[hidden.clone(), (vec![vec![-1.0, 1.0]], vec![-0.5])]);
    let copy = (vec![vec![1.0, 0.0], vec![0.0, 1.0]], vec![1.0; 2]);
    let deep = layers(8, &[hidden, copy, (vec![vec![-1.0, 1.0]], vec![-0.5])]);
    [shallow, deep].map(|network| not_positive(network, ball(Norm::Linf, 8)))
}

#[test]
fn the_strong_attack_finds_a_corner_that_gradients_lead_away_from() {
    for query in corners() {
        let outcome = attack(&query, &AttackOptions::default()).unwrap();
        assert!(matches!(outcome.verdict, Verdict::Unknown(Reason::NotFound { .. })), "{:?}", outcome.verdict);
        let mut found = [Candidates::default(), Candidates::default()];
        for found in &mut found {
            strongly(&query, |x| found.accept(&query, x));
        }
        let [first, again] = found.map(|found| found.counterexample.expect("one corner is unsafe"));
        assert_eq!(first, again);
        assert_eq!(replay_point(&query, &first.input), Ok(first));
    }
}

#[test]
fn given_starts_are_used_and_stop_is_obeyed() {
    let [query, _] = corners();
    let compact = compact(&Examiner::new(&query).unwrap(), &query);
    let near = vec![0.9, -0.9, -1.0, 1.0, 0.9, -1.0, 1.0, -1.0];
    let starts = [(0, near)];
    let strong = Strong { query: &query, compact: &compact, open: &[0], starts: &starts, operations: 0.0, seed: 1 };
    let mut found = Candidates::default();
    strong.run(|| false, |x| found.accept(&query, x));
    assert!(found.counterexample.is_some());
    let mut shown = 0;
    Strong { starts: &[], operations: 1e12, ..strong }.run(
        || true,
        |_| {
            shown += 1;
            false
        },
    );
    assert_eq!(shown, 0);
}

#[test]
fn all_that_is_shown_lies_in_the_region_and_is_unsafe_but_for_rounding() {
    let mut rng = Rng(21);
    let mut shown = [0; 3];
    for case in 0..90 {
        let network = Arc::new(random_network(&mut rng, &Recipe::default()));
        let (centre, norm) = (vec![0.5; network.input().shape.len()], case % 3);
        let label = rng.below(network.output_len());
        let range = Some((Rational::ZERO, Rational::ONE));
        let eps = ["1/4", "1"][case % 2].parse().unwrap();
        let region = InputRegion::ball(centre, [Norm::Linf, Norm::L1, Norm::L2][norm], eps, range).unwrap();
        let query = Query::robustness(network.clone(), region, label).unwrap();
        let mut points = 0;
        strongly(&query, |point| {
            points += 1;
            assert!(query.region().contains_point(point), "case {case}");
            assert!(seems_unsafe(&query, &point.nearest).unwrap(), "case {case}");
            let mut found = Candidates::default();
            let is_accepted = found.accept(&query, point);
            assert_eq!(is_accepted, found.counterexample.is_some());
            points > 20
        });
        shown[norm] += points;
    }
    assert!(shown.iter().all(|&n| n > 20), "{shown:?}");
}

#[test]
fn a_sweep_ends_where_no_input_alone_gains() {
    let mut rng = Rng(22);
    for case in 0..30 {
        let (inputs, units) = (1 + rng.below(12), 1 + rng.below(40));
        let mut row = |len: usize| (0..len).map(|_| rng.signed() as f32).collect::<Vec<f32>>();
        let hidden = (0..units).map(|_| row(inputs)).collect();
        let network = layers(inputs, &[(hidden, row(units)), (vec![row(units)], row(1))]);
        let query = not_positive(network.clone(), ball(Norm::Linf, inputs));
        let shallow = Shallow::new(&query).expect("one hidden layer over a box");
        let form = shallow.form(&query.unsafe_set()[0]).expect("one constraint");
        let value = |x: &[f64]| network.forward(x).unwrap()[0];
        let x: Vec<f64> = (0..inputs).map(|_| f64::from(rng.signed() as f32)).collect();
        let before = value(&x);
        let mut random = fastrand::Rng::with_seed(case);
        let end = shallow.sweep(&form, Best { value: before as f32, x }, &mut random);
        assert!((f64::from(end.value) - value(&end.x)).abs() < 1e-4, "case {case}");
        assert!(value(&end.x) < before + 1e-4, "case {case}");
        for (i, to) in (0..inputs).flat_map(|i| [(i, -1.0), (i, 1.0)]) {
            let mut other = end.x.clone();
            other[i] = to;
            assert!(value(&other) > value(&end.x) - 1e-4, "case {case}: input {i}");
        }
    }
    let deep = corners()[1].clone();
    assert!(Shallow::new(&deep).is_none());
    let round = not_positive(deep.network().clone(), ball(Norm::L2, 8));
    assert!(Shallow::new(&round).is_none());
}
