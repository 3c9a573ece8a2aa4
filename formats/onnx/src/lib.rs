//! Reads and writes ONNX.
