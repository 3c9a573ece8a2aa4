//! `unmoved distortion`

use super::answer::{KeepArgs, PictureArgs, SearchArgs, labels, remarks, write_certificate};
use super::question::{self, InputArgs, ModelArgs, NormArgs, TargetArgs};
use super::{CliError, Exit, Output, print};
use serde_json::json;
use std::str::FromStr;
use std::time::Instant;
use unmoved::evaluate::{Perturbations, Question, write_image};
use unmoved::ir::Rational;
use unmoved::search::{Distortion, Prepared, distortion};

/// `distortion`
#[derive(clap::Args)]
#[command(after_help = "Example:\n  unmoved distortion model.onnx --image seven.png --norm l2 --gap 2%")]
pub(crate) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    norm: NormArgs,
    /// The largest distance that is looked at [default: what covers the range]
    #[arg(long, allow_hyphen_values = true)]
    eps: Option<Rational>,
    /// How wide the interval may be, as a share of its upper end: 1%, 0.01
    #[arg(long, value_name = "SHARE", default_value = "1%", allow_hyphen_values = true)]
    gap: Share,
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    keep: KeepArgs,
    #[command(flatten)]
    picture: PictureArgs,
    #[command(flatten)]
    search: SearchArgs,
}

/// A share, as a number or in percent.
#[derive(Debug, Clone)]
pub(crate) struct Share(pub(crate) Rational);

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, whole) = text.strip_suffix('%').map_or((text, 1), |number| (number.trim_end(), 100));
        let number: Rational = number.parse().map_err(|error: unmoved::ir::ParseRationalError| error.to_string())?;
        let share = number.checked_div(&Rational::from(whole)).unwrap_or(Rational::ZERO);
        let is_share = share > Rational::ZERO && share < Rational::ONE;
        if is_share { Ok(Self(share)) } else { Err("expected a share between 0 and 1, or 0 % and 100 %".into()) }
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let start = Instant::now();
    let perturbations = |elements: usize| -> Result<Perturbations, CliError> {
        let (norm, range) = args.norm.get();
        let eps = match (&args.eps, &range) {
            (Some(eps), _) => eps.clone(),
            (None, Some(range)) => norm.of_range(elements, range),
            (None, None) => return Err(CliError::new("U0001", "--range none leaves no end: give the largest --eps")),
        };
        Ok(Perturbations { norm, eps, range })
    };
    let question = question::only_within(&args.model, &args.input, perturbations, &args.targets, output)?;
    args.picture.expect_image(&question)?;
    let network = Prepared::new(question.query.network())?;
    let options = args.search.options();
    let found = distortion(&question.query, &network, &options, &args.gap.0, &output.watch(start))?;
    args.keep(&question, &found)?;
    let report =
        Report { question: &question, found: &found, gap: &args.gap.0, seconds: start.elapsed().as_secs_f64() };
    print(&if output.is_json() { report.json() } else { report.text() });
    if !output.is_json() {
        remarks(question.query.network(), output);
    }
    Ok(if found.reason.is_none() { Exit::Holds } else { Exit::Unknown })
}

impl Args {
    /// Writes what stands behind the interval.
    fn keep(&self, question: &Question, found: &Distortion) -> Result<(), CliError> {
        if let (Some(path), Some(proof)) = (&self.keep.certificate, &found.proof) {
            write_certificate(path, &proof.query, &proof.certificate)?;
        }
        if let (Some(path), Some(c)) = (&self.keep.counterexample, &found.counterexample) {
            let dims = question.query.network().input().shape.dims();
            write_image(path, &c.input.nearest, dims).map_err(|e| CliError::write(path, e))?;
        }
        found.counterexample.as_ref().map_or(Ok(()), |c| self.picture.save(question, c))
    }
}

struct Report<'a> {
    question: &'a Question,
    found: &'a Distortion,
    gap: &'a Rational,
    seconds: f64,
}

