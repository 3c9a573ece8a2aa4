use crate::*;
#[test]
fn builds() {}
