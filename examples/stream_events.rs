//! Events from standard input drive a network while they come in; its spikes are printed as they
//! happen. The source of the events is a user's own actor that waits for the next line.
//!
//! `printf '1.0 3\n2.5 3\n' | cargo run --release --example stream_events`

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example prints its result"
)]

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Parser;
use rheobase::engine::arguments::{ArgumentError, Arguments};
use rheobase::engine::network::Actor;
use rheobase::engine::port::{
    ActorContext, ActorError, ActorInputs, ActorOutput, ActorPorts, ActorType, UserActor,
};
use rheobase::engine::time::{step_containing, steps_rounded};
use rheobase::prelude::*;

/// Runs neurons on events from standard input, one a line: the time in ms, a space, and the index of
/// a neuron. Times do not go back; empty lines and lines that begin with # are left out. Every spike
/// of the network is printed in the same form, as soon as it is known: when an event of a later time,
/// or the end of the input, has come in.
///
/// Neuron i receives the events of index i and fires when two come within 4 ms of each other.
///
/// A wrong line ends the run with its number and exit code 2.
#[derive(Parser)]
pub(crate) struct Options {
    /// Number of neurons.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) neurons: u32,
    /// How long to go on after the last event [ms].
    #[arg(long, default_value_t = 20)]
    pub(crate) tail: u32,
}

/// An event that was read.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Event {
    time_ms: f64,
    neuron: u32,
}

/// Reads an event: `time_ms neuron`.
fn event(line: &str, neurons: u32) -> Result<Event, String> {
    let mut words = line.split_whitespace();
    let (Some(time), Some(neuron), None) = (words.next(), words.next(), words.next()) else {
        return Err(format!("expected `time_ms neuron`, found `{line}`"));
    };
    let time_ms = time
        .parse()
        .ok()
        .filter(|t: &f64| t.is_finite() && *t > 0.0 && *t < 1e12);
    let time_ms = time_ms.ok_or_else(|| format!("`{time}` is no time above 0 ms"))?;
    let neuron = neuron.parse().ok().filter(|n| *n < neurons);
    let neuron = neuron.ok_or_else(|| {
        format!(
            "`{}` is no neuron from 0 to {}",
            words_of(line, 1),
            neurons - 1
        )
    })?;
    Ok(Event { time_ms, neuron })
}

fn words_of(line: &str, k: usize) -> &str {
    line.split_whitespace().nth(k).unwrap_or("")
}

/// Where lines come from.
pub(crate) type Lines = Box<dyn BufRead + Send>;

/// The type of the actor that reads.
struct EventsType {
    neurons: u32,
    /// Can be read only once.
    input: Mutex<Option<Lines>>,
}

impl ActorType for EventsType {
    fn ports(&self, _: &Arguments) -> Result<ActorPorts, ArgumentError> {
        Ok(ActorPorts::emitting_spikes([u64::from(self.neurons)]))
    }

    fn instantiate(&self, context: &ActorContext) -> Result<Box<dyn UserActor>, ActorError> {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        let read_before = || ActorError::new("its input has been read already");
        Ok(Box::new(Events {
            dt_ms: context.dt_ms,
            neurons: self.neurons,
            input: input.take().ok_or_else(read_before)?,
            line: 0,
            next: None,
            ended: 0.0,
            firing: Vec::new(),
        }))
    }
}

/// Reads lines up to the first of a later step.
struct Events {
    dt_ms: f64,
    neurons: u32,
    input: Lines,
    /// Lines read.
    line: u64,
    /// The event that was read last, until its step has come.
    next: Option<Event>,
    /// 1 when there are no more.
    ended: f64,
    firing: Vec<u32>,
}

