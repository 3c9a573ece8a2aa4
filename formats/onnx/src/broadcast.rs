//! Index arithmetic over row-major shapes: broadcasting, permuting, padding.

use crate::Problem;
use crate::budget::Budget;
use unmoved_ir::MAX_ELEMENTS;

/// Element `k` of the result is element `index[k]` of the operand, or zero; the result has shape `dims`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IndexMap {
    pub(crate) index: Vec<Option<u32>>,
    pub(crate) dims: Vec<usize>,
}

/// No real tensor has more dimensions; every value carries its own list of them.
pub(crate) const MAX_RANK: usize = 32;

/// The number of elements of a shape, within the limits of the network; zero extents are allowed. The other extents
/// alone must stay within the limits too, so that no product of some of them overflows.
pub(crate) fn checked_len(dims: &[usize]) -> Result<usize, Problem> {
    if dims.len() > MAX_RANK {
        return Err(Problem::Shape(format!("{} dimensions are too many (the limit is {MAX_RANK})", dims.len())));
    }
    let within = |n: usize, d: usize| n.checked_mul(d).filter(|&n| n <= MAX_ELEMENTS);
    match dims.iter().filter(|&&d| d > 0).try_fold(1, |n, &d| within(n, d)) {
        Some(_) if dims.contains(&0) => Ok(0),
        Some(len) => Ok(len),
        None => Err(Problem::Shape(format!("shape {dims:?} is too large (the limit is {MAX_ELEMENTS} elements)"))),
    }
}

/// For each position of a shape the coordinates, row-major, without allocating for each.
fn for_each_position(dims: &[usize], mut visit: impl FnMut(&[usize])) {
    let mut position = vec![0; dims.len()];
    let len: usize = dims.iter().product();
    for _ in 0..len {
        visit(&position);
        for axis in (0..dims.len()).rev() {
            position[axis] += 1;
            if position[axis] < dims[axis] {
                break;
            }
            position[axis] = 0;
        }
    }
}

/// The distance in memory between neighbours along each axis.
fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * dims[axis];
    }
    strides
}

/// Room for a map onto a shape, paid for: an index takes twice the room of a weight.
fn allocated(budget: &mut Budget, dims: &[usize]) -> Result<Vec<Option<u32>>, Problem> {
    let len = checked_len(dims)?;
    budget.spend(len.saturating_mul(2))?;
    Ok(Vec::with_capacity(len))
}

/// Pays for a map, then builds it from the operand's offset at each position of the result.
fn map(
    budget: &mut Budget,
    dims: Vec<usize>,
    mut offset: impl FnMut(&[usize]) -> Option<usize>,
) -> Result<IndexMap, Problem> {
    let mut index = allocated(budget, &dims)?;
    for_each_position(&dims, |position| index.push(offset(position).map(|i| i as u32)));
    Ok(IndexMap { index, dims })
}

/// The shape that two shapes broadcast to, as numpy does.
pub(crate) fn broadcast_dims(a: &[usize], b: &[usize]) -> Result<Vec<usize>, Problem> {
    let rank = a.len().max(b.len());
    let extent = |dims: &[usize], axis: usize| (axis + dims.len()).checked_sub(rank).map_or(1, |k| dims[k]);
    (0..rank)
        .map(|axis| match (extent(a, axis), extent(b, axis)) {
            (x, y) if x == y => Ok(x),
            (1, y) => Ok(y),
            (x, 1) => Ok(x),
            _ => Err(Problem::Shape(format!("shapes {a:?} and {b:?} do not broadcast"))),
        })
        .collect()
}

/// Repeats an operand of shape `from` until it has the shape `to`, to which it broadcasts.
pub(crate) fn expand(budget: &mut Budget, from: &[usize], to: &[usize]) -> Result<IndexMap, Problem> {
    let steps = strides(from);
    let skip = to.len() - from.len();
    map(budget, to.to_vec(), |position| {
        let along = |axis: usize| if from[axis] == 1 { 0 } else { position[skip + axis] * steps[axis] };
        Some((0..from.len()).map(along).sum())
    })
}

