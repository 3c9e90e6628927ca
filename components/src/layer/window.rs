//! Windows that slide over one or two axes: what convolutions and pooling share.

use std::ops::Range;

use rheobase_engine::arguments::{ArgumentError, Arguments};

/// Largest kernel, stride, padding and dilation.
pub(super) const MAX_SIZE: u64 = 65_536;
/// More channels than any machine holds weights for.
pub(super) const MAX_CHANNELS: u64 = 1 << 31;
/// Most elements of an array of one row: they are numbered in 32 bits.
pub(super) const MAX_ELEMENTS: usize = 1 << 31;

/// A window and how it moves, for each axis: y, then x.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Window {
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) padding: [usize; 2],
    pub(super) dilation: [usize; 2],
}

impl Default for Window {
    /// The window of one element.
    fn default() -> Self {
        Self {
            kernel: [1; 2],
            stride: [1; 2],
            padding: [0; 2],
            dilation: [1; 2],
        }
    }
}

impl Window {
    /// Elements of the window.
    pub(super) fn taps(&self) -> usize {
        self.kernel[0].saturating_mul(self.kernel[1])
    }

    /// Input elements from the first to the last of a window along an axis.
    pub(super) fn extent(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1)
            .saturating_mul(self.dilation[axis])
            .saturating_add(1)
    }

    /// Positions of the window along each axis of an input of `size`.
    ///
    /// # Errors
    /// A sentence: the window does not fit, or there are too many elements.
    pub(super) fn positions(&self, size: [usize; 2]) -> Result<[usize; 2], String> {
        let mut positions = [0; 2];
        for axis in 0..2 {
            let padded = size[axis].saturating_add(2 * self.padding[axis]);
            let extent = self.extent(axis);
            if extent > padded {
                return Err(format!(
                    "its window covers {extent} elements, its input has {padded} with padding; \
                     make the kernel smaller or pad more"
                ));
            }
            positions[axis] = (padded - extent) / self.stride[axis] + 1;
        }
        Ok(positions)
    }

    /// Those of `positions` along an axis at which this tap lies over the input, not over padding.
    pub(super) fn inside(
        &self,
        axis: usize,
        tap: usize,
        size: usize,
        positions: usize,
    ) -> Range<usize> {
        let (stride, padding) = (self.stride[axis], self.padding[axis]);
        let shift = tap * self.dilation[axis];
        let start = padding.saturating_sub(shift).div_ceil(stride);
        let end = (size + padding).saturating_sub(shift);
        let end = end.div_ceil(stride).min(positions);
        start.min(end)..end
    }
}

/// Product of sizes, if arrays of that many elements are allowed.
///
/// # Errors
/// A sentence that names the limit.
pub(super) fn elements(sizes: &[usize]) -> Result<usize, String> {
    sizes
        .iter()
        .try_fold(1_usize, |product, &n| product.checked_mul(n))
        .filter(|&n| n <= MAX_ELEMENTS)
        .ok_or_else(|| {
            format!(
                "an array of the sizes {sizes:?} would have more than {MAX_ELEMENTS} elements; \
                 make it smaller"
            )
        })
}

/// A size as devices count: in 32 bits.
pub(super) fn narrow(n: usize) -> Option<u32> {
    u32::try_from(n).ok()
}

/// The same for both axes.
pub(super) fn narrow_both([y, x]: [usize; 2]) -> Option<[u32; 2]> {
    Some([narrow(y)?, narrow(x)?])
}

/// A size for each of `axes` axes, from an argument that is one number for all, or a list. Where there
/// is one axis it is the second, and the first has `alone`.
///
/// # Errors
/// A list of another length; a size not from `least` to [`MAX_SIZE`].
pub(super) fn sizes(
    arguments: &Arguments,
    name: &str,
    axes: usize,
    least: u64,
    alone: usize,
) -> Result<[usize; 2], ArgumentError> {
    let given = arguments.sizes(name)?;
    let mut sizes = Vec::with_capacity(given.len());
    for &n in &given {
        let size = usize::try_from(n).ok();
        let size = size.filter(|_| (least..=MAX_SIZE).contains(&n));
        sizes.push(size.ok_or_else(|| {
            ArgumentError::new(name, format!("expected {least} to {MAX_SIZE}, found {n}"))
        })?);
    }
    match (axes, sizes.as_slice()) {
        (1, &[n]) => Ok([alone, n]),
        (2, &[n]) => Ok([n, n]),
        (2, &[y, x]) => Ok([y, x]),
        (1, _) => Err(ArgumentError::new(
            name,
            format!("expected a number, found a list of {}", sizes.len()),
        )),
        _ => Err(ArgumentError::new(
            name,
            format!(
                "expected a number or a list of 2 (height, width), found a list of {}",
                sizes.len()
            ),
        )),
    }
}

/// A number of channels.
///
/// # Errors
/// One that is not from 1 to [`MAX_CHANNELS`].
pub(super) fn channels(arguments: &Arguments, name: &str) -> Result<usize, ArgumentError> {
    let n = arguments.integer(name)?;
    let channels = usize::try_from(n).ok();
    let channels = channels.filter(|_| (1..=MAX_CHANNELS).contains(&n));
    channels
        .ok_or_else(|| ArgumentError::new(name, format!("expected 1 to {MAX_CHANNELS}, found {n}")))
}
