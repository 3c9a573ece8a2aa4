//! A network with weights: class scores for images, and interval bounds of them for whole boxes of images.

use anyhow::{Context, Result, ensure};
use candle_core::{DType, Device, Tensor, Var};

use crate::arch::{Arch, Op};
use crate::ops;
use crate::rng::Rng;

/// Weight and bias of one layer.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// `[out, in]` or `[out, in, k, k]`, as PyTorch and candle keep them.
    pub weight: Var,
    /// One number per output or output channel.
    pub bias: Var,
}

/// A network in training.
#[derive(Clone, Debug)]
pub struct Net {
    /// Its layers.
    pub arch: Arch,
    /// The parameters of each layer; `None` for those without.
    pub parameters: Vec<Option<Parameters>>,
}

impl Net {
    /// A network with random weights, after He et al.; biases start at zero.
    pub fn new(arch: Arch, rng: &mut Rng) -> Result<Self> {
        let parameters = (0..arch.layers.len())
            .map(|index| {
                let Some((shape, out)) = arch.parameters(index) else { return Ok(None) };
                let inputs: usize = shape[1..].iter().product();
                let scale = (2.0 / inputs as f64).sqrt();
                let weights: Vec<f32> = (0..out * inputs).map(|_| (rng.normal() * scale) as f32).collect();
                let weight = Var::from_vec(weights, shape, &Device::Cpu)?;
                let bias = Var::zeros(out, DType::F32, &Device::Cpu)?;
                Ok(Some(Parameters { weight, bias }))
            })
            .collect::<Result<_>>()?;
        Ok(Self { arch, parameters })
    }

    /// Everything that training changes, in a fixed order.
    pub fn variables(&self) -> Vec<Var> {
        self.parameters.iter().flatten().flat_map(|p| [p.weight.clone(), p.bias.clone()]).collect()
    }

    /// Class scores `[batch, classes]` of images `[channels, batch, height, width]`.
    pub fn scores(&self, images: &Tensor) -> Result<Tensor> {
        let (last, hidden) = self.last()?;
        dense(&self.hidden(images, hidden, conv, dense)?, last)
    }

    /// Upper bounds of `score of t - score of label`, `[batch, classes]`, over all images between `lower` and `upper`;
    /// zero at the label itself. `labels` is one-hot, `[batch, classes]`.
    ///
    /// This is interval bound propagation (Gowal et al. 2018). Lower and upper bounds travel through the network
    /// together, one after the other along the axis of channels. The differences are taken inside the last dense layer,
    /// which is tighter than to bound both scores and to subtract.
    pub fn margins(&self, lower: &Tensor, upper: &Tensor, labels: &Tensor) -> Result<Tensor> {
        let (last, hidden) = self.last()?;
        let bounds = self.hidden(&Tensor::cat(&[lower, upper], 0)?, hidden, conv_bounds, dense_bounds)?;
        let (centre, radius) = centre_and_radius(&bounds)?;
        let scores = dense(&centre, last)?;
        let own = (&scores * labels)?.sum_keepdim(1)?;
        let (classes, inputs) = last.weight.dims2()?;
        // Row (y, t) holds |weights of t - weights of y|; the one-hot label picks its y.
        let differences = last.weight.unsqueeze(0)?.broadcast_sub(&last.weight.unsqueeze(1)?)?.abs()?;
        let spread = radius.matmul(&differences.reshape((classes * classes, inputs))?.t()?)?;
        let spread = spread.reshape(((), classes, classes))?.broadcast_mul(&labels.unsqueeze(2)?)?.sum(1)?;
        Ok((scores.broadcast_sub(&own)? + spread)?)
    }

    /// The last layer, which is dense, and the number of layers before it.
    fn last(&self) -> Result<(&Parameters, usize)> {
        let hidden = self.arch.layers.len().checked_sub(1).context("the network has no layer")?;
        ensure!(matches!(self.arch.layers[hidden].op, Op::Dense { .. }), "the last layer is not dense");
        Ok((self.parameters[hidden].as_ref().context("the last layer has no weights")?, hidden))
    }

    /// The values before the last layer. What weights do is up to the caller; everything else is the same for values
    /// and for bounds, because it is monotone and acts on each channel alone.
    fn hidden(
        &self,
        images: &Tensor,
        count: usize,
        conv: impl Fn(&Tensor, &Parameters, usize, usize) -> Result<Tensor>,
        dense: impl Fn(&Tensor, &Parameters) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let mut values: Vec<Tensor> = vec![images.clone()];
        for (index, layer) in self.arch.layers[..count].iter().enumerate() {
            let x = &values[index];
            let parameters = || self.parameters[index].as_ref().context("this layer has weights");
            values.push(match &layer.op {
                Op::Conv { stride, pad, .. } => conv(x, parameters()?, *stride, *pad)?,
                Op::Dense { .. } => dense(x, parameters()?)?,
                // ReLU and max-pooling commute, and after pooling there is much less to do.
                Op::Relu if self.arch.pools_relu(index + 1) => x.clone(),
                Op::MaxPool { size } if self.arch.pools_relu(index) => ops::max_pool(x, *size)?.relu()?,
                Op::MaxPool { size } => ops::max_pool(x, *size)?,
                Op::Relu => x.relu()?,
                Op::Add { other } => (x + &values[other + 1])?,
                Op::Flatten => x.transpose(0, 1)?.contiguous()?.flatten_from(1)?,
            });
        }
        Ok(values.swap_remove(count))
    }
}

fn conv(x: &Tensor, parameters: &Parameters, stride: usize, pad: usize) -> Result<Tensor> {
    Ok(ops::conv(x, &parameters.weight, &parameters.bias, stride, pad)?)
}

fn dense(x: &Tensor, parameters: &Parameters) -> Result<Tensor> {
    Ok(x.matmul(&parameters.weight.t()?)?.broadcast_add(&parameters.bias)?)
}

/// Lower bounds need lower inputs where weights are positive and upper inputs where they are negative: bounds of a
/// convolution are a convolution of twice as many channels.
fn conv_bounds(x: &Tensor, parameters: &Parameters, stride: usize, pad: usize) -> Result<Tensor> {
    let positive = parameters.weight.relu()?;
    let negative = (parameters.weight.as_tensor() - &positive)?;
    let lower = Tensor::cat(&[&positive, &negative], 1)?;
    let upper = Tensor::cat(&[&negative, &positive], 1)?;
    let bias = Tensor::cat(&[parameters.bias.as_tensor(); 2], 0)?;
    Ok(ops::conv(x, &Tensor::cat(&[lower, upper], 0)?, &bias, stride, pad)?)
}

/// The same for a dense layer by centre and radius: here the weights are larger than the values.
fn dense_bounds(x: &Tensor, parameters: &Parameters) -> Result<Tensor> {
    let (centre, radius) = centre_and_radius(x)?;
    let centre = dense(&centre, parameters)?;
    let radius = radius.matmul(&parameters.weight.abs()?.t()?)?;
    Ok(Tensor::cat(&[(&centre - &radius)?, (centre + radius)?], 1)?)
}

/// Centre and radius of `[batch, lower bounds then upper bounds]`.
fn centre_and_radius(bounds: &Tensor) -> Result<(Tensor, Tensor)> {
    let half = bounds.dim(1)? / 2;
    let (lower, upper) = (bounds.narrow(1, 0, half)?, bounds.narrow(1, half, half)?);
    Ok((((&lower + &upper)? * 0.5)?, ((upper - lower)? * 0.5)?))
}
