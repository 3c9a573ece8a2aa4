use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::{TempDir, tempdir};

use crate::data::{Augment, Images, Source, load};
use crate::rng::Rng;

/// A CIFAR-10 file with `count` images of this label; pixel i of the image has the value i mod 251.
fn cifar_file(folder: &Path, name: &str, label: u8, count: usize) {
    let mut record = vec![label];
    record.extend((0..3072).map(|i| (i % 251) as u8));
    fs::write(folder.join(name), record.repeat(count)).unwrap();
}

fn cifar_folder() -> TempDir {
    let folder = tempdir().unwrap();
    cifar_file(folder.path(), "data_batch_1_first3.bin", 1, 3);
    cifar_file(folder.path(), "data_batch_4.bin", 2, 2);
    cifar_file(folder.path(), "test_batch_first1.bin", 9, 1);
    fs::write(folder.path().join("test_labels_10000.bin"), [0; 9]).unwrap();
    folder
}

#[test]
fn partial_and_whole_cifar_batches_are_read() {
    let (train, test) = load(Source::Cifar10, cifar_folder().path()).unwrap();
    assert_eq!(train.labels, [1, 1, 1, 2, 2]);
    assert_eq!(test.labels, [9]);
    let (images, labels) = train.batch(&[0, 3]).unwrap();
    assert_eq!((images.dims(), labels.dims()), (&[3, 2, 32, 32][..], &[2, 10][..]));
    let images = images.transpose(0, 1).unwrap().flatten_from(1).unwrap().to_vec2::<f32>().unwrap();
    for image in images {
        assert!((0..3072).all(|i| image[i] == (i % 251) as f32 / 255.0));
    }
    assert_eq!(labels.to_vec2::<f32>().unwrap()[1][2], 1.0);
}

/// What `load` says after one change to a good folder.
fn cifar_error(change: impl Fn(&Path)) -> String {
    let folder = cifar_folder();
    change(folder.path());
    format!("{:#}", load(Source::Cifar10, folder.path()).unwrap_err())
}

#[test]
fn damaged_cifar_folders_are_errors() {
    let truncated = cifar_error(|folder| {
        let path = folder.join("data_batch_4.bin");
        let bytes = fs::read(&path).unwrap();
        fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
    });
    assert!(truncated.contains("is truncated"), "{truncated}");
    let label = cifar_error(|folder| cifar_file(folder, "data_batch_2.bin", 10, 1));
    assert!(label.contains("has the label 10"), "{label}");
    let double = cifar_error(|folder| cifar_file(folder, "data_batch_1_first2.bin", 1, 2));
    assert!(double.contains("two files hold a part"), "{double}");
    let empty = cifar_error(|folder| fs::write(folder.join("data_batch_2.bin"), []).unwrap());
    assert!(empty.contains("is empty"), "{empty}");
    let missing = cifar_error(|folder| fs::remove_file(folder.join("test_batch_first1.bin")).unwrap());
    assert!(missing.contains("no test_batch"), "{missing}");
    assert!(load(Source::Cifar10, Path::new("no such folder")).is_err());
}

fn gzip(path: &Path, bytes: &[u8]) {
    let mut file = GzEncoder::new(File::create(path).unwrap(), Compression::fast());
    file.write_all(bytes).unwrap();
    file.finish().unwrap();
}

/// The bytes of an IDX file.
fn idx(dims: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = (0x800 + dims.len() as u32).to_be_bytes().to_vec();
    dims.iter().for_each(|dim| bytes.extend(dim.to_be_bytes()));
    bytes.extend(data);
    bytes
}

/// Two images in both halves, with other bytes for the training images and labels if so wanted.
fn mnist(images: Option<Vec<u8>>, labels: Option<Vec<u8>>) -> Result<(Images, Images), String> {
    let folder = tempdir().unwrap();
    let good_images = idx(&[2, 28, 28], &[7; 2 * 784]);
    let good_labels = idx(&[2], &[3, 4]);
    let path = |name: &str| folder.path().join(name);
    gzip(&path("t10k-images-idx3-ubyte.gz"), &good_images);
    gzip(&path("t10k-labels-idx1-ubyte.gz"), &good_labels);
    gzip(&path("train-images-idx3-ubyte.gz"), &images.unwrap_or(good_images));
    gzip(&path("train-labels-idx1-ubyte.gz"), &labels.unwrap_or(good_labels));
    load(Source::Mnist, folder.path()).map_err(|error| format!("{error:#}"))
}

#[test]
fn mnist_files_are_read_and_damaged_ones_are_errors() {
    let (train, test) = mnist(None, None).unwrap();
    assert_eq!((train.len(), test.len()), (2, 2));
    assert_eq!(train.labels, [3, 4]);
    let cases = [
        (mnist(Some(idx(&[2, 28, 28], &[7; 1567])), None), "has 1567 bytes of data"),
        (mnist(Some(idx(&[2, 28, 28], &[7; 1569])), None), "has 1569 bytes of data"),
        (mnist(Some(idx(&[u32::MAX, u32::MAX, u32::MAX], &[7; 9])), None), "has 9 bytes of data"),
        (mnist(Some(idx(&[2, 28], &[7; 56])), None), "magic number 2050"),
        (mnist(Some(idx(&[1, 14, 112], &[7; 1568])), None), "1 images but 2 labels"),
        (mnist(Some(idx(&[2, 56, 14], &[7; 1568])), None), "56x14"),
        (mnist(None, Some(vec![0, 0, 8])), "is truncated"),
        (mnist(None, Some(idx(&[2], &[3, 10]))), "has the label 10"),
    ];
    for (outcome, message) in cases {
        let error = outcome.unwrap_err();
        assert!(error.contains(message), "{error:?} does not say {message:?}");
    }
}

#[test]
fn a_gzip_file_that_breaks_off_is_an_error() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("train-images-idx3-ubyte.gz");
    gzip(&path, &idx(&[2, 28, 28], &[7; 1568]));
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    let error = format!("{:#}", load(Source::Mnist, folder.path()).unwrap_err());
    assert!(error.contains("is truncated"), "{error}");
}

#[test]
fn images_are_shifted_and_mirrored_without_wrapping() {
    let mut images = Images::empty([2, 2, 3]);
    images.push(0, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]).unwrap();
    let mut rng = Rng::new(1);
    let mut seen = Vec::new();
    for _ in 0..200 {
        let augment = Augment { shift: 1, mirror: true };
        let (x, _) = images.augmented_batch(&[0], augment, &mut rng).unwrap();
        let pixels = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let pixels: Vec<u8> = pixels.iter().map(|value| (value * 255.0).round() as u8).collect();
        if !seen.contains(&pixels) {
            seen.push(pixels);
        }
    }
    assert_eq!(seen.len(), 18);
    assert!(seen.contains(&vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]));
    assert!(seen.contains(&vec![3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10]));
    assert!(seen.contains(&vec![0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 7, 8]));
    assert!(seen.contains(&vec![5, 6, 0, 0, 0, 0, 11, 12, 0, 0, 0, 0]));
}
