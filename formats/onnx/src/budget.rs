//! How much an import may build.

use crate::Problem;

/// The most elements of weights, index maps, scales and folded constants together: a few bytes of a file can ask for a
/// gigabyte of these (of weights too, since many nodes may share them and each fold needs its own), and for another
/// with the next few.
const MAX_BUILT: usize = 1 << 28;

/// What is left of [`MAX_BUILT`]. Whatever is built is paid for before it is allocated.
#[derive(Debug)]
pub(crate) struct Budget {
    elements: usize,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self { elements: MAX_BUILT }
    }

    /// Pays for so many numbers of four bytes.
    pub(crate) fn spend(&mut self, elements: usize) -> Result<(), Problem> {
        match self.elements.checked_sub(elements) {
            Some(rest) => {
                self.elements = rest;
                Ok(())
            }
            None => {
                Err(Problem::Shape(format!("the model needs weights and index maps of more than {MAX_BUILT} elements")))
            }
        }
    }
}
