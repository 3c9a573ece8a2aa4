//! Generates `src/generated/onnx.rs` from `proto/onnx.proto`: `cargo run -p unmoved-onnx --example generate`.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    generate(root, &root.join("src/generated"))
}

/// Writes `onnx.rs` into `out`. No `protoc`: protox parses the schema.
pub(crate) fn generate(root: &Path, out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let files = protox::compile(["onnx.proto"], [root.join("proto")])?;
    prost_build::Config::new()
        // Fields of type `bytes` share the buffer of the file instead of copying every weight.
        .bytes(["."])
        .disable_comments(["."])
        .out_dir(out)
        .compile_fds(files)?;
    Ok(())
}
