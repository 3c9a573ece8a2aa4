//! From a network to text, in the one canonical form.

use std::fmt::{Debug, Write};
use unmoved_ir::{Data, Network, Tensor};
use unmoved_safetensors::arch::{self, Unwritable};

pub(crate) fn print(network: &Network) -> Result<String, Unwritable> {
    arch::check(network)?;
    let mut out = "net 1\n".to_owned();
    for (key, value) in network.metadata() {
        out.push_str(&format!("meta {} {}\n", arch::quoted(key), arch::quoted(value)));
    }
    out.push_str(&arch::input_line(network));
    for (name, tensor) in network.nodes().iter().flat_map(arch::tensors) {
        write_tensor(&mut out, &name, tensor);
    }
    out.push_str(&arch::layer_lines(network));
    if out.len() as u64 > crate::MAX_FILE {
        let reason = format!("the text would be larger than {} bytes", crate::MAX_FILE);
        return Err(Unwritable { node: network.input().name.clone(), reason });
    }
    Ok(out)
}

fn write_tensor(out: &mut String, name: &str, tensor: &Tensor) {
    out.push_str("tensor ");
    arch::write_name(out, name);
    out.push(' ');
    out.push_str(tensor.dtype().name());
    out.push(' ');
    arch::write_dims(out, tensor.shape().dims());
    out.push_str(" =");
    match tensor.data() {
        Data::F32(values) => write_numbers(out, tensor.shape().dims(), values),
        Data::F64(values) => write_numbers(out, tensor.shape().dims(), values),
    }
    out.push('\n');
}

/// A vector on the line that it began, all else with one line per output (first dimension).
fn write_numbers<T: Debug>(out: &mut String, dims: &[usize], values: &[T]) {
    let (row, before) = match dims {
        [] | [_] => (values.len(), ""),
        [rows, ..] => (values.len() / rows, "\n  "),
    };
    for row in values.chunks(row) {
        out.push_str(before);
        row.iter().for_each(|value| write_number(out, value));
    }
}

/// The shortest decimal that reads back to the same bits, without an empty fraction.
fn write_number<T: Debug>(out: &mut String, value: &T) {
    write!(out, " {value:?}").expect("a string takes all");
    if out.ends_with(".0") {
        out.truncate(out.len() - 2);
    }
}
