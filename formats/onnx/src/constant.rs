//! Constants of the file: initialisers, Constant nodes, and what is computed from them alone.

use crate::broadcast::checked_len;
use crate::file::Large;
use crate::schema::TensorProto;
use crate::schema::tensor_proto::{DataLocation, DataType};
use crate::{Error, Problem};
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use unmoved_ir::{Data, Tensor};

/// A constant; `dims` is its ONNX shape and may be empty (a scalar) or hold zeros (no element).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Constant {
    pub(crate) dims: Vec<usize>,
    pub(crate) numbers: Numbers,
}

/// Row-major. Floats are shared, never copied; integers (shapes, axes, indices, flags) are few.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Numbers {
    Float(Data),
    Int(Arc<Vec<i64>>),
}

/// Where a model came from, and with it its external data.
pub(crate) enum Origin {
    /// From memory: external data are refused.
    NoFiles,
    /// From a file in this folder.
    Folder {
        /// Where the file lies.
        folder: PathBuf,
        /// How many bytes of external data may still be read: many tensors may name the same ones.
        remaining: Cell<u64>,
        /// How many have been read.
        read: Cell<usize>,
        /// The files that they came from; each lets as many bytes be read as it has.
        files: RefCell<HashSet<PathBuf>>,
    },
}

/// The bytes of external data that may be read more than once, all tensors together.
const SHARED_EXTERNAL: u64 = 1 << 25;

/// Where the numbers of a model are, beside its messages.
pub(crate) struct Sources {
    pub(crate) origin: Origin,
    pub(crate) large: Large,
    /// Of the whole model, in bytes, external data aside.
    pub(crate) size: usize,
}

impl Origin {
    pub(crate) fn beside(model: &Path) -> Self {
        let folder = model.parent().map_or_else(PathBuf::new, Path::to_owned);
        let (remaining, read) = (Cell::new(SHARED_EXTERNAL), Cell::new(0));
        Self::Folder { folder, remaining, read, files: RefCell::default() }
    }

    /// The bytes of external data that have been read.
    pub(crate) fn bytes_read(&self) -> usize {
        match self {
            Self::NoFiles => 0,
            Self::Folder { read, .. } => read.get(),
        }
    }
}

impl Constant {
    /// A 1-D constant of integers.
    pub(crate) fn ints(values: Vec<i64>) -> Self {
        Self { dims: vec![values.len()], numbers: Numbers::Int(Arc::new(values)) }
    }

    pub(crate) fn f64(dims: Vec<usize>, values: Vec<f64>) -> Self {
        Self { dims, numbers: Numbers::Float(Data::F64(Arc::new(values))) }
    }

    /// The number of elements.
    pub(crate) fn len(&self) -> usize {
        match &self.numbers {
            Numbers::Float(Data::F32(v)) => v.len(),
            Numbers::Float(Data::F64(v)) => v.len(),
            Numbers::Int(v) => v.len(),
        }
    }

    /// The same numbers under another shape of as many elements.
    pub(crate) fn reshaped(&self, dims: Vec<usize>) -> Self {
        Self { dims, numbers: self.numbers.clone() }
    }

    /// As weights. Errors on integers, no elements, NaN and infinity.
    pub(crate) fn tensor(&self) -> Result<Tensor, Problem> {
        match &self.numbers {
            Numbers::Float(data) => Ok(Tensor::new(&self.dims, data.clone())?),
            Numbers::Int(_) => Err(Problem::Other("integers where floats are expected".into())),
        }
    }

    /// Element `k` of every output element, zero where there is none. The caller has checked index and shape.
    pub(crate) fn select(&self, index: &[Option<u32>], dims: Vec<usize>) -> Self {
        fn pick<T: Copy + Default>(v: &[T], index: &[Option<u32>]) -> Arc<Vec<T>> {
            Arc::new(index.iter().map(|i| i.map_or_else(T::default, |i| v[i as usize])).collect())
        }
        let numbers = match &self.numbers {
            Numbers::Float(Data::F32(v)) => Numbers::Float(Data::F32(pick(v, index))),
            Numbers::Float(Data::F64(v)) => Numbers::Float(Data::F64(pick(v, index))),
            Numbers::Int(v) => Numbers::Int(pick(v, index)),
        };
        Self { dims, numbers }
    }

    /// Reads the initialiser at a position of the graph.
    pub(crate) fn initialiser(proto: &TensorProto, position: usize, sources: &Sources) -> Result<Self, Error> {
        let large = sources.large.places.get(&position).zip(sources.large.file.as_ref());
        Self::read(proto, &sources.origin, large).map_err(|problem| Self::error(proto, problem))
    }

