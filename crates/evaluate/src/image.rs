//! Single images: PNG and NumPy files.

use crate::{Example, pixel};
use ndarray::ArrayD;
use ndarray_npy::{ReadNpyError, ReadNpyExt, ReadableElement};
use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};
use std::path::Path;

/// An image that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file cannot be opened or read.
    #[error("cannot read the image: {0}")]
    Io(#[from] std::io::Error),
    /// Not a PNG, or a damaged one.
    #[error("not a readable PNG: {0}")]
    Png(#[from] png::DecodingError),
    /// A PNG whose pixels are not 8-bit grey or RGB.
    #[error("the PNG has {found}; expected 8-bit grey or RGB without transparency")]
    PngKind {
        /// Its colour type and depth.
        found: String,
    },
    /// Not a NumPy array of numbers, or a damaged one.
    #[error("not a readable .npy array: {0}")]
    Npy(String),
    /// A NaN or an infinity.
    #[error("element {index} is {value}; inputs must be finite")]
    NotFinite {
        /// Position in row-major order.
        index: usize,
        /// What stands there.
        value: f32,
    },
    /// Neither `.png` nor `.npy`.
    #[error("unknown kind of image; expected a name that ends in .png or .npy")]
    UnknownKind,
}

/// No image that a network reads is larger; a decoder's memory is bounded by this.
const MAX_BYTES: usize = 64 << 20;

/// Reads `.png` (8-bit grey or RGB, divided by 255) or `.npy` (float32 or float64 as they are, bytes divided by 255).
pub fn read_image(path: &Path) -> Result<Example, ImageError> {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    match extension.as_deref() {
        Some("png") => read_png(BufReader::new(File::open(path)?)),
        Some("npy") => read_npy(path),
        _ => Err(ImageError::UnknownKind),
    }
}

fn read_png(file: impl std::io::BufRead + Seek) -> Result<Example, ImageError> {
    let decoder = png::Decoder::new_with_limits(file, png::Limits { bytes: MAX_BYTES });
    let mut reader = decoder.read_info()?;
    let kind = reader.output_color_type();
    let channels = match kind {
        (png::ColorType::Grayscale, png::BitDepth::Eight) => 1,
        (png::ColorType::Rgb, png::BitDepth::Eight) => 3,
        (colour, depth) => {
            return Err(ImageError::PngKind { found: format!("{colour:?} pixels of {} bits", depth as u8) });
        }
    };
    let size = reader.output_buffer_size().filter(|&s| s <= MAX_BYTES);
    let mut bytes = vec![0; size.ok_or_else(|| ImageError::PngKind { found: "too many pixels".into() })?];
    let info = reader.next_frame(&mut bytes)?;
    let (width, height) = (info.width as usize, info.height as usize);
    // PNG stores the channels of a pixel together, networks keep each channel apart.
    let values = (0..channels)
        .flat_map(|c| bytes.chunks_exact(channels).take(width * height).map(move |p| pixel(p[c])))
        .collect();
    Ok(Example { values, shape: vec![channels, height, width], label: None })
}

fn read_npy(path: &Path) -> Result<Example, ImageError> {
    let length = std::fs::metadata(path)?.len();
    if length > MAX_BYTES as u64 {
        return Err(ImageError::Npy("the file is too large for an input".into()));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES as u64).read_to_end(&mut bytes)?;
    let (values, shape) = npy_array::<f32>(&bytes)?
        .or(npy_array::<f64>(&bytes)?.map(|(v, s)| (v.into_iter().map(|v| v as f32).collect(), s)))
        .or(npy_array::<u8>(&bytes)?.map(|(v, s)| (v.into_iter().map(pixel).collect(), s)))
        .ok_or_else(|| ImageError::Npy("expected float32, float64 or uint8 elements".into()))?;
    if let Some(index) = values.iter().position(|v: &f32| !v.is_finite()) {
        return Err(ImageError::NotFinite { index, value: values[index] });
    }
    Ok(Example { values, shape, label: None })
}

type Array<T> = (Vec<T>, Vec<usize>);

/// The elements in row-major order with their shape; `None` if the file holds another type.
fn npy_array<T: ReadableElement + Clone>(bytes: &[u8]) -> Result<Option<Array<T>>, ImageError> {
    match ArrayD::<T>::read_npy(bytes) {
        Ok(array) => Ok(Some((array.iter().cloned().collect(), array.shape().to_vec()))),
        Err(ReadNpyError::WrongDescriptor(_)) => Ok(None),
        Err(e) => Err(ImageError::Npy(e.to_string())),
    }
}

/// Writes values as a float32 `.npy` array, exactly.
pub fn write_image(path: &Path, values: &[f32], shape: &[usize]) -> std::io::Result<()> {
    File::create(path)?.write_all(&npy(values, shape)?)
}

/// The bytes of a float32 `.npy` array.
pub(crate) fn npy(values: &[f32], shape: &[usize]) -> std::io::Result<Vec<u8>> {
    let array = ndarray::ArrayViewD::from_shape(shape, values).map_err(std::io::Error::other)?;
    let mut bytes = Vec::new();
    ndarray_npy::WriteNpyExt::write_npy(&array, &mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes)
}
