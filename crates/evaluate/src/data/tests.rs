use super::{DataSet, DataSetError, Layout};
use crate::npy;
use flate2::{Compression, write::DeflateEncoder};
use rawzip::{CompressionMethod, ZipArchiveWriter};
use std::fs;
use std::io::Write as _;
use std::path::Path;

/// An array with this header and these bytes after it.
fn array(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn floats(shape: &[usize]) -> Vec<u8> {
    let values: Vec<f32> = (0..shape.iter().product()).map(|k| k as f32 / 8.0).collect();
    let mut bytes = Vec::new();
    npy::write(&mut bytes, &values, shape).unwrap();
    bytes
}

fn labels(count: u8) -> Vec<u8> {
    let words: Vec<u8> = (0..count).flat_map(|k| i64::from(k).to_le_bytes()).collect();
    array("<i8", &format!("({count},)"), &words)
}

fn npz(path: &Path, members: &[(&str, &[u8])], method: CompressionMethod) {
    let mut archive = ZipArchiveWriter::new(fs::File::create(path).unwrap());
    for (name, bytes) in members {
        let (mut entry, config) = archive.new_file(name).compression_method(method).start().unwrap();
        let descriptor = if method == CompressionMethod::DEFLATE {
            let mut writer = config.wrap(DeflateEncoder::new(&mut entry, Compression::fast()));
            writer.write_all(bytes).unwrap();
            let (encoder, descriptor) = writer.finish().unwrap();
            encoder.finish().unwrap();
            descriptor
        } else {
            let mut writer = config.wrap(&mut entry);
            writer.write_all(bytes).unwrap();
            writer.finish().unwrap().1
        };
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
}

fn in_folder(members: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in members {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn problem(set: DataSet, path: &Path, range: std::ops::Range<usize>) -> String {
    match set.read_test(path, range) {
        Err(DataSetError::Format { problem, .. }) => problem,
        Err(other) => panic!("{other}"),
        Ok(examples) => panic!("{} images", examples.len()),
    }
}

#[test]
fn an_archive_packed_or_not_and_a_folder_give_the_same_images() {
    let (images, labels) = (floats(&[5, 2, 3]), labels(5));
    let folder = in_folder(&[("x_test.npy", &images), ("y_test.npy", &labels)]);
    let members: [(&str, &[u8]); 3] = [("x_train.npy", &[]), ("y_test.npy", &labels), ("x_test.npy", &images)];
    let (plain, packed) = (folder.path().join("plain.npz"), folder.path().join("packed.npz"));
    npz(&plain, &members, CompressionMethod::STORE);
    npz(&packed, &members, CompressionMethod::DEFLATE);
    let mut digests = Vec::new();
    for path in [folder.path(), &plain, &packed] {
        let set = DataSet::Arrays(None).open(path).unwrap();
        assert_eq!(set.len(), 5);
        let examples: Vec<_> = set.read(3..5).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(examples[0].values, [2.25, 2.375, 2.5, 2.625, 2.75, 2.875]);
        assert_eq!((examples[1].label, examples[1].shape.as_slice()), (Some(4), &[1, 2, 3][..]));
        digests.push(set.digest().unwrap());
        assert!(matches!(set.read(4..6), Err(DataSetError::NoSuchImage { index: 5, count: 5, .. })));
    }
    assert!(digests[0] != digests[1] && digests[1] != digests[2]);
}

#[test]
fn bytes_doubles_and_the_other_order_of_bytes_are_read_as_numbers() {
    let doubles = [0.5f64, 0.1].map(f64::to_be_bytes).concat();
    let cases = [("|u1", &[51u8, 255][..], [0.2, 1.0]), (">f8", &doubles, [0.5, 0.1])];
    for (descr, data, expected) in cases {
        let class = array(">u2", "(1L, 1)", &[1, 2]);
        let folder = in_folder(&[("images.npy", &array(descr, "(1, 2)", data)), ("labels.npy", &class)]);
        let examples = DataSet::Arrays(None).read_test(folder.path(), 0..1).unwrap();
        assert_eq!((examples[0].values.as_slice(), examples[0].label), (&expected[..], Some(258)));
    }
}

#[test]
fn channels_are_where_the_layout_says_and_never_guessed() {
    let read = |shape: &[usize], layout| {
        let folder = in_folder(&[("x.npy", &floats(shape)), ("y.npy", &labels(shape[0] as u8))]);
        DataSet::Arrays(layout).read_test(folder.path(), 0..1).map(|e| (e[0].shape.clone(), e[0].values.clone()))
    };
    let (shape, values) = read(&[1, 1, 2, 3], Some(Layout::Hwc)).unwrap();
    assert_eq!((shape, values), (vec![3, 1, 2], vec![0.0, 0.375, 0.125, 0.5, 0.25, 0.625]));
    let (shape, values) = read(&[1, 3, 1, 2], None).unwrap();
    assert_eq!((shape, values), (vec![3, 1, 2], vec![0.0, 0.125, 0.25, 0.375, 0.5, 0.625]));
    assert_eq!(read(&[1, 2, 2, 3], Some(Layout::Chw)).unwrap().0, [2, 2, 3]);
    for ambiguous in [&[1, 2, 2, 3], &[1, 3, 2, 1], &[1, 3, 3, 3], &[1, 2, 2, 2]] {
        assert!(read(ambiguous, None).unwrap_err().to_string().contains("say which"), "{ambiguous:?}");
    }
    assert!(read(&[1, 2, 3], Some(Layout::Hwc)).is_err());
    for other in [&[1][..], &[1, 1, 1, 1, 1], &[1, 0]] {
        assert!(read(other, None).is_err(), "{other:?}");
    }
}

#[test]
fn damaged_arrays_are_errors() {
    let (images, classes) = (floats(&[2, 3]), labels(2));
    let nested = "(".repeat(5000);
    let cases: [(&str, Vec<u8>, Vec<u8>); 14] = [
        ("cut", images[..images.len() - 1].to_vec(), classes.clone()),
        ("header cut", images[..40].to_vec(), classes.clone()),
        ("labels cut", images.clone(), classes[..classes.len() - 1].to_vec()),
        ("other magic", [b"\x93NUMPZ", &images[6..]].concat(), classes.clone()),
        ("version 9", [&images[..6], &[9], &images[7..]].concat(), classes.clone()),
        ("a header of 4 GiB", [b"\x93NUMPY\x02\x00\xff\xff\xff\xff", &images[10..]].concat(), classes.clone()),
        ("nested", array("<f4", &nested, &[]), classes.clone()),
        ("huge", array("<f4", "(2, 99999999999)", &[0; 64]), classes.clone()),
        ("past usize", array("<f4", "(2, 99999999999999999999999)", &[0; 64]), classes.clone()),
        ("product past usize", array("<f4", "(2, 4294967296, 4294967296)", &[0; 64]), classes.clone()),
        ("objects", array("|O", "(2, 3)", &[0; 64]), classes.clone()),
        ("float labels", images.clone(), array("<f4", "(2,)", &[0; 8])),
        ("negative label", images.clone(), array("|i1", "(2,)", &[255, 0])),
        ("fewer labels", images.clone(), labels(1)),
    ];
    for (what, images, labels) in cases {
        let folder = in_folder(&[("images.npy", &images), ("labels.npy", &labels)]);
        let said = problem(DataSet::Arrays(None), folder.path(), 0..2);
        assert!(!said.is_empty(), "{what}");
    }
    let nan = [0.0, f32::NAN, 0.0].map(f32::to_le_bytes).concat();
    let folder = in_folder(&[("images.npy", &array("<f4", "(1, 3)", &nan)), ("labels.npy", &labels(1))]);
    assert_eq!(problem(DataSet::Arrays(None), folder.path(), 0..1), "image 0: element 1 is NaN");
}

#[test]
fn two_pairs_of_arrays_are_ambiguous_and_none_is_missing() {
    let (images, labels) = (floats(&[2, 3]), labels(2));
    let both: [(&str, &[u8]); 4] =
        [("images.npy", &images), ("labels.npy", &labels), ("x.npy", &images), ("y.npy", &labels)];
    let folder = in_folder(&both);
    assert!(problem(DataSet::Arrays(None), folder.path(), 0..1).contains("which are the images"));
    let half = in_folder(&both[1..3]);
    assert!(problem(DataSet::Arrays(None), half.path(), 0..1).contains("no images and labels"));
    let twice = half.path().join("twice.npz");
    npz(&twice, &[both[0], both[0], both[1]], CompressionMethod::STORE);
    assert!(problem(DataSet::Arrays(None), &twice, 0..1).contains("twice"));
    let absent = DataSet::Arrays(None).read_test(Path::new("absent.npz"), 0..1);
    assert!(matches!(absent, Err(DataSetError::Missing { .. })));
}

#[test]
fn a_damaged_archive_is_an_error_where_the_damage_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let (images, labels) = (floats(&[3, 4]), labels(3));
    for method in [CompressionMethod::STORE, CompressionMethod::DEFLATE] {
        npz(&path, &[("x.npy", &images), ("y.npy", &labels)], method);
        let bytes = fs::read(&path).unwrap();
        for keep in (0..bytes.len()).step_by(7) {
            fs::write(&path, &bytes[..keep]).unwrap();
            assert!(DataSet::Arrays(None).read_test(&path, 0..3).is_err(), "cut to {keep} bytes");
        }
    }
    npz(&path, &[("x.npy", &images), ("y.npy", &labels)], CompressionMethod::STORE);
    let mut bytes = fs::read(&path).unwrap();
    // A bit in a value of the first image: the sum is known with the last one.
    let at = bytes.windows(4).position(|w| w == 0.125f32.to_le_bytes()).unwrap();
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(problem(DataSet::Arrays(None), &path, 0..3).contains("checksum"));
}

fn write_png(path: &Path, pixel: u8) {
    let mut encoder = png::Encoder::new(fs::File::create(path).unwrap(), 2, 1);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&[pixel, 0]).unwrap();
}

#[test]
fn a_folder_of_pngs_is_read_in_the_order_of_its_list() {
    let folder = in_folder(&[("labels.csv", b"file,label\r\n\"b, c.png\",12\nin/a.PNG,3\n")]);
    fs::create_dir(folder.path().join("in")).unwrap();
    write_png(&folder.path().join("in/a.PNG"), 255);
    write_png(&folder.path().join("b, c.png"), 51);
    let set = DataSet::Pngs.open(folder.path()).unwrap();
    let examples: Vec<_> = set.read(0..set.len()).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(examples.iter().map(|e| e.label).collect::<Vec<_>>(), [Some(12), Some(3)]);
    assert_eq!(examples[0].values, [0.2, 0.0]);
    let before = set.digest().unwrap();
    write_png(&folder.path().join("in/a.PNG"), 254);
    assert_ne!(set.digest().unwrap(), before);
}

#[test]
fn a_list_that_is_damaged_or_leads_out_of_its_folder_is_refused() {
    let cases: [(&str, &[u8]); 12] = [
        ("no header", b"a.png,1\n"),
        ("other header", b"label,file\n1,a.png\n"),
        ("more columns", b"file,label,more\na.png,1,2\n"),
        ("empty", b""),
        ("a column less", b"file,label\na.png\n"),
        ("no number", b"file,label\na.png,seven\n"),
        ("negative", b"file,label\na.png,-1\n"),
        ("huge", b"file,label\na.png,99999999999999999999999\n"),
        ("parent", b"file,label\n../a.png,1\n"),
        ("absolute", b"file,label\n/a.png,1\n"),
        ("no PNG", b"file,label\na.npy,1\n"),
        ("no text", b"file,label\n\xff\xfe.png,1\n"),
    ];
    for (what, list) in cases {
        let folder = in_folder(&[("labels.csv", list)]);
        write_png(&folder.path().join("a.png"), 0);
        let said = problem(DataSet::Pngs, folder.path(), 0..1);
        assert!(!said.is_empty(), "{what}");
    }
    let folder = in_folder(&[("labels.csv", b"file,label\nabsent.png,1\n")]);
    assert!(matches!(DataSet::Pngs.read_test(folder.path(), 0..1), Err(DataSetError::Io { .. })));
}

#[cfg(unix)]
#[test]
fn links_may_lead_to_other_files_of_the_folder_only() {
    use std::os::unix::fs::symlink;
    let outside = tempfile::tempdir().unwrap();
    write_png(&outside.path().join("a.png"), 0);
    let folder = in_folder(&[("labels.csv", b"file,label\ninside.png,1\nout.png,2\nby/a.png,3\n")]);
    write_png(&folder.path().join("a.png"), 255);
    symlink("a.png", folder.path().join("inside.png")).unwrap();
    symlink(outside.path().join("a.png"), folder.path().join("out.png")).unwrap();
    symlink(outside.path(), folder.path().join("by")).unwrap();
    assert_eq!(DataSet::Pngs.read_test(folder.path(), 0..1).unwrap()[0].values, [1.0, 0.0]);
    for index in 1..3 {
        assert_eq!(problem(DataSet::Pngs, folder.path(), index..index + 1), "no file inside of the folder");
    }
    assert!(DataSet::Pngs.open(folder.path()).unwrap().digest().is_err());
}