/// Axis `k` of the result is axis `perm[k]` of the operand.
pub(crate) fn transpose(budget: &mut Budget, from: &[usize], perm: &[usize]) -> Result<IndexMap, Problem> {
    let steps = strides(from);
    let dims = perm.iter().map(|&p| from[p]).collect();
    map(budget, dims, |position| Some(position.iter().zip(perm).map(|(i, &p)| i * steps[p]).sum()))
}

/// What lies around a value that is padded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Outside {
    Zero,
    /// The outermost element again and again.
    Edge,
    /// The elements in reverse order, the outermost one not repeated.
    Reflect,
    /// All elements again.
    Wrap,
}

/// More elements before and after, per axis; negative counts remove.
pub(crate) fn pad(
    budget: &mut Budget,
    from: &[usize],
    before: &[i64],
    after: &[i64],
    outside: Outside,
) -> Result<IndexMap, Problem> {
    let refuse = |why: &str| Problem::Shape(format!("pads {before:?}, {after:?} do not fit {from:?}{why}"));
    let steps = strides(from);
    // What is left of an axis once that is removed which is to be, and how long it becomes.
    let cut = |axis: usize| {
        let end = i64::try_from(from[axis]).ok()?.checked_add(after[axis].min(0))?;
        let start = before[axis].min(0).checked_neg()?;
        (start <= end).then(|| (start, end - start))
    };
    let mut dims = Vec::with_capacity(from.len());
    let mut left = Vec::with_capacity(from.len());
    for axis in 0..from.len() {
        let (start, len) = cut(axis).ok_or_else(|| refuse(""))?;
        let (before, after) = (before[axis].max(0), after[axis].max(0));
        if (before > 0 || after > 0) && outside != Outside::Zero && len == 0 {
            return Err(refuse(", which leaves nothing to repeat"));
        }
        if outside == Outside::Reflect && before.max(after) >= len.max(1) {
            return Err(refuse(": a reflection reaches no farther than the other end"));
        }
        let total = before.checked_add(after).and_then(|n| n.checked_add(len)).and_then(|n| usize::try_from(n).ok());
        dims.push(total.ok_or_else(|| refuse(""))?);
        left.push((start, len, before));
    }
    map(budget, dims, |position| {
        let source = |axis: usize| {
            let (start, len, before) = left[axis];
            let i = position[axis] as i64 - before;
            let i = match outside {
                Outside::Zero => Some(i).filter(|i| (0..len).contains(i))?,
                Outside::Edge => i.clamp(0, len - 1),
                Outside::Reflect => (len - 1) - (i.abs() - (len - 1)).abs(),
                Outside::Wrap => i.rem_euclid(len),
            };
            Some((start + i) as usize * steps[axis])
        };
        (0..from.len()).map(source).sum()
    })
}

/// An image `[channels, height, width]` with its elements `stride` apart, zeros between them, and so many rows or columns
/// (a number of at most zero) more before and after.
pub(crate) fn spread(
    budget: &mut Budget,
    from: [usize; 3],
    stride: [usize; 2],
    margins: [(i64, i64); 2],
) -> Result<IndexMap, Problem> {
    let mut dims = vec![1, from[0]];
    for axis in 0..2 {
        let len = (from[axis + 1] - 1).checked_mul(stride[axis]).and_then(|n| i64::try_from(n).ok()?.checked_add(1));
        let len = len.and_then(|n| n.checked_add(margins[axis].0)?.checked_add(margins[axis].1));
        let len = len.and_then(|n| usize::try_from(n).ok()).filter(|&n| n > 0);
        dims.push(len.ok_or_else(|| Problem::Shape(format!("pads leave nothing of {from:?}")))?);
    }
    map(budget, dims, |position| {
        let source = |axis: usize| {
            let at = usize::try_from(position[axis + 2] as i64 - margins[axis].0).ok()?;
            Some(at / stride[axis]).filter(|&i| at.is_multiple_of(stride[axis]) && i < from[axis + 1])
        };
        Some((position[1] * from[1] + source(0)?) * from[2] + source(1)?)
    })
}

