//! From characters to tokens, with one token of lookahead.

use super::{VnnlibError, VnnlibProblem};
use winnow::combinator::{alt, repeat};
use winnow::error::EmptyError;
use winnow::prelude::*;
use winnow::stream::Location;
use winnow::token::{take_till, take_while};
use winnow::{LocatingSlice, Result};

type Input<'a> = LocatingSlice<&'a str>;

/// The smallest unit of the text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'a> {
    Open,
    Close,
    /// A keyword, an operator, a variable or a number.
    Word(&'a str),
    /// The end of the text.
    End,
}

/// Reads tokens one after the other and knows the next.
pub(super) struct Scanner<'a> {
    text: &'a str,
    input: Input<'a>,
    token: Token<'a>,
    /// Where the next token begins, in bytes.
    at: usize,
}

impl<'a> Scanner<'a> {
    /// At the first token of a text.
    pub(super) fn new(text: &'a str) -> Self {
        let mut scanner = Self { text, input: LocatingSlice::new(text), token: Token::End, at: 0 };
        scanner.advance();
        scanner
    }

    /// The next token.
    pub(super) fn peek(&self) -> Token<'a> {
        self.token
    }

    /// Where the next token begins.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Takes the next token.
    pub(super) fn advance(&mut self) -> Token<'a> {
        blank(&mut self.input);
        self.at = self.input.current_token_start();
        std::mem::replace(&mut self.token, token(&mut self.input))
    }

    /// An opening parenthesis that must stand here.
    pub(super) fn open(&mut self, expected: &'static str) -> Result<(), VnnlibError> {
        if self.token != Token::Open {
            return Err(self.expected(expected));
        }
        self.advance();
        Ok(())
    }

    /// A closing parenthesis that must stand here.
    pub(super) fn close(&mut self, expected: &'static str) -> Result<(), VnnlibError> {
        if self.token != Token::Close {
            return Err(self.expected(expected));
        }
        self.advance();
        Ok(())
    }

    /// A word that must stand here, and where it begins.
    pub(super) fn word(&mut self, expected: &'static str) -> Result<(&'a str, usize), VnnlibError> {
        let Token::Word(word) = self.token else { return Err(self.expected(expected)) };
        let at = self.at;
        self.advance();
        Ok((word, at))
    }

    /// The error that something else was expected in place of the next token.
    pub(super) fn expected(&self, expected: &'static str) -> VnnlibError {
        let found = match self.token {
            Token::Open => "`(`".to_owned(),
            Token::Close => "`)`".to_owned(),
            Token::Word(word) => quote(word),
            Token::End => "the end of the text".to_owned(),
        };
        self.error(self.at, VnnlibProblem::Expected { expected, found })
    }

    /// The error that something is wrong at a place.
    pub(super) fn error(&self, at: usize, problem: VnnlibProblem) -> VnnlibError {
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
        VnnlibError::Text { line, column: before[line_start..].chars().count() + 1, problem }
    }
}

/// A piece of the text in backticks, shortened, for messages.
pub(super) fn quote(text: &str) -> String {
    const SHOWN: usize = 40;
    let shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    let rest = if text.chars().nth(SHOWN).is_some() { "..." } else { "" };
    format!("`{shown}{rest}`")
}

/// Skips blanks and comments.
fn blank(input: &mut Input<'_>) {
    let spaces = take_while(1.., char::is_whitespace).void();
    let comment = (';', take_till(0.., ['\n', '\r'])).void();
    let skipped: Result<(), EmptyError> = repeat(0.., alt((spaces, comment))).parse_next(input);
    debug_assert!(skipped.is_ok(), "nothing to skip is fine too");
}

/// The next token; what is neither a parenthesis nor a word is the end.
fn token<'a>(input: &mut Input<'a>) -> Token<'a> {
    let word = take_while(1.., |c: char| !c.is_whitespace() && !matches!(c, '(' | ')' | ';'));
    let token: Result<_, EmptyError> =
        alt(('('.value(Token::Open), ')'.value(Token::Close), word.map(Token::Word))).parse_next(input);
    token.unwrap_or(Token::End)
}
