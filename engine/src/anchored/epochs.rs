//! Which epoch the amplitudes of each group of neurons belong to.
//!
//! A sparse step brings up to date only the groups it touches. One that nothing touches is multiplied
//! later, as often as epochs have passed: the same operations, the same bits.

use rheobase_equations::linear_system::MAX_STATES;
use rheobase_equations::real::Real;

use super::layout::{GROUP, Layout, WIDTH};
use super::regime::Regime;
use crate::simd::dispatch;

/// Epochs of the groups of a shard.
#[derive(Debug)]
pub(super) struct Epochs {
    /// Of each group, and of those that are up to date.
    of_group: Vec<u64>,
    current: u64,
    /// All groups are up to date.
    all: bool,
    /// Groups of earlier epochs have been checked, and nothing touched them since.
    checked: u64,
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
            of_group: vec![0; layout.n_groups()],
            current: 0,
            all: true,
            checked: 0,
        }
    }

    /// A new epoch begins.
    pub(super) fn begin(&mut self) {
        self.current += 1;
        self.all = false;
    }

    /// All groups hold amplitudes of the current epoch.
    pub(super) fn set_all(&mut self) {
        self.of_group.fill(self.current);
        self.all = true;
    }

    /// Epochs that have passed over a block since it was up to date.
    #[inline(always)]
    pub(super) fn pending(&self, block: usize) -> u64 {
        self.current - self.of_group[block / GROUP]
    }

    /// Brings the groups of `blocks` up to date.
    pub(super) fn wake<R: Real>(
        &mut self,
        layout: Layout,
        regimes: Regimes<'_, R>,
        z: &mut [R],
        blocks: impl IntoIterator<Item = usize>,
    ) {
        if self.all {
            return;
        }
        for block in blocks {
            let pending = self.pending(block);
            if pending > 0 {
                let group = block / GROUP;
                let len = GROUP * layout.block_len();
                let z = &mut z[group * len..(group + 1) * len];
                pass(layout, regimes, pending, z);
                self.of_group[group] = self.current;
            }
        }
    }

    /// Blocks that were up to date at some time since the last call.
    pub(super) fn unchecked(&mut self) -> impl Iterator<Item = usize> {
        let since = std::mem::replace(&mut self.checked, self.current);
        let groups = self.of_group.iter().enumerate();
        let groups = groups.filter(move |(_, epoch)| **epoch >= since);
        groups.flat_map(|(group, _)| group * GROUP..(group + 1) * GROUP)
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.of_group.len() * 8
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
    let mut before = [[R::ZERO; WIDTH]; MAX_STATES];
    let before = &mut before[..rows.len()];
    before.copy_from_slice(rows);
    regimes.free.next_epoch(rows);
    if let Some(held) = regimes.held
        && gate.iter().any(|g| *g != R::ZERO)
    {
        let mut refractory = [[R::ZERO; WIDTH]; MAX_STATES];
        let refractory = &mut refractory[..rows.len()];
        refractory.copy_from_slice(before);
        held.next_epoch(refractory);
        for (row, refractory) in rows.iter_mut().zip(refractory) {
            for l in 0..WIDTH {
                row[l] = if gate[l] == R::ZERO {
                    row[l]
                } else {
                    refractory[l]
                };
            }
        }
    }
    rows != before
}
