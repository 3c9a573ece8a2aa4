//! The parts against plain definitions of what they compute.

use super::blocks::{Blocks, WIDTH};
use super::definite::Arrow;
use super::kernel::{Forward, Transposed};
use super::multipliers::Multipliers;
use super::spectrum::{Least, Matrix};
use super::vectors::{RANK, Vectors};
use super::{Ascent, Program, Rows};
use crate::engine::Side;
use crate::tests::shallow::{Case, Seen};
use unmoved_ir::testing::Rng;

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-4 * (1.0 + a.abs().max(b.abs()))
}

/// Calls with programs of random cases under splits, and a point of the part that these leave.
fn over_programs(seed: u64, cases: usize, mut examine: impl FnMut(&mut Rng, &Case, &Program<'_>, &Seen)) {
    let mut rng = Rng(seed);
    for _ in 0..cases {
        let case = Case::new(&mut rng);
        let seen = case.point(&mut rng);
        let splits = case.splits(&mut rng, &seen);
        let rows = Rows::new(&case.compact).expect("it is small");
        let form = rows.of(&case.form);
        examine(&mut rng, &case, &Program::new(&rows, &form, &splits), &seen);
    }
}

/// The variables of a program, scaled, where the network is at a point.
fn variables(case: &Case, program: &Program<'_>, seen: &Seen) -> Vec<f32> {
    let mut w = vec![0.0; program.columns];
    let compact = &case.compact;
    for (i, &position) in compact.nodes[0].elements.iter().enumerate() {
        let centre = 0.5 * (f64::from(compact.lower[i]) + f64::from(compact.upper[i]));
        if program.radius[i] > 0.0 {
            w[i] = ((seen.trace[0][position as usize] - centre) / f64::from(program.radius[i])) as f32;
        }
    }
    let read = case.read(seen);
    for (&number, &column) in program.lifted.iter().zip(&program.column) {
        w[column] = (read[number as usize].max(0.0) / f64::from(program.radius[column]) - 1.0) as f32;
    }
    w
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn row(program: &Program<'_>, r: usize) -> Vec<f32> {
    let mut row = vec![0.0; program.columns];
    program.matrix.add(r, 1.0, &mut row);
    row
}

/// Vectors as given, and what comes of them.
fn with_products(program: &Program<'_>, v: [Vec<f32>; RANK]) -> Vectors {
    let mut vectors = Vectors::new(program);
    for (r, z) in vectors.z.iter_mut().enumerate() {
        *z = std::array::from_fn(|j| dot(&row(program, r), &v[j]) as f32);
    }
    vectors.v = v;
    vectors
}

fn random_vectors(rng: &mut Rng, program: &Program<'_>) -> [Vec<f32>; RANK] {
    let is_there = |c: usize| program.radius[c] > 0.0;
    std::array::from_fn(|_| {
        (0..program.columns).map(|c| if is_there(c) { 0.5 * rng.signed() as f32 } else { 0.0 }).collect()
    })
}

fn random_multipliers(rng: &mut Rng, program: &Program<'_>) -> Multipliers {
    let (mut multipliers, _) = Multipliers::start(program);
    multipliers.lists_mut().into_iter().flatten().for_each(|m| *m = rng.unit() as f32);
    multipliers
}

#[test]
fn programs_under_splits_are_the_network_with_its_phases_fixed() {
    over_programs(92, 300, |_, case, program, seen| {
        let (w, read) = (variables(case, program, seen), case.read(seen));
        assert_eq!(program.lifted.len() + program.fixed.len(), read.len());
        let numbers = program.lifted.iter().copied().chain(program.fixed.iter().map(|f| f.0));
        for (r, number) in numbers.enumerate() {
            let z = f64::from(program.centre[r]) + dot(&row(program, r), &w);
            assert!(near(z, read[number as usize]), "{z} instead of {}", read[number as usize]);
        }
        let value = program.constant + dot(&program.linear, &w);
        assert!(near(value, case.value(seen)), "{value} instead of {}", case.value(seen));
    });
}

/// Twins share their phase, so that none of them is left a variable.
#[test]
fn no_variable_reads_what_a_split_has_fixed() {
    let mut twins = 0;
    over_programs(93, 300, |_, case, program, _| {
        for &(number, side) in &program.fixed {
            let twin = case.compact.twins[number as usize];
            twins += usize::from(twin != number);
            assert!(program.fixed.contains(&(twin, side)));
        }
    });
    assert!(twins > 50, "{twins}");
}

#[test]
fn products_are_sums() {
    over_programs(94, 100, |rng, _, program, _| {
        let all = program.matrix.rows();
        let from: [Vec<f32>; 2] = std::array::from_fn(|_| (0..program.columns).map(|_| rng.signed() as f32).collect());
        let (first, last) = (rng.below(all), all - rng.below(all) / 2);
        let rows = first.min(last)..last;
        let mut to = vec![[7.0; 2]; all];
        Forward { matrix: &program.matrix, rows: rows.clone(), from: &from, to: &mut to }.run();
        for r in 0..all {
            let expected = |j: usize| if rows.contains(&r) { dot(&row(program, r), &from[j]) } else { 7.0 };
            assert!((0..2).all(|j| near(f64::from(to[r][j]), expected(j))));
        }
        let groups = program.starts.iter().copied().chain([program.inputs, program.columns]);
        for columns in groups.map(|end| 0..end) {
            let mut back: [Vec<f32>; 2] = std::array::from_fn(|_| vec![7.0; program.columns]);
            Transposed {
                matrix: &program.matrix,
                rows: rows.clone(),
                columns: columns.clone(),
                from: &to,
                to: &mut back,
            }
            .run();
            for c in 0..program.columns {
                let column = |j: usize| rows.clone().map(|r| f64::from(row(program, r)[c] * to[r][j])).sum();
                let expected = |j: usize| if columns.contains(&c) { column(j) } else { 7.0 };
                assert!((0..2).all(|j| near(f64::from(back[j][c]), expected(j))));
            }
        }
    });
}

/// Rows of many blocks, some of them zero, some in the same places as in the row before.
#[test]
fn blocks_of_zeros_are_left_out() {
    let mut rng = Rng(91);
    for _ in 0..100 {
        let (count, columns) = (1 + rng.below(9), WIDTH * (1 + rng.below(6)));
        let mut rows: Vec<Vec<f32>> = Vec::new();
        let mut matrix = Blocks::new(columns);
        let mut there = vec![true; columns / WIDTH];
        for _ in 0..count {
            if rng.below(2) == 0 {
                there.iter_mut().for_each(|there| *there = rng.below(3) > 0);
            }
            let row: Vec<f32> =
                (0..columns).map(|c| if there[c / WIDTH] { rng.signed() as f32 } else { 0.0 }).collect();
            matrix.push(&row);
            rows.push(row);
        }
        let from: [Vec<f32>; 2] = std::array::from_fn(|_| (0..columns).map(|_| rng.signed() as f32).collect());
        let mut to = vec![[7.0; 2]; count];
        Forward { matrix: &matrix, rows: 0..count, from: &from, to: &mut to }.run();
        let mut back: [Vec<f32>; 2] = std::array::from_fn(|_| vec![7.0; columns]);
        Transposed { matrix: &matrix, rows: 0..count, columns: 0..columns, from: &to, to: &mut back }.run();
        for j in 0..2 {
            assert!((0..count).all(|r| near(f64::from(to[r][j]), dot(&rows[r], &from[j]))));
            let sum = |c: usize| (0..count).map(|r| f64::from(rows[r][c] * to[r][j])).sum();
            assert!((0..columns).all(|c| near(f64::from(back[j][c]), sum(c))));
        }
    }
}

/// Its two descriptions agree, and every multiplier acts by what it is multiplied with.
#[test]
fn the_function_less_its_constraints_is_quadratic_and_linear_in_the_multipliers() {
    over_programs(95, 100, |rng, _, program, _| {
        let vectors = with_products(program, random_vectors(rng, program));
        let mut multipliers = random_multipliers(rng, program);
        let mut gradient = multipliers.clone();
        let value = multipliers.gradient(program, &vectors, &mut gradient);
        let with = multipliers.coefficients(program);
        let first = &vectors.v[0];
        let mut expected = with.constant + dot(&program.linear, first) + dot(&with.own, first);
        expected += with.row.iter().zip(&vectors.z).map(|(a, z)| f64::from(a * z[0])).sum::<f64>();
        for c in 0..program.columns {
            expected += f64::from(with.square[c]) * vectors.v.iter().map(|v| f64::from(v[c] * v[c])).sum::<f64>();
        }
        for (k, &c) in program.column.iter().enumerate() {
            let product: f32 = (0..RANK).map(|j| vectors.v[j][c] * vectors.z[k][j]).sum();
            expected -= f64::from(with.product[k] * product);
        }
        assert!(near(value, expected), "{value} instead of {expected}");
        let slopes = gradient.lists().map(|list| list.to_vec());
        for list in 0..slopes.len() {
            for k in 0..slopes[list].len() {
                multipliers.lists_mut()[list][k] += 1.0;
                let slope = multipliers.gradient(program, &vectors, &mut gradient) - value;
                multipliers.lists_mut()[list][k] -= 1.0;
                let is_ball = list == 5 && program.rows.ball.is_none();
                assert!(is_ball || near(slope, f64::from(slopes[list][k])), "{slope} instead of {}", slopes[list][k]);
            }
        }
    });
}

#[test]
fn constraints_hold_at_every_point() {
    over_programs(96, 300, |rng, case, program, seen| {
        let mut v = random_vectors(rng, program).map(|v| vec![0.0; v.len()]);
        v[0] = variables(case, program, seen);
        let vectors = with_products(program, v);
        let multipliers = random_multipliers(rng, program);
        let mut gradient = multipliers.clone();
        multipliers.gradient(program, &vectors, &mut gradient);
        assert!(gradient.product.iter().all(|g| g.abs() < 1e-4), "{:?}", gradient.product);
        let [zero, line, chord, _, sign, ball] = gradient.lists();
        let ball: &[f32] = if program.rows.ball.is_some() { ball } else { &[] };
        for list in [zero, line, chord, sign, ball] {
            assert!(list.iter().all(|g| *g < 1e-4), "{list:?}");
        }
    });
}

/// But for a constant: what the checker subtracts, whose ReLUs are not put in where splits have fixed them, is what was made convex.
#[test]
fn a_leaf_is_the_function_in_the_networks_own_units() {
    over_programs(97, 200, |rng, case, program, _| {
        let mut ascent = Ascent::new(program);
        ascent.climb(20, 1.0, || false);
        ascent.multipliers.sign.iter_mut().for_each(|s| *s = [0.0, rng.unit() as f32][rng.below(2)]);
        let (_, leaf) = ascent.show(12, f64::NEG_INFINITY, &|| false).expect("some bound");
        assert!(leaf.inputs.iter().all(|(_, kappa)| kappa.is_finite() && *kappa >= 0.0));
        assert!(leaf.lifted.iter().all(|l| l.kappa.is_finite() && l.kappa >= 0.0));
        let inputs = case.compact.lower.len();
        // Linear coefficients by input, then by ReLU, after all rows above have handed down.
        let mut linear: Vec<f64> = program.form.coefficients.iter().map(|c| f64::from(*c)).collect();
        for number in (0..case.compact.unstable().len()).rev() {
            let mu = match leaf.lifted.iter().find(|l| l.relu as usize == number) {
                Some(l) => f64::from(l.mu),
                None => match leaf.fixed.iter().find(|f| f.0 as usize == number) {
                    Some(fixed) => f64::from(fixed.1),
                    None if program.fixed.contains(&(number as u32, Side::Active)) => linear[inputs + number],
                    None => 0.0,
                },
            };
            let row = &program.rows.rows[number].coefficients;
            linear.iter_mut().zip(row).for_each(|(a, c)| *a += mu * f64::from(*c));
        }
        let function = |w: &[f32]| {
            let mut value = 0.0;
            for i in 0..inputs {
                let centre = 0.5 * (f64::from(case.compact.lower[i]) + f64::from(case.compact.upper[i]));
                let x = centre + f64::from(program.radius[i] * w[i]);
                value += linear[i] * x;
                if let Some(ball) = &program.rows.ball {
                    value += f64::from(leaf.ball) * (x - f64::from(ball.centre[i])).powi(2);
                }
            }
            for (k, l) in leaf.lifted.iter().enumerate() {
                let column = program.column[k];
                let y = f64::from(program.radius[column]) * (1.0 + f64::from(w[column]));
                let z = f64::from(program.centre[k]) + dot(&row(program, k), w);
                value += f64::from(l.nu) * y + f64::from(l.product) * y * (y - z);
            }
            value
        };
        let mut gradient = ascent.multipliers.clone();
        let mut both = || {
            let mut v = random_vectors(rng, program);
            v[1..].iter_mut().for_each(|v| v.fill(0.0));
            let expected = function(&v[0]);
            expected - ascent.multipliers.gradient(program, &with_products(program, v), &mut gradient)
        };
        let (one, other) = (both(), both());
        assert!((one - other).abs() < 1e-3, "{one} and {other}");
    });
}

/// The least eigenvalue, by Jacobi's rotations.
fn least_eigenvalue(mut a: Vec<Vec<f64>>) -> f64 {
    let n = a.len();
    for _ in 0..60 {
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q].abs() < 1e-15 {
                    continue;
                }
                let angle = 0.5 * (2.0 * a[p][q]).atan2(a[q][q] - a[p][p]);
                let (sin, cos) = angle.sin_cos();
                for row in &mut a {
                    (row[p], row[q]) = (cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]);
                }
                for k in 0..n {
                    (a[p][k], a[q][k]) = (cos * a[p][k] - sin * a[q][k], sin * a[p][k] + cos * a[q][k]);
                }
            }
        }
    }
    (0..n).map(|k| a[k][k]).fold(f64::INFINITY, f64::min)
}

