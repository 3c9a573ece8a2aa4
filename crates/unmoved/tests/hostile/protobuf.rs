//! ONNX models written byte by byte: a library would not let them lie.

/// An integer, seven bits a byte.
pub(crate) fn varint(mut v: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
    out
}

/// A field that is an integer.
pub(crate) fn int(field: u64, v: i64) -> Vec<u8> {
    [varint(field << 3), varint(v as u64)].concat()
}

/// A field of bytes: text, a message, packed numbers.
pub(crate) fn bytes(field: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    [&varint(field << 3 | 2), &varint(content.len() as u64), content].concat()
}

/// A field of bytes that says it is longer or shorter than it is.
pub(crate) fn lying(field: u64, claimed: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
    [&varint(field << 3 | 2), &varint(claimed), content.as_ref()].concat()
}

/// Element types.
pub(crate) const FLOAT: i64 = 1;
pub(crate) const INT64: i64 = 7;

fn packed(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|&v| varint(v as u64)).collect()
}

/// A tensor of which only name, type and extents are known.
pub(crate) fn claimed(name: &str, data_type: i64, dims: &[i64]) -> Vec<u8> {
    [bytes(1, packed(dims)), int(2, data_type), bytes(8, name)].concat()
}

/// A tensor with raw data.
pub(crate) fn tensor(name: &str, data_type: i64, dims: &[i64], raw: &[u8]) -> Vec<u8> {
    [claimed(name, data_type, dims), bytes(9, raw)].concat()
}

/// A tensor that repeats one float.
pub(crate) fn floats(name: &str, dims: &[i64], value: f32) -> Vec<u8> {
    let len = dims.iter().product::<i64>() as usize;
    tensor(name, FLOAT, dims, &value.to_le_bytes().repeat(len))
}

/// A list of integers.
pub(crate) fn int64s(name: &str, values: &[i64]) -> Vec<u8> {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    tensor(name, INT64, &[values.len() as i64], &raw)
}

/// A tensor whose data lie elsewhere.
pub(crate) fn external(name: &str, dims: &[i64], entries: &[(&str, &str)]) -> Vec<u8> {
    let entries = entries.iter().flat_map(|(k, v)| bytes(13, [bytes(1, k), bytes(2, v)].concat()));
    claimed(name, FLOAT, dims).into_iter().chain(entries).chain(int(14, 1)).collect()
}

/// Attributes.
pub(crate) fn a_int(name: &str, v: i64) -> Vec<u8> {
    bytes(5, [bytes(1, name), int(3, v), int(20, 2)].concat())
}

pub(crate) fn a_ints(name: &str, v: &[i64]) -> Vec<u8> {
    bytes(5, [bytes(1, name), bytes(8, packed(v)), int(20, 7)].concat())
}

pub(crate) fn a_graph(name: &str, graph: &[u8]) -> Vec<u8> {
    bytes(5, [bytes(1, name), bytes(6, graph), int(20, 5)].concat())
}

/// A node; `attributes` as the functions above make them.
pub(crate) fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[u8]) -> Vec<u8> {
    let inputs = inputs.iter().flat_map(|i| bytes(1, i));
    inputs.chain(bytes(2, output)).chain(bytes(4, operator)).chain(attributes.iter().copied()).collect()
}

/// The declaration of a value.
pub(crate) fn value(name: &str, dims: &[i64]) -> Vec<u8> {
    let shape: Vec<u8> = dims.iter().flat_map(|&d| bytes(1, int(1, d))).collect();
    let kind = bytes(1, [int(1, FLOAT), bytes(2, shape)].concat());
    [bytes(1, name), bytes(2, kind)].concat()
}

/// A model from `x` to `y`.
#[derive(Clone)]
pub(crate) struct Model {
    graph: Vec<u8>,
    /// Fields of the model behind the graph.
    rest: Vec<u8>,
    opset: i64,
}

impl Model {
    pub(crate) fn new(input: &[i64]) -> Self {
        let graph = [bytes(11, value("x", input)), bytes(12, value("y", &[]))].concat();
        Self { graph, rest: Vec::new(), opset: 13 }
    }

    /// `y` is `Relu(x)`.
    pub(crate) fn relu() -> Self {
        Self::new(&[1, 4]).node("Relu", &["x"], "y", &[])
    }

    /// `y` is `x` plus the tensor `w` of `[4]`, which is given as bytes.
    pub(crate) fn add(w: &[u8]) -> Self {
        Self::new(&[1, 4]).node("Add", &["x", "w"], "y", &[]).tensor(w)
    }

    /// Reads the tensors `w0`, `w1` and so on.
    pub(crate) fn sum_of(count: usize) -> Self {
        let names: Vec<String> = (0..count).map(|k| format!("w{k}")).collect();
        let inputs: Vec<&str> = std::iter::once("x").chain(names.iter().map(String::as_str)).collect();
        Self::new(&[1, 4]).node("Sum", &inputs, "y", &[])
    }

    pub(crate) fn opset(mut self, version: i64) -> Self {
        self.opset = version;
        self
    }

    pub(crate) fn node(self, operator: &str, inputs: &[&str], output: &str, attributes: &[u8]) -> Self {
        self.graph(&bytes(1, node(operator, inputs, output, attributes)))
    }

    pub(crate) fn tensor(self, tensor: &[u8]) -> Self {
        self.graph(&bytes(5, tensor))
    }

    /// `count` nodes one behind the other; each reads the one before it and `others`.
    pub(crate) fn chain(mut self, count: usize, operator: &str, others: &[&str], attributes: &[u8]) -> Self {
        for k in 0..count {
            let from = if k == 0 { "x".into() } else { format!("t{k}") };
            let to = if k + 1 == count { "y".into() } else { format!("t{}", k + 1) };
            let inputs: Vec<&str> = std::iter::once(from.as_str()).chain(others.iter().copied()).collect();
            self.graph.extend(bytes(1, node(operator, &inputs, &to, attributes)));
        }
        self
    }

    /// More fields of the graph.
    pub(crate) fn graph(mut self, fields: &[u8]) -> Self {
        self.graph.extend(fields);
        self
    }

    /// More fields of the model.
    pub(crate) fn model(mut self, fields: &[u8]) -> Self {
        self.rest.extend(fields);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let opset = bytes(8, int(2, self.opset));
        [int(1, 8), bytes(7, &self.graph), opset, self.rest.clone()].concat()
    }
}
