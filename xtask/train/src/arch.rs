//! What a network looks like, before it has weights: a chain of named layers, in which `add` may look back.

use std::fmt;

/// Channels, height, width; a vector of n is `[n, 1, 1]`.
pub type Shape = [usize; 3];

/// One operation; its input is the layer before it.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Convolution with square kernels and zero padding.
    Conv {
        /// Output channels.
        out: usize,
        /// Width and height of a kernel.
        kernel: usize,
        /// Step between two positions.
        stride: usize,
        /// Rows and columns of zeros on each side.
        pad: usize,
    },
    /// Fully connected layer.
    Dense {
        /// Outputs.
        out: usize,
    },
    /// max(x, 0)
    Relu,
    /// Maximum over disjoint squares of this size.
    MaxPool {
        /// Width and height of a square.
        size: usize,
    },
    /// Sum with the output of an earlier layer, of the same shape.
    Add {
        /// Its index.
        other: usize,
    },
    /// Channels, rows and columns become one vector, in this order.
    Flatten,
}

/// A named operation and the shape of its output.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The name that tensors and the architecture text use.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// The shape of what comes out.
    pub shape: Shape,
}

/// An architecture: the input's shape and the layers in order.
#[derive(Clone, Debug)]
pub struct Arch {
    /// Shape of one image.
    pub input: Shape,
    /// The layers; the last one gives the class scores.
    pub layers: Vec<Layer>,
}

// Architectures are written in `recipes.rs`, so a layer that does not fit is a mistake of ours, found by the first test.
impl Arch {
    /// An architecture without layers, for images of this shape.
    pub fn new(input: Shape) -> Self {
        Self { input, layers: Vec::new() }
    }

    /// Shape of the input of layer `index`.
    pub fn shape_before(&self, index: usize) -> Shape {
        index.checked_sub(1).map_or(self.input, |before| self.layers[before].shape)
    }

    /// Appends a convolution.
    pub fn conv(self, name: &str, out: usize, kernel: usize, stride: usize, pad: usize) -> Self {
        let [_, height, width] = self.shape_before(self.layers.len());
        let size = |n: usize| (n + 2 * pad - kernel) / stride + 1;
        let shape = [out, size(height), size(width)];
        self.push(name, Op::Conv { out, kernel, stride, pad }, shape)
    }

    /// Appends a fully connected layer.
    pub fn dense(self, name: &str, out: usize) -> Self {
        self.push(name, Op::Dense { out }, [out, 1, 1])
    }

    /// Appends a ReLU.
    pub fn relu(self, name: &str) -> Self {
        let shape = self.shape_before(self.layers.len());
        self.push(name, Op::Relu, shape)
    }

    /// Appends max-pooling over disjoint squares, which must cover the input exactly.
    pub fn maxpool(self, name: &str, size: usize) -> Self {
        let [channels, height, width] = self.shape_before(self.layers.len());
        assert!(height % size == 0 && width % size == 0, "{name}: {height}x{width} is no multiple of {size}");
        self.push(name, Op::MaxPool { size }, [channels, height / size, width / size])
    }

    /// Appends the sum of the last layer and the earlier layer called `other`.
    pub fn add(self, name: &str, other: &str) -> Self {
        let shape = self.shape_before(self.layers.len());
        let other = self.layers.iter().position(|layer| layer.name == other).expect("add names an earlier layer");
        assert_eq!(self.layers[other].shape, shape, "{name} adds two different shapes");
        assert!(!self.pools_relu(other + 1), "{name} adds a ReLU that training moves behind its max-pooling");
        self.push(name, Op::Add { other }, shape)
    }

    /// Appends the change from an image to a vector.
    pub fn flatten(self, name: &str) -> Self {
        let [channels, height, width] = self.shape_before(self.layers.len());
        self.push(name, Op::Flatten, [channels * height * width, 1, 1])
    }

    fn push(mut self, name: &str, op: Op, shape: Shape) -> Self {
        self.layers.push(Layer { name: name.to_owned(), op, shape });
        self
    }

    /// Whether layer `index` is max-pooling right after a ReLU.
    pub fn pools_relu(&self, index: usize) -> bool {
        let op = |index: usize| self.layers.get(index).map(|layer| &layer.op);
        matches!(op(index), Some(Op::MaxPool { .. })) && matches!(op(index.wrapping_sub(1)), Some(Op::Relu))
    }

    /// The shapes of weight and bias of layer `index`, for layers that have them.
    pub fn parameters(&self, index: usize) -> Option<(Vec<usize>, usize)> {
        let inputs = self.shape_before(index)[0];
        match self.layers[index].op {
            Op::Conv { out, kernel, .. } => Some((vec![out, inputs, kernel, kernel], out)),
            Op::Dense { out } => Some((vec![out, inputs], out)),
            _ => None,
        }
    }
}

/// The architecture text that goes into the file's metadata, in the grammar of the native text format.
impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [channels, height, width] = self.input;
        writeln!(f, "net 1\ninput x f32 [{channels} {height} {width}]")?;
        let mut before = "x";
        for layer in &self.layers {
            let name = &layer.name;
            write!(f, "layer {name} = ")?;
            match &layer.op {
                Op::Conv { stride, pad, .. } => {
                    write!(
                        f,
                        "conv {before} {name}.weight {name}.bias stride {stride} {stride} pad {pad} {pad} {pad} {pad}"
                    )?;
                }
                Op::Dense { .. } => write!(f, "dense {before} {name}.weight {name}.bias")?,
                Op::Relu => write!(f, "relu {before}")?,
                Op::MaxPool { size } => {
                    write!(f, "maxpool {before} kernel {size} {size} stride {size} {size} pad 0 0 0 0")?;
                }
                Op::Add { other } => write!(f, "add {before} {}", self.layers[*other].name)?,
                Op::Flatten => write!(f, "flatten {before}")?,
            }
            writeln!(f)?;
            before = name;
        }
        writeln!(f, "output {before}\nend")
    }
}
