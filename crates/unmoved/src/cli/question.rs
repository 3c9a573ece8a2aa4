//! The arguments that say which network, which input and which perturbations; shared by several commands.

use super::{CliError, Output};
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use unmoved::evaluate::{DataSet, Example, read_image};
use unmoved::ir::{Network, Rational};
use unmoved::property::{InputRegion, Norm, Query};

/// Which network.
#[derive(clap::Args)]
pub(crate) struct ModelArgs {
    /// The model: .onnx, .onnx.gz, .safetensors or .unm
    pub(crate) model: PathBuf,
    /// Architecture of a safetensors file that does not carry one
    #[arg(long, value_name = "FILE")]
    arch: Option<PathBuf>,
    /// The network expects (pixel - MEAN) / STD; one number, or one per channel
    #[arg(long, value_delimiter = ',', requires = "std", allow_hyphen_values = true)]
    mean: Vec<Rational>,
    /// See --mean
    #[arg(long, value_delimiter = ',', requires = "mean")]
    std: Vec<Rational>,
}

impl ModelArgs {
    /// Reads the network and puts the normalisation in front of it.
    pub(crate) fn read(&self, output: Output) -> Result<Network, CliError> {
        let model = unmoved::read_model(&self.model, self.arch.as_deref())?;
        model.notices.iter().for_each(|notice| output.note(format_args!("note: {notice}")));
        let mut network = model.network;
        if !self.mean.is_empty() {
            network = network.with_normalized_input(&self.mean, &self.std)?;
            let list = |v: &[Rational]| v.iter().map(|v| v.to_f64().to_string()).collect::<Vec<_>>().join(", ");
            output.note(format_args!("note: the network reads (pixel - {}) / {}", list(&self.mean), list(&self.std)));
        }
        Ok(network)
    }
}

/// Which input.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct InputArgs {
    /// An image: .png, or .npy with the values that the network reads
    #[arg(long, value_name = "FILE", required_unless_present = "dataset", conflicts_with = "dataset")]
    image: Option<PathBuf>,
    /// A test image of a data set
    #[arg(long, requires = "data", requires = "index")]
    dataset: Option<DataSetName>,
    /// The folder with the data set's files
    #[arg(long, value_name = "DIR", requires = "dataset")]
    data: Option<PathBuf>,
    /// Which test image, from 0
    #[arg(long, value_name = "N", requires = "dataset")]
    index: Option<usize>,
    /// The right class [default: the data set's, else the one that the network predicts]
    #[arg(long, value_name = "N")]
    label: Option<usize>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DataSetName {
    Mnist,
    Cifar10,
}

/// Which perturbations.
#[derive(clap::Args)]
pub(crate) struct RegionArgs {
    /// How far an input may be perturbed, in the units of the pixels: 0.05, 8/255
    #[arg(long, allow_hyphen_values = true)]
    eps: Rational,
    /// How perturbations are measured
    #[arg(long, default_value = "linf")]
    norm: NormName,
    /// The valid values of an input element; "none" for no limit
    #[arg(long, default_value = "0..1", value_name = "LOW..HIGH", allow_hyphen_values = true)]
    range: Range,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum NormName {
    Linf,
    L1,
    L2,
}

#[derive(Debug, Clone)]
struct Range(Option<(Rational, Rational)>);

impl std::str::FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        let (low, high) = text.split_once("..").ok_or("expected LOW..HIGH or \"none\"")?;
        let number = |t: &str| t.parse::<Rational>().map_err(|e| e.to_string());
        let (low, high) = (number(low)?, number(high)?);
        if low > high { Err("the range is empty".into()) } else { Ok(Self(Some((low, high)))) }
    }
}

/// A query about one input, and what it is about.
pub(crate) struct Question {
    pub(crate) query: Query,
    pub(crate) label: usize,
    pub(crate) predicted: usize,
    pub(crate) norm: Norm,
    pub(crate) eps: Rational,
    /// The shape in which inputs are written.
    pub(crate) shape: Vec<usize>,
}

impl Question {
    pub(crate) fn new(
        model: &ModelArgs,
        input: &InputArgs,
        region: &RegionArgs,
        output: Output,
    ) -> Result<Self, CliError> {
        let network = Arc::new(model.read(output)?);
        let example = input.read()?;
        fits(&network, &example, model)?;
        let logits = network.forward(&example.values)?;
        let predicted = argmax(&logits);
        let label = input.label.or(example.label).unwrap_or(predicted);
        let norm = match region.norm {
            NormName::Linf => Norm::Linf,
            NormName::L1 => Norm::L1,
            NormName::L2 => Norm::L2,
        };
        let centre = example.values.iter().map(|&v| f64::from(v)).collect();
        let ball = InputRegion::ball(centre, norm, region.eps.clone(), region.range.0.clone())?;
        let query = Query::robustness(network.clone(), ball, label)?;
        let origin = match (input.label, example.label) {
            (Some(_), _) => "as given",
            (None, Some(_)) => "the data set's",
            (None, None) => "as predicted",
        };
        let within = region.range.0.as_ref().map_or(String::new(), |(l, u)| format!(" within [{l}, {u}]"));
        output.note(format_args!(
            "{}: input {}, {} outputs; label {label} ({origin}), predicted {predicted}; {} ball of {}{within}",
            model.model.display(),
            network.input().shape,
            network.output_len(),
            norm.name(),
            region.eps
        ));
        Ok(Self {
            query,
            label,
            predicted,
            norm,
            eps: region.eps.clone(),
            shape: network.input().shape.dims().to_vec(),
        })
    }
}

impl InputArgs {
    fn read(&self) -> Result<Example, CliError> {
        match (&self.image, self.dataset, &self.data, self.index) {
            (Some(path), ..) => {
                read_image(path).map_err(|e| CliError::from(e).note(format_args!("in {}", path.display())))
            }
            (None, Some(name), Some(folder), Some(index)) => read_test_image(name, folder, index),
            _ => Err(CliError::new("U0001", "no input: give --image, or --dataset with --data and --index")),
        }
    }
}

fn read_test_image(name: DataSetName, folder: &Path, index: usize) -> Result<Example, CliError> {
    let set = match name {
        DataSetName::Mnist => DataSet::Mnist,
        DataSetName::Cifar10 => DataSet::Cifar10,
    };
    let end = index.checked_add(1).ok_or_else(|| CliError::new("U0001", "the index is too large"))?;
    let mut examples = set.read_test(folder, index..end)?;
    examples.pop().ok_or_else(|| CliError::new("U0401", "the data set is empty"))
}

/// An image fits if its extents are the network's but for ones, or if the network reads a flat list of as many values.
fn fits(network: &Network, example: &Example, model: &ModelArgs) -> Result<(), CliError> {
    let shape = &network.input().shape;
    let without_ones = |dims: &[usize]| dims.iter().copied().filter(|&d| d != 1).collect::<Vec<_>>();
    let flat = shape.rank() == 1 || example.shape.len() == 1;
    let same = without_ones(shape.dims()) == without_ones(&example.shape);
    if example.values.len() == shape.len() && (same || flat) {
        return Ok(());
    }
    Err(CliError::new("U0402", format!("the image is {:?}, but the network reads {shape}", example.shape))
        .note(format_args!("shapes are channels, height, width; the network is {}", model.model.display())))
}

/// The class with the largest logit, the first of several.
pub(crate) fn argmax(logits: &[f32]) -> usize {
    (0..logits.len()).fold(0, |best, k| if logits[k] > logits[best] { k } else { best })
}
