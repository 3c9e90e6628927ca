//! What a compiled or interpreted step of a population looks like to its caller.
//!
//! Arrays are structure-of-arrays: array k of a group occupies `k*stride .. (k+1)*stride`.
//! `stride` is a multiple of [`LANES`], so kernels work on whole blocks; lanes beyond `n` are
//! padding that never spikes.
//!
//! Arrays that start on a cache line ([`Aligned`]) are read fastest; any alignment is right.

mod aligned;
mod dispatch;
mod lane;
pub mod prepare;
mod reverse;
mod windows;

pub use aligned::{Aligned, padded};
pub use dispatch::{Avx2, Avx512, Baseline, Isa, Job, Level, run};
pub use lane::{Lane, select};
pub use reverse::{NativeReverse, ReverseArgs, ReverseFn, ReverseKernel};
pub(crate) use windows::append_lanes;
pub use windows::{
    Block, PerLane, append_fired, derived_block, ports, ports_mut, shared, windows, windows_mut,
};

use crate::real::Real;

/// Neurons per block. Every population array is padded to a multiple of it.
pub const LANES: usize = 64;

/// One derived quantity of a population.
#[derive(Clone, Debug)]
pub enum Derived<R> {
    /// The same for every neuron: one block of equal values.
    Shared(Box<[R; LANES]>),
    /// One value per neuron, padded to the stride.
    PerNeuron(Vec<R>),
}

impl<R: Real> Derived<R> {
    /// The same value for every neuron.
    #[must_use]
    pub fn shared(value: R) -> Self {
        Self::Shared(Box::new([value; LANES]))
    }

    /// The block of values for neurons `start .. start + LANES`.
    #[inline(always)]
    #[must_use]
    pub fn block(&self, start: usize) -> &[R] {
        match self {
            Self::Shared(b) => &b[..],
            Self::PerNeuron(v) => &v[start..start + LANES],
        }
    }
}

/// Everything one step of a population reads and writes.
#[derive(Debug)]
pub struct StepArgs<'a, R> {
    /// Number of neurons.
    pub n: usize,
    /// Length of each array; a multiple of [`LANES`], at least `n`.
    pub stride: usize,
    /// State variables: `n_states × stride`.
    pub states: &'a mut [R],
    /// What arrived at each input port, the ports [`Self::input_stride`] apart. Zero on return.
    pub inputs: &'a mut [R],
    /// Distance between the arrays of input ports: at least [`Self::stride`], but the last array may
    /// end with `inputs`.
    pub input_stride: usize,
    /// Derived quantities, in the order of [`crate::lower::Component::derive`].
    pub derived: &'a [Derived<R>],
    /// Random draws: uniforms first, then normals, each `stride` long.
    pub random: &'a [R],
    /// Time at the end of the step \[ms\].
    pub time: R,
    /// Real-valued outputs: `n_outputs × stride`.
    pub outputs: &'a mut [R],
    /// Indices of neurons that fired are appended, ascending.
    pub spikes: &'a mut Vec<u32>,
    /// Where it is given, neurons that fired may be marked here instead, neuron i as bit i mod 64 of
    /// word i/64. All zero before.
    pub bits: Option<&'a mut [u64]>,
}

/// A compiled step.
pub type StepFn<R> = fn(&mut StepArgs<'_, R>);

/// A compiled step at a given instruction-set level, or the highest below it that the machine has.
pub type StepAtFn<R> = fn(Level, &mut StepArgs<'_, R>);

/// A component compiled to native code by `neuron!`.
#[derive(Clone, Copy, Debug)]
pub struct NativeComponent {
    /// Its text.
    pub text: &'static str,
    /// Fingerprint of the step programs the code was made from
    /// ([`crate::lower::Component::fingerprint`]); must match those lowered at run time.
    pub fingerprint: u64,
    /// The step in f32.
    pub step_f32: StepFn<f32>,
    /// The step in f64.
    pub step_f64: StepFn<f64>,
    /// The step in f32 at a chosen level; all levels give the same bits.
    pub step_f32_at: StepAtFn<f32>,
    /// The step in f64 at a chosen level.
    pub step_f64_at: StepAtFn<f64>,
    /// Its reverse, where that is compiled too.
    pub reverse: Option<NativeReverse>,
}

/// The body `neuron!` generates, for one precision.
pub trait Kernel<R: Real> {
    /// One step of a population. Implementations are `#[inline(always)]`.
    fn step<I: Isa>(args: &mut StepArgs<'_, R>);
}

impl NativeComponent {
    /// Wraps a generated kernel.
    #[must_use]
    pub const fn new<K: Kernel<f32> + Kernel<f64>>(
        text: &'static str,
        fingerprint: u64,
        reverse: Option<NativeReverse>,
    ) -> Self {
        Self {
            text,
            fingerprint,
            step_f32: step::<f32, K>,
            step_f64: step::<f64, K>,
            step_f32_at: step_at::<f32, K>,
            step_f64_at: step_at::<f64, K>,
            reverse,
        }
    }
}

struct Step<'s, 'a, R, K> {
    args: &'s mut StepArgs<'a, R>,
    kernel: std::marker::PhantomData<K>,
}

impl<R: Real, K: Kernel<R>> Job for Step<'_, '_, R, K> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        K::step::<I>(self.args);
    }
}

fn step<R: Real, K: Kernel<R>>(args: &mut StepArgs<'_, R>) {
    step_at::<R, K>(Level::detected(), args);
}

fn step_at<R: Real, K: Kernel<R>>(level: Level, args: &mut StepArgs<'_, R>) {
    run(
        level,
        Step::<R, K> {
            args,
            kernel: std::marker::PhantomData,
        },
    );
}
