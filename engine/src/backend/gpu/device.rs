//! An open device, whose trouble is always a value.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::adapter::{AdapterChoice, AdapterInfo, adapters, pick};
use super::error::GpuError;

/// How long one submission may take before it counts as hung \[s\].
const WAIT_LIMIT_S: u64 = 120;

/// An open device. Cloning shares it.
///
/// ```
/// use rheobase_engine::backend::gpu::{AdapterChoice, GpuDevice, GpuError};
///
/// match GpuDevice::request(&AdapterChoice::Any) {
///     Ok(device) => println!("{} ({})", device.info().name, device.info().driver),
///     Err(e @ GpuError::NoAdapter { .. }) => println!("{e}"),
///     Err(e) => return Err(e),
/// }
/// # Ok::<(), GpuError>(())
/// ```
#[derive(Clone)]
pub struct GpuDevice {
    inner: Arc<Inner>,
}

struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: AdapterInfo,
    limits: wgpu::Limits,
    trouble: Arc<Mutex<Trouble>>,
    /// Bytes that buffers may still take.
    memory_left: AtomicU64,
    has_timestamps: bool,
    is_timed: AtomicBool,
    most_steps: AtomicU32,
}

/// What the callbacks heard.
#[derive(Default)]
struct Trouble {
    lost: Option<String>,
    uncaptured: Option<GpuError>,
}

impl fmt::Debug for GpuDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GpuDevice")
            .field("info", &self.inner.info)
            .finish_non_exhaustive()
    }
}

