//! Rows: what each lifted element is in terms of the inputs and the lifted elements before it.

use super::variables::Variables;
use crate::adjoint::{Adjoint, Incoming};
use crate::backward::{Backward, Scene};
use crate::layers::Image;
use crate::propagate::{Prover, Walker};
use crate::queue::share;
use crate::real::{Real, Sums, ceil, inflate, magnitude, mul_up};
use crate::table::Bounds;

/// On all points that obey the table, the element is `centre` plus the products of `coefficients` and the variables' distances from
/// their centres, up to `error`.
pub(crate) struct Row<R> {
    /// One per input variable, then one per lifted variable before this one.
    pub(crate) coefficients: Vec<R>,
    pub(crate) centre: R,
    pub(crate) error: f64,
}

/// How rows pass a Relu.
pub(crate) struct Lifting<'a, R, const B: usize> {
    variables: &'a Variables,
    /// What the rows have collected of each lifted variable.
    coefficients: Vec<[R; B]>,
}

impl<'a, R: Real, const B: usize> Lifting<'a, R, B> {
    fn new(variables: &'a Variables) -> Self {
        let coefficients = vec![std::array::from_fn(|_| R::zero()); variables.lifted.len()];
        Self { variables, coefficients }
    }

    /// The adjoint of a lifted element is its coefficient and goes no further; that of an active one passes on. An undecided one that is not
    /// lifted is taken for dead or active, whichever is nearer, and the difference charged: it may be undecided by rounding alone.
    #[inline(always)]
    pub(crate) fn through_relu(
        &mut self,
        relu: usize,
        bounds: &Bounds,
        own: &Adjoint<R, B>,
        image: Image,
        target: &mut Adjoint<R, B>,
        constant: &mut Sums<R, B>,
    ) {
        // What passes is exact; what it differs by from the row's true adjoint is charged here.
        target.open(image, &own.window, &Incoming { roundings: 0, size: own.size(image), carried: [0.0; B] });
        let mut lifted = self.variables.of_relu(relu).peekable();
        let (mut positive, mut count) = (0.0, 0);
        for k in own.spans(image).flatten() {
            while lifted.next_if(|j| self.variables.lifted[*j].index < k).is_some() {}
            if bounds.upper[k] <= 0.0 {
                continue;
            }
            (positive, count) = (positive + bounds.upper[k], count + 1);
            let a = &own.values[k];
            if let Some(j) = lifted.next_if(|j| self.variables.lifted[*j].index == k) {
                let centre = R::from_f64(self.variables.lifted[j].variable.centre);
                constant.add(|b| a[b].times(&centre));
                self.coefficients[j] = a.clone();
                continue;
            }
            let (below, above) = (-bounds.lower[k].min(0.0), bounds.upper[k]);
            if below < above {
                for (t, a) in target.values[k].iter_mut().zip(a) {
                    *t = t.plus(a);
                }
            }
            if below > 0.0 && !a.iter().all(Real::is_zero) {
                let off = below.min(above);
                constant.lose(&std::array::from_fn(|b| mul_up(ceil(&magnitude(a[b].clone())), off)));
            }
        }
        let positive = inflate(positive, count);
        constant.lose(&own.error.map(|e| mul_up(e, positive)));
    }
}

impl<R: Real, const B: usize> Prover<R, B> {
    /// The rows of all lifted variables.
    pub(crate) fn rows(&mut self, variables: &Variables) -> Vec<Row<R>> {
        let numbers: Vec<usize> = (0..variables.lifted.len()).collect();
        let batches: Vec<&[usize]> = numbers.chunks(B).collect();
        let (scene, walkers) = self.walkers(batches.len());
        let rows = share(walkers, batches.len(), |Walker { batch, .. }, k| rows(&scene, batch, variables, batches[k]));
        rows.into_iter().flatten().collect()
    }
}

/// The rows of up to `B` lifted variables.
fn rows<R: Real, const B: usize>(
    scene: &Scene<R>,
    walk: &mut Backward<R, B>,
    variables: &Variables,
    batch: &[usize],
) -> Vec<Row<R>> {
    for (b, &k) in batch.iter().enumerate() {
        let element = &variables.lifted[k];
        walk.seed(scene.layers, element.node, element.index, b, 1.0, 0.0);
    }
    let mut lifting = Lifting::new(variables);
    walk.descend_to(scene, &mut lifting);
    let Lifting { coefficients, .. } = lifting;
    walk.centre(scene, &variables.centres);
    let row = |(b, &k): (usize, &usize)| {
        let inputs = variables.inputs.iter().map(|input| walk.coefficient(input.index, b));
        let before = coefficients[..k].iter().map(|c| c[b].clone());
        let coefficients = inputs.chain(before).collect();
        let (centre, error) = walk.constant.around(b);
        Row { coefficients, centre, error }
    };
    let rows = batch.iter().enumerate().map(row).collect();
    walk.reset(scene.layers);
    rows
}

impl<R: Real, const B: usize> Backward<R, B> {
    /// After the walk: adds what the forms are at the centres of all inputs, and charges the error of the input's adjoint.
    pub(crate) fn centre(&mut self, scene: &Scene<R>, centres: &[f64]) {
        let image = scene.layers.nodes[0].image;
        let (mut total, mut count) = (0.0, 0);
        for i in self.input().spans(image).flatten() {
            let centre = R::from_f64(centres[i]);
            let values = self.input().values[i].clone();
            self.constant.add(|b| values[b].times(&centre));
            (total, count) = (total + scene.table.input().magnitude(i), count + 1);
        }
        let total = inflate(total, count);
        self.constant.lose(&self.input().error.map(|e| mul_up(e, total)));
    }

    /// After the walk: the coefficient of an input in form `b`.
    pub(crate) fn coefficient(&self, input: usize, b: usize) -> R {
        self.input().values.get(input).map_or(R::zero(), |values| values[b].clone())
    }
}
