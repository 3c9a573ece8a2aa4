//! The architecture of a bare chain of dense layers with ReLU between them, such as PyTorch's and candle's sequential
//! models leave behind: `0.weight 0.bias 2.weight 2.bias`.

use crate::arch::{write_dims, write_name};
use crate::{Error, TensorFile};
use std::collections::HashSet;
use std::fmt::Write;

/// The text of the architecture, or why there is none to infer.
pub(crate) fn infer(file: &TensorFile<'_>) -> Result<String, Error> {
    let no = |reason: String| Err(Error::NoArchitecture(reason));
    let keys = file.keys();
    let mut stems: Vec<&str> = keys.iter().filter_map(|key| key.strip_suffix(".weight")).collect();
    stems.sort_by(|a, b| natural(a).cmp(&natural(b)).then(a.cmp(b)));
    if stems.is_empty() {
        return no("it has no tensor NAME.weight".into());
    }
    let bias = |stem: &str| keys.iter().find(|key| key.strip_suffix(".bias") == Some(stem));
    if let Some(other) = keys.iter().find(|key| {
        key.strip_suffix(".weight").or(key.strip_suffix(".bias")).is_none_or(|s| s.is_empty() || !stems.contains(&s))
    }) {
        return no(format!("\"{other}\" is neither the weight nor the bias of a dense layer"));
    }
    let mut width: Option<usize> = None;
    let mut names: HashSet<String> = stems.iter().map(|s| (*s).to_owned()).collect();
    let mut fresh = |name: &str| {
        let candidates = std::iter::once(name.to_owned()).chain((2..).map(|k| format!("{name}.{k}")));
        candidates.into_iter().find(|n| names.insert(n.clone())).unwrap_or_default()
    };
    let mut previous = fresh("x");
    let mut text = "net 1\n".to_owned();
    for stem in &stems {
        let key = format!("{stem}.weight");
        let Some(&[outputs, inputs]) = file.dims(&key) else {
            return no(format!("\"{key}\" is not 2-D"));
        };
        match width {
            None => {
                let dtype = file.tensor(&key)?.dtype();
                text.push_str("input ");
                write_name(&mut text, &previous);
                let _ = write!(text, " {} ", dtype.name());
                write_dims(&mut text, &[inputs]);
                text.push('\n');
            }
            Some(width) if width != inputs => {
                return no(format!("\"{key}\" reads {inputs} values, but the layer before it has {width}"));
            }
            Some(_) => {
                let relu = fresh(&format!("{previous}.relu"));
                layer(&mut text, &relu, "relu", &[&previous]);
                previous = relu;
            }
        }
        let bias = bias(stem).map_or(".", String::as_str);
        layer(&mut text, stem, "dense", &[&previous, &key, bias]);
        previous = (*stem).to_owned();
        width = Some(outputs);
    }
    text.push_str("output ");
    write_name(&mut text, &previous);
    text.push_str("\nend\n");
    Ok(text)
}

fn layer(text: &mut String, name: &str, operator: &str, operands: &[&str]) {
    text.push_str("layer ");
    write_name(text, name);
    let _ = write!(text, " = {operator}");
    for operand in operands {
        text.push(' ');
        if *operand == "." { text.push('.') } else { write_name(text, operand) }
    }
    text.push('\n');
}

/// Splits a name into digits and the rest, so that `fc10` comes after `fc9`. A number is compared by its digits
/// without leading zeros, first by how many there are.
fn natural(name: &str) -> Vec<(&str, usize, &str)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (text, tail) = rest.split_at(digits);
        let end = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
        let (number, tail) = tail.split_at(end);
        let number = number.trim_start_matches('0');
        parts.push((text, number.len(), number));
        rest = tail;
    }
    parts
}
