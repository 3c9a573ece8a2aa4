//! From bytes to the generated types, without letting a small file fill the memory.
//!
//! Two bytes of protobuf can stand for an empty message that takes a kilobyte decoded. So before anything is decoded
//! the fields are counted, without allocating; numbers that are stored as wide as they are decoded are free.

use crate::Error;
use crate::schema::ModelProto;
use prost::Message as _;
use prost::bytes::Bytes;

/// What a field of bytes is to the count.
#[derive(Clone, Copy)]
enum Content {
    /// Fixed-width numbers or raw data: never larger decoded than encoded.
    Bulk,
    /// Documentation and metadata, which are copied.
    Text,
    /// A message whose fields count one by one.
    Message(Fields),
}

/// The fields that matter, by number. All others (names, packed integers, small messages) count by their length.
/// Exporters write stack traces into `doc_string` and `metadata_props`.
type Fields = fn(u64) -> Option<Content>;

fn model(field: u64) -> Option<Content> {
    match field {
        6 => Some(Content::Text), // doc_string
        7 => Some(Content::Message(graph)),
        14 => Some(Content::Message(entry)), // metadata_props
        _ => None,
    }
}

fn graph(field: u64) -> Option<Content> {
    match field {
        1 => Some(Content::Message(node)),
        5 => Some(Content::Message(tensor)), // initializer
        10 => Some(Content::Text),           // doc_string
        16 => Some(Content::Message(entry)), // metadata_props
        _ => None,
    }
}

fn node(field: u64) -> Option<Content> {
    match field {
        5 => Some(Content::Message(attribute)),
        6 => Some(Content::Text),           // doc_string
        9 => Some(Content::Message(entry)), // metadata_props
        _ => None,
    }
}

fn attribute(field: u64) -> Option<Content> {
    match field {
        4 | 7 | 9 => Some(Content::Bulk), // s, floats, strings
        13 => Some(Content::Text),        // doc_string
        5 => Some(Content::Message(tensor)),
        6 => Some(Content::Message(graph)),
        _ => None,
    }
}

fn tensor(field: u64) -> Option<Content> {
    match field {
        4 | 9 | 10 => Some(Content::Bulk),   // float_data, raw_data, double_data
        12 => Some(Content::Text),           // doc_string
        16 => Some(Content::Message(entry)), // metadata_props
        _ => None,
    }
}

fn entry(field: u64) -> Option<Content> {
    matches!(field, 1 | 2).then_some(Content::Text) // key, value
}

/// What a message costs beside its content, in words of eight bytes: the largest, in a vector that grows by doubling.
const PER_MESSAGE: u64 = 128;
/// What a text or a list costs beside its content.
const PER_FIELD: u64 = 16;
/// Packed integers become eight bytes each, in a vector that grows by doubling; and so may the bytes of small messages.
const PER_BYTE: u64 = 2;

/// A floor of 64 MiB, ten times what the largest networks need that could ever be verified, and twice the file's size.
const LIMIT: u64 = 1 << 23;
const BYTES_PER_WORD: u64 = 4;

/// The most bytes of documentation and metadata in all.
const MAX_TEXT: u64 = 1 << 26;

/// The most bytes of the model's metadata: they are copied again and shown.
const MAX_METADATA: usize = 1 << 24;

/// As deep as prost decodes.
const MAX_DEPTH: u32 = 100;

/// Decodes a model.
pub(crate) fn decode(bytes: Bytes) -> Result<ModelProto, Error> {
    let limit = LIMIT + bytes.len() as u64 / BYTES_PER_WORD;
    let mut budget = Budget { words: limit, text: MAX_TEXT };
    count(&bytes, model, MAX_DEPTH, &mut budget).map_err(|exhausted| match exhausted {
        Exhausted::Words => {
            Error::TooLarge { what: "nodes, attributes, tensors and names", limit: limit / PER_MESSAGE }
        }
        Exhausted::Text => Error::TooLarge { what: "bytes of documentation and metadata", limit: MAX_TEXT },
    })?;
    let model = ModelProto::decode(bytes)?;
    let metadata = model.metadata_props.iter().map(|entry| entry.key().len() + entry.value().len());
    if metadata.sum::<usize>() > MAX_METADATA {
        return Err(Error::TooLarge { what: "bytes of metadata", limit: MAX_METADATA as u64 });
    }
    Ok(model)
}

/// What may still be taken up.
struct Budget {
    words: u64,
    text: u64,
}

enum Exhausted {
    Words,
    Text,
}

/// Takes the cost of a message from the budget. Malformed bytes end the count: prost will refuse them at that place,
/// having allocated no more than was counted.
fn count(mut bytes: &[u8], fields: Fields, depth: u32, budget: &mut Budget) -> Result<(), Exhausted> {
    let Budget { words, text } = budget;
    let mut spend = |cost: u64| words.checked_sub(cost).map(|rest| *words = rest).ok_or(Exhausted::Words);
    let mut messages = Vec::new();
    while let Some(key) = varint(&mut bytes) {
        spend(PER_BYTE)?;
        let skipped = match key & 7 {
            0 => varint(&mut bytes).map(|_| ()),
            1 => take(&mut bytes, 8).map(|_| ()),
            5 => take(&mut bytes, 4).map(|_| ()),
            2 => match varint(&mut bytes).and_then(|n| take(&mut bytes, n)) {
                None => None,
                Some(content) => {
                    match fields(key >> 3) {
                        Some(Content::Bulk) => spend(PER_FIELD)?,
                        Some(Content::Text) => {
                            spend(PER_FIELD)?;
                            *text = text.checked_sub(content.len() as u64).ok_or(Exhausted::Text)?;
                        }
                        Some(Content::Message(fields)) => {
                            spend(PER_MESSAGE)?;
                            messages.push((content, fields));
                        }
                        None => spend(PER_FIELD + (content.len() as u64).saturating_mul(PER_BYTE))?,
                    }
                    Some(())
                }
            },
            _ => None,
        };
        if skipped.is_none() {
            break;
        }
    }
    match depth.checked_sub(1) {
        Some(depth) => messages.into_iter().try_for_each(|(content, fields)| count(content, fields, depth, budget)),
        None => Ok(()),
    }
}

fn take<'a>(bytes: &mut &'a [u8], n: u64) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(usize::try_from(n).ok()?)?;
    *bytes = tail;
    Some(head)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
