//! The networks and digits in `test-models`.

use std::path::PathBuf;
use unmoved::evaluate::read_image;

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../test-models")).join(name)
}

#[test]
fn the_three_formats_hold_the_same_network() {
    for name in ["mnist-mlp", "mnist-conv", "mnist-residual", "cifar-conv"] {
        let digest = |extension: &str| {
            let file = path(&format!("{name}.{extension}"));
            assert!(file.metadata().expect("it is there").len() < 2_000_000);
            unmoved::read_model(&file, &unmoved::Choices::default()).expect("a readable model").network.digest()
        };
        assert_eq!(digest("onnx"), digest("unm"), "{name}");
        assert_eq!(digest("onnx"), digest("safetensors"), "{name}");
    }
}

#[test]
fn the_digits_are_told_apart() {
    for name in ["mnist-mlp.unm", "mnist-conv.unm", "mnist-residual.unm"] {
        let network = unmoved::read_model(&path(name), &unmoved::Choices::default()).expect("a readable model").network;
        for digit in 0..10 {
            let image = read_image(&path(&format!("digits/{digit}.png"))).expect("a picture");
            let y = network.forward(&image.values).expect("a fitting image");
            let predicted = (0..10).fold(0, |best, k| if y[k] > y[best] { k } else { best });
            assert_eq!(predicted, digit, "{name}");
        }
    }
}
