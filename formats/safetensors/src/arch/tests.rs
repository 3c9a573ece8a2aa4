//! The parts that the tests of whole files do not reach.

use super::*;
use unmoved_ir::{Builder, Op};

#[test]
fn bare_names() {
    for name in ["x", "0", "fc1.weight", "/conv/Conv_output_0", "onnx::Gemm_12", "a-b", "layer"] {
        assert!(is_bare(name), "{name}");
    }
    for name in ["", ".", "a b", "a+b", "é", "a=b", "[1]", "#", "\"", "a\n"] {
        assert!(!is_bare(name), "{name}");
    }
}

#[test]
fn limits_of_names() {
    let network = |name: &str| {
        let mut b = Builder::new();
        let x = b.input("x", &[1], DType::F32).expect("an input");
        let y = b.push(name, Op::Relu, &[x]).expect("a layer");
        b.finish(y).expect("a network")
    };
    let longest = "é".repeat(MAX_NAME / 2);
    let text = print(&network(&longest)).expect("fits");
    assert_eq!(Arch::parse(&text, "").expect("canonical").output.text, longest);
    assert!(print(&network(&(longest + "x"))).is_err());
}

/// A text of more layers than a network may have is refused, and soon.
#[test]
fn limit_of_layers() {
    let mut text = "net 1\ninput x f32 [1]\n".to_owned();
    for k in 0..=MAX_LAYERS {
        text += &format!("layer {k} = relu x\n");
    }
    let error = Arch::parse(&text, "big").expect_err("too many");
    assert!(matches!(*error.problem, Problem::TooManyLayers), "{error}");
    assert_eq!(error.line, MAX_LAYERS + 3);
}

/// The longest chain of layers that vanish: normalising is quadratic in them.
#[test]
fn vanishing_layers() {
    let mut text = "net 1\ninput x f32 [4]\nlayer 0 = relu x\n".to_owned();
    for k in 1..MAX_LAYERS {
        text += &format!("layer {k} = flatten {}\n", k - 1);
    }
    text += &format!("output {}\nend\n", MAX_LAYERS - 1);
    let network = Arch::network(&text, "chain", &mut |_| unreachable!("no tensors")).expect("a network");
    assert_eq!(network.nodes().len(), 2);
}

/// Many short lines, each within its limits, must not fill the memory together.
#[test]
fn limit_of_index_maps() {
    let half = MAX_MAP_ENTRIES / 2;
    let mut text = format!("net 1\ninput x f32 [{half}]\nlayer 0 = relu x\n");
    for k in 1..4 {
        text += &format!("layer {k} = reshape {} [{}{half}]\n", k - 1, "1 ".repeat(k));
    }
    text += "output 3\nend\n";
    let error = Arch::network(&text, "maps", &mut |_| unreachable!("no tensors")).expect_err("too large");
    assert!(matches!(*error.problem, Problem::TooManyEntries), "{error}");
}

#[test]
fn columns_count_characters() {
    let error = Arch::parse("net 1\ninput \"äöü\" f16 [1]\n", "text").expect_err("no such type");
    assert_eq!((error.line, error.column), (2, 13));
}

/// Where the text ends within a token, the caret must not fall outside of it.
#[test]
fn ends_within_a_token() {
    let text = "net 1\ninput \"\\u{e9}é\" f32 [1]";
    for end in (0..text.len()).filter(|&end| text.is_char_boundary(end)) {
        let error = Arch::parse(&text[..end], "text").expect_err("truncated").to_string();
        assert!(error.ends_with('^'), "{error}");
    }
}

#[test]
fn marks_of_no_width_are_not_shown() {
    let error = Arch::parse("net 1\ninput \"\u{202e}x\" f16 [1]\n", "text").expect_err("no such type").to_string();
    assert!(!error.contains('\u{202e}'), "{error}");
}
