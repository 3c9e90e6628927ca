//! neuron!: equations to fused native Rust.
