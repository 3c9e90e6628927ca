//! Which neurons a sparse step has to look at although nothing reaches them.

use super::bound::{Due, HORIZON};

/// Slots of the wheel: one more than steps are looked ahead.
const SLOTS: u64 = HORIZON as u64 + 1;

/// Neurons that might cross their threshold by themselves, and when they have to be looked at.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// Neurons to look at in step s, at s modulo the length. An entry counts only if `planned` agrees.
    wheel: Vec<Vec<u32>>,
    /// By neuron: one more than the slot in which it is to be looked at; 0 without one.
    planned: Vec<u16>,
}

impl Agenda {
    /// Forgets all; for `n` neurons from now on.
    pub(super) fn begin(&mut self, n: usize) {
        #[allow(clippy::cast_possible_truncation, reason = "1,025")]
        self.wheel.resize_with(SLOTS as usize, Vec::new);
        self.wheel.iter_mut().for_each(Vec::clear);
        self.planned.clear();
        self.planned.resize(n, 0);
    }

    /// Whether a neuron will be looked at.
    #[inline(always)]
    pub(super) fn has(&self, neuron: u32) -> bool {
        self.planned[neuron as usize] != 0
    }

    /// A neuron was looked at in `step`, and is due as said. O(1).
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "at most 1,025")]
    pub(super) fn plan(&mut self, neuron: u32, step: u64, due: Due) {
        let planned = &mut self.planned[neuron as usize];
        match due {
            Due::Never => *planned = 0,
            Due::After(steps) => {
                let now = step % SLOTS;
                let left = (u64::from(*planned) + SLOTS - 1 - now) % SLOTS;
                // An earlier look does no harm, and a second entry costs more than it.
                if *planned != 0 && left <= u64::from(steps) {
                    return;
                }
                let slot = (now + u64::from(steps)) % SLOTS;
                *planned = slot as u16 + 1;
                self.wheel[slot as usize].push(neuron);
            }
        }
    }

    /// Hands out the neurons that have to be looked at in `step`, in any order. They are no longer
    /// planned. Has to be called for every step.
    #[allow(clippy::cast_possible_truncation, reason = "at most 1,025")]
    pub(super) fn due(&mut self, step: u64, mut look: impl FnMut(u32)) {
        if self.wheel.is_empty() {
            return;
        }
        let slot = step % SLOTS;
        for neuron in self.wheel[slot as usize].drain(..) {
            let planned = &mut self.planned[neuron as usize];
            if u64::from(*planned) == slot + 1 {
                *planned = 0;
                look(neuron);
            }
        }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let lists: usize = self.wheel.iter().map(|l| l.capacity() * 4 + 24).sum();
        lists + self.planned.len() * 2
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
        assert_eq!([0, 1, 2].map(|n| agenda.has(n)), [true, false, true]);
        let mut found = Vec::new();
        for step in 11..30 {
            agenda.due(step, |n| found.push((step, n)));
        }
        assert_eq!(found, [(15, 0), (15, 2)]);
        agenda.plan(0, 15, Due::After(1024));
        agenda.due(15, |_| panic!("not yet"));
        for step in 30..15 + 1024 {
            agenda.due(step, |_| panic!("not yet"));
        }
        agenda.due(15 + 1024, |n| found.push((15 + 1024, n)));
        assert_eq!(found.last(), Some(&(1039, 0)));
    }
}
