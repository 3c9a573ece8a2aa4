//! What Conv, ConvTranspose, MaxPool and AveragePool share: <https://onnx.ai/onnx/operators/onnx__Conv.html>.

use crate::Problem;
use crate::call::Call;
use crate::value::{Computed, Value};
use unmoved_ir::NodeId;

/// What a window slides over: an image, or a sequence as an image of one row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Image {
    /// A node of shape `[channels, height, width]`.
    pub(super) id: NodeId,
    pub(super) channels: usize,
    /// Height and width.
    pub(super) extents: [usize; 2],
    /// How many of these the file knows of: 2, or 1 for a sequence.
    pub(super) rank: usize,
}

impl Image {
    /// The input `[1, channels, height, width]` or `[1, channels, length]`.
    pub(super) fn of(call: &mut Call, x: &Computed) -> Result<Self, Problem> {
        match *x.dims.as_slice() {
            [1, channels, length] => {
                let id = call.shaped(x, &[channels, 1, length])?;
                Ok(Self { id, channels, extents: [1, length], rank: 1 })
            }
            [_, channels, height, width] => {
                let id = call.image(x)?;
                Ok(Self { id, channels, extents: [height, width], rank: 2 })
            }
            [batch, _, _] => Err(Problem::Shape(format!("a batch of {batch}; only a batch of one is supported"))),
            [_, _, _, _, _, ..] => Err(Problem::Shape(format!(
                "reads shape {:?}; windows over {} dimensions are not supported, only over one or two",
                x.dims,
                x.dims.len() - 2
            ))),
            _ => Err(Problem::Shape(format!(
                "reads shape {:?}; only [1, channels, height, width] and [1, channels, length] are supported",
                x.dims
            ))),
        }
    }

    /// A result of as many dimensions.
    pub(super) fn value(&self, call: &Call, id: NodeId) -> Value {
        let mut dims = [&[1], call.builder.shape(id).dims()].concat();
        if self.rank == 1 {
            dims.remove(2);
        }
        Computed::new(id, dims).into()
    }

    /// Numbers of an attribute, one per dimension of the file, with `other` for one that it does not know of.
    pub(super) fn pair(
        &self,
        name: &'static str,
        values: &[i64],
        least: usize,
        other: usize,
    ) -> Result<[usize; 2], Problem> {
        match self.rank {
            1 => extents::<1>(name, values, least).map(|[v]| [other, v]),
            _ => extents(name, values, least),
        }
    }

    /// Padding: top, left, bottom, right.
    pub(super) fn padding(&self, values: &[i64]) -> Result<[usize; 4], Problem> {
        match self.rank {
            1 => extents::<2>("pads", values, 0).map(|[left, right]| [0, left, 0, right]),
            _ => extents("pads", values, 0),
        }
    }
}

/// The geometry of a window over an image. Padding is top, left, bottom, right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) padding: [usize; 4],
    pub(super) dilation: [usize; 2],
}

/// No window of a real network is wider; larger numbers would only make loops long.
const MAX_EXTENT: usize = 1 << 16;

/// Which of the attributes a particular operator has, and the image that it reads.
pub(super) struct Expected {
    /// The kernel where the weights give it; the attribute must then agree.
    pub(super) kernel: Option<[usize; 2]>,
    pub(super) dilations: bool,
    pub(super) ceil_mode: bool,
    pub(super) image: Image,
}

