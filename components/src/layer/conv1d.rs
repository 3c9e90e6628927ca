//! Convolution over one axis: as [`conv2d`](super::conv2d) with an input of height 1.
//!
//! # Equations
//! y\[o, i\] = b\[o\] + Σ W\[o, c, k\] · x\[c, i·stride + k·dilation − padding\], where x outside the
//! input is 0, and c runs over the channels of the output's own group.
//!
//! # Update scheme
//! Each output starts from its bias and adds its inputs in ascending order of (c, k); the rest as in
//! `conv2d`.
//!
//! # Parameters
//! | name | unit | default | range |
//! |---|---|---|---|
//! | `out_channels` | 1 | required | 1 to 2³¹ |
//! | `kernel_size` | 1 | required | 1 to 65,536 |
//! | `stride` | 1 | 1 | 1 to 65,536 |
//! | `padding` | 1 | 0 | 0 to 65,536 |
//! | `dilation` | 1 | 1 | 1 to 65,536 |
//! | `groups` | 1 | 1 | divides the channels of input and output |
//! | `bias` | – | true | – |
//!
//! Trained parameters: `weight`, row-major `[out, in/groups, kernel]`, and `bias` `[out]` where there is
//! one. Both start uniform between ±1/√(in/groups · kernel).
//!
//! # State
//! None over time.
//!
//! # Shapes
//! `[rows, channels, length]` → `[rows, out, length']`, with rows = steps × batch and
//! length' = ⌊(length + 2·padding − dilation·(kernel − 1) − 1)/stride⌋ + 1.
//!
//! # Semantics
//! An input that spikes k times in a row counts k times. Padding adds nothing. The axis is one of
//! space: steps are never mixed.
//!
//! # Errors
//! An input that is not `[channels, length]`; the rest as in `conv2d`.
//!
//! # Source
//! `torch.nn.Conv1d` and its default initialisation, PyTorch 2.
//!
//! # Example
//! ```
//! let arguments = [
//!     ("out_channels", "8".into()),
//!     ("kernel_size", "5".into()),
//!     ("padding", "2".into()),
//! ];
//! let conv = rheobase_components::layer("conv1d", &arguments)?;
//! assert_eq!(conv.output_shape(&[3, 100]), Ok(vec![8, 100]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::Arc;

use rheobase_engine::port::{Entry, LayerType};

use super::conv2d::{ARGUMENTS, make};

pub(super) const ENTRY: Entry<Arc<dyn LayerType>> = Entry {
    summary: "windows slide over one axis, each output channel weighs their contents",
    arguments: &ARGUMENTS,
    make: |arguments| make(arguments, 1),
};
