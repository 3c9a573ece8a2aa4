//! Bounded polyhedra by their faces and their vertices together (Motzkin's double description), exactly.
//!
//! A linear function is least at a vertex, and a cut keeps the vertices on its side and adds one wherever it crosses an
//! edge: in three dimensions that is all that linear programming has to offer, without an algorithm that could go wrong.

use super::affine::Affine;
use unmoved_ir::Rational;

/// A bounded polyhedron that is not empty; possibly flat.
#[derive(Debug, Clone)]
pub(crate) struct Polytope {
    /// Each is at most zero within, and together they describe it.
    faces: Vec<Affine>,
    vertices: Vec<Vertex>,
}

#[derive(Debug, Clone)]
struct Vertex {
    at: Vec<Rational>,
    /// The faces on which it lies, one bit each.
    tight: u64,
}

impl Polytope {
    /// The box between these ends.
    pub(crate) fn within(ends: &[(Rational, Rational)]) -> Self {
        let n = ends.len();
        let mut faces = Vec::with_capacity(2 * n);
        let mut corners: Vec<Vec<Rational>> = vec![Vec::new()];
        for (k, (lower, upper)) in ends.iter().enumerate() {
            let x = Affine::input(n, k);
            faces.push(Affine::constant(n, lower.clone()).minus(&x));
            faces.push(x.minus(&Affine::constant(n, upper.clone())));
            let distinct = if lower == upper { vec![lower] } else { vec![lower, upper] };
            let longer =
                |c: &Vec<Rational>| distinct.iter().map(|&v| [c, &[v.clone()][..]].concat()).collect::<Vec<_>>();
            corners = corners.iter().flat_map(longer).collect();
        }
        let tight = |at: &[Rational]| {
            let on = |f: &Affine| u64::from(f.at(at) == Rational::ZERO);
            faces.iter().enumerate().map(|(k, f)| on(f) << k).sum()
        };
        let vertices = corners.into_iter().map(|at| Vertex { tight: tight(&at), at }).collect();
        Self { faces, vertices }
    }

    /// The part where a function is at most zero, if there is one.
    pub(crate) fn below(&self, f: &Affine) -> Option<Self> {
        self.cut(f, &self.values(f))
    }

    /// The parts where a function is at most and at least zero. Where it changes no sign only one is given, or, if it is zero
    /// throughout, the first.
    pub(crate) fn sides(self, f: &Affine) -> [Option<Self>; 2] {
        let values = self.values(f);
        if values.iter().all(|v| *v <= Rational::ZERO) {
            return [Some(self), None];
        }
        if values.iter().all(|v| *v >= Rational::ZERO) {
            return [None, Some(self)];
        }
        let negative = Affine::constant(f.slope.len(), Rational::ZERO).minus(f);
        let negated: Vec<Rational> = values.iter().map(|v| -v).collect();
        [self.cut(f, &values), self.cut(&negative, &negated)]
    }

    /// The least value of a function, and where it is taken.
    pub(crate) fn least(&self, f: &Affine) -> (Rational, &[Rational]) {
        let values = self.vertices.iter().map(|v| (f.at(&v.at), v.at.as_slice()));
        values.min_by(|a, b| a.0.cmp(&b.0)).expect("it has a vertex")
    }

    /// The mean of the vertices. An affine function that is at most zero on all of the polytope and negative somewhere is
    /// negative here.
    pub(crate) fn middle(&self) -> Vec<Rational> {
        let count = Rational::from(self.vertices.len() as i64);
        let sum = |k: usize| self.vertices.iter().fold(Rational::ZERO, |s, v| &s + &v.at[k]);
        let mean = |k| sum(k).checked_div(&count).expect("it has a vertex");
        (0..self.vertices[0].at.len()).map(mean).collect()
    }

    /// The number of vertices.
    pub(crate) fn vertices(&self) -> usize {
        self.vertices.len()
    }

    fn values(&self, f: &Affine) -> Vec<Rational> {
        self.vertices.iter().map(|v| f.at(&v.at)).collect()
    }

    /// [`Polytope::below`], given the values at the vertices.
    fn cut(&self, f: &Affine, values: &[Rational]) -> Option<Self> {
        if values.iter().all(|v| *v <= Rational::ZERO) {
            return Some(self.clone());
        }
        assert!(self.faces.len() < 64, "too many faces for a word");
        let bit = 1 << self.faces.len();
        let signed = || self.vertices.iter().zip(values);
        let mut vertices: Vec<Vertex> = signed()
            .filter(|(_, value)| **value <= Rational::ZERO)
            .map(|(v, value)| Vertex {
                at: v.at.clone(),
                tight: v.tight | if *value == Rational::ZERO { bit } else { 0 },
            })
            .collect();
        for (v, a) in signed().filter(|(_, a)| **a < Rational::ZERO) {
            for (w, b) in signed().filter(|(_, b)| **b > Rational::ZERO) {
                // They are joined by an edge if and only if the faces on which both lie leave one direction free.
                let common = v.tight & w.tight;
                if self.rank(common) + 1 != f.slope.len() {
                    continue;
                }
                let share = a.checked_div(&(a - b)).expect("the signs differ");
                let at = v.at.iter().zip(&w.at).map(|(v, w)| v + &(&share * &(w - v))).collect();
                vertices.push(Vertex { at, tight: common | bit });
            }
        }
        let faces = self.faces.iter().chain([f]).cloned().collect();
        (!vertices.is_empty()).then_some(Self { faces, vertices })
    }

    /// The dimension of the space that the normals of some faces span.
    fn rank(&self, faces: u64) -> usize {
        let mut basis: Vec<(usize, Vec<Rational>)> = Vec::new();
        for (_, face) in self.faces.iter().enumerate().filter(|(k, _)| faces >> k & 1 == 1) {
            let mut row = face.slope.clone();
            for (pivot, b) in &basis {
                let factor = row[*pivot].checked_div(&b[*pivot]).expect("pivots are not zero");
                row.iter_mut().zip(b).for_each(|(r, b)| *r = &*r - &(&factor * b));
            }
            if let Some(pivot) = row.iter().position(|r| *r != Rational::ZERO) {
                basis.push((pivot, row));
            }
        }
        basis.len()
    }
}
