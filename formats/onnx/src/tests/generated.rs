//! The committed types are those of the committed schema.

#[path = "../../examples/generate.rs"]
#[allow(dead_code, unreachable_pub)]
mod generate;

#[test]
fn types_are_those_of_the_schema() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = tempfile::tempdir().unwrap();
    generate::generate(root, out.path()).unwrap();
    let fresh = std::fs::read_to_string(out.path().join("onnx.rs")).unwrap();
    let committed = std::fs::read_to_string(root.join("src/generated/onnx.rs")).unwrap();
    assert!(fresh == committed, "run `cargo run -p unmoved-onnx --example generate`");
}
