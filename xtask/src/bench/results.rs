//! The file of results: one row per case, written as it ends.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::cases::{Case, Verdict};

/// The first line of the file: the fields of [`Row`].
const HEADER: &str = "onnx,vnnlib,verdict,expected,seconds,limit,peak_mb,decided_by,subproblems,note\n";

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) onnx: String,
    pub(super) vnnlib: String,
    pub(super) verdict: Verdict,
    /// What was known when it ran.
    pub(super) expected: Option<Verdict>,
    /// From start to end of the process.
    pub(super) seconds: f64,
    /// How many it had.
    pub(super) limit: f64,
    /// The most memory that it held, in millions of bytes.
    pub(super) peak_mb: Option<f64>,
    pub(super) decided_by: String,
    pub(super) subproblems: Option<u64>,
    /// Why it is not decided.
    pub(super) note: String,
}

impl Row {
    /// Whether it is an answer in time.
    pub(super) fn is_solved(&self) -> bool {
        self.verdict.decides() && self.seconds <= self.limit
    }

    /// Whether it is the opposite of what is known.
    pub(super) fn contradicts(&self, expected: Option<Verdict>) -> bool {
        self.verdict.decides() && expected.is_some_and(|expected| expected != self.verdict)
    }
}

/// The results so far, in memory and in their file.
pub(super) struct Results {
    path: PathBuf,
    file: File,
    is_empty: bool,
    rows: HashMap<(String, String), Row>,
}

impl Results {
    /// Opens a file, or begins one. What a broken run left of its last line is cut off.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let name = || format!("{}", path.display());
        let file = OpenOptions::new().create(true).append(true).open(path).with_context(name)?;
        let text = std::fs::read_to_string(path).with_context(name)?;
        let is_ours = text.starts_with(HEADER) || HEADER.starts_with(&text);
        ensure!(is_ours, "{} is no file of results, or one with other columns; choose another --out", path.display());
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).with_context(name)?;
        let mut rows = HashMap::new();
        for row in csv::Reader::from_reader(&text.as_bytes()[..whole]).into_deserialize::<Row>() {
            let row = row.with_context(name)?;
            rows.insert((row.onnx.clone(), row.vnnlib.clone()), row);
        }
        Ok(Self { path: path.to_owned(), file, is_empty: whole == 0, rows })
    }

    /// What came of a case, if it has been run.
    pub(super) fn of(&self, case: &Case) -> Option<&Row> {
        self.rows.get(&(case.onnx.clone(), case.vnnlib.clone()))
    }

    /// Adds a row, in the file at once.
    pub(super) fn append(&mut self, row: Row) -> Result<()> {
        let mut writer = csv::WriterBuilder::new().has_headers(self.is_empty).from_writer(Vec::new());
        writer.serialize(&row)?;
        // In one piece: a line is torn by a crash of the machine at most.
        let line = writer.into_inner().context("a line in memory")?;
        self.file.write_all(&line).with_context(|| format!("{}", self.path.display()))?;
        self.is_empty = false;
        self.rows.insert((row.onnx.clone(), row.vnnlib.clone()), row);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn row(onnx: &str, verdict: Verdict) -> Row {
        Row {
            onnx: onnx.into(),
            vnnlib: "p, \"q\".vnnlib".into(),
            verdict,
            expected: Some(Verdict::Unsat),
            seconds: 1.25,
            limit: 20.0,
            peak_mb: None,
            decided_by: "linear".into(),
            subproblems: Some(3),
            note: String::new(),
        }
    }

    fn case(onnx: &str) -> Case {
        let vnnlib = row(onnx, Verdict::Sat).vnnlib;
        Case { onnx: onnx.into(), vnnlib, limit: Duration::from_secs(1), expected: None }
    }

    #[test]
    fn a_broken_run_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.csv");
        let mut results = Results::open(&path).unwrap();
        let (first, second) = (row("a", Verdict::Unsat), row("b", Verdict::TimedOut));
        results.append(first.clone()).unwrap();
        results.append(second.clone()).unwrap();
        let complete = std::fs::read_to_string(&path).unwrap();
        assert!(complete.starts_with(HEADER));
        assert_eq!(complete.lines().count(), 3);
        // Torn at every byte: whole lines stay, and what is added follows them.
        for keep in 0..complete.len() {
            std::fs::write(&path, &complete[..keep]).unwrap();
            let whole = complete[..keep].matches('\n').count();
            let mut results = Results::open(&path).unwrap();
            assert_eq!(results.of(&case("a")), (whole > 1).then_some(&first));
            assert_eq!(results.of(&case("b")), None);
            results.append(second.clone()).unwrap();
            let again = Results::open(&path).unwrap();
            assert_eq!(again.of(&case("b")), Some(&second), "cut to {keep} bytes");
            assert_eq!(again.of(&case("a")), (whole > 1).then_some(&first));
        }
    }

    #[test]
    fn other_files_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("thesis.csv");
        for text in ["a,b,c\n1,2,3\n", "a,b,c\n", "a thesis"] {
            std::fs::write(&path, text).unwrap();
            assert!(Results::open(&path).is_err());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn late_answers_do_not_count_and_wrong_ones_are_found() {
        let mut row = row("a", Verdict::Sat);
        assert!(row.is_solved() && row.contradicts(Some(Verdict::Unsat)));
        assert!(!row.contradicts(Some(Verdict::Sat)) && !row.contradicts(None));
        row.seconds = 20.5;
        assert!(!row.is_solved() && row.contradicts(Some(Verdict::Unsat)));
        row.verdict = Verdict::Unknown;
        assert!(!row.contradicts(Some(Verdict::Unsat)));
    }
}
