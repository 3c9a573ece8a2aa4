//! Properties in VNN-LIB of both versions; what is read has a canonical text, and is read again from what we write.
#![no_main]

use unmoved_fuzz::small;
use unmoved_property::Query;
use unmoved_property::vnnlib::{self, Version};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let declarations = vnnlib::declarations(text);
    let Ok(queries) = vnnlib::read(text, small()) else { return };
    declarations.expect("they are a part of what was read");
    for query in &queries {
        let again = Query::from_text(small().clone(), &query.to_text()).expect("what was written can be read");
        assert_eq!(again.digest(), query.digest());
    }
    for version in [Version::V1, Version::V2 { minor: 0 }] {
        let Ok(written) = vnnlib::write(&queries, version) else { continue };
        let again = vnnlib::read(&written, small()).expect("what was written can be read");
        assert_eq!(vnnlib::write(&again, version).as_ref(), Ok(&written));
    }
});
