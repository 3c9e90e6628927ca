//! Synapses onto a shard of a population in continuous time: of each source neuron a row, sorted by
//! delay. Delays are real numbers; they and the weights are kept in f64.

use super::moment::{Clock, Span};
use crate::plan::NodeId;
use crate::rows::{Draw, Part, RowsError, for_each_row};

/// The synapses of one edge onto one shard.
#[derive(Debug)]
pub(crate) struct Synapses {
    source: NodeId,
    port: u32,
    n_source: u32,
    /// Lanes of the shard in one copy of the batch.
    n_target: u32,
    /// Where the row of each source begins; one entry more than sources.
    starts: Vec<u32>,
    /// Targets, counted from the first of the shard.
    targets: Vec<u32>,
    delays: Delays,
    weights: Weights,
}

#[derive(Debug)]
enum Delays {
    Same(Span),
    Each { steps: Vec<u32>, rest_ms: Vec<f64> },
}

#[derive(Debug)]
enum Weights {
    Same(f64),
    Each(Vec<f64>),
}

/// What an input port of a neuron is given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrived {
    /// Lane within the shard.
    pub(super) target: u32,
    pub(super) port: u32,
    pub(super) weight: f64,
}

/// Shortest and longest delay, in whole steps down and up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct DelayRange {
    pub(crate) least: u64,
    pub(crate) most: u64,
}

/// A synapse as it is drawn.
struct Drawn {
    source: u32,
    target: u32,
    delay: Span,
    weight: f64,
}

impl Synapses {
    /// Draws the synapses of `part`, from the streams and in the order of a projection on the grid.
    /// Time O(synapses · log of the longest row).
    pub(crate) fn draw(source: NodeId, port: u32, part: &Part<'_>) -> Result<Self, RowsError> {
        let clock = Clock::new(part.dt_ms);
        let mut drawn = Vec::new();
        for_each_row(part, Draw::Exact, |lane, row| {
            for (k, &source) in row.sources.iter().enumerate() {
                let (delay_ms, weight) = (row.delays_ms[k], row.weights[k]);
                if !weight.is_finite() {
                    return Err(part.bad_weight(weight, source, lane));
                }
                let delay = clock.delay(delay_ms);
                drawn.push(Drawn {
                    source,
                    target: lane,
                    delay: delay.ok_or_else(|| part.bad_delay(delay_ms, source, lane))?,
                    weight,
                });
            }
            Ok(())
        })?;
        let same = |value: Option<f64>| value.filter(|_| !part.synapses.rule.fixes_weights());
        let delay = same(part.synapses.delay.constant()).and_then(|ms| clock.delay(ms));
        let weight = part.synapses.constant_weight();
        if drawn.len() > u32::MAX as usize {
            return Err(part.too_many(drawn.len() as u64));
        }
        Ok(Self::new(
            source,
            port,
            (part.sides.n_source, to_u32(part.range.len())),
            drawn,
            (delay, weight),
        ))
    }

    /// Element to element, weight 1: a spike of source i arrives at target i.
    pub(crate) fn identity(
        source: NodeId,
        port: u32,
        n_source: u32,
        range: &std::ops::Range<u32>,
        delay_steps: u64,
    ) -> Self {
        let delay = Span {
            steps: delay_steps,
            rest_ms: 0.0,
        };
        let drawn = range.clone().map(|source| Drawn {
            source,
            target: source - range.start,
            delay,
            weight: 1.0,
        });
        let sides = (n_source, to_u32(range.len()));
        Self::new(
            source,
            port,
            sides,
            drawn.collect(),
            (Some(delay), Some(1.0)),
        )
    }

    /// Synapses as they are given: source, target, delay, weight.
    #[cfg(test)]
    pub(super) fn listed(
        source: NodeId,
        port: u32,
        sides: (u32, u32),
        clock: Clock,
        list: &[(u32, u32, f64, f64)],
    ) -> Self {
        let drawn = list
            .iter()
            .map(|&(source, target, delay_ms, weight)| Drawn {
                source,
                target,
                delay: clock.delay(delay_ms).unwrap(),
                weight,
            });
        Self::new(source, port, sides, drawn.collect(), (None, None))
    }

