//! Exact and rational numbers against dashu's fractions.

use crate::*;
use dashu_ratio::RBig;
use proptest::prelude::*;

/// Floats of every kind: all bit patterns, few bits, and neighbours of the edges.
fn any_finite() -> impl Strategy<Value = f64> {
    let edges = [0.0, 1.0, f64::MAX, f64::MIN_POSITIVE, 5e-324, 1e300, 1e-300, f64::EPSILON, 9007199254740993.0];
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |v| v.is_finite()),
        (-1000i32..1000, -200i32..200).prop_map(|(m, e)| f64::from(m) * 2f64.powi(e)),
        (proptest::sample::select(edges.to_vec()), any::<bool>()).prop_map(|(v, neg)| if neg { -v } else { v }),
    ]
}

fn big(v: f64) -> RBig {
    RBig::try_from(v).unwrap()
}

/// Compares through the text, the only thing that the two have in common.
fn same(e: &Exact, r: &RBig) -> bool {
    e.to_rational().to_string() == r.to_string()
}

proptest! {
    #[test]
    fn exact_arithmetic_is_that_of_fractions(v in proptest::collection::vec(any_finite(), 6)) {
        let e: Vec<Exact> = v.iter().map(|&v| Exact::from_f64(v)).collect();
        let r: Vec<RBig> = v.iter().map(|&v| big(v)).collect();
        prop_assert!(same(&e[0], &r[0]));
        prop_assert_eq!(e[0].to_f64(), v[0]);
        prop_assert!(same(&(&e[0] + &e[1]), &(&r[0] + &r[1])));
        prop_assert!(same(&(&e[0] - &e[1]), &(&r[0] - &r[1])));
        prop_assert!(same(&(&e[0] * &e[1]), &(&r[0] * &r[1])));
        prop_assert!(same(&-&e[0], &-r[0].clone()));
        prop_assert_eq!(e[0].cmp(&e[1]), r[0].cmp(&r[1]));
        prop_assert_eq!(e[0].signum(), v[0].partial_cmp(&0.0).unwrap() as i32);
        // Long enough to leave the machine word, with cancellation at the end.
        let deep_e = &(&(&(&e[0] * &e[1]) * &e[2]) + &(&(&e[3] * &e[4]) * &e[5])) - &(&e[3] * &(&e[4] * &e[5]));
        let deep_r = &(&r[0] * &r[1]) * &r[2];
        prop_assert!(same(&deep_e, &deep_r));
        let product = &(&e[0] * &e[1]) * &e[2];
        prop_assert_eq!(&deep_e, &product);
        prop_assert_eq!(deep_e.cmp(&e[3]), deep_r.cmp(&r[3]));
    }

    #[test]
    fn sums_leave_the_machine_word_unharmed(a in any::<i64>(), b in any::<i64>(), shift in 0i32..140) {
        // About 127 bits each: products fill an i128 to its edge, and sums overflow it.
        let (x, y) = (Exact::from_f64(a as f64), Exact::from_f64(b as f64 * 2f64.powi(shift)));
        let (p, q) = (big(a as f64), big(b as f64 * 2f64.powi(shift)));
        let (e, r) = (&(&x * &y) + &(&x * &x), &(&p * &q) + &(&p * &p));
        prop_assert!(same(&e, &r));
        let (e, r) = (&(&e + &e) + &e, &(&r + &r) + &r);
        prop_assert!(same(&e, &r));
        prop_assert!(same(&-&e, &-r));
    }

    #[test]
    fn rounding_encloses_between_adjacent_floats(a in any_finite(), b in any_finite(), c in 1i64..1000) {
        let r = (&Rational::from_f64(a).unwrap() * &Rational::from_f64(b).unwrap())
            .checked_div(&Rational::from(c)).unwrap();
        let (down, up) = (r.round_down(), r.round_up());
        let below = |v: f64| v == f64::NEG_INFINITY || Rational::from_f64(v).is_some_and(|v| v <= r);
        let above = |v: f64| v == f64::INFINITY || Rational::from_f64(v).is_some_and(|v| v >= r);
        prop_assert!(below(down) && above(up));
        // Nothing lies between: they are equal or neighbours.
        prop_assert!(down == up || down.next_up() == up, "{} and {}", down, up);
        prop_assert!(down != up || Rational::from_f64(down).is_some_and(|v| v == r));
        prop_assert!(Rational::from_f64(a).unwrap().round_down() == a && Rational::from_f64(a).unwrap().round_up() == a);
        let distance = r.distance_up(a);
        prop_assert!(distance == f64::INFINITY || Rational::from_f64(distance).unwrap() >= (&r - &Rational::from_f64(a).unwrap()).abs());
    }

    #[test]
    fn what_is_printed_is_read(n in any::<i64>(), d in 1i64..i64::MAX, e in -300i32..300) {
        let r = Rational::from(n).checked_div(&Rational::from(d)).unwrap();
        prop_assert_eq!(r.to_string().parse::<Rational>().unwrap(), r);
        let decimal: Rational = format!("{n}e{e}").parse().unwrap();
        prop_assert_eq!(decimal.to_string().parse::<Rational>().unwrap(), decimal);
    }

    #[test]
    fn reading_never_panics(text in "[-+0-9./eE ]{0,12}|.{0,8}") {
        let _ = text.parse::<Rational>();
    }
}

