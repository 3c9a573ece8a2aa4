//! ConvTranspose: <https://onnx.ai/onnx/operators/onnx__ConvTranspose.html>. Opset 11 fixed what `auto_pad` means; later
//! ones only added types. One or two dimensions.
//!
//! Each element of the input puts the kernel into the output, `stride` apart. Seen from the output: the image with
//! `stride - 1` zeros between its elements, under an ordinary convolution with the kernel turned round.

use super::{conv, matrix, window::Image};
use crate::Problem;
use crate::broadcast;
use crate::call::Call;
use crate::constant::{Constant, Numbers};
use crate::value::{Computed, Value};
use unmoved_ir::{Conv2d, NodeId, Op, Tensor};

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(3)?;
    let x = call.computed(0, "X")?;
    let weight = call.weights(1, "W")?;
    let image = Image::of(call, &x)?;
    let (weight, kernel) = conv::kernels(&weight, image.rank)?;
    let groups = conv::groups(call)?;
    let weight = turned(call, &weight, groups)?;
    let outputs = weight.shape().dims()[0];
    let bias = match call.has(2) {
        true => call.weights(2, "B")?,
        false => matrix::zeros(&[outputs], weight.dtype())?,
    };
    let geometry = read(call, &image, kernel)?;
    let (spread, padding) = spread_out(call, &image, &geometry)?;
    let mut conv = Conv2d::new(weight, bias)?;
    (conv.padding, conv.dilation, conv.groups) = (padding, geometry.dilation, groups);
    let id = call.push(Op::Conv2d(conv), &[spread])?;
    call.note("a convolution of the image with zeros in between", false);
    Ok(image.value(call, id))
}

/// What the attributes say. The margins are those around the spread image, before and after, per axis; a negative one
/// cuts.
struct Geometry {
    stride: [usize; 2],
    dilation: [usize; 2],
    margins: [(i64, i64); 2],
}

fn read(call: &Call, image: &Image, kernel: [usize; 2]) -> Result<Geometry, Problem> {
    let list = |name| call.attributes.ints(name);
    let pair = |name, least, other| -> Result<Option<[usize; 2]>, Problem> {
        list(name)?.map(|v| image.pair(name, v, least, other)).transpose()
    };
    if let Some(given) = pair("kernel_shape", 1, 1)?
        && given != kernel
    {
        return Err(Problem::attribute("kernel_shape", format!("{given:?} is not that of the weights")));
    }
    let stride = pair("strides", 1, 1)?.unwrap_or([1; 2]);
    let dilation = pair("dilations", 1, 1)?.unwrap_or([1; 2]);
    let extra = pair("output_padding", 0, 0)?.unwrap_or([0; 2]);
    let asked = pair("output_shape", 1, 1)?;
    let pads = list("pads")?.map(|v| image.padding(v)).transpose()?.unwrap_or([0; 4]);
    let auto_pad = call.attributes.string("auto_pad", "NOTSET")?;
    if !matches!(auto_pad, "NOTSET" | "VALID" | "SAME_UPPER" | "SAME_LOWER") {
        return Err(Problem::attribute("auto_pad", format!("\"{auto_pad}\" is not supported")));
    }
    if pads != [0; 4] && (auto_pad != "NOTSET" || asked.is_some()) {
        return Err(Problem::attribute("pads", "cannot be combined with auto_pad or output_shape"));
    }
    let mut margins = [(0, 0); 2];
    for axis in 0..2 {
        let span = (kernel[axis] - 1) * dilation[axis];
        let whole = (image.extents[axis] - 1).saturating_mul(stride[axis]).saturating_add(span + extra[axis] + 1);
        let target = match (asked, auto_pad) {
            (Some(asked), _) => Some(asked[axis]),
            (None, "SAME_UPPER" | "SAME_LOWER") => Some(image.extents[axis].saturating_mul(stride[axis])),
            _ => None,
        };
        let (before, after) = match target {
            None => (pads[axis], pads[axis + 2]),
            Some(target) => {
                let total = whole.checked_sub(target).ok_or_else(|| {
                    Problem::Shape(format!("an output of {target} is more than the {whole} that the kernel reaches"))
                })?;
                let (less, more) = (total / 2, total - total / 2);
                if auto_pad == "SAME_UPPER" { (less, more) } else { (more, less) }
            }
        };
        // All are below 2^44: extents and attributes are bounded.
        margins[axis] = (span as i64 - before as i64, (span + extra[axis]) as i64 - after as i64);
    }
    Ok(Geometry { stride, dilation, margins })
}

/// The image with zeros in between, cut where the margins are negative, and the padding that makes up the others.
fn spread_out(call: &mut Call, image: &Image, geometry: &Geometry) -> Result<(NodeId, [usize; 4]), Problem> {
    let [top_bottom, left_right] = geometry.margins;
    let outside = |margin: i64| usize::try_from(margin).unwrap_or(0);
    let padding = [top_bottom.0, left_right.0, top_bottom.1, left_right.1].map(outside);
    let Geometry { stride, margins, .. } = *geometry;
    if stride == [1; 2] && margins.iter().all(|m| m.0 >= 0 && m.1 >= 0) {
        return Ok((image.id, padding));
    }
    let cut: Vec<(i64, i64)> = margins.iter().map(|m| (m.0.min(0), m.1.min(0))).collect();
    let image_dims = [image.channels, image.extents[0], image.extents[1]];
    let map = broadcast::spread(call.budget(), image_dims, stride, [cut[0], cut[1]])?;
    let whole = Value::Computed(Computed::new(image.id, [&[1][..], &image_dims].concat()));
    match call.rearrange(&whole, map, ".spread")? {
        Value::Computed(spread) => Ok((spread.id, padding)),
        Value::Constant(_) => Err(Problem::Other("a computed value became a constant".into())),
    }
}

/// `[inputs, outputs / groups, height, width]` as `[outputs, inputs / groups, height, width]`, each kernel turned by half
/// a turn.
fn turned(call: &mut Call, weight: &Tensor, groups: usize) -> Result<Tensor, Problem> {
    let &[inputs, per_group, height, width] = weight.shape().dims() else {
        return Err(Problem::Shape(format!("{} is no shape of kernels", weight.shape())));
    };
    if inputs % groups != 0 {
        return Err(Problem::attribute("group", format!("{groups} does not divide {inputs} channels")));
    }
    call.spend(weight.shape().len().saturating_mul(3))?;
    let (rows, taps) = (inputs / groups, height * width);
    let mut index = Vec::with_capacity(weight.shape().len());
    for output in 0..groups * per_group {
        let (group, column) = (output / per_group, output % per_group);
        for row in group * rows..(group + 1) * rows {
            let start = (row * per_group + column) * taps;
            index.extend((start..start + taps).rev().map(|i| Some(i as u32)));
        }
    }
    let weight = Constant { dims: weight.shape().dims().to_vec(), numbers: Numbers::Float(weight.data().clone()) };
    weight.select(&index, vec![groups * per_group, rows, height, width]).tensor()
}
