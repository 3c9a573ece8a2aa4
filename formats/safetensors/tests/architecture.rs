//! Where the architecture comes from, and what is said about it.

use std::fs;
use std::path::Path;
use unmoved_ir::{Network, Op};
use unmoved_safetensors::arch::Arch;
use unmoved_safetensors::{ARCH_KEY, ArchSource, Error, from_bytes, read, to_bytes, write};

/// Keys and shapes.
type Tensors = [(&'static str, &'static [usize])];

/// A safetensors file of single-precision tensors that count up from zero.
fn file(tensors: &Tensors, metadata: &str) -> Vec<u8> {
    let (mut entries, mut data) = (vec![format!("\"__metadata__\":{metadata}")], Vec::new());
    for (key, dims) in tensors {
        let (from, n) = (data.len(), dims.iter().product::<usize>());
        data.extend((0..n).flat_map(|k| (k as f32 / 8.0).to_le_bytes()));
        entries.push(format!(r#""{key}":{{"dtype":"F32","shape":{dims:?},"data_offsets":[{from},{}]}}"#, data.len()));
    }
    let header = format!("{{{}}}", entries.join(","));
    [(header.len() as u64).to_le_bytes().as_slice(), header.as_bytes(), &data].concat()
}

const TWO: &Tensors = &[("a", &[2, 3]), ("b", &[2])];
const RELU: &str = "net 1\ninput x f32 [3]\nlayer h = dense x a b\nlayer y = relu h\noutput y\nend\n";
const PLAIN: &str = "net 1\ninput x f32 [3]\nlayer y = dense x a b\noutput y\nend\n";

fn operators(network: &Network) -> Vec<&'static str> {
    network.nodes().iter().map(|n| n.op.name()).collect()
}

#[test]
fn given_sidecar_metadata() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let save = |name: &str, bytes: &[u8]| fs::write(at(name), bytes).expect("a temporary folder");
    let metadata = serde_json::json!({ ARCH_KEY: RELU, "epoch": "7" }).to_string();
    save("m.safetensors", &file(TWO, &metadata));

    let inside = read(&at("m.safetensors"), None).expect("reads");
    assert_eq!(inside.source, ArchSource::Metadata);
    assert_eq!(operators(&inside.network), ["Input", "Dense", "Relu"]);
    assert_eq!(inside.network.metadata().iter().collect::<Vec<_>>(), [(&"epoch".to_owned(), &"7".to_owned())]);
    assert!(inside.notices.is_empty());

    save("m.arch", PLAIN.as_bytes());
    let beside = read(&at("m.safetensors"), None).expect("reads");
    assert_eq!(beside.source, ArchSource::Sidecar(at("m.arch")));
    assert_eq!(operators(&beside.network), ["Input", "Dense"]);
    assert!(beside.notices[0].contains("differs"), "{:?}", beside.notices);

    save("other.txt", RELU.as_bytes());
    let named = read(&at("m.safetensors"), Some(&at("other.txt"))).expect("reads");
    assert_eq!(named.source, ArchSource::Named(at("other.txt")));
    assert_eq!(operators(&named.network), ["Input", "Dense", "Relu"]);
    assert!(named.notices.is_empty(), "they agree: {:?}", named.notices);

    let missing = read(&at("m.safetensors"), Some(&at("nowhere.txt")));
    assert!(matches!(missing, Err(Error::Io { path, .. }) if path == at("nowhere.txt")));
    save("m.arch", b"net 1\n\xff");
    assert!(read(&at("m.safetensors"), None).expect_err("not UTF-8").to_string().contains("m.arch:2:1"));
}

#[cfg(unix)]
#[test]
fn a_sidecar_is_no_link() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = folder.path().join("m.safetensors");
    fs::write(&model, file(TWO, "{}")).expect("a temporary folder");
    fs::write(folder.path().join("elsewhere"), PLAIN).expect("a temporary folder");
    std::os::unix::fs::symlink("elsewhere", folder.path().join("m.arch")).expect("links");
    assert!(matches!(read(&model, None), Err(Error::NotAFile(path)) if path.ends_with("m.arch")));
}