    fn new(
        source: NodeId,
        port: u32,
        (n_source, n_target): (u32, u32),
        mut drawn: Vec<Drawn>,
        (delay, weight): (Option<Span>, Option<f64>),
    ) -> Self {
        // Stable: synapses of a row with the same delay stay in the order of their drawing.
        drawn.sort_by(|a, b| {
            let delays = a.delay.partial_cmp(&b.delay);
            let delays = delays.unwrap_or(std::cmp::Ordering::Equal);
            a.source.cmp(&b.source).then(delays)
        });
        let mut starts = vec![0; n_source as usize + 1];
        for synapse in &drawn {
            starts[synapse.source as usize + 1] += 1;
        }
        for k in 1..starts.len() {
            starts[k] += starts[k - 1];
        }
        let each = |f: fn(&Drawn) -> f64| drawn.iter().map(f).collect();
        Self {
            source,
            port,
            n_source,
            n_target,
            starts,
            targets: drawn.iter().map(|s| s.target).collect(),
            delays: match delay {
                Some(delay) => Delays::Same(delay),
                None => Delays::Each {
                    steps: drawn.iter().map(|s| steps_of(s.delay)).collect(),
                    rest_ms: each(|s| s.delay.rest_ms),
                },
            },
            weights: weight.map_or_else(|| Weights::Each(each(|s| s.weight)), Weights::Same),
        }
    }

    /// The source node.
    pub(crate) fn source(&self) -> NodeId {
        self.source
    }

    /// Number of synapses.
    pub(crate) fn len(&self) -> usize {
        self.targets.len()
    }

    /// Bytes they take.
    pub(crate) fn bytes(&self) -> usize {
        let n = self.len();
        let delays = match self.delays {
            Delays::Same(_) => 0,
            Delays::Each { .. } => n * (size_of::<u32>() + size_of::<f64>()),
        };
        let weights = match self.weights {
            Weights::Same(_) => 0,
            Weights::Each(_) => n * size_of::<f64>(),
        };
        self.starts.len() * size_of::<u32>() + n * size_of::<u32>() + delays + weights
    }

    /// Shortest and longest delay; `None` without synapses.
    pub(crate) fn delays(&self) -> Option<DelayRange> {
        let spans = (0..self.len()).map(|k| self.delay(k));
        spans.fold(None, |range: Option<DelayRange>, span| {
            let range = range.unwrap_or(DelayRange {
                least: u64::MAX,
                most: 0,
            });
            Some(DelayRange {
                least: range.least.min(span.steps),
                most: range.most.max(span.steps_up()),
            })
        })
    }

    fn delay(&self, k: usize) -> Span {
        match &self.delays {
            Delays::Same(span) => *span,
            Delays::Each { steps, rest_ms } => Span {
                steps: u64::from(steps[k]),
                rest_ms: rest_ms[k],
            },
        }
    }

    fn weight(&self, k: usize) -> f64 {
        match &self.weights {
            Weights::Same(weight) => *weight,
            Weights::Each(each) => each[k],
        }
    }

    /// Delay of the synapse at `position` in the row of a lane; `None` beyond its end.
    pub(super) fn delay_at(&self, lane: u32, position: u32) -> Option<Span> {
        let (row, _) = self.row(lane);
        let k = row.start + position as usize;
        (k < row.end).then(|| self.delay(k))
    }

    /// Appends to `arrived` what the synapses from `position` on with one and the same delay bring;
    /// the position after them.
    pub(super) fn collect(&self, lane: u32, position: u32, arrived: &mut Vec<Arrived>) -> u32 {
        let (row, first_target) = self.row(lane);
        let start = row.start + position as usize;
        let delay = self.delay(start);
        let end = match &self.delays {
            Delays::Same(_) => row.end,
            Delays::Each { .. } => {
                let mut end = start + 1;
                while end < row.end && self.delay(end) == delay {
                    end += 1;
                }
                end
            }
        };
        arrived.extend((start..end).map(|k| Arrived {
            target: first_target + self.targets[k],
            port: self.port,
            weight: self.weight(k),
        }));
        to_u32(end - row.start)
    }

    /// The synapses of a lane of the source, and the first lane of their targets: copy c of the batch
    /// reaches copy c.
    fn row(&self, lane: u32) -> (std::ops::Range<usize>, u32) {
        let (copy, source) = (lane / self.n_source, lane % self.n_source);
        let row = self.starts[source as usize] as usize..self.starts[source as usize + 1] as usize;
        (row, copy * self.n_target)
    }
}

/// Steps of a drawn delay: at most [`crate::rows::MAX_DELAY_STEPS`].
fn steps_of(delay: Span) -> u32 {
    u32::try_from(delay.steps).unwrap_or(u32::MAX)
}

/// Synapses of a shard are fewer than 2³².
fn to_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
