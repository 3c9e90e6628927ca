//! Sums over the rows of a matrix that index lists name.

use rheobase_equations::real::Real;

use super::{Packed, panel_width};

/// For every row, adds to it the rows of `b` that its list names, ascending: `c[row] += Σ b[i]`.
pub(in super::super) fn gather<R: Real>(
    offsets: &[u32],
    indices: &[u32],
    b: &Packed<R>,
    c: &mut [R],
) {
    match panel_width::<R>() {
        4 => gather_panels::<R, 4>(offsets, indices, b, c),
        8 => gather_panels::<R, 8>(offsets, indices, b, c),
        16 => gather_panels::<R, 16>(offsets, indices, b, c),
        _ => gather_panels::<R, 32>(offsets, indices, b, c),
    }
}

rheobase_engine::simd::dispatch! {
    fn gather_panels<R: Real, const N: usize> = gather_body(
        offsets: &[u32], indices: &[u32], b: &Packed<R>, c: &mut [R],
    );
}

#[inline(always)]
fn gather_body<R: Real, const N: usize>(
    offsets: &[u32],
    indices: &[u32],
    b: &Packed<R>,
    c: &mut [R],
) {
    let columns = b.columns;
    if columns == 0 {
        return;
    }
    for (span, c) in offsets.windows(2).zip(c.chunks_exact_mut(columns)) {
        let active = &indices[span[0] as usize..span[1] as usize];
        if active.is_empty() {
            continue;
        }
        let mut k = 0;
        while (k + 4) * N <= columns {
            let panels = [b.panel(k), b.panel(k + 1), b.panel(k + 2), b.panel(k + 3)]
                .map(|panel| panel.as_chunks::<N>().0);
            let mut sums = [[R::ZERO; N]; 4];
            for (p, sum) in sums.iter_mut().enumerate() {
                sum.copy_from_slice(&c[(k + p) * N..(k + p + 1) * N]);
            }
            for &i in active {
                for (sum, panel) in sums.iter_mut().zip(&panels) {
                    let row = &panel[i as usize];
                    for l in 0..N {
                        sum[l] += row[l];
                    }
                }
            }
            for (p, sum) in sums.iter().enumerate() {
                c[(k + p) * N..(k + p + 1) * N].copy_from_slice(sum);
            }
            k += 4;
        }
        while k * N < columns {
            let panel = b.panel(k).as_chunks::<N>().0;
            let width = N.min(columns - k * N);
            let c = &mut c[k * N..k * N + width];
            let mut sum = [R::ZERO; N];
            sum[..width].copy_from_slice(c);
            for &i in active {
                let row = &panel[i as usize];
                for l in 0..N {
                    sum[l] += row[l];
                }
            }
            c.copy_from_slice(&sum[..width]);
            k += 1;
        }
    }
}