impl GpuDevice {
    /// Opens the adapter of that choice, with all the limits it has.
    ///
    /// # Errors
    /// If no adapter fits, or it refuses.
    pub fn request(choice: &AdapterChoice) -> Result<Self, GpuError> {
        let (info, adapter) = pick(choice)?;
        let limits = adapter.limits();
        let features = adapter.features() & wgpu::Features::TIMESTAMP_QUERY;
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("rheobase"),
            required_features: features,
            required_limits: limits.clone(),
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) =
            pollster::block_on(adapter.request_device(&descriptor)).map_err(|e| {
                GpuError::Request {
                    adapter: info.name.clone(),
                    reason: e.to_string(),
                }
            })?;
        let trouble = Arc::new(Mutex::new(Trouble::default()));
        listen(&device, &trouble);
        Ok(Self {
            inner: Arc::new(Inner {
                device,
                queue,
                info,
                limits,
                trouble,
                memory_left: AtomicU64::new(u64::MAX),
                has_timestamps: !features.is_empty(),
                is_timed: AtomicBool::new(false),
                most_steps: AtomicU32::new(u32::MAX),
            }),
        })
    }

    /// Every adapter that could be opened, in the order they are tried.
    #[must_use]
    pub fn adapters() -> Vec<AdapterInfo> {
        adapters()
    }

    /// The adapter this device belongs to.
    #[must_use]
    pub fn info(&self) -> &AdapterInfo {
        &self.inner.info
    }

    /// Gives the device up at once: every later call on it is a [`GpuError::Lost`].
    pub fn destroy(&self) {
        self.inner.device.destroy();
        locked(&self.inner.trouble)
            .lost
            .get_or_insert_with(|| "it was destroyed".to_owned());
    }

    /// Lets circuits and passes take so many bytes from now on, those they have taken before not counted;
    /// what goes beyond is a [`GpuError::OutOfMemory`]. Without, the driver decides.
    pub fn limit_memory(&self, bytes: u64) {
        self.inner.memory_left.store(bytes, Ordering::Relaxed);
    }

    /// Lets a submission hold at most so many steps of circuits that are made from now on: where a driver
    /// takes long ones for hung. Results do not depend on it.
    pub fn limit_submission(&self, steps: u32) {
        self.inner.most_steps.store(steps.max(1), Ordering::Relaxed);
    }

    /// Most steps of a submission.
    pub(super) fn most_steps(&self) -> u32 {
        self.inner.most_steps.load(Ordering::Relaxed)
    }

    /// Measures how long each kind of kernel of a circuit takes, from now on or no longer
    /// ([`DeviceCounts`](super::DeviceCounts)). Every kernel is then run by itself, which takes longer in
    /// all. False where the adapter has no timestamps.
    #[must_use]
    pub fn measure(&self, on: bool) -> bool {
        self.inner
            .is_timed
            .store(on && self.inner.has_timestamps, Ordering::Relaxed);
        self.inner.has_timestamps
    }

    /// Whether kernels are to be measured.
    pub(super) fn is_timed(&self) -> bool {
        self.inner.is_timed.load(Ordering::Relaxed)
    }

    /// Takes bytes out of what buffers may take.
    pub(super) fn reserve(&self, during: &'static str, bytes: u64) -> Result<(), GpuError> {
        let left = &self.inner.memory_left;
        let take = |left: u64| match left {
            u64::MAX => Some(left),
            left => left.checked_sub(bytes),
        };
        match left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => Ok(()),
            Err(_) => Err(GpuError::OutOfMemory { during }),
        }
    }

    /// A buffer is gone.
    pub(super) fn give_back(&self, bytes: u64) {
        let left = &self.inner.memory_left;
        let more = |left: u64| match left {
            u64::MAX => None,
            // Below the mark that means no limit.
            left => Some(left.saturating_add(bytes).min(u64::MAX - 1)),
        };
        let _ = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    pub(super) fn queue(&self) -> &wgpu::Queue {
        &self.inner.queue
    }

    pub(super) fn limits(&self) -> &wgpu::Limits {
        &self.inner.limits
    }

    /// The loss of the device, or an error that no scope caught.
    pub(super) fn check(&self) -> Result<(), GpuError> {
        let mut trouble = locked(&self.inner.trouble);
        if let Some(reason) = &trouble.lost {
            return Err(GpuError::Lost {
                reason: reason.clone(),
            });
        }
        trouble.uncaptured.take().map_or(Ok(()), Err)
    }

    /// Runs `call` inside one error scope of each kind.
    pub(super) fn scoped<T>(
        &self,
        during: &'static str,
        call: impl FnOnce(&wgpu::Device) -> T,
    ) -> Result<T, GpuError> {
        self.check()?;
        let device = &self.inner.device;
        let scopes = [
            wgpu::ErrorFilter::Internal,
            wgpu::ErrorFilter::OutOfMemory,
            wgpu::ErrorFilter::Validation,
        ]
        .map(|filter| device.push_error_scope(filter));
        let result = call(device);
        // Innermost first. The first kind that reports decides; the loss of the device explains all.
        let mut error = None;
        for scope in scopes.into_iter().rev() {
            let caught = pollster::block_on(scope.pop());
            error = error.or(caught);
        }
        self.check()?;
        error.map_or(Ok(result), |e| Err(convert(e, during)))
    }

    /// Waits until the submission is done.
    pub(super) fn wait(&self, submission: wgpu::SubmissionIndex) -> Result<(), GpuError> {
        self.poll(wgpu::PollType::Wait {
            submission_index: Some(submission),
            timeout: Some(Duration::from_secs(WAIT_LIMIT_S)),
        })
    }

    /// Waits for what a callback of finished work sends.
    ///
    /// Work being done does not mean that its callbacks have run: a thread that polls the same
    /// device may have taken them and be about to run them.
    pub(super) fn wait_for<T>(&self, receiver: &Receiver<T>) -> Result<T, GpuError> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(WAIT_LIMIT_S) {
            match receiver.recv_timeout(Duration::from_millis(1)) {
                Ok(sent) => return Ok(sent),
                Err(RecvTimeoutError::Timeout) => self.poll(wgpu::PollType::Poll)?,
                Err(RecvTimeoutError::Disconnected) => {
                    self.check()?;
                    return Err(GpuError::Internal {
                        during: "waiting for a callback",
                        reason: "it was dropped without being called".to_owned(),
                    });
                }
            }
        }
        Err(GpuError::Timeout {
            seconds: WAIT_LIMIT_S,
        })
    }

    fn poll(&self, poll: wgpu::PollType) -> Result<(), GpuError> {
        // `poll` has no error for a device lost while it waits: it panics. That is the one panic
        // of the interface that cannot be ruled out beforehand.
        let polled = catch_unwind(AssertUnwindSafe(|| self.inner.device.poll(poll)));
        self.check()?;
        match polled {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(wgpu::PollError::Timeout)) => Err(GpuError::Timeout {
                seconds: WAIT_LIMIT_S,
            }),
            Ok(Err(e)) => Err(GpuError::Internal {
                during: "waiting",
                reason: e.to_string(),
            }),
            Err(_) => Err(GpuError::Lost {
                reason: "it failed while being waited for".to_owned(),
            }),
        }
    }
}

fn listen(device: &wgpu::Device, trouble: &Arc<Mutex<Trouble>>) {
    let heard = Arc::clone(trouble);
    device.on_uncaptured_error(Arc::new(move |e| {
        locked(&heard)
            .uncaptured
            .get_or_insert(convert(e, "outside any call"));
    }));
    let heard = Arc::clone(trouble);
    device.set_device_lost_callback(move |reason, message| {
        let text = if message.is_empty() {
            format!("{reason:?}")
        } else {
            message
        };
        locked(&heard).lost.get_or_insert(text);
    });
}

fn locked(trouble: &Mutex<Trouble>) -> MutexGuard<'_, Trouble> {
    trouble.lock().unwrap_or_else(PoisonError::into_inner)
}

fn convert(error: wgpu::Error, during: &'static str) -> GpuError {
    match error {
        wgpu::Error::OutOfMemory { .. } => GpuError::OutOfMemory { during },
        wgpu::Error::Validation { description, .. } => GpuError::Validation {
            during,
            reason: description,
        },
        wgpu::Error::Internal { description, .. } => GpuError::Internal {
            during,
            reason: description,
        },
    }
}
