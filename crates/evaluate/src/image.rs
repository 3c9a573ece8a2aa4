//! Single images: PNG and NumPy files.

use crate::npy::{self, Header};
use crate::{Example, MAX_ELEMENTS, pixel};
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek};
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

/// Reads `.png` (8-bit grey or RGB, divided by 255) or `.npy` (float32 as it is, float64 rounded to float32, bytes divided by 255).
pub fn read_image(path: &Path) -> Result<Example, ImageError> {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    match extension.as_deref() {
        Some("png") => read_png(BufReader::new(File::open(path)?)),
        Some("npy") => read_npy(path),
        _ => Err(ImageError::UnknownKind),
    }
}

fn read_png(file: impl std::io::BufRead + Seek) -> Result<Example, ImageError> {
    let decoder = png::Decoder::new_with_limits(file, png::Limits { bytes: MAX_ELEMENTS });
    let mut reader = decoder.read_info()?;
    let kind = reader.output_color_type();
    let channels = match kind {
        (png::ColorType::Grayscale, png::BitDepth::Eight) => 1,
        (png::ColorType::Rgb, png::BitDepth::Eight) => 3,
        (colour, depth) => {
            return Err(ImageError::PngKind { found: format!("{colour:?} pixels of {} bits", depth as u8) });
        }
    };
    let size = reader.output_buffer_size().filter(|&s| s <= MAX_ELEMENTS);
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
    let unreadable = |error: std::io::Error| match error.kind() {
        ErrorKind::UnexpectedEof => ImageError::Npy("the file is shorter than it says".into()),
        ErrorKind::InvalidData => ImageError::Npy(error.to_string()),
        _ => ImageError::Io(error),
    };
    let mut reader = BufReader::new(File::open(path)?);
    let Header { element, shape, fortran } = Header::read(&mut reader).map_err(unreadable)?;
    let count: usize = shape.iter().product();
    if !element.is_value() {
        return Err(ImageError::Npy("expected float32, float64 or uint8 elements".into()));
    }
    if count > MAX_ELEMENTS {
        return Err(ImageError::Npy(format!("{count} elements are too many for an input")));
    }
    let mut values = element.values(&mut reader, count).map_err(unreadable)?;
    if reader.read(&mut [0])? != 0 {
        return Err(ImageError::Npy("the file is longer than it says".into()));
    }
    if fortran {
        values = row_major(&values, &shape);
    }
    if let Some(index) = values.iter().position(|v: &f32| !v.is_finite()) {
        return Err(ImageError::NotFinite { index, value: values[index] });
    }
    Ok(Example { values, shape, label: None })
}

/// The elements so that the last index runs fastest, of those whose first does.
fn row_major(values: &[f32], shape: &[usize]) -> Vec<f32> {
    let place = |mut index: usize| {
        // The last index is the lowest digit of the one order and the highest of the other.
        let mut stride = values.len();
        shape.iter().rev().fold(0, |place, &extent| {
            stride /= extent;
            let digit = index % extent;
            index /= extent;
            place + digit * stride
        })
    };
    (0..values.len()).map(|index| values[place(index)]).collect()
}

/// Writes values as a float32 `.npy` array, exactly.
pub fn write_image(path: &Path, values: &[f32], shape: &[usize]) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    npy::write(&mut bytes, values, shape)?;
    std::fs::write(path, bytes)
}
