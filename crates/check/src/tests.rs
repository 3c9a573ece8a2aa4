mod format;
mod proofs;
mod refusals;
mod replays;
mod rounding;
mod soundness;
mod support;
mod tampering;
