//! A long trace, thinned to its extremes for a figure.

use super::TraceLayout;
use super::spikes::Numbers;
use crate::{FileError, TimeStep};
use std::path::Path;

/// Buckets of rows: more than a figure has half pixels.
const BUCKETS: u64 = 4096;

/// Times and lines of a trace that a figure can show: all samples of a short one; of a long one
/// the least and the largest sample of each of some thousand stretches, in the order they came.
#[derive(Debug, Clone, PartialEq)]
pub struct Decimated {
    /// Times \[ms\], ascending.
    pub time_ms: Vec<f64>,
    /// Values of each line at these times.
    pub lines: Vec<Vec<f64>>,
}

impl Decimated {
    pub(super) fn read(
        dt: TimeStep,
        layout: &TraceLayout,
        path: &Path,
        rows: u64,
        lines: usize,
    ) -> Result<Self, FileError> {
        let columns = layout.neurons.len();
        let mut lines = vec![Vec::new(); lines.min(columns)];
        let mut time_ms = Vec::new();
        let mut column = Numbers::open(path, 0)?;
        let mut row_values = Vec::new();
        let stretch = rows.div_ceil(BUCKETS).max(1);
        let mut buckets = vec![Bucket::default(); lines.len()];
        for row in 1..=rows {
            column.block(columns, &mut row_values, f64::from_le_bytes)?;
            for (bucket, &value) in buckets.iter_mut().zip(&row_values) {
                bucket.push(value);
            }
            let place = (row - 1) % stretch;
            let last = place + 1 == stretch || row == rows;
            let time = dt.time_ms(row * layout.every_steps);
            if place == 0 || (last && place > 0) {
                time_ms.push(time);
            }
            if last {
                for (line, bucket) in lines.iter_mut().zip(&mut buckets) {
                    line.extend_from_slice(&bucket.ends()[..if place > 0 { 2 } else { 1 }]);
                    *bucket = Bucket::default();
                }
            }
        }
        Ok(Self { time_ms, lines })
    }
}

/// The extremes of a stretch of one line.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    least: Option<(u64, f64)>,
    largest: Option<(u64, f64)>,
    rows: u64,
}

impl Bucket {
    fn push(&mut self, value: f64) {
        self.rows += 1;
        if value.is_nan() {
            return;
        }
        if self.least.is_none_or(|(_, least)| value < least) {
            self.least = Some((self.rows, value));
        }
        if self.largest.is_none_or(|(_, largest)| value > largest) {
            self.largest = Some((self.rows, value));
        }
    }

    /// Both extremes in the order they came; NaN where no sample was a number.
    fn ends(&self) -> [f64; 2] {
        match (self.least, self.largest) {
            (Some(a), Some(b)) if a.0 <= b.0 => [a.1, b.1],
            (Some(a), Some(b)) => [b.1, a.1],
            _ => [f64::NAN; 2],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[f64], columns: u32) -> Decimated {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.values");
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        std::fs::write(&path, bytes).unwrap();
        let layout = TraceLayout {
            population: "E".to_owned(),
            variable: "v".to_owned(),
            unit: "mV".to_owned(),
            neurons: (0..columns).collect(),
            every_steps: 2,
        };
        let dt = TimeStep::from_ms(0.1).unwrap();
        let rows = values.len() as u64 / u64::from(columns);
        Decimated::read(dt, &layout, &path, rows, 5).unwrap()
    }

    #[test]
    fn short_traces_keep_every_sample() {
        let read = read(&[1.0, 10.0, 2.0, 20.0, 3.0, 30.0], 2);
        assert_eq!(read.time_ms, [0.2, 0.4, 0.6]);
        assert_eq!(read.lines, [[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]);
    }

    #[test]
    fn long_traces_keep_their_extremes_in_order() {
        let mut values = vec![0.0; 100_001];
        values[50_000] = 7.0;
        values[50_003] = -7.0;
        values[100_000] = f64::NAN;
        let read = read(&values, 1);
        assert!(read.time_ms.len() <= 2 * 4096 + 1);
        assert_eq!(read.time_ms.len(), read.lines[0].len());
        assert!(read.time_ms.is_sorted_by(|a, b| a < b));
        let place = read.lines[0].iter().position(|&x| x == 7.0).unwrap();
        assert_eq!(read.lines[0][place + 1], -7.0);
        let near = read.time_ms[place] - 10_000.2;
        assert!(near.abs() < 5.2, "{near}");
    }
}
