//! Files: read within a limit, written whole or not at all.

use crate::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Reads a plain file of at most `limit` bytes. The file may grow while it is read, so the limit does not rest on the
/// length that the file system reports.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    // A device or a pipe has no end, and opening a pipe may never return.
    let metadata = fs::metadata(path).map_err(io)?;
    if !metadata.is_file() {
        return Err(Error::NotAFile(path.to_owned()));
    }
    let too_large = || Error::TooLarge { path: path.to_owned(), limit };
    if metadata.len() > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)).map_err(io)?;
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(bytes) }
}

/// Whether a path, or anything it runs through below `folder`, is a symbolic link. `relative` must consist of plain
/// names only.
pub fn has_link(folder: &Path, relative: &Path) -> io::Result<bool> {
    let mut path = folder.to_owned();
    for name in relative.components() {
        path.push(name);
        if fs::symlink_metadata(&path)?.is_symlink() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes a temporary file beside `path`, makes it durable and renames it: a reader sees the old file or the new one.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let Some(name) = path.file_name() else {
        return Err(Error::NotAFile(path.to_owned()));
    };
    let (temporary, mut file) = create_beside(path, name).map_err(io)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    drop(file);
    written.and_then(|()| fs::rename(&temporary, path)).map_err(|error| {
        // The error at hand is the one to report.
        let _ = fs::remove_file(&temporary);
        io(error)
    })
}

fn create_beside(path: &Path, name: &std::ffi::OsStr) -> io::Result<(PathBuf, File)> {
    for attempt in 0u32.. {
        let mut temporary = std::ffi::OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}.{attempt}.tmp", std::process::id()));
        let temporary = path.with_file_name(temporary);
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 1000 => continue,
            result => return result.map(|file| (temporary, file)),
        }
    }
    unreachable!("the loop returns")
}
