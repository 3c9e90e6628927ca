//! The inner loop of a sparse step, compiled for each number of modes and ports.

use rheobase_equations::native::LANES;
use rheobase_equations::real::Real;

use super::bound::{Bounds, Due};
use super::dense::{Lanes, absorbed};
use super::layout::Layout;
use super::sparse::Agenda;

/// What a sparse step needs of a population of neurons that can fire.
pub(super) struct Look<'a, 'b, R> {
    pub(super) layout: Layout,
    pub(super) z: &'a mut [R],
    pub(super) lanes: &'a mut Lanes<'b, R>,
    /// What one unit of weight adds to z, `[ports][modes]`: free, and while refractory.
    pub(super) gain: &'a [R],
    pub(super) held_gain: &'a [R],
    /// Factors of the amplitudes in the margin, and its constant.
    pub(super) margin: &'a [R],
    pub(super) constant: R,
    pub(super) strict: bool,
    /// Amplitudes of now from those at the beginning of the epoch, by pair.
    pub(super) growth: &'a [R],
    pub(super) pairs: &'a [(usize, usize)],
    pub(super) bounds: &'a Bounds<R>,
    pub(super) agenda: &'a mut Agenda,
    pub(super) step: u64,
    pub(super) fired: &'a mut Vec<u32>,
}

/// Most modes and ports for which the loop is compiled.
pub(super) const MOST_MODES: usize = 6;
pub(super) const MOST_PORTS: usize = 2;

/// Neurons whose memory is asked for ahead of the one that is looked at.
const AHEAD: usize = 8;

impl<R: Real> Look<'_, '_, R> {
    /// Looks at neurons, ascending: lets what arrived act, notes those that fire, and plans when to
    /// look at the others again.
    ///
    /// # Panics
    /// With more than [`MOST_MODES`] modes or [`MOST_PORTS`] ports, or a neuron that does not exist.
    pub(super) fn at(&mut self, touched: &[u32]) {
        macro_rules! compiled {
            ($($modes:literal)*) => {
                match (self.layout.n_modes, self.gain.len() / self.layout.n_modes) {
                    $(($modes, 0) => self.each::<$modes, 0>(touched),
                    ($modes, 1) => self.each::<$modes, 1>(touched),
                    ($modes, 2) => self.each::<$modes, 2>(touched),)*
                    (modes, ports) => unreachable!("{modes} modes, {ports} ports"),
                }
            };
        }
        compiled!(1 2 3 4 5 6);
    }

    fn each<const M: usize, const P: usize>(&mut self, touched: &[u32]) {
        let gain: [[R; M]; P] = std::array::from_fn(|p| array(&self.gain[p * M..]));
        let margin: [R; M] = array(self.margin);
        // Modes that stand alone need one factor each.
        let alone = (self.pairs.len() == M).then(|| array(self.growth));
        let (most, least, magnitude) = self.bounds.always::<M>();
        let rest = self.constant + self.bounds.always_drift();
        for (k, &neuron) in touched.iter().enumerate() {
            if let Some(&next) = touched.get(k + AHEAD) {
                self.ask::<M, P>(next as usize);
            }
            let i = neuron as usize;
            let at = i / LANES * ((M + 1) * LANES) + i % LANES;
            let rows = &mut self.z[at..at + M * LANES + 1];
            if rows[M * LANES] != R::ZERO {
                self.held::<M, P>(i);
                continue;
            }
            let mut z: [R; M] = std::array::from_fn(|m| rows[m * LANES]);
            let mut reached = false;
            for (p, gain) in gain.iter().enumerate() {
                let lane = &mut self.lanes.values[p * self.lanes.plane + i];
                let weight = std::mem::replace(lane, R::ZERO);
                reached |= weight != R::ZERO;
                for m in 0..M {
                    z[m] = absorbed(z[m], gain[m], weight);
                }
            }
            if reached {
                for m in 0..M {
                    rows[m * LANES] = z[m];
                }
            }
            let mut sum = self.constant;
            for m in 0..M {
                sum += margin[m] * z[m];
            }
            let fires = if self.strict {
                sum > R::ZERO
            } else {
                sum >= R::ZERO
            };
            if fires {
                self.fired.push(neuron);
                continue;
            }
            let y = now(&z, &alone, self.pairs, self.growth);
            let (mut highest, mut size) = (rest, self.bounds.size(self.constant));
            for m in 0..M {
                highest += y[m] * if y[m] > R::ZERO { most[m] } else { least[m] };
                size += y[m].abs() * magnitude[m];
            }
            let due = if self.bounds.excludes(highest, size) {
                Due::Never
            } else {
                self.bounds.search(&y, self.constant, size)
            };
            self.agenda.plan(neuron, self.step, due);
        }
    }

    /// What reaches a refractory neuron.
    fn held<const M: usize, const P: usize>(&mut self, neuron: usize) {
        let at = self.layout.at(neuron);
        for p in 0..P {
            let lane = &mut self.lanes.values[p * self.lanes.plane + neuron];
            let weight = std::mem::replace(lane, R::ZERO);
            for (m, gain) in self.held_gain.iter().skip(p * M).take(M).enumerate() {
                let z = &mut self.z[at + m * LANES];
                *z = absorbed(*z, *gain, weight);
            }
        }
    }

    /// Asks for the memory of a neuron that will be looked at soon.
    #[inline(always)]
    fn ask<const M: usize, const P: usize>(&self, neuron: usize) {
        let at = self.layout.at(neuron);
        for m in 0..=M {
            fetch(self.z.as_ptr().wrapping_add(at + m * LANES));
        }
        for p in 0..P {
            fetch(
                self.lanes
                    .values
                    .as_ptr()
                    .wrapping_add(p * self.lanes.plane + neuron),
            );
        }
        self.agenda.ask(neuron);
    }
}

/// Amplitudes as they are now.
#[inline(always)]
fn now<R: Real, const M: usize>(
    z: &[R; M],
    alone: &Option<[R; M]>,
    pairs: &[(usize, usize)],
    growth: &[R],
) -> [R; M] {
    if let Some(growth) = alone {
        return std::array::from_fn(|m| growth[m] * z[m]);
    }
    let mut y = [R::ZERO; M];
    for (&(i, j), g) in pairs.iter().zip(growth) {
        y[i] += *g * z[j];
    }
    y
}

#[inline(always)]
fn array<R: Real, const M: usize>(values: &[R]) -> [R; M] {
    std::array::from_fn(|m| values[m])
}

/// Asks for a cache line. Costs nothing where the processor has no such instruction.
#[inline(always)]
pub(super) fn fetch<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        #[allow(unsafe_code, reason = "a hint without effect on results")]
        // SAFETY: prefetching touches no memory and cannot fault, whatever the address.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(place.cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
