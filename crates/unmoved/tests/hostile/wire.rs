//! ONNX: bytes that are not the protobuf that they seem to be.

use super::Case;
use super::protobuf::{Model, bytes, claimed, floats, int, lying, varint};

fn onnx(name: &str, content: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Case {
    Case::inspect(format!("wire-{name}"), "m.onnx", content)
}

/// `inner` inside as many messages, each in the field of its level.
fn nested(inner: &[u8], levels: usize, fields: &[u64]) -> Vec<u8> {
    // From the inside out would copy everything at every level; so the heads are made first, last head first.
    let mut heads: Vec<Vec<u8>> = Vec::with_capacity(levels);
    let mut length = inner.len();
    for level in (0..levels).rev() {
        let head = [varint(fields[level % fields.len()] << 3 | 2), varint(length as u64)].concat();
        length += head.len();
        heads.push(head);
    }
    heads.into_iter().rev().flatten().chain(inner.iter().copied()).collect()
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        onnx("empty", Vec::new),
        onnx("one-byte", || vec![0x3a]),
        onnx("zeros", || vec![0; 1000]),
        onnx("ones", || vec![0xff; 1000]),
        onnx("text", || b"net 1\ninput x f32 [1]\noutput x\nend\n".to_vec()),
        onnx("random", || (0..100_000u32).map(|k| (k.wrapping_mul(2_654_435_761) >> 13) as u8).collect()),
        onnx("cut-in-half", || {
            let mut bytes = Model::add(&floats("w", &[4], 1.0)).bytes();
            bytes.truncate(bytes.len() / 2);
            bytes
        }),
        onnx("field-zero", || Model::relu().model(&int(0, 1)).bytes()),
        onnx("wire-type-6", || Model::relu().model(&[0x3e]).bytes()),
        onnx("wire-type-7", || Model::relu().model(&[0x3f]).bytes()),
        onnx("graph-as-integer", || [int(1, 8), int(7, 1)].concat()),
        onnx("graph-twice", || Model::relu().model(&bytes(7, bytes(2, "again"))).bytes()).may_load(),
        onnx("string-not-utf8", || Model::relu().model(&bytes(2, [0xff, 0xfe])).bytes()),
        onnx("varint-of-eleven-bytes", || Model::relu().model(&[&[0x28][..], &[0x80; 10], &[1]].concat()).bytes()),
        onnx("varint-without-end", || Model::relu().model(&[&[0x28][..], &[0x80; 5000]].concat()).bytes()),
        onnx("varint-padded-to-ten-bytes", || {
            Model::relu().model(&[&[0x28, 0x81][..], &[0x80; 8], &[0]].concat()).bytes()
        })
        .may_load(),
        onnx("key-padded-to-ten-bytes", || Model::relu().model(&[&[0xa8][..], &[0x80; 8], &[0, 1]].concat()).bytes())
            .may_load(),
        onnx("unknown-field-2-29", || Model::relu().model(&int((1 << 29) - 1, 1)).bytes()).may_load(),
        onnx("group-never-ended", || Model::relu().model(&[0x0b; 1]).bytes()),
        onnx("group-end-alone", || Model::relu().model(&[0x0c]).bytes()),
        onnx("groups-nested-1000000-deep", || Model::relu().model(&vec![0xc3; 1_000_000].repeat(2)).bytes()),
        onnx("groups-in-an-unknown-field", || {
            let start = varint(1000 << 3 | 3);
            let end = varint(1000 << 3 | 4);
            Model::relu().model(&[start.repeat(500_000), end.repeat(500_000)].concat()).bytes()
        }),
        onnx("nested-graphs-99", || Model::relu().graph(&nested(&[], 99, &[1, 5, 6])).bytes()),
        onnx("nested-graphs-1000000", || Model::relu().graph(&nested(&[], 1_000_000, &[1, 5, 6])).bytes()),
        onnx("nested-graph-lists-1000000", || Model::relu().graph(&nested(&[], 1_000_000, &[1, 5, 11])).bytes()),
        onnx("nested-functions", || Model::relu().model(&nested(&[], 300_000, &[25, 7, 5, 6, 1, 5, 6])).bytes()),
        onnx("nested-training", || Model::relu().model(&nested(&[], 300_000, &[20, 1, 1, 5, 6])).bytes()),
        onnx("nested-types", || {
            // A value's type: sequences of optionals of sequences.
            Model::relu().graph(&nested(&[], 400_000, &[13, 2, 4, 1, 9, 1, 4, 1])).bytes()
        })
        .may_load(),
        onnx("nested-sequences", || {
            Model::relu().graph(&bytes(13, [bytes(1, "v"), bytes(2, nested(&[], 500_000, &[4, 1]))].concat())).bytes()
        }),
        onnx("nested-maps", || {
            Model::relu().graph(&bytes(13, [bytes(1, "v"), bytes(2, nested(&[], 500_000, &[5, 2]))].concat())).bytes()
        }),
        onnx("nested-type-attribute", || {
            let attribute = bytes(5, [bytes(1, "t"), bytes(14, nested(&[], 300_000, &[4, 1]))].concat());
            Model::relu().graph(&bytes(1, attribute)).bytes()
        }),
    ];
    // A length that lies, at every level of the file.
    for claim in [1 << 20, 1 << 31, 1 << 32, 1 << 62, 1 << 63, u64::MAX] {
        let name = format!("length-{claim:#x}");
        cases.push(onnx(&format!("{name}-of-graph"), move || [int(1, 8), lying(7, claim, [0; 9])].concat()));
        cases.push(onnx(&format!("{name}-of-node"), move || Model::relu().graph(&lying(1, claim, [0; 9])).bytes()));
        cases.push(onnx(&format!("{name}-of-weights"), move || {
            Model::add(&[claimed("w", 1, &[4]), lying(9, claim, [0; 16])].concat()).bytes()
        }));
        cases.push(onnx(&format!("{name}-of-packed-floats"), move || {
            Model::add(&[claimed("w", 1, &[4]), lying(4, claim, [0; 16])].concat()).bytes()
        }));
        cases.push(onnx(&format!("{name}-of-a-name"), move || Model::relu().model(&lying(2, claim, "me")).bytes()));
    }
    // Two or three bytes each, a kilobyte each in memory.
    let many: [(&str, u64, usize, &[u8]); 9] = [
        ("nodes", 1, 1_000_000, &[]),
        ("tensors", 5, 1_000_000, &[]),
        ("inputs", 11, 1_000_000, &[]),
        ("outputs", 12, 1_000_000, &[]),
        ("value-infos", 13, 1_000_000, &[]),
        ("annotations", 14, 1_000_000, &[]),
        ("sparse-tensors", 15, 1_000_000, &[]),
        ("graph-metadata", 16, 1_000_000, &[]),
        ("names-of-the-graph", 2, 1_000_000, &[]),
    ];
    for (name, field, count, content) in many {
        let build = move || Model::relu().graph(&bytes(field, content).repeat(count)).bytes();
        cases.push(onnx(&format!("{count}-empty-{name}"), build).may_load());
    }
    for (name, field) in [("opsets", 8), ("metadata", 14), ("training", 20), ("functions", 25)] {
        let build = move || Model::relu().model(&bytes(field, []).repeat(1_000_000)).bytes();
        cases.push(onnx(&format!("1000000-empty-{name}"), build));
    }
    for (name, field) in [("inputs", 1), ("outputs", 2), ("attributes", 5)] {
        let build = move || Model::relu().graph(&bytes(1, bytes(field, []).repeat(1_000_000))).bytes();
        cases.push(onnx(&format!("node-with-1000000-empty-{name}"), build));
    }
    for (name, field) in [("strings", 9), ("tensors", 10), ("graphs", 11), ("types", 15), ("sparse-tensors", 23)] {
        let attribute = move || bytes(5, [bytes(1, "a"), bytes(field, []).repeat(1_000_000)].concat());
        cases.push(onnx(&format!("attribute-with-1000000-empty-{name}"), move || {
            Model::relu().graph(&bytes(1, attribute())).bytes()
        }));
    }
    for (name, field, one) in
        [("integers", 8, &[0x40, 0][..]), ("packed-integers", 0, &[0]), ("floats", 7, &[0x3d, 0, 0, 0, 0])]
    {
        let attribute = move || {
            let many = one.repeat(3_000_000);
            bytes(5, [bytes(1, "a"), if field == 0 { bytes(8, many) } else { many }].concat())
        };
        cases.push(onnx(&format!("attribute-with-3000000-{name}"), move || {
            Model::relu().graph(&bytes(1, attribute())).bytes()
        }));
    }
    for (name, field) in [("dims", 1), ("int32s", 5), ("int64s", 7), ("uint64s", 11)] {
        let tensor = move || [bytes(8, "w"), bytes(field, vec![1; 20_000_000])].concat();
        cases.push(onnx(&format!("tensor-with-20000000-packed-{name}"), move || Model::add(&tensor()).bytes()));
    }
    for (name, field) in [("strings", 6), ("external-entries", 13)] {
        let tensor = move || [bytes(8, "w"), bytes(field, []).repeat(1_000_000)].concat();
        cases.push(onnx(&format!("tensor-with-1000000-empty-{name}"), move || Model::add(&tensor()).bytes()));
    }
    cases
}
