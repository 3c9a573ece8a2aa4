"""Models of every operator and attribute variation, with what onnxruntime computes for them.

    models.py make DIR [FILE...]   writes NAME.onnx, NAME.input, NAME.output (little-endian, three inputs one after the
                                   other), and the same for the given models
    models.py check DIR            runs NAME.written.onnx, which Rust wrote meanwhile, and compares it with NAME.output
"""

import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

CASES = {}
INPUTS = 3
INPUTS_OF_REAL = 64


def case(name, shape, nodes, tensors=None, opset=13, dtype=np.float32, open_batch=False):
    """`nodes` is a list of (operator, inputs, outputs, attributes); the graph reads "x" and gives "y"."""
    assert name not in CASES, name
    CASES[name] = (shape, nodes, tensors or {}, opset, dtype, open_batch)


def build(shape, nodes, tensors, opset, dtype, open_batch):
    kind = TensorProto.FLOAT if dtype == np.float32 else TensorProto.DOUBLE
    declared = ["batch", *shape[1:]] if open_batch else shape
    graph = helper.make_graph(
        [helper.make_node(op, i, o, name=f"node{k}", **a) for k, (op, i, o, a) in enumerate(nodes)],
        "graph",
        [helper.make_tensor_value_info("x", kind, declared)],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8 if opset < 20 else 10)


def rng(seed=0):
    return np.random.default_rng(seed)


def f32(*shape, seed=1):
    return rng(seed).normal(size=shape).astype(np.float32)


def i64(*values):
    return np.array(values, dtype=np.int64)


def gemm():
    for opset in (9, 11, 13, 17, 21):
        case(f"gemm_{opset}", [1, 5], [("Gemm", ["x", "b", "c"], ["y"], {})], {"b": f32(5, 3), "c": f32(3)}, opset)
    for alpha, beta in ((1.0, 1.0), (0.3, 1.0), (1.0, 0.7), (2.0, 0.0), (-1.7, 0.1)):
        for trans in (0, 1):
            b = f32(3, 5) if trans else f32(5, 3)
            case(f"gemm_{alpha}_{beta}_{trans}", [1, 5],
                 [("Gemm", ["x", "b", "c"], ["y"], {"alpha": alpha, "beta": beta, "transB": trans})],
                 {"b": b, "c": f32(1, 3)})
    case("gemm_trans_a", [5, 1], [("Gemm", ["x", "b"], ["y"], {"transA": 1})], {"b": f32(5, 3)})
    case("gemm_scalar_bias", [1, 5], [("Gemm", ["x", "b", "c"], ["y"], {})], {"b": f32(5, 3), "c": np.float32(0.5)})
    case("gemm_one_bias", [1, 5], [("Gemm", ["x", "b", "c"], ["y"], {"beta": 3.0})], {"b": f32(5, 3), "c": f32(1, 1)})
    case("gemm_no_bias_alpha", [1, 5], [("Gemm", ["x", "b"], ["y"], {"alpha": 0.1, "beta": 0.5})], {"b": f32(5, 3)})
    case("gemm_double", [1, 5], [("Gemm", ["x", "b", "c"], ["y"], {"alpha": 0.1, "beta": 0.3})],
         {"b": f32(5, 3).astype(np.float64) / 3, "c": f32(3).astype(np.float64) / 3}, dtype=np.float64)
    case("gemm_open_batch", [1, 5], [("Gemm", ["x", "b", "c"], ["y"], {})], {"b": f32(5, 3), "c": f32(3)}, open_batch=True)


def matmul():
    for name, x, w in (
        ("row", [1, 4], [4, 3]), ("vector", [4], [4, 3]), ("deep", [1, 1, 1, 4], [4, 3]), ("to_vector", [1, 4], [4]),
        ("vectors", [4], [4]), ("batched_weight", [1, 4], [1, 1, 4, 3]), ("both_batched", [1, 1, 4], [1, 4, 3]),
        ("outer", [1, 1], [1, 3]), ("one", [1], [1, 1]),
    ):
        case(f"matmul_right_{name}", x, [("MatMul", ["x", "w"], ["y"], {})], {"w": f32(*w)})
    for name, x, w in (
        ("column", [4, 1], [3, 4]), ("vector", [4], [3, 4]), ("batched", [1, 4, 1], [3, 4]), ("from_vector", [4, 1], [4]),
        ("deep_weight", [4, 1], [1, 1, 3, 4]),
    ):
        case(f"matmul_left_{name}", x, [("MatMul", ["w", "x"], ["y"], {})], {"w": f32(*w)})
    case("matmul_add", [1, 4], [("MatMul", ["x", "w"], ["h"], {}), ("Add", ["b", "h"], ["y"], {})],
         {"w": f32(4, 3), "b": f32(3)})
    case("matmul_double", [1, 4], [("MatMul", ["x", "w"], ["y"], {})], {"w": f32(4, 3) / np.float64(3)}, dtype=np.float64)
    case("mlp", [1, 1, 1, 4],
         [("Sub", ["x", "m"], ["a"], {}), ("Flatten", ["a"], ["b"], {}), ("MatMul", ["b", "w"], ["c"], {}),
          ("Add", ["c", "d"], ["e"], {}), ("Relu", ["e"], ["f"], {}), ("MatMul", ["f", "v"], ["y"], {})],
         {"m": f32(1, 1, 1, 4), "w": f32(4, 6), "d": f32(6), "v": f32(6, 2)}, 8)


