//! Any bytes are a file that can be walked, or an error, within the limits.
//! `cargo +nightly fuzz run hdf5 -- -rss_limit_mb=1024 -malloc_limit_mb=512` from `formats/`.
//! `tests/hostile/` holds the same properties on stable, over damaged files.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rheobase_formats::hdf5::{File, Hdf5Error, Limits, Problem, read_bytes};

/// Objects looked at.
const MAX_OBJECTS: usize = 200;

fuzz_target!(|bytes: &[u8]| {
    let result = read_bytes("fuzz.h5", bytes.into(), &Limits::default(), |file| {
        let mut left = MAX_OBJECTS;
        walk(file, "", 3, &mut left)
    });
    if let Err(error) = result {
        assert_ne!(error.problem, Problem::Panicked, "the reader panicked");
    }
});

fn walk(file: &File, path: &str, depth: usize, left: &mut usize) -> Result<(), Hdf5Error> {
    for name in file.datasets(if path.is_empty() { "/" } else { path })? {
        if *left == 0 {
            return Ok(());
        }
        *left -= 1;
        let _ = visit(file, &format!("{path}/{name}"));
    }
    if depth == 0 {
        return Ok(());
    }
    for name in file.groups(if path.is_empty() { "/" } else { path })? {
        if *left == 0 {
            return Ok(());
        }
        *left -= 1;
        let _ = walk(file, &format!("{path}/{name}"), depth - 1, left);
    }
    Ok(())
}

fn visit(file: &File, path: &str) -> Result<(), Hdf5Error> {
    let dataset = file.dataset(path)?;
    let _ = dataset.text_attribute("units");
    let n = dataset.length()?;
    let _ = dataset.strings();
    let _ = dataset.integers(0..n);
    let _ = dataset.floats(n / 2..n);
    Ok(())
}
