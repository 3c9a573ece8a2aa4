//! Reads and writes networks as safetensors with an architecture.