/// A program's matrix, entry by entry; the constant last.
fn entries(program: &Program<'_>, product: &[f32], linear: &[f32], diagonal: &[f32]) -> Vec<Vec<f64>> {
    let n = program.columns;
    let mut a = vec![vec![0.0; n + 1]; n + 1];
    let mut add = |i: usize, j: usize, by: f64| {
        a[i][j] += by;
        a[j][i] += if i == j { 0.0 } else { by };
    };
    (0..=n).for_each(|c| add(c, c, f64::from(diagonal[c])));
    (0..n).for_each(|c| add(c, n, f64::from(linear[c])));
    for (k, &column) in program.column.iter().enumerate() {
        for (c, z) in row(program, k).iter().enumerate() {
            add(column, c, -0.5 * f64::from(product[k]) * f64::from(*z));
        }
    }
    a
}

#[test]
fn the_least_eigenvalue_is_found_and_decides_whether_a_matrix_is_definite() {
    let mut signs = [0; 2];
    over_programs(98, 150, |rng, _, program, _| {
        let mut ascent = Ascent::new(program);
        ascent.climb(rng.below(40), 1.0, || false);
        let with = ascent.multipliers.coefficients(program);
        let linear = with.linear(program);
        let size = [0.5, 1.0, 2.0][rng.below(3)];
        let kappa: Vec<f32> = ascent.vectors.kappa.iter().map(|k| size * k).collect();
        let matrix = Matrix::new(program, &with, &linear, &kappa, size * linear.iter().map(|l| l.abs()).sum::<f32>());
        let live: Vec<usize> = (0..=program.columns).filter(|&c| matrix.diagonal[c] > 0.0).collect();
        let all = entries(program, &with.product, &linear, &matrix.diagonal);
        let scale = |c: usize| f64::from(matrix.diagonal[c]).sqrt();
        let scaled: Vec<Vec<f64>> =
            live.iter().map(|&i| live.iter().map(|&j| all[i][j] / scale(i) / scale(j)).collect()).collect();
        let exact = least_eigenvalue(scaled);
        signs[usize::from(exact < 0.0)] += 1;
        let Least { value, vector, .. } = matrix.least(&mut fastrand::Rng::with_seed(1));
        assert!((f64::from(value) - exact).abs() < 1e-3 * (1.0 + exact.abs()), "{value} instead of {exact}");
        let form = |a: &dyn Fn(usize, usize) -> f64| {
            let x = |i: usize| f64::from(vector[i]);
            live.iter()
                .flat_map(|&i| live.iter().map(move |&j| (i, j)))
                .map(|(i, j)| x(i) * x(j) * a(i, j))
                .sum::<f64>()
        };
        let quotient = form(&|i, j| all[i][j]) / form(&|i, j| if i == j { all[i][i] } else { 0.0 });
        assert!((quotient - exact).abs() < 1e-2 * (1.0 + exact.abs()), "{quotient} instead of {exact}");
        assert!(matrix.is_definite((1e-5 - exact) as f32, &|| false));
        assert!(!matrix.is_definite((-1e-5 - exact) as f32, &|| false));
    });
    assert!(signs.iter().all(|&n| n > 20), "{signs:?}");
}

