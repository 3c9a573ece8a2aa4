//! Directed rounding: what is outward stays outward, what is exact stays exact.

/// `a + b` and whether it was rounded down (negative), up (positive) or not at all (zero): Knuth's two-sum.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let bb = sum - a;
    let missing = (a - (sum - bb)) + (b - bb);
    (sum, -missing)
}

/// A float that is not below `a + b`; the sum itself if that is a float.
pub(crate) fn sum_up(a: f64, b: f64) -> f64 {
    let (sum, error) = two_sum(a, b);
    if error >= 0.0 { sum } else { sum.next_up() }
}

/// A float that is not above `a + b`; the sum itself if that is a float.
pub(crate) fn sum_down(a: f64, b: f64) -> f64 {
    -sum_up(-a, -b)
}

/// A float that is not below `a * b`; the product itself if that is a float.
pub(crate) fn product_up(a: f64, b: f64) -> f64 {
    let product = a * b;
    // The residual of a product near the subnormals may itself be rounded away.
    let safe = a == 0.0 || b == 0.0 || product.abs() >= f64::MIN_POSITIVE * 4.0 / f64::EPSILON;
    if safe && a.mul_add(b, -product) <= 0.0 { product } else { product.next_up() }
}

/// `n u / (1 - n u)`, rounded up: the relative error of a sum of products with at most `n` roundings per term (Higham,
/// Accuracy and Stability of Numerical Algorithms, lemma 3.1).
pub(crate) fn gamma(n: usize) -> f64 {
    let nu = n as f64 * (f64::EPSILON / 2.0);
    nu / (1.0 - nu) * (1.0 + 4.0 * f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_results_stay_and_others_move_outward() {
        assert_eq!((sum_up(0.5, 0.25), sum_down(0.5, 0.25)), (0.75, 0.75));
        assert_eq!((sum_up(1.0, 1e-30), sum_down(1.0, 1e-30)), (1.0f64.next_up(), 1.0));
        assert_eq!((sum_up(1.0, -1e-30), sum_down(1.0, -1e-30)), (1.0, 1.0f64.next_down()));
        assert_eq!(product_up(0.5, 0.25), 0.125);
        let tenth = unmoved_ir::Exact::from_f64(0.1);
        assert!(unmoved_ir::Exact::from_f64(product_up(0.1, 0.1)) >= &tenth * &tenth);
        assert!(product_up(f64::from_bits(1), 0.25) > 0.0);
        assert_eq!(product_up(0.0, 0.25), 0.0);
    }
}
