//! Round trips, the bytes of the format, and what bad input gets.

use super::*;
use crate::{PopulationSpikes, Spikes};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn two_populations() -> Vec<(&'static str, u32, Vec<u64>, Vec<u32>)> {
    vec![
        ("E", 800, vec![1, 1, 3, 90], vec![5, 799, 0, 5]),
        ("I", 200, vec![], vec![]),
    ]
}

fn write(path: &Path, stamp: Stamp) -> Result<(), NpzError> {
    let data = two_populations();
    let populations: Vec<_> = data
        .iter()
        .map(|(name, size, steps, neurons)| PopulationSpikes {
            name,
            size: *size,
            spikes: Spikes::new(steps, neurons).unwrap(),
        })
        .collect();
    write_spikes(path, 0.1, &populations, stamp)
}

#[test]
fn spikes_come_back_with_either_stamp() {
    for stamp in [Stamp::Step, Stamp::TimeMs] {
        let folder = folder();
        let path = folder.path().join("spikes.npz");
        write(&path, stamp).unwrap();
        let read = read_spikes(&path).unwrap();
        assert_eq!(read.dt_ms, 0.1);
        let columns: Vec<_> = read
            .populations
            .iter()
            .map(|p| (p.name.as_str(), p.size, p.steps.clone(), p.neurons.clone()))
            .collect();
        assert_eq!(columns, two_populations(), "{stamp:?}");
    }
}

#[test]
fn times_are_the_decimals() {
    let folder = folder();
    let path = folder.path().join("spikes.npz");
    write(&path, Stamp::TimeMs).unwrap();
    let times = NpzReader::open(&path)
        .unwrap()
        .array::<f64>("E.time_ms")
        .unwrap();
    assert_eq!(times.values, [0.1, 0.1, 0.3, 9.0]);
}

#[test]
fn the_archive_is_what_numpy_documents() {
    let folder = folder();
    let path = folder.path().join("spikes.npz");
    write(&path, Stamp::Step).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(&bytes[..4], b"PK\x03\x04");
    assert_eq!(&bytes[8..10], &[0, 0], "method 0: stored");
    let at = |needle: &[u8]| bytes.windows(needle.len()).position(|w| w == needle);
    for name in [
        "dt_ms.npy",
        "E.size.npy",
        "E.step.npy",
        "E.neuron.npy",
        "I.neuron.npy",
    ] {
        assert!(at(name.as_bytes()).is_some(), "{name}");
    }
    // The array itself: magic, version 1.0, header length, header, little-endian data.
    let start = at(b"E.step.npy").unwrap() + "E.step.npy".len();
    let magic = start
        + bytes[start..]
            .windows(6)
            .position(|w| w == b"\x93NUMPY")
            .unwrap();
    assert_eq!(bytes[magic + 6..magic + 8], [1, 0]);
    let length = usize::from(u16::from_le_bytes([bytes[magic + 8], bytes[magic + 9]]));
    let header = std::str::from_utf8(&bytes[magic + 10..magic + 10 + length]).unwrap();
    assert!(header.contains("'descr': '<i8'"), "{header}");
    assert!(header.contains("'fortran_order': False"), "{header}");
    assert!(
        header.contains("'shape': (4,)") || header.contains("'shape': (4, )"),
        "{header}"
    );
    assert_eq!((10 + length) % 16, 0);
    let data = &bytes[magic + 10 + length..][..32];
    assert_eq!(data[..8], 1_i64.to_le_bytes());
    assert_eq!(data[24..], 90_i64.to_le_bytes());
}

#[test]
fn equal_results_give_equal_bytes() {
    let folder = folder();
    let (a, b) = (folder.path().join("a.npz"), folder.path().join("b.npz"));
    write(&a, Stamp::Step).unwrap();
    write(&b, Stamp::Step).unwrap();
    assert_eq!(std::fs::read(a).unwrap(), std::fs::read(b).unwrap());
}

