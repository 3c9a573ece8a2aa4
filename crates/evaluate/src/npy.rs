//! NumPy's `.npy` format, read one element after another.
//!
//! A reader of our own, because the files are hostile: the libraries allocate the header's and the array's claimed lengths at once and
//! parse nested brackets by recursion. Here a header is at most as long as NumPy itself accepts, and memory grows with the bytes read.
//! The format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use crate::pixel;
use std::io::{self, Read, Write};
use winnow::Parser;
use winnow::ascii::{digit1, multispace0};
use winnow::combinator::{alt, delimited, opt, separated, terminated};
use winnow::token::take_till;

/// What stands before the elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// What an element is.
    pub(crate) element: Element,
    /// The extents; their product fits into a `usize`.
    pub(crate) shape: Vec<usize>,
    /// Whether the first index runs fastest.
    pub(crate) fortran: bool,
}

/// A number as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element {
    kind: Kind,
    /// In bytes, 1 to 8.
    size: usize,
    big_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Float,
    Signed,
    Unsigned,
}

const MAGIC: &[u8] = b"\x93NUMPY";
/// The longest header that NumPy reads unless told otherwise.
const MAX_HEADER: usize = 10_000;

fn invalid(problem: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem.into())
}

impl Header {
    /// Reads a header; the elements follow. A file that is none is `InvalidData`.
    pub(crate) fn read(reader: &mut (impl Read + ?Sized)) -> io::Result<Self> {
        let mut start = [0; 8];
        reader.read_exact(&mut start)?;
        let (magic, version) = start.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(invalid("not a NumPy array"));
        }
        let mut length = [0; 4];
        let known = match version[0] {
            1 => &mut length[..2],
            2 | 3 => &mut length[..],
            other => return Err(invalid(format!("version {other} of the format; 1 to 3 are known"))),
        };
        reader.read_exact(known)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_HEADER {
            return Err(invalid(format!("a header of {length} bytes; NumPy reads at most {MAX_HEADER}")));
        }
        let mut text = vec![0; length];
        reader.read_exact(&mut text)?;
        let text = std::str::from_utf8(&text).map_err(|_| invalid("the header is no text"))?;
        Self::parse(text).map_err(invalid)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let entries = dictionary.parse(text).map_err(|_| "the header is no dictionary of a simple array".to_owned())?;
        let (mut descr, mut order, mut extents) = (None, None, None);
        for entry in entries {
            match entry {
                ("descr", Value::Text(text)) => descr = Some(text),
                ("fortran_order", Value::Flag(flag)) => order = Some(flag),
                ("shape", Value::Extents(list)) => extents = Some(list),
                (key, _) => return Err(format!("the header has an entry \"{key}\" that cannot be read")),
            }
        }
        let (Some(descr), Some(fortran), Some(shape)) = (descr, order, extents) else {
            return Err("the header lacks descr, fortran_order or shape".into());
        };
        if shape.iter().try_fold(1, |product: usize, &d| product.checked_mul(d)).is_none() {
            return Err("the array is too large".into());
        }
        Ok(Self { element: Element::parse(descr)?, shape, fortran })
    }
}

impl Element {
    /// One byte, 0 to 255.
    pub(crate) const BYTE: Self = Self { kind: Kind::Unsigned, size: 1, big_endian: false };

    /// In bytes.
    pub(crate) fn size(self) -> usize {
        self.size
    }

    /// Whether it is a value of an image: float32, float64 or a byte.
    pub(crate) fn is_value(self) -> bool {
        matches!((self.kind, self.size), (Kind::Float, 4 | 8) | (Kind::Unsigned, 1))
    }

    /// Whether it is an integer.
    pub(crate) fn is_integer(self) -> bool {
        self.kind != Kind::Float
    }

    /// `<f4`, `|u1`, `>i8`
    fn parse(descr: &str) -> Result<Self, String> {
        let unknown = || format!("elements of type \"{}\"; integers and floats can be read", descr.escape_debug());
        let mut letters = descr.chars();
        let (Some(order), Some(kind)) = (letters.next(), letters.next()) else { return Err(unknown()) };
        let kind = match kind {
            'f' => Kind::Float,
            'i' => Kind::Signed,
            'u' => Kind::Unsigned,
            _ => return Err(unknown()),
        };
        let size = match letters.as_str() {
            "1" => 1,
            "2" => 2,
            "4" => 4,
            "8" => 8,
            _ => return Err(unknown()),
        };
        match order {
            '<' | '|' | '=' => Ok(Self { kind, size, big_endian: false }),
            '>' => Ok(Self { kind, size, big_endian: true }),
            _ => Err(unknown()),
        }
    }

