//! An actor that never answers: the run ends with an error that names it, and nothing hangs.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rheobase::engine::actor::RunError;

use super::{BESIDE, Script, build_with, spikes_in, spikes_of, undisturbed};

/// Far more than any of these tests takes, far less than a hang.
const SOON: Duration = Duration::from_secs(20);

/// A door that is closed at first.
#[derive(Default)]
struct Door {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Door {
    fn pass(&self) {
        let mut open = self.open.lock().unwrap();
        while !*open {
            open = self.opened.wait(open).unwrap();
        }
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

/// Waits at a door in step 150.
fn waiting_at(door: &Arc<Door>) -> Script {
    let door = Arc::clone(door);
    Script::new(spikes_in(300), move |inputs, output, x| {
        if inputs.step() == 150 {
            door.pass();
        }
        *x += 1.0;
        output.spike(0);
        Ok(())
    })
}

#[test]
fn it_is_named_and_what_was_recorded_stays() {
    let all = undisturbed(400);
    for threads in [1, 2, 3] {
        let door = Arc::new(Door::default());
        let limit = Duration::from_millis(200);
        let mut simulation = build_with::<f32>(BESIDE, &waiting_at(&door), threads, limit);
        let begun = Instant::now();
        let error = simulation.advance_to(400).unwrap_err();
        let took = begun.elapsed();
        assert!(took >= limit && took < SOON, "{took:?}");
        let RunError::NoAnswer {
            actor,
            waited_s,
            waiting,
            time_ms,
        } = &error
        else {
            panic!("{error}")
        };
        assert_eq!((actor.as_str(), *waiting), ("plant", 1));
        assert!((waited_s - 0.2).abs() < 1e-9, "{error}");
        // The slice that holds step 150 begins at step 129.
        assert!((time_ms - 12.9).abs() < 1e-9, "{error}");
        assert_eq!(simulation.now(), 128);
        let kept: Vec<_> = all.iter().copied().filter(|(s, _)| *s <= 128).collect();
        assert_eq!(spikes_of(&mut simulation, "n"), kept, "{threads} threads");
        // It is told at once that it has failed.
        let again = Instant::now();
        assert_eq!(simulation.advance_to(400), Err(error));
        assert!(again.elapsed() < limit);
        door.open();
    }
}

#[test]
fn a_reset_and_a_checkpoint_begin_with_a_new_actor() {
    let all = undisturbed(400);
    let door = Arc::new(Door::default());
    let limit = Duration::from_millis(100);
    let mut simulation = build_with::<f32>(BESIDE, &waiting_at(&door), 2, limit);
    simulation.advance_to(64).unwrap();
    let mut checkpoint = Vec::new();
    simulation.save(&mut checkpoint).unwrap();
    assert!(simulation.advance_to(400).is_err());
    // The thread of the first actor still waits at the door.
    simulation.load(&mut checkpoint.as_slice()).unwrap();
    assert_eq!(simulation.state("plant", "x"), Some(vec![64.0]));
    assert!(simulation.advance_to(400).is_err());
    door.open();
    simulation.load(&mut checkpoint.as_slice()).unwrap();
    simulation.advance_to(400).unwrap();
    assert_eq!(simulation.state("plant", "x"), Some(vec![400.0]));
    let rest: Vec<_> = all.iter().copied().filter(|(s, _)| *s > 64).collect();
    assert_eq!(spikes_of(&mut simulation, "n"), rest);
    simulation.reset();
    simulation.advance_to(400).unwrap();
    assert_eq!(spikes_of(&mut simulation, "n"), all);
}

/// An actor that is slow, but answers in time, is no failure; nor is one that is dropped while its
/// thread waits.
#[test]
fn a_slow_actor_is_waited_for() {
    let script = Script::new(spikes_in(300), |inputs, _, _| {
        if inputs.step() == 10 {
            std::thread::sleep(Duration::from_millis(150));
        }
        Ok(())
    });
    let mut simulation = build_with::<f32>(BESIDE, &script, 2, Duration::from_secs(30));
    simulation.advance_to(400).unwrap();
    assert_eq!(spikes_of(&mut simulation, "n"), undisturbed(400));
}

/// A worker that fails is not kept waiting by an actor of another.
#[test]
fn the_failure_of_another_worker_comes_first() {
    // The worker of the actor has none of the neurons whose root becomes NaN.
    let begin: Vec<f64> = (0..300).map(|n| if n < 200 { 1e3 } else { 0.5 }).collect();
    let text = r#"
name = "another"
dt = "0.1 ms"
duration = "40 ms"
[models]
root = """
neuron root
  dx/dt = -1/(1 ms) : 1
  update y = sqrt(x) : 1 = 0
  spike when y >= 1000
"""
[populations.n]
model = "root"
size = 300
initial = { x = BEGIN }
[actors.plant]
model = "script"
"#
    .replace("BEGIN", &format!("{begin:?}"));
    let door = Arc::new(Door::default());
    let at = Arc::clone(&door);
    let ports = rheobase::engine::port::ActorPorts::emitting_spikes([1]);
    let script = Script::new(ports, move |_, _, _| {
        at.pass();
        Ok(())
    });
    let mut simulation = build_with::<f32>(&text, &script, 2, Duration::from_secs(600));
    let begun = Instant::now();
    let error = simulation.advance_to(400).unwrap_err();
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert!(matches!(error, RunError::NotFinite { .. }), "{error}");
    door.open();
}
