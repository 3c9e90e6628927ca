//! Layers: stateless over time, they map what arrives at a step to real values.

mod conv1d;
mod conv2d;
mod convolution;
mod linear;
mod matmul;
#[cfg(test)]
mod testing;
mod window;

use rheobase_engine::port::Registry;

/// Adds every layer of this room.
pub(crate) fn register(registry: &mut Registry) {
    let layers = [
        ("conv1d", conv1d::ENTRY),
        ("conv2d", conv2d::ENTRY),
        ("linear", linear::ENTRY),
    ];
    registry
        .layers
        .extend(layers.map(|(name, entry)| (name.to_owned(), entry)));
}