#[test]
fn written_files_carry_their_architecture() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let network = from_bytes(&file(TWO, r#"{"z":"1","a":"2","m":"\"3\""}"#), Some(RELU)).expect("reads").network;
    let path = folder.path().join("m.safetensors");
    write(&network, &path).expect("writes");
    let again = read(Path::new(&path), None).expect("reads");
    assert_eq!((&again.network, again.source), (&network, ArchSource::Metadata));
    assert_eq!(fs::read(&path).expect("reads"), to_bytes(&again.network).expect("fits"));
    let header = String::from_utf8_lossy(&to_bytes(&network).expect("fits")[8..200]).into_owned();
    assert!(header.starts_with(r#"{"__metadata__":{"a":"2","m":"\"3\"","unmoved.arch":"net 1\n"#), "{header}");

    let taken = network.clone().with_metadata([(ARCH_KEY.to_owned(), String::new())].into());
    assert!(matches!(to_bytes(&taken), Err(Error::ReservedMetadata)));
}

#[test]
fn missing_and_left_over_tensors() {
    let error = from_bytes(&file(&TWO[..1], "{}"), Some(PLAIN)).expect_err("b is missing").to_string();
    assert!(error.contains("there is no tensor with the key \"b\""), "{error}");
    assert!(error.contains("architecture:3:21"), "{error}");
    let more = file(&[TWO[0], TWO[1], ("batches", &[1]), ("\\u001b[2J", &[1])], "{}");
    let notices = from_bytes(&more, Some(PLAIN)).expect("reads").notices;
    assert_eq!(notices, [r#"no layer reads 2 of the tensors: "batches", "\u{1b}[2J""#]);
}

#[test]
fn no_tensors_in_an_architecture() {
    for statement in ["tensor a f32 [1] = 1\n", "meta \"a\" \"b\"\n"] {
        let error = Arch::parse(&RELU.replace("input", &format!("{statement}input")), "a").expect_err("misplaced");
        assert!(error.to_string().contains("have no place"), "{error}");
    }
}

/// One tensor in many layers is read once: the file is small and must stay so in memory.
#[test]
fn shared_tensors_are_read_once() {
    let mut arch = "net 1\ninput x f32 [3]\nlayer l0 = dense x w .\n".to_owned();
    (1..100).for_each(|k| arch += &format!("layer l{k} = dense l{} w .\n", k - 1));
    let network =
        from_bytes(&file(&[("w", &[3, 3])], "{}"), Some(&(arch + "output l99\nend\n"))).expect("reads").network;
    let data = |k: usize| match &network.nodes()[k].op {
        Op::Dense(dense) => match dense.weight.data() {
            unmoved_ir::Data::F32(v) => v.as_ptr(),
            unmoved_ir::Data::F64(_) => panic!("single precision"),
        },
        _ => panic!("a dense layer"),
    };
    assert_eq!(data(1), data(100));
}

#[test]
fn inferred_chains() {
    let chain = file(
        &[("10.weight", &[1, 4]), ("2.weight", &[4, 2]), ("0.bias", &[2]), ("0.weight", &[2, 3]), ("10.bias", &[1])],
        "{}",
    );
    let imported = from_bytes(&chain, None).expect("a chain");
    assert_eq!(imported.source, ArchSource::Inferred);
    assert_eq!(operators(&imported.network), ["Input", "Dense", "Relu", "Dense", "Relu", "Dense"]);
    insta::assert_snapshot!(imported.notices.join("\n"));
}

/// Names that the inference makes up keep clear of the file's.
#[test]
fn inferred_names() {
    let chain = file(&[("x.weight", &[2, 2]), ("y.weight", &[2, 2]), ("x.relu.weight", &[2, 2])], "{}");
    insta::assert_snapshot!(from_bytes(&chain, None).expect("a chain").notices.join("\n"));
}

#[test]
fn no_chain() {
    let cases: [(&Tensors, &str); 6] = [
        (&[], "no tensor NAME.weight"),
        (&[("w", &[2, 2])], "no tensor NAME.weight"),
        (&[("0.weight", &[2, 2]), ("scale", &[2])], "\"scale\" is neither"),
        (&[("0.weight", &[2, 2]), ("1.bias", &[2])], "\"1.bias\" is neither"),
        (&[("0.weight", &[2, 3, 3, 3])], "\"0.weight\" is not 2-D"),
        (&[("0.weight", &[2, 3]), ("1.weight", &[1, 3])], "reads 3 values, but the layer before it has 2"),
    ];
    for (tensors, reason) in cases {
        let error = from_bytes(&file(tensors, "{}"), None).expect_err(reason);
        assert!(matches!(error, Error::NoArchitecture(_)) && error.to_string().contains(reason), "{error}");
    }
    let bias = file(&[("0.weight", &[2, 3]), ("0.bias", &[3])], "{}");
    assert!(matches!(from_bytes(&bias, None), Err(Error::Arch(_))));
}
