//! Networks that the format cannot hold: each error names the node that stands in the way.

use unmoved_ir::{Builder, Conv2d, DType, Dense, Gather, IrError, Network, NodeId, Op, Scale, Shift, Tensor};
use unmoved_nnet::{parse, to_string};

fn network(make: impl FnOnce(&mut Builder, NodeId) -> Result<NodeId, IrError>) -> Network {
    let mut b = Builder::new();
    let x = b.input("x", &[2], DType::F32).expect("an input");
    let y = make(&mut b, x).expect("fits");
    b.finish(y).expect("a network")
}

fn dense() -> Op {
    let weight = Tensor::f32(&[2, 2], vec![1.0, 2.0, 3.0, 4.0]).expect("finite");
    Op::Dense(Dense::new(weight, Tensor::zeros(&[2]).expect("small")).expect("fits"))
}

/// A scale and shift that nothing folds.
fn per_channel(b: &mut Builder, name: &str, x: NodeId, scale: [f64; 2], shift: [f64; 2]) -> Result<NodeId, IrError> {
    let column = b.reshape(&format!("{name}.column"), x, &[2, 1, 1])?;
    let [scale, shift] = [scale, shift].map(|v| Tensor::narrowest(&[2], v.to_vec()).expect("finite"));
    let y = b.push(name, Op::Conv2d(Conv2d::per_channel(scale, shift)?), &[column])?;
    b.reshape(&format!("{name}.shape"), y, &[2])
}

#[test]
fn messages() {
    let cases = [
        network(|_, x| Ok(x)),
        network(|b, x| b.push("clipped", Op::Relu, &[x])),
        network(|b, x| {
            let y = b.push("y", dense(), &[x])?;
            b.push("last", Op::Relu, &[y])
        }),
        network(|b, x| {
            let y = b.push("y", dense(), &[x])?;
            b.push("second", dense(), &[y])
        }),
        network(|b, x| {
            let y = b.push("y", dense(), &[x])?;
            b.push("sum", Op::Add, &[x, y])
        }),
        network(|b, x| {
            let swapped = Gather::new(vec![Some(1), Some(0)], &[2])?;
            let y = b.push("swapped", Op::Gather(swapped), &[x])?;
            b.push("y", dense(), &[y])
        }),
        network(|b, x| {
            let column = b.reshape("column", x, &[1, 2, 1])?;
            let kernel = Tensor::f32(&[1, 1, 2, 1], vec![1.0; 2])?;
            let y = b.push("window", Op::Conv2d(Conv2d::new(kernel, Tensor::zeros(&[1])?)?), &[column])?;
            b.reshape("flat", y, &[1])
        }),
        network(|b, x| {
            let y = b.push("y", dense(), &[x])?;
            b.drop_softmax("softmax", "Softmax");
            Ok(y)
        }),
        // 1/3 is no float64, so no range gives back the factor that stands here.
        network(|b, x| {
            let x = b.affine("thirds", x, Scale::reciprocal(&[3.0, 3.0]), Shift::exact(vec![0.0; 2]))?;
            b.push("y", dense(), &[x])
        }),
        network(|b, x| {
            let x = per_channel(b, "zeros", x, [0.0, 1.0], [0.0; 2])?;
            b.push("y", dense(), &[x])
        }),
        network(|b, x| {
            let y = b.push("y", dense(), &[x])?;
            per_channel(b, "different", y, [2.0, 3.0], [0.0; 2])
        }),
        network(|b, x| {
            let x = b.push("h", dense(), &[x])?;
            let x = b.push("relu", Op::Relu, &[x])?;
            let x = per_channel(b, "between", x, [2.0, 2.0], [0.0; 2])?;
            b.push("y", dense(), &[x])
        }),
        network(|b, x| b.push("y", dense(), &[x]))
            .with_metadata([("nnet.input_min".to_owned(), "0,0,0".to_owned())].into()),
    ];
    let messages: Vec<String> = cases.iter().map(|n| to_string(n).expect_err("no chain").to_string()).collect();
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn a_scale_and_shift_with_exact_quotients_becomes_means_and_ranges() {
    let scaled = network(|b, x| {
        let x = per_channel(b, "front", x, [0.5, -4.0], [3.0, 1.0])?;
        let y = b.push("y", dense(), &[x])?;
        per_channel(b, "behind", y, [0.1, 0.1], [-7.0, -7.0])
    });
    let text = to_string(&scaled).expect("exact");
    assert!(text.contains("\n-6,0.25,-7,\n2,-0.25,0.1,\n"), "{text}");
    let again = parse(&text).expect("canonical");
    assert!(!again.has_slack());
    for x in [[0.0, 0.0], [1.0, -2.0], [0.3, 1e10]] {
        assert_eq!(again.forward(&x).expect("two numbers"), scaled.forward(&x).expect("two numbers"));
    }
}

#[test]
fn metadata_that_do_not_fit_the_scale_are_not_believed() {
    let scaled = network(|b, x| {
        let x = per_channel(b, "front", x, [0.5, 0.5], [0.0; 2])?;
        b.push("y", dense(), &[x])
    });
    for (mean, range) in [("0,0", "4,2"), ("1,0", "2,2"), ("0,0", "0,2"), ("0", "2,2"), ("", "")] {
        let metadata = [("nnet.input_mean", mean), ("nnet.input_range", range)];
        let claimed = metadata.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let text = to_string(&scaled.clone().with_metadata(claimed)).expect("exact");
        assert!(text.contains("\n0,0,0,\n2,2,1,\n"), "{text}");
    }
}

/// The elements of an image are inputs in their order; a factor of a channel is the range of each of its elements.
#[test]
fn an_image_is_flattened() {
    let mut b = Builder::new();
    let x = b.input("x", &[2, 1, 2], DType::F32).expect("an input");
    let x = b.affine("front", x, Scale::exact(vec![2.0, 4.0]), Shift::exact(vec![1.0, 0.0])).expect("fits");
    let x = b.push("flat", Op::Flatten, &[x]).expect("fits");
    let weight = Tensor::f32(&[1, 4], vec![1.0, 2.0, 3.0, 4.0]).expect("finite");
    let dense = Dense::new(weight, Tensor::zeros(&[1]).expect("small")).expect("fits");
    let y = b.push("y", Op::Dense(dense), &[x]).expect("fits");
    let image = b.finish(y).expect("a network");
    let flat = parse(&to_string(&image).expect("a chain")).expect("canonical");
    assert_eq!(flat.input().shape.dims(), [4]);
    let x = [0.5, -1.0, 2.0, 3.0];
    assert_eq!(flat.forward(&x).expect("four numbers"), image.forward(&x).expect("four numbers"));
}
