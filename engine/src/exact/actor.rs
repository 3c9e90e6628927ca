//! A shard of a population in continuous time.
//!
//! Events are taken in the order of their moments. At one moment: first what neurons do by themselves
//! (the end of a refractory time, a spike), then what arrives. All that arrives at a neuron at one
//! moment acts together, port by port, each sum in a fixed order: edge, emission, source, position in
//! the row. Neither shards nor slices play a part in it.

use std::ops::Range;

use rheobase_equations::real::Real;

use super::moment::{Clock, Moment};
use super::neurons::{Due, Neurons, Prediction};
use super::queue::{Deliveries, Delivery, Predictions};
use super::synapses::{Arrived, Synapses};
use crate::actor::{Actor, RunError};
use crate::packet::{History, Packet};
use crate::plan::NodeId;
use crate::population::StateRecorder;
use crate::record::{ExactCounts, Records, Spikes, Trace};
use crate::time::Slice;

/// Spikes of one neuron at one moment, after which the run stops: it would never end.
const MOST_AT_ONCE: u32 = 10_000;

/// Names and sizes of a shard.
pub(crate) struct ExactShape {
    pub(crate) node: NodeId,
    pub(crate) name: String,
    /// Lanes of this shard (neurons × batch).
    pub(crate) range: Range<u32>,
    /// States of the model, without the refractory counter.
    pub(crate) state_names: Vec<String>,
    pub(crate) dt_ms: f64,
    pub(crate) record_spikes: bool,
}

/// The synapses of one edge, and how far the spikes of its source are known here.
struct Afferent {
    synapses: Synapses,
    /// The last step whose spikes are on their way.
    absorbed: u64,
}

/// A shard of a population in continuous time, with the synapses onto it.
pub(crate) struct ExactActor {
    shape: ExactShape,
    clock: Clock,
    neurons: Neurons,
    afferents: Vec<Afferent>,
    deliveries: Deliveries,
    predictions: Predictions,
    /// Predictions do not follow from the states any more.
    stale: bool,
    /// Inputs of the current moment.
    arrived: Vec<Arrived>,
    /// Spikes of the current step: lane, moment.
    fired: Vec<(u32, Moment)>,
    /// The last spike, and how many the neuron fired at that moment.
    burst: Option<(u32, Moment, u32)>,
    spikes: Spikes,
    recorders: Vec<StateRecorder>,
    sample: Vec<f64>,
    counts: ExactCounts,
}

impl ExactActor {
    pub(crate) fn new(
        shape: ExactShape,
        neurons: Neurons,
        synapses: Vec<Synapses>,
        recorders: Vec<StateRecorder>,
    ) -> Self {
        let afferent = |synapses| Afferent {
            synapses,
            absorbed: 0,
        };
        Self {
            clock: Clock::new(shape.dt_ms),
            shape,
            neurons,
            afferents: synapses.into_iter().map(afferent).collect(),
            deliveries: Deliveries::default(),
            predictions: Predictions::new(),
            stale: true,
            arrived: Vec::new(),
            fired: Vec::new(),
            burst: None,
            spikes: Spikes::default(),
            recorders,
            sample: Vec::new(),
            counts: ExactCounts::default(),
        }
    }

    /// Predictions anew, from the states: after a reset, and after states were seen, hence perhaps
    /// changed. Where nothing was, they lead to the same spikes, bit for bit.
    fn refresh(&mut self) {
        if !std::mem::take(&mut self.stale) {
            return;
        }
        self.predictions.clear();
        for (lane, neuron) in (0..).zip(0..self.neurons.len()) {
            self.predictions.set(lane, self.neurons.predict(neuron).at);
        }
    }

    /// Sends spikes that are new on their way. Those whose arrival lies before the slice have arrived:
    /// the run continues from a checkpoint.
    fn absorb<R: Real>(&mut self, slice: Slice, history: &History<R>) {
        for (index, afferent) in (0..).zip(&mut self.afferents) {
            let source = afferent.synapses.source();
            let kept = history.kept_steps(source);
            for step in (afferent.absorbed + 1).max(*kept.start())..=*kept.end() {
                let offsets = history.spike_offsets(source, step);
                for (k, &lane) in history.spikes(source, step).iter().enumerate() {
                    let emitted = match offsets.get(k) {
                        Some(&offset_ms) => self.clock.within(step, offset_ms),
                        None => self.clock.step_end(step),
                    };
                    let first = Delivery {
                        at: emitted,
                        afferent: index,
                        emitted,
                        source: lane,
                        position: 0,
                    };
                    let next = next_arrival(self.clock, &afferent.synapses, first);
                    let next = skip_to(self.clock, &afferent.synapses, next, slice.first);
                    if let Some(delivery) = next {
                        self.deliveries.push(delivery);
                    }
                }
            }
            afferent.absorbed = *kept.end();
        }
    }

