//! Several run folders put together: the parts of a run that was spread, or copies of one that went on apart.

use super::folder::{Folder, KeptKind, Run, kept_path, picture_name, read};
use super::{Asked, Record, RunError};
use std::path::{Path, PathBuf};

/// How many records are written at once.
const GROUP: usize = 256;

/// What was put together.
#[derive(Debug)]
pub struct Collected {
    /// What is known now.
    pub run: Run,
    /// How many records came in, of how many.
    pub taken: [usize; 2],
}

/// Takes into a folder what others know and it does not, with certificates and counterexamples. Doing it again changes nothing. The folder
/// is asked about all parts of the list of images. `note` is told what was found amiss.
///
/// # Errors
/// If two of the folders were asked something that differs by more than the part and the radii, if two answers cannot both be true,
/// if a folder cannot be read or written.
pub fn collect(runs: &[PathBuf], into: &Path, note: &mut dyn FnMut(String)) -> Result<Collected, RunError> {
    let mut found: Vec<(&Path, Run)> = Vec::new();
    for path in runs {
        let run = read(path)?;
        run.notes.iter().for_each(|text| note(format!("{}: {text}", path.display())));
        if let Some((_, first)) = found.first() {
            let differences = whole(&first.asked).differences(&whole(&run.asked));
            if !differences.is_empty() {
                return Err(RunError::Differs { path: path.clone(), differences });
            }
        }
        found.push((path, run));
    }
    let mut asked = found.iter().map(|(_, run)| whole(&run.asked)).reduce(|all, run| all.after(&run));
    let Some(asked) = asked.take() else {
        return Err(RunError::Asked { path: into.into(), problem: "there is nothing to put together".into() });
    };
    let (mut folder, mut run) = Folder::open(into, asked)?;
    run.notes.iter().for_each(|text| note(format!("{}: {text}", into.display())));
    let mut taken = [0; 2];
    let mut group = Vec::new();
    for (path, other) in &found {
        for (_, record) in other.answers.iter() {
            taken[1] += 1;
            let Some(position) = run.asked.position(record.eps) else { continue };
            let known = run.answers.get(record.index, position);
            if let Some(known) = known.filter(|known| known.key == record.key) {
                if known.contradicts(record) {
                    let records = Box::new([known.clone(), record.clone()]);
                    return Err(RunError::Contradiction { records });
                }
                if known.is_as_good_as(record) {
                    continue;
                }
            } else if known.is_some() {
                return Err(RunError::Foreign { path: path.to_path_buf(), index: record.index });
            }
            let attempt = record.attempt.max(run.answers.attempts(record.index, position) + 1);
            let Some(copy) = take(&folder, path, Record { attempt, ..record.clone() })? else {
                note(format!("{}: a file behind the record of image {} is damaged", path.display(), record.index));
                continue;
            };
            run.answers.insert(&run.asked, copy.clone(), false)?;
            group.push(copy);
            taken[0] += 1;
            if group.len() >= GROUP {
                folder.append(&std::mem::take(&mut group))?;
            }
        }
    }
    folder.append(&group)?;
    Ok(Collected { run, taken })
}

/// The same question about all parts.
fn whole(asked: &Asked) -> Asked {
    Asked { shard: None, ..asked.clone() }
}

/// Copies what stands behind a record, under names of this folder; `None` if it is not what the record says.
fn take(folder: &Folder, from: &Path, mut record: Record) -> Result<Option<Record>, RunError> {
    let keeper = folder.keeper();
    for kind in [KeptKind::Certificate, KeptKind::Counterexample] {
        let name = record.file_name(kind);
        let Some(kept) = record.kept_mut(kind) else { continue };
        let source = kept_path(from, kept, kind);
        let Some(copy) = keeper.copy(kind, &source, name, kept)? else { return Ok(None) };
        if kind == KeptKind::Counterexample {
            keeper.copy_picture(&source.with_extension("png"), &picture_name(&copy.file))?;
        }
        *kept = copy;
    }
    Ok(Some(record))
}
