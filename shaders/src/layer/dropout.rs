//! Dropout: the mask is drawn wherever it is needed, with the words of the CPU.

use super::LayerKernels;
use super::product::{constant, constants, per_row_element};
use crate::module::{Access, Role};
use crate::philox;

pub(super) fn kernels(n: u32, threshold: u64, scale: f64) -> LayerKernels {
    let below = u32::try_from(threshold);
    let text = format!(
        "{}const DROPS_ALL = {};\n{}\n{}\n{}\n{}",
        constants(&[("N", n), ("THRESHOLD", below.unwrap_or(0))]),
        below.is_err(),
        constant("SCALE", scale),
        philox::FUNCTIONS,
        include_str!("../wgsl/word.wgsl"),
        include_str!("../wgsl/layer/dropout.wgsl")
    );
    let forward = format!(
        "{text}{}",
        include_str!("../wgsl/layer/dropout_forward.wgsl")
    );
    let reverse = format!(
        "{text}{}",
        include_str!("../wgsl/layer/dropout_reverse.wgsl")
    );
    let of_outputs = [(Role::X, Access::Read), (Role::Y, Access::ReadWrite)];
    let of_inputs = [(Role::Dy, Access::Read), (Role::Dx, Access::ReadWrite)];
    let heading = "In training, inputs set to 0 at random.";
    let forward = per_row_element("dropout_forward", heading, n, &forward, &of_outputs);
    let heading = "Adds to dx what dy implies where inputs were kept.";
    let reverse = per_row_element("dropout_reverse", heading, n, &reverse, &of_inputs);
    LayerKernels {
        forward: vec![forward],
        reverse: vec![reverse],
        ..LayerKernels::default()
    }
}