impl Events {
    /// The next event, unless the input has ended.
    fn read(&mut self) -> Result<Option<Event>, ActorError> {
        let mut text = String::new();
        loop {
            text.clear();
            self.line += 1;
            let wrong = |message: String| ActorError::new(format!("line {}: {message}", self.line));
            let n = self
                .input
                .read_line(&mut text)
                .map_err(|e| wrong(e.to_string()))?;
            if n == 0 {
                return Ok(None);
            }
            let line = text.trim();
            if !line.is_empty() && !line.starts_with('#') {
                return event(line, self.neurons).map(Some).map_err(wrong);
            }
        }
    }
}

impl UserActor for Events {
    fn step(
        &mut self,
        inputs: &ActorInputs<'_>,
        output: &mut ActorOutput,
    ) -> Result<(), ActorError> {
        self.firing.clear();
        while self.ended == 0.0 {
            if self.next.is_none() {
                self.next = self.read()?;
            }
            let Some(event) = self.next else {
                self.ended = 1.0;
                break;
            };
            let step = step_containing(event.time_ms, self.dt_ms);
            if step < inputs.step() {
                let message = format!("line {}: {} ms lies in the past", self.line, event.time_ms);
                return Err(ActorError::new(message));
            }
            if step > inputs.step() {
                break;
            }
            self.firing.push(event.neuron);
            self.next = None;
        }
        self.firing.sort_unstable();
        self.firing.iter().for_each(|&neuron| output.spike(neuron));
        Ok(())
    }

    // What has been read from standard input cannot be read again: there is no state to go back to.
    fn state(&mut self, visit: &mut dyn FnMut(&str, &mut [f64])) {
        visit("ended", std::slice::from_mut(&mut self.ended));
    }
}

fn simulation(options: &Options, input: Lines) -> Result<Simulation<f32>, Box<dyn Error>> {
    let mut registry = rheobase::registry();
    let events = EventsType {
        neurons: options.neurons,
        input: Mutex::new(Some(input)),
    };
    registry
        .actors
        .insert("events".to_owned(), Arc::new(events));
    let neurons = Population::new("iaf_psc_delta", u64::from(options.neurons));
    let plan = Network::builder("streamed events")
        .dt("0.1 ms")
        .actor("events", Actor::new("events"))
        .population("n", neurons)
        .projection(
            Projection::new("events", "n")
                .rule("one_to_one")
                .weight("9 mV"),
        )
        .build()?
        .resolve(&registry)?;
    // Whoever writes the events may take as long as they like.
    let options = BuildOptions {
        answer_within: Duration::MAX,
        ..BuildOptions::default()
    };
    Ok(Simulation::build(Arc::new(plan), options)?)
}

/// Runs until the input has ended, step by step.
fn stream(options: &Options, input: Lines, output: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let mut simulation = simulation(options, input)?;
    let dt_ms = simulation.plan().dt_ms;
    let mut last = None;
    while last.is_none_or(|last| simulation.now() < last) {
        simulation.advance_to(simulation.now() + 1)?;
        for (_, spikes) in simulation.take_recording().spikes {
            for (step, neuron) in spikes.steps.iter().zip(&spikes.neurons) {
                writeln!(output, "{:.1} {neuron}", *step as f64 * dt_ms)?;
                output.flush()?;
            }
        }
        if last.is_none() && simulation.state("events", "ended") == Some(vec![1.0]) {
            last = Some(simulation.now() + steps_rounded(f64::from(options.tail), dt_ms));
        }
    }
    Ok(())
}

/// The exit code of the program; what went wrong goes to `errors`.
pub(crate) fn run(
    options: &Options,
    input: Lines,
    output: &mut dyn Write,
    errors: &mut dyn Write,
) -> u8 {
    match stream(options, input, output) {
        Ok(()) => 0,
        Err(error) => {
            // Where errors cannot be written either, the exit code tells.
            let _ = writeln!(errors, "error: {error}");
            2
        }
    }
}

fn main() -> ExitCode {
    let input = Box::new(BufReader::new(std::io::stdin()));
    let (mut output, mut errors) = (std::io::stdout(), std::io::stderr());
    ExitCode::from(run(&Options::parse(), input, &mut output, &mut errors))
}
