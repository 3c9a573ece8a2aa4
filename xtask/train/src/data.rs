//! Reads MNIST (IDX files) and CIFAR-10 (whole batches, or files that hold only the first images of one).

use std::fs::{self, File};
use std::io::{Read, Take};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use candle_core::{Device, Tensor};
use flate2::read::GzDecoder;

use crate::arch::Shape;
use crate::rng::Rng;

/// Number of classes in both data sets.
pub const CLASSES: usize = 10;

/// Which data set to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Handwritten digits, 1x28x28.
    Mnist,
    /// Small colour photographs, 3x32x32.
    Cifar10,
}

/// Labelled images, one byte per pixel.
#[derive(Clone, Debug)]
pub struct Images {
    /// Shape of one image.
    pub shape: Shape,
    /// All pixels, image after image.
    pub pixels: Vec<u8>,
    /// One label per image, all below [`CLASSES`].
    pub labels: Vec<u8>,
}

/// Random changes to training images that keep the class.
#[derive(Clone, Copy, Debug, Default)]
pub struct Augment {
    /// Shift by up to so many pixels each way; what enters is black.
    pub shift: usize,
    /// Mirror left and right every second time.
    pub mirror: bool,
}

/// The training images and the test images of a data set.
pub fn load(source: Source, folder: &Path) -> Result<(Images, Images)> {
    match source {
        Source::Mnist => Ok((mnist(folder, "train")?, mnist(folder, "t10k")?)),
        Source::Cifar10 => {
            let batches =
                (1..=5).map(|n| batch_file(folder, &format!("data_batch_{n}"))).collect::<Result<Vec<_>>>()?;
            let mut train = Images::empty([3, 32, 32]);
            for batch in batches.iter().flatten() {
                read_cifar(batch, &mut train)?;
            }
            ensure!(!train.labels.is_empty(), "no data_batch_*.bin in {}", folder.display());
            let mut test = Images::empty([3, 32, 32]);
            let batch = batch_file(folder, "test_batch")?;
            read_cifar(&batch.with_context(|| format!("no test_batch*.bin in {}", folder.display()))?, &mut test)?;
            Ok((train, test))
        }
    }
}

/// `NAME.bin`, else the one file called `NAME_first*.bin`, else nothing.
fn batch_file(folder: &Path, name: &str) -> Result<Option<PathBuf>> {
    let whole = folder.join(format!("{name}.bin"));
    if whole.exists() {
        return Ok(Some(whole));
    }
    let prefix = format!("{name}_first");
    let mut found = None;
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))? {
        let path = entry?.path();
        let file = path.file_name().and_then(|file| file.to_str()).unwrap_or_default();
        if file.starts_with(&prefix) && file.ends_with(".bin") {
            ensure!(found.is_none(), "two files hold a part of {name} in {}", folder.display());
            found = Some(path);
        }
    }
    Ok(found)
}

/// Appends the records of a CIFAR-10 batch: a label, then 3072 bytes of red, green and blue planes.
fn read_cifar(path: &Path, into: &mut Images) -> Result<()> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let record = 1 + into.pixels_per_image();
    ensure!(!bytes.is_empty(), "{} is empty", path.display());
    ensure!(
        bytes.len() % record == 0,
        "{} is truncated: {} bytes are no multiple of the {record} bytes of a record",
        path.display(),
        bytes.len()
    );
    for record in bytes.chunks_exact(record) {
        into.push(record[0], &record[1..]).with_context(|| format!("in {}", path.display()))?;
    }
    Ok(())
}

/// One half of MNIST: `{name}-images-idx3-ubyte.gz` and `{name}-labels-idx1-ubyte.gz`.
fn mnist(folder: &Path, name: &str) -> Result<Images> {
    let (images, dims) = read_idx::<3>(&folder.join(format!("{name}-images-idx3-ubyte.gz")))?;
    let (labels, [count]) = read_idx::<1>(&folder.join(format!("{name}-labels-idx1-ubyte.gz")))?;
    ensure!(dims[0] == count, "{name}: {} images but {count} labels", dims[0]);
    ensure!(dims[1..] == [28, 28], "{name}: images are {}x{}, not 28x28", dims[1], dims[2]);
    let mut all = Images::empty([1, 28, 28]);
    for (label, pixels) in labels.iter().zip(images.chunks_exact(28 * 28)) {
        all.push(*label, pixels)?;
    }
    Ok(all)
}

