//! A line of `results.jsonl`: a record, and a check of its text as the last field.

use super::{Record, Word};
use std::fmt::Write as _;
use std::io::{BufRead, Read as _};

/// Far longer than any record; a bound on what a hostile file makes us hold.
pub(crate) const MAX_LINE: usize = 1 << 16;

/// Between the fields and the eight digits of their CRC-32.
const MARK: &[u8] = b",\"crc\":\"";
const END: &[u8] = b"\"}";

/// The line of a record, with its end. Errors only for what JSON cannot hold.
pub(crate) fn to_line(record: &Record) -> serde_json::Result<String> {
    let mut text = serde_json::to_string(record)?;
    text.pop();
    let crc = crc32fast::hash(text.as_bytes());
    let _ = writeln!(text, ",\"crc\":\"{crc:08x}\"}}");
    Ok(text)
}

/// The record of a line without its end; `None` if it is not as it was written, or says what no record may say.
pub(crate) fn from_line(line: &[u8]) -> Option<Record> {
    let text = line.strip_suffix(END)?;
    let (text, digits) = text.split_at_checked(text.len().checked_sub(8)?)?;
    let text = text.strip_suffix(MARK)?;
    let written = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
    if u32::from_str_radix(written, 16) != Ok(crc32fast::hash(text)) {
        return None;
    }
    serde_json::from_slice(&[text, b"}"].concat()).ok().filter(is_sound)
}

/// Whether what a record says has something behind it.
fn is_sound(record: &Record) -> bool {
    let bounds = record.lower >= 0.0 && record.upper.is_none_or(|u| u >= record.lower) && record.time_s >= 0.0;
    // There is always a next attempt.
    let counted = (1..u32::MAX).contains(&record.attempt);
    let misclassified = record.reason.as_deref() == Some(MISCLASSIFIED);
    let shown = misclassified || record.counterexample.is_some();
    let proved = record.certified && record.certificate.is_some();
    let kept = [&record.certificate, &record.counterexample];
    let plain = kept.into_iter().flatten().all(|kept| is_plain(&kept.file));
    let words = [Some(&record.norm), Some(&record.decided_by), Some(&record.key), record.reason.as_ref()];
    let printable = words.into_iter().flatten().all(|word| !word.contains(char::is_control));
    bounds
        && counted
        && printable
        && plain
        && match record.verdict {
            Word::Robust => proved && record.upper.is_none(),
            Word::Violated => shown && record.upper.is_some(),
            Word::Measured | Word::Unknown => {
                let ends = record.verdict == Word::Unknown || record.upper.is_some();
                ends && (record.lower == 0.0 || proved) && (record.upper.is_none() || shown)
            }
        }
}

/// The reason of a violation that needs no perturbation.
pub(crate) const MISCLASSIFIED: &str = "misclassified";

/// A name of a file in the folder itself: it leads nowhere else.
fn is_plain(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
    !name.is_empty() && name.len() <= 200 && !name.starts_with('.') && name.chars().all(allowed)
}

/// What stands at the end of the whole lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The length of all whole lines.
    pub(crate) whole: u64,
    /// The length of what follows the last end of line.
    pub(crate) torn: u64,
}

/// Hands on every whole line, counted from 1: its record, or `None` if it is damaged. Takes memory for one line of at most
/// [`MAX_LINE`] bytes.
pub(crate) fn scan(mut reader: impl BufRead, mut each: impl FnMut(usize, Option<Record>)) -> std::io::Result<Extent> {
    let (mut whole, mut line) = (0, Vec::new());
    for number in 1.. {
        line.clear();
        let mut length = reader.by_ref().take(MAX_LINE as u64).read_until(b'\n', &mut line)? as u64;
        let mut ended = line.last() == Some(&b'\n');
        let too_long = !ended && length == MAX_LINE as u64;
        if too_long {
            let (skipped, end) = skip_line(&mut reader)?;
            (length, ended) = (length + skipped, end);
        }
        if !ended {
            return Ok(Extent { whole, torn: length });
        }
        whole += length;
        line.pop();
        each(number, if too_long { None } else { from_line(&line) });
    }
    Ok(Extent { whole, torn: 0 })
}

/// Reads on to the end of the line: how far that was, and whether there was one.
fn skip_line(reader: &mut impl BufRead) -> std::io::Result<(u64, bool)> {
    let mut skipped = 0;
    loop {
        let buffer = reader.fill_buf()?;
        let end = buffer.iter().position(|&b| b == b'\n');
        let length = end.map_or(buffer.len(), |end| end + 1);
        reader.consume(length);
        skipped += length as u64;
        if end.is_some() || length == 0 {
            return Ok((skipped, end.is_some()));
        }
    }
}
