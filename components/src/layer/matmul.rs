//! Matrix products in which every sum is one chain over the depth, in ascending order.
//!
//! Vectors run along the columns, never along the depth, so that an element of C does not depend on
//! how wide they are, how the rows are cut, or how many threads there are. Multiplication and addition
//! are fused where the machine can: products of real numbers differ from those of other machines in the
//! last bit. Where one factor is 0 or 1 nothing is rounded between the two: a sum over spikes has the
//! same bits whether the rows of active inputs are gathered ([`gather`]) or all are multiplied
//! ([`multiply_add`]).

mod gather;

use rheobase_engine::simd::{Level, fetch_line, level};
use rheobase_equations::real::{Precision, Real};

pub(super) use gather::gather;

/// Most depth of a block: a panel of B stays in the first-level cache while the rows of A pass.
const MOST_DEPTH: usize = 320;
/// Most rows of a block: those of A stay in the second-level cache while the panels of B pass.
const MOST_ROWS: usize = 144;
/// Rows of a block of [`PackedRows`].
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
        self.depth = depth;
        self.columns = columns;
        let length = panels_len::<R>(depth, columns);
        self.panels.resize(length, R::ZERO);
        fill_panels(b, depth, columns, &mut self.panels);
    }

    /// Lays out index lists as `rows × columns` of zeros and ones.
    pub(super) fn pack_spikes(
        &mut self,
        offsets: &[u32],
        indices: &[u32],
        rows: usize,
        columns: usize,
    ) {
        (self.depth, self.columns) = (rows, columns);
        let width = panel_width::<R>();
        self.panels.clear();
        self.panels.resize(panels_len::<R>(rows, columns), R::ZERO);
        for (row, span) in offsets.windows(2).enumerate() {
            for &i in &indices[span[0] as usize..span[1] as usize] {
                let (panel, column) = (i as usize / width, i as usize % width);
                self.panels[(panel * rows + row) * width + column] = R::ONE;
            }
        }
    }

    pub(super) fn panels(&self) -> Panels<'_, R> {
        Panels {
            depth: self.depth,
            columns: self.columns,
            values: &self.panels,
        }
    }

    fn panel(&self, k: usize) -> &[R] {
        self.panels().panel(k)
    }
}

/// Length of the panels of a matrix.
pub(super) fn panels_len<R: Real>(depth: usize, columns: usize) -> usize {
    columns.next_multiple_of(panel_width::<R>()) * depth
}

/// Lays out `depth × columns` in panels.
pub(super) fn fill_panels<R: Real>(
    b: Strided<'_, R>,
    depth: usize,
    columns: usize,
    panels: &mut [R],
) {
    let width = panel_width::<R>();
    if depth == 0 {
        return;
    }
    let panels = panels[..panels_len::<R>(depth, columns)].chunks_exact_mut(depth * width);
    for (k, panel) in panels.enumerate() {
        let first = k * width;
        let used = width.min(columns - first);
        match width {
            _ if used < width => fill_part(b, first, used, width, panel),
            4 => fill_panel::<R, 4>(b, first, panel),
            8 => fill_panel::<R, 8>(b, first, panel),
            16 => fill_panel::<R, 16>(b, first, panel),
            _ => fill_panel::<R, 32>(b, first, panel),
        }
    }
}

/// A whole panel, from column `first` on: its width is known, so that copies are no calls.
fn fill_panel<R: Real, const N: usize>(b: Strided<'_, R>, first: usize, panel: &mut [R]) {
    let rows = panel.as_chunks_mut::<N>().0.iter_mut().enumerate();
    if b.column_stride == 1 {
        for (row, to) in rows {
            let at = row * b.row_stride + first;
            to.copy_from_slice(&b.values[at..at + N]);
        }
        return;
    }
    let columns: [&[R]; N] = std::array::from_fn(|c| &b.values[(first + c) * b.column_stride..]);
    for (row, to) in rows {
        for c in 0..N {
            to[c] = columns[c][row * b.row_stride];
        }
    }
}

