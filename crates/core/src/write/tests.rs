use super::names::{decode, encode};
use super::number::Number;

#[test]
fn numbers_are_short_and_read_back() {
    for (v, text) in [(-0.0, "0"), (0.25, "0.25"), (1e-7, "1e-7"), (3.0, "3"), (1e15, "1000000000000000")] {
        assert_eq!(Number(v).to_string(), text);
    }
    for v in [f64::MAX, f64::MIN_POSITIVE, f64::from_bits(1), 0.1 + 0.2, -1.0 / 3.0, 1e16, 1e300] {
        assert_eq!(Number(v).to_string().parse::<f64>(), Ok(v));
    }
}

#[test]
fn names_come_back_and_are_legal_in_both_formats() {
    for name in [
        "a1.0:on",
        "conv1[0,2,1]:on",
        "/act/Relu output.3",
        "_x.0",
        "e.0",
        "E1.2",
        ".5.0",
        "3.1",
        "größe.0",
        "~",
        "",
        "(a)",
    ] {
        let legal = encode(name, 'c', 0);
        assert_eq!(decode(&legal).as_deref(), Some(name), "{legal}");
        assert!(legal.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.,()@~".contains(&b)), "{legal}");
        assert!(legal.starts_with(|c: char| c == '_' || c == '~' || c.is_ascii_alphabetic()), "{legal}");
        assert!(!legal.starts_with(['e', 'E']), "{legal}");
    }
    assert_eq!(encode("conv1[0,2,1]:on", 'c', 0), "conv1(0,2,1)@on");
    assert_eq!(encode(&"x".repeat(256), 'r', 17), "~r17");
    assert_eq!(encode(&"x".repeat(255), 'r', 17).len(), 255);
    assert_eq!(decode("~r17"), None);
}
