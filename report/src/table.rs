//! The table of a run for the terminal.

use crate::PopulationRecord;

const HEADER: [&str; 6] = [
    "population",
    "neurons",
    "spikes",
    "rate [Hz]",
    "CV of ISI",
    "synchrony (3 ms)",
];

/// A table with one line per population: name, size, spikes, rate \[Hz\], irregularity and
/// synchrony; numbers right-aligned, `-` where a figure is undefined. No trailing spaces; every
/// line ends with a newline.
///
/// # Example
/// ```
/// use rheobase_report::{PopulationRecord, Statistics, table::populations};
///
/// # use rheobase_report::statistics::PopulationStatistics;
/// # let mut spikes = PopulationStatistics::new(3200, 0.1, 0)?;
/// # spikes.push(30, &[0, 1, 2])?;
/// let statistics: Statistics = spikes.finish(10_000)?;
/// let table = populations(&[PopulationRecord::new("E", &statistics)]);
/// assert!(table.starts_with("population  neurons  spikes  rate [Hz]"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn populations(records: &[PopulationRecord]) -> String {
    let mut lines = vec![HEADER.map(str::to_owned)];
    lines.extend(records.iter().map(cells));
    aligned(&lines)
}

/// Lines of cells as a table: the first column to the left, the others, numbers, to the right.
#[must_use]
pub fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let width: Vec<usize> = (0..N)
        .map(|column| {
            let cells = lines.iter().map(|line| line[column].chars().count());
            cells.max().unwrap_or(0)
        })
        .collect();
    lines.iter().map(|line| padded(line, &width)).collect()
}

fn cells(record: &PopulationRecord) -> [String; 6] {
    [
        record.name.clone(),
        grouped(u64::from(record.size)),
        grouped(record.spikes),
        format!("{:.2}", record.rate_hz),
        optional(record.cv_isi),
        optional(record.synchrony),
    ]
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"))
}

fn padded(line: &[String], width: &[usize]) -> String {
    let numbers: String = line[1..]
        .iter()
        .zip(&width[1..])
        .map(|(cell, width)| format!("  {cell:>width$}"))
        .collect();
    format!("{:<1$}{numbers}\n", line[0], width[0])
}

/// A whole number with a comma every three digits: `299,000,000`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Statistics;

    fn record(name: &str, n: u32, spikes: u64, cv: Option<f64>) -> PopulationRecord {
        let statistics = Statistics {
            n,
            spikes,
            window_s: 1.0,
            rate_hz: spikes as f64 / f64::from(n),
            cv_isi: cv,
            synchrony: cv.map(|cv| 10.0 * cv),
        };
        PopulationRecord::new(name, &statistics)
    }

    #[test]
    fn the_table_reads() {
        let table = populations(&[
            record("excitatory", 3_200, 1_234_567, Some(0.9876)),
            record("I", 800, 0, None),
        ]);
        let expected = "\
population  neurons     spikes  rate [Hz]  CV of ISI  synchrony (3 ms)
excitatory    3,200  1,234,567     385.80      0.988             9.876
I               800          0       0.00          -                 -
";
        assert_eq!(table, expected);
    }

    #[test]
    fn no_population_leaves_the_header() {
        assert_eq!(populations(&[]).lines().count(), 1);
    }

    #[test]
    fn digits_are_grouped_from_the_right() {
        let texts = [0, 999, 1_000, 12_345, 1_000_000].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "12,345", "1,000,000"]);
    }
}
