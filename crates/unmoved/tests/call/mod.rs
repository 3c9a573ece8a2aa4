//! The program, called in the folder `tests/models`.

use std::path::Path;
use std::process::{Command, Stdio};

/// Standard output, standard error and the exit code.
pub(crate) fn unmoved(arguments: &[&str]) -> (String, String, i32) {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models");
    let output = Command::new(env!("CARGO_BIN_EXE_unmoved"))
        .args(arguments)
        .current_dir(models)
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code().expect("no signal ended it"))
}