    /// Reads the value of an attribute.
    pub(crate) fn from_proto(proto: &TensorProto, origin: &Origin) -> Result<Self, Error> {
        Self::read(proto, origin, None).map_err(|problem| Self::error(proto, problem))
    }

    fn error(proto: &TensorProto, problem: Problem) -> Error {
        Error::Tensor { tensor: proto.name().to_owned(), problem }
    }

    /// `large` is where its raw data lie, if they have stayed in the file.
    fn read(proto: &TensorProto, origin: &Origin, large: Option<(&Range<u64>, &File)>) -> Result<Self, Problem> {
        if proto.segment.is_some() {
            return Err(Problem::Other("segmented tensors are not supported".into()));
        }
        let dims = dims(&proto.dims)?;
        // A zero extent is legitimate for a shape tensor (the shape of a scalar) and refused elsewhere.
        let len = checked_len(&dims)?;
        let data_type = DataType::try_from(proto.data_type()).unwrap_or(DataType::Undefined);
        // These become eight bytes each, from one; as shapes and flags they are never many.
        if matches!(data_type, DataType::Bool | DataType::Int32) && len > 1 << 17 {
            return Err(Problem::Shape(format!("shape {dims:?} is too large for bool or int32")));
        }
        let places = [
            proto.data_location() == DataLocation::External,
            large.is_some() || proto.raw_data.as_ref().is_some_and(|raw| !raw.is_empty()),
            !proto.float_data.is_empty(),
            !proto.double_data.is_empty(),
            !proto.int32_data.is_empty(),
            !proto.int64_data.is_empty(),
        ];
        if places.into_iter().filter(|&there| there).count() > 1 {
            return Err(Problem::Other("its data are given twice".into()));
        }
        let raw = proto.raw_data.as_ref().filter(|raw| !raw.is_empty());
        let numbers = match (raw, data_type) {
            _ if proto.data_location() == DataLocation::External => external(proto, data_type, len, origin)?,
            _ if let Some((place, file)) = large => {
                fits(data_type, len, place.end - place.start)?;
                from_file(file, place.start, data_type, len).map_err(|e| Problem::Other(e.to_string()))?
            }
            (Some(raw), data_type) => {
                fits(data_type, len, raw.len() as u64)?;
                numbers(&mut raw.as_ref(), data_type, len).map_err(|e| Problem::Other(e.to_string()))?
            }
            (None, DataType::Float) => Numbers::Float(Data::F32(Arc::new(exactly(len, &proto.float_data)?))),
            (None, DataType::Double) => Numbers::Float(Data::F64(Arc::new(exactly(len, &proto.double_data)?))),
            (None, DataType::Int64) => Numbers::Int(Arc::new(exactly(len, &proto.int64_data)?)),
            (None, DataType::Int32 | DataType::Bool) => {
                let wide = exactly(len, &proto.int32_data)?.into_iter().map(i64::from).collect();
                Numbers::Int(Arc::new(wide))
            }
            (None, other) => return Err(unsupported(other)),
        };
        Ok(Self { dims, numbers })
    }
}

/// Checks that extents are not negative.
fn dims(dims: &[i64]) -> Result<Vec<usize>, Problem> {
    dims.iter()
        .map(|&d| usize::try_from(d).map_err(|_| Problem::Shape(format!("its shape {dims:?} has a negative extent"))))
        .collect()
}

fn unsupported(data_type: DataType) -> Problem {
    Problem::ElementType(data_type.as_str_name().to_lowercase())
}

/// Bytes of one number.
fn width(data_type: DataType) -> Result<usize, Problem> {
    match data_type {
        DataType::Float | DataType::Int32 => Ok(4),
        DataType::Double | DataType::Int64 => Ok(8),
        DataType::Bool => Ok(1),
        other => Err(unsupported(other)),
    }
}

fn exactly<T: Clone>(len: usize, values: &[T]) -> Result<Vec<T>, Problem> {
    if values.len() == len {
        Ok(values.to_vec())
    } else {
        Err(Problem::Length { expected: len, found: values.len() as u64, unit: "elements" })
    }
}

/// Errors unless so many bytes are what the shape needs.
fn fits(data_type: DataType, len: usize, found: u64) -> Result<(), Problem> {
    let expected = len * width(data_type)?;
    if found == expected as u64 { Ok(()) } else { Err(Problem::Length { expected, found, unit: "bytes" }) }
}

fn from_file(mut file: &File, start: u64, data_type: DataType, len: usize) -> io::Result<Numbers> {
    file.seek(SeekFrom::Start(start))?;
    numbers(&mut file, data_type, len)
}

