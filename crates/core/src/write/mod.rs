//! Programs as text: for people, and as LP and MPS files. Deterministic: the same program gives the same bytes.

mod listing;
mod lp;
mod mps;
mod names;
mod number;

pub use names::decode as decode_name;

#[cfg(test)]
mod tests;
