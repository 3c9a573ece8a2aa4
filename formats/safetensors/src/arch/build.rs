//! From an architecture and its tensors to a network.

use super::{Arch, Fault, Kind, Layer, MAX_MAP_ENTRIES, Name, Parameters, Problem, Span, Window, quote};
use std::collections::{BTreeMap, HashMap};
use unmoved_ir::{Builder, Conv2d, Dense, Gather, IrError, MaxPool, Network, NodeId, NodeProblem, Op, Shape, Tensor};

/// Where the numbers come from: a tensor by its name.
type Lookup<'a> = &'a mut dyn FnMut(&Name) -> Result<Tensor, Problem>;

/// The input or a layer.
struct Value {
    id: NodeId,
    span: Span,
    read: bool,
}

impl Arch {
    /// Checks all names and shapes and makes the network, normalised as [`Builder::finish`] does.
    pub fn build(&self, lookup: Lookup<'_>, metadata: BTreeMap<String, String>) -> Result<Network, Fault> {
        let mut b = Builder::new();
        let mut values: HashMap<&str, Value> = HashMap::new();
        let mut entries = 0;

        let Name { text, span } = &self.input.name;
        let id = b.input(text, &self.input.dims, self.input.dtype).map_err(ir(span))?;
        values.insert(text, Value { id, span: span.clone(), read: true });

        for layer in &self.layers {
            let Name { text, span } = &layer.name;
            if values.contains_key(text.as_str()) {
                return Err(Fault::new(span.clone(), Problem::NameTwice(quote(text))));
            }
            let inputs: Vec<NodeId> =
                layer.inputs.iter().map(|name| read(&mut values, name)).collect::<Result<_, _>>()?;
            let op = op(layer, b.shape(inputs[0]), lookup)?;
            if let Op::Gather(gather) = &op {
                entries += gather.index.len();
                if entries > MAX_MAP_ENTRIES {
                    return Err(Fault::new(span.clone(), Problem::TooManyEntries));
                }
            }
            let id = b.push(text, op, &inputs).map_err(ir(span))?;
            values.insert(text, Value { id, span: span.clone(), read: false });
        }

        let output = read(&mut values, &self.output)?;
        let unread = values.iter().filter(|(_, value)| !value.read).min_by_key(|(_, value)| value.span.start);
        if let Some((name, value)) = unread {
            return Err(Fault::new(value.span.clone(), Problem::Unread(quote(name))));
        }
        if self.ordering_only {
            b.drop_softmax(&self.output.text, "Softmax");
        }
        let network = b.finish(output).map_err(ir(&self.output.span))?;
        Ok(network.with_metadata(metadata))
    }
}

fn ir(span: &Span) -> impl FnOnce(IrError) -> Fault {
    let span = span.clone();
    move |error| Fault::new(span, Problem::Network(error))
}

fn read(values: &mut HashMap<&str, Value>, name: &Name) -> Result<NodeId, Fault> {
    match values.get_mut(name.text.as_str()) {
        Some(value) => {
            value.read = true;
            Ok(value.id)
        }
        None => Err(Fault::new(name.span.clone(), Problem::UnknownValue(quote(&name.text)))),
    }
}

fn op(layer: &Layer, input: &Shape, lookup: Lookup<'_>) -> Result<Op, Fault> {
    let at = |problem: NodeProblem| {
        let (node, span) = (layer.name.text.clone(), layer.name.span.clone());
        Fault::new(span, Problem::Network(IrError::Node { node, problem }))
    };
    let op = match &layer.kind {
        Kind::Dense(parameters) => {
            let (weight, bias) = load(parameters, lookup)?;
            Op::Dense(Dense::new(weight, bias).map_err(at)?)
        }
        Kind::Conv(parameters, window, groups) => {
            let (weight, bias) = load(parameters, lookup)?;
            let Window { stride, padding, dilation } = *window;
            let conv = Conv2d::new(weight, bias).map_err(at)?;
            Op::Conv2d(Conv2d { stride, padding, dilation, groups: *groups, ..conv })
        }
        Kind::Relu => Op::Relu,
        Kind::MaxPool(kernel, Window { stride, padding, dilation }) => {
            Op::MaxPool(MaxPool { kernel: *kernel, stride: *stride, padding: *padding, dilation: *dilation })
        }
        Kind::Flatten => Op::Flatten,
        Kind::Add => Op::Add,
        Kind::Gather(gather) => Op::Gather(gather.clone()),
        Kind::Reshape(dims) => {
            let shape = Shape::new(dims).map_err(at)?;
            if shape.len() != input.len() {
                return Err(at(NodeProblem::Mismatch {
                    what: "elements",
                    expected: input.len().to_string(),
                    found: shape.to_string(),
                }));
            }
            if shape.len() > MAX_MAP_ENTRIES {
                return Err(Fault::new(layer.name.span.clone(), Problem::TooManyEntries));
            }
            Op::Gather(Gather::reshape(dims).map_err(at)?)
        }
    };
    Ok(op)
}

fn load(parameters: &Parameters, lookup: Lookup<'_>) -> Result<(Tensor, Tensor), Fault> {
    let mut load = |name: &Name| lookup(name).map_err(|problem| Fault::new(name.span.clone(), problem));
    let weight = load(&parameters.weight)?;
    let bias = match &parameters.bias {
        Some(name) => load(name)?,
        None => {
            // One zero per row of the weight; a weight without rows is refused where it is used.
            let outputs = weight.shape().dims().first().copied().unwrap_or(1);
            Tensor::zeros(&[outputs])
                .map_err(|p| Fault::new(parameters.weight.span.clone(), Problem::Network(p.into())))?
        }
    };
    Ok((weight, bias))
}
