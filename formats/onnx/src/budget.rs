//! How much an import may build.

use crate::Problem;

/// The most elements, of four bytes, of weights, index maps, scales and folded constants together: a few bytes of a file
/// can ask for a gigabyte of these (of weights too, since many nodes may share them and each fold needs its own), and for
/// another with the next few. A floor, which is enough for the index map of `[64, 224, 224]`, and one for each byte of
/// the file and its external data, which is four times what its own weights need.
const FLOOR: usize = 1 << 23;

/// What may still be built. Whatever is built is paid for before it is allocated.
#[derive(Debug)]
pub(crate) struct Budget {
    elements: usize,
}

impl Budget {
    /// For a model of so many bytes, its external data included.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { elements: FLOOR.saturating_add(bytes) }
    }

    /// Pays for so many numbers of four bytes.
    pub(crate) fn spend(&mut self, elements: usize) -> Result<(), Problem> {
        match self.elements.checked_sub(elements) {
            Some(rest) => {
                self.elements = rest;
                Ok(())
            }
            None => Err(Problem::Shape(format!(
                "the model needs weights and index maps of more than its size and {FLOOR} elements"
            ))),
        }
    }
}
