//! Hand-written files and their canonical form.

use unmoved_text::{parse, read, to_string};

#[test]
fn canonical_form() {
    insta::glob!("canonical/*.unm", |path| {
        let network = read(path).unwrap_or_else(|e| panic!("{e}"));
        let text = to_string(&network).expect("it was read");
        insta::assert_snapshot!(text);
        assert_eq!(parse(&text).expect("what was written is read"), network);
    });
}

/// The worked example of the specification: the first block as a person writes it, the second as the program does.
#[test]
fn worked_example() {
    let spec = include_str!("../SPEC.md");
    let example = &spec[spec.find("## Worked example").expect("the heading")..];
    let blocks: Vec<&str> = example.split("```").skip(1).step_by(2).collect();
    let [by_hand, canonical] = blocks[..] else { panic!("two blocks, found {}", blocks.len()) };
    let body = |block: &'static str| block.split_once('\n').expect("a language line").1;
    let network = parse(body(by_hand)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(to_string(&network).expect("fits"), body(canonical));
    assert_eq!(network.forward(&[1.0f32, 1.0]).expect("two numbers"), [0.5625, 0.1875]);
}
