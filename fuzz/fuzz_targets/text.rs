//! What is read is written, and read again is the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let network = match unmoved_text::from_bytes(bytes) {
        Ok(network) => network,
        Err(error) => return drop(error.to_string()),
    };
    let text = unmoved_text::to_string(&network).expect("what was read can be written");
    let again = unmoved_text::parse(&text).expect("what was written can be read");
    assert_eq!(again, network);
    assert_eq!(unmoved_text::to_string(&again).ok(), Some(text));
});
