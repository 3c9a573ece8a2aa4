//! What an operator sees of its node, and the means to build what it stands for.

use crate::Problem;
use crate::attributes::Attributes;
use crate::broadcast::{self, IndexMap};
use crate::budget::Budget;
use crate::constant::{Constant, Numbers, Origin};
use crate::value::{Computed, Value};
use std::collections::HashMap;
use unmoved_ir::{Builder, Gather, IrError, NodeId, Op, Tensor};

/// The network's shape for an ONNX shape: without the batch. A scalar is a list of one, as it is when it is written.
pub(crate) fn without_batch(dims: &[usize]) -> &[usize] {
    match dims {
        [] => &[1],
        [1, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    }
}

/// One node of the file, while it is imported.
pub(crate) struct Call<'a> {
    pub(crate) attributes: Attributes<'a>,
    pub(crate) opset: i64,
    /// The operator's name.
    pub(crate) operator: &'a str,
    /// The name that the node has in the network.
    pub(crate) name: String,
    /// Whether it gives the output of the graph, or what becomes that by changes of its name and shape alone.
    pub(crate) is_output: bool,
    pub(crate) builder: &'a mut Builder,
    pub(crate) origin: &'a Origin,
    pub(crate) inputs: Vec<Option<Value>>,
    /// How many outputs the node names.
    pub(crate) outputs: usize,
    /// The values of the outputs after the first.
    pub(crate) further: Vec<Value>,
    pub(crate) shared: &'a mut Shared,
}

/// What the nodes of a model have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) budget: Budget,
    /// The nodes that hold transposed values row-major, by the transposed node and the order of its axes.
    row_major: HashMap<(NodeId, Vec<usize>, Vec<usize>), NodeId>,
}

impl Shared {
    pub(crate) fn new(budget: Budget) -> Self {
        Self { budget, row_major: HashMap::new() }
    }

    /// The value in a node that holds it row-major, which is called `name` if it has to be made.
    pub(crate) fn row_major(&mut self, builder: &mut Builder, x: &Computed, name: &str) -> Result<Computed, Problem> {
        if x.is_row_major() {
            return Ok(x.clone());
        }
        let (held, order) = (x.held(), (0..x.dims.len()).map(|axis| x.axis(axis)).collect::<Vec<_>>());
        let key = (x.id, held, order);
        if let Some(&id) = self.row_major.get(&key) {
            return Ok(Computed::new(id, x.dims.clone()));
        }
        let map = broadcast::transpose(&mut self.budget, &key.1, &key.2)?;
        let y = Self::gathered(builder, &x.in_memory(), map, name)?;
        self.row_major.insert(key, y.id);
        Ok(y)
    }

    fn gathered(builder: &mut Builder, x: &Computed, map: IndexMap, name: &str) -> Result<Computed, Problem> {
        let gather = Gather::new(map.index, without_batch(&map.dims))?;
        let id = builder.push(&builder.fresh(name), Op::Gather(gather), &[x.id])?;
        Ok(Computed::new(id, map.dims))
    }
}

