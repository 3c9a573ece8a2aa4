//! A network of candle's layers, one after the other.

use super::CandleError;
use super::tensors::convert;
use candle_core::{DType, ToUsize2};
use candle_nn::{BatchNorm, Conv1d, Conv2d, Linear};
use std::collections::HashMap;
use unmoved_ir::{Builder, Dense, IrError, MaxPool, Network, NodeId, NodeProblem, Op, Tensor, rounding};

/// Makes a network of candle's layers in the order in which a model's `forward` calls them.
///
/// Every layer reads the value of the one before. What does not fit is reported by [`NetworkBuilder::finish`], so that a
/// model is one chain of calls:
///
/// ```
/// # use candle_core::{DType, Device};
/// # use candle_nn::{VarBuilder, VarMap, conv2d, linear};
/// # use unmoved_safetensors::candle::NetworkBuilder;
/// # let vb = VarBuilder::from_varmap(&VarMap::new(), DType::F32, &Device::Cpu);
/// let c1 = conv2d(1, 4, 3, Default::default(), vb.pp("c1"))?;
/// let c2 = conv2d(4, 4, 1, Default::default(), vb.pp("c2"))?;
/// let fc = linear(36, 10, vb.pp("fc"))?;
/// let network = NetworkBuilder::new(&[1, 8, 8], DType::F32)
///     .named("stem").conv2d(&c1).relu()
///     .residual(|b| b.conv2d(&c2).relu())
///     .max_pool2d(2).flatten().linear(&fc)
///     .finish()?;
/// assert_eq!(network.output_len(), 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct NetworkBuilder {
    /// The first error stays.
    state: Result<State, CandleError>,
    name: Option<String>,
}

#[derive(Debug)]
struct State {
    builder: Builder,
    /// What the next layer reads.
    value: NodeId,
    /// How many layers of a kind got their name here.
    counts: HashMap<&'static str, usize>,
}

impl NetworkBuilder {
    /// A network that reads inputs of this shape, batch dimension left out (images are `[channels, height, width]`), and
    /// of this type, f32 or f64.
    pub fn new(dims: &[usize], dtype: DType) -> Self {
        let state = || {
            let dtype = match dtype {
                DType::F32 => unmoved_ir::DType::F32,
                DType::F64 => unmoved_ir::DType::F64,
                other => return Err(CandleError::InputType(other.as_str().to_uppercase())),
            };
            let mut builder = Builder::new();
            let value = builder.input("x", dims, dtype)?;
            Ok(State { builder, value, counts: HashMap::new() })
        };
        Self { state: state(), name: None }
    }

    /// Names the next layer, as bounds, certificates and written files will call it; without this it is its kind with a
    /// number, such as `fc1`.
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// A dense layer; reads a vector.
    pub fn linear(self, layer: &Linear) -> Self {
        self.layer("fc", |b, x, name| {
            let (weight, bias) = parameters(name, layer.weight(), layer.bias())?;
            let dense = Dense::new(weight, bias).map_err(|problem| node(name, problem))?;
            Ok(b.push(name, Op::Dense(dense), &[x])?)
        })
    }

    /// A convolution of an image.
    pub fn conv2d(self, layer: &Conv2d) -> Self {
        self.layer("conv", |b, x, name| {
            let (weight, bias) = parameters(name, layer.weight(), layer.bias())?;
            let config = layer.config();
            let mut conv = unmoved_ir::Conv2d::new(weight, bias).map_err(|problem| node(name, problem))?;
            (conv.stride, conv.padding) = ([config.stride; 2], [config.padding; 4]);
            (conv.dilation, conv.groups) = ([config.dilation; 2], config.groups);
            Ok(b.push(name, Op::Conv2d(conv), &[x])?)
        })
    }

