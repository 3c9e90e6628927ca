//! Columns become the archives the direct way gives, and continue where a checkpoint cut them.

use super::*;
use crate::npz::{self, Stamp, Trace, TraceValues};
use crate::source::SpikeSource;
use crate::{PopulationSpikes, Spikes};
use proptest::prelude::*;
use std::path::Path;

fn layout() -> StreamLayout {
    let trace = |population: &str, variable: &str, neurons: &[u32], every_steps| TraceLayout {
        population: population.to_owned(),
        variable: variable.to_owned(),
        unit: "mV".to_owned(),
        neurons: neurons.to_vec(),
        every_steps,
    };
    StreamLayout {
        dt_ms: 0.1,
        spikes: vec![("E".to_owned(), 800), ("I".to_owned(), 200)],
        traces: vec![
            trace("E", "v", &[3, 9], 2),
            trace("E", "w", &[3, 9], 2),
            trace("E", "v", &[5], 2),
            trace("I", "v", &[0], 1),
        ],
        ..StreamLayout::default()
    }
}

fn result_folder(path: &Path) -> ResultFolder {
    ResultFolder::create(path, true).unwrap()
}

const STEPS: [u64; 5] = [1, 1, 3, 90, 90];
const NEURONS: [u32; 5] = [5, 799, 0, 5, 6];

fn fill(parts: &mut PartFiles, from: usize, to: usize) {
    let range = from..to;
    parts
        .append_spikes(0, &STEPS[range.clone()], &NEURONS[range.clone()])
        .unwrap();
    for k in range {
        let x = k as f64;
        parts.append_trace(0, &[x, -x]).unwrap();
        parts.append_trace(1, &[2.0 * x, -2.0 * x]).unwrap();
        parts.append_trace(2, &[x]).unwrap();
        parts.append_trace(3, &[x][..]).unwrap();
        parts.append_trace(3, &[x + 0.5]).unwrap();
    }
}

#[test]
fn the_archives_are_those_written_at_once() {
    let parent = tempfile::tempdir().unwrap();
    let folder = result_folder(&parent.path().join("out"));
    let mut parts = PartFiles::create(&folder, layout()).unwrap();
    fill(&mut parts, 0, 5);
    parts.write_spikes(&folder).unwrap();
    let direct = parent.path().join("direct.npz");
    let spikes = |steps, neurons| Spikes::new(steps, neurons).unwrap();
    let populations = [
        PopulationSpikes {
            name: "E",
            size: 800,
            spikes: spikes(&STEPS, &NEURONS),
        },
        PopulationSpikes {
            name: "I",
            size: 200,
            spikes: spikes(&[], &[]),
        },
    ];
    npz::write_spikes(&direct, 0.1, &populations, Stamp::Step).unwrap();
    let bytes = |path: &Path| std::fs::read(path).unwrap();
    assert_eq!(bytes(&folder.file("spikes.npz")), bytes(&direct));

    // The dense one first; the other neurons of E in an archive of their own.
    let groups = parts.trace_groups();
    assert_eq!(groups, [vec![3], vec![0, 1], vec![2]]);
    parts.write_traces(&folder, "traces", &groups[1]).unwrap();
    let v: Vec<f64> = (0..5).flat_map(|k| [f64::from(k), -f64::from(k)]).collect();
    let w: Vec<f64> = v.iter().map(|x| 2.0 * x).collect();
    let trace = |variable, values| Trace {
        population: "E",
        variable,
        neurons: &[3, 9],
        values: TraceValues::F64(values),
    };
    let times = [0.2, 0.4, 0.6, 0.8, 1.0];
    npz::write_traces(&direct, 0.1, &times, &[trace("v", &v), trace("w", &w)]).unwrap();
    assert_eq!(bytes(&folder.file("traces.npz")), bytes(&direct));
    parts.remove().unwrap();
    assert!(!folder.file(PART_FOLDER).exists());
}

