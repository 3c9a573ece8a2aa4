//! The three charts of a report.

use super::chart::{Axis, Chart, Shape};
use crate::run::{Asked, Counts, Kind, Record, Run, Summary, Word};
use std::collections::BTreeMap;

/// How many points a curve has at most.
const POINTS: usize = 200;
const BINS: usize = 16;

/// What there is to show, and nothing of what there is not.
pub(super) fn all(run: &Run, summary: &Summary) -> Vec<Chart> {
    let curve = match summary {
        Summary::Radii(counts) => Some(at_radii(&run.asked, counts)),
        Summary::Distortions(_) => of_distortions(run),
    };
    [curve, histogram(run), cactus(run)].into_iter().flatten().collect()
}

fn certified(about: String, norm: &str, to: f64) -> Chart {
    Chart {
        title: "Certified accuracy",
        about,
        x: Axis::horizontal(format!("{norm} radius"), 0.0, to),
        y: Axis::vertical("% of images", 0.0, 100.0),
        shapes: Vec::new(),
        legend: vec![("certified", "certified"), ("possible", "not refuted"), ("undecided", "undecided")],
    }
}

/// The band between what is certified and what is not refuted, with its edges.
fn band(chart: &mut Chart, lower: &[[f64; 2]], upper: &[[f64; 2]]) {
    let around = lower.iter().chain(upper.iter().rev()).copied();
    let shapes = [
        ("undecided", format!("{}Z", chart.line(around))),
        ("possible", chart.line(upper.iter().copied())),
        ("certified", chart.line(lower.iter().copied())),
    ];
    chart.shapes.extend(shapes.map(|(class, d)| Shape::Path { class, d }));
}

fn at_radii(asked: &Asked, counts: &[Counts]) -> Chart {
    let percent = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
    let radii: Vec<(f64, &Counts)> =
        counts.iter().enumerate().filter_map(|(k, c)| Some((asked.radius(k)?, c))).collect();
    let largest = radii.last().map_or(1.0, |(eps, _)| *eps);
    let about = "Of all images, those that no perturbation within the radius turns into another class, as certified; and above them \
                 those for which neither that nor the contrary is known. The radii asked about are marked, and what is \
                 between them follows; at 0 is the accuracy without perturbation."
        .into();
    let mut chart = certified(about, asked.norm.name(), largest * 1.04);
    // What was tried and is not misclassified is right without perturbation.
    let plain =
        radii.iter().max_by_key(|(_, c)| c.images - c.untried()).filter(|_| !radii.iter().any(|(eps, _)| *eps == 0.0));
    let plain =
        plain.map(|(_, c)| (0.0, [c.images - c.untried() - c.misclassified, c.images - c.misclassified], c.images));
    let asked = radii.iter().map(|(eps, c)| (*eps, [c.robust, c.robust + c.unknown()], c.images));
    let points: Vec<_> = plain.into_iter().chain(asked).collect();
    let [lower, upper] =
        [0, 1].map(|k| points.iter().map(|(eps, n, images)| [*eps, percent(n[k], *images)]).collect::<Vec<_>>());
    band(&mut chart, &steps(&lower, |[_, after]| after), &steps(&upper, |[before, _]| before));
    for ((eps, counts, images), [low, high]) in points.iter().zip(lower.iter().zip(&upper).map(|(l, u)| [l[1], u[1]])) {
        let x = chart.x.at(*eps);
        let dot = |class, y, what: &str| Shape::Dot {
            class,
            x,
            y: chart.y.at(y),
            title: format!("{eps}: {y:.2} % {what} ({} to {} of {images})", counts[0], counts[1]),
        };
        let mut dots = vec![dot("certified", low, "at least")];
        if high > low {
            dots.insert(0, dot("possible", high, "at most"));
        }
        chart.shapes.extend(dots);
    }
    chart
}

/// The points with a corner between each and the next: what is robust at a radius is at all smaller ones, what is not robust is not at
/// larger ones.
fn steps(points: &[[f64; 2]], between: fn([f64; 2]) -> f64) -> Vec<[f64; 2]> {
    let corner = |pair: &[[f64; 2]]| {
        let [[from, before], [to, after]] = [pair[0], pair[1]];
        let y = between([before, after]);
        [[from, y], [to, y], [to, after]]
    };
    points.first().copied().into_iter().chain(points.windows(2).flat_map(corner)).collect()
}

