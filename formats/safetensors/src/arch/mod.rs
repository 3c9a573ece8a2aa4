//! The architecture of a network as text: everything but the numbers.
//!
//! ```text
//! net 1
//! input x f32 [2]
//! layer h1 = dense x fc1.weight fc1.bias
//! layer a1 = relu h1
//! layer y = dense a1 fc2.weight fc2.bias
//! output y
//! end
//! ```
//!
//! It stands beside or inside a safetensors file, whose keys its tensor names are, and with `tensor` statements in
//! between it is the text format. An [`Arch`] is what a text says, [`Arch::build`] makes a network of it, and
//! [`print()`] is the way back. The grammar is specified with the text format, in `formats/text/SPEC.md`.

mod build;
mod error;
mod parse;
mod print;
mod scan;
#[cfg(test)]
mod tests;

pub use error::{Fault, Problem, Span, SyntaxError};
pub use parse::{Reader, Statement, read_dims, read_dtype};
pub use print::{Unwritable, check, input_line, layer_lines, print, quoted, tensors, write_dims, write_name};
pub use scan::{Name, Scanner, Token, is_bare, quote};

use unmoved_ir::{DType, Gather, Network};

/// The most bytes of a name.
pub const MAX_NAME: usize = 1024;
/// The most characters of a number.
pub const MAX_NUMBER: usize = 512;
/// The most dimensions of a shape.
pub const MAX_RANK: usize = 16;
/// The most layers of a network; normalising takes time quadratic in them.
pub const MAX_LAYERS: usize = 10_000;
/// The most tensors that a text declares: two for each layer.
pub const MAX_TENSORS: usize = 2 * MAX_LAYERS;
/// The most entries of all index maps of a network together: a run such as `0-999999` is short in the file only.
pub const MAX_MAP_ENTRIES: usize = 1 << 23;

/// What an architecture says.
#[derive(Debug, Clone)]
pub struct Arch {
    /// The input.
    pub input: Input,
    /// The layers; each reads the input or layers before it.
    pub layers: Vec<Layer>,
    /// The layer that is the network's answer.
    pub output: Name,
    /// Whether a final Softmax was dropped.
    pub ordering_only: bool,
}

/// The input statement.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its name.
    pub name: Name,
    /// The type of its elements.
    pub dtype: DType,
    /// Its shape, batch dimension left out.
    pub dims: Vec<usize>,
}

/// A layer statement.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Its name.
    pub name: Name,
    /// The values that it reads.
    pub inputs: Vec<Name>,
    /// What it computes.
    pub kind: Kind,
}

/// The weight and bias tensors of a layer; no bias means zero.
#[derive(Debug, Clone)]
pub struct Parameters {
    /// The weight.
    pub weight: Name,
    /// The bias.
    pub bias: Option<Name>,
}

/// What a layer computes.
#[derive(Debug, Clone)]
pub enum Kind {
    /// `y = W x + b`.
    Dense(Parameters),
    /// Two-dimensional convolution.
    Conv(Parameters, Window, usize),
    /// `max(x, 0)`.
    Relu,
    /// Maximum over windows: kernel and window.
    MaxPool([usize; 2], Window),
    /// To one dimension.
    Flatten,
    /// The sum of two values.
    Add,
    /// An index map.
    Gather(Gather),
    /// The same elements under another shape.
    Reshape(Vec<usize>),
}

/// How a window slides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Steps, down and right.
    pub stride: [usize; 2],
    /// Room at the top, left, bottom, right.
    pub padding: [usize; 4],
    /// Distance of the taps, down and right.
    pub dilation: [usize; 2],
}

impl Default for Window {
    fn default() -> Self {
        Self { stride: [1; 2], padding: [0; 4], dilation: [1; 2] }
    }
}

impl Arch {
    /// Reads an architecture that stands alone. Errors carry line and column; `file` is what they call the text.
    pub fn parse(text: &str, file: &str) -> Result<Self, SyntaxError> {
        let arch = || {
            let mut reader = Reader::new(text)?;
            while let Some(statement) = reader.next_statement()? {
                if let Statement::Other(_, span) = statement {
                    let problem = Problem::Misplaced("tensors and metadata have no place in an architecture");
                    return Err(Fault::new(span, problem));
                }
            }
            reader.finish()
        };
        arch().map_err(|fault| SyntaxError::new(file, text, fault))
    }

    /// Reads an architecture and makes a network of it, whose tensors `lookup` provides.
    pub fn network(
        text: &str,
        file: &str,
        lookup: &mut dyn FnMut(&Name) -> Result<unmoved_ir::Tensor, Problem>,
    ) -> Result<Network, SyntaxError> {
        let arch = Self::parse(text, file)?;
        arch.build(lookup, Default::default()).map_err(|fault| SyntaxError::new(file, text, fault))
    }
}
