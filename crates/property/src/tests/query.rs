//! Queries and their text.

use super::*;
use proptest::prelude::*;
use std::sync::Arc;
use unmoved_ir::{Builder, DType, Dense, Exact, Network, Op, Tensor};

fn network_with(softmax: bool) -> Arc<Network> {
    let mut b = Builder::new();
    let x = b.input("x", &[2], DType::F32).unwrap();
    let weight = Tensor::f32(&[3, 2], vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0]).unwrap();
    let dense = Dense::new(weight, Tensor::f32(&[3], vec![0.0; 3]).unwrap());
    let y = b.push("y", Op::Dense(dense.unwrap()), &[x]).unwrap();
    if softmax {
        b.drop_softmax("softmax", "Softmax");
    }
    Arc::new(b.finish(y).unwrap())
}

fn network() -> Arc<Network> {
    network_with(false)
}

fn ball(norm: Norm, eps: &str) -> InputRegion {
    InputRegion::ball(vec![0.5, 0.25], norm, rational(eps), unit()).unwrap()
}

fn constraint(outputs: &[(usize, i64)], inputs: &[(usize, i64)], constant: i64) -> Constraint {
    let list = |v: &[(usize, i64)]| v.iter().map(|(k, c)| (*k, Rational::from(*c))).collect();
    Constraint { outputs: list(outputs), inputs: list(inputs), constant: Rational::from(constant), strict: false }
}

#[test]
fn query_text_is_canonical_and_reads_back() {
    let query = Query::robustness(network(), ball(Norm::L2, "8/255"), 1).unwrap();
    let text = query.to_text();
    assert_eq!(
        text,
        "query 1\nball l2 8/255 range 0 1\ncentre 0.5 0.25\nor\nle 0 y0 -1 y1 1\nor\nle 0 y1 1 y2 -1\nend\n"
    );
    let again = Query::from_text(network(), &text).unwrap();
    assert_eq!(again.to_text(), text);
    assert_eq!(again.digest(), query.digest());
}

#[test]
fn constraints_are_brought_into_canonical_form() {
    let messy = constraint(&[(2, 1), (0, 3), (2, 4), (1, 0)], &[(1, 2), (1, -2)], 7);
    let query = Query::new(network(), ball(Norm::L1, "1"), vec![Conjunction(vec![messy])]).unwrap();
    assert_eq!(query.unsafe_set()[0].0, [constraint(&[(0, 3), (2, 5)], &[], 7)]);
    assert_eq!(Query::from_text(network(), &query.to_text()).unwrap().unsafe_set(), query.unsafe_set());
}

#[test]
fn queries_that_do_not_fit_the_network_are_refused() {
    let ask = |softmax, c: Constraint| {
        Query::new(network_with(softmax), ball(Norm::Linf, "1/10"), vec![Conjunction::default(), Conjunction(vec![c])])
    };
    let message = |q: Result<Query, PropertyError>| q.unwrap_err().to_string();
    let wide = InputRegion::ball(vec![0.5; 3], Norm::L1, Rational::ONE, None).unwrap();
    let mut b = Builder::new();
    let x = b.input("x", &[2], DType::F32).unwrap();
    let one = Dense::new(Tensor::zeros(&[1, 2]).unwrap(), Tensor::zeros(&[1]).unwrap()).unwrap();
    let y = b.push("y", Op::Dense(one), &[x]).unwrap();
    let one_output = Arc::new(b.finish(y).unwrap());
    let messages = [
        message(Query::robustness(network(), wide, 0)),
        message(Query::robustness(network(), ball(Norm::L1, "1"), 3)),
        message(Query::robustness(one_output, ball(Norm::L1, "1"), 0)),
        message(ask(false, constraint(&[(3, 1)], &[], 0))),
        message(ask(false, constraint(&[], &[(2, 1)], 0))),
        message(ask(true, constraint(&[(0, 1)], &[], 0))),
        message(ask(true, constraint(&[(0, 1), (1, -1)], &[], 1))),
        message(ask(true, constraint(&[(0, 1), (1, -2)], &[], 0))),
        message(ask(true, constraint(&[(0, 1), (1, -1)], &[(0, 1)], 0))),
        message(ask(true, constraint(&[], &[], 0))),
    ];
    insta::assert_snapshot!(messages.join("\n"));
    assert!(ask(true, constraint(&[(0, 2), (2, -2)], &[], 0)).is_ok());
    assert!(ask(true, constraint(&[(2, -1), (0, 1), (1, 0)], &[], 0)).is_ok());
    assert!(Query::robustness(network_with(true), ball(Norm::L1, "1"), 2).is_ok());
}

