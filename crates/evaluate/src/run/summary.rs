//! How many of the questions are answered, and how.

use super::line::MISCLASSIFIED;
use super::{Answers, Asked, Kind, Word};
use std::fmt;
use unmoved_ir::Rational;

/// The answers at one radius.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// The images that are asked about.
    pub images: usize,
    /// No allowed perturbation changes the class.
    pub robust: usize,
    /// The unperturbed image is not taken for what it is.
    pub misclassified: usize,
    /// An allowed perturbation changes the class.
    pub adversarial: usize,
    /// Tried, and not decided.
    pub undecided: usize,
}

impl Counts {
    /// Not decided, tried or not.
    pub fn unknown(&self) -> usize {
        self.images - self.robust - self.misclassified - self.adversarial
    }

    /// Not tried.
    pub fn untried(&self) -> usize {
        self.unknown() - self.undecided
    }

    /// The share of images with an adversarial example, as an interval of fractions; the misclassified ones are among them.
    pub fn error(&self) -> [f64; 2] {
        let violated = self.misclassified + self.adversarial;
        if self.images == 0 {
            return [0.0, 1.0];
        }
        [violated, violated + self.unknown()].map(|n| n as f64 / self.images as f64)
    }

    /// The same in percent with two digits after the point, the lower end rounded down, the upper one up.
    pub fn percent(&self) -> [String; 2] {
        let violated = self.misclassified + self.adversarial;
        // Of no images it is not known at all.
        if self.images == 0 {
            return [hundredths(0), hundredths(10_000)];
        }
        [percent_down(violated, self.images), percent_up(violated + self.unknown(), self.images)]
    }
}

/// `adversarial error in [4.38, 4.38] % (189 misclassified, 249 with an adversarial example, 0 unknown of 10000)`
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, high] = self.percent();
        let Self { images, misclassified, adversarial, .. } = self;
        write!(
            f,
            "adversarial error in [{low}, {high}] % ({misclassified} misclassified, {adversarial} with an adversarial example, \
             {} unknown of {images})",
            self.unknown()
        )
    }
}

/// Hundredths of a percent, rounded down, with two digits after the point.
fn percent_down(part: usize, whole: usize) -> String {
    hundredths(part as u128 * 10_000 / (whole as u128).max(1))
}

fn percent_up(part: usize, whole: usize) -> String {
    hundredths((part as u128 * 10_000).div_ceil((whole as u128).max(1)))
}

fn hundredths(value: u128) -> String {
    format!("{}.{:02}", value / 100, value % 100)
}

/// The answers of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Summary {
    /// For each radius.
    Radii(Vec<Counts>),
    /// Of all images.
    Distortions(Distortions),
}

/// How far the nearest inputs are that change the class.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Distortions {
    /// The images that are asked about.
    pub images: usize,
    /// Known as closely as was asked for.
    pub measured: usize,
    /// Of these, at distance 0.
    pub misclassified: usize,
    /// Farther than what was looked at.
    pub robust: usize,
    /// Tried, and known less closely or not at all.
    pub undecided: usize,
    /// The mean of the lower and of the upper ends of those that are measured; none if none is.
    pub mean: Option<[f64; 2]>,
    /// Their medians.
    pub median: Option<[f64; 2]>,
}

impl Summary {
    /// Counts what is known of the questions in `asked`; there may be answers to others.
    pub fn new(asked: &Asked, answers: &Answers) -> Self {
        let images = asked.images();
        if let Kind::Distortion { .. } = asked.kind {
            return Self::Distortions(distortions(images, answers));
        }
        let mut counts = vec![Counts { images, ..Counts::default() }; asked.per_image()];
        for (_, record) in answers.iter() {
            let Some(position) = asked.position(record.eps) else { continue };
            let counts = &mut counts[position];
            match record.verdict {
                Word::Robust => counts.robust += 1,
                Word::Violated if record.reason.as_deref() == Some(MISCLASSIFIED) => counts.misclassified += 1,
                Word::Violated => counts.adversarial += 1,
                Word::Unknown | Word::Measured => counts.undecided += 1,
            }
        }
        Self::Radii(counts)
    }

    /// How many questions are not decided, tried or not.
    pub fn unknown(&self) -> usize {
        match self {
            Self::Radii(counts) => counts.iter().map(Counts::unknown).fold(0, usize::saturating_add),
            Self::Distortions(d) => d.images - d.measured - d.robust,
        }
    }

    /// How many questions have not been tried.
    pub fn untried(&self) -> usize {
        match self {
            Self::Radii(counts) => counts.iter().map(Counts::untried).fold(0, usize::saturating_add),
            Self::Distortions(d) => d.images - d.measured - d.robust - d.undecided,
        }
    }
}

fn distortions(images: usize, answers: &Answers) -> Distortions {
    let mut found = Distortions { images, ..Distortions::default() };
    let [mut lower, mut upper] = [const { Vec::new() }; 2];
    for (_, record) in answers.iter() {
        match (record.verdict, record.upper) {
            (Word::Measured, Some(end)) => {
                found.measured += 1;
                found.misclassified += usize::from(record.reason.as_deref() == Some(MISCLASSIFIED));
                lower.push(record.lower);
                upper.push(end);
            }
            (Word::Robust, _) => found.robust += 1,
            _ => found.undecided += 1,
        }
    }
    [&mut lower, &mut upper].into_iter().for_each(|ends| ends.sort_by(f64::total_cmp));
    // As the ends themselves, rounded to the side that is proved.
    let both = |of: fn(&[f64]) -> &[f64]| {
        let ends = [mean(of(&lower))?.round_down(), mean(of(&upper))?.round_up()];
        Some(ends)
    };
    found.mean = both(|all| all);
    found.median = both(middle);
    found
}

/// Without rounding.
fn mean(values: &[f64]) -> Option<Rational> {
    let sum = values.iter().try_fold(Rational::ZERO, |sum, &value| Some(&sum + &Rational::from_f64(value)?))?;
    sum.checked_div(&Rational::from_f64(values.len() as f64)?)
}

/// The one or two in the middle of ascending values.
fn middle(values: &[f64]) -> &[f64] {
    let spare = values.len().saturating_sub(1) / 2;
    &values[spare..values.len() - spare]
}

/// `distortion of 18 of 20 images measured (1 misclassified): mean in [0.1021, 0.1030], median in [0.0994, 0.1003]`
impl fmt::Display for Distortions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { images, measured, misclassified, robust, mean, median, .. } = self;
        write!(f, "distortion of {measured} of {images} images measured ({misclassified} misclassified")?;
        if *robust > 0 {
            write!(f, "; {robust} farther than what was looked at")?;
        }
        write!(f, ")")?;
        let Some(([a, b], [c, d])) = mean.zip(*median) else { return Ok(()) };
        let ([a, c], [b, d]) = ([a, c].map(|v| fixed(v, f64::floor)), [b, d].map(|v| fixed(v, f64::ceil)));
        write!(f, ": mean in [{a}, {b}], median in [{c}, {d}]")
    }
}

/// Four digits, rounded to the side that is proved; what is within a billionth of the last digit is that digit, because records
/// themselves are rounded to that side in their last bit.
pub(crate) fn fixed(value: f64, round: fn(f64) -> f64) -> String {
    let units = value * 1e4;
    let nearest = units.round();
    let rounded = if (units - nearest).abs() <= 1e-9 * nearest.max(1.0) { nearest } else { round(units) };
    format!("{:.4}", rounded / 1e4)
}
