//! The bound of a linear form: one walk from the node where it starts down to the input, collecting adjoints.

use crate::adjoint::{Adjoint, Incoming};
use crate::form::Combined;
use crate::lane::{Lane, Special};
use crate::layers::{Affine, Gather, Image, Kind, Layers, Map};
use crate::quadratic::Lifting;
use crate::real::{Real, Sums, mul_up, sum_up};
use crate::region::Region;
use crate::relu::through_relu;
use crate::table::Table;
use crate::window::Window;

/// What bounds are computed from.
pub(crate) struct Scene<'a, R> {
    pub(crate) layers: &'a Layers<R>,
    pub(crate) region: &'a Region,
    pub(crate) table: &'a Table,
    /// Per node, how far each element may be from what the stored weights say; empty for exact nodes.
    pub(crate) slack: &'a [Vec<f64>],
}

/// `B` linear forms being bounded side by side. Seed them, [`Backward::descend`], then take the minimum.
pub(crate) struct Backward<R, const B: usize> {
    adjoints: Vec<Adjoint<R, B>>,
    /// The constants of the forms so far.
    pub(crate) constant: Sums<R, B>,
    /// The highest node that was seeded.
    top: usize,
    /// Of the node that is being added to, the elements whose adjoints count; empty if all do.
    wanted: Vec<bool>,
}

/// [`Backward::walk`] compiled once more for each kind of processor: the same operations in the same order, so the same results,
/// with wider registers where there are any.
struct Walk<'a, 'l, R, const B: usize> {
    backward: &'a mut Backward<R, B>,
    scene: &'a Scene<'a, R>,
    lanes: [Lane<'a>; B],
    lifting: Option<&'a mut Lifting<'l, R, B>>,
}

impl<R: Real, const B: usize> pulp::WithSimd for Walk<'_, '_, R, B> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        self.backward.walk(self.scene, self.lanes, self.lifting);
    }
}

