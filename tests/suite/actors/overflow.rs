//! More spikes than a mailbox holds: an error with names, and what was recorded stays.

use rheobase::engine::actor::RunError;
use rheobase::engine::port::{ActorPort, ActorPorts};

use super::{BESIDE, Script, build, spikes_in, spikes_of, undisturbed, undisturbed_of};

/// The first step in which more than `most` of these spikes arrive 5 steps later, and how many.
fn first_crowd(spikes: &[(u64, u32)], most: usize) -> (u64, usize) {
    let steps = spikes.iter().map(|(step, _)| *step);
    let mut counts = std::collections::BTreeMap::new();
    steps.for_each(|step| *counts.entry(step + 5).or_insert(0_usize) += 1);
    counts
        .into_iter()
        .find(|(_, n)| *n > most)
        .expect("a crowd")
}

#[test]
fn a_port_takes_no_more_than_it_holds() {
    // Single neurons fire at once, all the others together some ten milliseconds later.
    let begin: Vec<String> = (0..300)
        .map(|n| {
            format!(
                "{} mV",
                if n < 20 {
                    -55.5 - 0.1 * f64::from(n)
                } else {
                    -65.0
                }
            )
        })
        .collect();
    let drawn = r#"{ uniform = ["-65 mV", "-51 mV"] }"#;
    let text = BESIDE.replace(drawn, &format!("{begin:?}"));
    let all = undisturbed_of(&text, 400);
    let (step, waiting) = first_crowd(&all, 4);
    println!("{waiting} spikes arrive at step {step}");
    assert!(
        step > 70 && waiting > 200 && all[0].0 < 20,
        "{step} {waiting}"
    );
    for threads in [1, 2, 3] {
        for inline in [false, true] {
            let port = ActorPort::spikes("in", 300).most_spikes(4);
            let ports = ActorPorts::emitting_spikes([1]).input(port);
            let mut script = Script::new(ports, |_, _, _| Ok(()));
            if inline {
                script = script.on_its_worker();
            }
            let mut simulation = build::<f32>(&text, &script, threads);
            let error = simulation.advance_to(400).unwrap_err();
            let RunError::Overflow {
                actor,
                mailbox,
                waiting: found,
                capacity,
                time_ms,
            } = &error
            else {
                panic!("{error}")
            };
            assert_eq!((actor.as_str(), *found, *capacity), ("plant", waiting, 4));
            assert!(
                mailbox.contains("`in`") && mailbox.contains("`n`"),
                "{mailbox}"
            );
            assert!((time_ms - 0.1 * step as f64).abs() < 1e-9, "{error}");
            assert_eq!(simulation.failed(), Some(&error));
            let kept = simulation.now();
            let recorded = spikes_of(&mut simulation, "n");
            assert!(!recorded.is_empty());
            let expected: Vec<_> = all.iter().copied().filter(|(s, _)| *s <= kept).collect();
            assert_eq!(recorded, expected, "{threads} threads");
            // It has failed, until it is reset.
            assert_eq!(simulation.advance_to(401), Err(error));
        }
    }
}

#[test]
fn no_more_is_emitted_than_was_declared() {
    let ports = spikes_in(300).most_spikes(2);
    let script = Script::new(ports, |inputs, output, _| {
        // Fifty million spikes of one step find no place.
        let n = if inputs.step() == 33 { 50_000_000 } else { 2 };
        (0..n).for_each(|_| output.spike(0));
        Ok(())
    });
    for threads in [1, 3] {
        let mut simulation = build::<f32>(BESIDE, &script, threads);
        let error = simulation.advance_to(400).unwrap_err();
        let expected = RunError::Overflow {
            actor: "plant".to_owned(),
            mailbox: "its output".to_owned(),
            waiting: 50_000_000,
            capacity: 2,
            time_ms: 33.0 * 0.1,
        };
        assert_eq!(error, expected);
        assert!(
            error
                .to_string()
                .contains("`plant`: 50000000 where its output holds 2")
        );
    }
}

/// As many as declared are no overflow.
#[test]
fn a_full_mailbox_is_no_overflow() {
    let all = undisturbed(400);
    let steps: Vec<u64> = all.iter().map(|(s, _)| *s).collect();
    let most = steps
        .chunk_by(|a, b| a == b)
        .map(<[u64]>::len)
        .max()
        .unwrap();
    let port = ActorPort::spikes("in", 300).most_spikes(most);
    let ports = ActorPorts::emitting_spikes([1]).input(port).most_spikes(3);
    let script = Script::new(ports, |_, output, _| {
        (0..3).for_each(|_| output.spike(0));
        Ok(())
    });
    let mut simulation = build::<f32>(BESIDE, &script, 2);
    simulation.advance_to(400).unwrap();
    assert_eq!(spikes_of(&mut simulation, "n"), all);
}
