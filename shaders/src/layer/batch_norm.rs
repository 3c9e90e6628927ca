//! Batch normalisation: sums over all rows of a channel in parts, then what they imply.

use super::product::{constant, constants, kernel, per_element, per_row_element};
use super::{Grid, LayerKernel, LayerKernels};
use crate::module::{Access, Entry, Role};

/// Invocations of a workgroup that sums.
const INVOCATIONS: u32 = 256;

/// Workgroups that keep a large device busy, and most of them for a channel.
const MANY: u32 = 512;
const MAX_PARTS: u32 = 64;

const TREE: &str = include_str!("../wgsl/layer/tree.wgsl");
const COMMON: &str = include_str!("../wgsl/layer/batch_norm.wgsl");

/// What the kernels of a layer share.
struct Norm {
    channels: u32,
    parts: u32,
    n: u32,
    affine: bool,
    text: String,
}

pub(super) fn kernels(
    channels: u32,
    positions: u32,
    (eps, momentum): (f64, f64),
    affine: bool,
) -> LayerKernels {
    let parts = (MANY / channels.max(1)).clamp(1, MAX_PARTS);
    let text = [
        constants(&[
            ("CHANNELS", channels),
            ("POSITIONS", positions),
            ("PARTS", parts),
        ]),
        constant("EPS", eps),
        constant("MOMENTUM", momentum),
        constant("KEPT", 1.0 - momentum),
        "\n".to_owned(),
        COMMON.to_owned(),
    ];
    let norm = Norm {
        channels,
        parts,
        n: channels * positions,
        affine,
        text: text.concat(),
    };
    LayerKernels {
        forward: vec![norm.statistics(), norm.channels(), norm.forward()],
        begin_reverse: vec![norm.sums(), norm.totals()],
        reverse: vec![norm.reverse()],
        gradients: affine.then(|| norm.gradients()).into_iter().collect(),
        scratch_words: channels * (4 + 2 * parts),
    }
}

const X: (Role, Access) = (Role::X, Access::Read);
const DY: (Role, Access) = (Role::Dy, Access::Read);
const KEPT: (Role, Access) = (Role::Scratch, Access::Read);
const WORKED_ON: (Role, Access) = (Role::Scratch, Access::ReadWrite);

impl Norm {
    /// A kernel with a workgroup for each part of each channel.
    fn of_parts(
        &self,
        name: &str,
        heading: &str,
        text: &str,
        storage: &[(Role, Access)],
    ) -> LayerKernel {
        let entry_point = format!("{name}_kernel");
        let entry = Entry::Own {
            workgroup_size: INVOCATIONS,
        };
        let functions = format!("{}{TREE}{text}", self.text);
        let grid = Grid::flat(self.channels * self.parts);
        kernel(
            name,
            heading,
            (&entry_point, entry),
            &functions,
            storage,
            grid,
        )
    }

    /// The trained scale and shift, or what stands for them, and the parameters that are read.
    fn affine(&self) -> (String, Vec<(Role, Access)>) {
        let function = |name: &str, value: &str| {
            format!("fn {name}(channel: u32) -> f32 {{\n    return {value};\n}}\n\n")
        };
        let (scale, shift) = if self.affine {
            ("parameter_0[channel]", "parameter_1[channel]")
        } else {
            ("1.0", "0.0")
        };
        let parameters = (0..2).map(|k| (Role::Parameter(k), Access::Read));
        let parameters = parameters.filter(|_| self.affine).collect();
        (
            function("scale", scale) + &function("shift", shift),
            parameters,
        )
    }

    fn statistics(&self) -> LayerKernel {
        self.of_parts(
            "batch_norm_statistics",
            "Mean and squares about it, of each part of each channel.",
            include_str!("../wgsl/layer/batch_norm_statistics.wgsl"),
            &[X, WORKED_ON],
        )
    }

    fn channels(&self) -> LayerKernel {
        let text = include_str!("../wgsl/layer/batch_norm_channels.wgsl");
        per_element(
            "batch_norm_channels",
            "Mean and variance of each channel.",
            self.channels,
            &format!("{}{text}", self.text),
            &[
                WORKED_ON,
                (Role::Buffer(0), Access::ReadWrite),
                (Role::Buffer(1), Access::ReadWrite),
            ],
        )
    }

    fn forward(&self) -> LayerKernel {
        let (affine, mut storage) = self.affine();
        storage.extend([X, KEPT, (Role::Y, Access::ReadWrite)]);
        let text = include_str!("../wgsl/layer/batch_norm_forward.wgsl");
        per_row_element(
            "batch_norm_forward",
            "y from x and the statistics.",
            self.n,
            &format!("{}{affine}{text}", self.text),
            &storage,
        )
    }

    fn sums(&self) -> LayerKernel {
        self.of_parts(
            "batch_norm_sums",
            "Sums of cotangents, of each part of each channel.",
            include_str!("../wgsl/layer/batch_norm_sums.wgsl"),
            &[X, DY, WORKED_ON],
        )
    }

    fn totals(&self) -> LayerKernel {
        let text = include_str!("../wgsl/layer/batch_norm_totals.wgsl");
        per_element(
            "batch_norm_totals",
            "Sums of cotangents, of each channel.",
            self.channels,
            &format!("{}{text}", self.text),
            &[WORKED_ON],
        )
    }

    fn reverse(&self) -> LayerKernel {
        let (affine, mut storage) = self.affine();
        storage.extend([X, DY, KEPT, (Role::Dx, Access::ReadWrite)]);
        let text = include_str!("../wgsl/layer/batch_norm_reverse.wgsl");
        per_row_element(
            "batch_norm_reverse",
            "Adds to dx what dy implies.",
            self.n,
            &format!("{}{affine}{text}", self.text),
            &storage,
        )
    }

    fn gradients(&self) -> LayerKernel {
        let text = include_str!("../wgsl/layer/batch_norm_gradients.wgsl");
        per_element(
            "batch_norm_gradients",
            "Adds the gradients of scale and shift.",
            self.channels,
            &format!("{}{text}", self.text),
            &[
                KEPT,
                (Role::Gradient(0), Access::ReadWrite),
                (Role::Gradient(1), Access::ReadWrite),
            ],
        )
    }
}