/// A panel that is filled up with zeros.
fn fill_part<R: Real>(b: Strided<'_, R>, first: usize, used: usize, width: usize, panel: &mut [R]) {
    for (row, to) in panel.chunks_exact_mut(width).enumerate() {
        for (c, x) in to[..used].iter_mut().enumerate() {
            *x = b.values[row * b.row_stride + (first + c) * b.column_stride];
        }
        to[used..].fill(R::ZERO);
    }
}

/// A matrix in panels that lie in someone's memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panels<'a, R> {
    pub(super) depth: usize,
    pub(super) columns: usize,
    pub(super) values: &'a [R],
}

impl<'a, R: Real> Panels<'a, R> {
    #[inline(always)]
    fn panel(&self, k: usize) -> &'a [R] {
        let size = self.depth * panel_width::<R>();
        &self.values[k * size..(k + 1) * size]
    }
}

/// The first factor of a product.
#[derive(Clone, Copy, Debug)]
pub(super) enum Left<'a, R> {
    Strided(Strided<'a, R>),
    /// Element (row, column) stands at `rows[row] + columns[column]`.
    Indexed {
        values: &'a [R],
        rows: &'a [usize],
        columns: &'a [usize],
    },
    /// 1 where an index list names the column, 0 elsewhere: row r has `indices[offsets[r] ..
    /// offsets[r + 1]]`, ascending, each once.
    Spikes {
        offsets: &'a [u32],
        indices: &'a [u32],
    },
    /// From this row on, a multiple of [`ROWS`].
    Packed(&'a PackedRows<R>, usize),
}

/// A first factor laid out for products: the rows of each block, in tiles, for each block of the depth.
#[derive(Clone, Debug, Default)]
pub(super) struct PackedRows<R> {
    rows: usize,
    depth: usize,
    values: Vec<R>,
}

impl<R: Real> PackedRows<R> {
    /// Lays out `rows × depth`.
    pub(super) fn pack(&mut self, a: Left<'_, R>, rows: usize, depth: usize) {
        (self.rows, self.depth) = (rows, depth);
        let mut rest = std::mem::take(&mut self.values);
        rest.resize(rows.next_multiple_of(tile_rows()) * depth, R::ZERO);
        let mut at = 0;
        for first_row in (0..rows).step_by(ROWS) {
            let of_rows = first_row..rows.min(first_row + ROWS);
            let depth_of_block = depth_of_block(depth);
            for first in (0..depth).step_by(depth_of_block) {
                let of_depth = first..depth.min(first + depth_of_block);
                let to = &mut rest[at..];
                at += match tile_rows() {
                    12 => pack_rows::<R, 12>(a, of_rows.clone(), of_depth, to),
                    6 => pack_rows::<R, 6>(a, of_rows.clone(), of_depth, to),
                    _ => pack_rows::<R, 4>(a, of_rows.clone(), of_depth, to),
                };
            }
        }
        self.values = rest;
    }

    /// The largest number of rows, not above `rows` where possible, that are whole blocks.
    pub(super) fn blocks_of(rows: usize) -> usize {
        (rows / ROWS).max(1) * ROWS
    }

    /// The tiles of a block.
    #[inline(always)]
    fn block(&self, first_row: usize, first: usize, n: usize) -> &[R] {
        let rows = ROWS.min(self.rows - first_row);
        let rows = rows.next_multiple_of(tile_rows());
        let at = first_row * self.depth + rows * first;
        &self.values[at..at + rows * n]
    }
}

/// Rows of a tile: as many as registers hold sums of, beside a row of B. Blocks hold whole tiles.
fn tile_rows() -> usize {
    match level() {
        Level::Avx512 => 12,
        Level::Avx2 => 6,
        Level::Baseline => 4,
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
    multiply_left(rows, Left::Strided(a), b, c, scratch);
}

/// The same for any first factor.
pub(super) fn multiply_left<R: Real>(
    rows: usize,
    a: Left<'_, R>,
    b: &Packed<R>,
    c: &mut [R],
    scratch: &mut Vec<R>,
) {
    let room = room(rows, b.depth);
    if scratch.len() < room {
        scratch.resize(room, R::ZERO);
    }
    multiply_panels(Product {
        rows,
        a,
        b: b.panels(),
        c,
        stride: b.columns,
        scratch,
    });
}

/// Length of the memory that [`multiply_panels`] works with.
pub(super) fn room(rows: usize, depth: usize) -> usize {
    rows_of_block(rows) * depth_of_block(depth)
}

/// Depth of the blocks that a depth is cut into, all of about the same.
fn depth_of_block(depth: usize) -> usize {
    depth.div_ceil(depth.div_ceil(MOST_DEPTH).max(1)).max(1)
}

/// Rows of the blocks that so many are cut into, all of about the same, in whole tiles.
fn rows_of_block(rows: usize) -> usize {
    let blocks = rows.div_ceil(MOST_ROWS).max(1);
    rows.div_ceil(blocks).max(1).next_multiple_of(tile_rows())
}

/// `c += a·b`.
pub(super) fn multiply_panels<R: Real>(product: Product<'_, R>) {
    if product.b.depth == 0 || product.b.columns == 0 {
        return;
    }
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

/// A product to add to C, whose rows start `stride` apart.
pub(super) struct Product<'a, R> {
    pub(super) rows: usize,
    pub(super) a: Left<'a, R>,
    pub(super) b: Panels<'a, R>,
    pub(super) c: &'a mut [R],
    pub(super) stride: usize,
    /// Memory to work with: [`room`], or none where A is packed.
    pub(super) scratch: &'a mut [R],
}

#[inline(always)]
fn blocks_body<R: Real, const M: usize, const N: usize, const FUSE: bool>(p: Product<'_, R>) {
    let (depth, columns, stride) = (p.b.depth, p.b.columns, p.stride);
    let depth_of_block = depth_of_block(depth);
    let rows_of_block = match p.a {
        Left::Packed(..) => ROWS,
        _ => rows_of_block(p.rows),
    };
    for first_row in (0..p.rows).step_by(rows_of_block) {
        let n_rows = rows_of_block.min(p.rows - first_row);
        for first in (0..depth).step_by(depth_of_block) {
            let n = depth_of_block.min(depth - first);
            let tiles = if let Left::Packed(packed, from) = p.a {
                packed.block(from + first_row, first, n)
            } else {
                let (rows, depth) = (first_row..first_row + n_rows, first..first + n);
                let used = pack_rows::<R, M>(p.a, rows, depth, p.scratch);
                &p.scratch[..used]
            };
            for k in 0..columns.div_ceil(N) {
                let panel = &p.b.panel(k)[first * N..(first + n) * N];
                let width = N.min(columns - k * N);
                for (row, a) in (first_row..first_row + n_rows)
                    .step_by(M)
                    .zip(tiles.chunks_exact(n * M))
                {
                    let height = M.min(first_row + n_rows - row);
                    let at = row * stride + k * N;
                    // The elements of the next tile arrive while this one is computed.
                    let next = row + M;
                    if next + M <= first_row + n_rows {
                        for r in next..next + M {
                            fetch_line(p.c, r * stride + k * N);
                            fetch_line(p.c, r * stride + k * N + N - 1);
                        }
                    }
                    let c = &mut p.c[at..(row + height - 1) * stride + k * N + width];
                    tile_product::<R, M, N, FUSE>(a, panel, c, stride, height, width);
                }
            }
        }
    }
}

/// Rows in groups of M, the depth outside: `[groups][depth][M]`, filled up with zeros. Returns its
/// length.
#[inline(always)]
fn pack_rows<R: Real, const M: usize>(
    a: Left<'_, R>,
    rows: std::ops::Range<usize>,
    depth: std::ops::Range<usize>,
    to: &mut [R],
) -> usize {
    let length = rows.len().next_multiple_of(M) * depth.len();
    for (group, to) in to[..length].chunks_exact_mut(depth.len() * M).enumerate() {
        let first = rows.start + group * M;
        let used = M.min(rows.end - first);
        if used < M {
            to.fill(R::ZERO);
        }
        match a {
            Left::Strided(a) if a.row_stride == 1 && used == M => {
                let tiles = to.as_chunks_mut::<M>().0.iter_mut();
                for (k, to) in depth.clone().zip(tiles) {
                    let at = k * a.column_stride + first;
                    to.copy_from_slice(&a.values[at..at + M]);
                }
            }
            Left::Strided(a) if a.row_stride == 1 => {
                for (k, to) in depth.clone().zip(to.chunks_exact_mut(M)) {
                    let at = k * a.column_stride + first;
                    to[..used].copy_from_slice(&a.values[at..at + used]);
                }
            }
            Left::Strided(a) => {
                for r in 0..used {
                    let at = (first + r) * a.row_stride;
                    for (k, x) in depth.clone().zip(to.iter_mut().skip(r).step_by(M)) {
                        *x = a.values[at + k * a.column_stride];
                    }
                }
            }
            Left::Indexed {
                values,
                rows,
                columns,
            } => {
                let rows = &rows[first..first + used];
                let columns = &columns[depth.clone()];
                let tiles = to.as_chunks_mut::<M>().0.iter_mut().zip(columns);
                if let Ok(rows) = <&[usize; M]>::try_from(rows) {
                    let rows = rows.map(|row| &values[row..]);
                    for (to, &column) in tiles {
                        for r in 0..M {
                            to[r] = rows[r][column];
                        }
                    }
                } else {
                    for (to, &column) in tiles {
                        for (to, &row) in to.iter_mut().zip(rows) {
                            *to = values[row + column];
                        }
                    }
                }
            }
            Left::Spikes { offsets, indices } => {
                to.fill(R::ZERO);
                for (r, span) in offsets[first..=first + used].windows(2).enumerate() {
                    let active = &indices[span[0] as usize..span[1] as usize];
                    let from = active.partition_point(|&i| (i as usize) < depth.start);
                    for &i in active[from..]
                        .iter()
                        .take_while(|&&i| (i as usize) < depth.end)
                    {
                        to[(i as usize - depth.start) * M + r] = R::ONE;
                    }
                }
            }
            // Packed already: `blocks` reads it where it lies.
            Left::Packed(..) => {}
        }
    }
    length
}

/// Columns of A and rows of B that are multiplied in a turn.
const DEPTH_AT_ONCE: usize = 4;

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
    // Several at a time: the compiler works out the end of this loop anew in every turn.
    let (a, a_rest) = a.as_chunks::<M>().0.as_chunks::<DEPTH_AT_ONCE>();
    let (b, b_rest) = b.as_chunks::<N>().0.as_chunks::<DEPTH_AT_ONCE>();
    for (a, b) in a.iter().zip(b) {
        for (a, b) in a.iter().zip(b) {
            add_products::<R, M, N, FUSE>(a, b, &mut sums);
        }
    }
    for (a, b) in a_rest.iter().zip(b_rest) {
        add_products::<R, M, N, FUSE>(a, b, &mut sums);
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

/// Adds the products of a column of A and a row of B.
#[inline(always)]
fn add_products<R: Real, const M: usize, const N: usize, const FUSE: bool>(
    a: &[R; M],
    b: &[R; N],
    sums: &mut [[R; N]; M],
) {
    for r in 0..M {
        for l in 0..N {
            sums[r][l] = multiply_step::<R, FUSE>(a[r], b[l], sums[r][l]);
        }
    }
}

/// `sum + x·y`.
#[inline(always)]
pub(super) fn multiply_step<R: Real, const FUSE: bool>(x: R, y: R, sum: R) -> R {
    if FUSE { x.mul_add(y, sum) } else { sum + x * y }
}

/// Adds element by element.
pub(super) fn add_to<R: Real>(sum: &mut [R], terms: &[R]) {
    for (s, &x) in sum.iter_mut().zip(terms) {
        *s += x;
    }
}

/// Writes the transpose of a row-major `rows × columns` matrix.
pub(super) fn transpose<R: Real>(rows: usize, columns: usize, from: &[R], to: &mut [R]) {
    transpose_into((rows, columns), from, to, rows);
}

/// Writes the transpose of a row-major `rows × columns` matrix to rows that are `stride` apart.
pub(super) fn transpose_into<R: Real>(
    (rows, columns): (usize, usize),
    from: &[R],
    to: &mut [R],
    stride: usize,
) {
    const BLOCK: usize = 16;
    for row in (0..rows).step_by(BLOCK) {
        for column in (0..columns).step_by(BLOCK) {
            for r in row..rows.min(row + BLOCK) {
                for c in column..columns.min(column + BLOCK) {
                    to[c * stride + r] = from[r * columns + c];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