impl Call<'_> {
    /// Errors on more inputs than the operator has.
    pub(crate) fn at_most(&self, inputs: usize) -> Result<(), Problem> {
        if self.inputs.len() <= inputs {
            return Ok(());
        }
        Err(Problem::Other(format!("takes at most {inputs} input(s), found {}", self.inputs.len())))
    }

    /// Whether an input is there.
    pub(crate) fn has(&self, index: usize) -> bool {
        self.inputs.get(index).is_some_and(Option::is_some)
    }

    /// An input in any order of its axes, for operators that do not mind.
    pub(crate) fn any_order(&self, index: usize, name: &'static str) -> Result<Value, Problem> {
        let value = self.inputs.get(index).cloned().flatten();
        value.ok_or_else(|| Problem::input(index, name, "is missing"))
    }

    /// An input; what is computed lies row-major in its node.
    pub(crate) fn required(&mut self, index: usize, name: &'static str) -> Result<Value, Problem> {
        match self.any_order(index, name)? {
            Value::Computed(x) => Ok(self.row_major(&x)?.into()),
            constant => Ok(constant),
        }
    }

    /// An input that depends on the network's input.
    pub(crate) fn computed(&mut self, index: usize, name: &'static str) -> Result<Computed, Problem> {
        let x = self.computed_in_any_order(index, name)?;
        self.row_major(&x)
    }

    /// All inputs of an operator that takes one or more, in any order of their axes.
    pub(crate) fn all(&self, name: &'static str) -> Result<Vec<Value>, Problem> {
        (0..self.inputs.len().max(1)).map(|index| self.any_order(index, name)).collect()
    }

    pub(crate) fn computed_in_any_order(&self, index: usize, name: &'static str) -> Result<Computed, Problem> {
        match self.any_order(index, name)? {
            Value::Computed(x) => Ok(x),
            Value::Constant(_) => Err(Problem::input(index, name, "is a constant, which is not supported here")),
        }
    }

    pub(crate) fn constant(&self, index: usize, name: &'static str) -> Result<Constant, Problem> {
        match self.any_order(index, name)? {
            Value::Constant(c) => Ok(c),
            Value::Computed(_) => Err(Problem::input(index, name, "must be a constant")),
        }
    }

    pub(crate) fn optional_constant(&self, index: usize, name: &'static str) -> Result<Option<Constant>, Problem> {
        self.has(index).then(|| self.constant(index, name)).transpose()
    }

    /// Weights: a constant of finite floats.
    pub(crate) fn weights(&self, index: usize, name: &'static str) -> Result<Tensor, Problem> {
        self.constant(index, name)?.tensor().map_err(|problem| Problem::input(index, name, problem.to_string()))
    }

    /// A constant list of integers, or a single one.
    pub(crate) fn ints(&self, index: usize, name: &'static str) -> Result<Vec<i64>, Problem> {
        let constant = self.constant(index, name)?;
        match &constant.numbers {
            Numbers::Int(values) if constant.dims.len() <= 1 => Ok(values.to_vec()),
            _ => Err(Problem::input(index, name, "must be a list of integers")),
        }
    }

    /// Pays for so many numbers of four bytes.
    pub(crate) fn spend(&mut self, elements: usize) -> Result<(), Problem> {
        self.shared.budget.spend(elements)
    }

    /// For the index maps of [`broadcast`], which pay for themselves.
    pub(crate) fn budget(&mut self) -> &mut Budget {
        &mut self.shared.budget
    }

    /// Adds the node that stands for this one.
    pub(crate) fn push(&mut self, op: Op, inputs: &[NodeId]) -> Result<NodeId, IrError> {
        let name = self.builder.fresh(&self.name);
        self.builder.push(&name, op, inputs)
    }

    /// Records that the operator became others.
    pub(crate) fn note(&mut self, into: &str, rounds: bool) {
        self.builder.note(&self.name, self.operator, into, rounds);
    }

    /// The node of `x` under the network's shape `dims`, reshaped under a name of its own if it has another.
    pub(crate) fn shaped(&mut self, x: &Computed, dims: &[usize]) -> Result<NodeId, Problem> {
        if self.builder.shape(x.id).dims() == dims {
            return Ok(x.id);
        }
        let suffix = if dims.len() == 1 { "flat" } else { "shaped" };
        let name = self.builder.fresh(&format!("{}.{suffix}", self.name));
        // An index takes twice the room of a weight.
        self.spend(self.builder.shape(x.id).len().saturating_mul(2))?;
        Ok(self.builder.reshape(&name, x.id, dims)?)
    }

    /// The value in a node that holds it row-major.
    pub(crate) fn row_major(&mut self, x: &Computed) -> Result<Computed, Problem> {
        self.shared.row_major(self.builder, x, &format!("{}.transposed", self.name))
    }

    /// An input that must be `[1, channels, height, width]`, as a node of shape `[channels, height, width]`.
    pub(crate) fn image(&mut self, x: &Computed) -> Result<NodeId, Problem> {
        match x.dims.as_slice() {
            [1, rest @ ..] if rest.len() == 3 => self.shaped(x, rest),
            [batch, _, _, _] => Err(Problem::Shape(format!("a batch of {batch}; only a batch of one is supported"))),
            dims => {
                Err(Problem::Shape(format!("reads shape {dims:?}; only [1, channels, height, width] is supported")))
            }
        }
    }

    /// The same elements in the same order under another shape; this is what the file's node asks for, so the node of
    /// the network has its name.
    pub(crate) fn reshape(&mut self, value: &Value, dims: Vec<usize>) -> Result<Value, Problem> {
        let (from, to) = (value.dims(), dims.as_slice());
        if broadcast::checked_len(from)? != broadcast::checked_len(to)? {
            return Err(Problem::Shape(format!("{from:?} has not as many elements as {to:?}")));
        }
        match value {
            Value::Constant(c) => Ok(c.reshaped(dims).into()),
            Value::Computed(x) => {
                let x = self.row_major(x)?;
                self.spend(self.builder.shape(x.id).len().saturating_mul(2))?;
                let name = self.builder.fresh(&self.name);
                let id = self.builder.reshape(&name, x.id, without_batch(&dims))?;
                Ok(Computed::new(id, dims).into())
            }
        }
    }

    /// Copies elements by an index map; the node of the network has the name of this one plus `suffix`.
    pub(crate) fn rearrange(&mut self, value: &Value, map: IndexMap, suffix: &str) -> Result<Value, Problem> {
        match value {
            Value::Constant(c) => {
                self.spend(map.index.len().saturating_mul(2))?;
                Ok(c.select(&map.index, map.dims).into())
            }
            Value::Computed(x) => {
                let x = self.row_major(x)?;
                Ok(self.gathered(&x, map, suffix)?.into())
            }
        }
    }

    /// As [`Call::rearrange`], of what the node holds.
    pub(crate) fn gathered(&mut self, x: &Computed, map: IndexMap, suffix: &str) -> Result<Computed, Problem> {
        Shared::gathered(self.builder, x, map, &format!("{}{suffix}", self.name))
    }

    /// The value repeated until it has shape `dims`; itself if it has as many elements already.
    pub(crate) fn expanded(&mut self, x: &Computed, dims: &[usize]) -> Result<Computed, Problem> {
        if x.dims == dims {
            return Ok(x.clone());
        }
        let x = self.row_major(x)?;
        if x.dims.iter().product::<usize>() == dims.iter().product::<usize>() {
            return Ok(Computed::new(x.id, dims.to_vec()));
        }
        let map = broadcast::expand(self.budget(), &x.dims, dims)?;
        self.gathered(&x, map, ".expanded")
    }
}
