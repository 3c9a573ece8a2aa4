//! From a network to its architecture, in the one canonical form.

use super::{MAX_LAYERS, MAX_MAP_ENTRIES, MAX_NAME, MAX_RANK, Window, is_bare};
use std::fmt::Write;
use unmoved_ir::{Gather, Network, Node, NodeId, Op, Tensor};

/// A network that the format cannot hold.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("node \"{node}\" cannot be written: {reason}")]
pub struct Unwritable {
    /// The node.
    pub node: String,
    /// What is in the way.
    pub reason: String,
}

/// The architecture alone, from `net 1` to `end`.
pub fn print(network: &Network) -> Result<String, Unwritable> {
    check(network)?;
    Ok(format!("net 1\n{}{}", input_line(network), layer_lines(network)))
}

/// Refuses what could not be read back: names and shapes beyond the format's limits.
pub fn check(network: &Network) -> Result<(), Unwritable> {
    let mut entries = 0;
    for (k, node) in network.nodes().iter().enumerate() {
        let refuse = |reason: String| Err(Unwritable { node: node.name.clone(), reason });
        let longest = tensors(node).into_iter().map(|(name, _)| name.len()).max().unwrap_or(node.name.len());
        if node.name.is_empty() || longest > MAX_NAME {
            return refuse(format!("names must have 1 to {MAX_NAME} bytes, `.weight` included"));
        }
        if node.shape.rank() > MAX_RANK {
            return refuse(format!("shapes have at most {MAX_RANK} dimensions"));
        }
        if k > MAX_LAYERS {
            return refuse(format!("networks have at most {MAX_LAYERS} layers"));
        }
        if let Op::Gather(gather) = &node.op {
            entries += gather.index.len();
        }
        if entries > MAX_MAP_ENTRIES {
            return refuse(format!("index maps have at most {MAX_MAP_ENTRIES} entries in all"));
        }
    }
    Ok(())
}

/// The tensors of a node under the names that they have in files: `<layer>.weight` and `<layer>.bias`. Two layers
/// never share one, because layers have different names.
pub fn tensors(node: &Node) -> Vec<(String, &Tensor)> {
    let (weight, bias) = match &node.op {
        Op::Dense(dense) => (&dense.weight, &dense.bias),
        Op::Conv2d(conv) => (&conv.weight, &conv.bias),
        _ => return Vec::new(),
    };
    vec![(format!("{}.weight", node.name), weight), (format!("{}.bias", node.name), bias)]
}

/// Kernel (of a max-pool) and window, where there is one.
fn window(op: &Op) -> Option<(Vec<usize>, Window)> {
    match op {
        Op::Conv2d(c) => Some((vec![], Window { stride: c.stride, padding: c.padding, dilation: c.dilation })),
        Op::MaxPool(p) => {
            Some((p.kernel.to_vec(), Window { stride: p.stride, padding: p.padding, dilation: p.dilation }))
        }
        _ => None,
    }
}

/// The input statement.
pub fn input_line(network: &Network) -> String {
    let input = network.input();
    let mut line = "input ".to_owned();
    write_name(&mut line, &input.name);
    line.push(' ');
    line.push_str(network.input_dtype().name());
    line.push(' ');
    write_dims(&mut line, input.shape.dims());
    line.push('\n');
    line
}

/// The statements of all layers, of the output, and `end`.
pub fn layer_lines(network: &Network) -> String {
    let mut out = String::new();
    for (id, node) in network.iter().skip(1) {
        out.push_str("layer ");
        write_name(&mut out, &node.name);
        write_op(&mut out, network, id);
        out.push('\n');
    }
    out.push_str("output ");
    write_name(&mut out, &network.node(network.output()).name);
    out.push_str(if network.ordering_only() { " ordering-only\nend\n" } else { "\nend\n" });
    out
}

fn write_op(out: &mut String, network: &Network, id: NodeId) {
    let node = network.node(id);
    let operator = match &node.op {
        Op::Input(_) => unreachable!("the input is no layer"),
        Op::Dense(_) => "dense",
        Op::Conv2d(_) => "conv",
        Op::Relu => "relu",
        Op::MaxPool(_) => "maxpool",
        Op::Flatten => "flatten",
        Op::Add => "add",
        Op::Gather(g) if g.is_reshape(network.node(node.inputs[0]).shape.len()) => "reshape",
        Op::Gather(_) => "gather",
    };
    out.push_str(" = ");
    out.push_str(operator);
    for input in &node.inputs {
        out.push(' ');
        write_name(out, &network.node(*input).name);
    }
    for (name, _) in tensors(node) {
        out.push(' ');
        write_name(out, &name);
    }
    if let Some((kernel, w)) = window(&node.op) {
        let standard = Window::default();
        attribute(out, "kernel", &kernel, &[]);
        attribute(out, "stride", &w.stride, &standard.stride);
        attribute(out, "pad", &w.padding, &standard.padding);
        attribute(out, "dilation", &w.dilation, &standard.dilation);
    }
    match &node.op {
        Op::Conv2d(conv) => attribute(out, "groups", &[conv.groups], &[1]),
        Op::Gather(gather) => {
            out.push(' ');
            write_dims(out, gather.shape.dims());
            if operator == "gather" {
                write_map(out, gather);
            }
        }
        _ => {}
    }
}

/// Nothing for an attribute at its default.
fn attribute(out: &mut String, name: &str, values: &[usize], default: &[usize]) {
    if values != default {
        out.push(' ');
        out.push_str(name);
        values.iter().for_each(|v| put(out, format_args!(" {v}")));
    }
}

/// Runs of three or more as `from-to`, all else one by one.
fn write_map(out: &mut String, gather: &Gather) {
    let map = gather.index.as_slice();
    let mut k = 0;
    while k < map.len() {
        let Some(from) = map[k] else {
            out.push_str(" .");
            k += 1;
            continue;
        };
        let run = (from..=u32::MAX).zip(&map[k..]).take_while(|(i, entry)| **entry == Some(*i)).count();
        if run >= 3 {
            put(out, format_args!(" {from}-{}", from + (run - 1) as u32));
            k += run;
        } else {
            put(out, format_args!(" {from}"));
            k += 1;
        }
    }
}

/// `[2 3]`.
pub fn write_dims(out: &mut String, dims: &[usize]) {
    out.push('[');
    for (k, d) in dims.iter().enumerate() {
        put(out, format_args!("{}{d}", if k == 0 { "" } else { " " }));
    }
    out.push(']');
}

/// A name, in quotes where it needs them.
pub fn write_name(out: &mut String, name: &str) {
    if is_bare(name) {
        out.push_str(name);
    } else {
        out.push_str(&quoted(name));
    }
}

/// A string in quotes. All but printable ASCII is escaped, so that what a file shows is what it says.
pub fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            _ => put(&mut out, format_args!("\\u{{{:x}}}", c as u32)),
        }
    }
    out.push('"');
    out
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a string takes all");
}
