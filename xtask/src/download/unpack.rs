//! Takes the expected files, and no others, out of an archive.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;
use tar::{Archive, EntryType};

/// Unpacks the `members` (name and size) of `folder` in the gzipped tar file `archive` into `to`. The name of the entry
/// never becomes a path: it is looked up, and what is not listed is an error.
pub(super) fn unpack(archive: &Path, to: &Path, folder: &str, members: &[(&str, u64)], ignored: &str) -> Result<()> {
    let file = File::open(archive).with_context(|| format!("cannot read {}", archive.display()))?;
    let mut missing: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    for entry in Archive::new(GzDecoder::new(file)).entries()? {
        let entry = entry.context("the archive is damaged")?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        if kind == EntryType::Directory && path.trim_end_matches('/') == folder {
            continue;
        }
        ensure!(kind == EntryType::Regular, "{path:?} is not a plain file");
        let Some(name) = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')) else {
            bail!("{path:?} does not belong here");
        };
        if name == ignored {
            continue;
        }
        let Some((name, size)) = members.iter().find(|(member, _)| *member == name) else {
            bail!("{path:?} does not belong here");
        };
        ensure!(entry.size() == *size, "{name} has {} bytes, expected {size}", entry.size());
        let position = missing.iter().position(|missing| missing == name);
        missing.swap_remove(position.with_context(|| format!("{name} is there twice"))?);
        write(entry, *size, &to.join(name)).with_context(|| format!("cannot unpack {name}"))?;
    }
    ensure!(missing.is_empty(), "the archive lacks {}", missing.join(", "));
    Ok(())
}

/// Writes `size` bytes to a temporary name first, so that no half a file is ever taken for a whole one.
fn write(mut input: impl Read, size: u64, path: &Path) -> Result<()> {
    let part = path.with_added_extension("part");
    let written = io::copy(&mut input, &mut File::create(&part)?)?;
    ensure!(written == size, "only {written} of {size} bytes");
    Ok(fs::rename(&part, path)?)
}