def elementwise():
    constants = {"scalar": [], "one": [1], "channel": [3, 1, 1], "batch_channel": [1, 3, 1, 1], "column": [2], "row": [4, 1],
                 "plane": [4, 2], "all": [3, 4, 2], "batch_all": [1, 3, 4, 2], "mixed": [3, 1, 2]}
    for op in ("Add", "Sub", "Mul", "Div"):
        for name, shape in constants.items():
            c = f32(*shape) + np.float32(3)
            case(f"{op}_{name}", [1, 3, 4, 2], [(op, ["x", "c"], ["y"], {})], {"c": c}, 7 if name == "one" else 14)
            if op != "Div":
                case(f"{op}_{name}_left", [1, 3, 4, 2], [(op, ["c", "x"], ["y"], {})], {"c": c})
        case(f"{op}_vector", [1, 6], [(op, ["x", "c"], ["y"], {})], {"c": f32(6) + np.float32(4)})
        case(f"{op}_no_batch", [6], [(op, ["x", "c"], ["y"], {})], {"c": f32(6) + np.float32(4)})
        case(f"{op}_grows", [1, 3], [(op, ["x", "c"], ["y"], {})], {"c": f32(4, 1) + np.float32(4)})
        case(f"{op}_grows_rank", [3], [(op, ["x", "c"], ["y"], {})], {"c": f32(1, 2, 2, 3) + np.float32(4)})
        case(f"{op}_double", [1, 6], [(op, ["x", "c"], ["y"], {})], {"c": (f32(6) + 4) / np.float64(3)}, dtype=np.float64)
        case(f"{op}_after_gemm", [1, 4], [("Gemm", ["x", "w", "b"], ["h"], {}), (op, ["h", "c"], ["y"], {})],
             {"w": f32(4, 6), "b": f32(6), "c": f32(6) + np.float32(4)})
        case(f"{op}_after_conv", [1, 2, 5, 5], [("Conv", ["x", "w"], ["h"], {}), (op, ["h", "c"], ["y"], {})],
             {"w": f32(3, 2, 2, 2), "c": f32(3, 1, 1) + np.float32(4)})
        case(f"{op}_plane_after_conv", [1, 2, 3, 3], [("Conv", ["x", "w"], ["h"], {}), (op, ["h", "c"], ["y"], {})],
             {"w": f32(3, 2, 2, 2), "c": f32(2, 2) + np.float32(4)})
    for op in ("Add", "Sub"):
        two = [("Relu", ["x"], ["a"], {}), (op, ["a", "x"], ["y"], {})]
        case(f"{op}_two", [1, 3, 4, 2], two)
        case(f"{op}_two_vector", [1, 6], two)
        case(f"{op}_twice_the_same", [1, 6], [(op, ["x", "x"], ["y"], {})])
        case(f"{op}_two_broadcast", [1, 3, 4, 1],
             [("Transpose", ["x"], ["t"], {"perm": [0, 1, 3, 2]}), (op, ["x", "t"], ["y"], {})])
        case(f"{op}_two_ranks", [1, 6], [("Reshape", ["x", "s"], ["r"], {}), (op, ["x", "r"], ["y"], {})], {"s": i64(6)})
        case(f"{op}_shared", [1, 6],
             [("Gemm", ["x", "w"], ["a"], {}), (op, ["x", "a"], ["b"], {}), ("Add", ["a", "b"], ["y"], {})], {"w": f32(6, 6)})
    case("neg", [1, 3, 4, 2], [("Neg", ["x"], ["y"], {})])
    case("chain", [1, 3, 4, 2],
         [("Sub", ["x", "m"], ["a"], {}), ("Div", ["a", "s"], ["b"], {}), ("Conv", ["b", "w"], ["c"], {}),
          ("Mul", ["c", "g"], ["d"], {}), ("Add", ["d", "t"], ["y"], {})],
         {"m": np.float32([[[0.1]], [[0.2]], [[0.3]]]), "s": np.float32(0.3), "w": f32(5, 3, 2, 2), "g": f32(1, 5, 1, 1),
          "t": f32(5, 1, 1)})
    case("constants", [1, 4],
         [("Mul", ["c", "d"], ["e"], {}), ("Transpose", ["e"], ["f"], {}), ("Identity", ["f"], ["g"], {}),
          ("Gemm", ["x", "g"], ["y"], {})], {"c": f32(3, 4), "d": np.float32([0.5])})


