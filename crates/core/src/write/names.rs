//! Names for LP and MPS files, and back.
//!
//! CPLEX LP allows letters, digits and ``!"#$%&(),.;?@_`'{}~`` in names of at most 255 characters, not beginning with a digit, a
//! period, or anything that could be read as an exponent (`e`, `E`); `[` begins a quadratic term there, `:` ends a row's
//! name. Free MPS allows everything but blanks. One rule for both:
//!
//! - ASCII letters, digits, `.`, `,` and `_` stay; `[`, `]`, `:` become `(`, `)`, `@`: `conv1[0,2,1]:on` is `conv1(0,2,1)@on`;
//! - every other byte of the name's UTF-8 becomes `~` and two hexadecimal digits;
//! - a name that then begins with `_`, `e`, `E`, `.`, `,`, `(`, `)`, `@` or a digit is preceded by one more `_`;
//! - a name longer than 255 becomes `~c17` or `~r17`, the position of its column or row from 0.

use std::fmt::Write as _;

/// The longest name that readers of either format must accept.
const MAX_LENGTH: usize = 255;

/// The name of column (`c`) or row (`r`) number `position` in a file.
pub(super) fn encode(name: &str, kind: char, position: usize) -> String {
    let mut out = String::with_capacity(name.len() + 1);
    if name.bytes().next().is_none_or(|b| !b.is_ascii_alphabetic() && !escaped(b) || b.eq_ignore_ascii_case(&b'e')) {
        out.push('_');
    }
    for b in name.bytes() {
        match b {
            b'[' => out.push('('),
            b']' => out.push(')'),
            b':' => out.push('@'),
            b if escaped(b) => write!(out, "~{b:02x}").expect("strings take everything"),
            b => out.push(char::from(b)),
        }
    }
    if out.len() > MAX_LENGTH { format!("~{kind}{position}") } else { out }
}

fn escaped(b: u8) -> bool {
    !(b.is_ascii_alphanumeric() || b"._,[]:".contains(&b))
}

/// The name in the program of a column or row of an LP or MPS file that this crate wrote; `None` if it is not such a name
/// or was too long to be kept.
pub fn decode(name: &str) -> Option<String> {
    let mut bytes = name.strip_prefix('_').unwrap_or(name).bytes();
    let mut out = Vec::new();
    while let Some(b) = bytes.next() {
        out.push(match b {
            b'(' => b'[',
            b')' => b']',
            b'@' => b':',
            b'~' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            b => b,
        });
    }
    String::from_utf8(out).ok()
}
