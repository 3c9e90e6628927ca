//! An actor that panics: an error with its name, the other workers stop, what was recorded stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rheobase::engine::actor::RunError;
use rheobase::engine::arguments::{ArgumentError, Arguments};
use rheobase::engine::build::{BuildError, BuildOptions};
use rheobase::engine::port::{ActorContext, ActorError, ActorPorts, ActorType, UserActor};
use rheobase::engine::simulation::Simulation;

use super::{BESIDE, Script, build, resolve, spikes_in, spikes_of, undisturbed};

#[test]
fn a_panic_names_the_actor_and_keeps_what_was_recorded() {
    let all = undisturbed(400);
    for (threads, inline) in [(1, false), (1, true), (3, false), (3, true), (8, false)] {
        let healthy = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&healthy);
        let mut script = Script::new(spikes_in(300), move |inputs, _, _| {
            assert!(
                inputs.step() < 257 || seen.load(Ordering::Relaxed),
                "the plant has exploded"
            );
            Ok(())
        });
        if inline {
            script = script.on_its_worker();
        }
        let mut simulation = build::<f32>(BESIDE, &script, threads);
        let error = simulation.advance_to(400).unwrap_err();
        let expected = RunError::Panicked {
            actor: "plant".to_owned(),
            message: "the plant has exploded".to_owned(),
        };
        assert_eq!(error, expected, "{threads} threads");
        let kept = simulation.now();
        assert!(
            (193..257).contains(&kept),
            "{kept}: the slices before are kept"
        );
        let expected: Vec<_> = all.iter().copied().filter(|(s, _)| *s <= kept).collect();
        assert_eq!(
            spikes_of(&mut simulation, "n"),
            expected,
            "{threads} threads"
        );
        // A new actor, a new run.
        healthy.store(true, Ordering::Relaxed);
        simulation.reset();
        simulation.advance_to(400).unwrap();
        assert_eq!(spikes_of(&mut simulation, "n"), all);
    }
}

/// Cannot be made.
struct Unborn {
    panics: bool,
}

impl ActorType for Unborn {
    fn ports(&self, _: &Arguments) -> Result<ActorPorts, ArgumentError> {
        Ok(spikes_in(300))
    }

    fn instantiate(&self, _: &ActorContext) -> Result<Box<dyn UserActor>, ActorError> {
        assert!(!self.panics, "no hands");
        Err(ActorError::new("the robot is switched off"))
    }
}

#[test]
fn an_actor_that_cannot_be_made_is_named() {
    for (panics, message) in [
        (true, "it panicked: no hands"),
        (false, "the robot is switched off"),
    ] {
        let make = || Arc::new(Unborn { panics }) as Arc<dyn ActorType>;
        let plan = resolve(BESIDE, &[("script", &make)]).unwrap_or_else(|e| panic!("{e}"));
        let built = Simulation::<f32>::build(Arc::new(plan), BuildOptions::default());
        let expected = BuildError::Actor {
            actor: "plant".to_owned(),
            message: message.to_owned(),
        };
        assert_eq!(built.err(), Some(expected));
    }
}
