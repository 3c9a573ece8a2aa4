//! Networks out of candle: of its variables and an architecture, or of its layers.
//!
//! ```
//! use candle_core::{DType, Device, Module, Tensor};
//! use candle_nn::{VarBuilder, VarMap, linear, seq};
//! use unmoved_ir::Network;
//! use unmoved_safetensors::candle::{NetworkBuilder, NetworkExt};
//!
//! let vb = VarBuilder::from_varmap(&VarMap::new(), DType::F32, &Device::Cpu);
//! let (fc1, fc2) = (linear(2, 8, vb.pp("fc1"))?, linear(8, 3, vb.pp("fc2"))?);
//! let model = seq().add(fc1.clone()).add_fn(Tensor::relu).add(fc2.clone());
//!
//! // Of the layers...
//! let network = NetworkBuilder::new(&[2], DType::F32).linear(&fc1).relu().linear(&fc2).finish()?;
//! network.check_against(|x| model.forward(x), 32)?;
//!
//! // ...or of the variables, by an architecture.
//! let arch = "net 1
//!     input x f32 [2]
//!     layer h = dense x fc1.weight fc1.bias
//!     layer a = relu h
//!     layer y = dense a fc2.weight fc2.bias
//!     output y
//!     end";
//! Network::from_varbuilder(arch, vb)?.check_against(|x| model.forward(x), 32)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! candle does not know what a model's `forward` computes, so what is made here is what the architecture or the calls of
//! the builder say. [`NetworkExt::check_against`] is what tells whether that is the model.

mod builder;
mod compare;
mod tensors;

pub use builder::NetworkBuilder;
pub use compare::{TOLERANCE_F32, TOLERANCE_F64};

use crate::arch::SyntaxError;
use candle_core::Tensor;
use candle_nn::VarBuilder;
use unmoved_ir::{IrError, Network};

/// What a [`Network`] can do where there is candle.
pub trait NetworkExt: Sized {
    /// The network of an architecture (its grammar is described with [`crate`]), whose tensors are the variables of `vb`
    /// under its prefix. A tensor has the type and the numbers that candle's own layers would get from `vb`, which
    /// converts what it stores to its own type.
    ///
    /// # Errors
    /// A text that is no architecture; tensors that it names and `vb` lacks, or that have another type than f32 and
    /// f64, a wrong shape, or elements that are not finite.
    fn from_varbuilder(arch: &str, vb: VarBuilder<'_>) -> Result<Self, CandleError>;

    /// Compares with a model of candle on so many seeded random inputs (at least one) with elements between -1 and 1.
    /// `forward` gets each as a batch of one, `[1, ...]`, on the CPU and in the type of the network's input, and must
    /// compute in evaluation mode; a final Softmax that the network leaves out it must leave out too.
    ///
    /// Returns the largest difference of an output, relative to the range of all outputs that the network gave. Both sides
    /// round, each in its own order of summation, so it is seldom zero.
    ///
    /// # Errors
    /// Those of `forward`; outputs of another shape than `[1, ...]` with the shape of the network's output; a difference
    /// beyond [`TOLERANCE_F32`] or [`TOLERANCE_F64`], by the type of the network's input.
    fn check_against<F>(&self, forward: F, inputs: usize) -> Result<f64, CandleError>
    where
        F: FnMut(&Tensor) -> candle_core::Result<Tensor>;
}

impl NetworkExt for Network {
    fn from_varbuilder(arch: &str, vb: VarBuilder<'_>) -> Result<Self, CandleError> {
        let (network, _) = crate::build(arch, "architecture", |key| tensors::fetch(&vb, key))?;
        Ok(network)
    }

    fn check_against<F>(&self, forward: F, inputs: usize) -> Result<f64, CandleError>
    where
        F: FnMut(&Tensor) -> candle_core::Result<Tensor>,
    {
        compare::check_against(self, forward, inputs)
    }
}

/// Why a model of candle did not become a network, or is not the same.
#[derive(Debug, thiserror::Error)]
pub enum CandleError {
    /// The architecture does not say what it should, or a tensor that it names is not there or not fit.
    #[error(transparent)]
    Arch(#[from] SyntaxError),
    /// A tensor that is missing, or that no network can hold.
    #[error(transparent)]
    Tensor(#[from] crate::Error),
    /// A layer that does not fit the value before it.
    #[error(transparent)]
    Network(#[from] IrError),
    /// The input has a type that would have to be converted.
    #[error("the input is {0}; only F32 and F64 are read")]
    InputType(String),
    /// A batch normalisation without a root.
    #[error("\"{layer}\": the variance of channel {channel} plus epsilon is not positive")]
    Variance {
        /// The layer.
        layer: String,
        /// Counted from 0.
        channel: usize,
    },
    /// The model gives something else than the network.
    #[error("the model's output has shape {candle:?}; the network's is {network:?}, a batch of one")]
    OutputShape {
        /// Of candle's model.
        candle: Vec<usize>,
        /// Of the network, with a batch of one before it.
        network: Vec<usize>,
    },
    /// The model computes something else than the network.
    #[error("the model and the network differ by {difference:e} of the outputs' range, beyond {tolerance:e}")]
    Differs {
        /// The largest difference of an output, relative to the range of all of them.
        difference: f64,
        /// The largest that rounding explains.
        tolerance: f64,
    },
    /// candle itself.
    #[error("candle: {0}")]
    Candle(#[from] candle_core::Error),
}
