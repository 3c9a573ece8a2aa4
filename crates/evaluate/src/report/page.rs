//! What the page says, in words and numbers ready to be shown.

use super::chart::{Chart, Shape};
use super::charts;
use super::pictures::Pictures;
use crate::run::{Asked, Counts, Fraction, Kind, Record, Run, Summary, Word, fixed};
use askama::Template;

/// So many answers are all listed; of more only those that are violated or not decided.
const ALL: usize = 400;
/// Of these no more than so many.
const MOST: usize = 2_000;

/// The template's values; it escapes all of them.
#[derive(Template)]
#[template(path = "report.html")]
pub(super) struct Page {
    title: String,
    headline: String,
    /// The headline, to be broken into lines where it may be.
    heading: String,
    detail: String,
    facts: Vec<(&'static str, String)>,
    radii: Vec<Radius>,
    charts: Vec<Chart>,
    rows: Vec<Row>,
    about_rows: String,
    command: String,
    notes: Vec<String>,
}

/// The answers at a radius.
struct Radius {
    eps: String,
    counts: Counts,
    error: [String; 2],
}

/// An answer.
struct Row {
    index: usize,
    label: usize,
    predicted: usize,
    verdict: &'static str,
    reason: String,
    target: String,
    eps: String,
    lower: String,
    upper: String,
    time: String,
    decided_by: String,
    attempt: u32,
    original: Option<String>,
    adversarial: Option<String>,
}

impl Page {
    pub(super) fn new(run: &Run, pictures: &mut Pictures) -> Self {
        let asked = &run.asked;
        let summary = Summary::new(asked, &run.answers);
        let (headline, detail) = headline(asked, &summary);
        let records: Vec<&Record> = run.answers.iter().map(|(_, record)| record).collect();
        let (rows, about_rows) = rows(&records, digits(asked), pictures);
        let mut notes = run.notes.clone();
        notes.extend(pictures.notes());
        let name = |path: &std::path::Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Self {
            title: format!("{} on {}", name(&asked.model.path), name(&asked.data.path)),
            heading: unbroken(&headline),
            headline,
            detail,
            facts: facts(asked),
            radii: match &summary {
                Summary::Radii(counts) => counts.iter().enumerate().map(|(k, c)| Radius::new(asked, k, *c)).collect(),
                Summary::Distortions(_) => Vec::new(),
            },
            charts: charts::all(run, &summary),
            rows,
            about_rows,
            command: asked.command.clone(),
            notes,
        }
    }
}

impl Radius {
    fn new(asked: &Asked, position: usize, counts: Counts) -> Self {
        let eps = asked.radius(position).map(|eps| decimal(eps, digits(asked))).unwrap_or_default();
        Self { eps, counts, error: counts.percent() }
    }

