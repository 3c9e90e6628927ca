//! Epochs in batches: shuffled, made ahead, taken up anywhere.

use super::{DataError, Dataset};
use crossbeam::channel::{Receiver, bounded};
use rheobase_engine::random::{Purpose, construction_stream};
use rheobase_equations::real::Real;
use std::sync::Arc;
use std::thread::JoinHandle;

/// What becomes of the samples that do not fill a batch at the end of an epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Last {
    /// They are a smaller batch.
    #[default]
    Keep,
    /// They are left out; with a shuffle, others in each epoch.
    Drop,
}

/// How to cut an epoch into batches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchOptions {
    /// Samples in a batch, at least 1. Default 32.
    pub size: usize,
    /// Seed of the order. Epochs have streams of their own under it.
    pub seed: u64,
    /// Whether samples come in another order each epoch. Default yes.
    pub shuffle: bool,
    /// What becomes of the rest. Default [`Last::Keep`].
    pub last: Last,
    /// Batches made ahead on another thread, 0 to 1024; 0 makes each when it is asked for. No number
    /// changes what is in a batch. Default 2.
    pub ahead: usize,
}

impl BatchOptions {
    /// The defaults, with a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            size: 32,
            seed,
            shuffle: true,
            last: Last::Keep,
            ahead: 2,
        }
    }
}

/// Batches made ahead at most.
const MAX_AHEAD: usize = 1024;

/// A place in training: the batch that comes next. With the same data and options, [`Batches::resume`]
/// continues there bit for bit.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Position {
    /// The epoch, from 0.
    pub epoch: u64,
    /// The batch in it, from 0.
    pub batch: u64,
}

/// Some samples of a data set.
#[derive(Clone, PartialEq, Debug)]
pub struct Batch<R> {
    /// Values, `[N, elements]`, row-major.
    pub values: Vec<R>,
    /// Elements of a sample.
    pub elements: usize,
    /// The class of each sample, `[N]`.
    pub labels: Vec<usize>,
    /// The number of each sample in its data set, `[N]`.
    pub numbers: Vec<u32>,
}

impl<R> Batch<R> {
    /// N, at least 1.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }
}

/// A data set as epochs of batches.
///
/// The order of epoch e is a Fisher–Yates shuffle by the construction stream of (seed, `Purpose::Data`,
/// e): it depends on no epoch before it, on no thread, and not on the size of batches.
#[derive(Clone, Debug)]
pub struct Batches<R> {
    data: Arc<Dataset<R>>,
    options: BatchOptions,
    n_batches: u64,
}

impl<R: Real> Batches<R> {
    /// Checks the options.
    ///
    /// # Errors
    /// If a batch has no samples, more are to be made ahead than 1024, or [`Last::Drop`] would leave none.
    pub fn new(data: Arc<Dataset<R>>, options: BatchOptions) -> Result<Self, DataError> {
        #[allow(clippy::cast_precision_loss, reason = "a number for a message")]
        let refuse = |name, value: usize, expected| DataError::Parameter {
            name,
            value: value as f64,
            expected,
        };
        let (n, size) = (data.len(), options.size);
        if size == 0 {
            return Err(refuse("size of a batch", size, "at least 1"));
        }
        if options.ahead > MAX_AHEAD {
            return Err(refuse(
                "number of batches ahead",
                options.ahead,
                "0 to 1024",
            ));
        }
        let n_batches = match options.last {
            Last::Keep => n.div_ceil(size),
            Last::Drop => n / size,
        };
        if n_batches == 0 {
            let expected = "at most the number of samples where the rest is dropped";
            return Err(refuse("size of a batch", size, expected));
        }
        let n_batches = n_batches as u64;
        Ok(Self {
            data,
            options,
            n_batches,
        })
    }

    /// The data.
    #[must_use]
    pub fn data(&self) -> &Dataset<R> {
        &self.data
    }

    /// The options.
    #[must_use]
    pub fn options(&self) -> BatchOptions {
        self.options
    }

    /// Batches of an epoch, at least 1.
    #[must_use]
    pub fn n_batches(&self) -> u64 {
        self.n_batches
    }

    /// The order of the samples in an epoch. O(samples).
    #[must_use]
    pub fn order(&self, epoch: u64) -> Vec<u32> {
        // A data set has fewer than 2^32 samples.
        let n = u32::try_from(self.data.len()).unwrap_or(u32::MAX);
        let mut order: Vec<u32> = (0..n).collect();
        if self.options.shuffle {
            let mut stream = construction_stream(self.options.seed, Purpose::Data, epoch, 0);
            for (last, left) in (1..order.len()).rev().zip((2..=n).rev()) {
                order.swap(last, stream.below(left) as usize);
            }
        }
        order
    }

