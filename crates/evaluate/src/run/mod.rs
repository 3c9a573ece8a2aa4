//! Run folders: a network over a data set, one record a question, resumed wherever it was stopped.

mod answers;
mod asked;
mod collect;
mod error;
mod folder;
mod line;
mod record;
mod summary;

pub use answers::Answers;
pub use asked::{Asked, AskedData, AskedModel, Fraction, Kind, Shard};
pub use collect::{Collected, collect};
pub use error::RunError;
pub(crate) use folder::{Folder, Keeper, picture_name};
pub use folder::{KeptKind, Run, kept_path, read, write_plain};
pub(crate) use line::MISCLASSIFIED;
#[cfg(test)]
pub(crate) use line::to_line;
pub use record::{Kept, Record, Word};
pub(crate) use summary::fixed;
pub use summary::{Counts, Distortions, Summary};

#[cfg(test)]
mod strangers;
#[cfg(test)]
mod tests;
