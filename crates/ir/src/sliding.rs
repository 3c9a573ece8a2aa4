//! The geometry of convolutions and max-pools.

use crate::{NodeProblem, Shape};
use std::ops::Range;

/// A window sliding over an image: which input element each tap of each output position reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sliding {
    /// Channels, height and width of the input.
    pub input: [usize; 3],
    /// Height and width of the output.
    pub output: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    before: [usize; 2],
    dilation: [usize; 2],
}

impl Sliding {
    pub(crate) fn new(
        input: &Shape,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 4],
        dilation: [usize; 2],
    ) -> Result<Self, NodeProblem> {
        let image = input.image().ok_or_else(|| NodeProblem::mismatch("input", "[channels height width]", input))?;
        let mut output = [0; 2];
        for axis in 0..2 {
            if kernel[axis] == 0 || stride[axis] == 0 || dilation[axis] == 0 {
                return Err(NodeProblem::Attribute("kernel, stride and dilation must be at least 1".into()));
            }
            let overflow = || NodeProblem::Attribute("padding or dilation overflows".into());
            let padded = image[1 + axis]
                .checked_add(padding[axis])
                .and_then(|v| v.checked_add(padding[axis + 2]))
                .ok_or_else(overflow)?;
            let span =
                (kernel[axis] - 1).checked_mul(dilation[axis]).and_then(|v| v.checked_add(1)).ok_or_else(overflow)?;
            if span > padded {
                return Err(NodeProblem::mismatch("window", format!("at most {padded} wide"), span));
            }
            output[axis] = (padded - span) / stride[axis] + 1;
        }
        // Bounds every later allocation and every product of coordinates.
        Shape::new(&[image[0], output[0], output[1]])?;
        Ok(Self { input: image, output, kernel, stride, before: [padding[0], padding[1]], dilation })
    }

    /// The input coordinate that tap `tap` reads for output coordinate `out` along `axis` (0 down, 1 right);
    /// `None` in the padding.
    pub fn source(&self, axis: usize, out: usize, tap: usize) -> Option<usize> {
        (out * self.stride[axis] + tap * self.dilation[axis])
            .checked_sub(self.before[axis])
            .filter(|&i| i < self.input[1 + axis])
    }

    /// The taps along `axis` that read the input, not the padding, for output coordinate `out`; they are consecutive.
    pub fn valid_taps(&self, axis: usize, out: usize) -> Range<usize> {
        let (start, step) = (out * self.stride[axis], self.dilation[axis]);
        let tap_at = |from_start: usize| from_start.saturating_sub(start).div_ceil(step).min(self.kernel[axis]);
        let first = tap_at(self.before[axis]);
        first..tap_at(self.before[axis] + self.input[1 + axis]).max(first)
    }

    /// Whether some window lies wholly in the padding along `axis`.
    pub(crate) fn has_empty_window(&self, axis: usize) -> bool {
        let is_empty = |out: usize| self.valid_taps(axis, out).is_empty();
        let outputs = self.output[axis];
        // The first taps of windows that begin inside the image read it. Steps that do not jump over the image hit it from
        // the left if they go far enough, which is hardest for the first window; from the right nothing does. So the ends
        // tell, however many windows a file claims.
        if self.dilation[axis] <= self.input[1 + axis] {
            is_empty(0) || is_empty(outputs - 1)
        } else {
            (0..outputs).any(is_empty)
        }
    }

    /// The number of taps of one output position that read the input.
    pub fn count_taps(&self, row: usize, column: usize) -> usize {
        self.valid_taps(0, row).len() * self.valid_taps(1, column).len()
    }

    /// The taps of one output position as `(row tap, column tap, input row, input column)`, without those in the padding.
    pub fn taps(&self, row: usize, column: usize) -> impl Iterator<Item = (usize, usize, usize, usize)> + '_ {
        // Only valid taps are visited: a file may claim a huge kernel over a huge padding.
        self.valid_taps(0, row).filter_map(move |ky| self.source(0, row, ky).map(|y| (ky, y))).flat_map(
            move |(ky, y)| {
                let columns = self.valid_taps(1, column);
                columns.filter_map(move |kx| self.source(1, column, kx).map(|x| (ky, kx, y, x)))
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ends of an axis say what looking at every window says.
    #[test]
    fn empty_windows_are_found_at_the_ends() {
        let (mut empty, mut full) = (0, 0);
        for code in 0..6 * 4 * 4 * 5 * 5 * 7 {
            let digit = |size: &mut usize, base: usize| (*size % base, *size /= base).0;
            let mut rest = code;
            let [input, kernel, stride, before, after] = [6, 4, 4, 5, 5].map(|base| digit(&mut rest, base));
            let (image, dilation) = (Shape::new(&[1, input + 1, 1]).expect("small"), rest + 1);
            let padding = [before, 0, after, 0];
            let (kernel, stride) = ([kernel + 1, 1], [stride + 1, 1]);
            let Ok(sliding) = Sliding::new(&image, kernel, stride, padding, [dilation, 1]) else { continue };
            let expected = (0..sliding.output[0]).any(|out| sliding.valid_taps(0, out).is_empty());
            assert_eq!(sliding.has_empty_window(0), expected, "{sliding:?}");
            if expected { empty += 1 } else { full += 1 }
        }
        assert!(empty > 100 && full > 100);
    }
}