    /// The shares of a bar, in percent, with their classes.
    fn shares(&self) -> [(&'static str, f64); 4] {
        let Counts { images, robust, misclassified, adversarial, .. } = self.counts;
        let share = |count: usize| (1e4 * count as f64 / images.max(1) as f64).round() / 100.0;
        [
            ("robust", share(robust)),
            ("unknown", share(self.counts.unknown())),
            ("adversarial", share(adversarial)),
            ("misclassified", share(misclassified)),
        ]
    }
}

/// The sentence of the run, and what it counts.
fn headline(asked: &Asked, summary: &Summary) -> (String, String) {
    let (text, at) = match summary {
        Summary::Radii(counts) => {
            let digits = digits(asked);
            let radius = |position| asked.radius(position).map(|eps| decimal(eps, digits)).unwrap_or_default();
            match &counts[..] {
                [first, .., last] => {
                    let ([a, b], [c, d]) = (first.percent(), last.percent());
                    let head = format!("adversarial error in [{a}, {b}] % to [{c}, {d}] %");
                    let (norm, largest) = (asked.norm.name(), counts.len() - 1);
                    let detail = format!(
                        "at {norm} {} to {}; {} images at {} radii, {} of {} questions unknown",
                        radius(0),
                        radius(largest),
                        first.images,
                        counts.len(),
                        summary.unknown(),
                        first.images.saturating_mul(counts.len()),
                    );
                    return (head, detail);
                }
                [only] => (only.to_string(), format!("within {} {}: ", asked.norm.name(), radius(0))),
                [] => (Counts::default().to_string(), String::new()),
            }
        }
        Summary::Distortions(found) => {
            let text = found.to_string();
            return match text.split_once(": ") {
                Some((count, means)) => (format!("{} distortion: {means}", asked.norm.name()), count.to_owned()),
                None => (text, format!("none measured in {}", asked.norm.name())),
            };
        }
    };
    let (head, rest) = text.split_once(" (").unwrap_or((&text, ""));
    (head.to_owned(), format!("{at}{}", rest.trim_end_matches(')')))
}

/// A headline whose intervals are not broken over two lines.
fn unbroken(text: &str) -> String {
    let mut is_inside = false;
    let letters = text.chars().map(|letter| {
        is_inside = letter == '[' || is_inside && letter != ']';
        if letter == ' ' && is_inside { '\u{a0}' } else { letter }
    });
    letters.collect::<String>().replace("] %", "]\u{a0}%")
}

/// What was asked.
fn facts(asked: &Asked) -> Vec<(&'static str, String)> {
    let norm = asked.norm.name();
    let radii = asked.eps.iter().map(|Fraction(eps)| eps.to_string()).collect::<Vec<_>>().join(", ");
    let question = match &asked.kind {
        Kind::Radii => format!("does a perturbation of {norm} norm at most {radii} change the class?"),
        Kind::Distortion { gap: Fraction(gap) } => {
            let largest = if radii.is_empty() { String::new() } else { format!(", looked for up to {radii}") };
            format!("the minimum {norm} distortion, with a relative gap of at most {gap}{largest}")
        }
    };
    let range = match &asked.range {
        Some((Fraction(low), Fraction(high))) => format!("{low} to {high}"),
        None => "not limited".into(),
    };
    let images = match asked.shard {
        Some(shard) => format!(", part {} of {}", shard.part, shard.of),
        None => String::new(),
    };
    let targets =
        asked.targets.as_ref().map(|targets| targets.iter().map(usize::to_string).collect::<Vec<_>>().join(", "));
    let model = &asked.model;
    let list = |values: &[Fraction]| values.iter().map(|f| f.0.to_string()).collect::<Vec<_>>().join(", ");
    let mut facts = vec![
        ("question", question),
        ("network", model.path.display().to_string()),
        ("its SHA-256", model.sha256.clone()),
        ("images", format!("{} of {}, {}{images}", asked.images(), asked.data.name, asked.data.path.display())),
        ("indices", format!("{} to {}", asked.indices.start, asked.indices.end.saturating_sub(1))),
        ("values of a pixel", range),
    ];
    if !model.mean.is_empty() {
        facts.push(("normalised by", format!("mean {}, standard deviation {}", list(&model.mean), list(&model.std))));
    }
    if let Some(targets) = targets {
        facts.push(("targets", targets));
    }
    let limit = asked.time_limit_s.map_or("none".into(), |seconds| format!("{seconds} s an image"));
    facts.extend([
        ("time limit", limit),
        ("engine", format!("{}, {} threads, seed {}", asked.engine, asked.threads, asked.seed)),
    ]);
    facts
}

fn rows(records: &[&Record], digits: usize, pictures: &mut Pictures) -> (Vec<Row>, String) {
    let is_listed = |record: &&&Record| records.len() <= ALL || record.verdict != Word::Robust;
    let listed: Vec<&&Record> = records.iter().filter(is_listed).collect();
    let rows: Vec<Row> = listed.iter().take(MOST).map(|record| Row::new(record, digits, pictures)).collect();
    let about = match (rows.len(), listed.len(), records.len()) {
        (0, _, 0) => "There is no answer yet.".into(),
        (_, l, all) if l == all && l <= MOST => format!("All {all} answers."),
        (r, l, all) if r == l => {
            format!("The {l} of {all} answers that are not robust; unmoved report --csv writes all.")
        }
        (r, l, all) => {
            format!("The first {r} of {l} answers that are not robust, of {all}; unmoved report --csv writes all.")
        }
    };
    (rows, about)
}

impl Row {
    fn new(record: &Record, digits: usize, pictures: &mut Pictures) -> Self {
        let none = || "–".to_owned();
        let [original, adversarial] = pictures.of(record);
        Self {
            index: record.index,
            label: record.label,
            predicted: record.predicted,
            verdict: record.verdict.name(),
            reason: record.reason.clone().unwrap_or_else(none),
            target: record.target.map_or_else(none, |target| target.to_string()),
            eps: record.eps.map_or_else(none, |eps| decimal(eps, digits)),
            lower: fixed(record.lower, f64::floor),
            upper: record.upper.map_or_else(none, |upper| fixed(upper, f64::ceil)),
            time: format!("{:.3}", record.time_s),
            decided_by: record.decided_by.clone(),
            attempt: record.attempt,
            original,
            adversarial,
        }
    }
}

/// How many digits after the point tell the radii, at most six.
fn digits(asked: &Asked) -> usize {
    let needed = |eps: f64| (0..6).find(|&digits| format!("{eps:.digits$}").parse() == Ok(eps)).unwrap_or(6);
    asked.eps.iter().map(|Fraction(eps)| needed(eps.to_f64())).max().unwrap_or(0)
}

/// A radius with so many digits, or as a power of ten where these are not enough.
fn decimal(value: f64, digits: usize) -> String {
    if value != 0.0 && value < 1e-5 { format!("{value:e}") } else { format!("{value:.digits$}") }
}
