//! The convolution over two axes, as products of matrices whose left factor lies in the windows.

use super::product::{Lines, Product, constants, parts, per_element};
use super::{LayerKernel, LayerKernels};
use crate::module::{Access, Role};

/// Sizes of a convolution; the axes are y, x.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) channels: u32,
    pub(super) input: [u32; 2],
    pub(super) outputs: u32,
    pub(super) output: [u32; 2],
    pub(super) kernel: [u32; 2],
    pub(super) stride: [u32; 2],
    pub(super) padding: [u32; 2],
    pub(super) dilation: [u32; 2],
    pub(super) groups: u32,
    pub(super) has_bias: bool,
}

const TAPS: &str = include_str!("../wgsl/layer/taps.wgsl");

impl Sizes {
    fn taps(&self) -> u32 {
        self.kernel[0] * self.kernel[1]
    }

    fn positions(&self) -> u32 {
        self.output[0] * self.output[1]
    }

    fn group_channels(&self) -> u32 {
        self.channels / self.groups.max(1)
    }

    fn group_outputs(&self) -> u32 {
        self.outputs / self.groups.max(1)
    }

    /// Elements of a window, over all channels of a group.
    fn depth(&self) -> u32 {
        self.group_channels() * self.taps()
    }

    fn weights(&self) -> u32 {
        self.outputs * self.depth()
    }

    fn biases(&self) -> u32 {
        if self.has_bias { self.outputs } else { 0 }
    }

    /// Parts that gradients are summed in.
    fn parts(&self) -> u32 {
        parts(self.depth(), self.group_outputs(), self.groups)
    }

    fn constants(&self) -> String {
        constants(&[
            ("CHANNELS", self.channels),
            ("HEIGHT", self.input[0]),
            ("WIDTH", self.input[1]),
            ("OUT_HEIGHT", self.output[0]),
            ("OUT_WIDTH", self.output[1]),
            ("POSITIONS", self.positions()),
            ("KERNEL_X", self.kernel[1]),
            ("TAPS", self.taps()),
            ("STRIDE_Y", self.stride[0]),
            ("STRIDE_X", self.stride[1]),
            ("PADDING_Y", self.padding[0]),
            ("PADDING_X", self.padding[1]),
            ("DILATION_Y", self.dilation[0]),
            ("DILATION_X", self.dilation[1]),
            ("SLICE_CHANNELS", self.group_channels()),
            ("SLICE_OUTPUTS", self.group_outputs()),
        ])
    }
}

/// The kernels, named after the layer that they are of.
pub(super) fn kernels(layer: &str, sizes: &Sizes) -> LayerKernels {
    let parts = sizes.parts();
    let sums = sizes.weights() + sizes.biases();
    let mut gradients = vec![weights(layer, sizes)];
    if parts > 1 {
        gradients.push(part_sums(layer, sizes));
    }
    LayerKernels {
        forward: vec![forward(layer, sizes)],
        begin_reverse: Vec::new(),
        reverse: vec![reverse(layer, sizes)],
        gradients,
        scratch_words: if parts > 1 { parts * sums } else { 0 },
    }
}

fn forward(layer: &str, sizes: &Sizes) -> LayerKernel {
    let mut storage = vec![(Role::X, Access::Read), (Role::Parameter(0), Access::Read)];
    let bias = if sizes.has_bias {
        storage.push((Role::Parameter(1), Access::Read));
        "parameter_1[channel]"
    } else {
        "0.0"
    };
    storage.push((Role::Y, Access::ReadWrite));
    let functions = format!(
        "{}\nfn bias(channel: u32) -> f32 {{\n    return {bias};\n}}\n\n{TAPS}{}",
        sizes.constants(),
        include_str!("../wgsl/layer/convolution_forward.wgsl")
    );
    Product {
        name: &format!("{layer}_forward"),
        heading: "y from x.",
        lines: Lines::OfRows(sizes.positions()),
        columns: sizes.group_outputs(),
        slices: sizes.groups,
        left_by_depth: sizes.positions() == 1,
        right_by_depth: true,
        is_sparse: true,
        sums_columns: false,
        functions: &functions,
        storage: &storage,
    }
    .finish()
}

