//! The inner loops of a step: what a block of neurons does, dense and sparse alike.

use rheobase_equations::linear_system::MAX_STATES;
use rheobase_equations::real::Real;

use super::layout::{Layout, WIDTH};
use crate::fetch::{LINE_BYTES, fetch_line};
use crate::simd::dispatch;

/// One value for each neuron of a block.
type Row<R> = [R; WIDTH];

/// Blocks whose memory is asked for ahead of the one that is looked at.
const AHEAD: usize = 6;

/// What a step does to all neurons alike.
pub(super) struct Step<'a, R> {
    pub(super) layout: Layout,
    /// What one unit of weight adds, `[ports][modes]`: free, and while refractory.
    pub(super) gain: &'a [R],
    pub(super) held_gain: &'a [R],
    /// Factors of the amplitudes in the margin, and its constant.
    pub(super) margin: &'a [R],
    pub(super) constant: R,
    /// It fires where the margin exceeds the gate, not where it reaches it.
    pub(super) strict: bool,
}

/// Upper bound of the margin in this step and all that follow, without further events: the constant
/// plus, for each mode, the larger of the amplitude times either factor. Below 0 it is certain.
pub(super) struct Outlook<'a, R> {
    pub(super) constant: R,
    pub(super) factors: &'a [(R, R)],
    /// Factors of amplitudes at the beginning of the epoch in those of now, where they mix.
    pub(super) mixing: &'a [(usize, usize)],
    pub(super) growth: &'a [R],
}

/// The input lanes of a shard: port p at `p·plane`.
pub(crate) struct Lanes<'a, R> {
    pub(crate) values: &'a mut [R],
    pub(crate) plane: usize,
}

/// A neuron for which the outlook excludes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Doubtful {
    pub(super) neuron: u32,
    /// Something arrived at it.
    pub(super) reached: bool,
}

/// What a step finds.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Neurons that reach their threshold, ascending.
    pub(super) fired: Vec<u32>,
    /// Free neurons that have not fired and may do so without an event.
    pub(super) doubtful: Vec<Doubtful>,
}

/// Calls `$f` with the numbers of modes and of ports, as lengths known to the compiler where both are
/// small.
macro_rules! compiled {
    ($step:expr, $f:ident($($arg:expr),*)) => {
        match ($step.layout.n_modes, $step.n_ports()) {
            (1, 1) => $f([(); 1], [(); 1], $($arg),*),
            (1, 2) => $f([(); 1], [(); 2], $($arg),*),
            (2, 1) => $f([(); 2], [(); 1], $($arg),*),
            (2, 2) => $f([(); 2], [(); 2], $($arg),*),
            (3, 1) => $f([(); 3], [(); 1], $($arg),*),
            (3, 2) => $f([(); 3], [(); 2], $($arg),*),
            (4, 1) => $f([(); 4], [(); 1], $($arg),*),
            (4, 2) => $f([(); 4], [(); 2], $($arg),*),
            (5, 1) => $f([(); 5], [(); 1], $($arg),*),
            (5, 2) => $f([(); 5], [(); 2], $($arg),*),
            _ => $f([(); MAX_STATES], [(); 0], $($arg),*),
        }
    };
}

/// All blocks: lets what arrived act, empties the lanes, and finds the neurons that fire.
pub(super) fn dense<R: Real>(
    step: &Step<'_, R>,
    z: &mut [R],
    lanes: &mut Lanes<'_, R>,
    found: &mut Found,
) {
    compiled!(step, all(step, z, lanes, found));
}

/// As [`dense`], for the blocks `touched`, ascending; also finds the neurons that are doubtful.
pub(super) fn sparse<R: Real>(
    (step, outlook): (&Step<'_, R>, &Outlook<'_, R>),
    touched: &[u32],
    z: &mut [R],
    lanes: &mut Lanes<'_, R>,
    found: &mut Found,
) {
    compiled!(step, listed(step, outlook, touched, z, lanes, found));
}

dispatch! {
    fn all<R: Real, const M: usize, const P: usize> = all_body(
        modes: [(); M],
        ports: [(); P],
        step: &Step<'_, R>,
        z: &mut [R],
        lanes: &mut Lanes<'_, R>,
        found: &mut Found,
    );
}

dispatch! {
    fn listed<R: Real, const M: usize, const P: usize> = listed_body(
        modes: [(); M],
        ports: [(); P],
        step: &Step<'_, R>,
        outlook: &Outlook<'_, R>,
        touched: &[u32],
        z: &mut [R],
        lanes: &mut Lanes<'_, R>,
        found: &mut Found,
    );
}

