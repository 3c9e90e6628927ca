//! What can go wrong on a device.

use rheobase_shaders::{EmitError, UniformError};

use super::adapter::AdapterChoice;

/// What can go wrong on a device.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GpuError {
    /// No adapter fits the choice.
    #[error("no {choice} GPU adapter; {}", found_text(found))]
    NoAdapter {
        /// What was asked for.
        choice: AdapterChoice,
        /// Names of the adapters there are.
        found: Vec<String>,
    },
    /// The adapter refused to open a device.
    #[error("the adapter `{adapter}` cannot be opened: {reason}")]
    Request {
        /// Name of the adapter.
        adapter: String,
        /// Its reason.
        reason: String,
    },
    /// More than the device allows.
    #[error(
        "{what}: {needed} needed, but the device allows {limit}; use the CPU backend or a smaller population"
    )]
    Limit {
        /// What is limited.
        what: &'static str,
        /// How much is needed.
        needed: u64,
        /// How much there is.
        limit: u64,
    },
    /// The device has no memory left.
    #[error("the device is out of memory ({during}); use the CPU backend or a smaller population")]
    OutOfMemory {
        /// What was being done.
        during: &'static str,
    },
    /// The device is gone: removed, reset, destroyed.
    #[error("the device is lost: {reason}; open it again or use the CPU backend")]
    Lost {
        /// Why, as far as the driver says.
        reason: String,
    },
    /// The device rejected a call. A defect of this program or of the driver.
    #[error("the device rejected a call ({during}): {reason}")]
    Validation {
        /// What was being done.
        during: &'static str,
        /// Its reason.
        reason: String,
    },
    /// The driver failed, or compiled a shader to nothing.
    #[error("the driver failed ({during}): {reason}")]
    Internal {
        /// What was being done.
        during: &'static str,
        /// Its reason.
        reason: String,
    },
    /// The device did not finish in time.
    #[error("the device did not finish within {seconds} s")]
    Timeout {
        /// How long it was waited for.
        seconds: u64,
    },
    /// A component that only the processor runs.
    #[error("`{name}` has no form for devices; use the CPU backend")]
    NoForm {
        /// Its name in the network.
        name: String,
    },
    /// The program cannot become a shader.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// An array does not have the length the kernel expects.
    #[error("{what}: {expected} elements expected, {got} given")]
    Shape {
        /// Which array.
        what: &'static str,
        /// Length expected.
        expected: usize,
        /// Length given.
        got: usize,
    },
}

impl From<UniformError> for GpuError {
    fn from(e: UniformError) -> Self {
        Self::Shape {
            what: "places",
            expected: e.expected,
            got: e.got,
        }
    }
}

fn found_text(found: &[String]) -> String {
    if found.is_empty() {
        "there is none at all (on Linux, `mesa-vulkan-drivers` brings a software adapter)"
            .to_owned()
    } else {
        format!("there are: {}", found.join(", "))
    }
}
