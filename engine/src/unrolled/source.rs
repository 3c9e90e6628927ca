//! A stimulus that emits spikes.

use std::ops::Range;

use rheobase_equations::real::Real;

use super::emission::Emission;
use crate::port::SpikeSource;

/// Its spikes are kept as numbers: a neuron may fire more than once in a step.
pub(super) struct SourceNode {
    pub(super) make: Box<dyn Fn() -> Box<dyn SpikeSource> + Send>,
    /// Its trains are given, not drawn: the same in every sample and every pass.
    pub(super) is_given: bool,
    pub(super) spikes: Vec<u32>,
}

impl SourceNode {
    /// Writes what is emitted in some steps of a segment; the first of them is the `first_step`-th of the
    /// stimulus, counted from 1.
    pub(super) fn emit<R: Real>(
        &mut self,
        steps: &Range<usize>,
        first_step: u64,
        emission: &mut Emission<R>,
    ) {
        let mut source = (self.make)();
        let (width, batch) = (emission.width, emission.batch);
        let copies = if self.is_given { batch } else { 1 };
        let lanes = width * batch / copies;
        let rows = emission.own(steps);
        let values = emission.values_mut(&rows);
        values.fill(R::ZERO);
        for (step, values) in (first_step..).zip(values.chunks_exact_mut((width * batch).max(1))) {
            self.spikes.clear();
            let all = 0..u32::try_from(lanes).unwrap_or(u32::MAX);
            source.emit(step, all, &mut self.spikes);
            for copy in values.chunks_exact_mut(lanes.max(1)) {
                for &lane in &self.spikes {
                    copy[lane as usize] += R::ONE;
                }
            }
        }
    }
}
