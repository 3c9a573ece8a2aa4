//! Writing: the header by hand, because the crate's own writer keeps metadata in a hash map and so in no fixed order.

use crate::arch::{self, Unwritable};
use crate::{ARCH_KEY, Error};
use serde_json::{Value, json};
use std::cmp::Reverse;
use unmoved_ir::{DType, Data, Network, Tensor};

pub(crate) fn to_bytes(network: &Network) -> Result<Vec<u8>, Error> {
    let arch = arch::print(network)?;
    if network.metadata().contains_key(ARCH_KEY) {
        return Err(Error::ReservedMetadata);
    }
    let mut metadata: Vec<(&str, &str)> =
        network.metadata().iter().map(|(k, v)| (k.as_str(), v.as_str())).chain([(ARCH_KEY, arch.as_str())]).collect();
    metadata.sort_unstable();
    let mut tensors: Vec<(String, &Tensor)> = network.nodes().iter().flat_map(arch::tensors).collect();
    // The wider type first, so that every number is aligned; then by name.
    tensors.sort_by_cached_key(|(name, tensor)| (Reverse(width(tensor.dtype())), name.clone()));

    let metadata = metadata.into_iter().map(|(k, v)| format!("{}:{}", string(k), string(v)));
    let mut entries = vec![format!("\"__metadata__\":{{{}}}", metadata.collect::<Vec<_>>().join(","))];
    let mut offset = 0;
    for (name, tensor) in &tensors {
        let end = offset + tensor.shape().len() * width(tensor.dtype());
        let dtype = tensor.dtype().name().to_uppercase();
        let shape = json!(tensor.shape().dims());
        entries.push(format!(
            "{}:{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":[{offset},{end}]}}",
            string(name)
        ));
        offset = end;
    }
    let mut header = format!("{{{}}}", entries.join(","));
    if header.len() > 99_999_000 {
        let reason = "its names and metadata do not fit a safetensors header".to_owned();
        return Err(Unwritable { node: network.input().name.clone(), reason }.into());
    }
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));

    let mut bytes = Vec::with_capacity(8 + header.len() + offset);
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header.as_bytes());
    for (_, tensor) in tensors {
        write_data(tensor, &mut bytes);
    }
    Ok(bytes)
}

fn width(dtype: DType) -> usize {
    match dtype {
        DType::F32 => 4,
        DType::F64 => 8,
    }
}

fn string(text: &str) -> String {
    Value::from(text).to_string()
}

/// Appends the numbers of a tensor, little-endian and row-major: what a safetensors file holds, and what the digest
/// of a referenced tensor is taken of.
fn write_data(tensor: &Tensor, bytes: &mut Vec<u8>) {
    match tensor.data() {
        Data::F32(v) => bytes.extend(v.iter().flat_map(|v| v.to_le_bytes())),
        Data::F64(v) => bytes.extend(v.iter().flat_map(|v| v.to_le_bytes())),
    }
}