#[test]
fn traces_come_back() {
    let folder = folder();
    let path = folder.path().join("traces.npz");
    let v: Vec<f32> = (0..6).map(|i| -65.0 + 0.5 * i as f32).collect();
    let w = [1.0, f64::MIN_POSITIVE, -0.0, 4.0, 5.0, 6.0];
    let traces = [
        Trace {
            population: "E",
            variable: "v",
            neurons: &[3, 9],
            values: TraceValues::F32(&v),
        },
        Trace {
            population: "E",
            variable: "w",
            neurons: &[3, 9],
            values: TraceValues::F64(&w),
        },
    ];
    write_traces(&path, 0.1, &[0.1, 0.2, 0.3], &traces).unwrap();
    let mut archive = NpzReader::open(&path).unwrap();
    assert_eq!(
        archive.names(),
        ["dt_ms", "time_ms", "E.neurons", "E.v", "E.w"]
    );
    assert_eq!(
        archive.array::<f32>("E.v").unwrap(),
        Array {
            shape: vec![3, 2],
            values: v
        }
    );
    assert_eq!(archive.array::<f64>("E.w").unwrap().values, w);
    assert_eq!(archive.array::<u32>("E.neurons").unwrap().values, [3, 9]);
    assert_eq!(
        archive.array::<f64>("time_ms").unwrap().values,
        [0.1, 0.2, 0.3]
    );
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_no_file() {
    let folder = folder();
    let path = folder.path().join("bad.npz");
    let trace = |variable, neurons, values| Trace {
        population: "E",
        variable,
        neurons,
        values: TraceValues::F64(values),
    };
    let cases: [(&[Trace<'_>], &str); 6] = [
        (&[trace("v", &[0], &[1.0])], "shape [2, 1] got 1 values"),
        (&[trace("v", &[0], &[1.0; 3])], "shape [2, 1] got 3 values"),
        (
            &[trace("v", &[0], &[1.0; 2]), trace("v", &[0], &[1.0; 2])],
            "two arrays named \"E.v\"",
        ),
        (
            &[trace("v", &[0], &[1.0; 2]), trace("w", &[1], &[1.0; 2])],
            "\"E.neurons\"",
        ),
        (&[trace("../v", &[0], &[1.0; 2])], "no slash"),
        (&[trace("v\n", &[0], &[1.0; 2])], "control character"),
    ];
    for (traces, expected) in cases {
        let message = write_traces(&path, 0.1, &[0.1, 0.2], traces)
            .unwrap_err()
            .to_string();
        assert!(message.contains(expected), "{message}");
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "{expected}"
        );
    }
}

#[test]
fn steps_beyond_the_signed_range_are_refused() {
    let folder = folder();
    let spikes = Spikes::new(&[u64::MAX], &[0]).unwrap();
    let population = PopulationSpikes {
        name: "E",
        size: 1,
        spikes,
    };
    let error = write_spikes(
        &folder.path().join("x.npz"),
        0.1,
        &[population],
        Stamp::Step,
    );
    assert!(matches!(error, Err(NpzError::Range { step: u64::MAX, .. })));
}

#[test]
fn wrong_contents_are_named() {
    let folder = folder();
    let path = folder.path().join("spikes.npz");
    let cases: [(&[i64], &[u32], &str); 4] = [
        (&[1, 2], &[0], "differ in length"),
        (&[2, 1], &[0, 0], "earlier than the one before"),
        (&[-1, 1], &[0, 0], "below zero"),
        (&[1, 2], &[0, 9], "neuron 9 in a population of 9"),
    ];
    for (steps, neurons, expected) in cases {
        let mut archive = NpzWriter::create(&path).unwrap();
        archive.scalar("dt_ms", 0.1).unwrap();
        archive.scalar("E.size", 9_u32).unwrap();
        archive
            .array("E.step", &[steps.len() as u64], steps.iter().copied())
            .unwrap();
        archive
            .array("E.neuron", &[neurons.len() as u64], neurons.iter().copied())
            .unwrap();
        archive.finish().unwrap();
        let message = read_spikes(&path).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let mut archive = NpzReader::open(&path).unwrap();
    assert!(
        matches!(
            archive.array::<f64>("E.step"),
            Err(NpzError::Content { .. })
        ),
        "type"
    );
    assert!(
        matches!(
            archive.array::<f64>("F.step"),
            Err(NpzError::Missing { .. })
        ),
        "name"
    );
}

#[test]
fn a_damaged_file_is_an_error_wherever_it_is_cut_or_flipped() {
    let folder = folder();
    let path = folder.path().join("spikes.npz");
    write(&path, Stamp::Step).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for length in (0..whole.len()).rev().step_by(3) {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(read_spikes(&path).is_err(), "cut to {length} bytes");
    }
    // Flipped bytes may go unnoticed in unused fields, but must not crash or allocate wildly.
    let (mut refused, mut tried) = (0, 0);
    for at in (0..whole.len()).step_by(3) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        std::fs::write(&path, &bytes).unwrap();
        refused += usize::from(read_spikes(&path).is_err());
        tried += 1;
    }
    assert!(refused > tried / 2, "{refused} of {tried} refused");
}

/// Two spikes of each of two batch items of three neurons, off the grid.
fn write_two_items(path: &Path, offsets_ms: Option<&[f64]>, batch: u32) -> Result<(), NpzError> {
    let events = PopulationEvents {
        spikes: PopulationSpikes {
            name: "E",
            size: 6,
            spikes: Spikes::new(&[1, 1, 3, 90], &[0, 5, 3, 2]).unwrap(),
        },
        offsets_ms,
        batch,
        n_steps: 100,
    };
    write_events(path, 0.1, &[events])
}

#[test]
fn events_come_back_and_are_spikes_for_who_knows_no_offsets() {
    let folder = folder();
    let path = folder.path().join("spikes.npz");
    let offsets_ms = [0.1, 1e-300, 0.05, f64::MIN_POSITIVE];
    write_two_items(&path, Some(&offsets_ms), 2).unwrap();
    let (dt_ms, read) = read_events(&path).unwrap();
    assert_eq!(dt_ms, 0.1);
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].offsets_ms.as_deref(), Some(&offsets_ms[..]));
    assert_eq!((read[0].batch, read[0].n_steps), (2, Some(100)));
    assert_eq!(read[0].population.neurons, [0, 5, 3, 2]);
    assert_eq!(
        read_spikes(&path).unwrap().populations[0].steps,
        [1, 1, 3, 90]
    );
    let mut archive = NpzReader::open(&path).unwrap();
    let values = archive.array::<f64>("E.offset_ms").unwrap().values;
    assert_eq!(values, offsets_ms);

    write(&path, Stamp::Step).unwrap();
    let (_, read) = read_events(&path).unwrap();
    assert_eq!(read.len(), 2);
    assert_eq!(read[0].population.steps, [1, 1, 3, 90]);
    let told = (read[0].batch, read[0].n_steps, read[0].offsets_ms.clone());
    assert_eq!(told, (1, None, None));
}

