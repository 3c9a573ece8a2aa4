//! The comments above the numbers, and the metadata of a network that they carry.

use crate::lines::Lines;
use std::collections::BTreeMap;

/// The comments without their `//`, with line feeds between them.
pub(crate) const HEADER: &str = "nnet.header";
/// The minimums of the inputs, as they stand in the file.
pub(crate) const INPUT_MIN: &str = "nnet.input_min";
/// The maximums of the inputs.
pub(crate) const INPUT_MAX: &str = "nnet.input_max";
/// The means of the inputs, without that of the outputs.
pub(crate) const INPUT_MEAN: &str = "nnet.input_mean";
/// The ranges of the inputs, without that of the outputs.
pub(crate) const INPUT_RANGE: &str = "nnet.input_range";

/// What the format has lines for; all other metadata stand in the first comment.
const OWN: [&str; 5] = [HEADER, INPUT_MIN, INPUT_MAX, INPUT_MEAN, INPUT_RANGE];

/// What the first comment begins with if it holds metadata, as a JSON object of strings.
const METADATA: &str = " metadata {";

/// Takes all lines that begin with `//`.
pub(crate) fn read(lines: &mut Lines<'_>) -> BTreeMap<String, String> {
    let mut metadata = BTreeMap::new();
    // One text, not a list of lines: there may be a million of them.
    let mut comments: Option<String> = None;
    let mut first = true;
    while let Some(comment) = lines.peek().and_then(|line| line.text.strip_prefix("//")) {
        lines.next();
        match json(comment).filter(|_| first) {
            Some(found) => metadata = found,
            None => match &mut comments {
                Some(comments) => {
                    comments.push('\n');
                    comments.push_str(comment);
                }
                None => comments = Some(comment.to_owned()),
            },
        }
        first = false;
    }
    if let Some(comments) = comments {
        metadata.insert(HEADER.into(), comments);
    }
    metadata
}

/// The metadata in a comment; none if it is an ordinary one.
fn json(comment: &str) -> Option<BTreeMap<String, String>> {
    let object = comment.strip_prefix(METADATA.trim_end_matches('{')).filter(|_| comment.starts_with(METADATA))?;
    let map: BTreeMap<String, String> = serde_json::from_str(object).ok()?;
    (!map.keys().any(|key| OWN.contains(&key.as_str()))).then_some(map)
}

/// The comments that [`read`] reads back.
pub(crate) fn write(out: &mut String, metadata: &BTreeMap<String, String>) {
    let others: BTreeMap<_, _> = metadata.iter().filter(|(key, _)| !OWN.contains(&key.as_str())).collect();
    let header = metadata.get(HEADER).map(String::as_str);
    // An ordinary comment that looks like metadata must not be the first.
    if !others.is_empty() || header.is_some_and(|h| h.starts_with(METADATA)) {
        let object = serde_json::to_string(&others).unwrap_or_default();
        out.push_str(&format!("// metadata {object}\n"));
    }
    for comment in header.into_iter().flat_map(|h| h.split('\n')) {
        // A carriage return there would be read as a part of the line's end.
        out.push_str(&format!("//{}\n", comment.trim_end_matches('\r')));
    }
}
