//! The linear layer, and what only changes the shape.

use super::LayerKernels;
use super::conv2d::{self, Sizes};
use super::product::{constants, per_row_element};
use crate::module::{Access, Role};

/// A convolution whose window covers the one position there is.
pub(super) fn kernels(n_in: u32, n_out: u32, has_bias: bool) -> LayerKernels {
    let sizes = Sizes {
        channels: n_in,
        input: [1; 2],
        outputs: n_out,
        output: [1; 2],
        kernel: [1; 2],
        stride: [1; 2],
        padding: [0; 2],
        dilation: [1; 2],
        groups: 1,
        has_bias,
    };
    conv2d::kernels("linear", &sizes)
}

pub(super) fn copy(n: u32) -> LayerKernels {
    let constants = constants(&[("N", n)]);
    let forward = format!(
        "{constants}\n{}",
        include_str!("../wgsl/layer/copy_forward.wgsl")
    );
    let reverse = format!(
        "{constants}\n{}",
        include_str!("../wgsl/layer/copy_reverse.wgsl")
    );
    let of_outputs = [(Role::X, Access::Read), (Role::Y, Access::ReadWrite)];
    let of_inputs = [(Role::Dy, Access::Read), (Role::Dx, Access::ReadWrite)];
    let forward = per_row_element("copy_forward", "y = x.", n, &forward, &of_outputs);
    let reverse = per_row_element("copy_reverse", "dx += dy.", n, &reverse, &of_inputs);
    LayerKernels {
        forward: vec![forward],
        reverse: vec![reverse],
        ..LayerKernels::default()
    }
}
