//! Only neurons to which something happens.

use super::bound::{Due, HORIZON};
use super::look::fetch;

/// Which neurons have to be looked at when, because they might cross by themselves.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// Neurons to look at in step s, at s modulo the length. An entry counts only if `next` agrees.
    wheel: Vec<Vec<u32>>,
    /// By neuron: the step in which it has to be looked at; [`NEVER`] without one.
    next: Vec<u64>,
}

/// No step.
const NEVER: u64 = u64::MAX;

impl Agenda {
    /// Forgets all; for `n` neurons from now on.
    pub(super) fn begin(&mut self, n: usize) {
        self.wheel.resize_with(HORIZON + 1, Vec::new);
        self.wheel.iter_mut().for_each(Vec::clear);
        self.next.clear();
        self.next.resize(n, NEVER);
    }

    /// A neuron was looked at in `step`, and is due as said. O(1).
    #[inline(always)]
    pub(super) fn plan(&mut self, neuron: u32, step: u64, due: Due) {
        let next = &mut self.next[neuron as usize];
        match due {
            Due::Never => *next = NEVER,
            Due::After(steps) => {
                let at = step + u64::from(steps);
                // An earlier look does no harm, and a second entry costs more than it.
                if *next > step && *next <= at {
                    return;
                }
                *next = at;
                let slot = at % self.wheel.len() as u64;
                #[allow(clippy::cast_possible_truncation, reason = "below 1,025")]
                self.wheel[slot as usize].push(neuron);
            }
        }
    }

    /// Hands out the neurons that have to be looked at in `step`, in any order, possibly twice.
    pub(super) fn due(&mut self, step: u64, mut look: impl FnMut(u32)) {
        if self.wheel.is_empty() {
            return;
        }
        #[allow(clippy::cast_possible_truncation, reason = "below 1,025")]
        let slot = (step % self.wheel.len() as u64) as usize;
        for neuron in self.wheel[slot].drain(..) {
            if self.next[neuron as usize] == step {
                look(neuron);
            }
        }
    }

    /// Asks for the memory of an entry that will be needed soon.
    #[inline(always)]
    pub(super) fn ask(&self, neuron: usize) {
        fetch(self.next.as_ptr().wrapping_add(neuron));
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let lists: usize = self.wheel.iter().map(|l| l.capacity() * 4 + 24).sum();
        lists + self.next.len() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_were_replaced_do_not_count() {
        let mut agenda = Agenda::default();
        agenda.begin(3);
        agenda.plan(0, 10, Due::After(5));
        agenda.plan(1, 10, Due::After(5));
        agenda.plan(1, 11, Due::Never);
        agenda.plan(2, 10, Due::After(9));
        agenda.plan(2, 12, Due::After(3));
        // Later than what is planned: the earlier look stays.
        agenda.plan(0, 12, Due::After(100));
        let mut found = Vec::new();
        for step in 11..30 {
            agenda.due(step, |n| found.push((step, n)));
        }
        assert_eq!(found, [(15, 0), (15, 2)]);
        agenda.plan(0, 15, Due::After(1024));
        agenda.due(15, |_| panic!("not yet"));
        agenda.due(15 + 1024, |n| found.push((15 + 1024, n)));
        assert_eq!(found.last(), Some(&(1039, 0)));
    }
}
