//! Sizes of a convolution, and where the elements of its windows lie.

use std::ops::Range;

use rheobase_engine::simd::dispatch;
use rheobase_equations::real::Real;

use super::super::matmul::panel_width;
use super::super::window::{Window, elements};

/// Sizes of a convolution; an axis that is not there has size 1.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in super::super) struct Geometry {
    pub(in super::super) channels: usize,
    pub(in super::super) outputs: usize,
    pub(in super::super) groups: usize,
    pub(in super::super) input: [usize; 2],
    pub(in super::super) output: [usize; 2],
    pub(in super::super) window: Window,
}

impl Geometry {
    /// The convolution of `channels × input` to `outputs` channels.
    ///
    /// # Errors
    /// A sentence: sizes that do not fit one another, or too many elements.
    pub(in super::super) fn new(
        (channels, outputs): (usize, usize),
        groups: usize,
        input: [usize; 2],
        window: Window,
    ) -> Result<Self, String> {
        if channels == 0 || outputs == 0 || input.contains(&0) {
            return Err("its input is empty; give every axis a size of at least 1".to_owned());
        }
        for (name, n) in [("input", channels), ("output", outputs)] {
            if !n.is_multiple_of(groups) {
                return Err(format!(
                    "its {n} {name} channels cannot be cut into {groups} groups; choose groups \
                     that divide the channels"
                ));
            }
        }
        let output = window.positions(input)?;
        let padded = [0, 1].map(|axis| input[axis] + 2 * window.padding[axis]);
        elements(&[channels, padded[0], padded[1]])?;
        elements(&[outputs, output[0], output[1]])?;
        let [kernel_y, kernel_x] = window.kernel;
        elements(&[outputs, channels / groups, kernel_y, kernel_x])?;
        Ok(Self {
            channels,
            outputs,
            groups,
            input,
            output,
            window,
        })
    }

    /// Input channels of a group.
    pub(in super::super) fn group_channels(&self) -> usize {
        self.channels / self.groups.max(1)
    }

    /// Output channels of a group.
    pub(in super::super) fn group_outputs(&self) -> usize {
        self.outputs / self.groups.max(1)
    }

    /// Elements of a window, over all channels of a group.
    pub(in super::super) fn depth(&self) -> usize {
        self.group_channels() * self.window.taps()
    }

    /// Elements of an input channel.
    pub(in super::super) fn plane(&self) -> usize {
        self.input[0] * self.input[1]
    }

    /// Elements of an output channel.
    pub(in super::super) fn positions(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Elements of the input.
    pub(in super::super) fn inputs(&self) -> usize {
        self.channels * self.plane()
    }

    /// Elements of the output.
    pub(in super::super) fn n_outputs(&self) -> usize {
        self.outputs * self.positions()
    }

    /// Size of an input channel with its padding.
    pub(in super::super) fn padded(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.input[axis] + 2 * self.window.padding[axis])
    }

    /// Elements of an input channel with its padding.
    pub(super) fn padded_plane(&self) -> usize {
        let [height, width] = self.padded();
        height * width
    }

    /// Length of a padded input, with room for reading a whole panel's row at its end.
    pub(super) fn padded_len<R: Real>(&self) -> usize {
        self.channels * self.padded_plane() + panel_width::<R>()
    }

    /// Writes some channels of a row with padding.
    pub(super) fn pad<R: Real>(&self, channels: Range<usize>, x: &[R], to: &mut [R]) {
        let x = &x[channels.start * self.plane()..channels.end * self.plane()];
        let ([_, width], [top, left]) = (self.padded(), self.window.padding);
        if [top, left] == [0, 0] {
            to[..x.len()].copy_from_slice(x);
            return;
        }
        to.fill(R::ZERO);
        let planes = x.chunks_exact(self.plane());
        for (x, to) in planes.zip(to.chunks_exact_mut(self.padded_plane())) {
            let lines = to[top * width..].chunks_mut(width);
            for (x, to) in x.chunks_exact(self.input[1]).zip(lines) {
                to[left..left + x.len()].copy_from_slice(x);
            }
        }
    }

