//! Files of NumPy, and files that pretend to be.

use super::*;
use crate::array::Values;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

fn fixture(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/arrays");
    folder.join(name)
}

fn npy(descr: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = u16::try_from(text.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], text.as_bytes(), values].concat()
}

fn archive(
    entries: &[(&str, &[u8])],
    method: CompressionMethod,
) -> Result<Archive<Cursor<Vec<u8>>>, ArrayError> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    let bytes = zip.finish().unwrap().into_inner();
    let length = bytes.len() as u64;
    Archive::new(
        "a.npz".to_owned(),
        Cursor::new(bytes),
        length,
        Limits::default(),
    )
}

#[test]
fn what_numpy_wrote_is_read_stored_and_deflated() {
    let expected: [(&str, &[usize], Values); 12] = [
        (
            "u8",
            &[3, 4],
            Values::U8(vec![250, 251, 252, 253, 254, 255, 0, 1, 2, 3, 4, 5]),
        ),
        ("bool", &[3], Values::Bool(vec![true, false, true])),
        ("i8", &[2], Values::I8(vec![i8::MIN, i8::MAX])),
        ("i16", &[2], Values::I16(vec![i16::MIN, i16::MAX])),
        ("i32", &[2, 1], Values::I32(vec![i32::MIN, i32::MAX])),
        ("i64", &[2], Values::I64(vec![i64::MIN, i64::MAX])),
        ("f32", &[3], Values::F32(vec![0.1, f32::MIN, f32::INFINITY])),
        ("f64", &[1, 1, 2], Values::F64(vec![0.1, -5e-324])),
        ("big", &[2], Values::I32(vec![1, -2])),
        ("scalar", &[], Values::F64(vec![2.5])),
        ("empty", &[0, 7], Values::F32(vec![])),
        ("zeros", &[40, 50], Values::F64(vec![0.0; 2000])),
    ];
    for file in ["stored.npz", "deflated.npz"] {
        let mut archive = Archive::open(&fixture(file), Limits::default()).unwrap();
        assert_eq!(archive.names(), expected.each_ref().map(|(name, ..)| *name));
        for (name, shape, values) in &expected {
            let array = archive.array(name).unwrap();
            assert_eq!(
                (&array.shape[..], &array.values),
                (*shape, values),
                "{file} {name}"
            );
        }
        let missing = archive.array("x").unwrap_err().to_string();
        assert!(missing.ends_with("array x: is not there; the archive holds u8, bool, i8, i16, i32, i64, f32, f64, big, scalar, empty, zeros"), "{missing}");
    }
    let single = read_npy(&fixture("single.npy"), &Limits::default()).unwrap();
    assert_eq!(single.shape, [2, 3]);
    assert_eq!(
        single.values,
        Values::F32(vec![0.0, 0.25, 0.5, 0.75, 1.0, 1.25])
    );
}

#[test]
fn what_cannot_be_read_is_refused_with_the_reason() {
    let fail = |name: &str| {
        read_npy(&fixture(name), &Limits::default())
            .unwrap_err()
            .to_string()
    };
    assert!(fail("fortran.npy").contains("is in Fortran order"));
    assert!(fail("objects.npy").contains("holds numbers of type `|O`"));
    assert!(fail("stored.npz").contains("is no NumPy file"));
    assert!(fail("none.npy").contains("cannot be read"));
    let single = std::fs::read(fixture("single.npy")).unwrap();
    let error = Archive::new("s".to_owned(), Cursor::new(single), 9, Limits::default());
    assert!(
        error
            .unwrap_err()
            .to_string()
            .starts_with("s: cannot be unpacked")
    );
}

#[test]
fn lies_are_found_before_anything_is_allocated() {
    let lie = npy("<f8", "(99999999,)", &[0; 16]);
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let mut archive = archive(&[("x.npy", &lie)], method).unwrap();
        let error = archive.array("x").unwrap_err();
        assert!(matches!(error.problem, Problem::Room { .. }), "{error}");
    }
    let absurd = npy("<f8", "(4294967296, 4294967296, 4294967296)", &[]);
    let error = parse_npy("x", &absurd, &Limits::default()).unwrap_err();
    assert!(matches!(error.problem, Problem::Limit { .. }), "{error}");
}

#[test]
fn a_bomb_meets_the_limit_or_its_own_promise() {
    let zeros = vec![0; 1 << 22];
    let kept = npy("|u1", "(4194304,)", &zeros);
    let broken = npy("|u1", "(10,)", &zeros);
    let entries: [(&str, &[u8]); 2] = [("kept.npy", &kept), ("broken.npy", &broken)];
    let mut archive = archive(&entries, CompressionMethod::Deflated).unwrap();
    archive.limits = Limits {
        array_bytes: 1 << 20,
    };
    let error = archive.array("kept").unwrap_err();
    assert!(matches!(error.problem, Problem::Limit { .. }), "{error}");
    let error = archive.array("broken").unwrap_err();
    assert_eq!(error.problem, Problem::Long { expected: 10 });
}

#[test]
fn a_wrong_checksum_is_an_error() {
    let whole = std::fs::read(fixture("stored.npz")).unwrap();
    // The bytes of the first array's values stand plain in the file.
    let at = whole
        .windows(4)
        .position(|w| w == [250, 251, 252, 253])
        .unwrap();
    let mut damaged = whole.clone();
    damaged[at] ^= 1;
    let length = damaged.len() as u64;
    let mut archive = Archive::new(
        "d".to_owned(),
        Cursor::new(damaged),
        length,
        Limits::default(),
    )
    .unwrap();
    let error = archive.array("u8").unwrap_err();
    assert!(
        matches!(error.problem, Problem::Packed(_) | Problem::Io(_)),
        "{error}"
    );
    assert!(archive.array("f64").is_ok(), "the others are whole");
}

#[test]
fn every_cut_of_a_single_array_is_an_error() {
    let whole = std::fs::read(fixture("single.npy")).unwrap();
    for n in 0..whole.len() {
        assert!(
            parse_npy("x", &whole[..n], &Limits::default()).is_err(),
            "{n}"
        );
    }
    let longer = [&whole[..], &[0]].concat();
    let error = parse_npy("x", &longer, &Limits::default()).unwrap_err();
    assert_eq!(error.problem, Problem::Long { expected: 24 });
}
