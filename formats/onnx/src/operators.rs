//! The operators that are read, one file each. A file names the specification and says what changed between opsets.

mod abs;
mod assemble;
mod average_pool;
mod batch_normalization;
mod cast;
mod clip;
mod constant;
mod contract;
mod conv;
mod conv_transpose;
mod dropout;
mod elementwise;
mod expand;
mod filled;
mod flatten;
mod fold;
mod gather;
mod gemm;
mod identity;
mod leaky_relu;
mod linear;
mod mat_mul;
mod matrix;
mod max_min;
mod max_pool;
mod pad;
mod pieces;
mod reduce;
mod relu;
mod reshape;
mod shape;
mod slice;
mod softmax;
mod space;
mod squeeze;
mod sum;
mod transpose;
mod window;

use crate::Problem;
use crate::call::Call;
use crate::graph::is_default;
use crate::schema::NodeProto;
use crate::value::Value;

/// How one operator is imported.
pub(crate) struct Operator {
    name: &'static str,
    /// Gives the value of output 0. Must ask for every attribute of the operator, whether it is there or not.
    pub(crate) import: fn(&mut Call) -> Result<Value, Problem>,
}

const OPERATORS: &[Operator] = &[
    Operator { name: "Abs", import: abs::import },
    Operator { name: "Add", import: elementwise::add },
    Operator { name: "And", import: |call| fold::logical(call, |a, b| a && b) },
    Operator { name: "AveragePool", import: average_pool::import },
    Operator { name: "BatchNormalization", import: batch_normalization::import },
    Operator { name: "Cast", import: cast::import },
    Operator { name: "Clip", import: clip::import },
    Operator { name: "Concat", import: assemble::concat },
    Operator { name: "Constant", import: constant::import },
    Operator { name: "ConstantOfShape", import: filled::constant_of_shape },
    Operator { name: "Conv", import: conv::import },
    Operator { name: "ConvTranspose", import: conv_transpose::import },
    Operator { name: "DepthToSpace", import: space::depth_to_space },
    Operator { name: "Div", import: elementwise::div },
    Operator { name: "Dropout", import: dropout::import },
    Operator { name: "Einsum", import: contract::einsum },
    Operator { name: "Equal", import: |call| fold::compare(call, |order| order.is_eq()) },
    Operator { name: "Expand", import: expand::import },
    Operator { name: "Flatten", import: flatten::import },
    Operator { name: "Gather", import: gather::import },
    Operator { name: "GatherND", import: gather::import_nd },
    Operator { name: "Gemm", import: gemm::import },
    Operator { name: "GlobalAveragePool", import: reduce::global_average },
    Operator { name: "GlobalMaxPool", import: reduce::global_max },
    Operator { name: "Greater", import: |call| fold::compare(call, |order| order.is_gt()) },
    Operator { name: "GreaterOrEqual", import: |call| fold::compare(call, |order| order.is_ge()) },
    Operator { name: "HardSigmoid", import: clip::import_hard_sigmoid },
    Operator { name: "Identity", import: identity::import },
    Operator { name: "LeakyRelu", import: leaky_relu::import },
    Operator { name: "Less", import: |call| fold::compare(call, |order| order.is_lt()) },
    Operator { name: "LessOrEqual", import: |call| fold::compare(call, |order| order.is_le()) },
    Operator { name: "LogSoftmax", import: softmax::import },
    Operator { name: "MatMul", import: mat_mul::import },
    Operator { name: "Max", import: max_min::max },
    Operator { name: "MaxPool", import: max_pool::import },
    Operator { name: "Mean", import: sum::import_mean },
    Operator { name: "Min", import: max_min::min },
    Operator { name: "Mod", import: elementwise::modulo },
    Operator { name: "Mul", import: elementwise::mul },
    Operator { name: "Neg", import: elementwise::neg },
    Operator { name: "Not", import: fold::not },
    Operator { name: "Or", import: |call| fold::logical(call, |a, b| a || b) },
    Operator { name: "PRelu", import: leaky_relu::import_parametric },
    Operator { name: "Pad", import: pad::import },
    Operator { name: "Range", import: filled::range },
    Operator { name: "ReduceMax", import: reduce::max },
    Operator { name: "ReduceMean", import: reduce::mean },
    Operator { name: "ReduceMin", import: reduce::min },
    Operator { name: "ReduceSum", import: reduce::sum },
    Operator { name: "Relu", import: relu::import },
    Operator { name: "Reshape", import: reshape::import },
    Operator { name: "Shape", import: shape::import },
    Operator { name: "Size", import: shape::import_size },
    Operator { name: "Slice", import: slice::import },
    Operator { name: "Softmax", import: softmax::import },
    Operator { name: "SpaceToDepth", import: space::space_to_depth },
    Operator { name: "Split", import: slice::split },
    Operator { name: "Squeeze", import: squeeze::import },
    Operator { name: "Sub", import: elementwise::sub },
    Operator { name: "Sum", import: sum::import },
    Operator { name: "ThresholdedRelu", import: leaky_relu::import_thresholded },
    Operator { name: "Tile", import: expand::tile },
    Operator { name: "Transpose", import: transpose::import },
    Operator { name: "Unsqueeze", import: squeeze::import_un },
    Operator { name: "Where", import: assemble::where_ },
    Operator { name: "Xor", import: |call| fold::logical(call, |a, b| a != b) },
];

