//! Files cut short, bits turned over, values replaced, files missing.

use std::fs;

use crate::files::{self, HDF5_FILES, Spelling, TEXT_FILES};
use crate::{Tally, alone, read, registry, shared_copy};

/// A generator for places of damage, the same in every run.
struct Places(u64);

impl Places {
    fn below(&mut self, n: usize) -> usize {
        // The multiplier and increment of Knuth's MMIX; high bits are used.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

#[test]
fn files_cut_short_at_every_percent() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let config = files::write(folder.path(), Spelling::New);
    let registry = registry();
    assert!(read(&config, &registry).result.is_ok());
    let mut tally = Tally::default();
    for name in HDF5_FILES {
        let path = folder.path().join(name);
        let whole = fs::read(&path).unwrap();
        for percent in 0..100 {
            fs::write(&path, &whole[..whole.len() * percent / 100]).unwrap();
            let outcome = read(&config, &registry);
            assert!(outcome.result.is_err(), "{name} at {percent} %");
            tally.add(&outcome, &|| format!("{name} at {percent} %"));
        }
        fs::write(&path, whole).unwrap();
    }
    tally.print("cut short");
}

#[test]
fn the_published_files_cut_short_at_every_percent() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let Some(config) = shared_copy(folder.path()) else {
        println!("skipped 1 test: the published files are not there (set RHEOBASE_DATA)");
        return;
    };
    let registry = registry();
    assert!(read(&config, &registry).result.is_ok());
    let root = config.parent().unwrap();
    let mut tally = Tally::default();
    for name in [
        "network/internal_nodes.h5",
        "network/external_nodes.h5",
        "network/internal_internal_edges.h5",
        "network/external_internal_edges.h5",
        "inputs/external_spike_trains.h5",
    ] {
        let path = root.join(name);
        let whole = fs::read(&path).unwrap();
        for percent in 0..100 {
            fs::write(&path, &whole[..whole.len() * percent / 100]).unwrap();
            // What lies at the end of a file may be what is not read: indices of edges, places.
            tally.add(&read(&config, &registry), &|| {
                format!("{name} at {percent} %")
            });
        }
        fs::write(&path, whole).unwrap();
    }
    tally.print("published files cut short");
    assert!(tally.refused > 250, "most of them matter");
}

#[test]
fn ten_thousand_bits_turned_over() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let config = files::write(folder.path(), Spelling::New);
    let registry = registry();
    let mut places = Places(1);
    let mut tally = Tally::default();
    for name in HDF5_FILES {
        let path = folder.path().join(name);
        let whole = fs::read(&path).unwrap();
        for _ in 0..2000 {
            let (at, bit) = (places.below(whole.len()), places.below(8));
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            fs::write(&path, damaged).unwrap();
            tally.add(&read(&config, &registry), &|| {
                format!("{name}, byte {at}, bit {bit}")
            });
        }
        fs::write(&path, whole).unwrap();
    }
    tally.print("one bit turned over");
}

#[test]
fn bits_of_the_published_files_turned_over() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let Some(config) = shared_copy(folder.path()) else {
        println!("skipped 1 test: the published files are not there (set RHEOBASE_DATA)");
        return;
    };
    let registry = registry();
    let root = config.parent().unwrap();
    let mut places = Places(2);
    let mut tally = Tally::default();
    // Their headers have no checksums: what is turned over is taken at its word. The first
    // kilobytes hold the superblock, groups and headers.
    for (name, headers) in [
        ("network/external_nodes.h5", 8216),
        ("network/internal_nodes.h5", 6000),
        ("inputs/external_spike_trains.h5", 4000),
        ("network/external_internal_edges.h5", 6000),
    ] {
        let path = root.join(name);
        let whole = fs::read(&path).unwrap();
        for _ in 0..500 {
            let (at, bit) = (places.below(headers), places.below(8));
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            fs::write(&path, damaged).unwrap();
            tally.add(&read(&config, &registry), &|| {
                format!("{name}, byte {at}, bit {bit}")
            });
        }
        fs::write(&path, whole).unwrap();
    }
    tally.print("one bit of a published header turned over");
}

#[test]
fn lengths_replaced_by_absurd_ones() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let Some(config) = shared_copy(folder.path()) else {
        println!("skipped 1 test: the published files are not there (set RHEOBASE_DATA)");
        return;
    };
    let registry = registry();
    let root = config.parent().unwrap();
    let mut tally = Tally::default();
    for (name, length) in [
        ("network/external_nodes.h5", 100_u64),
        ("network/internal_nodes.h5", 300),
        ("network/external_internal_edges.h5", 20_844),
        ("inputs/external_spike_trains.h5", 4334),
    ] {
        let path = root.join(name);
        let whole = fs::read(&path).unwrap();
        let places: Vec<usize> = (0..8000.min(whole.len() - 8))
            .filter(|&i| whole[i..i + 8] == length.to_le_bytes())
            .collect();
        assert!(!places.is_empty(), "{name} holds its length");
        for &at in &places {
            for absurd in [0, length + 1, 1 << 20, 1 << 32, 1 << 45, 1 << 61, u64::MAX] {
                let mut damaged = whole.clone();
                damaged[at..at + 8].copy_from_slice(&absurd.to_le_bytes());
                fs::write(&path, damaged).unwrap();
                tally.add(&read(&config, &registry), &|| {
                    format!("{name}, {absurd} at {at}")
                });
            }
        }
        fs::write(&path, whole).unwrap();
    }
    tally.print("absurd lengths");
    assert!(tally.refused > 0);
}

#[test]
fn missing_files_are_named() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let config = files::write(folder.path(), Spelling::New);
    let registry = registry();
    for name in HDF5_FILES.iter().chain(&TEXT_FILES) {
        let path = folder.path().join(name);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let error = read(&config, &registry).result.err().unwrap().to_string();
        assert!(
            error.contains(name.rsplit('/').next().unwrap()),
            "{name}: {error}"
        );
        // A folder in the place of a file.
        fs::create_dir(&path).unwrap();
        assert!(read(&config, &registry).result.is_err(), "{name}");
        fs::remove_dir(&path).unwrap();
        fs::write(&path, whole).unwrap();
    }
    assert!(read(&config, &registry).result.is_ok());
}
