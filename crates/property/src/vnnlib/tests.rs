//! What is read, what is refused, and that nothing changes its meaning.

use super::{Version, VnnlibError, VnnlibProblem, WriteError, declarations, read, write};
use crate::{Conjunction, Constraint, InputRegion, PropertyError, Query};
use crate::{Norm, RegionKind};
use proptest::prelude::*;
use std::fmt::Write as _;
use std::sync::Arc;
use unmoved_ir::{Builder, DType, Dense, Exact, Network, Op, Rational, Tensor};

/// Two inputs, three outputs.
fn network() -> Arc<Network> {
    let mut b = Builder::new();
    let x = b.input("x", &[2], DType::F32).unwrap();
    let weight = Tensor::f32(&[3, 2], vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0]).unwrap();
    let dense = Dense::new(weight, Tensor::f32(&[3], vec![0.0; 3]).unwrap());
    let y = b.push("y", Op::Dense(dense.unwrap()), &[x]).unwrap();
    Arc::new(b.finish(y).unwrap())
}

const DECLARED: &str = "(declare-const X_0 Real)\n(declare-const X_1 Real)\n(declare-const Y_0 Real)\n\
                        (declare-const Y_1 Real)\n(declare-const Y_2 Real)\n";
const BOX: &str = "(assert (>= X_0 -1)) (assert (<= X_0 1)) (assert (>= X_1 -1)) (assert (<= X_1 1))\n";

/// The queries of a text after declarations and a box, as query files show them.
fn shown(text: &str) -> String {
    let queries = read(&format!("{DECLARED}{BOX}{text}"), &network()).unwrap();
    queries.iter().map(Query::to_text).collect()
}

#[test]
fn properties_of_the_competitions_are_read() {
    let texts = [
        // Robustness.
        "(assert (or\n    (and (>= Y_0 Y_1))\n    (and (>= Y_2 Y_1))\n))",
        // All must hold; constants.
        "(assert (<= Y_0 0.053810551856458395)) (assert (>= Y_0 -0.05)) (assert (>= Y_1 Y_2))",
        // Several in a disjunct.
        "(assert (or (and (<= Y_0 Y_1) (<= Y_0 Y_2)) (and (<= Y_1 Y_0) (<= Y_1 Y_2))))",
        // Boxes, one of them twice, and one looser than what holds anyway.
        "(assert (or (and (<= X_0 0.5) (>= X_0 0.25) (>= Y_0 1)) (and (<= X_0 -0.25) (>= Y_0 2))
                     (and (>= X_0 0.25) (>= Y_0 3) (<= X_0 0.5)) (and (<= X_0 7) (>= Y_0 4))))",
        // Boxes times disjuncts.
        "(assert (or (and (<= X_0 0)) (and (>= X_0 0)))) (assert (or (<= Y_0 Y_1) (<= Y_0 Y_2)))",
        "(assert (and (or (<= Y_0 1) (<= Y_1 1)) (or (<= Y_0 2) (<= Y_1 2))))",
        // Terms.
        "(assert (<= (+ (* 2 Y_0) (* Y_1 -0.5) Y_1 1 2) (- Y_2 X_0 0.25))) (assert (>= (- Y_0) (- 3e-2)))",
        "(assert (= Y_0 (* 2 (+ Y_1 (* 0.5 3)))))",
        // Strict comparisons of outputs, and of an input, whose end stays in the box.
        "(assert (< Y_0 Y_1)) (assert (> X_0 0.5)) (assert (< (* -3 X_1) 1))",
        // Two inputs together are a constraint, no bound.
        "(assert (<= X_0 X_1)) (assert (<= Y_0 0))",
        // What says nothing, and what never holds.
        "(assert (<= 0 1)) (assert (or (and (<= Y_0 Y_0) (<= Y_0 1)) (< Y_1 Y_1)))",
        "(assert (or (< 1 0) (<= (+ Y_0 1) Y_0)))",
        "; nothing is asserted of the outputs: every input of the box will do",
    ];
    let all: Vec<String> = texts.iter().map(|t| format!("{t}\n----\n{}", shown(t))).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn numbers_are_not_rounded() {
    let text = "(assert (<= Y_0 0.1000000000000000055511151231257827)) (assert (<= X_0 3.947775860895387e-05))";
    let query = shown(text);
    assert!(query.contains("-1000000000000000055511151231257827/10000000000000000000000000000000000"), "{query}");
    assert!(query.contains("3947775860895387/100000000000000000000"), "{query}");
}