    /// The same for spikes.
    pub(super) fn pad_spikes<R: Real>(&self, channels: Range<usize>, active: &[u32], to: &mut [R]) {
        let ([_, width], [top, left]) = (self.padded(), self.window.padding);
        to.fill(R::ZERO);
        for &i in self.active_in(channels.clone(), active) {
            let [channel, y, x] = self.place(i);
            let plane = (channel - channels.start) * self.padded_plane();
            to[plane + (y + top) * width + left + x] += R::ONE;
        }
    }

    /// Those of ascending indices that lie in some channels.
    pub(super) fn active_in<'a>(&self, channels: Range<usize>, active: &'a [u32]) -> &'a [u32] {
        let before = |channel: usize| {
            let first = channel * self.plane();
            active.partition_point(|&i| (i as usize) < first)
        };
        &active[before(channels.start)..before(channels.end)]
    }

    /// Channel, y and x of an input.
    #[inline(always)]
    pub(super) fn place(&self, i: u32) -> [usize; 3] {
        let (i, width) = (i as usize, self.input[1]);
        let (channel, i) = (i / self.plane(), i % self.plane());
        [channel, i / width, i % width]
    }

    /// Adds contents of windows (`[taps, positions]`), of some lines of positions, to the inputs of a
    /// group that they lie over.
    pub(super) fn add_windows<R: Real>(
        &self,
        taps: Range<usize>,
        lines: Range<usize>,
        windows: &[R],
        to: &mut [R],
    ) {
        let n = lines.len() * self.output[1];
        for (tap, windows) in taps.zip(windows.chunks_exact(n)) {
            let channel = tap / self.window.taps();
            let to = &mut to[channel * self.plane()..(channel + 1) * self.plane()];
            self.add_tap(tap, lines.clone(), windows, to);
        }
    }

    fn add_tap<R: Real>(&self, tap: usize, lines: Range<usize>, windows: &[R], to: &mut [R]) {
        let w = &self.window;
        let tap_x = tap % w.kernel[1];
        let tap_y = tap / w.kernel[1] % w.kernel[0];
        let columns = w.inside(1, tap_x, self.input[1], self.output[1]);
        if columns.is_empty() {
            return;
        }
        let first = columns.start * w.stride[1] + tap_x * w.dilation[1] - w.padding[1];
        let inside = w.inside(0, tap_y, self.input[0], self.output[0]);
        for oy in inside.start.max(lines.start)..inside.end.min(lines.end) {
            let y = oy * w.stride[0] + tap_y * w.dilation[0] - w.padding[0];
            let line = &mut to[y * self.input[1]..(y + 1) * self.input[1]][first..];
            let windows = &windows[(oy - lines.start) * self.output[1]..][columns.clone()];
            if w.stride[1] == 1 {
                for (to, x) in line.iter_mut().zip(windows) {
                    *to += *x;
                }
            } else {
                for (to, x) in line.iter_mut().step_by(w.stride[1]).zip(windows) {
                    *to += *x;
                }
            }
        }
    }
}

/// Where the elements of windows lie, within a group.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    /// Of each tap in the padded input, from the place of the position.
    pub(super) taps: Vec<usize>,
    /// Of each position in the padded input.
    pub(super) positions: Vec<usize>,
    /// For each axis and each input along it: taps and positions that meet there.
    pub(super) reach: [Reach; 2],
}

/// For each input along an axis, the taps that lie over it, ascending, each with its position.
#[derive(Clone, Debug, Default)]
pub(super) struct Reach {
    starts: Vec<usize>,
    pairs: Vec<(usize, usize)>,
}

