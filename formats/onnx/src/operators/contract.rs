//! Products of a computed value and a constant, summed over axes that they share: what MatMul, Einsum and their kin are.
//! Einsum: <https://onnx.ai/onnx/operators/onnx__Einsum.html>.
//!
//! Axes are known by labels. With `b` those of both operands and the result, `k` those that are summed over, `r` those of the
//! value alone and `m` those of the constant alone, `y[b, m, r] = sum over k of w[b, m, k] x[b, k, r]` is a 1x1 convolution
//! over an image of channels `(b, k)` and positions `r`, in as many groups as `b` counts; a dense layer where `b` and `r`
//! count one.

use super::{fold, matrix};
use crate::Problem;
use crate::broadcast;
use crate::call::Call;
use crate::constant::{Constant, Numbers};
use crate::value::{Computed, Value};
use unmoved_ir::{Conv2d, Op};

/// The name of an axis.
pub(super) type Label = usize;

/// The product with the axes `result`. A label is in each list at most once and has one extent everywhere.
pub(super) fn contract(
    call: &mut Call,
    (x, of_x): (&Computed, &[Label]),
    (w, of_w): (&Constant, &[Label]),
    result: &[Label],
) -> Result<Value, Problem> {
    if w.len() == 0 {
        return Err(Problem::Shape(format!("a constant of shape {:?} has no elements", w.dims)));
    }
    // Axes of extent 1 that only the constant has say nothing.
    let told = |k: usize| w.dims[k] != 1 || of_x.contains(&of_w[k]) || result.contains(&of_w[k]);
    let kept: Vec<usize> = (0..of_w.len()).filter(|&k| told(k)).collect();
    let of_w: &[Label] = &kept.iter().map(|&k| of_w[k]).collect::<Vec<_>>();
    let w = &w.reshaped(kept.iter().map(|&k| w.dims[k]).collect());
    let summed: Vec<Label> = of_x.iter().copied().filter(|label| !result.contains(label)).collect();
    let shared: Vec<Label> = of_x.iter().copied().filter(|l| result.contains(l) && of_w.contains(l)).collect();
    let rows: Vec<Label> = of_x.iter().copied().filter(|l| result.contains(l) && !of_w.contains(l)).collect();
    let outputs: Vec<Label> = of_w.iter().copied().filter(|label| !of_x.contains(label)).collect();
    if let Some(label) =
        outputs.iter().chain(result).find(|l| !result.contains(l) || !(of_x.contains(l) || of_w.contains(l)))
    {
        return Err(Problem::Other(format!("axis {label} is of one operand alone, or of none")));
    }
    let extent = |label: &Label| match of_x.iter().position(|l| l == label) {
        Some(axis) => x.dims[axis],
        None => of_w.iter().position(|l| l == label).map_or(1, |axis| w.dims[axis]),
    };
    let extents = |labels: &[Label]| labels.iter().map(extent).collect::<Vec<usize>>();
    let count = |labels: &[Label]| broadcast::checked_len(&extents(labels));
    let (b, k, r, m) = (count(&shared)?, count(&summed)?, count(&rows)?, count(&outputs)?);

    // A constant without a label that is summed over is the same all along it.
    let missing: Vec<Label> = summed.iter().copied().filter(|label| !of_w.contains(label)).collect();
    let of_w = [of_w, &missing].concat();
    let w = w.reshaped([w.dims.as_slice(), &vec![1; missing.len()]].concat());
    let w = fold::expanded(call, &w, &extents(&of_w))?;
    let order = positions(&[&shared[..], &outputs, &summed].concat(), &of_w)?;
    // Nodes may share weights, but what is folded into them needs its own.
    call.spend(w.len())?;
    let weight = arranged(call, &w, &order)?.reshaped(vec![b * m, k]).tensor()?;

    let x = x.transposed(&positions(&[&shared[..], &summed, &rows].concat(), of_x)?);
    let x = call.row_major(&x)?;
    let bias = matrix::zeros(&[b * m], weight.dtype())?;
    let id = if b == 1 && r == 1 {
        let input = call.shaped(&x, &[k])?;
        matrix::dense(call, input, weight, bias)?
    } else {
        let image = call.shaped(&x, &[b * k, r, 1])?;
        let mut conv = Conv2d::new(weight.reshaped(&[b * m, k, 1, 1])?, bias)?;
        conv.groups = b;
        let id = call.push(Op::Conv2d(conv), &[image])?;
        call.note("a 1x1 convolution", false);
        id
    };
    let held = [&shared[..], &outputs, &rows].concat();
    let y = Computed::new(id, extents(&held));
    Ok(y.transposed(&positions(result, &held)?).into())
}

