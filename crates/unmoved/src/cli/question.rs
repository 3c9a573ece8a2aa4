//! The arguments that say which network, which input and which perturbations; shared by several commands.

use super::{CliError, Output};
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use unmoved::evaluate::run::{AskedModel, Fraction};
use unmoved::evaluate::{DataSet, Example, Layout, Perturbations, Question, QuestionError, read_image};
use unmoved::ir::{Network, Rational};
use unmoved::property::Norm;
use unmoved::{Choices, Model};

/// What a model file leaves open.
#[derive(clap::Args)]
pub(crate) struct ChoiceArgs {
    /// Architecture of a safetensors file that does not carry one
    #[arg(long, value_name = "FILE")]
    pub(crate) arch: Option<PathBuf>,
    /// Which output of an ONNX model, or any other value of its graph [default: its only output]
    #[arg(long, value_name = "NAME")]
    pub(crate) output: Option<String>,
}

impl ChoiceArgs {
    pub(crate) fn get(&self) -> Choices {
        Choices { arch: self.arch.clone(), output: self.output.clone() }
    }
}

/// Which network.
#[derive(clap::Args)]
pub(crate) struct ModelArgs {
    /// The model: .onnx, .onnx.gz, .safetensors, .nnet or .unm
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
}

/// How a model file is to be read.
#[derive(clap::Args)]
pub(crate) struct ReadingArgs {
    #[command(flatten)]
    pub(crate) choices: ChoiceArgs,
    /// The network expects (pixel - MEAN) / STD; one number, or one per channel
    #[arg(long, value_delimiter = ',', requires = "std", allow_hyphen_values = true)]
    pub(crate) mean: Vec<Rational>,
    /// See --mean
    #[arg(long, value_delimiter = ',', requires = "mean")]
    pub(crate) std: Vec<Rational>,
}

impl ModelArgs {
    /// Reads the network and puts the normalisation in front of it.
    pub(crate) fn read(&self, output: Output) -> Result<Network, CliError> {
        self.reading.read(&self.model, output)
    }

    /// As [`Self::read`], with what became of the nodes of the file.
    pub(crate) fn read_model(&self, output: Output) -> Result<Model, CliError> {
        self.reading.read_model(&self.model, output)
    }
}

impl ReadingArgs {
    /// As the network of a run was read.
    pub(crate) fn of_run(model: &AskedModel) -> Self {
        let AskedModel { arch, output, mean, std, .. } = model.clone();
        let [mean, std] = [mean, std].map(|values| values.into_iter().map(|Fraction(v)| v).collect());
        Self { choices: ChoiceArgs { arch, output }, mean, std }
    }

    pub(crate) fn read(&self, path: &Path, output: Output) -> Result<Network, CliError> {
        Ok(self.read_model(path, output)?.network)
    }

    fn read_model(&self, path: &Path, output: Output) -> Result<Model, CliError> {
        let mut model = unmoved::read_model(path, &self.choices.get())?;
        model.notices.iter().for_each(|notice| output.note(format_args!("note: {notice}")));
        if !self.mean.is_empty() {
            model.network = model.network.with_normalized_input(&self.mean, &self.std)?;
            let list = |v: &[Rational]| v.iter().map(|v| v.to_f64().to_string()).collect::<Vec<_>>().join(", ");
            output.note(format_args!("note: the network reads (pixel - {}) / {}", list(&self.mean), list(&self.std)));
        }
        Ok(model)
    }
}

/// Which input.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct InputArgs {
    /// An image: .png, or .npy with the values that the network reads
    #[arg(long, value_name = "FILE", required_unless_present = "dataset",
          conflicts_with_all = ["dataset", "data", "index", "layout"])]
    image: Option<PathBuf>,
    /// An image of a data set
    #[arg(long, requires = "data", requires = "index")]
    dataset: Option<DataSetName>,
    /// The folder with the data set's files, or an .npz archive
    #[arg(long, value_name = "PATH", requires = "dataset")]
    data: Option<PathBuf>,
    /// Where an array of images has its channels [default: refused where it is not clear]
    #[arg(long, value_name = "ORDER", requires = "dataset")]
    layout: Option<LayoutName>,
    /// Which image, from 0; A..B for all from A up to B, without B
    #[arg(long, value_name = "N", requires = "dataset")]
    index: Option<Indices>,
    /// The right class [default: the data set's, else the one that the network predicts]
    #[arg(long, value_name = "N")]
    label: Option<usize>,
}

/// One index or a range of them.
#[derive(Debug, Clone)]
pub(crate) struct Indices(pub(crate) std::ops::Range<usize>);

