//! Spikes added one by one.

use rheobase_engine::simd::dispatch;
use rheobase_equations::real::Real;

use super::geometry::{Geometry, Tables};

/// For every active input, and every window that it lies in: adds the row of its tap in `from` to the
/// row of the window's position in `to`; or, where not `FORWARD`, the row of the position in `from`
/// to that of the tap in `to`. Active inputs are ascending, of channels from `first` on: each row of
/// `to` gets its terms in ascending order.
pub(super) fn add<R: Real, const FORWARD: bool>(
    g: &Geometry,
    tables: &Tables,
    first: usize,
    active: &[u32],
    from: &[R],
    to: &mut [R],
) {
    let width = if FORWARD {
        from.len() / g.depth()
    } else {
        from.len() / g.positions()
    };
    match width {
        16 => rows::<R, 16, FORWARD>(g, tables, first, active, from, to),
        32 => rows::<R, 32, FORWARD>(g, tables, first, active, from, to),
        64 => rows::<R, 64, FORWARD>(g, tables, first, active, from, to),
        // The length of rows is known when the program runs.
        _ => any_rows::<R, 0, FORWARD>(g, tables, first, active, from, to, width),
    }
}

dispatch! {
    fn rows<R: Real, const N: usize, const FORWARD: bool> = rows_body(
        g: &Geometry, tables: &Tables, first: usize, active: &[u32], from: &[R], to: &mut [R],
    );
}

dispatch! {
    fn any_rows<R: Real, const N: usize, const FORWARD: bool> = add_body(
        g: &Geometry, tables: &Tables, first: usize, active: &[u32], from: &[R], to: &mut [R],
        width: usize,
    );
}

#[inline(always)]
fn rows_body<R: Real, const N: usize, const FORWARD: bool>(
    g: &Geometry,
    tables: &Tables,
    first: usize,
    active: &[u32],
    from: &[R],
    to: &mut [R],
) {
    add_body::<R, N, FORWARD>(g, tables, first, active, from, to, N);
}

#[inline(always)]
fn add_body<R: Real, const N: usize, const FORWARD: bool>(
    g: &Geometry,
    tables: &Tables,
    first: usize,
    active: &[u32],
    from: &[R],
    to: &mut [R],
    width: usize,
) {
    let width = if N == 0 { width } else { N };
    let [reach_y, reach_x] = &tables.reach;
    for &i in active {
        let [channel, y, x] = g.place(i);
        let of_channel = (channel - first) * g.window.taps();
        for &(tap_y, position_y) in reach_y.of(y) {
            let of_line = of_channel + tap_y * g.window.kernel[1];
            for &(tap_x, position_x) in reach_x.of(x) {
                let (tap, position) = (of_line + tap_x, position_y * g.output[1] + position_x);
                let (source, target) = if FORWARD {
                    (tap, position)
                } else {
                    (position, tap)
                };
                let from = &from[source * width..(source + 1) * width];
                let to = &mut to[target * width..(target + 1) * width];
                for (to, from) in to.iter_mut().zip(from) {
                    *to += *from;
                }
            }
        }
    }
}
