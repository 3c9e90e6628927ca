//! Tables of what has been measured, in Markdown, with what bounds each figure.

use std::fs;
use std::path::Path;

use rheobase_report::Machine;
use rheobase_report::table::grouped;
use serde_json::{Map, Value};

use super::{BenchError, Measurement, Record, float};

mod bounds;

use bounds::Limits;

/// The records in a file of results, in order.
///
/// # Errors
/// When the file cannot be read, or a line is no record.
pub fn read_records(path: &Path) -> Result<Vec<Record>, BenchError> {
    let text = fs::read_to_string(path).map_err(|source| BenchError::Io {
        path: path.to_owned(),
        source,
    })?;
    let lines = (1..)
        .zip(text.lines())
        .filter(|(_, l)| !l.trim().is_empty());
    lines
        .map(|(line, text)| {
            serde_json::from_str(text).map_err(|source| BenchError::Line {
                path: path.to_owned(),
                line,
                source,
            })
        })
        .collect()
}

/// Markdown tables of the latest record of each case, machine by machine. Quick records are left
/// out.
#[must_use]
pub fn table(records: &[Record]) -> String {
    let mut text = String::new();
    let mut machines: Vec<&Machine> = Vec::new();
    for record in records.iter().filter(|r| !r.quick) {
        if !machines.contains(&&record.machine.machine) {
            machines.push(&record.machine.machine);
        }
    }
    for machine in machines {
        let all: Vec<&Record> = records
            .iter()
            .filter(|r| !r.quick && r.machine.machine == *machine)
            .collect();
        // Other programs that append records may know less of the machine.
        let hosts = all.iter().map(|r| &r.machine);
        if let Some(host) = hosts.max_by_key(|h| h.caches.len()) {
            text.push_str(&format!("**{}**\n", host.describe()));
        }
        let latest = latest(&all);
        let limits = Limits::of(&latest);
        for question in questions(&latest) {
            text.push_str(&section(question, &latest, &limits));
        }
        text.push('\n');
    }
    if text.is_empty() {
        text.push_str("nothing measured (quick records do not count)\n");
    }
    text
}

/// The last record of each case, in the order in which cases first came.
fn latest<'a>(records: &[&'a Record]) -> Vec<&'a Record> {
    let mut latest: Vec<&Record> = Vec::new();
    for &record in records {
        let same = |other: &&Record| {
            let (a, b) = (&other.measurement, &record.measurement);
            a.question == b.question && a.case == b.case && a.threads == b.threads
        };
        match latest.iter().position(same) {
            Some(at) => latest[at] = record,
            None => latest.push(record),
        }
    }
    latest
}

fn questions<'a>(records: &[&'a Record]) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for record in records {
        let name = record.measurement.question.as_str();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// A question: a table for each kind of case.
fn section(question: &str, records: &[&Record], limits: &Limits) -> String {
    let of: Vec<&Record> = records
        .iter()
        .copied()
        .filter(|r| r.measurement.question == question)
        .collect();
    let mut versions: Vec<&str> = of.iter().map(|r| r.version.as_str()).collect();
    versions.dedup();
    let dates = of.iter().map(|r| &r.date[..r.date.len().min(10)]);
    let mut text = format!(
        "\n### {question}\n\nVersion {}, {} to {}.\n",
        versions.join(", "),
        dates.clone().min().unwrap_or(""),
        dates.max().unwrap_or(""),
    );
    let mut rest = of;
    while let Some(first) = rest.first().copied() {
        let (same, other): (Vec<&Record>, Vec<&Record>) =
            rest.into_iter().partition(|r| keys(r).eq(keys(first)));
        text.push_str(&rows(&same, limits));
        rest = other;
    }
    text
}

fn keys(record: &Record) -> impl Iterator<Item = &str> {
    let case = &record.measurement.case;
    let what = case.get("what").and_then(Value::as_str);
    case.keys().map(String::as_str).chain(what)
}

fn rows(records: &[&Record], limits: &Limits) -> String {
    let case = columns(records, |m| &m.case);
    let figures = columns(records, |m| &m.figures);
    let bounds: Vec<_> = records
        .iter()
        .map(|r| limits.shares(&r.measurement))
        .collect();
    let bounded = bounds.iter().any(|b| !b.is_empty());
    let mut titles: Vec<String> = case.iter().map(|c| title(c)).collect();
    titles.push("threads".to_owned());
    titles.extend(figures.iter().map(|c| title(c)));
    if bounded {
        titles.extend(bounds::TITLES.map(str::to_owned));
    }
    let mut text = format!(
        "\n| {} |\n|{}\n",
        titles.join(" | "),
        "---|".repeat(titles.len())
    );
    for (record, shares) in records.iter().zip(bounds) {
        let m = &record.measurement;
        let mut cells: Vec<String> = case.iter().map(|c| cell(m.case.get(*c))).collect();
        cells.push(m.threads.to_string());
        cells.extend(figures.iter().map(|c| cell(m.figures.get(*c))));
        if bounded {
            cells.extend(bounds::cells(&shares));
        }
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text
}

/// Every key, in the order in which keys first come.
fn columns<'a>(
    records: &[&'a Record],
    of: impl Fn(&'a Measurement) -> &'a Map<String, Value>,
) -> Vec<&'a str> {
    let mut columns: Vec<&str> = Vec::new();
    for record in records {
        for key in of(&record.measurement).keys() {
            if !columns.contains(&key.as_str()) {
                columns.push(key);
            }
        }
    }
    columns
}

fn title(key: &str) -> String {
    key.replace("_per_", "/").replace('_', " ")
}

/// A value as people read it; nothing for none.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        Some(Value::Number(n)) => match n.as_u64() {
            Some(count) if count < 10_000_000 => grouped(count),
            _ => number(n.as_f64().unwrap_or(f64::NAN)),
        },
        Some(Value::Object(spread)) => {
            let at = |key| number(spread.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN));
            if spread.contains_key("median") {
                format!("{} ({}–{})", at("median"), at("low"), at("high"))
            } else {
                let pairs = spread.iter().map(|(k, v)| format!("{k} {}", cell(Some(v))));
                pairs.collect::<Vec<_>>().join(", ")
            }
        }
        Some(Value::Array(values)) => {
            let cells: Vec<String> = values.iter().map(|v| cell(Some(v))).collect();
            cells.join(", ")
        }
    }
}