    /// All events up to the end of `step`.
    fn run_step(&mut self, step: u64) -> Result<(), RunError> {
        let end = self.clock.step_end(step);
        loop {
            let arrival = self.deliveries.next().filter(|&at| at <= end);
            let own = self.predictions.next().filter(|(at, _)| *at <= end);
            match (own, arrival) {
                (Some((at, neuron)), arrival) if arrival.is_none_or(|a| at <= a) => {
                    self.act(neuron, at)?;
                }
                (_, Some(at)) => self.deliver(at)?,
                _ => return Ok(()),
            }
        }
    }

    /// What a neuron does by itself at `at`.
    fn act(&mut self, lane: u32, at: Moment) -> Result<(), RunError> {
        let neuron = lane as usize;
        let due = self.neurons.due(neuron, at);
        if due != Due::Solves {
            self.neurons.advance(neuron, at);
            self.check(neuron, at)?;
        }
        let prediction = match due {
            Due::Fires => return self.fire(lane, at),
            Due::Solves => self.neurons.solve(neuron),
            Due::Looks => self.neurons.predict(neuron),
            Due::Recovers => {
                self.neurons.recover(neuron);
                self.neurons.predict(neuron)
            }
        };
        self.note(lane, prediction);
        Ok(())
    }

    fn note(&mut self, lane: u32, prediction: Prediction) {
        self.counts.predictions += u64::from(prediction.solved);
        self.counts.grazing += u64::from(prediction.grazing);
        self.predictions.set(lane, prediction.at);
    }

    /// After input that did not fire a free neuron.
    fn predict_again(&mut self, lane: u32) {
        let prediction = self.neurons.predict(lane as usize);
        let planned = self.predictions.of(lane);
        // Where nothing happens before what is planned, looking then does no harm, and the queue stays
        // as it is.
        let is_kept = planned.is_some_and(|planned| prediction.at.is_none_or(|at| planned <= at));
        if prediction.solved || !is_kept {
            self.note(lane, prediction);
        }
    }

    /// A neuron that was advanced to `at` fires there.
    fn fire(&mut self, lane: u32, at: Moment) -> Result<(), RunError> {
        let spikes = match self.burst {
            Some((l, m, n)) if l == lane && m == at => n + 1,
            _ => 1,
        };
        self.burst = Some((lane, at, spikes));
        if spikes > MOST_AT_ONCE {
            return Err(RunError::Unending {
                population: self.shape.name.clone(),
                neuron: (self.shape.range.start + lane) as usize,
                spikes,
                time_ms: self.clock.time_ms(at),
            });
        }
        self.fired.push((self.shape.range.start + lane, at));
        self.neurons.spike(lane as usize);
        let prediction = self.neurons.predict(lane as usize);
        self.note(lane, prediction);
        Ok(())
    }

    /// Everything that arrives at `at`.
    fn deliver(&mut self, at: Moment) -> Result<(), RunError> {
        self.arrived.clear();
        let (afferents, arrived, clock) = (&self.afferents, &mut self.arrived, self.clock);
        while self.deliveries.walk_first(at, |delivery| {
            let synapses = &afferents[delivery.afferent as usize].synapses;
            let position = synapses.collect(delivery.source, delivery.position, arrived);
            next_arrival(
                clock,
                synapses,
                Delivery {
                    position,
                    ..delivery
                },
            )
        }) {}
        self.counts.events += self.arrived.len() as u64;
        // Stable: what arrives at a port keeps its order.
        self.arrived.sort_by_key(|a| (a.target, a.port));
        let mut k = 0;
        while let Some(&first) = self.arrived.get(k) {
            let (lane, neuron) = (first.target, first.target as usize);
            self.neurons.advance(neuron, at);
            while let Some(&Arrived { port, .. }) = self.arrived.get(k).filter(|a| a.target == lane)
            {
                let mut sum = 0.0;
                while let Some(a) = self
                    .arrived
                    .get(k)
                    .filter(|a| (a.target, a.port) == (lane, port))
                {
                    sum += a.weight;
                    k += 1;
                }
                self.neurons.input(neuron, port, sum);
            }
            self.check(neuron, at)?;
            if self.neurons.fires(neuron) {
                self.fire(lane, at)?;
            } else if !self.neurons.is_refractory(neuron) {
                self.predict_again(lane);
            }
        }
        Ok(())
    }

