//! Neurons that fire at given times.
//!
//! # Equations
//! Neuron i fires in step s for every entry of `times[i]` in (s − 1, s] · dt.
//!
//! # Update scheme
//! Events are sorted by time once. O(events of the step) per step, and a search in the list where
//! steps are not asked for one after the other.
//!
//! # Parameters
//! | name | unit | default | range |
//! |---|---|---|---|
//! | `times` | ms | required | one ascending list per neuron, every time above 0 |
//! | `exact` | | false | spikes keep their times off the grid |
//!
//! # State
//! None: a cursor saves the search but does not decide what is found.
//!
//! # Shapes
//! The number of lists is the number of neurons.
//!
//! # Semantics
//! A time off the grid counts at the end of the step it falls in (1.03 ms at 1.1 ms for steps of
//! 0.1 ms). A time within 1e-9 of a grid point, relatively, is that grid point. Times that count in
//! the same step give as many spikes. With a batch the trains repeat in every copy.
//!
//! With `exact` a spike reaches a population in continuous time at its own time plus the delay;
//! populations on the grid receive it as without.
//!
//! # Errors
//! Times that are not ascending, zero or negative.
//!
//! # Source
//! `spike_generator` with `allow_offgrid_times`, NEST 3.10.
//!
//! # Example
//! ```
//! use rheobase_engine::port::{StimulusContext, StimulusType};
//! use rheobase_engine::random::{Philox, Purpose};
//!
//! let times = r#"[["1 ms", "1.03 ms"], [], ["1.1 ms"]]"#;
//! let trains = rheobase_components::stimulus("spike_times", &[("times", times.into())], None)?;
//! let StimulusType::Source(trains) = trains else { panic!() };
//! assert_eq!(trains.size(), Some(3));
//! let stream = Philox::new(1, Purpose::Stimulus, 0);
//! let mut source = trains.instantiate(StimulusContext { dt_ms: 0.1, stream, size: 3 });
//! let mut spikes = Vec::new();
//! source.emit(11, 0..3, &mut spikes);
//! assert_eq!(spikes, [0, 2]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::ops::Range;
use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase_engine::exact::moment::{Clock, Moment};
use rheobase_engine::port::{Entry, SpikeSource, SpikeSourceType, StimulusContext, StimulusType};
use rheobase_engine::time::step_containing;

pub(super) const ENTRY: Entry<StimulusType> = Entry {
    summary: "neurons that fire at given times",
    arguments: &[
        ArgumentSpec {
            name: "times",
            kind: ArgumentKind::QuantityLists("ms"),
            default: None,
            doc: "for each neuron the times at which it fires, ascending",
        },
        ArgumentSpec {
            name: "exact",
            kind: ArgumentKind::Boolean,
            default: Some("false"),
            doc: "keep times off the grid, for populations in continuous time",
        },
    ],
    make,
};

struct SpikeTimes {
    n: u32,
    exact: bool,
    events: Arc<[Event]>,
}

#[derive(Clone, Copy)]
struct Event {
    time_ms: f64,
    neuron: u32,
}

fn make(arguments: &Arguments) -> Result<StimulusType, ArgumentError> {
    let lists = arguments.quantity_lists("times", "ms")?;
    let n = u32::try_from(lists.len())
        .map_err(|_| ArgumentError::new("times", "more lists than neurons can be numbered"))?;
    let mut events = Vec::with_capacity(lists.iter().map(Vec::len).sum());
    for (neuron, times) in (0..n).zip(&lists) {
        check_times(neuron, times)?;
        events.extend(times.iter().map(|&time_ms| Event { time_ms, neuron }));
    }
    events.sort_by(|a, b| a.time_ms.total_cmp(&b.time_ms));
    Ok(StimulusType::Source(Arc::new(SpikeTimes {
        n,
        exact: arguments.boolean("exact")?,
        events: events.into(),
    })))
}

fn check_times(neuron: u32, times: &[f64]) -> Result<(), ArgumentError> {
    let wrong = |k: usize, what: &str| {
        let name = format!("times[{neuron}][{k}]");
        Err(ArgumentError::new(&name, format!("{} ms {what}", times[k])))
    };
    if let Some(k) = times.iter().position(|&t| t <= 0.0) {
        return wrong(k, "is not after time 0, where the first step begins");
    }
    match times.windows(2).position(|w| w[0] > w[1]) {
        Some(k) => wrong(
            k + 1,
            &format!("comes after {} ms; sort the times", times[k]),
        ),
        None => Ok(()),
    }
}

impl SpikeSourceType for SpikeTimes {
    fn size(&self) -> Option<u32> {
        Some(self.n)
    }

    fn is_timed(&self) -> bool {
        self.exact
    }

    fn instantiate(&self, context: StimulusContext) -> Box<dyn SpikeSource> {
        let events = Arc::clone(&self.events);
        Box::new(Trains {
            events,
            dt_ms: context.dt_ms,
            exact: self.exact,
            next_step: 0,
            cursor: 0,
        })
    }
}

struct Trains {
    events: Arc<[Event]>,
    dt_ms: f64,
    exact: bool,
    /// `cursor` is the first event of this step, or the first after it.
    next_step: u64,
    cursor: usize,
}

impl Trains {
    fn step_of(&self, event: Event) -> u64 {
        match self.moment_of(event) {
            // A time that is lost in the rounding of dt is one in the first step.
            Some(moment) if self.exact => moment.step().max(1),
            _ => step_containing(event.time_ms, self.dt_ms),
        }
    }

    /// `None` beyond the end of every run.
    fn moment_of(&self, event: Event) -> Option<Moment> {
        let clock = Clock::new(self.dt_ms);
        Some(clock.later(clock.start(), clock.delay(event.time_ms)?))
    }

    /// The events of a step.
    fn events_of(&mut self, step: u64) -> &[Event] {
        if step != self.next_step {
            self.cursor = self.events.partition_point(|&e| self.step_of(e) < step);
        }
        let start = self.cursor;
        while self
            .events
            .get(self.cursor)
            .is_some_and(|&e| self.step_of(e) == step)
        {
            self.cursor += 1;
        }
        self.next_step = step + 1;
        &self.events[start..self.cursor]
    }
}

impl SpikeSource for Trains {
    fn emit(&mut self, step: u64, range: Range<u32>, spikes: &mut Vec<u32>) {
        let start = spikes.len();
        let events = self.events_of(step).iter().map(|e| e.neuron);
        spikes.extend(events.filter(|neuron| range.contains(neuron)));
        spikes[start..].sort_unstable();
    }

    fn emit_timed(
        &mut self,
        step: u64,
        range: Range<u32>,
        spikes: &mut Vec<u32>,
        offsets_ms: &mut Vec<f64>,
    ) {
        let clock = Clock::new(self.dt_ms);
        let mut events: Vec<Event> = self.events_of(step).to_vec();
        events.retain(|e| range.contains(&e.neuron));
        // Stable: those of a neuron stay in the order of their times.
        events.sort_by_key(|e| e.neuron);
        for event in events {
            spikes.push(event.neuron);
            let moment = self.moment_of(event).unwrap_or(clock.step_end(step));
            offsets_ms.push(clock.offset_within(step, moment));
        }
    }
}
