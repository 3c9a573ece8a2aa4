//! What piecewise linear operators are made of: lines, ReLUs and sums over computed values.
//!
//! A line has one number per channel where the value is an image and the numbers allow it, else one per element; the
//! former folds into a convolution in front, the latter into a dense layer.

use super::fold;
use crate::Problem;
use crate::broadcast::{self, broadcast_dims};
use crate::call::{Call, without_batch};
use crate::constant::Constant;
use crate::value::{Computed, Value};
use unmoved_ir::rounding::{self, Rounded};
use unmoved_ir::{Op, Scale, Shift};

/// How many leading axes of what the node of `x` holds are the channels of an image: two of `[1, channels, height, width]`,
/// else as many as make up the channels of the node's shape, if that is an image.
fn channel_axes(call: &Call, x: &Computed) -> Option<usize> {
    let held = x.held();
    if matches!(held.as_slice(), [1, _, _, _]) {
        return Some(2);
    }
    let [channels, ..] = call.builder.shape(x.id).image()?;
    (1..=held.len()).rev().find(|&axes| held[..axes].iter().product::<usize>() == channels)
}

/// A constant as the numbers of a line over `x`, to whose shape it broadcasts, in the order of the node.
pub(super) fn spread(call: &mut Call, c: &Constant, x: &Computed) -> Result<Vec<f64>, Problem> {
    c.tensor()?; // refuses integers and infinities before they are copied
    let mut c = c.reshaped([&vec![1; x.dims.len().saturating_sub(c.dims.len())], c.dims.as_slice()].concat());
    if !x.is_row_major() && c.len() > 1 {
        let map = broadcast::transpose(call.budget(), &c.dims, &x.inverse())?;
        c = c.select(&map.index, map.dims);
    }
    let held = x.held();
    let filled = match channel_axes(call, x) {
        Some(axes) if c.dims[axes..].iter().all(|&extent| extent == 1) => axes,
        _ => held.len(),
    };
    let (from, to) = (&c.dims[..filled], &held[..filled]);
    if from == to {
        return Ok(c.tensor()?.to_f64());
    }
    let map = broadcast::expand(call.budget(), from, to)?;
    call.spend(map.index.len())?;
    Ok(c.select(&map.index, map.dims).tensor()?.to_f64())
}

/// One number for all of `x`, as the numbers of a line over it.
pub(super) fn same(call: &mut Call, number: f64, x: &Computed) -> Result<Vec<f64>, Problem> {
    let held = x.held();
    let n = held[..channel_axes(call, x).unwrap_or(held.len())].iter().product();
    call.spend(n)?;
    Ok(vec![number; n])
}

/// `scale x + shift`, where the numbers come from [`spread`] or [`same`].
pub(super) fn line(
    call: &mut Call,
    x: &Computed,
    suffix: &str,
    scale: Scale,
    shift: Shift,
) -> Result<Computed, Problem> {
    let n = scale.values.len();
    call.spend(n.saturating_mul(4))?;
    let id = match x.held().as_slice() {
        [1, channels, _, _] if *channels == n => call.image(&x.in_memory())?,
        _ => x.id,
    };
    let name = call.builder.fresh(&format!("{}{suffix}", call.name));
    let id = call.builder.affine(&name, id, scale, shift)?;
    Ok(x.held_by(id))
}

/// The line that the node of the file is.
pub(super) fn scale_and_shift(call: &mut Call, x: &Computed, scale: Scale, shift: Shift) -> Result<Computed, Problem> {
    let rounds = scale.error > 0.0 || shift.errors.iter().any(|&e| e > 0.0);
    let y = line(call, x, "", scale, shift)?;
    call.note("a scale and shift", rounds);
    Ok(y)
}

/// `factor x`.
pub(super) fn times(call: &mut Call, x: &Computed, suffix: &str, factor: f64) -> Result<Computed, Problem> {
    let factors = same(call, factor, x)?;
    let zeros = vec![0.0; factors.len()];
    line(call, x, suffix, Scale::exact(factors), Shift::exact(zeros))
}

