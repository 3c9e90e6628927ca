//! Times against integer arithmetic, round trips, and what bad files get.

use proptest::prelude::*;
use rheobase_engine::spikes::{Columns, EventList, MAX_STEPS, Shape};

use super::*;

fn continuous(dt_ms: f64) -> Options {
    Options {
        timing: Timing::Continuous,
        ..Options::new(dt_ms)
    }
}

fn read_text(text: &str, options: &Options) -> Result<Imported, CsvError> {
    parse("t.csv", text.as_bytes(), options)
}

/// The step and offset of the only spike.
fn one(time: &str, options: &Options) -> (u64, f64) {
    let read = read_text(&format!("time_ms,neuron\n{time},0\n"), options);
    let read = read.unwrap_or_else(|e| panic!("{time}: {e}"));
    let event = read.events.item(0).iter().next().unwrap();
    (event.step, event.offset_ms)
}

fn message(text: &str, options: &Options) -> String {
    match read_text(text, options) {
        Ok(read) => panic!("{text:?} was read: {read:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn times_are_split_as_integers_would_be() {
    // In units of 1e-6 ms, dt is 25,000. A quotient of integers is rounded as a decimal is.
    for n in (1..400_000_u64).chain(9_999_000_000..9_999_100_000) {
        let before = (n - 1) / 25_000;
        let expected = (before + 1, (n - before * 25_000) as f64 / 1e6);
        let time = format!("{}.{:06}", n / 1_000_000, n % 1_000_000);
        let (step, offset_ms) = super::decimal::Grid::new(0.025)
            .unwrap()
            .step_and_offset(&time)
            .unwrap();
        assert_eq!((step, offset_ms), expected, "{time}");
    }
}

#[test]
fn spellings_of_a_number_are_one_number() {
    let exact = continuous(0.1);
    for time in [
        "0.25",
        "00.250",
        ".25",
        "2.5e-1",
        "250e-3",
        "0.0025E+2",
        "2.50000000000000000000000e-01",
    ] {
        assert_eq!(one(time, &exact), (3, 0.05), "{time}");
    }
    assert_eq!(one("1.", &exact), (10, 0.1));
    assert_eq!(one("1e-320", &exact), (1, 1e-320));
    // Nothing that a float could hold lies between this and 0.1.
    let close = format!("0.1{}1", "0".repeat(400));
    assert_eq!(one(&close, &exact), (1, 0.1));
    assert_eq!(one("0.30000000000000004", &exact), (4, 4e-17));
}

#[test]
fn on_the_grid_times_count_at_the_end_of_their_step() {
    let grid = Options::new(0.1);
    for (time, step) in [
        ("0.3", 3),
        ("0.30000000000000004", 3),
        ("0.29999999999999998", 3),
        ("0.3000001", 4),
        ("0.01", 1),
        ("1e-30", 1),
        ("1.03", 11),
        ("360000000.05", 3_600_000_001),
        ("360000000.00000006", 3_600_000_000),
    ] {
        assert_eq!(one(time, &grid).0, step, "{time}");
    }
    let text = "time_ms,neuron\n0.3,0\n0.30000000000000004,0\n0.34,5\n0.38,2\n0.4,1\n";
    let read = read_text(text, &grid).unwrap();
    assert_eq!(read.events.item(0).steps(), [3, 3, 4, 4, 4]);
    assert_eq!(read.events.item(0).neurons(), [0, 0, 1, 2, 5]);
    assert_eq!(read.rounding.moved, 2);
    assert!((read.rounding.largest_shift_ms - 0.06).abs() < 1e-12);
}

/// Lengths of steps: few digits and many, short and long.
const DTS_MS: [f64; 9] = [
    0.1,
    0.025,
    1.0,
    0.7,
    1.0 / 3.0,
    1e-6,
    1e6,
    1.2345678901234567e-6,
    999_999.999_999_999_9,
];

/// Any float in (0, dt], tiny ones included; dt itself often.
fn offset_ms(dt_ms: f64, kind: u8, bits: u64) -> f64 {
    match kind {
        0 => dt_ms,
        1 => f64::from_bits(1 + bits % dt_ms.to_bits()),
        _ => dt_ms * ((bits >> 11) as f64 + 1.0) / (1_u64 << 53) as f64,
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        dt in 0..DTS_MS.len(),
        spikes in prop::collection::vec(
            (0..3_u32, prop_oneof![1..50_u64, 1..=MAX_STEPS], 0..3_u8, any::<u64>(), 0..9_u32),
            0..40,
        ),
    ) {
        let dt_ms = DTS_MS[dt];
        let mut spikes = spikes;
        spikes.sort_unstable();
        let offsets = spikes.iter().map(|s| offset_ms(dt_ms, s.2, s.3)).collect();
        let columns = Columns {
            starts: (0..=3).map(|item| spikes.iter().filter(|s| s.0 < item).count()).collect(),
            steps: spikes.iter().map(|s| s.1).collect(),
            offsets_ms: Some(offsets),
            neurons: spikes.iter().map(|s| s.4).collect(),
        };
        let shape = Shape::new(MAX_STEPS, 3, 9).unwrap();
        let events = EventList::from_unsorted(shape, dt_ms, columns).unwrap();
        let known = Options {
            steps: Some(MAX_STEPS), batch: Some(3), neurons: Some(9), ..continuous(dt_ms)
        };
        let mut text = Vec::new();
        write(&mut text, &events).unwrap();
        let read = parse("t.csv", text.as_slice(), &known).unwrap();
        prop_assert_eq!(&read.events, &events);

        let (grid, _) = events.to_grid();
        text.clear();
        write(&mut text, &grid).unwrap();
        let read = parse("t.csv", text.as_slice(), &Options { timing: Timing::Grid, ..known });
        let read = read.unwrap();
        prop_assert_eq!(&read.events, &grid);
        prop_assert_eq!(read.rounding, Default::default());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut text = b"time_ms,neuron,batch\n".to_vec();
        text.extend_from_slice(&bytes);
        let _ = parse("t.csv", text.as_slice(), &Options::new(0.1));
        let _ = parse("t.csv", bytes.as_slice(), &continuous(0.1));
    }

    #[test]
    fn any_fields_are_read_or_refused(lines in "([0-9.eE+-]{0,12},[0-9]{0,11}\n){0,4}") {
        let text = format!("time_ms,neuron\n{lines}");
        for options in [Options::new(0.1), continuous(1e6)] {
            if let Ok(read) = read_text(&text, &options) {
                prop_assert_eq!(read.events.len(), lines.lines().count());
            }
        }
    }
}

#[test]
fn times_are_written_in_few_digits() {
    let shape = Shape::new(20_000, 1, 9).unwrap();
    let columns = Columns {
        starts: vec![0, 5],
        steps: vec![1, 3, 7, 10, 10_001],
        offsets_ms: Some(vec![1e-7, 0.1, 0.1, 0.1, 0.03]),
        neurons: vec![4, 0, 0, 1, 2],
    };
    let events = EventList::new(shape, 0.1, columns).unwrap();
    let mut text = Vec::new();
    write(&mut text, &events).unwrap();
    let expected = "time_ms,neuron\n0.0000001,4\n0.3,0\n0.7,0\n1,1\n1000.03,2\n";
    assert_eq!(String::from_utf8(text).unwrap(), expected);

    let mut writer = Writer::new(Vec::new(), 0.1, true).unwrap();
    writer.spike(7, 2, 0.1, 3).unwrap();
    for (step, offset_ms) in [(0, 0.1), (1, 0.0), (1, 0.2), (1, f64::NAN), (1, -0.1)] {
        let refused = writer.spike(0, step, offset_ms, 0);
        assert!(
            matches!(refused, Err(WriteError::Time { .. })),
            "{offset_ms}"
        );
    }
    assert_eq!(writer.into_inner(), b"time_ms,neuron,batch\n0.2,3,7\n");
    for dt_ms in [0.0, f64::NAN, 1e-7, f64::INFINITY] {
        assert!(matches!(
            Writer::new(Vec::new(), dt_ms, false),
            Err(WriteError::TimeStep(_))
        ));
    }
}

#[test]
fn shapes_are_those_told_or_those_found() {
    let text = "time_ms,neuron,batch\r\n0.2,3,1\r\n0.5,0,3\r\n";
    let found = read_text(text, &Options::new(0.1)).unwrap().events;
    assert_eq!(found.shape(), Shape::new(5, 4, 4).unwrap());
    assert_eq!(
        [0, 1, 2, 3].map(|item| found.item(item).len()),
        [0, 1, 0, 1]
    );
    let mut options = Options::new(0.1);
    (options.steps, options.batch, options.neurons) = (Some(100), Some(6), Some(10));
    let told = read_text(text, &options).unwrap().events;
    assert_eq!(told.shape(), Shape::new(100, 6, 10).unwrap());
    let empty = read_text("time_ms,neuron\n", &Options::new(0.1)).unwrap();
    assert!(empty.events.is_empty());
    assert_eq!(empty.events.shape(), Shape::new(0, 1, 0).unwrap());
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let mut told = Options::new(0.1);
    (told.steps, told.batch, told.neurons) = (Some(100), Some(2), Some(10));
    let plain = Options::new(0.1);
    let long = "1".repeat(2000);
    let cases: [(&str, &Options, &str); 29] = [
        ("", &plain, "line 1: ``: expected the column names"),
        ("0.1,0\n", &plain, "line 1: `0.1,0`: expected the column"),
        (
            "time_ms,neuron",
            &plain,
            "line 1: ends without a line break",
        ),
        (
            "\u{feff}time_ms,neuron\n",
            &plain,
            "expected the column names",
        ),
        ("time_ms, neuron\n", &plain, "expected the column names"),
        ("T\n\n", &plain, "line 2: 1 fields, expected 2"),
        ("T\n0.1\n", &plain, "line 2: 1 fields, expected 2"),
        ("T\n0.1,0,0\n", &plain, "line 2: 3 fields, expected 2"),
        ("B\n0.1,0\n", &plain, "line 2: 2 fields, expected 3"),
        (
            "T\n0.1,0\nNaN,0\n",
            &plain,
            "line 3: time_ms `NaN`: expected a number",
        ),
        (
            "T\ninf,0\n",
            &plain,
            "expected a number of milliseconds above 0",
        ),
        ("T\n-0.1,0\n", &plain, "time_ms `-0.1`: expected a number"),
        ("T\n0,0\n", &plain, "time_ms `0`: expected a time above 0"),
        ("T\n0.000,0\n", &plain, "expected a time above 0"),
        ("T\n1e-400,0\n", &plain, "expected a time above 0"),
        ("T\n.,0\n", &plain, "time_ms `.`"),
        ("T\n 0.1,0\n", &plain, "time_ms ` 0.1`"),
        ("T\n1e999,0\n", &plain, "time_ms `1e999`"),
        ("T\n1e300,0\n", &plain, "at most 2^53 steps"),
        ("T\n1e15,0\n", &plain, "at most 2^53 steps"),
        (
            "T\n0.1,-1\n",
            &plain,
            "line 2: neuron `-1`: expected a whole",
        ),
        ("T\n0.1,+1\n", &plain, "neuron `+1`"),
        ("T\n0.1,1.0\n", &plain, "neuron `1.0`"),
        ("T\n0.1,4294967295\n", &plain, "neuron `4294967295`"),
        (
            "T\n0.2,0\n0.1,0\n",
            &plain,
            "line 3: belongs before the line above",
        ),
        (
            "T\n0.1,5\n0.1,4\n",
            &plain,
            "line 3: belongs before the line above",
        ),
        ("B\n0.1,0,1\n0.2,0,0\n", &plain, "line 3: belongs before"),
        (
            "B\n0.1,0,1048576\n",
            &plain,
            "batch `1048576`: expected a whole number below",
        ),
        (
            "T\n0.1,10\n",
            &told,
            "line 2: neuron `10`: expected a whole number below 10",
        ),
    ];
    for (text, options, expected) in cases {
        let text = text
            .replace('T', "time_ms,neuron")
            .replace('B', "time_ms,neuron,batch");
        let found = message(&text, options);
        assert!(found.starts_with("t.csv, line"), "{found}");
        assert!(found.contains(expected), "{found}");
    }
    let more = [
        ("B\n0.1,0,2\n", "batch `2`: expected a whole number below 2"),
        ("B\n10.01,0,0\n", "line 2: is in step 101 of 100"),
    ];
    for (text, expected) in more {
        let found = message(&text.replace('B', "time_ms,neuron,batch"), &told);
        assert!(found.contains(expected), "{found}");
    }
    let found = message(&format!("time_ms,neuron\n{long},0\n"), &plain);
    assert!(
        found.contains("line 2: is longer than 1024 bytes"),
        "{found}"
    );
    let many = "time_ms,neuron,batch\n0.1,4294967294,0\n0.1,0,1\n";
    let found = message(many, &plain);
    assert!(
        found.contains("fewer than 2^32 neurons in all items"),
        "{found}"
    );
    let bytes = b"time_ms,neuron\n0.1,\xff\n";
    let error = parse("t.csv", &bytes[..], &plain).unwrap_err().to_string();
    assert!(error.contains("line 2: is no text"), "{error}");
    for dt_ms in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e7] {
        let found = message("time_ms,neuron\n", &Options::new(dt_ms));
        assert!(found.contains("outside 1e-6 ms to 1e6 ms"), "{found}");
    }
}

#[test]
fn files_are_read_and_what_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spikes.csv");
    let absent = read(&path, &Options::new(0.1)).unwrap_err().to_string();
    assert!(
        absent.ends_with("spikes.csv: there is no such file"),
        "{absent}"
    );
    let none = read(folder.path(), &Options::new(0.1)).unwrap_err();
    assert!(none.to_string().contains("is not a file"), "{none}");
    std::fs::write(&path, "time_ms,neuron\n0.3,1\n").unwrap();
    let events = read(&path, &Options::new(0.1)).unwrap().events;
    assert_eq!(events.item(0).steps(), [3]);
}

#[test]
fn a_cut_file_is_refused_or_holds_the_lines_before_the_cut() {
    let text = "time_ms,neuron,batch\n0.1,12,0\n0.25,3,0\n1e-1,0,1\n12.5,7,1\n";
    let whole = read_text(text, &continuous(0.1)).unwrap().events;
    assert_eq!(whole.len(), 4);
    let mut read_lines = Vec::new();
    for length in 0..text.len() {
        match read_text(&text[..length], &continuous(0.1)) {
            Ok(read) => {
                assert!(text[..length].ends_with('\n'), "cut to {length} bytes");
                read_lines.push(read.events.len());
            }
            Err(error) => assert!(error.line > 0, "{error}"),
        }
    }
    assert_eq!(read_lines, [0, 1, 2, 3]);
}
