//! The kernels of layers: accepted by naga for odd sizes of every kind, within what every device
//! offers, and kept as reviewable snapshots.

#![allow(
    clippy::expect_used,
    reason = "helpers of tests: what they expect is tested"
)]

#[allow(dead_code, reason = "not every test binary walks the zoo")]
mod support;

use rheobase_shaders::{Access, Grid, LayerKernel, LayerKernels, LayerShape, Role, layer_kernels};
use support::{snapshot, validate};

fn linear(n_in: u32, n_out: u32, has_bias: bool) -> LayerShape {
    LayerShape::Linear {
        n_in,
        n_out,
        has_bias,
    }
}

/// Windows of (kernel, stride, padding, dilation) along each axis.
type Window = [[u32; 4]; 2];

fn positions(size: u32, [kernel, stride, padding, dilation]: [u32; 4]) -> u32 {
    (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1
}

fn conv(
    [channels, height, width]: [u32; 3],
    out_channels: u32,
    window: Window,
    groups: u32,
    has_bias: bool,
) -> LayerShape {
    let both = |k: usize| window.map(|axis| axis[k]);
    LayerShape::Conv2d {
        channels,
        height,
        width,
        out_channels,
        out_height: positions(height, window[0]),
        out_width: positions(width, window[1]),
        kernel: both(0),
        stride: both(1),
        padding: both(2),
        dilation: both(3),
        groups,
        has_bias,
    }
}

fn pools([channels, height, width]: [u32; 3], window: Window) -> [LayerShape; 4] {
    let both = |k: usize| window.map(|axis| axis[k]);
    let (kernel, stride, padding) = (both(0), both(1), both(2));
    let out_height = positions(height, window[0]);
    let out_width = positions(width, window[1]);
    let average = |counts_padding| LayerShape::AvgPool2d {
        channels,
        height,
        width,
        out_height,
        out_width,
        kernel,
        stride,
        padding,
        counts_padding,
    };
    [
        LayerShape::MaxPool2d {
            channels,
            height,
            width,
            out_height,
            out_width,
            kernel,
            stride,
            padding,
        },
        average(true),
        average(false),
        LayerShape::AdaptiveAvgPool2d {
            channels,
            height,
            width,
            out_height,
            out_width,
        },
    ]
}

fn norm(channels: u32, positions: u32, affine: bool) -> LayerShape {
    LayerShape::BatchNorm {
        channels,
        positions,
        eps: 1e-5,
        momentum: 0.1,
        affine,
    }
}

fn dropout(threshold: u64, scale: f64) -> LayerShape {
    LayerShape::Dropout {
        n: 37,
        threshold,
        scale,
    }
}

fn all(kernels: &LayerKernels) -> impl Iterator<Item = &LayerKernel> {
    let both = kernels.forward.iter().chain(&kernels.begin_reverse);
    both.chain(&kernels.reverse).chain(&kernels.gradients)
}

/// Checks the kernels and what a host relies on.
fn accepted(layer: &LayerShape) -> LayerKernels {
    let kernels = layer_kernels(layer);
    assert!(!kernels.forward.is_empty() && !kernels.reverse.is_empty());
    for kernel in all(&kernels) {
        let module = &kernel.module;
        validate(module);
        assert!(module.workgroup_size <= 256);
        let storage = module.bindings.iter();
        let storage = storage.filter(|b| b.access != Access::Uniform).count();
        assert!(storage <= 8, "{}: the smallest guaranteed", module.name);
        if module.binding(Role::Scratch).is_some() {
            assert!(kernels.scratch_words > 0, "{}", module.name);
        }
        let groups = kernel.grid.groups(6400, 65_535);
        assert!(groups.is_some(), "{}", module.name);
    }
    kernels
}

/// Snapshots of one instance.
fn kept(layer: &LayerShape) {
    for kernel in all(&accepted(layer)) {
        let name = format!("layer_{}", kernel.module.name);
        snapshot(&name, &kernel.module.source);
    }
}

#[test]
fn linear_layers_of_every_width_are_accepted() {
    for n_in in [1, 3, 64, 65, 784] {
        for n_out in [1, 10, 16, 17, 32, 100, 1024] {
            for has_bias in [true, false] {
                accepted(&linear(n_in, n_out, has_bias));
            }
        }
    }
    kept(&linear(700, 20, true));
}

#[test]
fn convolutions_of_every_kind_are_accepted() {
    let plain = [[3, 1, 1, 1]; 2];
    let odd = [[3, 2, 0, 2], [2, 3, 2, 1]];
    for (input, outputs, groups) in [
        ([1, 7, 9], 1, 1),
        ([3, 32, 31], 33, 1),
        ([6, 8, 8], 12, 3),
        ([16, 9, 9], 16, 16),
    ] {
        for window in [plain, odd, [[1, 1, 0, 1]; 2], [[1, 1, 0, 1], [5, 1, 2, 1]]] {
            for has_bias in [true, false] {
                accepted(&conv(input, outputs, window, groups, has_bias));
            }
        }
    }
    kept(&conv(
        [2, 34, 34],
        12,
        [[5, 1, 2, 1], [3, 2, 1, 2]],
        2,
        true,
    ));
}

#[test]
fn pooling_is_accepted() {
    for input in [[1, 7, 9], [12, 32, 31]] {
        for window in [
            [[2, 2, 0, 1]; 2],
            [[3, 2, 1, 1]; 2],
            [[3, 1, 1, 1], [2, 3, 0, 1]],
        ] {
            for layer in &pools(input, window) {
                accepted(layer);
            }
        }
    }
    let [max, average, _, adaptive] = pools([12, 32, 31], [[3, 2, 1, 1]; 2]);
    for layer in [max, average, adaptive] {
        kept(&layer);
    }
}

#[test]
fn batch_norm_is_accepted() {
    for (channels, positions) in [(1, 1), (3, 49), (1024, 1), (100_000, 1)] {
        for affine in [true, false] {
            accepted(&norm(channels, positions, affine));
        }
    }
    kept(&norm(12, 81, true));
}

#[test]
fn copies_and_dropout_are_accepted() {
    kept(&LayerShape::Copy { n: 37 });
    for (threshold, scale) in [(0, 1.0), (1 << 32, 0.0), (1 << 32, 1e300)] {
        accepted(&dropout(threshold, scale));
    }
    kept(&dropout(1 << 30, 1.0 / 0.75));
}

#[test]
fn tiles_are_folded_where_there_are_many() {
    let grid = Grid::RowTiles {
        lines: 784,
        height: 64,
        across: 2,
    };
    assert_eq!(grid.groups(1, 65_535), Some([26, 1, 1]));
    let [x, y, z] = grid.groups(6400, 65_535).expect("fits");
    assert!(x <= 65_535 && y <= 65_535 && z == 1);
    assert!(x * y >= 2 * (6400 * 784_u32).div_ceil(64));
    assert_eq!(grid.groups(u32::MAX, 65_535), None);
}
