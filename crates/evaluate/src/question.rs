//! The question about one input: does any allowed perturbation change the class?

use crate::Example;
use crate::picture::{ImageShape, PictureError, Triptych};
use std::fmt;
use std::sync::Arc;
use unmoved_ir::{IrError, Network, Rational, Shape};
use unmoved_property::{Conjunction, Constraint, Counterexample, InputRegion, Norm, PropertyError, Query, RegionKind};

/// Which perturbations are allowed, of any input.
#[derive(Debug, Clone, PartialEq)]
pub struct Perturbations {
    /// How they are measured.
    pub norm: Norm,
    /// The largest one, in the units of the pixels.
    pub eps: Rational,
    /// The smallest and largest valid value of an element; `None` for no limit.
    pub range: Option<(Rational, Rational)>,
}

/// `linf ball of 1/10 within [0, 1]`
impl fmt::Display for Perturbations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ball of {}", self.norm.name(), self.eps)?;
        self.range.as_ref().map_or(Ok(()), |(l, u)| write!(f, " within [{l}, {u}]"))
    }
}

/// A query about one input, and what it is about.
#[derive(Debug, Clone)]
pub struct Question {
    /// Unsafe is any of the targets whose logit reaches the label's; one disjunct each, in the order of `targets`.
    pub query: Query,
    /// The right class.
    pub label: usize,
    /// The class with the largest logit, in float32.
    pub predicted: usize,
    /// The other classes that are asked about, ascending.
    pub targets: Vec<usize>,
    /// The perturbations.
    pub perturbations: Perturbations,
    /// The shape of the input as it was given: of an image, whatever the network reads it as.
    pub shape: Vec<usize>,
}

/// A question that cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// The input does not fit the network.
    #[error("the image is {found:?}, but the network reads {expected}")]
    Shape {
        /// The shape of the image.
        found: Vec<usize>,
        /// The shape of the network's input.
        expected: Shape,
    },
    /// A target that is no class.
    #[error("target {target}: expected a class below {classes}")]
    Target {
        /// The class asked for.
        target: usize,
        /// How many classes there are.
        classes: usize,
    },
    /// What the query refuses.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// What the network refuses.
    #[error(transparent)]
    Network(#[from] IrError),
}

impl Question {
    /// The question about one input. Its class is `label`, or else the data set's, or else the one that the network predicts. Of the
    /// other classes all are asked about, or those in `targets`; where that is the right class alone, none is and nothing is unsafe.
    pub fn new(
        network: &Arc<Network>,
        example: &Example,
        label: Option<usize>,
        perturbations: Perturbations,
        targets: Option<&[usize]>,
    ) -> Result<Self, QuestionError> {
        fits(network, example)?;
        let predicted = argmax(&network.forward(&example.values)?);
        let label = label.or(example.label).unwrap_or(predicted);
        let classes = network.output_len();
        let centre = example.values.iter().map(|&v| f64::from(v)).collect();
        let Perturbations { norm, eps, range } = perturbations.clone();
        let region = InputRegion::ball(centre, norm, eps, range)?;
        // The label is tested here.
        let mut query = Query::robustness(network.clone(), region, label)?;
        let mut all: Vec<usize> = (0..classes).filter(|&t| t != label).collect();
        if let Some(targets) = targets {
            if let Some(&target) = targets.iter().find(|&&t| t >= classes) {
                return Err(QuestionError::Target { target, classes });
            }
            all.retain(|t| targets.contains(t));
            let unsafe_set = all.iter().map(|&t| Conjunction(vec![Constraint::at_most(label, t)])).collect();
            query = Query::new(network.clone(), query.region().clone(), unsafe_set)?;
        }
        Ok(Self { query, label, predicted, targets: all, perturbations, shape: example.shape.clone() })
    }

    /// Whether the input has a picture.
    pub fn is_image(&self) -> bool {
        ImageShape::of(&self.shape).is_some()
    }

    /// The picture of another input beside this one, as a PNG; below it stand the classes and the distance. `None` if there are no
    /// pictures of such inputs.
    pub fn picture(&self, perturbed: &[f32], taken_for: Option<usize>) -> Option<Result<Vec<u8>, PictureError>> {
        let shape = ImageShape::of(&self.shape)?;
        let RegionKind::Ball { centre, .. } = self.query.region().kind() else { return None };
        let original: Vec<f32> = centre.iter().map(|&v| v as f32).collect();
        let differences = perturbed.iter().zip(centre).map(|(x, c)| (f64::from(*x) - c).abs());
        let norm = self.perturbations.norm;
        let distance = match norm {
            Norm::Linf => differences.fold(0.0, f64::max),
            Norm::L1 => differences.sum(),
            Norm::L2 => differences.map(|d| d * d).sum::<f64>().sqrt(),
        };
        let taken_for = taken_for.map(|class| class.to_string()).unwrap_or_default();
        let captions = [self.label.to_string(), taken_for, format!("{} {distance:.4}", norm.name())];
        Some(Triptych { shape, original: &original, perturbed, captions }.png())
    }

    /// The class that a counterexample is taken for: the one that a user would see, with the largest logit in float32, if it is
    /// one of the targets; else the one whose logit reaches the label's.
    pub fn taken_for(&self, counterexample: &Counterexample) -> usize {
        let largest = argmax(&counterexample.output);
        if self.targets.contains(&largest) { largest } else { self.targets[counterexample.disjunct] }
    }
}

/// An image fits if its extents are the network's but for ones, or if the network reads a flat list of as many values.
fn fits(network: &Network, example: &Example) -> Result<(), QuestionError> {
    let shape = &network.input().shape;
    let without_ones = |dims: &[usize]| dims.iter().copied().filter(|&d| d != 1).collect::<Vec<_>>();
    let flat = shape.rank() == 1 || example.shape.len() == 1;
    let same = without_ones(shape.dims()) == without_ones(&example.shape);
    if example.values.len() == shape.len() && (same || flat) {
        return Ok(());
    }
    Err(QuestionError::Shape { found: example.shape.clone(), expected: shape.clone() })
}

/// The class with the largest logit, the first of several.
fn argmax(logits: &[f32]) -> usize {
    (0..logits.len()).fold(0, |best, k| if logits[k] > logits[best] { k } else { best })
}