/// Reads `kernel_shape`, `strides`, `pads`, `dilations`, `auto_pad` and `ceil_mode`.
pub(super) fn read(call: &Call, expected: Expected) -> Result<Window, Problem> {
    let list = |name| call.attributes.ints(name);
    let image = expected.image;
    let kernel = match (list("kernel_shape")?, expected.kernel) {
        (None, None) => return Err(Problem::attribute("kernel_shape", "is missing")),
        (None, Some(kernel)) => kernel,
        (Some(given), of_weights) => {
            let given = image.pair("kernel_shape", given, 1, 1)?;
            if of_weights.is_some_and(|kernel| kernel != given) {
                return Err(Problem::attribute("kernel_shape", format!("{given:?} is not that of the weights")));
            }
            given
        }
    };
    let stride = list("strides")?.map_or(Ok([1; 2]), |v| image.pair("strides", v, 1, 1))?;
    let dilation = match expected.dilations {
        true => list("dilations")?.map_or(Ok([1; 2]), |v| image.pair("dilations", v, 1, 1))?,
        false => [1; 2],
    };
    let mut padding = list("pads")?.map_or(Ok([0; 4]), |v| image.padding(v))?;
    let ceil = expected.ceil_mode && call.attributes.flag("ceil_mode", false)?;
    let auto_pad = call.attributes.string("auto_pad", "NOTSET")?;
    if auto_pad != "NOTSET" && padding != [0; 4] {
        return Err(Problem::attribute("pads", format!("cannot be combined with auto_pad {auto_pad}")));
    }
    for axis in 0..2 {
        let (image, stride) = (image.extents[axis], stride[axis]);
        let span = (kernel[axis] - 1) * dilation[axis] + 1;
        // Where the specification and onnxruntime disagree there is nothing to prove about what people run.
        let refuse = |with| {
            let reason = format!("\"{auto_pad}\" with {with} is not supported: runtimes differ in what it means");
            Err(Problem::attribute("auto_pad", reason))
        };
        let of_pool = expected.kernel.is_none();
        match auto_pad {
            "VALID" if ceil && rounded_up(image, span, stride, 0, 0) > 0 => return refuse("ceil_mode"),
            "SAME_UPPER" | "SAME_LOWER" if of_pool && span > kernel[axis] => return refuse("dilations"),
            "VALID" => {}
            "NOTSET" if ceil => padding[axis + 2] += rounded_up(image, span, stride, padding[axis], padding[axis + 2]),
            "NOTSET" => {}
            "SAME_UPPER" | "SAME_LOWER" => {
                let reach = (image.div_ceil(stride) - 1) * stride + span;
                if of_pool && reach < image {
                    return refuse("windows that leave a rest of the image");
                }
                let total = reach.saturating_sub(image);
                let (less, more) = (total / 2, total - total / 2);
                let upper = auto_pad == "SAME_UPPER";
                (padding[axis], padding[axis + 2]) = if upper { (less, more) } else { (more, less) };
            }
            other => return Err(Problem::attribute("auto_pad", format!("\"{other}\" is not supported"))),
        }
    }
    Ok(Window { kernel, stride, padding, dilation })
}

/// How much padding at the end makes room for the last, partial window of `ceil_mode`. A window that would start behind
/// the image and the padding in front is left out.
fn rounded_up(image: usize, span: usize, stride: usize, before: usize, after: usize) -> usize {
    let Some(room) = (image + before + after).checked_sub(span) else { return 0 };
    let mut last = room.div_ceil(stride) * stride;
    if last >= image + before {
        last -= stride;
    }
    (last + span).saturating_sub(image + before + after)
}

/// Exactly `N` numbers between `least` and [`MAX_EXTENT`].
fn extents<const N: usize>(name: &'static str, values: &[i64], least: usize) -> Result<[usize; N], Problem> {
    let numbers: Vec<usize> =
        values.iter().filter_map(|&v| usize::try_from(v).ok()).filter(|v| (least..=MAX_EXTENT).contains(v)).collect();
    let refuse = || {
        Problem::attribute(name, format!("{values:?} is not supported; {N} numbers from {least} to {MAX_EXTENT} are"))
    };
    <[usize; N]>::try_from(numbers).ok().filter(|_| values.len() == N).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::{extents, rounded_up};

    #[test]
    fn ceil_mode_makes_room() {
        // Width 6, window 3, stride 2: positions 0, 2 and the partial 4.
        assert_eq!(rounded_up(6, 3, 2, 0, 0), 1);
        assert_eq!(rounded_up(7, 3, 2, 0, 0), 0);
        // The window at 4 would start behind the image: left out.
        assert_eq!(rounded_up(4, 1, 4, 0, 1), 0);
        assert_eq!(rounded_up(2, 3, 1, 0, 0), 0);
    }

    #[test]
    fn extents_are_checked() {
        assert_eq!(extents("strides", &[1, 2], 1), Ok([1, 2]));
        assert!(extents::<2>("strides", &[0, 2], 1).is_err());
        assert!(extents::<2>("strides", &[1], 1).is_err());
        assert!(extents::<2>("strides", &[1, 2, 0], 1).is_err());
        assert!(extents::<2>("strides", &[1, i64::MAX], 1).is_err());
    }
}
