//! What a run was: the object `rheobase run --json` prints and `run.json` holds.

use crate::statistics::Statistics;
use crate::{FileError, ResultFolder};
use serde::{Deserialize, Serialize};
use std::fs;

/// Precision of the simulated state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision, the default.
    F32,
    /// Double precision.
    F64,
}

/// How the update of a population is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kernel {
    /// Compiled with the program.
    Native,
    /// As modes of a linear system.
    Modes,
    /// By the block interpreter, for models known only at run time.
    Block,
    /// By a neuron written in Rust.
    Rust,
    /// By a shader on a device.
    Wgsl,
}

/// How a population advances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Every neuron at every step.
    Dense,
    /// Only neurons an event concerns, on the same grid.
    Sparse,
    /// In continuous time, from event to event.
    Exact,
}

/// How the state of a population is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arithmetic {
    /// One propagator per step.
    Stepwise,
    /// As amplitudes of modes at the beginning of an epoch, evaluated from a table of powers.
    Anchored,
}

/// How a population in anchored arithmetic was advanced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdvanceRecord {
    /// Neuron-steps in which a neuron was looked at.
    pub neuron_steps_executed: u64,
    /// Neuron-steps in which it was not.
    pub neuron_steps_skipped: u64,
    /// Bytes of amplitudes, tables and what is planned.
    pub state_bytes: u64,
    /// Changes of mode; every shard chooses for itself.
    pub n_switches: u64,
    /// The first of them.
    pub switches: Vec<SwitchRecord>,
}

/// A change of mode.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SwitchRecord {
    /// The first step in the new mode.
    pub step: u64,
    /// The new mode.
    pub mode: Mode,
    /// Cost of a dense step \[ns\].
    pub dense_ns: f64,
    /// Cost of a sparse step \[ns\], measured or predicted.
    pub sparse_ns: f64,
}

/// One population of a run. The first six fields are those `--json` promises; the others say how
/// it was computed and are left out where unknown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PopulationRecord {
    /// Name.
    pub name: String,
    /// Number of neurons.
    pub size: u32,
    /// Spikes in the window of the statistics (the run without what was discarded).
    pub spikes: u64,
    /// Mean rate per neuron in that window \[Hz\].
    pub rate_hz: f64,
    /// Mean CV of the inter-spike intervals; `null` where no neuron fired three times.
    pub cv_isi: Option<f64>,
    /// Variance over mean of the spike counts in 3 ms bins; `null` without spikes.
    pub synchrony: Option<f64>,
    /// Name of the neuron model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// How the population advanced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// How its state was evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arithmetic: Option<Arithmetic>,
    /// Why it was evaluated so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arithmetic_reason: Option<String>,
    /// What was looked at and what was skipped, where there was a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advance: Option<AdvanceRecord>,
    /// The integrator chosen, by its name in the component language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrator: Option<String>,
    /// How the update was executed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Kernel>,
    /// State variables per neuron.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_dim: Option<u32>,
    /// In continuous time: "exact" or "adaptive", and what had to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continuous: Option<ContinuousRecord>,
}

/// What a population in continuous time had to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContinuousRecord {
    /// How time passes: "exact" or "adaptive".
    pub time: String,
    /// Synaptic events delivered to it.
    pub events: u64,
    /// Spikes it emitted.
    pub spikes: u64,
    /// Next crossings of the threshold that were solved for.
    pub predictions: u64,
    /// Those among them where a peak came so close to the threshold that rounding decides.
    pub grazing: u64,
    /// Bytes of a neuron at rest.
    pub bytes_per_neuron: u64,
    /// Bytes of a spike on its way along the synapses of an edge onto one shard.
    pub bytes_per_event: u64,
}

impl PopulationRecord {
    /// A record with the statistics of a population, its computation not yet described.
    #[must_use]
    pub fn new(name: &str, statistics: &Statistics) -> Self {
        Self {
            name: name.to_owned(),
            size: statistics.n,
            spikes: statistics.spikes,
            rate_hz: statistics.rate_hz,
            cv_isi: statistics.cv_isi,
            synchrony: statistics.synchrony,
            component: None,
            mode: None,
            arithmetic: None,
            arithmetic_reason: None,
            advance: None,
            integrator: None,
            kernel: None,
            state_dim: None,
            continuous: None,
        }
    }
}

/// The machine a run was made on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Model of the processor; empty where it cannot be told.
    pub cpu: String,
    /// Logical cores available to the process.
    pub cores: u32,
    /// Operating system: "linux", "macos", "windows", …
    pub os: String,
    /// Instruction set: "`x86_64`", "aarch64", …
    pub arch: String,
}

