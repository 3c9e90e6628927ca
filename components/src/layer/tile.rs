//! One matrix kernel: `C += A·B`, every sum over k in ascending order, nothing fused.
//!
//! Vectors run along the columns of B and C, never along k, so that each element of C is one chain
//! of additions in a fixed order whatever the width of the vectors.

use rheobase_equations::real::Real;

/// Columns computed at a time.
const COLUMNS: usize = 16;
/// Rows computed at a time.
const ROWS: usize = 4;

/// A matrix in memory: element (row, column) stands at `row · row_stride + column · column_stride`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strided<'a, R> {
    /// The values.
    pub(super) values: &'a [R],
    /// Distance of neighbours in a column.
    pub(super) row_stride: usize,
    /// Distance of neighbours in a row.
    pub(super) column_stride: usize,
}

/// Shape of a product: A is `rows × depth`, B is `depth × columns`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// Rows of A and C.
    pub(super) rows: usize,
    /// Columns of A, rows of B.
    pub(super) depth: usize,
    /// Columns of B and C.
    pub(super) columns: usize,
}

#[inline(always)]
fn multiply_add_body<R: Real>(size: Size, a: Strided<'_, R>, b: &[R], c: &mut [R]) {
    // Columns outside: a panel of B stays in the cache while the rows of A pass.
    for column in (0..size.columns).step_by(COLUMNS) {
        let width = COLUMNS.min(size.columns - column);
        let mut row = 0;
        while row < size.rows {
            let here = Tile {
                size,
                row,
                column,
                width,
            };
            if width == COLUMNS && size.rows - row >= ROWS {
                here.full::<R>(a, b, c);
                row += ROWS;
            } else {
                here.one_row::<R>(a, b, c);
                row += 1;
            }
        }
    }
}

/// Where in C a tile stands.
#[derive(Clone, Copy)]
struct Tile {
    size: Size,
    row: usize,
    column: usize,
    width: usize,
}

impl Tile {
    #[inline(always)]
    fn full<R: Real>(self, a: Strided<'_, R>, b: &[R], c: &mut [R]) {
        let columns = self.size.columns;
        let mut sums = [[R::ZERO; COLUMNS]; ROWS];
        for (r, sum) in sums.iter_mut().enumerate() {
            let at = (self.row + r) * columns + self.column;
            sum.copy_from_slice(&c[at..at + COLUMNS]);
        }
        for k in 0..self.size.depth {
            let at = k * columns + self.column;
            let mut b_row = [R::ZERO; COLUMNS];
            b_row.copy_from_slice(&b[at..at + COLUMNS]);
            for (r, sum) in sums.iter_mut().enumerate() {
                let x = a.values[(self.row + r) * a.row_stride + k * a.column_stride];
                for lane in 0..COLUMNS {
                    sum[lane] += x * b_row[lane];
                }
            }
        }
        for (r, sum) in sums.iter().enumerate() {
            let at = (self.row + r) * columns + self.column;
            c[at..at + COLUMNS].copy_from_slice(sum);
        }
    }

    #[inline(always)]
    fn one_row<R: Real>(self, a: Strided<'_, R>, b: &[R], c: &mut [R]) {
        let columns = self.size.columns;
        let at = self.row * columns + self.column;
        let mut sum = [R::ZERO; COLUMNS];
        sum[..self.width].copy_from_slice(&c[at..at + self.width]);
        for k in 0..self.size.depth {
            let x = a.values[self.row * a.row_stride + k * a.column_stride];
            let b_at = k * columns + self.column;
            for (s, &w) in sum.iter_mut().zip(&b[b_at..b_at + self.width]) {
                *s += x * w;
            }
        }
        c[at..at + self.width].copy_from_slice(&sum[..self.width]);
    }
}

rheobase_engine::simd::dispatch! {
    /// `c += a·b` with `b` (`depth × columns`) and `c` (`rows × columns`) row-major: each element of
    /// `c` adds its products in ascending order of the depth.
    pub(super) fn multiply_add<R: Real> = multiply_add_body(
        size: Size, a: Strided<'_, R>, b: &[R], c: &mut [R],
    );
}

#[inline(always)]
fn add_rows_body<R: Real>(columns: usize, table: &[R], rows: &[u32], sum: &mut [R]) {
    for &row in rows {
        let at = row as usize * columns;
        for (s, &w) in sum.iter_mut().zip(&table[at..at + columns]) {
            *s += w;
        }
    }
}

rheobase_engine::simd::dispatch! {
    /// Adds the given rows of a row-major table to `sum`, one after the other.
    pub(super) fn add_rows<R: Real> = add_rows_body(
        columns: usize, table: &[R], rows: &[u32], sum: &mut [R],
    );
}

#[inline(always)]
fn add_to_body<R: Real>(sum: &mut [R], terms: &[R]) {
    for (s, &x) in sum.iter_mut().zip(terms) {
        *s += x;
    }
}

rheobase_engine::simd::dispatch! {
    /// Adds element by element.
    pub(super) fn add_to<R: Real> = add_to_body(sum: &mut [R], terms: &[R]);
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
    use super::*;

    #[test]
    fn multiply_add_is_a_chain_of_additions() {
        for (rows, depth, columns) in [(1, 1, 1), (4, 7, 16), (9, 30, 37), (6, 0, 20), (5, 12, 3)] {
            let a: Vec<f32> = (0..rows * depth).map(|i| 0.1 * i as f32 - 2.3).collect();
            let b: Vec<f32> = (0..depth * columns).map(|i| 1.7 - 0.3 * i as f32).collect();
            let start: Vec<f32> = (0..rows * columns).map(|i| 0.7 * i as f32).collect();
            let mut expected = start.clone();
            for (i, c) in expected.iter_mut().enumerate() {
                for k in 0..depth {
                    *c += a[i / columns * depth + k] * b[k * columns + i % columns];
                }
            }
            let size = Size {
                rows,
                depth,
                columns,
            };
            let mut c = start.clone();
            let plain = Strided {
                values: &a,
                row_stride: depth,
                column_stride: 1,
            };
            multiply_add(size, plain, &b, &mut c);
            assert_eq!(c, expected);
            let mut turned = vec![0.0; a.len()];
            transpose(rows, depth, &a, &mut turned);
            let mut c = start;
            let turned = Strided {
                values: &turned,
                row_stride: 1,
                column_stride: rows,
            };
            multiply_add(size, turned, &b, &mut c);
            assert_eq!(c, expected);
        }
    }
}
