//! The seven operators, and how the shape of each output follows from its inputs.

use crate::{DType, NodeProblem, Shape, Sliding, Tensor};
use std::sync::Arc;

/// What a node computes.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// The input of the network; always node 0 and no operator of its own.
    Input(DType),
    /// `y = W x + b`.
    Dense(Dense),
    /// Two-dimensional convolution.
    Conv2d(Conv2d),
    /// `y = max(x, 0)`, element by element.
    Relu,
    /// Maximum over windows.
    MaxPool(MaxPool),
    /// Any shape to one dimension, row-major.
    Flatten,
    /// The sum of two values of one shape.
    Add,
    /// Copies elements by an index map.
    Gather(Gather),
}

/// How far a stored weight may be from the one that the model file means, where an import had to round
/// (a batch norm's square root, a divisor of 9). Per output row or channel:
/// `|w - w~| <= weight |w~|` and `|b - b~| <= bias`.
#[derive(Debug, Clone, PartialEq)]
pub struct Slack {
    /// Relative error of the row's weights.
    pub weight: Vec<f64>,
    /// Absolute error of the row's bias.
    pub bias: Vec<f64>,
}

/// A dense layer: weight `[outputs, inputs]`, bias `[outputs]`; reads `[inputs]`, gives `[outputs]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// One row per output.
    pub weight: Tensor,
    /// One element per output.
    pub bias: Tensor,
    /// Rounding of an inexact import.
    pub slack: Option<Slack>,
}

impl Dense {
    /// A dense layer; errors if weight and bias do not fit each other.
    pub fn new(weight: Tensor, bias: Tensor) -> Result<Self, NodeProblem> {
        let dense = Self { weight, bias, slack: None };
        dense.check()?;
        Ok(dense)
    }

    /// The fields are public: what holds after `new` may hold no more when a node is made of it.
    fn check(&self) -> Result<(), NodeProblem> {
        let &[outputs, _] = self.weight.shape().dims() else {
            return Err(NodeProblem::mismatch("weight of a dense layer", "[outputs inputs]", self.weight.shape()));
        };
        expect_bias(&self.bias, outputs)?;
        check_slack(&self.slack, outputs)
    }

    /// The number of outputs.
    pub fn outputs(&self) -> usize {
        self.weight.shape().dims()[0]
    }

    /// The number of inputs.
    pub fn inputs(&self) -> usize {
        self.weight.shape().dims()[1]
    }
}

/// A convolution: weight `[outputs, channels / groups, height, width]`, bias `[outputs]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv2d {
    /// One kernel per output channel.
    pub weight: Tensor,
    /// One element per output channel.
    pub bias: Tensor,
    /// Steps of the window, down and right.
    pub stride: [usize; 2],
    /// Zeros around the image: top, left, bottom, right.
    pub padding: [usize; 4],
    /// Distance of the kernel's taps, down and right.
    pub dilation: [usize; 2],
    /// Input and output channels fall into so many groups that do not see each other.
    pub groups: usize,
    /// Rounding of an inexact import.
    pub slack: Option<Slack>,
}

impl Conv2d {
    /// A convolution with stride 1, no padding, no dilation, one group; change the public fields for others.
    pub fn new(weight: Tensor, bias: Tensor) -> Result<Self, NodeProblem> {
        let conv = Self { weight, bias, stride: [1; 2], padding: [0; 4], dilation: [1; 2], groups: 1, slack: None };
        conv.check()?;
        Ok(conv)
    }

    /// The fields are public: what holds after `new` may hold no more when a node is made of it.
    fn check(&self) -> Result<(), NodeProblem> {
        let &[outputs, _, _, _] = self.weight.shape().dims() else {
            let expected = "[outputs channels height width]";
            return Err(NodeProblem::mismatch("weight of a convolution", expected, self.weight.shape()));
        };
        expect_bias(&self.bias, outputs)?;
        check_slack(&self.slack, outputs)
    }

    /// One weight per channel and no neighbours: a scale and shift of each channel.
    pub fn per_channel(scale: Tensor, shift: Tensor) -> Result<Self, NodeProblem> {
        let channels = scale.shape().len();
        let mut conv = Self::new(scale.reshaped(&[channels, 1, 1, 1])?, shift)?;
        conv.groups = channels;
        Ok(conv)
    }

    /// The extents of the kernel, height and width.
    pub fn kernel(&self) -> [usize; 2] {
        let d = self.weight.shape().dims();
        [d[2], d[3]]
    }

    /// The number of output channels.
    pub fn outputs(&self) -> usize {
        self.weight.shape().dims()[0]
    }

    /// The geometry over an input of shape `[channels, height, width]`.
    pub fn sliding(&self, input: &Shape) -> Result<Sliding, NodeProblem> {
        Sliding::new(input, self.kernel(), self.stride, self.padding, self.dilation)
    }

    /// True for a scale and shift of each channel by itself.
    pub fn is_per_channel(&self) -> bool {
        self.kernel() == [1, 1]
            && self.stride == [1, 1]
            && self.padding == [0; 4]
            && self.groups == self.outputs()
            && self.weight.shape().dims()[1] == 1
    }
}

/// The largest element of each window of each channel. Padding takes no part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaxPool {
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// Steps of the window, down and right.
    pub stride: [usize; 2],
    /// Room around the image: top, left, bottom, right.
    pub padding: [usize; 4],
    /// Distance of the window's elements, down and right.
    pub dilation: [usize; 2],
}

