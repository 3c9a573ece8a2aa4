//! Two operations that candle lacks or has only slowly: convolution through one matrix product, and max-pooling.
//!
//! Images are kept channel-major here, `[channels, batch, height, width]`: then a convolution is `weights x patches`
//! with the result already in place, and nothing is ever transposed. (candle 0.11 computes the gradient of a
//! convolution with a plain loop, ten times slower, and divides the gradient of max-pooling by the pool's size.)

use candle_core::{CpuStorage, CustomOp1, Error, Layout, Result, Shape, Tensor};

/// Convolution of `[channels, batch, height, width]` with square kernels `[out, channels, k, k]`.
pub fn conv(images: &Tensor, weight: &Tensor, bias: &Tensor, stride: usize, pad: usize) -> Result<Tensor> {
    let (_, batch, height, width) = images.dims4()?;
    let (out, channels, kernel, _) = weight.dims4()?;
    let unfold = Unfold { kernel, stride, pad };
    let patches = images.contiguous()?.apply_op1(unfold)?;
    // The patches end in a row of ones, so the product adds the bias too.
    let weight = Tensor::cat(&[&weight.reshape((out, channels * kernel * kernel))?, &bias.unsqueeze(1)?], 1)?;
    weight.matmul(&patches)?.reshape((out, batch, unfold.outputs(height), unfold.outputs(width)))
}

/// Maximum over disjoint squares of `[channels, batch, height, width]`.
pub fn max_pool(images: &Tensor, size: usize) -> Result<Tensor> {
    images.contiguous()?.apply_op1(MaxPool { size })
}

/// Image to patches: row (channel, ky, kx), column (image, y, x) of the output; and a last row of ones.
#[derive(Clone, Copy, Debug)]
struct Unfold {
    kernel: usize,
    stride: usize,
    pad: usize,
}

impl Unfold {
    fn outputs(&self, n: usize) -> usize {
        (n + 2 * self.pad - self.kernel) / self.stride + 1
    }

    /// The outputs whose tap `k` falls inside `0..n`.
    fn inside(&self, k: usize, n: usize) -> std::ops::Range<usize> {
        let first = self.pad.saturating_sub(k).div_ceil(self.stride);
        let end = (n + self.pad).saturating_sub(k).div_ceil(self.stride).min(self.outputs(n));
        first.min(end)..end
    }

    /// Calls `visit(start in patches, start in images, count)` for every run of outputs along x; in the images a run
    /// advances by the stride.
    fn runs(&self, [channels, batch, height, width]: [usize; 4], mut visit: impl FnMut(usize, usize, usize)) {
        let (rows, columns) = (self.outputs(height), self.outputs(width));
        for channel in 0..channels {
            for ky in 0..self.kernel {
                for kx in 0..self.kernel {
                    let row = (channel * self.kernel + ky) * self.kernel + kx;
                    let xs = self.inside(kx, width);
                    for image in 0..batch {
                        for y in self.inside(ky, height) {
                            let patch = ((row * batch + image) * rows + y) * columns + xs.start;
                            let line = (channel * batch + image) * height + y * self.stride + ky - self.pad;
                            let pixel = line * width + xs.start * self.stride + kx - self.pad;
                            visit(patch, pixel, xs.len());
                        }
                    }
                }
            }
        }
    }
}

impl CustomOp1 for Unfold {
    fn name(&self) -> &'static str {
        "unfold"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let images = contiguous(storage, layout)?;
        let dims @ (channels, batch, height, width) = layout.shape().dims4()?;
        let rows = channels * self.kernel * self.kernel;
        let columns = batch * self.outputs(height) * self.outputs(width);
        let mut patches = vec![0f32; (rows + 1) * columns];
        patches[rows * columns..].fill(1.0);
        self.runs(dims.into(), |patch, pixel, count| {
            let to = &mut patches[patch..patch + count];
            if self.stride == 1 {
                to.copy_from_slice(&images[pixel..pixel + count]);
            } else {
                let from = images[pixel..].iter().step_by(self.stride);
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        });
        Ok((CpuStorage::F32(patches), (rows + 1, columns).into()))
    }

    fn bwd(&self, images: &Tensor, _patches: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let patches = gradient.flatten_all()?.to_vec1::<f32>()?;
        let mut sums = vec![0f32; images.elem_count()];
        self.runs(images.dims4()?.into(), |patch, pixel, count| {
            let to = sums[pixel..].iter_mut().step_by(self.stride);
            to.zip(&patches[patch..patch + count]).for_each(|(to, from)| *to += from);
        });
        Tensor::from_vec(sums, images.shape(), images.device()).map(Some)
    }
}

/// Max-pooling; where several pixels share the maximum the first one gets the gradient.
#[derive(Clone, Copy, Debug)]
struct MaxPool {
    size: usize,
}

impl MaxPool {
    /// Calls `visit(index of the output, index of the largest pixel)` for every square.
    fn winners(&self, images: &[f32], dims: (usize, usize, usize, usize), mut visit: impl FnMut(usize, usize)) {
        let (channels, batch, height, width) = dims;
        let (rows, columns) = (height / self.size, width / self.size);
        for plane in 0..channels * batch {
            for y in 0..rows {
                for x in 0..columns {
                    let corner = (plane * height + y * self.size) * width + x * self.size;
                    let mut best = corner;
                    for dy in 0..self.size {
                        for pixel in corner + dy * width..corner + dy * width + self.size {
                            if images[pixel] > images[best] {
                                best = pixel;
                            }
                        }
                    }
                    visit((plane * rows + y) * columns + x, best);
                }
            }
        }
    }
}

impl CustomOp1 for MaxPool {
    fn name(&self) -> &'static str {
        "max-pool"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let images = contiguous(storage, layout)?;
        let dims @ (channels, batch, height, width) = layout.shape().dims4()?;
        let shape = (channels, batch, height / self.size, width / self.size);
        let mut pooled = vec![0f32; shape.0 * shape.1 * shape.2 * shape.3];
        self.winners(images, dims, |output, pixel| pooled[output] = images[pixel]);
        Ok((CpuStorage::F32(pooled), shape.into()))
    }

    fn bwd(&self, images: &Tensor, _pooled: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (gradient, pixels) = (gradient.flatten_all()?.to_vec1::<f32>()?, images.flatten_all()?.to_vec1::<f32>()?);
        let mut sums = vec![0f32; pixels.len()];
        self.winners(&pixels, images.dims4()?, |output, pixel| sums[pixel] += gradient[output]);
        Tensor::from_vec(sums, images.shape(), images.device()).map(Some)
    }
}

/// The values of a contiguous tensor.
fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let (start, end) = layout.contiguous_offsets().ok_or_else(|| Error::Msg("a contiguous tensor is needed".into()))?;
    Ok(&storage.as_slice::<f32>()?[start..end])
}
