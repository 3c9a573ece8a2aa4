//! Rectangles of images: the part of a value that an adjoint can reach.

use crate::layers::{Conv, Image};
use std::ops::Range;

/// Rows and columns, of all channels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Window {
    pub(crate) rows: Range<usize>,
    pub(crate) columns: Range<usize>,
}

impl Window {
    pub(crate) fn full(Image([_, height, width]): Image) -> Self {
        Self { rows: 0..height, columns: 0..width }
    }

    /// The place of one element.
    pub(crate) fn of(index: usize, Image([_, height, width]): Image) -> Self {
        let (y, x) = (index / width % height, index % width);
        Self { rows: y..y + 1, columns: x..x + 1 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() || self.columns.is_empty()
    }

    /// How many positions there are in an image.
    pub(crate) fn len(&self, Image([channels, ..]): Image) -> usize {
        channels * self.rows.len() * self.columns.len()
    }

    /// Grows to the smallest rectangle that holds both.
    pub(crate) fn join(&mut self, other: &Self) {
        if self.is_empty() {
            *self = other.clone();
        } else if !other.is_empty() {
            let hull = |a: &Range<usize>, b: &Range<usize>| a.start.min(b.start)..a.end.max(b.end);
            self.rows = hull(&self.rows, &other.rows);
            self.columns = hull(&self.columns, &other.columns);
        }
    }

    /// The positions in the window, as row-major stretches.
    pub(crate) fn spans(&self, Image([channels, height, width]): Image) -> impl Iterator<Item = Range<usize>> + use<> {
        // Whole rows lie side by side; whole images too.
        let whole_rows = self.columns.len() == width;
        let whole = whole_rows && self.rows.len() == height;
        let (channels, channel_stride) =
            if whole { (1, channels * height * width) } else { (channels, height * width) };
        let rows = if whole_rows { self.rows.start..self.rows.start + 1 } else { self.rows.clone() };
        let len = if whole {
            channel_stride
        } else if whole_rows {
            self.rows.len() * width
        } else {
            self.columns.len()
        };
        let start = self.columns.start;
        let channels = if self.is_empty() { 0 } else { channels };
        (0..channels).flat_map(move |c| {
            rows.clone().map(move |y| c * channel_stride + y * width + start).map(move |s| s..s + len)
        })
    }

    /// What a convolution reads to compute the window of its output.
    pub(crate) fn read_by(&self, conv: &Conv) -> Self {
        let along = |axis: usize, out: &Range<usize>| {
            let taps = conv.taps[axis][out.clone()].iter().filter(|t| t.count > 0);
            let end = |t: &crate::layers::Taps| t.source + (t.count - 1) * conv.dilation[axis] + 1;
            let start = taps.clone().map(|t| t.source).min().unwrap_or(0);
            start..taps.map(end).max().unwrap_or(0)
        };
        Self { rows: along(0, &self.rows), columns: along(1, &self.columns) }
    }
}
