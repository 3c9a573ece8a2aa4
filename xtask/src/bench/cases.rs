//! What is to be run, and what is known of it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// What a run says of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// A counterexample exists.
    Sat,
    /// None does.
    Unsat,
    Unknown,
    TimedOut,
    /// Something cannot be read, or the program crashed.
    Error,
}

impl Verdict {
    pub(super) const ALL: [Self; 5] = [Self::Sat, Self::Unsat, Self::Unknown, Self::TimedOut, Self::Error];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Sat => "sat",
            Self::Unsat => "unsat",
            Self::Unknown => "unknown",
            Self::TimedOut => "timed-out",
            Self::Error => "error",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.word() == word)
    }

    /// Whether it claims an answer.
    pub(super) fn decides(self) -> bool {
        matches!(self, Self::Sat | Self::Unsat)
    }
}

/// A network, a property, and how long to try.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Case {
    /// As instances.csv names it, relative to its folder.
    pub(super) onnx: String,
    pub(super) vnnlib: String,
    pub(super) limit: Duration,
    /// What is known; `None` for an open case.
    pub(super) expected: Option<Verdict>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.onnx, self.vnnlib)
    }
}

/// The cases of a folder whose names contain `only`, none twice, with limits of at most `most` seconds.
pub(super) fn read(folder: &Path, only: Option<&str>, most: Option<f64>) -> Result<Vec<Case>> {
    let expected = folder.join("expected.csv");
    let expected: HashMap<(String, String), Verdict> = if expected.exists() {
        let known = table(&expected, |word| Verdict::from_word(word).filter(|v| v.decides()))?;
        known.into_iter().map(|(onnx, vnnlib, verdict)| ((onnx, vnnlib), verdict)).collect()
    } else {
        HashMap::new()
    };
    let limits = table(&folder.join("instances.csv"), |seconds| seconds.trim().parse::<f64>().ok())?;
    let mut seen = HashSet::new();
    let mut cases = Vec::new();
    for (onnx, vnnlib, seconds) in limits {
        let limit = super::duration(most.map_or(seconds, |most| most.min(seconds)))?;
        let name = (onnx, vnnlib);
        let expected = expected.get(&name).copied();
        if !seen.insert(name.clone()) {
            continue;
        }
        let case = Case { onnx: name.0, vnnlib: name.1, limit, expected };
        if only.is_none_or(|pattern| case.to_string().contains(pattern)) {
            cases.push(case);
        }
    }
    Ok(cases)
}

/// The rows of a file with three columns and no header.
fn table<T>(path: &Path, third: impl Fn(&str) -> Option<T>) -> Result<Vec<(String, String, T)>> {
    let reader = csv::ReaderBuilder::new().has_headers(false).trim(csv::Trim::All).from_path(path);
    let reader = reader.with_context(|| format!("cannot read {}", path.display()))?;
    let mut rows = Vec::new();
    for record in reader.into_records() {
        let record = record.with_context(|| format!("in {}", path.display()))?;
        let fields = (record.get(0), record.get(1), record.get(2).and_then(&third));
        let (Some(onnx), Some(vnnlib), Some(value)) = fields else {
            anyhow::bail!("{}: `{}` is no case", path.display(), record.iter().collect::<Vec<_>>().join(","));
        };
        rows.push((onnx.to_owned(), vnnlib.to_owned(), value));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(instances: &str, expected: Option<&str>) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("instances.csv"), instances).unwrap();
        if let Some(expected) = expected {
            std::fs::write(folder.path().join("expected.csv"), expected).unwrap();
        }
        folder
    }

    #[test]
    fn cases_have_their_limits_and_what_is_known() {
        let instances = "onnx/a.onnx,p/1.vnnlib,60\r\nonnx/a.onnx, p/2.vnnlib ,0.5\nonnx/b.onnx,p/1.vnnlib,300.0\n\
                         onnx/a.onnx,p/1.vnnlib,60\n";
        let folder = folder(instances, Some("onnx/a.onnx,p/2.vnnlib,sat\nonnx/b.onnx,p/1.vnnlib,unsat\n"));
        let cases = read(folder.path(), None, Some(100.0)).unwrap();
        let shown: Vec<String> =
            cases.iter().map(|c| format!("{c} {} {:?}", c.limit.as_secs_f64(), c.expected)).collect();
        assert_eq!(
            shown,
            [
                "onnx/a.onnx p/1.vnnlib 60 None",
                "onnx/a.onnx p/2.vnnlib 0.5 Some(Sat)",
                "onnx/b.onnx p/1.vnnlib 100 Some(Unsat)"
            ]
        );
        assert_eq!(read(folder.path(), Some("b.onnx"), None).unwrap()[0].limit, Duration::from_secs(300));
        assert!(read(folder.path(), Some("c.onnx"), None).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_list_of_cases_is_an_error() {
        let refused = |instances, expected| read(folder(instances, expected).path(), None, None).is_err();
        assert!(!refused("a,b,1\n", None));
        assert!(refused("a,b\n", None));
        assert!(refused("a,b,soon\n", None));
        assert!(refused("a,b,-1\n", None));
        assert!(refused("a,b,1\n", Some("a,b,maybe\n")));
        assert!(refused("a,b,1\n", Some("a,b,unknown\n")));
        assert!(read(tempfile::tempdir().unwrap().path(), None, None).is_err());
    }
}