#[test]
fn wrong_events_are_named() {
    let folder = folder();
    let path = folder.path().join("spikes.npz");
    let short = write_two_items(&path, Some(&[0.1]), 1).unwrap_err();
    assert!(short.to_string().contains("got 1 values"), "{short}");
    let cases: [(&[f64], u32, &str); 7] = [
        (&[0.1, 0.1, 0.0, 0.1], 1, "an offset of 0 ms"),
        (&[0.1, -0.1, 0.1, 0.1], 1, "an offset of -0.1 ms"),
        (&[0.1, 0.1, 0.1, 0.2], 1, "an offset of 0.2 ms"),
        (&[f64::NAN, 0.1, 0.1, 0.1], 1, "an offset of NaN ms"),
        (&[f64::INFINITY, 0.1, 0.1, 0.1], 1, "an offset of inf ms"),
        (&[0.1; 4], 0, "0 batch items in 6 lanes"),
        (&[0.1; 4], 4, "4 batch items in 6 lanes"),
    ];
    for (offsets_ms, batch, expected) in cases {
        write_two_items(&path, Some(offsets_ms), batch).unwrap();
        let message = read_events(&path).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    write_two_items(&path, Some(&[0.1; 4]), 2).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(read_events(&path).is_err(), "cut to {length} bytes");
    }
}
