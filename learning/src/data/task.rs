//! Tasks in time: spike trains that are drawn, not read.

use rheobase_engine::random::{Construction, Purpose, construction_stream};
use rheobase_equations::real::Real;
use serde::{Deserialize, Serialize};

use super::{DataError, Dataset, Split, Values};

/// A task whose samples are spike trains `[T, channels]`, drawn when it is asked for.
///
/// Sample s of a part has a stream of its own under the seed: it is the same whatever the number of
/// samples, and on every machine. Feed samples with the encoder
/// [`Sequence`](crate::encode::Sequence). In files, a task is a table: `{ task = "lag", lags = [-2, 2] }`.
///
/// ```
/// use rheobase_learning::data::Task;
///
/// let task = Task::Lag { channels: 4, probability: 0.1, lags: vec![-2, 0, 2], train: 30, test: 10 };
/// let split = task.make::<f32>(50, 1)?;
/// assert_eq!((split.train.shape(), split.train.classes()), (&[50, 8][..], 3));
/// // The right ear hears what the left one does, so many steps later.
/// let mut sample = vec![0.0; 50 * 8];
/// split.train.sample(2, &mut sample)?;
/// assert_eq!(split.train.labels()[2], 2);
/// assert!((2..50).all(|t| sample[t * 8 + 4] == sample[(t - 2) * 8]));
/// # Ok::<(), rheobase_learning::data::DataError>(())
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case", deny_unknown_fields)]
pub enum Task {
    /// Poisson spikes with random labels, to be learned by heart: samples to judge by are those to learn
    /// from. Class k of a sample is drawn, all classes with the same probability.
    ///
    /// Source: the first tutorial of SpyTorch, `fzenke/spytorch`; BrainState's tutorial on training.
    RandomPatterns {
        /// Channels (default 100).
        #[serde(default = "hundred")]
        channels: usize,
        /// Probability of a spike in a step and channel (default 0.005: 5 Hz in steps of 1 ms).
        #[serde(default = "rare")]
        probability: f64,
        /// Classes (default 2).
        #[serde(default = "two")]
        classes: usize,
        /// Samples (default 256).
        #[serde(default = "samples")]
        samples: usize,
    },
    /// Delayed match to sample: a cue, a gap, a second cue; class 1 where both are the same, else 0.
    ///
    /// Each of `cues` cues is a group of `channels` channels that spike with `probability` in a step
    /// during the cue. Steps: `cue_steps` of the first cue, `gap_steps`, `cue_steps` of the second, then
    /// silence. Outside cues, every channel spikes with the probability `noise`. Half of the samples
    /// match, and all cues come first equally often: neither cue alone tells the class.
    DelayedMatch {
        /// Cues (default 2: exclusive or in time).
        #[serde(default = "two")]
        cues: usize,
        /// Channels of a cue (default 10).
        #[serde(default = "ten")]
        channels: usize,
        /// Steps of each cue (default 5).
        #[serde(default = "five")]
        cue_steps: usize,
        /// Steps between the cues (default 10).
        #[serde(default = "ten")]
        gap_steps: usize,
        /// Probability of a spike in a step and channel of a cue (default 0.5).
        #[serde(default = "half")]
        probability: f64,
        /// Probability of a spike elsewhere (default 0).
        #[serde(default)]
        noise: f64,
        /// Samples to learn from (default 1024).
        #[serde(default = "train")]
        train: usize,
        /// Samples to judge by (default 256).
        #[serde(default = "samples")]
        test: usize,
    },
    /// Sound from a side: the right ear's channels spike as the left ear's do, some steps later; the
    /// class is the place of that lag in `lags`. Rates of all channels are the same for all classes: only
    /// the lag tells them apart.
    ///
    /// Channels 0 … `channels` − 1 are the left ear, the next as many the right one; a negative lag
    /// means that the left ear is late.
    ///
    /// Source: Jeffress 1948, doi:10.1037/h0061495.
    Lag {
        /// Channels of each ear (default 10).
        #[serde(default = "ten")]
        channels: usize,
        /// Probability of a spike in a step and channel (default 0.1).
        #[serde(default = "tenth")]
        probability: f64,
        /// Lags in steps, one for each class.
        lags: Vec<i32>,
        /// Samples to learn from (default 1024).
        #[serde(default = "train")]
        train: usize,
        /// Samples to judge by (default 256).
        #[serde(default = "samples")]
        test: usize,
    },
}