/// Errors of whole texts.
fn refusals(texts: &[&str]) -> String {
    let message = |text: &str| match read(text, &network()) {
        Ok(queries) => panic!("{text} is read as {} queries", queries.len()),
        Err(VnnlibError::Text { place, problem }) => format!("{problem}\n{}\n\n", place.excerpt("p.vnnlib")),
        Err(error) => format!("{error}\n"),
    };
    texts.iter().map(|t| message(t)).collect()
}

#[test]
fn what_is_no_vnnlib_is_refused_with_its_place() {
    insta::assert_snapshot!(refusals(&[
        "X_0",
        ")",
        "(",
        "()",
        "(assert",
        "(assert)",
        "(check-sat)",
        "(declare-fun X_0 () Real)",
        "(declare-const)",
        "(declare-const X_0)",
        "(declare-const X_0 Int)",
        "(declare-const X_0 Real",
        "(declare-const X_0 Real)\n  (declare-const X_0 Real)",
        "(declare-const X_2 Real)",
        "(declare-const Y_3 Real)",
        "(declare-const Y_99999999999999999999999 Real)",
        "(declare-const X_ Real)",
        "(declare-const X_01 Real)",
        "(declare-const X_-1 Real)",
        "(declare-const input Real)",
        "(assert (<= X_0 1))",
        "; na\u{ef}ve \u{2200}\n(declare-const Y_0 Real) ; \u{1f600}\n\u{a0}(assert (=> Y_0 1))",
    ]));
    let declared = |texts: &[&str]| {
        let texts: Vec<String> = texts.iter().map(|t| format!("{DECLARED}{t}")).collect();
        refusals(&texts.iter().map(String::as_str).collect::<Vec<_>>())
    };
    insta::assert_snapshot!(declared(&[
        "(assert true)",
        "(assert (and))",
        "(assert (or ())",
        "(assert (not (<= Y_0 1)))",
        "(assert (<= Y_0))",
        "(assert (<= Y_0 1 2))",
        "(assert (<= Y_0 1) (<= Y_0 1))",
        "(assert (<= Y_0 one))",
        "(assert (<= Y_0 1/3))",
        "(assert (<= Y_0 1.2.3))",
        "(assert (<= Y_0 -))",
        "(assert (<= Y_0 1e9999))",
        "(assert (<= Y_0 (* 1e600 (+ 1 1e600))))",
        "(assert (<= (* 1e600 X_0) 1e-600))",
        "(assert (<= Y_0 (/ 1 3)))",
        "(assert (<= Y_0 (* Y_1 Y_2)))",
        "(assert (<= Y_0 (+)))",
        "(assert (<= Y_0 (+ 1",
        "(assert (<= Y_0 Y_5))",
    ]));
}

#[test]
fn what_is_no_query_about_the_network_is_refused() {
    let refused = |text: &str| read(&format!("{DECLARED}{text}"), &network()).unwrap_err();
    let unbounded = |input, side| VnnlibError::Unbounded { input: format!("X_{input}"), inputs: 2, side };
    assert_eq!(refused("(assert (<= Y_0 1))"), unbounded(0, "lower"));
    assert_eq!(refused("(assert (>= X_0 1)) (assert (>= X_1 1))"), unbounded(0, "upper"));
    let boxes = "(assert (and (<= X_0 1) (>= X_0 0) (>= X_1 0))) (assert (or (<= X_1 1) (<= Y_0 2)))";
    assert_eq!(refused(boxes), unbounded(1, "upper"));
    assert_eq!(unbounded(1, "upper").to_string(), "X_1 has no upper bound; each of the network's 2 inputs needs both");
    let empty = refused(&format!("{BOX}(assert (>= X_1 1.5))"));
    assert!(matches!(empty, VnnlibError::Property(PropertyError::EmptyBox { index: 1, .. })), "{empty}");
    let all_empty = refused(&format!("{BOX}(assert (or (>= X_1 1.5) (< X_0 -2)))"));
    assert!(matches!(all_empty, VnnlibError::Property(PropertyError::EmptyBox { index: 1, .. })), "{all_empty}");
}