impl MaxPool {
    /// The geometry over an input of shape `[channels, height, width]`.
    pub fn sliding(&self, input: &Shape) -> Result<Sliding, NodeProblem> {
        Sliding::new(input, self.kernel, self.stride, self.padding, self.dilation)
    }
}

/// Element `k` of the output is element `index[k]` of the input, or zero where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gather {
    /// One entry per output element, row-major.
    pub index: Arc<Vec<Option<u32>>>,
    /// The shape of the output.
    pub shape: Shape,
}

impl Gather {
    /// An index map; errors if it does not fill the shape.
    pub fn new(index: Vec<Option<u32>>, dims: &[usize]) -> Result<Self, NodeProblem> {
        let gather = Self { index: Arc::new(index), shape: Shape::new(dims)? };
        gather.check()?;
        Ok(gather)
    }

    fn check(&self) -> Result<(), NodeProblem> {
        let found = self.index.len();
        if found == self.shape.len() {
            Ok(())
        } else {
            Err(NodeProblem::ElementCount { shape: self.shape.clone(), found })
        }
    }

    /// The map that only changes the shape.
    pub fn reshape(dims: &[usize]) -> Result<Self, NodeProblem> {
        let len = Shape::new(dims)?.len();
        Self::new((0..len as u32).map(Some).collect(), dims)
    }

    /// True if every element stays where it is and none is dropped, for an input of `len` elements.
    pub fn is_reshape(&self, len: usize) -> bool {
        self.index.len() == len && self.index.iter().enumerate().all(|(k, i)| *i == Some(k as u32))
    }
}

fn expect_bias(bias: &Tensor, outputs: usize) -> Result<(), NodeProblem> {
    if bias.shape().dims() == [outputs] {
        Ok(())
    } else {
        Err(NodeProblem::mismatch("bias", format!("[{outputs}]"), bias.shape()))
    }
}

impl Op {
    /// The operator's name in errors, listings and `inspect`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Input(_) => "Input",
            Self::Dense(_) => "Dense",
            Self::Conv2d(_) => "Conv2d",
            Self::Relu => "Relu",
            Self::MaxPool(_) => "MaxPool",
            Self::Flatten => "Flatten",
            Self::Add => "Add",
            Self::Gather(_) => "Gather",
        }
    }

    /// How many inputs the operator takes.
    pub fn arity(&self) -> usize {
        match self {
            Self::Input(_) => 0,
            Self::Add => 2,
            _ => 1,
        }
    }

    /// The shape of the output; errors if the inputs do not fit.
    pub(crate) fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, NodeProblem> {
        if inputs.len() != self.arity() {
            return Err(NodeProblem::InputCount { expected: self.arity(), found: inputs.len() });
        }
        match self {
            Self::Input(_) => Err(NodeProblem::InputNode),
            Self::Dense(dense) => {
                dense.check()?;
                let expected = [dense.inputs()];
                if inputs[0].dims() != expected {
                    return Err(NodeProblem::mismatch("input", format!("{expected:?}"), inputs[0]));
                }
                Shape::flat(dense.outputs())
            }
            Self::Conv2d(conv) => {
                conv.check()?;
                let sliding = conv.sliding(inputs[0])?;
                let outputs = conv.outputs();
                if conv.groups == 0 || outputs % conv.groups != 0 || sliding.input[0] % conv.groups != 0 {
                    return Err(NodeProblem::Attribute(format!(
                        "{} groups do not divide {} input and {outputs} output channels",
                        conv.groups, sliding.input[0]
                    )));
                }
                let channels = conv.weight.shape().dims()[1];
                if channels * conv.groups != sliding.input[0] {
                    let expected = format!("{} channels", channels * conv.groups);
                    return Err(NodeProblem::mismatch("input", expected, inputs[0]));
                }
                Shape::new(&[outputs, sliding.output[0], sliding.output[1]])
            }
            Self::Relu => Ok(inputs[0].clone()),
            Self::MaxPool(pool) => {
                let sliding = pool.sliding(inputs[0])?;
                if (0..2).any(|axis| sliding.has_empty_window(axis)) {
                    return Err(NodeProblem::Attribute("a window lies wholly in the padding".into()));
                }
                Shape::new(&[sliding.input[0], sliding.output[0], sliding.output[1]])
            }
            Self::Flatten => Shape::flat(inputs[0].len()),
            Self::Add => {
                if inputs[0] != inputs[1] {
                    return Err(NodeProblem::mismatch("second term", inputs[0], inputs[1]));
                }
                Ok(inputs[0].clone())
            }
            Self::Gather(gather) => {
                gather.check()?;
                if let Some(i) = gather.index.iter().flatten().find(|&&i| i as usize >= inputs[0].len()) {
                    let expected = format!("below {}", inputs[0].len());
                    return Err(NodeProblem::mismatch("index", expected, i));
                }
                Ok(gather.shape.clone())
            }
        }
    }
}

pub(crate) fn check_slack(slack: &Option<Slack>, rows: usize) -> Result<(), NodeProblem> {
    let Some(slack) = slack else { return Ok(()) };
    let sane = |v: &[f64]| v.len() == rows && v.iter().all(|e| e.is_finite() && *e >= 0.0);
    if sane(&slack.weight) && sane(&slack.bias) {
        Ok(())
    } else {
        Err(NodeProblem::Attribute("slack must hold one finite number >= 0 per row".into()))
    }
}