def conv():
    for opset in (9, 11, 17, 21):
        case(f"conv_{opset}", [1, 2, 5, 6], [("Conv", ["x", "w", "b"], ["y"], {"kernel_shape": [3, 2]})],
             {"w": f32(4, 2, 3, 2), "b": f32(4)}, opset)
    variations = {
        "strides": {"strides": [2, 3]}, "pads": {"pads": [1, 2, 0, 3]}, "dilations": {"dilations": [2, 3], "pads": [2, 2, 2, 2]},
        "all": {"strides": [2, 1], "pads": [0, 1, 3, 2], "dilations": [1, 2]}, "valid": {"auto_pad": "VALID"},
    }
    for kind in ("SAME_UPPER", "SAME_LOWER"):
        for strides in ([1, 1], [2, 2], [3, 2]):
            variations[f"{kind}_{strides[0]}_{strides[1]}"] = {"auto_pad": kind, "strides": strides}
    for name, attributes in variations.items():
        case(f"conv_{name}", [1, 2, 7, 8], [("Conv", ["x", "w", "b"], ["y"], attributes)],
             {"w": f32(4, 2, 3, 2), "b": f32(4)})
    case("conv_wide_strides", [1, 1, 5, 5], [("Conv", ["x", "w"], ["y"], {"strides": [4, 4], "auto_pad": "SAME_UPPER"})],
         {"w": f32(1, 1, 1, 2)})
    case("conv_groups", [1, 4, 5, 5], [("Conv", ["x", "w", "b"], ["y"], {"group": 2})], {"w": f32(6, 2, 3, 3), "b": f32(6)})
    case("conv_depthwise", [1, 4, 5, 5], [("Conv", ["x", "w"], ["y"], {"group": 4})], {"w": f32(8, 1, 3, 3)})
    case("conv_double", [1, 2, 5, 5], [("Conv", ["x", "w"], ["y"], {})], {"w": f32(3, 2, 3, 3) / np.float64(3)},
         dtype=np.float64)
    case("conv_open_batch", [1, 2, 5, 5], [("Conv", ["x", "w"], ["y"], {})], {"w": f32(3, 2, 3, 3)}, open_batch=True)


def normalization():
    def numbers(n):
        return {"g": f32(n, seed=3), "b": f32(n, seed=4), "m": f32(n, seed=5), "v": np.abs(f32(n, seed=6)) + np.float32(0.1)}

    inputs = ["x", "g", "b", "m", "v"]
    for opset in (7, 9, 14, 15, 21):
        case(f"batch_norm_{opset}", [1, 3, 4, 5], [("BatchNormalization", inputs, ["y"], {})], numbers(3), opset)
    case("batch_norm_epsilon", [1, 3, 4, 5], [("BatchNormalization", inputs, ["y"], {"epsilon": 0.25, "momentum": 0.5})], numbers(3))
    case("batch_norm_vector", [1, 6], [("BatchNormalization", inputs, ["y"], {})], numbers(6))
    case("batch_norm_sequence", [1, 3, 4], [("BatchNormalization", inputs, ["y"], {})], numbers(3))
    case("batch_norm_double", [1, 3, 4, 5], [("BatchNormalization", inputs, ["y"], {})],
         {k: v / np.float64(3) for k, v in numbers(3).items()}, 15, np.float64)
    after = ["h", *inputs[1:]]
    case("batch_norm_after_conv", [1, 2, 5, 5], [("Conv", ["x", "w", "c"], ["h"], {}), ("BatchNormalization", after, ["y"], {})],
         {"w": f32(3, 2, 3, 3), "c": f32(3), **numbers(3)})
    case("batch_norm_after_gemm", [1, 5], [("Gemm", ["x", "w", "c"], ["h"], {}), ("BatchNormalization", after, ["y"], {})],
         {"w": f32(5, 6), "c": f32(6), **numbers(6)})
    case("batch_norm_shared", [1, 2, 5, 5],
         [("Conv", ["x", "w"], ["h"], {}), ("BatchNormalization", after, ["n"], {}), ("Add", ["n", "h"], ["y"], {})],
         {"w": f32(3, 2, 3, 3), **numbers(3)})


def pooling():
    variations = {
        "plain": {}, "strides": {"strides": [2, 2]}, "pads": {"pads": [1, 1, 1, 1]}, "uneven_pads": {"pads": [0, 1, 2, 0], "strides": [2, 3]},
        "valid": {"auto_pad": "VALID", "strides": [2, 3]}, "same_upper": {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        "same_lower": {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
    }
    for name, attributes in variations.items():
        for size in ([7, 8], [6, 9]):
            for op, opset in (("MaxPool", 8), ("MaxPool", 12), ("AveragePool", 9), ("AveragePool", 19)):
                case(f"{op}_{opset}_{name}_{size[0]}", [1, 2, *size],
                     [(op, ["x"], ["y"], {"kernel_shape": [3, 3], **attributes})], opset=opset)
            case(f"AveragePool_counting_{name}_{size[0]}", [1, 2, *size],
                 [("AveragePool", ["x"], ["y"], {"kernel_shape": [3, 2], "count_include_pad": 1, **attributes})])
    ceil = {"plain": {}, "pads": {"pads": [1, 1, 1, 1]}, "uneven": {"pads": [0, 1, 0, 0]}, "dilated": {"dilations": [2, 2]}}
    for name, attributes in ceil.items():
        for stride in (1, 2, 3, 4):
            for size in (6, 7, 8, 9, 10):
                case(f"maxpool_ceil_{name}_{stride}_{size}", [1, 2, size, 7],
                     [("MaxPool", ["x"], ["y"], {"kernel_shape": [3, 3], "strides": [stride, stride], "ceil_mode": 1, **attributes})], opset=22 if name == "plain" else 12)
    case("maxpool_dilations", [1, 2, 9, 9], [("MaxPool", ["x"], ["y"], {"kernel_shape": [3, 2], "dilations": [2, 3], "pads": [1, 1, 1, 1]})])
    case("maxpool_storage_order", [1, 2, 9, 9], [("MaxPool", ["x"], ["y"], {"kernel_shape": [3, 2], "storage_order": 1})])
    case("maxpool_unused_indices", [1, 2, 9, 9], [("MaxPool", ["x"], ["y", "i"], {"kernel_shape": [3, 2]})])
    case("average_ceil_without_effect", [1, 2, 7, 7], [("AveragePool", ["x"], ["y"], {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1})])
    case("average_double", [1, 2, 7, 7], [("AveragePool", ["x"], ["y"], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]})], dtype=np.float64, opset=11)
    case("global_average", [1, 3, 5, 7], [("GlobalAveragePool", ["x"], ["y"], {})])


