//! The certificate and its checker, and the replay of counterexamples.