/// Replaces one axis by the elements at `chosen` along it, arranged in the shape `arranged`.
pub(crate) fn take(
    budget: &mut Budget,
    from: &[usize],
    axis: usize,
    chosen: &[usize],
    arranged: &[usize],
) -> Result<IndexMap, Problem> {
    let inner: usize = from[axis + 1..].iter().product();
    let outer: usize = from[..axis].iter().product();
    let dims: Vec<usize> = [&from[..axis], arranged, &from[axis + 1..]].concat();
    let mut index = allocated(budget, &dims)?;
    for o in 0..outer {
        for &c in chosen {
            let start = (o * from[axis] + c) * inner;
            index.extend((start..start + inner).map(|i| Some(i as u32)));
        }
    }
    Ok(IndexMap { index, dims })
}

/// Along each axis the elements at `start`, `start + step`, ..., as many as `dims` says; all of them exist.
pub(crate) fn slice(
    budget: &mut Budget,
    from: &[usize],
    start: &[usize],
    step: &[i64],
    dims: Vec<usize>,
) -> Result<IndexMap, Problem> {
    let steps = strides(from);
    map(budget, dims, |position| {
        let along = |axis: usize| (start[axis] as i64 + position[axis] as i64 * step[axis]) as usize * steps[axis];
        Some((0..from.len()).map(along).sum())
    })
}

/// Puts an operand at `start` along one axis that then has `extent` elements; the others stay empty.
pub(crate) fn place(
    budget: &mut Budget,
    from: &[usize],
    axis: usize,
    start: usize,
    extent: usize,
) -> Result<IndexMap, Problem> {
    let steps = strides(from);
    let mut dims = from.to_vec();
    dims[axis] = extent;
    map(budget, dims, |position| {
        let inside = position[axis].checked_sub(start).filter(|&i| i < from[axis])?;
        let along = |k: usize| if k == axis { inside * steps[k] } else { position[k] * steps[k] };
        Some((0..from.len()).map(along).sum())
    })
}

/// The whole repeated along each axis.
pub(crate) fn tile(budget: &mut Budget, from: &[usize], repeats: &[usize]) -> Result<IndexMap, Problem> {
    let steps = strides(from);
    let dims: Option<Vec<usize>> = from.iter().zip(repeats).map(|(d, r)| d.checked_mul(*r)).collect();
    let dims = dims.ok_or_else(|| Problem::Shape(format!("{from:?} repeated {repeats:?} times is too large")))?;
    map(budget, dims, |position| Some((0..from.len()).map(|axis| position[axis] % from[axis] * steps[axis]).sum()))
}

