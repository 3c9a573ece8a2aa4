//! Properties in VNN-LIB; what is read has a canonical text.
#![no_main]

use unmoved_fuzz::small;
use unmoved_property::{Query, vnnlib};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(queries) = vnnlib::read(text, small()) else { return };
    for query in queries {
        let again = Query::from_text(small().clone(), &query.to_text()).expect("what was written can be read");
        assert_eq!(again.digest(), query.digest());
    }
});