#[test]
fn a_factorisation_comes_to_its_end_where_no_eigenvalue_is_negative() {
    let mut rng = Rng(99);
    for _ in 0..300 {
        let (first, other) = (rng.below(20), 1 + rng.below(20));
        let n = first + other;
        let mut a = vec![vec![0.0; n]; n];
        for i in 0..n {
            for j in first.max(i + 1)..n {
                // Of the first part some blocks of eight are zero.
                let is_there = i >= first || !(i / 8 + j).is_multiple_of(3);
                (a[i][j], a[j][i]) = (if is_there { rng.signed() } else { 0.0 }, 0.0);
                a[j][i] = a[i][j];
            }
            a[i][i] = rng.unit() * n as f64;
        }
        // A variable that may not move: nothing is there to be divided.
        if first > 0 && rng.below(2) == 0 {
            let gone = rng.below(first);
            (0..n).for_each(|k| (a[gone][k], a[k][gone]) = (0.0, 0.0));
        }
        let live: Vec<usize> = (0..n).filter(|&i| a[i][i] > 0.0).collect();
        let least = least_eigenvalue(live.iter().map(|&i| live.iter().map(|&j| a[i][j]).collect()).collect());
        for shift in [1e-9 - least, -1e-9 - least, 1.0 - least, -1.0 - least] {
            let mut arrow = Arrow::new(first, other);
            let diagonal = |i: usize| if a[i][i] > 0.0 { a[i][i] + shift } else { 0.0 };
            (0..first).for_each(|i| arrow.first[i] = diagonal(i));
            for k in 0..other {
                arrow.other[k] = diagonal(first + k);
                let (of_first, of_other) = arrow.row(k);
                of_first.copy_from_slice(&a[first + k][..first]);
                of_other.copy_from_slice(&a[first + k][first..first + k]);
            }
            assert_eq!(arrow.factorises(&|| false), shift > -least, "{first} and {other}, {shift} upon {least}");
        }
    }
}
