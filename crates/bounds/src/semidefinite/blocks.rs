//! A matrix of which blocks of zeros are left out: a row of a convolution reads few variables.

use std::ops::Range;

/// Columns come in blocks of this many: the floats of the widest register.
pub(super) const WIDTH: usize = 16;

/// Row by row its blocks other than zero, and for each block of columns who has it.
#[derive(Debug)]
pub(super) struct Blocks {
    /// Where each row's blocks begin, and where the last row's end.
    starts: Vec<usize>,
    /// Of each block, its first column by [`WIDTH`].
    places: Vec<u32>,
    values: Vec<[f32; WIDTH]>,
    /// Of each row, whether it has blocks where the one before has them.
    alike: Vec<bool>,
    /// For each block of columns, the rows that have it, in order, and the number of it in `values`.
    readers: Vec<Vec<(u32, u32)>>,
}

impl Blocks {
    /// Without rows; `columns` is a multiple of [`WIDTH`].
    pub(super) fn new(columns: usize) -> Self {
        let readers = vec![Vec::new(); columns / WIDTH];
        Self { starts: vec![0], places: Vec::new(), values: Vec::new(), alike: Vec::new(), readers }
    }

    /// One more row, given densely.
    pub(super) fn push(&mut self, row: &[f32]) {
        let number = self.rows() as u32;
        let (blocks, _) = row.as_chunks::<WIDTH>();
        for (place, block) in blocks.iter().enumerate().filter(|(_, block)| block.iter().any(|a| *a != 0.0)) {
            self.readers[place].push((number, self.values.len() as u32));
            self.places.push(place as u32);
            self.values.push(*block);
        }
        self.starts.push(self.values.len());
        let last = self.rows() - 1;
        self.alike.push(last > 0 && self.row(last).0 == self.row(last - 1).0);
    }

    pub(super) fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// The blocks of a row: the places and what stands there.
    #[inline(always)]
    pub(super) fn row(&self, r: usize) -> (&[u32], &[[f32; WIDTH]]) {
        let blocks = self.starts[r]..self.starts[r + 1];
        (&self.places[blocks.clone()], &self.values[blocks])
    }

    /// Whether a row has blocks where the one before has them.
    #[inline(always)]
    pub(super) fn is_alike(&self, r: usize) -> bool {
        self.alike[r]
    }

    /// Which of some rows have a block of columns, and which of [`Blocks::values`] it is.
    #[inline(always)]
    pub(super) fn readers(&self, place: usize, rows: &Range<usize>) -> &[(u32, u32)] {
        let all = &self.readers[place];
        let before = |end: usize| all.partition_point(|(r, _)| (*r as usize) < end);
        &all[before(rows.start)..before(rows.end)]
    }

    /// How many coefficients are stored.
    pub(super) fn coefficients(&self) -> usize {
        WIDTH * self.values.len()
    }

    #[inline(always)]
    pub(super) fn values(&self) -> &[[f32; WIDTH]] {
        &self.values
    }

    /// `to += by * row`.
    pub(super) fn add(&self, r: usize, by: f32, to: &mut [f32]) {
        let (places, values) = self.row(r);
        let (to, _) = to.as_chunks_mut::<WIDTH>();
        for (place, block) in places.iter().zip(values) {
            to[*place as usize].iter_mut().zip(block).for_each(|(to, a)| *to += by * a);
        }
    }
}