def shapes():
    for opset, axis in ((9, 1), (9, 0), (9, 2), (9, 4), (11, -1), (13, -4), (21, 3)):
        case(f"flatten_{opset}_{axis}", [1, 3, 4, 2], [("Flatten", ["x"], ["y"], {"axis": axis})], opset=opset)
    case("flatten_no_batch", [6], [("Flatten", ["x"], ["y"], {})])
    for k, shape in enumerate(([1, 24], [-1], [0, -1], [2, 3, 4], [0, 0, 8], [1, 1, -1, 1], [24, 1])):
        case(f"reshape_{k}", [1, 3, 4, 2], [("Reshape", ["x", "s"], ["y"], {})], {"s": i64(*shape)}, 9 if k % 2 else 14)
    case("reshape_allowzero", [1, 3, 4, 2], [("Reshape", ["x", "s"], ["y"], {"allowzero": 1})], {"s": i64(1, 24)}, 14)
    case("reshape_scalar", [1, 1], [("Reshape", ["x", "s"], ["r"], {}), ("Mul", ["r", "c"], ["y"], {})], {"s": i64(), "c": f32(3)})
    for perm in ([0, 2, 3, 1], [0, 3, 1, 2], [3, 2, 1, 0], [1, 0, 2, 3], [0, 1, 2, 3]):
        case("transpose_" + "".join(map(str, perm)), [1, 3, 4, 2], [("Transpose", ["x"], ["y"], {"perm": perm})])
    case("transpose_default", [1, 3, 4, 2], [("Transpose", ["x"], ["y"], {})], opset=21)
    case("transpose_flatten_gemm", [1, 3, 4, 2],
         [("Transpose", ["x"], ["t"], {"perm": [0, 2, 3, 1]}), ("Reshape", ["t", "s"], ["f"], {}), ("Gemm", ["f", "w"], ["y"], {})],
         {"s": i64(-1, 24), "w": f32(24, 3)})
    case("nhwc", [1, 6, 5, 2],
         [("Transpose", ["x"], ["t"], {"perm": [0, 3, 1, 2]}), ("Conv", ["t", "w"], ["c"], {}), ("Relu", ["c"], ["r"], {}),
          ("Transpose", ["r"], ["u"], {"perm": [0, 2, 3, 1]}), ("Flatten", ["u"], ["y"], {})], {"w": f32(3, 2, 2, 2)}, open_batch=True)
    for name, pads in (("grow", [0, 0, 1, 2, 0, 1, 0, 3]), ("shrink", [0, 0, -1, 0, 0, 0, 0, -1])):
        case(f"pad_{name}_9", [1, 3, 4, 2], [("Pad", ["x"], ["y"], {"pads": pads})], opset=9)
        case(f"pad_{name}_13", [1, 3, 4, 2], [("Pad", ["x", "p"], ["y"], {})], {"p": i64(*pads)})
    case("pad_axes", [1, 3, 4, 2], [("Pad", ["x", "p", "v", "a"], ["y"], {})],
         {"p": i64(1, 2, 0, 1), "v": np.float32(0), "a": i64(-1, 2)}, 18)
    case("gather_list", [1, 6], [("Gather", ["x", "i"], ["y"], {"axis": 1})], {"i": i64(5, 0, -2, 0)})
    case("gather_scalar", [1, 3, 4], [("Gather", ["x", "i"], ["y"], {"axis": 1})], {"i": np.int64(2)})
    case("gather_matrix", [1, 3, 4], [("Gather", ["x", "i"], ["y"], {"axis": 2})], {"i": np.array([[0, 3], [1, 1]], dtype=np.int32)})
    case("squeeze", [1, 3, 1, 4], [("Squeeze", ["x", "a"], ["y"], {})], {"a": i64(2)})
    case("squeeze_all_11", [1, 3, 1, 4], [("Squeeze", ["x"], ["y"], {})], opset=11)
    case("squeeze_axes_11", [1, 3, 1, 4], [("Squeeze", ["x"], ["y"], {"axes": [0, -2]})], opset=11)
    case("unsqueeze", [1, 4], [("Unsqueeze", ["x", "a"], ["y"], {})], {"a": i64(0, -1)})
    case("unsqueeze_11", [1, 4], [("Unsqueeze", ["x"], ["y"], {"axes": [1, 3]})], opset=11)