#[test]
fn violations_are_decided_exactly() {
    let query = Query::robustness(network(), ball(Norm::Linf, "1"), 0).unwrap();
    let at = |y: [f64; 3]| {
        let y = y.map(Exact::from_f64);
        query.violated_at(&[Exact::ZERO, Exact::ZERO], &y).map(|(k, _)| k)
    };
    assert_eq!(at([1.0, 0.0, 0.5]), None);
    assert_eq!(at([1.0, 1.0, 0.5]), Some(0), "a tie violates");
    assert_eq!(at([1.0, 1.0f64.next_down(), 1.0]), Some(1));
    let mut strict = constraint(&[(0, 1)], &[(1, 2)], -3);
    strict.strict = true;
    let query = Query::new(network(), ball(Norm::Linf, "1"), vec![Conjunction(vec![strict])]).unwrap();
    let value = |y0: f64, x1: f64| {
        let y = [y0, 0.0, 0.0].map(Exact::from_f64);
        query.violated_at(&[Exact::ZERO, Exact::from_f64(x1)], &y).map(|(_, v)| v)
    };
    assert_eq!(value(1.0, 1.0), None, "strict");
    assert_eq!(value(1.0, 0.5), Some(vec![rational("-1")]));
    let everything = Query::new(network(), ball(Norm::L1, "1"), vec![Conjunction::default()]).unwrap();
    assert!(everything.violated_at(&[], &[]).is_some(), "an empty conjunction always holds");
    let nothing = Query::new(network(), ball(Norm::L1, "1"), vec![]).unwrap();
    assert!(nothing.violated_at(&[], &[]).is_none());
}

#[test]
fn text_that_is_no_query_is_refused_with_its_line() {
    let head = "query 1\nball linf 1/10 range 0 1\ncentre 0.5 0.25\n";
    let texts: Vec<String> = [
        "",
        "# nothing\n\n",
        "query",
        "query 2",
        "query 1 1",
        "query 1",
        "query 1\nsphere",
        "query 1\nball",
        "query 1\nball l3 1",
        "query 1\nball l2",
        "query 1\nball l2 x",
        "query 1\nball l2 1/0 unbounded",
        "query 1\nball l2 1 from",
        "query 1\nball l2 1 range 0",
        "query 1\nball l2 1 unbounded 0",
        "query 1\nball l2 1 unbounded",
        "query 1\nball l2 1 unbounded\nlower 1",
        "query 1\nball l2 1 unbounded\ncentre 1 one",
        "query 1\nbox 1",
        "query 1\nbox\nlower 0\nlower 1",
        "query 1\nbox\nlower 0 0\nupper 1",
        "query 1\nball l2 1 unbounded\ncentre NaN 0\nend",
        "query 1\nball l2 -1 unbounded\ncentre 0 0\nend",
        "query 1\nball l2 1 unbounded\ncentre 0\nend",
    ]
    .iter()
    .map(|t| t.to_string())
    .chain(
        [
            "",
            "le 0 y0 1",
            "or",
            "or 1",
            "or\nle",
            "or\nle x",
            "or\nle 0 y0",
            "or\nle 0 y0 x",
            "or\nle 0 z0 1",
            "or\nle 0 y 1",
            "or\nle 0 y-1 1",
            "or\nle 0 y+1 1",
            "or\nle 0 y1 1 y0 1",
            "or\nle 0 y1 1 y1 1",
            "or\nle 0 x0 1 y0 1",
            "or\nle 0 y0 0",
            "or\neq 0",
            "or\nle 0 y9 1\nend",
            "end end",
            "end\nor",
            "or\nle 0 y99999999999999999999999 1",
        ]
        .iter()
        .map(|t| format!("{head}{t}")),
    )
    .collect();
    let refusals: Vec<String> = texts
        .iter()
        .map(|t| {
            let error = Query::from_text(network(), t).unwrap_err();
            format!("{:?}\n    {error}", t.strip_prefix(head).map_or(t.clone(), |t| format!("... {t}")))
        })
        .collect();
    insta::assert_snapshot!(refusals.join("\n"));
}

