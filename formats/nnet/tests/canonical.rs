//! Hand-written files and their canonical form.

use unmoved_nnet::{parse, read, to_string};

#[test]
fn canonical_form() {
    insta::glob!("canonical/*.nnet", |path| {
        let network = read(path).unwrap_or_else(|e| panic!("{e}"));
        let text = to_string(&network).expect("it was read");
        insta::assert_snapshot!(text);
        let again = parse(&text).expect("what was written is read");
        assert_eq!(again, network);
        assert_eq!(again.digest(), network.digest());
        assert_eq!(to_string(&again).expect("it was read"), text);
    });
}
