//! Both formats give back what they were given, byte by byte from the second time on.

mod common;

use common::networks;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use unmoved_ir::Network;
use unmoved_text::{parse, to_string};

fn through_text(network: &Network) -> Network {
    parse(&to_string(network).expect("fits")).unwrap_or_else(|e| panic!("{e}"))
}

fn through_safetensors(network: &Network) -> Network {
    let bytes = unmoved_safetensors::to_bytes(network).expect("fits");
    let imported = unmoved_safetensors::from_bytes(&bytes, None).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(imported.source, unmoved_safetensors::ArchSource::Metadata);
    assert_eq!(imported.notices, [""; 0]);
    assert_eq!(unmoved_safetensors::to_bytes(&imported.network).expect("fits"), bytes);
    imported.network
}

/// `==` does not tell `-0.0` from `0.0`; the digest does.
fn assert_same(a: &Network, b: &Network) {
    assert_eq!(a, b);
    assert_eq!(a.digest(), b.digest());
}

/// A round trip of networks that are all alike would show little.
#[test]
fn every_operator_occurs() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut operators = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let network = networks().new_tree(&mut runner).expect("a network").current();
        operators.extend(network.nodes().iter().map(|n| n.op.name()));
    }
    assert_eq!(operators.len(), 8, "{operators:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn text(network in networks()) {
        assert_same(&through_text(&network), &network);
    }

    #[test]
    fn safetensors(network in networks()) {
        assert_same(&through_safetensors(&network), &network);
    }

    #[test]
    fn text_safetensors_text(network in networks()) {
        let text = to_string(&network).expect("fits");
        let back = through_safetensors(&parse(&text).expect("canonical"));
        prop_assert_eq!(to_string(&back).expect("fits"), text);
    }

    /// Lines may end as on Windows, blanks may be tabs and repeated, and comments may stand anywhere.
    #[test]
    fn spacing(network in networks()) {
        let text = to_string(&network).expect("fits");
        let network_again = parse(&text.replace('\n', " # note \" [\r\n\n\t")).unwrap_or_else(|e| panic!("{e}"));
        assert_same(&network_again, &network);
    }

    /// All finite numbers survive, whatever their bits.
    #[test]
    fn numbers(single in prop::collection::vec(any::<u32>(), 1..50), double in prop::collection::vec(any::<u64>(), 1..50)) {
        let single: Vec<f32> = single.into_iter().map(f32::from_bits).filter(|v| v.is_finite()).collect();
        let double: Vec<f64> = double.into_iter().map(f64::from_bits).filter(|v| v.is_finite()).collect();
        prop_assume!(!single.is_empty() && !double.is_empty());
        let list = |numbers: Vec<String>| numbers.join(" ");
        let (n, m) = (single.len(), double.len());
        let text = format!(
            "net 1\ninput x f32 [1]\ntensor s f32 [{n} 1] = {}\ntensor d f64 [{m} {n}] = {}\nlayer a = dense x s .\n\
             layer y = dense a d .\noutput y\nend\n",
            list(single.iter().map(|v| format!("{v:?}")).collect()),
            list(double.iter().flat_map(|v| std::iter::repeat_n(format!("{v:e}"), n)).collect()),
        );
        let network = parse(&text).unwrap_or_else(|e| panic!("{e}"));
        let unmoved_ir::Op::Dense(a) = &network.nodes()[1].op else { panic!("a dense layer") };
        let unmoved_ir::Op::Dense(y) = &network.nodes()[2].op else { panic!("a dense layer") };
        for (k, v) in single.iter().enumerate() {
            prop_assert_eq!(a.weight.get(k).to_bits(), f64::from(*v).to_bits());
        }
        for (k, v) in double.iter().enumerate() {
            prop_assert_eq!(y.weight.get(k * n).to_bits(), v.to_bits());
        }
        assert_same(&through_text(&network), &network);
    }
}
