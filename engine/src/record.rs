//! What a run leaves behind: spikes, traces, counts.

use crate::anchored::ModeReport;
use crate::plan::NodeId;

/// Spikes of a node: sorted by (step, neuron), those of a neuron by time.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Spikes {
    /// Step indices; the time of a spike is step · dt, or (step − 1) · dt + offset.
    pub steps: Vec<u64>,
    /// Neurons (lanes, where there is a batch).
    pub neurons: Vec<u32>,
    /// Of populations in continuous time: the offset of each spike from the beginning of its step,
    /// in (0, dt] \[ms\]. Empty for nodes on the grid.
    pub offsets_ms: Vec<f64>,
}

impl Spikes {
    /// Number of spikes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Drops what comes after step `last`.
    pub fn truncate(&mut self, last: u64) {
        let n = self.steps.partition_point(|&s| s <= last);
        self.steps.truncate(n);
        self.neurons.truncate(n);
        self.offsets_ms.truncate(n);
    }

    /// No spikes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Merges the records of shards (each sorted, shard k's lanes below shard k + 1's).
    #[must_use]
    pub fn merge(shards: &[Self]) -> Self {
        if let [one] = shards {
            return one.clone();
        }
        let mut merged = Self::default();
        let mut cursors = vec![0; shards.len()];
        loop {
            let next = shards
                .iter()
                .zip(&cursors)
                .filter_map(|(s, &c)| s.steps.get(c))
                .min();
            let Some(&step) = next else { return merged };
            for (shard, cursor) in shards.iter().zip(&mut cursors) {
                while shard.steps.get(*cursor) == Some(&step) {
                    merged.steps.push(step);
                    merged.neurons.push(shard.neurons[*cursor]);
                    merged.offsets_ms.extend(shard.offsets_ms.get(*cursor));
                    *cursor += 1;
                }
            }
        }
    }
}

/// State variables of some neurons over time.
#[derive(Clone, PartialEq, Debug)]
pub struct Trace {
    /// Place of the monitor in the plan.
    pub monitor: usize,
    /// The population.
    pub node: NodeId,
    /// Name of the variable.
    pub variable: String,
    /// Unit.
    pub unit: String,
    /// Neurons, ascending: the columns. With a batch, lanes: neuron n of copy c is c · size + n.
    pub neurons: Vec<u32>,
    /// Step indices: the rows. The value is that after the step, reset included.
    pub steps: Vec<u64>,
    /// `[steps, neurons]`, in the unit given.
    pub values: Vec<f64>,
}

impl Trace {
    /// Drops what comes after step `last`.
    pub fn truncate(&mut self, last: u64) {
        let n = self.steps.partition_point(|&s| s <= last);
        self.steps.truncate(n);
        self.values.truncate(n * self.neurons.len());
    }
}

/// What one actor recorded and counted.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// The node.
    pub node: NodeId,
    /// Spikes, if they were recorded.
    pub spikes: Option<Spikes>,
    /// Traces.
    pub traces: Vec<Trace>,
    /// Spikes emitted, recorded or not.
    pub n_spikes: u64,
    /// Synaptic events delivered.
    pub synaptic_events: u64,
    /// How a population was advanced, if there was a choice.
    pub modes: Option<ModeReport>,
    /// Of populations in continuous time.
    pub exact: Option<ExactCounts>,
    /// Of populations on a device.
    pub device: Option<DeviceCounts>,
}

/// What a circuit on a device did and what moved between it and the processor, once it was built.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DeviceCounts {
    /// Submissions that advanced it.
    pub submissions: u64,
    /// Steps.
    pub steps: u64,
    /// Spikes of its populations.
    pub spikes: u64,
    /// Bytes read back: spikes, their number, traces.
    pub bytes_read: u64,
    /// Bytes of spikes of the processor that were uploaded.
    pub bytes_written: u64,
    /// Bytes of states, either way.
    pub state_bytes: u64,
    /// Nanoseconds of kernels that advance populations; these are 0 unless they are measured.
    pub advance_ns: u64,
    /// Nanoseconds of the kernel that lists spikes.
    pub list_ns: u64,
    /// Nanoseconds of kernels that deliver them.
    pub deliver_ns: u64,
}

impl std::ops::AddAssign for DeviceCounts {
    fn add_assign(&mut self, other: Self) {
        self.submissions += other.submissions;
        self.steps += other.steps;
        self.spikes += other.spikes;
        self.bytes_read += other.bytes_read;
        self.bytes_written += other.bytes_written;
        self.state_bytes += other.state_bytes;
        self.advance_ns += other.advance_ns;
        self.list_ns += other.list_ns;
        self.deliver_ns += other.deliver_ns;
    }
}

/// What a population in continuous time had to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ExactCounts {
    /// Synaptic events delivered.
    pub events: u64,
    /// Spikes.
    pub spikes: u64,
    /// Next crossings of the threshold that were solved for: a cost, not a result. It depends on where a
    /// run is cut.
    pub predictions: u64,
    /// Those among them where a peak came so close to the threshold that rounding decides, whether or
    /// not input came before.
    pub grazing: u64,
}

impl std::ops::AddAssign for ExactCounts {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.spikes += other.spikes;
        self.predictions += other.predictions;
        self.grazing += other.grazing;
    }
}