fn hundred() -> usize {
    100
}

fn rare() -> f64 {
    0.005
}

fn two() -> usize {
    2
}

fn five() -> usize {
    5
}

fn ten() -> usize {
    10
}

fn half() -> f64 {
    0.5
}

fn tenth() -> f64 {
    0.1
}

fn samples() -> usize {
    256
}

fn train() -> usize {
    1024
}

/// Most values of a part: a byte each.
const MOST_VALUES: usize = 1 << 32;
/// More than any lag, channel or class of use.
const MOST: usize = 1 << 24;

impl Task {
    /// The name it has in files.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::RandomPatterns { .. } => "random_patterns",
            Self::DelayedMatch { .. } => "delayed_match",
            Self::Lag { .. } => "lag",
        }
    }

    /// Draws the samples, `steps` long. O(samples · steps · channels).
    ///
    /// # Errors
    /// If a number cannot be: no steps, channels, classes or samples, a probability outside 0 … 1, cues
    /// that take more than all steps, a lag as long as the sample, more than 2³² values.
    pub fn make<R: Real>(&self, steps: usize, seed: u64) -> Result<Split<R>, DataError> {
        self.check(steps)?;
        let (n_train, n_test) = match *self {
            Self::RandomPatterns { samples, .. } => {
                let train = self.part(steps, seed, 0, samples)?;
                let test = train.clone();
                return Ok(Split { train, test });
            }
            Self::DelayedMatch { train, test, .. } | Self::Lag { train, test, .. } => (train, test),
        };
        Ok(Split {
            train: self.part(steps, seed, 0, n_train)?,
            test: self.part(steps, seed, 1, n_test)?,
        })
    }

    /// Channels and classes.
    fn size(&self) -> (usize, usize) {
        match self {
            Self::RandomPatterns {
                channels, classes, ..
            } => (*channels, *classes),
            Self::DelayedMatch { cues, channels, .. } => (cues.saturating_mul(*channels), 2),
            Self::Lag { channels, lags, .. } => (channels.saturating_mul(2), lags.len()),
        }
    }

    fn check(&self, steps: usize) -> Result<(), DataError> {
        let (channels, classes) = self.size();
        whole("steps of a task", steps)?;
        whole("channels of a task", channels)?;
        whole("classes of a task", classes)?;
        match self {
            Self::RandomPatterns {
                probability,
                samples,
                ..
            } => {
                whole("samples of a task", *samples)?;
                share("probability of a task", *probability)
            }
            Self::DelayedMatch {
                cues,
                cue_steps,
                gap_steps,
                probability,
                noise,
                train,
                test,
                ..
            } => {
                whole("train of a task", *train)?;
                whole("test of a task", *test)?;
                share("probability of a task", *probability)?;
                share("noise of a task", *noise)?;
                whole("cue_steps of a task", *cue_steps)?;
                if *cues < 2 {
                    return Err(refused("cues of a task", *cues, "2 or more"));
                }
                let needed = cue_steps.saturating_mul(2).saturating_add(*gap_steps);
                if needed > steps {
                    let name = "2·cue_steps + gap_steps of a task";
                    return Err(refused(name, needed, "at most the steps of a sample"));
                }
                Ok(())
            }
            Self::Lag {
                probability,
                lags,
                train,
                test,
                ..
            } => {
                whole("train of a task", *train)?;
                whole("test of a task", *test)?;
                share("probability of a task", *probability)?;
                match lags.iter().find(|l| l.unsigned_abs() as usize >= steps) {
                    None => Ok(()),
                    Some(&lag) => Err(DataError::Parameter {
                        name: "a lag of a task",
                        value: f64::from(lag),
                        expected: "less than the steps of a sample",
                    }),
                }
            }
        }
    }

    fn part<R: Real>(
        &self,
        steps: usize,
        seed: u64,
        part: u64,
        samples: usize,
    ) -> Result<Dataset<R>, DataError> {
        let (channels, classes) = self.size();
        let elements = steps.saturating_mul(channels);
        let values = elements.saturating_mul(samples);
        if values > MOST_VALUES {
            return Err(refused("values of a task", values, "at most 2^32"));
        }
        let mut bytes = vec![0; values];
        let mut labels = Vec::with_capacity(samples);
        for (row, sample) in bytes.chunks_exact_mut(elements).zip(0_u64..) {
            let mut random = construction_stream(seed, Purpose::Task, part, sample);
            labels.push(self.draw(sample, channels, row, &mut random));
        }
        let values = Values::Bytes {
            bytes,
            full_scale: 1,
        };
        Dataset::new(self.name(), &[steps, channels], values, labels, classes)
    }

    /// Writes a sample, `[steps, channels]`, and gives its class.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "classes are checked to be few; a remainder is below them"
    )]
    fn draw(
        &self,
        sample: u64,
        channels: usize,
        row: &mut [u8],
        random: &mut Construction,
    ) -> usize {
        match self {
            Self::RandomPatterns {
                probability,
                classes,
                ..
            } => {
                let class = random.below(*classes as u32) as usize;
                row.iter_mut()
                    .for_each(|x| *x = spike(*probability, random));
                class
            }
            Self::DelayedMatch {
                cues,
                channels: of_cue,
                cue_steps,
                gap_steps,
                probability,
                noise,
                ..
            } => {
                let class = (sample % 2) as usize;
                let first = (sample / 2 % *cues as u64) as usize;
                let other = random.below(*cues as u32 - 1) as usize + 1;
                let second = (first + other * (1 - class)) % cues;
                let begins = [0, cue_steps + gap_steps];
                for (step, row) in row.chunks_exact_mut(channels).enumerate() {
                    let mut shown = [first, second].into_iter().zip(begins);
                    let cue = shown
                        .find(|(_, begin)| (*begin..begin + cue_steps).contains(&step))
                        .map(|(cue, _)| cue);
                    for (channel, x) in row.iter_mut().enumerate() {
                        let is_cued = cue == Some(channel / of_cue);
                        let p = if is_cued { *probability } else { *noise };
                        *x = spike(p, random);
                    }
                }
                class
            }
            Self::Lag {
                probability, lags, ..
            } => {
                let class = (sample % lags.len() as u64) as usize;
                let lag = lags[class];
                let behind = lag.unsigned_abs() as usize;
                let half = channels / 2;
                // The ear that is late begins with spikes that the other heard before the sample.
                let (early, late) = if lag < 0 { (half, 0) } else { (0, half) };
                let steps = row.len() / channels;
                for step in 0..steps + behind {
                    for channel in 0..half {
                        let x = spike(*probability, random);
                        if step >= behind {
                            row[(step - behind) * channels + early + channel] = x;
                        }
                        if step < steps {
                            row[step * channels + late + channel] = x;
                        }
                    }
                }
                class
            }
        }
    }
}

fn spike(probability: f64, random: &mut Construction) -> u8 {
    u8::from(random.uniform() < probability)
}

#[allow(clippy::cast_precision_loss, reason = "for a message")]
fn refused(name: &'static str, value: usize, expected: &'static str) -> DataError {
    DataError::Parameter {
        name,
        value: value as f64,
        expected,
    }
}

fn whole(name: &'static str, value: usize) -> Result<(), DataError> {
    if (1..=MOST).contains(&value) {
        return Ok(());
    }
    Err(refused(name, value, "1 to 2^24"))
}

fn share(name: &'static str, value: f64) -> Result<(), DataError> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(DataError::Parameter {
        name,
        value,
        expected: "0 to 1",
    })
}

#[cfg(test)]
mod tests;
