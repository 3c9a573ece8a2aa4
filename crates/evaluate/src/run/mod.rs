//! Run folders: a network over a data set, one record a question, resumed wherever it was stopped.

mod record;

pub use record::{Kept, Record, Word};
