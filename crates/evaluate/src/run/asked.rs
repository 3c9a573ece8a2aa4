//! `run.json`: what a run folder was asked.

use crate::{DataSet, Layout, Perturbations};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::path::PathBuf;
use unmoved_ir::Rational;
use unmoved_property::Norm;

/// The version of the folder that this program reads and writes.
const VERSION: u32 = 1;

/// What was asked. A folder answers one question about each image of one list, for one network; only the radii may become more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Of the folder's layout.
    pub version: u32,
    /// The command line that asked last, as a shell reads it.
    pub command: String,
    /// Which network.
    pub model: AskedModel,
    /// Which images.
    pub data: AskedData,
    /// Which of them, from 0, without the end.
    pub indices: Range<usize>,
    /// Which part of these, if not all.
    pub shard: Option<Shard>,
    /// How perturbations are measured.
    #[serde(with = "norm_word")]
    pub norm: Norm,
    /// The smallest and largest valid value of an element; none for no limit.
    pub range: Option<(Fraction, Fraction)>,
    /// The other classes that are asked about; none for all.
    pub targets: Option<Vec<usize>>,
    /// What is asked about each image.
    pub kind: Kind,
    /// The radii, ascending; for distortions the largest one looked at.
    pub eps: Vec<Fraction>,
    /// The time limit of an image in seconds, as it was last; none for no limit.
    pub time_limit_s: Option<f64>,
    /// The threads of the last call.
    pub threads: usize,
    /// The seed of the last call.
    pub seed: u64,
    /// The engine of the last call.
    pub engine: String,
}

/// A network, how to read it, and what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AskedModel {
    /// The file, as it was given.
    pub path: PathBuf,
    /// `--arch`.
    pub arch: Option<PathBuf>,
    /// `--output`.
    pub output: Option<String>,
    /// `--mean`.
    pub mean: Vec<Fraction>,
    /// `--std`.
    pub std: Vec<Fraction>,
    /// The digest of the network as it is asked about, in hexadecimal.
    pub sha256: String,
}

/// A data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AskedData {
    /// Its kind, as it was given.
    pub name: String,
    /// The folder or file, as it was given.
    pub path: PathBuf,
    /// Where its images have their channels, as it was given.
    pub layout: Option<String>,
    /// The SHA-256 of the values and labels at `indices`, in hexadecimal.
    pub sha256: String,
}

impl AskedData {
    /// Which data set that is; `None` for a name or a layout that none has.
    pub fn set(&self) -> Option<DataSet> {
        let layout = match self.layout.as_deref() {
            None => None,
            Some("chw") => Some(Layout::Chw),
            Some("hwc") => Some(Layout::Hwc),
            Some(_) => return None,
        };
        match (self.name.as_str(), layout) {
            ("arrays", layout) => Some(DataSet::Arrays(layout)),
            ("mnist", None) => Some(DataSet::Mnist),
            ("cifar10", None) => Some(DataSet::Cifar10),
            ("pngs", None) => Some(DataSet::Pngs),
            _ => None,
        }
    }
}

/// What is asked about an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Whether each radius is safe.
    Radii,
    /// The minimum distortion.
    Distortion {
        /// How wide the interval may be, relatively.
        gap: Fraction,
    },
}

/// Every `of`-th image, from the `part`-th on, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which part.
    pub part: usize,
    /// Of how many.
    pub of: usize,
}

/// An exact fraction, written as one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fraction(pub Rational);

impl TryFrom<String> for Fraction {
    type Error = unmoved_ir::ParseRationalError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl From<Fraction> for String {
    fn from(Fraction(value): Fraction) -> Self {
        value.to_string()
    }
}

mod norm_word {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use unmoved_property::Norm;

