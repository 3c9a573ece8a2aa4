//! A digest of what a network computes, independent of names and of the file format it came from.

use crate::{Data, Network, Op, Slack, Tensor};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Feeds integers and floats to the hash as little-endian 64-bit words; every list is preceded by its length, so that
/// no two networks give the same bytes.
struct Canonical(Sha256);

impl Canonical {
    fn int(&mut self, v: usize) {
        self.0.update((v as u64).to_le_bytes());
    }

    fn ints(&mut self, v: &[usize]) {
        self.int(v.len());
        v.iter().for_each(|&v| self.int(v));
    }

    fn floats(&mut self, v: &[f64]) {
        self.int(v.len());
        v.iter().for_each(|v| self.0.update(v.to_le_bytes()));
    }

    fn tensor(&mut self, t: &Tensor) {
        self.ints(t.shape().dims());
        match t.data() {
            Data::F32(v) => {
                self.int(32);
                v.iter().for_each(|v| self.0.update(v.to_le_bytes()));
            }
            Data::F64(v) => {
                self.int(64);
                v.iter().for_each(|v| self.0.update(v.to_le_bytes()));
            }
        }
    }

    fn slack(&mut self, slack: &Option<Slack>) {
        self.int(usize::from(slack.is_some()));
        if let Some(slack) = slack {
            self.floats(&slack.weight);
            self.floats(&slack.bias);
        }
    }

    fn op(&mut self, op: &Op) {
        match op {
            Op::Input(_) => self.int(0),
            Op::Dense(d) => {
                self.int(1);
                self.tensor(&d.weight);
                self.tensor(&d.bias);
                self.slack(&d.slack);
            }
            Op::Conv2d(c) => {
                self.int(2);
                self.tensor(&c.weight);
                self.tensor(&c.bias);
                [&c.stride[..], &c.padding, &c.dilation, &[c.groups]].iter().for_each(|v| self.ints(v));
                self.slack(&c.slack);
            }
            Op::Relu => self.int(3),
            Op::MaxPool(p) => {
                self.int(4);
                [&p.kernel[..], &p.stride, &p.padding, &p.dilation].iter().for_each(|v| self.ints(v));
            }
            Op::Flatten => self.int(5),
            Op::Add => self.int(6),
            Op::Gather(g) => {
                self.int(7);
                self.int(g.index.len());
                // One more than the index, so that zero stands for "nothing".
                g.index.iter().for_each(|i| self.int(i.map_or(0, |i| i as usize + 1)));
            }
        }
    }
}

impl Network {
    /// The SHA-256 of the network's canonical form: `unmoved network 1`, the number of nodes, per node its operator
    /// (0 to 7 in the order of [`Op`]) with all its parameters, its inputs and its shape, then the output and
    /// whether a Softmax was dropped. Names, rewrites and metadata take no part.
    pub fn digest(&self) -> Digest {
        *self.digest.0.get_or_init(|| self.compute_digest())
    }

    fn compute_digest(&self) -> Digest {
        let mut c = Canonical(Sha256::new());
        c.0.update(b"unmoved network 1\n");
        c.int(self.nodes().len());
        for node in self.nodes() {
            c.op(&node.op);
            c.ints(&node.inputs.iter().map(|i| i.0).collect::<Vec<_>>());
            c.ints(node.shape.dims());
        }
        c.int(self.output().0);
        c.int(usize::from(self.ordering_only()));
        Digest(c.0.finalize().into())
    }
}
