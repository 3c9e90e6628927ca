//! The loop over epochs and batches.

use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rheobase_engine::Instantiate;
use rheobase_engine::plan::{NodeKind, Plan};
use rheobase_engine::port::Registry;
use rheobase_engine::unrolled::{UnrolledNetwork, UnrolledOptions};
use rheobase_equations::real::Precision;
use rheobase_formats::tensorboard::EventWriter;
use rheobase_learning::data::{BatchOptions, Batches, Dataset, Position, Split};
use rheobase_learning::encode::Samples;
use rheobase_learning::record::{Metrics, Recorder};
use rheobase_learning::schedule::Schedule;
use rheobase_learning::trainer::{Trainer, Training};
use rheobase_report::{ResultFolder, atomic_write};

use super::backend::{Attach, Place};
use super::checkpoint::{self, Standing};
use super::judge::{Judged, Sums, judge};
use super::results::{self, EvaluationRecord, TrainingRecord};
use super::settings::ScheduleSettings;
use super::{METRICS, TrainFailure, TrainOptions, TrainProgress, TrainingFile, WEIGHTS};
use crate::run::{Continue, available_memory};

/// Trains, and fills `folder`. `progress` is told of every batch and may stop; what was learned so far is
/// kept then.
///
/// # Errors
/// If network, settings, data or checkpoint do not fit, a number becomes infinite, or a file cannot be
/// written. The last checkpoint is kept.
pub fn train(
    file: &TrainingFile,
    registry: &Registry,
    options: &TrainOptions,
    folder: &ResultFolder,
    progress: &mut dyn FnMut(TrainProgress<'_>) -> Continue,
) -> Result<TrainingRecord, TrainFailure> {
    let plan = Arc::new(file.network.resolve(registry)?);
    match plan.precision {
        Precision::F32 => train_in::<f32>(file, plan, options, folder, progress),
        Precision::F64 => train_in::<f64>(file, plan, options, folder, progress),
    }
}

/// Loss, accuracy and confusion of the weights in a file on the test part of the data.
///
/// # Errors
/// If network, settings, data or weights do not fit.
pub fn evaluate(
    file: &TrainingFile,
    registry: &Registry,
    weights: &Path,
    threads: usize,
) -> Result<EvaluationRecord, TrainFailure> {
    let plan = Arc::new(file.network.resolve(registry)?);
    match plan.precision {
        Precision::F32 => evaluate_in::<f32>(file, plan, weights, threads),
        Precision::F64 => evaluate_in::<f64>(file, plan, weights, threads),
    }
}

fn evaluate_in<R: Instantiate>(
    file: &TrainingFile,
    plan: Arc<Plan>,
    weights: &Path,
    threads: usize,
) -> Result<EvaluationRecord, TrainFailure> {
    let data = file
        .settings
        .data
        .load::<R>(file.settings.steps, plan.seed)?;
    let mut trainer = trainer::<R>(file, plan, &data, threads)?;
    let (state, _) = checkpoint::read(weights, &trainer.state()?)?;
    trainer.restore_network(state)?;
    let begun = Instant::now();
    let test = judge(file, &mut trainer, &Arc::new(data.test))?;
    Ok(EvaluationRecord {
        data: file.settings.data.to_string(),
        samples: test.confusion.n_samples(),
        loss: test.loss,
        accuracy: test.accuracy(),
        classes: test.confusion.classes(),
        confusion: test.confusion.counts().to_vec(),
        seconds: begun.elapsed().as_secs_f64(),
    })
}

/// Puts a trainer together.
fn trainer<R: Instantiate>(
    file: &TrainingFile,
    plan: Arc<Plan>,
    data: &Split<R>,
    threads: usize,
) -> Result<Trainer<R>, TrainFailure> {
    let settings = &file.settings;
    if settings.record_every == 0 {
        return Err(TrainFailure::Fit(
            "training.record_every is 0: expected 1 or more epochs".to_owned(),
        ));
    }
    let encoder = settings.encoder.make::<R>();
    let elements = encoder.width(settings.steps, data.train.elements())?;
    let inputs = plan
        .nodes
        .iter()
        .filter(|n| matches!(n.kind, NodeKind::Input(_)));
    for input in inputs {
        if input.size() != elements {
            return Err(TrainFailure::Fit(format!(
                "input `{}` has {} elements, a sample of `{}` (shape {:?}) as encoded has {elements}{}",
                input.name,
                input.size(),
                settings.data,
                data.train.shape(),
                if input.size().checked_mul(settings.steps) == Some(elements) {
                    "; is it a sequence? encoder = { kind = \"sequence\" }"
                } else {
                    ""
                }
            )));
        }
    }
    let batch = settings.batch.min(data.train.len().max(data.test.len()));
    let unrolled = UnrolledOptions {
        steps: settings.steps,
        batch,
        threads,
        max_bytes: settings
            .max_memory_mib
            .map(|mib| mib.saturating_mul(1 << 20))
            .or_else(available_memory),
        truncate_steps: settings.truncate_steps,
        outputs: settings.output.iter().cloned().collect(),
        input_cotangents: false,
    };
    let seed = plan.seed;
    let network = UnrolledNetwork::<R>::new(plan, &unrolled)?;
    let names: Vec<String> = network.output_names().map(str::to_owned).collect();
    let [output] = names.as_slice() else {
        return Err(TrainFailure::Fit(format!(
            "nothing is joined to {}: name one of them as training.output",
            names.join(", ")
        )));
    };
    let nodes = &network.plan().nodes;
    let size = nodes
        .iter()
        .find(|n| n.name == *output)
        .map_or(0, |n| n.size());
    if size != data.train.classes() {
        return Err(TrainFailure::Fit(format!(
            "output `{output}` has {size} elements, `{}` has {} classes",
            settings.data,
            data.train.classes()
        )));
    }
    let training = Training {
        objective: settings.loss.make(),
        output: output.clone(),
        seed,
        clip_norm: settings.clip_norm,
    };
    let optimizer = settings.optimizer.make()?;
    if settings.schedule != ScheduleSettings::Constant && !settings.optimizer.has_learning_rate() {
        return Err(TrainFailure::Fit(
            "training.schedule changes a learning rate, but the text of training.optimizer declares no \
             parameter learning_rate"
                .to_owned(),
        ));
    }
    Trainer::new(network, encoder, optimizer, training)
        .map_err(|e| TrainFailure::Fit(e.to_string()))
}

/// Batches between two copies of what a device has learned.
const KEPT_EVERY: u64 = 64;

/// Where training stood when what a device has learned was last copied.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    position: Position,
    sums: Sums,
    samples: u64,
    batches: u64,
}

