//! Any text is a list of components or a list of errors, within the limits.
//! `cargo +nightly fuzz run parse` from `equations/`.
//! `tests/language/hostile.rs` holds the same properties on stable, over the same corpus.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rheobase_equations::limits::{MAX_DIAGNOSTICS, MAX_OPS};
use rheobase_equations::unit::parse_quantity;
use rheobase_equations::{parse, parse_one};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    match parse(&text, "fuzz.rheo") {
        Ok(models) => {
            assert!(!models.is_empty());
            for model in &models {
                assert!(model.ops.len() <= MAX_OPS);
                let again = parse(&model.text, "fuzz.rheo").expect("its own text");
                assert_eq!(format!("{:?}", again[0]), format!("{model:?}"));
            }
        }
        Err(errors) => {
            assert!((1..=MAX_DIAGNOSTICS).contains(&errors.as_slice().len()));
            let rendered = errors.to_string();
            assert!(rendered.chars().all(|c| c == '\n' || !c.is_control()));
        }
    }
    let _ = parse_one(&text, "fuzz.rheo").map_err(|e| e.to_string());
    let _ = parse_quantity(&text).map_err(|e| e.to_string());
});
