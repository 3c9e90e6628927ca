//! The timing-based representation.

use super::{Events, Shape, SpikesError};
use crate::record;

/// The columns of an [`EventList`].
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Columns {
    /// Where the events of each batch item begin, and the number of all: N + 1 entries.
    pub starts: Vec<usize>,
    /// The step of each event, from 1.
    pub steps: Vec<u64>,
    /// The offset of each event within its step \[ms\], above 0 and at most dt; `None` where all
    /// events are on the grid.
    pub offsets_ms: Option<Vec<f64>>,
    /// The neuron of each event, within its batch item.
    pub neurons: Vec<u32>,
}

/// Spikes as events: for each batch item a list sorted by (step, offset, neuron). A neuron may fire
/// several times at one time. 12 bytes a spike, 20 off the grid.
///
/// An example is in the documentation of the [module](super).
#[derive(Clone, PartialEq, Debug)]
pub struct EventList {
    pub(super) shape: Shape,
    pub(super) dt_ms: f64,
    pub(super) columns: Columns,
}

impl EventList {
    /// Checks that columns are sorted events of that shape, in steps of `dt_ms`. O(events).
    ///
    /// # Errors
    /// [`SpikesError`], which names the first event that is wrong and what was expected.
    pub fn new(shape: Shape, dt_ms: f64, columns: Columns) -> Result<Self, SpikesError> {
        let list = Self {
            shape,
            dt_ms,
            columns,
        };
        list.check_columns()?;
        list.check_events()?;
        for item in 0..shape.batch {
            let events = list.item(item);
            let key = |k: usize| sort_key(&events, k);
            if let Some(k) = (1..events.len()).find(|&k| key(k - 1) > key(k)) {
                let index = list.columns.starts[item as usize] + k;
                return Err(SpikesError::Unsorted { index });
            }
        }
        Ok(list)
    }

    /// Like [`new`](Self::new), of events in any order within their batch item: they are sorted
    /// first. O(events · log events), and O(events · log k) where they are k sorted runs.
    ///
    /// # Errors
    /// [`SpikesError`] as for [`new`](Self::new); positions are those before sorting.
    pub fn from_unsorted(shape: Shape, dt_ms: f64, columns: Columns) -> Result<Self, SpikesError> {
        let mut list = Self {
            shape,
            dt_ms,
            columns,
        };
        list.check_columns()?;
        list.check_events()?;
        list.sort();
        Ok(list)
    }

    /// What the engine recorded, its lanes taken apart into batch items. Spikes may come in any order;
    /// O(events + N) where they are sorted.
    ///
    /// # Errors
    /// [`SpikesError`] where columns differ in length or a spike is outside the shape or its step.
    pub fn from_record(
        shape: Shape,
        dt_ms: f64,
        spikes: &record::Spikes,
    ) -> Result<Self, SpikesError> {
        let n_spikes = spikes.len();
        let offsets_ms = Some(spikes.offsets_ms.as_slice()).filter(|o| !o.is_empty());
        expect_length("neurons", spikes.neurons.len(), n_spikes)?;
        expect_length(
            "offsets",
            offsets_ms.map_or(n_spikes, <[f64]>::len),
            n_spikes,
        )?;
        let lanes = shape.lanes();
        if let Some(index) = spikes.neurons.iter().position(|&lane| lane >= lanes) {
            return Err(SpikesError::Neuron {
                index,
                neuron: u64::from(spikes.neurons[index]),
                neurons: lanes,
            });
        }
        let mut starts = vec![0; shape.batch as usize + 1];
        for &lane in &spikes.neurons {
            starts[(lane / shape.neurons) as usize + 1] += 1;
        }
        accumulate(&mut starts);
        let mut next = starts.clone();
        let mut columns = Columns {
            starts,
            steps: vec![0; n_spikes],
            offsets_ms: offsets_ms.map(|_| vec![0.0; n_spikes]),
            neurons: vec![0; n_spikes],
        };
        for (k, (&step, &lane)) in spikes.steps.iter().zip(&spikes.neurons).enumerate() {
            let place = &mut next[(lane / shape.neurons) as usize];
            columns.steps[*place] = step;
            columns.neurons[*place] = lane % shape.neurons;
            if let (Some(to), Some(from)) = (&mut columns.offsets_ms, offsets_ms) {
                to[*place] = from[k];
            }
            *place += 1;
        }
        Self::from_unsorted(shape, dt_ms, columns)
    }