/// An axis counted from the front, or from the back if negative.
pub(crate) fn axis(axis: i64, rank: usize) -> Option<usize> {
    let from_front = if axis < 0 { axis + i64::try_from(rank).ok()? } else { axis };
    usize::try_from(from_front).ok().filter(|&a| a < rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indices(map: &IndexMap) -> Vec<i64> {
        map.index.iter().map(|i| i.map_or(-1, i64::from)).collect()
    }

    #[test]
    fn broadcasts_like_numpy() {
        assert_eq!(broadcast_dims(&[3, 1], &[2, 1, 4]), Ok(vec![2, 3, 4]));
        assert_eq!(broadcast_dims(&[], &[2]), Ok(vec![2]));
        assert!(broadcast_dims(&[2], &[3]).is_err());
        assert_eq!(
            indices(&expand(&mut Budget::new(0), &[2, 1], &[2, 2, 3]).unwrap()),
            [0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1]
        );
        assert_eq!(indices(&expand(&mut Budget::new(0), &[], &[2]).unwrap()), [0, 0]);
    }

    #[test]
    fn lengths_are_bounded() {
        assert_eq!(checked_len(&[2, 3]), Ok(6));
        assert_eq!(checked_len(&[]), Ok(1));
        assert_eq!(checked_len(&[0, 1 << 20]), Ok(0));
        assert!(checked_len(&[0, 1 << 40, 1 << 40]).is_err());
        assert!(checked_len(&[1; 33]).is_err());
    }

    #[test]
    fn permutes_pads_and_takes() {
        let t = transpose(&mut Budget::new(0), &[2, 3], &[1, 0]).unwrap();
        assert_eq!((indices(&t), t.dims), (vec![0, 3, 1, 4, 2, 5], vec![3, 2]));
        let p = pad(&mut Budget::new(0), &[1, 3], &[0, 1], &[0, -1], Outside::Zero).unwrap();
        assert_eq!((indices(&p), p.dims), (vec![-1, 0, 1], vec![1, 3]));
        assert!(pad(&mut Budget::new(0), &[1, 3], &[0, -2], &[0, -2], Outside::Zero).is_err());
        let s = spread(&mut Budget::new(0), [1, 1, 3], [1, 2], [(0, 0), (-1, 0)]).unwrap();
        assert_eq!((indices(&s), s.dims), (vec![-1, 1, -1, 2], vec![1, 1, 1, 4]));
        assert!(spread(&mut Budget::new(0), [1, 1, 3], [1, 2], [(0, 0), (-3, -2)]).is_err());
        let g = take(&mut Budget::new(0), &[1, 3], 1, &[2, 0, 2, 1], &[2, 2]).unwrap();
        assert_eq!((indices(&g), g.dims), (vec![2, 0, 2, 1], vec![1, 2, 2]));
    }

    #[test]
    fn slices_places_and_tiles() {
        let s = slice(&mut Budget::new(0), &[2, 3], &[0, 2], &[1, -2], vec![2, 2]).unwrap();
        assert_eq!(indices(&s), [2, 0, 5, 3]);
        let p = place(&mut Budget::new(0), &[2, 1], 1, 1, 3).unwrap();
        assert_eq!((indices(&p), p.dims), (vec![-1, 0, -1, -1, 1, -1], vec![2, 3]));
        let t = tile(&mut Budget::new(0), &[2, 1], &[2, 2]).unwrap();
        assert_eq!((indices(&t), t.dims), (vec![0, 0, 1, 1, 0, 0, 1, 1], vec![4, 2]));
    }

    #[test]
    fn pads_with_what_is_there() {
        let around =
            |outside, before, after| pad(&mut Budget::new(0), &[3], &[before], &[after], outside).map(|p| indices(&p));
        assert_eq!(around(Outside::Edge, 2, 1).unwrap(), [0, 0, 0, 1, 2, 2]);
        assert_eq!(around(Outside::Reflect, 2, 2).unwrap(), [2, 1, 0, 1, 2, 1, 0]);
        assert_eq!(around(Outside::Wrap, 4, 1).unwrap(), [2, 0, 1, 2, 0, 1, 2, 0]);
        // What is removed is not there.
        assert_eq!(around(Outside::Edge, -1, 2).unwrap(), [1, 2, 2, 2]);
        assert_eq!(around(Outside::Reflect, 1, -1).unwrap(), [1, 0, 1]);
        assert!(around(Outside::Reflect, 3, 0).is_err());
        assert!(around(Outside::Edge, -3, 1).is_err());
        assert!(around(Outside::Wrap, i64::MAX, i64::MAX).is_err());
        assert!(around(Outside::Zero, i64::MIN, 0).is_err());
        assert!(around(Outside::Zero, -5, i64::MIN).is_err());
    }

    #[test]
    fn negative_axes_count_from_the_back() {
        assert_eq!((axis(-1, 3), axis(2, 3), axis(3, 3), axis(-4, 3)), (Some(2), Some(2), None, None));
        assert_eq!(axis(i64::MIN, 3), None);
    }
}