#[inline(always)]
fn all_body<R: Real, const M: usize, const P: usize>(
    _: [(); M],
    _: [(); P],
    step: &Step<'_, R>,
    z: &mut [R],
    lanes: &mut Lanes<'_, R>,
    found: &mut Found,
) {
    let kernel = Kernel::<R, M, P>::of(step);
    for (b, block) in z.chunks_exact_mut(kernel.block_len()).enumerate() {
        let (z, gate, _) = kernel.absorb(b, block, lanes);
        let margin = kernel.margin(&z);
        if step.any_fires(&margin, &gate) {
            note_fired(step, b, margin, gate, &mut found.fired);
        }
    }
}

#[inline(always)]
fn listed_body<R: Real, const M: usize, const P: usize>(
    _: [(); M],
    _: [(); P],
    step: &Step<'_, R>,
    outlook: &Outlook<'_, R>,
    touched: &[u32],
    z: &mut [R],
    lanes: &mut Lanes<'_, R>,
    found: &mut Found,
) {
    let kernel = Kernel::<R, M, P>::of(step);
    let factors: [(R, R); M] = padded(outlook.factors);
    let mixing = outlook.matrix();
    let len = kernel.block_len();
    for (k, &b) in touched.iter().enumerate() {
        if let Some(&next) = touched.get(k + AHEAD) {
            let next = next as usize;
            for place in (0..len).step_by(LINE_BYTES / R::BYTES) {
                fetch_line(z, next * len + place);
            }
            for port in 0..kernel.n_ports() {
                fetch_line(lanes.values, port * lanes.plane + next * WIDTH);
            }
        }
        let b = b as usize;
        let block = &mut z[b * len..(b + 1) * len];
        let (z, gate, arrived) = kernel.absorb(b, block, lanes);
        let highest = outlook.highest(&factors, &mixing, z);
        // What is no number is below nothing. Refractory neurons are told apart later: they are few.
        if any(|l| !(highest[l] < R::ZERO)) {
            let margin = kernel.margin(&z);
            if step.any_fires(&margin, &gate) {
                note_fired(step, b, margin, gate, &mut found.fired);
            }
            note_doubtful(step, b, [margin, highest, gate, arrived], found);
        }
    }
}

/// Whether any lane of a block is as told.
#[inline(always)]
fn any(test: impl Fn(usize) -> bool) -> bool {
    (0..WIDTH).fold(false, |any, l| any | test(l))
}

/// What a step does, in arrays of known lengths: `M` modes, more than there are being 0, and `P` ports,
/// or any number of them if `P` is 0.
struct Kernel<'a, R, const M: usize, const P: usize> {
    step: &'a Step<'a, R>,
    margin: [R; M],
    /// Gains by port: of free and of refractory neurons.
    free: [[R; M]; P],
    held: [[R; M]; P],
}

impl<'a, R: Real, const M: usize, const P: usize> Kernel<'a, R, M, P> {
    #[inline(always)]
    fn of(step: &'a Step<'a, R>) -> Self {
        Self {
            step,
            margin: padded(step.margin),
            free: std::array::from_fn(|port| step.gains(port).0),
            held: std::array::from_fn(|port| step.gains(port).1),
        }
    }

    #[inline(always)]
    fn n_modes(&self) -> usize {
        if P > 0 { M } else { self.step.layout.n_modes }
    }

    #[inline(always)]
    fn n_ports(&self) -> usize {
        if P > 0 { P } else { self.step.n_ports() }
    }

    #[inline(always)]
    fn block_len(&self) -> usize {
        (self.n_modes() + 1) * WIDTH
    }

    /// Lets what arrived act. Returns the amplitudes, the gate, and a positive number where anything
    /// arrived.
    #[inline(always)]
    fn absorb(
        &self,
        b: usize,
        block: &mut [R],
        lanes: &mut Lanes<'_, R>,
    ) -> ([Row<R>; M], Row<R>, Row<R>) {
        let n = self.n_modes();
        let (rows, _) = block.as_chunks_mut::<WIDTH>();
        let gate = rows[n];
        let mut z = [[R::ZERO; WIDTH]; M];
        for (z, row) in z.iter_mut().zip(&rows[..n]) {
            *z = *row;
        }
        let mut sizes = [R::ZERO; WIDTH];
        let mut reached = false;
        for port in 0..self.n_ports() {
            let start = port * lanes.plane + b * WIDTH;
            let Some(place) = lanes.values[start..].first_chunk_mut::<WIDTH>() else {
                continue;
            };
            let arrived = *place;
            if !any(|l| arrived[l] != R::ZERO) {
                continue;
            }
            reached = true;
            *place = [R::ZERO; WIDTH];
            let (free, held) = if P > 0 {
                (self.free[port], self.held[port])
            } else {
                self.step.gains(port)
            };
            for (m, z) in z.iter_mut().enumerate() {
                for l in 0..WIDTH {
                    let is_free = gate[l] == R::ZERO;
                    let factor = if is_free { free[m] } else { held[m] };
                    z[l] = absorbed(z[l], factor, arrived[l]);
                }
            }
            for l in 0..WIDTH {
                sizes[l] += arrived[l].abs();
            }
        }
        if reached {
            for (row, z) in rows[..n].iter_mut().zip(&z) {
                *row = *z;
            }
        }
        (z, gate, sizes)
    }

