//! ONNX: a few bytes whose meaning is large.

use super::Case;
use super::protobuf::{Model, a_int, a_ints, bytes, claimed, floats, int64s, node};

fn onnx(name: &str, content: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Case {
    Case::inspect(format!("growth-{name}"), "m.onnx", content).may_load()
}

/// One node that reads an image `[1, channels, size, size]`.
fn image(channels: i64, size: i64, operator: &str, tensors: &[Vec<u8>], attributes: &[u8]) -> Vec<u8> {
    let names = ["w", "b"];
    let inputs: Vec<&str> = std::iter::once("x").chain(names.into_iter().take(tensors.len())).collect();
    let model = Model::new(&[1, channels, size, size]).node(operator, &inputs, "y", attributes);
    tensors.iter().fold(model, |model, t| model.tensor(t)).bytes()
}

/// The attributes of a window.
fn window(kernel: i64, stride: i64, pad: i64) -> Vec<u8> {
    [a_ints("kernel_shape", &[kernel; 2]), a_ints("strides", &[stride; 2]), a_ints("pads", &[pad; 4])].concat()
}

pub(crate) fn cases() -> Vec<Case> {
    let side = 1 << 13;
    let mut cases = vec![
        onnx("convolution-with-kernel-256-at-every-place", || {
            image(1, 512, "Conv", &[floats("w", &[1, 1, 256, 256], 1.0)], &[])
        }),
        onnx("convolution-with-pads-2-16", || {
            image(1, 4, "Conv", &[floats("w", &[1, 1, 3, 3], 1.0)], &window(3, 1 << 12, 1 << 16))
        }),
        onnx("convolution-to-2-27-elements", || image(1, 1 << 11, "Conv", &[floats("w", &[32, 1, 1, 1], 1.0)], &[])),
        onnx("convolution-with-dilation-2-62", || {
            let dilations = a_ints("dilations", &[1 << 62; 2]);
            image(1, 4, "Conv", &[floats("w", &[1, 1, 3, 3], 1.0)], &dilations)
        }),
        onnx("convolution-with-stride-2-63", || {
            image(1, 4, "Conv", &[floats("w", &[1, 1, 3, 3], 1.0)], &a_ints("strides", &[i64::MAX; 2]))
        }),
        onnx("convolution-with-negative-stride", || {
            image(1, 4, "Conv", &[floats("w", &[1, 1, 3, 3], 1.0)], &a_ints("strides", &[-1; 2]))
        }),
        onnx("convolution-with-negative-pads", || {
            image(1, 4, "Conv", &[floats("w", &[1, 1, 3, 3], 1.0)], &a_ints("pads", &[i64::MIN; 4]))
        }),
        onnx("convolution-with-2-63-groups", || {
            image(1, 4, "Conv", &[floats("w", &[1, 1, 3, 3], 1.0)], &a_int("group", i64::MAX))
        }),
        onnx("convolution-whose-weight-claims-a-kernel-of-2-16", || {
            image(1, 1 << 13, "Conv", &[claimed("w", 1, &[1, 1, 1 << 16, 1 << 16])], &[])
        }),
        onnx("maximum-over-windows-of-2-12", move || image(1, side, "MaxPool", &[], &window(side / 2, 1, 0))),
        onnx("maximum-over-windows-of-2-16", || image(1, 4, "MaxPool", &[], &window(1 << 16, 1 << 15, 1 << 15))),
        onnx("maximum-with-pads-2-16", || image(1, 4, "MaxPool", &[], &window(3, 1, 1 << 16))),
        onnx("maximum-with-long-border", || {
            // 2^26 rows of one column: each row's window is looked at.
            let model = Model::new(&[1, 1, 1 << 26, 1]);
            let kernel = a_ints("kernel_shape", &[1, 1]);
            model.node("MaxPool", &["x"], "y", &kernel).bytes()
        }),
        onnx("maximum-ten-times-with-long-border", || {
            Model::new(&[1, 1, 1 << 26, 1]).chain(10, "MaxPool", &[], &a_ints("kernel_shape", &[1, 1])).bytes()
        }),
        onnx("maximum-with-ceil-mode-2-62", || {
            let attributes = [window(3, 1 << 62, 2), a_int("ceil_mode", 1)].concat();
            image(1, 4, "MaxPool", &[], &attributes)
        }),
        onnx("average-over-windows-of-2-12", move || image(1, side, "AveragePool", &[], &window(side / 2, side, 0))),
        onnx("average-over-windows-of-2-12-with-padding", move || {
            image(1, side, "AveragePool", &[], &window(side / 2, side / 2, side / 4))
        }),
        onnx("average-at-2-26-places-with-padding", move || image(1, side, "AveragePool", &[], &window(3, 1, 1))),
        onnx("average-of-2-16-channels", || image(1 << 16, 32, "AveragePool", &[], &window(32, 1, 0))),
        onnx("average-of-everything", move || image(1, side, "GlobalAveragePool", &[], &[])),
        onnx("average-of-everything-64-times", || {
            let mut graph = Vec::new();
            for k in 0..64 {
                graph.extend(bytes(1, node("GlobalAveragePool", &["x"], &format!("o{k}"), &[])));
            }
            Model::new(&[1, 16, 512, 512]).graph(&graph).node("Relu", &["o1"], "y", &[]).bytes()
        }),
        onnx("transpose-of-2-26", move || image(1, side, "Transpose", &[], &a_ints("perm", &[0, 1, 3, 2]))),
        onnx("transposes-of-2-22-in-a-chain", || {
            Model::new(&[1, 1, 2048, 2048]).chain(100, "Transpose", &[], &a_ints("perm", &[0, 1, 3, 2])).bytes()
        }),
        onnx("transposes-of-2-22-beside-each-other", || {
            let mut graph = Vec::new();
            for k in 0..100 {
                let perm = a_ints("perm", &[0, 1, 3, 2]);
                graph.extend(bytes(1, node("Transpose", &["x"], &format!("o{k}"), &perm)));
            }
            Model::new(&[1, 1, 2048, 2048]).graph(&graph).node("Relu", &["o1"], "y", &[]).bytes()
        }),
        onnx("transposes-of-2-17-1000-times", || {
            Model::new(&[1, 2, 256, 256]).chain(1000, "Transpose", &[], &a_ints("perm", &[0, 1, 3, 2])).bytes()
        }),
        onnx("reshapes-of-2-24-1000-times", || {
            let mut graph = Vec::new();
            for k in 0..1000 {
                let from = if k == 0 { "x".into() } else { format!("t{k}") };
                let shape = if k % 2 == 0 { "s" } else { "z" };
                graph.extend(bytes(1, node("Reshape", &[&from, shape], &format!("t{}", k + 1), &[])));
            }
            let model = Model::new(&[1, 1 << 24]).graph(&graph).node("Relu", &["t1000"], "y", &[]);
            model.tensor(&int64s("s", &[1, 1 << 12, 1 << 12])).tensor(&int64s("z", &[1, 1 << 11, 1 << 13])).bytes()
        }),
        onnx("padding-to-2-27", || {
            let pads = int64s("w", &[0, 0, 0, 0, 0, 0, (1 << 13) - 4, (1 << 13) - 4]);
            image(1, 4, "Pad", &[pads], &[])
        }),
        onnx("padding-by-2-62", || {
            image(1, 4, "Pad", &[int64s("w", &[0, 0, 1 << 62, 1 << 62, 0, 0, 1 << 62, 1 << 62])], &[])
        }),
        onnx("padding-by-minus-2-63", || image(1, 4, "Pad", &[int64s("w", &[i64::MIN; 8])], &[])),
        onnx("padding-1000-times", || {
            let pads = int64s("p", &[0, 0, 0, 0, 0, 0, 100, 0]);
            Model::new(&[1, 1, 1, 1000]).tensor(&pads).chain(1000, "Pad", &["p"], &[]).bytes()
        }),
        onnx("gather-of-one-element-2-24-times", || {
            let indices = [claimed("w", 7, &[1 << 24]), bytes(7, vec![0; 1 << 24])].concat();
            image(1, 4, "Gather", &[indices], &a_int("axis", 2))
        }),
        onnx("gather-that-doubles-30-times", || {
            let indices = int64s("i", &[0; 2]);
            let model = Model::new(&[1, 2]).tensor(&indices);
            model.chain(30, "Gather", &["i"], &a_int("axis", 0)).bytes()
        }),
        onnx("gather-of-1000-that-grows-thrice", || {
            let model = Model::new(&[1, 4]).tensor(&int64s("i", &[0; 1000]));
            model.chain(3, "Gather", &["i"], &a_int("axis", 1)).bytes()
        }),
        onnx("broadcast-to-2-26", || {
            Model::new(&[1, 1 << 13, 1])
                .tensor(&floats("c", &[1, 1, 1 << 13], 1.0))
                .node("Add", &["x", "c"], "y", &[])
                .bytes()
        }),
        onnx("broadcast-in-a-chain", || {
            let mut model = Model::new(&[1, 1, 1, 1]).tensor(&floats("c", &[1, 1, 1, 512], 1.0));
            model = model.tensor(&floats("d", &[1, 1, 512, 1], 1.0)).tensor(&floats("e", &[1, 512, 1, 1], 1.0));
            model = model.node("Add", &["x", "c"], "p", &[]).node("Add", &["p", "d"], "q", &[]);
            model.node("Add", &["q", "e"], "y", &[]).bytes()
        }),
        onnx("broadcast-of-a-scalar-over-2-27", || {
            Model::new(&[1, 1 << 27]).tensor(&floats("c", &[1], 3.0)).node("Mul", &["x", "c"], "y", &[]).bytes()
        }),
        onnx("broadcast-of-a-scalar-over-2-22-100-times", || {
            Model::new(&[1, 1 << 22]).tensor(&floats("c", &[1], 3.0)).chain(100, "Mul", &["c"], &[]).bytes()
        }),
        onnx("division-over-2-24", || {
            Model::new(&[1, 1 << 24]).tensor(&floats("c", &[1], 3.0)).node("Div", &["x", "c"], "y", &[]).bytes()
        }),
        onnx("sum-of-two-values-that-broadcast", || {
            let model =
                Model::new(&[1, 1, 8192]).tensor(&int64s("s", &[1, 8192, 1])).node("Reshape", &["x", "s"], "z", &[]);
            model.node("Add", &["x", "z"], "y", &[]).bytes()
        }),
        onnx("difference-of-2-26", || {
            Model::new(&[1, 1 << 26]).node("Relu", &["x"], "r", &[]).node("Sub", &["x", "r"], "y", &[]).bytes()
        }),
        onnx("negations-of-2-26", || Model::new(&[1, 1 << 26]).chain(16, "Neg", &[], &[]).bytes()),
        onnx("relus-of-2-27", || Model::new(&[1, 1 << 27]).chain(100, "Relu", &[], &[]).bytes()),
        onnx("flatten-of-2-27", || image(1 << 7, 1 << 10, "Flatten", &[], &[])),
        onnx("batch-norm-of-2-27", || {
            let model = Model::new(&[1, 2, 1 << 13, 1 << 13]);
            let model = ["s", "b", "m", "v"].iter().fold(model, |m, n| m.tensor(&floats(n, &[2], 1.0)));
            model.node("BatchNormalization", &["x", "s", "b", "m", "v"], "y", &[]).bytes()
        }),
        onnx("one-matrix-of-4-MB-1000-times", || {
            let model = Model::new(&[1, 1024]).tensor(&floats("w", &[1024, 1024], 1.0));
            model.chain(1000, "MatMul", &["w"], &[]).bytes()
        }),
        onnx("one-matrix-of-4-MB-from-the-left-1000-times", || {
            let mut graph = Vec::new();
            for k in 0..1000 {
                let from = if k == 0 { "x".into() } else { format!("t{k}") };
                let to = if k == 999 { "y".into() } else { format!("t{}", k + 1) };
                graph.extend(bytes(1, node("MatMul", &["w", &from], &to, &[])));
            }
            Model::new(&[1024, 1]).tensor(&floats("w", &[1024, 1024], 1.0)).graph(&graph).bytes()
        }),
        onnx("one-matrix-of-4-MB-in-100-gemms", || {
            let model = Model::new(&[1, 1024]).tensor(&floats("w", &[1024, 1024], 0.1));
            model.chain(100, "Gemm", &["w"], &a_int("transB", 1)).bytes()
        }),
        onnx("one-kernel-of-4-MB-1000-times", || {
            let model = Model::new(&[1, 1, 1024, 1024]).tensor(&floats("w", &[1, 1, 1023, 1023], 1.0));
            let nodes: Vec<u8> =
                (0..1000).flat_map(|k| bytes(1, node("Conv", &["x", "w"], &format!("o{k}"), &[]))).collect();
            model.graph(&nodes).node("Relu", &["o1"], "y", &[]).bytes()
        }),
        onnx("one-kernel-folded-with-1000-scales", || {
            let mut graph = Vec::new();
            for k in 0..1000 {
                graph.extend(bytes(1, node("Conv", &["x", "w"], &format!("c{k}"), &[])));
                graph.extend(bytes(1, node("Mul", &[&format!("c{k}"), "s"], &format!("d{k}"), &[])));
                let (from, to) = (format!("e{k}"), format!("e{}", k + 1));
                let from = if k == 0 { "d0" } else { &from };
                graph.extend(bytes(1, node("Add", &[from, &format!("d{k}")], &to, &[])));
            }
            let model = Model::new(&[1, 1, 512, 512]).tensor(&floats("w", &[1, 1, 511, 511], 1.0));
            model.tensor(&floats("s", &[1], 3.0)).graph(&graph).node("Relu", &["e1000"], "y", &[]).bytes()
        }),
        onnx("constants-added-1000-times", || {
            let mut graph = bytes(1, node("Add", &["c", "c"], "c0", &[]));
            for k in 0..1000 {
                let (from, to) = (format!("c{k}"), format!("c{}", k + 1));
                graph.extend(bytes(1, node("Add", &[&from, &from], &to, &[])));
            }
            let model = Model::new(&[1, 1 << 18]).tensor(&floats("c", &[1, 1 << 18], 0.0)).graph(&graph);
            model.node("Add", &["x", "c1000"], "y", &[]).bytes()
        }),
        onnx("constants-broadcast-to-2-26", || {
            let model = Model::new(&[1, 4]).tensor(&floats("r", &[1, 8192], 1.0)).tensor(&floats("c", &[8192, 1], 1.0));
            model.node("Add", &["r", "c"], "d", &[]).node("Relu", &["x"], "y", &[]).bytes()
        }),
        onnx("constant-transposed-1000-times", || {
            let mut graph = Vec::new();
            for k in 0..1000 {
                let (from, to) = (format!("c{k}"), format!("c{}", k + 1));
                graph.extend(bytes(1, node("Transpose", &[&from], &to, &[])));
            }
            Model::relu().tensor(&floats("c0", &[512, 512], 1.0)).graph(&graph).bytes()
        }),
    ];
    // Operators that make a constant of any size from its shape alone.
    for (name, operator, shape) in [
        ("constant-of-shape-2-40", "ConstantOfShape", &[1i64 << 20, 1 << 20][..]),
        ("constant-of-shape-2-27", "ConstantOfShape", &[1 << 27]),
        ("expand-to-2-40", "Expand", &[1 << 20, 1 << 20]),
        ("expand-to-2-26", "Expand", &[1 << 13, 1 << 13]),
        ("tile-2-20-times", "Tile", &[1 << 20, 1 << 20]),
    ] {
        let inputs: &[&str] = if operator == "ConstantOfShape" { &["s"] } else { &["c", "s"] };
        cases.push(onnx(name, move || {
            let model = Model::relu().tensor(&int64s("s", shape)).tensor(&floats("c", &[1, 1], 1.0));
            model.node(operator, inputs, "d", &[]).bytes()
        }));
        if operator != "ConstantOfShape" {
            cases.push(onnx(&format!("{name}-of-the-input"), move || {
                Model::new(&[1, 1]).tensor(&int64s("s", shape)).node(operator, &["x", "s"], "y", &[]).bytes()
            }));
        }
    }
    cases.push(onnx("range-to-2-62", || {
        let scalar = |name: &str, v: i64| super::protobuf::tensor(name, 7, &[], &v.to_le_bytes());
        let model = Model::relu().tensor(&scalar("a", 0)).tensor(&scalar("b", 1 << 62)).tensor(&scalar("c", 1));
        model.node("Range", &["a", "b", "c"], "r", &[]).bytes()
    }));
    cases.push(onnx("concat-that-doubles-40-times", || {
        let mut graph = Vec::new();
        for k in 0..40 {
            let from = if k == 0 { "x".into() } else { format!("t{k}") };
            let to = if k == 39 { "y".into() } else { format!("t{}", k + 1) };
            graph.extend(bytes(1, node("Concat", &[&from, &from], &to, &a_int("axis", 1))));
        }
        Model::new(&[1, 4]).graph(&graph).bytes()
    }));
    cases.push(onnx("transposed-convolution-with-stride-2-20", || {
        image(1, 8, "ConvTranspose", &[floats("w", &[1, 1, 3, 3], 1.0)], &a_ints("strides", &[1 << 20; 2]))
    }));
    cases.push(onnx("transposed-convolution-to-2-26", || {
        image(1, 1024, "ConvTranspose", &[floats("w", &[1, 1, 3, 3], 1.0)], &a_ints("strides", &[8; 2]))
    }));
    cases
}
