//! What an actor reads and when, compared with what was recorded.

use std::sync::{Arc, Mutex};

use rheobase::engine::port::{ActorPort, ActorPorts};
use rheobase::equations::unit::parse_unit;

use super::{BESIDE, Script, build, spikes_in, spikes_of};

#[test]
fn spikes_are_read_after_their_delay() {
    for (delay, steps) in [("0 ms", 0), ("0.1 ms", 1), ("0.5 ms", 5), ("9.7 ms", 97)] {
        for threads in [1, 2] {
            let read = Arc::new(Mutex::new(Vec::new()));
            let log = Arc::clone(&read);
            let script = Script::new(spikes_in(300), move |inputs, _, _| {
                let arrived = inputs.spikes(0).iter().map(|&n| (inputs.step(), n));
                log.lock().unwrap().extend(arrived);
                Ok(())
            });
            let text = BESIDE.replace("0.5 ms", delay);
            let mut simulation = build::<f32>(&text, &script, threads);
            simulation.advance_to(400).unwrap();
            let mut expected = spikes_of(&mut simulation, "n");
            assert!(expected.len() > 500, "{}", expected.len());
            expected.iter_mut().for_each(|(step, _)| *step += steps);
            expected.retain(|(step, _)| *step <= 400);
            assert_eq!(
                *read.lock().unwrap(),
                expected,
                "{delay}, {threads} threads"
            );
        }
    }
}

/// An actor that fires in known steps, and a neuron that every one of its spikes fires.
#[test]
fn what_it_emits_is_stamped_with_the_step() {
    let text = r#"
name = "emission"
dt = "0.1 ms"
duration = "10 ms"
[populations.n]
model = "iaf_psc_delta"
size = 3
parameters = { t_ref = "0 ms" }
[actors.plant]
model = "script"
[[projections]]
source = "plant"
target = "n"
port = "delta"
rule = "one_to_one"
weight = "20 mV"
delay = "0.4 ms"
[[monitors]]
spikes = ["n", "plant"]
"#;
    let script = Script::new(ActorPorts::emitting_spikes([3]), |inputs, output, _| {
        if inputs.step() % 7 == 3 {
            assert!((inputs.time_ms() - 0.1 * inputs.step() as f64).abs() < 1e-9);
            output.spike(0);
            output.spike(2);
        }
        Ok(())
    });
    let mut simulation = build::<f64>(text, &script, 1);
    simulation.advance_to(100).unwrap();
    let recording = simulation.take_recording();
    let steps = |node: usize, neuron: u32| -> Vec<u64> {
        let (_, spikes) = &recording.spikes[node];
        let events = spikes.steps.iter().zip(&spikes.neurons);
        events
            .filter(|(_, n)| **n == neuron)
            .map(|(s, _)| *s)
            .collect()
    };
    let expected: Vec<u64> = (1..=100).filter(|s| s % 7 == 3).collect();
    assert_eq!(steps(1, 0), expected);
    assert_eq!(steps(1, 2), expected);
    assert!(steps(1, 1).is_empty());
    let later = expected.iter().map(|s| s + 4).filter(|s| *s <= 100);
    assert_eq!(steps(0, 2), later.collect::<Vec<u64>>());
}

/// n emits v in mV; the actor doubles it; the reader integrates it at once: exact in f64.
#[test]
fn real_values_go_in_and_out_in_base_units() {
    let text = r#"
name = "values"
dt = "0.1 ms"
duration = "10 ms"
precision = "f64"
[models]
emitter = """
neuron emitter
  parameter rate = 1 mV/ms
  dv/dt = rate : mV
  output o = v
"""
reader = """
neuron reader
  input x : mV
  update v = x : mV = 0
"""
[populations.a]
model = "emitter"
size = 4
emits = "o"
initial = { v = ["1 mV", "2 mV", "3 mV", "-4 mV"] }
[populations.b]
model = "reader"
size = 4
[actors.plant]
model = "script"
[[edges]]
source = "a"
target = "plant"
delay = "0.3 ms"
[[edges]]
source = "plant"
target = "b"
port = "x"
delay = "0.2 ms"
"#;
    let millivolt = parse_unit("mV").unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let ports = ActorPorts::emitting_real([4]).input(ActorPort::real("v", 4, millivolt));
    let script = Script::new(ports, move |inputs, output, _| {
        log.lock().unwrap().push(inputs.real(0).to_vec());
        assert!(inputs.spikes(0).is_empty() && inputs.real(1).is_empty());
        for (y, x) in output.real().iter_mut().zip(inputs.real(0)) {
            assert!(y.abs() < 1e-300, "values begin at 0");
            *y = 2.0 * x;
        }
        Ok(())
    });
    for threads in [1, 3] {
        seen.lock().unwrap().clear();
        let mut simulation = build::<f64>(text, &script, threads);
        simulation.advance_to(100).unwrap();
        let seen = seen.lock().unwrap();
        // Nothing has arrived in the first three steps.
        for row in &seen[..3] {
            assert_eq!(row, &[0.0; 4]);
        }
        let begin = [1.0, 2.0, 3.0, -4.0];
        for (step, row) in (1_u32..).zip(seen.iter()).skip(3) {
            for (value, start) in row.iter().zip(begin) {
                let expected = start + 0.1 * f64::from(step - 3);
                assert!(
                    (value - expected).abs() < 1e-9,
                    "step {step}: {value} {expected}"
                );
            }
        }
        // What the reader has at step 100 left the actor at step 98.
        let doubled: Vec<f64> = seen[97].iter().map(|x| 2.0 * x).collect();
        assert_eq!(simulation.state("b", "v").unwrap(), doubled);
    }
}

#[test]
fn its_state_is_read_by_name() {
    let script = Script::new(spikes_in(300), |inputs, _, x| {
        *x += inputs.spikes(0).len() as f64;
        Ok(())
    });
    let mut simulation = build::<f32>(BESIDE, &script, 1);
    simulation.advance_to(400).unwrap();
    let arrived = spikes_of(&mut simulation, "n")
        .iter()
        .filter(|(s, _)| *s <= 395)
        .count();
    assert_eq!(simulation.state("plant", "x"), Some(vec![arrived as f32]));
    assert_eq!(simulation.state("plant", "y"), None);
}
