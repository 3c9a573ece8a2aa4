//! Query files: what is read has a canonical text.
#![no_main]

use unmoved_fuzz::small;
use unmoved_property::Query;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(query) = Query::from_text(small().clone(), text) else { return };
    let written = query.to_text();
    let again = Query::from_text(small().clone(), &written).expect("what was written can be read");
    assert_eq!(again.to_text(), written);
});
