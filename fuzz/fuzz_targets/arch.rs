//! Architectures, over tensors that fit wherever any do.
#![no_main]

use unmoved_ir::Tensor;
use unmoved_safetensors::arch::Arch;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut tensor = |name: &unmoved_safetensors::arch::Name| {
        // The length of the name says which shape.
        let dims: &[usize] = match name.text.len() {
            1 => &[2, 2],
            2 => &[2],
            8 => &[2, 1, 3, 3],
            _ => &[2, 8],
        };
        Ok(Tensor::zeros(dims).expect("it is small"))
    };
    let _ = Arch::network(text, "fuzz", &mut tensor).map_err(|e| e.to_string());
});
