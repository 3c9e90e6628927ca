//! An actor that emits what cannot be used, or says itself that it cannot go on: an error with its
//! name and the time, nothing reaches the others.

use std::sync::Arc;

use rheobase::engine::actor::RunError;
use rheobase::engine::arguments::{ArgumentError, Arguments};
use rheobase::engine::build::{BuildError, BuildOptions};
use rheobase::engine::port::{
    ActorContext, ActorError, ActorInputs, ActorOutput, ActorPort, ActorPorts, ActorType, UserActor,
};
use rheobase::engine::simulation::Simulation;

use super::{BESIDE, Script, build, resolve, spikes_in, spikes_of, undisturbed};

/// The step in which they go wrong.
const WRONG: u64 = 77;

/// Runs an actor that does `wrong` in one step; the error must hold `message`.
fn fails(ports: &ActorPorts, message: &str, wrong: fn(&mut ActorOutput) -> Result<(), ActorError>) {
    let all = undisturbed(400);
    for threads in [1, 3] {
        for inline in [false, true] {
            let mut script = Script::new(ports.clone(), move |inputs, output, _| {
                if inputs.step() == WRONG {
                    return wrong(output);
                }
                Ok(())
            });
            if inline {
                script = script.on_its_worker();
            }
            let mut simulation = build::<f32>(BESIDE, &script, threads);
            let error = simulation.advance_to(400).unwrap_err();
            let (actor, told, time_ms) = match &error {
                RunError::Output {
                    actor,
                    message,
                    time_ms,
                }
                | RunError::Actor {
                    actor,
                    message,
                    time_ms,
                } => (actor, message, time_ms),
                other => panic!("{other}"),
            };
            assert_eq!(actor, "plant");
            assert!(told.contains(message), "{told}");
            assert!((time_ms - 0.1 * WRONG as f64).abs() < 1e-9, "{error}");
            assert_eq!(simulation.now(), 64, "the slices before are kept");
            let kept: Vec<_> = all.iter().copied().filter(|(s, _)| *s <= 64).collect();
            assert_eq!(spikes_of(&mut simulation, "n"), kept);
        }
    }
}

fn real() -> ActorPorts {
    ActorPorts::emitting_real([3]).input(ActorPort::spikes("in", 300))
}

#[test]
fn a_neuron_that_it_has_not() {
    fails(
        &spikes_in(300),
        "neuron 1 fired, but it has 1 neurons",
        |output| {
            output.spike(1);
            Ok(())
        },
    );
}

#[test]
fn neurons_out_of_order() {
    let ports = ActorPorts::emitting_spikes([2, 4]).input(ActorPort::spikes("in", 300));
    fails(&ports, "neuron 2 was named after neuron 7", |output| {
        [0, 3, 3, 7, 2].iter().for_each(|&n| output.spike(n));
        Ok(())
    });
}

#[test]
fn a_value_that_is_not_finite() {
    fails(&real(), "value 2 is NaN", |output| {
        output.real()[2] = f64::NAN;
        Ok(())
    });
    fails(&real(), "value 0 is -inf", |output| {
        output.real()[0] = f64::NEG_INFINITY;
        Ok(())
    });
}

#[test]
fn a_value_that_f32_has_not() {
    fails(&real(), "too large for the precision", |output| {
        output.real()[1] = 1e300;
        Ok(())
    });
}

#[test]
fn spikes_where_values_are_emitted() {
    fails(&real(), "it emits real values", |output| {
        output.spike(0);
        Ok(())
    });
}

#[test]
fn what_it_says_itself() {
    fails(&spikes_in(300), "the battery is empty", |_| {
        Err(ActorError::new("the battery is empty"))
    });
}

/// Its state arrays are what `names` says in each step.
struct Shifting {
    names: fn(u64) -> Vec<(&'static str, usize)>,
    step: u64,
}

impl ActorType for Shifting {
    fn ports(&self, _: &Arguments) -> Result<ActorPorts, ArgumentError> {
        Ok(spikes_in(300))
    }

    fn instantiate(&self, _: &ActorContext) -> Result<Box<dyn UserActor>, ActorError> {
        let (names, step) = (self.names, 0);
        Ok(Box::new(Self { names, step }))
    }
}

impl UserActor for Shifting {
    fn step(&mut self, inputs: &ActorInputs<'_>, _: &mut ActorOutput) -> Result<(), ActorError> {
        self.step = inputs.step();
        Ok(())
    }

    fn state(&mut self, visit: &mut dyn FnMut(&str, &mut [f64])) {
        for (name, len) in (self.names)(self.step) {
            visit(name, &mut vec![0.0; len]);
        }
    }
}

fn shifting(names: fn(u64) -> Vec<(&'static str, usize)>) -> Result<Simulation<f32>, BuildError> {
    let make = || Arc::new(Shifting { names, step: 0 }) as Arc<dyn ActorType>;
    let plan = resolve(BESIDE, &[("script", &make)]).unwrap_or_else(|e| panic!("{e}"));
    Simulation::build(Arc::new(plan), BuildOptions::default())
}

#[test]
fn state_arrays_that_change() {
    let cases: [fn(u64) -> Vec<(&'static str, usize)>; 3] = [
        |step| vec![("a", if step > 100 { 3 } else { 2 })],
        |step| vec![(if step > 100 { "b" } else { "a" }, 2)],
        |step| vec![("a", 2); usize::from(step <= 100)],
    ];
    for names in cases {
        let error = shifting(names).unwrap().advance_to(400).unwrap_err();
        let RunError::Actor { actor, message, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(actor, "plant");
        assert!(message.contains("names and lengths must stay"), "{message}");
    }
    let error = shifting(|_| vec![("a", 2), ("a", 1)]).err().unwrap();
    assert!(
        error
            .to_string()
            .contains("two state arrays of the name `a`"),
        "{error}"
    );
}