impl<R: Real, const B: usize> Backward<R, B> {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { adjoints: vec![Adjoint::new(); nodes], constant: Sums::zero(), top: 0, wanted: Vec::new() }
    }

    /// Adds `value`, known up to `error`, times an element of a node to form `b`.
    pub(crate) fn seed(&mut self, layers: &Layers<R>, node: usize, index: usize, b: usize, value: f64, error: f64) {
        self.adjoints[node].seed(layers.nodes[node].image, index, b, value, error);
        self.top = self.top.max(node);
    }

    /// Adds a form of the constraints to form `b`.
    pub(crate) fn begin(&mut self, layers: &Layers<R>, b: usize, combined: &Combined) {
        for (node, terms) in [(layers.output, &combined.outputs), (0, &combined.inputs)] {
            for &(index, value, error) in terms {
                self.seed(layers, node, index, b, value, error);
            }
        }
        self.constant.add(|lane| if lane == b { R::from_f64(combined.constant) } else { R::zero() });
    }

    /// Walks down to the input: afterwards the forms are [`Backward::constant`] plus the input's adjoint times the input, and no point
    /// that obeys the table and a form's own cases gives them a larger value than the form that was seeded.
    pub(crate) fn descend(&mut self, scene: &Scene<R>, lanes: [Lane<'_>; B]) {
        pulp::Arch::new().dispatch(Walk { backward: self, scene, lanes, lifting: None });
    }

    /// Walks down to the input, but for what is lifted: afterwards the forms are [`Backward::constant`] plus the input's adjoint times the
    /// input plus what `lifting` holds of the lifted elements, up to what the constant has lost.
    pub(crate) fn descend_to(&mut self, scene: &Scene<R>, lifting: &mut Lifting<'_, R, B>) {
        pulp::Arch::new().dispatch(Walk { backward: self, scene, lanes: [Lane::default(); B], lifting: Some(lifting) });
    }

    #[inline(always)]
    fn walk(&mut self, scene: &Scene<R>, lanes: [Lane<'_>; B], mut lifting: Option<&mut Lifting<'_, R, B>>) {
        let highest = lanes.iter().filter_map(|lane| lane.multipliers.last()).map(|m| m.relu.0).max();
        for node in (1..=self.top.max(highest.unwrap_or(0))).rev() {
            let layer = &scene.layers.nodes[node];
            let input = layer.inputs.first().copied().unwrap_or(0);
            let mut special = Special::default();
            if layer.is_relu() {
                special = Special::new(&lanes, node, input);
            }
            let (below, own) = self.adjoints.split_at_mut(node);
            let own = &mut own[0];
            if own.window.is_empty() && !special.is_given() {
                continue;
            }
            if !scene.slack[node].is_empty() {
                lose_slack(own, layer.image, &scene.slack[node], &mut self.constant);
            }
            let (target, target_image) = (&mut below[input], scene.layers.nodes[input].image);
            match &layer.kind {
                Kind::Input => {}
                Kind::Affine(affine) => {
                    want(scene, &lanes, input, &mut self.wanted);
                    let constant = &mut self.constant;
                    through_affine(affine, own, layer.image, target, target_image, &self.wanted, constant);
                }
                Kind::Gather(gather) => through_gather(gather, own, layer.image, target, target_image),
                Kind::Add => {
                    for &input in &layer.inputs {
                        through_copy(own, layer.image, &mut below[input]);
                    }
                }
                Kind::Relu => {
                    let bounds = scene.table.rows[input].as_ref().expect("what a Relu reads is tabled");
                    match &mut lifting {
                        None => through_relu(bounds, special, own, layer.image, target, &mut self.constant),
                        Some(lifting) => {
                            lifting.through_relu(node, bounds, own, layer.image, target, &mut self.constant);
                        }
                    }
                }
            }
            own.clear(layer.image);
        }
    }

    /// The input's adjoint: what the forms have become.
    pub(crate) fn input(&self) -> &Adjoint<R, B> {
        &self.adjoints[0]
    }

    /// The lower bounds of the forms over the region; NaN where something overflowed. Ready for other forms afterwards.
    pub(crate) fn minimum(&mut self, scene: &Scene<R>, lanes: &[Lane<'_>; B]) -> [f64; B] {
        let image = scene.layers.nodes[0].image;
        scene.region.minimum(&self.adjoints[0], image, scene.table.input(), lanes, &mut self.constant);
        let bounds = std::array::from_fn(|b| self.constant.lower(b));
        self.reset(scene.layers);
        bounds
    }

    /// [`Backward::descend`], then [`Backward::minimum`].
    pub(crate) fn bound(&mut self, scene: &Scene<R>, lanes: [Lane<'_>; B]) -> [f64; B] {
        self.descend(scene, lanes);
        self.minimum(scene, &lanes)
    }

    /// Forgets the forms.
    pub(crate) fn reset(&mut self, layers: &Layers<R>) {
        self.adjoints[0].clear(layers.nodes[0].image);
        self.constant = Sums::zero();
        self.top = 0;
    }
}

/// `constant -= sum (|a_k| + e) d_k`.
#[inline(always)]
fn lose_slack<R: Real, const B: usize>(own: &Adjoint<R, B>, image: Image, d: &[f64], constant: &mut Sums<R, B>) {
    for k in own.spans(image).flatten() {
        let d = R::from_f64(d[k]);
        constant.lose_terms(|b| {
            let product = own.values[k][b].times(&d);
            if product < R::zero() { R::zero().minus(&product) } else { product }
        });
    }
    let total = sum_up(own.spans(image).flatten().map(|k| d[k]));
    constant.lose(&own.error.map(|e| mul_up(e, total)));
}

/// Which elements of a node a Relu makes something of: not those that are dead, unless a multiplier is given for them. A Relu whose values
/// are only put in another shape is the same.
#[inline(always)]
fn want<R: Real, const B: usize>(scene: &Scene<R>, lanes: &[Lane<'_>; B], node: usize, wanted: &mut Vec<bool>) {
    wanted.clear();
    let mut relu = node;
    while let Kind::Gather(Gather { index: None, .. }) = &scene.layers.nodes[relu].kind {
        relu = scene.layers.nodes[relu].inputs[0];
    }
    let layer = &scene.layers.nodes[relu];
    if B == 1 || !layer.is_relu() {
        return;
    }
    let Some(bounds) = &scene.table.rows[layer.inputs[0]] else { return };
    wanted.extend(bounds.upper.iter().map(|u| *u > 0.0));
    for given in lanes.iter().filter_map(|lane| lane.given(relu)) {
        given.slopes.iter().for_each(|&(k, _)| wanted[k as usize] = true);
        given.raw.iter().for_each(|&(k, _)| wanted[k as usize] = true);
    }
}

/// `constant += a . b`, `A[in] += W^T a`, the latter where it is wanted.
#[inline(always)]
fn through_affine<R: Real, const B: usize>(
    affine: &Affine<R>,
    own: &Adjoint<R, B>,
    image: Image,
    target: &mut Adjoint<R, B>,
    target_image: Image,
    wanted: &[bool],
    constant: &mut Sums<R, B>,
) {
    let window = match &affine.map {
        Map::Dense { .. } => Window::full(target_image),
        Map::Conv(conv) => own.window.read_by(conv),
    };
    // What lies outside the window is zero, and no term.
    let roundings = affine.column_terms.min(own.window.len(image));
    let size = own.size(image).map(|a| mul_up(affine.column_sum, a));
    let carried = own.error.map(|e| mul_up(affine.column_sum, e));
    target.open(target_image, &window, &Incoming { roundings, size, carried });
    if B == 1 {
        scatter(affine, own, image, target, constant);
    } else {
        gather(affine, own, target, wanted, constant);
    }
    constant.lose(&own.error.map(|e| mul_up(e, affine.bias_sum)));
}

/// Output by output: best where one form has a register's worth of weights at a time.
#[inline(always)]
fn scatter<R: Real, const B: usize>(
    affine: &Affine<R>,
    own: &Adjoint<R, B>,
    image: Image,
    target: &mut Adjoint<R, B>,
    constant: &mut Sums<R, B>,
) {
    for span in own.spans(image) {
        for k in span {
            let a = &own.values[k];
            if a.iter().all(Real::is_zero) {
                continue;
            }
            let bias = affine.bias(k);
            constant.add(|b| a[b].times(bias));
            affine.runs(k, |weights, start, step| {
                let add = |target: &mut [R; B], w: &R| {
                    for b in 0..B {
                        target[b].add_product(w, &a[b]);
                    }
                };
                let target = &mut target.values[start..];
                if step == 1 {
                    target.iter_mut().zip(weights).for_each(|(t, w)| add(t, w));
                } else {
                    target.iter_mut().step_by(step).zip(weights).for_each(|(t, w)| add(t, w));
                }
            });
        }
    }
}

/// Input by input: best where many forms fill a register and the sum can stay in it.
#[inline(always)]
fn gather<R: Real, const B: usize>(
    affine: &Affine<R>,
    own: &Adjoint<R, B>,
    target: &mut Adjoint<R, B>,
    wanted: &[bool],
    constant: &mut Sums<R, B>,
) {
    let mut some: Vec<(usize, [R; B])> = Vec::new();
    let mut reads: Vec<(usize, &[R])> = Vec::new();
    for site in affine.sites(&own.window) {
        some.clear();
        for o in 0..site.count {
            let k = site.first + o * site.stride;
            let a = &own.values[k];
            if a.iter().any(|a| !a.is_zero()) {
                let bias = affine.bias(k);
                constant.add(|b| a[b].times(bias));
                some.push((o, a.clone()));
            }
        }
        if some.is_empty() {
            continue;
        }
        reads.clear();
        affine.columns(&site, |input, weights| {
            if wanted.is_empty() || wanted[input] {
                reads.push((input, weights));
            }
        });
        // Four at a time: four sums that do not wait for each other.
        let mut fours = reads.chunks_exact(4);
        for four in &mut fours {
            add_columns::<R, B, 4>(std::array::from_fn(|i| four[i]), &some, &mut target.values);
        }
        for &one in fours.remainder() {
            add_columns::<R, B, 1>([one], &some, &mut target.values);
        }
    }
}

/// Adds the products of some outputs' adjoints and their weights to the adjoints of different inputs.
#[inline(always)]
fn add_columns<R: Real, const B: usize, const N: usize>(
    reads: [(usize, &[R]); N],
    some: &[(usize, [R; B])],
    target: &mut [[R; B]],
) {
    let mut sums: [[R; B]; N] = std::array::from_fn(|i| target[reads[i].0].clone());
    for (o, a) in some {
        for i in 0..N {
            let w = &reads[i].1[*o];
            for b in 0..B {
                sums[i][b].add_product(w, &a[b]);
            }
        }
    }
    for ((input, _), sum) in reads.iter().zip(sums) {
        target[*input] = sum;
    }
}

/// `A[in] += a` for a node that changes nothing.
#[inline(always)]
fn through_copy<R: Real, const B: usize>(own: &Adjoint<R, B>, image: Image, target: &mut Adjoint<R, B>) {
    target.open(image, &own.window, &Incoming { roundings: 0, size: own.size(image), carried: own.error });
    for span in own.spans(image) {
        for (t, a) in target.values[span.clone()].iter_mut().zip(&own.values[span]) {
            for b in 0..B {
                t[b] = t[b].plus(&a[b]);
            }
        }
    }
}

/// `A[in][index_k] += a_k`.
#[inline(always)]
fn through_gather<R: Real, const B: usize>(
    gather: &Gather,
    own: &Adjoint<R, B>,
    image: Image,
    target: &mut Adjoint<R, B>,
    target_image: Image,
) {
    let sources = || own.spans(image).flatten().filter_map(|k| Some((k, gather.source(k)?)));
    let mut window = Window::default();
    if own.window == Window::full(image) {
        window = Window::full(target_image);
    } else {
        sources().for_each(|(_, source)| window.join(&Window::of(source, target_image)));
    }
    let copies = gather.copies as f64;
    let (size, carried) = (own.size(image).map(|a| mul_up(copies, a)), own.error.map(|e| mul_up(copies, e)));
    target.open(target_image, &window, &Incoming { roundings: gather.copies.saturating_sub(1), size, carried });
    for (k, source) in sources() {
        for b in 0..B {
            target.values[source][b] = target.values[source][b].plus(&own.values[k][b]);
        }
    }
}
