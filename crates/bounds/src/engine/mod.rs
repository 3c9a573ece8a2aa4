//! Bounds at the machine's speed: f32, sixteen subproblems side by side, on the part of the network that matters for one query.
//!
//! Nothing here is sound under rounding. It proposes multipliers, slopes and splits; the checker decides.

mod ascent;
mod compact;
mod descent;
mod kernel;
mod measure;
mod passes;
mod probe;

pub(crate) use compact::Kind;
pub use compact::{Compact, Known, Unstable, phase};
pub use descent::{Ascent, At, Descent, Form, Side, Split, Subproblem};
pub use kernel::{LANES, Lanes};
pub use measure::Product;
pub use probe::Probe;