    /// A convolution of a sequence, `[channels, length]`.
    pub fn conv1d(self, layer: &Conv1d) -> Self {
        self.layer("conv", |b, x, name| {
            let (weight, bias) = parameters(name, layer.weight(), layer.bias())?;
            let &[outputs, channels, taps] = weight.shape().dims() else {
                let found = weight.shape().to_string();
                return Err(mismatch(name, "weight of a convolution", "[outputs channels taps]", found));
            };
            let &[inputs, length] = b.shape(x).dims() else {
                return Err(mismatch(name, "input", "[channels length]", b.shape(x).to_string()));
            };
            let weight = weight.reshaped(&[outputs, channels, 1, taps]).map_err(|problem| node(name, problem))?;
            let config = layer.config();
            let mut conv = unmoved_ir::Conv2d::new(weight, bias).map_err(|problem| node(name, problem))?;
            (conv.stride, conv.padding) = ([1, config.stride], [0, config.padding, 0, config.padding]);
            (conv.dilation, conv.groups) = ([1, config.dilation], config.groups);
            let image = b.reshape(&b.fresh(&format!("{name}.image")), x, &[inputs, 1, length])?;
            let y = b.push(name, Op::Conv2d(conv), &[image])?;
            let length = b.shape(y).len() / outputs;
            Ok(b.reshape(&b.fresh(&format!("{name}.sequence")), y, &[outputs, length])?)
        })
    }

    /// Batch normalisation in evaluation mode, by the running statistics: one mean and variance per channel, or per
    /// element of a vector. Epsilon is rounded to the type of the statistics, as candle does. Where the root is no float
    /// the network carries a bound of the rounding.
    pub fn batch_norm(self, layer: &BatchNorm) -> Self {
        self.layer("bn", |b, x, name| {
            let numbers =
                |what: &str, tensor| Ok::<_, CandleError>(convert(&format!("{name}.{what}"), tensor)?.to_f64());
            let mean = numbers("running_mean", layer.running_mean())?;
            let variance = numbers("running_var", layer.running_var())?;
            let (gamma, beta) = match layer.weight_and_bias() {
                Some((weight, bias)) => (numbers("weight", weight)?, numbers("bias", bias)?),
                None => (vec![1.0; mean.len()], vec![0.0; mean.len()]),
            };
            let epsilon = match layer.running_var().dtype() {
                DType::F32 => f64::from(layer.eps() as f32),
                _ => layer.eps(),
            };
            let (scale, terms) = rounding::batch_norm(&gamma, &beta, &mean, &variance, epsilon)
                .map_err(|channel| CandleError::Variance { layer: name.to_owned(), channel })?;
            let shift = rounding::shift(&terms);
            b.note(name, "BatchNorm", "a scale and shift", scale.error > 0.0 || !shift.errors.is_empty());
            let dims = b.shape(x).dims().to_vec();
            if dims.first() != Some(&mean.len()) {
                return Err(mismatch(name, "input", &format!("{} channels", mean.len()), b.shape(x).to_string()));
            }
            // Sequences have channels too, but in the network only images do.
            let image = match dims[..] {
                [channels, length] => b.reshape(&b.fresh(&format!("{name}.image")), x, &[channels, 1, length])?,
                _ => x,
            };
            let y = b.affine(name, image, scale, shift)?;
            Ok(b.reshape(&b.fresh(&format!("{name}.sequence")), y, &dims)?)
        })
    }

    /// `max(x, 0)`.
    pub fn relu(self) -> Self {
        self.layer("relu", |b, x, name| Ok(b.push(name, Op::Relu, &[x])?))
    }

    /// The maximum over windows that do not overlap, as [`candle_core::Tensor::max_pool2d`].
    pub fn max_pool2d<T: ToUsize2>(self, size: T) -> Self {
        let size = size.to_usize2();
        self.max_pool2d_with_stride(size, size)
    }

    /// The maximum over windows, as [`candle_core::Tensor::max_pool2d_with_stride`].
    pub fn max_pool2d_with_stride<T: ToUsize2>(self, size: T, stride: T) -> Self {
        let (kernel, stride) = (pair(size), pair(stride));
        let pool = MaxPool { kernel, stride, padding: [0; 4], dilation: [1; 2] };
        self.layer("pool", |b, x, name| Ok(b.push(name, Op::MaxPool(pool), &[x])?))
    }

