//! Lowers a query to a mixed integer program, writes it, solves it.
//!
//! [`encode`] makes a [`Milp`] of a query and the bounds of its network, as in Tjeng, Xiao and Tedrake, *Evaluating
//! Robustness of Neural Networks with Mixed Integer Programming* (ICLR 2019). A `Milp` is plain ordered data: print its
//! [`Milp::listing`], write it as an LP or MPS file, or give it to a [`Solver`]. What a solver says is never a proof.
//!
//! To review the encoding of a network of your own, and be told when it changes, keep its listing as a snapshot:
//! `examples/snapshot.rs` shows how.
//!
//! ```
//! # use std::sync::Arc;
//! # use unmoved_bounds::{Propagation, Tier};
//! # use unmoved_core::*;
//! # use unmoved_ir::lower_max_pool;
//! # use unmoved_property::{InputRegion, Norm, Query};
//! let network = unmoved_text::parse("net 1
//! input x f32 [2]
//! tensor w f32 [2 2] = 1 -1   0.5 0.25
//! layer h = dense x w .
//! layer y = relu h
//! output y
//! end")?;
//! let region = InputRegion::ball(vec![0.5, 0.25], Norm::Linf, "1/4".parse()?, None)?;
//! let query = Query::robustness(Arc::new(network), region, 0)?;
//! let lowered = lower_max_pool(query.network())?;
//! let propagation = Propagation::new(&lowered, query.region(), Tier::Linear);
//! let milp = encode(&query, &propagation, Objective::Worst, None)?;
//! assert!(milp.listing().starts_with("size: 6 columns (1 binary), 5 rows\nminimise y.0 - h.1\n"));
//! # #[cfg(feature = "microlp")] {
//! let solution = GoodLp::microlp().solve(&milp, &Limits::default())?;
//! assert_eq!(solution.status, Status::Optimal);
//! assert!((solution.cost.unwrap() - -0.375).abs() < 1e-6);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod dual;
mod encode;
mod milp;
mod multipliers;
mod rounding;
mod solve;
mod tighten;
mod write;

pub use dual::{DualBound, dual_bound};
pub use encode::{EncodeError, Objective, encode, encode_lowered};
pub use milp::{Column, Cost, Milp, Quantity, Row, Section, Sense};
pub use multipliers::{Dual, DualProgram, DualSession, Phase};
#[cfg(feature = "microlp")]
pub use solve::GoodLp;
#[cfg(feature = "highs")]
pub use solve::{Highs, Session};
pub use solve::{Limits, Reoptimise, Solution, Solver, SolverError, Status};
pub use tighten::{Budget, TightenError, TightenReport, Tightened, Tightening, tighten};
pub use write::decode_name;
