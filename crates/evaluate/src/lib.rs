//! Where inputs come from: single images and the data sets that networks are judged by.
//!
//! Every input leaves here as an [`Example`]: float32 values, row-major `[channels, height, width]`, with bytes divided
//! by 255 as the usual training pipelines do.

mod data;
mod image;
mod npy;
pub mod picture;
mod question;
pub mod report;
pub mod run;
pub mod work;

pub use data::{DataSet, DataSetError, Examples, Images, Layout};
pub use image::{ImageError, read_image, write_image};
pub use question::{Perturbations, Question, QuestionError};

/// One input of a network, and its class where that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The values, row-major.
    pub values: Vec<f32>,
    /// Their shape; `[channels, height, width]` for images.
    pub shape: Vec<usize>,
    /// The class that the data set gives it.
    pub label: Option<usize>,
}

/// The elements of the largest input that is read: 64 MiB of float32. No image that a network reads is larger.
const MAX_ELEMENTS: usize = 1 << 24;

/// The value of a byte of an image.
fn pixel(byte: u8) -> f32 {
    f32::from(byte) / 255.0
}

#[cfg(test)]
mod tests;