    /// Whether the states of a neuron are finite.
    fn check(&self, neuron: usize, at: Moment) -> Result<(), RunError> {
        let states = self.neurons.states(neuron);
        let Some(k) = states.iter().position(|x| !x.is_finite()) else {
            return Ok(());
        };
        Err(RunError::NotFinite {
            population: self.shape.name.clone(),
            neuron: self.shape.range.start as usize + neuron,
            variable: self.shape.state_names[k].clone(),
            value: states[k],
            time_ms: self.clock.time_ms(at),
            checked_every_steps: 1,
        })
    }

    /// Emits and records the spikes of a step that has ended.
    fn emit<R: Real>(&mut self, step: u64, packet: &mut Packet<R>) {
        self.fired.sort_unstable();
        for &(lane, at) in &self.fired {
            let offset_ms = self.clock.offset_within(step, at);
            packet.push_timed(lane, offset_ms);
            if self.shape.record_spikes {
                self.spikes.steps.push(step);
                self.spikes.neurons.push(lane);
                self.spikes.offsets_ms.push(offset_ms);
            }
        }
        packet.end_step();
        self.counts.spikes += self.fired.len() as u64;
        self.fired.clear();
    }

    /// Samples states at the end of a step.
    fn record(&mut self, step: u64) {
        let at = self.clock.step_end(step);
        for recorder in &mut self.recorders {
            if !step.is_multiple_of(recorder.every_steps) {
                continue;
            }
            recorder.trace.steps.push(step);
            for &lane in &recorder.lanes {
                let neuron = lane as usize;
                self.neurons.sample(neuron, at, &mut self.sample);
                // What comes after the states is the refractory counter, in steps.
                let value = match self.sample.get(recorder.state) {
                    Some(&x) => x,
                    None => self.neurons.refractory_left_ms(neuron, at) / self.shape.dt_ms,
                };
                recorder.trace.values.push(value * recorder.scale);
            }
        }
    }
}

/// The delivery with the moment at which its next synapse is reached; `None` at the end of the row.
fn next_arrival(clock: Clock, synapses: &Synapses, delivery: Delivery) -> Option<Delivery> {
    let delay = synapses.delay_at(delivery.source, delivery.position)?;
    Some(Delivery {
        at: clock.later(delivery.emitted, delay),
        ..delivery
    })
}

/// The first delivery of the row at step `first` or later.
fn skip_to(
    clock: Clock,
    synapses: &Synapses,
    mut next: Option<Delivery>,
    first: u64,
) -> Option<Delivery> {
    while let Some(delivery) = next.filter(|d| d.at.step() < first) {
        let position = delivery.position + 1;
        next = next_arrival(
            clock,
            synapses,
            Delivery {
                position,
                ..delivery
            },
        );
    }
    next
}

impl<R: Real> Actor<R> for ExactActor {
    fn advance(
        &mut self,
        slice: Slice,
        history: &History<R>,
        packets: &mut [Packet<R>],
    ) -> Result<(), RunError> {
        self.refresh();
        self.absorb(slice, history);
        for step in slice.steps() {
            self.run_step(step)?;
            self.emit(step, &mut packets[0]);
            self.record(step);
        }
        Ok(())
    }

    fn state(&mut self, _visit: &mut dyn FnMut(NodeId, &str, &mut [R])) {}

    fn state_f64(&mut self, visit: &mut dyn FnMut(NodeId, &str, &mut [f64])) {
        self.stale = true;
        let node = self.shape.node;
        for (k, name) in self.shape.state_names.iter().enumerate() {
            self.neurons
                .visit_state(k, &mut |values| visit(node, name, values));
        }
        self.neurons
            .visit_times(&mut |name, values| visit(node, name, values));
    }

    fn reset(&mut self) {
        self.neurons.reset();
        self.deliveries.clear();
        for afferent in &mut self.afferents {
            afferent.absorbed = 0;
        }
        self.stale = true;
        self.fired.clear();
        self.burst = None;
        drop(<Self as Actor<R>>::take_records(self));
    }

    fn take_records(&mut self) -> Vec<Records> {
        let take = |r: &mut StateRecorder| {
            let empty = Trace {
                steps: Vec::new(),
                values: Vec::new(),
                ..r.trace.clone()
            };
            std::mem::replace(&mut r.trace, empty)
        };
        let spikes = std::mem::take(&mut self.spikes);
        let counts = std::mem::take(&mut self.counts);
        vec![Records {
            node: self.shape.node,
            spikes: self.shape.record_spikes.then_some(spikes),
            traces: self.recorders.iter_mut().map(take).collect(),
            n_spikes: counts.spikes,
            synaptic_events: counts.events,
            exact: Some(counts),
            ..Records::default()
        }]
    }
}
