//! A safetensors file as a checked table of tensors.

use crate::Error;
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use unmoved_ir::{NodeProblem, Shape, Tensor};

/// The longest header, as in the reference implementation.
const MAX_HEADER: u64 = 100_000_000;

/// The most tensors of a file, and the most pairs of its metadata: each takes a hundred times its bytes in memory.
const MAX_KEYS: usize = 1 << 16;

/// The tensors of a safetensors file, whose header has been found to fit the data exactly.
#[derive(Debug)]
pub struct TensorFile<'a> {
    bytes: Cow<'a, [u8]>,
    /// Where the header ends and the data begin.
    start: usize,
    header: Metadata,
}

impl<'a> TensorFile<'a> {
    /// Checks the header: its length lies within the file, no key stands twice, and the tensors fill the rest of the
    /// file in order without gap or overlap.
    pub fn new(bytes: impl Into<Cow<'a, [u8]>>) -> Result<Self, Error> {
        let bytes = bytes.into();
        let invalid = |reason: &str| Error::Header(reason.to_owned());
        let (length, rest) = bytes.split_first_chunk().ok_or_else(|| invalid("shorter than 8 bytes"))?;
        let length = u64::from_le_bytes(*length);
        if length > MAX_HEADER {
            return Err(invalid("longer than 100 MB"));
        }
        let json = rest.get(..length as usize).ok_or_else(|| invalid("longer than the file"))?;
        let json = std::str::from_utf8(json).map_err(|_| invalid("not UTF-8"))?;
        if !json.starts_with('{') {
            return Err(invalid("does not begin with `{`"));
        }
        serde_json::from_str::<UniqueKeys>(json).map_err(|e| Error::Header(e.to_string()))?;
        let header: Metadata = serde_json::from_str(json).map_err(|e| Error::Header(e.to_string()))?;
        // Compared here and not by `SafeTensors::deserialize`, whose sum of both lengths may overflow.
        if header.data_len() != rest.len() - json.len() {
            return Err(invalid("the tensors do not fill the file exactly"));
        }
        let start = bytes.len() - header.data_len();
        Ok(Self { bytes, start, header })
    }

    /// The keys in the order of their data.
    pub fn keys(&self) -> Vec<String> {
        self.header.offset_keys()
    }

    /// The metadata pairs.
    pub fn metadata(&self) -> BTreeMap<String, String> {
        self.header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    /// The shape of a tensor as the header has it; its elements may be of any type.
    pub fn dims(&self, key: &str) -> Option<&[usize]> {
        self.header.info(key).map(|info| info.shape.as_slice())
    }

    /// The data of a tensor, little-endian and row-major.
    pub fn data(&self, key: &str) -> Option<&[u8]> {
        let (from, to) = self.header.info(key)?.data_offsets;
        self.bytes[self.start..].get(from..to)
    }

    /// A tensor of type F32 or F64, with finite elements.
    pub fn tensor(&self, key: &str) -> Result<Tensor, Error> {
        let missing = || Error::MissingTensor(key.to_owned());
        let info = self.header.info(key).ok_or_else(missing)?;
        let data = self.data(key).ok_or_else(missing)?;
        let problem = |problem: NodeProblem| Error::Tensor { key: key.to_owned(), problem };
        Shape::new(&info.shape).map_err(problem)?;
        match info.dtype {
            Dtype::F32 => Tensor::f32(&info.shape, numbers(data, f32::from_le_bytes)).map_err(problem),
            Dtype::F64 => Tensor::f64(&info.shape, numbers(data, f64::from_le_bytes)).map_err(problem),
            other => Err(Error::DType { key: key.to_owned(), dtype: other.to_string() }),
        }
    }
}

fn numbers<const N: usize, T>(data: &[u8], from: fn([u8; N]) -> T) -> Vec<T> {
    data.as_chunks().0.iter().map(|bytes| from(*bytes)).collect()
}

/// Fails on a JSON object in which a key stands twice: readers would differ in which of the two they take.
struct UniqueKeys;

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = UniqueKeys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UniqueKeys, A::Error> {
                let mut seen = HashSet::new();
                while let Some(key) = map.next_key::<String>()? {
                    if seen.len() == MAX_KEYS {
                        return Err(serde::de::Error::custom(format!("more than {MAX_KEYS} keys")));
                    }
                    if key == "__metadata__" {
                        map.next_value::<Option<UniqueKeys>>()?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                    if let Some(key) = seen.replace(key) {
                        return Err(serde::de::Error::custom(format!("the key {key:?} stands twice")));
                    }
                }
                Ok(UniqueKeys)
            }
        }
        deserializer.deserialize_map(Keys)
    }
}