impl std::str::FromStr for Indices {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |t: &str| t.parse::<usize>().map_err(|e| e.to_string());
        match text.split_once("..") {
            Some((from, to)) => {
                let range = number(from)?..number(to)?;
                if range.is_empty() { Err("the range is empty".into()) } else { Ok(Self(range)) }
            }
            None => {
                let from = number(text)?;
                Ok(Self(from..from.checked_add(1).ok_or("the index is too large")?))
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DataSetName {
    /// MNIST's IDX files, packed by gzip or not
    Mnist,
    /// CIFAR-10's binary form
    Cifar10,
    /// PNGs, listed in labels.csv
    Pngs,
    /// NumPy arrays: an .npz archive, or .npy files in a folder
    Arrays,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LayoutName {
    /// Channels, height, width
    Chw,
    /// Height, width, channels
    Hwc,
}

impl DataSetName {
    /// The data set that is meant; only arrays may have a layout.
    pub(crate) fn with_layout(self, layout: Option<LayoutName>) -> Result<DataSet, CliError> {
        let layout = layout.map(|layout| match layout {
            LayoutName::Chw => Layout::Chw,
            LayoutName::Hwc => Layout::Hwc,
        });
        match self {
            Self::Arrays => Ok(DataSet::Arrays(layout)),
            _ if layout.is_some() => Err(CliError::new("U0001", "--layout: only arrays have one")),
            Self::Mnist => Ok(DataSet::Mnist),
            Self::Cifar10 => Ok(DataSet::Cifar10),
            Self::Pngs => Ok(DataSet::Pngs),
        }
    }
}

/// Which perturbations.
#[derive(clap::Args)]
pub(crate) struct RegionArgs {
    /// How far an input may be perturbed, in the units of the pixels: 0.05, 8/255
    #[arg(long, allow_hyphen_values = true)]
    eps: Rational,
    #[command(flatten)]
    norm: NormArgs,
}

/// How perturbations are measured, and what is valid at all.
#[derive(clap::Args)]
pub(crate) struct NormArgs {
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

/// The one question that the arguments ask.
pub(crate) fn only(
    model: &ModelArgs,
    input: &InputArgs,
    region: &RegionArgs,
    targets: &TargetArgs,
    output: Output,
) -> Result<Question, CliError> {
    only_within(model, input, |_| Ok(region.perturbations()), targets, output)
}

/// The same, with perturbations that depend on how many elements an input has.
pub(crate) fn only_within(
    model: &ModelArgs,
    input: &InputArgs,
    perturbations: impl FnOnce(usize) -> Result<Perturbations, CliError>,
    targets: &TargetArgs,
    output: Output,
) -> Result<Question, CliError> {
    let network = Arc::new(model.read(output)?);
    let perturbations = perturbations(network.input().shape.len())?;
    let mut examples = input.read()?;
    let (Some((_, example)), true) = (examples.pop(), examples.is_empty()) else {
        return Err(CliError::new("U0001", "--index: this command takes one image at a time"));
    };
    let question = about(&network, &example, model, input, perturbations, targets)?;
    if question.targets.is_empty() {
        let label = question.label;
        return Err(CliError::new("U0001", format!("--targets: {label} is the right class: there is nothing to ask")));
    }
    let origin = match (input.label, example.label) {
        (Some(_), _) => "as given",
        (None, Some(_)) => "the data set's",
        (None, None) => "as predicted",
    };
    output.note(format_args!(
        "{}: input {}, {} outputs; label {} ({origin}), predicted {}; {}",
        model.model.display(),
        network.input().shape,
        network.output_len(),
        question.label,
        question.predicted,
        question.perturbations,
    ));
    Ok(question)
}

/// The question about one of the inputs.
pub(crate) fn about(
    network: &Arc<Network>,
    example: &Example,
    model: &ModelArgs,
    input: &InputArgs,
    perturbations: Perturbations,
    targets: &TargetArgs,
) -> Result<Question, CliError> {
    let targets = (!targets.targets.is_empty()).then_some(&targets.targets[..]);
    Question::new(network, example, input.label, perturbations, targets).map_err(|error| match error {
        QuestionError::Shape { .. } => {
            CliError::from(error).note(format_args!("the network is {}", model.model.display()))
        }
        error => error.into(),
    })
}

/// Which other classes.
#[derive(clap::Args, Default)]
pub(crate) struct TargetArgs {
    /// Ask only about these other classes [default: all]
    #[arg(long, alias = "target", value_name = "N", value_delimiter = ',')]
    pub(crate) targets: Vec<usize>,
}

impl RegionArgs {
    pub(crate) fn perturbations(&self) -> Perturbations {
        let (norm, range) = self.norm.get();
        Perturbations { norm, eps: self.eps.clone(), range }
    }
}

impl NormArgs {
    pub(crate) fn get(&self) -> (Norm, Option<(Rational, Rational)>) {
        let norm = match self.norm {
            NormName::Linf => Norm::Linf,
            NormName::L1 => Norm::L1,
            NormName::L2 => Norm::L2,
        };
        (norm, self.range.0.clone())
    }
}

impl InputArgs {
    /// The inputs, with their indices in the data set.
    pub(crate) fn read(&self) -> Result<Vec<(Option<usize>, Example)>, CliError> {
        match (&self.image, self.dataset, &self.data, &self.index) {
            (Some(path), ..) => {
                let read = read_image(path).map_err(|e| CliError::from(e).note(format_args!("in {}", path.display())));
                Ok(vec![(None, read?)])
            }
            (None, Some(name), Some(folder), Some(Indices(range))) => {
                let examples = name.with_layout(self.layout)?.read_test(folder, range.clone())?;
                Ok(range.clone().map(Some).zip(examples).collect())
            }
            _ => Err(CliError::new("U0001", "no input: give --image, or --dataset with --data and --index")),
        }
    }

    /// Whether more than one input is asked for.
    pub(crate) fn is_many(&self) -> bool {
        self.index.as_ref().is_some_and(|i| i.0.len() > 1)
    }
}
