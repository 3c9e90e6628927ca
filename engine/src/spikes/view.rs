//! Borrowed parts of spikes: the events of a batch item, the neurons of a step.

/// One spike of a batch item.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Event {
    /// The step it falls in, from 1.
    pub step: u64,
    /// When within that step \[ms\], above 0; dt on the grid.
    pub offset_ms: f64,
    /// The neuron.
    pub neuron: u32,
}

impl Event {
    /// Its time \[ms\], rounded to the nearest float. For output: compare steps and offsets instead.
    #[must_use]
    #[allow(
        clippy::cast_precision_loss,
        reason = "steps stay below 2^53, where floats are exact"
    )]
    pub fn time_ms(self, dt_ms: f64) -> f64 {
        if self.offset_ms < dt_ms {
            (self.step - 1) as f64 * dt_ms + self.offset_ms
        } else {
            self.step as f64 * dt_ms
        }
    }
}

/// The events of one batch item, sorted by (step, offset, neuron).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Events<'a> {
    pub(super) dt_ms: f64,
    pub(super) steps: &'a [u64],
    pub(super) offsets_ms: Option<&'a [f64]>,
    pub(super) neurons: &'a [u32],
}

impl<'a> Events<'a> {
    /// Number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The step of each event, from 1.
    #[must_use]
    pub fn steps(&self) -> &'a [u64] {
        self.steps
    }

    /// The offset of each event within its step \[ms\]; `None` on the grid.
    #[must_use]
    pub fn offsets_ms(&self) -> Option<&'a [f64]> {
        self.offsets_ms
    }

    /// The neuron of each event.
    #[must_use]
    pub fn neurons(&self) -> &'a [u32] {
        self.neurons
    }

    /// The events in order. O(1) each.
    pub fn iter(&self) -> impl Iterator<Item = Event> + use<'a> {
        let this = *self;
        (0..this.len()).map(move |k| Event {
            step: this.steps[k],
            offset_ms: this.offsets_ms.map_or(this.dt_ms, |offsets| offsets[k]),
            neuron: this.neurons[k],
        })
    }

    /// The events with `start < step ≤ end`; steps keep their numbers. O(log events).
    #[must_use]
    pub fn window(&self, start_step: u64, end_step: u64) -> Self {
        let from = self.steps.partition_point(|&s| s <= start_step);
        let to = self.steps.partition_point(|&s| s <= end_step).max(from);
        Self {
            dt_ms: self.dt_ms,
            steps: &self.steps[from..to],
            offsets_ms: self.offsets_ms.map(|offsets| &offsets[from..to]),
            neurons: &self.neurons[from..to],
        }
    }

    /// Steps in which something fires, with their events. O(events) for all.
    pub fn by_step(&self) -> impl Iterator<Item = (u64, Self)> + use<'a> {
        let mut left = *self;
        std::iter::from_fn(move || {
            let step = *left.steps.first()?;
            let n = left.steps.iter().take_while(|&&s| s == step).count();
            let (now, later) = left.split_at(n);
            left = later;
            Some((step, now))
        })
    }

    fn split_at(&self, n: usize) -> (Self, Self) {
        let part = |from: usize, to: usize| Self {
            dt_ms: self.dt_ms,
            steps: &self.steps[from..to],
            offsets_ms: self.offsets_ms.map(|offsets| &offsets[from..to]),
            neurons: &self.neurons[from..to],
        };
        (part(0, n), part(n, self.len()))
    }
}

/// The neurons of one batch item that fire in one step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Row<'a> {
    /// Their numbers, ascending; a neuron stands there as often as it fires.
    List(&'a [u32]),
    /// A bit for each neuron: neuron n is bit n mod 64 of word n / 64.
    Mask(&'a [u64]),
}

impl<'a> Row<'a> {
    /// Number of spikes. O(1) of a list, O(neurons / 64) of a mask.
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            Row::List(neurons) => neurons.len(),
            Row::Mask(words) => words.iter().map(|w| w.count_ones() as usize).sum(),
        }
    }

    /// Whether no neuron fires.
    #[must_use]
    pub fn is_empty(self) -> bool {
        match self {
            Row::List(neurons) => neurons.is_empty(),
            Row::Mask(words) => words.iter().all(|&w| w == 0),
        }
    }

    /// Whether a neuron fires. O(log spikes) of a list, O(1) of a mask.
    #[must_use]
    pub fn contains(self, neuron: u32) -> bool {
        match self {
            Row::List(neurons) => neurons.binary_search(&neuron).is_ok(),
            Row::Mask(words) => words
                .get(neuron as usize / 64)
                .is_some_and(|word| word >> (neuron % 64) & 1 == 1),
        }
    }

    /// The neurons that fire, ascending. O(spikes), of a mask O(spikes + neurons / 64).
    pub fn iter(self) -> impl Iterator<Item = u32> + use<'a> {
        let (list, mask): (&[u32], &[u64]) = match self {
            Row::List(neurons) => (neurons, &[]),
            Row::Mask(words) => (&[], words),
        };
        let in_mask = (0_u32..)
            .zip(mask)
            .flat_map(|(k, &word)| bits(word, 64 * k));
        list.iter().copied().chain(in_mask)
    }
}

/// The bits that are set, ascending, counted from `first`.
fn bits(mut word: u64, first: u32) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        if word == 0 {
            return None;
        }
        let bit = word.trailing_zeros();
        word &= word - 1;
        Some(first + bit)
    })
}
