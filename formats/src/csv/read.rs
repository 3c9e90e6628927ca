//! Reading tables of spikes.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use rheobase_engine::spikes::{Columns, EventList, MAX_STEPS, Rounding, Shape};

use super::decimal::Grid;
use super::{BATCH_HEADER, CsvError, CsvProblem, HEADER};

/// Longest line \[bytes\], line break included.
const MAX_LINE: usize = 1024;

/// Most spikes of a file.
const MAX_SPIKES: u64 = 1 << 32;

/// Most batch items.
const MAX_BATCH: u32 = 1 << 20;

/// What becomes of times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timing {
    /// They count at the end of the step they fall in.
    Grid,
    /// They stay what they are.
    Continuous,
}

/// What a table does not tell.
#[derive(Clone, PartialEq, Debug)]
pub struct Options {
    /// Length of a step \[ms\].
    pub dt_ms: f64,
    /// What becomes of times.
    pub timing: Timing,
    /// Number of steps; by default that of the last spike.
    pub steps: Option<u64>,
    /// Number of batch items; by default the largest that stands there, plus one.
    pub batch: Option<u32>,
    /// Number of neurons; by default the largest that fires, plus one.
    pub neurons: Option<u32>,
}

impl Options {
    /// Times on the grid; as many steps, batch items and neurons as the table names.
    #[must_use]
    pub fn new(dt_ms: f64) -> Self {
        Self {
            dt_ms,
            timing: Timing::Grid,
            steps: None,
            batch: None,
            neurons: None,
        }
    }
}

/// What was read.
#[derive(Clone, PartialEq, Debug)]
pub struct Imported {
    /// The spikes.
    pub events: EventList,
    /// What putting them on the grid has changed.
    pub rounding: Rounding,
}

/// Reads the table in a file. O(spikes), 20 bytes of memory for each.
///
/// # Errors
/// [`CsvError`], which tells the line.
pub fn read(path: &Path, options: &Options) -> Result<Imported, CsvError> {
    let file = path.display().to_string();
    let fail = |message: String| CsvError {
        file: file.clone(),
        line: 0,
        problem: CsvProblem::Io(message),
    };
    let opened = File::open(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => fail("there is no such file".to_owned()),
        _ => fail(e.to_string()),
    })?;
    let metadata = opened.metadata().map_err(|e| fail(e.to_string()))?;
    if !metadata.is_file() {
        return Err(fail("is not a file".to_owned()));
    }
    parse(&file, BufReader::with_capacity(1 << 16, opened), options)
}

/// Reads a table from anywhere; `file` is its name in messages.
///
/// # Errors
/// [`CsvError`], which tells the line.
pub fn parse(file: &str, mut text: impl BufRead, options: &Options) -> Result<Imported, CsvError> {
    let mut line_number = 0;
    let result = parse_lines(&mut text, &mut line_number, options);
    result.map_err(|problem| CsvError {
        file: file.to_owned(),
        line: line_number,
        problem,
    })
}

/// `line_number` is left at the line that is wrong.
fn parse_lines(
    text: &mut impl BufRead,
    line_number: &mut u64,
    options: &Options,
) -> Result<Imported, CsvProblem> {
    let grid = Grid::new(options.dt_ms).ok_or(CsvProblem::TimeStep(options.dt_ms))?;
    let mut line = Vec::new();
    *line_number = 1;
    let header = next_line(text, &mut line)?.unwrap_or("");
    let columns = match header {
        HEADER => 2,
        BATCH_HEADER => 3,
        other => return Err(CsvProblem::Header(short(other))),
    };
    let mut table = Table::new(options);
    *line_number += 1;
    while let Some(line) = next_line(text, &mut line)? {
        table.add(row(line, columns, grid)?, grid)?;
        *line_number += 1;
    }
    *line_number = 0;
    table.finish()
}

/// The next line without its line break.
fn next_line<'a>(
    text: &mut impl BufRead,
    line: &'a mut Vec<u8>,
) -> Result<Option<&'a str>, CsvProblem> {
    line.clear();
    let mut limited = text.take(MAX_LINE as u64);
    let n = limited.read_until(b'\n', line);
    if n.map_err(|e| CsvProblem::Io(e.to_string()))? == 0 {
        return Ok(None);
    }
    let Some(content) = line.strip_suffix(b"\n") else {
        return Err(match line.len() {
            MAX_LINE => CsvProblem::LongLine(MAX_LINE),
            _ => CsvProblem::Cut,
        });
    };
    let content = content.strip_suffix(b"\r").unwrap_or(content);
    match std::str::from_utf8(content) {
        Ok(content) => Ok(Some(content)),
        Err(_) => Err(CsvProblem::Io("is no text (UTF-8)".to_owned())),
    }
}

/// One line.
#[derive(Clone, Copy)]
struct Row {
    item: u32,
    step: u64,
    offset_ms: f64,
    neuron: u32,
}

impl Row {
    /// What lines are sorted by. Bits of positive floats are ordered as the floats are.
    fn key(self) -> (u32, u64, u64, u32) {
        (self.item, self.step, self.offset_ms.to_bits(), self.neuron)
    }
}

