//! The adjoint of one node: what the linear forms being bounded add up to there.

use crate::layers::Image;
use crate::real::{Real, add_up, gamma, mul_up, sane, tiny};
use crate::window::Window;
use std::ops::Range;

/// Adjoints of `B` forms side by side. Zero outside the window; only ever added to until the node is visited.
#[derive(Clone)]
pub(crate) struct Adjoint<R, const B: usize> {
    /// One per element and form; empty until first needed.
    pub(crate) values: Vec<[R; B]>,
    /// No value inside the window is farther than this from what it stands for, but for those of dead Relus, which nothing is made of.
    /// Outside, zeros are exact.
    pub(crate) error: [f64; B],
    pub(crate) window: Window,
}

/// What is about to be added to an adjoint, for its error bound.
pub(crate) struct Incoming<const B: usize> {
    /// Roundings that each term passes through, not counting the addition to what is there already.
    pub(crate) roundings: usize,
    /// At least the sum of the magnitudes of the terms that one element receives.
    pub(crate) size: [f64; B],
    /// The error that the terms bring with them.
    pub(crate) carried: [f64; B],
}

impl<R: Real, const B: usize> Adjoint<R, B> {
    pub(crate) fn new() -> Self {
        Self { values: Vec::new(), error: [0.0; B], window: Window::default() }
    }

    /// Adds `value`, known up to `error`, to element `index` of form `b`.
    pub(crate) fn seed(&mut self, image: Image, index: usize, b: usize, value: f64, error: f64) {
        self.reserve(image);
        self.window.join(&Window::of(index, image));
        let element = &mut self.values[index][b];
        let fresh = element.is_zero();
        *element = element.plus(&R::from_f64(value));
        let rounding = if fresh { 0.0 } else { mul_up(gamma::<R>(1), element.size()) };
        self.error[b] = add_up(add_up(self.error[b], error), rounding);
    }

    /// The values are only allocated when they are needed.
    fn reserve(&mut self, image: Image) {
        if self.values.is_empty() {
            self.values = vec![std::array::from_fn(|_| R::zero()); image.len()];
        }
    }

    /// Prepares for adding to elements of a window: grows the window and the error bound.
    #[inline(always)]
    pub(crate) fn open(&mut self, image: Image, window: &Window, incoming: &Incoming<B>) {
        self.reserve(image);
        if window.is_empty() {
            // Nothing is added, and nothing would clear an error here: the walk passes by nodes without a window.
            return;
        }
        let occupied = !self.window.is_empty();
        let present = if occupied { self.size(image) } else { [0.0; B] };
        let roundings = incoming.roundings + usize::from(occupied);
        for b in 0..B {
            let total = add_up(incoming.size[b], present[b]);
            let rounding = add_up(mul_up(gamma::<R>(roundings), total), tiny::<R>(roundings));
            let error = add_up(add_up(self.error[b], incoming.carried[b]), rounding);
            // Below the limit no intermediate result overflows; beyond, nothing can be said.
            self.error[b] = if sane(total) && sane(error) { error } else { f64::INFINITY };
        }
        self.window.join(window);
    }

    /// The largest magnitudes (zero where nothing rounds).
    #[inline(always)]
    pub(crate) fn size(&self, image: Image) -> [f64; B] {
        let mut size = [0.0f64; B];
        if R::UNIT > 0.0 {
            for span in self.spans(image) {
                for v in &self.values[span] {
                    for b in 0..B {
                        let s = v[b].size();
                        size[b] = if s > size[b] { s } else { size[b] };
                    }
                }
            }
        }
        size
    }

    /// The positions of the window.
    #[inline(always)]
    pub(crate) fn spans(&self, image: Image) -> impl Iterator<Item = Range<usize>> + use<R, B> {
        self.window.spans(image)
    }

    /// Back to zero.
    #[inline(always)]
    pub(crate) fn clear(&mut self, image: Image) {
        for span in self.spans(image) {
            self.values[span].fill(std::array::from_fn(|_| R::zero()));
        }
        self.error = [0.0; B];
        self.window = Window::default();
    }
}