    /// The events as the engine records spikes: lanes sorted by (step, lane), with the offset of each
    /// within its step \[ms\] where they are not on the grid. Read without offsets, events count at the
    /// end of their step, as [`to_grid`](Self::to_grid) has it. O(events · log N) on the grid.
    #[must_use]
    pub fn to_record(&self) -> record::Spikes {
        let mut sorted: Vec<(u64, u32, u64)> = Vec::with_capacity(self.len());
        for item in 0..self.shape.batch {
            let lane = |neuron: u32| item * self.shape.neurons + neuron;
            let events = self.item(item).iter();
            sorted.extend(events.map(|e| (e.step, lane(e.neuron), e.offset_ms.to_bits())));
        }
        // The stable sort merges runs: on the grid one for each batch item.
        sorted.sort();
        let offset_of = |event: &(u64, u32, u64)| f64::from_bits(event.2);
        let offsets_ms = match self.is_on_grid() {
            true => Vec::new(),
            false => sorted.iter().map(offset_of).collect(),
        };
        let (steps, neurons) = sorted.into_iter().map(|e| (e.0, e.1)).unzip();
        record::Spikes {
            steps,
            neurons,
            offsets_ms,
        }
    }

    /// Extent.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Length of a step \[ms\].
    #[must_use]
    pub fn dt_ms(&self) -> f64 {
        self.dt_ms
    }

    /// Whether it holds no offsets: every event is on the grid.
    #[must_use]
    pub fn is_on_grid(&self) -> bool {
        self.columns.offsets_ms.is_none()
    }

    /// Number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.columns.steps.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.steps.is_empty()
    }

    /// Gives the columns away.
    #[must_use]
    pub fn into_columns(self) -> Columns {
        self.columns
    }

    /// The events of a batch item; none beyond the batch. O(1).
    #[must_use]
    pub fn item(&self, item: u32) -> Events<'_> {
        let starts = &self.columns.starts;
        let range = match starts.get(item as usize..) {
            Some(&[from, to, ..]) => from..to,
            _ => 0..0,
        };
        let offsets_ms = self.columns.offsets_ms.as_ref();
        Events {
            dt_ms: self.dt_ms,
            steps: &self.columns.steps[range.clone()],
            offsets_ms: offsets_ms.map(|offsets| &offsets[range.clone()]),
            neurons: &self.columns.neurons[range],
        }
    }

    /// Spikes of each lane. O(events + lanes).
    #[must_use]
    pub fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.shape.lanes() as usize];
        for item in 0..self.shape.batch {
            for neuron in self.item(item).neurons {
                counts[(item * self.shape.neurons + neuron) as usize] += 1;
            }
        }
        counts
    }

    /// Mean number of spikes of a neuron in a step; 0 where there is neither. O(1).
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a mean to be shown")]
    pub fn density(&self) -> f64 {
        let cells = u128::from(self.shape.steps) * u128::from(self.shape.lanes());
        if cells == 0 {
            return 0.0;
        }
        self.len() as f64 / cells as f64
    }

    /// The events with `start < step ≤ end`, as a list of its own whose first step is `start + 1`.
    /// O(N · log events + events taken).
    #[must_use]
    pub fn slice(&self, start_step: u64, end_step: u64) -> Self {
        let mut columns = self.no_columns();
        for item in 0..self.shape.batch {
            let events = self.item(item).window(start_step, end_step);
            columns.append(&events);
            columns.starts.push(columns.steps.len());
        }
        columns
            .steps
            .iter_mut()
            .for_each(|step| *step -= start_step);
        Self {
            shape: self.shape.window(start_step, end_step),
            dt_ms: self.dt_ms,
            columns,
        }
    }

    /// All events of several lists of one shape and time step. The result is on the grid where every
    /// list is. O(events · log lists).
    ///
    /// # Errors
    /// [`SpikesError::Unlike`] where shapes or time steps differ.
    ///
    /// # Example
    /// ```
    /// use rheobase_engine::record::Spikes;
    /// use rheobase_engine::spikes::{EventList, Shape};
    ///
    /// let shape = Shape::new(10, 1, 4)?;
    /// let list = |steps, neurons| {
    ///     let spikes = Spikes { steps, neurons, ..Spikes::default() };
    ///     EventList::from_record(shape, 0.1, &spikes)
    /// };
    /// let (a, b) = (list(vec![1, 7], vec![3, 0])?, list(vec![1, 2], vec![2, 2])?);
    /// let merged = EventList::merge(&a, &[b])?;
    /// assert_eq!(merged.item(0).steps(), [1, 1, 2, 7]);
    /// assert_eq!(merged.item(0).neurons(), [2, 3, 2, 0]);
    /// # Ok::<(), rheobase_engine::spikes::SpikesError>(())
    /// ```
    pub fn merge(first: &Self, others: &[Self]) -> Result<Self, SpikesError> {
        for (index, list) in (1..).zip(others) {
            if list.shape != first.shape {
                let what = "shape";
                return Err(SpikesError::Unlike { index, what });
            }
            if list.dt_ms.to_bits() != first.dt_ms.to_bits() {
                let what = "time step";
                return Err(SpikesError::Unlike { index, what });
            }
        }
        let lists = || std::iter::once(first).chain(others);
        let mut columns = first.no_columns();
        columns.offsets_ms = lists().any(|l| !l.is_on_grid()).then(Vec::new);
        for item in 0..first.shape.batch {
            lists().for_each(|list| columns.append(&list.item(item)));
            columns.starts.push(columns.steps.len());
        }
        let mut merged = Self { columns, ..*first };
        merged.sort();
        Ok(merged)
    }

    /// Columns without events, of the same kind of time; `starts` holds the first.
    fn no_columns(&self) -> Columns {
        Columns {
            starts: vec![0],
            offsets_ms: self.columns.offsets_ms.as_ref().map(|_| Vec::new()),
            ..Columns::default()
        }
    }

    fn check_columns(&self) -> Result<(), SpikesError> {
        let Columns {
            starts,
            steps,
            offsets_ms,
            neurons,
        } = &self.columns;
        check_time_step(self.dt_ms)?;
        check_starts(starts, self.shape.batch as usize + 1, steps.len())?;
        expect_length("neurons", neurons.len(), steps.len())?;
        match offsets_ms {
            Some(offsets) => expect_length("offsets", offsets.len(), steps.len()),
            None => Ok(()),
        }
    }

    fn check_events(&self) -> Result<(), SpikesError> {
        let Columns {
            steps,
            offsets_ms,
            neurons,
            ..
        } = &self.columns;
        let (dt_ms, shape) = (self.dt_ms, self.shape);
        let outside = |step: &u64| !(1..=shape.steps).contains(step);
        if let Some(index) = steps.iter().position(outside) {
            return Err(SpikesError::Step {
                index,
                step: steps[index],
                steps: shape.steps,
            });
        }
        if let Some(index) = neurons.iter().position(|&n| n >= shape.neurons) {
            return Err(SpikesError::Neuron {
                index,
                neuron: u64::from(neurons[index]),
                neurons: shape.neurons,
            });
        }
        let mut offsets = offsets_ms.iter().flatten().copied().enumerate();
        match offsets.find(|(_, offset)| !(*offset > 0.0 && *offset <= dt_ms)) {
            Some((index, offset_ms)) => Err(SpikesError::Offset {
                index,
                offset_ms,
                dt_ms,
            }),
            None => Ok(()),
        }
    }

    /// Sorts the events of each batch item. The sort is stable and finds runs that are sorted.
    pub(super) fn sort(&mut self) {
        for item in 0..self.shape.batch {
            let events = self.item(item);
            let mut sorted: Vec<_> = (0..events.len()).map(|k| sort_key(&events, k)).collect();
            sorted.sort();
            let start = self.columns.starts[item as usize];
            for (place, (step, offset_bits, neuron)) in (start..).zip(sorted) {
                self.columns.steps[place] = step;
                self.columns.neurons[place] = neuron;
                if let Some(offsets) = &mut self.columns.offsets_ms {
                    offsets[place] = f64::from_bits(offset_bits);
                }
            }
        }
    }
}

