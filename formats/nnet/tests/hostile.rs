//! Whatever the bytes, reading ends soon, and with a network or an error.

mod common;

use common::files;
use proptest::prelude::*;
use std::time::{Duration, Instant};
use unmoved_nnet::{from_bytes, parse, to_string};

/// Damage to a file: at this part of it, in this way, with these bytes.
fn damage() -> impl Strategy<Value = (f64, u8, Vec<u8>)> {
    (0.0..1.0f64, 0u8..5, prop::collection::vec(any::<u8>(), 1..6))
}

fn apply(bytes: &mut Vec<u8>, (place, way, with): &(f64, u8, Vec<u8>)) {
    let at = (bytes.len() as f64 * place) as usize;
    let to = (at + with.len()).min(bytes.len());
    match way {
        0 => bytes.truncate(at),
        1 => drop(bytes.splice(at..to, with.iter().copied())),
        2 => drop(bytes.splice(at..at, with.iter().copied())),
        3 => drop(bytes.drain(at..to)),
        _ => {
            let likely: Vec<u8> = with.iter().map(|b| b"0123456789-.e,\n/"[*b as usize % 16]).collect();
            drop(bytes.splice(at..to, likely));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = from_bytes(&bytes).map_err(|e| e.to_string());
    }

    #[test]
    fn arbitrary_lists(text in "(//.{0,5}\n)?([0-9]{1,2}|[-0-9.e]{1,4}|[,\n]){0,60}") {
        let _ = parse(&text).map_err(|e| e.to_string());
    }

    #[test]
    fn damaged(file in files(-2.0f64..2.0), damages in prop::collection::vec(damage(), 1..4)) {
        let mut bytes = file.text("// a comment\n", |v| format!("{v:.2}")).into_bytes();
        damages.iter().for_each(|d| apply(&mut bytes, d));
        // What is still a network is as good as any other.
        if let Ok(network) = from_bytes(&bytes).map_err(|e| e.to_string()) {
            let text = to_string(&network).expect("it was read");
            prop_assert_eq!(parse(&text).expect("canonical"), network);
        }
    }
}

/// Claims cost nothing before the numbers are there, and what is too long is not read.
#[test]
fn large_claims_and_long_lines() {
    let cases = [
        "1,134217728,1,134217728,\n134217728,1,\n0,\n1,\n".to_owned(),
        "1,1,134217728,134217728,\n1,134217728,\n0,\n0,\n1,\n0,0,\n1,1,\n1,\n1,\n".to_owned(),
        format!("10000,1,1,1,\n{}\n0,\n", "1,".repeat(10_001)),
        format!("1,1,1,1,\n1,1,\n0,\n{},", "9".repeat(1_000_000)),
        format!("1,1,1,1,\n1,1,\n0,\n{}", "9,".repeat(1_000_000)),
        format!("1,1,1,1,\n{}", ",".repeat(1_000_000)),
        "//\n".repeat(500_000),
        format!("// metadata {{\"a\":{}", "[".repeat(1_000_000)),
        "\n".repeat(1_000_000),
        " ".repeat(1_000_000),
    ];
    for case in cases {
        let start = Instant::now();
        let message = parse(&case).expect_err("no network").to_string();
        assert!(message.len() < 1000, "{message}");
        assert!(start.elapsed() < Duration::from_secs(2), "{message}");
    }
}
