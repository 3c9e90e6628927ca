//! What a compiled reverse of a step looks like to its caller.

use super::{Derived, Isa, Job, Level, run};
use crate::real::Real;

/// Everything the reverse of one step of a population reads and writes. Arrays are laid out as those of
/// [`super::StepArgs`].
#[derive(Debug)]
pub struct ReverseArgs<'a, R> {
    /// Number of neurons.
    pub n: usize,
    /// Length of each array; a multiple of [`super::LANES`], at least `n`.
    pub stride: usize,
    /// State variables before the step: `n_states × stride`.
    pub states: &'a [R],
    /// What arrived at each input port: an array for each, of whole blocks.
    pub inputs: &'a [&'a [R]],
    /// Derived quantities, as in the step.
    pub derived: &'a [Derived<R>],
    /// Random draws, as in the step.
    pub random: &'a [R],
    /// Time at the end of the step \[ms\].
    pub time: R,
    /// Cotangents of the spikes of the step: of whole blocks.
    pub spike_cotangent: &'a [R],
    /// Cotangents of its outputs: `n_outputs × stride`.
    pub output_cotangents: &'a [R],
    /// Cotangents of the states after the step, replaced by those of the states before it where a state
    /// is differentiable: `n_states × stride`.
    pub state_cotangents: &'a mut [R],
    /// Cotangents of what arrived at each input port, overwritten: an array for each, of whole blocks.
    pub input_cotangents: &'a mut [&'a mut [R]],
    /// Cotangents of the derived quantities that [`crate::gradient::Reverse::derived`] lists, overwritten.
    pub derived_cotangents: &'a mut [R],
}

/// A compiled reverse at a given instruction-set level, or the highest below it that the machine has.
pub type ReverseFn<R> = fn(Level, &mut ReverseArgs<'_, R>);

/// The body `neuron!` generates, for one precision.
pub trait ReverseKernel<R: Real> {
    /// The reverse of one step of a population. Implementations are `#[inline(always)]`.
    fn reverse<I: Isa>(args: &mut ReverseArgs<'_, R>);
}

/// The reverse of a component, compiled to native code by `neuron!`.
#[derive(Clone, Copy, Debug)]
pub struct NativeReverse {
    /// Fingerprint of the reverse programs the code was made from
    /// ([`crate::gradient::Reverse::fingerprint`]).
    pub fingerprint: u64,
    /// The reverse in f32.
    pub reverse_f32: ReverseFn<f32>,
    /// The reverse in f64; all levels give the same bits.
    pub reverse_f64: ReverseFn<f64>,
}

impl NativeReverse {
    /// Wraps a generated kernel.
    #[must_use]
    pub const fn new<K: ReverseKernel<f32> + ReverseKernel<f64>>(fingerprint: u64) -> Self {
        Self {
            fingerprint,
            reverse_f32: reverse_at::<f32, K>,
            reverse_f64: reverse_at::<f64, K>,
        }
    }
}

struct Reverse<'s, 'a, R, K> {
    args: &'s mut ReverseArgs<'a, R>,
    kernel: std::marker::PhantomData<K>,
}

impl<R: Real, K: ReverseKernel<R>> Job for Reverse<'_, '_, R, K> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        K::reverse::<I>(self.args);
    }
}

fn reverse_at<R: Real, K: ReverseKernel<R>>(level: Level, args: &mut ReverseArgs<'_, R>) {
    run(
        level,
        Reverse::<R, K> {
            args,
            kernel: std::marker::PhantomData,
        },
    );
}
