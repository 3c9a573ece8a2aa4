//! Images and data sets.
