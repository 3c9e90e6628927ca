//! How many synaptic events arrive, counted from the spikes that cause them.

use std::collections::VecDeque;

use super::synapses::Fanout;

/// Events of a circuit.
pub(super) struct Events {
    fanout: Fanout,
    /// Those that arrive in the steps to come, from the next one on.
    due: VecDeque<u64>,
    arrived: u64,
}

impl Events {
    pub(super) fn new(fanout: Fanout) -> Self {
        Self {
            fanout,
            due: VecDeque::new(),
            arrived: 0,
        }
    }

    /// Counts the events of a spike at the `k`-th step from the next on.
    pub(super) fn count(&mut self, k: u64, lane: u32) {
        for &(delay, n) in self.fanout.of(lane) {
            add(&mut self.due, k + u64::from(delay), n);
        }
    }

    /// Counts the events of a spike `ago` steps before the last one, as far as they are still to come.
    pub(super) fn count_past(&mut self, ago: u64, lane: u32) {
        for &(delay, n) in self.fanout.of(lane) {
            if let Some(at) = u64::from(delay).checked_sub(ago + 1) {
                add(&mut self.due, at, n);
            }
        }
    }

    /// So many steps have passed.
    pub(super) fn advance(&mut self, steps: usize) {
        let passed = self.due.drain(..steps.min(self.due.len()));
        self.arrived += passed.sum::<u64>();
    }

    /// Nothing is under way any more.
    pub(super) fn clear(&mut self) {
        self.due.clear();
    }

    /// Events that have arrived since the last call.
    pub(super) fn take(&mut self) -> u64 {
        std::mem::take(&mut self.arrived)
    }
}

fn add(due: &mut VecDeque<u64>, at: u64, n: u32) {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    if due.len() <= at {
        due.resize(at + 1, 0);
    }
    due[at] += u64::from(n);
}
