//! Where in a text something stands, and how that is shown.

use std::fmt;
use std::ops::Range;

/// Bytes of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A place in a text, with the line that it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// The line, shortened around the column if it is long.
    pub text: String,
    /// The characters of `text` that are meant.
    pub caret: Range<usize>,
}

/// How much of a line is shown on either side.
const CONTEXT: usize = 60;

impl Place {
    /// Where some bytes of a text stand; what is not between two characters is taken for the next place before that is.
    pub fn of(text: &str, bytes: Range<usize>) -> Self {
        let [start, end] = [bytes.start, bytes.end].map(|at| text.floor_char_boundary(at));
        Self::new(text, Span { start, end })
    }

    pub(super) fn new(text: &str, span: Span) -> Self {
        let start = span.start;
        let line_start = text[..start].rfind('\n').map_or(0, |i| i + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |i| start + i);
        let end = span.end.clamp(start, line_end);
        let (before, marked, after) = (&text[line_start..start], &text[start..end], &text[end..line_end]);

        let (column, width) = (before.chars().count(), marked.chars().count());
        let (left, right) = (column.min(CONTEXT), CONTEXT - width.min(CONTEXT));
        let mut shown = String::from(if column > left { "..." } else { "" });
        shown.extend(before.chars().skip(column - left).map(printable));
        let from = shown.chars().count();
        shown.extend(marked.chars().take(CONTEXT).map(printable));
        let to = shown.chars().count();
        shown.extend(after.trim_end().chars().take(right).map(printable));
        shown.push_str(if width > CONTEXT || after.trim_end().chars().nth(right).is_some() { "..." } else { "" });
        Self {
            line: text[..start].bytes().filter(|&b| b == b'\n').count() + 1,
            column: column + 1,
            text: shown,
            caret: from..to.max(from + 1),
        }
    }

    /// The line with carets under what is meant, below the name of the file; shown after a message.
    pub fn excerpt(&self, file: impl fmt::Display) -> String {
        let Self { line, column, text, caret } = self;
        let gutter = " ".repeat(line.to_string().len());
        let (indent, carets) = (" ".repeat(caret.start), "^".repeat(caret.len()));
        format!("{gutter}--> {file}:{line}:{column}\n{gutter} |\n{line} | {text}\n{gutter} | {indent}{carets}")
    }
}

/// A character of unknown width or effect would part the caret from its place, or worse.
fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        // Marks of no width, some of which turn the direction of writing.
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
            char::REPLACEMENT_CHARACTER
        }
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}