/// `max(x, 0)`.
pub(super) fn relu(call: &mut Call, x: &Computed, suffix: &str) -> Result<Computed, Problem> {
    let name = call.builder.fresh(&format!("{}{suffix}", call.name));
    let id = call.builder.push(&name, Op::Relu, &[x.id])?;
    Ok(x.held_by(id))
}

/// The sum of two computed values under their common shape.
pub(super) fn sum(call: &mut Call, x: &Computed, y: &Computed, suffix: &str) -> Result<Computed, Problem> {
    let dims = broadcast_dims(&x.dims, &y.dims)?;
    let (mut x, mut y) = (call.expanded(x, &dims)?, call.expanded(y, &dims)?);
    if !x.same_order(&y) {
        (x, y) = (call.row_major(&x)?, call.row_major(&y)?);
    }
    let (mut left, mut right) = (x.id, y.id);
    if call.builder.shape(left) != call.builder.shape(right) {
        let held = x.held();
        left = call.shaped(&x.in_memory(), without_batch(&held))?;
        right = call.shaped(&y.in_memory(), without_batch(&held))?;
    }
    let name = call.builder.fresh(&format!("{}{suffix}", call.name));
    let id = call.builder.push(&name, Op::Add, &[left, right])?;
    Ok(x.held_by(id))
}

/// Beyond this a bound `c` is far: floats lose of `c - x` what counts of `x`, and the network as it is evaluated, though not
/// over the reals, would be another.
const FAR: f64 = 1024.0;

pub(super) fn is_far(c: f64) -> bool {
    c.abs() > FAR
}

/// `max(x, c)` as `c + relu(x - c)`, which reads `x` once; where `c` is far as `x + relu(c - x)`, which keeps it.
pub(super) fn at_least(call: &mut Call, x: &Computed, c: Vec<f64>) -> Result<Computed, Problem> {
    if c.iter().all(|&v| v == 0.0) {
        let y = relu(call, x, "")?;
        call.note("a ReLU", false);
        return Ok(y);
    }
    let ones = Scale::exact(vec![1.0; c.len()]);
    if c.iter().any(|&c| is_far(c)) {
        let short = line(call, x, ".short", Scale::exact(vec![-1.0; c.len()]), Shift::exact(c))?;
        let short = relu(call, &short, ".relu")?;
        call.note("the value plus a ReLU", false);
        return sum(call, x, &short, "");
    }
    let excess = line(call, x, ".excess", ones.clone(), Shift::exact(c.iter().map(|v| -v).collect()))?;
    let excess = relu(call, &excess, ".relu")?;
    let y = line(call, &excess, "", ones, Shift::exact(c))?;
    call.note("a ReLU, shifted", false);
    Ok(y)
}

/// `min(x, c)` as `c - relu(c - x)`, which reads `x` once; where `c` is far as `x - relu(x - c)`, which keeps it.
pub(super) fn at_most(call: &mut Call, x: &Computed, c: Vec<f64>) -> Result<Computed, Problem> {
    if c.iter().any(|&c| is_far(c)) {
        let ones = Scale::exact(vec![1.0; c.len()]);
        let excess = line(call, x, ".excess", ones, Shift::exact(c.iter().map(|v| -v).collect()))?;
        let excess = relu(call, &excess, ".relu")?;
        let excess = times(call, &excess, ".negated", -1.0)?;
        call.note("the value minus a ReLU", false);
        return sum(call, x, &excess, "");
    }
    let minus = Scale::exact(vec![-1.0; c.len()]);
    let room = line(call, x, ".room", minus.clone(), Shift::exact(c.clone()))?;
    let room = relu(call, &room, ".relu")?;
    let y = line(call, &room, "", minus, Shift::exact(c))?;
    call.note("a ReLU, negated and shifted", false);
    Ok(y)
}

