//! The bound of a linear form: one walk from the node where it starts down to the input, collecting adjoints.

use crate::Multipliers;
use crate::adjoint::{Adjoint, Incoming};
use crate::layers::{Affine, Gather, Image, Kind, Layers, Map};
use crate::real::{Real, Sums, inflate, mul_up, sum_up};
use crate::region::Region;
use crate::table::{Bounds, Table};
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
}

/// [`Backward::walk`] compiled once more for each kind of processor: the same operations in the same order, so the same results,
/// with wider registers where there are any.
struct Walk<'a, R, const B: usize> {
    backward: &'a mut Backward<R, B>,
    scene: &'a Scene<'a, R>,
    multipliers: &'a [Multipliers],
}

impl<R: Real, const B: usize> pulp::WithSimd for Walk<'_, R, B> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        self.backward.walk(self.scene, self.multipliers);
    }
}

impl<R: Real, const B: usize> Backward<R, B> {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { adjoints: vec![Adjoint::new(); nodes], constant: Sums::zero(), top: 0 }
    }

    /// Adds `value`, known up to `error`, times an element of a node to form `b`.
    pub(crate) fn seed(&mut self, layers: &Layers<R>, node: usize, index: usize, b: usize, value: f64, error: f64) {
        self.adjoints[node].seed(layers.nodes[node].image, index, b, value, error);
        self.top = self.top.max(node);
    }

    /// Walks down to the input: afterwards the forms are [`Backward::constant`] plus the input's adjoint times the input,
    /// and no point of the table's domain gives them a larger value than the forms that were seeded.
    pub(crate) fn descend(&mut self, scene: &Scene<R>, multipliers: &[Multipliers]) {
        pulp::Arch::new().dispatch(Walk { backward: self, scene, multipliers });
    }

    #[inline(always)]
    fn walk(&mut self, scene: &Scene<R>, multipliers: &[Multipliers]) {
        let top = multipliers.last().map_or(self.top, |m| m.relu.0.max(self.top));
        let mut multipliers = multipliers.iter().rev().peekable();
        for node in (1..=top).rev() {
            let layer = &scene.layers.nodes[node];
            let given = multipliers.next_if(|m| m.relu.0 == node);
            let (below, own) = self.adjoints.split_at_mut(node);
            let own = &mut own[0];
            if own.window.is_empty() && given.is_none() {
                continue;
            }
            if !scene.slack[node].is_empty() {
                lose_slack(own, layer.image, &scene.slack[node], &mut self.constant);
            }
            let input = layer.inputs.first().copied().unwrap_or(0);
            let (target, target_image) = (&mut below[input], scene.layers.nodes[input].image);
            match &layer.kind {
                Kind::Input => {}
                Kind::Affine(affine) => {
                    through_affine(affine, own, layer.image, target, target_image, &mut self.constant)
                }
                Kind::Gather(gather) => through_gather(gather, own, layer.image, target, target_image),
                Kind::Add => {
                    for &input in &layer.inputs {
                        through_copy(own, layer.image, &mut below[input]);
                    }
                }
                Kind::Relu => {
                    let bounds = scene.table.rows[input].as_ref().expect("what a Relu reads is tabled");
                    through_relu(bounds, given, own, layer.image, target, &mut self.constant);
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
    pub(crate) fn minimum(&mut self, scene: &Scene<R>) -> [f64; B] {
        let image = scene.layers.nodes[0].image;
        scene.region.minimum(&self.adjoints[0], image, scene.table.input(), &mut self.constant);
        let bounds = std::array::from_fn(|b| self.constant.lower(b));
        self.reset(scene.layers);
        bounds
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
        let negative = R::from_f64(-d[k]);
        constant.add(|b| {
            let a = &own.values[k][b];
            let product = a.times(&negative);
            if *a < R::zero() { R::zero().minus(&product) } else { product }
        });
    }
    let total = sum_up(own.spans(image).flatten().map(|k| d[k]));
    constant.lose(&own.error.map(|e| mul_up(e, total)));
}

/// `constant += a . b`, `A[in] += W^T a`.
#[inline(always)]
fn through_affine<R: Real, const B: usize>(
    affine: &Affine<R>,
    own: &Adjoint<R, B>,
    image: Image,
    target: &mut Adjoint<R, B>,
    target_image: Image,
    constant: &mut Sums<R, B>,
) {
    let window = match &affine.map {
        Map::Dense { .. } => Window::full(target_image),
        Map::Conv(conv) => own.window.read_by(conv),
    };
    let size = own.size(image).map(|a| mul_up(affine.column_sum, a));
    let carried = own.error.map(|e| mul_up(affine.column_sum, e));
    target.open(target_image, &window, &Incoming { roundings: affine.column_terms, size, carried });
    if B == 1 {
        scatter(affine, own, image, target, constant);
    } else {
        gather(affine, own, target, constant);
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
    for k in own.spans(image).flatten() {
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

/// Input by input: best where many forms fill a register and the sum can stay in it.
#[inline(always)]
fn gather<R: Real, const B: usize>(
    affine: &Affine<R>,
    own: &Adjoint<R, B>,
    target: &mut Adjoint<R, B>,
    constant: &mut Sums<R, B>,
) {
    let mut some: Vec<(usize, [R; B])> = Vec::new();
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
        affine.columns(&site, |input, weights| {
            let mut sum = target.values[input].clone();
            for (o, a) in &some {
                let w = &weights[*o];
                for b in 0..B {
                    sum[b].add_product(w, &a[b]);
                }
            }
            target.values[input] = sum;
        });
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

/// `constant -= sum t_k`, `A[in] += mu`, with `mu` by the default rule but where others are given.
#[inline(always)]
fn through_relu<R: Real, const B: usize>(
    bounds: &Bounds,
    given: Option<&Multipliers>,
    own: &mut Adjoint<R, B>,
    image: Image,
    target: &mut Adjoint<R, B>,
    constant: &mut Sums<R, B>,
) {
    // Multipliers may be given for elements that no adjoint has reached.
    let nothing = Incoming { roundings: 0, size: [0.0; B], carried: [0.0; B] };
    if given.is_some() {
        own.open(image, &Window::full(image), &nothing);
    }
    // Slopes lie between 0 and 1, so |mu| <= |a| but where it is given outright.
    let raw = given.iter().flat_map(|g| &g.raw).fold(0.0f64, |m, (_, v)| m.max(v.abs()));
    let size = own.size(image).map(|a| a.max(raw));
    target.open(image, &own.window, &Incoming { size, ..nothing });
    let (mut slopes, mut raws) = (given.map_or(&[][..], |g| &g.slopes), given.map_or(&[][..], |g| &g.raw));
    let (mut positive, mut count) = (0.0, 0);
    for span in own.spans(image) {
        for k in span {
            let (l, u) = (bounds.lower[k], bounds.upper[k]);
            let slope = take(&mut slopes, k);
            let raw = take(&mut raws, k);
            positive += u.max(0.0);
            count += 1;
            let a = &own.values[k];
            if raw.is_none() && ((u <= 0.0 && slope.is_none()) || a.iter().all(Real::is_zero)) {
                continue;
            }
            // The slopes of the lower and the upper line. A slope that is given holds for decided elements too: whether one
            // is decided may hang on rounding.
            // What is both (it can only be zero) counts as dead, as it does where no slope is given.
            let falling = match () {
                () if u <= 0.0 => 0.0,
                () if l >= 0.0 => 1.0,
                () => u / (u - l),
            };
            let by_rule = f64::from(u8::from(l >= 0.0 || u > -l));
            let rising = slope.map_or(by_rule, |s| f64::from(s) / 255.0);
            let mu: [f64; B] = std::array::from_fn(|b| {
                let a = a[b].nearest();
                raw.unwrap_or(a * if a >= 0.0 { rising } else { falling })
            });
            constant.add(|b| R::zero().minus(&loss(mu[b], &a[b], l, u)));
            for b in 0..B {
                let t = &mut target.values[k][b];
                *t = t.plus(&R::from_f64(mu[b]));
            }
        }
    }
    let positive = inflate(positive, count);
    constant.lose(&own.error.map(|e| mul_up(e, positive)));
}

/// The entry of an ascending list that belongs to position `k`, if it is the next; positions are asked for in order.
#[inline(always)]
fn take<T: Copy>(list: &mut &[(u32, T)], k: usize) -> Option<T> {
    match *list {
        [(index, value), rest @ ..] if *index as usize == k => {
            *list = rest;
            Some(*value)
        }
        _ => None,
    }
}

/// The most that `mu v - a relu(v)` is for `l <= v <= u`: at an end, or at the kink.
#[inline(always)]
fn loss<R: Real>(mu: f64, a: &R, l: f64, u: f64) -> R {
    let at = |v: f64| {
        let factor = if v > 0.0 { R::from_f64(mu).minus(a) } else { R::from_f64(mu) };
        factor.times(&R::from_f64(v))
    };
    let most = at(l).larger(&at(u));
    if l < 0.0 && u > 0.0 { most.larger(&R::zero()) } else { most }
}