#[test]
fn cut_back_columns_continue_as_if_nothing_had_happened() {
    let parent = tempfile::tempdir().unwrap();
    let folder = result_folder(parent.path());
    let mut parts = PartFiles::create(&folder, layout()).unwrap();
    fill(&mut parts, 0, 2);
    parts.synchronise().unwrap();
    let lengths = parts.lengths();
    assert_eq!(lengths, [16, 8, 0, 0, 32, 32, 16, 32]);
    fill(&mut parts, 0, 5);
    parts.flush().unwrap();
    drop(parts);
    let mut parts = PartFiles::resume(&folder, layout(), &lengths).unwrap();
    fill(&mut parts, 2, 5);
    let mut seen = Vec::new();
    let mut sources = parts.spike_sources().unwrap();
    sources[0]
        .visit(1, 90, &mut |s| seen.extend(s.iter()))
        .unwrap();
    assert_eq!(seen, [(3, 0), (90, 5), (90, 6)]);
    sources[0].visit(90, 100, &mut |_| panic!("none")).unwrap();

    let longer: Vec<u64> = lengths.iter().map(|l| l + 8000).collect();
    let error = PartFiles::resume(&folder, layout(), &longer).unwrap_err();
    assert!(
        error.to_string().contains("the checkpoint tells of"),
        "{error}"
    );
    assert!(PartFiles::resume(&folder, layout(), &lengths[1..]).is_err());
}

#[test]
fn offsets_of_continuous_populations_are_kept() {
    let parent = tempfile::tempdir().unwrap();
    let folder = result_folder(&parent.path().join("out"));
    let layout = StreamLayout {
        continuous: vec!["I".to_owned()],
        ..layout()
    };
    let offsets: Vec<f64> = (1..=5).map(|k| 0.1 / f64::from(k)).collect();
    let mut parts = PartFiles::create(&folder, layout.clone()).unwrap();
    let append = |parts: &mut PartFiles, from: usize, to: usize| {
        for (k, size) in [(0, 800), (1, 200)] {
            let neurons: Vec<u32> = NEURONS[from..to].iter().map(|n| n % size).collect();
            parts.append_spikes(k, &STEPS[from..to], &neurons).unwrap();
            parts.append_offsets(k, &offsets[from..to]).unwrap();
        }
    };
    append(&mut parts, 0, 3);
    parts.synchronise().unwrap();
    let lengths = parts.lengths();
    assert_eq!(lengths[..5], [24, 12, 24, 12, 24]);
    append(&mut parts, 0, 5);
    drop(parts);
    let mut parts = PartFiles::resume(&folder, layout, &lengths).unwrap();
    append(&mut parts, 3, 5);
    parts.write_spikes(&folder).unwrap();
    let mut archive = npz::NpzReader::open(&folder.file("spikes.npz")).unwrap();
    assert_eq!(archive.array::<f64>("I.offset_ms").unwrap().values, offsets);
    assert!(archive.array::<f64>("E.offset_ms").is_err());
    // Who reads steps need not know.
    let read = npz::read_spikes(&folder.file("spikes.npz")).unwrap();
    assert_eq!(read.populations[1].steps, STEPS);
}

proptest! {
    /// However spikes are cut into stretches and buffers, the archive is the same.
    #[test]
    fn stretches_do_not_matter(
        mut spikes in prop::collection::vec((1_u64..5000, 0_u32..800), 0..3000),
        cuts in prop::collection::vec(0.0..1.0_f64, 0..6),
    ) {
        spikes.sort_unstable();
        let (steps, neurons): (Vec<u64>, Vec<u32>) = spikes.into_iter().unzip();
        let parent = tempfile::tempdir().unwrap();
        let folder = result_folder(&parent.path().join("out"));
        let mut parts = PartFiles::create(&folder, layout()).unwrap();
        let mut cuts: Vec<usize> =
            cuts.iter().map(|c| (c * steps.len() as f64) as usize).collect();
        cuts.extend([0, steps.len()]);
        cuts.sort_unstable();
        for ends in cuts.windows(2) {
            let (from, to) = (ends[0], ends[1]);
            parts.append_spikes(0, &steps[from..to], &neurons[from..to]).unwrap();
            if from % 2 == 0 {
                parts.flush().unwrap();
            }
        }
        parts.write_spikes(&folder).unwrap();
        let read = npz::read_spikes(&folder.file("spikes.npz")).unwrap();
        prop_assert_eq!(&read.populations[0].steps, &steps);
        prop_assert_eq!(&read.populations[0].neurons, &neurons);
        let (_, mut sources) = npz::NpzSpikes::open(&folder.file("spikes.npz")).unwrap();
        let mut window = Vec::new();
        sources[0].visit(1000, 3000, &mut |s| window.extend(s.iter())).unwrap();
        let expected: Vec<(u64, u32)> =
            Spikes::new(&steps, &neurons).unwrap().window(1000, 3000).iter().collect();
        prop_assert_eq!(&window, &expected);
        let mut from_parts = Vec::new();
        let mut part_sources = parts.spike_sources().unwrap();
        part_sources[0].visit(1000, 3000, &mut |s| from_parts.extend(s.iter())).unwrap();
        prop_assert_eq!(&from_parts, &expected);
    }
}
