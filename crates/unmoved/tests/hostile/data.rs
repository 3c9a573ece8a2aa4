//! Images and data sets: PNGs, NumPy arrays and archives of them, lists of labels.

use super::{Case, write};
use flate2::{Compress, Compression, FlushCompress};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// Reads two values.
const NETWORK: &str = include_str!("../models/tiny.unm");

/// The network is asked about one image.
fn image(name: &str, file: &'static str, content: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Case {
    let arguments = ["robust", "m.unm", "--image", file, "--eps", "0.1"];
    Case::new(format!("image-{name}"), &arguments, move |folder| {
        write(folder, "m.unm", NETWORK);
        write(folder, file, content());
    })
}

/// The network is asked about the first image of a data set in the folder `d`.
fn set(kind: &str, name: &str, path: &str, build: impl Fn(&Path) + Send + Sync + 'static) -> Case {
    let arguments = ["robust", "m.unm", "--dataset", kind, "--data", path, "--index", "0", "--eps", "0.1"];
    Case::new(format!("{kind}-{name}"), &arguments, move |folder| {
        write(folder, "m.unm", NETWORK);
        std::fs::create_dir(folder.join("d")).expect("the temporary folder is writable");
        build(&folder.join("d"));
    })
}

fn archive(name: &str, content: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Case {
    set("arrays", name, "d/a.npz", move |folder| write(folder, "a.npz", content()))
}

fn pngs(name: &str, list: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Case {
    listed(name, list, |_| {})
}

/// A list, and what else is in the folder.
fn listed(
    name: &str,
    list: impl Fn() -> Vec<u8> + Send + Sync + 'static,
    make: impl Fn(&Path) + Send + Sync + 'static,
) -> Case {
    set("pngs", name, "d", move |folder| {
        write(folder, "labels.csv", list());
        write(folder, "a.png", png(2, 1, &[0; 2]));
        make(folder);
    })
}

fn header(version: u8, text: &str) -> Vec<u8> {
    let length = (text.len() as u32).to_le_bytes();
    let length = if version == 1 { &length[..2] } else { &length[..] };
    [b"\x93NUMPY", &[version, 0][..], length, text.as_bytes()].concat()
}

fn array(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [&header(1, &text), data].concat()
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().is_ok_and(|s| s.success()), "mkfifo is there");
}

/// A grey PNG with these extents, whatever its pixels are.
fn png(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    let rows: Vec<u8> = pixels.chunks((width as usize).max(1)).flat_map(|row| [&[0], row].concat()).collect();
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), Compression::best());
    let packed = packed.write_all(&rows).and_then(|()| packed.finish()).expect("memory is writable");
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(data);
        [&(data.len() as u32).to_be_bytes(), &kind[..], data, &crc.sum().to_be_bytes()].concat()
    };
    let extents = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let start = chunk(b"IHDR", &[&extents[..], &[8, 0, 0, 0, 0]].concat());
    [b"\x89PNG\r\n\x1a\n", &start[..], &chunk(b"IDAT", &packed), &chunk(b"IEND", &[])].concat()
}

/// A member of an archive, with what is said of it.
#[derive(Clone)]
struct Member {
    name: &'static str,
    method: u16,
    flags: u16,
    data: Vec<u8>,
    length: u32,
    crc: u32,
    packed: u32,
    offset: Option<u32>,
}

impl Member {
    fn new(name: &'static str, data: Vec<u8>) -> Self {
        let mut crc = flate2::Crc::new();
        crc.update(&data);
        let length = data.len() as u32;
        Self { name, method: 0, flags: 0, data, length, crc: crc.sum(), packed: length, offset: None }
    }

