//! Every case is a file in `errors/`; the comment at its top says why it exists, its snapshot is the message.

#[test]
fn errors() {
    insta::glob!("errors/*.nnet", |path| {
        let error = unmoved_nnet::read(path).expect_err("the case is an error").to_string();
        // Messages name the file as the user did; here only its last part is the same everywhere.
        let folder = format!("{}/", path.parent().expect("a case is in a folder").display());
        insta::assert_snapshot!(error.replace(&folder, ""));
    });
}
