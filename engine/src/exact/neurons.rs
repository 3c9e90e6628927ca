//! The neurons of a shard in continuous time: states at their last events, and what moves them.

use super::flow::{Crossing, Flow};
use super::moment::{Clock, Moment, Span};

/// How far ahead a spike is looked for where that takes integration \[ms\]. If there is none, the
/// neuron is advanced by as much and looked at again.
const LOOK_AHEAD_MS: f64 = 5.0;

/// Neurons of one shard. States are those at `last`, the last event of each neuron.
pub(crate) struct Neurons {
    clock: Clock,
    /// One for all, or one for each.
    flows: Vec<Box<dyn Flow>>,
    /// Refractory time of each flow; `None` without.
    refractory_times: Vec<Option<Span>>,
    /// How far ahead crossings are looked for \[ms\].
    horizon_ms: f64,
    n_states: usize,
    /// `[neurons][states]`.
    states: Vec<f64>,
    last: Vec<Moment>,
    /// End of the refractory time.
    refractory: Vec<Option<Moment>>,
    /// What is predicted is not a spike: until then there is none.
    looks: Vec<bool>,
    initial: Vec<f64>,
    initial_refractory: Vec<Option<Moment>>,
}

/// What a neuron will do by itself.
pub(super) struct Prediction {
    /// When it will next need attention; `None`: never.
    pub(super) at: Option<Moment>,
    pub(super) grazing: bool,
    /// The crossing was solved for.
    pub(super) solved: bool,
}

/// What happens to a neuron at a moment it asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    /// It reaches its threshold.
    Fires,
    /// Its refractory time ends.
    Recovers,
    /// Nothing yet: its next spike is to be solved for, from the states at its last event.
    Solves,
    /// Nothing yet: it is to be advanced and looked at again.
    Looks,
}

impl Neurons {
    /// `initial` is `[neurons][states]`; `refractory_ms` what is left of a refractory time at the
    /// start, by neuron.
    pub(crate) fn new(
        clock: Clock,
        flows: Vec<Box<dyn Flow>>,
        adaptive: bool,
        initial: Vec<f64>,
        refractory_ms: &[f64],
    ) -> Self {
        let span = |ms: f64| clock.delay(ms).filter(|_| ms > 0.0);
        let n = refractory_ms.len();
        let initial_refractory: Vec<Option<Moment>> = refractory_ms
            .iter()
            .map(|&ms| Some(clock.later(clock.start(), span(ms)?)))
            .collect();
        Self {
            clock,
            refractory_times: flows.iter().map(|f| span(f.refractory_ms())).collect(),
            n_states: flows.first().map_or(0, |f| f.n_states()),
            flows,
            horizon_ms: if adaptive {
                LOOK_AHEAD_MS
            } else {
                f64::INFINITY
            },
            states: initial.clone(),
            last: vec![clock.start(); n],
            looks: vec![false; n],
            refractory: initial_refractory.clone(),
            initial,
            initial_refractory,
        }
    }

    /// Number of neurons.
    pub(super) fn len(&self) -> usize {
        self.last.len()
    }

    /// Bytes of a neuron with `n_states` states that does nothing: its states, their initial values,
    /// its last event, the end of its refractory time and what it waits for.
    pub(super) const fn bytes_per_neuron(n_states: usize) -> usize {
        2 * n_states * size_of::<f64>() + size_of::<Moment>() + 2 * size_of::<Option<Moment>>() + 1
    }

    /// Back to the start.
    pub(super) fn reset(&mut self) {
        self.states.copy_from_slice(&self.initial);
        self.last.fill(self.clock.start());
        self.refractory.clone_from(&self.initial_refractory);
    }

    fn flow_of(&self, neuron: usize) -> usize {
        if self.flows.len() == 1 { 0 } else { neuron }
    }

    /// The states of a neuron at its last event.
    pub(super) fn states(&self, neuron: usize) -> &[f64] {
        &self.states[neuron * self.n_states..(neuron + 1) * self.n_states]
    }

    /// Whether the neuron is refractory.
    pub(super) fn is_refractory(&self, neuron: usize) -> bool {
        self.refractory[neuron].is_some()
    }

    /// Advances a neuron to an event at `at`, not before its last.
    pub(super) fn advance(&mut self, neuron: usize, at: Moment) {
        let elapsed_ms = self.clock.between(self.last[neuron], at);
        debug_assert!(elapsed_ms >= 0.0, "events come in their order");
        if elapsed_ms > 0.0 {
            let (k, n) = (self.flow_of(neuron), self.n_states);
            let states = &mut self.states[neuron * n..(neuron + 1) * n];
            let refractory = self.refractory[neuron].is_some();
            self.flows[k].advance(states, elapsed_ms, refractory);
        }
        self.last[neuron] = at;
    }

    /// Lets the sum of what arrives at a port now act.
    pub(super) fn input(&mut self, neuron: usize, port: u32, weight: f64) {
        let (k, n) = (self.flow_of(neuron), self.n_states);
        let states = &mut self.states[neuron * n..(neuron + 1) * n];
        let refractory = self.refractory[neuron].is_some();
        self.flows[k].input(states, port as usize, weight, refractory);
    }

    /// Whether the neuron is free and at or above its threshold.
    pub(super) fn fires(&self, neuron: usize) -> bool {
        !self.is_refractory(neuron) && self.flows[self.flow_of(neuron)].fires(self.states(neuron))
    }

