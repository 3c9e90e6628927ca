//! `examples/stream_events.rs`: events in, spikes out while they come, wrong lines named.

use std::io::{BufRead, BufReader, Cursor, Write, pipe};

use clap::CommandFactory;

#[path = "../../examples/stream_events.rs"]
#[allow(dead_code, reason = "its main is for the example")]
mod example;

use example::Options;

const OPTIONS: Options = Options {
    neurons: 20,
    tail: 20,
};

/// Exit code, standard output, standard error.
fn run(input: &[u8]) -> (u8, String, String) {
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let lines = Box::new(Cursor::new(input.to_vec()));
    let code = example::run(&OPTIONS, lines, &mut output, &mut errors);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (code, text(output), text(errors))
}

/// Two events of 9 mV reach the threshold of 15 mV where the first has faded to 6 mV at most:
/// within 10 ms · ln(9/6) = 4.05 ms.
#[test]
fn two_events_close_together_fire_a_neuron() {
    let input = "# time neuron\n1.0 3\n\n2.5 3\n3.0 7\n7.0 7\n10 1\n14.2 1\n30 0\n30 0\n30 5\n";
    let expected = "2.5 3\n7.0 7\n30.0 0\n";
    assert_eq!(
        run(input.as_bytes()),
        (0, expected.to_owned(), String::new())
    );
    assert_eq!(run(b""), (0, String::new(), String::new()));
}

#[test]
fn a_wrong_line_is_named() {
    for (input, message) in [
        ("1 3\n2\n", "line 2: expected `time_ms neuron`, found `2`"),
        ("1.0 3 4\n", "line 1: expected `time_ms neuron`"),
        ("# x\n\nsoon 3\n", "line 3: `soon` is no time above 0 ms"),
        ("-1 3\n", "line 1: `-1` is no time above 0 ms"),
        ("NaN 3\n", "line 1: `NaN` is no time"),
        ("1 20\n", "line 1: `20` is no neuron from 0 to 19"),
        ("1 -1\n", "line 1: `-1` is no neuron"),
        ("5 1\n4 1\n", "line 2: 4 ms lies in the past"),
    ] {
        let (code, _, errors) = run(input.as_bytes());
        assert_eq!(code, 2, "{input:?}");
        assert!(
            errors.contains(message),
            "expected {message}, found {errors}"
        );
        assert!(errors.contains("`events`"), "{errors}");
    }
    let (code, _, errors) = run(b"1 1\n1 1\n\xff 1\n");
    assert_eq!(code, 2);
    assert!(errors.contains("line 3"), "{errors}");
}

/// A spike comes out although the input goes on.
#[test]
fn spikes_are_printed_while_events_come_in() {
    let (reader, mut events) = pipe().unwrap();
    let (spikes, mut output) = pipe().unwrap();
    let program = std::thread::spawn(move || {
        let lines = Box::new(BufReader::new(reader));
        example::run(&OPTIONS, lines, &mut output, &mut Vec::new())
    });
    let mut spikes = BufReader::new(spikes);
    let mut line = String::new();
    for k in 1..=5 {
        let (t, next) = (10 * k, 10 * k + 5);
        // The last line tells that nothing else happens before it.
        write!(events, "{t} {k}\n{t} {k}\n{next} 0\n").unwrap();
        line.clear();
        spikes.read_line(&mut line).unwrap();
        assert_eq!(line, format!("{t}.0 {k}\n"));
    }
    drop(events);
    assert_eq!(program.join().unwrap(), 0);
}

#[test]
fn help_says_what_a_line_is() {
    let text = Options::command().render_long_help().to_string();
    assert!(
        text.contains("--neurons") && text.contains("the time in ms"),
        "{text}"
    );
}