/// `max(lower, min(s x + t, upper))`, where `lower < upper`, as `lower + relu((upper - lower) - relu(upper - t - s x))`:
/// each line folds into what is in front of it, and the interval of the result is that of the bounds.
pub(super) fn between(
    call: &mut Call,
    x: &Computed,
    (s, t): (f64, f64),
    (lower, upper): (f64, f64),
) -> Result<Computed, Problem> {
    let n = same(call, 0.0, x)?.len();
    let room = Rounded::exact(upper).plus(-t);
    let room_error = room.error;
    let room = line(call, x, ".room", Scale::exact(vec![-s; n]), rounding::shift(&vec![room; n]))?;
    let room = relu(call, &room, ".relu")?;
    let width = Rounded::exact(upper).plus(-lower);
    let minus = Scale::exact(vec![-1.0; n]);
    let excess = line(call, &room, ".excess", minus, rounding::shift(&vec![width; n]))?;
    call.note("two ReLUs, scaled and shifted", room_error > 0.0 || width.error > 0.0);
    if lower == 0.0 {
        return relu(call, &excess, "");
    }
    let excess = relu(call, &excess, ".relu")?;
    line(call, &excess, "", Scale::exact(vec![1.0; n]), Shift::exact(vec![lower; n]))
}

/// Inputs by their kind.
pub(super) fn sorted(values: Vec<Value>) -> (Vec<Computed>, Vec<Constant>) {
    let (mut computed, mut constants) = (Vec::new(), Vec::new());
    for value in values {
        match value {
            Value::Computed(x) => computed.push(x),
            Value::Constant(c) => constants.push(c),
        }
    }
    (computed, constants)
}

/// What several constants come to, with a bound of the rounding per element.
pub(super) struct Combined {
    pub(super) values: Constant,
    /// None if all are exact.
    errors: Option<Constant>,
}

/// The constants, one after the other, element by element under their common shape.
pub(super) fn combined(
    call: &mut Call,
    constants: &[Constant],
    with: impl Fn(Rounded, f64) -> Rounded,
) -> Result<Option<Combined>, Problem> {
    let Some((first, rest)) = constants.split_first() else { return Ok(None) };
    if rest.is_empty() {
        return Ok(Some(Combined { values: first.clone(), errors: None }));
    }
    let dims = constants.iter().try_fold(first.dims.clone(), |dims, c| broadcast_dims(&dims, &c.dims))?;
    let len = broadcast::checked_len(&dims)?;
    let mut numbers = |c: &Constant| -> Result<Vec<f64>, Problem> {
        call.spend(len.saturating_mul(2))?;
        c.tensor()?;
        Ok(fold::expanded(call, c, &dims)?.tensor()?.to_f64())
    };
    let mut all: Vec<Rounded> = numbers(first)?.into_iter().map(Rounded::exact).collect();
    for c in rest {
        all.iter_mut().zip(numbers(c)?).for_each(|(a, b)| *a = with(*a, b));
    }
    let of = |pick: fn(&Rounded) -> f64| Constant::f64(dims.clone(), all.iter().map(pick).collect());
    let errors = all.iter().any(|a| a.error != 0.0).then(|| of(|a| a.error));
    Ok(Some(Combined { values: of(|a| a.value), errors }))
}

/// The summands of a line over `x`.
pub(super) fn spread_rounded(call: &mut Call, c: &Combined, x: &Computed) -> Result<Shift, Problem> {
    let errors = c.errors.as_ref().map_or(Ok(Vec::new()), |errors| spread(call, errors, x))?;
    Ok(Shift { values: spread(call, &c.values, x)?, errors })
}

/// A node of constants alone.
pub(super) fn constant(c: Option<Combined>) -> Result<Value, Problem> {
    match c {
        Some(Combined { values, errors: None }) => Ok(Value::Constant(values)),
        _ => Err(Problem::Rounds),
    }
}
