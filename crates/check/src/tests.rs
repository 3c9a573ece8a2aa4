mod format;
mod proofs;
mod refusals;
mod replays;
mod soundness;
mod support;
mod tampering;