#[test]
fn boxes_without_points_are_left_out() {
    // Two of the four combinations have points.
    let sides = "(assert (or (<= X_0 -0.5) (>= X_0 0.5)))\n";
    let apart = format!("{sides}(assert (or (and (<= X_0 -0.75) (<= Y_0 1)) (and (>= X_0 0.75) (<= Y_1 1))))");
    let together = "(assert (or (and (<= X_0 -0.75) (<= Y_0 1)) (and (>= X_0 0.75) (<= Y_1 1))))";
    assert_eq!(shown(&apart), shown(together));
    // An end that is not part of the box leaves one point of it.
    assert_eq!(shown("(assert (or (> X_0 1) (<= Y_0 1)))").matches("query").count(), 2);
}

#[test]
fn hostile_texts_end_in_errors() {
    let text = |body: &str| format!("{DECLARED}{BOX}(assert {body})");
    for (before, operator) in [("", "(and "), ("", "(or "), ("(<= ", "(+ "), ("(<= ", "(* 2 ")] {
        let error = read(&text(&format!("{before}{}", operator.repeat(100_000))), &network()).unwrap_err();
        assert!(matches!(error, VnnlibError::Text { problem: VnnlibProblem::TooDeep, .. }), "{error}");
    }
    let deep = format!("{}Y_0{}", "(- ".repeat(300), ")".repeat(300));
    let error = read(&text(&format!("(<= {deep} 1)")), &network()).unwrap_err();
    assert!(matches!(error, VnnlibError::Text { problem: VnnlibProblem::TooDeep, .. }), "{error}");

    // 2^40 disjuncts, in one formula and in several; and boxes beyond number.
    let or = "(or (<= Y_0 1) (<= Y_1 1)) ".repeat(40);
    assert_eq!(read(&text(&format!("(and {or})")), &network()).unwrap_err(), VnnlibError::TooLarge);
    let asserts = "(assert (or (<= Y_0 1) (<= Y_1 1)))".repeat(40);
    assert_eq!(read(&format!("{DECLARED}{BOX}{asserts}"), &network()).unwrap_err(), VnnlibError::TooLarge);
    let boxes: String = (0..1500).map(|i| format!("(<= X_0 0.{i:04}) ")).collect();
    let boxes = format!("(assert (or {boxes})) (assert (or {}))", boxes.replace("X_0", "X_1"));
    assert_eq!(read(&format!("{DECLARED}{BOX}{boxes}"), &network()).unwrap_err(), VnnlibError::TooLarge);

    // A product of long numbers stops at once, a long sum is read.
    let product = format!("(<= Y_0 (* {}))", "1e900 ".repeat(100_000));
    let error = read(&text(&product), &network()).unwrap_err();
    assert!(matches!(error, VnnlibError::Text { problem: VnnlibProblem::LongConstant, .. }), "{error}");
    assert_eq!(read(&text(&format!("(<= 0 (+ {}))", "Y_0 ".repeat(100_000))), &network()).unwrap().len(), 1);
}

/// A decimal that a text can hold.
fn decimal() -> impl Strategy<Value = String> {
    (-9999i64..10000, 0usize..7).prop_map(|(mantissa, digits)| {
        let (sign, mantissa) = (if mantissa < 0 { "-" } else { "" }, mantissa.abs());
        format!("{sign}{}.{:0digits$}", mantissa / 7, mantissa % 10i64.pow(digits as u32), digits = digits.max(1))
    })
}

/// A constraint as text and as it should be read.
fn constraint() -> impl Strategy<Value = (String, Constraint)> {
    let terms = |n: usize| proptest::collection::vec((0..n, decimal()), 0..4);
    (terms(3), terms(2), decimal(), any::<bool>()).prop_map(|(outputs, inputs, constant, strict)| {
        let mut text = format!("({} (+ {constant}", if strict { "<" } else { "<=" });
        outputs.iter().for_each(|(k, c)| write!(text, " (* {c} Y_{k})").unwrap());
        inputs.iter().for_each(|(i, c)| write!(text, " (* X_{i} {c})").unwrap());
        text.push_str(") 0)");
        let list = |v: Vec<(usize, String)>| v.into_iter().map(|(k, c)| (k, c.parse().unwrap())).collect();
        let (outputs, inputs, constant) = (list(outputs), list(inputs), constant.parse().unwrap());
        (text, Constraint { outputs, inputs, constant, strict }.canonical())
    })
}

/// A formula as text, and what it says of a point.
#[derive(Debug, Clone)]
enum Said {
    Atom(String, Constraint),
    All(Vec<Said>),
    Any(Vec<Said>),
}

