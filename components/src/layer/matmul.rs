//! Matrix products in which every sum is one chain over the depth, in ascending order.
//!
//! Vectors run along the columns, never along the depth, so that an element of C does not depend on
//! how wide they are, how the rows are cut, or how many threads there are. Multiplication and addition
//! are fused where the machine can: products of real numbers differ from those of other machines in the
//! last bit. Where one factor is 0 or 1 nothing is rounded between the two: a sum over spikes has the
//! same bits whether the rows of active inputs are gathered ([`gather`]) or all are multiplied
//! ([`multiply_add`]).

use rheobase_engine::simd::{Level, level};
use rheobase_equations::real::{Precision, Real};

/// Depth of a block: a panel of B stays in the first-level cache while the rows of A pass.
const DEPTH: usize = 256;
/// Rows of a block: those of A stay in the second-level cache while the panels of B pass.
const ROWS: usize = 120;

/// A matrix in memory: element (row, column) stands at `row · row_stride + column · column_stride`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strided<'a, R> {
    pub(super) values: &'a [R],
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

impl<'a, R> Strided<'a, R> {
    /// Rows one after the other.
    pub(super) fn rows(values: &'a [R], columns: usize) -> Self {
        Self {
            values,
            row_stride: columns,
            column_stride: 1,
        }
    }

    /// The transpose of a matrix whose rows, of length `columns`, stand one after the other.
    pub(super) fn transposed(values: &'a [R], columns: usize) -> Self {
        Self {
            values,
            row_stride: 1,
            column_stride: columns,
        }
    }
}

/// A matrix laid out for products: panels of a few columns, each with its rows one after the other,
/// the last filled up with zeros.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed<R> {
    depth: usize,
    columns: usize,
    panels: Vec<R>,
}

impl<R: Real> Packed<R> {
    /// Lays out `depth × columns`.
    pub(super) fn pack(&mut self, b: Strided<'_, R>, depth: usize, columns: usize) {
        let width = panel_width::<R>();
        self.depth = depth;
        self.columns = columns;
        self.panels
            .resize(columns.div_ceil(width) * depth * width, R::ZERO);
        if depth == 0 {
            return;
        }
        for (k, panel) in self.panels.chunks_exact_mut(depth * width).enumerate() {
            let first = k * width;
            let used = width.min(columns - first);
            if b.column_stride == 1 {
                for (row, to) in panel.chunks_exact_mut(width).enumerate() {
                    let at = row * b.row_stride + first;
                    to[..used].copy_from_slice(&b.values[at..at + used]);
                    to[used..].fill(R::ZERO);
                }
            } else {
                for (row, to) in panel.chunks_exact_mut(width).enumerate() {
                    for (c, x) in to[..used].iter_mut().enumerate() {
                        *x = b.values[row * b.row_stride + (first + c) * b.column_stride];
                    }
                    to[used..].fill(R::ZERO);
                }
            }
        }
    }

    fn panel(&self, k: usize) -> &[R] {
        let size = self.depth * panel_width::<R>();
        &self.panels[k * size..(k + 1) * size]
    }
}

/// Columns of a panel.
pub(super) fn panel_width<R: Real>() -> usize {
    let words = match level() {
        Level::Avx512 => 32,
        Level::Avx2 => 16,
        Level::Baseline => 8,
    };
    match R::PRECISION {
        Precision::F32 => words,
        Precision::F64 => words / 2,
    }
}

/// `c += a·b`, with `a` of `rows` rows and `c` row-major. `scratch` is memory to work with.
pub(super) fn multiply_add<R: Real>(
    rows: usize,
    a: Strided<'_, R>,
    b: &Packed<R>,
    c: &mut [R],
    scratch: &mut Vec<R>,
) {
    if b.depth == 0 || b.columns == 0 {
        return;
    }
    let product = Product {
        rows,
        a,
        b,
        c,
        scratch,
    };
    // As many rows as registers hold sums of, beside a row of B.
    match (level(), R::PRECISION) {
        (Level::Avx512, Precision::F32) => blocks::<R, 12, 32>(product),
        (Level::Avx512, Precision::F64) => blocks::<R, 12, 16>(product),
        (Level::Avx2, Precision::F32) => blocks::<R, 6, 16>(product),
        (Level::Avx2, Precision::F64) => blocks::<R, 6, 8>(product),
        (Level::Baseline, Precision::F32) => blocks::<R, 4, 8>(product),
        (Level::Baseline, Precision::F64) => blocks::<R, 4, 4>(product),
    }
}

