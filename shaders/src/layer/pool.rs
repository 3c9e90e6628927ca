//! Pooling: windows over the two axes of each channel.

use std::fmt::Write as _;

use super::LayerKernels;
use super::product::{constants, per_row_element};
use crate::module::{Access, Role};

/// Channels of an input and an output; the axes are y, x.
#[derive(Clone, Copy)]
pub(super) struct Planes {
    pub(super) channels: u32,
    pub(super) input: [u32; 2],
    pub(super) output: [u32; 2],
}

/// What each output lies over.
#[derive(Clone, Copy)]
pub(super) enum Windows {
    Sliding {
        kernel: [u32; 2],
        stride: [u32; 2],
        padding: [u32; 2],
    },
    /// Windows that share the input evenly.
    Adaptive,
}

impl Planes {
    fn plane(&self) -> u32 {
        self.input[0] * self.input[1]
    }

    fn positions(&self) -> u32 {
        self.output[0] * self.output[1]
    }

    /// Sizes as constants, and where the windows lie.
    fn text(&self, windows: Windows) -> String {
        let mut text = constants(&[
            ("CHANNELS", self.channels),
            ("PLANE", self.plane()),
            ("POSITIONS", self.positions()),
        ]);
        let mut both = |name: &str, [y, x]: [u32; 2]| {
            let _ = writeln!(text, "const {name} = vec2<u32>({y}u, {x}u);");
        };
        both("INPUT", self.input);
        both("OUTPUT", self.output);
        let functions = match windows {
            Windows::Sliding {
                kernel,
                stride,
                padding,
            } => {
                both("KERNEL", kernel);
                both("STRIDE", stride);
                both("PADDING", padding);
                include_str!("../wgsl/layer/window_sliding.wgsl")
            }
            Windows::Adaptive => include_str!("../wgsl/layer/window_adaptive.wgsl"),
        };
        format!("{text}\n{functions}")
    }
}

/// The largest input of each window. The reverse searches again, from the input's side: each input asks
/// the windows over it, so that no two invocations add to one place.
pub(super) fn largest(planes: Planes, windows: Windows) -> LayerKernels {
    let text = planes.text(windows) + include_str!("../wgsl/layer/chosen.wgsl");
    let forward = format!(
        "{text}{}",
        include_str!("../wgsl/layer/max_pool2d_forward.wgsl")
    );
    let reverse = format!(
        "{text}{}",
        include_str!("../wgsl/layer/max_pool2d_reverse.wgsl")
    );
    let (x, dy) = ((Role::X, Access::Read), (Role::Dy, Access::Read));
    let forward = per_row_element(
        "max_pool2d_forward",
        "The largest input of each window.",
        planes.channels * planes.positions(),
        &forward,
        &[x, (Role::Y, Access::ReadWrite)],
    );
    let reverse = per_row_element(
        "max_pool2d_reverse",
        "Adds to dx what the windows that have chosen it give.",
        planes.channels * planes.plane(),
        &reverse,
        &[x, dy, (Role::Dx, Access::ReadWrite)],
    );
    LayerKernels {
        forward: vec![forward],
        reverse: vec![reverse],
        ..LayerKernels::default()
    }
}

/// The average of each window: its sum over `divisor`, or over the number of inputs that it lies over.
pub(super) fn averages(
    layer: &str,
    planes: Planes,
    windows: Windows,
    divisor: Option<u32>,
) -> LayerKernels {
    let text = constants(&[("DIVISOR", divisor.unwrap_or(0))])
        + &planes.text(windows)
        + include_str!("../wgsl/layer/averages.wgsl");
    let forward = format!(
        "{text}{}",
        include_str!("../wgsl/layer/averages_forward.wgsl")
    );
    let reverse = format!(
        "{text}{}",
        include_str!("../wgsl/layer/averages_reverse.wgsl")
    );
    let mut forward = per_row_element(
        "averages_forward",
        "The average of each window.",
        planes.channels * planes.positions(),
        &forward,
        &[(Role::X, Access::Read), (Role::Y, Access::ReadWrite)],
    );
    let mut reverse = per_row_element(
        "averages_reverse",
        "Adds to dx its share of the windows over it.",
        planes.channels * planes.plane(),
        &reverse,
        &[(Role::Dy, Access::Read), (Role::Dx, Access::ReadWrite)],
    );
    forward.module.name = format!("{layer}_forward");
    reverse.module.name = format!("{layer}_reverse");
    LayerKernels {
        forward: vec![forward],
        reverse: vec![reverse],
        ..LayerKernels::default()
    }
}
