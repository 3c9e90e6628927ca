//! The commands, one file each.

pub(crate) mod bench;
pub(crate) mod ci;
pub(crate) mod golden;
pub(crate) mod new;
pub(crate) mod test;
pub(crate) mod test_gpu;
pub(crate) mod tidy;