/// Training under way.
struct Job<'a, R: Attach> {
    file: &'a TrainingFile,
    options: &'a TrainOptions,
    folder: &'a ResultFolder,
    place: Place,
    trainer: Trainer<R>,
    batches: Batches<R>,
    test: Arc<Dataset<R>>,
    schedule: Schedule,
    standing: Standing,
    sums: Sums,
    recorder: Recorder<std::fs::File>,
    events: EventWriter,
    /// Of this run.
    begun: Instant,
    samples: u64,
    saved: Instant,
    mark: Mark,
}

fn train_in<R: Attach>(
    file: &TrainingFile,
    plan: Arc<Plan>,
    options: &TrainOptions,
    folder: &ResultFolder,
    progress: &mut dyn FnMut(TrainProgress<'_>) -> Continue,
) -> Result<TrainingRecord, TrainFailure> {
    let seed = plan.seed;
    let data = file.settings.data.load::<R>(file.settings.steps, seed)?;
    let rows = file.settings.steps.saturating_mul(file.settings.batch);
    let mut place = Place::choose(&plan, rows, options)?;
    let mut trainer = trainer::<R>(file, plan, &data, options.threads)?;
    R::attach(trainer.network_mut(), &mut place)?;
    let base = trainer.learning_rate();
    let mut standing = Standing {
        description: file.description(),
        ..Standing::default()
    };
    if let Some(path) = &options.resume {
        let (state, saved) = checkpoint::read(path, &trainer.state()?)?;
        if saved.description != standing.description {
            let difference = difference(&saved.description, &standing.description);
            return Err(TrainFailure::Other { difference });
        }
        trainer.restore(state)?;
        standing = saved;
    }
    let batch_options = BatchOptions {
        size: file.settings.batch.min(data.train.len()),
        ..BatchOptions::new(seed)
    };
    let batches = Batches::new(Arc::new(data.train), batch_options)?;
    let mut lines = Recorder::new(Vec::new());
    for metrics in &standing.metrics {
        lines.write(metrics)?;
    }
    // Lines of what comes after the checkpoint are written again.
    let path = folder.file(METRICS);
    atomic_write(&path, &lines.into_inner())?;
    let now = unix_time();
    let job = Job {
        schedule: file.settings.schedule.make(base)?,
        recorder: Recorder::append(&path)?,
        events: EventWriter::create(&folder.file("tensorboard"), &unique_name(), now)?,
        sums: Sums {
            loss: f64::from_bits(standing.loss_sum),
            samples: standing.samples,
            correct: standing.correct,
        },
        file,
        options,
        folder,
        place,
        trainer,
        batches,
        test: Arc::new(data.test),
        standing,
        begun: Instant::now(),
        samples: 0,
        saved: Instant::now(),
        mark: Mark::default(),
    };
    job.run(progress)
}

/// The first line in which two texts differ.
fn difference(saved: &str, given: &str) -> String {
    let pairs = saved.lines().zip(given.lines());
    let different = pairs
        .map(|(a, b)| (a.trim(), b.trim()))
        .find(|(a, b)| a != b);
    match different {
        Some((a, b)) => format!("`{a}` there, `{b}` here"),
        None => "one has more entries".to_owned(),
    }
}

fn unix_time() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |d| d.as_secs_f64())
}

