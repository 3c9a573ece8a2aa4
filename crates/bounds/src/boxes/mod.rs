//! Bounds over many small boxes of a network with few inputs, by the rule by which the checker computes its table.
//!
//! Where inputs are few, the box itself is split (ReluVal, Wang et al., USENIX Security 2018), and the bounds of every
//! value are computed afresh in each part. All computation is in f64 and in the checker's order of steps, so what is found here
//! the checker finds too, but for rounding. Nothing here is sound under rounding: it proposes, the checker decides.

mod layers;
mod product;
mod refresh;
mod table;
mod walk;

pub use layers::Layers;
pub use table::Table;
pub use walk::{Bounded, Form, Walker, Worst};
