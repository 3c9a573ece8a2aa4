//! Proves that a neural network's answer stays unmoved under every allowed perturbation of its input, or shows the
//! perturbation that moves it.
//!
//! This crate gathers the others under one name; data flows one way through them: a file becomes a [`ir::Network`]
//! ([`read_model`]), with an input region and a property a [`property::Query`], which [`search::decide`] answers with a
//! [`property::Verdict`] and a [`check::Certificate`].
//!
//! ```
#![doc = include_str!("../examples/decide.rs")]
//! ```

mod model;
mod vnnlib;

pub use model::{Choices, Model, ModelError, Written, read_model, unsupported_operators, write_model};
pub use unmoved_bounds as bounds;
pub use unmoved_check as check;
pub use unmoved_core as core;
pub use unmoved_evaluate as evaluate;
pub use unmoved_ir as ir;
pub use unmoved_onnx as onnx;
pub use unmoved_property as property;
#[cfg(feature = "candle")]
pub use unmoved_safetensors::candle;
pub use unmoved_search as search;
pub use vnnlib::{VnnlibFile, VnnlibFileError, read_vnnlib};
