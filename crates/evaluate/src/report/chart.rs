//! A chart as shapes in the units of its own picture; the template turns them into SVG.
//!
//! Shapes carry classes and no colours, so that the page's style sheet gives them those of light and dark. That, and places finer
//! than a whole pixel, is why no plotting library draws them: those write colours and whole pixels into the picture.

use std::fmt::Write as _;

/// Of the whole picture.
pub(super) const WIDTH: f64 = 350.0;
pub(super) const HEIGHT: f64 = 250.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 48.0;

/// What is shown.
pub(super) struct Chart {
    pub(super) title: &'static str,
    /// What the shapes are, in a sentence.
    pub(super) about: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) shapes: Vec<Shape>,
    /// The classes of shapes, and their names.
    pub(super) legend: Vec<(&'static str, &'static str)>,
}

/// Where numbers are.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub(super) label: String,
    from: f64,
    to: f64,
    is_log: bool,
    is_vertical: bool,
    pub(super) ticks: Vec<Tick>,
}

#[derive(Debug, Clone)]
pub(super) struct Tick {
    /// In the picture.
    pub(super) at: f64,
    pub(super) label: String,
}

pub(super) enum Shape {
    /// Of SVG's path language.
    Path {
        class: &'static str,
        d: String,
    },
    Dot {
        class: &'static str,
        x: f64,
        y: f64,
        title: String,
    },
    Bar {
        class: &'static str,
        x: f64,
        y: f64,
        width: f64,
        height: f64,
        title: String,
    },
}

impl Axis {
    pub(super) fn horizontal(label: impl Into<String>, from: f64, to: f64) -> Self {
        Self::linear(label.into(), from, to, false)
    }

    pub(super) fn vertical(label: impl Into<String>, from: f64, to: f64) -> Self {
        Self::linear(label.into(), from, to, true)
    }

    /// Of whole powers of ten around two positive numbers.
    pub(super) fn logarithmic(label: impl Into<String>, from: f64, to: f64) -> Self {
        let (low, mut high) = (from.log10().floor(), to.log10().ceil());
        if low == high {
            high += 1.0;
        }
        let mut axis =
            Self { label: label.into(), from: low, to: high, is_log: true, is_vertical: false, ticks: Vec::new() };
        let step = ((high - low) / 6.0).ceil().max(1.0);
        let powers = (0..=((high - low) / step) as usize).map(|k| low + k as f64 * step);
        axis.ticks = powers.map(|p| Tick { at: axis.place(p), label: format!("{}", 10f64.powf(p)) }).collect();
        axis
    }

    fn linear(label: String, from: f64, to: f64, is_vertical: bool) -> Self {
        // Not so large or small that its parts are no numbers.
        let to = if to - from >= f64::MIN_POSITIVE * 1e9 { to.min(f64::MAX / 2.0) } else { from + 1.0 };
        let mut axis = Self { label, from, to, is_log: false, is_vertical, ticks: Vec::new() };
        let step = nice_step((to - from) / 5.0);
        let first = (from / step).ceil();
        let count = ((to / step + 1e-9).floor() - first).max(0.0) as usize;
        let digits = (-step.log10()).ceil().max(0.0) as usize;
        axis.ticks = (0..=count)
            .map(|k| (first + k as f64) * step)
            .map(|value| Tick { at: axis.at(value), label: format!("{value:.digits$}") })
            .collect();
        axis
    }

    /// Where a number is in the picture.
    pub(super) fn at(&self, value: f64) -> f64 {
        self.place(if self.is_log { value.max(f64::MIN_POSITIVE).log10() } else { value })
    }

    fn place(&self, value: f64) -> f64 {
        let share = ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0);
        let place = if self.is_vertical {
            HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
        } else {
            LEFT + share * (WIDTH - LEFT - RIGHT)
        };
        (place * 10.0).round() / 10.0
    }

    /// So many numbers, evenly over the picture.
    pub(super) fn samples(&self, count: usize) -> impl Iterator<Item = f64> {
        let (from, to, is_log) = (self.from, self.to, self.is_log);
        (0..=count).map(move |k| {
            let value = from + (to - from) * k as f64 / count as f64;
            if is_log { 10f64.powf(value) } else { value }
        })
    }
}

impl Chart {
    /// For the template: where the frame is.
    pub(super) fn frame(&self) -> [f64; 4] {
        [LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM]
    }

    /// Its extents.
    pub(super) fn size(&self) -> [f64; 2] {
        [WIDTH, HEIGHT]
    }

    /// A line through points.
    pub(super) fn line(&self, points: impl IntoIterator<Item = [f64; 2]>) -> String {
        let mut d = String::new();
        let mut last = [f64::NAN; 2];
        for point in points.into_iter().map(|[x, y]| [self.x.at(x), self.y.at(y)]) {
            if point != last {
                let letter = if d.is_empty() { 'M' } else { 'L' };
                // Writing to a string does not fail.
                let _ = write!(d, "{letter}{} {}", point[0], point[1]);
                last = point;
            }
        }
        d
    }
}

/// 1, 2 or 5 times a power of ten, at least as large.
fn nice_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|&s| s >= least * (1.0 - 1e-9)).unwrap_or(power)
}
