//! ONNX: well-formed protobuf that describes a graph with ill intent.

use super::Case;
use super::protobuf::{FLOAT, INT64, Model, a_graph, a_int, bytes, claimed, floats, int, int64s, node, tensor, value};

fn onnx(name: &str, content: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Case {
    Case::inspect(format!("graph-{name}"), "m.onnx", content)
}

/// `y` is `x` plus a tensor that is not what it says.
fn weight(name: &str, tensor: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Case {
    onnx(&format!("tensor-{name}"), move || Model::add(&tensor()).bytes())
}

fn metadata(key: &str, v: impl AsRef<[u8]>) -> Vec<u8> {
    bytes(14, [bytes(1, key), bytes(2, v)].concat())
}

pub(crate) fn cases() -> Vec<Case> {
    let big = 1i64 << 40;
    let mut cases = vec![
        weight("claims-2-40-without-data", move || claimed("w", FLOAT, &[big])),
        weight("claims-2-40-squared", move || claimed("w", FLOAT, &[big, big])),
        weight("claims-2-63", || claimed("w", FLOAT, &[i64::MAX])),
        weight("claims-2-27-without-data", || claimed("w", FLOAT, &[1 << 27])),
        weight("extent-negative", || claimed("w", FLOAT, &[-4])),
        weight("extents-negative-twice", || claimed("w", FLOAT, &[-2, -2])),
        weight("extent-zero-and-2-40", move || claimed("w", FLOAT, &[0, big, big])),
        weight("rank-100000", || tensor("w", FLOAT, &[1; 100_000], &[0; 4])),
        weight("rank-33", || tensor("w", FLOAT, &[1; 33], &[0; 4])),
        weight("nan", || floats("w", &[4], f32::NAN)),
        weight("infinite", || floats("w", &[4], f32::INFINITY)),
        weight("type-unknown", || tensor("w", 99, &[4], &[0; 16])),
        weight("type-negative", || tensor("w", -1, &[4], &[0; 16])),
        weight("type-string", || tensor("w", 8, &[4], &[0; 16])),
        weight("type-float16", || tensor("w", 10, &[4], &[0; 8])),
        weight("type-complex", || tensor("w", 14, &[4], &[0; 32])),
        weight("short-by-one-byte", || tensor("w", FLOAT, &[4], &[0; 15])),
        weight("long-by-one-byte", || tensor("w", FLOAT, &[4], &[0; 17])),
        weight("data-twice", || [tensor("w", FLOAT, &[4], &[0; 16]), bytes(4, [0; 16])].concat()),
        weight("location-unknown", || [tensor("w", FLOAT, &[4], &[0; 16]), int(14, 7)].concat()).may_load(),
        weight("segment", || [tensor("w", FLOAT, &[4], &[0; 16]), bytes(3, int(2, i64::MAX))].concat()),
        weight("without-a-name", || tensor("", FLOAT, &[4], &[0; 16])),
        weight("bool-of-2-27", || claimed("w", 9, &[1 << 27])),
        onnx("opset-2-63", || Model::relu().opset(i64::MAX).bytes()),
        onnx("opset-negative", || Model::relu().opset(-1).bytes()),
        onnx("opset-twice", || Model::relu().model(&bytes(8, int(2, 12))).bytes()),
        onnx("ir-version-2-63", || Model::relu().model(&int(1, i64::MAX)).bytes()),
        onnx("without-graph", || int(1, 8)),
        onnx("without-output", || [int(1, 8), bytes(7, bytes(11, value("x", &[1]))), bytes(8, int(2, 13))].concat()),
        onnx("input-of-2-27", || Model::new(&[1, 1 << 27]).node("Relu", &["x"], "y", &[]).bytes()).may_load(),
        onnx("input-of-2-63", || Model::new(&[1, i64::MAX]).node("Relu", &["x"], "y", &[]).bytes()),
        onnx("input-overflows", move || Model::new(&[big, big, big]).node("Relu", &["x"], "y", &[]).bytes()),
        onnx("input-of-rank-100000", || Model::new(&[1; 100_000]).node("Relu", &["x"], "y", &[]).bytes()),
        onnx("100000-inputs", || {
            let inputs: Vec<u8> = (0..100_000).flat_map(|k| bytes(11, value(&format!("x{k}"), &[1]))).collect();
            Model::relu().graph(&inputs).bytes()
        })
        .may_load(),
        onnx("cycle", || Model::new(&[1, 4]).node("Add", &["x", "b"], "a", &[]).node("Relu", &["a"], "b", &[]).bytes()),
        onnx("reads-itself", || Model::new(&[1, 4]).node("Add", &["x", "y"], "y", &[]).bytes()),
        onnx("cycle-of-100000", || Model::new(&[1, 4]).chain(100_000, "Add", &["y"], &[]).bytes()),
        onnx("output-twice", || Model::relu().node("Relu", &["x"], "y", &[]).bytes()),
        onnx("node-overwrites-input", || Model::new(&[1, 4]).node("Relu", &["x"], "x", &[]).bytes()),
        onnx("100000-nodes-of-one-name", || {
            let mut graph = Vec::new();
            for k in 0..100_000 {
                let out = format!("o{k}");
                graph.extend(bytes(1, [node("Relu", &["x"], &out, &[]), bytes(3, "name")].concat()));
            }
            Model::relu().graph(&graph).bytes()
        })
        .may_load(),
        onnx("100000-relus-in-a-row", || Model::new(&[1, 4]).chain(100_000, "Relu", &[], &[]).bytes()).may_load(),
        onnx("100000-identities", || {
            Model::new(&[1, 4]).chain(100_000, "Identity", &[], &[]).node("Relu", &["x"], "z", &[]).bytes()
        })
        .may_load(),
        onnx("50000-scales-in-a-row", || {
            Model::new(&[1, 4]).tensor(&floats("c", &[4], 1.0)).chain(50_000, "Mul", &["c"], &[]).bytes()
        })
        .may_load(),
        onnx("50000-doublings", || {
            let mut graph = Vec::new();
            for k in 0..50_000 {
                let from = if k == 0 { "x".into() } else { format!("t{k}") };
                let to = if k == 49_999 { "y".into() } else { format!("t{}", k + 1) };
                graph.extend(bytes(1, node("Add", &[&from, &from], &to, &[])));
            }
            Model::new(&[1, 4]).graph(&graph).bytes()
        })
        .may_load(),
        onnx("2000-nodes-of-2000-inputs", || {
            let name = "x";
            let one = node("Add", &vec![name; 2000], "", &[]);
            let graph: Vec<u8> =
                (0..100).flat_map(|k| bytes(1, [one.clone(), bytes(2, format!("o{k}"))].concat())).collect();
            Model::relu().graph(&graph).bytes()
        }),
        onnx("node-of-400000-inputs", || {
            Model::new(&[1, 4]).node("Concat", &vec!["x"; 400_000], "y", &a_int("axis", 1)).bytes()
        }),
        onnx("node-of-100000-attributes", || {
            let attributes: Vec<u8> = (0..100_000).flat_map(|k| a_int(&format!("a{k}"), k)).collect();
            Model::new(&[1, 4]).node("Relu", &["x"], "y", &attributes).bytes()
        }),
        onnx("attribute-twice", || {
            let axis = a_int("axis", 1).repeat(2);
            Model::new(&[1, 4]).node("Flatten", &["x"], "y", &axis).bytes()
        }),
        onnx("attribute-of-another-type", || {
            Model::new(&[1, 4]).node("Flatten", &["x"], "y", &a_graph("axis", &[])).bytes()
        }),
        onnx("attribute-unknown", || Model::new(&[1, 4]).node("Relu", &["x"], "y", &a_int("alpha", 1)).bytes()),
        onnx("if", || {
            let branch = [bytes(1, node("Relu", &["x"], "b", &[])), bytes(12, value("b", &[1, 4]))].concat();
            let branches = [a_graph("then_branch", &branch), a_graph("else_branch", &branch)].concat();
            Model::new(&[1, 4]).node("If", &["x"], "y", &branches).bytes()
        }),
        onnx("loop-of-2-63", || {
            Model::new(&[1, 4])
                .tensor(&tensor("n", INT64, &[], &i64::MAX.to_le_bytes()))
                .node("Loop", &["n", "", "x"], "y", &a_graph("body", &[]))
                .bytes()
        }),
        onnx("operator-without-name", || Model::new(&[1, 4]).node("", &["x"], "y", &[]).bytes()),
        onnx("operator-of-an-unknown-domain", || {
            Model::new(&[1, 4]).graph(&bytes(1, [node("Relu", &["x"], "y", &[]), bytes(7, "evil")].concat())).bytes()
        }),
        onnx("operator-name-of-10-MB", || Model::new(&[1, 4]).node(&"R".repeat(10_000_000), &["x"], "y", &[]).bytes()),
        onnx("node-name-of-10-MB", || {
            let name = bytes(3, "n".repeat(10_000_000));
            Model::new(&[1, 4]).graph(&bytes(1, [node("Relu", &["x"], "y", &[]), name].concat())).bytes()
        })
        .may_load(),
        onnx("names-with-control-characters", || {
            let name = bytes(3, "\x1b[2J\x1b]0;owned\x07\n\r\0\u{202e}");
            Model::new(&[1, 4]).graph(&bytes(1, [node("Relu", &["x"], "y", &[]), name].concat())).bytes()
        })
        .may_load(),
        onnx("metadata-twice", || Model::relu().model(&metadata("k", "v").repeat(2)).bytes()),
        onnx("metadata-of-100-MB", || Model::relu().model(&metadata("k", vec![b'a'; 100_000_000])).bytes()),
        onnx("metadata-of-12-MB-that-is-shown-escaped", || {
            Model::relu().model(&metadata("k", vec![1; 12_000_000])).bytes()
        })
        .may_load(),
        onnx("metadata-of-300000-pairs", || {
            let pairs: Vec<u8> = (0..300_000).flat_map(|k| metadata(&k.to_string(), "")).collect();
            Model::relu().model(&pairs).bytes()
        })
        .may_load(),
        onnx("documentation-of-100-MB", || Model::relu().model(&bytes(6, vec![b'a'; 100_000_000])).bytes()).may_load(),
        onnx("documentation-of-40-MB-in-nodes", || {
            let one = bytes(1, [node("Relu", &["x"], "", &[]), bytes(6, vec![b'a'; 4000])].concat());
            Model::relu().graph(&one.repeat(10_000)).bytes()
        }),
        onnx("unused-tensors-of-60-MB", || Model::relu().tensor(&floats("w", &[15_000_000], 0.0)).bytes()).may_load(),
        onnx("unused-tensors-of-40-MB-not-raw", || {
            Model::relu().tensor(&[claimed("w", FLOAT, &[10_000_000]), bytes(4, vec![0; 40_000_000])].concat()).bytes()
        })
        .may_load(),
        onnx("integers-of-40-MB", || {
            Model::relu().tensor(&tensor("w", INT64, &[5_000_000], &vec![0; 40_000_000])).bytes()
        })
        .may_load(),
        onnx("integers-of-one-byte-each", || {
            Model::relu().tensor(&[claimed("w", INT64, &[10_000_000]), bytes(7, vec![0; 10_000_000])].concat()).bytes()
        })
        .may_load(),
        onnx("flags-of-one-byte-each", || {
            let flags = tensor("", 9, &[1 << 20], &vec![0; 1 << 20]);
            let tensors: Vec<u8> =
                (0..30).flat_map(|k| bytes(5, [flags.clone(), bytes(8, format!("w{k}"))].concat())).collect();
            Model::relu().graph(&tensors).bytes()
        })
        .may_load(),
        onnx("quantised", || Model::relu().graph(&bytes(14, bytes(1, "x"))).bytes()),
        onnx("sparse", || Model::relu().graph(&bytes(15, bytes(3, [1]))).bytes()),
    ];
    cases.push(onnx("shape-that-claims-2-63", || {
        Model::new(&[1, 4]).tensor(&int64s("s", &[i64::MAX, 2])).node("Reshape", &["x", "s"], "y", &[]).bytes()
    }));
    cases.push(onnx("shape-of-100000-extents", || {
        Model::new(&[1, 4]).tensor(&int64s("s", &[1; 100_000])).node("Reshape", &["x", "s"], "y", &[]).bytes()
    }));
    cases.push(onnx("shape-with-two-open-extents", || {
        Model::new(&[1, 4]).tensor(&int64s("s", &[-1, -1])).node("Reshape", &["x", "s"], "y", &[]).bytes()
    }));
    cases
}