def piecewise():
    for opset, alpha in ((7, 0.01), (16, 0.3), (16, 1.5), (16, -0.5), (16, 0.0), (16, 1.0)):
        case(f"leaky_relu_{opset}_{alpha}", [1, 3, 4, 2], [("LeakyRelu", ["x"], ["y"], {"alpha": alpha})], opset=opset)
    case("leaky_relu_default", [1, 6], [("LeakyRelu", ["x"], ["y"], {})])
    case("leaky_relu_double", [1, 6], [("LeakyRelu", ["x"], ["y"], {"alpha": 0.1})], opset=16, dtype=np.float64)
    case("leaky_relu_after_conv", [1, 2, 5, 5],
         [("Conv", ["x", "w"], ["h"], {}), ("LeakyRelu", ["h"], ["r"], {"alpha": 0.2}), ("Flatten", ["r"], ["f"], {}), ("Gemm", ["f", "g"], ["y"], {})],
         {"w": f32(3, 2, 3, 3), "g": f32(27, 4)})
    for name, slope in (("one", [1]), ("channel", [3, 1, 1]), ("element", [3, 4, 2]), ("row", [4, 1]), ("batch", [1, 3, 1, 1])):
        for opset in (7, 9, 16):
            case(f"prelu_{name}_{opset}", [1, 3, 4, 2], [("PRelu", ["x", "s"], ["y"], {})], {"s": f32(*slope)}, opset)
    case("prelu_vector", [1, 6], [("PRelu", ["x", "s"], ["y"], {})], {"s": f32(6)})
    case("thresholded_relu", [1, 6], [("ThresholdedRelu", ["x"], ["y"], {"alpha": 0.0})])
    for name, bounds in (("both", {"min": -0.5, "max": 0.7}), ("low", {"min": -0.3}), ("high", {"max": 0.25}), ("none", {}), ("relu6", {"min": 0.0, "max": 6.0}),
                         ("equal", {"min": 0.5, "max": 0.5}), ("largest", {"min": 0.0, "max": float(np.finfo(np.float32).max)})):
        for shape in ([1, 3, 4, 2], [1, 6]):
            case(f"clip_6_{name}_{len(shape)}", shape, [("Clip", ["x"], ["y"], bounds)], opset=7)
            names = ["x", "a" if "min" in bounds else "", "b" if "max" in bounds else ""]
            given = {n: np.float32(bounds[k]) for n, k in (("a", "min"), ("b", "max")) if k in bounds}
            for opset in (11, 13):
                case(f"clip_{opset}_{name}_{len(shape)}", shape, [("Clip", names, ["y"], {})], given, opset)
    case("clip_crossed", [1, 6], [("Clip", ["x", "a", "b"], ["y"], {})], {"a": np.float32(0.5), "b": np.float32(-0.25)})
    case("clip_infinite", [1, 6], [("Clip", ["x", "a", "b"], ["y"], {})], {"a": np.float32("-inf"), "b": np.float32(0.25)})
    case("clip_double", [1, 6], [("Clip", ["x", "a", "b"], ["y"], {})], {"a": np.float64(-0.1), "b": np.float64(0.3)}, dtype=np.float64)
    case("clip_after_gemm", [1, 4], [("Gemm", ["x", "w", "c"], ["h"], {}), ("Clip", ["h", "a", "b"], ["r"], {}), ("Gemm", ["r", "v"], ["y"], {})],
         {"w": f32(4, 6), "c": f32(6), "a": np.float32(-0.1), "b": np.float32(0.3), "v": f32(6, 2)})
    for opset, attributes in ((7, {}), (13, {"alpha": 0.3, "beta": 0.1}), (22, {"alpha": -0.3})):
        case(f"hard_sigmoid_{opset}", [1, 3, 4, 2], [("HardSigmoid", ["x"], ["y"], attributes)], opset=opset)
    case("abs", [1, 3, 4, 2], [("Abs", ["x"], ["y"], {})])
    case("abs_vector", [1, 6], [("Abs", ["x"], ["y"], {})], opset=7)
    for op in ("Max", "Min", "Sum", "Mean"):
        for opset in (8, 13):
            for name, shape in (("scalar", []), ("channel", [3, 1, 1]), ("row", [4, 1]), ("all", [1, 3, 4, 2]), ("grows", [2, 3, 4, 2])):
                case(f"{op}_{opset}_{name}", [1, 3, 4, 2], [(op, ["x", "c"], ["y"], {})], {"c": f32(*shape)}, opset)
        two = [("Mul", ["x", "k"], ["a"], {})]
        given = {"k": f32(3, 4, 2, seed=8), "c": f32(3, 1, 1), "d": f32(2, seed=5), "z": np.float32(0)}
        for name, inputs in (("one", ["x"]), ("two", ["x", "a"]), ("three", ["a", "x", "a"]), ("mixed", ["c", "x", "d", "a"]), ("zero", ["x", "z"])):
            case(f"{op}_{name}", [1, 3, 4, 2], [*two, (op, inputs, ["y"], {})], given)
        case(f"{op}_broadcast", [1, 3, 4, 1], [("Transpose", ["x"], ["t"], {"perm": [0, 1, 3, 2]}), (op, ["x", "t", "c"], ["y"], {})], given)
        case(f"{op}_constants", [1, 3, 4, 2], [(op, ["c", "c"], ["e"], {}), ("Mul", ["x", "e"], ["y"], {})] if op != "Mean" else [(op, ["x", "c", "d"], ["y"], {})], given)


