//! Damaged and hostile files of arrays: IDX, NumPy's, plain and packed.

use std::io::{Cursor, Write};

use rheobase_formats::array::{Array, ArrayError, Limits};
use rheobase_formats::{idx, npz};

use crate::{alone, memory};

/// Most memory that reading a file of a few kilobytes may take: what unpacks to more meets the limit.
const MAX_PEAK_BYTES: usize = 8 << 20;
const LIMITS: Limits = Limits {
    array_bytes: 1 << 20,
};

type Reader = fn(&[u8]) -> Result<Vec<Array>, ArrayError>;

fn read_idx(bytes: &[u8]) -> Result<Vec<Array>, ArrayError> {
    idx::parse("x", bytes, &LIMITS).map(|array| vec![array])
}

fn read_npy(bytes: &[u8]) -> Result<Vec<Array>, ArrayError> {
    npz::parse_npy("x", bytes, &LIMITS).map(|array| vec![array])
}

fn read_npz(bytes: &[u8]) -> Result<Vec<Array>, ArrayError> {
    let length = bytes.len() as u64;
    let mut archive = npz::Archive::new("x".to_owned(), Cursor::new(bytes), length, LIMITS)?;
    let names = archive.names();
    names.iter().map(|name| archive.array(name)).collect()
}

fn plain_idx() -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3, 0, 0, 0, 10, 0, 0, 0, 9, 0, 0, 0, 8];
    bytes.extend((0..720_u32).map(|i| (i * i % 251) as u8));
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Whole files with their readers.
fn files() -> Vec<(&'static str, Vec<u8>, Reader)> {
    vec![
        ("plain IDX", plain_idx(), read_idx),
        ("packed IDX", gzip(&plain_idx()), read_idx),
        (
            "single",
            include_bytes!("../fixtures/arrays/single.npy").to_vec(),
            read_npy,
        ),
        (
            "stored",
            include_bytes!("../fixtures/arrays/stored.npz").to_vec(),
            read_npz,
        ),
        (
            "deflated",
            include_bytes!("../fixtures/arrays/deflated.npz").to_vec(),
            read_npz,
        ),
    ]
}

/// Reads and checks what it cost; gives the arrays if the file was taken.
fn cost(read: Reader, bytes: &[u8], what: &dyn Fn() -> String) -> Option<Vec<Array>> {
    let before = memory::begin();
    let result = read(bytes);
    let peak = memory::peak().saturating_sub(before);
    assert!(peak < MAX_PEAK_BYTES, "{}: {peak} bytes", what());
    match result {
        Ok(arrays) => {
            for array in &arrays {
                let count = array.shape.iter().product::<usize>();
                assert_eq!(count, array.values.len(), "{}", what());
            }
            Some(arrays)
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

#[test]
fn arrays_cut_at_every_byte() {
    let _alone = alone();
    for (name, whole, read) in files() {
        assert!(cost(read, &whole, &|| name.to_owned()).is_some(), "{name}");
        let step = (whole.len() / 2000).max(1);
        for n in (0..whole.len()).step_by(step) {
            let taken = cost(read, &whole[..n], &|| format!("{name} cut at {n}"));
            assert!(taken.is_none(), "{name} cut at {n}");
        }
    }
}

#[test]
fn arrays_with_bytes_turned_over() {
    let _alone = alone();
    let mut state = 1_u64;
    let mut below = |n: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    for (name, whole, read) in files() {
        let originals = read(&whole).unwrap();
        let has_checksums = !matches!(name, "plain IDX" | "single");
        let (mut taken, mut refused) = (0, 0);
        for round in 0..4000 {
            let mut damaged = whole.clone();
            // Every second round hits the beginning or the end, where sizes are told.
            for _ in 0..=below(3) {
                let at = match round % 4 {
                    0 => below(whole.len().min(160)),
                    1 => whole.len() - 1 - below(whole.len().min(1200)),
                    _ => below(whole.len()),
                };
                damaged[at] = below(256) as u8;
            }
            match cost(read, &damaged, &|| format!("{name}, round {round}")) {
                // Damage to what nobody reads, such as a time.
                Some(arrays) => {
                    taken += 1;
                    let right = arrays.iter().all(|array| originals.contains(array));
                    assert!(
                        right || !has_checksums,
                        "{name}, round {round}: other values"
                    );
                }
                None => refused += 1,
            }
        }
        println!("{name}: {taken} taken, {refused} refused");
        assert!(refused > 200, "{name}");
    }
}

#[test]
fn bombs_are_left_where_they_are() {
    let _alone = alone();
    // 256 MiB of zeros in 256 KiB, under headers that tell of more, as much and less.
    let mut zeros = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..256 {
        zeros.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let zeros = zeros.finish().unwrap();
    for length in [u32::MAX, 1 << 28, 1 << 20, 1, 0] {
        let mut header = vec![0, 0, 8, 1];
        header.extend(length.to_be_bytes());
        let bomb = [gzip(&header), zeros.clone()].concat();
        assert!(cost(read_idx, &bomb, &|| format!("{length} told")).is_none());
    }
}