    /// The bytes in little-endian order, filled up by zeros.
    fn word(self, bytes: &[u8]) -> [u8; 8] {
        let mut word = [0; 8];
        let low = &mut word[..self.size];
        low.copy_from_slice(bytes);
        if self.big_endian {
            low.reverse();
        }
        word
    }

    /// A value of an image: a float as float32, a byte divided by 255.
    fn value(self, bytes: &[u8]) -> f32 {
        let word = self.word(bytes);
        match self.size {
            8 => f64::from_le_bytes(word) as f32,
            4 => f32::from_le_bytes([word[0], word[1], word[2], word[3]]),
            _ => pixel(word[0]),
        }
    }

    /// A class, where the integer is one: not negative.
    fn class(self, bytes: &[u8]) -> Option<usize> {
        let word = u64::from_le_bytes(self.word(bytes));
        // The sign is the uppermost bit of the element.
        let negative = self.kind == Kind::Signed && word >> (8 * self.size - 1) != 0;
        if negative { None } else { usize::try_from(word).ok() }
    }

    /// The next so many values of images. Memory grows with what is there.
    pub(crate) fn values(self, reader: &mut (impl Read + ?Sized), count: usize) -> io::Result<Vec<f32>> {
        let mut values = Vec::new();
        let mut chunk = vec![0; self.size * count.min(1 << 13)];
        while values.len() < count {
            let bytes = &mut chunk[..self.size * (count - values.len()).min(1 << 13)];
            reader.read_exact(bytes)?;
            values.extend(bytes.chunks_exact(self.size).map(|b| self.value(b)));
        }
        Ok(values)
    }

    /// The next integer as a class.
    pub(crate) fn next_class(self, reader: &mut (impl Read + ?Sized)) -> io::Result<usize> {
        let mut bytes = [0; 8];
        let bytes = &mut bytes[..self.size];
        reader.read_exact(bytes)?;
        self.class(bytes).ok_or_else(|| invalid("a label is negative"))
    }
}

/// Writes float32 values, row-major.
pub(crate) fn write(writer: &mut impl Write, values: &[f32], shape: &[usize]) -> io::Result<()> {
    if shape.iter().product::<usize>() != values.len() {
        return Err(invalid(format!("{} values for the shape {shape:?}", values.len())));
    }
    let extents: String = shape.iter().map(|d| format!("{d}, ")).collect();
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", extents.trim_end());
    // The elements begin at a multiple of 64 bytes, as the format asks; before the header stand ten.
    let padding = 63 - (10 + header.len()) % 64;
    header.extend(std::iter::repeat_n(' ', padding));
    header.push('\n');
    let length = u16::try_from(header.len()).map_err(|_| invalid("the shape has too many extents"))?;
    writer.write_all(MAGIC)?;
    writer.write_all(&[1, 0])?;
    writer.write_all(&length.to_le_bytes())?;
    writer.write_all(header.as_bytes())?;
    values.iter().try_for_each(|v| writer.write_all(&v.to_le_bytes()))
}

/// What a header says of something.
enum Value<'a> {
    Text(&'a str),
    Flag(bool),
    Extents(Vec<usize>),
}

/// A Python dictionary, of the kinds of values that headers of simple arrays have.
fn dictionary<'a>(input: &mut &'a str) -> winnow::Result<Vec<(&'a str, Value<'a>)>> {
    let entries = separated(0.., (text, symbol(':'), value).map(|(key, _, value)| (key, value)), symbol(','));
    delimited(symbol('{'), terminated(entries, opt(symbol(','))), symbol('}')).parse_next(input)
}

fn value<'a>(input: &mut &'a str) -> winnow::Result<Value<'a>> {
    // Python 2 wrote its long integers with an L.
    let extent = terminated(digit1.parse_to::<usize>(), opt('L'));
    let list = separated(0.., extent, symbol(','));
    let extents = delimited(symbol('('), terminated(list, opt(symbol(','))), symbol(')'));
    alt((
        "True".map(|_| Value::Flag(true)),
        "False".map(|_| Value::Flag(false)),
        text.map(Value::Text),
        extents.map(Value::Extents),
    ))
    .parse_next(input)
}

fn text<'a>(input: &mut &'a str) -> winnow::Result<&'a str> {
    let plain = |quote: char| delimited(quote, take_till(0.., [quote, '\\']), quote);
    alt((plain('\''), plain('"'))).parse_next(input)
}

fn symbol<'a>(symbol: char) -> impl Parser<&'a str, char, winnow::error::ContextError> {
    delimited(multispace0, symbol, multispace0)
}