/// Three significant digits, or so.
fn number(x: f64) -> String {
    let size = x.abs();
    if !x.is_finite() {
        "–".to_owned()
    } else if size >= 1e6 || (size < 1e-3 && size > 0.0) {
        format!("{x:.2e}")
    } else if size >= 100.0 {
        format!("{x:.0}")
    } else if size >= 10.0 {
        format!("{x:.1}")
    } else if size >= 1.0 {
        format!("{x:.2}")
    } else {
        format!("{x:.3}")
    }
}

/// An answer on one line, for people.
pub(super) fn sentence(m: &Measurement) -> String {
    let case: Vec<String> = m
        .case
        .iter()
        .map(|(key, value)| format!("{} {}", title(key), cell(Some(value))))
        .collect();
    let figures: Vec<String> = m
        .figures
        .iter()
        .map(|(key, value)| format!("{} {}", title(key), cell(Some(value))))
        .collect();
    let threads = if m.threads == 1 { "thread" } else { "threads" };
    format!(
        "{}: {}, {} {threads}: {}\n",
        m.question,
        case.join(", "),
        m.threads,
        figures.join(", ")
    )
}

/// Numbers of a case or of figures; of a spread the median.
fn value(map: &Map<String, Value>, key: &str) -> Option<f64> {
    let value = map.get(key)?;
    value
        .as_f64()
        .or_else(|| value.get("median").and_then(Value::as_f64))
}

fn threads(m: &Measurement) -> f64 {
    float(m.threads.max(1) as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bench::Host;

    fn record(question: &str, case: Value, figures: Value) -> Record {
        let measurement = Measurement::new(question, 1, case, figures);
        Record {
            date: "2026-01-31T00:00:00Z".to_owned(),
            ..Record::now(measurement, &Host::detect(), false)
        }
    }

    #[test]
    fn numbers_keep_three_digits() {
        let texts = [0.0, 0.1234, 1.5, 12.34, 123.4, 1.5e9, 2e-5, f64::NAN].map(number);
        assert_eq!(
            texts,
            [
                "0.000", "0.123", "1.50", "12.3", "123", "1.50e9", "2.00e-5", "–"
            ]
        );
    }

    #[test]
    fn the_latest_record_of_a_case_counts_and_quick_ones_do_not() {
        let case = || json!({"rule": "x"});
        let mut quick = record("construction", case(), json!({"ns": 9.0}));
        quick.quick = true;
        let records = [
            record("construction", case(), json!({"ns": 1.0})),
            record(
                "construction",
                case(),
                json!({"ns": {"median": 2.0, "low": 1.5, "high": 3.0}}),
            ),
            quick.clone(),
        ];
        let text = table(&records);
        assert!(text.contains("| x | 1 | 2.00 (1.50–3.00) |"), "{text}");
        assert!(!text.contains("9.00") && text.matches("| x |").count() == 1);
        assert!(table(&[quick]).starts_with("nothing measured"));
    }

    #[test]
    fn shares_of_the_limits_say_what_bounds_a_delivery() {
        let scatter = json!({"what": "scatter-add", "array_kib": 64, "bytes_per_addition": 2});
        let records = [
            record(
                "limits",
                json!({"what": "triad"}),
                json!({"gb_per_s": 20.0}),
            ),
            record("limits", scatter, json!({"additions_per_s": 1e9})),
            record(
                "delivery",
                json!({"weights": "constant", "targets": 10_000}),
                json!({"events_per_s": 8e8, "bytes_per_synapse": 2.0, "gb_per_s": 1.6}),
            ),
        ];
        let text = table(&records);
        assert!(text.contains("8 % | 80 % |  | additions"), "{text}");
    }

    #[test]
    fn a_file_with_a_wrong_line_names_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bench.jsonl");
        let line = record("update", json!({}), json!({})).to_line();
        std::fs::write(&path, format!("{line}\n{{}}\n")).unwrap();
        let message = read_records(&path).unwrap_err().to_string();
        assert!(message.contains("line 3"), "{message}");
        std::fs::write(&path, line).unwrap();
        assert_eq!(read_records(&path).unwrap().len(), 1);
    }
}
