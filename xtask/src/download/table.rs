//! Where the data sets are published, and what their files must be: the only place that names an address.

/// A file to fetch.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    /// Its name, the last part of every address.
    pub(super) name: &'static str,
    /// Its size in bytes.
    pub(super) size: u64,
    /// Its SHA-256, in lower case.
    pub(super) sha256: &'static str,
}

/// A data set: files, all of them at every mirror.
#[derive(Clone, Debug)]
pub(super) struct DataSet {
    /// The folder under `data`.
    pub(super) folder: &'static str,
    /// Addresses without the file's name, the best first.
    pub(super) mirrors: &'static [&'static str],
    /// The files.
    pub(super) files: &'static [Remote],
}

/// MNIST, handwritten digits; the four original IDX files.
pub(super) const MNIST: DataSet = DataSet {
    folder: "mnist",
    mirrors: &[
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ],
    files: &[
        Remote {
            name: "train-images-idx3-ubyte.gz",
            size: 9_912_422,
            sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        },
        Remote {
            name: "train-labels-idx1-ubyte.gz",
            size: 28_881,
            sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        },
        Remote {
            name: "t10k-images-idx3-ubyte.gz",
            size: 1_648_877,
            sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        },
        Remote {
            name: "t10k-labels-idx1-ubyte.gz",
            size: 4_542,
            sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
    ],
};

/// CIFAR-10, small colour photographs; the binary version, one archive.
pub(super) const CIFAR10: DataSet = DataSet {
    folder: "cifar10",
    mirrors: &["https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"],
    files: &[Remote {
        name: "cifar-10-binary.tar.gz",
        size: 170_052_171,
        sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    }],
};

/// The folder inside the CIFAR-10 archive.
pub(super) const CIFAR10_FOLDER: &str = "cifar-10-batches-bin";

/// The files of the CIFAR-10 archive that are unpacked, and their sizes.
pub(super) const CIFAR10_MEMBERS: [(&str, u64); 7] = [
    ("batches.meta.txt", 61),
    ("data_batch_1.bin", 30_730_000),
    ("data_batch_2.bin", 30_730_000),
    ("data_batch_3.bin", 30_730_000),
    ("data_batch_4.bin", 30_730_000),
    ("data_batch_5.bin", 30_730_000),
    ("test_batch.bin", 30_730_000),
];

/// A file of the archive that nobody needs.
pub(super) const CIFAR10_IGNORED: &str = "readme.html";