rheobase_engine::simd::dispatch_fused! {
    fn blocks<R: Real, const M: usize, const N: usize> = blocks_body(p: Product<'_, R>);
}

struct Product<'a, R> {
    rows: usize,
    a: Strided<'a, R>,
    b: &'a Packed<R>,
    c: &'a mut [R],
    scratch: &'a mut Vec<R>,
}

#[inline(always)]
fn blocks_body<R: Real, const M: usize, const N: usize, const FUSE: bool>(p: Product<'_, R>) {
    let (depth, columns) = (p.b.depth, p.b.columns);
    for first_row in (0..p.rows).step_by(ROWS) {
        let n_rows = ROWS.min(p.rows - first_row);
        for first in (0..depth).step_by(DEPTH) {
            let n = DEPTH.min(depth - first);
            pack_rows::<R, M>(
                p.a,
                first_row..first_row + n_rows,
                first..first + n,
                p.scratch,
            );
            for k in 0..columns.div_ceil(N) {
                let panel = &p.b.panel(k)[first * N..(first + n) * N];
                let width = N.min(columns - k * N);
                for (tile, a) in p.scratch.chunks_exact(n * M).enumerate() {
                    let row = first_row + tile * M;
                    let height = M.min(first_row + n_rows - row);
                    let at = row * columns + k * N;
                    let c = &mut p.c[at..(row + height - 1) * columns + k * N + width];
                    tile_product::<R, M, N, FUSE>(a, panel, c, columns, height, width);
                }
            }
        }
    }
}

/// Rows in groups of M, the depth outside: `[groups][depth][M]`, filled up with zeros.
#[inline(always)]
fn pack_rows<R: Real, const M: usize>(
    a: Strided<'_, R>,
    rows: std::ops::Range<usize>,
    depth: std::ops::Range<usize>,
    to: &mut Vec<R>,
) {
    to.resize(rows.len().div_ceil(M) * depth.len() * M, R::ZERO);
    for (group, to) in to.chunks_exact_mut(depth.len() * M).enumerate() {
        let first = rows.start + group * M;
        let used = M.min(rows.end - first);
        if a.row_stride == 1 {
            for (k, to) in depth.clone().zip(to.chunks_exact_mut(M)) {
                let at = k * a.column_stride + first;
                to[..used].copy_from_slice(&a.values[at..at + used]);
                to[used..].fill(R::ZERO);
            }
            continue;
        }
        for r in 0..M {
            if r >= used {
                to.iter_mut().skip(r).step_by(M).for_each(|x| *x = R::ZERO);
                continue;
            }
            let at = (first + r) * a.row_stride;
            for (k, x) in depth.clone().zip(to.iter_mut().skip(r).step_by(M)) {
                *x = a.values[at + k * a.column_stride];
            }
        }
    }
}

/// `M × N` elements of C, of which `height × width` exist.
#[inline(always)]
fn tile_product<R: Real, const M: usize, const N: usize, const FUSE: bool>(
    a: &[R],
    b: &[R],
    c: &mut [R],
    columns: usize,
    height: usize,
    width: usize,
) {
    let mut sums = [[R::ZERO; N]; M];
    if height == M && width == N {
        for (sum, c) in sums.iter_mut().zip(c.chunks(columns)) {
            sum.copy_from_slice(&c[..N]);
        }
    } else {
        for (sum, c) in sums.iter_mut().zip(c.chunks(columns)) {
            sum[..width].copy_from_slice(&c[..width]);
        }
    }
    for (a, b) in a.as_chunks::<M>().0.iter().zip(b.as_chunks::<N>().0) {
        for r in 0..M {
            for l in 0..N {
                sums[r][l] = multiply_step::<R, FUSE>(a[r], b[l], sums[r][l]);
            }
        }
    }
    if height == M && width == N {
        for (sum, c) in sums.iter().zip(c.chunks_mut(columns)) {
            c[..N].copy_from_slice(sum);
        }
    } else {
        for (sum, c) in sums.iter().zip(c.chunks_mut(columns)) {
            c[..width].copy_from_slice(&sum[..width]);
        }
    }
}

/// `sum + x·y`.
#[inline(always)]
pub(super) fn multiply_step<R: Real, const FUSE: bool>(x: R, y: R, sum: R) -> R {
    if FUSE { x.mul_add(y, sum) } else { sum + x * y }
}