    pub(super) fn serialize<S: Serializer>(norm: &Norm, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(norm.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Norm, D::Error> {
        let word = String::deserialize(deserializer)?;
        let known = [Norm::Linf, Norm::L1, Norm::L2].into_iter().find(|n| n.name() == word);
        known.ok_or_else(|| D::Error::custom(format_args!("unknown norm \"{word}\"")))
    }
}

impl Asked {
    /// The version that is written.
    pub const VERSION: u32 = VERSION;

    /// The images of the list, ascending.
    pub fn indices(&self) -> impl Iterator<Item = usize> + use<> {
        let (first, step) = self.shard.map_or((0, 1), |shard| (shard.part - 1, shard.of));
        self.indices.clone().skip(first).step_by(step)
    }

    /// Whether an image is in the list.
    pub fn has(&self, index: usize) -> bool {
        let in_shard = |shard: Shard| (index - self.indices.start) % shard.of == shard.part - 1;
        self.indices.contains(&index) && self.shard.is_none_or(in_shard)
    }

    /// How many images the list has.
    pub fn images(&self) -> usize {
        let (first, step) = self.shard.map_or((0, 1), |shard| (shard.part - 1, shard.of));
        self.indices.len().saturating_sub(first).div_ceil(step)
    }

    /// How many questions there are about each image.
    pub fn per_image(&self) -> usize {
        self.eps.len()
    }

    /// Which of the questions about an image a record answers that names this radius; `None` if none of them.
    pub fn position(&self, eps: Option<f64>) -> Option<usize> {
        self.eps.iter().position(|Fraction(e)| Some(e.to_f64()) == eps)
    }

    /// The radius that records of a question name.
    pub fn radius(&self, position: usize) -> Option<f64> {
        self.eps.get(position).map(|Fraction(e)| e.to_f64())
    }

    /// The perturbations of a question; `None` if there is no such question.
    pub fn perturbations(&self, position: usize) -> Option<Perturbations> {
        let Fraction(eps) = self.eps.get(position)?.clone();
        let range = self.range.clone().map(|(Fraction(low), Fraction(high))| (low, high));
        Some(Perturbations { norm: self.norm, eps, range })
    }

    /// What is said that no folder can be asked; `None` if all is well.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.version != VERSION {
            return Some(format!("its version is {}; this program reads {VERSION}", self.version));
        }
        if self.indices.start > self.indices.end || self.shard.is_some_and(|s| s.part == 0 || s.part > s.of) {
            return Some("its list of images is none".into());
        }
        let of_radii = self.kind == Kind::Radii;
        if self.eps.is_empty() || !of_radii && self.eps.len() > 1 {
            return Some("its list of radii is none".into());
        }
        let words =
            [Some(&self.model.sha256), Some(&self.data.name), Some(&self.data.sha256), self.data.layout.as_ref()];
        let paths = [&self.model.path, &self.data.path].map(|path| path.to_string_lossy());
        // They are shown, and a terminal obeys what is no letter.
        let is_plain = |text: &str| !text.contains(char::is_control);
        if !words.into_iter().flatten().all(|word| is_plain(word)) || !paths.iter().all(|path| is_plain(path)) {
            return Some("its model or its data set has no name that can be shown".into());
        }
        // Records name a radius as a float.
        let fits = |Fraction(eps): &Fraction| *eps >= Rational::ZERO && eps.to_f64().is_finite();
        if let Some(Fraction(eps)) = self.eps.iter().find(|eps| !fits(eps)) {
            return Some(format!(
                "the radius {:e} is none; it must be at least 0 and fit into a float64",
                eps.to_f64()
            ));
        }
        let apart = |pair: &[Fraction]| pair[0].0.to_f64() < pair[1].0.to_f64();
        let close = self.eps.windows(2).find(|pair| !apart(pair))?;
        Some(format!("the radii {} and {} are too close to be told apart", close[0].0, close[1].0))
    }

    /// What differs from `other` that one folder cannot hold both of, each as what this one has and the other asks for.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, ours: String, theirs: String| {
            if ours != theirs {
                found.push(format!("{what}: the folder has {ours}, not {theirs}"));
            }
        };
        let shown = |asked: &Self| {
            let fractions = |v: &Option<(Fraction, Fraction)>| {
                v.as_ref().map_or("no limit".into(), |(low, high)| format!("{}..{}", low.0, high.0))
            };
            let kind = match &asked.kind {
                Kind::Radii => "radii".into(),
                Kind::Distortion { gap } => {
                    let largest: String = asked.eps.iter().map(|e| format!(" up to {}", e.0)).collect();
                    format!("distortions with gap {}{largest}", gap.0)
                }
            };
            let shard = asked.shard.map_or("all of them".into(), |s| format!("{}/{}", s.part, s.of));
            let targets = asked.targets.as_ref().map_or("all other classes".into(), |t| format!("{t:?}"));
            [
                ("network", format!("{} (SHA-256 {})", asked.model.path.display(), asked.model.sha256)),
                ("images", format!("{} (SHA-256 {})", asked.data.path.display(), asked.data.sha256)),
                ("indices", format!("{}..{}", asked.indices.start, asked.indices.end)),
                ("shard", shard),
                ("norm", asked.norm.name().into()),
                ("range", fractions(&asked.range)),
                ("targets", targets),
                ("kind", kind),
            ]
        };
        for ((what, ours), (_, theirs)) in shown(self).into_iter().zip(shown(other)) {
            // Files may have been moved; what they hold decides.
            let same_content = match what {
                "network" => self.model.sha256 == other.model.sha256,
                // Of other indices there are other images, which is said there.
                "images" => self.data.sha256 == other.data.sha256 || self.indices != other.indices,
                _ => false,
            };
            if !same_content {
                compare(what, ours, theirs);
            }
        }
        found
    }

    /// What a folder that was asked `earlier` is asked from now on: this, and the radii of both.
    #[must_use]
    pub fn after(mut self, earlier: &Self) -> Self {
        self.eps.extend(earlier.eps.iter().cloned());
        self.eps.sort();
        self.eps.dedup();
        self
    }
}