    /// `start`, and then so many megabytes of zeros, packed to a thousandth.
    fn bomb(name: &'static str, start: &[u8], megabytes: usize) -> Self {
        let mut deflate = Compress::new(Compression::best(), false);
        let mut part = |bytes: &[u8]| {
            // Room for all of it: what is full is not gone on with.
            let mut packed = Vec::with_capacity(bytes.len() / 500 + 4096);
            deflate.compress_vec(bytes, &mut packed, FlushCompress::Full).expect("memory is writable");
            packed
        };
        // After a full flush nothing refers to what was before: a part may be repeated.
        let data = [part(start), part(&vec![0; 16 << 20]).repeat(megabytes / 16)].concat();
        let packed = data.len() as u32;
        Self { method: 8, length: u32::MAX - 1, packed, ..Self::new(name, data) }
    }

    fn fields(&self) -> Vec<u8> {
        let words = [self.crc, self.packed, self.length].map(u32::to_le_bytes).concat();
        let halves = [20, self.flags, self.method, 0, 0].map(u16::to_le_bytes).concat();
        [&halves[..], &words, &(self.name.len() as u16).to_le_bytes(), &[0, 0]].concat()
    }
}

fn zip(members: &[Member]) -> Vec<u8> {
    let (mut all, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        let offset = member.offset.unwrap_or(all.len() as u32).to_le_bytes();
        all.extend([b"PK\x03\x04", &member.fields()[..], member.name.as_bytes(), &member.data].concat());
        directory.extend([b"PK\x01\x02\x14\x00", &member.fields()[..], &[0; 10], &offset].concat());
        directory.extend(member.name.as_bytes());
    }
    let count = (members.len() as u16).to_le_bytes();
    let (size, start) = ((directory.len() as u32).to_le_bytes(), (all.len() as u32).to_le_bytes());
    [&all[..], &directory, b"PK\x05\x06\0\0\0\0", &count, &count, &size, &start, &[0, 0]].concat()
}

/// Two members that are all right, and what is done to them.
fn spoilt(name: &str, spoil: impl Fn(&mut [Member; 2]) + Send + Sync + 'static) -> Case {
    archive(name, move || {
        let mut members = [Member::new("x.npy", array("<f4", "(1, 2)", &[0; 8])), Member::new("y.npy", label())];
        spoil(&mut members);
        zip(&members)
    })
}

fn label() -> Vec<u8> {
    array("|u1", "(1,)", &[0])
}

/// `len` labels, of which only the first few are there.
fn labels(len: usize) -> Member {
    Member::new("y.npy", array("|u1", &format!("({len},)"), &[0; 8]))
}

pub(crate) fn cases() -> Vec<Case> {
    [images(), archives(), lists(), runs()].into_iter().flatten().collect()
}

