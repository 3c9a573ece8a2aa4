//! A second opinion: the same file in tract, an independent runtime.
