//! Products against chains written out, and sums over spikes against products.

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