impl Reach {
    fn new(g: &Geometry, axis: usize) -> Self {
        let w = &g.window;
        let (mut starts, mut pairs) = (vec![0], Vec::new());
        for at in 0..g.input[axis] {
            for tap in 0..w.kernel[axis] {
                let from = (at + w.padding[axis]).checked_sub(tap * w.dilation[axis]);
                let Some(from) = from else { break };
                let position = from / w.stride[axis];
                if from.is_multiple_of(w.stride[axis]) && position < g.output[axis] {
                    pairs.push((tap, position));
                }
            }
            starts.push(pairs.len());
        }
        Self { starts, pairs }
    }

    #[inline(always)]
    pub(super) fn of(&self, at: usize) -> &[(usize, usize)] {
        &self.pairs[self.starts[at]..self.starts[at + 1]]
    }
}

impl Tables {
    pub(super) fn new(g: &Geometry) -> Self {
        let (w, [_, width], [out_y, out_x]) = (&g.window, g.padded(), g.output);
        let mut tables = Self {
            taps: Vec::with_capacity(g.depth()),
            positions: Vec::with_capacity(g.positions()),
            reach: [Reach::new(g, 0), Reach::new(g, 1)],
        };
        for channel in 0..g.group_channels() {
            for y in 0..w.kernel[0] {
                let line = channel * g.padded_plane() + y * w.dilation[0] * width;
                let line = (0..w.kernel[1]).map(|x| line + x * w.dilation[1]);
                tables.taps.extend(line);
            }
        }
        for y in 0..out_y {
            let line = (0..out_x).map(|x| y * w.stride[0] * width + x * w.stride[1]);
            tables.positions.extend(line);
        }
        tables
    }

    /// Lays out the contents of windows, `[taps, positions]`, in panels: the positions `some`, of
    /// which the first begins a panel. Behind the last panel there is room for a row more.
    pub(super) fn columns<R: Real>(
        &self,
        g: &Geometry,
        padded: &[R],
        some: Range<usize>,
        to: &mut [R],
    ) {
        let adjacent = g.window.stride[1] == 1;
        let (taps, width) = (&self.taps, g.output[1]);
        let positions = &self.positions[some.clone()];
        let first = some.start;
        match panel_width::<R>() {
            4 => columns::<R, 4>(taps, positions, first, width, adjacent, padded, to),
            8 => columns::<R, 8>(taps, positions, first, width, adjacent, padded, to),
            16 => columns::<R, 16>(taps, positions, first, width, adjacent, padded, to),
            _ => columns::<R, 32>(taps, positions, first, width, adjacent, padded, to),
        }
    }
}

dispatch! {
    fn columns<R: Real, const N: usize> = columns_body(
        taps: &[usize],
        positions: &[usize],
        first: usize,
        width: usize,
        adjacent: bool,
        padded: &[R],
        to: &mut [R],
    );
}

#[inline(always)]
fn columns_body<R: Real, const N: usize>(
    taps: &[usize],
    positions: &[usize],
    first: usize,
    width: usize,
    adjacent: bool,
    padded: &[R],
    to: &mut [R],
) {
    let panel_len = taps.len() * N;
    for (k, positions) in positions.chunks(N).enumerate() {
        let to = &mut to[k * panel_len..(k + 1) * panel_len + N];
        if !adjacent {
            for (&tap, to) in taps.iter().zip(to.as_chunks_mut::<N>().0) {
                for (to, &position) in to.iter_mut().zip(positions) {
                    *to = padded[tap + position];
                }
            }
            continue;
        }
        // Where windows move by 1, those of a line of positions lie one after the other. A whole row
        // of the panel is copied at a time; what is too much, the next copy overwrites.
        let mut lines = [(0, 0); N];
        let mut n_lines = 0;
        let mut lane = 0;
        while lane < positions.len() {
            lines[n_lines] = (lane, positions[lane]);
            n_lines += 1;
            lane += width - (first + k * N + lane) % width;
        }
        let lines = &lines[..n_lines];
        for (row, &tap) in taps.iter().enumerate() {
            for &(lane, position) in lines {
                let from = &padded[tap + position..][..N];
                to[row * N + lane..][..N].copy_from_slice(from);
            }
        }
    }
}
