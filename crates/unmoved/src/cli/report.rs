//! The answer to a question about one input, as text and as JSON.

use super::answer::{fields, labels};
use serde_json::{Value, json};
use unmoved::evaluate::Question;
use unmoved::property::{Counterexample, Verdict};
use unmoved::search::Outcome;

pub(crate) struct Report<'a> {
    /// Which image of a range.
    pub(crate) index: Option<usize>,
    pub(crate) question: &'a Question,
    pub(crate) outcome: &'a Outcome,
    pub(crate) seconds: f64,
}

impl Report<'_> {
    fn misclassified(&self) -> bool {
        self.outcome.decided_by == unmoved::search::DecidedBy::Centre
    }

    pub(crate) fn text(&self) -> String {
        let by = self.outcome.decided_by.word();
        let time = format!("{:.3} s", self.seconds);
        match &self.outcome.verdict {
            Verdict::Robust => {
                format!("robust: {} stays {}, certified ({by}, {time})", self.question.label, self.question.label)
            }
            Verdict::Violated(c) => {
                let how =
                    if self.misclassified() { "misclassified without perturbation".into() } else { self.distance(c) };
                format!(
                    "violated: {} -> {}, {how}{} ({by}, {time})",
                    self.question.label,
                    self.question.taken_for(c),
                    labels(c)
                )
            }
            Verdict::Unknown(reason) => format!("unknown: {reason} ({time})"),
        }
    }

    fn distance(&self, c: &Counterexample) -> String {
        let distance = self.question.query.region().distance_up(&c.input).map_or(f64::INFINITY, |d| d.to_f64());
        format!("{} distance {distance:.4}", self.question.perturbations.norm.name())
    }

    pub(crate) fn json(&self) -> String {
        let question = self.question;
        let target = match &self.outcome.verdict {
            Verdict::Violated(c) => Some(self.question.taken_for(c)),
            _ => None,
        };
        let mut object = json!({
            "verdict": self.outcome.verdict.word(),
            "certified": self.outcome.verdict == Verdict::Robust,
            "label": question.label,
            "predicted": question.predicted,
            "target": target,
            "eps": question.perturbations.eps.to_f64(),
            "norm": question.perturbations.norm.name(),
            "time_s": self.seconds,
        });
        if let Value::Object(object) = &mut object {
            object.extend(fields(&question.query, self.outcome));
        }
        if target.is_some() && self.misclassified() {
            object["reason"] = "misclassified".into();
        }
        if let Some(index) = self.index {
            object["index"] = index.into();
        }
        object.to_string()
    }
}
