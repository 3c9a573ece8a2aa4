//! Headers that lie. Each is a header, the number of data bytes behind it, and a part of the refusal.

use unmoved_safetensors::{TensorFile, from_bytes};

fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[track_caller]
fn refused(bytes: &[u8], reason: &str) {
    let error = TensorFile::new(bytes).expect_err("a lie").to_string();
    assert!(error.contains(reason), "{error}");
}

#[test]
fn honest() {
    let bytes = file(r#"{"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}   "#, 8);
    let tensors = TensorFile::new(bytes.as_slice()).expect("honest");
    assert_eq!(tensors.keys(), ["w"]);
    assert_eq!(tensors.tensor("w").expect("a tensor").shape().dims(), [1, 2]);
    assert_eq!(tensors.data("w"), Some([0; 8].as_slice()));
    assert!(tensors.tensor("v").is_err());
}

#[test]
fn length_of_the_header() {
    refused(b"", "shorter than 8");
    refused(b"1234567", "shorter than 8");
    refused(&u64::MAX.to_le_bytes(), "longer than 100 MB");
    refused(&99_999_999u64.to_le_bytes(), "longer than the file");
    let mut bytes = file("{}", 0);
    bytes[0] = 3;
    refused(&bytes, "longer than the file");
    bytes[0] = 1;
    refused(&bytes, "EOF");
}

#[test]
fn json() {
    refused(&file("", 0), "does not begin with");
    refused(&file(" {}", 0), "does not begin with");
    refused(&file("{", 0), "EOF");
    refused(&file("{}x", 0), "trailing");
    refused(&file("{\"a\":1}", 0), "invalid type");
    refused(&[4u64.to_le_bytes().as_slice(), &[b'{', 0xff, 0xfe, b'}']].concat(), "not UTF-8");
    // Nesting must not exhaust the stack.
    let (open, close) = ("[".repeat(1_000_000), "]".repeat(1_000_000));
    refused(&file(&format!("{{\"a\":{open}"), 0), "EOF");
    refused(&file(&format!("{{\"a\":{open}{close}}}"), 0), "recursion limit");
}

#[test]
fn offsets() {
    let one = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"w":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    refused(&file(&one("F32", "[2]", "[0,8]"), 7), "do not fill");
    refused(&file(&one("F32", "[2]", "[0,8]"), 9), "do not fill");
    refused(&file(&one("F32", "[2]", "[0,4]"), 4), "invalid shape");
    refused(&file(&one("F32", "[1]", "[4,8]"), 8), "invalid offset");
    refused(&file(&one("F32", "[1]", "[8,4]"), 8), "invalid offset");
    refused(&file(&one("F32", "[1]", "[-4,0]"), 8), "invalid");
    refused(&file(&one("F32", "[4611686018427387904,4611686018427387904]", "[0,8]"), 8), "overflow");
    refused(&file(&one("F99", "[2]", "[0,8]"), 8), "unknown variant");
    let two = |first: &str, second: &str| {
        format!(
            r#"{{"a":{{"dtype":"F32","shape":[1],"data_offsets":{first}}},"b":{{"dtype":"F32","shape":[1],"data_offsets":{second}}}}}"#
        )
    };
    assert!(TensorFile::new(file(&two("[4,8]", "[0,4]"), 8)).is_ok());
    refused(&file(&two("[0,4]", "[0,4]"), 8), "invalid offset");
    refused(&file(&two("[0,4]", "[2,6]"), 8), "invalid offset");
    refused(&file(&two("[0,4]", "[8,12]"), 12), "invalid offset");
}

/// Offsets whose sum with the lengths before them wraps around to the length of the file.
#[test]
fn offsets_that_wrap() {
    let eighth = 1u64 << 61;
    let mut header = String::from("{");
    for k in 0..8 {
        let (from, count) = (k * eighth - k, eighth - 1);
        let to = from + count;
        header += &format!(r#""t{k}":{{"dtype":"U8","shape":[{count}],"data_offsets":[{from},{to}]}},"#);
    }
    header.pop();
    header.push('}');
    let bytes = file(&header, 0);
    refused(&bytes, "do not fill");
    assert!(from_bytes(&bytes, None).is_err());
}

/// Readers differ in which of two they take.
#[test]
fn keys_that_stand_twice() {
    let w = r#""w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#;
    refused(&file(&format!("{{{w},{w}}}"), 8), "\"w\" stands twice");
    refused(&file(&format!(r#"{{"__metadata__":{{"a":"1","a":"2"}},{w}}}"#), 8), "\"a\" stands twice");
    refused(&file(r#"{"__metadata__":{},"__metadata__":{}}"#, 0), "\"__metadata__\" stands twice");
    refused(&file(r#"{"__metadata__":{"a":1}}"#, 0), "invalid type");
}

#[test]
fn elements() {
    let header = r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let mut bytes = file(header, 4);
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let error = TensorFile::new(bytes).expect("a fitting header").tensor("w").expect_err("NaN");
    assert!(error.to_string().contains("must be finite"), "{error}");
    let half = file(r#"{"w":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}"#, 4);
    let error = TensorFile::new(half).expect("a fitting header").tensor("w").expect_err("BF16");
    assert!(error.to_string().contains("tensor \"w\" is BF16"), "{error}");
    let empty = file(r#"{"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#, 0);
    let error = TensorFile::new(empty).expect("a fitting header").tensor("w").expect_err("empty");
    assert!(error.to_string().contains("empty dimension"), "{error}");
}
