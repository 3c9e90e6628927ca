//! Run-time choice of the instruction set for plain loops.
//!
//! Default builds target the baseline of the architecture; a loop written once is compiled again
//! for wider vectors and picked when it is called. [`dispatch!`] does not enable FMA: all variants give the
//! same bits. [`dispatch_fused!`] is for products of real matrices.

/// `dispatch! { fn name = body(args…); }` defines `name`, which runs `body` (an `#[inline(always)]`
/// function) compiled for the widest vectors of this machine.
#[macro_export]
macro_rules! dispatch {
    ($(#[$meta:meta])* $vis:vis fn $name:ident $(<$g:ident : $bound:path $(, const $c:ident : $ct:ty)*>)? = $body:ident (
        $($arg:ident : $ty:ty),* $(,)?
    ) $(-> $ret:ty)? ;) => {
        $(#[$meta])*
        #[inline]
        $vis fn $name $(<$g: $bound $(, const $c: $ct)*>)? ($($arg: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
                fn wide $(<$g: $bound $(, const $c: $ct)*>)? ($($arg: $ty),*) $(-> $ret)? {
                    $body $(::<$g $(, $c)*>)? ($($arg),*)
                }
                #[target_feature(enable = "avx2")]
                fn middle $(<$g: $bound $(, const $c: $ct)*>)? ($($arg: $ty),*) $(-> $ret)? {
                    $body $(::<$g $(, $c)*>)? ($($arg),*)
                }
                match $crate::simd::level() {
                    $crate::simd::Level::Avx512 => {
                        #[allow(unsafe_code, reason = "call of a target_feature function")]
                        // SAFETY: `level` has found these instructions on this machine.
                        return unsafe { wide $(::<$g $(, $c)*>)? ($($arg),*) };
                    }
                    $crate::simd::Level::Avx2 => {
                        #[allow(unsafe_code, reason = "call of a target_feature function")]
                        // SAFETY: `level` has found these instructions on this machine.
                        return unsafe { middle $(::<$g $(, $c)*>)? ($($arg),*) };
                    }
                    $crate::simd::Level::Baseline => {}
                }
            }
            $body $(::<$g $(, $c)*>)? ($($arg),*)
        }
    };
}
pub use dispatch;

/// As [`dispatch!`], for a body with a last generic argument `const FUSE: bool`, which says whether a
/// multiplication and an addition are one instruction ([`fuses`]).
#[macro_export]
macro_rules! dispatch_fused {
    ($(#[$meta:meta])* $vis:vis fn $name:ident <$g:ident : $bound:path $(, const $c:ident : $ct:ty)*> = $body:ident (
        $($arg:ident : $ty:ty),* $(,)?
    );) => {
        $(#[$meta])*
        #[inline]
        $vis fn $name <$g: $bound $(, const $c: $ct)*> ($($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            if $crate::simd::fuses() {
                #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,fma")]
                fn wide <$g: $bound $(, const $c: $ct)*> ($($arg: $ty),*) {
                    $body::<$g $(, $c)*, true>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn middle <$g: $bound $(, const $c: $ct)*> ($($arg: $ty),*) {
                    $body::<$g $(, $c)*, true>($($arg),*)
                }
                #[allow(unsafe_code, reason = "call of a target_feature function")]
                // SAFETY: `fuses` and `level` have found these instructions on this machine.
                unsafe {
                    match $crate::simd::level() {
                        $crate::simd::Level::Avx512 => wide::<$g $(, $c)*>($($arg),*),
                        _ => middle::<$g $(, $c)*>($($arg),*),
                    }
                }
                return;
            }
            $body::<$g $(, $c)*, { cfg!(target_arch = "aarch64") }>($($arg),*)
        }
    };
}
pub use dispatch_fused;

pub use crate::fetch::fetch_line;

/// Instruction sets told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// What the target guarantees (SSE2 on x86-64, NEON on ARM64).
    Baseline,
    /// AVX2.
    Avx2,
    /// AVX-512 F, VL, BW, DQ.
    Avx512,
}

/// The widest of this machine (found once, then cached by the standard library).
#[inline]
#[must_use]
pub fn level() -> Level {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
        {
            return Level::Avx512;
        }
        if is_x86_feature_detected!("avx2") {
            return Level::Avx2;
        }
    }
    Level::Baseline
}

/// Whether matrix kernels multiply and add in one instruction that rounds once: where the machine can
/// and its vectors are told apart.
#[inline]
#[must_use]
pub fn fuses() -> bool {
    #[cfg(target_arch = "x86_64")]
    return level() != Level::Baseline && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    return cfg!(target_arch = "aarch64");
}