fn reverse(layer: &str, sizes: &Sizes) -> LayerKernel {
    let functions = format!(
        "{}\n{}",
        sizes.constants(),
        include_str!("../wgsl/layer/convolution_reverse.wgsl")
    );
    let plane = sizes.input[0] * sizes.input[1];
    Product {
        name: &format!("{layer}_reverse"),
        heading: "Adds to dx what dy implies.",
        lines: Lines::OfRows(plane),
        columns: sizes.group_channels(),
        slices: sizes.groups,
        left_by_depth: plane == 1,
        right_by_depth: sizes.taps() > 1,
        is_sparse: false,
        sums_columns: false,
        functions: &functions,
        storage: &[
            (Role::Dy, Access::Read),
            (Role::Parameter(0), Access::Read),
            (Role::Dx, Access::ReadWrite),
        ],
    }
    .finish()
}

/// Where sums of gradients go: to the gradients, or each part to a place of its own.
fn weights(layer: &str, sizes: &Sizes) -> LayerKernel {
    let mut storage = vec![(Role::X, Access::Read), (Role::Dy, Access::Read)];
    let (weights, sums) = (sizes.weights(), sizes.weights() + sizes.biases());
    let (weight, bias) = if sizes.parts() > 1 {
        storage.push((Role::Scratch, Access::ReadWrite));
        let place = format!("scratch[part * {sums}u");
        (
            format!("{place} + i] = sum;"),
            format!("{place} + {weights}u + i] = sum;"),
        )
    } else {
        storage.push((Role::Gradient(0), Access::ReadWrite));
        if sizes.has_bias {
            storage.push((Role::Gradient(1), Access::ReadWrite));
        }
        (
            "gradient_0[i] += sum;".to_owned(),
            "gradient_1[i] += sum;".to_owned(),
        )
    };
    let bias = if sizes.has_bias { &bias } else { "" };
    let add = |name: &str, text: &str| {
        format!("fn {name}(part: u32, i: u32, sum: f32) {{\n    {text}\n}}\n\n")
    };
    let functions = format!(
        "{}\n{}{}{TAPS}{}",
        sizes.constants(),
        add("add_weight", &weight),
        add("add_bias", bias),
        include_str!("../wgsl/layer/convolution_gradients.wgsl")
    );
    let is_one = sizes.positions() == 1;
    Product {
        name: &format!("{layer}_gradients"),
        heading: "Sums the gradients of the parameters.",
        lines: Lines::Fixed(sizes.depth()),
        columns: sizes.group_outputs(),
        slices: sizes.groups,
        left_by_depth: !is_one,
        right_by_depth: !is_one,
        is_sparse: true,
        sums_columns: sizes.has_bias,
        functions: &functions,
        storage: &storage,
    }
    .finish()
}

fn part_sums(layer: &str, sizes: &Sizes) -> LayerKernel {
    let (weights, biases) = (sizes.weights(), sizes.biases());
    let mut storage = vec![
        (Role::Scratch, Access::Read),
        (Role::Gradient(0), Access::ReadWrite),
    ];
    let bias = if sizes.has_bias {
        storage.push((Role::Gradient(1), Access::ReadWrite));
        "    gradient_1[i] += sum;\n"
    } else {
        ""
    };
    let constants = constants(&[
        ("PARTS", sizes.parts()),
        ("WEIGHTS", weights),
        ("BIASES", biases),
    ]);
    let functions = format!(
        "{constants}\nfn add_bias(i: u32, sum: f32) {{\n{bias}}}\n\n{}",
        include_str!("../wgsl/layer/part_sums.wgsl")
    );
    let heading = "Adds the sums of all parts to the gradients.";
    let n = weights + biases;
    let mut kernel = per_element("part_sums", heading, n, &functions, &storage);
    kernel.module.name = format!("{layer}_part_sums");
    kernel
}