impl Machine {
    /// Looks at the machine this runs on.
    #[must_use]
    pub fn detect() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            cpu: fs::read_to_string("/proc/cpuinfo")
                .ok()
                .and_then(|text| cpu_model(&text))
                .unwrap_or_default(),
            cores: u32::try_from(cores).unwrap_or(u32::MAX),
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
        }
    }
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    let field = |key: &str| {
        let line = cpuinfo.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    field("model name").or_else(|| field("Model"))
}

/// Largest resident memory of this process so far \[bytes\], from the kernel's count (`VmHWM`).
/// 0 where the system does not tell (anything but Linux).
#[must_use]
pub fn peak_rss_bytes() -> u64 {
    fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|text| high_water_mark(&text))
        .unwrap_or(0)
}

fn high_water_mark(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// Wall time per biological time, as NEST counts it: 0.5 is twice as fast as real time. 0 where
/// no biological time passed.
#[must_use]
pub fn real_time_factor(simulation_s: f64, biological_s: f64) -> f64 {
    if biological_s > 0.0 {
        simulation_s / biological_s
    } else {
        0.0
    }
}

/// The durations of a run.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Timings {
    /// Simulated time \[s\].
    pub biological_s: f64,
    /// Wall time of building the network \[s\].
    pub build_s: f64,
    /// Wall time of advancing it \[s\].
    pub simulation_s: f64,
}

/// One run, as `rheobase run --json` prints it and `run.json` keeps it. The fields down to
/// `populations` are a promise; those behind it describe the run further.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Simulated time, all of it \[s\].
    pub biological_s: f64,
    /// Wall time of building the network \[s\].
    pub build_s: f64,
    /// Wall time of advancing it by `biological_s` \[s\].
    pub simulation_s: f64,
    /// `simulation_s / biological_s`: below 1 is faster than real time.
    pub real_time_factor: f64,
    /// Largest resident memory of the process \[bytes\]; 0 where the system does not tell.
    pub peak_rss_bytes: u64,
    /// Neurons in the network.
    pub neurons: u64,
    /// Synapses in the network.
    pub synapses: u64,
    /// Spikes emitted by neurons during the whole run, discarded time included.
    pub spikes: u64,
    /// Spikes delivered to synapses during the whole run.
    pub synaptic_events: u64,
    /// Worker threads.
    pub threads: u32,
    /// Seed of every random draw.
    pub seed: u64,
    /// Precision of the state.
    pub precision: Precision,
    /// Backend that advanced the network: `cpu`, `gpu`, or `gpu, then cpu` where the device failed.
    pub backend: String,
    /// The populations, in the order of the description.
    pub populations: Vec<PopulationRecord>,
    /// Version of Rheobase.
    pub version: String,
    /// Time step \[ms\].
    pub dt_ms: f64,
    /// Time from the start left out of the statistics \[s\].
    pub discard_s: f64,
    /// Whether the run was stopped before its end.
    pub interrupted: bool,
    /// Drawn, distance-based or imported delays that were rounded to the grid.
    pub rounded_delays: u64,
    /// Drawn, distance-based or imported delays that were raised to one step, the least an edge
    /// on a cycle may have.
    #[serde(default)]
    pub raised_delays: u64,
    /// Memory that the synapses take \[bytes\]; 0 where unknown.
    #[serde(default)]
    pub synapse_bytes: u64,
    /// Where weights are quantised: projections, and how far a weight may be from the drawn one:
    /// `["E -> I (projections[2])", "0.0026 pA"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weight_errors: Vec<(String, String)>,
    /// Hash of the final states and of all spikes in order, in hexadecimal digits: equal for equal
    /// bits, whatever the number of threads.
    #[serde(default)]
    pub fingerprint: String,
    /// Parameters of the description with their values, in its order: `["w", "87.8 pA"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<(String, String)>,
    /// Biological times at which the run was continued from a checkpoint \[s\].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed_s: Vec<f64>,
    /// Why it ran on that backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_reason: Option<String>,
    /// What happened on a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceRecord>,
    /// Where it ran.
    pub machine: Machine,
}

/// What happened on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRecord {
    /// Its adapter.
    pub adapter: String,
    /// Submissions.
    pub submissions: u64,
    /// Steps.
    pub steps: u64,
    /// Bytes read back: spikes, their number, traces.
    pub bytes_read: u64,
    /// Bytes of spikes of the processor that were uploaded.
    pub bytes_written: u64,
    /// Bytes of states that moved, either way.
    pub state_bytes: u64,
    /// Populations that stayed on the processor, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_processor: Vec<(String, String)>,
}