impl Columns {
    /// Adds events behind the last; offsets only where there is a column of them.
    fn append(&mut self, events: &Events<'_>) {
        self.steps.extend_from_slice(events.steps);
        self.neurons.extend_from_slice(events.neurons);
        if let Some(offsets) = &mut self.offsets_ms {
            offsets.extend(events.iter().map(|event| event.offset_ms));
        }
    }
}

/// What events are sorted by. Bits of positive floats are ordered as the floats are.
fn sort_key(events: &Events<'_>, k: usize) -> (u64, u64, u32) {
    let offset_bits = events.offsets_ms.map_or(0, |offsets| offsets[k].to_bits());
    (events.steps[k], offset_bits, events.neurons[k])
}

pub(super) fn check_time_step(dt_ms: f64) -> Result<(), SpikesError> {
    if dt_ms.is_finite() && dt_ms > 0.0 {
        Ok(())
    } else {
        Err(SpikesError::TimeStep { dt_ms })
    }
}

pub(super) fn expect_length(
    column: &'static str,
    found: usize,
    expected: usize,
) -> Result<(), SpikesError> {
    if found == expected {
        return Ok(());
    }
    Err(SpikesError::Length {
        column,
        found,
        expected,
    })
}

/// Checks that `n_starts` starts ascend from 0 to the number of spikes.
pub(super) fn check_starts(
    starts: &[usize],
    n_starts: usize,
    n_spikes: usize,
) -> Result<(), SpikesError> {
    expect_length("starts", starts.len(), n_starts)?;
    let last = starts.len() - 1;
    let wrong = |&k: &usize| match k {
        0 => starts[0] != 0,
        k => starts[k] < starts[k - 1] || (k == last && starts[k] != n_spikes),
    };
    match (0..starts.len()).find(wrong) {
        Some(index) => Err(SpikesError::Start {
            index,
            start: starts[index],
            n_spikes,
        }),
        None => Ok(()),
    }
}

/// Turns counts behind a first 0 into starts.
pub(super) fn accumulate(starts: &mut [usize]) {
    let mut sum = 0;
    for start in starts {
        sum += *start;
        *start = sum;
    }
}
