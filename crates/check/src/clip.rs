//! Clips: ends of the input box beyond which nothing is unsafe.

use crate::check::Checker;
use crate::form::check_multipliers;
use crate::lane::Lane;
use crate::real::{Real, sane};
use crate::region::box_minimum;
use crate::{End, LinearForm, Side, WrongStep};
use unmoved_ir::NodeId;

impl<R: Real, const B: usize> Checker<'_, R, B> {
    /// Wherever the disjunct holds, the form is at most zero; so it is there that the linear form below it, constant plus
    /// `rho . x`, is at most zero. All ends are justified before any is moved.
    pub(crate) fn clip(&mut self, form: &LinearForm, ends: &[End]) -> Result<(), WrongStep> {
        self.descend(form)?;
        let wrong = ends.iter().find_map(|end| self.unjustified(end).err());
        let (scene, walk) = self.prover.single();
        walk.reset(scene.layers);
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        for end in ends {
            let (lower, upper) = match end.side {
                Side::Lower => (end.at, f64::INFINITY),
                Side::Upper => (f64::NEG_INFINITY, end.at),
            };
            self.prover.table.tighten(0, end.index as usize, lower, upper);
        }
        Ok(())
    }

    fn unjustified(&mut self, end: &End) -> Result<(), WrongStep> {
        let (_, index) = self.element(NodeId(0), end.index)?;
        let refused = WrongStep::ClipNotJustified { index: end.index, side: end.side, at: end.at };
        let (scene, walk) = self.prover.single();
        let (input, rho) = (scene.table.input(), walk.input());
        let slope = rho.values.get(index).map_or(R::zero(), |[v]| v.clone());
        // The minimum over the box is taken at this end of the element; beyond `at` the form exceeds it by what follows.
        let from = match end.side {
            Side::Upper if slope > R::zero() => input.lower[index],
            Side::Lower if slope < R::zero() => input.upper[index],
            _ => return Err(refused),
        };
        if !sane(end.at) {
            return Err(refused);
        }
        let mut sum = walk.constant.clone();
        box_minimum(rho, scene.layers.nodes[0].image, input, &mut sum);
        sum.add(|_| slope.times(&R::from_f64(end.at)));
        sum.add(|_| slope.times(&R::from_f64(-from)));
        if sum.lower(0) >= 0.0 { Ok(()) } else { Err(refused) }
    }

    /// Checks a form and walks it down to the input.
    pub(crate) fn descend(&mut self, form: &LinearForm) -> Result<(), WrongStep> {
        check_multipliers(&self.prover.layers, &form.multipliers)?;
        let combined = self.combine(&form.lambda)?;
        let (scene, walk) = self.prover.single();
        walk.begin(scene.layers, 0, &combined);
        walk.descend(&scene, [Lane { multipliers: &form.multipliers, cases: &[] }]);
        Ok(())
    }
}