/// Runs that begin in the same second have files of their own.
fn unique_name() -> String {
    let nanoseconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.subsec_nanos());
    format!("rheobase.{}.{nanoseconds}", std::process::id())
}

impl<R: Attach> Job<'_, R> {
    fn run(
        mut self,
        progress: &mut dyn FnMut(TrainProgress<'_>) -> Continue,
    ) -> Result<TrainingRecord, TrainFailure> {
        let epochs = self.file.settings.epochs;
        let mut stopped = false;
        self.keep()?;
        while self.standing.position.epoch < epochs && !stopped {
            stopped = match self.epoch(progress) {
                Err(failure) => self.take_over(failure)?,
                stopped => stopped?,
            };
        }
        if let Err(failure) = self.keep() {
            self.take_over(failure)?;
        }
        self.save()?;
        let test = match self.judge() {
            Err(failure) => {
                self.take_over(failure)?;
                self.judge()?
            }
            test => test?,
        };
        let health = self.trainer.health();
        let record = TrainingRecord {
            name: self.trainer.network().plan().name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seed: self.trainer.network().plan().seed,
            threads: self.options.threads,
            backend: self.place.name.to_owned(),
            backend_reason: self.place.reason.clone(),
            adapter: self.place.adapter.clone(),
            device_submissions: self.trainer.network().device_submissions(),
            settings: self.file.settings.clone(),
            epochs: self.standing.position.epoch,
            batches: self.trainer.batches(),
            interrupted: stopped,
            test_loss: test.loss,
            test_accuracy: test.accuracy(),
            seconds: self.standing.seconds,
            kept_bytes: self.trainer.network().kept_bytes(),
            segment_steps: self.trainer.network().segment_steps(),
            warnings: health.warnings(),
            machine: rheobase_report::Machine::detect(),
        };
        results::write(
            self.folder,
            &record,
            &self.standing.metrics,
            (test.confusion.classes(), test.confusion.counts()),
        )?;
        Ok(record)
    }

    /// Copies what a device has learned.
    fn keep(&mut self) -> Result<(), TrainFailure> {
        if !self.trainer.network().is_on_device() {
            return Ok(());
        }
        self.trainer.keep()?;
        self.mark();
        Ok(())
    }

    /// What was copied last is what training has come to.
    fn mark(&mut self) {
        self.mark = Mark {
            position: self.standing.position,
            sums: self.sums,
            samples: self.samples,
            batches: self.trainer.batches(),
        };
    }

    /// Copies what a device has learned, if the last copy is old.
    fn keep_if_due(&mut self) -> Result<(), TrainFailure> {
        if self.trainer.batches() - self.mark.batches >= KEPT_EVERY {
            self.keep()?;
        }
        Ok(())
    }

    /// The processor goes on if a device has failed, from what was last copied. It has not stopped.
    fn take_over(&mut self, failure: TrainFailure) -> Result<bool, TrainFailure> {
        match failure.of_device() {
            Some(reason) if self.place.is_rescued => self.place.take_over(reason),
            _ => return Err(failure),
        }
        R::detach(self.trainer.network_mut());
        self.standing.position = self.mark.position;
        self.sums = self.mark.sums;
        self.samples = self.mark.samples;
        Ok(false)
    }

    /// Loss and accuracy on the test part.
    fn judge(&mut self) -> Result<Judged, TrainFailure> {
        judge(self.file, &mut self.trainer, &self.test)
    }

    /// The rest of an epoch; true if it was stopped.
    fn epoch(
        &mut self,
        progress: &mut dyn FnMut(TrainProgress<'_>) -> Continue,
    ) -> Result<bool, TrainFailure> {
        let position = self.standing.position;
        let epoch = position.epoch;
        let rate = self.schedule.rate(epoch);
        self.trainer.set_learning_rate(rate)?;
        let mut begun = Instant::now();
        if position.batch == self.batches.n_batches() {
            return self.end_of_epoch(progress);
        }
        let mut batches = self.batches.resume(position)?.peekable();
        while let Some(batch) = batches.next() {
            let samples = Samples::new(&batch.values, batch.elements, &batch.numbers)?;
            let next = match batches.peek() {
                Some(next) => Some(Samples::new(&next.values, next.elements, &next.numbers)?),
                None => None,
            };
            let next = next.map(|samples| (samples, epoch));
            let step = self
                .trainer
                .train_ahead(samples, &batch.labels, epoch, next);
            let report = step.map_err(|source| TrainFailure::Step {
                epoch: epoch + 1,
                batch: self.standing.position.batch + 1,
                source,
            })?;
            self.sums.add(report);
            self.samples += batch.len() as u64;
            self.standing.position.batch += 1;
            self.standing.seconds += begun.elapsed().as_secs_f64();
            begun = Instant::now();
            if self.standing.position.batch == self.batches.n_batches() {
                break;
            }
            if progress(self.progress(None)) == Continue::Stop {
                return Ok(true);
            }
            self.keep_if_due()?;
            if self.saved.elapsed() >= self.options.checkpoint_every {
                self.save()?;
            }
        }
        self.end_of_epoch(progress)
    }

    fn end_of_epoch(
        &mut self,
        progress: &mut dyn FnMut(TrainProgress<'_>) -> Continue,
    ) -> Result<bool, TrainFailure> {
        let epoch = self.standing.position.epoch;
        let settings = &self.file.settings;
        let done = epoch + 1;
        if !done.is_multiple_of(settings.record_every) && done < settings.epochs {
            let told = progress(self.progress(None));
            self.next_epoch();
            self.keep_if_due()?;
            if self.saved.elapsed() >= self.options.checkpoint_every {
                self.save()?;
            }
            return Ok(told == Continue::Stop);
        }
        self.keep()?;
        let health = self.trainer.health();
        let begun = Instant::now();
        let test = self.judge()?;
        self.standing.seconds += begun.elapsed().as_secs_f64();
        let (loss, accuracy) = self.sums.means();
        let rate = self.trainer.learning_rate();
        let step = self.trainer.batches();
        let train = Metrics::new(epoch, step, "train")
            .with_loss(loss)
            .with_accuracy(accuracy)
            .with_learning_rate(rate);
        let judged = Metrics::new(epoch, step, "test")
            .with_loss(test.loss)
            .with_accuracy(test.accuracy());
        for metrics in [train, judged] {
            self.recorder.write(&metrics)?;
            self.standing.metrics.push(metrics);
        }
        #[allow(clippy::cast_possible_truncation, reason = "TensorBoard shows f32")]
        let scalars = [
            ("loss/train", loss as f32),
            ("loss/test", test.loss as f32),
            ("accuracy/train", accuracy as f32),
            ("accuracy/test", test.accuracy() as f32),
            ("learning_rate", rate as f32),
        ];
        let number = i64::try_from(epoch + 1).unwrap_or(i64::MAX);
        self.events.scalars(number, unix_time(), &scalars)?;
        let mut line = format!(
            "epoch {}: loss {loss:.4}, accuracy {:.2} %; test: loss {:.4}, accuracy {:.2} %; {:.0} samples/s",
            epoch + 1,
            100.0 * accuracy,
            test.loss,
            100.0 * test.accuracy(),
            self.speed()
        );
        for warning in health.warnings() {
            line.push_str("\n  ");
            line.push_str(&warning);
        }
        let told = progress(self.progress(Some(&line)));
        self.next_epoch();
        // What was kept when the epoch ended is still what there is: its metrics are written once.
        self.mark();
        self.save()?;
        Ok(told == Continue::Stop)
    }

    fn next_epoch(&mut self) {
        self.sums = Sums::default();
        self.standing.position.epoch += 1;
        self.standing.position.batch = 0;
    }

    #[allow(clippy::cast_precision_loss, reason = "numbers of samples")]
    fn speed(&self) -> f64 {
        self.samples as f64 / self.begun.elapsed().as_secs_f64().max(1e-9)
    }

    fn progress<'l>(&self, line: Option<&'l str>) -> TrainProgress<'l> {
        let (loss, accuracy) = self.sums.means();
        TrainProgress {
            epoch: self.standing.position.epoch,
            epochs: self.file.settings.epochs,
            batch: self.standing.position.batch,
            batches: self.batches.n_batches(),
            loss,
            accuracy,
            samples_per_second: self.speed(),
            line,
        }
    }

    fn save(&mut self) -> Result<(), TrainFailure> {
        self.standing.loss_sum = self.sums.loss.to_bits();
        self.standing.samples = self.sums.samples;
        self.standing.correct = self.sums.correct;
        let state = self.trainer.state()?;
        checkpoint::write(&self.folder.file(WEIGHTS), &state, &self.standing)?;
        self.saved = Instant::now();
        Ok(())
    }
}