    /// The average over windows that do not overlap, as [`candle_core::Tensor::avg_pool2d`].
    pub fn avg_pool2d<T: ToUsize2>(self, size: T) -> Self {
        let size = size.to_usize2();
        self.avg_pool2d_with_stride(size, size)
    }

    /// The average over windows, as [`candle_core::Tensor::avg_pool2d_with_stride`].
    pub fn avg_pool2d_with_stride<T: ToUsize2>(self, size: T, stride: T) -> Self {
        let (size, stride) = (pair(size), pair(stride));
        self.layer("pool", |b, x, name| {
            let exact = size[0].saturating_mul(size[1]).is_power_of_two();
            b.note(name, "avg_pool2d", "a depthwise convolution", !exact);
            Ok(b.average_pool(name, x, size, stride, [0; 4], true)?)
        })
    }

    /// All elements in one dimension, as `flatten_from(1)` of a batch.
    pub fn flatten(self) -> Self {
        self.layer("flat", |b, x, name| {
            let len = b.shape(x).len();
            Ok(b.reshape(name, x, &[len])?)
        })
    }

    /// `body(x) + x`.
    pub fn residual(self, body: impl FnOnce(Self) -> Self) -> Self {
        self.residual_with(body, |shortcut| shortcut)
    }

    /// `body(x) + shortcut(x)`; both must return the builder that they got.
    pub fn residual_with(self, body: impl FnOnce(Self) -> Self, shortcut: impl FnOnce(Self) -> Self) -> Self {
        let Ok(start) = self.state.as_ref().map(|state| state.value) else { return self };
        let Self { state, name } = self;
        let body = body(Self { state, name: None });
        let Ok(left) = body.state.as_ref().map(|state| state.value) else { return body };
        let state = body.state.map(|state| State { value: start, ..state });
        let shortcut = shortcut(Self { state, name: None });
        Self { name, ..shortcut }.layer("add", |b, right, name| Ok(b.push(name, Op::Add, &[left, right])?))
    }

    /// The network, normalised: batch normalisations folded into the layers before them.
    ///
    /// # Errors
    /// The first layer that does not fit the value before it, or whose tensors have another type than f32 and f64 or
    /// elements that are not finite.
    pub fn finish(self) -> Result<Network, CandleError> {
        let State { builder, value, .. } = self.state?;
        Ok(builder.finish(value)?)
    }

    /// Adds a layer, whose default name is its kind with a number.
    fn layer(
        self,
        kind: &'static str,
        push: impl FnOnce(&mut Builder, NodeId, &str) -> Result<NodeId, CandleError>,
    ) -> Self {
        let Self { state, name } = self;
        let state = state.and_then(|mut state| {
            let name = name.unwrap_or_else(|| {
                let count = state.counts.entry(kind).or_default();
                *count += 1;
                state.builder.fresh(&format!("{kind}{count}"))
            });
            state.value = push(&mut state.builder, state.value, &name)?;
            Ok(state)
        });
        Self { state, name: None }
    }
}

fn pair<T: ToUsize2>(size: T) -> [usize; 2] {
    size.to_usize2().into()
}

/// Weight and bias; no bias means zero.
fn parameters(
    name: &str,
    weight: &candle_core::Tensor,
    bias: Option<&candle_core::Tensor>,
) -> Result<(Tensor, Tensor), CandleError> {
    let weight = convert(&format!("{name}.weight"), weight)?;
    let bias = match bias {
        Some(bias) => convert(&format!("{name}.bias"), bias)?,
        // One zero per row of the weight; a weight without rows is refused where it is used.
        None => {
            let outputs = weight.shape().dims().first().copied().unwrap_or(1);
            Tensor::zeros(&[outputs]).map_err(|problem| node(name, problem))?
        }
    };
    Ok((weight, bias))
}

fn node(name: &str, problem: NodeProblem) -> CandleError {
    IrError::Node { node: name.to_owned(), problem }.into()
}

fn mismatch(name: &str, what: &'static str, expected: &str, found: String) -> CandleError {
    node(name, NodeProblem::Mismatch { what, expected: expected.to_owned(), found })
}
