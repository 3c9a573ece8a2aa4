//! `--network`: which file is which network of a property.

use super::CliError;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use unmoved::property::vnnlib::{Declarations, Version};

/// `NAME=FILE`, or `FILE` alone where the property has one network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NetworkFile {
    name: Option<String>,
    file: PathBuf,
}

impl From<OsString> for NetworkFile {
    fn from(text: OsString) -> Self {
        let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
        let is_name = |name: &str| {
            name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit() || c == '\'')
        };
        match text.to_str().and_then(|text| text.split_once('=')) {
            Some((name, file)) if is_name(name) => Self { name: Some(name.into()), file: file.into() },
            _ => Self { name: None, file: text.into() },
        }
    }
}

/// The networks of the competition's list, `[('f', 'a.onnx'), ('g', 'b.onnx')]`, or the one file that it names otherwise.
pub(crate) fn listed(text: &OsString) -> Vec<NetworkFile> {
    text.to_str().and_then(list).unwrap_or_else(|| vec![NetworkFile { name: None, file: text.into() }])
}

fn list(text: &str) -> Option<Vec<NetworkFile>> {
    let text = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let mut rest = text.trim();
    let mut found = Vec::new();
    while !rest.is_empty() {
        rest = rest.strip_prefix('(')?;
        let (name, after) = quoted(rest)?;
        let (file, after) = quoted(after.trim_start().strip_prefix(',')?)?;
        found.push(NetworkFile { name: Some(name.into()), file: file.into() });
        rest = after.trim_start().strip_prefix(')')?.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    (!found.is_empty()).then_some(found)
}

/// A string of Python without escapes, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let mark = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (inside, rest) = text[1..].split_once(mark)?;
    (!inside.contains('\\')).then_some((inside, rest))
}

/// The file of the network that the property is about.
pub(crate) fn of_property<'a>(networks: &'a [NetworkFile], declared: &Declarations) -> Result<&'a Path, CliError> {
    let wrong = |message: String| Err(CliError::new("U0204", message));
    let names: Vec<&str> = declared.networks.iter().map(|n| n.name.as_str()).collect();
    let [only] = networks else {
        for network in networks {
            let Some(name) = &network.name else {
                return wrong("of several networks each needs its name: --network NAME=FILE".into());
            };
            if !names.contains(&name.as_str()) {
                return wrong(undeclared(name, &names, declared.version));
            }
            if networks.iter().filter(|n| n.name.as_ref() == Some(name)).count() > 1 {
                return wrong(format!("--network gives two files for network \"{name}\""));
            }
        }
        return match networks.first() {
            // Which of them are needed is the reader's business: it reads no property of several networks.
            Some(first) => Ok(&first.file),
            None => wrong("--network is missing".into()),
        };
    };
    match &only.name {
        Some(name) if !names.contains(&name.as_str()) => wrong(undeclared(name, &names, declared.version)),
        None if names.len() > 1 => {
            wrong(format!("the property has the networks {}: --network NAME=FILE", names.join(", ")))
        }
        _ => Ok(&only.file),
    }
}

fn undeclared(name: &str, names: &[&str], version: Version) -> String {
    match version {
        Version::V1 => {
            format!("the property declares no network \"{name}\": VNN-LIB 1.0 has no names for them, --network FILE")
        }
        Version::V2 { .. } => format!("the property declares no network \"{name}\", but {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: Option<&str>, file: &str) -> NetworkFile {
        NetworkFile { name: name.map(Into::into), file: file.into() }
    }

    #[test]
    fn names_are_told_from_paths() {
        for (text, expected) in [
            ("f=a.onnx", file(Some("f"), "a.onnx")),
            ("f=a=b.onnx", file(Some("f"), "a=b.onnx")),
            ("a.onnx", file(None, "a.onnx")),
            ("./a=b.onnx", file(None, "./a=b.onnx")),
        ] {
            assert_eq!(NetworkFile::from(OsString::from(text)), expected);
        }
    }

    #[test]
    fn lists_of_the_competition() {
        let of = |text: &str| listed(&text.into());
        assert_eq!(of("[('f', 'n/a.onnx')]"), [file(Some("f"), "n/a.onnx")]);
        assert_eq!(of(r#"[("f", 'a'),('g',"b") ]"#), [file(Some("f"), "a"), file(Some("g"), "b")]);
        for plain in ["a.onnx", "[]", "[('f')]", "[('f', 'a'", r"[('f', 'a\'b')]", "[a].onnx"] {
            assert_eq!(of(plain), [file(None, plain)]);
        }
    }
}