/// What they are called, in the order of the alphabet.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    OPERATORS.iter().map(|operator| operator.name)
}

/// Operators that no later version will read either; only for a better message.
const NOT_PIECEWISE_LINEAR: &[&str] = &[
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Attention",
    "Celu",
    "Cos",
    "Cosh",
    "Elu",
    "Erf",
    "Exp",
    "GRU",
    "Gelu",
    "GroupNormalization",
    "HardSwish",
    "InstanceNormalization",
    "LRN",
    "LSTM",
    "LayerNormalization",
    "Log",
    "LpNormalization",
    "LpPool",
    "Mish",
    "Pow",
    "RMSNormalization",
    "RNN",
    "Reciprocal",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceProd",
    "ReduceSumSquare",
    "Selu",
    "Sigmoid",
    "Sin",
    "Sinh",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Swish",
    "Tan",
    "Tanh",
];

/// Operators that jump, likewise.
const NOT_CONTINUOUS: &[&str] = &[
    "ArgMax",
    "ArgMin",
    "Ceil",
    "Equal",
    "Floor",
    "Greater",
    "GreaterOrEqual",
    "Hardmax",
    "IsInf",
    "IsNaN",
    "Less",
    "LessOrEqual",
    "Mod",
    "NonMaxSuppression",
    "NonZero",
    "Round",
    "Sign",
];

/// Of the domain `ai.onnx.ml`.
const OPERATORS_OF_ML: &[Operator] = &[
    Operator { name: "LinearRegressor", import: linear::regressor },
    Operator { name: "Scaler", import: linear::scaler },
];

/// The operator of a node.
pub(crate) fn find(node: &NodeProto) -> Result<&'static Operator, Problem> {
    let name = node.op_type();
    let known = match node.domain() {
        _ if !node.overload().is_empty() => &[],
        domain if is_default(domain) => OPERATORS,
        "ai.onnx.ml" => OPERATORS_OF_ML,
        _ => &[],
    };
    known.iter().find(|o| o.name == name).ok_or_else(|| match name {
        _ if !is_default(node.domain()) => Problem::UnsupportedOperator,
        _ if NOT_PIECEWISE_LINEAR.contains(&name) => Problem::NotPiecewiseLinear,
        _ if NOT_CONTINUOUS.contains(&name) => Problem::NotContinuous,
        _ => Problem::UnsupportedOperator,
    })
}