/// Little-endian numbers, converted piece by piece while they are in the cache. The caller has compared their length with
/// that of the source.
fn numbers(source: &mut impl Read, data_type: DataType, len: usize) -> io::Result<Numbers> {
    fn all<const N: usize, T>(
        source: &mut impl Read,
        len: usize,
        read: impl Fn([u8; N]) -> T,
    ) -> io::Result<Arc<Vec<T>>> {
        let mut numbers = Vec::new();
        // A sparse file may be larger than the memory.
        numbers.try_reserve_exact(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut piece = vec![0; (len * N).min(1 << 17)];
        while numbers.len() < len {
            let bytes = ((len - numbers.len()) * N).min(piece.len());
            source.read_exact(&mut piece[..bytes])?;
            numbers.extend(piece[..bytes].as_chunks().0.iter().map(|&chunk| read(chunk)));
        }
        Ok(Arc::new(numbers))
    }
    Ok(match data_type {
        DataType::Float => Numbers::Float(Data::F32(all(source, len, f32::from_le_bytes)?)),
        DataType::Double => Numbers::Float(Data::F64(all(source, len, f64::from_le_bytes)?)),
        DataType::Int64 => Numbers::Int(all(source, len, i64::from_le_bytes)?),
        DataType::Int32 => Numbers::Int(all(source, len, |b| i64::from(i32::from_le_bytes(b)))?),
        DataType::Bool => Numbers::Int(all(source, len, |[b]: [u8; 1]| i64::from(b))?),
        other => return Err(io::Error::other(unsupported(other).to_string())),
    })
}

/// The numbers of a tensor that lie in a file of their own, inside the model's folder.
fn external(proto: &TensorProto, data_type: DataType, len: usize, origin: &Origin) -> Result<Numbers, Problem> {
    let expected = len * width(data_type)?;
    let fail = |reason: String| Problem::External(reason);
    let Origin::Folder { folder, remaining, read, files } = origin else {
        return Err(fail("not available when a model is read from memory".into()));
    };
    let (mut location, mut offset, mut length) = (None, 0u64, None);
    for entry in &proto.external_data {
        let number = || entry.value().parse::<u64>().map_err(|_| fail(format!("{} is not a number", entry.key())));
        match entry.key() {
            "location" => location = Some(entry.value()),
            "offset" => offset = number()?,
            "length" => length = Some(number()?),
            // A SHA-1 that exporters leave out; the claim is about the bytes that are there.
            "checksum" => {}
            other => return Err(fail(format!("unknown key \"{other}\""))),
        }
    }
    let location = location.ok_or_else(|| fail("no location".into()))?;
    let path = inside(folder, location).map_err(fail)?;
    if length.is_some_and(|length| length != expected as u64) {
        return Err(Problem::Length { expected, found: length.unwrap_or(0), unit: "bytes" });
    }
    let io = |e: std::io::Error| fail(format!("{location}: {e}"));
    let file = File::open(&path).map_err(io)?;
    // The file bounds the allocation, whatever the model claims.
    let size = file.metadata().map_err(io)?.len();
    let available = size.saturating_sub(offset);
    if available < expected as u64 || (length.is_none() && available != expected as u64) {
        return Err(Problem::Length { expected, found: available, unit: "bytes" });
    }
    if files.borrow_mut().insert(path) {
        remaining.set(remaining.get().saturating_add(size));
    }
    let rest = remaining.get().checked_sub(expected as u64);
    let too_often = || fail(format!("tensors share more than {SHARED_EXTERNAL} bytes of {location} and others"));
    remaining.set(rest.ok_or_else(too_often)?);
    read.set(read.get().saturating_add(expected));
    from_file(&file, offset, data_type, len).map_err(io)
}

/// The path of a file below `folder`: no `..`, no absolute path, no link on the way, a regular file at its end.
fn inside(folder: &Path, location: &str) -> Result<PathBuf, String> {
    let refuse = |why: &str| Err(format!("location \"{location}\" {why}"));
    let relative = Path::new(location);
    // A backslash or colon is a part of a name here and a separator or a drive elsewhere.
    let plain = relative.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if location.is_empty() || !plain || location.contains(['\\', ':', '\0']) {
        return refuse("is not a plain path inside the model's folder");
    }
    let mut path = folder.to_owned();
    let mut is_file = false;
    for component in relative.components() {
        path.push(component);
        let metadata = match path.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(e) => return Err(format!("location \"{location}\": {e}")),
        };
        if metadata.is_symlink() {
            return refuse("is, or passes through, a link");
        }
        is_file = metadata.is_file();
    }
    if is_file { Ok(path) } else { refuse("is not a regular file") }
}
