//! Objects that a reader must refuse, and forms it must read: `fixtures/odd.h5`, made by
//! `fixtures/make.py`; types nested beyond reason.

use std::path::Path;
use std::sync::Arc;

use hdf5_pure::{Datatype, FileBuilder, make_u8_type};
use rheobase_formats::hdf5::{self, Hdf5Error, Limits, Problem};

use crate::{alone, memory};

fn odd<T: Send>(
    job: impl FnOnce(&hdf5::File) -> Result<T, Hdf5Error> + Send,
) -> Result<T, Hdf5Error> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/fixtures/odd.h5");
    hdf5::read(&path, &Limits::default(), job)
}

fn refused(name: &str) -> Problem {
    let object = format!("/g/{name}");
    let error = odd(|file| {
        let dataset = file.dataset(&object)?;
        let n = dataset.length()?;
        dataset.floats(0..n).map(|_| ())
    })
    .unwrap_err();
    assert!(error.file.ends_with("odd.h5"));
    assert_eq!(error.object, object, "{error}");
    error.problem
}

#[test]
fn links_out_of_the_file_and_in_circles_lead_nowhere() {
    let _alone = alone();
    for name in ["external", "soft", "soft_a", "external/x", "absent"] {
        assert_eq!(refused(name), Problem::Missing, "{name}");
    }
    assert_eq!(refused("itself"), Problem::NotA("dataset"));
    // A group that holds itself: a path may go round, but not for ever.
    let path = |n: usize| format!("/g{}", "/itself".repeat(n));
    assert!(
        odd(|f| f.groups(&path(10)))
            .unwrap()
            .contains(&"itself".to_owned())
    );
    let error = odd(|f| f.groups(&path(1000))).unwrap_err();
    assert!(matches!(error.problem, Problem::Limit { .. }), "{error}");
}

#[test]
fn data_in_other_files_is_refused() {
    let _alone = alone();
    for name in ["stored_elsewhere", "virtual"] {
        let problem = refused(name);
        assert!(matches!(problem, Problem::Refused(_)), "{name}: {problem}");
    }
}

#[test]
fn shapes_that_promise_too_much_are_refused_before_memory_is_taken() {
    let _alone = alone();
    for name in ["unallocated", "many_chunks", "fill"] {
        let before = memory::begin();
        let problem = refused(name);
        assert!(
            matches!(problem, Problem::Limit { .. }),
            "{name}: {problem}"
        );
        let taken = memory::peak() - before;
        assert!(taken < 2 << 20, "{name}: {taken} bytes");
    }
}

#[test]
fn other_types_and_shapes_are_named() {
    let _alone = alone();
    for name in ["compound", "half"] {
        let problem = refused(name);
        assert!(matches!(problem, Problem::Type { .. }), "{name}: {problem}");
    }
    for name in ["rank_3", "scalar"] {
        let problem = refused(name);
        assert!(
            matches!(problem, Problem::Shape { .. }),
            "{name}: {problem}"
        );
    }
    assert!(matches!(
        refused("not_finite"),
        Problem::Value { index: 1, .. }
    ));
    assert!(matches!(refused("scaled"), Problem::Refused(_)));
    let negative = odd(|f| f.dataset("/g/signed")?.integers(0..2)).unwrap_err();
    assert_eq!(
        negative.to_string().rsplit(", ").next(),
        Some("expected 0 or above")
    );
    let beyond = odd(|f| f.dataset("/g/signed")?.integers(1..3)).unwrap_err();
    assert!(matches!(beyond.problem, Problem::Shape { .. }));
    let text = odd(|f| f.dataset("/g/signed")?.strings()).unwrap_err();
    assert!(matches!(text.problem, Problem::Type { .. }));
}

#[test]
fn every_usual_form_is_read() {
    let _alone = alone();
    let integers = |name: &'static str, range| odd(move |f| f.dataset(name)?.integers(range));
    assert_eq!(integers("/g/big_endian", 0..3).unwrap(), [1, 2, 70_000]);
    assert_eq!(
        integers("/g/shuffled", 250..260).unwrap(),
        (250..260).collect::<Vec<u64>>()
    );
    assert_eq!(
        integers("/g/lzf", 0..3000).unwrap(),
        (0..3000).collect::<Vec<u64>>()
    );
    assert_eq!(integers("/g/signed", 0..1).unwrap(), [1]);
    let floats = odd(|f| f.dataset("/g/big_endian")?.floats(1..3)).unwrap();
    assert_eq!(floats, [2.0, 70_000.0]);
    let strings = |name: &'static str| odd(move |f| f.dataset(name)?.strings());
    assert_eq!(strings("/g/text").unwrap(), ["a", "bc"]);
    assert_eq!(strings("/g/fixed_text").unwrap(), ["ab", "c"]);
    let units = odd(|f| f.dataset("/g/shuffled")?.text_attribute("units")).unwrap();
    assert_eq!(units.as_deref(), Some("ms"));
    let none = odd(|f| f.dataset("/g/shuffled")?.text_attribute("other")).unwrap();
    assert_eq!(none, None);
}

/// A type of `depth` lists within lists. A file can hold some eight thousand levels.
fn nested(depth: usize) -> Arc<[u8]> {
    let mut datatype = make_u8_type();
    for _ in 0..depth {
        datatype = Datatype::VariableLength {
            is_string: false,
            padding: None,
            charset: None,
            base_type: Box::new(datatype),
        };
    }
    let mut file = FileBuilder::new();
    file.create_dataset("d")
        .with_raw_data(datatype, vec![0; 16], 1);
    file.finish().unwrap().into()
}

#[test]
fn deeply_nested_types_do_not_exhaust_the_stack() {
    let _alone = alone();
    for depth in [10, 1000, 8000] {
        // The writer recurses too: on a stack of its own.
        let make = std::thread::Builder::new().stack_size(256 << 20);
        let bytes = make.spawn(move || nested(depth)).unwrap().join().unwrap();
        let result = hdf5::read_bytes("nested.h5", bytes, &Limits::default(), |file| {
            let dataset = file.dataset("/d")?;
            dataset.floats(0..1)
        });
        let problem = result.unwrap_err().problem;
        assert!(
            matches!(problem, Problem::Type { .. }),
            "{depth}: {problem}"
        );
    }
}

#[test]
fn what_is_no_hdf5_is_an_error() {
    let _alone = alone();
    for bytes in [
        &b""[..],
        b"x",
        b"\x89HDF\r\n\x1a\n",
        &[0; 4096],
        &[0xff; 4096],
    ] {
        let result = hdf5::read_bytes("x.h5", bytes.into(), &Limits::default(), |file| {
            file.groups("/").map(|_| ())
        });
        assert!(result.is_err());
    }
    let small = Limits {
        file_bytes: 10,
        ..Limits::default()
    };
    let error = hdf5::read_bytes("x.h5", nested(1), &small, |f| f.groups("/")).unwrap_err();
    assert!(matches!(error.problem, Problem::Limit { .. }), "{error}");
}
