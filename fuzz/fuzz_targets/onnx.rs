//! What is read is written, and read again is the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(network) = unmoved_onnx::from_bytes(bytes) else { return };
    // Rounded weights, and names or shapes that the format cannot hold, do not come back.
    let Ok(exported) = unmoved_onnx::to_bytes(&network) else { return };
    if exported.rounded || network.has_slack() {
        return;
    }
    let again = unmoved_onnx::from_bytes(&exported.bytes).expect("what was written can be read");
    assert_eq!(again.digest(), network.digest());
});
