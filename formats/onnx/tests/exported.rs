//! Files of real exporters against the outputs of their own frameworks. `xtask/python/fixtures.py` makes them.
//!
//! Every `exported/FRAMEWORK/NAME.json` has inputs and outputs, or says which node is refused; every `NAME.EXPORTER.onnx`
//! beside it must agree.

mod common;

use common::deployed;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use unmoved_ir::Network;

/// The largest difference that is allowed, relative to the largest output.
const TOLERANCE: f64 = 1e-5;

/// One file.
struct Fixture {
    /// `FRAMEWORK/NAME.EXPORTER`.
    name: String,
    path: PathBuf,
    /// What was expected of all files of this name.
    expected: Value,
    exporter: String,
}

fn fixtures() -> Vec<Fixture> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exported");
    let mut found = Vec::new();
    for framework in folder(&root) {
        for path in folder(&framework).into_iter().filter(|p| p.extension().is_some_and(|e| e == "onnx")) {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let (name, exporter) = stem.split_once('.').expect("NAME.EXPORTER.onnx");
            let json = std::fs::read_to_string(framework.join(format!("{name}.json"))).unwrap();
            found.push(Fixture {
                name: format!("{}/{stem}", framework.file_name().unwrap().display()),
                expected: serde_json::from_str(&json).unwrap(),
                exporter: exporter.to_owned(),
                path,
            });
        }
    }
    found
}

fn folder(path: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    entries
}

/// The network of one output of a file.
fn read(path: &Path, output: Option<&str>) -> Result<Network, unmoved_onnx::Error> {
    output.map_or_else(|| unmoved_onnx::read(path), |output| unmoved_onnx::read_output(path, output))
}

impl Fixture {
    /// One judgement for every output that can be compared.
    fn judge(&self) -> Result<Vec<Judgement>, String> {
        if let Some(refused) = self.expected.get("refused") {
            return Ok(vec![self.refusal(refused[&self.exporter].as_array().unwrap())?]);
        }
        let outputs = self.expected["outputs"].as_object().unwrap();
        let compared = outputs.iter().filter(|(_, values)| !values.is_null());
        compared.map(|(name, values)| self.agreement((outputs.len() > 1).then_some(name), values)).collect()
    }

    /// The nodes, or inputs, of which one is to be named by the error.
    fn refusal(&self, reasons: &[Value]) -> Result<Judgement, String> {
        let named =
            |operator: &str, node: &str| reasons.iter().any(|r| r["operator"] == *operator && r["node"] == *node);
        match read(&self.path, self.expected.get("output").and_then(Value::as_str)) {
            Ok(_) => Err("should be refused".into()),
            Err(unmoved_onnx::Error::Node { operator, node, .. }) if named(&operator, &node) => {
                Ok(Judgement { output: None, difference: None, became: format!("refused for {operator} \"{node}\"") })
            }
            Err(unmoved_onnx::Error::Model(reason))
                if reasons.iter().any(|r| r["input"].as_str().is_some_and(|i| reason.contains(i))) =>
            {
                Ok(Judgement { output: None, difference: None, became: format!("refused: {reason}") })
            }
            Err(error) => Err(format!("should be refused for another reason: {error}")),
        }
    }

    fn agreement(&self, output: Option<&String>, expected: &Value) -> Result<Judgement, String> {
        let network = read(&self.path, output.map(String::as_str)).map_err(|e| e.to_string())?;
        let (inputs, expected) = (vectors(&self.expected["inputs"]), vectors(expected));
        assert!(inputs.len() == expected.len() && !inputs.is_empty(), "{}", self.name);
        let (mut difference, mut range) = (0.0f64, f64::MIN_POSITIVE);
        for (input, expected) in inputs.iter().zip(expected) {
            let got = deployed(&network, input);
            if got.len() != expected.len() {
                return Err(format!("{} outputs instead of {}", got.len(), expected.len()));
            }
            for (got, expected) in got.iter().zip(expected) {
                range = range.max(expected.abs());
                difference = difference.max((got - expected).abs());
                if got.is_nan() {
                    return Err("an output is not a number".into());
                }
            }
        }
        let written = unmoved_onnx::to_bytes(&network).map_err(|e| e.to_string())?;
        let again = unmoved_onnx::from_bytes(&written.bytes).map_err(|e| format!("written and read again: {e}"))?;
        if !written.rounded && !network.has_slack() && again.nodes() != network.nodes() {
            return Err("written and read again, it is another network".into());
        }
        // What had to be rounded is another network, but only once.
        if unmoved_onnx::to_bytes(&again).map_err(|e| e.to_string())?.bytes != written.bytes {
            return Err("written twice, it is not the same".into());
        }
        let difference = difference / range;
        if difference > TOLERANCE {
            return Err(format!("differs by {difference:.1e}"));
        }
        let operators: Vec<_> = network.nodes()[1..].iter().map(|n| format!("{}{}", n.op.name(), n.shape)).collect();
        Ok(Judgement { output: output.cloned(), difference: Some(difference), became: operators.join(" ") })
    }
}

/// What a fixture came to, as it should.
struct Judgement {
    /// Of several.
    output: Option<String>,
    /// From the framework's numbers, if it was not refused.
    difference: Option<f64>,
    /// The operators of the normalised network with their shapes, or the reason of the refusal.
    became: String,
}

fn vectors(value: &Value) -> Vec<Vec<f64>> {
    let numbers = |row: &Value| row.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    value.as_array().unwrap().iter().map(numbers).collect()
}

#[test]
fn exported_networks_agree_with_their_frameworks() {
    let (mut listing, mut failures) = (String::new(), Vec::new());
    for fixture in fixtures() {
        let name = &fixture.name;
        match fixture.judge() {
            Ok(judgements) => {
                for Judgement { output, difference, became } in judgements {
                    let name = output.map_or(name.clone(), |output| format!("{name} {output}"));
                    println!("{name}: {}: {became}", difference.map_or("-".into(), |d| format!("{d:.1e}")));
                    writeln!(listing, "{name}: {became}").unwrap();
                }
            }
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    insta::assert_snapshot!(listing);
}