    /// The margins of a block.
    #[inline(always)]
    fn margin(&self, z: &[Row<R>; M]) -> Row<R> {
        let mut margin = [self.step.constant; WIDTH];
        for (factor, z) in self.margin.iter().zip(z) {
            for l in 0..WIDTH {
                margin[l] += *factor * z[l];
            }
        }
        margin
    }
}

/// `values` and zeros after them.
#[inline(always)]
fn padded<T: Copy + Default, const M: usize>(values: &[T]) -> [T; M] {
    std::array::from_fn(|m| values.get(m).copied().unwrap_or_default())
}

/// An amplitude after `weight` has arrived. Where nothing arrived it keeps its bits.
#[inline(always)]
fn absorbed<R: Real>(z: R, factor: R, weight: R) -> R {
    let sum = z + factor * weight;
    if weight == R::ZERO { z } else { sum }
}

impl<R: Real> Step<'_, R> {
    fn n_ports(&self) -> usize {
        self.gain.len() / self.layout.n_modes
    }

    /// What one unit of weight at a port adds, free and while refractory.
    #[inline(always)]
    fn gains<const M: usize>(&self, port: usize) -> ([R; M], [R; M]) {
        let n = self.layout.n_modes;
        let of_port = port * n..(port + 1) * n;
        (
            padded(&self.gain[of_port.clone()]),
            padded(&self.held_gain[of_port]),
        )
    }

    #[inline(always)]
    fn any_fires(&self, margin: &Row<R>, gate: &Row<R>) -> bool {
        if self.strict {
            any(|l| margin[l] > gate[l])
        } else {
            any(|l| margin[l] >= gate[l])
        }
    }

    fn fires(&self, margin: R, gate: R) -> bool {
        if self.strict {
            margin > gate
        } else {
            margin >= gate
        }
    }
}

/// Appends the neurons of a block that reach their threshold.
#[inline(never)]
fn note_fired<R: Real>(
    step: &Step<'_, R>,
    b: usize,
    margin: Row<R>,
    gate: Row<R>,
    fired: &mut Vec<u32>,
) {
    let lanes = (0..WIDTH).filter(|&l| step.fires(margin[l], gate[l]));
    fired.extend(lanes.map(|l| neuron(b, l)));
}

/// Appends the neurons of a block that are free, have not fired, and may do so by themselves.
#[inline(never)]
fn note_doubtful<R: Real>(
    step: &Step<'_, R>,
    b: usize,
    [margin, highest, gate, arrived]: [Row<R>; 4],
    found: &mut Found,
) {
    for l in 0..WIDTH {
        let is_free = gate[l] == R::ZERO;
        if is_free && !(highest[l] < R::ZERO) && !step.fires(margin[l], gate[l]) {
            found.doubtful.push(Doubtful {
                neuron: neuron(b, l),
                reached: arrived[l] != R::ZERO,
            });
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a shard has below 2^32 neurons"
)]
#[inline(always)]
fn neuron(b: usize, l: usize) -> u32 {
    (b * WIDTH + l) as u32
}

impl<R: Real> Outlook<'_, R> {
    /// Of neurons without a threshold.
    pub(super) fn never() -> Self {
        Self {
            constant: R::from_f64(-1.0),
            factors: &[],
            mixing: &[],
            growth: &[],
        }
    }

    /// Amplitudes of now by those at the beginning of the epoch.
    #[inline(always)]
    fn matrix<const M: usize>(&self) -> [[R; M]; M] {
        let mut matrix = [[R::ZERO; M]; M];
        for (&(i, j), g) in self.mixing.iter().zip(self.growth) {
            matrix[i][j] = *g;
        }
        matrix
    }

    #[inline(always)]
    fn highest<const M: usize>(
        &self,
        factors: &[(R, R); M],
        mixing: &[[R; M]; M],
        z: [Row<R>; M],
    ) -> Row<R> {
        let mut y = z;
        if !self.mixing.is_empty() {
            for i in 0..M {
                y[i] = [R::ZERO; WIDTH];
                // Upper triangular.
                for j in i..M {
                    for l in 0..WIDTH {
                        y[i][l] += mixing[i][j] * z[j][l];
                    }
                }
            }
        }
        let mut sum = [self.constant; WIDTH];
        for (&(most, least), y) in factors.iter().zip(y) {
            for l in 0..WIDTH {
                let (a, b) = (most * y[l], least * y[l]);
                sum[l] += if a > b { a } else { b };
            }
        }
        sum
    }
}