/// Axis `k` of the result is axis `order[k]` of the constant. Weights are large and mostly matrices: those need no map.
fn arranged(call: &mut Call, w: &Constant, order: &[usize]) -> Result<Constant, Problem> {
    let dims: Vec<usize> = order.iter().map(|&axis| w.dims[axis]).collect();
    let wide: Vec<usize> = order.iter().copied().filter(|&axis| w.dims[axis] != 1).collect();
    if wide.is_sorted() {
        return Ok(w.reshaped(dims));
    }
    let turn = (1..wide.len()).find(|&k| wide[k] < wide[k - 1]).unwrap_or(0);
    if wide[turn..].is_sorted() && wide[..turn].is_sorted() && wide[..turn].first() > wide[turn..].last() {
        let columns: usize = wide[..turn].iter().map(|&axis| w.dims[axis]).product();
        if let Numbers::Float(numbers) = &w.numbers {
            let turned = matrix::transposed_numbers(numbers, w.len() / columns, columns);
            return Ok(Constant { dims, numbers: Numbers::Float(turned) });
        }
    }
    let map = broadcast::transpose(call.budget(), &w.dims, order)?;
    Ok(w.select(&map.index, dims))
}

/// Where each of `labels` stands among `among`.
fn positions(labels: &[Label], among: &[Label]) -> Result<Vec<usize>, Problem> {
    let position = |label: &Label| among.iter().position(|l| l == label);
    let found: Option<Vec<usize>> = labels.iter().map(position).collect();
    found.filter(|found| found.len() == among.len()).ok_or_else(|| Problem::Other("axes that do not fit".into()))
}

pub(super) fn einsum(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(2)?;
    let equation = call.attributes.string("equation", "")?;
    let refuse = |why: &str| Err(Problem::attribute("equation", format!("\"{equation}\" {why}")));
    let Some((operands, result)) = equation.split_once("->") else {
        return refuse("has no `->`; only explicit results are supported");
    };
    let labels = |axes: &str| axes.trim().bytes().map(Label::from).collect::<Vec<Label>>();
    let operands: Vec<Vec<Label>> = operands.split(',').map(labels).collect();
    let result = labels(result);
    let plain = |labels: &Vec<Label>| {
        let letter = |&l: &Label| u8::try_from(l).is_ok_and(|l| l.is_ascii_alphabetic());
        labels.iter().all(letter) && (1..labels.len()).all(|k| !labels[..k].contains(&labels[k]))
    };
    if !operands.iter().chain([&result]).all(plain) {
        return refuse("has other terms than letters, or one twice in a term, which is not supported");
    }
    let [of_a, of_b] = operands.as_slice() else {
        return refuse("has not two operands; others are not supported");
    };
    let (a, b) = (call.any_order(0, "Inputs")?, call.any_order(1, "Inputs")?);
    for (value, labels) in [(&a, of_a), (&b, of_b)] {
        if value.dims().len() != labels.len() {
            return refuse("does not fit the dimensions of its operands");
        }
    }
    let differs = |(k, label): (usize, &Label)| {
        of_b.iter().position(|l| l == label).is_some_and(|at| b.dims()[at] != a.dims()[k])
    };
    if of_a.iter().enumerate().any(differs) {
        return refuse("names axes of two extents by one letter");
    }
    match (&a, &b) {
        (Value::Computed(x), Value::Constant(w)) => contract(call, (x, of_a), (w, of_b), &result),
        (Value::Constant(w), Value::Computed(x)) => contract(call, (x, of_b), (w, of_a), &result),
        (Value::Computed(_), Value::Computed(_)) => Err(Problem::NotPiecewiseLinear),
        (Value::Constant(_), Value::Constant(_)) => Err(Problem::Other("both operands are constants".into())),
    }
}