impl RunRecord {
    /// A record of `populations` on this machine, at this moment: the real-time factor follows
    /// from `timings`, peak memory and machine are looked up. `seed`, precision and counts of a
    /// run are the caller's to fill in.
    #[must_use]
    pub fn new(timings: Timings, dt_ms: f64, populations: Vec<PopulationRecord>) -> Self {
        let Timings {
            biological_s,
            build_s,
            simulation_s,
        } = timings;
        Self {
            biological_s,
            build_s,
            simulation_s,
            real_time_factor: real_time_factor(simulation_s, biological_s),
            peak_rss_bytes: peak_rss_bytes(),
            neurons: populations.iter().map(|p| u64::from(p.size)).sum(),
            synapses: 0,
            spikes: populations.iter().map(|p| p.spikes).sum(),
            synaptic_events: 0,
            threads: 1,
            seed: 0,
            precision: Precision::F32,
            backend: "cpu".to_owned(),
            populations,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            dt_ms,
            discard_s: 0.0,
            interrupted: false,
            backend_reason: None,
            device: None,
            rounded_delays: 0,
            raised_delays: 0,
            synapse_bytes: 0,
            weight_errors: Vec::new(),
            fingerprint: String::new(),
            parameters: Vec::new(),
            resumed_s: Vec::new(),
            machine: Machine::detect(),
        }
    }

    /// The object on one line, as `--json` prints it. Numbers that are not finite become `null`.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The object as people read it, with a newline at the end.
    #[must_use]
    pub fn to_json_pretty(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Writes `run.json` into the folder, atomically.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, folder: &ResultFolder) -> Result<(), FileError> {
        folder
            .write("run.json", self.to_json_pretty().as_bytes())
            .map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn record() -> RunRecord {
        let statistics = Statistics {
            n: 80,
            spikes: 400,
            window_s: 0.5,
            rate_hz: 10.0,
            cv_isi: Some(0.75),
            synchrony: None,
        };
        let timings = Timings {
            biological_s: 2.0,
            build_s: 0.25,
            simulation_s: 0.5,
        };
        let mut population = PopulationRecord::new("E", &statistics);
        population.kernel = Some(Kernel::Native);
        population.integrator = Some("exact".to_owned());
        RunRecord {
            seed: u64::MAX,
            ..RunRecord::new(timings, 0.1, vec![population])
        }
    }

    #[test]
    fn the_promised_fields_are_there_in_order() {
        let object: Value = serde_json::from_str(&record().to_json()).unwrap();
        let keys: Vec<&str> = object
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            keys[..14],
            [
                "biological_s",
                "build_s",
                "simulation_s",
                "real_time_factor",
                "peak_rss_bytes",
                "neurons",
                "synapses",
                "spikes",
                "synaptic_events",
                "threads",
                "seed",
                "precision",
                "backend",
                "populations",
            ]
        );
        let population = object["populations"][0].as_object().unwrap();
        let keys: Vec<&str> = population.keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            [
                "name",
                "size",
                "spikes",
                "rate_hz",
                "cv_isi",
                "synchrony",
                "integrator",
                "kernel"
            ]
        );
        assert_eq!(population["synchrony"], Value::Null);
        assert_eq!(population["kernel"], "native");
        assert_eq!(object["real_time_factor"], 0.25);
        assert_eq!(object["precision"], "f32");
        assert_eq!(object["seed"], u64::MAX);
        assert!(!record().to_json().contains('\n'), "one line");
    }

    #[test]
    fn run_json_comes_back() {
        let parent = tempfile::tempdir().unwrap();
        let folder = ResultFolder::create(&parent.path().join("out"), false).unwrap();
        let written = record();
        written.write(&folder).unwrap();
        let text = fs::read_to_string(folder.file("run.json")).unwrap();
        assert!(text.ends_with("}\n"));
        assert_eq!(serde_json::from_str::<RunRecord>(&text).unwrap(), written);
    }

    #[test]
    fn the_system_files_are_understood() {
        let status = "Name:\tx\nVmPeak:\t  999 kB\nVmHWM:\t  1234 kB\nVmRSS:\t 7 kB\n";
        assert_eq!(high_water_mark(status), Some(1234 * 1024));
        assert_eq!(high_water_mark("VmHWM:\t many kB\n"), None);
        let cpuinfo = "processor\t: 0\nmodel\t\t: 1\nmodel name\t: Some CPU @ 2 GHz\n";
        assert_eq!(cpu_model(cpuinfo).as_deref(), Some("Some CPU @ 2 GHz"));
        assert_eq!(cpu_model("processor : 0\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn peak_memory_sees_an_allocation() {
        let size = 64 << 20;
        let mut block = vec![1_u8; size];
        std::hint::black_box(&mut block);
        assert!(peak_rss_bytes() >= size as u64);
    }

    #[test]
    fn no_time_gives_no_factor() {
        assert_eq!(real_time_factor(1.0, 0.0), 0.0);
        assert_eq!(real_time_factor(3.0, 2.0), 1.5);
    }
}
