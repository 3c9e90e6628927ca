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
    /// The epoch in which blocks were last checked: those of earlier ones have not changed since.
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
            of_block: vec![0; layout.n_blocks()],
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

    /// All blocks hold amplitudes of the current epoch.
    pub(super) fn set_all(&mut self) {
        if !self.all {
            self.of_block.fill(self.current);
        }
        self.all = true;
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
        let mut far = blocks.clone().skip(2 * AHEAD);
        let mut near = blocks.clone().skip(AHEAD);
        for block in blocks {
            if let Some(next) = far.next() {
                fetch_line(&self.of_block, next as usize);
            }
            if let Some(next) = near.next().map(|b| b as usize) {
                for place in (0..len).step_by(LINE_BYTES / R::BYTES) {
                    fetch_line(z, next * len + place);
                }
            }
            let b = block as usize;
            let pending = self.pending(b);
            if pending > 0 {
                pass(layout, regimes, pending, &mut z[b * len..(b + 1) * len]);
                self.of_block[b] = self.current;
            }
        }
    }

    /// Blocks that may have changed since the last call, ascending.
    pub(super) fn take_unchecked(&mut self) -> impl Iterator<Item = usize> {
        let since = std::mem::replace(&mut self.checked, self.current);
        let blocks = self.of_block.iter().enumerate();
        blocks
            .filter(move |(_, epoch)| **epoch >= since)
            .map(|(block, _)| block)
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.of_block.len() * 8
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is woken when, a check sees every block that was up to date since the last one.
    #[test]
    fn what_may_have_changed_is_checked() {
        let layout = Layout { n_modes: 1, n: 80 };
        let n = layout.n_blocks();
        let mut epochs = Epochs::new(layout);
        let mut touched = vec![true; n];
        let (mut random, mut spared) = (7_u32, 0);
        for step in 0..400 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if step % 3 == 0 {
                epochs.begin();
            }
            if random >> 29 == 0 {
                epochs.set_all();
                touched.fill(true);
            }
            for (b, touched) in touched.iter_mut().enumerate() {
                if (random >> b) & 7 == 0 {
                    epochs.of_block[b] = epochs.current;
                    *touched = true;
                }
            }
            if step % 7 == 0 {
                let seen: Vec<usize> = epochs.take_unchecked().collect();
                for (b, touched) in touched.iter_mut().enumerate() {
                    assert!(seen.contains(&b) || !*touched, "{step} {b}");
                    *touched = false;
                }
                spared += n - seen.len();
            }
        }
        assert!(spared > 50, "{spared}");
    }
}
