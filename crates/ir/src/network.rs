//! The network: nodes in topological order.

use crate::{DType, Digest, NodeProblem, Op, Shape};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// A position in [`Network::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// One value of the network and how it is computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Unique within the network.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// What it reads; always earlier nodes.
    pub inputs: Vec<NodeId>,
    /// The shape of its value.
    pub shape: Shape,
}

/// Something that an import changed: an operator of the file that became others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// The node of the file.
    pub node: String,
    /// Its operator there.
    pub from: String,
    /// What it became.
    pub into: String,
    /// True if the rewrite is not exact over the reals; the node's [`crate::Slack`] bounds by how much.
    pub rounds: bool,
}

/// A network whose shapes have been checked and whose weights are finite. Built by [`crate::Builder`].
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    pub(crate) nodes: Vec<Node>,
    pub(crate) output: NodeId,
    pub(crate) ordering_only: bool,
    pub(crate) rewrites: Vec<Rewrite>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) digest: Cached,
}

/// The digest, once it was asked for; says nothing that the rest of the network does not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cached(pub(crate) OnceLock<Digest>);

impl PartialEq for Cached {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Network {
    /// All nodes, each after those it reads; the first is the input.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// One node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The nodes with their ids, in topological order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node)> + ExactSizeIterator {
        self.nodes.iter().enumerate().map(|(i, n)| (NodeId(i), n))
    }

    /// The input node.
    pub fn input(&self) -> &Node {
        &self.nodes[0]
    }

    /// The id of the input node.
    pub const INPUT: NodeId = NodeId(0);

    /// The type of the input in the file.
    pub fn input_dtype(&self) -> DType {
        match self.nodes[0].op {
            Op::Input(dtype) => dtype,
            _ => unreachable!("node 0 is the input"),
        }
    }

    /// The node whose value is the network's answer.
    pub fn output(&self) -> NodeId {
        self.output
    }

    /// The number of output elements (logits).
    pub fn output_len(&self) -> usize {
        self.node(self.output).shape.len()
    }

    /// True if a final Softmax was dropped: then only comparisons between two outputs keep their meaning.
    pub fn ordering_only(&self) -> bool {
        self.ordering_only
    }

    /// What the import rewrote.
    pub fn rewrites(&self) -> &[Rewrite] {
        &self.rewrites
    }

    /// Free-form key-value pairs that a model file carries along.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The same network with other key-value pairs.
    pub fn with_metadata(mut self, metadata: BTreeMap<String, String>) -> Self {
        self.metadata = metadata;
        self
    }

    /// The number of weights and biases.
    pub fn parameters(&self) -> usize {
        let of = |op: &Op| match op {
            Op::Dense(d) => d.weight.shape().len() + d.bias.shape().len(),
            Op::Conv2d(c) => c.weight.shape().len() + c.bias.shape().len(),
            _ => 0,
        };
        self.nodes.iter().map(|n| of(&n.op)).sum()
    }

    /// The number of ReLUs.
    pub fn relus(&self) -> usize {
        self.nodes.iter().filter(|n| n.op == Op::Relu).map(|n| n.shape.len()).sum()
    }

    /// True if some weight was rounded on import, so that a node carries [`crate::Slack`].
    pub fn has_slack(&self) -> bool {
        self.nodes.iter().any(|n| match &n.op {
            Op::Dense(d) => d.slack.is_some(),
            Op::Conv2d(c) => c.slack.is_some(),
            _ => false,
        })
    }

    pub(crate) fn clone_without_nodes(&self) -> Self {
        Self {
            nodes: Vec::new(),
            output: self.output,
            ordering_only: self.ordering_only,
            rewrites: self.rewrites.clone(),
            metadata: self.metadata.clone(),
            digest: Cached::default(),
        }
    }

    /// Which nodes the output depends on; the input always counts.
    pub(crate) fn live(&self) -> Vec<bool> {
        let mut live = vec![false; self.nodes.len()];
        live[0] = true;
        live[self.output.0] = true;
        for k in (0..self.nodes.len()).rev().filter(|&k| k > 0) {
            if live[k] {
                self.nodes[k].inputs.iter().for_each(|i| live[i.0] = true);
            }
        }
        live
    }

    /// How often each node is read by live nodes; the output counts as one more reader.
    pub(crate) fn readers(&self) -> Vec<usize> {
        let live = self.live();
        let mut count = vec![0; self.nodes.len()];
        for (node, _) in self.nodes.iter().zip(live).filter(|(_, live)| *live) {
            node.inputs.iter().for_each(|id| count[id.0] += 1);
        }
        count[self.output.0] += 1;
        count
    }
}

impl Node {
    /// Computes the shape from the inputs' and checks that they fit.
    pub(crate) fn check(op: &Op, inputs: &[NodeId], before: &[Node]) -> Result<Shape, NodeProblem> {
        let mut shapes = Vec::with_capacity(inputs.len());
        for id in inputs {
            shapes.push(&before.get(id.0).ok_or(NodeProblem::UnknownInput(id.0))?.shape);
        }
        op.output_shape(&shapes)
    }
}
