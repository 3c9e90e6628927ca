//! One body of code, compiled for several instruction sets, chosen when it runs.
//!
//! A [`Job`] is written once, its functions marked `#[inline(always)]`; [`run`] instantiates it
//! under each set of target features, so that the default build uses what the machine has. FMA is
//! never enabled: all levels give the same bits.

use std::sync::OnceLock;

/// What the code is compiled for.
pub trait Isa {
    /// Rounding to integers has a packed instruction.
    const ROUNDS: bool;
}

/// What every machine of the target has.
#[derive(Debug)]
pub struct Baseline;
/// x86-64 with AVX2.
#[derive(Debug)]
pub struct Avx2;
/// x86-64 with AVX-512 F, VL, BW and DQ.
#[derive(Debug)]
pub struct Avx512;

impl Isa for Baseline {
    // x86-64 rounds to integers from SSE4.1 on only; wasm32 and others are not checked.
    const ROUNDS: bool = cfg!(target_arch = "aarch64");
}
impl Isa for Avx2 {
    const ROUNDS: bool = true;
}
impl Isa for Avx512 {
    const ROUNDS: bool = true;
}

/// An instruction-set level.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// What every machine of the target has (SSE2 on x86-64, NEON on aarch64).
    Baseline,
    /// AVX2.
    Avx2,
    /// AVX-512 F, VL, BW and DQ.
    Avx512,
}

impl Level {
    /// All levels, ascending.
    pub const ALL: [Self; 3] = [Self::Baseline, Self::Avx2, Self::Avx512];

    /// The highest level this machine has; found out once.
    #[must_use]
    pub fn detected() -> Self {
        static DETECTED: OnceLock<Level> = OnceLock::new();
        *DETECTED.get_or_init(detect)
    }

    /// Levels this machine has, ascending.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(|&level| level <= Self::detected())
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Level {
    let avx2 = is_x86_feature_detected!("avx2");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq");
    match (avx2, avx512) {
        (true, true) => Level::Avx512,
        (true, false) => Level::Avx2,
        _ => Level::Baseline,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Level {
    Level::Baseline
}

/// Code to run at some level.
pub trait Job {
    /// What it returns.
    type Output;
    /// The code. Mark it and everything hot it calls `#[inline(always)]`: only what is inlined is
    /// compiled for the level.
    fn run<I: Isa>(self) -> Self::Output;
}

/// Runs `job` at `level`, or at the highest level this machine has if that is lower.
#[cfg(target_arch = "x86_64")]
#[inline]
#[allow(
    unsafe_code,
    reason = "calling a function compiled for more than the baseline"
)]
pub fn run<J: Job>(level: Level, job: J) -> J::Output {
    match level.min(Level::detected()) {
        // SAFETY: `detected` found every feature `at_avx512` is compiled for.
        Level::Avx512 => unsafe { at_avx512(job) },
        // SAFETY: `detected` found AVX2.
        Level::Avx2 => unsafe { at_avx2(job) },
        Level::Baseline => job.run::<Baseline>(),
    }
}

/// Runs `job`; this target has one level.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub fn run<J: Job>(_level: Level, job: J) -> J::Output {
    job.run::<Baseline>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
fn at_avx512<J: Job>(job: J) -> J::Output {
    job.run::<Avx512>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn at_avx2<J: Job>(job: J) -> J::Output {
    job.run::<Avx2>()
}