    /// An epoch from its first batch. O(samples).
    #[must_use]
    pub fn epoch(&self, epoch: u64) -> Epoch<R> {
        self.start(Position { epoch, batch: 0 })
    }

    /// The rest of an epoch from the place that [`Epoch::position`] gave. O(samples).
    ///
    /// # Errors
    /// If an epoch has no such batch.
    pub fn resume(&self, position: Position) -> Result<Epoch<R>, DataError> {
        if position.batch < self.n_batches {
            return Ok(self.start(position));
        }
        Err(DataError::Position {
            batch: position.batch,
            batches: self.n_batches,
        })
    }

    fn start(&self, position: Position) -> Epoch<R> {
        let plan = Arc::new(Plan {
            data: Arc::clone(&self.data),
            order: self.order(position.epoch),
            size: self.options.size,
        });
        let left = position.batch..self.n_batches;
        Epoch {
            ahead: Ahead::begin(&plan, left, self.options.ahead),
            plan,
            next: position,
            n_batches: self.n_batches,
        }
    }
}

/// What an epoch is made of.
struct Plan<R> {
    data: Arc<Dataset<R>>,
    order: Vec<u32>,
    size: usize,
}

impl<R: Real> Plan<R> {
    /// Batch `index` of the epoch.
    fn batch(&self, index: u64) -> Batch<R> {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let numbers = self.order.chunks(self.size).nth(index);
        let numbers = numbers.unwrap_or_default().to_vec();
        let elements = self.data.elements();
        let mut values = Vec::with_capacity(numbers.len() * elements);
        for &number in &numbers {
            self.data.append(number as usize, &mut values);
        }
        let labels = self.data.labels();
        Batch {
            values,
            elements,
            labels: numbers.iter().map(|&k| labels[k as usize]).collect(),
            numbers,
        }
    }
}

/// A thread that makes batches until it is dropped, which waits for it to end.
struct Ahead<R> {
    batches: Option<Receiver<Batch<R>>>,
    thread: Option<JoinHandle<()>>,
}

impl<R: Real> Ahead<R> {
    /// None where nothing is to be made ahead, or no thread can be had: batches are then made where
    /// they are asked for.
    fn begin(plan: &Arc<Plan<R>>, left: std::ops::Range<u64>, ahead: usize) -> Option<Self> {
        if ahead == 0 {
            return None;
        }
        let (sender, receiver) = bounded(ahead);
        let plan = Arc::clone(plan);
        let make = move || {
            for index in left {
                // Nobody listens any more.
                if sender.send(plan.batch(index)).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("batches".to_owned())
            .spawn(make);
        Some(Self {
            batches: Some(receiver),
            thread: Some(thread.ok()?),
        })
    }
}

impl<R> Drop for Ahead<R> {
    fn drop(&mut self) {
        // A sender that waits for room wakes up once the receiver is gone.
        drop(self.batches.take());
        if let Some(thread) = self.thread.take() {
            // It cannot panic; if it did, the batches were made elsewhere.
            let _ = thread.join();
        }
    }
}

/// The batches of an epoch. Dropped at any time, it leaves no thread behind.
pub struct Epoch<R> {
    ahead: Option<Ahead<R>>,
    plan: Arc<Plan<R>>,
    next: Position,
    n_batches: u64,
}

impl<R> Epoch<R> {
    /// The place of the batch that comes next, in this epoch or at the beginning of the one after it:
    /// what to save.
    #[must_use]
    pub fn position(&self) -> Position {
        if self.next.batch < self.n_batches {
            return self.next;
        }
        Position {
            epoch: self.next.epoch.saturating_add(1),
            batch: 0,
        }
    }
}

impl<R: Real> Iterator for Epoch<R> {
    type Item = Batch<R>;

    fn next(&mut self) -> Option<Batch<R>> {
        if self.next.batch >= self.n_batches {
            return None;
        }
        let ahead = self.ahead.as_ref().and_then(|a| a.batches.as_ref());
        let batch = match ahead.map(Receiver::recv) {
            Some(Ok(batch)) => batch,
            _ => {
                self.ahead = None;
                self.plan.batch(self.next.batch)
            }
        };
        self.next.batch += 1;
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.n_batches - self.next.batch).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}

impl<R: Real> ExactSizeIterator for Epoch<R> {}

#[cfg(test)]
mod tests;
