//! Any bytes are arrays or an error, within the limits.
//! `cargo +nightly fuzz run arrays -- -rss_limit_mb=512 -malloc_limit_mb=64` from `formats/`.
//! `tests/hostile/arrays.rs` holds the same properties on stable, over damaged files.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use rheobase_formats::array::Limits;
use rheobase_formats::{idx, npz};

const LIMITS: Limits = Limits {
    array_bytes: 1 << 22,
};

fuzz_target!(|bytes: &[u8]| {
    let _ = idx::parse("fuzz", bytes, &LIMITS);
    let _ = npz::parse_npy("fuzz", bytes, &LIMITS);
    let length = bytes.len() as u64;
    if let Ok(mut archive) =
        npz::Archive::new("fuzz".to_owned(), Cursor::new(bytes), length, LIMITS)
    {
        for name in archive.names().iter().take(50) {
            let _ = archive.array(name);
        }
    }
});
