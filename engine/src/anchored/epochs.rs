//! Which epoch the amplitudes of each block of neurons belong to.
//!
//! A sparse step brings up to date only the blocks it touches. One that nothing touches is multiplied
//! later, as often as epochs have passed: the same operations, the same bits.

use rheobase_equations::linear_system::MAX_STATES;
use rheobase_equations::real::Real;

use super::layout::{Layout, WIDTH};
use super::regime::Regime;
use crate::fetch::{LINE_BYTES, fetch_line};
use crate::simd::dispatch;

/// Blocks whose memory is asked for ahead of the one that is brought up to date.
const AHEAD: usize = 8;

/// Epochs of the blocks of a shard.
#[derive(Debug)]
pub(super) struct Epochs {
    /// Of each block, and of those that are up to date.
    of_block: Vec<u64>,
    current: u64,
    /// All blocks are up to date.
    all: bool,
    /// Blocks that were brought up to date since they were last checked; all of them, or these.
    unchecked_all: bool,
    unchecked: Vec<u32>,
}

/// What multiplies the amplitudes of free and of refractory neurons.
#[derive(Clone, Copy)]
pub(super) struct Regimes<'a, R> {
    pub(super) free: &'a Regime<R>,
    pub(super) held: Option<&'a Regime<R>>,
}

impl Epochs {
    /// All in the first epoch.
    pub(super) fn new(layout: Layout) -> Self {
        Self {
            of_block: vec![0; layout.n_blocks()],
            current: 0,
            all: true,
            unchecked_all: true,
            unchecked: Vec::new(),
        }
    }

    /// A new epoch begins.
    pub(super) fn begin(&mut self) {
        self.current += 1;
        self.all = false;
    }

    /// All blocks hold amplitudes of the current epoch.
    pub(super) fn set_all(&mut self) {
        if !self.all {
            self.of_block.fill(self.current);
        }
        self.all = true;
        self.unchecked_all = true;
    }

    /// Epochs that have passed over a block since it was up to date.
    #[inline(always)]
    pub(super) fn pending(&self, block: usize) -> u64 {
        self.current - self.of_block[block]
    }

    /// Brings `blocks` up to date.
    pub(super) fn wake<R: Real>(
        &mut self,
        layout: Layout,
        regimes: Regimes<'_, R>,
        z: &mut [R],
        blocks: impl Iterator<Item = u32> + Clone,
    ) {
        if self.all {
            return;
        }
        let len = layout.block_len();
        let mut ahead = blocks.clone().skip(AHEAD);
        for block in blocks {
            if let Some(next) = ahead.next().map(|b| b as usize) {
                for place in (0..len).step_by(LINE_BYTES / R::BYTES) {
                    fetch_line(z, next * len + place);
                }
            }
            let b = block as usize;
            let pending = self.pending(b);
            if pending > 0 {
                pass(layout, regimes, pending, &mut z[b * len..(b + 1) * len]);
                self.of_block[b] = self.current;
                self.unchecked.push(block);
            }
        }
    }

    /// Lets `check` see the blocks that may have changed since the last call, until it finds something.
    pub(super) fn check<T>(&mut self, mut check: impl FnMut(usize) -> Option<T>) -> Option<T> {
        let found = if self.unchecked_all {
            (0..self.of_block.len()).find_map(&mut check)
        } else {
            self.unchecked.iter().find_map(|&b| check(b as usize))
        };
        // What is up to date may still change in this epoch.
        self.unchecked_all = self.all;
        let (of_block, current) = (&self.of_block, self.current);
        self.unchecked.retain(|&b| of_block[b as usize] == current);
        found
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.of_block.len() * 8 + self.unchecked.capacity() * 4
    }
}

dispatch! {
    /// Lets epochs pass over some blocks.
    pub(super) fn pass<R: Real> = pass_body(
        layout: Layout,
        regimes: Regimes<'_, R>,
        epochs: u64,
        blocks: &mut [R],
    );
}

#[inline(always)]
fn pass_body<R: Real>(layout: Layout, regimes: Regimes<'_, R>, epochs: u64, blocks: &mut [R]) {
    for block in blocks.chunks_exact_mut(layout.block_len()) {
        let (rows, _) = block.as_chunks_mut::<WIDTH>();
        let (rows, gate) = rows.split_at_mut(layout.n_modes);
        for _ in 0..epochs {
            if !pass_one(regimes, rows, &gate[0]) {
                // What one epoch leaves as it is, all do.
                break;
            }
        }
    }
}

/// Lets one epoch pass over a block. Returns whether it has changed anything.
#[inline(always)]
fn pass_one<R: Real>(regimes: Regimes<'_, R>, rows: &mut [[R; WIDTH]], gate: &[R; WIDTH]) -> bool {
    let held = regimes.held.filter(|_| gate.iter().any(|g| *g != R::ZERO));
    let Some(held) = held else {
        return regimes.free.next_epoch(rows);
    };
    let mut refractory = [[R::ZERO; WIDTH]; MAX_STATES];
    let refractory = &mut refractory[..rows.len()];
    refractory.copy_from_slice(rows);
    let mut changed = regimes.free.next_epoch(rows);
    changed |= held.next_epoch(refractory);
    for (row, refractory) in rows.iter_mut().zip(refractory) {
        for l in 0..WIDTH {
            row[l] = if gate[l] == R::ZERO {
                row[l]
            } else {
                refractory[l]
            };
        }
    }
    changed
}
