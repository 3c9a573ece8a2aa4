//! What is read is written, and read again is the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(imported) = unmoved_safetensors::from_bytes(bytes, None) else { return };
    let Ok(written) = unmoved_safetensors::to_bytes(&imported.network) else { return };
    let again = unmoved_safetensors::from_bytes(&written, None).expect("what was written can be read");
    assert_eq!(again.network, imported.network);
});
