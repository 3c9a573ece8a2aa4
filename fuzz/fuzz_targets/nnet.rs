//! What is read is written, and written again is the same text.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let network = match unmoved_nnet::from_bytes(bytes) {
        Ok(network) => network,
        Err(error) => return drop(error.to_string()),
    };
    let text = unmoved_nnet::to_string(&network).expect("what was read can be written");
    let again = unmoved_nnet::parse(&text).expect("what was written can be read");
    assert_eq!(unmoved_nnet::to_string(&again).ok(), Some(text));
});
