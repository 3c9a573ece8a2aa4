//! What a text declares, before it is known which network it is about.

use super::VnnlibError;
use std::fmt;

/// The version of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 1.0, which does not name itself.
    V1,
    /// 2.x.
    V2 {
        /// The part after the point.
        minor: u32,
    },
}

/// Version and networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declarations {
    /// Of the language.
    pub version: Version,
    /// The networks of 2.0, in the order of the text; 1.0 declares none.
    pub networks: Vec<NetworkDeclaration>,
}

/// A network of 2.0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkDeclaration {
    /// The name by which a file is assigned to it.
    pub name: String,
    /// At least one.
    pub inputs: Vec<TensorDeclaration>,
    /// Values between layers.
    pub hidden: Vec<TensorDeclaration>,
    /// At least one.
    pub outputs: Vec<TensorDeclaration>,
}

/// A tensor of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorDeclaration {
    /// Unique in the text.
    pub name: String,
    /// The type of the elements, as it stands in the text.
    pub sort: String,
    /// Extents; none for a scalar. Elements stand in row-major order.
    pub shape: Vec<usize>,
}

impl fmt::Display for TensorDeclaration {
    /// The header of an assignment: `X real [1,5]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape: Vec<String> = self.shape.iter().map(usize::to_string).collect();
        write!(f, "{} {} [{}]", self.name, self.sort, shape.join(","))
    }
}

/// What a text declares; reads no assertion. Only 1.0 is read so far.
pub fn declarations(_text: &str) -> Result<Declarations, VnnlibError> {
    Ok(Declarations { version: Version::V1, networks: Vec::new() })
}