    /// What is due at a moment that the neuron asked for.
    pub(super) fn due(&mut self, neuron: usize, at: Moment) -> Due {
        if self.refractory[neuron].is_some() {
            return Due::Recovers;
        }
        if self.looks[neuron] {
            return Due::Solves;
        }
        // With an endless horizon every prediction is a spike.
        if self.clock.after(self.last[neuron], self.horizon_ms) == Some(at) {
            return Due::Looks;
        }
        Due::Fires
    }

    /// A neuron that was advanced to its spike fires.
    pub(super) fn spike(&mut self, neuron: usize) {
        let (k, n) = (self.flow_of(neuron), self.n_states);
        self.flows[k].reset(&mut self.states[neuron * n..(neuron + 1) * n]);
        let span = self.refractory_times[k];
        self.refractory[neuron] = span.map(|s| self.clock.later(self.last[neuron], s));
    }

    /// A neuron that was advanced to the end of its refractory time is free.
    pub(super) fn recover(&mut self, neuron: usize) {
        self.refractory[neuron] = None;
    }

    /// When a neuron acts next if nothing arrives; from its state at its last event.
    pub(super) fn predict(&mut self, neuron: usize) -> Prediction {
        self.looks[neuron] = false;
        if let Some(end) = self.refractory[neuron] {
            return Prediction {
                at: Some(end),
                grazing: false,
                solved: false,
            };
        }
        let quiet_ms = self.flows[self.flow_of(neuron)].quiet_ms(self.states(neuron));
        if quiet_ms > 0.0 {
            self.looks[neuron] = true;
            return Prediction {
                at: self.clock.after(self.last[neuron], quiet_ms),
                grazing: false,
                solved: false,
            };
        }
        self.solve(neuron)
    }

    /// When a free neuron fires next if nothing arrives, or is to be looked at; from its state at its
    /// last event.
    pub(super) fn solve(&mut self, neuron: usize) -> Prediction {
        self.looks[neuron] = false;
        let (k, n) = (self.flow_of(neuron), self.n_states);
        let states = &self.states[neuron * n..(neuron + 1) * n];
        let Crossing { after_ms, grazing } = self.flows[k].next_crossing(states, self.horizon_ms);
        let after_ms = after_ms.or(self.horizon_ms.is_finite().then_some(self.horizon_ms));
        Prediction {
            at: after_ms.and_then(|ms| self.clock.after(self.last[neuron], ms)),
            grazing,
            solved: true,
        }
    }

    /// The states of a neuron at `at`, not before its last event, which stay as they are.
    pub(super) fn sample(&mut self, neuron: usize, at: Moment, states: &mut Vec<f64>) {
        states.clear();
        states.extend_from_slice(self.states(neuron));
        let elapsed_ms = self.clock.between(self.last[neuron], at);
        if elapsed_ms > 0.0 {
            let k = self.flow_of(neuron);
            let refractory = self.refractory[neuron].is_some();
            self.flows[k].advance(states, elapsed_ms, refractory);
        }
    }

    /// What is left of a refractory time at `at` \[ms\].
    pub(super) fn refractory_left_ms(&self, neuron: usize, at: Moment) -> f64 {
        let left = |end| self.clock.between(at, end);
        self.refractory[neuron].map_or(0.0, left)
    }

    /// Shows state `k` of all neurons, and takes it back.
    pub(super) fn visit_state(&mut self, k: usize, visit: &mut dyn FnMut(&mut [f64])) {
        let mut values: Vec<f64> = self
            .states
            .iter()
            .skip(k)
            .step_by(self.n_states)
            .copied()
            .collect();
        visit(&mut values);
        for (x, value) in self
            .states
            .iter_mut()
            .skip(k)
            .step_by(self.n_states)
            .zip(values)
        {
            *x = value;
        }
    }

    /// Shows the times of last events and the ends of refractory times, as steps and offsets, and
    /// takes them back. Step and offset are 0 where there is none.
    pub(super) fn visit_times(&mut self, visit: &mut dyn FnMut(&str, &mut [f64])) {
        let last = self.last.iter().map(|&m| Some(m));
        let last = visit_moments(
            self.clock,
            ["last_event_step", "last_event_offset"],
            last,
            visit,
        );
        for (to, moment) in self.last.iter_mut().zip(last) {
            *to = moment.unwrap_or(self.clock.start());
        }
        let ends = self.refractory.iter().copied();
        let names = ["refractory_step", "refractory_offset"];
        self.refractory = visit_moments(self.clock, names, ends, visit);
    }
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "steps below 2^53; the cast back saturates"
)]
fn visit_moments(
    clock: Clock,
    names: [&str; 2],
    moments: impl Iterator<Item = Option<Moment>>,
    visit: &mut dyn FnMut(&str, &mut [f64]),
) -> Vec<Option<Moment>> {
    let (mut steps, mut offsets): (Vec<f64>, Vec<f64>) = moments
        .map(|m| m.map_or((0.0, 0.0), |m| (m.step() as f64, m.offset_ms())))
        .unzip();
    visit(names[0], &mut steps);
    visit(names[1], &mut offsets);
    let moment =
        |(&step, &offset): (&f64, &f64)| (offset > 0.0).then(|| clock.within(step as u64, offset));
    steps.iter().zip(&offsets).map(moment).collect()
}
