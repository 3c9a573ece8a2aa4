//! What each of several forms that are bounded side by side has for itself: multipliers, and cases of a split.

use crate::Multipliers;
use crate::table::Case;

/// What one form does not share with the others.
#[derive(Clone, Copy, Default)]
pub(crate) struct Lane<'a> {
    /// By ascending Relu.
    pub(crate) multipliers: &'a [Multipliers],
    /// Bounds within those of the table, ascending by node and index.
    pub(crate) cases: &'a [Case],
}

impl<'a> Lane<'a> {
    /// The multipliers of a Relu.
    pub(crate) fn given(&self, relu: usize) -> Option<&'a Multipliers> {
        let at = self.multipliers.binary_search_by_key(&relu, |m| m.relu.0).ok()?;
        Some(&self.multipliers[at])
    }

    /// The cases of elements of one node.
    pub(crate) fn cases(&self, node: usize) -> &'a [Case] {
        let start = self.cases.partition_point(|case| (case.node as usize) < node);
        let len = self.cases[start..].partition_point(|case| case.node as usize == node);
        &self.cases[start..start + len]
    }
}

/// What the forms have for themselves at one Relu, gone through by ascending position.
pub(crate) struct Special<'a, const B: usize> {
    lanes: [Lists<'a>; B],
    /// The position of the first entry that is left; none is as large as `usize::MAX`.
    pub(crate) next: usize,
    given: bool,
}

/// Ascending lists of one form.
#[derive(Clone, Copy, Default)]
struct Lists<'a> {
    slopes: &'a [(u32, u8)],
    raw: &'a [(u32, f64)],
    cases: &'a [Case],
}

/// What one form has for itself at one element.
pub(crate) struct Entry {
    pub(crate) slope: Option<u8>,
    pub(crate) raw: Option<f64>,
    pub(crate) bounds: Option<(f64, f64)>,
}

impl<const B: usize> Default for Special<'_, B> {
    fn default() -> Self {
        Self { lanes: [Lists::default(); B], next: usize::MAX, given: false }
    }
}

impl<'a, const B: usize> Special<'a, B> {
    /// At a Relu and the node that it reads.
    pub(crate) fn new(lanes: &[Lane<'a>; B], relu: usize, input: usize) -> Self {
        let mut special = Self::default();
        for (lists, lane) in special.lanes.iter_mut().zip(lanes) {
            lists.cases = lane.cases(input);
            if let Some(given) = lane.given(relu) {
                (lists.slopes, lists.raw) = (&given.slopes, &given.raw);
                special.given = true;
            }
        }
        special.find();
        special
    }

    /// Whether some form has multipliers here.
    pub(crate) fn is_given(&self) -> bool {
        self.given
    }

    /// The largest multiplier that is given outright, per form.
    pub(crate) fn largest_raw(&self) -> [f64; B] {
        self.lanes.map(|lane| lane.raw.iter().fold(0.0f64, |most, (_, v)| most.max(v.abs())))
    }

    /// What the forms have at position [`Special::next`], and on to the one after it.
    pub(crate) fn take(&mut self) -> [Entry; B] {
        let k = self.next;
        let entries = std::array::from_fn(|b| {
            let Lists { slopes, raw, cases } = &mut self.lanes[b];
            let slope = take(slopes, |s| s.0, k).map(|s| s.1);
            let raw = take(raw, |r| r.0, k).map(|r| r.1);
            let bounds = take(cases, |case| case.index, k).map(|case| (case.lower, case.upper));
            Entry { slope, raw, bounds }
        });
        self.find();
        entries
    }

    fn find(&mut self) {
        let first = |lists: &Lists<'_>| {
            let heads = [lists.slopes.first().map(|s| s.0), lists.raw.first().map(|r| r.0)];
            let heads = heads.into_iter().chain([lists.cases.first().map(|case| case.index)]);
            heads.flatten().min()
        };
        self.next = self.lanes.iter().filter_map(first).min().map_or(usize::MAX, |k| k as usize);
    }
}

/// The entry of an ascending list that belongs to position `k`, if it is the next.
fn take<T: Copy>(list: &mut &[T], position: impl Fn(&T) -> u32, k: usize) -> Option<T> {
    match *list {
        [first, rest @ ..] if position(first) as usize == k => {
            *list = rest;
            Some(*first)
        }
        _ => None,
    }
}
