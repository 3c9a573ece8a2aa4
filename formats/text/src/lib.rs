//! Reads and writes the native text format.
