//! Waiting for a message: how long, and what ends it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError};

/// How often a worker looks into an empty mailbox before it parks: some tens of microseconds, as long
/// as phases of a large network differ between workers. Parking and waking costs about as much.
const LOOKS: u32 = 4000;

/// How long a worker waits at a stretch before it looks whether another has failed.
const WAIT: Duration = Duration::from_millis(50);

/// How long to wait for a message. Stretches are counted, not timed: a process that was stopped and
/// continued has waited for one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    looks: u32,
    wait: Duration,
    waits: u32,
}

/// Why no message came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Missing {
    /// The other side is gone.
    Closed,
    /// Another worker has failed.
    Aborted,
    /// It did not come in time.
    Late,
}

impl Patience {
    /// Waits for `limit`, at least one millisecond. Where there are more threads than processors
    /// (`crowded`) it parks at once: looking would take time from the others.
    pub(crate) fn new(limit: Duration, crowded: bool) -> Self {
        let wait = limit.clamp(Duration::from_millis(1), WAIT);
        let waits = limit.as_nanos().div_ceil(wait.as_nanos()).max(1);
        Self {
            looks: if crowded { 0 } else { LOOKS },
            wait,
            waits: u32::try_from(waits).unwrap_or(u32::MAX),
        }
    }

    /// Seconds until [`Missing::Late`].
    pub(crate) fn seconds(&self) -> f64 {
        self.wait.as_secs_f64() * f64::from(self.waits)
    }

    /// The next message. `parking` is called once, when looking was in vain.
    pub(crate) fn receive<T>(
        &self,
        mailbox: &Receiver<T>,
        abort: &AtomicBool,
        parking: impl FnOnce(),
    ) -> Result<T, Missing> {
        for _ in 0..self.looks {
            if let Ok(message) = mailbox.try_recv() {
                return Ok(message);
            }
            std::hint::spin_loop();
        }
        parking();
        for _ in 0..self.waits {
            match mailbox.recv_timeout(self.wait) {
                Ok(message) => return Ok(message),
                Err(RecvTimeoutError::Disconnected) => return Err(Missing::Closed),
                Err(RecvTimeoutError::Timeout) if abort.load(Ordering::Acquire) => {
                    return Err(Missing::Aborted);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        Err(Missing::Late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_kept_to_a_stretch() {
        for (limit_ms, seconds) in [(0, 0.001), (20, 0.02), (50, 0.05), (120, 0.15)] {
            let patience = Patience::new(Duration::from_millis(limit_ms), true);
            assert!(
                (patience.seconds() - seconds).abs() < 1e-9,
                "{limit_ms} ms: {patience:?}"
            );
        }
        assert!(Patience::new(Duration::MAX, true).seconds() > 1e8);
    }
}