fn of_distortions(run: &Run) -> Option<Chart> {
    let images = run.asked.images().max(1) as f64;
    let records: Vec<&Record> = run.answers.iter().map(|(_, record)| record).collect();
    let finite = records.iter().flat_map(|r| [Some(r.lower), r.upper]).flatten();
    let largest = finite.fold(0.0, f64::max);
    if largest <= 0.0 {
        return None;
    }
    let about = "Of all images, those whose distortion is proved to be at least the radius; and above them those for which neither that \
                 nor the contrary is known."
        .into();
    let mut chart = certified(about, run.asked.norm.name(), largest * 1.04);
    let share = |count: usize| 100.0 * count as f64 / images;
    let at_least = |eps: f64| share(records.iter().filter(|r| r.lower >= eps && r.lower > 0.0).count());
    let below = |eps: f64| share(records.iter().filter(|r| r.upper.is_some_and(|upper| upper <= eps)).count());
    let radii: Vec<f64> = chart.x.samples(POINTS).collect();
    let lower: Vec<_> = radii.iter().map(|&eps| [eps, at_least(eps)]).collect();
    let upper: Vec<_> = radii.iter().map(|&eps| [eps, 100.0 - below(eps)]).collect();
    band(&mut chart, &steps(&lower, |[_, after]| after), &steps(&upper, |[before, _]| before));
    Some(chart)
}

/// Distances of the measured, or of what was found.
fn histogram(run: &Run) -> Option<Chart> {
    let is_measured = matches!(run.asked.kind, Kind::Distortion { .. });
    let mut nearest: BTreeMap<usize, f64> = BTreeMap::new();
    for (_, record) in run.answers.iter() {
        let wanted = if is_measured { record.verdict == Word::Measured } else { record.verdict == Word::Violated };
        // At distance 0 is what is misclassified, which says nothing of a distance.
        if let (true, Some(upper)) = (wanted, record.upper.filter(|&u| u > 0.0)) {
            nearest.entry(record.index).and_modify(|known| *known = known.min(upper)).or_insert(upper);
        }
    }
    let largest = nearest.values().copied().fold(0.0, f64::max);
    if largest <= 0.0 || !largest.is_finite() {
        return None;
    }
    let norm = run.asked.norm.name();
    let (title, about, label) = if is_measured {
        let about = format!("The minimum {norm} distortions of {} images, by their upper ends.", nearest.len());
        ("Distortions", about, format!("{norm} distortion"))
    } else {
        let about = format!(
            "How far away the nearest counterexamples are that were found, of {} images. These are no minimum distortions: nearer ones may \
             exist.",
            nearest.len()
        );
        ("Distances of counterexamples", about, format!("{norm} distance"))
    };
    let x = Axis::horizontal(label, 0.0, largest * 1.04);
    let width = largest / BINS as f64;
    let mut bins = [0usize; BINS];
    for distance in nearest.values() {
        bins[((distance / width) as usize).min(BINS - 1)] += 1;
    }
    let most = bins.iter().copied().max().unwrap_or(0);
    let y = Axis::vertical("images", 0.0, (most as f64).max(5.0));
    let bars = bins.iter().enumerate().filter(|(_, count)| **count > 0).map(|(k, &count)| {
        let (from, to) = (k as f64 * width, (k + 1) as f64 * width);
        let (left, right, top, foot) = (x.at(from), x.at(to), y.at(count as f64), y.at(0.0));
        let round = |v: f64| (v * 10.0).round() / 10.0;
        Shape::Bar {
            class: "found",
            x: round(left + 0.8),
            y: top,
            width: round((right - left - 1.6).max(0.8)),
            height: round(foot - top),
            title: format!("{from:.4} to {to:.4}: {count}"),
        }
    });
    Some(Chart { title, about, shapes: bars.collect(), x, y, legend: Vec::new() })
}

/// How many questions are decided within a time.
fn cactus(run: &Run) -> Option<Chart> {
    let decided = run.answers.iter().map(|(_, record)| record).filter(|record| record.is_decided());
    // What the clock does not see took less than it sees.
    let mut times: Vec<f64> = decided.map(|r| r.time_s.max(1e-6)).filter(|t| t.is_finite()).collect();
    times.sort_by(f64::total_cmp);
    let (first, last) = (*times.first()?, *times.last()?);
    let total = run.asked.images().saturating_mul(run.asked.per_image());
    let x = Axis::logarithmic("seconds", first, last);
    let y = Axis::vertical("questions decided", 0.0, total as f64);
    let within = |t: f64| times.partition_point(|&time| time <= t) as f64;
    let about = format!(
        "How many of the {total} questions were decided within so many seconds each; {} in the end, the slowest in {last:.3} s.",
        times.len()
    );
    let mut chart = Chart {
        title: "Time",
        about,
        shapes: Vec::new(),
        x,
        y,
        legend: vec![("times", "decided"), ("all", "all questions")],
    };
    let all = chart.line(chart.x.samples(1).map(|t| [t, total as f64]));
    let steps = if times.len() <= POINTS {
        // Every question is a step.
        let from = chart.x.samples(1).next().unwrap_or(first);
        let steps = times.iter().flat_map(|&t| [[t, within(t) - 1.0], [t, within(t)]]);
        std::iter::once([from, 0.0]).chain(steps).chain(chart.x.samples(1).last().map(|t| [t, within(t)])).collect()
    } else {
        chart.x.samples(POINTS).map(|t| [t, within(t)]).collect::<Vec<_>>()
    };
    let d = chart.line(steps);
    chart.shapes = vec![Shape::Path { class: "all", d: all }, Shape::Path { class: "times", d }];
    Some(chart)
}
