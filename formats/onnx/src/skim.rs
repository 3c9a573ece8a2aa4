//! Reading a model without its weights: the raw data of large initialisers stay in the file until they are wanted, so that
//! they are copied once, into their own numbers.
//!
//! This understands only as much of the encoding as is needed to find them. What looks odd to it is left to the decoder,
//! which has the words for errors.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

/// Raw data from so many bytes on stay in the file.
const LARGE: u64 = 1 << 16;

/// The most bytes of the rest. What has more is read as a whole, by a reader that asks for memory before it takes it.
const MOST: u64 = 1 << 25;

/// A model whose large raw data are left out.
#[derive(Debug, Default)]
pub(crate) struct Skimmed {
    pub(crate) bytes: Vec<u8>,
    /// Where in the file the raw data of an initialiser lie, by its position in the graph.
    pub(crate) large: HashMap<usize, Range<u64>>,
}

/// Which message is read, as far as its fields matter here.
#[derive(Clone, Copy, PartialEq)]
enum Message {
    Model,
    Graph,
    Tensor,
}

struct Reader<'a> {
    file: &'a mut BufReader<File>,
    at: u64,
    /// How many bytes may still be copied.
    left: u64,
    initialisers: usize,
    large: HashMap<usize, Range<u64>>,
}

/// None if the file has nothing large, or is not as expected; it is read from its beginning.
pub(crate) fn skim(file: &mut BufReader<File>, length: u64) -> io::Result<Option<Skimmed>> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = Reader { file, at: 0, left: MOST, initialisers: 0, large: HashMap::new() };
    match reader.message(Message::Model, length) {
        Ok(Some(bytes)) if !reader.large.is_empty() => Ok(Some(Skimmed { bytes, large: reader.large })),
        Ok(_) => Ok(None),
        // The file ends earlier than its fields say, or changes meanwhile.
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(e) => Err(e),
    }
}

impl Reader<'_> {
    /// The fields up to `end` as they stand, the large ones left out; none if they are not as expected.
    fn message(&mut self, kind: Message, end: u64) -> io::Result<Option<Vec<u8>>> {
        let mut out = Vec::new();
        let mut graphs = 0;
        while self.at < end {
            let before = out.len();
            let Some(key) = self.varint(&mut out)? else { return Ok(None) };
            let start = out.len();
            let Some(length) = (match key & 7 {
                0 => self.varint(&mut out)?.map(|_| 0),
                1 => Some(8),
                2 => self.varint(&mut out)?,
                5 => Some(4),
                _ => None,
            }) else {
                return Ok(None);
            };
            let Some(field_end) = self.at.checked_add(length).filter(|&at| at <= end) else { return Ok(None) };
            let child = match (kind, key) {
                (Message::Model, GRAPH) => {
                    graphs += 1;
                    Some(Message::Graph)
                }
                (Message::Graph, INITIALISER) => {
                    self.initialisers += 1;
                    (length > LARGE).then_some(Message::Tensor)
                }
                (Message::Tensor, RAW_DATA) if length > LARGE => {
                    let place = self.at..field_end;
                    // The key and the length go too.
                    out.truncate(before);
                    if self.large.insert(self.initialisers - 1, place).is_some() {
                        return Ok(None);
                    }
                    self.file.seek_relative(length as i64)?;
                    self.at = field_end;
                    continue;
                }
                _ => None,
            };
            if graphs > 1 {
                return Ok(None);
            }
            match child {
                None if length > self.left => return Ok(None),
                None => self.copy(length, &mut out)?,
                Some(child) => {
                    let Some(inner) = self.message(child, field_end)? else { return Ok(None) };
                    out.truncate(start);
                    prost::encoding::encode_varint(inner.len() as u64, &mut out);
                    out.extend(inner);
                }
            }
        }
        Ok((self.at == end).then_some(out))
    }

    /// A number, copied as it stands.
    fn varint(&mut self, out: &mut Vec<u8>) -> io::Result<Option<u64>> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
            let mut byte = [0];
            self.file.read_exact(&mut byte)?;
            (self.at, self.left) = (self.at + 1, left);
            out.push(byte[0]);
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    fn copy(&mut self, length: u64, out: &mut Vec<u8>) -> io::Result<()> {
        // The file may end before; what it has is all that is allocated.
        if (&mut *self.file).take(length).read_to_end(out)? as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (self.at, self.left) = (self.at + length, self.left - length);
        Ok(())
    }
}

/// Fields of bytes: their number, and the wire type 2.
const GRAPH: u64 = 7 << 3 | 2;
const INITIALISER: u64 = 5 << 3 | 2;
const RAW_DATA: u64 = 9 << 3 | 2;