impl Said {
    fn text(&self) -> String {
        let list = |parts: &[Said]| parts.iter().map(Said::text).collect::<Vec<_>>().join("\n  ");
        match self {
            Self::Atom(text, _) => text.clone(),
            Self::All(parts) => format!("(and {})", list(parts)),
            Self::Any(parts) => format!("(or {})", list(parts)),
        }
    }

    fn holds(&self, x: &[Exact], y: &[Exact]) -> bool {
        match self {
            Self::Atom(_, c) => c.holds_at(&c.value(x, y)),
            Self::All(parts) => parts.iter().all(|p| p.holds(x, y)),
            Self::Any(parts) => parts.iter().any(|p| p.holds(x, y)),
        }
    }
}

fn said() -> impl Strategy<Value = Said> {
    // Bounds that may well be met, so that boxes split, and constraints of all kinds.
    let bound = (0usize..2, -8i32..9, 0usize..5).prop_map(|(i, eighths, operator)| {
        let operator = ["<=", ">=", "<", ">", "="][operator];
        let at = f64::from(eighths) / 8.0;
        let text = format!("({operator} X_{i} {at:?})");
        let at = Rational::from_f64(at).unwrap();
        let (one, less) = (Rational::ONE, -&Rational::ONE);
        let atom = |c: &Rational, constant: Rational, strict| {
            let constraint = Constraint { outputs: vec![], inputs: vec![(i, c.clone())], constant, strict };
            Said::Atom(text.clone(), constraint)
        };
        match operator {
            "<=" | "<" => atom(&one, -&at, operator == "<"),
            ">=" | ">" => atom(&less, at, operator == ">"),
            _ => {
                // As text one formula, so that only one of the two prints.
                let Said::Atom(text, above) = atom(&less, at.clone(), false) else { unreachable!() };
                let below = Constraint { outputs: vec![], inputs: vec![(i, one)], constant: -&at, strict: false };
                Said::All(vec![Said::Atom(text, above), Said::Atom("(<= 0 0)".into(), below)])
            }
        }
    });
    let atom = prop_oneof![bound, constraint().prop_map(|(text, c)| Said::Atom(text, c))];
    atom.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Said::All),
            proptest::collection::vec(inner, 1..4).prop_map(Said::Any),
        ]
    })
}

/// Two elements between bounds, or around a centre.
fn region() -> impl Strategy<Value = InputRegion> {
    let boxed = proptest::collection::vec((decimal(), decimal(), 1i64..400), 2).prop_map(|ends| {
        let third = |(a, b, d): (String, String, i64)| {
            let a: Rational = a.parse().unwrap();
            let b = b.parse::<Rational>().unwrap().checked_div(&Rational::from(d)).unwrap();
            if a <= b { (a, b) } else { (b, a) }
        };
        let (lower, upper) = ends.into_iter().map(third).unzip();
        InputRegion::boxed(lower, upper).unwrap()
    });
    let ball = (proptest::collection::vec(0.0f32..1.0, 2), 0u8..30, any::<bool>()).prop_map(|(centre, k, ranged)| {
        let centre = centre.into_iter().map(f64::from).collect();
        let range = ranged.then_some((Rational::ZERO, Rational::ONE));
        InputRegion::ball(centre, Norm::Linf, format!("{k}/255").parse().unwrap(), range).unwrap()
    });
    prop_oneof![boxed, ball]
}

#[test]
fn what_has_no_words_in_the_language_is_not_written() {
    let query = |region| Query::robustness(network(), region, 0).unwrap();
    let ball = |norm| query(InputRegion::ball(vec![0.5, 0.5], norm, "0.1".parse().unwrap(), None).unwrap());
    assert_eq!(write(&[ball(Norm::L2)], Version::V1), Err(WriteError::Norm(Norm::L2)));
    assert_eq!(write(&[], Version::V1), Err(WriteError::NoQuery));
    // A long number is multiplied out, and still exact.
    let tiny = Rational::from_f64(f64::from_bits(1)).unwrap();
    let region = InputRegion::boxed(vec![-&tiny, Rational::ZERO], vec![tiny, Rational::ONE]).unwrap();
    for version in [Version::V1, Version::V2 { minor: 0 }] {
        let text = write(&[query(region.clone())], version).unwrap();
        assert_eq!(read(&text, &network()).unwrap()[0].digest(), query(region.clone()).digest());
    }
}

