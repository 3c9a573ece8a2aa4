//! Members of a `.npz` archive, as NumPy's `savez` and `savez_compressed` write it.
//!
//! A member is unpacked while it is read, never as a whole; its length and checksum are tested where reading reaches its end.

use super::DataSetError;
use super::source::Source;
use flate2::CrcReader;
use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ZipArchive};
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Where a member is in its archive, and what it claims.
pub(super) struct Member {
    /// Without `.npy`.
    pub(super) name: String,
    archive: PathBuf,
    start: u64,
    packed: u64,
    method: CompressionMethod,
    length: u64,
    crc: u32,
}

/// The members of an archive that have one of the names.
pub(super) fn members(path: &Path, names: &[&str]) -> Result<Vec<Member>, DataSetError> {
    let unread = |error: rawzip::Error| DataSetError::Format { path: path.into(), problem: error.to_string() };
    let file = File::open(path).map_err(|source| DataSetError::Io { path: path.into(), source })?;
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let archive = ZipArchive::from_file(file, &mut buffer).map_err(unread)?;
    let mut entries = archive.entries(&mut buffer);
    let mut members: Vec<Member> = Vec::new();
    while let Some(entry) = entries.next_entry().map_err(unread)? {
        let wanted = names.iter().find(|name| entry.file_path().as_ref() == format!("{name}.npy").as_bytes());
        let Some(name) = wanted else { continue };
        if members.iter().any(|m| m.name == *name) {
            let problem = format!("it holds {name}.npy twice");
            return Err(DataSetError::Format { path: path.into(), problem });
        }
        let (start, end) = archive.get_entry(entry.wayfinder()).map_err(unread)?.compressed_data_range();
        members.push(Member {
            name: (*name).into(),
            archive: path.into(),
            start,
            packed: end.saturating_sub(start),
            method: entry.compression_method(),
            length: entry.uncompressed_size_hint(),
            crc: entry.crc32(),
        });
    }
    Ok(members)
}

impl Member {
    pub(super) fn open(&self) -> Result<Source, DataSetError> {
        let io = |source| DataSetError::Io { path: self.archive.clone(), source };
        let path = self.archive.join(format!("{}.npy", self.name));
        let mut file = File::open(&self.archive).map_err(io)?;
        file.seek(SeekFrom::Start(self.start)).map_err(io)?;
        let packed = file.take(self.packed);
        match self.method {
            CompressionMethod::STORE => Ok(Source::new(path, BufReader::new(self.checked(packed)))),
            CompressionMethod::DEFLATE => {
                Ok(Source::new(path, BufReader::new(self.checked(DeflateDecoder::new(packed)))))
            }
            _ => Err(DataSetError::Format { path, problem: "packed by a method other than deflate".into() }),
        }
    }

    fn checked<R: Read>(&self, reader: R) -> Checked<R> {
        Checked { reader: CrcReader::new(reader), left: self.length, crc: self.crc }
    }
}

/// Gives no more than the claimed length, and an error with its last bytes if they do not have the claimed checksum.
struct Checked<R> {
    reader: CrcReader<R>,
    left: u64,
    crc: u32,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let read = self.reader.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        if self.left == 0 && self.reader.crc().sum() != self.crc {
            return Err(io::Error::new(ErrorKind::InvalidData, "the checksum is wrong; the file is damaged"));
        }
        Ok(read)
    }
}