def conv_transpose():
    variations = {
        "plain": {}, "strides": {"strides": [2, 3]}, "pads": {"pads": [1, 0, 1, 1]}, "cut": {"pads": [3, 2, 4, 1], "strides": [2, 2]},
        "output_padding": {"strides": [2, 3], "output_padding": [1, 2]}, "dilations": {"dilations": [2, 3]},
        "all": {"strides": [3, 2], "pads": [1, 2, 0, 1], "dilations": [2, 1], "output_padding": [1, 1]},
        "same_upper": {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, "same_lower": {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
        "same_one": {"auto_pad": "SAME_UPPER"}, "valid": {"auto_pad": "VALID", "strides": [2, 1]},
        "output_shape": {"output_shape": [9, 8], "strides": [2, 2]}, "output_shape_upper": {"output_shape": [9, 8], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
        "kernel_shape": {"kernel_shape": [3, 2]},
    }
    for name, attributes in variations.items():
        for opset in (7, 11, 22):
            case(f"conv_transpose_{name}_{opset}", [1, 2, 4, 5], [("ConvTranspose", ["x", "w", "b"], ["y"], attributes)],
                 {"w": f32(2, 3, 3, 2), "b": f32(3)}, opset)
    case("conv_transpose_groups", [1, 4, 3, 3], [("ConvTranspose", ["x", "w"], ["y"], {"group": 2, "strides": [2, 2]})], {"w": f32(4, 3, 2, 3)})
    case("conv_transpose_depthwise", [1, 4, 3, 3], [("ConvTranspose", ["x", "w"], ["y"], {"group": 4, "strides": [2, 2]})], {"w": f32(4, 1, 2, 2)})
    case("conv_transpose_narrow", [1, 2, 3, 3], [("ConvTranspose", ["x", "w"], ["y"], {"strides": [3, 3]})], {"w": f32(2, 2, 1, 1)})
    case("conv_transpose_double", [1, 2, 3, 3], [("ConvTranspose", ["x", "w"], ["y"], {"strides": [2, 2]})], {"w": f32(2, 2, 3, 3) / np.float64(3)}, dtype=np.float64)
    case("conv_transpose_1d", [1, 2, 5], [("ConvTranspose", ["x", "w", "b"], ["y"], {"strides": [2], "pads": [1, 0], "output_padding": [1]})],
         {"w": f32(2, 3, 4), "b": f32(3)})


def reductions():
    for op, since in (("ReduceSum", 13), ("ReduceMean", 18), ("ReduceMax", 18), ("ReduceMin", 18)):
        for axes in ([1], [2], [3], [-1], [2, 3], [1, 2], [1, 3], [0], [0, -2], [1, 2, 3], [0, 1, 2, 3], None):
            for keep in (0, 1):
                label = f"{op}_{'all' if axes is None else '_'.join(map(str, axes))}_{keep}"
                old = {"keepdims": keep} if axes is None else {"keepdims": keep, "axes": axes}
                case(f"{label}_{since - 1}", [1, 3, 4, 2], [(op, ["x"], ["y"], old)], opset=since - 1)
                if axes != [0, 1, 2, 3]:
                    inputs, given = (["x"], {}) if axes is None else (["x", "a"], {"a": i64(*axes)})
                    case(f"{label}_{since}", [1, 3, 4, 2], [(op, inputs, ["y"], {"keepdims": keep})], given, since)
        case(f"{op}_noop", [1, 6], [(op, ["x"], ["h"], {"noop_with_empty_axes": 1}), ("Relu", ["h"], ["y"], {})], opset=18)
        case(f"{op}_empty", [1, 6], [(op, ["x", "a"], ["y"], {})], {"a": i64()}, 18)
        case(f"{op}_20", [1, 6], [(op, ["x", "a"], ["y"], {})], {"a": i64(1)}, 20)
        case(f"{op}_rank_3", [1, 6, 5], [(op, ["x", "a"], ["y"], {"keepdims": 0})], {"a": i64(1)}, 18)
        case(f"{op}_rank_5", [1, 2, 3, 2, 3], [(op, ["x", "a"], ["y"], {"keepdims": 0})], {"a": i64(1, 2, 4)}, 18)
        case(f"{op}_middle", [1, 2, 3, 2, 3], [(op, ["x", "a"], ["y"], {})], {"a": i64(2, 3)}, 18)
        case(f"{op}_rows", [2, 6], [(op, ["x", "a"], ["y"], {})], {"a": i64(0)}, 18)
        case(f"{op}_7", [1, 3, 4], [(op, ["x"], ["y"], {"axes": [1, 2], "keepdims": 0})], opset=8)
        case(f"{op}_head", [1, 2, 4, 4],
             [("Conv", ["x", "w"], ["h"], {}), ("Relu", ["h"], ["r"], {}), (op, ["r", "a"], ["m"], {"keepdims": 0}), ("Gemm", ["m", "g"], ["y"], {})],
             {"w": f32(3, 2, 2, 2), "a": i64(2, 3), "g": f32(3, 2)}, 18)
    for op in ("GlobalAveragePool", "GlobalMaxPool"):
        for shape in ([1, 3, 5], [1, 3, 5, 4], [1, 2, 3, 2, 2]):
            case(f"{op}_{len(shape)}", shape, [(op, ["x"], ["y"], {})])


def sequences():
    case("conv_1d", [1, 3, 9], [("Conv", ["x", "w", "b"], ["y"], {"strides": [2], "pads": [1, 2], "dilations": [2]})], {"w": f32(4, 3, 3), "b": f32(4)})
    case("conv_1d_same", [1, 3, 9], [("Conv", ["x", "w"], ["y"], {"strides": [2], "auto_pad": "SAME_LOWER", "kernel_shape": [3]})], {"w": f32(4, 3, 3)})
    case("conv_1d_groups", [1, 4, 9], [("Conv", ["x", "w"], ["y"], {"group": 2})], {"w": f32(4, 2, 3)})
    for op in ("MaxPool", "AveragePool"):
        for name, attributes in (("plain", {}), ("strides", {"strides": [2]}), ("pads", {"pads": [1, 0]}), ("ceil", {"strides": [2], "ceil_mode": 1}),
                                 ("dilations", {"dilations": [2]}), ("same", {"auto_pad": "SAME_UPPER", "strides": [2]})):
            case(f"{op}_1d_{name}", [1, 3, 10], [(op, ["x"], ["y"], {"kernel_shape": [3], **attributes})], opset=19)
    given = {"w": f32(4, 3, 3), "g": f32(4, seed=3), "b": f32(4, seed=4), "m": f32(4, seed=5), "v": np.abs(f32(4, seed=6)) + np.float32(0.1),
             "c": f32(4, 1), "u": f32(8, 4, 3, seed=7), "a": f32(8, 1), "d": f32(8, 2)}
    case("sequence_network", [1, 3, 12],
         [("Conv", ["x", "w"], ["h"], {}), ("BatchNormalization", ["h", "g", "b", "m", "v"], ["n"], {}), ("Add", ["n", "c"], ["o"], {}), ("Relu", ["o"], ["r"], {}),
          ("MaxPool", ["r"], ["p"], {"kernel_shape": [2], "strides": [2]}), ("Conv", ["p", "u"], ["q"], {"pads": [1, 1]}), ("PRelu", ["q", "a"], ["s"], {}),
          ("GlobalAveragePool", ["s"], ["t"], {}), ("Flatten", ["t"], ["f"], {}), ("Gemm", ["f", "d"], ["y"], {})], given)


def averages():
    ceil = {"plain": {}, "pads": {"pads": [1, 1, 1, 1]}, "uneven": {"pads": [0, 1, 0, 0]}, "same": {"auto_pad": "SAME_UPPER"}}
    for name, attributes in ceil.items():
        for opset in (10, 11, 19, 22):
            for count in (0, 1):
                for stride in (2, 3):
                    for size in (6, 7, 8):
                        case(f"average_ceil_{name}_{opset}_{count}_{stride}_{size}", [1, 2, size, 7],
                             [("AveragePool", ["x"], ["y"], {"kernel_shape": [3, 2], "strides": [stride, stride], "ceil_mode": 1, "count_include_pad": count, **attributes})], opset=opset)
    for name, attributes in (("plain", {}), ("pads", {"pads": [2, 1, 0, 1]}), ("ceil", {"strides": [2, 2], "ceil_mode": 1})):
        for count in (0, 1):
            case(f"average_dilated_{name}_{count}", [1, 2, 8, 7],
                 [("AveragePool", ["x"], ["y"], {"kernel_shape": [3, 2], "dilations": [2, 3], "count_include_pad": count, **attributes})], opset=19)


def padding():
    modes = {"ones": ([0, 0, 1, 2, 0, 1, 0, 3], "constant", 1.5), "shrunk_ones": ([0, 0, -1, 2, 0, 1, 0, -1], "constant", -0.75), "reflect": ([0, 2, 3, 1, 0, 1, 2, 0], "reflect", 0.0),
             "edge": ([0, 1, 5, 1, 0, 0, 2, 4], "edge", 0.0), "cut_reflect": ([0, 0, -1, 1, 0, 0, 2, 0], "reflect", 0.0), "cut_edge": ([0, -1, 1, 1, 0, 0, -2, 0], "edge", 0.0)}
    for name, (pads, mode, value) in modes.items():
        case(f"pad_{name}_7", [1, 3, 4, 2], [("Pad", ["x"], ["y"], {"pads": pads, "mode": mode, "value": value})], opset=7)
        for opset in (11, 13, 18, 19, 21, 23):
            case(f"pad_{name}_{opset}", [1, 3, 4, 2], [("Pad", ["x", "p", "v"], ["y"], {"mode": mode})], {"p": i64(*pads), "v": np.float32(value)}, opset)
    case("pad_wrap", [1, 3, 4, 2], [("Pad", ["x", "p"], ["y"], {"mode": "wrap"})], {"p": i64(0, 1, 3, 0, 0, 2, 2, 2)}, 19)
    case("pad_wrap_vector", [1, 6], [("Pad", ["x", "p", "", "a"], ["y"], {"mode": "wrap"})], {"p": i64(2, 3), "a": i64(-1)}, 19)
    case("pad_then_conv", [1, 2, 4, 4], [("Pad", ["x", "p", "v"], ["h"], {}), ("Conv", ["h", "w"], ["y"], {})],
         {"p": i64(0, 0, 1, 1, 0, 0, 1, 1), "v": np.float32(0.5), "w": f32(3, 2, 3, 3)})


def rest():
    case("relu", [1, 3, 4, 2], [("Relu", ["x"], ["y"], {})], opset=9)
    case("identity", [1, 4], [("Identity", ["x"], ["a"], {}), ("Relu", ["a"], ["y"], {})])
    case("dropout_9", [1, 4], [("Dropout", ["x"], ["a"], {"ratio": 0.3}), ("Relu", ["a"], ["y"], {})], opset=9)
    case("dropout_13", [1, 4], [("Dropout", ["x", "r", "t"], ["a", "mask"], {}), ("Relu", ["a"], ["y"], {})],
         {"r": np.float32(0.3), "t": np.array(False)})
    case("constant_nodes", [1, 4],
         [("Constant", [], ["w"], {"value": numpy_helper.from_array(f32(4, 3))}), ("Constant", [], ["s"], {"value_float": 2.0}),
          ("Constant", [], ["t"], {"value_floats": [1.0, 2.0, 3.0]}), ("Constant", [], ["r"], {"value_ints": [3, 1]}),
          ("Gemm", ["x", "w"], ["a"], {}), ("Mul", ["a", "s"], ["b"], {}), ("Add", ["b", "t"], ["c"], {}), ("Reshape", ["c", "r"], ["y"], {})])
    case("residual", [1, 2, 4, 4],
         [("Conv", ["x", "w"], ["a"], {"pads": [1, 1, 1, 1]}), ("Relu", ["a"], ["b"], {}), ("Conv", ["b", "v"], ["c"], {"pads": [1, 1, 1, 1]}),
          ("Add", ["c", "x"], ["d"], {}), ("Relu", ["d"], ["e"], {}), ("Flatten", ["e"], ["f"], {}), ("Gemm", ["f", "g"], ["y"], {})],
         {"w": f32(2, 2, 3, 3), "v": f32(2, 2, 3, 3, seed=9), "g": f32(32, 5)})


def session_of(model):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # Idle threads of onnxruntime spin, and the models are small.
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(model, values):
    session = session_of(model.SerializeToString())
    return [session.run(None, {session.get_inputs()[0].name: v})[0] for v in values]


def run_anywhere(model, values):
    """onnxruntime has no convolution in double, and no pooling whose padding is as wide as the kernel."""
    try:
        return run(model, values)
    except Exception:
        session = ReferenceEvaluator(model)
        return [session.run(None, {model.graph.input[0].name: v})[0] for v in values]


def make(folder):
    skipped = []
    for name, spec in CASES.items():
        shape, dtype = spec[0], spec[4]
        model = build(*spec)
        values = [rng(k).normal(size=shape).astype(dtype) for k in range(INPUTS)]
        try:
            results = run_anywhere(model, values)
        except Exception as error:  # some types and old opsets have no kernel
            skipped.append(f"{name}: {str(error).splitlines()[0][:150]}")
            continue
        onnx.save(model, folder / f"{name}.onnx")
        (folder / f"{name}.input").write_bytes(b"".join(v.tobytes() for v in values))
        (folder / f"{name}.output").write_bytes(b"".join(np.asarray(r).tobytes() for r in results))
    print(f"{len(CASES) - len(skipped)} models, {len(skipped)} skipped")
    print("\n".join(skipped))


def real(folder, paths):
    """Models that others made; an open batch becomes 1, inputs that nothing reads become zeros."""
    kinds = {TensorProto.FLOAT: np.float32, TensorProto.DOUBLE: np.float64, TensorProto.INT64: np.int64, TensorProto.BOOL: np.bool_}
    for k, path in enumerate(paths):
        model = onnx.load(path)
        constants = {t.name for t in model.graph.initializer}
        read = {name for node in model.graph.node for name in node.input}
        free = [i for i in model.graph.input if i.name not in constants]
        (given,) = [i for i in free if i.name in read or len(free) == 1]
        shape_of = lambda i: [max(1, d.dim_value) for d in i.type.tensor_type.shape.dim]
        kind = kinds[given.type.tensor_type.elem_type]
        others = {i.name: np.zeros(shape_of(i), kinds[i.type.tensor_type.elem_type]) for i in free if i is not given}
        values = [rng(k).uniform(size=shape_of(given)).astype(kind) for k in range(INPUTS_OF_REAL)]
        session = session_of(str(path))
        results = [session.run(None, {given.name: v, **others})[0] for v in values]
        name = f"real_{k}_{pathlib.Path(path).stem}"
        (folder / f"{name}.onnx").write_bytes(pathlib.Path(path).read_bytes())
        (folder / f"{name}.input").write_bytes(b"".join(v.tobytes() for v in values))
        (folder / f"{name}.output").write_bytes(b"".join(np.asarray(r).astype(kind).tobytes() for r in results))


def check(folder):
    failures = []
    for path in sorted(folder.glob("*.written.onnx")):
        name = path.name.removesuffix(".written.onnx")
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        double = model.graph.input[0].type.tensor_type.elem_type == TensorProto.DOUBLE
        dtype = np.float64 if double else np.float32
        shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
        values = np.frombuffer((folder / f"{name}.input").read_bytes(), dtype).reshape(-1, *shape)
        expected = np.frombuffer((folder / f"{name}.output").read_bytes(), dtype).reshape(len(values), -1)
        for value, want in zip(values, expected):
            try:
                got = run_anywhere(model, [value])[0].reshape(-1)
            except Exception as error:
                failures.append(f"{name}: {error}")
                break
            if got.shape != want.shape or np.abs(got - want).max() > 1e-5 * max(1e-30, np.abs(want).max()):
                failures.append(f"{name}: {got[:5]} instead of {want[:5]}")
                break
    if failures:
        sys.exit("\n".join(failures))


for define in (gemm, matmul, elementwise, conv, normalization, pooling, shapes, piecewise, conv_transpose, reductions, sequences, averages, padding, rest):
    define()
verb, target, files = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
if verb == "make":
    make(target)
    real(target, files)
else:
    check(target)
