//! Layers: stateless over time, they map what arrives at a step to real values.

mod adaptive_avg_pool2d;
mod avg_pool2d;
mod batch_norm;
mod conv1d;
mod conv2d;
mod conv_transpose2d;
mod convolution;
mod dropout;
mod flatten;
#[cfg(test)]
mod golden;
mod linear;
mod matmul;
mod max_pool2d;
mod pool;
mod quantised;
mod sum;
#[cfg(test)]
mod testing;
mod window;

use rheobase_engine::port::Registry;

pub use batch_norm::{FoldError, Norm, fold_batch_norm};

/// Adds every layer of this room.
pub(crate) fn register(registry: &mut Registry) {
    let layers = [
        ("adaptive_avg_pool2d", adaptive_avg_pool2d::ENTRY),
        ("avg_pool2d", avg_pool2d::ENTRY),
        ("batch_norm", batch_norm::ENTRY),
        ("conv1d", conv1d::ENTRY),
        ("conv2d", conv2d::ENTRY),
        ("conv_transpose2d", conv_transpose2d::ENTRY),
        ("dropout", dropout::ENTRY),
        ("flatten", flatten::ENTRY),
        ("linear", linear::ENTRY),
        ("max_pool2d", max_pool2d::ENTRY),
        ("sum", sum::ENTRY),
    ];
    registry
        .layers
        .extend(layers.map(|(name, entry)| (name.to_owned(), entry)));
}
