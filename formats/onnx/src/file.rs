//! Files: whole models in and out, plain or compressed.

use crate::{Error, skim};
use prost::bytes::Bytes;
use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Seek as _, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The most bytes of a model, decompressed. Protobuf itself allows no message of 2 GiB.
pub(crate) const MAX_BYTES: u64 = (1 << 31) - 1;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// How much a file may decompress to: a floor, and so many times its own size. Deflate reaches a thousand times; weights
/// shrink by a tenth, and pruned ones to a tenth.
const INFLATED_FLOOR: u64 = 1 << 26;
const INFLATED_TIMES: u64 = 10;

fn most_inflated(compressed: u64) -> u64 {
    compressed.saturating_mul(INFLATED_TIMES).saturating_add(INFLATED_FLOOR).min(MAX_BYTES)
}

fn too_large(limit: u64) -> Error {
    Error::TooLarge { what: "bytes", limit }
}

/// A model as it is decoded, and where its large raw data are.
pub(crate) struct Content {
    pub(crate) bytes: Bytes,
    pub(crate) large: Large,
    /// Of the whole model, in bytes.
    pub(crate) size: usize,
}

/// Raw data that have stayed in the file, by the position of their initialiser in the graph.
#[derive(Debug, Default)]
pub(crate) struct Large {
    pub(crate) file: Option<fs::File>,
    pub(crate) places: HashMap<usize, Range<u64>>,
}

impl Content {
    /// A model that is in memory as a whole.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self { size: bytes.len(), bytes, large: Large::default() }
    }
}

/// The content of a model file: of one that is not compressed without its large raw data.
pub(crate) fn open_model(path: &Path) -> Result<Content, Error> {
    let io = |source| Error::Io { action: "read", path: path.to_owned(), source };
    let (mut file, length) = opened(path)?;
    if file.fill_buf().map_err(io)?.starts_with(&GZIP_MAGIC) {
        return Ok(Content::whole(inflate(file, length)?));
    }
    if length <= MAX_BYTES
        && let Some(skimmed) = skim::skim(&mut file, length).map_err(io)?
    {
        let large = Large { file: Some(file.into_inner()), places: skimmed.large };
        return Ok(Content { bytes: skimmed.bytes.into(), large, size: length as usize });
    }
    file.rewind().map_err(io)?;
    Ok(Content::whole(read_whole(file, length, path)?))
}

/// A regular file and its length: a device or a pipe may never end, and opening a pipe may never return.
fn opened(path: &Path) -> Result<(BufReader<fs::File>, u64), Error> {
    let io = |source| Error::Io { action: "read", path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(io)?;
    if !metadata.is_file() {
        return Err(io(std::io::Error::new(std::io::ErrorKind::InvalidInput, "not a regular file")));
    }
    Ok((BufReader::new(fs::File::open(path).map_err(io)?), metadata.len()))
}

fn read_whole(file: BufReader<fs::File>, length: u64, path: &Path) -> Result<Bytes, Error> {
    let io = |source| Error::Io { action: "read", path: path.to_owned(), source };
    if length > MAX_BYTES {
        return Err(too_large(MAX_BYTES));
    }
    let mut bytes = Vec::new();
    // A sparse file may be larger than the memory.
    bytes.try_reserve_exact(length as usize).map_err(|_| io(std::io::ErrorKind::OutOfMemory.into()))?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MAX_BYTES { Err(too_large(MAX_BYTES)) } else { Ok(bytes.into()) }
}

/// A copy of `bytes`, decompressed if they are gzip. No ONNX model starts like that: `0x1f` would be field 3 of wire
/// type 7, which protobuf does not have.
pub(crate) fn decompressed(bytes: &[u8]) -> Result<Bytes, Error> {
    if bytes.starts_with(&GZIP_MAGIC) {
        return inflate(bytes, bytes.len() as u64);
    }
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large(MAX_BYTES));
    }
    Ok(Bytes::copy_from_slice(bytes))
}

fn inflate(compressed: impl std::io::BufRead, length: u64) -> Result<Bytes, Error> {
    let most = most_inflated(length);
    let mut out = Vec::new();
    flate2::bufread::MultiGzDecoder::new(compressed).take(most + 1).read_to_end(&mut out).map_err(Error::Gzip)?;
    if out.len() as u64 > most { Err(too_large(most)) } else { Ok(out.into()) }
}

/// Writes beside the target, then renames: a reader never sees half a model, and a failure leaves the old one.
pub(crate) fn write_model(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let io = |source| Error::Io { action: "write", path: path.to_owned(), source };
    let temporary = beside(path).ok_or_else(|| io(std::io::ErrorKind::InvalidFilename.into()))?;
    let written = (|| {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        if path.extension().is_some_and(|e| e == "gz") {
            // No time stamp and no name: the same network gives the same bytes.
            let mut gzip = flate2::GzBuilder::new().write(&mut file, flate2::Compression::default());
            gzip.write_all(bytes)?;
            gzip.finish()?;
        } else {
            file.write_all(bytes)?;
        }
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        // Best effort: the first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(io)
}

/// A name in the same folder that no other writer uses.
fn beside(path: &Path) -> Option<PathBuf> {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut name = path.file_name()?.to_owned();
    name.push(format!(".{}-{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    Some(path.with_file_name(name))
}
