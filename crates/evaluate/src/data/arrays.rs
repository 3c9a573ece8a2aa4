//! NumPy arrays of images and labels: a `.npz` archive, or `.npy` files in a folder.

use super::npz::{self, Member};
use super::source::Source;
use super::{DataSetError, Examples, Layout, Set};
use crate::npy::{Element, Header};
use crate::{Example, MAX_ELEMENTS};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The names of images and labels. There must be exactly one of these pairs.
const PAIRS: [[&str; 2]; 3] = [["images", "labels"], ["x", "y"], ["x_test", "y_test"]];

/// Images and labels, opened anew for each reading.
pub(super) struct Arrays {
    images: Place,
    labels: Place,
    files: Vec<PathBuf>,
    count: usize,
    element: Element,
    class: Element,
    image: Extents,
}

/// Where an array is.
enum Place {
    File(PathBuf),
    Member(Member),
}

/// How the elements of an image lie.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Extents {
    /// As the network reads them.
    Plain(Vec<usize>),
    /// `[height, width, channels]`
    ChannelsLast([usize; 3]),
}

impl Arrays {
    pub(super) fn open(path: &Path, layout: Option<Layout>) -> Result<Self, DataSetError> {
        let (images, labels, files) = if path.is_dir() { in_folder(path)? } else { in_archive(path)? };
        let (pictures, header) = images.open()?;
        let Header { element, shape, .. } = header;
        if !element.is_value() {
            return Err(pictures.problem("images are of another type than float32, float64 and uint8"));
        }
        let (count, image) = Extents::of(&shape, layout).map_err(|problem| pictures.problem(problem))?;
        let (classes, Header { element: class, shape, .. }) = labels.open()?;
        if !class.is_integer() {
            return Err(classes.problem("labels are no integers"));
        }
        // Keras keeps those of CIFAR-10 in a column.
        if !matches!(shape[..], [n] | [n, 1] if n == count) {
            return Err(classes.problem(format!("labels of the shape {shape:?} for {count} images")));
        }
        Ok(Self { images, labels, files, count, element, class, image })
    }
}

impl Set for Arrays {
    fn len(&self) -> usize {
        self.count
    }

    fn files(&self) -> Result<Vec<PathBuf>, DataSetError> {
        Ok(self.files.clone())
    }

    fn read(&self, range: Range<usize>) -> Result<Examples, DataSetError> {
        let ((mut images, _), (mut labels, _)) = (self.images.open()?, self.labels.open()?);
        let (element, class, image) = (self.element, self.class, self.image.clone());
        let size = image.len();
        images.skip(range.start, size * element.size())?;
        labels.skip(range.start, class.size())?;
        Ok(Box::new(range.map(move |index| {
            let values = images.values(element, size)?;
            if let Some(at) = values.iter().position(|v| !v.is_finite()) {
                return Err(images.problem(format!("image {index}: element {at} is {}", values[at])));
            }
            let label = Some(labels.class(class)?);
            let (values, shape) = image.arrange(values);
            Ok(Example { values, shape, label })
        })))
    }
}

impl Extents {
    /// The number of images and the extents of one, of the shape of all.
    fn of(shape: &[usize], layout: Option<Layout>) -> Result<(usize, Self), String> {
        let channels = |c: usize| c == 1 || c == 3;
        let (count, image) = match (shape, layout) {
            (&[n, d], None) => (n, Self::Plain(vec![d])),
            (&[n, h, w], None) => (n, Self::Plain(vec![1, h, w])),
            (&[n, c, h, w], Some(Layout::Chw)) => (n, Self::Plain(vec![c, h, w])),
            (&[n, h, w, c], Some(Layout::Hwc)) => (n, Self::ChannelsLast([h, w, c])),
            (&[n, c, h, w], None) if channels(c) && !channels(w) => (n, Self::Plain(vec![c, h, w])),
            (&[_, _, _, _], None) => {
                return Err(format!("images of the shape {shape:?} may have their channels first or last; say which"));
            }
            (_, Some(_)) => return Err(format!("images of the shape {shape:?}; the layout is about four dimensions")),
            _ => return Err(format!("images of the shape {shape:?}; expected 2, 3 or 4 dimensions")),
        };
        if image.len() == 0 || image.len() > MAX_ELEMENTS {
            return Err(format!("images of {} elements", image.len()));
        }
        Ok((count, image))
    }

    /// The number of elements; the header's product of all extents fits, but may be 0 where this one would not.
    fn len(&self) -> usize {
        let extents: &[usize] = match self {
            Self::Plain(shape) => shape,
            Self::ChannelsLast(shape) => shape,
        };
        extents.iter().fold(1, |product: usize, &d| product.saturating_mul(d))
    }

    /// The values with the channels first, and their shape.
    fn arrange(&self, values: Vec<f32>) -> (Vec<f32>, Vec<usize>) {
        match *self {
            Self::Plain(ref shape) => (values, shape.clone()),
            Self::ChannelsLast([h, w, c]) => {
                let channel = |k: usize| values.iter().skip(k).step_by(c).copied();
                ((0..c).flat_map(channel).collect(), vec![c, h, w])
            }
        }
    }
}

impl Place {
    fn open(&self) -> Result<(Source, Header), DataSetError> {
        let mut source = match self {
            Self::File(path) => Source::open(path)?,
            Self::Member(member) => member.open()?,
        };
        let header = Header::read(source.reader()).map_err(|e| source.io(e))?;
        if header.fortran {
            return Err(source.problem("the array is in Fortran order; save numpy.ascontiguousarray of it"));
        }
        Ok((source, header))
    }
}

fn in_folder(folder: &Path) -> Result<(Place, Place, Vec<PathBuf>), DataSetError> {
    let path = |name: &str| folder.join(format!("{name}.npy"));
    let [images, labels] = only(folder, |name| path(name).is_file())?.map(path);
    Ok((Place::File(images.clone()), Place::File(labels.clone()), vec![images, labels]))
}

fn in_archive(path: &Path) -> Result<(Place, Place, Vec<PathBuf>), DataSetError> {
    if !path.is_file() {
        return Err(DataSetError::Missing { folder: path.into(), name: "images.npy or .npz".into() });
    }
    let mut members = npz::members(path, PAIRS.as_flattened())?;
    let names = only(path, |name| members.iter().any(|m| m.name == name))?;
    let mut take = |name: &str| members.iter().position(|m| m.name == name).map(|at| members.swap_remove(at));
    match names.map(&mut take) {
        [Some(images), Some(labels)] => Ok((Place::Member(images), Place::Member(labels), vec![path.into()])),
        _ => Err(missing(path)),
    }
}

/// The one pair of names that are both there.
fn only(path: &Path, there: impl Fn(&str) -> bool) -> Result<[&'static str; 2], DataSetError> {
    let mut pairs = PAIRS.into_iter().filter(|pair| pair.iter().all(|name| there(name)));
    let pair = pairs.next().ok_or_else(|| missing(path))?;
    match pairs.next() {
        None => Ok(pair),
        Some(other) => {
            let problem = format!("it holds {} and {}; which are the images?", pair[0], other[0]);
            Err(DataSetError::Format { path: path.into(), problem })
        }
    }
}

fn missing(path: &Path) -> DataSetError {
    let problem = "it holds no images and labels, x and y, or x_test and y_test".into();
    DataSetError::Format { path: path.into(), problem }
}
