//! Kernels for the synapses of a projection are accepted by naga, and kept as reviewable snapshots.

#![allow(
    clippy::expect_used,
    reason = "helpers of tests: what they expect is tested"
)]

mod support;

use rheobase_shaders::WiringShape;
use support::{snapshot, validate};

#[test]
fn kernels_of_synapses_are_accepted() {
    for counts in [false, true] {
        let shape = WiringShape {
            n_source: 30,
            n_target: 7,
            n_synapses: 100,
            longest: 4,
            counts,
        };
        for module in [shape.forward(), shape.reverse(), shape.gradients()] {
            validate(&module);
            if !counts {
                snapshot(&module.name, &module.source);
            }
        }
    }
}
