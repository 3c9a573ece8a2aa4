use crate::{DataSet, DataSetError, ImageError, read_image, write_image};
use flate2::{Compression, write::GzEncoder};
use std::io::Write;
use std::path::Path;

/// Images whose pixels all have the value of their index, labelled with their index.
fn mnist(count: u32) -> (Vec<u8>, Vec<u8>) {
    let mut images = [&[0, 0, 8, 3][..], &count.to_be_bytes(), &28u32.to_be_bytes(), &28u32.to_be_bytes()].concat();
    let mut labels = [&[0, 0, 8, 1][..], &count.to_be_bytes()].concat();
    for k in 0..count as u8 {
        images.extend([k; 784]);
        labels.push(k);
    }
    (images, labels)
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn put(folder: &Path, name: &str, bytes: &[u8]) {
    std::fs::write(folder.join(name), bytes).unwrap();
}

#[test]
fn mnist_is_read_by_index_packed_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let (images, labels) = mnist(5);
    put(folder.path(), "t10k-images-idx3-ubyte.gz", &gz(&images));
    put(folder.path(), "t10k-labels-idx1-ubyte", &labels);
    let examples = DataSet::Mnist.read_test(folder.path(), 2..4).unwrap();
    assert_eq!(examples.len(), 2);
    assert_eq!(examples[1].label, Some(3));
    assert_eq!(examples[1].shape, [1, 28, 28]);
    assert_eq!(examples[1].values, vec![3.0f32 / 255.0; 784]);
}

#[test]
fn an_index_past_the_end_is_an_error_that_says_where_the_end_is() {
    let folder = tempfile::tempdir().unwrap();
    let (images, labels) = mnist(5);
    put(folder.path(), "t10k-images-idx3-ubyte", &images);
    put(folder.path(), "t10k-labels-idx1-ubyte", &labels);
    let error = DataSet::Mnist.read_test(folder.path(), 4..6).unwrap_err();
    assert!(matches!(error, DataSetError::NoSuchImage { index: 5, count: 5, .. }), "{error}");
}

#[test]
fn damaged_idx_files_are_errors() {
    let (images, labels) = mnist(3);
    let cases: [(&str, Vec<u8>, Vec<u8>); 6] = [
        ("images cut", images[..images.len() - 1].to_vec(), labels.clone()),
        ("header cut", images[..10].to_vec(), labels.clone()),
        ("wrong magic", [&[0, 0, 13, 3], &images[4..]].concat(), labels.clone()),
        ("other size", [&images[..8], &29u32.to_be_bytes(), &images[12..]].concat(), labels.clone()),
        ("fewer labels", images.clone(), mnist(2).1),
        ("no such class", images.clone(), [&labels[..labels.len() - 1], &[10]].concat()),
    ];
    for (what, images, labels) in cases {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "t10k-images-idx3-ubyte", &images);
        put(folder.path(), "t10k-labels-idx1-ubyte", &labels);
        let error = DataSet::Mnist.read_test(folder.path(), 0..3).unwrap_err();
        assert!(matches!(error, DataSetError::Format { .. }), "{what}: {error}");
    }
    let empty = tempfile::tempdir().unwrap();
    let error = DataSet::Mnist.read_test(empty.path(), 0..1).unwrap_err();
    assert!(matches!(error, DataSetError::Missing { .. }), "{error}");
}

#[test]
fn cifar_records_are_read_by_index() {
    let folder = tempfile::tempdir().unwrap();
    let record = |label: u8, value: u8| [vec![label], vec![value; 3072]].concat();
    put(folder.path(), "test_batch.bin", &[record(7, 10), record(3, 255)].concat());
    let examples = DataSet::Cifar10.read_test(folder.path(), 1..2).unwrap();
    assert_eq!((examples[0].label, examples[0].shape.as_slice()), (Some(3), &[3, 32, 32][..]));
    assert!(examples[0].values.iter().all(|&v| v == 1.0));
    put(folder.path(), "test_batch.bin", &record(7, 10)[1..]);
    let error = DataSet::Cifar10.read_test(folder.path(), 0..1).unwrap_err();
    assert!(matches!(error, DataSetError::Format { .. }), "{error}");
}

fn png(path: &Path, colour: png::ColorType, pixels: &[u8], width: u32, height: u32) {
    let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), width, height);
    encoder.set_color(colour);
    encoder.write_header().unwrap().write_image_data(pixels).unwrap();
}

#[test]
fn pixels_become_channels() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.PNG");
    png(&path, png::ColorType::Rgb, &[255, 0, 51, 0, 255, 102], 2, 1);
    let example = read_image(&path).unwrap();
    assert_eq!(example.shape, [3, 1, 2]);
    assert_eq!(example.values, [1.0, 0.0, 0.0, 1.0, 51.0 / 255.0, 102.0 / 255.0]);
    png(&path, png::ColorType::Rgba, &[0; 8], 2, 1);
    assert!(matches!(read_image(&path), Err(ImageError::PngKind { .. })));
}

#[test]
fn arrays_come_back_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    let values = [0.1f32, -0.0, 1.0e-40, f32::MAX, 0.5, 0.25];
    write_image(&path, &values, &[1, 2, 3]).unwrap();
    let example = read_image(&path).unwrap();
    assert_eq!(example.shape, [1, 2, 3]);
    assert!(example.values.iter().zip(values).all(|(a, b)| a.to_bits() == b.to_bits()));
    let bytes = std::fs::read(&path).unwrap();
    for keep in 0..bytes.len() {
        std::fs::write(&path, &bytes[..keep]).unwrap();
        assert!(read_image(&path).is_err(), "cut to {keep} bytes");
    }
    std::fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
    assert!(read_image(&path).is_err(), "a byte too many");
    // The first index runs fastest: columns of two, in one plane.
    let columns = String::from_utf8_lossy(&bytes[10..128]).replace("False", "True").replace("} ", "}  ");
    std::fs::write(&path, [&bytes[..10], &columns.as_bytes()[..118], &bytes[128..]].concat()).unwrap();
    assert_eq!(read_image(&path).unwrap().values, [0.1, 1.0e-40, 0.5, -0.0, f32::MAX, 0.25]);
    write_image(&path, &[f32::NAN], &[1]).unwrap();
    assert!(matches!(read_image(&path), Err(ImageError::NotFinite { index: 0, .. })));
    assert!(matches!(read_image(Path::new("picture.gif")), Err(ImageError::UnknownKind)));
}

#[test]
fn the_right_class_is_no_target() {
    use crate::{Example, Perturbations, Question, QuestionError};
    use unmoved_ir::{Rational, testing};
    let network = std::sync::Arc::new(testing::random_network(&mut testing::Rng(3), &testing::Recipe::default()));
    let shape = network.input().shape.dims().to_vec();
    let example = Example { values: vec![0.5; network.input().shape.len()], shape, label: Some(0) };
    let ask = |targets: &[usize]| {
        let perturbations = Perturbations { norm: unmoved_property::Norm::Linf, eps: Rational::ZERO, range: None };
        Question::new(&network, &example, None, perturbations, Some(targets))
    };
    assert_eq!(ask(&[1, 0]).unwrap().targets, [1]);
    let nothing = ask(&[0]).unwrap();
    assert!(nothing.targets.is_empty() && nothing.query.unsafe_set().is_empty());
    let outcome = unmoved_search::decide(&nothing.query, &Default::default()).unwrap();
    assert_eq!(outcome.verdict, unmoved_property::Verdict::Robust);
    assert!(matches!(ask(&[network.output_len()]), Err(QuestionError::Target { .. })));
}
