//! Damaged and hostile files: errors, no panic, bounded memory, bounded time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a test"
)]

mod arrays;
mod damage;
mod files;
mod memory;
mod odd;
mod text;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rheobase_engine::neuron::EquationNeuron;
use rheobase_engine::port::Registry;
use rheobase_equations::lower::lower;
use rheobase_equations::parse_one;
use rheobase_formats::sonata::{Imported, Options, SonataError, load};

/// Memory is counted for the whole process, so tests that judge it run one after the other.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The neurons that templates map onto, from their texts.
fn registry() -> Registry {
    let texts = [
        (
            "iaf_psc_alpha",
            include_str!("../../../components/src/neuron/iaf_psc_alpha.rheo"),
        ),
        (
            "iaf_psc_exp",
            include_str!("../../../components/src/neuron/iaf_psc_exp.rheo"),
        ),
    ];
    let mut registry = Registry::default();
    for (name, text) in texts {
        let model = Arc::new(parse_one(text, name).unwrap());
        let neuron = EquationNeuron::new(lower(&model, None).unwrap(), None);
        registry.neurons.insert(name.to_owned(), Arc::new(neuron));
    }
    registry
}

/// What reading a network cost.
struct Outcome {
    result: Result<Imported, SonataError>,
    peak_bytes: usize,
    time: Duration,
}

/// Reads a network and counts. A panic would leave through here.
fn read(config: &Path, registry: &Registry) -> Outcome {
    let before = memory::begin();
    let begun = Instant::now();
    let result = load(config, &Options::default(), registry);
    Outcome {
        result,
        peak_bytes: memory::peak().saturating_sub(before),
        time: begun.elapsed(),
    }
}

/// Most memory that reading a network of a few kilobytes may take, whatever is done to it.
const MAX_PEAK_BYTES: usize = 64 << 20;

/// Most time.
const MAX_TIME: Duration = Duration::from_secs(5);

/// What a series of damages led to.
#[derive(Default)]
struct Tally {
    read: usize,
    refused: usize,
    peak_bytes: usize,
    longest: Duration,
}

impl Tally {
    fn add(&mut self, outcome: &Outcome, what: &dyn Fn() -> String) {
        assert!(
            outcome.peak_bytes < MAX_PEAK_BYTES,
            "{}: {} bytes",
            what(),
            outcome.peak_bytes
        );
        assert!(outcome.time < MAX_TIME, "{}: {:?}", what(), outcome.time);
        match &outcome.result {
            Ok(_) => self.read += 1,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                assert!(
                    !error.to_string().contains("stopped unexpectedly"),
                    "{}: the reader panicked: {error}",
                    what()
                );
                self.refused += 1;
            }
        }
        self.peak_bytes = self.peak_bytes.max(outcome.peak_bytes);
        self.longest = self.longest.max(outcome.time);
    }

    fn print(&self, what: &str) {
        println!(
            "{what}: {} refused, {} still readable; at most {:.1} MiB and {:.0} ms",
            self.refused,
            self.read,
            self.peak_bytes as f64 / (1 << 20) as f64,
            self.longest.as_secs_f64() * 1e3
        );
    }
}

/// The network of 300 neurons, copied to where it may be damaged.
fn shared_copy(folder: &Path) -> Option<PathBuf> {
    let data = std::env::var_os("RHEOBASE_DATA")?;
    let from = PathBuf::from(data).join("data/sonata");
    copy(&from, folder).ok()?;
    Some(folder.join("300_pointneurons/config.json"))
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::write(target, std::fs::read(entry.path())?)?;
        }
    }
    Ok(())
}
