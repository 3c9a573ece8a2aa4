//! What a run is worth.

use std::fmt;

use super::cases::{Case, Verdict};
use super::results::Row;

/// The sums over cases with their results, and the cases that are worth a look.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Score {
    cases: usize,
    solved: usize,
    /// Per verdict, in the order of [`Verdict::ALL`].
    counts: [usize; 5],
    /// Answers after the limit, which do not count.
    late: usize,
    /// The mean of the seconds, where a case that is not solved counts twice its limit.
    par2: f64,
    /// Of the seconds of solved cases.
    median: f64,
    total: f64,
    peak_mb: Option<f64>,
    /// The opposite of what is known.
    pub(super) wrong: Vec<String>,
    /// Not solved, though others did.
    missed: Vec<String>,
    /// Solved, though nothing is known.
    new: Vec<String>,
    errors: Vec<String>,
}

impl Score {
    pub(super) fn new<'a>(results: impl Iterator<Item = (&'a Case, &'a Row)>) -> Self {
        let mut score = Self::default();
        let mut solved = Vec::new();
        for (case, row) in results {
            score.cases += 1;
            let place = Verdict::ALL.iter().position(|v| *v == row.verdict);
            place.into_iter().for_each(|place| score.counts[place] += 1);
            score.total += row.seconds;
            score.peak_mb = score.peak_mb.into_iter().chain(row.peak_mb).reduce(f64::max);
            let word = row.verdict.word();
            let is_wrong = row.contradicts(case.expected);
            if row.is_solved() && !is_wrong {
                solved.push(row.seconds);
                score.par2 += row.seconds;
            } else {
                score.par2 += 2.0 * row.limit;
                score.late += usize::from(row.verdict.decides() && !is_wrong);
            }
            match case.expected {
                Some(expected) if is_wrong => score.wrong.push(format!("{word}, expected {}: {case}", expected.word())),
                Some(expected) if !row.is_solved() => score.missed.push(format!("{}: {case}", expected.word())),
                None if row.is_solved() => score.new.push(format!("{word}: {case}")),
                _ => {}
            }
            if row.verdict == Verdict::Error {
                score.errors.push(format!("{case}: {}", row.note));
            }
        }
        score.par2 /= score.cases.max(1) as f64;
        score.solved = solved.len();
        score.median = median(solved);
        score
    }
}

/// Zero of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists = [
            ("missed", &self.missed),
            ("open, now decided", &self.new),
            ("error", &self.errors),
            ("WRONG", &self.wrong),
        ];
        for (what, cases) in lists {
            cases.iter().try_for_each(|case| writeln!(f, "{what}: {case}"))?;
        }
        let counts = Verdict::ALL.iter().zip(self.counts).map(|(verdict, count)| format!("{} {count}", verdict.word()));
        let counts = counts.collect::<Vec<_>>().join(", ");
        writeln!(f, "solved {} of {}: {counts}, late {}", self.solved, self.cases, self.late)?;
        let peak = self.peak_mb.map_or("unknown".into(), |mb| format!("{mb:.0} MB"));
        writeln!(
            f,
            "PAR-2 {:.3} s, median of the solved {:.3} s, total {:.1} s, peak memory {peak}",
            self.par2, self.median, self.total
        )?;
        let (missed, new, errors, wrong) = (self.missed.len(), self.new.len(), self.errors.len(), self.wrong.len());
        write!(f, "known ones missed {missed}, open ones decided {new}, errors {errors}, WRONG {wrong}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn result(name: &str, expected: Option<Verdict>, verdict: Verdict, seconds: f64) -> (Case, Row) {
        let limit = Duration::from_secs(10);
        let case = Case { onnx: name.into(), vnnlib: "p".into(), limit, expected };
        let row = Row {
            onnx: name.into(),
            vnnlib: "p".into(),
            verdict,
            expected,
            seconds,
            limit: 10.0,
            peak_mb: Some(seconds * 100.0),
            decided_by: "linear".into(),
            subproblems: None,
            note: "why".into(),
        };
        (case, row)
    }

    #[test]
    fn everything_is_counted() {
        use Verdict::{Error, Sat, TimedOut, Unknown, Unsat};
        let results = [
            result("proved", Some(Unsat), Unsat, 1.0),
            result("found", Some(Sat), Sat, 2.0),
            result("open", None, Unsat, 4.0),
            result("still-open", None, TimedOut, 10.5),
            result("slow", Some(Sat), TimedOut, 10.0),
            result("unsure", Some(Unsat), Unknown, 0.5),
            result("unreadable", Some(Unsat), Error, 0.25),
            result("late", Some(Unsat), Unsat, 11.0),
            result("wrong", Some(Unsat), Sat, 0.75),
        ];
        let score = Score::new(results.iter().map(|(case, row)| (case, row)));
        assert_eq!(
            score.to_string(),
            "missed: sat: slow p\n\
             missed: unsat: unsure p\n\
             missed: unsat: unreadable p\n\
             missed: unsat: late p\n\
             open, now decided: unsat: open p\n\
             error: unreadable p: why\n\
             WRONG: sat, expected unsat: wrong p\n\
             solved 3 of 9: sat 2, unsat 3, unknown 1, timed-out 2, error 1, late 1\n\
             PAR-2 14.111 s, median of the solved 2.000 s, total 40.0 s, peak memory 1100 MB\n\
             known ones missed 4, open ones decided 1, errors 1, WRONG 1"
        );
        assert_eq!(score.wrong.len(), 1);
    }

    #[test]
    fn nothing_is_worth_nothing() {
        let score = Score::new(std::iter::empty());
        assert!(score.to_string().contains("solved 0 of 0") && score.to_string().contains("PAR-2 0.000 s"));
        assert_eq!(median(vec![3.0, 1.0]), 2.0);
    }
}
