//! A run examined again, by nothing but its files: certificates are checked, counterexamples replayed.

use super::attempt::key;
use super::images::each;
use crate::run::{Fraction, Kept, KeptKind, Kind, MISCLASSIFIED, Record, Run, RunError, Word, kept_path};
use crate::{Example, Images, Perturbations, Question, read_image};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use unmoved_check::{Arithmetic, check_bytes, replay};
use unmoved_ir::{Digest, Network, Rational};
use unmoved_property::Query;

/// What is examined, and how.
pub struct Recheck<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// What it holds.
    pub run: &'a Run,
    /// The network that it is about.
    pub network: Arc<Network>,
    /// The images.
    pub images: &'a Images,
    /// Of the checker.
    pub arithmetic: Arithmetic,
    /// How many images at a time.
    pub threads: usize,
}

/// What came of a record.
#[derive(Debug)]
pub struct Rechecked<'a> {
    /// The record.
    pub record: &'a Record,
    /// The question that its certificate is about, if it has one.
    pub query: Option<Query>,
    /// Why it does not stand; none if it does.
    pub problem: Option<String>,
}

/// Far beyond any certificate of the networks that fit into memory.
const MAX_BYTES: u64 = 1 << 30;

impl Recheck<'_> {
    /// Examines every record that decides something, on several threads; each tells what came of it.
    ///
    /// # Errors
    /// If images cannot be read, or what `tell` says.
    pub fn run<E: From<RunError> + Send>(
        &self,
        tell: impl Fn(&Rechecked<'_>) -> Result<(), E> + Sync,
    ) -> Result<(), E> {
        let records = self.run.answers.iter().map(|(_, record)| record);
        each(self.images, records, self.threads, |record, example| tell(&self.examine(record, example)))
    }

    fn examine<'r>(&self, record: &'r Record, example: &Example) -> Rechecked<'r> {
        let mut query = None;
        let problem = self.stands(record, example, &mut query).err();
        Rechecked { record, query, problem }
    }

    /// Whether what stands behind a record proves it.
    fn stands(&self, record: &Record, example: &Example, proved: &mut Option<Query>) -> Result<(), String> {
        let asked = &self.run.asked;
        let position = asked.position(record.eps).ok_or("it answers no question of this run")?;
        let perturbations = asked.perturbations(position).ok_or("it has no radius")?;
        let whole = self.question(example, perturbations.clone())?;
        if key(&asked.model.sha256, &whole.query.digest().to_string(), &asked.kind) != record.key {
            return Err("it answers another question".into());
        }
        if record.label != whole.label || record.predicted != whole.predicted {
            return Err("its classes are not those of the image".into());
        }
        let mut lower = Rational::ZERO;
        if let Some(kept) = &record.certificate {
            let eps = radius(record, &perturbations.eps)?;
            lower = eps.clone();
            let query = proved.insert(self.question(example, Perturbations { eps, ..perturbations.clone() })?.query);
            let bytes = self.bytes(kept, KeptKind::Certificate)?;
            let accepted = check_bytes(query, &bytes, self.arithmetic).map_err(|e| e.to_string())?;
            accepted.map_err(|refusal| format!("its certificate is refused: {refusal}"))?;
        }
        if record.lower != lower.round_down() {
            return Err("its lower end is not what is proved".into());
        }
        let Some(upper) = record.upper else {
            let needs = matches!(record.verdict, Word::Violated | Word::Measured);
            return if needs { Err("it has no counterexample".into()) } else { Ok(()) };
        };
        let distance = self.shown(record, example, upper, perturbations)?;
        let Kind::Distortion { gap: Fraction(gap) } = &asked.kind else { return Ok(()) };
        if record.verdict == Word::Measured && lower < &(&Rational::ONE - gap) * &distance {
            return Err("its interval is wider than what was asked for".into());
        }
        Ok(())
    }

    /// Replays the counterexample of a record: how far it is.
    fn shown(
        &self,
        record: &Record,
        example: &Example,
        upper: f64,
        perturbations: Perturbations,
    ) -> Result<Rational, String> {
        let input = if record.reason.as_deref() == Some(MISCLASSIFIED) {
            example.values.clone()
        } else {
            let kept = record.counterexample.as_ref().ok_or("it has no counterexample")?;
            self.bytes(kept, KeptKind::Counterexample)?;
            let path = kept_path(self.folder, kept, KeptKind::Counterexample);
            read_image(&path).map_err(|e| e.to_string())?.values
        };
        // As far as the record says, and no farther than was asked.
        let within = Rational::from_f64(upper).ok_or("its upper end is no number")?;
        let eps = within.min(perturbations.eps.clone());
        let near = self.question(example, Perturbations { eps, ..perturbations })?;
        let found = replay(&near.query, &input).map_err(|e| format!("its counterexample is none: {e}"))?;
        if record.target != Some(near.taken_for(&found)) {
            return Err("its counterexample is taken for another class".into());
        }
        let distance = near.query.region().distance_up(&found.input).ok_or("its counterexample has no distance")?;
        if distance.round_up() == upper {
            Ok(distance)
        } else {
            Err("its counterexample is nearer than it says".into())
        }
    }

    fn question(&self, example: &Example, perturbations: Perturbations) -> Result<Question, String> {
        let targets = self.run.asked.targets.as_deref();
        Question::new(&self.network, example, None, perturbations, targets).map_err(|e| e.to_string())
    }

    fn bytes(&self, kept: &Kept, kind: KeptKind) -> Result<Vec<u8>, String> {
        let path = kept_path(self.folder, kept, kind);
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes));
        read.map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        if Digest(Sha256::digest(&bytes).into()).to_string() != kept.sha256 {
            return Err(format!("{} is not the file that was written", path.display()));
        }
        Ok(bytes)
    }
}

/// The radius that a record says is proved, if it is what the record rests on: where nothing is unsafe, all of what was asked.
fn radius(record: &Record, whole: &Rational) -> Result<Rational, String> {
    let proved = record.proved.as_deref().ok_or("it does not say which radius is proved")?;
    let proved: Rational = proved.parse().map_err(|e| format!("the radius that is proved: {e}"))?;
    if record.verdict == Word::Robust && proved != *whole {
        return Err("what is proved is not what it says".into());
    }
    Ok(proved)
}