fn images() -> Vec<Case> {
    vec![
        image("npy-header-of-4-GB", "i.npy", || [b"\x93NUMPY\x02\x00\xff\xff\xff\xff", &[b'{'; 64][..]].concat()),
        image("npy-header-of-20-MB", "i.npy", || header(2, &" ".repeat(20 << 20))),
        image("npy-brackets", "i.npy", || header(1, &"(".repeat(60_000))),
        image("npy-brackets-short", "i.npy", || header(1, &format!("{{'shape': {}", "(".repeat(9_000)))),
        image("npy-braces", "i.npy", || header(1, &"{'shape':".repeat(1_000))),
        image("npy-elements-of-40-GB", "i.npy", || array("<f4", "(10000000000,)", &[0; 64])),
        image("npy-elements-past-usize", "i.npy", || array("<f8", "(4294967296, 4294967296, 2)", &[0; 64])),
        image("npy-extents-past-usize", "i.npy", || array("<f4", "(99999999999999999999999,)", &[0; 64])),
        image("npy-dimensions", "i.npy", || array("<f4", &format!("({})", "1, ".repeat(3_000)), &[0; 4])),
        image("npy-pickle", "i.npy", || array("|O", "(2,)", b"cos\nsystem\n(S'true'\ntR.")),
        image("npy-record", "i.npy", || header(1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}")),
        image("png-of-16-gigapixels", "i.png", || png(1 << 17, 1 << 17, &[0; 64])),
        image("png-of-67-megapixels", "i.png", || png(1 << 13, 1 << 13, &vec![0; 1 << 26])),
        image("png-of-16-megapixels", "i.png", || png(1 << 12, 1 << 12, &vec![0; 1 << 24])),
        image("png-without-pixels", "i.png", || png(0, 0, &[])),
        image("png-cut-off", "i.png", || png(2, 1, &[0; 2])[..40].to_vec()),
    ]
}

fn archives() -> Vec<Case> {
    vec![
        spoilt("all-right", |_| {}).may_be_answered(),
        // The first image is two zeros, whatever follows.
        archive("bomb-of-10-GB", || {
            let start = array("<f4", "(1300000000, 2)", &[]);
            zip(&[Member::bomb("x.npy", &start, 10 << 10), labels(1_300_000_000)])
        })
        .may_be_answered(),
        archive("bomb-of-one-image", || {
            let start = array("<f4", "(1, 2600000000)", &[]);
            zip(&[Member::bomb("x.npy", &start, 10 << 10), labels(1)])
        }),
        archive("bomb-of-the-largest-image", || {
            let start = array("<f8", "(1, 16777216)", &[]);
            zip(&[Member::bomb("x.npy", &start, 256), labels(1)])
        }),
        archive("bomb-in-the-header", || {
            zip(&[Member::bomb("x.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff", 10 << 10), labels(1)])
        }),
        spoilt("zero-images", |m| m[0] = Member::new("x.npy", array("<f4", "(0, 2)", &[]))),
        spoilt("empty-images", |m| m[0] = Member::new("x.npy", array("<f4", "(1, 0)", &[]))),
        spoilt("zero-times-past-usize", |m| {
            m[0] = Member::new("x.npy", array("<f4", "(1, 0, 4294967296, 4294967296)", &[0; 8]));
        }),
        spoilt("packed-past-the-end", |m| m[0].packed = u32::MAX - 1).may_be_answered(),
        spoilt("length-that-lies", |m| m[0].length = u32::MAX - 1).may_be_answered(),
        spoilt("length-of-zero", |m| m[0].length = 0),
        spoilt("wrong-checksum", |m| m[0].crc = 0),
        spoilt("offset-past-the-end", |m| m[0].offset = Some(u32::MAX - 1)),
        spoilt("offset-in-the-directory", |m| m[1].offset = Some(300)),
        spoilt("both-in-one-place", |m| m[1].offset = Some(0)),
        spoilt("encrypted", |m| {
            m[0].flags = 1;
            m[0].data = vec![7; m[0].data.len()];
        }),
        spoilt("method-unknown", |m| m[0].method = 99),
        spoilt("deflate-of-nothing", |m| m[0].method = 8),
        spoilt("name-that-leads-out", |m| m[0].name = "../x.npy"),
        archive("member-twice", || {
            let images = Member::new("x.npy", array("<f4", "(1, 2)", &[0; 8]));
            zip(&[images.clone(), images, Member::new("y.npy", label())])
        }),
        archive("members-without-end", || zip(&vec![Member::new("z.npy", Vec::new()); 60_000])),
        archive("empty", Vec::new),
        archive("end-alone", || b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0".to_vec()),
        archive("zip64-that-lies", || {
            [&b"PK\x06\x07\0\0\0\0"[..], &[0xff; 8], &[1, 0, 0, 0], b"PK\x05\x06\0\0\0\0", &[0xff; 12], &[0, 0]]
                .concat()
        }),
        archive("cut-off", || {
            let bytes = zip(&[Member::new("x.npy", array("<f4", "(1, 2)", &[0; 8])), labels(1)]);
            bytes[..bytes.len() - 30].to_vec()
        }),
        archive("no-end-in-20-MB", || vec![b'P'; 20 << 20]),
        set("arrays", "pipes", "d", |folder| {
            fifo(&folder.join("x.npy"));
            fifo(&folder.join("y.npy"));
        }),
        set("arrays", "pipe-for-an-archive", "d/a.npz", |folder| fifo(&folder.join("a.npz"))),
        set("arrays", "folders-for-arrays", "d", |folder| {
            std::fs::create_dir(folder.join("x.npy")).expect("the temporary folder is writable");
            write(folder, "y.npy", label());
        }),
    ]
}

fn lists() -> Vec<Case> {
    let one = |line: &'static str| move || format!("file,label\n{line}\n").into_bytes();
    vec![
        pngs("all-right", one("a.png,0")).may_be_answered(),
        pngs("parent", one("../d/a.png,0")),
        pngs("parent-alone", one("..,0")),
        pngs("here", one("./a.png,0")).may_be_answered(),
        pngs("absolute", one("/etc/hostname.png,0")),
        pngs("nothing", one(",0")),
        pngs("quotes-without-end", || [b"file,label\n\"", &[b'a'; 20 << 20][..]].concat()),
        pngs("rows-without-end", || [b"file,label\n", &b"a.png,0\n".repeat(1_000_000)[..]].concat()).may_be_answered(),
        pngs("columns-without-end", || b"a,".repeat(5_000_000)),
        pngs("label-past-usize", one("a.png,18446744073709551616")),
        pngs("label-past-all-classes", one("a.png,18446744073709551615")),
        pngs("name-with-a-zero", one("a\0.png,0")),
        pngs("name-of-10-MB", || format!("file,label\n{}.png,0\n", "a".repeat(10 << 20)).into_bytes()),
        listed("link-out", one("l.png,0"), |folder| {
            write(folder, "../secret.png", png(2, 1, &[0; 2]));
            std::os::unix::fs::symlink("../secret.png", folder.join("l.png")).expect("links can be made");
        }),
        listed("link-to-itself", one("l.png,0"), |folder| {
            std::os::unix::fs::symlink("l.png", folder.join("l.png")).expect("links can be made");
        }),
        listed("pipe", one("p.png,0"), |folder| fifo(&folder.join("p.png"))),
        listed("device", one("n.png,0"), |folder| {
            std::os::unix::fs::symlink("/dev/zero", folder.join("n.png")).expect("links can be made");
        }),
        listed("folder-for-an-image", one("f.png,0"), |folder| {
            std::fs::create_dir(folder.join("f.png")).expect("the temporary folder is writable");
        }),
        set("pngs", "pipe-for-a-list", "d", |folder| fifo(&folder.join("labels.csv"))),
        set("mnist", "pipe", "d", |folder| fifo(&folder.join("t10k-images-idx3-ubyte"))),
    ]
}

/// A page is asked for about a run with this `run.json`, of which the list of images and the data set are given, and no result.
fn run(name: &str, indices: &'static str, data: &'static str) -> Case {
    Case::new(format!("report-{name}"), &["report", "r"], move |folder| {
        std::fs::create_dir(folder.join("r")).expect("the temporary folder is writable");
        let asked = format!(
            r#"{{"version":1,"command":"<script>","model":{{"path":"m","arch":null,"output":null,"mean":[],"std":[],"sha256":"0"}},
            "data":{{{data},"layout":null,"sha256":"0"}},"indices":{{{indices}}},"shard":null,"norm":"linf","range":null,
            "targets":null,"kind":"radii","eps":["1/1000000","1/10"],"time_limit_s":null,"threads":1,"seed":0,"engine":"auto"}}"#
        );
        write(folder, "r/run.json", asked);
        write(folder, "r/results.jsonl", b"{\"index\":0}\n\xff\n{");
    })
}

fn runs() -> Vec<Case> {
    let (few, pngs) = (r#""start":0,"end":10"#, r#""name":"pngs","path":"d""#);
    vec![
        run("all-right", few, pngs).may_load(),
        run("images-without-end", r#""start":0,"end":18446744073709551615"#, pngs).may_load(),
        run("images-from-the-end", r#""start":18446744073709551614,"end":18446744073709551615"#, pngs).may_load(),
        run("images-backwards", r#""start":10,"end":1"#, pngs),
        run("data-in-the-devices", few, r#""name":"mnist","path":"/dev""#).may_load(),
        run("data-of-no-kind", few, r#""name":"<b>","path":"\u0000""#).may_load(),
    ]
}
