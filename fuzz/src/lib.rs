//! What the fuzz targets share: small networks that the properties and certificates are about.

use std::sync::{Arc, LazyLock};
use unmoved_ir::Network;
use unmoved_property::{Query, vnnlib};

/// A network with every operator, as text.
pub const EVERY_OPERATOR: &str = r#"net 1
meta "author" "a student"
input x f32 [1 4 4]
tensor c.weight f32 [2 1 3 3] = 1 0 0 0 1 0 0 0 1 0.5 0 0 0 -1 0 0 0 2
tensor c.bias f32 [2] = 0.5 -1
tensor y.weight f64 [2 8] = 1 -1 0.1 0 0 0 0 1 0 0 0 1 0.25 0 1 3
tensor y.bias f32 [2] = 0 -0.125
layer c = conv x c.weight c.bias pad 1 1 1 1
layer r = relu c
layer a = add c r
layer p = maxpool a kernel 2 2 stride 2 2
layer g = gather p [8] 0-3 7 6 5 .
layer y = dense g y.weight y.bias
output y
end
"#;

/// A network of two inputs and two outputs.
pub const SMALL: &str = "net 1
input x f32 [2]
tensor w f32 [2 2] = 1 -1 0.5 0.25
layer h = dense x w .
layer y = relu h
output y
end
";

/// A property of [`SMALL`].
pub const PROPERTY: &str = "(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const Y_0 Real)
(declare-const Y_1 Real)
(assert (>= X_0 0)) (assert (<= X_0 1e0)) (assert (>= X_1 -0.5)) (assert (<= X_1 1))
(assert (or (and (<= Y_0 -1) (> (+ Y_1 (* -2 X_0)) 3)) (>= Y_1 7.25)))
";

/// The same in version 2.0.
pub const PROPERTY_2: &str = "(vnnlib-version <2.0>)
(declare-network f
  (declare-input X real [1,2])
  (declare-output Y real [2])) ; no hidden tensors
(assert (>= X[0,0] 0.0)) (assert (<= X[0,0] 1.0)) (assert (>= X[0,1] -0.5)) (assert (<= (* 3.0 X[0,1]) 1.0))
(assert (or (and (<= Y[0] -1.0) (> (+ Y[1] (* -2.0 X[0,0])) 3.0)) (!= Y[1] 7.25) (== (- Y[0]) X[0,0])))
";

/// [`SMALL`], read once.
pub fn small() -> &'static Arc<Network> {
    static NETWORK: LazyLock<Arc<Network>> =
        LazyLock::new(|| Arc::new(unmoved_text::parse(SMALL).expect("it is right")));
    &NETWORK
}

/// [`PROPERTY`] about [`small`].
pub fn query() -> &'static Query {
    static QUERY: LazyLock<Query> =
        LazyLock::new(|| vnnlib::read(PROPERTY, small()).expect("it is right").swap_remove(0));
    &QUERY
}
