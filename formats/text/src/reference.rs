//! Tensors that stand in a safetensors file beside the text.

use crate::{MAX_REFERENCED, ReferenceError};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Component, Path, PathBuf};
use unmoved_ir::{DType, Digest, Shape, Tensor};
use unmoved_safetensors::{TensorFile, files};

/// The files that a text may refer to: those in its folder and below.
#[derive(Debug)]
pub(crate) struct References<'a> {
    folder: Option<&'a Path>,
    files: HashMap<PathBuf, Loaded>,
    left: u64,
}

/// A file, and the tensors that have been taken from it: a short text could name one large tensor a thousand times.
#[derive(Debug)]
struct Loaded {
    file: TensorFile<'static>,
    tensors: HashMap<String, (Tensor, Digest)>,
}

impl<'a> References<'a> {
    /// Of a text in this folder; without a folder every reference is an error.
    pub(crate) fn new(folder: Option<&'a Path>) -> Self {
        Self { folder, files: HashMap::new(), left: MAX_REFERENCED }
    }

    /// The tensor `key` of a file, if it is the one that the text means.
    pub(crate) fn tensor(
        &mut self,
        file: &str,
        key: &str,
        dtype: DType,
        shape: &Shape,
        digest: &str,
    ) -> Result<Tensor, ReferenceError> {
        let digest = parse_digest(digest).ok_or(ReferenceError::BadDigest)?;
        let (tensor, found) = self.file(file)?.tensor(key)?;
        if tensor.dtype() != dtype {
            return Err(ReferenceError::DType { declared: dtype, found: tensor.dtype() });
        }
        if tensor.shape() != shape {
            return Err(ReferenceError::Shape { declared: shape.clone(), found: tensor.shape().clone() });
        }
        if found == digest { Ok(tensor) } else { Err(ReferenceError::Digest { found }) }
    }

    /// Reads a file once, however many tensors come from it.
    fn file(&mut self, name: &str) -> Result<&mut Loaded, ReferenceError> {
        let folder = self.folder.ok_or(ReferenceError::NoFolder)?;
        let relative = Path::new(name);
        // `\` and `:` are plain characters here and mean another folder elsewhere.
        let plain = |c| matches!(c, Component::Normal(_));
        if name.is_empty() || name.contains(['\\', ':', '\0']) || !relative.components().all(plain) {
            return Err(ReferenceError::Path);
        }
        let relative: PathBuf = relative.components().collect();
        if let Entry::Vacant(place) = self.files.entry(relative.clone()) {
            let path = folder.join(&relative);
            let io = |source| unmoved_safetensors::Error::Io { path: path.clone(), source };
            if files::has_link(folder, &relative).map_err(io)? {
                return Err(ReferenceError::Link(relative));
            }
            let bytes = files::read(&path, self.left).map_err(|error| match error {
                unmoved_safetensors::Error::TooLarge { .. } => ReferenceError::TooLarge,
                other => other.into(),
            })?;
            self.left -= bytes.len() as u64;
            place.insert(Loaded { file: TensorFile::new(bytes)?, tensors: HashMap::new() });
        }
        Ok(self.files.get_mut(&relative).expect("it was just put there"))
    }
}

impl Loaded {
    /// A tensor and its digest.
    fn tensor(&mut self, key: &str) -> Result<(Tensor, Digest), ReferenceError> {
        if let Some((tensor, digest)) = self.tensors.get(key) {
            return Ok((tensor.clone(), *digest));
        }
        let tensor = self.file.tensor(key)?;
        let digest = Digest(Sha256::digest(self.file.data(key).unwrap_or_default()).into());
        self.tensors.insert(key.to_owned(), (tensor.clone(), digest));
        Ok((tensor, digest))
    }
}

fn parse_digest(digits: &str) -> Option<Digest> {
    let digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f').then(|| (b as char).to_digit(16)).flatten();
    let mut digest = [0; 32];
    let pairs = digits.as_bytes().as_chunks::<2>().0;
    if digits.len() != 64 {
        return None;
    }
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        *byte = (digit(*high)? * 16 + digit(*low)?) as u8;
    }
    Some(Digest(digest))
}