fn row(line: &str, columns: usize, grid: Grid) -> Result<Row, CsvProblem> {
    let found = line.split(',').count();
    if found != columns {
        let expected = columns;
        return Err(CsvProblem::Fields { found, expected });
    }
    let mut fields = line.split(',');
    let mut next = || fields.next().unwrap_or("");
    let time = next();
    let (step, offset_ms) = grid
        .step_and_offset(time)
        .map_err(|expected| wrong("time_ms", time, expected.to_owned()))?;
    Ok(Row {
        step,
        offset_ms,
        neuron: index("neuron", next())?,
        item: if columns == 3 {
            index("batch", next())?
        } else {
            0
        },
    })
}

/// A whole number, of digits alone.
fn index(column: &'static str, field: &str) -> Result<u32, CsvProblem> {
    let digits = field.bytes().all(|b| b.is_ascii_digit());
    let number = field.parse().ok().filter(|&n| digits && n < u32::MAX);
    number.ok_or_else(|| wrong(column, field, "a whole number from 0 on".to_owned()))
}

fn wrong(column: &'static str, field: &str, expected: String) -> CsvProblem {
    CsvProblem::Field {
        column,
        field: short(field),
        expected,
    }
}

/// A piece of what was read, for a message.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

/// The lines so far.
struct Table<'a> {
    options: &'a Options,
    columns: Columns,
    rounding: Rounding,
    latest: Option<Row>,
    /// The last step, and the largest neuron plus one.
    steps: u64,
    neurons: u32,
}

impl<'a> Table<'a> {
    fn new(options: &'a Options) -> Self {
        let continuous = options.timing == Timing::Continuous;
        Self {
            options,
            columns: Columns {
                starts: vec![0],
                offsets_ms: continuous.then(Vec::new),
                ..Columns::default()
            },
            rounding: Rounding::default(),
            latest: None,
            steps: 0,
            neurons: 0,
        }
    }

    fn add(&mut self, row: Row, grid: Grid) -> Result<(), CsvProblem> {
        if self.latest.is_some_and(|latest| latest.key() > row.key()) {
            return Err(CsvProblem::Unsorted);
        }
        self.latest = Some(row);
        let step = match self.options.timing {
            Timing::Grid => on_grid(row, grid.dt_ms, &mut self.rounding),
            Timing::Continuous => row.step,
        };
        self.check(row, step)?;
        let n_spikes = self.columns.steps.len();
        if n_spikes as u64 == MAX_SPIKES {
            return Err(CsvProblem::Spikes(MAX_SPIKES));
        }
        self.columns.starts.resize(row.item as usize + 1, n_spikes);
        self.columns.steps.push(step);
        self.columns.neurons.push(row.neuron);
        if let Some(offsets) = &mut self.columns.offsets_ms {
            offsets.push(row.offset_ms);
        }
        self.steps = self.steps.max(step);
        self.neurons = self.neurons.max(row.neuron + 1);
        Ok(())
    }

    /// Compares a line with the shape that is known.
    fn check(&self, row: Row, step: u64) -> Result<(), CsvProblem> {
        let Options {
            steps,
            batch,
            neurons,
            ..
        } = *self.options;
        let most_steps = steps.unwrap_or(MAX_STEPS).min(MAX_STEPS);
        if step > most_steps {
            let steps = most_steps;
            return Err(CsvProblem::Late { step, steps });
        }
        let below = |column, value: u32, most: Option<u32>| match most {
            Some(most) if value >= most => {
                let expected = format!("a whole number below {most}");
                Err(wrong(column, &value.to_string(), expected))
            }
            _ => Ok(()),
        };
        below("neuron", row.neuron, neurons)?;
        below("batch", row.item, batch.or(Some(MAX_BATCH)))
    }

    fn finish(mut self) -> Result<Imported, CsvProblem> {
        let items = u32::try_from(self.columns.starts.len()).unwrap_or(u32::MAX);
        let batch = self.options.batch.unwrap_or(items);
        let neurons = self.options.neurons.unwrap_or(self.neurons);
        let steps = self.options.steps.unwrap_or(self.steps);
        let shape = Shape::new(steps, batch, neurons)?;
        let n_spikes = self.columns.steps.len();
        self.columns.starts.resize(batch as usize + 1, n_spikes);
        // Rounding may have changed the order of neurons within a step.
        let events = EventList::from_unsorted(shape, self.options.dt_ms, self.columns)?;
        Ok(Imported {
            events,
            rounding: self.rounding,
        })
    }
}

/// The step at whose end a spike counts.
fn on_grid(row: Row, dt_ms: f64, rounding: &mut Rounding) -> u64 {
    // What arithmetic with floats may leave between a time and the grid point that is meant.
    const FLOAT_STEPS: f64 = 4.0 * f64::EPSILON;
    #[allow(
        clippy::cast_precision_loss,
        reason = "an allowance: its last digits do not matter"
    )]
    let allowance_ms = dt_ms * (1e-9 + FLOAT_STEPS * row.step as f64).min(0.25);
    if row.offset_ms <= allowance_ms && row.step > 1 {
        return row.step - 1;
    }
    let shift_ms = dt_ms - row.offset_ms;
    if shift_ms > allowance_ms {
        rounding.moved += 1;
        rounding.largest_shift_ms = rounding.largest_shift_ms.max(shift_ms);
    }
    row.step
}