#[test]
fn numbers_are_read_exactly() {
    let fraction = |n: i64, d: i64| Rational::from(n).checked_div(&Rational::from(d)).unwrap();
    for (text, n, d) in [
        ("8/255", 8, 255),
        ("0.05", 1, 20),
        ("1e-3", 1, 1000),
        ("-1.5e-3", -3, 2000),
        ("+2", 2, 1),
        ("0.1/3", 1, 30),
        (".5", 1, 2),
        ("1.", 1, 1),
        ("-0", 0, 1),
        ("1e2/1e3", 1, 10),
        ("3/-6", -1, 2),
        ("1E+2", 100, 1),
    ] {
        assert_eq!(text.parse::<Rational>().unwrap(), fraction(n, d), "{text}");
    }
    for text in ["", ".", "-", "--1", "1 ", "0x1", "1/", "/2", "1/2/3", "e5", "1e", "1e5.5", "NaN", "inf", "1_0", "١"]
    {
        assert!(text.parse::<Rational>().is_err(), "{text}");
    }
    assert_eq!("1/0".parse::<Rational>().unwrap_err().reason, "its denominator is zero");
}

#[test]
fn numbers_of_any_length_cost_little() {
    for text in [
        "1e999999999",
        "1e-999999999",
        "1e1001",
        "1e99999999999999999999",
        &"9".repeat(5000),
        &format!("0.{}", "1".repeat(1500)),
        "1e1000/1e-1000",
        &format!("{0}/{0}1", "1".repeat(1800)),
    ] {
        assert!(text.parse::<Rational>().is_err(), "{text}");
    }
    // The smallest float, written out, has 1074 decimals.
    let smallest: Rational = format!("{:.1074}", 5e-324f64).parse().unwrap();
    assert_eq!(smallest, Rational::from_f64(5e-324).unwrap());
    // Whatever can be read can be written and read again.
    for text in ["1e990", "1e-990", "7e-990/3"] {
        let value: Rational = text.parse().unwrap();
        assert_eq!(value.to_string().parse::<Rational>().unwrap(), value);
    }
}

#[test]
fn rounding_at_the_ends_of_the_floats() {
    let huge: Rational = "1e400".parse().unwrap();
    assert_eq!((huge.round_down(), huge.round_up()), (f64::MAX, f64::INFINITY));
    assert_eq!(((-&huge).round_down(), (-&huge).round_up()), (f64::NEG_INFINITY, f64::MIN));
    let tiny: Rational = "1e-400".parse().unwrap();
    assert_eq!((tiny.round_down(), tiny.round_up()), (0.0, 5e-324));
    assert_eq!(((-&tiny).round_down(), (-&tiny).round_up()), (-5e-324, 0.0));
    assert!(Rational::ZERO.round_up().is_sign_positive() && Rational::ZERO.round_down().is_sign_positive());
    assert_eq!(tiny.distance_up(0.0), 5e-324);
    assert_eq!(tiny.distance_up(f64::NAN), f64::INFINITY);
}

#[test]
fn comparing_needs_no_alignment() {
    // 2^(2^40) against 1: aligned, they would fill the memory.
    let mut power = Exact::from_f64(2.0);
    for _ in 0..40 {
        power = &power * &power;
    }
    assert!(power > Exact::from_f64(1.0) && -&power < Exact::from_f64(-1.0) && power > Exact::ZERO);
    assert!(power == power.clone());
}

#[test]
fn fractions_are_written_as_decimals_where_they_are_some() {
    let of = |text: &str| text.parse::<Rational>().unwrap().decimal();
    let written = [
        ("0.3", "0.3"),
        ("-0.05", "-0.05"),
        ("-12.5e-3", "-0.0125"),
        ("1e3", "1000.0"),
        ("1/8", "0.125"),
        ("0", "0.0"),
    ];
    for (text, decimal) in written {
        assert_eq!(of(text).as_deref(), Some(decimal));
    }
    assert_eq!(of("1/3"), None);
}