#[test]
fn comments_and_blank_lines_are_skipped() {
    let text =
        "# why\nquery 1 # version\n\nbox\nlower 0 1/3 \n upper 1 2/3\r\nor # one\nlt -1/2 y0 1 x1 -0.5\nend\n# done\n";
    let query = Query::from_text(network(), text).unwrap();
    assert_eq!(query.to_text(), "query 1\nbox\nlower 0 1/3\nupper 1 2/3\nor\nlt -1/2 y0 1 x1 -1/2\nend\n");
}

fn any_rational() -> impl Strategy<Value = Rational> {
    (-1000i64..1000, 1i64..1000).prop_map(|(n, d)| Rational::from(n).checked_div(&Rational::from(d)).unwrap())
}

fn any_constraint() -> impl Strategy<Value = Constraint> {
    let terms = |n: usize| proptest::collection::vec((0..n, any_rational()), 0..4);
    (terms(3), terms(2), any_rational(), any::<bool>()).prop_map(|(outputs, inputs, constant, strict)| Constraint {
        outputs,
        inputs,
        constant,
        strict,
    })
}

fn any_region() -> impl Strategy<Value = InputRegion> {
    let ends = (any_rational(), any_rational()).prop_map(|(a, b)| (a.clone().min(b.clone()), a.max(b)));
    let boxed = proptest::collection::vec(ends, 2).prop_map(|ends| {
        let (lower, upper) = ends.into_iter().unzip();
        InputRegion::boxed(lower, upper).unwrap()
    });
    let finite = any::<f64>().prop_filter_map("finite", |v| (v.abs() < 1e300).then_some(v));
    let ball = (proptest::collection::vec(finite, 2), 0usize..3, any_rational())
        .prop_map(|(centre, norm, eps)| InputRegion::ball(centre, NORMS[norm], eps.abs(), None).unwrap());
    let ranged = (proptest::collection::vec(0.0f64..1.0, 2), 0usize..3, any_rational())
        .prop_map(|(centre, norm, eps)| InputRegion::ball(centre, NORMS[norm], eps.abs(), unit()).unwrap());
    prop_oneof![boxed, ball, ranged]
}

proptest! {
    #[test]
    fn text_round_trips(
        region in any_region(), unsafe_set in proptest::collection::vec(proptest::collection::vec(any_constraint(), 0..3), 0..3),
    ) {
        let query = Query::new(network(), region, unsafe_set.into_iter().map(Conjunction).collect()).unwrap();
        let again = Query::from_text(network(), &query.to_text()).unwrap();
        prop_assert_eq!(again.region(), query.region());
        prop_assert_eq!(again.unsafe_set(), query.unsafe_set());
        prop_assert_eq!(again.to_text(), query.to_text());
    }

    #[test]
    fn reading_never_panics(text in "(query 1\n)?(ball l2 1 unbounded\ncentre 0 0\n)?([a-z0-9 ./\n-]{0,60})") {
        let _ = Query::from_text(network(), &text);
    }
}