/// For every row, adds to it the rows of `b` that its list names, ascending: `c[row] += Σ b[i]`.
pub(super) fn gather<R: Real>(offsets: &[u32], indices: &[u32], b: &Packed<R>, c: &mut [R]) {
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

/// Adds element by element.
pub(super) fn add_to<R: Real>(sum: &mut [R], terms: &[R]) {
    for (s, &x) in sum.iter_mut().zip(terms) {
        *s += x;
    }
}

/// Writes the transpose of a row-major `rows × columns` matrix.
pub(super) fn transpose<R: Real>(rows: usize, columns: usize, from: &[R], to: &mut [R]) {
    const BLOCK: usize = 16;
    for row in (0..rows).step_by(BLOCK) {
        for column in (0..columns).step_by(BLOCK) {
            for r in row..rows.min(row + BLOCK) {
                for c in column..columns.min(column + BLOCK) {
                    to[c * rows + r] = from[r * columns + c];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rheobase_engine::simd::fuses;

    use super::*;

    fn chain<R: Real>(a: R, b: R, sum: R) -> R {
        if fuses() {
            a.mul_add(b, sum)
        } else {
            sum + a * b
        }
    }

    fn check<R: Real>() {
        let sizes = [
            (1, 1, 1),
            (4, 7, 16),
            (9, 300, 37),
            (130, 5, 70),
            (6, 0, 20),
            (13, 513, 33),
        ];
        for (rows, depth, columns) in sizes {
            let number = |i: usize, f: f64| R::from_f64((f * (i % 97) as f64).sin());
            let a: Vec<R> = (0..rows * depth).map(|i| number(i, 0.37)).collect();
            let b: Vec<R> = (0..depth * columns).map(|i| number(i, 0.73)).collect();
            let start: Vec<R> = (0..rows * columns).map(|i| number(i, 1.7)).collect();
            let mut expected = start.clone();
            for (i, c) in expected.iter_mut().enumerate() {
                for k in 0..depth {
                    *c = chain(a[i / columns * depth + k], b[k * columns + i % columns], *c);
                }
            }
            let mut packed = Packed::default();
            packed.pack(Strided::rows(&b, columns), depth, columns);
            let mut scratch = Vec::new();
            let mut c = start.clone();
            multiply_add(
                rows,
                Strided::rows(&a, depth),
                &packed,
                &mut c,
                &mut scratch,
            );
            assert_eq!(c, expected, "{rows} {depth} {columns}");

            let mut turned = vec![R::ZERO; b.len()];
            transpose(depth, columns, &b, &mut turned);
            packed.pack(Strided::transposed(&turned, depth), depth, columns);
            let mut turned = vec![R::ZERO; a.len()];
            transpose(rows, depth, &a, &mut turned);
            let mut c = start;
            let a = Strided::transposed(&turned, rows);
            multiply_add(rows, a, &packed, &mut c, &mut scratch);
            assert_eq!(c, expected, "turned {rows} {depth} {columns}");
        }
    }

    #[test]
    fn products_are_chains() {
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn gathering_has_the_bits_of_multiplying() {
        for (rows, depth, columns) in [(3, 40, 150), (7, 9, 5), (1, 300, 64)] {
            let b: Vec<f32> = (0..depth * columns)
                .map(|i| (i as f32 * 0.7).sin())
                .collect();
            let x: Vec<f32> = (0..rows * depth)
                .map(|i| if (i * 7919) % 5 < 2 { 1.0 } else { 0.0 })
                .collect();
            let (mut offsets, mut indices) = (vec![0], Vec::new());
            for row in x.chunks_exact(depth) {
                indices.extend((0..depth as u32).filter(|&i| row[i as usize] > 0.0));
                offsets.push(indices.len() as u32);
            }
            let mut packed = Packed::default();
            packed.pack(Strided::rows(&b, columns), depth, columns);
            let start: Vec<f32> = (0..rows * columns)
                .map(|i| (i as f32 * 0.3).cos())
                .collect();
            let (mut dense, mut sparse) = (start.clone(), start);
            let a = Strided::rows(&x, depth);
            multiply_add(rows, a, &packed, &mut dense, &mut Vec::new());
            gather(&offsets, &indices, &packed, &mut sparse);
            assert_eq!(dense, sparse);
        }
    }
}
