//! Whatever the bytes, reading ends, and with a network or an error.

mod common;

use common::networks;
use proptest::prelude::*;
use unmoved_text::{from_bytes, to_string};

/// Damage to a file: at this part of it, in this way, with these bytes.
fn damage() -> impl Strategy<Value = (f64, u8, Vec<u8>)> {
    (0.0..1.0f64, 0u8..5, prop::collection::vec(any::<u8>(), 1..6))
}

fn apply(bytes: &mut Vec<u8>, (place, way, with): &(f64, u8, Vec<u8>)) {
    let at = (bytes.len() as f64 * place) as usize;
    let to = (at + with.len()).min(bytes.len());
    match way {
        0 => bytes.truncate(at),
        1 => drop(bytes.splice(at..to, with.iter().copied())),
        2 => drop(bytes.splice(at..at, with.iter().copied())),
        3 => drop(bytes.drain(at..to)),
        _ => {
            let digits: Vec<u8> = with.iter().map(|b| b"0123456789-.e \n"[*b as usize % 15]).collect();
            drop(bytes.splice(at..to, digits));
        }
    }
}

/// What the grammar is made of, in any order: gets further than random bytes do.
fn soup() -> impl Strategy<Value = String> {
    let pieces = [
        "net 1\n",
        "input x f32 [4]\n",
        "\nlayer ",
        "\ntensor ",
        "\noutput ",
        "\nend\n",
        "\nmeta ",
        "y",
        "x",
        "w",
        " = ",
        " relu ",
        " dense ",
        " conv ",
        " maxpool ",
        " gather ",
        " reshape ",
        " add ",
        " flatten ",
        " [2 2] ",
        " [4] ",
        " f32 ",
        " f64 ",
        " 1 ",
        " 0-3 ",
        " 4294967295 ",
        " 18446744073709551616 ",
        " . ",
        " -0.5 ",
        " stride ",
        " pad ",
        " kernel ",
        " groups ",
        "\"",
        "\\u{1f431}",
        "#",
        " from ",
        " key ",
        " sha256 ",
        "é",
        "\r",
        "ordering-only",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..60).prop_map(|p| p.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = from_bytes(&bytes).map_err(|e| e.to_string());
        let _ = unmoved_safetensors::from_bytes(&bytes, None).map_err(|e| e.to_string());
    }

    #[test]
    fn arbitrary_text(text in soup(), headed in any::<bool>()) {
        let text = if headed { format!("net 1\ninput x f32 [4]\nlayer y = relu x\n{text}") } else { text };
        let _ = from_bytes(text.as_bytes()).map_err(|e| e.to_string());
    }

    #[test]
    fn damaged_text(network in networks(), damages in prop::collection::vec(damage(), 1..4)) {
        let mut bytes = to_string(&network).expect("fits").into_bytes();
        damages.iter().for_each(|d| apply(&mut bytes, d));
        // What is still a network is as good as any other. Its notes may speak of layers that were not worth keeping.
        if let Ok(network) = from_bytes(&bytes).map_err(|e| e.to_string()) {
            let text = to_string(&network).expect("fits");
            let again = from_bytes(text.as_bytes()).expect("canonical");
            prop_assert_eq!(again.nodes(), network.nodes());
            prop_assert_eq!(again.digest(), network.digest());
            prop_assert_eq!(to_string(&again).expect("fits"), text);
        }
    }

    #[test]
    fn damaged_safetensors(network in networks(), damages in prop::collection::vec(damage(), 1..4)) {
        let mut bytes = unmoved_safetensors::to_bytes(&network).expect("fits");
        damages.iter().for_each(|d| apply(&mut bytes, d));
        let _ = unmoved_safetensors::from_bytes(&bytes, None).map_err(|e| e.to_string());
    }

    /// A header of another length: the damage is in what it says, not in where it ends.
    #[test]
    fn damaged_header(network in networks(), damages in prop::collection::vec(damage(), 1..4)) {
        let bytes = unmoved_safetensors::to_bytes(&network).expect("fits");
        let (length, rest) = bytes.split_first_chunk().expect("eight bytes");
        let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
        let mut header = header.to_vec();
        damages.iter().for_each(|d| apply(&mut header, d));
        let bytes = [&(header.len() as u64).to_le_bytes(), header.as_slice(), data].concat();
        let _ = unmoved_safetensors::from_bytes(&bytes, None).map_err(|e| e.to_string());
    }
}
