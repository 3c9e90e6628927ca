//! Layers: stateless over time, they map what arrives at a step to real values.

mod linear;
mod matmul;
#[cfg(test)]
mod testing;

use rheobase_engine::port::Registry;

/// Adds every layer of this room.
pub(crate) fn register(registry: &mut Registry) {
    let layers = [("linear", linear::ENTRY)];
    registry
        .layers
        .extend(layers.map(|(name, entry)| (name.to_owned(), entry)));
}