#[test]
fn declarations_are_read_without_assertions() {
    let text =
        "; before\n(vnnlib-version <2.3>) (declare-network f (declare-input X real [1,2]) (declare-input A int8 [])
        (declare-hidden H float32 [7] \"h\") (declare-output Y real [3])) (assert nonsense";
    let found = declarations(text).unwrap();
    assert_eq!(found.version.to_string(), "2.3");
    let [network] = found.networks.as_slice() else { panic!("{found:?}") };
    let tensors = network.inputs.iter().chain(&network.hidden).chain(&network.outputs);
    let tensors: Vec<String> = tensors.map(ToString::to_string).collect();
    assert_eq!(
        (network.name.as_str(), tensors.join("; ")),
        ("f", "X real [1,2]; A int8 []; H float32 [7]; Y real [3]".into())
    );
    assert_eq!(declarations(DECLARED).unwrap().version, Version::V1);
    assert!(declarations("(vnnlib-version <2.0>) (declare-network f").is_err());
}

#[test]
fn elements_stand_in_row_major_order() {
    let mut b = Builder::new();
    let x = b.input("x", &[2, 3], DType::F32).unwrap();
    let flat = b.push("flat", Op::Flatten, &[x]).unwrap();
    let dense = Dense::new(Tensor::f32(&[1, 6], vec![1.0; 6]).unwrap(), Tensor::f32(&[1], vec![0.0]).unwrap());
    let y = b.push("y", Op::Dense(dense.unwrap()), &[flat]).unwrap();
    let network = Arc::new(b.finish(y).unwrap());
    let text = |shape: &str, names: [&str; 6]| {
        let bounds = |(k, name): (usize, &&str)| format!("(assert (and (>= X{name} {k}.0) (<= X{name} {k}.5)))");
        let bounds: String = names.iter().enumerate().map(bounds).collect();
        format!(
            "(vnnlib-version <2.0>)(declare-network f(declare-input X real {shape})(declare-output Y real []))\n{bounds}(assert (<= Y 0.0))"
        )
    };
    let texts = [
        text("[2,3]", ["[0,0]", "[0,1]", "[0,2]", "[1,0]", "[1,1]", "[1,2]"]),
        text("[1,2,3]", ["[0,0,0]", "[0,0,1]", "[0,0,2]", "[0,1,0]", "[0,1,1]", "[0,1,2]"]),
        text("[6]", ["[0]", "[1]", "[2]", "[3]", "[4]", "[5]"]),
    ];
    for text in texts {
        let query = read(&text, &network).unwrap().remove(0);
        let RegionKind::Box { lower, .. } = query.region().kind() else { panic!("a box") };
        assert_eq!(*lower, (0..6).map(Rational::from).collect::<Vec<_>>());
        let again = read(&write(std::slice::from_ref(&query), Version::V2 { minor: 0 }).unwrap(), &network).unwrap();
        assert_eq!(again[0].digest(), query.digest());
    }
    // As many elements in another order of extents are another tensor.
    let transposed = text("[3,2]", ["[0,0]", "[0,1]", "[1,0]", "[1,1]", "[2,0]", "[2,1]"]);
    let error = read(&transposed, &network).unwrap_err();
    assert!(matches!(error, VnnlibError::Text { problem: VnnlibProblem::Shape { .. }, .. }), "{error}");
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(
        regions in proptest::collection::vec(region(), 1..4),
        unsafe_set in proptest::collection::vec(proptest::collection::vec(constraint(), 0..4), 1..4),
        strict in proptest::option::of((0usize..2, any::<bool>())),
    ) {
        let mut unsafe_set: Vec<Conjunction> =
            unsafe_set.into_iter().map(|d| Conjunction(d.into_iter().map(|(_, c)| c).collect())).collect();
        // What speaks of no output bounds an input or says nothing: only the strict end of a box is such a constraint.
        unsafe_set.iter_mut().for_each(|d| d.0.retain(|c| !c.outputs.is_empty()));
        let queries = regions.iter().map(|region| {
            let (lower, upper) = region.exact_box().unwrap();
            let mut unsafe_set = unsafe_set.clone();
            if let Some((i, below)) = strict {
                let (c, constant) = if below { (Rational::ONE, -&upper[i]) } else { (-&Rational::ONE, lower[i].clone()) };
                if constant.decimal().is_some() {
                    let end = Constraint { outputs: vec![], inputs: vec![(i, c)], constant, strict: true };
                    unsafe_set.iter_mut().for_each(|d| d.0.push(end.clone()));
                }
            }
            Query::new(network(), InputRegion::boxed(lower, upper).unwrap(), unsafe_set).unwrap()
        });
        let queries: Vec<Query> = queries.collect();
        let digests = |queries: &[Query]| queries.iter().map(Query::digest).collect::<Vec<_>>();
        for (i, query) in queries.iter().enumerate() {
            prop_assume!(queries[..i].iter().all(|q| q.region() != query.region()));
        }
        for version in [Version::V1, Version::V2 { minor: 0 }] {
            let text = write(&queries, version).unwrap();
            let again = read(&text, &network());
            prop_assert_eq!(again.map(|q| digests(&q)), Ok(digests(&queries)), "{}", text);
        }
    }

    #[test]
    fn constraints_are_read_as_they_were_written(
        unsafe_set in proptest::collection::vec(proptest::collection::vec(constraint(), 1..4), 1..4),
        ends in proptest::collection::vec((decimal(), decimal()), 2),
    ) {
        let mut text = DECLARED.to_owned();
        let (mut lower, mut upper) = (Vec::<Rational>::new(), Vec::<Rational>::new());
        for (i, (a, b)) in ends.into_iter().enumerate() {
            let (a, b) = if a.parse::<Rational>().unwrap() <= b.parse().unwrap() { (a, b) } else { (b, a) };
            writeln!(text, "(assert (>= X_{i} {a}))\n(assert (<= X_{i} {b}))").unwrap();
            lower.push(a.parse().unwrap());
            upper.push(b.parse().unwrap());
        }
        // What speaks of no output bounds an input or says nothing; the other test has these.
        prop_assume!(unsafe_set.iter().flatten().all(|(_, c)| !c.outputs.is_empty()));
        text.push_str("(assert (or");
        for disjunct in &unsafe_set {
            text.push_str("\n  (and");
            disjunct.iter().for_each(|(c, _)| write!(text, " {c}").unwrap());
            text.push(')');
        }
        text.push_str("))");
        let unsafe_set = unsafe_set.into_iter().map(|d| Conjunction(d.into_iter().map(|(_, c)| c).collect())).collect();
        let region = InputRegion::boxed(lower, upper).unwrap();
        let query = Query::new(network(), region, unsafe_set).unwrap();
        let read = read(&text, &network()).unwrap();
        prop_assert_eq!(read.len(), 1);
        prop_assert_eq!(read[0].to_text(), query.to_text());
    }

    #[test]
    fn queries_say_what_the_text_says(
        formulas in proptest::collection::vec(said(), 1..4),
        points in proptest::collection::vec((proptest::collection::vec(-10i32..11, 2), proptest::collection::vec(-9i32..10, 3)), 20),
    ) {
        let mut text = format!("{DECLARED}{BOX}");
        formulas.iter().for_each(|f| writeln!(text, "(assert {})", f.text()).unwrap());
        let queries = match read(&text, &network()) {
            // No box has a point, so it must hold nowhere.
            Err(VnnlibError::Property(PropertyError::EmptyBox { .. })) => Vec::new(),
            queries => queries.unwrap(),
        };
        for (x, y) in points {
            let x: Vec<f32> = x.into_iter().map(|v| v as f32 / 8.0).collect();
            let exact: Vec<Exact> = x.iter().map(|&v| Exact::from_f64(f64::from(v))).collect();
            let y: Vec<Exact> = y.into_iter().map(|v| Exact::from_f64(f64::from(v) / 4.0)).collect();
            let inside = x.iter().all(|v| v.abs() <= 1.0);
            let said = inside && formulas.iter().all(|f| f.holds(&exact, &y));
            let found = queries.iter().any(|q| q.region().contains(&x) && q.violated_at(&exact, &y).is_some());
            prop_assert_eq!(said, found, "at {:?} {:?}", x, y);
        }
    }

    #[test]
    fn reading_never_panics(text in "([()<>=+*;_ 0-9.XYe\n,\"\\\\\\[\\]-]|and|or|\\(assert|declare-const|\\(declare-input|Real|X_0|Y_1|X\\[0\\]|Y\\[1\\]){0,80}") {
        let _ = read(&text, &network());
        let _ = read(&format!("{DECLARED}{BOX}(assert {text}"), &network());
        for before in ["", "(declare-network ", "(declare-network f (declare-input X real [2]) (declare-output Y real [3]))(assert "] {
            let _ = read(&format!("(vnnlib-version <2.0>){before}{text}"), &network());
        }
    }
}
