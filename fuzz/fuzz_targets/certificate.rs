//! Certificates: read, written again, and checked. What is accepted here cannot be wrong: the property holds.
#![no_main]

use unmoved_check::{Arithmetic, Certificate, check, check_bytes};
use unmoved_fuzz::query;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = check_bytes(query(), bytes, Arithmetic::Float);
    let Ok(certificate) = Certificate::from_bytes(bytes) else { return };
    let written = certificate.to_bytes();
    assert_eq!(Certificate::from_bytes(&written).map(|c| c.to_bytes()), Ok(written));
    // With the right header the steps are looked at.
    let ours = Certificate::new(query(), certificate.steps);
    if ours.steps.len() < 64 {
        let float = check(query(), &ours, Arithmetic::Float).is_ok();
        let exact = check(query(), &ours, Arithmetic::Exact).is_ok();
        assert!(exact || !float, "accepted in floats and refused in exact arithmetic");
    }
});