/// The bytes and dimensions of a gzipped IDX file of unsigned bytes with `N` dimensions.
fn read_idx<const N: usize>(path: &Path) -> Result<(Vec<u8>, [usize; N])> {
    let name = path.display();
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    // No data set here is larger; a damaged file must not fill the memory.
    let mut input = GzDecoder::new(file).take(100 << 20);
    let magic = be32(&mut input).with_context(|| format!("{name} is truncated"))?;
    ensure!(magic == 0x800 + N, "{name}: magic number {magic}, expected {}", 0x800 + N);
    let mut dims = [0; N];
    for dim in &mut dims {
        *dim = be32(&mut input).with_context(|| format!("{name} is truncated"))?;
    }
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes).with_context(|| format!("{name} is truncated"))?;
    let expected = dims.iter().try_fold(1usize, |product, dim| product.checked_mul(*dim));
    if expected != Some(bytes.len()) {
        bail!("{name} has {} bytes of data but its header says {dims:?}", bytes.len());
    }
    Ok((bytes, dims))
}

fn be32(input: &mut Take<GzDecoder<File>>) -> Result<usize> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes) as usize)
}

impl Images {
    /// No images yet, of this shape.
    pub fn empty(shape: Shape) -> Self {
        Self { shape, pixels: Vec::new(), labels: Vec::new() }
    }

    /// Appends one image.
    pub fn push(&mut self, label: u8, pixels: &[u8]) -> Result<()> {
        ensure!((label as usize) < CLASSES, "image {} has the label {label}", self.labels.len());
        ensure!(pixels.len() == self.pixels_per_image(), "an image of {} pixels", pixels.len());
        self.labels.push(label);
        self.pixels.extend_from_slice(pixels);
        Ok(())
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    fn pixels_per_image(&self) -> usize {
        self.shape.iter().product()
    }

    /// Images `[channels, batch, height, width]` with pixels in 0..=1, and labels `[batch, classes]`, one-hot.
    pub fn batch(&self, indices: &[usize]) -> Result<(Tensor, Tensor)> {
        self.augmented_batch(indices, Augment::default(), &mut Rng::new(0))
    }

    /// The same after random changes.
    pub fn augmented_batch(&self, indices: &[usize], augment: Augment, rng: &mut Rng) -> Result<(Tensor, Tensor)> {
        let [channels, height, width] = self.shape;
        let mut values = vec![0f32; channels * indices.len() * height * width];
        let mut labels = vec![0f32; indices.len() * CLASSES];
        for (slot, &index) in indices.iter().enumerate() {
            labels[slot * CLASSES + self.labels[index] as usize] = 1.0;
            let image = &self.pixels[index * self.pixels_per_image()..][..self.pixels_per_image()];
            let (shift_y, shift_x) = (rng.below(2 * augment.shift + 1), rng.below(2 * augment.shift + 1));
            let mirror = augment.mirror && rng.below(2) == 1;
            for channel in 0..channels {
                for y in 0..height {
                    // Above and left of the picture the subtraction wraps, below and right the sum is too large.
                    let from_y = (y + shift_y).wrapping_sub(augment.shift);
                    if from_y >= height {
                        continue;
                    }
                    let from = &image[(channel * height + from_y) * width..][..width];
                    let to = &mut values[((channel * indices.len() + slot) * height + y) * width..][..width];
                    for (x, to) in to.iter_mut().enumerate() {
                        let x = if mirror { width - 1 - x } else { x };
                        let byte = from.get((x + shift_x).wrapping_sub(augment.shift));
                        *to = byte.map_or(0.0, |&byte| byte as f32 / 255.0);
                    }
                }
            }
        }
        let values = Tensor::from_vec(values, (channels, indices.len(), height, width), &Device::Cpu)?;
        Ok((values, Tensor::from_vec(labels, (indices.len(), CLASSES), &Device::Cpu)?))
    }
}
