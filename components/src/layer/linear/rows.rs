//! Sums over some rows of a matrix that is kept row by row, each row in whole blocks.

use rheobase_engine::simd::{dispatch, dispatch_fused, fetch_line};
use rheobase_equations::real::Real;

use super::super::matmul::multiply_step;

/// Elements of a row that stand in registers while rows are added, and of short rows.
const BLOCK: usize = 32;
const SMALL: usize = 16;
/// Rows that are added while a block of sums is in registers; the next ones are on their way meanwhile.
const SIDE: usize = 8;
/// Bytes that come from memory together.
const LINE_BYTES: usize = 64;
/// Rows of 8-bit numbers whose sum fits into 16 bits.
const ROWS_OF_BYTES: usize = 256;
/// Rows of 16-bit numbers whose sum fits into 32 bits.
const ROWS_OF_WORDS: usize = 65_536;

/// Length of rows with room for `n` elements: whole blocks.
pub(super) fn stride(n: usize) -> usize {
    if n <= SMALL {
        SMALL
    } else {
        n.next_multiple_of(BLOCK)
    }
}

dispatch! {
    /// Adds the rows of active inputs, ascending.
    pub(super) fn add_rows<R: Real> = add_rows_body(w: &[R], active: &[u32], sums: &mut [R]);
}

#[inline(always)]
fn add_rows_body<R: Real>(w: &[R], active: &[u32], sums: &mut [R]) {
    let row = |k: usize| active[k] as usize;
    add(w, active.len(), row, sums, |_, sum, w| sum + w);
}

dispatch_fused! {
    /// Adds the rows of some inputs, ascending, times their values.
    pub(super) fn add_products<R: Real> =
        add_products_body(w: &[R], some: &[(u32, R)], sums: &mut [R]);
}

#[inline(always)]
fn add_products_body<R: Real, const FUSE: bool>(w: &[R], some: &[(u32, R)], sums: &mut [R]) {
    let row = |k: usize| some[k].0 as usize;
    let add_product = |k: usize, sum, w| multiply_step::<R, FUSE>(some[k].1, w, sum);
    add(w, some.len(), row, sums, add_product);
}

/// Weights as multiples of `scale`, one for each output; sums of a few rows have type `A`.
pub(super) struct Quantised<T, A, R> {
    pub(super) multiples: Vec<T>,
    pub(super) scale: Vec<R>,
    part: Vec<A>,
}

impl<T, A: Copy + Default, R> Quantised<T, A, R> {
    pub(super) fn new(multiples: Vec<T>, scale: Vec<R>) -> Self {
        Self {
            multiples,
            part: vec![A::default(); scale.len()],
            scale,
        }
    }
}

/// Overwrites `sums` with those of the rows of active inputs.
pub(super) fn sum_words<R>(q: &mut Quantised<i16, i32, R>, active: &[u32], sums: &mut [f64]) {
    sums.fill(0.0);
    for active in active.chunks(ROWS_OF_WORDS) {
        q.part.fill(0);
        add_words(&q.multiples, active, &mut q.part);
        let parts = sums.iter_mut().zip(&q.part);
        parts.for_each(|(sum, &part)| *sum += f64::from(part));
    }
}

/// The same for 8 bits.
pub(super) fn sum_bytes<R>(q: &mut Quantised<i8, i16, R>, active: &[u32], sums: &mut [f64]) {
    sums.fill(0.0);
    for active in active.chunks(ROWS_OF_BYTES) {
        q.part.fill(0);
        add_bytes(&q.multiples, active, &mut q.part);
        let parts = sums.iter_mut().zip(&q.part);
        parts.for_each(|(sum, &part)| *sum += f64::from(part));
    }
}

/// Overwrites `sums` with those of all rows times the values of their inputs.
pub(super) fn sum_products<T: Copy + Into<f64>, R: Real>(q: &[T], x: &[R], sums: &mut [f64]) {
    sums.fill(0.0);
    let rows = q.chunks_exact(sums.len()).zip(x);
    for (row, x) in rows.filter(|(_, x)| **x != R::ZERO) {
        let x = x.to_f64();
        for (sum, &q) in sums.iter_mut().zip(row) {
            *sum += x * q.into();
        }
    }
}

dispatch! {
    /// At most [`ROWS_OF_WORDS`] rows.
    fn add_words = add_words_body(q: &[i16], active: &[u32], sums: &mut [i32]);
}

#[inline(always)]
fn add_words_body(q: &[i16], active: &[u32], sums: &mut [i32]) {
    let row = |k: usize| active[k] as usize;
    add(q, active.len(), row, sums, |_, sum, q| sum + i32::from(q));
}

dispatch! {
    /// At most [`ROWS_OF_BYTES`] rows.
    fn add_bytes = add_bytes_body(q: &[i8], active: &[u32], sums: &mut [i16]);
}

#[inline(always)]
fn add_bytes_body(q: &[i8], active: &[u32], sums: &mut [i16]) {
    let row = |k: usize| active[k] as usize;
    let add_byte = |_, sum: i16, q| sum.wrapping_add(i16::from(q));
    add(q, active.len(), row, sums, add_byte);
}

/// Adds `n` rows of `w`, one after the other, to `sums`, as long as a row: the k-th is `row(k)`, and is
/// added by `step(k, sum, element)`.
#[inline(always)]
fn add<T: Copy, A: Copy>(
    w: &[T],
    n: usize,
    row: impl Fn(usize) -> usize,
    sums: &mut [A],
    step: impl Fn(usize, A, T) -> A,
) {
    if sums.len().is_multiple_of(BLOCK) {
        add_blocks::<T, A, BLOCK>(w, n, row, sums, step);
    } else {
        add_blocks::<T, A, SMALL>(w, n, row, sums, step);
    }
}

#[inline(always)]
fn add_blocks<T: Copy, A: Copy, const N: usize>(
    w: &[T],
    n: usize,
    row: impl Fn(usize) -> usize,
    sums: &mut [A],
    step: impl Fn(usize, A, T) -> A,
) {
    let stride = sums.len();
    let sums = sums.as_chunks_mut::<N>().0;
    let n_blocks = sums.len();
    let start = |k: usize| row(k) * stride;
    let blocks = |k: usize| &w[start(k)..start(k) + stride].as_chunks::<N>().0[..n_blocks];
    let whole = n - n % SIDE;
    for first in (0..whole).step_by(SIDE) {
        let rows: [&[[T; N]]; SIDE] = std::array::from_fn(|k| blocks(first + k));
        let next: [usize; SIDE] = std::array::from_fn(|k| start((first + SIDE + k).min(n - 1)));
        for block in 0..n_blocks {
            let mut acc = sums[block];
            for (k, row) in rows.iter().enumerate() {
                let row = &row[block];
                for lane in 0..N {
                    acc[lane] = step(first + k, acc[lane], row[lane]);
                }
            }
            sums[block] = acc;
            for at in (0..size_of::<[T; N]>()).step_by(LINE_BYTES) {
                if (block * size_of::<[T; N]>() + at).is_multiple_of(LINE_BYTES) {
                    let element = block * N + at / size_of::<T>();
                    next.iter().for_each(|start| fetch_line(w, start + element));
                }
            }
        }
    }
    for k in whole..n {
        for (sums, row) in sums.iter_mut().zip(blocks(k)) {
            for lane in 0..N {
                sums[lane] = step(k, sums[lane], row[lane]);
            }
        }
    }
}
