//! Writes a trained network in every format, through the project's own readers and writers.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Result, ensure};
use candle_core::Tensor;
use unmoved_ir::Network;
use unmoved_safetensors::{ARCH_KEY, Imported};

use crate::net::Net;

/// The network as everything else in this project sees it. It goes through bytes in the safetensors format, because
/// that is what candle and our reader have in common.
pub fn network(net: &Net) -> Result<Network> {
    let mut tensors: Vec<(String, Tensor)> = Vec::new();
    for (layer, parameters) in net.arch.layers.iter().zip(&net.parameters) {
        if let Some(parameters) = parameters {
            tensors.push((format!("{}.weight", layer.name), parameters.weight.as_tensor().clone()));
            tensors.push((format!("{}.bias", layer.name), parameters.bias.as_tensor().clone()));
        }
    }
    let metadata = HashMap::from([(ARCH_KEY.to_owned(), net.arch.to_string())]);
    let bytes = safetensors::serialize(tensors, Some(metadata))?;
    let Imported { network, notices, .. } = unmoved_safetensors::from_bytes(&bytes, None)?;
    ensure!(notices.is_empty(), "our own file is not clear: {}", notices.join("; "));
    Ok(network)
}

/// Writes `NAME.safetensors`, `NAME.onnx` and `NAME.unm` into `folder`; the same network gives the same bytes.
pub fn write(network: &Network, folder: &Path, name: &str) -> Result<()> {
    let path = |extension: &str| folder.join(format!("{name}.{extension}"));
    unmoved_safetensors::write(network, &path("safetensors"))?;
    let exported = unmoved_onnx::write(network, &path("onnx"))?;
    ensure!(!exported.rounded, "the weights are f32, yet ONNX had to round them");
    Ok(unmoved_text::write(network, &path("unm"))?)
}