impl Report<'_> {
    fn text(&self) -> String {
        let Self { question, found, .. } = self;
        let (label, norm, seconds) = (question.label, question.perturbations.norm.name(), self.seconds);
        let largest = found.upper.as_ref().unwrap_or(&found.lower);
        let lower = Rounded { value: &found.lower, up: false, places: places(largest, self.gap) };
        let why = found.reason.as_ref().map_or(String::new(), |reason| format!("; {reason}"));
        let (Some(upper), Some(c)) = (&found.upper, &found.counterexample) else {
            return match (&found.proof, &found.reason) {
                (Some(_), None) => {
                    format!("distortion above {lower} {norm}: {label} stays {label} (certified, {seconds:.3} s)")
                }
                (Some(_), Some(_)) => {
                    format!("distortion above {lower} {norm}, no counterexample known (certified{why}, {seconds:.3} s)")
                }
                (None, _) => format!("distortion unknown{} ({seconds:.3} s)", why.replacen(';', ":", 1)),
            };
        };
        let moves = format!("{label} -> {}", question.taken_for(c));
        if found.is_at_centre() {
            return format!("distortion 0: {moves}, misclassified without perturbation ({seconds:.3} s)");
        }
        let upper = Rounded { value: upper, up: true, places: lower.places };
        let below = if found.proof.is_some() { "certified below" } else { "nothing proved below" };
        format!(
            "distortion in [{lower}, {upper}] {norm}: {moves} ({below}, replayed above{}{why}, {seconds:.3} s)",
            labels(c)
        )
    }

    fn json(&self) -> String {
        let Self { question, found, .. } = self;
        let reason = found.reason.as_ref().map(|reason| reason.word());
        let certificate = found.proof.as_ref().map(|proof| &proof.certificate);
        json!({
            "verdict": if reason.is_some() { "unknown" } else if found.is_robust() { "robust" } else { "measured" },
            "lower": found.lower.round_down(),
            "upper": found.upper.as_ref().map(Rational::round_up),
            "lower_exact": found.lower.to_string(),
            "gap": found.gap().map(|gap| gap.round_up()),
            "gap_asked": self.gap.to_f64(),
            "certified": certificate.is_some(),
            "label": question.label,
            "predicted": question.predicted,
            "target": found.counterexample.as_ref().map(|c| question.taken_for(c)),
            "norm": question.perturbations.norm.name(),
            "eps": question.perturbations.eps.to_f64(),
            "reason": if found.is_at_centre() { Some("misclassified") } else { reason },
            "lower_by": found.lower_by.word(),
            "upper_by": found.upper_by.word(),
            "boundary": found.counterexample.as_ref().map(|c| c.boundary),
            "real_only": found.counterexample.as_ref().map(|c| c.real_only),
            "network": question.query.network().digest().to_string(),
            "query": found.proof.as_ref().map(|proof| proof.query.digest().to_string()),
            "subproblems": found.subproblems,
            "check_s": found.check_time.as_secs_f64(),
            "certificate_bytes": certificate.map(|c| c.to_bytes().len()),
            "time_s": self.seconds,
        })
        .to_string()
    }
}

/// How many decimals show a number of this size to four digits, or to more where the gap is smaller than 1 %.
fn places(value: &Rational, gap: &Rational) -> usize {
    let digits = |v: f64| if v > 0.0 { v.log10() } else { 0.0 };
    let more = (-2.0 - digits(gap.to_f64())).ceil().max(0.0);
    (4.0 + more - digits(value.to_f64()).ceil()).clamp(0.0, 300.0) as usize
}

/// A number with so many decimals, rounded in one direction.
struct Rounded<'a> {
    value: &'a Rational,
    up: bool,
    places: usize,
}

impl std::fmt::Display for Rounded<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let places = self.places;
        // On the right side of the value, however many places there are; rounding to these may lead to the other one.
        let float = if self.up { self.value.round_up() } else { self.value.round_down() };
        let text = format!("{float:.places$}");
        let (Ok(near), Ok(unit)) = (text.parse::<Rational>(), format!("1e-{places}").parse::<Rational>()) else {
            return f.write_str(&text);
        };
        let rounded = match (self.up, near.cmp(self.value)) {
            (true, std::cmp::Ordering::Less) => &near + &unit,
            (false, std::cmp::Ordering::Greater) => &near - &unit,
            _ => return f.write_str(&text),
        };
        // Not by way of a float, which may be on the other side again.
        let exact = rounded.decimal().unwrap_or(text);
        let (whole, fraction) = exact.split_once('.').unwrap_or((&exact, ""));
        if places == 0 { f.write_str(whole) } else { write!(f, "{whole}.{fraction:0<places$}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_as_numbers_and_in_percent() {
        let share = |text: &str| text.parse::<Share>().map(|share| share.0.to_string());
        for (text, value) in [("1%", "1/100"), ("0.01", "1/100"), ("2.5 %", "1/40"), ("1/3", "1/3"), ("99%", "99/100")]
        {
            assert_eq!(share(text), Ok(value.into()));
        }
        for wrong in ["0", "100%", "1", "-1%", "150%", "", "%", "much"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ends_are_rounded_outwards() {
        let shown =
            |value: &str, up, places| Rounded { value: &value.parse().expect("a number"), up, places }.to_string();
        for (value, down, up) in [("1/3", "0.3333", "0.3334"), ("2/3", "0.6666", "0.6667"), ("1/8", "0.1250", "0.1250")]
        {
            assert_eq!([shown(value, false, 4), shown(value, true, 4)], [down, up]);
        }
        assert_eq!([shown("199/2", false, 0), shown("199/2", true, 0)], ["99", "100"]);
        for (value, down, up) in [
            ("2/3", "0.6666666666666666297", "0.6666666666666667407"),
            ("1e-30", "0.0000000000000000000", "0.0000000000000000001"),
        ] {
            assert_eq!([shown(value, false, 19), shown(value, true, 19)], [down, up]);
        }
        // 2^53 and a hair, which no float64 lies near to.
        for value in ["9007199254740992.01", "9007199254740993.99"] {
            let [down, up] = [false, true].map(|up| shown(value, up, 0).parse::<Rational>().expect("a number"));
            let value = value.parse().expect("a number");
            assert!(down <= value && value <= up, "{down} {value} {up}");
        }
        let places =
            |value: &str, gap: &str| places(&value.parse().expect("a number"), &gap.parse().expect("a number"));
        assert_eq!([places("0.1433", "1/100"), places("12.5", "1/100"), places("0.0014", "1/100")], [4, 2, 6]);
        assert_eq!([places("0.1433", "1/1000"), places("0.1433", "1/10"), places("0", "1/100")], [5, 4, 4]);
    }
}
